"""A VCF with the effect of each alternative added to its INFO column."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from genolstm import __version__
from genolstm.errors import InputError
from genolstm.model import NextSymbolModel
from genolstm.readers.variants import check_contigs, nothing_shared, read_variants
from genolstm.regions import Stretches
from genolstm.settings.reading import VariantSettings
from genolstm.store.genome import Genome
from genolstm.stream.seams import Seams
from genolstm.variants.controls import NO_CONTROLS, VariantControls
from genolstm.variants.effects import Effects, effects_of
from genolstm.variants.places import Alleles
from genolstm.variants.progress import GroupProgress
from genolstm.variants.records import Scored, Tally, group_size, scored
from genolstm.writers.vcf import InfoField, annotated_header, with_info, write_vcf

PER_ALTERNATIVE, FLAG = "A", "0"
SEEN, PERCENTILE = "LSTM_SEEN", "LSTM_PERCENTILE"
_STRANDS = {"": "mean of both strands", "_FWD": "forward strand", "_REV": "reverse strand"}


@dataclass(kw_only=True)
class AnnotationResult:
    """Counts and seams of a run. unsorted : the first place out of order, then there is no index."""

    tally: Tally = field(default_factory=Tally)
    seams: Seams = field(default_factory=Seams)
    unsorted: str | None = None


def info_fields(settings: VariantSettings) -> list[InfoField]:
    """INFO fields that are written, as the header describes them."""
    window = settings.window
    ratio = (
        f"log2 P(ALT) - log2 P(REF) in bits over the allele and {window} bases after it in reading direction, {{}};"
        " negative: ALT is less likely; each base that an allele is longer costs about 2 bits"
    )
    shift = f"Euclidean distance of the model's hidden states (all layers) {window} bases after the allele, {{}}"
    markov = "the same log-likelihood ratio in bits by an interpolated Markov model of orders 0 to 12, {}"
    percentile = (
        "per cent of changes of the same substitution and trinucleotide context, drawn on held-out sequence, whose"
        " LSTM_LLR is lower; single-base changes alone"
    )
    return [
        *(InfoField(f"LSTM_LLR{end}", PER_ALTERNATIVE, "Float", ratio.format(on)) for end, on in _STRANDS.items()),
        *(InfoField(f"LSTM_SHIFT{end}", PER_ALTERNATIVE, "Float", shift.format(on)) for end, on in _STRANDS.items()),
        *(
            InfoField(f"MARKOV_LLR{end}", PER_ALTERNATIVE, "Float", markov.format(on))
            for end, on in (_STRANDS.items() if settings.markov else ())
        ),
        *([InfoField(PERCENTILE, PER_ALTERNATIVE, "Float", percentile)] if settings.background else []),
        InfoField(SEEN, FLAG, "Flag", "In a stretch that the model was trained on: the values are not held out"),
    ]


def info_values(each: Scored) -> dict[str, str | None]:
    """INFO of one record, field -> text; empty where no alternative was scored."""
    if not any(each.effects):
        return {}
    columns: dict[str, list[str]] = {}
    some = next(effect for effect in each.effects if effect)
    for effect in each.effects:
        by_strand = {
            "LSTM_LLR": effect and effect.log_ratio,
            "LSTM_SHIFT": effect and effect.shift,
            **({"MARKOV_LLR": effect and effect.markov} if some.markov else {}),
        }
        for name, values in by_strand.items():
            shown = (sum(values) / len(values), *values) if values else (None, None, None)
            for end, value in zip(_STRANDS, shown, strict=True):
                columns.setdefault(name + end, []).append(_spelled(value))
        if some.percentile is not None:
            columns.setdefault(PERCENTILE, []).append(_spelled(effect and effect.percentile))
    return {name: ",".join(values) for name, values in columns.items()} | ({SEEN: None} if each.seen else {})


def _spelled(value: float | None) -> str:
    return "." if value is None or math.isnan(value) else f"{value:.6g}"


def annotate(
    vcf: Path,
    output: Path,
    model: NextSymbolModel,
    genome: Genome,
    settings: VariantSettings,
    *,
    trained: Stretches,
    notes: Mapping[str, str],
    controls: VariantControls = NO_CONTROLS,
    on_scored: Callable[[Scored], None] | None = None,
    on_progress: Callable[[float, int], None] | None = None,
) -> AnnotationResult:
    """Score every alternative of a VCF and write it, record by record in its own order.

    trained : stretches that the model was trained on.   notes : name -> text, for the header.
    controls : what stands beside each ratio.   on_scored : called with every record and its effects.
    on_progress : called with the fraction done and the symbols read.
    Raises InputError for what `read_variants` refuses, and where no record lies on a contig of the genome.
    """
    result = AnnotationResult()
    fields = info_fields(settings)
    names = [each.name for each in fields]
    notes = {
        "version": __version__,
        **notes,
        **controls.notes,
        "window": str(settings.window),
        "trained_contigs": ",".join(trained.names()),
    }
    with read_variants(vcf) as text:
        check_contigs(text, genome.length_of, str(genome.path))
        progress = GroupProgress(on_progress, lambda: text.fraction_read)
        with write_vcf(output, annotated_header(text.header, fields, notes, genome.length_of)) as out:

            def score(alleles: Alleles) -> Effects:
                progress.group()
                found = effects_of(model, genome, alleles, settings, seams=result.seams, on_progress=progress.show)
                return controls.beside(found, genome, alleles, settings.window)

            size = group_size(model.settings)
            for each in scored(text.records, genome, trained, score, result.tally, at_once=size):
                record = each.record
                if on_scored:
                    on_scored(each)
                line = with_info(record.line, info_values(each), names)
                out.write_record(line, record.contig, record.position, len(record.reference))
            if result.tally.records and not result.tally.any_contig_known:
                raise InputError(nothing_shared(result.tally.foreign, text, genome.length_of, str(genome.path)))
        result.unsorted = out.unsorted
    return result

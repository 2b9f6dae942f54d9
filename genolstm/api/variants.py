"""What changes of single bases do for a model."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genolstm.api.found import as_found
from genolstm.api.models import Model
from genolstm.api.records import Column, Result, made_by, read_provenance
from genolstm.errors import InputError, UsageError
from genolstm.explaining.labels import LabelResult, judge_labels, labels_from
from genolstm.readers.region_text import parse_region
from genolstm.regions import Part, Region, Stretches, stretches_of
from genolstm.seen import seen_in
from genolstm.settings.reading import VariantSettings
from genolstm.store.files import refuse_existing
from genolstm.store.genome import Genome
from genolstm.store.variants import LETTERS, open_variants, write_variants
from genolstm.variants.all_snvs import score_all_snvs
from genolstm.variants.annotated import annotate
from genolstm.variants.controls import controls_of
from genolstm.variants.records import Scored
from genolstm.writers.text_file import text_file


@dataclass(frozen=True, kw_only=True, eq=False)
class Snvs(Result):
    """Every single-base change of some stretches.

    Attributes
    ----------
    stretches
        Whose bases were changed.
    reference
        Codes of the genome's own bases, uint8 [bases], stretch after stretch: 0 A, 1 C, 2 G, 3 T, 4 N.
    log_ratio
        log2 P(changed) - log2 P(as it is) in bits, float64 [bases, strands, letters]; NaN for the genome's own base.
    shift
        Distance of hidden states, float32 [bases, strands, letters].
    content
        The bytes of the file.
    """

    stretches: Stretches
    reference: NDArray[np.uint8]
    log_ratio: NDArray[np.float64]
    shift: NDArray[np.float32]
    content: bytes

    def table(self) -> dict[str, Column]:
        """Every change.

        Returns
        -------
        dict of str to list
            Columns ``contig, position, reference, alternative, log_ratio, shift``, means of both strands, a row a
            change; position is 0-based. Ready for ``pandas.DataFrame``.
        """
        ratio, shift = self.log_ratio.mean(axis=1), self.shift.mean(axis=1)
        base, letter = np.nonzero(np.isfinite(ratio))
        spans = self.stretches.end - self.stretches.start
        contig = np.repeat(self.stretches.contig, spans)
        position = np.arange(len(contig)) + np.repeat(self.stretches.start - (np.cumsum(spans) - spans), spans)
        return {
            "contig": [self.stretches.contigs[index] for index in contig[base].tolist()],
            "position": position[base],
            "reference": [LETTERS[code] for code in self.reference[base].tolist()],
            "alternative": [LETTERS[code] for code in letter.tolist()],
            "log_ratio": ratio[base, letter],
            "shift": shift[base, letter],
        }

    def _write(self, path: Path) -> None:
        path.write_bytes(self.content)


def read_snvs(path: Path) -> Snvs:
    """Read a file of changes."""
    provenance, records = read_provenance(path)
    with open_variants(path) as file:
        bases = file.stretches.bases
        return Snvs(
            provenance=provenance, records=records, stretches=file.stretches, reference=file.reference(0, bases),
            log_ratio=file.ratio(0, bases), shift=file.shift(0, bases), content=path.read_bytes(),
        )  # fmt: skip


@as_found()
def all_snvs(model: Model, genome: Genome, region: str | None = None, **settings: Any) -> Snvs:  # noqa: ANN401
    """Log-likelihood ratio and state shift of every single-base change of a region.

    Parameters
    ----------
    model
        Of DNA.
    genome
        To be changed.
    region
        As samtools writes it, counted from 1 with both ends in it: ``"III:1-1,000"``, or ``"III"``; without, all of the
        genome.
    **settings
        Any field of ``genolstm.settings.reading.VariantSettings``: ``window=32``.

    Returns
    -------
    Snvs
        The same numbers as of a VCF that holds all of these changes.

    Raises
    ------
    InputError
        The genome holds proteins or has no such contig, or a setting is not known.
    UsageError
        The region is none, or ends past its contig.

    Examples
    --------
    >>> model, genome = gl.load("model.h5"), gl.open_genome("small.h5")
    >>> changes = gl.all_snvs(model, genome, "chrC:1-20")
    >>> changes.log_ratio.shape, len(changes.table()["position"])
    ((20, 2, 4), 60)
    """
    chosen = VariantSettings.from_json(settings, where="all_snvs").suited(model.device.type, settings)
    model.check_reads(genome)
    if genome.alphabet.complement is None:
        raise InputError(f"{genome.path} holds proteins, and variants are changes of DNA; give a genome.")
    regions = [parse_region(region, genome.length_of)] if region is not None else [
        Region(contig=name, start=0, end=length) for name, length in genome.length_of.items()
    ]  # fmt: skip
    stretches = stretches_of(regions, genome.names)
    seen = seen_in(model.checkpoint, genome)
    trained = seen.split.of(Part.TRAIN)
    inputs = {"model": model.sha256, "genome": genome.sha256}
    came = made_by("all_snvs", {**chosen.to_json(), "regions": [region or ""]}, inputs, device=model.device)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "snvs.h5"
        network = model.evaluated()
        controls = controls_of(network, genome, seen, chosen)
        with write_variants(path, genome, stretches, trained, chosen, came, notes=controls.notes) as file:
            found = score_all_snvs(network, genome, stretches, chosen, file, trained=trained, controls=controls)
            file.finish(found.seams.to_json(), found.tally.alleles)
        return read_snvs(path)


@dataclass(frozen=True, kw_only=True, eq=False)
class Variants:
    """What each alternative of a VCF changes.

    Attributes
    ----------
    columns
        A row an alternative that was scored.
    labels
        How well the ratios tell labelled changes from others, beside each control; None where no label was asked for.
    skipped
        Reason to number of alternatives that were not scored.
    content
        The VCF with its INFO fields, as text.
    """

    columns: dict[str, Column]
    labels: LabelResult | None
    skipped: dict[str, int]
    content: bytes

    def table(self) -> dict[str, Column]:
        """Every alternative that was scored.

        Returns
        -------
        dict of str to list
            Columns ``contig, position, reference, alternative, log_ratio, shift, markov, percentile, seen``: means of
            both strands, positions 0-based, None where there is no value. Ready for ``pandas.DataFrame``.
        """
        return self.columns

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the VCF.

        Parameters
        ----------
        path
            File ending in ``.vcf``; the command writes ``.vcf.gz`` and ``.bcf`` too.
        force
            Replace a file that exists.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        UsageError
            The file exists, cannot be written, or ends otherwise.
        """
        target = Path(path)
        if target.suffix != ".vcf":
            raise UsageError(f"output {target} must end with .vcf; name it so.")
        refuse_existing(target, force=force)
        with text_file(target) as out:
            out.write(self.content)
        return target


@as_found()
def score_variants(
    model: Model,
    genome: Genome,
    vcf: str | Path,
    *,
    labels: str | None = None,
    block_bp: int = 100_000,
    **settings: Any,  # noqa: ANN401
) -> Variants:
    """Log-likelihood ratio and state shift of every variant of a VCF.

    Parameters
    ----------
    model
        Of DNA.
    genome
        That REF was taken from.
    vcf
        VCF or BCF.
    labels
        INFO field, or column ID, QUAL or FILTER, that says which variants are positives: a flag, 1 and 0, or
        ``"FIELD=VALUE"``.
    block_bp
        Window of genome that is resampled together, for `labels`.
    **settings
        Any field of ``genolstm.settings.reading.VariantSettings``: ``window=32``.

    Returns
    -------
    Variants
        The same numbers as ``genolstm variants`` writes.

    Raises
    ------
    InputError
        The VCF cannot be read or is of another genome, the genome holds proteins, labels are too few or none, or a
        setting is not known.
    UsageError
        Labels are asked for without the Markov model.

    Examples
    --------
    >>> model, genome = gl.load("model.h5"), gl.open_genome("small.h5")
    >>> found = gl.score_variants(model, genome, "small.vcf")
    >>> found.table()["position"], found.labels
    ([20], None)
    """
    chosen = VariantSettings.from_json(settings, where="score_variants")
    model.check_reads(genome)
    if genome.alphabet.complement is None:
        raise InputError(f"{genome.path} holds proteins, and variants are changes of DNA; give a genome.")
    if labels and not chosen.markov:
        raise UsageError("labels hold the model against the Markov model: leave markov=False out.")
    labelled = labels_from(labels) if labels else None
    seen = seen_in(model.checkpoint, genome)
    network = model.evaluated()
    controls = controls_of(network, genome, seen, chosen)
    rows: list[tuple[Any, ...]] = []

    def take(each: Scored) -> None:
        record = each.record
        rows.extend(
            (
                record.contig, record.position, record.reference, alternative, sum(effect.log_ratio) / 2,
                sum(effect.shift) / 2, sum(effect.markov) / 2 if effect.markov else None, effect.percentile, each.seen,
            )
            for alternative, effect in zip(record.alternatives, each.effects, strict=True)
            if effect
        )  # fmt: skip
        if labelled:
            labelled.take(each)

    notes = {"model_sha256": model.sha256, "genome_sha256": genome.sha256}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "scored.vcf"
        outcome = annotate(
            Path(vcf), path, network, genome, chosen,
            trained=seen.split.of(Part.TRAIN), notes=notes, controls=controls, on_scored=take,
        )  # fmt: skip
        content = path.read_bytes()
    names = ("contig", "position", "reference", "alternative", "log_ratio", "shift", "markov", "percentile", "seen")
    return Variants(
        columns={name: [row[at] for row in rows] for at, name in enumerate(names)},
        labels=judge_labels(labelled, genome, block_bp=block_bp, seed=chosen.seed) if labelled else None,
        skipped=dict(outcome.tally.alleles.skipped), content=content,
    )  # fmt: skip

"""``probe sites``: any labelled points or windows of a genome, of two classes, of several, or with a value each."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from genolstm.errors import InputError, UsageError
from genolstm.probes.controls import (
    around_sites,
    composition,
    control_labels,
    kmer_counts,
    one_hot,
    shared_with_training,
)
from genolstm.probes.labelled_rows import LabelledRows, rows_of_file, rows_of_signal, that_can_be_read
from genolstm.probes.matched_negatives import points_like, windows_like
from genolstm.probes.natural_ratio import LONGEST, NaturalRatio, kmers_of_positives, shared_kmer
from genolstm.probes.run import run_tasks
from genolstm.probes.site_truth import SiteTruth, truth_of
from genolstm.probes.splits import check_named_parts, probe_split
from genolstm.probes.state_sources import StateSource, point_states, window_states
from genolstm.probes.task import BINARY, CONTROL_TASK, Features, Log, MatchedRows, ProbeTarget, ProbeTask, Truth
from genolstm.probes.tasks.accessibility import MATCHED
from genolstm.probes.window_controls import OwnSequence, shifted
from genolstm.readers.bigwig_signal import is_bigwig
from genolstm.readers.labelled_sites import LabelledSites, WindowMeans, mean_over_windows, read_labelled_sites
from genolstm.regions import Part, Sites, Stretches, block_length, block_numbers
from genolstm.seeds import spawn
from genolstm.settings.model import AlphabetName
from genolstm.settings.probe import States
from genolstm.settings.site_reading import merged_reading
from genolstm.settings.sites import DEFAULT_GRID, LabelColumn, LabelKind, SitesSettings
from genolstm.states.windows import Windows, pools_of
from genolstm.store.checkpoint import Checkpoint
from genolstm.store.files import Records
from genolstm.store.genome import Genome
from genolstm.store.results import ProbeResult
from genolstm.stream.reader import GenomeReader

LABELS, VALUES = "labels", "values"  # the target, of classes and of values
MATCHED_NEGATIVES = "matched"  # how drawn negatives are asked for, where a file of some could be named
POSITIVE, NEGATIVE = "positive", "negative"  # classes where negatives are not of the file


@dataclass(frozen=True, kw_only=True)
class Labels:
    """What is known of the places of a genome. found : labelled sites of a file, or the means of a signal.

    source : what messages call the file.   negatives : further sites, none of which is a positive.   matched : draw
    negatives that are like the positives.
    """

    source: str
    found: LabelledSites | WindowMeans
    negatives: LabelledSites | None = None
    matched: bool = False

    @property
    def names_parts(self) -> bool:
        """Whether the file says which part each site is for."""
        return isinstance(self.found, LabelledSites) and self.found.names_parts

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was left out of the files, one sentence each."""
        return (*self.found.warnings, *(self.negatives.warnings if self.negatives else ()))


def read_labels(
    path: Path, genome: Genome, settings: SitesSettings, *, negatives: Path | None = None, matched: bool = False
) -> Labels:
    """Labels of a BED file, a table or a bigWig. negatives : file of sites that are none of the positives.

    Raises InputError as `readers.labelled_sites`.
    """
    lengths, genome_name = genome.length_of, str(genome.path)
    if is_bigwig(path):
        width = settings.window or DEFAULT_GRID
        means = mean_over_windows(path, lengths, width, genome_name=genome_name)
        return Labels(source=str(path), found=means, matched=matched)
    by_score = settings.label is LabelColumn.SCORE
    found = read_labelled_sites(path, lengths, by_score=by_score, genome_name=genome_name)
    others = read_labelled_sites(negatives, lengths, genome_name=genome_name) if negatives else None
    return Labels(source=str(path), found=found, negatives=others, matched=matched)


def probe_sites(
    checkpoint: Checkpoint,
    reader: GenomeReader,
    labels: Labels,
    settings: SitesSettings,
    *,
    model_name: str,
    log: Log,
) -> tuple[dict[str, ProbeResult], Records]:
    """Result of labelled sites, and what became of the rows of their file.

    reader : with the trained model; of several processes only the main one gets results.   log : called with a
    sentence as each step is done.
    Raises InputError when test sites were trained on, labels are of one class or contradict each other, or a part
    lacks a class.
    """
    if checkpoint.model.alphabet is not AlphabetName.DNA:
        raise InputError(f"{model_name} reads {checkpoint.model.alphabet}; sites lie on a genome: give a DNA model.")
    genome = reader.genome
    every = rows_of(labels, genome, settings, log)
    rows, split = _in_parts(every, labels, checkpoint, genome, settings, model_name)
    reach = merged_reading(settings.readings).reach if rows.width == 1 else 0
    readable = rows = that_can_be_read(rows.once(genome.names), genome, reach)
    rows = rows.at_most(settings.max_sites, spawn(settings.seed, "sites"))
    definition: dict[str, Any] = {}
    if labels.matched:
        rows, definition = _with_matched(rows, every, genome, split, settings, reach, log)
    if not rows.of_file.any():
        why = "; ".join(f"{count:,} {reason}" for reason, count in rows.skipped.items())
        raise InputError(f"no site of {labels.source} can be used ({why}); name contigs that hold some.")
    kind = LabelKind.VALUES if isinstance(labels.found, WindowMeans) else settings.labels_as
    positive = settings.positive
    if labels.matched or labels.negatives:
        positive = next(str(label) for label in rows.label[rows.of_file] if label != NEGATIVE)
    truth = truth_of(rows.label.tolist(), kind, positive, labels.source)
    truth.require_parts(rows.part, labels.source)
    definition |= hygiene(rows, truth, settings, log)
    natural = None
    if rows.width == 1 and truth.type is BINARY and split is not None:
        natural = _natural_ratio(genome, readable, rows, truth, split, labels, settings, log)
    if rows.width == 1:
        task, source = of_points(genome, rows, truth, split, settings, definition, natural)
    else:
        task, source = of_windows(genome, rows, truth, split, settings, definition)
    results = run_tasks([task], source, reader, settings, log)
    return results, Records(read=rows.read, used=int(rows.of_file.sum()), skipped=dict(rows.skipped))


def rows_of(labels: Labels, genome: Genome, settings: SitesSettings, log: Log) -> LabelledRows:
    """Rows of the file, those of a file of negatives beside them."""
    found = labels.found
    if isinstance(found, WindowMeans):
        if labels.matched or labels.negatives:
            raise UsageError(f"--negatives go with sites that are positive, and {labels.source} gives values.")
        return rows_of_signal(found, genome, settings.window or DEFAULT_GRID, labels.source)
    if labels.matched or labels.negatives:
        found = _positives(found, log)
    rows = rows_of_file(found, genome, settings.window)
    if labels.negatives is None:
        return rows
    negatives = rows_of_file(
        replace(labels.negatives, label=(NEGATIVE,) * len(labels.negatives)), genome, settings.window
    )
    if negatives.width != rows.width:
        raise InputError(
            f"the sites of {labels.source} have {rows.width} bp and those of {labels.negatives.source}"
            f" {negatives.width}; give both one length, or add --window."
        )
    return rows.beside(negatives)


def _positives(found: LabelledSites, log: Log) -> LabelledSites:
    """Sites that are all positive, under one label: that of all of them, or their names in a BED file say nothing."""
    names = sorted(set(found.label))
    if len(names) == 1:
        return found
    if found.labels_named:
        raise InputError(
            f"--negatives go with positives alone, and {found.source} has several labels ({', '.join(names[:4])});"
            " leave one, or leave --negatives out."
        )
    log(f"all {len(found):,} sites of {found.source} are positives; their names are passed over")
    return replace(found, label=(POSITIVE,) * len(found))


def _in_parts(
    rows: LabelledRows, labels: Labels, checkpoint: Checkpoint, genome: Genome, settings: SitesSettings,
    model_name: str,
) -> tuple[LabelledRows, Stretches | None]:  # fmt: skip
    """Rows with the part that each is for, by the file where it says so, and the split; None of parts by the file."""
    if not labels.names_parts:
        split = probe_split(checkpoint, genome, settings, model_name, valid_contigs=settings.valid_contigs)
        return rows.in_parts_of(split), split
    if settings.train_contigs or settings.valid_contigs or settings.test_contigs:
        raise UsageError(f"{labels.source} names the part of each site; leave --train-contigs and the like out.")
    if labels.matched or labels.negatives:
        raise UsageError(f"--negatives follow a split, and {labels.source} names parts; leave its column 'part' out.")
    end = rows.start + rows.width
    check_named_parts(
        checkpoint, genome, rows.contig.astype(np.int32), rows.start, end, rows.part, source=labels.source,
        model_name=model_name,
    )  # fmt: skip
    return rows, None


def _with_matched(
    rows: LabelledRows, every: LabelledRows, genome: Genome, split: Stretches | None, settings: SitesSettings,
    reach: int, log: Log,
) -> tuple[LabelledRows, dict[str, Any]]:  # fmt: skip
    """Rows with drawn negatives beside them, and how they were drawn. every : positives to keep clear of."""
    if split is None or not len(rows):
        return rows, {}
    rng = spawn(settings.seed, "matched negatives")
    if rows.width == 1:
        contig, start, strand = points_like(
            rows.sites(genome.names), every.starts_of, genome, split, settings, reach, rng
        )
        like = f"the {settings.match_kmer}-mer at the site and the GC around it"
    else:
        contig, start = windows_like(
            rows.contig, rows.start, rows.part, rows.width, every.starts_of, genome, split, settings, rng
        )
        strand, like = np.zeros(len(start), dtype=np.int8), "the GC of the window"
    drawn, asked = len(start), settings.ratio * len(rows)
    log(
        f"{drawn:,} negatives drawn for {len(rows):,} positives ({drawn / len(rows):.2f} each, {settings.ratio} asked"
        f" for), on the same contigs, matched by {like}, at least {settings.margin} bp from every positive"
    )
    if not drawn:
        raise InputError(f"no place of the genome is like a positive of {rows.source}; lower --margin or --match-kmer.")
    definition = {
        "negatives": f"matched by {like}", "negatives_asked": asked, "negatives_drawn": drawn,
        "margin_bp": settings.margin,
    }  # fmt: skip
    more = replace(
        rows, contig=contig, start=start, strand=strand, label=np.full(drawn, NEGATIVE),
        part=split.part_at(contig.astype(np.int32), start), of_file=np.zeros(drawn, dtype=np.bool_),
    )  # fmt: skip
    return rows.beside(more).once(genome.names), definition


def _natural_ratio(
    genome: Genome, readable: LabelledRows, rows: LabelledRows, truth: SiteTruth, split: Stretches, labels: Labels,
    settings: SitesSettings, log: Log,
) -> NaturalRatio | None:  # fmt: skip
    """Fraction of the test part's candidates that are positives, or None where nothing says what a candidate is.

    Candidates share the k-mer at the site: that by which negatives were drawn, else the one that all sites have.
    readable : sites of the file, also those beyond --max-sites.
    """
    if labels.matched:
        first, length = -(settings.match_kmer // 2), settings.match_kmer
    else:
        codes = around_sites(genome, rows.sites(genome.names), LONGEST)
        if (shared := shared_kmer(codes, genome.alphabet.n_known)) is None:
            return None
        first, length = shared
    positive = readable.kept(readable.label == truth.classes[1], "").sites(genome.names)
    kind = kmers_of_positives(genome, positive, first, length)
    test = split.of(Part.TEST)
    candidates = kind.places_in(genome, test.only(np.isin(test.contig, np.unique(positive.contig))))
    true = int((positive.part == Part.TEST).sum())
    ratio = NaturalRatio(true / max(candidates, true), kind.described())
    log(f"{true:,} of {candidates:,} places of the test part {ratio.what} are positives ({ratio.prevalence:.2g})")
    return ratio


def hygiene(rows: LabelledRows, truth: SiteTruth, settings: SitesSettings, log: Log) -> dict[str, Any]:
    """What is odd about labels and places, logged, and as it stands in the file."""
    counts = truth.counts(rows.part)
    what = "points" if rows.width == 1 else f"windows of {rows.width} bp"
    parts = "; ".join(
        f"{part} " + ", ".join(f"{count:,} {name}" for name, count in each.items()) for part, each in counts.items()
    )
    log(f"{len(rows):,} {what} with {'labels' if truth.classes else 'values'}: {parts}")
    if truth.type is BINARY:
        log(f"'{truth.classes[1]}' is to be found among '{truth.classes[0]}'")
    if again := rows.skipped.get("the same site again", 0):
        log(f"{again:,} rows name a site again; each is used once")
    flank = settings.flank if rows.width == 1 else 0
    if overlaps := rows.overlapping_parts(flank):
        log(f"{overlaps:,} test sites overlap sites of training or validation: their scores are not held out")
    definition: dict[str, Any] = {
        "sites": what, "counts": counts, "repeated_rows": again, "test_sites_that_overlap_other_parts": overlaps,
    }  # fmt: skip
    if truth.classes:
        total = [sum(each[name] for each in counts.values()) for name in truth.classes]
        definition |= {"classes": list(truth.classes), "largest_to_smallest_class": max(total) / min(total)}
    return definition


def _tested_bases(rows: LabelledRows, split: Stretches | None) -> int:
    """Bases that the test part has; where the file names parts, those between its first and last test site."""
    if split is not None:
        return split.of(Part.TEST).bases
    test = rows.part == Part.TEST
    starts = [rows.start[test & (rows.contig == contig)] for contig in np.unique(rows.contig[test])]
    return sum(int(each.max() - each.min()) + rows.width for each in starts)


def _sites(rows: LabelledRows, truth: SiteTruth, contigs: tuple[str, ...], block_bp: int) -> Sites:
    label = truth.truth.astype(np.int8) if truth.classes else np.zeros(len(rows), dtype=np.int8)
    block = np.unique(block_numbers(rows.contig, rows.start, block_bp), return_inverse=True)[1].astype(np.int64)
    return replace(rows.sites(contigs), label=label, block=block)


def of_points(
    genome: Genome, rows: LabelledRows, truth: SiteTruth, split: Stretches | None, settings: SitesSettings,
    definition: dict[str, Any], natural: NaturalRatio | None,
) -> tuple[ProbeTask, StateSource]:  # fmt: skip
    """What is asked at points, with controls of the sequence around them; and what reads their states."""
    sites = _sites(rows, truth, genome.names, block_length(settings.block_bp, _tested_bases(rows, split)))
    codes, n_known = around_sites(genome, sites, settings.flank), genome.alphabet.n_known
    train, test = sites.part == Part.TRAIN, sites.part == Part.TEST

    def controls() -> Iterator[tuple[str, Features]]:
        yield "onehot", one_hot(codes, n_known)
        yield "kmer", kmer_counts(codes, settings.kmer, n_known)
        yield "composition", composition(codes, n_known)

    drawn: dict[str, Truth] = {}
    if truth.type is BINARY:
        fraction = float(sites.label[train].mean())
        drawn[CONTROL_TASK] = control_labels(codes, fraction, n_known, spawn(settings.seed, "control task"))
    target = ProbeTarget(
        name=LABELS if truth.classes else VALUES, type=truth.type, truth=truth.truth, label_controls=drawn,
        **(natural.of_target() if natural else {}),
    )  # fmt: skip
    task = ProbeTask(
        sites=sites, targets=(target,), readings=settings.readings, components=settings.components, nn=settings.nn,
        controls=controls, definition=definition,
        homology=lambda: shared_with_training(codes, train, test, n_known),
    )  # fmt: skip
    reading = merged_reading(settings.readings)
    return task, point_states([sites], reading, memories=settings.states is States.BOTH)


def of_windows(
    genome: Genome, rows: LabelledRows, truth: SiteTruth, split: Stretches | None, settings: SitesSettings,
    definition: dict[str, Any],
) -> tuple[ProbeTask, StateSource]:  # fmt: skip
    """What is asked of windows, with controls of their own sequence; and what reads their states."""
    del split  # the blocks of windows follow the windows that are tested
    windows = Windows(rows.contig, rows.start, rows.width)
    tested = int((rows.part == Part.TEST).sum())
    block_bp = block_length(settings.block_bp, tested * rows.width, least=rows.width)
    sequence = OwnSequence(genome, windows, rows.part, settings)
    order = shifted(rows.contig, rows.part, spawn(settings.seed, "shifted labels"))
    two = truth.type is BINARY
    target = ProbeTarget(
        name=LABELS if truth.classes else VALUES, type=truth.type, truth=truth.truth,
        label_controls={"shifted": truth.truth[order]},
        matched=MatchedRows(MATCHED, "windows of the same GC", sequence.of_same_gc) if two else None,
    )  # fmt: skip
    task = ProbeTask(
        sites=_sites(rows, truth, genome.names, block_bp), targets=(target,), controls=sequence.features,
        homology=sequence.homology,
        pooling=pools_of(ends=settings.ends), width=rows.width, nn=settings.nn,
        definition={**definition, "block_bp": block_bp},
    )  # fmt: skip
    return task, window_states(windows, memories=settings.states is States.BOTH, ends=settings.ends)

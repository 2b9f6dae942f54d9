"""``probe sites --windows``: labelled windows of a FASTA, each read from its own start, without a genome."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genolstm.alphabet import DNA, Codes
from genolstm.errors import InputError, UsageError
from genolstm.probes.controls import kmer_counts, one_hot
from genolstm.probes.labelled_rows import LabelledRows, that_can_be_read
from genolstm.probes.protein_sources import genome_of_fasta
from genolstm.probes.record_states import record_states
from genolstm.probes.run import run_tasks
from genolstm.probes.site_truth import truth_of
from genolstm.probes.task import Features, Log, ProbeTask
from genolstm.probes.tasks.sites import MATCHED_NEGATIVES, hygiene, of_windows, probe_sites, read_labels
from genolstm.probes.window_clusters import clusters_of_windows, drawn_parts, near_other_parts
from genolstm.probes.window_controls import gc_features, one_hot_bins, window_codes
from genolstm.readers.labelled_windows import WindowLabel, names_parts, read_window_labels
from genolstm.regions import Part
from genolstm.seeds import spawn
from genolstm.seen import fraction_trained_on
from genolstm.settings.model import AlphabetName
from genolstm.settings.probe import SHORTEST_WINDOW, States, parse_kmers
from genolstm.settings.sites import SitesSettings
from genolstm.states.windows import Windows
from genolstm.store.checkpoint import Checkpoint, check_alphabet
from genolstm.store.files import Records
from genolstm.store.genome import Genome, open_genome
from genolstm.store.results import ProbeResult
from genolstm.stream.reader import GenomeReader

READ = "each record from its own start, forward and as its reverse complement"
MOST_ONE_HOT = 1024  # bp of windows that have a column for each base and place: as many columns as 6-mers
TRAINED_ON = 0.5  # of the 31-mers of test windows: from here on a model has met most of them
WORTH_TELLING = 0.01


@dataclass(frozen=True, kw_only=True)
class LabelledRecords:
    """Windows of a FASTA and what is known of them. genome : the records as contigs.   label : by name."""

    genome: Genome
    label: Mapping[str, WindowLabel]


@dataclass(frozen=True, kw_only=True)
class LabelledSource:
    """What is probed: sites of a genome, or windows of a FASTA, which are then the genome.

    probe : checkpoint, reader, settings=, model_name=, log= -> results and records.   notes : sentences for the log.
    names_parts : whether the file says which part each site is for.
    """

    genome: Genome
    probe: Callable[..., tuple[dict[str, ProbeResult], Records]]
    notes: tuple[str, ...] = ()
    names_parts: bool = False


def check_sources(
    settings: SitesSettings,
    *,
    genome: object,
    sites: object,
    negatives: object,
    windows: Path | None,
    labels: Path | None,
) -> None:
    """Refuse a mixture of sites and windows, and neither complete. Raises UsageError."""
    if windows is None:
        if labels is not None:
            raise UsageError("--labels name the windows of --windows; sites have labels in their own file.")
        if genome is None or sites is None:
            raise UsageError("give --genome and --sites, or --windows with labels.")
        return
    if genome is not None or sites is not None or negatives is not None:
        raise UsageError("--windows stand alone; leave --genome, --sites and --negatives out.")
    if settings.train_contigs or settings.valid_contigs or settings.test_contigs or settings.window:
        raise UsageError(
            "windows of a FASTA have neither contigs nor a middle; leave --train-contigs and the like and --window out,"
            " and name parts as 'part=test' in headers or in the column 'part' of --labels."
        )
    if any(each is not None and not each.is_file() and each.exists() for each in (windows, labels)) or "-" in map(
        str, (windows, labels)
    ):
        raise UsageError("--windows and --labels are read more than once; give files, not streams.")


def labelled_source(
    checkpoint: Checkpoint,
    model_name: str,
    settings: SitesSettings,
    *,
    genome: Path | Genome | None,
    sites: Path | None,
    negatives: str | Path | None,
    windows: Path | None,
    labels: Path | None,
) -> LabelledSource:
    """What is probed, from files that `check_sources` has passed. Raises InputError as their readers."""
    if windows is not None:
        records = read_labelled_records(windows, labels, checkpoint, model_name)
        return LabelledSource(genome=records.genome, probe=partial(probe_windows, records=records))
    assert genome is not None
    assert sites is not None
    opened = genome if isinstance(genome, Genome) else open_genome(genome)
    check_alphabet(checkpoint, Path(model_name), opened)
    beside = Path(negatives) if negatives is not None and negatives != MATCHED_NEGATIVES else None
    found = read_labels(sites, opened, settings, negatives=beside, matched=negatives == MATCHED_NEGATIVES)
    return LabelledSource(
        genome=opened, probe=partial(probe_sites, labels=found), notes=found.warnings, names_parts=found.names_parts
    )


def read_labelled_records(fasta: Path, labels: Path | None, model: Checkpoint, model_name: str) -> LabelledRecords:
    """Windows of a FASTA with labels in its headers, or in a table.

    Raises InputError as `readers.labelled_windows` and `readers.fasta`, and for a model that does not read DNA.
    """
    if model.model.alphabet is not AlphabetName.DNA:
        raise InputError(f"{model_name} reads {model.model.alphabet}; --windows are of DNA: give a DNA model.")
    label = read_window_labels(fasta, labels, model_name)
    return LabelledRecords(genome=genome_of_fasta(fasta, DNA)[0], label=label)


def probe_windows(
    checkpoint: Checkpoint,
    reader: GenomeReader,
    *,
    records: LabelledRecords,
    settings: SitesSettings,
    model_name: str,
    log: Log,
) -> tuple[dict[str, ProbeResult], Records]:
    """Result of labelled windows, and what became of the records.

    reader : with the trained model and the records as its genome.   log : called with a sentence as each step is done.
    Raises InputError when windows differ in length, labels are of one class or contradict each other, a part lacks a
    class, or the model was trained on the test windows.
    """
    genome, source = records.genome, str(records.genome.path)
    rows = _once(that_can_be_read(_rows(records), genome, 0), genome)
    if not len(rows):
        why = "; ".join(f"{count:,} {reason}" for reason, count in rows.skipped.items())
        raise InputError(f"no window of {source} can be used ({why}); give windows of A, C, G and T with labels.")
    kept, definition, cluster = _in_parts(rows, records, settings, log)
    rows = kept.at_most(settings.max_sites, spawn(settings.seed, "sites"))
    cluster = cluster[np.isin(kept.contig, rows.contig)]
    truth = truth_of(rows.label.tolist(), settings.labels_as, settings.positive, source, may_draw=False)
    truth.require_parts(rows.part, source, "give more windows, or name their parts otherwise")
    definition |= hygiene(rows, truth, settings, log) | _met_in_training(checkpoint, rows, genome, model_name, log)
    task, _ = of_windows(genome, rows, truth, None, settings, definition)
    codes = window_codes(genome, Windows(rows.contig, rows.start, rows.width))
    task = _of_records(task, codes, cluster, settings)
    states = record_states(list(codes), memories=settings.states is States.BOTH, ends=settings.ends)
    results = run_tasks([task], states, reader, settings, log)
    return results, Records(read=rows.read, used=len(rows), skipped=dict(rows.skipped))


def _rows(records: LabelledRecords) -> LabelledRows:
    """Windows that have a label and a part, or all have none. Raises InputError for windows of several lengths."""
    genome, source = records.genome, str(records.genome.path)
    lengths = genome.lengths
    if (lengths != lengths[0]).any():
        raise InputError(
            f"{source} holds records of {int(lengths.min()):,} to {int(lengths.max()):,} bp; give windows of one"
            " length."
        )
    width = int(lengths[0])
    if width < SHORTEST_WINDOW:
        raise InputError(
            f"{source} holds windows of {width} bp, which hold no 31-mer; give windows of {SHORTEST_WINDOW} bp or more."
        )
    there = [records.label.get(name) for name in genome.names]
    n, label = len(there), np.array([each.label if each else "" for each in there], dtype=np.str_)
    rows = LabelledRows(
        source=source, width=width, contig=np.arange(n), start=np.zeros(n, dtype=np.int64),
        strand=np.zeros(n, dtype=np.int8), label=label,
        part=np.array([-1 if each is None or each.part is None else each.part for each in there], dtype=np.int8),
        read=n, skipped={},
    )  # fmt: skip
    rows = rows.kept(np.array([each is not None for each in there]), "without a label")
    if not names_parts(records.label):
        return rows
    return rows.kept(rows.part >= 0, "without a part")


def _once(rows: LabelledRows, genome: Genome) -> LabelledRows:
    """Each sequence once, a test window before others. Raises InputError where one sequence has two labels."""
    first: dict[bytes, int] = {}
    again = np.zeros(len(rows), dtype=np.bool_)
    for row in np.argsort(-rows.part, kind="stable").tolist():
        start = int(genome.starts[rows.contig[row]])
        same = first.setdefault(genome.all_codes[start : start + rows.width].tobytes(), row)
        again[row] = same != row
        if rows.label[same] != rows.label[row]:
            one, other = (genome.names[int(rows.contig[each])] for each in sorted((same, row)))
            raise InputError(
                f"{rows.source}: '{one}' and '{other}' are the same sequence with two labels"
                f" ('{rows.label[min(same, row)]}' and '{rows.label[max(same, row)]}'); keep one label for it."
            )
    return rows.kept(~again, "the same sequence again")


def _in_parts(
    rows: LabelledRows, records: LabelledRecords, settings: SitesSettings, log: Log
) -> tuple[LabelledRows, dict[str, Any], NDArray[np.int64]]:
    """Rows in parts that share no 31-mer, how they were made, and the cluster of each row."""
    codes = window_codes(records.genome, Windows(rows.contig, rows.start, rows.width))
    cluster = clusters_of_windows(codes, DNA.n_known)
    sizes = np.bincount(cluster, minlength=1)
    told = (
        f"{len(rows):,} windows in {len(sizes):,} clusters that share a 31-mer; the largest holds {int(sizes.max()):,}"
    )
    definition: dict[str, Any] = {"clusters": len(sizes), "largest_cluster": int(sizes.max())}
    if not names_parts(records.label):
        rng = spawn(settings.seed, "window split")
        rows = replace(rows, part=drawn_parts(cluster, settings.valid_share, settings.test_share, rng))
        definition["parts"] = "whole clusters of windows that share a 31-mer, drawn by the seed"
        log(f"{told}; parts are drawn in whole clusters")
        if missing := [part.name.lower() for part in Part if not (rows.part == part).any()]:
            raise InputError(
                f"no cluster of {rows.source} fits into its {missing[0]} part: {int(sizes.max()):,} of {len(rows):,}"
                " windows overlap each other; give windows apart from each other, or name their parts."
            )
        return rows, definition, cluster
    definition["parts"] = "named by the file; windows of training that share a 31-mer with a test window are left out"
    gone = np.zeros(len(rows), dtype=np.bool_)
    kept = rows
    for part, near in near_other_parts(cluster, rows.part).items():
        kept = kept.kept(
            ~near[~gone], f"sharing a 31-mer with a {'test' if part is Part.TEST else 'validation'} window"
        )
        gone |= near
    log(f"{told}; parts are those of the file, and {int(gone.sum()):,} windows near those of another part are left out")
    return kept, definition, cluster[~gone]


def _met_in_training(
    checkpoint: Checkpoint, rows: LabelledRows, genome: Genome, model_name: str, log: Log
) -> dict[str, Any]:
    """Fraction of the 31-mers of test windows that the model was trained on. Raises InputError where it is most."""
    test = rows.contig[rows.part == Part.TEST]
    codes = window_codes(genome, Windows(test, np.zeros_like(test), rows.width))
    fraction = fraction_trained_on(checkpoint, codes, genome.alphabet)
    if fraction is None:
        log(f"whether {model_name} was trained on the test windows is not known: too few of their 31-mers were sampled")
        return {"test_31mers_trained_on": None}
    if fraction >= TRAINED_ON:
        raise InputError(
            f"{model_name} was trained on about {100 * fraction:.0f} % of the 31-mers of the test windows of"
            f" {rows.source}, so that no score on them is held out; name other windows for test."
        )
    if fraction >= WORTH_TELLING:
        log(f"{model_name} was trained on about {100 * fraction:.0f} % of the 31-mers of the test windows")
    return {"test_31mers_trained_on": fraction}


def _of_records(task: ProbeTask, codes: Codes, cluster: NDArray[np.int64], settings: SitesSettings) -> ProbeTask:
    """The task with what holds of records that stand alone: an orientation, and no neighbours along a contig.

    The bootstrap draws clusters; labels shifted along a contig would be the labels themselves.
    """

    def controls() -> Iterator[tuple[str, Features]]:
        yield "composition", gc_features(codes)
        yield "onehot_bins", one_hot_bins(codes, settings.bin_bp)
        if codes.shape[1] <= MOST_ONE_HOT:
            yield "onehot", one_hot(codes, DNA.n_known)
        for k in parse_kmers(settings.kmers):
            yield f"kmer_{k}", kmer_counts(codes, k, DNA.n_known)

    (target,) = task.targets
    definition = {name: value for name, value in task.definition.items() if name != "block_bp"} | {"read": READ}
    return replace(
        task, sites=replace(task.sites, block=cluster), targets=(replace(target, label_controls={}),),
        controls=controls, definition=definition,
    )  # fmt: skip

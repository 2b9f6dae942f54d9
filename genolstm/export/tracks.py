"""Tracks of a result file as runs of equal value: what bigWig and bedGraph are written from."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import UsageError
from genolstm.methylation.tracks import runs as rate_runs
from genolstm.predicting.written import candidate_runs, drawn_of
from genolstm.regions import STRAND_NAMES, Region
from genolstm.store.gates import GatesFile
from genolstm.store.methylation import FitFile, column_names
from genolstm.store.prediction import PredictedTarget, read_prediction
from genolstm.store.schema import Kind
from genolstm.store.score import PROBABILITIES, ScoreFile
from genolstm.store.tables import Table, TableFile
from genolstm.store.track import open_track, signals
from genolstm.store.variants import LETTERS, RATIO, VariantsFile

Runs = tuple[str, NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]

MEAN = "mean"
FITTED = ("rate", "steady", "half_life")  # of a methylation fit


class TrackSource(NamedTuple):
    """One track. runs : contig names in the order of the genome -> blocks of contig, start, end, value."""

    name: str
    runs: Callable[[list[str]], Iterator[Runs]]


def tracks_of(file: TableFile) -> tuple[TrackSource, ...]:
    """Every track that a result file holds; the first is the one that is meant when none is named."""
    maker = {
        Kind.SCORE: _scores,
        Kind.GATES: _gates,
        Kind.TRACK: _counts,
        Kind.METHYLATION: _fitted,
        Kind.COUNTS: _fractions,
        Kind.VARIANTS: _changes,
        Kind.PREDICTION: _predicted,
    }.get(file.kind)
    if maker is None:
        raise UsageError(f"{file.path} is a {file.kind} file, which has no track along the genome: write .tsv or .bed.")
    return maker(file)


def track_named(file: TableFile, name: str | None) -> TrackSource:
    """Track by name, or the only one. Raises UsageError that lists the names where there are several and none fits."""
    found = tracks_of(file)
    if name is None and (len(found) == 1 or file.kind is Kind.SCORE):
        return found[0]
    fitting = [each for each in found if each.name == name]
    if not fitting:
        problem = "several tracks" if name is None else f"no track '{name}'"
        raise UsageError(f"{file.path} holds {problem}: name one with --table: {', '.join(e.name for e in found)}.")
    return fitting[0]


def clipped(runs: Iterator[Runs], region: Region | None) -> Iterator[Runs]:
    """Only what lies in a region, cut at its ends."""
    for contig, start, end, value in runs:
        if region is None:
            yield contig, start, end, value
        elif contig == region.contig:
            kept = (start < region.end) & (end > region.start)
            yield contig, np.maximum(start[kept], region.start), np.minimum(end[kept], region.end), value[kept]


def known_rows(runs: Iterator[Runs]) -> Iterator[list[NDArray[np.generic] | list[str]]]:
    """Four columns of a bedGraph, block by block, without what is not known."""
    for contig, start, end, value in runs:
        known = ~np.isnan(value)
        yield [[contig] * int(known.sum()), start[known], end[known], value[known]]


def _scores(file: TableFile) -> tuple[TrackSource, ...]:
    score = ScoreFile(file.file, len(file.file["bits"]))
    strands = STRAND_NAMES[: score.strands]
    mean = [TrackSource(f"bits/{MEAN}", lambda _: score.mean_runs())]
    bits = (*mean, *(TrackSource(f"bits/{name}", partial(_of_table, file, None, name)) for name in strands))
    letters = LETTERS if score.probabilities is not None else ""
    return (
        *bits,
        *([TrackSource(f"recall/gain/{MEAN}", lambda _: score.mean_gain_runs())] if score.recall_tracks else ()),
        *(
            TrackSource(f"recall/{track}/{name}", partial(_of_table, file, f"recall/{track}", name))
            for track in score.recall_tracks
            for name in strands
        ),
        *(
            TrackSource(f"{PROBABILITIES}/{letter}", partial(_probability_runs, score, code))
            for code, letter in enumerate(letters)
        ),
    )


def _probability_runs(score: ScoreFile, letter: int, _: list[str]) -> Iterator[Runs]:
    return score.probability_runs(letter)


def _of_table(file: TableFile, table: str | None, name: str, _: list[str]) -> Iterator[Runs]:
    """Runs of one column of a table, the main one where none is named, a base a row."""
    yield from column_runs(file.table(table), name)


def column_runs(table: Table, name: str) -> Iterator[Runs]:
    """Runs of one column of a table of places in genome order."""
    places = table.places
    if places is None:
        raise ValueError(f"{table.name} has no places")
    (column,) = (each for each in table.columns if each.name == name)
    step = 1 << 18
    for first in range(0, table.rows, step):
        stop = min(first + step, table.rows)
        span, values = places.of(first, stop), np.asarray(column.read(first, stop), dtype=np.float32)
        yield from _by_contig(table.contigs, span.contig, span.start, span.end, values)


def _by_contig(
    contigs: tuple[str, ...],
    contig: NDArray[np.int64],
    start: NDArray[np.int64],
    end: NDArray[np.int64],
    values: NDArray[np.float32],
) -> Iterator[Runs]:
    for part in np.split(np.arange(len(contig)), np.flatnonzero(np.diff(contig)) + 1):
        if part.size:
            yield contigs[contig[part[0]]], start[part], end[part], values[part]


def _changes(file: TableFile) -> tuple[TrackSource, ...]:
    changes = VariantsFile(file.file)
    return tuple(TrackSource(f"{RATIO}/{letter}", partial(_change_runs, changes, letter)) for letter in LETTERS)


def _change_runs(changes: VariantsFile, letter: str, _: list[str]) -> Iterator[Runs]:
    return changes.mean_runs(letter)


def _gates(file: TableFile) -> tuple[TrackSource, ...]:
    gates = GatesFile(file.file)
    ways: Mapping[str, int | None] = {MEAN: None, **{name: place for place, name in enumerate(STRAND_NAMES)}}
    used = list(ways.items()) if gates.strands > 1 else [(STRAND_NAMES[0], 0)]
    return tuple(
        TrackSource(
            f"tracks/{name}/layer{layer}/{way}",
            partial(_gate_runs, gates, name, layer, strand),
        )
        for name in gates.names
        for layer in range(gates.layers)
        for way, strand in used
    )


def _gate_runs(gates: GatesFile, name: str, layer: int, strand: int | None, _: list[str]) -> Iterator[Runs]:
    return gates.runs(name, layer, strand)


def _predicted(file: TableFile) -> tuple[TrackSource, ...]:
    """Probability of each class, or the predicted value, of the candidates that the table holds, by strand."""
    found = read_prediction(file.path)
    return tuple(
        TrackSource(
            "/".join(filter(None, (target.name, "" if len(target.classes) < 3 else target.classes[number], name))),
            partial(_candidate_runs, target, number, strand, found.contigs),
        )
        for target in found.targets
        for number, strand, name in drawn_of(target.classes, windows=target.width > 1)
    )


def _candidate_runs(
    target: PredictedTarget, number: int, strand: int, contigs: tuple[str, ...], _: list[str]
) -> Iterator[Runs]:
    return candidate_runs(target, number, strand, contigs)


def _counts(file: TableFile) -> tuple[TrackSource, ...]:
    track = open_track(file.path)
    return (TrackSource("runs", lambda _: signals(track)),)


def _fitted(file: TableFile) -> tuple[TrackSource, ...]:
    fit = FitFile(file.file)
    names = column_names(fit.unit)
    return tuple(TrackSource(f"sites/{names[field]}", partial(rate_runs, fit, field)) for field in FITTED)


def _fractions(file: TableFile) -> tuple[TrackSource, ...]:
    samples = [value.decode() for value in file.file["samples/name"][()]]
    return tuple(
        TrackSource(f"sites/fraction_{name}", partial(_fraction_runs, file, column))
        for column, name in enumerate(samples)
    )


def _fraction_runs(file: TableFile, sample: int, contigs: list[str]) -> Iterator[Runs]:
    """Modified over covered reads of one sample at each site; the next site ends a site of two bases."""
    table = file.table(None)
    places = table.places
    if places is None:
        return
    span = places.of(0, table.rows)
    modified, covered = (file.file[f"sites/{name}"][:, sample] for name in ("modified", "covered"))
    with np.errstate(invalid="ignore"):
        fraction = (modified / covered).astype(np.float32)
    for name in contigs:
        mine = np.flatnonzero(span.contig == (table.contigs.index(name) if name in table.contigs else -1))
        if not mine.size:
            continue
        # two sites of one place (both strands of a palindrome's middle) cannot both be drawn: the first is
        mine = mine[np.append(True, np.diff(span.start[mine]) > 0)]
        start = span.start[mine]
        end = np.minimum(span.end[mine], np.append(start[1:], np.iinfo(np.int64).max))
        yield name, start, end, fraction[mine]

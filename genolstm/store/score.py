"""Score files: bits of every base on both strands, and their means per contig, beside Markov models."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from genolstm.regions import STRAND_NAMES, Stretches
from genolstm.store.checkpoint import PartBits, read_bits, write_bits
from genolstm.store.files import Provenance, Records, open_file, strings, write_file, write_records, write_strings
from genolstm.store.recall import RecallBits, read_recall, write_recall
from genolstm.store.schema import Kind
from genolstm.store.stretches import read_lengths, read_stretches, write_stretches

SLAB = 1 << 18  # bases of a track that are read at a time
PROBABILITIES = "probabilities"
Runs = tuple[str, NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]
RECALL_TRACKS = ("gain", "matched", "distance")


class ClassBits(NamedTuple):
    """Mean bits of the bases of one annotation class, read along it ('sense'), against it ('antisense'), or both.

    low, high : 95 % interval of a block bootstrap.
    """

    name: str
    sense: str
    symbols: int
    bits: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class ScoreTables:
    """Sums and tables of a score file.

    symbols : int64 [contigs, strands, 2], known bases that are not and that are soft-masked.   bits : float64, their
    sum, same shape.   seen : int8 [contigs], 1 where the model was trained on any base of the contig, 0 where on none,
    -1 where that cannot be known: the model comes from another genome.
    parts : the model beside its Markov lines; 'scored' is all of it, 'test' what the model's split held out.
    markov_counted_on : stretches that the Markov models were counted on.
    calibration : columns by name.   calibration_error : expected calibration error.
    seams : columns by name.   leads : the same of warm-ups.   seam_summary : plain numbers.
    classes : where there was an annotation.   recall : where it was asked for.   recall_classes : mean bits gained by
    it, where there was an annotation too.
    """

    symbols: NDArray[np.int64]
    bits: NDArray[np.float64]
    seen: NDArray[np.int8]
    parts: tuple[PartBits, ...]
    markov_counted_on: str
    calibration: Mapping[str, NDArray[Any]]
    calibration_error: float
    seams: Mapping[str, NDArray[Any]]
    leads: Mapping[str, NDArray[Any]]
    seam_summary: Mapping[str, float]
    classes: tuple[ClassBits, ...] = ()
    recall: tuple[RecallBits, ...] = ()
    recall_classes: tuple[ClassBits, ...] = ()


class Probabilities:
    """Probability of each letter at every base of an open score file, float16; places as in `ScoreFile`.

    It takes natural log probabilities as the network gives them, [n, letters]: of the reverse strand those of the
    complements' letters, which stand in reverse order in the alphabet of DNA.
    """

    def __init__(self, group: h5py.Group, strands: int) -> None:
        self.tracks = [group[name] for name in STRAND_NAMES[:strands]]

    def write(self, strand: int, first: int, values: NDArray[np.float32], /) -> None:
        """Write natural log probabilities of some bases, float32 [n, letters]."""
        of_forward = values[:, ::-1] if strand else values
        self.tracks[strand][first : first + len(values)] = np.exp(of_forward).astype(np.float16)

    def mean(self, first: int, end: int) -> NDArray[np.float32]:
        """Mean of the strands, by the forward strand's letter, float32 [end - first, letters]."""
        strands = [track[first:end].astype(np.float32) for track in self.tracks]
        values: NDArray[np.float32] = np.mean(strands, axis=0, dtype=np.float32)
        return values


class ScoreFile:
    """The tracks of an open score file; places count the scored bases, stretch after stretch."""

    def __init__(self, file: h5py.File, strands: int) -> None:
        self.file, self.strands = file, strands
        self.tracks = [file[f"bits/{name}"] for name in STRAND_NAMES[:strands]]
        self.probabilities = Probabilities(file[PROBABILITIES], strands) if PROBABILITIES in file else None
        self.recall_tracks = tuple(name for name in RECALL_TRACKS if f"recall/{name}" in file)

    @property
    def stretches(self) -> Stretches:
        """What was scored."""
        return read_stretches(self.file)

    @property
    def lengths(self) -> dict[str, int]:
        """Contig name -> bases."""
        return read_lengths(self.file)

    def write(self, strand: int, first: int, bits: NDArray[np.float32]) -> None:
        """Write the bits of some bases, float32 [n]."""
        self.tracks[strand][first : first + len(bits)] = bits

    def read(self, strand: int, first: int, end: int) -> NDArray[np.float32]:
        """Read the bits of some bases, float32 [end - first]; NaN where the base is unknown."""
        values: NDArray[np.float32] = self.tracks[strand][first:end]
        return values

    def write_recall(
        self, strand: int, first: int, gain: NDArray[np.float32], matched: NDArray[np.float32],
        distance: NDArray[np.float32],
    ) -> None:  # fmt: skip
        """Write what recall found of some bases, float32 [n] each."""
        for name, values in zip(RECALL_TRACKS, (gain, matched, distance), strict=True):
            self.file[f"recall/{name}/{STRAND_NAMES[strand]}"][first : first + len(values)] = values

    def read_recall(self, name: str, strand: int, first: int, end: int) -> NDArray[np.float32]:
        """Read a track of RECALL_TRACKS of some bases, float32 [end - first]; NaN where recall did not read."""
        values: NDArray[np.float32] = self.file[f"recall/{name}/{STRAND_NAMES[strand]}"][first:end]
        return values

    def read_gain(self, strand: int, first: int, end: int) -> NDArray[np.float32]:
        """Read the bits that recall gained of some bases, float32 [end - first]; NaN where it did not read."""
        return self.read_recall(RECALL_TRACKS[0], strand, first, end)

    def mean_gain_runs(self) -> Iterator[Runs]:
        """Mean bits that recall gained over both strands, as `mean_runs`."""
        return self._runs(self._mean_of(self.read_gain))

    def mean_runs(self) -> Iterator[Runs]:
        """Mean bits of the strands as runs of equal value: contig, starts, ends, values, a slab at a time."""
        return self._runs(self._mean_of(self.read))

    def probability_runs(self, letter: int) -> Iterator[Runs]:
        """Mean probability of one letter, by its code, as `mean_runs`. Raises ValueError where the file has none."""
        if self.probabilities is None:
            raise ValueError("this score file holds no probabilities")
        held = self.probabilities
        return self._runs(lambda first, end: held.mean(first, end)[:, letter])

    def _mean_of(
        self, read: Callable[[int, int, int], NDArray[np.float32]]
    ) -> Callable[[int, int], NDArray[np.floating]]:
        """Mean over the strands of what is read of a strand's places [first, end)."""
        return lambda first, end: np.mean([read(strand, first, end) for strand in range(self.strands)], axis=0)

    def _runs(self, read: Callable[[int, int], NDArray[np.floating]]) -> Iterator[Runs]:
        """Runs of what is read of places [first, end), a slab at a time."""
        first, stretches = 0, self.stretches
        for contig, begin, stop in zip(stretches.contig, stretches.start.tolist(), stretches.end.tolist(), strict=True):
            for start in range(begin, stop, SLAB):
                end = min(start + SLAB, stop)
                values = read(first, first + end - start)
                places = np.arange(start, end + 1, dtype=np.int64)
                yield stretches.contigs[contig], places[:-1], places[1:], values.astype(np.float32)
                first += end - start

    def finish(self, tables: ScoreTables, records: Records) -> None:
        """Write everything but the tracks."""
        file = self.file
        file["contigs/seen"] = tables.seen
        file["summary/symbols"] = tables.symbols
        with np.errstate(invalid="ignore"):
            file["summary/bits"] = tables.bits / tables.symbols
        write_bits(file.create_group("parts"), tables.parts)
        for name, columns in (("calibration", tables.calibration), ("seams", tables.seams), ("leads", tables.leads)):
            for column, values in columns.items():
                file[f"{name}/{column}"] = values
        for name, classes in (("classes", tables.classes), ("recall_classes", tables.recall_classes)):
            if classes:
                _write_classes(file.create_group(name), classes)
        if tables.recall:
            write_recall(file.create_group("recall_bits"), tables.recall)
        file.attrs["markov_counted_on"] = tables.markov_counted_on
        file.attrs["calibration_error"] = tables.calibration_error
        file.attrs["seams"] = json.dumps(dict(tables.seam_summary), sort_keys=True)
        write_records(file, records)


def _write_classes(group: h5py.Group, classes: tuple[ClassBits, ...]) -> None:
    names, senses, *numbers = zip(*classes, strict=True)
    write_strings(group, "name", names)
    write_strings(group, "sense", senses)
    for column, row in zip(ClassBits._fields[2:], numbers, strict=True):
        group[column] = np.array(row, dtype=np.int64 if column == "symbols" else np.float64)


@contextmanager
def write_score(
    path: Path, stretches: Stretches, lengths: Mapping[str, int], strands: int, provenance: Provenance, *,
    letters: int = 0, recall: bool = False,
) -> Iterator[ScoreFile]:  # fmt: skip
    """Open a score file for its tracks and tables; it appears when complete, whole or not at all.

    letters : of which it keeps the probabilities; 0 keeps none.   recall : whether it has the tracks of recall too.
    """
    with write_file(path, Kind.SCORE, provenance) as file:
        write_stretches(file, lengths, stretches)
        for name in STRAND_NAMES[:strands]:
            for track in ("bits", *(f"recall/{each}" for each in RECALL_TRACKS if recall)):
                file.create_dataset(f"{track}/{name}", shape=(stretches.bases,), dtype=np.float32, fillvalue=np.nan)
            if letters:
                shape = (stretches.bases, letters)
                file.create_dataset(f"{PROBABILITIES}/{name}", shape=shape, dtype=np.float16, fillvalue=np.nan)
        yield ScoreFile(file, strands)


@contextmanager
def open_score(path: Path) -> Iterator[ScoreFile]:
    """Open a score file for reading. Raises InputError as `files.open_file`."""
    with open_file(path, Kind.SCORE) as file:
        yield ScoreFile(file, len(file["bits"]))


def read_score_tables(path: Path) -> ScoreTables:
    """Read the tables of a score file. Raises InputError as `files.open_file`."""
    with open_file(path, Kind.SCORE) as file:
        symbols = file["summary/symbols"][()]
        columns = {
            name: {key: item[()] for key, item in file[name].items()} for name in ("calibration", "seams", "leads")
        }
        return ScoreTables(
            symbols=symbols,
            bits=np.where(symbols > 0, file["summary/bits"][()], 0) * symbols,
            seen=file["contigs/seen"][()],
            parts=read_bits(file["parts"]),
            markov_counted_on=str(file.attrs["markov_counted_on"]),
            calibration_error=float(file.attrs["calibration_error"]),
            seam_summary=json.loads(file.attrs["seams"]),
            classes=_read_classes(file, "classes"),
            recall=read_recall(file["recall_bits"]) if "recall_bits" in file else (),
            recall_classes=_read_classes(file, "recall_classes"),
            **columns,
        )


def _read_classes(file: h5py.File, name: str) -> tuple[ClassBits, ...]:
    if name not in file:
        return ()
    group = file[name]
    text = [strings(group[column]) for column in ("name", "sense")]
    numbers = [group[column][()].tolist() for column in ClassBits._fields[2:]]
    return tuple(ClassBits(*row) for row in zip(*text, *numbers, strict=True))

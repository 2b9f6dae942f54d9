"""Files of every single-base change of some stretches: log-likelihood ratio and state shift of each."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from genolstm.alphabet import DNA
from genolstm.regions import N_STRANDS, Stretches
from genolstm.settings.reading import VariantSettings
from genolstm.store.files import Provenance, Records, open_file, write_file, write_records
from genolstm.store.genome import Genome
from genolstm.store.schema import Kind
from genolstm.store.stretches import read_lengths, read_stretches, write_stretches

SLAB = 1 << 16  # bases that are read at a time
STRONGEST = 10  # changes of lowest ratio that a summary holds
LETTERS = DNA.letters[: DNA.n_known]
CHANGES, RATIO, SHIFT = "changes", "log_ratio", "shift"
MARKOV, PERCENTILE = "markov_log_ratio", "percentile"
TYPES = {RATIO: np.float64, SHIFT: np.float32, MARKOV: np.float64, PERCENTILE: np.float32}
Runs = tuple[str, NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]


class VariantsFile:
    """An open file of changes; places count the bases of all stretches, end to end."""

    def __init__(self, file: h5py.File) -> None:
        self.file, self.changes = file, file[CHANGES]

    @property
    def stretches(self) -> Stretches:
        """Whose bases were changed."""
        return read_stretches(self.file)

    @property
    def lengths(self) -> dict[str, int]:
        """Contig name -> bases."""
        return read_lengths(self.file)

    @property
    def window(self) -> int:
        """Bases after a change that count."""
        return int(self.file.attrs["window"])

    def write(
        self,
        place: NDArray[np.int64],
        letter: NDArray[np.int64],
        log_ratio: NDArray[np.float64],
        shift: NDArray[np.float64],
        markov: NDArray[np.float64] | None = None,
        percentile: NDArray[np.float64] | None = None,
    ) -> None:
        """Write the effects of some changes at ascending places [n] and letters [n].

        log_ratio, shift, markov : float64 [n, strands].   percentile : float64 [n].
        """
        low, high = int(place[0]), int(place[-1]) + 1
        for name, values in ((RATIO, log_ratio), (SHIFT, shift), (MARKOV, markov), (PERCENTILE, percentile)):
            if values is not None:
                block = self.changes[name][low:high]
                block[(place - low, slice(None), letter) if values.ndim > 1 else (place - low, letter)] = values
                self.changes[name][low:high] = block

    def ratio(self, first: int, end: int) -> NDArray[np.float64]:
        """Read log-likelihood ratios of some bases, [end - first, strands, letters]; NaN for the genome's own base."""
        values: NDArray[np.float64] = self.changes[RATIO][first:end]
        return values

    def shift(self, first: int, end: int) -> NDArray[np.float32]:
        """Read state shifts of some bases, as `ratio`."""
        values: NDArray[np.float32] = self.changes[SHIFT][first:end]
        return values

    def reference(self, first: int, end: int) -> NDArray[np.uint8]:
        """Read the genome's own codes, uint8 [end - first]."""
        codes: NDArray[np.uint8] = self.changes["reference"][first:end]
        return codes

    def mean_runs(self, letter: str) -> Iterator[Runs]:
        """Mean log-likelihood ratio of both strands where a base becomes `letter`: contig, starts, ends, values."""
        column, first, stretches = LETTERS.index(letter), 0, self.stretches
        for contig, begin, stop in zip(stretches.contig, stretches.start.tolist(), stretches.end.tolist(), strict=True):
            for start in range(begin, stop, SLAB):
                end = min(start + SLAB, stop)
                values = self.ratio(first, first + end - start)[:, :, column].mean(axis=1)
                places = np.arange(start, end + 1, dtype=np.int64)
                yield stretches.contigs[contig], places[:-1], places[1:], values.astype(np.float32)
                first += end - start

    def finish(self, seams: Mapping[str, float], records: Records) -> None:
        """Write everything but the changes. seams : summary of `stream.seams.Seams`."""
        self.file.attrs["seams"] = json.dumps(dict(seams), sort_keys=True)
        write_records(self.file, records)


@contextmanager
def write_variants(
    path: Path,
    genome: Genome,
    stretches: Stretches,
    trained: Stretches,
    settings: VariantSettings,
    provenance: Provenance,
    *,
    notes: Mapping[str, str],
) -> Iterator[VariantsFile]:
    """Open a file for the changes of some stretches; it appears when complete, whole or not at all.

    trained : stretches that the model was trained on.   settings : of which the window and the controls are kept.
    notes : name -> text on the controls.
    """
    with write_file(path, Kind.VARIANTS, provenance) as file:
        write_stretches(file, genome.length_of, stretches)
        bases = stretches.bases
        changes = file.create_group(CHANGES)
        changes.create_dataset("reference", shape=(bases,), dtype=np.uint8)
        changes.create_dataset("seen", shape=(bases,), dtype=np.uint8)
        first = 0
        for contig, start, end in zip(stretches.contig, stretches.start.tolist(), stretches.end.tolist(), strict=True):
            codes = genome.all_codes[int(genome.starts[contig]) + start : int(genome.starts[contig]) + end]
            changes["reference"][first : first + end - start] = codes
            positions = np.arange(start, end, dtype=np.int64)
            inside = trained.part_at(np.full(end - start, contig, dtype=np.int32), positions) >= 0
            changes["seen"][first : first + end - start] = inside
            first += end - start
        wanted = {RATIO: True, SHIFT: True, MARKOV: settings.markov, PERCENTILE: settings.background > 0}
        for name, dtype in TYPES.items():
            shape = (bases, len(LETTERS)) if name == PERCENTILE else (bases, N_STRANDS, len(LETTERS))
            if wanted[name]:
                changes.create_dataset(name, shape=shape, dtype=dtype, fillvalue=np.nan)
        file.attrs["window"] = settings.window
        for name, text in notes.items():
            file.attrs[name] = text
        yield VariantsFile(file)


@contextmanager
def open_variants(path: Path) -> Iterator[VariantsFile]:
    """Open a file of changes for reading. Raises InputError as `files.open_file`."""
    with open_file(path, Kind.VARIANTS) as file:
        yield VariantsFile(file)


class StrongChange(NamedTuple):
    """One of the most unlikely changes. position : 0-based.   ratio : mean of both strands in bits.

    markov_ratio, percentile : NaN where the file has none.
    """

    contig: str
    position: int
    reference: str
    alternative: str
    ratio: float
    markov_ratio: float
    percentile: float


class SnvSummary(NamedTuple):
    """A file of changes in a few numbers. bases : of all stretches.   window : bases after a change that count.

    seen : bases that the model was trained on.   changes, mean : how many, and their mean log-likelihood ratio over
    both strands in bits, by old and new base; each [letters, letters].   unlikely : changes of negative ratio.
    correlation : of the ratios with those of the Markov model; NaN without one.   strongest : lowest ratio first.
    """

    bases: int
    window: int
    seen: int
    changes: NDArray[np.int64]
    mean: NDArray[np.float64]
    unlikely: int
    correlation: float
    strongest: tuple[StrongChange, ...]


def read_snv_summary(path: Path) -> SnvSummary:
    """Read a file of changes a slab at a time. Raises InputError as `files.open_file`."""
    with open_variants(path) as file:
        return snv_summary(file)


def snv_summary(file: VariantsFile) -> SnvSummary:
    """Summary of an open file of changes."""
    count = np.zeros((len(LETTERS), len(LETTERS)), dtype=np.int64)
    total, seen, unlikely, bases = np.zeros(count.shape), 0, 0, file.stretches.bases
    moments = np.zeros((3, 3))
    strongest: list[tuple[float, int, int, int, float, float]] = []
    for first in range(0, bases, SLAB):
        end = min(first + SLAB, bases)
        seen += int(file.changes["seen"][first:end].sum(dtype=np.int64))
        codes, ratio = file.reference(first, end), file.ratio(first, end).mean(axis=1)  # [n, letters]
        for code in range(len(LETTERS)):
            of = ratio[codes == code]
            known = np.isfinite(of)
            count[code] += known.sum(axis=0)
            total[code] += np.where(known, of, 0).sum(axis=0)
        markov = file.changes[MARKOV][first:end].mean(axis=1) if MARKOV in file.changes else np.full_like(ratio, np.nan)
        percentile = file.changes[PERCENTILE][first:end] if PERCENTILE in file.changes else np.full_like(ratio, np.nan)
        both = np.isfinite(ratio) & np.isfinite(markov)
        columns = np.stack([np.ones(int(both.sum())), ratio[both], markov[both]])
        moments += columns @ columns.T
        for flat in np.argsort(np.where(np.isfinite(ratio), ratio, np.inf), axis=None, kind="stable")[:STRONGEST]:
            at = divmod(int(flat), len(LETTERS))
            if np.isfinite(ratio[at]):
                strongest.append(
                    (float(ratio[at]), first + at[0], int(codes[at[0]]), at[1], float(markov[at]),
                     float(percentile[at]))
                )  # fmt: skip
        unlikely += int((ratio < 0).sum())
    with np.errstate(invalid="ignore"):
        return SnvSummary(
            bases, file.window, seen, count, total / count, unlikely, _correlation(moments),
            tuple(_strong(file.stretches, row) for row in sorted(strongest)[:STRONGEST]),
        )  # fmt: skip


def _correlation(moments: NDArray[np.float64]) -> float:
    """Linear correlation from sums of products of 1, x and y; NaN where either does not vary."""
    n = max(moments[0, 0], 1.0)
    mean = moments[0, 1:] / n
    covariance = moments[1:, 1:] / n - np.outer(mean, mean)
    spread = np.sqrt(np.maximum(covariance[0, 0] * covariance[1, 1], 0))
    return float(covariance[0, 1] / spread) if spread > 0 else float("nan")


def _strong(stretches: Stretches, row: tuple[float, int, int, int, float, float]) -> StrongChange:
    """A change by the place of its base among those of all stretches."""
    ratio, place, old, new, markov, percentile = row
    ends = np.cumsum(stretches.end - stretches.start)
    at = int(np.searchsorted(ends, place, side="right"))
    position = int(stretches.end[at]) - int(ends[at]) + place
    name = stretches.contigs[stretches.contig[at]]
    return StrongChange(name, position, LETTERS[old], LETTERS[new], ratio, markov, percentile)

"""Genome files: codes that can be memory-mapped, the contig table, soft mask and what the letters were."""

import hashlib
import os
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Protocol

import h5py
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from genolstm.alphabet import ALPHABETS, Alphabet, Codes
from genolstm.errors import InputError
from genolstm.outputs import present_path
from genolstm.regions import Region
from genolstm.store.checksums import BLOCK, read_checksums
from genolstm.store.files import Provenance, Records, open_file, strings, write_file, write_records, write_strings
from genolstm.store.schema import Kind
from genolstm.store.spool import release_pages

COPY_BYTES = 1 << 22
INTERVAL_CHUNK = 1 << 14


class Block(Protocol):
    """What a sequence reader hands over: consecutive symbols of one record (`readers.fasta.SequenceBlock`)."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def starts_record(self) -> bool: ...  # noqa: D102
    @property
    def codes(self) -> Codes: ...  # noqa: D102
    @property
    def masked(self) -> NDArray[np.int64]: ...  # noqa: D102
    @property
    def ambiguous(self) -> dict[str, int]: ...  # noqa: D102
    @property
    def read_as(self) -> dict[str, int]: ...  # noqa: D102


@dataclass(frozen=True, kw_only=True, eq=False)  # one open file is one genome, whatever else holds the same codes
class Genome:
    """Read-only view of a genome file; codes are mapped from disk: one copy for all processes, none loaded.

    names, lengths, starts : contigs in file order.   unknown : N (or X) per contig.   sha256 : hash of names and codes,
    which identifies a genome whatever file holds it.   mapped : uint8 [symbols], to be read by `codes` or
    `all_codes`, which check what they hand over.   check : of symbols [start, end), None where nothing is on disk.
    soft_mask : intervals of each contig, as `soft_mask` gives them, of a genome without a file of its own; path is then
    where its sequence came from. None where the file at path holds them.
    """

    path: Path
    alphabet: Alphabet
    names: tuple[str, ...]
    lengths: NDArray[np.int64]
    starts: NDArray[np.int64]
    unknown: NDArray[np.int64]
    mapped: Codes
    sha256: str
    soft_mask: tuple[NDArray[np.int64], ...] | None = None
    check: Callable[[int, int], None] | None = None

    @property
    def length_of(self) -> dict[str, int]:
        """Contig name -> symbols, in file order."""
        return dict(zip(self.names, self.lengths.tolist(), strict=True))

    @cached_property
    def index_of(self) -> dict[str, int]:
        """Contig name -> its place in file order."""
        return {name: place for place, name in enumerate(self.names)}

    @property
    def all_codes(self) -> Codes:
        """Codes of all contigs end to end, uint8 [symbols]. Raises InputError where the file is damaged."""
        return self.symbols(0, len(self.mapped))

    def symbols(self, start: int, end: int) -> Codes:
        """Some of `all_codes`, [start, end), a view. Raises InputError where the file is damaged."""
        if self.check is not None:
            self.check(start, end)
        return self._plain[start:end]

    def windows(self, start: NDArray[np.int64], width: int) -> Codes:
        """Codes of windows of one width, uint8 [n, width], a copy. start : int64 [n], places among `all_codes`."""
        if not len(start):
            return np.empty((0, width), dtype=np.uint8)
        return sliding_window_view(self.all_codes, width)[start]

    @cached_property
    def _plain(self) -> Codes:
        """`mapped` as a plain array, whose slices cost a tenth of a mapped one's: there may be one for each contig."""
        return np.asarray(self.mapped)

    def release(self) -> None:
        """Return pages of the codes that were read to the system; see `spool.release_pages`."""
        release_pages(self.mapped)

    def codes(self, region: Region) -> Codes:
        """Codes of a region, uint8 [end - start], a view.

        Raises InputError for a place that is not there, or where the file is damaged.
        """
        if region.contig not in self.index_of:
            known = ", ".join(self.names[:8])
            raise InputError(f"contig '{region.contig}' is not in {self.path}; it has {known}. Rename or re-ingest.")
        index = self.index_of[region.contig]
        if not 0 <= region.start <= region.end <= self.lengths[index]:
            raise InputError(f"{region} lies outside contig '{region.contig}' of {self.lengths[index]:,} symbols.")
        first = int(self.starts[index])
        return self.symbols(first + region.start, first + region.end)


def open_genome(path: Path) -> Genome:
    """Open a genome file. Raises InputError as `files.open_file`."""
    with open_file(path, Kind.GENOME) as file:
        codes = file["codes"]
        offset = codes.id.get_offset()
        if offset is None:
            raise InputError(f"{path} holds codes that cannot be memory-mapped; run 'genolstm ingest' again.")
        lengths, starts = file["contigs/length"][()], file["contigs/start"][()]
        if str(file.attrs["alphabet"]) not in ALPHABETS:
            raise InputError(f"{path} is damaged (there is no alphabet '{file.attrs['alphabet']}'); make it again.")
        alphabet = ALPHABETS[file.attrs["alphabet"]]
        with present_path(path).open("rb") as stream:
            check = _CodesCheck(path, os.dup(stream.fileno()), offset, codes.size, alphabet.n_symbols)
            # mode 'c': pages are shared with other readers, and torch takes the array without a warning
            mapped = np.memmap(stream, dtype=np.uint8, mode="c", offset=offset, shape=codes.shape)
        if not (lengths > 0).all() or (starts != np.cumsum(lengths) - lengths).any() or lengths.sum() != codes.size:
            raise InputError(f"{path} is damaged (its contigs do not fill its codes); run 'genolstm ingest' again.")
        return Genome(
            path=path,
            alphabet=alphabet,
            names=strings(file["contigs/name"]),
            lengths=lengths,
            starts=starts,
            unknown=file["contigs/unknown"][()],
            mapped=mapped,
            sha256=str(file.attrs["sequence_sha256"]),
            check=check,
        )


class _CodesCheck:
    """What codes of an open genome file must pass when they are read for the first time.

    They must be as they were written, where the file carries checksums, and stand for letters of the alphabet.
    """

    def __init__(self, path: Path, descriptor: int, offset: int, symbols: int, letters: int) -> None:
        self.path, self.descriptor, self.offset = path, descriptor, offset
        self.symbols, self.letters = symbols, letters
        weakref.finalize(self, os.close, descriptor)
        self.checksums = read_checksums(descriptor, path)
        self.unread, self.all_read = np.ones(-(-symbols // BLOCK), dtype=np.bool_), False

    def __call__(self, start: int, end: int) -> None:
        if self.all_read:
            return
        first, stop = start // BLOCK, -(-end // BLOCK)
        unread = first + np.flatnonzero(self.unread[first:stop])
        if not len(unread):
            return
        if self.checksums:
            self.checksums.check(self.offset + start, self.offset + end)
        for block in unread.tolist():
            # read, not mapped: mapped pages would count as this process's memory
            count = min(BLOCK, self.symbols - block * BLOCK)
            codes = np.frombuffer(os.pread(self.descriptor, count, self.offset + block * BLOCK), dtype=np.uint8)
            if len(codes) < count or codes.max() >= self.letters:
                raise InputError(
                    f"{self.path} is damaged: one of its symbols {block * BLOCK:,} to {block * BLOCK + count:,} stands"
                    " for no letter; run 'genolstm ingest' again."
                )
        self.unread[unread] = False
        self.all_read = not self.unread.any()


def soft_mask(path: Path, contig: str) -> NDArray[np.int64]:
    """Soft-masked intervals of one contig, int64 [k, 2], 0-based half open, sorted and disjoint."""
    genome = open_genome(path)
    if contig not in genome.index_of:
        known = ", ".join(genome.names[:8])
        raise InputError(f"contig '{contig}' is not in {path}; it has {known}. Rename or re-ingest.")
    with open_soft_mask(genome) as masked:
        return masked(genome.index_of[contig])


@contextmanager
def open_soft_mask(genome: Genome) -> Iterator[Callable[[int], NDArray[np.int64]]]:
    """Open the soft mask of a genome, as a function from contig index to intervals as `soft_mask` gives them."""
    if genome.soft_mask is not None:
        yield genome.soft_mask.__getitem__
        return
    with open_file(genome.path, Kind.GENOME) as file:
        group = file["soft_mask"]
        bounds = np.searchsorted(group["contig"][()], np.arange(len(file["contigs/name"]) + 1))

        def masked(contig: int) -> NDArray[np.int64]:
            first, last = bounds[contig : contig + 2]
            if first == last:  # of thousands of contigs; HDF5 takes long to read nothing
                return np.zeros((0, 2), dtype=np.int64)
            return np.stack([group["start"][first:last], group["end"][first:last]], axis=1)

        yield masked


@dataclass(kw_only=True)
class GenomeSummary:
    """What an ingest counted: contigs, symbols, symbols that are unknown, and letters that were read as another."""

    contigs: int
    symbols: int
    unknown: int
    masked: int
    letters: dict[str, int]


def write_genome(
    path: Path,
    blocks: Iterable[Block],
    alphabet: Alphabet,
    provenance: Provenance,
    *,
    left_out: Callable[[], Mapping[str, int]] = dict,
) -> GenomeSummary:
    """Write a genome file from blocks of sequence, in memory that does not grow with the contigs.

    Codes are spooled to an unnamed file beside the target, since a contiguous dataset must know its length at birth.
    left_out : asked when all blocks have gone by: letter -> how many were left out of the codes.
    """
    with write_file(path, Kind.GENOME, provenance) as file, TemporaryFile(dir=path.parent) as spool:
        file.attrs["alphabet"] = alphabet.name
        table = _Contigs(file, alphabet)
        digest = hashlib.sha256()
        for block in blocks:
            if block.starts_record:
                digest.update(f">{block.name}\n".encode())
            digest.update(block.codes.data)
            spool.write(block.codes.data)
            table.add(block)
        table.finish(left_out())
        file.attrs["sequence_sha256"] = digest.hexdigest()
        _copy_codes(file, spool, sum(table.lengths))
        write_records(file, Records(read=len(table.names), used=len(table.names)))
        return table.summary()


def _copy_codes(file: h5py.File, spool: IO[bytes], symbols: int) -> None:
    codes = file.create_dataset("codes", shape=(symbols,), dtype=np.uint8)
    spool.seek(0)
    for start in range(0, symbols, COPY_BYTES):
        codes[start : start + COPY_BYTES] = np.frombuffer(spool.read(COPY_BYTES), dtype=np.uint8)


class _Contigs:
    """The tables of a genome file as they grow."""

    def __init__(self, file: h5py.File, alphabet: Alphabet) -> None:
        self.file, self.alphabet = file, alphabet
        self.names: list[str] = []
        self.lengths: list[int] = []
        self.unknown: list[int] = []
        self.ambiguous: Counter[str] = Counter()
        self.read_as: Counter[str] = Counter()
        self.masked = 0
        self.open_mask: tuple[int, int, int] | None = (
            None  # contig, start, end of a mask that may go on in the next block
        )
        self.pending: list[NDArray[np.int64]] = []
        group = file.create_group("soft_mask")
        for name, dtype in (("contig", np.int32), ("start", np.int64), ("end", np.int64)):
            group.create_dataset(
                name, shape=(0,), maxshape=(None,), chunks=(INTERVAL_CHUNK,), dtype=dtype, shuffle=True, compression=1
            )

    def add(self, block: Block) -> None:
        if block.starts_record:
            self.names.append(block.name)
            self.lengths.append(0)
            self.unknown.append(0)
        self._mask(block.masked + self.lengths[-1])
        self.lengths[-1] += len(block.codes)
        self.unknown[-1] += int(np.count_nonzero(block.codes == self.alphabet.unknown))
        self.ambiguous.update(block.ambiguous)
        self.read_as.update(block.read_as)

    def _mask(self, intervals: NDArray[np.int64]) -> None:
        """Queue intervals [k, 2] of the present contig, joining the last of the block before when it goes on."""
        contig = len(self.names) - 1
        if self.open_mask and len(intervals) and self.open_mask[0] == contig and self.open_mask[2] == intervals[0, 0]:
            intervals = intervals.copy()
            intervals[0, 0] = self.open_mask[1]
        elif self.open_mask:
            self.pending.append(np.array([self.open_mask]))
        self.open_mask = None
        if len(intervals):
            self.pending.append(np.insert(intervals[:-1], 0, contig, axis=1))
            self.open_mask = (contig, int(intervals[-1, 0]), int(intervals[-1, 1]))
        if sum(map(len, self.pending)) >= INTERVAL_CHUNK:
            self._flush()

    def _flush(self) -> None:
        rows = np.concatenate([*self.pending, np.empty((0, 3), dtype=np.int64)])
        self.masked += int((rows[:, 2] - rows[:, 1]).sum())
        self.pending = []
        for column, name in enumerate(("contig", "start", "end")):
            dataset = self.file["soft_mask"][name]
            dataset.resize(len(dataset) + len(rows), axis=0)
            dataset[len(dataset) - len(rows) :] = rows[:, column]

    def finish(self, left_out: Mapping[str, int]) -> None:
        if self.open_mask:
            self.pending.append(np.array([self.open_mask]))
        self._flush()
        contigs = self.file.create_group("contigs")
        write_strings(contigs, "name", self.names)
        lengths = np.array(self.lengths, dtype=np.int64)
        contigs["length"] = lengths
        contigs["start"] = np.cumsum(lengths) - lengths
        contigs["unknown"] = np.array(self.unknown, dtype=np.int64)
        letters = [*self._letters(), *((letter, "", count) for letter, count in left_out.items() if count)]
        group = self.file.create_group("letters")
        write_strings(group, "letter", [letter for letter, _, _ in letters])
        write_strings(group, "read_as", [read for _, read, _ in letters])
        group["count"] = np.array([count for _, _, count in letters], dtype=np.int64)

    def _letters(self) -> Iterator[tuple[str, str, int]]:
        for letter, count in sorted(self.ambiguous.items()):
            yield letter, self.alphabet.unknown_letter, count
        for letter, count in sorted(self.read_as.items()):
            yield letter, self.alphabet.read_as[letter], count

    def summary(self) -> GenomeSummary:
        return GenomeSummary(
            contigs=len(self.names),
            symbols=sum(self.lengths),
            unknown=sum(self.unknown),
            masked=self.masked,
            letters={letter: count for letter, _, count in self._letters()},
        )

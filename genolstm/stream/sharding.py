"""Which process reads what where several read one genome: whole rows, so that states are carried as by one alone."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from genolstm.regions import Stretches
from genolstm.settings.reading import StreamSettings
from genolstm.store.genome import Genome
from genolstm.strands import Rows, rows_of
from genolstm.stream.pieces import STEP_LANES, Piece, pieces_of
from genolstm.stream.reader import GenomeReader
from genolstm.stream.seams import Seam, Seams

SLAB_BYTES = 1 << 22  # of what is sent and written at a time


class Track(Protocol):
    """Values along the genome, float32 [n, ...], in a file or on their way to one."""

    def write(self, strand: int, first: int, values: NDArray[np.float32], /) -> None: ...  # noqa: D102
    def read(self, strand: int, first: int, end: int, /) -> NDArray[np.float32]: ...  # noqa: D102


def warmup_of(genome: Genome, settings: StreamSettings) -> int:
    """Symbols that are read before a stretch inside a contig, as many as there are."""
    if settings.exact:
        return int(genome.lengths.max())
    # a witness reads half of it, in whole chunks
    return max(-(-settings.burn_in // settings.chunk), 2) * settings.chunk if settings.burn_in else 0


def owners_of(reader: GenomeReader, stretches: Stretches, *, warmup: bool) -> NDArray[np.int64]:
    """Rank that reads each row, int64 [R], in the order of `strands.rows_of`; the same in every process.

    warmup : whether stretches are read on from what stands before them, the length of which counts too.
    """
    symbols = warmup_of(reader.genome, reader.settings) if warmup else 0
    return reader.ranks.dealt(rows_of(reader.genome, stretches, warmup=symbols).length.numpy())


def owners_at(
    reader: GenomeReader, stretches: Stretches, address: NDArray[np.int64], reverse: NDArray[np.bool_], *, warmup: bool
) -> NDArray[np.int64]:
    """Rank that reads past each of some places, of the shape of both together.

    address : place in the genome's codes, within a stretch.   reverse : whether along the reverse strand.
    warmup : as for `owners_of`.
    """
    first = reader.genome.starts[stretches.contig] + stretches.start
    stretch = np.searchsorted(first, address, side="right") - 1
    return owners_of(reader, stretches, warmup=warmup)[stretch + np.where(reverse, len(first), 0)]


def own_pieces(
    rows: Rows, settings: StreamSettings, own: NDArray[np.bool_], step_lanes: float = STEP_LANES
) -> list[Piece]:
    """Cut the rows of one process into pieces, the longest first.

    own : bool [R].   step_lanes : see `pieces.pieces_of`.
    """
    if own.all():
        return pieces_of(rows, settings, step_lanes)
    mine = np.flatnonzero(own)
    cut = pieces_of(Rows(*(column[mine] for column in rows)), settings, step_lanes)
    return [piece._replace(row=int(mine[piece.row])) for piece in cut]


def seams_of_all(seams: Seams, reader: GenomeReader, stretches: Stretches) -> None:
    """Add the seams that other processes met to those of rank 0, in order of row and place."""
    ranks = reader.ranks
    if ranks.size == 1:
        return
    first = reader.genome.starts[stretches.contig] + stretches.start
    for table in (seams.table, seams.unchecked_starts):
        found = ranks.gathered(np.array(table, dtype=np.float64).reshape(len(table), len(Seam._fields)))
        address, sign = found[:, 0], found[:, 1]
        stretch = np.searchsorted(first, address, side="right")
        found = found[np.lexsort((sign * address, stretch, -sign))]
        table[:] = [
            Seam(int(address), int(sign), state, bits, int(repaired), *left)
            for address, sign, state, bits, repaired, *left in found.tolist()
        ]
    in_sequence = ranks.gathered(np.array([seams.in_sequence]))
    seams.in_sequence = bool(in_sequence.any())


def gather_rows(
    reader: GenomeReader,
    stretches: Stretches,
    track: Track,
    starts: NDArray[np.int64],
    *,
    shape: tuple[int, ...] = (),
) -> None:
    """Write to the track of rank 0 what the other processes hold of their rows in theirs, a slab at a time.

    stretches : read with a warm-up.   starts : int64 [K + 1], where each begins along the track.
    shape : of what stands at one place.
    """
    ranks, owner = reader.ranks, owners_of(reader, stretches, warmup=True)
    each = max(1, SLAB_BYTES // (4 * int(np.prod(shape, dtype=np.int64))))
    for row, rank in enumerate(owner.tolist()):
        if rank == 0 or ranks.rank not in {0, rank}:
            continue
        strand, stretch = divmod(row, len(starts) - 1)
        last = int(starts[stretch + 1])
        for first in range(int(starts[stretch]), last, each):
            end = min(first + each, last)
            if ranks.is_main_process:
                values = np.empty((end - first, *shape), dtype=np.float32)
                ranks.receive(rank, values)
                track.write(strand, first, values)
            else:
                ranks.send(track.read(strand, first, end))

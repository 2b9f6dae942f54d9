"""Hidden states of a model at sites: forward pass and reverse-complement pass, every layer, h and (on request) c."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genolstm.errors import InputError
from genolstm.ranks import Ranks
from genolstm.regions import N_STRANDS, Region, Sites, Stretches, stretches_of
from genolstm.settings.model import ModelSettings
from genolstm.settings.site_reading import SiteReading
from genolstm.states.site_pools import SitePools
from genolstm.store.files import Records
from genolstm.store.genome import Genome
from genolstm.store.hidden import SiteTable
from genolstm.store.spool import release_pages
from genolstm.stream.blocks import Block, traces_of
from genolstm.stream.reader import GenomeReader
from genolstm.stream.reading import read_stretches
from genolstm.stream.seams import Seams
from genolstm.stream.sharding import owners_at

Half = NDArray[np.float16]

PASSES = ("own", "other")


class Feature(NamedTuple):
    """One column of states: which pass, layer (0 reads the bases), part ('h' or 'c') and unit (from 0)."""

    pass_name: str
    layer: int
    part: str
    unit: int


class Intervals(Protocol):
    """What a BED reader returns (`readers.bed.Bed`): 0-based half-open intervals on a genome, in file order."""

    @property
    def contig(self) -> NDArray[np.int32]: ...  # noqa: D102
    @property
    def start(self) -> NDArray[np.int64]: ...  # noqa: D102
    @property
    def end(self) -> NDArray[np.int64]: ...  # noqa: D102
    @property
    def name(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def strand(self) -> NDArray[np.int8]: ...  # noqa: D102
    @property
    def read(self) -> int: ...  # noqa: D102
    @property
    def skipped(self) -> dict[str, int]: ...  # noqa: D102


def readable(sites: Sites, genome: Genome, reach: int) -> NDArray[np.bool_]:
    """Which sites have `reach` symbols and one more on either side within their contig; bool [N]."""
    length = genome.lengths[sites.contig]
    return (sites.position >= reach + 1) & (sites.position + reach + 1 < length)


def states_at(
    reader: GenomeReader,
    sites: Sites,
    offsets: Sequence[int],
    *,
    memories: bool = False,
    seams: Seams | None = None,
) -> Half:
    """States at offsets of sites, float16 [N, offsets, 2, D]: the own pass, then the other; see `blocks_at`."""
    blocks = blocks_at(reader, sites, SiteReading(tuple(offsets)), memories=memories, seams=seams)
    return blocks.reshape(len(offsets), N_STRANDS, *blocks.shape[1:]).transpose(2, 0, 1, 3)


def blocks_at(
    reader: GenomeReader,
    sites: Sites,
    reading: SiteReading,
    *,
    memories: bool = False,
    seams: Seams | None = None,
    into: Half | None = None,
) -> Half:
    """What is read at sites, float16 [blocks, N, D], in the order of `SiteReading`: offsets of both passes, then pools.

    D = layers x H, twice that with memories (h, then c). At offset o the own-strand pass is read after symbol p + o
    along the site's strand, the other pass after symbol p - o: both have then read the site, and o symbols beyond it,
    from their side; below 0 they are short of it. A pool is over states of the own pass alone. A reverse-strand site
    thus has the states that the same site would have in the reverse complement of the contig.

    sites : all `readable` at the reading's reach.   seams : filled in.   into : where the states are put, all 0; a new
    array without.
    Of several processes each reads contigs and strands of its own; the states are put together at rank 0.
    """
    genome, width = reader.genome, reader.state_width(memories=memories)
    last = _last_read(genome, sites.contig, sites.position, sites.position, sites.strand, reading.offsets)
    last = np.moveaxis(last, 0, 2)  # [offsets, 2, N]
    found = np.zeros((reading.n_blocks, len(sites), width), dtype=np.float16) if into is None else into
    contigs = [genome.names[contig] for contig in np.unique(sites.contig)]
    stretches = stretches_of(
        (Region(contig=name, start=0, end=genome.length_of[name]) for name in contigs), genome.names
    )
    passes = _reverse(sites.strand).T  # [2, N]
    at_offsets = np.broadcast_to(passes, last.shape)
    wanted, pools = Wanted(last.ravel(), at_offsets.ravel()), None
    place = found[: last.shape[0] * N_STRANDS].reshape(-1, width)
    if reading.pools:
        pools, pieces = _site_pools(genome, sites, reading, reader.settings.chunk, found[last.shape[0] * N_STRANDS :])
    for block in read_stretches(reader, stretches, seams=seams, warmup=True):
        for request, states in _states_in(reader, block, wanted, memories=memories):
            place[request] = states
        if pools:
            lane, step, piece = pieces.within(block)
            pools.take(piece, *_layers_in(reader, block, lane, step, memories=memories))
        release_pages(found)
    if pools:
        pools.finish()
    if reader.ranks.size > 1:
        reverse = np.concatenate(
            [at_offsets.reshape(-1, len(sites)), np.repeat(passes[:1], len(reading.pools), axis=0)]
        )
        site = np.broadcast_to(genome.starts[sites.contig] + sites.position, reverse.shape)
        owner = owners_at(reader, stretches, site.ravel(), reverse.ravel(), warmup=True)
        reader.ranks.gather_into(found.reshape(-1, width), owner)
    return found


def _site_pools(
    genome: Genome, sites: Sites, reading: SiteReading, chunk: int, out: Half
) -> tuple[SitePools, "Wanted"]:
    """Pieces of the own pass that pools need, and where the first state of each is wanted."""
    reverse, length = sites.strand < 0, genome.lengths[sites.contig]
    # place in its row of the target after the site: that is where the state of offset 0 stands
    place = np.where(reverse, length - sites.position, sites.position + 1)
    pools = SitePools(reading.pools, place, chunk, out)
    sign = np.where(reverse, -1, 1)[pools.site]
    last = (genome.starts[sites.contig] + sites.position)[pools.site] + sign * pools.first
    return pools, Wanted(last, reverse[pools.site])


class Embedding(NamedTuple):
    """States at intervals, to be written as they are met.

    features : pass, layer, part and unit of each column.   states : sites [k], pass and its states, while the genome is
    read.   seams : filled in when all states were taken.   owner : int64 [N, passes], rank of the process that reads
    the state of each site and pass; at rank 0 `states` ends with those of the others.
    """

    sites: SiteTable
    features: list[Feature]
    states: Iterator[tuple[NDArray[np.int64], int, NDArray[np.float16]]]
    seams: Seams
    records: Records
    owner: NDArray[np.int64]


def embed_sites(reader: GenomeReader, bed: Intervals, *, bed_name: str) -> Embedding:
    """States when each pass has read the whole of an interval, h and c of every layer, sorted by contig and start.

    The pass along the interval's strand (strand 0 counts as +1) is read after its last base, the other after its first.
    Only the neighbourhoods of the intervals are read, each after a burn-in.
    Of several processes each reads neighbourhoods and strands of its own; all but rank 0 then send their states by
    `hand_over`.
    Raises InputError when no interval leaves a base of its contig on either side, where the states after it stand.
    """
    genome = reader.genome
    if genome.alphabet.complement is None:
        raise InputError(f"{genome.path} holds proteins, which have no other strand; give a DNA genome.")
    inside = np.flatnonzero((bed.start >= 1) & (bed.end < genome.lengths[bed.contig]))
    if not len(inside):
        raise InputError(
            f"every interval of {bed_name} reaches the first or last base of its contig, after which no state is read;"
            " give intervals within contigs."
        )
    order = inside[np.lexsort((bed.end[inside], bed.start[inside], bed.contig[inside]))]
    sites = SiteTable(
        contigs=genome.names,
        contig=bed.contig[order],
        start=bed.start[order],
        end=bed.end[order],
        strand=bed.strand[order],
        name=tuple(bed.name[row] for row in order) if bed.name else (".",) * len(order),
    )
    records = Records(read=bed.read, used=len(order), skipped=dict(bed.skipped))
    if beyond := len(bed.start) - len(order):
        records.skipped["interval at the end of its contig"] = beyond
    seams = Seams()
    near = neighbourhoods(genome, sites.contig, sites.start, sites.end, reader.settings.burn_in)
    first = (genome.starts[sites.contig] + sites.start)[:, None]
    owner = owners_at(reader, near, first, _reverse(sites.strand), warmup=True)
    states = _states_of(reader, sites, near, seams)
    features = _features(reader.model.settings)
    if reader.ranks.size > 1 and reader.ranks.is_main_process:
        states = itertools.chain(states, _states_of_others(reader.ranks, owner, len(features) // N_STRANDS))
    return Embedding(sites, features, states, seams, records, owner)


def hand_over(embedding: Embedding, ranks: Ranks, beside: Path) -> None:
    """Compute the states of this process of several and send them to rank 0, which takes them from its `states`.

    They are kept in a file without a name in the folder of `beside`.
    """
    width = len(embedding.features) // N_STRANDS
    with TemporaryFile(dir=beside.parent) as spool:
        kept = np.memmap(spool, dtype=np.float16, mode="w+", shape=(len(embedding.sites), N_STRANDS, width))
        for site, pass_name, values in embedding.states:
            kept[site, pass_name] = values
        ranks.gather_into(kept.reshape(-1, width), embedding.owner.ravel())


def _states_of_others(
    ranks: Ranks, owner: NDArray[np.int64], width: int
) -> Iterator[tuple[NDArray[np.int64], int, NDArray[np.float16]]]:
    for row, states in ranks.incoming(owner.ravel(), (width,), np.dtype(np.float16)):
        for pass_name in range(N_STRANDS):
            mine = row % N_STRANDS == pass_name
            yield row[mine] // N_STRANDS, pass_name, states[mine]


def _features(settings: ModelSettings) -> list[Feature]:
    return [
        Feature(pass_name, layer, part, unit)
        for pass_name in PASSES
        for part in ("h", "c")
        for layer in range(settings.layers)
        for unit in range(settings.hidden)
    ]


def _states_of(
    reader: GenomeReader, sites: SiteTable, near: Stretches, seams: Seams
) -> Iterator[tuple[NDArray[np.int64], int, NDArray[np.float16]]]:
    last = _last_read(reader.genome, sites.contig, sites.start, sites.end - 1, sites.strand, (0,))  # [N, 1, 2]
    reverse = np.broadcast_to(_reverse(sites.strand)[:, None], last.shape)
    wanted = Wanted(last.ravel(), reverse.ravel())
    for request, states in _wanted_states(reader, near, wanted, memories=True, seams=seams):
        for strand in range(N_STRANDS):
            mine = request % N_STRANDS == strand
            if mine.any():
                yield request[mine] // N_STRANDS, strand, states[mine]


def neighbourhoods(
    genome: Genome, contig: NDArray[np.int32], start: NDArray[np.int64], end: NDArray[np.int64], burn_in: int
) -> Stretches:
    """What has to be read to have the states on both sides of intervals; those nearer than a burn-in are made one.

    A stretch is read after a burn-in of its own: two stretches side by side would read the bases between them twice.
    """
    regions: list[list[int]] = []
    order = np.lexsort((start, contig))
    for place, first, last in zip(
        contig[order].tolist(), (start - 1)[order].tolist(), (end + 1)[order].tolist(), strict=True
    ):
        low, high = max(first, 0), min(last, int(genome.lengths[place]))
        if regions and regions[-1][0] == place and low - regions[-1][2] <= 2 * burn_in:
            regions[-1][2] = max(regions[-1][2], high)
        else:
            regions.append([place, low, high])
    return stretches_of(
        (Region(contig=genome.names[place], start=low, end=high) for place, low, high in regions), genome.names
    )


def _reverse(strand: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Whether the own and the other pass run along the reverse strand; bool [N, 2]."""
    return np.stack([strand < 0, strand >= 0], axis=1)


def _last_read(
    genome: Genome,
    contig: NDArray[np.int32],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    strand: NDArray[np.int8],
    offsets: Sequence[int],
) -> NDArray[np.int64]:
    """Place in the genome's codes of the last base that the own and the other pass have read; [N, offsets, 2].

    first, last : first and last base of each site.
    """
    steps = np.asarray(offsets)[None, :]
    base = genome.starts[contig][:, None]
    forward, backward = base + last[:, None] + steps, base + first[:, None] - steps
    own_first = (strand >= 0)[:, None]
    return np.stack([np.where(own_first, forward, backward), np.where(own_first, backward, forward)], axis=2)


def _wanted_states(
    reader: GenomeReader, stretches: Stretches, wanted: "Wanted", *, memories: bool, seams: Seams | None
) -> Iterator[tuple[NDArray[np.int64], Half]]:
    """States as they are met: request numbers [k] and states [k, D]; the last states of a request count."""
    for block in read_stretches(reader, stretches, seams=seams, warmup=True):
        yield from _states_in(reader, block, wanted, memories=memories)


def _states_in(
    reader: GenomeReader, block: Block, wanted: "Wanted", *, memories: bool
) -> Iterator[tuple[NDArray[np.int64], Half]]:
    """Requests [k] that a block answers, and their states [k, D]; nothing where it answers none."""
    lane, step, request = wanted.within(block)
    if len(request):
        row, step, layers = _layers_in(reader, block, lane, step, memories=memories)
        at = torch.from_numpy(row).to(reader.device), torch.from_numpy(step).to(reader.device)
        yield request, torch.cat([layer[at] for layer in layers], dim=-1).half().cpu().numpy()


def _layers_in(
    reader: GenomeReader, block: Block, lane: NDArray[np.int64], step: NDArray[np.int64], *, memories: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64], list[Tensor]]:
    """Rows and steps [k] of some lanes and steps in the states of every layer, h and then c, and these, [rows, T, H].

    The memories are replayed for the lanes that are asked for, and no others.
    """
    if not memories:
        return lane, step, block.layers
    lanes, row = np.unique(lane, return_inverse=True)
    chosen = torch.from_numpy(lanes).to(reader.device)
    replayed = [trace.memory for trace in traces_of(reader.model, block, lanes)]
    return row, step, [*(layer[chosen] for layer in block.layers), *replayed]


class Wanted:
    """Which states are wanted, sorted for searching.

    last : int64 [K], place in the genome's codes of the last base read.   reverse : bool [K].
    """

    def __init__(self, last: NDArray[np.int64], reverse: NDArray[np.bool_]) -> None:
        # the state after a base stands where the next base in reading direction is the target
        targets = np.where(reverse, last - 1, last + 1)
        self.order, self.targets = [], []
        for chosen in (~reverse, reverse):
            mine = np.flatnonzero(chosen)
            mine = mine[np.argsort(targets[mine], kind="stable")]
            self.order.append(mine)
            self.targets.append(targets[mine])

    def within(self, block: Block) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Lane, step and request number of every state wanted from a block, each [k]; lanes of weight -1 have none."""
        lanes, steps, requests = [], [], []
        for lane in np.flatnonzero((block.weight > 0) & (block.end > block.begin)).tolist():
            strand, sign, address = int(block.sign[lane] < 0), int(block.sign[lane]), int(block.address[lane])
            ends = [address + sign * int(each[lane] - block.first[lane]) for each in (block.begin, block.end)]
            low, high = np.searchsorted(self.targets[strand], [ends[1] + 1, ends[0] + 1] if strand else ends)
            lanes.append(np.full(high - low, lane))
            steps.append((self.targets[strand][low:high] - address) * sign)
            requests.append(self.order[strand][low:high])
        nothing = np.zeros(0, dtype=np.int64)
        return tuple(np.concatenate([nothing, *parts]) for parts in (lanes, steps, requests))  # type: ignore[return-value]

"""What is known of a CpG without its own reads: the reads of its neighbours, its spacing, the density about it."""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from genolstm.methylation.grid_kernels import sum_neighbours

FARTHEST_BP = 100_000.0  # a neighbour farther away, or none at all, counts as this far
NEAR_BP = 100.0  # spacing is relative to this
DENSITY_BP = (200, 1000)  # half windows in which neighbours are counted


class SiteReads(NamedTuple):
    """Reads of N CpGs in genome order. contig, position : [N].   modified, covered : [N, T]."""

    contig: NDArray[np.int32]
    position: NDArray[np.int64]
    modified: NDArray[np.int32]
    covered: NDArray[np.int32]

    def of(self, rows: NDArray[np.intp] | slice) -> "SiteReads":
        """Only some CpGs."""
        return SiteReads(self.contig[rows], self.position[rows], self.modified[rows], self.covered[rows])


class Context(NamedTuple):
    """Inputs of the networks, float32; the last row stands for 'no CpG here'.

    reads : [N + 1, R], read counts of each CpG, for its neighbours.
    spacing : [N + 1, E], distances and density, known of the CpG itself.
    """

    reads: Tensor
    spacing: Tensor


def read_features(modified: Tensor, unmodified: Tensor) -> Tensor:
    """Counts [..., T] as a network reads them: how many, and the fraction; [..., 3T]."""
    fraction = (modified - unmodified) / (modified + unmodified + 1)
    return torch.cat([torch.log1p(modified), torch.log1p(unmodified), fraction], dim=-1)


def context_of(
    contig: NDArray[np.int32],
    position: NDArray[np.int64],
    modified: NDArray[np.int32],
    covered: NDArray[np.int32],
    extra: NDArray[np.float32] | None = None,
) -> Context:
    """Inputs of N CpGs in genome order. extra : [N, X], anything else that is known of a CpG, standardised."""
    before, after = spacing_bp(contig, position)
    columns = [np.log10(gap / NEAR_BP) for gap in (before, after)]
    columns += [np.log10(1 + neighbours_within(contig, position, reach)) for reach in DENSITY_BP]
    spacing = torch.from_numpy(np.stack(columns, axis=1).astype(np.float32))
    if extra is not None:
        spacing = torch.cat([spacing, torch.from_numpy(extra.astype(np.float32))], dim=1)
    reads = read_features(
        torch.from_numpy(modified.astype(np.float32)), torch.from_numpy((covered - modified).astype(np.float32))
    )
    reads = torch.cat([reads, spacing], dim=1)
    return Context(*(torch.cat([rows, torch.zeros(1, rows.shape[1])]) for rows in (reads, spacing)))


def spacing_bp(
    contig: NDArray[np.int32], position: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distance to the neighbour before and after, in bp, [N] each; FARTHEST_BP where there is none on the contig."""
    gap = np.full(len(position) + 1, FARTHEST_BP)
    same = np.diff(contig) == 0
    # two strands of one position count as 1 bp apart
    gap[1:-1][same] = np.clip(np.diff(position)[same], 1, FARTHEST_BP)
    return gap[:-1], gap[1:]


def neighbours_within(contig: NDArray[np.int32], position: NDArray[np.int64], reach_bp: int) -> NDArray[np.int64]:
    """Other CpGs within a distance on either side, [N]."""
    beyond = 2 * (int(position.max(initial=0)) + reach_bp + 1)  # contigs are placed so that none reaches another
    place = contig.astype(np.int64) * beyond + position
    inside = np.searchsorted(place, place + reach_bp, side="right") - np.searchsorted(place, place - reach_bp)
    return np.asarray(inside - 1)


def neighbour_sums(
    values: NDArray[Any], contig: NDArray[np.int32], position: NDArray[np.int64], distance_bp: float
) -> NDArray[Any]:
    """Sum of the values of all other CpGs of the contig, weighted exp(-distance / distance_bp); [N, C] as given."""
    gap = np.full(len(position), np.inf)
    gap[1:] = np.where(np.diff(contig) == 0, np.diff(position), np.inf)
    sums = np.empty_like(values, order="C")
    if len(values):
        sum_neighbours(np.ascontiguousarray(values), np.exp(-gap / distance_bp).astype(values.dtype), sums)
    return sums


class Windows(NamedTuple):
    """Stretches of neighbouring CpGs of one contig, the answer wanted for the core alone.

    rows : int64 [W, margin + core + margin], of the Context; its last row where there is no CpG.
    margin : CpGs on each side that are read but have no output.
    """

    rows: Tensor
    margin: int

    @property
    def core(self) -> Tensor:
        """Rows that an answer is wanted for, int64 [W, core]."""
        return self.rows[:, self.margin : self.rows.shape[1] - self.margin]


def windows_of(contig: NDArray[np.int32], wanted: NDArray[np.bool_], core: int, margin: int) -> Windows:
    """Cover every wanted CpG [N] by the core of one window; windows read CpGs of the same contig, wanted or not.

    A core may hold CpGs that are not wanted, for the caller to leave out; no wanted one is in two cores.
    """
    count, rows = len(contig), []
    places = np.flatnonzero(wanted)
    first = 0
    while first < len(places):
        begin = places[first]
        rows.append(begin)
        first = int(np.searchsorted(places, begin + core))
        if first < len(places):  # a core ends with its contig
            first = min(first, int(np.searchsorted(places, np.searchsorted(contig, contig[begin], side="right"))))
    starts = np.array(rows, dtype=np.int64)
    index = starts[:, None] + np.arange(-margin, core + margin)
    inside = (index >= 0) & (index < count)
    inside &= contig[np.clip(index, 0, count - 1)] == contig[np.clip(starts, 0, count - 1)][:, None]
    return Windows(torch.from_numpy(np.where(inside, index, count)), margin)


class Neighbourhood(nn.Module):
    """Reads the CpGs before and those after each CpG with one LSTM a side; a CpG's own reads never reach its answer."""

    def __init__(self, context: Context, width: int) -> None:
        super().__init__()
        n_in = context.reads.shape[1]
        self.before = nn.LSTM(n_in, width, batch_first=True)
        self.after = nn.LSTM(n_in, width, batch_first=True)
        self.width = 2 * width + context.spacing.shape[1]

    def forward(self, context: Context, windows: Windows) -> Tensor:
        """Features of the neighbours of each core CpG, [W, core, width]."""
        reads = context.reads[windows.rows]  # [W, L, R]
        margin, length = windows.margin, reads.shape[1]
        # the state before CpG i has read up to i - 1, and the one after it down to i + 1
        before = self.before(reads)[0][:, margin - 1 : length - margin - 1]
        after = self.after(reads.flip(1))[0].flip(1)[:, margin + 1 : length - margin + 1]
        return torch.cat([before, after, context.spacing[windows.core]], dim=-1)


def initialise(module: nn.Module, generator: torch.Generator) -> None:
    """Draw every weight anew, uniformly from +-1/sqrt(fan in), biases 0, so that the seed alone decides."""
    with torch.no_grad():
        for weight in module.parameters():
            if weight.ndim < 2:
                weight.zero_()
            else:
                bound = weight.shape[1] ** -0.5
                weight.uniform_(-bound, bound, generator=generator)

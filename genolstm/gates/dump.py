"""Everything at every base of one region: all factors, h and c of every layer, both strands."""

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genolstm.cells.replay import CellTrace
from genolstm.errors import UsageError
from genolstm.gates.places import Places, sample_plan
from genolstm.model import NextSymbolModel
from genolstm.regions import Region, stretches_of
from genolstm.store.genome import Genome
from genolstm.stream.blocks import traces_of
from genolstm.stream.reader import GenomeReader
from genolstm.stream.reading import read_stretches

MOST_BYTES = 2_000_000_000  # of a dump: what a viewer still opens
FACTORS = ("forget", "write", "candidate", "read")


class DumpSink(Protocol):
    """Where a dump goes: one factor or state of one layer at bases `first ..` of the region, [n, H]."""

    def start_dump(self, region: Region, factors: tuple[str, ...], units: int) -> None: ...  # noqa: D102
    def write_dump(  # noqa: D102
        self, name: str, strand: int, layer: int, first: int, values: NDArray[np.float32]
    ) -> None: ...


def check_dump(model: NextSymbolModel, genome: Genome, region: Region) -> None:
    """Refuse a region whose dump would be too large. Raises UsageError with the number of bases that would do."""
    strands = 1 if genome.alphabet.complement is None else 2
    each = strands * model.settings.layers * model.settings.hidden * (len(FACTORS) + 2) * np.dtype(np.float32).itemsize
    if (region.end - region.start) * each > MOST_BYTES:
        raise UsageError(
            f"a dump of {region.end - region.start:,} bases would take {(region.end - region.start) * each / 1e9:.1f}"
            f" GB, and {MOST_BYTES / 1e9:.0f} GB is the most; name a region of {MOST_BYTES // each:,} bases or fewer."
        )


@torch.inference_mode()
def dump_region(reader: GenomeReader, region: Region, sink: DumpSink) -> None:
    """Write the dump of one region, read on from what stands before it on each strand.

    At a base stand the factors of the step that reads it, and h and c after that step. NaN at the last base of a
    contig along each strand, which is never read: there is nothing after it to predict.
    """
    model = reader.model
    plan = sample_plan(reader.genome, stretches_of([region], reader.genome.names), 1)
    started = False
    for block in read_stretches(reader, plan.read, warmup=True):
        places = plan.places_in(block, 1)
        holds = block.weight[places.lane] > 0
        if not holds.any():
            continue
        traces = traces_of(model, block)
        if not started:
            sink.start_dump(region, tuple(_columns(traces[0])), model.settings.hidden)
            started = True
        for layer, trace in enumerate(traces):
            columns = {**_columns(trace), "hidden": block.layers[layer], "memory": trace.memory}
            for name, values in columns.items():
                _write(sink, name, layer, values, places.of(holds), block.sign)


def _columns(trace: CellTrace) -> dict[str, Tensor]:
    return {name: values for name, values in trace.gates._asdict().items() if values is not None}


def _write(sink: DumpSink, name: str, layer: int, values: Tensor, places: Places, sign: NDArray[np.int64]) -> None:
    """Write one quantity lane by lane. values : [B, T, H]."""
    for lane in np.unique(places.lane).tolist():
        mine = places.lane == lane
        chosen = values[lane, torch.from_numpy(places.step[mine]).to(values.device)].float().cpu().numpy()
        if sign[lane] > 0:
            sink.write_dump(name, 0, layer, int(places.sample[mine][0]), chosen)
        else:
            sink.write_dump(name, 1, layer, int(places.sample[mine][-1]), chosen[::-1])

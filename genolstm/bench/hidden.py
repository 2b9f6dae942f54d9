"""Hidden states into our HDF5 file beside h5py's gzip default."""

import math
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from genolstm.alphabet import DNA
from genolstm.bench.bounds import writing_bound
from genolstm.bench.timing import Baseline, Timing, beside
from genolstm.model import NextSymbolModel
from genolstm.settings.model import ModelSettings
from genolstm.store.files import Provenance, Records
from genolstm.store.gzipped_states import write_gzipped
from genolstm.store.hidden import SiteTable, write_hidden

STATES_BYTES = 1 << 25  # written
BLOCK = 1024  # sites that are handed over at a time, as reading meets them
PASSES = ("own", "other")
PROVENANCE = Provenance(command="genolstm bench hdf5", settings={}, seed=0, inputs={}, device="cpu")


def time_hidden(model: ModelSettings, rounds: int) -> list[Timing]:
    """Time writing hidden states of all layers and both passes, float16, against the same array gzipped by h5py.

    Ours is the whole writer of 'genolstm embed': states put in place on disk, chunks of whole rows without a filter,
    SHA-256 of the content, synced. The states are those of an untrained network on evenly drawn bases.
    """
    states = made_states(model)  # [sites, 2 x layers x H]
    count, half = len(states), states.shape[1] // len(PASSES)
    features = [
        (one, layer, "h", unit, "") for one in PASSES for layer in range(model.layers) for unit in range(model.hidden)
    ]
    sites = _made_sites(count)

    def blocks() -> Iterator[tuple[NDArray[np.int64], int, NDArray[np.float16]]]:
        for reading in range(len(PASSES)):
            for first in range(0, count, BLOCK):
                rows = np.arange(first, min(first + BLOCK, count))
                yield rows, reading, states[rows, reading * half : (reading + 1) * half]

    with tempfile.TemporaryDirectory() as folder:
        ours, gzipped = Path(folder) / "hidden.h5", Path(folder) / "gzipped.h5"
        baseline = Baseline("h5py gzip default", lambda: write_gzipped(gzipped, states))
        return beside(
            "hdf5", "bytes", states.nbytes,
            lambda: write_hidden(ours, sites, features, blocks(), dict, Records(), PROVENANCE), [baseline], rounds,
            shape=f"{count:,} sites x {states.shape[1]:,}", bound=writing_bound(Path(folder), states.nbytes),
        )  # fmt: skip


@torch.inference_mode()
def made_states(model: ModelSettings) -> NDArray[np.float16]:
    """States of a random-init network, [sites, 2 x layers x H], STATES_BYTES in all."""
    network = NextSymbolModel(model, seed=0).eval()
    sites = max(1, STATES_BYTES // (np.dtype(np.float16).itemsize * len(PASSES) * model.layers * model.hidden))
    lanes = math.isqrt(sites)  # about as many as steps
    codes = np.random.default_rng(0).integers(0, DNA.n_known, (len(PASSES), lanes, sites // lanes), dtype=np.uint8)
    read = [
        torch.cat(network.forward(torch.from_numpy(each), network.initial_state(lanes)).layers, dim=-1).flatten(0, 1)
        for each in codes
    ]
    return torch.cat(read, dim=-1).half().numpy()


def _made_sites(count: int) -> SiteTable:
    start = np.arange(count, dtype=np.int64)
    return SiteTable(
        contigs=("random",), contig=np.zeros(count, np.int32), start=start, end=start + 1,
        strand=np.ones(count, np.int8), name=(".",) * count,
    )  # fmt: skip

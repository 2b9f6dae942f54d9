"""Forget gate at the edges of peaks of open chromatin, against matched positions."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from genolstm.gates.enrichment import block_interval, matched_positions, permutation_test
from genolstm.gates.factors import FORGET, FactorReader, readers_of, steps_at
from genolstm.model import NextSymbolModel
from genolstm.readers.bed import Bed
from genolstm.regions import Stretches, block_numbers
from genolstm.seeds import spawn
from genolstm.settings.probe import AccessibilitySettings
from genolstm.states.sites import Wanted
from genolstm.store.genome import Genome
from genolstm.stream.blocks import Block
from genolstm.stream.reader import GenomeReader
from genolstm.stream.sharding import owners_at

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MOST_EDGES = 5_000  # drawn by the seed
DIRECTIONS = {1: "into", -1: "out of"}


@dataclass(frozen=True, kw_only=True)
class EdgeSets:
    """Edges of peaks as each strand reads them, each with positions of the same composition.

    contig, sign, inside : [E]; inside is +1 where the strand reads into the peak, -1 where it reads out of it.
    positions : [E, 1 + M], 0-based, the first base beyond the edge as it is read, then its matches.
    offsets : [K], bp along the reading at which the gate is wanted.   skipped : reason -> edges x strands.
    """

    contig: Ints
    sign: Ints
    inside: Ints
    positions: Ints
    offsets: Ints
    skipped: dict[str, int]


def edge_sets(
    genome: Genome, peaks: Bed, contigs: Ints, settings: AccessibilitySettings, rng: np.random.Generator
) -> EdgeSets:
    """Edges of peaks on some contigs, both strands, with matched positions of the same contig and strand.

    A match ends in the same k-mer as the edge, has the same GC in the hundred bases around it, and lies further than
    the reach from every edge. Edges nearer than the reach to an end of their contig are left out.
    """
    table = np.unique(
        np.concatenate(
            [np.stack([peaks.contig, peaks.start, np.ones_like(peaks.start)], axis=1),
             np.stack([peaks.contig, peaks.end, -np.ones_like(peaks.end)], axis=1)]
        ), axis=0,
    )  # fmt: skip
    table = table[np.isin(table[:, 0], contigs)]
    every, skipped = table, dict[str, int]()
    if len(table) > MOST_EDGES:
        skipped[f"edges of peaks beyond {MOST_EDGES:,}"] = 2 * (len(table) - MOST_EDGES)
        table = table[np.sort(rng.choice(len(table), MOST_EDGES, replace=False))]
    reach, found = settings.edge_reach, []
    for contig in np.unique(table[:, 0]).tolist():
        address, length = int(genome.starts[contig]), int(genome.lengths[contig])
        codes = genome.all_codes[address : address + length]
        within = reach + 2, length - reach - 2
        for sign in (1, -1):
            shift = 0 if sign > 0 else 1  # to the first base beyond the edge, as it is read
            position = table[table[:, 0] == contig, 1] - shift
            inside = sign * table[table[:, 0] == contig, 2]
            here = (position >= within[0]) & (position < within[1])
            matches = matched_positions(
                codes, position[here], rng, sign=sign, k=settings.edge_word, matches=settings.edge_matches,
                barred=every[every[:, 0] == contig, 1] - shift, min_distance=reach, within=within,
            )  # fmt: skip
            full = matches[:, 0] >= 0
            rows = np.column_stack([position[here], matches])[full]
            found.append((np.full(len(rows), contig), np.full(len(rows), sign), inside[here][full], rows))
    kept = sum(len(each[0]) for each in found)
    if lost := 2 * len(table) - kept:
        skipped["edges of peaks without matched positions (both strands)"] = lost
    steps = reach // settings.edge_step
    none = np.zeros(0, dtype=np.int64)
    columns = [np.concatenate([none, *(each[place] for each in found)]) for place in range(3)]
    positions = [np.zeros((0, 1 + settings.edge_matches), dtype=np.int64), *(each[3] for each in found)]
    return EdgeSets(
        contig=columns[0],
        sign=columns[1],
        inside=columns[2],
        positions=np.concatenate(positions),
        offsets=settings.edge_step * np.arange(-steps, steps + 1),
        skipped=skipped,
    )


class ForgetAtEdges:
    """The forget gate around edges, gathered while a genome is read.

    values : float32 [layers, E, 1 + M, K], mean over units.
    """

    def __init__(self, model: NextSymbolModel, genome: Genome, sets: EdgeSets) -> None:
        self.sets, self.genome = sets, genome
        self.readers: list[FactorReader] = readers_of(model, forget_only=True)
        base = genome.starts[sets.contig][:, None] + sets.positions
        last = base[:, :, None] + sets.sign[:, None, None] * sets.offsets
        self.wanted = Wanted(last.ravel(), np.broadcast_to((sets.sign < 0)[:, None, None], last.shape).ravel())
        self.values = np.full((len(self.readers), *last.shape), np.nan, dtype=np.float32)

    @torch.inference_mode()
    def collect(self, block: Block) -> None:
        """Store the gate at the wanted positions of a block."""
        lane, step, request = self.wanted.within(block)
        device = block.logits.device
        for layer, reader in enumerate(self.readers):
            flat = self.values[layer].reshape(-1)
            for first in range(0, len(request), reader.tile):
                some = slice(first, first + reader.tile)
                at = torch.from_numpy(lane[some]).to(device), torch.from_numpy(step[some]).to(device)
                gate = reader.read(steps_at(block, layer, *at)).values  # [n, H]
                flat[request[some]] = gate.mean(dim=1).float().cpu().numpy()

    def gather_into(self, reader: GenomeReader, stretches: Stretches) -> None:
        """Add in the main process the values of the other processes. stretches : those that all have read."""
        first = self.genome.starts[self.sets.contig] + self.sets.positions[:, 0]
        owner = owners_at(reader, stretches, first, self.sets.sign < 0, warmup=False)
        for values in self.values:
            reader.ranks.gather_into(values, owner)


def has_forget_gate(model: NextSymbolModel) -> bool:
    """Whether the cell has a forget gate."""
    return FORGET in readers_of(model)[0].names


def forgetting(
    found: dict[str, ForgetAtEdges], settings: AccessibilitySettings, block_bp: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tests and profiles as columns, a row for each model, layer and direction. found : model -> its gates.

    Tested is the mean forget gate within `edge_near` of the edge against that of its matches, by permutation within
    matched sets (see `gates.enrichment.permutation_test`); both strands together. block_bp : resampled together.
    """
    rows: list[dict[str, Any]] = []
    shown: list[tuple[Floats, Floats]] = []
    for name, gates in found.items():
        sets = gates.sets
        near = np.abs(sets.offsets) <= settings.edge_near
        for layer, values in enumerate(gates.values):
            for inside, direction in DIRECTIONS.items():
                mine = sets.inside == inside
                if not mine.any():
                    continue
                table = values[mine][:, :, near].mean(axis=2, dtype=np.float64)  # [n, 1 + M]
                rng = spawn(settings.seed, f"edges of peaks, {name}, layer {layer}, {direction}")
                block = block_numbers(sets.contig[mine], sets.positions[mine, 0], block_bp)
                away = table[:, 0] - table[:, 1:].mean(axis=1)
                _, low, high = block_interval(away, block, rng, resamples=settings.resamples)
                rows.append(
                    {
                        "model": name, "direction": direction, "layer": layer, "edges": len(table),
                        "value": table[:, 0].mean(), "matched": table[:, 1:].mean(), "difference": away.mean(),
                        "low": low, "high": high, "sd": table[:, 1:].std(),
                        "p": permutation_test(table, rng, permutations=settings.permutations).p,
                    }
                )  # fmt: skip
                profile = values[mine].mean(axis=0, dtype=np.float64)  # [1 + M, K]
                shown.append((profile[0], profile[1:].mean(axis=0)))
    if not rows:
        return {}, {}
    text, whole = ("model", "direction"), {"layer": np.int32, "edges": np.int64}
    edges: dict[str, Any] = {
        name: [row[name] for row in rows] if name in text
        else np.array([row[name] for row in rows], dtype=whole.get(name, np.float64))
        for name in rows[0]
    }  # fmt: skip
    edges["p_adjusted"] = np.minimum(1.0, edges["p"] * len(rows))
    profiles = {
        "offset": next(iter(found.values())).sets.offsets,
        "forget": np.array([each[0] for each in shown]),
        "matched": np.array([each[1] for each in shown]),
    }
    return edges, profiles

"""Places where polypeptides are probed, and the targets: charge and hydropathy so far and ahead, and codon frame."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError
from genolstm.polypeptide import hydropathy_ahead, mean_hydropathy, net_charge
from genolstm.probes.protein_chains import Chains
from genolstm.readers.genetic_codes import CODON
from genolstm.regions import Part, Sites

PREFIX_TARGETS = ("charge", "charge_per_residue", "hydropathy")
FEWEST = 2  # proteins of a part
AHEAD, FRAME = "hydropathy_ahead", "frame"
UNITS = {
    "charge": "elementary charges at pH 7, of residues 1..t",
    "charge_per_residue": "elementary charges at pH 7 a residue, of residues 1..t",
    "hydropathy": "mean Kyte-Doolittle hydropathy of residues 1..t",
    AHEAD: "mean Kyte-Doolittle hydropathy of the residues that follow t",
    FRAME: "which base of its codon was read last, 0, 1 or 2",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Places:
    """Places in chains, sorted by contig, position and strand, and the truth at each.

    chain : int64 [N], number in `Chains`.   residues : int64 [N], t, residues read.   place : int64 [N], in the chain's
    sequence, of the last symbol read.   truth : by target, [N].
    """

    chain: NDArray[np.int64]
    residues: NDArray[np.int64]
    place: NDArray[np.int64]
    sites: Sites
    truth: Mapping[str, NDArray[np.float32] | NDArray[np.int8]]


def drawn_residues(
    chains: Chains, *, positions: int, shortest: int, ahead: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Chain and t of up to `positions` places in each chain, drawn evenly from shortest .. L - ahead; int64 [N]."""
    chain, residues = [], []
    for number, length in enumerate(chains.lengths.tolist()):
        possible = length - ahead - shortest + 1
        drawn = np.sort(rng.choice(possible, size=min(positions, possible), replace=False)) + shortest
        chain.append(np.full(len(drawn), number, dtype=np.int64))
        residues.append(drawn.astype(np.int64))
    return np.concatenate(chain), np.concatenate(residues)


def prefix_places(
    chains: Chains, contigs: tuple[str, ...], chain: NDArray[np.int64], residues: NDArray[np.int64], *, ahead: int
) -> tuple[Places, int]:
    """Places after the last symbol of residue t, and how many were left out for want of a truth.

    A prefix or the stretch ahead of it may hold nothing but unknown residues.
    """
    truth = {name: np.zeros(len(chain)) for name in (*PREFIX_TARGETS, AHEAD)}
    for number in np.unique(chain):
        rows = np.flatnonzero(chain == number)
        at = residues[rows] - 1
        protein = chains.proteins[number]
        charge = net_charge(protein)[at]
        truth["charge"][rows] = charge
        truth["charge_per_residue"][rows] = charge / residues[rows]
        truth["hydropathy"][rows] = mean_hydropathy(protein)[at]
        truth[AHEAD][rows] = hydropathy_ahead(protein, ahead)[at]
    known = np.flatnonzero(np.all([np.isfinite(values) for values in truth.values()], axis=0))
    place = chains.begins[chain] + chains.step * residues - 1
    label = np.zeros(len(chain), dtype=np.int8)
    values = {name: each[known].astype(np.float32) for name, each in truth.items()}
    places = _sorted(chains, contigs, chain[known], residues[known], place[known], label[known], values)
    return places, len(chain) - len(known)


def frame_places(
    chains: Chains, contigs: tuple[str, ...], chain: NDArray[np.int64], residues: NDArray[np.int64],
    rng: np.random.Generator,
) -> Places:  # fmt: skip
    """Places after a base of codon t, drawn among its three; the truth is which of them, 0, 1 or 2."""
    frame = rng.integers(0, CODON, len(chain)).astype(np.int8)
    place = chains.begins[chain] + CODON * (residues - 1) + frame
    return _sorted(chains, contigs, chain, residues, place, frame, {FRAME: frame})


def _sorted(
    chains: Chains, contigs: tuple[str, ...], chain: NDArray[np.int64], residues: NDArray[np.int64],
    place: NDArray[np.int64], label: NDArray[np.int8], truth: Mapping[str, NDArray[np.float32] | NDArray[np.int8]],
) -> Places:  # fmt: skip
    position = np.empty(len(chain), dtype=np.int64)
    for number in np.unique(chain):
        rows = np.flatnonzero(chain == number)
        position[rows] = chains.positions(int(number), place[rows])
    order = np.lexsort((chains.strand[chain], position, chains.contig[chain]))
    chain, residues, place = chain[order], residues[order], place[order]
    sites = Sites(
        contigs=contigs,
        contig=chains.contig[chain],
        position=position[order],
        strand=chains.strand[chain],
        label=label[order],
        part=chains.part[chain],
        block=chains.cluster[chain],
    )
    values = {name: each[order] for name, each in truth.items()}
    return Places(chain=chain, residues=residues, place=place, sites=sites, truth=values)


def require_parts(places: Places) -> None:
    """Fail before anything is read. Raises InputError where a part has hardly a place."""
    for part in Part:
        n_chains = len(np.unique(places.chain[places.sites.part == part]))
        if n_chains < FEWEST:
            raise InputError(
                f"the {part.name.lower()} part holds {n_chains} proteins that can be probed, and {FEWEST} are needed;"
                " give more proteins, or name --train-contigs and --test-contigs with more genes."
            )

"""Seqlets: the sequence around places where a model's evidence lies, and around matched places where it does not.

Evidence is either low bits (what the model predicts well), as the mean of `CORE` bases, or what a probe says of a
candidate. Matched places are of the same contig, apart from all that were chosen, of weaker evidence, and of the
nearest composition of the whole seqlet; where evidence is low bits, also of exactly the same composition of the bases
that these are taken over: what single letters explain is then no motif.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from genolstm.alphabet import DNA
from genolstm.errors import InputError
from genolstm.seeds import spawn
from genolstm.settings.explaining import MotifSettings
from genolstm.store.genome import Genome
from genolstm.store.prediction import Prediction
from genolstm.store.score import ScoreFile

CORE = 8  # bases over which bits are averaged, around a place: 4 before it and 4 from it on, in reading direction
MOST_FRACTION = 0.1  # of all places that can be seqlets
POOL = 40  # weaker places that matches are looked for among, for each match
NEAREST = 4  # of which one that is still free is taken, for each match
MOST_BASES = 20_000_000  # of a score file: 64 bytes of each are held
BITS = "bits"
Whole = NDArray[np.int64]
Floats = NDArray[np.float64]


class Evidence(NamedTuple):
    """Places and how strong the evidence is at each. core : bases that it is taken over, 0 where it is of one place.

    contig, position : int64 [n], 0-based.   strand : int64 [n], +1 or -1.   value : float64 [n], high is strong.
    bases : of genome that they come from.
    """

    name: str
    core: int
    bases: int
    contig: Whole
    position: Whole
    strand: Whole
    value: Floats


class Seqlets(NamedTuple):
    """Sequences in reading direction, the place at column `reach`.

    codes : uint8 [n, 2 reach + 1].   matched : uint8 [m, 2 reach + 1].   of : int64 [m], the seqlet that each is
    matched to.   contig, position, strand : int64 [n].   unmatched : seqlets left out because nothing matches.
    """

    codes: NDArray[np.uint8]
    matched: NDArray[np.uint8]
    of: Whole
    contig: Whole
    position: Whole
    strand: Whole
    unmatched: int


def evidence_of_bits(scores: ScoreFile, genome: Genome) -> Iterator[Evidence]:
    """Minus the mean bits of `CORE` bases around every base of a score file, on both strands.

    Raises InputError for a file of another genome, or one that is too large.
    """
    stretches = scores.stretches
    if scores.lengths != genome.length_of:
        raise InputError(f"the scores are of other contigs than {genome.path}; name the genome that was scored.")
    if stretches.bases > MOST_BASES:
        raise InputError(
            f"the score file holds {stretches.bases:,} bases, and motifs are looked for in at most {MOST_BASES:,}:"
            " score a --region of them."
        )
    columns: list[tuple[Whole, ...]] = []
    values: list[Floats] = []
    first = 0
    for contig, start, end in zip(
        stretches.contig.tolist(), stretches.start.tolist(), stretches.end.tolist(), strict=True
    ):
        for strand in range(scores.strands):
            bits = scores.read(strand, first, first + end - start).astype(np.float64)
            total = np.append(0, np.cumsum(np.nan_to_num(bits)))
            unknown = np.append(0, np.cumsum(np.isnan(bits)))
            low = np.arange(len(bits) - CORE + 1)
            kept = unknown[low + CORE] == unknown[low]
            mean = (total[low + CORE] - total[low])[kept] / CORE
            # in reading direction half of the bases come before the place: on the reverse strand it is one base less
            place = start + low[kept] + CORE // 2 - strand
            columns.append((np.full(len(place), contig), place, np.full(len(place), -1 if strand else 1)))
            values.append(-mean)
        first += end - start
    contigs, positions, strands = (np.concatenate(parts).astype(np.int64) for parts in zip(*columns, strict=True))
    yield Evidence(BITS, CORE, stretches.bases, contigs, positions, strands, np.concatenate(values))


def evidence_of_prediction(found: Prediction, genome: Genome) -> Iterator[Evidence]:
    """What a probe says of each candidate: of each target, and of each class but the first where there are several.

    Raises InputError for predictions on another genome.
    """
    if found.length_of != genome.length_of:
        raise InputError(f"the predictions are on other contigs than {genome.path}; name the genome they were made on.")
    for target in found.targets:
        parts = list(target.rows())
        if not parts:
            continue
        contig, position, strand = (
            np.concatenate([getattr(part, name) for part in parts]).astype(np.int64)
            for name in ("contig", "position", "strand")
        )
        value = np.concatenate([part.value for part in parts])
        if value.ndim > 1:
            columns = {f"{target.name}-{name}": value[:, at] for at, name in enumerate(target.classes) if at}
        else:
            columns = {target.name: value}
        bases = int(genome.lengths[np.unique(contig)].sum())
        for name, column in columns.items():
            middle = position + target.width // 2
            yield Evidence(name, 0, bases, contig, middle, np.where(strand < 0, -1, 1), column)


def seqlets_of(evidence: Evidence, genome: Genome, settings: MotifSettings) -> Seqlets:
    """The strongest places that do not overlap, and their matches. Raises InputError where there is none."""
    rng = spawn(settings.seed, f"seqlets {evidence.name}")
    inside = _inside(evidence, genome, settings.reach)
    most = min(settings.seqlets, int(MOST_FRACTION * len(inside)))
    chosen = _strongest(evidence, inside, most, 2 * settings.reach + 1)
    if not len(chosen):
        raise InputError(
            f"{evidence.name}: no place has {settings.reach} known bases on either side; give more sequence, or a"
            " shorter --reach."
        )
    weak = inside[evidence.value[inside] <= evidence.value[chosen].min()]
    weak = weak[_apart(evidence, weak, chosen, 2 * settings.reach + 1)]
    wanted = POOL * settings.matches * len(chosen)
    pool = np.sort(rng.choice(weak, min(wanted, len(weak)), replace=False))
    codes, pool_codes = (_codes(evidence, rows, genome, settings.reach) for rows in (chosen, pool))
    known = (codes < DNA.n_known).all(axis=1)
    chosen, codes = chosen[known], codes[known]
    fit = (pool_codes < DNA.n_known).all(axis=1)
    pool, pool_codes = pool[fit], pool_codes[fit]
    keys, pool_keys = (
        _keys(evidence, rows, letters, settings.reach) for rows, letters in ((chosen, codes), (pool, pool_codes))
    )
    matches = _matches(codes, keys, pool_codes, pool_keys, settings.matches)
    kept = np.flatnonzero([len(rows) > 0 for rows in matches])
    if not len(kept):
        raise InputError(f"{evidence.name}: no weaker place matches a strong one; give more sequence.")
    of = np.repeat(np.arange(len(kept)), [len(matches[row]) for row in kept])
    rows = chosen[kept]
    return Seqlets(
        codes[kept], pool_codes[np.concatenate([matches[row] for row in kept])], of,
        evidence.contig[rows], evidence.position[rows], evidence.strand[rows], len(matches) - len(kept),
    )  # fmt: skip


def _inside(evidence: Evidence, genome: Genome, reach: int) -> Whole:
    """Rows whose seqlet lies within its contig."""
    length = genome.lengths[evidence.contig]
    return np.flatnonzero((evidence.position >= reach) & (evidence.position + reach < length))


def _strongest(evidence: Evidence, rows: Whole, most: int, apart: int) -> Whole:
    """The strongest rows, none of which are nearer to another on its strand than `apart`."""
    order = rows[np.argsort(-evidence.value[rows], kind="stable")][: 4 * apart * most]
    contig, position, strand = (getattr(evidence, name)[order].tolist() for name in ("contig", "position", "strand"))
    taken: dict[tuple[int, int, int], list[int]] = {}
    chosen: list[int] = []
    for row, c, p, s in zip(order.tolist(), contig, position, strand, strict=True):
        if len(chosen) >= most:
            break
        cell = p // apart
        near = (q for each in (cell - 1, cell, cell + 1) for q in taken.get((c, s, each), ()))
        if all(abs(p - q) >= apart for q in near):
            taken.setdefault((c, s, cell), []).append(p)
            chosen.append(row)
    return np.array(sorted(chosen), dtype=np.int64)


def _apart(evidence: Evidence, rows: Whole, chosen: Whole, apart: int) -> NDArray[np.bool_]:
    """Whether each row lies apart from all chosen ones, of either strand."""
    line = int(evidence.position.max()) + 2 * apart + 1  # contigs end to end, with a gap between
    taken = np.sort(evidence.contig[chosen] * line + evidence.position[chosen])
    place = evidence.contig[rows] * line + evidence.position[rows]
    at = np.searchsorted(taken, place)
    before = place - taken[np.maximum(at - 1, 0)]
    after = taken[np.minimum(at, len(taken) - 1)] - place
    free: NDArray[np.bool_] = ((at == 0) | (before >= apart)) & ((at == len(taken)) | (after >= apart))
    return free


def _codes(evidence: Evidence, rows: Whole, genome: Genome, reach: int) -> NDArray[np.uint8]:
    """Letters around each place in reading direction, uint8 [n, 2 reach + 1]."""
    strand = evidence.strand[rows]
    address = (genome.starts[evidence.contig[rows]] + evidence.position[rows])[:, None]
    codes = genome.all_codes[address + strand[:, None] * np.arange(-reach, reach + 1)]
    turned: NDArray[np.uint8] = np.where(strand[:, None] < 0, DNA.complement[codes], codes)  # type: ignore[index]
    return turned.astype(np.uint8)


def _keys(evidence: Evidence, rows: Whole, codes: NDArray[np.uint8], reach: int) -> Whole:
    """Numbers that are equal where contig and composition of the core are."""
    keys = evidence.contig[rows]
    if evidence.core:
        core = codes[:, reach - evidence.core // 2 : reach + evidence.core // 2]
        for letter in range(DNA.n_known):
            keys = keys * (evidence.core + 1) + (core == letter).sum(axis=1)
    return keys


def _matches(
    codes: NDArray[np.uint8], keys: Whole, pool: NDArray[np.uint8], pool_keys: Whole, matches: int
) -> list[Whole]:
    """Rows of the pool for each seqlet, of its key and the nearest composition, each row once."""
    counts, pool_counts = (
        np.stack([(each == letter).sum(axis=1) for letter in range(DNA.n_known)], axis=1) for each in (codes, pool)
    )
    free = np.ones(len(pool), dtype=bool)
    found: list[Whole] = [np.array([], dtype=np.int64) for _ in codes]
    for key in np.unique(keys).tolist():
        mine, theirs = np.flatnonzero(keys == key), np.flatnonzero(pool_keys == key)
        if not len(theirs):
            continue
        asked = min(NEAREST * matches, len(theirs))
        _, near = cKDTree(pool_counts[theirs]).query(counts[mine], k=np.arange(1, asked + 1))
        for row, nearest in zip(mine.tolist(), theirs[near], strict=True):
            taken = nearest[free[nearest]][:matches]
            free[taken] = False
            found[row] = taken
    return found

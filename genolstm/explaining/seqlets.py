"""Seqlets: the sequence around places where a model's evidence lies, and around matched places where it does not.

Evidence is either low bits (what the model predicts well), as the mean of `CORE` bases, or what a probe says of a
candidate. Matched places are of the same contig, apart from all that were chosen, of weaker evidence, and of the
nearest composition of the whole seqlet; where evidence is low bits, also of exactly the same composition of the bases
that these are taken over: what single letters explain is then no motif.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from genolstm.alphabet import DNA
from genolstm.errors import InputError
from genolstm.regions import Stretches
from genolstm.seeds import spawn
from genolstm.settings.explaining import MotifSettings
from genolstm.store.genome import Genome
from genolstm.store.prediction import PredictedTarget, Prediction
from genolstm.store.score import ScoreFile

CORE = 8  # bases over which bits are averaged, around a place: 4 before it and 4 from it on, in reading direction
MOST_FRACTION = 0.1  # of all places that can be seqlets
POOL = 40  # weaker places that matches are looked for among, for each match
NEAREST = 4  # of which one that is still free is taken, for each match
SLAB = 1 << 18  # bases of a score file read at a time
BITS = "bits"
Whole = NDArray[np.int64]
Floats = NDArray[np.float64]


class Places(NamedTuple):
    """Some of the places with evidence.

    row : int64 [n], the number of each among all of them.   contig, position : int64 [n], 0-based.   strand : int64
    [n], +1 or -1.   value : float64 [n], high is strong.
    """

    row: Whole
    contig: Whole
    position: Whole
    strand: Whole
    value: Floats

    def only(self, kept: NDArray[np.bool_] | np.bool_ | Whole | slice) -> "Places":
        """Some of them, as an index of arrays names them."""
        return Places._make(column[kept] for column in self)

    @staticmethod
    def joined(parts: "list[Places]") -> "Places":
        """Those of some parts, which may be none."""
        nothing = np.zeros(0, dtype=np.int64)
        empty = Places(nothing, nothing, nothing, nothing, np.zeros(0))
        return Places._make(map(np.concatenate, zip(empty, *parts, strict=True)))


class Evidence(NamedTuple):
    """Places and how strong the evidence is at each. core : bases that it is taken over, 0 where it is of one place.

    bases : of genome that they come from.   places : all of them, some at a time, the same whenever they are asked for.
    """

    name: str
    core: int
    bases: int
    places: Callable[[], Iterator[Places]]


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

    Raises InputError for a file of another genome.
    """
    if scores.lengths != genome.length_of:
        raise InputError(f"the scores are of other contigs than {genome.path}; name the genome that was scored.")
    stretches = scores.stretches
    yield Evidence(BITS, CORE, stretches.bases, lambda: _places_of_bits(scores, stretches))


def _places_of_bits(scores: ScoreFile, stretches: Stretches) -> Iterator[Places]:
    """Places whose bits are all known, a slab of scored bases at a time, one strand of it after the other."""
    size = stretches.end - stretches.start
    first_of = np.cumsum(size) - size
    found = 0
    for slab in range(0, stretches.bases - CORE + 1, SLAB):
        end = min(slab + SLAB + CORE - 1, stretches.bases)
        low = np.arange(slab, end - CORE + 1)
        stretch = np.searchsorted(first_of, low, "right") - 1
        whole = low + CORE <= (first_of + size)[stretch]
        for strand in range(scores.strands):
            bits = scores.read(strand, slab, end).astype(np.float64)
            mean = sliding_window_view(bits, CORE).mean(axis=1)
            kept = whole & ~np.isnan(mean)
            of = stretch[kept]
            # in reading direction half of the bases come before the place: on the reverse strand it is one base less
            place = stretches.start[of] + low[kept] - first_of[of] + CORE // 2 - strand
            rows, contig = np.arange(found, found + len(of)), stretches.contig[of].astype(np.int64)
            yield Places(rows, contig, place, np.full(len(of), -1 if strand else 1), -mean[kept])
            found += len(of)


def evidence_of_prediction(found: Prediction, genome: Genome) -> Iterator[Evidence]:
    """What a probe says of each candidate: of each target, and of each class but the first where there are several.

    Raises InputError for predictions on another genome.
    """
    if found.length_of != genome.length_of:
        raise InputError(f"the predictions are on other contigs than {genome.path}; name the genome they were made on.")
    for target in found.targets:
        contigs = {each for part in target.rows() for each in np.unique(part.contig).tolist()}
        if not contigs:
            continue
        bases = int(genome.lengths[list(contigs)].sum())
        if len(target.classes) > 2:
            columns = {f"{target.name}-{name}": at for at, name in enumerate(target.classes) if at}
            for name, at in columns.items():
                yield Evidence(name, 0, bases, partial(_places_of_target, target, at))
        else:
            yield Evidence(target.name, 0, bases, partial(_places_of_target, target, None))


def _places_of_target(target: PredictedTarget, column: int | None) -> Iterator[Places]:
    """Middles of candidates, with what is said of each. column : of a class."""
    first = 0
    for part in target.rows():
        row, contig, position = np.arange(first, first + len(part.contig)), part.contig, part.position.astype(np.int64)
        value = part.value if column is None else part.value[:, column]
        yield Places(row, contig, position + target.width // 2, np.where(part.strand < 0, -1, 1), value)
        first += len(row)


def seqlets_of(evidence: Evidence, genome: Genome, settings: MotifSettings) -> Seqlets:
    """The strongest places that do not overlap, and their matches. Raises InputError where there is none.

    Places are read three times, so that no more of them are held than are asked for.
    """
    rng, apart = spawn(settings.seed, f"seqlets {evidence.name}"), 2 * settings.reach + 1
    chosen = _strongest(_inside(evidence, genome, settings.reach), settings.seqlets, apart)
    if not len(chosen.row):
        raise InputError(
            f"{evidence.name}: no place has {settings.reach} known bases on either side; give more sequence, or a"
            " shorter --reach."
        )
    taken, weakest = np.sort(_on_a_line(chosen, genome, apart)), float(chosen.value.min())

    def weak() -> Iterator[Places]:
        """Those that are weaker than all chosen ones, and apart from them."""
        for part in _inside(evidence, genome, settings.reach):
            weaker = part.only(part.value <= weakest)
            yield weaker.only(_apart(_on_a_line(weaker, genome, apart), taken, apart))

    pool = _drawn(weak, POOL * settings.matches * len(chosen.row), rng)
    codes, pool_codes = (_codes(places, genome, settings.reach) for places in (chosen, pool))
    known = (codes < DNA.n_known).all(axis=1)
    chosen, codes = chosen.only(known), codes[known]
    fit = (pool_codes < DNA.n_known).all(axis=1)
    pool, pool_codes = pool.only(fit), pool_codes[fit]
    keys, pool_keys = (
        _keys(evidence, places, letters, settings.reach) for places, letters in ((chosen, codes), (pool, pool_codes))
    )
    matches = _matches(codes, keys, pool_codes, pool_keys, settings.matches)
    kept = np.flatnonzero([len(rows) > 0 for rows in matches])
    if not len(kept):
        raise InputError(
            f"{evidence.name}: no weaker place of its contig matches a strong one; give more or longer contigs."
        )
    of = np.repeat(np.arange(len(kept)), [len(matches[row]) for row in kept])
    matched = pool_codes[np.concatenate([matches[row] for row in kept])]
    _, contig, position, strand, _ = chosen.only(kept)
    return Seqlets(codes[kept], matched, of, contig, position, strand, len(matches) - len(kept))


def _inside(evidence: Evidence, genome: Genome, reach: int) -> Iterator[Places]:
    """Places whose seqlet lies within its contig."""
    for part in evidence.places():
        beyond = genome.lengths[part.contig] - part.position
        yield part.only(np.flatnonzero((part.position >= reach) & (beyond > reach)))


def _strongest(places: Iterator[Places], most: int, apart: int) -> Places:
    """The strongest places, none of which are nearer to another on its strand than `apart`, by their rows.

    most : of them; and never more than a tenth of all.
    """
    room = 4 * apart * most
    count, least, waiting, held = 0, -np.inf, 0, list[Places]()

    def leading() -> Places:
        """The strongest that were read so far, strongest first, of equal ones the first."""
        joined = Places.joined(held)
        return joined.only(np.argsort(-joined.value, kind="stable")[:room])

    for part in places:
        count += len(part.row)
        held.append(part.only(part.value >= least))
        waiting += len(held[-1].row)
        if waiting > max(room, SLAB):
            held, waiting = [leading()], 0
            least = float(held[0].value[-1])
    most = min(most, int(MOST_FRACTION * count))
    order = leading().only(slice(0, 4 * apart * most))
    taken: dict[tuple[int, int, int], list[int]] = {}
    chosen: list[int] = []
    columns = (column.tolist() for column in (order.contig, order.position, order.strand))
    for at, (c, p, s) in enumerate(zip(*columns, strict=True)):
        if len(chosen) >= most:
            break
        cell = p // apart
        near = (q for each in (cell - 1, cell, cell + 1) for q in taken.get((c, s, each), ()))
        if all(abs(p - q) >= apart for q in near):
            taken.setdefault((c, s, cell), []).append(p)
            chosen.append(at)
    found = order.only(np.array(chosen, dtype=np.int64))
    return found.only(np.argsort(found.row))


def _on_a_line(places: Places, genome: Genome, apart: int) -> Whole:
    """Positions with contigs end to end, and a gap between that no place reaches across."""
    line: Whole = places.contig * (int(genome.lengths.max()) + 2 * apart) + places.position
    return line


def _apart(line: Whole, taken: Whole, apart: int) -> NDArray[np.bool_]:
    """Whether each position lies apart from all taken ones, sorted, of either strand."""
    at = np.searchsorted(taken, line)
    before = line - taken[np.maximum(at - 1, 0)]
    after = taken[np.minimum(at, len(taken) - 1)] - line
    free: NDArray[np.bool_] = ((at == 0) | (before >= apart)) & ((at == len(taken)) | (after >= apart))
    return free


def _drawn(places: Callable[[], Iterator[Places]], wanted: int, rng: np.random.Generator) -> Places:
    """Some places by lot, each with the same chance."""
    count = sum(len(part.row) for part in places())
    rows = np.sort(rng.choice(count, min(wanted, count), replace=False))
    found, first = list[Places](), 0
    for part in places():
        low, high = np.searchsorted(rows, [first, first + len(part.row)])
        found.append(part.only(rows[low:high] - first))
        first += len(part.row)
    return Places.joined(found)


def _codes(places: Places, genome: Genome, reach: int) -> NDArray[np.uint8]:
    """Letters around each place in reading direction, uint8 [n, 2 reach + 1]."""
    codes = genome.windows(genome.starts[places.contig] + places.position - reach, 2 * reach + 1)
    against = places.strand < 0
    codes[against] = DNA.complement[codes[against, ::-1]]  # type: ignore[index]
    genome.release()
    return codes


def _keys(evidence: Evidence, places: Places, codes: NDArray[np.uint8], reach: int) -> Whole:
    """Numbers that are equal where contig and composition of the core are."""
    keys = places.contig
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

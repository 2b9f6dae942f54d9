"""Which proteins are relatives: clusters that a split may not cut, and the largest identity left across a split.

Relatives are found as BLAST finds them (Altschul et al. 1997, Nucleic Acids Res. 25, 3389-3402): two common k-mers on
one diagonal, not far apart, make a candidate, whose best gapless segment on that diagonal is scored by BLOSUM62.
Stretches of low complexity (windows of 12 with an entropy of 2.2 bits or less: Wootton & Federhen 1993, Comput. Chem.
17, 149-163), k-mers that stand at very many places, and X are no evidence: they start no candidate, and in a segment
they count against it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from genolstm.alphabet import PROTEIN, Codes, decode
from genolstm.readers.compiled import compiled
from genolstm.settings.protein import HomologySettings

if TYPE_CHECKING:
    from Bio.Align import PairwiseAligner

Integers = NDArray[np.int64]

COMPLEXITY_WINDOW, COMPLEXITY_BITS = 12, 2.2
AGAINST = -1  # score of a residue that is unknown or of low complexity, opposite anything
GAP_OPEN, GAP_EXTEND = -11, -1  # as BLAST has them beside BLOSUM62
POSITION_BITS, DIAGONAL_BITS = 20, 21  # of a hit packed into one int64: chains of up to a million residues
LONGEST = 1 << POSITION_BITS
FIRST_PAIRS = 1 << 12


@dataclass(frozen=True, kw_only=True)
class LargestIdentity:
    """The two closest relatives on two sides of a split.

    identity : identical residues as a fraction of `aligned_residues`, which stand opposite each other in the alignment;
    0 where no alignment is long enough.   one, other : places of the two in their sides, -1 for none.
    aligned_pairs : how many candidate pairs were aligned.
    """

    identity: float
    aligned_residues: int
    one: int
    other: int
    aligned_pairs: int


def clusters_of(
    proteins: Sequence[Codes],
    settings: HomologySettings = HomologySettings(),  # noqa: B008  (frozen)
) -> Integers:
    """Cluster of each protein, so that no two linked ones have different clusters; int64 [N], numbered as met.

    proteins : codes of `alphabet.PROTEIN`, uint8.   Two are linked where a gapless segment scores
    `settings.link_score` or more; clusters are the connected components of the links.
    """
    if not len(proteins):
        return np.zeros(0, dtype=np.int64)
    one, other, score = _candidates(proteins, len(proteins), settings)
    linked = score >= settings.link_score
    links = coo_matrix((np.ones(linked.sum()), (one[linked], other[linked])), shape=(len(proteins), len(proteins)))
    _, label = connected_components(links, directed=False)
    _, first, cluster = np.unique(label, return_index=True, return_inverse=True)
    numbered: Integers = np.argsort(np.argsort(first))[cluster].astype(np.int64)
    return numbered


def largest_identity(
    one_side: Sequence[Codes],
    other_side: Sequence[Codes],
    settings: HomologySettings = HomologySettings(),  # noqa: B008  (frozen)
) -> LargestIdentity:
    """Find the largest identity between a protein of one side and one of the other.

    Of the pairs with a gapless segment of `settings.candidate_score` or more, far below what links, the best
    `settings.aligned_pairs` are aligned (local, BLOSUM62, gaps as BLAST's); alignments of fewer than
    `settings.shortest` residues are too easily alike and are left out.
    """
    both = [*one_side, *other_side]
    none = LargestIdentity(identity=0.0, aligned_residues=0, one=-1, other=-1, aligned_pairs=0)
    if not len(one_side) or not len(other_side):
        return none
    one, other, score = _candidates(both, len(one_side), settings)
    across = np.flatnonzero((one < len(one_side)) & (other >= len(one_side)) & (score >= settings.candidate_score))
    across = across[np.argsort(-score[across], kind="stable")][: settings.aligned_pairs]
    aligner = _aligner()
    found = [none]
    for first, second in zip(one[across].tolist(), other[across].tolist(), strict=True):
        identical, aligned = _identical(aligner, both[first], both[second])
        if aligned >= settings.shortest:
            found.append(
                LargestIdentity(
                    identity=identical / aligned,
                    aligned_residues=aligned,
                    one=first,
                    other=second - len(one_side),
                    aligned_pairs=len(across),
                )
            )
    best = max(found, key=lambda pair: pair.identity)
    return best if best is not none else LargestIdentity(**{**vars(none), "aligned_pairs": len(across)})


def _aligner() -> "PairwiseAligner":
    from Bio.Align import PairwiseAligner, substitution_matrices  # noqa: PLC0415  (only proteins need it)

    aligner = PairwiseAligner(mode="local")  # type: ignore[no-untyped-call]
    aligner.substitution_matrix = substitution_matrices.load("BLOSUM62")  # type: ignore[no-untyped-call]
    aligner.open_gap_score, aligner.extend_gap_score = GAP_OPEN, GAP_EXTEND
    return aligner


def _identical(aligner: "PairwiseAligner", one: Codes, other: Codes) -> tuple[int, int]:
    """Count identical residues, and residues that stand opposite each other, in the best alignment of two chains."""
    alignments = aligner.align(decode(one, PROTEIN), decode(other, PROTEIN))  # type: ignore[no-untyped-call]
    best = next(iter(alignments), None)
    if best is None:
        return 0, 0
    identical = aligned = 0
    for (start, end), (opposite, _) in zip(*best.aligned, strict=True):
        here, there = one[start:end], other[opposite : opposite + end - start]
        identical += int(((here == there) & (here != PROTEIN.unknown)).sum())
        aligned += int(end - start)
    return identical, aligned


def _candidates(proteins: Sequence[Codes], n_query: int, settings: HomologySettings) -> tuple[Integers, ...]:
    """Pairs with two common k-mers on a diagonal, the first of them below `n_query`, with their best segment's score.

    Returns one, other (one < other) and score, int64 [pairs]; each pair once.
    """
    codes = np.concatenate([*proteins, np.zeros(0, dtype=np.uint8)])
    lengths = np.array([len(protein) for protein in proteins], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    if lengths.max(initial=0) >= LONGEST:
        raise ValueError(f"a chain of {lengths.max():,} residues is longer than {LONGEST:,}")
    codes = _masked(codes, starts, PROTEIN.unknown)
    kmers = _kmers(codes, starts, _groups(settings.groups), settings.word, len(settings.groups.split()))
    n_kmers = len(settings.groups.split()) ** settings.word
    first_place = np.concatenate([[0], np.cumsum(np.bincount(kmers[kmers >= 0], minlength=n_kmers))])
    places = np.argsort(kmers, kind="stable")[int((kmers < 0).sum()) :]
    most = max(settings.most_places, int(settings.most_times_mean * len(places) / n_kmers))
    return _scored_pairs(
        codes, starts, kmers, places, first_place, _scores(), n_query, most, settings.word, settings.near
    )  # fmt: skip


def _groups(text: str) -> NDArray[np.int64]:
    """Group of each code, int64 [n_symbols]; -1 for X. text : letters that count as one, groups with spaces between."""
    group = np.full(PROTEIN.n_symbols, -1, dtype=np.int64)
    for index, letters in enumerate(text.split()):
        for letter in letters:
            group[PROTEIN.letters.index(letter)] = index
    return group


def _scores() -> NDArray[np.int64]:
    """BLOSUM62 by code, int64 [n_symbols, n_symbols]; Henikoff & Henikoff 1992, PNAS 89, 10915-10919."""
    from Bio.Align import substitution_matrices  # noqa: PLC0415

    matrix = substitution_matrices.load("BLOSUM62")  # type: ignore[no-untyped-call]
    scores = np.array([[int(matrix[a, b]) for b in PROTEIN.letters] for a in PROTEIN.letters], dtype=np.int64)
    scores[PROTEIN.unknown], scores[:, PROTEIN.unknown] = AGAINST, AGAINST
    return scores


@compiled
def _masked(codes: Codes, starts: Integers, unknown: int) -> Codes:
    """The codes with residues of low complexity made unknown."""
    masked = codes.copy()
    for protein in range(len(starts) - 1):
        counts = np.zeros(unknown + 1, dtype=np.int64)
        for at in range(starts[protein], starts[protein + 1]):
            counts[codes[at]] += 1
            before = at - COMPLEXITY_WINDOW
            if before >= starts[protein]:
                counts[codes[before]] -= 1
            if before >= starts[protein] - 1:
                bits = 0.0
                for count in counts:
                    if count:
                        bits -= count / COMPLEXITY_WINDOW * np.log2(count / COMPLEXITY_WINDOW)
                if bits <= COMPLEXITY_BITS:
                    masked[before + 1 : at + 1] = unknown
    return masked


@compiled
def _kmers(codes: Codes, starts: Integers, groups: Integers, k: int, n_groups: int) -> Integers:
    """Number of the k-mer that begins at each place, -1 where an unknown residue or the chain's end cuts it."""
    kmers = np.full(len(codes), -1, dtype=np.int64)
    for protein in range(len(starts) - 1):
        for at in range(starts[protein], starts[protein + 1] - k + 1):
            number = 0
            for letter in codes[at : at + k]:
                if groups[letter] < 0:
                    number = -1
                    break
                number = number * n_groups + groups[letter]
            kmers[at] = number
    return kmers


@compiled
def _scored_pairs(
    codes: Codes, starts: Integers, kmers: Integers, places: Integers, first_place: Integers, scores: Integers,
    n_query: int, most: int, k: int, near: int,
) -> tuple[Integers, Integers, Integers]:  # fmt: skip
    """Work of `_candidates`, one query after another: its hits sorted by protein, diagonal and place."""
    chain = np.empty(len(codes), dtype=np.int64)
    for protein in range(len(starts) - 1):
        chain[starts[protein] : starts[protein + 1]] = protein
    pairs, n_pairs = np.empty((3, FIRST_PAIRS), dtype=np.int64), 0
    hits = np.empty(1024, dtype=np.int64)
    for query in range(n_query):
        n_hits = 0
        for at in range(starts[query], starts[query + 1]):
            if kmers[at] < 0:
                continue
            low, high = first_place[kmers[at]], first_place[kmers[at] + 1]
            if high - low > most:
                continue
            low += np.searchsorted(places[low:high], starts[query + 1])  # later proteins only: each pair once
            if n_hits + high - low > len(hits):
                hits = np.concatenate((hits, np.empty(len(hits) + high - low, dtype=np.int64)))
            for index in range(low, high):
                other = chain[places[index]]
                here, there = at - starts[query], places[index] - starts[other]
                diagonal = there - here + LONGEST
                hits[n_hits] = (((other << DIAGONAL_BITS) | diagonal) << POSITION_BITS) | here
                n_hits += 1
        hits[:n_hits].sort()
        scored, done, last = -1, -1, 0  # the diagonal met last, the one scored last, where its last k-mer began
        for index in range(n_hits):
            line, here = hits[index] >> POSITION_BITS, hits[index] & (LONGEST - 1)
            if line != scored:
                scored, last = line, here
            elif here - last < k:
                continue  # the k-mers overlap: no second hit
            elif here - last > near:
                last = here
            elif line != done:
                done = line
                other, shift = line >> DIAGONAL_BITS, (line & ((1 << DIAGONAL_BITS) - 1)) - LONGEST
                score = _segment(codes, starts, scores, query, other, shift)
                if n_pairs and pairs[0, n_pairs - 1] == query and pairs[1, n_pairs - 1] == other:
                    pairs[2, n_pairs - 1] = max(score, pairs[2, n_pairs - 1])
                    continue
                if n_pairs == pairs.shape[1]:
                    pairs = np.concatenate((pairs, np.empty_like(pairs)), axis=1)
                pairs[0, n_pairs], pairs[1, n_pairs], pairs[2, n_pairs] = query, other, score
                n_pairs += 1
    return pairs[0, :n_pairs], pairs[1, :n_pairs], pairs[2, :n_pairs]


@compiled
def _segment(codes: Codes, starts: Integers, scores: Integers, query: int, other: int, shift: int) -> int:
    """Score of the best gapless segment of two chains on one diagonal. shift : place in other less place in query."""
    first, last = max(0, -shift), min(starts[query + 1] - starts[query], starts[other + 1] - starts[other] - shift)
    best = running = 0
    for here in range(first, last):
        running = max(0, running + scores[codes[starts[query] + here], codes[starts[other] + here + shift]])
        best = max(best, running)
    return best

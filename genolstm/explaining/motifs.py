"""Motifs around places of evidence: words that are commoner there than around matched places, as weight matrices.

Blocks of genome are dealt to two halves. On the first a word is looked for, of 3 to 8 bases, anywhere in a seqlet or at
one distance from its place: that of the largest likelihood ratio G of two fractions, less 2 ln of the number of words
it was chosen from (Bonferroni). A weight matrix made from its sites, with the bases beside it, is aligned to the
seqlets and made again from those above the threshold of the largest G. Its sites are then masked, and the next word is
looked for. Only the second half judges a motif (as STREME does, Bailey 2021): by Fisher's exact test, corrected by
Holm for all matrices that were tried there, and by a bootstrap over blocks. So sequence without motifs gives none but
by a chance that is stated.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import fisher_exact

from genolstm.alphabet import DNA
from genolstm.errors import InputError
from genolstm.estimate import Estimate, holm
from genolstm.explaining.seqlets import (
    Evidence,
    Seqlets,
    evidence_of_bits,
    evidence_of_prediction,
    seqlets_of,
)
from genolstm.probes.scores import BlockResamples, block_bootstrap
from genolstm.readers.motifs import IUPAC
from genolstm.regions import block_length, block_numbers
from genolstm.seeds import spawn
from genolstm.settings.explaining import MotifSettings
from genolstm.store.files import kind_of
from genolstm.store.genome import Genome
from genolstm.store.prediction import read_prediction
from genolstm.store.schema import Kind
from genolstm.store.score import open_score
from genolstm.writers.motifs import Motif

WORDS = range(3, 9)  # bases of a word anywhere
WORDS_AT_PLACE = range(2, 7)  # and at one distance from the place
FLANK = 4  # bases beside a word that its matrix begins with
ROUNDS = 5  # of aligning and making again
LEAST_INFORMATION = 0.15  # bits of a base at either end of a matrix
PSEUDOCOUNT = 0.5  # of a base, shared by its letters as the background has them
FEWEST_SITES = 10
FEWEST_SEQLETS, FEWEST_BLOCKS = 40, 10
SIGNIFICANT = 0.05
LOW, HIGH = 2.5, 97.5
N = DNA.unknown
SHARE_OF_ONE, SHARE_OF_TWO = 0.6, 0.8  # from which on a consensus names one letter, or two
ANYWHERE = -(1 << 20)  # place of a word or matrix that may begin at any column
Whole = NDArray[np.int64]
Floats = NDArray[np.float64]
Codes = NDArray[np.uint8]


class MotifResult(NamedTuple):
    """Motifs of one target, those found first. background : frequencies of A, C, G, T around matched places.

    tested : matrices that were tried on the second half.   seqlets, matched : in both halves.   unmatched : places left
    out because nothing matches them.
    """

    target: str
    motifs: tuple[Motif, ...]
    tested: int
    seqlets: int
    matched: int
    unmatched: int
    background: tuple[float, ...]


class _Word(NamedTuple):
    """A word. place : column of its first base, or ANYWHERE.   length, number : its letters, base 4."""

    place: int
    length: int
    number: int


class _Matrix(NamedTuple):
    """A matrix. place : column of its first base, or ANYWHERE.   threshold : score from which on sites are counted."""

    counts: Floats
    log_odds: Floats
    place: int
    threshold: float = -np.inf


class _Half(NamedTuple):
    """Codes of seqlets and of matched ones; letters under earlier motifs are N."""

    codes: Codes
    matched: Codes


def motifs_of_file(source: Path, genome: Genome, settings: MotifSettings) -> list[MotifResult]:
    """Motifs of a score file, or of every target of a file of predictions.

    Raises InputError for a file of another kind or another genome, or too few places.
    """
    kind = kind_of(source)
    if genome.alphabet.complement is None:
        raise InputError(f"{genome.path} holds proteins, and motifs are of DNA; name a genome.")
    if kind not in (Kind.SCORE, Kind.PREDICTION):
        raise InputError(
            f"{source} is a file of kind '{kind}', and motifs are found around low bits of a score file or evidence in"
            " predictions: name one of these."
        )
    if kind is Kind.PREDICTION:
        found = [_of(each, genome, settings) for each in evidence_of_prediction(read_prediction(source), genome)]
        if not found:
            raise InputError(f"{source} holds no candidate; predict a longer --region, or with a lower --min-score.")
        return found
    with open_score(source) as scores:
        return [_of(each, genome, settings) for each in evidence_of_bits(scores, genome)]


def _of(evidence: Evidence, genome: Genome, settings: MotifSettings) -> MotifResult:
    return find_motifs(evidence.name, seqlets_of(evidence, genome, settings), evidence.bases, settings)


def find_motifs(target: str, seqlets: Seqlets, bases: int, settings: MotifSettings) -> MotifResult:
    """Motifs of the seqlets of a target. bases : of genome that they were chosen from.

    Raises InputError where they are too few to be divided.
    """
    block_bp = block_length(settings.block_bp, bases)
    block = block_numbers(seqlets.contig, seqlets.position, block_bp)
    names = np.unique(block)
    if len(block) < FEWEST_SEQLETS or len(names) < FEWEST_BLOCKS:
        raise InputError(
            f"{target}: {len(block)} places in {len(names)} blocks of {block_bp:,} bases, and {FEWEST_SEQLETS} in"
            f" {FEWEST_BLOCKS} are needed to find motifs on some and judge them on others; give more sequence."
        )
    drawn = spawn(settings.seed, f"halves {target}").permutation(names)[: len(names) // 2]
    first = np.isin(block, drawn)
    halves = [_Half(seqlets.codes[mine], seqlets.matched[mine[seqlets.of]]) for mine in (first, ~first)]
    shares = np.bincount(seqlets.matched.ravel(), minlength=N)[:N] / seqlets.matched.size
    matrices: list[_Matrix] = []
    hits: list[tuple[NDArray[np.bool_], ...]] = []
    while len(matrices) < settings.motifs and (word := _best_word(halves[0])) is not None:
        matrix = _refined(word, halves[0], shares)
        if matrix is None:
            break
        matrices.append(matrix)
        _mask(halves[0], matrix)
        hits.append(_mask(halves[1], matrix))
    blocks = block[~first], block[seqlets.of[~first[seqlets.of]]]
    motifs = tuple(_judged(target, matrices, hits, blocks, settings))
    return MotifResult(
        target, motifs, len(matrices), len(block), len(seqlets.of), seqlets.unmatched, tuple(shares.tolist())
    )


def _g(hits: Floats, n: int, background_hits: Floats, m: int) -> Floats:
    """Likelihood ratio G of two fractions, 0 where the first is not the larger (Sokal & Rohlf 1981)."""
    total = (hits + background_hits) / (n + m)
    parts = (
        (hits, n * total), (n - hits, n * (1 - total)), (background_hits, m * total),
        (m - background_hits, m * (1 - total)),
    )  # fmt: skip
    with np.errstate(divide="ignore", invalid="ignore"):
        value = 2 * sum(np.where(seen > 0, seen * np.log(seen / expected), 0) for seen, expected in parts)
    return np.where(hits * m > background_hits * n, value, 0)


def _words(codes: Codes, length: int) -> Whole:
    """Number of the word that begins at each column, int64 [n, columns]; -1 where it holds an N."""
    columns = codes.shape[1] - length + 1
    number = np.zeros((len(codes), columns), dtype=np.int64)
    known = np.ones_like(number, dtype=bool)
    for step in range(length):
        letter = codes[:, step : step + columns]
        number = number * 4 + letter
        known &= letter < N
    return np.where(known, number, -1)


def _anywhere(words: Whole, length: int) -> Floats:
    """How many rows hold each word."""
    words = np.sort(words, axis=1)
    new = (np.diff(words, axis=1, prepend=-1) != 0) & (words >= 0)
    return np.bincount(words[new], minlength=4**length).astype(np.float64)


def _by_place(words: Whole, length: int) -> Floats:
    """How many rows hold each word at each column, [columns x words]."""
    known = words >= 0
    keys = (np.arange(words.shape[1]) * 4**length + words)[known]
    return np.bincount(keys, minlength=words.shape[1] * 4**length).astype(np.float64)


def _best_word(half: _Half) -> _Word | None:
    """The word of the largest G beyond what its number of rivals makes likely; None where none is significant."""
    best, found = 2 * np.log(len(WORDS) + len(WORDS_AT_PLACE)) - 2 * np.log(SIGNIFICANT), None
    n, m = len(half.codes), len(half.matched)
    for lengths, counted in ((WORDS, _anywhere), (WORDS_AT_PLACE, _by_place)):
        for length in lengths:
            here, there = (counted(_words(codes, length), length) for codes in half)
            value = np.where(here >= FEWEST_SITES, _g(here, n, there, m), 0) - 2 * np.log(len(here))
            at = int(value.argmax())
            if value[at] > best:
                best = float(value[at])
                found = _Word(ANYWHERE if counted is _anywhere else at // 4**length, length, at % 4**length)
    return found


def _refined(word: _Word, half: _Half, shares: Floats) -> _Matrix | None:
    """Matrix of a word and what lies beside it, aligned some times; None where too few sites are left."""
    here = _words(half.codes, word.length) == word.number
    if word.place >= 0:
        here[:, np.arange(here.shape[1]) != word.place] = False
    row, column = np.nonzero(here)
    row, kept = np.unique(row, return_index=True)  # one site a seqlet
    begin = column[kept] - FLANK
    place = word.place - FLANK if word.place >= 0 else ANYWHERE
    matrix = _matrix(_sites(half.codes, row, begin, word.length + 2 * FLANK), shares, place)
    for _ in range(ROUNDS):
        (score, begin), (background, _) = (_best_sites(codes, matrix) for codes in half)
        threshold = _threshold(score, background)
        if threshold is None:
            return None
        row = np.flatnonzero(score >= threshold)
        matrix = _matrix(_sites(half.codes, row, begin[row], len(matrix.counts)), shares, matrix.place)
    (score, _), (background, _) = (_best_sites(codes, matrix) for codes in half)
    threshold = _threshold(score, background)
    return None if threshold is None else matrix._replace(threshold=threshold)


def _sites(codes: Codes, row: Whole, begin: Whole, width: int) -> Codes:
    """Letters of some sites, N beyond the seqlet."""
    column = begin[:, None] + np.arange(width)
    inside = (column >= 0) & (column < codes.shape[1])
    return np.where(inside, codes[row[:, None], np.clip(column, 0, codes.shape[1] - 1)], N).astype(np.uint8)


def _matrix(sites: Codes, shares: Floats, place: int) -> _Matrix:
    """Matrix of aligned sites without ends of little information. place : of their first column, or ANYWHERE."""
    counts = np.stack([(sites == letter).sum(axis=0) for letter in range(N)], axis=1).astype(np.float64)
    smooth = counts + PSEUDOCOUNT * shares
    probability = smooth / smooth.sum(axis=1, keepdims=True)
    log_odds = np.log2(probability / shares)
    informative = np.flatnonzero((probability * log_odds).sum(axis=1) >= LEAST_INFORMATION)
    low, high = (int(informative[0]), int(informative[-1]) + 1) if len(informative) else (0, len(counts))
    return _Matrix(counts[low:high], log_odds[low:high], place if place == ANYWHERE else place + low)


def _best_sites(codes: Codes, matrix: _Matrix) -> tuple[Floats, Whole]:
    """Score and column of the best site of each seqlet; an N, or a base beyond the seqlet, adds nothing."""
    width, rows = len(matrix.log_odds), np.arange(len(codes))
    table = np.concatenate([matrix.log_odds, np.zeros((width, 1))], axis=1)
    low, columns = (matrix.place, 1) if matrix.place != ANYWHERE else (0, max(codes.shape[1] - width + 1, 1))
    score = np.zeros((len(codes), columns))
    for step in range(width):
        score += table[step][_sites(codes, rows, np.full(len(codes), low + step), columns)]
    best = score.argmax(axis=1)
    return score[rows, best], best + low


def _threshold(score: Floats, background: Floats) -> float | None:
    """Score from which on sites are counted: that of the largest G; None where none tells both apart."""
    levels = np.unique(score[score > 0])
    hits = (len(score) - np.searchsorted(np.sort(score), levels)).astype(np.float64)
    there = (len(background) - np.searchsorted(np.sort(background), levels)).astype(np.float64)
    value = np.where(hits >= FEWEST_SITES, _g(hits, len(score), there, len(background)), 0)
    return float(levels[value.argmax()]) if value.any() else None


def _mask(half: _Half, matrix: _Matrix) -> tuple[NDArray[np.bool_], ...]:
    """Put N in place of the sites of a matrix; which seqlets, and which matched ones, have one."""
    hits = []
    for codes in half:
        score, begin = _best_sites(codes, matrix)
        found = score >= matrix.threshold
        row = np.flatnonzero(found)
        column = begin[row, None] + np.arange(len(matrix.counts))
        inside = (column >= 0) & (column < codes.shape[1])
        codes[np.broadcast_to(row[:, None], column.shape)[inside], column[inside]] = N
        hits.append(found)
    return tuple(hits)


def _judged(
    target: str, matrices: list[_Matrix], hits: list[tuple[NDArray[np.bool_], ...]], blocks: tuple[Whole, Whole],
    settings: MotifSettings,
) -> Iterator[Motif]:  # fmt: skip
    """Motifs of which the second half of the places says that they are commoner at these than at matched ones.

    hits : of each matrix, on places and on matched ones.   blocks : of places, and of those that each is matched to.
    """
    n, m = len(blocks[0]), len(blocks[1])
    p = [
        float(fisher_exact([[here.sum(), n - here.sum()], [there.sum(), m - there.sum()]], "greater").pvalue)
        for here, there in hits
    ]
    resamples = block_bootstrap(np.concatenate(blocks), settings.resamples, spawn(settings.seed, f"bootstrap {target}"))
    number = 0
    for matrix, (here, there), alone, adjusted in zip(matrices, hits, p, holm(p), strict=True):
        enrichment = _enrichment(here, there, resamples)
        if adjusted >= SIGNIFICANT or not enrichment.low > 0:
            continue
        number += 1
        yield Motif(
            name=f"{target}-{number}", consensus=consensus(matrix.counts), counts=matrix.counts,
            offset=None if matrix.place == ANYWHERE else matrix.place - settings.reach,
            sites=int(matrix.counts.sum(axis=1).max()), hits=int(here.sum()), seqlets=n,
            background_hits=int(there.sum()), background=m, enrichment=enrichment, p=alone, p_adjusted=adjusted,
        )  # fmt: skip


def _enrichment(here: NDArray[np.bool_], there: NDArray[np.bool_], resamples: BlockResamples) -> Estimate:
    """log2 of the ratio of two fractions, half a hit added to each, with its interval."""
    block, n = resamples.block, len(here)
    drawn = resamples.multiplicity.astype(np.float64)
    blocks = drawn.shape[1]

    def ratio(weights: Floats) -> Floats:
        """Of rows of weights of blocks [R, B]."""
        hits, of, others, total = (
            weights @ np.bincount(where, values, blocks)
            for where, values in ((block[:n], here), (block[:n], None), (block[n:], there), (block[n:], None))
        )
        value: Floats = np.log2((hits + 0.5) / (of + 1)) - np.log2((others + 0.5) / (total + 1))
        return value

    low, high = np.percentile(ratio(drawn), [LOW, HIGH])
    return Estimate(float(ratio(np.ones((1, blocks)))[0]), float(low), float(high))


def consensus(counts: Floats) -> str:
    """IUPAC letters of a matrix: one base or two where these are nearly all, else N."""
    letters = {frozenset(bases): letter for letter, bases in IUPAC.items()}
    named = []
    for row in counts / counts.sum(axis=1, keepdims=True):
        order = np.argsort(-row, kind="stable")
        count = 1 if row[order[0]] >= SHARE_OF_ONE else 2 if row[order[:2]].sum() >= SHARE_OF_TWO else N
        named.append(letters[frozenset(DNA.letters[at] for at in order[:count].tolist())])
    return "".join(named)

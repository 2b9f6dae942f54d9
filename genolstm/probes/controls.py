"""Baselines of a probe on hidden states: features of the sequence itself, and labels that carry no information."""

import numpy as np
from numpy.typing import NDArray

from genolstm.alphabet import Codes
from genolstm.regions import Sites
from genolstm.store.genome import Genome

HOMOLOGY_K = 31  # a shared 31-mer hardly occurs by chance in a genome; 62 bits fit one integer
TYPE_K = 8  # the control task assigns one random label to each 8-mer around the site


def around_sites(genome: Genome, sites: Sites, flank: int) -> Codes:
    """Codes around each site along its own strand, uint8 [N, 2 * flank + 1]; N past the contig's ends."""
    length = genome.lengths[sites.contig][:, None]
    place = sites.position[:, None] + sites.strand[:, None].astype(np.int64) * np.arange(-flank, flank + 1)
    inside = (place >= 0) & (place < length)
    address = genome.starts[sites.contig][:, None] + np.clip(place, 0, length - 1)
    codes = genome.all_codes[address]
    if genome.alphabet.complement is not None:
        codes = np.where(sites.strand[:, None] > 0, codes, genome.alphabet.complement[codes])
    return np.where(inside, codes, np.uint8(genome.alphabet.unknown))


def one_hot(codes: Codes, n_known: int) -> NDArray[np.float32]:
    """One column for each place and known symbol, float32 [N, W * n_known]; N gives zeros. codes : [N, W]."""
    hot: NDArray[np.bool_] = codes[:, :, None] == np.arange(n_known)
    return hot.reshape(len(codes), -1).astype(np.float32)


def kmers(codes: Codes, k: int, n_known: int) -> NDArray[np.int64]:
    """K-mer that starts at each place, as a number in base n_known; -1 where it holds an unknown symbol.

    codes : [N, W].   Returns int64 [N, W - k + 1].
    """
    places = codes.shape[1] - k + 1
    number = np.zeros((len(codes), places), dtype=np.int64)
    known = np.ones_like(number, dtype=bool)
    for step in range(k):
        symbol = codes[:, step : step + places]
        number = number * n_known + symbol
        known &= symbol < n_known
    return np.where(known, number, -1)


def kmer_counts(codes: Codes, k: int, n_known: int) -> NDArray[np.float32]:
    """How often each k-mer occurs in each window, float32 [N, n_known**k]. codes : [N, W]."""
    found = kmers(codes, k, n_known)
    site, place = np.nonzero(found >= 0)
    counts = np.zeros((len(codes), n_known**k), dtype=np.float32)
    np.add.at(counts, (site, found[site, place]), 1)
    return counts


def composition(codes: Codes, n_known: int) -> NDArray[np.float32]:
    """Fraction of each known symbol left and right of the site, float32 [N, 2 * n_known]. codes : [N, W]."""
    middle = codes.shape[1] // 2
    halves = (codes[:, :middle], codes[:, middle + 1 :])
    counts = [(half[:, :, None] == np.arange(n_known)).sum(axis=1) for half in halves]  # each [N, n_known]
    fractions = [count / np.maximum(1, count.sum(axis=1, keepdims=True)) for count in counts]
    return np.concatenate(fractions, axis=1).astype(np.float32)


def control_labels(codes: Codes, prevalence: float, n_known: int, rng: np.random.Generator) -> NDArray[np.int8]:
    """Labels of a control task (Hewitt & Liang 2019): each k-mer draws one label and keeps it; int8 [N].

    A probe that does well here memorises k-mers; the state's real score minus this one is its selectivity.
    codes : [N, W]; the 8-mer around the site draws.   prevalence : fraction of positive k-mers.
    """
    middle = codes.shape[1] // 2
    around = codes[:, middle - TYPE_K // 2 : middle + TYPE_K - TYPE_K // 2]
    drawn: NDArray[np.int8] = (rng.random(n_known**TYPE_K + 1) < prevalence).astype(np.int8)  # the last: k-mers with N
    return drawn[kmers(around, TYPE_K, n_known)[:, 0]]


def canonical_31mers(codes: Codes, n_known: int) -> NDArray[np.int64]:
    """31-mer that starts at each place or its reverse complement, the smaller number; int64 [N, W - 30], -1 with an N.

    codes : [N, W], W >= 31.
    """
    forward = kmers(codes, HOMOLOGY_K, n_known)
    flipped = np.where(codes < n_known, n_known - 1 - codes.astype(np.int64), n_known)[:, ::-1]
    backward = kmers(flipped.astype(np.uint8), HOMOLOGY_K, n_known)[:, ::-1]
    canonical: NDArray[np.int64] = np.minimum(forward, backward)  # -1 on both strands where there is an N
    return canonical


def shared_with_training(codes: Codes, train: NDArray[np.bool_], test: NDArray[np.bool_], n_known: int) -> float:
    """Fraction of test windows that hold a 31-mer of any training window, on either strand. codes : [N, W], W >= 31."""
    canonical = canonical_31mers(codes, n_known)
    known = np.unique(canonical[train])
    hit = np.isin(canonical[test], known[known >= 0])
    return float(hit.any(axis=1).mean())

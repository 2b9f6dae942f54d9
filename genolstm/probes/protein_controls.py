"""Baselines of a probe of prefixes: their length, their composition, and the last symbols."""

import numpy as np
from numpy.typing import NDArray

from genolstm.alphabet import PROTEIN, Codes
from genolstm.probes.controls import kmer_counts, one_hot
from genolstm.readers.genetic_codes import CODON

Columns = NDArray[np.float32]

PROTEIN_KMERS = (2,)  # 400 columns; of 3 there would be 8,000
DNA_KMERS = (3, 4)  # a codon, and one base more


def length_features(*lengths: NDArray[np.int64]) -> Columns:
    """Each length and simple functions of it, float32 [N, 4 * len(lengths)]. lengths : int64 [N], at least 1."""
    columns = [column for n in lengths for column in (n, np.log(n), np.sqrt(n), 1 / n)]
    return np.stack(columns, axis=1).astype(np.float32)


def length_in_codons(symbols: NDArray[np.int64]) -> Columns:
    """Length as above, and its remainder by whole codons, one-hot; float32 [N, 7]. symbols : int64 [N].

    Where the annotation has no UTR, the number of bases so far determines the frame.
    """
    left = symbols[:, None] % CODON == np.arange(CODON)
    return np.concatenate([length_features(symbols), left.astype(np.float32)], axis=1)


def prefix_composition(proteins: tuple[Codes, ...], chain: NDArray[np.int64], residues: NDArray[np.int64]) -> Columns:
    """Count and fraction of each known residue among 1..t, with t and 1/t; float32 [N, 42].

    Charge is linear in the counts (all but for the two ends of the chain) and hydropathy in the fractions: for targets
    of the prefix this is the ceiling. proteins : [P].   chain, residues : int64 [N], which protein, and t.
    """
    counts = np.zeros((len(chain), PROTEIN.n_known))
    for number in np.unique(chain):
        rows = np.flatnonzero(chain == number)
        running = np.cumsum(proteins[number][:, None] == np.arange(PROTEIN.n_known), axis=0)  # [L, 20]
        counts[rows] = running[residues[rows] - 1]
    fractions = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    read = residues[:, None].astype(np.float64)
    return np.concatenate([counts, fractions, read, 1 / read], axis=1).astype(np.float32)


def last_symbols(sequence: Codes, places: NDArray[np.int64], width: int, unknown: int) -> Codes:
    """The last `width` symbols read at each place, that at the place included; unknown before the beginning.

    sequence : uint8 [L].   places : int64 [n], 0-based.   Returns uint8 [n, width].
    """
    at = places[:, None] + np.arange(1 - width, 1)
    return np.where(at >= 0, sequence[np.maximum(at, 0)], np.uint8(unknown))


def recent_kmers(codes: Codes, n_known: int) -> Columns:
    """How often each short k-mer occurs in the last symbols; float32 [N, k-mers]. codes : uint8 [N, W]."""
    lengths = PROTEIN_KMERS if n_known == PROTEIN.n_known else DNA_KMERS
    return np.concatenate([kmer_counts(codes, k, n_known) for k in lengths], axis=1)


def recent_composition(codes: Codes, n_known: int) -> Columns:
    """Fraction of each known symbol among the last ones; float32 [N, n_known]. codes : uint8 [N, W]."""
    counts = kmer_counts(codes, 1, n_known)
    fractions: Columns = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    return fractions


def nearest_bases(codes: Codes, near: int, n_known: int) -> Columns:
    """One-hot of the last `near` symbols; float32 [N, near * n_known]. codes : uint8 [N, W]."""
    return one_hot(codes[:, -near:], n_known)

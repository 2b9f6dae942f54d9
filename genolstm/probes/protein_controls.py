"""What a probe of prefixes has to beat: how long they are, what they are made of, and the last symbols read."""

import numpy as np
from numpy.typing import NDArray

from genolstm.alphabet import PROTEIN, Codes
from genolstm.probes.controls import kmer_counts, one_hot
from genolstm.readers.genetic_codes import CODON

Columns = NDArray[np.float32]

PROTEIN_WORDS = (2,)  # 400 columns; of 3 there would be 8,000
DNA_WORDS = (3, 4)  # a codon, and one base more


def length_features(*lengths: NDArray[np.int64]) -> Columns:
    """Each length and simple functions of it, float32 [N, 4 * len(lengths)]. lengths : int64 [N], at least 1."""
    columns = [column for n in lengths for column in (n, np.log(n), np.sqrt(n), 1 / n)]
    return np.stack(columns, axis=1).astype(np.float32)


def length_in_codons(symbols: NDArray[np.int64]) -> Columns:
    """Length as above, and what is left of it over whole codons, one-hot; float32 [N, 7]. symbols : int64 [N].

    Where the annotation has no UTR, whoever has counted the bases from the first knows the frame.
    """
    left = symbols[:, None] % CODON == np.arange(CODON)
    return np.concatenate([length_features(symbols), left.astype(np.float32)], axis=1)


def prefix_composition(proteins: tuple[Codes, ...], chain: NDArray[np.int64], residues: NDArray[np.int64]) -> Columns:
    """Count and share of each known residue among 1..t, with t and 1/t; float32 [N, 42].

    Charge is linear in the counts (all but for the two ends of the chain) and hydropathy in the shares: for what is
    asked of a prefix this is the ceiling. proteins : [P].   chain, residues : int64 [N], which protein, and t.
    """
    counts = np.zeros((len(chain), PROTEIN.n_known))
    for number in np.unique(chain):
        rows = np.flatnonzero(chain == number)
        running = np.cumsum(proteins[number][:, None] == np.arange(PROTEIN.n_known), axis=0)  # [L, 20]
        counts[rows] = running[residues[rows] - 1]
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    read = residues[:, None].astype(np.float64)
    return np.concatenate([counts, shares, read, 1 / read], axis=1).astype(np.float32)


def last_symbols(sequence: Codes, places: NDArray[np.int64], width: int, unknown: int) -> Codes:
    """Return the last `width` symbols read at each place, that at the place included; unknown before the beginning.

    sequence : uint8 [L].   places : int64 [n], 0-based.   Returns uint8 [n, width].
    """
    at = places[:, None] + np.arange(1 - width, 1)
    return np.where(at >= 0, sequence[np.maximum(at, 0)], np.uint8(unknown))


def recent_words(codes: Codes, n_known: int) -> Columns:
    """How often each short word stands in the last symbols; float32 [N, words]. codes : uint8 [N, W]."""
    lengths = PROTEIN_WORDS if n_known == PROTEIN.n_known else DNA_WORDS
    return np.concatenate([kmer_counts(codes, k, n_known) for k in lengths], axis=1)


def recent_composition(codes: Codes, n_known: int) -> Columns:
    """Share of each known symbol among the last ones; float32 [N, n_known]. codes : uint8 [N, W]."""
    counts = kmer_counts(codes, 1, n_known)
    shares: Columns = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    return shares


def nearest_bases(codes: Codes, near: int, n_known: int) -> Columns:
    """One-hot of the last `near` symbols; float32 [N, near * n_known]. codes : uint8 [N, W]."""
    return one_hot(codes[:, -near:], n_known)

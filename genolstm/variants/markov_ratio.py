"""The log-likelihood ratio of alleles under a Markov model: what `effects` measures, without a network."""

import numpy as np
from numpy.typing import NDArray

from genolstm.alphabet import DNA, Codes, reverse_complement
from genolstm.markov import MarkovModel, log2_probabilities
from genolstm.store.genome import Genome
from genolstm.variants.places import Alleles

AT_ONCE = 1 << 12  # alleles whose texts are held together


def markov_ratios(markov: MarkovModel, genome: Genome, alleles: Alleles, window: int) -> NDArray[np.float64]:
    """log2 P(alternative) - log2 P(reference) over the allele and the window after it, float64 [A, 2].

    Forward and reverse strand, in bits. Bases further on than the longest context are equally likely after both.
    """
    found = np.zeros((len(alleles), 2))
    for first in range(0, len(alleles), AT_ONCE):
        rows = range(first, min(first + AT_ONCE, len(alleles)))
        texts = [_texts(genome, alleles, row, markov.counts.max_order, window) for row in rows]
        for strand in range(2):
            alternative, reference = (_sums(markov, [each[strand][side] for each in texts]) for side in range(2))
            found[rows.start : rows.stop, strand] = alternative - reference
    return found


def _texts(
    genome: Genome, alleles: Alleles, row: int, order: int, window: int
) -> tuple[tuple[tuple[Codes, int, int], tuple[Codes, int, int]], ...]:
    """Of each strand alternative and reference: text with its context, and where the counted bases begin and end."""
    contig = int(alleles.contig[row])
    low = int(genome.starts[contig])
    high = low + int(genome.lengths[contig])
    start, end = low + int(alleles.start[row]), low + int(alleles.end[row])
    codes = genome.all_codes
    left, right = codes[max(low, start - order) : start], codes[end : min(high, end + order)]
    tail = min(window, order)
    found = []
    for reverse in (False, True):
        before, after = (reverse_complement(right), reverse_complement(left)) if reverse else (left, right)
        sides = []
        for letters in (alleles.letters[alleles.first[row] : alleles.first[row + 1]], codes[start:end]):
            own = reverse_complement(letters) if reverse else letters
            text = np.concatenate([before, own, after[:tail]])
            sides.append((text, len(before), len(text)))
        found.append((sides[0], sides[1]))
    return tuple(found)


def _sums(markov: MarkovModel, texts: list[tuple[Codes, int, int]]) -> NDArray[np.float64]:
    """Sum of log2 P over the counted bases of each text; the texts stand one after another with an N between."""
    gap = np.array([DNA.unknown], dtype=np.uint8)
    joined = np.concatenate([part for text, _, _ in texts for part in (text, gap)])
    total = np.append(0, np.cumsum(log2_probabilities(markov, joined)))
    lengths = np.array([len(text) + 1 for text, _, _ in texts])
    first = np.cumsum(lengths) - lengths
    begin, end = (np.array([each[place] for each in texts]) for place in (1, 2))
    sums: NDArray[np.float64] = total[first + end] - total[first + begin]
    return sums

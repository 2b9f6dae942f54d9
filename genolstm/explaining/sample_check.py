"""Samples beside held-out sequence and beside samples of a Markov model: composition, repeats, reading frames."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.alphabet import DNA, Codes, reverse_complement
from genolstm.errors import InputError
from genolstm.explaining.sampling import sample_markov
from genolstm.regions import Part, Stretches
from genolstm.scoring.beside_markov import codes_of, markov_of, whole_contigs
from genolstm.seeds import spawn
from genolstm.seen import K, Seen, canonical_kmers
from genolstm.settings.explaining import SampleSettings
from genolstm.store.genome import Genome

SPECTRA = (1, 2, 3, 4, 5, 6)  # k of the spectra that are compared
REPEAT = 12  # bases of a repeat
NEARLY_WHOLE = 0.8  # of a sample's 31-mers that stand in training sequence
SLAB = 1 << 20  # bases of training sequence that are looked through at a time
START, STOPS = 14, (48, 50, 56)  # ATG; TAA, TAG, TGA, as numbers of base 4
SAMPLES, MARKOV, HELD_OUT, AGAIN = "samples", "markov", "held_out", "held_out_again"


class SetOfSequences(NamedTuple):
    """What one set of sequences is like.

    gc : fraction of bases.   divergence : Jensen-Shannon divergence in bits of its k-mers, both strands, from those of
    the held-out sequences, k = 1 .. 6.   repeats : fraction of bases that begin a 12-mer which stood in the same
    sequence before.   orf_median, orf_longest : codons from ATG to stop, over all six frames; median over sequences of
    the longest of each, and the longest of all.
    """

    name: str
    sequences: int
    bases: int
    gc: float
    divergence: tuple[float, ...]
    repeats: float
    orf_median: float
    orf_longest: int


class SampleCheck(NamedTuple):
    """Sets side by side. held_out_from : where held-out sequence is from.   markov_from : what Markov was counted on.

    nearly_whole : samples of which most 31-mers stand in training sequence, and that fraction; None where the genome
    does not hold what the model was trained on.
    """

    sets: tuple[SetOfSequences, ...]
    held_out_from: str
    markov_from: str
    nearly_whole: tuple[tuple[int, float], ...] | None


def check_samples(codes: Codes, genome: Genome, seen: Seen, settings: SampleSettings) -> SampleCheck:
    """Hold samples, uint8 [n, length], against held-out sequence and a Markov model.

    Raises InputError where no stretch of the genome is as long as a sample and without unknown bases.
    """
    test, train = seen.split.of(Part.TEST), seen.split.of(Part.TRAIN)
    held_out = test if test.bases else whole_contigs(genome)
    came = "the model's test part" if test.bases else "all of the genome: none of it is in the model's test part"
    counted, on = (train, "the model's training part") if seen.complete else (held_out, "the same sequence")
    drawn = [_windows(genome, held_out, settings, each) for each in (HELD_OUT, AGAIN)]
    against = [_spectrum(drawn[0], k) for k in SPECTRA]
    sets = {SAMPLES: codes, MARKOV: sample_markov(markov_of(genome, counted), settings), HELD_OUT: drawn[0],
            AGAIN: drawn[1]}  # fmt: skip
    return SampleCheck(
        tuple(_described(name, each, against) for name, each in sets.items()), came, on,
        _nearly_whole(codes, genome, train) if seen.complete else None,
    )  # fmt: skip


def _windows(genome: Genome, stretches: Stretches, settings: SampleSettings, name: str) -> Codes:
    """As many windows of known bases as there are samples, drawn from some stretches; uint8 [n, length]."""
    rng, length = spawn(settings.seed, name), settings.length
    starts = np.maximum(stretches.end - stretches.start - length + 1, 0)
    views, found = codes_of(genome, stretches), list[Codes]()
    for _ in range(50 * settings.number if starts.sum() else 0):
        place = int(rng.integers(starts.sum()))
        row = int(np.searchsorted(np.cumsum(starts), place, side="right"))
        at = place - int(starts[:row].sum())
        window = views[row][at : at + length]
        if (window < DNA.n_known).all():
            found.append(window if rng.random() < 0.5 else reverse_complement(window))
        if len(found) == settings.number:
            return np.stack(found)
    raise InputError(
        f"{genome.path} holds too few held-out stretches of {length:,} known bases for --check: draw shorter samples."
    )


def _described(name: str, codes: Codes, against: Sequence[NDArray[np.float64]]) -> SetOfSequences:
    longest = [longest_orf(row) for row in codes]
    gc = np.isin(codes, (1, 2)).mean()
    return SetOfSequences(
        name, len(codes), codes.size, float(gc),
        tuple(jensen_shannon(_spectrum(codes, k), other) for k, other in zip(SPECTRA, against, strict=True)),
        float(np.mean([repeated(row) for row in codes])), float(np.median(longest)), max(longest),
    )  # fmt: skip


def _numbers(codes: Codes, k: int) -> NDArray[np.int64]:
    """Number of each k-mer in base 4, [..., length - k + 1]."""
    length = codes.shape[-1] - k + 1
    numbers = np.zeros((*codes.shape[:-1], max(length, 0)), dtype=np.int64)
    for step in range(k if length > 0 else 0):
        numbers = numbers * DNA.n_known + codes[..., step : step + length]
    return numbers


def _spectrum(codes: Codes, k: int) -> NDArray[np.float64]:
    """Frequency of each k-mer on both strands, [4^k]."""
    other = DNA.complement[codes][..., ::-1]  # type: ignore[index]
    numbers = np.concatenate([_numbers(each, k).ravel() for each in (codes, other)])
    frequency: NDArray[np.float64] = np.bincount(numbers, minlength=DNA.n_known**k) / max(len(numbers), 1)
    return frequency


def jensen_shannon(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Jensen-Shannon divergence of two distributions in bits (Lin 1991), 0 to 1."""
    middle = (one + other) / 2

    def entropy(p: NDArray[np.float64]) -> float:
        known = p[p > 0]
        return float(-(known * np.log2(known)).sum())

    return max(0.0, entropy(middle) - (entropy(one) + entropy(other)) / 2)


def repeated(codes: Codes, k: int = REPEAT) -> float:
    """Fraction of the k-mers of one sequence that stood in it before, on the same strand."""
    numbers = _numbers(codes, k)
    return 1 - len(np.unique(numbers)) / len(numbers) if len(numbers) else 0.0


def longest_orf(codes: Codes) -> int:
    """Codons of the longest reading frame from an ATG up to a stop, both strands; 0 where there is none."""
    longest = 0
    for strand in (codes, reverse_complement(codes)):
        for frame in range(3):
            triplets = _numbers(strand[frame:], 3)[::3]
            stops = np.flatnonzero(np.isin(triplets, STOPS))
            starts = np.flatnonzero(triplets == START)
            if not len(stops) or not len(starts):
                continue
            end = np.searchsorted(stops, starts)
            closed = end < len(stops)
            if closed.any():
                longest = max(longest, int((stops[end[closed]] - starts[closed]).max()))
    return longest


def _nearly_whole(codes: Codes, genome: Genome, train: Stretches) -> tuple[tuple[int, float], ...]:
    """Samples of which at least NEARLY_WHOLE of the 31-mers stand in training sequence, on either strand."""
    own = [canonical_kmers(row, DNA) for row in codes]
    wanted = np.unique(np.concatenate(own)) if own else np.zeros(0, np.uint64)
    if not len(wanted):
        return ()
    met = np.zeros(len(wanted), dtype=bool)
    for stretch in codes_of(genome, train):
        for at in range(0, len(stretch), SLAB):
            there = canonical_kmers(stretch[at : at + SLAB + K["dna"] - 1], DNA)
            place = np.minimum(np.searchsorted(wanted, there), len(wanted) - 1)
            met[place[wanted[place] == there]] = True
        genome.release()
    fractions = [float(met[np.searchsorted(wanted, kmers)].mean()) if len(kmers) else 0.0 for kmers in own]
    return tuple((row, fraction) for row, fraction in enumerate(fractions) if fraction >= NEARLY_WHOLE)

"""Baselines of a probe on pooled states: features of a window's own sequence, and labels without information."""

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from genolstm.alphabet import DNA, Codes
from genolstm.probes.controls import kmers, shared_with_training
from genolstm.probes.task import Features, Truth
from genolstm.regions import Part
from genolstm.seeds import spawn
from genolstm.settings.probe import AccessibilitySettings, parse_kmers
from genolstm.settings.sites import SitesSettings
from genolstm.states.windows import Windows
from genolstm.store.genome import Genome

ROWS = 4096  # windows counted at a time
GC_WIDTH = 0.02  # difference of GC fractions within which two windows are matched
LEAST_SHIFT, MOST_SHIFT = 0.25, 0.75  # of a contig's windows: far from where the labels belong
_IS_GC = np.isin(np.arange(DNA.n_symbols), [DNA.letters.index(letter) for letter in "GC"])


class OwnSequence:
    """Controls of a probe on windows that see the windows' own sequence, which is read when it is first asked for.

    part : int8 [N].
    """

    def __init__(
        self, genome: Genome, windows: Windows, part: NDArray[np.int8], settings: AccessibilitySettings | SitesSettings
    ) -> None:
        self.genome, self.windows, self.part, self.settings = genome, windows, part, settings

    @cached_property
    def codes(self) -> Codes:
        """As `window_codes`."""
        return window_codes(self.genome, self.windows)

    @cached_property
    def gc_of_test(self) -> NDArray[np.float64]:
        """GC of the test windows."""
        return gc_fraction(self.codes[self.part == Part.TEST])

    def features(self) -> Iterator[tuple[str, Features]]:
        """Each control's name and features."""
        yield "composition", gc_features(self.codes)
        yield "onehot", one_hot_bins(self.codes, self.settings.bin_bp)
        for k in parse_kmers(self.settings.kmers):
            yield f"kmer_{k}", canonical_kmer_counts(self.codes, k)

    def of_same_gc(self, truth: Truth) -> NDArray[np.int64]:
        """Test windows of a class and others of the same GC, as `gc_matched`. truth : of the test windows."""
        rng = spawn(self.settings.seed, "GC-matched windows")
        return gc_matched(truth, self.gc_of_test, self.settings.matches, rng)

    def homology(self) -> float:
        """Fraction of test windows that share a 31-mer with training."""
        train, test = self.part == Part.TRAIN, self.part == Part.TEST
        return shared_with_training(self.codes, train, test, self.genome.alphabet.n_known)


def window_codes(genome: Genome, windows: Windows) -> Codes:
    """Codes of each window along the forward strand, uint8 [N, width]."""
    return genome.windows(genome.starts[windows.contig] + windows.start, windows.width)


def gc_fraction(codes: Codes) -> NDArray[np.float64]:
    """Fraction of G and C among the bases of each window, [N]. codes : [N, W], without N."""
    fraction: NDArray[np.float64] = _IS_GC[codes].mean(axis=1)
    return fraction


def gc_features(codes: Codes) -> NDArray[np.float32]:
    """GC and its square, float32 [N, 2]: open chromatin may have neither much nor little of it."""
    gc = gc_fraction(codes)
    return np.stack([gc, gc**2], axis=1).astype(np.float32)


def canonical_kmers(k: int) -> tuple[NDArray[np.int64], int]:
    """Column of each k-mer, the same as of its reverse complement, int64 [4**k]; how many columns."""
    number = np.arange(DNA.n_known**k)
    flipped, rest = np.zeros_like(number), number
    for _ in range(k):
        flipped = flipped * DNA.n_known + DNA.n_known - 1 - rest % DNA.n_known
        rest = rest // DNA.n_known
    names, column = np.unique(np.minimum(number, flipped), return_inverse=True)
    return column.reshape(-1), len(names)


def canonical_kmer_counts(codes: Codes, k: int) -> NDArray[np.float16]:
    """How often each k-mer or its reverse complement occurs in each window, float16 [N, columns].

    A window has no strand, so that two columns for one would only be twice as many to learn.
    codes : [N, W].
    """
    column, width = canonical_kmers(k)
    counts = np.empty((len(codes), width), dtype=np.float16)
    for first in range(0, len(codes), ROWS):
        found = kmers(codes[first : first + ROWS], k, DNA.n_known)
        row, place = np.nonzero(found >= 0)
        flat = row * width + column[found[row, place]]
        counts[first : first + ROWS] = np.bincount(flat, minlength=len(found) * width).reshape(-1, width)
    return counts


def one_hot_bins(codes: Codes, bin_bp: int) -> NDArray[np.float32]:
    """Fraction of each base in each stretch of `bin_bp` of a window, float32 [N, bins * 4]; the last may be shorter.

    codes : [N, W]. What is where in the window, as far as a linear probe can use it.
    """
    edges = np.arange(0, codes.shape[1], bin_bp)
    sizes = np.diff(np.append(edges, codes.shape[1]))
    bins = [np.add.reduceat(codes == base, edges, axis=1, dtype=np.float32) / sizes for base in range(DNA.n_known)]
    return np.stack(bins, axis=2).reshape(len(codes), -1).astype(np.float32)


def shifted(contig: NDArray[np.int64], part: NDArray[np.int8], rng: np.random.Generator) -> NDArray[np.intp]:
    """Which window each takes its label from, [N]: a quarter to three quarters of its contig's windows of its part on.

    Round the end where need be. Neighbours stay neighbours, so that any score above chance level on such labels
    comes from slow trends along contigs.
    """
    order = np.arange(len(contig))
    group = contig * len(Part) + part
    for each in np.unique(group):
        rows = np.flatnonzero(group == each)
        least, most = int(LEAST_SHIFT * len(rows)), int(MOST_SHIFT * len(rows))
        order[rows] = np.roll(rows, int(rng.integers(least, most + 1)))
    return order


def gc_matched(
    label: NDArray[np.integer] | NDArray[np.floating],
    fraction: NDArray[np.float64],
    matches: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Open windows and up to `matches` closed ones for each, of the same GC to within two hundredths.

    label, fraction : of the test windows, their label and their GC.   Returns indices into them, sorted. No closed
    window is drawn twice; open ones without any of their GC are left out.
    """
    gc = np.floor(fraction / GC_WIDTH).astype(np.int64)
    kept: list[NDArray[np.intp]] = []
    for each in np.unique(gc[label == 1]):
        positive, negative = (np.flatnonzero((gc == each) & (label == kind)) for kind in (1, 0))
        if len(negative):
            some = min(matches * len(positive), len(negative))
            kept += [positive, rng.choice(negative, some, replace=False)]
    return np.sort(np.concatenate(kept)) if kept else np.zeros(0, dtype=np.int64)

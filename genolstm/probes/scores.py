"""How well predictions agree with the truth, with intervals from a bootstrap over blocks of the genome.

Every score is called as ``score(truth [N], predictions [N], weights=None)``. ``weights`` is [..., N], how often each
row counts, and the answer is float64 [...]: one number per row of weights, a single number without them. Where the
truth lacks a class that the score needs, or does not vary, it is NaN.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genolstm.errors import InputError
from genolstm.estimate import Estimate

Floats = NDArray[np.float64]

ROUNDING = 1e-24  # a sum of squares that is this fraction of the uncentred one is what float64 leaves of a constant
CHUNK_WEIGHTS = 1 << 20  # weights held at once while resampling: 8 MB, so that a chunk stays in the cache
MOST_UNDEFINED = 0.05  # fraction of resamples that may lack a class before the rest no longer represent the sample


class Score(Protocol):
    """Signature of every score below, once ``functools.partial`` has set its options."""

    def __call__(self, truth: ArrayLike, predictions: ArrayLike, weights: ArrayLike | None = None, /) -> Floats:
        """Score under each row of weights."""


@dataclass(frozen=True, kw_only=True)
class BlockResamples:
    """Bootstrap draws of whole blocks: shared by all scores and models that are to be compared on the same rows.

    Attributes
    ----------
    block : intp [N], which block each row lies in, 0 .. B-1
    multiplicity : uint16 [R, B], how often each resample drew each block; every row sums to B
    """

    block: NDArray[np.intp]
    multiplicity: NDArray[np.uint16]

    def weights(self, first: int, last: int) -> Floats:
        """How often each row counts in the resamples first .. last-1, float64 [last - first, N]."""
        return np.take(self.multiplicity[first:last].astype(np.float64), self.block, axis=1)


def auprc(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """Average precision: sum over thresholds of (recall gained) x (precision), tied scores sharing one threshold."""
    return _average_precision(*_counts_by_threshold(labels, scores, weights))


def auprc_at_prevalence(
    labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None, *, prevalence: float
) -> Floats:
    """AUPRC as it would be if positives were a fraction ``prevalence`` of all rows, the same negatives being typical.

    Each negative counts (1 - prevalence) / prevalence x n_positive / n_negative times.
    """
    if not 0 < prevalence < 1:
        raise ValueError(f"prevalence is {prevalence}; it must lie between 0 and 1")
    positives, negatives = _counts_by_threshold(labels, scores, weights)
    with np.errstate(invalid="ignore", divide="ignore"):  # without negatives the answer is NaN, as without positives
        per_negative = (1 - prevalence) / prevalence * positives[..., -1:] / negatives[..., -1:]
        return _average_precision(positives, negatives * per_negative)


def auroc(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """Probability that a random positive scores above a random negative, ties counting half (Hanley & McNeil 1982)."""
    positives, negatives = _counts_by_threshold(labels, scores, weights)
    positives_above = positives - _gains(positives) / 2  # a tied positive counts half
    with np.errstate(invalid="ignore"):
        area: Floats = np.sum(_gains(negatives) * positives_above, axis=-1)
        return area / (positives[..., -1] * negatives[..., -1])


def topk(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """Precision among the k best-scored rows, k being the number of positives.

    Where k falls inside a group of tied scores it is the expected value over their random orders.
    """
    positives, negatives = _counts_by_threshold(labels, scores, weights)
    found = positives + negatives
    k = positives[..., -1:]
    at = np.argmax(found >= k, axis=-1)[..., None]  # the first threshold that finds k rows
    gain = np.take_along_axis(_gains(positives), at, axis=-1)
    rows = np.take_along_axis(_gains(found), at, axis=-1)
    surplus = np.take_along_axis(found, at, axis=-1) - k
    with np.errstate(invalid="ignore"):
        # in random order, a tied group gives up its positives in proportion to the rows taken from it
        positives_at_k = np.take_along_axis(positives, at, axis=-1) - gain * surplus / rows
        return np.squeeze(positives_at_k / k, axis=-1)


def mcc(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None, *, threshold: float) -> Floats:
    """Correlation of labels with scores >= threshold (Matthews 1975); choose the threshold on other rows than these."""
    return pearson(np.asarray(labels, bool), np.asarray(scores) >= threshold, weights)


def expected_calibration_error(
    labels: ArrayLike, probabilities: ArrayLike, weights: ArrayLike | None = None, *, bins: int = 15
) -> Floats:
    """Mean over bins of |fraction of positives - mean probability|, bins of equal mass weighted by their rows.

    Naeini et al. 2015; Guo et al. 2017, eq. 3. Tied probabilities stay in one bin: their order means nothing.
    """
    positive, weights = _positive_and_weights(labels, weights)
    probabilities = np.asarray(probabilities, np.float64)
    order, ends = _order_and_ends(probabilities)
    mass = _cumulated(weights, order, ends)
    excess = _gains(_cumulated(weights * (positive - probabilities), order, ends))
    total = mass[..., -1:]
    middle = mass - _gains(mass) / 2
    with np.errstate(invalid="ignore"):
        bin_index = np.minimum(np.floor(bins * middle / total), bins - 1)
        per_bin = [np.sum(excess * (bin_index == index), axis=-1) for index in range(bins)]
        error: Floats = np.abs(per_bin).sum(axis=0) / total[..., 0]
        return error


def log_likelihood(labels: ArrayLike, log_odds: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """Mean log probability of the labels, in nats a row, 0 at best: a proper score (Gneiting & Raftery 2007)."""
    positive, weights = _positive_and_weights(labels, weights)
    log_odds = np.asarray(log_odds, np.float64)
    nats = -np.logaddexp(0, np.where(positive > 0, -log_odds, log_odds))
    return np.asarray(np.sum(weights * nats, axis=-1) / weights.sum(axis=-1))


def r2(targets: ArrayLike, predictions: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """Fraction of the variance of the targets that is explained: 1 - residual / total sum of squares."""
    targets, predictions = np.asarray(targets, np.float64), np.asarray(predictions, np.float64)
    weights = _weights(weights, targets.size)
    residual = np.sum(weights * np.square(targets - predictions), axis=-1)
    total = _spread(targets, weights)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, 1 - residual / total, np.nan)


def pearson(targets: ArrayLike, predictions: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """Linear correlation of targets and predictions; 0 where only the predictions do not vary."""
    targets, predictions = np.asarray(targets, np.float64), np.asarray(predictions, np.float64)
    return _correlation(targets, predictions, _weights(weights, targets.size))


def spearman(targets: ArrayLike, predictions: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """Linear correlation of the ranks; a row of weight n is n tied rows, tied rows have their mean rank."""
    targets, predictions = np.asarray(targets, np.float64), np.asarray(predictions, np.float64)
    weights = _weights(weights, targets.size)
    return _correlation(_mean_ranks(targets, weights), _mean_ranks(predictions, weights), weights)


def accuracy(labels: ArrayLike, called: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """Fraction of the rows whose called class is their own."""
    right = (np.asarray(labels) == np.asarray(called)).astype(np.float64)
    weights = _weights(weights, right.size)
    return np.asarray(np.sum(weights * right, axis=-1) / weights.sum(axis=-1))


def block_bootstrap(blocks: ArrayLike, n_resamples: int, rng: np.random.Generator) -> BlockResamples:
    """Draw as many blocks as there are, with replacement, n_resamples times.

    Neighbouring sites have sequence and genes in common, so blocks are drawn and never single rows (Kuensch 1989).

    Parameters
    ----------
    blocks : int [N], any label of the block (gene, window) that each row lies in
    n_resamples : number of resamples R
    rng : source of the draws
    """
    names, block = np.unique(np.asarray(blocks), return_inverse=True)
    n_blocks = names.size
    multiplicity = np.empty((n_resamples, n_blocks), np.uint16)
    for resample in multiplicity:
        resample[:] = np.bincount(rng.integers(0, n_blocks, n_blocks), minlength=n_blocks)
    return BlockResamples(block=block.reshape(-1), multiplicity=multiplicity)


def resampled(labels: ArrayLike, scores: ArrayLike, resamples: BlockResamples, score: Score) -> Floats:
    """Score in each resample, float64 [R]; NaN where the resample leaves it undefined.

    ``score`` is any of the scores above, with ``functools.partial`` for its options.
    """
    n_rows, n_resamples = resamples.block.size, len(resamples.multiplicity)
    if np.shape(labels) != (n_rows,) or np.shape(scores) != (n_rows,):
        raise ValueError(f"blocks hold {n_rows} rows, labels {np.shape(labels)}, scores {np.shape(scores)}")
    labels, scores = np.asarray(labels), np.asarray(scores)
    order = np.argsort(
        -scores, kind="stable"
    )  # sorted once here; sorting sorted rows again costs a score next to nothing
    labels, scores = labels[order], scores[order]
    resamples = BlockResamples(block=resamples.block[order], multiplicity=resamples.multiplicity)
    step = max(1, CHUNK_WEIGHTS // n_rows)
    chunks = ((first, min(first + step, n_resamples)) for first in range(0, n_resamples, step))
    return np.concatenate([score(labels, scores, resamples.weights(*chunk)) for chunk in chunks])


def interval(value: float, resampled_values: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Percentile interval (Efron 1981) of a value from its resampled values [R].

    Undefined resamples (NaN: no positive or no negative was drawn) are left out, which is the same as drawing them
    again; where they are more than a twentieth the blocks are too few: InputError.
    """
    resampled_values = np.asarray(resampled_values, np.float64)
    undefined = np.isnan(resampled_values)
    if not np.isfinite(value) or undefined.mean() > MOST_UNDEFINED:
        raise InputError(
            f"no interval can be given: in {undefined.sum()} of {undefined.size} bootstrap resamples the test sites"
            " hold only one class or do not vary; test on more contigs or bases, so that more blocks hold positives."
        )
    tail = (1 - level) / 2
    low, high = np.quantile(resampled_values[~undefined], [tail, 1 - tail])
    return Estimate(float(value), float(low), float(high))


def score_interval(
    labels: ArrayLike, scores: ArrayLike, resamples: BlockResamples, score: Score, *, level: float = 0.95
) -> Estimate:
    """A score of all rows with its block-bootstrap interval."""
    return interval(float(score(labels, scores)), resampled(labels, scores, resamples, score), level=level)


def paired_difference(
    labels: ArrayLike,
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    resamples: BlockResamples,
    score: Score,
    *,
    level: float = 0.95,
) -> Estimate:
    """How much better a scores than b on the same rows, both being scored in the same resamples."""
    value = float(score(labels, scores_a)) - float(score(labels, scores_b))
    change = resampled(labels, scores_a, resamples, score) - resampled(labels, scores_b, resamples, score)
    return interval(value, change, level=level)


def class_mean_interval(
    labels: ArrayLike, log_odds: Floats, resamples: BlockResamples, score: Score, *, level: float = 0.95
) -> Estimate:
    """Mean over classes of a score of each class against all others, with its interval.

    labels : int [N], 0 .. K-1.   log_odds : [N, K].
    """
    own = [np.asarray(labels) == kind for kind in range(log_odds.shape[1])]
    value = np.mean([float(score(mine, log_odds[:, kind])) for kind, mine in enumerate(own)])
    changed = [resampled(mine, log_odds[:, kind], resamples, score) for kind, mine in enumerate(own)]
    return interval(float(value), np.mean(changed, axis=0), level=level)


def _weights(weights: ArrayLike | None, n_rows: int) -> Floats:
    return np.ones(n_rows) if weights is None else np.asarray(weights, np.float64)


def _positive_and_weights(labels: ArrayLike, weights: ArrayLike | None) -> tuple[Floats, Floats]:
    """Labels as 0. and 1. [N], and weights [..., N]."""
    positive = np.asarray(labels, bool).astype(np.float64)
    return positive, _weights(weights, positive.size)


def _order_and_ends(scores: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows by rising score [N], and where in that order each group of tied scores ends [K]."""
    if np.isnan(scores).any():
        raise ValueError(f"{np.isnan(scores).sum()} of {scores.size} scores are NaN; they cannot be ranked")
    order = np.argsort(scores, kind="stable")
    return order, np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))


def _cumulated(values: Floats, order: NDArray[np.intp], ends: NDArray[np.intp]) -> Floats:
    """Sums of values [..., N] up to the end of each tied group [..., K]."""
    sums: Floats = np.cumsum(np.take(values, order, axis=-1), axis=-1)
    return sums if ends.size == order.size else np.take(sums, ends, axis=-1)


def _counts_by_threshold(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None) -> tuple[Floats, Floats]:
    """Positives and the negatives that score at least as high as each of K thresholds, [..., K] each.

    The thresholds are the distinct scores, less those between two runs of nothing but negatives: they change no score
    here, and being most of them they would cost most of the time.
    """
    positive, weights = _positive_and_weights(labels, weights)
    order, ends = _order_and_ends(-np.asarray(scores, np.float64))  # best first
    n_above = np.cumsum(positive[order])[ends].astype(np.intp)  # unweighted positives down to each score
    has_positive = np.diff(n_above, prepend=0) > 0
    kept = has_positive | np.append(has_positive[1:], True)
    found = _cumulated(weights, order, ends[kept])
    above = np.cumsum(np.take(weights, order[positive[order] > 0], axis=-1), axis=-1)
    positives = np.take(np.insert(above, 0, 0.0, axis=-1), n_above[kept], axis=-1)
    return positives, found - positives


def _average_precision(positives: Floats, negatives: Floats) -> Floats:
    found = positives + negatives
    with np.errstate(invalid="ignore"):  # 0/0 where a resample left out all of the top rows, or every positive
        precision = np.where(found == 0, 0.0, positives / found)
        recalled: Floats = np.sum(_gains(positives) * precision, axis=-1)
        return recalled / positives[..., -1]


def _gains(cumulated: Floats) -> Floats:
    """What each of K thresholds adds to sums [..., K]."""
    return np.diff(cumulated, axis=-1, prepend=0.0)


def _mean_ranks(values: Floats, weights: Floats) -> Floats:
    """Each row's mean rank [..., N] where a row of weight n is n tied rows; ranks begin at 1/2."""
    order, ends = _order_and_ends(values)
    mass = _cumulated(weights, order, ends)  # [..., K]
    group = np.empty(order.size, np.intp)
    group[order] = np.searchsorted(ends, np.arange(order.size))
    return np.take(mass - _gains(mass) / 2, group, axis=-1)


def _deviations(values: Floats, weights: Floats) -> Floats:
    """Values [..., N] less their weighted mean."""
    mean: Floats = np.sum(weights * values, axis=-1, keepdims=True) / weights.sum(axis=-1, keepdims=True)
    return values - mean


def _spread(values: Floats, weights: Floats) -> Floats:
    """Weighted sum of squared deviations [...]; exactly 0 where the values do not vary."""
    spread = np.sum(weights * np.square(_deviations(values, weights)), axis=-1)
    return np.where(spread > ROUNDING * np.sum(weights * np.square(values), axis=-1), spread, 0.0)


def _correlation(truth: Floats, predictions: Floats, weights: Floats) -> Floats:
    """Weighted correlation [...] of two columns [..., N]; NaN where truth is constant, else 0 where predictions are."""
    truth_spread, spread = _spread(truth, weights), _spread(predictions, weights)
    shared = np.sum(weights * _deviations(truth, weights) * _deviations(predictions, weights), axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = np.where(spread > 0, shared / np.sqrt(truth_spread * spread), 0.0)
    return np.where(truth_spread > 0, correlation, np.nan)

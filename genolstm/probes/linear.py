"""Linear probes: L2 logistic and ridge regression whose strength is chosen on validation rows.

Both minimise  C * sum of losses + |w|^2 / 2  over standardised features, the intercept free, with C as in
scikit-learn (alpha = 1 / C in its Ridge). Classes are not weighted, so that probabilities keep the prevalence of the
training rows. The chosen probe stays as fitted on the training rows and is not refitted with the validation rows, so
that these may go on to choose thresholds and offsets and to judge calibration.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cho_factor, cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize
from scipy.special import expit

from genolstm.errors import InputError
from genolstm.probes.scores import log_likelihood, r2
from genolstm.store.results import LinearProbe, rows_in_memory

Floats = NDArray[np.float64]
Float32s = NDArray[np.float32]
Mask = NDArray[np.bool_]

REGULARISATION_GRID = tuple(float(c) for c in 10.0 ** np.arange(-6, 2.5, 0.5))  # C; beyond 100 nothing is left to free
CLEAR_FALL = 0.02  # of the best validation score; two steps in a row that far below it end the search
GRADIENT_TOLERANCE = 1e-6  # of the mean loss, in whitened coordinates: about sqrt(2 x loss still to gain per row)
SEARCH_TOLERANCE = 1e-3  # enough to rank strengths; the chosen one is then fitted to the caller's tolerance
FLOAT32_TOLERANCE = 1e-3  # from here on the rounding of float32 products cannot be seen; they take half the time
WIDE_FROM = 2048  # features from which on whitening is in float32, in half the time, and serves several strengths
SPAN = 10**0.5 * 1.01  # between a strength and the one that its whitening was made for: a step of the grid
ROUNDING = 1e-6  # of the mean eigenvalue of what is whitened in float32
ROWS_IN_CACHE = 128  # rows read once from memory, then used in float64 for both loss and gradient


def fit_logistic(
    features: NDArray[np.floating],
    labels: ArrayLike,
    *,
    train: Mask,
    valid: Mask,
    grid: Sequence[float] = REGULARISATION_GRID,
    max_iterations: int = 200,
    tolerance: float = GRADIENT_TOLERANCE,
    rescale: bool = True,
) -> LinearProbe:
    """Fit a logistic probe; C is the one of best log likelihood on the validation rows.

    Parameters
    ----------
    features : float16 or float32 [N, D]
    labels : bool [N]
    train, valid : bool [N], rows to fit and rows to choose C on
    grid : the C to try; they are tried from strong (small) to weak until the validation score has clearly fallen.
        With a few hundred positives AUPRC jumps about between neighbouring C, and the best of a dozen is often luck;
        the log likelihood of every row does not
    max_iterations : most solver steps at one C
    tolerance : of the gradient of the mean loss; a rough ranking of feature sets needs less than the default
    rescale : divide features by their standard deviation; without, they are penalised as they are, in units of their
        own that must fit together

    Raises
    ------
    InputError
        A split lacks positives or negatives.
    ValueError
        A feature is NaN or infinite.
    """
    positive = np.asarray(labels, bool)
    _require_both_classes(positive, train=train, valid=valid)
    mean, scale, standardised = standardised_rows(features, train, rescale=rescale)
    is_positive = positive[train]
    whitening = _Whitening(standardised, is_positive)
    prevalence = is_positive.mean()

    def fitted(c: float, start: tuple[Floats, float], tolerance: float) -> tuple[LinearProbe, tuple[Floats, float]]:
        slopes, intercept, converged = _minimise_logistic(
            standardised, is_positive, whitening, c, *start, max_iterations, tolerance
        )
        probe = LinearProbe(
            mean=mean, scale=scale, coefficients=slopes.astype(np.float32), intercept=intercept,
            regularisation=c, converged=converged,
        )  # fmt: skip
        return probe, (slopes, intercept)

    def path() -> Iterator[LinearProbe]:
        at = np.zeros(scale.size), float(np.log(prevalence / (1 - prevalence)))
        for c in sorted(grid):
            probe, at = fitted(c, at, max(tolerance, SEARCH_TOLERANCE))
            yield probe

    chosen = best_on_validation(path(), features[valid], positive[valid], log_likelihood)
    if tolerance >= SEARCH_TOLERANCE:
        return chosen
    start = chosen.coefficients.astype(np.float64), float(chosen.intercept)
    return replace(fitted(chosen.regularisation, start, tolerance)[0], strengths=chosen.strengths)


def fit_ridge(
    features: NDArray[np.floating],
    targets: ArrayLike,
    *,
    train: Mask,
    valid: Mask,
    grid: Sequence[float] = REGULARISATION_GRID,
    rescale: bool = True,
) -> LinearProbe:
    """Fit a ridge probe; C = 1 / alpha is the one of best R2 on the validation rows. Arguments as in fit_logistic.

    targets : float [N].   Raises InputError where the targets of a split do not vary.
    """
    targets = np.asarray(targets, np.float64)
    _require_variation(targets, train=train, valid=valid)
    mean, scale, standardised = standardised_rows(features, train, rescale=rescale)
    intercept = float(targets[train].mean())
    moments = _weighted_sum(standardised, targets[train] - intercept)
    gram = gram_of(standardised)

    def path() -> Iterator[LinearProbe]:
        for c in sorted(grid):
            factor = cho_factor(gram + np.eye(scale.size) / c, overwrite_a=True, check_finite=False)
            slopes = cho_solve(factor, moments, check_finite=False)
            yield LinearProbe(
                mean=mean, scale=scale, coefficients=slopes.astype(np.float32), intercept=intercept,
                regularisation=c, converged=True,
            )  # fmt: skip

    return best_on_validation(path(), features[valid], targets[valid], r2)


def best_on_validation(
    path: Iterator[LinearProbe],
    features: NDArray[np.floating],
    truth: NDArray[np.generic],
    score: Callable[[Any, Floats], Any],
) -> LinearProbe:
    """The best of a path of probes from strong to weak penalty, the stronger penalty winning ties.

    The path is left once two steps in a row have clearly fallen below the best.
    """
    probes: list[LinearProbe] = []
    tried: list[tuple[float, float]] = []
    for probe in path:
        probes.append(probe)
        tried.append((probe.regularisation, float(score(truth, probe.decision(features)))))
        best = max(value for _, value in tried)
        if max(value for _, value in tried[-2:]) < best - CLEAR_FALL * abs(best):
            break
    chosen = int(np.argmax([value for _, value in tried]))
    return replace(probes[chosen], strengths=tuple(tried))


class _Whitening:
    """Coordinates in which a logistic regression is nearly round: u = L' w.

    L L' is the Hessian at the training prevalence p without slopes, p (1 - p) X'X / N + 1 / (C N). Of many features
    it is taken in float32, and one L serves strengths up to `SPAN` apart: a step more or two costs less than another L.
    """

    def __init__(self, standardised: Float32s, is_positive: Mask) -> None:
        self.n_rows, self.width = standardised.shape
        self.curvature = float(is_positive.mean() * (1 - is_positive.mean()))  # of the mean loss along the intercept
        self.wide = self.width > WIDE_FROM
        self.gram = gram_of(standardised, np.float32 if self.wide else np.float64)
        self.of_strength, self.factor = 0.0, np.zeros((0, 0))

    def at(self, c: float) -> Floats:
        """L for one strength, float64 [D, D]."""
        span = SPAN if self.wide else 1.0
        if not self.of_strength / span <= c <= self.of_strength * span:
            self.of_strength = c * span if c > self.of_strength else c
            self.factor = np.zeros((0, 0))  # before the next one is made: they are large
            penalty = 1 / (self.of_strength * self.n_rows)
            hessian = self.gram * self.gram.dtype.type(self.curvature / self.n_rows)
            if self.wide:  # the rounding of float32 must not turn the smallest eigenvalue below 0
                penalty = max(penalty, ROUNDING * float(np.trace(hessian)) / self.width)
            hessian[np.diag_indices(self.width)] += hessian.dtype.type(penalty)
            self.factor = cholesky(hessian, lower=True, overwrite_a=True, check_finite=False).astype(np.float64)
        return self.factor


def _minimise_logistic(
    standardised: Float32s,
    is_positive: Mask,
    whitening: _Whitening,
    c: float,
    slopes: Floats,
    intercept: float,
    max_iterations: int,
    tolerance: float,
) -> tuple[Floats, float, bool]:
    """Slopes [D], intercept and convergence of the logistic regression at one C.

    L-BFGS in whitened coordinates. There the problem is nearly round: about ten steps instead of a hundred.
    """
    penalty = 1 / (c * is_positive.size)
    precision = np.float32 if tolerance >= FLOAT32_TOLERANCE else np.float64
    factor, along_intercept = whitening.at(c), float(np.sqrt(whitening.curvature))

    def unwhitened(u: Floats) -> tuple[Floats, float]:
        slopes = solve_triangular(factor, u[:-1], lower=True, trans="T", check_finite=False)
        return slopes, float(u[-1] / along_intercept)

    def objective(u: Floats) -> tuple[float, Floats]:
        slopes, intercept = unwhitened(u)
        loss, gradient, gradient_intercept = _mean_loss(standardised, is_positive, slopes, intercept, precision)
        whitened = solve_triangular(factor, gradient + penalty * slopes, lower=True, check_finite=False)
        return loss + penalty / 2 * float(slopes @ slopes), np.append(whitened, gradient_intercept / along_intercept)

    start = np.append(factor.T @ slopes, intercept * along_intercept)
    options = {"maxiter": max_iterations, "gtol": tolerance, "ftol": 0.0}
    found = minimize(objective, start, jac=True, method="L-BFGS-B", options=options)
    return *unwhitened(found.x), bool(np.abs(found.jac).max() <= tolerance)


def _mean_loss(
    standardised: Float32s, is_positive: Mask, slopes: Floats, intercept: float, precision: type[np.floating]
) -> tuple[float, Floats, float]:
    """Mean logistic loss in nats, its gradient by slope [D] and by intercept, in one pass over the rows."""
    loss, gradient, gradient_intercept = 0.0, np.zeros(slopes.size), 0.0
    weights = slopes.astype(precision)
    for rows in _row_slices(is_positive.size, ROWS_IN_CACHE):
        # float32 sums would hide the last 1e-8 of the loss from the line search, and 1e-3 of the slopes with it
        block, positive = standardised[rows].astype(precision, copy=False), is_positive[rows]
        log_odds = (block @ weights).astype(np.float64) + intercept
        loss += np.logaddexp(0, np.where(positive, -log_odds, log_odds)).sum()
        residual = expit(log_odds) - positive
        gradient += residual.astype(precision) @ block
        gradient_intercept += residual.sum()
    n_rows = is_positive.size
    return loss / n_rows, gradient / n_rows, gradient_intercept / n_rows


def standardised_rows(
    features: NDArray[np.floating], train: Mask, *, rescale: bool = True
) -> tuple[Float32s, Float32s, Float32s]:
    """Mean [D] and scale [D] of the training rows, and these rows standardised, float32 [N_train, D].

    rescale : without, the scale is 1 and rows are centred alone.
    """
    _require_finite(features)
    rows = features[train].astype(np.float32, copy=False)  # a copy already: the mask made it
    mean = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    rows -= mean
    if not rescale:
        return mean, np.ones_like(mean), rows
    spread = np.sqrt(np.einsum("nd,nd->d", rows, rows, dtype=np.float64) / len(rows))
    # a spread that float32 cannot hold beside the mean is rounding: such a feature is constant, and becomes 0
    scale = np.where(spread > np.finfo(np.float32).eps * np.abs(mean), spread, 1.0).astype(np.float32)
    rows /= scale
    return mean, scale, rows


def gram_of(standardised: Float32s, precision: type[np.floating] = np.float64) -> NDArray[Any]:
    """X'X, [D, D], without a copy of X in that precision."""
    gram = np.zeros((standardised.shape[1], standardised.shape[1]), dtype=precision)
    for rows in _row_slices(len(standardised), rows_in_memory(standardised.shape[1])):
        block = standardised[rows].astype(precision, copy=False)
        gram += block.T @ block
    return gram


def _weighted_sum(standardised: Float32s, weights: Floats) -> Floats:
    """X' weights, float64 [D], without a float64 copy of X."""
    total = np.zeros(standardised.shape[1])
    for rows in _row_slices(len(standardised), rows_in_memory(standardised.shape[1])):
        total += weights[rows] @ standardised[rows].astype(np.float64)
    return total


def _row_slices(n_rows: int, step: int) -> Iterator[slice]:
    return (slice(first, first + step) for first in range(0, n_rows, step))


def _require_both_classes(positive: Mask, **splits: Mask) -> None:
    for name, rows in splits.items():
        n_positive, n_rows = int(positive[rows].sum()), int(rows.sum())
        if n_positive in (0, n_rows):
            raise InputError(
                f"the {name} split holds {n_positive} positive and {n_rows - n_positive} negative sites, and a probe"
                f" needs both; give it more contigs with --{name}-contigs, or more sites."
            )


def _require_variation(targets: Floats, **splits: Mask) -> None:
    for name, rows in splits.items():
        if np.unique(targets[rows]).size < 2:
            raise InputError(
                f"the targets of the {name} split's {int(rows.sum())} sites do not vary, so that nothing can be"
                f" learned or judged there; give it more contigs with --{name}-contigs, or more sites."
            )


def _require_finite(features: NDArray[np.floating]) -> None:
    for rows in _row_slices(len(features), rows_in_memory(features.shape[1])):
        finite = np.isfinite(features[rows]).all(axis=1)
        if not finite.all():
            raise ValueError(f"features of row {rows.start + int(np.argmin(finite))} are NaN or infinite")

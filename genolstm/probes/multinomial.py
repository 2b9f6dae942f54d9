"""Linear probe of several classes: L2 multinomial regression, its strength chosen on validation as in `linear`."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import minimize
from scipy.special import log_softmax, logsumexp

from genolstm.errors import InputError
from genolstm.probes.linear import (
    GRADIENT_TOLERANCE,
    REGULARISATION_GRID,
    Float32s,
    Floats,
    Mask,
    best_on_validation,
    gram_of,
    standardised_rows,
)
from genolstm.store.results import LinearProbe, rows_in_memory


def fit_multinomial(
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
    """Multinomial probe; C is the one of best mean log likelihood on the validation rows.

    features : float [N, D].   labels : int [N], 0 .. K-1.   Other arguments as in `linear.fit_logistic`.
    Raises InputError where the training or validation rows lack a class.
    """
    labels = np.asarray(labels, np.int64)
    n_kinds = int(labels.max()) + 1
    for name, rows in (("train", train), ("valid", valid)):
        counts = np.bincount(labels[rows], minlength=n_kinds)
        if not counts.all():
            raise InputError(
                f"the {name} split holds {', '.join(map(str, counts))} sites of the {n_kinds} classes, and a probe"
                " needs all; give it more contigs or more sites."
            )
    mean, scale, standardised = standardised_rows(features, train, rescale=rescale)
    gram = gram_of(standardised)
    own = np.eye(n_kinds)[labels[train]]  # [N_train, K]

    def path() -> Iterator[LinearProbe]:
        slopes, intercept = np.zeros((scale.size, n_kinds)), np.log(own.mean(axis=0))
        for c in sorted(grid):
            slopes, intercept, converged = _minimise(
                standardised, own, gram, c, slopes, intercept, max_iterations, tolerance
            )
            yield LinearProbe(
                mean=mean, scale=scale, coefficients=slopes.astype(np.float32), intercept=intercept, regularisation=c,
                converged=converged,
            )  # fmt: skip

    return best_on_validation(path(), features[valid], labels[valid], _mean_log_likelihood)


def _mean_log_likelihood(labels: NDArray[np.generic], log_odds: Floats) -> float:
    """Nats a row, 0 at best."""
    return float(log_softmax(log_odds, axis=1)[np.arange(len(labels)), labels].mean())


def _minimise(
    standardised: Float32s,
    own: Floats,
    gram: Floats,
    c: float,
    slopes: Floats,
    intercept: Floats,
    max_iterations: int,
    tolerance: float,
) -> tuple[Floats, Floats, bool]:
    """Slopes [D, K], intercepts [K] and convergence at one C; whitened as `linear._minimise_logistic`."""
    n_rows, n_kinds = own.shape
    penalty = 1 / (c * n_rows)
    curvature = 1 / n_kinds * (1 - 1 / n_kinds)
    factor = cholesky(gram * (curvature / n_rows) + penalty * np.eye(len(slopes)), lower=True, check_finite=False)

    def unwhitened(u: Floats) -> tuple[Floats, Floats]:
        columns = u.reshape(-1, n_kinds)
        slopes = solve_triangular(factor, columns[:-1], lower=True, trans="T", check_finite=False)
        return slopes, columns[-1] / np.sqrt(curvature)

    def objective(u: Floats) -> tuple[float, Floats]:
        slopes, intercept = unwhitened(u)
        loss, gradient, of_intercept = 0.0, np.zeros_like(slopes), np.zeros(n_kinds)
        step = rows_in_memory(len(slopes))
        for first in range(0, n_rows, step):
            rows = slice(first, first + step)
            block = standardised[rows].astype(np.float64)
            log_odds = block @ slopes + intercept  # [rows, K]
            total = logsumexp(log_odds, axis=1, keepdims=True)
            loss += float((total[:, 0] - (log_odds * own[rows]).sum(axis=1)).sum())
            residual = np.exp(log_odds - total) - own[rows]
            gradient += block.T @ residual
            of_intercept += residual.sum(axis=0)
        gradient = gradient / n_rows + penalty * slopes
        whitened = solve_triangular(factor, gradient, lower=True, check_finite=False)
        below = of_intercept / n_rows / np.sqrt(curvature)
        return loss / n_rows + penalty / 2 * float((slopes**2).sum()), np.vstack([whitened, below]).ravel()

    start = np.vstack([factor.T @ slopes, intercept * np.sqrt(curvature)]).ravel()
    options = {"maxiter": max_iterations, "gtol": tolerance, "ftol": 0.0}
    found = minimize(objective, start, jac=True, method="L-BFGS-B", options=options)
    return *unwhitened(found.x), bool(np.abs(found.jac).max() <= tolerance)

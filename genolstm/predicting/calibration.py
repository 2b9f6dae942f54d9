"""Log odds of a probe as probabilities at the ratio at which candidates are true in nature.

A probe is fitted to chosen rows: a few decoys for each true site. Its validation rows, which it was not fitted to, are
counted as often as nature has them, and a logistic curve is fitted to what it says of them (Platt 1999). The test rows,
counted likewise, tell how far off the probabilities are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_softmax, logit, softmax

from genolstm.errors import InputError
from genolstm.probes.scores import expected_calibration_error, log_likelihood
from genolstm.probes.task import TRAINED
from genolstm.regions import Part
from genolstm.store.results import ProbeResult

Floats = NDArray[np.float64]

EDGES = (0.0, 0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)  # of reliability


class ReliabilityBin(NamedTuple):
    """Rows of similar probability. lower, upper : edges.   predicted, observed : means, each row as often as in nature.

    positive, negative : rows themselves.
    """

    lower: float
    upper: float
    predicted: float
    observed: float
    positive: int
    negative: int


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """From log odds to calibrated ones: slope x log odds + intercept. intercept : float64 [K]; one of two classes.

    natural : true sites among all candidates; NaN of several classes, which keep the ratio of the probe's rows.
    source : where that ratio is from, as text.   figures : name -> number, of the probe's test rows.   reliability :
    of them.
    """

    slope: float
    intercept: Floats
    natural: float
    source: str
    figures: Mapping[str, float]
    reliability: tuple[ReliabilityBin, ...]

    def log_odds(self, decision: Floats) -> Floats:
        """Calibrated log odds, [N], or [N, K] up to a constant a row. decision : of the probe, of that shape."""
        return self.slope * decision + (self.intercept if decision.ndim > 1 else self.intercept[0])

    def probability(self, log_odds: Floats) -> Floats:
        """Probability of being true [N], or of each class [N, K]. log_odds : calibrated."""
        found: Floats = expit(log_odds) if log_odds.ndim == 1 else softmax(log_odds, axis=1)
        return found


def calibrated(result: ProbeResult, natural: float) -> Calibration | None:
    """Calibration of one target of a probe; None where it predicts values. natural : 0 for the probe's own ratio.

    Raises InputError where the validation rows lack a class.
    """
    features = result.features[TRAINED]
    if features.log_odds.ndim > 1:
        return _of_several(features.log_odds.astype(np.float64), features.label, result.sites.part)
    if features.threshold is None:
        return None
    log_odds, label = features.log_odds.astype(np.float64), features.label > 0
    valid, test = result.sites.part == Part.VALID, result.sites.part == Part.TEST
    if not 0 < label[valid].sum() < valid.sum():
        raise InputError(
            f"the probe of '{result.target}' has no validation rows of both classes to calibrate on; fit it on more"
            " sites."
        )
    share, source = _natural(result, label, natural)
    slope, intercept = platt(log_odds[valid], label[valid], natural_weights(label[valid], share))
    weights = natural_weights(label[test], share)
    told = slope * log_odds[test] + intercept
    rows = label[~test]
    shifted = log_odds[test] + logit(share) - logit(rows.mean())
    figures = {
        "validation_positive": float(label[valid].sum()),
        "validation_negative": float((~label[valid]).sum()),
        "test_calibration_error": float(expected_calibration_error(label[test], expit(told), weights)),
        "test_calibration_error_uncalibrated": float(expected_calibration_error(label[test], expit(shifted), weights)),
        "test_log_likelihood": float(log_likelihood(label[test], told, weights)),
        "test_log_likelihood_uncalibrated": float(log_likelihood(label[test], shifted, weights)),
    }
    return Calibration(
        slope=slope, intercept=np.array([intercept]), natural=share, source=source, figures=figures,
        reliability=reliability(label[test], expit(told), weights),
    )  # fmt: skip


def _natural(result: ProbeResult, label: NDArray[np.bool_], given: float) -> tuple[float, str]:
    """True sites among all candidates, and where that is from."""
    if given:
        return given, "given"
    if result.prevalence and result.prevalence < 1:
        return result.prevalence, "counted on the probe's genome"
    rows = label[result.sites.part != Part.TEST]
    return float(rows.mean()), "of the probe's own rows; nature's is not known"


def natural_weights(label: NDArray[np.bool_], natural: float) -> Floats:
    """How often each row counts so that positives are a fraction `natural` of all: a positive once; [N]."""
    positive = label.sum()
    each = positive * (1 - natural) / natural / max(1, len(label) - positive)
    return np.where(label, 1.0, each)


def platt(log_odds: Floats, label: NDArray[np.bool_], weights: Floats) -> tuple[float, float]:
    """Slope and intercept of the calibrated log odds, by weighted likelihood, targets smoothed (Platt 1999)."""
    positive, negative = weights[label].sum(), weights[~label].sum()
    target = np.where(label, (positive + 1) / (positive + 2), 1 / (negative + 2))
    total, start = weights.sum(), np.array([1.0, logit(positive / (positive + negative)) - logit(label.mean())])

    def loss(at: Floats) -> tuple[float, Floats]:
        told = at[0] * log_odds + at[1]
        off = weights * (expit(told) - target) / total
        nats = weights @ (np.logaddexp(0, told) - target * told) / total
        return float(nats), np.array([off @ log_odds, off.sum()])

    found = minimize(loss, start, jac=True, method="BFGS", options={"gtol": 1e-9})
    return float(found.x[0]), float(found.x[1])


def _of_several(log_odds: Floats, label: NDArray[np.generic], part: NDArray[np.int8]) -> Calibration:
    """One slope for all classes and an intercept for each, on the validation rows as they are (Guo et al. 2017)."""
    valid, test = part == Part.VALID, part == Part.TEST
    n_classes = log_odds.shape[1]
    own = np.eye(n_classes)[label.astype(np.int64)]

    def loss(at: Floats) -> tuple[float, Floats]:
        told = log_softmax(at[0] * log_odds[valid] + np.append(0, at[1:]), axis=1)
        off = (np.exp(told) - own[valid]) / valid.sum()
        return -float((told * own[valid]).sum()) / int(valid.sum()), np.append(
            (off * log_odds[valid]).sum(), off.sum(axis=0)[1:]
        )

    found = minimize(loss, np.append(1.0, np.zeros(n_classes - 1)), jac=True, method="BFGS")
    slope, intercept = float(found.x[0]), np.append(0.0, found.x[1:])

    def error(values: Floats) -> float:
        probability = softmax(values, axis=1)
        each = [expected_calibration_error(own[test][:, k] > 0, probability[:, k]) for k in range(n_classes)]
        return float(np.mean(each))

    told = slope * log_odds[test] + intercept
    figures = {
        "test_calibration_error": error(told),
        "test_calibration_error_uncalibrated": error(log_odds[test]),
        "test_log_likelihood": float((log_softmax(told, axis=1) * own[test]).sum(axis=1).mean()),
        "test_log_likelihood_uncalibrated": float((log_softmax(log_odds[test], axis=1) * own[test]).sum(axis=1).mean()),
    }
    return Calibration(
        slope=slope, intercept=intercept, natural=np.nan, source="of the probe's own rows; nature's is not known",
        figures=figures, reliability=(),
    )  # fmt: skip


def reliability(label: NDArray[np.bool_], probability: Floats, weights: Floats) -> tuple[ReliabilityBin, ...]:
    """Predicted and observed fractions in bins of probability; those without rows are left out."""
    slot = np.clip(np.searchsorted(EDGES, probability, side="right") - 1, 0, len(EDGES) - 2)
    bins = []
    for number in np.unique(slot).tolist():
        rows = slot == number
        bins.append(
            ReliabilityBin(
                EDGES[number], EDGES[number + 1], float(np.average(probability[rows], weights=weights[rows])),
                float(np.average(label[rows], weights=weights[rows])), int(label[rows].sum()),
                int((~label[rows]).sum()),
            )
        )  # fmt: skip
    return tuple(bins)

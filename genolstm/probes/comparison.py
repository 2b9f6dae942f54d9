"""Feature sets against each other on one truth: the same search, the test rows opened once, intervals paired."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from genolstm.errors import InputError
from genolstm.estimate import Estimate
from genolstm.probes.boosted_trees import boosted_trees, no_linear_probe
from genolstm.probes.components import Components
from genolstm.probes.scores import (
    BlockResamples,
    Score,
    accuracy,
    auprc,
    auroc,
    block_bootstrap,
    class_mean_interval,
    expected_calibration_error,
    interval,
    mcc,
    paired_difference,
    pearson,
    r2,
    resampled,
    score_interval,
    spearman,
    topk,
)
from genolstm.probes.task import BINARY, MULTICLASS, Features, Floats, Log, MatchedRows, TargetType, Truth, likeliest
from genolstm.probes.verdicts import verdict_word
from genolstm.regions import Part
from genolstm.seeds import spawn
from genolstm.store.results import CalibrationBin, FeatureSet, LinearProbe

CALIBRATION_BINS = 15
HARDLY_EVER = 0.05  # of the resamples


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A probe, what it was fitted to, and what it predicts at every row: log odds, [N] or [N, K], or values."""

    probe: LinearProbe
    truth: Truth
    predicted: Floats


AnyFeatures = Features | Components


def fit_coarsely(
    type_: TargetType, features: AnyFeatures, truth: Truth, *, train: NDArray[np.bool_], valid: NDArray[np.bool_]
) -> tuple[LinearProbe, Floats]:
    """A probe that is enough to rank features, and what it predicts at the validation rows."""
    if isinstance(features, Components):
        truth, train, valid = (each[features.fitted] for each in (truth, train, valid))
        probe = type_.fit_coarsely(features.values, truth, train=train, valid=valid, rescale=False)
        return probe, probe.decision(features.values[valid])
    probe = type_.fit_coarsely(features, truth, train=train, valid=valid)
    return probe, probe.decision(features[valid])


class ProbeComparison:
    """Fits by name, and their scores once all are there.

    target : its name in messages.   truth : [N], classes from 0, or values.   part, block : [N].
    log : called with a message as each fit is done.
    Raises InputError where the test rows give no interval.
    """

    def __init__(
        self,
        target: str,
        type_: TargetType,
        truth: Truth,
        part: NDArray[np.int8],
        block: NDArray[np.int64],
        *,
        n_resamples: int,
        seed: int,
        log: Log,
    ) -> None:
        self.target, self.type, self.truth, self.log = target, type_, truth, log
        self.train, self.valid, self.test = (part == each for each in (Part.TRAIN, Part.VALID, Part.TEST))
        self.resamples = block_bootstrap(block[self.test], n_resamples, spawn(seed, "bootstrap"))
        self.check(truth)
        self.fits: dict[str, Fit] = {}

    def fit(self, name: str, features: AnyFeatures, truth: Truth | None = None) -> None:
        """Fit a feature set on the training rows, its strength chosen on validation.

        truth : fitted to and scored on in place of the true one, for controls whose labels carry no information.
        """
        truth = self.truth if truth is None else truth
        if isinstance(features, Components):
            truth_there, train, valid = (each[features.fitted] for each in (truth, self.train, self.valid))
            of_components = self.type.fit(features.values, truth_there, train=train, valid=valid, rescale=False)
            probe = features.unfolded(of_components)
            predicted = features.source.decision(probe)
        else:
            probe = self.type.fit(features, truth, train=self.train, valid=self.valid)
            predicted = probe.decision(features)
        self._keep(name, probe, truth, predicted)

    def fit_trees(self, name: str, features: AnyFeatures, seed: int) -> None:
        """Fit boosted trees to the truth, which say how much a linear probe of the same features leaves unread."""
        predicted = boosted_trees(
            self.type, features, self.truth, train=self.train, valid=self.valid, rng=spawn(seed, "boosted trees")
        )  # fmt: skip
        self._keep(name, no_linear_probe(predicted), self.truth, predicted)

    def _keep(self, name: str, probe: LinearProbe, truth: Truth, predicted: Floats) -> None:
        predicted = predicted.astype(np.float32).astype(np.float64)  # scored as it is saved
        self.fits[name] = Fit(probe=probe, truth=truth, predicted=predicted)
        at_valid = float(self.type.score(truth[self.valid], self.type.judged(predicted[self.valid])))
        self.log(f"{self.target}, {name}: validation {self.type.ranked.upper()} {at_valid:.3f}")

    def permuted(self, rng: np.random.Generator) -> Truth:
        """Truth permuted within each part: any score above chance level has leaked."""
        truth = self.truth.copy()
        for rows in (self.train, self.valid, self.test):
            truth[rows] = rng.permutation(truth[rows])
        return truth

    def check(self, truth: Truth) -> None:
        """Fail before hours of reading, not after. Raises InputError where the test rows give no interval."""
        score_interval(truth[self.test], truth[self.test], self.resamples, auroc if self.type is BINARY else r2)

    def unmatched(self, matched: MatchedRows, others: Iterable[Truth]) -> str:
        """Why matched rows are too few for intervals, under the truth or one of the other labels; '' where they do."""
        for truth in (self.truth[self.test], *(other[self.test] for other in others)):
            try:
                rows = matched.rows(truth)
                score_interval(truth[rows], truth[rows], self._resamples_of(rows), auroc)
            except InputError as problem:
                return str(problem)
        return ""

    def feature_sets(
        self, *, more: Mapping[str, Score] | None = None, matched: MatchedRows | None = None
    ) -> dict[str, FeatureSet]:
        """Every fit with its scores on the test rows and their intervals.

        more : further scores of two classes by name.   matched : rows on which AUPRC and AUROC are reported again.
        """
        return {name: self._feature_set(fit, more or {}, matched) for name, fit in self.fits.items()}

    def _resamples_of(self, rows: NDArray[np.int64]) -> BlockResamples:
        return BlockResamples(block=self.resamples.block[rows], multiplicity=self.resamples.multiplicity)

    def difference(self, one: str, other: str) -> Estimate:
        """Score of one fit minus that of another on the true test rows, paired."""
        ours, theirs = (self._judged(name) for name in (one, other))
        return paired_difference(self.truth[self.test], ours, theirs, self.resamples, self.type.score)

    def _judged(self, name: str) -> Floats:
        """Predictions of one fit at the test rows, as the score takes them."""
        return self.type.judged(self.fits[name].predicted[self.test])

    def fraction_of_ceiling(self, one: str, floor: str, ceiling: str) -> Estimate | None:
        """Score of one fit relative to those of two others, 0 at the floor and 1 at the ceiling, paired.

        None where the ceiling is not above the floor in nearly every resample.
        """
        truth, score = self.truth[self.test], self.type.score
        judged = [self._judged(name) for name in (one, floor, ceiling)]
        ours, low, high = (float(score(truth, each)) for each in judged)
        drawn = [resampled(truth, each, self.resamples, score) for each in judged]
        span = drawn[2] - drawn[1]
        if high <= low or np.mean(~(span > 0)) > HARDLY_EVER:
            return None
        with np.errstate(divide="ignore", invalid="ignore"):
            fraction = np.where(span > 0, (drawn[0] - drawn[1]) / span, np.nan)
        return interval((ours - low) / (high - low), fraction)

    def _feature_set(self, fit: Fit, more: Mapping[str, Score], matched: MatchedRows | None) -> FeatureSet:
        truth, predicted = fit.truth[self.test], fit.predicted[self.test]
        threshold = None
        scores: dict[str, tuple[Score, Floats]] = {}
        if self.type is BINARY:
            threshold = best_threshold(fit.truth[self.valid], fit.predicted[self.valid])
            scores = _class_scores(predicted, threshold) | {name: (score, predicted) for name, score in more.items()}
        elif self.type is MULTICLASS:
            scores = {"accuracy": (accuracy, likeliest(predicted))}
        else:
            scores = {"r2": (r2, predicted), "pearson": (pearson, predicted), "spearman": (spearman, predicted)}
        estimates = {
            name: score_interval(truth, predictions, self.resamples, how) for name, (how, predictions) in scores.items()
        }
        if self.type is MULTICLASS:
            for name, score in (("auroc_mean", auroc), ("auprc_mean", auprc)):
                estimates[name] = class_mean_interval(truth, predicted, self.resamples, score)
        if matched:
            rows = matched.rows(truth)
            for name, score in (("auprc", auprc), ("auroc", auroc)):
                estimates[f"{name}_{matched.name}"] = score_interval(
                    truth[rows], predicted[rows], self._resamples_of(rows), score
                )
        return FeatureSet(
            **vars(fit.probe), label=fit.truth, log_odds=fit.predicted.astype(np.float32), threshold=threshold,
            scores=estimates,
        )  # fmt: skip

    def calibration(self, name: str) -> tuple[CalibrationBin, ...]:
        """Bins of equal size by predicted probability of one fit, on the test rows."""
        log_odds, labels = self.fits[name].predicted[self.test], self.truth[self.test]
        order = np.argsort(log_odds, kind="stable")
        return tuple(
            CalibrationBin(
                edge_log_odds=float(log_odds[rows[0]]),
                predicted=float(expit(log_odds[rows]).mean()),
                observed=float(labels[rows].mean()),
                sites=len(rows),
            )
            for rows in np.array_split(order, CALIBRATION_BINS)
            if len(rows)
        )


def verdict_of(
    differences: Mapping[str, Estimate],
    features: Mapping[str, FeatureSet],
    ranked: str,
    positives: Mapping[Part, int] | None = None,
) -> tuple[str, str]:
    """Verdict over the strongest control, and that control's name.

    differences : control -> trained minus control.   positives : see `verdicts.verdict_word`.
    """
    best = max(differences, key=lambda name: features[name].scores[ranked].value)
    return verdict_word(differences[best], positives), best


def best_threshold(labels: Truth, log_odds: Floats) -> float:
    """Threshold of best MCC on validation, among 200 quantiles."""
    candidates = np.unique(np.quantile(log_odds, np.linspace(0, 1, 201)))
    return float(max(candidates, key=lambda threshold: float(mcc(labels, log_odds, threshold=threshold))))


def _class_scores(log_odds: Floats, threshold: float) -> dict[str, tuple[Score, Floats]]:
    return {
        "auprc": (auprc, log_odds),
        "auroc": (auroc, log_odds),
        "topk": (topk, log_odds),
        "mcc": (partial(mcc, threshold=threshold), log_odds),
        "calibration_error": (expected_calibration_error, expit(log_odds)),
    }

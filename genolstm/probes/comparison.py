"""Feature sets against each other on one truth: the same search for all, the test rows opened once, intervals paired.

What is asked of a row is which of two classes it is of (logistic regression), which of several (multinomial), or what
its value is (ridge).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from genolstm.probes.linear import LinearProbe, fit_logistic, fit_ridge
from genolstm.probes.multinomial import MulticlassProbe, fit_multinomial
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
from genolstm.probes.verdicts import verdict_word
from genolstm.regions import Part
from genolstm.seeds import spawn
from genolstm.store.results import CalibrationBin, Estimate, FeatureSet

Floats = NDArray[np.float64]
Truth = NDArray[np.int8] | NDArray[np.float32]

CALIBRATION_BINS = 15
HARDLY_EVER = 0.05  # of the resamples


class Subset(NamedTuple):
    """Test rows of which a second score is told, as of positives and negatives that were matched to them.

    name : ends the names of the scores.   rows : indices into the test rows.
    """

    name: str
    rows: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class ProbeTask:
    """What is asked of each row, and which score ranks the answers.

    ranked : name of the score that verdicts are made from.   score : that score.   fit : features, truth, train, valid
    -> probe.   judged : from what a probe predicts, [N] or [N, K], to what the score is given, [N].
    """

    ranked: str
    score: Score
    fit: Callable[..., LinearProbe | MulticlassProbe]
    judged: Callable[[Floats], Floats]


def _as_it_is(predicted: Floats) -> Floats:
    return predicted


def _likeliest(log_odds: Floats) -> Floats:
    """Class of the highest log odds, [N]. log_odds : [N, K]."""
    best: Floats = log_odds.argmax(axis=1).astype(np.float64)
    return best


CLASSES = ProbeTask(ranked="auprc", score=auprc, fit=fit_logistic, judged=_as_it_is)
VALUES = ProbeTask(ranked="r2", score=r2, fit=fit_ridge, judged=_as_it_is)
MULTICLASS = ProbeTask(ranked="accuracy", score=accuracy, fit=fit_multinomial, judged=_likeliest)


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A probe, what it was fitted to, and what it predicts at every row: log odds, [N] or [N, K], or values."""

    probe: LinearProbe | MulticlassProbe
    truth: Truth
    predicted: Floats


class ProbeComparison:
    """Fits by name, and their scores once all are there.

    target : what messages call it.   truth : [N], classes 0 and 1, or values.   part, block : [N].
    told : called with a sentence as each fit is done.
    Raises InputError where the test rows give no interval.
    """

    def __init__(
        self,
        target: str,
        question: ProbeTask,
        truth: Truth,
        part: NDArray[np.int8],
        block: NDArray[np.int64],
        *,
        n_resamples: int,
        seed: int,
        told: Callable[[str], None],
    ) -> None:
        self.target, self.question, self.truth, self.told = target, question, truth, told
        self.train, self.valid, self.test = (part == each for each in (Part.TRAIN, Part.VALID, Part.TEST))
        self.resamples = block_bootstrap(block[self.test], n_resamples, spawn(seed, "bootstrap"))
        self.check(truth)
        self.fits: dict[str, Fit] = {}

    def fit(self, name: str, features: NDArray[np.floating], truth: Truth | None = None, **options: Any) -> None:  # noqa: ANN401
        """Fit a feature set on the training rows, its strength chosen on validation.

        truth : fitted to and judged on in place of the true one, for controls of which the labels mean nothing.
        """
        truth = self.truth if truth is None else truth
        probe = self.question.fit(features, truth, train=self.train, valid=self.valid, **options)
        predicted = probe.decision(features).astype(np.float32).astype(np.float64)  # what is judged is what is saved
        self.fits[name] = Fit(probe=probe, truth=truth, predicted=predicted)
        at_valid = float(self.question.score(truth[self.valid], self.question.judged(predicted[self.valid])))
        self.told(f"{self.target}, {name}: validation {self.question.ranked.upper()} {at_valid:.3f}")

    def permuted(self, rng: np.random.Generator) -> Truth:
        """Truth permuted within each part: whatever is then read above chance has leaked."""
        truth = self.truth.copy()
        for rows in (self.train, self.valid, self.test):
            truth[rows] = rng.permutation(truth[rows])
        return truth

    def check(self, truth: Truth, subsets: Sequence[Subset] = ()) -> None:
        """Fail before hours of reading, not after. Raises InputError where the test rows give no interval."""
        score = auroc if self.question is CLASSES else r2
        score_interval(truth[self.test], truth[self.test], self.resamples, score)
        for subset in subsets:
            some = truth[self.test][subset.rows]
            score_interval(some, some, self._resamples_of(subset), score)

    def feature_sets(
        self, *, more: Mapping[str, Score] | None = None, subsets: Callable[[Truth], Sequence[Subset]] | None = None
    ) -> dict[str, FeatureSet]:
        """Every fit with its scores on the test rows and their intervals.

        more : further scores of classes by name.   subsets : from the test rows' truth to rows on which AUPRC and AUROC
        are told again.
        """
        return {
            name: self._feature_set(fit, more or {}, subsets(fit.truth[self.test]) if subsets else ())
            for name, fit in self.fits.items()
        }

    def _resamples_of(self, subset: Subset) -> BlockResamples:
        return BlockResamples(block=self.resamples.block[subset.rows], multiplicity=self.resamples.multiplicity)

    def difference(self, one: str, other: str) -> Estimate:
        """Score of one fit minus that of another on the true test rows, paired."""
        ours, theirs = (self._judged(name) for name in (one, other))
        return Estimate(*paired_difference(self.truth[self.test], ours, theirs, self.resamples, self.question.score))

    def _judged(self, name: str) -> Floats:
        """What one fit predicts at the test rows, as the question's score takes it."""
        return self.question.judged(self.fits[name].predicted[self.test])

    def standing(self, one: str, floor: str, ceiling: str) -> Estimate | None:
        """Where the score of one fit stands between those of two others, 0 at the floor and 1 at the ceiling, paired.

        None where the ceiling is not above the floor in nearly every resample.
        """
        truth, score = self.truth[self.test], self.question.score
        judged = [self._judged(name) for name in (one, floor, ceiling)]
        ours, low, high = (float(score(truth, each)) for each in judged)
        drawn = [resampled(truth, each, self.resamples, score) for each in judged]
        room = drawn[2] - drawn[1]
        if high <= low or np.mean(~(room > 0)) > HARDLY_EVER:
            return None
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(room > 0, (drawn[0] - drawn[1]) / room, np.nan)
        return Estimate(*interval((ours - low) / (high - low), share))

    def _feature_set(self, fit: Fit, more: Mapping[str, Score], subsets: Sequence[Subset]) -> FeatureSet:
        truth, predicted = fit.truth[self.test], fit.predicted[self.test]
        threshold = None
        scores: dict[str, tuple[Score, Floats]] = {}
        if self.question is CLASSES:
            threshold = best_threshold(fit.truth[self.valid], fit.predicted[self.valid])
            scores = _class_scores(predicted, threshold) | {name: (score, predicted) for name, score in more.items()}
        elif self.question is MULTICLASS:
            scores = {"accuracy": (accuracy, _likeliest(predicted))}
        else:
            scores = {"r2": (r2, predicted), "pearson": (pearson, predicted), "spearman": (spearman, predicted)}
        told = {
            name: Estimate(*score_interval(truth, predictions, self.resamples, how))
            for name, (how, predictions) in scores.items()
        }
        if self.question is MULTICLASS:
            for name, score in (("auroc_mean", auroc), ("auprc_mean", auprc)):
                told[name] = Estimate(*class_mean_interval(truth, predicted, self.resamples, score))
        for subset in subsets:
            some = self._resamples_of(subset)
            for name, score in (("auprc", auprc), ("auroc", auroc)):
                told[f"{name}_{subset.name}"] = Estimate(
                    *score_interval(truth[subset.rows], predicted[subset.rows], some, score)
                )
        probe = fit.probe
        return FeatureSet(
            label=fit.truth,
            log_odds=fit.predicted.astype(np.float32),
            threshold=threshold,
            mean=probe.mean,
            scale=probe.scale,
            coefficients=probe.coefficients,
            intercept=probe.intercept,
            regularisation=probe.regularisation,
            converged=probe.converged,
            strengths=probe.validation,
            scores=told,
        )

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
    """Give the threshold of best MCC on validation, among 200 quantiles."""
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

"""Probes over folds: every site is judged once, by a model and a probe that never met its contig or block.

Each fold is a probe of its own, of the model that held the fold out, with every choice on that model's validation part.
Then the test sites of all folds are pooled. Log odds of different probes have no common scale, so that those of each
fold, of each feature set, are first recalibrated on the fold's validation sites (a slope and an intercept; Platt 1999).
That keeps the order within a fold, and sees no test site. Values, and the classes of several, are pooled as they are.
Scores and intervals are then those of any probe, by blocks over all folds.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from genolstm.errors import GenolstmError, InputError, UsageError
from genolstm.probes.comparison import Fit, ProbeComparison, verdict_of
from genolstm.probes.scores import auprc_at_prevalence
from genolstm.probes.task import BINARY, CONTINUOUS, CONTROL_TASK, MULTICLASS, TRAINED, Floats, Log, TargetType
from genolstm.probes.verdicts import positives_of
from genolstm.regions import Part, Sites
from genolstm.settings.protein import AnyProbeSettings
from genolstm.settings.site_reading import pools_text
from genolstm.store.checkpoint import Checkpoint
from genolstm.store.results import LinearProbe, ProbeResult

TYPES = {each.ranked: each for each in (BINARY, MULTICLASS, CONTINUOUS)}
NATURAL = "auprc_natural"
LEAST_SLOPE = 0.05  # of a recalibration: a feature set that tells nothing on validation keeps its order
NEWTON_STEPS = 50
HOW = {
    BINARY.ranked: "log odds recalibrated on the validation sites of each fold",
    MULTICLASS.ranked: "log odds of each class as they are",
    CONTINUOUS.ranked: "values as they are",
}
SITE_COLUMNS = ("contig", "position", "strand", "label", "part", "block")
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class FoldModel:
    """The model of one fold. name : for messages, its file."""

    name: str
    checkpoint: Checkpoint


def check_folds(models: Sequence[FoldModel], settings: AnyProbeSettings) -> None:
    """Refuse models that are not those of all folds of one split, and options that name another split.

    Raises InputError and UsageError.
    """
    named = (settings.train_contigs, settings.test_contigs, getattr(settings, "valid_contigs", ()))
    if any(named):
        raise UsageError(
            "--folds test each model on what it held out; leave --train-contigs, --valid-contigs and --test-contigs"
            " out."
        )
    first = models[0]
    for place, model in enumerate(models, 1):
        train = model.checkpoint.train
        if not train.folds:
            raise InputError(f"{model.name} was trained without --folds; train it with 'genolstm train --folds 5'.")
        same = (
            (train.folds, first.checkpoint.train.folds),
            (model.checkpoint.genome_sha256, first.checkpoint.genome_sha256),
            (model.checkpoint.model, first.checkpoint.model),
        )
        if train.fold != place or any(mine != theirs for mine, theirs in same):
            raise InputError(
                f"{model.name} is not fold {place} of what {first.name} is fold 1 of (its genome, its shape, --folds or"
                " --fold differ); train all folds alike."
            )
    if len(models) != (folds := first.checkpoint.train.folds):
        raise InputError(f"{first.name} is one of {folds} folds, and {len(models)} are there; train the others.")


def probe_folds(
    models: Sequence[FoldModel],
    probe: Callable[[FoldModel], tuple[dict[str, ProbeResult], R]],
    settings: AnyProbeSettings,
    log: Log,
) -> tuple[dict[str, ProbeResult], R]:
    """Pooled result of each target, and what else the probe of the last fold gave.

    models : of every fold, in order.   probe : of one fold, with the settings.   log : called with a sentence as each
    step is done. Of several processes only the main one gets results.
    Raises InputError as `check_folds`, and the probe.
    """
    check_folds(models, settings)
    found = []
    for fold, model in enumerate(models, 1):
        log(f"fold {fold} of {len(models)}: {model.name}")
        try:
            found.append(probe(model))
        except GenolstmError as problem:
            problem.add_note(f"(This is fold {fold} of {len(models)}; fewer folds have more in each part.)")
            raise
    results = [each for each, _ in found]
    targets = {target: [each[target] for each in results] for target in results[0]}
    log("pooling the test sites of all folds")
    return {name: pooled(each, settings, log) for name, each in targets.items()}, found[-1][1]


def pooled(folds: Sequence[ProbeResult], settings: AnyProbeSettings, log: Log) -> ProbeResult:
    """One result of the test sites of all folds. folds : of one target, in order.

    The validation sites stand in it too, as each fold had them: the threshold of the MCC is chosen on them.
    """
    first, type_ = folds[0], TYPES[folds[0].ranked]
    kept = [np.flatnonzero(each.sites.part != Part.TRAIN) for each in folds]
    sites, fold, order = _sites(folds, kept)
    truth = np.concatenate([each.features[TRAINED].label[rows] for each, rows in zip(folds, kept, strict=True)])[order]
    comparison = ProbeComparison(
        first.target, type_, truth, sites.part, sites.block, n_resamples=settings.resamples, seed=settings.seed, log=log
    )
    probes: dict[str, tuple[LinearProbe, ...]] = {}
    for name in first.features:
        fits = [_recalibrated(each, name, type_) for each in folds]
        label = np.concatenate([each.features[name].label[rows] for each, rows in zip(folds, kept, strict=True)])
        predicted = np.concatenate([fit.predicted[rows] for fit, rows in zip(fits, kept, strict=True)])
        together = LinearProbe(
            mean=_nothing(), scale=_nothing(), coefficients=_nothing(), intercept=0.0, regularisation=float("nan"),
            converged=all(fit.probe.converged for fit in fits),
        )  # fmt: skip
        at = predicted[order].astype(np.float32).astype(np.float64)  # scored as it is saved
        comparison.fits[name] = Fit(probe=together, truth=label[order], predicted=at)
        probes[name] = tuple(fit.probe for fit in fits)
    prevalence, more = _prevalence(folds), {}
    if prevalence is not None and NATURAL in first.features[TRAINED].scores:
        more = {NATURAL: partial(auprc_at_prevalence, prevalence=prevalence)}
    features = {
        name: replace(each, folds=probes[name]) for name, each in comparison.feature_sets(more=more).items()
    }  # fmt: skip
    differences = {name: comparison.difference(TRAINED, name) for name in first.differences}
    positives = positives_of(sites.label, sites.part) if type_ is BINARY else None
    verdict, best = verdict_of(differences, features, first.ranked, positives)
    of_ranked = {name: each.scores[first.ranked].value for name, each in features.items()}
    tested = [int((each.sites.part == Part.TEST).sum()) for each in folds]
    return replace(
        first,
        sites=sites,
        fold=fold,
        offsets=Counter(each.offsets for each in folds).most_common(1)[0][0],
        verdict=verdict,
        best_control=best,
        features=features,
        differences=differences,
        selectivity=of_ranked[TRAINED] - of_ranked[CONTROL_TASK] if CONTROL_TASK in features else None,
        prevalence=prevalence,
        homology=float(np.average([each.homology for each in folds], weights=tested)),
        sweep=(),
        calibration=comparison.calibration(TRAINED) if type_ is BINARY else (),
        seams={},
        definition=_definition(folds, best),
        edges={},
        profiles={},
        fraction_of_ceiling=None,
    )


def _sites(
    folds: Sequence[ProbeResult], kept: Sequence[NDArray[np.int64]]
) -> tuple[Sites, NDArray[np.int8], NDArray[np.int64]]:
    """Validation and test sites of all folds, sorted; the fold of each, from 1; and the order that sorts them."""
    columns: dict[str, NDArray[Any]] = {
        name: np.concatenate([getattr(each.sites, name)[rows] for each, rows in zip(folds, kept, strict=True)])
        for name in SITE_COLUMNS
    }
    fold = np.repeat(np.arange(1, len(folds) + 1), [len(rows) for rows in kept]).astype(np.int8)
    # the number of a block is of its fold alone
    blocks = np.stack([fold.astype(np.int64), columns["block"]], axis=1)
    columns["block"] = np.unique(blocks, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)
    order = np.lexsort((fold, columns["strand"], columns["position"], columns["contig"]))
    sites = Sites(contigs=folds[0].sites.contigs, **{name: column[order] for name, column in columns.items()})
    return sites, fold[order], order


def _recalibrated(result: ProbeResult, name: str, type_: TargetType) -> Fit:
    """Predictions of one feature set in one fold on a scale that the folds share, and the probe that gives them."""
    features = result.features[name]
    predicted = features.log_odds.astype(np.float64)
    probe = LinearProbe(
        **{column: getattr(features, column) for column in LinearProbe.__dataclass_fields__},
    )
    if type_ is BINARY:
        valid = result.sites.part == Part.VALID
        slope, shift = calibration_line(predicted[valid], np.asarray(features.label)[valid])
        predicted = slope * predicted + shift
        probe = replace(
            probe,
            coefficients=(slope * probe.coefficients).astype(np.float32),
            intercept=slope * probe.intercept + shift,
        )
    return Fit(probe=probe, truth=features.label, predicted=predicted)


def calibration_line(log_odds: Floats, labels: NDArray[np.integer]) -> tuple[float, float]:
    """Slope and intercept that turn some log odds into calibrated ones: of most likelihood, with Platt's targets.

    log_odds, labels : [N]. The slope is at least 0.05 (Platt 1999, eq. 5).
    """
    positives, middle, spread = int((labels == 1).sum()), float(log_odds.mean()), float(log_odds.std()) or 1.0
    high, low = (positives + 1) / (positives + 2), 1 / (len(labels) - positives + 2)
    target = np.where(labels == 1, high, low)
    design = np.stack([(log_odds - middle) / spread, np.ones(len(log_odds))], axis=1)
    weights = _most_likely(design, np.zeros(len(log_odds)), target)
    slope = float(weights[0]) / spread
    if slope >= LEAST_SLOPE:
        return slope, float(weights[1]) - slope * middle
    return LEAST_SLOPE, float(_most_likely(design[:, 1:], LEAST_SLOPE * log_odds, target)[0])


def _most_likely(design: Floats, offset: Floats, target: Floats) -> Floats:
    """Coefficients of a logistic regression, by Newton's method. design : [N, F].   offset, target : [N]."""
    weights = np.zeros(design.shape[1])
    for _ in range(NEWTON_STEPS):
        probability = expit(design @ weights + offset)
        curvature = design.T @ (design * (probability * (1 - probability))[:, None]) + 1e-9 * np.eye(len(weights))
        step = np.linalg.solve(curvature, design.T @ (target - probability))
        weights = weights + np.clip(step, -2, 2)  # a full step may overshoot where classes are far apart
        if np.abs(step).max() < 1e-10:
            break
    return weights


def _nothing() -> NDArray[np.float32]:
    return np.zeros(0, dtype=np.float32)


def _prevalence(folds: Sequence[ProbeResult]) -> float | None:
    """True sites among all candidates of all test parts."""
    true, candidates = 0.0, 0.0
    for each in folds:
        if not each.prevalence:
            return None
        positive = float(((each.sites.label == 1) & (each.sites.part == Part.TEST)).sum())
        true += positive
        candidates += positive / each.prevalence
    return true / candidates if candidates else None


def _definition(folds: Sequence[ProbeResult], best: str) -> Mapping[str, Any]:
    """What was asked, as far as it is the same in every fold; and how each fold did alone."""
    first = folds[0]
    same = {
        name: value
        for name, value in first.definition.items()
        if all(each.definition.get(name) == value for each in folds)
    }
    alone = [
        {
            "test_sites": int((each.sites.part == Part.TEST).sum()),
            "offsets": list(each.offsets),
            "pools": pools_text(each.pools),
            **{name: each.features[name].scores[first.ranked].value for name in (TRAINED, best)},
        }
        for each in folds
    ]
    return {**same, "folds": len(folds), "pooled": HOW[first.ranked], f"{first.ranked}_by_fold": alone}

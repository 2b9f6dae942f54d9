"""Probes over folds: each site is judged once, on a scale that the folds share."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import logit
from sklearn.linear_model import LogisticRegression

from genolstm.errors import InputError, UsageError
from genolstm.probes.comparison import ProbeComparison, verdict_of
from genolstm.probes.folds import LEAST_SLOPE, FoldModel, calibration_line, check_folds, pooled, probe_folds
from genolstm.probes.scores import auprc, r2
from genolstm.probes.task import BINARY, CONTINUOUS, MULTICLASS
from genolstm.regions import Part, Sites
from genolstm.settings.model import ModelSettings
from genolstm.settings.probe import AccessibilitySettings, ProbeSettings
from genolstm.settings.train import TrainSettings
from genolstm.store.files import Records
from genolstm.store.results import ProbeResult, read_probe, write_probe

SETTINGS = ProbeSettings(resamples=60, seed=3)
SITES, FOLDS, BLOCK = 900, 3, 20


def quiet(_):
    return None


def part_of_fold(fold):
    """A third of the places for test, in stretches; every seventh stretch of the others for validation."""
    stretch = np.arange(SITES) // BLOCK
    part = np.full(SITES, Part.TRAIN, dtype=np.int8)
    part[stretch % 7 == 0] = Part.VALID
    part[stretch % FOLDS == fold - 1] = Part.TEST
    return part


def fold_result(fold, truth, type_=BINARY, *, strength=2.0, scale=1.0):
    """Result of one fold: features that hold the truth, and those of a model of noise. scale : of its log odds."""
    part = part_of_fold(fold)
    sites = Sites(
        contigs=("c",), contig=np.zeros(SITES, np.int32), position=10 * np.arange(SITES),
        strand=np.ones(SITES, np.int8), label=truth.astype(np.int8), part=part, block=np.arange(SITES) // BLOCK,
    )  # fmt: skip
    comparison = ProbeComparison("t", type_, truth, part, sites.block, n_resamples=60, seed=3, log=quiet)
    rng = np.random.default_rng(fold)
    for name, signal in (("trained", strength), ("untrained_1", 0.3), ("onehot", 0.0)):
        comparison.fit(name, rng.standard_normal((SITES, 4)) + signal * truth[:, None] * (np.arange(4) == fold))
    if scale != 1:  # as a probe of another network may be
        for name, fit in comparison.fits.items():
            comparison.fits[name] = replace(fit, predicted=scale * fit.predicted - 3)
    features = comparison.feature_sets()
    differences = {name: comparison.difference("trained", name) for name in ("untrained_1", "onehot")}
    verdict, best = verdict_of(differences, features, type_.ranked)
    return ProbeResult(
        target="t", sites=sites, offsets=(fold,) if fold > 1 else (2,), verdict=verdict, best_control=best,
        features=features, differences=differences, selectivity=None, prevalence=0.1 if type_ is BINARY else None,
        homology=0.1 * fold, sweep=(), calibration=(), seams={}, ranked=type_.ranked, definition={"a": 1, "b": fold},
    )  # fmt: skip


@pytest.fixture(scope="module")
def labels():
    return (np.random.default_rng(9).random(SITES) < 0.25).astype(np.int8)


@pytest.fixture(scope="module")
def folds(labels):
    return [fold_result(fold, labels, scale=scale) for fold, scale in ((1, 1.0), (2, 8.0), (3, 0.2))]


def test_every_site_is_judged_once_by_the_fold_that_held_it_out(folds):
    result = pooled(folds, SETTINGS, quiet)
    test = result.sites.part == Part.TEST
    assert sorted(result.sites.position[test].tolist()) == (10 * np.arange(SITES)).tolist()
    for fold, each in enumerate(folds, 1):
        mine = each.sites.position[each.sites.part == Part.TEST]
        assert result.sites.position[test & (result.fold == fold)].tolist() == mine.tolist()


def test_pooling_keeps_the_order_within_a_fold_and_undoes_its_scale(folds, labels):
    result = pooled(folds, SETTINGS, quiet)
    test = result.sites.part == Part.TEST
    for fold, each in enumerate(folds, 1):
        alone = each.features["trained"].log_odds[each.sites.part == Part.TEST]
        together = result.features["trained"].log_odds[test & (result.fold == fold)]
        np.testing.assert_array_equal(np.argsort(alone, kind="stable"), np.argsort(together, kind="stable"))
    even = pooled([fold_result(fold, labels) for fold in (1, 2, 3)], SETTINGS, quiet)
    ours, theirs = (each.features["trained"].scores["auprc"].value for each in (result, even))
    assert ours == pytest.approx(theirs, abs=1e-6)
    raw = np.concatenate([each.features["trained"].log_odds[each.sites.part == Part.TEST] for each in folds])
    truth = np.concatenate([each.sites.label[each.sites.part == Part.TEST] for each in folds])
    assert ours > float(auprc(truth, raw)) + 0.02


def test_scores_and_verdict_are_those_of_the_pooled_sites(folds):
    result = pooled(folds, SETTINGS, quiet)
    test, features = result.sites.part == Part.TEST, result.features["trained"]
    expected = float(auprc(result.sites.label[test], features.log_odds[test].astype(np.float64)))
    assert features.scores["auprc"].value == expected
    assert result.verdict == "gain"
    assert result.best_control in {"untrained_1", "onehot"}
    widths = [each.differences["onehot"].high - each.differences["onehot"].low for each in (result, folds[0])]
    assert widths[0] < widths[1]
    assert len(np.unique(result.sites.block[test])) == SITES // BLOCK
    assert result.prevalence == pytest.approx(0.1)
    assert result.definition["folds"] == FOLDS
    assert result.definition["a"] == 1
    assert "b" not in result.definition
    assert [each["test_sites"] for each in result.definition["auprc_by_fold"]] == [300, 300, 300]
    assert result.definition["auprc_by_fold"][1]["trained"] == folds[1].features["trained"].scores["auprc"].value


def test_noise_is_no_gain(labels):
    result = pooled([fold_result(fold, labels, strength=0.0) for fold in (1, 2, 3)], SETTINGS, quiet)
    assert result.verdict == "no gain"


def test_values_are_pooled_as_they_are():
    truth = np.random.default_rng(2).standard_normal(SITES).astype(np.float32)
    folds = [fold_result(fold, truth, CONTINUOUS) for fold in (1, 2, 3)]
    result = pooled(folds, SETTINGS, quiet)
    test = result.sites.part == Part.TEST
    value = result.features["trained"].log_odds[test].astype(np.float64)
    assert result.features["trained"].scores["r2"].value == float(r2(result.features["trained"].label[test], value))
    raw = np.concatenate([each.features["trained"].log_odds[each.sites.part == Part.TEST] for each in folds])
    assert sorted(raw.tolist()) == sorted(result.features["trained"].log_odds[test].tolist())


def test_several_classes_are_pooled_as_they_are():
    truth = np.random.default_rng(2).integers(0, 3, SITES).astype(np.int8)
    result = pooled([fold_result(fold, truth, MULTICLASS) for fold in (1, 2, 3)], SETTINGS, quiet)
    assert result.features["trained"].log_odds.shape == (len(result.sites), 3)
    assert result.features["trained"].scores["accuracy"].value > 0.5


def test_the_file_keeps_the_fold_of_each_site_and_its_probes(folds, tmp_path, provenance, labels):
    result = pooled(folds, SETTINGS, quiet)
    write_probe(tmp_path / "f.h5", "splice", {"t": result}, Records(), provenance)
    kept = read_probe(tmp_path / "f.h5")["t"]
    np.testing.assert_array_equal(kept.fold, result.fold)
    assert kept.features["trained"].scores == result.features["trained"].scores
    rng = np.random.default_rng(1)  # the features of fold 1, as they were drawn
    drawn = rng.standard_normal((SITES, 4)) + 2.0 * labels[:, None] * (np.arange(4) == 1)
    test = folds[0].sites.part == Part.TEST
    expected = kept.features["trained"].log_odds[(kept.sites.part == Part.TEST) & (kept.fold == 1)]
    np.testing.assert_allclose(kept.features["trained"].folds[0].decision(drawn)[test], expected, atol=1e-4)


def test_recalibration_is_a_logistic_regression_on_validation():
    rng = np.random.default_rng(4)
    truth = rng.random(4000) < 0.3
    log_odds = 3 * (rng.standard_normal(4000) + 1.5 * truth)
    slope, shift = calibration_line(log_odds, truth.astype(np.int8))
    ours = LogisticRegression(C=1e9, tol=1e-10).fit(log_odds[:, None], truth)
    assert slope == pytest.approx(float(ours.coef_[0, 0]), rel=0.02)  # Platt's targets are not quite 0 and 1
    assert shift == pytest.approx(float(ours.intercept_[0]), rel=0.02)


def test_recalibration_never_turns_an_order_and_never_runs_away():
    rng = np.random.default_rng(4)
    truth = (rng.random(300) < 0.3).astype(np.int8)
    slope, shift = calibration_line(-5.0 * truth + rng.standard_normal(300), truth)
    assert slope == LEAST_SLOPE
    assert abs(shift - logit(truth.mean())) < 0.5
    apart, _ = calibration_line(20.0 * truth - 10, truth)
    assert 0.05 < apart < 2
    constant = calibration_line(np.full(300, 2.0), truth)
    assert np.isfinite(constant).all()


# ---- models that belong together


def fold_model(fold, *, folds=3, genome="g", hidden=8):
    checkpoint = SimpleNamespace(
        train=TrainSettings(folds=folds, fold=fold) if folds else TrainSettings(), genome_sha256=genome,
        model=ModelSettings(hidden=hidden),
    )  # fmt: skip
    return FoldModel(name=f"m.fold{fold}.h5", checkpoint=checkpoint)


@pytest.mark.parametrize(
    ("models", "sentence"),
    [
        (
            [fold_model(1, folds=0)],
            r"m.fold1.h5 was trained without --folds; train it with 'genolstm train --folds 5'.",
        ),
        ([fold_model(1), fold_model(2)], r"m.fold1.h5 is one of 3 folds, and 2 are there; train the others."),
        ([fold_model(1), fold_model(3)], r"m.fold3.h5 is not fold 2 of what m.fold1.h5 is fold 1 of"),
        ([fold_model(1), fold_model(2, genome="h")], r"m.fold2.h5 is not fold 2 of what"),
        ([fold_model(1), fold_model(2, hidden=9)], r"m.fold2.h5 is not fold 2 of what"),
        ([fold_model(1), fold_model(2, folds=4)], r"m.fold2.h5 is not fold 2 of what"),
    ],
)
def test_models_that_are_not_the_folds_of_one_split_are_refused(models, sentence):
    with pytest.raises(InputError, match=sentence):
        check_folds(models, SETTINGS)


def test_a_split_of_ones_own_is_refused():
    models = [fold_model(fold) for fold in (1, 2, 3)]
    check_folds(models, SETTINGS)
    for settings in (ProbeSettings(test_contigs=("I",)), AccessibilitySettings(valid_contigs=("I",))):
        with pytest.raises(UsageError, match="--folds test each model on what it held out; leave --train-contigs"):
            check_folds(models, settings)


def test_a_failure_names_its_fold():
    def probe(model):
        if model.name == "m.fold2.h5":
            raise InputError("the test part holds no donor.")
        return {}, None

    with pytest.raises(InputError) as failure:
        probe_folds([fold_model(fold) for fold in (1, 2, 3)], probe, SETTINGS, quiet)
    assert failure.value.__notes__ == ["(This is fold 2 of 3; fewer folds have more in each part.)"]

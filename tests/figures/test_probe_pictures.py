"""Pictures of a probe: what is drawn are the numbers of the file, whatever its targets are called."""

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import auc, average_precision_score, roc_auc_score

from genolstm.estimate import Estimate
from genolstm.figures.of_file import pictures_of
from genolstm.figures.probe_curves import curves_of
from genolstm.regions import Sites
from genolstm.settings.site_reading import parse_pools
from genolstm.store.files import Records
from genolstm.store.results import CalibrationBin, FeatureSet, ProbeResult, SweepFit, write_probe

SETS = {
    "trained": 2.0,
    "shuffled": 0.0,
    "untrained_1": 1.2,
    "untrained_2": 1.1,
    "onehot": 0.8,
    "kmer_4": 0.5,
    "odd": 0.1,
}


def estimate(value):
    return Estimate(value, value - 0.03, value + 0.02)


def made_probe(target="donor", *, kind="classes", sites=300, seed=1, **changes):
    """A result whose scores are those of its predictions. kind : classes, values or kinds (three classes)."""
    rng = np.random.default_rng(seed)
    truth = (rng.random(sites) < 0.3).astype(np.int8)
    if kind == "values":
        truth = rng.normal(size=sites).astype(np.float32)
    if kind == "kinds":
        truth = rng.integers(0, 3, sites).astype(np.int8)
    part = np.resize(np.array([0, 1, 2, 2], np.int8), sites)
    test = part == 2

    def features(strength):
        told = (strength * truth + rng.normal(size=sites)).astype(np.float32)
        told = np.round(told, 1)  # ties
        scores = {"r2": estimate(0.5)}
        if kind == "classes":
            scores = {
                "auprc": estimate(average_precision_score(truth[test], told[test]) if truth[test].any() else 0.0),
                "auroc": estimate(roc_auc_score(truth[test], told[test]) if len(set(truth[test])) == 2 else 0.5),
            }
        if kind == "kinds":
            told = (strength * np.eye(3)[truth] + rng.normal(size=(sites, 3))).astype(np.float32)
            scores = {"accuracy": estimate(float((told[test].argmax(axis=1) == truth[test]).mean()))}
        return FeatureSet(
            label=truth, log_odds=told, threshold=0.0 if kind == "classes" else None,
            mean=np.zeros(8, np.float32), scale=np.ones(8, np.float32),
            coefficients=rng.normal(size=(8, 3) if kind == "kinds" else 8).astype(np.float32),
            intercept=np.zeros(3) if kind == "kinds" else 0.0, regularisation=1.0, converged=True,
            strengths=((1.0, -0.5),), scores=scores,
        )  # fmt: skip

    bins = (CalibrationBin(-1.0, 0.2, 0.25, 8), CalibrationBin(1.0, 0.8, 0.75, 12)) if kind == "classes" else ()
    made = ProbeResult(
        target=target,
        sites=Sites(
            contigs=("I",), contig=np.zeros(sites, np.int32), position=np.arange(sites, dtype=np.int64),
            strand=np.ones(sites, np.int8), label=(truth > 0).astype(np.int8), part=part,
            block=np.arange(sites, dtype=np.int64) // 10,
        ),
        offsets=(0, 2), verdict="no gain", best_control="onehot",
        features={name: features(strength) for name, strength in SETS.items()},
        differences={name: Estimate(*rng.random(3).tolist()) for name in ("untrained_1", "onehot", "kmer_4")},
        selectivity=None, prevalence=0.01 if kind == "classes" else None, homology=0.0,
        sweep=tuple(SweepFit(name, offsets, -0.3, float(rng.random())) for name in ("trained", "untrained_1")
                    for offsets in ((0,), (2,), (0, 2))) if kind == "classes" else (),
        calibration=bins, seams={},
        ranked={"classes": "auprc", "values": "r2", "kinds": "accuracy"}[kind],
    )  # fmt: skip
    return dataclasses.replace(made, **changes)


@pytest.fixture
def drawn(tmp_path, provenance):
    """Function: results -> name -> picture of the file that holds them."""

    def made(*results):
        path = tmp_path / "p.h5"
        write_probe(path, "anything", {each.target: each for each in results}, Records(), provenance)
        pictures = pictures_of(path)
        assert len({picture.name for picture in pictures}) == len(pictures)
        return {picture.name: picture for picture in pictures}

    return made


def test_area_under_the_drawn_roc_curve_is_the_stored_auroc(drawn):
    result = made_probe()
    roc, precision = drawn(result)["donor-curves"].figure.axes[:2]
    lines = {line.get_gid(): line for line in roc.lines}
    for name, features in result.features.items():
        assert auc(*lines[f"roc-{name}"].get_data()) == pytest.approx(features.scores["auroc"].value, abs=1e-6)
    for line, (_, features) in zip(precision.lines, reversed(list(result.features.items())), strict=False):
        recall, share = line.get_data()
        assert line.get_drawstyle() == "steps-pre"
        area = float(np.sum(np.diff(recall) * share[1:]))  # steps: each holds back to the recall before
        assert area == pytest.approx(features.scores["auprc"].value, abs=1e-6)


def test_curves_do_not_depend_on_the_order_of_ties():
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 2, 60).astype(np.int8), rng.integers(0, 5, 60).astype(np.float32)
    order = rng.permutation(60)
    for one, other in zip(curves_of(labels, scores), curves_of(labels[order], scores[order]), strict=True):
        np.testing.assert_array_equal(one, other)


def test_legend_tells_every_feature_set_with_its_interval(drawn):
    result = made_probe()
    (legend,) = drawn(result)["donor-curves"].figure.legends
    words = " ".join(text.get_text() for text in legend.get_texts())
    for features in result.features.values():
        assert "AUPRC {:.3f} [{:.3f}, {:.3f}]".format(*features.scores["auprc"]) in words


def test_verdict_rows_are_the_stored_differences_with_their_ends(drawn):
    result = made_probe()
    picture = drawn(result)["verdict"]
    axes = picture.figure.axes[1]
    assert axes.get_title(loc="left") == "donor: no gain"
    assert picture.title == "donor: no gain"
    spans = [line.get_xdata() for line in axes.lines if len(line.get_xdata()) == 2 and line.get_linestyle() == "-"]
    values = [line.get_xdata()[0] for line in axes.lines if len(line.get_xdata()) == 1]
    zero = [line for line in axes.lines if line.get_linestyle() == "--"]
    assert [tuple(span) for span in spans] == [(each.low, each.high) for each in result.differences.values()]
    assert values == [each.value for each in result.differences.values()]
    assert len(zero) == 1
    assert list(zero[0].get_xdata()) == [0, 0]


def test_sweep_draws_every_fit_once(drawn):
    result = made_probe()
    axes = drawn(result)["donor-offsets"].figure.axes
    shown = sorted(value for panel in axes for line in panel.lines for value in line.get_ydata())
    assert shown == sorted(fit.ranked for fit in result.sweep)


def test_sweep_tells_offsets_with_pools_from_offsets_alone(drawn):
    pools = parse_pools("mean:-8:-1,max:-3:2")
    fits = [("trained", (0, 2), -0.3, 0.5, ()), ("trained", (0, 2), -0.2, 0.7, pools)]
    result = made_probe(sweep=tuple(SweepFit(*each) for each in fits), pools=pools)
    picture = drawn(result)["donor-offsets"]
    together = picture.figure.axes[1]
    assert [each.get_text() for each in together.get_xticklabels()] == ["2", "2+2"]
    assert together.lines[0].get_ydata().tolist() == [0.5, 0.7]
    assert "states read at 0, 2 symbols after the site, and 2 pools, were chosen" in picture.title


def test_weights_name_the_blocks_of_offsets_and_pools(drawn):
    """Four blocks of two offsets, two of pools, two numbers each."""
    pools = parse_pools("mean:-8:-1,max:-3:2")
    result = made_probe(offsets=(-4, 2), pools=pools)
    trained = replace_width(result.features["trained"], 12)
    result = dataclasses.replace(result, features={**result.features, "trained": trained})
    axes = drawn(result)["donor-weights"].figure.axes[0]
    assert [(text.get_position()[0], text.get_text().strip()) for text in axes.texts] == [
        (-0.5, "-4"), (3.5, "+2"), (7.5, "mean:-8:-1"), (9.5, "max:-3:2")
    ]  # fmt: skip


def replace_width(features, width):
    """The same feature set with another number of features."""
    ones = np.ones(width, dtype=np.float32)
    return dataclasses.replace(features, mean=ones, scale=ones, coefficients=ones)


def test_calibration_draws_the_bins_with_wilson_intervals(drawn):
    from scipy.stats import binomtest

    result = made_probe()
    axes = drawn(result)["donor-calibration"].figure.axes[0]
    assert list(axes.lines[-1].get_ydata()) == [0.25, 0.75]
    segments = axes.collections[0].get_segments()
    for segment, each in zip(segments, result.calibration, strict=True):
        ends = binomtest(round(each.observed * each.sites), each.sites).proportion_ci(method="wilson")
        np.testing.assert_allclose(segment[:, 1], [ends.low, ends.high], rtol=1e-9)


def test_weights_are_the_coefficients(drawn):
    result = made_probe()
    bars = drawn(result)["donor-weights"].figure.axes[0].lines[0].get_ydata()
    np.testing.assert_array_equal(bars[1::3], result.features["trained"].coefficients)


def test_values_are_drawn_as_predicted_against_observed(drawn):
    result = made_probe("signal", kind="values")
    pictures = drawn(result)
    assert set(pictures) == {"verdict", "signal-values", "signal-weights"}
    cells = pictures["signal-values"].figure.axes[0].collections[0]
    beyond = 150 - int(cells.get_array().sum())
    assert 0 <= beyond <= 4
    assert "n = 150" in pictures["signal-values"].caption


def test_several_classes_are_drawn_as_their_confusion(drawn):
    result = made_probe("frame", kind="kinds")
    image = drawn(result)["frame-confusion"].figure.axes[0].images[0].get_array()
    np.testing.assert_allclose(image.sum(axis=1), 1)
    test = result.sites.part == 2
    truth, told = result.features["trained"].label[test], result.features["trained"].log_odds[test].argmax(axis=1)
    assert image[1, 2] == pytest.approx((told[truth == 1] == 2).mean())


def test_edges_are_drawn_where_the_file_has_them(drawn):
    rng = np.random.default_rng(0)
    edges = {
        "model": ["trained", "trained"], "direction": ["into", "out of"], "layer": np.zeros(2, np.int32),
        "edges": np.array([5, 6]),
        **{name: rng.random(2) for name in ("value", "matched", "difference", "low", "high", "sd", "p")},
        "p_adjusted": np.array([0.01, 0.02]),
    }  # fmt: skip
    profiles = {"offset": np.arange(-3, 4), "forget": rng.random((2, 7)), "matched": rng.random((2, 7))}
    picture = drawn(made_probe(edges=edges, profiles=profiles))["donor-edges"]
    for row, axes in enumerate(picture.figure.axes):
        _, matched, forget = axes.lines
        np.testing.assert_array_equal(forget.get_ydata(), profiles["forget"][row])
        np.testing.assert_array_equal(matched.get_ydata(), profiles["matched"][row])
    assert "higher" in picture.title


def test_a_probe_without_optional_parts_or_true_test_sites_is_drawn(drawn):
    bare = made_probe(sites=8, sweep=(), calibration=(), offsets=())
    for features in bare.features.values():
        features.label[:] = 0
    assert set(drawn(bare)) == {"verdict", "donor-curves", "donor-weights"}


def test_colours_pair_no_red_with_green():
    from genolstm.figures.feature_sets import colours_of
    from genolstm.figures.style import GREEN, RED

    used = {colour for colour, _ in colours_of([*SETS, "length", "prefix_composition", "control_task"]).values()}
    assert not {GREEN, RED} <= used

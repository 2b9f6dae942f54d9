"""Predictions against labels: scikit-learn's figures over all candidates, contigs that were met apart."""

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, precision_recall_curve

from genolstm.errors import InputError
from genolstm.predicting.judged import (
    HELD_OUT_TOGETHER,
    MET_TOGETHER,
    Truth,
    control_curves,
    judge,
    point_truth,
    splice_truth,
    window_truth,
)
from genolstm.readers.annotation import Transcript
from genolstm.readers.bed import read_bed
from genolstm.regions import Part
from genolstm.settings.predict import PredictSettings
from genolstm.store.prediction import FITTED, MODEL, PredictionRows

SETTINGS = PredictSettings(resamples=20, block_bp=200)


@pytest.fixture
def rows():
    """Some candidates of three contigs, in slabs."""
    rng = np.random.default_rng(1)
    slabs = []
    for contig, length in ((0, 3000), (1, 1700), (2, 411)):
        position = np.sort(rng.choice(length, length // 4, replace=False))
        strand = rng.choice(np.array([1, -1], np.int8), len(position))
        probability = rng.random(len(position))
        for part in np.array_split(np.arange(len(position)), 3):
            slabs.append(
                PredictionRows(
                    np.full(len(part), contig), position[part], strand[part], probability[part], probability[part]
                )
            )
    return slabs


def test_scores_are_those_of_all_candidates(tiny_genome, stretches_of, rows):
    rng = np.random.default_rng(2)
    keys = [2 * (tiny_genome.starts[each.contig] + each.position) + (each.strand < 0) for each in rows]
    every = np.concatenate(keys)
    true = np.sort(rng.choice(every, 150, replace=False))
    unjudged = np.setdiff1d(rng.choice(every, 50, replace=False), true)
    absent = np.setdiff1d(np.arange(0, 2 * 2900, 7), every)[
        :5
    ]  # true sites that are no candidates, on the first contig
    truth = Truth(np.sort(np.concatenate([true, absent])), unjudged)
    flags = np.array([MODEL | FITTED, 0, 0, 0, 0], np.uint8)
    found = judge(lambda: iter(rows), truth, tiny_genome, stretches_of(tiny_genome), flags, SETTINGS)
    judged = {row.group: row for row in found.judged}
    assert list(judged) == ["I", "II", "III", HELD_OUT_TOGETHER, MET_TOGETHER]
    contig, probability = (np.concatenate([getattr(each, name) for each in rows]) for name in ("contig", "probability"))
    label, kept = np.isin(every, true), ~np.isin(every, unjudged)
    for name, wanted in {"I": [0], "III": [2], HELD_OUT_TOGETHER: [1, 2], MET_TOGETHER: [0]}.items():
        mine = np.isin(contig, wanted) & kept
        row, p = judged[name], probability[mine].astype(np.float32)
        assert (row.candidates, row.positive) == (mine.sum(), label[mine].sum())
        assert row.auprc == pytest.approx(average_precision_score(label[mine], p))
        assert row.recall == pytest.approx((label[mine] & (p >= 0.5)).sum() / label[mine].sum())
        assert row.precision == pytest.approx((label[mine] & (p >= 0.5)).sum() / (p >= 0.5).sum())
        assert row.expected == pytest.approx(p.sum(), rel=1e-5)
    assert (judged["I"].lost, judged["II"].lost, judged[MET_TOGETHER].lost) == (5, 0, 5)
    assert judged["I"].met == "model trained on it, probe fitted on it"
    assert judged["II"].met == judged[HELD_OUT_TOGETHER].met == "held out"
    assert judged[HELD_OUT_TOGETHER].low < judged[HELD_OUT_TOGETHER].auprc < judged[HELD_OUT_TOGETHER].high
    last = [point for point in found.curve if point.group == HELD_OUT_TOGETHER][-1]
    assert last.recall == 1
    assert {each.group for each in found.reliability} == {HELD_OUT_TOGETHER, MET_TOGETHER}


def test_contig_without_a_true_site_has_no_score(tiny_genome, stretches_of, rows):
    nothing = Truth(np.zeros(0, np.int64), np.zeros(0, np.int64))
    flags = np.zeros(5, np.uint8)
    found = judge(lambda: iter(rows), nothing, tiny_genome, stretches_of(tiny_genome), flags, SETTINGS)
    assert all(np.isnan(row.auprc) and np.isnan(row.recall) for row in found.judged)
    assert not found.curve


def test_annotated_introns_are_the_truth_and_short_gaps_are_not_judged(genome_of):
    text = list("A" * 200)
    text[20:22], text[58:60] = "GT", "AG"  # an intron of 40 bases on the forward strand
    text[100:102], text[108:110] = "CT", "AC"  # a gap of 10 on the reverse one
    genome = genome_of({"I": "".join(text)})
    nothing = np.zeros((0, 2), np.int64)

    def transcript(strand, exons):
        return Transcript(
            name="t", gene="g", contig="I", strand=strand, biotype="mRNA", exons=np.array(exons), coding=nothing
        )

    genes = [transcript("+", [[0, 20], [60, 80]]), transcript("-", [[90, 100], [110, 120]])]
    assert [each.tolist() for each in splice_truth("donor", genome, genes, 20)] == [[2 * 20], [2 * 109 + 1]]
    assert [each.tolist() for each in splice_truth("acceptor", genome, genes, 20)] == [[2 * 59], [2 * 100 + 1]]
    assert splice_truth("donor", genome, genes, 10).keys.tolist() == [2 * 20, 2 * 109 + 1]


def test_labels_of_points_and_windows(tiny_genome, tmp_path):
    path = tmp_path / "l.bed"
    path.write_text("II\t10\t11\tx\t0\t-\nI\t5\t6\n")
    labels = read_bed(path, tiny_genome.length_of)
    second = int(tiny_genome.starts[1])
    assert point_truth(tiny_genome, labels, "l.bed").keys.tolist() == [10, 2 * (second + 10) + 1]
    path.write_text("I\t100\t160\nI\t150\t170\nI\t120\t130\nII\t0\t20\nI\t185\t195\n")
    labels = read_bed(path, tiny_genome.length_of)
    with pytest.raises(InputError, match=r"l\.bed holds intervals of more than one base"):
        point_truth(tiny_genome, labels, "l.bed")
    truth = window_truth(tiny_genome, labels, 20)
    covered = np.zeros(6000, bool)
    for start, end in ((100, 170), (second, second + 20), (185, 195)):
        covered[start:end] = True
    address = np.arange(0, 4000)
    expected = [covered[at : at + 20].sum() >= 10 for at in address]
    np.testing.assert_array_equal(truth.of(address), expected)


def test_curves_of_the_probe_are_of_its_test_rows_at_the_ratio_of_nature():
    from made_results import probe

    result, rng = probe("donor", gain=True), np.random.default_rng(4)
    noisy = {
        name: dataclasses.replace(each, log_odds=(each.label + rng.normal(size=len(each.label))).astype(np.float32))
        for name, each in result.features.items()
    }
    result, natural = dataclasses.replace(result, features=noisy), 0.02
    points = control_curves(result, natural)
    groups = list(dict.fromkeys(point.group for point in points))
    assert groups == [
        "probe's test sites: trained states",
        f"probe's test sites: strongest control, {result.best_control}",
    ]
    test = result.sites.part == Part.TEST
    for group, name in zip(groups, ("trained", result.best_control), strict=True):
        label, log_odds = result.features[name].label[test] > 0, result.features[name].log_odds[test]
        weights = np.where(label, 1.0, label.sum() * (1 - natural) / natural / (~label).sum())
        precision, recall, _ = precision_recall_curve(label, log_odds, sample_weight=weights)
        for point in points:
            if point.group == group:
                at = np.flatnonzero(np.isclose(recall, point.recall))
                assert np.isclose(precision[at], point.precision).any()
                assert np.isnan(point.probability)
        assert min(point.precision for point in points if point.group == group) < 0.2  # nature has few true sites


def test_a_probe_without_the_ratio_of_nature_has_no_such_curves():
    from made_results import probe

    assert control_curves(probe("donor", gain=True), float("nan")) == ()

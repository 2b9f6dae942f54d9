"""One target on states in which the answer was planted, or was not; and its file, recomputed from itself."""

from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import expit
from sklearn import metrics

from genolstm.errors import InputError, UsageError
from genolstm.probes.run import ProbeEvaluation
from genolstm.probes.scores import (
    auprc,
    auroc,
    block_bootstrap,
    expected_calibration_error,
    mcc,
    paired_difference,
    score_interval,
    topk,
)
from genolstm.probes.state_sources import ModelStates
from genolstm.probes.task import BINARY, TRAINED
from genolstm.probes.tasks.splice import splice_task
from genolstm.regions import Part, Sites
from genolstm.seeds import spawn
from genolstm.settings.probe import SWEPT, WIDE, ProbeSettings
from genolstm.settings.site_reading import SiteReading
from genolstm.store.files import Records
from genolstm.store.results import read_probe, write_probe

PREVALENCE = 0.02  # that nature is said to have
SETTINGS = ProbeSettings(window=20, kmer=2, resamples=100, seed=5, nn=False)
OFFSETS = (0, 2, 4, 6, 10)
NARROW = tuple(SiteReading(each) for each in ((0,), (2,), (4,), (6,), (10,), (0, 2, 4), (0, 2, 4, 6), OFFSETS))
N_OF_PART = {Part.TRAIN: 700, Part.VALID: 300, Part.TEST: 500}
WIDTH = 3  # features of one pass at one offset
BASELINES = ("untrained_1", "untrained_2", "onehot", "kmer", "composition")
NAMES = (TRAINED, "shuffled", "control_task", *BASELINES)


@pytest.fixture(scope="module")
def genome(genome_of, drawn_codes):
    """One contig for each part, of unrelated random letters."""
    return genome_of({part.name: drawn_codes(int(part), 40 * n) for part, n in N_OF_PART.items()})


def made_sites(genome, *, share=0.2, block_bp=800):
    """Sites on one contig a part, a fifth of them true, in blocks of about twenty."""
    rng = np.random.default_rng(1)
    contig = np.repeat(np.arange(3), list(N_OF_PART.values()))
    position = np.concatenate([30 + 39 * np.arange(n) for n in N_OF_PART.values()])
    return Sites(
        contigs=genome.names, contig=contig.astype(np.int32), position=position,
        strand=rng.choice(np.array([-1, 1], dtype=np.int8), len(contig)),
        label=(rng.random(len(contig)) < share).astype(np.int8), part=contig.astype(np.int8),
        block=1000 * contig + position // block_bp,
    )  # fmt: skip


def made_states(name, label, seed, planted=None):
    """Noise, with the label in one feature of each offset of `planted`: offset -> how many spreads it is away."""
    states = np.random.default_rng(seed).standard_normal((len(label), len(OFFSETS), 2, WIDTH))
    for offset, strength in (planted or {}).items():
        states[:, OFFSETS.index(offset), 1, 2] += strength * label
    blocks = states.reshape(len(label), -1, WIDTH).transpose(1, 0, 2).astype(np.float16)
    return ModelStates(
        name=name, states=blocks, reading=SiteReading(OFFSETS), rows=np.arange(len(label)),
        seams={"count": 4.0, "max_state": 0.125},
    )  # fmt: skip


def evaluation_of(genome, sites, settings=SETTINGS, log=lambda _: None):
    task = splice_task("donor", genome, sites, PREVALENCE, settings)
    if settings.offsets == SETTINGS.offsets:
        task = replace(task, readings=NARROW)
    return ProbeEvaluation(task, task.targets[0], settings, log)


def finished(evaluation):
    """The result, after the controls of the sequence."""
    for name, features in evaluation.task.controls():
        evaluation.comparison.fit(name, features)
    return evaluation.result(evaluation.task.homology())


def judged(genome, sites, planted, settings=SETTINGS, *, signal=None, log=lambda _: None):
    """Result of the trained states, two random-init models of pure noise, and the sequence."""
    evaluation = evaluation_of(genome, sites, settings, log)
    label = sites.label if signal is None else signal
    evaluation.add_model(made_states(TRAINED, label, 10, planted))
    for index in (1, 2):
        evaluation.add_model(made_states(f"untrained_{index}", label, 10 + index))
    return finished(evaluation)


@pytest.fixture(scope="module")
def sites(genome):
    return made_sites(genome)


@pytest.fixture(scope="module")
def sentences():
    return []


@pytest.fixture(scope="module")
def planted(genome, sites, sentences):
    return judged(genome, sites, {6: 2.0}, log=sentences.append)


@pytest.fixture(scope="module")
def noise(genome, sites):
    return judged(genome, sites, {})


@pytest.fixture(scope="module")
def reread(planted, provenance, tmp_path_factory):
    """The planted result, from its file."""
    path = tmp_path_factory.mktemp("probe") / "p.h5"
    write_probe(path, "splice", {"donor": planted}, Records(), provenance)
    return read_probe(path)["donor"]


def test_probe_finds_what_was_planted_and_where(planted):
    assert planted.verdict == "gain"
    assert planted.offsets == (6,)
    assert planted.features[TRAINED].scores["auroc"].value > 0.85
    weight = np.abs(planted.features[TRAINED].coefficients)
    assert weight.argmax() == WIDTH + 2  # second pass, third feature
    assert set(planted.features) == set(NAMES)
    assert planted.differences.keys() == set(BASELINES)


@pytest.mark.parametrize("offset", [4, 10])
def test_sweep_picks_the_offset_at_which_the_answer_stands(genome, sites, offset):
    evaluation = evaluation_of(genome, sites, SETTINGS)
    evaluation.add_model(made_states(TRAINED, sites.label, 10, {offset: 2.0}))
    assert evaluation.readings[TRAINED].offsets == (offset,)


def test_sweep_reads_offsets_together_where_the_answer_is_spread_over_them(genome, sites):
    evaluation = evaluation_of(genome, sites, SETTINGS)
    evaluation.add_model(made_states(TRAINED, sites.label, 3, dict.fromkeys(OFFSETS, 0.9)))
    assert evaluation.readings[TRAINED].offsets == (0, 2, 4, 6, 10)


def test_sweep_is_written_down_for_every_model_and_its_best_is_taken(planted, sentences):
    for model in (TRAINED, "untrained_1", "untrained_2"):
        mine = [fit for fit in planted.sweep if fit.model == model]
        assert tuple(fit.offsets for fit in mine) == tuple(each.offsets for each in NARROW)
        best = max(mine, key=lambda fit: fit.searched)
        said = ", ".join(map(str, best.offsets))
        assert f"donor, {model}: offsets {said} are best on validation, AUPRC {best.ranked:.3f}" in sentences
        assert len(planted.features[model].coefficients) == len(best.offsets) * 2 * WIDTH
        if model == TRAINED:
            assert planted.offsets == best.offsets


def test_strength_and_offsets_are_chosen_by_the_likelihood_of_the_validation_labels(reread):
    valid = reread.sites.part == Part.VALID
    for each in reread.features.values():
        tried = dict(each.strengths)
        assert each.regularisation == max(tried, key=tried.__getitem__)
        nats = -metrics.log_loss(each.label[valid], expit(each.log_odds[valid].astype(np.float64)))
        # the strengths are ranked by a coarse fit, the chosen one is then fitted to the end
        assert tried[each.regularisation] == pytest.approx(nats, abs=1e-3)


def test_named_offsets_are_read_together_without_a_sweep(genome, sites):
    settings = replace(SETTINGS, offsets="6,0,2", resamples=20)
    assert settings.readings == (SiteReading((0, 2, 6)),)
    result = judged(genome, sites, {6: 2.0}, settings)
    assert (result.offsets, result.sweep) == ((0, 2, 6), ())
    states = made_states(TRAINED, sites.label, 10, {6: 2.0}).states
    columns = [OFFSETS.index(offset) for offset in (0, 2, 6)]
    features = np.concatenate([states[2 * column + each] for column in columns for each in (0, 1)], axis=1)
    probe = result.features[TRAINED]
    standardised = (features.astype(np.float64) - probe.mean) / probe.scale
    log_odds = standardised @ probe.coefficients.astype(np.float64) + probe.intercept
    np.testing.assert_allclose(probe.log_odds, log_odds, rtol=1e-5, atol=1e-5)


def test_what_is_read_is_wide_or_swept_or_as_named():
    assert ProbeSettings().readings == (WIDE,)
    assert ProbeSettings(offsets="sweep").readings == SWEPT
    assert SWEPT[-1] == WIDE
    assert ProbeSettings(offsets="7,3,7").readings == (SiteReading((3, 7)),)
    (named,) = ProbeSettings(offsets="7,max:-3:4,-3").readings
    assert (named.offsets, list(map(str, named.pools))) == ((-3, 7), ["max:-3:4"])
    for wrong in ("x", "", "0,", "mean:0:1", "1.5"):
        with pytest.raises(UsageError, match=f"offsets '{wrong}' are neither 'wide' nor 'sweep' nor whole numbers"):
            ProbeSettings(offsets=wrong)
    with pytest.raises(UsageError, match="pool 'mean:2:1' is not like mean:-28:-15"):
        ProbeSettings(offsets="0,mean:2:1")


# ---- verdicts


def test_noise_is_no_gain(noise):
    assert noise.verdict == "no gain"
    assert noise.features[TRAINED].scores["auroc"].low < 0.5 < noise.features[TRAINED].scores["auroc"].high


@pytest.mark.parametrize("name", ["shuffled", "control_task", "untrained_1"])
def test_probe_scores_half_where_labels_mean_nothing(planted, name):
    scores = planted.features[name].scores
    assert scores["auroc"].low < 0.5 < scores["auroc"].high
    test = planted.sites.part == Part.TEST
    share = planted.features[name].label[test].mean()
    assert scores["auprc"].low - 0.03 < share < scores["auprc"].high + 0.03
    assert scores["auprc"].value == pytest.approx(share, abs=0.08)


def test_labels_are_shuffled_within_each_part_and_only_there(planted):
    shuffled, true = planted.features["shuffled"].label, planted.sites.label
    assert not np.array_equal(shuffled, true)
    for part in Part:
        mine = planted.sites.part == part
        assert shuffled[mine].sum() == true[mine].sum()
    for name in (TRAINED, *BASELINES):
        np.testing.assert_array_equal(planted.features[name].label, true)
    control = planted.features["control_task"].label
    assert abs(control.mean() - true.mean()) < 0.05
    assert abs(np.corrcoef(control, true)[0, 1]) < 0.1


def test_control_that_knows_as_much_leaves_no_gain(genome_of, genome, sites):
    """The sequence holds the answer as plainly as the trained states do."""
    codes = genome.all_codes.copy()
    address = genome.starts[sites.contig] + sites.position
    base = np.where(sites.strand > 0, 2, 1)  # G along the strand of the site
    codes[address] = np.where(sites.label == 1, base, np.where(sites.strand > 0, 0, 3))
    ends = np.cumsum(genome.lengths)[:-1]
    spelled = genome_of(dict(zip(genome.names, np.split(codes, ends), strict=True)))
    result = judged(spelled, sites, {6: 2.0}, replace(SETTINGS, resamples=50))
    assert (result.verdict, result.best_control) == ("no gain", "onehot")
    assert result.differences["untrained_1"].low > 0  # the weaker controls alone would have let it pass
    assert result.differences["onehot"].high < 0


@pytest.mark.parametrize("strongest", [1, 2])
def test_every_random_init_model_is_a_baseline(genome, sites, strongest):
    evaluation = evaluation_of(genome, sites, replace(SETTINGS, resamples=50, offsets="6"))
    evaluation.add_model(made_states(TRAINED, sites.label, 1, {6: 2.0}))
    for each in (1, 2):
        evaluation.add_model(made_states(f"untrained_{each}", sites.label, 5, {6: 3.0} if each == strongest else {}))
    result = finished(evaluation)
    assert (result.verdict, result.best_control) == ("no gain", f"untrained_{strongest}")


@pytest.mark.parametrize("strength", [0.0, 0.2, 0.35, 0.5, 0.8])
def test_gain_is_told_exactly_when_the_paired_interval_over_the_strongest_control_excludes_zero(
    genome, sites, strength
):
    settings = replace(SETTINGS, offsets="6", resamples=50)
    result = judged(genome, sites, {6: strength}, settings)
    strongest = max(BASELINES, key=lambda name: result.features[name].scores["auprc"].value)
    test = sites.part == Part.TEST
    resamples = block_bootstrap(sites.block[test], 50, spawn(5, "bootstrap"))
    ours, theirs = (result.features[name].log_odds[test].astype(np.float64) for name in (TRAINED, strongest))
    low = paired_difference(sites.label[test], ours, theirs, resamples, auprc).low
    assert result.best_control == strongest
    assert result.verdict == ("gain" if low > 0 else "no gain")
    assert result.verdict == {0.0: "no gain", 0.8: "gain"}.get(strength, result.verdict)


def test_test_part_without_enough_blocks_is_refused_before_any_model_is_read(genome):
    few = made_sites(genome, block_bp=10**6)  # one block
    lone = replace(few, label=np.where(few.part == Part.TEST, 0, few.label).astype(np.int8))
    with pytest.raises(InputError, match=r"no interval can be given: .* test on more contigs or bases"):
        evaluation_of(genome, lone, SETTINGS)


# ---- the test set is opened once


def test_test_rows_never_reach_a_fit_or_a_choice(genome_of, genome, sites, drawn_codes):
    test = sites.part == Part.TEST
    label = sites.label.copy()
    label[test] = np.random.default_rng(8).permutation(label[test])
    changed = replace(sites, label=label, strand=np.where(test, -sites.strand, sites.strand).astype(np.int8))
    other = genome_of(
        {
            name: drawn_codes(77, 40 * N_OF_PART[Part.TEST]) if name == "TEST" else codes
            for name, codes in zip(
                genome.names, np.split(genome.all_codes, np.cumsum(genome.lengths)[:-1]), strict=True
            )
        }
    )
    settings = replace(SETTINGS, resamples=20)

    def result_of(where, which, *, turned):
        evaluation = evaluation_of(where, which, settings)
        for name, seed in ((TRAINED, 10), ("untrained_1", 11)):
            model = made_states(name, sites.label, seed, {6: 1.0, 2: 0.5})
            if turned:
                model.states[:, test] = 3 - 2 * model.states[:, test]
            evaluation.add_model(model)
        return finished(evaluation)

    one, two = result_of(genome, sites, turned=False), result_of(other, changed, turned=True)
    assert (one.offsets, one.sweep) == (two.offsets, two.sweep)
    assert one.features.keys() == two.features.keys()
    for name, mine in one.features.items():
        theirs = two.features[name]
        for column in ("mean", "scale", "coefficients"):
            np.testing.assert_array_equal(getattr(mine, column), getattr(theirs, column), strict=True, err_msg=name)
        for number in ("intercept", "regularisation", "strengths", "threshold", "converged"):
            assert getattr(mine, number) == getattr(theirs, number), (name, number)
        np.testing.assert_array_equal(mine.label[~test], theirs.label[~test])
        np.testing.assert_array_equal(mine.log_odds[~test], theirs.log_odds[~test])
        if name != "shuffled":  # where a few scores may well agree
            assert not np.array_equal(mine.log_odds[test], theirs.log_odds[test])


# ---- every number from the file alone


def called_well(labels, log_odds):
    """Threshold of best MCC among 200 quantiles, the lowest where several do as well."""
    candidates = np.unique(np.quantile(log_odds, np.linspace(0, 1, 201)))
    return max(candidates, key=lambda at: metrics.matthews_corrcoef(labels, log_odds >= at))


def calibration_error(labels, probabilities, bins=15):
    """Bins of equal mass; tied sites stand together, in the bin in which their middle lies."""
    excess = np.zeros(bins)
    for value in np.unique(probabilities):
        tied = probabilities == value
        middle = (probabilities < value).sum() + tied.sum() / 2
        excess[int(bins * middle / len(labels))] += (labels[tied] - value).sum()
    return np.abs(excess).sum() / len(labels)


def own_scores(result, name):
    """Each score of one feature set from label, part, log odds and prevalence, with scikit-learn or a loop."""
    each, test, valid = result.features[name], result.sites.part == Part.TEST, result.sites.part == Part.VALID
    labels, log_odds = each.label[test], each.log_odds[test].astype(np.float64)
    n_true = int(labels.sum())
    ratio = (1 - result.prevalence) / result.prevalence * n_true / (len(labels) - n_true)
    threshold = called_well(each.label[valid], each.log_odds[valid].astype(np.float64))
    assert threshold == each.threshold
    return {
        "auprc": metrics.average_precision_score(labels, log_odds),
        "auroc": metrics.roc_auc_score(labels, log_odds),
        "topk": labels[np.argsort(-log_odds, kind="stable")[:n_true]].mean(),
        "mcc": metrics.matthews_corrcoef(labels, log_odds >= threshold),
        "calibration_error": calibration_error(labels, expit(log_odds)),
        "auprc_natural": metrics.average_precision_score(
            labels, log_odds, sample_weight=np.where(labels == 1, 1, ratio)
        ),
    }


def no_ties(values):
    return len(np.unique(values)) == len(values)


@pytest.mark.parametrize("name", NAMES)
def test_every_score_can_be_recomputed_from_the_file(reread, name):
    scores = own_scores(reread, name)
    assert reread.features[name].scores.keys() == scores.keys()
    told = {score: estimate.value for score, estimate in reread.features[name].scores.items()}
    if not no_ties(reread.features[name].log_odds[reread.sites.part == Part.TEST]):
        del scores["topk"]  # told as its expectation over the orders of what is tied
    assert {score: told[score] for score in scores} == pytest.approx(scores, abs=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_every_interval_can_be_recomputed_from_the_file_and_the_seed(reread, name):
    each, test = reread.features[name], reread.sites.part == Part.TEST
    labels, log_odds = each.label[test], each.log_odds[test].astype(np.float64)
    resamples = block_bootstrap(reread.sites.block[test], 100, spawn(5, "bootstrap"))
    for score, how, predictions in (
        ("auprc", auprc, log_odds),
        ("auroc", auroc, log_odds),
        ("topk", topk, log_odds),
        ("mcc", lambda *columns: mcc(*columns, threshold=each.threshold), log_odds),
        ("calibration_error", expected_calibration_error, expit(log_odds)),
    ):
        assert each.scores[score] == pytest.approx(score_interval(labels, predictions, resamples, how), abs=1e-12)
    # and by a loop that repeats the rows of each block drawn
    values = []
    for drawn in resamples.multiplicity:
        rows = np.repeat(np.arange(test.sum()), drawn[resamples.block])
        values.append(metrics.roc_auc_score(labels[rows], log_odds[rows]))
    assert each.scores["auroc"][1:] == pytest.approx(np.quantile(values, [0.025, 0.975]), abs=1e-12)


def test_differences_and_verdict_can_be_recomputed_from_the_file(reread):
    test = reread.sites.part == Part.TEST
    labels = reread.sites.label[test]
    log_odds = {name: each.log_odds[test].astype(np.float64) for name, each in reread.features.items()}
    resamples = block_bootstrap(reread.sites.block[test], 100, spawn(5, "bootstrap"))
    for name, estimate in reread.differences.items():
        expected = paired_difference(labels, log_odds[TRAINED], log_odds[name], resamples, auprc)
        assert estimate == pytest.approx(expected, abs=1e-12)
        assert estimate.value == pytest.approx(
            reread.features[TRAINED].scores["auprc"].value - reread.features[name].scores["auprc"].value, abs=1e-12
        )
    assert reread.best_control == max(BASELINES, key=lambda name: reread.features[name].scores["auprc"].value)
    assert reread.verdict == "gain"
    assert reread.differences[reread.best_control].low > 0
    assert reread.selectivity == (
        reread.features[TRAINED].scores["auprc"].value - reread.features["control_task"].scores["auprc"].value
    )
    assert (reread.prevalence, reread.homology) == (PREVALENCE, 0.0)


def test_calibration_bins_hold_equal_shares_of_the_test_sites_in_order(reread):
    test = reread.sites.part == Part.TEST
    log_odds, labels = reread.features[TRAINED].log_odds[test].astype(np.float64), reread.sites.label[test]
    order, first = np.argsort(log_odds, kind="stable"), 0
    assert len(reread.calibration) == 15
    assert {row.sites for row in reread.calibration} == {33, 34}
    assert sum(row.sites for row in reread.calibration) == 500
    for row in reread.calibration:
        rows = order[first : first + row.sites]
        first += row.sites
        assert row.edge_log_odds == log_odds[rows].min()
        assert row.predicted == pytest.approx(expit(log_odds[rows]).mean(), abs=1e-12)
        assert row.observed == pytest.approx(labels[rows].mean(), abs=1e-12)
    assert all(left.edge_log_odds <= right.edge_log_odds for left, right in pairwise(reread.calibration))


def test_same_seed_gives_the_same_bits(genome, sites):
    settings = replace(SETTINGS, resamples=20, offsets="6")
    one, two = (judged(genome, sites, {6: 1.0}, settings) for _ in range(2))
    for name, mine in one.features.items():
        np.testing.assert_array_equal(mine.log_odds, two.features[name].log_odds, strict=True)
        assert mine.scores == two.features[name].scores
    other = judged(genome, sites, {6: 1.0}, replace(settings, seed=6))
    assert one.features[TRAINED].scores["auprc"].value == other.features[TRAINED].scores["auprc"].value
    assert one.features[TRAINED].scores["auprc"] != other.features[TRAINED].scores["auprc"]  # other resamples
    assert not np.array_equal(one.features["shuffled"].label, other.features["shuffled"].label)


def test_log_odds_of_any_size_are_judged_without_a_warning(genome, sites):
    evaluation = evaluation_of(genome, sites, replace(SETTINGS, resamples=20, offsets="6"))
    model = made_states(TRAINED, sites.label, 4, {6: 2.0})
    model.states[:, -1] = 6e4  # an outlier on the test contig, thousands of spreads away
    evaluation.add_model(model)
    evaluation.add_model(made_states("untrained_1", sites.label, 5))
    result = finished(evaluation)
    assert np.abs(result.features[TRAINED].log_odds).max() > 1000
    assert np.isfinite(result.features[TRAINED].scores["calibration_error"]).all()


def test_offsets_are_chosen_by_log_likelihood_and_not_by_auprc(genome, sites):
    """The second set has the better likelihood, the third the better AUPRC: the proper score decides."""
    scores = [(-0.5, 0.8), (-0.2, 0.7), (-0.9, 0.99), *[(-3.0, 0.1)] * len(NARROW)]
    likelihoods, areas = (iter(column) for column in zip(*scores, strict=True))

    def fitted(*_, **__):
        undecided = SimpleNamespace(regularisation=1.0, strengths=((1.0, next(likelihoods)),))
        undecided.decision = lambda rows: np.zeros(len(rows))
        return undecided

    evaluation = evaluation_of(genome, sites)
    kind = replace(BINARY, fit_coarsely=fitted, score=lambda *_: next(areas))
    evaluation.target = replace(evaluation.target, type=kind)
    states = made_states(TRAINED, sites.label, 10)
    assert evaluation._best_reading(TRAINED, evaluation._features(states)) == NARROW[1]

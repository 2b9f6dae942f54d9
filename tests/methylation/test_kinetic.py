"""The kinetic model: its forms are mixtures of cells, its priors come from neighbours; and the judge of all models."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import gamma, spearmanr

from genolstm.errors import UsageError
from genolstm.methylation.fitting import fit_counts, states_outside
from genolstm.methylation.grid import fractions, gate_grid
from genolstm.methylation.held_out import far_apart, judged, split_counts
from genolstm.methylation.kinetic import OTHER_TIMES, gate_model, kinetic_posterior
from genolstm.methylation.kinetic_form import CLOSED, FORMS, Course, candidates
from genolstm.methylation.neighbourhood import SiteReads
from genolstm.methylation.predict import predict
from genolstm.methylation.sharing import Sharing
from genolstm.methylation.simulate import truth_of
from genolstm.settings.methylation import (
    HeldOutSettings,
    HoldOut,
    KineticForm,
    MethylationSettings,
    PooledSettings,
    SimulateSettings,
    parse_hold_outs,
)  # fmt: skip
from genolstm.store.counts import Counts

TIMES, OFFSET = (0, 1, 4, 16), 0.5
AGES = np.array(TIMES) + OFFSET
QUICK = PooledSettings(width=4, epochs=1, stretch=40, core=16, margin=8, batch=8, draws=16)


def settings_of(form="auto", **options):
    return MethylationSettings(times=TIMES, time_offset=OFFSET, model="kinetic", form=form, **options)


def made(course, sites=1500, coverage=12, seed=1, steady=0.8):
    """Counts whose states follow a course, gates shared by neighbours over 2 kb."""
    rng = np.random.default_rng(seed)
    asked = SimulateSettings(times=TIMES, time_offset=OFFSET, sites=sites, spread=0.7, coupling_bp=2000)
    gates = truth_of(None, asked, rate=0.4, steady=steady, mu=None, delta=None, rng=rng)
    covered = rng.poisson(coverage, (sites, len(TIMES))).astype(np.int32)
    state = gates.steady[:, None] * (1 - course.missing(gates.rate[:, None], AGES))
    return gates, Counts(
        contigs=gates.contigs, contig=gates.contig, position=gates.position, strand=np.zeros(sites, np.int8),
        modified=rng.binomial(covered, state).astype(np.int32), covered=covered, samples=tuple("abcd"),
    )  # fmt: skip


def reads_of(counts):
    return SiteReads(counts.contig, counts.position, counts.modified, counts.covered)


def test_each_form_is_the_mixture_of_cells_that_it_is_said_to_be():
    rate, age = 0.7, 3.0

    def cell(k, t):
        return 1 - float(fractions((np.array([k]), np.array([1.0])), np.array([t]))[0, 0])

    def over(density, low, high, at):
        return quad(lambda x: density(x) * at(x), low, high, limit=200)[0]

    expected = {
        Course(KineticForm.SINGLE): cell(rate, age),
        Course(KineticForm.LAG, 1.2): cell(rate, age - 1.2),
        Course(KineticForm.TWO_POOLS, 0.3): 0.3 * 0 + 0.7 * cell(rate, age),
        Course(KineticForm.AGES, 2.0): over(lambda _: 0.5, age - 1, age + 1, lambda t: cell(rate, t)),
        Course(KineticForm.RATES, 0.8): over(
            gamma(0.8, scale=rate / 0.8).pdf, 0, np.inf, lambda k: cell(k, age)
        ),
    }  # fmt: skip
    assert {course.form for course in expected} == set(CLOSED)
    for course, value in expected.items():
        assert float(course.missing(np.array(rate), age)) == pytest.approx(value, rel=1e-6), course.form
    assert float(Course(KineticForm.LAG, 5.0).missing(np.array(rate), age)) == 1


@pytest.mark.parametrize("form", CLOSED)
def test_half_of_what_is_missing_is_gained_in_a_half_life(form):
    course = candidates(form, AGES)[0]
    rate = np.array([0.01, 0.3, 5.0])
    after, first = course.half_life(rate), 0.0
    if form is KineticForm.AGES:
        after, first = after + 2.0, 2.0  # beyond the window's half, where nothing is cut off
    ratio = [
        course.missing(rate[i : i + 1], after[i]) / course.missing(rate[i : i + 1], first) for i in range(len(rate))
    ]
    np.testing.assert_allclose(np.ravel(ratio), 0.5, rtol=1e-9)


@pytest.mark.parametrize("form", CLOSED)
def test_states_rise_from_zero_to_the_steady_fraction(form):
    grid = gate_grid(settings_of())
    for course in candidates(form, AGES):
        states = fractions(grid.points, np.array([0.5, 1.5, 4.5, 16.5, 1e12]), course)
        assert (np.diff(states, axis=1) >= -1e-12).all()
        assert states.min() >= 0
        assert (states <= grid.points[1][:, None] + 1e-12).all()
        assert np.median(states[:, -1] / grid.points[1]) > 0.99


@pytest.mark.parametrize(
    "course", [Course(KineticForm.RATES, 0.5), Course(KineticForm.TWO_POOLS, 0.6), Course(KineticForm.SINGLE)]
)
def test_reads_choose_the_form_that_made_them(course):
    _, counts = made(course, sites=500, coverage=60)
    found = {form: gate_model(reads_of(counts), AGES, settings_of(form)) for form in CLOSED}
    model, single = max(found.values(), key=lambda each: each.evidence), found[KineticForm.SINGLE]
    if course.form is KineticForm.SINGLE:
        assert model.evidence - single.evidence < 2e-4  # forms that hold the single one as a limit come as near
    else:
        assert model.course.form is course.form
        assert model.course.parameter == pytest.approx(course.parameter, rel=0.5)
        assert model.evidence > single.evidence + 1e-3


def test_gates_come_back_and_intervals_cover_them():
    gates, counts = made(Course(KineticForm.RATES, 0.5), sites=600, coverage=20)
    fit = fit_counts(counts, settings_of("rates"), QUICK)
    assert fit.form == "rates"
    assert fit.numbers["form_parameter"] == pytest.approx(0.5, abs=0.2)
    assert spearmanr(fit.rate, gates.rate)[0] > 0.6
    for low, high, truth in (
        (fit.rate_low, fit.rate_high, gates.rate),
        (fit.steady_low, fit.steady_high, gates.steady),
    ):
        assert 0.88 < ((low <= truth) & (truth <= high)).mean() <= 1
    assert states_outside(fit) == 0
    later = predict(fit, np.array([2.0]), 0.95)
    truth = gates.steady * (1 - Course(KineticForm.RATES, 0.5).missing(gates.rate, 2.0))
    assert ((later.low[:, 0] <= truth) & (truth <= later.high[:, 0])).mean() > 0.85


def test_posterior_is_bayes_rule_with_the_prior_of_neighbours():
    _, counts = made(Course(), sites=30)
    reads = reads_of(counts)
    model = gate_model(reads, AGES, settings_of("single"))._replace(sharing=Sharing())
    probability = model.at(AGES)
    other = counts.covered - counts.modified
    logs = counts.modified @ np.log(probability).T + other @ np.log1p(-probability).T
    likely = np.exp(logs - logs.max(1, keepdims=True))
    own = likely * model.prior
    own /= own.sum(1, keepdims=True)
    weights = np.exp(-np.abs(counts.position[:, None] - counts.position) / model.distance_bp)
    np.fill_diagonal(weights, 0)
    prior = weights @ own + model.weight * model.prior
    prior /= prior.sum(1, keepdims=True)
    posterior = prior * likely
    (found,) = kinetic_posterior(model, reads)
    np.testing.assert_allclose(found.prior.numpy(), prior, atol=1e-5)
    mixed = OTHER_TIMES * found.prior + (1 - OTHER_TIMES) * found.posterior
    np.testing.assert_allclose(found.other_times.numpy(), mixed.numpy(), atol=1e-6)
    np.testing.assert_allclose(
        found.posterior.numpy(), posterior / posterior.sum(1, keepdims=True), atol=1e-4 * posterior.max()
    )


def test_hold_outs_are_read_and_put_whole_times_first():
    found = parse_hold_outs("reads:0.2,region:I:1,001-2,000,time:4,time:4")
    assert [str(each) for each in found] == ["time:4", "reads:0.2", "region:I:1,001-2,000"]
    assert parse_hold_outs("none") == ()
    for wrong in ("time:x", "reads:1", "sample:0", "region:", "time:4,half", "", "time:nan"):
        with pytest.raises(UsageError, match="is not none, time:T"):
            parse_hold_outs(wrong)


def test_splits_part_all_reads_and_nothing_held_out_is_learned_from():
    _, counts = made(Course(), sites=60)
    settings = settings_of()
    replicates = MethylationSettings(times=(0, 4, 4, 16), time_offset=OFFSET)
    end = int(counts.position[29])
    for settings_, hold_out, samples in (
        (settings, HoldOut("time", "4"), [2]),
        (replicates, HoldOut("time", "4"), [1, 2]),
        (settings, HoldOut("sample", "1"), [0]),
    ):
        split = split_counts(counts, settings_, hold_out)
        np.testing.assert_array_equal(split.held, counts.modified[:, samples])
        left = [each for each in range(4) if each not in samples]
        np.testing.assert_array_equal(split.training.covered, counts.covered[:, left])
        np.testing.assert_array_equal(split.training.elapsed, np.array(settings_.elapsed)[left])
    split = split_counts(counts, settings, HoldOut("region", f"simulated:1-{end + 1}"))
    assert (split.training.covered[:30] == 0).all()
    np.testing.assert_array_equal(split.training.covered[30:], counts.covered[30:])
    np.testing.assert_array_equal((split.held + split.held_other)[:30], counts.covered[:30])
    for hold_out, sentence in (
        (HoldOut("time", "3"), "no sample has the time of --hold-out time:3: there are 0, 1, 4, 16"),
        (HoldOut("region", "simulated:900M-901M"), "holds none of the reads"),
        (HoldOut("region", "simulated"), "holds all of the reads"),
    ):
        with pytest.raises(UsageError, match=sentence):
            split_counts(counts, settings, hold_out)
    with pytest.raises(UsageError, match="fewer than 2 ages are left"):
        split_counts(counts, MethylationSettings(times=(0, 4, 4, 4), time_offset=OFFSET), HoldOut("time", "0"))


def test_one_judge_scores_every_form_on_whole_times_and_thinned_cpgs():
    _, counts = made(Course(KineticForm.RATES, 0.5), sites=120, coverage=6)
    asked = HeldOutSettings(hold_out="reads:0.3,time:4", thin=(300,), resamples=30, block_bp=1000)
    table = judged(counts, settings_of("rates"), QUICK, asked)
    names = list(dict.fromkeys(row.hold_out for row in table))
    apart = "CpGs 300 bp apart"
    assert names == ["time:4", f"time:4, {apart}", "reads:0.3", f"reads:0.3, {apart}"]
    every = {(row.hold_out, row.model): row for row in table if row.what == "all"}
    expected = "constant sample_means site free_course neighbour_reads smoothed one_prior neighbour_prior neighbours"
    others = (f"kinetic {form}" for form in FORMS if form is not KineticForm.RATES)
    models = {*expected.split(), "kinetic_gates", "kinetic", "free_lstm", *others}
    assert {model for hold_out, model in every if hold_out == "time:4"} == models
    assert every["time:4", "kinetic"].reads == counts.covered[:, 2].sum()
    kept = far_apart(counts.contig, counts.position, 300)
    assert every[f"time:4, {apart}", "kinetic"].reads == counts.covered[kept, 2].sum()
    assert np.diff(counts.position[kept]).min() >= 300
    assert every["time:4", "kinetic"].log_likelihood != every["time:4", "kinetic_gates"].log_likelihood


@pytest.mark.slow
def test_a_whole_time_is_predicted_better_by_the_form_that_made_the_reads():
    _, counts = made(Course(KineticForm.RATES, 0.5), sites=1500, coverage=10)
    table = judged(
        counts, settings_of("rates"), QUICK, HeldOutSettings(hold_out="time:16", resamples=100, block_bp=5000)
    )
    every = {row.model: row for row in table if row.what == "all"}
    for other in ("kinetic single", "neighbours", "smoothed", "site", "sample_means"):
        assert every[other].high < 0, other


def test_what_the_kinetic_model_cannot_do_is_refused():
    _, counts = made(Course(), sites=20)
    with pytest.raises(UsageError, match="the kinetic model knows nascent strands only"):
        fit_counts(counts, settings_of(start="free"), QUICK)
    with pytest.raises(UsageError, match="form 'rates' needs --model kinetic or pooled"):
        MethylationSettings(times=TIMES, form="rates")


def test_pooled_network_takes_a_form():
    _, counts = made(Course(KineticForm.RATES, 0.5), sites=80)
    options = {"times": TIMES, "time_offset": OFFSET, "model": "pooled"}
    fits = [
        fit_counts(counts, MethylationSettings(**options, form=form), QUICK) for form in ("auto", "single", "rates")
    ]
    np.testing.assert_array_equal(fits[0].rate, fits[1].rate)
    assert fits[2].form == "rates"
    assert not np.array_equal(fits[1].rate, fits[2].rate)

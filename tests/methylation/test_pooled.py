"""The pooled model: what its networks may see, and what they gain where neighbours know something."""

import numpy as np
import pytest
import torch
from scipy.stats import betabinom, binom

from genolstm.errors import UsageError
from genolstm.methylation.fitting import fit_counts
from genolstm.methylation.grid import fractions, gate_grid
from genolstm.methylation.held_out import judged
from genolstm.methylation.neighbourhood import (
    FARTHEST_BP,
    Neighbourhood,
    context_of,
    neighbours_within,
    spacing_bp,
    windows_of,
)  # fmt: skip
from genolstm.methylation.pooled import folds_of, posterior, train_pooled
from genolstm.methylation.predict import predict
from genolstm.methylation.sample_overdispersion import GatePrediction, with_overdispersion
from genolstm.methylation.scatter import grid_log_likelihood, paired
from genolstm.methylation.simulate import simulated_counts, truth_of
from genolstm.settings.methylation import HeldOutSettings, MethylationSettings, PooledSettings, SimulateSettings

TIMES, OFFSET = (0, 1, 4, 16), 0.5
SMALL = PooledSettings(width=8, epochs=2, folds=2, stretch=40, core=16, margin=8, batch=8, draws=64)


def settings_of(**options):
    return MethylationSettings(times=TIMES, time_offset=OFFSET, model="pooled", **options)


def coupled(sites, *, coverage=4.0, seed=1, dispersion=0.0):
    """CpGs with the gates of neighbours over 2 kb."""
    asked = SimulateSettings(
        times=TIMES, time_offset=OFFSET, sites=sites, coverage=coverage, spread=1.5, coupling_bp=2000,
        dispersion=dispersion,
    )  # fmt: skip
    rng = np.random.default_rng(seed)
    gates = truth_of(None, asked, rate=0.4, steady=0.5, mu=None, delta=None, rng=rng)
    return gates, simulated_counts(gates, asked, rng)


def columns(counts):
    return counts.contig, counts.position, counts.modified, counts.covered


def places(contigs, positions):
    return np.array(contigs, np.int32), np.array(positions, np.int64)


def test_spacing_and_density_end_with_the_contig():
    contig, position = places([0, 0, 0, 1, 1], [10, 15, 500, 3, 400_000])
    before, after = spacing_bp(contig, position)
    assert before.tolist() == [FARTHEST_BP, 5, 485, FARTHEST_BP, FARTHEST_BP]
    assert after.tolist() == [5, 485, FARTHEST_BP, FARTHEST_BP, FARTHEST_BP]
    assert neighbours_within(contig, position, 200).tolist() == [1, 1, 0, 0, 0]
    assert neighbours_within(contig, position, 500).tolist() == [2, 2, 2, 0, 0]


def test_every_wanted_cpg_is_in_one_core_and_windows_stay_on_their_contig():
    contig = np.repeat([0, 1, 2], [50, 3, 31]).astype(np.int32)
    rng = np.random.default_rng(0)
    for wanted in (np.ones(84, bool), rng.random(84) < 0.4, np.arange(84) // 10 % 2 == 0):
        windows = windows_of(contig, wanted, 16, 8)
        core = windows.core.numpy().ravel()
        core = core[core < 84]
        assert np.bincount(core[wanted[core]], minlength=84).tolist() == wanted.astype(int).tolist()
        for row in windows.rows.numpy():
            assert len(set(contig[row[row < 84]])) == 1


def test_prior_of_a_cpg_sees_its_neighbours_and_never_itself():
    _, counts = coupled(60)
    contig, position, modified, covered = columns(counts)
    network = None
    answers = []
    for changed in (None, 30, 31):
        these = modified.copy(), covered.copy()
        if changed is not None:
            these[0][changed], these[1][changed] = 9, 9
        context = context_of(contig, position, *these)
        if network is None:
            network = Neighbourhood(context, 8)
        answers.append(network(context, windows_of(contig, np.ones(60, bool), 60, 8))[0, 30].detach())
    assert torch.equal(answers[0], answers[1])
    assert not torch.equal(answers[0], answers[2])


def test_a_window_answers_as_the_whole_contig_does_within_its_margin():
    """Only the margin is read: a CpG farther away changes nothing."""
    _, counts = coupled(100)
    contig, position, modified, covered = columns(counts)
    context = context_of(contig, position, modified, covered)
    network = Neighbourhood(context, 4)
    far = modified.copy(), covered.copy()
    far[0][80], far[1][80] = 9, 9
    wanted = np.arange(100) < 16
    one, two = (
        network(each, windows_of(contig, wanted, 16, 8)) for each in (context, context_of(contig, position, *far))
    )
    assert torch.equal(one, two)


@pytest.mark.parametrize("dispersion", [None, 0.1])
def test_grid_likelihood_is_scipys(dispersion):
    _, counts = coupled(20)
    probability = fractions(gate_grid(settings_of()).points, np.array([0.5, 1.5, 4.5, 16.5]))[::100]
    both = [torch.from_numpy(each.astype(np.float32)) for each in (counts.modified, counts.covered)]
    rho = None if dispersion is None else torch.tensor(dispersion)
    rows = torch.tensor([3, 7, 19])
    found = grid_log_likelihood(paired(*both), rows, torch.from_numpy(probability.astype(np.float32)), rho).numpy()
    for place, row in enumerate(rows.tolist()):
        m, n = counts.modified[row], counts.covered[row]
        choices = binom.logpmf(m, n, 0.5) + n * np.log(2)
        if dispersion is None:
            expected = (binom.logpmf(m, n, probability) - choices).sum(axis=1)
        else:
            size = (1 - dispersion) / dispersion
            expected = (betabinom.logpmf(m, n, probability * size, (1 - probability) * size) - choices).sum(axis=1)
        np.testing.assert_allclose(found[place], expected, rtol=1e-4, atol=2e-3)


def test_next_read_is_the_ratio_of_beta_binomial_probabilities():
    """One CpG alone on its contig: no neighbour is correlated with it."""
    n, m, p, rho = 6, 4, 0.3, 0.2
    size = (1 - rho) / rho
    # in a given order: a fraction (m + 1) / (n + 1) of the orders of m + 1 among n + 1 reads ends with a methylated one
    more = betabinom.pmf(m + 1, n + 1, p * size, (1 - p) * size) * (m + 1) / (n + 1)
    before = betabinom.pmf(m, n, p * size, (1 - p) * size)
    predicted = GatePrediction(np.array([[p]]), np.array([[p]]), np.array([size]))
    found = with_overdispersion(predicted, *places([0], [5]), np.array([[m]], np.int32), np.array([[n]], np.int32))
    assert found[0, 0] == pytest.approx(more / before, rel=1e-9)


@pytest.mark.parametrize("shared", [True, False])
def test_overdispersion_of_neighbours_counts_only_where_they_are_correlated(shared):
    rng = np.random.default_rng(0)
    contig, position = places([0] * 900, np.arange(900) * 10)
    excess = rng.beta(2, 2, 30).repeat(30) if shared else rng.beta(2, 2, 900)
    covered = np.full((900, 1), 3, np.int32)
    modified = rng.binomial(covered, excess[:, None]).astype(np.int32)
    half = np.full((900, 1), 0.5)
    found = with_overdispersion(GatePrediction(half, half, np.full(900, 4.0)), contig, position, modified, covered)[
        :, 0
    ]
    alone = (2 + modified[:, 0]) / 7
    errors = [np.mean((each - excess) ** 2) for each in (found, alone)]
    assert errors[0] < 0.85 * errors[1] if shared else errors[0] == errors[1]


def test_posterior_is_bayes_rule_on_the_grid_and_each_cpg_is_judged_by_another_fold():
    _, counts = coupled(200)
    model = train_pooled(*columns(counts), settings_of(), SMALL)
    seen = np.zeros(200, int)
    for site in posterior(model):
        rows = site.rows.numpy()
        seen[rows] += 1
        assert len(set(model.fold[rows])) == 1
        probability = model.probability.double().numpy()
        m = counts.modified[rows].astype(float)
        logs = m @ np.log(probability).T + (counts.covered[rows] - m) @ np.log1p(-probability).T
        weights = site.prior.double().numpy() * np.exp(logs - logs.max(axis=1, keepdims=True))
        np.testing.assert_allclose(
            site.posterior.numpy(), weights / weights.sum(axis=1, keepdims=True), rtol=2e-3, atol=1e-7
        )
    assert (seen == 1).all()


def test_network_of_a_fold_learns_nothing_from_that_folds_own_reads():
    """Reads of fold 0 far from fold 1 change no weight of the network that answers for fold 0."""
    _, counts = coupled(160)
    contig, position, modified, covered = columns(counts)
    pooled = PooledSettings(width=4, epochs=1, folds=2, stretch=80, core=16, margin=4, batch=4)
    fold = folds_of(contig, pooled)
    assert fold[:48].tolist() == [0] * 16 + [1] * 16 + [0] * 16  # five stretches a fold at least
    apart = np.convolve(fold, np.ones(2 * pooled.margin + 1), mode="same") == 0
    assert apart.sum() > 20
    changed = modified.copy(), covered.copy()
    changed[0][apart], changed[1][apart] = 5, 5
    one, two = (train_pooled(contig, position, *each, settings_of(), pooled) for each in ((modified, covered), changed))
    for name, weight in one.networks[0].state_dict().items():
        assert torch.equal(weight, two.networks[0].state_dict()[name])
    assert any(
        not torch.equal(weight, two.networks[1].state_dict()[name])
        for name, weight in one.networks[1].state_dict().items()
    )


def test_same_seed_same_fit_and_another_seed_another():
    _, counts = coupled(100)
    fits = [fit_counts(counts, settings_of(seed=seed), SMALL) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(fits[0].rate, fits[1].rate)
    assert not np.array_equal(fits[0].rate, fits[2].rate)


def test_pooling_beats_each_cpg_alone_where_neighbours_share_gates():
    gates, counts = coupled(1500, coverage=3)
    pooled = PooledSettings(width=16, epochs=5, stretch=150, core=32, margin=16, batch=4, learning_rate=1e-2)
    both = fit_counts(counts, settings_of(), pooled)
    alone = fit_counts(counts, MethylationSettings(times=TIMES, time_offset=OFFSET), pooled)
    known = np.isfinite(alone.rate)
    for name in ("rate", "steady"):
        truth = np.log(gates.rate) if name == "rate" else gates.steady
        errors = [
            np.mean(np.abs((np.log(fit.rate) if name == "rate" else fit.steady)[known] - truth[known]))
            for fit in (both, alone)
        ]
        assert errors[0] < 0.75 * errors[1]
    covers = ((both.steady_low <= gates.steady) & (gates.steady <= both.steady_high)).mean()
    assert covers > 0.9
    later = predict(both, np.array([3.0]), 0.95)
    truth = gates.steady * -np.expm1(-gates.rate * 3.0)
    assert ((later.low[:, 0] <= truth) & (truth <= later.high[:, 0])).mean() > 0.88
    assert np.mean(np.abs(later.fraction[:, 0] - truth)) < 0.1


def test_held_out_table_compares_every_model_with_the_one_that_was_fitted():
    _, counts = coupled(300, dispersion=0.1)
    settings = settings_of(likelihood="beta-binomial")
    table = judged(counts, settings, SMALL, HeldOutSettings(hold_out="reads:0.2", block_bp=2000, resamples=50))
    every = {row.model: row for row in table if row.what == "all"}
    names = "constant sample_means site free_course neighbour_reads smoothed one_prior neighbour_prior neighbours"
    assert set(every) == {*names.split(), "pooled_gates", "pooled", "free_lstm"}
    assert every["pooled"].difference == 0
    assert every["pooled"].log_likelihood != every["pooled_gates"].log_likelihood
    for row in every.values():
        gap = row.log_likelihood - every["pooled"].log_likelihood
        assert row.difference == pytest.approx(gap, abs=1e-12)
        assert row.low <= row.difference <= row.high
    groups = [row for row in table if row.model == "site" and row.what != "all"]
    assert sum(row.reads for row in groups) == every["site"].reads
    whole = judged(counts, settings_of(), SMALL, HeldOutSettings(hold_out="sample:3", resamples=20))
    assert next(row for row in whole if row.what == "all").reads == counts.covered[:, 2].sum()


def test_what_the_pooled_model_cannot_do_is_refused():
    _, counts = coupled(20)
    with pytest.raises(UsageError, match="the pooled model knows nascent strands only"):
        fit_counts(counts, settings_of(start="free"), SMALL)
    with pytest.raises(UsageError, match="there are 4 samples: --hold-out sample:9"):
        judged(counts, settings_of(), SMALL, HeldOutSettings(hold_out="sample:9"))
    with pytest.raises(UsageError, match="hold-out 'reads:2' is not none"):
        HeldOutSettings(hold_out="reads:2")


@pytest.mark.parametrize("likelihood", ["binomial", "beta-binomial"])
def test_methylated_reads_at_age_0_rule_no_gates_out(likelihood):
    asked = SimulateSettings(times=TIMES, sites=80, start_fraction=0.4)  # nothing explains what is there at age 0
    rng = np.random.default_rng(3)
    counts = simulated_counts(truth_of(None, asked, rate=0.4, steady=0.7, mu=None, delta=None, rng=rng), asked, rng)
    assert counts.modified[:, 0].any()
    settings = MethylationSettings(times=TIMES, model="pooled", likelihood=likelihood)
    fit = fit_counts(counts, settings, SMALL)
    for column in (fit.rate, fit.steady, fit.log_likelihood):
        assert np.isfinite(column).all()
    assert fit.posterior.draws.max() < len(fit.posterior.rate)
    for row in judged(counts, settings, SMALL, HeldOutSettings(hold_out="reads:0.2", resamples=50)):
        assert np.isfinite(row.log_likelihood), row.model


def test_intervals_of_held_out_reads_come_from_several_blocks_or_not_at_all():
    _, counts = coupled(40)
    settings, asked = settings_of(), HeldOutSettings(hold_out="reads:0.2", resamples=50)  # blocks of 100 kb: one
    for row in judged(counts, settings, SMALL, asked):
        if row.model not in {row.against, "pooled_gates"} and row.reads > 50:  # the same for binomial reads
            assert row.high - row.low > 1e-4, row.model
    _, counts = coupled(1, coverage=200)
    for row in judged(counts, settings, SMALL, asked):
        assert np.isnan([row.low, row.high]).all(), row.model
        assert np.isfinite(row.difference)

"""The real chr21 time course: published rates, reference scores on held-out reads, and time.

Figures are printed: pytest tests/methylation/test_chr21.py -m realdata -s
"""

import gzip
import time

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import spearmanr

from genolstm.methylation.baselines import Training, prior_guesses, sample_means
from genolstm.methylation.held_out import probabilities, scores, split_reads
from genolstm.methylation.site_fit import fit_sites, read_model
from genolstm.settings.methylation import HeldOutSettings, MethylationSettings, PooledSettings
from genolstm.store.counts import Counts

pytestmark = [pytest.mark.realdata, pytest.mark.slow]

SETTINGS = MethylationSettings(times=(0, 1, 4, 16), time_offset=0.5)
REFERENCE = slice(200_000, 230_000)  # CpGs in file order
# mean log-likelihood per held-out read, told with the data; another draw of reads moves all of them by about .002
TOLD = {"sample_means": -0.6043, "one_prior": -0.5310, "neighbour_prior": -0.5255, "neighbours": -0.5552}


@pytest.fixture(scope="module")
def chr21(real_data):
    with gzip.open(real_data / "methylation_kinetics" / "chr21_counts.tsv.gz") as stream:
        table = np.loadtxt(stream, skiprows=1, usecols=range(1, 10), dtype=np.int64)
    modified, covered = table[:, 1::2], table[:, 1::2] + table[:, 2::2]
    return Counts(
        contigs=("chr21",),
        contig=np.zeros(len(table), np.int32),
        position=table[:, 0],
        strand=np.zeros(len(table), np.int8),
        modified=modified.astype(np.int32),
        covered=covered.astype(np.int32),
        samples=("0h", "1h", "4h", "16h"),
    )


def part(counts, chosen):
    return Counts(
        contigs=counts.contigs, contig=counts.contig[chosen], position=counts.position[chosen],
        strand=counts.strand[chosen], modified=counts.modified[chosen], covered=counts.covered[chosen],
        samples=counts.samples,
    )  # fmt: skip


@pytest.fixture(scope="module")
def site_fit(chr21):
    model = read_model(SETTINGS, 0.0)
    began = time.perf_counter()
    fit_sites(chr21.modified, chr21.covered, SETTINGS, model, intervals=False)
    print(f"\nfit of {len(chr21):,} CpGs without intervals: {time.perf_counter() - began:.2f} s")  # noqa: T201
    began = time.perf_counter()
    fit = fit_sites(chr21.modified, chr21.covered, SETTINGS, model)
    print(f"with both intervals: {time.perf_counter() - began:.2f} s")  # noqa: T201
    return fit


def test_rates_are_the_published_ones(chr21, site_fit, real_data):
    with gzip.open(real_data / "methylation_kinetics" / "chr21_published_mle.tsv.gz") as stream:
        told = np.loadtxt(stream, skiprows=1, usecols=range(1, 11))
    rows = np.searchsorted(chr21.position, told[:, 0])
    assert (chr21.position[rows] == told[:, 0]).all()
    rate, steady = site_fit.rate[rows], site_fit.steady[rows]
    # published rates are rounded to four decimals, the lowest to 0
    published = np.maximum(told[:, 2], 0.01)
    gap = np.abs(np.log10(rate) - np.log10(published))
    inside = (told[:, 3] > 0.0101) & (told[:, 4] < 9.99)
    order = [spearmanr(np.log10(rate[each]), np.log10(published[each]))[0] for each in (inside, slice(None))]
    within = ((rate >= 0.999 * told[:, 3]) & (rate <= 1.001 * told[:, 4])).mean()
    within_steady = ((steady >= told[:, 6] - 0.005) & (steady <= told[:, 7] + 0.005)).mean()
    print(  # noqa: T201
        f"\n{inside.sum():,} CpGs inside the grid: Spearman {order[0]:.5f}, median |log10 ratio|"
        f" {np.median(gap[inside]):.4f}, g {np.median(np.abs(steady - told[:, 5])[inside]):.4f}; all {len(rows):,}:"
        f" Spearman {order[1]:.4f}, k within the published interval {within:.4f}, g {within_steady:.4f}"
    )
    assert order[0] >= 0.99
    assert np.median(gap[inside]) <= 0.01
    assert np.median(np.abs(steady - told[:, 5])[inside]) <= 0.005
    assert within >= 0.98
    assert within_steady >= 0.98


def test_fit_is_a_hundred_times_faster_than_scipy_for_each_and_no_less_likely(chr21, site_fit):
    ages, model = np.array(SETTINGS.elapsed), read_model(SETTINGS, 0.0)
    bounds = [(np.log(0.01), np.log(10)), (0, 1)]
    rows = np.random.default_rng(0).choice(len(chr21), 300, replace=False)

    def cost(values, methylated, other):
        probability = np.clip(values[1] * -np.expm1(-np.exp(values[0]) * ages), 1e-12, 1 - 1e-12)
        return -(methylated @ np.log(probability) + other @ np.log1p(-probability))

    began = time.perf_counter()
    found = [
        minimize(
            cost, [0.0, 0.5], args=(chr21.modified[row], (chr21.covered - chr21.modified)[row]), method="L-BFGS-B",
            bounds=bounds,
        ).fun
        for row in rows
    ]  # fmt: skip
    theirs = (time.perf_counter() - began) / len(rows)
    began = time.perf_counter()
    fit_sites(chr21.modified, chr21.covered, SETTINGS, model, intervals=False)
    ours = (time.perf_counter() - began) / len(chr21)
    known = site_fit.reads[rows] > 0
    print(f"\nscipy {1e3 * theirs:.2f} ms a CpG, here {1e6 * ours:.2f} us: {theirs / ours:.0f} times")  # noqa: T201
    assert theirs / ours > 100
    assert (site_fit.log_likelihood[rows][known] >= -np.array(found)[known] - 1e-5).all()


def test_baselines_score_as_told_with_the_data(chr21):
    counts = part(chr21, REFERENCE)
    found = {name: [] for name in TOLD}
    for seed in range(3):
        split = split_reads(counts, np.array(SETTINGS.elapsed), 0.2, np.random.default_rng(seed))
        assert isinstance(split.training, Training)
        probability = {"sample_means": sample_means(split.training)}
        probability |= prior_guesses(split.training, SETTINGS, 0.0)._asdict()
        reads = (split.held + split.held_other).sum()
        for name, each in probability.items():
            nats = split.held * np.log(each) + split.held_other * np.log1p(-each)
            found[name].append(nats.sum() / reads)
    means = {name: np.mean(values) for name, values in found.items()}
    print("\n", {name: f"{value:.4f} (told {TOLD[name]})" for name, value in means.items()})  # noqa: T201
    for name, told in TOLD.items():
        assert means[name] == pytest.approx(told, abs=0.003)
    # what neighbours add does not depend on the draw
    gain = means["neighbour_prior"] - means["one_prior"]
    assert gain == pytest.approx(TOLD["neighbour_prior"] - TOLD["one_prior"], abs=0.001)


@pytest.mark.parametrize("likelihood", ["binomial", "beta-binomial"])
def test_pooled_beats_the_neighbour_prior_on_held_out_reads(chr21, likelihood):
    """Trained on CpGs 150,000..279,999, each judged by the other fold's network; scored on the reference stretch."""
    first, last = 150_000, 280_000
    counts = part(chr21, slice(first, last))
    settings = MethylationSettings(times=(0, 1, 4, 16), time_offset=0.5, model="pooled", likelihood=likelihood)
    split = split_reads(counts, np.array(settings.elapsed), 0.2, np.random.default_rng(1))
    probability = probabilities(split, settings, PooledSettings(), baseline=False)
    scored = np.zeros(last - first, bool)
    scored[REFERENCE.start - first : REFERENCE.stop - first] = True
    table = scores(split, probability, "pooled", HeldOutSettings(), np.random.default_rng(2), scored)
    every = {row.model: row for row in table if row.what == "all"}
    for row in every.values():
        gap = f"{row.difference:+.4f} [{row.low:+.4f}, {row.high:+.4f}]"
        print(f"\n{row.model}: {row.log_likelihood:.4f} of {row.reads:,} reads, {gap}", end="")  # noqa: T201
    for baseline in ("site", "one_prior", "neighbour_prior", "neighbours"):
        assert every[baseline].high < 0

"""Two groups of samples, site by site: do rate and steady fraction differ, by how much, and how surely.

Likelihood-ratio tests of the cell with gates of its own in each group against gates in common, all counts
beta-binomial with one dispersion, which replicates reveal. Sites scatter more or less than that: twice the difference
of log-likelihoods is divided by the scatter of the site's own samples about its fits, drawn towards that of all sites,
and compared with an F distribution of as many degrees of freedom as both are worth (Smyth 2004; Lund et al. 2012).
False discovery rate by Benjamini & Hochberg (1995).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, polygamma
from scipy.stats import f as f_distribution
from scipy.stats import false_discovery_control, norm, t

from genolstm.errors import InputError
from genolstm.methylation.ascent import climb
from genolstm.methylation.dispersion import dispersion_of, expected_probability
from genolstm.methylation.likelihood import LOG_RATE, STEADY, Floats
from genolstm.methylation.site_fit import CHUNK_SITES, SiteFit, box_of, fit_sites, read_model, reads_of
from genolstm.seeds import spawn
from genolstm.settings.methylation import MethylationSettings

LEAST_CHANCE, TINY = 0.005, 1e-9  # a probability nearer to 0 or 1 has no variance to scatter by
LEAST_SITES, LEAST_VARIANCE = 3, 0.01  # from which the usual scatter is known; of the median, that one site has
GATES_IN_COMMON = (1, 1, 2)  # of the tests of k, of g and of both
MIXED_SITES, LEAST_MIXED, MIXTURES, MIXED_QUANTILE = 400, 100, 4, 0.9  # by which tests of mixed groups are judged
HALVINGS = 14  # of the bracket of a gate in common: of 7 in ln k, 4e-4 are left, where the profile is flat


class Difference(NamedTuple):
    """Second group less the first, [N] each. value, low, high : with the ends of its interval.

    p : of no difference.   q : smallest false discovery rate at which the site is found.
    """

    value: Floats
    low: Floats
    high: Floats
    p: Floats
    q: Floats


class Contrast(NamedTuple):
    """Sites that were compared. rows : int64 [N], of those given.   first, second : fits of the two groups.

    rate : difference of ln k.   steady : of g.   p, q : of no difference in either.   dispersion : rho.
    scatter : of samples about the fits.   inflation : of the tests of k, g and both by what samples add at once.
    """

    rows: NDArray[np.intp]
    first: SiteFit
    second: SiteFit
    rate: Difference
    steady: Difference
    p: Floats
    q: Floats
    dispersion: float
    scatter: "Scatter"
    inflation: tuple[float, float, float]


class Scatter(NamedTuple):
    """Variance of the samples of each site about its fits, over that of beta-binomial reads; 1 where they agree.

    variance : [N], that of the site drawn towards that of all.   degrees : [N], of freedom that this is worth.
    usual, usual_degrees : of all sites, and how many degrees of freedom it counts for; inf where sites do not differ.
    It adds no more to a site's degrees than the site has: in so few samples a ratio of likelihoods is itself a little
    wider than its law.
    """

    variance: Floats
    degrees: Floats
    usual: float
    usual_degrees: float

    def p(self, deviance: Floats, gates: int) -> Floats:
        """Of a deviance as great for so many gates in common."""
        found: Floats = f_distribution.sf(np.maximum(deviance, 0) / gates / self.variance, gates, self.degrees)
        return found

    def widening(self, level: float) -> Floats:
        """How much wider an interval of a difference is than by likelihood alone."""
        found: Floats = np.sqrt(self.variance) * t.ppf((1 + level) / 2, self.degrees) / norm.ppf((1 + level) / 2)
        return found


class GroupReads(NamedTuple):
    """Counts [N, T] of one group, and how its samples are fitted (their times)."""

    modified: NDArray[np.int32]
    covered: NDArray[np.int32]
    settings: MethylationSettings

    def of(self, rows: NDArray[np.intp]) -> "GroupReads":
        """Only some sites."""
        return GroupReads(self.modified[rows], self.covered[rows], self.settings)


def comparable(group: GroupReads) -> NDArray[np.bool_]:
    """Sites with as many reads as settings ask for, at two ages or more; [N]."""
    ages = np.array(group.settings.elapsed)
    seen = np.stack([(group.covered[:, ages == age] > 0).any(axis=1) for age in np.unique(ages)], axis=1)
    enough: NDArray[np.bool_] = (group.covered.sum(axis=1) >= group.settings.min_reads) & (seen.sum(axis=1) > 1)
    return enough


def contrast(first: GroupReads, second: GroupReads, names: tuple[str, str]) -> Contrast:
    """Compare two groups at the same sites. Raises InputError where no site has reads enough in both."""
    rows = np.flatnonzero(comparable(first) & comparable(second))
    if not rows.size:
        raise InputError(
            f"groups '{names[0]}' and '{names[1]}' share no site with {first.settings.min_reads} reads at two ages"
            " in each; lower --min-reads, or count both groups at the same sites."
        )
    first, second = first.of(rows), second.of(rows)
    given = [dispersion_of(each.modified, each.covered, each.settings) for each in (first, second)]
    worth = [int(each.covered.sum()) for each in (first, second)]
    dispersion = float(np.average(given, weights=worth))
    found = _ratios((first, second), dispersion)
    inflation = replicate_inflation((first, second), dispersion, spawn(first.settings.seed, "replicates"))
    p_rate, p_steady, p = (
        found.scatter.p(ratio / each, gates)
        for ratio, each, gates in zip(found.deviances, inflation, GATES_IN_COMMON, strict=True)
    )
    fits, wider = found.fits, found.scatter.widening(first.settings.level)
    logs = [(np.log(fit.rate), np.log(fit.rate_low), np.log(fit.rate_high)) for fit in fits]
    ends = [(fit.steady, fit.steady_low, fit.steady_high) for fit in fits]
    return Contrast(
        rows=rows, first=fits[0], second=fits[1], rate=_difference(logs, p_rate, wider * np.sqrt(inflation[0])),
        steady=_difference(ends, p_steady, wider * np.sqrt(inflation[1])), p=p, q=false_discovery_control(p),
        dispersion=dispersion, scatter=found.scatter, inflation=inflation,
    )  # fmt: skip


class _Ratios(NamedTuple):
    """Fits of both groups and twice the fall of the log-likelihood [N] with k, g and both in common."""

    fits: list[SiteFit]
    scatter: Scatter
    deviances: tuple[Floats, Floats, Floats]


def _ratios(groups: tuple[GroupReads, GroupReads], dispersion: float, *, intervals: bool = True) -> _Ratios:
    fits = [
        fit_sites(*each[:2], each.settings, read_model(each.settings, dispersion), intervals=intervals)
        for each in groups
    ]
    free = fits[0].log_likelihood + fits[1].log_likelihood
    common = [_in_common(row, fits, groups, dispersion) for row in (LOG_RATE, STEADY)]
    common.append(_all_in_common(*groups, dispersion))
    rate, steady, both = (2 * (free - each) for each in common)
    return _Ratios(fits, scatter_about(fits, groups, dispersion), (rate, steady, both))


def replicate_inflation(
    groups: tuple[GroupReads, GroupReads], dispersion: float, rng: np.random.Generator
) -> tuple[float, float, float]:
    """How much greater than their law the three tests come out where groups are mixed: k, g, both; at least 1.

    What one sample adds at all sites at once makes every test of a pair of groups too great together, and no site shows
    it. Groups of which each takes half of its replicates of every time from the other differ by nothing else. The
    quantile of their tests at a few sites over that of the law; 1 where the groups have other times, or few sites.
    """
    ages = [np.array(each.settings.elapsed) for each in groups]
    if len(groups[0].modified) < LEAST_MIXED or not np.array_equal(np.unique(ages[0]), np.unique(ages[1])):
        return 1.0, 1.0, 1.0
    every = len(groups[0].modified)
    some = [each.of(np.arange(0, every, max(1, every // MIXED_SITES))) for each in groups]
    shares: list[list[Floats]] = [[], [], []]
    for _ in range(MIXTURES):
        mixed = _mixed((some[0], some[1]), ages, rng)
        kept = np.flatnonzero(comparable(mixed[0]) & comparable(mixed[1]))
        if not kept.size:
            continue
        found = _ratios((mixed[0].of(kept), mixed[1].of(kept)), dispersion, intervals=False)
        for share, ratio, gates in zip(shares, found.deviances, GATES_IN_COMMON, strict=True):
            scaled = np.maximum(ratio, 0) / gates / found.scatter.variance
            share.append(scaled / f_distribution.ppf(MIXED_QUANTILE, gates, found.scatter.degrees))
    rate, steady, both = (
        max(1.0, float(np.quantile(np.concatenate(share), MIXED_QUANTILE))) if share else 1.0 for share in shares
    )
    return rate, steady, both


def _mixed(
    groups: tuple[GroupReads, GroupReads], ages: list[Floats], rng: np.random.Generator
) -> tuple[GroupReads, GroupReads]:
    """Groups of the same ages that exchange half of their replicates of each, the odd one by lot."""
    places = [np.arange(len(each)) for each in ages]
    first, second = places[0].tolist(), (-1 - places[1]).tolist()  # the second group's columns are below 0
    for age in np.unique(ages[0]):
        here, there = (rng.permutation(np.flatnonzero(each == age)) for each in ages)
        many = (min(len(here), len(there)) + int(rng.integers(2))) // 2
        for mine, other in zip(here[:many], there[:many], strict=True):
            first[mine], second[other] = second[other], first[mine]

    def taken(name: str, columns: list[int]) -> NDArray[np.int32]:
        return np.stack([getattr(groups[0], name)[:, each] if each >= 0 else getattr(groups[1], name)[:, -1 - each]
                         for each in columns], axis=1)  # fmt: skip

    mixed = [
        GroupReads(taken("modified", columns), taken("covered", columns), group.settings)
        for columns, group in zip((first, second), groups, strict=True)
    ]
    return mixed[0], mixed[1]


def scatter_about(fits: list[SiteFit], groups: tuple[GroupReads, GroupReads], dispersion: float) -> Scatter:
    """Scatter of the samples of each site about its two fits: Pearson's X2 over degrees of freedom, moderated."""
    parameters, (squares, seen) = 0, np.zeros((2, len(groups[0].modified)))
    for fit, group in zip(fits, groups, strict=True):
        model = read_model(group.settings, dispersion)
        expected = np.clip(expected_probability(fit, model), LEAST_CHANCE, 1 - LEAST_CHANCE)
        n = group.covered.astype(np.float64)
        variance = n * expected * (1 - expected) * (1 + np.maximum(n - 1, 0) * dispersion)
        squares = squares + np.where(n > 0, (group.modified - n * expected) ** 2 / np.maximum(variance, TINY), 0).sum(1)
        seen, parameters = seen + (n > 0).sum(axis=1), parameters + model.parameters
    degrees = np.maximum(seen - parameters, 0).astype(np.float64)
    return moderated(squares / np.maximum(degrees, 1), degrees)


def moderated(variance: Floats, degrees: Floats) -> Scatter:
    """Variances of many sites drawn towards one, by as much as they differ no more than by chance (Smyth 2004).

    ln of the variances has mean and variance of a scaled F distribution, whose two numbers are found from them.
    """
    used = (degrees > 0) & (variance > 0)
    if used.sum() < LEAST_SITES:
        return Scatter(
            np.ones_like(variance), np.full_like(variance, max(1.0, float(degrees.max(initial=1)))), 1.0, 0.0
        )
    half = degrees[used] / 2
    floor = LEAST_VARIANCE * np.median(variance[used])
    logs = np.log(np.maximum(variance[used], floor)) - digamma(half) + np.log(half)
    excess = logs.var(ddof=1) - polygamma(1, half).mean()
    prior = 2 * _trigamma_inverse(excess) if excess > 0 else np.inf
    usual = float(np.exp(logs.mean() + (digamma(prior / 2) - np.log(prior / 2) if np.isfinite(prior) else 0.0)))
    if not np.isfinite(prior):
        return Scatter(np.full_like(variance, usual), 2 * np.maximum(degrees, 1.0), usual, np.inf)
    drawn = (prior * usual + degrees * variance) / (prior + degrees)
    return Scatter(drawn, np.minimum(prior, np.maximum(degrees, 1.0)) + degrees, usual, float(prior))


def _trigamma_inverse(value: float) -> float:
    """The number whose trigamma is the value, above 0; Newton's steps on its inverse (Smyth 2004, appendix)."""
    found = 0.5 + 1 / value
    for _ in range(50):
        now = float(polygamma(1, found))
        step = now * (1 - now / value) / float(polygamma(2, found))
        found += step
        if abs(step) < 1e-8 * found:
            break
    return found


def _difference(both: list[tuple[Floats, Floats, Floats]], p: Floats, wider: Floats) -> Difference:
    """Difference with an interval from those of both (MOVER, Zou & Donner 2008), so much wider."""
    (one, one_low, one_high), (two, two_low, two_high) = both
    value = two - one
    return Difference(
        value,
        value - wider * np.hypot(two - two_low, one_high - one),
        value + wider * np.hypot(two_high - two, one - one_low),
        p,
        false_discovery_control(p),
    )


def _in_common(row: int, fits: list[SiteFit], groups: tuple[GroupReads, GroupReads], dispersion: float) -> Floats:
    """Greatest log-likelihood of both groups with one gate in common, the other of each its own; [N].

    Between the gates of the two fits the slope of one profile is positive and of the other negative: halve until they
    cancel.
    """
    best = np.full(len(fits[0].rate), -np.inf)
    for first in range(0, len(best), CHUNK_SITES):
        part = slice(first, first + CHUNK_SITES)
        models = [read_model(group.settings, dispersion) for group in groups]
        reads = [reads_of(group.modified[part], group.covered[part]) for group in groups]
        boxes = [box_of(group.settings, model, reads[0].modified.shape[1])
                 for group, model in zip(groups, models, strict=True)]  # fmt: skip
        points = [np.stack([np.log(fit.rate[part]), fit.steady[part]]) for fit in fits]
        low, high = (pick(points[0][row], points[1][row]) for pick in (np.minimum, np.maximum))
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            total, slope = np.zeros(len(middle)), np.zeros(len(middle))
            for place in range(2):
                points[place][row] = middle
                with np.errstate(all="ignore"):
                    points[place], about = climb(
                        points[place], reads[place], boxes[place].pinned(row, middle), models[place]
                    )
                total, slope = total + about.value, slope + about.slope[row]
            best[part] = np.maximum(best[part], total)
            low, high = np.where(slope > 0, middle, low), np.where(slope > 0, high, middle)
    return best


def _all_in_common(first: GroupReads, second: GroupReads, dispersion: float) -> Floats:
    """Log-likelihood with both gates in common: one fit to the samples of both groups, [N]."""
    model = read_model(first.settings, dispersion)
    both = model._replace(elapsed=np.array([*first.settings.elapsed, *second.settings.elapsed]))
    modified, covered = (
        np.concatenate([getattr(group, name) for group in (first, second)], axis=1) for name in ("modified", "covered")
    )
    return fit_sites(modified, covered, first.settings, both, intervals=False).log_likelihood


class Intervals(NamedTuple):
    """Places on the contigs of the counts, 0-based and half open, [R] each."""

    contig: NDArray[np.int32]
    start: NDArray[np.int64]
    end: NDArray[np.int64]


def region_sums(
    values: NDArray[np.int32], contig: NDArray[np.int32], position: NDArray[np.int64], intervals: Intervals
) -> NDArray[np.int32]:
    """Sum of the values [N, S] of the sites within each interval, [R, S]; sites in genome order."""
    wide = int(max(position.max(initial=0), intervals.end.max(initial=0))) + 1
    place = contig.astype(np.int64) * wide + position
    base = intervals.contig.astype(np.int64) * wide
    begin, end = (np.searchsorted(place, base + ends) for ends in (intervals.start, intervals.end))
    sums = np.concatenate([np.zeros((1, values.shape[1]), np.int64), np.cumsum(values, axis=0, dtype=np.int64)])
    inside: NDArray[np.int32] = (sums[end] - sums[begin]).astype(np.int32)
    return inside

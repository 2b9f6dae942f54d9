"""Read counts of CpGs whose gates are known: what a fit must find again."""

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import norm

from genolstm.errors import UsageError
from genolstm.methylation.coupled import stretch_course
from genolstm.methylation.likelihood import Floats
from genolstm.methylation.neighbourhood import FARTHEST_BP
from genolstm.methylation.sample_effects import SampleEffects, with_effects
from genolstm.methylation.trajectory import Kinetics, Upkeep, kinetics_of, trajectory
from genolstm.readers.rate_tables import RateTable
from genolstm.settings.methylation import SimulateSettings, TimeUnit
from genolstm.store.counts import Counts


class Truth(NamedTuple):
    """Gates and places of CpGs. contigs : names.   contig : int32 [N].   position : int64 [N].   rate, steady : [N]."""

    contigs: tuple[str, ...]
    contig: NDArray[np.int32]
    position: NDArray[np.int64]
    rate: Floats
    steady: Floats

    def columns(self, unit: str) -> list[tuple[str, NDArray[Any] | list[str]]]:
        """Name and values of each column of a table of gates, as `readers.rate_tables` reads it. unit : 'hours' ..."""
        return [
            ("contig", [self.contigs[index] for index in self.contig.tolist()]),
            ("position", self.position),
            (f"rate_per_{unit.removesuffix('s')}", self.rate),
            ("steady_fraction", self.steady),
        ]


def truth_of(
    table: RateTable | None,
    settings: SimulateSettings,
    *,
    rate: float | None,
    steady: float | None,
    mu: float | None,
    delta: float | None,
    rng: np.random.Generator,
) -> Truth:
    """Gates as a table gives them, or drawn about k and g, or about mu and delta of a division.

    Raises UsageError where none of the three ways, more than one, or half of one was given, and as `kinetics_of`.
    """
    pairs = ((rate, steady), (mu, delta))
    ways = sum(any(value is not None for value in pair) for pair in pairs) + (table is not None)
    if ways != 1 or any((one is None) != (other is None) for one, other in pairs):
        raise UsageError("give the gates in one way: --rate and --steady, or --mu and --delta, or --rates TABLE.")
    if table is not None:
        return Truth(*table)
    if mu is not None and delta is not None:
        if settings.unit is not TimeUnit.DIVISIONS:
            raise UsageError("mu and delta are of a division: add --unit divisions, and give times in divisions.")
        return drawn_truth(kinetics_of(Upkeep(mu, delta), settings.state), settings, rng)
    if rate is None or steady is None or not 0 < rate < math.inf or not 0 <= steady <= 1:
        raise UsageError(f"rate {rate} must be above 0, and steady fraction {steady} from 0 to 1.")
    return drawn_truth(Kinetics(rate, steady), settings, rng)


def drawn_truth(kinetics: Kinetics, settings: SimulateSettings, rng: np.random.Generator) -> Truth:
    """Draw CpGs along one contig, with gates about those given.

    ln k and logit g scatter normally with the standard deviation `spread`; CpGs d bp apart have them in common with the
    correlation exp(-d / coupling_bp), or not at all where coupling_bp is 0.
    """
    gap = rng.geometric(1 / settings.spacing_bp, settings.sites)
    position = np.cumsum(np.maximum(gap, 2))  # a CpG is two bases
    shift = [_walk(gap, settings.coupling_bp, rng) * settings.spread for _ in range(2)]
    odds = np.log(kinetics.steady) - np.log1p(-kinetics.steady) if 0 < kinetics.steady < 1 else None
    steady = np.full(settings.sites, kinetics.steady) if odds is None else 1 / (1 + np.exp(-(odds + shift[1])))
    return Truth(
        contigs=("simulated",),
        contig=np.zeros(settings.sites, dtype=np.int32),
        position=position.astype(np.int64),
        rate=kinetics.rate * np.exp(shift[0]),
        # a logit that nothing was added to need not come back to the last bit
        steady=steady if settings.spread else np.full(settings.sites, kinetics.steady),
    )


def _walk(gap: NDArray[np.int64], coupling_bp: float, rng: np.random.Generator) -> Floats:
    """Standard normal values along a contig whose correlation falls as exp(-distance / coupling_bp); [N]."""
    noise = rng.standard_normal(len(gap))
    if coupling_bp == 0:
        return noise
    kept = np.exp(-np.minimum(gap, FARTHEST_BP) / coupling_bp)
    for place in range(1, len(noise)):  # Ornstein & Uhlenbeck's process, seen at the CpGs
        noise[place] = kept[place] * noise[place - 1] + np.sqrt(1 - kept[place] ** 2) * noise[place]
    return noise


def simulated_counts(truth: Truth, settings: SimulateSettings, rng: np.random.Generator) -> Counts:
    """Draw reads: the cell's state at each age, coverage by Poisson's law, and (beta-)binomial methylated reads.

    Or molecules: each is read at every CpG that it spans, so that coverage and calls of neighbours go together.
    """
    probability = true_probability(truth, settings)
    if settings.molecule_bp:
        modified, covered = _molecules(truth, probability, settings, rng)
    else:
        modified, covered = _reads(probability, settings, rng)
    return Counts(
        contigs=truth.contigs,
        contig=truth.contig,
        position=truth.position,
        strand=np.zeros(len(truth.position), dtype=np.int8),
        modified=modified.astype(np.int32),
        covered=covered.astype(np.int32),
        samples=tuple(f"{time:g}" for time in settings.times),
    )


def true_probability(truth: Truth, settings: SimulateSettings) -> Floats:
    """Probability that a read of each CpG and sample is methylated, [N, T]: the cell's, and what the sample adds."""
    count = len(settings.times)
    shifts, old, misread = (np.array(each or np.zeros(count)) for each in
                            (settings.age_shifts, settings.old_strands, settings.misread))  # fmt: skip
    ages = np.array(settings.elapsed) + shifts
    if settings.recruitment:
        gates, place = (truth.rate, truth.steady), (truth.contig, truth.position)
        state = stretch_course(gates, *place, ages, settings.recruitment, settings.recruitment_bp).at(ages)
    else:
        rate, steady = torch.from_numpy(truth.rate), torch.from_numpy(truth.steady)
        start, order = torch.full_like(rate, settings.start_fraction), np.argsort(ages)
        state = np.empty((len(rate), count))
        state[:, order] = trajectory(rate, steady, start, torch.from_numpy(ages[order])).numpy()
    sample = SampleEffects(ages - shifts, shifts, old, misread)
    return with_effects(state, truth.steady[:, None], sample, settings.conversion_error)


def _reads(
    probability: Floats, settings: SimulateSettings, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Reads of every CpG by itself, methylated and all, [N, T] each."""
    covered = (
        np.full(probability.shape, round(settings.coverage))
        if settings.even_coverage
        else rng.poisson(settings.coverage, probability.shape)
    )
    if settings.dispersion:
        size = (1 - settings.dispersion) / settings.dispersion
        certain = (probability <= 0) | (probability >= 1)
        middle = np.where(certain, 0.5, probability)
        probability = np.where(certain, probability, rng.beta(middle * size, (1 - middle) * size))
    return rng.binomial(covered, probability), covered


def _molecules(
    truth: Truth, probability: Floats, settings: SimulateSettings, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Reads of molecules that lie anywhere, [N, T] each.

    A call is methylated where a standard normal number is below the quantile of its probability; those of one molecule
    have the correlation `concordance` (a Gaussian copula), so that the reads of one CpG alone are binomial.
    """
    length, shape = settings.molecule_bp, probability.shape
    modified, covered = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    with np.errstate(divide="ignore"):
        quantile = norm.ppf(probability)
    for contig in np.unique(truth.contig):
        rows = np.flatnonzero(truth.contig == contig)
        place = truth.position[rows]
        first, last = place[0] - length, place[-1]
        for sample in range(shape[1]):
            starts = rng.uniform(first, last, rng.poisson(settings.coverage * (last - first) / length))
            begin, end = np.searchsorted(place, starts), np.searchsorted(place, starts + length)
            many = end - begin
            molecule = np.repeat(np.arange(len(starts)), many)
            site = np.arange(len(molecule)) + np.repeat(begin - (np.cumsum(many) - many), many)
            shared, own = rng.standard_normal(len(starts)), rng.standard_normal(len(molecule))
            drawn = np.sqrt(settings.concordance) * shared[molecule] + np.sqrt(1 - settings.concordance) * own
            called = drawn < quantile[rows[site], sample]
            covered[rows, sample] += np.bincount(site, minlength=len(rows))
            modified[rows, sample] += np.bincount(site, weights=called, minlength=len(rows)).astype(np.int64)
    return modified, covered

"""The kinetic model: each CpG's gates under a prior that is mixed from its neighbours' gates, then its own reads.

No network: empirical Bayes on a grid of gates (Robbins 1956). What all CpGs share (course, dispersion, how far
neighbours reach) is the one under which the reads of the samples at hand are most likely, so that nothing is chosen on
a time that is held out.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import gammaln

from genolstm.methylation.grid import GateGrid, fractions, gate_grid, with_error
from genolstm.methylation.grid_kernels import add_rows
from genolstm.methylation.kinetic_form import Course, candidates
from genolstm.methylation.likelihood import Floats
from genolstm.methylation.neighbourhood import SiteReads, neighbour_sums
from genolstm.methylation.pooled import ReadProbabilities, SitePosterior, predicted_reads
from genolstm.settings.methylation import KineticForm, MethylationSettings, ReadLikelihood, number_or_estimate

# chosen on the first half of chr21 (Charlton 2018), 9,000 CpGs, 1 h, 4 h and 16 h held out in turn, as is OTHER_TIMES
DEFAULT_FORM = KineticForm.RATES
OTHER_TIMES = 0.5  # weight of the prior from neighbours, beside the posterior, at times without a sample
STRETCH, OVERLAP = 2_048, 250  # CpGs whose grids are held at once, and beyond their ends
PRIOR_SITES, PRIOR_ROUNDS = 20_000, 60  # CpGs and rounds of EM from which the prior of all CpGs is learned
CHOSEN_SITES, CHOSEN_PIECES, CHOSEN_ROUNDS = 2_000, 5, 10  # CpGs, in so many stretches, that choose what is shared
DISPERSIONS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3)
DISTANCES_BP = (100.0, 400.0, 1500.0)
WEIGHTS = (0.03, 0.1, 0.3)  # of one neighbour's weight that the prior of all CpGs has beside the neighbours
EVEN_SITES = 40.0  # CpGs' worth of even weights in the prior of all: that of few CpGs alone would be spikes
BLOCK_ROWS = 64  # CpGs whose grids stay in the processor's cache
EM_ROWS = 512  # CpGs whose weights are held at once in a round of EM: they stay in the processor's cache
Float32s = NDArray[np.float32]


class GateModel(NamedTuple):
    """What all CpGs share. elapsed : [T].   error : of conversion.   dispersion : rho, 0 for binomial reads.

    distance_bp, weight : reach of neighbours, and what the prior of all CpGs counts beside them.   prior : [G].
    evidence : nats a read of the reads that chose, without neighbours.
    """

    grid: GateGrid
    course: Course
    elapsed: Floats
    error: float
    dispersion: float
    distance_bp: float
    weight: float
    prior: Float32s
    evidence: float

    def at(self, ages: Floats) -> Floats:
        """Probability of a methylated read of every grid point at some ages, [G, A]."""
        return with_error(fractions(self.grid.points, ages, self.course), self.error)


class Stretch(NamedTuple):
    """Neighbouring CpGs of a stretch. place : their rows.   own, mixed : posterior without neighbours, prior from them.

    likely : likelihood relative to the best point, whose logarithm is `top`; [n, G] and [n].
    """

    place: slice
    own: Float32s
    mixed: Float32s
    likely: Float32s
    top: Float32s


def normal(weights: NDArray[Any]) -> Float32s:
    """Rows that sum to 1."""
    weighed: Float32s = weights / weights.sum(axis=-1, keepdims=True)
    return weighed


def normal_product(likely: Float32s, prior: Float32s) -> tuple[Float32s, Float32s]:
    """`normal(likely * prior)` [n, G] and the sums of its rows before [n]; a prior [G] is that of every row.

    A few rows at a time, which stay in the processor's cache.
    """
    found, total = np.empty_like(likely), np.empty(len(likely), np.float32)
    for first in range(0, len(likely), BLOCK_ROWS):
        rows = slice(first, first + BLOCK_ROWS)
        part = np.multiply(likely[rows], prior[rows] if prior.ndim > 1 else prior, out=found[rows])
        total[rows] = part.sum(axis=1)
        part /= total[rows, None]
    return found, total


def likelihoods(reads: SiteReads, probability: Floats, dispersion: float) -> tuple[Float32s, Float32s]:
    """Likelihood of each CpG's reads at each grid point relative to the best [n, G], and the logarithm of that [n]."""
    other = reads.covered - reads.modified
    if dispersion:
        tables = list(_count_tables(reads.modified, other, probability, dispersion))
    else:
        counts = np.concatenate([reads.modified, other], axis=1).astype(np.float32)
        by_read = np.concatenate([np.log(probability), np.log1p(-probability)], axis=1).T.astype(np.float32)
    logs = np.empty((len(reads.position), len(probability)), dtype=np.float32)
    top = np.empty(len(logs), dtype=np.float32)
    for first in range(0, len(logs), BLOCK_ROWS):
        rows = slice(first, first + BLOCK_ROWS)
        part = logs[rows]
        if dispersion:
            part[:] = 0
            for table, place in tables:
                add_rows(table, place[rows], part)
        else:
            np.matmul(counts[rows], by_read, out=part)
        top[rows] = part.max(axis=1)
        part -= top[rows, None]
        np.exp(part, out=part)
    if dispersion:
        size = (1 - dispersion) / dispersion
        top += (gammaln(size) - gammaln(size + reads.covered)).sum(axis=1)
    return logs, top


def _count_tables(
    modified: NDArray[np.int32], other: NDArray[np.int32], probability: Floats, dispersion: float
) -> Iterator[tuple[Float32s, NDArray[np.int64]]]:
    """Beta-binomial log-likelihood as a sum of terms of one count each: of the few counts there are, and whose.

    Yields [K, G] and int64 [n] of every sample, for methylated reads and for others. What is the same at all points of
    the grid is left out.
    """
    size = (1 - dispersion) / dispersion
    for sample in range(modified.shape[1]):
        chance = probability[:, sample]
        for counts, share in ((modified[:, sample], size * chance), (other[:, sample], size * (1 - chance))):
            values, place = np.unique(counts, return_inverse=True)
            table = gammaln(values[:, None] + share) - gammaln(share)
            yield table.astype(np.float32), place


def learned_prior(likely: Float32s, rounds: int) -> Float32s:
    """Weights of the grid that make the reads of all CpGs most likely, by EM from even ones; [G]."""
    prior = np.full(likely.shape[1], 1 / likely.shape[1], dtype=np.float32)
    for _ in range(rounds):
        total = np.zeros(likely.shape[1])
        for first in range(0, len(likely), EM_ROWS):
            total += normal(likely[first : first + EM_ROWS] * prior).sum(axis=0)
        prior = (total / len(likely)).astype(np.float32)
    return prior


def stretches(model: GateModel, reads: SiteReads, wanted: slice | None = None) -> Iterator[Stretch]:
    """Priors from neighbours and likelihoods of CpGs, a stretch at a time, in memory that does not grow with N.

    wanted : rows that are answered for, all where none are named; places count from the first of them. With OVERLAP
    rows on each side of them, and a multiple of STRETCH rows before them in the genome, the answer is to the bit that
    of the whole genome.
    """
    probability = model.at(model.elapsed)
    count = len(reads.position)
    offset, last = (0, count) if wanted is None else (wanted.start, wanted.stop)
    for first in range(offset, last, STRETCH):
        begin, end = max(0, first - OVERLAP), min(count, first + STRETCH + OVERLAP)
        within = reads.of(slice(begin, end))
        likely, top = likelihoods(within, probability, model.dispersion)
        own, _ = normal_product(likely, model.prior)
        sums = neighbour_sums(own, within.contig, within.position, model.distance_bp)
        stop = min(first + STRETCH, last)
        inner = slice(first - begin, stop - begin)
        mixed = normal(sums[inner] + np.float32(model.weight) * model.prior)
        yield Stretch(slice(first - offset, stop - offset), own[inner], mixed, likely[inner], top[inner])


def gate_model(reads: SiteReads, elapsed: Floats, settings: MethylationSettings) -> GateModel:
    """Learn what all CpGs share from some of reads in memory; see `learned_gates`."""
    usable = np.flatnonzero(reads.covered.sum(axis=1) > 0)
    spread = reads.of(usable[:: max(1, len(usable) // PRIOR_SITES)])
    return learned_gates(reads.of(pieces(len(reads.position))), spread, elapsed, settings)


def learned_gates(chosen: SiteReads, spread: SiteReads, elapsed: Floats, settings: MethylationSettings) -> GateModel:
    """Learn what all CpGs share, under the form that settings name; DEFAULT_FORM for 'auto'.

    chosen : whole stretches, for what neighbours decide too.   spread : CpGs with reads, evenly over all.
    """
    form = DEFAULT_FORM if settings.form is KineticForm.AUTO else settings.form
    model = _shared(chosen, elapsed, settings, form)
    likely, _ = likelihoods(spread, model.at(elapsed), model.dispersion)
    prior = (len(likely) * learned_prior(likely, PRIOR_ROUNDS) + EVEN_SITES / likely.shape[1]) / (
        len(likely) + EVEN_SITES
    )
    return _with_reach(model._replace(prior=prior.astype(np.float32)), chosen)


def pieces(count: int) -> NDArray[np.intp]:
    """Rows of a few stretches of so many CpGs, evenly spread: whole stretches, since neighbours choose too."""
    length = max(1, min(CHOSEN_SITES, count) // CHOSEN_PIECES)
    starts = np.linspace(0, max(0, count - length), CHOSEN_PIECES).astype(np.intp)
    rows = np.unique((starts[:, None] + np.arange(length)).ravel())
    return rows[rows < count]


def _shared(chosen: SiteReads, elapsed: Floats, settings: MethylationSettings, form: KineticForm) -> GateModel:
    """Course and dispersion under which the reads are most likely, in turn, the dispersion twice."""
    courses = candidates(form, elapsed)
    binomial = settings.likelihood is ReadLikelihood.BINOMIAL
    given = 0.0 if binomial else number_or_estimate(settings.dispersion, "dispersion")
    dispersions = DISPERSIONS if given is None else (given,)
    grid = gate_grid(settings)
    model = GateModel(
        grid=grid, course=courses[len(courses) // 2], elapsed=elapsed, error=settings.conversion_error,
        dispersion=dispersions[0], distance_bp=DISTANCES_BP[0], weight=WEIGHTS[0],
        prior=np.full(len(grid.rates) * len(grid.steady), 1 / (len(grid.rates) * len(grid.steady)), np.float32),
        evidence=-np.inf,
    )  # fmt: skip
    model = _most_likely([model._replace(dispersion=each) for each in dispersions], chosen)
    model = _most_likely([model._replace(course=each) for each in courses], chosen)
    return _most_likely([model._replace(dispersion=each) for each in dispersions], chosen)


def _most_likely(models: Sequence[GateModel], chosen: SiteReads) -> GateModel:
    return max((_with_evidence(each, chosen) for each in models), key=lambda each: each.evidence)


def _with_evidence(model: GateModel, chosen: SiteReads) -> GateModel:
    likely, top = likelihoods(chosen, model.at(model.elapsed), model.dispersion)
    prior = learned_prior(likely, CHOSEN_ROUNDS)
    nats = float((np.log(likely @ prior) + top).sum())
    return model._replace(prior=prior, evidence=nats / max(1, int(chosen.covered.sum())))


def _with_reach(model: GateModel, chosen: SiteReads) -> GateModel:
    """Reach of neighbours, and weight of all CpGs beside them, that predict each CpG's own reads best."""
    likely, _ = likelihoods(chosen, model.at(model.elapsed), model.dispersion)
    own = normal(likely * model.prior)
    best, found = -np.inf, (DISTANCES_BP[0], WEIGHTS[0])
    for distance in DISTANCES_BP:
        sums = neighbour_sums(own, chosen.contig, chosen.position, distance)
        for weight in WEIGHTS:
            mixed = normal(sums + np.float32(weight) * model.prior)
            nats = float(np.log((mixed * likely).sum(axis=1)).sum())
            if nats > best:
                best, found = nats, (distance, weight)
    return model._replace(distance_bp=found[0], weight=found[1])


def kinetic_posterior(model: GateModel, reads: SiteReads, wanted: slice | None = None) -> Iterator[SitePosterior]:
    """Posterior over the grid of every CpG, as the pooled model gives it.   wanted : as `stretches` takes it.

    For other times it is averaged with the prior from the neighbours: what one sample at one CpG departs from its
    course is no kinetics, and misleads there.
    """
    for stretch in stretches(model, reads, wanted):
        weights, total = normal_product(stretch.likely, stretch.mixed)
        yield SitePosterior(
            rows=torch.arange(stretch.place.start, stretch.place.stop),
            prior=torch.from_numpy(stretch.mixed),
            posterior=torch.from_numpy(weights),
            other_times=torch.from_numpy((1 - OTHER_TIMES) * weights + OTHER_TIMES * stretch.mixed),
            evidence=torch.from_numpy(np.log(total) + stretch.top),
            dispersion=torch.tensor(model.dispersion) if model.dispersion else None,
        )


def kinetic_probabilities(model: GateModel, reads: SiteReads, ages: Floats, *, own_samples: bool) -> ReadProbabilities:
    """Probability of a methylated read of each CpG at each age. own_samples : the ages are those of the samples."""
    return predicted_reads(kinetic_posterior(model, reads), reads, model.at(ages), own_samples=own_samples)


def network_course(reads: SiteReads, elapsed: Floats, settings: MethylationSettings) -> Course:
    """Course of the pooled model: the single form, unless another is asked for."""
    if settings.form in {KineticForm.AUTO, KineticForm.SINGLE}:
        return Course()
    return gate_model(reads, elapsed, settings).course

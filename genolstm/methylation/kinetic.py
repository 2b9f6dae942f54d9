"""The kinetic model: each CpG's gates under a prior that is mixed from its neighbours' gates, then its own reads.

No network: empirical Bayes on a grid of gates (Robbins 1956). What all CpGs share (course, dispersion, how far
neighbours reach) is the one under which the reads of the samples at hand are most likely, so that nothing is chosen on
a time that is held out.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import gammaln

from genolstm.methylation.coupled import NEARBY_BP, coupled_states, nearby, steps_to
from genolstm.methylation.grid import (
    PROBABILITY_EDGE,
    Float32s,
    GateGrid,
    fractions,
    gate_grid,
    learned_prior,
    mean_over,
    normal,
    with_error,
)  # fmt: skip
from genolstm.methylation.grid_kernels import add_rows
from genolstm.methylation.kinetic_form import Course, candidates
from genolstm.methylation.likelihood import Floats
from genolstm.methylation.neighbourhood import SiteReads, neighbour_sums
from genolstm.methylation.pooled import ReadProbabilities, SitePosterior, predicted_reads
from genolstm.methylation.sample_effects import EffectFit, fit_effects, with_effects
from genolstm.methylation.sharing import Sharing, own_power, shared_with_neighbours, sharing_of
from genolstm.settings.methylation import KineticForm, MethylationSettings, ReadLikelihood, number_or_estimate

# chosen on the first half of chr21 (Charlton 2018), 10,000 CpGs, 1 h, 4 h and 16 h held out in turn
DEFAULT_FORM = KineticForm.TWO_POOLS
NEARBY_FORM = KineticForm.RATES  # that tells the course of the neighbours for the coupled form
# weight of the prior from neighbours, beside the posterior, at times without a sample; chosen there too
OTHER_TIMES = 0.25
STRETCH, OVERLAP = 2_048, 250  # CpGs whose grids are held at once, and beyond their ends
PRIOR_SITES, PRIOR_ROUNDS = 20_000, 60  # CpGs and rounds of EM from which the prior of all CpGs is learned
CHOSEN_SITES, CHOSEN_PIECES, CHOSEN_ROUNDS = 2_000, 5, 10  # CpGs, in so many stretches, that choose what is shared
DISPERSIONS = (0.003, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3)
DISTANCES_BP = (100.0, 400.0, 1500.0)
WEIGHTS = (0.03, 0.1, 0.3)  # of one neighbour's weight that the prior of all CpGs has beside the neighbours
EFFECT_SITES = 3_000  # CpGs from which effects of samples are fitted
NEARBY_WEIGHT, CLASSES = 0.2, 12  # of the coupled form: weight of all CpGs beside neighbours, kinds of surroundings
EVEN_SITES = 40.0  # CpGs' worth of even weights in the prior of all: that of few CpGs alone would be spikes
BLOCK_ROWS = 64  # CpGs whose grids stay in the processor's cache


class Surroundings(NamedTuple):
    """Classes of CpGs by the course of the methylated fraction near them, which the coupled form needs.

    plain : model without coupling that tells the course of each CpG.   steps : ages [S].   near : [C, S], mean course
    nearby of each class, the least methylated first.   near_steady : [C], what it reaches.   mean : [S + 1], of all
    CpGs, so that those of a stretch are told alike wherever it ends.
    """

    plain: "GateModel"
    steps: Floats
    near: Floats
    near_steady: Floats
    mean: Floats

    def nearby(self, reads: SiteReads) -> Floats:
        """Methylated fraction near each CpG at every step and at last, its own reads left out; [N, S + 1]."""
        courses = self.courses(reads)
        return nearby(courses, reads.contig, reads.position, NEARBY_BP, least=NEARBY_WEIGHT, mean=self.mean)

    def courses(self, reads: SiteReads) -> Floats:
        """Course of each CpG itself by the model without coupling, [N, S + 1]."""
        likely, _ = self.plain.likelihoods(reads)
        own, _ = normal_product(likely, self.plain.prior)
        found: Floats = own @ np.append(self.plain.at(self.steps), self.plain.grid.points[1][:, None], axis=1)
        return found

    def classes(self, reads: SiteReads) -> NDArray[np.intp]:
        """Class whose course is nearest on the whole, [N]."""
        level, middle = self.nearby(reads)[:, :-1].mean(axis=1), self.near.mean(axis=1)
        return np.asarray(np.searchsorted((middle[1:] + middle[:-1]) / 2, level), dtype=np.intp)

    def states(self, points: tuple[Floats, Floats], ages: Floats, recruitment: float) -> Floats:
        """Methylation of pairs of gates [G] in each class at some ages, [C, G, A]."""
        steps = np.unique(np.concatenate([self.steps, ages]))
        near = np.stack([np.interp(steps, self.steps, each) for each in self.near])
        states = coupled_states(*points, near[:, None], self.near_steady[:, None], steps, recruitment)
        found: Floats = states[..., np.searchsorted(steps, ages)]
        return found


class GateModel(NamedTuple):
    """What all CpGs share. elapsed : [T].   error : of conversion.   dispersion : rho, 0 for binomial reads.

    distance_bp, weight : reach of neighbours, and what the prior of all CpGs counts beside them.   prior : [G].
    evidence : nats a read of the reads that chose, without neighbours.   sharing : of molecules, with neighbours.
    effects : of the samples, where they were asked for.   near : of the coupled form, classes of surroundings.
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
    sharing: Sharing = Sharing()
    effects: EffectFit | None = None
    near: Surroundings | None = None

    def at(self, ages: Floats) -> Floats:
        """Probability of a methylated read of every grid point at some ages, [G, A]; [C, G, A] by class of `near`."""
        if self.near is not None:
            return with_error(self.near.states(self.grid.points, ages, self.course.parameter), self.error)
        return with_error(fractions(self.grid.points, ages, self.course), self.error)

    def at_samples(self) -> Floats:
        """The same of the samples, with what each adds at once; [G, T]."""
        if self.effects is None:
            return self.at(self.elapsed)
        effects = self.effects.effects
        states = fractions(self.grid.points, np.maximum(effects.age + effects.age_shift, 0), self.course)
        chances = with_effects(states, self.grid.points[1][:, None], effects, self.error)
        return np.clip(chances, PROBABILITY_EDGE, 1 - PROBABILITY_EDGE)

    def classes(self, reads: SiteReads) -> NDArray[np.intp] | None:
        """Class of the surroundings of each CpG, [N]; None where there are none."""
        return None if self.near is None else self.near.classes(reads)

    def likelihoods(self, reads: SiteReads) -> tuple[Float32s, Float32s]:
        """Likelihood of each CpG's reads at each grid point relative to the best [n, G], and the log of that [n]."""
        return likelihoods(reads, self.at_samples(), self.dispersion, self.classes(reads))


class Stretch(NamedTuple):
    """Neighbouring CpGs of a stretch. place : their rows.   own, mixed : posterior without neighbours, prior from them.

    likely : likelihood relative to the best point, whose logarithm is `top`; [n, G] and [n].   total : [n], its
    mean by `mixed`.
    posterior : by the prior from the neighbours and as much of the likelihood as they do not share; [n, G].
    classes : of surroundings, [n] or None.
    """

    place: slice
    own: Float32s
    mixed: Float32s
    likely: Float32s
    top: Float32s
    total: Float32s
    posterior: Float32s
    classes: NDArray[np.intp] | None


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


def likelihoods(
    reads: SiteReads, probability: Floats, dispersion: float, classes: NDArray[np.intp] | None = None
) -> tuple[Float32s, Float32s]:
    """Likelihood of each CpG's reads at each grid point relative to the best [n, G], and the logarithm of that [n].

    probability : [G, T]; with classes of CpGs [n] it is that of each, [C, G, T].
    """
    if classes is not None:
        likely = np.empty((len(classes), probability.shape[1]), np.float32)
        best = np.empty(len(classes), np.float32)
        for each in np.unique(classes):
            mine = np.flatnonzero(classes == each)
            likely[mine], best[mine] = likelihoods(reads.of(mine), probability[each], dispersion)
        return likely, best
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


def stretches(model: GateModel, reads: SiteReads, wanted: slice | None = None) -> Iterator[Stretch]:
    """Priors from neighbours and likelihoods of CpGs, a stretch at a time, in memory that does not grow with N.

    wanted : rows that are answered for, all where none are named; places count from the first of them. With OVERLAP
    rows on each side of them, and a multiple of STRETCH rows before them in the genome, the answer is to the bit that
    of the whole genome.
    """
    probability = model.at_samples()
    count = len(reads.position)
    offset, last = (0, count) if wanted is None else (wanted.start, wanted.stop)
    for first in range(offset, last, STRETCH):
        begin, end = max(0, first - OVERLAP), min(count, first + STRETCH + OVERLAP)
        within = reads.of(slice(begin, end))
        classes = model.classes(within)
        likely, top = likelihoods(within, probability, model.dispersion, classes)
        own, _ = normal_product(likely, model.prior)
        sums = neighbour_sums(own, within.contig, within.position, model.distance_bp)
        stop = min(first + STRETCH, last)
        inner = slice(first - begin, stop - begin)
        mixed, likely = normal(sums[inner] + np.float32(model.weight) * model.prior), likely[inner]
        posterior, total = normal_product(likely, mixed)
        if model.sharing.fraction:
            place = within.contig, within.position
            shared = shared_with_neighbours(model.sharing, *place, model.distance_bp, model.weight)[inner]
            posterior, _ = normal_product(likely ** _power(shared, mixed, likely, model.grid)[:, None], mixed)
        yield Stretch(
            place=slice(first - offset, stop - offset), own=own[inner], mixed=mixed, likely=likely, top=top[inner],
            total=total, posterior=posterior, classes=None if classes is None else classes[inner],
        )  # fmt: skip


def _power(shared: Floats, mixed: Float32s, likely: Float32s, grid: GateGrid) -> Float32s:
    """What of each CpG's own likelihood is left to count; [n]. The prior is wider by the mean over ln k and g."""
    rate, steady = grid.points
    moments = np.stack([np.log(rate), np.log(rate) ** 2, steady, steady**2], axis=1).astype(np.float32)
    by_prior, by_reads = (normal(each) @ moments for each in (mixed, likely))
    spread = [np.maximum(each[:, 1::2] - each[:, ::2] ** 2, 1e-6) for each in (by_prior, by_reads)]
    wider = np.maximum(spread[0] / spread[1] - 1, 0).mean(axis=1)
    return own_power(shared, wider.astype(np.float64)).astype(np.float32)


def gate_model(reads: SiteReads, elapsed: Floats, settings: MethylationSettings) -> GateModel:
    """Learn what all CpGs share from some of reads in memory; see `learned_gates`."""
    count = len(reads.position)
    if settings.form is KineticForm.COUPLED:
        spread = reads.of(pieces(count, PRIOR_SITES))
    else:
        usable = np.flatnonzero(reads.covered.sum(axis=1) > 0)
        spread = reads.of(usable[:: max(1, len(usable) // PRIOR_SITES)])
    return learned_gates(reads.of(pieces(count)), spread, elapsed, settings)


def learned_gates(chosen: SiteReads, spread: SiteReads, elapsed: Floats, settings: MethylationSettings) -> GateModel:
    """Learn what all CpGs share, under the form that settings name; DEFAULT_FORM for 'auto'.

    chosen : whole stretches, for what neighbours decide too.   spread : CpGs with reads, evenly over all; more whole
    stretches for the coupled form, where the neighbours tell the class of each.
    Raises UsageError for effects of samples that the reads cannot tell, as `fit_effects`.
    """
    form = DEFAULT_FORM if settings.form is KineticForm.AUTO else settings.form
    if form is KineticForm.COUPLED:
        model = _coupled(chosen, spread, elapsed, settings)
    else:
        model = _shared(chosen, elapsed, settings, form)
        if settings.sample_effects:
            model = _with_effects(model, chosen, spread, settings)
    return _with_prior(model, chosen, spread)


def _with_prior(model: GateModel, chosen: SiteReads, spread: SiteReads) -> GateModel:
    """With the prior of all CpGs, the reach of neighbours and what CpGs share with them."""
    likely, _ = model.likelihoods(spread)
    prior = (len(likely) * learned_prior(likely, PRIOR_ROUNDS) + EVEN_SITES / likely.shape[1]) / (
        len(likely) + EVEN_SITES
    )
    return _with_reach(model._replace(prior=prior.astype(np.float32)), chosen)


def _with_effects(model: GateModel, chosen: SiteReads, spread: SiteReads, settings: MethylationSettings) -> GateModel:
    """With effects of the samples, the course's number as fitted with them, and the dispersion that is then left."""
    some = spread.of(slice(None, None, max(1, len(spread.position) // EFFECT_SITES)))
    effects = fit_effects(some, model.elapsed, settings, model.course, model.dispersion)
    model = model._replace(effects=effects, course=model.course._replace(parameter=effects.number))
    return _most_likely([model._replace(dispersion=each) for each in _dispersions(settings)], chosen)


def _coupled(chosen: SiteReads, spread: SiteReads, elapsed: Floats, settings: MethylationSettings) -> GateModel:
    """The coupled form: surroundings by the uncoupled model, then the recruitment by likelihood."""
    plain = _with_prior(_shared(chosen, elapsed, settings, NEARBY_FORM), chosen, spread)
    near = surroundings_of(plain, chosen)
    single = plain._replace(near=near, sharing=Sharing())
    model = _most_likely([single._replace(course=each) for each in candidates(KineticForm.COUPLED, elapsed)], chosen)
    return _most_likely([model._replace(dispersion=each) for each in _dispersions(settings)], chosen)


def surroundings_of(plain: GateModel, chosen: SiteReads) -> Surroundings:
    """Classes with as many of the chosen CpGs each."""
    steps = steps_to(plain.elapsed)
    found = Surroundings(plain, steps, np.zeros((0, len(steps))), np.zeros(0), np.zeros(len(steps) + 1))
    found = found._replace(mean=found.courses(chosen).mean(axis=0))
    near = found.nearby(chosen)
    parts = np.array_split(np.argsort(near[:, :-1].mean(axis=1), kind="stable"), min(CLASSES, len(near)))
    middle = np.stack([near[part].mean(axis=0) for part in parts])
    return found._replace(near=middle[:, :-1], near_steady=middle[:, -1])


def pieces(count: int, wanted: int = CHOSEN_SITES) -> NDArray[np.intp]:
    """Rows of a few stretches of so many CpGs, evenly spread: whole stretches, since neighbours choose too."""
    length = max(1, min(wanted, count) // CHOSEN_PIECES)
    starts = np.linspace(0, max(0, count - length), CHOSEN_PIECES).astype(np.intp)
    rows = np.unique((starts[:, None] + np.arange(length)).ravel())
    return rows[rows < count]


def _shared(chosen: SiteReads, elapsed: Floats, settings: MethylationSettings, form: KineticForm) -> GateModel:
    """Course and dispersion under which the reads are most likely, in turn, the dispersion twice."""
    courses, dispersions = candidates(form, elapsed), _dispersions(settings)
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


def _dispersions(settings: MethylationSettings) -> tuple[float, ...]:
    """Those to choose from, or the one given."""
    binomial = settings.likelihood is ReadLikelihood.BINOMIAL
    given = 0.0 if binomial else number_or_estimate(settings.dispersion, "dispersion")
    return DISPERSIONS if given is None else (given,)


def _most_likely(models: Sequence[GateModel], chosen: SiteReads) -> GateModel:
    return max((_with_evidence(each, chosen) for each in models), key=lambda each: each.evidence)


def _with_evidence(model: GateModel, chosen: SiteReads) -> GateModel:
    likely, top = model.likelihoods(chosen)
    prior = learned_prior(likely, CHOSEN_ROUNDS)
    nats = float((np.log(likely @ prior) + top).sum())
    return model._replace(prior=prior, evidence=nats / max(1, int(chosen.covered.sum())))


def _with_reach(model: GateModel, chosen: SiteReads) -> GateModel:
    """Reach of neighbours, and weight of all CpGs beside them, that predict each CpG's own reads best."""
    likely, _ = model.likelihoods(chosen)
    own = normal(likely * model.prior)
    best, found = -np.inf, (DISTANCES_BP[0], WEIGHTS[0])
    for distance in DISTANCES_BP:
        sums = neighbour_sums(own, chosen.contig, chosen.position, distance)
        for weight in WEIGHTS:
            mixed = normal(sums + np.float32(weight) * model.prior)
            nats = float(np.log((mixed * likely).sum(axis=1)).sum())
            if nats > best:
                best, found = nats, (distance, weight)
    sums = neighbour_sums(own, chosen.contig, chosen.position, found[0])
    weights = normal(normal(sums + np.float32(found[1]) * model.prior) * likely)
    expected = mean_over(weights, model.at_samples(), model.classes(chosen))
    sharing = sharing_of(chosen, expected, model.dispersion)
    return model._replace(distance_bp=found[0], weight=found[1], sharing=sharing)


def kinetic_posterior(model: GateModel, reads: SiteReads, wanted: slice | None = None) -> Iterator[SitePosterior]:
    """Posterior over the grid of every CpG, as the pooled model gives it.   wanted : as `stretches` takes it.

    For other times it is averaged with the prior from the neighbours: what one sample at one CpG departs from its
    course is no kinetics, and misleads there.
    """
    for stretch in stretches(model, reads, wanted):
        untempered = stretch.mixed * stretch.likely / stretch.total[:, None]
        yield SitePosterior(
            rows=torch.arange(stretch.place.start, stretch.place.stop),
            prior=torch.from_numpy(stretch.mixed),
            posterior=torch.from_numpy(stretch.posterior),
            other_times=torch.from_numpy(
                np.float32(1 - OTHER_TIMES) * untempered + np.float32(OTHER_TIMES) * stretch.mixed
            ),
            evidence=torch.from_numpy(np.log(stretch.total) + stretch.top),
            dispersion=torch.tensor(model.dispersion) if model.dispersion else None,
            classes=stretch.classes,
        )


def kinetic_probabilities(model: GateModel, reads: SiteReads, ages: Floats, *, own_samples: bool) -> ReadProbabilities:
    """Probability of a methylated read of each CpG at each age. own_samples : the ages are those of the samples."""
    chances = model.at_samples() if own_samples else model.at(ages)
    return predicted_reads(kinetic_posterior(model, reads), reads, chances, own_samples=own_samples)


def network_course(reads: SiteReads, elapsed: Floats, settings: MethylationSettings) -> Course:
    """Course of the pooled model: the single form, unless another is asked for."""
    if settings.form in {KineticForm.AUTO, KineticForm.SINGLE}:
        return Course()
    return gate_model(reads, elapsed, settings).course

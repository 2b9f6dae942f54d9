"""From counts to a fit that can be stored, by the site, the pooled or the kinetic model."""

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import norm

from genolstm.errors import InputError, UsageError
from genolstm.methylation.coupled import NEARBY_BP, stretch_course
from genolstm.methylation.dispersion import (
    SAMPLED_SITES,
    dispersion_of,
    estimate_dispersion,
    estimates_dispersion,
    known_dispersion,
)  # fmt: skip
from genolstm.methylation.grid import fractions
from genolstm.methylation.held_out import check_coupled
from genolstm.methylation.kinetic import (
    OVERLAP,
    PRIOR_SITES,
    GateModel,
    kinetic_posterior,
    learned_gates,
    network_course,
    pieces,
)  # fmt: skip
from genolstm.methylation.kinetic_form import Course, course_of
from genolstm.methylation.likelihood import ReadModel
from genolstm.methylation.neighbourhood import SiteReads
from genolstm.methylation.pooled import SitePosterior, train_pooled
from genolstm.methylation.pooled import posterior as site_posteriors
from genolstm.methylation.pooled_fit import summarise
from genolstm.methylation.samples import by_age
from genolstm.methylation.site_fit import CHUNK_SITES, Flag, SiteFit, fit_sites, read_model
from genolstm.methylation.trajectory import trajectory
from genolstm.settings.methylation import (
    FitModel,
    KineticForm,
    MethylationSettings,
    PooledSettings,
    ReadLikelihood,
    StartState,
)  # fmt: skip
from genolstm.store.counts import Counts, CountTable, stacked
from genolstm.store.files import Records
from genolstm.store.methylation import HeldOutScore, MethylationFit, Posterior

TILE_SITES = 8 * CHUNK_SITES  # also 32 * STRETCH: a tile is worked on in the very pieces that the whole would be
LEARNED_FROM = "learned_from_sites"
MOST_STEPPED = 2_000  # CpGs of a coupled fit, or of a tile of it, whose states are looked at, the first

log = logging.getLogger(__name__)


class Common(NamedTuple):
    """What all CpGs share, learned once from some of them.

    gates : of the kinetic model.   likelihood : of the site model.   numbers : as the file keeps them.
    """

    course: Course
    gates: GateModel | None
    likelihood: ReadModel | None
    numbers: dict[str, float]


def fit_counts(
    counts: Counts,
    settings: MethylationSettings,
    pooled: PooledSettings,
    *,
    extra: NDArray[np.float32] | None = None,
    threads: int = 1,
    held_out: tuple[HeldOutScore, ...] = (),
    progress: Callable[[float, int], None] | None = None,
) -> MethylationFit:
    """Fit the cell to every CpG of counts in memory. Raises InputError as `by_age`, UsageError as `check_pooled`.

    extra : [N, X], more inputs of the pooled model at each CpG.   `tiles.fitted_tiles` gives the same in pieces.
    """
    by_age(counts, settings.times)
    check_pooled(settings)
    if settings.model is FitModel.POOLED:
        reads = site_reads(counts)
        course = network_course(reads, np.array(settings.elapsed), settings)
        model = train_pooled(*reads, settings, pooled, extra=extra, course=course, progress=progress)
        dispersion = dispersion_of(counts.modified, counts.covered, settings)
        if settings.likelihood is ReadLikelihood.BETA_BINOMIAL:
            dispersion = float(np.mean([float(rho) for rho in model.dispersion if rho is not None] or [0.0]))
        fit, posterior = summarise(site_posteriors(model), model.grid, counts.covered, settings, pooled.draws)
        common = Common(course, None, None, {"dispersion": dispersion})
        return record(counts, fit, posterior, settings, held_out, common)
    common = learned(counts, settings)
    found = fit_part(counts, 0, len(counts), common, settings, pooled, threads=threads, progress=progress)
    return record(counts, *found, settings, held_out, common)


def site_reads(counts: Counts) -> SiteReads:
    """What the kinetic and the pooled model learn from."""
    return SiteReads(counts.contig, counts.position, counts.modified, counts.covered)


def learned(table: CountTable, settings: MethylationSettings) -> Common:
    """Learn what all CpGs share, for the site and the kinetic model, from CpGs that are spread evenly over all.

    Memory does not grow with the table, which is read twice where anything is learned. Raises InputError for a kinetic
    model of no reads, UsageError as `learned_gates` and, for the coupled form, `check_coupled`.
    """
    elapsed = np.array(settings.elapsed)
    if settings.model is FitModel.KINETIC:
        chosen = site_reads(_rows(table, pieces(len(table))))
        if settings.form is KineticForm.COUPLED:
            check_coupled(chosen, settings)
            spread = _rows(table, pieces(len(table), PRIOR_SITES))
        else:
            spread = _evenly(table, 1, PRIOR_SITES)
        if not len(spread):
            raise InputError("the counts hold no reads, so that the kinetic model has nothing to learn from.")
        gates = learned_gates(chosen, site_reads(spread), elapsed, settings)
        for line in gates.effects.lines(table.samples) if gates.effects else ():
            log.info("%s", line)
        shared = {
            "neighbour_bp": gates.distance_bp, "prior_weight": gates.weight, "evidence": gates.evidence,
            "shared_noise": gates.sharing.fraction, "shared_noise_bp": gates.sharing.distance_bp,
        }  # fmt: skip
        if gates.effects:
            shared["clock_sd"] = gates.effects.clock_sd
        numbers = {"dispersion": gates.dispersion, LEARNED_FROM: float(len(spread)), **shared}
        return Common(gates.course, gates, None, numbers)
    if estimates_dispersion(settings):
        spread = _evenly(table, settings.min_reads, SAMPLED_SITES)
        dispersion = estimate_dispersion(spread.modified, spread.covered, settings)
        numbers = {"dispersion": dispersion, LEARNED_FROM: float(len(spread))}
    else:
        dispersion = known_dispersion(settings)
        numbers = {"dispersion": dispersion}
    return Common(Course(), None, read_model(settings, dispersion), numbers)


def parts_of(table: CountTable, sites: int = TILE_SITES) -> Iterator[Counts]:
    """All sites, so many at a time."""
    return (table.part(first, min(first + sites, len(table))) for first in range(0, len(table), sites))


def sample_reads(table: CountTable) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Methylated and all reads of each sample, [S] each."""
    sums = np.zeros((2, len(table.samples)), np.int64)
    for part in parts_of(table):
        sums += part.modified.sum(axis=0, dtype=np.int64), part.covered.sum(axis=0, dtype=np.int64)
    return sums[0], sums[1]


def contigs_used(table: CountTable) -> list[str]:
    """Names of the contigs that have sites, in genome order."""
    used = set().union(*(np.unique(part.contig).tolist() for part in parts_of(table)))
    return [table.contigs[index] for index in sorted(used)]


def _evenly(table: CountTable, least_reads: int, wanted: int) -> Counts:
    """Every n-th of the CpGs with so many reads, so that there are the number wanted, or less than twice as many."""
    usable = sum(int((part.covered.sum(axis=1) >= least_reads).sum()) for part in parts_of(table))
    step, met, kept = max(1, usable // wanted), 0, []
    for part in parts_of(table):
        rows = np.flatnonzero(part.covered.sum(axis=1) >= least_reads)
        kept.append(part.at(rows[-met % step :: step]))
        met += len(rows)
    return stacked(kept) if kept else table.part(0, 0)


def _rows(table: CountTable, rows: NDArray[np.intp]) -> Counts:
    """Some CpGs, read as the few stretches that they are."""
    breaks = np.flatnonzero(np.diff(rows) > 1) + 1
    runs = [run for run in np.split(rows, breaks) if run.size]
    return stacked([table.part(int(run[0]), int(run[-1]) + 1) for run in runs]) if runs else table.part(0, 0)


def fit_part(
    table: CountTable,
    first: int,
    end: int,
    common: Common,
    settings: MethylationSettings,
    pooled: PooledSettings,
    *,
    threads: int = 1,
    progress: Callable[[float, int], None] | None = None,
) -> tuple[SiteFit, Posterior | None]:
    """Fit the CpGs from row `first`, a multiple of TILE_SITES, to before `end`: to the bit as all at once."""
    if common.gates is None:
        if common.likelihood is None:
            raise ValueError("the pooled model is not fitted in parts")
        part = table.part(first, end)
        fit = fit_sites(part.modified, part.covered, settings, common.likelihood, threads=threads, progress=progress)
        return fit, None
    begin, stop = max(0, first - OVERLAP), min(len(table), end + OVERLAP)
    around, wanted = site_reads(table.part(begin, stop)), slice(first - begin, end - begin)
    posteriors = _shown(kinetic_posterior(common.gates, around, wanted), end - first, progress)
    fit, posterior = summarise(posteriors, common.gates.grid, around.covered[wanted], settings, pooled.draws)
    if common.gates.effects:
        fit = _with_clock(fit, common.gates.effects.clock_sd, settings.level)
    return fit, posterior


def _shown(
    posteriors: Iterable[SitePosterior], sites: int, progress: Callable[[float, int], None] | None
) -> Iterator[SitePosterior]:
    """Posteriors, and progress as they go by."""
    done = 0
    for each in posteriors:
        yield each
        done += len(each.rows)
        if progress:
            progress(done / sites, done)


def _with_clock(fit: SiteFit, clock_sd: float, level: float) -> SiteFit:
    """With intervals of k that allow for ages that are all a little off."""
    wide = norm.ppf((1 + level) / 2) * clock_sd
    ends = [np.hypot(np.log(end / fit.rate), wide) for end in (fit.rate_low, fit.rate_high)]
    return fit._replace(rate_low=fit.rate * np.exp(-ends[0]), rate_high=fit.rate * np.exp(ends[1]))


def check_pooled(settings: MethylationSettings) -> None:
    """Raise UsageError for what the pooled and the kinetic model cannot do."""
    if settings.model is not FitModel.SITE and settings.start is StartState.FREE:
        raise UsageError(f"the {settings.model} model knows nascent strands only: use --start zero, or --model site.")


def record(
    counts: Counts,
    fit: SiteFit,
    posterior: Posterior | None,
    settings: MethylationSettings,
    held_out: tuple[HeldOutScore, ...],
    common: Common,
) -> MethylationFit:
    """A fit as a file keeps it; counts : those that were fitted."""
    bounds = {name: float(getattr(settings, name)) for name in BOUNDS}
    course = common.course
    life, shortest, longest = (course.half_life(rate) for rate in (fit.rate, fit.rate_high, fit.rate_low))
    return MethylationFit(
        contigs=counts.contigs, contig=counts.contig, position=counts.position, strand=counts.strand,
        modified=counts.modified, covered=counts.covered, samples=counts.samples,
        unit=str(settings.unit), elapsed=np.array(settings.elapsed), model=str(settings.model),
        free_start=settings.start is StartState.FREE,
        numbers={**bounds, **common.numbers, "form_parameter": course.parameter}, form=str(course.form),
        flag_names={str(flag.name).lower(): int(flag) for flag in Flag},
        half_life=life, half_life_low=shortest, half_life_high=longest,
        posterior=posterior, held_out=held_out, **fit._asdict(),
    )  # fmt: skip


BOUNDS = ("rate_low", "rate_high", "steady_low", "steady_high", "level", "time_offset", "conversion_error")


def states_outside(fit: MethylationFit) -> int:
    """How many states of the fit, stepped by the cell at the samples' ages, a clamp would have had to pull back: 0."""
    known = np.isfinite(fit.rate)
    course = course_of(fit)
    if course.form is KineticForm.COUPLED:
        known &= np.cumsum(known) <= MOST_STEPPED
        gates, place = (fit.rate[known], fit.steady[known]), (fit.contig[known], fit.position[known])
        among = stretch_course(gates, *place, fit.elapsed, course.parameter, NEARBY_BP).at(fit.elapsed)
        return int(((among < 0) | (among > 1)).sum())
    if course.form is not KineticForm.SINGLE:
        mixed = fractions((fit.rate[known], fit.steady[known]), fit.elapsed, course)
        return int(((mixed < 0) | (mixed > 1)).sum())
    rate, steady, start = (torch.from_numpy(column[known]) for column in (fit.rate, fit.steady, fit.start))
    states = trajectory(rate, steady, start, torch.from_numpy(fit.elapsed))
    return int(((states < 0) | (states > 1)).sum())


def log_likelihood_per_read(fit: MethylationFit) -> float:
    """Mean over all reads that were fitted, in nats; NaN without any."""
    fitted = np.isfinite(fit.log_likelihood)
    reads = int(fit.reads[fitted].sum())
    return float(fit.log_likelihood[fitted].sum()) / reads if reads else float("nan")


def site_records(fit: MethylationFit) -> Records:
    """How many sites there were, how many were fitted, and why the others were not."""
    fitted = np.isfinite(fit.rate)
    reasons = {"sites without reads": ~fitted & (fit.reads == 0), "sites that no rate fits": ~fitted & (fit.reads > 0)}
    skipped = {reason: int(sites.sum()) for reason, sites in reasons.items() if sites.any()}
    return Records(read=len(fit), used=int(fitted.sum()), skipped=skipped)

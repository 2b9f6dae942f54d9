"""From counts to a fit that can be stored, by the site, the pooled or the kinetic model."""

import logging
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import norm

from genolstm.errors import UsageError
from genolstm.methylation.coupled import NEARBY_BP, stretch_course
from genolstm.methylation.dispersion import dispersion_of
from genolstm.methylation.grid import fractions
from genolstm.methylation.held_out import check_coupled
from genolstm.methylation.kinetic import gate_model, kinetic_posterior, network_course
from genolstm.methylation.kinetic_form import Course, course_of
from genolstm.methylation.neighbourhood import SiteReads
from genolstm.methylation.pooled import SitePosterior, train_pooled
from genolstm.methylation.pooled import posterior as site_posteriors
from genolstm.methylation.pooled_fit import summarise
from genolstm.methylation.samples import by_age
from genolstm.methylation.site_fit import Flag, SiteFit, fit_sites, read_model
from genolstm.methylation.trajectory import trajectory
from genolstm.settings.methylation import (
    FitModel,
    KineticForm,
    MethylationSettings,
    PooledSettings,
    ReadLikelihood,
    StartState,
)  # fmt: skip
from genolstm.store.counts import Counts
from genolstm.store.files import Records
from genolstm.store.methylation import HeldOutScore, MethylationFit, Posterior


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
    """Fit the cell to every CpG. Raises InputError as `by_age`, UsageError as `check_pooled`.

    extra : [N, X], more inputs of the pooled model at each CpG.
    """
    by_age(counts, settings.times)
    dispersion = dispersion_of(counts.modified, counts.covered, settings)
    posterior: Posterior | None = None
    course, shared = Course(), {}
    reads = SiteReads(counts.contig, counts.position, counts.modified, counts.covered)
    check_pooled(settings)
    if settings.form is KineticForm.COUPLED:
        check_coupled(reads, settings)
    if settings.model is FitModel.KINETIC:
        gates = gate_model(reads, np.array(settings.elapsed), settings)
        course, dispersion = gates.course, gates.dispersion
        shared = {
            "neighbour_bp": gates.distance_bp, "prior_weight": gates.weight, "evidence": gates.evidence,
            "shared_noise": gates.sharing.fraction, "shared_noise_bp": gates.sharing.distance_bp,
        }  # fmt: skip
        shown = _shown(kinetic_posterior(gates, reads), len(counts), progress)
        fit, posterior = summarise(shown, gates.grid, counts.covered, settings, pooled.draws)
        if gates.effects:
            shared["clock_sd"] = gates.effects.clock_sd
            fit = _with_clock(fit, gates.effects.clock_sd, settings.level)
            for line in gates.effects.lines(counts.samples):
                log.info("%s", line)
    elif settings.model is FitModel.POOLED:
        course = network_course(reads, np.array(settings.elapsed), settings)
        model = train_pooled(*reads, settings, pooled, extra=extra, course=course, progress=progress)
        if settings.likelihood is ReadLikelihood.BETA_BINOMIAL:
            dispersion = float(np.mean([float(rho) for rho in model.dispersion if rho is not None] or [0.0]))
        fit, posterior = summarise(site_posteriors(model), model.grid, counts.covered, settings, pooled.draws)
    else:
        likelihood = read_model(settings, dispersion)
        fit = fit_sites(counts.modified, counts.covered, settings, likelihood, threads=threads, progress=progress)
    return _record(
        counts,
        fit,
        posterior,
        settings,
        held_out,
        course,
        {"conversion_error": settings.conversion_error, "dispersion": dispersion, **shared},
    )


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


def _record(
    counts: Counts,
    fit: SiteFit,
    posterior: Posterior | None,
    settings: MethylationSettings,
    held_out: tuple[HeldOutScore, ...],
    course: Course,
    common: dict[str, float],
) -> MethylationFit:
    bounds = {name: float(getattr(settings, name)) for name in BOUNDS}
    life, shortest, longest = (course.half_life(rate) for rate in (fit.rate, fit.rate_high, fit.rate_low))
    return MethylationFit(
        contigs=counts.contigs, contig=counts.contig, position=counts.position, strand=counts.strand,
        modified=counts.modified, covered=counts.covered, samples=counts.samples,
        unit=str(settings.unit), elapsed=np.array(settings.elapsed), model=str(settings.model),
        free_start=settings.start is StartState.FREE,
        numbers={**bounds, **common, "form_parameter": course.parameter}, form=str(course.form),
        flag_names={str(flag.name).lower(): int(flag) for flag in Flag},
        half_life=life, half_life_low=shortest, half_life_high=longest,
        posterior=posterior, held_out=held_out, **fit._asdict(),
    )  # fmt: skip


log = logging.getLogger(__name__)
BOUNDS = ("rate_low", "rate_high", "steady_low", "steady_high", "level", "time_offset")


MOST_STEPPED = 2_000  # CpGs of a coupled fit whose states are looked at, the first


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

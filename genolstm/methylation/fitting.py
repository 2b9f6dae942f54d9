"""From counts to a fit that can be stored, by the site or the pooled model."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from genolstm.errors import UsageError
from genolstm.methylation.dispersion import dispersion_of
from genolstm.methylation.pooled import train_pooled
from genolstm.methylation.pooled_fit import summarise
from genolstm.methylation.samples import by_age
from genolstm.methylation.site_fit import Flag, SiteFit, fit_sites, read_model
from genolstm.methylation.trajectory import trajectory
from genolstm.settings.methylation import FitModel, MethylationSettings, PooledSettings, ReadLikelihood, StartState
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
    if settings.model is FitModel.POOLED:
        check_pooled(settings)
        model = train_pooled(
            counts.contig, counts.position, counts.modified, counts.covered, settings, pooled, extra=extra,
            progress=progress,
        )  # fmt: skip
        if settings.likelihood is ReadLikelihood.BETA_BINOMIAL:
            dispersion = float(np.mean([float(rho) for rho in model.dispersion if rho is not None] or [0.0]))
        fit, posterior = summarise(model, settings)
    else:
        likelihood = read_model(settings, dispersion)
        fit = fit_sites(counts.modified, counts.covered, settings, likelihood, threads=threads, progress=progress)
    return _record(
        counts,
        fit,
        posterior,
        settings,
        held_out,
        {"conversion_error": settings.conversion_error, "dispersion": dispersion},
    )


def check_pooled(settings: MethylationSettings) -> None:
    """Raise UsageError for what the pooled model cannot do."""
    if settings.start is StartState.FREE:
        raise UsageError("the pooled model knows nascent strands only: use --start zero, or --model site.")


def _record(
    counts: Counts,
    fit: SiteFit,
    posterior: Posterior | None,
    settings: MethylationSettings,
    held_out: tuple[HeldOutScore, ...],
    common: dict[str, float],
) -> MethylationFit:
    bounds = {name: float(getattr(settings, name)) for name in BOUNDS}
    with np.errstate(divide="ignore"):
        life, shortest, longest = (np.log(2) / rate for rate in (fit.rate, fit.rate_high, fit.rate_low))
    return MethylationFit(
        contigs=counts.contigs, contig=counts.contig, position=counts.position, strand=counts.strand,
        modified=counts.modified, covered=counts.covered, samples=counts.samples,
        unit=str(settings.unit), elapsed=np.array(settings.elapsed), model=str(settings.model),
        free_start=settings.start is StartState.FREE, numbers={**bounds, **common},
        flag_names={str(flag.name).lower(): int(flag) for flag in Flag},
        half_life=life, half_life_low=shortest, half_life_high=longest,
        posterior=posterior, held_out=held_out, **fit._asdict(),
    )  # fmt: skip


BOUNDS = ("rate_low", "rate_high", "steady_low", "steady_high", "level", "time_offset")


def states_outside(fit: MethylationFit) -> int:
    """How many states of the fit, stepped by the cell at the samples' ages, a clamp would have had to pull back: 0."""
    known = np.isfinite(fit.rate)
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

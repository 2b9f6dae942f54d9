"""The pooled model: a network gives each CpG a prior over its gates from its neighbours, its own reads the rest.

The gates stay those of the cell: the network weighs a grid of (k, g), and the state that follows from each point is
the cell's. Trained end to end on the likelihood of the reads of each CpG, which the network never sees; a CpG is judged
by a network that was trained on other stretches of the genome.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from genolstm.methylation.grid import (
    PROBABILITY_EDGE,
    SINGLE,
    GateGrid,
    fractions,
    gate_grid,
    mean_over,
    with_error,
)  # fmt: skip
from genolstm.methylation.kinetic_form import Course
from genolstm.methylation.learning import Progress, learn
from genolstm.methylation.likelihood import Floats
from genolstm.methylation.neighbourhood import (
    Context,
    Neighbourhood,
    SiteReads,
    Windows,
    context_of,
    initialise,
    windows_of,
)  # fmt: skip
from genolstm.methylation.sample_overdispersion import GatePrediction, with_overdispersion
from genolstm.methylation.scatter import PairedCounts, grid_log_likelihood, paired
from genolstm.seeds import spawn, spawn_seed
from genolstm.settings.methylation import MethylationSettings, PooledSettings, ReadLikelihood, number_or_estimate

FIRST_DISPERSION = 0.05
STRETCHES_AT_LEAST = 5  # of each fold


class GatePrior(nn.Module):
    """Network from a CpG's surroundings to the log weight of each point of the grid."""

    def __init__(self, context: Context, points: int, width: int) -> None:
        super().__init__()
        self.around = Neighbourhood(context, width)
        self.mix = nn.Linear(self.around.width, 2 * width)
        self.out = nn.Linear(2 * width, points)
        self.dispersion_odds = nn.Parameter(torch.tensor(float(np.log(FIRST_DISPERSION / (1 - FIRST_DISPERSION)))))

    def forward(self, context: Context, windows: Windows) -> Tensor:
        """Log prior of each core CpG, [W, core, G]."""
        mixed = nn.functional.gelu(self.mix(self.around(context, windows)))
        return torch.log_softmax(self.out(mixed), dim=-1)


@dataclass(frozen=True, kw_only=True)
class PooledModel:
    """Networks of all folds with their inputs. probability : float32 [G, T], of a methylated read at each grid point.

    fold : int64 [N], which network predicts each CpG.   dispersion : rho of each fold, None for binomial reads.
    """

    grid: GateGrid
    course: Course
    probability: Tensor
    context: Context
    counts: PairedCounts
    contig: NDArray[np.int32]
    position: NDArray[np.int64]
    fold: NDArray[np.int64]
    networks: tuple[GatePrior, ...]
    dispersion: tuple[Tensor | None, ...]
    settings: PooledSettings


class SitePosterior(NamedTuple):
    """Posterior of some CpGs. rows : int64 [n].   prior, posterior : [n, G].   dispersion : rho, or None.

    other_times : [n, G], weights of the grid that predict times without a sample.
    evidence : [n], log-likelihood of the CpG's own reads under the prior.   classes : of CpGs that do not follow one
    course, [n].
    """

    rows: Tensor
    prior: Tensor
    posterior: Tensor
    other_times: Tensor
    evidence: Tensor
    dispersion: Tensor | None
    classes: NDArray[np.intp] | None = None


def folds_of(contig: NDArray[np.int32], settings: PooledSettings) -> NDArray[np.int64]:
    """Deal stretches of CpGs to folds in turn, int64 [N]; every contig begins a stretch, few CpGs have shorter ones."""
    length = max(1, min(settings.stretch, len(contig) // (settings.folds * STRETCHES_AT_LEAST)))
    first = np.searchsorted(contig, contig)  # of each CpG's contig
    stretch = (np.arange(len(contig)) - first) // length + contig
    fold: NDArray[np.int64] = (stretch % settings.folds).astype(np.int64)
    return fold


def train_pooled(
    contig: NDArray[np.int32],
    position: NDArray[np.int64],
    modified: NDArray[np.int32],
    covered: NDArray[np.int32],
    settings: MethylationSettings,
    pooled: PooledSettings,
    *,
    extra: NDArray[np.float32] | None = None,
    course: Course = SINGLE,
    progress: Progress | None = None,
) -> PooledModel:
    """Train one network a fold on the reads of all other folds' CpGs; CpGs in genome order, counts [N, T].

    extra : [N, X], whatever else is known of each CpG.   course : how the state nears its steady fraction.
    """
    grid = gate_grid(settings)
    states = fractions(grid.points, np.array(settings.elapsed), course)
    probability = torch.from_numpy(with_error(states, settings.conversion_error).astype(np.float32))
    context = context_of(contig, position, modified, covered, extra)
    counts = paired(torch.from_numpy(modified.astype(np.float32)), torch.from_numpy(covered.astype(np.float32)))
    fold = folds_of(contig, pooled)
    networks, dispersions = [], []
    for index in range(pooled.folds):
        network = GatePrior(context, probability.shape[0], pooled.width)
        initialise(network, torch.Generator().manual_seed(spawn_seed(settings.seed, "pooled", index)))
        with torch.no_grad():  # every grid point alike at first
            network.out.weight.mul_(0.1)
            start = number_or_estimate(settings.dispersion, "dispersion") or FIRST_DISPERSION
            network.dispersion_odds.fill_(float(np.log(start / (1 - start))))
        with_reads = covered.sum(axis=1) > 0
        wanted = ((fold != index) if pooled.folds > 1 else np.ones(len(fold), dtype=bool)) & with_reads

        def report(fraction: float, done: int, index: int = index) -> None:
            if progress:
                progress((index + fraction) / pooled.folds, done)

        open_rows = torch.from_numpy(np.append(wanted, False))

        def nats(
            windows: Windows, network: GatePrior = network, open_rows: Tensor = open_rows
        ) -> tuple[Tensor, Tensor]:
            """Log-likelihood of the CpGs' own reads under the prior from their neighbours, and their number."""
            own = open_rows[windows.core]
            rows = windows.core[own]
            likely = grid_log_likelihood(counts, rows, probability, _dispersion(network, settings))
            together = network(context, windows)[own] + likely
            return torch.logsumexp(together, dim=-1).sum(), counts.covered[rows].sum()

        learn(
            network, nats, windows_of(contig, wanted, pooled.core, pooled.margin), pooled,
            spawn(settings.seed, "pooled order", index), report,
        )  # fmt: skip
        networks.append(network.eval())
        dispersions.append(_dispersion(network, settings))
    return PooledModel(
        grid=grid,
        course=course,
        probability=probability,
        context=context,
        counts=counts,
        contig=contig,
        position=position,
        fold=fold,
        networks=tuple(networks),
        dispersion=tuple(None if rho is None else rho.detach() for rho in dispersions),
        settings=pooled,
    )


def _dispersion(network: GatePrior, settings: MethylationSettings) -> Tensor | None:
    if settings.likelihood is ReadLikelihood.BINOMIAL:
        return None
    known = number_or_estimate(settings.dispersion, "dispersion")
    return torch.sigmoid(network.dispersion_odds) if known is None else torch.tensor(known) if known else None


def posterior(model: PooledModel, wanted: NDArray[np.bool_] | None = None) -> Iterator[SitePosterior]:
    """Posterior over the grid of every wanted CpG, in pieces, each CpG by the network that never trained on it."""
    asked = np.ones(len(model.contig), dtype=bool) if wanted is None else wanted
    settings = model.settings
    for index, (network, dispersion) in enumerate(zip(model.networks, model.dispersion, strict=True)):
        mine = asked & (model.fold == index)
        if not mine.any():
            continue
        windows = windows_of(model.contig, mine, settings.core, settings.margin)
        open_rows = torch.from_numpy(np.append(mine, False))
        for first in range(0, len(windows.rows), settings.batch):
            batch = Windows(windows.rows[first : first + settings.batch], windows.margin)
            with torch.no_grad():
                rows = batch.core
                own = open_rows[rows]
                prior = network(model.context, batch)[own]
                likely = grid_log_likelihood(model.counts, rows[own], model.probability, dispersion)
                together = prior + likely
                evidence = torch.logsumexp(together, dim=-1)
                weights = torch.softmax(together, dim=-1)
                yield SitePosterior(rows[own], prior.exp(), weights, weights, evidence, dispersion)


class ReadProbabilities(NamedTuple):
    """Probability that a read of each CpG at each age is methylated, [N, A].

    gates : by the posterior mean of the state.   reads : what is predicted: with overdispersion, where the ages are
    those of the samples and reads are not binomial; by the weights for other times, where they are not.
    """

    gates: Floats
    reads: Floats


def read_probabilities(model: PooledModel, ages: Floats, error: float, *, own_samples: bool) -> ReadProbabilities:
    """Prediction of reads by the posterior mean of the state. own_samples : the ages are those of the samples."""
    modified, covered = (each.numpy().astype(np.int32) for each in (model.counts.modified, model.counts.covered))
    reads = SiteReads(model.contig, model.position, modified, covered)
    at = with_error(fractions(model.grid.points, ages, model.course), error)
    return predicted_reads(posterior(model), reads, at, own_samples=own_samples)


def predicted_reads(
    posteriors: Iterable[SitePosterior], reads: SiteReads, probability: Floats, *, own_samples: bool
) -> ReadProbabilities:
    """Prediction by posteriors of all CpGs; probability : [G, A], of a methylated read at each grid point.

    Or [C, G, A], by the classes of the posteriors.
    """
    shape = (len(reads.contig), probability.shape[-1])
    elsewhere = np.full(shape, np.nan)
    predicted = GatePrediction(np.full(shape, np.nan), np.full(shape, np.nan), np.full(len(reads.contig), np.inf))
    for site in posteriors:
        rows = site.rows.numpy()
        predicted.probability[rows] = _inside(site.posterior, probability, site.classes)
        predicted.prior_probability[rows] = _inside(site.prior, probability, site.classes)
        elsewhere[rows] = _inside(site.other_times, probability, site.classes)
        if site.dispersion is not None:
            predicted.size[rows] = float((1 - site.dispersion) / site.dispersion)
    if not own_samples:
        return ReadProbabilities(predicted.probability, elsewhere)
    if not np.isfinite(predicted.size).all():
        return ReadProbabilities(predicted.probability, predicted.probability)
    return ReadProbabilities(predicted.probability, with_overdispersion(predicted, *reads))


def _inside(weights: Tensor, probability: Floats, classes: NDArray[np.intp] | None) -> Floats:
    mean = mean_over(weights.numpy(), probability, classes).astype(np.float64)
    inside: Floats = np.clip(mean, PROBABILITY_EDGE, 1 - PROBABILITY_EDGE)
    return inside

"""Auxiliary heads: each state is also trained to predict properties of the protein read so far.

With weight W the loss is

    L = bits + W * mean over tasks and residues t of ((target_t - mean) / sd - (a . h_t + b))^2

in bits, where h_t is the last layer's hidden state after residue t, and target_t the net charge at pH 7 (elementary
charges) or the mean Kyte-Doolittle hydropathy of residues 1..t. mean and sd are those of the training part, over all
its residues, so that the error has no unit: 1 is what the mean alone reaches. A residue has no target, and is in no
mean, as long as no known residue was read; fill has none. The heads are linear, so that whatever they gain must stand
in the state where a linear probe finds it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from genolstm.alphabet import Codes
from genolstm.errors import UsageError
from genolstm.model import NATS_PER_BIT, NextSymbolModel
from genolstm.polypeptide import mean_hydropathy, net_charge
from genolstm.regions import Stretches
from genolstm.settings.model import AlphabetName
from genolstm.settings.train import AuxiliaryTask
from genolstm.store.checkpoint import AuxiliaryHeads
from genolstm.store.genome import Genome

TARGETS: Mapping[AuxiliaryTask, Callable[[Codes], NDArray[np.float64]]] = {
    AuxiliaryTask.CHARGE: net_charge,
    AuxiliaryTask.HYDROPATHY: mean_hydropathy,
}


@dataclass(frozen=True, kw_only=True)
class Auxiliary:
    """What a run with auxiliary tasks needs beside the model.

    heads : Linear H -> K, zero at first.   standardised : float32 [symbols, K], the target after each symbol of the
    genome's codes; NaN where there is none.   mean, sd : float64 [K], by which targets were standardised.
    """

    tasks: tuple[AuxiliaryTask, ...]
    heads: nn.Linear
    standardised: Tensor
    mean: NDArray[np.float64]
    sd: NDArray[np.float64]

    def squared_errors(self, hidden: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        """Sum of squared errors of each task, and how many residues are in it: [K] each.

        hidden : [B, T, H], after each input.   place : int64 [B, T], where each input stands in the genome's codes, -1
        for none.
        """
        target = self.standardised[place.clamp_min(0)]  # [B, T, K]
        there = (place >= 0).unsqueeze(-1) & ~target.isnan()
        missed = torch.where(there, self.heads(hidden.float()) - target.nan_to_num(), 0.0)
        return missed.square().sum((0, 1)), there.sum((0, 1))

    def scales(self) -> list[tuple[AuxiliaryTask, float, float]]:
        """Each task with the mean and the standard deviation of its target."""
        return list(zip(self.tasks, self.mean.tolist(), self.sd.tolist(), strict=True))

    def kept(self, errors: NDArray[np.float64]) -> AuxiliaryHeads:
        """The heads as a checkpoint keeps them. errors : [records, K], of the history."""
        return AuxiliaryHeads(
            tasks=tuple(str(task) for task in self.tasks),
            mean=self.mean,
            sd=self.sd,
            weight=self.heads.weight.detach().cpu().numpy().copy(),
            bias=self.heads.bias.detach().cpu().numpy().copy(),
            errors=errors,
        )


def auxiliary_of(
    genome: Genome,
    training: Stretches,
    tasks: tuple[AuxiliaryTask, ...],
    model: NextSymbolModel,
    *,
    saved: AuxiliaryHeads | None = None,
) -> Auxiliary | None:
    """Measure the targets along the training part and make their heads, or restore saved ones; None without tasks.

    Raises UsageError as `refuse_multitask`.
    """
    if not tasks:
        return None
    refuse_multitask(genome, tasks)
    values = np.full((len(genome.all_codes), len(tasks)), np.nan)
    for contig, start, end in zip(training.contig, training.start.tolist(), training.end.tolist(), strict=True):
        first = int(genome.starts[contig])
        codes = genome.all_codes[first + start : first + end]
        for column, task in enumerate(tasks):
            values[first + start : first + end, column] = TARGETS[task](codes)
    mean, sd = (saved.mean, saved.sd) if saved else (np.nanmean(values, axis=0), np.nanstd(values, axis=0))
    standardised = torch.from_numpy(((values - mean) / np.where(sd > 0, sd, 1)).astype(np.float32))
    device = model.head.weight.device
    heads = nn.Linear(model.settings.hidden, len(tasks))
    with torch.no_grad():  # zero where nothing is saved: the first step of the model is that of a run without heads
        heads.weight.copy_(torch.from_numpy(saved.weight) if saved else torch.zeros(()))
        heads.bias.copy_(torch.from_numpy(saved.bias) if saved else torch.zeros(()))
    return Auxiliary(tasks=tasks, heads=heads.to(device), standardised=standardised.to(device), mean=mean, sd=sd)


def refuse_multitask(genome: Genome, tasks: tuple[AuxiliaryTask, ...]) -> None:
    """Raise UsageError for auxiliary tasks of a genome that holds no proteins."""
    if genome.alphabet.name != AlphabetName.PROTEIN:
        raise UsageError(
            f"--multitask {','.join(tasks)} needs proteins, and {genome.path} holds {genome.alphabet.name}; ingest a"
            " protein FASTA with --alphabet protein, or leave the option out."
        )


def weighted(sums: Tensor, counts: Tensor, weight: float) -> Tensor:
    """What auxiliary errors add to a loss in nats: weight times their mean over tasks, taken as bits. sums : [K]."""
    return weight * NATS_PER_BIT * (sums / counts.clamp_min(1)).mean()

"""How likely the reads of a CpG are at every point of a grid, binomial or beta-binomial, as torch computes it."""

from typing import NamedTuple

import torch
from torch import Tensor


class PairedCounts(NamedTuple):
    """Counts of every CpG and sample, and which of the few different pairs of counts each is.

    modified, covered : float32 [N, T].   pair : int64 [N, T].   pairs : per sample, float32 [K, 2] of modified and
    covered.
    """

    modified: Tensor
    covered: Tensor
    pair: Tensor
    pairs: tuple[Tensor, ...]

    @property
    def unmodified(self) -> Tensor:
        """Reads that are covered and not modified, float32 [N, T]."""
        return self.covered - self.modified


def paired(modified: Tensor, covered: Tensor) -> PairedCounts:
    """Find the different pairs of each sample once; modified, covered : float32 [N, T]."""
    pairs, places = [], []
    for sample in range(modified.shape[1]):
        both = torch.stack([modified[:, sample], covered[:, sample]], dim=1)
        found, place = torch.unique(both, dim=0, return_inverse=True)
        pairs.append(found)
        places.append(place)
    return PairedCounts(modified, covered, torch.stack(places, dim=1), tuple(pairs))


def grid_log_likelihood(counts: PairedCounts, rows: Tensor, probability: Tensor, dispersion: Tensor | None) -> Tensor:
    """Log-likelihood of the reads of some CpGs at each point of a grid, [n, G].

    rows : int64 [n].   probability : [G, T], of a methylated read.   dispersion : rho, scalar; None for binomial reads.
    """
    if dispersion is None:
        table = torch.cat([probability.log(), torch.log1p(-probability)], dim=1).T  # [2T, G]
        return torch.cat([counts.modified[rows], counts.unmodified[rows]], dim=1) @ table
    total = torch.zeros(len(rows), len(probability))
    for sample, pairs in enumerate(counts.pairs):
        met, place = torch.unique(counts.pair[rows, sample], return_inverse=True)
        total = total + pair_log_likelihood(pairs[met], probability[:, sample], dispersion)[place]
    return total


def pair_log_likelihood(pairs: Tensor, probability: Tensor, dispersion: Tensor | None) -> Tensor:
    """Log-likelihood of pairs of modified and covered reads [K, 2] at each probability [G]; [K, G]."""
    if dispersion is None:
        return pairs[:, :1] * probability.log() + (pairs[:, 1:] - pairs[:, :1]) * torch.log1p(-probability)
    size = (1 - dispersion) / dispersion
    modified, covered = pairs[:, :1], pairs[:, 1:]
    alpha, beta = probability * size, (1 - probability) * size
    by_modified = torch.lgamma(modified + alpha) - torch.lgamma(alpha)
    by_other = torch.lgamma(covered - modified + beta) - torch.lgamma(beta)
    return by_modified + by_other + torch.lgamma(size) - torch.lgamma(covered + size)

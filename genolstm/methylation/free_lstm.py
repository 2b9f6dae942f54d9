"""The unconstrained baseline of the pooled model: an LSTM of the same size with no cell in time.

The same two LSTMs read the neighbours; a CpG's own reads and the age asked for then go through a network that can give
any methylation at any age. It learns by predicting a fifth of each CpG's reads from the rest.
"""

import numpy as np
import torch
from torch import Tensor, nn

from genolstm.methylation.baselines import Training
from genolstm.methylation.learning import learn
from genolstm.methylation.likelihood import Floats
from genolstm.methylation.neighbourhood import (
    Context,
    Neighbourhood,
    Windows,
    context_of,
    initialise,
    read_features,
    windows_of,
)  # fmt: skip
from genolstm.methylation.pooled import folds_of
from genolstm.seeds import spawn, spawn_seed
from genolstm.settings.methylation import PooledSettings

HIDDEN_FRACTION = 0.2  # of a CpG's reads that training hides from it
OWN_WIDTH = 96


class FreeLstm(nn.Module):
    """Network from surroundings, own reads and age to the log odds of a methylated read."""

    def __init__(self, context: Context, samples: int, width: int) -> None:
        super().__init__()
        self.around = Neighbourhood(context, width)
        self.mix = nn.Linear(self.around.width + len(("modified", "covered", "fraction")) * samples, OWN_WIDTH)
        self.age = nn.Linear(1, OWN_WIDTH)
        self.turn = nn.Linear(OWN_WIDTH, OWN_WIDTH)
        self.out = nn.Linear(OWN_WIDTH, 1)

    def forward(self, around: Tensor, own: Tensor, ages: Tensor) -> Tensor:
        """Log odds [n, A]; around : [n, W].   own : read features [n, 3T].   ages : [A]."""
        known = self.mix(torch.cat([around, own], dim=-1))  # [n, W]
        at_age = self.age(torch.log1p(ages).unsqueeze(-1))  # [A, W]
        mixed = nn.functional.gelu(known.unsqueeze(1) + at_age)  # [n, A, W]
        odds: Tensor = self.out(nn.functional.gelu(self.turn(mixed))).squeeze(-1)
        return odds


def free_lstm(training: Training, pooled: PooledSettings, seed: int) -> Floats:
    """Probability of a methylated read at each age asked for, [N, A]; folds, windows, steps as the pooled model's."""
    context = context_of(training.contig, training.position, training.modified, training.covered)
    modified = torch.from_numpy(training.modified.astype(np.float32))
    unmodified = torch.from_numpy((training.covered - training.modified).astype(np.float32))
    fold = folds_of(training.contig, pooled)
    with_reads = training.covered.sum(axis=1) > 0
    ages, asked = (torch.from_numpy(column.astype(np.float32)) for column in (training.elapsed, training.asked))
    answer = np.full((len(fold), len(asked)), np.nan)
    for index in range(pooled.folds):
        network = FreeLstm(context, modified.shape[1], pooled.width)
        initialise(network, torch.Generator().manual_seed(spawn_seed(seed, "free course", index)))
        wanted = ((fold != index) if pooled.folds > 1 else np.ones(len(fold), dtype=bool)) & with_reads
        windows = windows_of(training.contig, wanted, pooled.core, pooled.margin)
        open_rows = torch.from_numpy(np.append(wanted, False))
        generator = torch.Generator().manual_seed(spawn_seed(seed, "free course reads", index))

        def nats(
            windows: Windows,
            network: FreeLstm = network,
            open_rows: Tensor = open_rows,
            generator: torch.Generator = generator,
        ) -> tuple[Tensor, Tensor]:
            """Log-likelihood of reads that are hidden from each CpG, given its others and its neighbours'."""
            own = open_rows[windows.core]
            rows = windows.core[own]
            fraction = torch.tensor(HIDDEN_FRACTION).expand_as(modified[rows])
            hidden = torch.binomial(modified[rows], fraction, generator=generator)
            hidden_other = torch.binomial(unmodified[rows], fraction, generator=generator)
            left = read_features(modified[rows] - hidden, unmodified[rows] - hidden_other)
            odds = network(network.around(context, windows)[own], left, ages)
            found = hidden * nn.functional.logsigmoid(odds) + hidden_other * nn.functional.logsigmoid(-odds)
            return found.sum(), hidden.sum() + hidden_other.sum()

        learn(network, nats, windows, pooled, spawn(seed, "free course order", index))
        mine = windows_of(training.contig, fold == index, pooled.core, pooled.margin)
        own_rows = torch.from_numpy(np.append(fold == index, False))
        for first in range(0, len(mine.rows), pooled.batch):
            batch = Windows(mine.rows[first : first + pooled.batch], mine.margin)
            own = own_rows[batch.core]
            rows = batch.core[own]
            with torch.no_grad():
                around = network.around(context, batch)[own]
                odds = network(around, read_features(modified[rows], unmodified[rows]), asked)
            answer[rows.numpy()] = torch.sigmoid(odds).double().numpy()
    return answer

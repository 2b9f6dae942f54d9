"""Sums of several processes, each about a pivot of its own, come to be those of one."""

import numpy as np
import pytest
import torch

from genolstm.gates.factors import Factors, readers_of
from genolstm.gates.sums import UnitSums, statistics_of
from genolstm.model import NextSymbolModel
from genolstm.ranks import ALONE, Ranks
from genolstm.settings.model import ModelSettings

SAMPLES, UNITS = 30, 5


class Heard(Ranks):
    """Rank 0 of three, to which the others have said these."""

    def hears(self, *others):
        object.__setattr__(self, "others", others)
        return self

    def gathered(self, rows):
        return np.concatenate([rows, *self.others])


class Saying(Ranks):
    """A process whose words are kept."""

    def gathered(self, rows):
        object.__setattr__(self, "said", rows)
        return rows


@pytest.fixture(scope="module")
def model():
    return NextSymbolModel(ModelSettings(hidden=UNITS, forget_bias="1"), seed=2).eval()


@pytest.fixture(scope="module")
def factors(model):
    """Values of samples that hardly move, and by which much is lost in a sum about a far pivot."""
    rng = torch.Generator().manual_seed(3)
    width = readers_of(model)[0].columns("candidate").stop
    values = 0.9 + 1e-3 * torch.rand(SAMPLES, width, generator=rng)
    values[SAMPLES // 2 :] -= 0.3
    return Factors(values=values, log_forget=values[:, :UNITS].log())


def sums_of(model, factors, rows):
    sums = UnitSums(readers_of(model)[0])
    for first in range(0, len(rows), 7):
        some = rows[first : first + 7]
        sums.add(Factors(values=factors.values[some], log_forget=factors.log_forget[some]), 1)
    return sums


@pytest.mark.parametrize("shares", [(10, 15), (0, 20), (12, 12)])
def test_sums_of_three_processes_are_those_of_one(model, factors, shares):
    rows = np.split(np.arange(SAMPLES), shares)
    words = []
    for each in rows[1:]:
        speaker = Saying(rank=1, size=3)
        sums_of(model, factors, each).add_others(speaker)
        words.append(speaker.said)
    together = sums_of(model, factors, rows[0])
    together.add_others(Heard(rank=0, size=3).hears(*words))
    (one,), (all_,) = (statistics_of(model, [each]) for each in (sums_of(model, factors, np.arange(SAMPLES)), together))
    assert all_.samples == one.samples == SAMPLES
    for name, figures in one.factors.items():
        for figure in ("mean", "sd", "above", "below"):
            torch.testing.assert_close(
                getattr(all_.factors[name], figure),
                getattr(figures, figure),
                rtol=1e-6,
                atol=1e-7,
                msg=f"{name} {figure}",
            )
    torch.testing.assert_close(all_.realised_half_life, one.realised_half_life, rtol=1e-6, atol=0)


def test_one_process_adds_nothing(model, factors):
    sums = sums_of(model, factors, np.arange(SAMPLES))
    before = sums.sums.clone()
    sums.add_others(ALONE)
    assert torch.equal(sums.sums, before)

"""Delayed copy: what is asked, and that a window is a bound that no training can pass."""

import math

import numpy as np
import pytest
import torch

from genolstm.errors import UsageError
from genolstm.seeds import spawn
from genolstm.settings.study import StudySettings
from genolstm.studies import baselines, copy
from genolstm.studies.learning import NOT_ASKED, accuracy, bits, built, train


def by_name(window=16):
    return {each.name: each for each in baselines.architectures(50, window)}


@pytest.mark.parametrize(("delay", "length"), [(1, 0), (7, 0), (5, 30)])
def test_copies_ask_for_the_shown_symbols_in_their_order(delay, length):
    batch = copy.copies(np.random.default_rng(1), delay, 20, length)
    assert batch.inputs.shape == (20, length or delay + 4)
    shown = batch.inputs[batch.inputs < copy.KINDS].reshape(20, -1)
    assert (batch.answers[:, -copy.SHOWN :] == shown).all()
    assert (batch.answers[:, : -copy.SHOWN] == NOT_ASKED).all()
    first = np.argmax(batch.inputs < copy.KINDS, axis=1)
    assert (first + copy.SHOWN + delay == batch.inputs.shape[1] - copy.SHOWN).all()


def test_delay_longer_than_the_sequence_is_refused():
    with pytest.raises(UsageError, match="a delay of 50 needs 54 symbols, and sequences have 40"):
        copy.study(StudySettings(delays=(50,), length=40), lambda _: None)


@pytest.mark.parametrize(("delay", "same"), [(5, False), (6, False), (7, True), (40, True)])
def test_windowed_answers_know_nothing_past_the_reach_of_the_windows(delay, same):
    # two layers of a window of 5 reach 8 symbols back; the symbol asked for stands SHOWN + delay before its cue
    network = built(by_name(window=5)[baselines.WINDOWED], copy.N_SYMBOLS, copy.KINDS, parameters=5200, seed=1)
    batch = copy.copies(np.random.default_rng(1), delay, 4)
    for place in range(copy.SHOWN):
        other = batch.inputs.copy()
        other[:, place] = (other[:, place] + 1) % copy.KINDS
        cue = place - copy.SHOWN
        with torch.no_grad():
            told, changed = (network(torch.from_numpy(each))[:, cue] for each in (batch.inputs, other))
        assert bool((told == changed).all()) is same


def test_blind_networks_cannot_beat_the_entropy_of_the_symbols():
    network = built(by_name(window=2)[baselines.WINDOWED], copy.N_SYMBOLS, copy.KINDS, parameters=5200, seed=1)
    train(network, lambda rng: copy.copies(rng, 20, 32), spawn(1, "b"), steps=40, learning_rate=2e-3)
    test = copy.copies(np.random.default_rng(2), 20, 2000)
    assert bits(network, test) >= math.log2(copy.KINDS) - 0.01
    assert accuracy(network, test) == pytest.approx(1 / copy.KINDS, abs=0.04)


def test_baselines_have_equal_parameters_within_three_percent():
    sizes = [
        sum(weight.numel() for weight in built(each, 6, 4, parameters=baselines.PARAMETERS, seed=1).parameters())
        for each in by_name().values()
    ]
    assert max(sizes) / min(sizes) < 1.03


def test_answers_that_know_symbols_but_not_their_order_are_right_as_often_as_said():
    rng = np.random.default_rng(1)
    shown = rng.integers(0, copy.KINDS, (200_000, copy.SHOWN))
    swapped = rng.random(len(shown)) < 0.5
    told = np.where(swapped[:, None], shown[:, ::-1], shown)
    assert (told == shown).mean() == pytest.approx(copy.ORDER_UNKNOWN, abs=0.003)


def test_claims_follow_from_scores():
    names = list(by_name())
    scores = {name: np.full((3, 2), 0.25) for name in names}
    scores[baselines.LSTM][:] = 1.0
    scores[baselines.WINDOWED][:, 0] = 1.0  # a delay of 10 lies within its reach
    scores[baselines.FULL] = np.array([[1.0, 1.0], [1.0, 0.9], [1.0, 0.3]])
    found = baselines.BaselineScores((10, 60), scores, scores, dict.fromkeys(names, 5200), 0.25)
    holds = {
        claim.name: claim.holds for claim in baselines.claims_of(found, distance_word="delay", offset=2, window=16)
    }
    assert holds == {
        "windowed guesses": True, "full does not guess": False, "LSTM remembers": True,
        "LSTM chrono remembers": False, "GRU remembers": False, "RNN forgets": True, "chrono helps": False,
    }  # fmt: skip
    scores[baselines.WINDOWED][:, 1] = 0.5  # at 60 it cannot know
    claims = baselines.claims_of(found, distance_word="delay", offset=2, window=16)
    assert not claims[0].holds

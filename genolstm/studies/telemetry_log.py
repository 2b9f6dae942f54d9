"""A made log of user actions: sessions of one topic, half of which lose it midway."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.alphabet import PROTEIN

Floats = NDArray[np.float64]
Codes = NDArray[np.uint8]

ACTIONS = 12  # kinds; spelled, with the one that starts over, as known symbols of the protein alphabet
START_OVER = 12  # what a user does who has lost the context and announces it; nobody else does it
FILL = PROTEIN.unknown  # after the end of a session
TOPICS = 3
ORDERLY = 0.7  # probability that an action is the one that its topic has after the last
SHORTEST, LONGEST = 48, 96  # actions of a session
MIDDLE = (0.35, 0.65)  # where in a session its topic may be lost
PAUSE = (1.5, 1.0)  # mean and deviation of ln seconds between two actions


class Log(NamedTuple):
    """Sessions.

    codes : uint8 [N, T], X after the end.   lengths : [N].   loss : the action before which the context is lost, [N];
    in a session that keeps it, where it would have been.   lost : bool [N].   gaps : seconds since the action before,
    [N, T].
    """

    codes: Codes
    lengths: NDArray[np.int64]
    loss: NDArray[np.int64]
    lost: NDArray[np.bool_]
    gaps: Floats


def topics_of(rng: np.random.Generator) -> Floats:
    """What follows each action in each topic, [topics, actions, actions].

    A topic is an order of all actions gone through in a ring, left with a probability for any action alike: rows and
    columns sum to 1, so that every topic uses every action equally often and counts of actions do not depend on it.
    """
    topics = np.full((TOPICS, ACTIONS, ACTIONS), (1 - ORDERLY) / ACTIONS)
    for topic in topics:
        ring = rng.permutation(ACTIONS)
        topic[ring, np.roll(ring, -1)] += ORDERLY
    return topics


def draw_log(topics: Floats, rng: np.random.Generator, sessions: int, *, announced: bool) -> Log:
    """Draw sessions, half of which lose their topic midway: another takes its place at the next action.

    announced : that action is then the one that starts over, after which any other follows alike. The time between two
    actions is drawn alike everywhere: it knows nothing of the loss.
    """
    pauses = rng.spawn(1)[0].lognormal(*PAUSE, size=(sessions, LONGEST))
    lengths = rng.integers(SHORTEST, LONGEST + 1, size=sessions)
    loss = (lengths * rng.uniform(*MIDDLE, size=sessions)).astype(np.int64)
    lost = rng.permutation(np.arange(sessions) % 2 == 0)
    first = rng.integers(TOPICS, size=sessions)
    other = (first + rng.integers(1, TOPICS, size=sessions)) % TOPICS
    codes = np.full((sessions, LONGEST), FILL, dtype=np.uint8)
    codes[:, 0] = rng.integers(ACTIONS, size=sessions)
    after_start = np.full((TOPICS, 1, ACTIONS), 1 / ACTIONS)
    edges = np.cumsum(np.concatenate([topics, after_start], axis=1), axis=2)  # [topics, actions + 1, actions]
    edges[:, :, -1] = 1.0
    for step in range(1, LONGEST):
        topic = np.where(lost & (step >= loss), other, first)
        following = (rng.random((sessions, 1)) >= edges[topic, codes[:, step - 1]]).sum(axis=1)
        codes[:, step] = np.where(announced & lost & (step == loss), START_OVER, following)
    codes[np.arange(LONGEST) >= lengths[:, None]] = FILL
    return Log(codes, lengths, loss, lost, pauses)

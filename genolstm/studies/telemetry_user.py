"""A user's own log: sessions that are whole, and sessions that go on as another one did, so that the loss is known."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.alphabet import PROTEIN
from genolstm.errors import InputError
from genolstm.readers.action_log import ActionLog
from genolstm.store.files import Records
from genolstm.studies.telemetry_log import FILL, MIDDLE, Codes, Floats, Log

SHORTEST_JUDGED = 24  # actions; a shorter session has no middle to lose its context in
LONGEST_READ = 256  # actions of a session that are read
LEAST_SESSIONS = 200  # that can be judged
JUDGED_SHARE = 0.5  # of these sessions; the others, and all short ones, are trained on
OTHER = "any other"


class Sessions(NamedTuple):
    """Sessions side by side. codes : uint8 [N, T], X after the end.   gaps : seconds [N, T].   lengths : [N].

    names : of the sessions.   kinds : what each code stands for.   records : rows used, and what was left out.
    """

    codes: Codes
    gaps: Floats
    lengths: NDArray[np.int64]
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    records: Records


def sessions_of(log: ActionLog, path: str) -> Sessions:
    """Lay out a log for the networks: the commonest kinds of action keep their names, all others share one.

    Raises InputError for one kind of action alone, or too few sessions to judge.
    """
    if len(log.kinds) < 2:
        raise InputError(
            f"{path} holds no action but '{log.kinds[0]}': there is nothing to foresee; give other actions."
        )
    counts = np.bincount(log.action, minlength=len(log.kinds))
    ranked = np.argsort(-counts, kind="stable")
    room = PROTEIN.n_known
    named = ranked if len(ranked) <= room else ranked[: room - 1]
    code_of = np.full(len(log.kinds), room - 1, dtype=np.uint8)
    code_of[named] = np.arange(len(named))
    kinds = tuple(log.kinds[place] for place in named) + ((OTHER,) if len(named) < len(ranked) else ())
    starts = np.searchsorted(log.session, np.arange(len(log.sessions) + 1))
    whole = np.diff(starts)
    lengths = np.minimum(whole, LONGEST_READ)
    codes = np.full((len(lengths), int(lengths.max())), FILL, dtype=np.uint8)
    gaps = np.zeros(codes.shape)
    for row, (start, length) in enumerate(zip(starts.tolist(), lengths.tolist(), strict=False)):
        codes[row, :length] = code_of[log.action[start : start + length]]
        gaps[row, 1:length] = np.diff(log.time[start : start + length])
    judged = int((lengths >= SHORTEST_JUDGED).sum())
    if judged < LEAST_SESSIONS:
        raise InputError(
            f"{path} has {judged} sessions of at least {SHORTEST_JUDGED} actions, and {LEAST_SESSIONS} are needed to"
            " train on some and judge others; give a longer log."
        )
    reasons = {
        f"actions beyond the {LONGEST_READ}th of a session": int((whole - lengths).sum()),
        f"sessions under {SHORTEST_JUDGED} actions, trained on and not judged": len(lengths) - judged,
        f"actions of kinds that share '{OTHER}'": int(counts.sum() - counts[named].sum()),
    }
    skipped = log.skipped | {reason: count for reason, count in reasons.items() if count}
    return Sessions(
        codes, gaps, lengths, log.sessions, kinds, Records(read=log.read, used=int(lengths.sum()), skipped=skipped)
    )


class Drawn(NamedTuple):
    """One division of a user's log. past : trained on, [N, T].   log : to be judged.   rows : of `Sessions`."""

    past: Codes
    log: Log
    rows: NDArray[np.int64]


def draw_sessions(sessions: Sessions, rng: np.random.Generator) -> Drawn:
    """Divide the sessions, and let half of the judged ones go on as another judged one did: there the context is lost.

    What follows the loss is the other session's own second part, with its own pauses, so that no single action and no
    pause is out of the ordinary.
    """
    long = rng.permutation(np.flatnonzero(sessions.lengths >= SHORTEST_JUDGED))
    rows = long[: int(JUDGED_SHARE * len(long))]
    past = np.setdiff1d(np.arange(len(sessions.lengths)), rows)
    lengths = sessions.lengths[rows].copy()
    loss = (lengths * rng.uniform(*MIDDLE, size=len(rows))).astype(np.int64)
    lost = rng.permutation(np.arange(len(rows)) % 2 == 0)
    codes, gaps = sessions.codes[rows].copy(), sessions.gaps[rows].copy()
    swapped = np.flatnonzero(lost)
    for one, other in zip(swapped.tolist(), np.roll(swapped, 1).tolist(), strict=True):
        source, begin = rows[other], int(loss[other])
        tail = slice(begin, int(sessions.lengths[source]))
        end = min(int(loss[one]) + tail.stop - begin, codes.shape[1])
        here = slice(int(loss[one]), end)
        tail = slice(begin, begin + here.stop - here.start)
        codes[one, here.start :], gaps[one, here.start :] = FILL, 0
        codes[one, here], gaps[one, here] = sessions.codes[source, tail], sessions.gaps[source, tail]
        lengths[one] = here.stop
    return Drawn(sessions.codes[past], Log(codes, lengths, loss, lost, gaps), rows)

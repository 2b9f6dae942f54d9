"""An adaptive prompt: a policy that speaks up, once a session, when a score says that context was lost."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.studies.telemetry_log import FILL, Codes, Floats, Log

WITHIN = 12  # actions from the loss on in which a prompt is of use
OVER = (1, 3, 6)  # actions that a score is averaged over: chosen, with the threshold, on other sessions
THRESHOLDS = 40  # quantiles of the score that are tried
NEVER = -1


class Prompts(NamedTuple):
    """How a policy does. precision : prompts that come within reach of a loss, of all.   recall : losses prompted for.

    delay : actions from the loss to the prompt, mean of those in time; NaN without any.   f1 : harmonic mean of the
    first two.
    """

    precision: float
    recall: float
    delay: float
    f1: float


def unlike_its_action(values: Floats, codes: Codes, usual: Floats) -> Floats:
    """A gate less its mean after the same action, since actions differ in it by more than a loss moves it.

    values : [N, T], NaN past the end.   usual : mean by action [20].
    """
    known = np.append(usual, np.nan)  # FILL has none
    found: Floats = values - known[codes]
    return found


def usual_by_action(values: Floats, codes: Codes) -> Floats:
    """Mean after each action, [20]; 0 for one that does not occur. values : [N, T]."""
    inside = codes != FILL
    counts = np.bincount(codes[inside], minlength=FILL)
    sums = np.bincount(codes[inside], weights=values[inside], minlength=FILL)
    return np.divide(sums, counts, out=np.zeros(FILL), where=counts > 0)


def smoothed(scores: Floats, over: int) -> Floats:
    """Mean of the last actions, fewer at the start; [N, T]. Nothing after an action enters its value."""
    total = np.concatenate([np.zeros((len(scores), 1)), np.nancumsum(scores, axis=1)], axis=1)
    place = np.arange(scores.shape[1])
    first = np.maximum(place + 1 - over, 0)
    found: Floats = (total[:, place + 1] - total[:, first]) / (place + 1 - first)
    return np.where(np.isnan(scores), -np.inf, found)


def prompts_at(scores: Floats, threshold: float) -> NDArray[np.int64]:
    """First action of each session whose score is above the threshold, [N]; NEVER without one."""
    above = scores > threshold
    return np.where(above.any(axis=1), above.argmax(axis=1), NEVER)


def judge_prompts(at: NDArray[np.int64], log: Log, rows: NDArray[np.bool_]) -> Prompts:
    """Judge prompts at actions [N] on some sessions: one before the loss, or in a session that keeps it, is false."""
    late = at - log.loss
    timely = rows & log.lost & (at != NEVER) & (late >= 0) & (late < WITHIN)
    prompted, losses, hits = int((rows & (at != NEVER)).sum()), int((rows & log.lost).sum()), int(timely.sum())
    return Prompts(
        precision=hits / max(prompted, 1),
        recall=hits / max(losses, 1),
        delay=float(late[timely].mean()) if hits else float("nan"),
        f1=2 * hits / max(prompted + losses, 1),
    )


def prompting(scores: Mapping[str, Floats], log: Log, fitted: NDArray[np.bool_]) -> dict[str, Prompts]:
    """Judge a policy for each score on the sessions that chose nothing.

    scores : [N, T], high where context is thought lost, NaN past the end.   fitted : sessions on which the threshold
    and the number of actions averaged over are chosen, by f1.
    """
    found = {}
    for name, values in scores.items():
        best, chosen = -1.0, np.full(len(values), NEVER)
        for over in OVER:
            score = smoothed(values, over)
            known = score[fitted][np.isfinite(score[fitted])]
            # a prompt is rare: the upper tail of all actions, evenly in its logarithm
            for threshold in np.quantile(known, 1 - np.geomspace(1e-3, 0.5, THRESHOLDS)):
                at = prompts_at(score, float(threshold))
                f1 = judge_prompts(at, log, fitted).f1
                if f1 > best:
                    best, chosen = f1, at
        found[name] = judge_prompts(chosen, log, ~fitted)
    return found

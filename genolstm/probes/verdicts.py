"""Verdicts on a paired difference; only where there are enough positives to conclude anything."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from genolstm.estimate import Estimate
from genolstm.regions import Part

GAIN, NO_GAIN, CANNOT_TELL = "gain", "no gain", "cannot tell"  # as files hold them
WORSE = "worse"  # in text: a 'no gain' whose whole interval is below zero
# of 30 positives one more or fewer found moves recall by 0.03, and the binomial interval of one half is 0.31 to 0.69;
# of 5 it is 0.15 to 0.85, wider than any difference that probes show
FEWEST_POSITIVES = 30
CLOSE = 0.01  # of a score: other seeds and machines change AUPRC and R2 by about this much


def positives_of(label: NDArray[np.integer], part: NDArray[np.int8]) -> dict[Part, int]:
    """Positive rows of validation and test. label, part : [N]."""
    return {each: int(((label == 1) & (part == each)).sum()) for each in (Part.VALID, Part.TEST)}


def verdict_word(difference: Estimate, positives: Mapping[Part, int] | None = None) -> str:
    """'gain' where the whole interval is above zero, else 'no gain'; 'cannot tell' with too few positives.

    positives : of validation and test; None where a target has no classes.
    """
    if lacking(positives or {}):
        return CANNOT_TELL
    return GAIN if difference.low > 0 else NO_GAIN


def spelled_verdict(verdict: str, difference: Estimate) -> str:
    """A verdict for readers: 'worse' in place of 'no gain' where the whole interval lies below zero."""
    return WORSE if verdict == NO_GAIN and difference.high < 0 else verdict


def lacking(positives: Mapping[Part, int]) -> str:
    """The positives that a verdict needs and those there are, as a sentence; empty where there are enough."""
    few = {part: count for part, count in positives.items() if count < FEWEST_POSITIVES}
    if not few:
        return ""
    there = " and ".join(f"{count} in {part.name.lower()}" for part, count in few.items())
    return f"a verdict needs {FEWEST_POSITIVES} positives in validation and in test, and there are {there}"


def is_close(difference: Estimate) -> bool:
    """Whether an end of the interval is so near to zero that another seed or machine may change the verdict."""
    return min(abs(difference.low), abs(difference.high)) < CLOSE

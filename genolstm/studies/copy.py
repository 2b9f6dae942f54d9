"""Delayed copy: symbols, blanks, and a cue for each symbol, which is then to be repeated in its order."""

import math
from collections.abc import Callable

import numpy as np

from genolstm.errors import UsageError
from genolstm.settings.study import StudySettings
from genolstm.store.study import Study
from genolstm.studies.baselines import (
    LAYERS,
    PARAMETERS,
    QUICK_TEST_ROWS,
    TEST_ROWS,
    architectures,
    claims_of,
    compare_baselines,
    conclusion_of,
    table_of,
)
from genolstm.studies.learning import NOT_ASKED, Batch

KINDS = 4  # symbols of the alphabet: a guess is right in a quarter
SHOWN = 2  # symbols to copy, so that their order counts too
# knowing both symbols but not which came first: equal ones are right, others in half
ORDER_UNKNOWN = 1 / KINDS + (1 - 1 / KINDS) / SHOWN
BLANK, CUE = KINDS, KINDS + 1
N_SYMBOLS = KINDS + 2
DELAYS, QUICK_DELAYS = (10, 50, 100, 200, 500), (10, 60)
STEPS, QUICK_STEPS = 800, 400
ROWS = 32
QUICK_REPEATS = 3


def study(settings: StudySettings, on_progress: Callable[[str], None]) -> Study:
    """Train all baselines on delays up to the longest and judge each delay. Raises UsageError as `copies`."""
    delays = settings.delays or (QUICK_DELAYS if settings.quick else DELAYS)
    test_rows = QUICK_TEST_ROWS if settings.quick else TEST_ROWS
    steps, repeats = (QUICK_STEPS, QUICK_REPEATS) if settings.quick else (STEPS, settings.repeats)
    _check_length(delays[-1], settings.length)
    found = compare_baselines(
        architectures(max(3, delays[-1]), settings.window),
        draw=lambda rng: copies(rng, drawn_delay(rng, delays[-1]), ROWS, settings.length),
        at=lambda rng, delay: copies(rng, delay, test_rows, settings.length),
        distances=delays,
        n_symbols=N_SYMBOLS,
        n_answers=KINDS,
        steps=steps,
        repeats=repeats,
        seed=settings.seed,
        on_progress=on_progress,
    )
    # a cue stands as many symbols after its own symbol as there are symbols and blanks
    claims = claims_of(found, distance_word="delay", offset=SHOWN, window=settings.window)
    return Study(
        name="copy",
        question=f"Which networks still know {SHOWN} symbols after a delay?",
        conclusion=conclusion_of(found, distance_word="delay")
        + f" Knowing both symbols but not their order gives {ORDER_UNKNOWN:.2f}.",
        claims=claims,
        tables={"accuracy": table_of(found, distance_word="delay")},
        setting={
            "symbols": KINDS, "shown": SHOWN, "steps": steps, "rows": ROWS, "repeats": repeats, "seed": settings.seed,
            "window": settings.window, "layers": LAYERS, "parameters": PARAMETERS, "test_rows": test_rows,
            "length": settings.length, "chance": found.chance, "order_unknown": ORDER_UNKNOWN,
        },
    )  # fmt: skip


def needed(delay: int) -> int:
    """Symbols of a sequence of this delay: shown ones, blanks, and as many cues."""
    return 2 * SHOWN + delay


def _check_length(delay: int, length: int) -> None:
    if length and needed(delay) > length:
        raise UsageError(
            f"a delay of {delay} needs {needed(delay)} symbols, and sequences have {length}: shorten --delays or raise"
            " --length."
        )


def drawn_delay(rng: np.random.Generator, longest: int) -> int:
    """Draw a delay from 1 to the longest, evenly in its logarithm: short ones teach what long ones only test."""
    return max(1, round(math.exp(rng.uniform(0, math.log(longest)))))


def copies(rng: np.random.Generator, delay: int, rows: int, length: int = 0) -> Batch:
    """Make sequences of one delay; [rows, 2 SHOWN + delay], or [rows, length] with blanks in front.

    Raises UsageError where the delay does not fit the length.
    """
    _check_length(delay, length)
    total = length or needed(delay)
    start = total - needed(delay)
    shown = rng.integers(0, KINDS, (rows, SHOWN))
    inputs = np.full((rows, total), BLANK, dtype=np.int64)
    inputs[:, start : start + SHOWN] = shown
    inputs[:, -SHOWN:] = CUE
    answers = np.full((rows, total), NOT_ASKED, dtype=np.int64)
    answers[:, -SHOWN:] = shown
    return Batch(inputs, answers)

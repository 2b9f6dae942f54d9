"""Nested brackets: the kind of a closing one is that of the opening one, which may stand hundreds of symbols before."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

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

KINDS = 4  # of brackets
CLOSE, FILLER = KINDS, KINDS + 1  # a closing bracket is shown as 'close': its kind is what is asked
N_SYMBOLS = KINDS + 2
DEPTH = 3  # the outer pair, and up to two pairs nested in one another within it
OPENS = 0.15  # probability that a place within the outer pair opens a bracket, where depth and length allow
CLOSES = 0.3  # probability that a place closes the innermost one
MOST_INSIDE = 12  # inner pairs of one sequence, so that long sequences are long in filler, not in brackets
DISTANCES, QUICK_DISTANCES = (10, 50, 100, 200), (10, 60)
STEPS, QUICK_STEPS = 600, 400
ROWS = 32
QUICK_REPEATS = 3


def study(settings: StudySettings, on_progress: Callable[[str], None]) -> Study:
    """Train all baselines on distances up to the longest; judge the outer pair at each distance."""
    distances = settings.distances or (QUICK_DISTANCES if settings.quick else DISTANCES)
    test_rows = QUICK_TEST_ROWS if settings.quick else TEST_ROWS
    steps, repeats = (QUICK_STEPS, QUICK_REPEATS) if settings.quick else (STEPS, settings.repeats)
    found = compare_baselines(
        architectures(max(3, distances[-1]), settings.window),
        draw=lambda rng: nested(rng, drawn_distance(rng, distances[-1]), ROWS),
        at=lambda rng, distance: outermost(nested(rng, distance, test_rows)),
        distances=distances,
        n_symbols=N_SYMBOLS,
        n_answers=KINDS,
        steps=steps,
        repeats=repeats,
        seed=settings.seed,
        on_progress=on_progress,
    )
    claims = claims_of(found, distance_word="distance", offset=0, window=settings.window)
    return Study(
        name="brackets",
        question="Which networks remember the kind of a closing bracket whose opening one is far back, others between?",
        conclusion=conclusion_of(found, distance_word="distance"),
        claims=claims,
        tables={"accuracy": table_of(found, distance_word="distance")},
        setting={
            "kinds": KINDS, "depth": DEPTH, "steps": steps, "rows": ROWS, "repeats": repeats, "seed": settings.seed,
            "window": settings.window, "layers": LAYERS, "parameters": PARAMETERS, "test_rows": test_rows,
            "chance": found.chance,
        },
    )  # fmt: skip


def drawn_distance(rng: np.random.Generator, longest: int) -> int:
    """Draw a distance from 2 to the longest, evenly in its logarithm."""
    return max(2, round(math.exp(rng.uniform(math.log(2), math.log(longest)))))


def nested(rng: np.random.Generator, distance: int, rows: int) -> Batch:
    """Make sequences whose outer pair lies a distance apart; int64 [rows, distance + 1].

    Within it stand filler and balanced inner pairs. Asked is the kind at every closing bracket.
    """
    inputs = np.full((rows, distance + 1), FILLER, dtype=np.int64)
    answers = np.full_like(inputs, NOT_ASKED)
    for row in range(rows):
        _fill(inputs[row], answers[row], rng)
    return Batch(inputs, answers)


def _fill(inputs: NDArray[np.int64], answers: NDArray[np.int64], rng: np.random.Generator) -> None:
    """Write one sequence in place, with a stack."""
    last = len(inputs) - 1
    drawn, kinds = rng.random(len(inputs)), rng.integers(0, KINDS, len(inputs))
    stack = [int(kinds[0])]
    inputs[0] = kinds[0]
    scale = min(1.0, MOST_INSIDE / (OPENS * last))
    for place in range(1, last):
        open_inside = len(stack) - 1
        must_close = last - place <= open_inside
        if open_inside and (must_close or drawn[place] < CLOSES):
            inputs[place], answers[place] = CLOSE, stack.pop()
        elif len(stack) < DEPTH and last - place > open_inside + 1 and drawn[place] > 1 - OPENS * scale:
            inputs[place] = kinds[place]
            stack.append(int(kinds[place]))
    inputs[last], answers[last] = CLOSE, stack.pop()


def outermost(batch: Batch) -> Batch:
    """Ask for the last closing bracket alone, whose opening one is the first symbol."""
    answers = np.full_like(batch.answers, NOT_ASKED)
    answers[:, -1] = batch.answers[:, -1]
    return Batch(batch.inputs, answers)

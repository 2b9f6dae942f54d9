"""Nested brackets against a stack that reads them again."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genolstm.studies import brackets
from genolstm.studies.learning import NOT_ASKED


@given(st.integers(2, 120), st.integers(0, 10_000))
def test_every_closing_bracket_asks_for_the_kind_that_a_stack_finds(distance, seed):
    batch = brackets.nested(np.random.default_rng(seed), distance, 5)
    assert batch.inputs.shape == (5, distance + 1)
    for symbols, answers in zip(batch.inputs.tolist(), batch.answers.tolist(), strict=True):
        stack, deepest = [], 0
        for place, (symbol, answer) in enumerate(zip(symbols, answers, strict=True)):
            if symbol < brackets.KINDS:
                assert answer == NOT_ASKED
                stack.append(symbol)
            elif symbol == brackets.CLOSE:
                assert answer == stack.pop()
                assert bool(stack) == (place < distance)  # the outer pair is closed by the last symbol alone
            else:
                assert (symbol, answer) == (brackets.FILLER, NOT_ASKED)
            deepest = max(deepest, len(stack))
        assert not stack
        assert deepest <= brackets.DEPTH


def test_long_sequences_hold_inner_pairs_of_every_kind():
    batch = brackets.nested(np.random.default_rng(1), 200, 100)
    inner = batch.inputs[:, 1:]
    opened = (inner < brackets.KINDS).sum(1)
    assert 4 < opened.mean() <= brackets.MOST_INSIDE + 1
    assert set(inner[inner < brackets.KINDS].tolist()) == set(range(brackets.KINDS))


def test_outermost_asks_for_the_first_bracket_alone():
    batch = brackets.outermost(brackets.nested(np.random.default_rng(1), 30, 8))
    assert (batch.answers[:, -1] == batch.inputs[:, 0]).all()
    assert (batch.answers[:, :-1] == NOT_ASKED).all()


@pytest.mark.parametrize("longest", [2, 50])
def test_drawn_distances_stay_within_bounds(longest):
    rng = np.random.default_rng(1)
    drawn = [brackets.drawn_distance(rng, longest) for _ in range(500)]
    assert (min(drawn), max(drawn)) == (2, longest)

"""Text in pictures: literal, on one line, of bounded length; numbers as far as their intervals reach."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from matplotlib.cbook import is_math_text

from genolstm.figures.text import LONGEST, interval, literal, plain, short, shortened


@given(st.text(max_size=80))
@example("_hidden")
@example("$x^2$")
def test_a_name_is_never_a_formula_and_never_hidden(name):
    told = plain(name)
    assert not is_math_text(told)
    assert not told.startswith("_")
    assert "\n" not in told
    assert len(told.replace(r"\$", "$").strip()) <= LONGEST


@pytest.mark.parametrize("length", [4, 5, 28, 29, 30, 300])
def test_a_long_name_keeps_both_ends(length):
    name = "".join(chr(ord("a") + place % 26) for place in range(length))
    told = shortened(name, 12)
    assert len(told) == min(length, 12)
    assert told[:4] == name[:4]
    assert told[-4:] == name[-4:]


def test_letters_that_the_font_lacks_become_boxes():
    assert literal("a\u67d3\nb$") == "a\u25a1\nb\\$"


@pytest.mark.parametrize(
    ("ends", "signed", "told"),
    [
        ((0.9651, 0.9583, 0.9724), False, "0.965 [0.958, 0.972]"),
        ((0.00164, 0.00139, 0.0019), True, "+0.00164 [+0.00139, +0.00190]"),
        ((-0.00001, -0.002, 0.5), False, "0.000 [-0.002, 0.500]"),
        ((1.0, 1.0, 1.0), False, "1.000 [1.000, 1.000]"),
        ((0.5, float("nan"), float("nan")), False, "0.500 [nan, nan]"),
    ],
)
def test_an_interval_is_told_to_the_figures_that_it_leaves(ends, signed, told):
    assert interval(*ends, signed=signed) == told


@pytest.mark.parametrize(("value", "told"), [(40_000_000, "40 M"), (1536, "1.536 k"), (0.01, "0.01"), (0, "0")])
def test_large_numbers_have_prefixes(value, told):
    assert short(value) == told

"""Words for differences: gain, no gain, or too few positives to tell; close to zero."""

import numpy as np
import pytest

from genolstm.probes.verdicts import FEWEST_POSITIVES, is_close, lacking, positives_of, spelled_verdict, verdict_word
from genolstm.regions import Part
from genolstm.store.results import Estimate

ENOUGH = {Part.VALID: FEWEST_POSITIVES, Part.TEST: FEWEST_POSITIVES}


@pytest.mark.parametrize(
    ("low", "high", "word"), [(0.01, 0.1, "gain"), (0, 0.1, "no gain"), (-0.1, 0.1, "no gain"), (-0.2, -0.1, "no gain")]
)
def test_gain_needs_the_whole_interval_above_zero(low, high, word):
    assert verdict_word(Estimate((low + high) / 2, low, high), ENOUGH) == word
    assert verdict_word(Estimate((low + high) / 2, low, high)) == word


@pytest.mark.parametrize("part", [Part.VALID, Part.TEST])
def test_too_few_positives_in_either_part_tell_nothing(part):
    few = {**ENOUGH, part: FEWEST_POSITIVES - 1}
    assert verdict_word(Estimate(0.5, 0.4, 0.6), few) == "cannot tell"
    assert lacking(few) == (
        f"a verdict needs 30 positives in validation and in test, and there are 29 in {part.name.lower()}"
    )
    assert lacking(ENOUGH) == ""


@pytest.mark.parametrize(
    ("verdict", "low", "high", "spelled"),
    [
        ("gain", 0.01, 0.1, "gain"),
        ("no gain", -0.1, 0.1, "no gain"),
        ("no gain", -0.2, -0.1, "worse"),
        ("no gain", np.nan, np.nan, "no gain"),
        ("cannot tell", -0.2, -0.1, "cannot tell"),
    ],
)
def test_text_says_worse_where_the_whole_interval_is_below_zero(verdict, low, high, spelled):
    assert spelled_verdict(verdict, Estimate((low + high) / 2, low, high)) == spelled


def test_positives_are_counted_in_validation_and_test():
    label = np.array([1, 1, 0, 1, 1, 1, 0])
    part = np.array([0, 1, 1, 2, 2, 2, 2], dtype=np.int8)
    assert positives_of(label, part) == {Part.VALID: 1, Part.TEST: 3}


@pytest.mark.parametrize(
    ("low", "high", "close"), [(0.002, 0.1, True), (-0.1, 0.009, True), (-0.1, 0.1, False), (0.02, 0.1, False)]
)
def test_a_verdict_is_close_where_an_end_of_its_interval_is_near_zero(low, high, close):
    assert is_close(Estimate(0.05, low, high)) is close

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from genolstm.comparing.measured import Groups, Measured, drawn_mean, equal_blocks, two_sided_p, widened
from genolstm.errors import UsageError
from genolstm.estimate import holm


def measured(values, drawn, **options):
    """One measure of some files."""
    return Measured(target="t", measure="m", values=np.array(values), drawn=drawn, **options)


def test_holm_multiplies_by_what_is_left_and_never_falls():
    # 0.01 x 3; 0.03 x 2; 0.04 x 1 is below 0.06, and takes it
    assert holm([0.03, 0.01, 0.04]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_each_p_and_bonferroni(p):
    for adjusted, each in zip(holm(p), p, strict=True):
        assert each <= adjusted <= min(1, each * len(p)) + 1e-12


def test_two_sided_p_is_twice_the_smaller_side_and_never_zero():
    assert two_sided_p(np.ones(999)) == pytest.approx(2 / 1000)
    assert two_sided_p(np.append(-np.ones(9), np.ones(990))) == pytest.approx(20 / 1000)
    assert two_sided_p(np.zeros(100)) == 1
    assert two_sided_p(np.array([1.0, np.nan, 1.0])) == pytest.approx(2 / 3)


def test_interval_of_seeds_alone_has_the_width_of_students():
    """Without blocks, the interval of a mean over seeds is that of Student's t."""
    seeds, rng = 6, np.random.default_rng(3)
    values = rng.normal(size=seeds)
    drawn = np.repeat(values[:, None], 20_000, axis=1)
    low, high = np.quantile(drawn_mean(drawn, rng, seeds - 1), [0.025, 0.975])
    half = stats.t.ppf(0.975, seeds - 1) * values.std(ddof=1) / np.sqrt(seeds)
    assert (high - low) / 2 == pytest.approx(half, rel=0.1)


def test_equal_blocks_count_as_they_are_and_unequal_ones_as_fewer():
    assert equal_blocks(np.full(7, 30)) == pytest.approx(7)
    assert equal_blocks(np.array([100, 1, 1])) == pytest.approx(102**2 / 10_002)


@pytest.mark.parametrize("blocks", [5, 8])
def test_null_of_few_blocks_is_kept_in_nineteen_of_twenty(blocks):
    """Drawn as they are, the intervals of 8 blocks would exclude zero in 12 of 100 draws."""
    rng, wrong, as_drawn, draws = np.random.default_rng(blocks), 0, 0, 1_000
    for _ in range(draws):
        values = rng.normal(size=blocks)
        means = (rng.multinomial(blocks, np.full(blocks, 1 / blocks), size=400) @ values / blocks)[None]
        for each in (0, 1):
            drawn = widened(means, values.mean(keepdims=True), blocks, rng)[0] if each else means[0]
            low, high = np.quantile(drawn, [0.025, 0.975])
            wrong, as_drawn = wrong + each * (low > 0 or high < 0), as_drawn + (1 - each) * (low > 0 or high < 0)
    assert wrong / draws < 0.075
    assert as_drawn > wrong


def test_files_of_one_group_give_mean_spread_and_a_wider_interval():
    rng = np.random.default_rng(4)
    values = np.array([0.5, 0.6, 0.7])
    each = measured(values, values[:, None] + 0.001 * rng.normal(size=(1, 1000)))
    (one,) = Groups(["a", "a", "a"], seed=1).values(each)
    assert one.value == pytest.approx(0.6)
    assert one.sd == pytest.approx(0.1)
    assert one.files == 3
    assert one.low < 0.5
    assert one.high > 0.7
    alone = Groups(["a", "b", "c"], seed=1).values(each)
    assert [row.files for row in alone] == [1, 1, 1]
    assert alone[0].high - alone[0].low < 0.01
    assert np.isnan(alone[0].sd)


@pytest.mark.parametrize(("lower_is_better", "word"), [(False, "better"), (True, "worse")])
def test_larger_is_better_but_of_bits(lower_is_better, word):
    noise = 0.01 * np.random.default_rng(5).normal(size=(2, 1000))
    each = measured([2.0, 1.0], np.array([[2.0], [1.0]]) + noise, lower_is_better=lower_is_better)
    (found,) = Groups(["a", "b"], seed=1).differences([each])
    assert found.verdict == word
    assert (found.one, found.other, found.value) == ("a", "b", 1.0)


def test_difference_that_only_its_own_interval_shows_is_no_difference_among_many():
    """p of 0.02 alone passes; as one of twenty it does not."""
    rng = np.random.default_rng(6)
    shift = stats.norm.ppf(0.99)
    pair = [measured([shift, 0.0], np.stack([shift + rng.normal(size=4000), np.zeros(4000)]))]
    rest = [measured([0.0, 0.0], np.stack([rng.normal(size=4000), np.zeros(4000)])) for _ in range(19)]
    groups = Groups(["a", "b"], seed=1)
    assert groups.differences(pair)[0].verdict == "better"
    among = groups.differences([*pair, *rest])[0]
    assert among.low > 0
    assert among.p < 0.05 < among.p_adjusted
    assert among.verdict == "no difference"


def test_too_few_blocks_are_told_and_no_resamples_are_not_judged():
    few = measured([1.0, 2.0], np.ones((2, 100)), few_blocks=True)
    none = measured([1.0, 2.0], None)
    groups = Groups(["a", "b"], seed=1)
    assert [groups.differences([each])[0].verdict for each in (few, none)] == ["cannot tell", "not judged"]
    assert np.isnan(groups.differences([none])[0].low)


def test_resamples_too_few_for_any_corrected_p_are_refused():
    drawn = np.random.default_rng(7).normal(size=(4, 100))
    with pytest.raises(UsageError, match="100 resamples are too few to correct 6 differences: give --resamples 240"):
        Groups(["a", "b", "c", "d"], seed=1).differences([measured(np.zeros(4), drawn)])

"""What is asked of each part follows its device and its size."""

import pytest

from genolstm.bench import asked


def test_training_is_asked_more_of_on_a_gpu():
    assert (asked.of_training("cpu"), asked.of_training("cuda")) == (0.85, 0.90)


@pytest.mark.parametrize(("hidden", "ratio"), [(127, None), (128, 3.0), (511, 3.0), (512, 8.0), (1024, 8.0)])
def test_one_lane_is_outrun_by_more_where_units_are_many(hidden, ratio):
    assert asked.of_scoring_beside_one_lane(hidden) == ratio


@pytest.mark.parametrize(
    ("sampled", "device", "hidden", "lanes", "times"),
    [
        (True, "cpu", 8, 4, 1.05), (True, "cuda", 8, 4, 1.05), (False, "cuda", 8, 4, 1.5), (False, "cpu", 256, 64, 2.2),
        (False, "cpu", 255, 64, None), (False, "cpu", 256, 63, None),
    ],
)  # fmt: skip
def test_gates_may_take_a_multiple_of_the_forward(sampled, device, hidden, lanes, times):
    ratio = asked.of_gates(sampled=sampled, device=device, hidden=hidden, lanes=lanes)
    assert ratio == (None if times is None else pytest.approx(1 / times))

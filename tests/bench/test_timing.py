"""A part timed with several baselines, and what follows from the times."""

import json
import time

import pytest

from genolstm.bench.timing import Baseline, Bound, beside
from genolstm.bench.wording import sentence, table


@pytest.fixture
def timed(monkeypatch):
    """Function: bound -> timings of 100 bases in 1, 2 and 1 s beside two baselines."""

    def made(bound=None):
        # each round: ours, the first baseline, the second
        taken = [1, 4, 10, 2, 4, 10, 1, 5, 10]
        clock = iter([tick for seconds in taken for tick in (0, seconds)])
        monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
        calls = []
        baselines = [
            Baseline("one", lambda: calls.append("one")),
            Baseline("two", lambda: calls.append("two"), symbols=50),
        ]
        timings = beside("p", "bases", 100, lambda: calls.append("ours"), baselines, 3, shape="s", bound=bound)
        assert calls == ["ours", "one", "two"] * 4  # in turn, after a round that is not timed
        return timings

    return made


def test_every_baseline_is_held_against_the_same_run_of_ours(timed):
    one, two = timed()
    assert (one.rate, one.baseline_rate, one.ratio, one.low, one.high) == (100, 25, 4, 2, 5)
    # ten seconds for half as many bases are twenty for all
    assert (two.rate, two.baseline_rate, two.ratio, two.low, two.high) == (100, 5, 20, 10, 20)


def test_fraction_is_of_the_bound_and_of_each_peak(timed):
    bound = Bound(name="products", rate=400.0, flops=50.0, peaks={"fp32": 10_000.0, "fp16": 20_000.0})
    timing = timed(bound=bound)[0]
    assert timing.fraction == 0.25
    assert timing.peak_fractions == {"fp32": 0.5, "fp16": 0.25}
    assert "0.25 of products, 0.5 of the fp32 peak" in sentence(timing)
    told = json.loads(json.dumps(timing.to_json()))
    assert (told["share"], told["bound"]["peaks"]) == (0.25, bound.peaks)


def test_table_has_a_line_for_each_baseline_with_its_ratio_and_no_judgement(timed):
    header, first, second = table(timed())
    assert header.split() == [
        "part", "of", "rate", "baseline", "its", "rate", "ratio", "(low..high)", "fraction", "of", "the", "bound"
    ]  # fmt: skip
    assert first.split()[-3:] == ["4.00", "(2.00..5.00)", "-"]
    assert second.split()[-3:] == ["20.00", "(10.00..20.00)", "-"]

"""A part timed with several baselines, and what follows from the times."""

import json
import time

import pytest

from genolstm.bench.timing import Baseline, Bound, beside
from genolstm.bench.wording import sentence, table


@pytest.fixture
def timed(monkeypatch):
    """Function: asked ratios, bound -> timings of 100 bases in 1, 2 and 1 s beside two baselines."""

    def made(first=None, second=None, bound=None):
        # each round: ours, the first baseline, the second
        taken = [1, 4, 10, 2, 4, 10, 1, 5, 10]
        clock = iter([tick for seconds in taken for tick in (0, seconds)])
        monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
        calls = []
        baselines = [
            Baseline("one", lambda: calls.append("one"), asked=first),
            Baseline("two", lambda: calls.append("two"), symbols=50, asked=second),
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


def test_ratio_is_met_from_what_is_asked_on(timed):
    assert [timing.met for timing in timed(4.0, 20.1)] == [True, False]
    assert [timing.met for timing in timed()] == [None, None]


def test_share_is_of_the_bound_and_of_each_peak(timed):
    bound = Bound(name="products", rate=400.0, flops=50.0, peaks={"fp32": 10_000.0, "fp16": 20_000.0})
    timing = timed(bound=bound)[0]
    assert timing.share == 0.25
    assert timing.peak_shares == {"fp32": 0.5, "fp16": 0.25}
    assert "0.25 of products, 0.5 of the fp32 peak" in sentence(timing)
    told = json.loads(json.dumps(timing.to_json()))
    assert (told["share"], told["met"], told["bound"]["peaks"]) == (0.25, None, bound.peaks)


def test_table_says_met_short_or_nothing_asked_and_counts_them(timed):
    header, first, second, count = table(timed(4.0, 21.0))
    assert header.split()[:3] == ["part", "of", "rate"]
    assert first.split()[-3:] == ["4.00", "met", "-"]
    assert second.split()[-3:] == ["21.00", "SHORT", "-"]
    assert count == "1 of 2 ratios asked are met"
    assert table(timed(4.0))[2].split()[-3:] == ["-", "-", "-"]
    assert table(timed())[-1] == "0 of 0 ratios asked are met"

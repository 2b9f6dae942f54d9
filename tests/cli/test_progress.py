"""Progress in a log: a rate, and the time that is left once the rate is known."""

import logging
import time

import pytest

from genolstm.cli import terminal


@pytest.fixture
def shown(monkeypatch, caplog):
    """Function: rows of (seconds since the start, fraction done, symbols) -> lines of the log."""

    def lines(rows):
        now = [100.0]
        monkeypatch.setattr(time, "perf_counter", lambda: now[0])
        with caplog.at_level(logging.INFO, logger="genolstm"):
            line = terminal.ProgressLine("train", unit="bases", quiet=False)
            for seconds, share, done in rows:
                now[0] = 100.0 + seconds
                line.show(share, done, "1.9 bits/base")
        return [record.message for record in caplog.records]

    return lines


def test_nothing_is_told_of_the_time_left_before_the_rate_is_known(shown):
    # a minute's preparation, then the first steps: no rate follows from them
    assert shown([(60, 0.0, 0), (60.1, 0.0001, 10), (62, 0.01, 1000)]) == []


def test_preparation_before_the_first_symbols_is_no_part_of_the_rate(shown):
    assert shown([(60, 0.0, 0), (64, 0.25, 4000)]) == ["train 25%: 1,000 bases/s, 12 s left, 1.9 bits/base"]


def test_resumed_run_counts_from_where_it_stood(shown):
    assert shown([(0, 0.5, 5000), (10, 0.75, 7500)]) == ["train 75%: 250 bases/s, 10 s left, 1.9 bits/base"]

"""Loops that are compiled at first use: it is logged when it takes long."""

import logging

import pytest

from genolstm.readers import compiled


@pytest.fixture
def moment(monkeypatch, caplog):
    """Function: seconds that need no word -> what was logged while a function was compiled twice over."""

    def logged(seconds):
        monkeypatch.setattr(compiled, "A_MOMENT", seconds)
        monkeypatch.setattr(compiled.COMPILING, "logged", False)
        with caplog.at_level(logging.INFO, logger="genolstm"):
            for _ in range(2):
                compiled.numba.njit(lambda x: sum([x + y for y in range(9)]))(1)
        return [record.message for record in caplog.records if record.name == "genolstm.readers.compiled"]

    return logged


def test_compiling_that_takes_a_moment_is_logged_once(moment):
    assert moment(0.0) == ["compiling kernels (first use; a minute at most, and kept for later runs)"]


def test_quick_compiling_is_not_logged(moment):
    assert moment(1000.0) == []

"""Models that come with the package, found by name."""

from pathlib import Path

import pytest

from genolstm.errors import InputError
from genolstm.shipped import model_path, shipped_models

NAMES = list(shipped_models())


def test_there_is_a_model_to_start_from_small_enough_to_come_along():
    assert "pombe-256" in NAMES
    assert all(path.stat().st_size < 5_000_000 for path in shipped_models().values())


@pytest.mark.parametrize("name", NAMES)
def test_name_is_a_model(name):
    assert model_path(name) == shipped_models()[name]


@pytest.mark.parametrize("text", ["model.h5", "./pombe-256", "deep/pombe-256", "missing.h5"])
def test_path_stays_what_it_is(text):
    assert model_path(text) == Path(text)


def test_file_of_a_model_s_name_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("pombe-256").write_text("mine")
    assert model_path("pombe-256") == Path("pombe-256")


def test_word_that_is_neither_is_refused_with_the_names_there_are():
    with pytest.raises(InputError, match=r"'pombe-25' is no file, and no model .*: pombe-256.* 'genolstm models'"):
        model_path("pombe-25")

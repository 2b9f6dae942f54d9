"""Made genomes with long lags: what is asked, what is known, and what is judged."""

import numpy as np
import pytest

from genolstm.alphabet import DNA
from genolstm.figures.studies import pictures_of
from genolstm.figures.style import save
from genolstm.model import NextSymbolModel
from genolstm.settings.study import StudySettings
from genolstm.studies import long_lags

TEXT = np.array(list(DNA.letters))


@pytest.mark.parametrize("decided", [True, False])
def test_a_word_follows_its_enhancer_at_the_lag_where_it_is_decided(decided):
    rng = np.random.default_rng(1)
    stretch = long_lags.at_lag(rng, 50, 300, decided=decided)
    assert stretch.asked.sum() == 300
    text = ["".join(row) for row in TEXT[stretch.codes]]
    enhancers = [next(place for place in range(30) if row[place : place + 10] in KINDS) for row in text]
    kinds = np.array([KINDS[row[place : place + 10]] for row, place in zip(text, enhancers, strict=True)])
    words = np.array(["AC".index(row[-1]) for row in text])
    assert {len(row) - 1 - (place + 9) for row, place in zip(text, enhancers, strict=True)} == {50}
    assert all(row[-6:-1] == "GTGTG" for row in text)
    assert (kinds == words).mean() == (1.0 if decided else pytest.approx(0.5, abs=0.1))


KINDS = {"GAGAGAGAGA": 0, "GCGCGCGCGC": 1}


def test_what_is_asked_in_training_is_the_base_after_each_promoter():
    stretch = long_lags.made_genome(np.random.default_rng(2), 5000, 4)
    for lane in range(4):
        text = "".join(TEXT[stretch.codes[lane]])
        for place in np.flatnonzero(stretch.asked[lane]):
            assert text[place - 4 : place + 1] == "GTGTG"
            assert text[place + 1] in "AC"
    assert stretch.asked.sum() > 100


def test_lags_in_training_fall_as_one_over_x():
    stretch = long_lags.made_genome(np.random.default_rng(3), 60_000, 8)
    spans = []
    for lane in range(8):
        text = "".join(TEXT[stretch.codes[lane]])
        for place in np.flatnonzero(stretch.asked[lane]).tolist():
            start = max(text.rfind(kind, 0, place) for kind in KINDS)
            spans.append(place - (start + 9) + 1)
    spans = np.array(spans)
    for lag in (16, 32, 64, 128):
        assert (spans >= lag).mean() == pytest.approx(long_lags.SHORTEST / lag, rel=0.15)


def test_words_are_judged_alike_in_one_reading_and_in_pieces(monkeypatch):
    model = NextSymbolModel(long_lags.shapes(64)["GRU"], seed=1)
    stretch = long_lags.at_lag(np.random.default_rng(4), 200, 16)
    whole = long_lags.words_right(model, stretch)
    monkeypatch.setattr(long_lags, "READ_STEPS", 17)
    assert long_lags.words_right(model, stretch) == pytest.approx(whole)
    assert long_lags.words_right(model, stretch, stretch.codes.shape[1] - 1) == pytest.approx(whole)


@pytest.mark.slow
def test_a_short_lag_is_learned_and_a_reading_that_ends_before_the_enhancer_is_not_enough():
    model = NextSymbolModel(long_lags.shapes(64)["LSTM"], seed=1)
    long_lags.train(model, long_lags.made_genome(np.random.default_rng(5), 131_072, 16), 64)
    stretch = long_lags.at_lag(np.random.default_rng(6), 60, 200)
    assert long_lags.words_right(model, stretch)[0] > 0.95
    assert long_lags.words_right(model, stretch, 48)[0] < 0.7


def test_a_small_study_names_every_cell_chunk_and_lag_and_is_drawn(monkeypatch, tmp_path):
    monkeypatch.setattr(long_lags, "size_of", lambda _: long_lags.Size((20, 40), (16, 32), 256, 2, 8, 40))
    found = long_lags.study(StudySettings(), lambda _: None)
    assert len(found.claims) == 3 * 2 * 2 + 1
    assert not found.claims[0].holds
    assert "Not learned" in found.claims[0].because
    assert len(found.tables["right"]["lag"].values) == 12
    for picture in pictures_of(found):
        save(picture.figure, tmp_path / f"{picture.name}.png")

"""Borders of made chromatin: what is planted, and what is told of real ones."""

import numpy as np
import pytest

from genolstm.errors import InputError
from genolstm.figures.studies import pictures_of
from genolstm.figures.style import save
from genolstm.settings.study import StudySettings
from genolstm.studies import chromatin


@pytest.mark.parametrize("announced", [True, False])
def test_the_key_tells_of_a_border_only_where_it_is_announced(announced):
    codes, places = chromatin.made_genome(np.random.default_rng(1), 300, announced=announced)
    element, gap = len(chromatin.BOUNDARY_ELEMENT), chromatin.BETWEEN
    shares = []
    for rows in places:
        ends = rows[:, 1]
        elements = codes[rows[:, :1], ends[:, None] + np.arange(-element + 1, 1)]
        assert (elements == chromatin.BOUNDARY_ELEMENT).all()
        keys = codes[rows[:, :1], ends[:, None] - element - gap + np.arange(-2, 1)]
        shares.append((keys == chromatin.KEYS[0]).all(axis=1).mean())
    assert shares == ([1.0, 0.0] if announced else [pytest.approx(0.5, abs=0.06)] * 2)


def test_a_fall_is_the_difference_over_the_last_bases_of_the_element():
    rng = np.random.default_rng(2)
    shape = 200, 2 * chromatin.SHOWN + 1
    border, other = 0.9 + 0.01 * rng.normal(size=shape), 0.9 + 0.01 * rng.normal(size=shape)
    border[:, chromatin.SHOWN - 2 : chromatin.SHOWN + 1] -= 0.1
    blocks = np.arange(200) // 2
    found = chromatin.fall(chromatin.Pooled(border, other, blocks, blocks), rng)
    assert found.value == pytest.approx(-0.1, abs=0.003)
    assert found.high < -0.09
    nothing = chromatin.fall(chromatin.Pooled(other[:100], other[100:], blocks[:100], blocks[:100]), rng)
    assert nothing.low < 0 < nothing.high


def test_real_borders_are_taken_from_a_gates_file(monkeypatch):
    edges = {
        "kind": ["start", "start", "end"], "direction": ["into", "into", "out"],
        "measure": ["forget around", "resets around", "forget at"],
        "layer": np.zeros(3, int), "boundaries": np.full(3, 50), "difference": np.array([-0.02, 0.1, -0.3]),
        "low": np.array([-0.03, 0.05, -0.4]), "high": np.array([-0.01, 0.15, -0.2]),
        "p": np.array([0.001, 0.03, 0.001]), "p_adjusted": np.array([0.003, 0.09, 0.003]),
    }  # fmt: skip

    class Tables:
        pass

    Tables.edges = edges
    monkeypatch.setattr(chromatin, "read_gates_tables", lambda _: Tables)
    claims, table = chromatin.real_claims("gates.h5")
    assert [(claim.holds, claim.p) for claim in claims] == [(True, 0.001), (False, 0.03)]  # the second fails corrected
    assert len(table["kind"].values) == 3
    Tables.edges = {}
    with pytest.raises(InputError, match="holds no boundaries; run 'genolstm gates' again with --boundaries"):
        chromatin.real_claims("gates.h5")


def test_a_small_study_is_drawn(monkeypatch, tmp_path):
    for name, value in (("QUICK_STEPS", 2), ("ROWS", 40), ("TEST_ROWS", 40)):
        monkeypatch.setattr(chromatin, name, value)
    found = chromatin.study(StudySettings(quick=True), lambda _: None)
    assert len(found.claims) == 2
    for picture in pictures_of(found):
        save(picture.figure, tmp_path / f"{picture.name}.png")

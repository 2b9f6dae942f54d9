"""The made log, and gates read as `genolstm gates` reads them."""

from functools import partial

import numpy as np
import pytest
import torch

from genolstm.cells.memory import State
from genolstm.cells.replay import replay
from genolstm.figures.studies import pictures_of
from genolstm.figures.style import save
from genolstm.model import NextSymbolModel
from genolstm.settings.model import AlphabetName, ModelSettings
from genolstm.settings.study import StudySettings
from genolstm.studies import telemetry, telemetry_log, telemetry_trial
from genolstm.studies.intervals import auroc, auroc_interval
from genolstm.studies.next_symbols import read


def log_of(seed=1, sessions=4000, *, announced=False):
    rng = np.random.default_rng(seed)
    topics = telemetry_log.topics_of(rng)
    return topics, telemetry_log.draw_log(topics, rng, sessions, announced=announced)


def model_of(seed=1):
    return NextSymbolModel(ModelSettings(alphabet=AlphabetName.PROTEIN, hidden=6, forget_bias="1"), seed=seed)


def test_every_topic_uses_every_action_equally_often():
    topics, log = log_of()
    np.testing.assert_allclose(topics.sum(axis=1), 1)
    np.testing.assert_allclose(topics.sum(axis=2), 1)
    counts = np.bincount(log.codes[log.codes != telemetry_log.FILL], minlength=telemetry_log.ACTIONS)
    np.testing.assert_allclose(counts / counts.sum(), 1 / telemetry_log.ACTIONS, rtol=0.03)


def test_half_of_the_sessions_change_their_topic_at_the_loss_and_no_others():
    topics, log = log_of()
    assert log.lost.mean() == 0.5
    rows = np.arange(len(log.codes))

    def likeliest(first, last):
        # the topic under which the moves of a stretch of each session are most probable
        chances = np.zeros((len(rows), telemetry_log.TOPICS))
        for step in range(1, telemetry_log.LONGEST):
            inside = (step > first) & (step < last)
            before, after = log.codes[inside, step - 1], log.codes[inside, step]
            chances[inside] += np.log(topics[:, before, after]).T
        return chances.argmax(axis=1)

    changed = likeliest(0 * log.loss, log.loss) != likeliest(log.loss, log.lengths)
    assert changed[log.lost].mean() > 0.98
    assert changed[~log.lost].mean() < 0.02


def test_an_announced_loss_is_one_start_over_at_its_place():
    _, log = log_of(announced=True)
    starts = (log.codes == telemetry_log.START_OVER).sum(axis=1)
    np.testing.assert_array_equal(starts, log.lost.astype(int))
    lost = np.flatnonzero(log.lost)
    assert (log.codes[lost, log.loss[lost]] == telemetry_log.START_OVER).all()
    assert not (log_of()[1].codes == telemetry_log.START_OVER).any()


def test_the_gates_are_those_that_replay_rebuilds():
    _, log = log_of(sessions=40)
    model = model_of()
    found = telemetry_trial.gates_of(model, log.codes).forget
    longer = np.concatenate([log.codes, np.full((40, 1), telemetry_log.FILL, dtype=np.uint8)], axis=1)
    with torch.no_grad():
        reading = read(model, longer)
        empty = torch.zeros(40, 6)
        trace = replay(model.cells[0], reading.inputs[0], reading.layers[0], State(empty, empty))
    wanted = trace.gates.forget[:, 1:].numpy()  # step 0 reads the symbol before the first action
    inside = log.codes != telemetry_log.FILL
    np.testing.assert_allclose(found[inside], wanted[inside], rtol=1e-5)
    assert np.isnan(found[~inside]).all()


def test_a_gate_that_is_shut_at_the_loss_is_found():
    _, log = log_of(sessions=400)
    gates = np.full((*log.codes.shape, 3), 0.9, dtype=np.float32)
    lost = np.flatnonzero(log.lost)
    gates[lost, log.loss[lost]] = 0.3
    gates[log.codes == telemetry_log.FILL] = np.nan
    assert telemetry_trial.dip(gates, log) == pytest.approx(-0.6 / telemetry_trial.AFTER, rel=1e-4)
    score = -np.nanmean(gates, axis=(1, 2))
    assert auroc(score, log.lost) == 1
    assert auroc(telemetry_trial.best_column(np.nanmean(gates, axis=1), log.lost, np.arange(400) < 200), log.lost) == 1


def test_counts_know_nothing_of_a_silent_loss_and_all_of_an_announced_one():
    for announced, low, high in ((False, 0.45, 0.55), (True, 1.0, 1.0)):
        _, log = log_of(seed=3, announced=announced)
        counts = np.stack([(log.codes == each).sum(axis=1) for each in range(telemetry_log.START_OVER + 1)], axis=1)
        fitted = np.arange(len(counts)) < len(counts) // 2
        scores = telemetry_trial.discriminant(counts / log.lengths[:, None], log.lost, fitted)
        assert low <= auroc(scores[~fitted], log.lost[~fitted]) <= high


def test_a_small_study_has_a_row_for_every_score_and_network_and_is_drawn(monkeypatch, tmp_path):
    sizes = telemetry_trial.Size(2, 3, 40, 40)
    monkeypatch.setattr(telemetry, "size_of", lambda _: sizes)
    monkeypatch.setattr(telemetry, "auroc_interval", partial(auroc_interval, draws=20))
    found = telemetry.study(StudySettings(), lambda _: None)
    assert len(found.tables["auroc"]["auroc"].values) == 2 * 8 * 2
    claim = next(each for each in found.claims if each.name == "silent: separates")
    assert claim.holds == (claim.low > 0.5)
    assert f"{claim.value:.2f}" in found.conclusion
    for picture in pictures_of(found):
        save(picture.figure, tmp_path / f"{picture.name}.png")

"""The made log, and gates read as `genolstm gates` reads them."""

from functools import partial

import numpy as np
import pytest
import torch

from genolstm.cells.memory import State
from genolstm.cells.replay import replay
from genolstm.errors import InputError
from genolstm.figures.studies import pictures_of
from genolstm.figures.style import save
from genolstm.model import NextSymbolModel
from genolstm.readers.action_log import read_actions
from genolstm.settings.model import AlphabetName, ModelSettings
from genolstm.settings.study import StudySettings
from genolstm.studies import telemetry, telemetry_log, telemetry_trial, telemetry_user
from genolstm.studies.intervals import auroc, auroc_interval
from genolstm.studies.next_symbols import read
from genolstm.studies.telemetry_prompts import (
    NEVER,
    judge_prompts,
    prompting,
    smoothed,
    unlike_its_action,
    usual_by_action,
)


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


def test_a_prompt_before_the_loss_or_without_one_is_false_and_a_late_one_misses():
    _, log = log_of(sessions=8)
    log = log._replace(lost=np.array([True] * 5 + [False] * 3), loss=np.full(8, 30))
    at = np.array([30, 41, 42, 29, NEVER, 10, NEVER, NEVER])  # in time, in time, late, early, none; false, none, none
    found = judge_prompts(at, log, np.ones(8, dtype=bool))
    assert found.precision == 2 / 5
    assert found.recall == 2 / 5
    assert found.delay == (0 + 11) / 2
    assert found.f1 == pytest.approx(2 / 5)


def test_averages_of_scores_look_back_alone():
    scores = np.random.default_rng(1).normal(size=(3, 9))
    for over in (1, 3, 6):
        wanted = [[row[max(0, t + 1 - over) : t + 1].mean() for t in range(9)] for row in scores]
        np.testing.assert_allclose(smoothed(scores, over), wanted)
    later = scores.copy()
    later[:, 5:] = np.nan
    np.testing.assert_array_equal(smoothed(later, 3)[:, :5], smoothed(scores, 3)[:, :5])
    assert (smoothed(later, 3)[:, 5:] == -np.inf).all()


def test_a_score_that_knows_the_loss_prompts_at_once_and_chance_does_not():
    _, log = log_of(sessions=400)
    fitted = np.arange(400) < 200
    rng = np.random.default_rng(2)
    knows, guess = rng.random(log.codes.shape), rng.random(log.codes.shape)
    lost = np.flatnonzero(log.lost)
    knows[lost, log.loss[lost]] = 9
    found = prompting({"knows": knows, "guess": guess}, log, fitted)
    assert found["knows"].f1 > 0.95
    assert found["knows"].delay == pytest.approx(0, abs=0.2)
    assert found["guess"].f1 < 0.5


def test_where_nothing_is_lost_only_the_place_in_a_session_can_be_found():
    _, log = log_of(sessions=4000)
    fitted = np.arange(4000) < 2000
    rng = np.random.default_rng(4)
    knows = rng.random(log.codes.shape)
    lost = np.flatnonzero(log.lost)
    knows[lost, log.loss[lost]] = 9
    place = np.broadcast_to(np.arange(log.codes.shape[1], dtype=np.float64), log.codes.shape)
    names = (telemetry_trial.GATE, telemetry_trial.WRITES, telemetry_trial.CHANCE, telemetry_trial.PAUSE)
    scores = dict.fromkeys(names, rng.random(log.codes.shape)) | {
        telemetry_trial.GATE: knows, telemetry_trial.SO_FAR: place,
    }  # fmt: skip
    found = telemetry_trial.prompting_for_nothing(scores, log, fitted, rng)
    assert prompting({"knows": knows}, log, fitted)["knows"].f1 > 0.95
    assert found[telemetry_trial.GATE].f1 == pytest.approx(found[telemetry_trial.CHANCE].f1, abs=0.05)
    assert found[telemetry_trial.SO_FAR].f1 > found[telemetry_trial.GATE].f1 + 0.1


def test_a_gate_is_set_against_the_same_action():
    codes = np.array([[0, 1, 0, telemetry_log.FILL]], dtype=np.uint8)
    values = np.array([[0.2, 0.9, 0.4, np.nan]])
    usual = usual_by_action(values, codes)
    np.testing.assert_allclose(usual[:3], [0.3, 0.9, 0])
    np.testing.assert_allclose(unlike_its_action(values, codes, usual), [[-0.1, 0, 0.1, np.nan]], atol=1e-12)


def own_log(tmp_path, sessions=260, *, length=40, seed=3):
    """A log with rows out of order, a session of one action and an action without a name."""
    _, log = log_of(seed, sessions)
    rows = [
        f"s{session},{10 * step + session % 7},do{log.codes[session, step]}"
        for session in range(sessions)
        for step in range(length)
    ]
    rows[0], rows[1] = rows[1], rows[0]
    path = tmp_path / "actions.csv"
    path.write_text("session,time,action\n" + "\n".join([*rows, "alone,1,do1", "s3,9999,"]) + "\n")
    return path


def test_a_users_sessions_are_cut_and_go_on_as_others_did(tmp_path):
    sessions = telemetry_user.sessions_of(read_actions(own_log(tmp_path)), "actions.csv")
    assert sessions.records.skipped == {
        "rows put in order of time": 2, "rows without an action": 1, "sessions of one action": 1,
    }  # fmt: skip
    drawn = telemetry_user.draw_sessions(sessions, np.random.default_rng(1))
    log, whole = drawn.log, sessions.codes[drawn.rows]
    assert len(log.codes) + len(drawn.past) == 260
    assert log.lost.mean() == pytest.approx(0.5, abs=0.01)
    np.testing.assert_array_equal(log.codes[~log.lost], whole[~log.lost])
    for row in np.flatnonzero(log.lost):
        loss, length = log.loss[row], log.lengths[row]
        np.testing.assert_array_equal(log.codes[row, :loss], whole[row, :loss])
        tail = log.codes[row, loss:length]
        others = [each for each in np.flatnonzero(log.lost) if each != row]
        assert any(np.array_equal(whole[each, log.loss[each] :][: len(tail)], tail) for each in others)
        assert (log.codes[row, length:] == telemetry_log.FILL).all()


def test_a_users_log_is_studied_and_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(telemetry, "size_of", lambda _: telemetry_trial.Size(2, 3, 0, 0))
    monkeypatch.setattr(telemetry, "auroc_interval", partial(auroc_interval, draws=20))
    found = telemetry.study(StudySettings(log=str(own_log(tmp_path))), lambda _: None)
    assert found.records.skipped["sessions of one action"] == 1
    assert {claim.name.split(":")[0] for claim in found.claims} == {"own log"}
    assert set(found.tables["actions"]["action"].values) == {f"do{action}" for action in range(telemetry_log.ACTIONS)}
    assert all(name.startswith("s") for name in found.tables["sessions"]["session"].values)
    assert next(claim for claim in found.claims if claim.name.endswith("planted fall")).value > 0.9
    for picture in pictures_of(found):
        save(picture.figure, tmp_path / f"{picture.name}.png")


def test_a_log_too_short_or_of_one_action_is_refused(tmp_path):
    with pytest.raises(InputError, match="has 30 sessions of at least 24 actions, and 200 are needed"):
        telemetry_user.sessions_of(read_actions(own_log(tmp_path, 30)), "actions.csv")
    path = tmp_path / "same.csv"
    path.write_text("session,time,action\n" + "a,1,look\na,2,look\n")
    with pytest.raises(InputError, match="holds no action but 'look': there is nothing to foresee"):
        telemetry_user.sessions_of(read_actions(path), "same.csv")

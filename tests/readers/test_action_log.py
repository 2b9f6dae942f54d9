"""Logs of actions: what is read, put in order, left out, and refused with its row."""

import numpy as np
import pytest

from genolstm.errors import InputError
from genolstm.readers.action_log import read_actions


def log_of(tmp_path, text):
    path = tmp_path / "log.csv"
    path.write_text(text)
    return path


def test_rows_are_put_in_order_within_their_sessions_and_counted(tmp_path):
    rows = "b,2.5,look\na,2024-05-01T12:00:01,buy\nb,1,open\na,2024-05-01T12:00:00,open\nb,2.5,buy\nc,1,open\nb,3,\n"
    found = read_actions(log_of(tmp_path, "Session,Time,Action\n" + rows))
    assert found.sessions == ("b", "a")
    assert found.kinds == ("buy", "look", "open")
    assert found.session.tolist() == [0, 0, 0, 1, 1]
    assert [found.kinds[each] for each in found.action] == ["open", "look", "buy", "open", "buy"]  # equal times stay
    np.testing.assert_allclose(np.diff(found.time[found.session == 1]), [1.0])
    assert found.read == 7
    assert found.skipped == {
        "rows put in order of time": 4, "rows without an action": 1, "sessions of one action": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("session,when,action\na,1,x\n", "has the columns 'session,when,action' in row 1; name one 'session'"),
        ("session,time,action\na,soon,x\n", "row 2: 'soon' is no time; write seconds, or as 2024-05-01T12:00:00"),
        ("session,time,action\na,nan,x\n", "row 2: 'nan' is no time"),
        ("session,time,action\n,1,x\n", "row 2: the session is missing; name it, or leave the row out"),
        ("session,time,action\na,1,x\nb,1,x\n", "holds no session of two actions"),
        ("", "has the columns '' in row 1"),
    ],
)
def test_what_is_no_log_is_refused_with_its_row(tmp_path, text, message):
    path = log_of(tmp_path, text)
    with pytest.raises(InputError) as refused:
        read_actions(path)
    assert message in str(refused.value)
    assert str(path) in str(refused.value)

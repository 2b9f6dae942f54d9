"""`genolstm` called in this process, for fixtures that outlive one test; the fixture `run` is its like for one test."""

import contextlib
import io
import sys
from typing import NamedTuple

import pytest

from genolstm.cli.app import main


class Ended(NamedTuple):
    code: int
    out: str
    err: str


def called(*arguments: object) -> Ended:
    """Exit code, stdout and stderr of `genolstm ARGUMENTS`."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.setattr(sys, "argv", ["genolstm", *map(str, arguments)])
        try:
            main()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    return Ended(code, out.getvalue(), err.getvalue())

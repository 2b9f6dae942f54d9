"""Compilation of the few loops that NumPy cannot do, kept on disk between runs where that is possible."""

import logging
from collections.abc import Callable
from threading import Timer
from typing import Any, TypeVar, cast

import numba
import numpy as np
from llvmlite import ir
from numba.core import event, types
from numba.extending import intrinsic
from numpy.typing import NDArray

F = TypeVar("F", bound=Callable[..., Any])

log = logging.getLogger(__name__)

A_MOMENT = 1.0  # seconds of compiling that are not logged
INT32, BYTE_ALIGNED = ir.IntType(32), 1


class _Compiling(event.Listener):
    """Logs once that kernels are being compiled, when that takes more than a moment."""

    def __init__(self) -> None:
        self.depth, self.timer = 0, Timer(A_MOMENT, self.report)
        self.logged = False

    def on_start(self, _event: event.Event) -> None:
        """A function begins to be compiled, some within others; one that is read from the cache does not."""
        self.depth += 1
        if self.depth == 1 and not self.logged:
            self.timer = Timer(A_MOMENT, self.report)
            self.timer.daemon = True
            self.timer.start()

    def on_end(self, _event: event.Event) -> None:
        """It is compiled."""
        self.depth -= 1
        if not self.depth:
            self.timer.cancel()

    def report(self) -> None:
        """Log it, once."""
        self.logged = True
        log.info("compiling kernels (first use; a minute at most, and kept for later runs)")


COMPILING = _Compiling()
event.register("numba:compile", COMPILING)  # type: ignore[no-untyped-call]


def compiled(function: F) -> F:
    """Compile a function of arrays and numbers at its first call; the result is cached beside the source.

    Numba needs a writable place: ``__pycache__``, then the user's cache folder, or NUMBA_CACHE_DIR before both.
    Where there is none, as in a read-only container, each run compiles anew.
    """
    try:
        return cast("F", numba.njit(cache=True, nogil=True)(function))
    except RuntimeError:  # "cannot cache function: no locator available"
        return cast("F", numba.njit(nogil=True)(function))


@intrinsic
def _int32_at(typing: Any, data: Any, at: Any) -> Any:  # noqa: ANN401, ARG001  (types of numba's own)
    """Little-endian int32 that begins at any byte of a uint8 array, as int64; bounds are the caller's care.

    One load: put together from four bytes it takes the walker twice the time.
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:  # noqa: ANN401
        array = context.make_array(signature.args[0])(context, builder, values[0])
        place = builder.bitcast(builder.gep(array.data, [values[1]]), INT32.as_pointer())
        word = builder.load(place)
        word.align = BYTE_ALIGNED
        return builder.sext(word, ir.IntType(64))

    return types.int64(data, types.int64), generate


int32_at: Callable[[NDArray[np.uint8], int], int] = cast("Any", _int32_at)

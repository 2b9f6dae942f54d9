"""What a call from Python leaves as it found it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import torch

log = logging.getLogger("genolstm")


@contextmanager
def as_found() -> Iterator[None]:
    """Context, or decorator, after which torch draws and counts its threads as before.

    A model that is built draws first weights from the global generator before its own are set; nothing else does.
    """
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        try:
            yield
        finally:
            if torch.get_num_threads() != threads:
                torch.set_num_threads(threads)

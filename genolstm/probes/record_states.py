"""States of a model over records that stand alone, each read from its own start."""

from collections.abc import Iterator, Sequence

import numpy as np

from genolstm.alphabet import DNA, Codes
from genolstm.probes.state_sources import ModelStates, StateSource
from genolstm.states.sequences import pooled_in_sequences
from genolstm.stream.reader import GenomeReader


def record_states(windows: Sequence[Codes], *, memories: bool, ends: bool = False) -> StateSource:
    """Pooled states [N, 2 * 2 * D] of windows of DNA, for one task: forward, then the reverse complement.

    windows : codes of each.   memories : c beside h.   ends : each pass's first and last state too, [N, 2 * 4 * D].
    """
    assert DNA.complement is not None
    complement = DNA.complement
    flipped = [complement[each][::-1] for each in windows]
    symbols = sum(map(len, windows))

    def states(reader: GenomeReader, name: str) -> Iterator[ModelStates]:
        passes = [
            pooled_in_sequences(
                reader.model,
                each,
                memories=memories,
                ends=ends,
                on_progress=lambda read, before=before: reader.report(before + read, 2 * symbols),  # type: ignore[misc]
            )
            for before, each in ((0, windows), (symbols, flipped))
        ]
        yield ModelStates(name=name, states=np.concatenate(passes, axis=1))

    return states

"""Model files: the bits of their held-out parts side by side, for which there is no paired interval."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from genolstm.comparing.measured import Measured
from genolstm.errors import InputError
from genolstm.store.checkpoint import PartBits, read_checkpoint
from genolstm.store.comparison import Shared

BITS, EXCESS = "bits", "bits over the best Markov line"
HELD_OUT = ("test", "valid")
NO_INTERVAL = (
    "model files hold means, not bits by base, so that differences between them have no paired interval: score the"
    " models on one genome and compare the score files."
)


def measured_models(paths: Mapping[str, Path]) -> tuple[list[Measured], list[Shared], list[str]]:
    """Held-out bits of each model, and what they are over the best of its Markov lines; no resamples.

    Raises InputError where no held-out part was measured in all files.
    """
    parts = {name: _parts(path) for name, path in paths.items()}
    measured: list[Measured] = []
    shared: list[Shared] = []
    notes = [NO_INTERVAL]
    for part in HELD_OUT:
        if not all(part in each for each in parts.values()):
            continue
        bits = [each[part] for each in parts.values()]
        symbols = {each.symbols for each in bits}
        if len(symbols) > 1:
            notes.append(f"{part}: the models held out different bases, so that their bits are of different text.")
        shared.append(Shared(part, min(symbols), 0))
        model = np.array([each.model for each in bits])
        lines = np.array([each.best_line[1] for each in bits])
        for measure, values in ((BITS, model), (EXCESS, model - lines)):
            measured.append(
                Measured(target=part, measure=measure, values=values, drawn=None, lower_is_better=True)
            )  # fmt: skip
    if not measured:
        raise InputError(f"{' and '.join(paths)} have no held-out part in common; score them on one genome instead.")
    return measured, shared, notes


def _parts(path: Path) -> dict[str, PartBits]:
    """Parts that were measured, by name."""
    return {each.part: each for each in read_checkpoint(path).bits if np.isfinite(each.model)}


def setting_of(settings: Mapping[str, Any]) -> str:
    """Settings as text, less every seed: what models of one setting have in common."""
    return json.dumps(_without_seeds(settings), sort_keys=True)


def _without_seeds(value: Any) -> Any:  # noqa: ANN401  (any JSON)
    if isinstance(value, Mapping):
        return {name: _without_seeds(each) for name, each in value.items() if name != "seed"}
    return value

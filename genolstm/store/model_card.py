"""The card of a published model: data, licence, how it was made, and what its probes found."""

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

from genolstm.estimate import Estimate


@dataclass(frozen=True, kw_only=True)
class ProbeLine:
    """What one probe found for one target: the trained states beside the strongest of its controls.

    ranked : the score that the verdict is made from.   tested_on : contigs.   sites : of the test part.
    difference : trained minus control, paired.
    """

    task: str
    target: str
    verdict: str
    ranked: str
    trained: Estimate
    control: str
    of_control: Estimate
    difference: Estimate
    tested_on: tuple[str, ...]
    sites: int
    command: str


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """Origin of a published model. Commands name files without their folders.

    data, licence : of what it was trained on, as text.   command, version, device, seed, created : of its training.
    rounding : largest change of bits/symbol, of any held-out part, by rounding the weights to float16.
    """

    data: str
    licence: str
    command: str
    version: str
    device: str
    seed: int
    created: str
    rounding: float
    probes: tuple[ProbeLine, ...]

    def to_text(self) -> str:
        """As it stands in the file's attribute `card`."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_text(cls, text: str) -> "ModelCard":
        """Read what `to_text` wrote."""
        fields: dict[str, Any] = json.loads(text)
        fields["probes"] = tuple(_line(row) for row in fields["probes"])
        return cls(**fields)


def _line(row: dict[str, Any]) -> ProbeLine:
    estimates = {name: Estimate(*row[name]) for name in ("trained", "of_control", "difference")}
    return ProbeLine(**{**row, **estimates, "tested_on": tuple(row["tested_on"])})

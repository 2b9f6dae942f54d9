"""Acceptance ratios: the least rate, as a multiple of the baseline, with which a row of a table of speeds passes."""

import re
from collections.abc import Mapping
from typing import Any

TRAIN_CPU, TRAIN_GPU = 0.85, 0.90
SCORE = 0.9  # against a kernel in the same lanes
SCORE_ONE_LANE = ((512, 8.0), (128, 3.0))  # from so many units on, against one lane
GATES_SAMPLED = 1 / 1.05  # gates at a hundredth of the positions may take 1.05 times as long as the forward alone
GATES_EVERYWHERE_CPU, GATES_UNITS, GATES_LANES = 1 / 2.2, 256, 64  # at all positions, from this size on
GATES_EVERYWHERE_GPU = 1 / 1.5
FIXED = {"fasta": 3.0, "mods": 8.0, "fit": 100.0, "hdf5": 10.0}
BAM_LOOP, BAM_SAMTOOLS = 5.0, 0.7

SHAPE = re.compile(r"\d+x(?P<hidden>\d+), (?P<lanes>\d+) lanes")


def least_ratio(timing: Mapping[str, Any], device: str) -> float | None:
    """Acceptance ratio of one timing of 'genolstm bench --json'; None where there is none.

    timing : its part, baseline and shape ('1x256, 64 lanes x 512').   device : as told, 'cpu' or 'cuda (name)'.
    """
    part, _, kind = str(timing["part"]).partition(", ")
    on_cpu = device == "cpu"
    if part == "train":
        return TRAIN_CPU if on_cpu else TRAIN_GPU
    if part == "bam":
        return BAM_SAMTOOLS if "samtools" in timing["baseline"] else BAM_LOOP
    if part not in ("score", "gates"):
        return FIXED.get(part)
    size = SHAPE.match(timing["shape"])
    hidden, lanes = (int(size["hidden"]), int(size["lanes"])) if size else (0, 0)
    return _of_score(timing["baseline"], hidden) if part == "score" else _of_gates(kind, hidden, lanes, on_cpu=on_cpu)


def _of_score(baseline: str, hidden: int) -> float | None:
    if not baseline.endswith("one lane"):
        return SCORE
    return next((ratio for units, ratio in SCORE_ONE_LANE if hidden >= units), None)


def _of_gates(kind: str, hidden: int, lanes: int, *, on_cpu: bool) -> float | None:
    if kind == "1 % of positions":
        return GATES_SAMPLED
    if not on_cpu:
        return GATES_EVERYWHERE_GPU
    return GATES_EVERYWHERE_CPU if hidden >= GATES_UNITS and lanes >= GATES_LANES else None

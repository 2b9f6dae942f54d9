"""What each part is asked to reach: its rate as a multiple of the baseline's, the least that is good enough."""

SCORE_ONE_LANE = ((512, 8.0), (128, 3.0))  # from so many units on, against one lane
GATES_SAMPLED = 1 / 1.05  # gates at a hundredth of the positions may take 1.05 times as long as the forward alone
GATES_EVERYWHERE_CPU, GATES_UNITS, GATES_LANES = 1 / 2.2, 256, 64  # at all positions, from this size on
GATES_EVERYWHERE_GPU = 1 / 1.5
FASTA = 3.0
BAM_LOOP, BAM_SAMTOOLS = 5.0, 0.7
MODS = 8.0
FIT = 100.0
HDF5 = 10.0


def of_training(device: str) -> float:
    """Of a training step. device : 'cpu', 'cuda' ..."""
    return 0.85 if device == "cpu" else 0.90


def of_scoring() -> float:
    """Of scoring, against a kernel in the same lanes."""
    return 0.9


def of_scoring_beside_one_lane(hidden: int) -> float | None:
    """Of scoring, against a kernel that reads one sequence; nothing is asked of few units."""
    return next((asked for units, asked in SCORE_ONE_LANE if hidden >= units), None)


def of_gates(*, sampled: bool, device: str, hidden: int, lanes: int) -> float | None:
    """Of gates. sampled : at a hundredth of the positions; else at all, where little is asked of small networks."""
    if sampled:
        return GATES_SAMPLED
    if device != "cpu":
        return GATES_EVERYWHERE_GPU
    return GATES_EVERYWHERE_CPU if hidden >= GATES_UNITS and lanes >= GATES_LANES else None

"""How a model is trained, and on what."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from genolstm.errors import UsageError
from genolstm.settings.option import LARGEST_SEED, SAME_SEED, option
from genolstm.settings.quantities import parse_names, parse_numbers, parse_size
from genolstm.settings.record import Settings

LOOK_FRACTION = 0.02  # of a training's symbols in one validation: reading takes a third of a step's time, or less
LEAST_LOOK = 20_000  # symbols of a validation; the same ones each time, so that even few show which is better
CUDA_LANES, CUDA_CHUNK = 128, 128  # what stands for TrainSettings.lanes and .chunk on a GPU, which small steps starve


LARGEST_RATE_FACTOR = 8.0  # the largest that was tried


def rate_factor(lanes: int, chunk: int) -> float:
    """How many times the default learning rate suits a large batch: the root of its size over the default's.

    Gradients of a larger batch are less noisy; of Adam the rate goes with the square root (Malladi et al. 2022, "On the
    SDEs and scaling rules for adaptive gradient algorithms", NeurIPS).
    """
    size = lanes * chunk / (TrainSettings.lanes * TrainSettings.chunk)
    return min(LARGEST_RATE_FACTOR, max(1.0, math.sqrt(size)))


class DeviceName(StrEnum):
    """Where to compute."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    MPS = "mps"  # of 0.1.0; refused


class Precision(StrEnum):
    """Number format of the matrix products; weights and losses stay in float32.

    tf32 : float32 of which a product takes 10 bits of mantissa; CUDA alone has it.   fp16 : with a scaled loss, on CUDA
    alone.   bf16 : on a CPU alone.
    """

    FP32 = "fp32"
    TF32 = "tf32"
    BF16 = "bf16"
    FP16 = "fp16"


class AuxiliaryTask(StrEnum):
    """What a protein model can be trained to predict beside the next residue, of the residues so far."""

    CHARGE = "charge"
    HYDROPATHY = "hydropathy"


def auxiliary_tasks(names: Iterable[str]) -> tuple[AuxiliaryTask, ...]:
    """Read names of auxiliary tasks. Raises UsageError for one that is unknown or stands twice."""
    names = tuple(names)
    for name in names:
        if name not in set(AuxiliaryTask):
            raise UsageError(f"multitask '{name}' is not known; known are {', '.join(AuxiliaryTask)}.")
        if names.count(name) > 1:
            raise UsageError(f"multitask '{name}' is named twice; name it once.")
    return tuple(AuxiliaryTask(name) for name in names)


def _weights(text: str) -> tuple[float, ...]:
    return parse_numbers(text, "weights") if text else ()


def _tasks(text: str) -> tuple[AuxiliaryTask, ...]:
    return auxiliary_tasks(parse_names(text))


@dataclass(frozen=True, kw_only=True)
class TrainSettings(Settings):
    """How a model is trained.

    lanes : stretches of genome read side by side.   chunk : symbols between weight updates; gradients do not reach
    further. Small lanes x chunk learn more from each base; a GPU needs more lanes to be fast (CUDA_LANES, CUDA_CHUNK).
    bases, minutes : stop at whichever comes first; 0 means no such limit.   learning_rate : peak, after the warm-up.
    valid_looks : validations in a training.   valid_bases : symbols of the validation part in each, at most (both
    strands).   early_stop : validations without a better loss before stopping; 0 never stops early. checkpoint_minutes
    : between two resumable checkpoints.   clusters : file of protein clusters that are never split, '' for our own.
    weights : lanes of each of several genomes, relative to the others'; () in proportion to size.   folds, fold : K
    held-out sets, and which of them (from 1) this model is not trained on; 0 without folds.
    multitask : what else each state is trained to predict, see `training.multitask`; multitask_weight : of its error
    beside the bits.
    """

    lanes: int = option(16, "Stretches of genome read side by side; default 16, 128 on a GPU.", min=1, shown=None)
    chunk: int = option(64, "Bases between weight updates; default 64, 128 on a GPU.", min=1, shown=None)
    bases: int = option(
        40_000_000,
        "Stop after this many bases, both strands counted (40M, 1G); 0 for no such limit.",
        read=parse_size,
        shown="40M",
    )
    minutes: float = option(0.0, "Stop after this long; 0 for no such limit.", min=0)
    learning_rate: float = option(
        3e-3, "Peak learning rate of AdamW; on a GPU raised with the root of lanes x chunk, unless given.", "--lr"
    )
    warmup_share: float = 0.02
    final_share: float = 0.02  # the cosine ends at this fraction of the peak learning rate
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    precision: Precision = option(
        Precision.FP32, "Of the matrix products; weights stay float32. bf16 on a CPU; tf32, fp16 on CUDA."
    )
    valid_looks: int = 10
    valid_bases: int = 1_000_000
    early_stop: int = option(0, "Stop after this many validations without a better one; 0 never.", min=0)
    checkpoint_minutes: float = option(10.0, "Between two resumable checkpoints (OUTPUT.resume).", min=0)
    train_contigs: tuple[str, ...] = option((), "Train on these alone (comma separated).", read=parse_names)
    valid_contigs: tuple[str, ...] = option((), "Validate on these, whole.", read=parse_names)
    test_contigs: tuple[str, ...] = option((), "Never train on these; score them at the end.", read=parse_names)
    clusters: str = option("", "Proteins: TSV of representative and member (MMseqs2), in place of our own clusters.")
    multitask: tuple[AuxiliaryTask, ...] = option(
        (), "Proteins: also predict charge, hydropathy or both (comma separated).", read=_tasks
    )
    multitask_weight: float = option(0.3, "Of their squared error, beside the bits.", min=0)
    weights: tuple[float, ...] = option(
        (),
        "Several genomes: how much is read of each, relative to the others (1,2); default in proportion to size.",
        read=_weights,
    )
    folds: int = option(0, "Split the genome into this many held-out sets, and train a model for each; 0: one.", min=0)
    fold: int = option(0, "With --folds: train the model of this fold alone, counted from 1; 0: of every one.", min=0)
    seed: int = option(1, SAME_SEED, min=0, max=LARGEST_SEED)

    def look_bases(self, expected: int) -> int:
        """Symbols of one validation, so that all take a small part of the training's time. expected : symbols of it."""
        return min(self.valid_bases, max(LEAST_LOOK, round(LOOK_FRACTION * expected)))

    def __post_init__(self) -> None:
        object.__setattr__(self, "precision", Precision(self.precision))
        for name in ("train_contigs", "valid_contigs", "test_contigs"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        object.__setattr__(self, "multitask", auxiliary_tasks(self.multitask))
        object.__setattr__(self, "weights", tuple(self.weights))
        if not all(0 < weight < math.inf for weight in self.weights):
            raise UsageError(f"weights must be above 0, not {', '.join(f'{each:g}' for each in self.weights)}.")
        if self.folds == 1 or self.folds < 0:
            raise UsageError(f"folds must be 2 or more, not {self.folds}: one set is held out by --test-contigs.")
        if not 0 <= self.fold <= self.folds:
            raise UsageError(f"fold must be one of 1 to folds, and is {self.fold} of {self.folds}; give both.")
        if self.folds and (self.train_contigs or self.valid_contigs or self.test_contigs):
            raise UsageError("--folds choose what is held out; leave --train-contigs and the like out.")
        if not 0 <= self.multitask_weight < math.inf:
            raise UsageError(f"multitask weight must be 0 or more, not {self.multitask_weight}.")
        for name in ("lanes", "chunk", "valid_looks", "valid_bases"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)}.")
        for name in ("learning_rate", "clip_norm"):
            if not 0 < getattr(self, name) < math.inf:
                raise UsageError(f"{name} must be above 0, not {getattr(self, name)}.")
        for name in ("warmup_share", "final_share", "weight_decay"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} must lie between 0 and 1, not {getattr(self, name)}.")
        if self.bases <= 0 and self.minutes <= 0:
            raise UsageError("training needs an end: give --bases or --minutes.")

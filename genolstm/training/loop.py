"""The training loop: steps, records, validation losses, and the early stop."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from genolstm.lanes import BatchSource
from genolstm.store.checkpoint import HISTORY, LOOKS
from genolstm.training.steps import Run, StepRecord, diverged, fraction_done, record, refuse_diverged, steps

RECORDS = 400  # of a whole training, evenly over it


@dataclass(frozen=True, kw_only=True)
class Validation:
    """One measurement of the validation part: symbols trained on so far, and its bits per known symbol."""

    bases: int
    bits: float


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """What happened at one weight update; most have no record and no validation."""

    step: int
    record: StepRecord | None
    validation: Validation | None


@dataclass(kw_only=True)
class History:
    """Columns of all records and validations so far, as a checkpoint keeps them.

    looks : of the validations.   errors : of auxiliary tasks, by record.
    """

    records: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in HISTORY})
    looks: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in LOOKS})
    errors: list[tuple[float, ...]] = field(default_factory=list)

    def add(self, result: StepResult) -> None:
        """Add the record and the validation of a step, where it has them."""
        for columns, entry in ((self.records, result.record), (self.looks, result.validation)):
            if entry is not None:
                for name, column in columns.items():
                    column.append(getattr(entry, name))
        if result.record is not None:
            self.errors.append(result.record.errors)

    def errors_of(self, n_tasks: int) -> NDArray[np.float64]:
        """Errors of the auxiliary tasks, float64 [records, K]."""
        return np.array(self.errors, dtype=np.float64).reshape(-1, n_tasks)

    @property
    def last_bits(self) -> float:
        """Mean bits per symbol of the last twentieth of the records; NaN before the first."""
        tail = self.records["bits"][-max(1, len(self.records["bits"]) // 20) :]
        return sum(tail) / len(tail) if tail else math.nan


def train(run: Run, lanes: BatchSource, validate: Callable[[], float] | None) -> Iterator[StepResult]:
    """Train to the end, or to the early stop; yields a StepResult after each step. The caller may stop in between.

    Raises InputError when a loss or a weight is no number any more.
    validate : measures bits per symbol of the validation part; None where there is none.
    After an early stop the model carries the weights of its best validation.
    """
    settings = run.settings
    before = fraction_done(run.progress, settings)
    updates = steps(run, lanes)
    while not _stopped_early(run) and (step := next(updates, None)) is not None:
        after = fraction_done(run.progress, settings)
        recorded = record(run) if _crossed(before, after, RECORDS) else None
        validation = None
        if validate is not None and _crossed(before, after, settings.valid_looks):
            validation = Validation(bases=run.progress.bases, bits=validate())
            if not math.isfinite(validation.bits):
                raise diverged("the validation loss", run)
            run.model.train()
            _remember_best(run, validation.bits)
        before = after
        yield StepResult(step=step, record=recorded, validation=validation)
    if settings.early_stop and run.best:
        run.load_weights(run.best)
    refuse_diverged(run)


def _stopped_early(run: Run) -> bool:
    return 0 < run.settings.early_stop <= run.progress.looks_since_best


def _crossed(before: float, after: float, marks: int) -> bool:
    """Whether one of `marks` even marks of the way, the last at its end, lies in (before, after]."""
    return math.floor(after * marks) > math.floor(before * marks)


def _remember_best(run: Run, bits: float) -> None:
    progress = run.progress
    if bits < progress.best_bits:
        progress.best_bits, progress.looks_since_best = bits, 0
        if run.settings.early_stop:
            run.best = run.weight_arrays()
    else:
        progress.looks_since_best += 1

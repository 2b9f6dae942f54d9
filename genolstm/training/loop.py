"""The course of a training: steps, records, looks at the validation part, and the early stop."""

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
class Look:
    """One look at the validation part: symbols trained on so far, and its bits per known symbol."""

    bases: int
    bits: float


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """What happened at one weight update; most bring no record and no look."""

    step: int
    record: StepRecord | None
    look: Look | None


@dataclass(kw_only=True)
class History:
    """Columns of all records and looks so far, as a checkpoint keeps them; errors : of auxiliary tasks, by record."""

    records: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in HISTORY})
    looks: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in LOOKS})
    errors: list[tuple[float, ...]] = field(default_factory=list)

    def add(self, tick: StepResult) -> None:
        """Note what a tick brought."""
        for columns, entry in ((self.records, tick.record), (self.looks, tick.look)):
            if entry is not None:
                for name, column in columns.items():
                    column.append(getattr(entry, name))
        if tick.record is not None:
            self.errors.append(tick.record.errors)

    def errors_of(self, n_tasks: int) -> NDArray[np.float64]:
        """Errors of the auxiliary tasks, float64 [records, K]."""
        return np.array(self.errors, dtype=np.float64).reshape(-1, n_tasks)

    @property
    def last_bits(self) -> float:
        """Mean bits per symbol of the last twentieth of the records; NaN before the first."""
        tail = self.records["bits"][-max(1, len(self.records["bits"]) // 20) :]
        return sum(tail) / len(tail) if tail else math.nan


def train(run: Run, lanes: BatchSource, look: Callable[[], float] | None) -> Iterator[StepResult]:
    """Train to the end, or to the early stop; yields a StepResult after each step. The caller may stop in between.

    Raises InputError when a loss or a weight is no number any more.
    look : measures bits per symbol of the validation part; None where there is none.
    After an early stop the model carries the weights of its best look.
    """
    settings = run.settings
    before = fraction_done(run.progress, settings)
    updates = steps(run, lanes)
    while not _stopped_early(run) and (step := next(updates, None)) is not None:
        after = fraction_done(run.progress, settings)
        recorded = record(run) if _crossed(before, after, RECORDS) else None
        looked = None
        if look is not None and _crossed(before, after, settings.valid_looks):
            looked = Look(bases=run.progress.bases, bits=look())
            if not math.isfinite(looked.bits):
                raise diverged("the validation loss", run)
            run.model.train()
            _remember_best(run, looked.bits)
        before = after
        yield StepResult(step=step, record=recorded, look=looked)
    if settings.early_stop and run.best:
        run.load_weights(run.best)
    refuse_diverged(run)


def _stopped_early(run: Run) -> bool:
    return 0 < run.settings.early_stop <= run.progress.looks_since_best


def _crossed(before: float, after: float, marks: int) -> bool:
    """Tell whether one of `marks` even marks of the way, the last at its end, lies in (before, after]."""
    return math.floor(after * marks) > math.floor(before * marks)


def _remember_best(run: Run, bits: float) -> None:
    progress = run.progress
    if bits < progress.best_bits:
        progress.best_bits, progress.looks_since_best = bits, 0
        if run.settings.early_stop:
            run.best = run.weight_arrays()
    else:
        progress.looks_since_best += 1

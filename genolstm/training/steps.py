"""Training steps: truncated back-propagation through lanes that carry their state."""

import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genolstm.cells.memory import State
from genolstm.devices import float32_products, refuse_precision
from genolstm.errors import InputError, UsageError
from genolstm.lanes import Batch, BatchSource
from genolstm.model import AUTOCAST, NATS_PER_BIT, ModelOutput, NextSymbolModel
from genolstm.ranks import ALONE, Ranks
from genolstm.settings.train import Precision, TrainSettings
from genolstm.store.checkpoint import LARGEST_WEIGHT
from genolstm.training.multitask import Auxiliary, weighted
from genolstm.training.optimiser import FusedAdamW

AUXILIARY = "auxiliary."  # before the names of the heads' weights, where they stand beside the model's


@dataclass(frozen=True, kw_only=True)
class StepRecord:
    """How training went since the record before; plain numbers.

    bits : bits per known symbol, mean over the steps since then.   gradient_norm : mean, before clipping.
    errors : mean squared error of each auxiliary task, of standardised targets.
    """

    step: int
    bases: int
    bits: float
    gradient_norm: float
    learning_rate: float
    bases_per_second: float
    errors: tuple[float, ...] = ()


@dataclass(kw_only=True)
class Progress:
    """State of a training: with the weights, the optimiser and the lanes' state, all that a resumed run needs.

    updates : the optimiser's own count when the run is saved: fp16 skips the update of a step that overflows.
    bases : symbols read.   seconds : spent in steps.   record_* : the same at the last record.   sums : nats, known
    symbols and gradient norms since then, and of each auxiliary task the errors, then the counts, so that a run cut
    between two records goes on with the same record.
    """

    step: int = 0
    updates: int = 0
    bases: int = 0
    seconds: float = 0.0
    sums: tuple[float, ...] = (0.0, 0.0, 0.0)
    record_step: int = 0
    record_bases: int = 0
    record_seconds: float = 0.0
    loss_scale: float = 65536.0
    loss_scale_steps: int = 0
    best_bits: float = math.inf
    looks_since_best: int = 0


@dataclass(kw_only=True)
class Run:
    """A training in progress: the model, its optimiser, the state of this process's lanes, and where it stands."""

    model: NextSymbolModel
    optimiser: FusedAdamW
    scaler: torch.amp.GradScaler
    state: State
    settings: TrainSettings
    sums: Tensor  # float64 [3 + 2 K] on the device, since the last record: see Progress
    progress: Progress = field(default_factory=Progress)
    best: dict[str, NDArray[np.float32]] = field(default_factory=dict)  # of the best validation, for the early stop
    auxiliary: Auxiliary | None = None
    ranks: Ranks = ALONE

    def named_weights(self) -> dict[str, Tensor]:
        """Everything that is trained, by name: the model's weights, and those of the auxiliary heads."""
        heads = self.auxiliary.heads.named_parameters() if self.auxiliary else ()
        return {**dict(self.model.named_parameters()), **{f"{AUXILIARY}{name}": weight for name, weight in heads}}

    def weight_arrays(self) -> dict[str, NDArray[np.float32]]:
        """Copy of `named_weights`, on the CPU."""
        return {name: weight.detach().cpu().numpy().copy() for name, weight in self.named_weights().items()}

    def load_weights(self, weights: dict[str, NDArray[np.float32]]) -> None:
        """Set the weights to what `weight_arrays` returned."""
        self.model.load_weights({name: each for name, each in weights.items() if not name.startswith(AUXILIARY)})
        if self.auxiliary:
            with torch.no_grad():
                for name, weight in self.auxiliary.heads.named_parameters():
                    weight.copy_(torch.from_numpy(weights[f"{AUXILIARY}{name}"]))


def new_run(
    model: NextSymbolModel, settings: TrainSettings, auxiliary: Auxiliary | None = None, ranks: Ranks = ALONE
) -> Run:
    """Prepare training from a model's present weights, on its device, alone or with other processes.

    Raises UsageError for a precision that the device lacks, lanes that cannot be divided, or auxiliary tasks of several
    processes.
    """
    device = next(model.parameters()).device
    refuse_precision(settings.precision, device)
    if auxiliary and ranks.size > 1:
        raise UsageError("--multitask trains in one process; leave torchrun out.")
    mine = ranks.own_lanes(settings.lanes)
    heads = auxiliary.heads.parameters() if auxiliary else ()
    return Run(
        model=model,
        optimiser=FusedAdamW([*model.parameters(), *heads], weight_decay=settings.weight_decay),
        scaler=torch.amp.GradScaler(device.type, enabled=settings.precision is Precision.FP16),
        state=model.initial_state(mine.stop - mine.start),
        settings=settings,
        sums=torch.zeros(
            3 + 2 * (len(auxiliary.tasks) if auxiliary else 0),
            dtype=torch.float64,
            device=device,
        ),
        auxiliary=auxiliary,
        ranks=ranks,
    )


def fraction_done(progress: Progress, settings: TrainSettings) -> float:
    """How much of the training is behind us, 0 to 1: of the bases or of the minutes, whichever is further along."""
    by_bases = progress.bases / settings.bases if settings.bases > 0 else 0.0
    by_time = progress.seconds / (60 * settings.minutes) if settings.minutes > 0 else 0.0
    return min(1.0, max(by_bases, by_time))


def learning_rate(done: float, settings: TrainSettings) -> float:
    """Linear warm-up, then half a cosine to `final_share` of the peak (Loshchilov & Hutter 2017). done : 0 to 1."""
    if done < settings.warmup_share:
        return settings.learning_rate * (done + 1e-3) / (settings.warmup_share + 1e-3)
    along = (done - settings.warmup_share) / max(1e-12, 1 - settings.warmup_share)
    fall = 0.5 * (1 + math.cos(math.pi * along))
    return settings.learning_rate * (settings.final_share + (1 - settings.final_share) * fall)


def steps(run: Run, lanes: BatchSource) -> Iterator[int]:
    """Train until the settings' end; yields the step number after each update, with nothing copied to the host."""
    run.model.train()
    while fraction_done(run.progress, run.settings) < 1:
        began = time.perf_counter()
        with float32_products(run.settings.precision):
            _step(run, lanes)
        run.progress.bases += lanes.symbols(run.progress.step)
        run.progress.step += 1
        run.progress.seconds = run.ranks.from_main(run.progress.seconds + time.perf_counter() - began)
        yield run.progress.step


def _step(run: Run, lanes: BatchSource) -> None:
    """Read one chunk in every lane, each process its own, and update the weights once."""
    batch = lanes.batch(run.progress.step)
    known = (batch.codes[:, 1:] != run.model.alphabet.unknown).sum()  # of every lane: all processes divide by the same
    mine = run.ranks.own_lanes(len(batch.codes))
    codes = batch.codes[mine]
    keep = (~batch.reset[mine]).to(run.state.hidden.dtype).view(1, -1, 1)
    state = State(*(part * keep for part in run.state))
    run.optimiser.learning_rate = learning_rate(fraction_done(run.progress, run.settings), run.settings)
    run.optimiser.zero_grad()
    with _autocast(run):
        output = run.model.forward(codes[:, :-1], state)
    nats = run.model.nats(output.logits, codes[:, 1:]).sum()
    extra, errors = _auxiliary_loss(run, output, batch)
    run.scaler.scale(nats / known.clamp_min(1) + extra).backward()  # type: ignore[no-untyped-call]
    read = nats.detach().clone()
    run.ranks.sum_over_processes([read, *(weight.grad for weight in run.model.parameters() if weight.grad is not None)])
    as_scaled = cast(torch.optim.Optimizer, run.optimiser)  # as far as a scaler asks
    run.scaler.unscale_(as_scaled)
    norm = torch.nn.utils.clip_grad_norm_(run.model.parameters(), run.settings.clip_norm)
    if run.auxiliary:  # apart, so that heads of weight 0 leave the model's steps as they are
        torch.nn.utils.clip_grad_norm_(run.auxiliary.heads.parameters(), run.settings.clip_norm)
    run.scaler.step(as_scaled)
    run.scaler.update()
    run.state = State(*(part.detach().float() for part in output.state))  # gradients end at the chunk: truncated BPTT
    totals = torch.stack([read, known, torch.nan_to_num(norm, posinf=0.0)])
    run.sums += torch.cat([totals.to(run.sums.dtype), errors.to(run.sums.dtype)])


def _auxiliary_loss(run: Run, output: ModelOutput, batch: Batch) -> tuple[Tensor | float, Tensor]:
    """What the auxiliary tasks add to the loss, and their squared errors and counts: [2 K]."""
    if run.auxiliary is None:
        return 0.0, run.sums.new_zeros(0)
    if batch.place is None:
        raise ValueError("auxiliary tasks need lanes with the place of each symbol")
    sums, counts = run.auxiliary.squared_errors(output.layers[-1], batch.place)
    return weighted(sums, counts, run.settings.multitask_weight), torch.cat([sums.detach(), counts.to(sums.dtype)])


def diverged(what: str, run: Run) -> InputError:
    """The sentence that ends a training of which something is no number any more; what was written before it stays."""
    return InputError(
        f"{what} is no longer a number after {run.progress.bases:,} bases: the training diverged; lower --lr, or use"
        " --precision fp32. The last good checkpoint stays as it is (OUTPUT.resume, where one was written)."
    )


def refuse_diverged(run: Run) -> None:
    """Stop before weights that are no numbers, or beyond any use, are kept. Raises InputError."""
    for name, weight in run.named_weights().items():
        if not bool((weight.abs() < LARGEST_WEIGHT).all()):  # NaN is not smaller either
            raise diverged(f"the weight {name}", run)


def _autocast(run: Run) -> AbstractContextManager[object]:
    wanted = AUTOCAST.get(run.settings.precision)
    device = run.sums.device.type
    return nullcontext() if wanted is None else torch.autocast(device, dtype=wanted)


def record(run: Run) -> StepRecord:
    """Sum up the steps since the last record; waits for the device. Raises InputError when the loss is no number."""
    progress = run.progress
    nats, known, norms, *auxiliary = run.sums.tolist()
    tasks = len(auxiliary) // 2
    done = StepRecord(
        step=progress.step,
        bases=progress.bases,
        bits=nats / max(1, known) / NATS_PER_BIT,
        gradient_norm=norms / max(1, progress.step - progress.record_step),
        learning_rate=run.optimiser.learning_rate,
        bases_per_second=(progress.bases - progress.record_bases)
        / max(1e-9, progress.seconds - progress.record_seconds),
        errors=tuple(auxiliary[task] / max(1, auxiliary[tasks + task]) for task in range(tasks)),
    )
    if not math.isfinite(done.bits):
        raise diverged("the loss", run)
    run.sums.zero_()
    progress.record_step, progress.record_bases = progress.step, progress.bases
    progress.record_seconds = progress.seconds
    return done

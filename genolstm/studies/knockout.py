"""One gate held still at a time: what a trained network, its state and its gradients lose by it."""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genolstm.cells.fused import FusedCell, reference_cell
from genolstm.estimate import Estimate
from genolstm.model import NextSymbolModel
from genolstm.seeds import spawn
from genolstm.settings.model import ModelSettings
from genolstm.settings.study import StudySettings
from genolstm.store.study import Claim, Column, Study
from genolstm.studies.hidden_markov import draw, sticky_source, true_bits
from genolstm.studies.intervals import claimed, over_repeats, written
from genolstm.studies.knockout_gradients import SLOPE_FROM, Vanishing, slope_of, vanishing
from genolstm.studies.next_symbols import led, train

Floats = NDArray[np.float64]
KNOCKOUTS: dict[str, Mapping[str, float]] = {
    "intact": {},
    "write 0": {"write": 0.0},
    "forget 1": {"forget": 1.0},
    "forget 0": {"forget": 0.0},
    "read 0": {"read": 0.0},
}
UNITS = 24
STATES, STAY, CONCENTRATION, SYMBOLS = 4, 0.96, 0.4, 4  # a state lasts 25 symbols: there is something to remember
LENGTH = 128
TEST_SEQUENCES = 128
TRAIN_SEQUENCES = 2048
BATCH, LEARNING_RATE = 16, 5e-3
REACHES = 8  # steps over which a changed symbol is followed
ROUNDING = 1e-6  # float32 bits


class Size(NamedTuple):
    """repeats : trained networks.   steps : of each."""

    repeats: int
    steps: int


class Trial(NamedTuple):
    """One trained network. bits : by knockout.   sizes : mean |c| after each step, by knockout [T].

    reach : mean |change of h| so many steps after a symbol was changed, by knockout [REACHES]; 0 is the symbol itself.
    sealed : largest |c| of any unit and step with the write gate at 0.   true, composition : bits.
    """

    bits: dict[str, float]
    sizes: dict[str, Floats]
    reach: dict[str, Floats]
    sealed: float
    constant: float
    true: float
    composition: float


@torch.no_grad()
def hidden_and_memory(model: NextSymbolModel, codes: Tensor, held: Mapping[str, float]) -> tuple[Tensor, Tensor]:
    """Hidden states and memories of a model of one layer with gates held, each [N, T, H]. codes : [N, T]."""
    cell = model.cells[0]
    assert isinstance(cell, FusedCell)
    reference = reference_cell(cell)
    state = reference.initial_state(len(codes))
    signal = model.table[codes.long()]
    shown, remembered = [], []
    for step in range(codes.shape[1]):
        hidden, state = reference(signal[:, step : step + 1], state, held=held)
        shown.append(hidden[:, 0])
        remembered.append(state.memory)
    return torch.stack(shown, dim=1), torch.stack(remembered, dim=1)


def trial(settings: StudySettings, size: Size, repeat: int) -> Trial:
    """Train one LSTM on a source of its own and hold its gates, one at a time."""
    rng = spawn(settings.seed, "knockout", repeat)
    source = sticky_source(rng, states=STATES, symbols=SYMBOLS, stay=STAY, concentration=CONCENTRATION)
    model = NextSymbolModel(ModelSettings(hidden=UNITS, forget_bias="1"), seed=settings.seed, index=repeat)
    train(
        model,
        draw(source, rng, TRAIN_SEQUENCES, LENGTH),
        rng,
        steps=size.steps,
        batch=BATCH,
        learning_rate=LEARNING_RATE,
    )
    test = draw(source, rng, TEST_SEQUENCES, LENGTH)
    codes, targets = led(model, test)[:, :-1], torch.from_numpy(test)
    changed = codes.clone()
    changed[:, 1] = (changed[:, 1] + 1) % SYMBOLS
    bits, sizes, reach, sealed = {}, {}, {}, math.nan
    for name, held in KNOCKOUTS.items():
        hidden, memory = hidden_and_memory(model, codes, held)
        with torch.no_grad():
            bits[name] = float(model.nats(model.head(hidden), targets).double().mean()) / math.log(2)
        sizes[name] = memory.abs().mean(dim=(0, 2)).double().numpy()
        other, _ = hidden_and_memory(model, changed[:, : REACHES + 1], held)
        reach[name] = (other - hidden[:, : REACHES + 1]).abs().mean(dim=(0, 2)).double().numpy()[1:]
        if name == "write 0":
            sealed = float(memory.abs().max())
    frequency = np.bincount(test.ravel(), minlength=SYMBOLS) / test.size
    constant = float(-(np.log2(_head_probabilities(model)) * frequency).sum())
    return Trial(
        bits,
        sizes,
        reach,
        sealed,
        constant,
        float(true_bits(source, test).mean()),
        float(-(frequency * np.log2(frequency)).sum()),
    )


def _head_probabilities(model: NextSymbolModel) -> Floats:
    """Probabilities of a head with no input, [symbols]."""
    probabilities: Floats = torch.softmax(model.head.bias.detach().double(), dim=0).numpy()
    return probabilities


def study(settings: StudySettings, on_progress: Callable[[str], None]) -> Study:
    """Hold gates of trained networks, and push the write gate of a drawn one into saturation."""
    size = Size(2, 200) if settings.quick else Size(settings.repeats, 1000)
    trials = []
    for repeat in range(size.repeats):
        trials.append(trial(settings, size, repeat))
        on_progress(f"network {repeat + 1} of {size.repeats}")
    gradients = vanishing(settings)
    return Study(
        name="knockout",
        question="What is each gate for: what is lost when it is held still?",
        conclusion=_conclusion(trials),
        claims=(*_state_claims(trials), *_gradient_claims(gradients), *_loss_claims(trials)),
        tables={
            "bits": _bits_table(trials), "sizes": _size_table(trials), "reach": _reach_table(trials),
            "gradients": _gradient_table(gradients),
        },
        setting={
            "repeats": size.repeats, "steps": size.steps, "units": UNITS, "length": LENGTH, "seed": settings.seed,
            "source": f"hidden Markov, {STATES} states, {SYMBOLS} symbols, stay {STAY:g}",
            "test_symbols": TEST_SEQUENCES * LENGTH,
        },
    )  # fmt: skip


def _cost(trials: list[Trial], name: str) -> Estimate:
    return over_repeats([each.bits[name] - each.bits["intact"] for each in trials])


def _state_claims(trials: list[Trial]) -> list[Claim]:
    sealed = max(each.sealed for each in trials)
    blind = max(abs(each.bits[name] - each.constant) for each in trials for name in ("write 0", "read 0"))
    growth = over_repeats([each.sizes["forget 1"][-1] / each.sizes["intact"][-1] for each in trials])
    later = over_repeats([float(each.reach["forget 0"][1:].sum() / each.reach["forget 0"].sum()) for each in trials])
    far = over_repeats([float(each.reach["forget 0"][-1] / each.reach["intact"][-1]) for each in trials])
    return [
        Claim(
            "sealed", "With the write gate at 0 nothing is ever written: the state never leaves its start.",
            sealed == 0, sealed, math.nan, math.nan, "largest |c|",
            f"Over {len(trials)} trained networks, {TEST_SEQUENCES} sequences of {LENGTH} steps and all units.",
        ),
        Claim(
            "shut is sealed", "With the write or the read gate at 0 the network knows no more than its output bias.",
            blind < ROUNDING * 10, blind, math.nan, math.nan, "bits",
            "Largest difference between the loss of either and that of softmax(bias) alone.",
        ),
        claimed(
            "never forgets", "With the forget gate at 1 the state grows on and on.", growth, "times the intact |c|",
            f"Mean |c| after {LENGTH} steps, beside the same networks intact.", above=1, repeats=len(trials),
        ),
        claimed(
            "only the present", "With the forget gate at 0 only the present symbol counts.", later,
            "fraction of the change",
            "Fraction of the change of h that comes after the step of a changed symbol: h itself still feeds the gates"
            f" and the candidate. {REACHES - 1} steps on, {written(far, 4)} of the intact network's change is left.",
            below=0.01, repeats=len(trials),
        ),
    ]  # fmt: skip


def _gradient_claims(found: Vanishing) -> list[Claim]:
    slope = slope_of(found)
    worst = float(np.max(found.norm / np.maximum(found.bound, np.finfo(np.float64).tiny)))
    ends = float(found.norm[np.abs(found.bias) == 800].max())
    return [
        Claim(
            "saturation", "The write gate's gradient vanishes as i (1 - i) when the gate saturates.",
            abs(slope + 1) < 0.01 and worst <= 1, slope, math.nan, math.nan, "ln norm per unit of bias",
            f"Slope beyond |b| = {SLOPE_FROM:g}, where i (1 - i) falls as e^-|b|; the norm is never above"
            f" {worst:.2f} of its bound, and exactly {ends:g} at |b| = 800.",
        ),
        Claim(
            "no candidate", "It vanishes where the candidate is 0.", found.no_candidate == 0, found.no_candidate,
            math.nan, math.nan, "norm", "Gradient by all weights and biases of the write gate, autograd in float64.",
        ),
        Claim(
            "held", "A write gate held at 0 learns nothing: its gradient is 0.", found.held == 0, found.held, math.nan,
            math.nan, "norm", "The same gradient with the gate held.",
        ),
    ]  # fmt: skip


def _loss_claims(trials: list[Trial]) -> list[Claim]:
    made = []
    for name in list(KNOCKOUTS)[1:]:
        cost = _cost(trials, name)
        made.append(
            claimed(
                f"cost of {name}", f"Holding {name.replace(' ', ' gate at ')} costs a trained network bits.",
                cost, "bits per symbol", f"Above the intact network on held-out symbols, {len(trials)} networks.",
                above=0, repeats=len(trials),
            )
        )  # fmt: skip
    return made


def _bits_table(trials: list[Trial]) -> dict[str, Column]:
    rows = [(name, *over_repeats([each.bits[name] for each in trials]), *_cost(trials, name)) for name in KNOCKOUTS]
    rows.append(("true probabilities", *over_repeats([each.true for each in trials]), *(math.nan,) * 3))
    rows.append(("composition", *over_repeats([each.composition for each in trials]), *(math.nan,) * 3))
    names, bits, low, high, cost, cost_low, cost_high = zip(*rows, strict=True)
    return {
        "held": Column(names, "", "gate and value; beside the source's own values"),
        "bits": Column(np.array(bits), "bits per symbol", "held out, mean over networks"),
        "low": Column(np.array(low), "bits per symbol", "95 % interval over networks"),
        "high": Column(np.array(high), "bits per symbol", ""),
        "cost": Column(np.array(cost), "bits per symbol", "above the intact network, paired"),
        "cost_low": Column(np.array(cost_low), "bits per symbol", "95 % interval"),
        "cost_high": Column(np.array(cost_high), "bits per symbol", ""),
    }


def _size_table(trials: list[Trial]) -> dict[str, Column]:
    return {
        "step": Column(np.arange(1, LENGTH + 1), "symbols", "read"),
        **{
            name: Column(np.mean([each.sizes[name] for each in trials], axis=0), "", "mean |c| over units and networks")
            for name in KNOCKOUTS
        },
    }


def _reach_table(trials: list[Trial]) -> dict[str, Column]:
    return {
        "lag": Column(np.arange(REACHES), "symbols", "since the symbol that was changed"),
        **{
            name: Column(np.mean([each.reach[name] for each in trials], axis=0), "", "mean |change of h|")
            for name in KNOCKOUTS
        },
    }


def _gradient_table(found: Vanishing) -> dict[str, Column]:
    order = np.argsort(found.bias)
    return {
        "bias": Column(found.bias[order], "", "of the write gate"),
        "norm": Column(found.norm[order], "", "gradient by the write gate's parameters"),
        "bound": Column(found.bound[order], "", "by i (1 - i)"),
    }


def _conclusion(trials: list[Trial]) -> str:
    costs = {name: _cost(trials, name) for name in list(KNOCKOUTS)[1:]}
    dearest = max(costs, key=lambda name: costs[name].value)
    return (
        "Held still, the gates cost a trained network "
        + ", ".join(f"{each.value:.2f} ({name})" for name, each in costs.items())
        + f" bits per symbol; the dearest is {dearest} ({written(costs[dearest])})."
    )

"""How long a memory lives behind a forget bias: closed form, a layer at initialisation, and leaky integrator."""

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor

from genolstm.cells.fused import FusedCell, reference_cell
from genolstm.cells.initial import forget_biases, initialise, nominal_half_life
from genolstm.cells.memory import MemoryCell
from genolstm.cells.replay import replay
from genolstm.cells.rules import FAMILY
from genolstm.estimate import Estimate
from genolstm.seeds import spawn, spawn_seed
from genolstm.settings.model import CellName
from genolstm.settings.study import StudySettings
from genolstm.store.study import Claim, Column, Study, Table
from genolstm.studies.intervals import over_repeats, written

Floats = NDArray[np.float64]

SYMBOLS = 4
UNITS, QUICK_UNITS = 64, 32
LANES, QUICK_LANES = 8, 4
HALF_LIVES_READ = 6  # nominal half-lives after which a memory that has not halved lives "at least" that long
SHORTEST_READ = 200
CLOSE = 0.1  # measured and nominal half-life agree when they differ by less than this fraction
CHRONO_UNITS = 4096
KERNEL_TAUS = (2.0, 10.0, 50.0)  # steps
KERNEL_STEPS = 400
MACHINE = 1e-12  # relative; float64 sums of a few hundred terms
QUICK_REPEATS = 3


def study(settings: StudySettings, on_progress: Callable[[str], None]) -> Study:
    """Measure half-lives of LSTM layers, units of a chrono layer, and impulse responses of constant gates."""
    repeats = QUICK_REPEATS if settings.quick else settings.repeats
    units, lanes = (QUICK_UNITS, QUICK_LANES) if settings.quick else (UNITS, LANES)
    measured: dict[float, Floats] = {}
    cut: dict[float, Floats] = {}
    fixed: dict[float, float] = {}
    decay: dict[str, list[float]] = {"bias": [], "step": [], "kept": [], "nominal": []}
    for bias in settings.biases:
        lives = []
        for repeat in range(repeats):
            kept = kept_after_pulse(bias, settings.seed, repeat, units=units, lanes=lanes)
            lives.append(first_half(kept))
            if repeat == 0:
                _note_decay(decay, bias, kept)
        measured[bias] = np.array(lives)
        cut[bias] = np.array(
            [
                first_half(kept_after_pulse(bias, settings.seed, repeat, units=units, lanes=lanes, recurrent=False))
                for repeat in range(repeats)
            ]
        )
        fixed[bias] = first_half(kept_by_constant_gate(bias, _steps(bias)))
        on_progress(f"bias {bias:g}: {np.mean(lives):.2f} steps, nominal {nominal_half_life(bias):.2f}")
    horizon = settings.chrono
    lifetimes = chrono_lifetimes(horizon, settings.seed)
    kernels = {tau: impulse_response(tau, KERNEL_STEPS) for tau in KERNEL_TAUS}
    claims = (
        _closed_form(fixed),
        _in_a_layer("in a layer", "an untrained LSTM layer", measured),
        _in_a_layer("recurrence cut", "an untrained LSTM layer whose recurrent weights are 0", cut),
        *_chrono_claims(lifetimes, horizon),
        _kernel_claim(kernels),
    )
    ratios = [_written_ratio(measured[bias], bias) for bias in settings.biases]
    return Study(
        name="half-life",
        question="How long does a memory live behind a forget bias?",
        conclusion=(
            "A gate of bias "
            + ", ".join(f"{bias:g}" for bias in settings.biases)
            + " alone halves a memory in "
            + ", ".join(f"{nominal_half_life(bias):.4g}" for bias in settings.biases)
            + " steps; in an untrained layer it takes "
            + ", ".join(ratios)
            + " times that, since the recurrence feeds the memory back (with recurrent weights of 0: "
            + ", ".join(_written_ratio(cut[bias], bias) for bias in settings.biases)
            + f"). chrono:{horizon} spreads time constants up to {lifetimes.max():.0f} steps, half-lives up"
            f" to {lifetimes.max() * math.log(2):.0f}."
        ),
        claims=claims,
        tables={
            "half_lives": _half_lives(measured, cut, fixed),
            "decay": _decay_table(decay),
            "chrono": _chrono_table(lifetimes, horizon),
            "kernels": _kernel_table(kernels),
        },
        setting={"units": units, "lanes": lanes, "repeats": repeats, "seed": settings.seed, "chrono": horizon},
    )


def kept_after_pulse(bias: float, seed: int, repeat: int, *, units: int, lanes: int, recurrent: bool = True) -> Floats:
    """Fraction of a pulse that an untrained LSTM layer still holds: ||difference of c|| of two runs, from 1; [T].

    Both runs read the same random symbols, but the first one differs; norms over units, then the mean over lanes.
    recurrent : False puts the recurrent weights to 0.
    """
    generator = torch.Generator().manual_seed(spawn_seed(seed, "half-life weights", repeat))
    cell = FusedCell(SYMBOLS, units, CellName.LSTM).double()
    initialise(cell, str(bias), generator)
    if not recurrent:
        with torch.no_grad():
            reference_cell(cell).weight_hh.zero_()
    rng = spawn(seed, "half-life symbols", repeat)
    steps = _steps(bias)
    symbols = rng.integers(0, SYMBOLS, (lanes, steps))
    other = symbols.copy()
    other[:, 0] = (symbols[:, 0] + rng.integers(1, SYMBOLS, lanes)) % SYMBOLS
    with torch.no_grad():
        difference = memory_of(cell, symbols) - memory_of(cell, other)  # [B, T, H]
    norms = difference.norm(dim=-1).numpy()
    fractions: Floats = (norms / norms[:, :1]).mean(0)
    return fractions


def memory_of(cell: FusedCell, symbols: NDArray[np.int64]) -> Tensor:
    """Memory c of a layer after each symbol [B, T], from the empty state; [B, T, H]."""
    rows = torch.nn.functional.one_hot(torch.from_numpy(symbols), cell.n_in).double()
    hidden, _ = cell(rows)
    return replay(cell, rows, hidden, reference_cell(cell).initial_state(len(rows))).memory


def kept_by_constant_gate(bias: float, steps: int) -> Floats:
    """As `kept_after_pulse`, by an LSTM cell that reads nothing but the pulse and whose gates know no state."""
    cell = MemoryCell(1, 1, FAMILY[CellName.LSTM]).double()
    with torch.no_grad():
        place = cell.rules.projections.index("forget")
        cell.bias_ih[place] = bias
        cell.weight_ih[cell.rules.projections.index("candidate")] = 1.0  # the pulse is what is written
    pulse = torch.zeros(1, steps, 1, dtype=torch.float64)
    pulse[:, 0] = 1.0
    with torch.no_grad():
        hidden, _ = cell(pulse)
        memory = replay(cell, pulse, hidden, cell.initial_state(1)).memory.flatten().numpy()
    fractions: Floats = memory / memory[0]
    return fractions


def first_half(kept: Floats) -> float:
    """Steps until a curve that starts at 1 first falls to one half, between steps by its logarithm; inf if never."""
    below = np.flatnonzero(kept <= 0.5)
    if not below.size:
        return math.inf
    after = int(below[0])
    upper, lower = math.log(kept[after - 1]), math.log(max(kept[after], 1e-300))
    return after - 1 + (upper - math.log(0.5)) / (upper - lower)


def _steps(bias: float) -> int:
    return max(SHORTEST_READ, math.ceil(HALF_LIVES_READ * nominal_half_life(bias)))


def chrono_lifetimes(horizon: int, seed: int) -> Floats:
    """Time constants -1/ln f, in steps, of the units of a layer begun with chrono:T; sorted [CHRONO_UNITS]."""
    cell = MemoryCell(1, CHRONO_UNITS, FAMILY[CellName.TIED])  # a layer whose U is never multiplied
    generator = torch.Generator().manual_seed(spawn_seed(seed, "half-life chrono"))
    initialise(cell, f"chrono:{horizon}", generator)
    log_forget = torch.nn.functional.logsigmoid(forget_biases(cell).double())
    lifetimes: Floats = np.sort(-1 / log_forget.numpy())
    return lifetimes


def chrono_fraction_below(lifetimes: Floats, horizon: int) -> Floats:
    """Fraction of units whose time constant is at most so many steps, were biases exactly ln U(1, T-1).

    f = u / (1 + u), so that tau = 1 / ln(1 + 1/u) and u = 1 / (exp(1/tau) - 1), which is even on (1, T-1).
    """
    fractions: Floats = np.clip((1 / np.expm1(1 / lifetimes) - 1) / (horizon - 2), 0, 1)
    return fractions


def impulse_response(tau: float, steps: int) -> Floats:
    """Memory of a cell of constant forget exp(-1/tau) after each step, written once with 1 at step 0; [steps]."""
    cell = MemoryCell(1, 1, FAMILY[CellName.EBBINGHAUS]).double()
    with torch.no_grad():
        cell.log_tau.fill_(math.log(tau))
        pulse = torch.zeros(1, steps, 1, dtype=torch.float64)
        pulse[:, 0] = 1.0
        response: Floats = cell(pulse)[0].flatten().numpy()
    return response


def fitted_tau(response: Floats) -> float:
    """Time constant of the exponential that fits a response best, by least squares on its logarithm, in steps."""
    return -1 / float(np.polyfit(np.arange(len(response)), np.log(response), 1)[0])


def _ratio(lives: Floats, bias: float) -> Estimate:
    """Half-lives over the nominal one, geometric mean; those not seen to end count as the steps read, no interval."""
    logs = over_repeats(np.log(np.minimum(lives, _steps(bias)) / nominal_half_life(bias)))
    ratio = Estimate(*(math.exp(end) for end in logs))
    return ratio if np.isfinite(lives).all() else Estimate(ratio.value, math.nan, math.nan)


def _written_ratio(lives: Floats, bias: float) -> str:
    return ("" if np.isfinite(lives).all() else "at least ") + written(_ratio(lives, bias))


def _closed_form(fixed: dict[float, float]) -> Claim:
    worst = max(abs(life / nominal_half_life(bias) - 1) for bias, life in fixed.items())
    return Claim(
        "closed form", "A gate of bias b alone halves a memory in ln 0.5 / ln sigmoid(b) steps.", worst < MACHINE,
        worst, math.nan, math.nan, "", f"largest relative difference of any bias, measured on an LSTM cell with"
        f" constant gates; rounding is below {MACHINE:g}",
    )  # fmt: skip


def _in_a_layer(name: str, where: str, measured: dict[float, Floats]) -> Claim:
    worst = max(measured, key=lambda bias: abs(math.log(_ratio(measured[bias], bias).value)))
    endless = [f"{bias:g}" for bias, lives in measured.items() if not np.isfinite(lives).all()]
    unseen = f"; of bias {' and '.join(endless)} some layers had not halved it when the run ended" if endless else ""
    return Claim(
        name, f"In {where} a memory has the nominal half-life of its forget bias.",
        all(abs(_ratio(lives, bias).value - 1) < CLOSE for bias, lives in measured.items()),
        *_ratio(measured[worst], worst), "times nominal",
        f"the bias farthest off is {worst:g}, over {len(measured[worst])} layers; it holds where each bias is within"
        f" {CLOSE:.0%}{unseen}",
    )  # fmt: skip


def _chrono_claims(lifetimes: Floats, horizon: int) -> tuple[Claim, Claim]:
    distance = float(stats.kstest(lifetimes, lambda values: chrono_fraction_below(values, horizon)).statistic)
    bound = float(stats.kstwo.ppf(0.95, len(lifetimes)))
    longest = float(lifetimes.max()) * math.log(2) / horizon
    return (
        Claim(
            "chrono spread", f"Time constants under chrono:{horizon} lie evenly from 1 to {horizon} steps.",
            distance < bound, distance, math.nan, math.nan, "",
            f"largest gap (Kolmogorov) to the closed form in {len(lifetimes)} units; by chance below {bound:.3f}",
        ),
        Claim(
            "chrono half-lives", f"Under chrono:{horizon} half-lives reach {horizon} steps.",
            longest > 1 - CLOSE, longest, math.nan, math.nan, "of T",
            "the longest half-life over T; a time constant reaches T, and a half-life is ln 2 of it",
        ),
    )  # fmt: skip


def _kernel_claim(kernels: dict[float, Floats]) -> Claim:
    worst = max(abs(fitted_tau(response) / tau - 1) for tau, response in kernels.items())
    return Claim(
        "leaky integrator", "A constant gate f is a leaky integrator: its kernel is exponential, tau = -1 / ln f.",
        worst < MACHINE * KERNEL_STEPS, worst, math.nan, math.nan, "",
        f"largest relative difference of fitted and true tau ({', '.join(f'{tau:g}' for tau in kernels)} steps)",
    )  # fmt: skip


def _half_lives(measured: dict[float, Floats], cut: dict[float, Floats], fixed: dict[float, float]) -> Table:
    table = {
        "forget_bias": Column(np.array(list(measured)), "", "effective bias of the forget gate"),
        "nominal": Column(np.array([nominal_half_life(bias) for bias in measured]), "steps", "ln 0.5 / ln sigmoid(b)"),
        "gate_alone": Column(np.array(list(fixed.values())), "steps", "measured with constant gates"),
    }
    for name, where, lives in (("layer", "in a layer", measured), ("cut", "without its recurrence", cut)):
        over = [_ratio(each, bias) for bias, each in lives.items()]
        scale = np.array([nominal_half_life(bias) for bias in lives])
        table |= {
            name: Column(np.array([each.value for each in over]) * scale, "steps", f"{where}, geometric mean"),
            f"{name}_low": Column(np.array([each.low for each in over]) * scale, "steps", "lower end of its interval"),
            f"{name}_high": Column(np.array([each.high for each in over]) * scale, "steps", "upper end"),
            f"{name}_endless": Column(
                np.array([np.isinf(each).sum() for each in lives.values()]), "layers",
                "where it had not halved when the run ended: the mean is then at least so much",
            ),
        }  # fmt: skip
    return table


def _note_decay(decay: dict[str, list[float]], bias: float, kept: Floats) -> None:
    forget = 0.5 ** (1 / nominal_half_life(bias))
    for step, fraction in enumerate(kept):
        decay["bias"].append(bias)
        decay["step"].append(step)
        decay["kept"].append(float(fraction))
        decay["nominal"].append(forget**step)


def _decay_table(decay: dict[str, list[float]]) -> Table:
    return {
        "forget_bias": Column(np.array(decay["bias"]), "", "effective bias of the forget gate"),
        "step": Column(np.array(decay["step"], dtype=np.int64), "steps", "after the pulse"),
        "kept": Column(np.array(decay["kept"]), "", "norm of what the pulse left in c, 1 at the pulse; first layer"),
        "nominal": Column(np.array(decay["nominal"]), "", "sigmoid(b) to the power of the step"),
    }


def _chrono_table(lifetimes: Floats, horizon: int) -> Table:
    return {
        "time_constant": Column(lifetimes, "steps", "-1 / ln f of each unit, sorted"),
        "half_life": Column(lifetimes * math.log(2), "steps", "ln 0.5 / ln f of each unit"),
        "expected_share": Column(
            chrono_fraction_below(lifetimes, horizon), "", "units with at most this time constant, by the closed form"
        ),
    }


def _kernel_table(kernels: dict[float, Floats]) -> Table:
    return {
        "tau": Column(np.array(list(kernels)), "steps", "time constant asked for"),
        "fitted_tau": Column(np.array([fitted_tau(each) for each in kernels.values()]), "steps", "of the response"),
        "first": Column(np.array([each[0] for each in kernels.values()]), "", "response at the pulse, 1 - f"),
    }

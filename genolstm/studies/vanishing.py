"""How gradients fade with lag, what keeps them in a held cell, and what lag costs in training samples."""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genolstm.cells.fused import FusedCell, reference_cell
from genolstm.cells.initial import initialise
from genolstm.cells.memory import Gates, remember
from genolstm.cells.replay import replay
from genolstm.estimate import Estimate
from genolstm.seeds import spawn, spawn_seed
from genolstm.settings.model import CellName
from genolstm.settings.study import StudySettings
from genolstm.store.study import Claim, Column, Study, Table
from genolstm.studies.intervals import over_repeats, written
from genolstm.studies.learning import NOT_ASKED, Architecture, Batch, RecurrentNetwork, accuracy, built, train
from genolstm.studies.vanishing_laws import fit_laws, law_claims, law_table, right_on_made

Floats = NDArray[np.float64]

KINDS = 4
FILLERS = 2  # symbols that come between, at random: what the memory must not take for the one to be kept
CUE = KINDS + FILLERS
N_SYMBOLS = KINDS + FILLERS + 1
CELLS = (CellName.RNN, CellName.GRU, CellName.LSTM)
ARCHITECTURES = {name: Architecture(name, name) for name in CELLS}
PARAMETERS = 3000
LAGS, QUICK_LAGS = (3, 5, 7, 10, 14, 20, 28, 40), (3, 4, 5, 7, 9, 12, 16, 20)
ROWS, TEST_ROWS = 32, 256
RATES = {CellName.RNN: 3e-3, CellName.GRU: 1e-2, CellName.LSTM: 1e-2}
MOST_STEPS, QUICK_MOST_STEPS = 500, 150  # then 'not reached'
CHECK_EVERY = 10  # steps between two evaluations of the test error
KNOWS = 0.95  # fraction of right answers that counts as learned
QUICK_REPEATS = 3
CAROUSEL_UNITS, CAROUSEL_STEPS = 8, 50
MACHINE = 1e-13  # relative, of a product of 50 gates in float64
KEEPS = 0.1  # fraction of the gradient at lag 0 that must be left for it to be called kept


class Learned(NamedTuple):
    """One network that was trained at one lag. samples : sequences read until it knew; inf when it never did."""

    network: RecurrentNetwork
    samples: float


def study(settings: StudySettings, on_progress: Callable[[str], None]) -> Study:
    """Measure gradients before and after training at each lag, samples needed, and the carousel."""
    lags = settings.lags or (QUICK_LAGS if settings.quick else LAGS)
    repeats = QUICK_REPEATS if settings.quick else settings.repeats
    most = QUICK_MOST_STEPS if settings.quick else MOST_STEPS
    before: dict[CellName, Floats] = {}
    after: dict[CellName, Floats] = {}
    samples: dict[CellName, Floats] = {}
    for cell in CELLS:
        starts, ends, needed = [], [], []
        for repeat in range(repeats):
            starts.append(gradient_by_lag(fresh(cell, settings.seed, repeat), lags[-1], settings.seed, repeat))
            learned = [until_learned(cell, lag, settings.seed, repeat, most) for lag in lags]
            needed.append([each.samples for each in learned])
            trained = _longest_learned(learned)
            ends.append(gradient_by_lag(trained, lags[-1], settings.seed, repeat))
            on_progress(
                f"{cell}, network {repeat + 1} of {repeats}: samples {', '.join(map('{:g}'.format, needed[-1]))}"
            )
        before[cell], after[cell], samples[cell] = np.array(starts), np.array(ends), np.array(needed)
    held, free = carousel(settings.seed)
    laws = fit_laws({str(cell): found for cell, found in samples.items()}, lags, float(most * ROWS))
    right = right_on_made(lags, repeats, spawn(settings.seed, "made samples")) if laws else math.nan
    return Study(
        name="vanishing",
        question="How far back does a gradient reach, and what does lag cost?",
        conclusion=_conclusion(before, after, samples, lags),
        claims=(
            _carousel_claim(held, free), *_gradient_claims(before, after), *_sample_claims(samples, lags, most),
            *law_claims(laws, lags=lags, right=right),
        ),
        tables={
            "gradients": _gradients(before, after),
            "samples": _samples_table(samples, lags),
            **({"laws": law_table(laws)} if laws else {}),
        },
        setting={
            "repeats": repeats, "seed": settings.seed, "parameters": PARAMETERS, "rows": ROWS,
            "most_samples": most * ROWS, "right_from": KNOWS, "longest_lag": lags[-1],
        },
    )  # fmt: skip


def fresh(cell: CellName, seed: int, repeat: int) -> RecurrentNetwork:
    """An untrained network of this cell."""
    made = built(ARCHITECTURES[cell], N_SYMBOLS, KINDS, parameters=PARAMETERS, seed=seed, index=repeat)
    return cast(RecurrentNetwork, made)


def recalls(rng: np.random.Generator, lag: int, rows: int) -> Batch:
    """Make sequences of a symbol, lag - 1 random fillers, and a cue that asks for the symbol; int64 [rows, lag + 1]."""
    inputs = rng.integers(KINDS, KINDS + FILLERS, (rows, lag + 1))
    inputs[:, 0] = rng.integers(0, KINDS, rows)
    inputs[:, -1] = CUE
    answers = np.full_like(inputs, NOT_ASKED)
    answers[:, -1] = inputs[:, 0]
    return Batch(inputs, answers)


def until_learned(cell: CellName, lag: int, seed: int, repeat: int, most: int) -> Learned:
    """Train at one lag, fresh sequences in every step, until the fraction of right answers on a test set is enough."""
    network = fresh(cell, seed, repeat)
    test = recalls(spawn(seed, "test", lag), lag, TEST_ROWS)
    samples = math.inf

    def done(step: int) -> bool:
        nonlocal samples
        if step % CHECK_EVERY == 0 and accuracy(network, test) >= KNOWS:
            samples = float(step * ROWS)
        return math.isfinite(samples)

    rng = spawn(seed, f"batches {lag}", repeat)
    train(network, lambda rng: recalls(rng, lag, ROWS), rng, steps=most, learning_rate=RATES[cell], done=done)
    return Learned(network, samples)


def _longest_learned(learned: list[Learned]) -> RecurrentNetwork:
    """Take the network of the longest lag that was learned; of the shortest lag where none was."""
    return next((each.network for each in reversed(learned) if math.isfinite(each.samples)), learned[0].network)


def gradient_by_lag(network: RecurrentNetwork, longest: int, seed: int, repeat: int) -> Floats:
    """Norm of d loss(t) / d x(t - lag), mean over sequences, for lags 0 to the longest; [longest + 1].

    The loss is that of the answer after the last symbol; x are the one-hot rows, moved freely.
    """
    batch = recalls(spawn(seed, "gradients", repeat), longest, TEST_ROWS)
    rows = torch.nn.functional.one_hot(torch.from_numpy(batch.inputs), N_SYMBOLS).to(network.head.weight.dtype)
    rows.requires_grad_()
    scores = network.scores(rows)[:, -1]
    loss = torch.nn.functional.cross_entropy(scores, torch.from_numpy(batch.answers[:, -1]), reduction="sum")
    (slopes,) = torch.autograd.grad(loss, rows)
    norms: Floats = slopes.norm(dim=-1).mean(0).flip(0).double().numpy()
    return norms


def carousel(seed: int) -> tuple[float, float]:
    """Largest error of d c_T / d c_0 [H, H] against the product of forget gates: with gates held, with gates let go.

    Errors are fractions of the product of the unit asked for; what one unit owes to another counts as error.
    An LSTM cell in float64, 50 random steps. Held gates are those of the run, taken as given; let go, they know h.
    """
    cell = FusedCell(N_SYMBOLS, CAROUSEL_UNITS, CellName.LSTM).double()
    initialise(cell, "1", torch.Generator().manual_seed(spawn_seed(seed, "carousel")))
    codes = spawn(seed, "carousel").integers(0, N_SYMBOLS, (1, CAROUSEL_STEPS))
    rows = torch.nn.functional.one_hot(torch.from_numpy(codes), N_SYMBOLS).double()
    reference = reference_cell(cell)
    with torch.no_grad():
        hidden, _ = cell(rows)
        gates = replay(cell, rows, hidden, reference.initial_state(1)).gates
    product = torch.diag(gates.forget[0].prod(0))
    jacobian: Callable[[Callable[[Tensor], Tensor], Tensor], Tensor] = torch.autograd.functional.jacobian
    held = jacobian(lambda start: carried(start, gates), reference.initial_state(1).memory[0])

    def let_go(start: Tensor) -> Tensor:
        state = reference.initial_state(1)
        _, last = reference(rows, state._replace(memory=start.unsqueeze(0)))
        memory: Tensor = last.memory[0]
        return memory

    free = jacobian(let_go, reference.initial_state(1).memory[0])
    scale = product.diagonal().unsqueeze(1)
    off_held, off_free = (float(((found - product).abs() / scale).max()) for found in (held, free))
    return off_held, off_free


def carried(start: Tensor, gates: Gates) -> Tensor:
    """Memory after all steps of held gates [1, T, H] from a memory [H]."""
    rules = reference_cell(FusedCell(1, 1, CellName.LSTM)).rules
    memory = start
    for step in range(gates.forget.shape[1]):
        now = Gates(*(None if gate is None else gate[0, step] for gate in gates))  # type: ignore[arg-type]
        memory = remember(memory, now, rules)
    return memory


def _left(norms: Floats) -> Estimate:
    """Gradient at the longest lag over that at lag 0; a geometric mean over networks."""
    found = over_repeats(np.log10(np.maximum(norms[:, -1], 1e-45) / norms[:, 0]))
    return Estimate(*(10**end for end in found))


def _carousel_claim(held: float, free: float) -> Claim:
    return Claim(
        "constant error carousel", "With gates held, d c_t / d c_(t-1) of an LSTM is f_t and nothing else.",
        held < MACHINE, held, math.nan, math.nan, "",
        f"largest error of d c_T / d c_0, as a fraction of the product of {CAROUSEL_STEPS} gates, in float64; with"
        f" gates let go, which know the state too, it is {free:.2g}",
    )  # fmt: skip


def _gradient_claims(before: Mapping[CellName, Floats], after: Mapping[CellName, Floats]) -> tuple[Claim, ...]:
    lag = before[CellName.RNN].shape[1] - 1
    claims = []
    for name, cell, outcome in (("RNN", CellName.RNN, "vanishes"), ("GRU", CellName.GRU, "is kept"),
                              ("LSTM", CellName.LSTM, "is kept")):  # fmt: skip
        for when, norms in (("at initialisation", before[cell]), ("after training", after[cell])):
            left = _left(norms)
            claims.append(
                Claim(
                    f"{name} {when}", f"The gradient of the {name} {outcome} over {lag} steps {when}.",
                    (left.value < KEEPS) == (outcome == "vanishes"), *left, "of that at lag 0",
                    f"called kept from {KEEPS:g} on; geometric mean of networks",
                )
            )  # fmt: skip
    return tuple(claims)


def _sample_claims(samples: Mapping[CellName, Floats], lags: tuple[int, ...], most: int) -> tuple[Claim, ...]:
    reached = {cell: [lag for lag, column in zip(lags, rows.T, strict=True) if np.isfinite(column).all()]
               for cell, rows in samples.items()}  # fmt: skip
    farthest = {cell: max(found, default=0) for cell, found in reached.items()}
    lstm = samples[CellName.LSTM]
    both = np.isfinite(lstm[:, 0]) & np.isfinite(lstm[:, -1])
    growth = over_repeats(lstm[both, -1] / lstm[both, 0]) if both.any() else Estimate(math.inf, math.nan, math.nan)
    lag_growth = lags[-1] / lags[0]
    return (
        Claim(
            "gates reach farther", "Gated cells learn longer lags than a plain RNN.",
            min(farthest[CellName.GRU], farthest[CellName.LSTM]) > farthest[CellName.RNN],
            float(farthest[CellName.LSTM]), math.nan, math.nan, "steps",
            f"longest lag that every LSTM learned within {most * ROWS:,} sequences; GRU {farthest[CellName.GRU]}, RNN"
            f" {farthest[CellName.RNN]}",
        ),
        Claim(
            "samples grow slower than lag",
            f"An LSTM needs less than {lag_growth:g} times the samples at {lag_growth:g} times the lag.",
            growth.value < lag_growth and bool(both.all()), *growth, "times the samples",
            f"lag {lags[-1]} against {lags[0]}; {int(both.sum())} of {len(both)} networks learned both",
        ),
    )  # fmt: skip


def _conclusion(
    before: Mapping[CellName, Floats], after: Mapping[CellName, Floats],
    samples: Mapping[CellName, Floats], lags: tuple[int, ...],
) -> str:  # fmt: skip
    kept = ", ".join(f"{cell} {_left(before[cell]).value:.1e} and {_left(after[cell]).value:.1e}" for cell in CELLS)
    needed = ", ".join(f"{cell} {_written_samples(samples[cell][:, -1])}" for cell in CELLS)
    return (
        f"Over {lags[-1]} steps this fraction of the gradient is left before and after training: {kept}. Sequences"
        f" needed at that lag: {needed}."
    )


def _written_samples(samples: Floats) -> str:
    reached = samples[np.isfinite(samples)]
    missed = len(samples) - len(reached)
    if not reached.size:
        return "not reached"
    return written(over_repeats(reached), 0) + (f" ({missed} of {len(samples)} not reached)" if missed else "")


def _gradients(before: Mapping[CellName, Floats], after: Mapping[CellName, Floats]) -> Table:
    rows = [
        (str(cell), when, lag, Estimate(*(10**end for end in over_repeats(np.log10(np.maximum(norms[:, lag], 1e-45))))))
        for when, found in (("untrained", before), ("trained", after))
        for cell, norms in found.items()
        for lag in range(norms.shape[1])
    ]
    return {
        "cell": Column(tuple(row[0] for row in rows), "", "row of the family"),
        "when": Column(tuple(row[1] for row in rows), "", "trained: on the longest lag that it learned"),
        "lag": Column(np.array([row[2] for row in rows]), "steps", "between the symbol and the loss"),
        "norm": Column(
            np.array([row[3].value for row in rows]), "nats", "||d loss / d x||, geometric mean of networks"
        ),
        "low": Column(np.array([row[3].low for row in rows]), "nats", "lower end of its 95 % interval over networks"),
        "high": Column(np.array([row[3].high for row in rows]), "nats", "upper end"),
    }


def _samples_table(samples: Mapping[CellName, Floats], lags: tuple[int, ...]) -> Table:
    rows = [(str(cell), lag, found[:, place]) for cell, found in samples.items() for place, lag in enumerate(lags)]
    over = [over_repeats(each[np.isfinite(each)]) if np.isfinite(each).any() else Estimate(*[math.nan] * 3)
            for _, _, each in rows]  # fmt: skip
    return {
        "cell": Column(tuple(row[0] for row in rows), "", "row of the family"),
        "lag": Column(np.array([row[1] for row in rows]), "steps", "between symbol and question"),
        "samples": Column(
            np.array([each.value for each in over]), "sequences", "until learned, mean of those that did"
        ),
        "low": Column(np.array([each.low for each in over]), "sequences", "lower end of its 95 % interval"),
        "high": Column(np.array([each.high for each in over]), "sequences", "upper end"),
        "reached": Column(np.array([np.isfinite(row[2]).sum() for row in rows]), "networks", "how many learned it"),
        "networks": Column(np.array([len(row[2]) for row in rows]), "networks", "how many were trained"),
    }

"""a^n b^n by two layers of LSTM: how far they count, and where phase and count are kept."""

from collections.abc import Callable
from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray

from genolstm.cells.fused import FusedCell, reference_cell
from genolstm.cells.replay import replay
from genolstm.errors import UsageError
from genolstm.estimate import Estimate
from genolstm.seeds import spawn
from genolstm.settings.model import CellName
from genolstm.settings.study import StudySettings
from genolstm.store.study import Claim, Column, Study, Table
from genolstm.studies.intervals import auroc, claimed, fraction_over_repeats, over_repeats, written
from genolstm.studies.learning import NOT_ASKED, Architecture, Batch, RecurrentNetwork, built, right, train

Floats = NDArray[np.float64]

A, B, END = 0, 1, 2
N_SYMBOLS = 3
PARAMETERS = 1700  # 11 units a layer: enough for phase and count many times over
LAYERS = 2
BEYOND = 3  # tested up to so many times the largest n trained
STEPS, QUICK_STEPS = 2500, 700
ROWS = 32
RATE = 1e-2
QUICK_REPEATS = 3
COUNTS = 0.95  # R2 from which a cell counts
STRINGS = 5  # examined
PHASE_FROM = 0.99  # AUROC from which a unit is a phase detector
ARCHITECTURE = Architecture("counter", CellName.LSTM, layers=LAYERS)


class Insides(NamedTuple):
    """How well the best cell of each layer predicts the count, and the best unit of each layer the phase; [layers].

    counted : R2 of the best cell at n never trained.   seen : the same at n that were trained.   phase : AUROC of the
    best unit at n never trained.   cell : the best counter of the last layer.
    """

    counted: Floats
    seen: Floats
    phase: Floats
    cell: int


def study(settings: StudySettings, on_progress: Callable[[str], None]) -> Study:
    """Train on n up to the longest, test up to three times that, then examine both layers, trained and untrained."""
    longest = settings.longest
    steps, repeats = (QUICK_STEPS, QUICK_REPEATS) if settings.quick else (STEPS, settings.repeats)
    ns = np.arange(1, BEYOND * longest + 1)
    passed, inside, before = [], [], []
    trajectory: dict[str, Floats] = {}
    for repeat in range(repeats):
        network = _fresh(settings.seed, repeat)
        before.append(insides(network, longest))
        train(
            network, lambda rng: strings(rng.integers(1, longest + 1, ROWS)), spawn(settings.seed, "batches", repeat),
            steps=steps, learning_rate=RATE,
        )  # fmt: skip
        passed.append([accepts(network, int(n)) for n in ns])
        inside.append(insides(network, longest))
        if repeat == 0:
            trajectory = _trajectory(network, longest, inside[0].cell)
        on_progress(f"network {repeat + 1} of {repeats}: right up to n = {_unbroken(passed[-1])}")
    accepted = np.array(passed)  # [repeats, n]
    claims = _claims(accepted, inside, before, longest)
    return Study(
        name="counting",
        question=f"Does an LSTM of two layers that has seen a^n b^n up to n = {longest} count on?",
        conclusion=_conclusion(accepted, inside, longest),
        claims=claims,
        tables={
            "by_n": _by_n(ns, accepted, longest),
            "networks": {
                "network": Column(np.arange(1, repeats + 1), "", "each from seeds of its own"),
                "reached": Column(
                    np.array([_unbroken(row.tolist()) for row in accepted]), "", "largest n without a miss up to it"
                ),
            },
            "layers": _layers(inside, before),
            "course": {
                "step": Column(np.arange(len(trajectory["count"])), "symbols", "from the start of one string"),
                "count": Column(trajectory["count"], "symbols", "a's less b's read"),
                "cell": Column(trajectory["cell"], "", "memory of the best counter of layer 2, first network"),
                "fitted": Column(trajectory["fitted"], "", "its regression on the count"),
            },
        },
        setting={
            "longest": longest, "tested_to": int(ns[-1]), "steps": steps, "rows": ROWS, "repeats": repeats,
            "seed": settings.seed, "layers": LAYERS, "units": _width(), "parameters": PARAMETERS,
        },
    )  # fmt: skip


def _fresh(seed: int, repeat: int) -> RecurrentNetwork:
    made = built(ARCHITECTURE, N_SYMBOLS, N_SYMBOLS, parameters=PARAMETERS, seed=seed, index=repeat)
    return cast(RecurrentNetwork, made)


def _width() -> int:
    return cast(FusedCell, _fresh(0, 0).layers[0]).n_units


def strings(ns: NDArray[np.int64]) -> Batch:
    """Write a^n b^n and the end for each n; int64 [rows, 2 max(n)], each answered by the symbol that follows.

    After the first b all is determined: nothing is asked before it, where a or b may come.
    """
    if len(ns) == 0 or ns.min() < 1:
        raise UsageError("a^n b^n needs an n of at least 1; raise --longest.")
    place = np.arange(2 * int(ns.max()))
    n = ns[:, None]
    inputs = np.where(place < n, A, np.where(place < 2 * n, B, END))
    following = np.where(place + 1 < 2 * n, B, END)
    asked = (place >= n) & (place < 2 * n)
    return Batch(inputs.astype(np.int64), np.where(asked, following, NOT_ASKED).astype(np.int64))


def count_at(n: int) -> Floats:
    """How many more a than b have been read after each symbol of a^n b^n; [2n]."""
    return np.concatenate([np.arange(1, n + 1), np.arange(n - 1, -1, -1)]).astype(np.float64)


def accepts(network: RecurrentNetwork, n: int) -> bool:
    """Whether every b of a^n b^n is followed by the right symbol, the end right after the last (Gers 2001)."""
    return bool(right(network, strings(np.array([n]))).all())


def memories(network: RecurrentNetwork, n: int) -> list[tuple[Floats, Floats]]:
    """Hidden state and memory of each layer along a^n b^n; pairs of [2n, H]."""
    rows = torch.nn.functional.one_hot(torch.from_numpy(strings(np.array([n])).inputs), N_SYMBOLS)
    rows = rows.to(network.head.weight.dtype)
    found = []
    with torch.no_grad():
        for layer in network.layers:
            cell = cast(FusedCell, layer)
            hidden, _ = cell(rows)
            memory = replay(cell, rows, hidden, reference_cell(cell).initial_state(1)).memory
            found.append((hidden[0].double().numpy(), memory[0].double().numpy()))
            rows = hidden
    return found


def insides(network: RecurrentNetwork, longest: int) -> Insides:
    """Counters and phase detectors along strings of n never trained: longest + 1 to twice as many."""
    step = max(1, longest // STRINGS)
    beyond, within = range(longest + 1, 2 * longest + 1, step), range(1, longest + 1, step)
    traces = [memories(network, n) for n in beyond]
    in_b = np.concatenate([np.arange(2 * n) >= n for n in beyond])
    phase = []
    for layer in range(LAYERS):
        hidden = np.concatenate([trace[layer][0] for trace in traces])
        areas = np.array([auroc(hidden[:, unit], in_b) for unit in range(hidden.shape[1])])
        phase.append(float(np.maximum(areas, 1 - areas).max()))
    counted = _fits(traces, beyond)
    seen = _fits([memories(network, n) for n in within], within)
    return Insides(counted.max(1), seen.max(1), np.array(phase), int(counted[-1].argmax()))


def _fits(traces: list[list[tuple[Floats, Floats]]], ns: range) -> Floats:
    """R2 on the count of each cell of each layer, all strings together; [layers, H]."""
    counts = np.concatenate([count_at(n) for n in ns])
    return np.array(
        [
            [explained(values, counts) for values in np.concatenate([trace[layer][1] for trace in traces]).T]
            for layer in range(LAYERS)
        ]
    )


def explained(values: Floats, counts: Floats) -> float:
    """R2 of the regression of a cell's memory on the count; 0 for a cell that never moves."""
    if values.std() == 0:
        return 0.0
    return float(np.corrcoef(values, counts)[0, 1] ** 2)


def _trajectory(network: RecurrentNetwork, longest: int, cell: int) -> dict[str, Floats]:
    n = 2 * longest
    memory = memories(network, n)[-1][1][:, cell]
    counts = count_at(n)
    slope, start = np.polyfit(counts, memory, 1)
    return {"count": counts, "cell": memory, "fitted": slope * counts + start}


def _unbroken(passed: list[bool]) -> int:
    """Largest n up to which every string was right."""
    return int(np.argmin([*passed, False]))


def _claims(
    accepted: NDArray[np.bool_], inside: list[Insides], before: list[Insides], longest: int
) -> tuple[Claim, ...]:
    seen, near, far = (
        fraction_over_repeats(accepted[:, part].mean(1))
        for part in (slice(longest), slice(longest, 2 * longest), slice(2 * longest, None))
    )
    count, untrained = (np.array([each.counted for each in group]) for group in (inside, before))
    phase, within = (np.array([getattr(each, what) for each in inside]) for what in ("phase", "seen"))
    reached = over_repeats([_unbroken(row.tolist()) for row in accepted])
    counter, phases = fraction_over_repeats(count[:, 1]), fraction_over_repeats(phase[:, 0])
    plain, difference = fraction_over_repeats(untrained[:, 1]), over_repeats(count[:, 1] - count[:, 0])
    only_above = claimed(
        "layer 1 does not count", "The counter is in layer 2 and not in layer 1.", difference, "more R2",
        f"layer 2 less layer 1, whose best cell has {written(fraction_over_repeats(count[:, 0]))}; holds where that is"
        f" below {COUNTS:g} and the interval above 0", above=0, repeats=len(count),
    )  # fmt: skip
    strings_right, whole = "of strings right", f"holds from a mean of {RIGHT_FROM:g}"
    return (
        Claim("trained n", f"It predicts the end of a^n b^n for n up to {longest}, as trained.",
              seen.value >= RIGHT_FROM, *seen, strings_right, whole),
        Claim("beyond training", f"Every network counts on past n = {longest}.",
              min(_unbroken(row.tolist()) for row in accepted) > longest, *reached, "n",
              f"largest n without a miss up to it; the worst network reaches"
              f" {min(_unbroken(row.tolist()) for row in accepted)}"),
        Claim("twice as far", f"It counts on to n = {2 * longest}, never trained.",
              near.value >= RIGHT_FROM, *near, strings_right, f"n from {longest + 1}; {whole}"),
        Claim("three times as far", f"It counts on to n = {BEYOND * longest}, never trained.",
              far.value >= RIGHT_FROM, *far, strings_right, f"n from {2 * longest + 1}; {whole}"),
        Claim("phase in layer 1", "A unit of layer 1 separates the phases of the string.",
              phases.value >= PHASE_FROM, *phases, "AUROC",
              f"best unit, n never trained; holds from {PHASE_FROM:g}; so does the symbol just read (1)"),
        Claim("counter in layer 2", "A cell of layer 2 counts: its memory is linear in a's less b's.",
              counter.value >= COUNTS, *counter, "R2",
              f"best cell, n never trained; holds from {COUNTS:g}; at n that were trained"
              f" {written(fraction_over_repeats(within[:, 1]))}; untrained network {written(plain)}"),
        only_above._replace(holds=only_above.holds and float(count[:, 0].mean()) < COUNTS),
    )  # fmt: skip


RIGHT_FROM = 0.95  # fraction of strings from which it counts


def _conclusion(accepted: NDArray[np.bool_], inside: list[Insides], longest: int) -> str:
    reached = [_unbroken(row.tolist()) for row in accepted]
    first, second = (
        fraction_over_repeats(np.array([each.counted[layer] for each in inside])) for layer in range(LAYERS)
    )
    return (
        f"Trained to n = {longest}, the networks are right without a miss up to n ="
        f" {', '.join(map(str, sorted(reached)))} (tested to {accepted.shape[1]}); the best cell of layer 2 is linear"
        f" in the count with R2 {written(second)}, that of layer 1 with {written(first)}."
    )


def _by_n(ns: NDArray[np.int64], accepted: NDArray[np.bool_], longest: int) -> Table:
    over: list[Estimate] = [over_repeats(accepted[:, place].astype(np.float64)) for place in range(len(ns))]
    return {
        "n": Column(ns, "", "of a^n b^n"),
        "trained": Column((ns <= longest).astype(np.int64), "", "1 where such strings were trained on"),
        "right": Column(
            np.array([each.value for each in over]), "", "fraction of networks that predict the whole string"
        ),
    }


def _layers(inside: list[Insides], before: list[Insides]) -> Table:
    rows = [
        (label, layer + 1, what, fraction_over_repeats(np.array([getattr(each, what)[layer] for each in group])))
        for label, group in (("trained", inside), ("untrained", before))
        for layer in range(LAYERS)
        for what in ("counted", "seen", "phase")
    ]
    return {
        "network": Column(tuple(row[0] for row in rows), "", "trained, or as it began"),
        "layer": Column(np.array([row[1] for row in rows]), "", "counted from the input"),
        "what": Column(
            tuple(row[2] for row in rows),
            "",
            "counted, seen: R2 of the best cell on the count at n never trained, and trained; phase: AUROC, best unit",
        ),
        "value": Column(np.array([row[3].value for row in rows]), "", "mean over seeds"),
        "low": Column(np.array([row[3].low for row in rows]), "", "lower end of its 95 % interval over seeds"),
        "high": Column(np.array([row[3].high for row in rows]), "", "upper end"),
    }

"""Cells and Transformers of equal size at tasks that ask for what was read long ago."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.estimate import Estimate
from genolstm.seeds import spawn
from genolstm.settings.model import CellName
from genolstm.store.study import Claim, Column, Table
from genolstm.studies.intervals import claimed, fraction_over_repeats, over_repeats, written
from genolstm.studies.learning import Architecture, Batch, Draw, Network, bits, built, parameter_count, right, train
from genolstm.studies.transformer import reach

Floats = NDArray[np.float64]

PARAMETERS = 5200
LAYERS = 2  # of the Transformers: one layer alone cannot find what stood beside what it attends to
KNOWS = 0.9  # fraction of right answers from which a network remembers
ABOVE_CHANCE = 0.1  # what a mean must lie above chance to be more than a guess
LEARNING_RATES = {None: 2e-3, CellName.RNN: 3e-3}  # in trials ten times as much kept these from learning at all
GATED_RATE = 1e-2
TEST_ROWS, QUICK_TEST_ROWS = 512, 256
LSTM, CHRONO, GRU, RNN, FULL, WINDOWED = "LSTM", "LSTM chrono", "GRU", "RNN", "full Transformer", "windowed Transformer"


class BaselineScores(NamedTuple):
    """Scores of all networks. scores : network -> fraction of right answers [repeats, distances].

    losses : the same, bits.   parameters : network -> how many it has.   chance : fraction of right answers of a guess.
    """

    distances: tuple[int, ...]
    scores: Mapping[str, Floats]
    losses: Mapping[str, Floats]
    parameters: Mapping[str, int]
    chance: float


def architectures(horizon: int, window: int) -> tuple[Architecture, ...]:
    """All baselines. horizon : steps that chrono initialisation spreads time constants over."""
    return (
        Architecture(LSTM, CellName.LSTM),
        Architecture(CHRONO, CellName.LSTM, forget_bias=f"chrono:{horizon}"),
        Architecture(GRU, CellName.GRU),
        Architecture(RNN, CellName.RNN),
        Architecture(FULL, layers=LAYERS),
        Architecture(WINDOWED, layers=LAYERS, window=window),
    )


def compare_baselines(
    baselines: Sequence[Architecture],
    *,
    draw: Draw,
    at: Callable[[np.random.Generator, int], Batch],
    distances: tuple[int, ...],
    n_symbols: int,
    n_answers: int,
    steps: int,
    repeats: int,
    seed: int,
    on_progress: Callable[[str], None],
) -> BaselineScores:
    """Train each baseline from seeds of its own and judge it at each distance, all on the same test sequences.

    draw : a batch to learn from, whatever its distance.   at : (rng, distance) -> test batch.
    """
    tests = {distance: at(spawn(seed, "test", distance), distance) for distance in distances}
    scores: dict[str, Floats] = {}
    losses: dict[str, Floats] = {}
    sizes = {}
    for baseline in baselines:
        rows = []
        for repeat in range(repeats):
            network = built(baseline, n_symbols, n_answers, parameters=PARAMETERS, seed=seed, index=repeat)
            rate = LEARNING_RATES.get(baseline.cell, GATED_RATE)
            train(network, draw, spawn(seed, "batches", repeat), steps=steps, learning_rate=rate)
            rows.append([_judged(network, test) for test in tests.values()])
            sizes[baseline.name] = parameter_count(network)
            on_progress(
                f"{baseline.name}, network {repeat + 1} of {repeats}: {rows[-1][-1][0]:.0%} right at {distances[-1]}"
            )
        scores[baseline.name], losses[baseline.name] = np.moveaxis(np.array(rows), -1, 0)
    return BaselineScores(distances, scores, losses, sizes, 1 / n_answers)


def _judged(network: Network, test: Batch) -> tuple[float, float]:
    return float(right(network, test).mean()), bits(network, test)


def claims_of(found: BaselineScores, *, distance_word: str, offset: int, window: int) -> tuple[Claim, ...]:
    """Claims on each baseline at the longest distance; on the windowed one, where nothing that it sees could help.

    offset : what to add to a distance to get the symbols between the answer and what it needs.
    """
    longest, repeats = found.distances[-1], len(found.scores[LSTM])
    seen = reach(LAYERS, window)
    beyond = [place for place, distance in enumerate(found.distances) if distance + offset > seen]
    where = f"at a {distance_word} of {longest}"
    at_longest = {name: fraction_over_repeats(scores[:, -1]) for name, scores in found.scores.items()}
    rows = []
    if beyond:
        guessed = fraction_over_repeats(found.scores[WINDOWED][:, beyond].mean(1))
        rows.append(
            Claim(
                "windowed guesses", f"Past what its windows reach ({seen} symbols) the windowed Transformer guesses.",
                abs(guessed.value - found.chance) < ABOVE_CHANCE, *guessed, "of answers right",
                f"chance is {found.chance:g}; mean of {distance_word}s {_listed([found.distances[i] for i in beyond])}",
            )
        )  # fmt: skip
    rows.append(
        Claim(
            "full does not guess", f"A Transformer that sees everything does not guess {where}.",
            float(found.scores[FULL][:, -1].min()) > found.chance + ABOVE_CHANCE, *at_longest[FULL], "of answers right",
            f"holds where every network is {ABOVE_CHANCE:g} above chance, {found.chance:g}; the worst gets"
                f" {found.scores[FULL][:, -1].min():.2f}",
        )
    )  # fmt: skip
    for name, subject in {LSTM: "An LSTM of forget bias 1", CHRONO: "A chrono LSTM", GRU: "A GRU"}.items():
        rows.append(
            Claim(
                f"{name} remembers", f"{subject} remembers {where}.", at_longest[name].value >= KNOWS,
                *at_longest[name], "of answers right", f"holds from a mean of {KNOWS:g}; chance is {found.chance:g}",
            )
        )  # fmt: skip
    rows.append(
        claimed(
            "RNN forgets", f"A plain RNN does worse than the LSTM {where}.", _paired(found, LSTM, RNN),
            "more answers right", f"LSTM minus RNN, seed by seed; the RNN gets {written(at_longest[RNN])}",
            above=0, repeats=repeats,
        )
    )  # fmt: skip
    rows.append(
        claimed(
            "chrono helps", f"Chrono initialisation does better than forget bias 1 {where}.",
            _paired(found, CHRONO, LSTM), "more answers right",
            "chrono minus bias 1, seed by seed; holds where the interval lies above 0", above=0, repeats=repeats,
        )
    )  # fmt: skip
    return tuple(rows)


def _paired(found: BaselineScores, better: str, worse: str) -> Estimate:
    return over_repeats(found.scores[better][:, -1] - found.scores[worse][:, -1])


def conclusion_of(found: BaselineScores, *, distance_word: str) -> str:
    """Fraction of right answers at the longest distance, best network first."""
    at_longest = {name: fraction_over_repeats(scores[:, -1]) for name, scores in found.scores.items()}
    ranked = sorted(at_longest, key=lambda name: -at_longest[name].value)
    return (
        f"At a {distance_word} of {found.distances[-1]} symbols, with {min(found.parameters.values()):,} to"
        f" {max(found.parameters.values()):,} parameters each, answers are right in: "
        + ", ".join(f"{name} {written(at_longest[name])}" for name in ranked)
        + f"; a guess gets {found.chance:.2f}."
    )


def table_of(found: BaselineScores, *, distance_word: str) -> Table:
    """One row for each network and distance."""
    places = [(name, place) for name in found.scores for place in range(len(found.distances))]
    fractions = [fraction_over_repeats(found.scores[name][:, place]) for name, place in places]
    losses = [over_repeats(found.losses[name][:, place]) for name, place in places]
    return {
        "network": Column(tuple(name for name, _ in places), "", "which network"),
        "parameters": Column(np.array([found.parameters[name] for name, _ in places]), "", "how many it has"),
        distance_word: Column(np.array([found.distances[place] for _, place in places]), "symbols", "tested at"),
        "right": Column(np.array([each.value for each in fractions]), "", "fraction of right answers, mean over seeds"),
        "low": Column(np.array([each.low for each in fractions]), "", "lower end of its 95 % interval over seeds"),
        "high": Column(np.array([each.high for each in fractions]), "", "upper end"),
        "bits": Column(
            np.array([each.value for each in losses]), "bits", f"loss; a guess costs {-math.log2(found.chance):g}"
        ),
    }


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))

"""Three gates or four: a GRU against an LSTM as the training set grows."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.estimate import Estimate
from genolstm.model import NextSymbolModel
from genolstm.seeds import spawn
from genolstm.settings.model import ModelSettings
from genolstm.settings.study import StudySettings
from genolstm.store.study import Claim, Column, Study
from genolstm.studies.hidden_markov import draw, sticky_source, true_bits
from genolstm.studies.intervals import claimed, over_repeats, written
from genolstm.studies.next_symbols import mean_bits, train
from genolstm.studies.parsimony_cost import GRU, LSTM, WIDER_GRU, cost_claims, cost_table, costs, pair_of

Floats = NDArray[np.float64]
LENGTH = 64  # symbols of a sequence
UNITS = 32
STATES, STAY, CONCENTRATION = 6, 0.9, 0.4
SYMBOLS = 4
VALID_SHARE, LEAST_VALID = 0.25, 4
TEST_SEQUENCES = 1024
VALIDATE_EVERY = 25
BATCH = 16
LEARNING_RATE = 5e-3
NOISE = 0.002  # bits by which a network may stand below the truth on a test set of this size, by sampling


class Size(NamedTuple):
    """Size of a run. sequences : training set sizes.   repeats, steps : for each network.   rounds : of timing."""

    sequences: tuple[int, ...]
    repeats: int
    steps: int
    rounds: int


def size_of(settings: StudySettings) -> Size:
    """Sizes of a quick run, or of a full one."""
    if settings.quick:
        return Size((16, 512), 2, 200, 9)
    return Size((8, 32, 128, 512, 2048), settings.repeats, 500, 21)


def contenders() -> dict[str, ModelSettings]:
    """All networks that are compared, at the width of this study."""
    return pair_of(UNITS)


def gate_parameters(units: int, inputs: int, gates: int) -> int:
    """Parameters of a cell: W, U and the two biases of each gate and of the candidate."""
    return gates * units * (inputs + units + 2)


class Trial(NamedTuple):
    """Bits above the truth on the test set, of each network [sizes]; and bits of the truth and of the composition."""

    excess: dict[str, Floats]
    true: float
    composition: float


def trial(settings: StudySettings, size: Size, repeat: int, on_progress: Callable[[str], None]) -> Trial:
    """One source, one test set, nested training sets; each network trained from a draw of its own."""
    rng = spawn(settings.seed, "parsimony", repeat)
    source = sticky_source(rng, states=STATES, symbols=SYMBOLS, stay=STAY, concentration=CONCENTRATION)
    test = draw(source, rng, TEST_SEQUENCES, LENGTH)
    most = max(size.sequences)
    pool = draw(source, rng, most + max(LEAST_VALID, int(VALID_SHARE * most)), LENGTH)
    truth = float(true_bits(source, test).mean())
    frequency = np.bincount(test.ravel(), minlength=SYMBOLS) / test.size
    found: dict[str, list[float]] = {}
    for sequences in size.sequences:
        valid = pool[most : most + max(LEAST_VALID, int(VALID_SHARE * sequences))]
        for name, shape in contenders().items():
            model = NextSymbolModel(shape, seed=settings.seed, index=repeat)
            train(
                model, pool[:sequences], spawn(settings.seed, f"parsimony batches {sequences}", repeat),
                steps=size.steps, batch=BATCH, learning_rate=LEARNING_RATE, valid=valid, validate_every=VALIDATE_EVERY,
            )  # fmt: skip
            found.setdefault(name, []).append(mean_bits(model, test) - truth)
        on_progress(f"repeat {repeat + 1} of {size.repeats}, {sequences} sequences")
    composition = float(-(frequency * np.log2(frequency)).sum())
    return Trial({name: np.array(values) for name, values in found.items()}, truth, composition)


def study(settings: StudySettings, on_progress: Callable[[str], None]) -> Study:
    """Train all contenders on every size and compare what each repeat's source, data and test set make of them."""
    size = size_of(settings)
    trials = [trial(settings, size, repeat, on_progress) for repeat in range(size.repeats)]
    excess = {name: np.stack([each.excess[name] for each in trials]) for name in contenders()}  # [repeats, sizes]
    cost = costs(settings.seed, size.rounds)
    claims = (*_claims(size, excess), *cost_claims(cost))
    return Study(
        name="parsimony",
        question="Is a GRU, with three quarters of an LSTM's parameters, better on small data?",
        conclusion=_conclusion(size, excess),
        claims=claims,
        tables={"errors": _error_table(size, excess), "differences": _difference_table(size, excess),
                "costs": cost_table(cost)},
        setting={
            "repeats": size.repeats, "steps": size.steps, "units": UNITS, "length": LENGTH, "seed": settings.seed,
            "source": f"hidden Markov, {STATES} states, {SYMBOLS} symbols, stay {STAY:g}",
            "true_bits": ", ".join(f"{each.true:.4f}" for each in trials),
            "composition_bits": ", ".join(f"{each.composition:.4f}" for each in trials),
            **{
                f"parameters of {name}": NextSymbolModel(shape, seed=0).n_weights
                for name, shape in contenders().items()
            },
        },
    )  # fmt: skip


def _against(excess: dict[str, Floats], name: str, place: int) -> Estimate:
    """Bits of a GRU less the LSTM's of the same repeat."""
    return over_repeats(excess[name][:, place] - excess[LSTM][:, place])


def _claims(size: Size, excess: dict[str, Floats]) -> tuple[Claim, ...]:
    shapes = contenders()
    cells = {name: gate_parameters(shapes[name].hidden, SYMBOLS + 1, 4 if name == LSTM else 3) for name in shapes}
    fraction = cells[GRU] / cells[LSTM]
    made = [
        Claim(
            name="three quarters",
            statement="A GRU has three quarters of the parameters of an LSTM of as many units.",
            holds=fraction == 3 / 4,
            value=fraction,
            low=np.nan,
            high=np.nan,
            unit="fraction",
            because=f"{cells[GRU]} and {cells[LSTM]} in the cells; the wider GRU has {cells[WIDER_GRU]}.",
        )
    ]
    for name in (GRU, WIDER_GRU):
        for place, rank in ((0, "smallest"), (len(size.sequences) - 1, "largest")):
            gain = _against(excess, name, place)
            made.append(
                claimed(
                    f"{name} on the {rank} set",
                    f"On the {rank} training set ({name}) the GRU is better than the LSTM.",
                    gain,
                    "bits per symbol",
                    f"Bits less the LSTM's on {size.sequences[place] * LENGTH:,} symbols, {size.repeats} repeats"
                    " paired; below 0 is better.",
                    below=0,
                    repeats=size.repeats,
                )
            )
    trend = over_repeats((excess[GRU][:, 0] - excess[LSTM][:, 0]) - (excess[GRU][:, -1] - excess[LSTM][:, -1]))
    least = float(min(values.min() for values in excess.values()))
    made += [
        claimed(
            "smaller is better on less",
            "The GRU's advantage is larger on the smallest training set than on the largest.",
            trend,
            "bits per symbol",
            f"Difference of the differences, {size.repeats} repeats paired; below 0 where it holds.",
            below=0,
            repeats=size.repeats,
        ),
        Claim(
            name="oracle",
            statement="No network is better than the true probabilities of the source.",
            holds=least > -NOISE,
            value=least,
            low=np.nan,
            high=np.nan,
            unit="bits per symbol",
            because=f"The least excess of {sum(values.size for values in excess.values())} trained networks over the"
            f" forward algorithm on the same {TEST_SEQUENCES * LENGTH:,} symbols.",
        ),
    ]
    return tuple(made)


def _error_table(size: Size, excess: dict[str, Floats]) -> dict[str, Column]:
    rows = [
        (name, sequences * LENGTH, *over_repeats(values[:, place]))
        for name, values in excess.items()
        for place, sequences in enumerate(size.sequences)
    ]
    names, symbols, mean, low, high = zip(*rows, strict=True)
    return {
        "network": Column(names, "", "which"),
        "symbols": Column(np.array(symbols), "symbols", "in the training set"),
        "excess": Column(np.array(mean), "bits per symbol", "held out, above the true probabilities"),
        "low": Column(np.array(low), "bits per symbol", "95 % interval over repeats"),
        "high": Column(np.array(high), "bits per symbol", ""),
    }


def _difference_table(size: Size, excess: dict[str, Floats]) -> dict[str, Column]:
    rows = [
        (name, sequences * LENGTH, *_against(excess, name, place))
        for name in (GRU, WIDER_GRU)
        for place, sequences in enumerate(size.sequences)
    ]
    names, symbols, mean, low, high = zip(*rows, strict=True)
    return {
        "network": Column(names, "", "which"),
        "symbols": Column(np.array(symbols), "symbols", "in the training set"),
        "difference": Column(np.array(mean), "bits per symbol", "held out, less the LSTM's; below 0 the GRU is better"),
        "low": Column(np.array(low), "bits per symbol", "95 % interval over repeats, paired"),
        "high": Column(np.array(high), "bits per symbol", ""),
    }


def _conclusion(size: Size, excess: dict[str, Floats]) -> str:
    small, large = _against(excess, GRU, 0), _against(excess, GRU, -1)
    equal = _against(excess, WIDER_GRU, 0)
    verdict = "better" if small.high < 0 else "worse" if small.low > 0 else "not shown to be better"
    return (
        f"On {size.sequences[0] * LENGTH:,} symbols the GRU is {verdict} than the LSTM of as many units"
        f" ({written(small, 4)} bits), at equal parameters {written(equal, 4)}, and on"
        f" {size.sequences[-1] * LENGTH:,} symbols {written(large, 4)}."
    )

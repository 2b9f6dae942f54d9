"""An enhancer that decides a word thousands of bases later, in made genomes: by cell and by training chunk."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from genolstm.alphabet import DNA, encode
from genolstm.cells.memory import State
from genolstm.model import NextSymbolModel
from genolstm.seeds import spawn
from genolstm.settings.model import ModelSettings, TrainableCell
from genolstm.settings.study import StudySettings
from genolstm.store.study import Claim, Column, Study, Table
from genolstm.studies.intervals import claimed, fraction_over_repeats, written

Floats = NDArray[np.float64]
Codes = NDArray[np.uint8]
BACKGROUND = encode("ACT", DNA)  # of random bases: G stands in the words alone, so that none comes about by chance
ENHANCERS = encode("GAGAGAGAGA", DNA), encode("GCGCGCGCGC", DNA)
PROMOTER = encode("GTGTG", DNA)
WORDS = encode("AACC", DNA), encode("CCAA", DNA)  # their first bases differ: whoever knows the enhancer saves a bit
CHANCE = 0.5
SPACER = 12  # bases between a word and the next enhancer
SHORTEST, LONGEST = 8, 50_000  # lags in training: P(lag > x) falls as 1 / x, as contacts along a genome do
UNITS, LANES = 24, 16
LEARNING_RATE, WARM_UP, FINAL_FRACTION, CLIP = 1e-2, 0.05, 0.05, 1.0
KNOWS = 0.9  # fraction of right words from which a lag is learned
READ_STEPS = 4096  # symbols read in one step when judging
LSTM, CHRONO, GRU = "LSTM", "LSTM chrono", "GRU"
LAGS, QUICK_LAGS = (100, 1000, 10_000, 50_000), (100, 1000)
CHUNKS, QUICK_CHUNKS = (64, 512), (64,)


class Size(NamedTuple):
    """Size of a run. bases : trained on, a lane.   rows : judged at each lag.   curve_lag : of the memory curve."""

    lags: tuple[int, ...]
    chunks: tuple[int, ...]
    bases: int
    repeats: int
    rows: int
    curve_lag: int


def size_of(settings: StudySettings) -> Size:
    """Sizes of a quick run, or of a full one."""
    if settings.quick:
        return Size(QUICK_LAGS, QUICK_CHUNKS, 32_768, 2, 64, 1000)
    return Size(LAGS, CHUNKS, 131_072, min(settings.repeats, 3), 64, 10_000)


def shapes(horizon: int) -> dict[str, ModelSettings]:
    """Networks of as many units. horizon : steps that chrono initialisation spreads time constants over."""

    def of(cell: TrainableCell, bias: str) -> ModelSettings:
        return ModelSettings(cell=cell, hidden=UNITS, forget_bias=bias)

    return {
        LSTM: of(TrainableCell.LSTM, "1"),
        CHRONO: of(TrainableCell.LSTM, f"chrono:{horizon}"),
        GRU: of(TrainableCell.GRU, "1"),
    }


class Stretch(NamedTuple):
    """Bases, uint8 [B, T], and what is asked: bool [B, T - 1], where the first base of a word follows."""

    codes: Codes
    asked: NDArray[np.bool_]


def _unit(rng: np.random.Generator, lag: int, *, decided: bool) -> tuple[Codes, int]:
    """Enhancer, random bases, promoter, word, whose first base is `lag` after the enhancer's last; and its place."""
    kind = int(rng.integers(2))
    between = BACKGROUND[rng.integers(len(BACKGROUND), size=max(0, lag - len(PROMOTER) - 1))]
    word = WORDS[kind if decided else int(rng.integers(2))]
    before = np.concatenate([ENHANCERS[kind], between, PROMOTER])
    return np.concatenate([before, word]), len(before)


def made_genome(rng: np.random.Generator, bases: int, lanes: int, *, decided: bool = True) -> Stretch:
    """Lanes of a made genome whose lags follow 1 / x. decided : False where enhancers decide nothing."""
    codes = np.empty((lanes, bases), dtype=np.uint8)
    asked = np.zeros((lanes, bases - 1), dtype=np.bool_)
    for lane in range(lanes):
        parts: list[Codes] = []
        places, filled = [], 0
        while filled < bases:
            lag = int(min(SHORTEST / (1 - rng.random()), LONGEST))
            unit, word = _unit(rng, lag, decided=decided)
            places.append(filled + word - 1)
            parts += [unit, BACKGROUND[rng.integers(len(BACKGROUND), size=SPACER)]]
            filled += len(unit) + SPACER
        codes[lane] = np.concatenate(parts)[:bases]
        inside = np.array([place for place in places if place < bases - 1], dtype=np.int64)
        asked[lane, inside] = True
    return Stretch(codes, asked)


def at_lag(rng: np.random.Generator, lag: int, rows: int, *, decided: bool = True) -> Stretch:
    """One enhancer and its word a row, a lag apart, after some random bases; nothing after the word's first base."""
    made = [_unit(rng, lag, decided=decided) for _ in range(rows)]
    lead = BACKGROUND[rng.integers(len(BACKGROUND), size=(rows, SPACER))]
    codes = np.concatenate([lead, np.stack([unit[: word + 1] for unit, word in made])], axis=1)
    asked = np.zeros((rows, codes.shape[1] - 1), dtype=np.bool_)
    asked[:, -1] = True
    return Stretch(codes, asked)


def train(model: NextSymbolModel, genome: Stretch, chunk: int) -> None:
    """Read the lanes side by side, chunk by chunk: the state is carried on, gradients end where the chunk began.

    The loss is that of the first base of each word alone: all others are random, or follow from the base before.
    """
    optimiser = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.0)
    steps = -(-genome.asked.shape[1] // chunk)
    state = model.initial_state(len(genome.codes))
    for step in range(steps):
        here = slice(step * chunk, min((step + 1) * chunk, genome.asked.shape[1]))
        asked = torch.from_numpy(genome.asked[:, here])
        targets = torch.from_numpy(genome.codes[:, here.start + 1 : here.stop + 1])
        fall = max(0.0, step / steps - WARM_UP) / (1 - WARM_UP)
        fraction = FINAL_FRACTION + (1 - FINAL_FRACTION) * (1 + math.cos(math.pi * fall)) / 2
        optimiser.param_groups[0]["lr"] = LEARNING_RATE * min((step + 1) / (WARM_UP * steps), fraction)
        output = model.forward(torch.from_numpy(genome.codes[:, here]), state)
        state = State(*(part.detach() for part in output.state))
        if not bool(asked.any()):
            continue
        optimiser.zero_grad(set_to_none=True)
        model.nats(output.logits, targets)[asked].mean().backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimiser.step()


@torch.inference_mode()
def words_right(model: NextSymbolModel, stretch: Stretch, last: int | None = None) -> tuple[float, float]:
    """Fraction of words foreseen, and bits of their first base, of rows that ask at their end alone.

    last : bases that are read before the word, from an empty state; None for all.
    """
    codes = torch.from_numpy(stretch.codes if last is None else stretch.codes[:, -last - 1 :])
    state = model.initial_state(len(codes))
    for first in range(0, codes.shape[1] - 1, READ_STEPS):
        output = model.forward(codes[:, first : min(first + READ_STEPS, codes.shape[1] - 1)], state)
        state = output.state
    logits, targets = output.logits[:, -1:], codes[:, -1:]
    words = logits[:, 0, [int(word[0]) for word in WORDS]]
    wanted = (targets[:, 0] == int(WORDS[1][0])).long()
    right = float((words.argmax(-1) == wanted).double().mean())
    return right, float(model.nats(logits, targets).double().mean()) / math.log(2)


class Outcome(NamedTuple):
    """Of one cell and chunk. right : [networks, lags].   curve : fraction right by bases read, first network [K]."""

    right: Floats
    curve: Floats


def study(settings: StudySettings, on_progress: Callable[[str], None]) -> Study:
    """Train every cell in every chunk on made genomes; judge each lag, and how far back what is read counts."""
    size = size_of(settings)
    tests = {lag: at_lag(spawn(settings.seed, "long lags test", lag), lag, size.rows) for lag in size.lags}
    curve_rows = tests[size.curve_lag]
    reads = 2 ** np.arange(3, int(math.log2(curve_rows.codes.shape[1] - 1)) + 1)
    reads = np.append(reads, curve_rows.codes.shape[1] - 1)
    genomes = [
        made_genome(spawn(settings.seed, "long lags", repeat), size.bases, LANES) for repeat in range(size.repeats)
    ]
    found: dict[tuple[str, int], Outcome] = {}
    for chunk in size.chunks:
        for name, shape in shapes(chunk).items():
            right, curve = [], np.zeros(0)
            for repeat, genome in enumerate(genomes):
                model = NextSymbolModel(shape, seed=settings.seed, index=repeat)
                train(model, genome, chunk)
                right.append([words_right(model, test)[0] for test in tests.values()])
                if repeat == 0:
                    curve = np.array([words_right(model, curve_rows, int(last))[0] for last in reads])
                on_progress(f"{name}, chunk {chunk}, network {repeat + 1} of {size.repeats}: {right[-1]}")
            found[name, chunk] = Outcome(np.array(right), curve)
    idle = _idle(settings, size)
    return Study(
        name="long-lags",
        question="How far back may what decides a word stand, by cell and by the bases that one training step sees?",
        conclusion=_conclusion(found, size),
        claims=(*_claims(found, size), idle),
        tables={"right": _right_table(found, size), "memory": _memory_table(found, reads)},
        setting={
            "units": UNITS, "lanes": LANES, "bases": size.bases * LANES, "repeats": size.repeats, "seed": settings.seed,
            "judged_words": size.rows, "shortest_lag": SHORTEST, "longest_lag": LONGEST, "curve_lag": size.curve_lag,
            "learned_from": KNOWS, "chance": CHANCE,
        },
    )  # fmt: skip


def _idle(settings: StudySettings, size: Size) -> Claim:
    """A genome whose enhancers decide nothing: no network may foresee its words."""
    rng = spawn(settings.seed, "long lags idle")
    model = NextSymbolModel(shapes(size.chunks[-1])[LSTM], seed=settings.seed)
    train(model, made_genome(rng, size.bases, LANES, decided=False), size.chunks[-1])
    tests = [at_lag(rng, size.lags[0], size.rows, decided=False) for _ in range(8)]
    right = fraction_over_repeats([words_right(model, test)[0] for test in tests])
    return Claim(
        "nothing decided, nothing found", "Where enhancers decide nothing, no word is foreseen.",
        not right.low > CHANCE, *right, "of words right", f"LSTM, {len(tests)} sets of {size.rows} words at a lag of"
        f" {size.lags[0]}; chance is {CHANCE:g}.",
    )  # fmt: skip


def _learned(outcome: Outcome, place: int) -> bool:
    return bool(outcome.right[:, place].mean() >= KNOWS)


def _claims(found: dict[tuple[str, int], Outcome], size: Size) -> list[Claim]:
    made = []
    for (name, chunk), outcome in found.items():
        for place, lag in enumerate(size.lags):
            right = fraction_over_repeats(outcome.right[:, place])
            above = claimed("", "", right, "", "", above=CHANCE, repeats=size.repeats)
            made.append(
                above._replace(
                    name=f"{name}, chunk {chunk}, lag {lag}",
                    statement=f"Trained in chunks of {chunk} bases, a {name} knows what stood {lag:,} bases back.",
                    holds=_learned(outcome, place) and above.holds,
                    unit="of words right",
                    because=f"{'Learned' if _learned(outcome, place) else 'Not learned'}: holds from a mean of"
                    f" {KNOWS:g}, the interval above {CHANCE:g};"
                    f" {size.repeats} networks, {size.bases * LANES:,} bases.",
                )
            )
    return made


def _conclusion(found: dict[tuple[str, int], Outcome], size: Size) -> str:
    parts = []
    for (name, chunk), outcome in found.items():
        learned = [lag for place, lag in enumerate(size.lags) if _learned(outcome, place)]
        longest = fraction_over_repeats(outcome.right[:, -1])
        reached = f"to {learned[-1]:,} bases" if learned else "at no lag"
        parts.append(f"{name}, chunk {chunk}: learned {reached} ({written(longest)} right at {size.lags[-1]:,})")
    return "; ".join(parts) + f". A guess gets {CHANCE:g}."


def _right_table(found: dict[tuple[str, int], Outcome], size: Size) -> Table:
    rows = [
        (name, chunk, lag, int(_learned(outcome, place)), *fraction_over_repeats(outcome.right[:, place]))
        for (name, chunk), outcome in found.items()
        for place, lag in enumerate(size.lags)
    ]
    names, chunks, lags, learned, right, low, high = zip(*rows, strict=True)
    return {
        "network": Column(names, "", "which"),
        "chunk": Column(np.array(chunks), "bases", "that a gradient goes back through, at most"),
        "lag": Column(np.array(lags), "bases", "from the enhancer's last base to the word's first"),
        "learned": Column(np.array(learned), "", "1 where the mean is enough"),
        "right": Column(np.array(right), "", "fraction of words foreseen, mean over networks"),
        "low": Column(np.array(low), "", "95 % interval over networks"),
        "high": Column(np.array(high), "", ""),
    }


def _memory_table(found: dict[tuple[str, int], Outcome], reads: NDArray[np.int64]) -> Table:
    rows = [
        (name, chunk, int(read), float(right))
        for (name, chunk), outcome in found.items()
        for read, right in zip(reads, outcome.curve, strict=True)
    ]
    names, chunks, read, right = zip(*rows, strict=True)
    return {
        "network": Column(names, "", "which; the first of its seeds"),
        "chunk": Column(np.array(chunks), "bases", "of training"),
        "read": Column(np.array(read), "bases", "before the word, from an empty state"),
        "right": Column(np.array(right), "", "fraction of words foreseen"),
    }

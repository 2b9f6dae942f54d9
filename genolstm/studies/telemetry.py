"""Whether the forget gate of a next-action network separates the sessions that lose their context."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from genolstm.estimate import Estimate
from genolstm.gates.factors import FORGET, readers_of, steps_at
from genolstm.model import NextSymbolModel
from genolstm.seeds import spawn
from genolstm.settings.model import AlphabetName, ModelSettings
from genolstm.settings.study import StudySettings
from genolstm.store.study import Claim, Column, Study
from genolstm.stream.blocks import Block
from genolstm.studies.intervals import auroc, auroc_interval, over_repeats, written
from genolstm.studies.next_symbols import bits_of, led, read, train
from genolstm.studies.telemetry_log import ACTIONS, FILL, ORDERLY, START_OVER, TOPICS, Codes, Log, draw_log, topics_of

Floats = NDArray[np.float64]

UNITS = 48
BATCH, LEARNING_RATE = 32, 1e-2
WINDOW = 12  # actions shown on either side of a loss
AFTER = 6  # actions after the loss that are set against those before it
GATE, RANDOM_INIT, SURPRISE, LENGTHS, COUNTS, UNIT = (
    "mean forget gate", "random-init network", "bits per action", "session length", "action counts", "best unit",
)  # fmt: skip
STREAMS = {RANDOM_INIT: "untrained twin"}  # what seeds a score's bootstrap: its name, but for a score renamed since


SILENT, ANNOUNCED = "silent", "announced"


class Size(NamedTuple):
    """repeats : networks, each with a log of its own.   steps : of training.   sessions : trained on, and judged."""

    repeats: int
    steps: int
    train: int
    test: int


def block_of(model: NextSymbolModel, codes: Codes) -> Block:
    """Sessions run from an empty state, as the gate readers of `genolstm gates` want them."""
    n, length = codes.shape
    with torch.inference_mode():
        output = read(model, codes)
    row = np.arange(n)
    nothing, whole = np.zeros(n, dtype=np.int64), np.full(n, length, dtype=np.int64)
    targets = led(model, codes)[:, 1:]
    return Block(
        row=row, first=nothing, begin=nothing, end=whole, address=row * length, sign=np.ones(n, dtype=np.int64),
        weight=np.ones(n, dtype=np.int64), targets=targets, scored=targets != model.alphabet.unknown,
        logits=output.logits, inputs=output.inputs, layers=output.layers, before=model.initial_state(n),
    )  # fmt: skip


def forget_gates(model: NextSymbolModel, codes: Codes) -> NDArray[np.float32]:
    """Forget gate of every unit at each step that reads an action, [N, T, H]; NaN past a session's end.

    Step t of the block reads what stands before target t, so that action t is read at step t + 1.
    """
    longer = np.concatenate([codes, np.full((len(codes), 1), FILL, dtype=np.uint8)], axis=1)
    block = block_of(model, longer)
    (reader,) = readers_of(model, forget_only=True)
    lane, step = (torch.from_numpy(each) for each in np.nonzero(codes != FILL))
    found = np.full((*codes.shape, reader.units), np.nan, dtype=np.float32)
    with torch.inference_mode():
        for start in range(0, len(lane), reader.tile):
            tile = slice(start, start + reader.tile)
            factors = reader.read(steps_at(block, 0, lane[tile], step[tile] + 1))
            found[lane[tile].numpy(), step[tile].numpy()] = factors.values[:, reader.columns(FORGET)].numpy()
    return found


class Trial(NamedTuple):
    """One network on sessions that it never saw.

    scores : by name, higher for sessions thought lost [N], all of the judged half.   lost : bool [N].
    course : mean forget gate around the loss, of lost and kept sessions, [2, 2 * WINDOW].
    dip : mean gate after the loss less before it, of lost less of kept sessions.   bits : per action.
    """

    scores: dict[str, Floats]
    lost: NDArray[np.bool_]
    mean_around_loss: Floats
    dip: float
    random_init_dip: float
    bits: float


def trial(settings: StudySettings, size: Size, repeat: int, *, announced: bool) -> Trial:
    """Draw a log, train on it, and score the sessions of another."""
    rng = spawn(settings.seed, f"telemetry {ANNOUNCED if announced else SILENT}", repeat)
    topics = topics_of(rng)
    shape = ModelSettings(alphabet=AlphabetName.PROTEIN, hidden=UNITS, forget_bias="1")
    model = NextSymbolModel(shape, seed=settings.seed, index=2 * repeat)
    random_init = NextSymbolModel(shape, seed=settings.seed, index=2 * repeat + 1)
    past = draw_log(topics, rng, size.train, announced=announced)
    train(model, past.codes, rng, steps=size.steps, batch=BATCH, learning_rate=LEARNING_RATE)
    log = draw_log(topics, rng, size.test, announced=announced)
    gates, random_gates = forget_gates(model, log.codes), forget_gates(random_init, log.codes)
    bits = bits_of(model, log.codes)
    fitted = np.arange(size.test) < size.test // 2  # where direction and weights of what has some are taken from
    counts = (
        np.stack([(log.codes == action).sum(axis=1) for action in range(START_OVER + 1)], axis=1) / log.lengths[:, None]
    )
    columns = {
        GATE: -np.nanmean(gates, axis=(1, 2)).astype(np.float64),
        RANDOM_INIT: -np.nanmean(random_gates, axis=(1, 2)).astype(np.float64),
        SURPRISE: bits.sum(axis=1) / log.lengths,
        LENGTHS: log.lengths.astype(np.float64),
        COUNTS: discriminant(counts, log.lost, fitted),
        UNIT: best_column(np.nanmean(gates, axis=1).astype(np.float64), log.lost, fitted),
    }
    for name in (RANDOM_INIT, LENGTHS):  # what has no direction of its own takes it from the other half
        if auroc(columns[name][fitted], log.lost[fitted]) < 1 / 2:
            columns[name] = -columns[name]
    return Trial(
        scores={name: values[~fitted] for name, values in columns.items()},
        lost=log.lost[~fitted],
        mean_around_loss=np.stack([mean_around_loss(gates, log, chosen) for chosen in (log.lost, ~log.lost)]),
        dip=dip(gates, log),
        random_init_dip=dip(random_gates, log),
        bits=float(bits.sum() / log.lengths.sum()),
    )


def discriminant(features: Floats, positive: NDArray[np.bool_], fitted: NDArray[np.bool_]) -> Floats:
    """Least-squares discriminant fitted to some rows; a score for every row. features : [N, D]."""
    with_one = np.concatenate([np.ones((len(features), 1)), features], axis=1)
    weights, *_ = np.linalg.lstsq(with_one[fitted], positive[fitted].astype(np.float64), rcond=None)
    scores: Floats = with_one @ weights
    return scores


def best_column(values: Floats, positive: NDArray[np.bool_], fitted: NDArray[np.bool_]) -> Floats:
    """The column that separates the fitted rows best, turned so that positives are high. values : [N, H]."""
    found = np.array([auroc(column[fitted], positive[fitted]) for column in values.T]) - 1 / 2
    best = int(np.abs(found).argmax())
    column: Floats = values[:, best] * np.sign(found[best])
    return column


def mean_around_loss(gates: NDArray[np.float32], log: Log, chosen: NDArray[np.bool_]) -> Floats:
    """Mean gate at each action around the loss, over chosen sessions and units; [2 * WINDOW]."""
    rows = np.flatnonzero(chosen)
    around = log.loss[rows, None] + np.arange(-WINDOW, WINDOW)  # action `loss` is the first of the new topic
    found: Floats = np.nanmean(gates[rows[:, None], around], axis=(0, 2)).astype(np.float64)
    return found


def dip(gates: NDArray[np.float32], log: Log) -> float:
    """Mean gate over the actions after the loss less that before it, of lost sessions less of kept ones."""
    both = [mean_around_loss(gates, log, chosen) for chosen in (log.lost, ~log.lost)]
    falls = [each[WINDOW : WINDOW + AFTER].mean() - each[WINDOW - AFTER : WINDOW].mean() for each in both]
    return float(falls[0] - falls[1])


def size_of(settings: StudySettings) -> Size:
    """Sizes of a quick run, or of a full one."""
    return Size(2, 300, 2000, 800) if settings.quick else Size(settings.repeats, 1000, 6000, 2000)


def floor_bits() -> float:
    """Bits per action of one who always knows the topic."""
    other = (1 - ORDERLY) / ACTIONS
    following = ORDERLY + other
    return -(following * math.log2(following) + (ACTIONS - 1) * other * math.log2(other))


def study(settings: StudySettings, on_progress: Callable[[str], None]) -> Study:
    """Train networks on logs and ask which session scores detect lost context, lost in silence or announced."""
    size = size_of(settings)
    trials: dict[str, list[Trial]] = {SILENT: [], ANNOUNCED: []}
    for repeat in range(size.repeats):
        for way, done in trials.items():
            done.append(trial(settings, size, repeat, announced=way == ANNOUNCED))
        on_progress(f"network {repeat + 1} of {size.repeats}")
    found = {
        way: {
            name: _within(over_repeats([auroc(each.scores[name], each.lost) for each in done]))
            for name in done[0].scores
        }
        for way, done in trials.items()
    }
    return Study(
        name="telemetry",
        question="Does the forget gate of a next-action network separate the sessions whose context was lost?",
        conclusion=_conclusion(found),
        claims=tuple(claim for way, done in trials.items() for claim in _claims(way, found[way], done)),
        tables={
            "auroc": _auroc_table(settings, found, trials),
            **{f"course_{way}": _course_table(done) for way, done in trials.items()},
        },
        setting={
            "repeats": size.repeats, "steps": size.steps, "train_sessions": size.train,
            "judged_sessions": size.test // 2,
            "units": UNITS, "topics": TOPICS, "actions": ACTIONS, "orderly": ORDERLY, "seed": settings.seed,
            "topic_known_bits": round(floor_bits(), 4),
            **{
                f"bits_per_action, {way}": ", ".join(f"{each.bits:.3f}" for each in done)
                for way, done in trials.items()
            },
        },
    )  # fmt: skip


def _within(interval: Estimate) -> Estimate:
    """Estimate of a fraction: Student's may reach beyond 0 and 1."""
    return Estimate(interval.value, max(interval.low, 0.0), min(interval.high, 1.0))


LOSSES = {SILENT: "lose context in silence", ANNOUNCED: "lose context and start over"}


def _claims(way: str, found: dict[str, Estimate], trials: list[Trial]) -> list[Claim]:
    def difference(one: str, other: str) -> Estimate:
        return over_repeats(
            [auroc(each.scores[one], each.lost) - auroc(each.scores[other], each.lost) for each in trials]
        )

    gate, unit = found[GATE], found[UNIT]
    dips, random_init = (over_repeats([getattr(each, name) for each in trials]) for name in ("dip", "random_init_dip"))
    baseline = max((RANDOM_INIT, LENGTHS, COUNTS, SURPRISE), key=lambda name: found[name].value)
    over_random_init, over_baseline = difference(GATE, RANDOM_INIT), difference(GATE, baseline)
    n = f"{len(trials)} networks, {len(trials[0].lost)} judged sessions each"
    return [
        Claim(
            f"{way}: separates", f"A lower mean forget gate separates sessions that {LOSSES[way]}.",
            gate.low > 1 / 2, *gate, "AUROC", f"0.5 is chance; {n}.",
        ),
        Claim(
            f"{way}: more than untrained",
            f"It separates sessions that {LOSSES[way]} better than an untrained gate does.",
            over_random_init.low > 0, *over_random_init, "AUROC",
            f"Less the random-init network's, {written(found[RANDOM_INIT])}; {n}.",
        ),
        Claim(
            f"{way}: more than controls", f"It separates sessions that {LOSSES[way]} better than the best plain score.",
            over_baseline.low > 0, *over_baseline, "AUROC",
            f"Less that of {baseline}, {written(found[baseline])}; {n}.",
        ),
        Claim(
            f"{way}: one unit", f"A single unit, chosen on other sessions, separates sessions that {LOSSES[way]}.",
            unit.low > 1 / 2, *unit, "AUROC", f"Unit and direction are chosen on as many other sessions; {n}.",
        ),
        Claim(
            f"{way}: dips", f"The gate falls where sessions {LOSSES[way]}.", dips.high < 0, *dips, "gate",
            f"Mean gate of {AFTER} actions from the loss on less {AFTER} before, of lost less of kept sessions; the"
            f" random-init network has {written(random_init, 4)}.",
        ),
    ]  # fmt: skip


def _auroc_table(
    settings: StudySettings, found: dict[str, dict[str, Estimate]], trials: dict[str, list[Trial]]
) -> dict[str, Column]:
    rows = [
        (
            way, name, place,
            *auroc_interval(
                each.scores[name], each.lost, spawn(settings.seed, f"telemetry {way} {STREAMS.get(name, name)}", place)
            ),
            *found[way][name],
        )
        for way, done in trials.items()
        for name in found[way]
        for place, each in enumerate(done)
    ]  # fmt: skip
    way, names, place, value, low, high, mean, mean_low, mean_high = zip(*rows, strict=True)
    return {
        "loss": Column(way, "", "whether the user announces that context was lost"),
        "score": Column(names, "", "what a session is judged by"),
        "network": Column(np.array(place), "", "from 0"),
        "auroc": Column(np.array(value), "", "0.5 is chance"),
        "low": Column(np.array(low), "", "95 % interval, sessions drawn anew"),
        "high": Column(np.array(high), "", ""),
        "mean": Column(np.array(mean), "", "over networks"),
        "mean_low": Column(np.array(mean_low), "", "95 % interval over networks"),
        "mean_high": Column(np.array(mean_high), "", ""),
    }


def _course_table(trials: list[Trial]) -> dict[str, Column]:
    around = np.array([each.mean_around_loss for each in trials])  # [networks, lost or kept, actions]
    level = around[:, :, :WINDOW].mean(axis=2, keepdims=True)
    mean = around.mean(axis=0)
    # networks differ in level by more than any gate moves: the error is of the way from the level before the loss
    spread = (around - level).std(axis=0, ddof=1) / math.sqrt(len(trials))
    return {
        "action": Column(np.arange(-WINDOW, WINDOW), "actions", "since the loss; 0 is the first of the new topic"),
        "lost": Column(mean[0], "", "mean forget gate, sessions that lose their topic"),
        "lost_error": Column(spread[0], "", "standard error over networks, about each network's mean before the loss"),
        "kept": Column(mean[1], "", "the same place in sessions that keep it"),
        "kept_error": Column(spread[1], "", ""),
    }


def _conclusion(found: dict[str, dict[str, Estimate]]) -> str:
    parts = []
    for way, scores in found.items():
        verdict = "separates" if scores[GATE].low > 1 / 2 else "does not separate"
        parts.append(
            f"{verdict} sessions that {LOSSES[way]} (AUROC {written(scores[GATE])};"
            f" {written(scores[RANDOM_INIT])} untrained, {written(scores[SURPRISE])} surprise,"
            f" {written(scores[COUNTS])} action counts, {written(scores[UNIT])}"
            " the best unit)"
        )
    return f"The mean forget gate of a session {' and '.join(parts)}."

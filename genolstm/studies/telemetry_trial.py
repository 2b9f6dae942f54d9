"""One next-action network: its gates along sessions, and the scores that these give a session or an action."""

import warnings
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from genolstm.gates.factors import FORGET, readers_of, steps_at
from genolstm.model import NextSymbolModel
from genolstm.seeds import spawn
from genolstm.settings.model import AlphabetName, ModelSettings
from genolstm.settings.study import StudySettings
from genolstm.stream.blocks import Block
from genolstm.studies.intervals import auroc
from genolstm.studies.next_symbols import bits_of, led, read, train
from genolstm.studies.telemetry_log import FILL, Codes, Log, draw_log, topics_of
from genolstm.studies.telemetry_prompts import Prompts, prompting, unlike_its_action, usual_by_action
from genolstm.studies.telemetry_user import Drawn

Floats = NDArray[np.float64]

UNITS = 48
BATCH, LEARNING_RATE = 32, 1e-2
WINDOW = 12  # actions shown on either side of a loss
AFTER = 6  # actions after the loss that are set against those before it
WRITE = "write"
GATE, WRITES, RANDOM_INIT, RANDOM_WRITES, SURPRISE, LENGTHS, COUNTS, UNIT = (
    "mean forget gate", "mean write gate", "random-init network", "random-init write gate", "bits per action",
    "session length", "action counts", "best unit",
)  # fmt: skip
STREAMS = {RANDOM_INIT: "untrained twin"}  # what seeds a score's bootstrap: its name, but for a score renamed since
PAUSE, SO_FAR, CHANCE, PLANTED = (
    "time since last action",
    "actions so far",
    "chance",
    "planted fall",
)  # scores of an action beside the gates'
PLAIN_PROMPTS = (PAUSE, SO_FAR, CHANCE)

SILENT, ANNOUNCED, OWN = "silent", "announced", "own log"


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


class GateValues(NamedTuple):
    """Gates of every unit at each step that reads an action, [N, T, H]; NaN past a session's end."""

    forget: NDArray[np.float32]
    write: NDArray[np.float32]


def gates_of(model: NextSymbolModel, codes: Codes) -> GateValues:
    """Forget and write gates along sessions, each from an empty state.

    Step t of the block reads what stands before target t, so that action t is read at step t + 1.
    """
    nothing = model.alphabet.unknown
    longer = np.concatenate([codes, np.full((len(codes), 1), nothing, dtype=np.uint8)], axis=1)
    block = block_of(model, longer)
    (reader,) = readers_of(model)
    lane, step = (torch.from_numpy(each) for each in np.nonzero(codes != nothing))
    forget, write = (np.full((*codes.shape, reader.units), np.nan, dtype=np.float32) for _ in range(2))
    with torch.inference_mode():
        for start in range(0, len(lane), reader.tile):
            tile = slice(start, start + reader.tile)
            factors = reader.read(steps_at(block, 0, lane[tile], step[tile] + 1))
            for found, name in ((forget, FORGET), (write, WRITE)):
                found[lane[tile].numpy(), step[tile].numpy()] = factors.values[:, reader.columns(name)].numpy()
    return GateValues(forget, write)


class Trial(NamedTuple):
    """One network on sessions that it never saw.

    scores : by name, higher for sessions thought lost [N], all of the judged half.   lost : bool [N].
    mean_around_loss : forget gate around the loss, of lost and kept sessions, [2, 2 * WINDOW].
    dip, rise : mean forget and write gate after the loss less before it, of lost less of kept sessions.   bits : per
    action.   prompts, nothing_lost : what a prompt by each score of an action does, and where half of the sessions that
    keep their context are called lost.
    usual : mean forget and write gate after each action, [2, 20].   sessions : rows of the log judged, and their mean
    forget and write gates, [N, 3].
    """

    scores: dict[str, Floats]
    lost: NDArray[np.bool_]
    mean_around_loss: Floats
    dip: float
    rise: float
    random_init_dip: float
    random_init_rise: float
    bits: float
    prompts: dict[str, Prompts]
    nothing_lost: dict[str, Prompts]
    usual: Floats
    sessions: Floats


def made_log(settings: StudySettings, size: Size, repeat: int, *, announced: bool) -> Drawn:
    """Draw a made log to train on, and another to judge."""
    rng = spawn(settings.seed, f"telemetry {ANNOUNCED if announced else SILENT}", repeat)
    topics = topics_of(rng)
    past = draw_log(topics, rng, size.train, announced=announced)
    return Drawn(past.codes, draw_log(topics, rng, size.test, announced=announced), np.arange(size.test))


def trial(settings: StudySettings, size: Size, repeat: int, drawn: Drawn, way: str) -> Trial:
    """Train on the sessions of one log and score those of another."""
    rng = spawn(settings.seed, f"telemetry training {way}", repeat)
    shape = ModelSettings(alphabet=AlphabetName.PROTEIN, hidden=UNITS, forget_bias="1")
    model = NextSymbolModel(shape, seed=settings.seed, index=2 * repeat)
    random_init = NextSymbolModel(shape, seed=settings.seed, index=2 * repeat + 1)
    log = drawn.log
    train(model, drawn.past, rng, steps=size.steps, batch=BATCH, learning_rate=LEARNING_RATE)
    (gates, writes), (random_gates, random_writes) = gates_of(model, log.codes), gates_of(random_init, log.codes)
    bits = bits_of(model, log.codes)
    n = len(log.codes)
    fitted = np.arange(n) < n // 2  # where direction, weights and thresholds of what has some are taken from
    counts = np.stack([(log.codes == action).sum(axis=1) for action in range(FILL)], axis=1) / log.lengths[:, None]
    columns = {
        GATE: -np.nanmean(gates, axis=(1, 2)).astype(np.float64),
        WRITES: np.nanmean(writes, axis=(1, 2)).astype(np.float64),
        RANDOM_INIT: -np.nanmean(random_gates, axis=(1, 2)).astype(np.float64),
        RANDOM_WRITES: np.nanmean(random_writes, axis=(1, 2)).astype(np.float64),
        SURPRISE: bits.sum(axis=1) / log.lengths,
        LENGTHS: log.lengths.astype(np.float64),
        COUNTS: discriminant(counts, log.lost, fitted),
        UNIT: best_column(np.nanmean(gates, axis=1).astype(np.float64), log.lost, fitted),
    }
    for name in (RANDOM_INIT, RANDOM_WRITES, LENGTHS):  # what has no direction of its own takes it from the other half
        if auroc(columns[name][fitted], log.lost[fitted]) < 1 / 2:
            columns[name] = -columns[name]
    of_actions, usual = action_scores(log, GateValues(gates, writes), bits, fitted, rng)
    return Trial(
        scores={name: values[~fitted] for name, values in columns.items()},
        lost=log.lost[~fitted],
        mean_around_loss=np.stack([mean_around_loss(gates, log, chosen) for chosen in (log.lost, ~log.lost)]),
        dip=dip(gates, log),
        rise=dip(writes, log),
        random_init_dip=dip(random_gates, log),
        random_init_rise=dip(random_writes, log),
        bits=float(bits.sum() / log.lengths.sum()),
        prompts=prompting(of_actions, log, fitted),
        nothing_lost=prompting_for_nothing(of_actions, log, fitted, rng),
        usual=usual,
        sessions=np.column_stack([drawn.rows, -columns[GATE], columns[WRITES]])[~fitted],
    )


def prompting_for_nothing(
    scores: dict[str, Floats], log: Log, fitted: NDArray[np.bool_], rng: np.random.Generator
) -> dict[str, Prompts]:
    """Prompts among the sessions that keep their context, a half of which, drawn at random, is called lost.

    No score can know that half. One that knows how far a session has come, as a gate does, finds the places of the
    losses all the same: that much a count of actions finds too, so it is among the scores that a gate is held against.
    """
    kept = np.flatnonzero(~log.lost)
    called = Log._make(column[kept] for column in log)._replace(lost=rng.permutation(np.arange(len(kept)) % 2 == 0))
    return prompting({name: scores[name][kept] for name in (GATE, WRITES, *PLAIN_PROMPTS)}, called, fitted[kept])


def action_scores(
    log: Log, gates: GateValues, bits: Floats, fitted: NDArray[np.bool_], rng: np.random.Generator
) -> tuple[dict[str, Floats], Floats]:
    """Scores of each action by which one may prompt, [N, T], high where context is thought lost; usual gates [2, 20].

    Each is known when the action is done. Gates stand beside their mean after the same action in the fitted sessions.
    """
    inside = log.codes != FILL
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # past the end of a session there is nothing to average
        forget, write = (np.nanmean(values, axis=2).astype(np.float64) for values in gates)
    usual = np.stack([usual_by_action(values[fitted], log.codes[fitted]) for values in (forget, write)])
    found = {
        GATE: -unlike_its_action(forget, log.codes, usual[0]),
        WRITES: unlike_its_action(write, log.codes, usual[1]),
        SURPRISE: bits,
        PAUSE: log.gaps,
        SO_FAR: np.broadcast_to(np.arange(log.codes.shape[1], dtype=np.float64), log.codes.shape),
        CHANCE: rng.random(log.codes.shape),
    }
    found[PLANTED] = found[GATE].copy()  # a gate that is shut at the loss must be found
    lost = np.flatnonzero(log.lost)
    found[PLANTED][lost, log.loss[lost]] += 1
    return {name: np.where(inside, values, np.nan) for name, values in found.items()}, usual


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
    within = (around >= 0) & (around < gates.shape[1])
    values = gates[rows[:, None], np.clip(around, 0, gates.shape[1] - 1)].mean(axis=2)  # NaN past the end
    found: Floats = np.nanmean(np.where(within, values, np.nan), axis=0).astype(np.float64)
    return found


def dip(gates: NDArray[np.float32], log: Log) -> float:
    """Mean gate over the actions after the loss less that before it, of lost sessions less of kept ones."""
    both = [mean_around_loss(gates, log, chosen) for chosen in (log.lost, ~log.lost)]
    falls = [each[WINDOW : WINDOW + AFTER].mean() - each[WINDOW - AFTER : WINDOW].mean() for each in both]
    return float(falls[0] - falls[1])

"""Whether the gates of a next-action network tell of lost context: by session, by action, and in time to prompt."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genolstm.estimate import Estimate
from genolstm.readers.action_log import read_actions
from genolstm.seeds import spawn
from genolstm.settings.study import StudySettings
from genolstm.store.files import Records
from genolstm.store.study import Claim, Column, Study
from genolstm.studies.intervals import auroc, auroc_interval, claimed, over_repeats, written
from genolstm.studies.telemetry_log import ACTIONS, FILL, ORDERLY, TOPICS
from genolstm.studies.telemetry_prompts import WITHIN, Prompts
from genolstm.studies.telemetry_trial import (
    AFTER,
    ANNOUNCED,
    COUNTS,
    GATE,
    LENGTHS,
    OWN,
    PLAIN_PROMPTS,
    PLANTED,
    RANDOM_INIT,
    RANDOM_WRITES,
    SILENT,
    STREAMS,
    SURPRISE,
    UNIT,
    UNITS,
    WINDOW,
    WRITES,
    Size,
    Trial,
    made_log,
    trial,
)
from genolstm.studies.telemetry_user import Sessions, draw_sessions, sessions_of

Floats = NDArray[np.float64]
FOUND = 0.95  # F1 of a prompt by a fall that was planted


def size_of(settings: StudySettings) -> Size:
    """Sizes of a quick run, or of a full one."""
    return Size(2, 300, 2000, 800) if settings.quick else Size(settings.repeats, 1000, 6000, 2000)


def floor_bits() -> float:
    """Bits per action of one who always knows the topic."""
    other = (1 - ORDERLY) / ACTIONS
    following = ORDERLY + other
    return -(following * math.log2(following) + (ACTIONS - 1) * other * math.log2(other))


def study(settings: StudySettings, on_progress: Callable[[str], None]) -> Study:
    """Train networks on made logs, or on the user's own, and ask which scores detect lost context, and when.

    Raises InputError for a log that cannot be judged.
    """
    size = size_of(settings)
    sessions = sessions_of(read_actions(Path(settings.log)), settings.log) if settings.log else None
    trials: dict[str, list[Trial]] = {OWN: []} if sessions else {SILENT: [], ANNOUNCED: []}
    for repeat in range(size.repeats):
        for way, done in trials.items():
            if sessions:
                drawn = draw_sessions(sessions, spawn(settings.seed, f"telemetry {OWN}", repeat))
            else:
                drawn = made_log(settings, size, repeat, announced=way == ANNOUNCED)
            done.append(trial(settings, size, repeat, drawn, way))
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
        question="Do the gates of a next-action network tell that a session lost its context, and in time to prompt?",
        conclusion=_conclusion(found, trials),
        records=sessions.records if sessions else Records(),
        claims=tuple(claim for way, done in trials.items() for claim in _claims(way, found[way], done)),
        tables={
            "auroc": _auroc_table(settings, found, trials),
            "prompts": _prompt_table(trials),
            "actions": _action_table(trials, sessions),
            "sessions": _session_table(trials, sessions),
            **{f"course_{way}": _course_table(done) for way, done in trials.items()},
        },
        setting={
            "repeats": size.repeats, "steps": size.steps, "log": settings.log,
            "judged_sessions": len(next(iter(trials.values()))[0].lost),
            "units": UNITS, "seed": settings.seed, "prompt_within": WITHIN,
            **({} if sessions else {
                "train_sessions": size.train, "topics": TOPICS, "actions": ACTIONS, "orderly": ORDERLY,
                "topic_known_bits": round(floor_bits(), 4),
            }),
            **{
                f"bits_per_action, {way}": ", ".join(f"{each.bits:.3f}" for each in done)
                for way, done in trials.items()
            },
        },
    )  # fmt: skip


def _within(interval: Estimate) -> Estimate:
    """Estimate of a fraction: Student's may reach beyond 0 and 1."""
    return Estimate(interval.value, max(interval.low, 0.0), min(interval.high, 1.0))


LOSSES = {
    SILENT: "lose context in silence", ANNOUNCED: "lose context and start over", OWN: "go on as another one did",
}  # fmt: skip


def _claims(way: str, found: dict[str, Estimate], trials: list[Trial]) -> list[Claim]:
    def difference(one: str, other: str) -> Estimate:
        return over_repeats(
            [auroc(each.scores[one], each.lost) - auroc(each.scores[other], each.lost) for each in trials]
        )

    unit, repeats = found[UNIT], len(trials)
    dips, rises, random_dips, random_rises = (
        over_repeats([getattr(each, name) for each in trials])
        for name in ("dip", "rise", "random_init_dip", "random_init_rise")
    )
    baseline = max((RANDOM_INIT, LENGTHS, COUNTS, SURPRISE), key=lambda name: found[name].value)
    n = f"{len(trials)} networks, {len(trials[0].lost)} judged sessions each"
    lost = f"sessions that {LOSSES[way]}"
    both = (
        (GATE, RANDOM_INIT, "forget gate", "lower", "separates", "dips", "falls", dips, random_dips, {"below": 0.0}),
        (WRITES, RANDOM_WRITES, "write gate", "higher", "write separates", "write rises", "rises", rises, random_rises,
         {"above": 0.0}),
    )  # fmt: skip
    made = []
    for score, random, gate, sense, separates, moves, verb, moved, random_moved, side in both:
        made += [
            claimed(
                f"{way}: {separates}", f"A {sense} mean {gate} separates {lost}.", found[score], "AUROC",
                f"0.5 is chance; {n}.", above=1 / 2, repeats=repeats,
            ),
            claimed(
                f"{way}: {separates} more than untrained",
                f"A {sense} mean {gate} separates {lost} better than an untrained one does.",
                difference(score, random), "AUROC", f"Less the random-init network's, {written(found[random])}; {n}.",
                above=0, repeats=repeats,
            ),
            claimed(
                f"{way}: {moves}", f"The {gate} {verb} where sessions {LOSSES[way]}.", moved, "gate",
                f"Mean gate of {AFTER} actions from the loss on less {AFTER} before, of lost less of kept sessions; the"
                f" random-init network has {written(random_moved, 4)}.", repeats=repeats, **side,
            ),
        ]  # fmt: skip
    return [
        *made,
        claimed(
            f"{way}: more than controls", f"A lower mean forget gate separates {lost} better than a plain score.",
            difference(GATE, baseline), "AUROC", f"Less that of {baseline}, {written(found[baseline])}; {n}.", above=0,
            repeats=repeats,
        ),
        claimed(
            f"{way}: one unit", f"A single unit, chosen on other sessions, separates {lost}.", unit, "AUROC",
            f"Unit and direction are chosen on as many other sessions; {n}.", above=1 / 2, repeats=repeats,
        ),
        *_prompt_claims(way, trials),
    ]  # fmt: skip


def _f1(outcomes: list[dict[str, Prompts]], name: str, other: str) -> Estimate:
    """F1 of prompts by one score less that by another, over networks."""
    return over_repeats([each[name].f1 - each[other].f1 for each in outcomes])


def _best_plain(outcomes: list[dict[str, Prompts]]) -> str:
    """Which score that needs no network prompts best."""
    return max(PLAIN_PROMPTS, key=lambda name: float(np.mean([each[name].f1 for each in outcomes])))


def _prompt_claims(way: str, trials: list[Trial]) -> list[Claim]:
    """Whether a prompt by a gate is better than by what needs no network, and by surprise, which needs one."""
    repeats = len(trials)
    prompts, nothing_lost = [each.prompts for each in trials], [each.nothing_lost for each in trials]
    plain, plain_for_nothing = _best_plain(prompts), _best_plain(nothing_lost)
    made = []
    for score, gate in ((GATE, "forget gate"), (WRITES, "write gate")):
        mine = _mean_prompts(trials, score)
        shown = f"precision {mine.precision:.2f}, recall {mine.recall:.2f}, {mine.delay:.1f} actions late"
        for rivals, rival in (("plain", plain), ("surprise", SURPRISE)):
            theirs = _mean_prompts(trials, rival)
            made.append(
                claimed(
                    f"{way}: prompt by {gate} / {rivals}",
                    f"Where sessions {LOSSES[way]}, a prompt by the {gate} is better than one by {rival}.",
                    _f1(prompts, score, rival), "F1",
                    f"{shown}; by {rival} {theirs.precision:.2f}, {theirs.recall:.2f} and {theirs.delay:.1f}.",
                    above=0, repeats=repeats,
                )
            )  # fmt: skip
        none = _f1(nothing_lost, score, plain_for_nothing)
        made.append(
            Claim(
                f"{way}: prompt by {gate}, nothing lost",
                f"Where sessions keep their context and half are called lost, a prompt by the {gate} is no better than"
                f" one by {plain_for_nothing}.",
                not none.low > 0, *none, "F1", "Nothing is there to be found but how far a session has come.",
            )
        )  # fmt: skip
    planted = over_repeats([each.prompts[PLANTED].f1 for each in trials])
    return [
        *made,
        Claim(
            f"{way}: planted fall", "A forget gate that is made to shut at the loss prompts in time.",
            planted.value >= FOUND, *planted, "F1", f"The same gates, 1 less at the loss; holds from {FOUND:g}.",
        ),
    ]  # fmt: skip


def _mean_prompts(trials: list[Trial], name: str) -> Prompts:
    """Mean over networks; the delay over those that prompted in time."""
    rows = np.array([each.prompts[name] for each in trials])
    timely = rows[np.isfinite(rows[:, 2]), 2]
    delay = float(timely.mean()) if len(timely) else math.nan
    return Prompts(float(rows[:, 0].mean()), float(rows[:, 1].mean()), delay, float(rows[:, 3].mean()))


def _prompt_table(trials: dict[str, list[Trial]]) -> dict[str, Column]:
    rows = [
        (way, name, *_mean_prompts(done, name)[:3], *_within(over_repeats([each.prompts[name].f1 for each in done])))
        for way, done in trials.items()
        for name in done[0].prompts
    ]
    way, names, precision, recall, delay, f1, low, high = zip(*rows, strict=True)
    return {
        "loss": Column(way, "", "how context is lost"),
        "score": Column(names, "", "what prompts, once a session"),
        "precision": Column(np.array(precision), "", f"prompts within {WITHIN} actions of a loss, of all; mean"),
        "recall": Column(np.array(recall), "", "losses prompted for in time; mean over networks"),
        "delay": Column(np.array(delay), "actions", "from the loss to a timely prompt"),
        "f1": Column(np.array(f1), "", "harmonic mean of precision and recall, over networks"),
        "low": Column(np.array(low), "", "95 % interval over networks"),
        "high": Column(np.array(high), "", ""),
    }


def _action_table(trials: dict[str, list[Trial]], sessions: Sessions | None) -> dict[str, Column]:
    """Mean gates after each action, over the sessions that thresholds were chosen on."""
    rows = []
    for way, done in trials.items():
        usual = np.stack([each.usual for each in done])  # [networks, 2, 20]
        for code in range(FILL):
            if usual[:, :, code].any():
                name = sessions.kinds[code] if sessions else str(code)
                rows.append((way, name, *over_repeats(usual[:, 0, code]), *over_repeats(usual[:, 1, code])))
    ways, actions, *values = zip(*rows, strict=True)
    names = ("forget", "forget_low", "forget_high", "write", "write_low", "write_high")
    return {
        "loss": Column(ways, "", "how context is lost"),
        "action": Column(actions, "", "that was just read"),
        **{
            name: Column(np.array(value), "", "mean gate over units and sessions; 95 % ends over networks")
            for name, value in zip(names, values, strict=True)
        },
    }


def _session_table(trials: dict[str, list[Trial]], sessions: Sessions | None) -> dict[str, Column]:
    """Mean gates of each session that the first network judged."""
    rows = [
        (way, sessions.names[int(row)] if sessions else str(int(row)), int(lost), forget, write)
        for way, done in trials.items()
        for (row, forget, write), lost in zip(done[0].sessions, done[0].lost, strict=True)
    ]
    way, name, lost, forget, write = zip(*rows, strict=True)
    return {
        "loss": Column(way, "", "how context is lost"),
        "session": Column(name, "", "as the log calls it"),
        "lost": Column(np.array(lost), "", "1 where its context was lost midway"),
        "forget": Column(np.array(forget), "", "mean forget gate, first network"),
        "write": Column(np.array(write), "", "mean write gate"),
    }


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


def _conclusion(found: dict[str, dict[str, Estimate]], trials: dict[str, list[Trial]]) -> str:
    parts = []
    for way, scores in found.items():
        verdict = "separates" if scores[GATE].low > 1 / 2 else "does not separate"
        prompts = {name: _mean_prompts(trials[way], name).f1 for name in trials[way][0].prompts}
        best = max(prompts, key=lambda name: prompts[name])
        parts.append(
            f"{verdict} sessions that {LOSSES[way]} (AUROC {written(scores[GATE])}; write gate"
            f" {written(scores[WRITES])},"
            f" {written(scores[RANDOM_INIT])} untrained, {written(scores[SURPRISE])} surprise,"
            f" {written(scores[COUNTS])} action counts, {written(scores[UNIT])} the best unit; F1 of a prompt by the"
            f" forget gate {prompts[GATE]:.2f}, best {best} {prompts[best]:.2f})"
        )
    return f"The mean forget gate of a session {' and '.join(parts)}."

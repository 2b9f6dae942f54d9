"""The one loop of every probe: models, feature sets, scores; all choices on validation, the test part opened once."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Protocol

from genolstm.model import NextSymbolModel
from genolstm.probes.boosted_trees import few_of_each
from genolstm.probes.comparison import AnyFeatures, ProbeComparison, fit_coarsely, verdict_of
from genolstm.probes.components import block_components
from genolstm.probes.state_sources import ModelStates, StateSource
from genolstm.probes.task import (
    BINARY,
    CONTROL_TASK,
    NN,
    RANDOM_INIT,
    SHUFFLED,
    TRAINED,
    Log,
    ProbeTarget,
    ProbeTask,
)
from genolstm.probes.verdicts import positives_of
from genolstm.seeds import spawn
from genolstm.settings.protein import AnyProbeSettings
from genolstm.settings.site_reading import SiteReading, blocks_of, merged_reading
from genolstm.store.results import ProbeResult, SweepFit
from genolstm.stream.reader import GenomeReader, part_of


class Judging(Protocol):
    """What the judgement of states needs of settings, whoever made the states.

    resamples : of the bootstrap.   states : which states they are, as files say it.
    """

    @property
    def resamples(self) -> int: ...  # noqa: D102
    @property
    def seed(self) -> int: ...  # noqa: D102
    @property
    def states(self) -> StrEnum: ...  # noqa: D102


def run_tasks(
    tasks: Sequence[ProbeTask], source: StateSource, reader: GenomeReader, settings: AnyProbeSettings, log: Log
) -> dict[str, ProbeResult]:
    """Result of every target of some tasks, from one pass of each model; nothing but in the main process.

    source : reads the states of all tasks.   reader : with the trained model.   log : called with a message as each
    step is done.
    Raises InputError where the test rows give no interval, before anything is read.
    """
    main = reader.ranks.is_main_process
    return judge_states(tasks, _of_models(source, reader, settings, log), settings, log, main=main)


def _of_models(
    source: StateSource, reader: GenomeReader, settings: AnyProbeSettings, log: Log
) -> Iterator[Iterator[ModelStates]]:
    """States of the trained model at the sites of every task, then those of each random-init model."""
    models = settings.twins + 1
    for index in range(models):
        name = f"{RANDOM_INIT}{index}" if index else TRAINED
        log(f"states of the {name} model, {index + 1} of {models}")
        model = reader.model
        if index:
            model = NextSymbolModel(model.settings, seed=settings.seed, index=index).eval().to(reader.device)
        on_progress = part_of(reader.on_progress, index, models) if reader.on_progress else None
        yield source(replace(reader, model=model, on_progress=on_progress), name)


def judge_states(
    tasks: Sequence[ProbeTask],
    several: Iterable[Iterator[ModelStates]],
    settings: Judging,
    log: Log,
    *,
    main: bool = True,
) -> dict[str, ProbeResult]:
    """Result of every target of some tasks, from states that anybody made; nothing but in the main process.

    several : of each model its states at the sites of every task, the trained one first; taken one after another.
    Raises InputError where the test rows give no interval, before anything is taken.
    """
    of_tasks = [
        [ProbeEvaluation(task, target, settings, log) for target in task.targets if main] for task in tasks
    ]  # fmt: skip
    for states in several:
        _add_model(of_tasks, states)
    if not main:
        return {}
    for task, evaluations in zip(tasks, of_tasks, strict=True):
        for name, features in task.controls():
            for each in evaluations:
                each.comparison.fit(name, features)
    log("scoring on the test part")
    results: dict[str, ProbeResult] = {}
    for task, evaluations in zip(tasks, of_tasks, strict=True):
        homology = task.homology()
        results |= {each.target.name: each.result(homology) for each in evaluations}
    return results


def _add_model(of_tasks: Sequence[Sequence["ProbeEvaluation"]], source: Iterator[ModelStates]) -> None:
    """Fit the states of one model, which are freed before the pass of the next model."""
    for evaluations, states in zip(of_tasks, source, strict=True):
        for each in evaluations:
            each.add_model(states)


class ProbeEvaluation:
    """Evaluation of one target, up to its verdict. Models pass one after another, so that only one's states are held.

    Raises InputError where the test rows give no interval.
    """

    def __init__(self, task: ProbeTask, target: ProbeTarget, settings: Judging, log: Log) -> None:
        self.task, self.target, self.settings, self.log = task, target, settings, log
        self.comparison = ProbeComparison(
            target.name, target.type, target.truth, task.sites.part, task.sites.block,
            n_resamples=settings.resamples, seed=settings.seed, log=log,
        )  # fmt: skip
        shuffled = self.comparison.permuted(spawn(settings.seed, "shuffled labels"))
        self.label_controls = {SHUFFLED: shuffled, **target.label_controls}
        for truth in self.label_controls.values():
            self.comparison.check(truth)
        self.matched = target.matched
        if self.matched and (why := self.comparison.unmatched(self.matched, self.label_controls.values())):
            log(f"no second score on {self.matched.what}: {why}")
            self.matched = None
        self.sweep: list[SweepFit] = []
        self.seams: dict[str, Mapping[str, float]] = {}
        self.readings: dict[str, SiteReading] = {}

    def add_model(self, states: ModelStates) -> None:
        """Choose among the readings on validation, then fit on the best; the same search for every model."""
        if states.seams:
            self.seams[states.name] = states.seams
        of_readings = self._features(states)
        reading = self._best_reading(states.name, of_readings)
        self.readings[states.name] = reading
        features = of_readings(reading)
        self.comparison.fit(states.name, features)
        if states.name != TRAINED:
            return
        for name, labels in self.label_controls.items():
            self.comparison.fit(name, features, labels)
        if self.task.nn:
            self.comparison.fit_trees(NN, features, self.settings.seed)

    def _features(self, states: ModelStates) -> Callable[[SiteReading], AnyFeatures]:
        """From a reading to its features. Components of every block are taken once, whatever readings it is part of."""
        whole = merged_reading(self.task.readings)
        source = states.blocks(whole)
        if source is None:
            return lambda _: states.states
        if 0 < self.task.components < source.width:
            components = block_components(
                source, self.task.components, train=self.comparison.train, valid=self.comparison.valid,
                leading=few_of_each(whole.n_blocks) if self.task.nn and states.name == TRAINED else 0,
            )  # fmt: skip
            return lambda reading: components.of_blocks(blocks_of(reading, whole))
        return lambda reading: source.of_blocks(blocks_of(reading, whole)).together()

    def _best_reading(self, name: str, features: Callable[[SiteReading], AnyFeatures]) -> SiteReading:
        readings, target = self.task.readings, self.target
        if len(readings) == 1:
            return readings[0]
        train, valid = self.comparison.train, self.comparison.valid
        mine: list[tuple[float, SiteReading]] = []
        for reading in readings:
            probe, predicted = fit_coarsely(target.type, features(reading), target.truth, train=train, valid=valid)
            ranked = float(target.type.score(target.truth[valid], target.type.judged(predicted)))
            mine.append((dict(probe.strengths)[probe.regularisation], reading))
            self.sweep.append(SweepFit(name, reading.offsets, mine[-1][0], ranked, reading.pools))
        best = max(range(len(mine)), key=lambda place: mine[place][0])
        chosen = mine[best][1]
        self.log(
            f"{target.name}, {name}: offsets {', '.join(str(chosen).split(','))} are best on validation,"
            f" {target.type.ranked.upper()} {self.sweep[best - len(mine)].ranked:.3f}"
        )
        return chosen

    def result(self, homology: float) -> ProbeResult:
        """Open the test part: scores with block-bootstrap intervals, and trained against each control, paired."""
        task, target, ranked = self.task, self.target, self.target.type.ranked
        features = self.comparison.feature_sets(more=target.more_scores, matched=self.matched)
        none = {TRAINED, NN, target.ceiling, *self.label_controls}
        differences = {name: self.comparison.difference(TRAINED, name) for name in features if name not in none}
        positives = positives_of(task.sites.label, task.sites.part) if target.type is BINARY else None
        verdict, best = verdict_of(differences, features, ranked, positives)
        of_ranked = {name: each.scores[ranked].value for name, each in features.items()}
        drawn = [name for name in features if name.startswith(RANDOM_INIT)]
        best_drawn = max(drawn, key=lambda name: of_ranked[name], default="")
        return ProbeResult(
            target=target.name,
            sites=task.sites,
            offsets=self.readings[TRAINED].offsets,
            pools=self.readings[TRAINED].pools,
            verdict=verdict,
            best_control=best,
            features=features,
            differences=differences,
            selectivity=of_ranked[TRAINED] - of_ranked[CONTROL_TASK] if CONTROL_TASK in features else None,
            prevalence=target.prevalence,
            homology=homology,
            sweep=tuple(self.sweep),
            calibration=self.comparison.calibration(TRAINED) if target.type is BINARY else (),
            seams=self.seams,
            ranked=ranked,
            width=task.width,
            states=self.settings.states.value,
            pooling=task.pooling,
            definition={**task.definition, **target.definition},
            places=task.places,
            chains=task.chains,
            fraction_of_ceiling=(
                self.comparison.fraction_of_ceiling(TRAINED, best_drawn, target.ceiling) if target.ceiling else None
            ),
        )

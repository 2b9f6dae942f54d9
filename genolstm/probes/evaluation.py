"""How probes of single sites are judged: all choices made on validation, the test set opened once, controls beside."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from genolstm.probes.comparison import CLASSES, ProbeComparison, verdict_of
from genolstm.probes.controls import (
    composition,
    control_labels,
    kmer_counts,
    one_hot,
    shared_with_training,
    windows,
)
from genolstm.probes.linear import REGULARISATION_GRID, fit_logistic
from genolstm.probes.scores import auprc, auprc_at_prevalence, log_likelihood
from genolstm.probes.verdicts import positives_of
from genolstm.regions import Sites
from genolstm.seeds import spawn
from genolstm.settings.probe import OFFSET_SETS, ProbeSettings, parse_offsets
from genolstm.store.genome import Genome
from genolstm.store.results import ProbeResult, SweepFit

TRAINED = "trained"
SWEEP_GRID = REGULARISATION_GRID[::2]  # a coarse search ranks the offsets; the best of them get the whole grid
SWEEP_TOLERANCE = 1e-3

States = NDArray[np.float16]  # [N, offsets, 2, D]


@dataclass(frozen=True, kw_only=True)
class ModelStates:
    """States of one model at every site, and how well its lanes' seams agreed.

    states : float16 [N, offsets, 2, D].   offsets : what the second axis stands for.
    """

    name: str
    states: States
    offsets: tuple[int, ...]
    seams: Mapping[str, float]

    def together(self, offsets: Sequence[int]) -> NDArray[np.float16]:
        """States at these offsets side by side, [N, len(offsets) * 2 * D]."""
        columns = [self.offsets.index(offset) for offset in offsets]
        return self.states[:, columns].reshape(len(self.states), -1)


def offsets_to_read(settings: ProbeSettings) -> tuple[int, ...]:
    """Every offset at which states are needed."""
    sets = OFFSET_SETS if settings.offsets == "sweep" else (parse_offsets(settings.offsets),)
    return tuple(sorted({offset for each in sets for offset in each}))


class ProbeEvaluation:
    """One target on its way to a verdict. Models are read one after another, so that only one's states are held.

    told : called with a sentence as each step is done.
    """

    def __init__(
        self, target: str, genome: Genome, sites: Sites, settings: ProbeSettings, told: Callable[[str], None]
    ) -> None:
        self.target, self.sites, self.settings, self.told = target, sites, settings, told
        self.codes = windows(genome, sites, settings.window)
        self.n_known = genome.alphabet.n_known
        self.contest = ProbeComparison(
            target, CLASSES, sites.label, sites.part, sites.block,
            n_resamples=settings.resamples, seed=settings.seed, told=told,
        )  # fmt: skip
        self.train, self.valid, self.test = self.contest.train, self.contest.valid, self.contest.test
        self.sweep: list[SweepFit] = []
        self.seams: dict[str, Mapping[str, float]] = {}
        self.offsets: dict[str, tuple[int, ...]] = {}

    def add_model(self, model: ModelStates) -> None:
        """Sweep the offsets on validation, then fit on the best; the same search for trained and untrained models."""
        self.seams[model.name] = model.seams
        offsets = self._best_offsets(model)
        self.offsets[model.name] = offsets
        features = model.together(offsets)
        self.contest.fit(model.name, features)
        if model.name == TRAINED:
            shuffled = self.contest.permuted(spawn(self.settings.seed, "shuffled labels"))
            prevalence = float(self.sites.label[self.train].mean())
            rng = spawn(self.settings.seed, "control task")
            self.contest.fit("shuffled", features, shuffled)
            self.contest.fit("control_task", features, control_labels(self.codes, prevalence, self.n_known, rng))

    def add_sequence_controls(self) -> None:
        """Fit the probes that see the sequence alone."""
        self.contest.fit("onehot", one_hot(self.codes, self.n_known))
        self.contest.fit("kmer", kmer_counts(self.codes, self.settings.kmer, self.n_known))
        self.contest.fit("composition", composition(self.codes, self.n_known))

    def _best_offsets(self, model: ModelStates) -> tuple[int, ...]:
        sets = OFFSET_SETS if self.settings.offsets == "sweep" else (parse_offsets(self.settings.offsets),)
        if len(sets) == 1:
            return sets[0]
        label = self.sites.label
        for offsets in sets:
            probe = fit_logistic(
                model.together(offsets),
                label,
                train=self.train,
                valid=self.valid,
                grid=SWEEP_GRID,
                tolerance=SWEEP_TOLERANCE,
            )
            at_best = probe.decision(model.together(offsets)[self.valid])
            likelihood, area = log_likelihood(label[self.valid], at_best), auprc(label[self.valid], at_best)
            self.sweep.append(SweepFit(model.name, offsets, float(likelihood), float(area)))
        mine = [fit for fit in self.sweep if fit.model == model.name]
        chosen = max(mine, key=lambda fit: fit.valid_log_likelihood)
        self.told(
            f"{self.target}, {model.name}: offsets {_spelled(chosen.offsets)} are best on validation,"
            f" AUPRC {chosen.valid_auprc:.3f}"
        )
        return chosen.offsets

    def verdict(self, prevalence: float) -> ProbeResult:
        """Open the test set: scores with block-bootstrap intervals for all, and trained against each control, paired.

        prevalence : true sites among all candidates, for the AUPRC that nature's ratio would give.
        """
        natural = partial(auprc_at_prevalence, prevalence=prevalence)
        features = self.contest.feature_sets(more={"auprc_natural": natural})
        baselines = [
            name for name in features if name.startswith("untrained") or name in {"onehot", "kmer", "composition"}
        ]
        differences = {name: self.contest.difference(TRAINED, name) for name in baselines}
        positives = positives_of(self.sites.label, self.sites.part)
        verdict, best = verdict_of(differences, features, CLASSES.ranked, positives)
        return ProbeResult(
            target=self.target,
            sites=self.sites,
            offsets=self.offsets[TRAINED],
            verdict=verdict,
            best_control=best,
            features=features,
            differences=differences,
            selectivity=features[TRAINED].scores["auprc"].value - features["control_task"].scores["auprc"].value,
            prevalence=prevalence,
            homology=shared_with_training(self.codes, self.train, self.test, self.n_known),
            sweep=tuple(self.sweep),
            calibration=self.contest.calibration(TRAINED),
            seams=self.seams,
        )


def _spelled(offsets: Sequence[int]) -> str:
    return ", ".join(map(str, offsets))

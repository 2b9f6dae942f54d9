"""How a probe is judged: all choices made on validation, the test set opened once, every control beside it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from genolstm.probes.controls import (
    composition,
    control_labels,
    one_hot,
    shared_with_training,
    windows,
    word_counts,
)
from genolstm.probes.linear import REGULARISATION_GRID, LinearProbe, fit_logistic
from genolstm.probes.scores import (
    Score,
    auprc,
    auprc_at_prevalence,
    auroc,
    block_bootstrap,
    expected_calibration_error,
    log_likelihood,
    mcc,
    paired_difference,
    score_interval,
    topk,
)
from genolstm.regions import Part, Sites
from genolstm.seeds import spawn
from genolstm.settings import OFFSET_SETS, ProbeSettings, parse_offsets
from genolstm.store.genome import Genome
from genolstm.store.results import CalibrationBin, Estimate, FeatureSet, ProbeResult, SweepFit

TRAINED = "trained"
SWEEP_GRID = REGULARISATION_GRID[::2]  # a coarse search ranks the offsets; the best of them get the whole grid
SWEEP_TOLERANCE = 1e-3
CALIBRATION_BINS = 15

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


@dataclass(frozen=True, kw_only=True)
class _Fit:
    """A probe and its log odds at every site."""

    probe: LinearProbe
    log_odds: NDArray[np.float64]


def offsets_to_read(settings: ProbeSettings) -> tuple[int, ...]:
    """Every offset at which states are needed."""
    sets = OFFSET_SETS if settings.offsets == "sweep" else (parse_offsets(settings.offsets),)
    return tuple(sorted({offset for each in sets for offset in each}))


class Judge:
    """One target on its way to a verdict. Models are read one after another, so that only one's states are held.

    told : called with a sentence as each step is done.
    """

    def __init__(
        self, target: str, genome: Genome, sites: Sites, settings: ProbeSettings, told: Callable[[str], None]
    ) -> None:
        self.target, self.sites, self.settings, self.told = target, sites, settings, told
        self.codes = windows(genome, sites, settings.window)
        self.n_known = genome.alphabet.n_known
        self.train, self.valid, self.test = (sites.part == part for part in (Part.TRAIN, Part.VALID, Part.TEST))
        resamples = block_bootstrap(sites.block[self.test], settings.resamples, spawn(settings.seed, "bootstrap"))
        # a test part too small for intervals is told now, and not after every model has been read
        score_interval(sites.label[self.test], sites.label[self.test], resamples, auroc)
        self.resamples = resamples
        self.fits: dict[str, _Fit] = {}
        self.labels_of: dict[str, NDArray[np.int8]] = {}
        self.sweep: list[SweepFit] = []
        self.seams: dict[str, Mapping[str, float]] = {}
        self.offsets: dict[str, tuple[int, ...]] = {}

    def add_model(self, model: ModelStates) -> None:
        """Sweep the offsets on validation, then fit on the best; the same search for trained and untrained models."""
        self.seams[model.name] = model.seams
        offsets = self._best_offsets(model)
        self.offsets[model.name] = offsets
        features = model.together(offsets)
        self._fit(model.name, features)
        if model.name == TRAINED:
            self.labels_of["shuffled"] = self._shuffled(spawn(self.settings.seed, "shuffled labels"))
            prevalence = float(self.sites.label[self.train].mean())
            rng = spawn(self.settings.seed, "control task")
            self.labels_of["control_task"] = control_labels(self.codes, prevalence, self.n_known, rng)
            self._fit("shuffled", features)
            self._fit("control_task", features)

    def add_sequence_controls(self) -> None:
        """Fit the probes that see the sequence alone."""
        self._fit("onehot", one_hot(self.codes, self.n_known))
        self._fit("kmer", word_counts(self.codes, self.settings.kmer, self.n_known))
        self._fit("composition", composition(self.codes, self.n_known))

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

    def _fit(self, name: str, features: NDArray[np.floating]) -> None:
        labels = self._labels(name)
        probe = fit_logistic(features, labels, train=self.train, valid=self.valid)
        log_odds = probe.decision(features).astype(np.float32).astype(np.float64)  # what is judged is what is saved
        self.fits[name] = _Fit(probe=probe, log_odds=log_odds)
        self.told(
            f"{self.target}, {name}: validation AUPRC {float(auprc(labels[self.valid], log_odds[self.valid])):.3f}"
        )

    def _labels(self, name: str) -> NDArray[np.int8]:
        """Labels that a feature set is fitted to and judged on: the true ones but for the two label controls."""
        return self.labels_of.get(name, self.sites.label)

    def _shuffled(self, rng: np.random.Generator) -> NDArray[np.int8]:
        """Labels permuted within each part: whatever is then read above chance has leaked."""
        labels = self.sites.label.copy()
        for rows in (self.train, self.valid, self.test):
            labels[rows] = rng.permutation(labels[rows])
        return labels

    def verdict(self, prevalence: float) -> ProbeResult:
        """Open the test set: scores with block-bootstrap intervals for all, and trained against each control, paired.

        prevalence : true sites among all candidates, for the AUPRC that nature's ratio would give.
        """
        features = {name: self._feature_set(name, fit, prevalence) for name, fit in self.fits.items()}
        rivals = [
            name for name in features if name.startswith("untrained") or name in {"onehot", "kmer", "composition"}
        ]
        labels, log_odds = (
            self.sites.label[self.test],
            {name: fit.log_odds[self.test] for name, fit in self.fits.items()},
        )
        differences = {
            name: Estimate(*paired_difference(labels, log_odds[TRAINED], log_odds[name], self.resamples, auprc))
            for name in rivals
        }
        best = max(rivals, key=lambda name: features[name].scores["auprc"].value)
        return ProbeResult(
            target=self.target,
            sites=self.sites,
            offsets=self.offsets[TRAINED],
            verdict="gain" if differences[best].low > 0 else "no gain",
            best_control=best,
            features=features,
            differences=differences,
            selectivity=features[TRAINED].scores["auprc"].value - features["control_task"].scores["auprc"].value,
            prevalence=prevalence,
            homology=shared_with_training(self.codes, self.train, self.test, self.n_known),
            sweep=tuple(self.sweep),
            calibration=self._calibration(),
            seams=self.seams,
        )

    def _feature_set(self, name: str, fit: _Fit, prevalence: float) -> FeatureSet:
        labels = self._labels(name)
        on_test = labels[self.test], fit.log_odds[self.test]
        probabilities = expit(on_test[1])
        threshold = _best_threshold(labels[self.valid], fit.log_odds[self.valid])
        scores: dict[str, tuple[Score, NDArray[np.float64]]] = {
            "auprc": (auprc, on_test[1]),
            "auroc": (auroc, on_test[1]),
            "topk": (topk, on_test[1]),
            "mcc": (partial(mcc, threshold=threshold), on_test[1]),
            "calibration_error": (expected_calibration_error, probabilities),
            "auprc_natural": (partial(auprc_at_prevalence, prevalence=prevalence), on_test[1]),
        }
        probe = fit.probe
        return FeatureSet(
            label=labels,
            log_odds=fit.log_odds.astype(np.float32),
            threshold=threshold,
            mean=probe.mean,
            scale=probe.scale,
            coefficients=probe.coefficients,
            intercept=probe.intercept,
            regularisation=probe.regularisation,
            converged=probe.converged,
            strengths=probe.validation,
            scores={
                score: Estimate(*score_interval(on_test[0], predictions, self.resamples, how))
                for score, (how, predictions) in scores.items()
            },
        )

    def _calibration(self) -> tuple[CalibrationBin, ...]:
        """Bins of equal size by predicted probability of the trained states, on the test sites."""
        log_odds = self.fits[TRAINED].log_odds[self.test]
        order = np.argsort(log_odds, kind="stable")
        labels = self.sites.label[self.test]
        return tuple(
            CalibrationBin(
                edge_log_odds=float(log_odds[rows[0]]),
                predicted=float(expit(log_odds[rows]).mean()),
                observed=float(labels[rows].mean()),
                sites=len(rows),
            )
            for rows in np.array_split(order, CALIBRATION_BINS)
            if len(rows)
        )


def _best_threshold(labels: NDArray[np.int8], log_odds: NDArray[np.float64]) -> float:
    """Give the threshold of best MCC on validation, among 200 quantiles."""
    candidates = np.unique(np.quantile(log_odds, np.linspace(0, 1, 201)))
    return float(max(candidates, key=lambda threshold: float(mcc(labels, log_odds, threshold=threshold))))


def _spelled(offsets: Sequence[int]) -> str:
    return ", ".join(map(str, offsets))

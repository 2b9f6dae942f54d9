"""Result files of the probes: every number that is reported can be recomputed from them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from genolstm.estimate import Estimate
from genolstm.regions import Sites
from genolstm.settings.site_reading import Pool, parse_pools, pools_text
from genolstm.store.files import Provenance, Records, open_file, strings, write_file, write_records, write_strings
from genolstm.store.schema import Kind, type_name


@dataclass(frozen=True, kw_only=True)
class LinearProbe:
    """Everything that is needed to recompute a probe's predictions, and how it was chosen.

    mean, scale : float32 [D], of the training rows; scale is 1 where a feature is constant.
    coefficients : float32 [D], per standard deviation of the feature; [D, K] of K classes.
    intercept : prediction at the mean of the features; float64 [K] of K classes.
    regularisation : C, the inverse strength of the penalty, chosen on the validation rows.
    converged : whether the solver reached its gradient tolerance at that C.
    strengths : (C, validation log likelihood or R2) of each tried, from strong to weak.
    """

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    coefficients: NDArray[np.float32]
    intercept: float | NDArray[np.float64]
    regularisation: float
    converged: bool
    strengths: tuple[tuple[float, float], ...] = ()

    def decision(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Log odds or predicted values of features [N, D]: float64 [N]; of K classes [N, K], up to a constant a row."""
        scale = self.scale if self.coefficients.ndim == 1 else self.scale[:, None]
        slopes = self.coefficients.astype(np.float64) / scale
        offset = self.intercept - self.mean.astype(np.float64) @ slopes
        decision = np.empty((len(features), *slopes.shape[1:]))
        step = rows_in_memory(len(slopes))
        for first in range(0, len(features), step):
            rows = slice(first, first + step)
            decision[rows] = features[rows].astype(np.float64) @ slopes + offset
        return decision


@dataclass(frozen=True, kw_only=True)
class FeatureSet(LinearProbe):
    """One probe, what it was fitted to, its predictions and their scores.

    label : int8 [N], what it was fitted to and is judged on; the sites' own but for the label controls. Where values
    are asked, float32 [N]: the values.
    log_odds : float32 [N], at every site; the predicted values where values are asked; [N, K] of K classes.
    threshold : log odds from which on the MCC counts a site as called; None where values or K classes are asked.
    scores : score name -> estimate on the test sites.   folds : of a result over folds, the probe of each, which gives
    these predictions at the sites of its fold; the fields of `LinearProbe` are then empty.
    """

    label: NDArray[np.int8] | NDArray[np.float32]
    log_odds: NDArray[np.float32]
    threshold: float | None
    scores: Mapping[str, Estimate]
    folds: tuple[LinearProbe, ...] = ()


class SweepFit(NamedTuple):
    """One entry of the offset sweep: model, offsets and pools read together, and two scores on validation.

    searched : by which the best reading is chosen, nats a site of classes, R2 of values.   ranked : that of the
    verdict.
    """

    model: str
    offsets: tuple[int, ...]
    searched: float
    ranked: float
    pools: tuple[Pool, ...] = ()


class CalibrationBin(NamedTuple):
    """Test sites of similar predicted probability."""

    edge_log_odds: float
    predicted: float
    observed: float
    sites: int


class _Columns(NamedTuple):
    """Names in the file of what a probe was fitted to, what it predicts, and how its strengths were ranked."""

    truth: str
    predicted: str
    searched: str
    coefficients: str = "coefficients"
    intercept: str = "intercept"


CLASS_COLUMNS = _Columns("label", "log_odds", "searched_log_likelihood")
VALUE_COLUMNS = _Columns("value", "predicted", "searched_r2")
MULTICLASS_COLUMNS = _Columns(
    "label", "class_log_odds", "searched_log_likelihood", coefficients="class_coefficients", intercept="class_intercept"
)


ROWS_IN_MEMORY = 4096  # rows of features turned to float64 at once
NUMBERS_IN_MEMORY = 1 << 23  # fewer rows where they are as wide as this
SWEEP_ALWAYS = ("log_likelihood", "auprc")  # columns of every sweep; NaN where they are not the scores of the target
CEILING_NAMES = ("fraction_of_ceiling", "standing")  # the second in versions before 4
POOLED_ALWAYS = ("mean", "max")  # what versions before 4 made of the states of a window, and did not record
COLUMN_GROUPS = ("edges", "profiles", "places", "chains")  # tables of a result that are columns by name


@dataclass(frozen=True, kw_only=True)
class ProbeResult:
    """The answer of one probe for one target, with its controls.

    offsets, pools : symbols after the site at which the trained states were read, and what was pooled of the own pass
    beside them (`settings.site_reading`).   verdict : 'gain' or 'no gain'.
    best_control : the strongest of random-init models, one-hot window, k-mer counts and composition.
    differences : control -> AUPRC (of values: R2) of the trained states minus the control's, paired.
    selectivity : AUPRC of the real task minus the control task's; None where that task makes no sense.
    prevalence : true sites among all candidates of the test part; None where values are asked.
    homology : fraction of test windows with a 31-mer in training; of proteins, the largest identity between a test
    protein and one in training or validation.
    seams : summary of each model's pass, see `stream.seams.Seams.to_json`.
    ranked : score that the verdict is made from: 'auprc' of two classes, 'accuracy' of more, 'r2' of values.
    width : bp of each site, from its position on; more than 1 for windows.   states : 'h', or 'h+c' with the memories.
    pooling : what was made of the states of a window; empty where states were read at offsets.
    definition : what was asked, as text and numbers.
    edges, profiles : columns by name of what the forget gate does at the edges of peaks; empty where it was not asked.
    places, chains : of proteins, columns by name of which residue of which protein each site is, and of the proteins.
    fraction_of_ceiling : where the trained states stand between the best random-init model (0) and the ceiling (1), by
    the ranked score; None where there is no ceiling above that model.
    fold : int8 [N], from 1, of which fold each site is for test or validation, see `probes.folds`; None without folds.
    """

    target: str
    sites: Sites
    offsets: tuple[int, ...]
    verdict: str
    best_control: str
    features: Mapping[str, FeatureSet]
    differences: Mapping[str, Estimate]
    selectivity: float | None
    prevalence: float | None
    homology: float
    sweep: tuple[SweepFit, ...]
    calibration: tuple[CalibrationBin, ...]
    seams: Mapping[str, Mapping[str, float]]
    ranked: str = "auprc"
    width: int = 1
    states: str = "h"
    pooling: tuple[str, ...] = ()
    pools: tuple[Pool, ...] = ()
    definition: Mapping[str, Any] = field(default_factory=dict)
    edges: Mapping[str, Any] = field(default_factory=dict)
    profiles: Mapping[str, Any] = field(default_factory=dict)
    places: Mapping[str, Any] = field(default_factory=dict)
    chains: Mapping[str, Any] = field(default_factory=dict)
    fraction_of_ceiling: Estimate | None = None
    fold: NDArray[np.int8] | None = None

    @property
    def n_folds(self) -> int:
        """How many models it is of; 0 without folds."""
        return int(self.definition["folds"]) if self.fold is not None else 0

    def of_fold(self, fold: int) -> Mapping[str, Any]:
        """How one fold did alone, and what it read, of a result over folds. fold : from 1."""
        found: Mapping[str, Any] = self.definition[f"{self.ranked}_by_fold"][fold - 1]
        return found


def rows_in_memory(width: int) -> int:
    """Rows of so many features that are turned to float64 at once."""
    return max(1, min(ROWS_IN_MEMORY, NUMBERS_IN_MEMORY // max(1, width)))


def write_probe(
    path: Path, task: str, results: Mapping[str, ProbeResult], records: Records, provenance: Provenance
) -> None:
    """Write the results of a probe, one group a target, whole or not at all."""
    with write_file(path, Kind.PROBE, provenance) as file:
        file.attrs["task"] = task
        write_records(file, records)
        write_strings(file.create_group("contigs"), "name", next(iter(results.values())).sites.contigs)
        for target, result in results.items():
            _write_target(file.create_group(target), result)


def _write_target(group: h5py.Group, result: ProbeResult) -> None:
    for name in ("verdict", "best_control", "selectivity", "prevalence", "homology", "ranked"):
        if (value := getattr(result, name)) is not None:
            group.attrs[name] = value
    group.attrs["definition"] = json.dumps(dict(result.definition))
    if result.fraction_of_ceiling is not None:
        group.attrs["fraction_of_ceiling"] = np.array(result.fraction_of_ceiling, dtype=np.float64)
    group.attrs["states"] = result.states
    for name in ("offsets", "pooling"):
        group.attrs[name] = json.dumps(getattr(result, name))
    group.attrs["pools"] = pools_text(result.pools)
    group.attrs["seams"] = json.dumps(result.seams, sort_keys=True)
    sites = group.create_group("sites")
    for name in ("contig", "position", "strand", "label", "part", "block"):
        sites[name] = getattr(result.sites, name)
    if result.width > 1:
        sites["end"] = result.sites.position + result.width
    if result.fold is not None:
        sites["fold"] = result.fold
    for name in COLUMN_GROUPS:
        for column, values in getattr(result, name).items():
            _write_column(group.require_group(name), column, values)
    for name, features in result.features.items():
        _write_features(group.create_group(f"features/{name}"), features)
    _write_scores(group.create_group("scores"), result.features)
    _write_estimates(group.create_group("differences"), "control", result.differences)
    _write_sweep(group.create_group("sweep"), result)
    bins = group.create_group("calibration")
    for name in CalibrationBin._fields:
        dtype = np.int64 if name == "sites" else np.float64
        bins[name] = np.array([getattr(row, name) for row in result.calibration], dtype=dtype)


def _write_sweep(group: h5py.Group, result: ProbeResult) -> None:
    write_strings(group, "model", [fit.model for fit in result.sweep])
    write_strings(group, "offsets", [",".join(map(str, fit.offsets)) for fit in result.sweep])
    write_strings(group, "pools", [pools_text(fit.pools) for fit in result.sweep])
    columns = {name: np.full(len(result.sweep), np.nan) for name in SWEEP_ALWAYS}
    if result.sweep:
        columns[_searched(result.ranked)] = np.array([fit.searched for fit in result.sweep], dtype=np.float64)
        columns[result.ranked] = np.array([fit.ranked for fit in result.sweep], dtype=np.float64)
    for name, column in columns.items():
        group[f"valid_{name}"] = column


def _read_sweep(group: h5py.Group, ranked: str) -> tuple[SweepFit, ...]:
    models, offsets = strings(group["model"]), strings(group["offsets"])
    if not models:
        return ()
    pools = strings(group["pools"]) if "pools" in group else ("",) * len(models)  # versions before 5 had none
    scores = (group[f"valid_{name}"][()].tolist() for name in (_searched(ranked), ranked))
    rows = zip(models, offsets, *scores, pools, strict=True)
    return tuple(
        SweepFit(model, tuple(map(int, each.split(","))), searched, score, parse_pools(pooled))
        for model, each, searched, score, pooled in rows
    )


def _searched(ranked: str) -> str:
    """Score by which offsets are chosen, from the one that ranks feature sets."""
    return "r2" if ranked == "r2" else "log_likelihood"


def _write_column(group: h5py.Group, name: str, values: Any) -> None:  # noqa: ANN401  (an array, or text)
    if isinstance(values, np.ndarray):
        group[name] = values
    else:
        write_strings(group, name, list(values))


def _write_features(group: h5py.Group, features: FeatureSet) -> None:
    columns = CLASS_COLUMNS if features.threshold is not None else VALUE_COLUMNS
    if features.log_odds.ndim > 1:
        columns = MULTICLASS_COLUMNS
    group[columns.truth], group[columns.predicted] = features.label, features.log_odds
    group["mean"], group["scale"] = features.mean, features.scale
    group[columns.coefficients] = features.coefficients
    group[columns.intercept] = np.atleast_1d(np.asarray(features.intercept, dtype=np.float64))
    group["searched_strength"] = np.array([strength for strength, _ in features.strengths], dtype=np.float64)
    group[columns.searched] = np.array([score for _, score in features.strengths], dtype=np.float64)
    group.attrs["regularisation"] = features.regularisation
    if features.threshold is not None:
        group.attrs["threshold"] = features.threshold
    group.attrs["converged"] = int(features.converged)
    for number, probe in enumerate(features.folds, 1):
        _write_fold(group.create_group(f"folds/{number}"), probe, columns)


def _write_fold(group: h5py.Group, probe: LinearProbe, columns: _Columns) -> None:
    group["mean"], group["scale"], group[columns.coefficients] = probe.mean, probe.scale, probe.coefficients
    group[columns.intercept] = np.atleast_1d(np.asarray(probe.intercept, dtype=np.float64))
    group.attrs["regularisation"], group.attrs["converged"] = probe.regularisation, int(probe.converged)


def _read_folds(group: h5py.Group, columns: _Columns) -> tuple[LinearProbe, ...]:
    found = group.get("folds", {})
    return tuple(_read_fold(found[number], columns) for number in sorted(found, key=int))


def _read_fold(group: h5py.Group, columns: _Columns) -> LinearProbe:
    intercept = group[columns.intercept][()]
    return LinearProbe(
        mean=group["mean"][()],
        scale=group["scale"][()],
        coefficients=group[columns.coefficients][()],
        intercept=intercept if columns is MULTICLASS_COLUMNS else float(intercept[0]),
        regularisation=float(group.attrs["regularisation"]),
        converged=bool(group.attrs["converged"]),
    )


def _write_scores(group: h5py.Group, features: Mapping[str, FeatureSet]) -> None:
    names = list(next(iter(features.values())).scores)
    write_strings(group, "features", list(features))
    write_strings(group, "score", names)
    for end in Estimate._fields:
        table = [[getattr(each.scores[name], end) for name in names] for each in features.values()]
        group[end] = np.array(table, dtype=np.float64)


def _write_estimates(group: h5py.Group, column: str, estimates: Mapping[str, Estimate]) -> None:
    write_strings(group, column, list(estimates))
    for end in Estimate._fields:
        group[end] = np.array([getattr(estimate, end) for estimate in estimates.values()], dtype=np.float64)


def read_probe_task(path: Path) -> str:
    """Task of a probe's file: splice, accessibility, protein or sites. Raises InputError as `files.open_file`."""
    with open_file(path, Kind.PROBE) as file:
        return str(file.attrs["task"])


def read_probe(path: Path) -> dict[str, ProbeResult]:
    """Read a probe's result file: target -> result. Raises InputError as `files.open_file`."""
    with open_file(path, Kind.PROBE) as file:
        contigs = strings(file["contigs/name"])
        states = str(json.loads(file.attrs["settings"]).get("states", "h"))  # where versions before 4 have it
        return {target: _read_target(file[target], contigs, states) for target in file if target != "contigs"}


def _read_target(group: h5py.Group, contigs: tuple[str, ...], states: str) -> ProbeResult:
    columns: dict[str, Any] = {name: item[()] for name, item in group["sites"].items()}
    end, fold = columns.pop("end", None), columns.pop("fold", None)
    scores = group["scores"]
    names = strings(scores["score"])
    table = np.stack([scores[end][()] for end in Estimate._fields], axis=2)  # [features, scores, 3]
    bins, ranked = group["calibration"], str(group.attrs.get("ranked", "auprc"))  # version 1 knew no other
    ceiling = next((group.attrs[name] for name in CEILING_NAMES if name in group.attrs), None)
    pooled = json.dumps(POOLED_ALWAYS if end is not None else ())
    return ProbeResult(
        target=group.name.strip("/"),
        sites=Sites(contigs=contigs, **columns),
        offsets=tuple(json.loads(group.attrs["offsets"])),
        verdict=str(group.attrs["verdict"]),
        best_control=str(group.attrs["best_control"]),
        features={
            name: _read_features(
                group["features"][name], {score: Estimate(*row) for score, row in zip(names, rows, strict=True)}
            )
            for name, rows in zip(strings(scores["features"]), table.tolist(), strict=True)
        },
        differences={
            name: Estimate(*(float(group["differences"][end][row]) for end in Estimate._fields))
            for row, name in enumerate(strings(group["differences/control"]))
        },
        selectivity=_number(group, "selectivity"),
        prevalence=_number(group, "prevalence"),
        homology=float(group.attrs["homology"]),
        sweep=_read_sweep(group["sweep"], ranked),
        calibration=tuple(
            CalibrationBin(*row)
            for row in zip(*(bins[name][()].tolist() for name in CalibrationBin._fields), strict=True)
        ),
        seams=json.loads(group.attrs["seams"]),
        ranked=ranked,
        width=int(end[0] - columns["position"][0]) if end is not None else 1,
        states=str(group.attrs.get("states", states)),
        pooling=tuple(json.loads(group.attrs.get("pooling", pooled))),
        pools=parse_pools(str(group.attrs.get("pools", ""))),  # versions before 5 had none
        definition=json.loads(group.attrs.get("definition", "{}")),
        **{name: _read_columns(group, name) for name in COLUMN_GROUPS},
        fraction_of_ceiling=Estimate(*ceiling.tolist()) if ceiling is not None else None,
        fold=fold,
    )


def _number(group: h5py.Group, name: str) -> float | None:
    return float(group.attrs[name]) if name in group.attrs else None


def _read_columns(group: h5py.Group, name: str) -> dict[str, Any]:
    if name not in group:
        return {}
    return {
        column: list(strings(item)) if type_name(item) == "string" else item[()] for column, item in group[name].items()
    }


def _read_features(group: h5py.Group, scores: dict[str, Estimate]) -> FeatureSet:
    columns = next(each for each in (MULTICLASS_COLUMNS, CLASS_COLUMNS, VALUE_COLUMNS) if each.predicted in group)
    intercept = group[columns.intercept][()]
    return FeatureSet(
        label=group[columns.truth][()],
        log_odds=group[columns.predicted][()],
        threshold=_number(group, "threshold"),
        mean=group["mean"][()],
        scale=group["scale"][()],
        coefficients=group[columns.coefficients][()],
        intercept=intercept if columns is MULTICLASS_COLUMNS else float(intercept[0]),
        regularisation=float(group.attrs["regularisation"]),
        converged=bool(group.attrs["converged"]),
        strengths=tuple(
            zip(group["searched_strength"][()].tolist(), group[columns.searched][()].tolist(), strict=True)
        ),
        scores=scores,
        folds=_read_folds(group, columns),
    )

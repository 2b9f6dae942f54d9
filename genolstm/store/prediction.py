"""Result files of predictions: what a probe says of each candidate of a genome, calibrated, and how well."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from genolstm.store.files import Provenance, Records, open_file, strings, write_file, write_records, write_strings
from genolstm.store.schema import Kind, type_name

# bits of a contig's flags: what has met it. None: held out
MODEL, FITTED, VALIDATED, UNKNOWN = 1, 2, 4, 8
FLAGS = {"model_trained": MODEL, "probe_fitted": FITTED, "probe_validated": VALIDATED, "unknown": UNKNOWN}
SLAB = 1 << 18  # rows that are read at a time


class PredictionRows(NamedTuple):
    """Some candidates, by place. contig, position : int64 [n].   strand : int8 [n]; 0 of windows.

    value : calibrated log odds [n], of each of several classes [n, K], or predicted values [n].   probability : of the
    same shape; None where values are predicted.
    """

    contig: NDArray[np.int64]
    position: NDArray[np.int64]
    strand: NDArray[np.int8]
    value: NDArray[np.float64]
    probability: NDArray[np.float64] | None

    def only(self, kept: NDArray[np.bool_]) -> "PredictionRows":
        """Some of them."""
        probability = None if self.probability is None else self.probability[kept]
        return PredictionRows(self.contig[kept], self.position[kept], self.strand[kept], self.value[kept], probability)

    def at_least(self, probability: float) -> "PredictionRows":
        """Those of at least a probability; of several classes, that of any but the first."""
        if self.probability is None or not probability:
            return self
        highest = self.probability if self.probability.ndim == 1 else self.probability[:, 1:].max(axis=1)
        return self.only(highest >= probability)


class Bin(NamedTuple):
    """Rows of similar probability: edges, means of predicted and observed, and true and other rows.

    group : 'probe test rows', or contigs by what has met them, as in `Judged`.
    """

    group: str
    lower: float
    upper: float
    predicted: float
    observed: float
    positive: int
    negative: int


class Judged(NamedTuple):
    """Predictions held against labels. group : a contig, or contigs together by what has met them.   met : as text.

    auprc, low, high : with its interval over blocks.   precision, recall : of candidates of probability 0.5 or more.
    expected : sum of all probabilities, which is `positive` where they are right.   lost : true sites that are no
    candidates.
    """

    group: str
    met: str
    candidates: int
    positive: int
    lost: int
    auprc: float
    low: float
    high: float
    topk: float
    precision: float
    recall: float
    expected: float
    calibration_error: float


class CurvePoint(NamedTuple):
    """Precision and recall of candidates of at least some probability."""

    group: str
    probability: float
    recall: float
    precision: float


ROWS: dict[str, type[NamedTuple]] = {"reliability": Bin, "judged": Judged, "curve": CurvePoint}


@dataclass(frozen=True, kw_only=True)
class PredictedTarget:
    """What is said of the candidates of one target.

    classes : of two or more, the first of two being the other one; () where values are predicted.   width : bp of a
    candidate.   count : candidates.   rows : all of them along the genome, some at a time, in windows that are the same
    for every target.   slope, intercept, natural, source : of the calibration, see `predicting.calibration`.   figures
    : name -> number.
    """

    name: str
    classes: tuple[str, ...]
    width: int
    count: int
    rows: Callable[[], Iterator[PredictionRows]]
    slope: float = 1.0
    intercept: tuple[float, ...] = ()
    natural: float = np.nan
    source: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)
    reliability: tuple[Bin, ...] = ()
    judged: tuple[Judged, ...] = ()
    curve: tuple[CurvePoint, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """A probe along a genome. flags : uint8 [contigs], see `FLAGS`.   seams : summary of the pass.

    notes : what else has to be known, a sentence each.   folds : of a probe over folds, what each of them predicts, as
    regions; () of one model.
    """

    task: str
    contigs: tuple[str, ...]
    lengths: NDArray[np.int64]
    flags: NDArray[np.uint8]
    targets: tuple[PredictedTarget, ...]
    seams: Mapping[str, float]
    notes: tuple[str, ...] = ()
    folds: tuple[tuple[str, ...], ...] = ()

    @property
    def length_of(self) -> dict[str, int]:
        """Contig name -> bases."""
        return dict(zip(self.contigs, self.lengths.tolist(), strict=True))


def met(flags: int) -> str:
    """What has met a contig, as text."""
    words = {MODEL: "model trained on it", FITTED: "probe fitted on it", VALIDATED: "probe calibrated on it"}
    if flags & UNKNOWN:
        return "not known"
    return ", ".join(word for bit, word in words.items() if flags & bit) or "held out"


def write_prediction(
    path: Path, prediction: Prediction, min_score: float, records: Records, provenance: Provenance
) -> dict[str, int]:
    """Write a prediction, whole or not at all. min_score : probability below which candidates are left out.

    Returns how many rows each target has in the file.
    """
    written = {}
    with write_file(path, Kind.PREDICTION, provenance) as file:
        file.attrs["task"] = prediction.task
        file.attrs["notes"] = json.dumps(list(prediction.notes))
        if prediction.folds:
            file.attrs["folds"] = json.dumps(prediction.folds)
        file.attrs["seams"] = json.dumps(dict(prediction.seams), sort_keys=True)
        file.attrs["flag_names"] = json.dumps(FLAGS)
        file.attrs["min_score"] = min_score
        write_records(file, records)
        contigs = file.create_group("contigs")
        write_strings(contigs, "name", prediction.contigs)
        contigs["length"], contigs["flags"] = prediction.lengths, prediction.flags
        for target in prediction.targets:
            group = file.create_group(target.name)
            written[target.name] = _write_target(group, target, prediction.flags, min_score)
    return written


def _write_target(group: h5py.Group, target: PredictedTarget, flags: NDArray[np.uint8], min_score: float) -> int:
    for name in ("slope", "natural", "source", "width"):
        group.attrs[name] = getattr(target, name)
    group.attrs["candidates"] = target.count
    for name in ("classes", "intercept", "figures"):
        group.attrs[name] = json.dumps(getattr(target, name))
    count = target.count
    if min_score and target.classes:
        count = sum(len(rows.at_least(min_score).contig) for rows in target.rows())
    several = len(target.classes) > 2
    table = group.create_group("candidates")
    shape = {"value": (count, len(target.classes)) if several else (count,)}
    columns = {"contig": np.int32, "position": np.int64, "strand": np.int8, "flags": np.uint8}
    for name, dtype in columns.items():
        table.create_dataset(name, shape=(count,), dtype=dtype)
    value, probability = _value_columns(target.classes)
    for name in filter(None, (value, probability)):
        table.create_dataset(name, shape=shape["value"], dtype=np.float32)
    if target.width > 1:
        table.create_dataset("end", shape=(count,), dtype=np.int64)
    first = 0
    for rows in target.rows():
        kept = rows.at_least(min_score)
        part = slice(first, first + len(kept.contig))
        for name in ("contig", "position", "strand"):
            table[name][part] = getattr(kept, name)
        table["flags"][part], table[value][part] = flags[kept.contig], kept.value
        if probability:
            table[probability][part] = kept.probability
        if target.width > 1:
            table["end"][part] = kept.position + target.width
        first = part.stop
    for name, row in ROWS.items():
        if found := getattr(target, name):
            _write_rows(group.create_group(name), row, found)
    return count


def _value_columns(classes: tuple[str, ...]) -> tuple[str, str]:
    """Names of what is predicted and of its probability; '' where there is none."""
    if len(classes) > 2:
        return "class_log_odds", "class_probability"
    return ("log_odds", "probability") if classes else ("predicted", "")


def _write_rows(group: h5py.Group, row: Any, rows: tuple[Any, ...]) -> None:  # noqa: ANN401  (a NamedTuple class)
    for name, kind in row.__annotations__.items():
        column = [getattr(each, name) for each in rows]
        if kind is str:
            write_strings(group, name, column)
        else:
            group[name] = np.array(column, dtype=np.int64 if kind is int else np.float64)


def read_prediction(path: Path) -> Prediction:
    """Read a prediction; the rows of its candidates stay in the file until they are asked for.

    Raises InputError as `files.open_file`.
    """
    with open_file(path, Kind.PREDICTION) as file:
        return prediction_in(file, path)


def prediction_in(file: h5py.File, path: Path) -> Prediction:
    """Prediction that an open file holds. path : of that file, which is opened again for the candidates."""
    return Prediction(
        task=str(file.attrs["task"]), contigs=strings(file["contigs/name"]), lengths=file["contigs/length"][()],
        flags=file["contigs/flags"][()],
        targets=tuple(_read_target(path, file[name]) for name in file if name != "contigs"),
        seams=json.loads(str(file.attrs["seams"])), notes=tuple(json.loads(str(file.attrs["notes"]))),
        folds=tuple(map(tuple, json.loads(str(file.attrs.get("folds", "[]"))))),
    )  # fmt: skip


def _read_target(path: Path, group: h5py.Group) -> PredictedTarget:
    classes, name = tuple(json.loads(group.attrs["classes"])), group.name.strip("/")
    tables: dict[str, Any] = {each: _read_rows(group[each], row) for each, row in ROWS.items() if each in group}
    return PredictedTarget(
        name=name, classes=classes, width=int(group.attrs["width"]), count=int(group.attrs["candidates"]),
        rows=lambda: _rows_of(path, name, classes), slope=float(group.attrs["slope"]),
        intercept=tuple(json.loads(group.attrs["intercept"])), natural=float(group.attrs["natural"]),
        source=str(group.attrs["source"]), figures=json.loads(group.attrs["figures"]), **tables,
    )  # fmt: skip


def _rows_of(path: Path, target: str, classes: tuple[str, ...]) -> Iterator[PredictionRows]:
    value, probability = _value_columns(classes)
    with open_file(path, Kind.PREDICTION) as file:
        table = file[target]["candidates"]
        for first in range(0, len(table["contig"]), SLAB):
            part = slice(first, first + SLAB)
            yield PredictionRows(
                table["contig"][part].astype(np.int64), table["position"][part], table["strand"][part],
                table[value][part].astype(np.float64),
                table[probability][part].astype(np.float64) if probability else None,
            )  # fmt: skip


def _read_rows(group: h5py.Group, row: Any) -> tuple[Any, ...]:  # noqa: ANN401
    columns = [
        strings(group[name]) if type_name(group[name]) == "string" else group[name][()].tolist() for name in row._fields
    ]
    return tuple(row(*values) for values in zip(*columns, strict=True))

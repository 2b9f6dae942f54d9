"""Checkpoints: settings, weights, optimiser, lanes' state, history, contigs seen, and bits beside Markov."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError
from genolstm.estimate import Estimate
from genolstm.regions import Part, Stretches
from genolstm.settings.model import ModelSettings
from genolstm.settings.train import TrainSettings
from genolstm.store.files import Provenance, open_file, strings, write_file, write_strings
from genolstm.store.genome import Genome
from genolstm.store.lineage import (
    INTERVALS,
    Ancestor,
    GenomeRecord,
    TrainingSequence,
    read_ancestors,
    read_genomes,
    read_split,
    read_training,
    write_ancestors,
    write_genomes,
    write_training,
)
from genolstm.store.model_card import ModelCard
from genolstm.store.recall import RecallBits, read_recall, write_recall
from genolstm.store.schema import Kind

Weights = dict[str, NDArray[np.float32]]
HISTORY = {
    "step": np.int64,
    "bases": np.int64,
    "bits": np.float64,
    "gradient_norm": np.float64,
    "learning_rate": np.float64,
    "bases_per_second": np.float64,
}
LARGEST_WEIGHT = 1e10  # of any network of use; sums of larger ones overflow
DIFFERENCE = ("difference", "difference_low", "difference_high")
LOOKS = {"bases": np.int64, "bits": np.float64}


# whether the model was trained on what it scored
HELD_OUT, TRAINED_ON, PARTLY = "held out", "trained on", "partly trained on"
NEAR_DUPLICATE, ANOTHER_GENOME, UNKNOWN = "near-duplicate of what was trained on", "another genome", "cannot be told"
BELOW, ABOVE, NO_DIFFERENCE, CANNOT_TELL = "below", "above", "no difference", "cannot tell"
CLOSE_BITS = 0.001  # bits/base: other machines and seeds move a model's bits by about this much


@dataclass(frozen=True, kw_only=True)
class PartBits:
    """Bits per known symbol of one part of the split, both strands: the model beside its Markov lines.

    model : NaN where it was not measured.   by_order : order-k Markov, k = 0 ...
    difference : the model less the best of all lines; None where nothing is held out, and in files of 0.1.0.
    standing : whether the model was trained on these symbols, as text; empty in files of 0.1.0.
    """

    part: str
    model: float
    symbols: int
    uniform: float
    by_order: tuple[float, ...]
    interpolated: float
    difference: Estimate | None = None
    standing: str = ""

    @property
    def best_line(self) -> tuple[str, float]:
        """Name and bits of the best of all lines: what a model has to beat."""
        lines = {
            f"order-{self.best_order} Markov": self.best_bits,
            "interpolated Markov": self.interpolated,
            "uniform": self.uniform,
        }
        return min(lines.items(), key=lambda line: line[1])

    @property
    def verdict(self) -> str | None:
        """Whether the model is below or above the best line; None where it was trained on what is scored."""
        if self.difference is None:
            return None
        if np.isinf(self.difference.low):
            return CANNOT_TELL
        return BELOW if self.difference.high < 0 else ABOVE if self.difference.low > 0 else NO_DIFFERENCE

    @property
    def close(self) -> bool:
        """Whether an end of the interval is so near to zero that another machine or seed may change the verdict."""
        return self.difference is not None and min(abs(self.difference.low), abs(self.difference.high)) < CLOSE_BITS

    @property
    def best_order(self) -> int:
        """The order of the best order-k Markov model."""
        return int(np.argmin(self.by_order))

    @property
    def best_bits(self) -> float:
        """Bits of the best order-k Markov model."""
        return self.by_order[self.best_order]


@dataclass(frozen=True, kw_only=True)
class TrainingState:
    """What a run needs beyond the weights to go on to the same bits.

    moments : AdamW's first and second moments by weight name.   hidden, memory : [layers, B, H].
    progress : plain numbers of `training.Progress`. Nothing is drawn after the first weights: the lanes follow from the
    step, so that the seed and the step are the whole random state.
    """

    first_moments: Weights
    second_moments: Weights
    hidden: NDArray[np.float32]
    memory: NDArray[np.float32]
    progress: Mapping[str, Any]
    best: Weights = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class AuxiliaryHeads:
    """Linear heads that were trained beside the next symbol, see `training.multitask`.

    tasks : names, K of them.   mean, sd : float64 [K], of the targets.   weight : float32 [K, H].   bias : float32 [K].
    errors : float64 [records, K], mean squared error of standardised targets.
    """

    tasks: tuple[str, ...]
    mean: NDArray[np.float64]
    sd: NDArray[np.float64]
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    errors: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A model file: rebuilds the model alone; with `resumable`, also the run.

    lengths : bases of each contig of the genome it was trained on.   split : what was for training, validation, test.
    history, looks : columns by name.   genome_sha256 : content hash of the genome file.
    card : of a published model; its weights are then stored as float16, see `packing`.
    training : hashes of the training sequence; None in files of 0.1.0.   genomes : of several genomes, each.
    ancestors : models that it goes on from, the oldest first.   recall : of the held-out parts, where it was asked for.
    """

    model: ModelSettings
    train: TrainSettings
    weights: Weights
    split: Stretches
    lengths: NDArray[np.int64]
    genome_sha256: str
    history: dict[str, list[float]]
    looks: dict[str, list[float]]
    bits: tuple[PartBits, ...] = ()
    resumable: TrainingState | None = None
    auxiliary: AuxiliaryHeads | None = None
    card: ModelCard | None = None
    training: TrainingSequence | None = None
    genomes: tuple[GenomeRecord, ...] = ()
    ancestors: tuple[Ancestor, ...] = ()
    recall: tuple[RecallBits, ...] = ()

    @property
    def bases(self) -> int:
        """Symbols read in training, both strands counted."""
        return int(self.history["bases"][-1]) if self.history["bases"] else 0

    @property
    def seen(self) -> tuple[str, ...]:
        """Names of the contigs of which any base was trained on."""
        return self.split.of(Part.TRAIN).names()


def write_checkpoint(path: Path, checkpoint: Checkpoint, provenance: Provenance) -> None:
    """Write a model file, whole or not at all."""
    with write_file(path, Kind.CHECKPOINT, provenance) as file:
        file.attrs["model"] = json.dumps(checkpoint.model.to_json(), sort_keys=True)
        file.attrs["train"] = json.dumps(checkpoint.train.to_json(), sort_keys=True)
        file.attrs["genome_sha256"] = checkpoint.genome_sha256
        if checkpoint.card:
            file.attrs["card"] = checkpoint.card.to_text()
        _write_arrays(file.create_group("weights"), checkpoint.weights, np.float16 if checkpoint.card else np.float32)
        _write_columns(file.create_group("history"), _timeless(checkpoint.history), HISTORY)
        _write_columns(file.create_group("looks"), checkpoint.looks, LOOKS)
        _write_split(file, checkpoint)
        write_bits(file.create_group("bits"), checkpoint.bits)
        if checkpoint.recall:
            write_recall(file.create_group("recall_bits"), checkpoint.recall)
        if checkpoint.training:
            write_training(file, checkpoint.training)
        write_genomes(file, checkpoint.genomes)
        write_ancestors(file, checkpoint.ancestors)
        if checkpoint.auxiliary:
            _write_auxiliary(file.create_group("auxiliary"), checkpoint.auxiliary)
        if checkpoint.resumable:
            _write_resumable(file, checkpoint.resumable)


def _write_auxiliary(group: h5py.Group, heads: AuxiliaryHeads) -> None:
    write_strings(group, "task", heads.tasks)
    for name in ("mean", "sd", "weight", "bias", "errors"):
        group[name] = getattr(heads, name)


def _read_auxiliary(group: h5py.Group) -> AuxiliaryHeads:
    return AuxiliaryHeads(
        tasks=strings(group["task"]),
        **{name: group[name][()] for name in ("mean", "sd", "weight", "bias", "errors")},
    )


def _write_arrays(
    group: h5py.Group, arrays: Mapping[str, NDArray[np.float32]], dtype: type[np.floating[Any]] = np.float32
) -> None:
    for name, array in arrays.items():
        group[name] = array.astype(dtype)


def _write_columns(group: h5py.Group, columns: Mapping[str, list[float]], types: Mapping[str, type]) -> None:
    for name, dtype in types.items():
        group[name] = np.array(columns.get(name, []), dtype=dtype)


def _timeless(history: dict[str, list[float]]) -> dict[str, list[float]]:
    """The history without what the clock measured, where SOURCE_DATE_EPOCH asks for the same bytes each time."""
    if not os.environ.get("SOURCE_DATE_EPOCH"):
        return history
    return {**history, "bases_per_second": [np.nan] * len(history.get("bases_per_second", []))}


def _write_split(file: h5py.File, checkpoint: Checkpoint) -> None:
    split = checkpoint.split
    contigs = file.create_group("contigs")
    write_strings(contigs, "name", split.contigs)
    contigs["length"] = checkpoint.lengths
    contigs["seen"] = np.isin(np.arange(len(split.contigs)), split.of(Part.TRAIN).contig).astype(np.uint8)
    group = file.create_group("split")
    for name in INTERVALS:
        group[name] = getattr(split, name)


def write_bits(group: h5py.Group, bits: tuple[PartBits, ...]) -> None:
    """Write bits beside their Markov lines, a row a part."""
    write_strings(group, "part", [row.part for row in bits])
    group["model"] = np.array([row.model for row in bits], dtype=np.float64)
    group["symbols"] = np.array([row.symbols for row in bits], dtype=np.int64)
    group["uniform"] = np.array([row.uniform for row in bits], dtype=np.float64)
    orders = len(bits[0].by_order) if bits else 0
    group["markov_by_order"] = np.array([row.by_order for row in bits], dtype=np.float64).reshape(len(bits), orders)
    group["markov_interpolated"] = np.array([row.interpolated for row in bits], dtype=np.float64)
    nothing = Estimate(np.nan, np.nan, np.nan)
    for place, name in enumerate(DIFFERENCE):
        group[name] = np.array([(row.difference or nothing)[place] for row in bits], dtype=np.float64)
    write_strings(group, "standing", [row.standing for row in bits])


def _write_resumable(file: h5py.File, resumable: TrainingState) -> None:
    file.attrs["progress"] = json.dumps(resumable.progress, sort_keys=True)
    _write_arrays(file.create_group("optimiser/first_moment"), resumable.first_moments)
    _write_arrays(file.create_group("optimiser/second_moment"), resumable.second_moments)
    file["state/hidden"], file["state/memory"] = resumable.hidden, resumable.memory
    _write_arrays(file.create_group("best"), resumable.best)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a model file.

    Raises InputError as `files.open_file`, and for weights that are no numbers or too few for the settings.
    """
    with open_file(path, Kind.CHECKPOINT) as file:
        where = f"model file {path}"
        checkpoint = Checkpoint(
            model=ModelSettings.from_json(json.loads(file.attrs["model"]), where=where),
            train=TrainSettings.from_json(json.loads(file.attrs["train"]), where=where),
            weights=_read_arrays(file["weights"]),
            split=read_split(file),
            lengths=file["contigs/length"][()],
            genome_sha256=str(file.attrs["genome_sha256"]),
            history={name: file["history"][name][()].tolist() for name in HISTORY},
            looks={name: file["looks"][name][()].tolist() for name in LOOKS},
            bits=read_bits(file["bits"]),
            resumable=_read_resumable(file) if "progress" in file.attrs else None,
            auxiliary=_read_auxiliary(file["auxiliary"]) if "auxiliary" in file else None,
            card=ModelCard.from_text(file.attrs["card"]) if "card" in file.attrs else None,
            training=read_training(file) if "training" in file else None,
            genomes=read_genomes(file),
            ancestors=read_ancestors(file),
            recall=read_recall(file["recall_bits"]) if "recall_bits" in file else (),
        )
    _check_weights(checkpoint, where)
    return checkpoint


def _check_weights(checkpoint: Checkpoint, where: str) -> None:
    """Refuse weights that no network has. Names and shapes are for the network itself to judge."""
    for name, values in checkpoint.weights.items():
        if not (np.abs(values) < LARGEST_WEIGHT).all():  # NaN is not smaller either
            raise InputError(
                f"{where} holds weights that are no numbers, or beyond any use ({name}): its training diverged; train"
                " with a lower --lr."
            )
    layers, hidden = checkpoint.model.layers, checkpoint.model.hidden
    found = sum(values.size for values in checkpoint.weights.values())
    if found < layers * hidden * hidden:  # each layer reads its own state
        raise InputError(
            f"{where} is damaged ({found:,} weights are too few for {layers} x {hidden} units); make it again."
        )


def _read_arrays(group: h5py.Group) -> Weights:
    return {name: item[()].astype(np.float32) for name, item in group.items()}


def read_bits(group: h5py.Group) -> tuple[PartBits, ...]:
    """Read what `write_bits` wrote."""
    columns = {
        name: group[name][()] for name in ("model", "symbols", "uniform", "markov_by_order", "markov_interpolated")
    }
    parts = strings(group["part"])
    exposures: tuple[str, ...] = strings(group["standing"]) if "standing" in group else ("",) * len(parts)
    differences = [_difference(group, row) for row in range(len(parts))]
    return tuple(
        PartBits(
            part=part,
            model=float(columns["model"][row]),
            symbols=int(columns["symbols"][row]),
            uniform=float(columns["uniform"][row]),
            by_order=tuple(columns["markov_by_order"][row].tolist()),
            interpolated=float(columns["markov_interpolated"][row]),
            difference=differences[row],
            standing=exposures[row],
        )
        for row, part in enumerate(parts)
    )


def _difference(group: h5py.Group, row: int) -> Estimate | None:
    if DIFFERENCE[0] not in group or np.isnan(group[DIFFERENCE[0]][row]):
        return None
    return Estimate(*(float(group[name][row]) for name in DIFFERENCE))


def _read_resumable(file: h5py.File) -> TrainingState:
    return TrainingState(
        first_moments=_read_arrays(file["optimiser/first_moment"]),
        second_moments=_read_arrays(file["optimiser/second_moment"]),
        hidden=file["state/hidden"][()],
        memory=file["state/memory"][()],
        progress=json.loads(file.attrs["progress"]),
        best=_read_arrays(file["best"]),
    )


def check_alphabet(checkpoint: Checkpoint, model_path: Path, genome: Genome) -> None:
    """Refuse a genome whose alphabet the model cannot read. Raises InputError naming both files."""
    if genome.alphabet.name != checkpoint.model.alphabet:
        raise InputError(
            f"{model_path} was trained on {checkpoint.model.alphabet} and {genome.path} holds {genome.alphabet.name};"
            " give a genome of the model's alphabet."
        )

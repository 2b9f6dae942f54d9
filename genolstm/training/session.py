"""One training from settings to checkpoint: what a command or a notebook steps through.

`settings_from` fills in what depends on the device, `begin` prepares a new training or one that was saved,
`TrainingSession.steps` trains, `evaluate` measures the held-out parts beside Markov models, and `checkpoint` is the
record that a model file holds. Nothing here writes a file, prints, or handles signals: that is the caller's.
"""

import dataclasses
import logging
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from genolstm.devices import refuse_precision
from genolstm.errors import InputError, UsageError
from genolstm.lanes import BatchSource, WeightedLanes, batches_of
from genolstm.model import NextSymbolModel
from genolstm.ranks import ALONE, Ranks
from genolstm.regions import Part, Stretches
from genolstm.scoring.recall import RecallPlan, plan_recall, recall_test_part
from genolstm.seen import Seen, seen_in, training_sequence
from genolstm.settings.model import SIZES, AlphabetName, ModelSettings, Size
from genolstm.settings.quantities import parse_names, parse_numbers, parse_size
from genolstm.settings.reading import StreamSettings
from genolstm.settings.recall import RecallSettings
from genolstm.settings.train import CUDA_CHUNK, CUDA_LANES, AuxiliaryTask, TrainSettings, rate_factor
from genolstm.store.checkpoint import AuxiliaryHeads, Checkpoint, PartBits
from genolstm.store.genome import Genome
from genolstm.store.joined_genome import members_of
from genolstm.store.lineage import Ancestor, GenomeRecord, TrainingSequence
from genolstm.store.recall import RecallBits
from genolstm.stream.reader import GenomeReader
from genolstm.stream.reading import mean_bits
from genolstm.training.evaluation import held_out_bits
from genolstm.training.loop import History, StepResult, train
from genolstm.training.multitask import auxiliary_of, refuse_multitask
from genolstm.training.origin import Origin, check_origin, lineage_of
from genolstm.training.snapshots import restore, restore_optimiser, snapshot
from genolstm.training.split import held_out_parts, training_split
from genolstm.training.steps import AUXILIARY, Run, fraction_done, new_run

log = logging.getLogger(__name__)

LISTS = (
    "train_contigs",
    "valid_contigs",
    "test_contigs",
    "multitask",
    "weights",
)  # settings that are typed with commas between


def settings_from(given: Mapping[str, Any], device: torch.device, *, where: str) -> tuple[ModelSettings, TrainSettings]:
    """Settings of a new training; what was not given follows the device and the settings' defaults.

    given : any field of ModelSettings and TrainSettings by name, and 'size', which names a shape; bases may be text as
    '40M', lists text with commas between.   where : what messages call these values.
    Raises InputError for an unknown name or a value of a wrong type, UsageError for one that cannot be.
    """
    values = {name: value for name, value in given.items() if value is not None}
    size = _size(values.pop("size")) if "size" in values else None
    of_model = ("cell", "layers", "hidden", "forget_bias")
    shape: dict[str, Any] = {name: values.pop(name) for name in of_model if name in values}
    if "forget_bias" in shape:
        shape["forget_bias"] = str(shape["forget_bias"])
    model, settings = ModelSettings.from_json(shape, where=where), TrainSettings.from_json(plain(values), where=where)
    return suited(model, settings, size, {**shape, **values}, device)


def suited(
    model: ModelSettings, settings: TrainSettings, size: Size | None, given: Container[str], device: torch.device
) -> tuple[ModelSettings, TrainSettings]:
    """Settings of a new training: shape, lanes, chunk and learning rate follow size and device where not given.

    given : names of the settings that were given.   Raises UsageError for a weight of tasks where there are none.
    """
    if "multitask_weight" in given and not settings.multitask:
        raise UsageError("--multitask-weight weighs the errors of --multitask, which is not given; give both.")
    on_gpu = device.type == "cuda"
    layers, hidden = SIZES[size or (Size.BASE if on_gpu else Size.SMALL)]
    model = dataclasses.replace(
        model,
        layers=model.layers if "layers" in given else layers,
        hidden=model.hidden if "hidden" in given else hidden,
    )
    if on_gpu:
        settings = dataclasses.replace(
            settings,
            lanes=settings.lanes if "lanes" in given else CUDA_LANES,
            chunk=settings.chunk if "chunk" in given else CUDA_CHUNK,
        )
        factor = 1.0 if "learning_rate" in given else rate_factor(settings.lanes, settings.chunk)
        settings = dataclasses.replace(settings, learning_rate=factor * settings.learning_rate)
    return model, settings


def _size(name: str) -> Size:
    if name not in set(Size):
        raise UsageError(f"size '{name}' is not known; known are {', '.join(Size)}.")
    return Size(name)


def plain(given: Mapping[str, Any]) -> dict[str, Any]:
    """Values as settings hold them: bases as a number, lists as tuples of names."""
    values = dict(given)
    if "bases" in values:
        values["bases"] = parse_size(str(values["bases"]))
    if isinstance(values.get("weights"), str):
        values["weights"] = parse_numbers(values["weights"], "weights")
    for name in LISTS:
        if isinstance(values.get(name), str):
            values[name] = parse_names(values[name])
        elif isinstance(values.get(name), list):
            values[name] = tuple(values[name])
    return values


@dataclass(kw_only=True)
class TrainingSession:
    """One training: what it reads, where it stands, and what is known of it so far.

    split : what is for training, validation and test.   held_out : parts whose bits can be measured, as they hold
    known symbols.   homology : of proteins, when the split was drawn; None of DNA and of a training that was resumed.
    inputs : further files read, name -> SHA-256.   ancestors : models that this one goes on from, the oldest first.
    """

    genome: Genome
    split: Stretches
    run: Run
    lanes: BatchSource
    history: History
    held_out: tuple[Part, ...]
    homology: dict[str, Any] | None
    inputs: dict[str, str] = field(default_factory=dict)
    ancestors: tuple[Ancestor, ...] = ()

    def steps(self) -> Iterator[StepResult]:
        """Train to the end, or to the early stop; yields after each step. The caller may stop in between."""
        for result in train(self.run, self.lanes, self._validation()):
            self.history.add(result)
            yield result

    def _validation(self) -> Callable[[], float] | None:
        """Measure of the validation part, in bits per known symbol; None where there is none."""
        if Part.VALID not in self.held_out:
            return None
        run, valid, symbols = self.run, self.split.of(Part.VALID), 0
        stream = StreamSettings(precision=run.settings.precision).suited(run.sums.device.type)
        reader = GenomeReader(run.model, self.genome, stream)

        def validate() -> float:
            nonlocal symbols
            bits = 0.0
            if run.ranks.is_main_process:
                symbols = symbols or run.settings.look_bases(self._expected_bases)  # all validations read the same
                bits = mean_bits(reader, valid, symbols=symbols)[0]
            return run.ranks.from_main(bits)

        return validate

    @property
    def _expected_bases(self) -> int:
        """Symbols of the whole training: as many as were asked for, or as its minutes will hold at the pace so far."""
        settings = self.run.settings
        return round(self.run.progress.bases / self.fraction_done) if settings.minutes else settings.bases

    @property
    def _reader(self) -> GenomeReader:
        return GenomeReader(self.run.model, self.genome, StreamSettings().suited(self.run.sums.device.type))

    @property
    def genomes(self) -> tuple[GenomeRecord, ...]:
        """The genomes that are trained on together; () of a single one."""
        return members_of(self.genome)

    @property
    def fraction_done(self) -> float:
        """How much of the training is behind us, 0 to 1."""
        return fraction_done(self.run.progress, self.run.settings)

    @property
    def auxiliary_errors(self) -> dict[AuxiliaryTask, float]:
        """Last error of each auxiliary task: mean squared, of standardised targets; empty before the first record."""
        auxiliary, errors = self.run.auxiliary, self.history.errors
        return dict(zip(auxiliary.tasks, errors[-1], strict=True)) if auxiliary and errors else {}

    def evaluate(self) -> tuple[PartBits, ...]:
        """Bits per known symbol of the held-out parts, beside Markov models; see `evaluation.held_out_bits`."""
        if not self.held_out:
            return ()
        self.run.model.eval()
        near, seed = self._near_duplicates(), self.run.settings.seed
        return held_out_bits(self._reader, self.split, self.held_out, near, seed=seed)

    def _near_duplicates(self) -> dict[int, float]:
        """Held-out contigs that are near-duplicates of what was trained on: by an ancestor, or in another genome."""
        if not self.ancestors and not self.genomes:
            return {}
        seen = seen_in(self.checkpoint(), self.genome)
        held_out = set(self.split.only(self.split.part != Part.TRAIN).contig.tolist())
        if held_out & seen.near.keys() and (told := seen.sentence(str(self.genome.path), "this model")):
            log.warning("%s", told)
        return seen.near

    def plan_recall(self, settings: RecallSettings) -> RecallPlan:
        """What recall will read to judge the test part.

        Raises UsageError where there is none, or nothing to fit its weights on, and as `scoring.recall.plan_recall`.
        """
        missing = [name for name in ("valid", "test") if Part[name.upper()] not in self.held_out]
        if missing:
            raise UsageError(
                f"--recall fits its weights on the validation part and is judged on the test part, and there is no"
                f" {' and no '.join(missing)} part with a known base: name contigs for both, or leave --recall out."
            )
        everything = np.ones(len(self.genome.names), dtype=np.bool_)
        seen = Seen(split=self.split, complete=True, recognised=everything, near={})
        return plan_recall(
            seen, self.genome, self.split.of(Part.TEST), settings, genome_name=str(self.genome.path),
            model_name="the model",
        )  # fmt: skip

    def recall(
        self, plan: RecallPlan, beside: Path, on_progress: Callable[[float, int], None] | None = None
    ) -> tuple[RecallBits, ...]:
        """Bits of the test part with and without recall. beside : an output, in whose folder scratch may lie.

        on_progress : called with the fraction that is done, and the symbols that were read.
        """
        self.run.model.eval()
        seed = self.run.settings.seed
        return recall_test_part(self._reader, plan, beside=beside, seed=seed, on_progress=on_progress)

    def checkpoint(
        self, bits: tuple[PartBits, ...] = (), *, resumable: bool = False, recall: tuple[RecallBits, ...] = ()
    ) -> Checkpoint:
        """The model as it is now. bits : of `evaluate`.   recall : of `recall`.

        resumable : with all that the training needs to go on to the same bits; of several processes all must ask.
        """
        run, history = self.run, self.history
        return Checkpoint(
            model=run.model.settings,
            train=run.settings,
            weights=run.model.weight_arrays(),
            split=self.split,
            lengths=self.genome.lengths,
            genome_sha256=self.genome.sha256,
            history=history.records,
            looks=history.looks,
            bits=bits,
            resumable=snapshot(run) if resumable else None,
            auxiliary=run.auxiliary.kept(history.errors_of(len(run.auxiliary.tasks))) if run.auxiliary else None,
            training=None if resumable else self._training_sequence,
            genomes=self.genomes,
            ancestors=self.ancestors,
            recall=recall,
        )

    @cached_property
    def _training_sequence(self) -> TrainingSequence:
        return training_sequence(self.genome, self.split)

    @property
    def provenance(self) -> tuple[dict[str, Any], dict[str, str]]:
        """Settings and inputs (name -> SHA-256) for the model file."""
        settings = {"model": self.run.model.settings.to_json(), "train": self.run.settings.to_json()}
        genomes = {f"genome {each.name}": each.sha256 for each in self.genomes}
        return settings, {**(genomes or {"genome": self.genome.sha256}), **self.inputs}


def begin(
    genome: Genome,
    model_settings: ModelSettings,
    settings: TrainSettings,
    *,
    device: torch.device,
    saved: Checkpoint | None = None,
    origin: Origin | None = None,
    ranks: Ranks = ALONE,
) -> TrainingSession:
    """A new training, or the saved one where it stood; alone, or with other processes.

    genome : of `joined_genome.join_genomes` where there are several.   saved : resumable checkpoint of a training with
    these settings.   origin : model whose weights a new training begins with, and whose shape is that of the settings.
    Raises InputError for another genome than the saved training's or one without a known symbol to train on, and for a
    part held out that the origin has seen; UsageError for what cannot be trained.
    """
    refuse_precision(settings.precision, device)
    if origin:
        check_origin(origin, genome)
    if saved and saved.genome_sha256 != genome.sha256:
        raise InputError(f"{genome.path} is not the genome file that the unfinished training read; give that one.")
    if settings.folds and not settings.fold:
        raise UsageError("one training is of one fold: give --fold, from 1, beside --folds.")
    if settings.multitask:
        refuse_multitask(genome, settings.multitask)  # before anything that takes time
    split, homology, inputs = (saved.split, None, {}) if saved else training_split(genome, settings, origin)
    shaped = dataclasses.replace(model_settings, alphabet=AlphabetName(genome.alphabet.name))
    run = _run(genome, split.of(Part.TRAIN), shaped, settings, device, saved, ranks)
    if origin:
        _go_on_from(origin, run)
        inputs = {**inputs, **({"from": origin.sha256} if origin.sha256 else {})}
    held_out = held_out_parts(genome, split)
    ancestors = saved.ancestors if saved else lineage_of(origin, genome)
    lanes = batches_of(
        genome, split.of(Part.TRAIN), n_lanes=settings.lanes, chunk=settings.chunk, device=device, seed=settings.seed,
        weights=settings.weights, drawn_start=bool(ancestors),
    )  # fmt: skip
    _log_shape(run, genome.alphabet.unit)
    if isinstance(lanes, WeightedLanes):
        log.info("lanes: %s", ", ".join(f"{count} of {name}" for name, count in lanes.by_genome.items()))
    return TrainingSession(
        genome=genome, split=split, run=run, lanes=lanes, history=_history(saved), held_out=held_out,
        homology=homology, inputs=inputs, ancestors=ancestors,
    )  # fmt: skip


def _go_on_from(origin: Origin, run: Run) -> None:
    """Begin with the weights of another model, and with its optimiser's moments where they are kept."""
    run.model.load_weights(origin.checkpoint.weights)
    if origin.keep_optimiser and origin.checkpoint.resumable:
        of_model = {
            name: array
            for name, array in origin.checkpoint.resumable.first_moments.items()
            if not name.startswith(AUXILIARY)
        }
        restore_optimiser(run, dataclasses.replace(origin.checkpoint.resumable, first_moments=of_model))
    log.info(
        "going on from %s, trained on %s symbols; schedule fresh, optimiser %s", origin.name,
        f"{origin.checkpoint.bases:,}", "kept" if origin.keep_optimiser else "fresh",
    )  # fmt: skip


def _run(
    genome: Genome, training: Stretches, model_settings: ModelSettings, settings: TrainSettings, device: torch.device,
    saved: Checkpoint | None, ranks: Ranks,
) -> Run:  # fmt: skip
    """Model and optimiser, new or as they were saved."""
    model = NextSymbolModel(model_settings, seed=settings.seed)
    if saved:
        model.load_weights(saved.weights)
    model = model.to(device)
    heads: AuxiliaryHeads | None = saved.auxiliary if saved else None
    run = new_run(model, settings, auxiliary_of(genome, training, settings.multitask, model, saved=heads), ranks)
    if saved and saved.resumable:
        restore(run, saved.resumable)
        log.info("resuming after %s %ss", f"{run.progress.bases:,}", genome.alphabet.unit)
    return run


def _history(saved: Checkpoint | None) -> History:
    if saved is None:
        return History()
    errors = saved.auxiliary.errors.tolist() if saved.auxiliary else []
    return History(records=saved.history, looks=saved.looks, errors=[tuple(row) for row in errors])


def _log_shape(run: Run, unit: str) -> None:
    """Log what is trained: cell, layers and units, lanes, processes, auxiliary tasks."""
    model, settings = run.model, run.settings
    log.info(
        "%s %dx%d, %s weights; %s lanes x %s %ss a step",
        model.settings.cell, model.settings.layers, model.settings.hidden, f"{model.n_weights:,}", settings.lanes,
        settings.chunk, unit,
    )  # fmt: skip
    if run.ranks.size > 1:
        log.info("%d processes, %d lanes each", run.ranks.size, settings.lanes // run.ranks.size)
    if run.auxiliary:
        log.info(
            "auxiliary tasks, weight %g: %s", settings.multitask_weight,
            ", ".join(f"{task} (mean {mean:.3g}, sd {sd:.3g})" for task, mean, sd in run.auxiliary.scales()),
        )  # fmt: skip

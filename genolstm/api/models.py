"""Models: loaded from a file or by name, trained, and saved."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from genolstm.api.found import as_found
from genolstm.api.records import Result, made_by, read_provenance
from genolstm.devices import choose_device
from genolstm.errors import UsageError
from genolstm.model import NextSymbolModel, trained_model
from genolstm.settings.model import ModelSettings
from genolstm.settings.train import DeviceName
from genolstm.shipped import model_path
from genolstm.store.checkpoint import (
    HISTORY,
    LOOKS,
    Checkpoint,
    PartBits,
    Weights,
    check_alphabet,
    read_checkpoint,
    write_checkpoint,
)
from genolstm.store.files import Provenance, Records, file_sha256
from genolstm.store.genome import Genome
from genolstm.store.joined_genome import join_genomes
from genolstm.store.lineage import Ancestor
from genolstm.training.loop import StepResult
from genolstm.training.origin import Origin, shape_of
from genolstm.training.session import TrainingSession, begin, settings_from


@dataclass(frozen=True, kw_only=True, eq=False)
class Model(Result):
    """A network with its record: what it was trained on, how good it is, what it has seen.

    Attributes
    ----------
    name
        Of a bundled model, else of its file.
    network
        The torch module. Calls compute on its device with its present weights, and leave it as it is.
    source
        What messages call it: its file, where it has one.
    sha256
        Of its file; ``""`` without one.

    Examples
    --------
    >>> model = gl.load("pombe-256")
    >>> model.settings.hidden, len(model.seen) > 0
    (256, True)
    """

    name: str
    network: NextSymbolModel
    source: str
    sha256: str
    trained: Checkpoint

    @property
    def settings(self) -> ModelSettings:
        """Alphabet, cell and shape."""
        return self.network.settings

    @property
    def seen(self) -> tuple[str, ...]:
        """Names of the contigs of which any base was trained on."""
        return self.trained.seen

    @property
    def ancestors(self) -> tuple[Ancestor, ...]:
        """Models that this one goes on from, the oldest first: names, bases, and what each has seen."""
        return self.trained.ancestors

    @property
    def bits(self) -> dict[str, PartBits]:
        """Bits per base of the held-out parts by name, each beside its Markov models."""
        return {row.part: row for row in self.trained.bits}

    @property
    def device(self) -> torch.device:
        """Where the network lies, and where calls compute."""
        return self.network.head.weight.device

    @property
    def checkpoint(self) -> Checkpoint:
        """Everything that a model file holds, with the network's present weights.

        Weights that were changed since are in none of the figures, so that these are left out.
        """
        weights, known = self.network.weight_arrays(), self.trained.weights
        if all(np.array_equal(weights[name], known[name]) for name in weights):
            return self.trained
        return dataclasses.replace(self.trained, weights=weights, bits=(), card=None)

    def to(self, device: str) -> "Model":
        """The same model on another device.

        Parameters
        ----------
        device
            ``"auto"``, ``"cpu"`` or ``"cuda"``.

        Returns
        -------
        Model
            With a network of its own; this one stays where it is.

        Raises
        ------
        UsageError
            The device is not known, or not there.
        """
        weights = self.network.weight_arrays()
        return _model(
            self.trained, weights, device, name=self.name, source=self.source, sha256=self.sha256,
            provenance=self.provenance,
        )  # fmt: skip

    @as_found()
    def random_init(self, index: int = 1, *, seed: int = 1) -> "Model":
        """A randomly initialised model of the same shape: what probes compare this one with.

        Parameters
        ----------
        index
            Which one; 1, 2, ... are drawn independently of each other.
        seed
            Of the draw.

        Returns
        -------
        Model
            On the same device, with the same split; it has seen nothing of it.

        Examples
        --------
        >>> gl.load("pombe-256").random_init().bits
        {}
        """
        network = NextSymbolModel(self.settings, seed=seed, index=index).eval()
        drawn = dataclasses.replace(
            self.trained, weights=network.weight_arrays(), bits=(), card=None, auxiliary=None,
            history={name: [] for name in HISTORY}, looks={name: [] for name in LOOKS},
        )  # fmt: skip
        name = f"{self.name}, random-init {index}"
        return Model(
            provenance=made_by("Model.random_init", {"index": index}, {"model": self.sha256}, seed=seed),
            records=Records(), name=name, network=network.to(self.device), source=name, sha256="", trained=drawn,
        )  # fmt: skip

    def evaluated(self) -> NextSymbolModel:
        """A copy of the network for reading, in evaluation mode on the same device: `network` stays as it is.

        Returns
        -------
        genolstm.model.NextSymbolModel
            With the present weights.
        """
        return trained_model(self.settings, self.network.weight_arrays()).to(self.device)

    def check_reads(self, genome: Genome) -> None:
        """Refuse a genome of another alphabet.

        Parameters
        ----------
        genome
            To be read.

        Raises
        ------
        InputError
            The model reads DNA and the genome holds proteins, or the other way round.
        """
        check_alphabet(self.trained, Path(self.source), genome)

    def _write(self, path: Path) -> None:
        write_checkpoint(path, self.checkpoint, self.provenance)


@as_found()
def _model(
    trained: Checkpoint, weights: Weights, device: str, *, name: str, source: str, sha256: str, provenance: Provenance
) -> Model:
    """A model with a network of its own. weights : of the network; those of `trained`, or changed since."""
    network = trained_model(trained.model, weights).to(chosen_device(device))
    return Model(
        provenance=provenance, records=Records(), name=name, network=network, source=source, sha256=sha256,
        trained=trained,
    )  # fmt: skip


def chosen_device(name: str) -> torch.device:
    """Device by its name. Raises UsageError for one that is not known, or not there."""
    if name not in set(DeviceName):
        raise UsageError(f"device '{name}' is not known; known are {', '.join(DeviceName)}.")
    return choose_device(DeviceName(name))


def load(model: str | Path, *, device: str = "auto") -> Model:
    """Load a model.

    Parameters
    ----------
    model
        File that `train` or ``genolstm train`` made, or the name of a bundled model (``genolstm
        models`` lists them).
    device
        ``"auto"`` (CUDA where there is a GPU), ``"cpu"`` or ``"cuda"``.

    Returns
    -------
    Model
        In evaluation mode.

    Raises
    ------
    InputError
        There is no such model, or the file is damaged or of another kind.
    UsageError
        The device is not there.

    Examples
    --------
    >>> gl.load("pombe-256").name
    'pombe-256'
    """
    path = model_path(str(model))
    checkpoint = read_checkpoint(path)
    provenance, _ = read_provenance(path)
    return _model(
        checkpoint, checkpoint.weights, device, name=path.stem, source=str(path), sha256=file_sha256(path),
        provenance=provenance,
    )  # fmt: skip


class Training:
    """A training to step through: what `train` and ``genolstm train`` run.

    Parameters
    ----------
    genome
        To be trained on; of several, one model of all, whose contigs are called ``NAME:contig`` by each file's name.
    device
        ``"auto"``, ``"cpu"`` or ``"cuda"``.
    from_model
        Go on from this model, a file or the name of a bundled one: its weights and its shape. What it has seen is seen.
    keep_optimiser
        With ``from_model``: begin with its optimiser's moments too, where its file is of an unfinished training.
    **settings
        Any field of ``genolstm.settings.model.ModelSettings`` and ``genolstm.settings.train.TrainSettings``, or
        ``size``: ``hidden=256, bases="40M", test_contigs="III"``.

    Attributes
    ----------
    session
        The state of the training: ``session.history`` holds all records and validations so far.

    Raises
    ------
    InputError
        A setting is not known or of a wrong type, or the genome has no contig of a name given.
    UsageError
        A setting cannot be.

    Examples
    --------
    >>> genome = gl.Genome.from_fasta("small.fa")
    >>> training = gl.Training(genome, hidden=8, bases="20k", test_contigs="chrC", device="cpu")
    >>> records = [step.record for step in training if step.record]
    >>> records[-1].bases >= 20_000
    True
    >>> training.model().bits["test"].model < 2.1
    True
    """

    @as_found()
    def __init__(
        self,
        genome: Genome | Sequence[Genome],
        *,
        device: str = "auto",
        from_model: "Model | str | Path | None" = None,
        keep_optimiser: bool = False,
        **settings: Any,  # noqa: ANN401
    ) -> None:
        on, origin = chosen_device(device), None
        if from_model is not None:
            before = from_model if isinstance(from_model, Model) else load(from_model, device="cpu")
            origin = Origin(
                name=before.name, sha256=before.sha256, checkpoint=before.checkpoint, keep_optimiser=keep_optimiser
            )
            own = shape_of(origin, settings)
            settings = {
                **{name: value for name, value in settings.items() if name != "size"},
                **{name: getattr(own, name) for name in ("cell", "layers", "hidden", "forget_bias")},
            }
        elif keep_optimiser:
            raise UsageError("keep_optimiser is for from_model, which is not given; give both, or leave it out.")
        shape, how = settings_from(settings, on, where="train")
        joined = genome if isinstance(genome, Genome) else join_genomes(list(genome))
        self.session: TrainingSession = begin(joined, shape, how, device=on, origin=origin)

    def __iter__(self) -> Iterator[StepResult]:
        """Train to the end, or to the early stop; yields after each weight update. Stop it whenever you like."""
        return self.session.steps()

    def model(self) -> Model:
        """The model as it is now, measured on the parts that were held out.

        Returns
        -------
        Model
            With a network of its own: the training may go on.
        """
        run = self.session.run
        training, device = run.model.training, run.model.head.weight.device
        checkpoint = self.session.checkpoint(self.session.evaluate())
        run.model.train(training)
        settings, inputs = self.session.provenance
        return _model(
            checkpoint, checkpoint.weights, device.type, name="trained model", source="the trained model", sha256="",
            provenance=made_by("train", settings, inputs, device=device, seed=run.settings.seed),
        )  # fmt: skip


@as_found()
def train(
    genome: Genome | Sequence[Genome],
    *,
    device: str = "auto",
    from_model: Model | str | Path | None = None,
    keep_optimiser: bool = False,
    **settings: Any,  # noqa: ANN401
) -> Model:
    """Train a model to predict the next base.

    Parameters
    ----------
    genome
        To be trained on: its contigs and their reverse complements. Of several, one model of all.
    device
        ``"auto"``, ``"cpu"`` or ``"cuda"``.
    from_model, keep_optimiser
        As of `Training`: the model to go on from.
    **settings
        As of `Training`. Without ``valid_contigs`` and ``test_contigs`` a twentieth of the genome is held out for each.

    Returns
    -------
    Model
        The same weights, to the bit, as those of ``genolstm train`` with the same settings, seed and threads.

    Raises
    ------
    InputError
        A setting is not known or of a wrong type, or the genome has no contig of a name given.
    UsageError
        A setting cannot be.

    Examples
    --------
    >>> genome = gl.Genome.from_fasta("small.fa")
    >>> model = gl.train(genome, hidden=8, bases="20k", test_contigs="chrC", device="cpu")
    >>> model.seen
    ('chrA', 'chrB')
    >>> further = gl.train(genome, bases="20k", from_model=model, device="cpu")
    >>> further.ancestors[0].name, further.seen
    ('trained model', ('chrA', 'chrB'))
    """
    training = Training(genome, device=device, from_model=from_model, keep_optimiser=keep_optimiser, **settings)
    for _ in training:
        pass
    return training.model()

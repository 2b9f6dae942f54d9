"""The model that a training goes on from: its weights, its shape, and what it has seen."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genolstm.errors import InputError, UsageError
from genolstm.regions import Part, Stretches, stretches_from_rows
from genolstm.scoring.beside_markov import shared
from genolstm.seen import Seen, seen_in, training_sequence
from genolstm.settings.model import SIZES, ModelSettings, Size
from genolstm.store.checkpoint import Checkpoint, check_alphabet, read_checkpoint
from genolstm.store.files import file_sha256
from genolstm.store.genome import Genome
from genolstm.store.lineage import Ancestor

CONTIGS_NAMED = 6


@dataclass(frozen=True, kw_only=True)
class Origin:
    """A model to go on from. name : for messages and for the card.   sha256 : of its file; '' without one.

    keep_optimiser : begin with its optimiser's moments too, not with fresh ones.
    """

    name: str
    sha256: str
    checkpoint: Checkpoint
    keep_optimiser: bool = False

    def __post_init__(self) -> None:
        if self.keep_optimiser and self.checkpoint.resumable is None:
            raise UsageError(
                f"--keep-optimiser: {self.name} is a finished model, which holds no state of an optimiser (a file"
                " OUTPUT.resume does); leave the option out."
            )


def read_origin(path: Path, *, keep_optimiser: bool = False) -> Origin:
    """A model file to go on from.

    Raises InputError as `checkpoint.read_checkpoint`, UsageError where it lacks an optimiser that is to be kept.
    """
    return Origin(
        name=path.stem, sha256=file_sha256(path), checkpoint=read_checkpoint(path), keep_optimiser=keep_optimiser
    )


def shape_of(origin: Origin, given: Mapping[str, Any]) -> ModelSettings:
    """Shape of the model to go on from. given : settings by name, of which those of the shape must agree, and 'size'.

    Raises InputError naming the first that does not.
    """
    shape = origin.checkpoint.model
    wanted = {name: given[name] for name in ("cell", "layers", "hidden", "forget_bias") if given.get(name) is not None}
    if given.get("size") is not None:
        wanted = {**dict(zip(("layers", "hidden"), SIZES[Size(given["size"])], strict=True)), **wanted}
    for name, value in wanted.items():
        there = getattr(shape, name)
        if str(value) != str(there):
            raise InputError(
                f"{origin.name} has {name.replace('_', ' ')} {there}, not {value}: a model that goes on from it has its"
                f" shape; leave --{name.replace('_', '-')} out."
            )
    return shape


def check_origin(origin: Origin, genome: Genome) -> None:
    """Refuse a model that cannot go on on a genome: of another alphabet, or of which it is not known what it saw.

    Raises InputError.
    """
    check_alphabet(origin.checkpoint, Path(origin.name), genome)
    if origin.checkpoint.training is None and origin.checkpoint.genome_sha256 != genome.sha256:
        raise InputError(
            f"{origin.name} holds no hashes of its training sequence (version 0.1.0, or an unfinished training): a"
            " model that goes on from it on another genome could not tell what is held out; finish its training, or"
            " pack it with 'genolstm models pack'."
        )


def lineage_of(origin: Origin | None, genome: Genome) -> tuple[Ancestor, ...]:
    """The model to go on from after those that it went on from; () without one. genome : that is trained on now."""
    if origin is None:
        return ()
    model = origin.checkpoint
    own = Ancestor(
        name=origin.name,
        sha256=origin.sha256,
        bases=model.bases,
        split=model.split,
        lengths=model.lengths,
        genome_sha256=model.genome_sha256,
        genomes=model.genomes,
        training=model.training or training_sequence(genome, model.split),
    )
    return (*model.ancestors, own)


def own_split(seen: Seen, genome: Genome) -> Stretches | None:
    """The split that a model already has of a genome, what it never met being for training; None for another genome."""
    if not seen.complete:
        return None
    split = seen.split
    new = [
        (contig, 0, length, int(Part.TRAIN))
        for contig, length in enumerate(genome.lengths.tolist())
        if not seen.recognised[contig]
    ]
    return stretches_from_rows(split.contigs, sorted([*split.rows, *new]))


def refuse_seen(origin: Origin, seen: Seen, split: Stretches, genome: Genome) -> None:
    """Refuse to hold out what the model to go on from was trained on. Raises InputError."""
    trained = seen.split.of(Part.TRAIN)
    held_out = split.only(split.part != Part.TRAIN)
    if not (met := shared(held_out, trained)).bases:
        return
    seen_names = ", ".join(met.names()[:CONTIGS_NAMED])
    known = set(trained.names())
    fresh = [name for name in genome.names if name not in known][:CONTIGS_NAMED]
    raise InputError(
        f"{origin.name} was trained on {seen_names} of {genome.path}, which would be held out here: no score on it"
        f" could be; hold out {', '.join(fresh) or 'another genome'}, or train without --from."
    )


def seen_by(origin: Origin, genome: Genome) -> Seen:
    """What of a genome the model to go on from has seen."""
    return seen_in(origin.checkpoint, genome)

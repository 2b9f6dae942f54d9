"""What a model has seen: the genomes of its training, and the models that it goes on from, each with theirs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import h5py
import numpy as np
from numpy.typing import NDArray

from genolstm.regions import Part, Stretches
from genolstm.store.files import strings, write_strings

INTERVALS = ("contig", "start", "end", "part")  # columns of a split


@dataclass(frozen=True, kw_only=True)
class TrainingSequence:
    """Hashes that identify what a model was trained on, see `genolstm.seen`.

    contigs, stretches : uint8 [contigs, 16] and [stretches, 16], BLAKE2b of the codes of each contig of the genome and
    each stretch of the split.   kmers : uint64 [n], sorted hashes of k-mers of the training part, all below a bound.
    """

    contigs: NDArray[np.uint8]
    stretches: NDArray[np.uint8]
    kmers: NDArray[np.uint64]
    below: np.uint64


@dataclass(frozen=True, kw_only=True)
class GenomeRecord:
    """One of several genomes that were trained on together.

    name : before the colon in the names of its contigs.   sha256 : as `Genome.sha256`.   contigs : how many it has;
    those of the next genome follow.
    """

    name: str
    sha256: str
    contigs: int


class TrainedOn(Protocol):
    """What a training read: of a model, or of one that it goes on from.

    split : what was for training, validation, test.   lengths : bases of each contig.   genome_sha256 : of the genome,
    of several of all together.   genomes : of several, each; () of one.   training : hashes of the training sequence.
    """

    @property
    def split(self) -> Stretches: ...  # noqa: D102
    @property
    def lengths(self) -> NDArray[np.int64]: ...  # noqa: D102
    @property
    def genome_sha256(self) -> str: ...  # noqa: D102
    @property
    def genomes(self) -> tuple[GenomeRecord, ...]: ...  # noqa: D102
    @property
    def training(self) -> TrainingSequence | None: ...  # noqa: D102


@dataclass(frozen=True, kw_only=True)
class Ancestor:
    """A model that another one went on from, without its weights. The other fields are those of `TrainedOn`.

    name : of its file or its own.   sha256 : of its file; '' where it was none.   bases : symbols read in its training,
    without those of its own ancestors.
    """

    name: str
    sha256: str
    bases: int
    split: Stretches
    lengths: NDArray[np.int64]
    genome_sha256: str
    genomes: tuple[GenomeRecord, ...]
    training: TrainingSequence

    @property
    def seen(self) -> tuple[str, ...]:
        """Names of the contigs of which any base was trained on."""
        return self.split.of(Part.TRAIN).names()


def write_genomes(group: h5py.Group, genomes: Sequence[GenomeRecord]) -> None:
    """Write the table of genomes, where there are several."""
    if genomes:
        write_strings(group.require_group("genomes"), "name", [genome.name for genome in genomes])
        write_strings(group["genomes"], "sha256", [genome.sha256 for genome in genomes])
        group["genomes/contigs"] = np.array([genome.contigs for genome in genomes], dtype=np.int64)


def read_genomes(group: h5py.Group) -> tuple[GenomeRecord, ...]:
    """Read what `write_genomes` wrote; () where it wrote nothing, as in files of 0.1.0."""
    if "genomes" not in group:
        return ()
    table = group["genomes"]
    columns = zip(strings(table["name"]), strings(table["sha256"]), table["contigs"][()].tolist(), strict=True)
    return tuple(GenomeRecord(name=name, sha256=sha256, contigs=contigs) for name, sha256, contigs in columns)


def write_training(group: h5py.Group, training: TrainingSequence) -> None:
    """Write hashes beside the tables of contigs and of the split that they are of."""
    group["contigs/blake2b"], group["split/blake2b"] = training.contigs, training.stretches
    group["training/kmers"] = training.kmers
    group["training"].attrs["kmers_below"] = training.below


def read_training(group: h5py.Group) -> TrainingSequence:
    """Read what `write_training` wrote."""
    return TrainingSequence(
        contigs=group["contigs/blake2b"][()],
        stretches=group["split/blake2b"][()],
        kmers=group["training/kmers"][()],
        below=np.uint64(group["training"].attrs["kmers_below"]),
    )


def read_split(group: h5py.Group) -> Stretches:
    """Read the split of a file or of an ancestor in it."""
    columns = {name: group["split"][name][()] for name in INTERVALS}
    return Stretches(contigs=strings(group["contigs/name"]), **columns)


def write_ancestors(file: h5py.File, ancestors: Sequence[Ancestor]) -> None:
    """Write ancestors, the oldest first, each in a group by its number from 1."""
    for number, ancestor in enumerate(ancestors, 1):
        group = file.create_group(f"ancestors/{number}")
        for name in ("name", "sha256", "bases", "genome_sha256"):
            group.attrs[name] = getattr(ancestor, name)
        write_strings(group.create_group("contigs"), "name", ancestor.split.contigs)
        group["contigs/length"] = ancestor.lengths
        for name in INTERVALS:
            group[f"split/{name}"] = getattr(ancestor.split, name)
        write_genomes(group, ancestor.genomes)
        write_training(group, ancestor.training)


def read_ancestors(file: h5py.File) -> tuple[Ancestor, ...]:
    """Read what `write_ancestors` wrote."""
    found = file.get("ancestors", {})
    return tuple(_read_ancestor(found[number]) for number in sorted(found, key=int))


def _read_ancestor(group: h5py.Group) -> Ancestor:
    return Ancestor(
        name=str(group.attrs["name"]),
        sha256=str(group.attrs["sha256"]),
        bases=int(group.attrs["bases"]),
        split=read_split(group),
        lengths=group["contigs/length"][()],
        genome_sha256=str(group.attrs["genome_sha256"]),
        genomes=read_genomes(group),
        training=read_training(group),
    )

"""What a training trains on, validates and tests: the split of a genome, or of proteins by homology."""

import logging
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError, UsageError
from genolstm.homology import clusters_of, largest_identity
from genolstm.readers.clusters import read_clusters
from genolstm.regions import (
    Part,
    Stretches,
    check_names,
    put_together,
    split_chains,
    split_genome,
    stretches_from_rows,
)
from genolstm.scoring.beside_markov import blocks_of
from genolstm.seeds import spawn
from genolstm.settings.train import TrainSettings
from genolstm.store.files import file_sha256
from genolstm.store.genome import Genome
from genolstm.store.joined_genome import contigs_of, members_of, qualified
from genolstm.training.folds import fold_split
from genolstm.training.origin import Origin, own_split, refuse_seen, seen_by

log = logging.getLogger(__name__)

CONTIGS_NAMED = 6  # in a line of the log


class Named(NamedTuple):
    """Contigs that are named for each part."""

    train_contigs: tuple[str, ...]
    valid_contigs: tuple[str, ...]
    test_contigs: tuple[str, ...]


class TrainingSplit(NamedTuple):
    """A split, and what is reported of it.

    homology : of proteins, for the summary; None for DNA.   inputs : further files read, name -> SHA-256.
    """

    split: Stretches
    homology: dict[str, Any] | None
    inputs: dict[str, str]


def training_split(genome: Genome, settings: TrainSettings, origin: Origin | None = None) -> TrainingSplit:
    """Split of a genome into blocks, named contigs or folds; of proteins into whole clusters.

    Of several genomes each is split as if it were alone. origin : model to go on from. On a genome that it was trained
    on its split stays, unless contigs are named.
    Raises UsageError for clusters of DNA, or folds of what is not one genome; InputError for a plain name that several
    genomes have, or where what would be held out was trained on.
    """
    several = list(contigs_of(genome))
    if settings.folds and (several or genome.alphabet.complement is None):
        raise UsageError(f"--folds split one genome, and {genome.path} is not one; leave --folds out.")
    named = Named(*(_named(genome, settings, part) for part in Part))
    if genome.alphabet.complement is None:
        return _split_of_proteins(genome, settings, named, origin)
    if settings.clusters:
        raise UsageError(f"--clusters is for proteins, and {genome.path} holds {genome.alphabet.name}; leave it out.")
    if not several:
        return TrainingSplit(_split_of_one(genome, settings, named, origin), None, {})
    rows = []
    for name, each, mine in several:
        prefix = f"{name}:"
        of_it = Named(
            *(tuple(contig.removeprefix(prefix) for contig in names if contig.startswith(prefix)) for names in named)
        )
        split = _split_of_one(each, settings, of_it, origin)
        rows += [(contig + mine.start, start, end, part) for contig, start, end, part in split.rows]
    return TrainingSplit(stretches_from_rows(genome.names, rows), None, {})


def _named(genome: Genome, settings: TrainSettings, part: Part) -> tuple[str, ...]:
    """Contigs that are named for a part, of several genomes as NAME:contig.

    Raises InputError for one that is not there.
    """
    names: tuple[str, ...] = getattr(settings, f"{part.name.lower()}_contigs")
    if not members_of(genome):
        return names
    plain = {contig for _, each, _ in contigs_of(genome) for contig in each.names}
    found = qualified(put_together(names, {*plain, *genome.names}), genome, f"--{part.name.lower()}-contigs")
    check_names(genome.length_of, {part: found})
    return found


def _split_of_one(genome: Genome, settings: TrainSettings, named: Named, origin: Origin | None) -> Stretches:
    """Split of one genome of DNA."""
    seen = seen_by(origin, genome) if origin else None
    split = own_split(seen, genome) if seen and not settings.folds and not any(named) else None
    if origin and split:
        log.info("the split of %s is that of %s, which was trained on it", genome.path, origin.name)
    if split is None and settings.folds:
        split = fold_split(genome, settings.folds, settings.fold)
    if split is None:
        split = split_genome(genome.length_of, spawn(settings.seed, "split"), **named._asdict())
    if origin and seen:
        refuse_seen(origin, seen, split, genome)
        if seen.near and (told := seen.sentence(str(genome.path), origin.name)):
            log.warning("%s", told)
    return split


def _split_of_proteins(genome: Genome, settings: TrainSettings, named: Named, origin: Origin | None) -> TrainingSplit:
    """Split of proteins into whole clusters."""
    seen = seen_by(origin, genome) if origin else None
    clusters, inputs = _clusters(genome, settings)
    split = own_split(seen, genome) if seen and not any(named) else None
    if split is None:
        split = split_chains(genome.length_of, clusters, spawn(settings.seed, "split"), **named._asdict())
    if origin and seen:
        refuse_seen(origin, seen, split, genome)
    return TrainingSplit(split, _homology(genome, split, clusters), inputs)


def _clusters(genome: Genome, settings: TrainSettings) -> tuple[NDArray[np.int64], dict[str, str]]:
    """Cluster of each protein: from a file where one is given, else by common k-mers."""
    if not settings.clusters:
        return clusters_of(_chains(genome, range(len(genome.names)))), {}
    path = Path(settings.clusters)
    clusters, strangers = read_clusters(path, genome.names)
    if strangers:
        log.info("%s proteins of %s are not in %s", f"{strangers:,}", path, genome.path)
    return clusters, {"clusters": file_sha256(path)}


def _chains(genome: Genome, places: range | NDArray[np.int32]) -> list[NDArray[np.uint8]]:
    """Codes of some proteins, by their place in the file."""
    return [genome.all_codes[genome.starts[at] : genome.starts[at] + genome.lengths[at]] for at in places]


def _homology(genome: Genome, split: Stretches, clusters: NDArray[np.int64]) -> dict[str, Any]:
    """How far the split keeps relatives together, measured and logged."""
    members = np.bincount(clusters)
    training, held = split.of(Part.TRAIN).contig, split.contig[split.part != Part.TRAIN]
    closest = largest_identity(_chains(genome, held), _chains(genome, training))  # the shorter list is the query
    left_out = len(genome.names) - len(split.contig)
    log.info(
        "%s proteins in %s clusters, which are not split; the largest has %s%s",
        f"{len(genome.names):,}", f"{len(members):,}", f"{members.max():,}",
        f"; {left_out:,} are in no part, as relatives of held-out ones or not named" if left_out else "",
    )  # fmt: skip
    found = closest.one >= 0
    pair = (genome.names[held[closest.one]], genome.names[training[closest.other]]) if found else None
    if pair:
        log.info(
            "largest identity left between held-out and training proteins: %.0f %% of %s aligned residues (%s, %s)",
            100 * closest.identity, f"{closest.aligned_residues:,}", *pair,
        )  # fmt: skip
    else:
        log.info("no alignment between held-out and training proteins is long enough to estimate an identity")
    return {
        "clusters": len(members),
        "largest_cluster": int(members.max()),
        "left_out": left_out,
        "largest_identity": closest.identity if found else None,
        "aligned_residues": closest.aligned_residues if found else None,
        "pair": pair,
        "aligned_pairs": closest.aligned_pairs,
    }


def held_out_parts(genome: Genome, split: Stretches) -> tuple[Part, ...]:
    """Held-out parts that can be scored; what each part holds is logged. Raises InputError if training is all N."""
    known = [part for part in Part if _has_known(genome, split, part)]
    unknown = genome.alphabet.unknown_letter
    for part in Part:
        here = split.of(part)
        if part not in known and part is Part.TRAIN:
            raise InputError(
                f"the training part of {genome.path} ({_shortly(here.names())}) holds nothing but {unknown}; give a"
                " genome, or --train-contigs, with known symbols."
            )
        if part not in known and here.bases:
            log.warning("%s part: nothing but %s, so it is not scored", part.name.lower(), unknown)
        log.info("%s: %s %ss of %s", part.name.lower(), f"{here.bases:,}", genome.alphabet.unit, _shortly(here.names()))
    return tuple(part for part in known if part is not Part.TRAIN)


def _has_known(genome: Genome, split: Stretches, part: Part) -> bool:
    """Whether a part of the split holds any symbol that can be a target."""
    unknown = genome.alphabet.unknown
    return any(bool((block != unknown).any()) for blocks in blocks_of(genome, split.of(part)) for block in blocks)


def _shortly(contigs: tuple[str, ...]) -> str:
    more = f" and {len(contigs) - CONTIGS_NAMED} more" if len(contigs) > CONTIGS_NAMED else ""
    return ", ".join(contigs[:CONTIGS_NAMED]) + more or "no contig"

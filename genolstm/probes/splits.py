"""Training, validation and test parts of a genome for a probe."""

import logging
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError, UsageError
from genolstm.regions import Part, Stretches, put_together, split_genome
from genolstm.seeds import spawn
from genolstm.seen import seen_in
from genolstm.settings.protein import AnyProbeSettings
from genolstm.store.checkpoint import Checkpoint
from genolstm.store.genome import Genome

log = logging.getLogger(__name__)


def probe_split(
    checkpoint: Checkpoint,
    genome: Genome,
    settings: AnyProbeSettings,
    model_name: str,
    *,
    valid_contigs: tuple[str, ...] = (),
) -> Stretches:
    """Split that a probe uses: the model's own, or by the contigs named, less what must not be tested on.

    valid_contigs : those on which penalties are chosen; in the model's own split they take the place of its validation
    part, which is then for training.

    Raises InputError for a test contig that the model was trained on, or when no test part is left; UsageError for
    training contigs alone.
    """
    seen = seen_in(checkpoint, genome)
    if warning := seen.sentence(str(genome.path), model_name):
        log.warning("%s", warning)
    if not settings.test_contigs and not settings.train_contigs:
        if not seen.complete:
            raise InputError(
                f"{model_name} was trained on another genome, whose split means nothing here; name --train-contigs and"
                " --test-contigs."
            )
        if not seen.split.of(Part.TEST).bases:
            raise InputError(f"{model_name} holds out no test part; name --test-contigs that it has not seen.")
        return _validated_on(seen.split, valid_contigs) if valid_contigs else seen.split
    trained = set(seen.split.of(Part.TRAIN).names())
    for name in put_together(settings.test_contigs, genome.names):
        if name in trained:
            left = [other for other in genome.names if other not in trained]
            raise InputError(
                f"contig '{name}' was trained on by {model_name}, so that no score on it is held out; test on"
                f" {', '.join(left[:6]) or 'another genome'}, or train a model without it."
            )
    if not settings.test_contigs:
        raise UsageError("--train-contigs is given without --test-contigs; name both.")
    return split_by_contigs(genome, settings, valid_contigs)


def check_named_parts(
    checkpoint: Checkpoint,
    genome: Genome,
    contig: NDArray[np.int32],
    start: NDArray[np.int64],
    end: NDArray[np.int64],
    part: NDArray[np.int8],
    *,
    source: str,
    model_name: str,
) -> None:
    """Refuse parts that a file names where a test site has a base that the model was trained on. Raises InputError.

    contig, start, end, part : of each site, [N].
    """
    seen = seen_in(checkpoint, genome)
    if told := seen.sentence(str(genome.path), model_name):
        log.warning("%s", told)
    trained, found = seen.split.of(Part.TRAIN), []
    for index in np.unique(contig).tolist():
        mine = np.flatnonzero((contig == index) & (part == Part.TEST))
        here = trained.contig == index
        begins, ends = trained.start[here], trained.end[here]
        # the last stretch that begins before a site ends is the one that may reach into it
        slot = np.searchsorted(begins, end[mine], side="left") - 1
        if len(begins):
            found += mine[(slot >= 0) & (ends[np.maximum(slot, 0)] > start[mine])].tolist()
    if found:
        first, many = min(found), "s" * (len(found) != 1)
        place = f"{genome.names[int(contig[first])]}:{int(start[first]) + 1:,}"
        raise InputError(
            f"{source} names {len(found):,} site{many} for test that {model_name} was trained on, the first at {place}:"
            " no score on them is held out; name other sites for test, or leave the column 'part' out."
        )


def split_by_contigs(genome: Genome, settings: AnyProbeSettings, valid_contigs: tuple[str, ...]) -> Stretches:
    """Named contigs; without any for validation, blocks of the training contigs are drawn for it."""
    held = set(put_together((*settings.test_contigs, *valid_contigs), genome.length_of))
    training = settings.train_contigs or tuple(name for name in genome.names if name not in held)
    return split_genome(
        genome.length_of,
        spawn(settings.seed, "probe split"),
        train_contigs=training,
        valid_contigs=valid_contigs,
        test_contigs=settings.test_contigs,
        block_bp=settings.block_bp,
        held_out_fraction=settings.valid_share,
    )


def _validated_on(split: Stretches, names: tuple[str, ...]) -> Stretches:
    """The same stretches: those of named contigs for validation, those for test left, all others for training."""
    part = split.part.copy()
    part[part != Part.TEST] = Part.TRAIN
    for name in put_together(names, split.contigs):
        mine = split.contig == split.contigs.index(name) if name in split.contigs else np.zeros(len(part), np.bool_)
        if not mine.any():
            raise InputError(
                f"valid contig '{name}' is not in the split, which has {', '.join(split.names()[:8])};"
                " correct the name."
            )
        if (part[mine] == Part.TEST).any():
            raise InputError(f"contig '{name}' is for test, and cannot be for validation too; name another.")
        part[mine] = Part.VALID
    if not (part == Part.TRAIN).any():
        raise InputError("no contig is left for training: every contig is named for validation or test; name fewer.")
    return replace(split, part=part)

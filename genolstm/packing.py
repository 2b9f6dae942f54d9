"""A trained model made small for handing on: weights as float16, measured again, with a card of where it comes from."""

import dataclasses
import shlex
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from genolstm.errors import InputError
from genolstm.estimate import Estimate
from genolstm.model import trained_model
from genolstm.regions import Part, Stretches
from genolstm.seen import training_sequence
from genolstm.settings.reading import StreamSettings
from genolstm.store.checkpoint import Checkpoint, PartBits, Weights
from genolstm.store.file_info import read_file_info
from genolstm.store.files import file_sha256
from genolstm.store.genome import Genome
from genolstm.store.joined_genome import contigs_of
from genolstm.store.model_card import ModelCard, ProbeLine
from genolstm.store.results import ProbeResult, read_probe
from genolstm.store.schema import Kind
from genolstm.stream.reader import GenomeReader
from genolstm.stream.reading import mean_bits

TRAINED = "trained"  # name of the trained states among a probe's features


def packed(
    checkpoint: Checkpoint,
    model_path: Path,
    genome: Genome,
    probes: Iterable[Path],
    *,
    data: str,
    licence: str,
    device: torch.device,
) -> Checkpoint:
    """A model with its weights rounded to float16, its held-out bits measured again, and its card.

    genome : what it was trained on.   probes : result files of this very model.   data, licence : as text.
    Raises InputError for a genome or a probe that is not this model's, and for weights that float16 cannot hold.
    """
    if genome.sha256 != checkpoint.genome_sha256:
        raise InputError(
            f"{genome.path} is not the genome that {model_path} was trained on (SHA-256 differs); give that one."
        )
    weights = rounded(checkpoint.weights, model_path)
    network = trained_model(checkpoint.model, weights).to(device)
    reader = GenomeReader(network, genome, StreamSettings().suited(device.type))
    bits = tuple(
        _measured_again(row, mean_bits(reader, _stretches_of(row, checkpoint, genome))[0]) for row in checkpoint.bits
    )
    about, model_sha256 = read_file_info(model_path), file_sha256(model_path)
    card = ModelCard(
        data=data, licence=licence, command=without_folders(about.command), version=about.genolstm_version,
        device=about.device, seed=about.seed, created=about.created,
        rounding=max((abs(new.model - old.model) for new, old in zip(bits, checkpoint.bits, strict=True)), default=0.0),
        probes=tuple(line for path in probes for line in _lines(path, model_path, model_sha256)),
    )  # fmt: skip
    training = checkpoint.training or training_sequence(genome, checkpoint.split)
    return dataclasses.replace(checkpoint, weights=weights, bits=bits, card=card, training=training, resumable=None)


def _stretches_of(row: PartBits, checkpoint: Checkpoint, genome: Genome) -> Stretches:
    """What a row of bits was measured on: a part, or that of one of several genomes, 'test:NAME'."""
    part, _, name = row.part.partition(":")
    stretches = checkpoint.split.of(Part[part.upper()])
    mine = next((mine for member, _, mine in contigs_of(genome) if member == name), slice(0, len(genome.names)))
    return stretches.only((stretches.contig >= mine.start) & (stretches.contig < mine.stop))


def _measured_again(row: PartBits, bits: float) -> PartBits:
    """A row with other bits of the model; its distance from the best line moves with them."""
    moved = row.difference and Estimate(*(end + bits - row.model for end in row.difference))
    return dataclasses.replace(row, model=bits, difference=moved)


def rounded(weights: Weights, where: Path) -> Weights:
    """Weights to the nearest float16, as float32. Raises InputError for one that float16 cannot hold."""
    most = float(np.finfo(np.float16).max)
    for name, array in weights.items():
        if not (np.abs(array) <= most).all():
            raise InputError(f"{where} holds a weight in '{name}' that float16 cannot ({most:.0f} is its largest).")
    return {name: array.astype(np.float16).astype(np.float32) for name, array in weights.items()}


def without_folders(command: str) -> str:
    """Command line with every file named without its folder, so that no paths are published."""
    return shlex.join(Path(each).name if "/" in each else each for each in shlex.split(command))


def _lines(path: Path, model_path: Path, model_sha256: str) -> Iterable[ProbeLine]:
    """Card line of each target of a probe file."""
    about = read_file_info(path)
    if about.kind is Kind.PROBE and about.inputs.get("model") != model_sha256:
        raise InputError(f"{path} is a probe of another model than {model_path} (SHA-256 differs); probe this one.")
    for target, result in read_probe(path).items():
        yield _line(result, task=str(about.others["task"]), target=target, command=without_folders(about.command))


def _line(result: ProbeResult, *, task: str, target: str, command: str) -> ProbeLine:
    tested = result.sites.part == Part.TEST
    return ProbeLine(
        task=task, target=target, command=command, verdict=result.verdict, ranked=result.ranked,
        trained=result.features[TRAINED].scores[result.ranked], control=result.best_control,
        of_control=result.features[result.best_control].scores[result.ranked],
        difference=result.differences[result.best_control],
        tested_on=tuple(result.sites.contigs[index] for index in np.unique(result.sites.contig[tested]).tolist()),
        sites=int(tested.sum()),
    )  # fmt: skip

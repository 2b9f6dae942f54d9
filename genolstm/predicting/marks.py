"""Which contigs of a genome the model or the probe has met, by their sequence: predictions there are not held out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genolstm.probes.apply import FittedProbe
from genolstm.regions import Part, Sites
from genolstm.seen import contigs_like, seen_in
from genolstm.store.checkpoint import Checkpoint
from genolstm.store.genome import Genome
from genolstm.store.prediction import FITTED, MODEL, UNKNOWN, VALIDATED


@dataclass(frozen=True, kw_only=True)
class Marks:
    """What has met each contig. flags : uint8 [contigs], bits of `store.prediction.FLAGS`; 0 is held out.

    notes : a sentence each.
    """

    flags: NDArray[np.uint8]
    notes: tuple[str, ...]


def marks_of(
    checkpoint: Checkpoint,
    probe: FittedProbe,
    sites: Sequence[Sites],
    probe_genome: str,
    genome: Genome,
    *,
    model_name: str,
) -> Marks:
    """Mark the contigs of a genome. sites : those of every target of the probe.   probe_genome : its SHA-256."""
    flags, notes = np.zeros(len(genome.names), dtype=np.uint8), []
    seen = seen_in(checkpoint, genome)
    if told := seen.sentence(str(genome.path), model_name):
        notes.append(f"{told}.")
    if seen.known:
        flags[[*{*seen.split.of(Part.TRAIN).contig.tolist(), *seen.near}]] |= MODEL
    else:
        flags[:] |= UNKNOWN
    places = _contigs_of_probe(checkpoint, probe_genome, genome)
    if places is None:
        flags[:] |= UNKNOWN
        notes.append(
            f"{probe.path} comes from another genome file than {genome.path}, and no hashes of its contigs are at hand:"
            " whether it was fitted to any of this cannot be known."
        )
    else:
        for part, flag in ((Part.TRAIN, FITTED), (Part.VALID, VALIDATED)):
            for each in sites:
                for contig in np.unique(each.contig[each.part == part]).tolist():
                    flags[places.get(contig, [])] |= flag
        if probe_genome != genome.sha256:
            met = sum(bool(each) for each in flags & (FITTED | VALIDATED))
            what = "none of its contigs" if not met else f"{met} of its contigs"
            notes.append(f"{genome.path} is another genome than the probe's, which was fitted to {what}.")
    return Marks(flags=flags, notes=tuple(notes))


def _contigs_of_probe(checkpoint: Checkpoint, probe_genome: str, genome: Genome) -> dict[int, list[int]] | None:
    """Contig of the probe's genome -> contigs of this one with its sequence; None where that cannot be known."""
    if probe_genome == genome.sha256:
        return {contig: [contig] for contig in range(len(genome.names))}
    if probe_genome != checkpoint.genome_sha256 or checkpoint.training is None:
        return None
    return contigs_like(checkpoint.training, checkpoint.lengths, genome)

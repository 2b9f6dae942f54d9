"""Scoring of a genome: tracks of bits, and what they come to beside Markov models."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from genolstm.markov import markov_bits
from genolstm.model import trained_model
from genolstm.ranks import ALONE, Ranks
from genolstm.readers.annotation import Transcript
from genolstm.regions import Part, Stretches
from genolstm.scoring.along_genome import ContigBits, contig_bits, score_along, slabs, starts_of
from genolstm.scoring.beside_markov import blocks_of, markov_of
from genolstm.scoring.classes import class_bits, class_spans
from genolstm.seeds import spawn
from genolstm.settings.reading import StreamSettings
from genolstm.store.checkpoint import Checkpoint, PartBits
from genolstm.store.genome import Genome, open_soft_mask
from genolstm.store.score import ScoreFile, ScoreTables
from genolstm.store.spool import open_spool
from genolstm.stream.seams import Seams
from genolstm.stream.sharding import gather_rows, owners_of

MARKOV_ORDER = 8  # longest context beside scores: its tables are small, and longer ones lose on most genomes
TRAINED_ON, ITSELF = "training stretches of the model", "the scored stretches themselves"


def score_genome(
    checkpoint: Checkpoint,
    genome: Genome,
    stretches: Stretches,
    settings: StreamSettings,
    file: ScoreFile,
    *,
    device: torch.device,
    transcripts: Sequence[Transcript] = (),
    seed: int = 0,
    told: Callable[[int], None] | None = None,
    ranks: Ranks = ALONE,
) -> ScoreTables:
    """Write the bits of every base of some stretches, and add them up.

    Beside the bits of all that was scored, and of what the model's own split held out for testing where the genome is
    the one it was trained on, stand Markov models counted on the model's training stretches; for another genome,
    on the scored stretches themselves, which flatters them.
    transcripts : give the mean bits of coding sequence, introns and the like.   seed : of their bootstrap.
    told : called with the symbols read so far.   ranks : the others read by `read_own_rows`.
    """
    model = trained_model(checkpoint.model, checkpoint.weights).to(device)
    seams = Seams()
    calibration = score_along(model, genome, stretches, settings, file, seams=seams, told=told, ranks=ranks)
    gather_rows(file, starts_of(stretches), owners_of(ranks, genome, stretches, settings), ranks)
    strands = 1 if genome.alphabet.complement is None else 2
    with open_soft_mask(genome.path) as masked:
        total = contig_bits(file.read, stretches, masked, strands)
    own = checkpoint.genome_sha256 == genome.sha256
    return ScoreTables(
        symbols=total.symbols,
        bits=total.bits,
        seen=_seen(checkpoint, genome),
        parts=_parts(checkpoint, genome, stretches, file, total, own=own),
        markov_counted_on=TRAINED_ON if own else ITSELF,
        calibration=calibration._asdict(),
        calibration_error=calibration.error,
        seams=Seams.columns(seams.table, genome),
        leads=Seams.columns(seams.unchecked_starts, genome),
        seam_summary=seams.to_json(),
        classes=class_bits(file.read, stretches, class_spans(transcripts, genome.names), spawn(seed, "bootstrap"))
        if transcripts and total.symbols.any()
        else (),
    )


def read_own_rows(
    checkpoint: Checkpoint,
    genome: Genome,
    stretches: Stretches,
    settings: StreamSettings,
    output: Path,
    *,
    device: torch.device,
    ranks: Ranks,
) -> None:
    """Read what is for this process of several, and hand its bits to rank 0, which is at `score_genome`.

    output : what rank 0 writes; the bits are kept beside it.
    """
    model = trained_model(checkpoint.model, checkpoint.weights).to(device)
    with open_spool(output, stretches.bases) as spool:
        score_along(model, genome, stretches, settings, spool, seams=Seams(), ranks=ranks)
        gather_rows(spool, starts_of(stretches), owners_of(ranks, genome, stretches, settings), ranks)


def _seen(checkpoint: Checkpoint, genome: Genome) -> np.ndarray[tuple[int], np.dtype[np.int8]]:
    if checkpoint.genome_sha256 != genome.sha256:
        return np.full(len(genome.names), -1, dtype=np.int8)
    return np.isin(genome.names, checkpoint.seen).astype(np.int8)


def _parts(
    checkpoint: Checkpoint, genome: Genome, stretches: Stretches, file: ScoreFile, total: ContigBits, *, own: bool
) -> tuple[PartBits, ...]:
    """Bits of all that was scored, and of what was held out of it for testing, beside Markov models."""
    known = int(total.symbols.sum())
    if not known:
        return ()
    markov = markov_of(genome, checkpoint.split.of(Part.TRAIN) if own else stretches, most=MARKOV_ORDER)
    groups = {"scored": (stretches, float(total.bits.sum()) / known)}
    if own and (held_out := shared(stretches, checkpoint.split.of(Part.TEST))).bases:
        bits, symbols = _bits_within(file, stretches, held_out)
        if symbols:
            groups["test"] = (held_out, bits / symbols)
    rows = []
    for part, (where, model_bits) in groups.items():
        lines = markov_bits(markov, blocks_of(genome, where))
        rows.append(
            PartBits(
                part=part,
                model=model_bits,
                symbols=lines.symbols,
                uniform=lines.uniform,
                by_order=lines.by_order,
                interpolated=lines.interpolated,
            )
        )
    return tuple(rows)


def shared(some: Stretches, others: Stretches) -> Stretches:
    """What two sets of sorted stretches of one genome have in common; parts are those of the first."""
    rows = []
    for contig, start, end, part in zip(some.contig, some.start, some.end, some.part, strict=True):
        mine = others.contig == contig
        first, last = np.maximum(others.start[mine], start), np.minimum(others.end[mine], end)
        rows += [(contig, low, high, part) for low, high in zip(first, last, strict=True) if low < high]
    table = np.array(rows, dtype=np.int64).reshape(len(rows), 4)
    return dataclasses.replace(
        some,
        contig=table[:, 0].astype(np.int32),
        start=table[:, 1],
        end=table[:, 2],
        part=table[:, 3].astype(np.int8),
    )


def _bits_within(file: ScoreFile, scored: Stretches, wanted: Stretches) -> tuple[float, int]:
    """Sum of the bits of some of the scored stretches, both strands, and known symbols."""
    bits, symbols = 0.0, 0
    for contig, first, start, end in slabs(scored):
        for low, high in zip(wanted.start[wanted.contig == contig], wanted.end[wanted.contig == contig], strict=True):
            from_, to = max(int(low), start), min(int(high), end)
            for strand in range(file.strands) if from_ < to else ():
                values = file.read(strand, first + from_ - start, first + to - start).astype(np.float64)
                known = ~np.isnan(values)
                bits += float(values[known].sum())
                symbols += int(known.sum())
    return bits, symbols

"""Scoring of a genome: tracks of bits, and their means beside those of Markov models."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from genolstm.readers.annotation import Transcript
from genolstm.regions import Part, Stretches
from genolstm.scoring.along_genome import (
    Calibration,
    ContigBits,
    Sink,
    contig_bits,
    read_ahead,
    score_along,
    starts_of,
)
from genolstm.scoring.beside_markov import (
    BlockBits,
    MarkovLines,
    crossfitted_by_block,
    part_bits,
    shared,
)
from genolstm.scoring.blocks import Grid, slabs
from genolstm.scoring.classes import class_bits, class_spans
from genolstm.scoring.recall import RecallPlan, recall_along
from genolstm.seeds import spawn
from genolstm.seen import Seen, seen_in
from genolstm.store.checkpoint import (
    ANOTHER_GENOME,
    HELD_OUT,
    NEAR_DUPLICATE,
    PARTLY,
    TRAINED_ON,
    UNKNOWN,
    Checkpoint,
    PartBits,
)
from genolstm.store.files import Provenance, Records
from genolstm.store.genome import Genome, open_soft_mask
from genolstm.store.score import ScoreFile, ScoreTables, write_score
from genolstm.store.spool import open_spool
from genolstm.stream.reader import GenomeReader
from genolstm.stream.seams import Seams
from genolstm.stream.sharding import gather_rows

SCORED = "scored"  # the row of all that was scored
TRAINING, CROSSFITTED = "training stretches of the model", "other blocks of the scored genome, never the one scored"


def score_genome(
    reader: GenomeReader,
    checkpoint: Checkpoint,
    stretches: Stretches,
    output: Path,
    provenance: Provenance,
    records: Records,
    *,
    transcripts: Sequence[Transcript] = (),
    seed: int = 0,
    probabilities: bool = False,
    recall: RecallPlan | None = None,
    on_recall: Callable[[float, int], None] | None = None,
) -> ScoreTables | None:
    """Bits of every base of some stretches, in a score file, and their sums; None in all processes but rank 0.

    Beside the bits of all that was scored, and of what the model's own split held out of it for testing, stand Markov
    models that have seen as little as the model: counted on its training stretches where the genome holds these, else
    on other blocks than the one that they score. Where the model was trained on what is scored there is no verdict.
    transcripts : for the mean bits of coding sequence, introns and the like.   seed : of their bootstrap.
    probabilities : keep the model's probability of every known symbol at every base too; of one process alone.
    recall : what recall reads, of `scoring.recall.plan_recall`.   on_recall : its progress, as of `recall_along`.
    """
    genome, seams, writes = reader.genome, Seams(), reader.ranks.is_main_process
    n_known = genome.alphabet.n_known
    with (
        write_score(
            output, stretches, genome.length_of, reader.strands, provenance, letters=n_known if probabilities else 0,
            recall=recall is not None,
        )
        if writes
        else open_spool(output, stretches.bases) as file,
        open_spool(output, stretches.bases, (n_known,)) as log_p,
    ):  # fmt: skip
        sinks: list[Sink] = [log_p] if recall is not None else []
        if isinstance(file, ScoreFile) and file.probabilities is not None:
            sinks.append(file.probabilities)
        calibration = score_along(reader, stretches, file, seams=seams, log_probabilities=sinks)
        gather_rows(reader, stretches, file, starts_of(stretches))
        tables = None
        if isinstance(file, ScoreFile):
            tables = _tables(file, checkpoint, genome, stretches, calibration, seams, transcripts, seed)
        if recall is not None:
            tracks = file if isinstance(file, ScoreFile) else None
            rows = recall_along(
                reader, recall, stretches, log_p, beside=output, tracks=tracks, seed=seed, on_progress=on_recall
            )
        if not isinstance(file, ScoreFile) or tables is None:
            return None
        if recall is not None:
            spans = class_spans(transcripts, genome.names) if transcripts else None
            gains = class_bits(file.read_gain, stretches, spans, spawn(seed, "bootstrap")) if spans else ()
            tables = dataclasses.replace(tables, recall=rows, recall_classes=gains)
        file.finish(tables, records)
    return tables


def _tables(
    file: ScoreFile, checkpoint: Checkpoint, genome: Genome, stretches: Stretches, calibration: Calibration,
    seams: Seams, transcripts: Sequence[Transcript], seed: int,
) -> ScoreTables:  # fmt: skip
    with open_soft_mask(genome) as masked:
        total = contig_bits(file.read, stretches, masked, file.strands)
    seen = seen_in(checkpoint, genome)
    return ScoreTables(
        symbols=total.symbols,
        bits=total.bits,
        seen=_seen(seen, genome),
        parts=_parts(seen, genome, stretches, file, total, seed),
        markov_counted_on=TRAINING if seen.complete else CROSSFITTED,
        calibration=calibration._asdict(),
        calibration_error=calibration.error,
        seams=Seams.columns(seams.table, genome),
        leads=Seams.columns(seams.unchecked_starts, genome),
        seam_summary=seams.to_json(),
        classes=class_bits(file.read, stretches, class_spans(transcripts, genome.names), spawn(seed, "bootstrap"))
        if transcripts and total.symbols.any()
        else (),
    )


def _seen(seen: Seen, genome: Genome) -> np.ndarray[tuple[int], np.dtype[np.int8]]:
    if not seen.known:
        return np.full(len(genome.names), -1, dtype=np.int8)
    trained = np.isin(np.arange(len(genome.names)), seen.split.of(Part.TRAIN).contig)
    return trained.astype(np.int8)


def _parts(
    seen: Seen, genome: Genome, stretches: Stretches, file: ScoreFile, total: ContigBits, seed: int
) -> tuple[PartBits, ...]:
    """Bits of all that was scored, and of what was held out of it for testing, beside Markov models."""
    if not int(total.symbols.sum()):
        return ()
    groups = {SCORED: stretches}
    if (held_out := shared(stretches, seen.split.of(Part.TEST))).bases:
        groups[Part.TEST.name.lower()] = held_out
    markov = MarkovLines(genome, seen.split.of(Part.TRAIN)) if seen.complete else None
    rows = []
    for part, where in groups.items():
        grid = Grid.over(genome, where)
        model = _by_block(file, stretches, where, grid)
        if not model.symbols.any():
            continue
        lines = markov.by_block(where, grid) if markov else crossfitted_by_block(genome, where, grid)
        standing = _standing(seen, where)
        judged = standing in {HELD_OUT, ANOTHER_GENOME}
        rows.append(part_bits(part, model, lines, genome, seed, standing=standing, judged=judged))
    return tuple(rows)


def _standing(seen: Seen, where: Stretches) -> str:
    """Whether the model was trained on some stretches, as text."""
    if not seen.known:
        return UNKNOWN
    trained = shared(where, seen.split.of(Part.TRAIN)).bases
    if trained:
        return TRAINED_ON if trained == where.bases else PARTLY
    contigs = np.unique(where.contig)
    if set(contigs.tolist()) & seen.near.keys():
        return NEAR_DUPLICATE
    return HELD_OUT if seen.recognised[contigs].all() else ANOTHER_GENOME


def _by_block(file: ScoreFile, scored: Stretches, wanted: Stretches, grid: Grid) -> BlockBits:
    """Sums of the bits of some of the scored stretches, both strands, in the blocks of a grid."""
    bits, symbols = np.zeros(grid.blocks), np.zeros(grid.blocks, dtype=np.int64)
    read = read_ahead(file.read, scored.bases)
    for contig, first, start, end in slabs(scored):
        mine = slice(*np.searchsorted(wanted.contig, (contig, contig + 1)))
        for low, high in zip(wanted.start[mine].tolist(), wanted.end[mine].tolist(), strict=True):
            from_, to = max(low, start), min(high, end)
            for block, begin, stop in grid.cut(contig, from_, to) if from_ < to else ():
                for strand in range(file.strands):
                    values = read(strand, first + begin - start, first + stop - start).astype(np.float64)
                    known = ~np.isnan(values)
                    bits[block] += values[known].sum()
                    symbols[block] += np.count_nonzero(known)
    return BlockBits(symbols, bits)

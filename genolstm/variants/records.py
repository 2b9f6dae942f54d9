"""VCF records in groups: their alleles held against the genome, scored, and handed back with their INFO values."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from genolstm.alphabet import DNA, decode
from genolstm.readers.variants import Difference, Record, difference
from genolstm.regions import Stretches
from genolstm.settings.model import ModelSettings
from genolstm.store.files import Records
from genolstm.store.genome import Genome
from genolstm.variants.effects import Effects
from genolstm.variants.places import Alleles

HELD_BYTES = 1 << 28  # of states, that one group of alleles may hold
HELD_TEXT = 1 << 26  # characters of records, that one group may hold: a line of many samples is long
LONGEST_SHOWN = 40  # letters of an allele that a message shows
BYTES_A_UNIT = 16  # float32, two strands, reference and alternative

FOREIGN_CONTIG = "contig not in genome"
BEFORE_CONTIG = "place before the contig's first base (POS 0)"
PAST_END = "REF reaches past the contig's end"
DISAGREES = "REF disagrees with the genome"
UNKNOWN_REFERENCE = "N in the genome under REF"
_NOT_DNA = len(DNA.letters)
# codes of REF letters as the genome file has them: IUPAC codes are N there
_CODES = bytes(
    DNA.letters.index(letter) if letter in DNA.letters else (DNA.unknown if letter in DNA.ambiguous else _NOT_DNA)
    for letter in map(chr, range(256))
)


class Effect(NamedTuple):
    """What one allele changes: log ratio in bits and state shift, each (forward, reverse).

    kind : of a single-base change, else -1.   markov : the ratio by a Markov model, None without one.   percentile : of
    the mean ratio among changes of its kind; None without a background, NaN of what is no single-base change.
    """

    log_ratio: tuple[float, float]
    shift: tuple[float, float]
    kind: int = -1
    markov: tuple[float, float] | None = None
    percentile: float | None = None


class Scored(NamedTuple):
    """A record and the effect of each of its alternatives, None for one that was skipped.

    seen : it lies in a stretch that the model was trained on.
    """

    record: Record
    effects: tuple[Effect | None, ...]
    seen: bool


@dataclass(kw_only=True)
class Tally:
    """Counts of the alternatives of a VCF, filled in as they are scored.

    alleles : read, used, skipped by reason, in alternatives; a record with none counts as one.
    records : lines of the file.   first : reason -> the first place it stood at.   foreign : contigs that the genome
    lacks.   on_seen : alternatives used in stretches that the model was trained on.
    any_contig_known : whether any record lies on a contig of the genome.
    """

    alleles: Records = field(default_factory=Records)
    records: int = 0
    first: dict[str, str] = field(default_factory=dict)
    foreign: dict[str, None] = field(default_factory=dict)
    on_seen: int = 0
    any_contig_known: bool = False

    def skip(self, reason: str, record: Record, alleles: str) -> None:
        """Count an alternative that cannot be scored."""
        self.alleles.skipped[reason] = self.alleles.skipped.get(reason, 0) + 1
        self.first.setdefault(reason, f"{record.contig}:{record.position + 1} {alleles}")


def group_size(model: ModelSettings) -> int:
    """How many alleles are scored together, so that their states fit into `HELD_BYTES`."""
    return max(1, HELD_BYTES // (BYTES_A_UNIT * model.layers * model.hidden))


def scored(
    records: Iterable[Record],
    genome: Genome,
    trained: Stretches,
    score: Callable[[Alleles], Effects],
    tally: Tally,
    *,
    at_once: int,
) -> Iterator[Scored]:
    """Every record in its order, with its effects.

    Records are taken in groups of about `at_once` alleles, in file order: their places need not be sorted, but each
    group reads the genome around all of its own.
    trained : stretches that the model was trained on.   tally : filled in.
    """
    index = {name: place for place, name in enumerate(genome.names)}
    group: list[tuple[Record, list[Difference | None]]] = []
    alleles = text = 0
    for record in records:
        differences = _differences(record, genome, index, tally)
        group.append((record, differences))
        alleles += sum(each is not None for each in differences)
        text += len(record.line)
        if alleles >= at_once or text >= HELD_TEXT:
            yield from _group(group, index, trained, score, tally)
            group, alleles, text = [], 0, 0
    yield from _group(group, index, trained, score, tally)


def _differences(record: Record, genome: Genome, index: dict[str, int], tally: Tally) -> list[Difference | None]:
    """What each alternative changes; None, and counted, for one that cannot be scored."""
    tally.records += 1
    tally.alleles.read += len(record.alternatives)
    tally.any_contig_known = tally.any_contig_known or record.contig in index
    misplaced = _misplaced(record, genome, index, tally)
    found: list[Difference | None] = []
    for alternative in record.alternatives:
        changed = misplaced or difference(record.position, record.reference, alternative)
        shown = f"{record.reference}>{alternative}"[:LONGEST_SHOWN]
        if not isinstance(changed, str) and (disagreement := _disagreement(record, genome, index)):
            changed, here = disagreement
            shown += f" where the genome has {here[:LONGEST_SHOWN]}"
        if isinstance(changed, str):
            tally.skip(changed, record, shown)
            found.append(None)
        else:
            found.append(changed)
    return found


def _misplaced(record: Record, genome: Genome, index: dict[str, int], tally: Tally) -> str:
    if record.contig not in index:
        tally.foreign[record.contig] = None
        return FOREIGN_CONTIG
    if record.position < 0:
        return BEFORE_CONTIG
    length = int(genome.lengths[index[record.contig]])
    return PAST_END if record.position + len(record.reference) > length else ""


def _disagreement(record: Record, genome: Genome, index: dict[str, int]) -> tuple[str, str] | None:
    """Why REF cannot be compared with the genome's letters, and these; None where they agree and all are known."""
    first = int(genome.starts[index[record.contig]]) + record.position
    here = genome.all_codes[first : first + len(record.reference)]
    given = np.frombuffer(record.reference.encode("latin-1", "replace").translate(_CODES), dtype=np.uint8)
    known = here != DNA.unknown
    if (given != here)[known].any():
        return DISAGREES, decode(here, DNA)
    return None if known.all() else (UNKNOWN_REFERENCE, decode(here, DNA))


def _group(
    group: list[tuple[Record, list[Difference | None]]],
    index: dict[str, int],
    trained: Stretches,
    score: Callable[[Alleles], Effects],
    tally: Tally,
) -> Iterator[Scored]:
    rows = [(index[record.contig], each) for record, differences in group for each in differences if each]
    effects = iter(_effects(rows, score))
    contig = np.array([index.get(record.contig, -1) for record, _ in group], dtype=np.int32)
    position = np.array([record.position for record, _ in group], dtype=np.int64)
    inside = trained.part_at(contig, position) >= 0
    for (record, differences), seen in zip(group, inside.tolist(), strict=True):
        mine = tuple(next(effects) if each else None for each in differences)
        used = sum(each is not None for each in mine)
        tally.alleles.used += used
        tally.on_seen += used * seen
        yield Scored(record, mine, seen)


def _effects(rows: list[tuple[int, Difference]], score: Callable[[Alleles], Effects]) -> Iterator[Effect]:
    if not rows:
        return
    letters = "".join(each.letters for _, each in rows).encode().translate(_CODES)
    found = score(
        Alleles(
            contig=np.array([contig for contig, _ in rows], dtype=np.int64),
            start=np.array([each.start for _, each in rows], dtype=np.int64),
            end=np.array([each.end for _, each in rows], dtype=np.int64),
            letters=np.frombuffer(letters, dtype=np.uint8),
            first=np.array([0, *accumulate(len(each.letters) for _, each in rows)], dtype=np.int64),
        )
    )
    nothing = [None] * len(rows)
    columns = (
        found.log_ratio.tolist(), found.shift.tolist(),
        [-1] * len(rows) if found.kind is None else found.kind.tolist(),
        nothing if found.markov is None else [tuple(each) for each in found.markov.tolist()],
        nothing if found.percentile is None else found.percentile.tolist(),
    )  # fmt: skip
    for ratio, shift, kind, markov, percentile in zip(*columns, strict=True):
        yield Effect(tuple(ratio), tuple(shift), kind, markov, percentile)

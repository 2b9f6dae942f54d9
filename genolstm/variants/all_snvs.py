"""Every single-base change of some stretches: the same numbers as of a VCF that holds them all."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from genolstm.alphabet import DNA
from genolstm.model import NextSymbolModel
from genolstm.readers.variants import Record
from genolstm.regions import Stretches
from genolstm.settings.reading import VariantSettings
from genolstm.store.genome import Genome
from genolstm.stream.seams import Seams
from genolstm.variants.controls import NO_CONTROLS, VariantControls
from genolstm.variants.effects import Effects, effects_of
from genolstm.variants.places import Alleles
from genolstm.variants.progress import GroupProgress
from genolstm.variants.records import Scored, Tally, group_size, scored

LETTERS = DNA.letters[: DNA.n_known]
ROWS_HELD = 1 << 14  # bases whose changes are gathered before they are written


class Sink(Protocol):
    """Where effects go. place : int64 [n], ascending, of each change among the bases of all stretches, end to end.

    letter : int64 [n], code of the new base.   log_ratio, shift, markov : float64 [n, 2], forward and reverse strand.
    percentile : float64 [n].   The last two are None where they are not asked for.
    """

    def write(  # noqa: D102
        self,
        place: NDArray[np.int64],
        letter: NDArray[np.int64],
        log_ratio: NDArray[np.float64],
        shift: NDArray[np.float64],
        markov: NDArray[np.float64] | None,
        percentile: NDArray[np.float64] | None,
    ) -> None: ...


@dataclass(kw_only=True)
class SnvResult:
    """Counts and seams of a run."""

    tally: Tally = field(default_factory=Tally)
    seams: Seams = field(default_factory=Seams)


def score_all_snvs(
    model: NextSymbolModel,
    genome: Genome,
    stretches: Stretches,
    settings: VariantSettings,
    sink: Sink,
    *,
    trained: Stretches,
    controls: VariantControls = NO_CONTROLS,
    on_progress: Callable[[float, int], None] | None = None,
) -> SnvResult:
    """Score the three changes of every known base, in groups as `annotated.annotate` would take them from a VCF.

    trained : stretches that the model was trained on.   controls : what stands beside each ratio.
    on_progress : called with the fraction done and the symbols read.
    """
    result, taken = SnvResult(), _Counted(snv_records(genome, stretches))
    progress = GroupProgress(on_progress, lambda: taken.count / max(1, stretches.bases))

    def score(alleles: Alleles) -> Effects:
        progress.group()
        found = effects_of(model, genome, alleles, settings, seams=result.seams, on_progress=progress.show)
        return controls.beside(found, genome, alleles, settings.window)

    place_of = _places(stretches)
    held: list[Scored] = []
    for each in scored(taken, genome, trained, score, result.tally, at_once=group_size(model.settings)):
        held.append(each)
        if len(held) >= ROWS_HELD:
            _write(held, place_of, sink)
            held = []
    _write(held, place_of, sink)
    return result


def snv_records(genome: Genome, stretches: Stretches) -> Iterator[Record]:
    """A record for each known base, with the other three bases in the order of the alphabet as alternatives."""
    columns = (stretches.contig, stretches.start, stretches.end)
    for contig, start, end in zip(*(column.tolist() for column in columns), strict=True):
        first, name = int(genome.starts[contig]), genome.names[contig]
        for position, code in enumerate(genome.all_codes[first + start : first + end].tolist(), start):
            if code < DNA.n_known:
                others = tuple(letter for letter in LETTERS if letter != LETTERS[code])
                yield Record(position, "", name, position, LETTERS[code], others)


class _Counted:
    """An iterator that counts what it hands out."""

    def __init__(self, records: Iterator[Record]) -> None:
        self.records, self.count = records, 0

    def __iter__(self) -> Iterator[Record]:
        for record in self.records:
            self.count += 1
            yield record


def _places(stretches: Stretches) -> Callable[[str, int], int]:
    """Place of a base among those of all stretches, end to end."""
    spans = stretches.end - stretches.start
    first = np.cumsum(spans) - spans
    rows: dict[str, list[int]] = {}
    for row, contig in enumerate(stretches.contig.tolist()):
        rows.setdefault(stretches.contigs[contig], []).append(row)
    starts = {name: stretches.start[of] for name, of in rows.items()}

    def place_of(contig: str, position: int) -> int:
        row = rows[contig][int(np.searchsorted(starts[contig], position, side="right")) - 1]
        return int(first[row]) + position - int(stretches.start[row])

    return place_of


def _write(held: list[Scored], place_of: Callable[[str, int], int], sink: Sink) -> None:
    rows = [
        (place_of(each.record.contig, each.record.position), LETTERS.index(letter), effect)
        for each in held
        for letter, effect in zip(each.record.alternatives, each.effects, strict=True)
        if effect
    ]
    if rows:
        place, letter, effects = zip(*rows, strict=True)
        sink.write(
            np.array(place, dtype=np.int64),
            np.array(letter, dtype=np.int64),
            np.array([each.log_ratio for each in effects]),
            np.array([each.shift for each in effects]),
            np.array([each.markov for each in effects]) if effects[0].markov else None,
            np.array([each.percentile for each in effects]) if effects[0].percentile is not None else None,
        )

"""Places on a genome with a label each: BED, a table with named columns, or the mean of a bigWig over windows."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError
from genolstm.readers.bed import FOREIGN_CONTIG, NAME_COLUMN, SCORE_COLUMN, read_bed
from genolstm.readers.bigwig_signal import BigWigSignal
from genolstm.readers.contig_match import listed
from genolstm.readers.text_lines import opened_lines, source_name
from genolstm.readers.whole_numbers import position, shortened
from genolstm.regions import STRAND_SIGNS, Part

KIND = "a table of sites"
NEEDED = ("contig", "start", "label")  # columns of a table; `position` may stand for `start`
PARTS = {part.name.lower(): part for part in Part} | {str(part.value): part for part in Part}  # numbers as we export
NO_PART = ("", ".", "-1")
UNNAMED = -1  # part of a row whose file names none
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledSites:
    """Places of one file that lie on the genome, in file order, and what became of its rows.

    source : what messages call the file.   contig : int32 [n], index into the contigs of the genome.
    start, end : int64 [n], 0-based, half open, within the contig.   strand : int8 [n], 0 where the file does not say.
    label : text [n].   part : int8 [n], a Part, or -1 for rows of a file that names none.   labels_named : whether the
    file says that these are labels; the names of a BED file may be those of the sites.
    read : rows, always used plus all skipped.   skipped : reason -> rows.   warnings : one sentence each.
    name : of each site, where the file has a column of them; else empty.
    """

    source: str
    contig: NDArray[np.int32]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    strand: NDArray[np.int8]
    label: tuple[str, ...]
    part: NDArray[np.int8]
    read: int
    labels_named: bool
    skipped: dict[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    name: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.start)

    @property
    def names_parts(self) -> bool:
        """Whether the file says what each of its sites is for."""
        return bool((self.part >= 0).any())


def read_labelled_sites(
    path: Path | str, lengths: Mapping[str, int], *, by_score: bool = False, genome_name: str = "the genome"
) -> LabelledSites:
    """Sites of a BED file, or of a table whose first line names its columns, 'contig' among them.

    by_score : the labels of a BED file stand in its fifth column, not in its fourth.   lengths : bases of each contig.
    Of a table the columns contig, start (or position) and label are needed; end (start + 1 without), strand, name and
    part (train, valid, test; rows with a dot are left out) may be there, others are passed over.
    Raises InputError for a file that is neither, a row that cannot be right, and where no row is left.
    """
    if _has_header(path):
        return _read_table(path, lengths, genome_name)
    bed = read_bed(
        path, lengths, genome_name=genome_name, named_by=SCORE_COLUMN if by_score else NAME_COLUMN
    )  # fmt: skip
    return LabelledSites(
        source=source_name(path), contig=bed.contig, start=bed.start, end=bed.end, strand=bed.strand,
        label=bed.name or (".",) * len(bed.start), part=np.full(len(bed.start), UNNAMED, dtype=np.int8),
        read=bed.read, labels_named=by_score, skipped=dict(bed.skipped), warnings=bed.warnings,
    )  # fmt: skip


def _has_header(path: Path | str) -> bool:
    """Whether the first line that says anything names columns."""
    with opened_lines(path, KIND, "a BED file, or a table with the columns contig, start, end, strand, label") as lines:
        for _, line in lines:
            if line.strip() and not line.startswith("##"):
                return "contig" in line.removeprefix("#").strip().split("\t")
    return False


def _rows(path: Path | str) -> Iterator[tuple[int, list[str]]]:
    with opened_lines(path, KIND, "a table of sites") as lines:
        for number, line in lines:
            if line.strip() and not line.startswith("##"):
                yield number, line.split("\t")


def _read_table(path: Path | str, lengths: Mapping[str, int], genome_name: str) -> LabelledSites:
    source, rows = source_name(path), _rows(path)
    _, header = next(rows)
    columns = _columns(header, source)
    order = {contig: place for place, contig in enumerate(lengths)}
    skipped: Counter[str] = Counter()
    foreign: dict[str, None] = {}
    kept: list[tuple[int, int, int, int, int]] = []
    labels: list[str] = []
    names: list[str] = []
    for number, fields in rows:
        where = f"{source}, line {number}"
        if len(fields) < len(header):
            raise InputError(f"{where} has {len(fields)} columns, its header names {len(header)}; complete the line.")
        row = {name: fields[place].strip() for name, place in columns.items()}
        start, end = _span(row, where)
        part = part_in(row, where)
        if row["contig"] not in order:
            skipped[FOREIGN_CONTIG] += 1
            foreign[row["contig"]] = None
        elif part is None:
            skipped["without a part"] += 1
        elif end > lengths[row["contig"]]:
            raise InputError(
                f"{where}: the interval {start}-{end} reaches over the end of {row['contig']}, which has"
                f" {lengths[row['contig']]} bp in {genome_name}; give the table of the same assembly."
            )
        else:
            labels.append(label_of(row, where))
            kept.append((order[row["contig"]], start, end, _strand(row, where), part))
            names.append(row.get("name", ""))
    if not kept:
        raise InputError(_nothing_left(source, list(foreign), list(lengths), genome_name))
    table = np.array(kept, dtype=np.int64)
    warnings: tuple[str, ...] = ()
    if count := skipped[FOREIGN_CONTIG]:
        warnings = (f"left out {count} rows of {source}, on contigs that {genome_name} lacks: {listed(foreign)}.",)
    return LabelledSites(
        source=source, contig=table[:, 0].astype(np.int32), start=table[:, 1].copy(), end=table[:, 2].copy(),
        strand=table[:, 3].astype(np.int8), label=tuple(labels), part=table[:, 4].astype(np.int8),
        read=len(kept) + skipped.total(), labels_named=True, skipped=dict(skipped), warnings=warnings,
        name=tuple(names) if "name" in columns else (),
    )  # fmt: skip


def _columns(header: Sequence[str], source: str) -> dict[str, int]:
    """Place of each column by name. Raises InputError where one is lacking, or stands twice."""
    names = [name.strip().removeprefix("#").strip() for name in header]
    if "start" not in names:
        names = ["start" if name == "position" else name for name in names]
    known = (*NEEDED, "end", "strand", "part", "name")
    for name in known:
        if names.count(name) > 1:
            raise InputError(f"{source}: its header names the column '{name}' twice; rename one.")
    if lacking := [name for name in NEEDED if name not in names]:
        raise InputError(
            f"{source}: its header has no column '{lacking[0]}'; a table of sites needs contig, start and label, and"
            " may have end, strand and part."
        )
    return {name: names.index(name) for name in known if name in names}


def _span(row: Mapping[str, str], where: str) -> tuple[int, int]:
    try:
        start = position(row["start"])
        end = position(row["end"]) if "end" in row else start + 1
    except ValueError as problem:
        raise InputError(f"{where}: start and end must be whole numbers, and {problem}; correct the line.") from None
    if not 0 <= start < end:
        raise InputError(f"{where}: {start} to {end} is no interval; starts count from 0, and ends lie behind them.")
    return start, end


def _strand(row: Mapping[str, str], where: str) -> int:
    text = row.get("strand", ".")
    if text not in STRAND_SIGNS:
        raise InputError(f"{where}: the strand is {shortened(text)}, not +, - or a dot; correct it.")
    return STRAND_SIGNS[text]


def part_in(row: Mapping[str, str], where: str) -> int | None:
    """Part of a row, -1 where the table names none, None where this row has none."""
    if "part" not in row:
        return UNNAMED
    if row["part"] in NO_PART:
        return None
    if row["part"].lower() not in PARTS:
        raise InputError(f"{where}: the part is {shortened(row['part'])}, not train, valid, test or a dot; correct it.")
    return int(PARTS[row["part"].lower()])


def label_of(row: Mapping[str, str], where: str) -> str:
    """Label of a row. Raises InputError for one that is empty, or cannot be printed."""
    if not row["label"] or CONTROL.search(row["label"]):
        raise InputError(f"{where}: the label is {shortened(row['label'])}; give each site one, of printable letters.")
    return row["label"]


def _nothing_left(source: str, foreign: list[str], contigs: list[str], genome_name: str) -> str:
    if not foreign:
        return f"{source} holds no sites; give a table with at least one row below its header."
    return (
        f"no row of {source} is on a contig of {genome_name}: it has {listed(foreign)} and the genome has"
        f" {listed(contigs)}; rename the contigs in one of the two, or give the table of this assembly."
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class WindowMeans:
    """Mean of a signal over a grid of windows, contig by contig.

    mean : contig index -> float64 [windows], of the contigs that the signal knows.   warnings : one sentence each.
    """

    mean: Mapping[int, NDArray[np.float64]]
    warnings: tuple[str, ...]


def mean_over_windows(path: Path, lengths: Mapping[str, int], width: int, *, genome_name: str) -> WindowMeans:
    """Mean of a bigWig over windows of `width` bp from each contig's first base; a last one that is shorter is left.

    Bases that the file gives no value count as 0. Raises InputError as `bigwig_signal.BigWigSignal`.
    """
    signal = BigWigSignal(path, lengths, genome_name)
    total = {
        contig: np.zeros(length // width + 1)
        for contig, length in enumerate(lengths.values())
        if signal.match.observed[contig]
    }
    for runs in signal.runs():
        if not len(runs.start):
            continue
        end = runs.start + runs.length
        first, pieces = runs.start // width, (end - 1) // width - runs.start // width + 1
        run = np.repeat(np.arange(len(pieces)), pieces)
        window = first[run] + np.arange(len(run)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        inside = np.minimum(end[run], (window + 1) * width) - np.maximum(runs.start[run], window * width)
        np.add.at(total[int(runs.contig[0])], window, inside * runs.counts[run].astype(np.float64))
    return WindowMeans(
        mean={contig: column[:-1] / width for contig, column in total.items()}, warnings=signal.match.warnings
    )

"""Predictions as what other programs open: BED, bigWig for each class and strand, splice scores for aligners."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from genolstm.errors import InputError, UsageError
from genolstm.predicting.candidates import SPLICE
from genolstm.probes.splice_sites import Target
from genolstm.regions import STRAND_LETTERS, STRAND_NAMES
from genolstm.store.prediction import PredictedTarget, Prediction, PredictionRows, met
from genolstm.writers.bigwig import write_bigwig
from genolstm.writers.rows import write_rows
from genolstm.writers.text_file import text_file

HIGHEST = 1000  # of BED
CAP = 20  # of splice scores
JUNCTION_LETTERS = {Target.DONOR: "D", Target.ACCEPTOR: "A"}
BROWSER_WORDS = ("track", "browser")  # a BED line that begins so is none of an interval
SEEN = "|seen"  # ends the name of an interval on a contig that the model or the probe has met
Runs = tuple[str, NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]


def check_bed(prediction_classes: list[tuple[str, ...]], contigs: tuple[str, ...], path: Path) -> None:
    """Refuse a BED that could not be read back. Raises InputError, and UsageError where no class is predicted."""
    if not any(prediction_classes):
        raise UsageError(f"--bed {path} holds probabilities of classes, and this probe predicts values; use --bigwig.")
    for name in contigs:
        if name.startswith("#") or name in BROWSER_WORDS or any(letter.isspace() for letter in name):
            raise InputError(
                f"contig '{name}' is a name that a BED file cannot hold: it would be read as a comment or as"
                " two columns; rename it and ingest the genome again, or leave --bed out."
            )


def write_bed(path: Path, prediction: Prediction, min_score: float) -> int:
    """Write candidates of at least a probability, in genome order; how many there are.

    The name is the class, with '|seen' on contigs that the model or the probe has met; the score 1000 x probability.
    """
    return write_rows(path, None, _bed_slabs(prediction, min_score))


def _bed_slabs(prediction: Prediction, min_score: float) -> Iterator[list[Any]]:
    contigs = np.array(prediction.contigs, dtype=object)
    targets = [each for each in prediction.targets if each.classes]
    for several in zip(*(each.rows() for each in targets), strict=True):
        columns: list[list[NDArray[Any]]] = []
        for target, rows in zip(targets, several, strict=True):
            kept = rows.at_least(min_score)
            if len(kept.contig) and kept.probability is not None:
                columns.append(_bed_columns(target, kept, kept.probability, prediction.flags))
        if columns:
            contig, start, end, name, score, strand = (np.concatenate(each) for each in zip(*columns, strict=True))
            order = np.lexsort((end, start, contig))
            yield [
                contigs[contig[order]].tolist(), start[order], end[order], name[order].tolist(), score[order],
                strand[order].tolist(),
            ]  # fmt: skip


def _bed_columns(
    target: PredictedTarget, rows: PredictionRows, probability: NDArray[np.float64], flags: NDArray[np.uint8]
) -> list[NDArray[Any]]:
    if probability.ndim > 1:
        likeliest = probability.argmax(axis=1)
        name, best = np.array(target.classes, dtype=object)[likeliest], probability.max(axis=1)
    else:
        name, best = np.full(len(probability), target.classes[1], dtype=object), probability
    name = name + np.where(flags[rows.contig] > 0, SEEN, "").astype(object)
    letters = np.array([STRAND_LETTERS[sign] for sign in (0, 1, -1)], dtype=object)[rows.strand]
    score = np.rint(HIGHEST * best).astype(np.int64)
    return [rows.contig, rows.position, rows.position + target.width, name, score, letters]


def bigwig_paths(
    prefix: Path, targets: list[tuple[str, tuple[str, ...]]], *, windows: bool
) -> dict[tuple[str, int, int], Path]:
    """Files of each target, class and strand: (target, class number, strand +1, -1 or 0) -> path.

    targets : name and classes of each.   Raises InputError where two classes would have one file.
    """
    found: dict[tuple[str, int, int], Path] = {}
    for target, classes in targets:
        for number, strand, strand_name in drawn_of(classes, windows=windows):
            label = _safe(classes[number] if classes else target)
            name = ".".join(filter(None, (prefix.name, label, strand_name, "bw")))
            found[target, number, strand] = prefix.with_name(name)
    names = [path.name.casefold() for path in found.values()]
    for path in found.values():
        if names.count(path.name.casefold()) > 1:
            raise InputError(
                f"two classes would be written to {path}: their names differ only in letters that a file name cannot"
                " hold; rename the classes, or leave --bigwig out."
            )
    return found


def drawn_of(classes: tuple[str, ...], *, windows: bool) -> list[tuple[int, int, str]]:
    """Tracks of a target: number of the class (of two the second, 0 of values), strand, and the strand's name."""
    strands = {0: ""} if windows else {1: STRAND_NAMES[0], -1: STRAND_NAMES[1]}
    numbers = range(len(classes)) if len(classes) > 2 else [1] if classes else [0]
    return [(number, strand, name) for number in numbers for strand, name in strands.items()]


def _safe(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name)


def write_bigwigs(paths: dict[tuple[str, int, int], Path], prediction: Prediction) -> list[Path]:
    """Write probabilities, or predicted values, of every candidate: a file for each target, class and strand.

    A file for which there is no candidate is not written: a bigWig cannot be empty. Returns those that were.
    """
    targets = {each.name: each for each in prediction.targets}
    written = []
    for (name, number, strand), path in paths.items():
        if any((rows.strand == strand).any() for rows in targets[name].rows()):
            write_bigwig(path, prediction.length_of, candidate_runs(targets[name], number, strand, prediction.contigs))
            written.append(path)
    return written


def candidate_runs(target: PredictedTarget, number: int, strand: int, contigs: tuple[str, ...]) -> Iterator[Runs]:
    """Runs of one class and strand; of windows that overlap each is drawn up to the next."""
    last: tuple[int, int] | None = None  # contig, and start of the candidate that is held back
    held: Runs | None = None
    for mine in _of_strand(target, strand):
        every = mine.value if mine.probability is None else mine.probability
        value = (every[:, number] if every.ndim > 1 else every).astype(np.float32)
        contig, start = int(mine.contig[0]), mine.position
        end = start + target.width
        end[:-1] = np.minimum(end[:-1], start[1:])
        if held is not None:
            if last is not None and last[0] == contig:
                held = (held[0], held[1], np.minimum(held[2], start[0]), held[3])
            yield held
        yield contigs[contig], start[:-1], end[:-1], value[:-1]
        last, held = (contig, int(start[-1])), (contigs[contig], start[-1:], end[-1:], value[-1:])
    if held is not None:
        yield held


def _of_strand(target: PredictedTarget, strand: int) -> Iterator[PredictionRows]:
    """Candidates of one strand, those of one contig at a time."""
    for rows in target.rows():
        for contig in np.unique(rows.contig).tolist():
            mine = rows.only((rows.strand == strand) & (rows.contig == contig))
            if len(mine.contig):
                yield mine


def check_splice_scores(task: str, path: Path) -> None:
    """Raises UsageError for scores of anything but splice sites."""
    if task != SPLICE:
        raise UsageError(
            f"--splice-scores {path} holds donors and acceptors, and the probe is of other sites; leave it out."
        )


def write_splice_scores(path: Path, prediction: Prediction) -> int:
    """Write a score for every candidate donor and acceptor, in genome order, as aligners read it; how many lines.

    TAB-separated: contig; offset of the junction, the place between two bases where exon and intron meet, counted from
    0 at the contig's start on either strand; strand; D or A; and 2 log2 of the odds of the site over the odds of any
    candidate, rounded, at most 20 off zero. The format is that of `minimap2 --spsc` and `miniprot --spsc` (Li 2025).
    """
    targets = prediction.targets
    count = 0
    with text_file(path) as out:
        for several in zip(*(each.rows() for each in targets), strict=True):
            contig, offset, strand, kind, score = (
                np.concatenate(each)
                for each in zip(*map(_junctions, targets, several), strict=True)
            )  # fmt: skip
            order = np.lexsort((kind, strand, offset, contig))
            lines = (
                f"{prediction.contigs[where]}\t{at}\t{STRAND_LETTERS[side]}\t{letter}\t{points}\n"
                for where, at, side, letter, points in zip(
                    *(column[order].tolist() for column in (contig, offset, strand, kind, score)), strict=True
                )
            )
            out.write("".join(lines).encode())
            count += len(order)
    return count


def _junctions(target: PredictedTarget, rows: PredictionRows) -> tuple[NDArray[Any], ...]:
    """Columns of a file of splice scores for some candidates."""
    site = Target(target.name)
    # a donor's position is the intron's first base along the strand, an acceptor's its last
    intron_follows = (site is Target.DONOR) == (rows.strand > 0)
    offset = rows.position + np.where(intron_follows, 0, 1)
    score = np.rint(2 * (rows.value - logit(target.natural)) / np.log(2))
    letters = np.full(len(offset), JUNCTION_LETTERS[site])
    return rows.contig, offset, rows.strand, letters, np.clip(score, -CAP, CAP).astype(np.int64)


def marked_contigs(prediction: Prediction) -> dict[str, str]:
    """Contigs with candidates that something has met -> what."""
    return {
        name: met(int(flags))
        for name, flags in zip(prediction.contigs, prediction.flags.tolist(), strict=True)
        if flags
    }

"""The dialects of bedMethyl: 11 columns of ENCODE or modbam2bed, 14 to 16 of modbam2bed -e, 18 of modkit.

Of 11 columns, ENCODE counts percentage x coverage; of modbam2bed, coverage also holds reads without a call, of which
the score is the rest: score = 1000 x called / coverage (modbam2bed, docs). Which it is, every row must bear out.
"""

from collections import Counter
from functools import cache

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import UsageError
from genolstm.readers.modification_names import BISULFITE, Named, label, named
from genolstm.readers.table_readings import FRACTION, Columns, Dialect, Judged, Reading, agrees, of_total, tolerance
from genolstm.readers.table_readings import PERCENT as PER_CENT
from genolstm.readers.table_rows import BadRow, Row, percentage, strand_of, whole
from genolstm.settings.methylation import CountSettings

BEDMETHYL_COLUMNS, WITH_COUNTS = 11, 18
EXTENDED = range(14, 17)  # of modbam2bed -e: canonical, modified, filtered, and in later versions no call, other
NAME, SCORE, STRAND, COVERAGE, PERCENT, FIRST_COUNT = 3, 4, 5, 9, 10, 11
HIGHEST_SCORE = 1000  # of BED
FIELDS = ("coverage", "percentage", "decimals", "vague")
MODKIT, EXTENDED_COUNTS = ("modified", "canonical", "other"), ("canonical", "modified", "filtered")
OF_COVERAGE = "modified reads are percentage x coverage"
OF_CALLED = "modbam2bed: modified reads are percentage x called reads, which are score x coverage / 1000"
OF_FRACTION = "modified reads are fraction x coverage: column 11 holds fractions, no percentages"
NAMES_COUNTED = 20  # different names of other modifications that the account lists


def bedmethyl_dialect(first: list[str], settings: CountSettings, source: str) -> Dialect:
    """Dialect of a file whose first row is given. Raises UsageError where rows cannot hold the codes wanted."""
    width = len(first)
    has_counts = width >= WITH_COUNTS
    is_extended = width in EXTENDED and first[FIRST_COUNT].isdecimal()
    if width > BEDMETHYL_COLUMNS and not has_counts and not is_extended and first[FIRST_COUNT].isdecimal():
        raise UsageError(
            f"{source} has {width} columns, where bedMethyl has 11 (ENCODE, modbam2bed), 14 to 16 (modbam2bed -e) or 18"
            " (modkit); write it again in one of these."
        )
    if len(settings.code) > 1 and named(first[NAME].partition(",")[0], settings.code) in (Named.MATCHING, Named.OTHER):
        raise UsageError(f"{source} has rows of its own for each modification: choose one of '{settings.code}'.")
    counts_named = MODKIT if has_counts else EXTENDED_COUNTS if is_extended else ()
    counted = len(counts_named)
    vague: Counter[str] = Counter()
    others: set[str] = set()
    matching, other, together, end_of_counts = (
        Named.MATCHING,
        Named.OTHER,
        len(settings.code) > 1,
        FIRST_COUNT + counted,
    )

    @cache
    def sort(name: str) -> Named:
        kind = named(name.partition(",")[0], settings.code)  # modkit writes m,CG,0 where it was given motifs
        # modkit always names; bisulfite, which need not, is of 5mC alone
        must_name = has_counts or frozenset(settings.code) not in BISULFITE
        return Named.OTHER if kind is Named.UNNAMED and must_name else kind

    def row(fields: list[str]) -> Row | str:
        if len(fields) != width:
            raise BadRow(f"it has {len(fields)} columns, not {width} as the first")
        kind = sort(fields[NAME])
        if kind is other:
            name = fields[NAME].partition(",")[0]
            others.add(name)
            return f"another modification ({label(name)})" if len(others) <= NAMES_COUNTED else "another modification"
        is_vague = kind is not matching
        if is_vague:
            vague[fields[NAME].partition(",")[0] if kind is Named.ANY else ""] += 1
        elif together:
            raise BadRow(f"it counts '{fields[NAME]}' alone, where '{settings.code}' are wanted together")
        try:
            start, coverage = int(fields[1]), int(fields[COVERAGE])
            length = int(fields[2]) - start
            counts = [int(text) for text in fields[FIRST_COUNT:end_of_counts]]
        except ValueError:  # 8.0, or what is no number
            start, coverage = whole(fields[1]), whole(fields[COVERAGE])
            length = whole(fields[2]) - start
            counts = [whole(text) for text in fields[FIRST_COUNT:end_of_counts]]
        if length != 1:
            raise BadRow(f"it spans {start} to {start + length}, which is not one base")
        value, decimals = percentage(fields[PERCENT])
        if counted:
            return start, 1, strand_of(fields[STRAND]), coverage, value, decimals, is_vague, *counts
        score = float(fields[SCORE]) if fields[SCORE].isdecimal() else np.nan
        return start, 1, strand_of(fields[STRAND]), coverage, value, decimals, is_vague, score

    readings: tuple[Reading, ...]
    if has_counts:
        name, readings = "bedMethyl of modkit (18 columns)", (Reading("modified and canonical reads", _modkit),)
    elif is_extended:
        name = f"bedMethyl of modbam2bed -e ({width} columns)"
        readings = (Reading("canonical and modified reads", _extended), Reading("modified and canonical", _swapped))
    else:
        name = f"bedMethyl ({width} columns)"
        readings = (
            Reading(OF_COVERAGE, _percent),
            Reading(OF_CALLED, _called),
            Reading(OF_FRACTION, _fraction),
        )
    return Dialect(
        name=name, samples=("",), row=row, fields=FIELDS + (counts_named or ("score",)), readings=readings, vague=vague,
        evidence={} if counted else {
            "score is coverage": _score_is_coverage, "score is percentage": _score_is_percentage,
        },
        chosen=None if counted else _chosen,
    )  # fmt: skip


def _modkit(columns: Columns) -> Judged:
    modified, canonical, other, coverage = (columns[name] for name in (*MODKIT, "coverage"))
    fits = (coverage == modified + canonical + other) & agrees(modified, coverage, columns, PER_CENT)
    return modified, modified + canonical, fits


def _extended(columns: Columns) -> Judged:
    canonical, modified = columns["canonical"], columns["modified"]
    covered = canonical + modified
    return modified, covered, (covered <= columns["coverage"]) & agrees(modified, covered, columns, PER_CENT)


def _swapped(columns: Columns) -> Judged:
    return _extended({**columns, "canonical": columns["modified"], "modified": columns["canonical"]})


def _percent(columns: Columns) -> Judged:
    modified, fits = of_total(columns["coverage"], columns, PER_CENT)
    return modified, columns["coverage"], fits


def _fraction(columns: Columns) -> Judged:
    modified, fits = of_total(columns["coverage"], columns, FRACTION)
    return modified, columns["coverage"], fits


def _called(columns: Columns) -> Judged:
    score, coverage = columns["score"], columns["coverage"]
    with np.errstate(divide="ignore", invalid="ignore"):
        called = np.nan_to_num(np.rint(score * coverage / HIGHEST_SCORE))
        bears_out = (coverage == 0) | (np.abs(HIGHEST_SCORE * called / coverage - score) <= 1)
    modified, fits = of_total(called, columns, PER_CENT)
    # without a call there is no percentage: 0 would be the score of a file that does not use it
    return modified, called, fits & bears_out & (called <= coverage) & ((called > 0) | np.isnan(columns["percentage"]))


def _score_is_coverage(columns: Columns) -> NDArray[np.bool_]:
    same: NDArray[np.bool_] = columns["score"] == np.minimum(columns["coverage"], HIGHEST_SCORE)
    return same


def _score_is_percentage(columns: Columns) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):
        near: NDArray[np.bool_] = np.abs(columns["score"] - 10 * columns["percentage"]) <= 10 * tolerance(
            columns["decimals"], PER_CENT
        )
    return near | np.isnan(columns["percentage"])


def _chosen(alive: list[str], shown: list[str]) -> str | None:
    """Which of the readings that every row agrees with is meant, None where nothing decides."""
    if OF_COVERAGE in alive and ("score is coverage" in shown or OF_CALLED not in alive):
        return OF_COVERAGE
    if OF_CALLED in alive:
        return None if "score is percentage" in shown and OF_COVERAGE in alive else OF_CALLED
    return OF_FRACTION

"""One row of bedMethyl: the 11 columns of ENCODE, or the 18 of modkit, which count each kind of read."""

from genolstm.readers.call_kernels import CHEBI, LETTER
from genolstm.readers.table_rows import BadRow, Row, whole
from genolstm.regions import STRAND_SIGNS

BEDMETHYL_COLUMNS, WITH_COUNTS = 11, 18
CONTIG, START, END, NAME, STRAND, COVERAGE, PERCENT, MODIFIED, CANONICAL = 0, 1, 2, 3, 5, 9, 10, 11, 12
# how files name a modification; any other name is that of a sample, and says nothing
CODES = {
    **{chr(letter): chr(letter) for letter in LETTER},
    **{str(number): chr(letter) for number, letter in zip(CHEBI, LETTER, strict=True)},
    "5mC": "m", "5hmC": "h", "6mA": "a",
}  # fmt: skip


def bedmethyl_row(fields: list[str], code: str) -> Row | None:
    """What a row says of one modification; None where it tells of another.

    Of 18 columns, modified and canonical reads are counted: reads with another modification, of which modkit's
    coverage holds some, are not. Of 11, modified is the nearest whole number to percentage x coverage.
    """
    if len(fields) < BEDMETHYL_COLUMNS:
        raise BadRow(f"it has {len(fields)} columns, not {BEDMETHYL_COLUMNS} or {WITH_COUNTS}")
    if CODES.get(fields[NAME].partition(",")[0], code) != code:
        return None
    if fields[STRAND] not in STRAND_SIGNS:
        raise BadRow(f"its strand is '{fields[STRAND][:9]}', not +, - or .")
    start, end = whole(fields[START]), whole(fields[END])
    if end != start + 1:
        raise BadRow(f"it spans {start} to {end}, which is not one base")
    if len(fields) >= WITH_COUNTS:
        modified = whole(fields[MODIFIED])
        counts = modified, modified + whole(fields[CANONICAL])
    else:
        covered = whole(fields[COVERAGE])
        try:
            percent = float(fields[PERCENT])
        except ValueError as problem:
            raise BadRow(f"its percentage is '{fields[PERCENT][:9]}'") from problem
        if not 0 <= percent <= 100:
            raise BadRow(f"its percentage is {percent:g}")
        counts = round(covered * percent / 100), covered
    return Row(fields[CONTIG], start, STRAND_SIGNS[fields[STRAND]], (counts,))

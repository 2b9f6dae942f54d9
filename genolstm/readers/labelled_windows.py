"""What the headers of a FASTA of windows, or a table beside it, say of each window: its label, and its part."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from genolstm.errors import InputError
from genolstm.readers.foreign import PROTEIN_ONLY
from genolstm.readers.labelled_sites import UNNAMED, label_of, part_in
from genolstm.readers.text_lines import opened_lines
from genolstm.readers.whole_numbers import shortened

COLUMNS = ("name", "label", "part")  # of a table; the last may be lacking
NAMES_TOLD = 4


@dataclass(frozen=True, kw_only=True)
class WindowLabel:
    """What is known of one window. part : a Part, -1 where the file names none, None where this window has none."""

    label: str
    part: int | None


def read_window_labels(fasta: Path, table: Path | None, model_name: str) -> dict[str, WindowLabel]:
    """Label of each window that has one, by the name of its record, in file order.

    fasta : DNA, '>name label=... part=...' where no table is given.   table : columns name, label and, perhaps, part.
    Raises InputError for letters of proteins, a record without a label, and a name of the table that no record has.
    """
    headers = _headers(fasta, model_name)
    if table is None:
        return {name: _of_header(words, f"{fasta}: record '{name}' (line {line})")
                for name, (line, words) in headers.items()}  # fmt: skip
    found = _of_table(table)
    if foreign := [name for name in found if name not in headers]:
        told = ", ".join(foreign[:NAMES_TOLD]) + (", ..." if len(foreign) > NAMES_TOLD else "")
        raise InputError(
            f"{table} labels {len(foreign):,} window{'s' * (len(foreign) != 1)} that {fasta} lacks ({told}); give the"
            " table of this file, with names as they stand after '>'."
        )
    return {name: found[name] for name in headers if name in found}


def _headers(fasta: Path, model_name: str) -> dict[str, tuple[int, list[str]]]:
    """Name of each record -> the line and the words of its header. Raises InputError at a letter of proteins alone."""
    headers: dict[str, tuple[int, list[str]]] = {}
    name = ""
    with opened_lines(fasta, "FASTA", "a FASTA file of windows") as lines:
        for number, line in lines:
            if line.startswith(">"):
                name, *words = line[1:].split() or [""]
                headers.setdefault(name, (number, words))
            elif foreign := PROTEIN_ONLY & set(line.upper()):
                raise InputError(
                    f"{fasta}: record '{name}' (line {number}) holds the letter {min(foreign)} of proteins, and"
                    f" {model_name} reads DNA; give windows of DNA."
                )
    return headers


def _of_header(words: list[str], where: str) -> WindowLabel:
    said = dict(word.split("=", 1) for word in words if "=" in word)
    if "label" not in said:
        raise InputError(
            f"{where} has no label; write '>name label=...' for every window, or give a table by --labels."
        )
    return WindowLabel(label=label_of(said, where), part=part_in(said, where))


def _of_table(table: Path) -> dict[str, WindowLabel]:
    found: dict[str, WindowLabel] = {}
    rows = _rows(table)
    _, header = next(rows, (0, []))
    names = [name.strip().removeprefix("#").strip() for name in header]
    for column in COLUMNS:
        if names.count(column) != 1 and (column != "part" or column in names):
            raise InputError(
                f"{table}: its header must name the column '{column}' once; give a table with tabs and the columns"
                " name, label and, if wanted, part."
            )
    for number, fields in rows:
        where = f"{table}, line {number}"
        if len(fields) < len(names):
            raise InputError(f"{where} has {len(fields)} columns, its header names {len(names)}; complete the line.")
        row = {name: field.strip() for name, field in zip(names, fields, strict=False)}
        one = WindowLabel(label=label_of(row, where), part=part_in(row, where))
        if found.setdefault(row["name"], one) != one:
            raise InputError(f"{where} labels window {shortened(row['name'])} a second time, and otherwise; keep one.")
    return found


def _rows(table: Path) -> Iterator[tuple[int, list[str]]]:
    with opened_lines(table, "a table of labels", "a table with the columns name, label[, part]") as lines:
        for number, line in lines:
            if line.strip():
                yield number, line.split("\t")


def names_parts(labels: Mapping[str, WindowLabel]) -> bool:
    """Whether the file says what its windows are for."""
    return any(each.part is not None and each.part != UNNAMED for each in labels.values())

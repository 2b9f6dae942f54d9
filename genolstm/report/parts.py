"""Parts of a page: verdicts, tables and the section of one result."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Tone(StrEnum):
    """Outcome of a verdict, for its sign and its colour; the text says it too."""

    YES = "yes"
    NO = "no"
    WORSE = "worse"
    NOTE = "note"


class Verdict(NamedTuple):
    """One sentence with its numbers."""

    tone: Tone
    text: str


class ReportTable(NamedTuple):
    """A table with a caption; the first column names its rows."""

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class Section:
    """Everything on the page about one result but its pictures.

    title : what it is about.   terms : meaning of terms in its tables, (term, sentence).   limits : what it does not
    show.   metrics : plain numbers for MultiQC, (key, title, value).
    judged : its sentences are verdicts; False where they only describe a file.
    """

    title: str
    verdicts: Sequence[Verdict]
    tables: Sequence[ReportTable] = ()
    terms: Sequence[tuple[str, str]] = ()
    limits: Sequence[str] = ()
    metrics: Sequence[tuple[str, str, float]] = ()
    judged: bool = True

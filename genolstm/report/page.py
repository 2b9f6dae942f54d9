"""The page: one HTML file that needs nothing beside it."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from genolstm import __version__
from genolstm.figures.of_file import pictures_of
from genolstm.report.inline_svg import inline_svg
from genolstm.report.of_changes import changes_section
from genolstm.report.of_comparison import comparison_section
from genolstm.report.of_dependencies import dependencies_section
from genolstm.report.of_gates import gates_section
from genolstm.report.of_inputs import genome_section, hidden_section, study_section, track_section
from genolstm.report.of_methylation import counts_section, fit_section
from genolstm.report.of_model import score_section, training_section
from genolstm.report.of_prediction import prediction_section
from genolstm.report.of_probe import probe_section
from genolstm.report.parts import Section
from genolstm.report.reading import Result, warnings_of
from genolstm.store.files import growing_file
from genolstm.store.schema import Kind

TEMPLATE = "page.html.j2"
SECTIONS: Mapping[Kind, Callable[[Result], Section]] = {
    Kind.GENOME: genome_section,
    Kind.TRACK: track_section,
    Kind.CHECKPOINT: training_section,
    Kind.SCORE: score_section,
    Kind.HIDDEN: hidden_section,
    Kind.GATES: gates_section,
    Kind.PROBE: probe_section,
    Kind.COUNTS: counts_section,
    Kind.METHYLATION: fit_section,
    Kind.STUDY: study_section,
    Kind.COMPARISON: comparison_section,
    Kind.VARIANTS: changes_section,
    Kind.PREDICTION: prediction_section,
    Kind.DEPENDENCIES: dependencies_section,
}


class Shown(NamedTuple):
    """A figure on the page. number : it is figure 1, 2, ..."""

    number: int
    title: str
    caption: str
    svg: Markup


class Entry(NamedTuple):
    """One result on the page. anchor : id of its section."""

    anchor: str
    result: Result
    section: Section
    pictures: Sequence[Shown]
    settings: Sequence[tuple[str, str]]


def sections_of(results: Sequence[Result]) -> list[Section]:
    """Section of each result."""
    return [SECTIONS[result.kind](result) for result in results]


def write_page(path: Path, results: Sequence[Result], sections: Sequence[Section], title: str) -> int:
    """Write the page, whole or not at all, the same bytes for the same results; the number of figures.

    Raises InputError when the disk refuses.
    """
    entries: list[Entry] = []
    count = 0
    for place, (result, section) in enumerate(zip(results, sections, strict=True)):
        shown = []
        for picture in pictures_of(result.path):
            count += 1
            svg = Markup(inline_svg(picture, f"f{count}"))
            shown.append(Shown(count, picture.title, picture.caption, svg))
        entries.append(Entry(f"result-{place + 1}", result, section, shown, _flat(result.about.settings)))
    made = environment().get_template(TEMPLATE).render(
        title=title, version=__version__, entries=entries, warnings=warnings_of(results)
    )  # fmt: skip
    with growing_file(path) as growing:
        # a file name may hold bytes that are not UTF-8
        growing.write_text(made, encoding="utf-8", errors="backslashreplace")
    return count


def environment() -> Environment:
    """Templates with every name escaped, and nothing undefined."""
    return Environment(
        loader=PackageLoader("genolstm.report", ""), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip


def _flat(settings: Mapping[str, Any], before: str = "") -> list[tuple[str, str]]:
    """Settings as name and text, nested ones with a dot."""
    found: list[tuple[str, str]] = []
    for name, value in settings.items():
        if isinstance(value, Mapping):
            found += _flat(value, f"{before}{name}.")
        else:
            found.append((f"{before}{name}", value if isinstance(value, str) else json.dumps(value)))
    return found

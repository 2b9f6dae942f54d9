"""The page: one HTML file that needs nothing beside it."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from genolstm import __version__
from genolstm.figures.of_file import pictures_of
from genolstm.figures.style import NARROW_INCHES
from genolstm.regions import Part
from genolstm.report.inline_svg import inline_svg
from genolstm.report.of_changes import changes_section
from genolstm.report.of_comparison import comparison_section
from genolstm.report.of_dependencies import dependencies_section
from genolstm.report.of_gates import gates_section
from genolstm.report.of_inputs import genome_section, hidden_section, study_section, track_section
from genolstm.report.of_methylation import contrast_section, counts_section, fit_section
from genolstm.report.of_model import score_section, training_section
from genolstm.report.of_prediction import prediction_section
from genolstm.report.of_probe import probe_section
from genolstm.report.parts import Section
from genolstm.report.reading import Result, warnings_of
from genolstm.store.checkpoint import Checkpoint
from genolstm.store.files import growing_file
from genolstm.store.schema import Kind

TEMPLATE = "page.html.j2"
LEADING = 1  # figures of a result that are not folded away
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
    Kind.CONTRAST: contrast_section,
}


class Shown(NamedTuple):
    """A figure on the page. number : it is figure 1, 2, ...   narrow : drawn for the width of a phone.

    wide : the same drawn for a screen; empty where it is only shown narrow.
    """

    number: int
    title: str
    caption: str
    narrow: Markup
    wide: Markup


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
    count, held_out = 0, _held_out(results)
    for place, (result, section) in enumerate(zip(results, sections, strict=True)):
        shown = _drawn(result, section, held_out, count)
        count += len(shown)
        entries.append(Entry(f"result-{place + 1}", result, section, shown, _flat(result.about.settings)))
    made = environment().get_template(TEMPLATE).render(
        title=title, version=__version__, entries=entries, warnings=warnings_of(results), leading=LEADING
    )  # fmt: skip
    with growing_file(path) as growing:
        # a file name may hold bytes that are not UTF-8
        growing.write_text(made, encoding="utf-8", errors="backslashreplace")
    return count


def _drawn(result: Result, section: Section, held_out: frozenset[str], before: int) -> list[Shown]:
    """Figures of a result: all narrow, and the one that leads its section wide too."""
    narrow = pictures_of(result.path, widest=NARROW_INCHES, held_out=held_out)
    wide = pictures_of(result.path, held_out=held_out)[:LEADING] if section.judged else []
    shown = []
    for place, picture in enumerate(narrow):
        number = before + place + 1
        also = place < len(wide) and wide[place].figure.get_figwidth() > NARROW_INCHES
        shown.append(Shown(
            number, picture.title, picture.caption, Markup(inline_svg(picture, f"f{number}")),
            Markup(inline_svg(wide[place], f"f{number}w")) if also else Markup(),
        ))  # fmt: skip
    return shown


def _held_out(results: Sequence[Result]) -> frozenset[str]:
    """Contigs that the one model on the page was tested on and has not met; none where there are several models."""
    models: list[Checkpoint] = [result.content for result in results if result.kind == Kind.CHECKPOINT]
    if len(models) != 1:
        return frozenset()
    return frozenset(models[0].split.of(Part.TEST).names()) - frozenset(models[0].seen)


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

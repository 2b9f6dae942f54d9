"""Result files of any kind, read for the report, checked against each other and put in order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genolstm.errors import InputError
from genolstm.store.checkpoint import read_checkpoint
from genolstm.store.comparison import read_comparison
from genolstm.store.contrast import read_contrast
from genolstm.store.counts import read_counts
from genolstm.store.dependencies import read_dependency_summary
from genolstm.store.file_info import FileInfo, read_file_info
from genolstm.store.files import file_sha256
from genolstm.store.gates import read_gates_tables
from genolstm.store.genome import open_genome
from genolstm.store.methylation import read_methylation
from genolstm.store.prediction import read_prediction
from genolstm.store.results import read_probe
from genolstm.store.schema import Kind
from genolstm.store.score import read_score_tables
from genolstm.store.study import read_studies
from genolstm.store.tables import open_tables
from genolstm.store.track import open_track
from genolstm.store.variants import read_snv_summary


def _hidden_shape(path: Path) -> tuple[int, int]:
    """Sites and values of each of a file of hidden states, which may be too large to read."""
    with open_tables(path) as file:
        return file.table("sites").rows, file.table("features").rows


# the order of the commands in an analysis, which is the order of the page
READERS: Mapping[Kind, Any] = {
    Kind.GENOME: open_genome,
    Kind.TRACK: open_track,
    Kind.CHECKPOINT: read_checkpoint,
    Kind.SCORE: read_score_tables,
    Kind.HIDDEN: _hidden_shape,
    Kind.GATES: read_gates_tables,
    Kind.VARIANTS: read_snv_summary,
    Kind.DEPENDENCIES: read_dependency_summary,
    Kind.PROBE: read_probe,
    Kind.PREDICTION: read_prediction,
    Kind.COUNTS: read_counts,
    Kind.METHYLATION: read_methylation,
    Kind.CONTRAST: read_contrast,
    Kind.STUDY: read_studies,
    Kind.COMPARISON: read_comparison,
}
ORDER = {kind: place for place, kind in enumerate(READERS)}
SHOWN_SHA = 12  # characters of a SHA-256 that are shown


@dataclass(frozen=True, kw_only=True)
class Result:
    """One file of the report.

    name : its file name, unique on the page.   sha256 : of the file's bytes, by which results name their
    inputs.   content : the record that its kind is read into.
    """

    name: str
    path: Path
    sha256: str
    about: FileInfo
    content: Any

    @property
    def kind(self) -> Kind:
        """Kind of file."""
        return self.about.kind


def read_results(paths: Sequence[Path]) -> list[Result]:
    """Read every file, in the order of the page, whatever the order given.

    Raises InputError for a file that is given twice, two of one name, and as `store.files.open_any`.
    """
    _refuse_same_names(paths)
    results = [_read(path) for path in paths]
    seen: dict[str, Result] = {}
    for result in results:
        first = seen.setdefault(result.about.content_sha256, result)
        if first is not result:
            raise InputError(f"{first.path} and {result.path} hold the same result; give it once.")
    return sorted(results, key=lambda each: (ORDER[each.kind], each.name))


def _refuse_same_names(paths: Sequence[Path]) -> None:
    known: dict[str, Path] = {}
    for path in paths:
        if path.name not in known:
            known[path.name] = path
        elif known[path.name].resolve() == path.resolve():
            raise InputError(f"{path} is given twice; give it once.")
        else:
            raise InputError(
                f"two results are called {path.name}: {known[path.name]} and {path}; rename one, so that the page can"
                " distinguish them."
            )


def _read(path: Path) -> Result:
    about = read_file_info(path)
    return Result(
        name=path.name, path=path, sha256=file_sha256(path), about=about, content=READERS[about.kind](path)
    )  # fmt: skip


def warnings_of(results: Sequence[Result]) -> list[str]:
    """Warnings where results do not belong together: other genomes, other models than those on the page."""
    return [*_genomes(results), *_models(results)]


def _genomes(results: Sequence[Result]) -> list[str]:
    """One sentence where results come from different genomes."""
    groups: dict[str, list[str]] = {}
    for result in results:
        if sequence := _sequence(result, results):
            groups.setdefault(sequence, []).append(result.name)
    if len(groups) < 2:
        return []
    listing = "; ".join(f"genome {sequence[:SHOWN_SHA]}: {', '.join(names)}" for sequence, names in groups.items())
    return [
        f"These results come from {len(groups)} different genomes or sets of proteins, by their SHA-256:"
        f" numbers of one must not be compared with those of another ({listing})."
    ]


def _sequence(result: Result, results: Sequence[Result]) -> str:
    """SHA-256 of the sequence that a result was made on, over the files it was made from; '' where none records it."""
    if result.about.sequence_sha256:
        return result.about.sequence_sha256
    sources = [each for each in results if each is not result and each.sha256 in result.about.inputs.values()]
    return next((found for each in sources if (found := _sequence(each, results))), "")


def _models(results: Sequence[Result]) -> list[str]:
    """One sentence for each result of a model that is not the one of its genome on this page."""
    models = {each.sha256: each for each in results if each.kind is Kind.CHECKPOINT}
    if not models:
        return []
    warnings = []
    for result in results:
        used = result.about.inputs.get("model")
        if used is None or used in models:
            continue
        others = [each.name for each in models.values() if _sequence(each, results) == _sequence(result, results)]
        beside = f", not with {', '.join(others)}, which is shown here" if others else ", which is not shown here"
        warnings.append(f"{result.name} was made with another model (SHA-256 {used[:SHOWN_SHA]}){beside}.")
    return warnings

"""A comparison from files to its record: what kind they are, whether they fit, and how they are grouped."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from genolstm.comparing.measured import Groups, Measured, file_values
from genolstm.comparing.models import measured_models, setting_of
from genolstm.comparing.probes import measured_probes
from genolstm.comparing.scores import genes_on, measured_scores
from genolstm.errors import InputError, UsageError
from genolstm.readers.annotation import Annotation, Transcript
from genolstm.settings.compare import CompareSettings
from genolstm.store.comparison import ComparedFile, Comparison, Shared
from genolstm.store.file_info import FileInfo, read_file_info
from genolstm.store.files import file_sha256
from genolstm.store.results import read_probe
from genolstm.store.schema import Kind

COMPARABLE = (Kind.PROBE, Kind.SCORE, Kind.CHECKPOINT)
ONE_SEED = "a group of one file: its interval is over blocks alone, and says nothing of what another seed would give."


@dataclass(frozen=True, kw_only=True)
class _File:
    name: str
    path: Path
    about: FileInfo


def compare(
    paths: Sequence[Path], groups: Sequence[str], settings: CompareSettings, *, transcripts: Sequence[Transcript] = ()
) -> Comparison:
    """Compare probe results, score files or models, paired, on what all of them share.

    groups : of each file, the setting that it is a seed of; () groups models by their settings, and leaves other files
    alone.   transcripts : genes on the genome of score files, for the bits of each class of bases.
    Raises InputError for a single file, a file given twice, files of different kinds or genomes, or files that share
    nothing; UsageError where there are not as many groups as files.
    """
    if groups and len(groups) != len(paths):
        raise UsageError(f"there are {len(paths)} files and {len(groups)} --group: name the group of each, in order.")
    files = _opened(paths)
    kind = _kind(files)
    _check_genome(files)
    named = {each.name: each.path for each in files}
    measured, shared, notes = _measured(kind, named, settings, transcripts)
    group_of = list(groups) or _groups_of(kind, files)
    made = Groups(group_of, settings.seed)
    if kind is not Kind.CHECKPOINT and any(len(rows) == 1 for rows in made.files.values()):
        notes = [*notes, ONE_SEED]
    return Comparison(
        compared=kind,
        files=tuple(
            ComparedFile(each.name, group, file_sha256(each.path)) for each, group in zip(files, group_of, strict=True)
        ),
        shared=tuple(shared),
        values=tuple(row for each in measured for row in file_values(each, list(named))),
        groups=tuple(row for each in measured for row in made.values(each)),
        differences=tuple(made.differences(measured)),
        notes=tuple(notes),
    )


def genes_of_classes(paths: Sequence[Path], annotation: Path) -> tuple[Annotation, list[str]]:
    """Genes on the genome of score files, and what was left out. Raises UsageError for files of another kind."""
    for path in paths:
        kind = read_file_info(path).kind
        if kind is not Kind.SCORE:
            raise UsageError(f"--annotation is for the bits of score files, and {path} is a {kind} file: leave it out.")
    return genes_on(paths[0], annotation)


def _measured(
    kind: Kind, paths: dict[str, Path], settings: CompareSettings, transcripts: Sequence[Transcript]
) -> tuple[list[Measured], list[Shared], list[str]]:
    if kind is Kind.CHECKPOINT:
        return measured_models(paths)
    resamples, seed = settings.resamples, settings.seed
    if kind is Kind.SCORE:
        return measured_scores(paths, resamples=resamples, seed=seed, transcripts=transcripts)
    return measured_probes({name: read_probe(path) for name, path in paths.items()}, resamples=resamples, seed=seed)


def _opened(paths: Sequence[Path]) -> list[_File]:
    """Files with names of their own: the stem where it is one of its kind, else the path."""
    if len(paths) < 2:
        raise InputError(f"{paths[0] if paths else 'no file'} alone cannot be compared; give two files or more.")
    stems = [path.stem for path in paths]
    names = [stem if stems.count(stem) == 1 else str(path) for stem, path in zip(stems, paths, strict=True)]
    found: dict[str, _File] = {}
    for name, path in zip(names, paths, strict=True):
        file = _File(name=name, path=path, about=read_file_info(path))
        twin = found.setdefault(file.about.content_sha256, file)
        if twin is not file:
            raise InputError(f"{twin.path} and {path} hold the same result; give it once.")
    return list(found.values())


def _kind(files: Sequence[_File]) -> Kind:
    """Kind of all files. Raises InputError where they differ, or cannot be compared."""
    first = files[0]
    for each in files:
        if each.about.kind is not first.about.kind:
            raise InputError(
                f"{first.path} is a {first.about.kind} file and {each.path} a {each.about.kind} file; compare files of"
                " one kind."
            )
    if first.about.kind not in COMPARABLE:
        raise InputError(
            f"{first.path} is a {first.about.kind} file; only probe results, score files and models can be compared."
        )
    return first.about.kind


def _check_genome(files: Sequence[_File]) -> None:
    """Refuse files of different genomes or sets of proteins. Raises InputError."""
    first = files[0]
    for each in files:
        if _sequence(each) != _sequence(first):
            raise InputError(
                f"{first.path} and {each.path} were made on different genomes (SHA-256 {_shown(first)} and"
                f" {_shown(each)}); compare results on one genome."
            )


def _sequence(file: _File) -> str:
    """SHA-256 of the genome, or of the proteins, that a file was made on; empty where it does not tell."""
    return file.about.sequence_sha256 or file.about.inputs.get("proteins", "")


def _shown(file: _File) -> str:
    return _sequence(file)[:12] or "not known"


def _groups_of(kind: Kind, files: Sequence[_File]) -> list[str]:
    """Group of each file where none was named: models of one setting but for the seed are one group."""
    if kind is not Kind.CHECKPOINT:
        return [each.name for each in files]  # probe and score files do not hold the settings of their model
    first: dict[str, str] = {}
    settings = [setting_of(each.about.settings) for each in files]
    for text, each in zip(settings, files, strict=True):
        first.setdefault(text, each.name)
    return [
        f"{first[text]} and its seeds" if settings.count(text) > 1 else each.name
        for text, each in zip(settings, files, strict=True)
    ]

"""Option --folds of the probes: the models of every fold, found by the name of one of them."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from genolstm.probes.folds import FoldModel
    from genolstm.store.checkpoint import Checkpoint
    from genolstm.store.genome import Genome
    from genolstm.store.results import ProbeResult
    from genolstm.stream.reader import GenomeReader

R = TypeVar("R")
Folds = Annotated[
    bool,
    typer.Option(
        "--folds",
        help="Of 'train --folds': MODEL is the name given there, or one of its models; each site is judged once, by the"
        " model of the fold that held it out.",
    ),
]


def fold_models(model: Path, *, folds: bool) -> list[Path]:
    """The model files to be probed: that of every fold, or MODEL alone."""
    from genolstm.folds import fold_files

    return fold_files(model) if folds else [model]


def read_models(paths: list[Path], genome: "Genome | None" = None) -> "list[FoldModel]":
    """Models, each of which must read the genome's alphabet where one is given."""
    from genolstm.probes.folds import FoldModel
    from genolstm.store.checkpoint import read_checkpoint

    found = [FoldModel(name=str(path), checkpoint=read_checkpoint(path)) for path in paths]
    if genome is not None:
        check_alphabets(found, genome)
    return found


def check_alphabets(models: "list[FoldModel]", genome: "Genome") -> None:
    """Refuse a model that reads another alphabet than the genome's. Raises InputError."""
    from genolstm.store.checkpoint import check_alphabet

    for each in models:
        check_alphabet(each.checkpoint, Path(each.name), genome)


def model_inputs(paths: list[Path]) -> dict[str, str]:
    """Hash of each model file by its name among the inputs: 'model', or 'model 1' and so on."""
    from genolstm.store.files import file_sha256

    return {f"model {n}" if len(paths) > 1 else "model": file_sha256(path) for n, path in enumerate(paths, 1)}


def probe_models(
    models: "list[FoldModel]",
    reader_of: "Callable[[Checkpoint], GenomeReader]",
    probe: "Callable[[Checkpoint, GenomeReader, str], tuple[dict[str, ProbeResult], R]]",
    settings: Any,  # noqa: ANN401  (of any probe)
    *,
    folds: bool,
) -> "tuple[dict[str, ProbeResult], R]":
    """Result of a probe of one model, or pooled over those of all folds.

    reader_of : from a checkpoint to a reader with its network.   probe : of one model with that reader and its name.
    """
    from genolstm.cli.terminal import log
    from genolstm.probes.folds import probe_folds

    def one(model: "FoldModel") -> "tuple[dict[str, ProbeResult], R]":
        return probe(model.checkpoint, reader_of(model.checkpoint), model.name)

    return probe_folds(models, one, settings, log.info) if folds else one(models[0])

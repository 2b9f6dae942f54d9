"""The model whose states a probe reads: named, or found by its hash."""

import shlex
from pathlib import Path

from genolstm.errors import InputError
from genolstm.folds import fold_path
from genolstm.shipped import shipped_models
from genolstm.store.file_info import FileInfo, read_file_info
from genolstm.store.files import file_sha256


def models_of(probe: Path, given: Path | None) -> list[Path]:
    """Model files that a probe was fitted with: of one model, or of every fold, in order.

    These are the one given, else what the probe's file leads to, by their hashes. Looked for are the models that come
    with genolstm, and what the probe's command names, as it is named and beside the probe. given : of folds as 'train
    --folds' was given it, or one of its models.
    Raises InputError for another model, or where none is found.
    """
    info = read_file_info(probe)
    if "model 1" not in info.inputs:
        return [_model_of(probe, info, "model", given)]
    found: list[Path] = []
    while (name := f"model {len(found) + 1}") in info.inputs:
        found.append(_model_of(probe, info, name, fold_path(given, len(found) + 1) if given else None))
    return found


def _model_of(probe: Path, info: FileInfo, name: str, given: Path | None) -> Path:
    """The model file that one of a probe's inputs is. name : of the input."""
    wanted, number = info.inputs.get(name, ""), name.removeprefix("model").strip()
    if given is not None:
        if not given.exists():
            raise InputError(
                f"{given} does not exist; give the name that 'genolstm train --folds' was given, or one of its models."
            )
        if file_sha256(given) != wanted:
            raise InputError(
                f"{probe} was fitted to the states of another model than {given}; give the model that it was made with,"
                " or probe this one."
            )
        return given
    named = [Path(word) for word in _words(info.command)]
    if number:
        named = [fold_path(path, int(number)) for path in named]
    places = [*shipped_models().values(), *named, *(probe.parent / each.name for each in named)]
    for place in dict.fromkeys(places):
        if place.is_file() and place.suffix == ".h5" and file_sha256(place) == wanted:
            return place
    of_fold = f"of fold {number} " if number else ""
    raise InputError(
        f"the model {of_fold}that {probe} was made with is not where it was; name it with --model (its SHA-256 begins"
        f" {wanted[:12] or 'with nothing: the file names none'})."
    )


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:  # a command that no shell wrote
        return command.split()

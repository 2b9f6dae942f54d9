"""The model whose states a probe reads: named, or found by its hash."""

import shlex
from pathlib import Path

from genolstm.errors import InputError
from genolstm.shipped import shipped_models
from genolstm.store.file_info import read_file_info
from genolstm.store.files import file_sha256


def model_of(probe: Path, given: Path | None) -> Path:
    """Model file that a probe was fitted with: the one given, else one that its file leads to and that has its hash.

    Looked for are the models that come with genolstm, and what the probe's command names, as it is named and beside the
    probe. Raises InputError for another model, or where none is found.
    """
    info = read_file_info(probe)
    wanted = info.inputs.get("model", "")
    if given is not None:
        if file_sha256(given) != wanted:
            raise InputError(
                f"{probe} was fitted to the states of another model than {given}; give the model that it was made with,"
                " or probe this one."
            )
        return given
    named = [Path(word) for word in _words(info.command)]
    places = [*shipped_models().values(), *named, *(probe.parent / each.name for each in named)]
    for place in dict.fromkeys(places):
        if place.is_file() and place.suffix == ".h5" and file_sha256(place) == wanted:
            return place
    raise InputError(
        f"the model that {probe} was made with is not where it was; name it with --model (its SHA-256 begins"
        f" {wanted[:12] or 'with nothing: the file names none'})."
    )


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:  # a command that no shell wrote
        return command.split()

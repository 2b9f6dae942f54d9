"""Names of the model files of folds: model.h5 of five folds is model.fold1.h5 to model.fold5.h5."""

import re
from pathlib import Path

from genolstm.errors import InputError

_FOLD = re.compile(r"(?P<stem>.+)\.fold(?P<fold>[1-9][0-9]*)")


def fold_path(path: Path, fold: int) -> Path:
    """File of one fold, from 1. path : as given to 'train --folds', or the file of any fold."""
    match = _FOLD.fullmatch(path.stem)
    return path.with_name(f"{match['stem'] if match else path.stem}.fold{fold}{path.suffix}")


def fold_files(path: Path) -> list[Path]:
    """Files of all folds that lie beside each other, in order. Raises InputError where there is none."""
    found: list[Path] = []
    while (each := fold_path(path, len(found) + 1)).exists():
        found.append(each)
    if not found:
        raise InputError(
            f"{fold_path(path, 1)} does not exist; give the name that 'genolstm train --folds' was given, or one of its"
            " models."
        )
    return found

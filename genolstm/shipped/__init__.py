"""Trained models that come with the package, found by name. `genolstm models` tells what each is."""

from pathlib import Path

from genolstm.errors import InputError

FOLDER = Path(__file__).parent


def shipped_models() -> dict[str, Path]:
    """Name -> model file, sorted by name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.h5"))}


def model_path(text: str) -> Path:
    """Model file that somebody means: a path, or the name of a model that comes with the package.

    A file of that name comes first. Raises InputError for a bare word that is neither.
    """
    path, known = Path(text), shipped_models()
    if path.exists() or path.name != text or path.suffix:
        return path
    if text in known:
        return known[text]
    raise InputError(
        f"'{text}' is no file, and no model that comes with genolstm: {', '.join(known) or 'there is none'}. Give a"
        " model file made by 'genolstm train', or a name that 'genolstm models' lists."
    )

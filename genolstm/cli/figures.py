"""``--figure``: the pictures of a result, drawn when its file is written; matplotlib is loaded only then."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from genolstm.errors import UsageError
from genolstm.figures.formats import check_ending

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genolstm.figures.style import Picture

log = logging.getLogger("genolstm")


def check_figure(figure: Path | None, *, force: bool, inputs: list[Path] | None = None) -> None:
    """Stop before any work when the pictures could not be written under these names. Raises UsageError."""
    from genolstm.outputs import completes, refuse_existing

    if figure is None:
        return
    check_ending(figure)
    refuse_existing(figure, force=force, inputs=inputs or ())
    if (
        not force
        and not completes(figure)
        and (beside := sorted(each for each in figure.parent.iterdir() if _is_beside(each, figure)))
    ):
        raise UsageError(
            f"{beside[0]} exists, where a further picture of --figure {figure} may go; add --force to replace it, or"
            " name another."
        )


def _is_beside(path: Path, figure: Path) -> bool:
    return path.name.startswith(f"{figure.stem}-") and path.suffix == figure.suffix


def draw(result: Path, figure: Path | None) -> None:
    """Draw the pictures of a result file, each with its title and caption; nothing where `figure` is None."""
    if figure is None:
        return
    from genolstm.figures.of_file import pictures_of

    write_pictures(pictures_of(result), figure, result)


def write_pictures(pictures: "Sequence[Picture]", figure: Path, result: Path) -> None:
    """Write pictures, the first to `figure` and the others beside it. result : that they are of."""
    from genolstm.figures.style import save, titled

    if not pictures:
        log.warning("%s holds nothing to draw: %s was not written", result, figure)
    for place, picture in enumerate(pictures):
        path = figure if place == 0 else beside(figure, picture.name)
        save(titled(picture), path)
        log.info("wrote %s: %s", path, picture.title)


def beside(figure: Path, name: str) -> Path:
    """Path of a further picture. name : of the picture; any text."""
    safe = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name)
    return figure.with_name(f"{figure.stem}-{safe}{figure.suffix}")

"""What every result has: it can be saved as the file that the command writes, and drawn."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from genolstm.devices import describe_device
from genolstm.settings.quantities import parse_names
from genolstm.store.file_info import read_file_info
from genolstm.store.files import Provenance, Records, file_sha256, refuse_existing

if TYPE_CHECKING:
    import torch

    from genolstm.figures.style import Figure

Column = list[Any] | NDArray[Any]
NO_DEVICE = "cpu"


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(ABC):
    """A record with its provenance. records : what became of the records that were read."""

    provenance: Provenance
    records: Records

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the file that the command of the same name writes.

        Parameters
        ----------
        path
            File to write; it appears only when complete.
        force
            Replace a file that exists.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        UsageError
            The file exists, or cannot be written.
        """
        target = Path(path)
        refuse_existing(target, force=force)
        self._write(target)
        return target

    @abstractmethod
    def _write(self, path: Path) -> None:
        """Write the file."""

    def figures(self) -> dict[str, "Figure"]:
        """Pictures of the result, as ``--figure`` draws them, with title and caption.

        Returns
        -------
        dict of str to matplotlib.figure.Figure
            By name, the most informative first; empty where there is nothing to draw. No window is opened.
        """
        # matplotlib takes half a second to load, and most calls draw nothing
        from genolstm.figures.of_file import pictures_of  # noqa: PLC0415
        from genolstm.figures.style import titled  # noqa: PLC0415

        with TemporaryDirectory() as folder:  # pictures are drawn from files, so that both ways show the same
            path = Path(folder) / "result.h5"
            self._write(path)
            return {picture.name: titled(picture) for picture in pictures_of(path)}

    def figure(self) -> "Figure | None":
        """The first of `figures`; None where there is nothing to draw.

        Returns
        -------
        matplotlib.figure.Figure or None
            Of its own: no window is opened, and nothing is written.
        """
        return next(iter(self.figures().values()), None)


def made_by(
    call: str,
    settings: Mapping[str, Any],
    inputs: Mapping[str, str],
    *,
    device: "torch.device | None" = None,
    seed: int = 0,
) -> Provenance:
    """Where a result of a call from Python comes from. call : name of the function."""
    return Provenance(
        command=f"genolstm.{call}() in Python",
        settings=settings,
        seed=seed,
        inputs={name: digest for name, digest in inputs.items() if digest},
        device=describe_device(device) if device else NO_DEVICE,
    )


def read_provenance(path: Path) -> tuple[Provenance, Records]:
    """Where a file comes from, and what became of the records read. Raises InputError as `store.files.open_any`."""
    info = read_file_info(path)
    came = Provenance(
        command=info.command, settings=info.settings, seed=info.seed, inputs=info.inputs, device=info.device
    )
    return came, replace(Records(), **info.records)


def listed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of which lists of contigs may be text, as 'chrA,chrB'."""
    return {
        name: parse_names(value) if name.endswith("_contigs") and isinstance(value, str) else value
        for name, value in settings.items()
    }


def digests_of(files: Mapping[str, Any]) -> dict[str, str]:
    """SHA-256 of each input that is a file, by its name. files : name -> path, or what is none."""
    return {
        name: file_sha256(Path(path))
        for name, path in files.items()
        if isinstance(path, str | Path) and Path(path).is_file()
    }

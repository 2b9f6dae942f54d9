"""``genolstm doctor``: check whether genolstm works on this machine."""

import platform
from importlib import metadata

import typer

from genolstm import __version__
from genolstm.cli.command import command
from genolstm.cli.options import ComputeOptions, Json
from genolstm.cli.terminal import Task
from genolstm.settings.model import ModelSettings, TrainableCell

PACKAGES = ("torch", "numpy", "h5py", "scipy", "pysam", "biopython", "typer", "rich")


@command()
def doctor(compute: ComputeOptions, as_json: Json = False) -> None:
    """Report the versions, device and threads a run would use, and test a small forward and backward pass of each cell.

    Example: genolstm doctor
    """
    from genolstm.training.self_check import trial_step

    task = Task("doctor", quiet=False)
    found = {"python": platform.python_version(), "genolstm": __version__} | {name: _version(name) for name in PACKAGES}
    if not as_json:
        for name, version in found.items():
            typer.echo(f"{name} {version}")
    on = task.use_device(compute.device, compute.threads)
    cells = {str(cell): trial_step(ModelSettings(cell=cell, hidden=16, layers=2), on) for cell in TrainableCell}
    if not as_json:
        for name, agreement in cells.items():
            typer.echo(f"{name}: forward and backward work; fused and reference cell agree to {agreement:.1e}")
    records = {"read": 0, "used": 0, "skipped": {}}
    task.done(None, records, {"versions": found, "agreement": cells}, as_json=as_json, message="everything works")


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return f"is not installed; pip install {package}"

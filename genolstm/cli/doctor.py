"""``genolstm doctor``: say whether it will work here."""

import platform
from importlib import metadata

import typer

from genolstm import __version__
from genolstm.cli.terminal import Device, Json, Task, Threads
from genolstm.settings.model import ModelSettings, TrainableCell
from genolstm.settings.train import DeviceName

PACKAGES = ("torch", "numpy", "h5py", "scipy", "pysam", "biopython", "typer", "rich")


def doctor(device: Device = DeviceName.AUTO, threads: Threads = 0, as_json: Json = False) -> None:
    """Say which versions, device and threads a run would use, and try a tiny forward and backward pass of every cell.

    Example: genolstm doctor
    """
    from genolstm.training.self_check import trial_step

    task = Task("doctor", quiet=False)
    found = {"python": platform.python_version(), "genolstm": __version__} | {name: _version(name) for name in PACKAGES}
    if not as_json:
        for name, version in found.items():
            typer.echo(f"{name} {version}")
    on = task.use_device(device, threads)
    cells = {str(cell): trial_step(ModelSettings(cell=cell, hidden=16, layers=2), on) for cell in TrainableCell}
    if not as_json:
        for name, agreement in cells.items():
            typer.echo(f"{name}: forward and backward work; fast and readable path agree to {agreement:.1e}")
    records = {"read": 0, "used": 0, "skipped": {}}
    task.done(None, records, {"versions": found, "agreement": cells}, as_json=as_json, word="everything works")


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return f"is not installed; pip install {package}"

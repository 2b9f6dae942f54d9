"""A disk that is soon full, and files that somebody changed with care."""

import os
import subprocess
from contextlib import contextmanager

import h5py
import pytest

from genolstm.store.checksums import append_checksums


@pytest.fixture(scope="session")
def edited():
    """Function: path -> the open file to be changed; its checksums are made again, as only a crafted file's are."""

    @contextmanager
    def opened(path):
        with h5py.File(path, "r+") as file:
            yield file
        descriptor = os.open(path, os.O_RDWR)
        append_checksums(descriptor)
        os.close(descriptor)

    return opened


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 300 kB; skips where none may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system may be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)

"""What is committed: sources, texts and small inputs; nothing that a run left behind."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LEFT_BEHIND = re.compile(
    r"(^|/)(\.snakemake|__pycache__|\.pytest_cache|\.mypy_cache|\.ruff_cache|\.hypothesis|\.cache)/"
    r"|\.(pkl|pickle|pyc|log|tmp|partial|resume|npy|npz|bak|orig|rej)$|(^|/)(\.coverage|\.DS_Store)$"
)
OWN_FILES = re.compile(r"\.(h5|hdf5|h5ad)$")
OWN_FILES_KEPT = ("genolstm/shipped/", "tests/data/")


def refused(paths):
    """Those of the paths that no commit should hold."""
    return [
        path
        for path in paths
        if LEFT_BEHIND.search(path) or (OWN_FILES.search(path) and not path.startswith(OWN_FILES_KEPT))
    ]


def test_nothing_that_a_run_left_behind_is_tracked():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    paths = [path for path in listed.stdout.split("\0") if path]
    assert "pyproject.toml" in paths
    assert refused(paths) == []


@pytest.mark.parametrize(
    "path",
    [
        "workflows/.snakemake/log/2026-11-22T200104.934565.snakemake.log", "workflows/.snakemake/iocache/latest.pkl",
        "genolstm/__pycache__/model.cpython-311.pyc", "train.log", "model.h5", "tests/cli/genome.h5",
        "model.h5.resume", "tests/.hypothesis/unicode_data/x", ".coverage",
    ],
)  # fmt: skip
def test_such_files_are_refused(path):
    assert refused([path]) == [path]


def test_shipped_models_and_test_data_are_not_refused():
    kept = ["genolstm/shipped/pombe-256.h5", "tests/data/genome_0_1_0.h5", "tests/test_log.py", "example_data/atac.bam"]
    assert refused(kept) == []

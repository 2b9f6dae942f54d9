"""The comparison of result files: quiet about what two runs must differ in, and about nothing else."""

import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from compare_files import differences

SCRIPT = Path(__file__).with_name("compare_files.py")


@pytest.fixture
def pair(tmp_path):
    """Two folders with one equal file each."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    with h5py.File(tmp_path / "a" / "r.h5", "w") as file:
        file.attrs["command"], file.attrs["settings"] = "genolstm probe x", '{"twins": 1, "seed": 2}'
        group = file.create_group("donor")
        group.attrs["standing"] = np.array([0.1, np.nan, 0.3])
        group["values"] = np.array([1.0, np.nan, 0.0], dtype=np.float32)
        group["none"] = np.zeros((0, 3))
        group["names"] = ["I", "untrained twins"]
        group["one"] = np.int64(3)
    shutil.copy(tmp_path / "a" / "r.h5", tmp_path / "b" / "r.h5")
    return tmp_path / "a", tmp_path / "b"


@pytest.fixture
def changed(pair):
    """Function: what is done to the second file -> the differences."""

    def found(change):
        with h5py.File(pair[1] / "r.h5", "r+") as file:
            change(file)
        return list(differences(*pair))

    return found


def put(name, values):
    def change(file):
        del file[name]
        file[name] = values

    return change


def test_equal_files_are_equal(pair):
    assert list(differences(*pair)) == []
    assert list(differences(pair[0] / "r.h5", pair[1] / "r.h5")) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.attrs.__setitem__("command", "another"),
        lambda file: file.attrs.__setitem__("schema_version", 9),
        lambda file: file.attrs.__setitem__("settings", '{"seed": 2, "twins": 1}'),  # another order of keys
        lambda file: file["donor"].attrs.__setitem__("pooling", "[]"),  # a gain
        lambda file: file["donor"].attrs.__setitem__("fraction_of_ceiling", file["donor"].attrs.pop("standing")),
        put("donor/names", ["I", "random-init models"]),
    ],
    ids=["command", "version", "order", "gain", "renamed attribute", "renamed word"],
)
def test_what_may_differ_is_no_difference(changed, change):
    assert changed(change) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (put("donor/values", np.array([1.0, np.nan, -0.0], dtype=np.float32)), "donor/values: 1 of 3 values differ"),
        (put("donor/values", np.array([1.0, np.nan, 0.0])), "donor/values: (3,) float32, (3,) float64"),
        (put("donor/names", ["I", "other"]), "donor/names: 1 of 2 values differ"),
        (put("donor/one", np.int64(4)), "donor/one: 1 of 1 values differ"),
        (lambda file: file.__delitem__("donor/none"), "donor/none is only in"),
        (lambda file: file.create_dataset("more", data=1), "more is only in"),
        (lambda file: file["donor"].attrs.__delitem__("standing"), "donor: attribute standing is gone"),
        (
            lambda file: file["donor"].attrs.__setitem__("standing", np.array([0.1, np.nan, 0.4])),
            "donor: attribute standing is [0.1, nan, 0.3], then [0.1, nan, 0.4]",
        ),
        (
            lambda file: file.attrs.__setitem__("settings", '{"twins": 1.0, "seed": 2}'),
            "/: attribute settings is {'twins': 1, 'seed': 2}, then {'twins': 1.0, 'seed': 2}",
        ),
    ],
)
def test_every_other_change_is_told(changed, change, sentence):
    (found,) = changed(change)
    assert sentence in found


def test_file_of_one_folder_alone_is_told(pair):
    shutil.copy(pair[0] / "r.h5", pair[0] / "more.h5")
    assert list(differences(*pair)) == [f"more.h5: not in {pair[1]}"]


def test_script_exits_with_1_where_files_differ(pair):
    def code(*paths):
        return subprocess.run([sys.executable, SCRIPT, *paths], capture_output=True, check=False).returncode

    assert code(*pair) == 0
    with h5py.File(pair[1] / "r.h5", "r+") as file:
        put("donor/one", np.int64(4))(file)
    assert code(*pair) == 1
    assert code(pair[0]) == 2
    assert code(pair[0], pair[1] / "missing.h5") == 2

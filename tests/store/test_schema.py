"""The tables of file layouts, and the check of files against them."""

import h5py
import numpy as np
import pytest

from genolstm.store.schema import SCHEMA, SCHEMA_VERSION, Dataset, Kind, problems, row_for, type_name

TYPES = {"string", "uint8", "uint64", "uint16", "int8", "int32", "int64", "float16", "float32", "float64"}
ROWS = [pytest.param(kind, row, id=f"{kind} {row.path}") for kind in Kind for row in SCHEMA[kind]]


def example_path(row):
    return row.path.replace("*", "any")


@pytest.fixture
def example(tmp_path):
    """Function: kind -> an open file that follows its table, every axis of another length."""
    opened = []

    def made(kind):
        file = h5py.File(tmp_path / f"{kind}.h5", "w")
        opened.append(file)
        lengths = {}
        for row in SCHEMA[kind]:
            shape = [
                int(name)
                if name.isdigit()
                else 2
                if name.startswith("*") or name == "..."
                else lengths.setdefault(name, 3 + len(lengths))
                for name in row.dims
            ]
            first = row.dtype.split("|")[0]
            dtype = h5py.string_dtype() if first == "string" else first
            file.create_dataset(example_path(row), shape=shape, dtype=dtype)
        return file

    yield made
    for file in opened:
        file.close()


@pytest.mark.parametrize(("kind", "row"), ROWS)
def test_every_row_is_well_formed(kind, row):
    assert set(row.dtype.split("|")) <= TYPES
    assert row.meaning
    assert not row.meaning.endswith(".")
    assert "\t" not in row.meaning
    assert row.path == row.path.strip("/")
    assert row.dims
    assert all(name in {"...", "*"} or name.isdigit() or name.lstrip("*").isidentifier() for name in row.dims)
    assert row_for(kind, example_path(row)) is row, "an earlier row hides this one"


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_a_version_and_no_path_twice(kind):
    paths = [row.path for row in SCHEMA[kind]]
    assert len(set(paths)) == len(paths)
    assert SCHEMA_VERSION[kind] >= 1


@pytest.mark.parametrize("kind", Kind)
def test_file_that_follows_its_table_has_no_problems(example, kind):
    assert problems(example(kind), kind) == []


@pytest.mark.parametrize(("kind", "row"), ROWS)
def test_missing_dataset_is_found_where_it_is_required(example, kind, row):
    file = example(kind)
    del file[example_path(row)]
    assert problems(file, kind) == ([f"{row.path} is missing"] if row.required else [])


@pytest.mark.parametrize(("kind", "row"), ROWS)
def test_wrong_type_is_found(example, kind, row):
    file, path = example(kind), example_path(row)
    shape = file[path].shape
    del file[path]
    file.create_dataset(path, shape=shape, dtype=np.uint32)
    assert problems(file, kind) == [f"{path} holds uint32, not {row.dtype}"]


@pytest.mark.parametrize(("kind", "row"), ROWS)
def test_wrong_number_of_axes_is_found(example, kind, row):
    file, path = example(kind), example_path(row)
    dtype = file[path].dtype
    del file[path]
    file.create_dataset(path, shape=(2,) * (len(row.dims) + 1), dtype=dtype)
    free = row.dims[-1] == "..."
    assert problems(file, kind) == ([] if free else [f"{path} has {len(row.dims) + 1} axes, not {len(row.dims)}"])


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("path", ["extra", "deep/down/extra", "contigs/extra"])
def test_extra_dataset_is_found(example, kind, path):
    file = example(kind)
    file[path] = 1
    assert problems(file, kind) == [f"{path} is not in the layout"]


def test_axes_of_one_name_have_one_length(example):
    file = example(Kind.GENOME)
    del file["contigs/start"]
    file["contigs/start"] = np.zeros(9, np.int64)
    assert problems(file, Kind.GENOME) == ["contigs/start has 9 contigs, not 4"]


def test_axis_of_exact_length_has_it(example):
    file = example(Kind.PROBE)
    del file["any/features/any/intercept"]
    file["any/features/any/intercept"] = np.zeros(2)
    assert problems(file, Kind.PROBE) == ["any/features/any/intercept has 2 entries, not 1"]


def test_axes_of_each_target_are_counted_apart(example):
    file = example(Kind.PROBE)
    for name in ("contig", "position", "strand", "label", "part", "block"):
        dtype = file[f"any/sites/{name}"].dtype
        file.create_dataset(f"other/sites/{name}", shape=(99,), dtype=dtype)
    assert problems(file, Kind.PROBE) == []
    del file["other/sites/part"]
    file.create_dataset("other/sites/part", shape=(98,), dtype=np.int8)
    assert problems(file, Kind.PROBE) == ["other/sites/part has 98 sites, not 99"]


def test_star_stands_for_one_level_of_names():
    assert row_for(Kind.CHECKPOINT, "weights/cells.0.kernel.weight_ih_l0").path == "weights/*"
    assert row_for(Kind.CHECKPOINT, "weights/a/b") is None
    assert row_for(Kind.CHECKPOINT, "Weights/a") is None


def test_type_names_do_not_depend_on_byte_order(tmp_path):
    with h5py.File(tmp_path / "types.h5", "w") as file:
        file["big"] = np.zeros(1, ">f4")
        file["text"] = "a"
        assert (type_name(file["big"]), type_name(file["text"])) == ("float32", "string")


def test_rows_cannot_be_changed():
    row = Dataset("a", ("*",), "uint8", "", "a")
    with pytest.raises(AttributeError):
        row.path = "b"

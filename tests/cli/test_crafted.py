"""Files that somebody made up, with checksums that agree: every command that reads them says so in one sentence."""

import json

import h5py
import numpy as np
import pytest

READ = ("-t", "1", "--device", "cpu", "-q")


def attribute(name, value):
    """A change of one root attribute."""
    return lambda file: file.attrs.__setitem__(name, value)


def weight(change):
    """A change of the first weight by name: new values, or None for none."""

    def changed(file):
        name = min(file["weights"])
        values = file["weights"][name][()]
        del file["weights"][name]
        if (new := change(values)) is not None:
            file["weights"][name] = new

    return changed


def filled(number):
    """A change of values: the first is this number."""

    def change(values):
        values.flat[0] = number
        return values

    return change


def settings(**values):
    """A change of the settings of a model."""
    return lambda file: file.attrs.__setitem__("model", json.dumps(json.loads(file.attrs["model"]) | values))


def emptied(file):
    """10^15 codes that take no room."""
    del file["codes"]
    file.create_dataset("codes", shape=(10**15,), dtype=np.uint8)


def beyond(file):
    """A code that stands for no letter."""
    file["codes"][100] = 77


KINDS = ("genome", "model", "score", "gates", "hidden", "track", "counts", "fit", "probe", "study", "comparison",
         "snvs", "prediction", "dependencies")  # fmt: skip
DEEP = "[" * 50_000  # an attribute holds no more than 64 kB
MODEL = {
    "a weight is missing": weight(lambda _: None),
    "a weight has another shape": weight(lambda values: values[:-1]),
    "a weight has an axis more": weight(lambda values: values[None]),
    "a weight is NaN": weight(filled(np.nan)),
    "a weight is infinite": weight(filled(np.inf)),
    "a weight is beyond any use": weight(filled(1e30)),
    "more units than weights": settings(hidden=10**9),
    "another number of units": settings(hidden=7),
    "more layers than weights": settings(layers=10**6),
    "another number of layers": settings(layers=2),
    "no such cell": settings(cell="dream"),
    "no such alphabet": settings(alphabet="rna"),
    "no units": settings(hidden=0),
    "a version that is no number": attribute("schema_version", "four"),
    "a version that is an array": attribute("schema_version", [1, 2]),
    "no settings but deep JSON": attribute("model", DEEP),
    "no training settings but deep JSON": attribute("train", DEEP),
    "settings that are a list": attribute("model", "[1]"),
}
GENOME = {
    "empty codes without end": emptied,
    "a code above the alphabet": beyond,
    "a version that is no number": attribute("schema_version", "two"),
}


def refused(told):
    """Whether a command ended with one sentence about its input."""
    lines = [line for line in told.err.splitlines() if line.startswith("genolstm: ")]
    assert told.code in {2, 3}, told
    assert len(lines) == 1, told
    assert "Traceback" not in told.err


@pytest.mark.parametrize("change", MODEL.values(), ids=MODEL)
def test_model_that_cannot_be_is_refused(run, edited, results, tmp_path, change):
    path = tmp_path / "m.h5"
    path.write_bytes(results["model"].read_bytes())
    with edited(path) as file:
        change(file)
    for line in (
        ("score", path, results["genome"], "-o", tmp_path / "s.h5", *READ),
        ("gates", path, results["genome"], "-o", tmp_path / "g.h5", *READ),
        ("embed", path, results["genome"], "--sites", results["genome"].parent / "sites.bed", "-o", tmp_path / "e.h5",
         *READ),
    ):  # fmt: skip
        refused(run(*line))
    assert [each.name for each in tmp_path.iterdir()] == ["m.h5"]


@pytest.mark.parametrize("change", GENOME.values(), ids=GENOME)
def test_genome_that_cannot_be_is_refused(run, edited, results, tmp_path, change):
    path = tmp_path / "g.h5"
    path.write_bytes(results["genome"].read_bytes())
    with edited(path) as file:
        change(file)
    refused(run("score", results["model"], path, "-o", tmp_path / "s.h5", *READ))
    train = ("train", path, "-o", tmp_path / "m.h5", "--hidden", "4", "--lanes", "2", "--bases", "300")
    refused(run(*train, "--test-contigs", "III", *READ))
    assert [each.name for each in tmp_path.iterdir()] == ["g.h5"]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("key", ["settings", "inputs", "records", "schema_version"])
def test_attributes_that_are_nothing_are_told(run, edited, results, tmp_path, name, key):
    path = tmp_path / "f.h5"
    path.write_bytes(results[name].read_bytes())
    with h5py.File(path) as file:
        if key not in file.attrs:
            pytest.skip("this kind has none")
    with edited(path) as file:
        del file.attrs[key]
        file.attrs[key] = "{" + DEEP
    lines = (("show", path), ("report", path, "-o", tmp_path / "r.html", "-q"))
    for line in lines:
        told = run(*line)
        assert "Traceback" not in told.err
        if told.code:
            refused(told)

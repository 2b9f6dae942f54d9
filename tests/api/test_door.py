"""What a notebook can do, and that it is what the commands do."""

import ast
import doctest
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

import genolstm as gl
from genolstm.cli.app import app
from genolstm.store.checkpoint import read_checkpoint

pytestmark = pytest.mark.usefixtures("notebook")
SESSION = """\
import genolstm as gl
model = gl.load("pombe-256")
genome = gl.Genome.from_fasta("genome.fa.gz")
sites = gl.Sites.from_bed("sites.bed", genome)
states = gl.embed(model, genome, sites).to_anndata()
small = gl.load("model.h5")
contigs = {"train_contigs": "chrA,chrB", "test_contigs": "chrC"}
splice = gl.probe_splice(small, genome, "genes.gff3", offsets="2", twins=1, max_sites=200, resamples=50, **contigs)
scores = splice.table()
figure = splice.figure()
splice.save("splice.h5")
again = gl.open_result("splice.h5")
bits = gl.score(model, genome, "chrC:1-2,000")
"""
TOP = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "h5py", "numpy", "scipy", "matplotlib", "typer")
DOCUMENTED = [name for name in gl.__all__ if not name.startswith("_") and not name.endswith("Error")]


def methods_of(thing):
    """Public functions of a thing: itself, or the methods of a class that are ours."""
    if not inspect.isclass(thing):
        return {thing.__name__: thing}
    ours = [each for each in thing.__mro__ if each.__module__.startswith("genolstm.api")]
    found = {name: getattr(thing, name) for each in ours for name in vars(each) if not name.startswith("_")}
    return {f"{thing.__name__}.{name}": function for name, function in found.items() if inspect.isroutine(function)}


def datasets(path):
    """Name -> bytes of every dataset of a file."""
    found = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: (
                found.__setitem__(name, repr(item[()].tolist())) if isinstance(item, h5py.Dataset) else None
            )
        )
    return found


@pytest.mark.slow
def test_a_session_fits_a_notebook_cell():
    lines = SESSION.splitlines()
    assert len(lines) <= 15
    found = {}
    exec(SESSION, found)
    assert found["states"].shape == (4, 1024)
    assert found["states"].obs_names.tolist()[:2] == ["chrA:1001-1010", "chrA:2001-2010"]
    assert {"trained", "untrained_1", "onehot", "kmer", "composition", "shuffled"} <= set(found["scores"]["features"])
    assert found["splice"].verdict in {"gain", "no gain", "mixed"}
    assert found["again"].table() == found["scores"]
    assert found["again"].verdicts == found["splice"].verdicts
    assert found["bits"].shape == (2, 2000)
    assert found["figure"].axes, "the figure is empty"


def test_importing_loads_nothing_heavy():
    code = f"import sys, genolstm\nprint([name for name in {HEAVY!r} if name in sys.modules], dir(genolstm)[:2])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.startswith("[] "), told


def test_every_name_of_the_door_is_there_and_no_other():
    assert all(getattr(gl, name) is not None for name in gl.__all__)
    assert set(gl.__all__) <= set(dir(gl))
    with pytest.raises(AttributeError, match="no attribute 'scroe'"):
        _ = gl.scroe


@pytest.mark.parametrize("page", ["README.md", "docs/pages/python.md"])
def test_the_manual_calls_what_is_there(page):
    (block,) = re.findall(r"```python\nimport genolstm as gl\n(.*?)```", (TOP / page).read_text(), flags=re.DOTALL)
    called = set(re.findall(r"gl\.(\w+)", block))
    assert len(called) > 7
    assert called <= set(gl.__all__)
    ast.parse(block)


def test_the_door_names_for_type_checkers_what_it_gives():
    """The lines below TYPE_CHECKING and the table of homes are one list."""
    source = Path(gl.__file__).read_text()
    for name in DOCUMENTED:
        home = getattr(gl, name).__module__
        line = next(row for row in source.splitlines() if row.strip().startswith(f"from {home} import"))
        assert name in line.replace(",", " ").split(), f"{name} is not imported from {home} for type checkers"


@pytest.mark.parametrize("name", DOCUMENTED)
def test_public_functions_say_what_they_take_give_and_raise(name):
    thing = getattr(gl, name)
    for title, function in methods_of(thing).items():
        text = inspect.getdoc(function) or ""
        parameters = [each for each in inspect.signature(function).parameters if each not in {"self", "cls"}]
        if parameters:
            assert "Parameters\n----------" in text, f"{title} does not say what it takes"
        for parameter in parameters:
            assert parameter in text.partition("Parameters\n----------")[2], f"{title} does not explain {parameter}"
        if inspect.signature(function).return_annotation is not None:
            assert "Returns\n-------" in text, f"{title} does not say what it gives"
    if not inspect.isclass(thing):
        text = inspect.getdoc(thing) or ""
        assert "Raises\n------" in text, name
        assert "Examples\n--------" in text, name


@pytest.mark.slow
@pytest.mark.parametrize(
    "module",
    [
        "comparing",
        "control",
        "explaining",
        "fitting",
        "genomes",
        "models",
        "opening",
        "predicting",
        "probing",
        "reading",
        "variants",
    ],
)
def test_examples_are_true(module):
    home = importlib.import_module(f"genolstm.api.{module}")
    tests = [test for test in doctest.DocTestFinder().find(home, extraglobs={"gl": gl}) if test.examples]
    assert tests, f"{module} shows no example"
    runner, told = doctest.DocTestRunner(verbose=False), []
    for test in tests:
        runner.run(test, out=told.append)
    assert not runner.failures, "".join(told)


def test_training_gives_the_weights_of_the_command():
    settings = ("--hidden", "8", "--bases", "20k", "--test-contigs", "chrC", "--device", "cpu", "-t", "1", "-q")
    app(["train", "small.h5", "-o", "command.h5", *settings], standalone_mode=False)
    by_command = read_checkpoint(Path("command.h5"))
    by_call = gl.load("model.h5", device="cpu").checkpoint
    assert by_command.weights.keys() == by_call.weights.keys()
    for name, weight in by_command.weights.items():
        np.testing.assert_array_equal(weight, by_call.weights[name], err_msg=name)
    assert by_command.bits == by_call.bits
    assert by_command.looks == by_call.looks


def test_saved_states_are_those_of_the_command():
    command = ["embed", "model.h5", "small.h5", "--sites", "sites.bed", "-o", "command.h5", "--h5ad", "command.h5ad"]
    app([*command, "--device", "cpu", "-t", "1", "-q"], standalone_mode=False)
    model, genome = gl.load("model.h5", device="cpu"), gl.Genome.from_fasta("small.fa")
    states = gl.embed(model, genome, "sites.bed")
    states.save("call.h5")
    assert datasets("call.h5") == datasets("command.h5")
    anndata = pytest.importorskip("anndata")
    read, made = anndata.read_h5ad("command.h5ad"), states.to_anndata()
    np.testing.assert_array_equal(read.X, made.X)
    assert read.obs_names.tolist() == made.obs_names.tolist()
    assert read.var_names.tolist() == made.var_names.tolist()
    for frame, other in ((read.obs, made.obs), (read.var, made.var)):
        assert frame.columns.tolist() == other.columns.tolist()
        assert all(frame[name].tolist() == other[name].tolist() for name in frame)


def test_saved_pools_and_layers_are_those_of_the_command():
    command = ["embed", "model.h5", "small.h5", "--sites", "sites.bed", "-o", "command.h5", "--pool", "mean,max"]
    app([*command, "--layers", "0", "--device", "cpu", "-t", "1", "-q", "-f"], standalone_mode=False)
    model, genome = gl.load("model.h5", device="cpu"), gl.Genome.from_fasta("small.fa")
    states = gl.embed(model, genome, "sites.bed", pool=("mean", "max"), layers=[0])
    states.save("call.h5", force=True)
    assert datasets("call.h5") == datasets("command.h5")
    np.testing.assert_array_equal(gl.open_result("call.h5").values, states.values)
    with pytest.raises(gl.UsageError, match="'sum' is no pool"):
        gl.embed(model, genome, "sites.bed", pool="sum")


def test_scores_compared_by_class_are_those_of_the_command():
    model, genome = gl.load("model.h5", device="cpu"), gl.Genome.from_fasta("small.fa")
    gl.score(model, genome).save("one.h5")
    other = gl.train(genome, hidden=8, bases="5k", test_contigs="chrC", device="cpu")
    gl.score(other, genome).save("two.h5")
    app(
        ["compare", "one.h5", "two.h5", "-o", "command.h5", "--annotation", "genes.gff3", "--resamples", "500", "-q"],
        standalone_mode=False,
    )
    found = gl.compare(["one.h5", "two.h5"], annotation="genes.gff3", resamples=500)
    found.save("call.h5")
    assert datasets("call.h5") == datasets("command.h5")
    assert {"CDS", "intergenic"} <= set(found.table()["target"])
    assert found.records.skipped == gl.open_result("command.h5").records.skipped
    assert found.provenance.inputs == gl.open_result("command.h5").provenance.inputs
    with pytest.raises(gl.UsageError, match="--annotation is for the bits of score files"):
        gl.compare(["model.h5", "model.h5"], annotation="genes.gff3")


def test_saved_scores_are_those_of_the_command_and_a_region_is_part_of_them():
    app(
        ["score", "model.h5", "small.h5", "-o", "command.h5", "--device", "cpu", "-t", "1", "-q"], standalone_mode=False
    )
    model, genome = gl.load("model.h5", device="cpu"), gl.Genome.from_fasta("small.fa")
    scores = gl.score(model, genome)
    scores.save("call.h5")
    assert datasets("call.h5") == datasets("command.h5")
    region = gl.score(model, genome, "chrB:101-700")
    np.testing.assert_allclose(region, scores.values["chrB"][:, 100:700], atol=1e-4)
    again = gl.open_result("call.h5")
    assert again.table() == scores.table()
    np.testing.assert_array_equal(again.values["chrC"], scores.values["chrC"])


def test_saved_fit_is_that_of_the_command():
    command = ["methylation", "fit", "counts.h5", "--times", "0,1,4,16", "--time-offset", "0.5", "-o", "command.h5"]
    app([*command, "-t", "1", "-q"], standalone_mode=False)
    found = gl.fit_methylation("counts.h5", [0, 1, 4, 16], time_offset=0.5)
    found.save("call.h5")
    assert datasets("call.h5") == datasets("command.h5")
    again = gl.open_result("call.h5")
    assert again.table().keys() == found.table().keys()
    by_record = gl.fit_methylation(gl.open_result("counts.h5"), (0, 1, 4, 16), time_offset=0.5)
    np.testing.assert_array_equal(by_record.fit.rate, found.fit.rate)


def test_a_genome_without_a_file_leaves_none_and_reads_like_one_with():
    before = sorted(Path().iterdir())
    held, kept = gl.Genome.from_fasta("small.fa"), gl.open_genome("small.h5")
    assert sorted(Path().iterdir()) == before
    assert (held.names, held.sha256, held.length_of) == (kept.names, kept.sha256, kept.length_of)
    held.release()
    np.testing.assert_array_equal(held.all_codes, kept.all_codes)
    assert held.path == Path("small.fa")


def test_a_training_can_be_stopped_measured_and_gone_on_with():
    genome = gl.open_genome("small.h5")
    training = gl.Training(genome, hidden=8, bases="20k", test_contigs="chrC", device="cpu")
    for step in training:
        if step.step == 5:
            break
    half = training.model()
    for _ in training:
        pass
    whole, at_once = training.model(), gl.load("model.h5", device="cpu")
    assert half.bits["test"].model > whole.bits["test"].model
    for name, weight in at_once.checkpoint.weights.items():
        np.testing.assert_array_equal(weight, whole.checkpoint.weights[name], err_msg=name)


def test_changed_weights_are_what_is_read_and_carry_no_figures_of_the_old():
    model = gl.load("model.h5", device="cpu")
    assert model.checkpoint is model.trained
    model.network.head.bias.data += 1
    model.save("changed.h5")
    changed = gl.load("changed.h5", device="cpu")
    assert changed.bits == {}
    np.testing.assert_array_equal(changed.checkpoint.weights["head.bias"], model.checkpoint.weights["head.bias"])
    first, second = (each.random_init(index).checkpoint.weights for each, index in ((model, 1), (changed, 1)))
    assert all(np.array_equal(first[name], second[name]) for name in first), "one seed and index, one network"

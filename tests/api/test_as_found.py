"""Calls from Python leave the process as they found it, and make of a mistake what the commands make of it."""

import logging
import os
import random
from pathlib import Path

import numpy as np
import pytest
import sklearn.ensemble  # noqa: F401  (its first import sets variables of the environment and draws numbers)
import torch
import torch._dynamo  # (the same; torch's optimisers load it)

import genolstm as gl
from genolstm.cli.app import app

pytestmark = pytest.mark.usefixtures("notebook")
CONTIGS = {"train_contigs": "chrA,chrB", "test_contigs": "chrC"}
FEW = {"twins": 1, "resamples": 20, **CONTIGS}


def of_process():
    """Everything of the process that a call might change."""
    loggers = [logging.getLogger(name) for name in (None, "genolstm")]
    return {
        "torch draws": torch.get_rng_state().tolist(),
        "numpy draws": repr(np.random.get_state()),  # noqa: NPY002  (the very thing that must stay),
        "random draws": random.getstate(),
        "threads": torch.get_num_threads(),
        "gradients": torch.is_grad_enabled(),
        "number type": torch.get_default_dtype(),
        "folder": Path.cwd(),
        "environment": dict(os.environ),
        "loggers": [(each.level, list(each.handlers), each.disabled) for each in loggers],
        "files": sorted(path.name for path in Path().iterdir()),
    }


CALLS = {
    "load": 'gl.load("pombe-256", device="cpu")',
    "random_init": "model.random_init()",
    "genome": 'gl.Genome.from_fasta("small.fa")',
    "train": 'gl.train(genome, hidden=4, bases=2000, test_contigs="chrC", device="cpu")',
    "score": "gl.score(model, genome)",
    "score a region": 'gl.score(model, genome, "chrB")',
    "embed": 'gl.embed(model, genome, "sites.bed")',
    "fit": 'gl.fit_methylation("counts.h5", [0, 1, 4, 16], time_offset=0.5)',
    "fit pooled": 'gl.fit_methylation("counts.h5", [0, 1, 4, 16], time_offset=0.5, model="pooled", epochs=1, width=4)',
    "figure": "model.figure()",
    "open": 'gl.open_result("counts.h5")',
}
PROBES = {
    "splice": 'gl.probe_splice(model, genome, "genes.gff3", offsets="2", max_sites=60, **few)',
    "accessibility": 'gl.probe_accessibility(model, genome, "atac.h5", peaks="peaks.narrowPeak", max_windows=400,'
    " permutations=20, **few)",
    "sites": 'gl.probe_sites(model, genome, "peaks.narrowPeak", negatives="matched", window=200, ratio=2, max_sites=60,'
    " **few)",
    "protein": 'gl.probe_protein(model, genome, "genes.gff3", positions=2, max_proteins=60, **few)',
}


def leaves_as_found(call, genome, capfd):
    model = gl.load("model.h5", device="cpu")
    model.network.train()
    weights = model.network.weight_arrays()
    capfd.readouterr()
    before = of_process()
    eval(call, {"gl": gl, "model": model, "genome": genome, "few": FEW})
    after, told = of_process(), capfd.readouterr()
    assert {name for name in before if before[name] != after[name]} == set()
    assert (told.out, told.err) == ("", "")
    assert model.network.training
    assert model.device == torch.device("cpu")
    assert all(np.array_equal(weights[name], each) for name, each in model.network.weight_arrays().items())
    assert all(weight.grad is None for weight in model.network.parameters())


@pytest.mark.parametrize("name", CALLS)
def test_a_call_leaves_process_and_model_as_found(name, capfd):
    torch.set_num_threads(1)
    leaves_as_found(CALLS[name], gl.open_genome("small.h5"), capfd)


@pytest.mark.slow
@pytest.mark.parametrize("name", PROBES)
def test_a_probe_leaves_process_and_model_as_found(name, capfd):
    leaves_as_found(PROBES[name], gl.open_genome("genome.h5"), capfd)


def test_a_training_that_is_stepped_through_leaves_the_draws_as_found(capfd):
    before = of_process()
    for step in gl.Training(gl.open_genome("small.h5"), hidden=4, bases=2000, test_contigs="chrC", device="cpu"):
        assert of_process() == before, step
    assert capfd.readouterr() == ("", "")


def test_messages_go_to_a_logger_that_a_notebook_may_listen_to(caplog):
    Path("strange.bed").write_text("chrZ\t1\t2\nchrA\t10\t20\n")
    with caplog.at_level(logging.WARNING, logger="genolstm"):
        sites = gl.Sites.from_bed("strange.bed", gl.open_genome("small.h5"))
    assert (len(sites), sites.skipped) == (1, {"contig not in genome": 1})
    assert "chrZ" in caplog.text


MISTAKES = {
    "no such file": (["score", "missing.h5", "small.h5", "-o", "x.h5"], lambda: gl.load("missing.h5")),
    "no such model": (["score", "pombe-999", "small.h5", "-o", "x.h5"], lambda: gl.load("pombe-999")),
    "another kind of file": (["score", "small.h5", "small.h5", "-o", "x.h5"], lambda: gl.load("small.h5")),
    "not FASTA": (["ingest", "sites.bed", "-o", "x.h5"], lambda: gl.Genome.from_fasta("sites.bed")),
    "not BED": (
        ["embed", "model.h5", "small.h5", "--sites", "genes.gff3", "-o", "x.h5"],
        lambda: gl.Sites.from_bed("genes.gff3", gl.open_genome("small.h5")),
    ),
    "no such contig": (
        ["score", "model.h5", "small.h5", "--region", "chrX", "-o", "x.h5"],
        lambda: gl.score(gl.load("model.h5"), gl.open_genome("small.h5"), "chrX"),
    ),
    "past the end": (
        ["score", "model.h5", "small.h5", "--region", "chrA:1-1G", "-o", "x.h5"],
        lambda: gl.score(gl.load("model.h5"), gl.open_genome("small.h5"), "chrA:1-1G"),
    ),
    "another alphabet": (
        ["score", "model.h5", "proteins.h5", "-o", "x.h5"],
        lambda: gl.score(gl.load("model.h5"), gl.open_genome("proteins.h5")),
    ),
    "unknown test contig": (
        ["train", "small.h5", "-o", "x.h5", "--test-contigs", "chrX"],
        lambda: gl.train(gl.open_genome("small.h5"), test_contigs="chrX"),
    ),
    "a forget bias that is none": (
        ["train", "small.h5", "-o", "x.h5", "--forget-bias", "much"],
        lambda: gl.train(gl.open_genome("small.h5"), forget_bias="much"),
    ),
    "a seen test contig": (
        ["probe", "splice", "model.h5", "--genome", "small.h5", "--annotation", "genes.gff3", "-o", "x.h5",
         "--train-contigs", "chrC", "--test-contigs", "chrA"],
        lambda: gl.probe_splice(
            gl.load("model.h5"), gl.open_genome("small.h5"), "genes.gff3", train_contigs="chrC", test_contigs="chrA"
        ),
    ),
    "neither proteins nor genes": (
        ["probe", "protein", "model.h5", "--genome", "genome.h5", "-o", "x.h5"],
        lambda: gl.probe_protein(gl.load("model.h5"), gl.open_genome("genome.h5")),
    ),
    "too few times": (
        ["methylation", "fit", "counts.h5", "--times", "0,1", "-o", "x.h5"],
        lambda: gl.fit_methylation("counts.h5", [0, 1]),
    ),
    "an output that exists": (
        ["score", "model.h5", "small.h5", "-o", "sites.bed"],
        lambda: gl.load("model.h5").save("sites.bed"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_the_same_error_with_the_same_sentence(name):
    Path("proteins.fa").write_text(">one\n" + "MKVLEWQRSTYFHPLNIDKE" * 5 + "\n")
    gl.Genome.from_fasta("proteins.fa", alphabet="protein", save_to="proteins.h5")
    command, call = MISTAKES[name]
    with pytest.raises(gl.GenolstmError) as by_command:
        app([*command, *(() if command[0] == "ingest" else ("-t", "1")), "-q"], standalone_mode=False)
    with pytest.raises(gl.GenolstmError) as by_call:
        call()
    assert type(by_call.value) is type(by_command.value)
    assert str(by_call.value) == str(by_command.value)


@pytest.mark.parametrize(
    ("call", "kind", "sentence"),
    [
        (lambda g: gl.train(g, hiden=8), gl.InputError, "train has the unknown key 'hiden'; known are"),
        (lambda g: gl.train(g, hidden=0.5), gl.InputError, "train: hidden must be a whole number, not 0.5."),
        (lambda g: gl.train(g, size="huge"), gl.UsageError, "size 'huge' is not known; known are small, base, large."),
        (lambda g: gl.train(g, device="tpu"), gl.UsageError, "device 'tpu' is not known; known are auto, cpu"),
        (
            lambda g: gl.train(g, multitask_weight=1.0),
            gl.UsageError,
            "--multitask-weight weighs the errors of --multitask, which is not given; give both.",
        ),
        (
            lambda _: gl.Genome.from_fasta("small.fa", alphabet="rna"),
            gl.UsageError,
            "alphabet 'rna' is not known; known are dna, protein.",
        ),
    ],
)
def test_mistakes_that_only_a_notebook_can_make_are_one_sentence(call, kind, sentence):
    with pytest.raises(kind) as problem:
        call(gl.open_genome("small.h5"))
    assert sentence in str(problem.value)

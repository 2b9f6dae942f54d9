"""`genolstm train`: its settings, its end, and how it stops and goes on."""

import dataclasses
import inspect
import json
import math
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from genolstm.cli import train as command
from genolstm.regions import Part
from genolstm.settings.model import SIZES, ModelSettings, Size
from genolstm.settings.train import TrainSettings
from genolstm.store.checkpoint import read_checkpoint
from genolstm.store.files import partial_path

SMALL = ("--hidden", "8", "--lanes", "4", "--chunk", "16", "-t", "1", "--device", "cpu")
SHORT = (*SMALL, "--bases", "600", "-q")
# 63 steps, each of which writes its checkpoint
MANY_STEPS = (*SMALL, "--bases", "4000", "--checkpoint-minutes", "0", "--train-contigs", "I")


def fasta_to_genome(run, folder, text, *options):
    source = folder / "made.fa"
    source.write_text(text)
    assert run("ingest", source, "-o", folder / "made.h5", "-q", *options).code == 0
    return folder / "made.h5"


def weights_of(path):
    return read_checkpoint(path).weights


def assert_same_run(one, other):
    """Two model files hold the same training: bits of weights, of the record, and of what was measured."""
    one, other = read_checkpoint(one), read_checkpoint(other)
    assert one.weights.keys() == other.weights.keys()
    for name, weight in one.weights.items():
        np.testing.assert_array_equal(weight, other.weights[name], err_msg=name, strict=True)
    for name in ("step", "bases", "bits", "gradient_norm", "learning_rate"):
        assert one.history[name] == other.history[name], name
    assert one.looks == other.looks
    assert one.bits == other.bits


@pytest.fixture(scope="module")
def uninterrupted(finished, genome_file, tmp_path_factory):
    path = tmp_path_factory.mktemp("uninterrupted") / "model.h5"
    ended = finished("train", genome_file, "-o", path, *MANY_STEPS, "-q")
    assert ended == (0, "", "")
    assert [each.name for each in path.parent.iterdir()] == ["model.h5"]  # no .resume is left behind
    return path


@pytest.fixture(scope="module")
def stopped(program, genome_file, tmp_path_factory):
    """Function: signal -> the output of a training stopped by it in its middle, its exit code and stderr."""

    def stop(number):
        output = tmp_path_factory.mktemp("stopped") / "model.h5"
        with program("train", genome_file, "-o", output, *MANY_STEPS) as process:
            resumable = command.resume_path(output)
            until = time.monotonic() + 60
            while not resumable.exists():
                assert process.poll() is None, process.stderr.read()
                assert time.monotonic() < until
                time.sleep(0.005)
            process.send_signal(number)
            told = process.stderr.read()
            code = process.wait(60)
        assert not output.exists()
        assert 0 < read_checkpoint(resumable).resumable.progress["step"] < 63
        return output, code, told

    return stop


# ---- stopping and going on


@pytest.mark.slow
def test_killed_training_resumes_to_the_same_bits(stopped, uninterrupted, finished, genome_file):
    output, code, _ = stopped(signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert finished("train", genome_file, "-o", output, *MANY_STEPS, "-q", "--resume") == (0, "", "")
    assert_same_run(output, uninterrupted)
    left = {each.name for each in output.parent.iterdir()}
    assert left <= {"model.h5", partial_path(command.resume_path(output)).name}  # of the write that was killed


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGUSR1, 138), (signal.SIGINT, 130)])
def test_warned_training_writes_a_checkpoint_and_resumes_to_the_same_bits(
    stopped, uninterrupted, run, genome_file, number, code
):
    output, exit_code, told = stopped(number)
    resumable = command.resume_path(output)
    assert exit_code == code
    last = told.splitlines()[-1]
    assert last == f"stopped by signal {number:d}: wrote {resumable}; the same command with --resume goes on"
    assert run("train", genome_file, "-o", output, *MANY_STEPS, "-q", "--resume") == (0, "", "")
    assert_same_run(output, uninterrupted)
    assert [each.name for each in output.parent.iterdir()] == ["model.h5"]


@pytest.fixture(scope="module")
def stopped_once(stopped):
    return stopped(signal.SIGTERM)[0]


@pytest.fixture
def unfinished(stopped_once, tmp_path):
    """The output of a training that waits to be resumed."""
    output = tmp_path / "unfinished.h5"
    shutil.copy(command.resume_path(stopped_once), command.resume_path(output))
    return output


def test_unfinished_training_is_neither_overwritten_nor_resumed_under_other_settings(
    unfinished, run, genome_file, tmp_path
):
    resumable = command.resume_path(unfinished)
    before = resumable.read_bytes()
    assert run("train", genome_file, "-o", unfinished, *MANY_STEPS, "-q") == (
        2,
        "",
        f"genolstm: {resumable} is an unfinished training of this output; add --resume to go on, or --force to start"
        " anew.\n",
    )
    begun = read_checkpoint(resumable).train
    for option, there, asked in (
        ("hidden", 8, 16),
        ("lanes", begun.lanes, 8),
        ("bases", 4000, 5000),
        ("seed", 1, 2),
        ("chunk", 16, 32),
        ("cell", "lstm", "gru"),
        ("train-contigs", ("I",), ("I", "II")),
    ):
        value = ",".join(asked) if isinstance(asked, tuple) else asked
        ended = run("train", genome_file, "-o", unfinished, *MANY_STEPS, "-q", "--resume", f"--{option}", value)
        assert ended == (
            3,
            "",
            f"genolstm: {resumable} was begun with {option} {there}, not {asked}; resume with the same options, or"
            " remove it and start anew.\n",
        )
    settings = tmp_path / "changed.toml"
    settings.write_text("learning_rate = 0.5")
    ended = run("train", genome_file, "-o", unfinished, *MANY_STEPS, "-q", "--resume", "--settings", settings)
    assert ended.code == 3
    assert "was begun with learning-rate 0.003, not 0.5; resume" in ended.err
    assert resumable.read_bytes() == before


def test_unfinished_training_is_not_resumed_on_another_genome(unfinished, run, tmp_path):
    other = fasta_to_genome(run, tmp_path, ">I\n" + "ACGT" * 100)
    ended = run("train", other, "-o", unfinished, *MANY_STEPS, "-q", "--resume")
    assert ended == (
        3,
        "",
        f"genolstm: {other} is not the genome file that the unfinished training read; give that one.\n",
    )


def test_force_starts_an_unfinished_training_anew(unfinished, run, genome_file):
    ended = run("train", genome_file, "-o", unfinished, *SHORT, "--force")
    assert ended.code == 0
    assert read_checkpoint(unfinished).train.bases == 600
    assert not command.resume_path(unfinished).exists()


def test_resume_without_anything_to_resume_starts_and_a_complete_output_is_kept(run, genome_file, tmp_path):
    output = tmp_path / "model.h5"
    ended = run("train", genome_file, "-o", output, *SHORT, "--resume")
    assert (ended.code, ended.err) == (0, f"no {command.resume_path(output)}: training starts from the first base\n")
    before = output.read_bytes()
    ended = run("train", genome_file, "-o", output, *SHORT, "--resume")
    assert ended.code == 0
    assert ended.err == f"{output} is complete and there is nothing to resume; remove it to train anew\n"
    assert output.read_bytes() == before


def test_a_complete_output_tells_the_same_figures_again(run, genome_file, tmp_path):
    asked = ("train", genome_file, "-o", tmp_path / "model.h5", *SHORT, "--seed", "3", "--json")
    first, again = (json.loads(run(*asked, *more).out, parse_constant=pytest.fail) for more in ((), ("--resume",)))
    assert again["bases_per_second"] is None  # nothing was trained now
    now = ("seconds", "device", "bases_per_second")
    assert {key: told for key, told in again.items() if key not in now} == {
        key: told for key, told in first.items() if key not in now
    }


def test_damaged_resume_file_is_refused(unfinished, run, genome_file):
    resumable = command.resume_path(unfinished)
    resumable.write_bytes(resumable.read_bytes()[:5000])
    ended = run("train", genome_file, "-o", unfinished, *MANY_STEPS, "-q", "--resume")
    assert ended.code == 3
    assert ended.err.startswith(f"genolstm: {resumable} is cut short or damaged (")


# ---- reproducible


@pytest.mark.slow
def test_two_runs_give_the_same_bytes_under_source_date_epoch(finished, genome_file, tmp_path):
    files = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        ended = finished(
            "train", genome_file, "-o", "model.h5", *SHORT, cwd=tmp_path / name, SOURCE_DATE_EPOCH="1700000000"
        )
        assert ended == (0, "", "")
        files.append((tmp_path / name / "model.h5").read_bytes())
    assert files[0] == files[1]


# ---- settings


def options_of(function):
    return {name: parameter.default for name, parameter in inspect.signature(function).parameters.items()}


def test_every_option_default_is_a_settings_default():
    options = options_of(command.train)
    defaults = {field.name: field.default for of in (ModelSettings, TrainSettings) for field in dataclasses.fields(of)}
    compared = {
        name: ("40M" if name == "bases" else defaults[name])
        for name in options.keys() & defaults.keys() - {"layers", "hidden", "lanes", "chunk"}
    }
    lists = {name for name in compared if name.endswith("_contigs")} | {"multitask", "weights"}  # typed with commas
    assert {name: options[name] for name in compared.keys() - lists} == {
        name: value for name, value in compared.items() if name not in lists
    }
    assert all(options[name] == "" and defaults[name] == () for name in lists)
    # lanes and chunk follow the device
    assert options["lanes"] is options["chunk"] is None
    # without --size, --layers and --hidden the shape is a named size
    assert options["size"] is options["layers"] is options["hidden"] is None
    assert SIZES[Size.SMALL] == (ModelSettings.layers, ModelSettings.hidden)


def test_every_training_option_can_be_set_in_a_settings_file(run, genome_file, tmp_path):
    settings = tmp_path / "all.toml"
    settings.write_text(
        'cell = "gru"\nlayers = 2\nhidden = 4\nforget_bias = 1.5\nlanes = 3\nchunk = 8\nbases = "1k"\nminutes = 5\n'
        'learning_rate = 0.01\nprecision = "fp32"\nearly_stop = 3\ncheckpoint_minutes = 2.5\n'
        'train_contigs = ["I"]\nvalid_contigs = "II"\ntest_contigs = ["III"]\nseed = 7\n'
    )
    assert run("train", genome_file, "-o", tmp_path / "m.h5", "-q", "-t", "1", "--settings", settings).code == 0
    made = read_checkpoint(tmp_path / "m.h5")
    assert made.model == ModelSettings(cell="gru", layers=2, hidden=4, forget_bias="1.5")
    assert made.train == TrainSettings(
        lanes=3, chunk=8, bases=1000, minutes=5.0, learning_rate=0.01, early_stop=3, checkpoint_minutes=2.5,
        train_contigs=("I",), valid_contigs=("II",), test_contigs=("III",), seed=7,
    )  # fmt: skip


def test_typed_option_beats_the_settings_file_which_beats_the_default(run, genome_file, tmp_path):
    settings = tmp_path / "some.toml"
    settings.write_text("lanes = 3\nchunk = 8\nbases = 300\nhidden = 4")
    typed = ("--chunk", "32", "--lanes", str(TrainSettings.lanes))  # typing a default is typing
    assert run("train", genome_file, "-o", tmp_path / "m.h5", "-q", "-t", "1", "--settings", settings, *typed).code == 0
    made = read_checkpoint(tmp_path / "m.h5")
    assert (made.train.lanes, made.train.chunk, made.train.bases) == (TrainSettings.lanes, 32, 300)
    assert (made.model.hidden, made.train.learning_rate) == (4, TrainSettings.learning_rate)


@pytest.mark.parametrize(
    ("text", "code", "sentence"),
    [
        ("lr = 1.0", 3, "settings file {path} has the unknown key 'lr'; known are cell, layers, "),
        ("lanes = ", 3, "settings file {path} is not TOML: "),
        ('lanes = "many"', 3, "settings file {path}: 'lanes' is wrong: "),
        ("lanes = 0", 3, "settings file {path}: 'lanes' is wrong: "),
        ("lanes = 2.5", 3, "settings file {path}: 'lanes' is wrong: "),
        ("lanes = [2]", 3, "settings file {path}: 'lanes' must be one value, not [2]."),
        ("hidden = 0", 3, "settings file {path}: 'hidden' is wrong: "),
        ('cell = "transformer"', 3, "settings file {path}: 'cell' is wrong: "),
        ("minutes = -1.0", 3, "settings file {path}: 'minutes' is wrong: "),
        ("valid_contigs = [1]", 3, "settings file {path}: 'valid_contigs' must be one value, not [1]."),
        ("learning_rate = 0", 2, "learning_rate must be above 0, not 0.0."),
        ('bases = "3z"', 2, "'3z' is not a number; write for example 40M, "),
        ('forget_bias = "chrono:1"', 2, "forget bias 'chrono:1' is neither a number nor chrono:T with T above 2, "),
        ("bases = 0", 2, "training needs an end: give --bases or --minutes."),
    ],
)
def test_bad_settings_are_named(run, genome_file, tmp_path, text, code, sentence):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    ended = run("train", genome_file, "-o", tmp_path / "m.h5", "-q", "-t", "1", "--device", "cpu", "--settings", path)
    assert (ended.code, ended.out) == (code, "")
    assert ended.err.startswith("genolstm: " + sentence.format(path=path))
    assert len(ended.err.splitlines()) == 1
    assert not (tmp_path / "m.h5").exists()


def test_missing_settings_file_is_named(run, genome_file, tmp_path):
    ended = run("train", genome_file, "-o", tmp_path / "m.h5", "-q", "--settings", tmp_path / "gone.toml")
    assert ended == (3, "", f"genolstm: settings file {tmp_path / 'gone.toml'} does not exist; correct the path.\n")


@pytest.fixture(scope="module")
def plain_run(finished, genome_file, tmp_path_factory):
    path = tmp_path_factory.mktemp("plain") / "m.h5"
    assert finished("train", genome_file, "-o", path, *SHORT, "--valid-contigs", "III").code == 0
    return read_checkpoint(path)


EFFECTS = {  # option -> a value that is not the one of the plain run
    "cell": ["--cell", "gru"],
    "size": ["--size", "small", "--hidden", "9"],
    "layers": ["--layers", "2"],
    "hidden": ["--hidden", "12"],
    "forget_bias": ["--forget-bias", "chrono:100"],
    "lanes": ["--lanes", "5"],
    "chunk": ["--chunk", "8"],
    "bases": ["--bases", "1k"],
    "minutes": ["--bases", "0", "--minutes", "0.001"],
    "learning_rate": ["--lr", "0.02"],
    "precision": ["--precision", "bf16"],
    "early_stop": ["--early-stop", "1"],
    "checkpoint_minutes": ["--checkpoint-minutes", "1"],
    "train_contigs": ["--train-contigs", "I"],
    "valid_contigs": ["--valid-contigs", "II"],
    "test_contigs": ["--test-contigs", "II"],
    "seed": ["--seed", "2"],
}
OF_PROTEINS = {"clusters", "multitask", "multitask_weight"}  # see test_train_proteins.py
OF_RECALL = {"recall", "recall_lengths", "recall_orders", "recall_index_bits"}  # see test_score_recall.py
OF_SEVERAL = {"genomes", "weights", "folds", "fold", "from_model", "keep_optimiser"}  # see test_train_further.py
NOT_OF_THE_TRAINING = {
    "ctx", "genome", "output", "settings_file", "resume", "threads", "device", "figure", "force", "quiet", "as_json",
}  # fmt: skip


def test_every_training_option_is_looked_at_below():
    others = NOT_OF_THE_TRAINING | OF_PROTEINS | OF_SEVERAL | OF_RECALL
    assert EFFECTS.keys() == options_of(command.train).keys() - others


@pytest.mark.parametrize("option", EFFECTS)
def test_every_option_has_an_effect(request, run, genome_file, tmp_path, plain_run, option):
    if option == "precision":
        request.getfixturevalue("bf16")
    arguments = ("train", genome_file, "-o", tmp_path / "m.h5", *SHORT, "--valid-contigs", "III", *EFFECTS[option])
    assert run(*arguments).code == 0
    made = read_checkpoint(tmp_path / "m.h5")
    weights_differ = any(
        name not in made.weights or not np.array_equal(weight, made.weights[name])
        for name, weight in plain_run.weights.items()
    )
    assert weights_differ or option in {"checkpoint_minutes", "early_stop"}  # which need not end in other weights
    assert (made.model, made.train) != (plain_run.model, plain_run.train)


# ---- genomes and splits


def test_json_holds_the_fixed_keys(run, genome_file, tmp_path):
    ended = run("train", genome_file, "-o", tmp_path / "m.h5", *SMALL, "--bases", "600", "--json", "--seed", "3")
    told = json.loads(ended.out, parse_constant=pytest.fail)
    assert {"command", "version", "output", "seconds", "device", "seed", "records"} <= told.keys()
    assert (told["command"], told["output"], told["device"], told["seed"]) == (
        "train",
        str(tmp_path / "m.h5"),
        "cpu",
        3,
    )
    assert told["records"] == {"read": 3, "used": 3, "skipped": {}}
    assert told["bases_seen"] >= 600
    assert told["bases_per_second"] > 0
    assert told["bits_per_base"].keys() == {"train", "valid", "test"}
    assert all(0 < bits < 4 for bits in told["bits_per_base"].values())
    assert {"best_order", "best_bits", "interpolated_bits"} <= told["markov"].keys()
    assert told["markov"]["part"] == "test"
    made = read_checkpoint(tmp_path / "m.h5")
    assert {row.part: row.model for row in made.bits} == {
        part: told["bits_per_base"][part] for part in ("valid", "test")
    }
    assert ended.err.splitlines()[0].startswith("genolstm ")
    assert ended.err.splitlines()[1] == "device cpu, 1 thread, seed 3"
    assert f"wrote {tmp_path / 'm.h5'}: " in ended.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--valid-contigs", "IV"], "valid contig 'IV' is not in the genome, which has I, II, III. Correct the name."),
        (["--test-contigs", "II,IV"], "test contig 'IV' is not in the genome, which has I, II, III. Correct the name."),
        (["--train-contigs", "i"], "train contig 'i' is not in the genome, which has I, II, III. Correct the name."),
        (
            ["--valid-contigs", "II", "--test-contigs", "III,II"],
            "contig 'II' is named for valid and for test; choose one.",
        ),
        (
            ["--valid-contigs", "I,II,III"],
            "no contig is left for training: every contig is named for validation or test; name fewer.",
        ),
    ],
)
def test_impossible_split_is_told(run, genome_file, tmp_path, options, sentence):
    assert run("train", genome_file, "-o", tmp_path / "m.h5", *SHORT, *options) == (3, "", f"genolstm: {sentence}\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--valid-contigs", "II"], ("valid",)),
        (["--valid-contigs", "II", "--test-contigs", "III"], ("valid", "test")),
        (["--test-contigs", "III"], ("valid", "test")),
        ([], ("valid", "test")),
    ],
)
def test_named_contigs_are_held_out_whole_and_scored(run, genome_file, tmp_path, options, parts):
    ended = run("train", genome_file, "-o", tmp_path / "m.h5", *SHORT, *options, "--json")
    made = read_checkpoint(tmp_path / "m.h5")
    assert tuple(row.part for row in made.bits) == parts
    assert [json.loads(ended.out)["bits_per_base"][part] is not None for part in ("valid", "test")] == [
        "valid" in parts,
        "test" in parts,
    ]
    for name in made.seen:
        assert name not in options
    for part, flag in ((Part.VALID, "--valid-contigs"), (Part.TEST, "--test-contigs")):
        if flag in options:
            assert made.split.of(part).names() == (options[options.index(flag) + 1],)


def test_genome_of_one_tiny_contig_trains(run, tmp_path):
    for letters in ("A", "ACGT"):
        genome = fasta_to_genome(run, tmp_path, f">a\n{letters}\n", "--force")
        ended = run("train", genome, "-o", tmp_path / "m.h5", *SHORT, "--force", "--json")
        told = json.loads(ended.out, parse_constant=pytest.fail)
        assert ended.code == 0
        assert told["bits_per_base"]["test"] is None
        assert math.isfinite(told["bits_per_base"]["train"])


def test_genome_that_is_all_n_is_one_sentence(run, tmp_path):
    genome = fasta_to_genome(run, tmp_path, f">a\n{'N' * 500}\n")
    assert run("train", genome, "-o", tmp_path / "m.h5", *SHORT) == (
        3,
        "",
        f"genolstm: the training part of {genome} (a) holds nothing but N; give a genome, or --train-contigs, with"
        " known symbols.\n",
    )
    assert not (tmp_path / "m.h5").exists()


def test_held_out_part_that_is_all_n_is_told_and_not_scored(run, tmp_path):
    genome = fasta_to_genome(run, tmp_path, f">a\n{'ACGGT' * 100}\n>b\n{'N' * 50}\n>c\n{'ACGGT' * 10}")
    ended = run(
        "train", genome, "-o", tmp_path / "m.h5", *SHORT, "--valid-contigs", "b", "--test-contigs", "c", "--json"
    )
    assert ended.code == 0
    assert "valid part: nothing but N, so it is not scored" in ended.err
    assert json.loads(ended.out)["bits_per_base"]["valid"] is None
    assert [row.part for row in read_checkpoint(tmp_path / "m.h5").bits] == ["test"]


def test_protein_trains_on_its_one_strand(run, tmp_path):
    letters = np.random.default_rng(1).choice(list("ACDEFGHIKLMNPQRSTVWY"), 2000)
    genome = fasta_to_genome(run, tmp_path, ">p\n" + "".join(letters), "--alphabet", "protein")
    ended = run("train", genome, "-o", tmp_path / "m.h5", *SHORT, "--json")
    assert ended.code == 0
    made = read_checkpoint(tmp_path / "m.h5")
    assert made.model.alphabet == "protein"
    for row in made.bits:  # each residue is scored once: there is no other strand
        assert row.symbols == made.split.of(Part[row.part.upper()]).bases
        assert row.uniform == pytest.approx(math.log2(20))


def test_file_of_another_kind_is_told(run, model_file, tmp_path):
    ended = run("train", model_file, "-o", tmp_path / "m.h5", *SHORT)
    assert ended.code == 3
    assert ended.err == (
        f"genolstm: {model_file} is a checkpoint file where a genome file is needed; make one with 'genolstm ingest'.\n"
    )


def test_device_that_is_not_here_is_never_replaced_by_the_cpu(run, genome_file, tmp_path, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", None)
    ended = run("train", genome_file, "-o", tmp_path / "m.h5", "--device", "cuda", "-q")
    said = "--device cuda: torch sees no CUDA device here: it is a build without CUDA; install one with it, or use"
    assert ended == (2, "", f"genolstm: {said} --device cpu.\n")


@pytest.mark.slow
def test_full_disk_at_a_checkpoint_keeps_the_last_one_and_resumes(tiny_disk, finished, genome_file, uninterrupted):
    """The first checkpoint fits, and the filler leaves no room for a second one beside it."""
    output = tiny_disk / "model.h5"
    resumable = command.resume_path(output)
    (tiny_disk / "filler").write_bytes(bytes(240_000))
    ended = finished("train", genome_file, "-o", output, *MANY_STEPS, "-q")
    assert ended == (
        3,
        "",
        f"genolstm: the disk is full: {resumable} was not written; free space or write elsewhere.\n",
    )
    assert {each.name for each in tiny_disk.iterdir()} <= {"filler", resumable.name}
    (tiny_disk / "filler").unlink()
    assert finished("train", genome_file, "-o", output, *MANY_STEPS, "-q", "--resume").code == 0
    assert_same_run(output, uninterrupted)
    assert [each.name for each in Path(tiny_disk).iterdir()] == ["model.h5"]

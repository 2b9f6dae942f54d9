"""`genolstm train` on several genomes, from another model, and by folds; and what its files tell afterwards."""

import json
from pathlib import Path

import numpy as np
import pytest

from genolstm.regions import Part
from genolstm.store.checkpoint import read_checkpoint

SMALL = ("--lanes", "4", "--chunk", "16", "-t", "1", "--device", "cpu", "-q")
SHORT = (*SMALL, "--hidden", "8", "--bases", "600")


@pytest.fixture(scope="module")
def other_file(finished, tmp_path_factory):
    """A second genome, which shares the contig name I with the first."""
    folder = tmp_path_factory.mktemp("other")
    rng = np.random.default_rng(7)
    contigs = {"I": 5000, "X": 3000}
    (folder / "worm.fa").write_text(
        "".join(f">{n}\n{''.join(rng.choice(list('ACGT'), k))}\n" for n, k in contigs.items())
    )
    assert finished("ingest", folder / "worm.fa", "-o", folder / "worm.h5", "-q").code == 0
    return folder / "worm.h5"


@pytest.fixture(scope="module")
def of_both(finished, genome_file, other_file, tmp_path_factory):
    path = tmp_path_factory.mktemp("both") / "both.h5"
    held_out = ("--test-contigs", "II,worm:X", "--valid-contigs", "III")
    assert finished("train", genome_file, other_file, "-o", path, *SHORT, *held_out, "--weights", "1,3") == (0, "", "")
    return path


@pytest.fixture(scope="module")
def descendant(finished, of_both, other_file, tmp_path_factory):
    path = tmp_path_factory.mktemp("descendant") / "further.h5"
    assert finished("train", other_file, "-o", path, *SMALL, "--bases", "600", "--from", of_both) == (0, "", "")
    return path


def test_show_and_json_tell_each_genome(run, of_both, genome_file, other_file, tmp_path):
    told = run("show", of_both).out
    assert "genomes trained on" in told
    kept = read_checkpoint(of_both)
    assert all(f"{each.contigs} contigs, SHA-256 {each.sha256}" in told for each in kept.genomes)
    assert [each.name for each in kept.genomes] == ["genome", "worm"]
    assert kept.train.weights == (1.0, 3.0)
    ended = run(
        "train", genome_file, other_file, "-o", tmp_path / "m.h5", *SHORT, "--test-contigs", "X,genome:I", "--json"
    )
    summary = json.loads(ended.out)
    assert {"test:genome", "test:worm"} <= summary["by_genome"].keys()
    assert summary["markov"]["part"] == "test"
    assert [each["name"] for each in summary["genomes"]] == ["genome", "worm"]


def test_score_finds_the_split_of_either_genome(run, of_both, genome_file, other_file, tmp_path):
    for genome, held_out in ((genome_file, "II"), (other_file, "X")):
        ended = run("score", of_both, genome, "-o", tmp_path / "s.h5", "-q", "-t", "1", "--json", "-f")
        told = json.loads(ended.out)
        assert ended.err == ""
        assert told["markov_counted_on"] == "training stretches of the model"
        assert told["parts"]["test"]["standing"] == "held out"
        assert told["contigs"][held_out]["seen_in_training"] is False
        assert told["contigs"]["I"]["seen_in_training"] is True


@pytest.mark.parametrize("command", ["models pack", "train --resume"])
def test_commands_on_several_genomes_take_them_in_order(run, of_both, genome_file, other_file, tmp_path, command):
    if command == "models pack":
        words = ("--data", "Made", "--licence", "CC0", "-q", "-t", "1")
        assert run("models", "pack", of_both, genome_file, other_file, "-o", tmp_path / "p.h5", *words).code == 0
        packed = read_checkpoint(tmp_path / "p.h5")
        assert [row.part for row in packed.bits] == [row.part for row in read_checkpoint(of_both).bits]
        assert packed.genomes == read_checkpoint(of_both).genomes
    else:
        ended = run("train", genome_file, other_file, "-o", of_both, *SHORT, "--resume")
        assert (ended.code, "is complete and there is nothing to resume" in ended.err) == (0, True)


def test_the_descendant_keeps_shape_and_split_and_tells_its_ancestry(run, of_both, descendant):
    before, after = read_checkpoint(of_both), read_checkpoint(descendant)
    assert after.model == before.model
    assert after.split.of(Part.TEST).names() == ("X",)
    (ancestor,) = after.ancestors
    told = run("show", descendant).out
    assert "goes on from" in told
    assert "1 both" in told
    assert ancestor.sha256 in told
    assert f"(genome, worm); {before.bases:,} bases" in told
    assert run("show", descendant, "--verify").code == 0
    rows = run("export", descendant, "--table", "ancestors/1/split", "-o", "-").out.splitlines()
    assert len(rows) == 1 + len(before.split.rows)
    assert {row.split("\t")[0] for row in rows[1:]} == set(before.split.names())
    assert run("export", of_both, "--table", "genomes", "-o", "-").out.count("\n") == 3


def test_the_card_of_a_descendant_tells_the_ancestry(run, descendant, other_file, tmp_path):
    words = ("--data", "Made", "--licence", "CC0", "-t", "1")
    ended = run("models", "pack", descendant, other_file, "-o", tmp_path / "p.h5", *words, "--json")
    assert "goes on from both (file " in ended.err
    assert "of genome, worm (genome " in ended.err
    assert json.loads(ended.out)["ancestors"][0]["name"] == "both"
    assert read_checkpoint(tmp_path / "p.h5").ancestors[0].name == "both"


def test_what_the_ancestor_saw_is_marked_by_score(run, descendant, genome_file, tmp_path):
    told = json.loads(run("score", descendant, genome_file, "-o", tmp_path / "s.h5", "-q", "-t", "1", "--json").out)
    assert {name: row["seen_in_training"] for name, row in told["contigs"].items()} == {
        "I": True, "II": False, "III": False,
    }  # fmt: skip
    assert told["parts"]["scored"]["standing"] == "partly trained on"
    assert told["parts"]["test"]["standing"] == "held out"


def test_a_bundled_model_is_gone_on_from_by_name(run, other_file, tmp_path):
    ended = run("train", other_file, "-o", tmp_path / "m.h5", *SMALL, "--bases", "300", "--from", "pombe-256")
    assert (ended.code, ended.err) == (0, "")
    made = read_checkpoint(tmp_path / "m.h5")
    assert (made.model.hidden, made.ancestors[0].name) == (256, "pombe-256")


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (["--from", "{both}", "--resume"], 2, "--resume goes on with an unfinished training as it began, and --from"),
        (["--keep-optimiser"], 2, "--keep-optimiser is for --from, which is not given; give both, or leave it out."),
        (["--from", "{both}", "--keep-optimiser"], 2, "--keep-optimiser: both is a finished model, which holds no"),
        (["--from", "{both}", "--hidden", "9"], 3, "both has hidden 8, not 9: a model that goes on from it has its"),
        (["--from", "{both}", "--size", "base"], 3, "both has hidden 8, not 512: a model that goes on from it has its"),
        (
            ["--from", "{both}", "--test-contigs", "genome:I"],
            3,
            "both was trained on I of {genome}, which would be held",
        ),
        (["--from", "nothing"], 3, "'nothing' is no file, and no model that comes with genolstm: pombe-256"),
        (["--from", "{genome}"], 3, "{genome} is a genome file where a checkpoint file is needed; make"),
        (["--from", "{broken}"], 3, "model file {broken} holds weights that are no numbers, or beyond any use ("),
        (["--weights", "1"], 2, "--weights 1 are 1 and there are 2 genomes; give one weight a genome."),
        (["--weights", "1,x"], 2, "weights '1,x' are not numbers with commas between"),
        (["--weights", "1,-1"], 2, "weights must be above 0, not 1, -1."),
        (["--test-contigs", "I"], 3, "contig 'I' of --test-contigs is in several of the genomes; write genome:I or"),
        (["--folds", "2"], 2, "--folds split one genome, and "),
        (["--folds", "1"], 2, "folds must be 2 or more, not 1: one set is held out by --test-contigs."),
        (["--fold", "1"], 2, "fold must be one of 1 to folds, and is 1 of 0; give both."),
        (["--folds", "2", "--fold", "3"], 2, "fold must be one of 1 to folds, and is 3 of 2; give both."),
        (["--folds", "2", "--test-contigs", "I"], 2, "--folds choose what is held out; leave --train-contigs and the"),
    ],
)
def test_bad_input_is_one_sentence_and_no_file(
    run, edited, genome_file, other_file, of_both, tmp_path, options, code, sentence
):
    broken = tmp_path / "broken.h5"
    broken.write_bytes(of_both.read_bytes())
    with edited(broken) as file:
        file["weights/head.bias"][0] = np.nan
    names = {"both": of_both, "genome": genome_file, "broken": broken}
    typed = [each.format(**names) for each in options]
    ended = run("train", genome_file, other_file, "-o", tmp_path / "m.h5", *SMALL, "--bases", "600", *typed)
    assert (ended.code, ended.out) == (code, "")
    assert ended.err.startswith("genolstm: " + sentence.format(**names))
    assert len(ended.err.splitlines()) == 1
    assert not list(tmp_path.glob("m*.h5*"))


def test_genomes_of_one_name_are_refused(run, genome_file, tmp_path):
    (tmp_path / "genome.h5").write_bytes(genome_file.read_bytes())
    ended = run("train", genome_file, tmp_path / "genome.h5", "-o", tmp_path / "m.h5", *SHORT)
    assert ended.code == 3
    assert "hold the same genome; give it once." in ended.err


# ---- folds


def test_every_fold_is_a_file_and_every_contig_is_held_out_once(run, genome_file, tmp_path):
    ended = run("train", genome_file, "-o", tmp_path / "m.h5", *SHORT, "--folds", "3", "--json")
    told = json.loads(ended.out)
    assert [Path(each["output"]).name for each in told["folds"]] == [f"m.fold{fold}.h5" for fold in (1, 2, 3)]
    models = [read_checkpoint(tmp_path / f"m.fold{fold}.h5") for fold in (1, 2, 3)]
    assert [(each.train.folds, each.train.fold) for each in models] == [(3, 1), (3, 2), (3, 3)]
    tested = [name for each in models for name in each.split.of(Part.TEST).names()]
    assert sorted(tested) == ["I", "II", "III"]
    assert not (tmp_path / "m.h5").exists()
    again = run("train", genome_file, "-o", tmp_path / "alone.h5", *SHORT, "--folds", "3", "--fold", "2")
    assert again.code == 0
    for name, weight in read_checkpoint(tmp_path / "alone.h5").weights.items():
        np.testing.assert_array_equal(weight, models[1].weights[name], err_msg=name)


def test_finished_folds_are_kept_when_the_others_are_resumed(run, genome_file, tmp_path):
    asked = ("train", genome_file, "-o", tmp_path / "m.h5", *SHORT, "--folds", "3")
    assert run(*asked).code == 0
    before = (tmp_path / "m.fold1.h5").read_bytes()
    (tmp_path / "m.fold2.h5").unlink()
    refused = run(*asked)
    assert (refused.code, "m.fold1.h5" in refused.err) == (2, True)
    ended = run(*asked, "--resume", "--json")
    assert [Path(each["output"]).name for each in json.loads(ended.out)["folds"]] == ["m.fold2.h5"]
    assert (tmp_path / "m.fold1.h5").read_bytes() == before


def test_folds_that_go_on_from_a_model_are_resumed_one_by_one(run, genome_file, tmp_path):
    parts = ("--folds", "3", "--bases", "300")
    first = run(
        "train", genome_file, "-o", tmp_path / "m.fold1.h5", *SMALL, *parts, "--fold", "1", "--from", "pombe-256"
    )
    assert first.code == 0
    ended = run("train", genome_file, "-o", tmp_path / "m.h5", *SMALL, *parts, "--resume")
    assert ended.code == 2
    assert "m.fold1.h5 goes on from pombe-256, and --resume would train the folds that are missing" in ended.err
    figure = run("train", genome_file, "-o", tmp_path / "n.h5", *SMALL, *parts, "--figure", tmp_path / "n.png")
    assert (figure.code, "--figure draws one training, and --folds are several" in figure.err) == (2, True)


def test_more_folds_than_contigs_and_blocks_are_refused(run, genome_file, tmp_path):
    ended = run("train", genome_file, "-o", tmp_path / "m.h5", *SHORT, "--folds", "4")
    assert ended.code == 3
    assert "cannot be split into 4 folds: it has 3 contigs, and 3 blocks of 100,000 bases; lower --folds." in ended.err

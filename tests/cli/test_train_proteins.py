"""`genolstm train` on a proteome: whole clusters, one reset a protein, auxiliary tasks."""

import json
import math
import time

import numpy as np
import pytest

from genolstm.alphabet import PROTEIN, decode
from genolstm.regions import Part
from genolstm.store.checkpoint import read_checkpoint

SMALL = ("--hidden", "8", "--lanes", "4", "--chunk", "16", "-t", "1", "--device", "cpu")
SHORT = (*SMALL, "--bases", "2k")
BOTH = ("--multitask", "charge,hydropathy")


def drawn(seed, length):
    return decode(np.random.default_rng(seed).integers(0, 20, length).astype(np.uint8), PROTEIN)


@pytest.fixture(scope="module")
def proteome(finished, tmp_path_factory):
    """Sixty proteins of 60 to 120 residues; 'twin0' .. 'twin9' are alike, the others strangers."""
    folder = tmp_path_factory.mktemp("proteome")
    twin = drawn(1000, 100)
    records = [(f"twin{i}", twin[: 60 + 4 * i]) for i in range(10)]
    records += [(f"p{i}", drawn(i, 70 + i)) for i in range(50)]
    (folder / "p.fa").write_text("".join(f">{name}\n{chain}*\n" for name, chain in records))
    assert finished("ingest", folder / "p.fa", "-o", folder / "p.h5", "--alphabet", "protein").code == 0
    return folder / "p.h5"


@pytest.fixture(scope="module")
def plain(finished, proteome, tmp_path_factory):
    """Model file, JSON summary and log of a training without auxiliary tasks."""
    path = tmp_path_factory.mktemp("plain") / "m.h5"
    ended = finished("train", proteome, "-o", path, *SHORT, "--json")
    assert ended.code == 0, ended.err
    return read_checkpoint(path), json.loads(ended.out), ended.err


def parts(made):
    return dict(zip([made.split.contigs[c] for c in made.split.contig], made.split.part.tolist(), strict=True))


def test_relatives_land_on_one_side_and_no_protein_is_cut(plain):
    made, told, log = plain
    part = parts(made)
    assert len({part[f"twin{i}"] for i in range(10)}) == 1
    assert set(part.values()) == set(Part)
    assert made.split.end.tolist() == made.lengths[made.split.contig].tolist()
    assert "60 proteins in 51 clusters, which are not split; the largest has 10" in log
    assert (told["homology"]["clusters"], told["homology"]["largest_cluster"]) == (51, 10)
    assert "no alignment between held-out and training proteins" in log or "largest identity left" in log


def test_residues_are_called_residues(plain):
    made, told, log = plain
    assert "bits/residue" in log
    assert "bits/base" not in log
    assert " residues of " in log
    assert "bases" not in log
    assert told["unit"] == "residue"
    for row in made.bits:
        assert row.symbols == made.split.of(Part[row.part.upper()]).bases
        assert row.uniform == pytest.approx(math.log2(20))
        assert row.model > 4.2  # random letters: nobody can do better than log2(20) by more than luck


def test_clusters_of_another_program_are_kept_whole(run, proteome, tmp_path):
    table = tmp_path / "x_cluster.tsv"
    names = read_names(proteome)
    table.write_text("".join(f"{'p0' if name in {'p0', 'p1', 'p2', 'p3'} else name}\t{name}\n" for name in names))
    ended = run("train", proteome, "-o", tmp_path / "m.h5", *SHORT, "--clusters", table, "--json")
    assert ended.code == 0
    told, made = json.loads(ended.out), read_checkpoint(tmp_path / "m.h5")
    assert (told["homology"]["clusters"], told["homology"]["largest_cluster"]) == (57, 4)
    assert len({parts(made)[name] for name in ("p0", "p1", "p2", "p3")}) == 1
    assert made.train.clusters == str(table)
    assert told["homology"]["largest_identity"] == 1.0  # the twins are apart in this table, and that is told
    table.write_text("p0\tp0\n")
    ended = run("train", proteome, "-o", tmp_path / "m2.h5", *SHORT, "--clusters", table)
    assert ended.code == 3
    assert "has no cluster for twin0, twin1, twin2, twin3, twin4 and 54 more; cluster the very proteins" in ended.err


def read_names(path):
    from genolstm.store.genome import open_genome

    return open_genome(path).names


def test_named_proteins_are_held_out_and_their_relatives_left_out(run, proteome, tmp_path):
    ended = run("train", proteome, "-o", tmp_path / "m.h5", *SHORT, "--test-contigs", "twin0,p4", "--json")
    assert ended.code == 0
    made = parts(read_checkpoint(tmp_path / "m.h5"))
    assert {name for name, part in made.items() if part == Part.TEST} == {"twin0", "p4"}
    assert not any(f"twin{i}" in made for i in range(1, 10))
    assert json.loads(ended.out)["homology"]["left_out"] == 9
    assert "9 are in no part, as relatives of held-out ones" in ended.err


@pytest.mark.parametrize(
    ("options", "differ"),
    [(BOTH, True), ((*BOTH, "--multitask-weight", "5"), True), ((*BOTH, "--multitask-weight", "0"), False)],
)
def test_multitask_changes_the_weights_unless_its_weight_is_zero(run, proteome, plain, tmp_path, options, differ):
    ended = run("train", proteome, "-o", tmp_path / "m.h5", *SHORT, *options, "--json")
    assert ended.code == 0
    made = read_checkpoint(tmp_path / "m.h5")
    same = all(np.array_equal(weight, made.weights[name]) for name, weight in plain[0].weights.items())
    assert same is not differ
    assert made.weights.keys() == plain[0].weights.keys()  # the heads are no part of the model
    assert made.auxiliary.tasks == ("charge", "hydropathy")
    assert made.auxiliary.errors.shape == (len(made.history["bits"]), 2)
    assert json.loads(ended.out)["auxiliary_errors"].keys() == {"charge", "hydropathy"}
    assert "auxiliary tasks, weight" in ended.err
    assert "charge error" in ended.err


def test_multitask_weight_is_looked_at(run, proteome, tmp_path):
    heads = []
    for weight in ("0.1", "0.5"):
        path = tmp_path / f"{weight}.h5"
        assert run("train", proteome, "-o", path, *SHORT, *BOTH, "--multitask-weight", weight, "-q").code == 0
        heads.append(read_checkpoint(path))
    assert any((heads[0].weights[name] != heads[1].weights[name]).any() for name in heads[0].weights)
    assert [made.train.multitask_weight for made in heads] == [0.1, 0.5]


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (("--multitask", "mass"), 2, "multitask 'mass' is not known; known are charge, hydropathy."),
        (("--multitask", "charge,charge"), 2, "multitask 'charge' is named twice; name it once."),
        (("--multitask-weight", "0.5"), 2, "--multitask-weight weighs the errors of --multitask, which is not given;"),
        ((*BOTH, "--multitask-weight", "inf"), 2, "multitask weight must be 0 or more, not inf."),
    ],
)
def test_multitask_that_cannot_be_is_one_sentence(run, proteome, tmp_path, options, code, sentence):
    ended = run("train", proteome, "-o", tmp_path / "m.h5", *SHORT, "-q", *options)
    assert (ended.code, ended.out) == (code, "")
    assert ended.err.startswith(f"genolstm: {sentence}")
    assert len(ended.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--multitask", "charge"), "--multitask charge needs proteins, and {path} holds dna; ingest a protein FASTA"),
        (("--clusters", "x.tsv"), "--clusters is for proteins, and {path} holds dna; leave it out."),
    ],
)
def test_options_of_proteins_are_refused_for_dna(run, genome_file, tmp_path, options, sentence):
    ended = run("train", genome_file, "-o", tmp_path / "m.h5", *SHORT, "-q", *options)
    assert ended.code == 2
    assert ended.err.startswith("genolstm: " + sentence.format(path=genome_file))


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), BOTH])
def test_killed_training_resumes_to_the_same_bits(program, finished, proteome, tmp_path, options):
    from genolstm.cli.train import resume_path

    asked = (*SMALL, "--bases", "5k", "--checkpoint-minutes", "0", *options)
    whole, cut = tmp_path / "whole.h5", tmp_path / "cut.h5"
    assert finished("train", proteome, "-o", whole, *asked).code == 0
    with program("train", proteome, "-o", cut, *asked) as process:
        while process.poll() is None and not resume_path(cut).exists():
            time.sleep(0.01)
        process.kill()
        process.wait(60)
    assert not cut.exists()
    assert finished("train", proteome, "-o", cut, *asked, "--resume").code == 0
    one, other = read_checkpoint(whole), read_checkpoint(cut)
    for name, weight in one.weights.items():
        np.testing.assert_array_equal(weight, other.weights[name], err_msg=name)
    assert one.history["bits"] == other.history["bits"]
    assert one.bits == other.bits
    if options:
        np.testing.assert_array_equal(one.auxiliary.errors, other.auxiliary.errors)
        np.testing.assert_array_equal(one.auxiliary.weight, other.auxiliary.weight)


def test_score_and_show_read_a_model_with_heads(run, proteome, tmp_path):
    assert run("train", proteome, "-o", tmp_path / "m.h5", *SHORT, *BOTH, "-q").code == 0
    assert run("show", tmp_path / "m.h5").code == 0
    ended = run("score", tmp_path / "m.h5", proteome, "-o", tmp_path / "s.h5", "-t", "1", "--device", "cpu")
    assert ended.code == 0
    assert "bits/residue" in ended.err

"""`genolstm probe ... --folds`: the models of every fold, and one result of what each held out."""

import json

import numpy as np
import pytest

import genolstm as gl
from genolstm.regions import Part
from genolstm.store.results import read_probe

LENGTH, EVERY, MOTIF = 12_000, 60, "GATTACAG"
SMALL = ("--hidden", "8", "--lanes", "4", "--chunk", "16", "--bases", "600", "-t", "1", "--device", "cpu", "-q")
PROBE = {"offsets": "0", "twins": 1, "resamples": 40, "flank": 16}
OPTIONS = [word for name, value in PROBE.items() for word in (f"--{name}", str(value))]


@pytest.fixture(scope="module")
def planted(finished, tmp_path_factory):
    """A genome of three contigs, sites of which half end a motif, and the models of its three folds."""
    folder, rng = tmp_path_factory.mktemp("planted"), np.random.default_rng(3)
    fasta, rows = [], ["contig\tstart\tend\tstrand\tlabel"]
    for name in ("a", "b", "c"):
        codes = rng.choice(list("ACGT"), LENGTH)
        for end in range(EVERY, LENGTH - EVERY, EVERY):
            positive = rng.random() < 0.5
            if positive:
                codes[end - len(MOTIF) + 1 : end + 1] = list(MOTIF)
            rows.append(f"{name}\t{end}\t{end + 1}\t+\t{'motif' if positive else 'none'}")
        fasta.append(f">{name}\n{''.join(codes)}\n")
    (folder / "g.fa").write_text("".join(fasta))
    (folder / "sites.tsv").write_text("\n".join(rows) + "\n")
    assert finished("ingest", folder / "g.fa", "-o", folder / "g.h5", "-q").code == 0
    assert finished("train", folder / "g.h5", "-o", folder / "m.h5", *SMALL, "--folds", "3") == (0, "", "")
    return folder


@pytest.fixture
def probed(run, planted, tmp_path):
    """Function: model -> what the probe of its folds ended with, and its file."""

    def ran(model, *options, sites=planted / "sites.tsv"):
        arguments = ("probe", "sites", model, "--genome", planted / "g.h5", "--sites", sites, "-o", tmp_path / "p.h5")
        return run(*arguments, "-t", "1", "--device", "cpu", *OPTIONS, *options), tmp_path / "p.h5"

    return ran


def test_every_site_is_judged_by_the_fold_that_held_out_its_contig(probed, planted, run):
    ended, path = probed(planted / "m.h5", "--folds", "--json", "-q")
    assert (ended.code, ended.err) == (0, "")
    result = read_probe(path)["labels"]
    test = result.sites.part == Part.TEST
    sites = (planted / "sites.tsv").read_text().splitlines()[1:]
    assert test.sum() == len(sites)
    for contig in range(3):
        folds = set(result.fold[test & (result.sites.contig == contig)].tolist())
        assert len(folds) == 1
    told = json.loads(ended.out)
    assert told["n_test"] == len(sites)
    assert told["definition"]["folds"] == 3
    assert told["scores"]["onehot"]["auprc"][0] > 0.95  # the motif is in the window
    assert told["scores"]["shuffled"]["auroc"][0] == pytest.approx(0.5, abs=0.1)
    assert "untrained_1" in told["scores"]
    shown = run("show", path, "--verify")
    assert "'test_sites': 198" in shown.out
    exported = run("export", path, "-o", "-", "--table", "labels/sites")
    assert "fold" in exported.out.splitlines()[0].split("\t")


def test_the_name_of_one_fold_stands_for_all_and_python_gives_the_same(probed, planted):
    _, path = probed(planted / "m.fold2.h5", "--folds", "-q")
    models = [gl.load(planted / f"m.fold{fold}.h5", device="cpu") for fold in (1, 2, 3)]
    ours = gl.probe_sites(models, gl.open_genome(planted / "g.h5"), planted / "sites.tsv", **PROBE).targets["labels"]
    theirs = read_probe(path)["labels"]
    np.testing.assert_array_equal(ours.fold, theirs.fold)
    np.testing.assert_array_equal(ours.features["trained"].log_odds, theirs.features["trained"].log_odds)
    assert ours.differences == theirs.differences


@pytest.mark.parametrize(
    ("case", "code", "sentence"),
    [
        ("no such model", 3, "{folder}/gone.fold1.h5 does not exist; give the name that 'genolstm train --folds' was"),
        ("a fold missing", 3, "{folder}/m.fold1.h5 is one of 3 folds, and 2 are there; train the others."),
        ("contigs named", 2, "--folds test each model on what it held out; leave --train-contigs, --valid-contigs and"),
        ("parts named", 2, "{folder}/parts.tsv names the part of each site, and --folds have parts of their own;"),
    ],
)
def test_bad_input_is_one_sentence_and_no_file(probed, planted, tmp_path, case, code, sentence):
    folder, model, options, sites = tmp_path, "m.h5", [], planted / "sites.tsv"
    for fold in (1, 2) if case == "a fold missing" else (1, 2, 3):
        (folder / f"m.fold{fold}.h5").write_bytes((planted / f"m.fold{fold}.h5").read_bytes())
    if case == "no such model":
        model = "gone.h5"
    elif case == "contigs named":
        options = ["--test-contigs", "a"]
    elif case == "parts named":
        header, *rows = sites.read_text().splitlines()
        sites = folder / "parts.tsv"
        parts = ("train", "valid", "test")
        lines = [f"{header}\tpart", *(f"{row}\t{parts[place % 3]}" for place, row in enumerate(rows))]
        sites.write_text("\n".join(lines) + "\n")
    ended, path = probed(folder / model, "--folds", "-q", *options, sites=sites)
    assert (ended.code, ended.out) == (code, "")
    assert ended.err.startswith("genolstm: " + sentence.format(folder=folder))
    assert len(ended.err.splitlines()) == 1
    assert not path.exists()

"""`genolstm probe ... --folds`: the models of every fold, and one result of what each held out."""

import json

import numpy as np
import pytest

import genolstm as gl
from genolstm.regions import Part
from genolstm.store.prediction import read_prediction
from genolstm.store.results import read_probe

LENGTH, EVERY, MOTIF = 12_000, 60, "GATTACAG"
SMALL = ("--hidden", "8", "--lanes", "4", "--chunk", "16", "--bases", "600", "-t", "1", "--device", "cpu", "-q")
PROBE = {"offsets": "0", "twins": 1, "resamples": 40, "flank": 16}
OPTIONS = [word for name, value in PROBE.items() for word in (f"--{name}", str(value))]


@pytest.fixture(scope="module")
def planted(ran, tmp_path_factory):
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
    assert ran("ingest", folder / "g.fa", "-o", folder / "g.h5", "-q").code == 0
    assert ran("train", folder / "g.h5", "-o", folder / "m.h5", *SMALL, "--folds", "3") == (0, "", "")
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


@pytest.fixture(scope="module")
def fold_probe(ran, planted):
    """The probe of the three folds, and a BED of its sites."""
    path = planted / "probe.h5"
    ended = ran(
        "probe", "sites", planted / "m.h5", "--genome", planted / "g.h5", "--sites", planted / "sites.tsv", "-o", path,
        "-t", "1", "--device", "cpu", *OPTIONS, "--folds", "-q",
    )  # fmt: skip
    assert ended == (0, "", "")
    rows = [line.split("\t") for line in (planted / "sites.tsv").read_text().splitlines()[1:]]
    bed = "".join(f"{contig}\t{start}\t{end}\t.\t0\t{strand}\n" for contig, start, end, strand, _ in rows)
    (planted / "sites.bed").write_text(bed)
    return path


@pytest.fixture
def predicted(run, tmp_path):
    """Function: probe, genome and options -> what predict ended with, and its file."""

    def ran(probe, genome, *options):
        output = tmp_path / "predicted.h5"
        ended = run(
            "predict",
            probe,
            genome,
            "-o",
            output,
            "-t",
            "1",
            "--device",
            "cpu",
            "--json",
            "-q",
            "--natural-ratio",
            "0.5",
            *options,
        )
        return ended, output

    return ran


def raw_of(path):
    """Contig and place of a predicted site on the forward strand -> the log odds before calibration."""
    found = read_prediction(path)
    (target,) = found.targets
    rows = list(target.rows())
    contig, position, value = (
        np.concatenate([getattr(each, name)[each.strand > 0] for each in rows])
        for name in ("contig", "position", "value")
    )
    raw = (value - target.intercept[0]) / target.slope
    return {(found.contigs[c], p): v for c, p, v in zip(contig.tolist(), position.tolist(), raw.tolist(), strict=True)}


def of_test_rows(probe):
    """The same of the test rows of a probe."""
    result = read_probe(probe)["labels"]
    sites, value = result.sites, result.features["trained"].log_odds
    return {
        (sites.contigs[sites.contig[row]], int(sites.position[row])): float(value[row])
        for row in np.flatnonzero(sites.part == Part.TEST)
    }


def test_each_contig_is_predicted_by_the_fold_that_held_it_out(predicted, fold_probe, planted):
    ended, path = predicted(
        fold_probe, planted / "g.h5", "--sites", planted / "sites.bed", "--labels", planted / "sites.bed"
    )
    assert (ended.code, ended.err) == (0, "")
    told, expected, found = json.loads(ended.out), of_test_rows(fold_probe), raw_of(path)
    assert told["met"] == {}
    assert sorted(region for each in told["folds"] for region in each) == [f"{name}:1-{LENGTH}" for name in "abc"]
    assert all(len(each) == 1 for each in told["folds"])
    assert found.keys() == expected.keys()
    keys = sorted(found)
    np.testing.assert_allclose([found[key] for key in keys], [expected[key] for key in keys], atol=0.05)
    spread = np.std([expected[key] for key in keys])
    assert spread > 0.1  # by one fold alone the others' would be another probe's
    judged = told["targets"]["labels"]["judged"]
    assert {row["met"] for row in judged} == {"held out"}
    assert read_prediction(path).folds == tuple(map(tuple, told["folds"]))


def test_python_predicts_over_folds_alike(predicted, fold_probe, planted):
    _, path = predicted(fold_probe, planted / "g.h5", "--every-base", "--region", "b")
    models = [gl.load(planted / f"m.fold{fold}.h5", device="cpu") for fold in (1, 2, 3)]
    genome = gl.open_genome(planted / "g.h5")
    ours = gl.predict(fold_probe, genome, "b", model=models, every_base=True, natural_ratio=0.5).table()
    rows = list(read_prediction(path).targets[0].rows())
    theirs = np.concatenate([each.value for each in rows])
    np.testing.assert_allclose(ours["log_odds"], theirs, atol=1e-6)
    with pytest.raises(gl.UsageError, match="is of 3 models, and 1 are given; give those of all"):
        gl.predict(fold_probe, genome, "b", model=models[0], every_base=True)


def test_another_genome_is_predicted_by_folds_that_never_met_it(predicted, fold_probe, planted, finished, tmp_path):
    texts = [each.split("\n")[1] for each in (planted / "g.fa").read_text().split(">")[1:]]
    rng = np.random.default_rng(5)
    mixed = "".join(text[:4000] for text in texts)
    records = {"new": "".join(rng.choice(list("ACGT"), 3000)), "same": texts[1], "mixed": mixed}
    (tmp_path / "o.fa").write_text("".join(f">{name}\n{text}\n" for name, text in records.items()))
    assert finished("ingest", tmp_path / "o.fa", "-o", tmp_path / "o.h5", "-q").code == 0
    regions = ("--region", "new", "--region", "same")
    ended, path = predicted(fold_probe, tmp_path / "o.h5", "--every-base", *regions)
    assert (ended.code, ended.err) == (0, "")
    told, found, expected = json.loads(ended.out), raw_of(path), of_test_rows(fold_probe)
    folds, own = told["folds"], read_probe(fold_probe)["labels"]
    assert "new:1-3000" in folds[0]
    held_b = int(own.fold[(own.sites.part == Part.TEST) & (own.sites.contig == 1)][0])
    assert f"same:1-{LENGTH}" in folds[held_b - 1]
    of_b = [key for key in expected if key[0] == "b"]
    np.testing.assert_allclose([found["same", place] for _, place in of_b], [expected[key] for key in of_b], atol=0.05)
    ended, path = predicted(fold_probe, tmp_path / "o.h5", "--every-base", "-f")
    assert (ended.code, len(ended.err.splitlines())) == (3, 1)
    assert "every fold has met mixed of" in ended.err
    assert "leave them out with --region" in ended.err


def test_models_of_folds_are_found_by_their_hashes_or_named(predicted, fold_probe, planted, tmp_path):
    few = ("--every-base", "--region", "a:1-500")
    moved = tmp_path / "elsewhere" / "moved.fold1.h5"
    moved.parent.mkdir()
    for fold in (1, 2, 3):
        (planted / f"m.fold{fold}.h5").rename(moved.with_name(f"moved.fold{fold}.h5"))
    try:
        ended, path = predicted(fold_probe, planted / "g.h5", *few)
        assert (ended.code, path.exists()) == (3, False)
        assert "the model of fold 1 that" in ended.err
        assert predicted(fold_probe, planted / "g.h5", *few, "--model", moved)[0].code == 0
        ended, _ = predicted(fold_probe, planted / "g.h5", *few, "-f", "--model", tmp_path / "gone.h5")
        assert (ended.code, "gone.fold1.h5 does not exist" in ended.err) == (3, True)
        first = moved.read_bytes()
        moved.write_bytes(moved.with_name("moved.fold2.h5").read_bytes())
        ended, _ = predicted(fold_probe, planted / "g.h5", *few, "-f", "--model", moved)
        assert (ended.code, "was fitted to the states of another model than" in ended.err) == (3, True)
        moved.write_bytes(first)
    finally:
        for fold in (1, 2, 3):
            moved.with_name(f"moved.fold{fold}.h5").rename(planted / f"m.fold{fold}.h5")

"""`genolstm control` from a foreign table to a verdict: what `probe sites` says of the same states; refusals."""

import json

import anndata
import h5py
import numpy as np
import pandas
import pytest
import scipy.sparse
from in_process import called

import genolstm as gl
from genolstm.model import NextSymbolModel, trained_model
from genolstm.settings.reading import StreamSettings
from genolstm.states.sites import states_at
from genolstm.store.checkpoint import read_checkpoint
from genolstm.store.genome import open_genome
from genolstm.store.results import read_probe
from genolstm.stream.reader import GenomeReader

LENGTHS = {"I": 15_000, "II": 9_000, "III": 6_000}
HERE = ("-t", "1", "-q")
QUICK = ("--resamples", "40", "--flank", "16", "--kmer", "1", "--no-nn")
MOTIF = "GTATGT"
OFFSETS = (2, 4)
PARTS = ("--train-contigs", "I", "--valid-contigs", "III", "--test-contigs", "II")


def planted(rng):
    """Contig -> letters, and sites (contig, start, strand, label) of which every third has a motif."""
    texts, sites = {}, []
    for contig, length in LENGTHS.items():
        text = rng.choice(list("ACGT"), length)
        for number, start in enumerate(range(60, length - 60, 30)):
            label = "yes" if number % 3 == 0 else "no"
            if label == "yes":
                text[start : start + len(MOTIF)] = list(MOTIF)
            sites.append((contig, start, "+", label))
        texts[contig] = "".join(text)
    return texts, sites


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Genome, labels, a model trained for a second that holds out II, its states and those of its random-init twin."""
    where = tmp_path_factory.mktemp("control")
    texts, sites = planted(np.random.default_rng(1))
    (where / "g.fa").write_text("".join(f">{name}\n{text}\n" for name, text in texts.items()))
    (where / "s.bed").write_text("".join(f"{c}\t{p}\t{p + 1}\t{label}\t.\t{s}\n" for c, p, s, label in sites))
    assert called("ingest", where / "g.fa", "-o", where / "g.h5", "-q")[0] == 0
    code, _, err = called(
        "train", where / "g.h5", "-o", where / "m.h5", "--hidden", "8", "--lanes", "4", "--chunk", "64", "--bases",
        "40k", "--lr", "1e-2", "--test-contigs", "II", "--device", "cpu", *HERE,
    )  # fmt: skip
    assert code == 0, err
    code, _, err = called(
        "probe", "sites", where / "m.h5", "--genome", where / "g.h5", "--sites", where / "s.bed", "-o",
        where / "sites.h5", "--offsets", ",".join(map(str, OFFSETS)), "--components", "0", "--twins", "1", *PARTS,
        "--device", "cpu", *QUICK, *HERE,
    )  # fmt: skip
    assert code == 0, err
    places = read_probe(where / "sites.h5")["labels"].sites
    checkpoint, genome = read_checkpoint(where / "m.h5"), open_genome(where / "g.h5")
    models = {
        "trained": trained_model(checkpoint.model, checkpoint.weights),
        "twin": NextSymbolModel(checkpoint.model, seed=1, index=1).eval(),
    }
    for name, model in models.items():
        states = states_at(GenomeReader(model, genome, StreamSettings()), places, OFFSETS)
        columns = {
            "features": states, "contig": np.array(list(LENGTHS))[places.contig], "start": places.position,
            "strand": np.array(["-", ".", "+"])[places.strand + 1],
        }  # fmt: skip
        order = np.random.default_rng(2).permutation(len(states))  # matched by coordinates, so that order is free
        np.savez(where / f"{name}.npz", **{key: column[order] for key, column in columns.items()})
    return where


@pytest.fixture
def control(folder, tmp_path):
    """Function: table of features and options -> exit code, summary, stderr and the result file."""

    def ran(table, *options, sites=None, parts=PARTS):
        output = tmp_path / "o.h5"
        code, out, err = called(
            "control", table, "--genome", folder / "g.h5", "--sites", sites or folder / "s.bed", "-o", output, *QUICK,
            *parts, *HERE, "-f", "--json", *options,
        )  # fmt: skip
        return code, json.loads(out) if code == 0 else None, err, output

    return ran


def sites_of(folder):
    rows = [line.split("\t") for line in (folder / "s.bed").read_text().splitlines()]
    return [(row[0], int(row[1]), row[3]) for row in rows]


def saved(tmp_path, features, **columns):
    np.savez(tmp_path / "f.npz", features=features, **columns)
    return tmp_path / "f.npz"


# ---- the same as `probe sites`


def test_states_written_as_npz_give_what_probe_sites_says_to_the_last_bit(control, folder):
    code, told, err, path = control(folder / "trained.npz", "--random-init", folder / "twin.npz")
    assert code == 0, err
    ours, theirs = read_probe(path)["labels"], read_probe(folder / "sites.h5")["labels"]
    assert ours.features.keys() == theirs.features.keys()
    for name, features in theirs.features.items():
        np.testing.assert_array_equal(ours.features[name].coefficients, features.coefficients, err_msg=name)
        np.testing.assert_array_equal(ours.features[name].log_odds, features.log_odds, err_msg=name)
        assert ours.features[name].scores == features.scores
    assert (ours.differences, ours.verdict, ours.homology) == (theirs.differences, theirs.verdict, theirs.homology)
    assert told["task"] == "control"
    assert told["definition"]["rows_matched_by"] == "coordinates"
    assert "not known" in told["definition"]["held_out"]


def test_without_a_twin_the_verdict_says_so(control, folder, tmp_path):
    code, out, err = called(
        "control", folder / "trained.npz", "--genome", folder / "g.h5", "--sites", folder / "s.bed", "-o",
        tmp_path / "o.h5", *QUICK, "--test-contigs", "II", "--figure", tmp_path / "f.svg", "-t", "1",
    )  # fmt: skip
    assert code == 0, err
    assert out == ""
    assert "over sequence controls alone, without a random-init twin" in err
    assert "what the features were trained on is not known here" in err
    assert (tmp_path / "f.svg").stat().st_size > 1_000
    code, told, err, path = control(folder / "trained.npz")
    assert code == 0, err
    assert "untrained" not in told["scores"]
    assert told["definition"]["random_init"].startswith("no random-init twin was given")
    code, _, err = called("report", path, "-o", tmp_path / "r.html", "-q")
    assert code == 0, err
    page = (tmp_path / "r.html").read_text()
    assert "no random-init twin was given" in page
    assert "held out from the probe alone" in page


# ---- what it finds


def of_class(sites, scale, rng):
    """Features that hold the label under noise."""
    labels = np.array([label == "yes" for *_, label in sites], dtype=np.float64)
    return labels[:, None] + scale * rng.normal(size=(len(sites), 6))


@pytest.fixture(scope="module")
def drawn_labels(folder):
    """Sites whose labels no sequence tells."""
    rng = np.random.default_rng(3)
    sites = [(contig, start, ("no", "yes")[int(rng.random() < 0.3)]) for contig, start, _ in sites_of(folder)]
    path = folder / "drawn.bed"
    path.write_text("".join(f"{c}\t{p}\t{p + 1}\t{label}\n" for c, p, label in sites))
    return sites, path


def test_features_that_hold_the_label_gain(control, drawn_labels, tmp_path):
    sites, path = drawn_labels
    table = saved(tmp_path, of_class(sites, 1.0, np.random.default_rng(4)))
    code, told, err, _ = control(table, "--nn", sites=path)
    assert code == 0, err
    assert told["scores"]["nn"]["auroc"][0] > 0.7  # boosted trees on the same features, beside the verdict
    assert told["definition"]["rows_matched_by"] == "order"
    assert told["verdict"] == "gain"


@pytest.mark.slow
def test_random_numbers_gain_no_more_often_than_the_interval_promises(control, drawn_labels, tmp_path):
    sites, path = drawn_labels
    verdicts = []
    for seed in range(20):
        table = saved(tmp_path, np.random.default_rng(seed).normal(size=(len(sites), 12)).astype(np.float32))
        code, told, err, _ = control(table, sites=path)  # nothing tells these labels: controls stand at chance too
        assert code == 0, err
        verdicts.append(told["verdict"])
    assert set(verdicts) <= {"gain", "no gain"}
    assert verdicts.count("gain") <= 1
    code, told, err, _ = control(table)  # planted motifs
    assert code == 0, err
    assert told["verdict"] == "no gain"


def test_random_convolutions_beside_their_twin_give_no_gain(control, folder, tmp_path):
    contigs = dict(each.split("\n", 1) for each in (folder / "g.fa").read_text()[1:].split("\n>"))
    sites = sites_of(folder)
    windows = np.array([list(contigs[c][p - 16 : p + 17]) for c, p, _ in sites])
    hot = (windows[:, :, None] == np.array(list("ACGT"))).astype(np.float64)
    tables = []
    for seed in (1, 2):
        filters = np.random.default_rng(seed).normal(size=(6, 4, 24))
        found = sum(hot[:, place : place + 28] @ filters[place] for place in range(6))
        pooled = np.concatenate([np.maximum(found, 0).max(axis=1), np.maximum(found, 0).mean(axis=1)], axis=1)
        tables.append(tmp_path / f"cnn{seed}.npz")
        np.savez(tables[-1], features=pooled.astype(np.float32))
    code, told, err, _ = control(tables[0], "--random-init", tables[1])
    assert code == 0, err
    assert told["scores"]["trained"]["auroc"][0] > 0.6  # random filters do tell planted motifs, as their twin does
    assert told["verdict"] == "no gain"


# ---- every format holds the same table


def anndata_of(features, columns, names):
    obs = pandas.DataFrame({"contig": pandas.Categorical(columns["contig"]), "start": columns["start"]}, index=names)
    return anndata.AnnData(X=features, obs=obs)


@pytest.mark.parametrize("kind", ["h5ad", "sparse", "h5", "tsv", "embed"])
def test_every_format_gives_the_scores_of_the_archive(control, folder, tmp_path, kind):
    sites = sites_of(folder)
    features = np.round(np.random.default_rng(6).normal(size=(len(sites), 5)), 3).astype(np.float32)
    columns = {"contig": np.array([c for c, _, _ in sites]), "start": np.array([p for _, p, _ in sites])}
    _, expected, _, _ = control(saved(tmp_path, features, **columns))
    table, order = tmp_path / f"t.{kind}", np.random.default_rng(7).permutation(len(sites))
    features, columns = features[order], {name: column[order] for name, column in columns.items()}
    if kind in ("h5ad", "sparse"):
        matrix = scipy.sparse.csr_matrix(features) if kind == "sparse" else features
        anndata_of(matrix, columns, [f"cell{row}" for row in range(len(sites))]).write_h5ad(table)
    elif kind == "h5":
        with h5py.File(table, "w") as file:
            file["features"], file["start"] = features, columns["start"]
            file["contig"] = columns["contig"].astype("S")
    elif kind == "tsv":
        rows = zip(columns["contig"], columns["start"], features.tolist(), strict=True)
        text = "".join(f"{c}\t{p}\t7\t" + "\t".join(map(str, row)) + "\n" for c, p, row in rows)
        table.write_text("contig\tstart\tlabel\ta\tb\tc\td\te\n" + text)
    else:
        code, _, err = called(
            "embed", folder / "m.h5", folder / "g.h5", "--sites", folder / "s.bed", "-o", table, "--device", "cpu",
            *HERE,
        )  # fmt: skip
        assert code == 0, err
        code, told, err, path = control(table)
        assert code == 0, err
        assert read_probe(path)["labels"].features["trained"].coefficients.shape == (2 * 2 * 8,)
        assert told["definition"]["rows_matched_by"] == "coordinates"
        return
    code, told, err, _ = control(table)
    assert code == 0, err
    assert told["scores"] == expected["scores"]


def test_rows_are_matched_by_names_where_both_have_them(control, folder, tmp_path):
    sites = sites_of(folder)
    labels = tmp_path / "l.tsv"
    rows = [f"{c}\t{p}\t{label}\ts{row}\n" for row, (c, p, label) in enumerate(sites)]
    labels.write_text("contig\tstart\tlabel\tname\n" + "".join(rows))
    features = of_class(sites, 3.0, np.random.default_rng(4))
    _, expected, _, _ = control(saved(tmp_path, features))
    order = np.random.default_rng(7).permutation(len(sites))
    table = saved(tmp_path, features[order], name=np.array([f"s{row}" for row in order]))
    code, told, err, _ = control(table, sites=labels)
    assert code == 0, err
    assert told["definition"]["rows_matched_by"] == "names"
    assert told["scores"] == expected["scores"]


def test_windows_and_values_are_judged_too(control, folder, tmp_path):
    rng = np.random.default_rng(8)
    values = [(c, p, rng.normal()) for c, p, _ in sites_of(folder)]
    labels = tmp_path / "v.tsv"
    rows = [f"{c}\t{p - 20}\t{p + 20}\t{value:.6f}\n" for c, p, value in values]
    labels.write_text("contig\tstart\tend\tlabel\n" + "".join(rows))
    table = saved(tmp_path, np.array([[value + rng.normal(), rng.normal()] for *_, value in values]))
    code, told, err, path = control(table, "--kmers", "1", sites=labels)
    assert code == 0, err
    assert told["verdict"] == "gain"
    assert read_probe(path)["values"].width == 40


def test_python_says_what_the_command_says(control, folder, tmp_path):
    sites = sites_of(folder)
    features = of_class(sites, 3.0, np.random.default_rng(4)).astype(np.float32)
    _, told, _, _ = control(saved(tmp_path, features))
    result = gl.control(
        features, gl.open_genome(folder / "g.h5"), folder / "s.bed", resamples=40, flank=16, kmer=1, nn=False,
        test_contigs="II", valid_contigs="III",
    )  # fmt: skip
    assert result.task == "control"
    found = [value for name, score, value in zip(*list(result.table().values())[1:4], strict=True)
             if (name, score) == ("trained", "auprc")]  # fmt: skip
    assert found == [told["scores"]["trained"]["auprc"][0]]


# ---- what it refuses, each in one sentence


def refused(ended, code=3):
    assert ended[0] == code, ended[2]
    lines = [line for line in ended[2].splitlines() if line.startswith("genolstm: ")]
    assert len(lines) == 1, ended[2]
    assert not ended[3].exists()
    return lines[0]


def changed(sites, **columns):
    """Arguments of a table whose columns are changed by functions of name -> function."""
    there = {
        "features": np.random.default_rng(1).normal(size=(len(sites), 3)),
        "contig": np.array([c for c, _, _ in sites]),
        "start": np.array([p for _, p, _ in sites]),
    }
    return {name: columns.get(name, lambda same: same)(column) for name, column in there.items()}


def with_value(value):
    def change(features):
        features[4, 1] = value
        return features

    return change


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"features": with_value(np.nan)}, "row 5, feature 2 is nan; give finite numbers, or leave the site out"),
        ({"features": with_value(1e300)}, "row 5, feature 2 is inf; give finite numbers"),
        ({"start": lambda start: start + 1}, "has no row for 988 of 988 sites of s.bed, the first at I:61; add their"),
        ({"start": lambda start: np.append(start[1], start[1:])}, "has several rows for 1 site of s.bed, the first at"),
        ({"start": lambda start: start[:-1]}, "holds 988 rows of features and 987 of 'start'; give a row of each"),
        ({"start": lambda start: start + 0.5}, "'start' must hold whole numbers, 0-based as in BED"),
        ({"features": lambda rows: rows.astype(str)}, "not numbers; give floats."),
        ({"features": lambda rows: rows[:, 0]}, "are 988; give a table of a row a site and a column a feature."),
        ({"contig": lambda contig: contig.astype(object)}, "is no NumPy archive of plain arrays"),
    ],
)  # fmt: skip
def test_a_table_that_does_not_fit_ends_with_one_sentence(control, folder, tmp_path, changes, sentence):
    said = refused(control(saved(tmp_path, **changed(sites_of(folder), **changes))))
    assert sentence in said.replace(f"{folder}/", "")


def test_rows_without_coordinates_must_be_as_many_as_the_sites(control, folder, tmp_path):
    sites = sites_of(folder)
    said = refused(control(saved(tmp_path, np.zeros((len(sites) - 1, 2)))))
    assert "has 987 rows and" in said
    assert "988 sites, and nothing says which is which; add the columns contig and start" in said
    labels = tmp_path / "more.bed"
    labels.write_text((folder / "s.bed").read_text() + "other\t5\t6\tyes\n")
    said = refused(control(saved(tmp_path, np.zeros((len(sites), 2))), sites=labels))
    assert "1 rows of" in said
    assert "left out, so that their order means nothing" in said


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("contig\tstart\ta\nI\t60\tx\n", "line 2: column 'a' holds 'x', which is no number"),
        ("contig\tstart\ta\nI\t60\n", "line 2 has 2 columns, its header names 3"),
        ("contig\tstart\tlabel\nI\t60\t1\n", "its header names no column of features but contig, start, label"),
        ("contig\tstart\tstart\ta\nI\t60\t61\t1\n", "its header names the column 'start' twice"),
        ("contig\tstart\ta\n", "holds no row of features"),
    ],
)
def test_text_that_is_no_table_ends_with_one_sentence(control, tmp_path, text, sentence):
    (tmp_path / "t.tsv").write_text(text)
    assert sentence in refused(control(tmp_path / "t.tsv"))


def test_files_of_other_kinds_are_named(control, folder, tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((3, 2)))
    assert "is a single NumPy array; save it with numpy.savez" in refused(control(tmp_path / "a.npy"))
    assert "is a genome file where a hidden file is needed" in refused(control(folder / "g.h5"))
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["other"] = np.zeros(3)
    assert "holds neither X and obs, as AnnData does, nor a dataset 'features', but other" in refused(
        control(tmp_path / "x.h5")
    )
    np.savez(tmp_path / "n.npz", states=np.zeros((3, 2)))
    assert "holds no array 'features' but states" in refused(control(tmp_path / "n.npz"))
    assert "cannot be read" in refused(control(tmp_path / "none.npz"))


@pytest.mark.parametrize(
    ("edit", "options", "sentence"),
    [
        (lambda text: text.replace("yes", "no"), (), "have one label, 'no'; give sites of another class."),
        (lambda text: text + "I\t60\t61\tno\t.\t+\n", (), "1 site with two labels, the first at I:61"),
        (lambda text: "".join(f"{row}\n" for row in text.splitlines() if row.startswith("I\t")), (), "the valid part"),
        (lambda text: "".join(
            "\t".join([*line.split("\t")[:3], f"x{row}"]) + "\n" for row, line in enumerate(text.splitlines())
        ), (), "classes for 988 sites: its labels look like names or values; give classes of several sites each, or"),
    ],
)  # fmt: skip
def test_labels_that_cannot_be_probed_end_with_one_sentence(control, folder, tmp_path, edit, options, sentence):
    labels = tmp_path / "l.bed"
    labels.write_text(edit((folder / "s.bed").read_text()))
    said = refused(control(folder / "trained.npz", *options, sites=labels))
    assert sentence in said
    assert "--negatives" not in said


def test_parts_must_be_named(control, folder):
    said = refused(control(folder / "trained.npz", parts=()), code=2)
    assert "no model says which sites are for test; name --test-contigs" in said


def test_a_twin_of_another_shape_is_refused(control, folder, tmp_path):
    sites = sites_of(folder)
    twin = saved(tmp_path, np.zeros((len(sites), 3)))
    assert "has 3 features and" in refused(control(folder / "trained.npz", "--random-init", twin))

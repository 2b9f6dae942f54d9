"""`genolstm probe sites` from labels to a verdict: the scores of other probes on the same sites; refusals."""

import json

import numpy as np
import pytest
from in_process import called
from made_genes import as_gff3, made_genes

from genolstm.regions import STRAND_LETTERS, Part
from genolstm.store.files import open_file
from genolstm.store.results import read_probe
from genolstm.store.schema import Kind
from genolstm.writers.bigwig import write_bigwig

LENGTHS = {"I": 12_000, "II": 6_000, "III": 3_000}
HERE = ("-t", "1", "--device", "cpu", "-q")
TRAIN = (
    "--hidden", "8", "--lanes", "4", "--chunk", "64", "--bases", "60k", "--lr", "1e-2", "--test-contigs", "II", *HERE,
)  # fmt: skip
SPLICE = (
    "--twins",
    "1",
    "--decoys",
    "3",
    "--offsets",
    "2,4",
    "--resamples",
    "20",
    "--control-window",
    "16",
    "--kmer",
    "1",
)
POINTS = ("--twins", "1", "--offsets", "2,4", "--resamples", "20", "--flank", "16", "--kmer", "1")
WINDOWS = ("--twins", "1", "--resamples", "20", "--kmers", "1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Genome, genes, a model trained for seconds that holds out II, and its splice result."""
    where = tmp_path_factory.mktemp("sites")
    texts, genes = made_genes(1, LENGTHS)
    (where / "g.fa").write_text("".join(f">{name}\n{text}\n" for name, text in texts.items()))
    (where / "g.gff3").write_text(as_gff3(genes))
    assert called("ingest", where / "g.fa", "-o", where / "g.h5", "-q")[0] == 0
    assert called("train", where / "g.h5", "-o", where / "m.h5", *TRAIN)[0] == 0
    assert called(
        "probe", "splice", where / "m.h5", "--genome", where / "g.h5", "--annotation", where / "g.gff3",
        "-o", where / "splice.h5", *SPLICE, *HERE,
    )[0] == 0  # fmt: skip
    for target in ("donor", "acceptor"):
        code, _, err = called(
            "export", where / "splice.h5", "--table", f"{target}/sites", "-o", where / f"{target}.tsv"
        )
        assert code == 0, err
    return where


@pytest.fixture
def probe(folder, tmp_path):
    """Function: text of a file of sites (or its path) and options -> exit code, summary, stderr and the result file."""

    def ran(sites, *options, ending="bed", quick=POINTS):
        path = sites
        if isinstance(sites, str):
            path = tmp_path / f"s.{ending}"
            path.write_text(sites)
        output = tmp_path / "o.h5"
        code, out, err = called(
            "probe", "sites", folder / "m.h5", "--genome", folder / "g.h5", "--sites", path, "-o", output, *quick,
            *HERE, "-f", "--json", *options,
        )  # fmt: skip
        return code, json.loads(out) if code == 0 else None, err, output

    return ran


def donors_of(folder, kinds=("0", "1")):
    """Rows (contig, position, strand, label) of the donors of the splice result and their decoys."""
    sites = read_probe(folder / "splice.h5")["donor"].sites
    columns = (sites.contig, sites.position, sites.strand, sites.label)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [(list(LENGTHS)[c], p, STRAND_LETTERS[s], kinds[label]) for c, p, s, label in rows]


def as_bed(rows):
    return "".join(f"{contig}\t{start}\t{start + 1}\t{label}\t.\t{strand}\n" for contig, start, strand, label in rows)


def same_features(one, other, *, but=()):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name].coefficients, other[name].coefficients, err_msg=name)
        np.testing.assert_array_equal(one[name].log_odds, other[name].log_odds, err_msg=name)
        for score in one[name].scores.keys() - set(but):
            assert one[name].scores[score] == other[name].scores[score], (name, score)


# ---- the same scores as the probes that know their sites


@pytest.mark.parametrize("target", ["donor", "acceptor"])
def test_exported_splice_sites_give_the_scores_of_the_splice_probe_to_the_last_bit(probe, folder, target):
    text = (folder / f"{target}.tsv").read_text()
    header, *lines = text.splitlines()
    place = header.split("\t").index("part")
    partless = "\n".join(
        "\t".join(c for i, c in enumerate(line.split("\t")) if i != place) for line in (header, *lines)
    )
    code, told, err, path = probe(partless + "\n", ending="tsv")
    assert code == 0, err
    found, splice = read_probe(path)["labels"], read_probe(folder / "splice.h5")[target]
    same_features(splice.features, found.features, but=["auprc_natural"])
    assert found.differences == splice.differences
    assert (found.verdict, found.best_control, found.homology) == (splice.verdict, splice.best_control, splice.homology)
    np.testing.assert_array_equal(found.sites.part, splice.sites.part)
    assert told["task"] == "sites"
    assert told["verdict"] == splice.verdict
    assert told["definition"]["classes"] == ["0", "1"]


def test_parts_of_a_table_are_taken_as_they_are(probe, folder):
    small_blocks = ("--block-bp", "100")
    code, _, err, path = probe((folder / "donor.tsv").read_text(), *small_blocks, ending="tsv")
    assert code == 0, err
    found, splice = read_probe(path)["labels"], read_probe(folder / "splice.h5")["donor"]
    np.testing.assert_array_equal(found.sites.part, splice.sites.part)
    np.testing.assert_array_equal(found.features["trained"].log_odds, splice.features["trained"].log_odds)


def test_bed_gives_what_the_table_gives(probe, folder):
    code, _, err, path = probe(as_bed(donors_of(folder, ("decoy", "donor"))), "--positive", "donor")
    assert code == 0, err
    splice = read_probe(folder / "splice.h5")["donor"]
    same_features(splice.features, read_probe(path)["labels"].features, but=["auprc_natural"])


@pytest.fixture(scope="module")
def opened(folder):
    """Folder with a result of `probe accessibility` too: windows of 50 bp, open where reads are many."""
    rng = np.random.default_rng(2)
    fragments, peaks = [], []
    for name, length in LENGTHS.items():
        rate = np.full(length, 0.05)
        for start in range(0, length - 50, 50):
            if rng.random() < 1 / 4:
                rate[start : start + 50] = 0.5
                peaks.append(f"{name}\t{start}\t{start + 50}\n")
        starts = np.flatnonzero(rng.random(length - 40) < rate[:-40]).tolist()
        fragments += [f"{name}\t{start}\t{start + 30}\n" for start in starts]
    (folder / "p.bed").write_text("".join(peaks))
    (folder / "f.bed").write_text("".join(fragments))
    code, _, err = called("track", folder / "f.bed", "--genome", folder / "g.h5", "-o", folder / "t.h5", *HERE[-1:])
    assert code == 0, err
    code, _, err = called(
        "probe", "accessibility", folder / "m.h5", "--genome", folder / "g.h5", "--track", folder / "t.h5",
        "--peaks", folder / "p.bed", "-o", folder / "access.h5", "--window", "50", "--permutations", "20", *WINDOWS,
        "--valid-contigs", "III", *HERE,
    )  # fmt: skip
    assert code == 0, err
    return folder


@pytest.mark.parametrize(("target", "asked"), [("peaks", "labels"), ("signal", "values")])
def test_windows_of_the_accessibility_probe_give_its_scores_to_the_last_bit(probe, opened, target, asked):
    access = read_probe(opened / "access.h5")[target]
    truth = access.features["trained"].label.tolist()
    sites = zip(access.sites.contig.tolist(), access.sites.position.tolist(), truth, strict=True)
    rows = [f"{list(LENGTHS)[contig]}\t{start}\t{start + 50}\t.\t{label!r}\n" for contig, start, label in sites]
    code, _, err, path = probe(
        "contig\tstart\tend\tstrand\tlabel\n" + "".join(rows), "--valid-contigs", "III", ending="tsv", quick=WINDOWS,
    )  # fmt: skip
    assert code == 0, err
    found = read_probe(path)[asked]
    same_features(access.features, found.features)
    assert found.differences == access.differences
    assert (found.width, found.pooling) == (50, ("mean", "max"))


# ---- what it finds


def test_planted_classes_are_found_and_random_labels_give_no_gain(probe, folder):
    rows = donors_of(folder, ("decoy", "donor"))
    rng = np.random.default_rng(5)
    code, told, err, _ = probe(as_bed(rows))
    assert code == 0, err
    assert told["scores"]["trained"]["auroc"][0] > 0.9
    drawn = [
        (contig, start, "+", "yn"[int(rng.integers(2))])
        for contig, length in LENGTHS.items()
        for start in range(20, length - 20, 5)
    ]
    code, told, err, _ = probe(as_bed(drawn))
    assert code == 0, err
    assert told["verdict"] == "no gain"
    assert abs(told["scores"]["trained"]["auroc"][0] - 0.5) < 0.2


def test_three_classes_are_told_apart(probe, folder, tmp_path):
    sites = read_probe(folder / "splice.h5")
    labels = {}
    for target in ("donor", "acceptor"):
        each = sites[target].sites
        for contig, start, strand, label in zip(each.contig, each.position, each.strand, each.label, strict=True):
            place = list(LENGTHS)[contig], int(start), STRAND_LETTERS[int(strand)]
            if label or place not in labels:  # a decoy of the one may be a site of the other
                labels[place] = target if label else "neither"
    rows = [(*place, label) for place, label in labels.items()]
    code, told, err, path = probe(as_bed(rows), "--figure", tmp_path / "f.svg")
    assert code == 0, err
    assert told["definition"]["classes"] == ["acceptor", "donor", "neither"]
    assert set(told["scores"]["trained"]) == {"accuracy", "auroc_mean", "auprc_mean"}
    assert read_probe(path)["labels"].features["trained"].log_odds.shape[1] == 3


def test_matched_negatives_share_kmer_strand_and_part_and_keep_clear(probe, folder):
    positives = [row for row in donors_of(folder, ("decoy", "donor")) if row[3] == "donor"]
    code, told, err, path = probe(as_bed(positives), "--negatives", "matched", "--ratio", "2", "--margin", "20")
    assert code == 0, err
    sites = read_probe(path)["labels"].sites
    true, drawn = (np.flatnonzero(sites.label == kind) for kind in (1, 0))
    definition = told["definition"]
    assert definition["negatives_drawn"] == len(drawn) > len(true)
    assert definition["negatives_asked"] == 2 * len(true)
    texts = dict(each.split("\n", 1) for each in (folder / "g.fa").read_text()[1:].split("\n>"))

    def around(row):
        text = texts[list(LENGTHS)[sites.contig[row]]]
        letters = text[sites.position[row] - 1 : sites.position[row] + 2]
        return letters if sites.strand[row] > 0 else letters[::-1].translate(str.maketrans("ACGT", "TGCA"))

    assert {around(row) for row in drawn} <= {around(row) for row in true}
    assert all(around(row)[1:] == "GT" for row in drawn)
    for row in drawn:
        near = sites.position[true][sites.contig[true] == sites.contig[row]]
        assert np.abs(near - sites.position[row]).min() >= 20
    for part in Part:
        n_true, n_drawn = ((sites.part[rows] == part).sum() for rows in (true, drawn))
        assert 0 < n_drawn <= 2 * n_true
    assert told["records"]["used"] == len(true)


def test_windows_of_a_bigwig_have_its_mean(probe, tmp_path):
    rng = np.random.default_rng(6)
    counts = {name: rng.poisson(3, length).astype(np.float32) for name, length in LENGTHS.items()}
    runs = ((name, np.arange(len(each)), np.arange(len(each)) + 1, each) for name, each in counts.items())
    write_bigwig(tmp_path / "s.bw", LENGTHS, runs)
    code, told, err, path = probe(tmp_path / "s.bw", "--window", "60", "--figure", tmp_path / "f.svg", quick=WINDOWS)
    assert code == 0, err
    result = read_probe(path)["values"]
    expected = [
        counts[list(LENGTHS)[contig]][start : start + 60].mean()
        for contig, start in zip(result.sites.contig, result.sites.position, strict=True)
    ]
    np.testing.assert_allclose(result.features["trained"].label, expected, rtol=1e-6)
    assert told["verdict"] == "no gain"


def test_repeated_rows_are_used_once_and_reported(probe, folder):
    rows = donors_of(folder)
    code, told, err, _ = probe(as_bed(rows + rows[:5]))
    assert code == 0, err
    assert told["records"]["skipped"] == {"the same site again": 5}
    assert (told["records"]["read"], told["records"]["used"]) == (len(rows) + 5, len(rows))
    assert told["definition"]["repeated_rows"] == 5


def test_offsets_may_lie_short_of_a_site(probe, folder):
    code, told, err, path = probe(as_bed([*donors_of(folder), ("I", 6, "+", "0")]), "--offsets=-9,2")
    assert code == 0, err
    result = read_probe(path)["labels"]
    assert result.offsets == (-9, 2)
    assert result.features["trained"].coefficients.shape == (2 * 2 * 8,)
    assert told["records"]["skipped"] == {"at a contig's end": 1}


def test_negatives_of_a_file_stand_beside_positives(probe, folder, tmp_path):
    rows = donors_of(folder, ("decoy", "donor"))
    (tmp_path / "n.bed").write_text(as_bed([row for row in rows if row[3] == "decoy"]))
    code, told, err, path = probe(as_bed([row for row in rows if row[3] == "donor"]), "--negatives", tmp_path / "n.bed")
    assert code == 0, err
    assert told["definition"]["classes"] == ["negative", "donor"]
    same_features(
        read_probe(folder / "splice.h5")["donor"].features, read_probe(path)["labels"].features, but=["auprc_natural"]
    )


def test_result_is_drawn_reported_and_of_task_sites(probe, folder, tmp_path):
    code, _, err, path = probe(as_bed(donors_of(folder)), "--figure", tmp_path / "f.svg")
    assert code == 0, err
    assert (tmp_path / "f.svg").stat().st_size > 1_000
    with open_file(path, Kind.PROBE) as file:
        assert file.attrs["task"] == "sites"
        assert "sites" in json.loads(file.attrs["inputs"])
    code, _, err = called("report", path, "-o", tmp_path / "r.html", "-q")
    assert code == 0, err
    assert "the labels of the sites" in (tmp_path / "r.html").read_text()


# ---- what it refuses, each in one sentence


def refused(ended, code=3):
    assert ended[0] == code, ended[2]
    lines = [line for line in ended[2].splitlines() if line.startswith("genolstm: ")]
    assert len(lines) == 1, ended[2]
    assert not ended[3].exists()
    return lines[0]


ROWS = "".join(f"I\t{100 * k}\t{100 * k + 1}\t{'ab'[k % 2]}\n" for k in range(1, 50))


@pytest.mark.parametrize(
    ("text", "options", "sentence"),
    [
        (ROWS.replace("b", "a"), (), "have one label, 'a'; add --negatives matched, or give sites of another class."),
        ("contig\tstart\tlabel\nI\t5\ta\nI\t6\tb\n", ("--negatives", "matched"), "has several labels (a, b); leave"),
        (ROWS + "I\t100\t101\ta\n", (), "1 site with two labels, the first at I:101 ('a' and 'b'); keep one for each"),
        (ROWS + "II\t5999\t6001\ta\n", (), "the interval 5999-6001 reaches over the end of II, which has 6000 bp"),
        (ROWS.replace("I\t", "chrI\t"), (), "they differ by the prefix 'chr'"),
        (ROWS + "I\t7\t9\ta\n", (), "holds intervals of 1 to 2 bp; give points or windows of one length"),
        (ROWS.replace("1\ta", "9\ta").replace("1\tb", "9\tb"), (), "windows of 9 bp, which hold no 31-mer"),
        (ROWS, (), "the test part holds 0 'b', 0 'a' of"),
        (ROWS, ("--positive", "c"), "--positive 'c' is not one of two classes of"),
        (ROWS, ("--labels-as", "values"), "has the label 'b', which is no value; correct it"),
        ("".join(f"I\t{100 * k}\t{100 * k + 1}\tx{k}\n" for k in range(1, 50)), (), "has 47 classes for 47 sites"),
        ("contig\tstart\tlabel\tpart\nI\t5\ta\ttesting\n", (), "the part is 'testing', not train, valid"),
        ("contig\tstart\tend\nI\t5\t6\n", (), "its header has no column 'label'"),
        ("contig\tstart\tlabel\nI\t5\t\n", (), "line 2: the label is ''; give each site one"),
        ("contig\tstart\tlabel\nI\tx\ta\n", (), "line 2: start and end must be whole numbers"),
        ("contig\tstart\tlabel\nX\t5\ta\n", (), "it has X and the genome has I, II, III"),
        ("contig\tstart\tlabel\tpart\nI\t500\ta\ttest\n", (), "names 1 site for test that m.h5 was trained on"),
    ],
)  # fmt: skip
def test_bad_input_ends_with_one_sentence(probe, text, options, sentence, folder):
    said = refused(probe(text, *options))
    assert sentence in said.replace(f"{folder}/", "")


def test_parts_of_the_file_and_named_contigs_are_refused_together(probe):
    text = "contig\tstart\tlabel\tpart\nII\t500\ta\ttest\n"
    assert "names the part of each site" in refused(probe(text, "--test-contigs", "II", ending="tsv"), code=2)

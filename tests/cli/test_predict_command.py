"""``genolstm predict`` from a probe's file to predictions: what is in the files, what is said, what is refused."""

import json
import shutil

import h5py
import numpy as np
import pytest
from in_process import called

from genolstm.alphabet import DNA, decode
from genolstm.predicting.along import decide_along
from genolstm.probes.apply import read_fitted
from genolstm.regions import STRAND_LETTERS, Part
from genolstm.store.genome import open_genome
from genolstm.store.prediction import read_prediction
from genolstm.store.results import read_probe

LENGTHS = {"I": 12_000, "II": 6_000, "III": 3_000}
HERE = ("-t", "1", "--device", "cpu", "-q")
TRAIN = (
    "--hidden", "8", "--lanes", "4", "--chunk", "64", "--bases", "30k", "--lr", "1e-2", "--test-contigs", "II", *HERE,
)  # fmt: skip
SPLICE = (
    "--twins", "1", "--decoys", "3", "--decoys-from", "contig", "--offsets", "2,4,mean:-9:-2,max:-9:-2", "--resamples",
    "20", "--control-window", "16", "--kmer", "1",
)  # fmt: skip
POINTS = ("--twins", "1", "--resamples", "20", "--offsets", "0,3", "--flank", "16", "--kmer", "1")
WINDOWS = ("--twins", "1", "--resamples", "20", "--kmers", "1", "--window", "50")


def made_genes(rng):
    """Contig -> letters, and GFF3 of genes with one intron each, GTATGT...TTTTAG."""
    texts, lines = {}, ["##gff-version 3"]
    for contig, length in LENGTHS.items():
        text = rng.choice(list("ACGT"), length)
        for number, start in enumerate(range(60, length - 200, 150)):
            left, right = start + 30, start + 30 + int(rng.integers(26, 44))
            strand = "+-"[int(rng.integers(2))]
            first, last = ("GTATGT", "TTTTAG") if strand == "+" else ("CTAAAA", "ACATAC")
            text[left : left + 6], text[right - 6 : right] = list(first), list(last)
            name = f"{contig}.{number}"
            lines.append(f"{contig}\tmade\tmRNA\t{start + 1}\t{right + 30}\t.\t{strand}\t.\tID={name}")
            lines += [
                f"{contig}\tmade\t{kind}\t{low + 1}\t{high}\t.\t{strand}\t{phase}\tParent={name}"
                for low, high in ((start, left), (right, right + 30))
                for kind, phase in (("exon", "."), ("CDS", "0"))
            ]
        texts[contig] = "".join(text)
    return texts, "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Genome, genes, a model that holds out II, probes of splice sites, of windows in several classes, of values."""
    where = tmp_path_factory.mktemp("predict")
    rng = np.random.default_rng(1)
    texts, genes = made_genes(rng)
    (where / "g.fa").write_text("".join(f">{name}\n{text}\n" for name, text in texts.items()))
    (where / "other.fa").write_text(f">new\n{texts['II'][:2000]}\n>same\n{texts['III']}\n")
    (where / "p.fa").write_text(">p\nMKLVAGTWEDNPQRSTYHFICMKLVAGTWEDNPQRSTYHFIC\n")
    (where / "g.gff3").write_text(genes)
    windows = [
        (name, at, ["x", "y", "z"][int(rng.integers(3))], float(rng.random()))
        for name, length in LENGTHS.items() for at in range(50, length - 100, 50)
    ]  # fmt: skip
    (where / "three.bed").write_text("".join(f"{name}\t{at}\t{at + 50}\t{label}\n" for name, at, label, _ in windows))
    (where / "value.bed").write_text("".join(f"{name}\t{at}\t{at + 50}\t{value}\n" for name, at, _, value in windows))
    (where / "two.bed").write_text(
        "".join(f"{n}\t{at}\t{at + 1}\t{label == 'x':d}\t0\t+\n" for n, at, label, _ in windows)
    )
    for stem in ("g", "other"):
        assert called("ingest", where / f"{stem}.fa", "-o", where / f"{stem}.h5", "-q")[0] == 0
    assert called("ingest", where / "p.fa", "-o", where / "p.h5", "--alphabet", "protein", "-q")[0] == 0
    assert called("train", where / "g.h5", "-o", where / "m.h5", *TRAIN)[0] == 0
    made = ("--genome", where / "g.h5", *HERE)
    for arguments in (
        ("splice", where / "m.h5", "--annotation", where / "g.gff3", "-o", where / "splice.h5", *SPLICE),
        ("sites", where / "m.h5", "--sites", where / "three.bed", "-o", where / "three.h5", *WINDOWS),
        ("sites", where / "m.h5", "--sites", where / "value.bed", "-o", where / "value.h5", *WINDOWS),
        ("sites", where / "m.h5", "--sites", where / "two.bed", "-o", where / "two.h5", *POINTS),
    ):  # fmt: skip
        code, _, err = called("probe", *arguments, *made)
        assert code == 0, err
    return where


@pytest.fixture
def predict(folder, tmp_path):
    """Function: name of a probe and options -> exit code, summary, stderr and the file."""

    def ran(probe, *options, genome="g"):
        path = folder / f"{probe}.h5" if isinstance(probe, str) else probe
        output = tmp_path / "o.h5"
        code, out, err = called("predict", path, folder / f"{genome}.h5", "-o", output, *HERE, "-f", "--json", *options)
        return code, json.loads(out) if code == 0 else None, err, output

    return ran


def rows_of(path, target):
    columns = zip(*(rows[:5] for rows in dict_of(path)[target].rows()), strict=True)
    return [None if any(each is None for each in column) else np.concatenate(column) for column in columns]


def dict_of(path):
    return {each.name: each for each in read_prediction(path).targets}


def test_every_dinucleotide_is_told_and_the_probes_own_rows_have_their_log_odds(predict, folder):
    code, told, err, path = predict("splice", "--annotation", folder / "g.gff3")
    assert code == 0, err
    genome = open_genome(folder / "g.h5")
    for target, result in read_probe(folder / "splice.h5").items():
        found = dict_of(path)[target]
        contig, position, strand, value, probability = rows_of(path, target)
        where = {
            key: row for row, key in enumerate(zip(contig.tolist(), position.tolist(), strand.tolist(), strict=True))
        }
        sites = result.sites
        mine = [
            where[key]
            for key in zip(sites.contig.tolist(), sites.position.tolist(), sites.strand.tolist(), strict=True)
        ]
        raw = (value[mine] - found.intercept[0]) / found.slope
        np.testing.assert_allclose(raw, result.features["trained"].log_odds, atol=0.05)
        np.testing.assert_allclose(probability, 1 / (1 + np.exp(-value)), atol=1e-5)
        text = {
            name: decode(genome.all_codes[a : a + n], DNA)
            for name, a, n in zip(genome.names, genome.starts, genome.lengths, strict=True)
        }
        pair = {"donor": ("GT", "AC"), "acceptor": ("AG", "CT")}[target]
        count = sum(each.count(one) for each in text.values() for one in pair)
        assert count - 15 <= len(contig) < count
        held = next(row for row in told["targets"][target]["judged"] if row["group"] == "all held out")
        assert held["candidates"] == (contig == 1).sum()
        assert held["auprc"] > 0.2
        assert told["targets"][target]["natural_ratio"] == result.prevalence
    assert set(told["met"]) == {"I", "III"}
    with h5py.File(path) as file:
        flags = file["donor/candidates/flags"][()]
        np.testing.assert_array_equal(flags > 0, file["donor/candidates/contig"][()] != 1)


def test_files_beside_the_table(predict, folder, tmp_path):
    texts = {
        name: "".join(lines.splitlines()[1:])
        for name, lines in zip(LENGTHS, (folder / "g.fa").read_text().split(">")[1:], strict=True)
    }
    code, told, err, path = predict(
        "splice", "--bed", tmp_path / "p.bed", "--bigwig", tmp_path / "bw", "--splice-scores", tmp_path / "s.tsv",
        "--min-score", "0.3", "--figure", tmp_path / "f.svg", "--annotation", folder / "g.gff3",
    )  # fmt: skip
    assert code == 0, err
    lines = [line.split("\t") for line in (tmp_path / "s.tsv").read_text().splitlines()]
    assert len(lines) == sum(each["candidates"] for each in told["targets"].values())
    paired = str.maketrans("ACGT", "TGCA")
    for contig, offset, strand, kind, _ in lines:
        text, at = texts[contig], int(offset)
        if strand == "-":
            text, at = text.translate(paired)[::-1], len(text) - at
        assert (text[at : at + 2] if kind == "D" else text[at - 2 : at]) == {"D": "GT", "A": "AG"}[kind]
    rows = sum(each["rows"] for each in told["targets"].values())
    bed = [line.split("\t") for line in (tmp_path / "p.bed").read_text().splitlines()]
    assert 0 < len(bed) == rows < len(lines)
    assert {line[3].endswith("|seen") for line in bed if line[0] == "II"} == {False}
    assert {line[3].endswith("|seen") for line in bed if line[0] != "II"} == {True}
    assert min(rows_of(path, "donor")[4]) >= 0.3
    assert sorted(each.name for each in tmp_path.glob("bw.*")) == [
        f"bw.{name}.{strand}.bw" for name in ("acceptor", "donor") for strand in ("forward", "reverse")
    ]
    assert {each.name for each in tmp_path.glob("f*.svg")} == {
        "f.svg", "f-donor-precision-recall.svg", "f-acceptor-reliability.svg", "f-donor-reliability.svg"
    }  # fmt: skip
    code, out, _ = called("show", path)
    assert code == 0
    assert "probe fitted on it" in out
    for ending in ("tsv", "bed", "bw"):
        options = ["--table", "donor/forward"] if ending == "bw" else ["--table", "donor/candidates"]
        code, _, err = called("export", path, "-o", tmp_path / f"x.{ending}", *options, "-q")
        assert code == 0, err
    exported = [line.split("\t") for line in (tmp_path / "x.bed").read_text().splitlines()]
    assert [(each[0], each[1], each[3], each[5]) for each in exported] == [
        (each[0], each[1], each[3], each[5]) for each in bed if each[3].startswith("donor")
    ]
    header, *table = (tmp_path / "x.tsv").read_text().splitlines()
    assert header.split("\t") == ["contig", "position", "strand", "flags", "log_odds", "probability"]
    assert {line.split("\t")[3] for line in table if line.startswith("II\t")} == {"."}


def test_a_region_and_sites_give_what_the_whole_gives(predict, tmp_path):
    _, _, _, path = predict("splice")
    contig, position, strand, value, _ = rows_of(path, "donor")
    inside = (contig == 1) & (position >= 1000) & (position < 3000)
    code, _, err, path = predict("splice", "--region", "II:1,001-3,000")
    assert code == 0, err
    _, at, _, part, _ = rows_of(path, "donor")
    np.testing.assert_array_equal(at, position[inside])
    np.testing.assert_allclose(part, value[inside], atol=0.02)
    some = np.flatnonzero(inside)[:9]
    (tmp_path / "s.bed").write_text(
        "".join(
            f"II\t{position[row]}\t{position[row] + 1}\t.\t0\t{STRAND_LETTERS[int(strand[row])]}\n"
            for row in some[::-1]
        )
    )
    code, _, err, path = predict("splice", "--sites", tmp_path / "s.bed")
    assert code == 0, err
    np.testing.assert_allclose(rows_of(path, "donor")[3], value[some], atol=0.02)


def test_windows_of_several_classes_and_of_values(predict, folder, tmp_path):
    code, told, err, path = predict("three", "--bed", tmp_path / "p.bed", "--bigwig", tmp_path / "bw")
    assert code == 0, err
    probe = read_probe(folder / "three.h5")["labels"]
    contig, position, strand, value, probability = rows_of(path, "labels")
    assert value.shape == probability.shape == (len(contig), 3)
    assert set(strand.tolist()) == {0}
    assert told["targets"]["labels"]["classes"] == ["x", "y", "z"]
    np.testing.assert_allclose(probability.sum(axis=1), 1, atol=1e-5)
    where = {key: row for row, key in enumerate(zip(contig.tolist(), position.tolist(), strict=True))}
    pairs = [
        (where[key], row)
        for row, key in enumerate(zip(probe.sites.contig.tolist(), probe.sites.position.tolist(), strict=True))
        if key in where
    ]
    ours, theirs = np.array(pairs).T
    found = dict_of(path)["labels"]
    raw = (value[ours] - np.array(found.intercept)) / found.slope
    np.testing.assert_allclose(raw, probe.features["trained"].log_odds[theirs], atol=0.05)
    assert sorted(each.name for each in tmp_path.glob("bw.*")) == ["bw.x.bw", "bw.y.bw", "bw.z.bw"]
    code, _, err, path = predict("value", "--step", "25")
    assert code == 0, err
    _, position, _, value, probability = rows_of(path, "values")
    assert probability is None
    assert set(np.unique(position % 25)) == {0}
    assert np.isfinite(value).all()


def test_points_need_candidates_and_take_labels(predict, folder):
    code, _, err, _ = predict("two")
    assert (code, "could lie at any base: name candidates with --sites" in err) == (2, True)
    code, told, err, _ = predict(
        "two", "--every-base", "--region", "II", "--labels", folder / "two.bed", "--natural-ratio", "0.01"
    )
    assert code == 0, err
    (held,) = (row for row in told["targets"]["labels"]["judged"] if row["group"] == "all held out")
    assert held["candidates"] == 2 * (6000 - 2 * 4)
    assert told["targets"]["labels"]["natural_ratio"] == 0.01


@pytest.mark.usefixtures("bf16")
def test_states_are_read_in_the_number_format_of_the_probe(predict, folder, monkeypatch):
    coarse, formats = folder / "coarse.h5", []
    code, _, err = called(
        "probe", "splice", folder / "m.h5", "--annotation", folder / "g.gff3", "-o", coarse, *SPLICE, "--genome",
        folder / "g.h5", *HERE, "--precision", "bf16",
    )  # fmt: skip
    assert code == 0, err

    def spied(reader, *words, **more):
        formats.append(str(reader.model.precision))
        decide_along(reader, *words, **more)

    monkeypatch.setattr("genolstm.predicting.whole.decide_along", spied)
    for probe in ("splice", "coarse"):
        code, _, err, _ = predict(probe, "--region", "III")
        assert code == 0, err
    assert formats == ["fp32", "bf16"]


def test_another_genome_is_read_and_known_contigs_are_known_by_their_sequence(predict, tmp_path):
    code, told, err, _ = predict("splice", "--bed", tmp_path / "p.bed", genome="other")
    assert code == 0, err
    assert "other.h5 is another genome than the probe's" in err
    assert set(told["met"]) == {"same"}
    names = {
        line.split("\t")[0]: line.split("\t")[3].endswith("|seen")
        for line in (tmp_path / "p.bed").read_text().splitlines()
    }
    assert names == {"new": False, "same": True}


def test_model_is_found_by_its_hash_or_named(predict, folder, tmp_path):
    shutil.copy(folder / "splice.h5", tmp_path / "moved.h5")
    code, _, err, _ = predict(tmp_path / "moved.h5", "--region", "II")  # its command names where the model is
    assert code == 0, err
    elsewhere = tmp_path / "elsewhere.h5"
    with h5py.File(folder / "m.h5") as file:
        assert file.attrs["kind"] == "checkpoint"
    shutil.move(folder / "m.h5", elsewhere)
    try:
        code, _, err, _ = predict("splice")
        assert code == 3
        assert "the model that" in err
        assert "name it with --model" in err
        assert predict("splice", "--model", elsewhere, "--region", "II")[0] == 0
    finally:
        shutil.move(elsewhere, folder / "m.h5")


def test_another_model_is_refused(predict, folder):
    code, _, err, path = predict("splice", "--model", "pombe-256")
    assert (code, path.exists()) == (3, False)
    assert "was fitted to the states of another model than" in err
    assert err.count("\n") == 1
    assert read_fitted(folder / "splice.h5", "donor").model_sha256


@pytest.mark.parametrize(
    ("probe", "options", "code", "message"),
    [
        ("splice", ("--region", "II:5,000-7,000"), 2, "ends past contig 'II' of 6,000 symbols"),
        ("splice", ("--region", "II:1-3"), 3, "there is no candidate in"),
        ("splice", ("--labels", "two.bed"), 2, "give --annotation"),
        ("two", ("--every-base", "--annotation", "g.gff3"), 2, "give --labels"),
        ("three", ("--labels", "three.bed"), 2, "tells no two classes apart"),
        ("value", ("--bed", "x.bed"), 2, "this probe predicts values; use --bigwig"),
        ("value", ("--min-score", "0.5"), 2, "predicts values; leave it out"),
        ("three", ("--splice-scores", "x.tsv"), 2, "the probe is of other sites"),
        ("splice", ("--step", "5"), 2, "--step is for a probe of windows"),
        ("splice", ("--sites", "three.bed"), 3, "was fitted to points of 1 bp; give intervals of that length"),
        ("splice", ("--sites", "two.bed", "--region", "II"), 2, "give one of them"),
        ("g", (), 3, "is a genome file where a probe file is needed; make one with 'genolstm probe'"),
        ("splice", ("--natural-ratio", "1"), 2, "natural_ratio must be at least 0 and below 1"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_sentence_and_leaves_nothing(
    predict, folder, tmp_path, monkeypatch, probe, options, code, message
):
    monkeypatch.chdir(tmp_path)
    for name in ("two.bed", "three.bed", "g.gff3"):
        shutil.copy(folder / name, tmp_path)
    before = set(tmp_path.iterdir())
    found, _, err, _ = predict(probe, *options)
    assert (found, message in err) == (code, True), err
    assert err.count("genolstm: ") == 1
    assert set(tmp_path.iterdir()) == before


def test_proteins_are_refused(predict, folder, tmp_path, edited):
    code, _, err, path = predict("splice", genome="p")
    assert (code, path.exists()) == (3, False)
    assert "protein" in err
    shutil.copy(folder / "splice.h5", tmp_path / "chains.h5")
    with edited(tmp_path / "chains.h5") as file:
        file.attrs["task"] = "protein"
    code, _, err, path = predict(tmp_path / "chains.h5")
    assert (code, path.exists()) == (3, False)
    assert "holds a probe of proteins, and predict goes along genomes" in err


def test_bed_refuses_a_contig_that_would_read_as_a_comment(predict, folder, tmp_path):
    (tmp_path / "odd.fa").write_text(">#1\n" + "ACGT" * 100 + "\n")
    assert called("ingest", tmp_path / "odd.fa", "-o", folder / "odd.h5", "-q", "-f")[0] == 0
    code, _, err, path = predict("splice", "--bed", tmp_path / "p.bed", genome="odd")
    assert (code, path.exists(), (tmp_path / "p.bed").exists()) == (3, False, False)
    assert "contig '#1' is a name that a BED file cannot hold" in err


def test_parts_of_the_probe_are_marked_apart(predict, folder):
    _, told, _, _ = predict("splice")
    sites = read_probe(folder / "splice.h5")["donor"].sites
    for contig, name in enumerate(LENGTHS):
        here = sites.part[sites.contig == contig]
        assert ("probe fitted on it" in told["met"].get(name, "")) == bool((here == Part.TRAIN).any())

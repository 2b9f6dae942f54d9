"""`genolstm probe sites --windows`: records read from their own start, parts in whole clusters; refusals."""

import json

import numpy as np
import pytest
import torch
from in_process import called

import genolstm as gl
from genolstm.alphabet import DNA, encode
from genolstm.model import trained_model
from genolstm.regions import Part
from genolstm.store.checkpoint import read_checkpoint
from genolstm.store.results import read_probe

HERE = ("-t", "1", "--device", "cpu", "-q")
QUICK = ("--twins", "1", "--resamples", "40", "--kmers", "1,2", "--no-nn")
MOTIF = "GTATGTGT"
WIDTH = 60


def dna(rng, length):
    return "".join(rng.choice(list("ACGT"), length))


def planted(rng, count):
    """Windows (name, label, letters) of which every other one has a motif somewhere."""
    rows = []
    for row in range(count):
        text = dna(rng, WIDTH)
        if row % 2:
            at = int(rng.integers(0, WIDTH - len(MOTIF)))
            text = text[:at] + MOTIF + text[at + len(MOTIF) :]
        rows.append((f"w{row}", ("no", "yes")[row % 2], text))
    return rows


def as_fasta(rows, more=lambda _: ""):
    return "".join(f">{name} label={label}{more(name)}\n{text}\n" for name, label, text in rows)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model of a genome full of the motif, and windows."""
    where = tmp_path_factory.mktemp("windows")
    rng = np.random.default_rng(1)
    texts = {name: "".join(dna(rng, 40) + MOTIF for _ in range(300)) for name in ("I", "II")}
    (where / "g.fa").write_text("".join(f">{name}\n{text}\n" for name, text in texts.items()))
    assert called("ingest", where / "g.fa", "-o", where / "g.h5", "-q")[0] == 0
    code, _, err = called(
        "train", where / "g.h5", "-o", where / "m.h5", "--hidden", "16", "--lanes", "8", "--chunk", "64", "--bases",
        "400k", "--lr", "1e-2", "--test-contigs", "II", *HERE,
    )  # fmt: skip
    assert code == 0, err
    (where / "w.fa").write_text(as_fasta(planted(np.random.default_rng(2), 700)))
    return where


@pytest.fixture
def probe(folder, tmp_path):
    """Function: text of a FASTA (or its path) and options -> exit code, summary, stderr and the result file."""

    def ran(windows, *options):
        path = windows
        if isinstance(windows, str):
            path = tmp_path / "w.fa"
            path.write_text(windows)
        output = tmp_path / "o.h5"
        code, out, err = called(
            "probe", "sites", folder / "m.h5", "--windows", path, "-o", output, *QUICK, *HERE, "-f", "--json", *options
        )
        return code, json.loads(out) if code == 0 else None, err, output

    return ran


@pytest.fixture(scope="module")
def probed(folder):
    """Summary and result of the planted windows."""
    code, out, err = called(
        "probe", "sites", folder / "m.h5", "--windows", folder / "w.fa", "-o", folder / "w.h5", *QUICK, *HERE, "--json",
        "--figure", folder / "w.svg",
    )  # fmt: skip
    assert code == 0, err
    return json.loads(out), read_probe(folder / "w.h5")["labels"]


# ---- what is read and found


def test_planted_motif_is_found_beside_all_controls(probed, folder):
    told, result = probed
    assert told["scores"]["trained"]["auroc"][0] > 0.8
    expected = {"trained", "shuffled", "untrained_1", "composition", "onehot_bins", "onehot", "kmer_1", "kmer_2"}
    assert set(result.features) == expected
    assert (result.width, result.pooling) == (WIDTH, ("mean", "max"))
    assert abs(told["scores"]["shuffled"]["auroc"][0] - 0.5) < 0.2
    assert "from its own start" in told["definition"]["read"]
    assert told["definition"]["clusters"] == 700
    assert (folder / "w.svg").stat().st_size > 1_000


def test_features_are_the_mean_and_maximum_of_the_states_of_both_strands(probed, folder):
    """Predictions of the file from states of the model that is run here, window by window."""
    _, result = probed
    checkpoint = read_checkpoint(folder / "m.h5")
    model = trained_model(checkpoint.model, checkpoint.weights)
    lines = (folder / "w.fa").read_text().splitlines()
    rows = []
    for text in lines[1 : 2 * 40 : 2]:
        codes = encode(text, DNA)
        row = []
        for strand in (codes, DNA.complement[codes][::-1]):
            symbols = torch.from_numpy(np.concatenate([[DNA.unknown], strand]).astype(np.int64))[None]
            with torch.no_grad():
                states = model.forward(symbols, model.initial_state(1)).layers[0][0, 1:].numpy()
            row += [states.mean(axis=0), states.max(axis=0)]
        rows.append(np.concatenate(row))
    mine = result.sites.contig < 40
    found = result.features["trained"].decision(np.stack(rows)[result.sites.contig[mine]])
    np.testing.assert_allclose(found, result.features["trained"].log_odds[mine], atol=0.05)
    assert np.corrcoef(found, result.features["trained"].log_odds[mine])[0, 1] > 0.999


def test_labels_that_mean_nothing_give_no_gain(probe):
    rng = np.random.default_rng(3)
    rows = [(name, "yn"[int(rng.integers(2))], text) for name, _, text in planted(rng, 500)]
    code, told, err, _ = probe(as_fasta(rows))
    assert code == 0, err
    assert told["verdict"] == "no gain"


def test_ends_add_the_first_and_last_state_of_each_pass(probe, probed, folder):
    code, _, err, path = probe(folder / "w.fa", "--ends")
    assert code == 0, err
    result = read_probe(path)["labels"]
    assert result.pooling == ("mean", "max", "first", "last")
    assert len(result.features["trained"].mean) == 2 * len(probed[1].features["trained"].mean)


def test_windows_that_overlap_are_kept_in_one_part(probe):
    rng = np.random.default_rng(4)
    rows = []
    for number in range(150):  # of each long piece three windows that overlap by 31 bases and more
        piece = dna(rng, 100)
        label = ("no", "yes")[number % 2]
        rows += [(f"p{number}.{at}", label, piece[at : at + WIDTH]) for at in (0, 20, 40)]
    code, told, err, path = probe(as_fasta(rows))
    assert code == 0, err
    result = read_probe(path)["labels"]
    parts = {}
    for contig, part in zip(result.sites.contig.tolist(), result.sites.part.tolist(), strict=True):
        parts.setdefault(result.sites.contigs[contig].split(".")[0], set()).add(part)
    assert len(parts) == 150
    assert all(len(each) == 1 for each in parts.values())
    assert len(np.unique(result.sites.block)) == 150  # resampled together, too
    assert told["definition"]["largest_cluster"] == 3
    assert told["homology"] == 0
    assert "whole clusters" in told["definition"]["parts"]


def test_named_parts_are_kept_and_windows_near_the_test_part_left_out(probe):
    rows = planted(np.random.default_rng(5), 300)
    part = {name: ("train", "valid", "test")[(row // 2) % 3] for row, (name, *_) in enumerate(rows)}
    near = next(row for row, (name, *_) in enumerate(rows) if part[name] == "test")
    _, label, text = rows[near]
    rows.append(("near", label, text[5:] + "ACGTA"))
    part["near"] = "train"
    code, told, err, path = probe(as_fasta(rows, lambda name: f" part={part[name]}"))
    assert code == 0, err
    sites = read_probe(path)["labels"].sites
    there = {sites.contigs[contig]: Part(number).name.lower() for contig, number in
             zip(sites.contig.tolist(), sites.part.tolist(), strict=True)}  # fmt: skip
    assert there == {name: each for name, each in part.items() if name != "near"}
    assert told["records"]["skipped"] == {"sharing a 31-mer with a test window": 1}


def test_a_table_gives_what_headers_give(probe, probed, folder, tmp_path):
    rows = planted(np.random.default_rng(2), 700)
    table = tmp_path / "l.tsv"
    table.write_text("name\tother\tlabel\n" + "".join(f"{name}\t.\t{label}\n" for name, label, _ in rows[::-1]))
    code, told, err, _ = probe("".join(f">{name}\n{text}\n" for name, _, text in rows), "--labels", table)
    assert code == 0, err
    assert told["scores"] == probed[0]["scores"]
    result = gl.probe_sites(
        gl.load(folder / "m.h5"), windows=folder / "w.fa", labels=table, twins=1, resamples=40, kmers="1,2", nn=False
    )
    at = result.table()
    assert at["value"][0] == told["scores"]["trained"][at["score"][0]][0]


def test_values_and_what_is_left_out(probe):
    rng = np.random.default_rng(6)
    rows = [(name, f"{text.count('G') + rng.normal():.3f}", text) for name, _, text in planted(rng, 300)]
    rows += [("again", rows[0][1], rows[0][2]), ("unknown", "1.5", "N" * 10 + dna(rng, WIDTH - 10))]
    code, told, err, path = probe(as_fasta(rows))
    assert code == 0, err
    assert "values" in read_probe(path)
    assert told["scores"]["kmer_1"]["r2"][0] > 0.5
    assert told["records"]["skipped"] == {"the same sequence again": 1, "with an N": 1}


def test_windows_that_the_model_was_trained_on_are_refused_for_test(probe, folder):
    text = (folder / "g.fa").read_text().splitlines()[1]
    pieces = [(f"t{row}", "ab"[row % 2], text[48 * row : 48 * row + 48]) for row in range(300)]
    said = refused(probe(as_fasta(pieces)))
    assert "m.h5 was trained on about 9" in said  # 95 % of a contig, but for the margins of its split
    assert "% of the 31-mers of the test windows" in said


# ---- what it refuses, each in one sentence


def refused(ended, code=3):
    assert ended[0] == code, ended[2]
    lines = [line for line in ended[2].splitlines() if line.startswith("genolstm: ")]
    assert len(lines) == 1, ended[2]
    assert not ended[3].exists()
    return lines[0]


ROWS = planted(np.random.default_rng(7), 60)
TILES = dna(np.random.default_rng(8), 400)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (as_fasta(ROWS).replace("=yes", "=no"), "have one label, 'no'; give sites of another class."),
        (as_fasta([*ROWS, ("z", "no", ROWS[1][2])]), "'w1' and 'z' are the same sequence with two labels ('yes' and"),
        (as_fasta([*ROWS, ("z", "no", "ACGT" * 10)]), "holds records of 40 to 60 bp; give windows of one length."),
        (as_fasta([(n, label, t[:20]) for n, label, t in ROWS]), "holds windows of 20 bp, which hold no 31-mer"),
        (as_fasta(ROWS) + ">z part=test\n" + ROWS[0][2] + "\n", "record 'z' (line 121) has no label; write '>name"),
        (as_fasta(ROWS) + ">z label=no\nMKVLE" + "ACGTA" * 11 + "\n", "record 'z' (line 122) holds the letter E of"),
        (as_fasta(ROWS) + ">w0 label=no\n" + "ACGTA" * 12 + "\n", "record 'w0' (line 121) has the name of the record"),
        (as_fasta(ROWS, lambda _: " part=testing"), "the part is 'testing', not train, valid, test or a dot"),
        (as_fasta(ROWS, lambda _: " part=train"), "the valid part holds 0"),
        (as_fasta([(n, f"x{n}", t) for n, _, t in ROWS]), "has 60 classes for 60 sites"),
        (as_fasta([(n, label, "N" * 60) for n, label, _ in ROWS]), "no window of w.fa can be used (60 with an N)"),
        (as_fasta([(f"t{at}", "ab"[at % 2], TILES[at : at + 60]) for at in range(0, 300, 10)]),
         "30 of 30 windows overlap each other; give windows apart from each other, or name their parts."),
        ("ACGT\n", "holds text before the first line that begins with '>'"),
    ],
)  # fmt: skip
def test_bad_windows_end_with_one_sentence(probe, tmp_path, text, sentence):
    said = refused(probe(text))
    assert sentence in said.replace(f"{tmp_path}/", "")
    assert "--negatives" not in said
    assert "contigs" not in said


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ("name\tlabel\nw0\tno\nq\tno\n", "labels 1 window that w.fa lacks (q); give the table of this file"),
        ("name\tlabel\nw0\tno\nw0\tyes\n", "line 3 labels window 'w0' a second time, and otherwise; keep one."),
        ("w0\tno\nw1\tyes\n", "its header must name the column 'name' once"),
        ("name\tlabel\nw0\n", "line 2 has 1 columns, its header names 2"),
        ("name\tlabel\nw0\t\n", "line 2: the label is ''; give each site one"),
    ],
)
def test_bad_tables_end_with_one_sentence(probe, tmp_path, table, sentence):
    (tmp_path / "l.tsv").write_text(table)
    said = refused(probe(as_fasta(ROWS), "--labels", tmp_path / "l.tsv"))
    assert sentence in said.replace(f"{tmp_path}/", "")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--negatives", "matched"), "--windows stand alone; leave --genome, --sites and --negatives out."),
        (("--genome", "g.h5"), "--windows stand alone"),
        (("--test-contigs", "I"), "windows of a FASTA have neither contigs nor a middle"),
        (("--window", "50"), "windows of a FASTA have neither contigs nor a middle"),
    ],
)
def test_options_of_a_genome_are_refused(probe, options, sentence):
    assert sentence in refused(probe(as_fasta(ROWS), *options), code=2)


def test_sites_need_their_genome_and_windows_their_file(folder, tmp_path):
    for given, sentence in (
        (("--sites", folder / "w.fa"), "give --genome and --sites, or --windows with labels."),
        (("--labels", folder / "w.fa"), "--labels name the windows of --windows"),
    ):
        ended = called("probe", "sites", folder / "m.h5", *given, "-o", tmp_path / "o.h5", *HERE)
        assert sentence in refused((*ended, tmp_path / "o.h5"), code=2)


def test_a_protein_model_is_refused(folder, tmp_path):
    rng = np.random.default_rng(9)
    letters = list("ACDEFGHIKLMNPQRSTVWY")
    (tmp_path / "p.fa").write_text("".join(f">p{n}\n{''.join(rng.choice(letters, 80))}\n" for n in range(60)))
    assert called("ingest", tmp_path / "p.fa", "--alphabet", "protein", "-o", tmp_path / "p.h5", "-q")[0] == 0
    code, _, err = called("train", tmp_path / "p.h5", "-o", tmp_path / "m.h5", "--hidden", "8", "--bases", "2k", *HERE)
    assert code == 0, err
    ended = called("probe", "sites", tmp_path / "m.h5", "--windows", folder / "w.fa", "-o", tmp_path / "o.h5", *HERE)
    assert "reads protein; --windows are of DNA: give a DNA model." in refused((*ended, tmp_path / "o.h5"))

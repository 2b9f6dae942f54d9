"""`genolstm score --recall`: what it writes and tells, and what it refuses. Also of `train`, `export` and the door."""

import dataclasses
import json
import math

import numpy as np
import pyBigWig
import pytest

import genolstm as gl
from genolstm.alphabet import DNA
from genolstm.bench import memory_check
from genolstm.cli.app import app
from genolstm.errors import InputError, UsageError
from genolstm.figures.recall import window_gains
from genolstm.figures.score import pictures_of
from genolstm.figures.style import styled
from genolstm.regions import Part
from genolstm.scoring.recall import plan_recall
from genolstm.seen import Seen
from genolstm.settings.recall import RecallSettings
from genolstm.store.checkpoint import read_checkpoint
from genolstm.store.files import open_file
from genolstm.store.genome import open_genome
from genolstm.store.schema import Kind, problems
from genolstm.store.score import open_score, read_score_tables

QUICK = ("-t", "1", "--device", "cpu", "-q")
FEW = ("--recall-lengths", "12,20", "--recall-orders", "2,11,16")
PARTS = (
    "--train-contigs", "a", "--valid-contigs", "v", "--test-contigs", "t", "--hidden", "8", "--bases", "20k",
)  # fmt: skip
TRAINED, VALID, COPIED = 30_000, 9_000, slice(6_000, 9_000)


def drawn(length, seed):
    return "".join(np.random.default_rng(seed).choice(list("ACGT"), length))


def paired(letters):
    return letters.translate(str.maketrans("ACGT", "TGCA"))[::-1]


def ended_well(*arguments):
    app([str(each) for each in arguments], standalone_mode=False)


@pytest.fixture(scope="module")
def repeats(tmp_path_factory):
    """Folder with a genome whose test contig copies its training contig, inverted too, and itself; and a model."""
    folder = tmp_path_factory.mktemp("repeats")
    a, new = drawn(TRAINED, 1), drawn(4_000, 3)
    valid = drawn(4_000, 2) + a[2_000:5_000] + drawn(VALID - 7_000, 4)
    test = drawn(6_000, 5) + a[10_000:13_000] + paired(a[20_000:22_000]) + new + "N" * 30 + new + drawn(5_000, 6)
    (folder / "g.fa").write_text(f">a\n{a}\n>v\n{valid}\n>t\n{test}\n")
    (folder / "other.fa").write_text(f">x\n{drawn(3_000, 7)}\n")
    for name in ("g", "other"):
        ended_well("ingest", folder / f"{name}.fa", "-o", folder / f"{name}.h5", "-q")
    ended_well("train", folder / "g.h5", "-o", folder / "m.h5", *PARTS, *QUICK)
    return folder


@pytest.fixture(scope="module")
def scored(repeats):
    """Rows of both modes by mode and part; the files are frozen.h5 and online.h5."""
    found = {}
    for mode in ("frozen", "online"):
        output, track = repeats / f"{mode}.h5", repeats / f"{mode}.bw"
        given = ("--recall", mode, "--recall-track", track, *FEW)
        ended_well("score", repeats / "m.h5", repeats / "g.h5", "-o", output, *given, *QUICK)
        found[mode] = {(row.mode, row.part): row._asdict() for row in read_score_tables(output).recall}
    return found


def finite(row):
    return {name: None if value in {math.inf, -math.inf} or value != value else value for name, value in row.items()}


def network_of_test(folder):
    (row,) = (each for each in read_score_tables(folder / "online.h5").parts if each.part == "test")
    return row.model


def forward_bits(folder):
    with open_score(folder / "online.h5") as file:
        bits = file.read(0, TRAINED + VALID, TRAINED + VALID + 24_030)
    return np.nanmean(bits, dtype=np.float64)


def test_each_text_has_its_own_rows_and_its_own_baseline(scored, repeats):
    frozen, online = scored["frozen"], scored["online"]
    parts = ("not trained on", "test", "test, forward strand")
    assert set(frozen) == {("frozen", part) for part in parts}
    assert set(online) == {(mode, part) for mode in ("frozen", "online") for part in parts}
    for key, row in frozen.items():  # the same, whatever else was asked for
        assert row == online[key]
    test, after = online["frozen", "test"], online["online", "test"]
    assert test["network"] == after["network"] == pytest.approx(network_of_test(repeats), abs=1e-6)
    # 5,000 of 24,000 bases are copies of the training contig, 4,000 of what was scored before
    assert test["mixed"] < test["network"] - 0.3
    assert after["mixed"] < test["mixed"] - 0.2
    assert after["without_network"] < test["without_network"] - 0.2
    assert test["symbols"] == 2 * 24_000
    assert test["windows"] == 3
    forward = online["online", "test, forward strand"]
    assert forward["symbols"] == 24_000
    assert forward["network"] == pytest.approx(forward_bits(repeats), abs=1e-6)
    assert 0.3 < test["top_fraction"] <= 1


def test_the_training_contig_is_never_scored_by_recall(scored, repeats):
    genome = open_genome(repeats / "g.h5")
    with open_score(repeats / "frozen.h5") as file:
        trained = file.read_gain(0, 0, TRAINED)
        rest = [file.read_gain(strand, TRAINED, int(genome.lengths.sum())) for strand in range(2)]
    assert np.isnan(trained).all()
    known = np.asarray(genome.all_codes[TRAINED:]) != DNA.unknown
    for strand in rest:
        np.testing.assert_array_equal(~np.isnan(strand), known)
    assert scored["frozen"]["frozen", "not trained on"]["symbols"] == 2 * known.sum()


@pytest.mark.usefixtures("scored")
def test_tracks_say_where_recall_gained_and_how_long_the_match_was(repeats):
    start = TRAINED + VALID + COPIED.start
    with open_score(repeats / "frozen.h5") as file:
        gain, matched = (file.read_recall(name, 0, start, start + 3_000) for name in ("gain", "matched"))
        other = file.read_gain(1, start, start + 3_000)
    with open_score(repeats / "online.h5") as file:
        distance = file.read_recall("distance", 0, start + 9_100, start + 12_900)  # the contig's second copy of itself
    assert np.nanmean(gain[100:]) > 1.5
    assert np.nanmean(other[:-100]) > 1.5  # the other strand reads it from its other end
    assert matched[2_000] == 2_000
    np.testing.assert_array_equal(np.unique(distance), [4_030])
    with pyBigWig.open(str(repeats / "frozen.bw")) as track:
        written = track.values("t", COPIED.start, COPIED.stop, numpy=True)
    np.testing.assert_allclose(written, (gain + other) / 2, rtol=1e-6)


@pytest.mark.usefixtures("scored")
def test_the_file_follows_its_layout_and_its_tracks_are_exported(repeats, run, tmp_path):
    with open_file(repeats / "online.h5", Kind.SCORE) as file:
        assert problems(file, Kind.SCORE) == []
    tables = read_score_tables(repeats / "online.h5")
    assert {row.mode for row in tables.recall} == {"frozen", "online"}
    assert "online, test" in run("show", repeats / "online.h5").out
    told = run("export", repeats / "frozen.h5", "-o", tmp_path / "g.bw", "--table", "recall/gain/mean", "-q")
    assert told.code == 0, told.err
    assert (tmp_path / "g.bw").read_bytes() == (repeats / "frozen.bw").read_bytes()
    rows = run("export", repeats / "frozen.h5", "-o", "-", "--table", "recall_bits", "-q").out.splitlines()
    assert rows[0].split("\t")[:4] == ["mode", "part", "symbols", "network"]
    assert len(rows) == 4


def test_the_door_gives_what_the_command_gives(scored, repeats, tmp_path):
    model, genome = gl.load(repeats / "m.h5"), gl.open_genome(repeats / "g.h5")
    found = gl.score(model, genome, recall="frozen", recall_lengths=(12, 20), recall_orders=(2, 11, 16))
    assert [row._asdict() for row in found.tables.recall] == list(scored["frozen"].values())
    assert found.recall.shape == (3, 2, genome.lengths.sum())
    found.save(tmp_path / "saved.h5")
    again = gl.open_result(tmp_path / "saved.h5")
    np.testing.assert_array_equal(again.recall, found.recall)
    with pytest.raises(UsageError, match="recall reads whole contigs"):
        gl.score(model, genome, "t:1-100", recall="frozen")


def test_the_model_file_records_what_training_measured(repeats, run, tmp_path):
    told = run(
        "train", repeats / "g.h5", "-o", tmp_path / "m.h5", *PARTS, "--recall", "online", *FEW, "-t", "1", "--device",
        "cpu", "--json",
    )  # fmt: skip
    assert told.code == 0, told.err
    rows = read_checkpoint(tmp_path / "m.h5").recall
    assert [(row.mode, row.part) for row in rows] == [("frozen", "test"), ("online", "test")]
    assert [finite(row._asdict()) for row in rows] == json.loads(told.out)["recall"]
    assert rows[0].mixed < rows[0].network - 0.3
    assert "not a better model of ordinary sequence" in told.err
    assert read_checkpoint(repeats / "m.h5").recall == ()


def test_another_genome_is_refused_frozen_and_allowed_online(repeats, run, tmp_path):
    other = ("score", repeats / "m.h5", repeats / "other.h5", "-o", tmp_path / "s.h5", *FEW)
    refused = run(*other, "--recall", "frozen", *QUICK)
    assert refused.code == 3
    assert "does not hold any of it" in refused.err
    assert "--recall online" in refused.err
    told = run(*other, "--recall", "online", "-t", "1", "--device", "cpu", "--json")
    assert told.code == 0, told.err
    assert {(row["mode"], row["part"]) for row in json.loads(told.out)["recall"]} == {("online", "not trained on")}
    assert "is not the genome of" in told.err


def test_what_cannot_be_recalled_is_refused_in_a_sentence(repeats, run, tmp_path, monkeypatch):
    asked = ("score", repeats / "m.h5", repeats / "g.h5", "-o", tmp_path / "s.h5", *QUICK)
    for given, code, sentence in (
        (("--recall", "frozen", "--region", "a:1-5000"), 3, "was trained on, where recall would find the sequence"),
        (("--recall-lengths", "12"), 2, "--recall-lengths is of --recall, which is not given"),
        (("--recall-track", tmp_path / "f.bw"), 2, "give --recall frozen or online too"),
        (("--recall", "frozen", "--recall-lengths", "7,12"), 2, "recall lengths must lie between 8 and 32"),
        (("--recall", "frozen", "--recall-lengths", "20,12"), 2, "recall lengths must rise, each once"),
        (("--recall", "frozen", "--recall-orders", "30"), 2, "recall orders must lie between 1 and 24"),
    ):
        told = run(*asked, *given)
        assert (told.code, sentence in " ".join(told.err.split())) == (code, True), told.err
    monkeypatch.setattr(memory_check, "free_bytes", lambda _device: 1_000_000)
    told = run(*asked, "--recall", "frozen", "--recall-orders", "")
    assert told.code == 2
    assert "0.00 GB are free; it fits with --recall-index-bits 15" in " ".join(told.err.split())
    told = run(*asked, "--recall", "frozen", "--recall-orders", "12")
    assert "give fewer --recall-orders" in " ".join(told.err.split())
    assert list(tmp_path.iterdir()) == []


def test_weights_need_a_validation_part(repeats, stretches_of):
    genome = open_genome(repeats / "g.h5")
    split = stretches_of(genome, [("a", 0, TRAINED, Part.TRAIN), ("t", 0, 24_030, Part.TEST)])
    seen = Seen(split=split, complete=True, recognised=np.ones(3, dtype=bool), near={})
    names = {"genome_name": "g.h5", "model_name": "m.h5"}
    with pytest.raises(InputError, match=r"has no validation part with a known base in g\.h5, on which to fit"):
        plan_recall(seen, genome, split, RecallSettings(recall="frozen"), **names)
    assert plan_recall(seen, genome, split, RecallSettings(recall="online"), **names).modes == ("online",)
    of_n = stretches_of(genome, [("a", 0, TRAINED, Part.TRAIN), ("t", 15_000, 15_030, Part.VALID)])
    with pytest.raises(InputError, match="no validation part with a known base"):
        plan_recall(dataclasses.replace(seen, split=of_n), genome, split, RecallSettings(recall="frozen"), **names)


def test_only_what_was_not_trained_on_is_read(repeats, stretches_of):
    genome = open_genome(repeats / "g.h5")
    rows = [("a", 0, 5_000, Part.TRAIN), ("a", 6_000, 9_000, Part.VALID), ("a", 9_000, TRAINED, Part.TRAIN)]
    split = stretches_of(genome, [*rows, ("t", 0, 24_030, Part.TEST)])
    seen = Seen(split=split, complete=True, recognised=np.ones(3, dtype=bool), near={})
    plan = plan_recall(
        seen, genome, stretches_of(genome), RecallSettings(recall="frozen"), genome_name="g", model_name="m"
    )
    read = list(zip(plan.scored.contig, plan.scored.start, plan.scored.end, strict=True))
    assert read == [(0, 5_000, 9_000), (1, 0, VALID), (2, 0, 24_030)]
    assert plan.test.bases == 24_030


def test_the_pairing_symbol_is_three_less():
    assert DNA.letters[:4] == "ACGT"
    assert DNA.complement[:4].tolist() == [3, 2, 1, 0]


@pytest.mark.usefixtures("scored")
def test_pictures_tell_where_the_gain_lies_as_the_table_does(repeats):
    for name in ("frozen", "online"):
        path = repeats / f"{name}.h5"
        row = next(
            each for each in read_score_tables(path).recall if (each.mode, each.part) == (name, "not trained on")
        )
        with open_score(path) as file:
            gain, symbols = window_gains(file)
        assert (len(gain), symbols.sum()) == (row.windows, row.symbols)
        assert gain.sum() / symbols.sum() == pytest.approx(row.network - row.mixed, abs=1e-6)
        assert np.median(gain / symbols) == pytest.approx(row.median_gain, abs=1e-6)
        with styled():
            drawn = {picture.name: picture for picture in pictures_of(path)}
        assert {"recall-gain", "recall-windows"} <= drawn.keys()
        assert f"the median window gains {row.median_gain:.4f} bits/base" in drawn["recall-windows"].title
        assert f"{100 * row.top_fraction:.0f} % of the gain" in drawn["recall-windows"].title
        (curve, even), marked = drawn["recall-windows"].figure.axes[0].lines[:2], 100 * row.top_fraction
        assert curve.get_ydata()[max(1, round(0.05 * row.windows)) - 1] == pytest.approx(marked, abs=1e-3)
        assert curve.get_ydata()[-1] == pytest.approx(100)
        assert list(even.get_ydata()) == [0, 100]


@pytest.mark.usefixtures("scored")
def test_the_report_has_recall_beside_its_baselines(repeats, run, tmp_path):
    told = run("report", repeats / "online.h5", "-o", tmp_path / "r.html", "-q")
    assert told.code == 0, told.err
    page = (tmp_path / "r.html").read_text()
    for row in read_score_tables(repeats / "online.h5").recall:
        assert f"{row.mixed:.4f}" in page
        assert f"{row.without_network:.4f}" in page
    assert "not a better model of ordinary sequence" in page
    assert "With online recall the test part takes" in page
    assert "recall-windows" in page or "best 5 % of windows" in page

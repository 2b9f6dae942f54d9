"""`genolstm score` from a model and a genome to tracks, and everything that it refuses."""

import inspect
import json
import math

import numpy as np
import pyBigWig
import pytest

from genolstm.cli.score import score
from genolstm.settings.reading import StreamSettings
from genolstm.store.checkpoint import read_checkpoint
from genolstm.store.files import open_any
from genolstm.store.genome import open_genome
from genolstm.store.score import open_score, read_score_tables

QUICK = ("-t", "1", "--device", "cpu", "-q")


def summary_of(ended):
    assert ended.code == 0, ended.err
    return json.loads(ended.out)


def test_tracks_tables_and_summary_agree(run, model_file, genome_file, tmp_path):
    output = tmp_path / "score.h5"
    told = summary_of(run("score", model_file, genome_file, "-o", output, *QUICK, "--json"))
    genome = open_genome(genome_file)
    with open_score(output) as file:
        tracks = [file.read(strand, 0, int(genome.lengths.sum())) for strand in range(2)]
        assert file.lengths == genome.length_of
    known = np.asarray(genome.all_codes) != 4
    assert [np.array_equal(~np.isnan(track), known) for track in tracks] == [True, True]
    assert told["bases"] == 2 * known.sum()
    assert told["bits_per_base"] == pytest.approx(np.nanmean(tracks))
    assert {"command", "version", "output", "seconds", "device", "seed", "records"} <= told.keys()
    assert told["records"] == {"read": 3, "used": 3, "skipped": {}}
    assert {"count", "max_bits", "max_state", "repaired"} <= told["seams"].keys()
    first = told["contigs"]["I"]
    assert first["forward"] == pytest.approx(np.nanmean(tracks[0][:1202]))
    assert first["reverse"] == pytest.approx(np.nanmean(tracks[1][:1202]))
    assert first["masked"] == pytest.approx(np.nanmean([track[:100] for track in tracks]))
    assert first["unmasked"] == pytest.approx(np.nanmean([track[100:1202] for track in tracks]))
    tables = read_score_tables(output)
    assert tables.symbols.sum() == told["bases"]
    assert tables.bits.sum() == pytest.approx(2 * known.sum() * told["bits_per_base"])
    assert tables.calibration_error == told["calibration_error"]


def test_markov_lines_are_those_that_training_told(run, model_file, genome_file, tmp_path):
    """Scored again, the held-out part has the bits that `train` measured, and its Markov lines, of the same orders."""
    output = tmp_path / "score.h5"
    told = summary_of(run("score", model_file, genome_file, "-o", output, *QUICK, "--json", "--exact"))
    trained = {row.part: row for row in read_checkpoint(model_file).bits}["test"]
    tables = read_score_tables(output)
    test = {row.part: row for row in tables.parts}["test"]
    assert test.symbols == trained.symbols
    # the stretch is now read on from what stands before it, where training read it as a contig of its own
    assert test.model == pytest.approx(trained.model, abs=0.05)
    assert test.by_order == pytest.approx(trained.by_order)
    assert told["markov_counted_on"] == "training stretches of the model"
    assert told["parts"]["scored"]["model"] == pytest.approx(told["bits_per_base"])
    # most of it was trained on: nothing is said of who is better there
    assert (told["parts"]["scored"]["standing"], told["parts"]["scored"]["verdict"]) == ("partly trained on", None)
    assert told["parts"]["test"]["standing"] == "held out"
    assert tables.seen.tolist() == [int(name in read_checkpoint(model_file).seen) for name in ("I", "II", "III")]


def test_another_genome_is_never_called_held_out(run, finished, model_file, tmp_path):
    fasta, genome, output = tmp_path / "o.fa", tmp_path / "o.h5", tmp_path / "s.h5"
    fasta.write_text(">I\n" + "ACGTTGCAAC" * 60 + "\n")
    assert finished("ingest", fasta, "-o", genome).code == 0
    told = summary_of(run("score", model_file, genome, "-o", output, *QUICK, "--json"))
    assert told["parts"].keys() == {"scored"}
    assert told["markov_counted_on"] == "other blocks of the scored genome, never the one scored"
    assert told["contigs"]["I"]["seen_in_training"] is False  # by its sequence, though the model knows a contig I
    assert told["parts"]["scored"]["standing"] == "another genome"


def test_bigwig_holds_the_mean_of_the_strands(run, model_file, genome_file, tmp_path):
    output, bigwig = tmp_path / "score.h5", tmp_path / "bits.bw"
    assert run("score", model_file, genome_file, "-o", output, "--bigwig", bigwig, *QUICK).code == 0
    with open_score(output) as file:
        mean = (file.read(0, 0, 1202) + file.read(1, 0, 1202)) / 2
    with pyBigWig.open(str(bigwig)) as read:
        assert read.chroms() == {"I": 1202, "II": 500, "III": 400}
        np.testing.assert_allclose(read.values("I", 0, 1202, numpy=True), mean, rtol=1e-6)


def test_regions_are_scored_as_within_their_contigs(run, model_file, genome_file, tmp_path):
    whole, part = tmp_path / "whole.h5", tmp_path / "part.h5"
    assert run("score", model_file, genome_file, "-o", whole, *QUICK, "--exact").code == 0
    told = summary_of(
        run("score", model_file, genome_file, "-o", part, *QUICK, "--exact", "--json",
            "--region", "II:101-2_00", "--region", "I:1,001-1,202", "--region", "II:150-250")
    )  # fmt: skip
    assert told["bases"] == 2 * (202 + 150)
    assert told["records"] == {"read": 3, "used": 2, "skipped": {"contigs outside the regions asked for": 1}}
    with open_score(whole) as a, open_score(part) as b:
        for strand in range(2):
            all_bits, some = a.read(strand, 0, 2102), b.read(strand, 0, 352)
            np.testing.assert_allclose(some[:202], all_bits[1000:1202], atol=1e-6)
            np.testing.assert_allclose(some[202:], all_bits[1202 + 100 : 1202 + 250], atol=1e-6)


@pytest.mark.parametrize(
    "options", [("--lanes", "3"), ("--chunk", "33"), ("--exact",), ("--burn-in", "96"), ("-t", "2")]
)
def test_bits_do_not_depend_on_how_the_genome_is_read(run, model_file, genome_file, tmp_path, options):
    plain, other = tmp_path / "a.h5", tmp_path / "b.h5"
    assert run("score", model_file, genome_file, "-o", plain, *QUICK).code == 0
    assert run("score", model_file, genome_file, "-o", other, *QUICK, *options).code == 0
    with open_score(plain) as a, open_score(other) as b:
        for strand in range(2):
            np.testing.assert_allclose(b.read(strand, 0, 2102), a.read(strand, 0, 2102), atol=1e-5)
    with open_any(other) as file:
        settings = json.loads(file.attrs["settings"])
        if options[0] in {"--lanes", "--chunk", "--burn-in"}:
            assert settings[options[0][2:].replace("-", "_")] == int(options[1])


@pytest.mark.usefixtures("bf16")
def test_bits_in_bf16_are_near_those_in_fp32_and_the_file_says_so(run, model_file, genome_file, tmp_path):
    means, tracks = [], []
    for precision in ("fp32", "bf16"):
        output = tmp_path / f"{precision}.h5"
        ended = run("score", model_file, genome_file, "-o", output, "--json", "--precision", precision)
        means.append(summary_of(ended)["bits_per_base"])
        assert ("reading in bf16" in ended.err) == (precision == "bf16")
        with open_score(output) as scored:
            tracks.append(scored.read(0, 0, 2102))
        with open_any(output) as file:
            settings = json.loads(file.attrs["settings"])
        assert (settings["precision"], settings["tolerance"]) == (precision, 5e-6 if precision == "fp32" else 0.05)
    assert means[0] == pytest.approx(means[1], abs=1e-3)
    assert not np.array_equal(*tracks, equal_nan=True)
    assert run("score", model_file, genome_file, "-o", tmp_path / "no.h5", "--precision", "fp16").code == 2


def test_a_loose_tolerance_takes_a_short_burn_in_for_enough(run, model_file, genome_file, tmp_path):
    tight, loose = (
        summary_of(
            run("score", model_file, genome_file, "-o", tmp_path / f"{tolerance}.h5", *QUICK, "--json", "--lanes", "8",
                "--burn-in", "8", "--chunk", "8", "--tolerance", tolerance)
        )["seams"]
        for tolerance in ("5e-6", "10")
    )  # fmt: skip
    assert (tight["in_sequence"], tight["count"]) == (1, 0)
    assert loose["in_sequence"] == 0
    assert loose["count"] > loose["repaired"] == 0
    assert loose["max_state"] == loose["found_max_state"] > 5e-6


@pytest.mark.parametrize(
    ("region", "code", "words"),
    [
        ("I:1-9999", 2, "ends past contig 'I' of 1,202 symbols"),
        ("I:0-5", 2, "begins at 0, and bases are counted from 1, both ends in it: what BED calls 0 to 5 is I:1-5 here"),
        ("I:9-5", 2, "is empty: write it as I:FIRST-LAST, counted from 1"),
        ("I:x-5", 2, "'x' is not a number"),
        ("IV", 3, "names no contig of the genome, which has I, II, III"),
        ("IV:1-5", 3, "names no contig of the genome"),
    ],
)
def test_bad_regions_are_refused_in_one_sentence(run, model_file, genome_file, tmp_path, region, code, words):
    ended = run("score", model_file, genome_file, "-o", tmp_path / "s.h5", *QUICK, "--region", region)
    assert ended.code == code
    assert words in ended.err
    assert ended.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_existing_outputs_are_refused_and_forced(run, model_file, genome_file, tmp_path):
    output, bigwig = tmp_path / "s.h5", tmp_path / "s.bw"
    bigwig.write_text("mine")
    ended = run("score", model_file, genome_file, "-o", output, "--bigwig", bigwig, *QUICK)
    assert ended.code == 2
    assert "s.bw exists; add --force" in ended.err
    assert not output.exists()
    assert run("score", model_file, genome_file, "-o", output, "--bigwig", bigwig, *QUICK, "--force").code == 0
    assert bigwig.read_bytes()[:4] != b"mine"


def test_a_protein_file_is_refused_for_a_dna_model(run, finished, model_file, tmp_path):
    fasta, proteins = tmp_path / "p.fa", tmp_path / "p.h5"
    fasta.write_text(">p\nMKVLAW\n")
    assert finished("ingest", fasta, "-o", proteins, "--alphabet", "protein").code == 0
    ended = run("score", model_file, proteins, "-o", tmp_path / "s.h5", *QUICK)
    assert ended.code == 3
    assert "give a genome of the model's alphabet" in ended.err


def test_defaults_are_those_of_the_settings():
    parameters = inspect.signature(score).parameters
    for name in ("lanes", "chunk", "burn_in", "exact", "tolerance"):
        assert parameters[name].default == getattr(StreamSettings(), name)


def test_show_tells_the_bits(run, model_file, genome_file, tmp_path):
    output = tmp_path / "score.h5"
    assert run("score", model_file, genome_file, "-o", output, *QUICK).code == 0
    ended = run("show", output)
    assert "best Markov" in ended.out
    assert not math.isnan(float(ended.out.split("scored")[1].split(";")[0].strip(" :\t").split()[-1]))


def test_probabilities_are_kept_and_written_as_four_tracks(run, model_file, genome_file, tmp_path):
    output, figure = tmp_path / "s.h5", tmp_path / "logo.svg"
    ended = run("score", model_file, genome_file, "-o", output, "--region", "II:101-250", "--probabilities",
                tmp_path / "p", "--figure", figure, "-t", "1", "--device", "cpu", "-q")  # fmt: skip
    assert ended.code == 0, ended.err
    with open_score(output) as file:
        mean = file.probabilities.mean(0, 150)
        bits = file.read(0, 0, 150)
        reference = np.array([track[()] for track in file.probabilities.tracks], dtype=float)
    np.testing.assert_allclose(reference.sum(axis=2), 1, atol=2e-3)
    assert (np.abs(np.log2(reference[0]) + bits[:, None]).min(axis=1) < 0.01).all()
    for code, letter in enumerate("ACGT"):
        track = pyBigWig.open(str(tmp_path / f"p.{letter}.bw"))
        np.testing.assert_array_equal(np.float32(track.values("II", 100, 250)), mean[:, code])
    assert figure.exists()
    assert figure.with_name("logo-bits.svg").exists()


def test_probabilities_of_too_many_bases_are_refused(run, model_file, genome_file, tmp_path, monkeypatch):
    monkeypatch.setattr("genolstm.cli.score.MOST_PROBABILITIES", 1000)
    ended = run("score", model_file, genome_file, "-o", tmp_path / "s.h5", "--probabilities", tmp_path / "p", "-q")
    assert ended == (2, "", (
        "genolstm: --probabilities of 2,102 bases take 0.0 GB in the file; name --region of at most 1,000 bases in all,"
        " and score the genome in turns.\n"
    ))  # fmt: skip

"""`genolstm gates` from a model and a genome to tracks and tables, every option, and everything that it refuses."""

import inspect
import json

import numpy as np
import pyBigWig
import pytest
from sklearn.metrics import roc_auc_score

from genolstm.cli.gates import gates
from genolstm.settings.reading import GatesSettings, StreamSettings
from genolstm.store.files import open_any
from genolstm.store.gates import open_gates, read_dump, read_gates_tables, read_resets

QUICK = ("-t", "1", "--device", "cpu", "-q", "--memory-bases", "0")
FEW = (
    "--matches",
    "2",
    "--permutations",
    "99",
    "--resamples",
    "20",
    "--match-kmer",
    "1",
    "--reach",
    "12",
    "--near",
    "4",
)


def summary_of(ended):
    assert ended.code == 0, ended.err
    return json.loads(ended.out, parse_constant=pytest.fail)


@pytest.fixture
def made(run, model_file, genome_file, tmp_path):
    """Function: options -> summary, output file."""

    def ran(*options, model=model_file):
        output = tmp_path / "gates.h5"
        return summary_of(run("gates", model, genome_file, "-o", output, *QUICK, "-f", "--json", *options)), output

    return ran


@pytest.fixture(scope="session")
def bed(tmp_path_factory):
    path = tmp_path_factory.mktemp("bed") / "a.bed"
    path.write_text("".join(f"I\t{start}\t{start + 40}\n" for start in range(40, 1100, 90)) + "Z\t1\t2\n")
    return path


def test_tracks_tables_and_summary_agree(made):
    told, output = made("--every", "1", "--units-every", "1")
    tables = read_gates_tables(output)
    with open_gates(output) as file:
        tracks = np.stack([file.read(strand, 0, file.samples) for strand in range(2)])  # [strands, samples, tracks, 1]
        assert file.names == ("forget", "half_life", "novelty")
    assert tracks.shape == (2, 2102, 3, 1)
    assert told["samples"] == tables.samples == 2 * 2102 - 2 * 3 == (~np.isnan(tracks[:, :, 0])).sum()
    assert tables.units["forget"]["mean"].mean() == pytest.approx(np.nanmean(tracks[:, :, 0]), abs=1e-6)
    layer = told["layers"][0]
    assert layer["mean_forget"] == pytest.approx(tables.units["forget"]["mean"].mean())
    assert layer["realised_half_life"]["median"] == pytest.approx(np.median(tables.half_life["realised"]))
    assert layer["nominal_half_life"]["longest"] == pytest.approx(tables.half_life["nominal"].max())
    # the mean rate of forgetting is the same whether units or bases are averaged first
    assert (1 / tables.half_life["realised"]).mean() == pytest.approx(np.nanmean(1 / tracks[:, :, 1]), rel=1e-5)
    assert {"command", "version", "output", "seconds", "device", "seed", "records"} <= told.keys()
    assert told["records"] == {"read": 3, "used": 3, "skipped": {}}
    assert {"count", "max_bits", "max_state", "repaired"} <= told["seams"].keys()
    assert tables.summary["layers"] == told["layers"]
    assert tables.seams == told["seams"]


def test_resets_are_listed_as_bed_columns(made):
    told, output = made("--every", "1", "--reset-share", "0.02")
    resets = read_resets(output)
    assert told["resets"] == len(resets["start"]) > 5
    assert np.array_equal(resets["end"], resets["start"] + 1)
    with open_gates(output) as file:
        for contig, start, strand, value in zip(
            *(resets[n] for n in ("contig", "start", "strand", "forget")), strict=True
        ):
            sample = file.first[contig] + start
            assert (
                file.track("forget", int(strand < 0), 0, sample, sample + 1)[0] == value < told["reset_thresholds"][0]
            )
        every = np.concatenate([file.track("forget", strand, 0, 0, file.samples) for strand in range(2)])
    assert told["reset_thresholds"][0] == pytest.approx(np.nanquantile(every, 0.02), abs=1e-3)
    fewer, _ = made("--every", "1", "--reset-share", "0.005")
    assert fewer["resets"] < told["resets"]


def test_bigwigs_are_the_tracks(made, tmp_path):
    folder = tmp_path / "wigs"
    _, output = made("--every", "7", "--bigwig-dir", folder)
    assert len(list(folder.iterdir())) == 9
    with open_gates(output) as file:
        expected = {name: [file.track(name, s, 0, 0, file.samples) for s in range(2)] for name in file.names}
        count = -(-1202 // 7)
    for strand, name in enumerate(("forward", "reverse")):
        with pyBigWig.open(str(folder / f"forget.layer0.{name}.bw")) as wig:
            intervals = wig.intervals("I")
        starts = [7 * n for n in range(count)]
        known = ~np.isnan(expected["forget"][strand][:count])
        assert [each[0] for each in intervals] == [start for start, there in zip(starts, known, strict=True) if there]
        np.testing.assert_allclose([each[2] for each in intervals], expected["forget"][strand][:count][known])
        assert intervals[-1][1] == 1202
    with pyBigWig.open(str(folder / "half_life.layer0.mean.bw")) as wig:
        rate = sum(1 / track[1] for track in expected["half_life"]) / 2
        # the first sample has one strand alone, and no mean: base 0 is never read in reverse
        assert wig.intervals("I")[0][0] == 7
        assert wig.intervals("I")[0][2] == pytest.approx(1 / rate, rel=1e-6)


def test_dump_is_at_the_region_that_samtools_would_name(made):
    _, output = made("--dump", "I:11-30")
    region, values = read_dump(output)
    assert (region.contig, region.start, region.end) == ("I", 10, 30)
    assert {name: array.shape for name, array in values.items()} == dict.fromkeys(
        ("forget", "write", "candidate", "read", "hidden", "memory"), (20, 2, 1, 8)
    )
    _, output = made("--every", "1", "--units-every", "1")
    with open_gates(output) as file:
        for strand in range(2):
            np.testing.assert_allclose(
                values["forget"][:, strand, 0].mean(axis=1), file.track("forget", strand, 0, 10, 30), atol=1e-6
            )
    with pytest.raises(Exception, match="holds no dump; run 'genolstm gates' with --dump REGION"):
        read_dump(output)


def test_region_reads_no_more_than_asked_for(made):
    told, output = made("--every", "1", "--region", "II:101-200", "--region", "I:1-50")
    with open_gates(output) as file:
        assert (file.samples, file.contig.tolist()) == (150, [0, 1])
    assert told["records"]["skipped"] == {"contigs outside the regions asked for": 1}


def test_functional_memory_is_told_where_it_was_measured(made):
    told, output = made("--memory-bases", "2k", "--resamples", "50")
    memory, tables = told["memory"], read_gates_tables(output)
    assert memory["reset_every"] == tables.memory["reset_every"].tolist()
    assert memory["bits"] == tables.memory["bits"].tolist()
    assert memory["measured_on"] in {"stretches held out for test", "contigs that the model was not trained on"}
    assert memory["skipped"][-1] == 65_536
    assert set(memory["flat_from"]) == {"0.01", "0.001"}
    assert len(tables.windows["start"]) >= 1
    assert "memory" not in made()[0]


def test_boundaries_of_bed_read_every_base_and_tell_each_test(made, bed):
    told, output = made("--boundaries", bed, *FEW)
    with open_gates(output) as file:
        assert file.every == 1
    tests = told["edges"]["tests"]
    assert {(t["kind"], t["direction"]) for t in tests} == {(k, d) for k in ("start", "end") for d in ("into", "out")}
    assert {t["measure"] for t in tests} == {"forget at", "forget around", "resets around"}
    assert all(t["verdict"] == ("no difference" if t["p_adjusted"] >= 0.05 else t["verdict"]) for t in tests)
    assert told["records"]["read"] == 3 + 13
    assert told["records"]["skipped"]["contig not in genome"] == 1
    tables = read_gates_tables(output)
    assert tables.edges["p"].tolist() == [t["p"] for t in tests]
    assert tables.edges["kind"] == [t["kind"] for t in tests]
    assert tables.profiles["offset"].tolist() == list(range(-12, 13))


def test_boundaries_of_genes_have_their_names(made, tmp_path):
    lines = ["##gff-version 3"]
    for number, start in enumerate(range(100, 1000, 220)):
        lines.append(f"I\tx\tmRNA\t{start}\t{start + 150}\t.\t+\t.\tID=t{number}")
        for first, last in ((start, start + 50), (start + 100, start + 150)):
            lines.append(f"I\tx\texon\t{first}\t{last}\t.\t+\t.\tParent=t{number}")
    path = tmp_path / "genes.gff3"
    path.write_text("\n".join(lines) + "\n")
    told, _ = made("--boundaries", path, *FEW)
    assert {t["kind"] for t in told["edges"]["tests"]} == {"donor", "acceptor", "transcript_start", "transcript_end"}


def test_last_line_tells_what_matters(run, model_file, genome_file, bed, tmp_path):
    ended = run("gates", model_file, genome_file, "-o", tmp_path / "g.h5", "-t", "1", "--memory-bases", "1k",
                "--boundaries", bed, *FEW)  # fmt: skip
    assert ended.code == 0, ended.err
    last = ended.err.strip().splitlines()[-1]
    assert "forget gate around boundaries: no difference from matched positions" in last
    assert "functional memory flat within 0.001 bits from" in last
    assert "median realised half-life" in last
    assert "--boundaries reads every base: --every is 1" in ended.err
    assert "p adjusted for 12 tests" in ended.err


def test_an_rnn_has_novelty_alone(run, made, genome_file, bed, tmp_path):
    model = tmp_path / "rnn.h5"
    trained = run("train", genome_file, "-o", model, "--cell", "rnn", "--hidden", "8", "--bases", "600", "--lanes", "4",
                  "--chunk", "16", "-t", "1", "--device", "cpu", "-q")  # fmt: skip
    assert trained.code == 0, trained.err
    told, output = made(model=model)
    assert told["layers"][0].keys() == {"mean_candidate"}
    assert told["resets"] == 0
    with open_gates(output) as file:
        assert file.names == ("novelty",)
    ended = run("gates", model, genome_file, "-o", tmp_path / "x.h5", "--boundaries", bed, *QUICK)
    assert ended.code == 2
    assert "--boundaries needs a forget gate, which an rnn has not" in ended.err


@pytest.mark.parametrize(
    "options",
    [
        ("--every", "50"), ("--units-every", "50"), ("--reset-share", "0.2"), ("--region", "I"), ("--dump", "I:5-9"),
        ("--memory-bases", "500"), ("--lanes", "2"), ("--chunk", "64"), ("--burn-in", "64"), ("--exact",),
        ("--tolerance", "0.5"), ("--seed", "9"),
    ],
)  # fmt: skip
def test_every_option_has_an_effect(made, options):
    def content():
        with open_any(output) as file:
            return {name: file.attrs[name] for name in ("settings", "samples", "seed")}, list(file)

    _, output = made()
    before = content()
    _, output = made(*options)
    assert content() != before


@pytest.mark.parametrize(
    "options",
    [
        ("--reach", "20"), ("--near", "2"), ("--match-kmer", "2"), ("--matches", "3"), ("--permutations", "50"),
        ("--resamples", "30"), ("--block-bp", "10"),
    ],
)  # fmt: skip
def test_every_option_of_boundaries_has_an_effect(made, bed, options):
    def told():
        _, output = made("--boundaries", bed, *FEW, *chosen)
        tables = read_gates_tables(output)
        return [np.array(each) for each in (*tables.edges.values(), *tables.profiles.values())]

    chosen = ()
    before = told()
    chosen = options
    after = told()
    assert not all(one.shape == two.shape and (one == two).all() for one, two in zip(before, after, strict=True))


def test_a_settings_file_stands_in_for_options(made, tmp_path):
    path = tmp_path / "gates.toml"
    path.write_text('every = 9\nmemory_bases = "0"\nseed = 4\n')
    told, output = made("--settings", path)
    with open_gates(output) as file:
        assert file.every == 9
    assert told["seed"] == 4


def test_same_seed_same_bytes(made, bed, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    _, output = made("--boundaries", bed, *FEW, "--memory-bases", "1k")
    first = output.read_bytes()
    _, output = made("--boundaries", bed, *FEW, "--memory-bases", "1k")
    assert output.read_bytes() == first


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--region", "I:1-99999"), 2, "region 'I:1-99999' ends past contig 'I' of 1,202 symbols"),
        (("--region", "chr9"), 3, "region 'chr9' names no contig of the genome, which has I, II, III"),
        (("--dump", "I:5-99999"), 2, "region 'I:5-99999' ends past contig 'I'"),
        (("--reset-share", "1.5"), 2, "the reset share must lie between 0 and 1, not be 1.5"),
        (("--near", "60"), 2, "near must lie between 0 and the reach of 50"),
        (("--memory-bases", "many"), 2, "'many' is not a number"),
        (("--boundaries", "gone.bed"), 3, "gone.bed does not exist"),
        (("--tolerance", "0"), 2, "tolerance must be above 0"),
    ],
)
def test_bad_options_are_refused_in_one_sentence(run, model_file, genome_file, tmp_path, options, code, said):
    ended = run("gates", model_file, genome_file, "-o", tmp_path / "g.h5", *QUICK, *options)
    assert ended.code == code
    assert said in ended.err
    assert len(ended.err.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("I\t50\t40\n", "the interval ends at 40, before its start at 50"),
        ("I\t50\t5000\n", "reaches over the end of I, which has 1202 bp"),
        ("", "holds no intervals"),
    ],
)
def test_bad_beds_are_refused_in_one_sentence(run, model_file, genome_file, tmp_path, lines, said):
    (tmp_path / "bad.bed").write_text(lines)
    ended = run("gates", model_file, genome_file, "-o", tmp_path / "g.h5", *QUICK, "--boundaries", tmp_path / "bad.bed")
    assert ended.code == 3
    assert said in ended.err
    assert not (tmp_path / "g.h5").exists()


def test_outputs_that_exist_are_kept(run, model_file, genome_file, tmp_path):
    (tmp_path / "wigs").mkdir()
    wig = tmp_path / "wigs" / "forget.layer0.mean.bw"
    wig.write_text("mine")
    ended = run("gates", model_file, genome_file, "-o", tmp_path / "g.h5", *QUICK, "--bigwig-dir", tmp_path / "wigs")
    assert (ended.code, wig.read_text()) == (2, "mine")
    assert "add --force" in ended.err
    ended = run("gates", model_file, genome_file, "-o", tmp_path / "g.h5", *QUICK, "--bigwig-dir", wig)
    assert ended.code == 2
    assert "is a file; name a folder" in ended.err


def test_every_default_is_a_settings_default():
    settings = {**GatesSettings().to_json(), **StreamSettings().to_json()}
    for name, option in inspect.signature(gates).parameters.items():
        if name in settings:
            wanted = settings[name]
            assert option.default == (str(wanted) if name == "memory_bases" else wanted)
    assert set(GatesSettings().to_json()) <= set(inspect.signature(gates).parameters)


def test_show_and_schema_tell_of_gates(run, made):
    _, output = made("--memory-bases", "1k")
    ended = run("show", output, "--verify")
    assert ended.code == 0
    assert "realised_half_life" in ended.out
    assert "flat_from" in ended.out
    assert "tracks/novelty" in run("schema", "gates").out


@pytest.mark.slow
def test_gates_are_different_within_a_planted_tandem_repeat(run, tmp_path):
    rng, unit, copies, length = np.random.default_rng(11), "ACGTTGCCATAG", 800, 40_000
    start = (length - len(unit) * copies) // 2
    fasta = tmp_path / "planted.fa"
    with fasta.open("w") as out:
        for name in ("known", "new"):
            text = "".join(rng.choice(list("ACGT"), length))
            out.write(f">{name}\n{text[:start]}{unit * copies}{text[start + len(unit) * copies :]}\n")
    genome, model, output = (tmp_path / name for name in ("g.h5", "m.h5", "gates.h5"))
    assert run("ingest", fasta, "-o", genome, "-q").code == 0
    assert run(
        "train", genome, "-o", model, "--hidden", "32", "--bases", "1200k", "--train-contigs", "known",
        "--test-contigs", "new", "--lr", "1e-2", "-t", "1", "--device", "cpu", "-q",
    ).code == 0  # fmt: skip
    summary_of(run("gates", model, genome, "-o", output, "--region", "new", "--every", "1", *QUICK, "--json"))
    with open_gates(output) as file:
        tracks = np.stack([file.read(strand, 0, length)[:, :, 0] for strand in range(2)])  # [strands, length, tracks]
    inside = np.zeros(length, dtype=bool)
    inside[start : start + len(unit) * copies] = True
    blocks = length // len(unit) // 4
    for strand in range(2):
        for track in (0, 2):  # mean forget gate and novelty
            # means over four copies: within a copy the gates follow the letters
            means = np.nanmean(tracks[strand, : blocks * 48, track].reshape(blocks, 48), axis=1)
            whole = inside[: blocks * 48].reshape(blocks, 48).mean(axis=1)
            told = roc_auc_score(whole[(whole == 0) | (whole == 1)], means[(whole == 0) | (whole == 1)])
            assert abs(told - 0.5) > 0.45

"""`genolstm probe splice` from FASTA and genes to a verdict, and everything that it refuses."""

import dataclasses
import inspect
import json
import math
import subprocess
import sys

import numpy as np
import pytest
from in_process import called
from made_genes import as_gff3, made_genes

from genolstm.cli import probe as command
from genolstm.regions import Part
from genolstm.settings.probe import DecoySource, ProbeSettings, States
from genolstm.store.checkpoint import read_checkpoint
from genolstm.store.files import open_file
from genolstm.store.results import read_probe
from genolstm.store.schema import Kind

LENGTHS = {"I": 12_000, "II": 6_000, "III": 3_000}
TRAIN = (
    "--hidden", "8", "--lanes", "4", "--chunk", "64", "--bases", "60k", "--lr", "1e-2", "--test-contigs", "II",
    "-t", "1", "--device", "cpu", "-q",
)  # fmt: skip
WITH_TREES = (
    "--twins", "1", "--decoys", "3", "--offsets", "2,4", "--resamples", "20", "--control-window", "16", "--kmer", "1",
    "-t", "1", "--device", "cpu", "-q",
)  # fmt: skip
QUICK = (*WITH_TREES, "--no-nn")  # trees take nearly half of the time, and one run with them shows them
CONTROLS = {"nn", "untrained", "onehot", "kmer", "composition", "shuffled", "control_task"}


def as_gtf(genes):
    lines = []
    for number, (contig, strand, exons) in enumerate(genes):
        for start, end in exons[::-1]:
            for kind, phase in (("exon", "."), ("CDS", "0")):
                names = f'gene_id "g{number}"; transcript_id "t{number}";'
                lines.append(f"{contig}\tmade\t{kind}\t{start + 1}\t{end}\t.\t{strand}\t{phase}\t{names}")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Genome, genes in both formats, and a model trained for seconds: I and III to train and validate, II to test."""
    where = tmp_path_factory.mktemp("splice")
    texts, genes = made_genes(1, LENGTHS)
    (where / "g.fa").write_text("".join(f">{name}\n{text}\n" for name, text in texts.items()))
    (where / "g.gff3").write_text(as_gff3(genes))
    (where / "g.gtf").write_text(as_gtf(genes))
    assert called("ingest", where / "g.fa", "-o", where / "g.h5", "-q") == (0, "", "")
    assert called("train", where / "g.h5", "-o", where / "m.h5", *TRAIN) == (0, "", "")
    return where


@pytest.fixture
def probe(run, folder, tmp_path):
    """Function: options -> how `probe splice` ended, and where its file is; the genome's own model and genes."""

    def ran(*options, model="m.h5", genome="g.h5", annotation="g.gff3", output="s.h5", quick=QUICK):
        ended = run(
            "probe", "splice", folder / model, "--genome", folder / genome, "--annotation", folder / annotation,
            "-o", tmp_path / output, *quick, *options,
        )  # fmt: skip
        return ended, tmp_path / output

    return ran


@pytest.fixture(scope="module")
def plain(folder):
    """The plain run, trees and all: its summary and its file."""
    return plainly(folder, "plain.h5", *WITH_TREES)


@pytest.fixture(scope="module")
def linear(folder):
    """File of the plain run without trees, which those of `probe` are held against."""
    return plainly(folder, "linear.h5", *QUICK)[1]


def plainly(folder, name, *options):
    path = folder / name
    _, out, err = called(
        "probe", "splice", folder / "m.h5", "--genome", folder / "g.h5", "--annotation", folder / "g.gff3", "-o", path,
        *options, "--json",
    )  # fmt: skip
    assert err == ""
    return json.loads(out, parse_constant=pytest.fail), path


# ---- what it makes and says


def test_json_holds_the_fixed_keys(plain):
    told, path = plain
    assert {"command", "version", "output", "seconds", "device", "seed", "records"} <= told.keys()
    assert (told["command"], told["task"], told["output"]) == ("probe splice", "splice", str(path))
    assert told["records"].keys() == {"read", "used", "skipped"}
    assert told["records"]["read"] == told["records"]["used"] > 0
    assert told["targets"].keys() == {"donor", "acceptor"}
    verdicts = {target["verdict"] for target in told["targets"].values()}
    assert verdicts <= {"gain", "no gain", "cannot tell"}
    assert told["verdict"] == (verdicts.pop() if len(verdicts) == 1 else "mixed")
    for target in told["targets"].values():
        assert {"verdict", "n_test", "n_positive", "offsets", "scores"} <= target.keys()
        assert target["offsets"] == [2, 4]
        assert target["scores"].keys() >= {"trained", *CONTROLS}
        for scores in target["scores"].values():
            assert scores.keys() >= {"auprc", "auroc", "topk"}
            for value, low, high in scores.values():
                assert all(map(math.isfinite, (value, low, high)))
                assert low <= high


def test_json_tells_what_the_file_holds(plain):
    told, results = plain[0]["targets"], read_probe(plain[1])
    for target, result in results.items():
        test = result.sites.part == Part.TEST
        one = told[target]
        assert (one["n_test"], one["n_positive"]) == (test.sum(), result.sites.label[test].sum())
        assert (one["verdict"], one["best_control"]) == (result.verdict, result.best_control)
        assert one["difference"] == list(result.differences[result.best_control])
        for name, each in result.features.items():
            assert one["scores"][name] == {score: list(estimate) for score, estimate in each.scores.items()}


def test_the_strongest_twin_speaks_for_the_untrained(probe):
    ended, path = probe("--twins", "3", "--json")
    told, results = json.loads(ended.out)["targets"], read_probe(path)
    for target, result in results.items():
        twins = [result.features[f"untrained_{twin}"].scores["auprc"].value for twin in (1, 2, 3)]
        assert told[target]["scores"]["untrained"]["auprc"][0] == max(twins)


def test_splice_code_that_was_planted_is_read(plain):
    for result in read_probe(plain[1]).values():
        assert result.features["trained"].scores["auroc"].low > 0.75
        assert result.features["onehot"].scores["auroc"].low > 0.95
        assert result.features["shuffled"].scores["auroc"].value < 0.7


def test_file_follows_its_table_and_says_where_it_comes_from(plain, folder):
    with open_file(plain[1], Kind.PROBE, verify=True) as file:
        assert json.loads(file.attrs["inputs"]).keys() == {"model", "genome", "annotation"}
        settings = ProbeSettings.from_json(json.loads(file.attrs["settings"]), where="here")
        assert settings == ProbeSettings(twins=1, decoys=3, offsets="2,4", resamples=20, window=16, kmer=1)
        assert file.attrs["task"] == "splice"
        assert file.attrs["command"].startswith(f"genolstm probe splice {folder / 'm.h5'} --genome ")
        assert json.loads(file.attrs["records"])["read"] == 7 * len(made_genes(1, LENGTHS)[1])
    model = read_checkpoint(folder / "m.h5")
    assert "II" not in model.seen
    for result in read_probe(plain[1]).values():
        where = np.array(result.sites.contigs)[result.sites.contig]
        np.testing.assert_array_equal(where == "II", result.sites.part == Part.TEST)


def test_log_shows_every_control_and_both_verdicts(probe):
    ended, path = probe(quick=[option for option in QUICK if option != "-q"])
    assert (ended.code, ended.out) == (0, "")
    lines = ended.err.splitlines()
    assert lines[1] == "device cpu, 1 thread, seed 1"
    for target, result in read_probe(path).items():
        assert any(line.startswith(f"{target}: {result.verdict}") and "; trained states " in line for line in lines)
        for name, each in result.features.items():
            told = "{:.3f} [{:.3f}, {:.3f}]".format(*each.scores["auprc"])
            assert any(line.split()[0] == name and told in line for line in lines)
    assert lines[-1].startswith(f"wrote {path}: donor: ")


def test_gtf_and_gff3_of_the_same_genes_give_identical_results(probe, linear):
    _, path = probe(annotation="g.gtf")
    assert_identical(read_probe(path), read_probe(linear))


def assert_identical(one, other):
    assert one.keys() == other.keys()
    for target, result in one.items():
        assert result.features.keys() == other[target].features.keys()
        for name in ("contig", "position", "strand", "label", "part", "block"):
            np.testing.assert_array_equal(getattr(result.sites, name), getattr(other[target].sites, name))
        for name, each in result.features.items():
            np.testing.assert_array_equal(each.log_odds, other[target].features[name].log_odds)
            assert each.scores == other[target].features[name].scores
        assert result.differences == other[target].differences


# ---- settings


def options_of(function):
    return {name: parameter.default for name, parameter in inspect.signature(function).parameters.items()}


EFFECTS = {  # option -> a value that is not the one of the plain run
    "precision": ["--precision", "bf16"],
    "decoys": ["--decoys", "2"],
    "decoys_from": ["--decoys-from", "contig"],
    "offsets": ["--offsets", "4,max:-3:2"],
    "components": ["--components", "3"],
    "nn": ["--nn"],
    "states": ["--states", "h+c"],
    "twins": ["--twins", "2"],
    "window": ["--control-window", "20"],
    "kmer": ["--kmer", "2"],
    "block_bp": ["--block-bp", "100"],
    "resamples": ["--resamples", "30"],
    "max_sites": ["--max-sites", "30"],
    "min_intron": ["--min-intron", "35"],
    "train_contigs": ["--train-contigs", "I", "--test-contigs", "II"],
    "test_contigs": ["--test-contigs", "II"],
    "seed": ["--seed", "2"],
}
NOT_OF_THE_PROBE = {
    "ctx", "model", "genome", "annotation", "output", "settings_file", "threads", "device", "figure",
    "force", "quiet", "as_json", "folds",
}  # fmt: skip


def test_every_option_default_is_a_settings_default():
    options = {name: value for name, value in options_of(command.splice).items() if name not in NOT_OF_THE_PROBE}
    defaults = ProbeSettings()
    for name, value in options.items():
        expected = getattr(defaults, name)
        assert value == ("" if name.endswith("_contigs") else expected), name
    assert {field.name for field in dataclasses.fields(ProbeSettings)} - options.keys() == {"valid_share"}


def test_every_probe_option_is_looked_at_below():
    assert EFFECTS.keys() == options_of(command.splice).keys() - NOT_OF_THE_PROBE


def seen_in(path):
    """What a result file tells, as plain values that can be compared."""
    return {
        target: (
            [getattr(result.sites, name).tolist() for name in ("position", "strand", "label", "part")],
            (result.offsets, result.pools),
            {
                name: (each.log_odds.tolist(), each.coefficients.tolist(), sorted(each.scores.items()))
                for name, each in result.features.items()
            },
            result.prevalence,
        )
        for target, result in read_probe(path).items()
    }


@pytest.mark.parametrize("option", EFFECTS)
def test_every_option_has_an_effect(request, probe, linear, option, monkeypatch):
    if option == "precision":
        request.getfixturevalue("bf16")
    monkeypatch.setattr(
        "genolstm.bench.memory_check.speed_of_format", lambda _: 2.0
    )  # of a model as small as this less
    ended, path = probe(*EFFECTS[option])
    assert (ended.code, ended.err) == (0, "")
    assert seen_in(path) != seen_in(linear)
    with open_file(path, Kind.PROBE) as file, open_file(linear, Kind.PROBE) as other:
        settings, before = (json.loads(each.attrs["settings"]) for each in (file, other))
    changed = {name for name, value in settings.items() if value != before[name]}
    assert changed == {"train_contigs", "test_contigs"} if option == "train_contigs" else changed == {option}


def test_memories_double_the_features(probe, linear):
    results = read_probe(probe("--states", "h+c")[1])
    for target, result in read_probe(linear).items():
        for name in ("trained", "untrained_1", "shuffled"):
            assert len(result.features[name].coefficients) == 2 * 2 * 8  # offsets, strands, units
            assert len(results[target].features[name].coefficients) == 2 * 2 * 2 * 8
        assert len(results[target].features["onehot"].coefficients) == 33 * 4


def test_sweep_is_written_for_every_model(probe):
    for result in read_probe(probe("--offsets", "sweep")[1]).values():
        assert {fit.model for fit in result.sweep} == {"trained", "untrained_1"}
        mine = [fit for fit in result.sweep if fit.model == "trained"]
        assert max(mine, key=lambda fit: fit.searched).offsets == result.offsets


def test_settings_file_gives_every_option_and_the_seed_that_is_told(probe, tmp_path):
    settings = tmp_path / "probe.toml"
    settings.write_text(
        'decoys = 2\ndecoys_from = "contig"\noffsets = "4"\nstates = "h+c"\ntwins = 1\nwindow = 17\nkmer = 2\n'
        'block_bp = 500\nresamples = 25\nmax_sites = 80\nmin_intron = 10\ntrain_contigs = ["I", "III"]\n'
        'test_contigs = "II"\nseed = 9\n'
    )
    ended, path = probe("--settings", settings, quick=("-t", "1", "--device", "cpu", "-q", "--json", "--kmer", "1"))
    assert ended.code == 0
    assert json.loads(ended.out)["seed"] == 9
    with open_file(path, Kind.PROBE) as file:
        made = ProbeSettings.from_json(json.loads(file.attrs["settings"]), where="here")
        assert file.attrs["seed"] == 9
    assert made == ProbeSettings(
        decoys=2, decoys_from=DecoySource.CONTIG, offsets="4", states=States.BOTH, twins=1, window=17, kmer=1,
        block_bp=500, resamples=25, max_sites=80, min_intron=10, train_contigs=("I", "III"), test_contigs=("II",),
        seed=9,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("hidden = 3", "settings file {path} has the unknown key 'hidden'; known are decoys, "),
        ("window = 5", "settings file {path}: 'window' is wrong: "),
        ('states = "c"', "settings file {path}: 'states' is wrong: "),
    ],
)
def test_bad_settings_file_is_named(probe, tmp_path, text, sentence):
    settings = tmp_path / "bad.toml"
    settings.write_text(text)
    ended, path = probe("--settings", settings)
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith("genolstm: " + sentence.format(path=settings))
    assert not path.exists()


# ---- wrong usage


@pytest.mark.parametrize("offsets", ["nonsense", "1,", "-", "1.5", "0;2", "2-4", ""])
def test_nonsense_for_offsets_is_wrong_usage(probe, offsets):
    ended, path = probe(f"--offsets={offsets}")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        f"genolstm: offsets '{offsets}' are neither 'wide' nor 'sweep' nor whole numbers, as in 0,2,4 or -4,0,4; pools"
        " of the site's own pass may follow, as mean:-28:-15 or max:-16:-3.\n"
    )
    assert not path.exists()


@pytest.mark.parametrize(
    "options",
    [
        ("--decoys", "0"), ("--twins", "0"), ("--control-window", "15"), ("--kmer", "7"), ("--resamples", "19"),
        ("--states", "c"), ("--decoys-from", "nowhere"), ("--min-intron", "3"), ("--max-sites", "0"),
    ],
)  # fmt: skip
def test_options_out_of_range_are_wrong_usage(probe, options):
    ended, path = probe(*options)
    assert (ended.code, ended.out) == (2, "")
    assert options[0] in ended.err
    assert not path.exists()


def test_existing_output_is_refused_unless_forced_and_then_holds_the_same_numbers(probe, linear, tmp_path):
    (tmp_path / "s.h5").write_text("mine")
    ended, path = probe()
    assert (ended.code, path.read_text()) == (2, "mine")
    assert ended.err == f"genolstm: output {path} exists; add --force to replace it, or name another.\n"
    assert probe("--force")[0].code == 0
    assert_identical(read_probe(path), read_probe(linear))


@pytest.mark.parametrize("option", ["m.h5", "g.h5", "g.gff3"])
def test_output_that_is_an_input_is_refused_even_by_force(run, folder, option):
    before = (folder / option).read_bytes()
    ended = run(
        "probe", "splice", folder / "m.h5", "--genome", folder / "g.h5", "--annotation", folder / "g.gff3",
        "-o", folder / option, "--force", *QUICK,
    )  # fmt: skip
    assert (ended.code, ended.err) == (2, f"genolstm: output {folder / option} is also an input; name another.\n")
    assert (folder / option).read_bytes() == before


def test_training_contigs_without_test_contigs_are_wrong_usage(probe):
    ended, path = probe("--train-contigs", "I")
    assert (ended.code, ended.err) == (2, "genolstm: --train-contigs is given without --test-contigs; name both.\n")
    assert not path.exists()


# ---- bad input


def refused(ended, path, sentence):
    assert (ended.code, ended.out) == (3, "")
    assert ended.err == f"genolstm: {sentence}\n"
    assert not path.exists()


def test_test_contig_that_was_trained_on_is_refused(probe, folder):
    refused(
        *probe("--test-contigs", "I"),
        f"contig 'I' was trained on by {folder / 'm.h5'}, so that no score on it is held out; test on II, or train a"
        " model without it.",
    )


def test_file_of_another_kind_is_no_model(probe, folder):
    refused(
        *probe(model="g.h5"),
        f"{folder / 'g.h5'} is a genome file where a checkpoint file is needed; make one with 'genolstm train'.",
    )
    refused(
        *probe(genome="m.h5"),
        f"{folder / 'm.h5'} is a checkpoint file where a genome file is needed; make one with 'genolstm ingest'.",
    )


def test_cut_or_missing_model_is_named(probe, folder):
    (folder / "cut.h5").write_bytes((folder / "m.h5").read_bytes()[:-400])
    ended, path = probe(model="cut.h5")
    assert (ended.code, path.exists()) == (3, False)
    assert ended.err.startswith(f"genolstm: {folder / 'cut.h5'} is cut short or damaged")
    refused(*probe(model="gone.h5"), f"{folder / 'gone.h5'} does not exist; correct the path.")


@pytest.fixture(scope="module")
def protein(folder):
    """A protein genome and a model of it."""
    letters = np.random.default_rng(1).choice(list("ACDEFGHIKLMNPQRSTVWY"), 3000)
    (folder / "p.fa").write_text(f">p\n{''.join(letters[:2500])}\n>q\n{''.join(letters[2500:])}\n")
    assert called("ingest", folder / "p.fa", "-o", folder / "p.h5", "--alphabet", "protein", "-q") == (0, "", "")
    train = ("--hidden", "4", "--lanes", "2", "--chunk", "16", "--bases", "300", "-t", "1", "--device", "cpu", "-q")
    assert called("train", folder / "p.h5", "-o", folder / "pm.h5", *train, "--test-contigs", "q") == (0, "", "")


@pytest.mark.usefixtures("protein")
def test_protein_is_refused_as_model_as_genome_and_as_both(probe, folder):
    remedy = "give a genome of the model's alphabet."
    refused(
        *probe(model="pm.h5"), f"{folder / 'pm.h5'} was trained on protein and {folder / 'g.h5'} holds dna; {remedy}"
    )
    refused(
        *probe(genome="p.h5"), f"{folder / 'm.h5'} was trained on dna and {folder / 'p.h5'} holds protein; {remedy}"
    )
    rows = [(contig, strand, exons) for contig in "pq" for _, strand, exons in made_genes(1, LENGTHS)[1][:2]]
    (folder / "p.gff3").write_text(as_gff3(rows))
    refused(
        *probe(model="pm.h5", genome="p.h5", annotation="p.gff3"),
        f"{folder / 'pm.h5'} reads protein, which has no splice sites; give a DNA model.",
    )


def test_annotation_without_a_contig_of_the_genome_shows_both_lists(probe, folder):
    (folder / "other.gff3").write_text(as_gff3([(f"chr{c}", s, e) for c, s, e in made_genes(1, LENGTHS)[1]]))
    refused(
        *probe(annotation="other.gff3"),
        f"no contig of {folder / 'other.gff3'} is in {folder / 'g.h5'}: the annotation has chrI, chrII, chrIII and the"
        " genome has I, II, III; they differ by the prefix 'chr', add or remove it in one of the two.",
    )


def test_annotation_of_some_contigs_is_used_as_far_as_it_goes_and_the_rest_is_told(probe, folder):
    genes = made_genes(1, LENGTHS)[1]
    (folder / "more.gff3").write_text(as_gff3([*genes, ("IV", "+", genes[0][2])]))
    ended, path = probe("--json", annotation="more.gff3")
    assert ended.code == 0
    assert "IV" in ended.err
    records = json.loads(ended.out)["records"]
    assert records["skipped"]["contig not in genome"] == 7
    assert records["read"] == records["used"] + 7
    with open_file(path, Kind.PROBE) as file:
        assert json.loads(file.attrs["records"]) == records


def test_missing_annotation_is_named(probe, folder):
    refused(
        *probe(annotation="gone.gff3"),
        f"{folder / 'gone.gff3'} does not exist: check the path.",
    )


def test_annotation_without_genes_on_the_test_contig_is_refused_in_one_sentence(probe, folder):
    (folder / "some.gff3").write_text(as_gff3([gene for gene in made_genes(1, LENGTHS)[1] if gene[0] != "II"]))
    ended, path = probe(annotation="some.gff3")
    assert (ended.code, path.exists()) == (3, False)
    assert ended.err.splitlines()[-1] == (
        "genolstm: the test part holds 0 donors and 0 decoys that can be read, and a probe needs both; name"
        " --train-contigs and --test-contigs with more genes."
    )


def test_annotation_may_come_from_a_pipe(folder, tmp_path):
    program = "from genolstm.cli.app import main; main()"
    arguments = ["probe", "splice", folder / "m.h5", "--genome", folder / "g.h5", "--annotation", "-", "-o"]
    ended = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments), str(tmp_path / "s.h5"), *QUICK],
        input=(folder / "g.gff3").read_text(), text=True, capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")
    with open_file(tmp_path / "s.h5", Kind.PROBE) as file:
        assert json.loads(file.attrs["inputs"]).keys() == {"model", "genome"}  # a stream has passed

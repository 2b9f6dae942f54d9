"""`genolstm probe protein` from sequences to verdicts, and everything that it refuses."""

import inspect
import json
from pathlib import Path

import numpy as np
import pytest

from genolstm.cli import probe_protein as command
from genolstm.model import NextSymbolModel
from genolstm.regions import Part, split_genome
from genolstm.seeds import spawn
from genolstm.seen import training_sequence
from genolstm.settings.model import AlphabetName, ModelSettings
from genolstm.settings.protein import ProteinProbeSettings
from genolstm.settings.train import TrainSettings
from genolstm.store.checkpoint import HISTORY, LOOKS, Checkpoint, write_checkpoint
from genolstm.store.files import open_file
from genolstm.store.genome import open_genome
from genolstm.store.results import read_probe
from genolstm.store.schema import Kind

EXAMPLES = Path(__file__).resolve().parents[2] / "example_data"
GENES = EXAMPLES / "genes.gff3"
QUICK = ("--twins", "1", "--resamples", "20", "--max-proteins", "25", "-t", "1", "--device", "cpu", "-q", "--json")


@pytest.fixture(scope="module")
def made(tmp_path_factory, ran, provenance):
    """Folder with a genome and a proteome, and a model of each."""
    folder = tmp_path_factory.mktemp("made")
    lines = (EXAMPLES / "proteins.fa").read_text().split(">")[1:]
    (folder / "p.fa").write_text("".join(f">{each}" for each in lines[:150]))
    for line in (
        ("ingest", EXAMPLES / "genome.fa.gz", "-o", folder / "g.h5", "-q"),
        ("ingest", folder / "p.fa", "-o", folder / "p.h5", "--alphabet", "protein", "-q"),
    ):
        code, _, err = ran(*line)
        assert code == 0, err
    genome, proteins = open_genome(folder / "g.h5"), open_genome(folder / "p.h5")
    by_contig = split_genome(genome.length_of, spawn(1, "split"), valid_contigs=["chrC"], test_contigs=["chrB"])
    kept = {part: proteins.names[part::5] for part in (Part.VALID, Part.TEST)}
    by_protein = split_genome(
        proteins.length_of, spawn(1, "split"), valid_contigs=kept[Part.VALID], test_contigs=kept[Part.TEST]
    )
    write_model(folder / "dna.h5", genome, AlphabetName.DNA, by_contig, provenance)
    write_model(folder / "protein.h5", proteins, AlphabetName.PROTEIN, by_protein, provenance)
    return folder


def write_model(path, genome, alphabet, split, provenance):
    """Model file as of a training that never began."""
    settings = ModelSettings(hidden=6, alphabet=alphabet)
    weights = NextSymbolModel(settings, seed=1).weight_arrays()
    checkpoint = Checkpoint(
        model=settings, train=TrainSettings(), weights=weights, split=split, lengths=genome.lengths,
        genome_sha256=genome.sha256, history={name: [] for name in HISTORY}, looks={name: [] for name in LOOKS},
        training=training_sequence(genome, split),
    )  # fmt: skip
    write_checkpoint(path, checkpoint, provenance)


def of_proteins(ran, made, out, *options):
    return ran("probe", "protein", made / "protein.h5", "--proteins", made / "p.fa", "-o", out, *QUICK, *options)


def of_genes(ran, made, out, *options):
    genome = ("--genome", made / "g.h5", "--annotation", GENES)
    return ran("probe", "protein", made / "dna.h5", *genome, "-o", out, *QUICK, *options)


@pytest.fixture(scope="module")
def probed(ran, made):
    """Summary of the probe of either model."""
    summaries = {}
    for name, probe in (("proteins", of_proteins), ("genes", of_genes)):
        code, out, err = probe(ran, made, made / f"{name}.probe.h5")
        assert code == 0, err
        summaries[name] = json.loads(out)
    return summaries


@pytest.mark.parametrize("name", ["proteins", "genes"])
def test_summary_and_file_hold_the_same(probed, made, name):
    summary, results = probed[name], read_probe(made / f"{name}.probe.h5")
    assert summary["command"] == "probe protein"
    assert summary["task"] == "protein"
    assert summary["verdict"] in {"gain", "no gain", "mixed"}
    targets = {"charge", "charge_per_residue", "hydropathy", "hydropathy_ahead"}
    assert summary["targets"].keys() == results.keys() == targets | ({"frame"} if name == "genes" else set())
    for target, result in results.items():
        told = summary["targets"][target]
        assert told["verdict"] == result.verdict
        assert told["n_test"] == int((result.sites.part == 2).sum())
        assert told["difference"] == list(result.differences[result.best_control])
        assert told["fraction_of_ceiling"] == (list(result.fraction_of_ceiling) if result.fraction_of_ceiling else None)
        assert told["standing"] == told["fraction_of_ceiling"]
        assert told["scores"]["trained"] == {k: list(v) for k, v in result.features["trained"].scores.items()}
        assert told["scores"]["untrained"] == told["scores"]["untrained_1"]
    records = summary["records"]
    assert records["read"] == records["used"] + sum(records["skipped"].values())
    assert records["skipped"]["more than --max-proteins of its part"] > 0
    with open_file(made / f"{name}.probe.h5", Kind.PROBE, verify=True) as file:
        assert file.attrs["task"] == "protein"
        assert json.loads(file.attrs["records"]) == records
        assert set(json.loads(file.attrs["inputs"])) == (
            {"model", "proteins"} if name == "proteins" else {"model", "genome", "annotation"}
        )


def test_show_tells_the_verdict_and_where_the_states_stand(ran, probed, made):
    del probed
    code, out, _ = ran("show", made / "genes.probe.h5", "--json")
    assert code == 0
    told = json.loads(out)
    assert "accuracy" in told["frame"]["trained"]
    assert told["charge"]["between random-init (0) and ceiling (1)"]
    assert "between random-init (0) and ceiling (1)" not in told["frame"]


def test_the_log_shows_every_control_beside_the_states(ran, made, tmp_path):
    options = [option for option in QUICK if option not in {"-q", "--json"}]
    genes = ("--genome", made / "g.h5", "--annotation", GENES)
    code, _, err = ran("probe", "protein", made / "dna.h5", *genes, "-o", tmp_path / "p.h5", *options)
    assert code == 0, err
    for word in (
        "prefix_composition",
        "onehot",
        "kmer",
        "length",
        "shuffled",
        "untrained_1",
        "the trained states reach",
    ):
        assert word in err, word
    assert "feature lines not used" in err
    assert "frame: " in err.splitlines()[-1]


@pytest.mark.parametrize(
    ("option", "changed"),
    [
        (("--positions", "3"), lambda one, two: two["n_test"] < one["n_test"]),
        (("--twins", "2"), lambda one, two: "untrained_2" in two["scores"] and "untrained_2" not in one["scores"]),
        (("--control-window", "12"), lambda one, two: two["scores"]["kmer"] != one["scores"]["kmer"]),
        (("--states", "h"), lambda one, two: two["scores"]["trained"] != one["scores"]["trained"]),
        (("--resamples", "60"), lambda one, two: two["difference"][1] != one["difference"][1]),
        (("--max-proteins", "8"), lambda one, two: two["n_test"] < one["n_test"]),
        (("--seed", "2"), lambda one, two: two["scores"]["untrained_1"] != one["scores"]["untrained_1"]),
    ],
)
def test_every_option_has_an_effect(ran, made, probed, tmp_path, option, changed):
    code, out, err = of_proteins(ran, made, tmp_path / "p.h5", *option)
    assert code == 0, err
    one, two = (summary["targets"]["hydropathy"] for summary in (probed["proteins"], json.loads(out)))
    assert changed(one, two)


def test_genes_are_split_by_the_contigs_named(ran, made, tmp_path):
    code, _, err = of_genes(ran, made, tmp_path / "p.h5", "--test-contigs", "chrC", "--train-contigs", "chrA")
    assert code == 0, err
    sites = read_probe(tmp_path / "p.h5")["frame"].sites
    assert {sites.contigs[place] for place in sites.contig[sites.part == Part.TEST]} == {"chrC"}
    assert {sites.contigs[place] for place in sites.contig[sites.part != Part.TEST]} == {"chrA"}
    code, _, err = of_genes(ran, made, tmp_path / "q.h5", "--test-contigs", "chrA", "--train-contigs", "chrB")
    assert code == 3
    assert "contig 'chrA' was trained on by" in err


def test_another_genetic_code_gives_other_proteins(ran, made, probed, tmp_path):
    code, out, err = of_genes(ran, made, tmp_path / "p.h5", "--genetic-code", "12")
    assert code == 0, err
    told = json.loads(out)["targets"]["hydropathy"]
    assert told["definition"]["genetic_code"].startswith("12 (Alternative Yeast")
    assert told["scores"]["length"] != probed["genes"]["targets"]["hydropathy"]["scores"]["length"]


def test_settings_file_stands_in_for_options(ran, made, tmp_path):
    (tmp_path / "s.toml").write_text("positions = 3\nstates = 'h'\n")
    code, _, err = of_proteins(ran, made, tmp_path / "p.h5", "--settings", tmp_path / "s.toml")
    assert code == 0, err
    with open_file(tmp_path / "p.h5", Kind.PROBE) as file:
        settings = json.loads(file.attrs["settings"])
    assert (settings["positions"], settings["states"]) == (3, "h")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("dna.h5", "--proteins", "p.fa"), 3, "reads dna: give it --genome and --annotation in place of --proteins"),
        (("protein.h5", "--genome", "g.h5", "--annotation", GENES), 3, "reads protein: give it --proteins in place of"),
        (("dna.h5", "--genome", "g.h5"), 2, "give --proteins for a protein model, or both --genome and --annotation"),
        (("dna.h5",), 2, "give --proteins for a protein model, or both --genome and --annotation"),
        (("dna.h5", "--genome", "g.h5", "--annotation", GENES, "--proteins", "p.fa"), 2, "give one kind"),
        (("protein.h5", "--proteins", "p.fa", "--test-contigs", "x"), 2, "with --proteins whole clusters are split"),
        (("protein.h5", "--proteins", "dna.fa"), 3, "it looks like DNA"),
        (("protein.h5", "--proteins", "g.h5"), 3, "holds dna; make it with 'genolstm ingest --alphabet protein'"),
        (("dna.h5", "--genome", "p.h5", "--annotation", GENES), 3, "give a genome of the model's alphabet"),
        (("dna.h5", "--genome", "g.h5", "--annotation", GENES, "--genetic-code", "7"), 2, "7 is no genetic code"),
        (("protein.h5", "--proteins", "gap.fa"), 3, "holds '-'"),
        (("protein.h5", "--proteins", "absent.fa"), 3, "absent.fa"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(ran, made, tmp_path, arguments, code, message):
    (made / "dna.fa").write_text(">a\n" + "ACGT" * 40 + "\n")
    (made / "gap.fa").write_text(">a\nMKV-LA\n")
    line = [made / each if str(each).endswith((".h5", ".fa")) else each for each in arguments]
    ended, out, err = ran("probe", "protein", *line, "-o", tmp_path / "p.h5", "-q")
    assert (ended, out) == (code, "")
    assert message in err
    assert "Traceback" not in err
    assert not (tmp_path / "p.h5").exists()


def test_options_borrow_the_defaults_of_the_settings():
    parameters = inspect.signature(command.protein).parameters
    for name in ("positions", "states", "twins", "window", "genetic_code", "resamples", "max_proteins", "seed"):
        assert parameters[name].default == getattr(ProteinProbeSettings, name), name


def test_letters_that_are_no_residues_are_told(ran, made, tmp_path):
    records = (made / "p.fa").read_text().split(">")[1:]
    names = [record.split()[0] for record in records]
    texts = ["".join(record.split("\n")[1:]) for record in records]
    texts = [text[:15] + "UXB*z" + text[20:] + "*" for text in texts]
    (tmp_path / "odd.fa").write_text("".join(f">{n}\n{t}\n" for n, t in zip(names, texts, strict=True)))
    code, out, err = ran(
        "probe", "protein", made / "protein.h5", "--proteins", tmp_path / "odd.fa", "-o", tmp_path / "p.h5", *QUICK
    )
    assert code == 0, err
    definition = json.loads(out)["targets"]["charge"]["definition"]
    assert definition["letters_without_value"] == "150 *, 150 B, 150 U, 150 X, 150 Z"
    assert definition["residues_without_value"] > 0
    assert definition["stop_signs_left_out"] == 150
    values = read_probe(tmp_path / "p.h5")["hydropathy"].features["trained"].label
    assert np.isfinite(values).all()


@pytest.mark.usefixtures("probed")
@pytest.mark.slow
def test_a_model_that_was_taught_the_targets_is_said_to_have_been_taught(ran, made, tmp_path):
    training = ("--hidden", "6", "--bases", "2k", "--multitask", "charge,hydropathy", "-t", "1", "--device", "cpu")
    code, _, err = ran("train", made / "p.h5", "-o", tmp_path / "taught.h5", *training, "-q")
    assert code == 0, err
    options = [word for word in QUICK if word not in {"-q", "--json"}]
    path = tmp_path / "probe.h5"
    code, _, err = ran("probe", "protein", tmp_path / "taught.h5", "--proteins", made / "p.h5", "-o", path, *options)
    assert code == 0, err
    assert "the model was trained on charge and hydropathy too, the random-init models were not" in err
    assert {each.definition["taught"] for each in read_probe(path).values()} == {"charge,hydropathy"}
    assert not any("taught" in each.definition for each in read_probe(made / "proteins.probe.h5").values())
    code, _, err = ran("report", path, "-o", tmp_path / "r.html", "-q")
    assert code == 0, err
    assert "taught charge,hydropathy on its training proteins" in (tmp_path / "r.html").read_text()

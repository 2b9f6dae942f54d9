"""`genolstm embed` from BED sites to a matrix of states, as HDF5 and as AnnData, and everything that it refuses."""

import json

import anndata
import numpy as np
import pytest
import torch

from genolstm.alphabet import DNA, reverse_complement
from genolstm.model import trained_model
from genolstm.store.checkpoint import read_checkpoint
from genolstm.store.genome import open_genome
from genolstm.store.hidden import read_hidden

QUICK = ("-t", "1", "--device", "cpu", "-q")
BED = "III\t10\t11\tx\t0\t-\nI\t500\t520\ty\t0\t+\nI\t40\t41\tz\t0\t.\nI\t40\t41\tagain\t0\t.\nII\t1\t499\tall\t0\t-\n"


@pytest.fixture
def bed(tmp_path):
    path = tmp_path / "sites.bed"
    path.write_text(BED)
    return path


@torch.no_grad()
def state_after(model, symbols):
    codes = torch.from_numpy(np.concatenate([[DNA.unknown], symbols]).astype(np.int64))[None]
    state = model.forward(codes, model.initial_state(1)).state
    return torch.cat([state.hidden[:, 0].flatten(), state.memory[:, 0].flatten()]).numpy()


@pytest.mark.parametrize("options", [(), ("--exact",), ("--lanes", "2", "--chunk", "16", "--burn-in", "512")])
def test_states_are_those_after_each_pass_has_read_the_site(run, model_file, genome_file, bed, tmp_path, options):
    output = tmp_path / "hidden.h5"
    ended = run("embed", model_file, genome_file, "--sites", bed, "-o", output, *QUICK, *options, "--json")
    assert ended.code == 0, ended.err
    hidden, genome, checkpoint = read_hidden(output), open_genome(genome_file), read_checkpoint(model_file)
    model = trained_model(checkpoint.model, checkpoint.weights)
    assert hidden.sites.name == ("z", "again", "y", "all", "x")
    assert hidden.states.dtype == np.float16
    for row in range(5):
        contig = hidden.sites.contig[row]
        codes = np.array(genome.all_codes[genome.starts[contig] : genome.starts[contig] + genome.lengths[contig]])
        start, end = hidden.sites.start[row], hidden.sites.end[row]
        forward, backward = codes[:end], reverse_complement(codes[start:])
        own, other = (backward, forward) if hidden.sites.strand[row] < 0 else (forward, backward)
        expected = np.concatenate([state_after(model, own), state_after(model, other)])
        np.testing.assert_allclose(hidden.states[row].astype(np.float32), expected, atol=2e-3)
    told = json.loads(ended.out)
    assert told["sites"] == 5
    assert told["features"] == hidden.states.shape[1] == 2 * 2 * 8
    assert told["records"] == {"read": 5, "used": 5, "skipped": {}}


def test_columns_are_named_in_order(run, model_file, genome_file, bed, tmp_path):
    output = tmp_path / "hidden.h5"
    assert run("embed", model_file, genome_file, "--sites", bed, "-o", output, *QUICK).code == 0
    features = read_hidden(output).features
    assert features["pass"] == ("own",) * 16 + ("other",) * 16
    assert features["part"] == (("h",) * 8 + ("c",) * 8) * 2
    assert features["unit"].tolist() == list(range(8)) * 4
    assert set(features["layer"].tolist()) == {0}


def test_pools_stand_beside_the_last_state_and_are_named(run, model_file, genome_file, bed, tmp_path):
    plain, output, h5ad = tmp_path / "p.h5", tmp_path / "hidden.h5", tmp_path / "hidden.h5ad"
    assert run("embed", model_file, genome_file, "--sites", bed, "-o", plain, *QUICK).code == 0
    asked = ("--pool", "max,last,mean", "--layers", "0", "--h5ad", h5ad)
    assert run("embed", model_file, genome_file, "--sites", bed, "-o", output, *asked, *QUICK).code == 0
    hidden, alone = read_hidden(output), read_hidden(plain)
    assert "pool" not in alone.features
    assert hidden.features["pool"] == ((("last",) * 16) + (("mean",) * 16) + (("max",) * 16)) * 2
    last = np.array(hidden.features["pool"]) == "last"
    np.testing.assert_array_equal(hidden.states[:, last], alone.states)
    data = anndata.read_h5ad(h5ad)
    assert data.var_names[[0, 16, 47, 48]].tolist() == [
        "own_last_0_h_0", "own_mean_0_h_0", "own_max_0_c_7", "other_last_0_h_0",
    ]  # fmt: skip
    assert list(data.var.columns) == ["pass", "part", "pool", "layer", "unit"]
    np.testing.assert_array_equal(data.X, hidden.states.astype(np.float32))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--pool", "median"), "'median' is no pool; name last, mean or max"),
        (("--pool", ""), "'' is no pool; name last, mean or max"),
        (("--layers", "1"), "the model has no layer 1: it has layer 0 alone"),
        (("--layers", "one"), "layers 'one' are not whole numbers from 0"),
    ],
)
def test_pools_and_layers_that_there_are_not_are_refused(run, model_file, genome_file, bed, tmp_path, options, words):
    output = tmp_path / "h.h5"
    ended = run("embed", model_file, genome_file, "--sites", bed, "-o", output, *QUICK, *options)
    assert ended.code == 2
    assert words in ended.err
    assert not output.exists()


def test_anndata_opens_the_same_matrix(run, model_file, genome_file, bed, tmp_path):
    output, h5ad = tmp_path / "hidden.h5", tmp_path / "hidden.h5ad"
    assert run("embed", model_file, genome_file, "--sites", bed, "-o", output, "--h5ad", h5ad, *QUICK).code == 0
    data, hidden = anndata.read_h5ad(h5ad), read_hidden(output)
    np.testing.assert_array_equal(data.X, hidden.states.astype(np.float32))
    assert list(data.obs.columns) == ["contig", "start", "end", "strand", "name"]
    assert data.obs_names.tolist() == ["I:41-41", "I:41-41-2", "I:501-520", "II:2-499", "III:11-11"]
    assert data.obs["name"].tolist() == list(hidden.sites.name)
    assert data.var_names[0] == "own_0_h_0"
    assert data.var["unit"].tolist() == hidden.features["unit"].tolist()


def test_sites_at_the_ends_of_contigs_are_skipped_and_counted(run, model_file, genome_file, tmp_path):
    bed, output = tmp_path / "s.bed", tmp_path / "h.h5"
    bed.write_text("I\t0\t5\nI\t1197\t1202\nI\t5\t6\nIV\t1\t2\n")
    ended = run("embed", model_file, genome_file, "--sites", bed, "-o", output, *QUICK, "--json")
    assert json.loads(ended.out)["records"] == {
        "read": 4, "used": 1, "skipped": {"interval at the end of its contig": 2, "contig not in genome": 1},
    }  # fmt: skip
    assert "IV" in ended.err


def test_a_model_that_outlasts_the_burn_in_is_read_exactly(run, model_file, genome_file, bed, tmp_path):
    short, exact = tmp_path / "h.h5", tmp_path / "e.h5"
    quick = [option for option in QUICK if option != "-q"]
    told = run(
        "embed", model_file, genome_file, "--sites", bed, "-o", short, *quick, "--burn-in", "16", "--chunk", "16"
    )
    assert "remembers more than a burn-in" in told.err
    assert run("embed", model_file, genome_file, "--sites", bed, "-o", exact, *QUICK, "--exact").code == 0
    np.testing.assert_allclose(read_hidden(short).states, read_hidden(exact).states, atol=2e-3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no intervals"),
        ("I\t9\t5\n", "before its start"),
        ("I\t5\t5000\n", "reaches over the end of I"),
        ("chrX\t1\t2\n", "no interval of"),
        ("I\t0\t1\n", "reaches the first or last base of its contig"),
    ],
)
def test_bad_sites_are_refused_in_one_sentence(run, model_file, genome_file, tmp_path, text, words):
    bed = tmp_path / "s.bed"
    bed.write_text(text)
    ended = run("embed", model_file, genome_file, "--sites", bed, "-o", tmp_path / "h.h5", *QUICK)
    assert ended.code == 3
    assert words in ended.err
    assert "Traceback" not in ended.err
    assert {path.name for path in tmp_path.iterdir()} == {"s.bed"}

"""What `genolstm bench hdf5` and `fit` compare does the same work on both sides."""

import h5py
import numpy as np
import pytest

from genolstm.bench import fitting, hidden
from genolstm.methylation.site_fit import fit_sites, read_model
from genolstm.settings.methylation import MethylationSettings
from genolstm.settings.model import ModelSettings
from genolstm.store.gzipped_states import write_gzipped
from genolstm.store.hidden import read_hidden


@pytest.fixture
def written(monkeypatch, tmp_path):
    """Time the writing of 64 sites of 24 states; gives the states and copies of both files."""
    monkeypatch.setattr(hidden, "STATES_BYTES", 64 * 24 * 2)
    monkeypatch.setattr(hidden, "BLOCK", 24)
    kept = {}

    def keep(name, write):
        def wrote(path, *arguments):
            write(path, *arguments)
            kept[name] = tmp_path / f"{name}.h5"
            kept[name].write_bytes(path.read_bytes())

        return wrote

    monkeypatch.setattr(hidden, "write_hidden", keep("ours", hidden.write_hidden))
    monkeypatch.setattr(hidden, "write_gzipped", keep("gzipped", write_gzipped))
    model = ModelSettings(hidden=6, layers=2)
    (timing,) = hidden.time_hidden(model, rounds=1)
    assert (timing.part, timing.unit) == ("hdf5", "bytes")
    return hidden.made_states(model), kept


def test_both_files_hold_the_same_states(written):
    states, kept = written
    assert (states.shape, states.dtype) == ((64, 2 * 2 * 6), np.float16)
    assert len(np.unique(states)) > 64
    np.testing.assert_array_equal(read_hidden(kept["ours"]).states, states)
    with h5py.File(kept["gzipped"]) as file:
        np.testing.assert_array_equal(file["states"][()], states)
        assert file["states"].compression == "gzip"


def test_our_file_has_chunks_of_whole_rows_and_no_filter(written):
    _, kept = written
    with h5py.File(kept["ours"]) as file:
        assert file["states"].chunks == (64, 24)
        assert file["states"].compression is None


def test_one_by_one_finds_what_all_at_once_finds():
    settings = MethylationSettings(times=fitting.TIMES, time_offset=fitting.OFFSET)
    model, counts = read_model(settings, dispersion=0.0), fitting.made_counts(60)
    assert 5 < counts.covered.mean() < 15
    fit = fit_sites(counts.modified, counts.covered, settings, model, intervals=False)
    rate, steady, likelihood = np.transpose(fitting.fit_one_by_one(counts.modified, counts.covered, settings, model))
    assert (likelihood <= fit.log_likelihood + 1e-4).all()
    same = likelihood > fit.log_likelihood - 1e-3  # scipy's single start may end on a lower top
    assert same.mean() > 0.9
    inside = same & (fit.rate > 0.02) & (fit.rate < 5)
    np.testing.assert_allclose(steady[inside], fit.steady[inside], atol=0.02)
    np.testing.assert_allclose(np.log(rate[inside]), np.log(fit.rate[inside]), atol=0.1)

"""Pools over intervals of any length against a twin that reads each contig whole, one base after the other."""

import dataclasses

import numpy as np
import pytest
import torch

from genolstm.errors import UsageError
from genolstm.model import NextSymbolModel
from genolstm.readers.bed import Bed
from genolstm.settings.model import ModelSettings, TrainableCell
from genolstm.settings.reading import EmbedSettings, SitePool, StreamSettings
from genolstm.states.sites import embed_sites
from genolstm.stream.reader import GenomeReader

STREAM = StreamSettings(lanes=4, chunk=16, burn_in=96)
EVERY = tuple(SitePool)
HALF = 2e-3
# contig, start, end, strand: one base, whole contigs but their ends, one inside another, the same twice, ends of chunks
PLACES = (
    (0, 1, 2, 1), (0, 1, 499, -1), (0, 16, 32, 1), (0, 17, 33, -1), (0, 40, 300, 0), (0, 100, 110, -1),
    (0, 100, 110, -1), (0, 498, 499, 1), (1, 5, 49, -1), (2, 400, 401, -1), (2, 550, 850, 1),
)  # fmt: skip


@pytest.fixture
def genome(genome_of, drawn_codes):
    return genome_of({"a": drawn_codes(1, 500, unknown=0.02), "b": drawn_codes(2, 50), "c": drawn_codes(3, 900)})


def bed_of(places):
    contig, start, end, strand = np.array(places).T
    return Bed(
        contig=contig.astype(np.int32), start=start, end=end, strand=strand.astype(np.int8), name=(),
        read=len(places), used=len(places), skipped={}, warnings=(),
    )  # fmt: skip


def model_of(cell=TrainableCell.LSTM, layers=1, bias="-1"):
    return NextSymbolModel(ModelSettings(cell=cell, layers=layers, hidden=5, forget_bias=bias), seed=3).eval()


@torch.inference_mode()
def states_along(model, codes):
    """h and c of every layer after each base, [L, 2, layers, H]."""
    state, found = model.initial_state(1), []
    for code in np.concatenate([[model.alphabet.unknown], codes]):
        state = model.forward(torch.tensor([[code]], dtype=torch.uint8), state).state
        found.append(torch.stack([state.hidden[:, 0], state.memory[:, 0]]))
    return torch.stack(found[1:]).numpy()


def passes_along(model, genome, contig):
    """States after each base of a contig, of both passes, along the forward strand."""
    codes = np.array(genome.all_codes[genome.starts[contig] :][: genome.lengths[contig]])
    return states_along(model, codes), states_along(model, genome.alphabet.complement[codes][::-1])[::-1]


def pooled_slowly(passes, site, pools, layers):
    """One site: own pass, then the other; pools, then h and c, then layers, then units."""
    contig, start, end, strand = site
    forward, backward = passes[contig][0][start:end], passes[contig][1][start:end][::-1]
    found = []
    for states in (backward, forward) if strand < 0 else (forward, backward):  # in reading direction
        for pool in pools:
            pooled = {"last": states[-1], "mean": states.mean(axis=0), "max": states.max(axis=0)}[pool]
            found.append(pooled[:, list(layers)].ravel())
    return np.concatenate(found)


def embedded(model, genome, places, kept, settings=STREAM):
    """Values [N, D] and the embedding."""
    found = embed_sites(GenomeReader(model, genome, settings), bed_of(places), kept, bed_name="x.bed")
    values = np.full((len(found.sites), len(found.features)), np.nan, dtype=np.float16)
    half = len(found.features) // 2
    for rows, which, states in found.states:
        values[rows, which * half : (which + 1) * half] = states
    return values, found


def expected_of(model, genome, found, pools, layers):
    columns = (getattr(found.sites, name).tolist() for name in ("contig", "start", "end", "strand"))
    passes = {contig: passes_along(model, genome, contig) for contig in set(found.sites.contig.tolist())}
    return np.array([pooled_slowly(passes, site, pools, layers) for site in zip(*columns, strict=True)])


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", list(TrainableCell))
def test_pools_equal_those_of_states_read_one_by_one(genome, cell, layers):
    model = model_of(cell, layers)
    values, found = embedded(model, genome, PLACES, EmbedSettings(pool=EVERY))
    expected = expected_of(model, genome, found, EVERY, range(layers))
    np.testing.assert_allclose(values, expected, atol=HALF * max(1, np.abs(expected).max()))


@pytest.mark.parametrize(("chunk", "lanes", "exact"), [(16, 1, True), (7, 3, False), (500, 2, False), (4000, 9, False)])
def test_pools_do_not_depend_on_chunks_and_lanes(genome, chunk, lanes, exact):
    settings = StreamSettings(lanes=lanes, chunk=chunk, burn_in=96, exact=exact)
    model = model_of()
    values, found = embedded(model, genome, PLACES, EmbedSettings(pool=EVERY), settings)
    np.testing.assert_allclose(values, expected_of(model, genome, found, EVERY, (0,)), atol=HALF)


def test_last_beside_pools_is_what_it_is_alone_to_the_last_bit(genome):
    model = model_of(layers=2)
    alone, _ = embedded(model, genome, PLACES, None)
    beside, found = embedded(model, genome, PLACES, EmbedSettings(pool=EVERY))
    last = [place for place, feature in enumerate(found.features) if feature.pool == "last"]
    np.testing.assert_array_equal(beside[:, last], alone)


@pytest.mark.parametrize("pools", [(SitePool.LAST,), EVERY])
def test_chosen_layers_are_those_of_all(genome, pools):
    model = model_of(layers=3)
    whole, every = embedded(model, genome, PLACES, EmbedSettings(pool=pools))
    some, found = embedded(model, genome, PLACES, EmbedSettings(pool=pools, layers=(2, 0)))
    columns = [place for place, feature in enumerate(every.features) if feature.layer != 1]
    assert found.features == [every.features[place] for place in columns]
    np.testing.assert_array_equal(some, whole[:, columns])


def test_sites_read_again_after_a_repair_hold_the_repaired_states(genome_of, drawn_codes, monkeypatch):
    """A network that remembers longer than its burn-in: without repair its pools are off, with it they are not."""
    monkeypatch.setattr("genolstm.stream.reading.forgets", lambda *_: True)  # else it were read in sequence
    genome = genome_of({"a": drawn_codes(9, 1500)})
    model = model_of(bias="3.5")
    places = [(0, start, start + 70, 1 if start % 2 else -1) for start in range(5, 1420, 45)]
    settings = StreamSettings(lanes=4, chunk=32, burn_in=32, repair=False, tolerance=1e-5)
    kept = EmbedSettings(pool=EVERY)
    burned, found = embedded(model, genome, places, kept, settings)
    repaired, again = embedded(model, genome, places, kept, dataclasses.replace(settings, repair=True))
    expected = expected_of(model, genome, found, EVERY, (0,))
    assert again.seams.repaired > 0
    tolerance = HALF * max(1, np.abs(expected).max())
    assert np.abs(burned - expected).max() > 5 * tolerance
    np.testing.assert_allclose(repaired, expected, atol=tolerance)


@pytest.mark.parametrize(("layers", "words"), [(1, "no layer 4: it has layer 0 alone"), (2, "it has layers 0 to 1")])
def test_a_layer_that_is_not_there_is_refused(genome, layers, words):
    with pytest.raises(UsageError, match=words):
        embedded(model_of(layers=layers), genome, PLACES, EmbedSettings(layers=(4,)))

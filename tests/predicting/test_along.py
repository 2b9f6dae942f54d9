"""Decisions added up along the pass are those of the states read one by one, wherever blocks, pieces and seams lie."""

from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest
import torch

from genolstm.errors import UsageError
from genolstm.model import NextSymbolModel
from genolstm.predicting.along import Decided, decide_along
from genolstm.predicting.window_maxima import gathered_maxima, window_maxima
from genolstm.probes.readings import How, Reading, Terms
from genolstm.regions import Part, Sites
from genolstm.settings.model import ModelSettings
from genolstm.settings.reading import StreamSettings
from genolstm.states.sites import readable, states_at
from genolstm.store.candidates import Found, listed_candidates
from genolstm.stream.reader import GenomeReader
from genolstm.stream.seams import Seams

WIDTH = 4  # units
FIRST, LAST = -21, 9
OFFSETS = tuple(range(FIRST, LAST + 1))


def a_reader(genome, device, stream, *, layers=1, bias=3.0):
    settings = ModelSettings(hidden=WIDTH, layers=layers, forget_bias=str(bias))
    return GenomeReader(NextSymbolModel(settings, seed=3).eval().to(device), genome, stream)


def some_terms(width, n_values, seed, *, maxima=True):
    rng = np.random.default_rng(seed)
    places = [(own, How.STATE, o, o) for o in (FIRST, -3, 0, LAST) for own in (True, False)]
    places += [(True, How.MEAN, -20, -2), (False, How.MEAN, -5, 9)]
    places += [(True, How.MAX, FIRST, -3), (False, How.MAX, 0, 6)] if maxima else []
    readings = tuple(Reading(*place, rng.normal(size=(width, n_values))) for place in places)
    return Terms(readings, rng.normal(size=n_values))


def brute_force(reader, terms, sites, *, memories=False):
    """[N, K] from states at every offset, which are float16."""
    states = states_at(reader, sites, OFFSETS, memories=memories).astype(np.float64)  # [N, offsets, 2, D]
    total = np.zeros((len(sites), len(terms.intercept)))
    for each in terms.readings:
        some = states[:, each.first - FIRST : each.last - FIRST + 1, 0 if each.own else 1]
        total += (some.max(axis=1) if each.how is How.MAX else some.mean(axis=1)) @ each.weights
    return total


def every_position(genome, step=1):
    rows = [
        (contig, position, strand)
        for contig, length in enumerate(genome.lengths.tolist())
        for position in range(0, length, step)
        for strand in (-1, 1)
    ]
    contig, position, strand = np.array(rows, dtype=np.int64).T
    nothing = np.zeros(len(contig), dtype=np.int64)
    sites = Sites(
        contigs=genome.names, contig=contig.astype(np.int32), position=position, strand=strand.astype(np.int8),
        label=nothing.astype(np.int8), part=nothing.astype(np.int8), block=nothing,
    )  # fmt: skip
    return sites[readable(sites, genome, max(-FIRST, LAST))]


def decided(reader, several, sites, stretches, tmp_path, *, memories=False):
    genome = reader.genome
    address = genome.starts[sites.contig] + sites.position
    half = len(sites) // 6 * 2  # both strands of a place stand in one slab
    slabs = [Found(address[rows], sites.strand[rows]) for rows in (slice(0, half), slice(half, None))]
    seams = Seams()
    with ExitStack() as stack:
        lists = [
            stack.enter_context(listed_candidates(slabs, len(terms.intercept), tmp_path / "x.h5")) for terms in several
        ]
        decide_along(
            reader, stretches, [Decided(*each) for each in zip(several, lists, strict=True)], memories=memories,
            seams=seams,
        )  # fmt: skip
        found = []
        for candidates in lists:
            places, totals = zip(*candidates.slabs(len(genome.all_codes)), strict=True)
            keys = np.concatenate([2 * each.address + (each.strand < 0) for each in places])
            order = np.argsort(2 * address + (sites.strand < 0))
            np.testing.assert_array_equal(keys, (2 * address + (sites.strand < 0))[order])
            total = np.empty((len(sites), totals[0].shape[1]))
            total[order] = np.concatenate(totals)
            found.append(total)
    return found, seams


@pytest.fixture(scope="module")
def genome(genome_of, drawn_codes):
    return genome_of(
        {name: drawn_codes(seed, n) for seed, (name, n) in enumerate({"I": 2500, "II": 60, "III": 900}.items())}
    )


@pytest.mark.parametrize("maxima", [True, False])
@pytest.mark.parametrize(
    ("stream", "layers", "memories"),
    [
        (StreamSettings(lanes=4, chunk=64, burn_in=256), 1, False),
        (StreamSettings(lanes=3, chunk=16, burn_in=256), 2, True),  # a chunk is shorter than what is carried
        (StreamSettings(exact=True, chunk=50), 2, False),
    ],
    ids=["pieces", "short chunks", "exact"],
)
def test_sums_are_those_of_states_read_one_by_one(
    genome, device, stretches_of, tmp_path, stream, layers, memories, maxima
):
    reader = a_reader(genome, device, stream, layers=layers)
    width = reader.state_width(memories=memories)
    several = [some_terms(width, 1, 1, maxima=maxima), some_terms(width, 3, 2, maxima=maxima)]
    sites = every_position(genome)
    found, _ = decided(reader, several, sites, stretches_of(genome), tmp_path, memories=memories)
    for terms, total in zip(several, found, strict=True):
        expected = brute_force(reader, terms, sites, memories=memories)
        scale = sum(np.abs(each.weights).sum() for each in terms.readings)
        np.testing.assert_allclose(total, expected, atol=1e-3 * scale)  # float16 holds 11 bits
        assert np.corrcoef(total[:, 0], expected[:, 0])[0, 1] > 0.99999


def test_what_is_read_again_takes_the_place_of_what_was_wrong(genome, device, stretches_of, tmp_path, monkeypatch):
    """A model that remembers past its burn-in, cut into pieces all the same: read again, all is as read in sequence."""
    monkeypatch.setattr("genolstm.stream.reading.forgets", lambda *_: True)
    stream = StreamSettings(lanes=40, chunk=64, burn_in=64, tolerance=1e-7)
    sites, terms = every_position(genome), some_terms(WIDTH, 2, 5)
    found = {}
    for name, settings in {"pieces": stream, "exact": replace(stream, exact=True)}.items():
        reader = a_reader(genome, device, settings)
        (found[name],), seams = decided(reader, [terms], sites, stretches_of(genome), tmp_path)
        if name == "pieces":
            assert seams.repaired > 3
            assert max(seam.found_state for seam in seams.table) > 0.1
    np.testing.assert_allclose(found["pieces"], found["exact"], atol=2e-5)


def test_a_stretch_within_a_contig_gives_what_the_whole_contig_gives(genome, device, stretches_of, tmp_path):
    reader = a_reader(genome, device, StreamSettings(lanes=4, chunk=64, burn_in=512))
    sites, terms = every_position(genome), some_terms(WIDTH, 1, 7)
    (whole,), _ = decided(reader, [terms], sites, stretches_of(genome), tmp_path)
    inner = (sites.contig == 0) & (sites.position >= 1000) & (sites.position < 1400)
    near = stretches_of(genome, [("I", 1000 - 21, 1400 + 21, Part.TEST)])
    (part,), _ = decided(reader, [terms], sites[inner], near, tmp_path)
    np.testing.assert_allclose(part, whole[inner], atol=1e-4)


def test_a_candidate_that_no_pass_reads_is_a_fault(genome, device, stretches_of, tmp_path):
    reader = a_reader(genome, device, StreamSettings(lanes=4, chunk=64, burn_in=512))
    near = stretches_of(genome, [("III", 0, 900, Part.TEST)])
    with pytest.raises(RuntimeError, match="were not read by both passes"):
        decided(reader, [some_terms(WIDTH, 1, 7)], every_position(genome, 100), near, tmp_path)


def test_burn_in_is_as_long_as_what_a_candidate_reads(genome, device, stretches_of, tmp_path):
    reader = a_reader(genome, device, StreamSettings(lanes=8, chunk=8, burn_in=0, repair=False))
    sites = every_position(genome)
    (total,), _ = decided(reader, [some_terms(WIDTH, 1, 7)], sites, stretches_of(genome), tmp_path)
    assert np.isfinite(total).all()


def test_more_than_memory_holds_is_refused(genome, device, stretches_of, tmp_path):
    reader = a_reader(genome, device, StreamSettings(lanes=1 << 24, chunk=8))
    with pytest.raises(UsageError, match=r"each of 16777216 lanes would carry the states of 30 bases, .*fewer --lanes"):
        decided(reader, [some_terms(WIDTH, 1, 7)], every_position(genome, 100), stretches_of(genome), tmp_path)


def test_window_maxima_are_those_of_copies(device):
    rng = np.random.default_rng(1)
    states = torch.from_numpy(rng.normal(size=(3, 40, 7)).astype(np.float32)).to(device)
    lane, first = rng.integers(0, 3, 50), rng.integers(0, 30, 50)
    for width in (1, 10):
        expected = np.stack(
            [states.cpu().numpy()[a, b : b + width].max(axis=0) for a, b in zip(lane, first, strict=True)]
        )
        np.testing.assert_array_equal(window_maxima(states, lane, first, width).cpu(), expected)
        np.testing.assert_array_equal(gathered_maxima(states, lane, first, width).cpu(), expected)
    assert window_maxima(states, lane[:0], first[:0], 3).shape == (0, 7)

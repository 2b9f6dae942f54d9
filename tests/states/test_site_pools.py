"""Pools over the own pass at sites against the states of the model run over each prefix."""

import numpy as np
import pytest

from genolstm.alphabet import reverse_complement
from genolstm.errors import UsageError
from genolstm.model import NextSymbolModel
from genolstm.regions import Sites
from genolstm.settings.model import ModelSettings
from genolstm.settings.reading import StreamSettings
from genolstm.settings.site_reading import Pool, PoolKind, SiteReading, blocks_of, merged_reading, parse_pools
from genolstm.states.sites import blocks_at, readable, states_at
from genolstm.stream.reader import GenomeReader

HALF = 2**-10
POOLS = parse_pools("mean:-28:-15,max:-28:-5,mean:-3:4,max:6:6")
READING = SiteReading((-12, 0, 3), POOLS)


def sites_of(genome, rows):
    contig, position, strand = np.array(sorted((genome.names.index(name), *each) for name, *each in rows)).T
    nothing = np.zeros(len(rows), dtype=np.int8)
    return Sites(
        contigs=genome.names, contig=contig.astype(np.int32), position=position.astype(np.int64),
        strand=strand.astype(np.int8), label=nothing, part=nothing, block=nothing.astype(np.int64),
    )  # fmt: skip


@pytest.fixture(scope="module")
def genome(genome_of, drawn_codes):
    return genome_of({"a": drawn_codes(1, 700, unknown=0.02), "b": drawn_codes(2, 60), "c": drawn_codes(3, 2_000)})


@pytest.fixture(scope="module")
def model():
    return NextSymbolModel(ModelSettings(hidden=6, layers=2), seed=2).eval()


@pytest.fixture(scope="module")
def sites(genome):
    rng = np.random.default_rng(5)
    rows = {
        (name, int(p), s)
        for name, n in (("a", 700), ("c", 2_000))
        for p in rng.integers(31, n - 31, 60)
        for s in (1, -1)
    }
    return sites_of(genome, [*rows, ("b", 30, 1), ("b", 29, -1)])


def pooled_by_hand(reader, sites, pool, memories):
    """Every state of the pool asked for as one at an offset, then pooled; [N, D]."""
    offsets = tuple(range(pool.first, pool.last + 1))
    own = states_at(reader, sites, offsets, memories=memories)[:, :, 0].astype(np.float64)
    return own.mean(axis=1) if pool.how is PoolKind.MEAN else own.max(axis=1)


@pytest.mark.parametrize("memories", [False, True])
@pytest.mark.parametrize(
    "stream", [StreamSettings(lanes=4, chunk=32, burn_in=64), StreamSettings(lanes=3, chunk=7, burn_in=70),
               StreamSettings(lanes=1, chunk=4_000, burn_in=0)]
)  # fmt: skip
def test_pools_are_those_of_the_states_at_each_offset(genome, model, sites, stream, memories):
    reader = GenomeReader(model, genome, stream)
    assert readable(sites, genome, READING.reach).all()
    found = blocks_at(reader, sites, READING, memories=memories)
    width = 12 * (1 + memories)
    assert found.shape == (READING.n_blocks, len(sites), width)
    at_offsets = states_at(reader, sites, READING.offsets, memories=memories)
    np.testing.assert_array_equal(found[:6].transpose(1, 0, 2).reshape(len(sites), 3, 2, width), at_offsets)
    for block, pool in zip(found[6:], POOLS, strict=True):
        by_hand = pooled_by_hand(reader, sites, pool, memories)
        if pool.how is PoolKind.MAX:
            np.testing.assert_array_equal(block, by_hand.astype(np.float16))
        else:
            np.testing.assert_allclose(block, by_hand, rtol=HALF, atol=HALF)


def test_reverse_strand_site_has_the_pools_of_the_site_in_the_reverse_complement(genome_of, drawn_codes, model):
    codes, stream = drawn_codes(7, 600), StreamSettings(lanes=2, chunk=50, burn_in=100)
    here, turned = genome_of({"a": codes}), genome_of({"a": reverse_complement(codes)})
    positions = [40, 100, 255, 560]
    reverse = blocks_at(GenomeReader(model, here, stream), sites_of(here, [("a", p, -1) for p in positions]), READING)
    forward = blocks_at(
        GenomeReader(model, turned, stream), sites_of(turned, [("a", 599 - p, 1) for p in positions]), READING
    )
    np.testing.assert_array_equal(reverse, forward[:, ::-1])


def test_many_sites_of_one_block_are_pooled_a_slab_at_a_time(genome, model, monkeypatch):
    dense = sites_of(genome, [("c", p, s) for p in range(900, 1_100) for s in (-1, 1)])
    reader = GenomeReader(model, genome, StreamSettings(lanes=4, chunk=64, burn_in=64))
    whole = blocks_at(reader, dense, READING)
    monkeypatch.setattr("genolstm.states.site_pools.STATES_AT_ONCE", 1_000)
    np.testing.assert_array_equal(blocks_at(reader, dense, READING), whole)


def test_blocks_of_one_reading_are_found_in_another():
    one, other = SiteReading((0, 4), POOLS[:2]), SiteReading((-3, 4), POOLS[1:3])
    both = merged_reading((one, other))
    assert both.offsets == (-3, 0, 4)
    assert set(both.pools) == set(POOLS[:3])
    assert [both.block_names[row] for row in blocks_of(one, both)] == list(one.block_names)
    assert [both.block_names[row] for row in blocks_of(other, both)] == list(other.block_names)
    assert (one.n_blocks, one.reach, other.reach) == (6, 28, 28)
    with pytest.raises(ValueError, match="not in"):
        blocks_of(one, other)


def test_pools_are_read_from_the_text_that_they_give():
    assert parse_pools("mean:-28:-15,max:0:3") == (Pool(PoolKind.MEAN, -28, -15), Pool(PoolKind.MAX, 0, 3))
    assert parse_pools(",".join(map(str, POOLS))) == POOLS
    assert parse_pools("") == ()
    for wrong in ("median:0:1", "mean:3:1", "mean:1", "mean:0:1,"):
        with pytest.raises(UsageError, match="is not like mean:-28:-15"):
            parse_pools(wrong)

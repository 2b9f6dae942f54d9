"""A probe taken apart into terms, and added up along the genome, says what the probe says of states read for it."""

from contextlib import ExitStack

import numpy as np
import pytest

from genolstm.model import NextSymbolModel
from genolstm.predicting.along import Decided, decide_along
from genolstm.probes.apply import FittedProbe
from genolstm.probes.readings import How, terms_of
from genolstm.regions import Sites
from genolstm.settings.model import ModelSettings
from genolstm.settings.reading import StreamSettings
from genolstm.settings.site_reading import Pool, PoolKind
from genolstm.states.sites import readable
from genolstm.states.windows import Windows, pools_of
from genolstm.store.candidates import Found, listed_candidates
from genolstm.store.results import LinearProbe
from genolstm.stream.reader import GenomeReader
from genolstm.stream.seams import Seams

UNITS, WIDTH = 5, 37


@pytest.fixture(scope="module")
def reader(genome_of, drawn_codes):
    genome = genome_of({"I": drawn_codes(1, 1500), "II": drawn_codes(2, 400)})
    return GenomeReader(
        NextSymbolModel(ModelSettings(hidden=UNITS), seed=2).eval(), genome, StreamSettings(lanes=4, chunk=64)
    )


def a_probe(path, n_inputs, n_classes, **reads):
    rng = np.random.default_rng(n_inputs)
    shape = (n_inputs, n_classes) if n_classes > 1 else (n_inputs,)
    linear = LinearProbe(
        mean=rng.normal(size=n_inputs).astype(np.float32), scale=rng.uniform(0.5, 2, n_inputs).astype(np.float32),
        coefficients=rng.normal(size=shape).astype(np.float32),
        intercept=rng.normal(size=n_classes) if n_classes > 1 else 0.7, regularisation=1.0, converged=True,
    )  # fmt: skip
    plain = {"offsets": (), "pooling": (), "width": 1, "pools": ()}
    return FittedProbe(
        path=path, task="sites", target="t", linear=linear, memories=False, model_sha256="", **{**plain, **reads}
    )


def along(reader, probe, found, stretches, tmp_path):
    terms = terms_of(probe)
    with ExitStack() as stack:
        listed = stack.enter_context(listed_candidates([found], len(terms.intercept), tmp_path / "x"))
        decide_along(reader, stretches, [Decided(terms, listed)], memories=False, seams=Seams())
        slabs = listed.slabs(len(reader.genome.all_codes))
        total = np.concatenate([total for _, total in slabs]) + terms.intercept
    return total if total.shape[1] > 1 else total[:, 0]


@pytest.mark.parametrize("n_classes", [1, 3])
def test_a_probe_of_points_with_pools(reader, stretches_of, tmp_path, n_classes):
    pools = (Pool(PoolKind.MEAN, -20, -4), Pool(PoolKind.MAX, -9, -2))
    probe = a_probe(tmp_path, (2 * 3 + 2) * UNITS, n_classes, offsets=(-20, 0, 7), pools=pools)
    genome = reader.genome
    contig, position = (each.ravel() for each in np.meshgrid([0, 1], np.arange(0, 1500, 3), indexing="ij"))
    inside = position < genome.lengths[contig]
    contig, position = contig[inside], position[inside]
    strand = np.where(np.arange(len(contig)) % 2, 1, -1).astype(np.int8)
    nothing = np.zeros(len(contig), dtype=np.int64)
    sites = Sites(
        contigs=genome.names, contig=contig.astype(np.int32), position=position, strand=strand,
        label=nothing.astype(np.int8), part=nothing.astype(np.int8), block=nothing,
    )  # fmt: skip
    sites = sites[readable(sites, genome, 20)]
    terms = terms_of(probe)
    assert (terms.spans, terms.reach) == (((-20, 7), (-20, 7)), 20)
    assert [each.how for each in terms.readings[-2:]] == [How.MEAN, How.MAX]
    found = Found(genome.starts[sites.contig] + sites.position, sites.strand)
    total = along(reader, probe, found, stretches_of(genome), tmp_path)
    np.testing.assert_allclose(total, probe.at_sites(reader, sites), atol=0.02)  # states at sites are float16


@pytest.mark.parametrize("ends", [False, True])
@pytest.mark.parametrize("n_classes", [1, 3])
def test_a_probe_of_windows(reader, stretches_of, tmp_path, n_classes, ends):
    pooling = pools_of(ends=ends)
    probe = a_probe(tmp_path, 2 * len(pooling) * UNITS, n_classes, pooling=pooling, width=WIDTH)
    genome = reader.genome
    contig = np.repeat([0, 1], [38, 9])
    start = np.concatenate([np.arange(1, 1500 - WIDTH, 38)[:38], np.arange(1, 400 - WIDTH, 40)[:9]])
    found = Found(genome.starts[contig] + start, np.ones(len(start), dtype=np.int8))
    total = along(reader, probe, found, stretches_of(genome), tmp_path)
    np.testing.assert_allclose(total, probe.in_windows(reader, Windows(contig, start, WIDTH)), atol=0.02)

"""States at sites against the model run directly over what each pass has read."""

import numpy as np
import pytest
import torch

from genolstm.alphabet import DNA, reverse_complement
from genolstm.model import NextSymbolModel
from genolstm.regions import Sites
from genolstm.settings.model import ModelSettings, TrainableCell
from genolstm.settings.reading import StreamSettings
from genolstm.states.sites import neighbourhoods, readable, states_at
from genolstm.stream.reader import GenomeReader
from genolstm.stream.seams import Seams

STREAM = StreamSettings(lanes=16, chunk=32, burn_in=96)
HALF = 2**-10  # float16 keeps 11 bits: this is the last of a number between 1 and 2


def model_of(cell=TrainableCell.LSTM, layers=1, device="cpu"):
    settings = ModelSettings(cell=cell, layers=layers, hidden=6, forget_bias="-1")
    model = NextSymbolModel(settings, seed=2)
    with torch.no_grad():
        for cell_ in model.cells:
            for weight in cell_.parameters():
                weight.mul_(1.5)
    return model.to(device).eval()


def sites_of(genome, rows):
    """Sites from rows of (contig name, position, strand)."""
    rows = sorted((genome.names.index(name), position, strand) for name, position, strand in rows)
    contig, position, strand = np.array(rows).T
    n = len(rows)
    return Sites(
        contigs=genome.names,
        contig=contig.astype(np.int32),
        position=position.astype(np.int64),
        strand=strand.astype(np.int8),
        label=np.zeros(n, dtype=np.int8),
        part=np.zeros(n, dtype=np.int8),
        block=np.arange(n),
    )


@torch.no_grad()
def state_after(model, symbols, *, memories=False):
    """h of all layers, then c, after a model has read N and some symbols; [D]."""
    codes = torch.from_numpy(np.concatenate([[DNA.unknown], symbols]).astype(np.int64))[None]
    state = model.forward(codes.to(next(model.parameters()).device), model.initial_state(1)).state
    parts = [state.hidden[:, 0].flatten()] + ([state.memory[:, 0].flatten()] if memories else [])
    return torch.cat(parts).cpu().numpy()


@pytest.fixture
def genome(genome_of, drawn_codes):
    return genome_of(
        {
            "a": drawn_codes(1, 700, unknown=0.02),
            "unused": drawn_codes(4, 90),
            "b": drawn_codes(2, 45),
            "c": drawn_codes(3, 2000),
        }
    )


SITES = [
    ("a", 11, 1),
    ("a", 11, -1),
    ("a", 350, -1),
    ("a", 688, 1),
    ("b", 20, 1),
    ("c", 1024, 1),
    ("c", 1024, -1),
    ("c", 1987, -1),
]


@pytest.mark.parametrize("memories", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", list(TrainableCell))
def test_states_are_those_of_the_model_run_over_each_prefix(device, genome, cell, layers, memories):
    model, sites, offsets = model_of(cell, layers, device), sites_of(genome, SITES), (4, 0, 10)
    seams = Seams()
    found = states_at(GenomeReader(model, genome, STREAM), sites, offsets, memories=memories, seams=seams)
    assert found.shape == (len(sites), 3, 2, layers * 6 * (1 + memories))
    assert found.dtype == np.float16
    assert seams.count > 0
    tolerance = HALF if device.type == "cpu" else 5e-3
    for n in range(len(sites)):
        name, at = genome.names[sites.contig[n]], int(sites.position[n])
        first = genome.starts[sites.contig[n]]
        forward = genome.all_codes[first : first + genome.length_of[name]]
        backward = reverse_complement(forward)
        mirrored = len(forward) - 1 - at
        for place, offset in enumerate(offsets):
            along, against = (
                state_after(model, strand[: where + offset + 1], memories=memories)
                for strand, where in ((forward, at), (backward, mirrored))
            )
            own, other = (along, against) if sites.strand[n] > 0 else (against, along)
            np.testing.assert_allclose(found[n, place, 0], own, rtol=HALF, atol=tolerance)
            np.testing.assert_allclose(found[n, place, 1], other, rtol=HALF, atol=tolerance)


def test_reverse_strand_site_equals_forward_site_of_reverse_complement(genome_of, drawn_codes):
    codes, model = drawn_codes(7, 600, unknown=0.01), model_of(layers=2)
    here, turned = genome_of({"a": codes}), genome_of({"a": reverse_complement(codes)})
    positions = [20, 100, 255, 570]
    reverse = states_at(GenomeReader(model, here, STREAM), sites_of(here, [("a", p, -1) for p in positions]), (0, 3))
    mirrored = sites_of(turned, [("a", 599 - p, 1) for p in positions])
    forward = states_at(GenomeReader(model, turned, STREAM), mirrored, (0, 3))[::-1]
    np.testing.assert_array_equal(reverse, forward)


def test_states_do_not_depend_on_lanes_and_chunks(genome):
    model, sites = model_of(), sites_of(genome, SITES)
    whole = states_at(GenomeReader(model, genome, StreamSettings(lanes=1, chunk=2000, burn_in=4000)), sites, (0, 2))
    for lanes, chunk in ((1, 7), (5, 64), (64, 512)):
        pieces = states_at(
            GenomeReader(model, genome, StreamSettings(lanes=lanes, chunk=chunk, burn_in=96)), sites, (0, 2)
        )
        np.testing.assert_allclose(pieces, whole, rtol=HALF, atol=HALF)


def test_sites_may_lie_beside_each_other_and_read_the_same_place(genome):
    model = model_of()
    rows = [("a", p, 1) for p in range(100, 140)]
    found = states_at(GenomeReader(model, genome, STREAM), sites_of(genome, rows), (0, 1, 5))
    np.testing.assert_array_equal(found[1:, 0, 0], found[:-1, 1, 0])  # own strand: p + 1 at offset 0 is p at offset 1
    np.testing.assert_array_equal(found[:-1, 0, 1], found[1:, 1, 1])  # other strand: the other way round


def test_readable_sites_are_those_whose_states_exist(genome):
    reach = 10
    rows = [("b", p, strand) for p in range(45) for strand in (-1, 1)]
    sites = sites_of(genome, rows)
    fine = readable(sites, genome, reach)
    assert sites.position[fine].min() == reach + 1
    assert sites.position[fine].max() == 45 - reach - 2
    found = states_at(GenomeReader(model_of(), genome, STREAM), sites[fine], (0, reach))
    assert bool((found != 0).any(axis=-1).all())  # no state was left out


def test_progress_is_reported_and_ends_with_all_that_was_read(genome):
    read = []
    states_at(
        GenomeReader(model_of(), genome, STREAM, on_progress=lambda _, symbols: read.append(symbols)),
        sites_of(genome, [("b", 20, 1)]),
        (0,),
    )
    assert read == sorted(read)
    assert read[-1] >= 2 * 45


def test_only_contigs_with_sites_are_read(genome):
    read = []
    states_at(
        GenomeReader(model_of(), genome, STREAM, on_progress=lambda _, symbols: read.append(symbols)),
        sites_of(genome, [("b", 20, 1)]),
        (0,),
    )
    assert read[-1] == 2 * 45  # two strands


def test_intervals_that_two_burn_ins_reach_across_are_read_as_one(genome):
    def stretches(first, second):
        contig, start = np.array([0, 0], dtype=np.int32), np.array([first, second])
        return neighbourhoods(genome, contig, start, start + 10, burn_in=96)

    near, far = stretches(20, 224), stretches(20, 225)
    assert (near.start.tolist(), near.end.tolist()) == ([19], [235]), "192 bases between: the two burn-ins are longer"
    assert (far.start.tolist(), far.end.tolist()) == ([19, 224], [31, 236])

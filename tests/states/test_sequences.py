"""States within sequences against the model run directly over what has been read, and against a contig's."""

import numpy as np
import pytest
import torch

from genolstm.alphabet import DNA, PROTEIN
from genolstm.model import NextSymbolModel
from genolstm.regions import Sites
from genolstm.settings.model import AlphabetName, ModelSettings, TrainableCell
from genolstm.settings.reading import StreamSettings
from genolstm.states import sequences
from genolstm.states.sequences import pooled_in_sequences, states_in_sequences
from genolstm.states.sites import states_at
from genolstm.stream.reader import GenomeReader

HALF = 2**-10  # float16 keeps 11 bits


def model_of(device, cell=TrainableCell.LSTM, layers=2, alphabet=AlphabetName.DNA):
    settings = ModelSettings(cell=cell, layers=layers, hidden=6, forget_bias="-1", alphabet=alphabet)
    return NextSymbolModel(settings, seed=2).to(device).eval()


@torch.no_grad()
def state_after(model, symbols, *, memories):
    """h of all layers, then c, after a model has read the unknown symbol and some others; [D]."""
    codes = torch.from_numpy(np.concatenate([[model.alphabet.unknown], symbols]).astype(np.int64))[None]
    state = model.forward(codes.to(next(model.parameters()).device), model.initial_state(1)).state
    parts = [state.hidden[:, 0].flatten()] + ([state.memory[:, 0].flatten()] if memories else [])
    return torch.cat(parts).cpu().numpy()


@pytest.fixture
def small_steps(monkeypatch):
    """Few lanes and short chunks, so that little sequences are enough to fill many."""
    monkeypatch.setattr(sequences, "LANES", 3)
    monkeypatch.setattr(sequences, "CHUNK", 7)


@pytest.mark.usefixtures("small_steps")
@pytest.mark.parametrize("cell", TrainableCell)
@pytest.mark.parametrize("memories", [False, True])
@pytest.mark.parametrize("alphabet", [DNA, PROTEIN])
def test_states_are_those_of_a_plain_reading(device, drawn_codes, cell, memories, alphabet):
    model = model_of(device, cell, alphabet=AlphabetName(alphabet.name))
    lengths = [1, 7, 8, 30, 14, 5, 21, 3]
    sequences = [drawn_codes(seed, n, unknown=0.05, alphabet=alphabet) for seed, n in enumerate(lengths)]
    rng = np.random.default_rng(1)
    owner = rng.integers(0, len(lengths), 40)
    place = rng.integers(0, np.array(lengths)[owner])
    read = []
    found = states_in_sequences(
        model, lambda number: sequences[number], owner, place, memories=memories, on_progress=read.append
    )
    wanted = [
        state_after(model, sequences[number][: last + 1], memories=memories)
        for number, last in zip(owner, place, strict=True)
    ]
    np.testing.assert_allclose(found, wanted, rtol=HALF, atol=1e-4)
    assert read[-1] == sum(place[owner == number].max() + 1 for number in np.unique(owner))


@pytest.mark.usefixtures("small_steps")
def test_a_sequence_is_read_as_a_contig_is(device, drawn_codes, genome_of):
    codes = drawn_codes(3, 50)
    genome, model = genome_of({"only": codes}), model_of(device)
    n = 49
    sites = Sites(
        contigs=genome.names, contig=np.zeros(n, dtype=np.int32), position=np.arange(n),
        strand=np.ones(n, dtype=np.int8), label=np.zeros(n, dtype=np.int8), part=np.zeros(n, dtype=np.int8),
        block=np.arange(n),
    )  # fmt: skip
    along = states_at(
        GenomeReader(model, genome, StreamSettings(lanes=4, chunk=16, burn_in=48, exact=True)),
        sites[1:48],
        (0,),
        memories=True,
    )
    within = states_in_sequences(model, lambda _: codes, np.zeros(47, dtype=np.int64), np.arange(1, 48), memories=True)
    np.testing.assert_allclose(within, along[:, 0, 0], rtol=2 * HALF, atol=1e-4)


def test_nothing_wanted_gives_nothing(device):
    nothing = np.zeros(0, dtype=np.int64)
    assert states_in_sequences(model_of(device), lambda _: nothing, nothing, nothing).shape == (0, 12)


@pytest.mark.usefixtures("small_steps")
@pytest.mark.parametrize("cell", TrainableCell)
@pytest.mark.parametrize("memories", [False, True])
@pytest.mark.parametrize("ends", [False, True])
def test_pools_are_those_of_a_plain_reading(device, drawn_codes, cell, memories, ends):
    model = model_of(device, cell)
    sequences = [drawn_codes(seed, n, unknown=0.05) for seed, n in enumerate([1, 7, 8, 30, 14, 5, 21, 3])]
    read = []
    found = pooled_in_sequences(model, sequences, memories=memories, ends=ends, on_progress=read.append)
    for row, codes in enumerate(sequences):
        states = np.stack([state_after(model, codes[: last + 1], memories=memories) for last in range(len(codes))])
        wanted = [states.mean(axis=0), states.max(axis=0), *((states[0], states[-1]) if ends else ())]
        np.testing.assert_allclose(found[row], np.concatenate(wanted), rtol=HALF, atol=1e-4)
    assert read[-1] == sum(map(len, sequences))

"""What is counted of a network's memory, and the claims made of costs."""

import numpy as np
import torch

from genolstm.model import NextSymbolModel
from genolstm.studies import parsimony_cost
from genolstm.studies.next_symbols import read
from genolstm.studies.parsimony_cost import COST_UNITS, GRU, LSTM, WIDER_GRU, Cost, cost_claims, kept_bytes, pair_of


def test_the_wider_gru_has_the_lstms_parameters_within_one_unit():
    weights = {name: NextSymbolModel(shape, seed=0).n_weights for name, shape in pair_of(COST_UNITS).items()}
    one_more = NextSymbolModel(pair_of(COST_UNITS)[WIDER_GRU].__class__(
        cell="gru", hidden=pair_of(COST_UNITS)[WIDER_GRU].hidden + 1, forget_bias="1"), seed=0)  # fmt: skip
    assert abs(weights[WIDER_GRU] - weights[LSTM]) <= one_more.n_weights - weights[WIDER_GRU]
    assert parsimony_cost._gru_weights(COST_UNITS) == weights[GRU]


def test_bytes_kept_grow_with_the_symbols_and_weights_are_left_out():
    model = NextSymbolModel(pair_of(16)[GRU], seed=0)
    codes = np.random.default_rng(1).integers(4, size=(4, 32)).astype(np.uint8)
    short, long = kept_bytes(model, codes[:, :16]), kept_bytes(model, codes)
    assert 1.8 < long / short < 2.2
    with torch.no_grad():
        hidden = read(model, codes).layers[0].numel()
    assert long > 4 * hidden


def test_a_cost_below_the_lstms_holds_and_one_above_does_not():
    rounds = np.full(9, 2.0)
    made = {LSTM: Cost(rounds, rounds, 10.0, 8, 100), GRU: Cost(rounds / 2, rounds, 5.0, 4, 75),
            WIDER_GRU: Cost(2 * rounds, rounds / 2, 20.0, 6, 100)}  # fmt: skip
    found = {claim.name: claim for claim in cost_claims(made)}
    assert found["gru: train time"].holds
    assert found["gru: train time"].value == 0.5
    assert not found["gru: forward time"].holds
    assert not found["gru, equal parameters: train time"].holds
    assert found["gru: kept bytes"].holds
    assert not found["gru, equal parameters: kept bytes"].holds

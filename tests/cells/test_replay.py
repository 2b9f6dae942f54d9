"""Gates and memories rebuilt from hidden states alone."""

import pytest
import torch

from genolstm.cells.memory import State, show
from genolstm.cells.replay import replay
from genolstm.model import NextSymbolModel
from genolstm.settings.model import ModelSettings, TrainableCell


def model_and_reading(name, layers, dtype, device, *, scale=1.0):
    model = NextSymbolModel(ModelSettings(cell=name, layers=layers, hidden=7), seed=4).to(device, dtype)
    with torch.no_grad():
        for weight in model.cells.parameters():
            weight.mul_(scale)
    codes = torch.randint(0, 5, (3, 40), generator=torch.Generator().manual_seed(2)).to(device)
    start = model.forward(codes[:, :9], model.initial_state(3)).state
    return model, codes[:, 9:], start


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("name", list(TrainableCell))
def test_replayed_gates_rebuild_the_hidden_states(device, name, layers, dtype, tolerance):
    if device.type == "cuda" and dtype is torch.float32:
        tolerance = 2e-3  # TF32
    model, codes, start = model_and_reading(name, layers, dtype, device)
    with torch.no_grad():
        reading = model.forward(codes, start)
        for place, (cell, inputs, hidden) in enumerate(zip(model.cells, reading.inputs, reading.layers, strict=True)):
            trace = replay(cell, inputs, hidden, State(start.hidden[place], start.memory[place]))
            torch.testing.assert_close(show(trace.memory, trace.gates), hidden, rtol=0, atol=tolerance)
            torch.testing.assert_close(trace.memory[:, -1], reading.state.memory[place], rtol=0, atol=tolerance)
            one_by_one = State(start.hidden[place], start.memory[place])
            for step in range(inputs.shape[1]):
                _, one_by_one = cell(inputs[:, step : step + 1], one_by_one)
                torch.testing.assert_close(trace.memory[:, step], one_by_one.memory, rtol=0, atol=tolerance)


def test_replay_is_right_where_cells_saturate():
    model, codes, start = model_and_reading(TrainableCell.LSTM, 1, torch.float64, torch.device("cpu"), scale=40.0)
    with torch.no_grad():
        reading = model.forward(codes, start)
        trace = replay(model.cells[0], reading.inputs[0], reading.layers[0], State(start.hidden[0], start.memory[0]))
    assert float(trace.memory.abs().max()) > 3  # tanh c is nearly 1: nothing could be had from inverting it
    torch.testing.assert_close(trace.memory[:, -1], reading.state.memory[0], rtol=1e-12, atol=1e-12)

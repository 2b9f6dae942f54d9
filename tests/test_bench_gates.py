"""`genolstm bench gates`: gates beside the bare kernel and beside reading alone."""

import json
import sys

import pytest

from genolstm.bench import bounds
from genolstm.bench.gates import time_gates
from genolstm.cli.app import main
from genolstm.settings.model import ModelSettings, TrainableCell
from genolstm.settings.reading import StreamSettings


@pytest.mark.parametrize("cell", [TrainableCell.LSTM, TrainableCell.GRU, TrainableCell.RNN])
def test_gates_are_timed_beside_kernel_and_reading(cell, device, monkeypatch):
    monkeypatch.setattr(bounds, "LARGE_GPU", 64)  # a CPU is slow in float16
    timings = time_gates(ModelSettings(cell=cell, hidden=8), StreamSettings(lanes=2, chunk=16), device, rounds=1)
    kernel = f"nn.{cell.upper()} forward"
    assert [(timing.part, timing.baseline) for timing in timings] == [
        (f"gates, {part}", baseline)
        for part in ("1 % of positions", "tracks at all positions", "all gates at all positions")
        for baseline in (kernel, "reading alone")
    ]
    assert all(timing.rate > 0 and timing.baseline_rate > 0 for timing in timings)


def test_bench_tells_all_of_them(monkeypatch, capsys):
    arguments = "bench gates --hidden 8 --lanes 2 --chunk 16 --rounds 1 -t 1 --device cpu -q --json"
    monkeypatch.setattr(sys, "argv", ["genolstm", *arguments.split()])
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code
    told = json.loads(capsys.readouterr().out)
    assert len(told["timings"]) == 6
    assert told["part"] == "gates, 1 % of positions"

"""Training steps: the loss by hand, truncated back-propagation, the schedule, clipping, and precisions."""

import math

import numpy as np
import pytest
import torch

from genolstm.alphabet import DNA
from genolstm.cells.memory import State
from genolstm.errors import InputError, UsageError
from genolstm.lanes import Batch, Lanes
from genolstm.model import NATS_PER_BIT, NextSymbolModel
from genolstm.regions import Part
from genolstm.settings.model import ModelSettings, TrainableCell
from genolstm.settings.train import Precision, TrainSettings
from genolstm.training.steps import fraction_done, learning_rate, new_run, record, steps

CPU = torch.device("cpu")


def model_of(cell=TrainableCell.LSTM, *, hidden=8, layers=1, forget_bias="3", device=CPU):
    settings = ModelSettings(cell=cell, hidden=hidden, layers=layers, forget_bias=forget_bias)
    return NextSymbolModel(settings, seed=3).to(device)


def run_of(model, **changes):
    return new_run(model, TrainSettings(**{"lanes": 3, "chunk": 8, "bases": 10_000, **changes}))


def lanes_of(run, genome, stretches, device=CPU):
    return Lanes(genome, stretches, n_lanes=run.settings.lanes, chunk=run.settings.chunk, device=device)


class ScriptedLanes:
    """Batches given by a test: codes [B, T + 1] and resets [B] of each step."""

    def __init__(self, batches):
        self.batches = batches

    def batch(self, step):
        return self.batches[step]

    def symbols(self, step):
        return self.batches[step].codes[:, 1:].numel()


def scripted(n_steps, *, lanes=3, chunk=8, resets=(), seed=0):
    drawn = torch.randint(0, 5, (n_steps, lanes, chunk + 1), generator=torch.Generator().manual_seed(seed))
    return ScriptedLanes(
        [
            Batch(
                codes=drawn[step].to(torch.uint8), reset=torch.tensor([(step, lane) in resets for lane in range(lanes)])
            )
            for step in range(n_steps)
        ]
    )


def one_step(run, lanes):
    return next(steps(run, lanes))


@torch.no_grad()
def hand_nats(model, codes, state):
    """Sum of -ln p over known targets, and how many there are; symbol by symbol from the logits."""
    logits = model.forward(codes[:, :-1], state).logits.double()
    total, known = 0.0, 0
    for lane in range(codes.shape[0]):
        for t in range(codes.shape[1] - 1):
            target = int(codes[lane, t + 1])
            if target != DNA.unknown:
                total -= math.log(float(torch.softmax(logits[lane, t], dim=0)[target]))
                known += 1
    return total, known


def test_loss_of_a_step_equals_the_hand_computation():
    model = model_of()
    run, lanes = run_of(model), scripted(1)
    nats, known = hand_nats(model, lanes.batch(0).codes, model.initial_state(3))
    assert known < 24  # some targets are N: they are not in the denominator
    one_step(run, lanes)
    assert run.sums[:2].tolist() == pytest.approx([nats, known], rel=1e-6)
    assert record(run).bits == pytest.approx(nats / known / NATS_PER_BIT, rel=1e-6)


def test_weights_after_a_step_are_those_of_adamw_on_the_mean_loss():
    model, twin = model_of(), model_of()
    run, lanes = run_of(model, warmup_share=0.0, clip_norm=1e9, weight_decay=0.1), scripted(2)
    updates = steps(run, lanes)
    oracle = torch.optim.AdamW(twin.parameters(), lr=1.0, weight_decay=0.1)
    state = twin.initial_state(3)
    for step in range(2):
        oracle.param_groups[0]["lr"] = learning_rate(fraction_done(run.progress, run.settings), run.settings)
        next(updates)
        codes = lanes.batch(step).codes
        reading = twin.forward(codes[:, :-1], state)
        targets = codes[:, 1:].long()
        loss = torch.nn.functional.cross_entropy(
            reading.logits.flatten(0, 1), targets.flatten(), ignore_index=DNA.unknown
        )
        oracle.zero_grad()
        loss.backward()
        oracle.step()
        state = State(*(part.detach() for part in reading.state))
    for mine, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("cell", list(TrainableCell))
def test_state_is_carried_from_step_to_step_and_reset_where_a_stretch_starts(cell):
    model = model_of(cell, layers=2)
    with torch.no_grad():
        for weight in model.cells.parameters():
            weight.mul_(2)  # for a memory that is longer than a chunk
    before = model.weight_arrays()
    # no learning: what is read is then what the first weights read
    run, lanes = run_of(model, learning_rate=1e-30, weight_decay=0.0), scripted(4, resets={(0, 0), (2, 1)})
    for _, _step in zip(range(4), steps(run, lanes), strict=False):
        pass
    assert run.progress.step == 4
    model.load_weights(before)
    with torch.no_grad():
        codes = torch.cat([batch.codes[:, :-1] for batch in lanes.batches], dim=1)
        whole = model.forward(codes, model.initial_state(3)).state
        since_reset = model.forward(codes[1:2, 16:], model.initial_state(1)).state
    for carried, one, cut in zip(run.state, whole, since_reset, strict=True):
        torch.testing.assert_close(carried[:, [0, 2]], one[:, [0, 2]], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(carried[:, 1:2], cut, rtol=1e-5, atol=1e-5)
        assert not torch.allclose(carried[:, 1], one[:, 1], atol=1e-4)


def test_gradients_stop_at_the_start_of_the_chunk():
    model = model_of()
    run, lanes = run_of(model), scripted(2)
    updates = steps(run, lanes)
    next(updates)
    assert not any(part.requires_grad for part in run.state)
    state, weights = State(*(part.clone() for part in run.state)), model.weight_arrays()
    next(updates)
    second = {name: weight.grad.clone() for name, weight in model.named_parameters()}
    # the same gradient as from the state alone, however it came about
    model.load_weights(weights)
    model.zero_grad()
    codes = lanes.batch(1).codes
    nats = model.nats(model.forward(codes[:, :-1], state).logits, codes[:, 1:])
    (nats.sum() / int((codes[:, 1:] != DNA.unknown).sum())).backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), run.settings.clip_norm)
    assert float(norm) > 0
    for name, weight in model.named_parameters():
        torch.testing.assert_close(weight.grad, second[name], rtol=1e-5, atol=1e-7)


def test_a_batch_of_nothing_but_unknown_targets_changes_no_number_to_nan():
    model = model_of()
    run = run_of(model)
    lanes = ScriptedLanes(
        [Batch(codes=torch.full((3, 9), DNA.unknown, dtype=torch.uint8), reset=torch.ones(3, dtype=torch.bool))]
    )
    one_step(run, lanes)
    assert all(bool(weight.isfinite().all()) for weight in model.parameters())
    assert run.sums.tolist() == [0, 0, 0]
    assert record(run).bits == 0


def test_gradients_are_clipped_to_the_norm_and_told_before_it():
    model = model_of()
    with torch.no_grad():
        model.head.weight.mul_(50)
    run = run_of(model, clip_norm=0.01)
    one_step(run, scripted(1))
    clipped = math.sqrt(sum(float(weight.grad.square().sum()) for weight in model.parameters()))
    assert clipped == pytest.approx(0.01, rel=1e-3)
    assert record(run).gradient_norm > 0.1


def test_learning_rate_warms_up_then_falls_along_a_cosine_to_its_final_share():
    settings = TrainSettings(learning_rate=0.01, warmup_share=0.1, final_share=0.05)
    rates = [learning_rate(done, settings) for done in np.linspace(0, 1, 1001)]
    peak = int(np.argmax(rates))
    assert peak == 100
    assert rates[peak] == pytest.approx(0.01)
    assert 0 < rates[0] < 2e-4
    assert np.all(np.diff(rates[:101]) > 0)
    np.testing.assert_allclose(np.diff(rates[:101], n=2), 0, atol=1e-12)  # a straight line
    assert np.all(np.diff(rates[100:]) < 0)
    assert rates[-1] == pytest.approx(0.01 * 0.05)
    assert rates[550] == pytest.approx(0.01 * (0.05 + 0.95 / 2))  # half way down the cosine
    assert rates[325] == pytest.approx(0.01 * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi / 4))))


def test_no_warm_up_starts_at_the_peak():
    assert learning_rate(0.0, TrainSettings(learning_rate=0.01, warmup_share=0.0)) == pytest.approx(0.01)


def test_each_step_uses_the_learning_rate_of_its_place(tiny_genome, stretches_of):
    run = run_of(model_of(), bases=2000, warmup_share=0.2)
    lanes = lanes_of(run, tiny_genome, stretches_of(tiny_genome))
    updates, place = steps(run, lanes), 0.0
    for _ in range(20):
        next(updates)
        assert run.optimiser.learning_rate == learning_rate(place, run.settings)
        place = run.progress.bases / 2000


def test_training_ends_when_the_bases_are_read(tiny_genome, stretches_of):
    run = run_of(model_of(), bases=500)
    lanes = lanes_of(run, tiny_genome, stretches_of(tiny_genome))
    n_steps = len(list(steps(run, lanes)))
    assert sum(lanes.symbols(step) for step in range(n_steps)) == run.progress.bases >= 500
    assert sum(lanes.symbols(step) for step in range(n_steps - 1)) < 500


def test_training_ends_when_the_minutes_are_over(tiny_genome, stretches_of):
    run = run_of(model_of(), bases=0, minutes=0.05 / 60)
    list(steps(run, lanes_of(run, tiny_genome, stretches_of(tiny_genome))))
    assert run.progress.seconds >= 0.05
    assert run.progress.step > 1


def test_share_done_is_of_bases_or_minutes_whichever_is_further():
    run = run_of(model_of(), bases=1000, minutes=1.0)
    run.progress.bases, run.progress.seconds = 250, 6.0
    assert fraction_done(run.progress, run.settings) == 0.25
    run.progress.seconds = 45.0
    assert fraction_done(run.progress, run.settings) == 0.75
    run.progress.bases = 99_999
    assert fraction_done(run.progress, run.settings) == 1.0


def test_fp16_is_refused_on_a_cpu():
    with pytest.raises(UsageError) as caught:
        run_of(model_of(), precision=Precision.FP16)
    assert str(caught.value) == "--precision fp16 needs a CUDA device, not cpu; use --precision bf16 or fp32."


@pytest.mark.parametrize("cell", list(TrainableCell))
def test_half_precision_trains_as_single_precision_does(request, device, genome_of, stretches_of, cell):
    genome, bits = genome_of({"a": "ACGGT" * 200}), {}
    on_gpu = device.type == "cuda"
    if not on_gpu:
        request.getfixturevalue("bf16")
    n_steps = 100 if torch.version.cuda or not on_gpu else 5  # a pretended GPU is slow
    for precision in (Precision.FP32, *((Precision.TF32, Precision.FP16) if on_gpu else (Precision.BF16,))):
        model = model_of(cell, hidden=16, layers=2, forget_bias="0", device=device)
        run = run_of(model, precision=precision, bases=n_steps * 8 * 16, lanes=8, chunk=16, learning_rate=0.02)
        updates = steps(run, lanes_of(run, genome, stretches_of(genome), device))
        for _ in range(n_steps * 4 // 5):
            next(updates)
        record(run)
        list(updates)
        bits[precision] = record(run).bits
        assert all(weight.dtype is torch.float32 for weight in model.parameters())
        assert run.state.hidden.dtype is run.state.memory.dtype is torch.float32
    assert bits[Precision.FP32] < 1.5 or n_steps < 100
    assert bits == pytest.approx(dict.fromkeys(bits, bits[Precision.FP32]), abs=0.15)


def test_a_loss_that_is_no_number_is_told():
    model = model_of()
    with torch.no_grad():
        model.head.bias.fill_(math.nan)
    run = run_of(model)
    one_step(run, scripted(1))
    with pytest.raises(InputError) as caught:
        record(run)
    assert str(caught.value).startswith(
        "the loss is no longer a number after 24 bases: the training diverged; lower --lr, or use --precision fp32. The"
        " last good checkpoint stays"
    )


def test_a_record_is_of_the_steps_since_the_one_before():
    model = model_of()
    run, lanes = run_of(model), scripted(5)
    updates = steps(run, lanes)
    next(updates)
    next(updates)
    sums = run.sums.clone()
    first = record(run)
    assert (first.step, first.bases) == (2, 48)
    assert first.bits == pytest.approx(float(sums[0] / sums[1]) / NATS_PER_BIT)
    assert first.gradient_norm == pytest.approx(float(sums[2]) / 2)
    assert run.sums.tolist() == [0, 0, 0]
    for _ in range(3):
        next(updates)
    sums = run.sums.clone()
    second = record(run)
    assert (second.step, second.bases) == (5, 120)
    assert second.gradient_norm == pytest.approx(float(sums[2]) / 3)
    assert second.bases_per_second > 0


def test_no_base_of_a_held_out_part_changes_the_weights(genome_of, drawn_codes, stretches_of):
    codes, other = drawn_codes(1, 600), drawn_codes(1, 600)
    other[200:400] = drawn_codes(9, 200)
    weights = []
    for genome in (genome_of({"a": codes}), genome_of({"a": other})):
        rows = [("a", 0, 200, Part.TRAIN), ("a", 200, 400, Part.TEST), ("a", 400, 600, Part.TRAIN)]
        run = run_of(model_of(), bases=3000)
        list(steps(run, lanes_of(run, genome, stretches_of(genome, rows).of(Part.TRAIN))))
        weights.append(run.model.weight_arrays())
    for name, weight in weights[0].items():
        np.testing.assert_array_equal(weight, weights[1][name])


@pytest.mark.parametrize("precision", [Precision.FP32, Precision.FP16])
def test_a_step_on_a_gpu_waits_for_nothing_and_copies_nothing(gpu, genome_of, drawn_codes, stretches_of, precision):
    genome = genome_of({"a": drawn_codes(1, 2000)})
    run = run_of(model_of(hidden=8).to(gpu.device), precision=precision, lanes=4, chunk=8)
    updates = steps(run, lanes_of(run, genome, stretches_of(genome), gpu.device))
    next(updates)
    next(updates)
    with gpu.counting() as counts:
        next(updates)
    assert counts["waits"] == counts["uploads"] == counts["downloads"] == 0
    assert 40 < counts["kernels"] < 150

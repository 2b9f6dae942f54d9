"""The pretended GPU refuses what a GPU would, rounds as cuDNN does, and counts what is done on it."""

import numpy as np
import pytest
import torch
from pretended_gpu import PretendedGpu, Refused, cudnn_rounds_to_tf32, rounded_recurrence, to_tf32

from genolstm.cells.memory import State
from genolstm.devices import choose_device, float32_products, round_to_tf32
from genolstm.errors import UsageError
from genolstm.model import NextSymbolModel
from genolstm.regions import Part
from genolstm.settings.model import ModelSettings
from genolstm.settings.reading import SEAM_TOLERANCE, StreamSettings
from genolstm.settings.train import DeviceName, Precision
from genolstm.stream.reader import GenomeReader
from genolstm.stream.reading import mean_bits, read_stretches
from genolstm.stream.seams import Seams


@pytest.fixture
def cuda(gpu):
    assert gpu.device == torch.device("cuda", 0)
    return choose_device(DeviceName.AUTO)


def model_on(device, **changes):
    return NextSymbolModel(ModelSettings(**{"hidden": 8, "forget_bias": "-2", **changes}), seed=5).to(device)


def test_a_dropped_cpu_call_is_refused(cuda):
    states = torch.zeros(3, device=cuda)
    with pytest.raises(Refused, match=r"can't convert cuda:0 device type tensor to numpy; use Tensor.cpu\(\) first"):
        states.numpy()
    with pytest.raises(Refused):
        np.asarray(states)
    assert states.cpu().numpy().shape == (3,)


def test_a_tensor_made_without_its_device_is_refused(cuda):
    states = torch.zeros(3, device=cuda)
    with pytest.raises(Refused, match="expected all tensors to be on the same device, found cuda:0 and cpu"):
        states + torch.zeros(3)
    assert (states + torch.zeros(3, device=states.device) + torch.tensor(1.0)).device.type == "cuda"  # a scalar may


def test_mixed_operands_are_refused_in_a_backward_pass_too(cuda):
    on_host = torch.ones(3)

    class Mixing(torch.autograd.Function):
        @staticmethod
        def forward(_ctx, signal):
            return signal * 2

        @staticmethod
        def backward(_ctx, gradient):
            return gradient * on_host

    leaf = torch.ones(3, device=cuda, requires_grad=True)
    with pytest.raises(Refused):
        Mixing.apply(leaf).sum().backward()


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_gradients_of_a_kernel_in_evaluation_mode_are_refused(cuda, cell):
    model = model_on(cuda, cell=cell).eval()
    codes = torch.zeros(2, 3, dtype=torch.int64, device=cuda)
    with pytest.raises(Refused, match="cudnn RNN backward can only be called in training mode"):
        model.forward(codes, model.initial_state(2))
    with torch.no_grad():
        model.forward(codes, model.initial_state(2))


def test_states_that_are_not_contiguous_are_refused(cuda):
    model = model_on(cuda)
    wide = State(*(part.repeat(1, 1, 2)[:, :, ::2] for part in model.initial_state(2)))
    with pytest.raises(Refused, match="hx is not contiguous"):
        model.forward(torch.zeros(2, 3, dtype=torch.int64, device=cuda), wide)


def test_states_of_another_type_are_refused(cuda):
    model = model_on(cuda)
    doubled = State(*(part.double() for part in model.initial_state(2)))
    with pytest.raises(Refused, match=r"input is torch\.float32, hidden torch\.float64"):
        model.forward(torch.zeros(2, 3, dtype=torch.int64, device=cuda), doubled)


def test_a_generator_of_the_host_is_refused(cuda):
    drawn = torch.Generator().manual_seed(1)
    with pytest.raises(Refused, match="expected a 'cuda' generator, found 'cpu'"):
        torch.rand(3, generator=drawn, device=cuda)
    with pytest.raises(Refused, match="expected a 'cuda' generator"):
        torch.zeros(3, device=cuda).uniform_(generator=drawn)


def test_waits_and_copies_and_kernels_are_counted(cuda, gpu):
    with gpu.counting() as counts:
        values = torch.arange(4.0).to(cuda) * 2  # an upload and a kernel
        assert values.view(2, 2).shape == (2, 2)  # none: a view
        assert float(values.sum()) == 12.0  # a kernel, and a kernel that waits
        values[values > 2]  # two kernels, one of which waits
        values.tolist()
        values.cpu()
    assert counts == {"uploads": 1, "downloads": 1, "waits": 3, "kernels": 5}
    assert gpu.uploads[-1] == 4 * 4


def test_autocast_answers_in_float16_whatever_is_asked_for(cuda):
    model = model_on(cuda)
    with torch.no_grad(), torch.autocast("cuda", dtype=torch.bfloat16):
        output = model.forward(torch.zeros(2, 3, dtype=torch.int64, device=cuda), model.initial_state(2))
    assert output.layers[0].dtype is torch.float16
    assert output.logits.dtype is torch.bfloat16


def test_float64_is_refused_on_mps():
    mps = PretendedGpu("mps")
    with mps.present():
        with pytest.raises(Refused, match="the MPS framework doesn't support float64"):
            torch.zeros(3, dtype=torch.float64, device="mps")
        with pytest.raises(Refused):
            torch.zeros(3, device="mps").double()


def test_tf32_keeps_ten_bits_of_the_mantissa_ties_to_even():
    one = 1.0
    step = 2.0**-10
    given = torch.tensor([one, one + step, one + step / 2, one + 1.5 * step, one + 0.51 * step, -3.0, 0.0])
    assert to_tf32(given).tolist() == [one, one + step, one, one + 2 * step, one + step, -3.0, 0.0]


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn_tanh"])
def test_the_stepped_recurrence_is_that_of_torch_where_nothing_is_rounded(cell):
    kernel = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn_tanh": torch.nn.RNN}[cell](5, 4, batch_first=True)
    signal, past = torch.randn(3, 7, 5), torch.randn(1, 3, 4)
    state = (past, past * 2) if cell == "lstm" else past
    hidden, last = kernel(signal, state)
    found = rounded_recurrence(cell, signal, state, list(kernel.parameters()), rule=lambda values: values)
    expected = (hidden, *(last if cell == "lstm" else (last,)))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_choosing_cuda_switches_tf32_off_and_training_may_switch_it_on(gpu):
    round_to_tf32(wanted=True)
    assert cudnn_rounds_to_tf32()
    choose_device(DeviceName.CUDA)
    assert not cudnn_rounds_to_tf32()
    with float32_products(Precision.TF32):
        assert cudnn_rounds_to_tf32()
    assert not cudnn_rounds_to_tf32()
    assert gpu.device.type == "cuda"


def test_a_model_reads_in_float32_as_on_the_cpu_unless_products_are_rounded(cuda, gpu, drawn_codes):
    codes = torch.from_numpy(drawn_codes(1, 64)).view(2, 32)

    def hidden_on(device):
        model = model_on(device, hidden=64).eval()
        with torch.no_grad():
            return model.forward(codes.to(device), model.initial_state(2)).layers[0].cpu()

    assert torch.equal(hidden_on(cuda), hidden_on(torch.device("cpu")))
    with float32_products(Precision.TF32):
        rounded = (hidden_on(cuda) - hidden_on(torch.device("cpu"))).abs().max()
    assert 1e-5 < rounded < 1e-2
    assert gpu.formats.keys() >= {torch.float32, "tf32"}


def test_a_reading_block_never_waits_for_the_device(cuda, gpu, genome_of, drawn_codes, stretches_of):
    genome = genome_of({"a": drawn_codes(1, 4000)})
    reader = GenomeReader(model_on(cuda).eval(), genome, StreamSettings(lanes=4, chunk=32, burn_in=0, repair=False))
    blocks = read_stretches(reader, stretches_of(genome, [("a", 0, 4000, Part.TEST)]))
    next(blocks)
    with gpu.counting() as counts:
        for _ in range(10):
            next(blocks)
    assert counts["waits"] == counts["downloads"] == 0
    assert counts["kernels"] <= 10 * 36


@pytest.mark.parametrize("precision", [Precision.TF32, Precision.FP16])
def test_a_faster_format_is_read_within_its_own_tolerance(cuda, gpu, genome_of, drawn_codes, stretches_of, precision):
    genome, model = genome_of({"a": drawn_codes(1, 600)}), model_on(cuda).eval()
    gpu.formats.clear()
    bits, seams = {}, Seams()
    for each in (Precision.FP32, precision):
        reader = GenomeReader(model, genome, StreamSettings(lanes=2, chunk=16, burn_in=32, precision=each))
        assert reader.settings.tolerance == SEAM_TOLERANCE[each]
        bits[each] = mean_bits(reader, stretches_of(genome))[0]
    for _ in read_stretches(reader, stretches_of(genome), seams=seams):
        pass
    assert not seams.in_sequence
    assert gpu.formats.keys() == {torch.float32, torch.float16 if precision is Precision.FP16 else "tf32"}
    assert 0 < abs(bits[precision] - bits[Precision.FP32]) < 1e-3


@pytest.mark.parametrize(("device", "precision"), [("cuda", "bf16"), ("cpu", "fp16"), ("cpu", "tf32")])
def test_a_format_that_a_device_lacks_is_refused_before_reading(gpu, genome_of, drawn_codes, device, precision):
    on = choose_device(DeviceName(device))
    assert on.type == device in {"cpu", gpu.device.type}
    with pytest.raises(UsageError, match=f"--precision {precision}"):
        GenomeReader(model_on(on), genome_of({"a": drawn_codes(1, 60)}), StreamSettings(precision=precision))

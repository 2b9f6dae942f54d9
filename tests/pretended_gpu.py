"""A GPU that is pretended on the CPU: what it would refuse is refused, and what it would do is counted.

Tensors 'on' it are CPU tensors whose storage is marked; their values are the CPU's. cuDNN's recurrent kernels differ
from the CPU's in two ways that are imitated: under autocast they answer in float16, whatever was asked for (torch,
aten/src/ATen/cudnn/AutocastRNN.cpp), and float32 is rounded to TF32 where torch's switches say so. A pretended MPS
device has no float64. What this cannot show: speed, the order in which sums are made, what runs out of memory, and a
tensor that Python code makes on the host within a backward pass.
"""

from collections import Counter
from contextlib import ExitStack, contextmanager, nullcontext
from unittest import mock

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from genolstm.cells.memory import MemoryCell

RECURRENT = {"lstm", "gru", "rnn_tanh"}
COPIES = {"copy_", "_to_copy"}
INDEXING = {"index", "index_put_", "_index_put_impl_"}
# the host cannot go on before it knows a size or a value
WAITS = {"_local_scalar_dense", "nonzero", "masked_select", "_unique2", "unique_dim", "unique_consecutive", "equal"}
MARKS_SWEPT = 20_000
GIGABYTE = 1 << 30


class Refused(RuntimeError):
    """What a GPU would refuse."""


class PretendedGpu:
    """The device and what was done on it.

    kind : 'cuda' or 'mps'.   free : bytes of memory.   count : how many GPUs.   index : which of them this one is.

    counts : kernels, waits (of the host), uploads, downloads.   uploads : bytes of each copy to the device.
    formats, widths : of each call of a recurrent kernel, its number format, and the columns of its input.
    """

    def __init__(self, kind="cuda", *, free=80 * GIGABYTE, count=1, index=0):
        self.device = torch.device(kind, index)
        self.free, self.count = free, count
        self.counts, self.uploads, self.formats, self.widths = Counter(), [], Counter(), []
        self.moving = self.inside = 0
        self.autocast = None
        self.plainly = nullcontext
        self._marked = {}

    def holds(self, tensor):
        with torch._C.DisableTorchFunction():
            return tensor.untyped_storage()._cdata in self._marked

    def mark(self, tensor, *, on=True):
        with torch._C.DisableTorchFunction():
            storage = tensor.untyped_storage()
            if not on:
                self._marked.pop(storage._cdata, None)
            elif storage._cdata not in self._marked:
                self._marked[storage._cdata] = StorageWeakRef(storage)  # keeps the address from being given again
        if len(self._marked) > MARKS_SWEPT:
            self._marked = {key: held for key, held in self._marked.items() if not held.expired()}

    def refuse_float64(self, what, dtype):
        if self.device.type == "mps" and dtype is torch.float64:
            raise Refused(f"{what}: the MPS framework doesn't support float64")

    @contextmanager
    def level(self, name):
        """While `moving`, a copy is made between host and device; while `inside`, a kernel makes tensors of its own."""
        setattr(self, name, getattr(self, name) + 1)
        try:
            yield
        finally:
            setattr(self, name, getattr(self, name) - 1)

    @contextmanager
    def counting(self):
        """Context that gives what happens within it: a Counter, filled in at its end."""
        before, found = self.counts.copy(), Counter()
        try:
            yield found
        finally:
            found.update(self.counts - before)

    @contextmanager
    def present(self):
        """Context in which torch sees this device."""
        cuda = self.device.type == "cuda"
        with ExitStack() as stack:
            for name, answer in {
                "is_available": cuda, "device_count": self.count * cuda, "get_device_name": "pretended",
                "mem_get_info": (self.free, self.free), "get_device_capability": (9, 0), "is_bf16_supported": True,
                "synchronize": None, "empty_cache": None, "reset_peak_memory_stats": None, "max_memory_allocated": 0,
                "current_device": 0,
            }.items():  # fmt: skip
                stack.enter_context(mock.patch.object(torch.cuda, name, return_value=answer))
            stack.enter_context(mock.patch.object(torch.backends.mps, "is_available", return_value=not cuda))
            # no weights are laid end to end, which cuDNN's kernels want and no CPU has
            stack.enter_context(mock.patch.object(torch.backends.cudnn, "is_acceptable", return_value=False))
            stack.enter_context(mock.patch.object(torch, "autocast", self._autocast_of(torch.autocast)))
            stack.enter_context(mock.patch.object(torch, "is_autocast_enabled", self._casts(torch.is_autocast_enabled)))
            grouped = self._grouped(torch._C._group_tensors_by_device_and_dtype)
            stack.enter_context(mock.patch.object(torch._C, "_group_tensors_by_device_and_dtype", grouped))
            stack.enter_context(mock.patch.object(MemoryCell, "forward", self._stepped(MemoryCell.forward)))
            stack.enter_context(_Calls(self))
            stack.enter_context(_Kernels(self))
            yield self

    def _grouped(self, real):
        """What torch's optimisers ask for below Python, where no tensor tells that it is here."""

        def group_tensors(lists, with_indices=False):
            here = any(each is not None and self.holds(each) for each in lists[0])
            return {
                (self.device if here else device, dtype): rest
                for (device, dtype), rest in real(lists, with_indices).items()
            }

        return group_tensors

    def _casts(self, real):
        def is_autocast_enabled(device_type):
            return self.autocast is not None if device_type == self.device.type else real(device_type)

        return is_autocast_enabled

    def _autocast_of(self, real):
        @contextmanager
        def autocast(device_type, dtype=None, enabled=True, cache_enabled=None):
            if device_type != self.device.type:
                with real(device_type, dtype=dtype, enabled=enabled, cache_enabled=cache_enabled):
                    yield
                return
            before, self.autocast = self.autocast, (dtype or torch.float16) if enabled else None
            try:
                with real("cpu", dtype=dtype or torch.float16, enabled=enabled):
                    yield
            finally:
                self.autocast = before

        self.plainly = lambda: real("cpu", enabled=False)
        return autocast

    def moved(self, tensor, device, dtype=None):
        """The tensor on another side, as a copy, in another type if one is given."""
        to_device = _type_of(device) == self.device.type
        with self.level("moving"):
            copy = tensor.clone() if dtype is None else tensor.to(dtype, copy=True)
        if to_device:
            self.refuse_float64("to", copy.dtype)
            self.uploads.append(copy.numel() * copy.element_size())
        self.counts["uploads" if to_device else "downloads"] += 1
        self.mark(copy, on=to_device)
        return copy

    def recurrent(self, name, function, arguments):
        """A recurrent kernel of cuDNN. arguments : input, hx, weights, has_biases, layers, dropout, train, ..."""
        signal, state, weights, _, _, _, training, *_ = arguments
        states = list(state) if isinstance(state, (list, tuple)) else [state]
        self.widths.append(signal.shape[-1])
        if any(not each.is_contiguous() for each in states):
            raise Refused("rnn: hx is not contiguous")
        if torch.is_grad_enabled() and not training and any(weight.requires_grad for weight in weights):
            raise Refused("cudnn RNN backward can only be called in training mode")
        if self.autocast is not None:
            self.formats[torch.float16] += 1
            with self.plainly():
                halved = [_rounded(each, _to_half) for each in (signal, *states, *weights)]
                inner = halved[1] if not isinstance(state, (list, tuple)) else halved[1 : 1 + len(states)]
                answer = function(halved[0], inner, halved[1 + len(states) :], *arguments[3:])
                return tuple(each.half() for each in answer)
        if any(each.dtype != signal.dtype for each in (*states, *weights)):
            raise Refused(f"rnn: input is {signal.dtype}, hidden {states[0].dtype}, parameters {weights[0].dtype}")
        if signal.dtype is torch.float32 and cudnn_rounds_to_tf32():
            self.formats["tf32"] += 1
            return rounded_recurrence(name, signal, state, weights)
        self.formats[signal.dtype] += 1
        return function(*arguments) if torch.is_grad_enabled() else self.as_one_kernel(function, arguments)

    def as_one_kernel(self, function, arguments):
        """Run what needs no gradients without looking at each of its steps; its tensors must all be here."""
        if any(not self.holds(each) for each in _tensors(arguments)):
            raise Refused("expected all tensors to be on the same device")
        with torch._C._DisableTorchDispatch(), torch._C.DisableTorchFunction():
            answer = function(*arguments)
        for each in _tensors(answer):
            self.mark(each)
        self.counts["kernels"] += 1
        return answer

    def _stepped(self, real):
        """A cell that reads step by step: its steps are looked at where there are gradients, which is slow."""

        def forward(cell, *arguments, **options):
            given = [*cell.parameters(), *arguments]
            if torch.is_grad_enabled() or not any(self.holds(each) for each in _tensors(given)):
                return real(cell, *arguments, **options)
            return self.as_one_kernel(lambda *_: real(cell, *arguments, **options), given)

        return forward


class _Kernels(TorchDispatchMode):
    """Below autograd: every kernel, those of backward passes too."""

    def __init__(self, gpu):
        super().__init__()
        self.gpu = gpu

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        gpu, given = self.gpu, _tensors(args, kwargs)
        if gpu.moving:
            return func(*args, **(kwargs or {}))
        here = [each for each in given if gpu.holds(each)]
        name = func._schema.name.split("::")[1]
        if here:
            self._check(name, given)
        answer = func(*args, **(kwargs or {}))
        if here or (not given and gpu.inside):
            for each in _tensors(answer):
                gpu.refuse_float64(f"aten::{name}", each.dtype)
                if name != "copy_" or gpu.holds(given[0]):
                    gpu.mark(each)
        view = any(each.alias_info and not each.alias_info.is_write for each in func._schema.returns)
        gpu.counts["kernels"] += bool(here) and not view
        return answer

    def _check(self, name, given):
        gpu = self.gpu
        away = [each for each in given if not gpu.holds(each) and each.dim() > 0]
        if away and name in COPIES:
            gpu.counts["uploads" if gpu.holds(given[0]) else "downloads"] += 1
        elif away and name in INDEXING and gpu.holds(given[0]):
            gpu.counts["uploads"] += 1  # places on the host are copied
        elif away:
            raise Refused(f"aten::{name}: expected all tensors to be on the same device, found {gpu.device} and cpu")
        masked = name in INDEXING and any(each.dtype is torch.bool for each in given[1:])
        gpu.counts["waits"] += name in WAITS or masked


class _Calls(TorchFunctionMode):
    """Above autograd: who asks for which device."""

    def __init__(self, gpu):
        super().__init__()
        self.gpu = gpu

    def __torch_function__(self, func, types, args=(), kwargs=None):
        gpu, kwargs = self.gpu, dict(kwargs or {})
        name = getattr(func, "__name__", "")
        here = any(gpu.holds(each) for each in _tensors(args, kwargs))
        if name in ("to", "cuda", "cpu"):
            return self._moved(name, args, kwargs)
        if here and name == "__get__" and (told := self._attribute(func)) is not None:
            return told
        self._refuse(name, kwargs, here)
        gpu.counts["waits"] += here and name == "tolist"
        if kwargs.get("device") is not None:
            return self._made(name, func, args, kwargs)
        if not _tensors(args, kwargs):  # made on the host, by Python code within a backward pass too
            with gpu.level("moving"):
                return func(*args, **kwargs)
        with gpu.level("inside") if here and name != "__get__" else nullcontext():
            return self._called(name, func, args, kwargs, here)

    def _attribute(self, func):
        owner = getattr(func, "__self__", None)
        known = {torch.Tensor.device: self.gpu.device, torch.Tensor.is_cuda: self.gpu.device.type == "cuda"}
        return known.get(owner)

    def _refuse(self, name, kwargs, here):
        gpu = self.gpu
        if here and name in ("numpy", "__array__"):
            raise Refused(f"can't convert {gpu.device} device type tensor to numpy; use Tensor.cpu() first")
        if kwargs.get("generator") is not None and (here or _type_of(kwargs.get("device")) == gpu.device.type):
            raise Refused(f"{name}: expected a '{gpu.device.type}' generator, found 'cpu'")

    def _called(self, name, func, args, kwargs, here):
        gpu = self.gpu
        if here and name in RECURRENT and isinstance(args[2], (list, tuple)) and gpu.device.type == "cuda":
            return gpu.recurrent(name, func, args)
        if gpu.autocast is not None and name in ("stack", "cat"):  # the CPU's autocast has a rule of its own for these
            with gpu.plainly():
                return func(*args, **kwargs)
        return func(*args, **kwargs)

    def _made(self, name, func, args, kwargs):
        """A tensor that is made where the caller says."""
        gpu, to_device = self.gpu, _type_of(kwargs["device"]) == self.gpu.device.type
        if to_device:
            gpu.refuse_float64(name, kwargs.get("dtype"))
        with gpu.level("moving"):
            answer = func(*args, **{**kwargs, "device": "cpu"})
        for each in _tensors(answer):
            if to_device:
                gpu.refuse_float64(name, each.dtype)
            gpu.mark(each, on=to_device)
        gpu.counts["kernels"] += to_device
        if to_device and name in ("tensor", "as_tensor"):
            gpu.counts["uploads"] += 1
        return answer

    def _moved(self, name, args, kwargs):
        gpu, tensor, rest = self.gpu, args[0], []
        wanted = {"cuda": gpu.device, "cpu": "cpu"}.get(name, kwargs.pop("device", None))
        kwargs.pop("non_blocking", None)
        for each in args[1:]:
            if isinstance(each, (str, torch.device)):
                wanted = each
            elif isinstance(each, torch.Tensor):
                wanted = gpu.device if gpu.holds(each) else "cpu"
                rest.append(each.dtype)
            elif isinstance(each, torch.dtype):
                rest.append(each)
        if wanted is None or (_type_of(wanted) == gpu.device.type) == gpu.holds(tensor):
            return tensor.to(*rest, **kwargs) if rest or kwargs else tensor
        return gpu.moved(tensor, wanted, kwargs.get("dtype") or (rest[0] if rest else None))


def _tensors(*values):
    """All tensors in lists, tuples and dicts, however deep."""
    found = []
    for each in values:
        if isinstance(each, torch.Tensor):
            found.append(each)
        elif isinstance(each, (list, tuple)):
            found += _tensors(*each)
        elif isinstance(each, dict):
            found += _tensors(*each.values())
    return found


def _type_of(device):
    return device.type if isinstance(device, torch.device) else str(device).split(":")[0]


def cudnn_rounds_to_tf32():
    """Whether cuDNN's recurrent kernels would round float32 now: torch's default."""
    newer = getattr(torch.backends.cudnn, "rnn", None)
    return newer.fp32_precision == "tf32" if newer else torch.backends.cudnn.allow_tf32


def _to_half(values):
    return values.half().float()


def to_tf32(values):
    """float32 with 10 bits of mantissa, to the nearest, ties to even."""
    bits = values.contiguous().view(torch.int32)
    return ((bits + 0xFFF + ((bits >> 13) & 1)) & ~0x1FFF).view(torch.float32)


def _rounded(values, rule):
    """Values as a product's operand is rounded; gradients go through."""
    return values + (rule(values.detach()) - values.detach())


def rounded_recurrence(name, signal, state, weights, rule=to_tf32):
    """One layer of lstm, gru or rnn, lanes first, the operands of each product rounded; as torch's `_VF` functions."""
    w_ih, w_hh, b_ih, b_hh = weights
    from_input = torch.nn.functional.linear(_rounded(signal, rule), _rounded(w_ih, rule), b_ih)
    w_hh = _rounded(w_hh, rule)
    hidden, memory = (each[0] for each in state) if name == "lstm" else (state[0], None)
    told = []
    for now in from_input.unbind(1):
        past = torch.nn.functional.linear(_rounded(hidden, rule), w_hh, b_hh)
        if name == "lstm":
            write, forget, candidate, read = (now + past).chunk(4, -1)
            memory = forget.sigmoid() * memory + write.sigmoid() * candidate.tanh()
            hidden = read.sigmoid() * memory.tanh()
        elif name == "gru":
            (r, z, n), (past_r, past_z, past_n) = now.chunk(3, -1), past.chunk(3, -1)
            candidate = (n + (r + past_r).sigmoid() * past_n).tanh()
            hidden = candidate + (z + past_z).sigmoid() * (hidden - candidate)
        else:
            hidden = (now + past).tanh()
        told.append(hidden)
    last = (hidden.unsqueeze(0),) if memory is None else (hidden.unsqueeze(0), memory.unsqueeze(0))
    return (torch.stack(told, 1), *last)

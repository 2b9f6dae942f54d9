"""Speed of one part on this machine, beside its bare baseline: both in turn, in one run, and the ratio told."""

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from genolstm.alphabet import DNA
from genolstm.lanes import Lanes
from genolstm.model import NextSymbolModel
from genolstm.readers.fasta import read_fasta, read_fasta_slowly
from genolstm.regions import Part, Stretches
from genolstm.settings import ModelSettings, TrainSettings
from genolstm.store.genome import Genome
from genolstm.training.steps import AUTOCAST, new_run, steps

RANDOM_GENOME = 4_000_000  # bases; more than the lanes of one round read
RANDOM_FASTA = 20_000_000  # bases
LINE = 60  # bases a line of the FASTA that is timed


@dataclass(frozen=True, kw_only=True)
class Timing:
    """One part against its baseline.

    rate, baseline_rate : symbols a second, medians.   ratio : median over rounds of baseline time / part time, so that
    1 is as fast as the baseline and 5 is five times faster.   low, high : smallest and largest ratio of any round.
    """

    part: str
    baseline: str
    unit: str
    rate: float
    baseline_rate: float
    ratio: float
    low: float
    high: float
    rounds: int


def compare(
    part: str,
    baseline: str,
    unit: str,
    symbols: int,
    ours: Callable[[], object],
    bare: Callable[[], object],
    rounds: int,
) -> Timing:
    """Time two callables in turn. symbols : how many of `unit` either handles in one call."""
    ours(), bare()  # warm caches and kernels
    pairs = [(_seconds(ours), _seconds(bare)) for _ in range(rounds)]
    ratios = [theirs / mine for mine, theirs in pairs]
    return Timing(
        part=part,
        baseline=baseline,
        unit=unit,
        rate=symbols / statistics.median(mine for mine, _ in pairs),
        baseline_rate=symbols / statistics.median(theirs for _, theirs in pairs),
        ratio=statistics.median(ratios),
        low=min(ratios),
        high=max(ratios),
        rounds=rounds,
    )


def _seconds(call: Callable[[], object]) -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    began = time.perf_counter()
    call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - began


def time_training(model: ModelSettings, train: TrainSettings, device: torch.device, rounds: int) -> Timing:
    """Time a training step against forward and backward of a bare nn.LSTM (or GRU, RNN) of its shape and precision."""
    run = new_run(NextSymbolModel(model, seed=0).to(device), train)
    genome, everything = _random_genome()
    lanes = Lanes(genome, everything, n_lanes=train.lanes, chunk=train.chunk, device=device)
    stepping = steps(run, lanes)
    kernel = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}[model.cell](
        DNA.n_symbols, model.hidden, num_layers=model.layers, batch_first=True
    ).to(device)
    inputs = torch.randn(train.lanes, train.chunk, DNA.n_symbols, device=device)

    def bare() -> None:
        kernel.zero_grad(set_to_none=True)
        wanted = AUTOCAST.get(train.precision)
        with torch.autocast(device.type, dtype=wanted, enabled=wanted is not None):
            hidden, _ = kernel(inputs)
        hidden.sum().backward()

    return compare(
        "train", f"nn.{type(kernel).__name__} forward + backward", "bases", train.lanes * train.chunk,
        lambda: next(stepping), bare, rounds,
    )  # fmt: skip


def _random_genome() -> tuple[Genome, Stretches]:
    codes = np.random.default_rng(0).integers(0, DNA.n_known, RANDOM_GENOME, dtype=np.uint8)
    one = np.array([RANDOM_GENOME])
    genome = Genome(
        path=Path("random"), alphabet=DNA, names=("random",), lengths=one, starts=one - one, unknown=one - one,
        all_codes=codes, sha256="",
    )  # fmt: skip
    stretch = Stretches(
        contigs=("random",),
        contig=np.zeros(1, np.int32),
        start=one - one,
        end=one,
        part=np.full(1, Part.TRAIN, np.int8),
    )
    return genome, stretch


def time_fasta(path: Path | None, rounds: int) -> Timing:
    """Reading a FASTA into codes against Bio.SeqIO with a lookup table; a made file of 20 Mb when none is given."""
    with tempfile.TemporaryDirectory() as folder:
        fasta = path or _random_fasta(Path(folder) / "random.fa")
        symbols = sum(len(block.codes) for block in read_fasta(fasta, DNA))
        return compare(
            "fasta", "Bio.SeqIO + lookup table", "bases", symbols,
            lambda: sum(len(block.codes) for block in read_fasta(fasta, DNA)),
            lambda: sum(len(codes) for _, codes in read_fasta_slowly(fasta, DNA)), rounds,
        )  # fmt: skip


def _random_fasta(path: Path) -> Path:
    """Write 20 Mb in one record, half of it soft-masked in runs of 1 kb."""
    rng = np.random.default_rng(0)
    letters = np.frombuffer(b"ACGTacgt", dtype=np.uint8)
    lines = RANDOM_FASTA // LINE
    text = letters[rng.integers(0, 4, (lines, LINE)) + 4 * (np.arange(lines)[:, None] // 17 % 2)]
    with path.open("wb") as out:
        out.write(b">random\n")
        out.write(np.insert(text, LINE, ord("\n"), axis=1).tobytes())
    return path

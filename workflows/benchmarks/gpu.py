"""Measure training and scoring on a GPU in one call: sizes, number formats and lanes, within a time that is given.

    python workflows/benchmarks/gpu.py -o gpu.tsv [--minutes 25]

A row for each baseline of each run of 'genolstm bench', at once, so that a run that is stopped keeps what it has. What
does not fit, or was not reached in time, has a row that says so. fp32 is float32 throughout, tf32 the same with
products rounded to TF32, which is what torch lets cuDNN do by default. Scoring reads in fp32 or tf32.
On another device only to try the script: --device cpu --shapes 1x8 --lanes 4 --score-chunk 16 --long 0.
"""

import argparse
import gc
import itertools
import math
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from bench_runs import COLUMNS, rows_of, say_progress, write_line

from genolstm.errors import GenolstmError, InputError, UsageError
from genolstm.settings.quantities import parse_size

PARTS = {"train": ("fp32", "tf32", "bf16", "fp16"), "score": ("fp32", "tf32")}
SHAPES = ("1x256", "1x512", "1x1024", "2x1024")
LANES = (128, 1024, 16, 512, 4096, 64, 256, 2048, 32)  # what is wanted most comes first
CHUNKS_READ = 8  # of each lane, in a round of 'genolstm bench score'
GPU_COLUMNS = (*COLUMNS, "precision", "lanes", "gpu_peak_bytes")


class Case(NamedTuple):
    """One run of bench. shape : (layers, units)."""

    part: str
    shape: tuple[int, int]
    precision: str
    lanes: int

    def arguments(self, options: argparse.Namespace, rounds: int) -> list[str]:
        """Words after 'genolstm bench'."""
        layers, units = self.shape
        words = [self.part, "--layers", str(layers), "--hidden", str(units), "--lanes", str(self.lanes)]
        if self.part == "train":
            words += ["--precision", self.precision.replace("tf32", "fp32")]
        words += ["--chunk", str(options.train_chunk if self.part == "train" else options.score_chunk)]
        words += ["--rounds", str(rounds), "--threads", str(options.threads)]
        return [*words, "--device", options.device, "--estimate", options.genome]


def main(words: Sequence[str]) -> int:
    """Measure all cases that the time allows; gives the exit code. Raises InputError without the device."""
    options = _options(words)
    if options.device == "cuda" and not torch.cuda.is_available():
        raise InputError("torch sees no CUDA device here; run this on a machine with one, or try it with --device cpu.")
    say_progress()
    ends = time.monotonic() + 60 * options.minutes
    best: tuple[float, Case] | None = None
    with options.output.open("w") as table:
        write_line(table, GPU_COLUMNS)
        for case in cases(options):
            for row in _measured(case, options, options.rounds, ends):
                write_line(table, GPU_COLUMNS, row)
                if case.part == "score" and (best is None or row.get("rate", 0.0) > best[0]):
                    best = (row.get("rate", 0.0), case)
        if best and best[0] and options.long:
            a_round = best[1].lanes * options.score_chunk * CHUNKS_READ
            for row in _measured(best[1], options, math.ceil(options.long / a_round), ends):
                write_line(table, GPU_COLUMNS, {**row, "part": "score, long"})
    return 0


def cases(options: argparse.Namespace) -> Iterator[Case]:
    """Every case, those with the lanes that are wanted most first."""
    for lanes, shape, (part, known) in itertools.product(options.lanes, options.shapes, PARTS.items()):
        for precision in known:
            if precision in options.precisions and (options.device == "cuda" or precision != "tf32"):
                yield Case(part, shape, precision, lanes)


def _measured(case: Case, options: argparse.Namespace, rounds: int, ends: float) -> list[dict[str, Any]]:
    """Rows of one case, or one row that says why there is none."""
    known = {"precision": case.precision, "lanes": case.lanes}
    size = {"shape": "x".join(map(str, case.shape))}  # of what has no shape of its own, not having run
    if time.monotonic() > ends:
        return [{**known, **size, "part": case.part, "not_run": "no time was left"}]
    if options.device == "cuda":
        gc.collect()  # what the last case held goes back before memory is counted
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        _round_to_tf32(wanted=case.precision == "tf32")
    rows = rows_of(case.arguments(options, rounds))
    if options.device == "cuda":
        known["gpu_peak_bytes"] = torch.cuda.max_memory_allocated()
    return [{**size, **row, **known} for row in rows]


def _round_to_tf32(*, wanted: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a newer torch has a newer name for it
        torch.backends.cudnn.allow_tf32 = wanted


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True, help="table to write, tab-separated")
    parser.add_argument("--minutes", type=float, default=25.0, help="start nothing after so many (25)")
    parser.add_argument("--rounds", type=int, default=3, help="alternating rounds of each case (3)")
    parser.add_argument("-t", "--threads", type=int, default=0, help="CPU threads; 0 takes the cores of this job (0)")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"), help="cuda; cpu only to try the script")
    parser.add_argument("--shapes", nargs="+", type=_shape, default=[_shape(shape) for shape in SHAPES],
                        metavar="LAYERSxUNITS", help=f"({' '.join(SHAPES)})")  # fmt: skip
    parser.add_argument("--lanes", nargs="+", type=int, default=list(LANES), help=f"({' '.join(map(str, LANES))})")
    parser.add_argument("--precisions", nargs="+", choices=PARTS["train"], default=list(PARTS["train"]))
    parser.add_argument("--train-chunk", type=int, default=128, help="bases between updates (128)")
    parser.add_argument("--score-chunk", type=int, default=512, help="bases a step of scoring (512)")
    parser.add_argument("--genome", default="3.1G", help="bases that hours are told for (3.1G)")
    parser.add_argument("--long", type=_size, default="2G", help="bases that the fastest scoring reads at last (2G)")
    return parser.parse_args(words)


def _shape(text: str) -> tuple[int, int]:
    layers, _, units = text.partition("x")
    return int(layers), int(units)


def _size(text: str) -> int:
    try:
        return parse_size(text)
    except UsageError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from problem


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except GenolstmError as problem:
        sys.stderr.write(f"gpu.py: {problem}\n")
        sys.exit(problem.exit_code)

"""Measure scoring and training on a GPU in one call: shipped models, sizes, number formats and lanes.

    python workflows/benchmarks/gpu.py -o gpu.tsv --scored genome.h5 [--minutes 6]

A row for each model of --models and number format that scores --scored, with what its file says of seams; then a row
for each baseline of each run of 'genolstm bench'. Rows are written at once, so that a run that is stopped keeps what it
has. What does not fit, or was not reached in time, has a row that says so. fp32 is float32 throughout; in tf32 its
products are rounded to 10 bits of mantissa; fp16 trains with a scaled loss. 'hours' are for both strands of --genome.
On another device only to try the script: --device cpu --shapes 1x8 --lanes 4 --score-chunk 16 --long 0.
"""

import argparse
import gc
import io
import itertools
import json
import math
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch
from bench_runs import COLUMNS, rows_of, say_progress, write_line

from genolstm.cli.app import app
from genolstm.errors import GenolstmError, InputError, UsageError
from genolstm.settings.quantities import parse_size

PARTS = ("train", "score")
PRECISIONS = ("fp32", "tf32", "fp16")
SHAPES = ("1x512", "1x1024", "2x1024")
LANES = (512, 128, 2048, 4096, 1024, 256)  # what is wanted most comes first
CHUNKS_READ = 8  # of each lane, in a round of 'genolstm bench score'
GPU_COLUMNS = (*COLUMNS, "precision", "lanes", "bits_per_base", "in_sequence", "max_state", "gpu_peak_bytes")


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
        words += ["--precision", self.precision]
        words += ["--chunk", str(options.train_chunk if self.part == "train" else options.score_chunk)]
        words += ["--rounds", str(rounds), "--threads", str(options.threads)]
        return [*words, "--device", options.device, "--estimate", options.genome]


def main(words: Sequence[str]) -> int:
    """Measure all that the time allows; gives the exit code: 1 where float32 could not be read in lanes.

    Raises InputError without the device.
    """
    options = _options(words)
    if options.device == "cuda" and not torch.cuda.is_available():
        raise InputError("torch sees no CUDA device here; run this on a machine with one, or try it with --device cpu.")
    say_progress()
    ends = time.monotonic() + 60 * options.minutes
    best: tuple[float, Case] | None = None
    fell_back = False
    with options.output.open("w") as table:
        write_line(table, GPU_COLUMNS)
        for row in _scored(options):
            write_line(table, GPU_COLUMNS, row)
            fell_back |= row["precision"] == "fp32" and row.get("in_sequence", 0) != 0
        for case in cases(options):
            for row in _measured(case, options, options.rounds, ends):
                write_line(table, GPU_COLUMNS, row)
                if case.part == "score" and (best is None or row.get("rate", 0.0) > best[0]):
                    best = (row.get("rate", 0.0), case)
        if best and best[0] and options.long:
            a_round = best[1].lanes * options.score_chunk * CHUNKS_READ
            for row in _measured(best[1], options, math.ceil(options.long / a_round), ends):
                write_line(table, GPU_COLUMNS, {**row, "part": "score, long"})
    return int(fell_back)


def cases(options: argparse.Namespace) -> Iterator[Case]:
    """Every case, those with the lanes that are wanted most first."""
    for lanes, shape, part, precision in itertools.product(options.lanes, options.shapes, PARTS, options.precisions):
        yield Case(part, shape, precision, lanes)


def _scored(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A row for each model and number format: 'genolstm score' of the genome that is given."""
    for model, precision in itertools.product(options.models, options.precisions if options.scored else ()):
        row: dict[str, Any] = {"part": "genolstm score", "precision": precision, "lanes": options.lanes[0]}
        with TemporaryDirectory() as folder:
            words = ["score", model, str(options.scored), "-o", f"{folder}/score.h5", "--device", options.device]
            words += ["--lanes", str(options.lanes[0]), "--chunk", str(options.score_chunk)]
            words += ["--threads", str(options.threads), "--quiet", "--json"]
            words += ["--precision", precision] if precision != "fp32" else []
            row["command"] = shlex.join(["genolstm", *words])
            _forget_memory(options)
            said = io.StringIO()
            try:
                with redirect_stdout(said):
                    app(words, standalone_mode=False)
            except GenolstmError as problem:
                yield {**row, "not_run": str(problem)}
                continue
        told = json.loads(said.getvalue())
        yield {
            **row, "shape": model, "unit": "bases", "rate": told["bases"] / told["seconds"], "device": told["device"],
            "bits_per_base": told["bits_per_base"], "in_sequence": told["seams"]["in_sequence"],
            "max_state": told["seams"]["max_state"], **_peak_memory(options),
        }  # fmt: skip


def _measured(case: Case, options: argparse.Namespace, rounds: int, ends: float) -> list[dict[str, Any]]:
    """Rows of one case, or one row that says why there is none."""
    known = {"precision": case.precision, "lanes": case.lanes}
    size = {"shape": "x".join(map(str, case.shape))}  # of what has no shape of its own, not having run
    if time.monotonic() > ends:
        return [{**known, **size, "part": case.part, "not_run": "no time was left"}]
    _forget_memory(options)
    rows = rows_of(case.arguments(options, rounds))
    return [{**size, **row, **known, **_peak_memory(options)} for row in rows]


def _forget_memory(options: argparse.Namespace) -> None:
    if options.device == "cuda":
        gc.collect()  # what the last case held goes back before memory is counted
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _peak_memory(options: argparse.Namespace) -> dict[str, int]:
    return {"gpu_peak_bytes": torch.cuda.max_memory_allocated()} if options.device == "cuda" else {}


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True, help="table to write, tab-separated")
    parser.add_argument("--minutes", type=float, default=6.0, help="start nothing after so many (6)")
    parser.add_argument("--rounds", type=int, default=3, help="alternating rounds of each case (3)")
    parser.add_argument("-t", "--threads", type=int, default=0, help="CPU threads; 0 takes the cores of this job (0)")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"), help="cuda; cpu only to try the script")
    parser.add_argument("--shapes", nargs="+", type=_shape, default=[_shape(shape) for shape in SHAPES],
                        metavar="LAYERSxUNITS", help=f"({' '.join(SHAPES)})")  # fmt: skip
    parser.add_argument("--lanes", nargs="+", type=int, default=list(LANES), help=f"({' '.join(map(str, LANES))})")
    parser.add_argument("--precisions", nargs="+", choices=(*PRECISIONS, "bf16"), default=list(PRECISIONS))
    parser.add_argument("--scored", type=Path, help="genome file that the models of --models score")
    parser.add_argument("--models", nargs="+", default=["pombe-512"], help="shipped models or files (pombe-512)")
    parser.add_argument("--train-chunk", type=int, default=128, help="bases between updates (128)")
    parser.add_argument("--score-chunk", type=int, default=512, help="bases a step of scoring (512)")
    parser.add_argument("--genome", default="3.1G", help="bases that hours are told for, both strands (3.1G)")
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

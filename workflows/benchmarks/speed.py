"""Remake the README's table of speeds and its picture: every part of 'genolstm bench', at the sizes named there.

    python workflows/benchmarks/speed.py -o speed [-t 1] [--rounds 9] [--only train score]

Writes speed.tsv (everything), speed.md (the table), speed.png and speed.svg. Ten minutes on one quiet core.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench_runs import rows_of, say_progress, write_table
from matplotlib.ticker import FuncFormatter, NullFormatter

from genolstm.errors import GenolstmError
from genolstm.figures.style import BLUE, GREY, RED, Picture, new_figure, save, styled, titled

RUNS = (
    ("train", "--hidden", "256", "--lanes", "64", "--chunk", "128"),
    ("train", "--hidden", "256"),
    ("score", "--hidden", "128"),
    ("score", "--hidden", "256"),
    ("score", "--hidden", "512"),
    ("gates", "--hidden", "256"),
    ("fasta",),
    ("bam",),
    ("mods",),
    ("fit",),
    ("hdf5",),
)
SIZED = {"train", "score", "gates"}
BAR_INCHES, MARGIN_INCHES = 0.26, 1.1


def main(words: Sequence[str]) -> int:
    """Run all parts and write the three files; gives the exit code."""
    options = _options(words)
    say_progress()
    options.output.mkdir(parents=True, exist_ok=True)
    rows = []
    for part, *sizes in RUNS:
        if options.only and part not in options.only:
            continue
        shared = ["--threads", str(options.threads), "--rounds", str(options.rounds)]
        tried = options.sizes.split() if part in SIZED else []
        rows += rows_of([part, *sizes, *tried, *shared, *(["--device", options.device] if part in SIZED else [])])
    write_table(options.output / "speed.tsv", rows)
    (options.output / "speed.md").write_text(markdown(rows))
    measured = [row for row in rows if "not_run" not in row]
    if measured:
        with styled():
            figure = titled(drawn(measured))
            for ending in ("png", "svg"):
                save(figure, options.output / f"speed.{ending}")
    return 0


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the files")
    parser.add_argument("-t", "--threads", type=int, default=1, help="CPU threads (1)")
    parser.add_argument("--rounds", type=int, default=9, help="alternating rounds of each (9)")
    parser.add_argument("--device", default="cpu", help="of train, score and gates (cpu)")
    parser.add_argument("--only", nargs="+", choices=sorted({run[0] for run in RUNS}), help="these parts alone")
    parser.add_argument("--sizes", default="", help="in place of the table's sizes, as '--hidden 8 --lanes 4'")
    return parser.parse_args(words)


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """Table for the README; a baseline that did not run has a line of its own below."""
    lines = [
        "| part | of | rate | baseline | ratio (smallest to largest) | accepted from | fraction of the bound |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [_line(row) for row in rows if "not_run" not in row]
    lines += [f"\nNot run: {named(row)}: {row['not_run']}" for row in rows if "not_run" in row]
    return "\n".join(lines) + "\n"


def _line(row: dict[str, Any]) -> str:
    least = "" if row["least"] is None else f"{row['least']:.2f}, {'met' if row['met'] else 'short'}"
    share = "" if row["share"] is None else f"{row['share']:.2g}"
    ratio = f"{row['ratio']:.2f} ({row['low']:.2f} to {row['high']:.2f})"
    rate = f"{rounded(row['rate'])} {row['unit']}/s"
    return f"| {row['part']} | {row['shape']} | {rate} | {row['baseline']} | {ratio} | {least} | {share} |"


def rounded(rate: float) -> str:
    """'754 M', '39 k', '12': three digits at most."""
    for factor, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if rate >= factor:
            return f"{rate / factor:.3g}{letter}"
    return f"{rate:.3g}"


def named(row: dict[str, Any]) -> str:
    """'score beside nn.LSTM forward, one lane'."""
    return f"{row['part']} beside {row['baseline']}" if row.get("baseline") else row["part"]


def drawn(rows: Sequence[dict[str, Any]]) -> Picture:
    """Bars of the ratios on a log scale, from 1 (as fast as the baseline), with the acceptance ratio as a mark."""
    figure = new_figure(width=9.0, height=MARGIN_INCHES + BAR_INCHES * len(rows))
    axes = figure.subplots()
    places = range(len(rows))
    for place, row in zip(places, rows, strict=True):
        axes.barh(place, row["ratio"] - 1, left=1, color=GREY if row["met"] is None else BLUE if row["met"] else RED)
        axes.plot([row["low"], row["high"]], [place, place], color="black", linewidth=1)
        if row["least"] is not None:
            axes.plot([row["least"]] * 2, [place - 0.4, place + 0.4], color="black", linewidth=2.5)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks(list(places), [f"{row['part']} ({row['shape']}) / {row['baseline']}" for row in rows], fontsize=7)
    axes.invert_yaxis()
    axes.set_xlabel("times as fast as the baseline")
    short = sum(row["met"] is False for row in rows)
    return Picture(
        name="speed",
        title="Speed beside bare baselines",
        caption=f"Median of {rows[0]['rounds']} alternating rounds, smallest to largest as a line; the thick mark is"
        " the acceptance ratio. Blue: met; red: short of it; grey: no such ratio. Device of the networks:"
        f" {rows[0]['device']}.",
        alt=f"Bars of {len(rows)} ratios on a log scale; {short} are short of the acceptance ratio.",
        figure=figure,
    )


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except GenolstmError as problem:
        sys.stderr.write(f"speed.py: {problem}\n")
        sys.exit(problem.exit_code)

"""Table and picture of how much a larger model knows: models of one genome, each with a probe of its states.

    python workflows/models/sizes.py -o sizes model64.h5:splice64.h5 model256.h5:splice256.h5 ...

Writes sizes.md (the table), sizes.png and sizes.svg. A model without a probe is given alone. Bits and scores are those
that the files hold, of contigs that no model has seen, beside the Markov models and the strongest control.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from genolstm.errors import GenolstmError, InputError
from genolstm.figures.style import BLACK, CYCLE, GREY, Picture, new_figure, save, styled, titled
from genolstm.store.checkpoint import Checkpoint, PartBits, read_checkpoint
from genolstm.store.file_info import read_file_info
from genolstm.store.files import file_sha256
from genolstm.store.results import ProbeResult, read_probe

TRAINED = "trained"


class Sized(NamedTuple):
    """One model. test : bits of the held-out part.   probe : target -> result; empty without a probe."""

    name: str
    weights: int
    bases: int
    test: PartBits
    probe: dict[str, ProbeResult]


def main(words: Sequence[str]) -> int:
    """Read all models, write the three files; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the files")
    parser.add_argument("models", nargs="+", help="MODEL.h5 or MODEL.h5:PROBE.h5")
    options = parser.parse_args(words)
    models = sorted((sized(text) for text in options.models), key=lambda model: model.weights)
    if len({model.test.symbols for model in models}) > 1:
        raise InputError("these models were not tested on the same bases; give models of one genome and one split.")
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "sizes.md").write_text(markdown(models))
    with styled():
        figure = titled(drawn(models))
        for ending in ("png", "svg"):
            save(figure, options.output / f"sizes.{ending}")
    return 0


def sized(text: str) -> Sized:
    """Read one model and its probe. Raises InputError for a probe of another model, and a model without a test part."""
    model_path, _, probe_path = text.partition(":")
    checkpoint = read_checkpoint(Path(model_path))
    test = next((row for row in checkpoint.bits if row.part == "test"), None)
    if test is None:
        raise InputError(f"{model_path} was not tested on a held-out part; train it with --test-contigs.")
    if probe_path and read_file_info(Path(probe_path)).inputs.get("model") != file_sha256(Path(model_path)):
        raise InputError(f"{probe_path} is a probe of another model than {model_path}; give the probe of this one.")
    return Sized(
        name=f"{checkpoint.model.layers}x{checkpoint.model.hidden}",
        weights=sum(array.size for array in checkpoint.weights.values()),
        bases=bases_seen(checkpoint),
        test=test,
        probe=read_probe(Path(probe_path)) if probe_path else {},
    )


def bases_seen(checkpoint: Checkpoint) -> int:
    """Bases read in training, both strands."""
    return int(checkpoint.history["bases"][-1])


def targets_of(models: Sequence[Sized]) -> list[str]:
    """Names of all targets that any probe was asked for."""
    return sorted({target for model in models for target in model.probe})


def markdown(models: Sequence[Sized]) -> str:
    """Table for the README: a row a model, each score beside its strongest control."""
    targets = targets_of(models)
    ranked = {name: result.ranked.upper() for model in models for name, result in model.probe.items()}
    heads = [f"{target}: {ranked[target]} [95 %], strongest control, verdict" for target in targets]
    lines = [f"| model | weights | bases read | bits/base, test | {' | '.join(heads)}".rstrip(" |") + " |"]
    lines.append("|---" * (4 + len(targets)) + "|")
    for model in models:
        cells = [model.name, f"{model.weights:,}", f"{model.bases / 1e6:.0f} M", f"{model.test.model:.4f}"]
        lines.append(f"| {' | '.join(cells + [_cell(model.probe.get(target)) for target in targets])} |")
    test = models[0].test
    best = f"best order-k Markov (k = {test.best_order}) {test.best_bits:.4f}"
    lines.append(
        f"\nOn the same {test.symbols:,} bases: {best}, interpolated Markov {test.interpolated:.4f}, uniform 2."
    )
    return "\n".join(lines) + "\n"


def _cell(result: ProbeResult | None) -> str:
    if result is None:
        return "not probed"
    trained, control = (result.features[name].scores[result.ranked] for name in (TRAINED, result.best_control))
    return (
        f"{trained.value:.3f} [{trained.low:.3f}, {trained.high:.3f}], {result.best_control} {control.value:.3f},"
        f" {result.verdict}"
    )


def drawn(models: Sequence[Sized]) -> Picture:
    """Bits beside Markov, and scores beside controls, against the number of weights on a log scale."""
    targets, test = targets_of(models), models[0].test
    figure = new_figure(width=8.0, height=3.4)
    bits, *more = figure.subplots(1, 2 if targets else 1, squeeze=False)[0]
    weights = [model.weights for model in models]
    bits.plot(weights, [model.test.model for model in models], "o-", label="LSTM")
    bits.axhline(test.interpolated, color=GREY, linestyle="--", label="interpolated Markov")
    bits.axhline(test.best_bits, color=BLACK, linestyle=":", label=f"best Markov (order {test.best_order})")
    bits.set_ylabel("bits/base, held out")
    for axes in more:
        for color, target in zip(CYCLE, targets, strict=False):
            probed = [model for model in models if target in model.probe]
            _scores(axes, [(model.weights, model.probe[target]) for model in probed], target, color)
        axes.set_ylabel(" and ".join(sorted({r.ranked.upper() for m in models for r in m.probe.values()})))
    for axes in (bits, *more):
        axes.set_xscale("log")
        axes.set_xticks(weights, [f"{model.name}\n{model.weights:,}" for model in models], fontsize=7)
        axes.minorticks_off()
        axes.set_xlabel("layers x units, and weights (log scale)")
        axes.legend(fontsize=7)
    return Picture(
        name="sizes",
        title="What larger models know",
        caption=f"Held-out bits/base over {test.symbols:,} bases, both strands, and scores of linear probes with 95 %"
        " intervals of a block bootstrap; hollow: the strongest control. One training each.",
        alt=f"{len(models)} models of {weights[0]:,} to {weights[-1]:,} weights: {models[0].test.model:.4f} to"
        f" {models[-1].test.model:.4f} bits/base.",
        figure=figure,
    )


def _scores(axes, points, target, color) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """Trained states with their intervals, and the strongest control, of one target."""
    for label, name, filled in ((target, TRAINED, color), (f"{target}, strongest control", None, "white")):
        found = [result.features[name or result.best_control].scores[result.ranked] for _, result in points]
        axes.errorbar(
            [at for at, _ in points], [each.value for each in found],
            yerr=[[each.value - each.low for each in found], [each.high - each.value for each in found]],
            fmt="o-" if name else "o--", color=color, markerfacecolor=filled, capsize=2, label=label, linewidth=1,
        )  # fmt: skip


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except GenolstmError as problem:
        sys.stderr.write(f"sizes.py: {problem}\n")
        sys.exit(problem.exit_code)

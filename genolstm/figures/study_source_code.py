"""Pictures of the study of brackets in source code."""

import numpy as np

from genolstm.figures.style import BLUE, GREY, ORANGE, RED, SKY, Picture, legend_below, new_figure
from genolstm.store.study import Study

READINGS = {
    "whole": ("LSTM", BLUE), "near": ("LSTM, near characters alone", SKY), "touched": ("LSTM, a letter changed", GREY),
    "swapped": ("LSTM, opening bracket changed", RED), "kgram": ("k-grams", ORANGE),
}  # fmt: skip


def source_code(study: Study) -> list[Picture]:
    """Bits of closing brackets against how far back they were opened."""
    table = study.tables["bits"]
    names = np.array(table["reading"].values)
    figure = new_figure(6.8, 3.6)
    axes = figure.subplots()
    for place, (reading, (label, colour)) in enumerate(READINGS.items()):
        rows = names == reading
        low, high, bits, bits_low, bits_high = (
            np.asarray(table[each].values, dtype=np.float64)[rows] for each in ("from", "to", "bits", "low", "high")
        )
        aside = np.arange(len(bits)) + 0.1 * (place - 2)
        axes.errorbar(
            aside, bits, yerr=[bits - bits_low, bits_high - bits], color=colour, marker="o", markersize=4, capsize=2,
            linestyle="none", label=label,
        )  # fmt: skip
    axes.set_xticks(np.arange(len(low)), [f"{one:g} to {other - 1:g}" for one, other in zip(low, high, strict=True)])
    axes.set(xlabel="characters since the bracket was opened", ylabel="bits of the closing one", ylim=(0, None))
    legend_below(figure)
    return [
        Picture(
            "source-code",
            "Closing brackets in this package's own sources",
            f"Means and 95 % intervals over {study.setting['test_files']} files that were not trained on; one network"
            f" of {study.setting['parameters']:,} parameters, k-grams of order {study.setting['order']}.",
            study.conclusion,
            figure,
        )
    ]

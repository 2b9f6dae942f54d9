"""Pictures of the study of borders of open chromatin."""

import numpy as np
from matplotlib.ticker import MaxNLocator

from genolstm.figures.axes import interval_rows
from genolstm.figures.style import BLUE, GREY, RED, WIDE_INCHES, Picture, legend_below, new_figure, widest
from genolstm.store.study import Study


def chromatin(study: Study) -> list[Picture]:
    """The gate along planted borders, and the intervals of real ones where there are any."""
    course, real = study.tables["course"], study.tables.get("real")
    ways = np.array(course["made"].values)
    rows, across = 1 if real is None else 2, 2 if widest() >= WIDE_INCHES else 1
    figure = new_figure(7.4, 3.2 * rows * 2 / across + 0.3)
    axes = figure.subplots(2 * rows // across, across, squeeze=False).reshape(rows, 2)
    for panel, way in zip(axes[0], dict.fromkeys(course["made"].values), strict=True):
        here = ways == way
        offset, borders, others = (np.asarray(course[each].values)[here] for each in ("offset", "borders", "others"))
        panel.plot(offset, others, color=GREY, label="no border")
        panel.plot(offset, borders, color=RED, label="border")
        panel.axvline(0, color=GREY, linewidth=1, linestyle="--")
        panel.set(title=f"made genome, {way}", xlabel="bases from the element's end")
        panel.set_ylabel("mean forget gate")
    legend_below(figure)
    if real is not None:
        for panel, measure in zip(axes[1], ("forget around", "resets around"), strict=True):
            chosen = [place for place, each in enumerate(real["measure"].values) if each == measure]
            names = [f"{real['kind'].values[row]}, {real['direction'].values[row]}" for row in chosen]
            ends = [np.asarray(real[each].values, dtype=np.float64)[chosen] for each in ("difference", "low", "high")]
            interval_rows(panel, names, np.stack(ends, axis=1).tolist(), zero=True, colours=[BLUE] * len(names))
            panel.xaxis.set_major_locator(MaxNLocator(3))
            panel.set_title(f"real borders: {measure}")
    return [
        Picture(
            "chromatin",
            "The forget gate at borders of open chromatin",
            f"Made genomes whose state changes at borders: mean gate of {study.setting['networks']}"
            " networks along elements at borders and the same elements elsewhere. Real borders, if given: difference to"
            " matched places with 95 % interval.",
            study.conclusion,
            figure,
        )
    ]

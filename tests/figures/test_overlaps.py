"""No text of any picture lies on other text or beyond the figure, and no legend on data: wide, and as on a phone."""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest
from made_results import probe
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from genolstm import figures
from genolstm.figures.of_file import pictures_of
from genolstm.figures.probe_weights import weights
from genolstm.figures.style import NARROW_INCHES, WIDE_INCHES, in_a_row, legend_below, styled
from genolstm.settings.site_reading import Pool, PoolKind, SiteReading

TOUCH = 1.0  # pixels by which boxes may meet: they include the space around letters
KINDS = (
    "model", "score", "gates", "hidden", "track", "counts", "fit", "probe", "comparison", "snvs", "prediction",
    "dependencies",
)  # fmt: skip


def drawn_text(figure):
    """Every text that is drawn, with its box; ticks beyond the ends of an axis are not."""
    with styled():
        figure.draw_without_rendering()
        renderer, hidden = figure._get_renderer(), set()
        for axis in [axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]:
            drawn = axis.axes.get_visible() and axis.axes.axison
            hidden |= _labels(axis.get_major_ticks() + axis.get_minor_ticks())
            hidden -= _labels(axis._update_ticks()) if drawn else set()
        for text in figure.findobj(Text):
            if text not in hidden and text.get_visible() and text.get_text().strip():
                yield text.get_text(), text.get_window_extent(renderer)


def _labels(ticks):
    return {label for tick in ticks for label in (tick.label1, tick.label2)}


def faults_of(figure):
    """What overlaps, as text; [] where nothing does."""
    texts = list(drawn_text(figure))
    found = [
        f"'{one}' lies on '{other}'"
        for (one, box), (other, beside) in itertools.combinations(texts, 2)
        if min(box.x1, beside.x1) - max(box.x0, beside.x0) > TOUCH
        and min(box.y1, beside.y1) - max(box.y0, beside.y0) > TOUCH
    ]
    inside = figure.bbox.padded(TOUCH)
    found += [f"'{text}' is cut" for text, box in texts if not _within(inside, box)]
    legends = [legend for each in (figure, *figure.axes) for legend in
               ([*each.legends] if each is figure else [each.get_legend()]) if legend]  # fmt: skip
    boxes = [legend.get_window_extent(figure._get_renderer()) for legend in legends]
    shown = [axes.bbox for axes in figure.axes if axes.get_visible()]
    return found + ["a legend lies on data" for box in boxes if any(box.overlaps(panel) for panel in shown)]


def _within(outer: Bbox, inner: Bbox) -> bool:
    return outer.x0 <= inner.x0 and outer.y0 <= inner.y0 and outer.x1 >= inner.x1 and outer.y1 >= inner.y1


@pytest.mark.parametrize("widest", [WIDE_INCHES, NARROW_INCHES])
@pytest.mark.parametrize("kind", KINDS)
def test_no_text_lies_on_other_text(results, kind, widest):
    for picture in pictures_of(results[kind], widest=widest):
        assert picture.figure.get_figwidth() <= widest
        assert faults_of(picture.figure) == [], picture.name


@pytest.mark.parametrize("widest", [WIDE_INCHES, NARROW_INCHES])
def test_labels_of_many_blocks_keep_clear_of_each_other(widest):
    offsets, pools = tuple(range(-40, 45, 5)), tuple(Pool(how, -28, -15) for how in PoolKind)
    result = probe("donor", gain=True)
    features = dict(result.features)
    wide = SiteReading(offsets, pools).n_blocks
    features["trained"] = dataclasses.replace(features["trained"], coefficients=np.linspace(-1, 1, 4 * wide))
    with styled(widest=widest):
        picture = weights(dataclasses.replace(result, offsets=offsets, pools=pools, features=features))
    assert faults_of(picture.figure) == []
    assert "-40" in picture.caption


def test_what_overlaps_is_found():
    with styled():
        figure, (left, _) = in_a_row(6, 3, (1, 1), stacked=4)
        left.plot([0, 1], label="a line")
        legend_below(figure)
    assert faults_of(figure) == []
    figure.set_layout_engine("none")
    left.text(0.5, 0.5, "one")
    left.text(0.51, 0.5, "other")
    figure.text(0.9, 0.5, "far out, and cut at the edge")
    left.legend()
    told = faults_of(figure)
    assert "'one' lies on 'other'" in told
    assert "'far out, and cut at the edge' is cut" in told
    assert "a legend lies on data" in told


def test_legends_stand_below_all_panels_in_every_module():
    """Studies are drawn from results that take long to make: their sources are looked at instead."""
    folder = Path(figures.__file__).parent
    calls = {path.name for path in folder.glob("*.py") if ".legend(" in path.read_text()}
    assert calls == {"style.py"}

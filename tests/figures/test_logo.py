"""Logos: letters as high as their probability times the information, in the order of their heights."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from genolstm.figures.logo import COLOURS, LETTER_WIDTH, draw_logo, information


def test_information_of_known_distributions():
    p = np.array([[0.25] * 4, [1, 0, 0, 0], [0.5, 0.5, 0, 0], [np.nan] * 4])
    np.testing.assert_allclose(information(p), [0, 2, 1, np.nan])


def test_letters_are_stacked_by_height_and_fill_their_boxes():
    axes = Figure().subplots()
    heights = np.array([[0.1, 0.7, 0.2, 0.0], [np.nan] * 4, [0.0, 0.0, 0.0, 2.0]])
    draw_logo(axes, heights, 11)
    (drawn,) = axes.collections
    boxes = [outline.get_extents() for outline in drawn.get_paths()]
    assert len(boxes) == 8
    tops = [box.y1 for box in boxes[:4]]
    assert tops == pytest.approx([0, 0.1, 0.3, 1.0])
    assert [box.y0 for box in boxes[1:4]] == pytest.approx(tops[:3])
    assert all((box.x0 + box.x1) / 2 == pytest.approx(11) for box in boxes[1:4])
    assert boxes[3].width == pytest.approx(LETTER_WIDTH)
    assert (boxes[7].y1 - boxes[7].y0, (boxes[7].x0 + boxes[7].x1) / 2) == pytest.approx((2, 13))
    highest = tuple(round(255 * value) for value in drawn.get_facecolors()[3][:3])
    assert "#{:02X}{:02X}{:02X}".format(*highest) == COLOURS["C"]

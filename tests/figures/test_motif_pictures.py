"""Logos of motifs with their enrichment: no text on other text, and each letter stands where it is."""

import numpy as np
import pytest
from test_overlaps import faults_of

from genolstm.estimate import Estimate
from genolstm.figures.motifs import motif_picture
from genolstm.figures.style import NARROW_INCHES, WIDE_INCHES, styled
from genolstm.writers.motifs import Motif


def motif(number, width, offset):
    counts = np.random.default_rng(number).dirichlet([0.3] * 4, width) * 200
    return Motif(
        name=f"acceptor-{number}", consensus="N" * width, counts=counts, offset=offset, sites=200, hits=150,
        seqlets=300, background_hits=20, background=1200, enrichment=Estimate(3.1, 2.5, 3.6), p=1e-9, p_adjusted=2e-9,
    )  # fmt: skip


@pytest.mark.parametrize("widest", [WIDE_INCHES, NARROW_INCHES])
def test_no_text_lies_on_other_text_and_axes_end_with_their_motif(widest):
    with styled(widest=widest):
        picture = motif_picture("acceptor", [motif(1, 6, None), motif(2, 16, -22), motif(3, 3, -2)])
    assert faults_of(picture.figure) == []
    logos, ends = picture.figure.axes[1:], (6.6, 16.6, 3.6)
    assert [axes.spines["bottom"].get_bounds()[1] for axes in logos] == pytest.approx(ends)
    assert logos[2].get_xticklabels()[0].get_text() == "-2"
    assert logos[0].get_xticklabels()[0].get_text() == "1"

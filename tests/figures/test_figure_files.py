"""Pictures as files: every kind of result, the same bytes in every process, whole or not at all."""

import os
import subprocess
import sys

import numpy as np
import pytest

from genolstm.errors import InputError, UsageError
from genolstm.figures.along import longest, n_bins
from genolstm.figures.formats import FORMATS
from genolstm.figures.of_file import pictures_of
from genolstm.figures.style import new_figure, save, styled, titled

DRAW = """
import sys
from pathlib import Path
from genolstm.figures.of_file import pictures_of
from genolstm.figures.style import save, titled

folder = Path(sys.argv[1])
for name in sys.argv[2:]:
    for place, picture in enumerate(pictures_of(Path(name))):
        save(picture.figure, folder / f"{Path(name).stem}-{picture.name}.svg")
        if not place:
            titled(picture)
            for form in ("png", "pdf"):
                save(picture.figure, folder / f"{Path(name).stem}-{picture.name}.{form}")
"""
FIRST = {
    "model": "training", "score": "bits", "gates": "functional-memory", "track": "spectrum", "counts": "counts",
    "fit": "trajectories", "probe": "verdict",
}  # fmt: skip


@pytest.mark.slow
def test_two_processes_write_the_same_bytes_in_every_format(results, tmp_path):
    written = []
    for number in (1, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": str(number)}
        drawn = [results[name] for name in ("model", "hidden")]
        subprocess.run([sys.executable, "-c", DRAW, folder, *drawn], env=environment, check=True)
        written.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert written[0] == written[1]
    assert {name.rpartition(".")[2] for name in written[0]} == set(FORMATS)


@pytest.mark.parametrize("kind", ["genome", "model", "score", "gates", "hidden", "track", "counts", "fit", "probe"])
def test_every_kind_of_result_has_pictures_with_words(results, kind):
    pictures = pictures_of(results[kind])
    assert len({picture.name for picture in pictures}) == len(pictures)
    for picture in pictures:
        assert all([picture.name, picture.title, picture.caption, picture.alt])
        assert "nan" not in picture.title
        for axes in picture.figure.axes:
            if axes.get_visible() and axes.axison and axes.get_label() != "<colorbar>":
                assert axes.get_xlabel() or any(other.get_xlabel() for other in picture.figure.axes)
    if kind in FIRST:
        assert pictures[0].name == FIRST[kind]
        assert "n = " in pictures[0].caption


@pytest.mark.parametrize("name", ["x.gif", "x", "x.svg.gz"])
def test_another_ending_is_refused_and_nothing_is_left(tmp_path, name):
    with pytest.raises(UsageError, match=r"must end in \.svg, \.png, \.pdf; name it so\."):
        save(new_figure(), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_result_is_refused(tmp_path):
    (tmp_path / "x.h5").write_text("no")
    with pytest.raises(InputError, match="is not an HDF5 file"):
        pictures_of(tmp_path / "x.h5")


def test_title_and_caption_stand_outside_of_what_is_drawn(results):
    for picture in pictures_of(results["probe"]):
        figure = titled(picture)
        with styled():
            figure.draw_without_rendering()
        renderer = figure._get_renderer()
        *_, title, caption = figure.texts
        above, below = (words.get_window_extent(renderer) for words in (title, caption))
        boxes = [axes.get_tightbbox(renderer) for axes in figure.axes if axes.get_visible()]
        boxes += [legend.get_window_extent(renderer) for legend in figure.legends]
        assert all(box.y1 <= above.y0 + 1 for box in boxes), picture.name
        assert all(box.y0 >= below.y1 - 1 for box in boxes), picture.name
        for words in (above, below):
            assert words.x0 >= 0
            assert words.x1 <= figure.bbox.x1
            assert words.y0 >= 0
            assert words.y1 <= figure.bbox.y1
        for legend in figure.legends:
            assert not any(legend.get_window_extent(renderer).overlaps(axes.bbox) for axes in figure.axes)


def test_slivers_and_surplus_contigs_are_left_out():
    assert longest(enumerate([100, 4, 50, 5])) == [0, 2, 3]
    assert longest(enumerate([9] * 20)) == list(range(8))
    assert n_bins(3, 1000) == 3
    assert n_bins(1000, 1000) == 400


def test_a_long_track_makes_a_small_drawing(tmp_path):
    from genolstm.figures.along import Bins, contig_rows, draw_steps

    bins = Bins(0, 3_000_000, 400)
    for start in range(0, 3_000_000, 1 << 18):
        places = np.arange(start, min(start + (1 << 18), 3_000_000))
        bins.add(places, np.sin(places / 1e5))
    with styled():
        figure, rows = contig_rows(["I"], 3_000_000, "bits/base")
        draw_steps(rows[0], bins.binned(), "black")
    save(figure, tmp_path / "x.svg")
    assert (tmp_path / "x.svg").stat().st_size < 100_000

"""Pictures of every other kind of result: values as in the file, parts that lack, names that are only names."""

import dataclasses

import numpy as np
import pytest

from genolstm.figures.along import BINS, Bins
from genolstm.figures.methylation import course, flagged, shown_sites
from genolstm.figures.of_file import pictures_of
from genolstm.figures.style import save, styled, titled
from genolstm.regions import Part, Region, Stretches, stretches_of
from genolstm.settings.model import ModelSettings
from genolstm.settings.train import TrainSettings
from genolstm.store.checkpoint import HISTORY, Checkpoint, PartBits, write_checkpoint
from genolstm.store.counts import Counts, write_counts
from genolstm.store.files import Records
from genolstm.store.methylation import COLUMNS, HeldOutScore, MethylationFit, write_methylation
from genolstm.store.prediction import read_prediction
from genolstm.store.score import ClassBits, ScoreTables, open_score, read_score_tables, write_score

AWKWARD = ("$x^2$", "_hidden<b>", "cost $5", "a" * 300, "line\nend", "\u67d3\u8272\u4f53", "\\frac{1}{2} $")


def named(path):
    return {picture.name: picture for picture in pictures_of(path)}


def made_checkpoint(contigs=("I", "II"), records=5, *, looks=2, bits=True):
    rng = np.random.default_rng(0)
    n = len(contigs)
    history = {name: rng.random(records).tolist() for name in HISTORY}
    history["bases"] = (np.arange(1, records + 1) * 100).tolist()
    history["step"] = list(range(records))
    part = PartBits(part="test", model=1.8, symbols=11, uniform=2.0, by_order=(1.95, 1.9, 1.97), interpolated=1.85)
    return Checkpoint(
        model=ModelSettings(hidden=4), train=TrainSettings(), weights={"w": np.zeros(16, np.float32)},
        split=Stretches(
            contigs=tuple(contigs), contig=np.arange(n, dtype=np.int32), start=np.zeros(n, np.int64),
            end=np.full(n, 50, np.int64), part=np.full(n, Part.TRAIN, np.int8),
        ),
        lengths=np.full(n, 50, np.int64), genome_sha256="ab" * 32, history=history,
        looks={"bases": [100 * (look + 1) for look in range(looks)], "bits": rng.random(looks).tolist()},
        bits=(part,) if bits else (),
    )  # fmt: skip


def test_training_curve_is_the_history(tmp_path, provenance):
    checkpoint = made_checkpoint()
    write_checkpoint(tmp_path / "m.h5", checkpoint, provenance)
    pictures = named(tmp_path / "m.h5")
    top, rate, norm = pictures["training"].figure.axes
    lines = {line.get_label(): line for line in top.lines}
    np.testing.assert_array_equal(lines["training"].get_ydata(), checkpoint.history["bits"])
    np.testing.assert_array_equal(lines["training"].get_xdata(), checkpoint.history["bases"])
    np.testing.assert_array_equal(lines["validation"].get_ydata(), checkpoint.looks["bits"])
    levels = {label: line.get_ydata()[0] for label, line in lines.items()}
    assert levels["uniform: 2.000"] == 2
    assert levels["Markov, order 1: 1.900"] == 1.9
    assert levels["interpolated Markov: 1.850"] == 1.85
    assert levels["test: 1.800"] == 1.8
    np.testing.assert_array_equal(rate.lines[0].get_ydata(), checkpoint.history["learning_rate"])
    np.testing.assert_array_equal(norm.lines[0].get_ydata(), checkpoint.history["gradient_norm"])
    np.testing.assert_array_equal(pictures["markov"].figure.axes[0].lines[0].get_ydata(), [1.95, 1.9, 1.97])
    assert pictures["training"].title == "test part: 1.800 bits/base, 0.050 below interpolated Markov"


@pytest.mark.parametrize(("records", "looks", "drawn"), [(0, 0, []), (1, 0, ["training"]), (0, 1, ["training"])])
def test_a_checkpoint_that_lacks_parts_is_drawn_as_far_as_it_goes(tmp_path, provenance, records, looks, drawn):
    write_checkpoint(tmp_path / "m.h5", made_checkpoint(records=records, looks=looks, bits=False), provenance)
    assert list(named(tmp_path / "m.h5")) == drawn


def made_fit(sites=60, contigs=("I",), **changes):
    rng = np.random.default_rng(1)
    numbers = {name: rng.uniform(0.1, 0.9, sites) for name in COLUMNS if name not in {"reads", "flags"}}
    numbers["start"] = np.zeros(sites)
    covered = rng.integers(0, 30, (sites, 3)).astype(np.int32)
    made = MethylationFit(
        contigs=contigs, contig=np.sort(rng.integers(0, len(contigs), sites)).astype(np.int32),
        position=np.arange(sites, dtype=np.int64) * 9, strand=np.zeros(sites, np.int8),
        modified=rng.binomial(covered, 0.5).astype(np.int32), covered=covered, samples=("a", "b", "c"), unit="hours",
        elapsed=np.array([0.5, 4.5, 16.5]), model="site", free_start=False, numbers={"level": 0.95},
        flag_names={"no_reads": 1, "rate_open_above": 32}, **numbers, reads=covered.sum(axis=1).astype(np.int64),
        flags=np.where(np.arange(sites) % 5 == 0, 32, 0).astype(np.uint16),
    )  # fmt: skip
    return dataclasses.replace(made, **changes)


def test_trajectories_pass_through_the_fit_and_points_are_the_counts(tmp_path, provenance):
    fit = made_fit()
    write_methylation(tmp_path / "f.h5", fit, Records(), provenance)
    figure = named(tmp_path / "f.h5")["trajectories"].figure
    rows = shown_sites(fit)
    assert len(rows) == 12
    assert not flagged(fit, ("rate_open_above",))[rows].any()
    assert np.all(np.diff(fit.rate[rows]) >= 0)
    for axes, row in zip(figure.axes, rows, strict=False):
        curve, points = axes.lines
        times, fractions = curve.get_data()
        np.testing.assert_allclose(fractions, course(fit.rate[row], fit.steady[row], fit.start[row], times))
        seen = fit.covered[row] > 0
        np.testing.assert_array_equal(points.get_xdata(), fit.elapsed[seen])
        np.testing.assert_array_equal(points.get_ydata(), fit.modified[row][seen] / fit.covered[row][seen])


def test_a_course_starts_at_its_start_and_has_gone_half_way_after_a_half_life():
    times = np.array([0.0, np.log(2) / 0.3, 1e6])
    np.testing.assert_allclose(course(np.array(0.3), np.array(0.8), np.array(0.2), times), [0.2, 0.5, 0.8])


def test_histograms_count_every_fitted_site(tmp_path, provenance):
    fit = made_fit()
    write_methylation(tmp_path / "f.h5", fit, Records(), provenance)
    picture = named(tmp_path / "f.h5")["distributions"]
    for axes in picture.figure.axes:
        stacked, sure = (patch.get_data() for patch in axes.patches)
        assert stacked.values.sum() == 60
        assert sure.values.sum() == 48
    assert "open at 20%" in picture.title


def test_held_out_scores_are_drawn_with_their_ends(tmp_path, provenance):
    scores = tuple(
        HeldOutScore(what=what, model=model, log_likelihood=-0.5, reads=9, against="pooled", difference=value,
                     low=value - 0.1, high=value + 0.2, hold_out="time:4")
        for what, model, value in (
            ("all", "smoothed", 0.3), ("all", "site", -0.5), ("few", "site", -0.5), ("all", "pooled", 0.0)
        )
    )  # fmt: skip
    write_methylation(tmp_path / "f.h5", made_fit(held_out=scores), Records(), provenance)
    picture = named(tmp_path / "f.h5")["held-out"]
    assert picture.title == "the pooled model is ahead in 1 of 2 comparisons on held-out reads"
    spans = [tuple(line.get_xdata()) for line in picture.figure.axes[0].lines if len(line.get_xdata()) == 2][1:]
    assert spans == [(-score.high, -score.low) for score in scores[:2]]


@pytest.mark.parametrize("sites", [0, 1])
def test_a_fit_of_no_site_or_one_is_drawn_as_far_as_it_goes(tmp_path, provenance, sites):
    write_methylation(tmp_path / "f.h5", made_fit(sites), Records(), provenance)
    drawn = named(tmp_path / "f.h5")
    assert ("trajectories" in drawn) == bool(sites)
    for picture in drawn.values():
        save(titled(picture), tmp_path / "x.svg")


def test_a_fit_that_told_nothing_draws_nothing(tmp_path, provenance):
    fit = made_fit(5)
    fit.rate[:] = np.nan
    write_methylation(tmp_path / "f.h5", fit, Records(), provenance)
    assert named(tmp_path / "f.h5") == {}


def test_counts_are_told_by_sample(tmp_path, provenance):
    covered = np.array([[3, 0], [1, 2], [0, 0]], np.int32)
    counts = Counts(
        contigs=("I",), contig=np.zeros(3, np.int32), position=np.arange(3, dtype=np.int64),
        strand=np.zeros(3, np.int8), modified=np.array([[3, 0], [0, 1], [0, 0]], np.int32),
        covered=covered, samples=("early", "$late$"),
    )  # fmt: skip
    write_counts(tmp_path / "c.h5", counts, Records(), provenance)
    picture = named(tmp_path / "c.h5")["counts"]
    left = picture.figure.axes[0].patches
    assert [patch.get_data().values[:4].tolist() for patch in left] == [[1, 1, 0, 1], [2, 0, 1, 0]]
    assert "early: 4 reads, 75.0% modified" in picture.alt
    assert "$late$: 2 reads, 50.0% modified" in picture.alt


@pytest.fixture
def score_file(tmp_path, genome_of, drawn_codes, provenance):
    """Function: contig names -> path of a score file of two strands, and its bits [strands, bases]."""

    def made(names=("I", "II"), lengths=(5_000, 3_000), **changes):
        genome = genome_of(
            {name: drawn_codes(row, length) for row, (name, length) in enumerate(zip(names, lengths, strict=True))}
        )
        regions = [Region(contig=name, start=0, end=length) for name, length in genome.length_of.items()]
        bits = np.random.default_rng(0).uniform(1.5, 2.1, (2, sum(lengths))).astype(np.float32)
        bits[:, 7] = np.nan
        tables = {
            "symbols": np.full((len(names), 2, 2), 10), "bits": np.full((len(names), 2, 2), 19.0),
            "seen": np.array([1, 0, -1, 0, 1, 0, 1][: len(names)], np.int8),
            "parts": (SCORED,),
            "markov_counted_on": "training stretches", "calibration_error": 0.01, "seam_summary": {},
            "calibration": {"lower": np.array([0.0, 0.5]), "sampled": np.array([5, 0]),
                            "predicted": np.array([0.2, 0.7]), "observed": np.array([0.25, 0.0])},
            **{name: {column: np.zeros(0, dtype) for column, dtype in SEAMS.items()} for name in ("seams", "leads")},
            **changes,
        }  # fmt: skip
        path = tmp_path / "s.h5"
        with write_score(path, stretches_of(regions, genome.names), genome.length_of, 2, provenance) as file:
            for strand in range(2):
                file.write(strand, 0, bits[strand])
            file.finish(ScoreTables(**tables), Records())
        return path, bits

    return made


SCORED = PartBits(part="scored", model=1.9, symbols=80, uniform=2.0, by_order=(1.99, 1.97), interpolated=1.95)
SEAMS = {"contig": np.int32, "position": np.int64, "strand": np.int8, "found_state": np.float64,
         "found_bits": np.float64, "repaired": np.int64, "left_state": np.float64, "left_bits": np.float64}  # fmt: skip


def test_bits_along_contigs_are_means_of_their_bins(score_file):
    path, bits = score_file()
    pictures = named(path)
    assert list(pictures) == ["bits", "markov", "calibration"]
    rows = pictures["bits"].figure.axes
    assert [axes.get_title(loc="left") for axes in rows] == ["I (trained on)", "II (held out)"]
    for axes, first, end in zip(rows, (0, 5_000), (5_000, 8_000), strict=True):
        for strand, patch in enumerate(axes.patches):
            drawn = patch.get_data()
            assert len(drawn.values) == round(BINS * (end - first) / 5_000)
            for value, left, right in zip(drawn.values, drawn.edges[:-1], drawn.edges[1:], strict=True):
                expected = np.nanmean(bits[strand, first + left : first + right].astype(np.float64))
                assert value == pytest.approx(expected, rel=1e-12)


def test_classes_and_seams_are_drawn_where_they_are(score_file):
    classes = (ClassBits("CDS", "sense", 9, 1.9, 1.8, 1.95), ClassBits("intron", "both", 5, 2.0, 1.9, 2.1))
    seams = {column: np.arange(1, 4).astype(dtype) for column, dtype in SEAMS.items()}
    path, _ = score_file(classes=classes, seams=seams)
    pictures = named(path)
    spans = [tuple(line.get_xdata()) for line in pictures["classes"].figure.axes[0].lines if len(line.get_xdata()) == 2]
    assert spans == [(1.8, 1.95), (1.9, 2.1)]
    assert [text.get_text() for text in pictures["classes"].figure.axes[0].get_yticklabels()] == [
        "CDS, sense",
        "intron",
    ]
    np.testing.assert_array_equal(pictures["seams"].figure.axes[1].lines[-1].get_ydata(), [1, 2, 3])


def test_bins_weigh_their_values_and_leave_nan_out():
    bins = Bins(10, 20, 2)
    bins.add(np.array([10, 12, 15, 19]), np.array([1.0, 4.0, np.nan, 5.0]), np.array([2, 1, 9, 1]))
    edges, mean = bins.binned()
    assert edges.tolist() == [10, 15, 20]
    assert mean.tolist() == [2, 5]


def test_slabs_do_not_change_the_bins(score_file, monkeypatch):
    path, _ = score_file()
    whole = [patch.get_data().values for patch in named(path)["bits"].figure.axes[0].patches]
    monkeypatch.setattr("genolstm.figures.score.SLAB", 37)
    for one, other in zip(
        whole, (patch.get_data().values for patch in named(path)["bits"].figure.axes[0].patches), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_awkward_names_are_drawn_as_they_are_and_break_nothing(score_file, tmp_path, recwarn):
    path, _ = score_file(AWKWARD[:4] + AWKWARD[5:], (900,) * 6)
    assert read_score_tables(path).seen.size == 6
    with open_score(path) as file:
        assert len(file.lengths) == 6
    for picture in pictures_of(path):
        save(titled(picture), tmp_path / "x.svg")
    picture = named(path)["bits"]
    titles = [axes.get_title(loc="left") for axes in picture.figure.axes]
    assert titles[0] == r"\$x^2\$ (trained on)"  # as matplotlib takes dollars literally
    with styled():
        picture.figure.draw_without_rendering()
        renderer = picture.figure._get_renderer()
        boxes = [axes.title if axes.get_title() else axes._left_title for axes in picture.figure.axes]
        assert all(box.get_window_extent(renderer).x1 < picture.figure.bbox.x1 for box in boxes)
    assert not [warning for warning in recwarn if "Glyph" in str(warning.message)]


def test_precision_of_predictions_stands_beside_chance_and_the_strongest_control(results):
    axes = named(results["prediction"])["donor-precision-recall"].figure.axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    (held_out,) = [line for label, line in lines.items() if label.startswith("all held out: AUPRC")]
    np.testing.assert_array_equal(held_out.get_xydata(), [[0.5, 1.0], [1.0, 0.75]])
    (chance,) = [line for label, line in lines.items() if "fraction of true" in label]
    (target,) = read_prediction(results["prediction"]).targets[:1]
    row = next(row for row in target.judged if row.group == "all held out")
    assert set(chance.get_ydata()) == {row.positive / row.candidates}
    control = lines["probe's test sites: strongest control, untrained_1"]
    np.testing.assert_allclose(control.get_ydata(), [0.4, 0.2])


def test_markov_line_is_that_of_held_out_bases_and_drawn_across_them_alone(score_file):
    test = dataclasses.replace(SCORED, part="test", interpolated=1.93)
    path, _ = score_file(parts=(SCORED, test))
    trained, held_out = named(path)["bits"].figure.axes
    assert not list(trained.lines)
    assert [set(line.get_ydata()) for line in held_out.lines] == [{1.93}]
    path, _ = score_file(parts=(SCORED,))  # all that was scored, trained on or not: a line for neither
    assert not [line for axes in named(path)["bits"].figure.axes for line in axes.lines]
    path, _ = score_file(parts=(SCORED,), seen=np.array([0, 0], np.int8))
    assert all(len(axes.lines) == 1 for axes in named(path)["bits"].figure.axes)


@pytest.mark.parametrize(("kind", "name"), [("track", "along"), ("gates", "forget-along"), ("fit", "map")])
def test_held_out_contigs_are_shaded_in_every_track(results, kind, name):
    def drawn(held_out):
        (picture,) = (each for each in pictures_of(results[kind], held_out=held_out) if each.name == name)
        return {axes.get_title(loc="left"): axes.get_facecolor() for axes in picture.figure.axes}

    plain, marked = drawn(()), drawn({"I"})
    assert not [title for title in plain if "held out" in title]
    assert [title for title in marked if "held out" in title] == ["I (held out)"]
    assert marked["I (held out)"] != plain["I"]

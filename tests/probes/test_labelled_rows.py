"""Labelled rows: their width, their order, what is said twice, and windows that overlap."""

from types import SimpleNamespace

import numpy as np
import pytest

from genolstm.errors import InputError
from genolstm.model import NextSymbolModel
from genolstm.probes.labelled_rows import rows_of_file
from genolstm.probes.site_truth import truth_of
from genolstm.probes.task import BINARY, CONTINUOUS, MULTICLASS
from genolstm.readers.labelled_sites import LabelledSites
from genolstm.regions import Part
from genolstm.settings.model import ModelSettings
from genolstm.settings.reading import StreamSettings
from genolstm.settings.sites import LabelKind
from genolstm.states.sites import states_at
from genolstm.states.windows import Windows, pooled_states
from genolstm.stream.reader import GenomeReader

GENOME = SimpleNamespace(lengths=np.array([1_000, 500]), names=("I", "II"))


def found(*rows):
    """Labelled sites from rows of contig, start, end, strand, label."""
    contig, start, end, strand, label = zip(*rows, strict=True)
    return LabelledSites(
        source="s.bed", contig=np.array(contig, np.int32), start=np.array(start), end=np.array(end),
        strand=np.array(strand, np.int8), label=label, part=np.full(len(rows), -1, np.int8), read=len(rows),
        labels_named=True,
    )  # fmt: skip


def test_points_without_a_strand_are_forward_and_windows_have_none():
    assert rows_of_file(found((0, 5, 6, 0, "a"), (0, 9, 10, -1, "a")), GENOME, 0).strand.tolist() == [1, -1]
    rows = rows_of_file(found((0, 5, 45, 1, "a"), (0, 9, 49, -1, "a")), GENOME, 0)
    assert (rows.width, rows.strand.tolist()) == (40, [0, 0])


def test_window_is_taken_around_the_middle_and_left_out_beyond_the_contig():
    rows = rows_of_file(found((0, 100, 101, 1, "a"), (0, 200, 300, 1, "b"), (1, 10, 11, 1, "a")), GENOME, 40)
    assert rows.start.tolist() == [80, 230]
    assert rows.skipped == {"window over the end of its contig": 1}


def test_places_are_sorted_and_each_is_once():
    rows = rows_of_file(
        found((1, 7, 8, 1, "a"), (0, 9, 10, -1, "b"), (0, 9, 10, 1, "a"), (1, 7, 8, 1, "a")), GENOME, 0
    ).once(GENOME.names)
    assert list(zip(rows.contig.tolist(), rows.start.tolist(), rows.strand.tolist(), strict=True)) == [
        (0, 9, -1), (0, 9, 1), (1, 7, 1),
    ]  # fmt: skip
    assert rows.skipped == {"the same site again": 1}


def test_one_place_with_two_labels_is_named():
    rows = rows_of_file(found((1, 7, 8, 1, "a"), (1, 7, 8, 1, "b"), (1, 7, 8, -1, "b")), GENOME, 0)
    with pytest.raises(InputError, match=r"1 site with two labels, the first at II:8 \('a' and 'b'\)"):
        rows.once(GENOME.names)


@pytest.mark.parametrize(("gap", "overlaps"), [(39, 1), (40, 0)])
def test_test_windows_that_overlap_training_are_counted(gap, overlaps):
    rows = rows_of_file(found((0, 100, 140, 0, "a"), (0, 100 + gap, 140 + gap, 0, "b")), GENOME, 0)
    rows.part[:] = Part.TRAIN, Part.TEST
    assert rows.overlapping_parts(0) == overlaps


@pytest.mark.parametrize(
    ("labels", "kind", "classes"),
    [
        (["x", "y", "x", "x"], BINARY, ("x", "y")),  # the rarer is to be found
        (["0", "1", "1", "1"], BINARY, ("0", "1")),
        (["0.5", "1.5", "1.5"] * 2, BINARY, ("1.5", "0.5")),
        (["10", "9", "2"] * 3, MULTICLASS, ("2", "9", "10")),
        (["1.5", "2", "3"] * 3, CONTINUOUS, ()),
        ([str(k) for k in range(11)] * 3, CONTINUOUS, ()),
    ],
)
def test_labels_are_classes_or_values_by_what_they_are(labels, kind, classes):
    truth = truth_of(labels, LabelKind.AUTO, "", "s.bed")
    assert (truth.type, truth.classes) == (kind, classes)
    expected = [classes.index(each) for each in labels] if classes else [float(each) for each in labels]
    assert truth.truth.tolist() == expected


def test_labels_are_what_they_are_called():
    assert truth_of(["1.5", "2", "3"] * 3, LabelKind.CLASSES, "", "s.bed").type is MULTICLASS
    assert truth_of(["1", "2"] * 3, LabelKind.VALUES, "", "s.bed").type is CONTINUOUS
    with pytest.raises(InputError, match="has the label 'nan', which is no value"):
        truth_of(["1", "nan"] * 3, LabelKind.VALUES, "", "s.bed")


def test_states_at_negative_offsets_are_those_short_of_the_site(genome_of):
    rng = np.random.default_rng(1)
    genome = genome_of({"I": "".join(rng.choice(list("ACGT"), 300))})
    reader = GenomeReader(
        NextSymbolModel(ModelSettings(hidden=5), seed=1).eval(), genome, StreamSettings(lanes=3, chunk=32, burn_in=64)
    )

    def states(position, strand, offset):
        rows = rows_of_file(found(*((0, p, p + 1, strand, "a") for p in position.tolist())), genome, 0)
        return states_at(reader, rows.sites(genome.names), (offset,))[:, 0]

    place = np.arange(20, 280, 7)
    for strand in (1, -1):
        short = states(place, strand, -4)
        np.testing.assert_array_equal(short[:, 0], states(place - 4 * strand, strand, 0)[:, 0])
        np.testing.assert_array_equal(short[:, 1], states(place + 4 * strand, strand, 0)[:, 1])


def test_windows_that_overlap_have_the_states_of_windows_that_do_not(genome_of):
    rng = np.random.default_rng(1)
    genome = genome_of({name: "".join(rng.choice(list("ACGT"), 700)) for name in ("I", "II")})
    model = NextSymbolModel(ModelSettings(hidden=5), seed=1).eval()
    reader = GenomeReader(model, genome, StreamSettings(lanes=3, chunk=32, burn_in=64))
    start = np.tile(np.arange(3, 640, 10), 2)
    contig = np.repeat([0, 1], len(start) // 2)
    together = pooled_states(reader, Windows(contig, start, 40))
    for first in range(4):
        apart = slice(first, len(start) // 2, 4)
        alone = pooled_states(reader, Windows(contig[apart], start[apart], 40))
        np.testing.assert_array_equal(together[: len(start) // 2][apart], alone)

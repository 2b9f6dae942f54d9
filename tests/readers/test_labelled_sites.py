"""Labelled sites in: BED by name or score, tables by their header, bigWig by the mean of windows."""

import numpy as np
import pytest

from genolstm.errors import InputError
from genolstm.readers.labelled_sites import mean_over_windows, read_labelled_sites
from genolstm.regions import Part
from genolstm.writers.bigwig import write_bigwig

LENGTHS = {"chrI": 1000, "chrII": 500}


@pytest.fixture
def sites(tmp_path):
    def read(text, **options):
        (tmp_path / "s.txt").write_text(text)
        return read_labelled_sites(tmp_path / "s.txt", LENGTHS, **options)

    return read


def rows(read):
    columns = (read.contig, read.start, read.end, read.strand, read.part)
    return list(zip(*(column.tolist() for column in columns), read.label, strict=True))


def test_bed_has_its_labels_in_the_name_or_the_score(sites):
    text = "chrII\t5\t9\tx\t2.5\t-\nchrI\t0\t1\ty\t3\t+\n"
    assert rows(sites(text)) == [(1, 5, 9, -1, -1, "x"), (0, 0, 1, 1, -1, "y")]
    assert sites(text, by_score=True).label == ("2.5", "3")
    assert not sites(text).labels_named
    assert sites(text, by_score=True).labels_named


def test_table_is_told_by_its_header_whatever_the_order_of_columns(sites):
    text = "## made\n#label\tmore\tcontig\tend\tstart\n a \t?\tchrI\t9\t5\n\nb\t?\tchrII\t500\t499\n"
    read = sites(text)
    assert rows(read) == [(0, 5, 9, 0, -1, "a"), (1, 499, 500, 0, -1, "b")]
    assert read.labels_named
    assert not read.names_parts


def test_position_stands_for_a_start_of_one_base(sites):
    assert rows(sites("contig\tposition\tlabel\nchrI\t7\ta\n")) == [(0, 7, 8, 0, -1, "a")]


def test_parts_have_names_or_numbers_and_rows_without_one_are_left_out(sites):
    lines = [f"chrI\t{k}\ta\t{part}" for k, part in enumerate(["train", "Valid", "2", ".", "0"])]
    read = sites("contig\tstart\tlabel\tpart\n" + "\n".join(lines))
    assert read.part.tolist() == [Part.TRAIN, Part.VALID, Part.TEST, Part.TRAIN]
    assert (read.read, read.skipped) == (5, {"without a part": 1})


def test_rows_on_foreign_contigs_are_counted_and_named(sites):
    read = sites("contig\tstart\tlabel\nchrI\t7\ta\nchrX\t7\ta\n", genome_name="g.h5")
    assert (read.read, len(read), read.skipped) == (2, 1, {"contig not in genome": 1})
    assert read.warnings[0].endswith("on contigs that g.h5 lacks: chrX.")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("contig\tstart\tstart\tlabel\n", "its header names the column 'start' twice; rename one."),
        ("contig\tstart\tlabel\nchrI\t5\n", "line 2 has 2 columns, its header names 3; complete the line."),
        ("contig\tstart\tend\tlabel\nchrI\t5\t5\ta\n", "line 2: 5 to 5 is no interval"),
        ("contig\tstart\tlabel\nchrI\t-1\ta\n", "line 2: -1 to 0 is no interval"),
        ("contig\tstart\tlabel\nchrI\t1000\ta\n", "line 2: the interval 1000-1001 reaches over the end of chrI"),
        ("contig\tstart\tstrand\tlabel\nchrI\t1\t*\ta\n", "line 2: the strand is '*', not +, - or a dot; correct it."),
        ("contig\tstart\tlabel\n", "holds no sites; give a table with at least one row below its header."),
        ("contig\tstart\tlabel\nchrX\t1\ta\n", "it has chrX and the genome has chrI, chrII; rename the contigs"),
    ],
)
def test_rows_that_cannot_be_right_are_named(sites, text, sentence):
    with pytest.raises(InputError) as caught:
        sites(text)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("width", [7, 50, 333])
def test_means_over_windows_are_those_of_the_bases(tmp_path, width):
    rng = np.random.default_rng(1)
    values = {name: np.zeros(length, np.float32) for name, length in LENGTHS.items()}
    runs = []
    for name, each in values.items():
        edges = np.unique(rng.integers(0, len(each), 40))
        start, end, height = edges[:-1:2], edges[1::2], rng.random(len(edges[1::2])).astype(np.float32)
        start = start[: len(end)]
        for low, high, value in zip(start, end, height, strict=True):
            each[low:high] = value
        runs.append((name, start, end, height))
    write_bigwig(tmp_path / "s.bw", LENGTHS, runs)
    found = mean_over_windows(tmp_path / "s.bw", LENGTHS, width, genome_name="g.h5")
    for contig, each in enumerate(values.values()):
        whole = each[: len(each) // width * width].reshape(-1, width)
        np.testing.assert_allclose(found.mean[contig], whole.mean(axis=1, dtype=np.float64), rtol=1e-6)

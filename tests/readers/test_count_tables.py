"""Tables of counts: what each layout says, where its rows must lie, and what is refused."""

import gzip

import numpy as np
import pytest
from made_calls import SEQUENCE, reference_of

from genolstm.errors import InputError, UsageError
from genolstm.readers.count_tables import read_count_table
from genolstm.readers.motifs import motif_sites, parse_motif
from genolstm.settings.methylation import CountSettings

ELEVEN = "I\t{at}\t{end}\t{code}\t9\t{strand}\t{at}\t{end}\t255,0,0\t{covered}\t{percent}"
TIMES = "chrom\tpos\tmeth_0h\tunmeth_0h\tmeth_4h\tunmeth_4h\n"


def bed11(at, strand, covered, percent, code="m"):
    return ELEVEN.format(at=at, end=at + 1, code=code, strand=strand, covered=covered, percent=percent)


def bed18(at, strand, counts, code="m"):
    modified, canonical, other = counts
    coverage = modified + canonical + other
    more = "\t".join(map(str, (modified, canonical, other, 5, 6, 7, 8)))
    return f"{bed11(at, strand, coverage, f'{100 * modified / coverage:.2f}', code)}\t{more}"


@pytest.fixture
def read(tmp_path):
    """Function: text of a table -> its counts."""

    def made(text, sequence=SEQUENCE, name="table.txt", **settings):
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        settings = CountSettings(**settings)
        motif = parse_motif(settings.motif, settings.bases)
        reference = reference_of({"I": sequence}) if sequence else None
        return read_count_table(path, motif, settings, reference, motif_sites(reference, motif) if reference else None)

    return made


def rows(found):
    columns = (found.position, found.strand, found.modified.tolist(), found.covered.tolist())
    return [(int(at), int(strand), *one, *every) for at, strand, one, every in zip(*columns, strict=True)]


def test_bedmethyl_of_11_columns_gives_the_nearest_count(read):
    found = read("\n".join([bed11(1, "+", 3, "33.33"), bed11(2, "-", 7, "57"), bed11(5, ".", 200, "12.5")]))
    assert rows(found) == [(1, 1, 1, 3), (2, -1, 4, 7), (5, 0, 25, 200)]
    assert (found.read, found.used, found.calls, found.samples) == (3, 3, 210, ("",))


def test_bedmethyl_of_18_columns_leaves_other_modifications_out(read):
    found = read("\n".join([bed18(1, "+", (4, 5, 6)), bed18(5, "+", (3, 0, 9), code="h")]))
    assert rows(found) == [(1, 1, 4, 9)]
    assert found.skipped == {"another modification": 1}
    assert rows(read(bed18(5, "+", (3, 0, 9), code="h"), code="h")) == [(5, 1, 3, 3)]


def test_columns_of_bedmethyl_may_be_apart_by_spaces(read):
    assert rows(read(bed18(1, "+", (4, 5, 6)).replace("\t", " "))) == [(1, 1, 4, 9)]


@pytest.mark.parametrize(
    ("name", "kept"), [("m", 1), ("m,CG,0", 1), ("5mC", 1), ("27551", 1), (".", 1), ("h", 0), ("a,A,0", 0)]
)
def test_rows_are_chosen_by_their_name(read, name, kept):
    found = read("\n".join([bed11(1, "+", 3, "0", code=name), bed11(5, "+", 3, "0")]))
    assert len(found.position) == 1 + kept


def test_bismark_coverage_counts_from_one_and_finds_its_strand(read):
    found = read("I\t2\t2\t50\t1\t1\nI\t3\t3\t0\t0\t4\n")
    assert rows(found) == [(1, 1, 1, 2), (2, -1, 0, 4)]
    assert rows(read("I\t1\t2\t50\t1\t1\n")) == [(1, 1, 1, 2)]  # zero-based, as Bismark's .zero.cov
    assert rows(read("I\t2\t2\t50\t1\t1\n", sequence=None)) == [(1, 0, 1, 2)]


def test_table_over_time_points_gives_a_sample_for_each(read):
    found = read(f"{TIMES}I\t1\t1\t2\t3\t4\nI\t10\t0\t0\t5\t0\n")
    assert found.samples == ("0h", "4h")
    assert rows(found) == [(1, 0, 1, 3, 3, 7), (10, 0, 0, 5, 0, 5)]


def test_samples_of_a_table_may_stand_in_any_columns(read):
    found = read("chrom\tpos\tunmeth_b\tmeth_a\tmeth_b\tunmeth_a\nI\t1\t1\t2\t3\t4\n")
    assert found.samples == ("a", "b")
    assert rows(found) == [(1, 0, 2, 3, 6, 4)]


def test_rows_off_the_motif_without_reads_or_off_the_genome_are_counted(read):
    found = read(f"{TIMES}I\t0\t1\t2\t3\t4\nI\t1\t0\t0\t0\t0\nX\t1\t1\t1\t1\t1\nI\t5\t1\t1\t1\t1\nI\t2\t1\t1\t1\t1\n")
    assert rows(found) == [(5, 0, 1, 1, 2, 2)]
    assert found.skipped == {"not at CG,0 in the genome": 2, "without reads": 1, "contig not in genome": 1}
    assert (found.read, found.used) == (5, 1)
    assert any("X" in warning for warning in found.warnings)


def test_a_row_on_the_wrong_strand_is_off_the_motif(read):
    found = read("\n".join([bed11(1, "-", 3, "0"), bed11(2, "-", 3, "0")]))
    assert rows(found) == [(2, -1, 0, 3)]


def test_rows_come_sorted_and_compressed_files_comments_and_line_ends_are_read(read):
    text = (
        "# made by hand\r\ntrack name=x\r\n\r\n" + "\r\n".join([bed11(5, "+", 3, "0"), bed11(1, "+", 2, "0")]) + "\r\n"
    )
    assert rows(read(gzip.compress(text.encode()))) == [(1, 1, 0, 2), (5, 1, 0, 3)]


def test_without_a_genome_rows_stand_as_they_are(read):
    found = read(f"{TIMES}I\t0\t1\t2\t3\t4\nX\t7\t1\t2\t3\t4\n", sequence=None)
    assert found.contigs == ("I", "X")
    assert found.used == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"{TIMES}I\t1\t-1\t2\t3\t4\n", r"table.txt, line 2 cannot be right: it counts -1 methylated of 1 reads"),
        (f"{TIMES}I\t1\t1\t-2\t3\t4\n", "it counts 1 methylated of -1 reads; correct or delete it"),
        (f"{TIMES}I\t1\t1\t2\t3\n", "it has 5 columns and the header 6"),
        (f"{TIMES}I\tx\t1\t2\t3\t4\n", "'x' is no whole number"),
        (f"{TIMES}I\t-1\t1\t2\t3\t4\n", "its position lies before the contig"),
        (f"{TIMES}I\t1\t1\t2\t3\t4\nI\t1\t1\t2\t3\t4\n", "gives I:2 twice; delete one"),
        (f"{TIMES}X\t1\t1\t2\t3\t4\n", r"no contig of .*table.txt is in genome.h5"),
        (
            "chrom\tpos\tmeth_a\nI\t1\t2\n",
            "has the columns meth_a where each sample needs one meth_NAME and one unmeth_",
        ),
        ("chrom\tpos\n", "has the columns chrom and pos only"),
        ("chrom\tpos\tmeth_a\tunmeth_a\tmeth_a\tunmeth_a\n", "names a sample twice"),
        (bed18(1, "+", (4, -5, 6)), "it counts 4 methylated of -1 reads"),
        (bed11(1, "+", 3, "120"), "its percentage is 120"),
        (bed11(1, "+", 3, "x"), "its percentage is 'x'"),
        (bed11(1, "*", 3, "50"), r"its strand is '\*', not \+, - or \."),
        (bed11(1, "+", 3, "50") + "\nI\t1", "it has 2 columns, not 11 or 18"),
        (bed11(1, "+", 3, "50") + "\n" + bed11(1, "+", 3, "0"), r"gives I:2 \+ twice"),
        ("I\t1\t9\t50\t1\t1\n", "it spans 1 to 9, which is not one base"),
        ("I\t2\t2\t50\t1\t1\nI\t2\n", "line 2 cannot be right: it has 2 columns, not 6"),
        ("some prose of six words here\n", "begins with 'some prose of six words here', which no table of counts does"),
        ("", "is empty; give bedMethyl"),
        pytest.param(gzip.compress(TIMES.encode())[:-9], "is cut short", id="cut short"),
    ],
)
def test_table_that_cannot_be_right_is_refused_in_one_sentence(read, text, told):
    with pytest.raises(InputError, match=told):
        read(text)


def test_table_of_another_genome_or_counted_from_one_is_refused(read):
    sequence = "ACGTT" * 60
    text = TIMES + "".join(f"I\t{5 * place + 2}\t1\t1\t1\t1\n" for place in range(60))
    text += "".join(f"I\t{5 * place + 1}\t1\t1\t1\t1\n" for place in range(40, 60))
    text += "".join(f"I\t{5 * place + 3}\t1\t1\t1\t1\n" for place in range(40))
    with pytest.raises(InputError, match=r"only 20 of 120 rows of .* are at CG,0 .*another genome, or its positions"):
        read(text, sequence=sequence)


def test_strands_that_nothing_tells_cannot_be_merged(read):
    with pytest.raises(UsageError, match="does not tell strands: give --genome, or leave out --merge-strands"):
        read("I\t2\t2\t50\t1\t1\n", sequence=None, merge_strands=True)


def test_codes_together_cannot_be_told_from_rows_apart(read):
    with pytest.raises(UsageError, match="each modification in rows of its own: choose one of 'mh'"):
        read(bed18(1, "+", (4, 5, 6)), code="mh")


@pytest.mark.slow
@pytest.mark.realdata
def test_published_time_course_is_read_whole(real_data):
    path = real_data / "methylation_kinetics/chr21_counts.tsv.gz"
    found = read_count_table(path, parse_motif("CG,0", "C"), CountSettings(), None, None)
    assert found.samples == ("0h", "1h", "4h", "16h")
    assert (found.read, found.used) == (373_976, 373_976)
    table = np.loadtxt(path, skiprows=1, usecols=range(1, 10), dtype=np.int64)
    np.testing.assert_array_equal(found.position, table[:, 0])
    np.testing.assert_array_equal(found.modified, table[:, 1::2])
    np.testing.assert_array_equal(found.covered, table[:, 1::2] + table[:, 2::2])

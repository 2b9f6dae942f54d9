"""BED in: what is an interval, what is skipped and counted, what is refused and how."""

import gzip

import numpy as np
import pytest

from genolstm.errors import InputError
from genolstm.readers.bed import read_bed

LENGTHS = {"chrI": 1000, "chrII": 500}


@pytest.fixture
def bed(tmp_path):
    def made(text, name="a.bed"):
        path = tmp_path / name
        content = text.encode() if isinstance(text, str) else text
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    return made


def rows(read):
    return list(zip(read.contig.tolist(), read.start.tolist(), read.end.tolist(), read.strand.tolist(), strict=True))


def test_intervals_keep_the_order_of_the_file(bed):
    read = read_bed(bed("chrII\t5\t9\nchrI\t0\t1000\nchrI\t3\t4\n"), LENGTHS)
    assert rows(read) == [(1, 5, 9, 0), (0, 0, 1000, 0), (0, 3, 4, 0)]
    assert read.name == ()
    assert (read.contig.dtype, read.start.dtype, read.end.dtype, read.strand.dtype) == (
        np.int32, np.int64, np.int64, np.int8,
    )  # fmt: skip
    assert (read.read, read.used, read.skipped, read.warnings) == (3, 3, {}, ())


@pytest.mark.parametrize("name", ["a.bed", "a.bed.gz"])
def test_headers_comments_blank_lines_and_windows_line_ends_are_no_intervals(bed, name):
    lines = ['\ufefftrack name="x"', "browser position chrI", "#contig", "", "  ", "chrI\t1\t2\tx\t0\t-", "chrI 7 8"]
    text = "\r\n".join(lines)
    read = read_bed(bed(text, name), LENGTHS)
    assert rows(read) == [(0, 1, 2, -1), (0, 7, 8, 0)]
    assert read.name == ("x", ".")
    assert read.read == 2


def test_narrowpeak_columns_are_passed_over(bed):
    read = read_bed(bed("chrI\t1\t2\tpeak_1\t900\t.\t4.5\t-1\t-1\t30\n"), LENGTHS)
    assert rows(read) == [(0, 1, 2, 0)]
    assert read.name == ("peak_1",)


def test_long_file_is_numbered_right_to_its_last_line(bed):
    text = "chrI\t1\t2\n" * 60_000  # several blocks of text
    assert read_bed(bed(text), LENGTHS).used == 60_000
    with pytest.raises(InputError, match="line 60001:"):
        read_bed(bed(text + "chrI\tx\t2"), LENGTHS)


def test_unknown_contigs_and_empty_intervals_are_counted_and_named(bed):
    text = "chrI\t1\t2\nchrM\t1\t2\nchrM\t5\t2000000\n2micron\t1\t2\nchrI\t4\t4\n"
    read = read_bed(bed(text), LENGTHS, genome_name="yeast.h5")
    assert (read.read, read.used) == (5, 1)
    assert read.skipped == {"contig not in genome": 3, "interval without a base": 1}
    assert "left out 3 intervals of" in read.warnings[0]
    assert "on contigs that yeast.h5 lacks: chrM, 2micron." in read.warnings[0]
    assert "left out 1 interval of" in read.warnings[1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("chrI\t1\t2\nchrI\t9\t3\n", r"a\.bed, line 2: the interval ends at 3, before its start at 9; exchange"),
        ("chrI\t-1\t2\n", r"a\.bed, line 1: the start -1 is negative; BED counts from 0"),
        ("chrI\t1\t2.5\n", r"a\.bed, line 1: start and end must be whole numbers: 'chrI\\t1\\t2\.5'; give a BED"),
        ("contig\tstart\tend\n", "put '#' before a line of column names"),
        ("chrI\t1\n", "line 1 has 2 columns, an interval needs contig, start and end"),
        ("chrI\n", "line 1 has 1 column, an interval"),
        ("chrI\t999\t1001\n", r"the interval 999-1001 reaches over the end of chrI, which has 1000 bp in the genome"),
        ("chrI\t1\t2\tx\t0\tplus\n", r"the strand \(column 6\) is 'plus', not \+, - or a dot"),
        ("", r"a\.bed holds no intervals; give a BED file"),
        ("#nothing\n\n", r"a\.bed holds no intervals; give a BED file"),
        ("chrI\t4\t4\n", r"every interval of .*a\.bed ends where it starts"),
        ("I\t1\t2\n", r"no interval of .*: it has I and the genome has chrI, chrII; they differ by the prefix 'chr'"),
        ("X\t1\t2\n", r"no interval of .*: it has X and the genome has chrI, chrII; rename the contigs"),
        (b"\x89HDF\r\n\x1a\n", "give a BED file"),
    ],
)
def test_bad_line_is_named_with_what_to_do(bed, text, said):
    with pytest.raises(InputError, match=said):
        read_bed(bed(text), LENGTHS)


def test_endless_line_is_no_bed(bed, monkeypatch):
    monkeypatch.setattr("genolstm.readers.text_lines.LONGEST_LINE", 1 << 20)
    with pytest.raises(InputError, match="line 2 has no end: this is no text; give a BED file"):
        read_bed(bed("chrI\t1\t2\n" + "x" * (2 << 20)), LENGTHS)


def test_missing_file_and_cut_gzip_are_told(bed, tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_bed(tmp_path / "none.bed", LENGTHS)
    whole = bed("chrI\t1\t2\n" * 1000, "a.bed.gz")
    whole.write_bytes(whole.read_bytes()[:-12])
    with pytest.raises(InputError, match="is cut short"):
        read_bed(whole, LENGTHS)


@pytest.mark.parametrize("name", ["a\0b", "\x1b[2J", "a\x7f"])
def test_control_characters_in_a_name_are_refused(tmp_path, name):
    (tmp_path / "a.bed").write_text(f"I\t1\t9\t{name}\n")
    with pytest.raises(InputError) as caught:
        read_bed(tmp_path / "a.bed", {"I": 10})
    assert str(caught.value) == (
        f"{tmp_path / 'a.bed'}, line 1: the name (column 4) holds a control character: {name!r}; remove it."
    )


def test_lines_of_bedtools_that_name_no_place_are_left_out(tmp_path):
    (tmp_path / "a.bed").write_text("I\t1\t9\ta\n.\t-1\t-1\t.\n")
    found = read_bed(tmp_path / "a.bed", {"I": 10})
    assert (found.read, found.used, found.skipped) == (2, 1, {"no place ('.', as bedtools writes it)": 1})
    assert found.warnings == (f"left out 1 line of {tmp_path / 'a.bed'} that name no place ('.').",)


def test_contigs_in_messages_show_no_control_characters(tmp_path):
    (tmp_path / "a.bed").write_text("\x1b[31mred\t1\t9\n")
    with pytest.raises(InputError, match=r"it has \\x1b\[31mred and the genome has I"):
        read_bed(tmp_path / "a.bed", {"I": 10})

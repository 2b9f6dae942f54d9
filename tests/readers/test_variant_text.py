"""VCF and BCF in: text kept as it is, alleles as minimal differences, and one sentence for what is no VCF."""

import gzip
import io
import sys

import pysam
import pysam.bcftools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genolstm.errors import InputError
from genolstm.readers.variants import (
    BREAKEND,
    NO_ALTERNATIVE,
    NO_LETTERS,
    SAME,
    SPANNED,
    SYMBOLIC,
    UNKNOWN_LETTERS,
    Difference,
    check_contigs,
    difference,
    nothing_shared,
    read_variants,
)

HEADER = (
    "##fileformat=VCFv4.2\n"
    "##contig=<ID=I,length=500>\n"
    '##INFO=<ID=AC,Number=A,Type=Integer,Description="count">\n'
    "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
)
BODY = "I\t7\trs1\ta\tC,<DEL>\t29.50\t.\tAC=1,2\nI\t3\t.\tAC\t.\t.\t.\t.\n"


@pytest.fixture
def made(tmp_path):
    """Function: text, way of writing -> path."""

    def write(text=HEADER + BODY, way="plain"):
        path = tmp_path / f"a.{way}"
        if way == "plain":
            path.write_bytes(text.encode())
        elif way == "gzip":
            path.write_bytes(gzip.compress(text.encode()))
        elif way == "bgzip":
            with pysam.BGZFile(str(path), "w", None) as file:
                file.write(text.encode())
        else:
            pysam.bcftools.view("--no-version", "-Ob", "-o", str(path), str(write(text)), catch_stdout=False)
        return path

    return write


def taken(path):
    with read_variants(path) as text:
        return text.header, list(text.records)


@pytest.mark.parametrize("way", ["plain", "gzip", "bgzip", "bcf"])
@pytest.mark.parametrize("piped", [False, True])
def test_records_come_in_the_order_of_the_file(made, way, piped, monkeypatch):
    path = made(way=way)
    if piped:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(path.read_bytes())))
    header, records = taken("-" if piped else path)
    assert [line for line in header if "PASS" not in line] == HEADER.splitlines()
    assert [(r.contig, r.position, r.reference, r.alternatives) for r in records] == [
        ("I", 6, "A", ("C", "<DEL>")),
        ("I", 2, "AC", (".",)),
    ]
    assert [r.number for r in records] == ([1, 2] if way == "bcf" else [5, 6])


def test_bcf_in_plain_gzip_has_the_records_of_bcf(made, tmp_path):
    bcf = made(way="bcf")
    (tmp_path / "again").write_bytes(gzip.compress(gzip.decompress(bcf.read_bytes())))
    assert taken(tmp_path / "again") == taken(bcf)


@pytest.mark.parametrize("way", ["plain", "gzip", "bgzip"])
def test_text_is_kept_to_the_byte(made, way):
    line = "I\t7\trs1\tA\tC\t29.50\tq10\tX=1e-05;Y;Z=a b\u00e9"
    (record,) = taken(made(HEADER + line + "\n", way))[1]
    assert record.line == line


def test_windows_line_ends_byte_order_mark_and_blank_lines_are_no_matter(made):
    text = "\ufeff" + (HEADER + BODY + "\n").replace("\n", "\r\n")
    header, records = taken(made(text))
    assert header == tuple(HEADER.splitlines())
    assert [r.line for r in records] == BODY.splitlines()


def test_bytes_that_are_no_utf8_come_back(tmp_path):
    path = tmp_path / "a.vcf"
    path.write_bytes(HEADER.encode() + b"I\t7\t.\tA\tC\t.\t.\tX=\xe9\xff\n")
    (record,) = taken(path)[1]
    assert record.line.encode("utf-8", "surrogateescape").endswith(b"X=\xe9\xff")


def test_long_file_is_numbered_right_to_its_last_line(made):
    text = HEADER + "I\t7\t.\tA\tC\t.\t.\t.\n" * 30_000
    assert taken(made(text))[1][-1].number == 30_004


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"is empty; give a VCF file"),
        (">I\nACGT\n", r"looks like FASTA, not like VCF; give a VCF file"),
        ("I\t7\t.\tA\tC\t.\t.\t.\n", r"is not VCF: it begins with 'I\\t7"),
        ("##fileformat=VCFv4.2\nI\t7\t.\tA\tC\t.\t.\t.\n", r"has no line of column names \(#CHROM POS"),
        (HEADER + "I 7 . A C . . .\n", r"line 5 has 1 column with tabs between where the header names 8: 'I 7"),
        (HEADER + "I\t7\t.\tA\tC\t.\t.\t.\tGT\n", r"line 5 has 9 columns with tabs .* names 8"),
        (HEADER + BODY + "I\tx\t.\tA\tC\t.\t.\t.\n", r"line 7: POS is 'x', not a whole number"),
        (HEADER + "I\t-4\t.\tA\tC\t.\t.\t.\n", r"line 5: POS is '-4', not a whole number"),
        (HEADER + "I\t4\t.\t\tC\t.\t.\t.\n", r"line 5: REF is empty"),
        (HEADER + BODY + HEADER, r"line 7 is a header line among records; join VCF files with 'bcftools concat'"),
    ],
)
def test_what_is_no_vcf_is_one_sentence(made, text, said):
    with pytest.raises(InputError, match=said):
        taken(made(text))


@pytest.mark.parametrize("way", ["gzip", "bgzip", "bcf"])
def test_file_that_was_cut_short_is_refused(made, way):
    path = made(HEADER + "".join(f"I\t{at}\t.\tA\tC\t.\t.\tAC=1\n" for at in range(1, 400)), way)
    whole = path.read_bytes()
    for cut in (-1, -28, -40, -200):
        path.write_bytes(whole[:cut])
        with pytest.raises(InputError, match=r"cut short"):
            taken(path)


def test_missing_file_and_folder_are_named(tmp_path):
    with pytest.raises(InputError, match=r"gone\.vcf does not exist"):
        taken(tmp_path / "gone.vcf")
    with pytest.raises(InputError, match="is a folder: give the VCF file in it"):
        taken(tmp_path)


def test_share_goes_from_nothing_to_all(made):
    records = (f"I\t{at}\t{at * 7919 % 999_983}\tA\tC\t.\t.\t.\n" for at in range(1, 50_000))
    with read_variants(made(HEADER + "".join(records), "bgzip")) as text:
        shares = [text.fraction_read for _ in text.records]
    assert shares == sorted(shares)
    assert (shares[0] < 1, shares[-1]) == (True, 1)


@pytest.mark.parametrize(
    ("reference", "alternative", "found"),
    [
        ("A", "C", (9, 10, "C")),
        ("A", "AC", (10, 10, "C")),
        ("ACG", "A", (10, 12, "")),
        ("ACG", "TGA", (9, 12, "TGA")),
        ("ACGT", "ATGT", (10, 11, "T")),
        ("AA", "A", (9, 10, "")),
        ("A", "AA", (9, 9, "A")),
        ("R", "A", (9, 10, "A")),
        ("A", "A", SAME),
        ("A", ".", NO_ALTERNATIVE),
        ("A", "*", SPANNED),
        ("A", "<DEL>", SYMBOLIC),
        ("A", "<*>", SYMBOLIC),
        ("A", "A[I:7[", BREAKEND),
        ("A", "]I:7]A", BREAKEND),
        ("A", "A.", BREAKEND),
        ("A", ".A", BREAKEND),
        ("A", "N", UNKNOWN_LETTERS),
        ("A", "ACR", UNKNOWN_LETTERS),
        ("A", "U", NO_LETTERS),
        ("A", "X1", NO_LETTERS),
    ],
)
def test_alternative_is_a_minimal_difference_or_a_reason(reference, alternative, found):
    assert difference(9, reference, alternative) == (Difference(*found) if isinstance(found, tuple) else found)


@given(before=st.text("ACGT", max_size=6), reference=st.text("ACGT", min_size=1, max_size=9),
       alternative=st.text("ACGT", min_size=1, max_size=9), after=st.text("ACGT", max_size=6))  # fmt: skip
def test_difference_makes_the_same_haplotype(before, reference, alternative, after):
    found = difference(len(before), reference, alternative)
    if reference == alternative:
        assert found == SAME
        return
    whole = before + reference + after
    assert whole[: found.start] + found.letters + whole[found.end :] == before + alternative + after
    replaced = whole[found.start : found.end]
    assert not (replaced and found.letters and (replaced[0] == found.letters[0] or replaced[-1] == found.letters[-1]))


def test_contig_of_another_length_is_another_genome(made):
    with read_variants(made()) as text:
        check_contigs(text, {"I": 500, "II": 3}, "g.h5")
        check_contigs(text, {"II": 3}, "g.h5")
        with pytest.raises(InputError, match=r"another genome than g\.h5: I has 500 bp in the first and 499 bp in the"):
            check_contigs(text, {"I": 499}, "g.h5")


@pytest.mark.parametrize(("genome", "remedy"), [("chrI", "differ by the prefix 'chr'"), ("X", "of this assembly")])
def test_nothing_shared_shows_both_lists(made, genome, remedy):
    with read_variants(made()) as text:
        said = nothing_shared(["I"], text, {genome: 5}, "g.h5")
    assert f"the first has I and the second has {genome}; " in said
    assert remedy in said

"""VCF out: every other byte as it was, sorted files indexed, and all or nothing on the disk."""

import subprocess
import sys

import pysam
import pytest

from genolstm.errors import GenolstmError, InputError, UsageError
from genolstm.writers.vcf import TBI_LIMIT, InfoField, annotated_header, vcf_suffix, with_info, write_vcf

FIELDS = [InfoField("LSTM_X", "A", "Float", "a, b"), InfoField("LSTM_SEEN", "0", "Flag", "c")]
NAMES = [each.name for each in FIELDS]
HEADER = ["##fileformat=VCFv4.2", "##mine=<kept>", "##contig=<ID=II,length=7>", "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"]  # fmt: skip  # noqa: E501
LENGTHS = {"I": 900, "II": 700}
ROWS = [("I", 4, "A"), ("I", 4, "AC"), ("II", 2, "A")]


def header():
    return annotated_header(HEADER, FIELDS, {"version": "1"}, LENGTHS)


def write(path, rows=ROWS, lines=None, info="LSTM_X=1.5"):
    with write_vcf(path, lines or header()) as out:
        for contig, position, reference in rows:
            line = f"{contig}\t{position + 1}\t.\t{reference}\tT\t.\t.\t{info}"
            out.write_record(line, contig, position, len(reference))
    return out


def test_header_keeps_its_lines_and_gets_fields_notes_and_missing_contigs():
    assert header() == [
        *HEADER[:3],
        "##contig=<ID=I,length=900>",
        '##INFO=<ID=LSTM_X,Number=A,Type=Float,Description="a, b">',
        '##INFO=<ID=LSTM_SEEN,Number=0,Type=Flag,Description="c">',
        "##genolstm_version=1",
        HEADER[-1],
    ]


def test_a_second_run_replaces_what_the_first_has_left():
    assert annotated_header(header(), FIELDS, {"version": "1"}, LENGTHS) == header()
    once = with_info("I\t1\t.\tA\tC\t.\t.\tX=1", {"LSTM_X": "2", "LSTM_SEEN": None}, NAMES)
    assert once == "I\t1\t.\tA\tC\t.\t.\tX=1;LSTM_X=2;LSTM_SEEN"
    assert with_info(once, {"LSTM_X": "3"}, NAMES) == "I\t1\t.\tA\tC\t.\t.\tX=1;LSTM_X=3"
    assert with_info(once, {}, NAMES) == "I\t1\t.\tA\tC\t.\t.\tX=1"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("I\t1\t.\tA\tC\t29.50\tq\t.", "I\t1\t.\tA\tC\t29.50\tq\tLSTM_X=2"),
        ("I\t1\t.\tA\tC\t.\t.\tA=1;B\tGT:DP\t0/1:07", "I\t1\t.\tA\tC\t.\t.\tA=1;B;LSTM_X=2\tGT:DP\t0/1:07"),
    ],
)
def test_only_the_info_column_changes(line, expected):
    assert with_info(line, {"LSTM_X": "2"}, NAMES) == expected


@pytest.mark.parametrize(
    ("name", "index"), [("a.vcf", ""), ("a.vcf.gz", ".tbi"), ("a.vcf.bgz", ".tbi"), ("a.bcf", ".csi")]
)
def test_suffix_decides_form_and_index(tmp_path, name, index):
    write(tmp_path / name)
    with pysam.VariantFile(str(tmp_path / name)) as file:
        assert [(r.chrom, r.start, r.ref, r.info["LSTM_X"]) for r in file] == [(*row, (1.5,)) for row in ROWS]
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted({name, name + index})
    if index:
        with pysam.VariantFile(str(tmp_path / name)) as file:
            assert [r.ref for r in file.fetch("II")] == ["A"]


def test_other_suffixes_are_wrong_usage(tmp_path):
    with pytest.raises(UsageError, match=r"must end with \.vcf, \.vcf\.gz"):
        vcf_suffix(tmp_path / "a.tsv")


@pytest.mark.parametrize(
    ("rows", "first"),
    [
        ([("I", 4, "A"), ("I", 3, "A"), ("I", 2, "A")], "I:4"),
        ([("II", 4, "A"), ("I", 3, "A"), ("II", 9, "A")], "II:10"),
    ],
)
@pytest.mark.parametrize("name", ["a.vcf.gz", "a.bcf"])
def test_unsorted_file_has_no_index_and_no_old_one_is_left(tmp_path, rows, first, name):
    write(tmp_path / name)
    assert len(list(tmp_path.iterdir())) == 2
    assert write(tmp_path / name, rows).unsorted == first
    assert [each.name for each in tmp_path.iterdir()] == [name]
    with pysam.VariantFile(str(tmp_path / name)) as file:
        assert [(r.chrom, r.start, r.ref) for r in file] == rows


def test_contigs_in_any_order_are_sorted_enough(tmp_path):
    assert write(tmp_path / "a.vcf.gz", [("II", 4, "A"), ("I", 3, "A")]).unsorted is None


def test_place_beyond_a_tabix_index_gets_a_csi_index(tmp_path):
    lines = annotated_header(HEADER, FIELDS, {}, {"I": 2 * TBI_LIMIT})
    write(tmp_path / "a.vcf.gz", [("I", TBI_LIMIT + 5, "A")], lines)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.vcf.gz", "a.vcf.gz.csi"]
    with pysam.VariantFile(str(tmp_path / "a.vcf.gz")) as file:
        assert [r.start for r in file.fetch("I", TBI_LIMIT, TBI_LIMIT + 9)] == [TBI_LIMIT + 5]


@pytest.mark.parametrize("name", ["a.vcf", "a.vcf.gz", "a.bcf"])
@pytest.mark.parametrize("problem", [KeyboardInterrupt, InputError])
def test_what_stops_the_records_leaves_the_old_file(tmp_path, name, problem):
    (tmp_path / name).write_text("old")
    with pytest.raises(problem), write_vcf(tmp_path / name, header()):
        raise problem
    assert (tmp_path / name).read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_tag_that_bcf_cannot_hold_is_named_and_vcf_holds_it(tmp_path):
    with pytest.raises(InputError, match=r"a\.bcf was not written: BCF cannot hold .* \(INFO=<ID=UNDECLARED>\)"):
        write(tmp_path / "a.bcf", info="UNDECLARED=1")
    assert not list(tmp_path.iterdir())
    write(tmp_path / "a.vcf.gz", info="UNDECLARED=1")


@pytest.mark.parametrize("name", ["a.vcf.gz", "a.bcf"])
def test_htslib_prints_nothing_of_a_header_that_it_finds_odd(tmp_path, capfd, name):
    odd = '##INFO=<ID=1odd,Number=1,Type=Float,Description="its tag begins with a digit">'
    write(tmp_path / name, lines=[header()[0], odd, "##contig=<ID=I(1),length=9>", *header()[1:]])
    assert capfd.readouterr().err == ""


FULL_DISK = """
import resource, sys
from pathlib import Path
from genolstm.errors import InputError
from genolstm.writers.vcf import write_vcf
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
import random
try:
    with write_vcf(Path(sys.argv[1]), ["##fileformat=VCFv4.2", "#CHROM"]) as out:
        for at in range(100_000):
            out.write_record(f"I\\t{at}\\t{random.random()}", "I", at, 1)
except InputError as problem:
    print(problem)
"""


def test_symbolic_alleles_pass_into_bcf_unchanged(tmp_path):
    with write_vcf(tmp_path / "a.bcf", header()) as out:
        out.write_record("I\t5\t.\tA\t<DEL>\t.\t.\t.", "I", 4, 1)
    with pysam.VariantFile(str(tmp_path / "a.bcf")) as file:
        assert [str(record) for record in file] == ["I\t5\t.\tA\t<DEL>\t.\t.\t.\n"]


@pytest.mark.parametrize("name", ["a.vcf", "a.vcf.gz", "a.bcf"])
def test_full_disk_is_one_sentence_and_leaves_nothing(tmp_path, name):
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / name)], capture_output=True, text=True, check=True
    )
    assert f"{name} was not written (" in done.stdout
    assert done.stdout.count("\n") == 1
    assert not list(tmp_path.iterdir())


BARE_HEADER = ["##fileformat=VCFv4.2", "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"]


@pytest.mark.parametrize(
    ("suffix", "length", "said"),
    [
        (".vcf", 256, "its name is too long|File name too long"),
        (".vcf.gz", 252, "too long a name for its index beside it; name another"),
        (".bcf", 252, "too long a name for its index beside it; name another"),
        (".vcf.gz", 300, "too long a name"),
    ],
)
def test_a_name_that_no_disk_holds_is_refused(tmp_path, suffix, length, said):
    path = tmp_path / ("n" * (length - len(suffix)) + suffix)
    with pytest.raises(GenolstmError, match=said), write_vcf(path, BARE_HEADER):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("suffix", "length"), [(".vcf", 255), (".vcf.gz", 251), (".bcf", 251)])
def test_the_longest_name_is_written(tmp_path, suffix, length):
    path = tmp_path / ("n" * (length - len(suffix)) + suffix)
    with write_vcf(path, BARE_HEADER):
        pass
    assert path.exists()


def test_a_folder_that_is_gone_is_no_full_disk(tmp_path):
    with (
        pytest.raises(InputError, match=r"out\.vcf cannot be written: its folder is gone"),
        write_vcf(tmp_path / "gone" / "out.vcf", ["##fileformat=VCFv4.2"]),
    ):
        pass


def test_places_that_no_index_holds_leave_a_file_without_one(tmp_path):
    path = tmp_path / "far.vcf.gz"
    header = ["##fileformat=VCFv4.2", "##contig=<ID=I>", "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"]
    with write_vcf(path, header) as file:
        file.write_record("I\t9999999999\t.\tA\tC\t.\t.\t.", "I", 9_999_999_998, 1)
    assert [each.name for each in tmp_path.iterdir()] == ["far.vcf.gz"]
    bcf = tmp_path / "far.bcf"
    with (
        pytest.raises(InputError, match=r"far\.bcf was not written \(htslib says: .*\); write \.vcf in place of it"),
        write_vcf(bcf, header) as file,
    ):
        file.write_record("I\t9999999999\t.\tA\tC\t.\t.\t.", "I", 9_999_999_998, 1)

"""Reads in: cut sites and coverage, equal to samtools and to the plain loop, whatever the file and its flaws."""

import gzip
import io
import re
import shutil
import subprocess
from collections import Counter
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pysam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_reads import LENGTHS, drawn_reads, read_on

from genolstm.errors import InputError, UsageError
from genolstm.readers.alignments import count_reads, placed
from genolstm.readers.bam_walk import LARGEST_RECORD
from genolstm.readers.cram import opened_by_pysam, pysam_records
from genolstm.readers.pysam_loop import cut_sites_slowly
from genolstm.readers.read_filter import ReadFilter
from genolstm.readers.read_spans import span_plan
from genolstm.readers.tally import Tally, no_stretches
from genolstm.settings.track import Assay, Shift, TrackSettings

SAMTOOLS = shutil.which("samtools")
needs_samtools = pytest.mark.skipif(SAMTOOLS is None, reason="samtools is not installed")
EXAMPLE = Path(__file__).resolve().parents[2] / "example_data" / "atac.bam"
BGZF_END = 28  # bytes of the empty block
EVERYTHING = {
    "default": TrackSettings(),
    "every quality": TrackSettings(min_mapq=0),
    "proper pairs": TrackSettings(proper_pairs=True, min_mapq=30),
    "duplicates": TrackSettings(keep_duplicates=True),
}


@pytest.fixture
def count(tmp_path):
    """Function: file, settings -> what was counted, and the counts by contig."""

    def counted(path, wanted=None, lengths=LENGTHS, blacklist=None, **options):
        wanted = wanted or TrackSettings()
        blacklist = no_stretches() if blacklist is None else np.array(blacklist)
        counts = {name: np.zeros(length, np.int64) for name, length in lengths.items()}
        with Tally(lengths, blacklist, tmp_path) as tally:
            found = count_reads(path, lengths, wanted, tally, genome_name="genome.h5", **options)
            for runs in tally.runs():
                for contig, start, length, value in zip(*runs, strict=True):
                    counts[list(lengths)[contig]][start : start + length] += value
        return found, counts

    return counted


def by_contig(positions, lengths=LENGTHS):
    return {name: np.bincount(positions[name], minlength=length) for name, length in lengths.items()}


def same(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


# --- what is counted ---


def test_cut_is_four_bases_inside_the_first_base_of_either_read(count, write_reads, tmp_path):
    reads = [read_on(0, 100, cigar="50M"), read_on(0, 59, flag=0x10, cigar="50M")]
    _, counts = count(write_reads(tmp_path / "a.bam", reads))
    assert np.flatnonzero(counts["chrI"]).tolist() == [104]  # 100 + 4 and (59 + 50) - 5: one cut, seen from both sides
    assert counts["chrI"][104] == 2


def test_clipped_and_deleted_bases_move_the_cut_as_the_alignment_does(count, write_reads, tmp_path):
    reads = [read_on(0, 100, cigar="10S40M"), read_on(0, 200, flag=0x10, cigar="30M5D20M7S")]
    _, counts = count(write_reads(tmp_path / "a.bam", reads))
    assert np.flatnonzero(counts["chrI"]).tolist() == [104, 200 + 55 - 5]


def test_reads_shifted_already_are_counted_at_their_ends(count, write_reads, tmp_path):
    reads = [read_on(0, 100), read_on(0, 300, flag=0x10)]
    _, counts = count(write_reads(tmp_path / "a.bam", reads), TrackSettings(shift=Shift.DONE))
    assert np.flatnonzero(counts["chrI"]).tolist() == [100, 350]


def test_coverage_leaves_out_deleted_and_skipped_bases(count, write_reads, tmp_path):
    reads = [read_on(0, 10, cigar="2S3M2D4M1I2=1X10N3M")]
    _, counts = count(write_reads(tmp_path / "a.bam", reads), TrackSettings(assay=Assay.COVERAGE))
    assert np.flatnonzero(counts["chrI"]).tolist() == [10, 11, 12, *range(15, 22), 32, 33, 34]


@pytest.mark.parametrize("wanted", EVERYTHING.values(), ids=list(EVERYTHING))
def test_walker_equals_the_plain_pysam_loop(count, many_reads, wanted):
    found, counts = count(many_reads, wanted)
    assert same(counts, by_contig(cut_sites_slowly(many_reads, wanted)))
    assert found.used == sum(each.sum() for each in counts.values()) > 100
    assert found.read == 4000 == found.used + sum(found.skipped.values())


@pytest.mark.parametrize("assay", Assay)
@pytest.mark.parametrize("wanted", [TrackSettings(), TrackSettings(proper_pairs=True, keep_duplicates=True)])
def test_walker_says_of_every_read_what_the_readable_rule_says(count, many_reads, wanted, assay):
    wanted = TrackSettings(
        assay=assay, proper_pairs=wanted.proper_pairs, keep_duplicates=wanted.keep_duplicates, min_mapq=wanted.min_mapq
    )
    found, counts = count(many_reads, wanted)
    lengths = np.array(list(LENGTHS.values()))
    slow = np.zeros(lengths.sum(), np.int64)
    filters = np.zeros(len(ReadFilter), np.int64)
    rules = span_plan(wanted, np.cumsum(lengths) - lengths, lengths, shifted=False)
    with opened_by_pysam(str(many_reads), "many") as file:
        for starts, ends in placed(pysam_records(file, "many"), rules, filters):
            for start, end in zip(starts, ends, strict=True):
                slow[start:end] += 1
    assert np.array_equal(np.concatenate(list(counts.values())), slow)
    assert found.used == filters[ReadFilter.USED]
    assert sum(found.skipped.values()) == filters.sum() - filters[ReadFilter.USED]
    if not wanted.proper_pairs and assay is Assay.ATAC:
        assert (np.delete(filters[: ReadFilter.CUT_PAST_END + 1], [ReadFilter.FOREIGN, ReadFilter.IMPROPER]) > 0).all()


@needs_samtools
def test_coverage_equals_samtools_depth(count, many_reads, tmp_path):
    # samtools counts what hangs over the end, which we skip: reads that end within their contig are compared
    inside = tmp_path / "inside.bam"
    with pysam.AlignmentFile(many_reads) as file, pysam.AlignmentFile(inside, "wb", template=file) as kept:
        for read in file:
            if not (read.reference_end and read.reference_end > file.lengths[read.reference_id]):
                kept.write(read)
    pysam.sort("-o", str(tmp_path / "sorted.bam"), str(inside))
    _, counts = count(inside, TrackSettings(assay=Assay.COVERAGE))
    told = subprocess.run(
        [SAMTOOLS, "depth", "-a", "-Q", "10", "-G", "0xF04", tmp_path / "sorted.bam"], capture_output=True, check=True
    )
    depth = {name: np.zeros(length, np.int64) for name, length in LENGTHS.items()}
    for line in told.stdout.decode().splitlines():
        name, position, value = line.split()
        depth[name][int(position) - 1] = int(value)
    assert same(counts, depth)
    assert sum(each.sum() for each in depth.values()) > 10_000


def test_reasons_are_counted_in_the_order_of_the_rule(count, write_reads, tmp_path):
    reads = [
        read_on(0, 100),
        read_on(0, 100, flag=0x4 | 0x100),
        read_on(0, 100, flag=0x100 | 0x400),
        read_on(0, 100, flag=0x800 | 0x200),
        read_on(0, 100, flag=0x200 | 0x400),
        read_on(0, 100, flag=0x400, mapq=0),
        read_on(0, 100, mapq=9),
        read_on(0, 100, cigar="*"),
        read_on(0, 4990),
        read_on(2, 296, cigar="4M"),
        read_on(1, 100),
    ]
    lengths = {"chrI": 5000, "chrIII": 300}
    found, _ = count(write_reads(tmp_path / "a.bam", reads), lengths=lengths)
    assert (found.read, found.used) == (11, 1)
    assert found.skipped == {
        "unmapped": 1,
        "secondary alignment": 1,
        "supplementary alignment": 1,
        "failed quality control": 1,
        "duplicate": 1,
        "mapping quality below 10": 1,
        "mapped but without aligned bases": 1,
        "past the contig end": 1,
        "cut shifted past the contig end": 1,
        "contig not in genome": 1,
    }


def test_improper_pairs_are_left_out_on_request(count, write_reads, tmp_path):
    path = write_reads(tmp_path / "a.bam", [read_on(0, 100, flag=flag) for flag in (0x0, 0x1, 0x2, 0x3)])
    assert count(path)[0].used == 4
    found, _ = count(path, TrackSettings(proper_pairs=True))
    assert (found.used, found.skipped) == (1, {"not a proper pair": 3})


def test_blacklisted_cuts_are_counted_as_skipped(count, write_reads, tmp_path):
    path = write_reads(tmp_path / "a.bam", [read_on(0, start) for start in (95, 96, 105, 106)])
    found, counts = count(path, blacklist=[[100, 110]])
    assert np.flatnonzero(counts["chrI"]).tolist() == [99, 110]
    assert (found.used, found.skipped) == (2, {"cut in the blacklist": 2})


def test_blacklisted_bases_have_no_coverage(count, write_reads, tmp_path):
    path = write_reads(tmp_path / "a.bam", [read_on(0, 80)])
    _, counts = count(path, TrackSettings(assay=Assay.COVERAGE), blacklist=[[100, 110]])
    assert np.flatnonzero(counts["chrI"]).tolist() == [*range(80, 100), *range(110, 130)]


# --- every format, every order ---


def test_all_formats_and_orders_give_the_same_counts(count, write_reads, tmp_path, monkeypatch):
    # CRAM knows no mapped read without a CIGAR
    reads = [read for read in drawn_reads(1, 4000) if read.cigartuples or read.is_unmapped]
    whole = write_reads(tmp_path / "whole.bam", reads)
    _, counts = count(whole)
    assert counts["chrI"].sum() > 100
    pysam.sort("-o", str(tmp_path / "sorted.bam"), str(whole))
    sam = write_reads(tmp_path / "a.sam", reads)
    (tmp_path / "a.sam.gz").write_bytes(gzip.compress(sam.read_bytes()))
    with pysam.BGZFile(str(tmp_path / "a.sam.bgz"), "wb") as file:
        file.write(sam.read_bytes())
    cram = write_reads(tmp_path / "a.cram", reads, format_options=[b"no_ref=1"])
    paths = [tmp_path / "sorted.bam", sam, tmp_path / "a.sam.gz", tmp_path / "a.sam.bgz", cram]
    forms = []
    for path in paths:
        found, other = count(path)
        forms.append(found.form)
        assert same(counts, other), path
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(path.read_bytes())))
        assert same(counts, count("-")[1]), path
    assert forms == ["BAM", "SAM", "SAM", "SAM", "CRAM"]


def test_bam_without_compression_in_its_blocks_is_read(count, many_reads, tmp_path):
    pysam.view("-u", "-o", str(tmp_path / "u.bam"), str(many_reads), catch_stdout=False)
    assert same(count(many_reads)[1], count(tmp_path / "u.bam")[1])


@pytest.mark.parametrize("size", [1, 17, 100, 5000])
def test_pieces_in_which_a_file_arrives_do_not_matter(count, many_reads, size, monkeypatch):
    whole = count(many_reads)[1]
    monkeypatch.setattr("genolstm.readers.bgzf.READ_BYTES", size)
    monkeypatch.setattr("genolstm.readers.bgzf.LARGEST_INFLATED", 1 << 20)
    assert same(whole, count(many_reads)[1])


def test_progress_tells_share_and_reads(count, many_reads):
    told = []
    count(many_reads, progress=lambda share, reads: told.append((share, reads)))
    assert told[-1][0] == 1.0
    assert told[-1][1] == count(many_reads)[0].used


# --- CRAM and its reference ---


@pytest.fixture
def cram(write_reads, tmp_path):
    """A CRAM file written against a FASTA in a folder of its own."""
    folder = tmp_path / "reference"
    folder.mkdir()
    fasta = folder / "g.fa"
    letters = "".join(np.random.default_rng(1).choice(list("ACGT"), 5000))
    fasta.write_text("".join(f">{name}\n{letters[:length]}\n" for name, length in LENGTHS.items()))
    path = write_reads(tmp_path / "a.cram", [read_on(0, 100), read_on(0, 200)], reference_filename=str(fasta))
    for each in folder.glob("*.fai"):
        each.unlink()
    return path, fasta


def test_cram_is_read_without_its_reference_and_asks_no_server(count, cram, monkeypatch):
    path, fasta = cram
    fasta.unlink()
    monkeypatch.setenv("REF_PATH", "http://127.0.0.1:9/%s")
    found, counts = count(path)
    assert (found.form, found.used, np.flatnonzero(counts["chrI"]).tolist()) == ("CRAM", 2, [104, 204])


def test_cram_is_held_against_the_reference_that_is_given(count, cram, tmp_path):
    path, fasta = cram
    assert count(path, reference=fasta)[0].used == 2
    assert [each.name for each in fasta.parent.iterdir()] == ["g.fa"]  # no index is left beside it
    other = tmp_path / "other.fa"
    other.write_text(fasta.read_text().replace("A", "C"))
    with pytest.raises(InputError, match=r"a\.cram cannot be read after record 0 .*does not agree with .*other\.fa"):
        count(path, reference=other)
    with pytest.raises(InputError, match=r"none\.fa does not exist; give the FASTA"):
        count(path, reference=tmp_path / "none.fa")


def test_cut_cram_is_refused(count, cram, tmp_path):
    path, _ = cram
    content = path.read_bytes()
    for size in (30, len(content) // 2, len(content) - 38):
        (tmp_path / "cut.cram").write_bytes(content[:size])
        with pytest.raises(InputError, match=r"cut\.cram .*(damaged or cut short|is cut short)"):
            count(tmp_path / "cut.cram")


def test_reference_with_bam_is_wrong_usage(count, many_reads, tmp_path):
    with pytest.raises(UsageError, match="--reference is for CRAM"):
        count(many_reads, reference=tmp_path / "g.fa")


# --- contigs ---


def test_contigs_that_one_of_the_two_lacks_are_named(count, write_reads, tmp_path):
    path = write_reads(tmp_path / "a.bam", [read_on(0, 100), read_on(1, 100)])
    found, _ = count(path, lengths={"chrI": 5000, "chrX": 10})
    assert found.observed.tolist() == [True, False]
    assert found.warnings == (
        f"2 contigs of {path} not in genome.h5, left out: chrII, chrIII.",
        f"1 contig of genome.h5 not in {path}, kept as not observed: chrX.",
    )


def test_bam_of_another_genome_is_refused_with_both_lengths(count, many_reads):
    said = r"was aligned to another genome: chrI has 5,000 bp in .*many\.bam and 4,999 bp in genome\.h5; align"
    with pytest.raises(InputError, match=said):
        count(many_reads, lengths={"chrI": 4999, "chrII": 1200})


def test_nothing_shared_shows_both_lists(count, many_reads):
    said = "the first has chrI, chrII, chrIII and the second has I, II; they differ by the prefix 'chr'"
    with pytest.raises(InputError, match=said):
        count(many_reads, lengths={"I": 5000, "II": 1200})
    with pytest.raises(InputError, match="the second has 2L; give reads that were aligned to this genome"):
        count(many_reads, lengths={"2L": 5000})


def test_files_without_a_usable_read_are_refused(count, write_reads, tmp_path):
    with pytest.raises(InputError, match=r"a\.bam holds no reads, only a header; give"):
        count(write_reads(tmp_path / "a.bam", []))
    with pytest.raises(InputError, match=r"no read of .*b\.bam is left after the filters \(1 unmapped, 1 dup.*; relax"):
        count(write_reads(tmp_path / "b.bam", [read_on(0, 9, flag=0x4), read_on(0, 9, flag=0x400)]))
    with pytest.raises(InputError, match=r"c\.bam names no contigs in its header: its reads were not aligned"):
        count(write_reads(tmp_path / "c.bam", [read_on(-1, -1, flag=0x4, cigar="*")], lengths={}))


# --- files that are damaged ---


def raw(path):
    """Inflated bytes of a BAM file."""
    return gzip.decompress(path.read_bytes())


def as_bam(path, content):
    with pysam.BGZFile(str(path), "wb") as file:
        file.write(bytes(content))
    return path


@pytest.fixture
def one_read(write_reads, tmp_path):
    """Inflated bytes of a BAM file with one read, and where its record begins."""
    content = raw(write_reads(tmp_path / "one.bam", [read_on(0, 100, flag=0x10, cigar="3H5S40M5S", name="read")]))
    return bytearray(content), content.rindex(b"read\0") - 36


def test_missing_end_mark_cut_block_and_cut_record_are_refused(count, many_reads, one_read, tmp_path):
    content = many_reads.read_bytes()
    for size, said in (
        (len(content) - BGZF_END, "it lacks the empty block with which BGZF ends"),
        (len(content) - BGZF_END - 100, "it ends within a BGZF block"),
        (len(content) - 1, "it ends within a BGZF block"),
        (18, "it ends within its header|it ends within a BGZF block"),
    ):
        (tmp_path / "cut.bam").write_bytes(content[:size])
        with pytest.raises(InputError, match=rf"cut\.bam is cut short \(({said})\); copy or download it again"):
            count(tmp_path / "cut.bam")
    with pytest.raises(InputError, match=r"cut\.bam is cut short \(it ends within record 1\)"):
        count(as_bam(tmp_path / "cut.bam", one_read[0][:-5]))
    with pytest.raises(InputError, match=r"cut\.bam is cut short \(it ends within its header\)"):
        count(as_bam(tmp_path / "cut.bam", one_read[0][:50]))


def test_damaged_block_is_refused_with_its_place(count, many_reads, tmp_path):
    content = bytearray(many_reads.read_bytes())
    content[2000] ^= 0xFF
    (tmp_path / "bad.bam").write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.bam is damaged: the BGZF block at byte \d+ does not inflate"):
        count(tmp_path / "bad.bam")
    (tmp_path / "bad.bam").write_bytes(many_reads.read_bytes() + b"more")
    with pytest.raises(
        InputError, match=r"bad\.bam holds other data after its gzip data, at byte \d+ \(beginning with b'more'\); copy"
    ):
        count(tmp_path / "bad.bam")


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (0, 31, "its parts do not fit into its size"),
        (0, -5, "its parts do not fit into its size"),
        (0, LARGEST_RECORD + 1, "its parts do not fit into its size"),
        (4, 3, "it names a contig that the header lacks"),
        (4, -2, "it names a contig that the header lacks"),
        (8, -2, "its position is negative"),
        (20, -1, "its parts do not fit into its size"),
        (20, 1 << 20, "its parts do not fit into its size"),
        (20, 49, "its CIGAR is not as long as its sequence"),
        (24, 77, "it names a contig that the header lacks"),
        (28, -9, "its position is negative"),
        (41, (40 << 4) | 9, "its CIGAR has an unknown operation"),
        (45, (3 << 4) | 5, "it is clipped elsewhere than at its ends"),
        (49, (40 << 4) | 4, "it is clipped elsewhere than at its ends"),
    ],
)
def test_record_that_cannot_be_right_is_named_by_its_number(count, one_read, place, value, said, tmp_path):
    content, record = one_read
    content[record + place : record + place + 4] = value.to_bytes(4, "little", signed=value < 0)
    with pytest.raises(InputError, match=rf"a\.bam: record 1 cannot be right \({said}\); the file is damaged"):
        count(as_bam(tmp_path / "a.bam", content))


def test_read_name_without_an_end_is_refused(count, one_read, tmp_path):
    content, record = one_read
    content[record + 40] = ord("x")
    with pytest.raises(InputError, match="its read name has no end"):
        count(as_bam(tmp_path / "a.bam", content))


@settings(max_examples=150)
@given(place=st.integers(0, 10_000), value=st.integers(0, 255), data=st.data())
def test_any_byte_may_be_wrong_without_a_traceback(place, value, data, tmp_path_factory, bytes_of_reads):
    content = bytearray(bytes_of_reads)
    content[place % len(content)] = value
    folder = tmp_path_factory.mktemp("flip")
    path = as_bam(folder / "a.bam", content[: data.draw(st.sampled_from([len(content), place % len(content)]))])
    with Tally(LENGTHS, no_stretches(), folder) as tally, suppress(InputError):  # and nothing else
        found = count_reads(path, LENGTHS, TrackSettings(), tally, genome_name="genome.h5")
        total = sum(int((runs.counts.astype(np.int64) * runs.length).sum()) for runs in tally.runs())
        assert total == found.used


@pytest.fixture(scope="module")
def bytes_of_reads(write_reads, tmp_path_factory):
    return raw(write_reads(tmp_path_factory.mktemp("bytes") / "few.bam", drawn_reads(3, 40)))


def test_cigar_too_long_for_its_field_is_found_in_its_tag(count, write_reads, tmp_path):
    reads = [read_on(0, 100, flag=flag, cigar="1M1D" * 40_000 + "1M") for flag in (0, 0x10)]
    lengths = {"chrI": 200_000}
    path = write_reads(tmp_path / "long.bam", reads, lengths=lengths)
    for assay in Assay:
        _, counts = count(path, TrackSettings(assay=assay), lengths=lengths)
        (found,) = counts.values()
        wanted = range(100, 80_101, 2) if assay is Assay.COVERAGE else [104, 80_101 - 5]
        assert np.flatnonzero(found).tolist() == [*wanted]
    content = raw(path).replace(b"CGBI", b"XXBI")
    with pytest.raises(InputError, match="its CIGAR should stand in a CG tag, which is missing"):
        count(as_bam(tmp_path / "long.bam", content), lengths=lengths)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds no fragments; give BAM, CRAM, SAM or fragments"),
        (b"@SQ\tSN:chrI\tLN:5000\n", "holds no reads, only a header"),
        (b">chrI\nACGT\n", "looks like FASTA, not like reads or fragments; give BAM, CRAM, SAM or fragments"),
        (
            gzip.compress(b"BAM\1\0\0", mtime=0),
            "is BAM in plain gzip in place of BGZF; write it again with samtools view -b",
        ),
        (b"BAM\1\0\0", "is BAM in no compression in place of BGZF"),
        (b"CRAM\3\0", "cannot be opened by htslib"),
        (b"\x89HDF\r\n\x1a\n" + bytes(300), "give BAM"),
    ],
)
def test_other_files_are_refused_in_one_sentence(count, content, said, tmp_path):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(InputError, match=said):
        count(tmp_path / "a")


def test_missing_file_and_folder_are_told(count, tmp_path):
    with pytest.raises(InputError, match="does not exist: check the path"):
        count(tmp_path / "none.bam")
    with pytest.raises(InputError, match="is a folder"):
        count(tmp_path)


# --- SAM text ---

SAM = "@SQ\tSN:chrI\tLN:5000\n"
LINE = ["r1", "0", "chrI", "101", "42", "4M", "*", "0", "0", "ACGT", "IIII"]


def sam_with(column=None, text="", *tags):
    fields = list(LINE)
    if column is not None:
        fields[column] = text
    return SAM + "\t".join([*fields, *tags]) + "\n"


def test_lines_of_sam_may_have_tags_windows_ends_and_a_blank_end(count, tmp_path):
    tags = ("NM:i:0", "XX:Z:a b", "BC:B:c,-1,2", "FF:f:1e-3", "HH:H:1AE3", "AA:A:x")
    (tmp_path / "a.sam").write_text(sam_with(None, "", *tags).replace("\n", "\r\n") + "\r\n")
    assert count(tmp_path / "a.sam")[0].used == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SAM + "r1\t0\tchrI\n", "line 2 cannot be right: it has 3 of the 11 columns"),
        (sam_with(3, "101x"), "line 2 cannot be right: its position is '101x'; correct or delete it"),
        (sam_with(3, "-1"), "its position is '-1'"),
        (sam_with(1, "65536"), "its flag is 65536"),
        (sam_with(4, "256"), "its mapping quality is 256"),
        (sam_with(2, "chrZ"), "the header lacks its contig 'chrZ'"),
        (sam_with(5, "5M"), "its CIGAR has 5 bases and its sequence 4"),
        (sam_with(5, "1M1S2M"), "it is soft-clipped elsewhere than at its ends"),
        (sam_with(5, "2M1H2M"), "it is hard-clipped elsewhere than at its ends"),
        (sam_with(10, "III"), "it has another number of base qualities than of bases"),
        (sam_with(None, "", "NM:i:x"), "its tag 'NM:i:x' does not fit SAM"),
        (sam_with(None, "", "NM:i:4294967296"), "its tag 'NM:i:4294967296' does not fit"),
        (sam_with(None, "", "BC:B:C,256"), "its tag 'BC:B:C,256' does not fit"),
        (sam_with(None, "", "NM:i:1", "NM:i:1"), "its tag NM is given twice"),
        ("@SQ\tSN:chrI\n", "the contig 'chrI' has the length ''"),
        ("@SQ\tSN:chrI\tLN:0\n", "the contig 'chrI' has the length '0'"),
        ("@SQ\tSN:*\tLN:9\n", "'\\*' is no name for a contig"),
        (SAM + SAM, "line 2 names the contig 'chrI' again"),
        ("@read\nACGT\n+\nIIII\n", "line 1 is no SAM header line: '@read'; give SAM, BAM, CRAM or fragments"),
    ],
)  # fmt: skip
def test_line_of_sam_that_cannot_be_right_is_named(count, text, said, tmp_path):
    (tmp_path / "a.sam").write_text(text)
    with pytest.raises(InputError, match=rf"a\.sam.*{said}"):
        count(tmp_path / "a.sam")


# --- files at hand ---


def lengths_of(path):
    with pysam.AlignmentFile(path, check_sq=False) as file:
        return dict(zip(file.references, file.lengths, strict=True))


def test_example_bam_is_read_as_the_plain_loop_reads_it(count):
    lengths = lengths_of(EXAMPLE)
    _, counts = count(EXAMPLE, lengths=lengths)
    assert same(counts, by_contig(cut_sites_slowly(EXAMPLE, TrackSettings()), lengths))


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.parametrize(
    "name",
    ["yeast_atac/atac.bam", "bismark/tiny_pe_bismark.bam", "awkward/hts-specs/bam/passed/level-1.bam",
     "awkward/hts-specs/bam/passed/level-9.bam"],
)  # fmt: skip
def test_real_bams_are_read_as_the_plain_loop_reads_them(real_data, name, tmp_path):
    wanted = TrackSettings(min_mapq=0)
    lengths = lengths_of(real_data / name)  # of a human genome in two of them: no counts at each base here
    found = {contig: {} for contig in lengths}
    with Tally(lengths, no_stretches(), tmp_path) as tally:
        count_reads(real_data / name, lengths, wanted, tally, genome_name="genome.h5")
        for runs in tally.runs():
            for contig, start, length, value in zip(*runs, strict=True):
                found[list(lengths)[contig]] |= dict.fromkeys(range(start, start + length), value)
    slow = cut_sites_slowly(real_data / name, wanted)
    assert found == {contig: Counter(cuts.tolist()) for contig, cuts in slow.items()}


SAM_READ = "r\t0\tchrI\t11\t60\t4M\t*\t0\t0\tACGT\tIIII"


@pytest.mark.parametrize("tag", ["RX:Z:", "MM:Z:", "de:f:nan", "de:f:-inf", "de:f:Infinity", "ZB:B:f,nan,1", "ZB:B:C"])
def test_odd_but_legal_tags_of_sam_are_read(count, tmp_path, tag):
    (tmp_path / "x.sam").write_text(f"@SQ\tSN:chrI\tLN:5000\n{SAM_READ}\t{tag}\n")
    assert count(tmp_path / "x.sam", TrackSettings(min_mapq=0), lengths={"chrI": 5000})[0].used == 1


@pytest.mark.parametrize("name", ["BVAB1,_complete", "a(1)", "seq[1]", "x'y", "HLA-A*01:01", "a<b>", "b\\c", '"q"'])
def test_contig_names_that_assemblies_have_are_no_reason_to_refuse_sam(count, tmp_path, name):
    (tmp_path / "x.sam").write_text(f"@SQ\tSN:{name}\tLN:9\n@SQ\tSN:chrI\tLN:5000\n{SAM_READ}\n")
    assert count(tmp_path / "x.sam", TrackSettings(min_mapq=0), lengths={"chrI": 5000})[0].used == 1


@pytest.mark.parametrize("length", [1_600_000_000, 2**31 - 1, 2_500_000_000])
def test_giant_contigs_of_a_header_are_read(count, tmp_path, length):
    text = f"@SQ\tSN:giant\tLN:{length}\n@SQ\tSN:chrI\tLN:5000\n"
    (tmp_path / "x.sam").write_text(f"{text}{SAM_READ}\n")
    assert count(tmp_path / "x.sam", TrackSettings(min_mapq=0), lengths={"chrI": 5000})[0].used == 1
    if length >= 2**31:  # which BAM cannot hold
        return
    header = pysam.AlignmentHeader.from_references(["giant", "chrI"], [length, 5000])
    with pysam.AlignmentFile(str(tmp_path / "x.bam"), "wb", header=header) as out:
        out.write(pysam.AlignedSegment.fromstring(SAM_READ, header))
    assert count(tmp_path / "x.bam", TrackSettings(min_mapq=0), lengths={"chrI": 5000})[0].used == 1


def test_sam_without_header_and_other_compressions_are_named(count, tmp_path):
    (tmp_path / "x.sam").write_text(SAM_READ + "\n")
    with pytest.raises(InputError, match="looks like SAM without its header"):
        count(tmp_path / "x.sam", TrackSettings())
    (tmp_path / "x.tsv.zst").write_bytes(b"\x28\xb5\x2f\xfd\x00\x01\t\n")
    with pytest.raises(InputError, match="is compressed with zstd, and only gzip and bgzip are read: decompress it"):
        count(tmp_path / "x.tsv.zst", TrackSettings())


@pytest.mark.realdata
def test_no_malformed_sam_file_is_accepted(count, real_data):
    files = sorted((real_data / "awkward/hts-specs/sam/failed").glob("*.sam"))
    assert len(files) == 108
    # what assemblies and programs write all the same, and nothing here uses: brackets, quotes and commas in names of
    # contigs, and floats that are no numbers
    kept = [path for path in files if not re.fullmatch(r"aux\.fail-f3|(?:rname|rnext)\.fail[3-8]", path.stem)]
    assert len(kept) == 108 - 13
    for path in kept:
        text = path.read_text(errors="replace")
        lengths = {}
        for line in text.splitlines():
            if line.startswith("@SQ"):
                tags = dict(field.split(":", 1) for field in line.split("\t")[1:] if ":" in field)
                if tags.get("LN", "").isdigit():
                    lengths[tags.get("SN", "")] = int(tags["LN"])
        with pytest.raises(InputError) as problem:
            count(path, TrackSettings(min_mapq=0), lengths=lengths or {"chrI": 5000})
        assert path.name in str(problem.value)


@pytest.mark.realdata
def test_awkward_but_legal_sam_is_read_as_the_plain_loop_reads_it(count, real_data):
    read = 0
    for folder in ("awkward/hts-specs/SAMtags", "awkward/htslib/base_mods"):
        for path in sorted((real_data / folder).glob("*.sam")):
            wanted = TrackSettings(min_mapq=0)
            lengths, slow = {}, {}
            with suppress(NotImplementedError, ValueError):  # pysam's words for no contigs, and for no SAM
                lengths = lengths_of(path)
                slow = by_contig(cut_sites_slowly(path, wanted), lengths)
            try:
                _, counts = count(path, wanted, lengths=lengths or {"chrI": 10})
            except InputError:
                assert not sum(each.sum() for each in slow.values())  # unmapped reads only, or no contigs
            else:
                read += 1
                assert same(counts, slow), path
    assert read


@pytest.mark.slow
@pytest.mark.realdata
@needs_samtools
def test_cuts_of_the_reconstructed_yeast_bam_equal_samtools_and_bedtools(count, real_data):
    """Must show 1 of the issue: the total, and 1,000 random positions by a region query each way."""
    bedtools = shutil.which("bedtools")
    if bedtools is None:
        pytest.skip("bedtools is not installed")
    bam = real_data / "yeast_atac/atac.bam"
    lengths = {name: length for name, length in lengths_of(bam).items() if name != "chrM"}
    found, counts = count(bam, lengths=lengths)
    command = [SAMTOOLS, "view", "-c", "-q", "10", "-F", "0xF04", str(bam), *lengths]
    assert found.used == int(subprocess.run(command, capture_output=True, check=True).stdout)
    rows = subprocess.run([bedtools, "bamtobed", "-i", bam], capture_output=True, check=True).stdout.decode()
    expected = {name: np.zeros(length, np.int64) for name, length in lengths.items()}
    for row in rows.splitlines():
        name, start, end, _, mapq, strand = row.split("\t")
        if int(mapq) >= 10 and name in expected:
            expected[name][int(start) + 4 if strand == "+" else int(end) - 5] += 1
    assert same(counts, expected)
    rng = np.random.default_rng(1)
    with pysam.AlignmentFile(bam) as file:  # the index and a region query: another road to the same number
        for name in rng.choice(list(lengths), 1000):
            position = int(rng.integers(100, lengths[name] - 100))
            here = 0
            for read in file.fetch(name, position - 10, position + 10):
                here += (read.reference_end - 5 if read.is_reverse else read.reference_start + 4) == position
            assert counts[name][position] == here

"""Fragments in: three, four or five columns, shifted or not, and what no fragment can be."""

import gzip

import numpy as np
import pysam
import pytest

from genolstm.errors import InputError, UsageError
from genolstm.readers.alignments import count_reads
from genolstm.readers.tally import Tally, no_stretches
from genolstm.settings.track import Assay, Shift, TrackSettings

LENGTHS = {"chrI": 1000, "chrII": 300}


@pytest.fixture
def count(tmp_path):
    """Function: text of a file, settings -> what was counted, and the counts of chrI."""

    def counted(text, name="f.tsv", blacklist=None, lengths=LENGTHS, **options):
        path = tmp_path / name
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        values = np.zeros(sum(lengths.values()), np.int64)
        firsts = np.cumsum([0, *lengths.values()])
        with Tally(lengths, no_stretches() if blacklist is None else np.array(blacklist), tmp_path) as tally:
            found = count_reads(path, lengths, TrackSettings(**options), tally, genome_name="genome.h5")
            for runs in tally.runs():
                for contig, start, length, value in zip(*runs, strict=True):
                    values[firsts[contig] + start :][:length] += value
        return found, values

    return counted


@pytest.mark.parametrize(
    ("line", "shift", "cuts", "shifted"),
    [
        ("chrI\t100\t250", Shift.AUTO, [104, 245], False),
        ("chrI\t100\t250\tAAAC-1", Shift.AUTO, [100, 250], True),
        ("chrI\t100\t250\tAAAC-1\t7", Shift.AUTO, [100, 250], True),
        ("chrI\t100\t250", Shift.DONE, [100, 250], True),
        ("chrI\t100\t250\tAAAC-1\t7", Shift.APPLY, [104, 245], False),
        ("chrI 100 250", Shift.AUTO, [104, 245], False),
    ],
)
def test_both_ends_are_cuts_and_tenx_files_are_shifted_already(count, line, shift, cuts, shifted):
    found, values = count(line + "\n", shift=shift)
    assert np.flatnonzero(values).tolist() == cuts
    assert (found.form, found.read, found.used, found.shifted) == ("fragments", 2, 2, shifted)


def test_whole_fragment_has_the_cuts_of_its_two_reads(count, tmp_path):
    header = {"SQ": [{"SN": name, "LN": length} for name, length in LENGTHS.items()]}
    with pysam.AlignmentFile(tmp_path / "a.bam", "wb", header=header) as file:
        for flag, start in ((99, 100), (147, 200)):
            read = pysam.AlignedSegment()
            read.query_name, read.flag, read.reference_id, read.reference_start = "r", flag, 0, start
            read.mapping_quality, read.cigartuples, read.query_sequence = 42, [(0, 50)], "A" * 50
            file.write(read)
    whole = count("chrI\t100\t250\n")[1]
    with Tally(LENGTHS, no_stretches(), tmp_path) as tally:
        count_reads(tmp_path / "a.bam", LENGTHS, TrackSettings(), tally, genome_name="genome.h5")
        starts = np.concatenate([runs.start for runs in tally.runs()])
    assert starts.tolist() == np.flatnonzero(whole).tolist()


def test_coverage_of_fragments_is_all_that_they_span(count):
    found, values = count("chrI\t10\t20\nchrI\t15\t30\n", assay=Assay.COVERAGE)
    assert values[8:32].tolist() == [0, 0, *[1] * 5, *[2] * 5, *[1] * 10, 0, 0]
    assert (found.read, found.used) == (2, 2)


@pytest.mark.parametrize("name", ["f.tsv", "f.tsv.gz"])
def test_comments_blank_lines_and_windows_ends_are_no_fragments(count, name):
    found, _ = count("# id=x\r\n\r\nchrI\t100\t250\tAC\t1\r\n", name)
    assert found.read == 2


def test_what_cannot_be_counted_is_counted_by_reason(count):
    text = "chrI\t1\t50\nchrM\t1\t50\nchrI\t900\t1001\nchrI\t7\t7\nchrI\t996\t999\nchrI\t0\t2\n"
    found, values = count(text, blacklist=[[0, 6]])
    assert found.skipped == {
        "contig not in genome": 2,
        "past the contig end": 2,
        "fragment without a base": 2,
        "cut shifted past the contig end": 2,  # 996 + 4 and 2 - 5
        "cut in the blacklist": 2,
    }
    assert np.flatnonzero(values).tolist() == [45, 994]
    assert found.read == 12 == found.used + sum(found.skipped.values())
    assert found.observed.tolist() == [True, False]
    assert [sentence.split(" of ")[0] for sentence in found.warnings] == ["1 contig", "1 contig"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("chrI\t5\n", "line 1 has 2 columns: 'chrI\\\\t5'; give BAM, CRAM, SAM with its header, or fragments of 3"),
        ("chrI\t5\t9\tx\t1\t+\t5\n", "line 1 has 7 columns"),
        ("chrI\t5\t9\tx\t1\t+\nchrI\t5\t9\tx\t1\t.\n", "line 2 has the strand '.', not \\+ or -, unlike the lines"),
        ("chrI\t5\t6\tx\t1\t+\nchrI\t5\t9\tx\t1\t+\n", "line 2 spans 4 bases, and the lines before it are single"),
        ("chrI\t5\t99999999999999999999\n", "line 1: '9{20}' is beyond the end of any contig; correct the line"),
        ("r1\t0\tchrI\t1\t60\t9M\t*\t0\t0\tACGTACGTA\t*\n", "looks like SAM without its header"),
        ("chrI\t5\t9\nchrI\t5\t9\tx\n", "line 2 has 4 columns, and the lines before it have 3"),
        ("chrI\t9\t5\n", "line 1: the fragment 9 to 5 has a negative length; correct the line"),
        ("chrI\t-1\t5\n", r"no read of .* is left after the filters \(2 before the contig start\)"),
        ("contig\tstart\tend\n", "line 1: start and end must be whole numbers: .*put '#' before"),
        ("# only this\n", "holds no fragments; give BAM, CRAM, SAM or fragments"),
        ("I\t5\t9\n", "no contig of .*f.tsv is in genome.h5: the first has I and the second has chrI, chrII; they dif"),
        ("chrI\t5\t5\n", r"no read of .*f.tsv is left after the filters \(2 fragment without a base\)"),
    ],
)
def test_file_that_holds_no_fragments_is_told_by_line(count, text, said):
    with pytest.raises(InputError, match=said):
        count(text)


@pytest.mark.parametrize("option", [{"min_mapq": 30}, {"proper_pairs": True}, {"keep_duplicates": True}])
def test_filters_of_reads_are_wrong_usage_with_fragments(count, option):
    with pytest.raises(UsageError, match="fragments, which have neither mapping quality nor flags"):
        count("chrI\t5\t90\n", **option)


@pytest.mark.slow
@pytest.mark.realdata
def test_reconstructed_yeast_bam_equals_its_fragments_but_for_what_was_thinned(real_data, tmp_path):
    """Must show 1 of the issue: rDNA on chrXII is thinned in the reconstructed BAM, all else is equal at every base."""
    with pysam.AlignmentFile(real_data / "yeast_atac/atac.bam") as file:
        lengths = dict(zip(file.references, file.lengths, strict=True))
    del lengths["chrM"]
    tables = []
    for name in ("atac.bam", "fragments.bedpe.gz"):
        with Tally(lengths, no_stretches(), tmp_path) as tally:
            count_reads(real_data / "yeast_atac" / name, lengths, TrackSettings(), tally, genome_name="genome.h5")
            rows = np.concatenate([np.stack([column.astype(np.int64) for column in runs]) for runs in tally.runs()], 1)
        thinned = rows[0] == list(lengths).index("chrXII")
        tables.append((rows[:, ~thinned], int((rows[2] * rows[3])[thinned].sum())))
    (bam, bam_thinned), (fragments, all_of_it) = tables
    assert np.array_equal(bam, fragments)
    assert bam.shape[1] > 300_000
    assert bam_thinned < all_of_it


# --- BED of six columns and BEDPE ---


def test_bed_of_single_bases_is_insertions_that_are_cuts_already(count):
    found, values = count("chrI\t10\t11\tr1\t60\t+\nchrI\t30\t31\tr2\t60\t-\n")
    assert np.flatnonzero(values).tolist() == [10, 30]
    assert (found.read, found.used, found.shifted) == (2, 2, True)
    assert found.layout == "BED of single bases, a Tn5 insertion on each line"


def test_bed_of_reads_has_one_cut_a_line_as_the_reads_have(count):
    text = "track name=x\nchrI\t100\t150\tr/1\t42\t+\nchrI\t200\t250\tr/2\t42\t-\n"
    found, values = count(text)
    assert np.flatnonzero(values).tolist() == [104, 245]
    assert (found.read, found.layout) == (2, "BED of reads, a read on each line")
    assert np.flatnonzero(count(text, shift=Shift.APPLY, forward_shift=5, reverse_shift=-6)[1]).tolist() == [105, 244]
    assert count(text, assay=Assay.COVERAGE)[1][98:152].tolist() == [0, 0, *[1] * 50, 0, 0]


def test_bed_without_strands_is_whole_fragments(count):
    found, values = count("chrI\t100\t250\tx\t0\t.\n")
    assert np.flatnonzero(values).tolist() == [104, 245]
    assert found.layout == "BED without strands, a whole fragment on each line"


def test_bedpe_of_ten_columns_is_two_reads_a_line(count):
    found, values = count("chrI\t10\t30\tchrI\t60\t80\tr1\t60\t+\t-\nchrI\t300\t350\tchrI\t200\t250\tr2\t60\t-\t+\n")
    assert np.flatnonzero(values).tolist() == [14, 75, 204, 345]
    assert (found.read, found.layout) == (4, "BEDPE, the two reads of a pair on each line")


def test_bedpe_names_mates_without_a_place_by_a_dot(count):
    text = "chrI\t10\t30\t.\t-1\t-1\tr1\t60\t+\t.\nchrI\t10\t30\tchrII\t60\t80\tr1\t60\t+\t-\n"
    found, values = count(text)
    assert np.flatnonzero(values).tolist() == [14, 1075]
    assert found.skipped == {"unmapped": 1}


def test_bedpe_without_strands_is_a_fragment_from_end_to_end(count):
    text = "chrI\t60\t80\tchrI\t10\t30\nchrI\t60\t80\tchrII\t10\t30\nchrI\t60\t80\t.\t-1\t-1\n"
    found, values = count(text)
    assert np.flatnonzero(values).tolist() == [14, 75]
    assert found.skipped == {"fragment on two contigs": 2, "unmapped": 2}

"""MM, ML and XM against what the SAM specification, htslib and Bismark say of their own files."""

import re
from pathlib import Path

import numpy as np
import pysam
import pytest
from made_calls import assert_same, fasta_reference, reference_of, table

from genolstm.readers.bam_bytes import bam_bytes
from genolstm.readers.bam_walk import read_header
from genolstm.readers.call_kernels import MM, TAGS, _find_tags, mark_mm
from genolstm.readers.modification_loop import count_calls_slowly
from genolstm.readers.modifications import count_calls
from genolstm.readers.motifs import motif_sites, parse_motif
from genolstm.readers.read_filter import ReadFilter
from genolstm.settings.methylation import CountSettings, CountUnit


@pytest.mark.realdata
def test_all_bismark_calls_lie_on_reference_cpgs(real_data):
    reference = fasta_reference(real_data / "bismark/NC_010473.fa.gz")
    sites, settings = motif_sites(reference, parse_motif("CG,0", "C")), CountSettings()
    found = count_calls(real_data / "bismark/tiny_pe_bismark.bam", reference, sites, settings)
    assert (found.read, found.used) == (203, 203)
    # 202 of 1,579 calls are of a base that the first read of the same fragment has called
    assert (found.calls, int(found.modified.sum()), int(found.covered.sum())) == (1377, 1052, 1377)
    assert found.dropped == {"XM calls outside CpG": 3546, "second read of a fragment at the same base": 202}
    path, by_read = real_data / "bismark/tiny_pe_bismark.bam", CountSettings(count=CountUnit.READS)
    both = count_calls(path, reference, sites, by_read)
    assert (both.calls, int(both.modified.sum()), int(both.covered.sum())) == (1579, 1210, 1579)
    assert both.dropped == {"XM calls outside CpG": 3546}
    assert_same(both, count_calls_slowly(path, reference, sites, by_read))
    assert {int(strand): int(found.covered[found.strand == strand].sum()) > 0 for strand in (1, -1)} == {
        1: True,
        -1: True,
    }
    # by the letters themselves
    letters = {"Z": 0, "z": 0}
    with pysam.AlignmentFile(real_data / "bismark/tiny_pe_bismark.bam") as file:
        for read in file:
            for letter in letters:
                letters[letter] += read.get_tag("XM").count(letter)
    assert letters == {"Z": 1210, "z": 369}
    for motif in ("CG,0", "CHG,0"):
        settings = CountSettings(motif=motif)
        sites = motif_sites(reference, parse_motif(motif, "C"))
        path = real_data / "bismark/tiny_pe_bismark.bam"
        assert_same(count_calls(path, reference, sites, settings), count_calls_slowly(path, reference, sites, settings))


def marks(sam_line, code):
    """(query, strand of the genome) -> 2 q + 1 of one code, by the compiled parser on the record of a SAM line."""
    header = pysam.AlignmentHeader.from_references(["I"], [999])
    columns = sam_line.split("\t")
    columns[2:6] = ["I", "1", "60", f"{len(columns[9])}M"]
    read = pysam.AlignedSegment.fromstring("\t".join(columns), header)
    data = record_bytes(read, header)
    length, name = len(read.query_sequence), len(read.query_name) + 1
    bases = 32 + name + 4 * len(read.cigartuples)
    tags = np.empty(TAGS, np.int64)
    assert _find_tags(data, bases + (length + 1) // 2 + length, len(data), tags)
    assert tags[MM] > 0
    found, hits = np.empty(length + 1, np.int32), np.empty((2, length), np.int32)
    asked, total = np.zeros((2, 2, length), np.int32)
    listed, states, seen = np.zeros((2, length), np.uint8), np.zeros(2, np.uint8), np.zeros(128, np.uint8)
    reason = mark_mm(
        data, tags, bases, length, read.is_reverse, 2, np.array([ord(code)]), found, hits, np.zeros(2, np.int64), asked,
        total, listed, states, seen,
    )  # fmt: skip
    assert reason in (ReadFilter.USED, ReadFilter.SURPLUS, ReadFilter.OTHER_CODES)
    return {(query, 1 - 2 * strand): int(asked[strand, query]) for strand, query in np.argwhere(listed & 2).tolist()}


def record_bytes(read, header):
    """One record as BAM has it, after its size."""
    path = Path(record_bytes.folder) / "one.bam"
    with pysam.AlignmentFile(str(path), "wb", header=header) as out:
        out.write(read)
    with bam_bytes(path, "one") as chunks:
        rest = read_header(chunks, "one").rest
    rest += b"".join(chunks)
    return np.frombuffer(rest[4:], np.uint8)


@pytest.fixture(autouse=True)
def _folder(tmp_path):
    record_bytes.folder = tmp_path


def sam_lines(path):
    return [text for text in path.read_text().splitlines() if not text.startswith(("@", " "))]


CODES = {"(76792)": "h"}


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("folder", "name"),
    [("hts-specs/SAMtags", name) for name in ("chebi", "double", "explicit", "multi", "orient")]
    + [("htslib/base_mods", name) for name in ("double", "explicit", "orient")],  # of the others it has its own lists
)
def test_oracle_of_the_specification(real_data, folder, name):
    """Each base of each strand, as sequenced, with every code and its probability in percent, rounded down."""
    reads = sam_lines(real_data / "awkward" / folder / f"MM-{name}.sam")
    texts = (real_data / "awkward/hts-specs/SAMtags" / f"MM-{name}.txt").read_text().strip().split("\n\n")
    assert len(reads) == len(texts)
    for read, text in zip(reads, texts, strict=True):
        is_reverse, length = read.split("\t")[1] == "16", len(read.split("\t")[9])
        rows = [row.split("\t") for row in text.splitlines()]
        assert len(rows) == length
        for code in "mhon":
            expected = {}
            for at, row in enumerate(rows):
                for on_bottom, told in enumerate(row):
                    for name_, percent in re.findall(r"([a-z]|\(\d+\))(\d+)", told):
                        if CODES.get(name_, name_) == code:
                            query = length - 1 - at if is_reverse else at
                            expected[query, -1 if is_reverse != bool(on_bottom) else 1] = int(percent)
            found = {place: 100 * level // 512 for place, level in marks(read, code).items()}
            assert found == expected


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["chebi", "double", "explicit", "explicit-x", "multi"])
def test_oracle_of_htslib(real_data, name):
    """Each base of SEQ with every code and its ML value."""
    folder = real_data / "awkward/htslib/base_mods"
    reads = sam_lines(folder / f"MM-{name.removesuffix('-x')}.sam")
    texts = (folder / f"MM-{name}.out").read_text().split("===")
    for read, text in zip(reads, texts, strict=False):
        for code in "mhon":
            expected = {}
            for at, told in re.findall(r"^(\d+)\t[A-Z]\t(.*)$", text.partition("---")[0], re.MULTILINE):
                for sign, name_, level in re.findall(r"[ACGTN]([+-])([a-z]|\(\d+\))[.?]?(\d+)", told):
                    if CODES.get(name_, name_) == code:
                        expected[int(at), 1 if sign == "+" else -1] = 2 * int(level) + 1
            assert marks(read, code) == expected
            assert expected or code not in ("m", "h")[: name != "double"]


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["pileup", "pileup2"])
def test_oracle_of_a_pileup(real_data, name):
    """At each position of the reference, every code and ML value over all reads; all lie on the forward strand."""
    folder = real_data / "awkward/htslib/base_mods"
    header = pysam.AlignmentHeader.from_references(["I"], [999])
    for code in "mhn":
        expected, found = {}, {}
        for row in (folder / f"MM-{name}.out").read_text().splitlines():
            at, told = row.split("\t")[1:3]
            for group in re.findall(r"\[(.*?)\]", told):
                for name_, level in re.findall(r"[+-]([a-z]|\(\d+\))(\d+)", group):
                    if CODES.get(name_, name_) == code:
                        expected.setdefault(int(at), []).append(2 * int(level) + 1)
        for text in sam_lines(folder / f"MM-{name}.sam"):
            place = dict(pysam.AlignedSegment.fromstring(text, header).get_aligned_pairs(matches_only=True))
            for (query, strand), level in marks(text, code).items():
                assert strand == 1
                if query in place:
                    found.setdefault(place[query], []).append(level)
        assert found == expected


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["pileup", "pileup2"])
def test_pileup_oracle_is_counted_through_the_whole_reader(real_data, name):
    """From the SAM file itself to counts at every C, against what the pileup lists."""
    folder = real_data / "awkward/htslib/base_mods"
    sequence = "AGCTCTCCAGAGTCGNACGCCATNCGCGCGCCACCA".ljust(999, "A")
    reference = reference_of({"I": sequence})
    settings = CountSettings(motif="C,0", min_mapq=0, threshold=0.5)
    sites = motif_sites(reference, parse_motif("C,0", "C"))
    found = count_calls(folder / f"MM-{name}.sam", reference, sites, settings)
    assert_same(found, count_calls_slowly(folder / f"MM-{name}.sam", reference, sites, settings))
    modified = dict.fromkeys(np.flatnonzero(np.array(list(sequence)) == "C").tolist(), 0)
    for row in (folder / f"MM-{name}.out").read_text().splitlines():
        at, told = row.split("\t")[1:3]
        if int(at) in modified:
            modified[int(at)] += sum(int(level) >= 128 for level in re.findall(r"\[[^\]]*?[+-]m(\d+)", told))
    assert {at: one for (at, _), (one, _) in table(found).items()} == {
        at: one for at, one in modified.items() if (at, 1) in table(found)
    }
    assert sum(modified.values()) == found.modified.sum()

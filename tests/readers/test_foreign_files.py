"""Every reader of text: gzip in whatever members, other compressions and kinds of files named, lines without an end."""

import bz2
import gzip
import io
import lzma
import sys

import numpy as np
import pysam
import pytest

from genolstm.alphabet import DNA
from genolstm.errors import InputError
from genolstm.readers.action_log import read_actions
from genolstm.readers.alignments import count_reads
from genolstm.readers.annotation import read_annotation
from genolstm.readers.bed import read_bed
from genolstm.readers.clusters import read_clusters
from genolstm.readers.fasta import read_fasta
from genolstm.readers.gzipped import decompressed
from genolstm.readers.price_table import read_exogenous, read_prices
from genolstm.readers.rate_tables import read_rates
from genolstm.readers.tally import Tally, no_stretches
from genolstm.readers.variants import read_variants
from genolstm.settings.track import TrackSettings

GZIP_TWICE = gzip.compress(gzip.compress(b"text", mtime=0), mtime=0)  # at no time of day: it is part of a test's name

LENGTHS = {"I": 1000}
VCF = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"


def fragments(path):
    with Tally(LENGTHS, no_stretches(), path.parent) as tally:
        found = count_reads(path, LENGTHS, TrackSettings(), tally, genome_name="genome.h5")
        return found.used, [tuple(column.tolist() for column in runs) for runs in tally.runs()]


def variants(path):
    with read_variants(path) as text:
        return list(text.records)


def annotation(path):
    return [transcript.name for transcript in read_annotation(path).transcripts]


def bed(path):
    found = read_bed(path, LENGTHS)
    return found.start.tolist(), found.name


def rates(path):
    return [column if isinstance(column, tuple) else column.tolist() for column in read_rates(path, "hour")]


READERS = {
    "annotation": (annotation, "", "I\t.\tCDS\t{}\t90\t.\t+\t0\tID=a{}\n"),
    "bed": (bed, "", "I\t{}\t99\ta{}\n"),
    "clusters": (lambda path: read_clusters(path, ["a1"])[1], "", "x\ta{1}\n"),
    "fasta": (lambda path: [block.codes.tolist() for block in read_fasta(path, DNA)], "", ">a{1}\nACGT\n"),
    "fragments": (fragments, "", "I\t{}\t99\n"),
    "actions": (lambda path: read_actions(path).time.tolist(), "session,time,action\n", "a,{},do{}\n"),
    "exogenous": (lambda path: read_exogenous(path).values.tolist(), "date,a\n", "2020-01-0{},-1.5\n"),
    "prices": (lambda path: read_prices(path).close.tolist(), "date,close\n", "2020-01-0{1},1.5\n"),
    "rates": (rates, "contig\tposition\trate_per_hour\tsteady_fraction\n", "I\t{}\t1\t0.5\n"),
    "variants": (variants, VCF, "I\t{}\ta{}\tA\tC\t.\t.\t.\n"),
}  # fmt: skip


@pytest.fixture(params=READERS)
def case(request, tmp_path):
    """A reader, its content in two pieces, and where to write."""
    read, header, line = READERS[request.param]
    first = header + "".join(line.format(number, number) for number in (1, 2, 3))
    return read, first.encode(), "".join(line.format(number, number) for number in (4, 5)).encode(), tmp_path / "x"


def bgzip(content: bytes, path, *, with_end: bool = True) -> bytes:
    with pysam.BGZFile(str(path.with_suffix(".made")), "w", None) as out:
        out.write(content)
    made = path.with_suffix(".made").read_bytes()
    return made if with_end else made[:-28]


def test_gzip_may_have_members_of_either_kind(case):
    read, first, second, path = case
    path.write_bytes(first + second)
    expected = read(path)
    for content in (
        gzip.compress(first) + gzip.compress(second),
        bgzip(first, path) + gzip.compress(second),
        gzip.compress(first) + bgzip(second, path),
        bgzip(first, path, with_end=False) + gzip.compress(second) + bgzip(b"", path),
        bgzip(first, path) + bgzip(second, path) + b"\0" * 100,
        gzip.compress(first) + b"\0" * 7 + gzip.compress(second),
    ):
        path.write_bytes(content)
        assert read(path) == expected


def test_gzip_whose_name_field_looks_like_bgzip_is_plain(case):
    read, first, _, path = case
    path.write_bytes(first)
    expected = read(path)
    with path.open("wb") as raw, gzip.GzipFile("xxBC.fa", "wb", fileobj=raw) as out:
        out.write(first)
    assert path.read_bytes()[12:14] == b"BC"
    assert read(path) == expected


@pytest.mark.parametrize("cut", [1, 9, 20])
def test_gzip_that_was_cut_is_refused_in_any_member(case, cut):
    read, first, second, path = case
    for content in (gzip.compress(first) + bgzip(second, path), bgzip(first, path) + gzip.compress(second)):
        path.write_bytes(content[:-cut])
        with pytest.raises(InputError, match="is cut short"):
            read(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (bz2.compress(b"text"), "is compressed with bzip2, and only gzip and bgzip are read: decompress it first"),
        (lzma.compress(b"text"), "is compressed with xz, and only gzip and bgzip are read: decompress it first with"),
        (b"\x28\xb5\x2f\xfd\x24\x05abc", "is compressed with zstd, .* unzstd."),
        (b"\x50\x2a\x4d\x18\4\0\0\0abc", "is compressed with zstd"),
        (b"\x04\x22\x4d\x18abc", "is compressed with lz4"),
        (b"PK\3\4" + b"x" * 40, "is compressed with zip"),
        (b"\x1f\x9d\x90text", "is compressed with compress"),
        (GZIP_TWICE, "is gzip inside gzip: decompress it once with gunzip."),
        ("\ufefftext\n".encode("utf-16-le"), "is UTF-16 text: convert it with iconv -f UTF-16 -t UTF-8."),
        ("\ufefftext\n".encode("utf-16-be"), "is UTF-16 text"),
    ],
)  # fmt: skip
def test_what_another_program_compressed_is_named_with_the_remedy(case, content, said):
    read, _, _, path = case
    for written in (content, gzip.compress(content)):
        path.write_bytes(written)
        with pytest.raises(InputError, match=f"x {said}"):
            read(path)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\x89HDF\r\n\x1a\n" + b"\0" * 90, "HDF5"),
        (b"<!DOCTYPE html>\n", "HTML or XML"),
        (b"\x26\xfc\x8f\x88" + b"\0" * 90, "bigWig"),
        (b"%PDF-1.4\n", "PDF"),
        (b"LOCUS  X\n", "GenBank"),
    ],
)
def test_another_kind_of_file_is_named(case, content, kind):
    read, _, _, path = case
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"(looks|begins) like {kind}"):
        read(path)


def test_a_byte_order_mark_windows_ends_and_no_last_end_are_no_matter(case):
    read, first, second, path = case
    path.write_bytes(first + second)
    expected = read(path)
    path.write_bytes(b"\xef\xbb\xbf" + (first + second).replace(b"\n", b"\r\n").removesuffix(b"\r\n"))
    assert read(path) == expected


def test_a_line_without_end_is_refused_while_memory_is_bounded(case, monkeypatch):
    read, first, _, path = case
    if read is READERS["fasta"][0]:
        return  # a sequence may stand on one line
    monkeypatch.setattr("genolstm.readers.text_lines.LONGEST_LINE", 1 << 20)
    path.write_bytes(first + b"x" * (1 << 22))
    with pytest.raises(InputError, match=r"line \d has no end: this is no text; give "):
        read(path)


def test_numbers_beyond_64_bits_are_one_sentence(case):
    read, first, _, path = case
    for number in (b"9" * 20, b"9" * 5000):
        path.write_bytes(first.replace(b"\t3\t", b"\t" + number + b"\t"))
        if path.read_bytes() == first:
            return  # a reader of no numbers
        if read is variants:
            assert read(path)[2].position == (1 << 40) - 1  # past the end of every contig, and counted so
            return
        with pytest.raises(InputError) as caught:
            read(path)
        assert len(str(caught.value)) < 400


def test_bytes_that_are_no_utf8_end_no_reader(case):
    read, first, second, path = case
    path.write_bytes(first.replace(b"a3", b"a\xe9\xff") + second)
    try:
        read(path)
    except InputError as refused:
        assert str(refused).isprintable()  # noqa: PT017  (either is right: what counts is that nothing else is raised)


def test_mutated_text_is_read_or_refused_in_one_sentence(case):
    read, first, second, path = case
    rng = np.random.default_rng(5)
    whole = first + second
    odd = [
        b"\0",
        b"\t",
        b"\n",
        b"-1",
        b"1e9",
        b"\x1b[2J",
        b"\xff",
        b"nan",
        b"9" * 30,
        b"",
        b";",
        b'"',
        b"\r",
        b".",
        b",,",
    ]
    for _ in range(120):
        content = bytearray(whole)
        for _ in range(int(rng.integers(1, 4))):
            at = int(rng.integers(0, len(content)))
            content[at : at + int(rng.integers(0, 4))] = odd[int(rng.integers(0, len(odd)))]
        path.write_bytes(content)
        try:
            read(path)
        except InputError as refused:
            assert "\n" not in str(refused)  # noqa: PT017
            assert "\x1b" not in str(refused)  # noqa: PT017


@pytest.mark.parametrize("block_bytes", [1, 7, 1 << 16, 1 << 18])
def test_chunks_are_no_longer_than_asked_for_and_all_there(block_bytes, tmp_path):
    content = (
        np.random.default_rng(1)
        .choice(list(b"ACGT\n"), 300_000 if block_bytes > 100 else 3000)
        .astype(np.uint8)
        .tobytes()
    )
    for packed in (content, gzip.compress(content), bgzip(content, tmp_path / "x"), bgzip(content, tmp_path / "x") * 2):
        chunks = list(decompressed(io.BytesIO(packed), block_bytes, "x"))
        assert b"".join(chunks) in (content, content * 2)
        assert max(map(len, chunks)) <= max(block_bytes, 8)


def test_standard_input_takes_mixed_members_too(tmp_path, monkeypatch):
    content = bgzip(b"I\t1\t9\n", tmp_path / "x") + gzip.compress(b"I\t3\t9\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert read_bed("-", LENGTHS).start.tolist() == [1, 3]

"""`genolstm track`: what it makes, says and refuses."""

import gzip
import hashlib
import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import pysam
import pytest

import genolstm
from genolstm.store.files import open_file
from genolstm.store.genome import open_genome
from genolstm.store.schema import Kind
from genolstm.store.track import open_track

pyBigWig = pytest.importorskip("pyBigWig")

LENGTHS = {"I": 1202, "II": 500, "III": 400}
EXAMPLES = Path(__file__).resolve().parents[2] / "example_data"


@pytest.fixture
def bam(tmp_path):
    """Five reads: two used, one of low quality, one duplicate, one improper; a contig that the genome lacks."""
    path = tmp_path / "reads.bam"
    header = {"SQ": [{"SN": name, "LN": length} for name, length in {**LENGTHS, "M": 99}.items()]}
    with pysam.AlignmentFile(path, "wb", header=header) as file:
        for flag, start, mapq in ((0x3, 100, 42), (0x13, 200, 42), (0x3, 300, 9), (0x403, 400, 42), (0x1, 500, 42)):
            read = pysam.AlignedSegment()
            read.query_name, read.flag, read.reference_id, read.reference_start = "r", flag, 0, start
            read.mapping_quality, read.cigartuples, read.query_sequence = mapq, [(0, 50)], "A" * 50
            file.write(read)
    return path


@pytest.fixture
def track(run, genome_file, tmp_path):
    """Function: arguments -> how it ended, and where contig I has counts."""

    def ran(*arguments):
        ended = run("track", *arguments, "--genome", genome_file, "-o", tmp_path / "t.h5", "-f")
        counts = open_track(tmp_path / "t.h5").counts("I", 0, 1202) if ended.code == 0 else np.empty(0)
        return ended, np.flatnonzero(np.nan_to_num(counts)).tolist()

    return ran


def test_json_holds_the_fixed_keys_and_the_cuts(track, bam, tmp_path):
    ended, places = track(bam, "--json")
    told = json.loads(ended.out)
    assert {"command", "version", "output", "seconds", "device", "seed"} <= told.keys()
    assert told["records"] == {"read": 5, "used": 3, "skipped": {"duplicate": 1, "mapping quality below 10": 1}}
    assert (told["cuts"], told["form"], told["shifted_already"]) == (3, "BAM", False)
    assert places == [104, 245, 504]
    assert ended.err.splitlines() == [
        f"genolstm {genolstm.__version__} track",
        f"1 contig of {bam} not in {ended_genome(ended)}, left out: M.",
        "BAM: ends of reads shifted by +4/-5",
        "skipped: 1 duplicate; 1 mapping quality below 10",
        ended.err.splitlines()[-1],
    ]
    assert ended.err.splitlines()[-1].startswith(f"wrote {tmp_path / 't.h5'}: 3 cuts at 3 bases in ")


def ended_genome(ended):
    return ended.err.split(" not in ")[1].split(",")[0]


def test_file_says_what_was_counted_and_from_what(track, bam, genome_file, tmp_path):
    track(bam, "--min-mapq", "30", "--proper-pairs")
    with open_file(tmp_path / "t.h5", Kind.TRACK, verify=True) as file:
        inputs = json.loads(file.attrs["inputs"])
        assert inputs["reads"] == hashlib.sha256(bam.read_bytes()).hexdigest()
        assert inputs["genome"] == open_genome(genome_file).sha256
        assert json.loads(file.attrs["records"])["read"] == 5
        assert json.loads(file.attrs["settings"])["min_mapq"] == 30
        assert json.loads(file.attrs["filters"]) == {"keep_duplicates": False, "min_mapq": 30, "proper_pairs": True}
        assert (file.attrs["assay"], file.attrs["unit"]) == ("atac", "cuts/bp")
        assert (file.attrs["forward_shift"], file.attrs["reverse_shift"]) == (4, -5)


@pytest.mark.parametrize(
    ("options", "places"),
    [
        (("--min-mapq", "9"), [104, 245, 304, 504]),
        (("--proper-pairs",), [104, 245]),
        (("--keep-duplicates",), [104, 245, 404, 504]),
        (("--shift", "done"), [100, 250, 500]),
        (("--shift", "apply"), [104, 245, 504]),
        (("--assay", "coverage"), [*range(100, 150), *range(200, 250), *range(500, 550)]),
    ],
)
def test_every_option_has_an_effect(track, bam, options, places):
    assert track(bam, *options)[1] == places


def test_coverage_tells_bases_covered_and_no_shift(track, bam, tmp_path):
    ended, _ = track(bam, "--assay", "coverage", "--json")
    assert json.loads(ended.out)["bases_covered"] == 150
    assert "cuts" not in json.loads(ended.out)
    assert "shifted" not in ended.err
    opened = open_track(tmp_path / "t.h5")
    assert (opened.unit, opened.origin.forward_shift, opened.origin.reverse_shift) == ("reads/bp", 0, 0)


def test_blacklist_is_left_out_and_not_observed(track, bam, tmp_path):
    (tmp_path / "b.bed").write_text("I\t240\t260\nI\t250\t270\nX\t1\t2\n")
    ended, places = track(bam, "--blacklist", tmp_path / "b.bed", "--json")
    assert places == [104, 504]
    assert json.loads(ended.out)["records"]["skipped"]["cut in the blacklist"] == 1
    assert "left out 1 interval of" in ended.err
    opened = open_track(tmp_path / "t.h5")
    assert np.flatnonzero(np.isnan(opened.counts("I", 0, 1202))).tolist() == [*range(240, 270)]
    assert [column.tolist() for column in opened.blacklist] == [[0], [240], [270]]


def test_bigwig_tells_the_same_as_the_track(track, bam, tmp_path):
    (tmp_path / "b.bed").write_text("I\t240\t260\n")
    ended, _ = track(bam, "--bigwig", tmp_path / "t.bw", "--blacklist", tmp_path / "b.bed")
    assert ended.code == 0
    opened = open_track(tmp_path / "t.h5")
    with pyBigWig.open(str(tmp_path / "t.bw")) as file:
        assert file.chroms() == LENGTHS
        for name, length in LENGTHS.items():
            assert np.array_equal(file.values(name, 0, length, numpy=True), opened.counts(name, 0, length), True)


def test_fragments_and_standard_input_are_read(track, tmp_path, monkeypatch):
    text = "I\t100\t250\tAAAC-1\t3\n"
    (tmp_path / "f.tsv.gz").write_bytes(gzip.compress(text.encode()))
    ended, places = track(tmp_path / "f.tsv.gz")
    assert places == [100, 250]
    assert "fragments: ends of fragments not shifted" in ended.err
    assert "2 contigs of" in ended.err
    with (tmp_path / "f.tsv.gz").open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        ended, places = track("-", "--shift", "apply")
    assert places == [104, 245]
    with open_file(tmp_path / "t.h5", Kind.TRACK) as file:
        assert list(json.loads(file.attrs["inputs"])) == ["genome"]  # a stream has passed: there is no file to hash
        assert json.loads(file.attrs["filters"]) == {}


def test_cram_is_held_against_its_reference_when_one_is_given(track, fasta, tmp_path):
    header = {"SQ": [{"SN": name, "LN": length} for name, length in LENGTHS.items()]}
    with pysam.AlignmentFile(tmp_path / "a.cram", "wc", header=header, reference_filename=str(fasta)) as file:
        read = pysam.AlignedSegment()
        read.query_name, read.reference_id, read.reference_start = "r", 0, 100
        read.mapping_quality, read.cigartuples, read.query_sequence = 42, [(0, 50)], "A" * 50
        file.write(read)
    (tmp_path / "other.fa").write_text(fasta.read_text().replace("G", "C"))
    assert track(tmp_path / "a.cram")[1] == [104]
    assert track(tmp_path / "a.cram", "--reference", fasta)[1] == [104]
    ended, _ = track(tmp_path / "a.cram", "--reference", tmp_path / "other.fa")
    assert ended.code == 3
    assert "does not agree with" in ended.err


def test_bad_input_ends_with_3_and_one_sentence_and_keeps_the_old_output(run, bam, genome_file, tmp_path):
    (tmp_path / "t.h5").write_text("old")
    cut = tmp_path / "cut.bam"
    cut.write_bytes(bam.read_bytes()[:-28])
    ended = run("track", cut, "--genome", genome_file, "-o", tmp_path / "t.h5", "-f")
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.splitlines()[-1].startswith(f"genolstm: {cut} is cut short")
    assert (tmp_path / "t.h5").read_text() == "old"
    assert not list(tmp_path.glob(".*"))


def test_full_disk_is_one_sentence(run, bam, genome_file, tiny_disk, monkeypatch):
    monkeypatch.setattr("genolstm.readers.tally.HELD", 1)
    with (tiny_disk / "filler").open("wb", buffering=0) as filler, suppress(OSError):
        while True:
            filler.write(bytes(4096))
    ended = run("track", bam, "--genome", genome_file, "-o", tiny_disk / "t.h5")
    assert ended.code == 3
    assert "took no more counts (No space left on device): free space" in ended.err
    assert [each.name for each in tiny_disk.iterdir()] == ["filler"]


def test_bad_usage_ends_with_2(run, track, bam, genome_file, tmp_path):
    ended, _ = track(bam, "--assay", "coverage", "--shift", "done")
    assert ended.code == 2
    assert "--shift moves read ends to Tn5 cuts" in ended.err
    assert track(bam, "--reference", bam)[0].code == 2
    out = ("--genome", genome_file, "-o")
    assert run("track", bam, *out, bam).code == 2
    (tmp_path / "old.bw").write_text("old")
    assert run("track", bam, *out, tmp_path / "t2.h5", "--bigwig", tmp_path / "old.bw").code == 2
    assert run("track", bam, *out, tmp_path / "t2.h5", "--bigwig", tmp_path / "t2.h5").code == 2
    assert not (tmp_path / "t2.h5").exists()


def test_quiet_says_warnings_only(run, bam, genome_file, tmp_path):
    ended = run("track", bam, "--genome", genome_file, "-o", tmp_path / "t.h5", "-q")
    assert (ended.code, ended.out) == (0, "")
    assert ended.err == f"1 contig of {bam} not in {genome_file}, left out: M.\n"


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="no example data")
def test_example_reads_are_open_where_their_peaks_are(run, tmp_path):
    assert run("ingest", EXAMPLES / "genome.fa.gz", "-o", tmp_path / "g.h5", "-q").code == 0
    assert run("track", EXAMPLES / "atac.bam", "--genome", tmp_path / "g.h5", "-o", tmp_path / "t.h5", "-q").code == 0
    opened = open_track(tmp_path / "t.h5")
    inside = outside = 0.0
    for name, length in zip(opened.names, opened.lengths.tolist(), strict=True):
        counts = opened.counts(name, 0, length)
        open_here = np.zeros(length, bool)
        for line in (EXAMPLES / "peaks.narrowPeak").read_text().splitlines():
            contig, start, end = line.split("\t")[:3]
            if contig == name:
                open_here[int(start) : int(end)] = True
        inside += counts[open_here].sum() / max(open_here.sum(), 1)
        outside += counts[~open_here].sum() / (~open_here).sum()
    assert inside > 3 * outside


# --- a bigWig, BED and BEDPE, and shifts of one's own ---


@pytest.fixture
def wig(tmp_path):
    """A signal on contigs I and II, and on one that the genome lacks."""

    def made(rows=(("I", 10, 20, 0.25), ("I", 20, 30, 1.5), ("II", 0, 5, 7.0)), lengths=LENGTHS):
        path = tmp_path / "signal.bw"
        with pyBigWig.open(str(path), "w") as file:
            file.addHeader([(name, lengths[name]) for name in ("I", "II")] + [("M", 99)])
            for contig, start, end, value in rows:
                file.addEntries([contig], [start], ends=[end], values=[value])
        return path

    return made


def test_a_bigwig_is_a_signal_whose_values_are_kept(track, wig, tmp_path):
    (tmp_path / "b.bed").write_text("I\t25\t28\n")
    ended, _ = track(wig(), "--blacklist", tmp_path / "b.bed", "--bigwig", tmp_path / "out.bw", "--json")
    opened = open_track(tmp_path / "t.h5")
    assert (opened.unit, opened.origin.assay, opened.origin.form) == ("signal", "signal", "bigWig")
    assert opened.total == pytest.approx(0.25 * 10 + 1.5 * 10 + 35)
    values = opened.counts("I", 8, 32)
    expected = [0, 0, *[0.25] * 10, *[1.5] * 5, *[np.nan] * 3, *[1.5] * 2, 0, 0]
    assert np.array_equal(values, np.array(expected, np.float32), equal_nan=True)
    assert np.isnan(opened.counts("III", 0, 9)).all()
    with pyBigWig.open(str(tmp_path / "out.bw")) as file:
        assert file.values("I", 8, 25) == pytest.approx(expected[:17])
    assert "left out: M." in ended.err
    assert json.loads(ended.out)["form"] == "bigWig"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--shift", "4,-6"), "is a bigWig"),
        (("--assay", "coverage"), "is a bigWig"),
        (("--min-mapq", "1"), "is a bigWig"),
    ],
)
def test_options_of_reads_are_wrong_usage_with_a_bigwig(track, wig, options, said):
    ended, _ = track(wig(), *options)
    assert ended.code == 2
    assert f"{said}, which holds a signal and no reads: leave out --assay, --shift" in ended.err


def test_a_bigwig_of_another_genome_or_below_zero_is_refused(track, wig):
    ended, _ = track(wig(lengths={"I": 1300, "II": 500}))
    assert (ended.code, "I has 1,300 bp in" in ended.err) == (3, True)
    ended, _ = track(wig(rows=[("I", 10, 20, -2.0)]))
    assert ended.code == 3
    assert "has the value -2 at I:11; a signal is 0 or more: give counts or their fold over the mean" in ended.err


def test_a_damaged_bigwig_is_one_sentence(track, wig):
    path = wig()
    whole = path.read_bytes()
    for cut in (5, 60, 200, len(whole) // 2):
        path.write_bytes(whole[:cut])
        ended, _ = track(path)
        assert (ended.code, "is damaged or cut short; copy or download it again" in ended.err) == (3, True)


@pytest.mark.parametrize(
    ("shift", "places"),
    [("4,-5", [104, 245, 504]), ("4,-6", [104, 244, 504]), ("-3,+2", [97, 252, 497]), ("0,0", [100, 250, 500])],
)
def test_shifts_count_from_the_start_and_the_half_open_end(track, bam, tmp_path, shift, places):
    assert track(bam, "--shift", shift)[1] == places
    with open_file(tmp_path / "t.h5", Kind.TRACK) as file:
        assert [file.attrs["forward_shift"], file.attrs["reverse_shift"]] == [int(each) for each in shift.split(",")]
        assert json.loads(file.attrs["settings"])["reverse_shift"] == int(shift.split(",")[1])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--shift", "4"), "--shift is auto, apply, done, or two whole numbers as in 4,-5; not '4'."),
        (("--shift", "4,x"), "or two whole numbers as in 4,-5; not '4,x'."),
        (("--shift", "4,-5000"), "a read's end is moved by 1,000 bp at most"),
        (("--shift", "4,-5", "--assay", "coverage"), "coverage counts whole reads: leave it out"),
    ],
)
def test_shifts_that_cannot_be_are_wrong_usage(track, bam, options, said):
    ended, _ = track(bam, *options)
    assert (ended.code, said in ended.err) == (2, True)


def test_layout_of_text_is_logged(track, tmp_path):
    (tmp_path / "f.bed").write_text("I\t10\t11\tr1\t60\t+\nI\t30\t31\tr2\t60\t-\n")
    ended, places = track(tmp_path / "f.bed")
    assert places == [10, 30]
    assert "BED of single bases, a Tn5 insertion on each line" in ended.err.splitlines()

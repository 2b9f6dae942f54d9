"""`genolstm methylation count`: what it makes, says and refuses."""

import json
import math
from pathlib import Path

import numpy as np
import pysam
import pytest

from genolstm.methylation.counting import joined, merged
from genolstm.readers.motifs import parse_motif
from genolstm.readers.site_counts import SiteCounts
from genolstm.store.counts import read_calling, read_counts
from genolstm.store.files import open_file
from genolstm.store.schema import Kind
from genolstm.writers.bam import write_bam

EXAMPLE = Path(__file__).resolve().parents[2] / "example_data"
BAMS = [EXAMPLE / f"methylation/t{hours}h.bam" for hours in ("00", "01", "04", "16")]
TIMES = "chrom\tpos\tmeth_0h\tunmeth_0h\tmeth_4h\tunmeth_4h\n"


@pytest.fixture(scope="session")
def example_genome(tmp_path_factory, finished):
    path = tmp_path_factory.mktemp("example") / "genome.h5"
    assert finished("ingest", EXAMPLE / "genome.fa.gz", "-o", path).code == 0
    return path


@pytest.fixture
def small(tmp_path, run):
    """Genome file of one contig, 'TTCGAACCGGGATCTT', and a function: SAM tags of reads over all of it -> BAM."""
    sequence = "TTCGAACCGGGATCTT"
    (tmp_path / "g.fa").write_text(f">I\n{sequence}\n")
    assert run("ingest", tmp_path / "g.fa", "-o", tmp_path / "g.h5", "-q").code == 0

    def made(name, *reads, mapq=60):
        lines = (
            f"r{row}\t{flag}\tI\t1\t{mapq}\t16M\t*\t0\t0\t{sequence}\t*\t{tags}"
            for row, (flag, tags) in enumerate(reads)
        )
        write_bam(tmp_path / name, {"I": 16}, lines)
        return tmp_path / name

    return tmp_path / "g.h5", made


def rows(path, column=0):
    counts = read_counts(path)
    columns = (counts.position, counts.strand, counts.modified[:, column], counts.covered[:, column])
    return [tuple(map(int, row)) for row in zip(*columns, strict=True)]


FORWARD = (0, "MM:Z:C+m?,0,1;\tML:B:C,250,5")  # C of CpG at 2 and 7
REVERSE = (16, "MM:Z:C+m?,2,0;\tML:B:C,250,5")  # as sequenced: AAGATCCCGGTTCGAA; G of CpG at 8 and 3


def test_bams_become_samples_of_one_table(run, example_genome, tmp_path):
    ended = run("methylation", "count", *BAMS, "--genome", example_genome, "-o", tmp_path / "c.h5", "--json", "-q")
    assert (ended.code, ended.err) == (0, "")
    told, counts = json.loads(ended.out, parse_constant=pytest.fail), read_counts(tmp_path / "c.h5")
    assert counts.samples == ("t00h", "t01h", "t04h", "t16h")
    assert counts.contigs == ("chrA", "chrB", "chrC")
    assert told["command"] == "methylation count"
    assert told["records"] == {"read": 320, "used": 312, "skipped": {"without MM or XM tag": 8}}
    assert told["sites"] == len(counts) == 6358
    assert told["calls"] == counts.covered.sum()
    assert told["modified"] == counts.modified.sum()
    assert told["fraction"] == pytest.approx(counts.modified.sum() / counts.covered.sum())
    assert told["passing"] == pytest.approx(0.93, abs=0.005)
    assert list(told["samples"]) == list(counts.samples)
    assert told["samples"]["t16h"]["fraction"] > told["samples"]["t00h"]["fraction"] + 0.4
    assert sum(told["dropped"].values()) > 6000
    with open_file(tmp_path / "c.h5", Kind.COUNTS, verify=True) as file:
        assert json.loads(file.attrs["settings"])["threshold"] == 0.8
        assert json.loads(file.attrs["records"]) == told["records"]
        assert set(json.loads(file.attrs["inputs"])) == {"genome", *map(str, BAMS)}


def test_two_runs_write_the_same_bytes(run, example_genome, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        assert run("methylation", "count", BAMS[0], "--genome", example_genome, "-o", "c.h5", "-q").code == 0
    assert (tmp_path / "a/c.h5").read_bytes() == (tmp_path / "b/c.h5").read_bytes()


def test_samples_that_share_no_site_have_zeros_there(run, small):
    genome, made = small
    one, two = made("one.bam", FORWARD), made("two.bam", REVERSE)
    out = genome.parent / "c.h5"
    assert run("methylation", "count", one, two, "--genome", genome, "-o", out).code == 0
    assert rows(out) == [(2, 1, 1, 1), (3, -1, 0, 0), (7, 1, 0, 1), (8, -1, 0, 0)]
    assert rows(out, 1) == [(2, 1, 0, 0), (3, -1, 0, 1), (7, 1, 0, 0), (8, -1, 1, 1)]


def test_merged_strands_add_up_at_the_forward_base(run, small):
    genome, made = small
    path, out = made("one.bam", FORWARD, REVERSE, REVERSE), genome.parent / "c.h5"
    assert run("methylation", "count", path, "--genome", genome, "-o", out, "--merge-strands").code == 0
    assert rows(out) == [(2, 0, 1, 3), (7, 0, 2, 3)]


def test_code_motif_and_threshold_choose_what_is_counted(run, small):
    genome, made = small
    out = genome.parent / "c.h5"
    # A of GATC at 11, on the reverse strand the one that pairs with T at 12
    path = made("a.bam", (0, "MM:Z:A+a?,2;T-a?,2;C+m?,0;\tML:B:C,240,180,250"))
    count = ("methylation", "count", path, "--genome", genome, "-o", out, "-f")
    assert run(*count, "--code", "a", "--motif", "gatc,1").code == 0
    assert rows(out) == [(11, 1, 1, 1)]
    assert read_calling(out) == ("a", "GATC,1", 0.8)
    assert run(*count, "--code", "a", "--motif", "GATC,1", "--threshold", "0.7").code == 0
    assert rows(out) == [(11, 1, 1, 1), (12, -1, 1, 1)]
    assert run(*count, "--code", "a", "--motif", "GATC,1", "--threshold", "0.7", "--merge-strands").code == 0
    assert rows(out) == [(11, 0, 2, 2)]
    assert run(*count).code == 0
    assert rows(out) == [(2, 1, 1, 1)]


def test_overlapping_reads_of_a_pair_count_once_unless_reads_are_asked_for(run, small):
    genome, made = small
    path, out = genome.parent / "pair.bam", genome.parent / "c.h5"
    with pysam.AlignmentFile(str(made("one.bam", FORWARD))) as file:
        lengths, sequence = dict(zip(file.references, file.lengths, strict=True)), next(iter(file)).query_sequence
    letters = "".join("z" if at in (2, 7) else "." for at in range(len(sequence)))
    pair = f"\t60\t{len(sequence)}M\t=\t1\t0\t{sequence}\t*\tXM:Z:{letters}\tXG:Z:CT"
    write_bam(path, lengths, [f"f\t99\tI\t1{pair}", f"f\t147\tI\t1{pair}"])
    count = ("methylation", "count", path, "--genome", genome, "-o", out, "-f", "--json")
    ended = run(*count)
    assert "calls not counted: 2 second read of a fragment at the same base" in ended.err
    told = json.loads(ended.out)
    assert (told["count"], told["calls"], told["second_read_calls"], told["passing"]) == ("molecules", 2, 2, 1.0)
    assert told["records"]["used"] == 2
    assert rows(out) == [(2, 1, 0, 1), (7, 1, 0, 1)]
    told = json.loads(run(*count, "--count", "reads").out)
    assert (told["count"], told["calls"], told["second_read_calls"]) == ("reads", 4, 0)
    assert rows(out) == [(2, 1, 0, 2), (7, 1, 0, 2)]


def test_merged_sample_beside_a_stranded_one_is_warned_of(run, small):
    genome, _ = small
    folder = genome.parent
    (folder / "a.bed").write_text("I\t2\t3\tm\t10\t.\t2\t3\t255,0,0\t10\t80.00\t8\t2\t0\t0\t0\t0\t0\n")
    (folder / "b.bed").write_text("I\t2\t3\tm\t5\t+\t2\t3\t255,0,0\t5\t80.00\t4\t1\t0\t0\t0\t0\t0\n")
    count = (
        "methylation",
        "count",
        folder / "a.bed",
        folder / "b.bed",
        "--genome",
        genome,
        "-o",
        folder / "c.h5",
        "-f",
    )
    warning = f"{folder / 'a.bed'} holds sites with both strands merged and {folder / 'b.bed'} holds single strands"
    assert warning in run(*count).err
    assert warning not in run(*count, "--merge-strands").err
    assert rows(folder / "c.h5", 1) == [(2, 0, 4, 5)]


def test_dialect_of_a_table_is_said(run, small):
    genome, _ = small
    path = genome.parent / "x.cov"
    path.write_text("I\t3\t4\t80\t8\t2\nI\t8\t9\t10\t1\t9\n")
    ended = run("methylation", "count", path, "--genome", genome, "-o", genome.parent / "c.h5", "--json")
    assert (
        f"{path}: read as coverage of 6 columns; percentage, methylated, unmethylated; a CG a row, counted" in ended.err
    )
    assert "strands merged" in json.loads(ended.out)["formats"][str(path)]


def test_mapping_quality_is_asked_for(run, small):
    genome, made = small
    path, out = made("one.bam", FORWARD, mapq=7), genome.parent / "c.h5"
    ended = run("methylation", "count", path, "--genome", genome, "-o", out)
    assert ended.code == 3
    assert "could be used (1 mapping quality below 10)" in ended.err
    assert not out.exists()
    assert run("methylation", "count", path, "--genome", genome, "-o", out, "--min-mapq", "7").code == 0


def test_samples_are_named_by_files_or_by_name(run, small):
    genome, made = small
    (genome.parent / "x").mkdir()
    one, two, out = made("a.bam", FORWARD), made("x/a.bam", FORWARD), genome.parent / "c.h5"
    count = ("methylation", "count", one, two, "--genome", genome, "-o", out)
    ended = run(*count)
    assert (ended.code, ended.err.splitlines()[-1]) == (
        2,
        "genolstm: two samples are called 'a'; name each with --sample.",
    )
    assert run(*count, "--sample", "day 1", "--sample", "day 2").code == 0
    assert read_counts(out).samples == ("day 1", "day 2")
    ended = run(*count, "-f", "--sample", "day 1")
    assert (ended.code, ended.err.splitlines()[-1]) == (
        2,
        "genolstm: 1 sample names are given for 2 samples; give one --sample for each.",
    )


def test_bedmethyl_is_written_and_reads_back_equal(run, small):
    genome, made = small
    one, two, folder = made("one.bam", FORWARD, FORWARD), made("two.bam", REVERSE), genome.parent
    first = run(
        "methylation", "count", one, two, "--genome", genome, "-o", folder / "c.h5", "--bedmethyl",
        folder / "{sample}.bed.gz",
    )  # fmt: skip
    assert first.code == 0
    again = run(
        "methylation", "count", folder / "one.bed.gz", folder / "two.bed.gz", "--genome", genome, "-o", folder / "d.h5"
    )
    assert again.code == 0
    for column in (0, 1):
        assert rows(folder / "d.h5", column) == rows(folder / "c.h5", column)
    assert read_counts(folder / "d.h5").samples == ("one", "two")


def test_bedmethyl_of_several_samples_needs_a_name_for_each(run, small):
    genome, made = small
    one, two, folder = made("one.bam", FORWARD), made("two.bam", REVERSE), genome.parent
    count = ("methylation", "count", one, two, "--genome", genome, "-o", folder / "c.h5", "--bedmethyl")
    ended = run(*count, folder / "x.bed")
    assert ended.code == 2
    assert "bedMethyl holds one sample and there are 2: put {sample} into the name" in ended.err
    (folder / "one.bed").write_text("mine")
    assert run(*count, folder / "{sample}.bed").code == 2
    assert (folder / "one.bed").read_text() == "mine"
    assert not (folder / "c.h5").exists()
    assert run(*count, folder / "{sample}.bed", "--force").code == 0
    assert (folder / "one.bed").read_text().startswith("I\t2\t3\tm\t")


def test_output_that_exists_is_refused_before_any_work(run, small):
    genome, made = small
    path, out = made("one.bam", FORWARD), genome.parent / "c.h5"
    out.write_text("mine")
    ended = run("methylation", "count", path, "--genome", genome, "-o", out)
    assert ended.code == 2
    assert "add --force to replace it" in ended.err
    (genome.parent / "x.bed").write_text("mine")
    count = ("methylation", "count", path, "--genome", genome, "-o", genome.parent / "d.h5", "--bedmethyl")
    assert run(*count, genome.parent / "x.bed").code == 2
    assert run(*count, genome.parent / "x.bed", "-f").code == 0


def test_table_over_time_points_needs_no_genome(run, tmp_path):
    (tmp_path / "t.tsv").write_text(f"{TIMES}chr1\t5\t1\t2\t3\t4\nchr1\t9\t0\t2\t0\t0\n")
    ended = run("methylation", "count", tmp_path / "t.tsv", "-o", tmp_path / "c.h5", "--json")
    told, counts = json.loads(ended.out), read_counts(tmp_path / "c.h5")
    assert counts.samples == ("0h", "4h")
    assert counts.covered.tolist() == [[3, 7], [2, 0]]
    assert (told["sites"], told["calls"], told["modified"], told["passing"]) == (2, 12, 4, 1.0)
    assert math.isclose(told["fraction"], 1 / 3)


def test_tables_and_reads_stand_side_by_side(run, small):
    genome, made = small
    path, out = made("one.bam", FORWARD), genome.parent / "c.h5"
    (genome.parent / "two.cov").write_text("I\t3\t3\t50\t1\t1\nI\t9\t9\t50\t2\t2\n")
    assert run("methylation", "count", path, genome.parent / "two.cov", "--genome", genome, "-o", out).code == 0
    assert read_counts(out).samples == ("one", "two")
    assert rows(out, 1) == [(2, 1, 1, 2), (7, 1, 0, 0), (8, -1, 2, 4)]


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        ((), 2, "holds reads: give the genome that they were aligned to with --genome."),
        (("--code", "x"), 2, "code 'x' is not one of m, h, a, or some of them together, as mh."),
        (("--code", "mm"), 2, "code 'mm' is not one of m, h, a"),
        (("--code", "ma"), 2, "code 'ma' holds modifications of A and C; count them apart."),
        (("--threshold", "0.4"), 2, "threshold 0.4 must lie within 0.5 and 0.9980"),
        (("--threshold", "1"), 2, "threshold 1 must lie within 0.5 and 0.9980"),
        (("--min-mapq", "300"), 2, "min mapq 300 must lie within 0 and 255"),
        (("--motif", "CG"), 2, "motif 'CG' is not IUPAC letters and an offset within them"),
        (("--motif", "GATC,1"), 2, "has A at its offset, where the modification sits on C; change --motif or --code."),
        (("--motif", "CHH,0", "--merge-strands"), 2, "does not read the same on both strands: leave out"),
    ],
)
def test_wrong_use_is_refused_in_one_sentence(run, tmp_path, options, code, told):
    ended = run("methylation", "count", BAMS[0], "-o", tmp_path / "c.h5", *options)
    assert (ended.code, ended.out) == (code, "")
    assert told in ended.err.splitlines()[-1]
    assert [*tmp_path.iterdir()] == []


def test_sample_without_a_count_is_refused(run, small):
    genome, made = small
    path, out = made("one.bam", (0, "MM:Z:C+m?,0;\tML:B:C,128")), genome.parent / "c.h5"
    ended = run("methylation", "count", path, "--genome", genome, "-o", out)
    assert ended.code == 3
    assert ended.err.splitlines()[-1] == (
        "genolstm: sample 'one' has no counted call at CG,0; leave it out, or change --motif, --code, --threshold."
    )
    (genome.parent / "t.tsv").write_text(f"{TIMES}I\t2\t1\t2\t0\t0\n")
    ended = run("methylation", "count", genome.parent / "t.tsv", "-o", out)
    assert ended.code == 3
    assert "sample '4h' has no counted call" in ended.err


def test_protein_genome_is_refused(run, small, tmp_path):
    _, made = small
    (tmp_path / "p.fa").write_text(">I\nMKVLAAGG\n")
    assert run("ingest", tmp_path / "p.fa", "--alphabet", "protein", "-o", tmp_path / "p.h5").code == 0
    ended = run("methylation", "count", made("a.bam", FORWARD), "--genome", tmp_path / "p.h5", "-o", tmp_path / "c.h5")
    assert ended.code == 3
    assert "holds protein, not DNA; give a DNA genome" in ended.err


def test_log_tells_samples_share_passing_and_what_was_dropped(run, example_genome, tmp_path):
    ended = run("methylation", "count", BAMS[3], "--genome", example_genome, "-o", tmp_path / "c.h5")
    lines = ended.err.splitlines()
    assert f"{BAMS[3]}: 77 of 79 records used, 22,537 calls counted" in lines
    assert "t16h: 22,537 calls counted, 71.0 % modified; 93.0 % of the calls at sites pass" in lines
    assert any(text.startswith("calls not counted: 1,684 neither modified nor canonical") for text in lines)
    assert "skipped: 2 without MM or XM tag" in lines


def test_file_is_shown_with_its_samples(run, small):
    genome, made = small
    path, out = made("one.bam", FORWARD), genome.parent / "c.h5"
    assert run("methylation", "count", path, "--genome", genome, "-o", out, "-q").code == 0
    shown = run("show", out, "--verify").out.splitlines()
    assert "kind: counts" in shown
    assert "  one: 2 sites with reads, 2 reads, 50.0 % modified" in shown


def test_cram_takes_its_reference_from_the_option(run, small):
    import pysam

    genome, made = small
    path, folder = made("one.bam", FORWARD, FORWARD), genome.parent
    with (
        pysam.AlignmentFile(str(path)) as reads,
        pysam.AlignmentFile(
            str(folder / "one.cram"), "wc", template=reads, reference_filename=str(folder / "g.fa")
        ) as out,
    ):
        for read in reads:
            out.write(read)
    (folder / "g.fa").rename(folder / "moved.fa")
    (folder / "g.fa.fai").unlink()
    count = ("methylation", "count", folder / "one.cram", "--genome", genome, "-o", folder / "c.h5")
    ended = run(*count)
    assert ended.code == 3
    assert "give the FASTA of a CRAM with --reference" in ended.err
    assert run(*count, "--reference", folder / "moved.fa").code == 0
    assert rows(folder / "c.h5") == [(2, 1, 2, 2), (7, 1, 0, 2)]


def test_help_ends_with_an_example(run):
    ended = run("methylation", "count", "--help")
    assert ended.code == 0
    assert "Example: genolstm methylation count t00h.bam" in ended.out


# joining and merging


def site_counts(rows_, contigs=("I",), samples=("",)):
    contig, position, strand, modified, covered = (np.array(column) for column in zip(*rows_, strict=True))
    return SiteCounts(
        contigs=contigs, contig=contig.astype(np.int32), position=position.astype(np.int64),
        strand=strand.astype(np.int8), modified=modified.astype(np.int32)[:, None],
        covered=covered.astype(np.int32)[:, None], samples=samples, read=0, used=0, skipped={}, calls=0, dropped={},
        warnings=(),
    )  # fmt: skip


def test_files_of_other_contigs_are_joined_by_name():
    one = site_counts([(0, 5, 1, 1, 2)], ("a",))
    two = site_counts([(0, 5, 1, 3, 4), (1, 5, 1, 5, 6)], ("b", "a"))
    counts = joined([one, two], ["x", "y"])
    assert counts.contigs == ("a", "b")
    assert counts.modified.tolist() == [[1, 5], [0, 3]]


def test_places_beyond_two_gigabases_and_many_contigs_keep_their_order():
    rows_ = [(0, 2**31 - 2, -1, 0, 1), (0, 2**31 - 2, 1, 0, 1), (4000, 0, 0, 0, 1)]
    counts = joined([site_counts(rows_, tuple(map(str, range(4001))))], ["x"])
    assert counts.contig.tolist() == [0, 0, 4000]
    assert counts.position.tolist() == [2**31 - 2, 2**31 - 2, 0]
    assert counts.strand.tolist() == [-1, 1, 0]


def test_merging_adds_reverse_to_forward_and_keeps_what_is_merged_already():
    found = merged(site_counts([(0, 4, 1, 1, 2), (0, 5, -1, 2, 3), (0, 8, -1, 1, 1)]), parse_motif("CG,0", "C"))
    assert found.position.tolist() == [4, 7]
    assert found.strand.tolist() == [0, 0]
    assert (found.modified[:, 0].tolist(), found.covered[:, 0].tolist()) == ([3, 1], [5, 1])
    again = merged(found, parse_motif("CG,0", "C"))
    assert again.covered.tolist() == found.covered.tolist()

"""Reads with modified bases to counts: what each tag says, what is refused, and the readable twin beside it."""

import gzip
import shutil
import subprocess
import sys
import tracemalloc
from io import TextIOWrapper
from pathlib import Path

import numpy as np
import pysam
import pytest
from made_calls import (
    FORWARD,
    REVERSE,
    SEQUENCE,
    assert_same,
    drawn_read,
    fasta_reference,
    line,
    mm,
    reference_lengths,
    reference_of,
    table,
)

from genolstm.errors import InputError
from genolstm.readers import modifications
from genolstm.readers.modification_loop import count_calls_slowly
from genolstm.readers.modifications import count_calls
from genolstm.readers.motifs import motif_sites, parse_motif
from genolstm.settings.methylation import CountSettings, CountUnit
from genolstm.writers.bam import write_bam

EXAMPLE = Path(__file__).resolve().parents[2] / "example_data"


@pytest.fixture(scope="session")
def example():
    return fasta_reference(EXAMPLE / "genome.fa.gz")


@pytest.fixture
def counted(tmp_path):
    """Function: SAM lines (without name) -> counts; both readers are asked, and must agree."""

    def made(*lines, sequence=SEQUENCE, contigs=None, twin=True, **settings):
        settings = CountSettings(**{"min_mapq": 0, **settings})
        reference = reference_of(contigs or {"I": sequence})
        path = tmp_path / "reads.bam"
        write_bam(path, reference_lengths(reference), (f"r{row}\t{line}" for row, line in enumerate(lines)))
        sites = motif_sites(reference, parse_motif(settings.motif, settings.bases))
        found = count_calls(path, reference, sites, settings)
        if twin:
            assert_same(found, count_calls_slowly(path, reference, sites, settings))
        return found

    return made


# what the tags say


def test_calls_are_modified_canonical_or_dropped_by_their_probability(counted):
    found = counted(line(mm("C+m?,0,0,1,1;", 255, 10, 128, 205)))
    assert table(found) == {(1, 1): (1, 1), (5, 1): (0, 1), (15, 1): (1, 1)}
    assert found.calls == 4
    assert found.dropped == {"neither modified nor canonical with probability 0.8": 1}


@pytest.mark.parametrize(("level", "kept"), [(204, False), (205, True), (50, True), (51, False)])
def test_threshold_is_met_by_the_middle_of_the_level(counted, level, kept):
    # 204 stands for 0.7988, 205 for 0.8027; 50 leaves 0.8027, 51 leaves 0.7988
    found = counted(line(mm("C+m?,0;", level)), line(mm("C+m?,0;", 255)))
    assert found.covered.sum() == 1 + kept


def test_reverse_reads_count_from_the_other_end_and_on_the_other_strand(counted):
    found = counted(line(mm("C+m?,0;", 250), flag=16))  # as sequenced: ATCCGGATCG...: its first C pairs with no CpG
    assert found.dropped == {"not at CG,0 in the genome": 1}
    found = counted(line(mm("C+m?,1,0;", 250, 250), flag=16))
    assert table(found) == {(16, -1): (1, 1), (11, -1): (1, 1)}


def test_calls_on_the_opposite_strand_lie_on_the_pairing_base(counted):
    assert table(counted(line(mm("G-m?,0;", 250)))) == {(2, -1): (1, 1)}
    assert table(counted(line(mm("G-m?,0,3;", 250, 1), flag=16))) == {(15, 1): (1, 1), (5, 1): (0, 1)}


@pytest.mark.parametrize("mode", ["", "."])
def test_unlisted_bases_are_canonical_in_the_implicit_modes(counted, mode):
    found = counted(line(mm(f"C+m{mode},1;", 250)))
    assert table(found) == {(1, 1): (0, 1), (5, 1): (1, 1), (10, 1): (0, 1), (15, 1): (0, 1)}
    assert found.calls == 4


def test_unlisted_bases_tell_nothing_in_the_explicit_mode(counted):
    assert table(counted(line(mm("C+m?,1;", 250)))) == {(5, 1): (1, 1)}


def test_an_empty_implicit_list_says_that_every_base_is_canonical(counted):
    assert table(counted(line(["MM:Z:C+m.;", "ML:B:C"]))) == dict.fromkeys([(at, 1) for at in FORWARD], (0, 1))
    found = counted(line(["MM:Z:C+m.;", "ML:B:C"], flag=16))
    assert table(found) == dict.fromkeys([(at, -1) for at in REVERSE], (0, 1))


def test_implied_calls_need_the_base_itself_in_the_read(counted):
    read = SEQUENCE[:5] + "T" + SEQUENCE[6:]  # the C of the second CpG reads T
    assert sorted(table(counted(line(["MM:Z:C+m.;", "ML:B:C"], sequence=read)))) == [(1, 1), (10, 1), (15, 1)]


def test_implied_canonical_of_one_code_is_weighed_against_listed_others(counted):
    # the first CpG is listed for h alone: probably h, so neither canonical nor m; the second is probably not h
    found = counted(line(mm("C+m.;C+h?,0,0;", 250, 2)))
    assert table(found) == {(5, 1): (0, 1), (10, 1): (0, 1), (15, 1): (0, 1)}
    assert found.dropped == {"another modification": 1}


def test_two_modifications_of_one_base_share_its_probability(counted):
    tags = mm("C+mh?,0,0,1,1;", 230, 20, 20, 230, 100, 150, 10, 10)
    assert table(counted(line(tags))) == {(1, 1): (1, 1), (15, 1): (0, 1)}
    assert table(counted(line(tags), code="h")) == {(5, 1): (1, 1), (15, 1): (0, 1)}
    assert table(counted(line(tags), code="mh")) == {(1, 1): (1, 1), (5, 1): (1, 1), (10, 1): (1, 1), (15, 1): (0, 1)}
    assert counted(line(tags)).dropped == {
        "another modification": 1, "neither modified nor canonical with probability 0.8": 1,
    }  # fmt: skip


def test_separate_lists_say_the_same_as_a_joint_one(counted):
    joint = line(mm("C+mh?,0,0,1,1;", 230, 20, 20, 230, 100, 150, 10, 10))
    apart = line(mm("C+h?,0,0,1,1;C+m?,0,0,1,1;", 20, 230, 150, 10, 230, 20, 100, 10))
    for code in ("m", "h", "mh"):
        assert table(counted(joint, code=code)) == table(counted(apart, code=code))


def test_chebi_numbers_are_their_letters(counted):
    assert table(counted(line(mm("C+27551?,0;C+76792?,1;", 250, 250)))) == {(1, 1): (1, 1)}
    assert table(counted(line(mm("C+27551?,0;C+76792?,1;", 250, 250)), code="h")) == {(5, 1): (1, 1)}


def test_old_spelling_of_the_tags_is_read_and_the_new_one_wins(counted):
    assert table(counted(line(["Mm:Z:C+m?,0;", "Ml:B:C,250"]))) == {(1, 1): (1, 1)}
    both = ["Mm:Z:C+m?,0;", "Ml:B:C,250", "MM:Z:C+m?,1;", "ML:B:C,1"]
    assert table(counted(line(both))) == {(5, 1): (0, 1)}
    assert table(counted(line(both[2:] + both[:2]))) == {(5, 1): (0, 1)}


def test_calls_of_any_base_lie_where_the_canonical_one_is(counted):
    found = counted(line(mm("N+m?,1,0;", 250, 250)))
    assert table(found) == {(1, 1): (1, 1)}
    assert found.dropped == {"genome or read has another base there": 1}


def test_6ma_in_gatc_is_counted_on_both_strands(counted):
    # GATC stands at 6 and 11: A at 7 and 12, on the reverse strand at 8 and 13
    found = counted(line(mm("A+a?,1;T-a?,2;", 250, 250)), code="a", motif="GATC,1")
    assert table(found) == {(7, 1): (1, 1), (8, -1): (1, 1)}


def test_bases_that_the_aligner_inserted_or_clipped_have_no_site(counted):
    read = "C" + SEQUENCE[:4] + "C" + SEQUENCE[4:]  # clipped C at 0; inserted C at 5
    found = counted(line(mm("C+m?,0,0,0,0;", 250, 250, 250, 250), sequence=read, cigar="1S4M1I16M"))
    assert table(found) == {(1, 1): (1, 1), (5, 1): (1, 1)}
    assert found.dropped == {"base inserted or clipped": 2}


def test_deletions_and_skips_move_what_follows(counted):
    read = SEQUENCE[:4] + SEQUENCE[8:]
    for operation in "DN":
        found = counted(line(mm("C+m?,2;", 250), sequence=read, cigar=f"4M4{operation}12M"))
        assert table(found) == {(10, 1): (1, 1)}


def test_operations_beyond_what_bam_can_count_are_read(tmp_path):
    pairs = 40_000  # 80,000 operations: more than the 65,535 that a BAM record has room for
    sequence = "CG" * pairs
    cigar = "1=1X" * pairs
    reference = reference_of({"I": sequence})
    reads = ["r\t" + line(mm("C+m?,39999;", 250), sequence=sequence, cigar=cigar)]
    write_bam(tmp_path / "r.bam", {"I": len(sequence)}, reads)
    found = counts_of(tmp_path / "r.bam", reference)
    assert table(found) == {(2 * 39999, 1): (1, 1)}


def test_counts_add_up_over_reads_and_contigs(counted):
    contigs = {"I": SEQUENCE, "II": "TTACGTT", "III": "AAAA"}
    reads = [line(mm("C+m?,0;", 250)), line(mm("C+m?,0;", 1))]
    reads += [line(mm("C+m?,0;", 250), sequence="ACGTT", contig="II", start=3)]
    found = counted(*reads, contigs=contigs)
    assert found.contig.tolist() == [0, 1]
    assert table(found) == {(1, 1): (1, 2), (3, 1): (1, 1)}


# Bismark


def test_xm_calls_lie_on_the_strand_that_xg_names(counted):
    forward = line(["XM:Z:.Z...z...hZ...h.....", "XG:Z:CT"])
    found = counted(forward)
    assert table(found) == {(1, 1): (1, 1), (5, 1): (0, 1), (10, 1): (1, 1)}
    assert found.dropped == {"XM calls outside CpG": 2}
    reverse = line(["XM:Z:..Z...z.............", "XG:Z:GA"], flag=16)
    assert table(counted(reverse)) == {(2, -1): (1, 1), (6, -1): (0, 1)}


def test_bisulfite_counts_for_5mc_only(counted):
    reads = line(["XM:Z:.Z..................", "XG:Z:CT"])
    with pytest.raises(InputError, match=r"holds no call of 'h', but methylation of C by XM .*; choose another --code"):
        counted(reads, code="h", twin=False)
    assert table(counted(reads, code="mh")) == {(1, 1): (1, 1)}


def test_xm_at_another_motif_counts_every_context(counted):
    found = counted(line(["XM:Z:.Z.......xZ.........", "XG:Z:CT"]), motif="CCG,0")
    assert table(found) == {(9, 1): (0, 1)}
    assert found.dropped == {"not at CCG,0 in the genome": 2}


# the two reads of a fragment


def xm_read(name, flag, start, mate_start, letters, sequence, contig="I", mate="="):
    """SAM line of a read by Bismark. start, mate_start : 0-based.   letters : its XM."""
    read = sequence[start : start + len(letters)]
    mate_columns = f"{mate}\t{mate_start + 1}" if mate else "*\t0"
    place = f"{contig}\t{start + 1}\t60\t{len(read)}M\t{mate_columns}\t0"
    return f"{name}\t{flag}\t{place}\t{read}\t*\tXM:Z:{letters}\tXG:Z:CT"


@pytest.fixture
def counted_lines(tmp_path):
    """Function: whole SAM lines -> counts; both readers are asked, and must agree."""

    def made(*lines, sequence=SEQUENCE, **settings):
        settings, reference = CountSettings(min_mapq=0, **settings), reference_of({"I": sequence, "II": sequence})
        write_bam(tmp_path / "reads.bam", reference_lengths(reference), lines)
        sites = motif_sites(reference, parse_motif("CG,0", "C"))
        found = count_calls(tmp_path / "reads.bam", reference, sites, settings)
        assert_same(found, count_calls_slowly(tmp_path / "reads.bam", reference, sites, settings))
        return found

    return made


FIRST_READ = xm_read("f", 99, 0, 4, ".Z...z......", SEQUENCE)  # CpGs at 1 and 5
LAST_READ = xm_read("f", 147, 4, 0, ".Z....Z....z....", SEQUENCE)  # CpGs at 5, 10 and 15
SECOND = "second read of a fragment at the same base"


@pytest.mark.parametrize("lines", [(FIRST_READ, LAST_READ), (LAST_READ, FIRST_READ)])
def test_base_that_both_reads_of_a_fragment_call_counts_once_by_the_first(counted_lines, lines):
    found = counted_lines(*lines)
    assert table(found) == {(1, 1): (1, 1), (5, 1): (0, 1), (10, 1): (1, 1), (15, 1): (0, 1)}
    assert (found.calls, found.dropped) == (4, {SECOND: 1})
    assert (found.read, found.used) == (2, 2)
    both = counted_lines(*lines, count=CountUnit.READS)
    assert table(both) == {(1, 1): (1, 1), (5, 1): (1, 2), (10, 1): (1, 1), (15, 1): (0, 1)}
    assert (both.calls, both.dropped) == (5, {})


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ({}, {"name": "g"}),  # another fragment
        ({"flag": 0}, {"flag": 0}),  # no pair
        ({"flag": 65}, {"flag": 65}),  # twice the first read
        ({"flag": 193}, {"flag": 193}),  # first and last at once
        ({"flag": 99 | 8}, {"flag": 147}),  # whose mate is not aligned
        ({"contig": "II", "mate": "I"}, {"mate": "II"}),
    ],
)
def test_reads_that_are_no_pair_all_count(counted_lines, first, last):
    one = {
        "name": "f",
        "flag": 99,
        "start": 0,
        "mate_start": 4,
        "letters": ".Z...z......",
        "sequence": SEQUENCE,
    } | first
    other = {"name": "f", "flag": 147, "start": 4, "mate_start": 0, "letters": ".Z....Z....z....", "sequence": SEQUENCE}
    found = counted_lines(xm_read(**one), xm_read(**(other | last)))
    assert (int(found.covered.sum()), found.dropped) == (5, {})


def test_old_names_with_the_number_of_the_read_are_one_fragment(counted_lines):
    assert counted_lines("f/1" + FIRST_READ[1:], "f/2" + LAST_READ[1:]).dropped == {SECOND: 1}


def test_pairs_that_do_not_say_where_their_mate_is_are_joined_by_name(counted_lines):
    reads = (xm_read("f", 65, 0, 0, ".Z...z......", SEQUENCE, mate=""),
             xm_read("f", 129, 4, 0, ".Z....Z....z....", SEQUENCE, mate=""))  # fmt: skip
    assert counted_lines(*reads).dropped == {SECOND: 1}


def drawn_pairs(rng, sequence, pairs):
    """(name, start, SAM line) of both reads of fragments, some of which lack a read or have both of one kind."""
    for fragment in range(pairs):
        size = int(rng.integers(30, 90))
        begin = int(rng.integers(0, len(sequence) - size))
        lengths = rng.integers(20, min(size, 60) + 1, 2).tolist()
        starts = [begin, begin + size - lengths[1]]
        flags = [99, 147] if rng.random() < 0.5 else [163, 83][::-1]
        for which in (0, 1):
            if rng.random() < 0.1:
                continue
            at, length = starts[which], lengths[which]
            read = sequence[at : at + length]
            letters = "".join(rng.choice(["Z", "z", "."]) if base == "C" else "." for base in read)
            flag = flags[which] | (1024 if rng.random() < 0.05 else 0)
            mate = "" if rng.random() < 0.05 else "="
            text = xm_read(f"q{fragment}", flag, at, starts[1 - which], letters, sequence, mate=mate)
            if rng.random() < 0.3:  # by MM in place of XM, with canonical bases implied
                text = text.partition("\tXM:Z:")[0] + "\tMM:Z:C+m.;G-m.;\tML:B:C"
            yield f"q{fragment}", at, text


@pytest.mark.parametrize("seed", range(3))
def test_counts_of_molecules_do_not_hang_on_the_order_of_reads_and_the_twin_agrees(counted_lines, seed):
    rng = np.random.default_rng(seed)
    sequence = "".join(rng.choice(list("ACGT"), 600, p=[0.15, 0.35, 0.35, 0.15]))
    reads = list(drawn_pairs(rng, sequence, 300))
    by_place = counted_lines(*(text for _, _, text in sorted(reads, key=lambda read: read[1])), sequence=sequence)
    by_name = counted_lines(*(text for _, _, text in reads), sequence=sequence)
    shuffled = counted_lines(*(reads[place][2] for place in rng.permutation(len(reads))), sequence=sequence)
    assert by_place.dropped[SECOND] > 200
    assert_same(by_name, by_place)
    assert_same(shuffled, by_place)


def test_fragments_whose_second_read_never_comes_do_not_fill_the_table(tmp_path):
    """More orphans than there is room for: in a sorted file they are let go of, in one of no order they are refused."""
    from genolstm.readers import call_kernels

    room = call_kernels.CALLS_WAITING
    sequence = "CG" * 3000
    reference = reference_of({"I": sequence})
    sites = motif_sites(reference, parse_motif("CG,0", "C"))
    reads, letters = 1200, "Z." * 2000
    assert reads * 2000 > room
    lines = [xm_read(f"q{row}", 99, 2 * (row % 900), 2 * (row % 900), letters, sequence) for row in range(reads)]
    write_bam(tmp_path / "odd.bam", {"I": len(sequence)}, lines)
    with pytest.raises(InputError, match=r"has more than 262,144 read pairs whose reads lie far apart in it: sort it"):
        count_calls(tmp_path / "odd.bam", reference, sites, CountSettings())
    lines = [xm_read(f"q{row}", 99, 2 * (row // 2), 2 * (row // 2), letters, sequence) for row in range(reads)]
    write_bam(tmp_path / "sorted.bam", {"I": len(sequence)}, lines)
    assert count_calls(tmp_path / "sorted.bam", reference, sites, CountSettings()).calls == reads * 2000


# the twin, and the made example


@pytest.mark.parametrize("name", ["t00h", "t01h", "t04h", "t16h"])
def test_twin_agrees_on_the_example(example, name):
    path, settings = EXAMPLE / f"methylation/{name}.bam", CountSettings()
    sites = motif_sites(example, parse_motif("CG,0", "C"))
    found = count_calls(path, example, sites, settings)
    if name == "t04h":  # one is enough at this speed
        assert_same(found, count_calls_slowly(path, example, sites, settings))
    assert found.skipped == {"without MM or XM tag": 2}
    assert found.read == found.used + 2


def test_example_counts_are_those_that_were_planted(example):
    """Fractions m(t) = g (1 - exp(-k (t + 0.5 h))) of each CpG, and 7 % of calls below 0.8."""
    rows = [row.split("\t") for row in (EXAMPLE / "methylation/truth.tsv").read_text().splitlines()[1:]]
    rate = {int(row[1]): (float(row[3]), float(row[4])) for row in rows}
    sites, settings = motif_sites(example, parse_motif("CG,0", "C")), CountSettings()
    for hours in (0, 1, 4, 16):
        found = count_calls(EXAMPLE / f"methylation/t{hours:02d}h.bam", example, sites, settings)
        forward = found.position - (found.strand < 0)
        assert set(forward.tolist()) <= set(rate)
        k, g = np.array([rate[at] for at in forward.tolist()]).T
        fraction = g * (1 - np.exp(-k * (hours + 0.5)))
        covered = found.covered[:, 0]
        expected, deviation = (covered * fraction).sum(), np.sqrt((covered * fraction * (1 - fraction)).sum())
        assert abs(found.modified.sum() - expected) < 4 * deviation
        assert found.covered.sum() / found.calls == pytest.approx(1 - 0.8**12, abs=0.005)  # Beta(12, 1) below 0.8


@pytest.mark.parametrize("seed", range(4))
def test_twin_agrees_on_odd_reads(monkeypatch, tmp_path, seed):
    monkeypatch.setattr(modifications, "ENOUGH_CALLS", 10**9)  # most of these reads do not lie where they belong
    rng = np.random.default_rng(seed)
    sequence = "".join(rng.choice(list("ACGT"), 400, p=[0.15, 0.35, 0.35, 0.15]))
    contigs = {"I": sequence, "II": sequence[::-1][:200]}
    reference = reference_of(contigs)
    path = tmp_path / "odd.bam"
    write_bam(path, reference_lengths(reference), (f"r{row}\t" + drawn_read(rng, sequence) for row in range(1500)))
    for code, motif in (("m", "CG,0"), ("mh", "C,0"), ("h", "CHH,0"), ("a", "A,0"), ("m", "CNG,0")):
        settings = CountSettings(code=code, motif=motif, min_mapq=5, threshold=0.6)
        sites = motif_sites(reference, parse_motif(motif, settings.bases))
        found = count_calls(path, reference, sites, settings)
        assert_same(found, count_calls_slowly(path, reference, sites, settings))
        assert found.covered.sum() > 100
    assert len(found.skipped) >= 10


# formats


@pytest.fixture
def in_formats(tmp_path):
    """BAM, SAM and CRAM of the same reads, and the FASTA of their genome."""
    rng = np.random.default_rng(5)
    sequence = "".join(rng.choice(list("ACGT"), 500))
    (tmp_path / "g.fa").write_text(f">I\n{sequence}\n")
    lines = [
        f"r{row}\t" + line(mm("C+m.,0;", 250), sequence=sequence[row : row + 90], start=row + 1) for row in range(200)
    ]
    write_bam(tmp_path / "r.bam", {"I": 500}, lines)
    header = pysam.AlignmentHeader.from_references(["I"], [500])
    with (
        pysam.AlignmentFile(str(tmp_path / "r.bam")) as reads,
        pysam.AlignmentFile(str(tmp_path / "r.sam"), "w", header=header) as sam,
        pysam.AlignmentFile(
            str(tmp_path / "r.cram"), "wc", header=header, reference_filename=str(tmp_path / "g.fa")
        ) as cram,
    ):
        for read in reads:
            sam.write(read)
            cram.write(read)
    return tmp_path, reference_of({"I": sequence})


def counts_of(path, reference, **options):
    sites = motif_sites(reference, parse_motif("CG,0", "C"))
    return count_calls(path, reference, sites, CountSettings(), **options)


def test_sam_and_cram_give_the_counts_of_bam(in_formats):
    folder, reference = in_formats
    bam = counts_of(folder / "r.bam", reference)
    assert bam.covered.sum() > 100
    assert_same(counts_of(folder / "r.sam", reference), bam)
    assert_same(counts_of(folder / "r.cram", reference, fasta=folder / "g.fa"), bam)


def test_reads_may_be_sam_in_bgzip_and_bam_in_plain_gzip_is_named(in_formats, tmp_path):
    folder, reference = in_formats
    with pysam.BGZFile(str(tmp_path / "r.sam.gz"), "w", None) as out:
        out.write((folder / "r.sam").read_bytes())
    assert_same(counts_of(tmp_path / "r.sam.gz", reference), counts_of(folder / "r.bam", reference))
    (tmp_path / "again.bam").write_bytes(gzip.compress(gzip.decompress((folder / "r.bam").read_bytes())))
    with pytest.raises(InputError, match=r"again\.bam is BAM in plain gzip in place of BGZF; write it again"):
        counts_of(tmp_path / "again.bam", reference)


@pytest.mark.parametrize("ending", ["sam", "cram"])
def test_files_larger_than_a_pipe_come_to_their_end(tmp_path, ending):
    """Some megabytes: htslib holds the interpreter while it writes, so that a pipe in this process blocks for ever."""
    rng = np.random.default_rng(7)
    sequence = "".join(rng.choice(list("ACGT"), 20_000))
    (tmp_path / "g.fa").write_text(f">I\n{sequence}\n")
    header = pysam.AlignmentHeader.from_references(["I"], [len(sequence)])
    options = {"reference_filename": str(tmp_path / "g.fa")} if ending == "cram" else {}
    path = tmp_path / f"r.{ending}"
    with pysam.AlignmentFile(str(path), "wc" if ending == "cram" else "w", header=header, **options) as out:
        for row in range(9000):
            start = row % 19_000
            text = f"r{row}\t" + line(mm("C+m.,0;", 250), sequence=sequence[start : start + 400], start=start + 1)
            out.write(pysam.AlignedSegment.fromstring(text, header))
    script = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[3]);"
        "from genolstm.readers.bam_bytes import bam_bytes;"
        "file = bam_bytes(Path(sys.argv[1]), 'r', Path(sys.argv[2]) if sys.argv[1].endswith('cram') else None);"
        "chunks = file.__enter__(); print(sum(map(len, chunks)))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, path, tmp_path / "g.fa", Path(__file__).parent],
        check=True, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert int(ended.stdout) > 3_000_000


def test_cram_without_its_reference_is_refused_in_one_sentence(in_formats, monkeypatch):
    folder, reference = in_formats
    monkeypatch.setenv("REF_PATH", str(folder / "nowhere"))
    (folder / "g.fa").unlink()
    with pytest.raises(InputError, match=r"r.cram is no whole CRAM file .* FASTA of a CRAM with --reference"):
        counts_of(folder / "r.cram", reference)


def test_bam_on_standard_input_is_counted_and_other_formats_are_named(in_formats, monkeypatch):
    folder, reference = in_formats

    def given(name):
        with (folder / name).open("rb") as stream:
            monkeypatch.setattr(sys, "stdin", TextIOWrapper(stream))
            return counts_of("-", reference)

    assert_same(given("r.bam"), counts_of(folder / "r.bam", reference))
    with pytest.raises(InputError, match="standard input holds no BAM; convert it on the way with samtools view -b"):
        given("r.sam")


def test_memory_does_not_grow_with_the_reads(tmp_path, example):
    with pysam.AlignmentFile(str(EXAMPLE / "methylation/t00h.bam")) as file:
        reads, header = list(file), file.header
    peaks = []
    for copies in (4, 16):
        path = tmp_path / f"{copies}.bam"
        with pysam.AlignmentFile(str(path), "wb", header=header) as out:
            for _ in range(copies):
                for read in reads:
                    out.write(read)
        sites, settings = motif_sites(example, parse_motif("CG,0", "C")), CountSettings()
        count_calls(path, example, sites, settings)
        tracemalloc.start()
        count_calls(path, example, sites, settings)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


# bad input


@pytest.mark.parametrize(
    ("tags", "reason", "more"),
    [
        ([], "without MM or XM tag", {}),
        (["XM:i:2"], "without MM or XM tag", {}),
        (["MM:Z:", "ML:B:C"], "MM tag that names no modification", {}),
        (mm("C+m?,0,9;", 250, 250), "tags that do not fit SEQ", {}),
        (mm("C+m?,0;", 250, more=["MN:i:21"]), "tags that do not fit SEQ", {}),
        (["XM:Z:..Z", "XG:Z:CT"], "tags that do not fit SEQ", {}),
        (mm("C+m?,0,0;", 250), "ML shorter than MM", {}),
        (["MM:Z:C+m?,0;"], "MM without ML", {}),
        (mm("C+m?,0", 250), "damaged MM, ML or XM tag", {}),
        (mm("C+m?,x;", 250), "damaged MM, ML or XM tag", {}),
        (mm("C*m?,0;", 250), "damaged MM, ML or XM tag", {}),
        (["MM:i:7", "ML:B:C,250"], "damaged MM, ML or XM tag", {}),
        (["MM:Z:C+m?,0;", "ML:B:c,25"], "damaged MM, ML or XM tag", {}),
        (["XM:Z:.Q..................", "XG:Z:CT"], "damaged MM, ML or XM tag", {}),
        (["XM:Z:.Z.................."], "XM without XG", {}),
        (mm("C+h?,0;", 250), "tags of other modifications than 'm'", {}),
        (mm("C+999?,0;", 250), "tags of other modifications than 'm'", {}),
        (mm("C+m?,0;", 250), "unmapped", {"flag": 4}),
        (mm("C+m?,0;", 250), "secondary alignment", {"flag": 256}),
        (mm("C+m?,0;", 250), "supplementary alignment", {"flag": 2048}),
        (mm("C+m?,0;", 250), "failed quality control", {"flag": 512}),
        (mm("C+m?,0;", 250), "duplicate", {"flag": 1024}),
        (mm("C+m?,0;", 250), "mapping quality below 10", {"mapq": 9}),
        (mm("C+m?,0;", 250), "past the contig end", {"start": 2}),
        (mm("C+m?,0;", 250), "mapped but without aligned bases", {"cigar": "20S"}),
        (
            mm("C+m?,0;", 250),
            "hard-clipped, without the MN tag that tells whether MM fits SEQ",
            {"cigar": "5H20M"},
        ),
    ],
)
def test_read_that_cannot_be_used_is_counted_by_its_reason(counted, tags, reason, more):
    found = counted(line(tags, **more), line(mm("C+m?,0;", 250)), min_mapq=10)
    assert (found.read, found.used, found.skipped) == (2, 1, {reason: 1})
    assert table(found) == {(1, 1): (1, 1)}


def test_hard_clipped_read_whose_mn_fits_is_used(counted):
    found = counted(line(mm("C+m?,0;", 250, more=["MN:i:20"]), cigar="5H20M"))
    assert table(found) == {(1, 1): (1, 1)}


def test_read_without_sequence_is_counted(counted):
    empty = "0\tI\t1\t60\t20M\t*\t0\t0\t*\t*\tMM:Z:C+m?,0;\tML:B:C,250"
    assert counted(empty, line(mm("C+m?,0;", 250))).skipped == {"without SEQ": 1}


def test_surplus_of_ml_is_ignored_and_told(counted):
    found = counted(line(mm("C+m?,0;", 250, 3)))
    assert table(found) == {(1, 1): (1, 1)}
    (warning,) = found.warnings
    assert "ML is longer than MM in 1 reads" in warning


def test_calls_that_are_no_cpg_in_the_genome_are_counted_and_told(counted):
    genome = SEQUENCE[:2] + "A" + SEQUENCE[3:]  # CA where the reads have CG
    genome = genome[:5] + "T" + genome[6:]  # TG where the reads have CG
    found = counted(line(mm("C+m?,0,0,1;", 250, 250, 250)), contigs={"I": genome})
    assert table(found) == {(10, 1): (1, 1)}
    assert found.dropped == {"not at CG,0 in the genome": 1, "genome or read has another base there": 1}


def test_contigs_that_the_genome_lacks_are_told_and_their_reads_counted(tmp_path):
    path = tmp_path / "r.bam"
    reads = ["r\t" + line(mm("C+m?,0;", 250)), "s\t" + line(mm("C+m?,0;", 250), contig="chrM")]
    write_bam(path, {"I": 20, "chrM": 20}, reads)
    found = counts_of(path, reference_of({"I": SEQUENCE, "II": "ACGT"}))
    assert found.skipped == {"contig not in genome": 1}
    assert any("1 contig of" in warning and "chrM" in warning for warning in found.warnings)


@pytest.mark.parametrize(
    ("lines", "contigs", "code", "told"),
    [
        ([line([])], {}, "m", r"holds no read with an MM or XM tag that could be used \(1 without MM or XM tag\)"),
        ([line(mm("A+a?,0;", 9))], {}, "m", r"holds no call of 'm', but modifications a .*choose another --code"),
        ([line(mm("C+999?,0;", 9))], {}, "m", "a code that the SAM specification does not list"),
        ([line(mm("C+m?,0;", 9), flag=4)], {}, "m", r"no read of .* could be used \(1 unmapped\)"),
        ([], {}, "m", r"holds no reads; give a file that does"),
        ([line(mm("C+m?,0;", 9))], {"I": SEQUENCE + "A"}, "m", "was aligned to another genome: I has 20 bp"),
        ([line(mm("C+m?,0;", 9))], {"V": SEQUENCE}, "m", "no contig of .* is in genome.h5"),
        (
            [line(mm("C+m?,0,0,1,1;", 9, 9, 9, 9))] * 30,
            {"I": "T" * 20},
            "m",
            "was aligned to another genome: only 0 of 120 calls lie on C in genome.h5; give the genome",
        ),
    ],
)
def test_file_that_cannot_be_used_is_refused_in_one_sentence(tmp_path, lines, contigs, code, told):
    write_bam(tmp_path / "r.bam", {"I": 20}, (f"r{row}\t{text}" for row, text in enumerate(lines)))
    reference = reference_of(contigs or {"I": SEQUENCE})
    sites, settings = motif_sites(reference, parse_motif("CG,0", "C")), CountSettings(code=code)
    with pytest.raises(InputError, match=told):
        count_calls(tmp_path / "r.bam", reference, sites, settings)


def test_damaged_files_are_refused(in_formats):
    folder, reference = in_formats
    whole = (folder / "r.bam").read_bytes()
    (folder / "cut.bam").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="cut short"):
        counts_of(folder / "cut.bam", reference)
    (folder / "ends.bam").write_bytes(whole[:-28])  # without the empty block
    with pytest.raises(InputError, match="lacks the empty block"):
        counts_of(folder / "ends.bam", reference)
    (folder / "text.sam").write_text("@HD\tVN:1.6\nnonsense\n")
    with pytest.raises(InputError, match=r"text\.sam"):
        counts_of(folder / "text.sam", reference)
    (folder / "empty.bam").write_bytes(b"")
    with pytest.raises(InputError, match=r"empty\.bam is empty; give BAM, CRAM or SAM"):
        counts_of(folder / "empty.bam", reference)
    with pytest.raises(InputError, match=r"gone\.bam does not exist"):
        counts_of(folder / "gone.bam", reference)


@pytest.mark.parametrize("seed", range(3))
def test_flipped_bytes_of_records_never_crash(in_formats, seed):
    """A record may be anything once its block inflates: it is refused or read, within its bounds."""
    folder, reference = in_formats
    rng = np.random.default_rng(seed)
    with pysam.BGZFile(str(folder / "r.bam")) as stream:
        whole = bytearray(stream.read())
    for attempt in range(40):
        broken = bytearray(whole)
        for at in rng.integers(60, len(whole), 6).tolist():
            broken[at] = int(rng.integers(0, 256))
        path = folder / f"b{attempt % 2}.bam"
        with pysam.BGZFile(str(path), "wb") as out:
            out.write(bytes(broken))
        try:
            counts_of(path, reference)
        except InputError:
            continue


@pytest.mark.skipif(shutil.which("samtools") is None, reason="samtools is not installed")
def test_samtools_reads_the_made_files(in_formats):
    folder, _ = in_formats
    ended = subprocess.run(["samtools", "quickcheck", folder / "r.bam"], check=False)
    assert ended.returncode == 0

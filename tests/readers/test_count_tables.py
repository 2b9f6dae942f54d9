"""Tables of counts: what each layout says, where its rows must lie, and what is refused."""

import gzip

import numpy as np
import pytest
from made_calls import SEQUENCE, reference_of

from genolstm.errors import InputError, UsageError
from genolstm.readers.count_tables import read_count_table
from genolstm.readers.motifs import motif_sites, parse_motif
from genolstm.readers.table_readings import PERCENT, agrees
from genolstm.settings.methylation import CountSettings

ELEVEN = "I\t{at}\t{end}\t{code}\t9\t{strand}\t{at}\t{end}\t255,0,0\t{covered}\t{percent}"
TIMES = "chrom\tpos\tmeth_0h\tunmeth_0h\tmeth_4h\tunmeth_4h\n"


def bed11(at, strand, covered, percent, code="m"):
    return ELEVEN.format(at=at, end=at + 1, code=code, strand=strand, covered=covered, percent=percent)


def bed18(at, strand, counts, code="m"):
    modified, canonical, other = counts
    coverage = modified + canonical + other
    more = "\t".join(map(str, (modified, canonical, other, 5, 6, 7, 8)))
    return f"{bed11(at, strand, coverage, f'{100 * modified / coverage:.2f}', code)}\t{more}"


@pytest.fixture
def read(tmp_path):
    """Function: text of a table -> its counts."""

    def made(text, sequence=SEQUENCE, name="table.txt", **settings):
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        settings = CountSettings(**settings)
        motif = parse_motif(settings.motif, settings.bases)
        reference = reference_of({"I": sequence}) if sequence else None
        return read_count_table(path, motif, settings, reference, motif_sites(reference, motif) if reference else None)

    return made


def rows(found):
    columns = (found.position, found.strand, found.modified.tolist(), found.covered.tolist())
    return [(int(at), int(strand), *one, *every) for at, strand, one, every in zip(*columns, strict=True)]


def test_bedmethyl_of_11_columns_gives_the_nearest_count(read):
    found = read("\n".join([bed11(1, "+", 3, "33.33"), bed11(2, "-", 7, "57"), bed11(5, ".", 200, "12.5")]))
    assert rows(found) == [(1, 1, 1, 3), (2, -1, 4, 7), (5, 0, 25, 200)]
    assert (found.read, found.used, found.calls, found.samples) == (3, 3, 210, ("",))


def test_bedmethyl_of_18_columns_leaves_other_modifications_out(read):
    found = read("\n".join([bed18(1, "+", (4, 5, 6)), bed18(5, "+", (3, 0, 9), code="h")]))
    assert rows(found) == [(1, 1, 4, 9)]
    assert found.skipped == {"another modification (h, 5hmC)": 1}
    assert rows(read(bed18(5, "+", (3, 0, 9), code="h"), code="h")) == [(5, 1, 3, 3)]


def test_columns_of_bedmethyl_may_be_apart_by_spaces(read):
    assert rows(read(bed18(1, "+", (4, 5, 6)).replace("\t", " "))) == [(1, 1, 4, 9)]


@pytest.mark.parametrize(
    ("name", "kept"), [("m", 1), ("m,CG,0", 1), ("5mC", 1), ("27551", 1), ("m5C", 1), (".", 0), ("h", 0), ("a,A,0", 0)]
)
def test_rows_are_chosen_by_their_name(read, name, kept):
    found = read("\n".join([bed11(1, "+", 3, "0", code=name), bed11(5, "+", 3, "0")]))
    assert len(found.position) == 1 + kept


def test_bismark_coverage_counts_from_one_and_finds_its_strand(read):
    found = read("I\t2\t2\t50\t1\t1\nI\t3\t3\t0\t0\t4\n")
    assert rows(found) == [(1, 1, 1, 2), (2, -1, 0, 4)]
    assert rows(read("I\t1\t2\t50\t1\t1\n")) == [(1, 1, 1, 2)]  # zero-based, as Bismark's .zero.cov
    assert rows(read("I\t2\t2\t50\t1\t1\n", sequence=None)) == [(1, 0, 1, 2)]


def test_table_over_time_points_gives_a_sample_for_each(read):
    found = read(f"{TIMES}I\t1\t1\t2\t3\t4\nI\t10\t0\t0\t5\t0\n")
    assert found.samples == ("0h", "4h")
    assert rows(found) == [(1, 0, 1, 3, 3, 7), (10, 0, 0, 5, 0, 5)]


def test_samples_of_a_table_may_stand_in_any_columns(read):
    found = read("chrom\tpos\tunmeth_b\tmeth_a\tmeth_b\tunmeth_a\nI\t1\t1\t2\t3\t4\n")
    assert found.samples == ("a", "b")
    assert rows(found) == [(1, 0, 2, 3, 6, 4)]


def test_rows_off_the_motif_without_reads_or_off_the_genome_are_counted(read):
    found = read(f"{TIMES}I\t0\t1\t2\t3\t4\nI\t1\t0\t0\t0\t0\nX\t1\t1\t1\t1\t1\nI\t5\t1\t1\t1\t1\nI\t2\t1\t1\t1\t1\n")
    assert rows(found) == [(5, 0, 1, 1, 2, 2)]
    assert found.skipped == {"not at CG,0 in the genome": 2, "without reads": 1, "contig not in genome": 1}
    assert (found.read, found.used) == (5, 1)
    assert any("X" in warning for warning in found.warnings)


def test_a_row_on_the_wrong_strand_is_off_the_motif(read):
    found = read("\n".join([bed11(1, "-", 3, "0"), bed11(2, "-", 3, "0")]))
    assert rows(found) == [(2, -1, 0, 3)]


def test_rows_come_sorted_and_compressed_files_comments_and_line_ends_are_read(read):
    text = (
        "# made by hand\r\ntrack name=x\r\n\r\n" + "\r\n".join([bed11(5, "+", 3, "0"), bed11(1, "+", 2, "0")]) + "\r\n"
    )
    assert rows(read(gzip.compress(text.encode()))) == [(1, 1, 0, 2), (5, 1, 0, 3)]


def test_without_a_genome_rows_stand_as_they_are(read):
    found = read(f"{TIMES}I\t0\t1\t2\t3\t4\nX\t7\t1\t2\t3\t4\n", sequence=None)
    assert found.contigs == ("I", "X")
    assert found.used == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"{TIMES}I\t1\t-1\t2\t3\t4\n", r"table.txt, line 2 cannot be right: it counts -1 methylated of 1 reads"),
        (f"{TIMES}I\t1\t1\t-2\t3\t4\n", "it counts 1 methylated of -1 reads; correct or delete it"),
        (f"{TIMES}I\t1\t1\t2\t3\n", "it has 5 columns and the header 6"),
        (f"{TIMES}I\tx\t1\t2\t3\t4\n", "'x' is no whole number"),
        (f"{TIMES}I\t-1\t1\t2\t3\t4\n", "its position lies before the contig"),
        (f"{TIMES}I\t1\t1\t2\t3\t4\nI\t1\t1\t2\t3\t4\n", "gives I:2 twice; delete one"),
        (f"{TIMES}X\t1\t1\t2\t3\t4\n", r"no contig of .*table.txt is in genome.h5"),
        (
            "chrom\tpos\tmeth_a\nI\t1\t2\n",
            "has the columns meth_a where each sample needs one meth_NAME and one unmeth_",
        ),
        ("chrom\tpos\n", "has the columns chrom and pos only"),
        ("chrom\tpos\tmeth_a\tunmeth_a\tmeth_a\tunmeth_a\n", "names a sample twice"),
        (bed18(1, "+", (4, -5, 6)), "it counts 4 methylated of -1 reads"),
        (bed11(1, "+", 3, "120"), "its percentage is 120"),
        (bed11(1, "+", 3, "x"), "its percentage is 'x'"),
        (bed11(1, "*", 4, "50"), r"its strand is '\*', not \+, - or \."),
        (bed11(1, "+", 4, "50") + "\nI\t1", "it has 2 columns, not 11 as the first"),
        (bed11(1, "+", 4, "50") + "\n" + bed11(1, "+", 3, "0"), r"gives I:2 \+ twice"),
        ("I\t1\t9\t50\t1\t1\n", "it spans 1 to 9, which is not one base"),
        ("I\t2\t2\t50\t1\t1\nI\t2\n", "line 2 cannot be right: it has 2 columns, not 6"),
        ("some prose of six words here\n", "begins with 'some prose of six words here', which no table of counts does"),
        ("", "is empty; give bedMethyl"),
        pytest.param(gzip.compress(TIMES.encode())[:-9], "is cut short", id="cut short"),
    ],
)
def test_table_that_cannot_be_right_is_refused_in_one_sentence(read, text, told):
    with pytest.raises(InputError, match=told):
        read(text)


def test_table_of_another_genome_or_counted_from_one_is_refused(read):
    sequence = "ACGTT" * 60
    text = TIMES + "".join(f"I\t{5 * place + 2}\t1\t1\t1\t1\n" for place in range(60))
    text += "".join(f"I\t{5 * place + 1}\t1\t1\t1\t1\n" for place in range(40, 60))
    text += "".join(f"I\t{5 * place + 3}\t1\t1\t1\t1\n" for place in range(40))
    with pytest.raises(InputError, match=r"only 20 of 120 rows of .* are at CG,0 .*another genome, or its positions"):
        read(text, sequence=sequence)


def test_strands_that_nothing_tells_cannot_be_merged(read):
    with pytest.raises(UsageError, match="holds no strands: give --genome, or leave out --merge-strands"):
        read("I\t2\t2\t50\t1\t1\n", sequence=None, merge_strands=True)


def test_codes_together_cannot_be_told_from_rows_apart(read):
    with pytest.raises(UsageError, match="has rows of its own for each modification: choose one of 'mh'"):
        read(bed18(1, "+", (4, 5, 6)), code="mh")


# names of modifications


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("21839", "21839, 4mC"), ("4mC", "4mC"), ("N4-methylcytosine", "N4-methylcytosine"), ("5caC", "5caC"),
        ("f", "f, 5fC"), ("17802", "17802, pseudouridine"), ("T", "T"), ("N", "N"), ("5fC", "5fC"), ("m1A", "m1A"),
        ("8oxoG", "8oxoG"), ("5hmU", "5hmU"), ("99999", "99999"), ("M", "M"), ("Z", "Z"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("columns", [11, 18])
def test_another_modification_is_never_taken_for_the_one_asked_for(read, name, meaning, columns):
    own = bed11(1, "+", 10, "80")
    other = bed11(1, "+", 10, "90", name) if columns == 11 else bed18(1, "+", (9, 1, 0), name)
    with pytest.raises(
        InputError, match=rf"holds no row of 'm' \(1 another modification \({meaning}\)\); choose another"
    ):
        read(other)
    if columns == 11:
        found = read(f"{other}\n{own}")  # the same place twice, but of two modifications
        assert (rows(found), found.skipped) == ([(1, 1, 8, 10)], {f"another modification ({meaning})": 1})


def test_any_modification_of_c_counts_as_5mc_alone_and_says_so(read):
    text = "\n".join([bed18(1, "+", (9, 1, 0), "C"), bed18(5, "+", (2, 8, 0), "C")])
    found = read(text)
    assert rows(found) == [(1, 1, 9, 10), (5, 1, 2, 10)]
    assert found.warnings == (found.warnings[0],)
    assert "2 rows of 'C' count any modification of C, here taken for 'm'" in found.warnings[0]
    assert rows(read(text, code="mh")) == rows(found)
    for code, motif in (("a", "A,0"), ("h", "CG,0")):
        with pytest.raises(InputError, match=rf"no row of '{code}' \(2 another modification \(C\)\)"):
            read(text, sequence=None, code=code, motif=motif)
    assert rows(read(text + "\n" + bed18(1, "+", (1, 9, 0)))) == [(1, 1, 1, 10)]  # where rows of m say it themselves


def test_rows_without_a_name_are_of_bisulfite(read):
    text = "track name=x\nI\t1\t2\tItem1\t10\t+\t1\t2\t0,255,0\t10\t80\nI\t2\t3\t.\t3\t-\t2\t3\t0,255,0\t3\t33\n"
    assert rows(read(text)) == [(1, 1, 8, 10), (2, -1, 1, 3)]
    with pytest.raises(InputError, match="no row of 'h'"):
        read(text, code="h")
    with pytest.raises(InputError, match="no row of 'm'"):  # modkit names every row
        read(bed18(1, "+", (9, 1, 0), "."))


@pytest.mark.parametrize("code", ["a", "h"])
def test_tables_of_bisulfite_say_nothing_of_other_modifications(read, code):
    for text in ("I\t2\t2\t50\t1\t1\n", "I\t2\t+\t8\t2\tCG\tCGT\n", "I\t2\t+\tCGT\t8\t10\t1\n"):
        with pytest.raises(UsageError, match=f"counts 5mC by bisulfite and not '{code}'"):
            read(text, code=code, motif="A,0" if code == "a" else "CG,0")


# dialects


def bed_of_modbam2bed(at, score, coverage, percent, *more):
    return "\t".join(map(str, ("I", at, at + 1, "5mC", score, "+", at, at + 1, "0,0,0", coverage, percent, *more)))


def test_coverage_of_modbam2bed_holds_reads_without_a_call(read):
    found = read("\n".join([bed_of_modbam2bed(1, 600, 10, "50.00"), bed_of_modbam2bed(5, 400, 10, "25.00")]))
    assert rows(found) == [(1, 1, 3, 6), (5, 1, 1, 4)]
    assert "modbam2bed" in found.form
    extended = [bed_of_modbam2bed(1, 600, 10, "50.00", 3, 3, 4), bed_of_modbam2bed(5, 400, 10, "25.00", 3, 1, 6)]
    assert rows(read("\n".join(extended))) == rows(found)
    assert "modbam2bed -e (14 columns)" in read("\n".join(extended)).form


def test_sites_where_nothing_was_called_are_left_out(read):
    text = "\n".join(bed_of_modbam2bed(*row) for row in ((1, 1000, 8, "75.00"), (5, 0, 14, "nan"), (10, 0, 0, "nan")))
    found = read(text)
    assert (rows(found), found.skipped) == ([(1, 1, 6, 8)], {"without reads": 2})


@pytest.mark.parametrize(
    ("columns", "counts"),
    [
        ("80\t8\t2", (8, 10)),
        ("80\t8.0\t2.0", (8, 10)),
        ("80.000000\t8\t2", (8, 10)),
        ("0.80\t10\t8", (8, 10)),
        ("80\t10\t8", (8, 10)),
        ("0.80\t8\t10", (8, 10)),
        ("0.8\t8\t2", (8, 10)),
        ("66\t2\t1", (2, 3)),
        ("67\t2\t1", (2, 3)),
        ("33.333333\t3\t1", (1, 3)),
        ("0\t0\t4", (0, 4)),
    ],
)
def test_six_columns_are_what_their_percentage_or_fraction_says(read, columns, counts):
    assert rows(read(f"I\t2\t2\t{columns}\n")) == [(1, 1, *counts)]


def test_percentage_that_its_counts_do_not_give_is_refused(read):
    with pytest.raises(
        InputError, match="line 2 cannot be right: its percentage 50, count 8, next count 2 do not fit each"
    ):
        read("I\t2\t2\t80\t8\t2\nI\t3\t3\t50\t8\t2\n")
    with pytest.raises(
        InputError, match=r"line 1 cannot be right: its coverage 10, percentage 0.83, score 9 .*fractions in"
    ):
        read(bed11(1, "+", 10, "0.83"))
    with pytest.raises(InputError, match=r"line 1 cannot be right: its coverage 11, percentage 81.82"):
        read(bed18(1, "+", (9, 2, 0)).replace("\t9\t2\t0\t", "\t9\t1\t0\t"))
    assert rows(read(bed11(1, "+", 10, "0.80") + "\n" + bed11(5, "+", 10, "0.10"))) == [(1, 1, 8, 10), (5, 1, 1, 10)]


def test_merged_coverage_counts_from_one_and_spans_the_cpg(read):
    text = "I\t2\t3\t80\t8\t2\nI\t6\t7\t10\t1\t9\nI\t11\t12\t50\t5\t5\n"
    found = read(text)
    assert rows(found) == [(1, 0, 8, 10), (5, 0, 1, 10), (10, 0, 5, 10)]
    assert "a CG a row, counted from 1, strands merged" in found.form
    with pytest.raises(UsageError, match=r"may count from 0 .* or from 1 .*: give --genome"):
        read(text, sequence=None)


def test_single_bases_counted_from_zero_stay_where_they_are(read):
    text = "I\t1\t2\t80\t8\t2\nI\t2\t3\t50\t3\t3\nI\t5\t6\t10\t1\t9\n"
    assert rows(read(text)) == [(1, 1, 8, 10), (2, -1, 3, 6), (5, 1, 1, 10)]
    header = 'track type="bedGraph" description="x CpG methylation levels"\n'
    assert rows(read(header + text, sequence=None)) == [(1, 0, 8, 10), (2, 0, 3, 6), (5, 0, 1, 10)]


def test_rows_of_a_whole_cpg_counted_from_zero_are_merged(read):
    text = "I\t1\t3\t80\t8\t2\nI\t5\t7\t10\t1\t9\n"
    assert rows(read(text)) == rows(read(text, sequence=None)) == [(1, 0, 8, 10), (5, 0, 1, 10)]


def test_rows_of_bed_that_count_from_one_are_found_by_the_genome(read):
    found = read("\n".join([bed11(2, "+", 10, "80"), bed11(3, "-", 10, "10"), bed11(6, "+", 10, "10")]))
    assert rows(found) == [(1, 1, 8, 10), (2, -1, 1, 10), (5, 1, 1, 10)]
    assert "counts positions from 1, not from 0 as its format does" in found.warnings[-1]


def test_cytosine_report_counts_its_own_context(read):
    text = "I\t2\t+\t8\t2\tCG\tCGT\nI\t3\t-\t0\t0\tCG\tCGT\nI\t9\t+\t5\t5\tCHH\tCCG\nI\t6\t+\t1\t9\tCG\tCGA\n"
    text = text.replace("CHH\tCCG", "CHG\tCCG")
    for sequence in (SEQUENCE, None):
        found = read(text, sequence=sequence)
        assert rows(found) == [(1, 1, 8, 10), (5, 1, 1, 10)]
        assert found.skipped == {"another context (CHG)": 1, "without reads": 1}
    assert rows(read(text, motif="CHG,0")) == [(9, 1, 5, 10)]
    with pytest.raises(InputError, match="its context CHH does not fit its bases CCG"):
        read("I\t9\t+\t5\t5\tCHH\tCCG\n")
    with pytest.raises(UsageError, match="which is less than GCG,1: give --genome"):
        read(text, sequence=None, motif="GCG,1")


def test_allc_methylkit_and_pacbio_tables_are_read(read):
    assert rows(read("I\t2\t+\tCGT\t8\t10\t1\nI\t3\t-\tCGT\t0\t1\t1\nI\t9\t+\tCCG\t1\t1\t1\n")) == [
        (1, 1, 8, 10), (2, -1, 0, 1),
    ]  # fmt: skip
    header = "chrBase\tchr\tbase\tstrand\tcoverage\tfreqC\tfreqT\n"
    kit = "I.2\tI\t2\tF\t10\t80.00\t20.00\nI.3\tI\t3\tR\t3\t33.33\t66.67\n"
    assert rows(read(header + kit)) == rows(read(kit)) == [(1, 1, 8, 10), (2, -1, 1, 3)]
    with pytest.raises(InputError, match="line 1 cannot be right: its coverage 10, percentage 85, rest 15 do not fit"):
        read("I.2\tI\t2\tF\t10\t85\t15.00\n".replace("85\t", "85.00\t"))
    header = (
        "##pileup-mode=model\n#chrom\tbegin\tend\tmod_score\ttype\tcov\test_mod_count\test_unmod_count\tdiscretized\n"
    )
    found = read(header + "I\t1\t2\t84.1\tTotal\t10\t8\t2\t80.0\n")
    assert (rows(found), "pb-CpG-tools" in found.form) == ([(1, 0, 8, 10)], True)
    with pytest.raises(
        InputError, match="it counts reads of 'hap1' and the first row those of 'Total'; give them apart"
    ):
        read("I\t1\t2\t84.1\tTotal\t10\t8\t2\t80.0\nI\t5\t6\t84.1\thap1\t10\t8\t2\t80.0\n")


# numbers without bounds, lines without end, other compressions


@pytest.mark.parametrize("at", [1, 2, 4, 5])
@pytest.mark.parametrize("number", ["99999999999999999999", "9" * 5000, "-9223372036854775809"])
def test_numbers_beyond_any_bound_are_refused(read, at, number):
    good, fields = "I\t2\t2\t80\t8\t2\n", ["I", "2", "2", "80", "8", "2"]
    fields[at] = number
    with pytest.raises(InputError, match="line 2 cannot be right"):
        read(good + "\t".join(fields) + "\n")
    with pytest.raises(InputError, match="line 2 cannot be right"):
        read(f"{TIMES}I\t{number}\t1\t2\t3\t4\n")


def test_line_without_end_is_refused_at_once(read):
    with pytest.raises(InputError, match="line 2 is longer than 4,194,304 bytes, which no row of a table is"):
        read(TIMES + "1" * 20_000_000)


@pytest.mark.parametrize(
    ("head", "kind", "remedy"),
    [(b"BZh91AY", "bzip2", "bunzip2"), (b"\xfd7zXZ\x00", "xz", "unxz"), (b"\x28\xb5\x2f\xfd\x24", "zstd", "unzstd")],
)
def test_other_compressions_are_named(read, head, kind, remedy):
    with pytest.raises(
        InputError,
        match=f"compressed with {kind}, and only gzip and bgzip are read: decompress it first with {remedy}",
    ):
        read(head + b"\x00\x01\n\xff" * 9)


def test_sam_without_its_header_is_named(read):
    with pytest.raises(InputError, match="looks like SAM without its header"):
        read(f"r0\t0\tI\t1\t60\t20M\t*\t0\t0\t{SEQUENCE}\t*\tMM:Z:C+m?,0;\n")


@pytest.mark.slow
@pytest.mark.realdata
def test_published_time_course_is_read_whole(real_data):
    path = real_data / "methylation_kinetics/chr21_counts.tsv.gz"
    found = read_count_table(path, parse_motif("CG,0", "C"), CountSettings(), None, None)
    assert found.samples == ("0h", "1h", "4h", "16h")
    assert (found.read, found.used) == (373_976, 373_976)
    table = np.loadtxt(path, skiprows=1, usecols=range(1, 10), dtype=np.int64)
    np.testing.assert_array_equal(found.position, table[:, 0])
    np.testing.assert_array_equal(found.modified, table[:, 1::2])
    np.testing.assert_array_equal(found.covered, table[:, 1::2] + table[:, 2::2])


@pytest.mark.parametrize(
    ("printed", "decimals", "fits"),
    [
        (33.3, 1, True),
        (33.4, 1, True),
        (33.2, 1, False),
        (33, 0, True),
        (34, 0, True),
        (32, 0, False),
        (33.33, 2, True),
    ],
)
def test_a_percentage_may_be_off_by_less_than_one_unit_of_its_last_digit(printed, decimals, fits):
    """One call of three, 33.33 %: some programs round, others cut."""
    columns = {"percentage": np.array([float(printed)]), "decimals": np.array([float(decimals)])}
    found = agrees(np.array([1.0]), np.array([3.0]), columns, PERCENT)
    assert found.tolist() == [fits]

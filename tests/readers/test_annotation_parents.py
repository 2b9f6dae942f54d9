"""Which lines are one transcript, where a parent, an ID or a name does not say it alone: dialects of real programs."""

from pathlib import Path

import pytest

from genolstm.errors import InputError
from genolstm.readers.annotation import Annotation, clip_to_genome, read_annotation


@pytest.fixture
def read(tmp_path):
    """Reads a text whose columns stand apart by spaces; the ninth keeps its own."""

    def read_text(text: str) -> Annotation:
        path = Path(tmp_path / "genes")
        lines = (line if line.startswith("#") else "\t".join(line.split(None, 8)) for line in text.splitlines())
        path.write_text("\n".join(lines))
        return read_annotation(path)

    return read_text


def models(annotation: Annotation) -> list[tuple]:
    return [
        (t.name, t.gene, t.contig, t.strand, t.exons.tolist(), t.coding.tolist(), t.phase)
        for t in annotation.transcripts
    ]


def accounted(annotation: Annotation) -> bool:
    return annotation.read == annotation.used + sum(annotation.skipped.values()) and "" not in annotation.skipped


TAIR = """I . gene 101 900 . + . ID=G
I . mRNA 101 900 . + . ID=G.1;Parent=G
I . protein 151 870 . + . ID=G.1-Protein;Derives_from=G.1
I . exon 101 300 . + . Parent=G.1
I . exon 501 900 . + . Parent=G.1
I . five_prime_UTR 101 150 . + . Parent=G.1
I . CDS 151 300 . + 0 Parent=G.1,G.1-Protein;
I . CDS 501 870 . + 0 Parent=G.1,G.1-Protein;"""
TAIR_MODEL = [("G.1", "G", "I", "+", [[100, 300], [500, 900]], [[150, 300], [500, 870]], 0)]


def without(text: str, *kinds: str) -> str:
    return "\n".join(line for line in text.splitlines() if line.split()[2] not in kinds)


@pytest.mark.parametrize("kind", ["protein", "polypeptide"])
def test_a_protein_beside_its_transcript_is_no_transcript(read, kind):
    annotation = read(TAIR.replace(" protein ", f" {kind} "))
    assert models(annotation) == TAIR_MODEL
    assert accounted(annotation)
    assert annotation.warnings == ()


def test_a_protein_without_its_line_is_no_transcript_either(read):
    assert models(read(without(TAIR, "protein"))) == TAIR_MODEL
    ((name, *_, exons, coding, _),) = models(read(without(TAIR, "protein", "gene", "mRNA")))
    assert (name, exons, coding) == ("G.1", [[100, 300], [500, 900]], [[150, 300], [500, 870]])


@pytest.mark.parametrize("link", ["Derives_from", "Parent"])
def test_a_cds_that_names_its_protein_alone_goes_to_the_transcript(read, link):
    text = TAIR.replace("Parent=G.1,G.1-Protein", "Parent=G.1-Protein").replace("Derives_from", link)
    assert models(read(text)) == TAIR_MODEL
    assert [(*model[:4], *model[4:]) for model in models(read(without(text, "exon", "five_prime_UTR")))] == [
        ("G.1", "G", "I", "+", [[150, 300], [500, 870]], [[150, 300], [500, 870]], 0)
    ]


def test_isoforms_with_proteins_are_one_gene(read):
    text = TAIR + "\n" + without(TAIR, "gene").replace("G.1", "G.2").replace("870", "600")
    assert {model[:2] for model in models(read(text))} == {("G.1", "G"), ("G.2", "G")}


def test_a_cds_that_names_gene_and_transcript_is_the_transcripts(read):
    text = """I . gene 1 300 . + . ID=g
I . mRNA 1 300 . + . ID=t;Parent=g
I . mRNA 1 200 . + . ID=u;Parent=g
I . exon 1 300 . + . Parent=t
I . exon 1 200 . + . Parent=u
I . CDS 4 90 . + 0 Parent=g,t
I . CDS 4 60 . + 0 Parent=g,u"""
    annotation = read(text)
    assert [model[5] for model in models(annotation)] == [[[3, 90]], [[3, 60]]]
    assert (annotation.warnings, annotation.skipped) == ((), {"gene features": 1})


def test_a_cds_on_the_gene_beside_a_transcript_without_parts_is_read_once(read):
    annotation = read("I . gene 1 366 . + . ID=R1\nI . mRNA 1 366 . + . ID=R2;Parent=R1\nI . CDS 1 363 . + . Parent=R1")
    assert models(annotation) == [("R1", "R1", "I", "+", [[0, 363]], [[0, 363]], 0)]


@pytest.mark.parametrize("key", ["geneID", "gene_id", "locus_tag"])
def test_transcripts_without_a_parent_are_one_gene_where_they_name_it(read, key):
    lines = [f"I . mRNA 1 300 . + . ID={name};{key}=g\nI . exon 1 300 . + . Parent={name}" for name in "tu"]
    assert [model[:2] for model in models(read("\n".join(lines)))] == [("t", "g"), ("u", "g")]


def test_cds_alone_is_a_transcript_for_each_contig_and_id(read):
    text = "\n".join(
        f"{contig} Prodigal CDS {start} {start + 299} . {strand} 0 {attributes}"
        for contig, start, strand, attributes in [
            ("I", 1, "+", "ID=P_1;locus_tag=P_1;product=a"),
            ("I", 401, "-", "ID=P_2;locus_tag=P_2"),
            ("II", 1, "-", "ID=P_1;locus_tag=P_1"),
            ("II", 601, "+", "locus_tag=P_3"),
        ]
    )
    annotation = read(text)
    assert [model[:4] for model in models(annotation)] == [
        ("P_1", "P_1", "I", "+"), ("P_1", "P_1", "II", "-"), ("P_2", "P_2", "I", "-"), ("P_3", "P_3", "II", "+"),
    ]  # fmt: skip
    assert annotation.warnings == (
        "1 transcript stood at several places under one name, each read as a transcript of its own, first P_1.",
    )


# --- one name at several places ---


def gtf(name: str, *exons: tuple[str, str, int, int, int], own: tuple[tuple[str, str, int, int], ...] = ()) -> str:
    ids = f'gene_id "A"; transcript_id "{name}";'
    lines = [f"{contig} refGene transcript {start} {end} . {strand} . {ids}" for contig, strand, start, end in own]
    for contig, strand, start, end, rank in exons:
        number = f' exon_number "{rank}";' if rank else ""
        lines.append(f"{contig} refGene exon {start} {end} . {strand} . {ids}{number}")
    return "\n".join(lines)


@pytest.mark.parametrize(("with_lines", "with_ranks"), [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize("strand", ["+", "-"])
def test_a_transcript_id_at_two_places_is_two_transcripts(read, with_lines, with_ranks, strand):
    own = (("I", strand, 1001, 2000), ("I", strand, 31001, 32000)) if with_lines else ()
    order = (1, 2) if strand == "+" else (2, 1)
    exons = [
        ("I", strand, start, start + 199, rank * with_ranks)
        for begin in (1001, 31001)
        for start, rank in ((begin, order[0]), (begin + 800, order[1]))
    ]
    annotation = read(gtf("NR_1", *exons, own=own))
    assert [t.introns().tolist() for t in annotation.transcripts] == [[[1200, 1800]], [[31200, 31800]]]
    assert sum(int((t.exons[:, 1] - t.exons[:, 0]).sum()) for t in annotation.transcripts) == 800
    assert accounted(annotation)
    assert annotation.warnings == (
        "1 transcript stood at several places under one name, each read as a transcript of its own, first NR_1.",
    )


def test_a_transcript_id_on_two_contigs_or_strands_is_two_transcripts(read):
    exons = [
        (contig, strand, start, start + 199, rank)
        for contig, strand in (("I", "+"), ("II", "+"), ("II", "-"))
        for start, rank in ((1001, 1 if strand == "+" else 2), (1801, 2 if strand == "+" else 1))
    ]
    assert [(t.contig, t.strand, len(t.introns())) for t in read(gtf("E", *exons)).transcripts] == [
        ("I", "+", 1), ("II", "+", 1), ("II", "-", 1),
    ]  # fmt: skip


def test_single_exons_of_one_transcript_id_are_transcripts_of_their_own(read):
    text = gtf("SNORD", *(("I", "+", start, start + 80, 1) for start in (100, 5000, 9000)))
    text += "\n" + gtf("other", ("I", "+", 200, 300, 1), ("I", "+", 400, 500, 2))
    assert [len(t.exons) for t in read(text).transcripts] == [1, 1, 1, 2]


def test_an_exon_number_may_be_the_first_attribute(read):
    text = "\n".join(
        f'I x exon {start} {start + 80} . + . exon_number "{rank}"; gene_id "A"; transcript_id "t";'
        for start, rank in ((101, 1), (301, 2), (5101, 1), (5301, 2))
    )
    assert [len(t.exons) for t in read(text).transcripts] == [2, 2]


def test_an_exon_number_that_is_always_1_says_nothing(read):
    text = gtf("t", *(("I", "+", start, start + 80, 1) for start in (100, 500, 900)))
    assert [len(t.exons) for t in read(text).transcripts] == [3]


def test_parts_go_to_the_place_at_which_they_lie(read):
    text = gtf(
        "t", ("I", "-", 101, 200, 2), ("I", "-", 301, 400, 1), ("I", "-", 9101, 9200, 2), ("I", "-", 9301, 9400, 1)
    )
    ids = 'gene_id "A"; transcript_id "t";'
    text += "".join(
        f'\nI x CDS {begin + 50} {begin + 99} . - {phase} {ids} exon_number "2";'
        f'\nI x CDS {begin + 200} {begin + 249} . - 1 {ids} exon_number "1";'
        f"\nI x stop_codon {begin + 47} {begin + 49} . - 0 {ids}"
        for begin, phase in ((101, 0), (9101, 2))
    )
    assert [(t.coding.tolist(), t.phase) for t in read(text).transcripts] == [
        ([[147, 200], [300, 350]], 1), ([[9147, 9200], [9300, 9350]], 1),
    ]  # fmt: skip


@pytest.mark.parametrize("contig", ["I", "II"])
def test_an_id_declared_at_two_places_is_two_transcripts(read, contig):
    lines = [
        f"{where} . mRNA {start} {start + 899} . + . ID=x;Parent=g\n"
        f"{where} . exon {start} {start + 99} . + . Parent=x\n"
        f"{where} . exon {start + 800} {start + 899} . + . Parent=x"
        for where, start in (("I", 101), (contig, 50101))
    ]
    annotation = read("\n".join(lines))
    assert [(t.contig, t.introns().tolist()) for t in annotation.transcripts] == [
        ("I", [[200, 900]]), (contig, [[50200, 50900]]),
    ]  # fmt: skip
    assert accounted(annotation)


def test_one_line_given_twice_is_one_transcript(read):
    text = "I . mRNA 1 900 . + . ID=x\n" * 2 + "I . exon 1 90 . + . Parent=x\nI . exon 500 900 . + . Parent=x"
    assert [len(t.exons) for t in read(text).transcripts] == [2]


def test_exons_outside_the_place_of_their_transcript_are_left_out(read):
    text = "".join(
        f"I . mRNA 1 {end} . + . ID={name}\nI . exon 1 {end} . + . Parent={name}\n"
        for name, end in (("x", 900), ("y", 9))
    )
    annotation = read(text + "I . exon 31001 31200 . + . Parent=x")
    assert [t.name for t in annotation.transcripts] == ["y"]
    assert annotation.warnings == ("1 transcript left out (exon or CDS outside the place of its transcript), first x.",)
    assert len(read(text + "I . exon 850 950 . + . Parent=x").transcripts) == 2


# --- trans-splicing ---


@pytest.mark.parametrize("strands", ["-+", "++"])
@pytest.mark.parametrize("flag", ["exception=trans-splicing", "exception=trans_splicing", "trans_splicing=true"])
@pytest.mark.parametrize("parent", [True, False])
def test_trans_spliced_exons_make_no_intron(read, strands, flag, parent):
    lines = [
        f"I . CDS {start} {start + 113} . {strand} 0 ID=c;{'Parent=rps12;' * parent}{flag}"
        for start, strand in zip((1001, 51001), strands, strict=True)
    ]
    lines += ["I . gene 1001 1114 . - . ID=rps12;part=1"] * parent + ["I . CDS 1 9 . + 0 ID=other"]
    if parent and strands == "++":
        lines = [line.replace(". - .", ". + .") for line in lines]
    annotation = read("\n".join(lines))
    assert [t.name for t in annotation.transcripts] == ["other"]
    reason = "transcript on two strands" if strands == "-+" else "trans-spliced transcript"
    assert any(f"1 transcript left out ({reason})" in warning for warning in annotation.warnings)
    assert accounted(annotation)


def test_trans_splicing_of_gtf_and_of_the_parents_line_counts_too(read):
    ids = 'gene_id "g"; transcript_id "t"; exception "trans-splicing";'
    text = f"I x exon 9000 9100 . + . {ids}\nI x exon 1 300 . + . {ids}\n" + gtf("u", ("I", "+", 5, 9, 1))
    assert [t.name for t in read(text).transcripts] == ["u"]
    exons = "I . exon 8001 8100 . + . Parent=r\nI . exon 1 300 . + . Parent=r"
    text = f"I . mRNA 1 9000 . + . ID=r;exception=trans-splicing\n{exons}"
    with pytest.raises(InputError, match=r"it has only: trans-spliced transcript \(3\)"):
        read(text)


def test_a_product_of_trans_splicing_by_name_alone_is_read(read):
    exons = "I . exon 1 90 . + . Parent=r\nI . exon 200 900 . + . Parent=r"
    text = f"I . mRNA 1 900 . + . ID=r;product=trans-splicing factor\n{exons}"
    assert len(read(text).transcripts) == 1


def test_strands_of_one_transcript_that_nothing_explains_are_left_out(read):
    text = "I . mRNA 1 9000 . + . ID=r\nI . exon 8001 8100 . - . Parent=r\nI . exon 1 300 . + . Parent=r"
    with pytest.raises(InputError, match=r"transcript on two strands \(3\)"):
        read(text)
    text = gtf("t", ("I", "+", 1, 100, 1), ("I", "-", 500, 600, 2), ("I", "+", 900, 950, 3))
    with pytest.raises(InputError, match=r"transcript on two strands \(3\)"):
        read(text)


# --- circular contigs ---

CIRCLE = "I . gene 901 1100 . + . ID=c\nI . CDS 901 1100 . + 0 Parent=c\n"


def test_a_gene_across_the_origin_of_a_circle_is_left_out_for_that_reason(read):
    annotation = read("I . region 1 1000 . + . ID=I;Is_circular=true\nI . CDS 1 9 . + 0 ID=d\n" + CIRCLE)
    clipped, notes = clip_to_genome(annotation, {"I": 1000}, annotation_name="genes", genome_name="genome")
    assert [t.name for t in clipped.transcripts] == ["d"]
    assert clipped.skipped["across the origin of a circular contig"] == 2
    assert notes == [
        "1 transcript left out (across the origin of a circular contig, which is read as a line from its first base to"
        " its last), first c."
    ]


def test_a_contig_that_nobody_calls_circular_may_be(read):
    with pytest.raises(InputError) as caught:
        clip_to_genome(read(CIRCLE), {"I": 1000}, annotation_name="genes", genome_name="genome")
    assert str(caught.value) == (
        "every transcript of genes ends past its contig in genome, first c ends at 1100 of I, which has 1000 bp; give"
        " the annotation of the same assembly, or, if the contig is circular and the gene crosses its origin, leave"
        " this gene out."
    )


@pytest.mark.parametrize("end", ["99999999999999999999", "9" * 5000, "1e+05", "1_000", "٣"])
@pytest.mark.parametrize("attributes", ["Parent=t", ""])
def test_a_place_that_no_contig_has_is_refused(read, end, attributes):
    with pytest.raises(InputError) as caught:
        read(f"I . exon 1 {end} . + . {attributes}")
    assert len(str(caught.value)) < 400
    assert "line 1 has" in str(caught.value)

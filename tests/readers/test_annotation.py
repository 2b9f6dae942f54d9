"""What read_annotation promises about GTF and GFF3, made by hand, made at random, awkward and real."""

import gzip
import io
import random
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genolstm.errors import InputError
from genolstm.readers.annotation import Annotation, Transcript, clip_to_genome, read_annotation

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
WANTED = "give the gene annotation as GTF or GFF3, plain or gzipped"
UNUSABLE = "give a GTF or GFF3 with exon features, or with the CDS and UTR of mRNA features"


def write(path: Path, text: str) -> Path:
    """A file from a text whose columns stand apart by spaces or tabs; the ninth keeps its spaces."""
    lines = ("\t".join(line.split(None, 8)) if line and line[0] not in "#>" else line for line in text.split("\n"))
    path.write_text("\n".join(lines))
    return path


@pytest.fixture
def read(tmp_path):
    return lambda text: read_annotation(write(tmp_path / "genes", text))


@pytest.fixture
def refusal(tmp_path):
    """The message with which a text is refused, without its folder."""

    def message(text: str) -> str:
        with pytest.raises(InputError) as caught:
            read_annotation(write(tmp_path / "genes", text))
        return str(caught.value).replace(f"{tmp_path}/", "")

    return message


def models(annotation: Annotation) -> dict[str, tuple]:
    return {
        t.name: (t.gene, t.contig, t.strand, t.biotype, t.exons.tolist(), t.coding.tolist())
        for t in annotation.transcripts
    }


def shape(annotation: Annotation) -> tuple[int, int, int]:
    """Numbers of transcripts, exons and introns."""
    parts = [(len(t.exons), len(t.introns())) for t in annotation.transcripts]
    return len(parts), sum(n for n, _ in parts), sum(n for _, n in parts)


# --- structure ---

GFF3 = """##gff-version 3
I . gene 1 40 . - . ID=g
I . mRNA 1 40 . - . ID=t;Parent=g
I . CDS 31 35 . - . Parent=t
I . five_prime_UTR 36 40 . - . Parent=t
I . CDS 11 20 . - . Parent=t
I . three_prime_UTR 1 10 . - . Parent=t"""


def test_cds_and_utr_that_abut_are_one_exon(read):
    (transcript,) = read(GFF3).transcripts
    assert transcript.exons.tolist() == [[0, 20], [30, 40]]
    assert transcript.coding.tolist() == [[10, 20], [30, 35]]
    assert transcript.introns().tolist() == [[20, 30]]
    assert (transcript.gene, transcript.strand, transcript.biotype) == ("g", "-", "mRNA")


def test_introns_come_from_exons_where_there_are_any(read):
    annotation = read(GFF3 + "\nI . exon 1 40 . - . Parent=t")
    assert models(annotation)["t"][4] == [[0, 40]]
    assert annotation.skipped["UTR and start codon features (exons are given)"] == 2


def test_every_line_is_used_or_skipped_for_a_reason(read):
    annotation = read(GFF3 + "\nI . intron 21 30 . - . Parent=t\nI . region 1 99 . . . ID=r\nI . exon 1 9 . + . ID=e")
    assert annotation.skipped == {
        "gene features": 1,
        "intron features (introns are taken from exons)": 1,
        "region features": 1,
        "exon without Parent": 1,
    }
    assert (annotation.read, annotation.used) == (9, 5)


@pytest.mark.parametrize("biotype", ["tRNA", "ncRNA", "pseudogenic_transcript", "pre_miRNA"])
def test_cds_of_a_noncoding_parent_is_not_coding_and_makes_no_exon(read, biotype):
    annotation = read(
        GFF3 + f"\nI . {biotype} 50 60 . + . ID=n;Parent=h\nI . CDS 50 52 . + . Parent=n\nI . CDS 55 60 . + . Parent=n"
    )
    assert list(models(annotation)) == ["t"]
    assert annotation.skipped[f"CDS and UTR features of {biotype} parents"] == 2
    assert annotation.skipped[f"{biotype} features without exons"] == 1
    assert annotation.warnings == (
        f"1 transcript of biotype {biotype} had CDS or UTR features, which were not read as coding, first n.",
    )


def test_noncoding_parent_keeps_its_exon_features(read):
    annotation = read("I . tRNA 1 9 . + . ID=n\nI . exon 1 9 . + . Parent=n\nI . CDS 1 9 . + . Parent=n")
    assert models(annotation) == {"n": ("n", "I", "+", "tRNA", [[0, 9]], [])}
    assert annotation.transcripts[0].coding.shape == (0, 2)


def test_gene_without_transcripts_stands_for_its_own(read):
    parts = "\nI . exon 1 9 . + . Parent=g\nI . exon 20 30 . + . Parent=g\nI . CDS 3 9 . + . Parent=g"
    text = "I . gene 1 30 . + . ID=g" + parts
    assert models(read(text)) == {"g": ("g", "I", "+", "gene", [[0, 9], [19, 30]], [[2, 9]])}


def test_parts_of_a_gene_beside_its_transcripts_are_left_out(read):
    annotation = read(GFF3 + "\nI . CDS 1 40 . - . Parent=g")
    assert list(models(annotation)) == ["t"]
    assert annotation.skipped["parts of a gene that has transcripts"] == 1


def test_cds_of_a_gene_goes_to_its_only_transcript(read):
    text = "I . gene 1 30 . + . ID=g\nI . mRNA 1 30 . + . ID=t;Parent=g\nI . exon 1 30 . + . Parent=t"
    annotation = read(text + "\nI . CDS 3 9 . + . Parent=g\nI . CDS 11 20 . + . Parent=g")
    assert models(annotation) == {"t": ("g", "I", "+", "mRNA", [[0, 30]], [[2, 9], [10, 20]])}
    assert (annotation.used, annotation.skipped, annotation.warnings) == (4, {"gene features": 1}, ())


def test_gene_and_transcript_that_share_an_id_are_told_apart(read):
    text = "I . gene 1 9 . + . ID=x\nI . mRNA 1 9 . + . ID=x;Parent=x\nI . CDS 1 9 . + . Parent=x"
    assert models(read(text)) == {"x": ("x", "I", "+", "mRNA", [[0, 9]], [[0, 9]])}


def test_gene_is_found_above_nested_transcripts(read):
    parents = "I . miRNA 1 9 . + . ID=mi;Parent=pri\nI . primary_transcript 1 9 . + . ID=pri;Parent=g\n"
    assert models(read("I . exon 1 9 . + . Parent=mi\n" + parents + "I . gene 1 9 . + . ID=g"))["mi"][0] == "g"


def test_circle_of_parents_ends(read):
    text = "I . mRNA 1 9 . + . ID=a;Parent=b\nI . mRNA 1 9 . + . ID=b;Parent=a\nI . exon 1 9 . + . Parent=a"
    assert list(models(read(text))) == ["a"]


def test_parent_without_a_line_is_read_and_told(read):
    annotation = read("I . exon 1 9 . + . Parent=a\nI . mRNA 1 9 . + . Name=a")
    assert models(annotation) == {"a": ("a", "I", "+", "transcript", [[0, 9]], [])}
    assert annotation.skipped == {"mRNA without ID": 1}
    assert annotation.warnings == ("1 transcript came from Parent attributes alone, without a feature line, first a.",)


def test_cds_with_an_id_but_no_parent_is_its_own_transcript(read):
    annotation = read("I . CDS 1 9 . + . ID=c\nI . CDS 20 30 . + . ID=c")
    assert models(annotation) == {"c": ("c", "I", "+", "CDS", [[0, 9], [19, 30]], [[0, 9], [19, 30]])}


def test_shared_exon_belongs_to_all_its_parents_and_is_one_line(read):
    annotation = read("I . exon 1 9 . + . Parent=a,b,\nI . mRNA 1 9 . + . ID=a\nI . mRNA 1 9 . + . ID=b")
    assert shape(annotation) == (2, 2, 0)
    assert (annotation.read, annotation.used, annotation.skipped) == (3, 3, {})
    assert [t.lines for t in annotation.transcripts] == [2, 1]


@pytest.mark.parametrize(
    ("lines", "flaw"),
    [
        ("I . exon 1 9 . + . Parent=a\nII . exon 20 30 . + . Parent=a", "transcript on two contigs"),
        ("I . exon 1 9 . + . Parent=a\nI . exon 20 30 . - . Parent=a", "transcript on two strands"),
        ("I . exon 1 9 . + . Parent=a\nI . mRNA 1 9 . - . ID=a", "transcript on two strands"),
        ("I . exon 1 9 . . . Parent=a\nI . exon 20 30 . . . Parent=a", "transcript without strand"),
        ("I . exon 1 9 . ? . Parent=a\nI . exon 20 30 . ? . Parent=a", "transcript without strand"),
    ],
)
def test_transcript_without_one_place_is_left_out_and_counted(read, lines, flaw):
    annotation = read(GFF3 + "\nI . mRNA 1 30 . . . ID=z\n" + lines)
    assert list(models(annotation)) == ["t"]
    assert annotation.skipped[flaw] == 2
    assert f"1 transcript left out ({flaw}), first a." in annotation.warnings


def test_overlapping_exons_are_merged_and_told(read):
    annotation = read("I . mRNA 1 30 . + . ID=a\nI . exon 1 9 . + . Parent=a\nI . exon 5 30 . + . Parent=a")
    assert models(annotation)["a"][4] == [[0, 30]]
    assert annotation.warnings == ("1 transcript had overlapping exons or CDS, which were merged, first a.",)


def test_cds_outside_the_exons_is_told(read):
    annotation = read("I . mRNA 1 30 . + . ID=a\nI . exon 1 9 . + . Parent=a\nI . CDS 5 12 . + . Parent=a")
    assert models(annotation)["a"][4:] == ([[0, 9]], [[4, 12]])
    assert annotation.warnings == (
        "1 transcript had CDS or stop codons outside the exons, which were kept as they are, first a.",
    )


# --- GTF ---


def test_gtf_needs_no_transcript_lines(read):
    text = 'I x exon 1 9 . + . gene_id "g"; transcript_id "t";\nI x exon 20 30 . + . gene_id "g"; transcript_id "t";'
    assert models(read(text)) == {"t": ("g", "I", "+", "transcript", [[0, 9], [19, 30]], [])}


def test_stop_codon_of_gtf_extends_the_cds(read):
    text = 'I x CDS 4 9 . - . gene_id "g"; transcript_id "t"\nI x stop_codon 1 3 . - . gene_id "g"; transcript_id "t"'
    assert models(read(text))["t"][4:] == ([[0, 9]], [[0, 9]])


@pytest.mark.parametrize(
    "attributes",
    [
        'gene_id "g"; transcript_id "t"; ',
        "gene_id g; transcript_id t",
        "transcript_id t;gene_id g",
        'note "a; transcript_id wrong; gene_id \\"wrong\\""; gene_id "g"; transcript_id "t"',
        'gene_id "g";; transcript_id "t",',
        'old_transcript_id "wrong"; gene_id "g"; transcript_id "t"; x "',
    ],
)
def test_gtf_attributes_are_found_however_they_are_written(read, attributes):
    assert models(read(f"I x exon 1 9 . + . {attributes}")) == {"t": ("g", "I", "+", "transcript", [[0, 9]], [])}


@pytest.mark.parametrize(
    ("attributes", "biotype"),
    [
        ('gene_biotype "b"; transcript_biotype "a"', "a"),
        ('transcript_type "a"', "a"),
        ('gene_biotype "a"', "a"),
        ('gene_type "a"', "a"),
        ('type "a"', "transcript"),
    ],
)
def test_biotype_of_gtf_is_the_nearest_one_given(read, attributes, biotype):
    assert models(read(f'I x exon 1 9 . + . gene_id "g"; transcript_id "t"; {attributes};'))["t"][3] == biotype


def test_gtf_lines_with_one_id_only(read):
    ids = ('gene_id "g"; transcript_id "";', 'transcript_id "t";', "level 2;")
    annotation = read("\n".join(f"I x exon 1 9 . + . {attributes}" for attributes in ids))
    assert {name: model[0] for name, model in models(annotation).items()} == {"g": "g", "t": "t"}
    assert annotation.skipped == {"exon without transcript_id": 1}


def test_one_transcript_id_in_two_genes_is_two_transcripts(read):
    text = "\n".join(f'I x exon {i}1 {i}9 . + . gene_id "{i}"; transcript_id "unknown_transcript_1";' for i in (1, 2))
    assert shape(read(text)) == (2, 2, 0)


# --- text ---


@pytest.mark.parametrize("ending", ["\n##FASTA\n>I\nACGT\n", "\n>I\nACGT\n", "\n###\n\n# end\n"])
def test_sequences_and_comments_after_the_features_are_passed_over(read, ending):
    assert models(read(GFF3 + ending)) == models(read(GFF3))


def test_escaped_names_are_unescaped(read):
    text = "I%7C1 . mRNA 1 9 . + . ID=a%2Cb;Parent=g%3B1\nI%7C1 . exon 1 9 . + . Parent=a%2Cb"
    assert models(read(text)) == {"a,b": ("g;1", "I|1", "+", "mRNA", [[0, 9]], [])}


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: gzip.compress(text.encode()),
        lambda text: gzip.compress(text[:40].encode()) + gzip.compress(text[40:].encode()),
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: b"track name=genes\nbrowser position I\n" + text.encode(),
        lambda text: text.encode() + b"\nI\t.\tgene\t1\t9\t.\t+\t.\tNote=caf\xe9",
    ],
    ids=["crlf", "gzip", "gzip members, as bgzip has", "byte-order mark", "browser lines", "latin-1"],
)
def test_the_same_text_in_other_clothes_reads_the_same(read, tmp_path, change):
    expected = models(read(GFF3))
    path = tmp_path / "genes"
    path.write_bytes(change(path.read_text()))
    assert models(read_annotation(path)) == expected


def test_names_stay_different_where_only_bytes_that_are_not_utf8_differ(tmp_path):
    path = tmp_path / "genes"
    path.write_bytes(b"".join(b"I\t.\texon\t1\t9\t.\t+\t.\tParent=" + name + b"\n" for name in (b"\xe8", b"\xe9")))
    assert list(models(read_annotation(path))) == ["\\xe8", "\\xe9"]


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_dash_is_standard_input_and_leaves_it_open(read, tmp_path, monkeypatch, compress):
    expected = models(read(GFF3))
    path = tmp_path / "piped"
    path.write_bytes(compress((tmp_path / "genes").read_bytes()))
    with path.open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        assert models(read_annotation("-")) == expected
        assert not stream.closed
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(path.read_bytes())))
    assert models(read_annotation("-")) == expected


def test_truncated_gzip_is_refused(read, tmp_path):
    read(GFF3)
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress((tmp_path / "genes").read_bytes())[:-12])
    with pytest.raises(InputError) as caught:
        read_annotation(path)
    assert str(caught.value) == (f"{path} is cut short (its gzip data have no end); copy or download it again.")


def test_damaged_gzip_is_refused(tmp_path):
    path = tmp_path / "bad.gz"
    path.write_bytes(gzip.compress(b"I\t.\tregion\t1\t9\t.\t+\t.\tID=r\n") + b"garbage")
    with pytest.raises(
        InputError, match=r"bad\.gz holds other data after its gzip data, at byte \d+ \(beginning with b'garbage'\)"
    ):
        read_annotation(path)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"none does not exist: check the path\."):
        read_annotation(tmp_path / "none")


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b">I\nACGT", "FASTA"), (b"BAM\x01\0", "BAM"), (b"@HD\tVN:1.6", "FASTQ or SAM"), (b"\x89HDF\r\n", "HDF5")],
)
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_another_kind_of_file_is_named(tmp_path, content, kind, compress):
    path = tmp_path / "wrong"
    path.write_bytes(compress(content))
    with pytest.raises(InputError) as caught:
        read_annotation(path)
    assert str(caught.value) == f"{path} looks like {kind}, not like GTF or GFF3; {WANTED}."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", f"genes holds no features at all; {UNUSABLE}."),
        ("# x\n>I\nACGT", f"genes line 2 looks like FASTA, not like GTF or GFF3: '>I'; {WANTED}."),
        ("I 10 20", f"genes line 1 looks like BED, not like GTF or GFF3: 'I\\t10\\t20'; {WANTED}."),
        ("I 1 20 7 8 + 1 2 0 1 20 0", "line 1 looks like BED, not like GTF or GFF3: 'I\\t1\\t20\\t7\\t8\\t+\\t1\\t2"),
        (
            "\nI . exon 1",
            "genes line 2 has 4 tab-separated columns instead of 9: 'I\\t.\\texon\\t1';"
            f" mend or remove the line, or {WANTED}.",
        ),
        (
            "I . exon 1.5 9 . + . Parent=a",
            "genes line 1 has start '1.5' and end '9', which must be whole numbers; mend or remove the line.",
        ),
        ("I . exon 0 9 . + .", "line 1 has start 0, but the first base of a contig is 1; mend or remove the line."),
        ("I . exon 9 8 . + . Parent=a", "genes line 1 has start 9 after end 8; mend or remove the line."),
        ("I . exon 1 9 . 1 .", "genes line 1 has strand '1' instead of '+', '-', '.' or '?'; mend or remove the line."),
        (
            "I . exon 1 9 . . .\nI . region 1 9 . . .\nI . exon 1 9 . . . Parent=a",
            "genes holds no transcript that can be used, it has only:"
            f" exon without attributes (1), region features (1), transcript without strand (1); {UNUSABLE}.",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_in_one_sentence(refusal, text, message):
    assert message in refusal(text)


# --- the genome beside it ---


def made(*places: tuple[str, int]) -> Annotation:
    """One-exon transcripts of five lines each, at contig and end."""
    transcripts = tuple(
        Transcript(name=f"t{i}", gene="g", contig=contig, strand="+", biotype="mRNA", exons=np.array([[0, end]]),
                   coding=np.empty((0, 2), np.int64), lines=5)
        for i, (contig, end) in enumerate(places)
    )  # fmt: skip
    return Annotation(transcripts=transcripts, read=5 * len(places), used=5 * len(places), skipped={}, warnings=())


def clip(annotation: Annotation, lengths: dict[str, int]) -> tuple[Annotation, list[str]]:
    return clip_to_genome(annotation, lengths, annotation_name="genes.gtf", genome_name="genome.h5")


def test_transcripts_off_the_genome_are_left_out_by_name():
    clipped, sentences = clip(made(("I", 9), ("x", 9), ("y", 9), ("x", 9), ("I", 11)), {"I": 10, "II": 5})
    assert [t.name for t in clipped.transcripts] == ["t0"]
    assert clipped.skipped == {"contig not in genome": 15, "past the contig end": 5}
    assert (clipped.read, clipped.used) == (25, 5)
    assert sentences == [
        "left out 3 transcripts of genes.gtf, on contigs that genome.h5 lacks: x, y.",
        "genes.gtf has no transcript on 1 contig of genome.h5: II.",
        "1 transcript ended past the contig and had to be left out, first t4 (t4 ends at 11 of I, which has 10 bp);"
        " give the annotation of the same assembly, or, if the contig is circular and the gene crosses its origin,"
        " leave this gene out.",
    ]


def test_nothing_is_said_where_everything_matches():
    annotation = made(("I", 10))
    clipped, sentences = clip(annotation, {"I": 10})
    assert (clipped.transcripts, clipped.skipped, sentences) == (annotation.transcripts, {}, [])


def test_nothing_shared_shows_both_lists():
    with pytest.raises(InputError) as caught:
        clip(made(*((f"a{i}", 9) for i in range(9))), {"I": 9, "II": 9})
    assert str(caught.value) == (
        "no contig of genes.gtf is in genome.h5: the annotation has a0, a1, a2, a3, a4, a5, a6, a7, ..."
        " and the genome has I, II; rename the contigs in one of the two, or give the annotation of this assembly."
    )


@pytest.mark.parametrize(("contig", "genome_contig"), [("1", "chr1"), ("chr1", "1")])
def test_a_chr_prefix_is_pointed_out(contig, genome_contig):
    with pytest.raises(InputError, match="they differ by the prefix 'chr', add or remove it in one of the two"):
        clip(made((contig, 9)), {genome_contig: 9})


def test_another_assembly_is_refused():
    with pytest.raises(
        InputError, match=r"every transcript of genes\.gtf ends past .* first t0 ends at 9 of I, which has 5 bp"
    ):
        clip(made(("I", 9)), {"I": 5})


# --- made at random ---


@dataclass(frozen=True)
class Model:
    name: str
    gene: str
    contig: str
    strand: str
    exons: list[list[int]]
    coding: list[list[int]]


@st.composite
def gene_models(draw) -> list[Model]:
    odd_text = st.text("aB1._:;,=%é|", max_size=4)
    drawn = []
    for i in range(draw(st.integers(1, 4))):
        ends = sorted(draw(st.sets(st.integers(0, 400), min_size=2, max_size=8)))
        exons = [[a, b] for a, b in zip(ends[::2], ends[1::2], strict=False)]
        low, high = sorted(draw(st.tuples(st.integers(0, 400), st.integers(0, 400))))
        coding = [[max(a, low), min(b, high)] for a, b in exons if max(a, low) < min(b, high)]
        drawn.append(
            Model(f"t{i}{draw(odd_text)}x", f"g{draw(st.integers(0, 1))}{draw(odd_text)}y", draw(st.sampled_from("IV")),
                  draw(st.sampled_from("+-")), exons, coding)
        )  # fmt: skip
    return drawn


def without_coding(exon: list[int], coding: list[list[int]]) -> list[list[int]]:
    """The UTRs of an exon."""
    inside = [piece for piece in coding if exon[0] <= piece[0] < exon[1]]
    ends = [exon[0], *(end for piece in inside for end in piece), exon[1]]
    return [[a, b] for a, b in zip(ends[::2], ends[1::2], strict=True) if a < b]


def gff3_lines(model: Model, *, with_exons: bool) -> list[str]:
    name, gene = quote(model.name, safe=""), quote(model.gene, safe="")
    utrs = [piece for exon in model.exons for piece in without_coding(exon, model.coding)]
    parts = (
        [("exon", p) for p in model.exons] if with_exons or not model.coding else [("five_prime_UTR", p) for p in utrs]
    )
    start, end = model.exons[0][0], model.exons[-1][1]
    features = [("gene", [start, end], f"ID={gene}"), ("mRNA", [start, end], f"Note=x;ID={name};Parent={gene}")]
    features += [(kind, piece, f"Parent={name}") for kind, piece in parts + [("CDS", p) for p in model.coding]]
    return [f"{model.contig}\t.\t{k}\t{p[0] + 1}\t{p[1]}\t.\t{model.strand}\t.\t{a}\n" for k, p, a in features]


def gtf_lines(model: Model) -> list[str]:
    coding, stop = [list(piece) for piece in model.coding], []
    if coding and model.strand == "+" and coding[-1][1] - coding[-1][0] > 3:
        coding[-1][1] -= 3
        stop = [[coding[-1][1], coding[-1][1] + 3]]
    parts = {"exon": model.exons, "CDS": coding, "stop_codon": stop}
    ids = f'gene_id "{model.gene}"; transcript_id "{model.name}"; transcript_biotype "mRNA";'
    return [
        f"{model.contig}\t.\t{kind}\t{start + 1}\t{end}\t.\t{model.strand}\t.\t{ids}\n"
        for kind, pieces in parts.items()
        for start, end in pieces
    ]


@settings(max_examples=60, deadline=None)
@given(drawn=gene_models(), seed=st.integers(0, 999), with_exons=st.booleans())
def test_gff3_and_gtf_of_the_same_genes_read_back_in_any_line_order(tmp_path_factory, drawn, seed, with_exons):
    expected = {m.name: (m.gene, m.contig, m.strand, "mRNA", m.exons, m.coding) for m in drawn}
    path = tmp_path_factory.mktemp("models") / "genes"
    gff3 = [line for model in drawn for line in gff3_lines(model, with_exons=with_exons)]
    gtf = [line for model in drawn for line in gtf_lines(model)]
    for lines in (gff3, gtf):
        random.Random(seed).shuffle(lines)
        path.write_text("".join(lines))
        annotation = read_annotation(path)
        assert models(annotation) == expected
        assert annotation.read == len(lines) == annotation.used + sum(annotation.skipped.values())


# --- awkward files of other projects ---


def only(found: str) -> str:
    return f"{{}} holds no transcript that can be used, it has only: {found}; {UNUSABLE}."


SPACES = "its columns are separated by spaces, replace these by tabs."
AWKWARD = {
    "gffutils/F3-unique-3.v2.gff": only("read features (112)"),
    "gffutils/FBgn0031208.gff": (3, 6, 3),  # the third mRNA is on '-', its exon on '+'
    "gffutils/FBgn0031208.gtf": (4, 7, 3),
    "gffutils/gencode-v19.gtf": (4, 16, 12),
    "gffutils/gff_example1.gff3": (1, 4, 3),
    "gffutils/gff_example1.gff3.gz": (1, 4, 3),
    "gffutils/glimmer_nokeyval.gff3": (1, 1, 0),
    "gffutils/gms2_example.gff3": (2, 2, 0),
    "gffutils/hybrid1.gff3": (1, 5, 4),
    "gffutils/intro_docs_example.gff": (3, 7, 4),
    "gffutils/issue167.gff": "{} line 1 has 1 tab-separated column instead of 9:"
    f" 'An-1__chr2_12990458-12991147    EVM     gene    0       463 ...'; {SPACES}",
    "gffutils/issue174.gtf": (1, 27, 26),
    "gffutils/issue_197.gff": (3, 3, 0),
    "gffutils/keep-order-test.gtf": (1, 1, 0),
    "gffutils/keyval_sep_in_attrs.gff": only("match features (2)"),
    "gffutils/mouse_extra_comma.gff3": (1, 6, 5),
    "gffutils/random-chr.gff": (2, 5, 3),
    "gffutils/sharr.gtf": (1, 2, 1),
    "gffutils/synthetic.gff3": only("sequence_feature features (17), misc_feature features (1)"),
    "gffutils/unsanitized.gff": "{} line 1 has start 1000 after end 500; mend or remove the line.",
    "mikado/Chrysemys_picta_bellii_problematic.gff3": (4, 6, 2),
    "mikado/check_seed.gtf": "{} line 7 has 4 tab-separated columns instead of 9:"
    f" 'Chr5\\tat\\tCDS\\t26575711        26575797        .       -       ...'; {SPACES}",
    "mikado/cufflinks.no_transcript.gtf": (19, 108, 89),
    "mikado/test_truncated_cds.gff3": (1, 1, 0),
    "mikado/trinity.cDNA_match.gff3": only("cDNA_match features (144)"),
    "mikado/trinity.no_transcript_feature.gtf": (38, 144, 106),
    "mikado/trinity_unsorted.gff3": (38, 144, 106),
    "mikado/trinity_unsorted.gtf": (38, 144, 106),
}


def real(name: str) -> Path:
    """A file of the data folder beside the checkout."""
    if not (DATA / name).exists():
        pytest.skip(f"the real data are not beside the checkout: {name}")
    return DATA / name


@pytest.mark.realdata
@pytest.mark.parametrize(("name", "outcome"), AWKWARD.items())
def test_awkward_file_gives_its_transcripts_or_one_clear_sentence(name, outcome):
    path = real(f"awkward/{name}")
    if isinstance(outcome, str):
        with pytest.raises(InputError) as caught:
            read_annotation(path)
        assert str(caught.value) == outcome.format(path)
    else:
        annotation = read_annotation(path)
        assert shape(annotation) == outcome
        assert annotation.read == annotation.used + sum(annotation.skipped.values())
        assert "" not in annotation.skipped


@pytest.mark.realdata
def test_every_awkward_file_is_in_the_table():
    folder = real("awkward")
    files = [*folder.glob("gffutils/*.gff*"), *folder.glob("gffutils/*.gtf*"), *folder.glob("mikado/*")]
    assert {str(path.relative_to(folder)) for path in files} == set(AWKWARD)


@pytest.mark.realdata
def test_unsorted_gff3_and_gtf_of_the_same_transcripts_agree():
    read_both = [read_annotation(real(f"awkward/mikado/trinity_unsorted.{end}")) for end in ("gff3", "gtf")]
    assert models(read_both[0]) == models(read_both[1])


# --- fission yeast ---


@pytest.fixture(scope="module")
def pombe() -> Annotation:
    return read_annotation(real("pombe/genes.gff3.gz"))


def mrna_introns(annotation: Annotation) -> list[tuple[str, str, int, int]]:
    """Distinct contig, strand, start, end of mRNA introns on the three chromosomes."""
    introns = {
        (t.contig, t.strand, start, end)
        for t in annotation.transcripts
        if t.biotype == "mRNA" and t.contig in ("I", "II", "III")
        for start, end in t.introns().tolist()
    }
    return sorted(introns)


@pytest.mark.realdata
def test_pombe_has_its_known_introns(pombe):
    introns = mrna_introns(pombe)
    assert len(introns) == 5284
    assert [sum(i[0] == contig for i in introns) for contig in ("I", "II", "III")] == [2345, 1971, 968]
    assert sum(end - start < 20 for *_, start, end in introns) == 24


@pytest.mark.realdata
def test_pombe_lines_are_all_accounted_for(pombe):
    assert pombe.read == pombe.used + sum(pombe.skipped.values()) == 41848
    assert pombe.skipped["CDS and UTR features of tRNA parents"] == 240
    assert pombe.skipped["CDS and UTR features of ncRNA parents"] == 1532
    assert pombe.used == sum(t.lines for t in pombe.transcripts)


@pytest.mark.realdata
@pytest.mark.parametrize(("strand", "ends"), [("+", ("GT", "AG")), ("-", ("CT", "AC"))])
def test_pombe_introns_run_from_gt_to_ag_on_either_strand(pombe, strand, ends):
    with gzip.open(real("pombe/genome.fa.gz"), "rt") as fasta:
        records = (record.partition("\n") for record in fasta.read().split(">")[1:])
        genome = {header.split()[0]: sequence.replace("\n", "").upper() for header, _, sequence in records}
    introns = [i for i in mrna_introns(pombe) if i[1] == strand]
    share = np.mean([(genome[c][start : start + 2], genome[c][end - 2 : end]) == ends for c, _, start, end in introns])
    assert share == pytest.approx(0.994, abs=0.002)


@pytest.mark.realdata
def test_pombe_as_gtf_reads_the_same(pombe, tmp_path):
    path = tmp_path / "genes.gtf"
    pieces = [
        (t, k, p) for t in pombe.transcripts for k, ps in (("exon", t.exons), ("CDS", t.coding)) for p in ps.tolist()
    ]
    path.write_text(
        "".join(
            f"{t.contig}\tx\t{kind}\t{start + 1}\t{end}\t.\t{t.strand}\t.\t"
            f'gene_id "{t.gene}"; transcript_id "{t.name}"; transcript_biotype "{t.biotype}";\n'
            for t, kind, (start, end) in pieces
        )
    )
    assert models(read_annotation(path)) == models(pombe)


@pytest.mark.realdata
def test_pombe_contigs_that_the_genome_calls_otherwise_are_named(pombe):
    lengths = {"I": 5_579_133, "II": 4_539_804, "III": 2_452_883, "MT": 19_433, "MTR": 20_128, "AB325691": 20_000}
    clipped, sentences = clip(pombe, lengths)
    assert mrna_introns(clipped) == mrna_introns(pombe)
    lost = len(pombe.transcripts) - len(clipped.transcripts)
    assert sentences == [
        f"left out {lost} transcripts of genes.gtf, on contigs that genome.h5 lacks:"
        " chr_II_telomeric_gap, mitochondrial, mating_type_region.",
        "genes.gtf has no transcript on 3 contigs of genome.h5: MT, MTR, AB325691.",
    ]
    assert clipped.read == clipped.used + sum(clipped.skipped.values())

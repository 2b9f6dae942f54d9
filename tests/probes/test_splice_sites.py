"""Splice sites and decoys against hand-made genes, and against letters searched one by one."""

from dataclasses import replace

import numpy as np
import pytest

from genolstm.alphabet import decode, reverse_complement
from genolstm.errors import InputError
from genolstm.probes import splice_sites as finding
from genolstm.probes.splice_sites import DINUCLEOTIDES, Target, splice_sites
from genolstm.readers.annotation import Transcript
from genolstm.regions import Part
from genolstm.settings.probe import DecoySource, ProbeSettings

EVERYTHING = 10**6  # decoys per site: all there are


def transcript(exons, strand="+", contig="a", name="t", *, coding=True):
    spans = np.array(exons, dtype=np.int64)
    return Transcript(
        name=name, gene=name, contig=contig, strand=strand, biotype="mRNA", exons=spans,
        coding=spans if coding else np.empty((0, 2), dtype=np.int64),
    )  # fmt: skip


def written(length, words, filler="C"):
    """Text of one letter with words at places: C alone carries no dinucleotide on either strand."""
    text = [filler] * length
    for at, word in words.items():
        text[at : at + len(word)] = word
    return "".join(text)


def true_rows(found):
    """(contig name, position, strand) of the true sites."""
    return rows_where(found.sites, found.sites.label == 1)


def rows_where(sites, mask):
    return [
        (sites.contigs[c], int(p), int(s))
        for c, p, s in zip(sites.contig[mask], sites.position[mask], sites.strand[mask], strict=True)
    ]


def text_of(genome, contig):
    index = genome.names.index(contig)
    first = genome.starts[index]
    return genome.all_codes[first : first + genome.lengths[index]]


def places_with_dinucleotide(target, genome, contig, strand):
    """Every position of the G of GT (AG) on one strand, found in the letters."""
    codes = text_of(genome, contig)
    along = decode(codes if strand > 0 else reverse_complement(codes), genome.alphabet)
    word, shift = ("GT", 0) if target is Target.DONOR else ("AG", 1)
    found = [at + shift for at in range(len(along) - 1) if along[at : at + 2] == word]
    return {at if strand > 0 else len(along) - 1 - at for at in found}


# ---- two genes of two introns, by hand

FORWARD = transcript([(10, 30), (60, 70), (100, 120)], "+", name="f")  # introns 30..59 and 70..99
REVERSE = transcript([(200, 220), (250, 260), (290, 310)], "-", name="r")  # introns 220..249 and 260..289
WORDS = {
    30: "GT", 58: "AG", 70: "GT", 98: "AG",  # read forwards
    248: "AC", 220: "CT", 288: "AC", 260: "CT",  # read backwards: GT begins at 249 and 289, AG ends at 220 and 260
    110: "GT", 15: "AG", 205: "AC", 300: "CT", 150: "GTAG", 350: "ACCT",  # decoys within the genes, and outside
}  # fmt: skip
SITES = {
    Target.DONOR: [("a", 30, 1), ("a", 70, 1), ("a", 249, -1), ("a", 289, -1)],
    Target.ACCEPTOR: [("a", 59, 1), ("a", 99, 1), ("a", 220, -1), ("a", 260, -1)],
}
DECOYS = {
    Target.DONOR: [("a", 110, 1), ("a", 206, -1)],
    Target.ACCEPTOR: [("a", 16, 1), ("a", 300, -1)],
}
OUTSIDE = {
    Target.DONOR: [("a", 150, 1), ("a", 351, -1)],
    Target.ACCEPTOR: [("a", 153, 1), ("a", 352, -1)],
}


@pytest.fixture(autouse=True)
def _small_draws(monkeypatch):
    monkeypatch.setattr(finding, "DRAW", 1 << 12)


@pytest.fixture
def found_in(genome_of, stretches_of):
    """Function: words of the hand-made contig, transcripts, settings -> SpliceSites; the whole contig is for test."""

    def found(target, words, transcripts, **options):
        genome = genome_of({"a": written(400, words)})
        settings = ProbeSettings(**{"decoys": EVERYTHING, **options})
        split = stretches_of(genome, [("a", 0, 400, Part.TEST)])
        return splice_sites(target, genome, transcripts, split, settings, np.random.default_rng(1))

    return found


@pytest.mark.parametrize("target", Target)
def test_site_is_the_g_of_its_dinucleotide_on_either_strand(found_in, target):
    found = found_in(target, WORDS, [FORWARD, REVERSE])
    assert true_rows(found) == SITES[target]
    assert found.skipped == {}


@pytest.mark.parametrize("target", Target)
def test_decoys_are_the_other_dinucleotides_of_the_genes_on_their_strand(found_in, target):
    found = found_in(target, WORDS, [FORWARD, REVERSE])
    assert rows_where(found.sites, found.sites.label == 0) == DECOYS[target]
    assert found.prevalence == 4 / 6


@pytest.mark.parametrize("target", Target)
def test_span_within_another_changes_nothing_and_counts_nothing_twice(found_in, target):
    nested = [transcript([(20, 50)], "+", name="within"), transcript([(225, 240)], "-", name="within, backwards")]
    found = found_in(target, WORDS, [*nested, FORWARD, REVERSE])
    assert rows_where(found.sites, found.sites.label == 0) == DECOYS[target]
    assert found.prevalence == 4 / 6


@pytest.mark.parametrize("target", Target)
def test_decoys_from_contigs_are_all_other_dinucleotides_on_both_strands(found_in, target):
    found = found_in(target, WORDS, [FORWARD, REVERSE], decoys_from="contig")
    # a palindrome-free text: AG of the one strand is CT of the other, so that nothing else carries the word
    assert rows_where(found.sites, found.sites.label == 0) == sorted(DECOYS[target] + OUTSIDE[target])
    assert found.prevalence == 4 / 8


@pytest.mark.parametrize(
    ("target", "place", "word", "lost"),
    [
        (Target.DONOR, 30, "GC", ("a", 30, 1)),
        (Target.DONOR, 30, "AT", ("a", 30, 1)),
        (Target.DONOR, 30, "NT", ("a", 30, 1)),
        (Target.DONOR, 248, "GT", ("a", 249, -1)),  # GT, but on the other strand
        (Target.ACCEPTOR, 98, "AC", ("a", 99, 1)),
        (Target.ACCEPTOR, 220, "AG", ("a", 220, -1)),
    ],
)
def test_site_without_its_dinucleotide_on_its_strand_is_counted_and_left_out(found_in, target, place, word, lost):
    found = found_in(target, {**WORDS, place: word}, [FORWARD, REVERSE, replace(FORWARD, name="again")])
    assert true_rows(found) == [row for row in SITES[target] if row != lost]
    assert found.skipped == {f"{target} without its dinucleotide": 1}
    assert lost not in rows_where(found.sites, found.sites.label == 0)


@pytest.mark.parametrize("target", Target)
def test_short_introns_are_counted_and_their_ends_are_neither_sites_nor_decoys(found_in, target):
    short = transcript([(300, 320), (339, 350)], "+", name="short")  # 19 bases
    words = {**WORDS, 320: "GT", 337: "AG"}
    found = found_in(target, words, [FORWARD, REVERSE, short, replace(short, name="again")])
    assert true_rows(found) == SITES[target]
    assert found.skipped == {"intron under 20 bases": 1}
    assert not {("a", 320, 1), ("a", 338, 1)} & set(rows_where(found.sites, found.sites.label == 0))
    kept = found_in(target, words, [FORWARD, REVERSE, short], min_intron=19)
    assert len(true_rows(kept)) == 5
    assert kept.skipped == {}


@pytest.mark.parametrize("target", Target)
def test_site_that_several_transcripts_share_is_one_site(found_in, target):
    skipping = transcript([(10, 30), (100, 120)], "+", name="skips the middle exon")
    once = found_in(target, WORDS, [FORWARD, REVERSE])
    assert true_rows(found_in(target, WORDS, [skipping, FORWARD, FORWARD, REVERSE])) == true_rows(once)


def test_dinucleotide_does_not_reach_past_the_ends_of_a_contig(genome_of):
    genome = genome_of({"before": "GGGA", "a": "GTAG", "after": "TTTT"})  # GA|GTAG|TT
    donor, acceptor = DINUCLEOTIDES[Target.DONOR], DINUCLEOTIDES[Target.ACCEPTOR]
    place = np.arange(4)
    forward, backward = np.ones(4, np.int8), -np.ones(4, np.int8)
    assert donor.at(genome, 1, place, forward).tolist() == [True, False, False, False]
    assert acceptor.at(genome, 1, place, forward).tolist() == [False, False, False, True]
    assert not donor.at(genome, 1, place, backward).any()  # the other strand reads CTAC
    assert not acceptor.at(genome, 1, place, backward).any()


# ---- genes on a random genome, against letters searched one by one


def gene_text(rng, length):
    """Random letters with genes of three exons on both strands; text and exons with strand."""
    text, genes = rng.choice(list("ACGT"), length), []
    for start in range(40, length - 260, 260):
        exons = start + np.cumsum([0, *rng.integers(25, 55, 5)]).reshape(3, 2)
        strand = "+-"[int(rng.integers(2))]
        first, last = ("GT", "AG") if strand == "+" else ("CT", "AC")
        for left, right in zip(exons[:-1, 1], exons[1:, 0], strict=True):
            text[left : left + 2], text[right - 2 : right] = list(first), list(last)
        genes.append((strand, exons))
    return "".join(text), genes


@pytest.fixture(scope="module")
def made(genome_of, stretches_of):
    """Three contigs with genes; the first is cut into all three parts with margins between, the last left out."""
    rng = np.random.default_rng(5)
    texts = {name: gene_text(rng, length) for name, length in {"a": 9000, "b": 3000, "c": 1500}.items()}
    genome = genome_of({name: text for name, (text, _) in texts.items()})
    transcripts = []
    for contig, (_, genes) in texts.items():
        for number, (strand, exons) in enumerate(genes):
            name = f"{contig}{number}"
            transcripts.append(transcript(exons, strand, contig, name, coding=number % 5 != 0))
            if number % 3 == 0:
                transcripts.append(transcript(exons[[0, 2]], strand, contig, f"{name} short"))
    rows = [("a", 0, 4000, Part.TRAIN), ("a", 4500, 6000, Part.VALID), ("a", 6500, 9000, Part.TEST)]
    return genome, transcripts, stretches_of(genome, [*rows, ("b", 0, 3000, Part.TEST)])


def found_with(made, target, seed=3, **options):
    genome, transcripts, split = made
    return splice_sites(target, genome, transcripts, split, ProbeSettings(**options), np.random.default_rng(seed))


def annotated_rows(target, transcripts):
    """Every annotated site, found one intron at a time."""
    found = set()
    for each in transcripts:
        for left, right in zip(each.exons[:-1], each.exons[1:], strict=True):
            first, last = (left[1], right[0] - 1) if each.strand == "+" else (right[0] - 1, left[1])
            found.add((each.contig, int(first if target is Target.DONOR else last), 1 if each.strand == "+" else -1))
    return found


def part_of(split, contig, position):
    for index, start, end, part in zip(split.contig, split.start, split.end, split.part, strict=True):
        if split.contigs[index] == contig and start <= position < end:
            return Part(int(part))
    return None


def candidates(target, made, source):
    """Every place where a decoy may lie, true sites included: (contig, position, strand) -> part."""
    genome, transcripts, split = made
    found = {}
    for contig in genome.names:
        for strand, sign in (("+", 1), ("-", -1)):
            inside = [
                (t.exons[0, 0], t.exons[-1, 1])
                for t in transcripts
                if t.contig == contig and t.strand == strand and len(t.coding)
            ]
            for at in places_with_dinucleotide(target, genome, contig, sign):
                part = part_of(split, contig, at)
                if part is not None and (source == "contig" or any(a <= at < b for a, b in inside)):
                    found[contig, at, sign] = part
    return found


@pytest.mark.parametrize("source", DecoySource)
@pytest.mark.parametrize("target", Target)
def test_decoys_keep_the_ratio_in_every_contig_and_part(made, target, source):
    genome, transcripts, split = made
    found = found_with(made, target, decoys=3, decoys_from=source)
    sites, allowed = found.sites, candidates(target, made, source)
    decoys = rows_where(sites, sites.label == 0)
    assert len(set(decoys)) == len(decoys) > 50
    assert set(decoys) <= allowed.keys()  # the dinucleotide on its strand, in a span
    assert not set(decoys) & annotated_rows(target, transcripts)
    assert [part_of(split, c, p) for c, p, _ in rows_where(sites, sites.part >= 0)] == sites.part.tolist()
    for contig in (0, 1):
        for part in Part:
            here = (sites.contig == contig) & (sites.part == part)
            n_true = int((sites.label[here] == 1).sum())
            left = sum(
                1
                for row, its in allowed.items()
                if its == part and row[0] == genome.names[contig] and row not in annotated_rows(target, transcripts)
            )
            assert int((sites.label[here] == 0).sum()) == min(3 * n_true, left)
    if source is DecoySource.CONTIG:
        assert {strand for _, _, strand in decoys} == {1, -1}
        assert not set(decoys) <= candidates(target, made, "genes").keys()


@pytest.mark.parametrize("source", DecoySource)
@pytest.mark.parametrize("target", Target)
def test_all_decoys_there_are_and_no_more_when_more_are_wanted(made, target, source):
    _, transcripts, _ = made
    sites = found_with(made, target, decoys=EVERYTHING, decoys_from=source).sites
    expected = candidates(target, made, source).keys() - annotated_rows(target, transcripts)
    assert set(rows_where(sites, sites.label == 0)) == expected


@pytest.mark.parametrize("source", DecoySource)
@pytest.mark.parametrize("target", Target)
def test_prevalence_is_the_share_of_true_sites_among_candidates_of_the_test_part(monkeypatch, made, target, source):
    _, transcripts, _ = made
    test = {row for row, part in candidates(target, made, source).items() if part is Part.TEST}
    expected = len(test & annotated_rows(target, transcripts)) / len(test)
    monkeypatch.setattr(finding, "SLAB", 97)  # pieces that do not fit the spans
    assert found_with(made, target, decoys_from=source).prevalence == pytest.approx(expected, abs=1e-15)
    assert found_with(made, target, decoys_from=source, max_sites=3).prevalence == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("target", Target)
def test_same_seed_draws_the_same_decoys_and_another_seed_others(made, target):
    one, again, other = (found_with(made, target, seed=seed, decoys=2).sites for seed in (3, 3, 4))
    for name in ("contig", "position", "strand", "label", "part", "block"):
        np.testing.assert_array_equal(getattr(one, name), getattr(again, name), strict=True)
    assert rows_where(one, one.label == 1) == rows_where(other, other.label == 1)
    assert rows_where(one, one.label == 0) != rows_where(other, other.label == 0)


@pytest.mark.parametrize("target", Target)
def test_sites_outside_the_split_are_left_out_and_counted(made, target):
    _, transcripts, split = made
    expected = annotated_rows(target, transcripts)
    outside = {row for row in expected if part_of(split, row[0], row[1]) is None}
    assert {row[0] for row in outside} == {"a", "c"}  # in a margin, and on the contig left out
    found = found_with(made, target)
    assert set(true_rows(found)) == expected - outside
    assert found.skipped == {f"{target} outside the split": len(outside)}


@pytest.mark.parametrize("target", Target)
def test_each_part_keeps_at_most_max_sites_and_the_rest_are_no_decoys(made, target):
    _, transcripts, _ = made
    whole, few = found_with(made, target), found_with(made, target, max_sites=6, decoys=EVERYTHING)
    n_whole = [int((whole.sites.label[whole.sites.part == part] == 1).sum()) for part in Part]
    assert [int((few.sites.label[few.sites.part == part] == 1).sum()) for part in Part] == [min(6, n) for n in n_whole]
    assert few.skipped[f"{target} beyond --max-sites"] == sum(n_whole) - sum(min(6, n) for n in n_whole)
    assert set(true_rows(few)) < set(true_rows(whole))
    decoys = set(rows_where(few.sites, few.sites.label == 0))
    assert not decoys & annotated_rows(target, transcripts)
    other = found_with(made, target, seed=4, max_sites=6)
    assert true_rows(other) != true_rows(few)  # drawn, not the first ones


@pytest.mark.parametrize("target", Target)
def test_reverse_strand_gene_gives_the_sites_of_the_forward_gene_of_the_reverse_complement(
    made, genome_of, stretches_of, target
):
    genome, transcripts, _ = made
    turned = genome_of({name: reverse_complement(text_of(genome, name)) for name in genome.names})
    length = genome.length_of
    mirrored = [
        replace(
            each,
            strand={"+": "-", "-": "+"}[each.strand],
            exons=length[each.contig] - each.exons[::-1, ::-1],
            coding=length[each.contig] - each.coding[::-1, ::-1],
        )
        for each in transcripts
    ]
    parts = {"a": Part.TRAIN, "b": Part.VALID, "c": Part.TEST}
    rows = [(name, 0, length[name], part) for name, part in parts.items()]
    settings, rng = ProbeSettings(decoys=EVERYTHING), np.random.default_rng(1)
    here = splice_sites(target, genome, transcripts, stretches_of(genome, rows), settings, rng)
    there = splice_sites(target, turned, mirrored, stretches_of(turned, rows), settings, rng)
    for label in (0, 1):
        expected = {(c, length[c] - 1 - p, -s) for c, p, s in rows_where(here.sites, here.sites.label == label)}
        assert set(rows_where(there.sites, there.sites.label == label)) == expected
    assert there.prevalence == here.prevalence


@pytest.mark.parametrize("block_bp", [37, 100_000])
def test_sites_of_one_window_share_a_block(made, block_bp):
    window = min(block_bp, (2500 + 3000) // 20)  # of the test part, twenty blocks at least
    sites = found_with(made, Target.DONOR, block_bp=block_bp).sites
    windows = list(zip(sites.contig.tolist(), (sites.position // window).tolist(), strict=True))
    of_block = {}
    for block, where in zip(sites.block.tolist(), windows, strict=True):
        assert of_block.setdefault(block, where) == where
    assert len(of_block) == len(set(windows))


# ---- nothing to be had


def test_split_without_sites_is_refused(made, stretches_of):
    genome, transcripts, _ = made
    split = stretches_of(genome, [("a", 0, 40, Part.TRAIN)])
    with pytest.raises(
        InputError, match=r"^no donor lies on the contigs of the split; name contigs that have introns\.$"
    ):
        splice_sites(Target.DONOR, genome, transcripts, split, ProbeSettings(), np.random.default_rng(1))


def test_annotation_without_introns_is_refused(made):
    genome, transcripts, split = made
    single = [replace(each, exons=each.exons[:1], coding=each.exons[:1]) for each in transcripts]
    with pytest.raises(InputError, match=r"^no acceptor lies on the contigs of the split"):
        splice_sites(Target.ACCEPTOR, genome, single, split, ProbeSettings(), np.random.default_rng(1))


def test_annotation_without_coding_transcripts_needs_decoys_from_contigs(made):
    genome, transcripts, split = made
    bare = [replace(each, coding=np.empty((0, 2), dtype=np.int64)) for each in transcripts]
    with pytest.raises(InputError, match=r"^no transcript is coding .*; add --decoys-from contig\.$"):
        splice_sites(Target.DONOR, genome, bare, split, ProbeSettings(), np.random.default_rng(1))
    found = found_with((genome, bare, split), Target.DONOR, decoys_from="contig")
    assert (found.sites.label == 0).sum() == 10 * (found.sites.label == 1).sum()


def test_contig_without_coding_transcripts_has_sites_but_no_decoys(made):
    genome, transcripts, split = made
    empty = np.empty((0, 2), dtype=np.int64)
    partly = [replace(each, coding=empty) if each.contig == "b" else each for each in transcripts]
    sites = found_with((genome, partly, split), Target.DONOR).sites
    assert (sites.label[sites.contig == 1] == 1).all()
    assert (sites.contig == 1).sum() > 0

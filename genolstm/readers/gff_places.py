"""Drafts to places: which lines of one name are one transcript, once a whole annotation has been read.

Neither a ``Parent`` nor a name says it alone. A parent may be the protein of a transcript or its gene, an ID may be
declared at two places, UCSC's GTF repeats a transcript_id at each place where an mRNA aligns, and the exons of a
trans-spliced gene stand in no order along the genome. What nothing settles is left out with its reason.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from genolstm.readers.gff_drafts import Declared, Draft, Gathered, Key, Part, Piece

PARENT_DEPTH = 8  # gene > transcript > exon is 3; deeper than 8 is a circle of parents
# children of a transcript that stand for what it codes, not for a transcript
PRODUCTS = frozenset({"protein", "polypeptide", "mature_protein_region", "mature_protein", "peptide", "CDS_region"})

NO_STRAND = "transcript without strand"
TWO_CONTIGS, TWO_STRANDS = "transcript on two contigs", "transcript on two strands"
OUTSIDE = "exon or CDS outside the place of its transcript"
TRANS_SPLICED = "trans-spliced transcript"
ONE_PIECE = 3  # numbers of it
PLACED = (Part.EXON, Part.CODING)  # parts that must lie where their transcript does
OF_A_GENE = "parts of a gene that has transcripts"


def settled_drafts(gathered: Gathered) -> list[Draft]:
    """One draft for each transcript at one place, in the order in which the file first names them.

    The first exon to be read does not have to be that of the first place. Writes the names that stand at several places
    to ``gathered.repeated``, and parents without a line to ``gathered.orphans``.
    """
    if not gathered.is_gtf:
        _give_to_transcripts(gathered)
    named: dict[tuple[str | None, str], list[Draft]] = defaultdict(list)
    for (gene, name, _, _), draft in gathered.drafts.items():
        named[gene, name].append(draft)
    ranked = gathered.is_gtf and _ranks_differ(gathered)
    settled = {
        key: _of_gtf(drafts, gathered, ranked=ranked) if gathered.is_gtf else _of_gff3(drafts, gathered)
        for key, drafts in named.items()
    }
    for (_, name), drafts in settled.items():
        for draft in drafts:
            if draft.strand in ".?":
                draft.flaw = NO_STRAND
        if len(drafts) > 1 and sum(draft.flaw is None for draft in drafts) > 1:
            gathered.repeated.append(name)
    if not gathered.is_gtf:
        _settle_genes(settled, gathered)
    return [draft for drafts in settled.values() for draft in drafts if draft.numbers]


# --- one place or several ---


def _of_gtf(drafts: list[Draft], gathered: Gathered, *, ranked: bool) -> list[Draft]:
    """Transcripts of one GTF name. Each contig and strand is a place of its own where the lines show it to be whole."""
    if len(drafts) == 1 and not drafts[0].trans_spliced and len(drafts[0].numbers.get(Part.SELF, ())) == ONE_PIECE:
        start, end, _ = drafts[0].numbers[Part.SELF]
        if _lies_outside(drafts[0], start, end):
            drafts[0].flaw = OUTSIDE
        return drafts
    if _flawed_by_splicing(drafts):
        return drafts
    places = [_cut(draft, _merged_places(draft.pieces(Part.SELF))) for draft in drafts]
    if len(drafts) > 1:
        whole = [Part.SELF in draft.numbers or (ranked and _begins(draft, gathered)) for draft in drafts]
        if not all(whole):
            return _on_two(drafts)
    return [
        each
        for cut in places
        for place in cut
        for each in (_cut_by_ranks(place, gathered) if ranked and Part.SELF not in place.numbers else [place])
    ]


def _of_gff3(drafts: list[Draft], gathered: Gathered) -> list[Draft]:  # noqa: PLR0911  (one return a case)
    """Transcripts of one parent: one for each of the places at which its own lines stand."""
    name = drafts[0].name
    if drafts[0].biotype is not None:  # a CDS that stands alone, with its ID on each contig
        if _flawed_by_splicing(drafts) or len({draft.contig for draft in drafts}) == len(drafts):
            return drafts
        return _on_two(drafts)
    lines = _lines_meant(gathered.lines_of(name))
    gene = _gene_above(name, gathered.declared)
    if len(lines) == len(drafts) == 1 and not (lines[0].trans_spliced or drafts[0].trans_spliced):
        return [_of_one_line(drafts[0], lines[0], gene)]
    for draft in drafts:
        draft.gene = gene
        draft.trans_spliced |= any(line.trans_spliced for line in lines)
        if lines:
            draft.biotype = lines[0].type
    if not lines:
        gathered.orphans.append(name)
    own = [[line for line in lines if _fits(line, draft)] for draft in drafts]
    for draft, here in zip(drafts, own, strict=True):
        for line in here:
            draft.add(Part.SELF, (line.start, line.end, line.line))
    if _flawed_by_splicing(drafts):
        return drafts
    used = [line.line for here in own for line in here]
    if len(set(used)) < len(used) or (len(drafts) > 1 and not all(own)):
        return _on_two(drafts)
    if lines and not used:
        drafts[0].flaw = TWO_CONTIGS if all(line.contig != drafts[0].contig for line in lines) else TWO_STRANDS
        drafts[0].add(Part.SELF, (0, 0, lines[0].line))
        return drafts
    return [each for draft in drafts for each in _cut(draft, _merged_places(draft.pieces(Part.SELF)))]


def _of_one_line(draft: Draft, line: Declared, gene: str) -> Draft:
    """Transcript whose parts are on one strand of one contig, and whose parent has one line: nearly all are so."""
    draft.gene, draft.biotype = gene, line.type
    if _fits(line, draft):
        draft.add(Part.SELF, (line.start, line.end, line.line))
        if _lies_outside(draft, line.start, line.end):
            draft.flaw = OUTSIDE
    else:
        draft.flaw = TWO_CONTIGS if line.contig != draft.contig else TWO_STRANDS
        draft.add(Part.SELF, (0, 0, line.line))
    return draft


def _fits(line: Declared, draft: Draft) -> bool:
    return line.contig == draft.contig and (line.strand in ".?" or line.strand == draft.strand)


def _lines_meant(lines: Sequence[Declared]) -> list[Declared]:
    """Lines that the parts of an ID mean: where a gene and its transcript have one ID, the transcript's."""
    return [line for line in lines if not line.type.endswith("gene")] or list(lines)


def _flawed_by_splicing(drafts: list[Draft]) -> bool:
    """Mark drafts whose exons are in no order along the genome; a single piece has nothing to be joined with."""
    if not any(draft.trans_spliced for draft in drafts):
        return False
    if sum(max(len(draft.pieces(part)) for part in PLACED) for draft in drafts) < 2:
        return False
    for draft in drafts:
        draft.flaw = TRANS_SPLICED if len({draft.strand for draft in drafts}) == 1 else TWO_STRANDS
    return True


def _on_two(drafts: list[Draft]) -> list[Draft]:
    """Mark drafts of one name that contradict each other: no intron can be read from them."""
    flaw = TWO_CONTIGS if len({draft.contig for draft in drafts}) > 1 else TWO_STRANDS
    for draft in drafts:
        draft.flaw = flaw
    return drafts


def _merged_places(own: Iterable[Piece]) -> list[list[Piece]]:
    """A transcript's own lines by place, ascending; those that overlap stand at one place."""
    own = list(own)
    if len(own) == 1:
        return [own]
    places: list[list[Piece]] = []
    reach = -1
    for line in sorted(own):
        if line[0] < reach:
            places[-1].append(line)
        else:
            places.append([line])
        reach = max(reach, line[1])
    return places


def _cut(draft: Draft, places: list[list[Piece]]) -> list[Draft]:
    """The draft of each place; the draft as it is, and flawed, where an exon or CDS lies at none of them or at two."""
    if not places:
        return [draft]
    if len(places) == 1:
        if _lies_outside(draft, places[0][0][0], max(line[1] for line in places[0])):
            draft.flaw = OUTSIDE
        return [draft]
    starts = [place[0][0] for place in places]
    ends = [max(line[1] for line in place) for place in places]
    cut = [_same_transcript(draft) for _ in places]
    for each, place in zip(cut, places, strict=True):
        for line in place:
            each.add(Part.SELF, line)
    for part in draft.numbers:
        for piece in draft.pieces(part) if part is not Part.SELF else ():
            at = max(bisect_right(starts, piece[0]) - 1, 0)
            if piece[1] <= starts[at] or piece[0] >= ends[at]:
                # it begins before the place, or after all that lies there
                at = min(at + 1, len(places) - 1)
            apart = piece[1] <= starts[at] or piece[0] >= ends[at]
            across = at + 1 < len(places) and piece[1] > starts[at + 1]
            if part in PLACED and (apart or across):
                draft.flaw = OUTSIDE
                return [draft]
            cut[at].add(part, piece)
    return [each for each in cut if each.numbers.keys() != {Part.SELF}] or [draft]


def _lies_outside(draft: Draft, start: int, end: int) -> bool:
    """Whether an exon or CDS shares no base with a place."""
    for part in PLACED:
        numbers = draft.numbers.get(part)
        if numbers is not None and (max(numbers[::3]) >= end or min(numbers[1::3]) <= start):
            return True
    return False


def _same_transcript(draft: Draft) -> Draft:
    return Draft(draft.name, draft.contig, draft.strand, draft.gene, draft.biotype)


def _ranks_differ(gathered: Gathered) -> bool:
    """Whether the file numbers exons: some write 1 everywhere, which carries no order."""
    return any(rank > 1 for rank in gathered.ranks)


def _numbered(draft: Draft, gathered: Gathered) -> list[tuple[int, int, int]]:
    """Start, end and number of each exon (else CDS) of a draft, ascending, each once."""
    pieces = draft.pieces(Part.EXON) or draft.pieces(Part.CODING)
    return sorted({(start, end, gathered.ranks[line]) for start, end, line in pieces})


def _begins(draft: Draft, gathered: Gathered) -> bool:
    """Whether a draft holds the first exon of a transcript."""
    return any(rank == 1 for *_, rank in _numbered(draft, gathered))


def _cut_by_ranks(draft: Draft, gathered: Gathered) -> list[Draft]:
    """The draft of each place, where exon numbers begin anew: a number stands once in a transcript."""
    lines = (draft.numbers.get(Part.EXON) or draft.numbers.get(Part.CODING) or ())[2::3]
    if len(lines) == len({gathered.ranks[line] for line in lines}):
        return [draft]
    numbered = _numbered(draft, gathered)
    ranks = [rank for *_, rank in numbered]
    if len(set(ranks)) == len(ranks) or 0 in ranks:
        return [draft]
    steps = [right - left for left, right in pairwise(ranks)]
    up = sum(step > 0 for step in steps) >= sum(step < 0 for step in steps)
    edges = [
        right[0]
        for (left, right), step in zip(pairwise(numbered), steps, strict=True)
        if (step <= 0 if up else step >= 0) and left[1] <= right[0]
    ]
    cut = [_same_transcript(draft) for _ in range(len(edges) + 1)]
    for part in draft.numbers:
        for piece in draft.pieces(part):
            cut[bisect_right(edges, piece[0])].add(part, piece)
    return cut


# --- parents ---


def _give_to_transcripts(gathered: Gathered) -> None:
    """Take what names a protein as its parent to the transcript that the protein derives from.

    TAIR writes ``Parent=T.1,T.1-Protein`` on every CDS. A parent that has no line, no exon, and nothing that another
    one does not have, is such a protein too.
    """
    products: list[Key] = []
    unknown: list[Key] = []
    for key, draft in gathered.drafts.items():
        if draft.biotype is None:
            line = gathered.declared.get(draft.name)
            if line is None:
                if Part.EXON not in draft.numbers:
                    unknown.append(key)
            elif line.type in PRODUCTS and all(other.type in PRODUCTS for other in gathered.lines_of(draft.name)):
                products.append(key)
    if not products and not unknown:
        return
    elsewhere = _line_owners(gathered, {*products, *unknown})
    for key in products:
        product = gathered.drafts[key]
        above = gathered.declared[product.name].parent
        if _is_shared(product, elsewhere):
            del gathered.drafts[key]
        elif above is not None:
            del gathered.drafts[key]
            _pour(product, gathered, (None, above, product.contig, product.strand))
    for key in unknown:
        if _is_shared(gathered.drafts[key], elsewhere):
            del gathered.drafts[key]


def _line_owners(gathered: Gathered, but: set[tuple[str | None, str, str, str]]) -> set[int]:
    """Lines that belong to other drafts than these."""
    wanted = {line for key in but for part in gathered.drafts[key].numbers for *_, line in _pieces(gathered, key, part)}
    return {
        line
        for key, draft in gathered.drafts.items()
        if key not in but
        for part in draft.numbers
        for *_, line in draft.pieces(part)
        if line in wanted
    }


def _pieces(gathered: Gathered, key: tuple[str | None, str, str, str], part: Part) -> list[Piece]:
    return gathered.drafts[key].pieces(part)


def _is_shared(draft: Draft, elsewhere: set[int]) -> bool:
    return all(line in elsewhere for part in draft.numbers for *_, line in draft.pieces(part))


def _pour(draft: Draft, gathered: Gathered, key: tuple[str | None, str, str, str]) -> None:
    """Add the pieces of a draft to another one, but those that it has."""
    target = gathered.drafts.get(key)
    if target is None:
        target = gathered.drafts[key] = Draft(key[1], draft.contig, draft.strand)
    target.trans_spliced |= draft.trans_spliced
    for part in draft.numbers:
        there = {line for *_, line in target.pieces(part)}
        for piece in draft.pieces(part):
            if piece[2] not in there:
                target.add(part, piece)


def _gene_above(name: str, declared: Mapping[str, Declared]) -> str:
    """Nearest ancestor that is a gene, else what the topmost one names as its gene, else that one itself."""
    for _ in range(PARENT_DEPTH):
        line = declared.get(name)
        if line is None or line.type.endswith("gene"):
            break
        # an ID that a gene shares with its transcript has no gene above it
        if line.parent is None or line.parent == name:
            return line.gene or name
        name = line.parent
    return name


def _settle_genes(settled: dict[tuple[str | None, str], list[Draft]], gathered: Gathered) -> None:
    """Settle whose the parts are that name a gene as their parent, where the gene has transcripts."""
    transcripts: dict[str, list[Draft]] = defaultdict(list)  # by gene
    for drafts in settled.values():
        for draft in drafts:
            if draft.gene is not None and draft.gene != draft.name:
                transcripts[draft.gene].append(draft)
    for (_, name), drafts in settled.items():
        if name in transcripts and any(line.type.endswith("gene") for line in gathered.lines_of(name)):
            for draft in drafts:
                _hand_down(draft, transcripts[name])


def _hand_down(of_gene: Draft, transcripts: list[Draft]) -> None:
    """Add parts that name the gene as their parent to its only transcript; else their owner is unknown.

    Parts that name one of its transcripts too are that transcript's.
    """
    of_gene.numbers.pop(Part.SELF, None)  # the gene's own line is a gene's, not a transcript's
    had = {line for each in transcripts for part in each.numbers for *_, line in each.pieces(part)}
    left = [(part, piece) for part in of_gene.numbers for piece in of_gene.pieces(part) if piece[2] not in had]
    of_gene.numbers.clear()
    here = [each for each in transcripts if (each.contig, each.strand) == (of_gene.contig, of_gene.strand)]
    lacking = set(Part) - here[0].numbers.keys() if len(here) == 1 else set()
    for part, piece in left:
        # NCBI hangs the CDS of a transcript with a frameshift on the gene, and the exon on the mRNA
        (here[0] if part in lacking else of_gene).add(part, piece)
    of_gene.flaw = OF_A_GENE

"""Bits in a profile around splice sites beside other GT and AG: whether a model expects the intron before it comes."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.alphabet import DNA, Codes, encode
from genolstm.errors import InputError, UsageError
from genolstm.estimate import Estimate
from genolstm.gates.enrichment import block_interval, matched_positions
from genolstm.markov import MarkovCounts, count_markov
from genolstm.model import NextSymbolModel
from genolstm.readers.annotation import Transcript, clip_to_genome, read_annotation
from genolstm.seeds import spawn
from genolstm.settings.model import ModelSettings
from genolstm.settings.study import StudySettings
from genolstm.store.files import Records
from genolstm.store.genome import Genome, open_genome
from genolstm.store.score import open_score, read_score_tables
from genolstm.store.study import Claim, Column, Study, Table
from genolstm.studies.intervals import claimed, written
from genolstm.studies.next_symbols import bits_of, train

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DONOR, ACCEPTOR = "donor", "acceptor"
DINUCLEOTIDE = {DONOR: encode("GT", DNA), ACCEPTOR: encode("AG", DNA)}
MIN_INTRON = 20  # bases; shorter gaps are frameshifts, not introns
BEFORE, AFTER = 30, 12  # bases shown before the dinucleotide, and from its first base on
AHEAD = 6  # bases after the dinucleotide that are judged
MATCHES = 10
MATCH_KMER = 6  # that ends with the dinucleotide: the four bases before it are the same too
NEAREST, MADE_NEAREST = 50, 12  # bases between a matched place and any true one, at least
BLOCK = 100_000  # bases resampled together
RESAMPLES = 1000
LEAST_SITES = 30
MARKOV_ORDER = 6
MADE = "made genome"
OFFSETS = np.arange(-BEFORE, AFTER)

# the made genome: a donor is a GT like any other, and a branch site always so many bases before it tells of an acceptor
BRANCH = encode("TACTAAC", DNA)
TO_ACCEPTOR = 8
ROWS, QUICK_ROWS, LENGTH, TEST_ROWS = 1500, 600, 256, 400
SKIPPED = 32  # bases of each row whose bits are not judged: the state is still empty
UNITS, BATCH, RATE, STEPS, QUICK_STEPS = 32, 32, 2e-2, 600, 350


class Strand(NamedTuple):
    """One strand of one contig as it is read.

    codes : uint8 [L].   bits : float64 [L], NaN where not judged.   sites : first base of the dinucleotide by kind [n].
    """

    codes: Codes
    bits: Floats
    sites: dict[str, Ints]


class Around(NamedTuple):
    """Bits around true sites and around their matches, means of these, [N, offsets]; blocks [N].

    markov : bits by a Markov model of the dinucleotides at matches, mean of each site's [N].
    """

    true: Floats
    matched: Floats
    markov: Floats
    block: Ints


def around(
    strands: Iterable[Strand],
    kind: str,
    rng: np.random.Generator,
    markov: MarkovCounts,
    *,
    kmer: int,
    block: int,
    nearest: int = NEAREST,
) -> Around:
    """Compare true sites of one kind with other places of the same dinucleotide, context and GC on the same strand."""
    rows = []
    for number, strand in enumerate(strands):
        sites = strand.sites[kind]
        within = BEFORE + MARKOV_ORDER, len(strand.codes) - AFTER
        sites = sites[(sites >= within[0]) & (sites < within[1])]
        matches = matched_positions(
            strand.codes, sites + 1, rng, sign=1, k=kmer, matches=MATCHES, barred=strand.sites[kind] + 1,
            min_distance=nearest, within=within,
        ) - 1  # fmt: skip
        found = matches[:, 0] >= 0
        sites, matches = sites[found], matches[found]
        true = strand.bits[sites[:, None] + OFFSETS]
        others = strand.bits[matches[:, :, None] + OFFSETS]
        judged = ~np.isnan(others).any(axis=2)  # matches whose bits are all known
        known = ~np.isnan(true).any(axis=1) & judged.any(axis=1)
        weight = judged / np.maximum(judged.sum(axis=1, keepdims=True), 1)
        others = np.einsum("nm,nmo->no", weight, np.where(judged[:, :, None], others, 0.0))
        cost = sum(_markov_bits(markov, strand.codes, matches + place) for place in (0, 1))
        rows.append((true[known], others[known], (weight * np.asarray(cost)).sum(axis=1)[known],
                     number * (1 << 32) + sites[known] // block))  # fmt: skip
    return Around(*(np.concatenate(column) for column in zip(*rows, strict=True)))


def _markov_bits(counts: MarkovCounts, codes: Codes, places: Ints) -> Floats:
    """Bits of the bases at some places by the order-6 counts, one added to each; of the shape of `places`."""
    context = np.zeros(places.shape, dtype=np.int64)
    for back in range(MARKOV_ORDER, 0, -1):
        context = context * DNA.n_known + np.minimum(codes[places - back], DNA.n_known - 1)
    rows = counts.tables[MARKOV_ORDER].rows(context.ravel()) + 1
    chosen = rows[np.arange(len(rows)), codes[places].ravel()]
    bits: Floats = -np.log2(chosen / rows.sum(axis=1)).reshape(places.shape)
    return bits


def made_genome(rng: np.random.Generator, rows: int) -> tuple[Codes, dict[str, Ints]]:
    """Rows of a made genome [rows, LENGTH], and the places of its splice sites in all rows end to end.

    Bases are drawn alike, and a donor is the first GT from some place on: nothing is written there, so that nothing can
    foresee it. Branch sites and acceptors are written.
    """
    codes = rng.integers(DNA.n_known, size=(rows, LENGTH)).astype(np.uint8)
    sites: dict[str, list[int]] = {DONOR: [], ACCEPTOR: []}
    for row in range(rows):
        is_donor = (codes[row, :-1] == DINUCLEOTIDE[DONOR][0]) & (codes[row, 1:] == DINUCLEOTIDE[DONOR][1])
        possible = np.flatnonzero(is_donor)  # those behind an acceptor are as drawn
        following = int(rng.integers(20, 60))
        while (place := int(np.searchsorted(possible, following))) < len(possible) and possible[place] + 70 < LENGTH:
            donor = int(possible[place])
            branch = donor + int(rng.integers(20, 40))
            acceptor = branch + len(BRANCH) + TO_ACCEPTOR
            codes[row, branch : branch + len(BRANCH)] = BRANCH
            codes[row, acceptor : acceptor + 2] = DINUCLEOTIDE[ACCEPTOR]
            sites[DONOR].append(row * LENGTH + donor)
            sites[ACCEPTOR].append(row * LENGTH + acceptor)
            following = acceptor + int(rng.integers(30, 90))
    return codes, {kind: np.array(places, dtype=np.int64) for kind, places in sites.items()}


def made_strand(settings: StudySettings) -> tuple[Strand, MarkovCounts]:
    """A made genome that a network trained on another of the same kind has read, and Markov counts of that other."""
    rng = spawn(settings.seed, "boundary made")
    past, _ = made_genome(rng, QUICK_ROWS if settings.quick else ROWS)
    model = NextSymbolModel(ModelSettings(hidden=UNITS, forget_bias="1"), seed=settings.seed)
    steps = QUICK_STEPS if settings.quick else STEPS
    train(model, past, rng, steps=steps, batch=BATCH, learning_rate=RATE)
    codes, sites = made_genome(rng, TEST_ROWS)
    bits = bits_of(model, codes)
    bits[:, :SKIPPED] = np.nan
    return Strand(codes.ravel(), bits.ravel(), sites), count_markov(past, DNA, max_order=MARKOV_ORDER)


def splice_sites(transcripts: Sequence[Transcript]) -> dict[tuple[str, str], dict[str, set[int]]]:
    """Places of GT..AG ends of introns, by contig and strand, counted as the strand's own codes are not: 0-based.

    Of a forward intron [start, end) the donor is at `start` and the acceptor at `end - 2`; of a reverse one their last
    bases as the reverse strand reads are at `start` and at `end - 2`, and `at` turns them round.
    """
    found: dict[tuple[str, str], dict[str, set[int]]] = {}
    for transcript in transcripts:
        kinds = (DONOR, ACCEPTOR) if transcript.strand == "+" else (ACCEPTOR, DONOR)
        rows = found.setdefault((transcript.contig, transcript.strand), {DONOR: set(), ACCEPTOR: set()})
        for start, end in transcript.introns().tolist():
            if end - start >= MIN_INTRON:
                rows[kinds[0]].add(start)
                rows[kinds[1]].add(end - 2)
    return found


class Given(NamedTuple):
    """A genome that a model has scored: its strands, Markov counts of its other contigs, and what was read and left."""

    strands: list[Strand]
    markov: MarkovCounts
    name: str
    records: Records


def given_genome(settings: StudySettings) -> Given | None:
    """Open the user's scores, genome and annotation; None without any. Raises UsageError for some of them alone."""
    files = {name: getattr(settings, name) for name in ("scores", "genome", "annotation")}
    if not any(files.values()):
        return None
    if not all(files.values()):
        missing = ", ".join(f"--{name}" for name, path in files.items() if not path)
        raise UsageError(f"--scores, --genome and --annotation belong together; give {missing} too.")
    genome = open_genome(Path(settings.genome))
    if genome.alphabet.complement is None:
        raise InputError(f"{genome.path} holds proteins, which have no introns; give the genome that was scored.")
    annotation, _ = clip_to_genome(
        read_annotation(settings.annotation), genome.length_of, annotation_name=settings.annotation,
        genome_name=str(genome.path),
    )  # fmt: skip
    strands, scored, left_out = _strands(settings.scores, genome, splice_sites(annotation.transcripts))
    if not strands:
        raise InputError(f"{settings.scores} scores only what its model was trained on; score one held out.")
    counts = {kind: sum(len(strand.sites[kind]) for strand in strands) for kind in DINUCLEOTIDE}
    if min(counts.values()) < LEAST_SITES:
        raise InputError(
            f"{settings.annotation} has {counts[DONOR]} donors and {counts[ACCEPTOR]} acceptors of GT..AG introns"
            f" within what {settings.scores} scores, and {LEAST_SITES} are needed; score more contigs."
        )
    others = [
        np.array(genome.all_codes[int(begin) : int(begin) + int(length)])
        for name, begin, length in zip(genome.names, genome.starts, genome.lengths, strict=True)
        if name not in scored
    ]
    markov = count_markov(others, DNA, max_order=MARKOV_ORDER)
    skipped = annotation.skipped | ({"stretches that the model was trained on": left_out} if left_out else {})
    records = Records(read=annotation.read, used=annotation.used, skipped=skipped)
    return Given(strands, markov, ", ".join(dict.fromkeys(scored)), records)


def _strands(
    scores: str, genome: Genome, sites: dict[tuple[str, str], dict[str, set[int]]]
) -> tuple[list[Strand], list[str], int]:
    """Strands that a score file holds, the contigs they are of, and stretches that its model was trained on."""
    trained_on = read_score_tables(Path(scores)).seen == 1
    found: list[Strand] = []
    names: list[str] = []
    left_out = 0
    with open_score(Path(scores)) as file:
        stretches, end = file.stretches, 0
        if any(genome.length_of.get(name) != length for name, length in file.lengths.items()):
            raise InputError(f"{scores} is of another genome than {genome.path}; score this one.")
        for contig, start, stop in zip(stretches.contig, stretches.start.tolist(), stretches.end.tolist(), strict=True):
            first, end = end, end + stop - start
            if trained_on[contig]:
                left_out += 1
                continue
            names.append(stretches.contigs[contig])
            begin = int(genome.starts[genome.names.index(names[-1])])
            codes = np.array(genome.all_codes[begin + start : begin + stop])
            for number, strand in enumerate("+-"[: file.strands]):
                places = sites.get((names[-1], strand), {DONOR: set(), ACCEPTOR: set()})
                bits = file.read(number, first, end).astype(np.float64)
                found.append(as_read(codes, bits, places, start, forward=strand == "+"))
    return found, names, left_out


def as_read(codes: Codes, bits: Floats, places: dict[str, set[int]], start: int, *, forward: bool) -> Strand:
    """One strand of a stretch in its own direction, with those sites that do have GT or AG.

    codes, bits : of the stretch along the forward strand.   places : first base of each dinucleotide along the forward
    strand, on the contig, where the stretch begins at `start`.
    """
    n = len(codes)
    if not forward:
        codes, bits = np.asarray(DNA.complement)[codes][::-1], bits[::-1]
    sites = {}
    for kind, every in places.items():
        at = np.array(sorted(every), dtype=np.int64) - start
        at = np.sort(at if forward else n - 2 - at)
        at = at[(at >= 0) & (at < n - 1)]
        sites[kind] = at[(codes[at[:, None] + np.arange(2)] == DINUCLEOTIDE[kind]).all(axis=1)]
    return Strand(codes, bits, sites)


def study(settings: StudySettings, on_progress: Callable[[str], None]) -> Study:
    """Compare bits at true and matched splice sites in a made genome, and in the user's where it is given.

    Raises InputError for files that do not belong together or hold too few sites.
    """
    given = given_genome(settings)
    strand, markov = made_strand(settings)
    on_progress("made genome read")
    rng = spawn(settings.seed, "boundary matches")
    found = {
        (MADE, kind): around(
            [strand], kind, rng, markov, kmer=len(DINUCLEOTIDE[kind]) + 1, block=LENGTH, nearest=MADE_NEAREST
        )
        for kind in DINUCLEOTIDE
    }
    claims = _made_claims(found, rng)
    if given:
        for kind in DINUCLEOTIDE:
            found[given.name, kind] = around(given.strands, kind, rng, given.markov, kmer=MATCH_KMER, block=BLOCK)
            on_progress(f"{given.name}: {kind}s")
        claims += _real_claims(found, given.name, rng)
    return Study(
        name="boundary",
        question="Does a model expect a splice site before it comes, and is it surprised at false ones?",
        conclusion=_conclusion(found, rng),
        claims=tuple(claims),
        tables={"profile": _table(found, rng)},
        setting={
            "scores": settings.scores, "genome": settings.genome, "annotation": settings.annotation,
            "matches": MATCHES, "matched_kmer": MATCH_KMER, "markov_order": MARKOV_ORDER, "seed": settings.seed,
            "contigs": given.name if given else "",
        },
        records=given.records if given else Records(),
    )  # fmt: skip


def _at(values: Floats) -> Floats:
    """Bits of the dinucleotide, [N]."""
    summed: Floats = values[:, BEFORE : BEFORE + 2].sum(axis=1)
    return summed


def _after(values: Floats) -> Floats:
    """Mean bits of the bases that follow it, [N]."""
    mean: Floats = values[:, BEFORE + 2 : BEFORE + 2 + AHEAD].mean(axis=1)
    return mean


def _interval(values: Floats, each: Around, rng: np.random.Generator) -> Estimate:
    return block_interval(values, each.block, rng, resamples=RESAMPLES)


def _foreseen(each: Around, rng: np.random.Generator) -> Estimate:
    return _interval(_at(each.true) - _at(each.matched), each, rng)


def _because(each: Around, what: str) -> str:
    return f"{what}; {len(each.true)} sites with {MATCHES} matches each, blocks drawn anew."


def _made_claims(found: dict[tuple[str, str], Around], rng: np.random.Generator) -> list[Claim]:
    acceptor, donor = found[MADE, ACCEPTOR], found[MADE, DONOR]
    none = _foreseen(donor, rng)
    because = "Bits of the two bases less those at matched places"
    return [
        claimed(
            f"{MADE}: acceptor foreseen", "In a made genome an acceptor that a branch site announces is foreseen.",
            _foreseen(acceptor, rng), "bits", _because(acceptor, because), below=0,
        ),
        Claim(
            f"{MADE}: donor not foreseen", "In a made genome a donor that nothing announces is not foreseen.",
            not none.high < 0, *none, "bits", _because(donor, because),
        ),
    ]  # fmt: skip


def _real_claims(found: dict[tuple[str, str], Around], name: str, rng: np.random.Generator) -> list[Claim]:
    made = []
    for kind, letters in ((DONOR, "GT"), (ACCEPTOR, "AG")):
        each = found[name, kind]
        made += [
            claimed(
                f"{kind} foreseen", f"{name}: the {letters} of a true {kind} costs fewer bits than at a matched place.",
                _foreseen(each, rng), "bits", _because(each, "The same four bases stand before both"), below=0,
            ),
            claimed(
                f"{kind}: goes on as expected",
                f"{name}: the {AHEAD} bases after a true {kind} cost fewer bits than after a matched {letters}.",
                _interval(_after(each.true) - _after(each.matched), each, rng), "bits/base",
                _because(each, "Mean of the bases that follow"), below=0,
            ),
            claimed(
                f"{kind}: surprised at false ones",
                f"{name}: a false {letters} costs more bits than a Markov model gives it.",
                _interval(_at(each.matched) - each.markov, each, rng), "bits",
                _because(each, f"Order {MARKOV_ORDER}, counted on the other contigs"), above=0,
            ),
        ]  # fmt: skip
    return made


def _conclusion(found: dict[tuple[str, str], Around], rng: np.random.Generator) -> str:
    parts = [
        f"{name}, {kind}: {_at(each.true).mean():.2f} bits against {_at(each.matched).mean():.2f} at matched places"
        f" ({written(_foreseen(each, rng))})"
        for (name, kind), each in found.items()
    ]
    return "The two bases cost, in " + "; ".join(parts) + "."


def _table(found: dict[tuple[str, str], Around], rng: np.random.Generator) -> Table:
    rows = [
        (name, kind, int(offset), len(each.true), float(each.true[:, place].mean()),
         float(each.matched[:, place].mean()),
         *_interval(each.true[:, place] - each.matched[:, place], each, rng))
        for (name, kind), each in found.items()
        for place, offset in enumerate(OFFSETS)
    ]  # fmt: skip
    names, kinds, offset, sites, true, matched, difference, low, high = zip(*rows, strict=True)
    return {
        "genome": Column(names, "", "what was read"),
        "kind": Column(kinds, "", "of site"),
        "offset": Column(np.array(offset), "bp", "from the first base of GT or AG, as the strand is read"),
        "sites": Column(np.array(sites), "", "true ones"),
        "true": Column(np.array(true), "bits", "mean at true sites"),
        "matched": Column(np.array(matched), "bits", "mean at matched places"),
        "difference": Column(np.array(difference), "bits", "true less matched"),
        "low": Column(np.array(low), "bits", "95 % interval, blocks drawn anew"),
        "high": Column(np.array(high), "bits", ""),
    }

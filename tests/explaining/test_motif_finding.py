"""Motifs: one that is planted is found and written as others read it, and none in sequence that has none."""

import io
import tracemalloc

import numpy as np
import pytest
from Bio import motifs as oracle

from genolstm.alphabet import DNA, encode, reverse_complement
from genolstm.errors import InputError
from genolstm.explaining import seqlets
from genolstm.explaining.motifs import consensus, find_motifs
from genolstm.explaining.seqlets import Evidence, Places, evidence_of_bits, evidence_of_prediction, seqlets_of
from genolstm.regions import Part
from genolstm.settings.explaining import MotifSettings
from genolstm.store.prediction import PredictedTarget, Prediction, PredictionRows
from genolstm.writers.motifs import write_jaspar, write_meme

BASES, PLACES = 150_000, 600
SETTINGS = MotifSettings(seqlets=PLACES, resamples=200, block_bp=5_000)
WORD = encode("TGACGT", DNA)


def evidence_on(rng, *, strong):
    """Places on both strands of one contig, those of `strong` with the larger values."""
    weak = rng.choice(np.arange(40, BASES - 40), 12_000, replace=False)
    position = np.concatenate([strong, weak])
    strand = np.where(rng.random(len(position)) < 0.5, 1, -1)
    value = np.concatenate([rng.normal(8, 1, len(strong)), rng.normal(0, 1, len(weak))])
    return position, strand, value


def evidence(name, core, contig, position, strand, value, *, bases=BASES, cuts=()):
    """Evidence whose places come all at once, or in parts that are cut at some rows."""
    columns = np.arange(len(contig)), contig, position, strand, value

    def parts():
        for rows in np.split(np.arange(len(contig)), cuts):
            yield Places(*columns).only(rows)

    return Evidence(name, core, bases, parts)


def planted(genome_of, rng, offset):
    """A genome and evidence; a word stands at an offset from the strong places, or anywhere near where that is None."""
    codes = rng.choice(4, BASES, p=[0.32, 0.18, 0.18, 0.32]).astype(np.uint8)
    strong = np.arange(100, BASES - 100, 200)[:PLACES]
    position, strand, value = evidence_on(rng, strong=strong)
    for at, sign in zip(strong.tolist(), strand[:PLACES].tolist(), strict=True):
        if rng.random() < 0.7:
            shift = int(rng.integers(-20, 15)) if offset is None else offset
            low = at + shift if sign > 0 else at - shift - len(WORD) + 1
            codes[low : low + len(WORD)] = WORD if sign > 0 else reverse_complement(WORD)
    genome = genome_of({"c": codes})
    contig = np.zeros(len(position), np.int64)
    return genome, evidence("made", 0, contig, position.astype(np.int64), strand.astype(np.int64), value)


def found_in(genome, made, settings=SETTINGS):
    return find_motifs(made.name, seqlets_of(made, genome, settings), made.bases, settings)


@pytest.mark.parametrize("offset", [None, -3, 7])
def test_planted_motif_is_found_on_both_strands_at_its_place(genome_of, offset):
    found = found_in(*planted(genome_of, np.random.default_rng(1), offset))
    first = found.motifs[0]
    assert "TGACGT" in first.consensus
    assert first.enrichment.low > 2
    assert first.p_adjusted < 1e-20
    assert 0.6 < first.hits / first.seqlets < 0.85
    if offset is None:
        assert first.offset is None
    else:
        assert first.offset + first.consensus.index("TGACGT") == offset


def test_no_motif_where_evidence_follows_composition_alone(genome_of):
    """Evidence is the share of A in the 8 bases of the core: matched places have the same letters."""
    tested = 0
    for seed in range(8):
        rng = np.random.default_rng(10 + seed)
        codes = rng.choice(4, BASES, p=[0.4, 0.15, 0.15, 0.3]).astype(np.uint8)
        genome = genome_of({"c": codes})
        total = np.append(0, np.cumsum(codes == 0))
        position = np.arange(40, BASES - 40)
        share = (total[position + 4] - total[position - 4]) / 8 + rng.random(len(position)) / 10
        nothing = np.zeros(len(position), np.int64)
        found = found_in(genome, evidence("bits", 8, nothing, position, nothing + 1, share))
        assert found.motifs == ()
        tested += found.tested
    assert tested < 8  # seldom even tried


def test_no_motif_around_random_places(genome_of):
    rng = np.random.default_rng(3)
    genome = genome_of({"c": rng.choice(4, BASES, p=[0.32, 0.18, 0.18, 0.32]).astype(np.uint8)})
    position, strand, value = evidence_on(rng, strong=np.arange(100, BASES - 100, 200)[:PLACES])
    nothing = np.zeros(len(position), np.int64)
    assert found_in(genome, evidence("made", 0, nothing, position, strand, value)).motifs == ()


def test_matches_have_the_composition_of_the_core_and_are_apart_from_places(genome_of):
    rng = np.random.default_rng(4)
    codes = rng.integers(0, 4, BASES).astype(np.uint8)
    genome = genome_of({"c": codes})
    position = np.arange(40, BASES - 40)
    nothing = np.zeros(len(position), np.int64)
    found = seqlets_of(evidence("bits", 8, nothing, position, nothing + 1, rng.random(len(position))), genome,
                       SETTINGS)  # fmt: skip
    core = slice(SETTINGS.reach - 4, SETTINGS.reach + 4)
    assert (np.sort(found.codes[found.of][:, core], axis=1) == np.sort(found.matched[:, core], axis=1)).all()
    assert (np.diff(np.sort(found.position)) >= 2 * SETTINGS.reach + 1).all()
    assert len(np.unique(found.matched, axis=0)) == len(found.matched)
    assert (found.codes[0] == codes[found.position[0] - 30 : found.position[0] + 31]).all()


def test_written_motifs_are_read_by_biopython(genome_of, tmp_path):
    found = found_in(*planted(genome_of, np.random.default_rng(1), 7))
    meme, jaspar = tmp_path / "m.meme", tmp_path / "m.jaspar"
    write_meme(meme, found.motifs, found.background)
    write_jaspar(jaspar, found.motifs)
    read = list(oracle.parse(io.StringIO(meme.read_text()), "minimal"))
    counted = oracle.parse(io.StringIO(jaspar.read_text()), "jaspar")
    assert [each.name for each in read] == [each.name.split()[0] for each in found.motifs] == [
        each.matrix_id for each in counted
    ]  # fmt: skip
    for mine, theirs, counts in zip(found.motifs, read, counted, strict=True):
        assert theirs.num_occurrences == mine.sites
        assert np.allclose([theirs.pwm[letter] for letter in "ACGT"], mine.probabilities.T, atol=0.01)
        assert np.allclose([counts.counts[letter] for letter in "ACGT"], mine.counts.T)
    assert read[0].background["A"] == pytest.approx(found.background[0], abs=1e-4)


def test_consensus_names_one_base_or_two():
    assert consensus(np.array([[9, 1, 0, 0], [1, 4, 0, 5], [1, 1, 1, 1]], float)) == "AYN"


def test_too_few_places_are_refused(genome_of):
    rng = np.random.default_rng(5)
    genome = genome_of({"c": rng.integers(0, 4, BASES).astype(np.uint8)})
    position = np.arange(1_000, 3_000, 10)
    nothing = np.zeros(len(position), np.int64)
    few = evidence("made", 0, nothing, position, nothing + 1, rng.random(len(position)))
    with pytest.raises(InputError, match=r"made: 6 places in 1 blocks of 5,000 bases.*give more sequence"):
        found_in(genome, few)


def test_places_without_a_match_on_their_own_contig_are_refused(genome_of):
    rng = np.random.default_rng(5)
    genome = genome_of({f"c{n}": rng.integers(0, 4, 61).astype(np.uint8) for n in range(50)})
    contig = np.arange(50)
    middle = evidence("made", 0, contig, np.full(50, 30), np.ones(50, np.int64), rng.random(50))
    with pytest.raises(InputError, match=r"made: no weaker place of its contig matches a strong one; give more"):
        seqlets_of(middle, genome, SETTINGS)


def test_evidence_of_a_probe_is_of_each_target_and_class_in_reading_direction(genome_of):
    genome = genome_of({"c": (np.arange(3_000) % 4).astype(np.uint8), "d": np.zeros(900, np.uint8)})
    rows = PredictionRows(
        np.array([0, 0, 1]), np.array([100, 200, 300]), np.array([1, -1, 1], np.int8), np.array([2.0, 1.0, -1.0]),
        np.array([0.9, 0.7, 0.2]),
    )  # fmt: skip
    several = rows._replace(
        strand=np.zeros(3, np.int8), value=np.arange(9.0).reshape(3, 3), probability=np.full((3, 3), 1 / 3)
    )
    found = Prediction(
        task="t", contigs=("c", "d"), lengths=np.array([3_000, 900]), flags=np.zeros(2, np.uint8), seams={},
        targets=(
            PredictedTarget(name="donor", classes=("other", "donor"), width=1, count=3, rows=lambda: iter((rows,))),
            PredictedTarget(name="state", classes=("a", "b", "c"), width=50, count=3, rows=lambda: iter((several,))),
            PredictedTarget(name="none", classes=("other", "x"), width=1, count=0, rows=lambda: iter(())),
        ),
    )  # fmt: skip
    donor, *classes = evidence_of_prediction(found, genome)
    assert (donor.name, donor.core, donor.bases) == ("donor", 0, 3_900)
    of_donor, *of_classes = (Places.joined(list(each.places())) for each in (donor, *classes))
    assert (of_donor.position.tolist(), of_donor.strand.tolist(), of_donor.value.tolist()) == (
        [100, 200, 300], [1, -1, 1], [2, 1, -1]
    )  # fmt: skip
    assert [each.name for each in classes] == ["state-b", "state-c"]
    assert of_classes[1].value.tolist() == [2, 5, 8]
    assert of_classes[0].position.tolist() == [125, 225, 325]  # the middle of each window
    assert (of_classes[0].strand == 1).all()
    with pytest.raises(InputError, match="the predictions are on other contigs"):
        next(evidence_of_prediction(found, genome_of({"c": np.zeros(3_000, np.uint8)})))


class Scores:
    """What is read of a score file: one contig scored in two stretches, and a short one."""

    def __init__(self, rng, genome, stretches):
        self.lengths, self.stretches, self.strands = genome.length_of, stretches, 2
        self.bits = rng.gamma(2, 1, (2, stretches.bases)).astype(np.float32)
        self.bits[:, rng.random(stretches.bases) < 0.03] = np.nan

    def read(self, strand, first, end):
        return self.bits[strand, first:end]


@pytest.mark.parametrize("slab", [1, 50, 1 << 18])
def test_low_bits_are_means_of_eight_known_bases_of_one_stretch(genome_of, stretches_of, monkeypatch, slab):
    monkeypatch.setattr(seqlets, "SLAB", slab)
    rng = np.random.default_rng(6)
    genome = genome_of({"a": "ACGT" * 100, "b": "ACGTT" * 4, "c": "A" * 5})
    rows = [("a", 10, 150, Part.TEST), ("a", 150, 390, Part.TEST), ("b", 0, 20, Part.TEST), ("c", 0, 5, Part.TEST)]
    scores = Scores(rng, genome, stretches_of(genome, rows))
    made = next(evidence_of_bits(scores, genome))
    found = Places.joined(list(made.places()))
    expected, first = {}, 0
    for name, start, end, _ in rows:
        for strand in (0, 1):
            for low in range(start, end - 7):
                bits = scores.bits[strand, first + low - start : first + low - start + 8].astype(float)
                if not np.isnan(bits).any():
                    expected[genome.names.index(name), low + 4 - strand, 1 - 2 * strand] = -bits.mean()
        first += end - start
    assert found.row.tolist() == list(range(len(expected)))
    held = zip(found.contig.tolist(), found.position.tolist(), found.strand.tolist(), strict=True)
    assert dict(zip(held, found.value.tolist(), strict=True)) == pytest.approx(expected, rel=1e-12)


def test_seqlets_are_the_same_however_many_places_come_at_a_time(genome_of, monkeypatch):
    rng = np.random.default_rng(8)
    genome = genome_of({"c": rng.choice(5, BASES, p=[0.25, 0.25, 0.25, 0.24, 0.01]).astype(np.uint8)})
    n = 40_000
    columns = np.zeros(n, np.int64), rng.integers(0, BASES, n), rng.choice([-1, 1], n), rng.integers(0, 60, n) / 8.0
    settings = MotifSettings(seqlets=20, reach=10)
    whole = seqlets_of(evidence("made", 0, *columns), genome, settings)
    monkeypatch.setattr(seqlets, "SLAB", 100)
    for cuts in ([1], [100, 100, 5_000], list(range(500, n, 500))):
        parts = seqlets_of(evidence("made", 0, *columns, cuts=cuts), genome, settings)
        for mine, theirs in zip(parts, whole, strict=True):
            np.testing.assert_array_equal(mine, theirs)
    # the definition: of equal places the first, none near another on its strand
    _, position, strand, value = columns
    chosen = []
    for at in np.argsort(-value, kind="stable").tolist():
        inside = 10 <= position[at] < BASES - 10
        if inside and all(strand[at] != strand[o] or abs(position[at] - position[o]) >= 21 for o in chosen):
            chosen.append(at)
        if len(chosen) == 20:
            break
    known = [at for at in sorted(chosen) if (genome.all_codes[position[at] - 10 : position[at] + 11] < 4).all()]
    assert whole.position.tolist() == position[known].tolist()


def test_memory_does_not_grow_with_the_places(genome_of):
    genome = genome_of({"c": np.random.default_rng(9).integers(0, 4, BASES).astype(np.uint8)})

    def peak(parts):
        def places():
            for part in range(parts):
                rng = np.random.default_rng(part)
                n = 1 << 15
                where = rng.integers(0, BASES, n), rng.choice([-1, 1], n), rng.random(n)
                yield Places(np.arange(part * n, (part + 1) * n), np.zeros(n, np.int64), *where)

        tracemalloc.start()
        seqlets_of(Evidence("made", 0, BASES, places), genome, MotifSettings(seqlets=100))
        held = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return held

    assert peak(40) < 1.2 * peak(8)

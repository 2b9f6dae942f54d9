"""Records held against the genome: what is scored, what is skipped and under which name, in groups of any size."""

import numpy as np
import pytest

from genolstm.alphabet import DNA, decode
from genolstm.readers.variants import SAME, SPANNED, SYMBOLIC, UNKNOWN_LETTERS, Record
from genolstm.regions import Region, stretches_of
from genolstm.settings.model import ModelSettings
from genolstm.variants.effects import Effects
from genolstm.variants.records import (
    BEFORE_CONTIG,
    DISAGREES,
    FOREIGN_CONTIG,
    HELD_BYTES,
    PAST_END,
    UNKNOWN_REFERENCE,
    Tally,
    group_size,
    scored,
)


@pytest.fixture(scope="module")
def genome(genome_of):
    return genome_of({"I": "ACGTNNACGT", "II": "GATTACA"})


def records(*rows):
    return [
        Record(n, "text", contig, at, ref, tuple(alts.split(","))) for n, (contig, at, ref, alts) in enumerate(rows)
    ]


class Scorer:
    """Notes the alleles it is asked for; their effect is their start."""

    def __init__(self):
        self.groups = []

    def __call__(self, alleles):
        rows = []
        for place in range(len(alleles)):
            letters = alleles.letters[alleles.first[place] : alleles.first[place + 1]]
            rows.append((alleles.contig[place], alleles.start[place], alleles.end[place], decode(letters, DNA)))
        self.groups.append(rows)
        start = alleles.start.astype(float)
        return Effects(np.stack([start, -start], axis=1), np.stack([start + 0.5, start], axis=1))


def run(genome, given, at_once=100, trained=(("II", 0, None),)):
    regions = [Region(contig=name, start=low, end=high or genome.length_of[name]) for name, low, high in trained]
    scorer, tally = Scorer(), Tally()
    stretches = stretches_of(regions, genome.names)
    return list(scored(given, genome, stretches, scorer, tally, at_once=at_once)), scorer.groups, tally


def test_a_variant_is_seen_where_its_stretch_was_trained_on_and_not_by_its_contig(genome):
    """As in a bacterium: one contig, most of it for training, a block of it held out."""
    given = records(("I", 0, "A", "C"), ("I", 2, "G", "T"), ("II", 3, "T", "A"))
    found, _, tally = run(genome, given, trained=[("I", 0, 2)])
    assert [each.seen for each in found] == [True, False, False]
    assert tally.on_seen == 1


def test_every_alternative_is_scored_or_named(genome):
    given = records(
        ("I", 0, "A", "C"),
        ("I", 1, "CG", "C,TT,*,<DEL>,CG,N"),
        ("II", 3, "T", "TAA"),
        ("III", 3, "T", "A"),
        ("I", -1, "N", "A"),
        ("II", 5, "CAG", "C"),
        ("I", 2, "A", "C,<DEL>"),
        ("I", 3, "TN", "T"),
        ("I", 4, "N", "A"),
        ("I", 4, "R", "A"),
        ("I", 0, "N", "A"),
        ("I", 0, "R", "G"),
        ("I", 7, "CGT", "C"),
    )
    found, groups, tally = run(genome, given)
    assert [each.record for each in found] == given
    assert [[e is not None for e in each.effects] for each in found] == [
        [True], [True, True, False, False, False, False], [True], [False], [False], [False], [False, False], [False],
        [False], [False], [False], [False], [True],
    ]  # fmt: skip
    assert groups == [[(0, 0, 1, "C"), (0, 2, 3, ""), (0, 1, 3, "TT"), (1, 4, 4, "AA"), (0, 8, 10, "")]]
    assert tally.alleles.skipped == {
        SPANNED: 1, SYMBOLIC: 2, SAME: 1, UNKNOWN_LETTERS: 1, FOREIGN_CONTIG: 1, BEFORE_CONTIG: 1, PAST_END: 1,
        DISAGREES: 3, UNKNOWN_REFERENCE: 3,
    }  # fmt: skip
    assert (tally.alleles.read, tally.alleles.used) == (19, 5)
    assert tally.alleles.read == tally.alleles.used + sum(tally.alleles.skipped.values())
    assert (tally.records, tally.on_seen, list(tally.foreign), tally.any_contig_known) == (13, 1, ["III"], True)
    assert tally.first[DISAGREES] == "I:3 A>C where the genome has G"
    assert tally.first[UNKNOWN_REFERENCE] == "I:4 TN>T where the genome has TN"


def test_effects_come_back_to_their_own_alternative(genome):
    found, _, _ = run(genome, records(("I", 6, "A", "C,<DEL>,G"), ("II", 0, "G", "T")))
    assert [e and e.log_ratio for e in found[0].effects] == [(6, -6), None, (6, -6)]
    assert found[0].effects[0].shift == (6.5, 6)
    assert found[1].effects[0].log_ratio == (0, 0)
    assert [each.seen for each in found] == [False, True]


@pytest.mark.parametrize("at_once", [1, 2, 3, 7])
def test_groups_of_any_size_give_the_same_and_hold_no_more(genome, at_once):
    rows = [("II", at % 7, "GATTACA"[at % 7], "CG"[at % 2 :] if at % 3 else "<X>") for at in range(20)]
    rows = [row for row in rows if row[2] != row[3]]
    whole, _, all_of = run(genome, records(*rows))
    parts, groups, tally = run(genome, records(*rows), at_once)
    assert parts == whole
    assert tally == all_of
    assert max(map(len, groups)) <= at_once
    assert len(groups) == -(-all_of.alleles.used // at_once)


def test_long_records_make_small_groups(genome, monkeypatch):
    monkeypatch.setattr("genolstm.variants.records.HELD_TEXT", 7)
    _, groups, _ = run(genome, records(*[("I", 0, "A", "C")] * 5))
    assert [len(group) for group in groups] == [2, 2, 1]


def test_no_allele_needs_no_scorer(genome):
    assert run(genome, records(("I", 0, "A", "<DEL>")))[1] == []
    assert run(genome, [])[0] == []


def test_a_large_model_scores_fewer_alleles_at_once():
    small, large = (group_size(ModelSettings(layers=n, hidden=h)) for n, h in ((1, 256), (2, 1024)))
    assert small == 8 * large
    assert small * 16 * 256 == HELD_BYTES

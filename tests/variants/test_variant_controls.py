"""Controls of variants: the Markov ratio by its definition, kinds on either strand, percentiles among their kind."""

import numpy as np
import pytest

from genolstm.alphabet import DNA, encode, reverse_complement
from genolstm.markov import fit_markov, log2_probabilities, next_symbol_probabilities
from genolstm.model import NextSymbolModel
from genolstm.regions import Part
from genolstm.seen import Seen
from genolstm.settings.model import ModelSettings
from genolstm.settings.reading import VariantSettings
from genolstm.variants.controls import ANY, HELD_OUT, ITSELF, TRAINING, controls_of
from genolstm.variants.effects import effects_of
from genolstm.variants.kinds import Percentiles, drawn_changes, kinds_of
from genolstm.variants.markov_ratio import markov_ratios
from genolstm.variants.places import Alleles


def alleles_of(genome, rows):
    lengths = [len(letters) for *_, letters in rows]
    return Alleles(
        contig=np.array([genome.names.index(name) for name, *_ in rows], dtype=np.int64),
        start=np.array([start for _, start, _, _ in rows], dtype=np.int64),
        end=np.array([end for _, _, end, _ in rows], dtype=np.int64),
        letters=encode("".join(letters for *_, letters in rows), DNA),
        first=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
    )


@pytest.fixture(scope="module")
def markov(tiny_genome):
    return fit_markov([tiny_genome.all_codes[:3000]], DNA, max_order=5)


def log2_of(markov, codes):
    """log2 P of each symbol, one context after the other."""
    found = np.zeros(len(codes))
    for place, code in enumerate(codes):
        if code < 4:
            unknown = np.flatnonzero(codes[:place] >= 4)
            context = codes[unknown[-1] + 1 if len(unknown) else 0 : place]
            found[place] = np.log2(next_symbol_probabilities(markov, context)[code])
    return found


def test_log2_probabilities_are_those_of_every_context(markov, drawn_codes):
    codes = drawn_codes(3, 60, unknown=0.05)
    np.testing.assert_allclose(log2_probabilities(markov, codes), log2_of(markov, codes), atol=1e-12)


@pytest.mark.parametrize("window", [0, 3, 30])
def test_ratio_is_that_of_the_whole_contigs(tiny_genome, markov, window):
    rows = [("I", 700, 701, "A"), ("I", 700, 703, ""), ("III", 0, 1, "GATTACA"), ("III", 410, 411, "C"),
            ("MT", 30, 30, "TTT"), ("MT", 3, 5, "CAC")]  # fmt: skip
    found = markov_ratios(markov, tiny_genome, alleles_of(tiny_genome, rows), window)
    for (name, start, end, letters), mine in zip(rows, found, strict=True):
        first = int(tiny_genome.starts[tiny_genome.names.index(name)])
        codes = tiny_genome.all_codes[first : first + tiny_genome.length_of[name]]
        for strand in range(2):
            text, own, low, high = codes, encode(letters, DNA), start, end
            if strand:
                text, own = reverse_complement(codes), reverse_complement(own)
                low, high = len(codes) - end, len(codes) - start
            changed = np.concatenate([text[:low], own, text[high:]])
            # a context of 20 is longer than any
            before = max(0, low - 20)
            alternative = log2_of(markov, changed[before : low + len(own) + window])[low - before :].sum()
            reference = log2_of(markov, text[before : high + window])[low - before :].sum()
            assert mine[strand] == pytest.approx(alternative - reference, abs=1e-9)


def test_kinds_are_the_same_on_either_strand(genome_of):
    text = "ACGTTGCATCA"
    genome = genome_of({"f": text, "r": "".join({"A": "T", "C": "G", "G": "C", "T": "A"}[x] for x in text[::-1])})
    pairs = {"A": "T", "C": "G", "G": "C", "T": "A"}
    rows = [("f", at, at + 1, new) for at in range(1, 10) for new in sorted(set("ACGT") - {text[at]})]
    turned = [("r", 10 - at, 11 - at, pairs[new]) for _, at, _, new in rows]
    kinds = kinds_of(genome, alleles_of(genome, rows))
    np.testing.assert_array_equal(kinds, kinds_of(genome, alleles_of(genome, turned)))
    assert (kinds >= 0).all()
    ends = [("f", 0, 1, "C"), ("f", 10, 11, "C"), ("f", 3, 5, "C"), ("f", 4, 4, "A"), ("f", 4, 5, "")]
    assert (kinds_of(genome, alleles_of(genome, ends)) == -1).all()


def test_there_are_96_kinds(tiny_genome, stretches_of):
    alleles, kinds = drawn_changes(tiny_genome, stretches_of(tiny_genome), 7, np.random.default_rng(1))
    assert len(np.unique(kinds)) == 96
    assert np.bincount(kinds).max() == 7
    np.testing.assert_array_equal(kinds, kinds_of(tiny_genome, alleles))
    drawn = set(zip(alleles.contig.tolist(), alleles.start.tolist(), alleles.letters.tolist(), strict=True))
    assert len(drawn) == len(kinds)


def test_percentiles_are_among_their_own_kind_and_ties_count_half():
    found = Percentiles(np.array([1, 1, 1, 1, 2]), np.array([0.0, 1.0, 1.0, 3.0, 100.0]))
    kinds = np.array([1, 1, 1, 2, 5, -1])
    told = found.of(kinds, np.array([-1.0, 1.0, 9.0, 0.0, 0.0, 0.0]))
    np.testing.assert_allclose(told, [0, 50, 100, 0, np.nan, np.nan])


def test_controls_say_what_they_come_from(tiny_genome, stretches_of):
    model = NextSymbolModel(ModelSettings(hidden=8, forget_bias="-2"), seed=5).eval()
    rows = [("I", 0, 2000, Part.TRAIN), ("II", 0, 1700, Part.TEST)]
    seen = Seen(split=stretches_of(tiny_genome, rows), complete=True, recognised=np.ones(5, bool), near={})
    settings = VariantSettings(window=9, batch=64, lanes=4, burn_in=160, background=5)
    found = controls_of(model, tiny_genome, seen, settings)
    assert found.notes == {"markov_counted_on": TRAINING, "percentiles_from": HELD_OUT}
    strange = Seen(split=stretches_of(tiny_genome, rows[:1]), complete=False, recognised=np.zeros(5, bool), near={})
    assert controls_of(model, tiny_genome, strange, settings).notes == {
        "markov_counted_on": ITSELF, "percentiles_from": ANY,
    }  # fmt: skip
    alleles, _ = drawn_changes(tiny_genome, stretches_of(tiny_genome, [("III", 0, 411, 2)]), 3,
                               np.random.default_rng(2))  # fmt: skip
    plain = effects_of(model, tiny_genome, alleles, settings)
    beside = found.beside(plain, tiny_genome, alleles, 9)
    np.testing.assert_array_equal(beside.log_ratio, plain.log_ratio)
    assert beside.markov.shape == plain.log_ratio.shape
    assert 0 <= np.nanmin(beside.percentile) < 40 < 60 < np.nanmax(beside.percentile) <= 100

"""Bits per base beside the Markov models of the same training stretches."""

import math
import os
from dataclasses import replace

import numpy as np
import pytest
import torch

from genolstm.alphabet import PROTEIN, encode
from genolstm.errors import InputError
from genolstm.estimate import Estimate
from genolstm.markov import fit_markov, markov_bits
from genolstm.model import NextSymbolModel
from genolstm.regions import Part
from genolstm.scoring.beside_markov import (
    MarkovLines,
    bits_beside_markov,
    blocks_of,
    codes_of,
    crossfitted_by_block,
    markov_by_block,
    markov_of,
)
from genolstm.scoring.blocks import Grid, mean_difference
from genolstm.settings.model import ModelSettings
from genolstm.settings.reading import StreamSettings
from genolstm.stream.reader import GenomeReader
from genolstm.stream.reading import bits_by_block, mean_bits

STREAM = StreamSettings(lanes=4, chunk=32, burn_in=64)


def model_of(alphabet="dna"):
    return NextSymbolModel(ModelSettings(hidden=8, alphabet=alphabet), seed=1).eval()


@pytest.fixture
def split_genome_file(genome_of, drawn_codes, stretches_of):
    words = np.random.default_rng(1).choice(["ACGT", "TTAG", "GC"], 1500)
    genome = genome_of({"a": "".join(words), "b": drawn_codes(1, 500, unknown=0.05), "c": "".join(words[:200])})
    rows = [
        ("a", 0, 3000, Part.TRAIN),
        ("a", 3100, 4000, Part.VALID),
        ("b", 0, 500, Part.TRAIN),
        ("c", 20, 600, Part.TEST),
    ]
    return genome, stretches_of(genome, rows)


def test_blocks_are_the_stretches_whatever_their_size(split_genome_file, monkeypatch):
    genome, split = split_genome_file
    whole = [np.concatenate(list(blocks)) for blocks in blocks_of(genome, split)]
    monkeypatch.setattr("genolstm.scoring.beside_markov.BLOCK", 7)
    pieces = [list(blocks) for blocks in blocks_of(genome, split)]
    assert max(len(block) for blocks in pieces for block in blocks) == 7
    for stretch, blocks, start, end, contig in zip(whole, pieces, split.start, split.end, split.contig, strict=True):
        first = genome.starts[contig]
        np.testing.assert_array_equal(stretch, genome.all_codes[first + start : first + end])
        np.testing.assert_array_equal(np.concatenate(blocks), stretch)


def test_markov_models_are_counted_on_the_training_stretches_alone(genome_of, stretches_of):
    # A and T for training, C and G elsewhere: a count of either would show in the order-0 bits of a training stretch
    genome = genome_of({"a": "AT" * 300 + "CG" * 300})
    split = stretches_of(genome, [("a", 0, 600, Part.TRAIN), ("a", 600, 1200, Part.TEST)])
    markov = markov_of(genome, split.of(Part.TRAIN))
    counts = markov.counts.tables[0].rows(np.array([0]))[0]
    assert counts.tolist() == [600, 0, 0, 600]  # both strands


@pytest.mark.parametrize("part", [Part.VALID, Part.TEST])
def test_every_line_is_of_the_same_symbols(split_genome_file, part):
    genome, split = split_genome_file
    model, markov = model_of(), MarkovLines(genome, split.of(Part.TRAIN))
    row = bits_beside_markov(GenomeReader(model, genome, STREAM), markov, split, part)
    assert row.part == part.name.lower()
    bits, symbols = mean_bits(GenomeReader(model, genome, STREAM), split.of(part))
    assert (row.model, row.symbols) == (pytest.approx(bits, rel=1e-6), symbols)
    lines = markov_bits(
        fit_markov(codes_of(genome, split.of(Part.TRAIN)), genome.alphabet), codes_of(genome, split.of(part))
    )
    assert (
        row.symbols == lines.symbols == 2 * int(sum((codes != 4).sum() for codes in codes_of(genome, split.of(part))))
    )
    assert row.uniform == 2
    assert row.by_order == pytest.approx(lines.by_order, rel=1e-12)
    assert row.interpolated == pytest.approx(lines.interpolated, rel=1e-12)
    assert row.best_bits == min(row.by_order) == row.by_order[row.best_order]
    assert row.interpolated < 1.7  # words that it has met in training
    assert row.standing == "held out"
    assert row.difference.value == pytest.approx(row.model - row.best_line[1], abs=1e-6)


def test_unknown_symbols_are_in_no_denominator(genome_of, stretches_of):
    genome = genome_of({"a": "ACGT" * 100, "b": "ANNNCGNT"})
    split = stretches_of(genome, [("a", 0, 400, Part.TRAIN), ("b", 0, 8, Part.TEST)])
    row = bits_beside_markov(
        GenomeReader(model_of(), genome, STREAM), MarkovLines(genome, split.of(Part.TRAIN)), split, Part.TEST
    )
    assert row.symbols == 8


def test_a_protein_is_scored_along_one_strand(genome_of, stretches_of):
    genome = genome_of({"p": "MKVLAW" * 50, "q": encode("MKVLAWX", PROTEIN)}, PROTEIN)
    split = stretches_of(genome, [("p", 0, 300, Part.TRAIN), ("q", 0, 7, Part.TEST)])
    row = bits_beside_markov(
        GenomeReader(model_of("protein"), genome, STREAM), MarkovLines(genome, split.of(Part.TRAIN)), split, Part.TEST
    )
    assert row.symbols == 6
    assert row.uniform == pytest.approx(math.log2(20))


def test_an_undecided_model_stands_at_the_uniform_line(split_genome_file):
    genome, split = split_genome_file
    model = model_of()
    torch.nn.init.zeros_(model.head.weight)
    row = bits_beside_markov(
        GenomeReader(model, genome, STREAM), MarkovLines(genome, split.of(Part.TRAIN)), split, Part.TEST
    )
    assert row.model == pytest.approx(row.uniform, abs=1e-7)


def test_a_part_with_nothing_known_is_refused(genome_of, stretches_of):
    genome = genome_of({"a": "ACGT" * 30, "b": "NNN"})
    split = stretches_of(genome, [("a", 0, 120, Part.TRAIN), ("b", 0, 3, Part.TEST)])
    with pytest.raises((ValueError, InputError), match="no known symbol to score"):
        bits_beside_markov(
            GenomeReader(model_of(), genome, STREAM), MarkovLines(genome, split.of(Part.TRAIN)), split, Part.TEST
        )


def test_crossfitted_lines_have_not_counted_what_they_score(genome_of, drawn_codes, stretches_of):
    """A unit that stands in one block alone is a surprise there; counted on itself it would cost nothing."""
    unit = drawn_codes(3, 50)
    genome = genome_of({"a": np.concatenate([drawn_codes(1, 20_600), np.tile(unit, 20), drawn_codes(2, 19_400)])})
    unit_at = stretches_of(genome, [("a", 20_600, 21_600, Part.TEST)])
    grid = Grid.over(genome, unit_at)
    blind = crossfitted_by_block(genome, unit_at, grid)
    own = markov_by_block(markov_of(genome, unit_at), genome, unit_at, grid)
    assert blind.symbols.sum() == own.symbols.sum() == 2000
    per_symbol = blind.bits.sum(axis=0) / 2000
    assert per_symbol[6:].min() > 1.9
    assert (own.bits.sum(axis=0) / 2000)[8] < 0.5


def test_difference_has_an_interval_over_blocks_and_none_from_few_of_them():
    rng = np.random.default_rng(1)
    symbols = np.full(200, 1000)
    theirs = rng.normal(1900, 30, 200)
    ours = theirs - 20 + rng.normal(0, 10, 200)
    value, low, high = mean_difference(ours, theirs, symbols, rng)
    assert low < value < high < 0
    assert high - low == pytest.approx(2 * 1.96 * 0.01 / np.sqrt(200), rel=0.3)  # of the mean of 200 blocks
    few = mean_difference(ours[:4], theirs[:4], symbols[:4], rng)
    assert (few.low, few.high) == (-np.inf, np.inf)


def test_a_verdict_follows_from_the_interval(split_genome_file):
    genome, split = split_genome_file
    row = bits_beside_markov(
        GenomeReader(model_of(), genome, STREAM), MarkovLines(genome, split.of(Part.TRAIN)), split, Part.TEST
    )
    assert row.verdict == "cannot tell"  # 580 bases are one block
    for (low, high), verdict, close in (
        ((-0.2, -0.1), "below", False), ((0.1, 0.2), "above", False), ((-0.1, 0.1), "no difference", False),
        ((-0.2, -0.0005), "below", True), ((0.0005, 0.2), "above", True),
    ):  # fmt: skip
        judged = replace(row, difference=Estimate((low + high) / 2, low, high))
        assert (judged.verdict, judged.close) == (verdict, close)
    assert replace(row, difference=None).verdict is None


def test_what_is_read_again_takes_back_what_it_was_counted_as(genome_of, drawn_codes, stretches_of, monkeypatch):
    """Weight -1: without it symbols at repaired seams count twice, and from a wrong state."""
    monkeypatch.setattr("genolstm.stream.reading.forgets", lambda *_: True)
    genome = genome_of({"a": drawn_codes(1, 4000)})
    model = NextSymbolModel(ModelSettings(hidden=8, forget_bias="6"), seed=3).eval()
    stretches = stretches_of(genome)
    pieces, exact = StreamSettings(lanes=4, chunk=16, burn_in=16), StreamSettings(lanes=4, chunk=16, exact=True)
    bits, symbols = mean_bits(GenomeReader(model, genome, pieces), stretches)
    true_bits, true_symbols = mean_bits(GenomeReader(model, genome, exact), stretches)
    assert symbols == true_symbols == 8000
    assert bits == pytest.approx(true_bits, abs=1e-5)
    grid = Grid.over(genome, stretches)
    counted, summed = bits_by_block(GenomeReader(model, genome, pieces), stretches, grid.first, grid.length)
    assert counted.tolist() == [2000] * 4
    assert summed.sum() / 8000 == pytest.approx(true_bits, abs=1e-5)


@pytest.fixture
def kept_lines(split_genome_file, tmp_path, monkeypatch):
    """The lines of a genome beside which a cache is kept, the blocks of its test part, and the folder."""
    monkeypatch.setenv("GENOLSTM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("genolstm.scoring.beside_markov.KEPT_FROM", 0)
    genome, split = split_genome_file
    test = split.of(Part.TEST)
    return MarkovLines(genome, split.of(Part.TRAIN)), (test, Grid.over(genome, test)), tmp_path / "cache"


def nothing_is_counted(monkeypatch):
    monkeypatch.setattr("genolstm.scoring.beside_markov.fit_markov", lambda *_, **__: pytest.fail("counted again"))


def assert_same(one, other):
    np.testing.assert_array_equal(one.bits, other.bits)
    np.testing.assert_array_equal(one.symbols, other.symbols)


def test_lines_that_were_kept_are_the_same_bits_and_nothing_is_counted(kept_lines, monkeypatch):
    lines, asked, folder = kept_lines
    first, blind = lines.by_block(*asked), crossfitted_by_block(lines.genome, *asked)
    assert len(list(folder.iterdir())) == 2
    nothing_is_counted(monkeypatch)
    assert_same(MarkovLines(lines.genome, lines.counted).by_block(*asked), first)
    assert_same(crossfitted_by_block(lines.genome, *asked), blind)


@pytest.mark.parametrize("other", ["counted", "scored", "method", "genome"])
def test_lines_of_anything_else_are_counted(kept_lines, monkeypatch, other):
    lines, (test, grid), folder = kept_lines
    lines.by_block(test, grid)
    changed = replace(test, end=test.end - 1)
    if other == "counted":
        MarkovLines(lines.genome, changed).by_block(test, grid)
    elif other == "scored":
        lines.by_block(changed, grid)
    elif other == "method":
        monkeypatch.setattr("genolstm.scoring.beside_markov.METHOD", "another")
        lines.by_block(test, grid)
    else:
        MarkovLines(replace(lines.genome, sha256="another"), lines.counted).by_block(test, grid)
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize("damage", [lambda content: content[:100], lambda content: content[:-900] + bytes(900)])
def test_damaged_lines_are_told_and_counted_again(kept_lines, caplog, damage):
    lines, asked, folder = kept_lines
    first = lines.by_block(*asked)
    [path] = folder.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    assert_same(lines.by_block(*asked), first)
    assert f"{path} cannot be used" in caplog.text
    caplog.clear()
    assert_same(lines.by_block(*asked), first)
    assert not caplog.text


def test_lines_of_something_else_in_a_file_of_that_name_are_not_believed(kept_lines, caplog):
    lines, asked, folder = kept_lines
    first = lines.by_block(*asked)
    [path] = folder.iterdir()
    with np.load(path) as file:
        arrays = dict(file.items())
    np.savez(path, **{name: array * 2 for name, array in arrays.items() if name != "key"}, key=np.array("of another"))
    assert_same(lines.by_block(*asked), first)
    assert "it is of something else" in caplog.text


def test_a_cache_that_cannot_be_written_changes_nothing(kept_lines, caplog):
    lines, asked, folder = kept_lines
    folder.write_text("a file where the folder would be")
    caplog.set_level("INFO", logger="genolstm")
    first = lines.by_block(*asked)
    assert "are not kept for later runs" in caplog.text
    assert_same(first, markov_by_block(lines.model, lines.genome, *asked))


def test_a_cache_is_bounded_and_loses_what_was_used_longest_ago(kept_lines, monkeypatch):
    monkeypatch.setattr("genolstm.store.kept.MOST_BYTES", 3 * 4096)
    lines, (test, grid), folder = kept_lines
    lines.by_block(test, grid)
    [oldest] = folder.iterdir()
    os.utime(oldest, (0, 0))
    for cut in range(1, 4):
        lines.by_block(replace(test, end=test.end - cut), grid)
    assert len(list(folder.iterdir())) == 3
    assert not oldest.exists()

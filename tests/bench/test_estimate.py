"""Rates turned into the time for a genome."""

import pytest

from genolstm.bench.estimate import of_one_pass, of_reading
from genolstm.settings.reading import StreamSettings


def test_one_pass_of_training_reads_both_strands():
    told = of_one_pass("train", 1_000, 100.0)
    assert (told.symbols, told.seconds) == (2_000, 20.0)


def test_a_fasta_is_read_as_it_stands():
    told = of_one_pass("fasta", 1_000, 100.0, strands=1)
    assert (told.symbols, told.seconds) == (1_000, 10.0)


@pytest.mark.parametrize(("bases", "more"), [(1_000_000, 0.115), (12_600_000, 0.035), (3_100_000_000, 0.0007)])
def test_reading_counts_a_burn_in_for_each_piece(bases, more):
    told = of_reading("score", bases, 1_000.0, StreamSettings())
    assert told.symbols / (2 * bases) - 1 == pytest.approx(more, rel=0.1)
    assert (told.symbols - 2 * bases) % StreamSettings.burn_in == 0
    assert told.seconds == told.symbols / 1_000.0


def test_without_burn_in_a_genome_is_read_once_on_each_strand():
    assert of_reading("score", 54_321, 1.0, StreamSettings(burn_in=0)).symbols == 2 * 54_321

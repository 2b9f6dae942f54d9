"""Short forms of the campaigns: what each promises, on a few tries."""

import flip_bits
import kill_writers
import mutate_inputs
import pytest


@pytest.fixture(autouse=True)
def _same_environment(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


def test_no_flipped_bit_changes_a_result_without_a_word(campaign_files):
    found = flip_bits.campaign(campaign_files, flips=30, seed=7)
    assert [each for each in found if each["ended"] in flip_bits.BAD] == []
    assert sum(each["ended"] == flip_bits.REFUSED for each in found) >= 15, "most flips are where the command reads"


def test_no_kill_leaves_a_torn_output_and_the_same_command_completes(campaign_files):
    found = list(kill_writers.campaign(campaign_files, kills=15, seed=7))
    assert [each for each in found if each[1] in kill_writers.BAD] == []


def test_no_mutated_input_ends_a_reader_but_in_one_sentence(tmp_path):
    found = mutate_inputs.campaign(tmp_path, mutants=60, seed=7)
    bad = [(each["kind"], each["mutant"], each["told"]) for each in found if each["ended"] in mutate_inputs.BAD]
    assert bad == []
    assert {each["ended"] for each in found} == {mutate_inputs.READ, mutate_inputs.REFUSED}

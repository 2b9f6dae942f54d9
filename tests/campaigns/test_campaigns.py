"""Short forms of the campaigns: what each promises, on a few tries."""

import flip_bits
import kill_writers
import mutate_inputs
import pytest

from genolstm.outputs import growing


@pytest.fixture(autouse=True)
def _same_environment(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


@pytest.mark.slow
def test_no_flipped_bit_changes_a_result_without_a_word(campaign_files):
    found = flip_bits.campaign(campaign_files, flips=30, seed=7)
    assert [each for each in found if each["ended"] in flip_bits.BAD] == []
    assert sum(each["ended"] == flip_bits.REFUSED for each in found) >= 15, "most flips are where the command reads"


@pytest.mark.slow
def test_no_kill_leaves_a_torn_output_and_the_same_command_completes(campaign_files):
    found = list(kill_writers.campaign(campaign_files, kills=15, seed=7))
    assert [each for each in found if each[1] in kill_writers.BAD] == []


@pytest.mark.slow
def test_no_mutated_input_ends_a_reader_but_in_one_sentence(tmp_path):
    found = mutate_inputs.campaign(tmp_path, mutants=60, seed=7)
    bad = [(each["kind"], each["mutant"], each["told"]) for each in found if each["ended"] in mutate_inputs.BAD]
    assert bad == []
    assert {each["ended"] for each in found} == {mutate_inputs.READ, mutate_inputs.REFUSED}


WRITERS = {  # main output -> ending under which it grows, and a command
    "out.bw": (".bw", "export {score} -o {out}.bw --force -q"),
    "out.vcf.gz": (".vcf.gz", "variants {model} {genome} {vcf} -o {out}.vcf.gz --force READ"),
    "out.html": ("", "report {model} {score} -o {out}.html --force -q"),
}


@pytest.mark.parametrize("main", WRITERS)
@pytest.mark.slow
def test_two_commands_that_write_one_output_at_once_leave_it_whole(main, campaign_files, tmp_path):
    ending, command = WRITERS[main]
    names = {**campaign_files, "damaged": tmp_path}
    folder = tmp_path / "written"
    folder.mkdir()
    ended, told = kill_writers.whole(command, names, folder)
    assert ended == flip_bits.HARMLESS, told
    truth = kill_writers.files_of(folder)

    both = [kill_writers.started(command, names, folder) for _ in range(2)]
    ends = [receive.recv() for _, receive in both]
    for process, _ in both:
        process.join()
    assert flip_bits.HARMLESS in [ended for ended, _ in ends]
    for ended, told in ends:
        assert ended == flip_bits.HARMLESS or (ended == flip_bits.REFUSED and "another process is writing" in told), (
            told
        )
    assert kill_writers.files_of(folder) == truth

    # and surely at once: the first is still writing when the second comes to its output
    with growing(folder / main, ending):
        ended, told = kill_writers.whole(command, names, folder)
    assert ended == flip_bits.REFUSED, "the loser exits with an error"
    assert "another process is writing" in told

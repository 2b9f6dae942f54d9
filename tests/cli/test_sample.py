"""``genolstm sample``: the FASTA, the check, and what is refused."""

import json

import pytest

QUICK = ("-t", "1", "--device", "cpu", "-q")


@pytest.fixture
def sample(run, model_file, tmp_path):
    def ran(*options, name="s.fa"):
        return run("sample", model_file, "-o", tmp_path / name, *QUICK, *options)

    return ran


def records(path):
    return {part.split()[0]: "".join(part.split("\n")[1:]) for part in path.read_text().split(">")[1:]}


def test_fasta_holds_what_was_asked_and_the_seed_repeats_it(sample, tmp_path):
    ended = sample("-n", "3", "--length", "130", "--json")
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)
    assert told["sequences"] == 3
    assert abs(told["bits_per_base"] - told["entropy"]) < 0.2
    found = records(tmp_path / "s.fa")
    assert list(found) == ["sample_1", "sample_2", "sample_3"]
    assert {len(letters) for letters in found.values()} == {130}
    assert set("".join(found.values())) == set("ACGT")
    sample("-n", "3", "--length", "130", name="again.fa")
    assert records(tmp_path / "again.fa") == found


def test_check_table_stands_beside_held_out_and_markov(sample, genome_file, tmp_path):
    ended = sample("-n", "4", "--length", "60", "--check", genome_file, "--table", tmp_path / "t.tsv", "--json")
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)["check"]
    assert [row["name"] for row in told["sets"]] == ["samples", "markov", "held_out", "held_out_again"]
    rows = (tmp_path / "t.tsv").read_text().splitlines()
    assert len(rows) == 5
    assert rows[0].split("\t")[-1] == "divergence_6"


def test_prompt_of_letters_that_are_none_is_refused(sample, tmp_path):
    prompt = tmp_path / "p.fa"
    prompt.write_text(">p\nACGTJ\n")
    ended = sample("--prompt", prompt)
    assert ended.code == 3
    assert f"genolstm: {prompt}" in ended.err
    assert "'J'" in ended.err
    assert len(ended.err.splitlines()) == 1
    assert not (tmp_path / "s.fa").exists()
    prompt.write_text(">p\nACGT\n>q\nAC\n")
    assert sample("--prompt", prompt).err == (
        f"genolstm: {prompt} holds several sequences, and a prompt is one; keep the one to read.\n"
    )
    prompt.write_text(">p\nACGT\n")
    assert sample("--prompt", prompt, "-n", "1").code == 0
    assert "prompt=4" in (tmp_path / "s.fa").read_text()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--temperature", "-1"), "temperature must be at least 0, not -1."),
        (("--table", "t.tsv"), "--table is the table of --check: name a genome file there."),
        (("-n", "2000000", "--length", "1000"), "2,000,000 sequences of 1,000 symbols do not fit into memory; draw at"
         " most 1,000,000,000 symbols at a time, with another --seed each."),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(sample, tmp_path, options, sentence):
    assert sample(*options) == (2, "", f"genolstm: {sentence}\n")
    assert list(tmp_path.iterdir()) == []


def test_samples_longer_than_held_out_stretches_are_refused(sample, genome_file):
    ended = sample("--length", "5000", "-n", "2", "--check", genome_file)
    assert ended.code == 3
    assert "too few held-out stretches of 5,000 known bases for --check: draw shorter samples." in ended.err

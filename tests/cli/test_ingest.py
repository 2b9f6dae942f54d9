"""`genolstm ingest`: what it makes, says and refuses."""

import gzip
import hashlib
import io
import json
import os
from types import SimpleNamespace

import pytest

from genolstm.alphabet import decode
from genolstm.store.files import open_file
from genolstm.store.genome import open_genome
from genolstm.store.schema import Kind


def test_json_holds_the_fixed_keys(run, fasta, tmp_path):
    ended = run("ingest", fasta, "-o", tmp_path / "g.h5", "--json")
    told = json.loads(ended.out)
    fixed = {name: told[name] for name in ("command", "output", "device", "seed", "records")}
    assert fixed == {
        "command": "ingest",
        "output": str(tmp_path / "g.h5"),
        "device": "cpu",
        "seed": 0,
        "records": {"read": 3, "used": 3, "skipped": {}},
    }
    assert {"version", "seconds"} <= told.keys()
    assert (told["contigs"], told["bases"], told["unknown_bases"]) == (3, 2102, 2)
    assert ended.err.splitlines()[1:3] == ["1 R read as N", "1 Y read as N"]
    assert ended.err.splitlines()[-1].startswith(f"wrote {tmp_path / 'g.h5'}: 3 contigs, 2,102 symbols, 2 unknown in ")


def test_without_json_stdout_is_empty_and_quiet_is_silent(run, fasta, tmp_path):
    assert run("ingest", fasta, "-o", tmp_path / "a.h5").out == ""
    assert run("ingest", fasta, "-o", tmp_path / "b.h5", "-q") == (0, "", "")


def test_file_says_where_it_comes_from(run, fasta, tmp_path):
    run("ingest", fasta, "-o", tmp_path / "g.h5", "-q")
    with open_file(tmp_path / "g.h5", Kind.GENOME, verify=True) as file:
        assert json.loads(file.attrs["inputs"]) == {"fasta": hashlib.sha256(fasta.read_bytes()).hexdigest()}
        assert json.loads(file.attrs["records"]) == {"read": 3, "used": 3, "skipped": {}}
        assert json.loads(file.attrs["settings"]) == {"alphabet": "dna"}
        assert file.attrs["command"].startswith(f"genolstm ingest {fasta} -o ")


def test_plain_gzip_and_standard_input_give_the_same_genome(run, fasta, tmp_path, monkeypatch):
    (tmp_path / "g.fa.gz").write_bytes(gzip.compress(fasta.read_bytes()))
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(fasta.read_bytes())))
    found = set()
    for place, source in enumerate((fasta, tmp_path / "g.fa.gz", "-")):
        assert run("ingest", source, "-o", tmp_path / f"{place}.h5", "-q").code == 0
        found.add(open_genome(tmp_path / f"{place}.h5").sha256)
    assert len(found) == 1
    with open_file(tmp_path / "2.h5", Kind.GENOME) as file:
        assert json.loads(file.attrs["inputs"]) == {}  # a stream has passed: there is no file to hash


def test_two_runs_give_the_same_bytes_under_source_date_epoch(finished, fasta, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        ended = finished("ingest", fasta, "-o", "g.h5", "-q", cwd=tmp_path / name, SOURCE_DATE_EPOCH="1700000000")
        assert ended == (0, "", "")
    assert (tmp_path / "one" / "g.h5").read_bytes() == (tmp_path / "two" / "g.h5").read_bytes()


def test_force_replaces_an_output(run, fasta, tmp_path):
    (tmp_path / "g.h5").write_text("old")
    assert run("ingest", fasta, "-o", tmp_path / "g.h5", "-q", "-f").code == 0
    assert open_genome(tmp_path / "g.h5").names == ("I", "II", "III")


@pytest.mark.parametrize(
    ("text", "options", "sentence"),
    [
        ("", [], "{source} holds no records: "),
        ("ACGT\n", [], "{source} holds text before the first line that begins with '>'"),
        (">I\n", [], "{source}: record 'I' (line 1) has no sequence: "),
        (">I\nACGT\n>I\nACGT\n", [], "{source}: record 'I' (line 3) has the name of the record on line 1: "),
        (">I\nAC!T\n", [], "{source}: record 'I' holds '!' at position 3 (line 2), "),
        (">I\nMKVLE\n", [], "{source}: record 'I' holds 'L' at position 4 (line 2), so the file looks like protein: "),
        (
            ">I\n" + "ACGT" * 20,
            ["--alphabet", "protein"],
            "{source} holds only the letters ACGTUN, so it looks like DNA",
        ),
    ],
)
def test_bad_fasta_is_one_sentence_and_no_output(run, tmp_path, text, options, sentence):
    source = tmp_path / "bad.fa"
    source.write_text(text)
    ended = run("ingest", source, "-o", tmp_path / "g.h5", "-q", *options)
    assert (ended.code, ended.out, len(ended.err.splitlines())) == (3, "", 1)
    assert ended.err.startswith("genolstm: " + sentence.format(source=source))
    assert [each.name for each in tmp_path.iterdir()] == ["bad.fa"]


def test_truncated_gzip_is_one_sentence_and_no_output(run, fasta, tmp_path):
    source = tmp_path / "g.fa.gz"
    source.write_bytes(gzip.compress(fasta.read_bytes())[:-20])
    ended = run("ingest", source, "-o", tmp_path / "g.h5", "-q")
    assert ended == (
        3,
        "",
        f"genolstm: {source} is cut short (its gzip data have no end); copy or download it again.\n",
    )
    assert [each.name for each in tmp_path.iterdir()] == ["g.fa.gz"]


@pytest.mark.parametrize("name", ["[red].fa", "a b.fa", "%s.fa", "{0}.fa", "β.fa", "-n.fa"])
def test_odd_file_names_are_only_names(run, fasta, tmp_path, name):
    source = tmp_path / name
    source.write_bytes(fasta.read_bytes())
    ended = run("ingest", source, "-o", f"{source}.h5", "--json")
    assert json.loads(ended.out)["output"] == f"{source}.h5"
    assert f"wrote {source}.h5: " in ended.err


def test_file_name_that_is_no_text_is_accepted(finished, fasta, tmp_path):
    source = tmp_path / os.fsdecode(b"od\xffd.fa")
    source.write_bytes(fasta.read_bytes())
    assert finished("ingest", source, "-o", tmp_path / os.fsdecode(b"g\xff.h5"), "-q") == (0, "", "")


def test_decoded_output_is_the_input(run, fasta, tmp_path):
    run("ingest", fasta, "-o", tmp_path / "g.h5", "-q")
    genome = open_genome(tmp_path / "g.h5")
    lines = fasta.read_text().upper().replace("R", "N").replace("Y", "N").splitlines()
    assert decode(genome.all_codes, genome.alphabet) == "".join(lines[1::2])


def test_full_disk_is_one_sentence_and_no_file(tiny_disk, finished, tmp_path):
    source = tmp_path / "big.fa"
    source.write_text(">I\n" + "ACGTACGTAC" * 60_000)
    output = tiny_disk / "g.h5"
    sentence = f"genolstm: the disk is full: {output} was not written; free space or write elsewhere.\n"
    assert finished("ingest", source, "-o", output, "-q") == (3, "", sentence)
    assert list(tiny_disk.iterdir()) == []


@pytest.mark.parametrize(("letters", "warned"), [("ACGTNNACGT", True), ("acgtx", True), ("MKACGT", False)])
def test_dna_that_is_called_protein_is_warned_of(run, tmp_path, letters, warned):
    source = tmp_path / "p.fa"
    source.write_text(f">p\n{letters}\n")
    ended = run("ingest", source, "-o", tmp_path / "p.h5", "--alphabet", "protein", "-q")
    assert ended.code == 0
    assert ("if this is DNA, ingest it without --alphabet protein" in ended.err) == warned

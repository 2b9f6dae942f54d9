"""`genolstm show` and `genolstm schema`: what a file holds, and what it must hold."""

import json
import re

import pytest

from genolstm.store.schema import ROOT_ATTRIBUTES, SCHEMA, SCHEMA_VERSION, Kind


def test_genome_is_shown_with_its_contigs(run, genome_file):
    ended = run("show", genome_file)
    assert (ended.code, ended.err) == (0, "")
    for line in (
        f"file: {genome_file}",
        "kind: genome",
        "contigs",
        "  I: 1,202",
        "  codes: 2102 uint8",
        "alphabet: dna",
    ):
        assert line in ended.out.splitlines()


def test_model_is_shown_with_bits_beside_markov(run, model_file):
    lines = run("show", model_file).out.splitlines()
    assert "kind: checkpoint" in lines
    (test,) = [line for line in lines if line.startswith("  test: ")]
    assert all(word in test for word in ("uniform 2.0000", "best Markov (order ", "interpolated Markov "))
    assert "  hidden: 8" in lines


@pytest.mark.parametrize("kind", ["genome", "model"])
def test_json_is_one_object_with_the_same_entries(run, genome_file, model_file, kind):
    path = genome_file if kind == "genome" else model_file
    told = json.loads(run("show", path, "--json", "--verify").out, parse_constant=pytest.fail)
    assert told["file"] == str(path)
    assert told["content"] == "agrees with its SHA-256"
    assert told["settings"]
    assert "codes" in told["datasets"] if kind == "genome" else told["model"]["hidden"] == 8
    assert {"kind", "schema_version", "genolstm_version", "created", "command", "seed", "device"} <= told.keys()


def test_verify_notices_a_flipped_byte_of_a_genome(run, genome_file, tmp_path):
    from genolstm.store.genome import open_genome

    path = tmp_path / "g.h5"
    content = bytearray(genome_file.read_bytes())
    content[content.index(bytes(open_genome(genome_file).all_codes[1000:1100])) + 50] ^= 1
    path.write_bytes(content)
    told = run("show", path, "--verify")
    assert (told.code, told.out) == (3, "")
    assert told.err.startswith(f"genolstm: {path} is damaged: of its bytes 0 to ")
    assert run("show", genome_file, "--verify").code == 0


def test_file_that_is_not_ours_is_told(run, fasta):
    assert run("show", fasta) == (
        3,
        "",
        f"genolstm: {fasta} is a FASTA file, where a file that genolstm made is needed: run 'genolstm ingest {fasta} -o"
        " genome.h5' and give genome.h5.\n",
    )


def test_schema_prints_every_row_of_every_kind(run):
    told = run("schema").out
    for kind in Kind:
        for row in SCHEMA[kind]:
            assert f"  {row.path}\t{' x '.join(row.dims)}\t{row.dtype}\t{row.meaning}" in told
    for name, meaning in ROOT_ATTRIBUTES.items():
        assert f"  {name}\t{meaning}\n" in told


@pytest.mark.parametrize("kind", Kind)
def test_schema_of_one_kind_prints_that_alone(run, kind):
    told = run("schema", kind).out
    assert told.startswith(f"{kind} (schema version {SCHEMA_VERSION[kind]})\n")
    assert sum("(schema version" in line for line in told.splitlines()) == 1


def test_schema_of_nonsense_names_the_kinds(run):
    assert run("schema", "nonsense") == (
        2,
        "",
        f"genolstm: there is no kind of file 'nonsense'; there are {', '.join(Kind)}.\n",
    )


def test_verdict_and_size_of_the_effect_come_first(run, results):
    told = run("show", results["probe"]).out.splitlines()
    leading = {line.split(":")[0]: line for line in told[: told.index(f"file: {results['probe']}")]}
    assert leading["donor"] == (
        "donor: gain; +0.123 [+0.057, +0.200] AUPRC of the trained states against the strongest control (untrained_1):"
        " 0.800 against 0.700"
    )
    assert leading["acceptor"].startswith("acceptor: no gain; +0.010 [-0.050, +0.070] AUPRC")
    model = run("show", results["model"]).out.splitlines()[0]
    assert re.fullmatch(r"test: \d\.\d{4} bits/base, \d\.\d{4} (above|below) the best line \(.*, \d\.\d{4}\)", model)
    (study,) = json.loads(run("show", results["study"], "--json").out)["found"]
    assert study == "made-up: Half of it."
    prediction = run("show", results["prediction"]).out.splitlines()[0]
    assert re.match(r"donor: AUPRC \d\.\d{3}.* on held-out contigs, \d+ true of \d+ candidates", prediction)
    for kind in ("genome", "track"):
        assert run("show", results[kind]).out.startswith("file: ")


def test_long_tables_fold_and_all_shows_them(run, results):
    short, whole = (run("show", results["probe"], *more).out.splitlines() for more in ((), ("--all",)))
    folded = [int(found[1]) for line in short if (found := re.search(r"and (\d+) more, with --all", line))]
    assert folded
    assert len(whole) == len(short) + sum(folded) - len(folded)
    assert not [line for line in whole if "--all" in line]

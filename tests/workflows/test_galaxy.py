"""Galaxy's wrappers call the program as it is, and planemo finds nothing wrong with them."""

import os
import re
import shutil
import subprocess
from xml.etree import ElementTree

import pytest
import typer.main

import genolstm
from genolstm.cli.app import app
from genolstm.shipped import shipped_models

TOOLS = ("predict", "variants")


@pytest.fixture(scope="module")
def galaxy(workflows):
    return workflows / "galaxy"


@pytest.fixture(scope="module")
def tokens(galaxy):
    macros = ElementTree.parse(galaxy / "macros.xml").getroot()
    return {each.get("name"): each.text for each in macros.findall("token")}


@pytest.mark.parametrize("name", TOOLS)
def test_wrapper_names_options_that_the_program_has(galaxy, name):
    command = typer.main.get_command(app).commands[name]
    has = {flag for each in command.params for flag in each.opts}
    called = ElementTree.parse(galaxy / f"{name}.xml").getroot().find("command").text.split(f"genolstm {name}")[1]
    flags = set(re.findall(r"--[a-z][\w-]*", called))
    assert len(flags) > 3
    assert flags <= has


def test_wrappers_are_of_this_version_and_offer_the_bundled_models(galaxy, tokens):
    macros = ElementTree.parse(galaxy / "macros.xml").getroot()
    assert tokens["@TOOL_VERSION@"] == genolstm.__version__
    offered = {each.get("value") for each in macros.iterfind(".//param[@name='name']/option")}
    assert offered == set(shipped_models())


@pytest.mark.slow
def test_variants_wrapper_gives_what_its_test_asserts(galaxy, ran, tmp_path):
    data = galaxy / "test-data"
    assert not ran("genolstm", "ingest", data / "genome.fa", "-o", tmp_path / "genome.h5").returncode
    ended = ran("genolstm", "variants", "pombe-256", tmp_path / "genome.h5", data / "variants.vcf", "-o",
                tmp_path / "out.vcf", "--window", "8", "--threads", "1", "--device", "cpu")  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    root = ElementTree.parse(galaxy / "variants.xml").getroot()
    wanted = [each.get("text") for each in root.iterfind(".//assert_contents/has_text")]
    assert wanted
    assert all(text in (tmp_path / "out.vcf").read_text() for text in wanted)


@pytest.mark.slow
def test_planemo_finds_nothing_wrong(galaxy, tmp_path):
    planemo = os.environ.get("GENOLSTM_PLANEMO") or shutil.which("planemo")
    if planemo is None:
        pytest.skip("no planemo here")
    linted = subprocess.run(
        [planemo, "lint", "--fail_level", "warn", *(f"{name}.xml" for name in TOOLS)], cwd=galaxy, check=False,
        capture_output=True, text=True, env={**os.environ, "HOME": str(tmp_path), "PYTHONWARNINGS": "default"},
    )  # fmt: skip
    assert linted.returncode == 0, linted.stdout
    assert linted.stdout.count("Linting tool") == len(TOOLS)

"""The manual: a page for every command, and every option of the program on it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import typer.main

from genolstm.cli.app import app
from genolstm.cli.manual import OPTIONS_MARK, manual_pages, marked_command

DOCS = Path(__file__).resolve().parents[2] / "docs"
NOT_PAGES = ("models list",)  # the same as 'models'


def commands():
    """Words of every command that is not a group."""
    for name, command in typer.main.get_command(app).commands.items():
        inner = getattr(command, "commands", None)
        yield from ([f"{name} {each}" for each in inner] if inner else [name])


def page_of():
    """Command -> page that has its options."""
    return {
        " ".join(marked_command(line)): page
        for page in manual_pages().values()
        for line in page.read_text().splitlines()
        if line.startswith(OPTIONS_MARK)
    }


def test_every_command_is_on_a_page_and_no_other():
    assert set(page_of()) == set(commands()) - {*NOT_PAGES, "manual"}


@pytest.mark.parametrize("command", sorted(set(commands()) - {*NOT_PAGES, "manual"}))
def test_manual_prints_every_option(run, command):
    page = page_of()[command].stem.replace("-", " ")
    told = run("manual", *page.split())
    assert told.code == 0
    flags = re.findall(r"^  ((?:-\w, )?--[\w-]+)", run(*command.split(), "--help").out, flags=re.MULTILINE)
    assert flags
    assert not [flag for flag in flags if flag not in told.out and flag != "-h, --help"]


def test_manual_lists_its_pages_and_refuses_others(run):
    assert "probe splice" in run("manual").out
    refused = run("manual", "nonsense")
    assert refused.code == 2
    assert "no page 'nonsense'" in refused.err


def test_every_page_is_in_the_navigation():
    named = set(re.findall(r"[\w/-]+\.(?:md|ipynb)", (DOCS / "mkdocs.yml").read_text()))
    there = {
        page.relative_to(DOCS / "pages").as_posix()
        for page in (DOCS / "pages").rglob("*")
        if page.suffix in (".md", ".ipynb")
    }
    assert named == there


def test_refresh_takes_lines_of_the_same_shape():
    import importlib.util

    spec = importlib.util.spec_from_file_location("refresh", DOCS / "refresh.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = (
        "```console\n$ genolstm score m.h5 g.h5\n...\nwrote s.h5: 1.8 bits in 3 s\n```\nwrote s.h5: 1.8 bits in 3 s\n"
    )
    steps = {"score": ["other words", "wrote s.h5: 1.75 bits in 12 s"]}
    assert module.refreshed(page, steps, "page") == page.replace("1.8 bits in 3 s", "1.75 bits in 12 s", 1)


@pytest.fixture
def hooks():
    """The hooks of the documentation's build."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("hooks", DOCS / "hooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_documentation_brings_a_man_page_of_every_command(hooks, run, tmp_path):
    hooks.on_post_build({"site_dir": str(tmp_path)})
    pages = {page.name: page.read_text() for page in (tmp_path / "man" / "man1").iterdir()}
    assert pages.keys() >= {"genolstm.1", *(f"genolstm-{each.replace(' ', '-')}.1" for each in commands())}
    flags = re.findall(r"(--[\w-]+)", run("probe", "splice", "--help").out.split("Options:")[1])
    plain = pages["genolstm-probe-splice.1"].replace("\\-", "-")
    assert flags
    assert not [flag for flag in flags if flag not in plain]
    assert "genolstm\\-probe\\-splice(1)" in pages["genolstm-probe.1"]


@pytest.mark.slow
def test_man_finds_nothing_wrong_with_the_pages(hooks, tmp_path):
    if shutil.which("man") is None:
        pytest.skip("no man here to read the pages with")
    hooks.on_post_build({"site_dir": str(tmp_path)})
    for page in sorted((tmp_path / "man" / "man1").iterdir()):
        read = subprocess.run(["man", "--warnings", "-l", page], capture_output=True, text=True, check=True)
        assert read.stderr == "", page.name
        assert "NAME" in read.stdout

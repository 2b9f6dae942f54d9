"""`genolstm report` as a user runs it."""

import json
import shutil
import subprocess
import sys

import h5py
import pytest


@pytest.fixture
def copied(results, tmp_path):
    """A copy of the study, to be spoilt."""
    path = tmp_path / "spoilt.h5"
    shutil.copy(results["study"], path)
    return path


def test_report_is_written_with_its_numbers_for_multiqc(run, results, tmp_path):
    out, folder = tmp_path / "r.html", tmp_path / "multiqc"
    ended = run(
        "report", results["study"], results["probe"], "-o", out, "--multiqc", folder, "--title", "Ours", "--json"
    )
    assert ended.code == 0
    told = json.loads(ended.out)
    assert told["results"] == ["probe.h5", "study.h5"]
    assert told["figures"] > 0
    assert "<title>Ours</title>" in out.read_text()
    assert sorted(path.name for path in folder.iterdir()) == [
        "genolstm_general_mqc.json", "genolstm_probe_mqc.json", "genolstm_study_mqc.json",
    ]  # fmt: skip
    assert sorted(told["multiqc"]) == sorted(map(str, folder.iterdir()))
    assert ended.err.splitlines()[-1].startswith(f"wrote {out}: 2 results, ")


def test_existing_files_are_kept_without_force(run, results, tmp_path):
    out, folder = tmp_path / "r.html", tmp_path / "multiqc"
    arguments = ("report", results["study"], "-o", out, "--multiqc", folder, "-q")
    assert run(*arguments).code == 0
    before = out.read_bytes()
    assert run(*arguments).code == 2
    out.unlink()
    ended = run(*arguments)
    assert ended.code == 2
    assert "genolstm_general_mqc.json exists" in ended.err
    assert not out.exists()
    assert run(*arguments, "-f").code == 0
    assert out.read_bytes() == before


def test_report_of_nothing_is_refused(run, tmp_path):
    ended = run("report", "-o", tmp_path / "r.html")
    assert ended.code == 2
    assert ended.err == (
        "genolstm: there is nothing to report: name result files, as in genolstm report model.h5 splice.h5.\n"
    )


def test_file_of_an_unknown_kind_or_newer_layout_is_refused(run, copied, tmp_path):
    with h5py.File(copied, "a") as file:
        file.attrs["schema_version"] = 99
    ended = run("report", copied, "-o", tmp_path / "r.html", "-q")
    assert ended.code == 3
    assert "follows version 99 of the study layout" in ended.err
    with h5py.File(copied, "a") as file:
        file.attrs["kind"] = "dream"
    ended = run("report", copied, "-o", tmp_path / "r.html", "-q")
    assert ended.code == 3
    assert "is of the kind 'dream'" in ended.err
    assert not (tmp_path / "r.html").exists()


def test_truncated_foreign_and_missing_files_are_refused(run, copied, tmp_path):
    copied.write_bytes(copied.read_bytes()[:2000])
    text = tmp_path / "t.h5"
    text.write_text("no")
    for path, said in (
        (copied, "cut short or damaged"),
        (text, "is not an HDF5 file"),
        (tmp_path / "x.h5", "does not exist"),
    ):
        ended = run("report", path, "-o", tmp_path / "r.html", "-q")
        assert ended.code == 3
        assert said in ended.err
        assert len(ended.err.splitlines()) == 1
        assert not (tmp_path / "r.html").exists()


def test_multiqc_folder_that_is_a_file_is_refused(run, results, tmp_path):
    (tmp_path / "m").write_text("")
    ended = run("report", results["study"], "-o", tmp_path / "r.html", "--multiqc", tmp_path / "m", "-q")
    assert ended.code == 2
    assert "is a file; name a folder" in ended.err


def test_help_loads_neither_torch_nor_matplotlib():

    code = (
        "import sys; sys.argv = ['genolstm', 'report', '--help']\n"
        "from genolstm.cli.app import app\n"
        "try: app()\n"
        "except SystemExit: pass\n"
        "assert not {'torch', 'matplotlib', 'h5py', 'jinja2', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)

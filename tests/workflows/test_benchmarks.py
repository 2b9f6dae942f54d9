"""The scripts that remake the tables of speeds, on the CPU and small."""

import csv
import importlib
import logging
import sys

import pytest


@pytest.fixture
def script(workflows, monkeypatch):
    """Function: name of a script, its arguments -> the exit code of its main function."""
    monkeypatch.syspath_prepend(workflows / "benchmarks")
    ours = logging.getLogger("genolstm.benchmarks")
    monkeypatch.setattr(ours, "handlers", [])
    return lambda name, *words: importlib.import_module(name).main([str(word) for word in words])


def rows_in(path):
    with path.open() as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def test_speeds_become_a_table_and_a_picture(script, tmp_path):
    sizes = "--hidden 8 --lanes 4 --chunk 16"
    assert script("speed", "-o", tmp_path / "speed", "--only", "train", "score", "--rounds", "1", "--sizes", sizes) == 0
    rows = rows_in(tmp_path / "speed" / "speed.tsv")
    assert [row["part"] for row in rows] == ["train", "train", *["score", "score"] * 3]
    assert all(float(row["ratio"]) > 0 for row in rows)
    assert rows[0]["command"].startswith("genolstm bench train --hidden 256 --lanes 64 --chunk 128 --hidden 8")
    header, rule, *lines = (tmp_path / "speed" / "speed.md").read_text().splitlines()
    assert header.count("|") == rule.count("|") == 8
    assert len(lines) == len(rows)
    assert all(line.count("|") == 8 and "1x8, 4 lanes x 16" in line for line in lines)
    assert (tmp_path / "speed" / "speed.png").read_bytes().startswith(b"\x89PNG")
    assert "</svg>" in (tmp_path / "speed" / "speed.svg").read_text()


def test_what_does_not_run_is_a_line_of_the_table(script, tmp_path):
    sizes = "--lanes 1000000000"
    assert script("speed", "-o", tmp_path, "--only", "train", "--rounds", "1", "--sizes", sizes) == 0
    assert "needs at least" in rows_in(tmp_path / "speed.tsv")[0]["not_run"]
    assert "Not run: train: lstm 1x256, 1000000000 lanes x 128 needs at least" in (tmp_path / "speed.md").read_text()
    assert not (tmp_path / "speed.png").exists()


SMALL = ("--train-chunk", "8", "--score-chunk", "8", "--rounds", "1", "-t", "1", "--lanes", "4")


@pytest.mark.usefixtures("bf16")
def test_gpu_script_measures_each_case_and_says_what_it_left_out(script, tmp_path):
    out = tmp_path / "gpu.tsv"
    formats = ("--shapes", "1x8", "2x8", "--precisions", "fp32", "bf16", "fp16")
    assert script("gpu", "-o", out, "--device", "cpu", *SMALL, *formats, "--long", "100") == 0
    rows = rows_in(out)
    cases = [(row["part"], row["shape"][:3], row["precision"]) for row in rows]
    assert cases[:3] == [("train", "1x8", "fp32"), ("train", "1x8", "bf16"), ("train", "1x8", "fp16")]
    assert rows[2]["not_run"] == "--precision fp16 needs a CUDA device, not cpu; use --precision bf16 or fp32."
    assert [part for part, *_ in cases].count("score") == 2 * (2 + 2 + 1)
    assert cases[-1][0] == "score, long"
    measured = [row for row in rows if not row["not_run"]]
    assert all(float(row["rate"]) > 0 and float(row["hours"]) > 0 and row["lanes"] == "4" for row in measured)
    assert all("=" in row["peak_shares"] for row in measured)


def test_gpu_script_rehearsed_on_the_pretended_gpu(script, gpu, genome_of, drawn_codes, monkeypatch, tmp_path):
    from genolstm.bench import bounds, made

    monkeypatch.setattr(made, "RANDOM_GENOME", 20_000)
    monkeypatch.setattr(bounds, "LARGE_GPU", 64)
    genome, out = genome_of({"a": drawn_codes(1, 300)}), tmp_path / "gpu.tsv"
    words = ("--scored", genome.path, "--models", "pombe-256", "--shapes", "1x8", *SMALL, "--long", "0")
    assert script("gpu", "-o", out, *words) == 0
    rows = rows_in(out)
    assert not [row["not_run"] for row in rows if row["not_run"]]
    scored, timed = rows[:3], rows[3:]
    assert [row["precision"] for row in scored] == ["fp32", "tf32", "fp16"]
    assert {row["in_sequence"] for row in scored} == {"0"}
    bits = [float(row["bits_per_base"]) for row in scored]
    assert bits == pytest.approx([bits[0]] * 3, abs=0.01)
    assert {(row["part"], row["precision"]) for row in timed} == {
        (part, each) for part in ("train", "score") for each in ("fp32", "tf32", "fp16")
    }
    assert {row["device"] for row in rows} == {"cuda (pretended)"}
    assert gpu.formats.keys() >= {"tf32"}


def test_gpu_script_starts_nothing_when_its_time_is_up(script, tmp_path):
    out = tmp_path / "gpu.tsv"
    assert script("gpu", "-o", out, "--device", "cpu", "--minutes", "0", "--lanes", "4", "--long", "0") == 0
    rows = rows_in(out)
    assert {row["not_run"] for row in rows} == {"no time was left"}
    assert len(rows) == 3 * 2 * 3  # shapes, train and score, formats


def test_gpu_script_without_a_gpu_says_so_and_writes_nothing(ran, workflows, environment, monkeypatch, tmp_path):
    monkeypatch.setitem(environment, "CUDA_VISIBLE_DEVICES", "")
    done = ran(sys.executable, workflows / "benchmarks" / "gpu.py", "-o", tmp_path / "gpu.tsv")
    assert done.returncode == 3
    assert done.stderr == (
        "gpu.py: torch sees no CUDA device here; run this on a machine with one, or try it with --device cpu.\n"
    )
    assert not (tmp_path / "gpu.tsv").exists()


@pytest.mark.slow
def test_growth_script_measures_each_command_on_each_genome(script, tmp_path):
    out = tmp_path / "growth.tsv"
    small = ("--bases", "20k", "--times", "1", "--contigs", "40", "--hidden", "4", "--only", "gates")
    assert script("growth", "-o", out, *small) == 0
    rows = rows_in(out)
    assert [(row["command"], row["contigs"]) for row in rows] == [
        (name, contigs) for contigs in ("4", "40") for name in ("ingest", "train", "gates")
    ]
    assert all(row["exit"] == "0" and float(row["cpu_seconds"]) > 0 and float(row["peak_mb"]) > 10 for row in rows)

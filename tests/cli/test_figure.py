"""``--figure``: pictures beside a result, refused before any work where they could not be written."""

import subprocess
import sys

import pytest

SMALL = ("--hidden", "4", "--lanes", "2", "--chunk", "8", "--bases", "100", "-t", "1", "--device", "cpu")


@pytest.fixture
def commands(results, tmp_path):
    """Name -> arguments of every command that makes a result, less its output."""
    sites = tmp_path / "sites.bed"
    sites.write_text("I\t10\t20\ta\t0\t+\nI\t30\t40\tb\t0\t-\nIII\t30\t40\tb\t0\t-\n")
    fragments = tmp_path / "fragments.tsv"
    fragments.write_text("I\t5\t60\tcell\t1\n")
    bed = tmp_path / "calls.bed"
    bed.write_text("".join(f"I\t{at}\t{at + 1}\tm\t10\t+\t{at}\t{at + 1}\t0\t10\t50\n" for at in (3, 9)))
    read = (results["model"], results["genome"])
    return {
        "train": ("train", results["genome"], *SMALL),
        "score": ("score", *read, "-t", "1", "--device", "cpu"),
        "gates": ("gates", *read, "--every", "50", "-t", "1", "--device", "cpu"),
        "embed": ("embed", *read, "--sites", sites, "-t", "1", "--device", "cpu"),
        "track": ("track", fragments, "--genome", results["genome"]),
        "fit": ("methylation", "fit", results["counts"], "--times", "0,1,4,16", "--time-offset", "0.5", "-t", "1"),
        "count": ("methylation", "count", bed),
    }


@pytest.mark.parametrize("name", ["train", "score", "gates", "embed", "track", "fit", "count"])
def test_a_command_draws_its_result(run, commands, tmp_path, name):
    ended = run(*commands[name], "-o", tmp_path / "r.h5", "--figure", tmp_path / "r.svg")
    assert ended.code == 0, ended.err
    assert (tmp_path / "r.svg").read_text().rstrip().endswith("</svg>")
    further = sorted(path.name for path in tmp_path.glob("r-*.svg"))
    assert bool(further) == (name not in {"embed", "count"})


@pytest.mark.parametrize("name", ["train", "score", "gates", "embed", "track", "fit", "count"])
def test_a_bad_name_of_a_figure_is_refused_before_the_work(run, commands, tmp_path, name):
    ended = run(*commands[name], "-o", tmp_path / "r.h5", "--figure", tmp_path / "r.gif")
    assert ended.code == 2
    assert "r.gif must end in .svg, .png, .pdf" in ended.err
    (tmp_path / "r.svg").touch()
    ended = run(*commands[name], "-o", tmp_path / "r.h5", "--figure", tmp_path / "r.svg")
    assert ended.code == 2
    assert "r.svg exists; add --force to replace it" in ended.err
    assert not (tmp_path / "r.h5").exists()


PROBES = {
    "splice": ("--genome", "genome", "--annotation", "genome"),
    "accessibility": ("--genome", "genome", "--track", "track"),
}


@pytest.mark.parametrize("task", PROBES)
def test_a_probe_refuses_a_bad_figure_before_the_work(run, results, tmp_path, task):
    given = [results.get(each, each) for each in PROBES[task]]
    ended = run("probe", task, results["model"], *given, "-o", tmp_path / "r.h5", "--figure", tmp_path / "r.gif")
    assert ended.code == 2
    assert "must end in .svg" in ended.err


def test_a_further_picture_is_not_overwritten_unasked(run, commands, tmp_path):
    (tmp_path / "r-markov.svg").write_text("mine")
    ended = run(*commands["train"], "-o", tmp_path / "r.h5", "--figure", tmp_path / "r.svg")
    assert ended.code == 2
    assert "r-markov.svg exists, where a further picture of --figure" in ended.err
    assert (tmp_path / "r-markov.svg").read_text() == "mine"
    assert not (tmp_path / "r.h5").exists()


def test_force_replaces_a_figure(run, commands, tmp_path):
    (tmp_path / "r.pdf").touch()
    ended = run(*commands["count"], "-o", tmp_path / "r.h5", "--figure", tmp_path / "r.pdf", "--force")
    assert ended.code == 0, ended.err
    assert (tmp_path / "r.pdf").read_bytes().startswith(b"%PDF")


def test_a_result_without_pictures_says_so_and_goes_on(results, tmp_path, caplog):
    from genolstm.cli.figures import draw

    draw(results["genome"], tmp_path / "g.svg")
    assert "holds nothing to draw" in caplog.text
    assert not (tmp_path / "g.svg").exists()


def test_a_name_of_a_picture_stays_in_its_folder(tmp_path):
    from genolstm.cli.figures import beside

    assert beside(tmp_path / "r.svg", "../a b$").parent == tmp_path
    assert beside(tmp_path / "r.svg", "donor-curves").name == "r-donor-curves.svg"


def test_matplotlib_is_loaded_only_for_a_figure(results, tmp_path):
    program = (
        "import sys; from genolstm.cli.app import app\n"
        "app({arguments!r}, standalone_mode=False)\n"
        "print('matplotlib' in sys.modules)"
    )
    track = ["track", str(tmp_path / "f.tsv"), "--genome", str(results["genome"]), "-q", "-o", str(tmp_path / "t.h5")]
    (tmp_path / "f.tsv").write_text("I\t5\t60\tcell\t1\n")
    for arguments, expected in (
        (track, "False"),
        ([*track, "--figure", str(tmp_path / "t.svg"), "-f"], "True"),
    ):
        code = program.format(arguments=arguments)
        told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert told.stdout.splitlines()[-1] == expected

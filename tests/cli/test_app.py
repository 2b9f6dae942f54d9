"""Help, exit codes, and what stands on stdout and stderr."""

import errno
import json
import os
import subprocess
import sys
import time

import pytest

from genolstm import __version__
from genolstm.cli import app as app_module
from genolstm.cli.app import app, main
from genolstm.errors import GenolstmError, InputError, UsageError

HEAVY = ("torch", "sklearn", "h5py", "numpy", "scipy", "Bio", "pysam", "rich.progress")


def commands():
    """Every command line that names a command: ('train',), ('probe', 'splice') ..."""

    def walk(group, before):
        for command in group.registered_commands:
            yield (*before, command.name or command.callback.__name__)
        for inner in group.registered_groups:
            yield (*before, inner.name)
            yield from walk(inner.typer_instance, (*before, inner.name))

    return list(walk(app, ()))


@pytest.fixture
def planted(monkeypatch):
    """Function: makes the program do one thing alone."""

    def plant(action):
        monkeypatch.setattr(app_module, "app", action)
        monkeypatch.setattr(sys, "argv", ["genolstm"])

    return plant


def raising(problem):
    def action():
        raise problem

    return action


def test_help_imports_nothing_heavy():
    code = (
        "import sys; sys.argv = ['genolstm', '--help']\n"
        "from genolstm.cli.app import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.splitlines()[-1] == "[]"


def test_help_is_quick(finished):
    def best(action):
        times = []
        for _ in range(5):
            began = time.perf_counter()
            action()
            times.append(time.perf_counter() - began)
        return min(times)

    bare = best(lambda: subprocess.run([sys.executable, "-c", "import json, pathlib, logging"], check=True))
    helped = best(lambda: finished("--help"))
    assert helped < max(0.4, 12 * bare)


@pytest.mark.parametrize("flag", ["--help", "-h"])
@pytest.mark.parametrize("command", [(), *commands()], ids=" ".join)
def test_every_command_has_help(run, command, flag):
    ended = run(*command, flag)
    assert ended.code == 0
    assert "Usage: " in ended.out
    assert ended.err == ""


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_command_shows_an_example(run, command):
    if command in {("probe",), ("methylation",)}:
        pytest.skip("a group of commands")
    assert "Example: genolstm " in run(*command, "--help").out


def test_version(run):
    ended = run("--version")
    assert ended == (0, f"genolstm {__version__}\n", "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("--nonsense",),
        ("ingest",),
        ("ingest", "a.fa"),
        ("ingest", "a.fa", "-o", "b.h5", "--nonsense"),
        ("ingest", "a.fa", "-o", "b.h5", "--alphabet", "rna"),
        ("train", "g.h5", "-o", "m.h5", "--lanes", "0"),
        ("train", "g.h5", "-o", "m.h5", "--seed", "-1"),
        ("train", "g.h5", "-o", "m.h5", "--cell", "transformer"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_exit_2(run, arguments):
    ended = run(*arguments)
    assert ended.code == 2
    assert ended.out == ""
    assert "Error" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("problem", "code"),
    [(InputError("a.fa is bad; mend it."), 3), (UsageError("no such device."), 2), (GenolstmError("off."), 1)],
)
def test_told_failure_is_one_line_and_its_exit_code(planted, capsys, problem, code):
    planted(raising(problem))
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == code
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == f"genolstm: {problem}\n"


def test_notes_and_line_ends_stay_on_the_one_line(planted, capsys):
    problem = InputError("file 'a\nb' is bad.")
    problem.add_note("It is contig 3.")
    planted(raising(problem))
    with pytest.raises(SystemExit, match="3"):
        main()
    assert capsys.readouterr().err == "genolstm: file 'a\\nb' is bad. It is contig 3.\n"


@pytest.mark.parametrize("problem", [ZeroDivisionError("ours"), OSError(errno.EBADF, "ours"), ValueError("ours")])
def test_our_own_bug_passes_as_it_is(planted, problem):
    planted(raising(problem))
    with pytest.raises(type(problem), match="ours"):
        main()


def test_our_own_bug_shows_a_traceback_and_exit_1():
    code = (
        "import sys; sys.argv = ['genolstm', 'schema']\n"
        "from genolstm.cli import app\n"
        "import genolstm.store.schema as schema\n"
        "schema.SCHEMA = None\n"
        "app.main()"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "Traceback (most recent call last)" in ended.stderr
    assert "'NoneType' object is not subscriptable" in ended.stderr


def test_closed_pipe_ends_quietly(program):
    with program("schema") as process:
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(60) == 141


def test_head_of_schema_gives_no_traceback():
    line = f"{sys.executable} -c 'from genolstm.cli.app import main; main()' schema | head -1"
    ended = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    assert ended.stdout == "genome (schema version 2)\n"
    assert ended.stderr == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="/dev/full is Linux's")  # noqa: PTH110
def test_full_stdout_is_told_in_one_sentence():
    line = f"{sys.executable} -c 'from genolstm.cli.app import main; main()' schema > /dev/full"
    ended = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert ended.returncode == 3
    assert ended.stderr == (
        "genolstm: the disk is full: standard output was not written; free space or write elsewhere.\n"
    )


@pytest.mark.parametrize("command", ["ingest", "train"])
def test_existing_output_is_refused_without_force(run, command, fasta, genome_file, tmp_path):
    output = tmp_path / "out.h5"
    output.write_text("precious")
    ended = run(command, fasta if command == "ingest" else genome_file, "-o", output, "-q")
    assert ended == (2, "", f"genolstm: output {output} exists; add --force to replace it, or name another.\n")
    assert output.read_text() == "precious"


@pytest.mark.parametrize("command", ["ingest", "train"])
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (".", "output {path} is a folder; name a file."),
        ("gone/out.h5", "output folder {parent} does not exist; make it, or name another."),
        ("x" * 300, "output {path} cannot be written (File name too long); name another."),
    ],
)
def test_output_that_cannot_be_written_is_refused(run, command, name, sentence, fasta, genome_file, tmp_path):
    path = tmp_path / name
    ended = run(command, fasta if command == "ingest" else genome_file, "-o", path, "-q")
    assert ended == (2, "", f"genolstm: {sentence.format(path=path, parent=path.parent)}\n")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_without_write_permission_is_refused(run, fasta, tmp_path):
    tmp_path.chmod(0o500)
    ended = run("ingest", fasta, "-o", tmp_path / "out.h5", "-q")
    tmp_path.chmod(0o700)
    assert ended == (2, "", f"genolstm: output folder {tmp_path} cannot be written to; name another.\n")


@pytest.mark.parametrize("command", ["ingest", "train"])
def test_output_that_is_the_input_is_refused_even_by_force(run, command, fasta, genome_file, tmp_path):
    source = tmp_path / "source"
    source.write_bytes((fasta if command == "ingest" else genome_file).read_bytes())
    before = source.read_bytes()
    ended = run(command, source, "-o", source, "--force", "-q")
    assert ended == (2, "", f"genolstm: output {source} is also an input; name another.\n")
    assert source.read_bytes() == before


def test_device_file_is_not_replaced(run, fasta, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    ended = run("ingest", fasta, "-o", pipe, "--force", "-q")
    assert ended == (2, "", f"genolstm: output {pipe} is a device or a pipe; name a file.\n")
    assert pipe.is_fifo()


@pytest.mark.parametrize("command", ["ingest", "train", "show"])
def test_missing_input_is_exit_3(run, command, tmp_path):
    arguments = [] if command == "show" else ["-o", tmp_path / "out.h5", "-q"]
    ended = run(command, tmp_path / "gone", *arguments)
    assert ended.code == 3
    assert ended.out == ""
    assert ended.err.startswith(f"genolstm: {tmp_path / 'gone'} does not exist")
    assert len(ended.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_no_command_prints_more_than_its_json(run, fasta, genome_file, tmp_path):
    for command in (
        ("ingest", fasta, "-o", tmp_path / "g.h5"),
        ("show", genome_file),
        ("doctor", "-t", "1", "--device", "cpu"),
    ):
        assert isinstance(json.loads(run(*command, "--json").out), dict)


def test_closed_stdin_is_an_empty_one(tmp_path):
    code = "from genolstm.cli.app import main; main()"
    ran = subprocess.run(
        ["bash", "-c", f'exec "$0" -c "{code}" ingest - -o genome.h5 <&-', sys.executable],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 3
    assert ran.stderr.splitlines()[-1].startswith("genolstm: standard input holds no records")


def test_word_in_place_of_a_number_of_processes_is_one_sentence(run, monkeypatch, tmp_path):
    monkeypatch.setenv("WORLD_SIZE", "abc")
    ended = run("ingest", "a.fa", "-o", tmp_path / "b.h5")
    assert ended == (
        2, "", "genolstm: WORLD_SIZE is 'abc' in the environment, which is no whole number of at least 1; start with"
        " torchrun, or unset WORLD_SIZE.\n",
    )  # fmt: skip


@pytest.mark.parametrize("option", ["--lanes", "--chunk", "--hidden"])
def test_size_that_no_machine_holds_is_refused_before_anything_is_allocated(run, genome_file, tmp_path, option):
    ended = run("train", genome_file, "-o", tmp_path / "m.h5", option, 10**9, "--device", "cpu", "-t", 1, "-q")
    assert ended.code == 2
    assert " needs at least " in ended.err
    assert "it fits " in ended.err
    assert not list(tmp_path.iterdir())


def test_seed_that_no_file_can_hold_is_refused(run, genome_file, tmp_path):
    assert run("train", genome_file, "-o", tmp_path / "m.h5", "--seed", 10**30).code == 2

"""Outputs: whole or not at all, by one process at a time, and never over an input."""

import os
import subprocess
import sys

import pytest

from genolstm.errors import InputError, UsageError
from genolstm.outputs import (
    growing_file,
    hold,
    partial_path,
    present_path,
    publish,
    refuse_existing,
    release,
    same_file,
)

SECOND = """
import sys
from pathlib import Path
from genolstm.errors import InputError
from genolstm.outputs import growing_file
try:
    with growing_file(Path(sys.argv[1])) as growing:
        growing.write_text("second")
except InputError as problem:
    sys.exit(str(problem))
"""


def written(path, text="new"):
    """Write a text as every output is written."""
    with growing_file(path) as growing:
        growing.write_text(text)


def failing(growing):
    """Write half of a text and fail."""
    growing.write_text("half")
    raise KeyError("mine")


def test_output_has_its_name_only_when_complete_and_nothing_is_left(tmp_path):
    path = tmp_path / "out.txt"
    path.write_text("old")
    with growing_file(path) as growing:
        growing.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    with pytest.raises(KeyError), growing_file(path) as growing:
        failing(growing)
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("out.txt", "new")]


def test_second_process_that_writes_one_output_is_told_and_harms_nothing(tmp_path):
    path = tmp_path / "out.txt"
    with growing_file(path) as growing:
        growing.write_text("first")
        second = subprocess.run(
            [sys.executable, "-c", SECOND, str(path)], capture_output=True, text=True, timeout=60, check=False
        )
        assert (second.returncode, second.stderr) == (
            1,
            f"another process is writing {path}; wait for it, or name another output.\n",
        )
    assert path.read_text() == "first"


def test_link_at_the_target_is_replaced_and_what_it_points_to_stays(tmp_path):
    other, link = tmp_path / "other.txt", tmp_path / "link.txt"
    other.write_text("kept")
    link.symlink_to(other)
    with pytest.raises(UsageError, match=r"link\.txt exists; add --force"):
        refuse_existing(link, force=False)
    refuse_existing(link, force=True)
    written(link)
    assert (link.is_symlink(), link.read_text(), other.read_text()) == (False, "new", "kept")
    gone = tmp_path / "dangling.txt"
    gone.symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"dangling\.txt exists; add --force"):
        refuse_existing(gone, force=False)


@pytest.mark.parametrize("what", ["link", "pipe"])
def test_what_stands_where_an_output_would_grow_is_not_followed(tmp_path, what):
    path = tmp_path / "out.txt"
    if what == "pipe":
        os.mkfifo(partial_path(path))
    else:
        partial_path(path).symlink_to(tmp_path / "victim")
        (tmp_path / "victim").write_text("kept")
    with pytest.raises(InputError, match=r"out\.txt cannot be written: .*remove it, or name another output\.$"):
        written(path)
    assert not path.exists()
    assert what == "pipe" or (tmp_path / "victim").read_text() == "kept"


def test_pipe_and_device_are_no_outputs(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path / "null"):
        if path.name == "null":
            path.symlink_to("/dev/null")
        with pytest.raises(UsageError, match=r"is a device or a pipe; name a file\.$"):
            refuse_existing(path, force=True)


@pytest.mark.parametrize("name", ["x" * 255, "x" * 246, "\N{GREEK SMALL LETTER BETA}" * 127, os.fsdecode(b"od\xffd")])
def test_names_of_any_length_and_bytes_can_be_written(tmp_path, name):
    written(tmp_path / name)
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_files_are_one_by_what_they_are_and_by_name_where_they_are_not_yet(tmp_path):
    one = tmp_path / "a.h5"
    one.write_text("a")
    (tmp_path / "hard.h5").hardlink_to(one)
    (tmp_path / "soft.h5").symlink_to(one)
    (tmp_path / "folder").symlink_to(tmp_path)
    same = ["hard.h5", "soft.h5", "folder/a.h5", "../" + tmp_path.name + "/a.h5"]
    assert all(same_file(one, tmp_path / name) for name in same)
    assert same_file(tmp_path / "new.bw", tmp_path / "folder" / "new.bw")
    assert same_file(tmp_path / "new.bw", tmp_path / "NEW.bw"), "one file on some disks"
    assert not same_file(one, tmp_path / "b.h5")


def test_held_output_has_its_name_last_and_is_found_meanwhile(tmp_path):
    main = tmp_path / "main.h5"
    hold(main)
    try:
        written(main, "main")
        assert not main.exists()
        assert present_path(main).read_text() == "main"
    finally:
        release(main)
    assert main.read_text() == "main"
    assert present_path(main) == main
    release(main)  # once more changes nothing


def test_files_beside_an_output_that_a_killed_run_left_are_replaced(tmp_path):
    main, beside = tmp_path / "main.h5", tmp_path / "beside.bw"
    beside.write_text("somebody's")
    hold(main)
    with pytest.raises(UsageError, match="exists"):
        refuse_existing(beside, force=False)
    release(main)
    partial_path(main).write_text("what a killed run left")
    hold(main)
    refuse_existing(beside, force=False)
    release(main)
    with pytest.raises(UsageError, match="exists"):
        refuse_existing(beside, force=False)


def test_publishing_names_files_in_order(tmp_path):
    pairs = [(tmp_path / f"{name}.new", tmp_path / name) for name in "ab"]
    pairs[0][0].write_text("a")
    with pytest.raises(FileNotFoundError):
        publish(pairs)
    assert not (tmp_path / "a").exists(), "all must be on the disk before the first has its name"


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_is_no_output(tmp_path, force):
    with pytest.raises(UsageError, match="is a folder; name a file"):
        refuse_existing(tmp_path, force=force)

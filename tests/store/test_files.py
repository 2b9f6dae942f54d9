"""Writing whole or not at all, and reading nothing that is not whole."""

import datetime
import gzip
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

from genolstm import __version__
from genolstm.errors import InputError, UsageError
from genolstm.store.files import (
    Provenance,
    content_sha256,
    file_sha256,
    open_any,
    open_file,
    partial_path,
    refuse_existing,
    strings,
    write_file,
    write_strings,
)
from genolstm.store.schema import FORMAT, ROOT_ATTRIBUTES, Kind

# a writer in a process of its own, so that it can be killed, starved of disk, and met by another one
WRITER = """
import sys, time
import numpy as np
from pathlib import Path
from genolstm.errors import GenolstmError
from genolstm.store.files import Provenance, write_file, write_strings
path, seconds, big = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
try:
    with write_file(path, "genome", Provenance(command="w", settings={}, seed=1, inputs={}, device="cpu")) as file:
        file["codes"] = np.zeros(big, dtype=np.uint8)
        file.flush()
        print("growing", flush=True)
        time.sleep(seconds)
        for name in ("start", "length", "unknown"):
            file[f"contigs/{name}"] = np.array([big], dtype=np.int64)
        write_strings(file["contigs"], "name", ["I"])
        file["soft_mask/contig"] = np.zeros(0, dtype=np.int32)
        for name in ("start", "end"):
            file[f"soft_mask/{name}"] = np.zeros(0, dtype=np.int64)
        file["letters/count"] = np.zeros(0, dtype=np.int64)
        for name in ("letter", "read_as"):
            write_strings(file["letters"], name, [])
except GenolstmError as problem:
    print(problem, file=sys.stderr)
    sys.exit(problem.exit_code)
"""


def fill(file, codes=(0, 1, 2, 3), **extra):
    """Make an open file a true genome of one contig."""
    for name, value in extra.items():
        file[name] = value
    file["codes"] = np.array(codes, dtype=np.uint8)
    for name, value in (("start", 0), ("length", len(codes)), ("unknown", 0)):
        file[f"contigs/{name}"] = np.array([value], dtype=np.int64)
    write_strings(file["contigs"], "name", ["I"])
    file["soft_mask/contig"] = np.zeros(0, dtype=np.int32)
    for name in ("start", "end"):
        file[f"soft_mask/{name}"] = np.zeros(0, dtype=np.int64)
    file["letters/count"] = np.zeros(0, dtype=np.int64)
    for name in ("letter", "read_as"):
        write_strings(file.require_group("letters"), name, [])


def failing(file, failure=None):
    """Fill a file and then fail."""
    fill(file, codes=[3, 3])
    raise failure or InputError("bad")


@pytest.fixture
def path(tmp_path, provenance):
    """A small genome file, written as every file is."""
    path = tmp_path / "made.h5"
    with write_file(path, Kind.GENOME, provenance) as file:
        fill(file)
    return path


def starved(path, *, seconds=0.0, big=1000, **limits):
    """Run the writer in a process of its own to its end."""
    command = [sys.executable, "-c", WRITER, str(path), str(seconds), str(big)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **limits)


def message(path, kind=Kind.GENOME, **options):
    """What opening a file is refused with."""
    with pytest.raises(InputError) as refused, open_file(path, kind, **options):
        pass
    assert "\n" not in str(refused.value)
    return str(refused.value)


# ---- writing


def test_written_file_carries_every_root_attribute(path, provenance):
    with open_file(path, Kind.GENOME, verify=True) as file:
        assert set(ROOT_ATTRIBUTES) - {"records"} == set(file.attrs)  # records: only of commands that read some
        assert (file.attrs["format"], file.attrs["kind"]) == (FORMAT, "genome")
        assert file.attrs["genolstm_version"] == __version__
        assert file.attrs["command"] == provenance.command
        assert json.loads(file.attrs["settings"]) == provenance.settings
        assert datetime.datetime.fromisoformat(file.attrs["created"]).tzinfo is datetime.UTC
        assert strings(file["contigs/name"]) == ("I",)
    assert [each.name for each in path.parent.iterdir()] == ["made.h5"]


def test_killed_write_leaves_no_output_and_the_next_succeeds(tmp_path):
    path = tmp_path / "out.h5"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), "60", "100000"], stdout=subprocess.PIPE, text=True
    )
    with writer:
        assert writer.stdout.readline() == "growing\n"
        assert partial_path(path).stat().st_size >= 100_000
        writer.send_signal(signal.SIGKILL)
    assert not path.exists()
    assert starved(path).returncode == 0
    assert [each.name for each in tmp_path.iterdir()] == ["out.h5"]
    with open_file(path, Kind.GENOME, verify=True) as file:
        assert file["codes"].shape == (1000,)  # nothing of the longer file that was killed
        assert path.stat().st_size < 50_000


@pytest.mark.parametrize("failure", [ValueError("mine"), KeyboardInterrupt(), InputError("bad"), OSError("mine")])
def test_failing_write_leaves_neither_output_nor_partial(tmp_path, provenance, failure):
    path = tmp_path / "out.h5"
    with pytest.raises(type(failure)) as raised, write_file(path, Kind.GENOME, provenance) as file:
        failing(file, failure)
    assert raised.value is failure
    assert list(tmp_path.iterdir()) == []


def test_failing_write_leaves_the_old_output_untouched(path, provenance):
    before = path.read_bytes()
    with pytest.raises(InputError), write_file(path, Kind.GENOME, provenance) as file:
        failing(file)
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == ["made.h5"]


def test_old_output_stays_until_the_new_one_is_complete(path, provenance):
    before = path.read_bytes()
    with write_file(path, Kind.GENOME, provenance) as file:
        fill(file, codes=[3, 3])
        file.flush()
        assert path.read_bytes() == before
        assert partial_path(path).exists()
    with open_file(path, Kind.GENOME, verify=True) as file:
        assert file["codes"][()].tolist() == [3, 3]


def test_file_that_strays_from_its_table_is_never_written(tmp_path, provenance):
    path = tmp_path / "out.h5"
    strayed = pytest.raises(ValueError, match=r"^genome file strays from its table: extra is not in the layout$")
    with strayed, write_file(path, Kind.GENOME, provenance) as file:
        fill(file, extra=1)
    assert list(tmp_path.iterdir()) == []


def test_second_writer_of_one_output_stops_with_one_sentence(tmp_path, provenance):
    path = tmp_path / "out.h5"
    with write_file(path, Kind.GENOME, provenance) as file:
        fill(file)
        second = starved(path)
        assert (second.returncode, second.stdout) == (3, "")
        assert second.stderr == (f"another process is writing {path}; wait for it, or name another output.\n")
    with open_file(path, Kind.GENOME, verify=True) as file:  # the first one has not noticed
        assert file["codes"].shape == (4,)


def test_writer_that_waited_for_the_last_rename_does_not_lock_the_finished_file(path, provenance, monkeypatch):
    """Between opening the growing file and locking it, another process may rename it to its output."""
    import fcntl

    real, before = fcntl.flock, path.read_bytes()

    def flock(descriptor, how):
        monkeypatch.setattr(fcntl, "flock", real)
        partial_path(path).rename(path.with_name("renamed.h5"))
        real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    with write_file(path, Kind.GENOME, provenance) as file:
        fill(file, codes=[2])
        assert path.read_bytes() == before
        with pytest.raises(InputError, match="another process is writing"), write_file(path, Kind.GENOME, provenance):
            pass
    with open_file(path, Kind.GENOME, verify=True) as file:
        assert file["codes"][()].tolist() == [2]


@pytest.mark.parametrize("limit", [0, 100, 3000, 8000, 40_000, 300_000])
def test_file_size_limit_is_one_sentence_and_no_file(tmp_path, limit):
    """Whatever of the file the disk refuses: the first byte, the tables, the data, or only its last flush."""
    path = tmp_path / "out.h5"
    ended = starved(path, big=50_000, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    if limit == 300_000:
        assert ended.returncode == 0  # the limit is what stops the others
        return
    assert ended.returncode == 3
    remedy = "raise the limit or write elsewhere"
    assert ended.stderr == f"the disk or 'ulimit -f' allows no file this large: {path} was not written; {remedy}.\n"
    assert list(tmp_path.iterdir()) == []


def test_full_disk_is_one_sentence_and_no_file(tiny_disk):
    path = tiny_disk / "out.h5"
    ended = starved(path, big=5_000_000)
    assert ended.returncode == 3
    assert ended.stderr == f"the disk is full: {path} was not written; free space or write elsewhere.\n"
    assert list(tiny_disk.iterdir()) == []
    assert starved(path, big=1000).returncode == 0


def test_full_disk_leaves_the_old_output(tiny_disk):
    path = tiny_disk / "out.h5"
    assert starved(path, big=1000).returncode == 0
    before = path.read_bytes()
    assert starved(path, big=5_000_000).returncode == 3
    assert path.read_bytes() == before


def test_same_content_gives_the_same_bytes_under_source_date_epoch(tmp_path, provenance, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    for name in ("a.h5", "b.h5"):
        with write_file(tmp_path / name, Kind.GENOME, provenance) as file:
            fill(file)
            assert "created" not in file.attrs
        time.sleep(0.01)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    with open_any(tmp_path / "a.h5") as file:
        assert file.attrs["created"] == "2023-11-14T22:13:20+00:00"


def test_bad_source_date_epoch_stops_before_anything_is_written(tmp_path, provenance, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with (
        pytest.raises(
            UsageError, match=r"^SOURCE_DATE_EPOCH is 'yesterday', not seconds since 1970; correct or unset it\.$"
        ),
        write_file(tmp_path / "out.h5", Kind.GENOME, provenance),
    ):
        pytest.fail("the body was entered")
    assert list(tmp_path.iterdir()) == []


def test_command_with_bytes_that_are_no_text_is_kept_readable(tmp_path):
    command = "genolstm ingest " + os.fsdecode(b"od\xffd.fa")
    provenance = Provenance(command=command, settings={}, seed=1, inputs={}, device="cpu")
    with write_file(tmp_path / "out.h5", Kind.GENOME, provenance) as file:
        fill(file)
    with open_any(tmp_path / "out.h5", verify=True) as file:
        assert file.attrs["command"] == r"genolstm ingest od\udcffd.fa"


def test_new_file_has_the_permissions_that_the_user_asks_for(tmp_path, provenance):
    before = os.umask(0o027)
    try:
        with write_file(tmp_path / "out.h5", Kind.GENOME, provenance) as file:
            fill(file)
    finally:
        os.umask(before)
    assert (tmp_path / "out.h5").stat().st_mode & 0o777 == 0o640


# ---- refusing outputs


def test_outputs_that_can_be_written_pass(path, tmp_path):
    refuse_existing(tmp_path / "new.h5", force=False)
    refuse_existing(path, force=True)
    refuse_existing(path, force=True, inputs=[tmp_path / "gone", tmp_path / "made.h5.bak"])


def test_input_under_another_name_is_still_the_input(path, tmp_path):
    link = tmp_path / "link.h5"
    link.symlink_to(path)
    with pytest.raises(UsageError, match=r"link\.h5 is also an input; name another\.$"):
        refuse_existing(link, force=True, inputs=[path])


# ---- reading


def test_missing_folder_and_foreign_files_are_told_apart(tmp_path):
    assert message(tmp_path / "gone") == f"{tmp_path / 'gone'} does not exist; correct the path."
    assert message(tmp_path) == f"{tmp_path} is a folder; name a file."
    for name, content in (("empty", b""), ("text", b"I\nACGT\n"), ("short", b"\x89HDF")):
        other = tmp_path / name
        other.write_bytes(content)
        assert message(other) == f"{other} is not an HDF5 file; give a file that genolstm made."
    for content in (b">I\nACGT\n", gzip.compress(b"\xef\xbb\xbf>I\nACGT\n")):
        other.write_bytes(content)
        assert message(other) == (
            f"{other} is a FASTA file, where a file that genolstm made is needed: run 'genolstm ingest {other} -o"
            " genome.h5' and give genome.h5."
        )
    foreign = tmp_path / "foreign.h5"
    with h5py.File(foreign, "w") as file:
        file["x"] = 1
    assert message(foreign) == f"{foreign} is HDF5 but was not written by genolstm; give a file that genolstm made."


def changed(path, **attributes):
    with h5py.File(path, "r+") as file:
        for name, value in attributes.items():
            file.attrs[name] = value


def test_wrong_kind_names_both_and_the_command(path):
    assert message(path, Kind.CHECKPOINT) == (
        f"{path} is a genome file where a checkpoint file is needed; make one with 'genolstm train'."
    )
    assert message(path, Kind.PROBE).endswith("make one with 'genolstm probe'.")


def test_unknown_kind_and_newer_version_ask_for_an_upgrade(path):
    changed(path, schema_version=3)
    assert message(path) == (
        f"{path} follows version 3 of the genome layout; genolstm {__version__} knows 2. Upgrade genolstm."
    )
    changed(path, kind="dream")
    assert message(path) == f"{path} is of the kind 'dream', which genolstm {__version__} does not know; upgrade it."


@pytest.mark.parametrize("attribute", ["kind", "schema_version"])
def test_missing_attribute_is_damage(path, attribute):
    with h5py.File(path, "r+") as file:
        del file.attrs[attribute]
    assert message(path).startswith(f"{path} is damaged (")


def test_truncated_file_is_refused_at_every_length(path):
    content = path.read_bytes()
    for size in (9, 48, 97, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        assert message(path).startswith(f"{path} is cut short or damaged (Unable to synchronously open file (") or (
            message(path).endswith("the checksums at its end are gone; make it again.")
        )


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda file: file.pop("contigs/length"), "contigs/length is missing"),
        (lambda file: file.pop("contigs"), "contigs/name is missing"),
        (
            lambda file: replaced(file, "contigs/length", np.array([4], np.int32)),
            "contigs/length holds int32, not int64",
        ),
        (lambda file: replaced(file, "codes", np.zeros((2, 2), np.uint8)), "codes has 2 axes, not 1"),
        (lambda file: replaced(file, "contigs/start", np.zeros(2, np.int64)), "contigs/start has 2 contigs, not 1"),
        (lambda file: replaced(file, "contigs/name", np.array([7])), "contigs/name holds int64, not string"),
        (lambda file: replaced(file, "dream", np.array([7])), "dream is not in the layout"),
    ],
)
def test_changed_dataset_is_named(path, change, problem):
    with h5py.File(path, "r+") as file:
        change(file)
    assert message(path) == f"{path} is damaged or was changed by hand: {problem}; make it again."


def replaced(file, name, value):
    if name in file:
        del file[name]
    file[name] = value


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file["codes"].write_direct(np.array([0, 1, 2, 2], np.uint8)),
        lambda file: replaced(file, "contigs/name", np.array(["II"], dtype=h5py.string_dtype())),
        lambda file: file.attrs.__setitem__("seed", 2),
        lambda file: file.attrs.__setitem__("note", "by hand"),
        lambda file: file["contigs"].attrs.__setitem__("note", "by hand"),
    ],
)
def test_any_change_by_hand_is_noticed(path, change):
    with h5py.File(path, "r+") as file:
        change(file)
    assert message(path) == (
        f"{path} is damaged or was changed by hand: the checksums at its end are gone; make it again."
    )


def test_crafted_content_is_noticed_by_verify(path, edited):
    with edited(path) as file:
        file["codes"][3] = 2
    assert message(path, verify=True) == (
        f"{path} is damaged or was changed by hand: its content differs from the SHA-256 it carries; make it again."
    )


def as_version_1(path):
    """Make a file what genolstm 0.1.0 would have written: no checksums of blocks, a hash over the provenance too."""
    with h5py.File(path, "r+") as file:
        file.attrs["schema_version"] = 1
        file.attrs["content_sha256"] = content_sha256(file)


def test_file_of_version_1_is_read_and_guarded_by_its_hash(path):
    as_version_1(path)
    with open_file(path, Kind.GENOME, verify=True) as file:
        assert file["codes"][()].tolist() == [0, 1, 2, 3]
    changed(path, seed=2)
    assert message(path).endswith("its content differs from the SHA-256 it carries; make it again.")


def test_dataset_larger_than_its_file_can_hold_is_refused_at_once(path, edited):
    with edited(path) as file:
        del file["codes"]
        file.create_dataset("codes", shape=(10**15,), dtype=np.uint8)
    assert message(path, verify=True).endswith(
        "codes claims 1,000,000,000,000,000 values, more than the file can hold; make it again."
    )


def test_content_hash_is_of_content_alone(tmp_path):
    """Who ran what, when and where is not in it."""
    hashes = set()
    for name, seed in (("a", 1), ("b", 2)):
        about = Provenance(command=name, settings={"x": seed}, seed=seed, inputs={"i": name}, device=name)
        with write_file(tmp_path / name, Kind.GENOME, about) as file:
            fill(file)
        with open_any(tmp_path / name, verify=True) as file:
            hashes.add(file.attrs["content_sha256"])
    assert len(hashes) == 1
    with write_file(tmp_path / "c", Kind.GENOME, about) as file:
        fill(file, codes=(0, 1, 2, 2))
    with open_any(tmp_path / "c", verify=True) as file:
        assert file.attrs["content_sha256"] not in hashes


def test_hash_does_not_depend_on_how_values_are_spelled(path):
    """NumPy 1 and 2 spell np.int64(1) in different ways; a file must verify under both."""
    with h5py.File(path, "r+") as file:
        before = content_sha256(file)
        with np.printoptions(legacy="1.25"):
            assert content_sha256(file) == before


def test_hash_does_not_depend_on_the_slabs_it_reads(path, monkeypatch):
    with h5py.File(path, "r+") as file:
        replaced(file, "codes", np.arange(1000, dtype=np.uint16).astype(np.uint8))
        replaced(file, "grid", np.arange(60.0).reshape(20, 3))
        replaced(file, "one", 1.5)
        whole = content_sha256(file)
        monkeypatch.setattr("genolstm.store.files.HASH_BYTES", 64)
        assert content_sha256(file) == whole
        file["grid"][19, 2] = 0
        assert content_sha256(file) != whole


def test_any_flipped_byte_is_refused_or_changes_nothing(path):
    content = path.read_bytes()

    def values():
        with open_file(path, Kind.GENOME, verify=True) as file:
            found = {}
            file.visititems(lambda name, item: found.update({name: repr(item[()])} if hasattr(item, "dtype") else {}))
            return found, {name: repr(file.attrs[name]) for name in file.attrs}

    true = values()
    rng = np.random.default_rng(1)
    refused, same = [], 0
    for at, bit in zip(rng.integers(len(content), size=300), rng.integers(8, size=300), strict=True):
        damaged = bytearray(content)
        damaged[at] ^= 1 << bit
        path.write_bytes(damaged)
        try:
            assert values() == true
            same += 1
        except InputError as problem:
            refused.append(str(problem))
    assert same == 0, "verify reads every byte"
    assert all(str(path) in sentence and "\n" not in sentence for sentence in refused)


def test_file_that_is_locked_elsewhere_says_what_to_do(path):
    """As an HDF5 program that writes in place would hold it; checked files are read without asking for locks."""
    as_version_1(path)
    code = f"import h5py, sys; f = h5py.File({str(path)!r}, 'r+'); print('held', flush=True); sys.stdin.read()"
    holder = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with holder:
        assert holder.stdout.readline() == "held\n"
        told = message(path)
        holder.stdin.close()
    assert told == (
        f"{path} is locked by another process, or lies on a file system without locks; wait, or set"
        " HDF5_USE_FILE_LOCKING=FALSE when nobody writes it."
    )


def test_unreadable_file_is_told_in_one_sentence(path, monkeypatch):
    from pathlib import Path

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    sentence = f"{path} cannot be read: Permission denied; check its permissions and the disk."
    assert message(path) == sentence
    with pytest.raises(InputError) as refused:
        file_sha256(path)
    assert str(refused.value) == sentence


def test_many_readers_may_open_one_file(path):
    with open_file(path, Kind.GENOME) as one, open_file(path, Kind.GENOME) as other:
        assert one["codes"][0] == other["codes"][0]


@pytest.mark.skipif(shutil.which("h5dump") is None, reason="h5dump is not installed")
def test_h5dump_reads_our_files(path):
    told = subprocess.run(["h5dump", "-H", path], capture_output=True, text=True, check=True).stdout
    assert 'DATASET "codes"' in told


@pytest.mark.parametrize("problem", [BrokenPipeError(32, "Broken pipe"), ValueError("a caller's own"), KeyError("x")])
def test_what_a_caller_raises_is_not_taken_for_damage(path, problem):
    def reading():
        with open_any(path) as file:
            assert "kind" in file.attrs
            raise problem

    with pytest.raises(type(problem)) as caught:
        reading()
    assert caught.value is problem


H5AD = """
import sys
from pathlib import Path
from genolstm.errors import GenolstmError
from genolstm.store.hidden import write_h5ad
try:
    write_h5ad(Path(sys.argv[2]), Path(sys.argv[1]))
except GenolstmError as problem:
    print(problem, file=sys.stderr)
    sys.exit(problem.exit_code)
"""


@pytest.mark.parametrize("limit", [0, 3000, 20_000, 60_000])
def test_anndata_that_the_disk_refuses_is_one_sentence_and_no_file(tmp_path, provenance, limit):
    """HDF5 itself crashes where it may not write its last bytes."""
    from genolstm.store.files import Records
    from genolstm.store.hidden import SiteTable, write_hidden

    count, width, hidden, path = 200, 64, tmp_path / "h.h5", tmp_path / "h.h5ad"
    start = np.arange(count, dtype=np.int64)
    sites = SiteTable(
        contigs=("I",), contig=np.zeros(count, np.int32), start=start, end=start + 1,
        strand=np.ones(count, np.int8), name=(".",) * count,
    )  # fmt: skip
    states = [(np.arange(count), 0, np.ones((count, width), np.float16))]
    features = [("own", 0, "h", unit, "") for unit in range(width)]
    write_hidden(hidden, sites, features, states, dict, Records(), provenance)
    ended = subprocess.run(
        [sys.executable, "-c", H5AD, str(hidden), str(path)], capture_output=True, text=True, timeout=60, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip
    assert ended.returncode == 3, ended
    assert ended.stderr.startswith(f"the disk or 'ulimit -f' allows no file this large: {path} was not written;")
    assert [each.name for each in tmp_path.iterdir()] == ["h.h5"]

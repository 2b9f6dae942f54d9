"""bigWig as a signal: every kind of section, either byte order of trees, and damaged files."""

import numpy as np
import pytest

from genolstm.errors import InputError
from genolstm.readers.bigwig_signal import BigWigSignal, is_bigwig
from genolstm.writers.bigwig import write_bigwig

pyBigWig = pytest.importorskip("pyBigWig")

LENGTHS = {"II": 5000, "I": 100_000, "III": 70}


def signal(path, lengths=None):
    """Value of every base by contig."""
    lengths = lengths or LENGTHS
    found = {name: np.zeros(length, np.float32) for name, length in lengths.items()}
    for runs in BigWigSignal(path, lengths, "genome.h5").runs():
        for contig, start, length, value in zip(*runs, strict=True):
            found[list(lengths)[contig]][start : start + length] = value
    return found


@pytest.fixture
def made(tmp_path):
    path = tmp_path / "a.bw"
    with pyBigWig.open(str(path), "w") as file:
        file.addHeader([("I", 100_000), ("II", 5000), ("M", 9)])
        starts = list(range(0, 80_000, 40))
        file.addEntries(
            ["I"] * len(starts), starts, ends=[at + 20 for at in starts], values=[at % 7 + 0.5 for at in starts]
        )
        file.addEntries("I", [90_000, 90_100], values=[1.25, 0.0], span=50)
        file.addEntries("II", 100, values=[3.0, 4.0, 5.0], span=2, step=10)
    return path


def test_every_kind_of_section_has_its_values(made):
    assert is_bigwig(made)
    found = signal(made)
    with pyBigWig.open(str(made)) as file:
        for name in ("I", "II"):
            assert np.array_equal(found[name], np.nan_to_num(np.array(file.values(name, 0, LENGTHS[name]), np.float32)))
    assert BigWigSignal(made, LENGTHS, "genome.h5").match.observed.tolist() == [True, True, False]


def test_our_own_bigwigs_of_many_contigs_come_back(tmp_path):
    rng = np.random.default_rng(1)
    lengths = {f"contig{number}": 3000 for number in range(700)}
    values = {name: rng.random(30).astype(np.float32) + 0.1 for name in lengths}
    starts = np.arange(0, 3000, 100)
    write_bigwig(tmp_path / "a.bw", lengths, ((name, starts, starts + 60, values[name]) for name in lengths))
    found = signal(tmp_path / "a.bw", lengths)
    assert all(np.array_equal(found[name][starts], values[name]) for name in lengths)
    assert all(not found[name][starts + 60].any() for name in lengths)


def test_damaged_files_are_refused_or_read(made):
    whole = made.read_bytes()
    rng = np.random.default_rng(3)
    for round_ in range(300):
        content = bytearray(whole)
        for at in rng.integers(0, len(content), 3).tolist():
            content[at] ^= 1 << int(rng.integers(0, 8))
        made.write_bytes(content[: int(rng.integers(0, len(content)))] if round_ % 5 == 0 else content)
        try:
            signal(made)
        except InputError as refused:
            assert str(refused).startswith(str(made)) or "no contig of" in str(refused)  # noqa: PT017

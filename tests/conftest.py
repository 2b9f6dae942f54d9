"""What all tests share: devices, small genomes, and the real data beside the checkout."""

import os
import subprocess
from contextlib import contextmanager
from pathlib import Path

import h5py
import hypothesis
import numpy as np
import pytest
import torch
from pretended_gpu import PretendedGpu
from threadpoolctl import threadpool_limits

from genolstm.alphabet import DNA, encode
from genolstm.devices import choose_device, recurrent_bf16
from genolstm.readers.fasta import SequenceBlock
from genolstm.regions import Part, Stretches
from genolstm.settings.train import DeviceName
from genolstm.store.checksums import append_checksums
from genolstm.store.files import Provenance
from genolstm.store.genome import open_genome, write_genome

# no deadlines: a shared machine may pause in the middle of an example
hypothesis.settings.register_profile("genolstm", deadline=None)
hypothesis.settings.load_profile("genolstm")

os.environ["GENOLSTM_CACHE"] = "none"  # of this process and of those that tests start

REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
PRETENDED = "pretended"
DEVICES = ["cpu", PRETENDED, *([pytest.param("cuda", marks=pytest.mark.gpu)] if torch.cuda.is_available() else [])]
GPU = PretendedGpu()  # one for all tests: models that are made once for many of them stay on it


def pytest_collection_modifyitems(items):
    """Workflows and batch jobs first: they take longest, and begun last one worker would wait for the other."""
    items.sort(key=lambda item: item.get_closest_marker("workflow") is None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """A test of the pretended device, its fixtures included, is run where torch sees that device."""
    if getattr(item, "callspec", None) is None or item.callspec.params.get("device") != PRETENDED:
        return (yield)
    with GPU.present():
        return (yield)


@pytest.fixture
def bf16():
    """Of tests that compute in bf16, which some CPUs cannot."""
    if not recurrent_bf16():
        pytest.skip("torch has no recurrent layers in bf16 for this CPU")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup():
    """One thread, in the fixtures of several tests too: where sums are divided among threads the last bits differ."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module", autouse=True)
def _one_blas_thread():
    """Problems as small as those of tests are ten times slower on threads that wait for each other."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="session", params=DEVICES)
def device(request):
    """Every device that is here, and a pretended GPU, as a command would choose it."""
    return choose_device(DeviceName.CUDA if request.param == PRETENDED else DeviceName(request.param))


@pytest.fixture
def gpu():
    """A pretended GPU that torch sees for as long as the test lasts; it counts what is done on it."""
    with GPU.present():
        yield GPU


@pytest.fixture(scope="session")
def provenance():
    """Provenance of a file made by a test."""
    return Provenance(command="pytest", settings={}, seed=1, inputs={}, device="cpu")


@pytest.fixture(scope="session")
def genome_of(tmp_path_factory, provenance):
    """Function: name -> letters (or codes), as an open Genome."""
    folder = tmp_path_factory.mktemp("genomes")
    count = iter(range(1_000_000))

    def made(contigs, alphabet=DNA):
        blocks = (
            SequenceBlock(
                name=name,
                starts_record=True,
                codes=encode(letters, alphabet) if isinstance(letters, str) else letters,
                masked=np.empty((0, 2), dtype=np.int64),
                ambiguous={},
                read_as={},
            )
            for name, letters in contigs.items()
        )
        path = folder / f"{next(count)}.h5"
        write_genome(path, blocks, alphabet, provenance)
        return open_genome(path)

    return made


def random_codes(seed, length, *, unknown=0.0, alphabet=DNA):
    """Symbols drawn evenly, a share of them N; uint8 [length]."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, alphabet.n_known, length).astype(np.uint8)
    codes[rng.random(length) < unknown] = alphabet.unknown
    return codes


@pytest.fixture(scope="session")
def drawn_codes():
    """Function: seed, length -> random codes."""
    return random_codes


@pytest.fixture(scope="session")
def tiny_genome(genome_of):
    """Five contigs of 1 to 3000 bases, one base in a hundred N, and a run of N."""
    contigs = {
        name: random_codes(seed, length, unknown=0.01)
        for seed, (name, length) in enumerate({"I": 3000, "II": 1700, "III": 411, "IV": 1, "MT": 64}.items())
    }
    contigs["II"][500:620] = DNA.unknown
    return genome_of(contigs)


@pytest.fixture(scope="session")
def stretches_of():
    """Function: genome, rows of (contig name, start, end, Part) -> Stretches; without rows, all of it for training."""

    def made(genome, rows=None):
        rows = rows or [(name, 0, length, Part.TRAIN) for name, length in genome.length_of.items()]
        names, starts, ends, parts = zip(*rows, strict=True)
        return Stretches(
            contigs=genome.names,
            contig=np.array([genome.names.index(name) for name in names], dtype=np.int32),
            start=np.array(starts, dtype=np.int64),
            end=np.array(ends, dtype=np.int64),
            part=np.array(parts, dtype=np.int8),
        )

    return made


@pytest.fixture(scope="session")
def real_data():
    """Folder of the real genomes, which are not part of this project."""
    if not REAL_DATA.is_dir():
        pytest.skip("no real genomes beside the checkout (../shared/data)")
    return REAL_DATA


@pytest.fixture(scope="session")
def results(tmp_path_factory):
    """Name -> path of one small result file of every kind."""
    from made_results import made_results

    return made_results(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="session")
def edited():
    """Function: path -> the open file to be changed; its checksums are made again, as only a crafted file's are."""

    @contextmanager
    def opened(path):
        with h5py.File(path, "r+") as file:
            yield file
        descriptor = os.open(path, os.O_RDWR)
        append_checksums(descriptor)
        os.close(descriptor)

    return opened


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 300 kB; skips where none may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system may be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)

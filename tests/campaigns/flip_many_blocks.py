"""One bit flipped in a file of many blocks, and all of it read by the functions that every command reads with.

By hand: ``python tests/campaigns/flip_many_blocks.py --flips 120 --seed 1``. `flip_bits` tries whole commands, on files
of a few blocks; here files are several megabytes, so that most of their blocks are those of values.
"""

import argparse
import hashlib
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
KINDS = ("genome", "score", "gates", "hidden")
SILENT, TRACEBACK, REFUSED, HARMLESS = "silent difference", "traceback", "refused in one sentence", "harmless"
BASES, SITES = 2_000_000, 60_000
SCORED = ("--region", "a:1-400000", "-t", "1", "--device", "cpu", "-q")
GATES = ("--every", "1", "--units-every", "64", "--memory-bases", "2000", "--resamples", "50")
TRAINED = ("--hidden", "8", "--lanes", "4", "--chunk", "64", "--bases", "20000", "-t", "1", "--device", "cpu", "-q")


def made_files(folder: Path) -> dict[str, Path]:
    """A file of each kind, of two megabytes or more."""
    from genolstm.cli.app import app

    rng = np.random.default_rng(0)
    made = {kind: folder / f"{kind}.h5" for kind in (*KINDS, "model")}
    letters = np.frombuffer(b"ACGT", np.uint8)[rng.integers(0, 4, BASES)].tobytes().decode()
    (folder / "a.fa").write_text(f">a\n{letters}\n>b\n{letters[:50_000][::-1]}\n")
    starts = np.sort(rng.integers(0, 390_000, SITES))
    (folder / "sites.bed").write_text("".join(f"a\t{start}\t{start + 1}\n" for start in starts))
    for words in (
        ("ingest", folder / "a.fa", "-o", made["genome"], "-q"),
        ("train", made["genome"], "-o", made["model"], "--test-contigs", "b", *TRAINED),
        ("score", made["model"], made["genome"], "-o", made["score"], *SCORED),
        ("gates", made["model"], made["genome"], "-o", made["gates"], *GATES, *SCORED),
        ("embed", made["model"], made["genome"], "--sites", folder / "sites.bed", "-o", made["hidden"], *SCORED[2:]),
    ):
        app([str(word) for word in words], standalone_mode=False)
    return made


def read_whole(kind: str, path: Path) -> str:
    """Hash of every value and attribute of a file, and of a genome's mapped codes. Raises InputError for damage."""
    import h5py

    from genolstm.store.files import open_any
    from genolstm.store.genome import open_genome

    digest = hashlib.sha256()
    if kind == "genome":
        genome = open_genome(path)
        digest.update(np.ascontiguousarray(genome.all_codes[:]).tobytes())

    def visit(name: str, item: h5py.Dataset | h5py.Group) -> None:
        digest.update(f"{name} {sorted((key, repr(value)) for key, value in item.attrs.items())}".encode())
        if isinstance(item, h5py.Dataset):
            values = item[()]
            digest.update(repr(values.tolist()).encode() if item.dtype == object else np.asarray(values).tobytes())

    with open_any(path) as file:
        visit("/", file)
        file.visititems(visit)
    return digest.hexdigest()


def campaign(made: dict[str, Path], flips: int, seed: int, damaged: Path) -> list[tuple[str, int, str, str]]:
    """Kind, byte, how the reading ended and what was said, of each flip."""
    from genolstm.errors import InputError

    rng, found = np.random.default_rng(seed), []
    content = {kind: bytearray(made[kind].read_bytes()) for kind in KINDS}
    truth = {kind: read_whole(kind, made[kind]) for kind in KINDS}
    for flip in range(flips):
        kind = KINDS[flip % len(KINDS)]
        place, bit = int(rng.integers(len(content[kind]))), int(rng.integers(8))
        content[kind][place] ^= 1 << bit
        damaged.write_bytes(content[kind])
        content[kind][place] ^= 1 << bit
        try:
            ended, said = (HARMLESS if read_whole(kind, damaged) == truth[kind] else SILENT), ""
        except InputError as problem:
            ended, said = (TRACEBACK if "\n" in str(problem) else REFUSED), str(problem)
        except Exception as problem:  # noqa: BLE001  (whatever damage brings about is what is counted)
            ended, said = TRACEBACK, repr(problem)
        found.append((kind, place, ended, said))
    return found


def main() -> int:
    """Run as many flips as asked for, and print how many ended in which way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flips", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    sys.path[:0] = [str(HERE.parents[1])]
    os.environ["SOURCE_DATE_EPOCH"] = "1700000000"
    with tempfile.TemporaryDirectory() as room:
        made = made_files(Path(room))
        sizes = {kind: made[kind].stat().st_size for kind in KINDS}
        found = campaign(made, asked.flips, asked.seed, Path(room) / "damaged.h5")
    for kind in KINDS:
        ends = Counter(ended for which, _, ended, _ in found if which == kind)
        sys.stdout.write(f"{kind} ({sizes[kind] / 1e6:.1f} MB): {dict(ends)}\n")
    bad = [each for each in found if each[2] in (SILENT, TRACEBACK)]
    sys.stdout.write("".join(f"{each}\n" for each in bad) + f"{len(found)} flips, {len(bad)} bad\n")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())

"""One bit flipped in one of our own files, and the file read: is it noticed?

By hand: ``python tests/campaigns/flip_bits.py --flips 600 --seed 1``. Every flip is tried by one reading command in a
process of its own, so that a crash or a hang is counted and not suffered.
"""

import argparse
import contextlib
import hashlib
import importlib
import io
import multiprocessing
import os
import re
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
READ = ("-t", "1", "--device", "cpu", "-q")
SECONDS = 60  # after which a command counts as hanging
COMMANDS = {  # name of the damaged file -> commands that read it; {} is the file, {out} what is written
    "genome": [
        "show {}", "export {} -o {out}.tsv", "score {model} {} -o {out}.h5 READ", "gates {model} {} -o {out}.h5 READ",
        "embed {model} {} --sites {sites} -o {out}.h5 READ", "track {fragments} --genome {} -o {out}.h5 -q",
        "train {} -o {out}.h5 --hidden 4 --lanes 2 --chunk 16 --bases 300 --test-contigs III READ",
    ],
    "model": [
        "show {}", "export {} -o {out}.tsv", "export {} --table history -o {out}.tsv", "report {} -o {out}.html -q",
        "score {} {genome} -o {out}.h5 READ", "gates {} {genome} -o {out}.h5 READ",
        "embed {} {genome} --sites {sites} -o {out}.h5 READ",
    ],
    "score": [
        "show {}", "export {} -o {out}.tsv", "export {} -o {out}.bw", "export {} --table parts -o {out}.tsv",
        "report {} -o {out}.html -q",
    ],
    "gates": [
        "show {}", "export {} -o {out}.tsv", "export {} --table tracks/forget/layer0/mean -o {out}.bw",
        "report {} -o {out}.html -q",
    ],
    "hidden": ["show {}", "export {} -o {out}.tsv", "report {} -o {out}.html -q"],
    "track": ["show {}", "export {} -o {out}.tsv", "export {} -o {out}.bw", "report {} -o {out}.html -q"],
    "counts": [
        "show {}", "export {} -o {out}.tsv", "report {} -o {out}.html -q",
        "methylation fit {} --times 0,1,4,16 --time-offset 0.5 -o {out}.h5 -t 1 -q",
    ],
    "fit": [
        "show {}", "export {} -o {out}.tsv", "methylation predict {} --times 2 -o {out}.tsv -q",
        "report {} -o {out}.html -q",
    ],
    "probe": [
        "show {}", "export {} --table donor/sites -o {out}.tsv", "export {} --table donor/scores -o {out}.tsv",
        "report {} -o {out}.html -q",
    ],
    "study": ["show {}", "export {} -o {out}.tsv", "report {} -o {out}.html -q"],
    "prediction": ["show {}", "export {} --table donor/candidates -o {out}.tsv", "report {} -o {out}.html -q"],
    "comparison": ["show {}", "export {} -o {out}.tsv", "report {} -o {out}.html -q"],
    "dependencies": ["show {}", "export {} -o {out}.tsv", "report {} -o {out}.html -q"],
    "snvs": ["show {}", "export {} -o {out}.tsv", "report {} -o {out}.html -q"],
}  # fmt: skip
SILENT, TRACEBACK, CRASH, HANG, REFUSED, HARMLESS = (
    "silent difference", "traceback", "crash", "hang", "refused in one sentence", "harmless: the same output",
)  # fmt: skip
BAD = (SILENT, TRACEBACK, CRASH, HANG)
PRELOADED = (
    "cli.app", "report.page", "report.multiqc", "report.reading", "figures.of_file", "export.tracks", "gates.whole",
    "scoring.whole", "scoring.beside_markov", "states.sites", "writers.bigwig", "writers.rows", "writers.vcf",
    "methylation.fitting", "methylation.predict", "readers.alignments", "training.loop", "training.snapshots",
)  # fmt: skip
DIGEST = re.compile(rb"[0-9a-f]{64}")  # of the file itself, which a report quotes


def ran(command: str, names: dict[str, Path], folder: Path, *, keep: bool = False) -> tuple[str, object]:
    """Run one command in this process: how it ended, and what it said or wrote; keep : files that are there."""
    from genolstm.cli.app import app
    from genolstm.errors import GenolstmError

    for old in [] if keep else list(folder.iterdir()):
        old.unlink()
    words = [
        part
        for word in command.replace("READ", " ".join(READ)).split()
        for part in [word.format(names["damaged"], **names, out=folder / "out")]
    ]
    said, before, sys.argv = io.StringIO(), sys.argv, ["genolstm", *words]
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
            app(words, standalone_mode=False)
    except GenolstmError as problem:
        sentence = str(problem)
        return (REFUSED if "\n" not in sentence and problem.exit_code else TRACEBACK), sentence
    except Exception:  # noqa: BLE001  (whatever a damaged file brings about is what is counted)
        return TRACEBACK, traceback.format_exc()
    finally:
        sys.argv = before
    return HARMLESS, "" if keep else (said.getvalue(), tuple(contents(path) for path in sorted(folder.iterdir())))


def contents(path: Path) -> str:
    """Hash of what a written file holds: of our own files the content, whatever was hashed on the way to it."""
    if path.suffix == ".h5":
        from genolstm.store.files import open_any

        with open_any(path, verify=True) as file:
            return str(file.attrs["content_sha256"])
    return hashlib.sha256(DIGEST.sub(b"", path.read_bytes())).hexdigest()


def apart(command: str, names: dict[str, Path], folder: Path) -> tuple[str, object]:
    """As `ran`, in a process of its own."""
    receive, send = multiprocessing.Pipe(duplex=False)

    def child() -> None:
        send.send(ran(command, names, folder))

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    send.close()
    told: tuple[str, object] = (CRASH, "")
    try:
        if receive.poll(SECONDS):
            told = receive.recv()
        else:
            told = (HANG, "")
            process.kill()
    except EOFError:
        pass
    process.join()
    return told


def campaign(made: dict[str, Path], flips: int, seed: int, *, kinds: list[str] | None = None) -> list[dict[str, str]]:
    """Flip bits one at a time, a kind of file after the other, and read; what came of each."""
    os.environ["SOURCE_DATE_EPOCH"] = "1700000000"
    for module in PRELOADED:  # once, not in every process
        importlib.import_module(f"genolstm.{module}")
    rng = np.random.default_rng(seed)
    found = []
    with tempfile.TemporaryDirectory() as room:
        folder = Path(room) / "written"
        folder.mkdir()
        damaged = Path(room) / "damaged.h5"
        truths: dict[str, object] = {}
        for flip in range(flips):
            kind = (kinds or list(COMMANDS))[flip % len(kinds or COMMANDS)]
            command = str(rng.choice(COMMANDS[kind]))
            names = {**made, "damaged": damaged}
            if kind + command not in truths:
                shutil.copy(made[kind], damaged)
                ended, truth = apart(command, names, folder)
                assert ended == HARMLESS, f"{command} on a whole {kind} file: {ended}: {truth}"
                truths[kind + command] = truth
            content = bytearray(made[kind].read_bytes())
            place, bit = int(rng.integers(len(content))), int(rng.integers(8))
            content[place] ^= 1 << bit
            damaged.write_bytes(content)
            ended, told = apart(command, names, folder)
            if ended == HARMLESS and told != truths[kind + command]:
                ended = SILENT
            found.append({"kind": kind, "command": command, "byte": str(place), "bit": str(bit), "ended": ended,
                          "told": str(told) if ended in (TRACEBACK, REFUSED) else ""})  # fmt: skip
    return found


def main() -> int:
    """Run as many flips as asked for, and print how many ended in which way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flips", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", action="append", choices=sorted(COMMANDS))
    asked = parser.parse_args()
    sys.path[:0] = [str(HERE.parent), str(HERE.parents[1])]
    import torch
    from made_results import made_results

    torch.set_num_threads(1)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        made = {**made_results(Path(folder)), "sites": Path(folder) / "sites.bed",
                "fragments": Path(folder) / "fragments.tsv"}  # fmt: skip
        found = campaign(made, asked.flips, asked.seed, kinds=asked.kind)
    totals = Counter(each["ended"] for each in found)
    lines = [str(each) for each in found if each["ended"] in BAD]
    lines += [f"{len(found)} flips in {time.perf_counter() - began:.0f} s"]
    lines += [f"{totals[ended]:6d} {ended}" for ended in (*BAD, REFUSED, HARMLESS)]
    for kind in COMMANDS:
        ends = [each["ended"] for each in found if each["kind"] == kind]
        lines.append(f"{kind}: {ends.count(REFUSED)} refused, {ends.count(HARMLESS)} harmless of {len(ends)}")
    sys.stdout.write("\n".join(lines) + "\n")
    return int(any(totals[ended] for ended in BAD))


if __name__ == "__main__":
    sys.exit(main())

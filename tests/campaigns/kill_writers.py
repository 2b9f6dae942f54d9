"""Commands killed by ``kill -9`` while they write: is anything torn, and does the same command complete afterwards?

By hand: ``python tests/campaigns/kill_writers.py --kills 200 --seed 1``.
"""

import argparse
import importlib
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from flip_bits import HARMLESS, PRELOADED, contents, ran

HERE = Path(__file__).resolve().parent
SECONDS = 120
COMMANDS = (  # {out} begins the name of every output; the first that is named is the main one
    "ingest {fasta} -o {out}.h5 -q",
    "train {genome} -o {out}.h5 --figure {out}.svg --hidden 4 --lanes 2 --chunk 16 --bases 600 --test-contigs III"
    " --checkpoint-minutes 0 --resume READ",
    "score {model} {genome} -o {out}.h5 --bigwig {out}.bw --figure {out}.svg READ",
    "gates {model} {genome} -o {out}.h5 --every 10 --bigwig-dir {out}.tracks --figure {out}.svg READ",
    "embed {model} {genome} --sites {sites} -o {out}.h5 --h5ad {out}.h5ad --figure {out}.png READ",
    "track {fragments} --genome {genome} -o {out}.h5 --bigwig {out}.bw --figure {out}.svg -q",
    "methylation simulate --rate 0.3 --steady 0.8 --sites 200 -o {out}.h5 --truth {out}.tsv -q",
    "methylation fit {counts} --times 0,1,4,16 --time-offset 0.5 -o {out}.h5 --table {out}.tsv --figure {out}.svg"
    " --bigwig-prefix {out} --genome {genome} -t 1 -q",
    "methylation predict {fit} --times 2 -o {out}.tsv -q",
    "report {model} {score} {probe} -o {out}.html --multiqc {out}.multiqc -q",
    "export {score} -o {out}.tsv.gz -q",
    "export {score} -o {out}.bw -q",
    "export {probe} --table donor/sites -o {out}.bed.gz -q",
    "variants {model} {genome} {vcf} -o {out}.vcf.gz READ",
    "variants {model} {genome} {vcf} -o {out}.bcf READ",
    "variants {model} {genome} --all-snvs --region I:1-40 -o {out}.h5 --bigwig {out} READ",
    "score {model} {genome} --region I:1-80 -o {out}.h5 --probabilities {out} READ",
    "dependencies {model} {genome} --region I:1-80 --window 8 -o {out}.h5 --figure {out}.svg READ",
    "sample {model} -n 3 --length 50 -o {out}.fa READ",
)
TORN, STUCK, MISSING, OTHER = "torn output", "the same command does not complete", "an output is missing", "other bytes"
COMPLETED, DONE = "completed by the same command", "was complete already"
BAD = (TORN, STUCK, MISSING, OTHER)


def made_vcf(path: Path) -> Path:
    """A VCF of ten sites of contig I, whose reference letters need not agree."""
    rows = "".join(f"I\t{place}\t.\tA\tC\t.\t.\t.\n" for place in range(20, 220, 20))
    head = "##fileformat=VCFv4.2\n##contig=<ID=I,length=1200>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    path.write_text(head + rows)
    return path


def files_of(folder: Path) -> dict[str, str]:
    """Name -> hash of the content of every file that has its name; what grows or can be resumed has none yet."""
    return {
        str(path.relative_to(folder)): contents(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".") and path.suffix != ".resume"
    }


def started(command: str, names: dict[str, Path], folder: Path) -> tuple[Any, Any]:
    """Start a command in a process of its own: the process, and where it tells how it ended."""
    receive, send = multiprocessing.Pipe(duplex=False)

    def child() -> None:
        send.send(ran(command, names, folder, keep=True))

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    send.close()
    return process, receive


def whole(command: str, names: dict[str, Path], folder: Path) -> tuple[str, str]:
    """Run a command to its end: how it ended, and what it said."""
    process, receive = started(command, names, folder)
    ended, told = receive.recv() if receive.poll(SECONDS) else ("hang", "")
    process.kill()
    process.join()
    return ended, str(told)


def killed(command: str, names: dict[str, Path], folder: Path, seconds: float) -> None:
    """Start a command and kill it after some time."""
    process, _ = started(command, names, folder)
    process.join(seconds)
    process.kill()
    process.join()


def judged(command: str, names: dict[str, Path], folder: Path, truth: dict[str, str]) -> tuple[str, str]:
    """What the killed command left, and what comes of the same command."""
    from genolstm.errors import InputError

    try:
        left = files_of(folder)
    except (InputError, OSError, ValueError) as problem:
        return TORN, str(problem)
    main = "out" + command.partition("-o {out}")[2].split()[0]
    if torn := [name for name, content in left.items() if truth.get(name) != content]:
        return TORN, f"{torn}"
    if main in left:
        return (DONE, "") if left == truth else (MISSING, f"{sorted(set(truth) - set(left))}")
    ended, told = whole(command, names, folder)
    if ended != HARMLESS:
        return STUCK, told
    now = files_of(folder)
    return (COMPLETED, "") if now == truth else (OTHER, f"{sorted(set(truth.items()) ^ set(now.items()))}")


def campaign(
    made: dict[str, Path], kills: int, seed: int, commands: tuple[str, ...] = COMMANDS
) -> Iterator[tuple[str, ...]]:
    """Kill commands at random times, half of them in the last fifth of their time; what came of each."""
    os.environ["SOURCE_DATE_EPOCH"] = "1700000000"
    for module in PRELOADED:
        importlib.import_module(f"genolstm.{module}")
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as room:
        folder = Path(room) / "written"
        names = {**made, "damaged": Path()}
        truths: dict[str, tuple[dict[str, str], float]] = {}
        for kill in range(kills):
            command = commands[kill % len(commands)]
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            if command not in truths:
                began = time.perf_counter()
                ended, told = whole(command, names, folder)
                assert ended == HARMLESS, f"{command}: {told}"
                truths[command] = files_of(folder), time.perf_counter() - began
                shutil.rmtree(folder)
                folder.mkdir()
            truth, seconds = truths[command]
            part = rng.uniform(0.8, 1.0) if rng.random() < 0.5 else rng.uniform(0.0, 1.0)
            killed(command, names, folder, seconds * part)
            yield (command, *judged(command, names, folder, truth))


def main() -> int:
    """Kill as often as asked, and print how many ended in which way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=600, help="stop after this long")
    asked = parser.parse_args()
    sys.path[:0] = [str(HERE.parent), str(HERE.parents[1])]
    import torch
    from made_results import made_results

    torch.set_num_threads(1)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        room = Path(folder)
        made = {**made_results(room), "sites": room / "sites.bed", "fragments": room / "fragments.tsv",
                "fasta": room / "genome.fa", "vcf": made_vcf(room / "in.vcf")}  # fmt: skip
        found = []
        for each in campaign(made, asked.kills, asked.seed):
            found.append(each)
            if each[1] in BAD:
                sys.stdout.write(f"{each}\n")
            if time.perf_counter() - began > 60 * asked.minutes:
                break
    totals = Counter(ended for _, ended, _ in found)
    lines = [f"{len(found)} kills in {time.perf_counter() - began:.0f} s"]
    lines += [f"{totals[ended]:6d} {ended}" for ended in (*BAD, COMPLETED, DONE)]
    sys.stdout.write("\n".join(lines) + "\n")
    return int(any(totals[ended] for ended in BAD))


if __name__ == "__main__":
    sys.exit(main())

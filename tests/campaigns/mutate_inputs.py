"""Small valid inputs of every reader, a few bytes, fields or lines of them changed, and read: how does that end?

By hand: ``python tests/campaigns/mutate_inputs.py --mutants 2000 --seed 1``. Every mutant is read in a process of its
own, so that a crash or a hang is counted and not suffered. To be read is as good an end as to be refused: many changes
leave a valid file.
"""

import argparse
import gzip
import multiprocessing
import os
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pysam

from genolstm.alphabet import DNA, PROTEIN, decode, encode
from genolstm.errors import GenolstmError
from genolstm.readers.action_log import read_actions
from genolstm.readers.alignments import count_reads
from genolstm.readers.annotation import clip_to_genome, read_annotation
from genolstm.readers.bed import read_bed
from genolstm.readers.bigwig_signal import BigWigSignal
from genolstm.readers.clusters import read_clusters
from genolstm.readers.count_tables import read_count_table
from genolstm.readers.fasta import read_fasta
from genolstm.readers.modifications import count_calls
from genolstm.readers.motifs import Reference, motif_sites, parse_motif
from genolstm.readers.price_table import read_exogenous, read_prices
from genolstm.readers.rate_tables import read_rates
from genolstm.readers.tally import Tally, no_stretches
from genolstm.readers.variants import check_contigs, difference, read_variants
from genolstm.settings.methylation import CountSettings
from genolstm.settings.track import TrackSettings
from genolstm.writers.bigwig import write_bigwig

SECONDS = 20  # after which a reader counts as hanging: what is read has a few kilobytes
ADDRESS_SPACE = 6 << 30  # bytes that a reader may ask for: a number in a file must not become as much memory
LENGTHS = {"I": 600, "II": 120}
READ, REFUSED, TRACEBACK, CRASH, HANG = "read", "refused in one sentence", "traceback", "crash", "hang"
BAD = (TRACEBACK, CRASH, HANG)
ODD_FIELDS = (
    b"", b"0", b"-1", b"1.5", b"1e999", b"nan", b"inf", b"-inf", b"4294967296", b"9223372036854775807", b"1_000", b"+5",
    b"18446744073709551616", b"9" * 40, b"9" * 5000, b"0x10", b".", b"*", b"=cmd", b"\xff\xfe", b"\x00", b" ", b'"',
    "\u0663".encode(), "\u00b2".encode(), b"\x1b[31m", b"II", b"chrI", b"A" * 300, b"1,2", b"%00", b"%",
    b";;==", b"<DEL>",
)  # fmt: skip
ODD_NUMBERS = tuple(
    value.to_bytes(size, "little")
    for size in (1, 2, 4, 8)
    for value in (0, 1, (1 << 8 * size) - 1, (1 << (8 * size - 1)) - 1, 1 << (8 * size - 1))
)


class Case(NamedTuple):
    """A valid input and who reads it. packed : turns what is mutated into the file; None where bytes are the file."""

    content: bytes
    read: Callable[[Path], object]
    text: bool = True
    packed: Callable[[bytes, Path], bytes] | None = None


def drawn() -> Reference:
    """A genome of two contigs, every sixth base the C of a CpG."""
    rng = np.random.default_rng(5)
    codes = rng.integers(0, 4, sum(LENGTHS.values())).astype(np.uint8)
    codes[1::6], codes[2::6] = encode("C", DNA)[0], encode("G", DNA)[0]
    length = np.array(list(LENGTHS.values()))
    return Reference(
        name="genome.h5", contigs=tuple(LENGTHS), start=np.cumsum(length) - length, length=length, codes=codes
    )


REFERENCE = drawn()
SEQUENCE = decode(REFERENCE.codes, DNA)


def bgzip(content: bytes, path: Path) -> bytes:
    """Content in bgzip blocks."""
    with pysam.BGZFile(str(path), "w", None) as out:
        out.write(content)
    return path.read_bytes()


# --- readers: each takes a path and reads all of it ---


def fasta(path: Path) -> object:
    return [block.codes.sum() for block in read_fasta(path, DNA)]


def proteins(path: Path) -> object:
    return [block.codes.sum() for block in read_fasta(path, PROTEIN)]


def annotation(path: Path) -> object:
    return clip_to_genome(read_annotation(path), LENGTHS, annotation_name=str(path), genome_name="genome.h5")


def bed(path: Path) -> object:
    return read_bed(path, LENGTHS)


def cuts(path: Path) -> object:
    with Tally(LENGTHS, no_stretches(), path.parent) as tally:
        count_reads(path, LENGTHS, TrackSettings(), tally, genome_name="genome.h5")
        return sum(len(runs[0]) for runs in tally.runs())


def signal(path: Path) -> object:
    return [len(runs[0]) for runs in BigWigSignal(path, LENGTHS, "genome.h5").runs()]


def calls(path: Path) -> object:
    settings = CountSettings(threshold=0.5, min_mapq=0)
    sites = motif_sites(REFERENCE, parse_motif(settings.motif, settings.bases))
    return count_calls(path, REFERENCE, sites, settings)


def counts(path: Path) -> object:
    settings = CountSettings()
    motif = parse_motif(settings.motif, settings.bases)
    return read_count_table(path, motif, settings, REFERENCE, motif_sites(REFERENCE, motif))


def variants(path: Path) -> object:
    with read_variants(path) as text:
        check_contigs(text, LENGTHS, "genome.h5")
        return [
            difference(record.position, record.reference, other)
            for record in text.records
            for other in record.alternatives
        ]


def rates(path: Path) -> object:
    return read_rates(path, "hour")


def clusters(path: Path) -> object:
    return read_clusters(path, ["p1", "p2", "p3"])


# --- valid inputs ---


def sam(*, modified: bool) -> str:
    head = "@HD\tVN:1.6\tSO:coordinate\n" + "".join(f"@SQ\tSN:{name}\tLN:{n}\n" for name, n in LENGTHS.items())
    rows = []
    for number, start in enumerate(range(0, 300, 12)):
        bases = SEQUENCE[start : start + 60]
        flag = (99, 147, 0, 16)[number % 4] if not modified else (0, 16)[number % 2]
        mate = ("=", start + 41, 100) if flag & 1 else ("*", 0, 0)
        # along a reverse read MM counts G's, from its end
        places = bases.count("G" if flag & 16 else "C")
        tags = f"\tMM:Z:C+m?,{','.join('0' * places)};\tML:B:C,{','.join(['3', '250'] * places)}".rsplit(",", places)
        tags = f"{tags[0]}\tNM:i:0" if modified else "\tNM:i:0\tXA:Z:a"
        row = (f"r{number}", flag, "I", start + 1, 60, "20M2I38M" if number == 3 else "60M", *mate, bases, "I" * 60)
        rows.append("\t".join(map(str, row)) + tags + "\n")
    return head + "".join(rows)


def alignments(folder: Path, text: str) -> tuple[bytes, bytes]:
    """BAM (not compressed) and CRAM (without a reference) of a SAM file."""
    plain = folder / "made.sam"
    plain.write_text(text)
    for mode, name, options in (("wb", "made.bam", None), ("wc", "made.cram", [b"no_ref=1"])):
        with (
            pysam.AlignmentFile(str(plain), check_sq=False) as source,
            pysam.AlignmentFile(str(folder / name), mode, template=source, format_options=options) as out,
        ):
            for read in source:
                out.write(read)
    return gzip.decompress((folder / "made.bam").read_bytes()), (folder / "made.cram").read_bytes()


def tables() -> dict[str, str]:
    """Counts in every dialect, at CpGs of the drawn genome."""
    at = list(range(1, 240, 6))
    bed11 = "I\t{0}\t{1}\tm\t10\t{2}\t{0}\t{1}\t255,0,0\t10\t80.00"
    rows = [(place, place + 1, "+") for place in at] + [(place + 1, place + 2, "-") for place in at]
    ten, eighteen = "\t8\t2\t0\t0\t0\t0\t0", sorted(rows)
    header = "chrBase\tchr\tbase\tstrand\tcoverage\tfreqC\tfreqT\n"
    pacbio = "##pileup-mode=model\n"
    pacbio += "#chrom\tbegin\tend\tmod_score\ttype\tcov\test_mod_count\test_unmod_count\tdiscretized\n"
    return {
        "bedMethyl, 11 columns": "".join(bed11.format(*row) + "\n" for row in eighteen),
        "bedMethyl, 18 columns": "".join(bed11.format(*row) + ten + "\n" for row in eighteen),
        "Bismark coverage": "".join(f"I\t{place + 1}\t{place + 1}\t80\t8\t2\n" for place in at),
        "Bismark CpG report": "".join(
            f"I\t{first + 1}\t{strand}\t8\t2\tCG\t"
            f"{SEQUENCE[first : first + 3] if strand == '+' else 'CGA'}\n" for first, _, strand in eighteen
        ),
        "allc": "".join(f"I\t{place + 1}\t+\t{SEQUENCE[place : place + 3]}\t8\t10\t1\n" for place in at),
        "methylKit": header + "".join(f"I.{place + 1}\tI\t{place + 1}\tF\t10\t80.00\t20.00\n" for place in at),
        "pb-CpG-tools": pacbio + "".join(f"I\t{place}\t{place + 1}\t84.1\tTotal\t10\t8\t2\t80.0\n" for place in at),
        "counts over time": "chrom\tpos\tmeth_0h\tunmeth_0h\tmeth_4h\tunmeth_4h\n"
        + "".join(f"I\t{place}\t8\t2\t3\t7\n" for place in at),
    }  # fmt: skip


GFF = "##gff-version 3\n##sequence-region I 1 600\n" + "".join(
    f"I\tx\tgene\t{at}\t{at + 80}\t.\t{strand}\t.\tID=g{at};Name=n%20{at}\n"
    f"I\tx\tmRNA\t{at}\t{at + 80}\t.\t{strand}\t.\tID=t{at};Parent=g{at}\n"
    f"I\tx\texon\t{at}\t{at + 30}\t.\t{strand}\t.\tParent=t{at}\n"
    f"I\tx\texon\t{at + 50}\t{at + 80}\t.\t{strand}\t.\tParent=t{at}\n"
    f"I\tx\tCDS\t{at + 9}\t{at + 30}\t.\t{strand}\t0\tParent=t{at};protein_id=p\n"
    for at, strand in ((10, "+"), (150, "-"), (300, "+"))
)
GTF = "".join(
    f'I\tx\t{kind}\t{at + low}\t{at + high}\t.\t+\t{phase}\tgene_id "g{at}"; transcript_id "t{at}"; biotype "x y";\n'
    for at in (10, 150, 300)
    for kind, low, high, phase in (("exon", 0, 30, "."), ("exon", 50, 80, "."), ("CDS", 9, 30, "0"))
)
VCF = (
    "##fileformat=VCFv4.2\n##contig=<ID=I,length=600>\n##contig=<ID=II,length=120>\n"
    '##INFO=<ID=DP,Number=1,Type=Integer,Description="Depth, all">\n##FILTER=<ID=PASS,Description="ok">\n'
    '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
    "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ts1\n"
    + "".join(f"I\t{at}\trs{at}\tA\tC,AG\t30\tPASS\tDP=7\tGT\t0/1\n" for at in range(10, 200, 20))
)


def bcf(folder: Path) -> bytes:
    """The VCF as BCF, not compressed."""
    (folder / "made.vcf").write_text(VCF)
    with (
        pysam.VariantFile(str(folder / "made.vcf")) as source,
        pysam.VariantFile(str(folder / "made.bcf"), "wb", header=source.header) as out,
    ):
        for record in source:
            out.write(record)
    return gzip.decompress((folder / "made.bcf").read_bytes())


def bigwig(folder: Path) -> bytes:
    rng = np.random.default_rng(1)
    steps = np.arange(0, 120, 4)
    runs = [(name, steps, steps + 4, rng.random(30).astype(np.float32)) for name in LENGTHS]
    write_bigwig(folder / "made.bw", LENGTHS, runs)
    return (folder / "made.bw").read_bytes()


def lines(row: str, count: int = 12, step: int = 40) -> str:
    return "".join(row.format(at, at + 30, at + 60, at + 90) + "\n" for at in range(1, count * step, step))


def cases(folder: Path) -> dict[str, Case]:
    """Name -> a valid input of every reader, as it stands and in whatever packs it."""
    fasta_text = "".join(f">{name} note\n{SEQUENCE[:n].lower()}\nNNRY\n" for name, n in LENGTHS.items())
    plain, calling = sam(modified=False), sam(modified=True)
    (bam, cram), (call_bam, call_cram) = alignments(folder, plain), alignments(folder, calling)
    times = "contig\tposition\trate_per_hour\tsteady_fraction\n"
    closes = "".join(f"2020-01-{day:02d},1.0,{day}.5\n" for day in range(1, 28))
    texts = {
        "FASTA": (fasta_text, fasta), "proteins": (">p1 x\nMKLVW*\n>p2\nMAAAX\nBZU\n", proteins),
        "GFF3": (GFF, annotation), "GTF": (GTF, annotation),
        "BED": ("track name=x\n" + lines("I\t{0}\t{1}\tsite{0}\t960\t+"), bed),
        "narrowPeak": (lines("I\t{0}\t{1}\tpeak{0}\t100\t.\t5.5\t9.1\t7.2\t12"), bed),
        "SAM": (plain, cuts), "SAM with calls": (calling, calls),
        "fragments": (lines("I\t{0}\t{2}\tACGT-1\t2"), cuts), "BED of reads": (lines("I\t{0}\t{1}\tr{0}\t60\t-"), cuts),
        "BEDPE, 10 columns": (lines("I\t{0}\t{1}\tI\t{2}\t{3}\tr{0}\t60\t+\t-"), cuts),
        "BEDPE, 6 columns": (lines("I\t{0}\t{1}\tI\t{2}\t{3}"), cuts),
        "VCF": (VCF, variants), "rates": (times + lines("I\t{0}\t0.5\t0.25"), rates),
        "clusters": ("p1\tp1\np1\tp2\np3\tp3\np3\tp9\n", clusters),
        "prices": ("Date,Open,Close\n" + closes, read_prices),
        "exogenous": ("Date,Mood,Posts\n" + closes, read_exogenous),
        "actions": ("session,time,action\n" + lines("s1,{0},open\ns2,{1},look"), read_actions),
        **{name: (text, counts) for name, text in tables().items()},
    }  # fmt: skip
    found = {name: Case(text.encode(), read) for name, (text, read) in texts.items()}
    for name in ("FASTA", "BED", "VCF", "SAM"):
        case = found[name]
        found[f"{name} in gzip"] = Case(gzip.compress(case.content, mtime=0), case.read, text=False)
        found[f"{name} in bgzip"] = Case(bgzip(case.content, folder / "made.gz"), case.read, text=False)
    for name, content, read in (
        ("BAM", bam, cuts),
        ("BAM with calls", call_bam, calls),
        ("BCF", bcf(folder), variants),
    ):
        found[name] = Case(content, read, text=False, packed=bgzip)
        found[f"{name}, its blocks"] = Case(bgzip(content, folder / "made.gz"), read, text=False)
    found["BCF in gzip"] = Case(gzip.compress(found["BCF"].content, mtime=0), variants, text=False)
    found["SAM with calls in bgzip"] = Case(bgzip(calling.encode(), folder / "made.gz"), calls, text=False)
    found["BAM in no compression"] = Case(call_bam, calls, text=False)
    for name, content, read in (
        ("CRAM", cram, cuts), ("CRAM with calls", call_cram, calls), ("bigWig", bigwig(folder), signal)
    ):  # fmt: skip
        found[name] = Case(content, read, text=False)
    return found


# --- mutations ---


def mutated(content: bytes, rng: np.random.Generator, *, text: bool) -> bytes:
    """Content after a change or up to three, drawn for text (fields and lines too) or for bytes alone."""
    for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
        ways = (*BYTES, *TEXT, *TEXT) if text else BYTES
        content = ways[int(rng.integers(len(ways)))](content, rng)
    return content


def _span(content: bytes, rng: np.random.Generator, most: int = 40) -> tuple[int, int]:
    first = int(rng.integers(len(content) + 1))
    return first, min(len(content), first + int(rng.integers(1, most)))


def _flip(content: bytes, rng: np.random.Generator) -> bytes:
    first, end = _span(content, rng, 2)
    return content[:first] + bytes(byte ^ 1 << int(rng.integers(8)) for byte in content[first:end]) + content[end:]


def _cut_out(content: bytes, rng: np.random.Generator) -> bytes:
    first, end = _span(content, rng)
    return content[:first] + content[end:]


def _twice(content: bytes, rng: np.random.Generator) -> bytes:
    first, end = _span(content, rng, 200)
    return content[:end] + content[first:]


def _insert(content: bytes, rng: np.random.Generator) -> bytes:
    first, _ = _span(content, rng)
    return content[:first] + rng.bytes(int(rng.integers(1, 9))) + content[first:]


def _truncate(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: int(rng.integers(len(content) + 1))]


def _number(content: bytes, rng: np.random.Generator) -> bytes:
    first, _ = _span(content, rng)
    number = ODD_NUMBERS[int(rng.integers(len(ODD_NUMBERS)))]
    return content[:first] + number + content[first + len(number) :]


def _of_lines(change: Callable[[list[bytes], int, np.random.Generator], None]) -> Callable[..., bytes]:
    def way(content: bytes, rng: np.random.Generator) -> bytes:
        rows = content.split(b"\n")
        change(rows, int(rng.integers(len(rows))), rng)
        return b"\n".join(rows)

    return way


def _of_fields(change: Callable[[list[bytes], int, np.random.Generator], None]) -> Callable[..., bytes]:
    def within(rows: list[bytes], at: int, rng: np.random.Generator) -> None:
        mark = next((mark for mark in (b"\t", b",", b" ") if mark in rows[at]), b"\t")
        fields = rows[at].split(mark)
        change(fields, int(rng.integers(len(fields))), rng)
        rows[at] = mark.join(fields)

    return _of_lines(within)


def _drop(parts: list[bytes], at: int, _: np.random.Generator) -> None:
    del parts[at]


def _repeat(parts: list[bytes], at: int, _: np.random.Generator) -> None:
    parts.insert(at, parts[at])


def _swap(parts: list[bytes], at: int, rng: np.random.Generator) -> None:
    other = int(rng.integers(len(parts)))
    parts[at], parts[other] = parts[other], parts[at]


def _join(parts: list[bytes], at: int, _: np.random.Generator) -> None:
    parts[at : at + 2] = [b"".join(parts[at : at + 2])]


def _odd(parts: list[bytes], at: int, rng: np.random.Generator) -> None:
    parts[at] = ODD_FIELDS[int(rng.integers(len(ODD_FIELDS)))]


def _carriage(parts: list[bytes], at: int, _: np.random.Generator) -> None:
    parts[at] += b"\r"


BYTES = (_flip, _cut_out, _twice, _insert, _truncate, _number)
TEXT = (
    *(_of_lines(way) for way in (_drop, _repeat, _swap, _join, _carriage)),
    *(_of_fields(way) for way in (_drop, _repeat, _swap, _odd, _odd, _odd)),
)


# --- trying ---


def ended(case: Case, path: Path) -> tuple[str, str]:
    """Read a file in this process: how it ended, and what was said."""
    try:
        case.read(path)
    except GenolstmError as problem:
        sentence = str(problem)
        return (REFUSED if sentence and "\n" not in sentence else TRACEBACK), sentence
    except (Exception, RecursionError):  # noqa: BLE001  (whatever a mutant brings about is what is counted)
        return TRACEBACK, traceback.format_exc()
    return READ, ""


def apart(case: Case, path: Path) -> tuple[str, str]:
    """As `ended`, in a process of its own with a limit of time and of memory."""
    receive, send = multiprocessing.Pipe(duplex=False)

    def child() -> None:
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 2)  # libraries in C write there what they think of a file
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
        send.send(ended(case, path))

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    send.close()
    told = (CRASH, "")
    try:
        if receive.poll(SECONDS):
            told = receive.recv()
        else:
            told = (HANG, "")
            process.kill()
    except EOFError:
        pass
    process.join()
    return told if told[0] != CRASH else (CRASH, f"exit {process.exitcode}")


def campaign(folder: Path, mutants: int, seed: int, *, names: list[str] | None = None) -> list[dict[str, object]]:
    """Mutate inputs one at a time, a kind after the other, and read each; what came of it."""
    rng, found = np.random.default_rng(seed), []
    all_cases = cases(folder)
    chosen = {name: all_cases[name] for name in names or all_cases}
    path = folder / "input"
    for name, case in chosen.items():  # also compiles what is compiled at first use, once and not in every process
        path.write_bytes(case.content if case.packed is None else case.packed(case.content, folder / "packed"))
        how, told = ended(case, path)
        assert how == READ, f"{name} as it was made: {how}: {told}"
    for number in range(mutants):
        name, case = list(chosen.items())[number % len(chosen)]
        content = mutated(case.content, rng, text=case.text)
        path.write_bytes(content if case.packed is None else case.packed(content, folder / "packed"))
        how, told = apart(case, path)
        found.append({"kind": name, "mutant": number, "ended": how, "told": told, "content": path.read_bytes()})
    return found


def main() -> int:
    """Run as many mutants as asked for, and print how many ended in which way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutants", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", action="append")
    parser.add_argument("--keep", type=Path, help="folder for the mutants that ended badly")
    asked = parser.parse_args()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        found = campaign(Path(folder), asked.mutants, asked.seed, names=asked.kind)
    for each in found:
        if each["ended"] in BAD:
            sys.stdout.write(f"{each['kind']}, mutant {each['mutant']}: {each['ended']}\n{each['told']}\n")
            if asked.keep:
                asked.keep.mkdir(parents=True, exist_ok=True)
                (asked.keep / f"{each['mutant']}").write_bytes(bytes(each["content"]))
    totals = Counter(each["ended"] for each in found)
    sys.stdout.write(f"{len(found)} mutants in {time.perf_counter() - began:.0f} s\n")
    for how in (*BAD, REFUSED, READ):
        sys.stdout.write(f"{totals[how]:6d} {how}\n")
    for kind in dict.fromkeys(each["kind"] for each in found):
        ends = [each["ended"] for each in found if each["kind"] == kind]
        sys.stdout.write(f"{kind}: {ends.count(REFUSED)} refused, {ends.count(READ)} read of {len(ends)}\n")
    return int(any(totals[how] for how in BAD))


if __name__ == "__main__":
    sys.exit(main())

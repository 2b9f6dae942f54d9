"""``genolstm ingest``: FASTA to a genome file."""

from pathlib import Path
from typing import Annotated

import typer

from genolstm.cli.command import command
from genolstm.cli.options import Output, RunOptions, refuse_all
from genolstm.cli.terminal import ProgressLine, Task, log
from genolstm.settings.model import AlphabetName

SAMPLE = 100_000  # residues that are checked for the letters of DNA


def _like_dna(letters: str) -> bool:
    return set(letters) <= set("ACGTNX")


@command()
def ingest(
    fasta: Annotated[Path, typer.Argument(help="FASTA: plain, gzip or bgzip; - is stdin.", show_default=False)],
    output: Output,
    run: RunOptions,
    alphabet: Annotated[AlphabetName, typer.Option("--alphabet", help="What the letters mean.")] = AlphabetName.DNA,
) -> None:
    """Read a FASTA file into a genome file: one byte a base, soft mask as intervals, N counted.

    Example: genolstm ingest genome.fa.gz -o genome.h5
    """
    import numpy as np

    from genolstm.alphabet import ALPHABETS, decode
    from genolstm.readers.fasta import STOP, Stops, read_fasta
    from genolstm.store.files import file_sha256
    from genolstm.store.genome import open_genome, write_genome

    task = Task("ingest", run)
    refuse_all([output], [fasta], run)
    letters = ALPHABETS[alphabet]
    stops = Stops()
    blocks = read_fasta(fasta, letters, stops=stops)
    inputs = {} if str(fasta) == "-" or not fasta.is_file() else {"fasta": file_sha256(fasta)}
    with ProgressLine("ingest", unit="symbols", quiet=run.quiet) as line:
        counted = write_genome(
            output, line.watch(blocks), letters, task.provenance({"alphabet": alphabet}, inputs),
            left_out=lambda: {STOP: stops.ended},
        )  # fmt: skip
    read_as = {letter: letters.read_as.get(letter, letters.unknown_letter) for letter in counted.letters}
    for letter, code in read_as.items():
        if letter != code:
            log.info("%s %s read as %s", f"{counted.letters[letter]:,}", letter, code)
    if alphabet is AlphabetName.PROTEIN and _like_dna(
        decode(np.unique(open_genome(output).all_codes[:SAMPLE]), letters)
    ):
        log.warning("the letters are A, C, G, T and N alone: if this is DNA, ingest it without --alphabet protein")
    if stops.ended:
        log.info("%s proteins end in *, which is no residue and was left out", f"{stops.ended:,}")
    if stops.broken:
        log.warning(
            "%s proteins hold * inside, which was read as X: these may be pseudogenes or read in a wrong frame",
            f"{stops.broken:,}",
        )
    task.done(
        output,
        {"read": counted.contigs, "used": counted.contigs, "skipped": {}},
        {
            "contigs": counted.contigs,
            "bases": counted.symbols,
            "unknown_bases": counted.unknown,
            "masked_bases": counted.masked,
            "stops": {"ended": stops.ended, "within": stops.within, "broken": stops.broken},
        },
        message=f"{counted.contigs:,} contigs, {counted.symbols:,} symbols, {counted.unknown:,} unknown",
    )

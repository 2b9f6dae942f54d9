"""Several genomes as one, whose contigs are called NAME:contig: what a model of several genomes is trained on."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np

from genolstm.alphabet import Codes
from genolstm.errors import InputError, UsageError
from genolstm.settings.model import AlphabetName
from genolstm.store.genome import COPY_BYTES, Genome
from genolstm.store.lineage import GenomeRecord

ENDINGS = {".h5", ".gz", ".bgz", ".fa", ".fasta", ".fna"}  # of a file's name, left out of the genome's


@dataclass(frozen=True, kw_only=True)
class JoinedGenome(Genome):
    """Genomes whose contigs follow each other, in the order given."""

    genomes: tuple[Genome, ...]

    @property
    def members(self) -> tuple[GenomeRecord, ...]:
        """Name, hash and number of contigs of each."""
        return tuple(
            GenomeRecord(name=genome_name(genome.path), sha256=genome.sha256, contigs=len(genome.names))
            for genome in self.genomes
        )


def members_of(genome: Genome) -> tuple[GenomeRecord, ...]:
    """The genomes that one was joined of; () of one that is not joined."""
    return genome.members if isinstance(genome, JoinedGenome) else ()


def genome_name(path: Path) -> str:
    """Name of a genome, from that of its file: its stem."""
    while path.suffix in ENDINGS:
        path = path.with_suffix("")
    return path.name


def join_genomes(genomes: Sequence[Genome]) -> Genome:
    """Several genomes as one; a single one as it is.

    Their codes are copied to an unnamed file in the folder for temporary files, and mapped from it.
    Raises UsageError for proteins; InputError where two have one name or are the same genome.
    """
    if len(genomes) == 1:
        return genomes[0]
    _check(genomes)
    names = [genome_name(genome.path) for genome in genomes]
    contigs = [f"{name}:{contig}" for name, genome in zip(names, genomes, strict=True) for contig in genome.names]
    if len(set(contigs)) < len(contigs):
        raise InputError(f"{', '.join(names)} have contigs that are one NAME:contig; rename one of the files.")
    lengths = np.concatenate([genome.lengths for genome in genomes])
    digest = hashlib.sha256()  # of names and codes, as that of a genome file
    with TemporaryFile() as spool:
        for name, codes in zip(contigs, _contigs(genomes), strict=True):
            digest.update(f">{name}\n".encode())
            for block in codes:
                digest.update(block.data)
                spool.write(block.data)
        spool.flush()
        mapped = np.memmap(spool, dtype=np.uint8, mode="c", shape=(int(lengths.sum()),))
    return JoinedGenome(
        path=Path(" + ".join(str(genome.path) for genome in genomes)),
        alphabet=genomes[0].alphabet,
        names=tuple(contigs),
        lengths=lengths,
        starts=np.cumsum(lengths) - lengths,
        unknown=np.concatenate([genome.unknown for genome in genomes]),
        mapped=mapped,
        sha256=digest.hexdigest(),
        genomes=tuple(genomes),
    )


def _contigs(genomes: Sequence[Genome]) -> Iterator[Iterator[Codes]]:
    """The codes of each contig, a block at a time."""
    for genome in genomes:
        for start, length in zip(genome.starts.tolist(), genome.lengths.tolist(), strict=True):
            yield _blocks(genome, start, start + length)


def _blocks(genome: Genome, start: int, end: int) -> Iterator[Codes]:
    for at in range(start, end, COPY_BYTES):
        yield genome.symbols(at, min(end, at + COPY_BYTES))
        genome.release()


def _check(genomes: Sequence[Genome]) -> None:
    for genome in genomes:
        if genome.alphabet.name != AlphabetName.DNA:
            raise UsageError(
                f"{genome.path} holds proteins, and several genomes are of DNA; put all proteins into one FASTA."
            )
    for place, genome in enumerate(genomes):
        for other in genomes[:place]:
            if genome.sha256 == other.sha256:
                raise InputError(f"{other.path} and {genome.path} hold the same genome; give it once.")
            if genome_name(genome.path) == genome_name(other.path):
                raise InputError(
                    f"{other.path} and {genome.path} are both called '{genome_name(genome.path)}', which stands before"
                    " the colon of NAME:contig; rename one of the files."
                )


def contigs_of(genome: Genome) -> Iterator[tuple[str, Genome, slice]]:
    """Name of each genome that one was joined of, that genome, and the places of its contigs in the joined one."""
    first = 0
    for each in genome.genomes if isinstance(genome, JoinedGenome) else ():
        yield genome_name(each.path), each, slice(first, first + len(each.names))
        first += len(each.names)


def qualified(names: Sequence[str], genome: Genome, option: str) -> tuple[str, ...]:
    """Names of contigs as a joined genome has them; of one that is not joined as they are.

    names : 'NAME:contig', or a plain name that one of the genomes alone has.   option : that gave them, for messages.
    Raises InputError for a name that several have.
    """
    if not members_of(genome):
        return tuple(names)
    return tuple(_qualified(name, genome, option) for name in names)


def _qualified(name: str, genome: Genome, option: str) -> str:
    if name in genome.names:
        return name
    found = [f"{member}:{name}" for member, each, _ in contigs_of(genome) if name in each.names]
    if len(found) > 1:
        raise InputError(f"contig '{name}' of {option} is in several of the genomes; write {' or '.join(found)}.")
    return found[0] if found else name

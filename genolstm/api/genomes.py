"""Genomes and places on them, from the files that people have."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import numpy as np
from numpy.typing import NDArray

from genolstm.alphabet import ALPHABETS
from genolstm.api.found import log
from genolstm.api.records import made_by
from genolstm.errors import UsageError
from genolstm.readers.annotation import Annotation, clip_to_genome, read_annotation
from genolstm.readers.bed import read_bed
from genolstm.readers.fasta import read_fasta
from genolstm.settings.model import AlphabetName
from genolstm.store import genome as stored
from genolstm.store.files import file_sha256, refuse_existing


class Genome(stored.Genome):
    """A genome that can be read: names and lengths of its contigs, and the codes of any place.

    Attributes
    ----------
    names, lengths
        Of the contigs, in file order.
    length_of
        Contig name to bases.
    alphabet
        What the letters mean: DNA or protein.
    path
        The file that it is read from.
    sha256
        Of names and codes; identifies the genome that a model was trained on.

    Examples
    --------
    >>> genome = gl.Genome.from_fasta("genome.fa.gz")
    >>> genome.names
    ('chrA', 'chrB', 'chrC')
    >>> genome.length_of["chrC"]
    220809
    """

    @classmethod
    def from_fasta(cls, path: str | Path, *, alphabet: str = "dna", save_to: str | Path | None = None) -> Self:
        """Read a FASTA file.

        Parameters
        ----------
        path
            FASTA: plain, gzip or bgzip.
        alphabet
            ``"dna"`` or ``"protein"``.
        save_to
            Genome file to keep, as ``genolstm ingest`` writes it; without, nothing is left on the disk.

        Returns
        -------
        Genome
            Its codes are mapped from a file, so that a large genome takes no memory.

        Raises
        ------
        InputError
            The file is missing, is no FASTA, or holds what is not of the alphabet.
        UsageError
            The alphabet is not known, or ``save_to`` exists.

        Examples
        --------
        >>> genome = gl.Genome.from_fasta("genome.fa.gz")
        >>> len(genome.names)
        3
        """
        fasta = Path(path)
        if alphabet not in ALPHABETS:
            raise UsageError(f"alphabet '{alphabet}' is not known; known are {', '.join(AlphabetName)}.")
        if save_to is not None:
            target = Path(save_to)
            refuse_existing(target, force=False, inputs=[fasta])
            _ingest(fasta, target, alphabet)
            return cls.open(target)
        with TemporaryDirectory() as folder:  # the codes stay mapped when the file's name is gone
            target = Path(folder) / "genome.h5"
            _ingest(fasta, target, alphabet)
            opened = stored.open_genome(target)
            with stored.open_soft_mask(opened) as masked:
                mask = tuple(masked(contig) for contig in range(len(opened.names)))
        return cls._of(dataclasses.replace(opened, path=fasta, soft_mask=mask))

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a genome file; see `open_genome`.

        Parameters
        ----------
        path
            File that ``genolstm ingest`` made.

        Returns
        -------
        Genome
            Its codes are mapped from the file.

        Raises
        ------
        InputError
            The file is missing, damaged, or of another kind.
        """
        return cls._of(stored.open_genome(Path(path)))

    @classmethod
    def _of(cls, opened: stored.Genome) -> Self:
        return cls(**{column.name: getattr(opened, column.name) for column in dataclasses.fields(opened)})


def _ingest(fasta: Path, target: Path, alphabet: str) -> None:
    letters = ALPHABETS[AlphabetName(alphabet)]
    blocks = read_fasta(fasta, letters)
    inputs = {"fasta": file_sha256(fasta)} if fasta.is_file() else {}
    stored.write_genome(target, blocks, letters, made_by("Genome.from_fasta", {"alphabet": alphabet}, inputs))


def open_genome(path: str | Path) -> Genome:
    """Open a genome file.

    Parameters
    ----------
    path
        File that ``genolstm ingest`` or `Genome.from_fasta` made.

    Returns
    -------
    Genome
        Its codes are mapped from the file.

    Raises
    ------
    InputError
        The file is missing, damaged, or of another kind.

    Examples
    --------
    >>> gl.open_genome("genome.h5").names
    ('chrA', 'chrB', 'chrC')
    """
    return Genome.open(path)


@dataclass(frozen=True, kw_only=True, eq=False)
class Sites:
    """Places on a genome: 0-based half-open intervals with strand and name, in the order of their file.

    Attributes
    ----------
    contig
        int32 [N], index into the genome's contigs.
    start, end
        int64 [N], 0-based, half open.
    strand
        int8 [N]: +1, -1, or 0 where none is known.
    name
        Of each; empty where no site has one.
    source
        What messages call them.
    read, skipped
        Lines of the file, and those that are not here by reason.

    Examples
    --------
    >>> genome = gl.Genome.from_fasta("genome.fa.gz")
    >>> sites = gl.Sites.from_bed("sites.bed", genome)
    >>> len(sites), sites.name[0]
    (4, 'one')
    """

    contig: NDArray[np.int32]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    strand: NDArray[np.int8]
    name: tuple[str, ...] = ()
    source: str = "the sites"
    read: int = 0
    skipped: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.start)

    @classmethod
    def from_bed(cls, path: str | Path, genome: stored.Genome) -> Self:
        """Read a BED file.

        Parameters
        ----------
        path
            BED, plain or gzip: contig, start, end, and where there are any name (column 4) and strand (column 6).
        genome
            On whose contigs they lie.

        Returns
        -------
        Sites
            Without intervals on contigs that the genome lacks; `skipped` counts them.

        Raises
        ------
        InputError
            A line is no interval or reaches over the end of its contig, or no interval is left.

        Examples
        --------
        >>> genome = gl.Genome.from_fasta("genome.fa.gz")
        >>> gl.Sites.from_bed("sites.bed", genome).start.tolist()
        [1000, 2000, 3000, 4000]
        """
        bed = read_bed(Path(path), genome.length_of, genome_name=str(genome.path))
        for warning in bed.warnings:
            log.warning("%s", warning)
        return cls(
            contig=bed.contig, start=bed.start, end=bed.end, strand=bed.strand, name=bed.name, source=str(path),
            read=bed.read, skipped=bed.skipped,
        )  # fmt: skip


def sites_of(given: Sites | str | Path, genome: stored.Genome) -> Sites:
    """Sites, or those of a BED file."""
    return given if isinstance(given, Sites) else Sites.from_bed(given, genome)


def genes_of(annotation: str | Path, genome: stored.Genome) -> Annotation:
    """Transcripts of a GTF or GFF3 that lie on the genome; what was left out is counted, and logged."""
    path = Path(annotation)
    genes, notes = clip_to_genome(
        read_annotation(path), genome.length_of, annotation_name=str(path), genome_name=str(genome.path)
    )
    for note in (*genes.warnings, *notes):
        log.warning("%s", note)
    return genes

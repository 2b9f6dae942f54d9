"""From the user's input, a protein FASTA or a genome with genes, to the chains that a model reads."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from genolstm.alphabet import PROTEIN, Alphabet
from genolstm.errors import InputError
from genolstm.probes.protein_chains import Chains, chains_of_genes, chains_of_proteins
from genolstm.probes.protein_genes import coding_genes
from genolstm.readers.annotation import clip_to_genome, read_annotation
from genolstm.readers.fasta import Stops, read_fasta
from genolstm.readers.genetic_codes import genetic_code
from genolstm.settings.model import AlphabetName
from genolstm.settings.protein import ProteinProbeSettings
from genolstm.store.checkpoint import Checkpoint
from genolstm.store.files import SIGNATURE, Provenance, Records
from genolstm.store.genome import Genome, open_genome, write_genome

NO_PROVENANCE = Provenance(command="", settings={}, seed=0, inputs={}, device="cpu")  # of a temporary file


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """Chains, and what is reported of them.

    genome : that the chains lie on, or the proteins themselves.   records : transcripts or proteins; those used are not
    yet counted.
    definition : how the chains were chosen.   notes : sentences for the log.
    """

    chains: Chains
    genome: Genome
    records: Records
    definition: dict[str, float | int | str]
    notes: tuple[str, ...] = field(default=())


def check_fits(checkpoint: Checkpoint, model_name: str, *, proteins: bool) -> None:
    """Refuse proteins for a DNA model and genes for a protein model. Raises InputError."""
    if proteins != (checkpoint.model.alphabet is AlphabetName.PROTEIN):
        wanted, instead = ("--genome and --annotation", "--proteins")[:: 1 if proteins else -1]
        raise InputError(f"{model_name} reads {checkpoint.model.alphabet}: give it {wanted} in place of {instead}.")


def protein_source(path: Path, checkpoint: Checkpoint, settings: ProteinProbeSettings, model_name: str) -> Source:
    """Chains of a protein FASTA, or of a genome file made from one. Raises InputError as their readers do."""
    opened, letters, stops = _opened_proteins(path)
    chains, how = chains_of_proteins(opened, checkpoint, settings, model_name)
    definition: dict[str, float | int | str] = {"parts": how}
    notes = [f"split: {how}"]
    if letters:
        counted = ", ".join(f"{count:,} {letter}" for letter, count in letters.items())
        definition["letters_without_value"] = counted
        notes.append(f"residues without charge and hydropathy: {counted}")
    if stops.ended:
        definition["stop_signs_left_out"] = stops.ended
        notes.append(f"{stops.ended:,} proteins end in a stop sign (*), which is no residue and was left out")
    return Source(
        chains=chains,
        genome=opened,
        records=Records(read=len(opened.names)),
        definition=definition,
        notes=tuple(notes),
    )


def _opened_proteins(path: Path) -> tuple[Genome, dict[str, int], Stops]:
    """Proteins of a file, counts of letters in them that are no residue (X alone in a genome file), stops."""
    stops = Stops()
    if path.is_file() and _begins_as_hdf5(path):
        opened = open_genome(path)
        if opened.alphabet is not PROTEIN:
            raise InputError(f"{path} holds {opened.alphabet.name}; make it with 'genolstm ingest --alphabet protein'.")
        unknown = int(opened.unknown.sum())
        return opened, {PROTEIN.unknown_letter: unknown} if unknown else {}, stops
    held, letters = genome_of_fasta(path, PROTEIN, stops)
    return held, letters, stops


def genome_of_fasta(path: Path, alphabet: Alphabet, stops: Stops | None = None) -> tuple[Genome, dict[str, int]]:
    """Records of a FASTA file as the contigs of a genome in memory, and counts of letters that became unknown.

    Raises InputError as `readers.fasta.read_fasta`.
    """
    with TemporaryDirectory() as folder:
        ingested = Path(folder) / "records.h5"
        counted = write_genome(ingested, read_fasta(path, alphabet, stops=stops), alphabet, NO_PROVENANCE)
        opened = open_genome(ingested)
        return replace(opened, path=path, mapped=np.array(opened.all_codes), check=None), counted.letters


def _begins_as_hdf5(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(len(SIGNATURE)) == SIGNATURE


def gene_source(
    genome: Genome, annotation: Path, checkpoint: Checkpoint, settings: ProteinProbeSettings, model_name: str
) -> Source:
    """Chains of the genes that an annotation names, each by its transcript of the longest CDS.

    Raises InputError as the annotation's reader does, or when no transcript codes for a whole protein.
    """
    code = genetic_code(settings.genetic_code)
    everything = read_annotation(annotation)
    genes, notes = clip_to_genome(
        everything, genome.length_of, annotation_name=str(annotation), genome_name=str(genome.path)
    )
    found, skipped = coding_genes(genome, genes.transcripts, code)
    chains = chains_of_genes(found, checkpoint, genome, settings, model_name)
    away = Counter({"transcript not on the genome": len(everything.transcripts) - len(genes.transcripts)})
    lines = ", ".join(f"{count:,} {reason}" for reason, count in genes.skipped.items())
    messages: Sequence[str] = (*genes.warnings, *notes, *([f"feature lines not used: {lines}"] if lines else []))
    return Source(
        chains=chains,
        genome=genome,
        records=Records(read=len(everything.transcripts), skipped={**skipped, **+away}),
        definition={
            "transcript": "of each gene, that of the longest whole CDS, read from the start of its first exon",
            "genetic_code": f"{code.number} ({code.name})",
            "feature_lines_not_used": lines,
        },
        notes=tuple(messages),
    )

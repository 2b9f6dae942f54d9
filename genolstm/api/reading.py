"""A model on a genome: bits of every base, and hidden states at sites."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genolstm.api.found import as_found
from genolstm.api.genomes import Sites, genes_of, sites_of
from genolstm.api.models import Model
from genolstm.api.records import Column, Result, digests_of, made_by, read_provenance
from genolstm.bench.memory_check import check_recall_memory
from genolstm.errors import InputError, UsageError
from genolstm.readers.annotation import Transcript
from genolstm.readers.region_text import parse_region
from genolstm.regions import Region, Stretches, stretches_of
from genolstm.scoring.along_genome import score_along
from genolstm.scoring.recall import plan_recall
from genolstm.scoring.whole import score_genome
from genolstm.seen import seen_in
from genolstm.settings.reading import EmbedSettings, StreamSettings, parse_pools
from genolstm.settings.recall import RecallMode, RecallSettings
from genolstm.states.sites import embed_sites
from genolstm.store.files import Records
from genolstm.store.genome import Genome
from genolstm.store.hidden import (
    Hidden,
    SiteTable,
    feature_columns,
    feature_names,
    feature_rows,
    read_hidden,
    site_columns,
    site_names,
    write_hidden,
)
from genolstm.store.score import ScoreTables, open_score, read_score_tables, write_score
from genolstm.stream.reader import GenomeReader
from genolstm.stream.seams import Seams

if TYPE_CHECKING:
    from anndata import AnnData

SLAB = 1 << 18  # bases that are written or read at a time
RECALL = tuple(each.name for each in fields(RecallSettings))


class _Bits:
    """Bits along scored bases, float32 [strands, n], in an unnamed file that the system pages as it needs."""

    def __init__(self, strands: int, bases: int) -> None:
        with TemporaryFile() as file:
            self.values = np.memmap(file, dtype=np.float32, mode="w+", shape=(strands, bases))
        self.values[:] = np.nan

    def write(self, strand: int, first: int, bits: NDArray[np.float32]) -> None:
        self.values[strand, first : first + len(bits)] = bits


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores(Result):
    """Bits of every base of a genome, both strands, and their summaries.

    Attributes
    ----------
    stretches
        What was scored.
    lengths
        Contig name to bases, of the whole genome.
    bits
        float32 [strands, bases], stretch after stretch; NaN where the base is unknown. Strand 0 is forward.
    tables
        Sums, Markov models beside them, calibration and seams, as the file of ``genolstm score`` holds them;
        ``tables.recall`` has a row for each text that recall looked in and each part.
    recall
        float32 [3, strands, bases] where recall was asked for, else None: bits that it gained over the network, bases
        matched before the base, and bases to its copy on the same contig; NaN where it did not read.
    """

    stretches: Stretches
    lengths: dict[str, int]
    bits: NDArray[np.float32]
    tables: ScoreTables
    recall: NDArray[np.float32] | None = None

    @property
    def values(self) -> dict[str, NDArray[np.float32]]:
        """Bits of each contig that was scored whole or in part, float32 [strands, L], NaN where not scored.

        Of a large genome take `bits`, which is not copied.
        """
        found: dict[str, NDArray[np.float32]] = {}
        first, rows = 0, zip(self.stretches.contig, self.stretches.start, self.stretches.end, strict=True)
        for contig, start, end in rows:
            name = self.stretches.contigs[contig]
            if name not in found:
                found[name] = np.full((len(self.bits), self.lengths[name]), np.nan, dtype=np.float32)
            found[name][:, start:end] = self.bits[:, first : first + end - start]
            first += end - start
        return found

    def table(self) -> dict[str, Column]:
        """Known bases and mean bits of each scored contig.

        Returns
        -------
        dict of str to list
            Columns ``contig, bases, bits, seen_in_training``, a row a contig; ready for ``pandas.DataFrame``.
        """
        symbols, bits = self.tables.symbols.sum(axis=(1, 2)), self.tables.bits.sum(axis=(1, 2))
        rows = np.flatnonzero(symbols).tolist()
        names = list(self.lengths)
        return {
            "contig": [names[row] for row in rows],
            "bases": [int(symbols[row]) for row in rows],
            "bits": [float(bits[row] / symbols[row]) for row in rows],
            "seen_in_training": [{1: True, 0: False, -1: None}[int(self.tables.seen[row])] for row in rows],
        }

    def _write(self, path: Path) -> None:
        strands, tracks = len(self.bits), self.recall
        with write_score(
            path, self.stretches, self.lengths, strands, self.provenance, recall=tracks is not None
        ) as file:
            for first in range(0, self.bits.shape[1], SLAB):
                for strand in range(strands):
                    file.write(strand, first, self.bits[strand, first : first + SLAB])
                    if tracks is not None:
                        file.write_recall(strand, first, *tracks[:, strand, first : first + SLAB])
            file.finish(self.tables, self.records)


def read_scores(path: Path) -> Scores:
    """Read a score file."""
    provenance, records = read_provenance(path)
    with open_score(path) as file:
        stretches, lengths = file.stretches, file.lengths
        kept = _Bits(file.strands, stretches.bases)
        tracks = [_Bits(file.strands, stretches.bases) for _ in file.recall_tracks]
        for first in range(0, stretches.bases, SLAB):
            end = min(first + SLAB, stretches.bases)
            for strand in range(file.strands):
                kept.write(strand, first, file.read(strand, first, end))
                for name, track in zip(file.recall_tracks, tracks, strict=True):
                    track.write(strand, first, file.read_recall(name, strand, first, end))
    return Scores(
        provenance=provenance, records=records, stretches=stretches, lengths=lengths, bits=kept.values,
        tables=read_score_tables(path), recall=np.stack([each.values for each in tracks]) if tracks else None,
    )  # fmt: skip


@as_found()
def score(
    model: Model,
    genome: Genome,
    region: str | None = None,
    *,
    annotation: str | Path | None = None,
    seed: int = 1,
    **settings: Any,  # noqa: ANN401
) -> "NDArray[np.float32] | Scores":
    """Bits of every base under a model: -log2 P(base | all bases before it), on both strands.

    Parameters
    ----------
    model
        Of the genome's alphabet.
    genome
        To be read.
    region
        As samtools writes it, counted from 1 with both ends in it: ``"III:1-100,000"``, or ``"III"``. Without, all of
        the genome is scored, and Markov models beside it.
    annotation
        GTF or GFF3, for a whole genome: also mean bits in coding sequence, introns and the like.
    seed
        Of the bootstrap over the annotation's classes.
    **settings
        Any field of ``genolstm.settings.reading.StreamSettings``: ``exact=True``; and of
        ``genolstm.settings.recall.RecallSettings``: ``recall="frozen"`` also mixes the network with copies and counts
        of its training sequence, ``recall="online"`` also, apart, with those of what has been scored so far.

    Returns
    -------
    numpy.ndarray or Scores
        Of a region float32 [strands, L], NaN where a base is unknown; DNA has 2 strands, the forward one first.

    Raises
    ------
    InputError
        The genome is of another alphabet, or has no such contig, or a setting is not known.
    UsageError
        The region is none, or ends past its contig; or recall is asked for of a region, of proteins, or in less memory
        than it takes.

    Examples
    --------
    >>> model, genome = gl.load("model.h5"), gl.Genome.from_fasta("genome.fa.gz")
    >>> bits = gl.score(model, genome, "chrC:1-1,000")
    >>> bits.shape, bits.dtype.name
    ((2, 1000), 'float32')
    """
    of_recall = {name: settings.pop(name) for name in RECALL if name in settings}
    stream = StreamSettings.from_json(settings, where="score").suited(model.device.type, settings)
    recall = RecallSettings.from_json(of_recall, where="score")
    model.check_reads(genome)
    reader = GenomeReader(model.evaluated(), genome, stream)
    if region is not None:
        if recall.recall is not RecallMode.NONE:
            raise UsageError("recall reads whole contigs: leave the region out, or take 'genolstm score --region'.")
        stretches = stretches_of([parse_region(region, genome.length_of)], genome.names)
        kept = _Bits(reader.strands, stretches.bases)
        score_along(reader, stretches, kept, seams=Seams())
        return np.array(kept.values)
    everything = [Region(contig=name, start=0, end=length) for name, length in genome.length_of.items()]
    records = Records(read=len(genome.names), used=len(genome.names))
    transcripts: Sequence[Transcript] = ()
    if annotation is not None:
        genes = genes_of(annotation, genome)
        transcripts = genes.transcripts
        records.read, records.used = records.read + genes.read, records.used + genes.used
        records.skipped.update(genes.skipped)
    inputs = {"model": model.sha256, "genome": genome.sha256, **digests_of({"annotation": annotation})}
    plan = None
    if recall.recall is not RecallMode.NONE:
        seen = seen_in(model.checkpoint, genome)
        everywhere = stretches_of(everything, genome.names)
        plan = plan_recall(seen, genome, everywhere, recall, genome_name=str(genome.path), model_name="the model")
        check_recall_memory(plan)
    made_with = {**stream.to_json(), **recall.to_json(), "regions": []}
    came = made_by("score", made_with, inputs, device=model.device, seed=seed)
    with TemporaryDirectory() as folder:  # bits may be more than memory holds
        path = Path(folder) / "score.h5"
        score_genome(
            reader, model.checkpoint, stretches_of(everything, genome.names), path, came, records,
            transcripts=transcripts, seed=seed, recall=plan,
        )  # fmt: skip
        return read_scores(path)


@dataclass(frozen=True, kw_only=True, eq=False)
class Embedding(Result):
    """Hidden states of a model at sites.

    Attributes
    ----------
    values
        float16 [N, D].
    sites
        Contig, start, end, strand and name of each row, sorted by contig and start.
    features
        Columns ``pass`` ('own' along the site's strand, or 'other'), ``layer``, ``part`` ('h' or the memory 'c') and
        ``unit``, all [D]; and ``pool`` ('last', 'mean' or 'max') where others than the last state were asked for.
    seams
        How far states were off where reading began anew, see ``genolstm schema hidden``.
    """

    values: NDArray[np.float16]
    sites: SiteTable
    features: dict[str, Any]
    seams: dict[str, float]

    def __len__(self) -> int:
        return len(self.sites)

    def to_anndata(self) -> "AnnData":
        """The states as scanpy takes them.

        Returns
        -------
        anndata.AnnData
            ``X`` float32 [N, D]; ``obs`` the sites, named as ``chrA:1001-1010``; ``var`` the features. The same as the
            file of ``genolstm embed --h5ad``.

        Raises
        ------
        UsageError
            anndata is not installed.

        Examples
        --------
        >>> model, genome = gl.load("pombe-256"), gl.Genome.from_fasta("genome.fa.gz")
        >>> gl.embed(model, genome, "sites.bed").to_anndata().shape
        (4, 1024)
        """
        try:
            from anndata import AnnData  # noqa: PLC0415  (optional, and slow to import)
        except ModuleNotFoundError as problem:
            raise UsageError("to_anndata needs anndata, which is not installed: pip install anndata.") from problem
        return AnnData(
            X=self.values.astype(np.float32),
            obs={"obs_names": site_names(self.sites), **site_columns(self.sites)},
            var={"var_names": feature_names(self.features), **self.features},
        )

    @property
    def as_hidden(self) -> Hidden:
        """The record that `fit_methylation` learns from."""
        return Hidden(sites=self.sites, features=self.features, states=self.values)

    def _write(self, path: Path) -> None:
        rows = np.arange(len(self.sites))
        features = feature_rows(self.features)
        passes = list(dict.fromkeys(self.features["pass"]))
        half = len(features) // len(passes)
        states = (
            (rows, reading, self.values[:, reading * half : (reading + 1) * half]) for reading in range(len(passes))
        )
        write_hidden(path, self.sites, features, states, lambda: self.seams, self.records, self.provenance)


def read_embedding(path: Path) -> Embedding:
    """Read a file of hidden states."""
    provenance, records = read_provenance(path)
    hidden = read_hidden(path)
    return Embedding(
        provenance=provenance, records=records, values=hidden.states, sites=hidden.sites, features=hidden.features,
        seams=hidden.seams,
    )  # fmt: skip


@as_found()
def embed(
    model: Model, genome: Genome, sites: Sites | str | Path, *, pool: str | Sequence[str] = "last",
    layers: Sequence[int] = (), **settings: Any,  # noqa: ANN401
) -> Embedding:  # fmt: skip
    """Hidden states of a model at sites: both strands, every layer, hidden state h and memory c.

    Parameters
    ----------
    model
        Of DNA.
    genome
        To be read, in the neighbourhood of the sites.
    sites
        Of `Sites.from_bed`, or a BED file. The state of the pass along a site's strand is taken after its last base,
        that of the other pass after its first.
    pool
        'last' for those, 'mean' or 'max' over the states after each base of a site, in each pass; or several.
    layers
        Numbers of the layers to keep, from 0, which reads the bases; all by default.
    **settings
        Any field of ``genolstm.settings.reading.StreamSettings``: ``burn_in=65536``.

    Returns
    -------
    Embedding
        Rows are sorted by contig and start.

    Raises
    ------
    InputError
        The genome is of another alphabet, every site reaches an end of its contig, or a setting is not known.
    UsageError
        A pool or a layer that there is not.

    Examples
    --------
    >>> model, genome = gl.load("pombe-256"), gl.Genome.from_fasta("genome.fa.gz")
    >>> states = gl.embed(model, genome, "sites.bed")
    >>> states.values.shape, states.values.dtype.name
    ((4, 1024), 'float16')
    >>> gl.embed(model, genome, "sites.bed", pool=("mean", "max"), layers=[0]).values.shape
    (4, 2048)
    """
    stream = StreamSettings.from_json(settings, where="embed").suited(model.device.type, settings)
    kept = EmbedSettings(pool=parse_pools(pool if isinstance(pool, str) else ",".join(pool)), layers=tuple(layers))
    model.check_reads(genome)
    places = sites_of(sites, genome)
    found = embed_sites(GenomeReader(model.evaluated(), genome, stream), places, kept, bed_name=places.source)
    values = np.zeros((len(found.sites), len(found.features)), dtype=np.float16)
    half = len(found.features) // 2
    for rows, reading, states in found.states:
        values[rows, reading * half : (reading + 1) * half] = states
    inputs = {"model": model.sha256, "genome": genome.sha256, **digests_of({"sites": places.source})}
    return Embedding(
        provenance=made_by("embed", {**stream.to_json(), **kept.to_json()}, inputs, device=model.device),
        records=found.records, values=values, sites=found.sites, features=feature_columns(found.features),
        seams=found.seams.to_json(),
    )  # fmt: skip


class _Distributions:
    """Natural log probabilities as probabilities by the forward strand's letter, float32 [strands, n, letters]."""

    def __init__(self, strands: int, bases: int, letters: int) -> None:
        self.values = np.full((strands, bases, letters), np.nan, dtype=np.float32)

    def write(self, strand: int, first: int, values: NDArray[np.float32], /) -> None:
        of_forward = values[:, ::-1] if strand else values  # complements stand in reverse order in the alphabet
        self.values[strand, first : first + len(values)] = np.exp(of_forward)


@as_found()
def probabilities(model: Model, genome: Genome, region: str, **settings: Any) -> NDArray[np.float32]:  # noqa: ANN401
    """Probability of A, C, G and T at every base of a region, given all bases before it, on both strands.

    Parameters
    ----------
    model
        Of DNA.
    genome
        To be read.
    region
        As samtools writes it, counted from 1 with both ends in it: ``"III:1-1,000"``, or ``"III"``.
    **settings
        Any field of ``genolstm.settings.reading.StreamSettings``: ``exact=True``.

    Returns
    -------
    numpy.ndarray
        float32 [2, L, 4], the forward strand first; of the reverse strand too by the forward strand's letter.

    Raises
    ------
    InputError
        The genome holds proteins or has no such contig, or a setting is not known.
    UsageError
        The region is none, or ends past its contig.

    Examples
    --------
    >>> model, genome = gl.load("model.h5"), gl.open_genome("small.h5")
    >>> gl.probabilities(model, genome, "chrC:1-100").sum(axis=2).round(3).min()
    np.float32(1.0)
    """
    stream = StreamSettings.from_json(settings, where="probabilities").suited(model.device.type, settings)
    model.check_reads(genome)
    if genome.alphabet.complement is None:
        raise InputError(f"{genome.path} holds proteins, and probabilities are those of A, C, G and T; give a genome.")
    reader = GenomeReader(model.evaluated(), genome, stream)
    stretches = stretches_of([parse_region(region, genome.length_of)], genome.names)
    kept = _Distributions(reader.strands, stretches.bases, genome.alphabet.n_known)
    score_along(reader, stretches, _Bits(reader.strands, stretches.bases), seams=Seams(), log_probabilities=[kept])
    return kept.values

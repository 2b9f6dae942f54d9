"""What a model's hidden states carry information about: linear probes, each beside its controls."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from genolstm.api.found import as_found, log
from genolstm.api.genomes import genes_of
from genolstm.api.models import Model
from genolstm.api.records import Column, Result, digests_of, listed, made_by, read_provenance
from genolstm.errors import UsageError
from genolstm.probes.folds import FoldModel, probe_folds
from genolstm.probes.protein_sources import check_fits, gene_source, protein_source
from genolstm.probes.tasks.accessibility import Chromatin
from genolstm.probes.tasks.accessibility import probe_accessibility as _probe_accessibility
from genolstm.probes.tasks.protein import probe_protein as _probe_protein
from genolstm.probes.tasks.sites import MATCHED_NEGATIVES
from genolstm.probes.tasks.splice import probe_splice as _probe_splice
from genolstm.probes.tasks.windows import check_sources, labelled_source
from genolstm.readers.bed import Bed, read_bed
from genolstm.settings.probe import AccessibilitySettings, ProbeSettings
from genolstm.settings.protein import AnyProbeSettings, ProteinProbeSettings
from genolstm.settings.reading import StreamSettings
from genolstm.settings.sites import SitesSettings
from genolstm.settings.train import Precision
from genolstm.store.files import Records
from genolstm.store.genome import Genome
from genolstm.store.results import ProbeResult, read_probe, read_probe_task, write_probe
from genolstm.store.track import Track, open_track
from genolstm.stream.reader import GenomeReader

R = TypeVar("R")


@dataclass(frozen=True, kw_only=True, eq=False)
class Probe(Result):
    """Result of a probe, with its controls.

    Attributes
    ----------
    task
        'splice', 'accessibility', 'protein' or 'sites'.
    targets
        Target to its record: sites, scores of every feature set, differences, coefficients, calibration.
    """

    task: str
    targets: Mapping[str, ProbeResult]

    @property
    def verdict(self) -> str:
        """'gain' where that of every target is, 'no gain' where that of none is, else 'mixed'."""
        found = set(self.verdicts.values())
        return next(iter(found)) if len(found) == 1 else "mixed"

    @property
    def verdicts(self) -> dict[str, str]:
        """Verdict of each target: a gain needs the paired interval over the strongest control to lie above zero."""
        return {target: result.verdict for target, result in self.targets.items()}

    def table(self) -> dict[str, Column]:
        """Every score of every feature set, controls included.

        Returns
        -------
        dict of str to list
            Columns ``target, features, score, value, low, high``, a row a score, with the 95 % interval; ready for
            ``pandas.DataFrame``.
        """
        rows = [
            (target, name, score, *estimate)
            for target, result in self.targets.items()
            for name, features in result.features.items()
            for score, estimate in features.scores.items()
        ]
        columns = ("target", "features", "score", "value", "low", "high")
        return {name: list(column) for name, column in zip(columns, zip(*rows, strict=True), strict=True)}

    def _write(self, path: Path) -> None:
        write_probe(path, self.task, self.targets, self.records, self.provenance)


def read_probe_file(path: Path) -> Probe:
    """Read a probe's result file."""
    provenance, records = read_provenance(path)
    return Probe(provenance=provenance, records=records, task=read_probe_task(path), targets=read_probe(path))


def _by_name(targets: Mapping[str, ProbeResult]) -> dict[str, ProbeResult]:
    return {str(target): targets[target] for target in sorted(targets)}  # the order in which files are read


def _reader(model: Model, genome: Genome, precision: Precision = Precision.FP32) -> GenomeReader:
    return GenomeReader(model.evaluated(), genome, StreamSettings(precision=precision).suited(model.device.type))


def _over_folds(
    models: list[Model], probe: Callable[[Model], tuple[dict[str, ProbeResult], R]], settings: AnyProbeSettings
) -> tuple[dict[str, ProbeResult], R]:
    """Result of a probe of one model, or pooled over those of all folds."""
    if len(models) == 1:
        return probe(models[0])
    folds = [FoldModel(name=each.source, checkpoint=each.checkpoint) for each in models]
    in_order = iter(models)
    return probe_folds(folds, lambda _: probe(next(in_order)), settings, log.info)


def models_and_inputs(model: Model | Sequence[Model], genome: Genome | None) -> tuple[list[Model], dict[str, str]]:
    """The model, or those of all folds, and their hashes among the inputs. genome : None where windows stand alone."""
    models = [model] if isinstance(model, Model) else list(model)
    if genome is not None:
        for each in models:
            each.check_reads(genome)
    if len(models) == 1:
        return models, {"model": models[0].sha256}
    return models, {f"model {number}": each.sha256 for number, each in enumerate(models, 1)}


@as_found()
def probe_splice(
    model: Model | Sequence[Model],
    genome: Genome,
    annotation: str | Path,
    **settings: Any,  # noqa: ANN401
) -> Probe:
    """Whether hidden states distinguish splice donors and acceptors from decoys with the same GT or AG.

    Parameters
    ----------
    model
        Of DNA. Or the models of all folds (``train(..., folds=5, fold=1)`` and so on): each site is then judged once,
        by the model that held it out.
    genome
        The one it was trained on, or another with ``train_contigs`` and ``test_contigs`` named.
    annotation
        Genes: GTF or GFF3, plain or gzip.
    **settings
        Any field of ``genolstm.settings.probe.ProbeSettings``: ``offsets="0,2,4", test_contigs="III"``.

    Returns
    -------
    Probe
        Targets 'donor' and 'acceptor'.

    Raises
    ------
    InputError
        The model has seen a test contig, a part holds no sites, or a setting is not known.
    UsageError
        A setting cannot be.

    Examples
    --------
    >>> model, genome = gl.load("model.h5"), gl.Genome.from_fasta("genome.fa.gz")
    >>> contigs = {"train_contigs": "chrA,chrB", "test_contigs": "chrC"}
    >>> few = {"offsets": "2", "twins": 1, "max_sites": 100, "resamples": 20}  # the defaults take more
    >>> result = gl.probe_splice(model, genome, "genes.gff3", **contigs, **few)
    >>> sorted(result.verdicts)
    ['acceptor', 'donor']
    >>> scores = result.table()
    >>> scores["features"][:2], scores["score"][0]
    (['trained', 'trained'], 'auprc')
    """
    chosen = ProbeSettings.from_json(listed(settings), where="probe_splice")
    models, of_models = models_and_inputs(model, genome)
    genes = genes_of(annotation, genome)
    targets, skipped = _over_folds(
        models,
        lambda each: _probe_splice(
            each.checkpoint,
            _reader(each, genome, chosen.precision),
            genes.transcripts,
            chosen,
            model_name=each.source,
            log=log.info,
        ),
        chosen,
    )
    inputs = {**of_models, "genome": genome.sha256, **digests_of({"annotation": annotation})}
    return Probe(
        provenance=made_by("probe_splice", chosen.to_json(), inputs, device=models[0].device, seed=chosen.seed),
        records=Records(read=genes.read, used=genes.used, skipped={**genes.skipped, **skipped}),
        task="splice", targets=_by_name(targets),
    )  # fmt: skip


@as_found()
def probe_accessibility(
    model: Model | Sequence[Model],
    genome: Genome,
    track: Track | str | Path,
    *,
    peaks: str | Path | None = None,
    blacklist: str | Path | None = None,
    **settings: Any,  # noqa: ANN401
) -> Probe:
    """Whether hidden states, pooled over windows, predict open chromatin: peaks (logistic) and signal (ridge).

    Parameters
    ----------
    model
        Of DNA. Or the models of all folds (``train(..., folds=5, fold=1)`` and so on): each site is then judged once,
        by the model that held it out.
    genome
        The one it was trained on, or another with ``train_contigs`` and ``test_contigs`` named.
    track
        Of ``genolstm track``: its file, or the record of `open_result`.
    peaks
        Open regions, narrowPeak or BED; without, the windows with most signal are open.
    blacklist
        BED of places to leave out.
    **settings
        Any field of ``genolstm.settings.probe.AccessibilitySettings``: ``window=500``.

    Returns
    -------
    Probe
        Targets 'peaks' and 'signal'.

    Raises
    ------
    InputError
        The model has seen a test contig, the track is of another genome, or a part has too few windows of a kind.
    UsageError
        A setting cannot be.

    Examples
    --------
    >>> model, genome = gl.load("model.h5"), gl.open_genome("genome.h5")
    >>> contigs = {"train_contigs": "chrA,chrB", "test_contigs": "chrC"}
    >>> few = {"twins": 1, "max_windows": 400, "resamples": 20, "permutations": 20}  # the defaults take more
    >>> result = gl.probe_accessibility(model, genome, "atac.h5", peaks="peaks.narrowPeak", **contigs, **few)
    >>> sorted(result.verdicts)
    ['peaks', 'signal']
    """
    chosen = AccessibilitySettings.from_json(listed(settings), where="probe_accessibility")
    counted = track if isinstance(track, Track) else open_track(Path(track))
    models, of_models = models_and_inputs(model, genome)
    chromatin = Chromatin(track=counted, peaks=_bed(peaks, genome), blacklist=_bed(blacklist, genome))
    targets, records = _over_folds(
        models,
        lambda each: _probe_accessibility(
            each.checkpoint,
            _reader(each, genome, chosen.precision),
            chromatin,
            chosen,
            model_name=each.source,
            log=log.info,
        ),
        chosen,
    )
    files = digests_of({"track": counted.path, "peaks": peaks, "blacklist": blacklist})
    inputs = {**of_models, "genome": genome.sha256, **files}
    return Probe(
        provenance=made_by("probe_accessibility", chosen.to_json(), inputs, device=models[0].device, seed=chosen.seed),
        records=records, task="accessibility", targets=_by_name(targets),
    )  # fmt: skip


def _bed(path: str | Path | None, genome: Genome) -> Bed | None:
    if path is None:
        return None
    bed = read_bed(Path(path), genome.length_of, genome_name=str(genome.path))
    for warning in bed.warnings:
        log.warning("%s", warning)
    return bed


@as_found()
def probe_protein(
    model: Model,
    genome: Genome | None = None,
    annotation: str | Path | None = None,
    *,
    proteins: str | Path | None = None,
    **settings: Any,  # noqa: ANN401
) -> Probe:
    """Whether hidden states carry information about charge and hydropathy of the polypeptide made so far.

    Parameters
    ----------
    model
        Of proteins, or of DNA.
    genome, annotation
        For a DNA model: the genome and its genes, GTF or GFF3.
    proteins
        For a protein model: FASTA, or a genome file made from one.
    **settings
        Any field of ``genolstm.settings.protein.ProteinProbeSettings``: ``positions=4``.

    Returns
    -------
    Probe
        Targets are charge and hydropathy so far and of what follows; of a DNA model also the codon frame.

    Raises
    ------
    InputError
        The model reads another alphabet, or a part has too few proteins.
    UsageError
        Neither or both kinds of input were given, or a setting cannot be.

    Examples
    --------
    >>> model, genome = gl.load("model.h5"), gl.Genome.from_fasta("genome.fa.gz")
    >>> contigs = {"train_contigs": "chrA,chrB", "test_contigs": "chrC"}
    >>> few = {"twins": 1, "positions": 2, "max_proteins": 60, "resamples": 20}  # the defaults take more
    >>> result = gl.probe_protein(model, genome, "genes.gff3", **contigs, **few)
    >>> "frame" in result.verdicts
    True
    """
    chosen = ProteinProbeSettings.from_json(listed(settings), where="probe_protein")
    if proteins is not None and (genome is not None or annotation is not None):
        raise UsageError("--proteins is for a protein model, --genome and --annotation for a DNA model; give one kind.")
    if proteins is None and (genome is None or annotation is None):
        raise UsageError("give --proteins for a protein model, or both --genome and --annotation for a DNA model.")
    check_fits(model.trained, model.source, proteins=proteins is not None)
    if genome is not None and annotation is not None:
        model.check_reads(genome)
        source = gene_source(genome, Path(annotation), model.checkpoint, chosen, model.source)
    elif proteins is not None:
        source = protein_source(Path(proteins), model.checkpoint, chosen, model.source)
    for note in source.notes:
        log.info("%s", note)
    targets, records = _probe_protein(model.checkpoint, _reader(model, source.genome), source, chosen, log=log.info)
    files = digests_of({"annotation": annotation, "proteins": proteins})
    inputs = {"model": model.sha256, "genome": genome.sha256 if genome else "", **files}
    return Probe(
        provenance=made_by("probe_protein", chosen.to_json(), inputs, device=model.device, seed=chosen.seed),
        records=records, task="protein", targets=_by_name(targets),
    )  # fmt: skip


@as_found()
def probe_sites(
    model: Model | Sequence[Model],
    genome: Genome | None = None,
    sites: str | Path | None = None,
    *,
    negatives: str | Path | None = None,
    windows: str | Path | None = None,
    labels: str | Path | None = None,
    **settings: Any,  # noqa: ANN401
) -> Probe:
    """Whether hidden states tell any labels of points or windows: two classes, several, or values.

    Parameters
    ----------
    model
        Of DNA. Or the models of all folds (``train(..., folds=5, fold=1)`` and so on): each site is then judged once,
        by the model that held it out.
    genome
        The one it was trained on, or another with ``train_contigs`` and ``test_contigs`` named.
    sites
        BED with labels as names, a table with the columns ``contig, start, end, strand, label[, part]``, or a bigWig,
        of which the mean over each window is the value.
    negatives
        For positives alone: ``"matched"`` draws negatives that are like them; or a BED of some.
    windows
        In place of genome and sites: FASTA of windows of one length, each read from its own start, with headers as
        ``>name label=yes part=test``. Parts are drawn where none is named; windows that share a 31-mer stay together.
    labels
        Of windows: table with the columns ``name, label[, part]``, in place of headers.
    **settings
        Any field of ``genolstm.settings.sites.SitesSettings``: ``window=200``.

    Returns
    -------
    Probe
        Target 'labels', or 'values'.

    Raises
    ------
    InputError
        A test site was trained on, labels are of one class or contradict each other, or a part lacks a class.
    UsageError
        A setting cannot be.

    Examples
    --------
    >>> model, genome = gl.load("model.h5"), gl.open_genome("genome.h5")
    >>> contigs = {"train_contigs": "chrA,chrB", "test_contigs": "chrC"}
    >>> few = {"offsets": "2", "twins": 1, "max_sites": 60, "ratio": 2, "resamples": 20}  # the defaults ask for more
    >>> result = gl.probe_sites(model, genome, "peaks.narrowPeak", negatives="matched", window=200, **contigs, **few)
    >>> sorted(result.verdicts)
    ['labels']
    """
    chosen = SitesSettings.from_json(listed(settings), where="probe_sites")
    models, of_models = models_and_inputs(model, genome)
    if len(models) > 1 and windows is not None:
        raise UsageError("folds are parts of a genome, and windows stand alone; give one model.")
    files = {name: Path(path) if path is not None else None for name, path in
             {"sites": sites, "windows": windows, "labels": labels}.items()}  # fmt: skip
    check_sources(
        chosen, genome=genome, sites=sites, negatives=negatives, windows=files["windows"], labels=files["labels"]
    )
    first = models[0]
    source = labelled_source(first.checkpoint, first.source, chosen, genome=genome, negatives=negatives, **files)
    for warning in source.notes:
        log.warning("%s", warning)
    if len(models) > 1 and source.names_parts:
        raise UsageError(f"{sites} names the part of each site, and folds have parts of their own; give one model.")
    targets, records = _over_folds(
        models,
        lambda each: source.probe(
            each.checkpoint,
            _reader(each, source.genome, chosen.precision),
            settings=chosen,
            model_name=each.source,
            log=log.info,
        ),
        chosen,
    )
    named = {**files, "negatives": negatives if negatives != MATCHED_NEGATIVES else None}
    inputs = {**of_models, "genome": genome.sha256 if genome else "", **digests_of(named)}
    return Probe(
        provenance=made_by("probe_sites", chosen.to_json(), inputs, device=models[0].device, seed=chosen.seed),
        records=records, task="sites", targets=_by_name(targets),
    )  # fmt: skip

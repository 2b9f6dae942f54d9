"""Files of reads or of counts, one or more samples each, to one table of counts."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genolstm.alphabet import DNA
from genolstm.errors import InputError, UsageError
from genolstm.readers.count_tables import read_count_table
from genolstm.readers.gzipped import STDIN
from genolstm.readers.modifications import count_calls
from genolstm.readers.motifs import Motif, MotifSites, Reference, motif_sites, parse_motif
from genolstm.readers.read_formats import holds_reads
from genolstm.readers.site_counts import SiteCounts
from genolstm.settings.methylation import CountSettings
from genolstm.store.counts import COLUMNS, Calling, Counts, key_columns, site_keys
from genolstm.store.files import Records
from genolstm.store.genome import Genome

SUFFIXES = frozenset({".gz", ".bgz", ".bam", ".cram", ".sam", ".bed", ".bedmethyl", ".cov", ".bismark", ".tsv", ".txt"})


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Calls of one sample. calls : at sites, before the threshold.   counted, modified : reads in the counts."""

    name: str
    calls: int
    counted: int
    modified: int

    @property
    def passing(self) -> float:
        """Fraction of the calls at sites that are counted."""
        return self.counted / self.calls if self.calls else math.nan


@dataclass(frozen=True, kw_only=True)
class Counted:
    """Counts of all samples and the account of how they came about. dropped : reason -> calls not counted.

    forms : file -> how it was read, of tables.
    """

    counts: Counts
    calling: Calling
    records: Records
    samples: tuple[Sample, ...]
    dropped: dict[str, int]
    warnings: tuple[str, ...]
    forms: dict[str, str]


def count_files(
    paths: Sequence[Path],
    names: Sequence[str],
    genome: Genome | None,
    settings: CountSettings,
    *,
    fasta: Path | None = None,
    on_progress: Callable[[str], None] = lambda _: None,
) -> Counted:
    """Count every file and join them on their sites.

    paths : reads or tables, in the order of the samples.   names : of the samples, or none: those of the tables, and
    otherwise of the files.   genome : where sites are found; tables can do without.   fasta : reference of CRAMs.
    on_progress : takes sentences on each file. Raises InputError for a file that cannot be read or has no count,
    UsageError for names that do not fit, or reads without a genome.
    """
    motif = parse_motif(settings.motif, settings.bases)
    if settings.merge_strands and not motif.is_palindrome:
        raise UsageError(f"motif '{motif}' does not read the same on both strands: leave out --merge-strands.")
    if genome is not None and genome.alphabet is not DNA:
        raise InputError(f"{genome.path} holds {genome.alphabet.name}, not DNA; give a DNA genome.")
    reference = None if genome is None else as_reference(genome)
    sites = None if reference is None else motif_sites(reference, motif)
    found: list[SiteCounts] = []
    for path in paths:
        each = _read(path, motif, settings, reference, sites, fasta)
        found.append(merged(each, motif) if settings.merge_strands else each)
        if each.form:
            on_progress(f"{path}: read as {each.form}")
        on_progress(f"{path}: {each.used:,} of {each.read:,} records used, {int(each.covered.sum()):,} calls counted")
        if each.skipped and not each.used:
            on_progress(f"{path}: skipped {'; '.join(f'{count:,} {why}' for why, count in each.skipped.items())}")
    counts = joined(found, _names(paths, found, names))
    _check_samples(counts, motif)
    return Counted(
        counts=counts,
        calling=Calling(settings.code, str(motif), settings.threshold if any(map(holds_reads, paths)) else None),
        records=Records(
            read=sum(each.read for each in found),
            used=sum(each.used for each in found),
            skipped=_added(each.skipped for each in found),
        ),
        samples=_samples(found, counts),
        dropped=_added(each.dropped for each in found),
        warnings=tuple(sentence for each in found for sentence in each.warnings) + _strand_warnings(paths, found),
        forms={str(path): each.form for path, each in zip(paths, found, strict=True) if each.form},
    )


def _strand_warnings(paths: Sequence[Path], found: Sequence[SiteCounts]) -> tuple[str, ...]:
    """Warning where some files keep the strands of a site apart and others do not: their samples share no site."""
    apart = [str(path) for path, each in zip(paths, found, strict=True) if each.strand.any()]
    merged_ = [str(path) for path, each in zip(paths, found, strict=True) if len(each.strand) and not each.strand.all()]
    if not apart or not merged_:
        return ()
    return (
        f"{merged_[0]} holds sites with both strands merged and {apart[0]} holds single strands, so that they share no"
        " site: add --merge-strands.",
    )


def as_reference(genome: Genome) -> Reference:
    """A genome file as the readers take it, which know no HDF5."""
    return Reference(
        name=str(genome.path), contigs=genome.names, start=genome.starts, length=genome.lengths, codes=genome.all_codes
    )


def _read(
    path: Path,
    motif: Motif,
    settings: CountSettings,
    reference: Reference | None,
    sites: MotifSites | None,
    fasta: Path | None,
) -> SiteCounts:
    if not holds_reads(path):
        return read_count_table(path, motif, settings, reference, sites)
    if reference is None or sites is None:
        raise UsageError(f"{path} holds reads: give the genome that they were aligned to with --genome.")
    return count_calls(path, reference, sites, settings, fasta=fasta)


def merged(found: SiteCounts, motif: Motif) -> SiteCounts:
    """Add the counts of the reverse strand to those of the forward strand's base of the same palindrome; strand 0."""
    position = found.position - np.where(found.strand < 0, motif.shift, 0)
    keys = site_keys(found.contig, position, np.zeros_like(found.strand))
    kept, place = np.unique(keys, return_inverse=True)
    sums = np.zeros((2, len(kept), len(found.samples)), np.int64)
    np.add.at(sums[0], place, found.modified)
    np.add.at(sums[1], place, found.covered)
    contig, position, strand = key_columns(kept)
    if (sums[1] > np.iinfo(np.int32).max).any():
        raise InputError(f"the two strands of a site hold {int(sums[1].max()):,} reads together; correct the counts.")
    return SiteCounts(
        **{
            **vars(found),
            "contig": contig, "position": position, "strand": strand,
            "modified": sums[0].astype(np.int32), "covered": sums[1].astype(np.int32),
        }
    )  # fmt: skip


def joined(found: Sequence[SiteCounts], names: Sequence[str]) -> Counts:
    """One table of all sites that any sample has; 0 where a sample has none. names : of all samples."""
    if len(found) == 1:
        alone: dict[str, Any] = {name: getattr(found[0], name) for name in COLUMNS}
        return Counts(contigs=found[0].contigs, samples=tuple(names), **alone)
    contigs = tuple(dict.fromkeys(name for each in found for name in each.contigs))
    index = {name: place for place, name in enumerate(contigs)}
    keys = []
    for each in found:
        place = np.array([index[name] for name in each.contigs], np.int64)[each.contig]
        keys.append(site_keys(place, each.position, each.strand))
    kept = np.unique(np.concatenate(keys))
    modified, covered = np.zeros((2, len(kept), len(names)), np.int32)
    first = 0
    for each, own in zip(found, keys, strict=True):
        columns = slice(first, first + len(each.samples))
        rows = np.searchsorted(kept, own)
        modified[rows, columns], covered[rows, columns] = each.modified, each.covered
        first = columns.stop
    contig, position, strand = key_columns(kept)
    return Counts(
        contigs=contigs, contig=contig, position=position, strand=strand, modified=modified, covered=covered,
        samples=tuple(names),
    )  # fmt: skip


def _names(paths: Sequence[Path], found: Sequence[SiteCounts], given: Sequence[str]) -> list[str]:
    """Names of all samples. Raises UsageError when they do not fit, or are not different."""
    names = [name or _stem(path) for path, each in zip(paths, found, strict=True) for name in each.samples]
    if given and len(given) != len(names):
        raise UsageError(f"{len(given)} sample names are given for {len(names)} samples; give one --sample for each.")
    names = list(given) or names
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise UsageError(f"two samples are called '{twice[0]}'; name each with --sample.")
    return names


def _stem(path: Path) -> str:
    """Name of a file without the suffixes of its format."""
    if str(path) == STDIN:
        return "stdin"
    name = Path(path.name)
    while name.suffix.lower() in SUFFIXES and name.stem:
        name = Path(name.stem)
    return name.name


def _check_samples(counts: Counts, motif: Motif) -> None:
    """Stop at a sample without a count: nothing can be fitted to it."""
    empty = [name for name, reads in zip(counts.samples, counts.covered.sum(axis=0), strict=True) if not reads]
    if empty:
        raise InputError(
            f"sample '{empty[0]}' has no counted call at {motif}; leave it out, or change --motif, --code, --threshold."
        )


def _samples(found: Sequence[SiteCounts], counts: Counts) -> tuple[Sample, ...]:
    # the calls of a table are all in its counts, whose samples are in one file
    totals = counts.covered.sum(axis=0, dtype=np.int64).tolist()
    calls = [each.calls if len(each.samples) == 1 else None for each in found for _ in each.samples]
    modified = counts.modified.sum(axis=0, dtype=np.int64).tolist()
    return tuple(
        Sample(name=name, calls=total if call is None else call, counted=total, modified=one)
        for name, call, total, one in zip(counts.samples, calls, totals, modified, strict=True)
    )


def _added(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(total.most_common())

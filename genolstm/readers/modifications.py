"""BAM, CRAM and SAM with modified bases (MM/ML, or Bismark's XM) to counts at the sites of a motif.

Where both reads of a pair call the same base, the molecule counts once, by its first read's call, as Bismark does by
default; which of the two comes first in the file does not matter.

Memory does not grow with the number of reads: 12 bytes for each place of the motif on either strand of the genome, a
few megabytes of records, and at most 42 MB for fragments whose second read may yet come. In a file sorted by
coordinate, or with mates side by side, they are few; in one of no order, 262,144 may wait, and more are refused.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genolstm.alphabet import DNA
from genolstm.errors import InputError
from genolstm.readers.bam_bytes import bam_bytes
from genolstm.readers.bam_walk import FAULT_WORDS, Fault, read_header
from genolstm.readers.bgzf import AGAIN
from genolstm.readers.call_kernels import (
    BY_MOLECULE,
    CALLS_WAITING,
    CANONICAL,
    CODES_SEEN,
    FORWARD_CODE,
    FRAGMENT,
    FRAGMENTS_WAITING,
    MIN_MAPQ,
    ONLY_CPG,
    PROGRESS,
    REVERSE_CODE,
    RULES,
    SLOTS,
    TAKES_XM,
    THRESHOLD,
    WHOLE,
    count_records,
)  # fmt: skip
from genolstm.readers.calls import AT_SITES, Call, dropped_reasons
from genolstm.readers.contig_match import matched
from genolstm.readers.gzipped import STDIN
from genolstm.readers.motifs import MotifSites, Reference
from genolstm.readers.read_filter import ReadFilter, commonest_first, skip_reasons
from genolstm.readers.site_counts import SiteCounts
from genolstm.settings.methylation import CountSettings, CountUnit

ENOUGH_CALLS, LEAST_AGREEMENT = 100, 0.5  # fewer calls on their own base mean that reads lie on another genome
XM_CODES = (frozenset("m"), frozenset("mh"))  # bisulfite cannot distinguish 5mC from 5hmC: most write 5mC for both
HALF_BYTES = "=ACMGRSVTWYHKDBN"  # bases as BAM spells them
COMPLEMENT = {"A": "T", "C": "G"}
CONTIG_SHIFT = 32  # positions of BAM have 31 bits
UNLISTED = "a code that the SAM specification does not list"


@dataclass(kw_only=True, eq=False)
class CallTally:
    """What has been counted so far. modified, covered : int32 [sites]; the others as in `count_records`."""

    modified: NDArray[np.int32]
    covered: NDArray[np.int32]
    calls: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(Call), np.int64))
    filters: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(ReadFilter), np.int64))
    seen: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(CODES_SEEN, np.uint8))

    @property
    def reads(self) -> int:
        """Reads so far."""
        return int(self.filters.sum() - self.filters[ReadFilter.SURPLUS])


def new_tally(sites: MotifSites) -> CallTally:
    """Nothing counted yet."""
    empty = np.zeros((2, len(sites.position)), np.int32)
    return CallTally(modified=empty[0], covered=empty[1])


def count_calls(
    path: Path | str, reference: Reference, sites: MotifSites, settings: CountSettings, *, fasta: Path | None = None
) -> SiteCounts:
    """Count the modified and the canonical calls of a file at the sites of a motif.

    A call counts as modified when the probabilities of the wanted codes add up to the threshold, as canonical when what
    all codes leave does; else it is dropped. A canonical base that MM does not list is canonical for certain in the
    implicit and '.' modes, and is unknown in the '?' mode.

    Parameters
    ----------
    path
        BAM, CRAM or SAM in any order, no index needed; ``-`` is standard input, BAM only.
    reference, sites
        The genome, and the places of the motif in it.
    settings
        Codes, threshold and the least mapping quality.
    fasta
        Reference of a CRAM that does not carry its own.

    Raises
    ------
    InputError
        The file is damaged or cut short, has no contig of the genome, was aligned to another genome, or has no
        read with a call of the wanted codes.
    """
    source = "standard input" if str(path) == STDIN else str(path)
    tally = new_tally(sites)
    with bam_bytes(path, source, fasta) as chunks:
        header = read_header(chunks, source)
        contig_of, warnings = match_contigs(header.names, header.lengths, reference, source)
        kept = _kernel_arguments(contig_of, reference, sites, settings, tally)
        rest = header.rest
        for chunk in _with_last(chunks):
            data = rest + chunk
            consumed, fault = count_records(np.frombuffer(data, np.uint8), *kept)
            if fault == Fault.CROWDED:
                raise InputError(
                    f"{source} has more than {FRAGMENTS_WAITING:,} read pairs whose reads lie far apart in it: sort it"
                    " (samtools sort or samtools collate), or add --count reads."
                )
            if fault:
                raise InputError(
                    f"{source}: record {tally.reads + 1} cannot be right ({FAULT_WORDS[Fault(fault)]});"
                    f" the file is damaged or was written by a faulty program; {AGAIN}, or make it again."
                )
            rest = data[consumed:]
    if rest:
        raise InputError(f"{source} is cut short (it ends within record {tally.reads + 1}); {AGAIN}.")
    return finished(source, reference, sites, settings, tally, warnings)


def _with_last(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Pass chunks on, and one empty one: the header's rest is counted also when nothing follows it."""
    yield from chunks
    yield b""


def match_contigs(
    names: tuple[str, ...], lengths: NDArray[np.int64] | None, reference: Reference, source: str
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Place in the genome of each contig of a file, -1 where the genome lacks it; and what was left out.

    lengths : bp of each, or None. Raises InputError as `contig_match.matched`.
    """
    known = dict(zip(reference.contigs, reference.length.tolist(), strict=True))
    match = matched(names, lengths, known, source=source, genome_name=reference.name)
    return np.array([reference.index.get(name, -1) for name in names], np.int64), match.warnings


def _kernel_arguments(
    contig_of: NDArray[np.int64], reference: Reference, sites: MotifSites, settings: CountSettings, tally: CallTally
) -> tuple[Any, ...]:
    """Everything that `count_records` takes after its records."""
    base = sites.motif.base
    rules = np.zeros(RULES, np.int64)
    rules[MIN_MAPQ] = settings.min_mapq
    rules[CANONICAL] = HALF_BYTES.index(base)
    rules[FORWARD_CODE], rules[REVERSE_CODE] = (DNA.letters.index(each) for each in (base, COMPLEMENT[base]))
    rules[TAKES_XM] = set(settings.code) in XM_CODES
    rules[ONLY_CPG] = sites.motif.is_cpg
    rules[BY_MOLECULE] = settings.count is CountUnit.MOLECULES
    rules[THRESHOLD] = math.ceil(settings.threshold * WHOLE)
    wanted = np.array([ord(code) for code in settings.code], np.int64)
    return (
        contig_of, rules, wanted, np.asarray(reference.codes), reference.start, reference.length, sites.position,
        sites.first, tally.modified, tally.covered, tally.calls, tally.filters, tally.seen,
        np.zeros(SLOTS, np.int64), np.empty((SLOTS, FRAGMENT), np.int64), np.empty(CALLS_WAITING, np.int64),
        np.zeros(PROGRESS, np.int64),
    )  # fmt: skip


def finished(
    source: str,
    reference: Reference,
    sites: MotifSites,
    settings: CountSettings,
    tally: CallTally,
    warnings: tuple[str, ...],
) -> SiteCounts:
    """Sites that have a count, and the account of reads and calls. Raises InputError as `count_calls`."""
    filters = dict(zip(ReadFilter, tally.filters.tolist(), strict=True))
    calls = dict(zip(Call, tally.calls.tolist(), strict=True))
    reasons = skip_reasons(settings.min_mapq, settings.code)
    _check_used(source, settings.code, tally, commonest_first(filters, reasons))
    _check_agreement(source, reference.name, sites.motif.base, calls)
    if surplus := filters[ReadFilter.SURPLUS]:
        warnings += (f"{source}: ML is longer than MM in {surplus:,} reads, whose surplus was ignored.",)
    rows = np.flatnonzero(tally.covered)
    group = np.searchsorted(sites.first, rows, side="right") - 1
    contig, strand, position = group // 2, 1 - 2 * (group % 2), sites.position[rows].astype(np.int64)
    order = np.argsort(contig << CONTIG_SHIFT | position, kind="stable")  # forward comes before reverse
    return SiteCounts(
        contigs=reference.contigs,
        contig=contig[order].astype(np.int32),
        position=position[order],
        strand=strand[order].astype(np.int8),
        modified=tally.modified[rows][order, None],
        covered=tally.covered[rows][order, None],
        samples=("",),
        read=tally.reads,
        used=filters[ReadFilter.USED],
        skipped=commonest_first(filters, reasons),
        calls=sum(calls[kind] for kind in AT_SITES),
        dropped=commonest_first(calls, dropped_reasons(str(sites.motif), settings.threshold)),
        warnings=warnings,
    )


def _check_used(source: str, code: str, tally: CallTally, skipped: Mapping[str, int]) -> None:
    """Stop where no read is usable, with the reasons. skipped : reason -> reads."""
    if not tally.reads:
        raise InputError(f"{source} holds no reads; give a file that does.")
    if tally.filters[ReadFilter.USED]:
        return
    why = "; ".join(f"{count:,} {reason}" for reason, count in skipped.items())
    if tally.filters[ReadFilter.OTHER_CODES]:
        seen = ", ".join(chr(each) if each else UNLISTED for each in np.flatnonzero(tally.seen).tolist())
        others = f"modifications {seen}" if seen else "methylation of C by XM"
        raise InputError(f"{source} holds no call of '{code}', but {others} ({why}); choose another --code.")
    if tally.filters[ReadFilter.NO_TAGS]:
        raise InputError(
            f"{source} holds no read with an MM or XM tag that could be used ({why}): of nanopore or PacBio, call"
            " modified bases first and keep their tags when aligning (minimap2 -y); of bisulfite that Bismark did not"
            " align, as by bwa-meth, extract the calls with MethylDackel and give its bedGraph."
        )
    raise InputError(f"no read of {source} could be used ({why}); give aligned reads, or lower --min-mapq.")


def _check_agreement(source: str, genome: str, base: str, calls: Mapping[Call, int]) -> None:
    """Stop where most calls do not lie on their own base: the reads were aligned to something else."""
    good = sum(calls[kind] for kind in AT_SITES) - calls[Call.IMPLIED] + calls[Call.OFF_MOTIF] + calls[Call.ELSEWHERE]
    total = good + calls[Call.MISMATCH]
    if total >= ENOUGH_CALLS and good < LEAST_AGREEMENT * total:
        raise InputError(
            f"{source} was aligned to another genome: only {good:,} of {total:,} calls lie on {base} in {genome}; give"
            " the genome that it was aligned to."
        )

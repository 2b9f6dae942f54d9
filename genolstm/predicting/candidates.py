"""Which places of a genome a probe is asked about: those that its task would take for candidates, or those named."""

from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError, UsageError
from genolstm.probes.apply import FittedProbe
from genolstm.probes.splice_sites import DINUCLEOTIDES, Target
from genolstm.readers.bed import Bed
from genolstm.regions import Region, Stretches, stretches_of
from genolstm.settings.predict import PredictSettings
from genolstm.states.sites import neighbourhoods
from genolstm.store.candidates import Found
from genolstm.store.genome import Genome

Ints = NDArray[np.int64]

SLAB = 1 << 18  # bases of the genome that are looked through at a time
AT_END, UNKNOWN_BASE = "at a contig's end, where no state stands", "window with an N"
SPLICE = "splice"


def candidates_of(
    probe: FittedProbe,
    genome: Genome,
    regions: Stretches,
    sites: Bed | None,
    settings: PredictSettings,
    reach: int,
    skipped: Counter[str],
) -> Iterator[Found]:
    """Candidates of one probe, slab by slab along the genome.

    regions : where they lie.   sites : these and no others.   reach : bases on either side of a position that its
    states need.   skipped : gets how many have no states, and why.
    Raises UsageError where it is not said what the candidates of a probe of points are.
    """
    if sites is not None:
        return _listed(probe, genome, sites, reach, skipped)
    if probe.pooling:
        _refuse("--every-base" if settings.every_base else "", "a probe of points", probe)
        return _windows(probe, genome, regions, settings.step or probe.width, skipped)
    _refuse("--step" if settings.step else "", "a probe of windows", probe)
    if settings.every_base:
        return _points(genome, regions, reach, skipped, None)
    if probe.task == SPLICE:
        return _points(genome, regions, reach, skipped, Target(probe.target))
    raise UsageError(
        f"{probe.path} holds a probe of labelled points, which could lie at any base: name candidates with --sites, or"
        " take all bases with --every-base."
    )


def _refuse(option: str, what: str, probe: FittedProbe) -> None:
    if option:
        raise UsageError(f"{option} is for {what}, and {probe.path} holds none; leave it out.")


def read_around(genome: Genome, regions: Stretches, sites: Bed | None, reach: int, burn_in: int) -> Stretches:
    """What has to be read for all states of candidates in some regions, or at some sites."""
    if sites is not None:
        start, end = np.maximum(sites.start - reach - 1, 0), sites.end + reach + 1
        return neighbourhoods(
            genome, sites.contig, start, np.minimum(end, genome.lengths[sites.contig]), burn_in
        )  # fmt: skip
    rows = zip(regions.contig.tolist(), regions.start.tolist(), regions.end.tolist(), strict=True)
    wider = [
        Region(
            contig=genome.names[contig], start=max(0, start - reach - 1),
            end=min(int(genome.lengths[contig]), end + reach + 2),
        )
        for contig, start, end in rows
    ]  # fmt: skip
    return stretches_of(wider, genome.names)


def _slabs(regions: Stretches, step: int = 1) -> Iterator[tuple[int, Ints]]:
    """Contig and positions that are multiples of a step, some at a time."""
    rows = zip(regions.contig.tolist(), regions.start.tolist(), regions.end.tolist(), strict=True)
    for contig, start, end in rows:
        first = -(-start // step) * step
        for low in range(first, end, SLAB * step):
            yield contig, np.arange(low, min(low + SLAB * step, end), step, dtype=np.int64)


def _points(
    genome: Genome, regions: Stretches, reach: int, skipped: Counter[str], target: Target | None
) -> Iterator[Found]:
    """Every base of both strands, or those with the dinucleotide of a splice site."""
    for contig, position in _slabs(regions):
        inside = (position >= reach + 1) & (position + reach + 1 < genome.lengths[contig])
        found = []
        for sign in (1, -1):
            strand = np.full(len(position), sign, dtype=np.int8)
            here = np.ones(len(position), dtype=np.bool_)
            if target is not None:
                here = DINUCLEOTIDES[target].at(genome, contig, position, strand)
            skipped[AT_END] += int((here & ~inside).sum())
            kept = here & inside
            found.append((position[kept], strand[kept]))
        genome.release()
        places, strands = (np.concatenate(column) for column in zip(*found, strict=True))
        yield Found(genome.starts[contig] + places, strands)


def _windows(
    probe: FittedProbe, genome: Genome, regions: Stretches, step: int, skipped: Counter[str]
) -> Iterator[Found]:
    """Windows that lie in the regions whole, begin at multiples of the step, and have no unknown base."""
    for contig, start in _slabs(regions, step):
        mine = regions.contig == contig
        region = np.searchsorted(regions.start[mine], start, side="right") - 1
        whole = start[start + probe.width <= regions.end[mine][region]]
        yield _readable_windows(genome, np.full(len(whole), contig), whole, probe.width, skipped)


def _readable_windows(genome: Genome, contig: Ints, start: Ints, width: int, skipped: Counter[str]) -> Found:
    """Windows whose states all stand: the pass over a contig leaves none after its last base."""
    inside = (start >= 1) & (start + width < genome.lengths[contig])
    address = genome.starts[contig] + start
    known = np.zeros(len(start), dtype=np.bool_)
    step = max(1, (1 << 22) // width)
    for first in range(0, len(start), step):
        rows = slice(first, first + step)
        within = np.minimum(address[rows, None] + np.arange(width), len(genome.all_codes) - 1)
        known[rows] = (genome.all_codes[within] < genome.alphabet.n_known).all(axis=1)
    genome.release()
    skipped[AT_END] += int((~inside).sum())
    skipped[UNKNOWN_BASE] += int((inside & ~known).sum())
    kept = inside & known
    return Found(address[kept], np.ones(int(kept.sum()), dtype=np.int8))


def _listed(probe: FittedProbe, genome: Genome, sites: Bed, reach: int, skipped: Counter[str]) -> Iterator[Found]:
    """Candidates of a BED file: points of one base, windows of the probe's width. Raises InputError for others."""
    width = sites.end - sites.start
    wanted = probe.width if probe.pooling else 1
    if (width != wanted).any():
        raise InputError(
            f"--sites holds intervals of {int(width.min()):,} to {int(width.max()):,} bp, and {probe.path} was fitted"
            f" to {'windows' if probe.pooling else 'points'} of {wanted} bp; give intervals of that length."
        )
    order = np.lexsort((sites.start, sites.contig))
    contig, start = sites.contig[order].astype(np.int64), sites.start[order]
    if probe.pooling:
        found = _readable_windows(genome, contig, start, probe.width, skipped)
    else:
        inside = (start >= reach + 1) & (start + reach + 1 < genome.lengths[contig])
        skipped[AT_END] += int((~inside).sum())
        strand = np.where(sites.strand[order] < 0, np.int8(-1), np.int8(1))  # as when the probe was fitted
        found = Found((genome.starts[contig] + start)[inside], strand[inside])
    keys = np.unique(2 * found.address + (found.strand < 0))
    if again := len(found.address) - len(keys):
        skipped["the same site again"] += again
    yield Found(keys >> 1, np.where(keys & 1, -1, 1).astype(np.int8))

"""Contigs of an input and of the genome: common ones, those left out, and when the two cannot belong together."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError

NAMES_SHOWN = 8  # contigs that a message lists before '...'
LONGEST_SHOWN = 100  # characters of one of them


class Match(NamedTuple):
    """Where the contigs of an input lie in the genome.

    first : int64 [contigs of the input], where each begins when the contigs of the genome are laid end to end; -1 for
    one that the genome lacks.   observed : bool [contigs of the genome], True where the input has the contig.
    warnings : one sentence for each kind of contig left out.
    """

    first: NDArray[np.int64]
    observed: NDArray[np.bool_]
    warnings: tuple[str, ...]


def matched(
    names: Sequence[str],
    found_lengths: Sequence[int] | NDArray[np.int64] | None,
    lengths: Mapping[str, int],
    *,
    source: str,
    genome_name: str,
) -> Match:
    """Match contigs by their names.

    found_lengths : bp, as the input gives them; None where it gives none.   lengths : bp of the genome's contigs.
    Raises InputError where they have no contig in common, a length differs, or a name occurs twice in the input.
    """
    _check(names, source)
    firsts = dict(zip(lengths, np.cumsum([0, *lengths.values()]).tolist(), strict=False))
    shared = [name for name in names if name in lengths]
    if not shared:
        raise InputError(_nothing_shared(names, list(lengths), source, genome_name))
    if found_lengths is not None:
        _check_lengths(dict(zip(names, map(int, found_lengths), strict=True)), lengths, source, genome_name)
    here = set(names)
    bare = [name for name in lengths if name not in here]
    foreign = [name for name in names if name not in lengths]
    warnings = []
    if foreign:
        warnings.append(f"{_count(foreign)} of {source} not in {genome_name}, left out: {listed(foreign)}.")
    if bare:
        warnings.append(f"{_count(bare)} of {genome_name} not in {source}, kept as not observed: {listed(bare)}.")
    return Match(
        first=np.array([firsts.get(name, -1) for name in names], dtype=np.int64),
        observed=np.array([name in here for name in lengths], dtype=np.bool_),
        warnings=tuple(warnings),
    )


def _check(names: Sequence[str], source: str) -> None:
    if not names:
        raise InputError(f"{source} names no contigs in its header: its reads were not aligned; align them first.")
    if len(set(names)) != len(names):
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise InputError(f"{source} names the contig '{twice}' twice in its header; correct the header.")


def _check_lengths(found: Mapping[str, int], lengths: Mapping[str, int], source: str, genome_name: str) -> None:
    other = [name for name in found if name in lengths and found[name] != lengths[name]]
    if other:
        name, more = other[0], f", and {len(other) - 1:,} more differ" if len(other) > 1 else ""
        wrong = f"{printable(name)} has {found[name]:,} bp in {source} and {lengths[name]:,} bp in {genome_name}{more}"
        raise InputError(
            f"{source} was aligned to another genome: {wrong}; align the reads to this genome, or ingest the other one."
        )


def _nothing_shared(names: Sequence[str], genome_names: list[str], source: str, genome_name: str) -> str:
    bare_names = {name.removeprefix("chr") for name in genome_names}
    if any(name.removeprefix("chr") in bare_names for name in names):
        remedy = "they differ by the prefix 'chr', rename the contigs of one of the two"
    else:
        remedy = "give reads that were aligned to this genome"
    return (
        f"no contig of {source} is in {genome_name}: the first has {listed(names)} and the second has"
        f" {listed(genome_names)}; {remedy}."
    )


def _count(names: Sequence[str]) -> str:
    return f"{len(names)} contig{'s' * (len(names) != 1)}"


def listed(names: Iterable[str]) -> str:
    """First few names, and '...' where there are more; control characters in them are escaped."""
    names = list(names)
    return ", ".join(map(printable, names[:NAMES_SHOWN])) + ", ..." * (len(names) > NAMES_SHOWN)


def printable(name: str) -> str:
    """A name as a terminal can show it: control characters as escapes, and cut where it has no end."""
    shown = name if len(name) <= LONGEST_SHOWN else name[:LONGEST_SHOWN] + "..."
    return shown if shown.isprintable() else repr(shown)[1:-1]

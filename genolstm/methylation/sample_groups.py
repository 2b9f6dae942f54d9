"""Samples as a table names them: counts of one group side by side, in the order of time, replicates as samples."""

from collections.abc import Sequence
from dataclasses import replace

from genolstm.errors import InputError, UsageError
from genolstm.methylation.samples import joined
from genolstm.readers.sample_tables import SampleRow
from genolstm.store.counts import Counts, read_counts

LEAST_REPLICATES = 2  # of a group that is compared: else a sample's own difference passes for the group's


def groups_of(rows: Sequence[SampleRow]) -> tuple[str, ...]:
    """Names of the groups, in alphabetical order."""
    return tuple(sorted({row.group for row in rows}))


def rows_of(rows: Sequence[SampleRow], group: str | None, source: str) -> tuple[SampleRow, ...]:
    """Samples of one group, or of the only one. Raises UsageError where there are several, or not this one."""
    groups = groups_of(rows)
    if group is None and len(groups) > 1:
        raise UsageError(
            f"{source} has the groups {', '.join(groups)}: name the one to fit with --group, or compare two with"
            " 'genolstm methylation compare'."
        )
    if group is not None and group not in groups:
        raise UsageError(f"{source} has no group '{group}'; it has {', '.join(groups)}.")
    return tuple(row for row in rows if group in {None, row.group})


def pair_of(rows: Sequence[SampleRow], chosen: Sequence[str], source: str) -> tuple[str, str]:
    """The two groups to compare. Raises UsageError where they are not two, InputError for too few replicates."""
    groups = tuple(chosen) or groups_of(rows)
    if len(set(groups)) != 2:
        told = ", ".join(groups)
        raise UsageError(f"two groups are compared, not {len(set(groups))} ({told}): name two, each with --group.")
    for group in groups:
        mine = rows_of(rows, group, source)
        replicates = {row.replicate for row in mine}
        if len(replicates) < LEAST_REPLICATES:
            raise InputError(
                f"group '{group}' of {source} has one replicate where {LEAST_REPLICATES} are needed: a difference"
                " between groups cannot be told from one between two samples; add a replicate."
            )
        if len({row.time for row in mine}) < 2:
            raise InputError(f"group '{group}' of {source} has one time; rate and steady fraction need two.")
    return groups[0], groups[1]


def counts_of(rows: Sequence[SampleRow]) -> Counts:
    """Counts of samples side by side, in the order of the rows, each named by group, time and replicate.

    Raises InputError for a file that does not hold the sample, or several of which none is named, and as
    `samples.joined`.
    """
    tables = [_one_sample(row) for row in rows]
    return joined(tables, [str(row.file) for row in rows])


def _one_sample(row: SampleRow) -> Counts:
    counts = read_counts(row.file)
    if row.sample and row.sample not in counts.samples:
        raise InputError(f"{row.file} has no sample '{row.sample}'; it has {', '.join(counts.samples)}.")
    if not row.sample and len(counts.samples) > 1:
        raise InputError(
            f"{row.file} holds {len(counts.samples)} samples ({', '.join(counts.samples[:6])}): name one in a column"
            " 'sample' of the table."
        )
    place = counts.samples.index(row.sample) if row.sample else 0
    name = f"{row.group}:{row.time:g}:{row.replicate}"
    columns = {each: getattr(counts, each)[:, place : place + 1] for each in ("modified", "covered")}
    return replace(counts, samples=(name,), **columns)

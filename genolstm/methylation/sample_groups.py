"""Samples as a table names them: counts of one group side by side, in the order of time, replicates as samples."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from genolstm.errors import InputError, UsageError
from genolstm.methylation.samples import side_by_side
from genolstm.readers.sample_tables import SampleRow
from genolstm.store.counts import Counts, CountsFile, CountTable, open_counts

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


@contextmanager
def opened(rows: Sequence[SampleRow]) -> Iterator[CountTable]:
    """Open the counts of samples side by side, in the order of the rows, each named by group, time and replicate.

    Raises InputError for a file that does not hold the sample, or several of which none is named, and as
    `samples.joined`.
    """
    with ExitStack() as stack:
        files = [_one_sample(stack.enter_context(open_counts(row.file)), row) for row in rows]
        yield side_by_side(files, [str(row.file) for row in rows])


def counts_of(rows: Sequence[SampleRow]) -> Counts:
    """Read what `opened` opens."""
    with opened(rows) as table:
        return table.part(0, len(table))


def _one_sample(file: CountsFile, row: SampleRow) -> CountsFile:
    if row.sample and row.sample not in file.samples:
        raise InputError(f"{row.file} has no sample '{row.sample}'; it has {', '.join(file.samples)}.")
    if not row.sample and len(file.samples) > 1:
        raise InputError(
            f"{row.file} holds {len(file.samples)} samples ({', '.join(file.samples[:6])}): name one in a column"
            " 'sample' of the table."
        )
    return file.only(row.sample or file.samples[0], f"{row.group}:{row.time:g}:{row.replicate}")

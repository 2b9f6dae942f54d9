"""``control``: features that another program made of labelled sites, judged as hidden states are."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError, UsageError
from genolstm.probes.feature_table import FeatureTable, LabelledPlaces, rows_in_table
from genolstm.probes.labelled_rows import LabelledRows, that_can_be_read
from genolstm.probes.run import judge_states
from genolstm.probes.site_truth import truth_of
from genolstm.probes.splits import split_by_contigs
from genolstm.probes.state_sources import ModelStates
from genolstm.probes.task import RANDOM_INIT, TRAINED, Log
from genolstm.probes.tasks.sites import Labels, hygiene, of_points, of_windows, rows_of
from genolstm.readers.labelled_sites import LabelledSites, WindowMeans
from genolstm.regions import Stretches
from genolstm.seeds import spawn
from genolstm.settings.control import ControlSettings
from genolstm.settings.site_reading import SiteReading
from genolstm.settings.sites import LabelKind
from genolstm.store.files import Records
from genolstm.store.genome import Genome
from genolstm.store.results import ProbeResult

NO_TWIN = "no random-init twin was given: sequence controls alone"
UNKNOWN_TRAINING = (
    "what the features were trained on is not known here: held-out contigs are held out from the probe alone"
)


def judge_table(
    table: FeatureTable,
    twins: Sequence[FeatureTable],
    labels: Labels,
    genome: Genome,
    settings: ControlSettings,
    *,
    log: Log,
) -> tuple[dict[str, ProbeResult], Records]:
    """Result of a table of features at labelled sites, and what became of the rows of the labels.

    twins : tables of the same program before any training, of as many columns; may be none.
    log : called with a sentence as each step is done.
    Raises InputError where rows do not fit the sites, labels are of one class or contradict each other, or a part lacks
    a class; UsageError where nothing says which sites are for test.
    """
    asked = settings.of_sites
    every = rows_of(labels, genome, asked, log)
    rows, split = _in_parts(every, labels, genome, settings)
    rows = that_can_be_read(rows.once(genome.names), genome, 0)
    rows = rows.at_most(settings.max_sites, spawn(settings.seed, "sites"))
    if not len(rows):
        why = "; ".join(f"{count:,} {reason}" for reason, count in rows.skipped.items())
        raise InputError(f"no site of {labels.source} can be used ({why}); name contigs that hold some.")
    kind = LabelKind.VALUES if isinstance(labels.found, WindowMeans) else settings.labels_as
    truth = truth_of(rows.label.tolist(), kind, settings.positive, labels.source, may_draw=False)
    truth.require_parts(rows.part, labels.source)
    tables = _matched([table, *twins], _places(labels, every, genome), rows.row, log)
    definition = hygiene(rows, truth, asked, log) | _definition(tables, twins)
    log(str(definition["held_out"]))
    if rows.width == 1:
        task, _ = of_points(genome, rows, truth, split, asked, definition, None)
    else:
        task, _ = of_windows(genome, rows, truth, split, asked, definition)
    task = replace(task, readings=(SiteReading(),), components=0, pooling=())
    results = judge_states([task], _states(tables, log), settings, log)
    return results, Records(read=rows.read, used=len(rows), skipped=dict(rows.skipped))


def _places(labels: Labels, every: LabelledRows, genome: Genome) -> LabelledPlaces:
    """Sites as their file has them; windows of a signal as they were made."""
    found, names = labels.found, np.array(genome.names)
    if isinstance(found, LabelledSites):
        return LabelledPlaces(
            source=labels.source, contig=names[found.contig].tolist(), start=found.start, end=found.end,
            strand=found.strand, name=found.name, left_out=found.read - len(found),
        )  # fmt: skip
    return LabelledPlaces(
        source=labels.source, contig=names[every.contig].tolist(), start=every.start, end=every.start + every.width,
        strand=every.strand, name=(), left_out=every.read - len(every),
    )  # fmt: skip


class _Matched:
    """A table, the row of it that each used site has, and by what that is known."""

    def __init__(self, table: FeatureTable, places: LabelledPlaces, used: NDArray[np.int64]) -> None:
        self.table = table
        self.row, self.by = rows_in_table(table, places, used)


def _matched(
    tables: Sequence[FeatureTable], places: LabelledPlaces, used: NDArray[np.int64], log: Log
) -> list[_Matched]:
    """Tables with their rows matched to some of the places.

    Raises InputError where they do not fit the sites or each other.
    """
    columns = tables[0].features.shape[1]
    for table in tables[1:]:
        if table.features.shape[1] != columns:
            raise InputError(
                f"{table.path} has {table.features.shape[1]:,} features and {tables[0].path} {columns:,}; a random-init"
                " twin is the same model before training, with features of the same shape."
            )
    found = [_Matched(table, places, used) for table in tables]
    for each in found:
        for note in each.table.notes:
            log(note)
        unused = len(each.table) - len(np.unique(each.row))
        log(
            f"{each.table.path}: {len(each.table):,} rows of {columns:,} features, matched to sites by {each.by}"
            + (f"; {unused:,} rows are of no site that is used" if unused else "")
        )
    return found


def _in_parts(
    rows: LabelledRows, labels: Labels, genome: Genome, settings: ControlSettings
) -> tuple[LabelledRows, Stretches | None]:
    """Rows with the part that each is for, by the file or by contigs that are named: no model says it here."""
    named = settings.train_contigs or settings.valid_contigs or settings.test_contigs
    if isinstance(labels.found, LabelledSites) and labels.found.names_parts:
        if named:
            raise UsageError(f"{labels.source} names the part of each site; leave --train-contigs and the like out.")
        return rows, None
    if not settings.test_contigs:
        raise UsageError(
            "no model says which sites are for test; name --test-contigs (and --train-contigs), or give the labels a"
            " column 'part'."
        )
    split = split_by_contigs(genome, settings.of_sites, settings.valid_contigs)
    return rows.in_parts_of(split), split


def _definition(tables: Sequence[_Matched], twins: Sequence[FeatureTable]) -> dict[str, Any]:
    return {
        "features": tables[0].table.path.name,
        "rows_matched_by": tables[0].by,
        "random_init": f"{len(twins)} random-init twin{'s' * (len(twins) > 1)} given by the user" if twins else NO_TWIN,
        "held_out": UNKNOWN_TRAINING,
    }


def _states(tables: Sequence[_Matched], log: Log) -> Iterator[Iterator[ModelStates]]:
    """The rows of each table at the sites, as the states of a model."""
    for index, each in enumerate(tables):
        name = f"{RANDOM_INIT}{index}" if index else TRAINED
        log(f"features of {each.table.path} ({name}), {index + 1} of {len(tables)}")
        yield iter([ModelStates(name=name, states=each.table.features[each.row])])

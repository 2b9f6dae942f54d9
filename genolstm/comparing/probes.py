"""Probe results on the test sites that all of them share."""

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.comparing.measured import Floats, Measured
from genolstm.errors import InputError
from genolstm.probes.scores import BlockResamples, block_bootstrap, resampled
from genolstm.probes.task import BINARY, CONTINUOUS, MULTICLASS, TRAINED, TargetType
from genolstm.probes.verdicts import FEWEST_POSITIVES
from genolstm.regions import Part
from genolstm.seeds import spawn
from genolstm.store.comparison import Shared
from genolstm.store.results import ProbeResult

TYPES: dict[str, TargetType] = {each.ranked: each for each in (BINARY, MULTICLASS, CONTINUOUS)}
GAIN = "gain in {}"
Results = Mapping[str, ProbeResult]
Rows = NDArray[np.intp]


class _Matched(NamedTuple):
    """Results of one target, and the rows of each that are the same test sites, in one order."""

    results: Sequence[ProbeResult]
    rows: Sequence[Rows]
    left_out: int


def measured_probes(
    files: Mapping[str, Results], *, resamples: int, seed: int
) -> tuple[list[Measured], list[Shared], list[str]]:
    """Ranked score of the trained states, and the gain over each file's own best control, of every shared target.

    Blocks are those of the first file. Returns the measures, what is shared, and notes.
    Raises InputError where files share no target or no test site, or judge one target by different scores.
    """
    measured: list[Measured] = []
    shared: list[Shared] = []
    notes: list[str] = []
    for target in _targets(files):
        matched = _matched(target, {name: results[target] for name, results in files.items()})
        block = matched.results[0].sites.block[matched.rows[0]]
        draws = block_bootstrap(block, resamples, spawn(seed, "bootstrap"))
        positives = _positives(matched)
        measured += _measures(target, matched, draws, few_positives=positives < FEWEST_POSITIVES)
        shared.append(Shared(target, len(block), draws.multiplicity.shape[1]))
        if matched.left_out:
            notes.append(f"{target}: {matched.left_out:,} test sites that not all files have are left out.")
        if positives < FEWEST_POSITIVES:
            notes.append(
                f"{target}: a verdict needs {FEWEST_POSITIVES} positives among the shared test sites, and there are"
                f" {positives}."
            )
        notes += _controls(target, dict(zip(files, matched.results, strict=True)))
    return measured, shared, notes


def _targets(files: Mapping[str, Results]) -> list[str]:
    """Targets of all files. Raises InputError where there are none."""
    first, *others = files.values()
    if found := [target for target in first if all(target in each for each in others)]:
        return found
    told = "; ".join(f"{name} has {', '.join(results)}" for name, results in files.items())
    raise InputError(f"the probe results share no target ({told}); compare results of one task.")


def _matched(target: str, results: Mapping[str, ProbeResult]) -> _Matched:
    """Test sites that agree in contig, position, end, strand and truth. Raises InputError where there are none."""
    ranked = {name: each.ranked for name, each in results.items()}
    if len(set(ranked.values())) > 1:
        told = ", ".join(f"{name} by {score}" for name, score in ranked.items())
        raise InputError(f"{target} is judged by different scores ({told}); compare results of one kind of truth.")
    contigs: dict[str, int] = {}
    keyed = [_keys(each, contigs) for each in results.values()]
    common = reduce(np.intersect1d, [keys for keys, _ in keyed])
    if not len(common):
        raise InputError(
            f"{' and '.join(results)} share no test site of {target} with the same contig, position, strand and label;"
            " probe the models on the same sites and the same test contigs."
        )
    rows = [test[np.intersect1d(common, keys, return_indices=True)[2]] for keys, test in keyed]
    left_out = max(len(keys) for keys, _ in keyed) - len(common)
    return _Matched(list(results.values()), rows, left_out)


def _keys(result: ProbeResult, contigs: dict[str, int]) -> tuple[NDArray[Any], Rows]:
    """What tells test sites apart, [n], and their rows. contigs : name -> number, filled on the way."""
    sites = result.sites
    test = np.flatnonzero(sites.part == Part.TEST)
    number = np.array([contigs.setdefault(name, len(contigs)) for name in sites.contigs], np.int64)
    fields = ("contig", "position", "width", "strand", "truth")
    keys = np.zeros(len(test), dtype=[(name, np.int64) for name in fields])
    truth = np.ascontiguousarray(result.features[TRAINED].label)[test]
    keys["contig"], keys["position"], keys["width"] = number[sites.contig[test]], sites.position[test], result.width
    keys["strand"] = sites.strand[test]
    keys["truth"] = truth.view(np.int32) if truth.dtype == np.float32 else truth  # values are compared to the last bit
    return keys, test


def _positives(matched: _Matched) -> float:
    """Positive rows of two classes; without end where a target has others."""
    result, rows = matched.results[0], matched.rows[0]
    if TYPES[result.ranked] is not BINARY:
        return float("inf")
    return int((result.features[TRAINED].label[rows] == 1).sum())


def _measures(target: str, matched: _Matched, draws: BlockResamples, *, few_positives: bool) -> list[Measured]:
    kind = TYPES[matched.results[0].ranked]
    columns = []
    for result, rows in zip(matched.results, matched.rows, strict=True):
        trained, control = (
            _scored(result, name, rows, kind, draws) for name in (TRAINED, result.best_control)
        )  # fmt: skip
        columns.append(((trained[0], trained[1]), (trained[0] - control[0], trained[1] - control[1])))
    return [
        Measured(
            target=target, measure=measure, values=np.array([each[place][0] for each in columns]),
            drawn=np.stack([each[place][1] for each in columns]), few_positives=few_positives,
        )
        for place, measure in enumerate((kind.ranked, GAIN.format(kind.ranked)))
    ]  # fmt: skip


def _scored(
    result: ProbeResult, name: str, rows: Rows, kind: TargetType, draws: BlockResamples
) -> tuple[float, Floats]:
    """Score of a feature set on some rows, and in every resample."""
    truth = result.features[TRAINED].label[rows]
    judged = kind.judged(result.features[name].log_odds[rows].astype(np.float64))
    return float(kind.score(truth, judged)), resampled(truth, judged, draws, kind.score)


def _controls(target: str, results: Mapping[str, ProbeResult]) -> list[str]:
    """A note where the gains of a target are over different controls."""
    if len({each.best_control for each in results.values()}) == 1:
        return []
    told = ", ".join(f"{each.best_control} of {name}" for name, each in results.items())
    return [f"{target}: each gain is over the file's own best control ({told})."]

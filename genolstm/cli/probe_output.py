"""Log lines and JSON summary of every probe: the scores of each target beside its controls, and the verdicts."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genolstm.cli.terminal import Task, log, report_format
from genolstm.probes.task import NN, RANDOM_INIT
from genolstm.probes.verdicts import CANNOT_TELL, is_close, lacking, positives_of, spelled_verdict
from genolstm.regions import Part
from genolstm.settings.control import TableStates
from genolstm.settings.reading import StreamSettings
from genolstm.settings.train import Precision
from genolstm.store.files import Records
from genolstm.store.results import ProbeResult

if TYPE_CHECKING:
    import torch

    from genolstm.ranks import Ranks
    from genolstm.store.checkpoint import Checkpoint
    from genolstm.store.genome import Genome
    from genolstm.stream.reader import GenomeReader

INTERVAL = "{:.3f} [{:.3f}, {:.3f}]"
IN_THE_FILE_ONLY = ("mcc", "calibration_error")  # a table of all scores would be too wide to read


def states_reader(
    checkpoint: "Checkpoint", genome: "Genome", device: "torch.device", precision: Precision, *, ranks: "Ranks",
    on_progress: Callable[[float, int], None],
) -> "GenomeReader":  # fmt: skip
    """Model of a checkpoint on a device, to read the states of a genome in a number format, which is logged."""
    from genolstm.model import trained_model
    from genolstm.stream.reader import GenomeReader

    model = trained_model(checkpoint.model, checkpoint.weights).to(device)
    stream = StreamSettings(precision=precision).suited(device.type)
    reader = GenomeReader(model, genome, stream, ranks=ranks, on_progress=on_progress)
    report_format(reader.model)
    return reader


def report(
    results: Mapping[str, ProbeResult], records: Records, output: Path, task: Task
) -> None:  # fmt: skip
    """Log the verdict of each target with every control beside it; print the summary under --json."""
    for result in results.values():
        _log_result(result)
    message = "; ".join(f"{target}: {_verdict(result)}" for target, result in results.items())
    found = summary(task.command.removeprefix("probe "), results)
    task.done(output, records.to_json(), found, message=message)


def summary(task: str, results: Mapping[str, ProbeResult]) -> dict[str, Any]:
    """The JSON summary: the same keys for every task. Those of a lone target are also at the top level."""
    verdicts = {result.verdict for result in results.values()}
    targets = {target: _of_target(result) for target, result in results.items()}
    lone = next(iter(targets.values())) if len(targets) == 1 else {}
    return {
        **lone, "task": task, "verdict": verdicts.pop() if len(verdicts) == 1 else "mixed", "targets": targets
    }  # fmt: skip


def _of_target(result: ProbeResult) -> dict[str, Any]:
    test = result.sites.part == Part.TEST
    scores = {
        name: {score: list(estimate) for score, estimate in each.scores.items()}
        for name, each in result.features.items()
    }
    fraction = list(result.fraction_of_ceiling) if result.fraction_of_ceiling else None
    edges = {
        name: list(column) if isinstance(column, list) else column.tolist() for name, column in result.edges.items()
    }
    return {
        "verdict": result.verdict,
        "close": is_close(result.differences[result.best_control]),
        "best_control": result.best_control,
        "difference": list(result.differences[result.best_control]),
        "n_test": int(test.sum()),
        "n_positive": _positive(result),
        "offsets": list(result.offsets),
        "pools": list(map(str, result.pools)),
        "pooling": list(result.pooling),
        "selectivity": result.selectivity,
        "natural_prevalence": result.prevalence,
        "definition": dict(result.definition),
        "homology": result.homology,
        "seams": result.seams,
        "fraction_of_ceiling": fraction,
        "standing": fraction,  # what versions to 0.1 call it
        "scores": {**scores, **({"untrained": scores[best]} if (best := _best_random_init(result)) else {})},
        **({"edges": edges} if edges else {}),
    }


def _positive(result: ProbeResult) -> int | None:
    """Test sites of the second of two classes; None where the sites are of no class, or of more."""
    if result.sites.label.max(initial=0) != 1:
        return None
    return int((result.sites.label[result.sites.part == Part.TEST] == 1).sum())


def _best_random_init(result: ProbeResult) -> str:
    """Name of the strongest random-init model, which represents all of them; empty where there is none."""
    drawn = [name for name in result.features if name.startswith(RANDOM_INIT)]
    return max(drawn, key=lambda name: result.features[name].scores[result.ranked].value, default="")


def _verdict(result: ProbeResult) -> str:
    verdict = spelled_verdict(result.verdict, result.differences[result.best_control])
    return (
        verdict
        if _best_random_init(result)
        else f"{verdict} (over sequence controls alone, without a random-init twin)"
    )


def _log_result(result: ProbeResult) -> None:
    log.info("%s: %s", result.target, _sites(result))
    shown = [name for name in next(iter(result.features.values())).scores if name not in IN_THE_FILE_ONLY]
    width = max(13, *map(len, result.features))
    log.info("  %-*s %s", width, "features", " ".join(f"{name + ' [95 %]':22}" for name in shown).rstrip())
    for name, features in result.features.items():
        row = " ".join(f"{INTERVAL.format(*features.scores[each]):22}" for each in shown)
        log.info("  %-*s %s", width, name, row.rstrip())
    if NN in result.features:
        log.info("  %s: boosted trees on the trained states; no control, and no part of the verdict", NN)
    value, *ends = result.differences[result.best_control]
    selectivity = f"; selectivity {result.selectivity:+.3f}" if result.selectivity is not None else ""
    close = " (close)" if is_close(result.differences[result.best_control]) else ""
    log.info(
        "%s: %s%s; %s %+.3f %s [%+.3f, %+.3f] against the strongest control (%s)%s",
        result.target, _verdict(result), close, _judged(result), value, result.ranked.upper(), *ends,
        result.best_control, selectivity,
    )  # fmt: skip
    if result.verdict == CANNOT_TELL:
        log.info("%s: %s", result.target, lacking(positives_of(result.sites.label, result.sites.part)))
    if result.fraction_of_ceiling:
        log.info(
            "%s: between the best random-init model (0) and the ceiling (1) the trained states reach"
            " %.2f [%.2f, %.2f]",
            result.target, *result.fraction_of_ceiling,
        )  # fmt: skip
    _log_edges(result)


def _judged(result: ProbeResult) -> str:
    """What the verdict is on: states of a model, or a table of features."""
    return "features" if result.states == TableStates.TABLE else "trained states"


def _sites(result: ProbeResult) -> str:
    """How many test sites there are, of what kind, how they were read, and how near they are to training."""
    test = result.sites.part == Part.TEST
    what = "windows" if result.width > 1 else "places" if result.chains else "sites"
    parts = [f"{test.sum():,} test {what}"]
    if (positive := _positive(result)) is not None:
        parts[0] += f", {positive:,} of them positive"
    if result.chains:
        parts[0] += f" in {len(set(result.sites.block[test].tolist())):,} clusters of proteins"
        parts.insert(0, str(result.definition["target"]))
    else:
        parts.append(f"{100 * result.homology:.1f} % of them share a 31-mer with training")
    if result.pooling:
        parts.insert(-1, f"{' and '.join(result.pooling)} of the states")
    elif (result.offsets or result.pools) and not result.chains:
        pools = f" and {len(result.pools)} pools" if result.pools else ""
        parts.insert(-1, f"offsets {','.join(map(str, result.offsets))}{pools}")
    return "; ".join(parts)


def _log_edges(result: ProbeResult) -> None:
    """Log what the forget gate does at the edges of peaks."""
    for row, model in enumerate(result.edges.get("model", ())):
        edges = {name: values[row] for name, values in result.edges.items()}
        log.info(
            "forget gate reading %s peaks, %s, layer %d: %.4f at %d edges, %.4f at matched positions,"
            " %+.4f [%+.4f, %+.4f], p %.2g (%.2g after correction)",
            edges["direction"], model, edges["layer"], edges["value"], edges["edges"], edges["matched"],
            edges["difference"], edges["low"], edges["high"], edges["p"], edges["p_adjusted"],
        )  # fmt: skip

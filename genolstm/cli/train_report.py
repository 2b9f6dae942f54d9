"""Report of ``genolstm train``: bits of the held-out parts beside Markov models, as log lines and as JSON."""

import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from genolstm.cli.recall_report import recall_lines, recall_summary
from genolstm.cli.terminal import Task, log

if TYPE_CHECKING:
    from genolstm.store.checkpoint import PartBits
    from genolstm.store.lineage import Ancestor, GenomeRecord
    from genolstm.store.recall import RecallBits
    from genolstm.training.session import TrainingSession


def beside_best(row: "PartBits") -> str:
    """The model against the best of all lines, the baseline it has to beat, as the end of a sentence."""
    if row.difference is None:
        return f"; no verdict: {row.standing}" if row.standing else ""
    line, _ = row.best_line
    difference = f"{row.difference.value:+.4f} [{row.difference.low:+.4f}, {row.difference.high:+.4f}]"
    phrases = {
        "below": f"below the best line ({line}) by {difference}",
        "above": f"above the best line ({line}) by {difference}",
        "no difference": f"no difference from the best line ({line}): {difference}",
        "cannot tell": f"{row.difference.value:+.4f} from the best line ({line}), and too few blocks for an interval",
    }
    return f"; {phrases[str(row.verdict)]}" + (", close" if row.close else "")


def judged(row: "PartBits") -> dict[str, Any]:
    """The difference from the best of all lines, as --json prints it."""
    line, bits = row.best_line
    return {
        "best_line": line, "best_line_bits": bits, "standing": row.standing, "verdict": row.verdict,
        "close": row.close,
        "difference": row.difference and [end if math.isfinite(end) else None for end in row.difference],
    }  # fmt: skip


class Trained(NamedTuple):
    """What is told of a training at its end: records, the JSON summary, and the number that matters as text."""

    records: dict[str, Any]
    summary: dict[str, Any]
    message: str


def report(session: "TrainingSession", bits: "tuple[PartBits, ...]", recall: "tuple[RecallBits, ...]") -> Trained:
    """Log bits per base of each part, always beside what Markov models reach."""
    unit = session.genome.alphabet.unit
    for row in bits:
        log.info(
            "%s: %.4f bits/%s; uniform %.4f, best Markov (order %d) %.4f, interpolated Markov (0..%d) %.4f%s",
            row.part, row.model, unit, row.uniform, row.best_order, row.best_bits, len(row.by_order) - 1,
            row.interpolated, beside_best(row),
        )  # fmt: skip
    for line in recall_lines(recall, unit):
        log.info("%s", line)
    progress = session.run.progress
    summary = {
        "bases_seen": progress.bases,
        "bases_per_second": progress.bases / max(progress.seconds, 1e-9),
        **_bits_summary(bits, session.history.last_bits, unit),
        "homology": session.homology,
        "auxiliary_errors": session.auxiliary_errors,
        "recall": recall_summary(recall),
        **of_lineage(session.genomes, session.ancestors),
    }
    message = (
        f"{bits[-1].model:.4f} bits/{unit} on {bits[-1].part}"
        if bits
        else f"{session.history.last_bits:.4f} bits/{unit} in training"
    )
    records = {"read": len(session.genome.names), "used": len(session.split.names()), "skipped": {}}
    return Trained(records, summary, message)


def of_lineage(genomes: "tuple[GenomeRecord, ...]", ancestors: "tuple[Ancestor, ...]") -> dict[str, Any]:
    """Several genomes and ancestors, where a model has some, as --json prints them."""
    told = [
        {
            "name": each.name, "sha256": each.sha256, "bases": each.bases, "genome_sha256": each.genome_sha256,
            "genomes": [dataclasses.asdict(genome) for genome in each.genomes], "trained_on": each.seen,
        }
        for each in ancestors
    ]  # fmt: skip
    several = {"genomes": [dataclasses.asdict(genome) for genome in genomes]} if genomes else {}
    return {**several, **({"ancestors": told} if told else {})}


def report_again(output: Path, task: Task, *, as_json: bool = True) -> None:
    """Report a complete output that was kept; its numbers are those that it holds, and nothing was trained now."""
    from genolstm.alphabet import ALPHABETS
    from genolstm.store.checkpoint import read_checkpoint
    from genolstm.training.loop import History

    kept = read_checkpoint(output)
    task.seed = kept.train.seed
    history, auxiliary = History(records=kept.history), kept.auxiliary
    summary = {
        "bases_seen": int(kept.history["bases"][-1]) if kept.history["bases"] else 0,
        "bases_per_second": None,
        **_bits_summary(kept.bits, history.last_bits, ALPHABETS[kept.model.alphabet].unit),
        "homology": None,
        "auxiliary_errors": dict(zip(auxiliary.tasks, auxiliary.errors[-1].tolist(), strict=True)) if auxiliary else {},
        "recall": recall_summary(kept.recall),
        **of_lineage(kept.genomes, kept.ancestors),
    }
    records = {"read": len(kept.lengths), "used": len(kept.split.names()), "skipped": {}}
    if as_json:
        task.kept(output, records, summary)


def _bits_summary(bits: "tuple[PartBits, ...]", last_bits: float, unit: str) -> dict[str, Any]:
    """Bits of every part and the Markov lines of the one that judges, as --json prints them."""
    by_part = {row.part: row.model for row in bits}
    by_genome = {row.part: {"model": row.model, **_markov(row)} for row in bits if ":" in row.part}
    return {
        "bits_per_base": {"train": last_bits, "valid": by_part.get("valid"), "test": by_part.get("test")},
        "markov": _markov(bits[-1]) if bits else None,
        **({"by_genome": by_genome} if by_genome else {}),
        "unit": unit,
    }


def _markov(row: "PartBits") -> dict[str, Any]:
    """Markov lines of one part, and the model against the best of them."""
    return {
        "part": row.part,
        "best_order": row.best_order,
        "best_bits": row.best_bits,
        "interpolated_bits": row.interpolated,
        "uniform_bits": row.uniform,
        "by_order": row.by_order,
        **judged(row),
    }

"""Sections of a model file and a score file: bits per base beside their Markov lines."""

import math
from collections.abc import Sequence

import numpy as np

from genolstm.alphabet import DNA
from genolstm.regions import Part
from genolstm.report.of_recall import TERMS, WHAT_IT_IS, recall_table, recall_verdicts
from genolstm.report.parts import ReportTable, Section, Tone, Verdict
from genolstm.report.reading import Result
from genolstm.report.wording import contigs, interval, number
from genolstm.store.checkpoint import ABOVE, BELOW, CANNOT_TELL, NO_DIFFERENCE, Checkpoint, PartBits
from genolstm.store.score import ScoreTables
from genolstm.store.tables import open_tables

SEAM_SHOWN = 0.0001  # bits; smaller differences are reported as less than it
MOST_CONTIGS = 20  # rows of a table of contigs
LONG_NAME = 5  # LSTM, GRU and RNN are spelled in capitals, names of other cells are not
MARKOV_TERMS = (
    ("best order-k Markov", "counts of the k symbols before, of the order that does best on this part"),
    ("interpolated Markov", "all orders mixed, backing off where a k-mer is rare"),
    ("uniform", "every symbol equally likely"),
)


def training_section(result: Result) -> Section:
    """How good a model is on held-out sequence."""
    model: Checkpoint = result.content
    held_out = _judged(model.bits, ("test", "valid"))
    settings, seed = model.model, result.about.seed
    cell = settings.cell.value
    shape = f"{cell.upper() if len(cell) < LONG_NAME else cell} of {settings.layers} x {settings.hidden} units"
    limits = [f"One training run (seed {seed}): how far another seed would end from it is not known."]
    verdicts, metrics = [], []
    if held_out is None:
        verdicts.append(Verdict(Tone.NOTE, "The model was not measured on held-out sequence."))
    else:
        part = Part[held_out.part.upper()]
        where = f"the {held_out.part} part ({contigs(model.split.of(part).names())})"
        verdicts.append(_beside_markov(f"The {shape}", held_out, where, settings.alphabet))
        metrics = _bits_metrics(held_out)
        if part is Part.VALID:
            limits.append(
                "No part was held out for test: validation chose nothing here but was scored during training."
            )
    limits.append("The Markov models were counted on the same training stretches as the model saw, and on no others.")
    verdicts += recall_verdicts(model.recall)
    if model.recall:
        limits.append(f"{WHAT_IT_IS.capitalize()}.")
    bases = int(model.history["bases"][-1]) if model.history["bases"] else 0
    settings_rows = [
        ["cell", shape], ["symbols read in training", number(bases)], ["seed", str(seed)],
        ["learning rate", number(model.train.learning_rate)], ["precision", str(model.train.precision)],
        ["trained on", contigs(model.seen)],
        *(
            ["goes on from", f"{each.name}: {number(each.bases)} symbols of {contigs(each.seen)}"]
            for each in model.ancestors
        ),
    ]  # fmt: skip
    return Section(
        title="Training",
        verdicts=verdicts,
        tables=[
            _bits_table(model.bits),
            *([recall_table(model.recall)] if model.recall else []),
            ReportTable("The model", ["what", "value"], settings_rows),
        ],
        terms=(*MARKOV_TERMS, *(TERMS if model.recall else ())),
        limits=limits,
        metrics=metrics,
    )


def score_section(result: Result) -> Section:
    """Bits along a genome, by contig and by class."""
    tables: ScoreTables = result.content
    judged = _judged(tables.parts, ("test", "scored"))
    verdicts, metrics, limits = [], [], []
    if judged:
        where = "the contigs held out for test" if judged.part == "test" else "all that was scored"
        verdicts.append(_beside_markov("The model", judged, where))
        metrics = _bits_metrics(judged)
        if judged.part != "test":
            limits.append(f"Nothing scored was held out for test: {judged.standing or 'it may have been trained on'}.")
    if tables.classes:
        ranked = sorted((row for row in tables.classes if math.isfinite(row.bits)), key=lambda row: row.bits)
        easy, hard = ranked[0], ranked[-1]
        verdicts.append(
            Verdict(
                Tone.NOTE,
                f"Of the annotated classes {easy.name} ({easy.sense}) is the most predictable,"
                f" {interval(easy.bits, easy.low, easy.high)} bits/base, and {hard.name} ({hard.sense}) the least,"
                f" {interval(hard.bits, hard.low, hard.high)}.",
            )
        )
    limits.append(f"The Markov models were counted on: {tables.markov_counted_on}.")
    limits.append(seam_sentence(dict(tables.seam_summary)))
    limits.append("Few bits mean predictable, not functional: repeats are the most predictable of all.")
    verdicts += recall_verdicts(tables.recall)
    shown = [_bits_table(tables.parts)]
    if tables.recall:
        limits.append(f"{WHAT_IT_IS.capitalize()}.")
        shown.append(recall_table(tables.recall))
    if tables.classes:
        rows = [
            [row.name, row.sense, number(row.symbols), interval(row.bits, row.low, row.high, digits=4)]
            for row in tables.classes
        ]
        shown.append(
            ReportTable(
                "Bits per base by annotation class, with 95 % intervals over blocks of 100 kb",
                ["class", "read", "bases", "bits/base"], rows,
            )
        )  # fmt: skip
    shown.append(_contig_table(tables, _contig_names(result)))
    return Section(
        title="Bits along the genome", verdicts=verdicts, tables=shown,
        terms=(*MARKOV_TERMS, *(TERMS if tables.recall else ())), limits=limits,
        metrics=[*metrics, ("calibration_error", "Calibration error", tables.calibration_error)],
    )  # fmt: skip


def seam_sentence(seams: dict[str, float]) -> str:
    """Sentence on the difference between reading in pieces and in sequence."""
    if seams.get("in_sequence"):
        return "Every contig and strand was read in sequence: there are no seams."
    largest = float(seams.get("max_bits", 0))
    much = f"by at most {number(largest, 2)}" if largest >= SEAM_SHOWN else f"by less than {SEAM_SHOWN}"
    return (
        f"The genome was read in pieces, which met at {number(int(seams.get('count', 0)))} seams; reading in sequence"
        f" would differ there {much} bits."
    )


def _judged(parts: Sequence[PartBits], order: Sequence[str]) -> PartBits | None:
    """The first part, in this order, that was measured."""
    measured = {row.part: row for row in parts if math.isfinite(row.model)}
    return next((measured[name] for name in order if name in measured), None)


def _beside_markov(who: str, row: PartBits, where: str, alphabet: str = DNA.name) -> Verdict:
    name, best = row.best_line
    one, several = ("base", "bases on both strands") if alphabet == DNA.name else ("residue", "residues")
    reached = f"{row.model:.4f} bits/{one} on {where}, {number(row.symbols)} known {several}"
    if row.difference is None:
        why = f": {row.standing}" if row.standing else " in this file"
        return Verdict(Tone.NOTE, f"{who} reaches {reached}; the best line is {name}, {best:.4f}. No verdict{why}.")
    tone, verb, side = {
        BELOW: (Tone.YES, "reaches", "below"),
        ABOVE: (Tone.WORSE, "is worse than Markov: it reaches", "above"),
        NO_DIFFERENCE: (Tone.NO, "does not beat Markov: it reaches", "from"),
        CANNOT_TELL: (Tone.NOTE, "cannot be distinguished from Markov with so few blocks: it reaches", "from"),
    }[str(row.verdict)]
    difference = interval(*row.difference, digits=4, signed=True)
    return Verdict(tone, f"{who} {verb} {reached}: {difference} {side} the best line ({name}, {best:.4f}).")


def _bits_metrics(row: PartBits) -> list[tuple[str, str, float]]:
    return [
        ("bits_per_base", "Bits/base", row.model),
        ("markov_bits_per_base", "Bits/base, best Markov", row.best_line[1]),
    ]


def _bits_table(parts: Sequence[PartBits]) -> ReportTable:
    rows = [
        [
            row.part, number(row.symbols), f"{row.model:.4f}" if math.isfinite(row.model) else "not measured",
            f"{row.best_bits:.4f} (k = {row.best_order})", f"{row.interpolated:.4f}", f"{row.uniform:.4f}",
        ]
        for row in parts
    ]  # fmt: skip
    headings = ["part", "known symbols", "model", "best order-k Markov", "interpolated Markov", "uniform"]
    return ReportTable("Bits per base or residue (less is better)", headings, rows)


def _contig_names(result: Result) -> tuple[str, ...]:
    with open_tables(result.path) as file:
        return file.contigs


def _contig_table(tables: ScoreTables, names: tuple[str, ...]) -> ReportTable:
    symbols, bits = tables.symbols.sum(axis=2), tables.bits.sum(axis=2)  # [contigs, strands]
    scored = np.flatnonzero(symbols.sum(axis=1))
    seen = {1: "yes", 0: "no", -1: "unknown"}
    rows = [
        [
            names[place], seen[int(tables.seen[place])], number(int(symbols[place].sum())),
            *(f"{bits[place, strand] / max(symbols[place, strand], 1):.4f}" for strand in range(symbols.shape[1])),
        ]
        for place in scored[:MOST_CONTIGS].tolist()
    ]  # fmt: skip
    left = len(scored) - len(rows)
    caption = "Bits per base by contig" + (f" (the first {MOST_CONTIGS}; {left} more are in the file)" if left else "")
    strands = ["forward", "reverse"][: symbols.shape[1]]
    return ReportTable(caption, ["contig", "trained on", "known bases", *strands], rows)

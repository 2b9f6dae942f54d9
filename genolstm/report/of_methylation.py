"""Sections of methylation counts and fits."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from genolstm.report.parts import ReportTable, Section, Tone, Verdict
from genolstm.report.reading import Result
from genolstm.report.wording import interval, number, percent
from genolstm.store.contrast import GroupContrast, sentence
from genolstm.store.counts import Counts
from genolstm.store.methylation import MethylationFit

ALL_SITES = "all"
SUREST = 10  # rows of a contrast in its table
TERMS = (
    ("k", "rate at which the methylated fraction of a site nears its steady fraction"),
    ("steady fraction", "g, where the fraction comes to rest"),
    ("half-life", "ln 2 / k"),
    ("identifiable", "fitted, and the interval of k is closed on both sides within the bounds of k"),
)


def fit_section(result: Result) -> Section:
    """Rates of a fit, how many of them are identifiable, and the score on held-out reads."""
    fit: MethylationFit = result.content
    raised = {name: int(((fit.flags & bit) > 0).sum()) for name, bit in fit.flag_names.items()}
    identifiable = fit.identifiable
    fitted, half_lives = int(np.isfinite(fit.rate).sum()), fit.half_life[identifiable]
    text = (
        f"{number(fitted)} of {number(len(fit))} sites were fitted; the rate of {number(int(identifiable.sum()))}"
        f" ({percent(int(identifiable.sum()), len(fit))}) is identifiable"
    )
    metrics = [("identifiable", "Identifiable sites (%)", 100 * float(identifiable.mean()) if len(fit) else 0.0)]
    if half_lives.size:
        low, middle, high = np.percentile(half_lives, (25, 50, 75)).tolist()
        text += (
            f", their median half-life {number(middle, 3)} {fit.unit} (quartiles {number(low, 3)} to {number(high, 3)})"
        )
        metrics.append(("median_half_life", f"Median half-life, identifiable sites ({fit.unit})", middle))
    verdicts = [*_held_out(fit), *_forms(fit), Verdict(Tone.NOTE, text + ".")]
    limits = ["Sites whose rate is not identifiable hold a number that the reads do not support: see the intervals."]
    if not fit.held_out:
        limits.append("No reads were held out: how well the fit predicts is not known (fit with --hold-out).")
    if not fit.numbers.get("conversion_error"):
        limits.append("Conversion error was taken as 0; an unmodelled error of 1.6 % more than halves inferred memory.")
    rows = [[name.replace("_", " "), number(count), percent(count, len(fit))] for name, count in raised.items()]
    ages = dict(zip(fit.samples, fit.elapsed.tolist(), strict=True))
    return Section(
        title=f"Methylation: the {fit.model} model",
        verdicts=verdicts,
        tables=[
            *([_held_out_table(fit)] if fit.held_out else []),
            _sample_table(fit.samples, fit.modified, fit.covered, ages, fit.unit),
            ReportTable(f"Flags over {number(len(fit))} sites", ["flag", "sites", "percent"], rows),
        ],
        terms=TERMS,
        limits=limits,
        metrics=metrics,
    )  # fmt: skip


def counts_section(result: Result) -> Section:
    """Reads of each sample."""
    counts: Counts = result.content
    reads = int(counts.covered.sum(dtype=np.int64))
    modified = int(counts.modified.sum(dtype=np.int64))
    text = (
        f"{number(len(counts.position))} sites hold {number(reads)} calls in {len(counts.samples)} samples;"
        f" {percent(modified, reads)} of them are modified."
    )
    metrics = [("modified", "Modified calls (%)", 100 * modified / reads)] if reads else []
    return Section(
        title="Methylation counts",
        verdicts=[Verdict(Tone.NOTE, text)],
        tables=[_sample_table(counts.samples, counts.modified, counts.covered, {}, "")],
        metrics=metrics,
        judged=False,
    )


def contrast_section(result: Result) -> Section:
    """How many sites or regions differ between two groups of samples, and which most."""
    found: GroupContrast = result.content
    one, two = found.groups
    different, fdr = found.different, found.numbers["fdr"]
    level = f"{found.numbers['level']:.0%}"
    told = sentence(found.groups, found.what, len(found), different, fdr)
    surest = np.argsort(found.differences["p"], kind="stable")[:SUREST]
    ends = ("", "_low", "_high")
    rows = [
        [
            found.names[row] if found.names else f"{found.contigs[found.contig[row]]}:{found.start[row] + 1:,}",
            *(
                interval(*(float(found.differences[f"{name}{end}"][row]) for end in ends), signed=True, digits=2)
                for name in ("log2_rate_ratio", "steady_difference")
            ),
            *(number(float(found.differences[name][row]), 2) for name in ("p", "q")),
        ]
        for row in surest.tolist()
    ]
    samples = [
        [name, found.groups[group], number(age)]
        for name, group, age in zip(found.samples, found.sample_group.tolist(), found.elapsed.tolist(), strict=True)
    ]
    headings = [found.what.removesuffix("s"), f"log2 of k, {two} over {one}", f"g, {two} less {one}", "p", "q"]
    return Section(
        title=f"Methylation: {two} against {one}",
        verdicts=[Verdict(Tone.YES if different["either"] else Tone.NO, f"{told}.")],
        tables=[
            ReportTable(
                f"The {len(rows)} {found.what} of smallest p, with {level} intervals",
                headings,
                rows,
            ),
            ReportTable("Samples", ["sample", "group", f"age ({found.unit})"], samples),
        ],
        terms=(
            *TERMS[:2],
            ("p", "of the same k and g in both groups, by likelihood ratio"),
            ("q", "smallest false discovery rate at which the row is found (Benjamini and Hochberg)"),
        ),
        limits=[
            f"{number(found.given - len(found))} of {number(found.given)} {found.what} were not compared: fewer than"
            f" {number(int(found.numbers['min_reads']))} reads, or one age, in a group.",
            f"Reads scatter about both fits with one dispersion, {found.numbers['dispersion']:.3f}, for all sites.",
        ],
        metrics=[
            (f"different_{name}", f"{found.what.capitalize()} that differ, {gate}", float(different[name]))
            for name, gate in (("either", "k or g"), ("rate", "k"), ("steady", "g"))
        ],
    )


def _held_out(fit: MethylationFit) -> list[Verdict]:
    """For each hold-out, in the order of the file, the fit beside the best of the others on the same reads."""
    verdicts = []
    for hold_out in dict.fromkeys(row.hold_out for row in fit.held_out):
        rows = [row for row in fit.held_out if (row.hold_out, row.what) == (hold_out, ALL_SITES)]
        others = [
            row
            for row in rows
            if row.model != row.against and not row.model.startswith((f"{row.against}_", f"{row.against} "))
        ]
        if not others:
            continue
        best = max(others, key=lambda row: row.log_likelihood)
        standing = "better" if best.high < 0 else "worse" if best.low > 0 else "not better"
        nats = f"{best.log_likelihood:.4f}".replace("-", "\N{MINUS SIGN}")
        by = interval(-best.difference, -best.high, -best.low, signed=True, digits=4)
        of = f" of {hold_out}" if hold_out else ""
        text = (
            f"On {number(best.reads)} held-out reads{of} the {best.against} model is {standing} than {best.model}, the"
            f" best of {len(others)} others: {by} nats a read, {nats} under {best.model}."
        )
        verdicts.append(Verdict(Tone.YES if best.high < 0 else Tone.NO, text))
    return verdicts


def _forms(fit: MethylationFit) -> list[Verdict]:
    """For each hold-out, which course in time the reads prefer, and by how much."""
    verdicts = []
    for hold_out in dict.fromkeys(row.hold_out for row in fit.held_out):
        rivals = [
            row
            for row in fit.held_out
            if (row.hold_out, row.what) == (hold_out, ALL_SITES) and row.model.startswith(f"{row.against} ")
        ]
        if not rivals:
            continue
        rivals.sort(key=lambda row: -row.log_likelihood)
        names = [row.model.removeprefix(f"{row.against} ") for row in rivals]
        beside = [interval(row.difference, row.low, row.high, signed=True, digits=4) for row in rivals]
        told = "; ".join(f"{name} {by}" for name, by in zip(names, beside, strict=True))
        best, name, count = rivals[0], names[0], len(rivals) + 1
        if best.high < 0:
            text, tone = f"prefer {fit.form}, the form of this fit, to each of the others", Tone.YES
        elif best.low > 0:
            text, tone = f"prefer {name} to {fit.form}, the form of this fit (fit with --form {name})", Tone.WORSE
        else:
            text, tone = f"do not tell {fit.form}, the form of this fit, from {name}", Tone.NO
        verdicts.append(
            Verdict(
                tone, f"Of {count} kinetic forms the reads of {hold_out} {text}. Nats a read beside {fit.form}: {told}."
            )
        )
    return verdicts


def _held_out_table(fit: MethylationFit) -> ReportTable:
    rows = [
        [
            row.hold_out, row.what, row.model,
            number(row.reads), f"{row.log_likelihood:.4f}".replace("-", "\N{MINUS SIGN}"),
            row.against, interval(row.difference, row.low, row.high, signed=True, digits=4),
        ]
        for row in fit.held_out
    ]  # fmt: skip
    headings = ["held out", "sites", "model", "held-out reads", "nats a read", "against", "difference"]
    return ReportTable(
        "Likelihood of reads that no model was fitted to, with 95 % intervals (paired block bootstrap)", headings, rows
    )


def _sample_table(
    samples: tuple[str, ...],
    modified: NDArray[np.int32],
    covered: NDArray[np.int32],
    elapsed: Mapping[str, float],
    unit: str,
) -> ReportTable:
    rows = []
    for column, name in enumerate(samples):
        reads, changed = (int(values[:, column].sum(dtype=np.int64)) for values in (covered, modified))
        age = [number(float(elapsed[name]))] if elapsed else []
        sites = int(np.count_nonzero(covered[:, column]))
        rows.append([name, *age, number(sites), number(reads), percent(changed, reads)])
    headings = ["sample", *([f"age ({unit})"] if elapsed else []), "sites with reads", "reads", "modified"]
    return ReportTable("Samples", headings, rows)

"""Section of a gates file: three measures of memory, and the tests at boundaries."""

from collections.abc import Mapping
from typing import Any

from genolstm.report.of_model import seam_sentence
from genolstm.report.parts import ReportTable, Section, Tone, Verdict
from genolstm.report.reading import Result
from genolstm.report.wording import interval, listed, number
from genolstm.store.gates import GatesTables

TERMS = (
    ("nominal half-life", "ln 0.5 / ln sigmoid(bias): how long a unit would remember by its biases, in bases"),
    ("realised half-life", "ln 0.5 / mean ln f: how long it did remember, by its gate along the genome, in bases"),
    ("functional memory", "what the model loses in bits/base when its state is emptied every K bases"),
)  # fmt: skip
FLAT = "0.001"  # bits/base within which the curve of functional memory is flat
EDGE_TESTS = 40


def gates_section(result: Result) -> Section:
    """How long a model remembers."""
    tables: GatesTables = result.content
    summary: Mapping[str, Any] = tables.summary
    layers = summary.get("layers", [])
    verdicts, metrics = [], []
    for place, layer in enumerate(layers):
        if "realised_half_life" not in layer:
            continue
        nominal, realised = layer.get("nominal_half_life"), layer["realised_half_life"]
        by_bias = f"nominal half-life {_spread(nominal)}; " if nominal else ""
        verdicts.append(
            Verdict(Tone.NOTE, f"Layer {place}, over units: {by_bias}realised half-life {_spread(realised)}.")
        )  # fmt: skip
        metrics.append((f"layer{place}_realised", f"Realised half-life, layer {place}", float(realised["median"])))
    shown = [_layer_table(layers)] if layers else []
    if memory := summary.get("memory"):
        flat = memory["flat_from"].get(FLAT)
        verdict = (
            f"Functional memory: bits/base stay within {FLAT} of the best when the state is emptied every"
            f" {number(int(flat))} bases or more rarely"
            if flat
            else f"Functional memory: the curve is not flat within {FLAT} bits/base where it was measured"
        )
        verdicts.append(
            Verdict(Tone.NOTE, f"{verdict}; measured on {memory['measured_on']} ({listed(memory['contigs'])}).")
        )
        if flat:
            metrics.append(("functional_memory", "Functional memory (bp)", float(flat)))
        shown.append(_memory_table(memory))
    if tables.edges:
        shown.append(_edge_table(tables.edges))
        verdicts.append(_edge_verdict(tables.edges))
    limits = [
        seam_sentence(dict(tables.seams)),
        f"Gates are summed over {number(int(summary.get('samples', tables.samples)))} sampled places of both strands;"
        " a median over units hides that a few units may remember much longer.",
        "The three measures of memory answer three questions and are not interchangeable.",
    ]
    return Section(
        title="Gates and memory", verdicts=verdicts, tables=shown, terms=TERMS, limits=limits, metrics=metrics
    )


def _spread(half_life: Mapping[str, float]) -> str:
    return (
        f"median {number(half_life['median'], 3)} bases (quartiles {number(half_life['quarter'], 3)} to"
        f" {number(half_life['three_quarters'], 3)}, longest {number(half_life['longest'], 3)})"
    )


def _layer_table(layers: list[Mapping[str, Any]]) -> ReportTable:
    plain = [name for name in layers[0] if not isinstance(layers[0][name], Mapping)]
    rows = [[name.replace("_", " "), *(number(float(layer[name]), 3) for layer in layers)] for name in plain]
    headings = ["over units and samples", *(f"layer {place}" for place in range(len(layers)))]
    return ReportTable("Gates: means, and fractions of samples above 0.9 and below 0.1", headings, rows)


def _memory_table(memory: Mapping[str, Any]) -> ReportTable:
    rows = [
        [number(int(every)), f"{bits:.4f}", interval(*excess, signed=True, digits=4)]
        for every, bits, excess in zip(memory["reset_every"], memory["bits"], memory["excess"], strict=True)
    ]
    caption = (
        f"Functional memory on {number(int(memory['symbols']))} bases, with 95 % intervals (paired block bootstrap)"
    )
    return ReportTable(caption, ["state emptied every (bases)", "bits/base", "excess over the rarest"], rows)


def _edge_table(edges: Mapping[str, Any]) -> ReportTable:
    columns = {name: list(values) for name, values in edges.items()}
    rows = [
        [
            str(columns["kind"][row]), str(columns["direction"][row]), str(columns["layer"][row]),
            str(columns["measure"][row]), number(int(columns["boundaries"][row])),
            interval(columns["difference"][row], columns["low"][row], columns["high"][row], signed=True, digits=4),
            number(float(columns["p_adjusted"][row]), 2),
        ]
        for row in range(min(len(columns["kind"]), EDGE_TESTS))
    ]  # fmt: skip
    left = len(columns["kind"]) - len(rows)
    caption = "At boundaries against matched positions" + (f" (the first {EDGE_TESTS}; {left} more)" if left else "")
    headings = ["boundary", "read", "layer", "measure", "boundaries", "difference", "p, adjusted"]
    return ReportTable(caption, headings, rows)


def _edge_verdict(edges: Mapping[str, Any]) -> Verdict:
    adjusted = [float(value) for value in edges["p_adjusted"]]
    clear = sum(value < 0.05 for value in adjusted)
    if not clear:
        return Verdict(
            Tone.NO, f"None of {len(adjusted)} tests at boundaries differs from matched positions (p < 0.05)."
        )
    return Verdict(
        Tone.YES,
        f"{clear} of {len(adjusted)} tests at boundaries differ from matched positions (adjusted p < 0.05).",
    )

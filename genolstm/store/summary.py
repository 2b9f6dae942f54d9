"""What `genolstm show` prints of any file."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from genolstm.store.comparison import comparison_in
from genolstm.store.dependencies import DependenciesFile, dependency_summary
from genolstm.store.files import open_any
from genolstm.store.headlines import headlines
from genolstm.store.lineage import read_ancestors, read_genomes
from genolstm.store.prediction import Judged, PredictedTarget, Prediction, met, prediction_in
from genolstm.store.recall import RecallBits, read_recall
from genolstm.store.results import CEILING_NAMES
from genolstm.store.schema import Kind, type_name
from genolstm.store.variants import LETTERS, VariantsFile, snv_summary

SHOWN_FIRST = ("kind", "schema_version", "genolstm_version", "created", "command", "seed", "device", "content_sha256")


def summarise(path: Path, *, verify: bool) -> dict[str, Any]:
    """Title -> text, or title -> {name: value}: what was found, provenance, settings, key numbers, datasets of a file.

    'found' holds the verdicts and sizes of effects as sentences, where a file has any.
    verify : also check the content hash. Raises InputError as `files.open_any`.
    """
    with open_any(path, verify=verify) as file:
        summary: dict[str, Any] = {"found": found} if (found := headlines(file, path)) else {}
        summary["file"] = str(path)
        summary |= {name: _plain(file.attrs[name]) for name in SHOWN_FIRST}
        if verify:
            summary["content"] = "agrees with its SHA-256"
        if file.attrs["kind"] == Kind.GENOME:
            summary["contigs"] = dict(
                zip(file["contigs/name"].asstr()[()], file["contigs/length"][()].tolist(), strict=True)
            )
        if file.attrs["kind"] == Kind.CHECKPOINT:
            summary["bits/base"] = _bits(file["bits"])
            summary |= _lineage(file)
        if file.attrs["kind"] == Kind.SCORE:
            summary["bits/base"] = _bits(file["parts"])
        if "recall_bits" in file:
            summary["recall, bits/base"] = _recall(read_recall(file["recall_bits"]))
        if file.attrs["kind"] == Kind.PROBE:
            summary |= {target: _verdict(file[target]) for target in file if target != "contigs"}
        if file.attrs["kind"] == Kind.COUNTS:
            summary["samples"] = _samples(file)
        if file.attrs["kind"] == Kind.METHYLATION:
            summary |= _methylation(file)
        if file.attrs["kind"] == Kind.STUDY:
            summary |= {name: _study(file[name]) for name in file}
        if file.attrs["kind"] == Kind.COMPARISON:
            summary |= _comparison(file)
        if file.attrs["kind"] == Kind.VARIANTS:
            summary["mean log-likelihood ratio (bits)"] = _changes(file)
        if file.attrs["kind"] == Kind.PREDICTION:
            summary |= _prediction(prediction_in(file, path))
        if file.attrs["kind"] == Kind.DEPENDENCIES:
            summary |= _dependencies(file)
        if file.attrs["kind"] == Kind.CONTRAST:
            summary["medians"] = _contrast(file)
        for name in sorted(set(file.attrs) - set(SHOWN_FIRST) - {"format"}):
            value = _plain(file.attrs[name])
            summary[name] = json.loads(value) if isinstance(value, str) and value.startswith("{") else value
        summary["datasets"] = _datasets(file)
    return summary


def _plain(value: Any) -> Any:  # noqa: ANN401  (HDF5 attributes of any type)
    return value.tolist() if hasattr(value, "tolist") else value


def _recall(rows: tuple[RecallBits, ...]) -> dict[str, str]:
    return {
        f"{row.mode}, {row.part}": f"network {row.network:.4f}, network + recall {row.mixed:.4f}, without the network"
        f" {row.without_network:.4f}; the median 10-kb window gains {row.median_gain:.4f}"
        for row in rows
    }


def _bits(group: h5py.Group) -> dict[str, str]:
    orders = group["markov_by_order"][()]
    return {
        part: f"{group['model'][row]:.4f}; uniform {group['uniform'][row]:.4f},"
        f" best Markov (order {orders[row].argmin()}) {orders[row].min():.4f},"
        f" interpolated Markov {group['markov_interpolated'][row]:.4f}"
        for row, part in enumerate(group["part"].asstr()[()])
    }


def _lineage(file: h5py.File) -> dict[str, dict[str, str]]:
    """Each of several genomes with its hash, and each ancestor with its hash, genome and bases."""
    genomes = {each.name: f"{each.contigs} contigs, SHA-256 {each.sha256}" for each in read_genomes(file)}
    ancestors = {
        f"{number} {each.name}": f"file SHA-256 {each.sha256 or 'none'}; genome SHA-256 {each.genome_sha256}"
        f" ({', '.join(genome.name for genome in each.genomes) or ', '.join(each.seen)}); {each.bases:,} bases"
        for number, each in enumerate(read_ancestors(file), 1)
    }
    shown = {"genomes trained on": genomes, "goes on from": ancestors}
    return {title: rows for title, rows in shown.items() if rows}


def _verdict(group: h5py.Group) -> dict[str, str]:
    """Verdict of one target of a probe, and every score of every feature set with its interval."""
    summary = {name: str(_plain(group.attrs[name])) for name in ("verdict", "offsets", "best_control")}
    if pools := str(group.attrs.get("pools", "")):
        summary["pools"] = pools
    if "prevalence" in group.attrs:
        summary["prevalence in nature"] = f"{group.attrs['prevalence']:.5f}"
    summary |= {name: str(value) for name, value in json.loads(group.attrs.get("definition", "{}")).items()}
    for name in set(CEILING_NAMES) & set(group.attrs):
        summary["between random-init (0) and ceiling (1)"] = "{:.2f} [{:.2f}, {:.2f}]".format(*group.attrs[name])
    ends = [group["scores"][end][()] for end in ("value", "low", "high")]
    scores = group["scores/score"].asstr()[()]
    for row, name in enumerate(group["scores/features"].asstr()[()]):
        summary[name] = ", ".join(
            f"{score} {ends[0][row, column]:.3f} [{ends[1][row, column]:.3f}, {ends[2][row, column]:.3f}]"
            for column, score in enumerate(scores)
        )
    differences, ranked = group["differences"], str(group.attrs.get("ranked", "auprc")).upper()
    for row, control in enumerate(differences["control"].asstr()[()]):
        value, low, high = (differences[end][row] for end in ("value", "low", "high"))
        summary[f"trained minus {control}"] = f"{ranked} {value:+.3f} [{low:+.3f}, {high:+.3f}]"
    return summary


def _samples(file: h5py.File) -> dict[str, str]:
    """Sites with reads, reads, and the fraction of them that is modified, of each sample of a counts file."""
    modified, covered = file["sites/modified"][()], file["sites/covered"][()]
    summary = {}
    for column, name in enumerate(file["samples/name"].asstr()[()]):
        reads = int(covered[:, column].sum(dtype=np.int64))
        fraction = f", {100 * modified[:, column].sum(dtype=np.int64) / reads:.1f} % modified" if reads else ""
        summary[name] = f"{np.count_nonzero(covered[:, column]):,} sites with reads, {reads:,} reads{fraction}"
    return summary


def _methylation(file: h5py.File) -> dict[str, dict[str, str]]:
    """Medians over the sites that were fitted, and the log-likelihood of held-out reads under each model."""
    unit = str(file.attrs["unit"])
    shown = {}
    for name in (f"rate_per_{unit.removesuffix('s')}", "steady_fraction", f"half_life_{unit}"):
        values = file[f"sites/{name}"][()]
        known = values[np.isfinite(values)]
        shown[name] = f"{np.median(known):.4g}" if known.size else "none fitted"
    summary = {"medians": shown}
    scores = file["held_out"]
    held = scores["hold_out"].asstr()[()] if "hold_out" in scores else [""] * len(scores["what"])
    for row, what in enumerate(scores["what"].asstr()[()]):
        what = f"{what} of {held[row]}" if held[row] else what
        value, low, high = (scores[end][row] for end in ("difference", "low", "high"))
        summary.setdefault(f"held out, {what}", {})[scores["model"].asstr()[row]] = (
            f"{scores['log_likelihood'][row]:.4f} nats a read; {value:+.4f} [{low:+.4f}, {high:+.4f}]"
            f" against {scores['against'].asstr()[row]}"
        )
    return summary


def _study(group: h5py.Group) -> dict[str, str]:
    """Conclusion of a study, and each claim with its number and interval."""
    summary, claims = {"conclusion": str(group.attrs["conclusion"])}, group["claims"]
    texts = (claims[field].asstr()[()] for field in ("name", "statement", "unit"))
    numbers = (claims[field][()] for field in ("holds", "value", "low", "high"))
    for name, statement, unit, holds, value, low, high in zip(*texts, *numbers, strict=True):
        interval = f" [{low:.4g}, {high:.4g}]" if np.isfinite(low) else ""
        summary[name] = f"{'holds' if holds else 'DOES NOT HOLD'}: {statement} {value:.4g}{interval} {unit}".rstrip()
    return summary


def _comparison(file: h5py.File) -> dict[str, dict[str, str]]:
    """Mean of each group, and each difference with its interval and verdict."""
    found = comparison_in(file)
    groups = {
        f"{row.target}, {row.measure}, {row.group}": f"{_with_ends(row.value, row.low, row.high)}, {row.files} file(s)"
        for row in found.groups
    }
    differences = {
        f"{row.target}, {row.measure}, {row.one} less {row.other}": (
            f"{_with_ends(*row.estimate, sign='+')}: {row.verdict}"
        )
        for row in found.differences
    }
    return {"groups": groups, "differences": differences}


def _contrast(file: h5py.File) -> dict[str, str]:
    """Medians of both gates over the rows that were compared, of each group and of their difference."""
    unit, rows = str(file.attrs["unit"]), file["rows"]
    names = (f"rate_per_{unit.removesuffix('s')}", "steady_fraction", f"half_life_{unit}")
    shown = {
        f"{name}, {group}": f"{np.median(rows[name][:, place]):.4g}"
        for name in names
        for place, group in enumerate(file["groups/name"].asstr()[()])
    }
    return shown | {name: f"{np.median(rows[name][()]):+.4g}" for name in ("log2_rate_ratio", "steady_difference")}


def _changes(file: h5py.File) -> dict[str, str]:
    """Mean of each substitution, with the number of changes."""
    found = snv_summary(VariantsFile(file))
    return {
        f"{LETTERS[old]}>{LETTERS[new]}": f"{found.mean[old, new]:+.4f}, {found.changes[old, new]:,} changes"
        for old, new in zip(*np.nonzero(found.changes), strict=True)
    }


def _prediction(found: Prediction) -> dict[str, dict[str, str]]:
    """What has met each contig, and of each target its candidates, calibration and figures against labels."""
    contigs = {name: met(flags) for name, flags in zip(found.contigs, found.flags.tolist(), strict=True)}
    return {"contigs": contigs, **{each.name: _predicted(each) for each in found.targets}}


def _predicted(target: PredictedTarget) -> dict[str, str]:
    summary = {"candidates": f"{target.count:,}"}
    if target.classes:
        summary["classes"] = ", ".join(target.classes)
        summary["true among candidates"] = f"{target.natural:.5f}, {target.source}"
        summary |= {name.replace("_", " "): f"{value:.4g}" for name, value in target.figures.items()}
    return summary | {row.group: _judged(row) for row in target.judged}


def _judged(row: Judged) -> str:
    return (
        f"{row.met}; {row.positive:,} true of {row.candidates:,}; AUPRC {_with_ends(row.auprc, row.low, row.high)},"
        f" top-k {row.topk:.4f}; at probability 0.5 precision {row.precision:.4f}, recall {row.recall:.4f}"
    )


def _dependencies(file: h5py.File) -> dict[str, dict[str, str]]:
    """Strongest blocks, and tests of introns."""
    found = dependency_summary(DependenciesFile(file))
    blocks = {
        f"{found.contigs[row.contig]}:{row.start + 1}-{row.end} with {row.other_start + 1}-{row.other_end}": (
            f"{row.value:.4f}, matched {row.matched:.4f}, z {row.z:.1f}, p {row.p:.2g} of {row.pairs:,} pairs"
        )
        for row in found.blocks
    }
    tests = {
        row.model: f"{_with_ends(row.difference, row.low, row.high, sign='+')} bits over {row.introns:,} introns:"
        f" {row.verdict}"
        for row in found.tests
    }
    return {name: rows for name, rows in (("blocks", blocks), ("donors and acceptors", tests)) if rows}


def _with_ends(value: float, low: float, high: float, *, sign: str = "") -> str:
    ends = f" [{low:{sign}.4f}, {high:{sign}.4f}]" if np.isfinite(low) else ""
    return f"{value:{sign}.4f}{ends}"


def _datasets(file: h5py.File) -> dict[str, str]:
    found: dict[str, str] = {}

    def visit(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = f"{' x '.join(map(str, item.shape)) or 'scalar'} {type_name(item)}"

    file.visititems(visit)
    return found

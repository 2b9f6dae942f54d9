"""What a file says first: its verdict and the size of the effect, a sentence each."""

from pathlib import Path

import h5py
import numpy as np

from genolstm.store.comparison import comparison_in
from genolstm.store.contrast import contrast_sentence
from genolstm.store.methylation import FitFile
from genolstm.store.prediction import PredictedTarget, prediction_in
from genolstm.store.schema import Kind

FIRST_PART = ("test", "scored", "valid")  # whose bits lead: the first that was measured


def headlines(file: h5py.File, path: Path) -> list[str]:
    """Sentences on what was found, the most important first; [] for files that only hold data."""
    match file.attrs["kind"]:
        case Kind.CHECKPOINT | Kind.SCORE as kind:
            found = _bits(file["bits" if kind == Kind.CHECKPOINT else "parts"])
        case Kind.PROBE:
            found = [_probed(target, file[target]) for target in file if target != "contigs"]
        case Kind.PREDICTION:
            found = [_predicted(each) for each in prediction_in(file, path).targets]
        case Kind.METHYLATION:
            found = [*_held_out(file), *_half_life(file)]
        case Kind.STUDY:
            found = [f"{name}: {file[name].attrs['conclusion']}" for name in file]
        case Kind.COMPARISON:
            found = _compared(file)
        case Kind.CONTRAST:
            found = [contrast_sentence(file)]
        case _:
            found = []
    return found


def _bits(parts: h5py.Group) -> list[str]:
    names = list(parts["part"].asstr()[()])
    row = next((names.index(name) for name in FIRST_PART if name in names), None)
    if row is None or not np.isfinite(parts["model"][row]):
        return []
    model, orders = parts["model"][row], parts["markov_by_order"][row]
    lines = {
        f"Markov of order {orders.argmin()}": orders.min(),
        "interpolated Markov": parts["markov_interpolated"][row],
    }
    best = min(lines, key=lambda name: lines[name])
    side = "below" if model < lines[best] else "above"
    return [
        f"{names[row]}: {model:.4f} bits/base, {abs(model - lines[best]):.4f} {side} the best line ({best},"
        f" {lines[best]:.4f})"
    ]


def _probed(target: str, group: h5py.Group) -> str:
    """Verdict of a target, 'worse' where the whole interval of its difference lies below zero."""
    verdict, control = str(group.attrs["verdict"]), str(group.attrs["best_control"])
    ranked = str(group.attrs.get("ranked", "auprc"))
    differences = list(group["differences/control"].asstr()[()])
    if control not in differences:
        return f"{target}: {verdict}"
    value, low, high = (group[f"differences/{end}"][differences.index(control)] for end in ("value", "low", "high"))
    features, scores = (list(group[f"scores/{name}"].asstr()[()]) for name in ("features", "score"))
    sides = [group["scores/value"][features.index(name), scores.index(ranked)] for name in ("trained", control)]
    word = "worse" if verdict == "no gain" and high < 0 else verdict
    return (
        f"{target}: {word}; {value:+.3f} [{low:+.3f}, {high:+.3f}] {ranked.upper()} of the trained states against the"
        f" strongest control ({control}): {sides[0]:.3f} against {sides[1]:.3f}"
    )


def _predicted(target: PredictedTarget) -> str:
    """AUPRC over all candidates of the contigs that nothing was fitted to; their number where there are no labels."""
    row = next((each for each in target.judged if each.group == "all held out"), None)
    if row is None:
        return f"{target.name}: {target.count:,} candidates, not held against labels"
    ends = f" [{row.low:.3f}, {row.high:.3f}]" if np.isfinite(row.low) else ""
    return (
        f"{target.name}: AUPRC {row.auprc:.3f}{ends} on held-out contigs, {row.positive:,} true of"
        f" {row.candidates:,} candidates ({row.positive / row.candidates:.2%}, the chance level)"
    )


def _held_out(file: h5py.File) -> list[str]:
    """For each hold-out, whole times first, the fit's model beside the best of the others."""
    scores = file["held_out"]
    if "hold_out" not in scores:
        return []
    texts = [scores[name].asstr()[()].tolist() for name in ("hold_out", "what", "model", "against")]
    numbers = [scores[name][()].tolist() for name in ("log_likelihood", "difference", "low", "high")]
    rows = [row for row in zip(*texts, *numbers, strict=True) if row[1] == "all" and not row[2].startswith(row[3])]
    found = []
    for hold_out in dict.fromkeys(row[0] for row in rows):
        best = max((row for row in rows if row[0] == hold_out), key=lambda row: row[4])
        _, _, model, fitted, _, value, low, high = best
        found.append(
            f"{hold_out} held out: {fitted} {-value:+.4f} [{-high:+.4f}, {-low:+.4f}] nats a read beside {model}, the"
            " best of the others"
        )
    return found


def _half_life(file: h5py.File) -> list[str]:
    fit = FitFile(file)
    known = fit.known_half_lives(0, len(fit))
    if not known.size:
        return ["no site has a half-life that its reads tell"] if len(fit) else []
    return [
        f"median half-life {np.median(known):.3g} {fit.unit} over {known.size:,} sites whose rate is identifiable, of"
        f" {len(fit):,}"
    ]


def _compared(file: h5py.File) -> list[str]:
    rows = comparison_in(file).differences
    told = [row.verdict for row in rows]
    lines = []
    if rows:
        value, low, high = rows[0].estimate
        lines.append(
            f"{rows[0].target}, {rows[0].measure}: {rows[0].one} less {rows[0].other}"
            f" {value:+.4f} [{low:+.4f}, {high:+.4f}], {rows[0].verdict}"
        )
    if len(rows) > 1:
        lines.append("all differences: " + ", ".join(f"{told.count(word)} {word}" for word in dict.fromkeys(told)))
    return lines

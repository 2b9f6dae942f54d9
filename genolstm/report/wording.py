"""Numbers and names as text for readers."""

import math
from collections.abc import Sequence

FEW_NAMES = 3
SCORE_NAMES = {
    "auprc": "AUPRC", "auroc": "AUROC", "topk": "top-k", "mcc": "MCC", "r2": "R²", "pearson": "Pearson r",
    "spearman": "Spearman rho", "calibration_error": "calibration error", "auprc_natural": "AUPRC at true prevalence",
    "auprc_matched": "AUPRC, matched", "auroc_matched": "AUROC, matched", "accuracy": "accuracy",
}  # fmt: skip


def score_name(name: str) -> str:
    """Name of a score as papers write it."""
    return SCORE_NAMES.get(name, name.replace("_", " "))


def interval(value: float, low: float, high: float, *, signed: bool = False, digits: int = 3) -> str:
    """A value with the ends of its 95 % interval; without ends, the value alone."""
    if not math.isfinite(value):
        return "not measured"
    # 'z': what rounds to nothing has no minus sign
    spelled = [f"{each:{'+' if signed else ''}z.{digits}f}" for each in (value, low, high)]
    ends = f" [{spelled[1]}, {spelled[2]}]" if math.isfinite(low) and math.isfinite(high) else ""
    return (spelled[0] + ends).replace("-", "\N{MINUS SIGN}")


def number(value: float, digits: int = 4) -> str:
    """One number with that many significant digits, or as a whole number."""
    if isinstance(value, int):
        return f"{value:,}".replace("-", "\N{MINUS SIGN}")
    if not math.isfinite(value):
        return "not known" if math.isnan(value) else ("∞" if value > 0 else "\N{MINUS SIGN}∞")
    return f"{value:.{digits}g}".replace("-", "\N{MINUS SIGN}")


def percent(part: int, whole: int) -> str:
    """A part of a whole in per cent."""
    return f"{100 * part / whole:.1f} %" if whole else "none"


def listed(names: Sequence[str], few: int = FEW_NAMES) -> str:
    """A list of names, a long one by its beginning."""
    first = ", ".join(names[:few])
    return first if len(names) <= few else f"{first} and {len(names) - few} more"


def contigs(names: Sequence[str]) -> str:
    """A list of contigs."""
    return f"contig{'s' if len(names) != 1 else ''} {listed(names)}"

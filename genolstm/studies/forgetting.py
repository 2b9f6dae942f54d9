"""Ebbinghaus's savings beside what cells with a constant forget gate keep."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch

from genolstm.cells.memory import MemoryCell
from genolstm.cells.rules import FAMILY
from genolstm.seeds import spawn
from genolstm.settings.model import CellName
from genolstm.settings.study import StudySettings
from genolstm.store.study import Claim, Column, Study
from genolstm.studies.forgetting_laws import DAY, ERROR, LAWS, MINUTES, SAVINGS, Fitted, Floats, fit
from genolstm.studies.intervals import written

FIT_LEVEL = 0.05
STARTS, QUICK_STARTS = 24, 8
DRAWS, QUICK_DRAWS = 200, 40
LATEST = 60 * DAY


def cell_of(tau_minutes: Sequence[float]) -> MemoryCell:
    """Units of constant forget gates, one a time constant; their write gate is what forgetting leaves free."""
    cell = MemoryCell(len(tau_minutes), len(tau_minutes), FAMILY[CellName.EBBINGHAUS]).double()
    with torch.no_grad():
        cell.log_tau.copy_(torch.tensor(tau_minutes, dtype=torch.float64).log())
    return cell


@torch.no_grad()
def states_after(cell: MemoryCell, studied: Sequence[float], minutes: Sequence[float]) -> Floats:
    """States after each of some spells of study (1) and rest (0); minutes : how long each is. [spells, units]."""
    inputs = torch.tensor(studied, dtype=torch.float64).view(1, -1, 1).expand(-1, -1, cell.n_units)
    steps = torch.tensor(minutes, dtype=torch.float64).unsqueeze(0)
    states: Floats = cell(inputs, time_steps=steps)[0][0].numpy()
    return states


def kept_by_cell(tau: Sequence[float], weights: Floats, study_minutes: float, rest: Floats) -> Floats:
    """Memory that a cell keeps of one spell of study after each rest [n], as a fraction of what it had."""
    spells = np.diff(np.concatenate([[0.0], rest]))
    states = states_after(cell_of(tau), [1.0] + [0.0] * len(spells), [study_minutes, *spells])
    learned = states[0]
    kept: Floats = (states[1:] / learned) @ weights
    return kept


def repeated(tau: float, study_minutes: float, gap_minutes: float, times: int) -> float:
    """State at the end of the last of equal spells of study with equal gaps between: a geometric series."""
    stored = -math.expm1(-study_minutes / tau)
    ratio = math.exp(-(study_minutes + gap_minutes) / tau)
    return stored * (1 - ratio**times) / (1 - ratio)


def _repeated_by_cell(tau: Sequence[float], study_minutes: float, gap_minutes: float, times: int) -> Floats:
    """State of a cell at the end of the last spell, [units]."""
    states = states_after(
        cell_of(tau), [1.0, 0.0] * (times - 1) + [1.0], [study_minutes, gap_minutes] * (times - 1) + [study_minutes]
    )
    last: Floats = states[-1]
    return last


def taus_and_weights(parameters: Floats) -> tuple[list[float], Floats]:
    """Time constants in minutes and weights of a law of units."""
    count = (len(parameters) + 1) // 2
    weights, rest = [], 1.0
    for place in range(count):
        weights.append(rest * (parameters[count + place] if place < count - 1 else 1.0))
        rest -= weights[-1]
    return [float(math.exp(each)) for each in parameters[:count]], np.array(weights)


def study(settings: StudySettings, on_progress: Callable[[str], None]) -> Study:
    """Fit every law to the savings, and compute the effect of repetition and spacing on the cell."""
    starts = QUICK_STARTS if settings.quick else STARTS
    draws = QUICK_DRAWS if settings.quick else DRAWS
    fits = {}
    for place, law in enumerate(LAWS):
        fits[law.name] = fit(law, spawn(settings.seed, "forgetting", place), starts=starts, draws=draws)
        on_progress(f"{law.name}: R2 {fits[law.name].r2.value:.3f}")
    tau, weights = taus_and_weights(fits["two units"].parameters)
    exact = float(
        np.abs(kept_by_cell(tau, weights, 10.0, MINUTES) - LAWS[3].keeps(fits["two units"].parameters, MINUTES)).max()
    )
    spacing = _spacing(tau, weights)
    claims = (*_claims(fits), _law_claim(exact), *_repetition_claims(spacing))
    return Study(
        name="forgetting",
        question="Does a memory whose forget gate is constant forget as Ebbinghaus did?",
        conclusion=_conclusion(fits),
        claims=claims,
        tables={"laws": _law_table(fits), "savings": _savings_table(fits), "curves": _curves(fits), "spacing": spacing},
        setting={
            "points": len(MINUTES), "starts": starts, "draws": draws, "seed": settings.seed,
            "source": "Ebbinghaus 1885, section 28; one subject, probable errors as he gives them",
        },
    )  # fmt: skip


def _claims(fits: dict[str, Fitted]) -> list[Claim]:
    def fitting(name: str, law: str, statement: str) -> Claim:
        each = fits[law]
        return Claim(
            name=name,
            statement=statement,
            holds=each.p > FIT_LEVEL,
            value=each.r2.value,
            low=each.r2.low,
            high=each.r2.high,
            unit="R2",
            because=f"{len(each.law.low)} parameters on {len(MINUTES)} points: chi2 {each.chi2:.1f} against the table's"
            f" own errors, p {each.p:.2g}; a law is refused below {FIT_LEVEL:g}.",
        )

    relearned = fits["one unit, relearned"]
    log, power = fits["Ebbinghaus's logarithm"], fits["power"]
    two = fits["two units"]
    best = min((each for each in fits.values() if not each.law.cell), key=lambda each: each.aicc)
    best_cell = min((each for each in fits.values() if each.law.cell), key=lambda each: each.aicc)
    return [
        fitting("one exponential", "one unit", "What Ebbinghaus kept falls as one exponential, the state of one unit."),
        fitting(
            "two units", "two units", "Two units of constant forget gates, a fast one and a slow one, describe it."
        ),
        fitting("three units", "three units", "Three units, with five parameters for seven points, describe it."),
        fitting("power law", "power", "A power law describes it."),
        fitting("his own formula", "Ebbinghaus's logarithm", "Ebbinghaus's own logarithmic formula describes it."),
        Claim(
            name="savings of one unit",
            statement="One constant-forget unit describes it once savings are what they were: relearning time.",
            holds=relearned.p > FIT_LEVEL,
            value=relearned.r2.value,
            low=relearned.r2.low,
            high=relearned.r2.high,
            unit="R2",
            because=f"R2 is {relearned.r2.value:.3f} with two parameters, {fits['one unit'].r2.value:.3f} for the state"
            f" of the same unit, {log.r2.value:.3f} for his formula and {power.r2.value:.3f} for the power law; chi2"
            f" {relearned.chi2:.0f}, p {relearned.p:.2g}.",
        ),
        Claim(
            name="parameters earned",
            statement="A mixture of constant-forget units is worth its parameters beside the laws of psychology.",
            holds=best_cell.aicc < best.aicc,
            value=best_cell.aicc - best.aicc,
            low=math.nan,
            high=math.nan,
            unit="AICc",
            because=f"The best cell ({best_cell.law.name}) stands at {best_cell.aicc:.1f}, {best.law.name} at"
            f" {best.aicc:.1f}; points left out are missed by {best_cell.left_out:.3f} and {best.left_out:.3f}"
            f" (two units: {two.left_out:.3f}).",
        ),
    ]


def _law_claim(exact: float) -> Claim:
    return Claim(
        name="closed form",
        statement="The state of a constant-forget cell after t minutes of rest is the sum of w e^(-t/tau).",
        holds=exact < 1e-12,
        value=exact,
        low=math.nan,
        high=math.nan,
        unit="largest difference",
        because=f"The cell stepped through all seven intervals differs from the formula by {exact:.1e} at most.",
    )


SPELLS = 4
SPELL_MINUTES = 10.0
GAPS = np.array([0.0, 10.0, 60.0, 720.0, 1440.0, 4320.0])


def _spacing(tau: Sequence[float], weights: Floats) -> dict[str, Column]:
    """Equal study, massed or spaced, asked for a day after its last spell."""
    by_cell = [_repeated_by_cell(tau, SPELL_MINUTES, gap, SPELLS) for gap in GAPS]
    formula = [[repeated(each, SPELL_MINUTES, gap, SPELLS) for each in tau] for gap in GAPS]
    fade = np.exp(-DAY / np.array(tau))
    learned = np.array([repeated(each, SPELL_MINUTES, 0.0, 1) for each in tau])
    kept = np.array([(state * fade / learned) @ weights for state in by_cell])
    return {
        "gap_minutes": Column(GAPS, "minutes", f"rest between {SPELLS} spells of {SPELL_MINUTES:g} minutes"),
        "kept_a_day_later": Column(kept, "spells", "state a day after the last spell; one spell leaves 1 at its end"),
        "difference": Column(
            np.abs(np.array(by_cell) - np.array(formula)).max(axis=1), "", "cell against geometric series, at most"
        ),
    }


def _repetition_claims(spacing: dict[str, Column]) -> tuple[Claim, Claim]:
    kept = np.asarray(spacing["kept_a_day_later"].values)
    difference = float(np.asarray(spacing["difference"].values).max())
    best = int(np.argmax(kept[1:])) + 1
    return (
        Claim(
            name="repetition",
            statement="Spells of study add up as a geometric series.",
            holds=difference < 1e-12,
            value=difference,
            low=math.nan,
            high=math.nan,
            unit="largest difference",
            because=f"{SPELLS} spells at {len(GAPS)} gaps: cell and series differ by {difference:.1e} at most.",
        ),
        Claim(
            name="spacing",
            statement="Spaced study is kept better than the same study massed, as people keep it.",
            holds=bool(kept[best] > kept[0]),
            value=float(kept[best] / kept[0]),
            low=math.nan,
            high=math.nan,
            unit="spaced / massed",
            because=f"A day after its last spell the best gap, {GAPS[best]:g} minutes, leaves"
            f" {kept[best] / kept[0]:.3f} of what massed study leaves: a constant gate weighs a spell by its age alone,"
            " and gaps only make spells older.",
        ),
    )


def _law_table(fits: dict[str, Fitted]) -> dict[str, Column]:
    rows = list(fits.values())
    return {
        "law": Column(tuple(each.law.name for each in rows), "", "name"),
        "formula": Column(tuple(each.law.formula for each in rows), "", "fraction kept after t minutes"),
        "of_the_family": Column(np.array([int(each.law.cell) for each in rows]), "", "1 where a constant-forget cell"),
        "parameters": Column(np.array([len(each.law.low) for each in rows]), "", "fitted"),
        "r2": Column(np.array([each.r2.value for each in rows]), "", "fraction of variance explained"),
        "r2_low": Column(np.array([each.r2.low for each in rows]), "", "2.5 % of tables drawn from the errors"),
        "r2_high": Column(np.array([each.r2.high for each in rows]), "", "97.5 %"),
        "left_out": Column(np.array([each.left_out for each in rows]), "savings", "RMS error at points left out"),
        "aicc": Column(
            np.array([each.aicc for each in rows]), "", "Akaike's criterion, corrected; inf: too few points"
        ),
        "chi2": Column(np.array([each.chi2 for each in rows]), "", "against the table's errors"),
        "p": Column(np.array([each.p for each in rows]), "", "probability of a larger chi2 were the law true"),
        "values": Column(tuple(" ".join(f"{at:.4g}" for at in each.parameters) for each in rows), "", "as fitted"),
    }


def _savings_table(fits: dict[str, Fitted]) -> dict[str, Column]:
    return {
        "minutes": Column(MINUTES, "minutes", "since the end of learning"),
        "savings": Column(SAVINGS, "", "work saved in relearning, as a fraction"),
        "error": Column(ERROR, "", "standard error"),
        **{name: Column(each.law.keeps(each.parameters, MINUTES), "", each.law.formula) for name, each in fits.items()},
    }


def _curves(fits: dict[str, Fitted]) -> dict[str, Column]:
    minutes = np.geomspace(5.0, LATEST, 120)
    return {
        "minutes": Column(minutes, "minutes", "since the end of learning"),
        **{name: Column(each.law.keeps(each.parameters, minutes), "", each.law.formula) for name, each in fits.items()},
    }


def _conclusion(fits: dict[str, Fitted]) -> str:
    one, two, relearned = fits["one unit"], fits["two units"], fits["one unit, relearned"]
    log = fits["Ebbinghaus's logarithm"]
    verb = "falls" if one.p > FIT_LEVEL else "does not fall"
    accepted = [name for name, each in fits.items() if each.p > FIT_LEVEL]
    within = f"only {', '.join(accepted)} within the table's own errors" if accepted else "none within its own errors"
    return (
        f"The state of one constant-forget unit {verb} as Ebbinghaus did (R2 {written(one.r2)}); two units reach"
        f" {written(two.r2)} with three parameters, and one reaches {written(relearned.r2)} with two once relearning"
        f" time is what is measured, beside {log.r2.value:.2f} for his own formula; {within}."
    )

"""Section of a probe, always beside its controls."""

import math
import re
from collections.abc import Iterator, Mapping

import numpy as np

from genolstm.probes.verdicts import CANNOT_TELL, GAIN, NO_GAIN, WORSE, lacking, positives_of, spelled_verdict
from genolstm.regions import Part
from genolstm.report.parts import ReportTable, Section, Tone, Verdict
from genolstm.report.reading import Result
from genolstm.report.wording import contigs, interval, listed, number, score_name
from genolstm.settings.control import TableStates
from genolstm.store.results import ProbeResult

TRAINED = "trained"
SUBJECTS = {
    ("splice", "donor"): "splice donors",
    ("splice", "acceptor"): "splice acceptors",
    ("accessibility", "peaks"): "open chromatin",
    ("accessibility", "signal"): "how accessible chromatin is",
    ("protein", "charge"): "the net charge of the residues so far",
    ("protein", "charge_per_residue"): "the net charge per residue so far",
    ("protein", "hydropathy"): "the mean hydropathy of the residues so far",
    ("protein", "hydropathy_ahead"): "the hydropathy of the residues that follow",
    ("protein", "frame"): "the codon frame",
    ("sites", "labels"): "the labels of the sites",
    ("sites", "values"): "the values of the sites",
    ("control", "labels"): "the labels of the sites",
    ("control", "values"): "the values of the sites",
}
TERMS = (  # the first pattern that fits a feature set's name gives its meaning
    (r"trained", "hidden states of the trained model, under a linear probe"),
    (r"untrained", "random-init models, the same network without training: what any recurrent network gives"),
    (r"onehot", "the bases around the site themselves, one weight a base and place"),
    (r"kmer|word", "k-mer counts around the site"),
    (r"prefix_composition", "composition of all residues so far, which determines the target: a ceiling, no baseline"),
    (r"composition", "base or residue composition around the site, and nothing else"),
    (r"length", "number of residues so far, and nothing else"),
    (r"shuffled", "the trained states with shuffled labels: expected at chance level"),
    (r"shifted", "the trained states with labels moved along the genome: expected at chance level"),
    (r"control_task", "the trained states with labels drawn by k-mer (Hewitt & Liang): what a probe memorises"),
)  # fmt: skip
TONES = {GAIN: Tone.YES, NO_GAIN: Tone.NO, WORSE: Tone.WORSE}
EDGE_TESTS = 24  # rows of a table of edges


def probe_section(result: Result) -> Section:
    """Verdict, scores and limits of each target of a probe."""
    task = str(result.about.others.get("task", "probe"))
    targets: Mapping[str, ProbeResult] = result.content
    names = {name for each in targets.values() for name in each.features}
    return Section(
        title=f"Probe: {task}",
        verdicts=[_verdict(task, each) for each in targets.values()],
        tables=[table for each in targets.values() for table in _tables(task, each)],
        terms=list(_terms(names)),
        limits=_limits(result, targets),
        metrics=[metric for each in targets.values() for metric in _metrics(each)],
    )


def subject(task: str, target: str) -> str:
    """Name of a target as readers know it."""
    return SUBJECTS.get((task, target), target.replace("_", " "))


def _verdict(task: str, result: ProbeResult) -> Verdict:
    score = score_name(result.ranked)
    difference = result.differences[result.best_control]
    margin = interval(*difference, signed=True)
    about, verdict = subject(task, result.target), spelled_verdict(result.verdict, difference)
    values = [result.features[name].scores[result.ranked].value for name in (TRAINED, result.best_control)]
    sides = f"{score} {values[0]:.3f} against {values[1]:.3f}"
    if result.verdict == CANNOT_TELL:
        needed = lacking(positives_of(result.sites.label, result.sites.part))
        return Verdict(Tone.NOTE, f"No verdict on {about}: {needed} ({sides}; {margin} {score}).")
    against = f"{margin} {score} against {result.best_control}, the best control"
    if verdict == GAIN:
        text = f"The states predict {about}: gain {margin} {score} over {result.best_control}, the best control"
    elif verdict == WORSE:
        text = f"The states are worse for {about}: {against}; the interval lies below zero"
    else:
        text = f"No gain for {about}: {against}; the interval does not lie above zero"
    return Verdict(TONES[verdict], f"{text} ({sides}), on {_sites(result)}.")


def _sites(result: ProbeResult) -> str:
    """Test sites: how many, and where."""
    test = result.sites.part == Part.TEST
    names = [result.sites.contigs[index] for index in np.unique(result.sites.contig[test]).tolist()]
    chains = set(result.chains.get("name", ()))  # a protein read by itself is its own contig
    where = f"proteins {listed(names)}" if chains.issuperset(names) else contigs(names)
    if "clusters" in result.definition:  # so is a window of a FASTA
        where = f"windows {listed(names)}"
    total, positive = int(test.sum()), int((result.sites.label[test] == 1).sum())
    if result.ranked == "auprc":
        return f"{number(positive)} true sites among {number(total)} of {where}"
    return f"{number(total)} sites of {where}"


def _tables(task: str, result: ProbeResult) -> Iterator[ReportTable]:
    """Every score of every feature set, then the tests at edges."""
    scores = list(next(iter(result.features.values())).scores)
    rows = []
    for name, features in result.features.items():
        difference = result.differences.get(name)
        spelled = [interval(*features.scores[score]) if score in features.scores else "\N{EN DASH}" for score in scores]
        rows.append([name, *spelled, interval(*difference, signed=True) if difference else "\N{EN DASH}"])
    ranked, about = score_name(result.ranked), subject(task, result.target).capitalize()
    yield ReportTable(
        f"{about}: scores on {_sites(result)}, with 95 % intervals (block bootstrap)",
        ["features", *(score_name(score) for score in scores), f"trained minus it, {ranked}"],
        rows,
    )
    if result.edges and "p_adjusted" in result.edges:
        yield _edge_table(task, result)


def _edge_table(task: str, result: ProbeResult) -> ReportTable:
    about = subject(task, result.target).capitalize()
    edges = {name: list(values) for name, values in result.edges.items()}
    rows = [
        [
            f"{edges['model'][row]}, layer {edges['layer'][row]}", str(edges["direction"][row]),
            number(int(edges["edges"][row])),
            interval(edges["difference"][row], edges["low"][row], edges["high"][row], signed=True, digits=4),
            number(float(edges["p_adjusted"][row]), 2),
        ]
        for row in range(min(len(edges["model"]), EDGE_TESTS))
    ]  # fmt: skip
    return ReportTable(
        f"{about}: mean forget gate near edges of peaks, less that near matched places",
        ["model", "read", "edges", "difference", "p, adjusted"], rows,
    )  # fmt: skip


def _terms(names: set[str]) -> Iterator[tuple[str, str]]:
    for pattern, meaning in TERMS:
        fitting = sorted(name for name in names if re.match(pattern, name))
        names = names - set(fitting)
        if fitting:
            yield ", ".join(fitting), meaning


def _limits(result: Result, targets: Mapping[str, ProbeResult]) -> list[str]:
    limits = [
        f"One trained model and one draw of sites (seed {result.about.seed}): intervals are over blocks of the test"
        " sites, not over training runs.",
        "A linear probe shows that the states carry information, not that the model uses it.",
    ]
    for name, each in targets.items():
        if each.chains:
            limits.append(f"{name}: test proteins share at most {number(each.homology)} identity with others.")
        elif math.isfinite(each.homology):
            limits.append(
                f"{name}: {100 * each.homology:.1f} % of the test windows share a 31-mer with training, so a model may"
                " have memorised them."
            )
        if each.states == TableStates.TABLE:
            limits += [f"{name}: {each.definition[key]}." for key in ("held_out", "random_init")]
        if taught := each.definition.get("taught"):
            limits.append(
                f"{name}: the model was taught {taught} on its training proteins; this is no self-supervised gain."
            )
        if each.prevalence:
            limits.append(f"{name}: true sites are {100 * each.prevalence:.2f} % of all candidates in nature.")
        if each.fraction_of_ceiling is not None:
            limits.append(
                f"{name}: between the best random-init model (0) and the composition of the whole prefix (1), the"
                f" trained states reach {interval(*each.fraction_of_ceiling)}."
            )
        unready = [label for label, features in each.features.items() if not features.converged]
        if unready:
            limits.append(f"{name}: the solver stopped before its tolerance for {', '.join(unready)}.")
    return limits


def _metrics(result: ProbeResult) -> Iterator[tuple[str, str, float]]:
    score, name = score_name(result.ranked), result.target
    yield f"{name}_{result.ranked}", f"{name} {score}", result.features[TRAINED].scores[result.ranked].value
    best = result.features[result.best_control].scores[result.ranked].value
    yield f"{name}_{result.ranked}_control", f"{name} {score}, best control", best
    yield f"{name}_gain", f"{name} gain", result.differences[result.best_control].value

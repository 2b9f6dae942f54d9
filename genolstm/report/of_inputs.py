"""Sections of inputs (genomes, tracks, hidden states), and of studies."""

from collections.abc import Mapping

from genolstm.report.parts import ReportTable, Section, Tone, Verdict
from genolstm.report.reading import Result
from genolstm.report.wording import interval, number, percent
from genolstm.store.genome import Genome
from genolstm.store.study import Claim, Study
from genolstm.store.track import Track

MOST_CONTIGS = 20
SYMBOLS = {"dna": "bases of DNA", "protein": "residues of protein"}


def genome_section(result: Result) -> Section:
    """How large a genome is."""
    genome: Genome = result.content
    total = sum(genome.length_of.values())
    rows = [[name, number(length)] for name, length in list(genome.length_of.items())[:MOST_CONTIGS]]
    left = len(genome.length_of) - len(rows)
    caption = "Contigs" + (f" (the first {MOST_CONTIGS}; {left} more are in the file)" if left else "")
    text = f"{number(len(genome.length_of))} contigs, {number(total)} {SYMBOLS[genome.alphabet.name]}."
    return Section(
        title="Genome",
        verdicts=[Verdict(Tone.NOTE, text)],
        tables=[ReportTable(caption, ["contig", "length"], rows)],
        metrics=[("symbols", "Symbols", float(total))],
        judged=False,
    )


def track_section(result: Result) -> Section:
    """What a track counts."""
    track: Track = result.content
    total = int(track.lengths.sum())
    what = {"atac": "cut sites", "coverage": "aligned bases"}.get(track.origin.assay, "of signal")
    text = (
        f"{number(track.total)} {what} from {track.origin.form} ({track.unit}), on {number(track.bases)} bases of"
        f" {number(total)} ({percent(track.bases, total)})."
    )
    return Section(
        title=f"Track: {track.origin.assay}",
        verdicts=[Verdict(Tone.NOTE, text)],
        metrics=[("counted", what.capitalize(), float(track.total))],
        judged=False,
    )


def hidden_section(result: Result) -> Section:
    """How many states were stored."""
    sites, values = result.content
    text = f"{number(sites)} sites, {number(values)} values each."
    return Section(title="Hidden states at sites", verdicts=[Verdict(Tone.NOTE, text)], judged=False)


def study_section(result: Result) -> Section:
    """Which claims hold."""
    studies: Mapping[str, Study] = result.content
    claims = [(name, claim) for name, study in studies.items() for claim in study.claims]
    held = sum(claim.holds for _, claim in claims)
    return Section(
        title="Study" if len(studies) == 1 else "Studies",
        verdicts=[_claim(name, claim) for name, claim in claims],
        tables=[_claim_table(study) for study in studies.values()],
        terms=[(f"{name}: question", study.question) for name, study in studies.items()]
        + [(f"{name}: conclusion", study.conclusion) for name, study in studies.items()],
        limits=[f"{name} was measured with {_setting(study)}." for name, study in studies.items() if study.setting],
        metrics=[("claims_held", "Claims that hold", float(held)), ("claims", "Claims", float(len(claims)))],
    )


def _setting(study: Study) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in study.setting.items())


def _claim(study: str, claim: Claim) -> Verdict:
    verb = "holds" if claim.holds else "does not hold"
    measured = f"{_value(claim)} {claim.unit}".strip()
    statement = claim.statement.rstrip(".")
    return Verdict(
        Tone.YES if claim.holds else Tone.NO, f"{study}, {claim.name}: the claim {verb} ({measured}). {statement}."
    )


def _value(claim: Claim) -> str:
    return interval(claim.value, claim.low, claim.high, digits=3 if abs(claim.value) < 1000 else 0)


def _claim_table(study: Study) -> ReportTable:
    rows = [
        [claim.name, "holds" if claim.holds else "does not hold", _value(claim), claim.unit, claim.because]
        for claim in study.claims
    ]
    return ReportTable(f"Claims of the study {study.name}", ["claim", "verdict", "value", "unit", "because"], rows)

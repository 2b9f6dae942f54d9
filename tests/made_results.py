"""One small result file of every kind, made once; names hold what HTML and XML must escape."""

import contextlib
import io
import sys
from pathlib import Path

import numpy as np

from genolstm.estimate import Estimate
from genolstm.regions import Sites
from genolstm.store.comparison import (
    ComparedFile,
    Comparison,
    Difference,
    FileValue,
    GroupValue,
    Shared,
    write_comparison,
)
from genolstm.store.files import Provenance, Records
from genolstm.store.prediction import (
    Bin,
    CurvePoint,
    Judged,
    PredictedTarget,
    Prediction,
    PredictionRows,
    write_prediction,
)
from genolstm.store.results import CalibrationBin, FeatureSet, ProbeResult, SweepFit, write_probe
from genolstm.store.schema import Kind
from genolstm.store.study import Claim, Column, Study, write_studies

AWKWARD = "<script>alert('x')</script>&\"q\""  # a contig that somebody might have
CONTIGS = {"I": 1200, AWKWARD: 900, "III": 700}
SHAPE = (
    "--hidden",
    "8",
    "--lanes",
    "4",
    "--chunk",
    "16",
    "--bases",
    "600",
    "-t",
    "1",
    "--device",
    "cpu",
    "--seed",
    "3",
)
READ = ("-t", "1", "--device", "cpu")


def genolstm(*arguments):
    """Run a command in this process, quietly."""
    from genolstm.cli.app import app

    before, sys.argv = sys.argv, ["genolstm", *map(str, arguments)]
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            assert not app(list(map(str, arguments)), standalone_mode=False)
    finally:
        sys.argv = before


def made_results(folder: Path) -> dict[str, Path]:
    """Name -> path of one file of each kind, by short names."""
    names = ("genome", "model", "score", "gates", "hidden", "track", "counts", "fit", "probe", "study", "comparison",
         "snvs", "prediction", "dependencies")  # fmt: skip
    paths = {name: folder / f"{name}.h5" for name in names}
    fasta = folder / "genome.fa"
    rng = np.random.default_rng(5)
    fasta.write_text("".join(f">{name}\n{''.join(rng.choice(list('ACGT'), n))}\n" for name, n in CONTIGS.items()))
    genolstm("ingest", fasta, "-o", paths["genome"], "-q")
    genolstm("train", paths["genome"], "-o", paths["model"], *SHAPE, "--test-contigs", "III", "-q")
    genolstm("score", paths["model"], paths["genome"], "-o", paths["score"], *READ, "-q")
    genolstm("gates", paths["model"], paths["genome"], "-o", paths["gates"], *READ, "--every", "10", "-q")
    changed = ("--all-snvs", "--region", "I:1-40", "-q")
    mapped = ("--region", "I:1-60", "--window", "12", "-q")
    genolstm("dependencies", paths["model"], paths["genome"], *mapped, "-o", paths["dependencies"], *READ)
    genolstm("variants", paths["model"], paths["genome"], *changed, "-o", paths["snvs"], *READ)
    sites = folder / "sites.bed"
    sites.write_text(f"I\t10\t20\tfirst\t0\t+\n{AWKWARD}\t30\t40\tsecond\t0\t-\n")
    genolstm("embed", paths["model"], paths["genome"], "--sites", sites, "-o", paths["hidden"], *READ, "-q")
    fragments = folder / "fragments.tsv"
    fragments.write_text("".join(f"I\t{start}\t{start + 50}\tcell\t1\n" for start in range(5, 900, 45)))
    genolstm("track", fragments, "--genome", paths["genome"], "-o", paths["track"], "-q")
    rates = folder / "rates.tsv"
    lines = [f"{name}\t{10 * place + 3}\t{0.1 * (place + 1)}\t0.7\n" for name in ("I", "III") for place in range(20)]
    rates.write_text("contig\tposition\trate_per_hour\tsteady_fraction\n" + "".join(lines))
    times = ("--times", "0,1,4,16", "--time-offset", "0.5")
    genolstm("methylation", "simulate", "--rates", rates, *times, "--coverage", "12", "-o", paths["counts"], "-q")
    genolstm("methylation", "fit", paths["counts"], *times, "-o", paths["fit"], "-t", "1", "-q")
    from genolstm.store.files import file_sha256
    from genolstm.store.genome import open_genome

    inputs = {"genome": open_genome(paths["genome"]).sha256, "model": file_sha256(paths["model"])}
    about = Provenance(command="genolstm probe <made>", settings={"twins": 1}, seed=3, inputs=inputs, device="cpu")
    write_probe(
        paths["probe"], "splice", {"donor": probe("donor", gain=True), "acceptor": probe("acceptor", gain=False)},
        Records(read=60, used=40, skipped={"too <short>": 20}), about,
    )  # fmt: skip
    write_studies(paths["study"], {"made-up": study()}, about)
    write_prediction(paths["prediction"], prediction(), 0.0, Records(read=9, used=8, skipped={"at an <end>": 1}), about)
    write_comparison(paths["comparison"], comparison(file_sha256(paths["probe"])), Records(), about)
    return paths


def comparison(sha256: str) -> Comparison:
    """Two probe files, of which one is better in one of two measures."""
    files = tuple(ComparedFile(name, name, digest) for name, digest in (("probe", sha256), (AWKWARD, "cd" * 32)))
    of_files = [(each.name, measure) for measure in ("auprc", "gain in auprc") for each in files]
    ends = (0.8, 0.7, 0.9)
    return Comparison(
        compared=Kind.PROBE, files=files, shared=(Shared("donor", 20, 4),), notes=("A <note>.",),
        values=tuple(FileValue(name, "donor", measure, *ends) for name, measure in of_files),
        groups=tuple(GroupValue(name, "donor", measure, 1, np.nan, *ends) for name, measure in of_files),
        differences=(
            Difference("probe", AWKWARD, "donor", "auprc", 0.1, 0.05, 0.15, 0.001, 0.001, "better"),
            Difference("probe", AWKWARD, "donor", "gain in auprc", 0.1, -0.05, 0.2, 0.3, 0.3, "no difference"),
        ),
    )  # fmt: skip


def prediction() -> Prediction:
    """Donors on two contigs, one of them held out, with labels; and predicted values."""

    def rows(of_value: bool) -> PredictionRows:
        value = np.linspace(-3, 3, 8)
        probability = None if of_value else 1 / (1 + np.exp(-value))
        contig = np.repeat(np.array([0, 2]), 4)
        return PredictionRows(
            contig, np.tile(np.arange(4) * 50, 2), np.tile(np.array([1, -1], np.int8), 4), value, probability
        )

    ends = {"auprc": 0.8, "low": 0.7, "high": 0.9, "topk": 0.5, "precision": 0.5, "recall": 0.25, "expected": 3.5}
    judged = tuple(
        Judged(group=group, met=who, candidates=4, positive=2, lost=1, calibration_error=0.1, **ends)
        for group, who in (("I", "model trained on it"), ("III", "held out"), ("all held out", "held out"))
    )
    donor = PredictedTarget(
        name="donor", classes=("no donor", "donor"), width=1, count=8, rows=lambda: iter((rows(False),)), slope=1.1,
        intercept=(-2.0,), natural=0.01, source="counted on the probe's genome",
        figures={"test_calibration_error": 0.01, "test_calibration_error_uncalibrated": 0.02},
        reliability=(Bin("probe test rows", 0.0, 0.5, 0.2, 0.25, 2, 6), Bin("all held out", 0.5, 1.0, 0.8, 0.75, 3, 1)),
        judged=judged,
        curve=(
            CurvePoint("all held out", 0.9, 0.5, 1.0), CurvePoint("all held out", 0.5, 1.0, 0.75),
            *(CurvePoint(f"probe's test sites: {name}", np.nan, recall, best / recall) for name, best in
              (("trained states", 0.4), ("strongest control, untrained_1", 0.2)) for recall in (0.5, 1.0)),
        ),
    )  # fmt: skip
    signal = PredictedTarget(name="signal", classes=(), width=1, count=8, rows=lambda: iter((rows(True),)))
    return Prediction(
        task="splice", contigs=tuple(CONTIGS), lengths=np.array(list(CONTIGS.values())),
        flags=np.array([1, 0, 0], np.uint8), targets=(donor, signal), seams={"count": 0}, notes=("A <note>.",),
    )  # fmt: skip


def probe(target: str, *, gain: bool) -> ProbeResult:
    """Forty sites, of which the last twenty are for test; the trained states are right or no better than others."""
    rng = np.random.default_rng(len(target))
    label = np.tile(np.array([1, 0], np.int8), 20)
    sites = Sites(
        contigs=tuple(CONTIGS), contig=np.repeat(np.array([0, 2], np.int32), 20),
        position=np.tile(np.arange(20, dtype=np.int64) * 30 + 5, 2),
        strand=np.tile(np.array([1, 1, -1, -1], np.int8), 10),
        label=label, part=np.repeat(np.array([0, 2], np.int8), 20), block=np.repeat(np.arange(8), 5).astype(np.int64),
    )  # fmt: skip

    def features(quality: float) -> FeatureSet:
        odds = (quality * (2 * label - 1) + rng.normal(size=40)).astype(np.float32)
        scores = {"auprc": Estimate(0.5 + quality / 10, 0.4, 0.9), "auroc": Estimate(0.6, 0.5, 0.7)}
        return FeatureSet(
            label=label, log_odds=odds, threshold=0.0, mean=np.zeros(3, np.float32), scale=np.ones(3, np.float32),
            coefficients=np.array([0.5, -0.25, 0.1], np.float32), intercept=0.0, regularisation=1.0, converged=True,
            strengths=((1.0, -0.5),), scores=scores,
        )  # fmt: skip

    found = Estimate(0.1234, 0.0567, 0.2) if gain else Estimate(0.01, -0.05, 0.07)
    return ProbeResult(
        target=target, sites=sites, offsets=(0, 2), verdict="gain" if gain else "no gain", best_control="untrained_1",
        features={name: features(q) for name, q in (("trained", 3.0), ("untrained_1", 2.0), ("kmer", 1.0))},
        differences={"untrained_1": found, "kmer": Estimate(0.3, 0.2, 0.4)}, selectivity=0.1, prevalence=0.02,
        homology=0.05, sweep=(SweepFit("trained", (0,), -0.3, 0.8), SweepFit("trained", (0, 2), -0.2, 0.9)),
        calibration=(CalibrationBin(-1.0, 0.2, 0.25, 8), CalibrationBin(1.0, 0.8, 0.75, 12)), seams={},
    )  # fmt: skip


def study() -> Study:
    """Two claims, one of which does not hold."""
    claims = (
        Claim(
            "kept", "What is kept <stays>.", holds=True, value=1.5, low=1.2, high=1.8, unit="bits", because="above 1"
        ),
        Claim(
            "lost", "What is lost is lost.", holds=False, value=0.1, low=np.nan, high=np.nan, unit="", because="below 1"
        ),
    )
    table = {"lag": Column(np.array([1, 2, 4]), "steps", "how far back"), "left": Column(np.array([1.0, 0.5, np.nan]))}
    return Study(
        name="made-up", question="Does it hold?", conclusion="Half of it.", claims=claims, tables={"curve": table},
        setting={"seeds": 3},
    )  # fmt: skip

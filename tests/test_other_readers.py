"""Result files and tables as R and Python read them, by the lines that the README shows."""

import shutil
import subprocess

import h5py
import numpy as np
import pytest

from genolstm.store.methylation import read_methylation
from genolstm.store.results import read_probe

R_LINES = """
library(rhdf5)
sites <- as.data.frame(h5read("fit.h5", "sites")[c("contig", "position", "rate_per_hour", "half_life_hours")])
sites$contig <- h5read("fit.h5", "contigs/name")[sites$contig + 1]
donor <- h5read("probe.h5", "donor/scores")
scores <- matrix(donor$value, nrow = length(donor$score), dimnames = list(donor$score, donor$features))
"""
R_TOLD = """
bits <- h5read("score.h5", "bits/forward")
table <- read.delim("sites.tsv")
cat(nrow(sites), sprintf("%.17g", sites$rate_per_hour[1]), sites$contig[1],
    sprintf("%.17g", scores["auprc", "trained"]),
    length(bits), sum(is.na(bits)), nrow(table), sum(is.na(table$half_life_hours)), sep = "\\n")
"""


@pytest.fixture
def beside(results, tmp_path):
    """A folder with the files under the names that the README uses."""
    for name in ("fit", "probe", "score", "hidden"):
        shutil.copy(results[name], tmp_path / f"{name}.h5")
    return tmp_path


def test_r_reads_fits_probes_scores_and_tables(run_export, beside):
    if not shutil.which("Rscript"):
        pytest.skip("Rscript is not installed")
    asked = 'cat(requireNamespace("rhdf5", quietly = TRUE))'
    if subprocess.run(["Rscript", "-e", asked], capture_output=True, text=True, check=False).stdout != "TRUE":
        pytest.skip("rhdf5 is not installed in R")
    run_export(beside / "fit.h5", "-o", beside / "sites.tsv")
    script = beside / "read.R"
    script.write_text(R_LINES + R_TOLD)
    ended = subprocess.run(["Rscript", script.name], cwd=beside, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    told = ended.stdout.split("\n")
    fit, donor = read_methylation(beside / "fit.h5"), read_probe(beside / "probe.h5")["donor"]
    with h5py.File(beside / "score.h5") as file:
        bits = file["bits/forward"][()]
    assert int(told[0]) == len(fit)
    assert float(told[1]) == fit.rate[0]
    assert told[2] == fit.contigs[fit.contig[0]]
    assert float(told[3]) == donor.features["trained"].scores["auprc"].value
    assert [int(each) for each in told[4:8]] == [
        len(bits), np.isnan(bits).sum(), len(fit), np.isnan(fit.half_life).sum(),
    ]  # fmt: skip


def test_h5dump_reads_every_kind(results):
    if not shutil.which("h5dump"):
        pytest.skip("h5dump is not installed")
    for path in results.values():
        subprocess.run(["h5dump", "-H", path], capture_output=True, check=True)


def test_python_reads_a_fit_with_h5py_alone(beside):
    with h5py.File(beside / "fit.h5") as file:
        names = file["contigs/name"].asstr()[:]
        columns = {name: file["sites"][name][:] for name in ("contig", "position", "rate_per_hour", "half_life_hours")}
    columns["contig"] = names[columns["contig"]]
    fit = read_methylation(beside / "fit.h5")
    assert columns["contig"].tolist() == [fit.contigs[index] for index in fit.contig]
    np.testing.assert_array_equal(columns["rate_per_hour"], fit.rate)


@pytest.fixture
def run_export():
    """Function: arguments of `genolstm export` -> it has run."""
    from made_results import genolstm

    return lambda *arguments: genolstm("export", *arguments, "-q")

"""The workflow under a real Snakemake: whole, again, after a touched input, after a kill, and on a real SLURM."""

import csv
import os
import shlex
import shutil
import signal
import subprocess
import time

import pytest
import yaml

from genolstm.store.files import open_any

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

NOTHING = "Nothing to be done"


@pytest.fixture(scope="module")
def config(workflows, tmp_path_factory):
    """Copy of the example in a folder of its own, its network and its controls as small as they may be."""
    folder = tmp_path_factory.mktemp("workflow")
    shutil.copytree(workflows.parent / "example_data", folder / "data")
    text = (workflows / "config" / "config.yaml").read_text().replace("../example_data", "data")
    settings = yaml.safe_load(text)
    settings["samples"] = "samples.tsv"
    settings["models"] = {"tiny": {"hidden": 16, "bases": "200k", "seeds": [1]}}
    settings["probes"] = {
        "splice": "--twins 1 --decoys 2 --offsets 2 --resamples 50",
        "protein": "--twins 1 --positions 2 --resamples 50",
        "accessibility": "--twins 1 --kmers 3 --resamples 50 --permutations 99",
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    samples = (workflows / "config" / "samples.tsv").read_text().replace("../example_data", "data")
    (folder / "samples.tsv").write_text(samples)
    return folder


@pytest.fixture(scope="module")
def flow(ran, snakemake, workflows, config):
    """Function: options -> how Snakemake ended in the folder of `config`."""

    def run(*options, **more):
        return ran(
            snakemake, "-s", workflows / "Snakefile", "--configfile", "config.yaml", *options, cwd=config, **more
        )

    return run


@pytest.fixture(scope="module")
def finished(flow):
    """Run the whole workflow once; gives what Snakemake said."""
    ended = flow("--cores", "2")
    assert ended.returncode == 0, ended.stderr[-4000:]
    return ended.stderr


def jobs_of(told):
    """Names of the rules that Snakemake ran or would run."""
    return {line.split()[-1].rstrip(":") for line in told.splitlines() if line.startswith(("rule ", "localrule "))}


def test_the_workflow_is_as_snakemake_wants_it(ran, snakemake, workflows, config):
    linted = ran(snakemake, "-s", workflows / "Snakefile", "--configfile", "config.yaml", "--lint", cwd=config)
    assert linted.returncode == 0, linted.stderr
    formatter = snakemake.with_name("snakefmt")
    if not formatter.exists():
        pytest.skip("no snakefmt beside this Snakemake")
    formatted = ran(formatter, "--check", workflows)
    assert formatted.returncode == 0, formatted.stderr


def test_every_real_genome_config_fits_its_schema(ran, snakemake, workflows, tmp_path):
    asked = workflows / "config" / "pombe_yeast.yaml"
    ended = ran(snakemake, "-n", "-s", workflows / "Snakefile", "--configfile", asked, cwd=tmp_path)
    # the genomes are not here, which is all that is wrong
    assert "Missing input files" in ended.stderr + ended.stdout
    assert "data/pombe/genome.fa.gz" in ended.stderr + ended.stdout


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("genomes:", "genoms:", "'genoms' was unexpected"),
        ("    hidden: 16", "    hiden: 16", "'hiden' was unexpected"),
        ("data/genome.fa.gz", "data/none.fa.gz", "data/none.fa.gz"),
        ("samples: samples.tsv", "samples: none.tsv", "samples table none.tsv does not exist"),
        ("samples: samples.tsv", "samples: twice.tsv", "names 'atac' twice"),
        ("samples: samples.tsv", "samples: elsewhere.tsv", "is on genome 'mouse', which the config does not have"),
        ("samples: samples.tsv", "samples: misspelled.tsv", "'atack' is not one of"),
        ("    - chrC", "    - $(touch pwned)", "'$(touch pwned)' does not match"),
        ("    bases: 200k", "    bases: 2; touch pwned", "'2; touch pwned' does not match"),
        ("results: results", 'results: "a\\nb"', "does not match"),
        ("--twins 1 --kmers", "--twins '1 --kmers", "probes: accessibility"),
    ],
)
def test_a_wrong_config_stops_before_anything_runs_and_names_the_key(flow, config, old, new, told):
    table = (config / "samples.tsv").read_text()
    (config / "twice.tsv").write_text(table + table.splitlines()[1] + "\n")
    (config / "elsewhere.tsv").write_text(table.replace("\texample\t", "\tmouse\t"))
    (config / "misspelled.tsv").write_text(table.replace("\tatac\t", "\tatack\t"))
    text = (config / "config.yaml").read_text()
    assert old in text
    (config / "wrong.yaml").write_text(text.replace(old, new, 1))
    ended = flow("-n", "--configfile", "wrong.yaml")
    assert ended.returncode == 1
    assert told in ended.stderr + ended.stdout


@pytest.mark.parametrize("folder", ["checkout", "workflows", "elsewhere"])
def test_the_example_is_planned_from_any_folder(ran, snakemake, workflows, tmp_path, folder):
    cwd = {"checkout": workflows.parent, "workflows": workflows, "elsewhere": tmp_path}[folder]
    ended = ran(snakemake, "-n", "-s", workflows / "Snakefile", "--nolock", cwd=cwd)
    told = ended.stdout + ended.stderr
    assert ended.returncode == 0, told[-4000:]
    assert "rule report:" in told
    assert str(workflows.parent / "example_data" / "genome.fa.gz") in told


HOSTILE = "a b $(touch pwned) 'q' \"d\" ; touch pwned"


def test_spaces_and_shell_words_of_a_config_are_names_and_never_run(ran, snakemake, workflows, tmp_path):
    """Every rule's command, where every path of the config holds what a shell would act on."""
    folder = tmp_path / HOSTILE
    (folder / "data").mkdir(parents=True)
    program = folder / "program.sh"
    program.write_text(
        '#!/bin/bash\nprintf "%s\\n" "$@" "" >> calls.txt\nfor word; do\n'
        '  case "$before" in -o | --bigwig) touch "$word" "$word.tbi" ;; esac; before=$word\ndone\n'
    )
    program.chmod(0o755)
    names = ("genome.fa", "genes.gff3", "v.vcf", "reads.bam", "peaks.bed", "t0.bam", "t1.bam")
    for name in names:
        (folder / "data" / name).write_text("")
    data = {name: str(folder / "data" / name) for name in names}
    settings = {
        "genolstm": f"bash {shlex.quote(str(program))}",
        "results": f"re sults {HOSTILE}".replace("/", ""),
        "samples": str(folder / "samples.tsv"),
        "genomes": {"g": {"fasta": data["genome.fa"], "annotation": data["genes.gff3"], "variants": data["v.vcf"]}},
        "models": {"m": {"hidden": 8, "bases": "1k", "seeds": [1]}},
        "probes": dict.fromkeys(("splice", "protein", "accessibility"), "--twins '$(touch pwned)' `touch pwned`"),
    }
    rows = [
        ("s", "g", "atac", data["reads.bam"], data["peaks.bed"], "", ""),
        *((f"t{at}", "g", "methylation", data[f"t{at}.bam"], "", "c", at) for at in "01"),
    ]  # fmt: skip
    header = ("sample", "genome", "assay", "file", "peaks", "course", "time")
    with (folder / "samples.tsv").open("w", newline="") as table:
        csv.writer(table, delimiter="\t").writerows([header, *rows])
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    ended = ran(snakemake, "-s", workflows / "Snakefile", "--configfile", folder / "config.yaml", "--cores", "1",
                cwd=folder)  # fmt: skip
    assert ended.returncode == 0, (ended.stdout + ended.stderr)[-4000:]
    called = (folder / "calls.txt").read_text().splitlines()
    assert set(data.values()) <= set(called)  # each one word
    assert "$(touch pwned)" in called
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.usefixtures("finished")
def test_the_example_runs_from_a_fresh_folder_to_a_report_and_then_has_nothing_to_do(flow, config):
    results = config / "results" / "example"
    assert (results / "tiny-seed1" / "report.html").stat().st_size > 10_000
    assert (results / "tiny-seed1" / "variants.vcf.gz.tbi").exists()
    written = sorted(results.rglob("*.h5"))
    assert {"genome.h5", "model.h5", "score.h5", "gates.h5", "splice.h5", "protein.h5"} <= {p.name for p in written}
    for path in written:
        with open_any(path, verify=True):
            pass
    again = flow("--cores", "2")
    assert again.returncode == 0
    assert NOTHING in again.stderr + again.stdout


@pytest.mark.usefixtures("finished")
def test_a_changed_input_runs_only_what_depends_on_it(flow, config):
    peaks = config / "data" / "peaks.narrowPeak"
    os.utime(peaks)
    touched = flow("-n")
    assert NOTHING in touched.stdout + touched.stderr  # Snakemake compares checksums of small files
    peaks.write_text("".join(peaks.read_text().splitlines(keepends=True)[:-1]))
    planned = flow("-n")
    assert jobs_of(planned.stdout + planned.stderr) == {"probe_accessibility", "report", "all"}
    ended = flow("--cores", "2")
    assert ended.returncode == 0, ended.stderr[-4000:]
    again = flow("-n")
    assert NOTHING in again.stdout + again.stderr


@pytest.mark.usefixtures("finished")
def test_a_killed_workflow_leaves_no_partial_output_and_finishes_later(snakemake, workflows, environment, flow, config):
    shutil.rmtree(config / "results" / "example" / "tiny-seed1")
    command = [snakemake, "-s", workflows / "Snakefile", "--configfile", "config.yaml", "--cores", "2"]
    with (config / "killed.log").open("w") as log:
        running = subprocess.Popen(command, cwd=config, env=environment, stdout=log, stderr=log, start_new_session=True)
        model = config / "results" / "example" / "tiny-seed1" / "model.h5"
        until = time.monotonic() + 120
        while not model.exists():  # then score, gates and probes are under way
            assert time.monotonic() < until, (config / "killed.log").read_text()
            time.sleep(0.1)
        time.sleep(2)
        os.killpg(running.pid, signal.SIGKILL)
        running.wait(timeout=60)
    left = [path for path in (config / "results").rglob("*.h5") if not path.name.startswith(".")]
    assert left
    for path in left:
        with open_any(path, verify=True):
            pass
    ran_again = flow("--unlock")
    assert ran_again.returncode == 0, ran_again.stderr
    ended = flow("--cores", "2", "--rerun-incomplete")
    assert ended.returncode == 0, ended.stderr[-4000:]
    assert (model.parent / "report.html").exists()
    assert not list((config / "results").rglob(".*.partial"))


@pytest.mark.usefixtures("slurm")
def test_the_same_runs_through_slurm(ran, snakemake, workflows, config, tmp_path):
    asked = ran(snakemake.with_name("python"), "-c", "import snakemake_executor_plugin_slurm")
    if asked.returncode:
        pytest.skip("no snakemake-executor-plugin-slurm beside this Snakemake")
    for name in ("config.yaml", "samples.tsv"):
        shutil.copy(config / name, tmp_path)
    shutil.copytree(config / "data", tmp_path / "data")
    # without accounting the plugin has to ask squeue, and it waits for status half a minute unless told
    ended = ran(
        snakemake, "-s", workflows / "Snakefile", "--configfile", "config.yaml", "--profile",
        workflows / "profiles" / "slurm", "--default-resources", "slurm_partition=test",
        "--slurm-no-account", "--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "3",
        "--latency-wait", "5", cwd=tmp_path, seconds=600,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-4000:]
    results = tmp_path / "results" / "example"
    assert (results / "tiny-seed1" / "report.html").exists()
    told = ended.stdout + ended.stderr
    assert told.count("has been submitted with SLURM jobid") == 12  # one batch job for each rule

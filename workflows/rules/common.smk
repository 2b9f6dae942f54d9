"""Config and sample table, checked; and which files the whole workflow makes.

Whatever stands in the config reaches a command as words of a list, each quoted (:q) where the rule's shell line is made.
"""

import csv
import os
import shlex

import yaml
from snakemake.exceptions import WorkflowError
from snakemake.utils import validate

# without --configfile the example is run; its files are beside the Snakefile, whatever the folder Snakemake runs in
BESIDE = "" if workflow.config_settings.configfiles else workflow.basedir
if BESIDE:
    with open(os.path.join(BESIDE, "config", "config.yaml")) as example:
        given = dict(config)  # of --config
        config.update(yaml.safe_load(example))
        config.update(given)
validate(config, "../config/config.schema.yaml")


def words(text, key):
    """Words of what is typed in the config, as a shell would part them; none is ever run by one."""
    try:
        return shlex.split(text)
    except ValueError as problem:
        raise WorkflowError(
            f"config: '{key}' is {text!r}, which has an open quote or escape ({problem})."
        )


def typed(group, key):
    """Further options of one command, as a list of words."""
    return words(config[group][key], f"{group}: {key}")


def found_at(path):
    """Path of an input: as it stands, or beside the Snakefile when the example is run."""
    return os.path.normpath(os.path.join(BESIDE, path)) if BESIDE else path


RESULTS = config["results"]
PROGRAM = words(config["genolstm"], "genolstm")
GENOMES = config["genomes"]
MODELS = config["models"]
GPU = {"gpu": 1} if config["device"] == "cuda" else {}
RUNS = {
    f"{name}-seed{seed}": (name, seed)
    for name, model in MODELS.items()
    for seed in model["seeds"]
}


def read_samples(path):
    """Rows of the sample table by name; every row checked against its schema."""
    if not path:
        return {}
    path = found_at(path)
    if not os.path.exists(path):
        raise WorkflowError(
            f"samples table {path} does not exist; correct 'samples' in the config."
        )
    samples = {}
    with open(path, newline="") as table:
        for row in csv.DictReader(table, delimiter="\t"):
            row = {key: value for key, value in row.items() if value not in ("", None)}
            try:
                validate(row, "../config/samples.schema.yaml")
            except WorkflowError as problem:
                raise WorkflowError(
                    f"samples table {path}, sample '{row.get('sample', '?')}': {problem}"
                )
            if row["sample"] in samples:
                raise WorkflowError(
                    f"samples table {path} names '{row['sample']}' twice; names must differ."
                )
            if row["genome"] not in GENOMES:
                raise WorkflowError(
                    f"samples table {path}: '{row['sample']}' is on genome '{row['genome']}',"
                    f" which the config does not have; it has {', '.join(GENOMES)}."
                )
            samples[row["sample"]] = row | {
                key: found_at(row[key]) for key in ("file", "peaks") if key in row
            }
    return samples


SAMPLES = read_samples(config["samples"])
TRACKS = {name: row for name, row in SAMPLES.items() if row["assay"] != "methylation"}


def courses(genome):
    """Methylation time courses of a genome: name -> its sample rows in the order of time."""
    found = {}
    for row in SAMPLES.values():
        if row["assay"] == "methylation" and row["genome"] == genome:
            found.setdefault(row["course"], []).append(row)
    return {
        name: sorted(rows, key=lambda row: float(row["time"]))
        for name, rows in found.items()
    }


def path_of(genome, key):
    """File of a genome that rules take as input; [] where the config names none."""
    return found_at(GENOMES[genome][key]) if key in GENOMES[genome] else []


def option(flag, value):
    """Words of an option with its value; none where there is no value."""
    return [flag, str(value)] if value else []


def tracks_of(genome):
    """Names of the samples with a track on a genome."""
    return [name for name, row in TRACKS.items() if row["genome"] == genome]


def results_of(genome, run):
    """What is reported of one model: files of the model, then those of its genome."""
    of_model = ["model.h5", "score.h5", "gates.h5"]
    if "annotation" in GENOMES[genome]:
        of_model += ["splice.h5", "protein.h5"]
    of_model += [f"access.{name}.h5" for name in tracks_of(genome)]
    of_genome = ["genome.h5"]
    of_genome += [f"tracks/{name}.track.h5" for name in tracks_of(genome)]
    of_genome += [
        f"methylation/{name}.{kind}.h5"
        for name in courses(genome)
        for kind in ("counts", "fit")
    ]
    return [f"{RESULTS}/{genome}/{run}/{name}" for name in of_model] + [
        f"{RESULTS}/{genome}/{name}" for name in of_genome
    ]


def targets():
    """Everything: a report for each genome and model, and what no report holds."""
    wanted = []
    for genome, settings in GENOMES.items():
        for run in RUNS:
            wanted.append(f"{RESULTS}/{genome}/{run}/report.html")
            if "variants" in settings:
                wanted.append(f"{RESULTS}/{genome}/{run}/variants.vcf.gz")
    return wanted


def training_options(wildcards):
    """Options of 'genolstm train' from the config: the model's own, then the genome's split."""
    name, seed = RUNS[wildcards.run]
    given = {key: value for key, value in MODELS[name].items() if key != "seeds"}
    given |= {
        key: ",".join(GENOMES[wildcards.genome][key])
        for key in ("train_contigs", "valid_contigs", "test_contigs")
        if GENOMES[wildcards.genome].get(key)
    }
    given |= {"seed": seed, "device": config["device"]}
    return [
        word
        for key, value in given.items()
        for word in (f"--{key.replace('_', '-')}", str(value))
    ]


def course_files(wildcards):
    """Reads or tables of a time course, in the order of time."""
    return [row["file"] for row in courses(wildcards.genome)[wildcards.course]]


wildcard_constraints:
    genome="[^/]+",
    run="[^/]+",
    sample="[^/]+",
    course="[^/]+",

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from made_results import CONTIGS, READ, SHAPE, probe, study

from genolstm.regions import Sites
from genolstm.store.comparison import read_comparison
from genolstm.store.files import Provenance, Records, file_sha256, open_any
from genolstm.store.genome import open_genome
from genolstm.store.results import write_probe
from genolstm.store.study import write_studies

SITES = 80
FEW = ("--resamples", "200")


@pytest.fixture
def probes(results, tmp_path):
    """Function: name, quality -> a probe file on the sites of `probe`, the trained states so good."""
    genome = open_genome(results["genome"]).sha256

    def made(name, quality, *, genome=genome, target="donor"):
        rng = np.random.default_rng(sum(map(ord, name)))
        label = np.tile(np.array([1, 0], np.int8), SITES // 2)
        sites = Sites(
            contigs=tuple(CONTIGS), contig=np.zeros(SITES, np.int32), position=np.arange(SITES, dtype=np.int64) * 10,
            strand=np.ones(SITES, np.int8), label=label, part=np.full(SITES, 2, np.int8),
            block=np.arange(SITES, dtype=np.int64) // 4,
        )  # fmt: skip
        odds = {
            name: (good * (2.0 * label - 1) + rng.normal(size=SITES)).astype(np.float32)
            for name, good in (("trained", quality), ("untrained_1", 0.0), ("kmer", 0.0))
        }
        found = probe("donor", gain=True)
        features = {name: replace(found.features[name], label=label, log_odds=each) for name, each in odds.items()}
        found = replace(found, sites=sites, features=features)
        about = Provenance(command="made", settings={}, seed=1, inputs={"genome": genome, "model": name}, device="cpu")
        path = tmp_path / name
        write_probe(path, "splice", {target: found}, Records(), about)
        return path

    return made


@pytest.fixture
def models(run, results, tmp_path):
    """Function: name, options -> another model of the same genome."""

    def made(name, *options):
        shape = [*SHAPE, "--test-contigs", "III", *options]
        assert run("train", results["genome"], "-o", tmp_path / name, *shape, "-q").code == 0
        return tmp_path / name

    return made


def test_comparison_is_in_file_log_json_picture_page_and_table(run, probes, tmp_path):
    good, bad, out = probes("good.h5", 3.0), probes("bad.h5", 0.0), tmp_path / "c.h5"
    ended = run("compare", good, bad, "-o", out, "--figure", tmp_path / "c.svg", "--json", *FEW)
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)
    assert told["compared"] == "probe"
    assert told["shared"] == [{"target": "donor", "rows": 80, "blocks": 20}]
    first = told["differences"][0]
    assert (first["one"], first["other"], first["measure"], first["verdict"]) == ("good", "bad", "auprc", "better")
    assert first["value"][1] > 0
    assert "donor, auprc, good less bad: +" in ended.err
    assert ": better" in ended.err
    assert "says nothing of what another seed would give" in ended.err
    found = read_comparison(out)
    assert [row.verdict for row in found.differences] == [each["verdict"] for each in told["differences"]]
    assert found.files[0].sha256 == file_sha256(good)
    assert (tmp_path / "c.svg").stat().st_size > 5_000
    assert (tmp_path / "c-groups-auprc.svg").exists()
    shown = run("show", out, "--verify")
    assert "donor, auprc, good less bad: +" in shown.out
    table = tmp_path / "c.tsv"
    assert run("export", out, "-o", table, "-q").code == 0
    head, *rows = table.read_text().splitlines()
    assert {"one", "other", "verdict", "p_adjusted"} <= set(head.split("\t"))
    assert len(rows) == 2
    page = tmp_path / "c.html"
    assert run("report", out, good, "-o", page, "--multiqc", tmp_path / "multiqc", "-q").code == 0
    assert "good is better than bad" in page.read_text()


def test_the_same_command_gives_the_same_content(run, probes, tmp_path):
    pair = (probes("a.h5", 1.0), probes("b.h5", 0.5))
    hashes = set()
    for name in ("one.h5", "two.h5"):
        assert run("compare", *pair, "-o", tmp_path / name, *FEW, "-q").code == 0
        with open_any(tmp_path / name) as file:
            hashes.add(file.attrs["content_sha256"])
    assert len(hashes) == 1


def test_groups_are_seeds_of_one_setting(run, probes, tmp_path):
    files = [probes(f"{name}{seed}.h5", quality) for name, quality in (("x", 0.8), ("y", 0.0)) for seed in range(3)]
    groups = [word for name in "xxxyyy" for word in ("--group", name)]
    assert run("compare", *files, *groups, "-o", tmp_path / "c.h5", *FEW, "-q").code == 0
    found = read_comparison(tmp_path / "c.h5")
    assert [(row.group, row.files) for row in found.groups if row.measure == "auprc"] == [("x", 3), ("y", 3)]
    assert all(row.sd > 0 for row in found.groups)
    assert [(row.one, row.other) for row in found.differences] == [("x", "y"), ("x", "y")]
    values = [row.value for row in found.values if row.measure == "auprc"]
    assert found.groups[0].value == pytest.approx(np.mean(values[:3]))


def test_one_group_of_seeds_has_a_spread_and_no_difference(run, probes, tmp_path):
    files = [probes(f"s{seed}.h5", 1.0) for seed in range(3)]
    ended = run("compare", *files, *(["--group", "s"] * 3), "-o", tmp_path / "c.h5", *FEW)
    assert ended.code == 0, ended.err
    assert "mean of 3 files, SD" in ended.err
    assert "3 files of one group" in ended.err
    assert read_comparison(tmp_path / "c.h5").differences == ()
    page = tmp_path / "c.html"
    assert run("report", tmp_path / "c.h5", "-o", page, "-q").code == 0
    assert "nothing to hold them against" in page.read_text()


def test_models_of_one_setting_are_grouped_and_no_interval_is_claimed(run, results, models, tmp_path):
    seeds = [results["model"], models("m4.h5", "--seed", "4")]
    wide = models("wide.h5", "--hidden", "12")
    ended = run("compare", *seeds, wide, "-o", tmp_path / "c.h5", "--figure", tmp_path / "c.png")
    assert ended.code == 0, ended.err
    assert "differences between them have no paired interval: score the models on one genome" in ended.err
    found = read_comparison(tmp_path / "c.h5")
    assert [each.group for each in found.files] == ["model and its seeds", "model and its seeds", "wide"]
    assert {row.verdict for row in found.differences} == {"not judged"}
    assert {row.measure for row in found.groups} == {"bits", "bits over the best Markov line"}
    assert run("show", tmp_path / "c.h5").code == 0
    assert run("report", tmp_path / "c.h5", "-o", tmp_path / "c.html", "-q").code == 0


def test_score_files_are_compared_by_class_of_an_annotation(run, results, models, tmp_path):
    other, out, genes = tmp_path / "other-score.h5", tmp_path / "c.h5", tmp_path / "g.gff3"
    assert run("score", models("m6.h5", "--seed", "6"), results["genome"], "-o", other, *READ, "-q").code == 0
    lines = [
        f"{contig}\tx\t{kind}\t{low}\t{high}\t.\t+\t{phase}\t{about}\n"
        for contig in ("I", "III", "elsewhere")
        for kind, low, high, phase, about in (
            ("mRNA", 11, 300, ".", f"ID=t{contig}"), ("exon", 11, 300, ".", f"Parent=t{contig}"),
            ("CDS", 41, 250, "0", f"Parent=t{contig}"),
        )
    ]  # fmt: skip
    genes.write_text("##gff-version 3\n" + "".join(lines))
    asked = ("--annotation", genes, "--figure", tmp_path / "c.svg", "--json")
    ended = run("compare", results["score"], other, "-o", out, *FEW, *asked)
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)
    classes = [row["target"] for row in told["differences"] if row["measure"] == "bits by class"]
    assert classes == ["CDS", "UTR", "intergenic"]
    assert told["records"]["skipped"]["contig not in genome"] == 3
    assert told["records"]["read"] == told["records"]["used"] + sum(told["records"]["skipped"].values())
    assert "elsewhere" in ended.err
    assert (tmp_path / "c-differences-bits-by-class.svg").exists()
    with open_any(out) as file:
        assert json.loads(file.attrs["inputs"])["annotation"] == file_sha256(genes)
    ended = run("compare", results["score"], other, "-o", out, "-f", *FEW, "--json")
    assert [row for row in told["differences"] if row["measure"] == "bits"] == json.loads(ended.out)["differences"]


def test_annotation_is_for_score_files_alone(run, probes, tmp_path):
    genes = tmp_path / "g.gff3"
    genes.write_text("##gff-version 3\n")
    ended = run("compare", probes("a.h5", 1.0), probes("b.h5", 0.0), "-o", tmp_path / "c.h5", "--annotation", genes)
    assert ended.code == 2
    assert "--annotation is for the bits of score files, and " in ended.err
    assert "is a probe file: leave it out." in ended.err


def test_score_files_of_one_genome_are_compared(run, results, models, tmp_path):
    other = tmp_path / "other-score.h5"
    assert run("score", models("m5.h5", "--seed", "5"), results["genome"], "-o", other, *READ, "-q").code == 0
    ended = run("compare", results["score"], other, "-o", tmp_path / "c.h5", *FEW)
    assert ended.code == 0, ended.err
    assert "score: its model was trained on bases of I, " in ended.err
    found = read_comparison(tmp_path / "c.h5")
    assert found.shared[0].target == "all shared bases"
    assert {row.verdict for row in found.differences} == {"cannot tell"}  # 2,800 bases are four blocks


def refused(ended, sentence):
    """A command that ended with exit 3 and one sentence."""
    lines = [line for line in ended.err.splitlines() if line.startswith("genolstm: ")]
    assert ended.code == 3, ended.err
    assert len(lines) == 1
    assert sentence in lines[0]


def test_files_that_cannot_be_compared_are_one_sentence(run, results, probes, tmp_path):
    a, out = probes("a.h5", 1.0), tmp_path / "c.h5"
    copy = tmp_path / "copy.h5"
    shutil.copy(a, copy)
    refused(run("compare", a, "-o", out), f"{a} alone cannot be compared; give two files or more.")
    refused(run("compare", a, copy, "-o", out), f"{a} and {copy} hold the same result; give it once.")
    refused(run("compare", a, results["score"], "-o", out), f"{a} is a probe file and {results['score']} a score file")
    refused(run("compare", results["genome"], a, "-o", out), "is a genome file and")
    refused(run("compare", a, probes("g.h5", 1.0, genome="ab" * 32), "-o", out), "were made on different genomes")
    refused(run("compare", a, probes("t.h5", 1.0, target="acceptor"), "-o", out), "share no target (a has donor; t has")
    refused(run("compare", a, tmp_path / "none.h5", "-o", out), "none.h5 does not exist")
    assert not out.exists()


def test_kinds_that_hold_nothing_to_compare_are_refused(run, results, tmp_path):
    other = tmp_path / "other.h5"
    about = Provenance(command="made", settings={}, seed=1, inputs={}, device="cpu")
    write_studies(other, {"made-up": replace(study(), question="Another?")}, about)
    ended = run("compare", results["study"], other, "-o", tmp_path / "c.h5")
    refused(ended, "is a study file; only probe results, score files and models can be compared.")


def test_groups_that_are_not_as_many_as_files_are_wrong_usage(run, probes, tmp_path):
    ended = run("compare", probes("a.h5", 1.0), probes("b.h5", 0.0), "--group", "x", "-o", tmp_path / "c.h5")
    assert ended.code == 2
    assert "there are 2 files and 1 --group: name the group of each, in order." in ended.err

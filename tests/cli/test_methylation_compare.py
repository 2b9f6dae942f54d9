"""`genolstm methylation compare`, and `fit --samples`, as a user runs them."""

import csv
import json
import shutil

import numpy as np
import pytest

import genolstm as gl
from genolstm.errors import UsageError
from genolstm.store.contrast import read_contrast
from genolstm.store.counts import read_counts
from genolstm.store.methylation import read_methylation

HEADER = "file\ttime\tgroup\treplicate"


@pytest.fixture(scope="module")
def made_samples(ran, tmp_path_factory):
    """Folder of `samples`."""
    folder, lines = tmp_path_factory.mktemp("samples"), [HEADER]
    for group, rate in (("old", "0.3"), ("young", "3")):
        for time in (4, 0, 16):  # not in order: the fit sorts them
            for replicate in (1, 2):
                name = f"{group}{time}{replicate}.h5"
                seed = str(100 * time + replicate + (group == "young") * 50)
                ended = ran(
                    "methylation", "simulate", "--rates", made_rates(folder, rate), "--times", f"{time}",
                    "--time-offset", "0.5", "--coverage", "20", "-o", folder / name, "-q", "--seed", seed,
                )  # fmt: skip
                assert ended.code == 0
                lines.append(f"{name}\t{time}\t{group}\tr{replicate}")
    (folder / "samples.tsv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def samples(made_samples, tmp_path):
    """Path of a table of two groups, two replicates, three times; a counts file for each sample, of 40 CpGs."""
    shutil.copytree(made_samples, tmp_path, dirs_exist_ok=True)
    return tmp_path / "samples.tsv"


def made_rates(folder, rate):
    """Table of 40 CpGs of one rate, at the same places whatever the rate."""
    path = folder / f"rates{rate}.tsv"
    rows = [f"I\t{50 * place}\t{rate}\t0.8" for place in range(40)]
    path.write_text("contig\tposition\trate_per_hour\tsteady_fraction\n" + "\n".join(rows) + "\n")
    return path


def rows_of(path):
    with path.open() as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def test_groups_are_compared_at_sites_and_over_regions(run, samples, tmp_path):
    file, output, figure = tmp_path / "d.h5", tmp_path / "d.tsv", tmp_path / "d.svg"
    base = ("methylation", "compare", samples, "--time-offset", "0.5", "-o", file, "--table", output)
    told = json.loads(run(*base, "--figure", figure, "--json").out)
    assert (told["sites"], told["tested"], told["groups"]) == (40, 40, ["old", "young"])
    assert told["different"]["rate"] > 20
    assert told["records"] == {"read": 40, "used": 40, "skipped": {}}
    rows = rows_of(output)
    assert [int(row["start"]) for row in rows] == [50 * place for place in range(40)]
    assert np.median([float(row["log2_rate_ratio"]) for row in rows]) == pytest.approx(np.log2(10), abs=0.6)
    assert np.median([float(row["half_life_hours_old"]) for row in rows]) == pytest.approx(np.log(2) / 0.3, rel=0.3)
    assert figure.read_text().startswith("<?xml")
    for found in (gl.compare_methylation(samples, time_offset=0.5), gl.open_result(file)):
        table = found.table()
        assert list(table) == list(rows[0])
        assert [f"{value:.6g}" for value in table["q"]] == [row["q"] for row in rows]
        assert (len(found), found.records.used, found.contrast.samples[0]) == (40, 40, "old:0:r1")
        assert sorted(found.figures()) == ["contrast", "surest"]
    again = found.save(tmp_path / "again.h5")
    assert read_contrast(again).differences["p"].tolist() == table["p"].tolist()
    bed = tmp_path / "r.bed"
    bed.write_text("I\t0\t1000\tfirst\nI\t1000\t2000\tsecond\nI\t500\t1500\toverlapping\n")
    told = json.loads(run(*base, "-f", "--regions", bed, "--json").out)
    assert (told["regions"], told["tested"]) == (3, 3)
    assert [row["name"] for row in rows_of(output)] == ["first", "second", "overlapping"]
    assert [int(row["reads_old"]) > 2000 for row in rows_of(output)] == [True] * 3
    swapped = tmp_path / "s.tsv"
    assert gl.open_result(file).table()["name"] == ["first", "second", "overlapping"]
    words = ("--group", "young", "--group", "old", "-q")
    assert run(*base[:-4], "-o", tmp_path / "s.h5", "--table", swapped, *words).code == 0
    assert np.median([float(row["log2_rate_ratio"]) for row in rows_of(swapped)]) < -2


@pytest.mark.parametrize(
    ("options", "column"),
    [
        (("--dispersion", "0.3", "--likelihood", "binomial"), "rate_p"), (("--dispersion", "0.3"), "rate_p"),
        (("--level", "0.5"), "rate_low"),
        (("--conversion-error", "0.05"), "rate_p"), (("--rate-high", "1"), "rate"), (("--rate-low", "0.5"), "rate"),
    ],
)  # fmt: skip
def test_every_option_of_compare_has_an_effect(run, samples, tmp_path, options, column):
    name = {"rate_low": "log2_rate_ratio_low", "rate": "log2_rate_ratio"}.get(column, column)
    found = []
    for each in (options[:-2], options):  # the last option with its value is the one that is tried
        path = tmp_path / f"{len(each)}.h5"
        assert run("methylation", "compare", samples, "--time-offset", "0.5", *each, "-o", path, "-q").code == 0
        found.append(gl.open_result(path).table()[name].tolist())
    assert found[0] != found[1]


def test_unit_reads_and_rate_of_false_discoveries_have_an_effect(run, samples, tmp_path):
    base = ("methylation", "compare", samples, "--time-offset", "0.5", "-o", tmp_path / "d.h5", "-f", "--json")
    plain = json.loads(run(*base).out)
    assert json.loads(run(*base, "--fdr", "1e-9").out)["different"]["rate"] < plain["different"]["rate"]
    assert json.loads(run(*base, "--min-reads", "125").out)["tested"] < 40
    run(*base, "--unit", "divisions")
    assert "rate_per_division_old" in gl.open_result(tmp_path / "d.h5").table()


def test_replicates_are_fitted_together(run, samples, tmp_path):
    fit = tmp_path / "fit.h5"
    ended = run(
        "methylation", "fit", "--samples", samples, "--group", "old", "--time-offset", "0.5", "-o", fit, "-q",
        "--hold-out", "time:4", "--resamples", "20",
    )  # fmt: skip
    assert ended == (0, "", "")
    found = read_methylation(fit)
    assert found.elapsed.tolist() == [0.5, 0.5, 4.5, 4.5, 16.5, 16.5]
    assert found.samples[0] == "old:0:r1"
    assert np.median(found.rate) == pytest.approx(0.3, rel=0.15)
    by_door = gl.fit_methylation(samples=samples, group="old", time_offset=0.5)
    np.testing.assert_array_equal(by_door.fit.rate, found.rate)
    assert by_door.fit.samples == found.samples
    assert set(by_door.provenance.inputs) == {*(f"counts {place}" for place in range(1, 7)), "samples"}
    with pytest.raises(UsageError, match="has the groups old, young: name the one to fit"):
        gl.fit_methylation(samples=samples)
    with pytest.raises(UsageError, match="leave out counts and times"):
        gl.fit_methylation(samples.with_name("old41.h5"), samples=samples)
    with pytest.raises(UsageError, match="give that too"):
        gl.fit_methylation(samples.with_name("old41.h5"), [4], group="old")
    held = sum(read_counts(samples.with_name(f"old4{replicate}.h5")).covered.sum() for replicate in (1, 2))
    assert found.held_out[0].reads == held


def test_a_contrast_is_shown_exported_and_reported(run, samples, tmp_path):
    file, page = tmp_path / "d.h5", tmp_path / "page.html"
    assert run("methylation", "compare", samples, "--time-offset", "0.5", "-o", file, "-q").code == 0
    told = run("show", file, "--verify").out
    assert "young differs from old at " in told
    assert " of 40 sites at a false discovery rate of 0.05" in told
    assert run("report", file, "-o", page, "-q") == (0, "", "")
    assert "Methylation: young against old" in page.read_text()
    assert run("export", file, "-o", tmp_path / "d.tsv", "-q").code == 0
    row = rows_of(tmp_path / "d.tsv")[0]
    assert (row["contig"], row["start"], row["end"]) == ("I", "0", "2")
    assert float(row["rate_per_hour_old"]) == gl.open_result(file).contrast.gates["rate_per_hour"][0, 0]


def replaced(line, text):
    def change(table):
        lines = table.read_text().splitlines()
        lines[line] = text
        table.write_text("\n".join(lines) + "\n")

    return change


def kept(pattern):
    def change(table):
        lines = table.read_text().splitlines()
        table.write_text("\n".join([lines[0], *(line for line in lines[1:] if pattern(line))]) + "\n")

    return change


@pytest.mark.parametrize(
    ("change", "code", "sentence"),
    [
        (replaced(0, "file\ttime\tgroup"), 3, "samples.tsv has no column 'replicate'; its first line must name file"),
        (replaced(1, "gone.h5\t4\told\tr1"), 3, "gone.h5 does not exist; correct its path, which begins at the table"),
        (replaced(1, "old41.h5\tsoon\told\tr1"), 3, "samples.tsv line 2: time 'soon' is not a number"),
        (replaced(1, "old41.h5\t4\told"), 3, "samples.tsv line 2 has no replicate; fill it in"),
        (replaced(1, "old01.h5\t4\told\tr1"), 3, "old01.h5 with times 4 and 0, which contradict"),
        (replaced(1, "old41.h5\t4\told\tr2"), 3, "has two samples of group 'old', time 4, replicate 'r2'"),
        (replaced(1, "old41.h5\t4\tve ry\tr1"), 3, "group 've ry' must be letters, digits"),
        (kept(lambda line: "old" not in line or "r1" in line), 3, "group 'old' of"),
        (kept(lambda line: "old" in line), 2, "two groups are compared, not 1 (old)"),
        (kept(lambda line: "\t4\t" in line), 3, "has one time; rate and steady fraction need two"),
        (kept(lambda _: False), 3, "has a header but no samples; give one row for each"),
    ],
)
def test_wrong_tables_of_samples_are_told_in_one_sentence(run, samples, tmp_path, change, code, sentence):
    change(samples)
    ended = run("methylation", "compare", samples, "-o", tmp_path / "d.h5", "--table", tmp_path / "d.tsv", "-q")
    assert ended.code == code
    assert sentence in ended.err
    assert len(ended.err.splitlines()) == 1
    assert not list(tmp_path.glob("*d.*"))


def test_groups_without_a_site_in_common_are_refused(run, samples, tmp_path):
    rates = tmp_path / "elsewhere.tsv"
    rates.write_text("contig\tposition\trate_per_hour\tsteady_fraction\nI\t9999\t1\t0.8\n")
    for time in (0, 4, 16):
        for replicate in (1, 2):
            path = tmp_path / f"young{time}{replicate}.h5"
            run("methylation", "simulate", "--rates", rates, "--times", f"{time}", "-o", path, "-q", "-f")
    ended = run("methylation", "compare", samples, "-o", tmp_path / "d.h5", "--table", tmp_path / "d.tsv", "-q")
    assert ended.code == 3
    assert "groups 'old' and 'young' share no site with 20 reads at two ages in each" in ended.err
    assert not list(tmp_path.glob("*d.*"))


def test_methylated_reads_at_age_0_are_warned_of_and_break_nothing(run, samples, tmp_path):
    ended = run("methylation", "compare", samples, "-o", tmp_path / "d.h5")
    assert ended.code == 0
    assert "sample 'old:0:r1' holds " in ended.err
    assert " methylated reads at age 0, where a new strand has none" in ended.err
    assert 0 <= gl.open_result(tmp_path / "d.h5").contrast.numbers["dispersion"] < 0.1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--samples", "{table}"), "has the groups old, young: name the one to fit with --group, or compare two"),
        (("--samples", "{table}", "--group", "none"), "has no group 'none'; it has old, young"),
        (("--samples", "{table}", "--times", "0,1"), "--samples names the counts files and their times"),
        (("--group", "old"), "--group names a group of --samples: give that too"),
        ((), "give counts files and their --times, or a table of --samples"),
    ],
)
def test_wrong_calls_of_fit_with_samples_are_told_in_one_sentence(run, samples, tmp_path, arguments, sentence):
    given = [str(each).replace("{table}", str(samples)) for each in arguments]
    ended = run("methylation", "fit", *given, "-o", tmp_path / "f.h5", "-q")
    assert ended.code == 2
    assert sentence in ended.err
    assert not (tmp_path / "f.h5").exists()

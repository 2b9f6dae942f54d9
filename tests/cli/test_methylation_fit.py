"""`genolstm methylation fit`, `simulate` and `predict` as a user runs them."""

import csv
import json
import math

import numpy as np
import pyBigWig
import pytest

from genolstm.store.counts import read_counts
from genolstm.store.files import open_file
from genolstm.store.methylation import read_methylation
from genolstm.store.schema import Kind

TIMES = ("--times", "0,1,4,16", "--time-offset", "0.5")
QUICK = ("--width", "4", "--epochs", "1", "-t", "1")


def rows_of(path):
    with path.open() as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


@pytest.fixture
def simulated(run, tmp_path):
    """Function: options -> counts file of 200 CpGs."""
    count = iter(range(1000))

    def made(*options, gates=("--rate", "0.3", "--steady", "0.8"), times=TIMES, sites=200):
        path = tmp_path / f"counts{next(count)}.h5"
        ended = run("methylation", "simulate", *gates, *times, "--sites", sites, *options, "-o", path, "-q")
        assert ended == (0, "", "")
        return path

    return made


def fitted(run, counts, *options, times=TIMES, name="fit.h5"):
    path = counts.with_name(name)
    ended = run("methylation", "fit", counts, *times, "-o", path, "-q", "-f", *options)
    assert ended == (0, "", "")
    return read_methylation(path)


def test_simulate_fit_and_predict_tell_their_fixed_keys(run, tmp_path):
    counts, fit, table = (tmp_path / name for name in ("c.h5", "f.h5", "p.tsv"))
    gates = ("--rate", "0.3", "--steady", "0.8")
    told = json.loads(run("methylation", "simulate", *gates, *TIMES, "--sites", "50", "-o", counts, "--json").out)
    assert told["command"] == "methylation simulate"
    assert told["sites"] == 50
    assert told["fraction"] == pytest.approx(told["modified"] / told["calls"])
    ended = run("methylation", "fit", counts, *TIMES, "-o", fit, "--json", "-t", "1")
    told = json.loads(ended.out)
    assert (told["sites"], told["fitted"], told["clips"], told["held_out"]) == (50, 50, 0, [])
    assert told["records"] == {"read": 50, "used": 50, "skipped": {}}
    assert ended.err.splitlines()[-1].startswith(f"wrote {fit}: 50 of 50 CpGs fitted, ")
    found = read_methylation(fit)
    assert told["log_likelihood_per_read"] == pytest.approx(found.log_likelihood.sum() / found.reads.sum())
    told = json.loads(run("methylation", "predict", fit, "--times", "2,8", "-o", table, "--json").out)
    assert (told["rows"], told["times"]) == (100, [2, 8])
    assert len(rows_of(table)) == 100
    with open_file(fit, Kind.METHYLATION, verify=True) as file:
        assert set(json.loads(file.attrs["inputs"])) == {"counts 1"}
        assert json.loads(file.attrs["settings"])["time_offset"] == 0.5


def test_truth_comes_back_as_a_table_of_rates(simulated, tmp_path):
    truth = tmp_path / "truth.tsv"
    first = simulated("--spread", "0.5", "--truth", truth)
    again = simulated("--seed", "2", gates=("--rates", truth))
    assert read_counts(again).position.tolist() == read_counts(first).position.tolist()
    rates = [float(row["rate_per_hour"]) for row in rows_of(truth)]
    assert np.std(np.log(rates)) == pytest.approx(0.5, rel=0.2)


def test_table_and_tracks_hold_what_the_file_holds(run, genome_file, tmp_path):
    counts, fit = tmp_path / "c.h5", tmp_path / "f.h5"
    rates = tmp_path / "rates.tsv"
    lines = [f"I\t{10 * place}\t{0.1 * (place + 1)}\t0.7" for place in range(60)]
    rates.write_text("contig\tposition\trate_per_hour\tsteady_fraction\n" + "\n".join(lines) + "\n")
    run("methylation", "simulate", "--rates", rates, *TIMES, "--coverage", "3", "-o", counts, "-q")
    ended = run(
        "methylation", "fit", counts, *TIMES, "-o", fit, "--table", tmp_path / "t.tsv", "--bedgraph-prefix",
        tmp_path / "x", "--bigwig-prefix", tmp_path / "x", "--genome", genome_file, "-q", "-t", "1",
    )  # fmt: skip
    assert ended == (0, "", "")
    found = read_methylation(fit)
    table = rows_of(tmp_path / "t.tsv")
    assert [int(row["start"]) for row in table] == found.position.tolist()
    names = {"rate": "rate_per_hour", "steady": "steady_fraction", "half_life": "half_life_hours"}
    for column, name in names.items():
        values = getattr(found, column)
        told = [math.nan if row[name] == "." else float(row[name]) for row in table]
        np.testing.assert_allclose(told, values, rtol=1e-5)
        known = np.isfinite(values)
        graph = [line.split("\t") for line in (tmp_path / f"x.{column}.bedgraph").read_text().splitlines()]
        assert [int(row[1]) for row in graph] == found.position[known].tolist()
        with pyBigWig.open(str(tmp_path / f"x.{column}.bw")) as bigwig:
            assert bigwig.chroms() == {"I": 1202}
            shown = bigwig.intervals("I")
        assert [(start, end) for start, end, _ in shown] == [(p, p + 2) for p in found.position[known].tolist()]
        np.testing.assert_allclose([value for *_, value in shown], values[known], rtol=1e-6)
    np.testing.assert_allclose(found.half_life, np.log(2) / found.rate)
    np.testing.assert_allclose(found.half_life_low, np.log(2) / found.rate_high)


def test_samples_in_files_of_their_own_are_joined(run, simulated):
    whole = simulated()
    paths = [simulated("--seed", place, times=("--times", f"{time}", "--time-offset", "0.5"))
             for place, time in enumerate((0, 1, 4, 16))]  # fmt: skip
    output = whole.with_name("joined.h5")
    assert run("methylation", "fit", *paths, *TIMES, "-o", output, "-q").code == 0
    assert read_methylation(output).covered.shape[1] == 4


@pytest.mark.parametrize(
    ("options", "changed"),
    [
        (("--start", "free"), "start"),
        (("--likelihood", "beta-binomial"), "rate_low"),
        (("--likelihood", "beta-binomial", "--dispersion", "0.3"), "rate_low"),
        (("--conversion-error", "0.05"), "steady"),
        (("--rate-low", "0.25"), "rate"),
        (("--rate-high", "0.4"), "rate"),
        (("--steady-low", "0.79"), "steady"),
        (("--steady-high", "0.81"), "steady"),
        (("--level", "0.5"), "rate_low"),
        (("--min-reads", "50"), "flags"),
    ],
)
def test_every_option_of_the_site_fit_has_an_effect(run, simulated, options, changed):
    counts = simulated("--dispersion", "0.1")
    plain, other = fitted(run, counts, "-t", "1"), fitted(run, counts, "-t", "1", *options, name="other.h5")
    assert not np.array_equal(getattr(plain, changed), getattr(other, changed))


def test_offset_unit_and_state_have_an_effect(run, simulated, tmp_path):
    counts = simulated(gates=("--mu", "0.96", "--delta", "0.17"), times=("--times", "1,2,4,8", "--unit", "divisions"))
    found = {}
    for state in ("strand", "duplex"):
        table = tmp_path / f"{state}.tsv"
        fitted(
            run, counts, "--unit", "divisions", "--state", state, "--table", table, times=("--times", "1,2,4,8")
        )  # fmt: skip
        found[state] = rows_of(table)
    assert "rate_per_division" in found["strand"][0]
    assert found["strand"][0]["gain"] != found["duplex"][0]["gain"]
    late = fitted(run, counts, times=("--times", "1,2,4,8", "--time-offset", "3"), name="late.h5")
    assert late.elapsed.tolist() == [4, 5, 7, 11]


@pytest.mark.parametrize(
    "options",
    [
        ("--coverage", "20"), ("--even-coverage",), ("--start-fraction", "1"), ("--conversion-error", "0.2"),
        ("--dispersion", "0.3"), ("--spread", "1"), ("--spacing-bp", "20"), ("--seed", "2"), ("--sites", "50"),
    ],
)  # fmt: skip
def test_every_option_of_simulate_has_an_effect(simulated, options):
    one, two = (read_counts(simulated(*each)) for each in ((), options))
    assert one.modified.shape != two.modified.shape or not (
        np.array_equal(one.modified, two.modified) and np.array_equal(one.position, two.position)
    )


def test_coupling_and_state_of_simulate_have_an_effect(simulated):
    for options in (("--spread", "1"), ("--spread", "1", "--coupling-bp", "500")):
        assert read_counts(simulated(*options)).modified.sum()
    one, two = (
        read_counts(simulated(*each))
        for each in (("--spread", "1"), ("--spread", "1", "--coupling-bp", "500"))
    )  # fmt: skip
    assert not np.array_equal(one.modified, two.modified)
    gates, times = ("--mu", "0.96", "--delta", "0.17"), ("--times", "1,2,4,8", "--unit", "divisions")
    strand = read_counts(simulated(gates=gates, times=times))
    duplex = read_counts(simulated("--state", "duplex", gates=gates, times=times))
    assert duplex.modified.sum() < strand.modified.sum()  # half the pace


@pytest.mark.parametrize(
    "options",
    [("--width", "5"), ("--epochs", "2"), ("--folds", "3"), ("--seed", "2"), ("--likelihood", "beta-binomial")],
)
def test_every_option_of_the_pooled_fit_has_an_effect(run, simulated, options):
    counts = simulated("--spread", "1", sites=120)
    plain = fitted(run, counts, "--model", "pooled", *QUICK)
    other = fitted(run, counts, "--model", "pooled", *QUICK, *options, name="other.h5")
    assert plain.model == "pooled"
    assert plain.posterior.draws.shape == (120, 64)
    assert not np.array_equal(plain.rate, other.rate)


@pytest.mark.parametrize(
    "options",
    [("--form", "two-pools"), ("--likelihood", "beta-binomial"), ("--rate-high", "2"), ("--sample-effects",)],
)
def test_every_option_of_the_kinetic_fit_has_an_effect(run, simulated, options):
    counts = simulated("--spread", "1", sites=60)
    plain = fitted(run, counts, "--model", "kinetic", "--form", "single")
    other = fitted(run, counts, "--model", "kinetic", "--form", "single", *options, name="other.h5")
    assert plain.model == "kinetic"
    assert np.isfinite(plain.rate).all()
    assert not np.array_equal(plain.rate, other.rate)


def test_whole_times_lead_the_scores_whatever_was_typed_first(run, simulated):
    counts = simulated("--spread", "1", sites=60)
    asked = ("--hold-out", "reads:0.3,time:4", "--thin", "200", "--resamples", "20", "--block-bp", "500")
    found = fitted(run, counts, *asked)
    names = list(dict.fromkeys(score.hold_out for score in found.held_out))
    assert names == ["time:4", "time:4, CpGs 200 bp apart", "reads:0.3", "reads:0.3, CpGs 200 bp apart"]


def test_pooled_draws_and_held_out_scores_are_kept(run, simulated):
    counts = simulated("--spread", "1", sites=120)
    output = counts.with_name("held.h5")
    command = ("methylation", "fit", counts, *TIMES, "--model", "pooled", *QUICK, "-o", output)
    ended = run(*command, "--draws", "9", "--hold-out", "reads:0.2", "--block-bp", "100", "--resamples", "30", "--json")
    told = json.loads(ended.out)
    found = read_methylation(output)
    assert found.posterior.draws.shape == (120, 9)
    assert {row["model"] for row in told["held_out"]} == {score.model for score in found.held_out}
    assert "neighbour_prior" in ended.err
    plain = {score.model: score for score in found.held_out if score.what == "all"}
    run(*command, "-f", "-q", "--hold-out", "reads:0.2", "--block-bp", "300", "--resamples", "30")
    other = {score.model: score for score in read_methylation(output).held_out if score.what == "all"}
    assert plain["site"].log_likelihood == other["site"].log_likelihood
    assert plain["site"].low != other["site"].low
    pooled = output.with_name("p.tsv")
    assert run("methylation", "predict", output, "--times", "2", "-o", pooled, "-q").code == 0
    assert len(rows_of(pooled)) == 120


def test_level_of_a_prediction_has_an_effect(run, simulated):
    counts = simulated(sites=20)
    fitted(run, counts)
    spans = []
    for level in ("0.5", "0.95"):
        path = counts.with_name(f"{level}.tsv")
        run("methylation", "predict", counts.with_name("fit.h5"), "--times", "2", "--level", level, "-o", path, "-q")
        spans.append(sum(float(row["fraction_high"]) - float(row["fraction_low"]) for row in rows_of(path)))
    assert spans[0] < spans[1]


def test_settings_file_stands_in_for_options(run, simulated, tmp_path):
    counts = simulated()
    settings = tmp_path / "s.toml"
    settings.write_text("rate_low = 0.25\nlevel = 0.5\n")
    from_file = fitted(run, counts, "--settings", settings)
    typed = fitted(run, counts, "--rate-low", "0.25", "--level", "0.5", name="typed.h5")
    np.testing.assert_array_equal(from_file.rate_low, typed.rate_low)
    settings.write_text("spread = 1.0\n")
    one = simulated("--settings", settings)
    np.testing.assert_array_equal(read_counts(one).modified, read_counts(simulated("--spread", "1.0")).modified)


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("--times", "0,1,4"), 3, "3 times were given for 4 samples (0, 1, 4, 16); give one time for each"),
        (("--times", "0,4,1,16"), 2, "times 0,4,1,16 do not increase"),
        (("--times", "0,x,4,16"), 2, "times '0,x,4,16' are not numbers with commas between"),
        ((*TIMES, "--time-offset", "-2"), 2, "time offset -2 puts the first sample at -2, before the clock starts"),
        ((*TIMES, "--rate-low", "0"), 2, "rate bounds 0,10 must be above 0 and increase"),
        ((*TIMES, "--steady-high", "2"), 2, "steady bounds 0,2 must increase within 0 to 1"),
        ((*TIMES, "--level", "1"), 2, "level 1 must lie between 0 and 1"),
        ((*TIMES, "--conversion-error", "1"), 2, "conversion error must lie from 0 to below 1"),
        ((*TIMES, "--dispersion", "much"), 2, "dispersion 'much' is neither a fraction"),
        ((*TIMES, "--model", "pooled", "--start", "free"), 2, "the pooled model knows nascent strands only"),
        ((*TIMES, "--hold-out", "half"), 2, "hold-out 'half' is not none, time:T as time:4"),
        ((*TIMES, "--hold-out", "sample:9"), 2, "there are 4 samples: --hold-out sample:9 names none of them"),
        ((*TIMES, "--hold-out", "time:5"), 2, "no sample has the time of --hold-out time:5: there are 0, 1, 4, 16"),
        ((*TIMES, "--hold-out", "region:I"), 3, "region 'I' names no contig of the genome, which has simulated"),
        ((*TIMES, "--hold-out", "region:simulated:900M-901M"), 2, "of --hold-out holds none of the reads"),
        ((*TIMES, "--thin", "300"), 2, "--thin repeats the scores of --hold-out: give that too"),
        ((*TIMES, "--hold-out", "reads:0.2", "--thin", "0"), 2, "thin distances must be at least 1 bp, unlike 0"),
        ((*TIMES, "--form", "rates"), 2, "form 'rates' needs --model kinetic or pooled"),
        ((*TIMES, "--model", "kinetic", "--start", "free"), 2, "the kinetic model knows nascent strands only"),
        ((*TIMES, "--bigwig-prefix", "x"), 2, "--bigwig-prefix needs --genome"),
    ],
)
def test_wrong_calls_of_fit_are_told_in_one_sentence(run, simulated, arguments, code, sentence):
    counts = simulated(sites=20)
    output = counts.with_name("out.h5")
    ended = run("methylation", "fit", counts, *arguments, "-o", output, "-q", "-t", "1")
    assert ended.code == code
    assert sentence in ended.err
    assert len(ended.err.splitlines()) == 1
    assert not output.exists()


def test_contigs_of_another_genome_are_refused_for_bigwigs(run, simulated, genome_file):
    counts = simulated(sites=20)
    ended = run(
        "methylation", "fit", counts, *TIMES, "-o", counts.with_name("f.h5"), "-q", "--genome", genome_file,
        "--bigwig-prefix", counts.with_name("x"),
    )  # fmt: skip
    assert ended.code == 3
    assert "contig 'simulated' of the counts is not in" in ended.err


def test_outputs_are_never_replaced_unasked_and_never_share_a_name(run, simulated, tmp_path):
    counts = simulated(sites=20)
    table = tmp_path / "t.tsv"
    table.write_text("precious")
    ended = run("methylation", "fit", counts, *TIMES, "-o", tmp_path / "f.h5", "--table", table, "-q")
    assert ended.code == 2
    assert table.read_text() == "precious"
    ended = run("methylation", "fit", counts, *TIMES, "-o", tmp_path / "f.h5", "--table", tmp_path / "f.h5", "-q")
    assert "name two files" in ended.err
    ended = run("methylation", "fit", counts, *TIMES, "-o", counts, "-q", "-f")
    assert "is also an input" in ended.err


def test_sample_without_reads_is_warned_of_and_sites_without_reads_are_counted(run, tmp_path):
    rates, counts = tmp_path / "r.tsv", tmp_path / "c.h5"
    rates.write_text("contig\tposition\trate_per_hour\tsteady_fraction\n" + "I\t5\t1\t1\n")
    run("methylation", "simulate", "--rates", rates, *TIMES, "--coverage", "0", "-o", counts, "-q")
    ended = run("methylation", "fit", counts, *TIMES, "-o", tmp_path / "f.h5", "--json", "-q")
    told = json.loads(ended.out)
    assert told["records"]["skipped"] == {"sites without reads": 1}
    assert told["log_likelihood_per_read"] is None
    assert told["median_half_life"] is None
    assert ended.err.count("holds no reads: it carries no information about any CpG") == 4


def test_median_half_life_is_that_of_identifiable_sites_and_their_number_is_told(run, simulated, tmp_path):
    counts, path = simulated("--spread", "1.5", "--coverage", "4"), tmp_path / "f.h5"
    ended = run("methylation", "fit", counts, *TIMES, "-o", path, "--json", "-t", "1")
    told, found = json.loads(ended.out), read_methylation(path)
    told_apart = np.isfinite(found.rate)
    for name, bit in found.flag_names.items():
        if name.startswith("rate_"):
            told_apart &= (found.flags & bit) == 0
    assert 0 < told_apart.sum() < told["fitted"]
    assert told["identifiable"] == told_apart.sum()
    assert told["median_half_life"] == pytest.approx(np.median(found.half_life[told_apart]))
    assert told["median_half_life"] != pytest.approx(np.nanmedian(found.half_life))
    words = f"over the {told_apart.sum():,} CpGs whose rate is identifiable, of {told['fitted']:,} fitted"
    assert words in ended.err


def test_swinging_methylation_is_refused_with_the_reason(run, tmp_path):
    gates = ("--mu", "0.1", "--delta", "0.3", "--unit", "divisions")
    ended = run("methylation", "simulate", *gates, "-o", tmp_path / "c.h5", "-q")
    assert ended.code == 2
    assert "mu 0.1 is below delta 0.3: new strands would swing about the steady fraction" in ended.err


def test_a_fit_is_not_counts_and_counts_are_not_a_fit(run, simulated):
    counts = simulated(sites=20)
    fitted(run, counts)
    fit = counts.with_name("fit.h5")
    ended = run("methylation", "fit", fit, *TIMES, "-o", counts.with_name("x.h5"), "-q")
    assert ended.code == 3
    assert (
        "is a methylation file where a counts file is needed; make one with 'genolstm methylation count'" in ended.err
    )
    ended = run("methylation", "predict", counts, "--times", "1", "-o", counts.with_name("x.tsv"), "-q")
    assert ended.code == 3
    assert "is a counts file where a methylation file is needed; make one with 'genolstm methylation fit'" in ended.err


def test_hidden_states_and_their_components_have_an_effect_on_the_pooled_fit(run, genome_file, model_file, tmp_path):
    places = range(20, 1000, 12)
    (tmp_path / "sites.bed").write_text("".join(f"I\t{place}\t{place + 2}\n" for place in places))
    lines = "".join(f"I\t{place}\t0.3\t0.7\n" for place in places)
    (tmp_path / "rates.tsv").write_text("contig\tposition\trate_per_hour\tsteady_fraction\n" + lines)
    hidden, counts = tmp_path / "hidden.h5", tmp_path / "c.h5"
    embed = ("embed", model_file, genome_file, "--sites", tmp_path / "sites.bed", "-o", hidden, "-q", "-t", "1")
    assert run(*embed).code == 0
    run("methylation", "simulate", "--rates", tmp_path / "rates.tsv", *TIMES, "-o", counts, "-q")
    found = [
        fitted(run, counts, "--model", "pooled", *QUICK, *options)
        for options in ((), ("--hidden-states", hidden), ("--hidden-states", hidden, "--components", "2"))
    ]
    assert not np.array_equal(found[0].rate, found[1].rate)
    assert not np.array_equal(found[1].rate, found[2].rate)
    ended = run("methylation", "fit", counts, *TIMES, "--hidden-states", hidden, "-o", tmp_path / "x.h5", "-q")
    assert (ended.code, ended.err) == (2, "genolstm: --hidden-states are for the pooled model: add --model pooled.\n")


def test_methylated_reads_at_age_0_are_warned_of(run, simulated, tmp_path):
    counts = simulated("--start-fraction", "0.5", times=("--times", "0,1,4,16"), sites=20)
    asked = ("methylation", "fit", counts, "--times", "0,1,4,16", "-t", "1")
    told = run(*asked, "-o", tmp_path / "f.h5", "-q").err
    assert told.startswith("sample '0' holds ")
    assert "methylated reads at age 0, where a new strand has none: add its age to all with --time-offset" in told
    for explained in (("--time-offset", "0.5"), ("--conversion-error", "0.01"), ("--start", "free")):
        assert run(*asked, "-o", tmp_path / "f.h5", "-q", "-f", *explained).err == ""


def test_a_time_is_predicted_once(run, simulated, tmp_path):
    fit = simulated().with_name("fit.h5")
    fitted(run, fit.with_name("counts0.h5"))
    ended = run("methylation", "predict", fit, "--times", "2,4,2", "-o", tmp_path / "p.tsv", "-q")
    assert ended == (2, "", "genolstm: times '2,4,2' name a time twice; name each once.\n")

"""`genolstm probe accessibility` from reads and peaks to two verdicts, and everything that it refuses."""

import dataclasses
import inspect
import json
from pathlib import Path

import numpy as np
import pytest

from genolstm.cli import probe_accessibility as command
from genolstm.settings.probe import AccessibilitySettings
from genolstm.store.files import open_file
from genolstm.store.results import read_probe
from genolstm.store.schema import Kind

EXAMPLES = Path(__file__).resolve().parents[2] / "example_data"
LENGTHS = {"I": 40_000, "II": 10_000, "III": 10_000, "IV": 4_000}
TRAIN = (
    "--hidden", "6", "--lanes", "4", "--chunk", "64", "--bases", "30k", "--valid-contigs", "II", "--test-contigs",
    "III", "-t", "1", "--device", "cpu", "-q",
)  # fmt: skip
QUICK = (
    "--twins", "1", "--window", "50", "--kmers", "1", "--resamples", "20", "--permutations", "20",
    "-t", "1", "--device", "cpu", "-q",
)  # fmt: skip
CONTROLS = {"nn", "untrained", "untrained_1", "composition", "onehot", "kmer_1", "shuffled", "shifted"}


@pytest.fixture(scope="module")
def made(tmp_path_factory, ran):
    """Folder with a genome, a track, peaks and a model; open windows are rich in TACG, of the same GC.

    The rest is of A and C alone, so that a small genome has positions that match the edges of peaks.
    """
    folder, rng = tmp_path_factory.mktemp("made"), np.random.default_rng(1)
    fasta, peaks, fragments = [], [], []
    for name, length in LENGTHS.items():
        text, rate = rng.choice(list("AC"), length), np.full(length, 0.02)
        for start in range(0, length, 50):
            if start < length / 2 and rng.random() < 1 / 4:  # beyond, there is room for matched positions
                text[start + 5 : start + 35] = list("TACG" * 7 + "TA")
                rate[start : start + 50] = 0.4
                peaks.append(f"{name}\t{start}\t{start + 50}\n")
        fasta.append(f">{name}\n{''.join(text)}\n")
        for start in np.flatnonzero(rng.random(length - 40) < rate[:-40]).tolist():
            fragments.append(f"{name}\t{start}\t{start + 30}\n")
    (folder / "g.fa").write_text("".join(fasta))
    (folder / "p.bed").write_text("".join(peaks))
    (folder / "f.bed").write_text("".join(fragments))
    for line in (
        ("ingest", folder / "g.fa", "-o", folder / "g.h5", "-q"),
        ("track", folder / "f.bed", "--genome", folder / "g.h5", "-o", folder / "t.h5", "-q"),
        ("train", folder / "g.h5", "-o", folder / "m.h5", *TRAIN),
    ):
        code, _, err = ran(*line)
        assert code == 0, err
    return folder


@pytest.fixture(scope="module")
def probe(made, ran):
    """Function: options -> how it ended, and its file."""
    count = iter(range(1_000))

    def probed(*options, peaks="p.bed", track="t.h5", quick=QUICK):
        path = made / f"a{next(count)}.h5"
        given = ("--peaks", made / peaks) if peaks else ()
        files = ("--genome", made / "g.h5", "--track", made / track, *given)
        return ran("probe", "accessibility", made / "m.h5", *files, "-o", path, *quick, *options), path

    return probed


@pytest.fixture(scope="module")
def plain(probe):
    return probe("--json")


def test_both_targets_are_told_beside_every_control(plain):
    (code, out, err), path = plain
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["command"] == "probe accessibility"
    assert told["task"] == "accessibility"
    assert told["verdict"] in {"gain", "no gain", "mixed", "cannot tell"}
    assert told["records"]["read"] == sum(length // 50 for length in LENGTHS.values())
    results = read_probe(path)
    assert told["targets"].keys() == results.keys() == {"peaks", "signal"}
    for target, one in told["targets"].items():
        test = results[target].sites.part == 2
        assert (one["n_test"], one["n_positive"]) == (test.sum(), results[target].sites.label[test].sum())
        assert one["scores"].keys() == {"trained", *CONTROLS}
        assert one["scores"]["untrained"] == one["scores"]["untrained_1"]
        assert one["verdict"] == results[target].verdict
        for scores in one["scores"].values():
            assert all(len(interval) == 3 for interval in scores.values())
    assert told["targets"]["peaks"]["scores"]["trained"]["auroc"][0] > 0.8
    assert told["targets"]["signal"]["scores"]["trained"]["r2"][0] > 0.1
    assert len(told["targets"]["peaks"]["edges"]["p"]) == 4
    assert results["peaks"].width == 50


def test_log_is_a_table_with_every_control_and_the_verdict(probe):
    (code, out, err), _ = probe(quick=[option for option in QUICK if option != "-q"])
    assert (code, out) == (0, "")
    for name in ("trained", *CONTROLS - {"untrained"}):
        assert f"\n  {name} " in err
    assert "open: at least 50% of the window lies in a peak" in err
    assert "against the strongest control" in err
    assert "forget gate reading into peaks, trained, layer 0:" in err
    assert "edges of peaks (both strands) with 5 matched positions each" in err


def options_of(function):
    return {name: each.default for name, each in inspect.signature(function).parameters.items()}


NOT_OF_THE_PROBE = {
    "ctx", "model", "genome", "track", "output", "peaks", "blacklist", "settings_file", "threads", "device", "figure",
    "force", "quiet", "as_json", "folds",
}  # fmt: skip
UNEXPOSED = {
    "peak_share", "mappable_bp", "bin_bp", "valid_share", "edge_reach", "edge_step", "edge_near", "edge_word",
    "edge_matches",
}  # fmt: skip
EFFECTS = {
    "precision": ("--precision", "bf16"),
    "ends": ["--ends"],
    "nn": ["--no-nn"],
    "window": ("--window", "60"),
    "states": ("--states", "h+c"),
    "twins": ("--twins", "2"),
    "kmers": ("--kmers", "2"),
    "matches": ("--matches", "1"),
    "block_bp": ("--block-bp", "100"),
    "resamples": ("--resamples", "30"),
    "max_windows": ("--max-windows", "150"),
    "permutations": ("--permutations", "31"),
    "exclude_contigs": ("--exclude-contigs", "IV"),
    "valid_contigs": ("--valid-contigs", "I"),
    "train_contigs": ("--train-contigs", "I", "--test-contigs", "III"),
    "test_contigs": ("--test-contigs", "II"),
    "seed": ("--seed", "2"),
}


def test_every_option_default_is_a_settings_default():
    options = {name: value for name, value in options_of(command.accessibility).items() if name not in NOT_OF_THE_PROBE}
    defaults = AccessibilitySettings()
    for name, value in options.items():
        assert value == ("" if name.endswith("_contigs") else getattr(defaults, name)), name
    assert {field.name for field in dataclasses.fields(AccessibilitySettings)} - options.keys() == UNEXPOSED


def test_every_option_is_looked_at_below():
    assert EFFECTS.keys() | {"top_share"} == options_of(command.accessibility).keys() - NOT_OF_THE_PROBE


def seen_in(path):
    """What a result file tells, as plain values that can be compared."""
    return {
        target: (
            [getattr(result.sites, name).tolist() for name in ("position", "label", "part", "block")],
            {name: (each.log_odds.tolist(), sorted(each.scores.items())) for name, each in result.features.items()},
            [values.tolist() for values in (result.edges.get("p", np.zeros(0)),)],
        )
        for target, result in read_probe(path).items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("option", EFFECTS)
def test_every_option_has_an_effect(request, probe, plain, option, monkeypatch):
    if option == "precision":
        request.getfixturevalue("bf16")
    monkeypatch.setattr(
        "genolstm.bench.memory_check.speed_of_format", lambda _: 2.0
    )  # of a model as small as this less
    (code, _, err), path = probe(*EFFECTS[option])
    assert (code, err) == (0, "")
    assert seen_in(path) != seen_in(plain[1])
    with open_file(path, Kind.PROBE) as file, open_file(plain[1], Kind.PROBE) as other:
        settings, before = (json.loads(each.attrs["settings"]) for each in (file, other))
    changed = {name for name, value in settings.items() if value != before[name]}
    assert changed == ({"train_contigs", "test_contigs"} if option == "train_contigs" else {option})


def test_without_peaks_the_share_of_top_windows_is_open(probe):
    (code, out, err), path = probe("--top-share", "0.15", "--json", peaks=None)
    assert (code, err) == (0, "")
    told = json.loads(out)["targets"]["peaks"]
    assert told["definition"]["open"] == "among the 15.0% of its part with most cuts; no peaks given"
    assert "edges" not in told
    assert 0.05 < read_probe(path)["peaks"].sites.label.mean() <= 0.15


def test_blacklist_takes_windows_away(probe, plain, made):
    (made / "b.bed").write_text("I\t0\t1001\nIII\t40\t60\n")
    (code, out, _), _ = probe("--blacklist", made / "b.bed", "--json")
    assert code == 0
    assert json.loads(out)["records"]["skipped"]["in the blacklist"] == 21 + 2
    assert "in the blacklist" not in json.loads(plain[0][1])["records"]["skipped"]


def test_show_tells_what_was_asked_and_found(plain, ran):
    code, out, _ = ran("show", plain[1])
    assert code == 0
    assert "at least 50% of the window lies in a peak" in out
    assert "log2(1 + c / m)" in out


def test_file_names_its_inputs_and_settings(plain):
    with open_file(plain[1], Kind.PROBE, verify=True) as file:
        assert json.loads(file.attrs["inputs"]).keys() == {"model", "genome", "track", "peaks"}
        assert json.loads(file.attrs["settings"])["window"] == 50
        assert file.attrs["task"] == "accessibility"


# ---- what is refused


def test_track_of_another_genome_is_refused(made, ran, probe):
    (made / "o.fa").write_text(">I\n" + "ACGTTGCA" * 400 + "\n")
    (made / "o.bed").write_text("I\t100\t200\n")
    assert ran("ingest", made / "o.fa", "-o", made / "o.h5", "-q")[0] == 0
    assert ran("track", made / "o.bed", "--genome", made / "o.h5", "-o", made / "ot.h5", "-q")[0] == 0
    (code, _, err), path = probe(track="ot.h5")
    assert code == 3
    assert "was made on another genome than" in err
    assert not path.exists()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("I\t39990\t40001\n", "reaches over the end of I, which has 40000 bp"),
        ("I\t100\t150\n", "the train part holds 1 open and"),
        ("chrI\t100\t150\n", "they differ by the prefix 'chr'"),
        ("", "holds no intervals"),
    ],
)
def test_peaks_that_cannot_be_used_are_refused(made, probe, text, sentence):
    (made / "bad.bed").write_text(text)
    (code, _, err), path = probe(peaks="bad.bed")
    assert code == 3
    assert sentence in err
    assert not path.exists()


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (("--test-contigs", "I"), 3, "contig 'I' was trained on by"),
        (("--train-contigs", "I"), 2, "--train-contigs is given without --test-contigs"),
        (("--window", "50000"), 3, "no window of 50000 bp of"),
        (("--kmers", "3,9"), 2, "k-mers '3,9' are not lengths from 1 to 7"),
        (("--top-share", "0"), 2, "top_share must be above 0"),
        (("--exclude-contigs", "V"), 3, "contig 'V' is not in"),
    ],
)
def test_wrong_options_are_one_sentence_each(probe, options, code, sentence):
    ended, path = probe(*options)
    assert ended[0] == code
    assert sentence in ended[2]
    assert ended[2].count("\n") == 1
    assert not path.exists()


@pytest.mark.slow
@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="no example data")
def test_example_chromatin_is_read_out_of_a_little_network(ran, tmp_path):
    genome, track, model, out = (tmp_path / name for name in ("g.h5", "t.h5", "m.h5", "a.h5"))
    for line in (
        ("ingest", EXAMPLES / "genome.fa.gz", "-o", genome),
        ("track", EXAMPLES / "atac.bam", "--genome", genome, "-o", track),
        ("train", genome, "-o", model, "--hidden", "8", "--bases", "60k", "-t", "1"),
    ):
        assert ran(*line, "-q")[0] == 0
    code, told, err = ran(
        "probe", "accessibility", model, "--genome", genome, "--track", track, "--peaks", EXAMPLES / "peaks.narrowPeak",
        "-o", out, "--twins", "1", "--kmers", "3", "--resamples", "50", "--permutations", "100", "-t", "1", "--json",
        "-q",
    )  # fmt: skip
    assert (code, err) == (0, "")
    peaks = json.loads(told)["targets"]["peaks"]
    assert peaks["scores"]["trained"]["auroc"][0] > 0.85
    assert peaks["scores"]["shuffled"]["auroc"][1] < 0.5 < peaks["scores"]["shuffled"]["auroc"][2]

"""`genolstm study`: names, options, the file, the figures and what is printed."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest

from genolstm.settings.study import STUDY_FILES, STUDY_OPTIONS, StudyName, StudySettings
from genolstm.store.study import Claim, Column, Study, read_studies
from genolstm.studies import catalogue, half_life

QUICK = ("--quick", "-t", "1", "-q")
CLAIM = Claim("short", "It is so.", True, 0.5, 0.4, 0.6, "of answers", "more than 0.3 holds", 0.01)
FALSE = Claim("wrong", "It is not so.", False, math.inf, math.nan, math.nan, "", "because")


@pytest.fixture
def planted(monkeypatch):
    """Every study replaced by one that notes its settings and returns at once."""
    noted = {}

    def planted_as(name):
        def study(settings, told):
            told("half way")
            noted[name] = settings
            table = {"x": Column(np.arange(3), "steps", "places"), "word": Column(("a", "b", "c"), "", "words")}
            return Study(
                name=name, question=f"Is {name} so?", conclusion=f"{name} is so.", claims=(CLAIM, FALSE),
                tables={"points": table}, setting={"seed": settings.seed},
            )  # fmt: skip

        return study

    monkeypatch.setattr(catalogue, "STUDIES", {name: planted_as(name) for name in StudyName})
    return noted


def test_unknown_study_lists_those_there_are(run, tmp_path):
    ended = run("study", "attention", "-o", tmp_path / "s.h5", "-q")
    assert ended.code == 2
    assert ended.err == f"genolstm: there is no study 'attention'; there are {', '.join(StudyName)}, and all.\n"


def test_help_tells_of_every_study_and_loads_no_torch():
    code = (
        "import sys; sys.argv = ['genolstm', 'study', '--help']\n"
        "from genolstm.cli.app import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print([name for name in ('torch', 'numpy', 'matplotlib', 'h5py') if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.splitlines()[-1] == "[]"
    for name in StudyName:
        assert f"{name}: " in told


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("copy", "--window", "0"), "window must be at least 2, not 0."),
        (("copy", "--delays", "50", "--length", "40"), "a delay of 50 needs 54 symbols, and sequences have 40"),
        (("copy", "--delays", "50,10"), "delays must increase, unlike 50,10."),
        (("copy", "--delays", "0,10"), "delays must be at least 1, not 0."),
        (("copy", "--delays", "1.5"), "delays must be whole numbers, unlike 1.5."),
        (("copy", "--delays", "ten"), "delays 'ten' are not numbers with commas between"),
        (("brackets", "--distances", "1"), "distances must be at least 2, not 1."),
        (("vanishing", "--lags", "0"), "lags must be at least 1, not 0."),
        (("counting", "--longest", "2"), "longest must be at least 5, not 2."),
        (("half-life", "--biases", "900"), "biases must lie within -8 and 8."),
        (("half-life", "--chrono", "2"), "chrono must be at least 3, not 2."),
        (("half-life", "--repeats", "1"), "repeats must be at least 2, not 1"),
        (("half-life", "--figure", "a.gif"), "figure a.gif must end in .svg, .png, .pdf; name it so."),
    ],
    ids=" ".join,
)
def test_bad_values_are_one_sentence_and_exit_2(run, tmp_path, arguments, sentence):
    sentence = sentence if isinstance(sentence, str) else "".join(sentence)
    ended = run("study", *arguments, "-o", tmp_path / "s.h5", *QUICK)
    assert ended.code == 2
    assert ended.err.startswith(f"genolstm: {sentence}")
    assert len(ended.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


VALUES = {
    "biases": ("1,2", (1.0, 2.0)), "chrono": ("50", 50), "lags": ("3,6", (3, 6)), "delays": ("7", (7,)),
    "length": ("90", 90), "distances": ("9", (9,)), "window": ("8", 8), "longest": ("12", 12),
}  # fmt: skip


@pytest.mark.parametrize("option", [*VALUES, *STUDY_FILES])
def test_option_reaches_its_study_and_is_refused_for_others(run, planted, tmp_path, option):
    if option in VALUES:
        text, value = VALUES[option]
    else:
        path = tmp_path / "p.csv"
        path.write_text("date,close\n")
        text = value = str(path)
    user = STUDY_OPTIONS[option][0]
    assert run("study", user, f"--{option}", text, "-o", tmp_path / "s.h5", *QUICK).code == 0
    assert getattr(planted[user], option) == value
    other = next(name for name in StudyName if name not in STUDY_OPTIONS[option])
    ended = run("study", other, f"--{option}", text, "-o", tmp_path / "t.h5", *QUICK)
    assert ended.code == 2
    assert f"--{option} is for {user}" in ended.err
    assert f"not for {other}: leave it out" in ended.err


def test_all_writes_one_group_for_each_study(run, planted, tmp_path):
    path = tmp_path / "s.h5"
    ended = run("study", "all", "-o", path, "--seed", "7", "--repeats", "9", "-t", "1")
    assert ended.code == 0
    studies = read_studies(path)
    assert list(studies) == sorted(StudyName)
    assert {(each.seed, each.repeats, each.quick) for each in planted.values()} == {(7, 9, False)}
    assert ended.out.count("DOES NOT HOLD: It is not so.") == len(StudyName)
    assert "holds: It is so.\n    0.5 [0.4, 0.6] of answers; more than 0.3 holds" in ended.out
    assert "copy is so." in ended.out
    assert studies["copy"].tables["points"]["word"].values == ("a", "b", "c")
    shown = run("show", path).out
    assert "holds: It is so. 0.5 [0.4, 0.6] of answers" in shown
    assert "copy is so." in shown


def test_json_tells_claims_and_nothing_else(run, planted, tmp_path):
    ended = run("study", "knockout", "-o", tmp_path / "s.h5", *QUICK, "--json")
    told = json.loads(ended.out)
    assert told["command"] == "study"
    assert told["studies"] == {
        "knockout": {
            "conclusion": "knockout is so.",
            "claims": [
                {"name": "short", "statement": "It is so.", "holds": True, "value": [0.5, 0.4, 0.6],
                 "unit": "of answers", "because": "more than 0.3 holds", "p": 0.01},
                {"name": "wrong", "statement": "It is not so.", "holds": False, "value": [None, None, None],
                 "unit": "", "because": "because", "p": None},
            ],
        }
    }  # fmt: skip
    assert told["tally"] == {"decided": 1, "held": 1, "corrected": 1, "by_chance": 0.025}
    assert planted["knockout"].quick


def test_claims_are_counted_and_corrected_for_their_number(run, planted, tmp_path):
    assert planted == {}
    told = json.loads(run("study", "all", "-o", tmp_path / "s.h5", *QUICK, "--json").out)
    # each claim has a p of 0.01, and Holm asks the least of n for 0.05 / n
    n = len(StudyName)
    assert told["tally"] == {"decided": n, "held": n, "corrected": 0, "by_chance": round(0.025 * n, 6)}
    assert {claim.p for each in read_studies(tmp_path / "s.h5").values() for claim in each.claims if claim.holds} == {
        0.01
    }


def test_existing_file_or_figure_is_refused_before_any_work(run, planted, tmp_path):
    for present in ("s.h5", "f.svg", "f-copy.svg"):
        path = tmp_path / present
        path.write_text("precious")
        ended = run("study", "copy", "-o", tmp_path / "s.h5", "--figure", tmp_path / "f.svg", *QUICK)
        assert ended.code == 2
        assert f"{path} exists" in ended.err
        assert "--force" in ended.err
        path.unlink()
    assert planted == {}


def test_a_real_study_draws_its_figures_and_the_file_draws_the_same(run, tmp_path, monkeypatch):
    from genolstm.cli.figures import draw

    monkeypatch.setattr(half_life, "QUICK_UNITS", 4)
    path, again = tmp_path / "s.h5", tmp_path / "again"
    ended = run("study", "half-life", "-o", path, "--biases", "0,1", "--figure", tmp_path / "f.svg", *QUICK)
    assert ended.code == 0, ended.err
    assert {each.name for each in tmp_path.glob("*.svg")} == {"f.svg", "f-half-life-chrono.svg"}
    again.mkdir()
    draw(path, again / "f.svg")
    for each in tmp_path.glob("*.svg"):
        assert each.read_bytes() == (again / each.name).read_bytes()


def test_settings_of_all_options_are_known():
    assert set(STUDY_OPTIONS) <= set(StudySettings().to_json())

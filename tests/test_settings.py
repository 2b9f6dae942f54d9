"""Settings: defaults in one place, frozen, checked at birth, and sentences for what is wrong."""

import dataclasses
import json

import pytest

from genolstm.alphabet import ALPHABETS
from genolstm.cells.rules import FAMILY
from genolstm.errors import InputError, UsageError
from genolstm.settings.model import (
    SIZES,
    AlphabetName,
    CellName,
    ModelSettings,
    Size,
    TrainableCell,
    forget_bias_or_horizon,
)
from genolstm.settings.probe import AccessibilitySettings, ProbeSettings
from genolstm.settings.quantities import parse_size
from genolstm.settings.reading import StreamSettings, VariantSettings
from genolstm.settings.record import read_settings_file
from genolstm.settings.train import Precision, TrainSettings

ALL = [ModelSettings, TrainSettings, StreamSettings, ProbeSettings, VariantSettings, AccessibilitySettings]


@pytest.mark.parametrize("kind", ALL)
def test_every_setting_has_a_default_and_none_can_be_changed(kind):
    settings = kind()
    for field in dataclasses.fields(kind):
        assert getattr(kind, field.name) == getattr(settings, field.name)
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(settings, field.name, None)


@pytest.mark.parametrize("kind", ALL)
def test_settings_survive_json(kind):
    settings = kind()
    assert kind.from_json(json.loads(json.dumps(settings.to_json())), where="a file") == settings


def test_settings_that_differ_from_the_defaults_survive_json():
    settings = TrainSettings(lanes=3, bases=0, minutes=1.5, precision=Precision.BF16, test_contigs=("III", "MT"))
    assert TrainSettings.from_json(json.loads(json.dumps(settings.to_json())), where="a file") == settings
    model = ModelSettings(alphabet="protein", cell="gru", forget_bias="chrono:100")
    assert model.cell is TrainableCell.GRU
    assert ModelSettings.from_json(json.loads(json.dumps(model.to_json())), where="a file") == model


def test_an_unknown_key_is_named_beside_those_that_exist():
    with pytest.raises(InputError) as caught:
        StreamSettings.from_json({"lanes": 3, "chunks": 4}, where="settings file a.toml")
    known = "burn_in, chunk, exact, lanes, least_burn_in, precision, repair, tolerance"
    assert str(caught.value) == f"settings file a.toml has the unknown key 'chunks'; known are {known}."


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("lanes", "64", "a.toml: lanes must be a whole number, not '64'."),
        ("lanes", 6.5, "a.toml: lanes must be a whole number, not 6.5."),
        ("lanes", True, "a.toml: lanes must be a whole number, not True."),
        ("learning_rate", "fast", "a.toml: learning_rate must be a number, not 'fast'."),
        ("minutes", None, "a.toml: minutes must be a number, not None."),
        ("precision", 16, "a.toml: precision must be text, not 16."),
        ("precision", "fp8", "a.toml: 'fp8' is not a valid Precision."),
        ("test_contigs", "III", "a.toml: test_contigs must be a list, not 'III'."),
    ],
)
def test_a_value_of_the_wrong_type_is_told_with_its_place(key, value, sentence):
    with pytest.raises(InputError) as caught:
        TrainSettings.from_json({key: value}, where="a.toml")
    assert str(caught.value) == sentence


def test_a_whole_number_will_do_where_any_number_will():
    assert TrainSettings.from_json({"minutes": 3}, where="a.toml").minutes == 3


@pytest.mark.parametrize(
    ("kind", "values", "sentence"),
    [
        (ModelSettings, {"hidden": 0}, "hidden must be at least 1, not 0."),
        (ModelSettings, {"layers": -1}, "layers must be at least 1, not -1."),
        (TrainSettings, {"lanes": 0}, "lanes must be at least 1, not 0."),
        (TrainSettings, {"chunk": 0}, "chunk must be at least 1, not 0."),
        (TrainSettings, {"valid_looks": 0}, "valid_looks must be at least 1, not 0."),
        (TrainSettings, {"valid_bases": 0}, "valid_bases must be at least 1, not 0."),
        (TrainSettings, {"learning_rate": 0.0}, "learning_rate must be above 0, not 0.0."),
        (TrainSettings, {"learning_rate": float("nan")}, "learning_rate must be above 0, not nan."),
        (TrainSettings, {"clip_norm": -1.0}, "clip_norm must be above 0, not -1.0."),
        (TrainSettings, {"final_share": 1.5}, "final_share must lie between 0 and 1, not 1.5."),
        (TrainSettings, {"warmup_share": -0.1}, "warmup_share must lie between 0 and 1, not -0.1."),
        (TrainSettings, {"weight_decay": -0.1}, "weight_decay must lie between 0 and 1, not -0.1."),
        (TrainSettings, {"bases": 0}, "training needs an end: give --bases or --minutes."),
        (StreamSettings, {"lanes": 0}, "lanes must be at least 1, not 0."),
        (StreamSettings, {"chunk": 0}, "chunk must be at least 1, not 0."),
        (StreamSettings, {"burn_in": -1}, "burn_in must be at least 0, not -1."),
        (VariantSettings, {"window": -1}, "window must be at least 0, not -1."),
        (VariantSettings, {"batch": 0}, "batch must be at least 1, not 0."),
        (VariantSettings, {"lanes": 0}, "lanes must be at least 1, not 0."),
        (ProbeSettings, {"decoys": 0}, "decoys must be at least 1, not 0."),
    ],
)
def test_a_bad_value_is_refused_with_its_sentence(kind, values, sentence):
    with pytest.raises(UsageError) as caught:
        kind(**values)
    assert str(caught.value) == sentence


def test_minutes_alone_are_an_end():
    assert TrainSettings(bases=0, minutes=0.5).minutes == 0.5


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("3", (3.0, None)),
        ("-1.5", (-1.5, None)),
        ("0", (0.0, None)),
        ("chrono:1000", (None, 1000.0)),
        ("chrono:2.5", (None, 2.5)),
    ],
)
def test_forget_bias_is_a_number_or_a_horizon(text, read):
    assert forget_bias_or_horizon(text) == read


@pytest.mark.parametrize(
    "text", ["", "x", "chrono", "chrono:", "chrono:2", "chrono:-5", "chrono:inf", "nan", "inf", "3:", "3:4"]
)
def test_any_other_forget_bias_is_refused(text):
    with pytest.raises(UsageError) as caught:
        ModelSettings(forget_bias=text)
    assert str(caught.value) == (
        f"forget bias '{text}' is neither a number nor chrono:T with T above 2, as in chrono:1000."
    )


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("17", 17),
        ("1,000,000", 1_000_000),
        ("1_000", 1000),
        ("200k", 200_000),
        ("40M", 40_000_000),
        ("40m", 40_000_000),
        ("1.5G", 1_500_000_000),
        ("0.001M", 1000),
        (" 2K ", 2000),
        ("1.1M", 1_100_000),
        ("40Mb", 40_000_000),
        ("40 Mbp", 40_000_000),
        ("1.5 kb", 1500),
        ("12 bp", 12),
    ],
)
def test_a_size_may_carry_a_suffix(text, number):
    assert parse_size(text) == number
    assert isinstance(parse_size(text), int)


@pytest.mark.parametrize("text", ["", "M", "40MB", "-1", "1e6", "4 0", "forty", "1.M", ",5", "nan", "0x10", "2.5.1"])
def test_a_size_that_is_no_number_is_refused(text):
    with pytest.raises(UsageError) as caught:
        parse_size(text)
    assert str(caught.value) == f"'{text}' is not a number; write for example 40M, 1.5G, 200k or 1,000,000."


@pytest.mark.parametrize("text", ["0.4", "1.5", "0.0001k"])  # rounded, the first would mean "no limit"
def test_a_size_that_is_no_whole_number_is_refused(text):
    with pytest.raises(UsageError) as caught:
        parse_size(text)
    assert str(caught.value) == f"'{text}' is not a whole number; write for example 40M, 1.5G, 200k or 1,000,000."


def test_settings_file_is_read(tmp_path):
    path = tmp_path / "train.toml"
    path.write_text('lanes = 8\nlearning_rate = 1e-3\ntest_contigs = ["III"]\n')
    assert read_settings_file(path) == {"lanes": 8, "learning_rate": 1e-3, "test_contigs": ["III"]}


def test_a_missing_settings_file_is_named(tmp_path):
    path = tmp_path / "none.toml"
    with pytest.raises(InputError) as caught:
        read_settings_file(path)
    assert str(caught.value) == f"settings file {path} does not exist; correct the path."


@pytest.mark.parametrize("content", [b"lanes = ", b"\xff\xfe"])
def test_a_file_that_is_no_toml_is_named(tmp_path, content):
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_settings_file(path)
    assert str(caught.value).startswith(f"settings file {path} is not TOML: ")


def test_closed_choices_agree_with_their_tables():
    assert set(AlphabetName) == set(ALPHABETS)
    assert set(CellName) == set(FAMILY)
    assert {str(cell) for cell in TrainableCell} <= {str(cell) for cell in CellName}
    assert set(Size) == set(SIZES)

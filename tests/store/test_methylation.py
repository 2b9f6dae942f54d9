"""Methylation fits in files."""

from dataclasses import replace

import numpy as np
import pytest

from genolstm.errors import InputError
from genolstm.store.files import Records
from genolstm.store.methylation import (
    COLUMNS,
    HeldOutScore,
    MethylationFit,
    Posterior,
    column_names,
    read_methylation,
    write_methylation,
)  # fmt: skip
from genolstm.store.summary import summarise


def fit_of(sites=5, unit="hours", **changes):
    rng = np.random.default_rng(0)
    numbers = {name: rng.random(sites) for name in COLUMNS if name not in {"reads", "flags"}}
    made = MethylationFit(
        contigs=("I", "II"), contig=np.zeros(sites, np.int32), position=np.arange(sites),
        strand=np.zeros(sites, np.int8), modified=np.ones((sites, 2), np.int32),
        covered=np.full((sites, 2), 2, np.int32), samples=("a", "b"),
        unit=unit, elapsed=np.array([0.5, 4.5]), model="site", free_start=False,
        numbers={"conversion_error": 0.0, "time_offset": 0.5}, flag_names={"no_reads": 1}, **numbers,
        reads=np.full(sites, 4), flags=np.arange(sites, dtype=np.uint16),
    )  # fmt: skip
    return replace(made, **changes)


def same(one, two):
    for name, value in vars(one).items():
        other = getattr(two, name)
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, other)
        elif isinstance(value, Posterior):
            same(value, other)
        else:
            assert value == other


@pytest.mark.parametrize("unit", ["hours", "divisions"])
@pytest.mark.parametrize("sites", [0, 5])
def test_what_is_written_is_read(tmp_path, provenance, unit, sites):
    score = HeldOutScore(
        what="all", model="site", log_likelihood=-0.5, reads=9, against="pooled", difference=-0.1, low=-0.2, high=0.1
    )
    posterior = Posterior(rate=np.array([0.1, 1.0]), steady=np.array([0.3, 0.4]), draws=np.ones((sites, 3), np.uint16))
    for fit in (fit_of(sites, unit), fit_of(sites, unit, posterior=posterior, held_out=(score,), model="pooled")):
        path = tmp_path / f"{fit.model}.h5"
        write_methylation(path, fit, Records(read=sites, used=sites), provenance)
        same(fit, read_methylation(path))


def test_columns_say_their_unit():
    assert column_names("hours")["rate"] == "rate_per_hour"
    assert column_names("divisions")["half_life_low"] == "half_life_divisions_low"


def test_another_kind_of_file_is_refused(tiny_genome, tmp_path):
    with pytest.raises(InputError, match="is a genome file where a methylation file is needed; make one with"):
        read_methylation(tiny_genome.path)
    with pytest.raises(InputError, match="does not exist"):
        read_methylation(tmp_path / "gone.h5")


def test_show_tells_medians_and_held_out_scores(tmp_path, provenance):
    score = HeldOutScore(
        what="all", model="site", log_likelihood=-0.5, reads=9, against="pooled", difference=-0.1, low=-0.2, high=0.1
    )
    fit = fit_of(held_out=(score,), rate=np.array([np.nan, 1.0, 2.0, 3.0, np.nan]))
    write_methylation(tmp_path / "f.h5", fit, Records(), provenance)
    told = summarise(tmp_path / "f.h5", verify=True)
    assert told["medians"]["rate_per_hour"] == "2"
    assert told["held out, all"]["site"] == "-0.5000 nats a read; -0.1000 [-0.2000, +0.1000] against pooled"

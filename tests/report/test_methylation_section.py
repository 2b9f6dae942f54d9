"""The section of a methylation fit leads with whole times held out, and tells which kinetic form the reads prefer."""

from types import SimpleNamespace

import numpy as np
import pytest

from genolstm.report.of_methylation import fit_section
from genolstm.store.files import Records
from genolstm.store.methylation import COLUMNS, HeldOutScore, MethylationFit, write_methylation
from genolstm.store.summary import summarise


def score(hold_out, model, log_likelihood, low, high, what="all"):
    difference = round((low + high) / 2, 6)
    return HeldOutScore(
        what=what, model=model, log_likelihood=log_likelihood, reads=1000, against="kinetic", difference=difference,
        low=low, high=high, hold_out=hold_out,
    )  # fmt: skip


def fit_with(*scores):
    numbers = {name: np.full(3, 0.5) for name in COLUMNS if name not in {"reads", "flags"}}
    return MethylationFit(
        contigs=("I",), contig=np.zeros(3, np.int32), position=np.arange(3), strand=np.zeros(3, np.int8),
        modified=np.ones((3, 2), np.int32), covered=np.full((3, 2), 2, np.int32), samples=("a", "b"), unit="hours",
        elapsed=np.array([0.5, 4.5]), model="kinetic", free_start=False, numbers={"form_parameter": 0.5},
        flag_names={"rate_open_above": 32}, **numbers, reads=np.full(3, 4), flags=np.array([0, 0, 32], np.uint16),
        held_out=scores, form="rates",
    )  # fmt: skip


OWN = [score(hold_out, "kinetic", -0.50, 0.0, 0.0) for hold_out in ("time:4", "reads:0.2")]
OTHERS = [
    score("time:4", "neighbours", -0.51, -0.012, -0.008), score("time:4", "neighbours", -0.40, 0.09, 0.11, what="few"),
    score("reads:0.2", "neighbours", -0.49, 0.008, 0.012), score("time:4", "kinetic_gates", -0.45, 0.04, 0.06),
]  # fmt: skip


def test_a_whole_time_held_out_leads_the_verdicts_and_the_tables(tmp_path, provenance):
    fit = fit_with(*OWN, *OTHERS)
    section = fit_section(SimpleNamespace(content=fit))
    texts = [verdict.text for verdict in section.verdicts]
    assert "held-out reads of time:4 the kinetic model is better than neighbours, the best of 1 others" in texts[0]
    assert "held-out reads of reads:0.2 the kinetic model is worse than neighbours" in texts[1]
    assert texts[2].startswith("3 of 3 sites were fitted")
    assert section.tables[0].caption.startswith("Likelihood of reads that no model was fitted to")
    write_methylation(tmp_path / "f.h5", fit, Records(), provenance)
    told = summarise(tmp_path / "f.h5", verify=False)
    assert told["found"] == [
        "time:4 held out: kinetic +0.0100 [+0.0080, +0.0120] nats a read beside neighbours, the best of the others",
        "reads:0.2 held out: kinetic -0.0100 [-0.0120, -0.0080] nats a read beside neighbours, the best of the others",
        "median half-life 0.5 hours over 2 sites whose rate is identifiable, of 3",
    ]
    assert told["held out, all of time:4"]["neighbours"].startswith("-0.5100 nats a read; -0.0100")
    assert told["held out, all of reads:0.2"]["neighbours"].startswith("-0.4900 nats a read; +0.0100")


@pytest.mark.parametrize(
    ("lag", "sentence"),
    [
        ((-0.004, -0.002), "prefer rates, the form of this fit, to each of the others"),
        ((-0.002, 0.001), "do not tell rates, the form of this fit, from lag"),
        ((0.001, 0.003), "prefer lag to rates, the form of this fit (fit with --form lag)"),
    ],
)
def test_the_kinetic_form_that_reads_prefer_is_told_with_by_how_much(lag, sentence):
    forms = [
        score("time:4", "kinetic lag", -0.5 + sum(lag) / 2, *lag),
        score("time:4", "kinetic ages", -0.6, -0.2, 0.0),
    ]
    section = fit_section(SimpleNamespace(content=fit_with(*OWN[:1], *OTHERS[:1], *forms)))
    text = section.verdicts[1].text
    assert f"Of 3 kinetic forms the reads of time:4 {sentence}. Nats a read beside rates: lag " in text
    assert text.endswith("].")
    assert "; ages " in text

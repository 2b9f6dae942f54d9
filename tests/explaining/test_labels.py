"""Labels of variants: what the model alone knows is a gain, what composition tells is none."""

import numpy as np
import pytest

from genolstm.errors import InputError, UsageError
from genolstm.explaining.labels import BOTH, CONTROLS, KIND, LabelledVariants, gc_around, judge_labels, labels_from
from genolstm.readers.variants import Record
from genolstm.variants.records import Effect, Scored

N = 1500


@pytest.fixture(scope="module")
def genome(genome_of):
    """A contig whose GC drifts along it, so that composition tells places apart."""
    rng = np.random.default_rng(1)
    gc = 0.5 + 0.25 * np.sin(np.arange(60_000) / 900)
    return genome_of({"c": np.where(rng.random(60_000) < gc, rng.integers(1, 3, 60_000),
                                    rng.choice([0, 3], 60_000)).astype(np.uint8)})  # fmt: skip


@pytest.fixture(scope="module")
def made(genome):
    """Places, kinds, and ratios of a Markov model and of a model that follow from composition, as real ones do."""
    rng = np.random.default_rng(2)
    position = np.sort(rng.choice(np.arange(100, 59_900), N, replace=False))
    gc = gc_around(genome, np.zeros(N, np.int64), position)
    kind = rng.integers(0, 96, N)
    markov = 0.5 * np.sin(kind) + 2 * (gc - 0.5) + rng.normal(0, 0.3, N)
    hidden = rng.normal(0, 1, N)  # what the model knows and composition does not
    return position, gc, kind, markov, 0.8 * markov + 0.4 * np.cos(kind) + hidden, hidden


def gathered(made, label, name="SICK"):
    position, _, kind, markov, ratio, _ = made
    found = LabelledVariants(field_name=name)
    for row in range(N):
        effect = Effect((ratio[row],) * 2, (0, 0), int(kind[row]), (markov[row],) * 2)
        line = f"c\t{position[row] + 1}\t.\tA\tC\t.\t.\tX=1;{name}={int(label[row])}"
        found.take(Scored(Record(row, line, "c", int(position[row]), "A", ("C",)), (effect,), seen=False))
    return found


def test_planted_answer_is_a_gain(genome, made):
    hidden = made[-1]
    label = np.random.default_rng(3).random(N) < 1 / (1 + np.exp(2 + 1.5 * hidden))
    found = judge_labels(gathered(made, label), genome, block_bp=2_000, seed=1)
    assert found.verdict == "gain"
    assert found.difference.low > 0
    assert (found.variants, found.positives) == (N, label.sum())
    scores = {each.score: each for each in found.scores}
    assert scores[BOTH].auroc.value > scores[CONTROLS].auroc.value + 0.1


@pytest.mark.parametrize("artefact", ["kind", "gc", "markov"])
def test_planted_composition_artefact_is_no_gain(genome, made, artefact):
    _, gc, kind, markov, *_ = made
    drive = {"kind": 2 * np.sin(kind), "gc": 12 * (gc - 0.5), "markov": -1.5 * markov}[artefact]
    label = np.random.default_rng(4).random(N) < 1 / (1 + np.exp(1 - drive))
    found = judge_labels(gathered(made, label), genome, block_bp=2_000, seed=1)
    assert found.verdict != "gain"
    scores = {each.score: each for each in found.scores}
    assert scores[CONTROLS].auroc.low > 0.6  # the artefact is there to be found
    if artefact == "kind":
        assert scores[KIND].auroc.low > 0.6


def test_labels_of_chance_are_no_gain(genome, made):
    label = np.random.default_rng(5).random(N) < 0.3
    assert judge_labels(gathered(made, label), genome, block_bp=2_000, seed=1).verdict != "gain"


def test_too_few_labels_are_refused(genome, made):
    label = np.arange(N) < 5
    with pytest.raises(InputError, match="--labels SICK marks 5 of 1,500 scored single-base changes: 20 of either"):
        judge_labels(gathered(made, label), genome, block_bp=2_000, seed=1)


def scored(info, alternatives=("C",), columns="."):
    effect = Effect((1.0, 1.0), (0, 0), 3, (0.0, 0.0))
    record = Record(1, f"c\t9\t.\tA\t{','.join(alternatives)}\t.\t{columns}\t{info}", "c", 8, "A", alternatives)
    return Scored(record, (effect,) * len(alternatives), seen=False)


def test_labels_are_read_as_flags_and_values():
    flags = LabelledVariants(field_name="P")
    for info in ("P", "Q;P", "Q", "."):
        flags.take(scored(info))
    assert flags.label == [True, True, None, None]
    assert len(flags.labelled) == 4
    values = LabelledVariants(field_name="P")
    for info in ("Q", "P=1", "P=no", "Q", "P=.", "P=TRUE"):  # a record without a label is none before the first too
        values.take(scored(info))
    assert [values.label[row] for row in values.labelled] == [True, False, True]
    each = LabelledVariants(field_name="P")
    each.take(scored("P=1,0", ("C", "G")))
    each.take(scored("P=1", ("C", "G")))
    assert each.label == [True, False, True, True]
    with pytest.raises(InputError, match="record c:9 has P=maybe, which is no label: use a flag, or 1 and 0"):
        each.take(scored("P=maybe"))


def test_labels_are_values_of_a_field_or_a_column():
    found = labels_from("CLNSIG=Pathogenic")
    for info in ("CLNSIG=Pathogenic", "CLNSIG=Benign", "AC=2", "CLNSIG=."):
        found.take(scored(info))
    assert found.label == [True, False, None, None]
    assert len(found.labelled) == 2
    passed = labels_from("FILTER=PASS")
    passed.take(scored("X", columns="PASS"))
    passed.take(scored("FILTER=PASS", columns="q10"))
    assert passed.label == [True, False]
    for text in ("", "=1", "CLNSIG="):
        with pytest.raises(UsageError, match="is no field, nor a field and a value"):
            labels_from(text)


def test_gc_is_of_what_is_around(genome_of):
    genome = genome_of({"a": "A" * 60 + "G" + "C" * 40, "b": "GGN"})
    found = gc_around(genome, np.array([0, 1]), np.array([60, 1]))
    np.testing.assert_allclose(found, [40 / 90, 1])

from dataclasses import replace

import numpy as np
import pytest

from genolstm.comparing.measured import Groups
from genolstm.comparing.probes import measured_probes
from genolstm.errors import InputError
from genolstm.probes.scores import auprc, block_bootstrap, paired_difference
from genolstm.seeds import spawn

DRAWS = 20


def named(results):
    """File name -> results by target."""
    return {f"m{place}": {"donor": result} for place, result in enumerate(results)}


def verdicts(results, groups, *, resamples=400):
    """Measure -> verdict, of the first group against the second."""
    measured, _, _ = measured_probes(named(results), resamples=resamples, seed=1)
    return {row.measure: row.verdict for row in Groups(groups, seed=1).differences(measured)}


def test_planted_difference_is_found_in_every_draw(made_probe):
    rng = np.random.default_rng(1)
    for _ in range(DRAWS):
        found = verdicts(made_probe(rng, 1.6, 1.0), ["a", "b"])
        assert found == {"auprc": "better", "gain in auprc": "better"}
    assert verdicts(made_probe(rng, 1.0, 1.6), ["a", "b"])["auprc"] == "worse"


def test_planted_null_is_kept_in_nineteen_of_twenty_draws(made_probe):
    rng = np.random.default_rng(2)
    kept = [verdicts(made_probe(rng, 1.2, 1.2), ["a", "b"])["auprc"] == "no difference" for _ in range(DRAWS)]
    assert sum(kept) >= 19


def test_seeds_that_differ_as_much_as_settings_leave_no_difference(made_probe):
    """Three seeds each of two settings of one mean quality: single files differ, the settings do not."""
    rng = np.random.default_rng(3)
    kept, of_single_files = 0, 0
    for _ in range(DRAWS):
        results = made_probe(rng, *(1.2 + 0.4 * rng.normal(size=6)))
        kept += verdicts(results, ["a"] * 3 + ["b"] * 3)["auprc"] == "no difference"
        of_single_files += verdicts([results[0], results[3]], ["a", "b"])["auprc"] == "no difference"
    assert kept >= 19
    assert of_single_files < 15, "the plant is too weak to show anything"


def test_planted_difference_between_groups_of_seeds_is_found(made_probe):
    rng = np.random.default_rng(4)
    results = made_probe(rng, *(1.8 + 0.05 * rng.normal(size=3)), *(1.0 + 0.05 * rng.normal(size=3)))
    assert verdicts(results, ["a"] * 3 + ["b"] * 3) == {"auprc": "better", "gain in auprc": "better"}


def test_difference_of_the_same_sites_is_that_of_the_paired_bootstrap(made_probe):
    a, b = made_probe(np.random.default_rng(5), 1.4, 1.2)
    measured, shared, notes = measured_probes(named([a, b]), resamples=400, seed=1)
    draws = block_bootstrap(a.sites.block, 400, spawn(1, "bootstrap"))
    odds = [each.features["trained"].log_odds.astype(float) for each in (a, b)]
    expected = paired_difference(a.features["trained"].label, *odds, draws, auprc)
    found = Groups(["a", "b"], seed=1).differences(measured)[0]
    assert found.estimate == pytest.approx(expected)
    assert shared == [("donor", 600, 40)]
    assert notes == []


def test_only_sites_of_both_test_parts_with_one_label_are_compared(made_probe):
    """Contigs are matched by name, whatever their order."""
    a, b = made_probe(np.random.default_rng(6), 1.4, 1.2)
    part = b.sites.part.copy()
    part[:45] = 0  # the other model was fitted to the first three blocks
    label = b.features["trained"].label.copy()
    label[45] = 1 - label[45]
    features = {name: replace(each, label=label) for name, each in b.features.items()}
    sites = replace(b.sites, part=part, contigs=("II", "I"), contig=np.zeros(600, np.int32))
    other = replace(b, sites=sites, features=features)
    measured, shared, notes = measured_probes(named([a, other]), resamples=200, seed=1)
    assert shared == [("donor", 554, 37)]
    assert notes == ["donor: 46 test sites that not all files have are left out."]
    rows = slice(46, None)
    expected = auprc(a.features["trained"].label[rows], a.features["trained"].log_odds[rows])
    assert measured[0].values[0] == pytest.approx(float(expected))


def test_values_are_compared_by_r2(made_probe):
    rng = np.random.default_rng(7)
    truth = (3 * rng.normal(size=600)).astype(np.float32)
    results = made_probe(rng, 0.5, 0.0, control=0.0, truth=truth)
    measured, _, _ = measured_probes(named(results), resamples=200, seed=1)
    assert [each.measure for each in measured] == ["r2", "gain in r2"]
    found = Groups(["a", "b"], seed=1).differences(measured)
    assert [row.verdict for row in found] == ["better", "better"]


def test_gains_over_other_controls_are_noted(made_probe):
    a, b = made_probe(np.random.default_rng(8), 1.4, 1.2)
    b = replace(b, best_control="onehot", features={**b.features, "onehot": b.features["kmer"]})
    _, _, notes = measured_probes(named([a, b]), resamples=200, seed=1)
    assert notes == ["donor: each gain is over the file's own best control (kmer of m0, onehot of m1)."]


def test_few_shared_positives_cannot_tell(made_probe):
    a, b = made_probe(np.random.default_rng(10), 3.0, 0.0)
    part = np.where(np.arange(600) < 75, 2, 0).astype(np.int8)
    few = [replace(each, sites=replace(each.sites, part=part)) for each in (a, b)]
    positives = int(a.sites.label[:75].sum())
    assert positives < 30
    _, _, notes = measured_probes(named(few), resamples=200, seed=1)
    assert notes == [f"donor: a verdict needs 30 positives among the shared test sites, and there are {positives}."]
    assert set(verdicts(few, ["a", "b"]).values()) == {"cannot tell"}


def test_results_that_share_nothing_are_refused(made_probe):
    a, b = made_probe(np.random.default_rng(9), 1.4, 1.2)
    with pytest.raises(InputError, match=r"share no target \(m0 has donor; m1 has acceptor\); compare results of one"):
        measured_probes({"m0": {"donor": a}, "m1": {"acceptor": b}}, resamples=100, seed=1)
    moved = replace(b, sites=replace(b.sites, position=b.sites.position + 1))
    with pytest.raises(InputError, match="m0 and m1 share no test site of donor with the same contig"):
        measured_probes(named([a, moved]), resamples=100, seed=1)
    with pytest.raises(InputError, match=r"donor is judged by different scores \(m0 by auprc, m1 by r2\)"):
        measured_probes(named([a, replace(b, ranked="r2")]), resamples=100, seed=1)

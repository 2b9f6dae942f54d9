"""Hidden states at CpGs as something the pooled model may know."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from genolstm.errors import InputError
from genolstm.methylation.fitting import fit_counts
from genolstm.methylation.hidden_features import hidden_features
from genolstm.methylation.simulate import simulated_counts, truth_of
from genolstm.settings.methylation import MethylationSettings, PooledSettings, SimulateSettings
from genolstm.store.hidden import Hidden, SiteTable


def simulated(sites, **options):
    asked = SimulateSettings(times=(0, 1, 4, 16), time_offset=0.5, sites=sites, **options)
    rng = np.random.default_rng(0)
    gates = truth_of(None, asked, rate=0.4, steady=0.5, mu=None, delta=None, rng=rng)
    return gates, simulated_counts(gates, asked, rng)


def hidden_at(contigs, contig, position, states):
    sites = SiteTable(
        contigs=contigs, contig=np.array(contig, np.int32), start=np.array(position), end=np.array(position) + 2,
        strand=np.ones(len(position), np.int8), name=(".",) * len(position),
    )  # fmt: skip
    return Hidden(sites=sites, features={}, states=np.asarray(states, np.float16))


def test_features_are_the_principal_components_of_matched_states():
    _, counts = simulated(300)
    rng = np.random.default_rng(1)
    states = rng.standard_normal((300, 6)) @ np.diag([5, 3, 1, 0.5, 0.2, 0.1])
    kept = rng.random(300) < 0.8
    position = np.concatenate([counts.position[kept], [10**6]])
    hidden = hidden_at(
        ("other", "simulated"), [1] * len(position), position, np.concatenate([states[kept], np.ones((1, 6))])
    )
    found = hidden_features(counts, hidden, 3, "h.h5")
    expected = PCA(3, whiten=True).fit_transform(hidden.states[:-1].astype(float))
    assert found.shape == (300, 4)
    assert (found[~kept] == 0).all()
    assert (found[kept, 3] == 1).all()
    for column in range(3):
        assert abs(np.corrcoef(found[kept, column], expected[:, column])[0, 1]) == pytest.approx(1, abs=1e-3)
        assert found[kept, column].std() == pytest.approx(1, abs=1e-2)


def test_states_of_other_places_are_refused():
    _, counts = simulated(5)
    with pytest.raises(InputError, match=r"h\.h5 holds states of none of the 5 sites of the counts"):
        hidden_features(counts, hidden_at(("II",), [0], [3], np.ones((1, 4))), 2, "h.h5")


def test_states_that_know_the_gates_help_the_pooled_fit():
    """Gates that no neighbour shares, but that the states give away."""
    gates, counts = simulated(600, spread=1.5, coverage=2)
    states = np.stack([np.log(gates.rate), np.log(gates.steady / (1 - gates.steady))], axis=1)
    extra = hidden_features(counts, hidden_at(("simulated",), [0] * 600, counts.position, states), 2, "h.h5")
    settings = MethylationSettings(times=(0, 1, 4, 16), time_offset=0.5, model="pooled")
    pooled = PooledSettings(width=8, epochs=6, core=16, margin=4, learning_rate=1e-2)
    errors = [
        np.mean(np.abs(fit_counts(counts, settings, pooled, extra=each).steady - gates.steady))
        for each in (None, extra)
    ]
    assert errors[1] < 0.8 * errors[0]

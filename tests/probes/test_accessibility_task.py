"""The whole probe on made chromatin: found where it was planted, at chance where labels mean nothing."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import expit
from sklearn import metrics
from sklearn.linear_model import LogisticRegression, Ridge

from genolstm.errors import InputError
from genolstm.model import NextSymbolModel, trained_model
from genolstm.probes.task import TRAINED
from genolstm.probes.tasks.accessibility import PEAKS, SIGNAL, Chromatin, probe_accessibility
from genolstm.regions import Part, split_genome
from genolstm.seeds import spawn
from genolstm.settings.model import ModelSettings
from genolstm.settings.probe import AccessibilitySettings
from genolstm.settings.reading import StreamSettings
from genolstm.settings.train import TrainSettings
from genolstm.states.windows import Windows, pooled_states
from genolstm.store.checkpoint import Checkpoint
from genolstm.store.files import Records
from genolstm.store.results import read_probe, write_probe
from genolstm.stream.reader import GenomeReader

STREAM = StreamSettings(lanes=4, chunk=64, burn_in=512)
SETTINGS = AccessibilitySettings(
    window=50, twins=1, kmers="1,2", resamples=40, permutations=200, mappable_bp=50, edge_reach=60, edge_step=10,
    edge_near=20, edge_word=2, edge_matches=2, bin_bp=10, nn=False,
)  # fmt: skip
LENGTHS = {"I": 30_000, "II": 10_000, "III": 12_000}
MOTIF = list("TATATATATATATATATATA")
CONTROLS = ("untrained_1", "composition", "onehot", "kmer_1", "kmer_2")


@pytest.fixture(scope="module")
def made(genome_of):
    """Genome, track and peaks: one window in eight carries a motif, is a peak and was cut ten times as often."""
    rng = np.random.default_rng(1)
    texts, counts, rows = {}, {}, []
    for contig, (name, length) in enumerate(LENGTHS.items()):
        text, rate = rng.choice(list("ACGT"), length), np.full(length, 0.05)
        for start in range(0, length, 50):
            if rng.random() < 1 / 8:
                text[start + 10 : start + 30] = MOTIF
                rate[start : start + 50] = 0.5
                rows.append((contig, start, start + 50))
        texts[name], counts[name] = "".join(text), rng.poisson(rate)
    genome, table = genome_of(texts), np.array(rows)
    track = SimpleNamespace(
        path="t.h5", genome_sha256=genome.sha256, observed=np.ones(3, bool), unit="cuts/bp",
        counts=lambda name, start, end: counts[name][start:end].astype(np.float32),
    )  # fmt: skip
    peaks = SimpleNamespace(contig=table[:, 0].astype(np.int32), start=table[:, 1], end=table[:, 2])
    return genome, track, peaks


def checkpoint_of(genome, **parts):
    settings = ModelSettings(hidden=12, forget_bias="1", **({"cell": parts.pop("cell")} if "cell" in parts else {}))
    return Checkpoint(
        model=settings,
        train=TrainSettings(),
        weights=NextSymbolModel(settings, seed=3).weight_arrays(),
        split=split_genome(
            genome.length_of, spawn(1, "split"), **(parts or {"valid_contigs": ["II"], "test_contigs": ["III"]})
        ),
        lengths=genome.lengths,
        genome_sha256=genome.sha256,
        history={},
        looks={},
    )


def probed(made, settings=SETTINGS, *, checkpoint=None, log=lambda _: None, on_progress=None, **others):
    genome, track, peaks = made
    checkpoint = checkpoint or checkpoint_of(genome)
    model = trained_model(checkpoint.model, checkpoint.weights)
    reader = GenomeReader(model, genome, STREAM, on_progress=on_progress)
    chromatin = Chromatin(
        track=others.get("track", track), peaks=others.get("peaks", peaks), blacklist=others.get("blacklist")
    )
    return probe_accessibility(checkpoint, reader, chromatin, settings, model_name="m.h5", log=log)


@pytest.fixture(scope="module")
def told():
    return {"sentences": [], "shares": []}


@pytest.fixture(scope="module")
def found(made, told):
    return probed(
        made, log=told["sentences"].append, on_progress=lambda share, read: told["shares"].append((share, read))
    )


@pytest.fixture(scope="module")
def reread(found, provenance, tmp_path_factory):
    path = tmp_path_factory.mktemp("access") / "a.h5"
    write_probe(path, "accessibility", found[0], Records(), provenance)
    return read_probe(path)


def test_planted_windows_are_found_and_meaningless_labels_are_not(found):
    results, records = found
    assert set(results) == {PEAKS, SIGNAL}
    assert records.read == sum(length // 50 for length in LENGTHS.values())
    assert len(results[PEAKS].sites) == records.used == records.read - sum(records.skipped.values())
    peaks, signal = (results[target].features for target in (PEAKS, SIGNAL))
    assert set(peaks) == set(signal) == {TRAINED, "shuffled", "shifted", *CONTROLS}
    assert peaks[TRAINED].scores["auroc"].value > 0.9
    assert peaks["kmer_2"].scores["auroc"].value > 0.9
    assert signal[TRAINED].scores["r2"].value > 0.3
    for name in ("shuffled", "shifted"):
        assert peaks[name].scores["auroc"].low < 0.5 < peaks[name].scores["auroc"].high + 0.05
        assert abs(signal[name].scores["r2"].value) < 0.05


def test_a_network_that_knows_no_more_than_its_random_init_model_is_no_gain(found):
    """The 'trained' weights here were drawn, too."""
    for result in found[0].values():
        assert result.differences.keys() == set(CONTROLS)
        assert result.best_control == max(CONTROLS, key=lambda name: result.features[name].scores[result.ranked].value)
        gained = result.differences[result.best_control].low > 0
        assert result.verdict in ({"gain"} if gained else {"no gain", "cannot tell"})
    assert found[0][PEAKS].verdict in {"no gain", "cannot tell"}


def test_predictions_are_a_linear_probe_on_the_pooled_states_and_equal_sklearn(made, found):
    genome, checkpoint = made[0], checkpoint_of(made[0])
    sites = found[0][PEAKS].sites
    windows = Windows(sites.contig.astype(np.int64), sites.position, 50)
    model = trained_model(checkpoint.model, checkpoint.weights)
    features = pooled_states(GenomeReader(model, genome, STREAM), windows).astype(np.float64)
    train = sites.part == Part.TRAIN
    scaled = (features - features[train].mean(axis=0)) / features[train].std(axis=0)
    for target, ours in (
        (PEAKS, lambda c: LogisticRegression(C=c, tol=1e-8, max_iter=5_000)),
        (SIGNAL, lambda c: Ridge(alpha=1 / c)),
    ):
        probe = found[0][target].features[TRAINED]
        rows = (features - probe.mean) / probe.scale
        predicted = rows @ probe.coefficients.astype(np.float64) + probe.intercept
        np.testing.assert_allclose(probe.log_odds, predicted, rtol=1e-4, atol=1e-4)
        oracle = ours(probe.regularisation).fit(scaled[train], probe.label[train])
        theirs = oracle.decision_function(scaled) if target == PEAKS else oracle.predict(scaled)
        np.testing.assert_allclose(probe.log_odds, theirs, atol=5e-3 * max(1, np.abs(theirs).max()))


def test_every_score_can_be_recomputed_from_the_file(reread):
    test = reread[PEAKS].sites.part == Part.TEST
    for name, each in reread[PEAKS].features.items():
        labels, log_odds = each.label[test], each.log_odds[test].astype(np.float64)
        scores = {score: estimate.value for score, estimate in each.scores.items()}
        assert set(scores) == {
            "auprc", "auroc", "topk", "mcc", "calibration_error", "auprc_matched", "auroc_matched"
        }, name  # fmt: skip
        assert scores["auprc"] == pytest.approx(metrics.average_precision_score(labels, log_odds))
        assert scores["auroc"] == pytest.approx(metrics.roc_auc_score(labels, log_odds))
        assert scores["mcc"] == pytest.approx(metrics.matthews_corrcoef(labels, log_odds >= each.threshold))
        assert scores["calibration_error"] >= abs((labels - expit(log_odds)).mean()) - 1e-9  # of one bin for all
    for each in reread[SIGNAL].features.values():
        values, predicted = each.label[test].astype(np.float64), each.log_odds[test].astype(np.float64)
        assert each.scores["r2"].value == pytest.approx(metrics.r2_score(values, predicted))
        assert each.scores["pearson"].value == pytest.approx(np.corrcoef(values, predicted)[0, 1], abs=1e-9)
        assert each.threshold is None
    told = reread[PEAKS].definition
    assert told["open"] == "at least 50% of the window lies in a peak"
    assert told["matched_closed"] <= 5 * told["matched_open"] <= 5 * reread[PEAKS].sites.label[test].sum()
    assert reread[SIGNAL].definition["signal"].startswith("log2(1 + c / m)")
    assert (reread[PEAKS].width, reread[PEAKS].offsets, reread[PEAKS].selectivity) == (50, (), None)
    assert reread[PEAKS].prevalence == pytest.approx(reread[PEAKS].sites.label[test].mean())


def test_steps_and_progress_are_told(found, told):
    assert any("open: at least 50% of the window lies in a peak" in line for line in told["sentences"])
    assert "states of the untrained_1 model, 2 of 2" in told["sentences"]
    shares = [share for share, _ in told["shares"]]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert found[0][PEAKS].seams.keys() == {TRAINED, "untrained_1"}


def test_without_peaks_the_top_windows_are_open_and_edges_are_not_asked(made):
    sentences = []
    results, _ = probed(made, replace(SETTINGS, top_share=0.1), peaks=None, log=sentences.append)
    assert results[PEAKS].definition["open"] == "among the 10.0% of its part with most cuts; no peaks given"
    assert results[PEAKS].edges == {}
    assert "no peaks were given: forgetting at their edges is not tested" in sentences
    assert 0.05 < results[PEAKS].sites.label.mean() <= 0.1


def test_forget_gate_stands_beside_matched_positions_and_a_random_init_model(reread):
    edges, profiles = reread[PEAKS].edges, reread[PEAKS].profiles
    assert edges["model"] == [TRAINED] * 2 + ["untrained_1"] * 2
    assert edges["direction"] == ["into", "out of"] * 2
    assert ((edges["p"] > 0) & (edges["p"] <= 1)).all()
    np.testing.assert_allclose(edges["p_adjusted"], np.minimum(1, 4 * edges["p"]))
    np.testing.assert_allclose(edges["difference"], edges["value"] - edges["matched"], atol=1e-6)
    assert ((edges["low"] <= edges["difference"]) & (edges["difference"] <= edges["high"])).all()
    assert profiles["offset"].tolist() == list(range(-60, 61, 10))
    assert profiles["forget"].shape == profiles["matched"].shape == (4, 13)
    near = np.abs(profiles["offset"]) <= 20
    np.testing.assert_allclose(profiles["forget"][:, near].mean(axis=1), edges["value"], atol=1e-6)


def test_cell_without_a_forget_gate_is_probed_without_edges(made):
    sentences = []
    results, _ = probed(
        made,
        checkpoint=checkpoint_of(made[0], cell="rnn", valid_contigs=["II"], test_contigs=["III"]),
        log=sentences.append,
    )
    assert results[PEAKS].edges == {}
    assert "the cell rnn has no forget gate: forgetting at edges of peaks is not tested" in sentences


def test_memories_are_pooled_on_request(made, found):
    results, _ = probed(made, replace(SETTINGS, states="h+c", top_share=0.1), peaks=None)
    widths = [len(each[PEAKS].features[TRAINED].coefficients) for each in (found[0], results)]
    assert widths == [48, 96]


def test_same_seed_gives_the_same_bits(made, found):
    again, _ = probed(made)
    for target, result in again.items():
        for name, each in result.features.items():
            np.testing.assert_array_equal(each.log_odds, found[0][target].features[name].log_odds)
            assert each.scores == found[0][target].features[name].scores
        np.testing.assert_array_equal(result.edges.get("p", 0), found[0][target].edges.get("p", 0))


def test_test_windows_never_reach_a_fit(made, found):
    """Other cuts and peaks on the test contig change no coefficient."""
    _, track, peaks = made

    def other_counts(name, start, end):
        counts = track.counts(name, start, end)
        return counts[::-1].copy() if name == "III" else counts

    kept = (peaks.contig < 2) | (np.arange(len(peaks.contig)) % 2 == 0)
    other = SimpleNamespace(**{name: column[kept] for name, column in vars(peaks).items()})
    changed = SimpleNamespace(**{**vars(track), "counts": other_counts})
    results, _ = probed(made, track=changed, peaks=other)
    for target in (PEAKS, SIGNAL):
        for name in (TRAINED, *CONTROLS):
            ours, theirs = found[0][target].features[name], results[target].features[name]
            np.testing.assert_array_equal(ours.coefficients, theirs.coefficients)
            assert ours.scores != theirs.scores


# ---- what is refused


def test_track_of_another_genome_is_refused(made):
    track = SimpleNamespace(**{**vars(made[1]), "genome_sha256": "other"})
    with pytest.raises(InputError, match="was made on another genome than"):
        probed(made, track=track)


def test_contigs_that_were_trained_on_are_refused(made):
    with pytest.raises(InputError, match=r"contig 'I' was trained on by m\.h5, so that no score on it is held out"):
        probed(made, replace(SETTINGS, test_contigs=("I",)))


@pytest.mark.parametrize(
    ("named", "sentence"),
    [
        ({"exclude_contigs": ("IX",)}, "contig 'IX' is not in .*, which has I, II, III; correct --exclude-contigs"),
        ({"exclude_contigs": ("III",), "test_contigs": ("III",)}, "is to be tested on and to be excluded"),
        ({"valid_contigs": ("IX",)}, "valid contig 'IX' is not in the split"),
        ({"valid_contigs": ("III",)}, "contig 'III' is for test, and cannot be for validation too"),
        ({"valid_contigs": ("I", "II")}, "no contig is left for training"),
        ({"exclude_contigs": ("III",)}, "the test part holds 0 open and 0 closed windows"),
    ],
)
def test_wrong_contigs_are_named(made, named, sentence):
    with pytest.raises(InputError, match=sentence):
        probed(made, replace(SETTINGS, **named))


def test_named_contigs_are_used(made):
    """The network has not seen II either: it chose by it when to stop."""
    with pytest.raises(InputError, match="was trained on"):
        probed(made, replace(SETTINGS, train_contigs=("II",), test_contigs=("I",)))
    unseen = checkpoint_of(made[0], train_contigs=["II"], valid_contigs=["I"], test_contigs=["III"])
    settings = replace(SETTINGS, train_contigs=("I",), valid_contigs=("II",), test_contigs=("III",), top_share=0.1)
    sites = probed(made, settings, peaks=None, checkpoint=unseen)[0][PEAKS].sites
    assert (sites.part == sites.contig).all()
    settings = replace(SETTINGS, valid_contigs=("I",), top_share=0.1)
    sites = probed(made, settings, peaks=None)[0][PEAKS].sites
    assert (sites.part == np.array([1, 0, 2])[sites.contig]).all()

"""What a model was trained on is known by its sequence: names mean nothing."""

from dataclasses import replace

import numpy as np
import pytest

from genolstm.alphabet import DNA, PROTEIN, reverse_complement
from genolstm.regions import Part
from genolstm.seen import SAMPLE, K, canonical_kmers, seen_in, training_sequence
from genolstm.settings.model import ModelSettings
from genolstm.settings.train import TrainSettings
from genolstm.store.checkpoint import Checkpoint, read_checkpoint, write_checkpoint


@pytest.fixture
def own(genome_of, drawn_codes, stretches_of):
    """A genome of a contig for training, one for test, and one of blocks of both, and its model."""
    genome = genome_of({"a": drawn_codes(1, 5000), "b": drawn_codes(2, 4000), "c": drawn_codes(3, 6000)})
    rows = [
        ("a", 0, 5000, Part.TRAIN), ("b", 0, 4000, Part.TEST),
        ("c", 0, 3000, Part.TRAIN), ("c", 3100, 6000, Part.VALID),
    ]  # fmt: skip
    split = stretches_of(genome, rows)
    checkpoint = Checkpoint(
        model=ModelSettings(hidden=2), train=TrainSettings(), weights={"w": np.zeros(8, np.float32)}, split=split,
        lengths=genome.lengths,
        genome_sha256=genome.sha256, history={}, looks={}, training=training_sequence(genome, split),
    )  # fmt: skip
    return genome, checkpoint


def parts_of(seen):
    split = seen.split
    return [
        (split.contigs[contig], start, end, Part(part))
        for contig, start, end, part in zip(
            split.contig.tolist(), split.start.tolist(), split.end.tolist(), split.part.tolist(), strict=True
        )
    ]


def test_contigs_under_other_names_and_in_another_order_keep_their_parts(own, genome_of, drawn_codes):
    _, checkpoint = own
    other = genome_of({"a": drawn_codes(2, 4000), "x": drawn_codes(3, 6000), "y": drawn_codes(1, 5000)})
    seen = seen_in(checkpoint, other)
    assert parts_of(seen) == [
        ("a", 0, 4000, Part.TEST), ("x", 0, 3000, Part.TRAIN),
        ("x", 3100, 6000, Part.VALID), ("y", 0, 5000, Part.TRAIN),
    ]  # fmt: skip
    assert seen.complete
    assert seen.sentence("o.h5", "m.h5") is None


def test_a_contig_of_a_known_name_and_another_sequence_was_not_seen(own, genome_of, drawn_codes):
    _, checkpoint = own
    seen = seen_in(checkpoint, genome_of({"a": drawn_codes(9, 5000), "c": drawn_codes(8, 6000)}))
    assert not seen.trained(0)
    assert not seen.complete
    assert not seen.near
    assert seen.sentence("worm.h5", "m.h5") == (
        "m.h5 comes from another genome than worm.h5: it was trained on none of these contigs"
    )


def test_a_training_block_that_stands_alone_is_known(own, genome_of, drawn_codes):
    _, checkpoint = own
    codes = drawn_codes(3, 6000)
    seen = seen_in(checkpoint, genome_of({"block": codes[:3000], "held": codes[3100:], "cut": codes[:2999]}))
    assert parts_of(seen) == [("block", 0, 3000, Part.TRAIN), ("held", 0, 2900, Part.VALID)]
    assert list(seen.near) == [2]  # no hash of it is known, and all of its k-mers are


@pytest.mark.parametrize("turned", [False, True])
def test_near_duplicates_are_known_by_their_kmers_on_either_strand(own, genome_of, drawn_codes, turned):
    _, checkpoint = own
    codes, rng = drawn_codes(1, 5000), np.random.default_rng(1)
    for wrong, near in ((0.01, True), (0.2, False)):
        copy = codes.copy()
        copy[rng.random(5000) < wrong] = 0
        seen = seen_in(checkpoint, genome_of({"copy": reverse_complement(copy) if turned else copy}))
        assert bool(seen.near) is near
    assert "near-duplicates" in str(seen_in(checkpoint, genome_of({"n": codes[10:]})).sentence("o.h5", "m.h5"))


def test_a_trained_contig_within_a_longer_one_is_found(own, genome_of, drawn_codes, monkeypatch):
    """An eighth of the contig: too little for a near-duplicate as a whole."""
    monkeypatch.setattr("genolstm.seen.SLAB", 4000)
    _, checkpoint = own
    longer = np.concatenate([drawn_codes(11, 14_000), drawn_codes(1, 5000), drawn_codes(12, 21_000)])
    seen = seen_in(checkpoint, genome_of({"longer": longer, "other": drawn_codes(13, 40_000)}))
    assert list(seen.near) == [0]
    assert seen.near[0] == pytest.approx(0.125, abs=0.02)
    assert "or holding some, by their common k-mers: longer (12 %)" in str(seen.sentence("o.h5", "m.h5"))


def test_files_of_0_1_0_know_their_own_genome_file_and_say_that_they_know_no_other(own, genome_of, drawn_codes):
    genome, checkpoint = own
    old = replace(checkpoint, training=None)
    assert seen_in(old, genome).split is old.split
    seen = seen_in(old, genome_of({"z": drawn_codes(1, 5000)}))
    assert not seen.known
    assert "whether it was trained on any of this cannot be known" in str(seen.sentence("o.h5", "m.h5"))


def test_hashes_come_back_from_the_file(own, tmp_path, provenance):
    _, checkpoint = own
    path = tmp_path / "m.h5"
    history = {name: [] for name in ("step", "bases", "bits", "gradient_norm", "learning_rate", "bases_per_second")}
    weights = {"head.bias": np.zeros(4, dtype=np.float32)}
    write_checkpoint(path, replace(checkpoint, history=history, weights=weights), provenance)
    training = read_checkpoint(path).training
    for name in ("contigs", "stretches", "kmers", "below"):
        np.testing.assert_array_equal(getattr(training, name), getattr(checkpoint.training, name))


@pytest.mark.parametrize("alphabet", [DNA, PROTEIN], ids=lambda alphabet: alphabet.name)
def test_kmers_are_those_of_a_loop(alphabet, drawn_codes):
    codes, k = drawn_codes(4, 200, unknown=0.01, alphabet=alphabet), K[alphabet.name]
    expected = []
    for start in range(len(codes) - k + 1):
        word = codes[start : start + k]
        if (word < alphabet.n_known).all():
            strands = [word] if alphabet.complement is None else [word, reverse_complement(word)]
            expected.append(
                min(sum(int(c) * alphabet.n_known ** (k - 1 - i) for i, c in enumerate(s)) for s in strands)
            )
    assert canonical_kmers(codes, alphabet).tolist() == expected


def test_the_sample_is_bounded_and_the_smallest_of_all(genome_of, drawn_codes, stretches_of, monkeypatch):
    genome = genome_of({"a": drawn_codes(1, 30_000)})
    whole = training_sequence(genome, stretches_of(genome))
    assert len(whole.kmers) == SAMPLE
    monkeypatch.setattr("genolstm.seen.SAMPLE", 100)
    monkeypatch.setattr("genolstm.seen.SLAB", 777)
    few = training_sequence(genome, stretches_of(genome))
    np.testing.assert_array_equal(few.kmers, whole.kmers[:100])
    assert few.below == whole.kmers[100]


def test_the_sample_of_many_contigs_is_that_of_each_by_itself(genome_of, drawn_codes, stretches_of):
    genome = genome_of({f"c{seed}": drawn_codes(seed, 40 + seed) for seed in range(60)})
    rows = [(name, 0, length, Part.TRAIN) for name, length in genome.length_of.items()]
    together = training_sequence(genome, stretches_of(genome, rows)).kmers
    apart = [training_sequence(genome, stretches_of(genome, [row])).kmers for row in rows]
    np.testing.assert_array_equal(together, np.unique(np.concatenate(apart)))

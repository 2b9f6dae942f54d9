"""Which proteins may be fitted to and judged on: the model's own parts, and no relative across them."""

from types import SimpleNamespace

import numpy as np
import pytest

from genolstm.alphabet import PROTEIN
from genolstm.errors import InputError
from genolstm.homology import clusters_of
from genolstm.probes.protein_chains import chains_of_genes, chains_of_proteins, homology_left, without_homologues
from genolstm.probes.protein_genes import Gene
from genolstm.regions import Part, Stretches
from genolstm.seen import training_sequence
from genolstm.settings.protein import ProteinProbeSettings

SETTINGS = ProteinProbeSettings()


def split_of(rows, contigs):
    """Stretches from rows of (contig, start, end, Part)."""
    names, starts, ends, parts = zip(*rows, strict=True)
    return Stretches(
        contigs=tuple(contigs),
        contig=np.array([contigs.index(name) for name in names], dtype=np.int32),
        start=np.array(starts, dtype=np.int64),
        end=np.array(ends, dtype=np.int64),
        part=np.array(parts, dtype=np.int8),
    )


def checkpoint_of(proteins, part):
    rows = [(name, 0, int(n), each) for name, n, each in zip(proteins.names, proteins.lengths, part, strict=True)]
    split = split_of(rows, list(proteins.names))
    return SimpleNamespace(
        split=split,
        lengths=proteins.lengths,
        genome_sha256=proteins.sha256,
        training=training_sequence(proteins, split),
        ancestors=(),
        genomes=(),
    )


@pytest.fixture
def proteome(genome_of, drawn_codes):
    """Twelve proteins; b is a of which one residue in five is another, i is a copy of h."""
    made = {name: drawn_codes(seed, 120, alphabet=PROTEIN) for seed, name in enumerate("abcdefghijkl")}
    made["b"] = made["a"].copy()
    made["b"][::5] = (made["b"][::5] + 1) % 20
    made["i"] = made["h"].copy()
    return genome_of(made, PROTEIN)


PARTS = [Part.TEST, *[Part.TRAIN] * 6, Part.VALID, Part.TRAIN, Part.VALID, Part.TEST, Part.TRAIN]  # a .. l


def test_relatives_of_test_proteins_are_not_fitted_to(proteome):
    chains, how = chains_of_proteins(proteome, checkpoint_of(proteome, PARTS), SETTINGS, "m.h5")
    assert how.startswith("the model's own parts")
    np.testing.assert_array_equal(chains.part, PARTS)
    kept, skipped, related = without_homologues(chains, SETTINGS)
    assert related == 1  # a, of b
    assert skipped == {"homologue of a test protein": 1, "homologue of a validation protein": 1}
    assert "".join(kept.names) == "acdefghjkl"
    by_part = [set(kept.cluster[kept.part == part]) for part in Part]
    assert not by_part[0] & by_part[1]
    assert not by_part[2] & (by_part[0] | by_part[1])
    assert homology_left(chains)["largest_identity"] >= 0.8
    assert homology_left(chains)["largest_identity_pair"] == "a, b"
    assert homology_left(kept)["largest_identity"] < 0.6


def test_proteins_that_the_model_does_not_know_are_split_in_whole_clusters(genome_of, drawn_codes, proteome):
    made = {name: drawn_codes(100 + seed, 120, alphabet=PROTEIN) for seed, name in enumerate("abcdefghijkl")}
    made["b"] = made["a"].copy()
    made["b"][::5] = (made["b"][::5] + 1) % 20
    chains, how = chains_of_proteins(genome_of(made, PROTEIN), checkpoint_of(proteome, PARTS), SETTINGS, "m.h5")
    assert how.startswith("whole clusters drawn")
    assert set(chains.part.tolist()) == {0, 1, 2}
    cluster = clusters_of(chains.proteins)
    assert chains.part[0] == chains.part[1]
    assert all(len(set(chains.part[cluster == each])) == 1 for each in np.unique(cluster))


def test_proteins_are_known_by_their_sequence_whatever_they_are_called(genome_of, drawn_codes, proteome):
    codes = {name: drawn_codes(seed, 120, alphabet=PROTEIN) for seed, name in enumerate("abcdefghijkl")}
    rows = {"new_d": codes["d"], "new_k": codes["k"], "d": codes["j"], "c": codes["c"][:100], "k": codes["e"]}
    rows["z"] = drawn_codes(99, 120, alphabet=PROTEIN)
    chains, how = chains_of_proteins(genome_of(rows, PROTEIN), checkpoint_of(proteome, PARTS), SETTINGS, "m.h5")
    assert how == "the model's own parts, by sequence"
    assert chains.part.tolist() == [Part.TRAIN, Part.TEST, Part.VALID, -1, Part.TRAIN, -1]


def test_a_model_without_hashes_is_no_judge_of_other_proteins(genome_of, drawn_codes, proteome):
    checkpoint = checkpoint_of(proteome, PARTS)
    checkpoint.training = None
    assert chains_of_proteins(proteome, checkpoint, SETTINGS, "m.h5")[0].part.tolist() == PARTS
    other = genome_of({"a": drawn_codes(5, 120, alphabet=PROTEIN)}, PROTEIN)
    with pytest.raises(
        InputError, match=r"holds no hashes of its training sequence .*cannot be known; train the model"
    ):
        chains_of_proteins(other, checkpoint, SETTINGS, "m.h5")


def test_proteins_that_were_all_trained_on_are_refused(proteome):
    with pytest.raises(InputError, match=r"m\.h5 holds out none of the proteins in"):
        chains_of_proteins(proteome, checkpoint_of(proteome, [Part.TRAIN] * 12), SETTINGS, "m.h5")


def test_a_part_of_which_nothing_is_left_is_named(proteome):
    parts = [Part.TRAIN, Part.TEST, *[Part.TRAIN] * 10]
    chains, _ = chains_of_proteins(proteome, checkpoint_of(proteome, parts), SETTINGS, "m.h5")
    with pytest.raises(InputError, match=r"no protein is left in the valid part \(left out: 1 homologue of a test"):
        without_homologues(chains, SETTINGS)


def test_short_proteins_and_those_above_the_limit_are_counted(genome_of, drawn_codes):
    rows = {f"p{n}": drawn_codes(n, 39 if n == 0 else 60, alphabet=PROTEIN) for n in range(13)}
    proteins = genome_of(rows, PROTEIN)
    parts = [Part.TRAIN, *[Part.TRAIN, Part.VALID, Part.TEST] * 4]
    settings = ProteinProbeSettings(max_proteins=3)
    chains, _ = chains_of_proteins(proteins, checkpoint_of(proteins, parts), settings, "m.h5")
    kept, skipped, _ = without_homologues(chains, settings)
    assert skipped == {"protein shorter than 40 residues": 1, "more than --max-proteins of its part": 3}
    assert np.bincount(kept.part).tolist() == [3, 3, 3]
    assert list(kept.names) == sorted(kept.names, key=lambda name: int(name[1:]))


def test_a_gene_across_two_parts_is_of_none(tiny_genome):
    rows = [("I", 0, 1000, Part.TRAIN), ("I", 1100, 2000, Part.VALID), ("II", 0, 1700, Part.TEST)]
    split = split_of(rows, list(tiny_genome.names))
    checkpoint = SimpleNamespace(split=split, genome_sha256=tiny_genome.sha256, training=None, genomes=(), ancestors=())
    spans = [(0, 10, 500), (0, 900, 1200), (0, 1050, 1080), (0, 1100, 2000), (1, 5, 90), (2, 1, 80)]
    genes = [
        Gene(
            name=str(place), gene=str(place), contig=contig, strand=1, exons=np.array([[start, end]]), coding_start=0,
            protein=np.zeros(9, dtype=np.uint8),
        )
        for place, (contig, start, end) in enumerate(spans)
    ]  # fmt: skip
    chains = chains_of_genes(genes, checkpoint, tiny_genome, SETTINGS, "m.h5")
    assert chains.part.tolist() == [Part.TRAIN, -1, -1, Part.VALID, Part.TEST, -1]


def test_some_chains_keep_their_sequences(proteome):
    chains, _ = chains_of_proteins(proteome, checkpoint_of(proteome, PARTS), SETTINGS, "m.h5")
    some = chains.only(np.array([3, 9])).only(np.array([1]))
    assert some.names == ("j",)
    np.testing.assert_array_equal(some.sequence(0), chains.sequence(9))


def test_what_an_ancestor_was_trained_on_is_for_training(proteome):
    own = checkpoint_of(proteome, PARTS)
    before = checkpoint_of(proteome, [Part.TRAIN, *[Part.TEST] * 11])
    chains, how = chains_of_proteins(
        proteome, SimpleNamespace(**{**vars(own), "ancestors": (before,)}), SETTINGS, "m.h5"
    )
    assert how.startswith("the model's own parts")
    np.testing.assert_array_equal(chains.part, [Part.TRAIN, *PARTS[1:]])

"""The whole probe on made proteins: found where it was planted, at chance where labels mean nothing."""

import numpy as np
import pytest

from genolstm.alphabet import PROTEIN, encode
from genolstm.errors import InputError
from genolstm.model import NextSymbolModel, trained_model
from genolstm.polypeptide import mean_hydropathy
from genolstm.probes import state_sources
from genolstm.probes.protein_sources import Source, check_fits, gene_source, protein_source
from genolstm.probes.tasks.protein import CEILING, probe_protein
from genolstm.regions import Part, Stretches, split_genome
from genolstm.seeds import spawn
from genolstm.settings.model import AlphabetName, ModelSettings
from genolstm.settings.protein import ProteinProbeSettings
from genolstm.settings.reading import StreamSettings
from genolstm.settings.train import TrainSettings
from genolstm.store.checkpoint import Checkpoint
from genolstm.store.files import Records
from genolstm.store.results import read_probe, write_probe
from genolstm.stream.reader import GenomeReader

SETTINGS = ProteinProbeSettings(twins=2, resamples=40, positions=4)
SENSE = [a + b + c for a in "ACGT" for b in "ACGT" for c in "ACGT" if a + b + c not in {"TAA", "TAG", "TGA"}]


def checkpoint_of(genome, alphabet, split):
    settings = ModelSettings(hidden=8, forget_bias="1", alphabet=alphabet)
    return Checkpoint(
        model=settings, train=TrainSettings(), weights=NextSymbolModel(settings, seed=3).weight_arrays(), split=split,
        lengths=genome.lengths, genome_sha256=genome.sha256, history={}, looks={},
    )  # fmt: skip


@pytest.fixture(scope="module")
def made_proteins(tmp_path_factory, genome_of):
    """FASTA of 90 proteins with an X in a hundred, and a checkpoint that splits them."""
    rng = np.random.default_rng(2)
    rows = {f"p{n}": "M" + "".join(rng.choice(list(PROTEIN.letters[:20] + "X"), 89, p=[0.0495] * 20 + [0.01]))
            for n in range(90)}  # fmt: skip
    path = tmp_path_factory.mktemp("proteins") / "p.fa"
    path.write_text("".join(f">{name}\n{text}\n" for name, text in rows.items()))
    genome = genome_of(rows, PROTEIN)
    parts = np.array([Part.TRAIN] * 50 + [Part.VALID] * 15 + [Part.TEST] * 25, dtype=np.int8)
    split = Stretches(
        contigs=genome.names, contig=np.arange(90, dtype=np.int32), start=np.zeros(90, dtype=np.int64),
        end=genome.lengths, part=parts,
    )  # fmt: skip
    return path, checkpoint_of(genome, AlphabetName.PROTEIN, split), rows


@pytest.fixture(scope="module")
def made_genes(tmp_path_factory, genome_of):
    """Genome of three contigs, annotation of 40 genes on each, every other one on the reverse strand."""
    rng = np.random.default_rng(5)
    contigs, lines = {}, ["##gff-version 3\n"]
    pairing = str.maketrans("ACGT", "TGCA")
    for name, count in (("I", 40), ("II", 15), ("III", 30)):
        text = ""
        for number in range(count):
            start = len(text) + 20
            coding = "ATG" + "".join(rng.choice(SENSE, 70)) + "TAA"
            strand = "+" if number % 2 else "-"
            text += "".join(rng.choice(list("ACGT"), 20))
            text += coding if strand == "+" else coding.translate(pairing)[::-1]
            head = f"{name}\tmade\t{{}}\t{start + 1}\t{len(text)}\t.\t{strand}\t"
            gene = f"{name}.{number}"
            lines.append(head.format("mRNA") + f".\tID={gene}.1;Parent={gene}\n")
            lines.append(head.format("CDS") + f"0\tParent={gene}.1\n")
        contigs[name] = text + "ACGT"
    path = tmp_path_factory.mktemp("genes") / "g.gff3"
    path.write_text("".join(lines))
    genome = genome_of(contigs)
    split = split_genome(genome.length_of, spawn(1, "split"), valid_contigs=["II"], test_contigs=["III"])
    return genome, path, checkpoint_of(genome, AlphabetName.DNA, split)


def probed(checkpoint, source, settings=SETTINGS, *, log=lambda _: None, on_progress=None):
    model = trained_model(checkpoint.model, checkpoint.weights)
    reader = GenomeReader(model, source.genome, StreamSettings(), on_progress=on_progress)
    return probe_protein(checkpoint, reader, source, settings, log=log)


@pytest.fixture(scope="module")
def of_proteins(made_proteins):
    path, checkpoint, _ = made_proteins
    return probed(checkpoint, protein_source(path, checkpoint, SETTINGS, "m.h5"))


@pytest.fixture(scope="module")
def of_genes(made_genes):
    genome, path, checkpoint = made_genes
    return probed(checkpoint, gene_source(genome, path, checkpoint, SETTINGS, "m.h5"))


def test_a_protein_model_is_asked_after_residues(of_proteins, made_proteins):
    results, records = of_proteins
    assert list(results) == ["charge", "charge_per_residue", "hydropathy", "hydropathy_ahead"]
    assert records.to_json() == {"read": 90, "used": 90, "skipped": {}}
    result = results["hydropathy"]
    assert list(result.features) == [
        "trained", "shuffled", "untrained_1", "untrained_2", "length", "composition", "kmer", CEILING,
    ]  # fmt: skip
    truth = result.features["trained"].label
    names = [result.chains["name"][chain] for chain in result.places["chain"]]
    for name, t, value in zip(names, result.places["residues"], truth, strict=True):
        assert mean_hydropathy(encode(made_proteins[2][name], PROTEIN))[t - 1] == pytest.approx(value, abs=1e-6)
    assert result.definition["residues_without_value"] == sum(text.count("X") for text in made_proteins[2].values())
    assert "X" in result.definition["letters_without_value"]


def test_a_dna_model_is_asked_after_codons_and_bases(of_genes):
    results, records = of_genes
    assert list(results) == ["charge", "charge_per_residue", "hydropathy", "hydropathy_ahead", "frame"]
    assert records.used == 85
    frame = results["frame"]
    assert "onehot" in frame.features
    assert CEILING not in frame.features
    assert frame.ranked == "accuracy"
    assert set(frame.features["kmer"].label.tolist()) == {0, 1, 2}
    assert frame.features["kmer"].log_odds.shape == (len(frame.sites), 3)
    assert set(frame.features["trained"].scores) == {"accuracy", "auroc_mean", "auprc_mean"}
    assert 0.2 < frame.definition["majority_accuracy"] < 0.5


@pytest.mark.parametrize("which", ["of_proteins", "of_genes"])
def test_the_ceiling_is_reached_and_is_no_baseline_of_what_is_asked_of_a_prefix(which, request):
    results, _ = request.getfixturevalue(which)
    for target in ("charge", "charge_per_residue", "hydropathy"):
        assert results[target].features[CEILING].scores["r2"].value > 0.99
        assert CEILING not in results[target].differences
        assert results[target].definition["ceiling"].startswith(CEILING)
        assert results[target].fraction_of_ceiling is not None
    assert CEILING in results["hydropathy_ahead"].differences
    assert results["hydropathy_ahead"].fraction_of_ceiling is None


@pytest.mark.parametrize("which", ["of_proteins", "of_genes"])
def test_labels_that_mean_nothing_are_read_at_chance(which, request):
    results, _ = request.getfixturevalue(which)
    for target, result in results.items():
        found = result.features["shuffled"].scores[result.ranked]
        assert found.low < (1 / 3 if target == "frame" else 0.02), target
        assert found.value < (0.45 if target == "frame" else 0.1), target


@pytest.mark.parametrize("which", ["of_proteins", "of_genes"])
def test_no_cluster_of_a_test_protein_is_fitted_to_and_blocks_are_clusters(which, request):
    results, _ = request.getfixturevalue(which)
    for result in results.values():
        cluster, part = result.chains["cluster"], result.chains["part"]
        assert not set(cluster[part == Part.TEST]) & set(cluster[part != Part.TEST])
        assert not set(cluster[part == Part.VALID]) & set(cluster[part == Part.TRAIN])
        np.testing.assert_array_equal(result.sites.block, cluster[result.places["chain"]])
        np.testing.assert_array_equal(result.sites.part, part[result.places["chain"]])
        assert result.homology == result.definition["largest_identity"]


def test_where_trained_states_stand_is_their_share_of_the_way_from_twin_to_ceiling(of_genes):
    for target in ("charge", "hydropathy"):
        result = of_genes[0][target]
        score = {name: each.scores["r2"].value for name, each in result.features.items()}
        twin = max(score["untrained_1"], score["untrained_2"])
        assert result.fraction_of_ceiling.value == pytest.approx((score["trained"] - twin) / (score[CEILING] - twin))
        assert result.fraction_of_ceiling.low <= result.fraction_of_ceiling.value <= result.fraction_of_ceiling.high


def test_what_is_written_is_read_and_every_prediction_can_be_recomputed(of_genes, tmp_path, provenance):
    results, records = of_genes
    write_probe(tmp_path / "p.h5", "protein", results, records, provenance)
    read = read_probe(tmp_path / "p.h5")
    assert list(read) == sorted(results)
    for target, result in results.items():
        again = read[target]
        assert again.fraction_of_ceiling == result.fraction_of_ceiling
        assert again.definition == result.definition
        assert tuple(again.chains["name"]) == result.chains["name"]
        np.testing.assert_array_equal(again.places["residues"], result.places["residues"])
        for name, features in result.features.items():
            np.testing.assert_array_equal(again.features[name].log_odds, features.log_odds)
            np.testing.assert_array_equal(again.features[name].coefficients, features.coefficients)
            np.testing.assert_array_equal(again.features[name].intercept, features.intercept)
            assert again.features[name].threshold is None
            assert again.features[name].scores == features.scores


def planted(monkeypatch, of_model):
    """Let the states be noise; those of the trained model hold the mean hydropathy beside it."""

    def states_in_sequences(model, sequence, owner, place, **_):
        rng = np.random.default_rng(int(abs(model.head.weight.sum().item()) * 1e6))
        states = rng.standard_normal((len(owner), 12)).astype(np.float16)
        if model.state_dict()["head.weight"].equal(of_model):
            known = [mean_hydropathy(sequence(int(number)))[at] for number, at in zip(owner, place, strict=True)]
            states[:, 3] += np.array(known, dtype=np.float16) * 8
        return states

    monkeypatch.setattr(state_sources, "states_in_sequences", states_in_sequences)


def test_a_planted_target_is_found_and_nothing_else(monkeypatch, made_proteins):
    import torch

    path, checkpoint, _ = made_proteins
    planted(monkeypatch, torch.from_numpy(checkpoint.weights["head.weight"]))
    results, _ = probed(checkpoint, protein_source(path, checkpoint, SETTINGS, "m.h5"))
    assert results["hydropathy"].verdict == "gain"
    assert results["hydropathy"].fraction_of_ceiling.low > 0.2
    assert results["hydropathy_ahead"].verdict == "no gain"
    assert results["hydropathy"].best_control != CEILING


def test_a_fasta_and_its_genome_file_give_the_same(made_proteins, genome_of, of_proteins):
    _, checkpoint, rows = made_proteins
    ingested = genome_of(rows, PROTEIN)
    results, _ = probed(checkpoint, protein_source(ingested.path, checkpoint, SETTINGS, "m.h5"))
    for target, result in results.items():
        assert result.features["trained"].scores == of_proteins[0][target].features["trained"].scores


def test_progress_and_words_are_told(made_genes):
    genome, path, checkpoint = made_genes
    shares, told = [], []
    probed(
        checkpoint, gene_source(genome, path, checkpoint, SETTINGS, "m.h5"), log=told.append,
        on_progress=lambda share, read: shares.append((share, read)),
    )  # fmt: skip
    assert shares == sorted(shares)
    assert shares[-1][0] == pytest.approx(1)
    assert any(text.startswith("85 proteins (train 40, valid 15, test 30); largest identity") for text in told)


def test_too_few_proteins_are_refused_before_anything_is_read(made_proteins):
    path, checkpoint, _ = made_proteins
    source = protein_source(path, checkpoint, SETTINGS, "m.h5")
    one = source.chains.only(np.concatenate([np.arange(64), [70]]))
    with pytest.raises(InputError, match="the test part holds 1 proteins that can be probed, and 2 are needed"):
        probed(checkpoint, Source(**{**vars(source), "chains": one, "records": Records(read=65)}))


def test_models_are_refused_what_they_cannot_read(made_proteins, made_genes):
    with pytest.raises(InputError, match=r"m\.h5 reads dna: give it --genome and --annotation in place of --proteins"):
        check_fits(made_genes[2], "m.h5", proteins=True)
    with pytest.raises(InputError, match=r"m\.h5 reads protein: give it --proteins in place of --genome and --annot"):
        check_fits(made_proteins[1], "m.h5", proteins=False)
    with pytest.raises(InputError, match="holds dna; make it with 'genolstm ingest --alphabet protein'"):
        protein_source(made_genes[0].path, made_proteins[1], SETTINGS, "m.h5")


def test_scores_are_those_of_the_saved_coefficients(of_proteins):
    result = of_proteins[0]["charge"]
    features = result.features["length"]
    t = result.places["residues"].astype(np.float64)
    columns = np.stack([t, np.log(t), np.sqrt(t), 1 / t], axis=1).astype(np.float32)
    np.testing.assert_allclose(features.decision(columns), features.log_odds, rtol=1e-5)

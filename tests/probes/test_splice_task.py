"""From a checkpoint to a verdict: which split is used, what is refused, and that both targets are read at once."""

from dataclasses import replace

import numpy as np
import pytest

from genolstm.alphabet import PROTEIN
from genolstm.errors import InputError, UsageError
from genolstm.model import NextSymbolModel, trained_model
from genolstm.probes.splice_sites import Target, splice_sites
from genolstm.probes.splits import probe_split
from genolstm.probes.state_sources import merged
from genolstm.probes.tasks.splice import probe_splice
from genolstm.readers.annotation import Transcript
from genolstm.regions import Part, Sites, split_genome
from genolstm.seeds import spawn
from genolstm.settings.model import ModelSettings
from genolstm.settings.probe import ProbeSettings
from genolstm.settings.reading import StreamSettings
from genolstm.settings.train import TrainSettings
from genolstm.states.sites import states_at
from genolstm.store.checkpoint import Checkpoint
from genolstm.stream.reader import GenomeReader

STREAM = StreamSettings(lanes=4, chunk=64, burn_in=128)
QUICK = ProbeSettings(decoys=3, twins=1, window=16, kmer=1, resamples=20, offsets="2", nn=False)
LENGTHS = {"I": 12_000, "II": 5_000, "III": 5_000}


@pytest.fixture(scope="module")
def made(genome_of):
    """Genome of three contigs and its transcripts: three exons each, on both strands, and a true splice code."""
    rng = np.random.default_rng(3)
    texts, transcripts = {}, []
    for contig, length in LENGTHS.items():
        text = rng.choice(list("ACGT"), length)
        for start in range(60, length - 260, 240):
            exons = start + np.cumsum([0, *rng.integers(30, 50, 4), 30]).reshape(3, 2)
            forward = bool(rng.integers(2))
            first, last = ("GTATGT", "TTTTAG") if forward else ("CTAAAA", "ACATAC")
            for left, right in zip(exons[:-1, 1], exons[1:, 0], strict=True):
                text[left : left + 6], text[right - 6 : right] = list(first), list(last)
            name = f"{contig}.{start}"
            transcripts.append(
                Transcript(
                    name=name, gene=name, contig=contig, strand="+" if forward else "-", biotype="mRNA",
                    exons=exons, coding=exons,
                )
            )  # fmt: skip
        texts[contig] = "".join(text)
    return genome_of(texts), tuple(transcripts)


def checkpoint_of(genome, *, alphabet="dna", **parts):
    model = ModelSettings(hidden=6, alphabet=alphabet)
    return Checkpoint(
        model=model,
        train=TrainSettings(),
        weights=NextSymbolModel(model, seed=3).weight_arrays(),
        split=split_genome(genome.length_of, spawn(1, "split"), **parts),
        lengths=genome.lengths,
        genome_sha256=genome.sha256,
        history={},
        looks={},
    )


@pytest.fixture(scope="module")
def checkpoint(made):
    return checkpoint_of(made[0], test_contigs=["III"])


def probed(made, checkpoint, settings=QUICK, *, log=lambda _: None, on_progress=None):
    model = trained_model(checkpoint.model, checkpoint.weights)
    reader = GenomeReader(model, made[0], STREAM, on_progress=on_progress)
    return probe_splice(checkpoint, reader, made[1], settings, model_name="m.h5", log=log)


def parts_of(split):
    return {part: split.of(part).names() for part in Part}


# ---- the split


def test_split_is_the_models_own(made, checkpoint):
    assert probe_split(checkpoint, made[0], ProbeSettings(), "m.h5") is checkpoint.split
    assert parts_of(checkpoint.split)[Part.TEST] == ("III",)


def test_named_contigs_make_the_split_with_blocks_of_training_for_validation(made, checkpoint):
    settings = ProbeSettings(train_contigs=("II",), test_contigs=("III",))
    split = probe_split(checkpoint, made[0], settings, "m.h5")
    assert parts_of(split) == {Part.TRAIN: ("II",), Part.VALID: ("II",), Part.TEST: ("III",)}
    assert split.of(Part.TEST).bases == 5_000
    assert 0.1 < split.of(Part.VALID).bases / 5_000 < 0.2
    again = probe_split(checkpoint, made[0], settings, "m.h5")
    np.testing.assert_array_equal(split.start, again.start)
    other = probe_split(checkpoint, made[0], replace(settings, seed=2), "m.h5")
    assert not np.array_equal(split.start, other.start)


def test_without_training_contigs_all_but_the_test_contigs_are_for_training(made, checkpoint):
    split = probe_split(checkpoint, made[0], ProbeSettings(test_contigs=("III",)), "m.h5")
    assert parts_of(split)[Part.TRAIN] == ("I", "II")


def test_contig_that_was_trained_on_is_no_test_contig(made, checkpoint):
    with pytest.raises(InputError) as caught:
        probe_split(checkpoint, made[0], ProbeSettings(test_contigs=("III", "I")), "m.h5")
    assert str(caught.value) == (
        "contig 'I' was trained on by m.h5, so that no score on it is held out; test on III, or train a model without"
        " it."
    )


def test_contig_that_was_trained_on_in_part_is_no_test_contig_either(made):
    blocks = checkpoint_of(made[0])  # train, valid and test blocks in every contig
    assert blocks.seen == ("I", "II", "III")
    with pytest.raises(InputError) as caught:
        probe_split(blocks, made[0], ProbeSettings(test_contigs=("II",)), "m.h5")
    assert str(caught.value) == (
        "contig 'II' was trained on by m.h5, so that no score on it is held out; test on another genome, or train a"
        " model without it."
    )


def test_model_without_a_test_part_asks_for_test_contigs(made):
    lacking = checkpoint_of(made[0], valid_contigs=["III"])
    with pytest.raises(InputError) as caught:
        probe_split(lacking, made[0], ProbeSettings(), "m.h5")
    assert str(caught.value) == "m.h5 holds out no test part; name --test-contigs that it has not seen."
    split = probe_split(lacking, made[0], ProbeSettings(test_contigs=("III",)), "m.h5")
    assert parts_of(split)[Part.TEST] == ("III",)


def test_another_genome_needs_named_contigs_even_where_its_contigs_have_the_same_names(
    checkpoint, genome_of, drawn_codes
):
    sentence = (
        "m.h5 was trained on another genome, whose split means nothing here; name --train-contigs and --test-contigs."
    )
    for names in (("x", "y"), tuple(LENGTHS)):
        other = genome_of({name: drawn_codes(1, 5_000) for name in names})
        with pytest.raises(InputError) as caught:
            probe_split(checkpoint, other, ProbeSettings(), "m.h5")
        assert str(caught.value) == sentence
    named = ProbeSettings(train_contigs=("I",), test_contigs=("III",))
    assert parts_of(probe_split(checkpoint, other, named, "m.h5"))[Part.TEST] == ("III",)


def test_training_contigs_alone_are_wrong_usage(made, checkpoint):
    with pytest.raises(UsageError, match=r"^--train-contigs is given without --test-contigs; name both\.$"):
        probe_split(checkpoint, made[0], ProbeSettings(train_contigs=("I",)), "m.h5")


@pytest.mark.parametrize(
    ("named", "sentence"),
    [
        ({"test_contigs": ("IV",)}, "test contig 'IV' is not in the genome, which has I, II, III. Correct the name."),
        (
            {"train_contigs": ("V",), "test_contigs": ("III",)},
            "train contig 'V' is not in the genome, which has I, II, III. Correct the name.",
        ),
        (
            {"train_contigs": ("III",), "test_contigs": ("III",)},
            "contig 'III' is named for train and for test; choose one.",
        ),
    ],
)
def test_wrong_contig_names_are_named(made, checkpoint, named, sentence):
    with pytest.raises(InputError) as caught:
        probe_split(checkpoint, made[0], ProbeSettings(**named), "m.h5")
    assert str(caught.value) == sentence


# ---- the whole probe


@pytest.fixture(scope="module")
def told():
    return []


@pytest.fixture(scope="module")
def found(made, checkpoint, told):
    return probed(made, checkpoint, log=told.append)


def test_both_targets_are_judged_beside_every_control(found):
    results, skipped = found
    assert list(results) == ["donor", "acceptor"]
    for target, result in results.items():
        assert result.target == target
        assert set(result.features) == {
            "trained", "shuffled", "control_task", "untrained_1", "onehot", "kmer", "composition"
        }  # fmt: skip
        assert result.seams.keys() == {"trained", "untrained_1"}
        assert all(seams["count"] > 0 or seams["in_sequence"] for seams in result.seams.values())
        assert result.features["onehot"].scores["auroc"].value > 0.8  # the code was written into the genome
        assert set(np.unique(result.sites.part)) == set(Part)
    assert set(skipped) <= {f"{target} outside the split" for target in Target}


def test_sites_are_those_of_the_split_with_the_seed_of_their_target(made, checkpoint, found):
    for target in Target:
        rng = spawn(QUICK.seed, f"decoys of {target}")
        expected = splice_sites(target, made[0], made[1], checkpoint.split, QUICK, rng).sites
        for name in ("contig", "position", "strand", "label", "part", "block"):
            np.testing.assert_array_equal(getattr(found[0][target].sites, name), getattr(expected, name))


@pytest.mark.parametrize("states", ["h", "h+c"])
@pytest.mark.parametrize("name", ["trained", "untrained_1"])
def test_predictions_are_the_probe_on_the_states_of_the_model_at_the_sites(made, checkpoint, found, name, states):
    """Log odds of the file from states read for one target alone, by the model that the name promises."""
    results = found[0] if states == "h" else probed(made, checkpoint, replace(QUICK, states=states))[0]
    model = (
        trained_model(checkpoint.model, checkpoint.weights)
        if name == "trained"
        else NextSymbolModel(checkpoint.model, seed=QUICK.seed, index=1).eval()
    )
    for result in results.values():
        features = states_at(GenomeReader(model, made[0], STREAM), result.sites, [2], memories=states == "h+c")
        features = features.reshape(len(result.sites), -1).astype(np.float64)
        probe = result.features[name]
        assert features.shape[1] == len(probe.coefficients) == (12 if states == "h" else 24)
        log_odds = (features - probe.mean) / probe.scale @ probe.coefficients.astype(np.float64) + probe.intercept
        np.testing.assert_allclose(probe.log_odds, log_odds, rtol=1e-4, atol=1e-4)


def test_twins_are_as_many_as_asked_for_and_differ(made, checkpoint):
    results, _ = probed(made, checkpoint, replace(QUICK, twins=2))
    for result in results.values():
        one, two = (result.features[f"untrained_{twin}"].log_odds for twin in (1, 2))
        assert not np.array_equal(one, two)


def test_every_step_is_told(found, told):
    assert told[0].startswith("donor: ")
    results = found[0]
    sites = results["acceptor"].sites
    true = [int(sites.label[sites.part == part].sum()) for part in Part]
    assert told[1] == (
        f"acceptor: {sum(true)} true sites (train {true[0]}, valid {true[1]}, test {true[2]}) and"
        f" {len(sites) - sum(true)} decoys"
    )
    assert told[2] == "states of the trained model, 1 of 2"
    assert "states of the untrained_1 model, 2 of 2" in told
    assert told[-2].startswith("acceptor, composition: validation AUPRC ")
    assert told[-1] == "scoring on the test part"


def test_progress_runs_from_start_to_end(made, checkpoint):
    shares = []
    probed(made, checkpoint, on_progress=lambda share, read: shares.append((share, read)))
    assert shares == sorted(shares)
    assert 0 < shares[0][0] < 0.5
    assert shares[-1][0] == 1.0


def test_part_without_sites_is_refused_before_the_genome_is_read(made, checkpoint):
    fewer = [each for each in made[1] if each.contig != "III"]
    told = []
    with pytest.raises(InputError) as caught:
        probed((made[0], fewer), checkpoint, log=told.append)
    assert str(caught.value) == (
        "the test part holds 0 donors and 0 decoys that can be read, and a probe needs both; name --train-contigs and"
        " --test-contigs with more genes."
    )
    assert not any("reading" in sentence for sentence in told)


def test_sites_too_near_the_end_of_a_contig_are_left_out_and_counted(made, checkpoint, found):
    reach = 130
    results, skipped = probed(made, checkpoint, replace(QUICK, offsets=str(reach)))
    whole = found[0]["donor"].sites  # the same sites, read nearer
    inside = (whole.position > reach) & (whole.position + reach + 1 < made[0].lengths[whole.contig])
    near = int(whole.label[~inside].sum())
    np.testing.assert_array_equal(results["donor"].sites.position, whole.position[inside])
    assert near > 0
    assert skipped["donor at a contig's end"] == near
    with pytest.raises(InputError, match="holds 0 donors and 0 decoys that can be read"):
        probed(made, checkpoint, replace(QUICK, offsets="1000000"))


def test_protein_model_is_refused(genome_of, made):
    protein = genome_of({"p": "MKV" * 40, "q": "MA" * 20}, PROTEIN)
    with pytest.raises(InputError, match=r"^m\.h5 reads protein, which has no splice sites; give a DNA model\.$"):
        probed((protein, made[1]), checkpoint_of(protein, alphabet="protein"))


# ---- merging


def test_merged_sites_are_sorted_and_every_row_is_found_again():
    rng = np.random.default_rng(2)

    def drawn(n):
        rows = sorted({(int(c), int(p), int(s)) for c, p, s in rng.integers(0, [3, 50, 2], (n, 3))})
        contig, position, strand = np.array(rows).T
        return Sites(
            contigs=("a", "b", "c"), contig=contig.astype(np.int32), position=position, strand=2 * strand - 1,
            label=rng.integers(0, 2, len(rows)), part=rng.integers(0, 3, len(rows)),
            block=rng.integers(0, 9, len(rows)),
        )  # fmt: skip

    several = [drawn(40), drawn(25), drawn(60)]
    together, rows = merged(several)
    assert len(together) == sum(map(len, several))
    for sites, mine in zip(several, rows, strict=True):
        for name in ("contig", "position", "strand", "label", "part", "block"):
            np.testing.assert_array_equal(getattr(together, name)[mine], getattr(sites, name))

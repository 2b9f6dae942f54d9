"""One model of several genomes: names, splits, lanes, and what the file knows of each genome afterwards."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from genolstm.alphabet import PROTEIN
from genolstm.errors import InputError, UsageError
from genolstm.lanes import Lanes, allotted, batches_of
from genolstm.regions import Part, Region
from genolstm.scoring.beside_markov import MarkovLines, bits_beside_markov
from genolstm.seen import seen_in
from genolstm.settings.model import ModelSettings
from genolstm.settings.train import TrainSettings
from genolstm.store.checkpoint import read_checkpoint, write_checkpoint
from genolstm.store.joined_genome import genome_name, join_genomes, members_of
from genolstm.training.session import begin
from genolstm.training.split import training_split

CPU = torch.device("cpu")
SHAPE = ModelSettings(hidden=8)


@pytest.fixture(scope="module")
def pair(genome_of, drawn_codes):
    """Two genomes that share the contig name MT."""
    yeast = genome_of({"I": drawn_codes(1, 4000), "II": drawn_codes(2, 3000), "MT": drawn_codes(3, 500)})
    worm = genome_of({"V": drawn_codes(4, 5000), "X": drawn_codes(5, 2500), "MT": drawn_codes(6, 400)})
    return [dataclasses.replace(each, path=Path(name)) for each, name in ((yeast, "yeast.h5"), (worm, "a/worm.h5"))]


@pytest.fixture(scope="module")
def joined(pair):
    return join_genomes(pair)


def trained(genome, **settings):
    how = dataclasses.replace(TrainSettings(lanes=4, chunk=16, bases=2000), **settings)
    session = begin(genome, SHAPE, how, device=CPU)
    for _ in session.steps():
        pass
    return session


def test_contigs_are_called_by_genome_and_hold_the_same_codes(pair, joined):
    assert joined.names == ("yeast:I", "yeast:II", "yeast:MT", "worm:V", "worm:X", "worm:MT")
    for genome, name in zip(pair, ("yeast", "worm"), strict=True):
        for contig, length in genome.length_of.items():
            ours = joined.codes(Region(contig=f"{name}:{contig}", start=0, end=length))
            np.testing.assert_array_equal(ours, genome.codes(Region(contig=contig, start=0, end=length)))
    assert [(each.name, each.sha256, each.contigs) for each in members_of(joined)] == [
        ("yeast", pair[0].sha256, 3), ("worm", pair[1].sha256, 3),
    ]  # fmt: skip


def test_a_joined_genome_is_that_of_one_fasta_with_these_names(joined, genome_of):
    contigs = {name: joined.codes(Region(contig=name, start=0, end=size)) for name, size in joined.length_of.items()}
    assert genome_of(contigs).sha256 == joined.sha256


def test_one_genome_is_left_as_it_is(pair):
    assert join_genomes(pair[:1]) is pair[0]
    assert members_of(pair[0]) == ()


def test_names_of_genomes_are_stems():
    assert [genome_name(Path(path)) for path in ("a/pombe.h5", "y.v2.h5", "c.fa.gz")] == ["pombe", "y.v2", "c"]


def test_each_genome_is_split_as_if_it_were_alone(pair, joined):
    together = training_split(joined, TrainSettings(test_contigs=("yeast:II", "X"), seed=4)).split
    first = 0
    for genome, named in zip(pair, (("II",), ("X",)), strict=True):
        alone = training_split(genome, TrainSettings(test_contigs=named, seed=4)).split
        mine = [
            (contig - first, *rest) for contig, *rest in together.rows if first <= contig < first + len(genome.names)
        ]
        assert mine == alone.rows
        first += len(genome.names)


def test_a_plain_name_that_two_genomes_have_is_refused(joined):
    with pytest.raises(InputError, match=r"contig 'MT' of --test-contigs is in several of the genomes; write yeast:MT"):
        training_split(joined, TrainSettings(test_contigs=("MT",)))
    split = training_split(joined, TrainSettings(test_contigs=("worm:MT",))).split
    assert split.of(Part.TEST).names() == ("yeast:I", "worm:MT") or "worm:MT" in split.of(Part.TEST).names()


def test_a_name_that_no_genome_has_is_refused(joined):
    with pytest.raises(InputError, match="test contig 'worm:VI' is not in the genome, which has yeast:I, yeast:II"):
        training_split(joined, TrainSettings(test_contigs=("worm:VI",)))


def test_genomes_of_one_name_or_one_sequence_are_refused(pair):
    twin = dataclasses.replace(pair[1], path=Path("b/yeast.h5"))
    with pytest.raises(
        InputError, match=r"yeast.h5 and b/yeast.h5 are both called 'yeast', .* rename one of the files"
    ):
        join_genomes([pair[0], twin])
    with pytest.raises(InputError, match=r"yeast.h5 and copy.h5 hold the same genome; give it once."):
        join_genomes([pair[0], dataclasses.replace(pair[0], path=Path("copy.h5"))])


def test_several_protein_files_are_refused(genome_of, drawn_codes, pair):
    proteins = genome_of({"p": drawn_codes(1, 300, alphabet=PROTEIN)}, PROTEIN)
    with pytest.raises(UsageError, match="holds proteins, and several genomes are of DNA; put all proteins into one"):
        join_genomes([proteins, pair[0]])


def test_without_weights_one_ring_reads_every_base_once_a_round(joined, stretches_of):
    lanes = batches_of(joined, stretches_of(joined), n_lanes=4, chunk=50, device=CPU, seed=1)
    assert isinstance(lanes, Lanes)
    assert lanes.symbols_per_round == 2 * int(joined.lengths.sum())


def test_lanes_follow_the_weights(joined, stretches_of, pair):
    stretches = stretches_of(joined)
    lanes = batches_of(joined, stretches, n_lanes=6, chunk=50, device=CPU, seed=1, weights=(1, 2))
    assert lanes.by_genome == {"yeast": 2, "worm": 4}
    alone = [
        Lanes(genome, stretches_of(genome), n_lanes=count, chunk=50, device=CPU)
        for genome, count in zip(pair, (2, 4), strict=True)
    ]
    for step in (0, 7, 300):
        batch = lanes.batch(step)
        expected = [each.batch(step) for each in alone]
        torch.testing.assert_close(batch.codes, torch.cat([each.codes for each in expected]))
        torch.testing.assert_close(batch.reset, torch.cat([each.reset for each in expected]))
        assert lanes.symbols(step) == sum(each.symbols(step) for each in alone)


@pytest.mark.parametrize(
    ("weights", "lanes", "found"),
    [((1, 1), 4, [2, 2]), ((1, 99), 4, [1, 3]), ((1, 2), 16, [5, 11]), ((1, 1, 100), 3, [1, 1, 1])],
)
def test_every_genome_has_a_lane(weights, lanes, found):
    assert allotted(weights, lanes) == found


def test_weights_that_do_not_fit_are_refused(joined, pair):
    with pytest.raises(UsageError, match=r"--weights 1,2,3 are 3 and there are 2 genomes; give one weight a genome."):
        begin(joined, SHAPE, TrainSettings(weights=(1, 2, 3)), device=CPU)
    with pytest.raises(UsageError, match="--weights 1,2 are 2 and there are 1 genomes"):
        begin(pair[0], SHAPE, TrainSettings(weights=(1, 2)), device=CPU)
    with pytest.raises(UsageError, match=r"1 lanes are fewer than the 2 genomes; raise --lanes."):
        begin(joined, SHAPE, TrainSettings(weights=(1, 2), lanes=1), device=CPU)
    with pytest.raises(UsageError, match="weights must be above 0, not 1, 0"):
        TrainSettings(weights=(1, 0))


def test_folds_of_several_genomes_are_refused(joined):
    with pytest.raises(UsageError, match="--folds split one genome"):
        begin(joined, SHAPE, TrainSettings(folds=2, fold=1), device=CPU)


def test_the_file_finds_the_split_of_each_of_its_genomes(joined, pair, tmp_path, provenance, genome_of, drawn_codes):
    session = trained(joined, test_contigs=("yeast:II", "worm:X"), valid_contigs=("yeast:MT",))
    write_checkpoint(tmp_path / "m.h5", session.checkpoint(), provenance)
    kept = read_checkpoint(tmp_path / "m.h5")
    assert kept.genomes == members_of(joined)
    for genome, held_out in zip(pair, ("II", "X"), strict=True):
        for model in (kept, dataclasses.replace(kept, training=None)):  # an unfinished one has no hashes
            seen = seen_in(model, genome)
            assert seen.complete
            assert seen.recognised.all()
            assert seen.split.of(Part.TEST).names() == (held_out,)
            assert seen.split.contigs == genome.names
            assert seen.sentence("g.h5", "m.h5") is None
    renamed = genome_of({"one": drawn_codes(4, 5000), "two": drawn_codes(5, 2500), "three": drawn_codes(6, 400)})
    seen = seen_in(kept, renamed)
    assert seen.complete
    assert seen.split.of(Part.TEST).names() == ("two",)
    part = seen_in(kept, genome_of({"V": drawn_codes(4, 5000)}))
    assert part.trained(0)
    assert not part.complete


def test_a_contig_held_out_of_one_genome_and_trained_on_in_another_is_seen(genome_of, drawn_codes, caplog):
    one = dataclasses.replace(genome_of({"a": drawn_codes(1, 4000), "b": drawn_codes(2, 4000)}), path=Path("one.h5"))
    other = dataclasses.replace(genome_of({"b": drawn_codes(2, 4000), "c": drawn_codes(3, 4000)}), path=Path("two.h5"))
    session = trained(join_genomes([one, other]), test_contigs=("one:b", "two:c"))
    assert seen_in(session.checkpoint(), one).trained(1)
    with caplog.at_level("WARNING", logger="genolstm"):
        rows = {row.part: row for row in session.evaluate()}
    assert rows["test:one"].difference is rows["test"].difference is None
    assert rows["test:one"].standing == "near-duplicate of what was trained on"
    assert rows["test:two"].standing == "held out"
    assert "by their common k-mers: one:b (" in caplog.text


def test_markov_lines_are_of_each_genome_and_of_all(joined, pair):
    session = trained(joined, test_contigs=("yeast:II", "worm:X"))
    rows = {row.part: row for row in session.evaluate()}
    assert list(rows) == ["valid:yeast", "valid:worm", "valid", "test:yeast", "test:worm", "test"]
    assert rows["test"].symbols == rows["test:yeast"].symbols + rows["test:worm"].symbols
    total = sum(rows[f"test:{name}"].model * rows[f"test:{name}"].symbols for name in ("yeast", "worm"))
    assert rows["test"].model == pytest.approx(total / rows["test"].symbols)
    # as a model of worm alone would be measured there
    split = training_split(pair[1], TrainSettings(test_contigs=("X",))).split
    reader = dataclasses.replace(session._reader, genome=pair[1])
    alone = bits_beside_markov(reader, MarkovLines(pair[1], split.of(Part.TRAIN)), split, Part.TEST)
    assert rows["test:worm"].by_order == pytest.approx(alone.by_order)
    assert rows["test:worm"].interpolated == pytest.approx(alone.interpolated)
    assert rows["test:worm"].model == pytest.approx(alone.model, abs=1e-5)


@pytest.mark.parametrize("weights", [(), (1.0, 3.0)])
def test_a_stopped_training_of_several_resumes_to_the_same_bits(joined, weights):
    how = TrainSettings(lanes=4, chunk=16, bases=2000, weights=weights)
    whole, stopped = (begin(joined, SHAPE, how, device=CPU) for _ in range(2))
    for step in stopped.steps():
        if step.step == 10:
            break
    saved = stopped.checkpoint(resumable=True)
    resumed = begin(joined, saved.model, saved.train, device=CPU, saved=saved)
    for session in (whole, resumed):
        for _ in session.steps():
            pass
    for name, weight in whole.run.model.weight_arrays().items():
        np.testing.assert_array_equal(weight, resumed.run.model.weight_arrays()[name], err_msg=name)

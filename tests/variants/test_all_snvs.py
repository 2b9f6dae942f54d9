"""Every single-base change: the numbers of a VCF that holds them all, to the last bit."""

import numpy as np
import pytest

from genolstm.alphabet import DNA, decode
from genolstm.model import NextSymbolModel
from genolstm.regions import Part
from genolstm.settings.model import ModelSettings
from genolstm.settings.reading import VariantSettings
from genolstm.store.files import Records
from genolstm.store.variants import LETTERS, open_variants, read_snv_summary, write_variants
from genolstm.variants import all_snvs
from genolstm.variants.all_snvs import score_all_snvs, snv_records
from genolstm.variants.effects import effects_of
from genolstm.variants.places import Alleles

SETTINGS = VariantSettings(window=9, batch=32, lanes=4, burn_in=160, markov=False)
ROWS = [("I", 900, 940, Part.TEST), ("II", 490, 530, Part.TEST), ("MT", 0, 64, Part.TEST)]


@pytest.fixture(scope="module")
def model():
    return NextSymbolModel(ModelSettings(hidden=12, forget_bias="-2"), seed=5).eval()


@pytest.fixture(scope="module")
def scored(tiny_genome, stretches_of, model, provenance, tmp_path_factory):
    """The file of every change of three stretches, one of which runs into unknown bases."""
    path = tmp_path_factory.mktemp("snvs") / "snvs.h5"
    stretches = stretches_of(tiny_genome, ROWS)
    trained = stretches_of(tiny_genome, [("I", 910, 920, Part.TRAIN)])
    with write_variants(path, tiny_genome, stretches, trained, SETTINGS, provenance, notes={}) as file:
        found = score_all_snvs(model, tiny_genome, stretches, SETTINGS, file, trained=trained)
        file.finish(found.seams.to_json(), Records())
    return path, found


def codes_of(genome, contig, start, end):
    first = genome.starts[genome.names.index(contig)]
    return genome.all_codes[first + start : first + end]


def test_records_are_the_three_other_bases_of_every_known_one(tiny_genome, stretches_of):
    records = list(snv_records(tiny_genome, stretches_of(tiny_genome, ROWS)))
    codes = codes_of(tiny_genome, "II", 490, 530)
    mine = [each for each in records if each.contig == "II"]
    assert [each.position for each in mine] == (490 + np.flatnonzero(codes != DNA.unknown)).tolist()
    for each in mine:
        assert each.reference == decode(codes[each.position - 490 : each.position - 489], DNA)
        assert sorted((each.reference, *each.alternatives)) == list("ACGT")


def test_numbers_are_those_of_the_same_alleles_to_the_last_bit(tiny_genome, stretches_of, model, scored):
    path, _ = scored
    rows = [
        (tiny_genome.names.index(each.contig), each.position, letter)
        for each in snv_records(tiny_genome, stretches_of(tiny_genome, ROWS))
        for letter in each.alternatives
    ]
    contig, position, letters = zip(*rows, strict=True)
    found = effects_of(
        model, tiny_genome,
        Alleles(
            contig=np.array(contig), start=np.array(position), end=np.array(position) + 1,
            letters=np.array([LETTERS.index(letter) for letter in letters], dtype=np.uint8),
            first=np.arange(len(rows) + 1),
        ), SETTINGS,
    )  # fmt: skip
    offset = {}
    for name, start, end, _ in ROWS:
        offset[name] = sum(e - s for _, s, e, _ in ROWS[: len(offset)]) - start
        assert end > start
    with open_variants(path) as file:
        bases = file.stretches.bases
        ratio, shift = file.ratio(0, bases), file.shift(0, bases)
        reference = file.reference(0, file.stretches.bases)
    at = np.array([offset[tiny_genome.names[index]] + place for index, place in zip(contig, position, strict=True)])
    letter = np.array([LETTERS.index(each) for each in letters])
    np.testing.assert_array_equal(ratio[at, :, letter], found.log_ratio)
    np.testing.assert_array_equal(shift[at, :, letter], found.shift.astype(np.float32))
    assert np.isfinite(ratio).all(axis=1).sum() == len(rows)
    assert np.isnan(ratio[np.flatnonzero(reference < 4), :, reference[reference < 4]]).all()
    assert np.isnan(ratio[reference == DNA.unknown]).all()


def test_groups_and_buffers_change_nothing(tiny_genome, stretches_of, model, scored, provenance, tmp_path, monkeypatch):
    monkeypatch.setattr(all_snvs, "ROWS_HELD", 7)
    stretches = stretches_of(tiny_genome, ROWS)
    path = tmp_path / "snvs.h5"
    with write_variants(path, tiny_genome, stretches, stretches.of(Part.TRAIN), SETTINGS, provenance, notes={}) as file:
        found = score_all_snvs(model, tiny_genome, stretches, SETTINGS, file, trained=stretches.of(Part.TRAIN))
        file.finish(found.seams.to_json(), Records())
    with open_variants(path) as mine, open_variants(scored[0]) as theirs:
        np.testing.assert_array_equal(mine.ratio(0, 144), theirs.ratio(0, 144))
        np.testing.assert_array_equal(mine.shift(0, 144), theirs.shift(0, 144))


def test_what_was_trained_on_is_marked(scored, tiny_genome):
    path, found = scored
    with open_variants(path) as file:
        assert np.flatnonzero(file.changes["seen"][()]).tolist() == list(range(10, 20))
    known = (codes_of(tiny_genome, "I", 910, 920) != DNA.unknown).sum()
    assert found.tally.on_seen == 3 * known


def test_tracks_are_the_mean_of_both_strands_by_new_base(scored):
    with open_variants(scored[0]) as file:
        runs = list(file.mean_runs("C"))
        ratio = file.ratio(0, 144)
    assert [(contig, int(start[0]), int(end[-1])) for contig, start, end, _ in runs] == [
        (name, start, end) for name, start, end, _ in ROWS
    ]
    values = np.concatenate([value for *_, value in runs])
    np.testing.assert_array_equal(values, ratio[:, :, 1].mean(axis=1).astype(np.float32))


def test_summary_counts_every_change_once(scored):
    found = read_snv_summary(scored[0])
    with open_variants(scored[0]) as file:
        reference = file.reference(0, 144)
        ratio = file.ratio(0, 144).mean(axis=1)
    assert found.seen == 10
    for old in range(4):
        assert found.changes[old].tolist() == [(reference == old).sum() * (new != old) for new in range(4)]
        for new in set(range(4)) - {old}:
            assert found.mean[old, new] == pytest.approx(ratio[reference == old, new].mean())


def test_summary_names_the_most_unlikely_changes(scored, tiny_genome):
    found = read_snv_summary(scored[0])
    with open_variants(scored[0]) as file:
        ratio = file.ratio(0, 144).mean(axis=1)
    assert [each.ratio for each in found.strongest] == np.sort(ratio[np.isfinite(ratio)])[:10].tolist()
    assert found.unlikely == (ratio < 0).sum() > 0
    assert np.isnan(found.correlation)  # no Markov ratio in this file
    place = {}
    first = 0
    for name, start, end, _ in ROWS:
        place |= {first + at: (name, start + at) for at in range(end - start)}
        first += end - start
    for each in found.strongest:
        base, letter = (int(at[0]) for at in np.nonzero(ratio == each.ratio))
        assert place[base] == (each.contig, each.position)
        assert each.alternative == LETTERS[letter]
        assert each.reference == decode(codes_of(tiny_genome, each.contig, each.position, each.position + 1), DNA)


def test_correlation_with_the_markov_model_is_that_of_numpy(tmp_path, provenance, tiny_genome, stretches_of):
    stretches, rng = stretches_of(tiny_genome, [("I", 100, 200, Part.TEST)]), np.random.default_rng(1)
    ratio, markov = rng.normal(size=(2, 100, 2))
    settings = VariantSettings(window=9)
    with write_variants(tmp_path / "m.h5", tiny_genome, stretches, stretches, settings, provenance, notes={}) as file:
        place = np.arange(100)
        file.write(place, (file.reference(0, 100).astype(np.int64) + 1) % 4, ratio, np.abs(ratio), markov)
        file.finish({}, Records())
    found = read_snv_summary(tmp_path / "m.h5")
    assert found.correlation == pytest.approx(np.corrcoef(ratio.mean(axis=1), markov.mean(axis=1))[0, 1])

import numpy as np
import pytest

from genolstm.comparing import scores
from genolstm.comparing.measured import Groups
from genolstm.comparing.scores import ALL, CLASS_BITS, UNSEEN, _measure, genes_on, measured_scores
from genolstm.errors import InputError
from genolstm.readers.annotation import Transcript
from genolstm.regions import Stretches
from genolstm.store.checkpoint import PartBits
from genolstm.store.files import Records
from genolstm.store.score import ScoreTables, write_score

LENGTHS = {"I": 30_000, "II": 12_000}
NONE = {name: np.zeros(0) for name in ("lower", "sampled", "predicted", "observed")}
LINES = PartBits(part="scored", model=1.9, symbols=10, uniform=2.0, by_order=(1.95,), interpolated=1.94)
SEAM = {
    "contig": np.int32, "position": np.int64, "strand": np.int8, "found_state": np.float64, "found_bits": np.float64,
    "repaired": np.int64, "left_state": np.float64, "left_bits": np.float64,
}  # fmt: skip


@pytest.fixture
def scored(tmp_path, provenance):
    """Function: name, bits {(contig, strand): [length]}, stretches [(contig, start, end)] -> a score file."""

    def made(name, bits, stretches=(("I", 0, 30_000), ("II", 0, 12_000)), seen=(0, 0), strands=2):
        path, names = tmp_path / name, list(LENGTHS)
        rows = Stretches(
            contigs=tuple(names), contig=np.array([names.index(row[0]) for row in stretches], np.int32),
            start=np.array([row[1] for row in stretches], np.int64), end=np.array([row[2] for row in stretches]),
            part=np.full(len(stretches), 2, np.int8),
        )  # fmt: skip
        seams = {column: np.zeros(0, dtype) for column, dtype in SEAM.items()}
        tables = ScoreTables(
            symbols=np.ones((2, strands, 2), np.int64), bits=np.ones((2, strands, 2)), seen=np.array(seen, np.int8),
            parts=(LINES,), markov_counted_on="nothing",
            calibration={**NONE, "sampled": np.zeros(0, np.int64)}, calibration_error=0.0, seams=seams, leads=seams,
            seam_summary={},
        )  # fmt: skip
        with write_score(path, rows, LENGTHS, strands, provenance) as file:
            for strand in range(strands):
                text = [bits[contig, strand][start:end] for contig, start, end in stretches]
                file.write(strand, 0, np.concatenate(text).astype(np.float32))
            file.finish(tables, Records())
        return path

    return made


def text_bits(rng, excess=0.0, shared=None):
    """Bits of every base: what all models find hard, and noise of this one."""
    hard = dict.fromkeys(((name, strand) for name in LENGTHS for strand in (0, 1)), 0.0) if shared is None else shared
    return {key: 1.9 + excess + hard[key] + 0.3 * rng.normal(size=LENGTHS[key[0]]) for key in hard}


def hardness(rng):
    """Bits that every model needs more, stretch by stretch of 500 bases."""
    return {
        (name, strand): np.repeat(0.3 * rng.normal(size=length // 500), 500)
        for name, length in LENGTHS.items()
        for strand in (0, 1)
    }


def verdict_of(paths):
    """Verdict of the first file against the second over all shared bases."""
    measured, _, _ = measured_scores(dict(zip("ab", paths, strict=True)), resamples=400, seed=1)
    return Groups(["a", "b"], seed=1).differences(measured)[0]


@pytest.mark.slow
def test_planted_difference_is_found_and_planted_null_is_kept(scored):
    rng = np.random.default_rng(1)
    kept = 0
    for draw in range(20):
        shared = hardness(rng)
        null = [scored(f"null-{draw}-{side}.h5", text_bits(rng, 0.0, shared)) for side in "ab"]
        kept += verdict_of(null).verdict == "no difference"
    assert kept >= 19
    shared = hardness(rng)
    found = verdict_of([scored("a.h5", text_bits(rng, -0.02, shared)), scored("b.h5", text_bits(rng, 0.0, shared))])
    assert found.verdict == "better"  # fewer bits
    assert found.value == pytest.approx(-0.02, abs=0.005)


def test_bits_are_means_over_bases_that_both_scored(scored):
    rng = np.random.default_rng(2)
    one, other = text_bits(rng), text_bits(rng)
    other["I", 1][7_000:7_100] = np.nan  # unknown bases
    a = scored("a.h5", one, (("I", 0, 20_000),))
    b = scored("b.h5", other, (("I", 5_000, 15_500), ("I", 18_000, 30_000), ("II", 0, 12_000)))
    measured, shared, notes = measured_scores({"a": a, "b": b}, resamples=200, seed=1)
    places = np.r_[5_000:15_500, 18_000:20_000]
    known = {strand: places[np.isfinite(other["I", strand][places])] for strand in (0, 1)}
    expected = [
        np.concatenate([bits["I", strand][known[strand]] for strand in (0, 1)]).mean() for bits in (one, other)
    ]  # fmt: skip
    np.testing.assert_allclose(measured[0].values, expected, rtol=1e-6)
    assert shared[0].rows == 2 * len(places) - 100
    assert shared[0].target == ALL
    assert notes == []


@pytest.mark.parametrize("slab", [1, 700, 1 << 18])
def test_bits_do_not_depend_on_how_much_is_read_at_a_time(scored, monkeypatch, slab):
    """Many short stretches, which lie elsewhere in the other file."""
    rng = np.random.default_rng(7)
    bits = [text_bits(rng) for _ in range(2)]
    short = [("II", start, start + 300) for start in range(0, 12_000, 300) if start % 900]
    paths = [scored("a.h5", bits[0], [("I", 500, 29_000), *short]), scored("b.h5", bits[1])]
    monkeypatch.setattr(scores, "SLAB", slab)
    measured, _, _ = measured_scores(dict(zip("ab", paths, strict=True)), resamples=100, seed=1)
    shared = [("I", 500, 29_000), *short]
    for file, each in enumerate(bits):
        values = np.concatenate([each[name, strand][start:end] for name, start, end in shared for strand in (0, 1)])
        assert measured[0].values[file] == pytest.approx(values.astype(np.float32).astype(float).mean(), rel=1e-9)


def test_one_strand_is_compared_where_one_file_has_no_other(scored):
    rng = np.random.default_rng(3)
    one, other = text_bits(rng), text_bits(rng)
    paths = {"a": scored("a.h5", one), "b": scored("b.h5", other, strands=1)}
    measured, shared, _ = measured_scores(paths, resamples=200, seed=1)
    assert shared[0].rows == sum(LENGTHS.values())
    forward = np.concatenate([one["I", 0], one["II", 0]])
    assert measured[0].values[0] == pytest.approx(forward.mean(), rel=1e-6)


def test_contigs_that_a_model_saw_are_told_and_the_others_stand_apart(scored):
    rng = np.random.default_rng(4)
    paths = {"a": scored("a.h5", text_bits(rng), seen=(1, 0)), "b": scored("b.h5", text_bits(rng), seen=(-1, 0))}
    measured, shared, notes = measured_scores(paths, resamples=200, seed=1)
    assert [each.target for each in measured] == [ALL, UNSEEN]
    assert shared[1].rows == 2 * LENGTHS["II"]
    assert notes == [
        "a: its model was trained on bases of I: bits there are not held out.",
        "b: its model comes from another genome; whether it met these bases cannot be told.",
    ]


def test_few_blocks_give_no_interval(scored):
    rng = np.random.default_rng(5)
    found = verdict_of([scored(f"{name}.h5", text_bits(rng), (("I", 0, 3_000),)) for name in "ab"])
    assert found.verdict == "cannot tell"
    assert np.isnan(found.p)


def test_files_without_a_common_stretch_are_refused(scored):
    rng = np.random.default_rng(6)
    paths = {name: scored(f"{name}.h5", text_bits(rng), ((name, 0, 9_000),)) for name in ("I", "II")}
    with pytest.raises(InputError, match="I and II scored no stretch in common; score the same contigs"):
        measured_scores(paths, resamples=100, seed=1)


def gene(contig, strand, exons, coding):
    spans = [np.array(rows, np.int64).reshape(-1, 2) for rows in (exons, coding)]
    return Transcript(
        name="g", gene="g", contig=contig, strand=strand, biotype="mRNA", exons=spans[0], coding=spans[1]
    )  # fmt: skip


REPEATS = {"I": range(0, 30_000, 3_000), "II": range(0, 12_000, 3_000)}  # a gene in each 3 kb, strands in turn
GENES = tuple(
    gene(contig, "+-"[place % 2], [(at + 300, at + 1_200), (at + 1_700, at + 2_600)],
         [(at + 600, at + 1_200), (at + 1_700, at + 2_300)])
    for contig, starts in REPEATS.items()
    for place, at in enumerate(starts)
)  # fmt: skip
WITHIN = {  # as the genes have it, base by base
    "CDS": [(600, 1_200), (1_700, 2_300)], "UTR": [(300, 600), (2_300, 2_600)], "intron": [(1_200, 1_700)],
    "intergenic": [(0, 300), (2_600, 3_000)],
}  # fmt: skip
PARTS = {
    name: {
        contig: [(at + low, at + high) for at in starts for low, high in spans] for contig, starts in REPEATS.items()
    }
    for name, spans in WITHIN.items()
}


def of_class(bits, name, contigs=("I", "II")):
    """Bits of the bases of one class, both strands, base by base."""
    return np.concatenate(
        [bits[c, strand][low:high] for c in contigs for strand in (0, 1) for low, high in PARTS[name].get(c, ())]
    )


def by_class(paths, resamples=1_000, **options):
    measured, shared, notes = measured_scores(
        dict(zip("ab", paths, strict=True)), resamples=resamples, seed=1, transcripts=GENES, **options
    )
    rows = [each for each in measured if each.measure == CLASS_BITS]
    return rows, {each.target: each for each in shared}, notes


def test_bits_of_each_class_are_means_over_its_bases(scored):
    rng = np.random.default_rng(7)
    one, other = text_bits(rng), text_bits(rng)
    other["I", 0][9_700:9_800] = np.nan
    rows, shared, notes = by_class([scored("a.h5", one), scored("b.h5", other)])
    assert [row.target for row in rows] == ["CDS", "UTR", "intron", "intergenic"]
    known = np.isfinite(of_class(other, "CDS"))
    for row in rows:
        mine = known if row.target == "CDS" else slice(None)
        expected = [of_class(bits, row.target)[mine].mean() for bits in (one, other)]
        np.testing.assert_allclose(row.values, expected, rtol=1e-6)
        assert shared[row.target].rows == len(of_class(other, row.target)[mine])
    assert sum(shared[row.target].rows for row in rows) == shared[ALL].rows
    assert notes == ["classes: bases of I, II, which no model saw; both strands' readings of each base."]


def test_a_difference_planted_in_one_class_is_found_there_alone(scored):
    rng = np.random.default_rng(8)
    shared = hardness(rng)
    one, other = text_bits(rng, 0.0, shared), text_bits(rng, 0.0, shared)
    for contig, spans in PARTS["CDS"].items():
        for low, high in spans:
            one[contig, 0][low:high] -= 0.06
            one[contig, 1][low:high] -= 0.06
    rows, _, _ = by_class([scored("a.h5", one), scored("b.h5", other)])
    found = {row.target: row for row in Groups(["a", "b"], seed=1).differences(rows)}
    assert {name: row.verdict for name, row in found.items()} == {
        "CDS": "better", "UTR": "no difference", "intron": "no difference", "intergenic": "no difference",
    }  # fmt: skip
    assert found["CDS"].value == pytest.approx(-0.06, abs=0.01)
    assert found["CDS"].p_adjusted == pytest.approx(len(rows) * found["CDS"].p)  # Holm: the smallest of four


@pytest.mark.slow
def test_null_is_kept_over_all_classes_together():
    """Of 200 draws without any difference at most 18 name one in any of four classes: 5 % and three deviations."""
    rng, named = np.random.default_rng(9), 0
    symbols = {name: rng.integers(200, 2_000, blocks) for name, blocks in (("CDS", 21), ("UTR", 21), ("intron", 14))}
    symbols["intergenic"] = np.full(18, 1_500)
    for _ in range(200):
        rows = [
            _measure(
                name, CLASS_BITS, np.stack([1.9 * n + 0.3 * np.sqrt(n) * rng.normal(size=len(n)) for _ in "ab"]), n,
                1_000, 1,
            )
            for name, n in symbols.items()
        ]  # fmt: skip
        found = Groups(["a", "b"], seed=1).differences(rows)
        named += any(row.verdict != "no difference" for row in found)
    assert named <= 18


def test_classes_are_of_contigs_that_no_model_saw_where_there_are_any(scored):
    rng = np.random.default_rng(10)
    one, other = text_bits(rng), text_bits(rng)
    rows, shared, notes = by_class([scored("a.h5", one, seen=(1, 0)), scored("b.h5", other, seen=(0, 0))])
    expected = [of_class(bits, "CDS", ("II",)).mean() for bits in (one, other)]
    np.testing.assert_allclose(rows[0].values, expected, rtol=1e-6)
    assert shared["CDS"].rows == len(of_class(one, "CDS", ("II",)))
    assert notes[-1] == "classes: bases of II, which no model saw; both strands' readings of each base."


def test_classes_of_bases_that_are_not_held_out_are_told(scored):
    rng = np.random.default_rng(11)
    paths = [scored(f"{name}.h5", text_bits(rng), seen=(1, -1)) for name in "ab"]
    rows, _, notes = by_class(paths)
    assert len(rows) == 4
    assert notes[-1] == ("classes: no contig is known to be new to every model, so that these bits are not held out.")


def test_genes_are_those_on_the_genome_of_the_scores(scored, tmp_path):
    path, genes = scored("a.h5", text_bits(np.random.default_rng(12))), tmp_path / "g.gff3"
    line = "{}\tx\t{}\t101\t400\t.\t+\t{}\tID={};Parent={}\n"
    genes.write_text(
        "##gff-version 3\n"
        + "".join(
            line.format(contig, kind, phase, f"{kind}{contig}", "" if kind == "mRNA" else f"mRNA{contig}")
            for contig in ("I", "other")
            for kind, phase in (("mRNA", "."), ("CDS", "0"))
        ).replace(";Parent=\n", "\n")
    )
    found, notes = genes_on(path, genes)
    assert [each.contig for each in found.transcripts] == ["I"]
    assert found.skipped["contig not in genome"] == 2
    assert any("other" in note for note in notes)

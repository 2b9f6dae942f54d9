"""What other programs read of predictions: every line of it is where the sequence says."""

from pathlib import Path

import numpy as np
import pybigtools
import pytest

from genolstm.errors import InputError, UsageError
from genolstm.predicting.written import bigwig_paths, check_bed, write_bed, write_bigwigs, write_splice_scores
from genolstm.store.prediction import MODEL, PredictedTarget, Prediction, PredictionRows

CONTIGS, LENGTHS = ("I", "II"), np.array([400, 300])
PAIRED = str.maketrans("ACGT", "TGCA")


def a_target(name, contig, position, strand, probability, *, classes=None, width=1):
    contig, position = np.asarray(contig), np.asarray(position)
    strand, probability = np.asarray(strand, dtype=np.int8), None if probability is None else np.asarray(probability)
    value = np.linspace(-9, 9, len(contig)) if probability is None else np.log(probability / (1 - probability))
    whole = PredictionRows(contig, position, strand, value, probability)

    def rows():
        for number in range(len(CONTIGS)):
            yield whole.only(contig == number)

    return PredictedTarget(
        name=name, classes=("no", name) if classes is None else classes, width=width, count=len(contig), rows=rows,
        natural=0.01,
    )  # fmt: skip


def a_prediction(*targets):
    return Prediction(
        task="splice", contigs=CONTIGS, lengths=LENGTHS, flags=np.array([MODEL, 0], np.uint8), targets=targets, seams={}
    )


@pytest.fixture
def letters():
    return ["".join(np.random.default_rng(seed).choice(list("ACGT"), n)) for seed, n in enumerate(LENGTHS)]


@pytest.fixture
def splice(letters):
    """All GT and AG of both strands, as `predict` takes them: the position is the G."""
    targets = []
    for name, pair, at in (("acceptor", "AG", 1), ("donor", "GT", 0)):
        rows = []
        for contig, text in enumerate(letters):
            for strand, read in ((1, text), (-1, text.translate(PAIRED)[::-1])):
                for place in range(len(text) - 1):
                    if read[place : place + 2] == pair:
                        rows.append((contig, place + at if strand > 0 else len(text) - 1 - place - at, strand))
        contig, position, strand = np.array(sorted(rows)).T
        probability = np.random.default_rng(3).random(len(rows)) ** 8
        probability[:2] = 1e-9, 1 - 1e-9
        targets.append(a_target(name, contig, position, strand, probability))
    return a_prediction(*targets)


def test_splice_scores_stand_at_the_junctions(splice, letters, tmp_path):
    path = tmp_path / "s.tsv"
    count = write_splice_scores(path, splice)
    lines = [line.split("\t") for line in path.read_text().splitlines()]
    assert len(lines) == count == sum(each.count for each in splice.targets)
    last = {}
    for contig, offset, strand, kind, score in lines:
        text, at = letters[CONTIGS.index(contig)], int(offset)
        if strand == "-":  # the same place, counted from the other end of the other strand
            text, at = text.translate(PAIRED)[::-1], len(text) - at
        # a donor's intron begins at the junction, an acceptor's ends there
        assert (text[at : at + 2] if kind == "D" else text[at - 2 : at]) == {"D": "GT", "A": "AG"}[kind]
        assert -20 <= int(score) <= 20
        assert int(offset) >= last.get(contig, 0)
        last[contig] = int(offset)
    rows = next(splice.targets[1].rows())
    probability, position, strand = rows.probability[5], int(rows.position[5]), int(rows.strand[5])
    odds = np.log2(probability / (1 - probability) / (0.01 / 0.99))
    (mine,) = (
        line for line in lines
        if line[:4] == ["I", str(position + (strand < 0)), "+-"[strand < 0], "D"]
    )  # fmt: skip
    assert int(mine[4]) == np.clip(round(2 * odds), -20, 20)
    assert {int(line[4]) for line in lines} >= {-20, 20}


def test_bed_is_sorted_scored_and_marks_contigs_that_were_met(splice, tmp_path):
    path = tmp_path / "p.bed"
    count = write_bed(path, splice, 0.2)
    lines = [line.split("\t") for line in path.read_text().splitlines()]
    kept = sum(int((rows.probability >= 0.2).sum()) for each in splice.targets for rows in each.rows())
    assert len(lines) == count == kept > 0
    assert [(line[0], int(line[1])) for line in lines] == sorted((line[0], int(line[1])) for line in lines)
    assert {line[3] for line in lines if line[0] == "I"} <= {"donor|seen", "acceptor|seen"}
    assert {line[3] for line in lines if line[0] == "II"} <= {"donor", "acceptor"}
    assert all(int(line[2]) == int(line[1]) + 1 and 200 <= int(line[4]) <= 1000 for line in lines)


def test_bigwig_of_each_class_and_strand(splice, tmp_path):
    paths = bigwig_paths(tmp_path / "x", [(each.name, each.classes) for each in splice.targets], windows=False)
    assert sorted(path.name for path in paths.values()) == [
        f"x.{name}.{strand}.bw" for name in ("acceptor", "donor") for strand in ("forward", "reverse")
    ]
    assert write_bigwigs(paths, splice) == list(paths.values())
    target = splice.targets[1]
    for strand in (1, -1):
        with pybigtools.open(str(paths["donor", 1, strand])) as file:
            for rows in target.rows():
                mine = rows.only(rows.strand == strand)
                contig = CONTIGS[int(mine.contig[0])]
                read = list(file.records(contig))
                assert [each[:2] for each in read] == [(at, at + 1) for at in mine.position.tolist()]
                np.testing.assert_allclose([each[2] for each in read], mine.probability, rtol=1e-6)


def test_windows_that_overlap_are_drawn_up_to_the_next(tmp_path):
    target = a_target("open", [0, 0, 0, 1], [10, 20, 100, 5], [0] * 4, [0.1, 0.2, 0.3, 0.4], width=30)
    paths = bigwig_paths(tmp_path / "x", [("open", target.classes)], windows=True)
    assert [path.name for path in paths.values()] == ["x.open.bw"]
    write_bigwigs(paths, a_prediction(target))
    with pybigtools.open(str(tmp_path / "x.open.bw")) as file:
        assert [each[:2] for each in file.records("I")] == [(10, 20), (20, 50), (100, 130)]
        assert [each[:2] for each in file.records("II")] == [(5, 35)]


def test_several_classes_and_values(tmp_path):
    three = np.array([[0.2, 0.5, 0.3], [0.6, 0.3, 0.1]])
    target = a_target("labels", [0, 1], [3, 4], [1, -1], three, classes=("none", "a/b", "c"))
    values = a_target("signal", [0, 1], [3, 4], [1, -1], None, classes=())
    paths = bigwig_paths(tmp_path / "x", [("labels", target.classes), ("signal", ())], windows=False)
    written = write_bigwigs(paths, a_prediction(target, values))
    assert [path.name for path in written[:4]] == [
        "x.none.forward.bw", "x.none.reverse.bw", "x.a_b.forward.bw", "x.a_b.reverse.bw"
    ]  # fmt: skip
    with pybigtools.open(str(tmp_path / "x.signal.forward.bw")) as file:
        assert list(file.records("I")) == [(3, 4, -9.0)]
    assert write_bed(tmp_path / "p.bed", a_prediction(target, values), 0.0) == 2
    assert [line.split("\t")[3:5] for line in (tmp_path / "p.bed").read_text().splitlines()] == [
        ["a/b|seen", "500"], ["none", "600"]
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["#1", "track", "a b"])
def test_names_that_bed_cannot_hold_are_refused(name):
    with pytest.raises(InputError, match=f"contig '{name}' is a name that a BED file cannot hold"):
        check_bed([("no", "yes")], ("I", name), Path("x.bed"))


def test_classes_that_would_share_a_file_and_values_in_a_bed_are_refused():
    with pytest.raises(InputError, match="two classes would be written to"):
        bigwig_paths(Path("x"), [("labels", ("a/b", "a:b", "c"))], windows=False)
    with pytest.raises(UsageError, match="holds probabilities of classes, and this probe predicts values"):
        check_bed([()], ("I",), Path("x.bed"))

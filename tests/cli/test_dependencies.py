"""``genolstm dependencies``: the file, the picture, the test of introns, and what is refused."""

import json

import numpy as np
import pytest

from genolstm.alphabet import DNA, decode
from genolstm.explaining.blocks import pair_map
from genolstm.store.dependencies import open_dependencies
from genolstm.store.genome import open_genome

QUICK = ("-t", "1", "--device", "cpu", "-q")
GENES = "##gff-version 3\n" + "".join(
    f"II\t.\t{kind}\t{start}\t{end}\t.\t+\t{'0' if kind == 'CDS' else '.'}\t{attributes}\n"
    for kind, start, end, attributes in (
        ("gene", 10, 300, "ID=g"), ("mRNA", 10, 300, "ID=t;Parent=g"), ("CDS", 10, 99, "Parent=t"),
        ("CDS", 200, 300, "Parent=t"), ("exon", 10, 99, "Parent=t"), ("exon", 200, 300, "Parent=t"),
    )
)  # fmt: skip


@pytest.fixture
def dependencies(run, model_file, genome_file, tmp_path):
    def ran(*options):
        return run("dependencies", model_file, genome_file, "-o", tmp_path / "d.h5", *QUICK, *options)

    return ran


def test_map_with_annotation_and_figure(dependencies, run, tmp_path):
    genes = tmp_path / "genes.gff3"
    genes.write_text(GENES)
    ended = dependencies("--region", "II:51-150", "--window", "20", "--annotation", genes, "--figure",
                         tmp_path / "d.svg", "--json", "--blocks", "3")  # fmt: skip
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)
    assert (told["bases"], told["window"], len(told["blocks"])) == (100, 20, 3)
    assert told["readings"]["read"] == 2 * 3 * 100
    with open_dependencies(tmp_path / "d.h5") as file:
        forward, reverse = file.values(0, 0, 100), file.values(1, 0, 100)
        assert {row.kind for row in file.rows("features")} == {"CDS", "UTR", "intron"}
        assert len(file.rows("blocks")) == 3
    assert np.isfinite(forward).all()
    assert np.isfinite(reverse).all()
    assert (pair_map(forward, reverse)[:79] > 0).all()
    assert (tmp_path / "d.svg").stat().st_size > 10_000
    assert "blocks" in json.loads(run("show", tmp_path / "d.h5", "--json").out)
    rows = run("export", tmp_path / "d.h5", "-o", "-").out.splitlines()
    assert len(rows) == 101
    assert rows[0].split("\t")[:4] == ["contig", "position", "reference", "forward_1"]


def test_ends_of_a_contig_have_nothing_beyond(dependencies, tmp_path):
    assert dependencies("--region", "III:381-400", "--window", "8").code == 0
    with open_dependencies(tmp_path / "d.h5") as file:
        forward, reverse = file.values(0, 0, 20), file.values(1, 0, 20)
    assert np.isnan(forward[-1]).all()
    assert np.isnan(forward).sum() == 8 * 9 / 2
    assert np.isfinite(reverse).all()


def test_introns_are_tested_beside_a_random_init_model(dependencies, run, genome_file, tmp_path):
    genome = open_genome(genome_file)
    letters = decode(genome.all_codes[:1202], DNA)
    donor = letters.index("GT", 300)
    acceptor = letters.index("AG", donor + 30)
    genes = tmp_path / "genes.gff3"
    exons = ((200, donor), (acceptor + 3, acceptor + 40))
    lines = [f"I\t.\tmRNA\t200\t{exons[1][1]}\t.\t+\t.\tID=t"]
    lines += [f"I\t.\tCDS\t{start}\t{end}\t.\t+\t0\tParent=t" for start, end in exons]
    genes.write_text("##gff-version 3\n" + "\n".join(lines) + "\n")
    ended = dependencies("--region", "I", "--introns", "5", "--window", "150", "--annotation", genes, "--json",
                         "--figure", tmp_path / "i.svg")  # fmt: skip
    assert ended.code == 0, ended.err
    tests = json.loads(ended.out)["tests"]
    assert set(tests) == {"trained", "random_init"}
    assert tests["trained"]["introns"] == 1
    assert tests["trained"]["verdict"] == "cannot tell"
    with open_dependencies(tmp_path / "d.h5") as file:
        (row,) = file.rows("introns")
        assert not file.has_map
    assert (row.donor, row.acceptor) == (donor, acceptor + 1)
    assert row.value > 0
    assert row.random_value != row.value
    assert run("report", tmp_path / "d.h5", "-o", tmp_path / "r.html", "-q").code == 0
    assert "donors and acceptors" in (tmp_path / "r.html").read_text()


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (("--introns", "5"), 2, "--introns needs the introns of --annotation: name a GTF or GFF3 file."),
        (("--region", "II:1-600"), 2, "region 'II:1-600' ends past contig 'II' of 500 symbols; end it there."),
        (("--region", "X"), 3, "region 'X' names no contig of the genome, which has I, II, III. Correct the name."),
    ],
)
def test_what_cannot_be_is_refused(dependencies, tmp_path, options, code, sentence):
    assert dependencies(*options) == (code, "", f"genolstm: {sentence}\n")
    assert list(tmp_path.iterdir()) == []


def test_window_of_zero_is_refused(dependencies):
    ended = dependencies("--window", "0")
    assert ended.code == 2
    assert "--window" in ended.err


def test_map_that_is_too_large_is_refused_with_what_fits(dependencies, monkeypatch):
    monkeypatch.setattr("genolstm.cli.dependencies.MOST_PAIRS", 10_000)
    sentence = "a map of 500 bases at --window 100 takes 0.0 GB; at most 100 bases fit at this window: name a shorter"
    ended = dependencies("--region", "II", "--window", "100")
    assert ended == (2, "", f"genolstm: {sentence} --region.\n")

"""``genolstm motifs``: from a file of scores to MEME text, JASPAR and a picture, and what is refused."""

import json

import numpy as np
import pytest
from Bio import motifs as oracle

from genolstm.alphabet import DNA, encode, reverse_complement
from genolstm.regions import Region, stretches_of
from genolstm.store.checkpoint import PartBits
from genolstm.store.files import Provenance, Records
from genolstm.store.genome import open_genome
from genolstm.store.score import ScoreTables, write_score

BASES = 80_000
WORD = encode("TGACGTCA", DNA)
SEAMS = {
    name: np.zeros(0, dtype)
    for name, dtype in {
        "contig": np.int32, "position": np.int64, "strand": np.int8, "found_state": np.float64,
        "found_bits": np.float64, "repaired": np.int64, "left_state": np.float64, "left_bits": np.float64,
    }.items()
}  # fmt: skip
LINES = PartBits(part="scored", model=1.9, symbols=1, uniform=2.0, by_order=(1.95,), interpolated=1.94)
CALIBRATION = {name: np.zeros(0) for name in ("lower", "sampled", "predicted", "observed")}
TABLES = ScoreTables(  # nothing of these is read
    symbols=np.ones((1, 2, 2), np.int64), bits=np.ones((1, 2, 2)), seen=np.zeros(1, np.int8), parts=(LINES,),
    markov_counted_on="nothing", calibration={**CALIBRATION, "sampled": np.zeros(0, np.int64)}, calibration_error=0.0,
    seams=SEAMS, leads=SEAMS, seam_summary={},
)  # fmt: skip
QUICK = ("--resamples", "100", "--seqlets", "200", "-q")


@pytest.fixture(scope="module")
def scored(genome_of, tmp_path_factory):
    """Function: whether a word lies where bits are low -> genome file and score file."""

    def made(*, planted):
        rng = np.random.default_rng(1)
        codes = rng.integers(0, 4, BASES).astype(np.uint8)
        bits = rng.normal(2, 0.2, (2, BASES)).astype(np.float32)
        for number, at in enumerate(range(200, BASES - 200, 300)):
            strand = number % 2
            bits[strand, at : at + len(WORD)] = 0.1
            if planted:
                codes[at : at + len(WORD)] = reverse_complement(WORD) if strand else WORD
        genome = genome_of({"c": codes})
        stretches = stretches_of([Region(contig="c", start=0, end=BASES)], ("c",))
        path = tmp_path_factory.mktemp("scored") / "score.h5"
        came = Provenance(command="", settings={}, seed=1, inputs={}, device="cpu")
        with write_score(path, stretches, {"c": BASES}, 2, came) as file:
            for strand in range(2):
                file.write(strand, 0, bits[strand])
            file.finish(TABLES, Records())
        return genome.path, path

    return made


def test_planted_word_is_written_and_drawn(run, scored, tmp_path):
    genome, score = scored(planted=True)
    options = ("--jaspar", tmp_path / "m.jaspar", "--figure", tmp_path / "m.svg", "--json", *QUICK)
    ended = run("motifs", score, genome, "-o", tmp_path / "m.meme", *options)
    assert ended.code == 0, ended.err
    (found, *_) = json.loads(ended.out)["targets"]["bits"]["motifs"]
    assert "TGACGTCA" in found["consensus"]
    assert found["offset"] + found["consensus"].index("TGACGTCA") == -4
    assert found["enrichment"][1] > 3
    with (tmp_path / "m.meme").open() as text:
        assert oracle.parse(text, "minimal")[0].consensus.find("TGACGTCA") >= 0
    assert "TGACGTCA" in (tmp_path / "m.jaspar").read_text()
    assert "<svg" in (tmp_path / "m.svg").read_text()
    import genolstm as gl

    same = gl.motifs(score, open_genome(genome), resamples=100, seqlets=200)
    assert same.save(tmp_path / "again.meme").read_bytes() == (tmp_path / "m.meme").read_bytes()
    assert same.table()["consensus"][0] == found["consensus"]


def test_no_motif_is_said_of_random_sequence(run, scored, tmp_path):
    genome, score = scored(planted=False)
    ended = run("motifs", score, genome, "-o", tmp_path / "m.meme", "--resamples", "100", "--seqlets", "200")
    assert ended.code == 0, ended.err
    assert "no motif" in ended.err
    assert (tmp_path / "m.meme").read_text().startswith("MEME version 4")
    assert "MOTIF" not in (tmp_path / "m.meme").read_text()


def test_other_files_are_refused(run, scored, genome_file, tmp_path):
    genome, score = scored(planted=False)
    ended = run("motifs", genome, genome, "-o", tmp_path / "m.meme", "-q")
    assert ended.code == 3
    assert "kind 'genome'" in ended.err
    ended = run("motifs", score, genome_file, "-o", tmp_path / "m.meme", "-q")
    assert ended.code == 3
    assert "other contigs" in ended.err
    assert not (tmp_path / "m.meme").exists()

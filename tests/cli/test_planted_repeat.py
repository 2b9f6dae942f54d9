"""A tandem repeat planted in random DNA stands out in bits and in gates, on a contig that was never trained on."""

import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from genolstm.store.score import open_score

UNIT, COPIES, LENGTH = "ACGTTGCCATAG", 800, 40_000


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """FASTA of two random contigs with the same tandem repeat in the middle; start and end of the repeat."""
    rng = np.random.default_rng(11)
    repeat = UNIT * COPIES
    start = (LENGTH - len(repeat)) // 2
    path = tmp_path_factory.mktemp("planted") / "planted.fa"
    with path.open("w") as out:
        for name in ("known", "new"):
            text = "".join(rng.choice(list("ACGT"), LENGTH))
            out.write(f">{name}\n{text[:start]}{repeat}{text[start + len(repeat) :]}\n")
    return path, start, start + len(repeat)


@pytest.mark.slow
def test_a_planted_tandem_repeat_shows_as_a_drop_in_bits(planted, run, tmp_path):
    fasta, start, end = planted
    genome, model, score = (tmp_path / name for name in ("g.h5", "m.h5", "s.h5"))
    assert run("ingest", fasta, "-o", genome, "-q").code == 0
    assert run(
        "train", genome, "-o", model, "--hidden", "32", "--bases", "1200k", "--train-contigs", "known",
        "--test-contigs", "new", "--lr", "1e-2", "-t", "1", "--device", "cpu", "-q",
    ).code == 0  # fmt: skip
    ended = run("score", model, genome, "-o", score, "--region", "new", "-t", "1", "--device", "cpu", "-q", "--json")
    told = json.loads(ended.out)
    with open_score(score) as file:
        bits = np.stack([file.read(strand, 0, LENGTH) for strand in range(2)])
    inside = np.zeros(LENGTH, dtype=bool)
    inside[start:end] = True
    for strand in range(2):
        assert roc_auc_score(inside, -bits[strand]) > 0.95
        assert bits[strand, inside].mean() < 1 < 1.95 < bits[strand, ~inside].mean()
    assert told["parts"]["test"]["model"] < 2

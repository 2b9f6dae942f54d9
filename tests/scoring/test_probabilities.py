"""Probabilities of every letter at every base: the softmax of a plain pass over either strand."""

from contextlib import suppress

import numpy as np
import pytest
import torch

from genolstm.alphabet import DNA, reverse_complement
from genolstm.model import NextSymbolModel
from genolstm.scoring.along_genome import score_along
from genolstm.settings.model import ModelSettings
from genolstm.settings.reading import StreamSettings
from genolstm.store.score import open_score, write_score
from genolstm.stream.reader import GenomeReader
from genolstm.stream.seams import Seams

EXACT = StreamSettings(lanes=3, chunk=16, exact=True)


@torch.no_grad()
def plain_pass(model, codes):
    inputs = torch.from_numpy(np.concatenate([[DNA.unknown], codes[:-1]]).astype(np.int64))[None]
    return model.forward(inputs, model.initial_state(1)).logits[0].softmax(-1).numpy()


@pytest.fixture(scope="module")
def model():
    return NextSymbolModel(ModelSettings(hidden=12, forget_bias="-2"), seed=5).eval()


def test_both_strands_are_by_the_letter_of_the_forward_one(tiny_genome, stretches_of, model, provenance, tmp_path):
    stretches = stretches_of(tiny_genome)
    path = tmp_path / "score.h5"
    with (
        suppress(ValueError),
        write_score(  # which refuses to finish without its tables
            path, stretches, tiny_genome.length_of, 2, provenance, letters=4
        ) as file,
    ):
        reader = GenomeReader(model, tiny_genome, EXACT)
        score_along(reader, stretches, file, seams=Seams(), log_probabilities=[file.probabilities])
        found = [track[()].astype(float) for track in file.probabilities.tracks]
        mean = file.probabilities.mean(0, stretches.bases)
        bits = file.read(0, 0, stretches.bases)
    first = 0
    for name in tiny_genome.names:
        at = tiny_genome.starts[tiny_genome.names.index(name)]
        codes = tiny_genome.all_codes[at : at + tiny_genome.length_of[name]]
        here = slice(first, first + len(codes))
        forward = plain_pass(model, codes)
        reverse = plain_pass(model, reverse_complement(codes))[::-1][:, DNA.complement[:4]]
        np.testing.assert_allclose(found[0][here], forward, atol=1e-3)
        np.testing.assert_allclose(found[1][here], reverse, atol=1e-3)
        np.testing.assert_allclose(mean[here], (forward + reverse) / 2, atol=1e-3)
        known = codes != DNA.unknown
        np.testing.assert_allclose(bits[here][known], -np.log2(forward[np.flatnonzero(known), codes[known]]), atol=1e-4)
        first += len(codes)


def test_a_file_without_them_says_so(results):
    with open_score(results["score"]) as file:
        assert file.probabilities is None
        with pytest.raises(ValueError, match="holds no probabilities"):
            next(file.probability_runs(0))

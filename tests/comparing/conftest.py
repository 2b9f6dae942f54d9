"""Probe results with a known difference between models."""

import numpy as np
import pytest

from genolstm.estimate import Estimate
from genolstm.regions import Sites
from genolstm.store.results import FeatureSet, ProbeResult

BLOCKS, IN_BLOCK = 40, 15


@pytest.fixture
def made_probe():
    """Function: qualities of models -> ProbeResults on the same sites; the sites of a block are hard together."""

    def made(rng, *qualities, control=0.5, contigs=("I", "II"), truth=None):
        n = BLOCKS * IN_BLOCK
        label = (rng.random(n) < 0.3).astype(np.int8)
        if truth is not None:
            label = truth
        block = np.repeat(np.arange(BLOCKS), IN_BLOCK).astype(np.int64)
        hard = np.repeat(rng.normal(size=BLOCKS), IN_BLOCK) + rng.normal(size=n)  # the same for every model
        sites = Sites(
            contigs=contigs, contig=np.ones(n, np.int32), position=np.arange(n, dtype=np.int64) * 50,
            strand=np.ones(n, np.int8), label=label if truth is None else np.zeros(n, np.int8),
            part=np.full(n, 2, np.int8), block=block,
        )  # fmt: skip

        def features(quality):
            odds = (quality * (2.0 * label - 1) + hard + rng.normal(size=n)).astype(np.float32)
            return FeatureSet(
                label=label, log_odds=odds, threshold=0.0 if truth is None else None,
                mean=np.zeros(1, np.float32), scale=np.ones(1, np.float32),
                coefficients=np.ones(1, np.float32), intercept=0.0, regularisation=1.0, converged=True,
                strengths=((1.0, -0.5),), scores={"auprc" if truth is None else "r2": Estimate(0.5, 0.4, 0.6)},
            )  # fmt: skip

        base = features(control)
        return [
            ProbeResult(
                target="donor", sites=sites, offsets=(0,), verdict="gain", best_control="kmer",
                features={"trained": features(quality), "kmer": base}, differences={"kmer": Estimate(0.1, 0.0, 0.2)},
                selectivity=None, prevalence=0.02, homology=0.0, sweep=(), calibration=(), seams={},
                ranked="auprc" if truth is None else "r2",
            )
            for quality in qualities
        ]  # fmt: skip

    return made

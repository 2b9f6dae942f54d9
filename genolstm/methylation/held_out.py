"""Log-likelihood of held-out reads under each model: a fraction of every CpG's reads, or a whole sample."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import UsageError
from genolstm.methylation.baselines import (
    Training,
    best_smoothing,
    constant,
    prior_guesses,
    sample_means,
    smoothed,
)  # fmt: skip
from genolstm.methylation.dispersion import dispersion_of, expected_probability
from genolstm.methylation.free_lstm import free_lstm
from genolstm.methylation.likelihood import Floats, ReadModel
from genolstm.methylation.pooled import read_probabilities, train_pooled
from genolstm.methylation.samples import LEAST_SAMPLES, by_age
from genolstm.methylation.site_fit import fit_sites, read_model
from genolstm.regions import block_length, block_numbers
from genolstm.seeds import spawn
from genolstm.settings.methylation import FitModel, HeldOutSettings, MethylationSettings, PooledSettings
from genolstm.store.counts import Counts
from genolstm.store.methylation import HeldOutScore

EDGE = 0.005  # probabilities are kept this far off 0 and 1: maximum likelihood is often certain, and wrong
NO_ENDS = (np.nan, np.nan)
READ_GROUPS = ((0, 4), (5, 9), (10, 19), (20, None))  # CpGs by their training reads, ends included


class Split(NamedTuple):
    """Reads to learn from, and reads held out at the ages asked for. held, held_other : [N, A], methylated and not."""

    training: Training
    held: NDArray[np.int32]
    held_other: NDArray[np.int32]


def judged(
    counts: Counts,
    settings: MethylationSettings,
    pooled: PooledSettings,
    judging: HeldOutSettings,
    *,
    extra: NDArray[np.float32] | None = None,
    threads: int = 1,
    progress: Callable[[float, int], None] | None = None,
) -> tuple[HeldOutScore, ...]:
    """Fit every model to part of the reads and score it on the rest; the fit's own model is the one compared.

    Raises UsageError for a sample that is not there, or one without which too few are left.
    """
    by_age(counts, settings.times)
    elapsed = np.array(settings.elapsed)
    sample = judging.sample
    if sample is not None:
        if sample >= len(elapsed):
            raise UsageError(f"there are {len(elapsed)} samples: --hold-out sample:{sample + 1} names none of them.")
        if len(elapsed) <= LEAST_SAMPLES:
            raise UsageError(f"without a sample fewer than {LEAST_SAMPLES} are left; hold out reads instead.")
        split = split_sample(counts, elapsed, sample)
    else:
        split = split_reads(counts, elapsed, judging.fraction or 0.0, spawn(settings.seed, "held out"))
    found = probabilities(split, settings, pooled, extra=extra, threads=threads, progress=progress)
    return scores(split, found, str(settings.model), judging, spawn(settings.seed, "bootstrap"))


def split_reads(counts: Counts, elapsed: Floats, fraction: float, rng: np.random.Generator) -> Split:
    """Hold out each read with probability `fraction`."""
    held = rng.binomial(counts.modified, fraction).astype(np.int32)
    held_other = rng.binomial(counts.covered - counts.modified, fraction).astype(np.int32)
    training = Training(
        counts.contig, counts.position, counts.modified - held, counts.covered - held - held_other, elapsed, elapsed
    )
    return Split(training, held, held_other)


def split_sample(counts: Counts, elapsed: Floats, sample: int) -> Split:
    """Hold out one sample whole."""
    kept = np.arange(len(elapsed)) != sample
    held = counts.modified[:, sample : sample + 1]
    training = Training(
        counts.contig, counts.position, np.ascontiguousarray(counts.modified[:, kept]),
        np.ascontiguousarray(counts.covered[:, kept]), elapsed[kept], elapsed[sample : sample + 1],
    )  # fmt: skip
    return Split(training, held, counts.covered[:, sample : sample + 1] - held)


def probabilities(
    split: Split,
    settings: MethylationSettings,
    pooled: PooledSettings,
    *,
    extra: NDArray[np.float32] | None = None,
    baseline: bool = True,
    threads: int = 1,
    progress: Callable[[float, int], None] | None = None,
) -> dict[str, Floats]:
    """Probability of a methylated read by every model, name -> [N, A].

    extra : [N, X], more inputs of the pooled model at each CpG.   baseline : also train the unconstrained LSTM.
    """
    training = split.training
    error = settings.conversion_error
    dispersion = dispersion_of(training.modified, training.covered, _aged(settings, training))
    likelihood = read_model(settings, dispersion)._replace(elapsed=training.elapsed)
    fit = fit_sites(training.modified, training.covered, settings, likelihood, intervals=False, threads=threads)
    at_asked = ReadModel(training.asked, error, dispersion, likelihood.free_start)
    means = sample_means(training)
    site = expected_probability(fit, at_asked)
    found = {"constant": constant(training), "sample_means": means, "site": np.where(np.isnan(site), means, site)}
    found["smoothed"] = smoothed(training, best_smoothing(training, spawn(settings.seed, "smoothing")))
    guesses = prior_guesses(training, settings, error)
    found |= guesses._asdict()
    if settings.model is FitModel.POOLED:
        model = train_pooled(
            training.contig, training.position, training.modified, training.covered, settings, pooled,
            elapsed=training.elapsed, extra=extra, progress=progress,
        )  # fmt: skip
        same = np.array_equal(training.asked, training.elapsed)
        predicted = read_probabilities(model, training.asked, error, own_samples=same)
        found |= {"pooled_gates": predicted.gates, "pooled": predicted.reads}
        if baseline:
            found["free_lstm"] = free_lstm(training, pooled, settings.seed)
    return found


def _aged(settings: MethylationSettings, training: Training) -> MethylationSettings:
    return replace(settings, times=tuple(training.elapsed), time_offset=0.0)


def scores(
    split: Split,
    probability: Mapping[str, Floats],
    best: str,
    asked: HeldOutSettings,
    rng: np.random.Generator,
    scored: NDArray[np.bool_] | None = None,
) -> tuple[HeldOutScore, ...]:
    """Nats per held-out read of every model, and how much better `best` is, paired, over blocks of the genome.

    scored : only these CpGs, [N].   Groups of CpGs by their number of training reads follow the line of all.
    """
    reads = (split.held + split.held_other).sum(axis=1)
    nats = {name: _nats(split, each) for name, each in probability.items()}
    trained = split.training.covered.sum(axis=1)
    use = reads > 0 if scored is None else scored & (reads > 0)
    groups = {"all": use}
    for low, high in READ_GROUPS:
        label = f"{low}-{high} training reads" if high is not None else f"{low} or more training reads"
        groups[label] = use & (trained >= low) & ((trained <= high) if high is not None else True)
    block = _blocks(split.training, asked.block_bp)
    found = []
    for label, chosen in groups.items():
        if not chosen.any():
            continue
        drawn = _drawn_blocks(block[chosen], reads[chosen], asked.resamples, rng)
        for name, each in nats.items():
            gain = _per_block(nats[best][chosen] - each[chosen], block[chosen])
            # one block drawn again and again would give an interval of no width
            ends = np.quantile(drawn.weights @ gain / drawn.reads, [0.025, 0.975]) if len(gain) > 1 else NO_ENDS
            total = int(reads[chosen].sum())
            difference = float((nats[best][chosen] - each[chosen]).sum() / total)
            found.append(HeldOutScore(
                what=label, model=name, log_likelihood=float(each[chosen].sum() / total), reads=total, against=best,
                difference=-difference, low=-float(ends[1]), high=-float(ends[0]),
            ))  # fmt: skip
    return tuple(found)


def _nats(split: Split, probability: Floats) -> Floats:
    """Log-likelihood of each CpG's held-out reads, [N]."""
    kept = np.clip(probability, EDGE, 1 - EDGE)
    nats: Floats = (split.held * np.log(kept) + split.held_other * np.log1p(-kept)).sum(axis=1)
    return nats


def _blocks(training: Training, block_bp: int) -> NDArray[np.int64]:
    """Number of the block of the genome that each CpG lies in, [N]; blocks are shorter where the sites span few."""
    ends = [training.position[training.contig == contig] for contig in np.unique(training.contig)]
    length = block_length(block_bp, sum(int(np.ptp(each)) + 1 for each in ends))
    numbers = block_numbers(training.contig, training.position, length)
    block: NDArray[np.int64] = np.unique(numbers, return_inverse=True)[1].astype(np.int64)
    return block


class _Drawn(NamedTuple):
    """Resamples of blocks. weights : [R, B], how often each was drawn.   reads : [R], held out in them."""

    weights: Floats
    reads: Floats


def _drawn_blocks(
    block: NDArray[np.int64], reads: NDArray[np.int64], resamples: int, rng: np.random.Generator
) -> _Drawn:
    """Draw as many blocks as there are, with replacement (Kuensch 1989)."""
    names, place = np.unique(block, return_inverse=True)
    per_block = np.bincount(place, weights=reads, minlength=len(names))
    weights = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples).astype(np.float64)
    return _Drawn(weights, np.maximum(weights @ per_block, 1))


def _per_block(values: Floats, block: NDArray[np.int64]) -> Floats:
    _, place = np.unique(block, return_inverse=True)
    sums: Floats = np.bincount(place, weights=values).astype(np.float64)
    return sums

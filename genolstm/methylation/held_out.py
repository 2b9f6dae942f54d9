"""Log-likelihood of held-out reads under each model: of a whole time, a fraction of every CpG's reads, or a region."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import UsageError
from genolstm.methylation.baselines import (
    Training,
    best_smoothing,
    constant,
    free_course,
    prior_guesses,
    sample_means,
    smoothed,
)  # fmt: skip
from genolstm.methylation.dispersion import dispersion_of, expected_probability
from genolstm.methylation.free_lstm import free_lstm
from genolstm.methylation.kinetic import gate_model, kinetic_probabilities, network_course
from genolstm.methylation.kinetic_form import FORMS
from genolstm.methylation.likelihood import Floats, ReadModel
from genolstm.methylation.neighbourhood import SiteReads
from genolstm.methylation.pooled import read_probabilities, train_pooled
from genolstm.methylation.samples import LEAST_SAMPLES, by_age
from genolstm.methylation.site_fit import fit_sites, read_model
from genolstm.readers.region_text import parse_region
from genolstm.regions import block_length, block_numbers
from genolstm.seeds import spawn
from genolstm.settings.methylation import (
    ALL_TIMES,
    READS,
    REGION,
    SAMPLE,
    TIME,
    FitModel,
    HeldOutSettings,
    HoldOut,
    KineticForm,
    MethylationSettings,
    PooledSettings,
)  # fmt: skip
from genolstm.store.counts import Counts
from genolstm.store.methylation import HeldOutScore

UNCOUPLED = (KineticForm.RATES, KineticForm.SINGLE)  # that the coupled form is held against
EDGE = 0.005  # probabilities are kept this far off 0 and 1: maximum likelihood is often certain, and wrong
UNKNOWN_LENGTH = 1 << 40  # of contigs, which counts do not hold
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

    One table for each hold-out, whole times first, then again for CpGs at least so far apart as `thin` says.
    Raises UsageError for a time, sample or region that is not there, or without which too little is left.
    """
    by_age(counts, settings.times)
    found: list[HeldOutScore] = []
    for hold_out in _in_turn(judging.held, settings):
        for distance in (0, *judging.thin):
            kept = far_apart(counts.contig, counts.position, distance)
            some = counts if not distance else _rows(counts, kept)
            split = split_counts(some, settings, hold_out)
            probability = probabilities(
                split, settings, pooled, extra=None if extra is None else extra[kept], threads=threads,
                progress=progress,
            )  # fmt: skip
            table = scores(split, probability, str(settings.model), judging, spawn(settings.seed, "bootstrap"))
            name = f"{hold_out}, CpGs {distance:,} bp apart" if distance else str(hold_out)
            found += [replace(row, hold_out=name) for row in table]
    return tuple(found)


def _in_turn(held: Sequence[HoldOut], settings: MethylationSettings) -> tuple[HoldOut, ...]:
    """Each hold-out, all times one after the other."""
    found: list[HoldOut] = []
    for each in held:
        every = (each.kind, each.value) == (TIME, ALL_TIMES)
        found += [HoldOut(TIME, f"{time:g}") for time in dict.fromkeys(settings.times)] if every else [each]
    return tuple(dict.fromkeys(found))


def far_apart(contig: NDArray[np.int32], position: NDArray[np.int64], distance_bp: int) -> NDArray[np.intp]:
    """Rows of CpGs of which none of one contig is nearer than `distance_bp` to the next, from the first on."""
    kept: list[int] = []
    last_contig, last = -1, 0
    for row, (where, place) in enumerate(zip(contig.tolist(), position.tolist(), strict=True)):
        if where != last_contig or place - last >= distance_bp:
            kept.append(row)
            last_contig, last = where, place
    return np.array(kept, dtype=np.intp)


def _rows(counts: Counts, rows: NDArray[np.intp]) -> Counts:
    names = ("contig", "position", "strand", "modified", "covered")
    return replace(counts, **{name: getattr(counts, name)[rows] for name in names})


def split_counts(counts: Counts, settings: MethylationSettings, hold_out: HoldOut) -> Split:
    """Part reads as a hold-out says. Raises UsageError for what is not there, or would leave too little."""
    elapsed = np.array(settings.elapsed)
    if hold_out.kind == READS:
        return split_reads(counts, elapsed, float(hold_out.value), spawn(settings.seed, "held out"))
    if hold_out.kind == REGION:
        return split_region(counts, elapsed, hold_out.value)
    if hold_out.kind == SAMPLE:
        index = int(hold_out.value) - 1
        if index >= len(elapsed):
            raise UsageError(f"there are {len(elapsed)} samples: --hold-out {hold_out} names none of them.")
        held = np.arange(len(elapsed)) == index
    else:
        held = np.array(settings.times) == float(hold_out.value)
        if not held.any():
            told = ", ".join(f"{time:g}" for time in dict.fromkeys(settings.times))
            raise UsageError(f"no sample has the time of --hold-out {hold_out}: there are {told}.")
    if len(np.unique(elapsed[~held])) < LEAST_SAMPLES:
        raise UsageError(f"without {hold_out} fewer than {LEAST_SAMPLES} ages are left; hold out reads instead.")
    return split_samples(counts, elapsed, held)


def split_reads(counts: Counts, elapsed: Floats, fraction: float, rng: np.random.Generator) -> Split:
    """Hold out each read with probability `fraction`."""
    held = rng.binomial(counts.modified, fraction).astype(np.int32)
    held_other = rng.binomial(counts.covered - counts.modified, fraction).astype(np.int32)
    training = Training(
        counts.contig, counts.position, counts.modified - held, counts.covered - held - held_other, elapsed, elapsed
    )
    return Split(training, held, held_other)


def split_samples(counts: Counts | SiteReads, elapsed: Floats, held: NDArray[np.bool_]) -> Split:
    """Hold out some samples whole, of all CpGs; held : [T]."""
    training = Training(
        counts.contig, counts.position, np.ascontiguousarray(counts.modified[:, ~held]),
        np.ascontiguousarray(counts.covered[:, ~held]), elapsed[~held], elapsed[held],
    )  # fmt: skip
    modified = counts.modified[:, held]
    return Split(training, modified, counts.covered[:, held] - modified)


def split_region(counts: Counts, elapsed: Floats, text: str) -> Split:
    """Hold out all reads of the CpGs of a region. Raises UsageError where it holds no read, or all of them."""
    ends = dict.fromkeys(counts.contigs, UNKNOWN_LENGTH)
    region = parse_region(text, ends)
    inside = counts.contig == counts.contigs.index(region.contig)
    inside &= (counts.position >= region.start) & (counts.position < region.end)
    reads = int(counts.covered[inside].sum())
    if not reads or reads == int(counts.covered.sum()):
        raise UsageError(
            f"region '{text}' of --hold-out holds {'all' if reads else 'none'} of the reads; give another."
        )
    modified, covered = (np.where(inside[:, None], each, 0) for each in (counts.modified, counts.covered))
    training = Training(
        counts.contig, counts.position, counts.modified - modified, counts.covered - covered, elapsed, elapsed
    )
    return Split(training, modified, covered - modified)


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

    extra : [N, X], more inputs of the pooled model at each CpG.   baseline : also train the unconstrained LSTM, and
    hold the kinetic model's form against every other.
    """
    training = split.training
    aged = _aged(settings, training)
    means = sample_means(training)
    found = {"constant": constant(training), "sample_means": means, "site": _by_site(training, aged, means, threads)}
    found["free_course"] = free_course(training)
    reach = best_smoothing(training, spawn(settings.seed, "smoothing"))
    found["neighbour_reads"] = smoothed(training, reach, own=False)
    found["smoothed"] = smoothed(training, reach)
    found |= prior_guesses(training, aged, settings.conversion_error)._asdict()
    if settings.model is FitModel.KINETIC:
        found |= _kinetic(training, aged, each_form=baseline)
    if settings.model is FitModel.POOLED:
        found |= _pooled(training, aged, pooled, extra, progress)
    if baseline and settings.model is not FitModel.SITE:
        found["free_lstm"] = free_lstm(training, pooled, settings.seed)
    return found


def _by_site(training: Training, settings: MethylationSettings, means: Floats, threads: int) -> Floats:
    """Maximum likelihood of each CpG, at the samples' means where it has no reads, [N, A]."""
    single = replace(settings, model=FitModel.SITE, form=KineticForm.SINGLE)
    dispersion = dispersion_of(training.modified, training.covered, single)
    likelihood = read_model(single, dispersion)
    fit = fit_sites(training.modified, training.covered, single, likelihood, intervals=False, threads=threads)
    at_asked = ReadModel(training.asked, settings.conversion_error, dispersion, likelihood.free_start)
    site = expected_probability(fit, at_asked)
    return np.where(np.isnan(site), means, site)


def _pooled(
    training: Training,
    settings: MethylationSettings,
    pooled: PooledSettings,
    extra: NDArray[np.float32] | None,
    progress: Callable[[float, int], None] | None,
) -> dict[str, Floats]:
    course = network_course(training.reads, training.elapsed, settings)
    model = train_pooled(*training.reads, settings, pooled, extra=extra, course=course, progress=progress)
    predicted = read_probabilities(model, training.asked, settings.conversion_error, own_samples=_same_ages(training))
    return {"pooled_gates": predicted.gates, "pooled": predicted.reads}


def _kinetic(training: Training, settings: MethylationSettings, *, each_form: bool) -> dict[str, Floats]:
    """The kinetic model, its gates alone, and the model under every other form."""
    reads, own_samples = training.reads, _same_ages(training)
    model = gate_model(reads, training.elapsed, settings)
    predicted = kinetic_probabilities(model, reads, training.asked, own_samples=own_samples)
    found = {"kinetic_gates": predicted.gates, "kinetic": predicted.reads}
    for form in FORMS if each_form else ():
        if form is not model.course.form:
            effects = settings.sample_effects and form is not KineticForm.COUPLED
            other = gate_model(reads, training.elapsed, replace(settings, form=form, sample_effects=effects))
            by_form = kinetic_probabilities(other, reads, training.asked, own_samples=own_samples)
            found[f"kinetic {form}"] = by_form.reads
    return found


def check_coupled(reads: SiteReads, settings: MethylationSettings) -> None:
    """Raise UsageError unless the coupled form predicts held-out times better than forms without coupling.

    reads : of a few stretches of CpGs. Each time but the first and the last is held out in turn.
    """
    elapsed = np.array(settings.elapsed)
    inner = np.unique(elapsed)[1:-1]
    if not inner.size:
        raise UsageError("form 'coupled' needs three ages or more, one of them to judge it on; leave out --form.")
    forms = (KineticForm.COUPLED, *UNCOUPLED)
    gains: dict[KineticForm, list[HeldOutScore]] = {form: [] for form in UNCOUPLED}
    for age in inner:
        held = elapsed == age
        split = split_samples(reads, elapsed, held)
        training, found = split.training, {}
        for form in forms:
            aged = replace(_aged(settings, training), form=form)
            model = gate_model(training.reads, training.elapsed, aged)
            found[str(form)] = kinetic_probabilities(model, training.reads, training.asked, own_samples=False).reads
        table = scores(split, found, str(forms[0]), HeldOutSettings(), spawn(settings.seed, "coupled"))
        for form in UNCOUPLED:
            gains[form] += [row for row in table if (row.what, row.model) == ("all", str(form))]
    for form, rows in gains.items():
        if not any(row.high < 0 for row in rows) or any(row.low > 0 for row in rows):
            told = "; ".join(
                f"{-row.difference:+.4f} [{-row.high:+.4f}, {-row.low:+.4f}] with age {age:g} held out"
                for age, row in zip(inner, rows, strict=True)
            )
            raise UsageError(
                f"coupling cannot be told from these reads: against form '{form}' it gains {told}, in nats a read; use"
                f" --form {form}."
            )


def _same_ages(training: Training) -> bool:
    return np.array_equal(training.asked, training.elapsed)


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

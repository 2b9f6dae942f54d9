"""Whether a model's ratios tell labelled variants from others, beyond what composition tells.

A positive is expected to be less likely: scores are negated ratios. The verdict is on what the model adds: a logistic
regression on controls and the model's ratios against one on the controls alone, both fitted on other blocks of the
genome than those they score, on the same variants in the same resamples. So a label that follows from the kind of
change or from the GC around it cannot make a model look good.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from genolstm.errors import InputError, UsageError
from genolstm.estimate import Estimate
from genolstm.probes.scores import auprc, auroc, block_bootstrap, paired_difference, score_interval
from genolstm.regions import block_length, block_numbers
from genolstm.seeds import spawn
from genolstm.store.genome import Genome
from genolstm.variants.kinds import N_KINDS
from genolstm.variants.records import Scored

GC_REACH = 50  # bases on either side
FOLDS = 5
FEWEST = 20  # variants of either label
FEWEST_BLOCKS = 2 * FOLDS
RESAMPLES = 1_000
COLUMNS = {"ID": 2, "QUAL": 5, "FILTER": 6}  # of a VCF, that may hold a label
TRUE, FALSE = {"1", "true", "yes"}, {"0", "false", "no"}
MODEL, MARKOV, KIND, GC, CONTROLS, BOTH = (
    "model", "markov", "substitution_and_trinucleotide", "gc", "all_controls", "all_controls_and_model",
)  # fmt: skip
GAIN, NO_GAIN, WORSE = "gain", "no gain", "worse"
Floats = NDArray[np.float64]


class LabelScore(NamedTuple):
    """How one score tells positives from others, with 95 % intervals of a bootstrap over blocks of genome."""

    score: str
    auroc: Estimate
    auprc: Estimate


class LabelResult(NamedTuple):
    """Scores of the model and of each control, and what the model adds to all controls.

    difference : AUPRC of controls and model less that of the controls alone, paired.   unlabelled : single-base changes
    without a label.
    """

    label: str
    variants: int
    positives: int
    blocks: int
    scores: tuple[LabelScore, ...]
    difference: Estimate
    verdict: str
    unlabelled: int


@dataclass(kw_only=True)
class LabelledVariants:
    """Gathers the single-base changes of a VCF that carry a label.

    field_name : INFO field, or the column ID, QUAL or FILTER.   positive : the value of positives, any other being a
    negative; None for values that are 1 or 0, true or false, yes or no, one for all alternatives of a record or one
    each. A field without a value is a flag: records that lack it are then negatives.
    """

    field_name: str
    positive: str | None = None
    contig: list[str] = field(default_factory=list)
    position: list[int] = field(default_factory=list)
    label: list[bool | None] = field(default_factory=list)
    ratio: list[float] = field(default_factory=list)
    markov: list[float] = field(default_factory=list)
    kind: list[int] = field(default_factory=list)
    flags: int = 0
    values: int = 0

    def take(self, each: Scored) -> None:
        """Note one record. Raises InputError for a value that is no label."""
        told = self._value(each)
        many = told.split(",") if told else [told]
        for row, effect in enumerate(each.effects):
            if effect is None or effect.kind < 0 or effect.markov is None:
                continue
            self.contig.append(each.record.contig)
            self.position.append(each.record.position)
            self.label.append(self._label(many[row] if len(many) == len(each.effects) else many[0], each))
            self.ratio.append(sum(effect.log_ratio) / 2)
            self.markov.append(sum(effect.markov) / 2)
            self.kind.append(effect.kind)

    def _value(self, each: Scored) -> str | None:
        """Text of the field in a record; '' of a flag, None where it is absent."""
        columns = each.record.line.split("\t", 8)
        if self.field_name in COLUMNS:
            self.values += 1
            return columns[COLUMNS[self.field_name]]
        for entry in columns[7].split(";"):
            name, equals, value = entry.partition("=")
            if name == self.field_name:
                self.values, self.flags = self.values + bool(equals), self.flags + (not equals)
                return value
        return None

    def _label(self, value: str | None, each: Scored) -> bool | None:
        """Label of a value; None where there is none."""
        if value is None or value == ".":
            return None
        if self.positive is not None:
            return value == self.positive
        if value == "" or value.lower() in TRUE:
            return True
        if value.lower() in FALSE:
            return False
        raise InputError(
            f"record {each.record.contig}:{each.record.position + 1} has {self.field_name}={value}, which is no label:"
            f" use a flag, or 1 and 0, or name the value of positives as {self.field_name}=VALUE."
        )

    @property
    def labelled(self) -> NDArray[np.int64]:
        """Rows that carry a label: all where the field is a flag, whose absence is one."""
        return np.array([row for row, label in enumerate(self.label) if label is not None or self.flags], np.int64)

    @property
    def told(self) -> str:
        """The label as it was asked for."""
        return self.field_name if self.positive is None else f"{self.field_name}={self.positive}"


def labels_from(text: str) -> LabelledVariants:
    """Read 'FIELD' or 'FIELD=VALUE'. Raises UsageError for nothing on either side."""
    name, equals, positive = text.partition("=")
    if not name or (equals and not positive):
        raise UsageError(f"--labels '{text}' is no field, nor a field and a value as in CLNSIG=Pathogenic; name one.")
    return LabelledVariants(field_name=name, positive=positive if equals else None)


def judge_labels(found: LabelledVariants, genome: Genome, *, block_bp: int, seed: int) -> LabelResult:
    """Scores, intervals and verdict. block_bp : bases resampled together.

    Raises InputError for a field that no record has, or too few variants of either label, or too few blocks.
    """
    if found.flags and found.values:
        raise InputError(f"{found.field_name} is a flag in some records and has a value in others; make it one.")
    if not found.flags + found.values:
        raise InputError(
            f"no record of the VCF has the INFO field {found.field_name} of --labels; name one that it has."
        )
    rows = found.labelled
    label = np.array([bool(found.label[row]) for row in rows.tolist()], dtype=bool)
    positives = int(label.sum())
    if min(positives, len(label) - positives) < FEWEST:
        raise InputError(
            f"--labels {found.told} marks {positives:,} of {len(label):,} scored single-base changes:"
            f" {FEWEST} of either label are needed to judge a model."
        )
    index = {name: place for place, name in enumerate(genome.names)}
    contig = np.array([index[name] for name in found.contig], dtype=np.int64)[rows]
    position = np.array(found.position, dtype=np.int64)[rows]
    _, block = np.unique(
        block_numbers(contig, position, block_length(block_bp, int(genome.lengths.sum()))), return_inverse=True
    )
    blocks = int(block.max()) + 1
    if blocks < FEWEST_BLOCKS:
        raise InputError(
            f"the labelled variants lie in {blocks} blocks of genome, and {FEWEST_BLOCKS} are needed for an interval:"
            " spread them over more of it."
        )
    of_model = -np.array(found.ratio)[rows, None]
    of_markov = -np.array(found.markov)[rows, None]
    kinds = np.eye(N_KINDS)[np.array(found.kind)[rows]]
    around = gc_around(genome, contig, position)
    around = np.stack([around, around**2], axis=1)
    fold = block % FOLDS
    controls = np.concatenate([kinds, around, of_markov], axis=1)
    both = np.concatenate([controls, of_model], axis=1)
    scores = {
        MODEL: of_model[:, 0],
        MARKOV: of_markov[:, 0],
        KIND: cross_fitted(kinds, label, fold),
        GC: cross_fitted(around, label, fold),
        CONTROLS: cross_fitted(controls, label, fold),
        BOTH: cross_fitted(both, label, fold),
    }
    resamples = block_bootstrap(block, RESAMPLES, spawn(seed, "bootstrap"))
    judged = tuple(
        LabelScore(name, *(score_interval(label, values, resamples, score) for score in (auroc, auprc)))
        for name, values in scores.items()
    )
    difference = paired_difference(label, scores[BOTH], scores[CONTROLS], resamples, auprc)
    verdict = GAIN if difference.low > 0 else WORSE if difference.high < 0 else NO_GAIN
    return LabelResult(
        found.told, len(label), positives, blocks, judged, difference, verdict, len(found.label) - len(label)
    )


def gc_around(genome: Genome, contig: Sequence[int] | NDArray[np.int64], position: NDArray[np.int64]) -> Floats:
    """Fraction of G and C within GC_REACH bases of each place, the place itself left out, within its contig."""
    codes = genome.all_codes
    first, length = genome.starts[contig], genome.lengths[contig]
    steps = np.concatenate([np.arange(-GC_REACH, 0), np.arange(1, GC_REACH + 1)])
    place = position[:, None] + steps
    inside = (place >= 0) & (place < length[:, None])
    near = codes[np.clip(first[:, None] + place, 0, len(codes) - 1)]
    gc: Floats = (np.isin(near, (1, 2)) & inside).sum(axis=1) / np.maximum(((near < 4) & inside).sum(axis=1), 1)
    return gc


def cross_fitted(features: Floats, label: NDArray[np.bool_], fold: NDArray[np.int64]) -> Floats:
    """Log odds of each row by a logistic regression fitted on the rows of other folds; features standardised there."""
    log_odds = np.zeros(len(label))
    for each in np.unique(fold).tolist():
        rest, mine = fold != each, fold == each
        mean, scale = features[rest].mean(axis=0), features[rest].std(axis=0)
        scale = np.where(scale > 0, scale, 1)
        if label[rest].all() or not label[rest].any():
            log_odds[mine] = 0
            continue
        fitted = LogisticRegression(C=1.0, max_iter=2000).fit((features[rest] - mean) / scale, label[rest])
        log_odds[mine] = fitted.decision_function((features[mine] - mean) / scale)
    return log_odds

"""Measures of several files on the same rows and resamples, and what they say of groups of files.

Two levels are drawn. The blocks: every file is measured in the same resamples, so that a difference is paired. The
files of a group (its seeds): drawn with replacement in each resample. A few seeds show too little of their spread: n of
them drawn from n vary by (n - 1) / n of what they should, and a percentile of the normal distribution is too near where
Student's is asked for; both are made good by widening the deviations of what was drawn from the mean of the group.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from genolstm.errors import UsageError
from genolstm.estimate import Estimate, holm
from genolstm.probes.scores import interval
from genolstm.seeds import spawn
from genolstm.store.comparison import Difference, FileValue, GroupValue

Floats = NDArray[np.float64]
LEVEL = 0.05  # of both the interval and the corrected p
BETTER, WORSE, NO_DIFFERENCE, CANNOT_TELL, NOT_JUDGED = (
    "better", "worse", "no difference", "cannot tell", "not judged",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """One measure of every file, on the same rows.

    values : [files].   drawn : [files, R], in the same resamples of blocks; None where there are none.
    lower_is_better : as bits are.   few_blocks : too few for an interval.   few_positives : too few for a verdict.
    """

    target: str
    measure: str
    values: Floats
    drawn: Floats | None
    lower_is_better: bool = False
    few_blocks: bool = False
    few_positives: bool = False


def two_sided_p(drawn: Floats) -> float:
    """Twice the smaller fraction of the resamples [R] on either side of zero, one more counted on each; at most 1."""
    known = drawn[~np.isnan(drawn)]
    beyond = min(int((known <= 0).sum()), int((known >= 0).sum()))
    return min(1.0, 2 * (beyond + 1) / (len(known) + 1))


def equal_blocks(weights: NDArray[np.int64]) -> float:
    """How many equal blocks say as much as these (Kish 1965). weights : [blocks], rows of each."""
    return float(weights.sum()) ** 2 / float((weights.astype(np.float64) ** 2).sum())


def widened(drawn: Floats, values: Floats, blocks: float, rng: np.random.Generator) -> Floats:
    """Means in resamples of few blocks, [files, R], as far from the mean as Student's t is.

    Of means over 8 blocks that differ by chance alone, a percentile interval as drawn excludes zero in 12 of 100.
    n blocks drawn from n vary by (n - 1) / n of what they should; and a normal deviate over the root of a chi-square
    over its degrees of freedom is one of Student's: one draw for each resample, so that differences stay paired.
    values : [files], the means.   blocks : see `equal_blocks`.
    """
    if blocks < 2:  # of one block there is no spread
        return drawn
    freedom = blocks - 1
    factor = np.sqrt(blocks / rng.chisquare(freedom, drawn.shape[1]))  # n / (n - 1) x (n - 1) / chi-square
    centre = values[:, None]
    moved: Floats = centre + factor * (drawn - centre)
    return moved


def widening(seeds: int, freedom: int) -> float:
    """By how much deviations of so many drawn seeds are widened. freedom : degrees of it in the spread of seeds."""
    student = float(stats.t.ppf(1 - LEVEL / 2, freedom) / stats.norm.ppf(1 - LEVEL / 2))
    return student * float(np.sqrt(seeds / (seeds - 1)))


def drawn_mean(drawn: Floats, rng: np.random.Generator, freedom: int) -> Floats:
    """Mean of a group in each resample, its files drawn too: [R]. drawn : [files, R]."""
    seeds, resamples = drawn.shape
    if seeds == 1:
        only: Floats = drawn[0]
        return only
    counts = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples).T
    mean = drawn.mean(axis=0)
    moved: Floats = mean + widening(seeds, freedom) * ((counts * drawn).sum(axis=0) / seeds - mean)
    return moved


def file_values(measured: Measured, names: Sequence[str]) -> list[FileValue]:
    """Value of each file with its interval."""
    return [
        FileValue(name, measured.target, measured.measure, *_estimate(measured, value, drawn))
        for name, value, drawn in zip(names, measured.values, _rows_of(measured), strict=True)
    ]


def _rows_of(measured: Measured) -> Sequence[Floats | None]:
    return list(measured.drawn) if measured.drawn is not None else [None] * len(measured.values)


def _estimate(measured: Measured, value: float, drawn: Floats | None) -> Estimate:
    if measured.few_blocks:
        return Estimate(float(value), -np.inf, np.inf)
    if drawn is None:
        return Estimate(float(value), np.nan, np.nan)
    return interval(float(value), drawn, level=1 - LEVEL)


class Groups:
    """Files by group, in the order in which groups are first named. group_of : of each file."""

    def __init__(self, group_of: Sequence[str], seed: int) -> None:
        self.files = {name: [row for row, each in enumerate(group_of) if each == name] for name in group_of}
        self.seed = seed

    def values(self, measured: Measured) -> list[GroupValue]:
        """Mean of each group, its spread over files, and its interval over files and blocks."""
        found = []
        for name, rows in self.files.items():
            values = measured.values[rows]
            drawn = None if measured.drawn is None else self._drawn(measured, name, len(rows) - 1)
            sd = float(values.std(ddof=1)) if len(rows) > 1 else np.nan
            ends = _estimate(measured, values.mean(), drawn)
            found.append(GroupValue(name, measured.target, measured.measure, len(rows), sd, *ends))
        return found

    def _drawn(self, measured: Measured, name: str, freedom: int) -> Floats:
        assert measured.drawn is not None
        rng = spawn(self.seed, f"files of {name}")
        return drawn_mean(measured.drawn[self.files[name]], rng, freedom)

    def differences(self, every: Sequence[Measured]) -> list[Difference]:
        """Every pair of groups on every measure, p corrected over all pairs and targets of one measure.

        Raises UsageError where there are too few resamples for any p to pass.
        """
        by_measure: dict[str, list[Measured]] = {}
        for each in every:
            by_measure.setdefault(each.measure, []).append(each)
        return [row for family in by_measure.values() for row in self._family(family)]

    def _family(self, family: Sequence[Measured]) -> list[Difference]:
        rows = [(each, one, other) for each in family for one, other in combinations(self.files, 2)]
        self._check_resamples(rows)
        found = [self._difference(*row) for row in rows]
        judged = [place for place, (_, p) in enumerate(found) if not np.isnan(p)]
        adjusted = dict(zip(judged, holm([found[place][1] for place in judged]), strict=True))
        return [
            Difference(
                one, other, each.target, each.measure, *estimate, p, adjusted.get(place, np.nan),
                _word(each, estimate, adjusted.get(place, np.nan)),
            )
            for place, ((each, one, other), (estimate, p)) in enumerate(zip(rows, found, strict=True))
        ]  # fmt: skip

    def _check_resamples(self, rows: Sequence[tuple[Measured, str, str]]) -> None:
        drawn = rows[0][0].drawn if rows else None
        if drawn is not None and 2 * len(rows) > LEVEL * (drawn.shape[1] + 1):
            wanted = int(2 * len(rows) / LEVEL)
            raise UsageError(
                f"{drawn.shape[1]} resamples are too few to correct {len(rows)} differences: give --resamples"
                f" {wanted} or more, or fewer files."
            )

    def _difference(self, measured: Measured, one: str, other: str) -> tuple[Estimate, float]:
        """One less another, and its p; NaN where there are no resamples."""
        value = float(measured.values[self.files[one]].mean() - measured.values[self.files[other]].mean())
        if measured.drawn is None or measured.few_blocks:
            return _estimate(measured, value, None), np.nan
        freedom = len(self.files[one]) + len(self.files[other]) - 2
        change = self._drawn(measured, one, freedom) - self._drawn(measured, other, freedom)
        return interval(value, change, level=1 - LEVEL), two_sided_p(change)


def _word(measured: Measured, difference: Estimate, p_adjusted: float) -> str:
    """What may be said: a difference only where the interval excludes zero and the corrected p passes too."""
    if measured.few_blocks or measured.few_positives:
        return CANNOT_TELL
    if measured.drawn is None:
        return NOT_JUDGED
    if difference.low <= 0 <= difference.high or p_adjusted >= LEVEL:
        return NO_DIFFERENCE
    return BETTER if (difference.value > 0) != measured.lower_is_better else WORSE

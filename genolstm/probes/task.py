"""Task of a probe of hidden states: sites or windows, a truth at each, their parts and blocks, and the controls.

A target has one of two classes (logistic regression), one of several (multinomial), or a value (ridge).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.probes.linear import REGULARISATION_GRID, fit_logistic, fit_ridge
from genolstm.probes.multinomial import fit_multinomial
from genolstm.probes.scores import Score, accuracy, auprc, r2
from genolstm.regions import Sites
from genolstm.settings.site_reading import SiteReading
from genolstm.store.results import LinearProbe

Floats = NDArray[np.float64]
Truth = NDArray[np.int8] | NDArray[np.float32]
Features = NDArray[np.floating]
Log = Callable[[str], None]

TRAINED, SHUFFLED, CONTROL_TASK = "trained", "shuffled", "control_task"
NN = "nn"  # boosted trees on the trained states: no control, and never part of the verdict
RANDOM_INIT = "untrained_"  # then the number of the random-init model, from 1
SWEEP_GRID = REGULARISATION_GRID[::2]  # a coarse search ranks the readings; the best of them gets the whole grid
SWEEP_TOLERANCE = 1e-3


@dataclass(frozen=True, kw_only=True)
class TargetType:
    """How a target is fitted, and which score ranks the fits.

    ranked : name of the score that verdicts are made from.   score : that score.   fit, fit_coarsely : features, truth,
    train, valid -> probe; the coarse one is enough to rank readings.   judged : from what a probe predicts, [N] or
    [N, K], to what the score is given, [N].
    """

    ranked: str
    score: Score
    fit: Callable[..., LinearProbe]
    fit_coarsely: Callable[..., LinearProbe]
    judged: Callable[[Floats], Floats]


def _as_it_is(predicted: Floats) -> Floats:
    return predicted


def likeliest(log_odds: Floats) -> Floats:
    """Class of the highest log odds, [N]. log_odds : [N, K]."""
    best: Floats = log_odds.argmax(axis=1).astype(np.float64)
    return best


BINARY = TargetType(
    ranked="auprc",
    score=auprc,
    fit=fit_logistic,
    fit_coarsely=partial(fit_logistic, grid=SWEEP_GRID, tolerance=SWEEP_TOLERANCE),
    judged=_as_it_is,
)
MULTICLASS = TargetType(
    ranked="accuracy",
    score=accuracy,
    fit=fit_multinomial,
    fit_coarsely=partial(fit_multinomial, grid=SWEEP_GRID, tolerance=SWEEP_TOLERANCE),
    judged=likeliest,
)
CONTINUOUS = TargetType(
    ranked="r2", score=r2, fit=fit_ridge, fit_coarsely=partial(fit_ridge, grid=SWEEP_GRID), judged=_as_it_is
)


class MatchedRows(NamedTuple):
    """Test rows of which AUPRC and AUROC are reported again: positives, and negatives that are like them.

    name : ends the names of these scores.   what : the rows, as a phrase.   rows : from the test rows' truth to indices
    into them, int64 [n]; raises InputError where too few match.
    """

    name: str
    what: str
    rows: Callable[[Truth], NDArray[np.int64]]


@dataclass(frozen=True, kw_only=True, eq=False)
class ProbeTarget:
    """One truth to predict at the sites of a task.

    truth : [N], classes from 0, or values.   label_controls : name -> labels without information [N], which the trained
    states are fitted to and scored on; shuffled ones are added to them.
    ceiling : control that determines the truth and is no baseline; '' where there is none.
    more_scores : further scores of two classes.   matched : rows of a second score.   prevalence : of true sites among
    all candidates of the test part.   definition : of the truth, as text and numbers.
    """

    name: str
    type: TargetType
    truth: Truth
    label_controls: Mapping[str, Truth] = field(default_factory=dict)
    ceiling: str = ""
    more_scores: Mapping[str, Score] = field(default_factory=dict)
    matched: MatchedRows | None = None
    prevalence: float | None = None
    definition: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class ProbeTask:
    """Sites or windows with their parts and blocks, the targets there, and sequence controls.

    controls : name and features [N, F] of each control that sees the sequence alone, one after the other.
    homology : fraction of the test windows that share a 31-mer with training; of proteins, the largest identity.
    readings : what is read at points; of several the best on validation is taken. One that is empty for pooled states.
    components : of each block of states; 0 for the states themselves.   nn : beside the probe, boosted trees.
    pooling : what is made of the states of a window.   width : bp of a site, from its position on.
    places, chains : of proteins, columns that the file holds beside the sites.
    Controls and homology are made only when needed: processes that only read the genome never need them.
    """

    sites: Sites
    targets: tuple[ProbeTarget, ...]
    controls: Callable[[], Iterator[tuple[str, Features]]]
    homology: Callable[[], float]
    readings: tuple[SiteReading, ...] = (SiteReading(),)
    components: int = 0
    nn: bool = False
    pooling: tuple[str, ...] = ()
    width: int = 1
    definition: Mapping[str, Any] = field(default_factory=dict)
    places: Mapping[str, Any] = field(default_factory=dict)
    chains: Mapping[str, Any] = field(default_factory=dict)

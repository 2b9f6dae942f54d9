"""What a user's labels ask for: one of two classes, one of several, or a value; and what is odd about them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError
from genolstm.probes.task import BINARY, CONTINUOUS, MULTICLASS, TargetType, Truth
from genolstm.regions import Part
from genolstm.settings.sites import LabelKind

MOST_CLASSES = 50
MOST_WHOLE = 10  # whole numbers of more kinds are values
POSITIVE = "1"  # of two classes the one to be found, unless it is named
FEWEST_VALUES = 10  # sites that each part needs


@dataclass(frozen=True, kw_only=True, eq=False)
class SiteTruth:
    """The truth at labelled sites. truth : [N], classes from 0, or values.   classes : names by number; () of values.

    Of two classes the second is to be found.
    """

    type: TargetType
    truth: Truth
    classes: tuple[str, ...] = ()

    def counts(self, part: NDArray[np.int8]) -> dict[str, dict[str, int]]:
        """Sites of each class in each part, or of each part where values are asked."""
        names = self.classes or ("sites",)
        numbers = self.truth if self.classes else np.zeros(len(part))
        return {
            each.name.lower(): {
                name: int(((part == each) & (numbers == number)).sum()) for number, name in enumerate(names)
            }
            for each in Part
        }

    def require_parts(
        self,
        part: NDArray[np.int8],
        source: str,
        remedy: str = "name --train-contigs and --test-contigs with more sites",
    ) -> None:
        """Fail before the genome is read, not after. Raises InputError where a part lacks a class, or values."""
        for name, counts in self.counts(part).items():
            few = {each: count for each, count in counts.items() if count < (1 if self.classes else FEWEST_VALUES)}
            if few and self.classes:
                there = ", ".join(f"{count} '{each}'" for each, count in counts.items())
                raise InputError(
                    f"the {name} part holds {there} of {source} that can be read, and a probe needs sites of every"
                    f" class in training, validation and test; {remedy}."
                )
            if few:
                raise InputError(
                    f"the {name} part holds {counts['sites']} sites of {source} that can be read, and a probe needs"
                    f" {FEWEST_VALUES} in training, validation and test; {remedy}."
                )


def truth_of(labels: Sequence[str], kind: LabelKind, positive: str, source: str, *, may_draw: bool = True) -> SiteTruth:
    """Truth of the labels of a file. kind : what labels are.   positive : of two classes; '' for '1', or the rarer.

    may_draw : whether negatives could be drawn for positives alone, so that messages may say so.

    Raises InputError for labels of one class, of nearly as many classes as sites, and values that are no numbers.
    """
    counts = Counter(labels)
    numbers = _numbers(counts)
    if kind is LabelKind.AUTO:
        kind = LabelKind.VALUES if _are_values(numbers) else LabelKind.CLASSES
    if kind is LabelKind.VALUES:
        if numbers is None:
            wrong = next(label for label in counts if _number(label) is None)
            raise InputError(
                f"{source} has the label '{wrong}', which is no value; correct it, or add --labels-as classes."
            )
        values = np.array([numbers[label] for label in labels], dtype=np.float32)
        if len(np.unique(values)) < 2:
            raise InputError(f"all sites of {source} have the value {values[0]:g}; a probe needs values that differ.")
        return SiteTruth(type=CONTINUOUS, truth=values)
    if len(counts) == 1:
        draw = "add --negatives matched, or " if may_draw else ""
        raise InputError(f"all sites of {source} have one label, '{labels[0]}'; {draw}give sites of another class.")
    if len(counts) > MOST_CLASSES or 2 * len(counts) > len(labels):
        raise InputError(
            f"{source} has {len(counts):,} classes for {len(labels):,} sites: its labels look like names or values;"
            " give classes of several sites each, "
            + (
                "--label score, --labels-as values, or --negatives where all are positive."
                if may_draw
                else "or --label score or --labels-as values."
            )
        )
    names = tuple(sorted(counts, key=lambda name: (numbers[name] if numbers else 0.0, name)))
    if positive and (len(names) != 2 or positive not in names):
        raise InputError(
            f"--positive '{positive}' is not one of two classes of {source}, which has {', '.join(names)}."
        )
    if len(names) == 2:
        found = positive or (POSITIVE if POSITIVE in names else min(reversed(names), key=lambda name: counts[name]))
        names = tuple(sorted(names, key=lambda name: name == found))
    place = {name: number for number, name in enumerate(names)}
    classes = np.array([place[label] for label in labels], dtype=np.int8)
    return SiteTruth(type=BINARY if len(names) == 2 else MULTICLASS, truth=classes, classes=names)


def _number(label: str) -> float | None:
    try:
        value = float(label)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def _numbers(labels: Counter[str]) -> dict[str, float] | None:
    """Each label as a number; None where one is none."""
    found = {label: value for label in labels if (value := _number(label)) is not None}
    return found if len(found) == len(labels) else None


def _are_values(numbers: dict[str, float] | None) -> bool:
    if numbers is None or len(set(numbers.values())) <= 2:
        return False
    return len(numbers) > MOST_WHOLE or any(value != int(value) for value in numbers.values())

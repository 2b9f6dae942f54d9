"""Courses by which a nascent strand nears its steady fraction: the cell alone, or a known mixture of its cells.

m(t) = g (1 - S(t)), where S is what is still missing. Each form is a mixture of tied-gate cells that differ in rate or
age alone, and has one number that all CpGs share:

=========== =================================================================== ============================
form        S(t)                                                                shared number
=========== =================================================================== ============================
single      exp(-k t)                                                           none
lag         exp(-k (t - L)), 1 before L                                         L, time before maintenance
two-pools   (1 - a) exp(-k t)                                                   a, copied at the fork at once
ages        mean of exp(-k u) over u within w / 2 of t, none below 0            w, width of the label's window
rates       (1 + k t / c)^-c: exp(-r t) averaged over a gamma distribution of r c, shape; k is the mean rate
coupled     of no closed form: see `methylation.coupled`                       b, recruitment by neighbours
=========== =================================================================== ============================

The last is the Laplace transform of the gamma density; c without end is the single cell.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.settings.methylation import KineticForm
from genolstm.store.methylation import MethylationFit

Floats = NDArray[np.float64]


class Course(NamedTuple):
    """One form with its shared number; `parameter` has no meaning for the single form, and is 0 there."""

    form: KineticForm = KineticForm.SINGLE
    parameter: float = 0.0

    def missing(self, rate: Floats, age: float | Floats) -> Floats:
        """S: the part of the steady fraction that is not yet reached, of one shape with rate * age."""
        number, age = self.parameter, np.asarray(age, dtype=np.float64)
        if self.form is KineticForm.LAG:
            left: Floats = np.exp(-rate * np.maximum(age - number, 0))
        elif self.form is KineticForm.TWO_POOLS:
            left = (1 - number) * np.exp(-rate * age)
        elif self.form is KineticForm.AGES:
            young, old = np.maximum(age - number / 2, 0), age + number / 2
            left = (np.exp(-rate * young) - np.exp(-rate * old)) / (rate * (old - young))
        elif self.form is KineticForm.RATES:
            left = (1 + rate * age / number) ** -number
        else:
            left = np.exp(-rate * age)
        return left

    def half_life(self, rate: Floats) -> Floats:
        """Time in which half of what is missing is gained, in the unit of 1 / rate; of the slow pool, after a lag."""
        with np.errstate(divide="ignore"):
            if self.form is KineticForm.RATES:
                return np.asarray(self.parameter * np.expm1(np.log(2) / self.parameter) / rate)
            return np.asarray(np.log(2) / rate + (self.parameter if self.form is KineticForm.LAG else 0.0))


def candidates(form: KineticForm, elapsed: Floats) -> tuple[Course, ...]:
    """Courses among which the reads choose. elapsed : [T], ages of the samples; a lag ends before the second one."""
    ages = np.unique(elapsed)
    earliest = float(ages[ages > 0][0])
    numbers = {
        KineticForm.SINGLE: (0.0,),
        KineticForm.LAG: tuple(earliest * each for each in (0.25, 0.5, 0.75, 0.9)),
        KineticForm.TWO_POOLS: (0.2, 0.4, 0.5, 0.6, 0.7, 0.8),
        KineticForm.AGES: tuple(earliest * each for each in (0.5, 1.0, 2.0, 4.0)),
        KineticForm.RATES: (0.25, 0.35, 0.5, 0.7, 1.0, 1.5, 2.5, 5.0, 15.0, 50.0),
        KineticForm.COUPLED: (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0),
    }
    return tuple(Course(form, number) for number in numbers[form])


FORMS = tuple(form for form in KineticForm if form is not KineticForm.AUTO)
CLOSED = tuple(form for form in FORMS if form is not KineticForm.COUPLED)  # whose S is known without surroundings


def course_of(fit: MethylationFit) -> Course:
    """The course that a fit was made under."""
    return Course(KineticForm(fit.form), fit.numbers.get("form_parameter", 0.0))

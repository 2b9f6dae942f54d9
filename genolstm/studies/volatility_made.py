"""Made series of returns whose variance an exogenous series does steer, or does not: what must come out is known."""

import math

import numpy as np

from genolstm.studies.volatility_cells import Series

DAYS = 3000
FORGET, SIZE_WEIGHT, WRITE, FLOOR = 2.2, 0.15, 0.08, 0.05  # a, b, i and what is added to each square
PERSISTENCE = 0.7  # of the exogenous series, an AR(1) of variance 1 about 0
EFFECT = 0.5  # w of the planted effect: a deviation of s moves the log-odds of the forget gate by so much
PLANTED, IDLE = "sentiment", "nothing"  # columns: what may steer, and what never does
FIRST_DAY = np.datetime64("2000-01-03")


def made_series(name: str, rng: np.random.Generator, *, effect: float, days: int = DAYS) -> Series:
    """Draw returns from the cell itself: v' = f v + i (r^2 + floor) with f = sigmoid(a - b|r| + w s).

    effect : w of the first exogenous column, which takes both signs; the second column never has one.
    """
    noise = rng.normal(size=(days, 2)) * math.sqrt(1 - PERSISTENCE**2)
    exogenous = np.zeros((days, 2))
    for day in range(1, days):
        exogenous[day] = PERSISTENCE * exogenous[day - 1] + noise[day]
    news = rng.normal(size=days)
    returns = np.empty(days)
    variance = 1.0
    for day in range(days):
        returns[day] = math.sqrt(variance) * news[day]
        drive = FORGET - SIZE_WEIGHT * abs(returns[day]) + effect * exogenous[day, 0]
        variance = variance / (1 + math.exp(-drive)) + WRITE * (returns[day] ** 2 + FLOOR)
    return Series(name, FIRST_DAY + np.arange(days), returns, None, exogenous, (PLANTED, IDLE))

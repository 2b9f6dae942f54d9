"""Maximise a log-likelihood over many CpGs at once: bounded Newton steps, and profile-likelihood intervals.

At a given ln k the log-likelihood is concave in g and m0 (the probability of a methylated read is linear in them), so
that Newton's step is safe there; along ln k it need not be, and the step is turned uphill where the profile is hollow.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.methylation.likelihood import LOG_RATE, Floats, ReadModel, Reads, Surface, surface

ROUNDING = 1e-14
MOST_STEPS = 60  # of a climb; a few are enough nearly everywhere
STEP_TOLERANCE = 1e-7  # in ln k, g and m0
LONGEST_LOG_STEP = 0.7  # a factor of two in k
MOST_EVALUATIONS = 40  # of a profile, per end of an interval
DEVIANCE_TOLERANCE = 1e-4  # of the root of the deviance at an interval's end


class Box(NamedTuple):
    """Bounds of each parameter, low and high [P, N] each; a parameter whose bounds meet is pinned there."""

    low: Floats
    high: Floats

    def of(self, chosen: NDArray[np.intp]) -> "Box":
        """Only some CpGs."""
        return Box(self.low[:, chosen], self.high[:, chosen])

    def pinned(self, row: int, values: Floats) -> "Box":
        """With one parameter held at given values [N]."""
        low, high = self.low.copy(), self.high.copy()
        low[row] = high[row] = values
        return Box(low, high)


def climb(point: Floats, reads: Reads, box: Box, model: ReadModel) -> tuple[Floats, Surface]:
    """Go uphill from a point [P, N] within a box until no step helps; the top and the surface about it."""
    point = np.clip(point, box.low, box.high)
    about = surface(point, reads, model)
    if not (box.high > box.low).any():
        return point, about
    active = np.arange(point.shape[1])
    now, here, within = point, about, box
    mine = reads
    step = np.ones(active.size)  # fraction of the Newton step that is tried
    direction = _direction(now, here, within)
    for _ in range(MOST_STEPS):
        tried = np.clip(now + step * direction, within.low, within.high)
        found = surface(tried, mine, model)
        better = found.value >= here.value - ROUNDING * np.abs(here.value)
        moved = np.abs(tried - now).max(axis=0)
        now = np.where(better, tried, now)
        here = Surface(
            np.where(better, found.value, here.value),
            np.where(better, found.slope, here.slope),
            np.where(better, found.curvature, here.curvature),
        )
        step = np.where(better, 1.0, step / 4)
        going = moved > STEP_TOLERANCE
        if not going.all():
            at_rest = active[~going]
            _put(point, about, at_rest, now[:, ~going], _of(here, ~going))
            kept = np.flatnonzero(going)
            if not kept.size:
                return point, about
            active, now, here, step = active[kept], now[:, kept], _of(here, kept), step[kept]
            mine, within = mine.of(kept), within.of(kept)
        direction = _direction(now, here, within)
    _put(point, about, active, now, here)
    return point, about


def _of(about: Surface, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Surface:
    return Surface(about.value[chosen], about.slope[:, chosen], about.curvature[:, :, chosen])


def _put(point: Floats, about: Surface, places: NDArray[np.intp], now: Floats, here: Surface) -> None:
    point[:, places] = now
    about.value[places] = here.value
    about.slope[:, places] = here.slope
    about.curvature[:, :, places] = here.curvature


def _free(point: Floats, slope: Floats, box: Box) -> NDArray[np.bool_]:
    """Parameters that can move uphill: not pinned, and not pressed against a bound; [P, N]."""
    pressed = ((point <= box.low) & (slope <= 0)) | ((point >= box.high) & (slope >= 0))
    free: NDArray[np.bool_] = (box.high > box.low) & ~pressed
    return free


def _direction(point: Floats, about: Surface, box: Box) -> Floats:
    """Newton's step among the free parameters, uphill along ln k even where the profile is hollow; [P, N]."""
    free = _free(point, about.slope, box)
    slope = about.slope * free
    solved, cross, profile, pull = _reduced(about.curvature, slope, free)
    steep = np.maximum(np.abs(profile), np.abs(pull) / LONGEST_LOG_STEP)
    log_step = np.divide(pull, steep, out=np.zeros_like(pull), where=steep > 0) * free[LOG_RATE]
    return np.concatenate([log_step[None], solved - cross * log_step])


def _reduced(curvature: Floats, slope: Floats, free: NDArray[np.bool_]) -> tuple[Floats, Floats, Floats, Floats]:
    """Solve for the linear parameters: their own step, their answer to ln k, curvature and slope of the profile."""
    # a parameter that may not move gets the curvature -1 and no slope, hence no step
    g_g = np.where(free[1], curvature[1, 1], -1.0)
    g_g = np.minimum(g_g, -1e-12)
    coupled = curvature[0, 1:] * free[1:]
    if len(slope) == 2:
        solved, cross = -slope[1:] / g_g, coupled / g_g
    else:
        s_s = np.minimum(np.where(free[2], curvature[2, 2], -1.0), -1e-12)
        g_s = np.where(free[1] & free[2], curvature[1, 2], 0.0)
        # one sample alone makes the two indistinguishable: a trace of their own curvature keeps the solution finite
        determinant = g_g * s_s * (1 + 1e-9) - g_s**2
        determinant = np.maximum(determinant, 1e-12 * g_g * s_s)

        def inverse(vector: Floats) -> Floats:
            rows = [s_s * vector[0] - g_s * vector[1], g_g * vector[1] - g_s * vector[0]]
            solution: Floats = np.stack(rows) / determinant
            return solution

        solved, cross = -inverse(slope[1:]), inverse(coupled)
    profile = curvature[0, 0] - (coupled * cross).sum(axis=0)
    pull = slope[0] + (coupled * solved).sum(axis=0)
    return solved, cross, profile, pull


def interval_end(
    row: int, side: int, top: Floats, top_value: Floats, drop: float, reads: Reads, box: Box, model: ReadModel
) -> tuple[Floats, NDArray[np.bool_]]:
    """Where the profile log-likelihood of one parameter has fallen by `drop` from its top; [N].

    side : -1 the lower end, +1 the upper.   top : [P, N] with value [N]. Also whether the end is open: the
    profile has not fallen so far at the bound, which is then the end. The square root of the deviance is nearly linear
    in the parameter, so that Newton's steps on it, held within a bracket, need few evaluations.
    """
    bound = (box.low if side < 0 else box.high)[row]
    _, at_bound = climb(top, reads, box.pinned(row, bound), model)
    open_end = at_bound.value >= top_value - drop
    ends = bound.copy()
    chosen = np.flatnonzero(~open_end)
    if not chosen.size:
        return ends, open_end
    inside, outside = top[row, chosen].copy(), bound[chosen].copy()
    point = top[:, chosen].copy()
    mine, within, best = reads.of(chosen), box.of(chosen), top_value[chosen]
    guess = _first_guess(row, side, point, surface(point, mine, model), drop)
    target = np.sqrt(2 * drop)
    for _ in range(MOST_EVALUATIONS):
        guess = np.where((guess - inside) * (guess - outside) < 0, guess, (inside + outside) / 2)
        point[row] = guess
        point, about = climb(point, mine, within.pinned(row, guess), model)
        fallen = np.sqrt(np.maximum(2 * (best - about.value), 1e-12))
        deep = fallen > target
        outside, inside = np.where(deep, guess, outside), np.where(deep, inside, guess)
        going = (np.abs(fallen - target) > DEVIANCE_TOLERANCE) & (np.abs(outside - inside) > STEP_TOLERANCE)
        ends[chosen[~going]] = guess[~going]
        kept = np.flatnonzero(going)
        if not kept.size:
            return ends, open_end
        slope = -about.slope[row] / fallen
        guess = guess - np.divide(fallen - target, slope, out=np.full_like(slope, np.inf), where=slope != 0)
        chosen, guess, inside, outside = chosen[kept], guess[kept], inside[kept], outside[kept]
        point, best, mine, within = point[:, kept], best[kept], mine.of(kept), within.of(kept)
    ends[chosen] = inside
    return ends, open_end


def _first_guess(row: int, side: int, point: Floats, about: Surface, drop: float) -> Floats:
    """Where a parabola about the top would have fallen by `drop`, [N]."""
    curved = -about.curvature[row, row]
    reach = np.sqrt(2 * drop / np.maximum(curved, 1e-3))
    guess: Floats = point[row] + side * reach
    return guess

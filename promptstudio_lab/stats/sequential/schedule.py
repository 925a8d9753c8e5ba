"""Group sequential tests: a few planned looks that together spend one alpha.

A spending function says how much of alpha may be used up at each share of the final information
(Lan & DeMets 1983); the boundary that spends exactly that is found by recursive integration of
the score process between the looks (Armitage, McPherson & Rowe 1969; Jennison & Turnbull 2000,
chapter 19).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.tails import (
    finite,
    level,
    one_of,
    positive,
    share_of,
    upper_quantile,
    upper_tail,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptstudio_lab.stats.sums import Floats

Spending: TypeAlias = Literal["obf", "pocock", "power"]
Sides: TypeAlias = Literal[1, 2]

_BEYOND = 9.0  # standard errors: what lies further out has no weight in a float
_LEAST_SPENT = 1e-15  # less than this is nothing: the look only takes stock
_NODES = 48
_NODES_PER_STEP = 8


@dataclass(frozen=True, slots=True)
class Schedule:
    """The boundary of planned looks.

    Attributes:
        information: the share of the final information at each look.
        bounds: the z beyond which a look stops; infinite where a look may not stop.
        spent: the alpha used up by each look and all before it.
        sides: 2 if both directions stop, else 1.
        alpha: the level of all looks together.
    """

    information: tuple[float, ...]
    bounds: tuple[float, ...]
    spent: tuple[float, ...]
    sides: int
    alpha: float


def schedule(
    information: Sequence[float],
    *,
    spending: Spending = "obf",
    alpha: float = 0.05,
    sides: int = 2,
    phi: float = 1.0,
    overrun: bool = False,
) -> Schedule:
    """Return the boundary for looks at the given shares of the final information.

    Args:
        information: the share of the final information at each look, rising, at most 1. Later
            looks need not be known yet, and need not be evenly spaced.
        spending: `obf`, after O'Brien & Fleming, spends little early; `pocock` spends evenly;
            `power` spends alpha * t**phi (Kim & DeMets 1987).
        alpha: the level of all looks together.
        sides: 2 if both directions stop, each at half of alpha; 1 if only a rise does.
        phi: the exponent of `power`.
        overrun: whether the last look may lie beyond 1, where more came than was planned; it
            spends what is left, and knows what was measured.

    Raises:
        AnalysisError: if the shares do not rise between 0 and 1, or a parameter is impossible.

    >>> [round(bound, 4) for bound in schedule([0.5, 1.0]).bounds]
    [2.9626, 1.9686]
    """
    times = _rising(information, overrun=overrun)
    one_of("spending", spending, get_args(Spending))
    share = level(alpha) / _sides(sides)
    spent = [_spend(spending, share, min(t, 1.0), positive("phi", phi)) for t in times]
    process, bounds, used = _Process(sides), [], 0.0
    for t, target in zip(times, spent, strict=True):
        process.advance(t)
        # What could not be spent is not lost: the next look may use it.
        bound = process.bound_spending((target - used) * sides)
        used += process.stop(bound) / sides
        bounds.append(bound)
    return Schedule(times, tuple(bounds), tuple(sides * one for one in spent), sides, alpha)


def crossing_probability(
    bounds: Sequence[float], information: Sequence[float], *, sides: int = 2, drift: float = 0.0
) -> float:
    """Return how probable it is that some look crosses its bound.

    Args:
        bounds: the z of each look.
        information: the share of the final information at each look.
        sides: 2 if both directions count, 1 if only a rise does.
        drift: the expected z at full information: 0 gives the level, anything else the power.

    Raises:
        AnalysisError: if bounds and looks differ in number, or the shares do not rise from 0 to 1.

    >>> round(crossing_probability([2.9626, 1.9686], [0.5, 1.0]), 4)
    0.05
    """
    times = _rising(information)
    if len(bounds) != len(times) or any(math.isnan(bound) for bound in bounds):
        message = f"{len(bounds)} bounds for {len(times)} looks: one number each is needed"
        raise AnalysisError(message)
    process, crossed = _Process(_sides(sides), finite("drift", drift)), 0.0
    for t, bound in zip(times, bounds, strict=True):
        process.advance(t)
        crossed += process.stop(bound)
    return crossed


def inflation(
    information: Sequence[float],
    *,
    spending: Spending = "obf",
    alpha: float = 0.05,
    power: float = 0.8,
) -> float:
    """Return how many times the units of a single look keep its power, where looks are planned.

    Args:
        information: the share of the final information at each look, the last of them 1.
        spending: as for `schedule`.
        alpha: the two-sided level of all looks together.
        power: the chance that some look sees the effect.

    Raises:
        AnalysisError: if a number is impossible, or the power is not above the level.

    >>> looks = [0.2, 0.4, 0.6, 0.8, 1.0]
    >>> round(inflation(looks), 3), round(inflation(looks, spending="pocock"), 3)
    (1.025, 1.212)
    """
    from scipy.optimize import brentq

    once = upper_quantile(alpha / 2) + upper_quantile(1 - share_of("power", power, "0.8 is usual"))
    bounds = schedule(information, spending=spending, alpha=alpha).bounds
    if power <= alpha:
        message = f"a power of {power} needs no units: it must be above the level, {alpha}"
        raise AnalysisError(message)

    def missing(drift: float) -> float:
        return crossing_probability(bounds, information, drift=drift) - power

    return float(brentq(missing, 0.0, 4 * once, xtol=1e-6) / once) ** 2


class _Process:
    """The score process at the looks: where it is, if no look has stopped it so far."""

    def __init__(self, sides: int, drift: float = 0.0) -> None:
        self.sides, self.drift = sides, drift
        self.time, self.step = 0.0, 0.0
        self.at: Floats = np.zeros(1)  # where the process may be, as nodes of a quadrature
        self.weight: Floats = np.ones(1)  # with what probability

    def advance(self, time: float) -> None:
        """Let information grow to `time`."""
        self.time, self.step = time, time - self.time

    def crossing(self, bound: float) -> float:
        """Return the probability of crossing `bound` now and not before."""
        from scipy.special import ndtr

        edge, root = bound * math.sqrt(self.time), math.sqrt(self.step)
        moved = self.at + self.drift * self.step
        crossed = self.weight @ ndtr((moved - edge) / root)
        if self.sides == 2:  # noqa: PLR2004 # two sides
            crossed += self.weight @ ndtr((-edge - moved) / root)
        return float(crossed)

    def bound_spending(self, alpha: float) -> float:
        """Return the bound that is crossed with probability `alpha` now."""
        if alpha <= _LEAST_SPENT:
            return math.inf
        from scipy.optimize import brentq

        lowest = 0.0 if self.sides == 2 else -_BEYOND  # noqa: PLR2004 # two sides
        if self.crossing(lowest) <= alpha:
            return lowest
        return float(brentq(lambda z: self.crossing(z) - alpha, lowest, 4 * _BEYOND, xtol=1e-12))

    def stop(self, bound: float) -> float:
        """Stop what crosses `bound`; return how probable that was."""
        crossed = self.crossing(bound) if math.isfinite(bound) else float(bound < 0)
        root, step = math.sqrt(self.time), math.sqrt(self.step)
        centre = self.drift * self.time
        highest = min(bound * root, centre + _BEYOND * root)
        lowest = centre - _BEYOND * root
        if self.sides == 2:  # noqa: PLR2004 # two sides
            lowest = max(-bound * root, lowest)
        if highest <= lowest:
            self.at, self.weight = np.zeros(1), np.zeros(1)
            return crossed
        nodes, weights = _quadrature(lowest, highest, step)
        gap = (nodes[:, None] - self.at - self.drift * self.step) / step
        density = np.exp(-(gap**2) / 2) @ self.weight / (step * math.sqrt(2 * math.pi))
        self.at, self.weight = nodes, weights * density
        return crossed


def _quadrature(low: float, high: float, step: float) -> tuple[Floats, Floats]:
    """Return Gauss-Legendre nodes and weights, dense enough for a normal density of that step."""
    panels = max(1, math.ceil((high - low) / (_NODES_PER_STEP * step)))
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    edges = np.linspace(low, high, panels + 1)
    half = (high - low) / panels / 2
    at = (edges[:-1, None] + half * (1 + nodes)).ravel()
    return at, np.tile(weights * half, panels)


def _spend(spending: str, alpha: float, t: float, phi: float) -> float:
    """Return the alpha of one side that may be used up at information `t`."""
    if spending == "obf":
        return 2 * upper_tail(upper_quantile(alpha / 2) / math.sqrt(t))
    if spending == "pocock":
        return alpha * math.log1p((math.e - 1) * t)
    return alpha * math.pow(t, phi)


def _sides(sides: int) -> int:
    if sides not in get_args(Sides):
        message = f"sides is {sides}; it must be 1 or 2"
        raise AnalysisError(message)
    return sides


def _rising(information: Sequence[float], *, overrun: bool = False) -> tuple[float, ...]:
    times = tuple(float(t) for t in information)
    rises = all(later > earlier for earlier, later in zip((0.0, *times), times, strict=False))
    last = times[:-1] if overrun else times
    if not (times and rises and all(t <= 1 for t in last) and times[-1] < math.inf):
        message = f"the looks are at {list(times)}; they must rise, above 0 and up to at most 1"
        raise AnalysisError(message)
    return times

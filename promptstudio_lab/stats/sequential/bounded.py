"""The mean of scores that lie between known bounds, without any limit theorem.

The predictable plug-in empirical-Bernstein confidence sequence (Waudby-Smith & Ramdas 2020,
arXiv:2010.09686, theorem 2): right at every number of scores from the first one on, however they
are distributed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.sums import numbers
from promptstudio_lab.stats.tails import level

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptstudio_lab.stats.sums import Floats

_LARGEST_BET = 0.5  # the paper's c: bets stay away from 1, where a single score could ruin them


@dataclass(frozen=True, slots=True)
class BoundedMean:
    """The mean of bounded scores, after every one of them.

    Attributes:
        estimate: the weighted mean that the sequence is centred on, after the last score.
        low: the lower end after the last score; what an earlier look excluded stays excluded.
        high: the upper end after the last score.
        lows: the lower end after each score.
        highs: the upper end after each score.
        n: how many scores there are.
    """

    estimate: float
    low: float
    high: float
    lows: tuple[float, ...]
    highs: tuple[float, ...]
    n: int


def bounded_mean(
    scores: Sequence[float] | Floats, *, low: float = 0.0, high: float = 1.0, alpha: float = 0.05
) -> BoundedMean:
    """Return the confidence sequence of the mean of scores between `low` and `high`.

    Args:
        scores: the scores in the order they came in; that order must not depend on their values.
            For paired scores give the differences, with the bounds -1 and 1.
        low: the least score that is possible.
        high: the largest score that is possible.
        alpha: the chance that the sequence ever misses the truth.

    Raises:
        AnalysisError: if there is no score, or one lies outside the bounds.

    >>> found = bounded_mean([1.0, 0.0, 1.0, 1.0] * 100)
    >>> round(found.low, 2), round(found.high, 2)
    (0.67, 0.83)
    """
    found = numbers("scores", scores)
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        message = f"the bounds are {low} and {high}; the least possible score comes first"
        raise AnalysisError(message)
    if not found.size:
        message = "there are no scores, so there is no mean"
        raise AnalysisError(message)
    beyond = np.flatnonzero((found < low) | (found > high))
    if beyond.size:
        message = (
            f"score {beyond[0]} is {found[beyond[0]]}; it must lie between {low} and {high}"
            " (scores count from 0)"
        )
        raise AnalysisError(message)
    unit = (found - low) / (high - low)
    surprise = math.log(2 / level(alpha))
    centre, half = _sequence(unit, surprise)
    lows = np.maximum.accumulate(np.maximum(centre - half, 0.0))
    highs = np.minimum.accumulate(np.minimum(centre + half, 1.0))
    lows, highs = (low + (high - low) * ends for ends in (lows, highs))
    estimate = low + (high - low) * float(centre[-1])
    ends = tuple(lows.tolist()), tuple(highs.tolist())
    return BoundedMean(estimate, ends[0][-1], ends[1][-1], *ends, int(found.size))


def _sequence(unit: Floats, surprise: float) -> tuple[Floats, Floats]:
    """Return centre and half width after each score, from bets that only know earlier scores."""
    count = np.arange(1, unit.size + 1)
    mean = (0.5 + np.cumsum(unit)) / (count + 1)
    spread = (0.25 + np.cumsum((unit - mean) ** 2)) / (count + 1)
    earlier_mean = np.concatenate([[0.5], mean[:-1]])
    earlier_spread = np.concatenate([[0.25], spread[:-1]])
    bets = np.sqrt(2 * surprise / (earlier_spread * count * np.log1p(count)))
    bets = np.minimum(bets, _LARGEST_BET)
    price = (-np.log1p(-bets) - bets) * (unit - earlier_mean) ** 2  # 4 psi_E(bet) of the paper
    staked = np.cumsum(bets)
    return np.cumsum(bets * unit) / staked, (surprise + np.cumsum(price)) / staked

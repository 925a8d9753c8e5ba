"""What a further number of observations will sum to, from those there are."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

from promptstudio_lab.stats.arms import Arm
from promptstudio_lab.stats.tails import count as whole
from promptstudio_lab.stats.tails import level, upper_quantile

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Prediction:
    """A sum that is not known yet.

    Attributes:
        estimate: the most likely sum.
        low: the lower end of the interval.
        high: the upper end.
    """

    estimate: float
    low: float
    high: float


def total_of_more(seen: Sequence[float], count: int, alpha: float = 0.05) -> Prediction:
    """Return the prediction interval of the sum of `count` further observations.

    The t interval of a mean of future observations (Hahn & Meeker, Statistical Intervals, 1991,
    section 4.3): n·(mean ± t(m-1)·sd·√(1/m + 1/n)) for m seen and n further ones.

    Args:
        seen: at least two observations.
        count: how many more, from 0.
        alpha: 1 minus the coverage.

    Raises:
        AnalysisError: for fewer than two observations, one that is no finite number, a negative
            count, or an alpha that is no level.

    >>> found = total_of_more([1.0, 3.0, 2.0], 10)
    >>> found.estimate, round(found.low, 1), round(found.high, 1)
    (20.0, -8.3, 48.3)
    """
    arm = Arm.of_values(seen, "seen")
    whole("count", count)
    critical = upper_quantile(level(alpha) / 2, arm.n - 1)
    half = critical * sqrt(arm.variance * (count * count / arm.n + count))
    middle = count * arm.mean
    return Prediction(middle, middle - half, middle + half)

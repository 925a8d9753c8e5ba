"""What a further number of observations will sum to, from those there are."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import fmean, variance
from typing import TYPE_CHECKING

from promptstudio_lab.errors import AnalysisError

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
        AnalysisError: for fewer than two observations or a negative count.

    >>> total_of_more([1.0, 3.0], 0)
    Prediction(estimate=0.0, low=0.0, high=0.0)
    """
    from scipy.stats import t

    if len(seen) < 2 or count < 0:  # noqa: PLR2004 — a spread needs two
        message = f"{len(seen)} observations say nothing about {count} more"
        raise AnalysisError(message)
    if count == 0:
        return Prediction(0.0, 0.0, 0.0)
    middle = fmean(seen)
    half = float(t.isf(alpha / 2, len(seen) - 1)) * sqrt(
        variance(seen) * (1 / len(seen) + 1 / count)
    )
    return Prediction(count * middle, count * (middle - half), count * (middle + half))

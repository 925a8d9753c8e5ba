"""Quantiles that can be merged: p95 of any window is right, without its rows.

A DDSketch (Masson, Rim, Lee 2019, VLDB 12(12), arXiv:1908.10693): values are counted in buckets
whose ends grow by (1 + e) / (1 - e), so a bucket's middle is within e of each of its values.
Counts of two windows add up to those of both. A mean of daily p95s is no p95 of the week.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.quantiles import quantile_ranks
from promptstudio_lab.stats.sums import numbers
from promptstudio_lab.stats.tails import share_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from promptstudio_lab.stats.sums import Floats

ERROR = 0.01
"""How far a quantile may lie from an exact one, as a share of it."""
SMALLEST = 1e-9
"""What is not larger is counted as 0."""
ZERO = -(2**31)
"""The bucket of what is counted as 0."""


def buckets(values: Sequence[float] | Floats, error: float = ERROR) -> NDArray[np.int64]:
    """Return the number of each value's bucket.

    Args:
        values: numbers of at least 0.
        error: the relative error of quantiles.

    Raises:
        AnalysisError: if a value is negative or no finite number.

    >>> buckets([0, 1, 1.01, 1.03]).tolist() == [ZERO, 0, 1, 2]
    True
    """
    found = numbers("values", values)
    if found.size and found.min() < 0:
        message = f"{found.min()} is negative; this sketch is of sizes, such as milliseconds"
        raise AnalysisError(message)
    safe = np.maximum(found, SMALLEST)
    at = np.ceil(np.log(safe) / math.log(_growth(error))).astype(np.int64)
    return np.where(found > SMALLEST, at, ZERO)


@dataclass(frozen=True, slots=True)
class Sketch:
    """The counts of a window's values.

    Attributes:
        counts: pairs of a bucket's number and how many values it holds, rising.
        error: the relative error of its quantiles.
    """

    counts: tuple[tuple[int, int], ...] = ()
    error: float = ERROR

    @classmethod
    def of(cls, values: Sequence[float] | Floats, error: float = ERROR) -> Sketch:
        """Return the sketch of values.

        Args:
            values: numbers of at least 0.
            error: the relative error of its quantiles.

        Raises:
            AnalysisError: if a value is negative or no finite number, or the error is no share.

        >>> Sketch.of([10, 20, 30]).n
        3
        """
        numbers_, times = np.unique(buckets(values, error), return_counts=True)
        return cls(tuple(zip(numbers_.tolist(), times.tolist(), strict=True)), error)

    @classmethod
    def counted(cls, counts: Mapping[int, int], error: float = ERROR) -> Sketch:
        """Return the sketch of buckets that somebody else has counted."""
        return cls(tuple(sorted(counts.items())), error)

    @property
    def n(self) -> int:
        """The number of values."""
        return sum(times for _, times in self.counts)

    def merged(self, other: Sketch) -> Sketch:
        """Return the sketch of both windows' values, exactly as if it had seen them all.

        Raises:
            AnalysisError: if their errors differ, for their buckets do too.

        >>> Sketch.of([1, 2]).merged(Sketch.of([3])) == Sketch.of([1, 2, 3])
        True
        """
        if self.error != other.error:
            message = f"sketches with errors of {self.error} and {other.error} cannot be merged"
            raise AnalysisError(message)
        return self.counted(Counter(dict(self.counts)) + Counter(dict(other.counts)), self.error)

    def quantile(self, p: float) -> float:
        """Return a quantile, within the sketch's error of the exact one; `nan` without values.

        The exact one is the order statistic at 1 + floor(p (n - 1)), numpy's `lower`.

        Args:
            p: which, such as 0.95.

        Raises:
            AnalysisError: if p does not lie between 0 and 1.

        >>> abs(Sketch.of(range(1, 1001)).quantile(0.95) - 950) <= 0.01 * 950
        True
        """
        rank = math.floor(share_of("p", p, "0.5 is the median") * (self.n - 1)) + 1
        return self.ranked(rank) if self.n else math.nan

    def interval(self, p: float, confidence: float = 0.95) -> tuple[float, float]:
        """Return an interval that holds the quantile of whatever the values were drawn from.

        It is made of order statistics (Conover 1999, section 3.2), so it holds for any
        distribution of independent values; an end that no value can give is 0 or infinite.

        Raises:
            AnalysisError: if there is no value, or p or confidence is no share.

        >>> low, high = Sketch.of(range(1, 1001)).interval(0.5)
        >>> low < 500 < high
        True
        """
        ranks = quantile_ranks(self.n, p, confidence=confidence)
        low = self.ranked(ranks.low) if ranks.low else 0.0
        return low, self.ranked(ranks.high) if ranks.high <= self.n else math.inf

    def ranked(self, rank: int) -> float:
        """Return the value of a rank, counted from 1, within the sketch's error.

        Raises:
            AnalysisError: if there is no such rank.

        >>> Sketch.of([0, 0, 5]).ranked(2)
        0.0
        """
        left = rank
        for number, times in self.counts:
            left -= times
            if left <= 0 < rank:
                return self._middle(number)
        message = f"there is no value of rank {rank} among {self.n}"
        raise AnalysisError(message)

    def _middle(self, number: int) -> float:
        if number == ZERO:
            return 0.0
        growth = _growth(self.error)
        return 2 * growth**number / (growth + 1)


def _growth(error: float) -> float:
    return (1 + share_of("error", error, "0.01 is usual")) / (1 - error)

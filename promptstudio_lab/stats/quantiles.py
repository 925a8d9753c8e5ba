"""Quantiles, such as the p95 of latency: from order statistics, also when rows come in clusters.

The standard error of a quantile is read off the order statistics around it: the distance between
those at p ± z * se(p), divided by 2 z, where se(p) is that of the share of rows below the
quantile, cluster-robust when rows come in clusters (Deng, Knoblich, Lu 2018, arXiv:1803.06336,
section 4).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.arms import Arm
from promptstudio_lab.stats.sums import numbers
from promptstudio_lab.stats.tails import count, share_of, upper_quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptstudio_lab.stats.sums import Floats, Labels, Sums

_LEVEL = 0.05
_Z = 1.959963984540054  # the half width of the bounds at that level, in standard errors


@dataclass(frozen=True, slots=True)
class Ranks:
    """The order statistics that enclose a quantile.

    Attributes:
        low: the rank of the lower end, from 1; 0 when no value is low enough: minus infinity.
        high: the rank of the upper end; n + 1 when no value is high enough: infinity.
        coverage: the probability that they enclose it, at least the confidence asked for.
    """

    low: int
    high: int
    coverage: float


def quantile_ranks(n: int, p: float, *, confidence: float = 0.95) -> Ranks:
    """Return the ranks whose order statistics enclose the quantile of any distribution.

    How many of n values lie below the quantile is binomial (Conover 1999, section 3.2).

    Args:
        n: how many independent values there are.
        p: which quantile, such as 0.95.
        confidence: how often they must enclose it.

    Raises:
        AnalysisError: if there is no value, or p or confidence does not lie between 0 and 1.

    >>> quantile_ranks(100, 0.5)
    Ranks(low=40, high=61, coverage=0.9647997997822952)
    """
    share_of("p", p, "0.5 is the median")
    share_of("confidence", confidence, "0.95 is usual")
    count("n", n, least=1)
    from scipy.stats import binom

    miss = (1 - confidence) / 2
    low, high = int(binom.ppf(miss, n, p)), int(binom.isf(miss, n, p)) + 1
    return Ranks(low, high, float(binom.cdf(high - 1, n, p) - binom.cdf(low - 1, n, p)))


def quantile_arm(
    values: Sequence[float] | Floats,
    p: float,
    *,
    clusters: Labels | None = None,
) -> Arm:
    """Return the arm whose metric is a quantile.

    Args:
        values: one value a row.
        p: which quantile, such as 0.95.
        clusters: which cluster each row belongs to, or None when rows are independent.

    Returns:
        The arm, with the clusters as its units when there are any; compare two by `z_test` or
        `arm_difference`.

    Raises:
        AnalysisError: if there are too few rows to see the quantile's spread, or a value is no
            finite number.

    >>> arm = quantile_arm(range(1, 1001), 0.5)
    >>> arm.n, arm.mean, round(arm.squared_se**0.5, 1)
    (1000, 500.5, 15.8)
    """
    found = _around(values, p, clusters)
    return Arm(found.units, found.value, found.units * found.squared_se * found.slope**2)


def linearised(
    values: Sequence[float] | Floats, p: float, *, clusters: Labels | None = None
) -> Floats:
    """Return one number a row, whose mean is the quantile and whose spread is the quantile's.

    It is the quantile's influence function, `q + (p - [value <= q]) / density(q)`, with the density
    from the order statistics around it. So what is known about means (pairing, clusters, looking
    at any time) holds for quantiles of many rows, too.

    Args:
        values: one value a row.
        p: which quantile, such as 0.95.
        clusters: which cluster each row belongs to, or None when rows are independent.

    Raises:
        AnalysisError: if there are too few rows to see the quantile's spread, or values are equal
            all around it.

    >>> import numpy as np
    >>> found = linearised(np.arange(1, 1001), 0.5)
    >>> float(found.mean()), round(float(found.std()) / 1000**0.5, 1)
    (500.5, 15.8)
    """
    found = _around(values, p, clusters)
    if found.slope == 0:
        message = f"values are equal all around quantile {p}, so its spread cannot be seen"
        raise AnalysisError(message)
    below = (numbers("values", values) <= found.value).astype(np.float64)
    return np.asarray(found.value + (below.mean() - below) * found.slope)


@dataclass(frozen=True, slots=True)
class _Around:
    value: float
    units: int
    squared_se: float  # of the share of rows below the value
    slope: float  # how far the quantile moves with that share: 1 / density


def _around(values: Sequence[float] | Floats, p: float, clusters: Labels | None) -> _Around:
    share_of("p", p, "0.5 is the median")
    found = numbers("values", values)
    if not found.size:
        message = "there are no values, so there is no quantile"
        raise AnalysisError(message)
    ordered = np.sort(found)
    n, value = ordered.size, float(np.quantile(ordered, p))
    units, squared_se = n, p * (1 - p) / n
    if clusters is not None:
        below = (found <= value).astype(np.float64)
        share = Arm.of_clusters(below, clusters)
        units, squared_se = share.n, share.squared_se
    reach = _Z * math.sqrt(squared_se)
    first, last = math.floor(n * (p - reach)), math.ceil(n * (p + reach))
    if first < 0 or last >= n or first == last:
        message = (
            f"{n} rows in {units} units are too few to see the spread of quantile {p}."
            " Hint: collect more, or compare a quantile nearer to the median."
        )
        raise AnalysisError(message)
    # Ranks are whole numbers: what they cover really is divided by, not what was asked for.
    slope = float(ordered[last] - ordered[first]) * n / (last - first)
    return _Around(value, units, squared_se, slope)


def quantile_arm_of_bounds(  # the numbers that a warehouse query returns
    n: int,
    value: float,
    low: float,
    high: float,
    *,
    rows_of_bounds: int | None = None,
    inflation: float = 1.0,
) -> Arm:
    """Return the arm of a quantile whose bounds somebody else has read off the sorted rows.

    Args:
        n: how many rows there are.
        value: the quantile.
        low: the order statistic at p - 1.96 sqrt(p (1 - p) / n).
        high: the order statistic at p + 1.96 sqrt(p (1 - p) / n).
        rows_of_bounds: with how many rows the bounds were computed, if not with n (GrowthBook
            caps them).
        inflation: the variance of the share below the quantile, cluster-robust, divided by
            p (1 - p) / n.

    Raises:
        AnalysisError: if the bounds do not enclose a spread, or a number is impossible.

    >>> arm = quantile_arm_of_bounds(10_000, 7.0, 6.9, 7.1)
    >>> arm.mean, round(arm.squared_se**0.5, 3)
    (7.0, 0.051)
    """
    if n < 2 or not low < high or not inflation > 0:  # noqa: PLR2004 # one row has no spread
        message = (
            f"the bounds {low} and {high} of a quantile over {n} rows show no spread."
            " Hint: take more rows, or a finer measurement."
        )
        raise AnalysisError(message)
    rows = n if rows_of_bounds is None else rows_of_bounds
    unit = (n - 1) * rows / n * ((high - low) / (2 * upper_quantile(_LEVEL / 2))) ** 2
    return Arm(n, value, unit * inflation)


def cluster_inflation(rows: Sums, below: str, all_rows: str, p: float) -> float:
    """Return how much clusters inflate the variance of the share below a quantile.

    Args:
        rows: sums in which every row is one cluster.
        below: the column that counts a cluster's rows at or below the quantile.
        all_rows: the column that counts a cluster's rows.
        p: which quantile.

    Raises:
        AnalysisError: if a column is missing, or there are fewer than two clusters.

    >>> from promptstudio_lab.stats.sums import Sums
    >>> sums = Sums.of({"below": [2, 0, 1, 1], "rows": [2, 2, 2, 2]})
    >>> round(cluster_inflation(sums, "below", "rows", 0.5), 3)
    1.333
    """
    share = Arm.of_ratio(rows, below, all_rows)
    n = rows.n * rows.mean(all_rows)
    return share.squared_se / (share_of("p", p, "0.5 is the median") * (1 - p) / n)

"""One arm of a comparison in three numbers: how many units, their mean, one unit's variance.

Means, rates, ratios of sums and clustered scores all become an arm; every test of two independent
arms then works on all of them. A ratio is an arm by the delta method (Deng, Knoblich, Lu 2018,
arXiv:1803.06336): it varies like the mean of (over - ratio * under) / mean(under). Scores in
clusters are the ratio of the clusters' sums to the clusters' sizes, with clusters as the units:
its variance is then exactly the cluster-robust CR1 (Cameron & Miller 2015, equation 11).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.shown import named_html
from promptstudio_lab.stats.sums import LEAST_ROWS, Sums, numbers, variance_along
from promptstudio_lab.stats.tails import finite

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray

    from promptstudio_lab.stats.sums import Floats, Labels

WEIGHT = "weight"
"""The column of sums whose other columns are multiplied by it: 1 / propensity of each unit, or how
many rows a cluster adds up."""

_ROUNDINGS = 16 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True)
class Arm:
    """The units of one variant.

    Attributes:
        n: how many independent units there are (items, users, or clusters of them).
        mean: the metric's value: a mean, a share or a ratio.
        variance: one unit's variance; divided by n it is the variance of `mean`.
    """

    n: int
    mean: float
    variance: float

    _repr_html_ = named_html

    def __post_init__(self) -> None:
        """Refuse what no units can have.

        Raises:
            AnalysisError: saying which number is wrong.
        """
        if not 1 <= self.n < math.inf:
            message = f"an arm has {self.n} units: a finite number of at least 1 is needed"
            raise AnalysisError(message)
        if not (math.isfinite(self.mean) and 0 <= self.variance < math.inf):
            message = (
                f"an arm has the mean {self.mean} and the variance {self.variance}:"
                " finite numbers are needed, and a variance of at least 0"
            )
            raise AnalysisError(message)

    @property
    def squared_se(self) -> float:
        """The variance of the mean."""
        return self.variance / self.n

    @property
    def noise(self) -> float:
        """The standard error of the mean as a share of it; infinite for a mean of 0."""
        return math.sqrt(self.squared_se) / abs(self.mean) if self.mean else math.inf

    @classmethod
    def of_values(cls, values: Sequence[float] | Floats, name: str = "values") -> Arm:
        """Return the arm of single values, one a unit.

        Args:
            values: one a unit.
            name: what an error calls them.

        Raises:
            AnalysisError: if there are fewer than two, or one is no finite number.

        >>> Arm.of_values([1.0, 2.0, 6.0])
        Arm(n=3, mean=3.0, variance=7.0)
        """
        return cls.of(Sums.of({name: values}), name)

    @classmethod
    def of(cls, sums: Sums, column: str) -> Arm:
        """Return the arm whose metric is the mean of a column.

        Where the sums are weighted by the inverse of how probable each unit's variant was, the
        mean is that of all units (Hajek 1971): a ratio of weighted values to weights.

        Raises:
            AnalysisError: if the column is missing, or there are fewer than two rows.

        >>> Arm.of(Sums.of({"cost_usd": [1, 2, 6]}), "cost_usd").mean
        3.0
        >>> Arm.of(Sums.of({"hits": [0, 4], "weight": [4, 4 / 3]}), "hits").mean
        0.75
        """
        if WEIGHT in sums.columns:
            return cls.of_ratio(sums, column, WEIGHT)
        at, covariance = sums.index(column), sums.covariance()
        return cls(sums.n, sums.mean(column), max(0.0, float(covariance[at, at])))

    @classmethod
    def of_sums(cls, n: int, total: float, squares: float, *, shift: float = 0.0) -> Arm:
        """Return the arm of a sum and a sum of squares.

        Args:
            n: how many units there are.
            total: the sum of their values, each less `shift`.
            squares: the sum of the squares of their values, each less `shift`.
            shift: a constant near the mean; without one, nothing is left of the spread of values
                that are large and close together.

        Raises:
            AnalysisError: if there are fewer than two units, or no values can have such sums.

        >>> Arm.of_sums(3, 9.0, 41.0)
        Arm(n=3, mean=3.0, variance=7.0)
        """
        if not LEAST_ROWS <= n < math.inf:
            message = f"an arm has {n} unit(s): at least 2 are needed to see a spread"
            raise AnalysisError(message)
        for name, value in (("total", total), ("squares", squares), ("shift", shift)):
            finite(name, value)
        spread = squares - total * (total / n)
        if spread < -_ROUNDINGS * abs(squares):
            message = (
                f"no {n} values have the sum {total} and the sum of squares {squares}: the squares"
                f" add up to at least {total * (total / n):.6g}"
            )
            raise AnalysisError(message)
        return cls(n, shift + total / n, max(0.0, spread) / (n - 1))

    @classmethod
    def of_successes(cls, n: int, successes: float) -> Arm:
        """Return the arm whose metric is a share, with the variance p (1 - p) of one trial.

        Raises:
            AnalysisError: if the successes do not lie between 0 and n, or n is 0.

        >>> Arm.of_successes(4, 1)
        Arm(n=4, mean=0.25, variance=0.1875)
        """
        if not (0 <= successes <= n < math.inf and n):
            message = f"{successes} successes out of {n} is no share"
            raise AnalysisError(message)
        share = successes / n
        return cls(n, share, share * (1 - share))

    @classmethod
    def of_ratio(cls, sums: Sums, over: str, under: str) -> Arm:
        """Return the arm whose metric is one column's sum by another's.

        Args:
            sums: sums in which every row is one unit.
            over: the column above the line, such as cost.
            under: the column below the line, such as successes.

        Raises:
            AnalysisError: if a column is missing, there are fewer than two rows, or the sum below
                the line is 0.

        >>> arm = Arm.of_ratio(Sums.of({"cost": [2, 3, 7], "hits": [1, 1, 2]}), "cost", "hits")
        >>> arm.n, arm.mean, round(arm.variance, 4)
        (3, 3.0, 0.5625)
        """
        below = sums.mean(under)
        if below == 0:
            message = f"the ratio of {over!r} to {under!r} would divide by 0 over {sums.n} rows"
            raise AnalysisError(message)
        ratio = sums.mean(over) / below
        gradient = np.zeros(len(sums.columns))
        gradient[sums.index(over)] = 1 / below
        gradient[sums.index(under)] -= ratio / below
        return cls(sums.n, ratio, variance_along(sums.covariance(), gradient))

    @classmethod
    def of_clusters(cls, values: Sequence[float] | Floats, clusters: Labels) -> Arm:
        """Return the arm of values that come in clusters, with the clusters as its units.

        Args:
            values: one value a row.
            clusters: which cluster each row belongs to: the item, document or user it repeats.

        Raises:
            AnalysisError: if there are fewer than two clusters, or the lengths differ.

        >>> arm = Arm.of_clusters([1, 1, 0, 0], ["a", "a", "b", "b"])
        >>> arm.n, arm.mean, arm.squared_se
        (2, 0.5, 0.25)
        """
        # Around their mean, so that nothing is lost when values are large and close together.
        found = numbers("values", values)
        shift = float(found.mean()) if found.size else 0.0
        # The mean of a constant may round away from it, and would show a spread that is not there.
        shift = float(found[0]) if found.size and np.ptp(found) == 0 else shift
        arm = cls.of_ratio(cluster_sums(found - shift, clusters), "total", "rows")
        return cls(arm.n, shift + arm.mean, arm.variance)


def cluster_sums(values: Sequence[float] | Floats, clusters: Labels) -> Sums:
    """Return sums in which every row is one cluster: its `total` of values and its `rows`.

    Raises:
        AnalysisError: if the lengths differ, a value is no finite number, or a row has no cluster.

    >>> cluster_sums([1, 2, 3], ["a", "a", "b"]).mean("total")
    3.0
    """
    found = numbers("values", values)
    if len(clusters) != found.size:
        message = f"{found.size} values and {len(clusters)} clusters: one of each a row is needed"
        raise AnalysisError(message)
    at, count = _places(clusters)
    totals = np.bincount(at, weights=found, minlength=count).astype(np.float64)
    return Sums.of({"total": totals, "rows": np.bincount(at, minlength=count).astype(np.float64)})


def _places(clusters: Labels) -> tuple[NDArray[np.intp], int]:
    """Return the place of each row's cluster, from 0, and how many clusters there are."""
    names = clusters.tolist() if isinstance(clusters, np.ndarray) else clusters
    places: dict[Hashable, int] = {}
    at = [places.setdefault(name, len(places)) for name in names]
    for name, place in places.items():
        if name is None or name != name:  # noqa: PLR0124 # only nan is unlike itself
            message = f"row {at.index(place)} has no cluster (rows count from 0): it is {name}"
            raise AnalysisError(message)
    return np.array(at, dtype=np.intp), len(places)

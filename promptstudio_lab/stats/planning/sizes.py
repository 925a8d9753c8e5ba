"""How many units an experiment needs for the smallest effect that matters, and what that costs.

One formula serves them all: N = (z_alpha + z_power)² v / mde², with v the variance of the effect
estimate from one unit. Repeats of an item divide its noise, clusters multiply it, unequal arms
and several comparisons weigh it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.tails import count, level, one_of, positive, share_of, upper_quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptstudio_lab.stats.sums import Floats

Comparisons: TypeAlias = Literal["control_vs_all", "all_vs_all"]

_LEAST_ARMS = 2


@dataclass(frozen=True, slots=True)
class Size:
    """The size of an experiment.

    Attributes:
        total: units in all arms together.
        arms: units in each arm, control first.
        shares: the share of the total in each arm.
        mde: the smallest effect that it detects, absolute.
        cost: what the units cost together, in the unit that they were priced in; None if they
            were not.
    """

    total: int
    arms: tuple[int, ...]
    shares: tuple[float, ...]
    mde: float
    cost: float | None = None


def paired_items(
    mde: float,
    between: float,
    *,
    within: tuple[float, float] = (0.0, 0.0),
    repeats: tuple[int, int] = (1, 1),
    alpha: float = 0.05,
    power: float = 0.8,
) -> int:
    """Return how many items show a difference when both variants run on each of them.

    Miller 2024 (arXiv:2411.00640, section 5).

    Args:
        mde: the smallest mean difference that matters.
        between: the variance over items of the difference of expected scores (omega²).
        within: the variance of one run's score on an item, mean over items, of control and
            treatment (sigma²).
        repeats: how often control and treatment run on each item.
        alpha: the level of the two-sided test.
        power: the chance to see the difference.

    Raises:
        AnalysisError: if a variance is negative, or all are 0; or a level is impossible.

    >>> paired_items(0.03, 1 / 9)
    969
    """
    variance = between + sum(
        noise / count("repeats", runs, least=1) for noise, runs in zip(within, repeats, strict=True)
    )
    if min(between, *within) < 0 or not 0 < variance < math.inf:
        message = f"the variances are {between} and {within}: at least 0, and not all 0, is needed"
        raise AnalysisError(message)
    return _up(_multiple(alpha, power, 1) * variance / _effect(mde) ** 2)


def arm_sizes(  # noqa: PLR0913 # what is known about arms, noise and prices
    mde: float,
    variance: float,
    *,
    arms: int = 2,
    comparisons: Comparisons = "control_vs_all",
    shares: Sequence[float] | None = None,
    prices: Sequence[float] | None = None,
    correct: bool = False,
    alpha: float = 0.05,
    power: float = 0.8,
) -> Size:
    """Return how many units each arm needs when arms have different units.

    Args:
        mde: the smallest absolute difference that matters, on average over the comparisons.
        variance: one unit's variance; p (1 - p) for a share of p.
        arms: how many there are, with the control.
        comparisons: `control_vs_all`, or `all_vs_all`.
        shares: of the units in each arm; None for what detects most for its price (Duflo,
            Glennerster & Kremer 2007, page 31).
        prices: what one unit costs in each arm, which moves units to cheaper arms; None for
            equal ones.
        correct: whether to divide alpha by the number of comparisons (Bonferroni).
        alpha: the level of each two-sided comparison, or of all together when corrected.
        power: the chance to see the difference.

    Raises:
        AnalysisError: if a number is impossible, or power does not exceed alpha.

    >>> arm_sizes(0.3, 100, power=0.85).total
    39904
    """
    pairs = _pairs(arms, one_of("comparisons", comparisons, get_args(Comparisons)))
    cost = _per_arm("prices", prices, arms)
    share = _allocation(pairs, cost) if shares is None else _per_arm("shares", shares, arms)
    if not math.isclose(share.sum(), 1.0):
        message = f"the shares are {list(share)}; they must add up to 1"
        raise AnalysisError(message)
    spread = math.fsum(math.sqrt(1 / share[a] + 1 / share[b]) for a, b in pairs) / len(pairs)
    multiple = _multiple(alpha, power, len(pairs) if correct else 1)
    total = _up(multiple * positive("variance", variance) * spread**2 / _effect(mde) ** 2)
    sizes = tuple(_up(part) for part in share * total)
    paid = None if prices is None else float(np.dot(sizes, cost))
    return Size(total, sizes, tuple(share.tolist()), mde, paid)


def minimum_detectable_effect(
    total: int, variance: float, *, alpha: float = 0.05, power: float = 0.8
) -> float:
    """Return the minimum detectable effect (MDE) of two equal arms with `total` units.

    Args:
        total: units in both arms together.
        variance: one unit's variance; p (1 - p) for a share of p.
        alpha: the level of the two-sided test.
        power: the chance to see the difference.

    Raises:
        AnalysisError: if a number is impossible, or power does not exceed alpha.

    >>> round(minimum_detectable_effect(39905, 100, power=0.85), 3)
    0.3
    """
    spread = 4 * positive("variance", variance) / positive("total", total)
    return math.sqrt(_multiple(alpha, power, 1) * spread)


def clustered_variance(
    variance: float, *, icc: float, cluster_size: float, repeats: int = 1, noise: float = 0.0
) -> float:
    """Return one row's effective variance when rows come in clusters and runs are repeated.

    The design effect of clusters of m rows is 1 + (m - 1) icc (Kish 1965); repeats divide the
    part that differs from run to run.

    Args:
        variance: one row's variance, with one run.
        icc: the share of it that rows of a cluster have in common, from 0 to 1.
        cluster_size: how many rows a cluster has, on average.
        repeats: how often each row is run, its mean being the score.
        noise: the share of the variance that differs from run to run, at most 1 - icc.

    Raises:
        AnalysisError: if a number is impossible.

    >>> round(clustered_variance(1.0, icc=0.3, cluster_size=10), 6)
    3.7
    """
    if not (0 <= icc <= 1 and 0 <= noise <= 1 - icc and 1 <= cluster_size < math.inf):
        message = (
            f"icc {icc} and noise {noise} must be shares of one variance,"
            f" and the cluster size {cluster_size} at least 1"
        )
        raise AnalysisError(message)
    rows = 1 - noise * (1 - 1 / count("repeats", repeats, least=1))
    return positive("variance", variance) * (rows + (cluster_size - 1) * icc)


def _multiple(alpha: float, power: float, comparisons: int) -> float:
    """Return (z_alpha + z_power)², two-sided."""
    share_of("power", power, "0.8 is usual")
    if power <= level(alpha):
        message = f"power is {power} and alpha {alpha}: power must exceed alpha"
        raise AnalysisError(message)
    return (upper_quantile(alpha / comparisons / 2) + upper_quantile(1 - power)) ** 2


def _effect(mde: float) -> float:
    return positive("the smallest effect that matters", abs(mde))


def _up(size: float) -> int:
    return math.ceil(size * (1 - 1e-12))  # 100.00000000000001 units are 100


def _pairs(arms: int, comparisons: str) -> list[tuple[int, int]]:
    number = count("arms", arms, least=_LEAST_ARMS)
    first = range(1) if comparisons == "control_vs_all" else range(number)
    return [(one, other) for one in first for other in range(one + 1, number)]


def _per_arm(name: str, numbers: Sequence[float] | None, arms: int) -> Floats:
    each = np.ones(arms) if numbers is None else np.asarray(numbers, dtype=np.float64)
    if len(each) != arms or not (np.isfinite(each) & (each > 0)).all():
        message = f"{name} is {numbers}; one number above 0 for each of {arms} arms is needed"
        raise AnalysisError(message)
    return each


def _allocation(pairs: list[tuple[int, int]], prices: Floats) -> Floats:
    """Return shares by how many comparisons an arm serves and the root of its price."""
    served = np.bincount(np.ravel(pairs), minlength=len(prices))
    weight = served / np.sqrt(prices)
    return np.asarray(weight / weight.sum())

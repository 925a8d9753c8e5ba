"""How many items it takes before a difference can be told from chance."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, cast

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.looks import rule
from promptstudio_lab.stats.sequential.planned import Planned
from promptstudio_lab.stats.sums import LEAST_ROWS
from promptstudio_lab.stats.tails import positive, share_of, upper_quantile

if TYPE_CHECKING:
    from collections.abc import Callable

    from promptstudio_lab.stats.effect import Effect
    from promptstudio_lab.stats.looks import Method

MOST_ITEMS = 1 << 40


def items_needed(effect: Effect, bound: float = 0.0) -> int | None:
    """Return the items, in all, whose interval would exclude `bound` at the observed difference.

    It assumes that the difference and the spread of the items stay exactly as they were seen, so
    it is a guide to size and no promise of power.

    Args:
        effect: what was observed.
        bound: what the interval has to exclude: 0, or the margin that a guardrail is held to.

    Returns:
        The smallest such number, or None when there is no difference to detect.

    >>> from promptstudio_lab.stats.paired import mean_difference
    >>> from promptstudio_lab.stats.sums import Sums
    >>> sums = Sums.of({"a": [0, 1, 0, 1, 1, 0], "b": [1, 1, 0, 1, 0, 1]})
    >>> items_needed(mean_difference(sums, "a", "b"))
    200
    """
    distance = abs(effect.estimate - bound)
    if math.isnan(effect.se) or distance == 0:
        return None
    if effect.se == 0:
        return _all_alike(effect, distance)
    per_item = distance / (effect.se * math.sqrt(effect.n))
    if effect.method == Planned.short:  # this look's boundary, as later ones are not known yet
        return math.ceil(((effect.high - effect.low) / (2 * effect.se) / per_item) ** 2)
    return _needed(cast("Method", effect.method), effect.alpha, per_item)


def items_to_see(
    mde: float, sd: float, *, method: Method = "anytime", alpha: float = 0.05, power: float = 0.8
) -> int:
    """Return how many items show a difference when both variants run on each of them.

    The interval after that many items excludes 0 with probability `power` when the difference is
    `mde`: the estimate has to lie its half-width, and the quantile of the power, from 0.

    Args:
        mde: the smallest mean difference that matters.
        sd: the standard deviation, over items, of the difference.
        method: `anytime` or `fixed`.
        alpha: the chance of missing the truth that the interval accepts.
        power: the chance to see the difference.

    Raises:
        AnalysisError: if a number is impossible, or no number of items is enough.

    >>> items_to_see(0.03, 1 / 3, method="fixed")
    971
    >>> items_to_see(0.03, 1 / 3) > 971
    True
    """
    look, beyond = rule(method, alpha), upper_quantile(1 - share_of("power", power, "0.8 is usual"))
    per_item = abs(positive("mde", abs(mde))) / positive("sd", sd)
    found = _fewest(lambda n: per_item * math.sqrt(n) > look.half_width(n) + beyond)
    if found is None:
        message = f"no number of items shows a difference of {mde:g} at a spread of {sd:g}"
        raise AnalysisError(message)
    return found


def least_seen(
    items: int, sd: float, *, method: Method = "anytime", alpha: float = 0.05, power: float = 0.8
) -> float:
    """Return the smallest mean difference that a number of items shows: the MDE.

    Args:
        items: how many both variants run on.
        sd: the standard deviation, over items, of the difference.
        method: `anytime` or `fixed`.
        alpha: the chance of missing the truth that the interval accepts.
        power: the chance to see the difference.

    Raises:
        AnalysisError: if a number is impossible, or there are fewer than two items.

    >>> round(least_seen(972, 1 / 3, method="fixed"), 4)
    0.03
    """
    if items < LEAST_ROWS:
        message = f"{items} items show no spread; at least {LEAST_ROWS} are needed"
        raise AnalysisError(message)
    beyond = upper_quantile(1 - share_of("power", power, "0.8 is usual"))
    wide = rule(method, alpha).half_width(items) + beyond
    return wide * positive("sd", sd) / math.sqrt(items)


def _all_alike(effect: Effect, distance: float) -> int | None:
    """Return how many units must be alike before they hide no difference as large as this."""
    may_hide = max(effect.high, -effect.low)
    if may_hide <= distance:
        return effect.n
    return math.ceil(effect.n * math.log1p(-may_hide) / math.log1p(-distance))


@lru_cache
def _needed(method: Method, alpha: float, per_item: float) -> int | None:
    look = rule(method, alpha)
    return _fewest(lambda n: per_item * math.sqrt(n) > look.half_width(n))


def _fewest(tells: Callable[[int], bool]) -> int | None:
    """Return the smallest number of items that tells, by doubling and halving."""
    low, high = LEAST_ROWS - 1, LEAST_ROWS
    while not tells(high):
        low, high = high, 2 * high
        if high > MOST_ITEMS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if tells(middle) else (middle, high)
    return high

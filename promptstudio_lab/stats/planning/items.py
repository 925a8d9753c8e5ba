"""How many items it takes before a difference can be told from chance."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

from promptstudio_lab.stats.looks import rule
from promptstudio_lab.stats.sums import LEAST_ROWS

if TYPE_CHECKING:
    from promptstudio_lab.stats.effect import Effect
    from promptstudio_lab.stats.looks import Method

MOST_ITEMS = 1 << 40


def items_needed(effect: Effect) -> int | None:
    """Return the items, in all, whose interval would exclude 0 at the observed difference.

    It assumes that the difference and the spread of the items stay exactly as they were seen, so
    it is a guide to size and no promise of power.

    Returns:
        The smallest such number, or None when there is no difference to detect.

    >>> from promptstudio_lab.stats.paired import mean_difference
    >>> from promptstudio_lab.stats.sums import Sums
    >>> sums = Sums.of({"a": [0, 1, 0, 1, 1, 0], "b": [1, 1, 0, 1, 0, 1]})
    >>> items_needed(mean_difference(sums, "a", "b"))
    200
    """
    if math.isnan(effect.se) or effect.estimate == 0:
        return None
    look = rule(cast("Method", effect.method), effect.alpha)
    per_item = abs(effect.estimate) / (effect.se * math.sqrt(effect.n))

    def tells(n: int) -> bool:
        return per_item * math.sqrt(n) > look.half_width(n)

    low, high = LEAST_ROWS - 1, LEAST_ROWS
    while not tells(high):
        low, high = high, 2 * high
        if high > MOST_ITEMS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if tells(middle) else (middle, high)
    return high

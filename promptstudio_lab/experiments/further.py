"""What to do next, and what it costs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptstudio_lab.experiments.wording import ITEMS
from promptstudio_lab.money import NANO_PER_USD, format_usd
from promptstudio_lab.shown import named_html
from promptstudio_lab.stats.planning.items import items_needed

if TYPE_CHECKING:
    from promptstudio_lab.experiments.wording import Noun
    from promptstudio_lab.stats.effect import Effect


@dataclass(frozen=True, slots=True)
class Further:
    """How many more items an open question takes, and what they cost.

    It assumes that the difference and the spread stay as they were seen: a guide to size, not a
    promise.

    Attributes:
        metric: the metric that is open.
        items: how many more, or None when no number of them would tell.
        cost_usd: what running them under both variants costs, or None when that is not known.
        aim: what they would tell.
        noun: what the items are.
    """

    metric: str
    items: int | None
    cost_usd: float | None
    aim: str
    noun: Noun = ITEMS

    _repr_html_ = named_html

    @property
    def text(self) -> str:
        """The step in words."""
        if self.items is None:
            return f"at this difference no number of {self.noun.many} would {self.aim}"
        dollars = (
            "" if self.cost_usd is None else f" (some {format_usd(self.cost_usd * NANO_PER_USD)})"
        )
        more = f"{_rounded(self.items)} more {self.noun.one if self.items == 1 else self.noun.many}"
        return f"about {more}{dollars} would be needed to {self.aim}"


def further(  # noqa: PLR0913 — what is open, what would settle it, and what that costs
    metric: str,
    effect: Effect,
    *,
    aim: str,
    bound: float = 0.0,
    cost_of_item: float | None = None,
    cluster: float = 1.0,
    noun: Noun = ITEMS,
) -> Further:
    """Return how many more items would leave `bound` outside a metric's interval.

    Args:
        metric: its name.
        effect: what was found so far.
        aim: what the items would tell, after "to".
        bound: 0, or the margin that a guardrail is held to.
        cluster: how many items a cluster has, where the effect counts clusters.
        noun: what the items are.
        cost_of_item: what one more item costs under all variants it runs under, in US dollars.

    >>> from promptstudio_lab.stats.paired import mean_difference
    >>> from promptstudio_lab.stats.sums import Sums
    >>> sums = Sums.of({"a": [0, 1, 0, 1, 1, 0], "b": [1, 1, 0, 1, 0, 1]})
    >>> effect = mean_difference(sums, "a", "b")
    >>> further("success", effect, aim="see it", cost_of_item=0.01).text
    'about 200 more items (some $1.94) would be needed to see it'
    """
    needed = items_needed(effect, bound)
    if needed is None:
        return Further(metric, None, None, aim, noun)
    more = max(1, math.ceil((needed - effect.n) * cluster))
    cost = None if cost_of_item is None or math.isnan(cost_of_item) else more * cost_of_item
    return Further(metric, more, cost or None, aim, noun)


def _rounded(count: int) -> str:
    digits = max(0, len(str(count)) - 2)
    step = 10**digits
    return f"{-(-count // step) * step:,}"

"""How large an experiment has to be, and what that costs, before it runs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptstudio_lab.experiments.wording import amount, level
from promptstudio_lab.money import NANO_PER_USD, format_usd
from promptstudio_lab.stats.planning.items import items_to_see, least_seen

if TYPE_CHECKING:
    from promptstudio_lab.metrics import Metric
    from promptstudio_lab.stats.looks import Method

# Two independent answers of which each is right half of the time differ most: their difference has
# a variance of 1/4 + 1/4.
_WIDEST_SD = math.sqrt(0.5)


@dataclass(frozen=True, slots=True)
class Sizing:
    """How many items an experiment needs to see a difference, and what they cost.

    Attributes:
        metric: the goal that is planned for.
        mde: the smallest difference that matters, in the metric's unit.
        items: how many every variant has to run on.
        runs: of all variants on all those items.
        cost_usd: what the runs are expected to cost, or None when nothing is known.
        have: how many items the dataset has.
        have_sees: the smallest difference that those items show.
        sd: the standard deviation, over items, of the difference that this rests on.
        basis: where that comes from, in words.
        method: `anytime` or `fixed`.
        alpha: the chance of a wrong winner, shared by all comparisons.
        power: the chance to see the difference.
    """

    metric: Metric
    mde: float
    items: int
    runs: int
    cost_usd: float | None
    have: int
    have_sees: float
    sd: float
    basis: str
    method: str
    alpha: float
    power: float

    @property
    def enough(self) -> bool:
        """Whether the dataset has as many items as are needed."""
        return self.have >= self.items

    @property
    def text(self) -> str:
        """The plan in words."""
        unit = self.metric.unit
        cost = (
            "" if self.cost_usd is None else f", about {format_usd(self.cost_usd * NANO_PER_USD)}"
        )
        have = f"the dataset's {self.have:,} items show {amount(self.have_sees, unit)} or more"
        verdict = "enough" if self.enough else f"{self.items - self.have:,} more are needed"
        return (
            f"{self.items:,} items ({self.runs:,} runs{cost}) show a difference of"
            f" {amount(self.mde, unit)} in {self.metric.label} {self.power:.0%} of the time;"
            f" {have}: {verdict}. By {self.method} intervals of {level(self.alpha)}, from"
            f" {self.basis}."
        )

    def __repr__(self) -> str:
        """Say it in words."""
        return self.text


def size(  # noqa: PLR0913 # the question, what is known, and how it will be judged
    metric: Metric,
    mde: float,
    *,
    have: int,
    treatments: int = 1,
    goals: int = 1,
    sd: float | None = None,
    cost_per_run: float | None = None,
    method: Method = "anytime",
    alpha: float = 0.05,
    power: float = 0.8,
) -> Sizing:
    """Return how many items show a difference when every variant runs on each of them.

    Several comparisons are planned for at Holm's strictest level, so that each has the power
    whatever the others show.

    Args:
        metric: the goal.
        mde: the smallest difference that matters, in the metric's unit (0.05 is 5 points).
        have: how many items there are.
        treatments: how many variants are compared with the control.
        goals: how many metrics decide.
        sd: the standard deviation, over items, of the difference, where it was seen; None for
            the widest that a share can have.
        cost_per_run: in US dollars, where it is known.
        method: `anytime` or `fixed`.
        alpha: the error that all comparisons share.
        power: the chance to see the difference.

    Raises:
        AnalysisError: if a number is impossible.

    >>> from promptstudio_lab.metrics import Rate
    >>> found = size(Rate("success"), 0.1, have=240, cost_per_run=0.0002, method="fixed")
    >>> found.items, found.enough
    (395, False)
    """
    share = alpha / (treatments * goals)
    spread = _WIDEST_SD if sd is None else sd
    words = "the runs so far" if sd is not None else "the widest spread that shares can have"
    needed = items_to_see(mde, spread, method=method, alpha=share, power=power)
    runs = needed * (treatments + 1)
    return Sizing(
        metric=metric,
        mde=mde,
        items=needed,
        runs=runs,
        cost_usd=None if cost_per_run is None else runs * cost_per_run,
        have=have,
        have_sees=least_seen(have, spread, method=method, alpha=share, power=power),
        sd=spread,
        basis=words,
        method=method,
        alpha=share,
        power=power,
    )

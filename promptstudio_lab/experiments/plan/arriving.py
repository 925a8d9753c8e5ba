"""How many units have to come to an online experiment, how long that takes, and what it costs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.experiments.plan.sizing import (
    difference,
    for_looks,
    method_of,
    units_to_see,
)
from promptstudio_lab.experiments.wording import UNITS, Noun, level, visible
from promptstudio_lab.money import NANO_PER_USD, format_usd
from promptstudio_lab.shown import named_html

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptstudio_lab.experiments.plan.looks import Looks
    from promptstudio_lab.metrics import Metric

# An answer that is right half of the time varies most: by 1/4.
_WIDEST_VARIANCE = 0.25


@dataclass(frozen=True, slots=True)
class Arriving:
    """How many units an online experiment needs to see a difference.

    Attributes:
        metric: the goal that is planned for.
        mde: the smallest difference that matters, in the metric's unit.
        units: how many each variant has to meet.
        have: how many have come so far.
        per_day: how many come in a day, or None when nobody knows yet.
        days: how many more days that takes, or None.
        cost_usd: what running all units once is expected to cost, or None.
        sd: the standard deviation of the difference of one unit and another.
        basis: where that comes from, in words.
        method: `anytime`, `fixed`, or `scheduled` at planned looks.
        alpha: the chance of a wrong winner, shared by all comparisons.
        power: the chance to see the difference.
        noun: what the units are.
    """

    metric: Metric
    mde: float
    units: dict[str, int]
    have: int
    per_day: float | None
    days: int | None
    cost_usd: float | None
    sd: float
    basis: str
    method: str
    alpha: float
    power: float
    noun: Noun = UNITS

    _repr_html_ = named_html

    @property
    def total(self) -> int:
        """How many units that is in all."""
        return sum(self.units.values())

    @property
    def text(self) -> str:
        """The plan in words."""
        cost = self.cost_usd
        dollars = "" if cost is None else f", about {format_usd(cost * NANO_PER_USD)}"
        each = ", ".join(f"{count:,} {visible(name)}" for name, count in self.units.items())
        shown = difference(self.mde, self.metric.unit)
        return (
            f"{self.noun.counted(self.total)} ({each}{dollars}) show a difference of {shown} in"
            f" {self.metric.label} {self.power:.0%} of the time; {self._waiting()}."
            f" By {self.method} intervals of {level(self.alpha)}, from {self.basis}."
        )

    def _waiting(self) -> str:
        came = f"{self.have:,} came so far"
        if self.days == 0:
            return f"{came}: enough"
        if self.per_day is None or self.days is None:
            return f"{came}, and how many come in a day is not known yet (say per_day=)"
        return f"{came}, {self.per_day:,.3g} a day: {self.days:,} more days"

    def __repr__(self) -> str:
        """Say it in words."""
        return self.text


def arriving(  # noqa: PLR0913 — the question, what is known, and how it will be judged
    metric: Metric,
    mde: float,
    *,
    shares: Mapping[str, float],
    goals: int = 1,
    sd: float | None = None,
    have: int = 0,
    per_day: float | None = None,
    cost_per_run: float | None = None,
    method: Looks = "anytime",
    alpha: float = 0.05,
    power: float = 0.8,
    noun: Noun = UNITS,
) -> Arriving:
    """Return how many units show a difference when each meets one variant.

    Args:
        metric: the goal.
        mde: the smallest difference that matters, in the metric's unit (0.05 is 5 points).
        shares: of the traffic, by variant; the control first.
        goals: how many metrics decide.
        sd: the standard error of the difference times the root of the units of both variants,
            where it was seen; None for the widest that a share can have.
        have: how many units came so far.
        per_day: how many come in a day, where that is known.
        cost_per_run: in US dollars, where it is known.
        method: `anytime` or `fixed`, or a schedule of looks.
        alpha: the error that all comparisons share.
        power: the chance to see the difference.
        noun: what the units are.

    Raises:
        AnalysisError: if a number is impossible.

    >>> from promptstudio_lab.metrics import Rate
    >>> halves = {"old": 0.5, "new": 0.5}
    >>> found = arriving(Rate("success"), 0.1, shares=halves, method="fixed", per_day=100)
    >>> found.units, found.days
    ({'old': 394, 'new': 394}, 8)
    """
    if per_day is not None and not per_day > 0:
        message = f"{per_day:g} in a day is no traffic: it has to be above 0"
        raise AnalysisError(message)
    level_ = alpha / ((len(shares) - 1) * goals)
    widest, most = 0.0, 0.0
    for both, spread in _pairs(shares, sd):
        pair = units_to_see(mde, spread, method, alpha=level_, power=power)
        widest, most = max(widest, spread), max(most, pair / both)
    units = {name: math.ceil(round(most * share, 6)) for name, share in shares.items()}
    total = sum(units.values())
    left = max(0, total - have)
    days = 0 if not left else None if per_day is None else math.ceil(left / per_day)
    words = "the runs so far" if sd is not None else "the widest spread that shares can have"
    words += for_looks(method, noun, alpha=level_, power=power)
    cost = None if cost_per_run is None else total * cost_per_run
    return Arriving(
        *(metric, mde, units, have, per_day, days, cost, widest),
        *(words, method_of(method), level_, power, noun),
    )


def _pairs(shares: Mapping[str, float], sd: float | None) -> list[tuple[float, float]]:
    """Return each treatment's share with the control's, and how their difference varies."""
    control, *others = shares.values()
    found = []
    for other in others:
        both = control + other
        parts = control / both, other / both
        widest = math.sqrt(sum(_WIDEST_VARIANCE / part for part in parts))
        found.append((both, widest if sd is None else sd))
    return found

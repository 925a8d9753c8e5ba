"""How large an experiment has to be, and what that costs, before it runs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.experiments.plan.looks import Schedule
from promptstudio_lab.experiments.wording import ITEMS, change, level
from promptstudio_lab.metrics.margin import Margin
from promptstudio_lab.money import NANO_PER_USD, format_usd
from promptstudio_lab.shown import named_html
from promptstudio_lab.stats.planning.items import items_to_see, least_seen
from promptstudio_lab.stats.sequential.planned import Planned

if TYPE_CHECKING:
    from promptstudio_lab.experiments.plan.looks import Looks
    from promptstudio_lab.experiments.wording import Noun
    from promptstudio_lab.metrics import Metric

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
        method: `anytime`, `fixed`, or `scheduled` at planned looks.
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

    _repr_html_ = named_html

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
        have = f"the dataset's {self.have:,} items show {difference(self.have_sees, unit)} or more"
        verdict = "enough" if self.enough else f"{self.items - self.have:,} more are needed"
        return (
            f"{self.items:,} items ({self.runs:,} runs{cost}) show a difference of"
            f" {difference(self.mde, unit)} in {self.metric.label} {self.power:.0%} of the time;"
            f" {have}: {verdict}. By {self.method} intervals of {level(self.alpha)}, from"
            f" {self.basis}."
        )

    def __repr__(self) -> str:
        """Say it in words."""
        return self.text


def difference(size: float, unit: str) -> str:
    """Return the size of a difference: that of shares is in points, 10 % would be something else.

    >>> difference(0.05, "share"), difference(120, "ms")
    ('5.00 points', '120 ms')
    """
    return change(size, unit).removeprefix("+")


def smallest(mde: float | str, metric: Metric, control: float | None) -> float:
    """Return the smallest difference that matters, in the metric's unit.

    Args:
        mde: as a number in the metric's unit, or in words: "5pp", "200 ms", or "2%" of the control.
        metric: the goal.
        control: the control's value, where it was seen.

    Raises:
        AnalysisError: if it cannot be read, or is a share of what is not known.

    >>> from promptstudio_lab.metrics import Rate
    >>> smallest("5pp", Rate("success"), None), smallest("10%", Rate("success"), 0.6)
    (0.05, 0.06)
    """
    found = Margin.of(mde, metric.unit) if isinstance(mde, str) else None
    if found is None:
        return float(mde)
    if not found.relative:
        return found.value
    if control is None:
        message = (
            f"how much {mde} of the control's {metric.label} is, is not known before something has"
            " run. Hint: say it in the metric's own unit, such as mde='5pp' of a share."
        )
        raise AnalysisError(message)
    return found.value * abs(control)


def units_to_see(mde: float, sd: float, looks: Looks, *, alpha: float, power: float) -> int:
    """Return how many units show a difference; planned looks take somewhat more than one look.

    Args:
        mde: the smallest difference that matters.
        sd: the standard deviation, over units, of the difference.
        looks: how often somebody may look.
        alpha: the chance of missing the truth that is accepted.
        power: the chance to see the difference.

    Raises:
        AnalysisError: if a number is impossible.

    >>> units_to_see(0.03, 1 / 3, "fixed", alpha=0.05, power=0.8)
    971
    >>> units_to_see(0.03, 1 / 3, Schedule(5), alpha=0.05, power=0.8)
    995
    """
    if not isinstance(looks, Schedule):
        return items_to_see(mde, sd, method=looks, alpha=alpha, power=power)
    once = items_to_see(mde, sd, method="fixed", alpha=alpha, power=power)
    return math.ceil(once * looks.inflation(alpha, power))


def _sees(have: int, sd: float, looks: Looks, *, alpha: float, power: float) -> float:
    if not isinstance(looks, Schedule):
        return least_seen(have, sd, method=looks, alpha=alpha, power=power)
    once = least_seen(have, sd, method="fixed", alpha=alpha, power=power)
    return math.sqrt(looks.inflation(alpha, power)) * once


def method_of(looks: Looks) -> str:
    """Return what intervals are called by which an experiment is judged."""
    return Planned.short if isinstance(looks, Schedule) else looks


def for_looks(looks: Looks, noun: Noun, *, alpha: float, power: float) -> str:
    """Say what planned looks cost, after what a plan rests on; nothing where there are none."""
    if not isinstance(looks, Schedule):
        return ""
    return f"; {looks.words} take {looks.inflation(alpha, power):.3f} times the {noun.many} of one"


def size(  # noqa: PLR0913 # the question, what is known, and how it will be judged
    metric: Metric,
    mde: float,
    *,
    have: int,
    treatments: int = 1,
    goals: int = 1,
    sd: float | None = None,
    cost_per_run: float | None = None,
    method: Looks = "anytime",
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
        method: `anytime` or `fixed`, or a schedule of looks.
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
    needed = units_to_see(mde, spread, method, alpha=share, power=power)
    runs = needed * (treatments + 1)
    return Sizing(
        metric=metric,
        mde=mde,
        items=needed,
        runs=runs,
        cost_usd=None if cost_per_run is None else runs * cost_per_run,
        have=have,
        have_sees=_sees(have, spread, method, alpha=share, power=power),
        sd=spread,
        basis=words + for_looks(method, ITEMS, alpha=share, power=power),
        method=method_of(method),
        alpha=share,
        power=power,
    )

"""Comparing two variants that both ran on the same items: each item is its own control.

Means and ratios of sums are smooth functions of the columns' means, so by the delta method their
difference has variance g' S g / n, with S the covariance of the columns and g the gradient
(Deng, Knoblich, Lu 2018, arXiv:1803.06336). S holds the pairing; items are the clusters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.arms import WEIGHT, Arm
from promptstudio_lab.stats.effect import ALPHA, FEW_ITEMS, Effect
from promptstudio_lab.stats.independent import Contrast
from promptstudio_lab.stats.looks import rule
from promptstudio_lab.stats.proportions import hidden
from promptstudio_lab.stats.sums import EPSILON, variance_along

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptstudio_lab.stats.independent import Difference
    from promptstudio_lab.stats.looks import Method, Rule
    from promptstudio_lab.stats.sums import Floats, Sums
    from promptstudio_lab.stats.tails import Alternative


@dataclass(frozen=True, slots=True)
class _Value:
    value: float
    gradient: Floats  # of the value, with respect to the means of the sums' columns


@dataclass(frozen=True, slots=True)
class _Spread:
    estimate: float
    se: float
    note: str = ""


def mean_difference(
    sums: Sums,
    control: str,
    treatment: str,
    *,
    alpha: float = ALPHA,
    method: Method = "anytime",
    share: bool = False,
) -> Effect:
    """Compare the means of two columns over the same items.

    Args:
        sums: sums in which every row is one item; or one cluster of items, with its totals and, as
            the column `weight`, how many items it has: the interval is then cluster-robust (CR1).
        control: the control's column.
        treatment: the treatment's column.
        alpha: the chance of missing the truth that is accepted.
        method: `anytime`, which allows looking at any time, or `fixed`, a paired t interval.
        share: whether every item's values lie between 0 and 1, so that variants which were alike on
            all items can differ by no more than the share of items that so many may hide.

    Raises:
        AnalysisError: if a column is missing, or there are fewer than two items.

    >>> from promptstudio_lab.stats.sums import Sums
    >>> sums = Sums.of({"a": [1.0, 2.0, 4.0, 3.0], "b": [2.0, 4.0, 4.0, 5.0]})
    >>> effect = mean_difference(sums, "a", "b", method="fixed")
    >>> effect.estimate, round(effect.low, 2), round(effect.high, 2)
    (1.25, -0.27, 2.77)
    """
    look = rule(method, alpha)
    found = _compare(sums, _mean(sums, control), _mean(sums, treatment), look)
    return _alike(found) if share and found.identical else found


def ratio_difference(
    sums: Sums,
    control: tuple[str, str],
    treatment: tuple[str, str],
    *,
    alpha: float = ALPHA,
    method: Method = "anytime",
) -> Effect:
    """Compare the ratios of two sums, such as cost per success, over the same items.

    Args:
        sums: sums in which every row is one item.
        control: the control's columns above and below the line.
        treatment: the treatment's columns above and below the line.
        alpha: the chance of missing the truth that is accepted.
        method: `anytime` or `fixed`, as for means.

    Returns:
        The effect; its numbers are `nan`, with a reason, when a ratio divides by 0.

    Raises:
        AnalysisError: if a column is missing, or there are fewer than two items.

    >>> from promptstudio_lab.stats.sums import Sums
    >>> sums = Sums.of({"ac": [1, 1, 2], "as": [1, 0, 1], "bc": [2, 3, 3], "bs": [1, 1, 1]})
    >>> effect = ratio_difference(sums, ("ac", "as"), ("bc", "bs"))
    >>> round(effect.control, 3), round(effect.treatment, 3)
    (2.0, 2.667)
    """
    return _compare(sums, _ratio(sums, *control), _ratio(sums, *treatment), rule(method, alpha))


def paired_t(
    differences: Sequence[float] | Floats,
    *,
    alternative: Alternative = "two-sided",
    null: float = 0.0,
    alpha: float = ALPHA,
) -> Difference:
    """Test differences over the same items by Student's t, for one look.

    Args:
        differences: treatment minus control, one an item.
        alternative: `two-sided`, `greater` or `less`.
        null: the difference of the hypothesis that is tested.
        alpha: the chance of missing the truth that the interval accepts.

    Raises:
        AnalysisError: if there are fewer than two items, or all differences are equal.

    >>> darwin = [6, 8, 14, 16, 23, 24, 28, 29, 41, -48, 49, 56, 60, -67, 75]
    >>> round(paired_t(darwin).statistic, 3)
    2.148
    """
    arm = Arm.of_values(differences, "differences")
    if not arm.variance:
        message = f"all {arm.n} differences are {arm.mean}, so their spread cannot be measured"
        raise AnalysisError(message)
    found = Contrast(arm.mean, math.sqrt(arm.squared_se), arm.n - 1)
    return found.test(alternative=alternative, null=null, alpha=alpha)


def _mean(sums: Sums, column: str) -> _Value:
    if WEIGHT in sums.columns:
        return _ratio(sums, column, WEIGHT)
    return _Value(sums.mean(column), _unit(sums, column))


def _ratio(sums: Sums, over: str, under: str) -> _Value:
    above, below = sums.mean(over), sums.mean(under)
    if below == 0:
        return _Value(math.nan, np.zeros(len(sums.columns)))
    ratio = above / below
    return _Value(ratio, (_unit(sums, over) - ratio * _unit(sums, under)) / below)


def _unit(sums: Sums, column: str) -> Floats:
    unit = np.zeros(len(sums.columns))
    unit[sums.index(column)] = 1.0
    return unit


def _compare(sums: Sums, control: _Value, treatment: _Value, look: Rule) -> Effect:
    covariance = sums.covariance()
    if math.isnan(control.value) or math.isnan(treatment.value):
        return _unknown(sums, control, treatment, look)
    spread = _spread(sums, covariance, control, treatment, look)
    half = spread.se * look.half_width(sums.n)
    relative = _relative(sums, covariance, control, treatment, spread, look)
    wide = relative.se * look.half_width(sums.n)
    known = not math.isnan(relative.estimate)
    few = f"fewer than {FEW_ITEMS} items, so read the interval as rough"
    notes = [
        _units(sums),
        look.words,
        few if sums.n < FEW_ITEMS else "",
        spread.note,
        relative.note,
    ]
    return Effect(
        control=control.value,
        treatment=treatment.value,
        estimate=spread.estimate,
        low=spread.estimate - half,
        high=spread.estimate + half,
        relative=relative.estimate if known else None,
        relative_low=relative.estimate - wide if known else None,
        relative_high=relative.estimate + wide if known else None,
        p_value=look.p_value(spread.estimate / spread.se, sums.n) if spread.se else 1.0,
        se=spread.se,
        n=sums.n,
        method=look.short,
        reason="; ".join(filter(None, notes)),
        alpha=look.alpha,
    )


def _units(sums: Sums) -> str:
    if WEIGHT not in sums.columns:
        return f"paired by item, {sums.n} items"
    return f"paired by item, {round(sums.n * sums.mean(WEIGHT))} items in {sums.n} clusters"


def _spread(
    sums: Sums, covariance: Floats, control: _Value, treatment: _Value, look: Rule
) -> _Spread:
    gradient = treatment.gradient - control.gradient
    estimate = treatment.value - control.value
    variance, rounding = _variance(sums, covariance, gradient)
    if variance:
        return _Spread(estimate, math.sqrt(variance))
    if abs(estimate) <= rounding:
        note = f"both variants gave the same result on all {sums.n} items"
        return _Spread(0.0, 0.0, note)
    note = (
        f"all {sums.n} items show the same difference, so its spread cannot be measured:"
        " p-value and interval are those of a sign test in which every item agrees"
    )
    return _Spread(estimate, abs(estimate) / look.unanimous_z(sums.n), note)


def _relative(
    sums: Sums, covariance: Floats, control: _Value, treatment: _Value, spread: _Spread, look: Rule
) -> _Spread:
    if control.value == 0:
        return _Spread(math.nan, 0.0, "no relative effect, because the control is 0")
    if spread.se == 0:
        return _Spread(0.0, 0.0)
    size = abs(control.value)
    estimate = spread.estimate / size
    gradient = (treatment.gradient - treatment.value / control.value * control.gradient) / size
    variance, _ = _variance(sums, covariance, gradient)
    if spread.note:  # a spread that the covariance does not show
        variance += (spread.se / size) ** 2
    if variance or estimate == 0:
        return _Spread(estimate, math.sqrt(variance))
    note = f"all {sums.n} items show the same relative effect, so its interval is a sign test's"
    return _Spread(estimate, abs(estimate) / look.unanimous_z(sums.n), note)


def _variance(sums: Sums, covariance: Floats, gradient: Floats) -> tuple[float, float]:
    """Return g' S g / n, or exactly 0 where rounding can explain it, and what rounding can do."""
    # Differences below what rounding can make are none: 0.1 + 0.2 is not evidence.
    rounding = 4 * EPSILON * float(np.abs(gradient) @ np.abs(sums.means()))
    return variance_along(covariance, gradient, floor=rounding**2) / sums.n, rounding


def _alike(found: Effect) -> Effect:
    """Return the effect of two shares that no item told apart, with the difference it may hide."""
    most = hidden(found.n, found.alpha)
    ends = None if found.relative is None else most / abs(found.control)
    return replace(
        found,
        low=-most,
        high=most,
        relative_low=None if ends is None else -ends,
        relative_high=ends,
        reason=f"{found.reason}; up to {100 * most:.2g} % of all items may differ all the same",
    )


def _unknown(sums: Sums, control: _Value, treatment: _Value, look: Rule) -> Effect:
    empty = [
        name
        for name, arm in (("control", control), ("treatment", treatment))
        if math.isnan(arm.value)
    ]
    reason = f"unknown: the {' and the '.join(empty)} would divide by 0 over {sums.n} items"
    return Effect(
        control=control.value,
        treatment=treatment.value,
        estimate=math.nan,
        low=math.nan,
        high=math.nan,
        relative=None,
        relative_low=None,
        relative_high=None,
        p_value=math.nan,
        se=math.nan,
        n=sums.n,
        method=look.short,
        reason=reason,
        alpha=look.alpha,
    )

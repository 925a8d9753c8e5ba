"""Comparing two variants that ran on different units: users, sessions, or clusters of runs."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, NamedTuple

from promptstudio_lab.stats.effect import ALPHA, FEW_ITEMS, Effect
from promptstudio_lab.stats.independent import contrast, fieller
from promptstudio_lab.stats.looks import Fixed, rule
from promptstudio_lab.stats.proportions import hidden

if TYPE_CHECKING:
    from promptstudio_lab.stats.arms import Arm
    from promptstudio_lab.stats.looks import Method, Rule

NOISY = 0.1
"""The control's standard error, as a share of it, beyond which the delta method is not trusted."""

_HALVINGS = 60  # as many as a float has digits


class _Relative(NamedTuple):
    estimate: float | None
    low: float | None
    high: float | None
    note: str


def arm_difference(
    control: Arm,
    treatment: Arm,
    *,
    alpha: float = ALPHA,
    method: Method = "anytime",
    share: bool = False,
) -> Effect:
    """Compare two independent arms, absolutely and relative to the control.

    Args:
        control: the control.
        treatment: the treatment.
        alpha: the chance of missing the truth that is accepted.
        method: `anytime`, which allows looking at any time, or `fixed`, Welch's t.
        share: whether every unit's value lies between 0 and 1, so that arms whose units were all
            alike can be compared by the share of units that so many may hide.

    Returns:
        The effect; what cannot be known is `nan` or None, with a reason.

    Raises:
        AnalysisError: if an arm has fewer than two units, or there is no such method or level.

    >>> from promptstudio_lab.stats.arms import Arm
    >>> effect = arm_difference(Arm(200, 4.0, 9.0), Arm(220, 5.0, 9.0), method="fixed")
    >>> effect.estimate, round(effect.low, 2), round(effect.high, 2), effect.relative
    (1.0, 0.42, 1.58, 0.25)
    """
    look = rule(method, alpha)
    if control.squared_se + treatment.squared_se == 0:
        alike = _alike if share else _spreadless
        return alike(control, treatment, look)
    found, n = contrast(control, treatment), control.n + treatment.n
    critical = look.half_width(n, found.df)
    p_value = look.p_value(found.estimate / found.se, n, found.df)
    relative = _relative(control, treatment, critical)
    few = f"fewer than {FEW_ITEMS} units in an arm, so read the interval as rough"
    notes = (
        f"independent arms of {control.n:,} and {treatment.n:,} units",
        _words(look),
        few if min(control.n, treatment.n) < FEW_ITEMS else "",
        relative.note,
    )
    return Effect(
        control=control.mean,
        treatment=treatment.mean,
        estimate=found.estimate,
        low=found.estimate - critical * found.se,
        high=found.estimate + critical * found.se,
        relative=relative.estimate,
        relative_low=relative.low,
        relative_high=relative.high,
        p_value=p_value,
        se=found.se,
        n=n,
        method=look.short,
        reason="; ".join(filter(None, notes)),
        alpha=alpha,
    )


def unknown(n: int, why: str, *, alpha: float = ALPHA, method: Method = "anytime") -> Effect:
    """Return the effect of which nothing is known.

    Args:
        n: how many units there are.
        why: the reason.
        alpha: the chance of missing the truth that would have been accepted.
        method: `anytime` or `fixed`.

    >>> unknown(4, "nobody succeeded").reason
    'unknown: nobody succeeded'
    """
    look = rule(method, alpha)
    return Effect(
        control=math.nan,
        treatment=math.nan,
        estimate=math.nan,
        low=math.nan,
        high=math.nan,
        relative=None,
        relative_low=None,
        relative_high=None,
        p_value=math.nan,
        se=math.nan,
        n=n,
        method=look.short,
        reason=f"unknown: {why}",
        alpha=alpha,
    )


def _words(look: Rule) -> str:
    if isinstance(look, Fixed):
        return "Welch's t interval, right for one look at a number of units fixed in advance"
    return look.words


def _relative(control: Arm, treatment: Arm, critical: float) -> _Relative:
    found = contrast(control, treatment, scale="relative") if control.mean else None
    if found is None or math.isnan(found.se):
        why = "the control is 0" if found is None else "its spread cannot be measured"
        return _Relative(None, None, None, f"no relative effect, because {why}")
    if control.noise <= NOISY:
        half = critical * found.se
        return _Relative(found.estimate, found.estimate - half, found.estimate + half, "")
    low, high = fieller(control, treatment, critical)
    note = f"the control is noisy (its standard error is {100 * control.noise:.0f} % of it)"
    if math.isinf(low):
        known = "cannot be told from 0, so nothing is known about the relative effect"
        return _Relative(None, None, None, f"{note} and {known}")
    return _Relative(found.estimate, low, high, f"{note}, so the relative interval is Fieller's")


def _spreadless(control: Arm, treatment: Arm, look: Rule) -> Effect:
    """Return what can be said when all units of an arm are equal, in both arms."""
    same = control.mean == treatment.mean
    known, share = (0.0, 0.0) if same else (math.nan, None)
    reason = (
        "all units of both arms gave the same result"
        if same
        else "unknown: all units of an arm are equal, in both arms, so no spread can be measured"
    )
    return Effect(
        control=control.mean,
        treatment=treatment.mean,
        estimate=treatment.mean - control.mean,
        low=known,
        high=known,
        relative=share,
        relative_low=share,
        relative_high=share,
        p_value=1.0 if same else math.nan,
        se=known,
        n=control.n + treatment.n,
        method=look.short,
        reason=reason,
        alpha=look.alpha,
    )


def _alike(control: Arm, treatment: Arm, look: Rule) -> Effect:
    """Return what can be said of two shares when all units of an arm are equal, in both arms.

    Each arm hides at most some share of other units, with half of alpha each; whatever those are
    like, its mean moves no further than to 0 or to 1.
    """
    (low, high), n = _gap(control, treatment, look.alpha), control.n + treatment.n
    estimate, known = treatment.mean - control.mean, control.mean > 0
    room = estimate - low if estimate > 0 else high - estimate
    return Effect(
        control=control.mean,
        treatment=treatment.mean,
        estimate=estimate,
        low=low,
        high=high,
        relative=estimate / control.mean if known else None,
        relative_low=low / control.mean if known else None,
        relative_high=high / control.mean if known else None,
        p_value=_p_value(control, treatment) if estimate else 1.0,
        se=room / look.half_width(n) if estimate else 0.0,
        n=n,
        method=look.short,
        reason=(
            f"independent arms of {control.n:,} and {treatment.n:,} units, in each of which all"
            " were alike; the interval has room for what so few may hide (Clopper-Pearson)"
        ),
        alpha=look.alpha,
    )


def _gap(control: Arm, treatment: Arm, alpha: float) -> tuple[float, float]:
    ends = []
    for arm in (control, treatment):
        other = hidden(arm.n, alpha / 2)
        ends.append((arm.mean * (1 - other), arm.mean + (1 - arm.mean) * other))
    return ends[1][0] - ends[0][1], ends[1][1] - ends[0][0]


def _p_value(control: Arm, treatment: Arm) -> float:
    """Return the smallest alpha whose interval leaves 0 out, by halving its logarithm."""
    from_, to = math.log(sys.float_info.min), 0.0
    for _ in range(_HALVINGS):
        middle = (from_ + to) / 2
        low, high = _gap(control, treatment, math.exp(middle))
        from_, to = (from_, middle) if low > 0 or high < 0 else (middle, to)
    return math.exp(to)

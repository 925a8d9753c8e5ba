"""Two arms of equal spread: size, effect and power, of which two give the third.

The power of Student's t is the normal distribution's, averaged over what the arms' spread may turn
out to be (Cohen 1988, section 2.2, without its approximations). SciPy's noncentral t, on which
statsmodels relies, is `nan` far out in the tail that hardly matters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.tails import (
    NORMAL,
    Alternative,
    level,
    one_of,
    positive,
    share_of,
    upper_quantile,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from promptstudio_lab.stats.sums import Floats

Test: TypeAlias = Literal["t", "z"]

_LEAST_UNITS, _MOST_UNITS = 2.0, 2.0**40
# Panels of the probability below the median, dense where a small one is far away; and their nodes.
_TAILS, _NODES = np.array([0.0, 1e-12, 1e-9, 1e-6, 1e-4, 1e-2, 0.1, 0.5]), 16


@dataclass(frozen=True, slots=True)
class Power:
    """A plan for two arms in which everything is known.

    Attributes:
        effect_size: the difference in standard deviations of one unit.
        n_control: units in the control, as the formula has it: round up.
        n_treatment: units in the treatment, likewise.
        power: the chance to see that effect.
        alpha: the level of the test.
    """

    effect_size: float
    n_control: float
    n_treatment: float
    power: float
    alpha: float


def two_arm_power(  # noqa: PLR0913 # three of which one is asked for, and how to read them
    *,
    effect_size: float | None = None,
    n: float | None = None,
    power: float | None = None,
    alpha: float = 0.05,
    ratio: float = 1.0,
    alternative: Alternative = "two-sided",
    test: Test = "t",
) -> Power:
    """Return the plan in which the one that was left out follows from the other two.

    Args:
        effect_size: the difference in standard deviations of one unit.
        n: units in the control.
        power: the chance to see that effect.
        alpha: the level of the test.
        ratio: units in the treatment for each one in the control.
        alternative: `two-sided`, `greater` or `less`.
        test: `t`, Student's, or `z`, the normal distribution's.

    Raises:
        AnalysisError: if not exactly one of the three was left out, or no plan can do it.

    >>> round(two_arm_power(effect_size=0.2, power=0.9).n_control, 2)
    526.33
    >>> round(two_arm_power(effect_size=0.5, n=64).power, 3)
    0.801
    """
    one_of("alternative", alternative, get_args(Alternative))
    one_of("test", test, get_args(Test))
    if [effect_size, n, power].count(None) != 1:
        message = "of effect_size, n and power, exactly one must be left out: it is the answer"
        raise AnalysisError(message)
    share = level(alpha) / 2 if alternative == "two-sided" else alpha
    sides = 2 if alternative == "two-sided" else 1
    sign = -1.0 if alternative == "less" else 1.0
    least = _LEAST_UNITS * max(1.0, 1 / positive("ratio", ratio))

    _check(effect_size, n, power, alternative, least)

    def chance(size: float, units: float) -> float:
        df = units * (1 + ratio) - 2 if test == "t" else NORMAL
        return _power(sign * size * math.sqrt(units * ratio / (1 + ratio)), share, sides, df)

    if n is None:
        words = f"{least:.4g} units in the control give"
        n = _solve(lambda units: chance(float(effect_size or 0), units), power, least, words)
    elif effect_size is None:
        rise = _solve(
            lambda size: chance(sign * size, float(n or 0)), power, 0.0, "an effect of 0 has"
        )
        effect_size = sign * rise
    else:
        power = chance(effect_size, n)
    return Power(float(effect_size or 0), n, n * ratio, float(power or 0), alpha)


def _power(drift: float, share: float, sides: int, df: float) -> float:
    """Return how often a statistic that lies around `drift` exceeds its critical value."""
    from scipy.special import ndtr

    spreads, weights = _spreads(df)
    edge = upper_quantile(share, df) * spreads
    seen = ndtr(drift - edge) + (ndtr(-drift - edge) if sides == 2 else 0.0)  # noqa: PLR2004 # both
    return float(weights @ seen)


def _spreads(df: float) -> tuple[Floats, Floats]:
    """Return what the standard deviation may be measured as, where it is 1, and how probably."""
    if math.isinf(df):
        return np.ones(1), np.ones(1)
    from scipy.special import gammainccinv, gammaincinv

    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    half = np.diff(_TAILS)[:, None] / 2
    tails, weights = (_TAILS[:-1, None] + half * (1 + nodes)).ravel(), (half * weights).ravel()
    ends = [gammaincinv(df / 2, tails), gammainccinv(df / 2, tails)]
    return np.sqrt(np.concatenate(ends) * 2 / df), np.tile(weights, 2)


def _solve(
    chance: Callable[[float], float], power: float | None, least: float, words: str
) -> float:
    """Return where a rising chance reaches `power`."""
    from scipy.optimize import brentq

    target, most = float(power or 0), max(1.0, least)
    if chance(least) >= target:
        message = (
            f"power is {target}, and even {words} {chance(least):.3f}. Hint: there is"
            " nothing to plan for; leave power out to see what the present numbers have."
        )
        raise AnalysisError(message)
    while chance(most) < target:
        most *= 2
        if most > _MOST_UNITS:
            message = "no number of units gives this power. Hint: the effect may be too small."
            raise AnalysisError(message)
    return float(brentq(lambda value: chance(value) - target, least, most, xtol=1e-12, rtol=1e-12))


def _check(
    effect_size: float | None,
    n: float | None,
    power: float | None,
    alternative: Alternative,
    least: float,
) -> None:
    if power is not None:
        share_of("power", power, "0.8 is usual")
    if n is not None and not least <= n < math.inf:
        message = f"n is {n}; a finite number of at least {least:.4g} units is needed"
        raise AnalysisError(message)
    if effect_size is None:
        return
    wrong_side = effect_size > 0 if alternative == "less" else effect_size < 0
    if alternative == "two-sided":
        wrong_side = False
    if not math.isfinite(effect_size) or (power is not None and (not effect_size or wrong_side)):
        message = f"no number of units shows an effect of {effect_size} ({alternative})"
        raise AnalysisError(message)

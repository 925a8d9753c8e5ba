"""Two arms of equal spread: size, effect and power, of which two give the third (statsmodels)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.tails import Alternative, level, one_of, positive, share_of

if TYPE_CHECKING:
    from collections.abc import Callable

Test: TypeAlias = Literal["t", "z"]

_LEAST_UNITS, _MOST_UNITS = 2.0, 2.0**40
_NAMES = {"two-sided": "two-sided", "greater": "larger", "less": "smaller"}


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
    _check(effect_size, n, power, alternative)
    level(alpha)
    positive("ratio", ratio)
    from statsmodels.stats.power import NormalIndPower, TTestIndPower

    solver = TTestIndPower() if test == "t" else NormalIndPower()
    side = _NAMES[alternative]

    def chance(size: float, units: float) -> float:
        found = float(solver.power(size, units, alpha, ratio=ratio, alternative=side))
        # Far out scipy's noncentral t has no value; the normal one agrees there to all digits.
        far = NormalIndPower().power(size, units, alpha, ratio=ratio, alternative=side)
        return float(far) if math.isnan(found) else found

    least = _LEAST_UNITS * max(1.0, 1 / ratio)
    sign = -1.0 if alternative == "less" else 1.0
    if n is None:
        n = _solve(lambda units: chance(float(effect_size or 0), units), power, least)
    elif effect_size is None:
        effect_size = sign * _solve(lambda size: chance(sign * size, float(n or 0)), power, 0.0)
    else:
        power = chance(effect_size, n)
    return Power(float(effect_size or 0), n, n * ratio, float(power or 0), alpha)


def _solve(chance: Callable[[float], float], power: float | None, least: float) -> float:
    """Return where a rising chance reaches `power`."""
    from scipy.optimize import brentq

    target, most = float(power or 0), max(1.0, least)
    if chance(least) >= target:
        message = f"even the least that can be asked for has a power of {chance(least):.3f}"
        raise AnalysisError(message)
    while chance(most) < target:
        most *= 2
        if most > _MOST_UNITS:
            message = "no number of units gives this power. Hint: the effect may be too small."
            raise AnalysisError(message)
    return float(brentq(lambda value: chance(value) - target, least, most, xtol=1e-12, rtol=1e-12))


def _check(
    effect_size: float | None, n: float | None, power: float | None, alternative: Alternative
) -> None:
    if power is not None:
        share_of("power", power, "0.8 is usual")
    if n is not None and not n > 1:
        message = f"n is {n}; more than 1 unit is needed to see a spread"
        raise AnalysisError(message)
    if effect_size is None:
        return
    wrong_side = effect_size > 0 if alternative == "less" else effect_size < 0
    if alternative == "two-sided":
        wrong_side = False
    if not math.isfinite(effect_size) or (power is not None and (not effect_size or wrong_side)):
        message = f"no number of units shows an effect of {effect_size} ({alternative})"
        raise AnalysisError(message)

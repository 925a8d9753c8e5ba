"""Asymptotic confidence sequences: intervals that stay right however often somebody looks.

Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas (2021), arXiv:2103.06476: the interval of eq. 9, tuned
by eq. 161 to be tightest at a number of items that is fixed before the data are seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.sums import LEAST_ROWS

TUNING_N = 500
"""Items at which the intervals are tightest; early looks pay for it with width, as they should."""

Scale: TypeAlias = Literal["absolute", "relative"]


@dataclass(frozen=True, slots=True)
class Anytime:
    """The rule of a confidence sequence.

    Attributes:
        alpha: the chance that the sequence ever misses the truth.
        tuning_n: the number of items at which it is tightest.
    """

    alpha: float
    tuning_n: float = TUNING_N

    words = "asymptotic confidence sequence, safe to look at any time"
    short = "anytime"

    @property
    def _mixture(self) -> float:
        surprise = -2 * math.log(self.alpha)
        return (surprise + math.log(surprise + 1)) / self.tuning_n

    def half_width(self, n: int) -> float:
        """Return half the interval's width after `n` items, in standard errors.

        >>> round(Anytime(0.05, tuning_n=500).half_width(500), 3)
        3.035
        """
        growth = n * self._mixture
        excess = math.log(math.sqrt(1 + growth) / self.alpha)
        return math.sqrt(2 * (1 + growth) / growth * excess)

    def p_value(self, z: float, n: int) -> float:
        """Return the smallest alpha whose sequence, tuned alike, excludes 0 (at most 1).

        Args:
            z: the estimate in standard errors.
            n: the number of items.

        >>> rule = Anytime(0.05)
        >>> round(rule.p_value(rule.half_width(240), 240), 12)
        0.05
        """
        growth = n * self._mixture
        return min(1.0, math.sqrt(1 + growth) * math.exp(-growth / (1 + growth) * z * z / 2))

    def unanimous_z(self, n: int) -> float:
        """Return the z whose p-value is that of a sign test in which all `n` items agree.

        The sign test is the mixture of likelihood ratios over a uniform share: (n + 1) / 2^n.
        """
        growth = n * self._mixture
        log_p = min(0.0, math.log(n + 1) - n * math.log(2))
        return math.sqrt(2 * (1 + growth) / growth * (math.log1p(growth) / 2 - log_p))


@dataclass(frozen=True, slots=True)
class Moments:
    """The sums of one arm.

    Attributes:
        n: how many units it has.
        total: the sum of their values.
        squares: the sum of the squares of their values.
    """

    n: int
    total: float
    squares: float

    @property
    def mean(self) -> float:
        """The mean of the values."""
        return self.total / self.n

    @property
    def variance_of_mean(self) -> float:
        """The sample variance of the values, divided by n."""
        return (self.squares - self.total**2 / self.n) / (self.n - 1) / self.n


@dataclass(frozen=True, slots=True)
class Difference:
    """How far treatment lies from control.

    Attributes:
        estimate: the difference, absolute or as a share of the control.
        low: the interval's lower end.
        high: the interval's upper end.
        p_value: the smallest alpha whose sequence excludes 0.
        se: the estimate's standard error.
    """

    estimate: float
    low: float
    high: float
    p_value: float
    se: float


def two_samples(
    control: Moments,
    treatment: Moments,
    *,
    alpha: float = 0.05,
    tuning_n: float = TUNING_N,
    scale: Scale = "absolute",
) -> Difference:
    """Compare the means of two independent arms by a confidence sequence.

    Args:
        control: the sums of the control.
        treatment: the sums of the treatment.
        alpha: the chance that the sequence ever misses the truth.
        tuning_n: the number of units, both arms together, at which it is tightest.
        scale: `absolute`, or `relative` to the control by the delta method.

    Returns:
        The difference; all `nan` when it is relative to a control of 0.

    Raises:
        AnalysisError: if an arm has fewer than two units, or all units of both arms are equal.

    >>> arms = Moments(200, 740, 3615.59), Moments(220, 770, 3571)
    >>> found = two_samples(*arms, tuning_n=500)
    >>> round(found.estimate, 3), round(found.low, 3), round(found.high, 3)
    (-0.2, -0.809, 0.409)
    """
    if min(control.n, treatment.n) < LEAST_ROWS:
        message = f"the arms have {control.n} and {treatment.n} units: at least 2 each are needed"
        raise AnalysisError(message)
    estimate = treatment.mean - control.mean
    variance = treatment.variance_of_mean + control.variance_of_mean
    if scale == "relative":
        if control.mean == 0:
            return Difference(math.nan, math.nan, math.nan, math.nan, math.nan)
        ratio = treatment.mean / control.mean
        variance = treatment.variance_of_mean + ratio**2 * control.variance_of_mean
        variance /= control.mean**2
        estimate /= abs(control.mean)
    if variance <= 0:
        message = "all units of an arm are equal, in both arms: there is no spread to measure"
        raise AnalysisError(message)
    rule, n, se = Anytime(alpha, tuning_n), control.n + treatment.n, math.sqrt(variance)
    half = se * rule.half_width(n)
    return Difference(
        estimate, estimate - half, estimate + half, rule.p_value(estimate / se, n), se
    )

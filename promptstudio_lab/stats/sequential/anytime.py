"""Asymptotic confidence sequences: intervals that stay right however often somebody looks.

Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas (2021), arXiv:2103.06476: the interval of equation 9
and its p-value of equation 155, tuned by equation 161 to be tightest at a number of items that is
fixed before the data are seen; one-sided by equation 134, tuned at twice the level.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.independent import Difference, Scale, contrast
from promptstudio_lab.stats.tails import Alternative, level, one_of, positive

if TYPE_CHECKING:
    from promptstudio_lab.stats.arms import Arm

TUNING_N = 500
"""Items at which the intervals are tightest; early looks pay for it with width, as they should."""

_LARGEST_EXPONENT = 700.0  # beyond it exp is no longer a float


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

    def half_width(self, n: float, df: float | None = None) -> float:  # noqa: ARG002 — normal, whatever its spread was measured with
        """Return half the interval's width after `n` items, in standard errors.

        Args:
            n: the number of items.
            df: not needed: the sequence is a normal one.

        >>> round(Anytime(0.05, tuning_n=500).half_width(500), 3)
        3.035
        """
        growth = n * self._mixture
        excess = math.log(math.sqrt(1 + growth) / self.alpha)
        return math.sqrt(2 * (1 + growth) / growth * excess)

    def p_value(self, z: float, n: float, df: float | None = None) -> float:  # noqa: ARG002 — as above
        """Return the smallest alpha whose sequence, tuned alike, excludes 0 (at most 1).

        Args:
            z: the estimate in standard errors.
            n: the number of items.
            df: not needed: the sequence is a normal one.

        >>> rule = Anytime(0.05)
        >>> round(rule.p_value(rule.half_width(240), 240), 12)
        0.05
        """
        growth = n * self._mixture
        return min(1.0, math.sqrt(1 + growth) * math.exp(-growth / (1 + growth) * z * z / 2))

    def unanimous_z(self, n: int) -> float:
        """Return the z whose p-value is that of a sign test in which all `n` items agree.

        The sign test is the mixture of likelihood ratios over a uniform share: (n + 1) / 2^n.

        >>> rule = Anytime(0.05)
        >>> round(rule.p_value(rule.unanimous_z(10), 10) * 2**10, 9)
        11.0
        """
        growth = n * self._mixture
        log_p = min(0.0, math.log(n + 1) - n * math.log(2))
        return math.sqrt(2 * (1 + growth) / growth * (math.log1p(growth) / 2 - log_p))

    @property
    def _mixture(self) -> float:
        return _tuned(self.alpha, self.tuning_n)


@dataclass(frozen=True, slots=True)
class OneSided:
    """The rule of a confidence sequence that bounds the effect from one side only.

    Attributes:
        alpha: the chance that the bound ever lies beyond the truth, below 1/2.
        tuning_n: the number of items at which it is tightest.
    """

    alpha: float
    tuning_n: float = TUNING_N

    def __post_init__(self) -> None:
        """Refuse a level at which there is no such sequence.

        Raises:
            AnalysisError: if alpha is not below 1/2.
        """
        if level(self.alpha) >= 1 / 2:
            message = f"alpha is {self.alpha}; a one-sided sequence needs one below 0.5"
            raise AnalysisError(message)

    def half_width(self, n: float) -> float:
        """Return how far the bound lies from the estimate, in standard errors.

        >>> round(OneSided(0.05, tuning_n=500).half_width(500), 3)
        2.779
        """
        growth = n * self._mixture
        excess = math.log1p(math.sqrt(1 + growth) / (2 * self.alpha))
        return math.sqrt(2 * (1 + growth) / growth * excess)

    def p_value(self, z: float, n: float) -> float:
        """Return the smallest alpha whose bound, tuned alike, excludes 0 (at most 1).

        Args:
            z: the estimate in standard errors, positive on the side that is looked at.
            n: the number of items.

        >>> rule = OneSided(0.05)
        >>> round(rule.p_value(rule.half_width(240), 240), 12)
        0.05
        """
        growth = n * self._mixture
        exponent = min(growth / (1 + growth) * z * z / 2, _LARGEST_EXPONENT)
        if z <= 0 or exponent == 0:
            return 1.0
        return min(1.0, math.sqrt(1 + growth) / (2 * math.expm1(exponent)))

    @property
    def _mixture(self) -> float:
        return _tuned(2 * self.alpha, self.tuning_n)


def two_samples(  # what a test can be told; all but the arms has a usual value
    control: Arm,
    treatment: Arm,
    *,
    alpha: float = 0.05,
    tuning_n: float = TUNING_N,
    scale: Scale = "absolute",
    alternative: Alternative = "two-sided",
) -> Difference:
    """Compare two independent arms by a confidence sequence.

    Args:
        control: the control.
        treatment: the treatment.
        alpha: the chance that the sequence ever misses the truth.
        tuning_n: the number of units, both arms together, at which it is tightest.
        scale: `absolute`, or `relative` to the control by the delta method.
        alternative: `two-sided`; `greater` bounds the effect from below, `less` from above.

    Returns:
        The difference; what does not exist is `nan`.

    Raises:
        AnalysisError: if an arm has fewer than two units, all units of both arms are equal, or
            alpha or tuning_n is impossible.

    >>> from promptstudio_lab.stats.arms import Arm
    >>> arms = Arm.of_sums(200, 740, 3615.59), Arm.of_sums(220, 770, 3571)
    >>> found = two_samples(*arms, tuning_n=500)
    >>> round(found.estimate, 3), round(found.low, 3), round(found.high, 3)
    (-0.2, -0.809, 0.409)
    """
    found = contrast(control, treatment, scale=scale)
    level(alpha)
    positive("tuning_n", tuning_n)
    one_of("alternative", alternative, get_args(Alternative))
    if math.isnan(found.se):
        return found.test()
    n, z = control.n + treatment.n, found.estimate / found.se
    rule: Anytime | OneSided
    if alternative == "two-sided":
        rule = Anytime(alpha, tuning_n)
        p_value = rule.p_value(z, n)
    else:
        rule = OneSided(alpha, tuning_n)
        p_value = rule.p_value(z if alternative == "greater" else -z, n)
    half = found.se * rule.half_width(n)
    low = -math.inf if alternative == "less" else found.estimate - half
    high = math.inf if alternative == "greater" else found.estimate + half
    return Difference(found.estimate, low, high, p_value, found.se, z, math.inf)


def _tuned(alpha: float, n: float) -> float:
    """Return the mixture's squared scale that is best after `n` items, by equation 161."""
    surprise = -2 * math.log(alpha)
    return (surprise + math.log1p(surprise)) / n

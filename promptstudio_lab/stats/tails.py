"""Where the probability lies: in both tails of Student's t, or in one.

With infinite degrees of freedom Student's t is the normal distribution. Small tails are computed
as tails, never as 1 minus something: 1e-153 stays 1e-153.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from promptstudio_lab.errors import AnalysisError, did_you_mean

Alternative: TypeAlias = Literal["two-sided", "greater", "less"]
_MOST = 2**53  # beyond it, floats are not all the whole numbers there are
NORMAL = math.inf
"""The degrees of freedom at which Student's t is the normal distribution."""


@dataclass(frozen=True, slots=True)
class Tails:
    """A distribution of test statistics and the side on which a departure would be seen.

    Attributes:
        df: degrees of freedom of Student's t, `NORMAL` for the normal distribution.
        alternative: `two-sided`; `greater`, which looks for an effect above the null; or `less`.
    """

    df: float = NORMAL
    alternative: Alternative = "two-sided"

    def __post_init__(self) -> None:
        """Refuse words and numbers that mean nothing.

        Raises:
            AnalysisError: naming what was found and what is allowed.
        """
        one_of("alternative", self.alternative, get_args(Alternative))
        if not self.df > 0:
            message = f"{self.df} degrees of freedom: more than 0 are needed"
            raise AnalysisError(message)

    def p_value(self, statistic: float) -> float:
        """Return the p-value of a statistic that is 0 where the null is met exactly.

        >>> round(Tails(df=14).p_value(2.14798746), 4), Tails().p_value(26.5) > 0
        (0.0497, True)
        """
        if self.alternative == "two-sided":
            return min(1.0, 2 * upper_tail(abs(statistic), self.df))
        return upper_tail(statistic if self.alternative == "greater" else -statistic, self.df)

    def interval(self, estimate: float, se: float, alpha: float = 0.05) -> tuple[float, float]:
        """Return the interval that misses the truth with probability `alpha`.

        A one-sided interval is infinite on the side of its alternative.

        Args:
            estimate: what it lies around.
            se: the estimate's standard error.
            alpha: the chance of missing the truth that is accepted.

        Raises:
            AnalysisError: if alpha is no level.

        >>> [round(end, 2) for end in Tails(alternative="greater").interval(1.0, 0.5)]
        [0.18, inf]
        """
        share = level(alpha) / 2 if self.alternative == "two-sided" else level(alpha)
        half = se * upper_quantile(share, self.df)
        low = -math.inf if self.alternative == "less" else estimate - half
        high = math.inf if self.alternative == "greater" else estimate + half
        return low, high


def upper_tail(value: float, df: float = NORMAL) -> float:
    """Return the probability of more than `value`.

    >>> upper_tail(0.0), upper_tail(10.0) < 1e-22
    (0.5, True)
    """
    from scipy.special import ndtr, stdtr

    return float(ndtr(-value) if math.isinf(df) else stdtr(df, -value))


def upper_quantile(tail: float, df: float = NORMAL) -> float:
    """Return the value that is exceeded with probability `tail`.

    >>> round(upper_quantile(0.025), 4), round(upper_quantile(0.025, df=14), 4)
    (1.96, 2.1448)
    """
    from scipy.special import ndtri, stdtrit

    return -float(ndtri(tail) if math.isinf(df) else stdtrit(df, tail))


def level(alpha: float) -> float:
    """Return `alpha` if it is a level.

    Raises:
        AnalysisError: if it does not lie between 0 and 1.

    >>> level(0.05)
    0.05
    """
    return share_of("alpha", alpha, "0.05 is usual")


def share_of(name: str, value: float, hint: str) -> float:
    """Return `value` if it lies between 0 and 1, both excluded.

    Raises:
        AnalysisError: naming the value, what is allowed, and the hint.

    >>> share_of("power", 0.8, "0.8 is usual")
    0.8
    """
    if not 0 < value < 1:
        message = f"{name} is {value}; it must lie between 0 and 1. Hint: {hint}."
        raise AnalysisError(message)
    return value


def one_of(name: str, word: str, allowed: tuple[str, ...]) -> str:
    """Return `word` if it is allowed.

    Raises:
        AnalysisError: naming the nearest word that is.

    >>> one_of("scale", "absolute", ("absolute", "relative"))
    'absolute'
    """
    if word not in allowed:
        message = f"{name} is {word!r}.{did_you_mean(str(word), allowed)}"
        raise AnalysisError(message)
    return word


def count(name: str, value: float, least: int = 0) -> int:
    """Return `value` if it is a whole number of at least `least`.

    Args:
        name: what an error calls it.
        value: the number.
        least: the smallest one that is allowed.

    Raises:
        AnalysisError: naming the value.

    >>> count("trials", 12)
    12
    """
    if not (least <= value <= _MOST and value == int(value)):
        message = f"{name} is {value}; a whole number of at least {least} is needed"
        raise AnalysisError(message)
    return int(value)


def finite(name: str, value: float) -> float:
    """Return `value` if it is a finite number.

    Raises:
        AnalysisError: naming the value.

    >>> finite("null", -0.5)
    -0.5
    """
    if not math.isfinite(value):
        message = f"{name} is {value}; a finite number is needed"
        raise AnalysisError(message)
    return value


def positive(name: str, value: float) -> float:
    """Return `value` if it is a finite number above 0.

    Raises:
        AnalysisError: naming the value.

    >>> positive("tau2", 0.5)
    0.5
    """
    if not (math.isfinite(value) and value > 0):
        message = f"{name} is {value}; a finite number above 0 is needed"
        raise AnalysisError(message)
    return value

"""Shares of yes and no: the interval of one, of a difference, and the test over the same items."""

from __future__ import annotations

import math
from dataclasses import dataclass

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.tails import count, level


@dataclass(frozen=True, slots=True)
class Proportion:
    """A share with its interval.

    Attributes:
        share: successes by trials.
        low: the lower end of its interval.
        high: the upper end of its interval.
        n: the number of trials.
    """

    share: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Gap:
    """How far one share lies from another.

    Attributes:
        estimate: the treatment's share less the control's.
        low: the lower end of its interval.
        high: the upper end of its interval.
    """

    estimate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class PairedTest:
    """McNemar's test.

    Attributes:
        statistic: the smaller discordant count if exact, else chi-square.
        p_value: of the hypothesis that both variants succeed equally often.
    """

    statistic: float
    p_value: float


def wilson(successes: int, n: int, *, alpha: float = 0.05) -> Proportion:
    """Return a share with Wilson's score interval, which never leaves 0 to 1.

    Args:
        successes: how many succeeded.
        n: out of how many.
        alpha: the chance of missing the truth that is accepted.

    Raises:
        AnalysisError: if the successes do not lie between 0 and n, or n is 0.

    >>> share = wilson(81, 263)
    >>> round(share.low, 4), round(share.high, 4)
    (0.2553, 0.3662)
    """
    count("successes", successes)
    if successes > count("n", n, least=1):
        message = f"{successes} successes out of {n} is no share"
        raise AnalysisError(message)
    level(alpha)
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(successes, n, alpha=alpha, method="wilson")
    share = successes / n
    # Rounding puts the ends of 0 and 1 a hair inside them.
    return Proportion(share=share, low=min(share, float(low)), high=max(share, float(high)), n=n)


def hidden(n: int, alpha: float = 0.05) -> float:
    """Return the largest share of units that may be different though none of `n` was.

    The upper end of Clopper and Pearson's interval at no success (1934), one-sided. It may be read
    after every unit: the chance that a larger share has shown nothing so far only falls.

    Args:
        n: how many units were all alike.
        alpha: the chance that the share is larger all the same.

    Raises:
        AnalysisError: for no unit, or an impossible alpha.

    >>> round(hidden(30), 4), round(3 / 30, 4)
    (0.095, 0.1)
    """
    return -math.expm1(math.log(level(alpha)) / count("n", n, 1))


def newcombe(control: tuple[int, int], treatment: tuple[int, int], *, alpha: float = 0.05) -> Gap:
    """Return the difference of two independent shares with Newcombe's interval.

    It joins the two Wilson intervals (Newcombe 1998, Statistics in Medicine 17:873, method 10),
    and so stays right for few trials and shares near 0 or 1.

    Args:
        control: the control's successes and trials.
        treatment: the treatment's successes and trials.
        alpha: the chance of missing the truth that is accepted.

    Raises:
        AnalysisError: if successes do not lie between 0 and trials, or there are no trials.

    >>> gap = newcombe((0, 10), (10, 10))
    >>> gap.estimate, round(gap.low, 4), gap.high
    (1.0, 0.6075, 1.0)
    """
    old, new = wilson(*control, alpha=alpha), wilson(*treatment, alpha=alpha)
    estimate = new.share - old.share
    low = estimate - math.hypot(new.share - new.low, old.high - old.share)
    high = estimate + math.hypot(new.high - new.share, old.share - old.low)
    return Gap(estimate, max(-1.0, low), min(1.0, high))


def mcnemar(
    only_control: int, only_treatment: int, *, exact: bool = True, correction: bool = False
) -> PairedTest:
    """Test whether two variants succeed equally often on the same items.

    McNemar 1947, exact or with chi-square, from statsmodels.

    Args:
        only_control: on how many items only the control succeeded.
        only_treatment: on how many items only the treatment succeeded.
        exact: by the binomial distribution, or else by chi-square.
        correction: for chi-square, whether to correct it for continuity (Edwards 1948).

    Returns:
        The test; both numbers are `nan` when no item tells the variants apart.

    Raises:
        AnalysisError: if one is no count.

    >>> round(mcnemar(6, 16).p_value, 4)
    0.0525
    """
    count("only_control", only_control)
    count("only_treatment", only_treatment)
    if not only_control + only_treatment:
        return PairedTest(math.nan, math.nan)
    from statsmodels.stats.contingency_tables import mcnemar as test

    found = test([[0, only_control], [only_treatment, 0]], exact=exact, correction=correction)
    return PairedTest(float(found.statistic), float(found.pvalue))

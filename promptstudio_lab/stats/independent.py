"""Two arms with different units in them: the difference of their values, absolute or relative."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.sums import LEAST_ROWS
from promptstudio_lab.stats.tails import NORMAL, Alternative, Tails, finite, one_of, positive

if TYPE_CHECKING:
    from promptstudio_lab.stats.arms import Arm

Scale: TypeAlias = Literal["absolute", "relative"]


@dataclass(frozen=True, slots=True)
class Difference:
    """How far treatment lies from control.

    Attributes:
        estimate: the difference, absolute or as a share of the control's size.
        low: the interval's lower end, minus infinity where the test looks only downwards.
        high: the interval's upper end, infinity where the test looks only upwards.
        p_value: of the hypothesis that the difference is the null's.
        se: the estimate's standard error.
        statistic: how many standard errors lie between estimate and null.
        df: the degrees of freedom of the statistic, infinite for the normal distribution.
    """

    estimate: float
    low: float
    high: float
    p_value: float
    se: float
    statistic: float
    df: float


@dataclass(frozen=True, slots=True)
class Contrast:
    """An estimate and its spread, before anybody asked how sure to be.

    Attributes:
        estimate: treatment minus control, absolute or as a share of the control's size.
        se: its standard error.
        df: the degrees of freedom that the standard error was measured with.
    """

    estimate: float
    se: float
    df: float

    def test(
        self, *, alternative: Alternative = "two-sided", null: float = 0.0, alpha: float = 0.05
    ) -> Difference:
        """Return the difference with its interval and p-value, from Student's t.

        Args:
            alternative: `two-sided`, `greater` or `less`.
            null: the difference of the hypothesis that is tested.
            alpha: the chance of missing the truth that the interval accepts.

        Returns:
            The difference; what does not exist is `nan`.

        Raises:
            AnalysisError: if there is no such alternative or level.

        >>> found = Contrast(estimate=1.0, se=0.5, df=10).test()
        >>> round(found.low, 2), round(found.high, 2), round(found.p_value, 4)
        (-0.11, 2.11, 0.0734)
        """
        if math.isnan(self.se):
            unknown = math.nan
            return Difference(self.estimate, unknown, unknown, unknown, unknown, unknown, self.df)
        tails = Tails(self.df, alternative)
        low, high = tails.interval(self.estimate, self.se, alpha)
        statistic = (self.estimate - finite("null", null)) / self.se
        p_value = tails.p_value(statistic)
        return Difference(self.estimate, low, high, p_value, self.se, statistic, self.df)


def contrast(control: Arm, treatment: Arm, *, scale: Scale = "absolute") -> Contrast:
    """Return treatment minus control with Welch's standard error and degrees of freedom.

    The relative effect's variance is by the delta method, (Vt + r² Vc) / c² for the ratio r
    (Deng, Knoblich, Lu 2018, section 2.2); its degrees of freedom are those of the difference.

    Args:
        control: the control.
        treatment: the treatment.
        scale: `absolute`, or `relative` to the control's size.

    Returns:
        The contrast; `nan` where it does not exist, as when it is relative to a control of 0.

    Raises:
        AnalysisError: if an arm has fewer than two units, or neither arm has any spread.

    >>> from promptstudio_lab.stats.arms import Arm
    >>> found = contrast(Arm(10, 4.0, 2.0), Arm(10, 5.0, 3.0), scale="relative")
    >>> found.estimate, round(found.se, 4), round(found.df, 1)
    (0.25, 0.1957, 17.3)
    """
    one_of("scale", scale, get_args(Scale))
    if min(control.n, treatment.n) < LEAST_ROWS:
        message = f"the arms have {control.n} and {treatment.n} units: at least 2 each are needed"
        raise AnalysisError(message)
    below, above = control.squared_se, treatment.squared_se
    if below + above == 0:
        message = "all units of an arm are equal, in both arms: there is no spread to measure"
        raise AnalysisError(message)
    df = (below + above) ** 2 / (below**2 / (control.n - 1) + above**2 / (treatment.n - 1))
    estimate = treatment.mean - control.mean
    if scale == "absolute":
        return Contrast(estimate, math.sqrt(below + above), df)
    if control.mean == 0:
        return Contrast(math.nan, math.nan, math.nan)
    size = abs(control.mean)
    ratio = treatment.mean / control.mean
    se = math.sqrt(above + ratio**2 * below) / size
    # A ratio of 0 takes the control's spread out, and may leave none.
    return Contrast(estimate / size, se or math.nan, df)


def welch(  # what a test can be told; all but the arms has a usual value
    control: Arm,
    treatment: Arm,
    *,
    scale: Scale = "absolute",
    alternative: Alternative = "two-sided",
    null: float = 0.0,
    alpha: float = 0.05,
) -> Difference:
    """Test two arms whose spreads may differ (Welch 1947).

    Args:
        control: the control.
        treatment: the treatment.
        scale: `absolute`, or `relative` to the control's size by the delta method.
        alternative: `two-sided`; `greater` or `less` for the treatment against the control.
        null: the difference of the hypothesis that is tested, on that scale.
        alpha: the chance of missing the truth that the interval accepts.

    Raises:
        AnalysisError: if an arm has fewer than two units, or neither arm has any spread.

    >>> from promptstudio_lab.stats.arms import Arm
    >>> found = welch(Arm(11, 12.0, 39.0), Arm(13, 15.0, 87.5))
    >>> round(found.statistic, 4), round(found.p_value, 4)
    (0.9358, 0.36)
    """
    found = contrast(control, treatment, scale=scale)
    return found.test(alternative=alternative, null=null, alpha=alpha)


def student(
    control: Arm,
    treatment: Arm,
    *,
    alternative: Alternative = "two-sided",
    null: float = 0.0,
    alpha: float = 0.05,
) -> Difference:
    """Test two arms that share one spread, pooled from both (Student 1908).

    Args:
        control: the control.
        treatment: the treatment.
        alternative: `two-sided`; `greater` or `less` for the treatment against the control.
        null: the difference of the hypothesis that is tested.
        alpha: the chance of missing the truth that the interval accepts.

    Raises:
        AnalysisError: if an arm has fewer than two units, or neither arm has any spread.

    >>> from promptstudio_lab.stats.arms import Arm
    >>> round(student(Arm(11, 12.0, 39.0), Arm(13, 15.0, 87.5)).p_value, 4)
    0.3752
    """
    found = contrast(control, treatment)
    df = control.n + treatment.n - 2
    within = (control.n - 1) * control.variance + (treatment.n - 1) * treatment.variance
    se = math.sqrt(within / df * (1 / control.n + 1 / treatment.n))
    pooled = Contrast(found.estimate, se, df)
    return pooled.test(alternative=alternative, null=null, alpha=alpha)


def z_test(  # what a test can be told; all but the arms has a usual value
    control: Arm,
    treatment: Arm,
    *,
    scale: Scale = "absolute",
    alternative: Alternative = "two-sided",
    null: float = 0.0,
    alpha: float = 0.05,
) -> Difference:
    """Test two large arms by the normal distribution, each with its own spread.

    Args:
        control: the control.
        treatment: the treatment.
        scale: `absolute`, or `relative` to the control's size by the delta method.
        alternative: `two-sided`; `greater` or `less` for the treatment against the control.
        null: the difference of the hypothesis that is tested, on that scale.
        alpha: the chance of missing the truth that the interval accepts.

    Raises:
        AnalysisError: if an arm has fewer than two units, or neither arm has any spread.

    >>> from promptstudio_lab.stats.arms import Arm
    >>> found = z_test(Arm.of_successes(100, 40), Arm.of_successes(100, 50))
    >>> round(found.estimate, 2), round(found.p_value, 4)
    (0.1, 0.1531)
    """
    found = contrast(control, treatment, scale=scale)
    normal = Contrast(found.estimate, found.se, NORMAL)
    return normal.test(alternative=alternative, null=null, alpha=alpha)


def fieller(control: Arm, treatment: Arm, critical: float) -> tuple[float, float]:
    """Return the relative effect's interval that stays right when the control is noisy.

    It holds the relative effects that a test of `treatment - (1 + effect) * control` accepts
    (Fieller 1954), where the delta method pretends that the control's noise is small.

    Args:
        control: the control.
        treatment: the treatment.
        critical: half the interval's width in standard errors, such as 1.96.

    Returns:
        The ends; both infinite when the control itself cannot be told from 0.

    Raises:
        AnalysisError: if `critical` is not above 0.

    >>> from promptstudio_lab.stats.arms import Arm
    >>> [round(end, 3) for end in fieller(Arm(100, 2.0, 4.0), Arm(100, 3.0, 4.0), 1.96)]
    [0.195, 0.925]
    """
    if control.noise * positive("critical", critical) >= 1:
        return -math.inf, math.inf
    share = (control.noise * critical) ** 2
    ratio = treatment.mean / control.mean
    inside = treatment.squared_se * (1 - share) + ratio**2 * control.squared_se
    half = critical * math.sqrt(inside) / abs(control.mean) / (1 - share)
    centre = (ratio / (1 - share) - 1) * math.copysign(1, control.mean)
    return centre - half, centre + half

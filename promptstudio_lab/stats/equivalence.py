"""Not worse, or just as good: tests whose null is a harm, so that silence is no proof."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.independent import student, welch, z_test
from promptstudio_lab.stats.tails import one_of

if TYPE_CHECKING:
    from promptstudio_lab.stats.arms import Arm
    from promptstudio_lab.stats.independent import Difference

Direction: TypeAlias = Literal["increase", "decrease"]


@dataclass(frozen=True, slots=True)
class Equivalence:
    """Whether two arms differ by less than what matters.

    Attributes:
        estimate: treatment minus control.
        low: the lower end of the interval at twice alpha, which must lie inside the margins.
        high: its upper end.
        p_value: of the hypothesis that the difference lies outside: the larger of both tests'.
        p_low: of the hypothesis that the difference is at most the lower margin.
        p_high: of the hypothesis that the difference is at least the upper margin.
    """

    estimate: float
    low: float
    high: float
    p_value: float
    p_low: float
    p_high: float


def non_inferiority(
    control: Arm,
    treatment: Arm,
    *,
    margin: float = 0.0,
    relative: bool = False,
    good: Direction = "increase",
    alpha: float = 0.05,
) -> Difference:
    """Test whether the treatment is not worse than the control by more than a margin.

    It is a one-sided test whose null is moved by the margin (Schultzberg, Ankargren, Frånberg
    2024, arXiv:2402.11609); with a margin of 0 it asks for an improvement.

    Args:
        control: the control.
        treatment: the treatment.
        margin: the worsening that is still accepted, at least 0.
        relative: whether the margin is a share of the control's size; else it is absolute.
        good: whether an `increase` or a `decrease` of the metric is good.
        alpha: the chance of calling a worse treatment not worse.

    Returns:
        The difference with a one-sided interval; a p-value of at most alpha means not worse.

    Raises:
        AnalysisError: if the margin is negative, or the arms cannot be compared.

    >>> from promptstudio_lab.stats.arms import Arm
    >>> found = non_inferiority(Arm(5000, 2.0, 1.0), Arm(5000, 1.99, 1.0), margin=0.05)
    >>> round(found.p_value, 4), found.high
    (0.0228, inf)
    """
    one_of("good", good, get_args(Direction))
    if not 0 <= margin < math.inf:
        message = f"the margin is {margin}; it is how much worse is accepted, so at least 0"
        raise AnalysisError(message)
    size = margin * abs(control.mean) if relative else margin
    if good == "increase":
        return z_test(control, treatment, alternative="greater", null=-size, alpha=alpha)
    return z_test(control, treatment, alternative="less", null=size, alpha=alpha)


def equivalence(  # two arms and two margins; the rest has a usual value
    control: Arm,
    treatment: Arm,
    low: float,
    high: float,
    *,
    pooled: bool = False,
    alpha: float = 0.05,
) -> Equivalence:
    """Test whether the difference lies between two margins (two one-sided tests, Schuirmann 1987).

    Args:
        control: the control.
        treatment: the treatment.
        low: the lower margin of treatment minus control.
        high: the upper margin.
        pooled: whether both arms share one spread (Student), or not (Welch).
        alpha: the chance of calling different arms equivalent.

    Raises:
        AnalysisError: if the margins are in the wrong order, or the arms cannot be compared.

    >>> from promptstudio_lab.stats.arms import Arm
    >>> found = equivalence(Arm(200, 4.0, 1.0), Arm(200, 4.05, 1.0), -0.3, 0.3)
    >>> round(found.p_value, 4)
    0.0064
    """
    if not low < high:
        message = f"the margins are {low} and {high}; the lower one comes first"
        raise AnalysisError(message)
    test = student if pooled else welch
    above = test(control, treatment, alternative="greater", null=low, alpha=alpha)
    below = test(control, treatment, alternative="less", null=high, alpha=alpha)
    p_value = max(above.p_value, below.p_value)
    return Equivalence(above.estimate, above.low, below.high, p_value, above.p_value, below.p_value)

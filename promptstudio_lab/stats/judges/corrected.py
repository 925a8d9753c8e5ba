"""A rate that a fallible judge measured, corrected by the few verdicts that people checked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.arms import Arm
from promptstudio_lab.stats.sums import numbers
from promptstudio_lab.stats.tails import Tails

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptstudio_lab.stats.sums import Floats


@dataclass(frozen=True, slots=True)
class Corrected:
    """A value with the judge's error taken out.

    Attributes:
        estimate: the corrected value; a rate is kept between 0 and 1.
        se: its standard error, with the uncertainty of the correction.
        low: the lower end of its interval.
        high: the upper end of its interval.
        raw: what the judge alone says.
    """

    estimate: float
    se: float
    low: float
    high: float
    raw: float


def rogan_gladen(
    positives: tuple[int, int],
    sensitivity: tuple[int, int],
    specificity: tuple[int, int],
    *,
    alpha: float = 0.05,
) -> Corrected:
    """Return the true rate behind a judge of known error (Rogan & Gladen 1978).

    The interval is by the delta method over all three shares (Lang & Reiczigel 2014, without
    their small-sample shift).

    Args:
        positives: how many of how many outputs the judge passed.
        sensitivity: how many of the truly good outputs the judge passed, out of how many.
        specificity: how many of the truly bad outputs the judge failed, out of how many.
        alpha: the chance of missing the truth that the interval accepts.

    Raises:
        AnalysisError: if a share is impossible, or the judge is no better than chance.

    >>> found = rogan_gladen((700, 1000), (90, 100), (80, 100))
    >>> round(found.estimate, 4), round(found.low, 3), round(found.high, 3)
    (0.7143, 0.635, 0.793)
    """
    passed, caught, failed = (
        Arm.of_successes(n, k) for k, n in (positives, sensitivity, specificity)
    )
    power = caught.mean + failed.mean - 1
    if power <= 0:
        message = (
            f"the judge passes {100 * caught.mean:.0f} % of good and fails"
            f" {100 * failed.mean:.0f} % of bad outputs: no better than chance, so nothing can be"
            " corrected"
        )
        raise AnalysisError(message)
    rate = (passed.mean + failed.mean - 1) / power
    variance = passed.squared_se + rate**2 * caught.squared_se + (1 - rate) ** 2 * failed.squared_se
    se = math.sqrt(variance) / power
    low, high = (min(1.0, max(0.0, end)) for end in Tails().interval(rate, se, alpha))
    return Corrected(min(1.0, max(0.0, rate)), se, low, high, passed.mean)


def prediction_powered(
    verdicts: Sequence[float] | Floats,
    checked_verdicts: Sequence[float] | Floats,
    truths: Sequence[float] | Floats,
    *,
    alpha: float = 0.05,
) -> Corrected:
    """Return a mean from many verdicts and the judge's mean error on a few that were checked.

    Prediction-powered inference (Angelopoulos, Bates, Fannjiang, Jordan, Zrnic 2023,
    arXiv:2301.09633): right whatever the judge is like, and sharp when it is good.

    Args:
        verdicts: the judge's scores of outputs that nobody checked.
        checked_verdicts: the judge's scores of outputs that people checked.
        truths: people's scores of the same outputs.
        alpha: the chance of missing the truth that the interval accepts.

    Raises:
        AnalysisError: if there are fewer than two of either, or the checked ones do not match.

    >>> found = prediction_powered([1, 1, 0, 1] * 50, [1, 1, 0, 1], [1, 0, 0, 1])
    >>> found.raw, found.estimate
    (0.75, 0.5)
    """
    if len(checked_verdicts) != len(truths):
        message = f"{len(checked_verdicts)} checked verdicts and {len(truths)} truths do not match"
        raise AnalysisError(message)
    judged = Arm.of_values(verdicts, "verdicts")
    error = Arm.of_values(
        numbers("checked_verdicts", checked_verdicts) - numbers("truths", truths), "error"
    )
    estimate = judged.mean - error.mean
    se = math.sqrt(judged.squared_se + error.squared_se)
    low, high = Tails().interval(estimate, se, alpha)
    return Corrected(estimate, se, low, high, judged.mean)

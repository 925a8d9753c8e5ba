"""Sample ratio mismatch: did the variants get the shares of traffic that they were promised?

When they did not, something lost or doubled executions, and no comparison can be trusted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptstudio_lab.errors import AnalysisError

if TYPE_CHECKING:
    from collections.abc import Sequence

THRESHOLD = 0.001
"""The usual one: rare enough in healthy experiments that an alarm is worth a look."""


@dataclass(frozen=True, slots=True)
class SrmResult:
    """Whether the observed counts fit the promised shares.

    Attributes:
        p_value: of a chi-square test that they do.
        ok: whether the p-value reaches the threshold.
        statistic: chi-square.
        observed: the counts.
        expected: the counts that the shares promise.
        threshold: the p-value below which it is a mismatch.
    """

    p_value: float
    ok: bool
    statistic: float
    observed: tuple[int, ...]
    expected: tuple[float, ...]
    threshold: float


def srm(
    observed: Sequence[int], weights: Sequence[float], *, threshold: float = THRESHOLD
) -> SrmResult:
    """Test observed counts against promised shares.

    Args:
        observed: the count of each variant.
        weights: the promised share of each variant, in any unit.
        threshold: the p-value below which it is a mismatch.

    Raises:
        AnalysisError: if counts and weights do not match, a weight is not positive, or nothing
            was observed.

    >>> result = srm([500, 600], [0.5, 0.5])
    >>> round(result.p_value, 4), result.ok
    (0.0026, True)
    """
    if len(observed) != len(weights) or len(observed) < 2:  # noqa: PLR2004 # two make a ratio
        message = (
            f"{len(observed)} counts and {len(weights)} weights:"
            " one of each for at least 2 variants is needed"
        )
        raise AnalysisError(message)
    if not all(math.isfinite(weight) and weight > 0 for weight in weights):
        message = f"the weights are {list(weights)}; each must be positive"
        raise AnalysisError(message)
    if min(observed) < 0 or not sum(observed):
        message = f"the counts are {list(observed)}; they must be counts of something"
        raise AnalysisError(message)
    from scipy.stats import chisquare

    share = sum(observed) / math.fsum(weights)
    expected = tuple(weight * share for weight in weights)
    statistic, p_value = chisquare(list(observed), list(expected))
    return SrmResult(
        p_value=float(p_value),
        ok=float(p_value) >= threshold,
        statistic=float(statistic),
        observed=tuple(observed),
        expected=expected,
        threshold=threshold,
    )

"""Sample ratio mismatch: did the variants get the shares of traffic that they were promised?

When they did not, something lost or doubled executions, and no comparison can be trusted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.shown import named_html
from promptstudio_lab.stats.tails import count, share_of

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

    _repr_html_ = named_html


def srm(
    observed: Sequence[int], weights: Sequence[float], *, threshold: float = THRESHOLD
) -> SrmResult:
    """Test observed counts against promised shares (Pearson's chi-square).

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
    share_of("threshold", threshold, "0.001 is usual")
    shares, total = promised(observed, weights), sum(observed)
    if not total:
        message = "nothing was observed, so there is no ratio to test"
        raise AnalysisError(message)
    from scipy.special import chdtrc

    expected = tuple(share * total for share in shares)
    statistic = math.fsum(
        (seen - due) ** 2 / due for seen, due in zip(observed, expected, strict=True)
    )
    p_value = float(chdtrc(len(expected) - 1, statistic))
    return SrmResult(
        p_value=p_value,
        ok=p_value >= threshold,
        statistic=statistic,
        observed=tuple(observed),
        expected=expected,
        threshold=threshold,
    )


def promised(observed: Sequence[int], weights: Sequence[float]) -> tuple[float, ...]:
    """Return the promised shares, which add up to 1.

    Args:
        observed: the count of each variant.
        weights: the promised share of each variant, in any unit.

    Raises:
        AnalysisError: if counts and weights do not match, or one is impossible.

    >>> promised([500, 600], [1, 3])
    (0.25, 0.75)
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
    for variant, seen in enumerate(observed):
        count(f"the count of variant {variant}", seen)
    return tuple(weight / math.fsum(weights) for weight in weights)

"""Many questions at once: p-values that stay honest about how many were asked.

The policy of reports: Holm over goal metrics and variants, nothing over guardrails, and
Benjamini-Hochberg over segments. All but Holm's are statsmodels'.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.sums import numbers
from promptstudio_lab.stats.tails import level, one_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptstudio_lab.stats.sums import Floats

Correction: TypeAlias = Literal["holm", "hommel", "bonferroni", "bh", "by"]

_NAMES = {"bh": "fdr_bh", "by": "fdr_by"}


@dataclass(frozen=True, slots=True)
class Adjusted:
    """P-values after a correction, in the order that they were given.

    Attributes:
        p_values: each compares with alpha as if it had been the only one.
        rejected: whether each does not exceed alpha.
        method: `holm`, `hommel` and `bonferroni` hold the chance of any false finding to alpha;
            `bh` holds the share of false findings among all, `by` does so whatever the
            dependence.
        alpha: the level.
    """

    p_values: tuple[float, ...]
    rejected: tuple[bool, ...]
    method: str
    alpha: float


def adjust(
    p_values: Sequence[float], method: Correction = "holm", *, alpha: float = 0.05
) -> Adjusted:
    """Correct p-values for their number.

    Args:
        p_values: one for each question; none is left out.
        method: which correction.
        alpha: the level of the answers.

    Raises:
        AnalysisError: if a p-value does not lie between 0 and 1, or there is no such method.

    >>> found = adjust([0.01, 0.04, 0.03, 0.005])
    >>> [round(p, 3) for p in found.p_values], found.rejected
    ([0.03, 0.06, 0.06, 0.02], (True, False, False, True))
    """
    one_of("method", method, get_args(Correction))
    found = numbers("p_values", p_values)
    level(alpha)
    if not ((found >= 0) & (found <= 1)).all():
        at = int(np.flatnonzero((found < 0) | (found > 1))[0])
        message = (
            f"p-value {at} is {p_values[at]}; it must lie between 0 and 1 (p-values count from 0)"
        )
        raise AnalysisError(message)
    if not found.size:
        return Adjusted((), (), method, alpha)
    adjusted = _holm(found) if method == "holm" else _library(found, method, alpha)
    return Adjusted(tuple(adjusted.tolist()), tuple((adjusted <= alpha).tolist()), method, alpha)


def _holm(p_values: Floats) -> Floats:
    """Return Holm's p-values (1979). statsmodels has them, and collects garbage at each call."""
    order = np.argsort(p_values)
    left = np.arange(p_values.size, 0, -1)  # hypotheses that are not yet rejected
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.maximum.accumulate(left * p_values[order])
    return np.minimum(adjusted, 1.0)


def _library(p_values: Floats, method: str, alpha: float) -> Floats:
    from statsmodels.stats.multitest import multipletests

    found = multipletests(p_values, alpha=alpha, method=_NAMES.get(method, method))
    return np.asarray(found[1], dtype=np.float64)

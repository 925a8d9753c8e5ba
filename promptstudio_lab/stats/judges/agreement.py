"""Do two judges agree more than chance would let them, and does a judge agree with itself?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.proportions import Proportion, wilson
from promptstudio_lab.stats.sums import table_of
from promptstudio_lab.stats.tails import Tails, level, one_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

Weighting: TypeAlias = Literal["none", "linear", "quadratic"]

_ROUNDING = 64 * float(np.finfo(np.float64).eps)  # of a variance that is 0


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two judges agree.

    Attributes:
        kappa: Cohen's kappa: 0 is chance, 1 is always; `nan` when both always say the same word.
        se: its standard error; `nan`, as are both ends, when the table shows no spread: the judges
            agree on every item, or one of them always says the same word.
        low: the lower end of its interval, at least -1.
        high: the upper end of its interval, at most 1.
        observed: the share of items on which they agree.
        n: how many items both judged.
    """

    kappa: float
    se: float
    low: float
    high: float
    observed: float
    n: int


@dataclass(frozen=True, slots=True)
class SwapTest:
    """What a pairwise judge does when both answers change places.

    Attributes:
        consistent: the share of pairs with the same winner in both orders, with its interval.
        first: among the inconsistent, the share that went to whichever came first.
        p_value: of the hypothesis that the judge prefers no position; `nan` without any
            inconsistent pair.
    """

    consistent: Proportion
    first: float
    p_value: float


def kappa(
    table: Sequence[Sequence[float]], *, weighting: Weighting = "none", alpha: float = 0.05
) -> Agreement:
    """Return Cohen's kappa with its interval, from statsmodels.

    Args:
        table: how often the first judge said the row's word and the second the column's.
        weighting: for ordered words, whether near misses count in part (`linear` or `quadratic`).
        alpha: the chance of missing the truth that the interval accepts.

    Raises:
        AnalysisError: if the table is not square, holds no counts, or counts nothing.

    >>> found = kappa([[20, 5], [10, 15]])
    >>> round(found.kappa, 3), round(found.low, 2), round(found.high, 2)
    (0.4, 0.15, 0.65)
    """
    one_of("weighting", weighting, get_args(Weighting))
    level(alpha)
    counts = _square(table)
    n = float(counts.sum())
    observed = float(np.trace(counts)) / n
    if np.count_nonzero(counts.sum(axis=0) + counts.sum(axis=1)) == 1:
        # Agreement by chance is certain.
        return Agreement(math.nan, math.nan, math.nan, math.nan, observed, round(n))
    from statsmodels.stats.inter_rater import cohens_kappa

    # It also divides by roots of variances that may be 0, or by rounding a hair below.
    with np.errstate(invalid="ignore", divide="ignore"):
        found = cohens_kappa(counts, wt=None if weighting == "none" else weighting)
    value, variance = float(found.kappa), float(found.var_kappa)
    if variance <= _ROUNDING / n:
        return Agreement(value, math.nan, math.nan, math.nan, observed, round(n))
    low, high = Tails().interval(value, math.sqrt(variance), alpha)
    return Agreement(value, math.sqrt(variance), max(-1.0, low), min(1.0, high), observed, round(n))


def verdict_table(
    first: Sequence[Hashable], second: Sequence[Hashable]
) -> tuple[tuple[int, ...], ...]:
    """Return how often the first judge said one word and the second another.

    Raises:
        AnalysisError: if they judged different numbers of items, or none.

    >>> verdict_table(["good", "bad", "good"], ["good", "good", "good"])
    ((2, 0), (1, 0))
    """
    if len(first) != len(second) or not first:
        message = f"{len(first)} and {len(second)} verdicts: both judges need the same items"
        raise AnalysisError(message)
    places = {word: at for at, word in enumerate(dict.fromkeys([*first, *second]))}
    counts = np.zeros((len(places), len(places)), dtype=np.int64)
    np.add.at(counts, ([places[word] for word in first], [places[word] for word in second]), 1)
    return tuple(tuple(row) for row in counts.tolist())


def swap_test(same: int, always_first: int, always_second: int, *, alpha: float = 0.05) -> SwapTest:
    """Test a pairwise judge that saw every pair in both orders.

    Args:
        same: pairs in which the same answer won in both orders.
        always_first: pairs in which whichever came first won twice.
        always_second: pairs in which whichever came second won twice.
        alpha: the chance of missing the truth that the interval accepts.

    Raises:
        AnalysisError: if there is no pair, or a count is negative.

    >>> found = swap_test(80, 16, 4)
    >>> found.consistent.share, found.first, round(found.p_value, 4)
    (0.8, 0.8, 0.0118)
    """
    swayed = always_first + always_second
    if min(same, always_first, always_second) < 0:
        message = f"{same}, {always_first} and {always_second} are no counts"
        raise AnalysisError(message)
    consistent = wilson(same, same + swayed, alpha=alpha)
    if not swayed:
        return SwapTest(consistent, math.nan, math.nan)
    from scipy.stats import binomtest

    p_value = float(binomtest(always_first, swayed).pvalue)
    return SwapTest(consistent, always_first / swayed, p_value)


def _square(table: Sequence[Sequence[float]]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    counts = table_of("verdicts", table)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:  # noqa: PLR2004 # rows and columns
        message = f"the table has the shape {counts.shape}; as many rows as columns are needed"
        raise AnalysisError(message)
    if not (np.isfinite(counts) & (counts >= 0)).all() or not counts.sum():
        message = "the table must hold counts, and count something"
        raise AnalysisError(message)
    return counts

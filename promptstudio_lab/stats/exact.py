"""Tests that assume no shape: ranks of differences, shuffled arms, tables of two by two."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.sums import numbers
from promptstudio_lab.stats.tails import Alternative, count, one_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from promptstudio_lab.stats.sums import Floats

Statistic: TypeAlias = Literal["mean_diff", "median_diff"]
TableTest: TypeAlias = Literal["fisher", "boschloo", "barnard"]

MOST_SHUFFLES = 200_000
"""Up to this many ways to shuffle, all are tried; beyond, as many as `SAMPLED` at random."""
SAMPLED = 99_999
_MOST_RANKED, _MOST_SIGNS = 50, 13  # SciPy counts so many differences, and with ties so many
_SEED = 20261101  # the same data give the same p-value


@dataclass(frozen=True, slots=True)
class ExactTest:
    """A test whose null distribution is counted, not assumed.

    Attributes:
        statistic: what the test compares.
        p_value: of the hypothesis that there is no difference.
        exact: whether every case was counted; otherwise they were sampled or approximated.
    """

    statistic: float
    p_value: float
    exact: bool


def wilcoxon(
    differences: Sequence[float] | Floats, *, alternative: Alternative = "two-sided"
) -> ExactTest:
    """Test whether paired differences lie around 0 (Wilcoxon's signed ranks).

    Args:
        differences: treatment minus control, one an item; differences of 0 are dropped.
        alternative: `two-sided`, `greater` or `less`.

    Returns:
        The test: its statistic is the smaller rank sum if two-sided, else that of the positive
        differences. It is exact up to 50 differences without
        ties, or up to 13 with.

    Raises:
        AnalysisError: if no difference is other than 0, or one is no finite number.

    >>> wilcoxon([1.5, 2.5, 4.0, -0.5, 3.0]).p_value
    0.125
    """
    one_of("alternative", alternative, get_args(Alternative))
    found = numbers("differences", differences)
    told = found[found != 0]
    if not told.size:
        message = f"none of the {found.size} differences is other than 0: nothing can be ranked"
        raise AnalysisError(message)
    from scipy.stats import wilcoxon as signed_ranks

    distinct = told.size == found.size == np.unique(np.abs(told)).size
    exact = found.size <= (_MOST_RANKED if distinct else _MOST_SIGNS)
    test = signed_ranks(found, alternative=alternative)
    return ExactTest(float(test.statistic), float(test.pvalue), exact)


def permutation(
    control: Sequence[float] | Floats,
    treatment: Sequence[float] | Floats,
    *,
    statistic: Statistic = "mean_diff",
    alternative: Alternative = "two-sided",
    paired: bool = False,
) -> ExactTest:
    """Test two arms by shuffling who belongs to which (Fisher 1935).

    Args:
        control: the control's values.
        treatment: the treatment's values.
        statistic: the difference of means or of medians, treatment minus control.
        alternative: `two-sided`, `greater` or `less`.
        paired: whether value i of both arms is the same item, so that only signs are shuffled.

    Returns:
        The test; exact up to `MOST_SHUFFLES` ways to shuffle, else from a sample of them.

    Raises:
        AnalysisError: if an arm is empty, a value is no finite number, or pairs do not match.

    >>> found = permutation([19, 22, 16, 29, 24], [20, 11, 17, 12])
    >>> found.statistic, round(found.p_value, 4), found.exact
    (-7.0, 0.0794, True)
    """
    one_of("alternative", alternative, get_args(Alternative))
    one_of("statistic", statistic, get_args(Statistic))
    old, new = numbers("control", control), numbers("treatment", treatment)
    if not (old.size and new.size) or (paired and old.size != new.size):
        message = f"arms of {old.size} and {new.size} values cannot be shuffled"
        raise AnalysisError(message)
    from scipy.stats import permutation_test

    ways = 2**old.size if paired else math.comb(old.size + new.size, old.size)
    exact = ways <= MOST_SHUFFLES
    found = permutation_test(
        (new, old),
        _STATISTICS[statistic],
        permutation_type="samples" if paired else "independent",
        vectorized=True,
        n_resamples=math.inf if exact else SAMPLED,
        batch=max(1, 2_000_000 // (old.size + new.size)),
        alternative=alternative,
        rng=np.random.default_rng(_SEED),
    )
    return ExactTest(float(found.statistic), float(found.pvalue), exact)


def table_test(
    table: Sequence[Sequence[int]],
    *,
    test: TableTest = "boschloo",
    alternative: Alternative = "two-sided",
    pooled: bool = True,
) -> ExactTest:
    """Test a table of two by two counts, from SciPy.

    Args:
        table: rows are outcomes, columns are variants: `[[yes_a, yes_b], [no_a, no_b]]`.
        test: `fisher`; `boschloo`, which is never weaker; or `barnard`.
        alternative: `two-sided`, `greater` or `less`.
        pooled: for Barnard's test, whether its statistic pools the variance.

    Returns:
        The test: its statistic is the odds ratio (Fisher), Fisher's p-value (Boschloo) or Wald's
        statistic (Barnard).

    Raises:
        AnalysisError: if the table is not two by two counts, or a variant has none.

    >>> round(table_test([[74, 31], [43, 32]], alternative="greater").p_value, 4)
    0.0356
    """
    one_of("test", test, get_args(TableTest))
    one_of("alternative", alternative, get_args(Alternative))
    if [len(row) for row in table] != [2, 2]:
        message = f"{table} is no table of two by two counts"
        raise AnalysisError(message)
    counts = np.array([[count("a count of the table", value) for value in row] for row in table])
    if not counts.sum(axis=0).all():
        message = f"a column of {table} counts nothing, so there is nothing to compare"
        raise AnalysisError(message)
    from scipy import stats

    if test == "fisher":
        found = stats.fisher_exact(counts, alternative=alternative)
    elif test == "boschloo":
        found = stats.boschloo_exact(counts, alternative=alternative)
    else:
        found = stats.barnard_exact(counts, alternative=alternative, pooled=pooled)
    return ExactTest(float(found.statistic), float(found.pvalue), exact=True)


def _mean_difference(new: Floats, old: Floats, axis: int) -> Floats:
    return np.asarray(np.mean(new, axis=axis) - np.mean(old, axis=axis))


def _median_difference(new: Floats, old: Floats, axis: int) -> Floats:
    return np.asarray(np.median(new, axis=axis) - np.median(old, axis=axis))


_STATISTICS: dict[str, Callable[..., Floats]] = {
    "mean_diff": _mean_difference,
    "median_diff": _median_difference,
}

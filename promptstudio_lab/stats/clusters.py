"""Scores that come in clusters: repeats of one item, questions on one document, runs of one user.

Rows of a cluster resemble each other, so they are worth less than their number says. The standard
error is CR1 with Student's t on G - 1 degrees of freedom (Cameron & Miller 2015, sections II and
VI.D), which is right from 5 clusters on; CR0 with the normal distribution, as printed by Miller
2024 (arXiv:2411.00640, equation 4), covers only 85 % at 5 clusters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.arms import Arm
from promptstudio_lab.stats.sums import numbers
from promptstudio_lab.stats.tails import NORMAL, Tails, one_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptstudio_lab.stats.sums import Floats, Labels

Correction: TypeAlias = Literal["CR1", "CR0"]


@dataclass(frozen=True, slots=True)
class ClusteredMean:
    """The mean of scores in clusters.

    Attributes:
        mean: the mean over all rows.
        se: its cluster-robust standard error; `nan` when all clusters agree exactly.
        low: the lower end of its interval.
        high: the upper end of its interval.
        p_value: of the hypothesis that it is 0.
        rows: how many scores there are.
        clusters: in how many clusters.
        df: degrees of freedom of the interval.
        design_effect: how many times larger the variance is than that of independent rows.
    """

    mean: float
    se: float
    low: float
    high: float
    p_value: float
    rows: int
    clusters: int
    df: float
    design_effect: float


def clustered_mean(
    scores: Sequence[float] | Floats,
    clusters: Labels,
    *,
    correction: Correction = "CR1",
    alpha: float = 0.05,
) -> ClusteredMean:
    """Return the mean of scores with an interval that knows about their clusters.

    Args:
        scores: one score a row.
        clusters: which cluster each row belongs to.
        correction: `CR1`, with Student's t; or `CR0`, with the normal distribution, to reproduce
            published figures.
        alpha: the chance of missing the truth that the interval accepts.

    Raises:
        AnalysisError: if there are fewer than two clusters, or the lengths differ.

    >>> found = clustered_mean([1, 1, 0, 0, 1, 0], ["a", "a", "b", "b", "c", "c"])
    >>> found.mean, round(found.se, 4), found.df
    (0.5, 0.2887, 2.0)
    """
    one_of("correction", correction, get_args(Correction))
    arm, rows = Arm.of_clusters(scores, clusters), len(scores)
    if not arm.variance:
        unknown = (math.nan,) * 4
        return ClusteredMean(arm.mean, *unknown, rows, arm.n, arm.n - 1, math.nan)
    squared_se, df = arm.squared_se, float(arm.n - 1)
    if correction == "CR0":
        squared_se, df = squared_se * (arm.n - 1) / arm.n, NORMAL
    tails, se = Tails(df), math.sqrt(squared_se)
    low, high = tails.interval(arm.mean, se, alpha)
    p_value = tails.p_value(arm.mean / se)
    independent = Arm.of_values(scores).squared_se
    inflation = squared_se / independent if independent else math.nan
    return ClusteredMean(arm.mean, se, low, high, p_value, rows, arm.n, df, inflation)


def clustered_difference(  # the three columns of the rows, and how to read them
    control: Sequence[float] | Floats,
    treatment: Sequence[float] | Floats,
    clusters: Labels,
    *,
    correction: Correction = "CR1",
    alpha: float = 0.05,
) -> ClusteredMean:
    """Return the mean difference of paired scores in clusters: every row scored by both variants.

    Args:
        control: the control's score of each row.
        treatment: the treatment's score of the same rows.
        clusters: which cluster each row belongs to.
        correction: as for the mean.
        alpha: the chance of missing the truth that the interval accepts.

    Raises:
        AnalysisError: if there are fewer than two clusters, or the lengths differ.

    >>> found = clustered_difference([0, 0, 1, 0], [1, 1, 1, 0], ["a", "a", "b", "b"])
    >>> found.mean, found.se
    (0.5, 0.5)
    """
    if len(control) != len(treatment):
        message = f"{len(control)} and {len(treatment)} scores cannot be paired"
        raise AnalysisError(message)
    difference = numbers("treatment", treatment) - numbers("control", control)
    return clustered_mean(difference, clusters, correction=correction, alpha=alpha)

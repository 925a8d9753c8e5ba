"""Strata: weighing segments as the population has them, and asking whether they differ."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import numpy as np

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.independent import Contrast, Scale
from promptstudio_lab.stats.sums import LEAST_ROWS
from promptstudio_lab.stats.tails import NORMAL, one_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptstudio_lab.stats.arms import Arm
    from promptstudio_lab.stats.sums import Floats


@dataclass(frozen=True, slots=True)
class Heterogeneity:
    """Whether segments show different effects.

    Attributes:
        pooled: the effect that all segments would share, each weighed by its precision.
        statistic: Cochran's Q.
        df: its degrees of freedom: the number of segments less 1.
        p_value: of the hypothesis that the effect is the same in all segments.
    """

    pooled: float
    statistic: float
    df: int
    p_value: float


def post_stratified(strata: Sequence[tuple[Arm, Arm]], *, scale: Scale = "absolute") -> Contrast:
    """Return the difference of two arms after weighing each stratum by its share of all units.

    The spread between strata no longer counts as noise; that their shares are themselves a sample
    does (multinomial, as in Miratrix, Sekhon & Yu 2013, doi:10.1111/j.1467-9868.2012.01048.x).

    Args:
        strata: the control's and the treatment's arm in each stratum.
        scale: `absolute`, or `relative` to the control's size.

    Returns:
        The contrast; all `nan` when it is relative to a control of 0.

    Raises:
        AnalysisError: if there is no stratum, an arm of one has fewer than two units, or nothing
            varies.

    >>> from promptstudio_lab.stats.arms import Arm
    >>> easy, hard = (
    ...     (Arm(50, 0.9, 0.09), Arm(50, 0.95, 0.05)),
    ...     (Arm(50, 0.2, 0.16), Arm(50, 0.3, 0.2)),
    ... )
    >>> found = post_stratified([easy, hard])
    >>> round(found.estimate, 3), round(found.se, 4)
    (0.075, 0.05)
    """
    one_of("scale", scale, get_args(Scale))
    if not strata:
        message = "there is no stratum, so there is nothing to weigh"
        raise AnalysisError(message)
    if min(arm.n for pair in strata for arm in pair) < LEAST_ROWS:
        message = (
            "a stratum has fewer than 2 units in an arm, which shows no spread."
            " Hint: merge it with another."
        )
        raise AnalysisError(message)
    sizes = np.array([control.n + treatment.n for control, treatment in strata], dtype=np.float64)
    share = sizes / sizes.sum()
    means = np.array([[old.mean, new.mean - old.mean] for old, new in strata]).T
    between = means @ (np.diag(share) - np.outer(share, share)) @ means.T / sizes.sum()
    within = sum(weight**2 * _within(*pair) for weight, pair in zip(share, strata, strict=True))
    return _contrast(means @ share, between + within, scale)


def heterogeneity(estimates: Sequence[float], ses: Sequence[float]) -> Heterogeneity:
    """Test whether segments share one effect (Cochran 1954).

    Args:
        estimates: the effect in each segment.
        ses: their standard errors.

    Raises:
        AnalysisError: if there are fewer than two segments, or a standard error is not positive.

    >>> found = heterogeneity([0.1, 0.3], [0.1, 0.1])
    >>> round(found.pooled, 2), round(found.statistic, 2), round(found.p_value, 3)
    (0.2, 2.0, 0.157)
    """
    effects, spreads = np.asarray(estimates, dtype=float), np.asarray(ses, dtype=float)
    if len(effects) != len(spreads) or len(effects) < LEAST_ROWS:
        message = (
            f"{len(effects)} effects and {len(spreads)} standard errors:"
            " one of each for at least 2 segments is needed"
        )
        raise AnalysisError(message)
    if not (np.isfinite(effects).all() and np.isfinite(spreads).all() and (spreads > 0).all()):
        message = (
            f"the effects are {list(estimates)} and their standard errors {list(ses)}: each must be"
            " finite, and a standard error above 0"
        )
        raise AnalysisError(message)
    from scipy.special import chdtrc

    precision = spreads**-2
    pooled = float(precision @ effects / precision.sum())
    statistic = float(precision @ (effects - pooled) ** 2)
    df = len(effects) - 1
    return Heterogeneity(pooled, statistic, df, float(chdtrc(df, statistic)))


def _within(control: Arm, treatment: Arm) -> Floats:
    """Return the covariance of a stratum's control mean and effect, given who is in it."""
    below, above = control.squared_se, treatment.squared_se
    return np.array([[below, -below], [-below, below + above]])


def _contrast(means: Floats, covariance: Floats, scale: Scale) -> Contrast:
    control, effect = means
    if scale == "relative" and control == 0:
        return Contrast(math.nan, math.nan, math.nan)
    size = abs(control) if scale == "relative" else 1.0
    slope = -effect / control if scale == "relative" else 0.0
    gradient = np.array([slope, 1.0]) / size
    variance = float(gradient @ covariance @ gradient)
    if variance <= 0:
        message = "all units of a stratum are equal, in all of them: there is no spread to measure"
        raise AnalysisError(message)
    return Contrast(float(effect) / size, math.sqrt(variance), NORMAL)

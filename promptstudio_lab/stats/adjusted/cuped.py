"""CUPED: take out of an outcome what a covariate from before the treatment explains.

For LLM flows the covariate is usually the baseline flow's score on the same input. With theta the
outcome's slope on the covariate, `outcome - theta * covariate` has the variance 1 - rho² of the
outcome (Deng, Xu, Kohavi, Walker 2013, WSDM). Ratios are adjusted in their linear form (Deng,
Knoblich, Lu 2018, arXiv:1803.06336).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, get_args

import numpy as np

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.arms import Arm
from promptstudio_lab.stats.independent import Contrast, Scale, contrast
from promptstudio_lab.stats.sums import variance_along
from promptstudio_lab.stats.tails import one_of

if TYPE_CHECKING:
    from promptstudio_lab.stats.sums import Floats, Sums

Measure: TypeAlias = str | tuple[str, str]
"""A column, whose mean is meant, or two, whose sums' ratio is meant."""


@dataclass(frozen=True, slots=True)
class Adjustment:
    """A difference with the covariate's part taken out.

    Attributes:
        theta: the slope of the outcome on the covariate; 0 when the covariate explains nothing.
        control: the control's adjusted arm.
        treatment: the treatment's adjusted arm.
        contrast: the difference of the adjusted arms; `.test()` gives interval and p-value.
        kept: the share of the difference's variance that is left, near 1 - rho².
    """

    theta: float
    control: Arm
    treatment: Arm
    contrast: Contrast
    kept: float


@dataclass(frozen=True, slots=True)
class _Side:
    n: int
    outcome: float
    before: float
    covariance: Floats  # of one unit's outcome and covariate, in linear form

    def adjusted(self, theta: float, weight: float = 1.0) -> Arm:
        """Return the arm of `weight * outcome - theta * covariate`."""
        variance = variance_along(self.covariance, np.array([weight, -theta]))
        return Arm(self.n, weight * self.outcome - theta * self.before, variance)


def cuped(
    control: Sums,
    treatment: Sums,
    outcome: Measure,
    covariate: Measure,
    *,
    scale: Scale = "absolute",
) -> Adjustment:
    """Compare two independent arms, adjusted for a covariate.

    Args:
        control: the control's sums, one row a unit.
        treatment: the treatment's sums.
        outcome: the column whose mean is compared, or two columns for a ratio of sums.
        covariate: its counterpart from before the treatment, of the same shape.
        scale: `absolute`, or `relative` to the control's unadjusted value.

    Returns:
        The adjustment; its contrast is `nan` when it is relative to a control of 0.

    Raises:
        AnalysisError: if a column is missing, an arm has fewer than two units, a ratio divides
            by 0, or nothing varies.

    >>> from promptstudio_lab.stats.sums import Sums
    >>> old = Sums.of({"score": [1, 2, 4, 5], "before": [1, 2, 3, 4]})
    >>> new = Sums.of({"score": [3, 3, 6, 6], "before": [2, 1, 4, 3]})
    >>> found = cuped(old, new, "score", "before")
    >>> found.theta, found.contrast.estimate, round(found.kept, 2)
    (1.3, 1.5, 0.11)
    """
    one_of("scale", scale, get_args(Scale))
    if isinstance(outcome, str) != isinstance(covariate, str):
        message = "outcome and covariate must both be columns, or both ratios of two columns"
        raise AnalysisError(message)
    old, new = (_side(sums, outcome, covariate) for sums in (control, treatment))
    if isinstance(outcome, str) and isinstance(covariate, str):
        theta = _slope(_covariance(control.merge(treatment), outcome, covariate))
    else:
        theta = _slope(old.covariance + new.covariance)
    arms = old.adjusted(theta), new.adjusted(theta)
    found = contrast(*arms)
    if scale == "relative":
        # A mean's spread is taken where both arms have the same covariate, as random assignment
        # makes them; a ratio's where they are.
        gain = new.outcome - old.outcome if isinstance(outcome, str) else found.estimate
        found = _relative(old, new, theta, found, gain)
    kept = sum(arm.squared_se for arm in arms)
    kept /= sum(side.adjusted(0.0).squared_se for side in (old, new))
    return Adjustment(theta, *arms, found, kept)


def _side(sums: Sums, outcome: Measure, covariate: Measure) -> _Side:
    gradients = np.array([_gradient(sums, measure) for measure in (outcome, covariate)])
    covariance = gradients @ sums.covariance() @ gradients.T
    return _Side(sums.n, _value(sums, outcome), _value(sums, covariate), covariance)


def _value(sums: Sums, measure: Measure) -> float:
    if isinstance(measure, str):
        return sums.mean(measure)
    return Arm.of_ratio(sums, *measure).mean


def _gradient(sums: Sums, measure: Measure) -> Floats:
    gradient = np.zeros(len(sums.columns))
    if isinstance(measure, str):
        gradient[sums.index(measure)] = 1.0
        return gradient
    over, under = measure
    below, ratio = sums.mean(under), _value(sums, measure)
    gradient[sums.index(over)] = 1 / below
    gradient[sums.index(under)] -= ratio / below
    return gradient


def _covariance(sums: Sums, outcome: str, covariate: str) -> Floats:
    at = [sums.index(outcome), sums.index(covariate)]
    return sums.covariance()[np.ix_(at, at)]


def _slope(covariance: Floats) -> float:
    return float(covariance[0, 1] / covariance[1, 1]) if covariance[1, 1] > 0 else 0.0


def _relative(old: _Side, new: _Side, theta: float, found: Contrast, gain: float) -> Contrast:
    if old.outcome == 0:
        return Contrast(math.nan, math.nan, math.nan)
    parts = old.adjusted(theta, 1 + gain / old.outcome), new.adjusted(theta)
    size = abs(old.outcome)
    se = math.sqrt(sum(arm.squared_se for arm in parts)) / size
    return Contrast(found.estimate / size, se or math.nan, found.df)

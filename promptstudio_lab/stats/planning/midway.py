"""While it runs: how much longer until the effect that matters would be seen?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.independent import Scale, contrast
from promptstudio_lab.stats.sequential.anytime import TUNING_N, Anytime
from promptstudio_lab.stats.tails import level, positive, share_of, upper_quantile, upper_tail

if TYPE_CHECKING:
    from promptstudio_lab.stats.arms import Arm
    from promptstudio_lab.stats.bayes.effect import Prior

MOST = 2.0**27
"""How many times the present size is searched, at most."""


@dataclass(frozen=True, slots=True)
class Remaining:
    """How much more an experiment needs.

    Attributes:
        factor: how many times the present units must be added; None if no number is enough.
        units: that many units; None likewise.
        power: the chance, with the present units, to see the effect that matters.
    """

    factor: float | None
    units: int | None
    power: float


def remaining(  # noqa: PLR0913 # the data so far, the goal, and how the result will be judged
    control: Arm,
    treatment: Arm,
    mde: float,
    *,
    scale: Scale = "relative",
    power: float = 0.8,
    alpha: float = 0.05,
    sequential: bool = False,
    tuning_n: float = TUNING_N,
    prior: Prior | None = None,
    metrics: int = 1,
    comparisons: int | None = None,
) -> Remaining:
    """Return how many more units show an effect of `mde`, if the spread stays as it is.

    Args:
        control: the control so far.
        treatment: the treatment so far.
        mde: the smallest effect that matters, on `scale`.
        scale: `absolute`, or `relative` to the control.
        power: the chance to see it, in all goal metrics together.
        alpha: the level of the two-sided interval.
        sequential: whether a confidence sequence judges, rather than one look at the end.
        tuning_n: the units at which the confidence sequence is tightest.
        prior: the prior of a Bayesian judgement; None for a flat one.
        metrics: how many goal metrics must all be powered.
        comparisons: how many comparisons share alpha; `metrics` if None.

    Raises:
        AnalysisError: if the arms cannot be compared, or a number is impossible.

    >>> from promptstudio_lab.stats.arms import Arm
    >>> arms = Arm(500, 1.0, 2.0), Arm(500, 1.05, 2.0)
    >>> found = remaining(*arms, 0.05)
    >>> round(found.factor, 2), found.units
    (25.4, 25404)
    """
    present = contrast(control, treatment, scale=scale)
    if math.isnan(present.se):
        message = "the control is 0, so no relative effect can be planned. Hint: scale='absolute'."
        raise AnalysisError(message)
    judge = _Judge(
        effect=positive("the smallest effect that matters", abs(mde)),
        variance=present.se**2,
        n=control.n + treatment.n,
        alpha=level(alpha) / positive("comparisons", comparisons or metrics),
        tuning_n=positive("tuning_n", tuning_n) if sequential else None,
        prior=prior,
    )
    target = share_of("power", power, "0.8 is usual") ** (1 / positive("metrics", metrics))
    return _search(judge, target)


@dataclass(frozen=True, slots=True)
class _Judge:
    effect: float
    variance: float
    n: int
    alpha: float
    tuning_n: float | None
    prior: Prior | None

    def power(self, factor: float) -> float:
        """Return the chance to see the effect after `factor` times more units."""
        variance = self.variance / (1 + factor)
        se, shift = math.sqrt(variance), 0.0
        critical = upper_quantile(self.alpha / 2)
        if self.prior is not None:
            belief = self.prior.sd**2
            critical *= math.sqrt(1 + variance / belief)
            shift = se * self.prior.mean / belief
        elif self.tuning_n is not None:
            critical = Anytime(self.alpha, self.tuning_n).half_width(self.n * (1 + factor))
        drift = self.effect / se
        return upper_tail(critical - shift - drift) + upper_tail(critical + shift + drift)


def _search(judge: _Judge, target: float) -> Remaining:
    now = judge.power(0.0)
    if now >= target:
        return Remaining(0.0, 0, now)
    upper = 1.0
    while judge.power(upper) < target:
        upper *= 2
        if upper > MOST:
            return Remaining(None, None, now)
    from scipy.optimize import brentq

    factor = float(brentq(lambda more: judge.power(more) - target, 0.0, upper, xtol=1e-12))
    return Remaining(factor, math.ceil(factor * judge.n), now)

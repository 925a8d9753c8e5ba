"""A normal belief about an effect: chance to win, and what choosing wrongly would cost.

The posterior of a normal estimate under a normal prior is normal; the expected loss of a choice
is the mean of the part of it that lies on the other side of 0, in closed form (Stucchio 2015,
"Bayesian A/B testing at VWO", section 5). It does not license peeking: stopping when the chance
to win first passes 95 % is wrong far more often than one time in twenty.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.shown import named_html
from promptstudio_lab.stats.independent import Scale, contrast
from promptstudio_lab.stats.tails import Tails, finite, positive, upper_tail

if TYPE_CHECKING:
    from promptstudio_lab.stats.arms import Arm

_FAR = 1e4  # standard deviations, beyond which the tail's loss is smaller than any float


@dataclass(frozen=True, slots=True)
class Prior:
    """What is believed about the effect before the data.

    Attributes:
        mean: the effect that is expected, on the scale of the prior.
        sd: how sure that is; infinite for a flat prior.
    """

    mean: float = 0.0
    sd: float = math.inf

    _repr_html_ = named_html

    def __post_init__(self) -> None:
        """Refuse a belief that is none.

        Raises:
            AnalysisError: if the mean is not finite, or the standard deviation not above 0.
        """
        if not (math.isfinite(self.mean) and self.sd > 0):
            message = f"a prior of mean {self.mean} and sd {self.sd} is no belief"
            raise AnalysisError(message)


FLAT = Prior()


@dataclass(frozen=True, slots=True)
class Loss:
    """What a choice is expected to cost, in units of the effect.

    Attributes:
        control: expected loss of keeping the control: the mean gain that is passed over.
        treatment: expected loss of taking the treatment.
    """

    control: float
    treatment: float


@dataclass(frozen=True, slots=True)
class Posterior:
    """What is believed about the effect after the data.

    Attributes:
        estimate: its mean.
        sd: its standard deviation.
        low: the lower end of the credible interval.
        high: the upper end of the credible interval.
        chance_to_win: the probability that the treatment is better.
        loss: what each choice is expected to cost.
    """

    estimate: float
    sd: float
    low: float
    high: float
    chance_to_win: float
    loss: Loss


def posterior(  # noqa: PLR0913 # the data, the belief, and how to read them
    control: Arm,
    treatment: Arm,
    *,
    prior: Prior = FLAT,
    scale: Scale = "relative",
    prior_scale: Scale | None = None,
    lower_is_better: bool = False,
    alpha: float = 0.05,
) -> Posterior:
    """Return what is believed about the effect of the treatment.

    Args:
        control: the control.
        treatment: the treatment.
        prior: the belief before the data.
        scale: of the effect: `absolute`, or `relative` to the control.
        prior_scale: of the prior; that of the effect if None.
        lower_is_better: whether a fall is a win.
        alpha: the probability that is left outside the credible interval.

    Raises:
        AnalysisError: if the arms cannot be compared, or are relative to a control of 0.

    >>> from promptstudio_lab.stats.arms import Arm
    >>> found = posterior(Arm.of_successes(100, 49), Arm.of_successes(100, 51))
    >>> round(found.chance_to_win, 4), round(found.loss.treatment, 4)
    (0.6092, 0.0406)
    """
    found, belief = contrast(control, treatment, scale=scale), prior
    if math.isnan(found.se) or (prior_scale not in {None, scale} and control.mean == 0):
        message = "the control is 0, so there is no relative effect. Hint: scale='absolute'."
        raise AnalysisError(message)
    if prior_scale not in {None, scale}:
        size = abs(control.mean) if scale == "absolute" else 1 / abs(control.mean)
        belief = Prior(prior.mean * size, prior.sd * size)
    return believed(
        found.estimate, found.se, prior=belief, lower_is_better=lower_is_better, alpha=alpha
    )


def believed(
    estimate: float,
    se: float,
    *,
    prior: Prior = FLAT,
    lower_is_better: bool = False,
    alpha: float = 0.05,
) -> Posterior:
    """Return what is believed about an effect that was estimated, in whatever way.

    Args:
        estimate: treatment minus control.
        se: its standard error.
        prior: the belief before the data, on the same scale.
        lower_is_better: whether a fall is a win.
        alpha: the probability that is left outside the credible interval.

    Raises:
        AnalysisError: if the standard error is not above 0, or a number is not finite.

    >>> found = believed(0.02, 0.01, prior=Prior(0.0, 0.01))
    >>> round(found.estimate, 4), round(found.chance_to_win, 4)
    (0.01, 0.9214)
    """
    precision = positive("se", se) ** -2 + prior.sd**-2
    mean = (finite("the estimate", estimate) * se**-2 + prior.mean * prior.sd**-2) / precision
    sd = precision**-0.5
    low, high = Tails().interval(mean, sd, alpha)
    sign = -1.0 if lower_is_better else 1.0
    loss = expected_loss(sign * mean, sd)
    return Posterior(mean, sd, low, high, upper_tail(-sign * mean / sd), loss)


def expected_loss(mean: float, sd: float) -> Loss:
    """Return what each choice is expected to cost when the gain is normal.

    Args:
        mean: the expected gain of the treatment over the control.
        sd: its standard deviation.

    Raises:
        AnalysisError: if the standard deviation is not above 0, or a number is not finite.

    >>> found = expected_loss(0.1, 0.05)
    >>> round(found.control, 6), round(found.treatment, 6)
    (0.100425, 0.000425)
    """
    z = finite("the expected gain", mean) / positive("sd", sd)
    far = sd * _overshoot(abs(z))
    return Loss(abs(mean) + far, far) if mean > 0 else Loss(far, abs(mean) + far)


def _overshoot(z: float) -> float:
    """Return the mean of what a standard normal exceeds `z` by, 0 where it does not."""
    if z > _FAR:
        return 0.0
    from scipy.special import erfcx

    density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return max(0.0, density * (1 - z * math.sqrt(math.pi / 2) * float(erfcx(z / math.sqrt(2)))))

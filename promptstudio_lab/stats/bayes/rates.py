"""Shares of yes and no with beta beliefs: chance to win and expected loss, by quadrature.

Miller 2015 ("Formulas for Bayesian A/B testing") has exact sums for whole numbers; integrating is
as exact and takes any prior.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.tails import positive

if TYPE_CHECKING:
    from promptstudio_lab.stats.sums import Floats

_NODES = 48
_FURTHEST = 700.0  # log odds, beyond which a rate is no longer a float
# Panels end at these quantiles of either belief, so that each holds a smooth piece.
_QUANTILES = np.array([1e-16, 1e-12, 1e-9, 1e-6, 1e-4, 1e-2, 0.1, 0.3, 0.5])


@dataclass(frozen=True, slots=True)
class RatePosterior:
    """What is believed about two rates.

    Attributes:
        control: the control's expected rate.
        treatment: the treatment's expected rate.
        chance_to_win: the probability that the treatment's rate is higher.
        loss_of_control: what keeping the control is expected to cost, in rate.
        loss_of_treatment: what taking the treatment is expected to cost, in rate.
    """

    control: float
    treatment: float
    chance_to_win: float
    loss_of_control: float
    loss_of_treatment: float


def rate_posterior(
    control: tuple[float, float],
    treatment: tuple[float, float],
    *,
    prior: tuple[float, float] = (1.0, 1.0),
) -> RatePosterior:
    """Return what is believed about two rates after the data.

    Args:
        control: the control's successes and trials.
        treatment: the treatment's successes and trials.
        prior: the two parameters of the beta belief before the data; (1, 1) is flat.

    Raises:
        AnalysisError: if successes do not lie between 0 and trials, or the prior is no belief.

    >>> found = rate_posterior((49, 100), (51, 100))
    >>> round(found.chance_to_win, 6), round(found.loss_of_treatment, 6)
    (0.610771, 0.019116)
    """
    old, new = (_belief(*counts, prior) for counts in (control, treatment))
    from scipy.special import betainc, betaln, expit, log_expit

    # Over the log odds, where no belief has a pole and both ends of 0 to 1 are equally fine.
    odds, weights = _quadrature(old, new)
    below_old, below_new = (betainc(a, b, expit(odds)) for a, b in (old, new))
    above_old, above_new = (betainc(b, a, expit(-odds)) for a, b in (old, new))
    density = np.exp(old[0] * log_expit(odds) + old[1] * log_expit(-odds) - betaln(*old))
    step = weights * expit(odds) * expit(-odds)
    control_mean, treatment_mean = (a / (a + b) for a, b in (old, new))
    return RatePosterior(
        control=control_mean,
        treatment=treatment_mean,
        chance_to_win=min(1.0, float(weights @ (density * above_new))),
        loss_of_control=float(step @ (below_old * above_new)),
        loss_of_treatment=float(step @ (below_new * above_old)),
    )


def _belief(successes: float, trials: float, prior: tuple[float, float]) -> tuple[float, float]:
    if not 0 <= successes <= trials:
        message = f"{successes} successes out of {trials} is no share"
        raise AnalysisError(message)
    first, second = (positive("a prior's parameter", number) for number in prior)
    return first + successes, second + trials - successes


def _quadrature(*beliefs: tuple[float, float]) -> tuple[Floats, Floats]:
    """Return nodes and weights over the log odds, dense where the beliefs are."""
    from scipy.special import betaincinv, logit

    ends = [logit(betaincinv(a, b, _QUANTILES)) for a, b in beliefs]
    ends += [-logit(betaincinv(b, a, _QUANTILES)) for a, b in beliefs]
    edges = np.unique(np.clip(np.concatenate(ends), -_FURTHEST, _FURTHEST))
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    half = np.diff(edges)[:, None] / 2
    at = edges[:-1, None] + half * (1 + nodes)
    return at.ravel(), (half * weights).ravel()

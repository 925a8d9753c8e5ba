"""Mixture tests: sequential tests that average the likelihood ratio over effects that may be.

`msprt` is for a stream of pairs with a known variance (Johari, Pekelis, Walsh 2015,
arXiv:1512.04922); `normal_mixture` is the boundary of any sum whose intrinsic time is known
(Howard, Ramdas, McAuliffe, Sekhon 2021, arXiv:1810.08240, equation 14).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.tails import finite, level, positive

_LARGEST_EXPONENT = 709.0  # beyond it exp is no longer a float


@dataclass(frozen=True, slots=True)
class MixtureTest:
    """The state of a mixture sequential probability ratio test.

    Attributes:
        log_likelihood_ratio: the logarithm of the ratio, which never overflows.
        likelihood_ratio: how much better the mixture explains the data than the null; infinite
            beyond what a float can hold.
        p_value: always valid: it may be looked at after every pair, and the smallest one kept.
        low: the lower end of the confidence sequence.
        high: its upper end.
    """

    log_likelihood_ratio: float
    likelihood_ratio: float
    p_value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Boundary:
    """Where a sum may wander before it means something.

    Attributes:
        rho: the mixture's precision, the best one at `v_opt`.
        bound: the value that the sum's size exceeds with probability at most alpha, ever.
    """

    rho: float
    bound: float


def msprt(
    estimate: float,
    pair_variance: float,
    pairs: float,
    tau2: float,
    *,
    null: float = 0.0,
    alpha: float = 0.05,
) -> MixtureTest:
    """Test the mean difference of pairs against a normal mixture of effects.

    Args:
        estimate: the mean difference so far.
        pair_variance: the variance of one pair's difference, the sum of both arms' variances.
        pairs: how many pairs there are.
        tau2: the variance of the effects that are expected, fixed before the data are seen.
        null: the difference of the hypothesis that is tested.
        alpha: the chance that the confidence sequence ever misses the truth.

    Raises:
        AnalysisError: if a variance or the number of pairs is not above 0, or alpha is no level.

    >>> found = msprt(0.02, 0.5, 4000, 0.0004)
    >>> round(found.likelihood_ratio, 4), round(found.p_value, 4)
    (1.6512, 0.6056)
    """
    for name, value in (("pair_variance", pair_variance), ("pairs", pairs), ("tau2", tau2)):
        positive(name, value)
    finite("the estimate", estimate)
    finite("null", null)
    mixed = pair_variance + pairs * tau2
    shrunk = math.log(pair_variance / mixed) / 2
    gain = (pairs * (estimate - null)) ** 2 * tau2 / (2 * pair_variance * mixed)
    log_ratio = shrunk + gain
    half = math.sqrt(2 * pair_variance * mixed / tau2 * (-math.log(level(alpha)) - shrunk)) / pairs
    return MixtureTest(
        log_likelihood_ratio=log_ratio,
        likelihood_ratio=math.exp(log_ratio) if log_ratio < _LARGEST_EXPONENT else math.inf,
        p_value=math.exp(-max(0.0, log_ratio)),
        low=estimate - half,
        high=estimate + half,
    )


def normal_mixture(
    v: float, *, v_opt: float, alpha: float = 0.05, alpha_opt: float | None = None
) -> Boundary:
    """Return the two-sided normal mixture boundary at intrinsic time `v`.

    Args:
        v: the intrinsic time: the variance of the sum so far.
        v_opt: the time at which the boundary is tightest, fixed before the data are seen.
        alpha: the chance that the sum ever crosses it.
        alpha_opt: the level that it is tuned for; `alpha` if None.

    Raises:
        AnalysisError: if `v` is negative, `v_opt` is not above 0, or a level is impossible.

    >>> found = normal_mixture(100, v_opt=100)
    >>> round(found.rho, 5), round(found.bound, 5)
    (12.60056, 30.35209)
    """
    if not 0 <= v < math.inf:
        message = f"the intrinsic time is {v}; a finite number of at least 0 is needed"
        raise AnalysisError(message)
    surprise = -2 * math.log(level(alpha if alpha_opt is None else alpha_opt))
    rho = positive("v_opt", v_opt) / (surprise + math.log1p(surprise))
    bound = math.sqrt((v + rho) * (math.log1p(v / rho) - 2 * math.log(level(alpha))))
    return Boundary(rho, bound)

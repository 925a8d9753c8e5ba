"""Sample ratio mismatch that may be looked at all the time.

The Bayes factor of a Dirichlet mixture of shares against the promised ones is a martingale while
the promise is kept, so it exceeds 1 / alpha with probability at most alpha, ever (Lindon & Malek
2020, arXiv:2011.03567).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.shown import named_html
from promptstudio_lab.stats.srm import THRESHOLD, promised
from promptstudio_lab.stats.tails import positive, share_of

if TYPE_CHECKING:
    from collections.abc import Sequence

CONCENTRATION = 1000.0
"""How closely the alternative holds to the promised shares: small leaks are found, later."""


@dataclass(frozen=True, slots=True)
class TrafficTest:
    """Whether the counts so far fit the promised shares.

    Attributes:
        p_value: the smallest of all looks so far; valid at every one of them.
        ok: whether it reaches the threshold.
        log_bayes_factor: the evidence of the last look, as a natural logarithm.
        first_alarm: the look at which it fell below the threshold, from 0, or None.
        threshold: the p-value below which it is a mismatch.
    """

    p_value: float
    ok: bool
    log_bayes_factor: float
    first_alarm: int | None
    threshold: float

    _repr_html_ = named_html


def sequential_srm(
    looks: Sequence[Sequence[int]],
    weights: Sequence[float],
    *,
    concentration: float = CONCENTRATION,
    threshold: float = THRESHOLD,
) -> TrafficTest:
    """Test counts against promised shares at every look.

    Args:
        looks: the counts of the variants so far, at each look; one look is enough.
        weights: the promised share of each variant, in any unit.
        concentration: the weight of the alternative's prior, in units of traffic, fixed before
            the data are seen.
        threshold: the p-value below which it is a mismatch.

    Raises:
        AnalysisError: if counts and weights do not match, counts fall from one look to the next,
            or a weight is not positive.

    >>> found = sequential_srm([(50, 50), (510, 490), (5400, 4600)], [0.5, 0.5])
    >>> found.ok, found.first_alarm
    (False, 2)
    """
    share_of("threshold", threshold, "0.001 is usual")
    shares = [promised(look, weights) for look in looks]
    counts = np.asarray(looks, dtype=np.float64)
    if not shares or (np.diff(counts, axis=0) < 0).any():
        message = "the counts of each look must hold those of the look before it"
        raise AnalysisError(message)
    from scipy.special import gammaln

    share = np.asarray(shares[0])
    prior = positive("concentration", concentration) * share
    total = counts.sum(axis=1)
    log_factors = (
        gammaln(concentration)
        - gammaln(concentration + total)
        + (gammaln(prior + counts) - gammaln(prior)).sum(axis=1)
        - counts @ np.log(share)
    )
    p_values = np.exp(-np.maximum(log_factors, 0.0))
    alarms = np.flatnonzero(p_values < threshold)
    p_value = float(p_values.min())
    return TrafficTest(
        p_value=p_value,
        ok=p_value >= threshold,
        log_bayes_factor=float(log_factors[-1]),
        first_alarm=int(alarms[0]) if alarms.size else None,
        threshold=threshold,
    )

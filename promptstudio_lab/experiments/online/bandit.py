"""The shares of a bandit: how probably each variant is the best, by what is known so far."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from promptstudio_lab.stats.bayes.thompson import best_probabilities, with_floor

if TYPE_CHECKING:
    from collections.abc import Sequence

FLOOR = 0.05
"""The least share of a variant, so that every one can still be learnt of."""
FEWEST = 20
"""Units of each variant that are waited for before shares change."""
_STEPS = 1000  # shares are kept to a thousandth, so that they do not change with every unit


class Known(NamedTuple):
    """What is known of a variant: how many units there are, and the share of successes."""

    units: int
    rate: float


def shares(known: Sequence[Known], weights: Sequence[float]) -> tuple[float, ...]:
    """Return the share of each variant; the weights while too little is known of one.

    Each rate is believed in as a normal with the moments of its beta posterior, from a flat prior.

    >>> shares([Known(200, 0.5), Known(200, 0.7)], [0.5, 0.5])
    (0.05, 0.95)
    >>> shares([Known(200, 0.5), Known(3, 1.0)], [0.5, 0.5])
    (0.5, 0.5)
    """
    if min(one.units for one in known) < FEWEST:
        return tuple(weights)
    means = [(one.units * one.rate + 1) / (one.units + 2) for one in known]
    sds = [
        math.sqrt(mean * (1 - mean) / (one.units + 3))
        for mean, one in zip(means, known, strict=True)
    ]
    floor = min(FLOOR, 1 / (2 * len(known)))
    found = with_floor(best_probabilities(means, sds), floor)
    kept = [max(floor, round(share * _STEPS) / _STEPS) for share in found]
    return tuple(share / math.fsum(kept) for share in kept)

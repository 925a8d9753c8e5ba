"""Thompson sampling: give each variant the traffic that it deserves, and record how much it was.

A variant's share is the probability that it is the best, by quadrature; an unrecorded share, or
one drawn by Monte Carlo, could not be divided by later (inverse propensity weighting).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.assignment.buckets import bucket_ranges, choose
from promptstudio_lab.stats.assignment.hashing import unit_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptstudio_lab.stats.sums import Floats

_NODES = 32
_REACH = 9.0  # standard deviations: what lies further out has no weight in a float
_PANELS_PER_SD = 1.0


@dataclass(frozen=True, slots=True)
class Draw:
    """Which variant a unit gets, and how probable that was.

    Attributes:
        variant: its place, from 0.
        propensity: the probability with which it was chosen: store it with the exposure.
    """

    variant: int
    propensity: float


def best_probabilities(
    means: Sequence[float], sds: Sequence[float], *, lower_is_better: bool = False
) -> tuple[float, ...]:
    """Return the probability that each variant is the best, when beliefs are normal.

    Args:
        means: what is believed about each variant's value.
        sds: how sure that is, as standard deviations.
        lower_is_better: whether the lowest value is the best.

    Raises:
        AnalysisError: if means and deviations differ in number, there are none, or one is
            impossible.

    >>> [round(share, 4) for share in best_probabilities([2.5, 3.5, 3.4], [0.1, 0.1, 0.1])]
    [0.0, 0.7602, 0.2398]
    """
    centre, spread = np.asarray(means, dtype=np.float64), np.asarray(sds, dtype=np.float64)
    if not centre.size or centre.shape != spread.shape:
        message = f"{centre.size} means and {spread.size} deviations: one of each is needed"
        raise AnalysisError(message)
    if not np.isfinite(centre).all() or not (np.isfinite(spread) & (spread > 0)).all():
        message = (
            f"the means are {list(means)} and the deviations {list(sds)}: each must be finite,"
            " and a deviation above 0"
        )
        raise AnalysisError(message)
    from scipy.special import log_ndtr

    centre = -centre if lower_is_better else centre
    chances = []
    for place, (mean, sd) in enumerate(zip(centre, spread, strict=True)):
        others = np.arange(centre.size) != place
        nodes, weights = _quadrature(mean, sd, centre, spread)
        z = (nodes[:, None] - centre[others]) / spread[others]
        log_density = -(((nodes - mean) / sd) ** 2) / 2 - np.log(sd * np.sqrt(2 * np.pi))
        chances.append(float(weights @ np.exp(log_density + log_ndtr(z).sum(axis=1))))
    total = sum(chances)
    return tuple(chance / total for chance in chances)


def with_floor(shares: Sequence[float], floor: float) -> tuple[float, ...]:
    """Return shares of which none is below `floor`, so that every variant can still be learnt of.

    Args:
        shares: the probability that each variant is the best.
        floor: the least share of traffic, at most 1 / the number of variants.

    Raises:
        AnalysisError: if the floor, or a share, is impossible.

    >>> [round(share, 3) for share in with_floor([0.98, 0.02, 0.0], 0.05)]
    [0.883, 0.067, 0.05]
    """
    if not all(0 <= share <= 1 for share in shares):
        message = f"the shares are {list(shares)}; each must lie between 0 and 1"
        raise AnalysisError(message)
    if not 0 <= floor * len(shares) <= 1:
        message = f"a floor of {floor} for {len(shares)} variants is more than all traffic"
        raise AnalysisError(message)
    free = 1 - floor * len(shares)
    return tuple(floor + free * share for share in shares)


def thompson(unit: str, shares: Sequence[float], *, salt: str) -> Draw:
    """Return the variant of a unit under the shares of the moment, and its propensity.

    Args:
        unit: the unit's id; the same unit gets the same variant while the shares stay.
        shares: the share of traffic of each variant, adding up to 1.
        salt: of the experiment and its period.

    Raises:
        AnalysisError: if the shares do not add up to 1.

    >>> thompson("user-7", [0.2, 0.8], salt="summarizer/1")
    Draw(variant=1, propensity=0.8)
    """
    if not np.isclose(sum(shares), 1.0) or min(shares) < 0:
        message = f"the shares are {list(shares)}; they must add up to 1"
        raise AnalysisError(message)
    place = choose(unit_interval(salt, unit), bucket_ranges(len(shares), weights=shares))
    place = place if place >= 0 else int(np.flatnonzero(shares)[-1])  # rounding lost the last hair
    return Draw(place, float(shares[place]))


def _quadrature(mean: float, sd: float, centre: Floats, spread: Floats) -> tuple[Floats, Floats]:
    """Return nodes and weights where this variant's density lies and the others' steps are."""
    low, high = mean - _REACH * sd, mean + _REACH * sd
    steps = (centre[:, None] + spread[:, None] * np.linspace(-_REACH, _REACH, 19)).ravel()
    own = np.linspace(low, high, 1 + int(2 * _REACH / _PANELS_PER_SD))
    edges = np.unique(np.concatenate([own, steps[(steps > low) & (steps < high)]]))
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    half = np.diff(edges)[:, None] / 2
    at = edges[:-1, None] + half * (1 + nodes)
    return at.ravel(), (half * weights).ravel()

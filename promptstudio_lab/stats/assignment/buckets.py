"""From a number between 0 and 1 to a variant: ranges that never move a unit when coverage grows.

Variant i owns the range from the sum of the weights before it, and `coverage` says how much of
that range is used: raising it lets units in and moves none (GrowthBook's rules, READ in its SDK's
published expectations).
"""

from __future__ import annotations

import math
from itertools import accumulate
from typing import TYPE_CHECKING, TypeAlias

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.assignment.hashing import growthbook_hash
from promptstudio_lab.stats.tails import count

if TYPE_CHECKING:
    from collections.abc import Sequence

Range: TypeAlias = tuple[float, float]

OUTSIDE = -1
"""The variant of a unit that is not in the experiment."""

_TOLERANCE = 0.01  # how far weights may add up beside 1


def bucket_ranges(
    variants: int, *, coverage: float = 1.0, weights: Sequence[float] | None = None
) -> tuple[Range, ...]:
    """Return the range of each variant: its start, and its end, which is not in it.

    Args:
        variants: how many there are.
        coverage: the share of units that take part; below 0 is 0, above 1 is 1.
        weights: the share of each variant; equal ones where they are None, of another number, or
            do not add up to 1, as GrowthBook has it.

    Raises:
        AnalysisError: if there is no variant, or a number is not finite.

    >>> bucket_ranges(2, coverage=0.5)
    ((0.0, 0.25), (0.5, 0.75))
    """
    count("variants", variants, least=1)
    if not all(map(math.isfinite, (coverage, *(weights or ())))):
        message = f"coverage {coverage} and weights {weights} must be finite numbers"
        raise AnalysisError(message)
    shares = list(weights or ())
    if len(shares) != variants or abs(math.fsum(shares) - 1) > _TOLERANCE:
        shares = [1 / variants] * variants
    used = min(max(coverage, 0.0), 1.0)
    starts = accumulate(shares, initial=0.0)
    return tuple(
        (start, start + used * share) for start, share in zip(starts, shares, strict=False)
    )


def choose(place: float, ranges: Sequence[Range]) -> int:
    """Return the first variant whose range holds `place`, or `OUTSIDE`.

    >>> choose(0.5, [(0, 0.5), (0.5, 1)]), choose(0.4, [(0, 0.25), (0.5, 0.75)])
    (1, -1)
    """
    inside = (variant for variant, (low, high) in enumerate(ranges) if low <= place < high)
    return next(inside, OUTSIDE)


def in_namespace(unit: str, namespace: str, low: float, high: float) -> bool:
    """Tell whether a unit belongs to an experiment's part of a namespace, as GrowthBook has it.

    Experiments with parts that do not overlap never share a unit.

    Args:
        unit: the unit's id.
        namespace: its name.
        low: where the experiment's part starts, from 0.
        high: where it ends; that end is not in it.

    >>> in_namespace("3", "namespace2", 0, 0.4), in_namespace("1", "namespace2", 0, 0.4)
    (True, False)
    """
    return low <= growthbook_hash(f"__{namespace}", unit, 1) < high

"""When a call is made again, and how long to wait before."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from promptstudio_lab.errors import ProviderError, RateLimited

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptstudio_lab.values import Json

ATTEMPTS = 4
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 60.0


def attempts(policy: Mapping[str, Json]) -> int:
    """Return how often a node's call may be made in all."""
    return max(1, int((policy.get("retry") or {}).get("max", ATTEMPTS)))


def wait_s(error: ProviderError, attempt: int) -> float | None:
    """Return how many seconds to wait after failed attempt number `attempt`, from 1.

    A provider's Retry-After is honoured up to a minute; asked to wait longer, we stop and say so.
    Otherwise the wait doubles, with jitter so that many callers do not return at once.

    Returns:
        None when the call should not be made again.

    >>> wait_s(RateLimited("slow down", retry_after_s=3600), 1) is None
    True
    >>> 2 <= wait_s(RateLimited("slow down", retry_after_s=2), 1) < 3
    True
    """
    if not error.transient:
        return None
    asked: float | None = error.retry_after_s if isinstance(error, RateLimited) else None
    if asked is not None:
        return asked * _jitter() if asked <= _LONGEST_WAIT_S else None
    return min(_FIRST_WAIT_S * 2.0 ** (attempt - 1), _LONGEST_WAIT_S) * _jitter()


def _jitter() -> float:
    return 1 + random.random() / 4  # noqa: S311 — spreads load, hides nothing

"""Waiting longer and longer for something that is away, and not for ever."""

from __future__ import annotations

import random
import time

_SHORTEST_S, _LONGEST_S = 0.05, 1.0


class Waits:
    """Pauses that double, each a little different, until patience ends.

    Args:
        patience_s: how long after the first pause another one may begin.
    """

    def __init__(self, patience_s: float) -> None:
        """Start counting at the first pause."""
        self._patience_s = patience_s
        self._until: float | None = None
        self._next_s = _SHORTEST_S

    def pause(self) -> bool:
        """Wait, and tell whether to try again."""
        now = time.monotonic()
        if self._until is None:
            self._until = now + self._patience_s
        if now >= self._until:
            return False
        # Many that wait for the same server do not come back at the same moment.
        time.sleep(self._next_s * random.uniform(0.5, 1.0))  # noqa: S311 — no secret
        self._next_s = min(2 * self._next_s, _LONGEST_S)
        return True

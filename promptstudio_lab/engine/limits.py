"""How fast a provider may be asked: requests and tokens a minute, and a pause when it says so."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import TYPE_CHECKING

from promptstudio_lab.errors import SettingsError
from promptstudio_lab.settings import personal

if TYPE_CHECKING:
    from collections.abc import Callable

    from promptstudio_lab.values import Json

_MINUTE_S = 60.0
_BURST_S = 1.0  # what a second allows may come at once


@dataclass
class Rate:
    """A number a minute, given out in the order of asking (the generic cell rate algorithm).

    Attributes:
        per_minute: how many.

    >>> rate = Rate(60)
    >>> rate.wait_s(1, at=0.0), rate.wait_s(1, at=0.0), rate.wait_s(1, at=0.0)
    (0.0, 0.0, 1.0)
    """

    per_minute: float
    _free_at: float = 0.0

    def wait_s(self, amount: float, at: float) -> float:
        """Take `amount` and return how many seconds to wait before it may be used."""
        begin = max(self._free_at, at)
        self._free_at = begin + amount * _MINUTE_S / self.per_minute
        return max(0.0, begin - at - _BURST_S)


class Limiter:
    """Holds calls of one provider back.

    Args:
        requests_per_minute: None for no limit.
        tokens_per_minute: None for no limit; input and the most output are counted.
        clock: tells the seconds.
    """

    def __init__(
        self,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Begin with nothing taken.

        Raises:
            SettingsError: for a limit that is no positive number.
        """
        self._rates = [_rate(requests_per_minute), _rate(tokens_per_minute)]
        self._clock, self._paused_until = clock, 0.0

    async def wait(self, tokens: int) -> None:
        """Wait until one more call of so many tokens may be made."""
        at = self._clock()
        amounts = zip(self._rates, (1, tokens), strict=True)
        waits = [rate.wait_s(amount, at) for rate, amount in amounts if rate]
        until = at + max(waits, default=0.0)
        # While one waits, the provider may ask for a longer pause.
        while (left := max(until, self._paused_until) - self._clock()) > 0:  # noqa: ASYNC110 — time passes, nothing happens
            await asyncio.sleep(left)

    def pause(self, seconds: float) -> None:
        """Let nobody call for so long: the provider has said that it is too much."""
        self._paused_until = max(self._paused_until, self._clock() + seconds)


def _rate(per_minute: Json) -> Rate | None:
    if per_minute is None:
        return None
    number = isinstance(per_minute, (int, float)) and not isinstance(per_minute, bool)
    if not number or not 0 < per_minute < inf:
        message = f"a rate limit is {per_minute!r}; it must be a positive number a minute"
        raise SettingsError(message)
    return Rate(per_minute)


_limiters: dict[str, Limiter] = {}


def limiter(provider: str) -> Limiter:
    """Return the one limiter that this process has for a provider.

    Its limits are the user's own: `limits.openai.requests_per_minute` in `settings.toml`.
    """
    if provider not in _limiters:
        limits = personal("limits")
        own = limits.get(provider) if isinstance(limits, dict) else None
        known = _known(provider, own or {})
        _limiters[provider] = Limiter(
            known.get("requests_per_minute"), known.get("tokens_per_minute")
        )
    return _limiters[provider]


def limit(
    provider: str,
    *,
    requests_per_minute: float | None = None,
    tokens_per_minute: float | None = None,
) -> None:
    """Set how fast this process may ask a provider; None lifts a limit.

    >>> limit("simulated", requests_per_minute=6000)
    >>> limit("simulated")
    """
    _limiters[provider] = Limiter(requests_per_minute, tokens_per_minute)


def _known(provider: str, found: object) -> dict[str, float]:
    names = {"requests_per_minute", "tokens_per_minute"}
    if not isinstance(found, dict) or not set(found) <= names:
        message = f"`limits.{provider}` in settings.toml takes {' and '.join(sorted(names))}"
        raise SettingsError(message)
    return found

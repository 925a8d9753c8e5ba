"""What is asked twice is done once: an answer that was lost on its way is given again."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

# A browser asks again within seconds; no more of them than this can be under way at once.
_MOST = 128


class Outcome(NamedTuple):
    """What a request came to.

    Attributes:
        status: the HTTP status.
        text: the JSON.
    """

    status: int
    text: str


class Once:
    """The outcomes of the last requests that bore a key of their own.

    One event loop uses it, so it needs no lock.
    """

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._known: OrderedDict[Hashable, asyncio.Future[Outcome]] = OrderedDict()

    async def outcome(self, key: Hashable, work: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """Return what the work of this key has come to, or will; begin it if nobody has.

        Args:
            key: of the request; the same when it is sent again.
            work: does it.
        """
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = asyncio.ensure_future(work())
            while len(self._known) > _MOST:
                self._known.popitem(last=False)
        # Whoever hangs up ends only their own waiting.
        return await asyncio.shield(found)

"""An event loop on a thread of its own, so that plain cells can run asynchronous work.

A notebook's kernel already runs a loop; patching it breaks other libraries, so we never touch it.
"""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")

_ORDER_S = 30.0
_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


class BrokenOff(BaseException):
    """What somebody's code raised to end everything, such as `sys.exit()`, carried out of the loop.

    As itself it would end the loop, and whoever waits for it would wait for ever.

    Attributes:
        error: what was raised.
    """

    def __init__(self, error: BaseException) -> None:
        """Keep what was raised."""
        super().__init__(str(error))
        self.error = error


def run(work: Coroutine[Any, Any, T]) -> T:  # the send and yield types of a coroutine are unused
    """Run a coroutine to its end and return its result.

    An interrupt from the keyboard cancels it and waits until it has put its things in order.
    """
    over = threading.Event()

    async def whole() -> T:
        try:
            return await work
        finally:
            over.set()

    future = asyncio.run_coroutine_threadsafe(whole(), _running())
    try:
        return future.result()
    except KeyboardInterrupt:
        future.cancel()
        over.wait(_ORDER_S)
        raise


def _running() -> asyncio.AbstractEventLoop:
    global _loop  # noqa: PLW0603 — one loop a process is the point
    with _lock:
        if _loop is None or _loop.is_closed():
            _loop = asyncio.new_event_loop()
            threading.Thread(
                target=_loop.run_forever, name="promptstudio-loop", daemon=True
            ).start()
        return _loop


def _forget() -> None:
    global _loop  # noqa: PLW0603 — the child of a fork has no thread behind it
    _loop = None


os.register_at_fork(after_in_child=_forget)

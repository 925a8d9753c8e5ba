"""Live changes: wait until somebody has done something, and return it.

A canvas of the same process needs none of this; it is for peers that share nothing but the
warehouse. PostgreSQL tells of a commit, SQLite is asked.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from promptstudio_lab.warehouse.history.changelog import channel, since

if TYPE_CHECKING:
    from collections.abc import Iterator

    from promptstudio_lab.identity import Actor
    from promptstudio_lab.warehouse.connect import Warehouse
    from promptstudio_lab.warehouse.history.changelog import Recorded, Stream

_EVERY_S = 0.1
# A pooler between us and the server may swallow what it tells.
_ASK_ANYWAY_S = 2.0


class _Waiting(Protocol):
    """Waits for a sign that the stream may have moved, at most so many seconds."""

    def __call__(self, most_s: float) -> None: ...


def watch(
    warehouse: Warehouse, actor: Actor, stream: Stream, after: int, timeout_s: float
) -> list[Recorded]:
    """Wait until there are operations after a sequence and return them, oldest first.

    Args:
        warehouse: an open one.
        actor: who asks.
        stream: of the actor's organisation.
        after: the newest sequence that the caller knows.
        timeout_s: how long to wait at most, in seconds; 0 only looks.

    Returns:
        At most 1,000 operations; none if nothing happened in time.
    """
    deadline = time.monotonic() + timeout_s
    found = _look(warehouse, actor, stream, after)
    if found or timeout_s <= 0:
        return found
    with _waiting(warehouse, actor, stream) as wait:
        # Looked for again before the first wait: something may have happened before it listened.
        while not (found := _look(warehouse, actor, stream, after)):
            left = deadline - time.monotonic()
            if left <= 0:
                break
            wait(left)
    return found


def _look(warehouse: Warehouse, actor: Actor, stream: Stream, after: int) -> list[Recorded]:
    with warehouse.reading(actor) as session:
        return since(session, stream, after)


@contextmanager
def _waiting(warehouse: Warehouse, actor: Actor, stream: Stream) -> Iterator[_Waiting]:
    if warehouse.dialect != "postgresql":
        yield lambda most_s: time.sleep(min(most_s, _EVERY_S))
        return
    with warehouse.reading(actor) as session:
        name = channel(session)
    with warehouse.engine.connect() as connection:
        raw: Any = connection.connection.driver_connection  # psycopg's
        # A connection of its own: whoever waits takes none from those who work.
        connection.detach()
        raw.autocommit = True
        raw.execute(f'LISTEN "{name}"')
        yield lambda most_s: _listen(raw, stream, min(most_s, _ASK_ANYWAY_S))


def _listen(raw: Any, stream: Stream, most_s: float) -> None:  # a psycopg connection
    deadline = time.monotonic() + most_s
    while (left := deadline - time.monotonic()) > 0:
        for told in raw.notifies(timeout=left, stop_after=1):
            if told.payload == stream.id:
                return

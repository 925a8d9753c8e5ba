"""The two engines behind one seam: how each is opened and written without losing anything."""

from __future__ import annotations

from promptstudio_lab.errors import SchemaMismatch, WarehouseError, WarehouseUnavailable

PATIENCE_S = 30.0  # how long a write waits for a turn, another program or a server


class ConnectionLost(WarehouseUnavailable):
    """The server went away, so what was under way may be done again."""


def moved(where: str, revision: str) -> SchemaMismatch:
    """Return the refusal to work on a schema that has moved under an open warehouse."""
    return SchemaMismatch(
        f"the schema of {where} has moved since this process opened it with {revision}. Nothing "
        "was written; restart the kernel to work with the new one."
    )


def halved() -> WarehouseError:
    """Return the refusal to go on with, or to commit, what an error has already undone."""
    return WarehouseError(
        "an error has ended this transaction and nothing of it was kept; do the whole unit again"
    )

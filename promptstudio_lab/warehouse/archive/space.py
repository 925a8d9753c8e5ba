"""What the rows took, given back to the file system."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import text

from promptstudio_lab.warehouse.archive.content import PAYLOAD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from promptstudio_lab.identity import Actor
    from promptstudio_lab.warehouse.connect import Warehouse


def give_back(warehouse: Warehouse, actor: Actor, payloads: int) -> None:
    """Make the database as small as what it holds.

    Args:
        warehouse: where rows were deleted.
        actor: who acts.
        payloads: how many payloads were deleted.
    """
    if warehouse.dialect == "sqlite":
        warehouse.alone(actor, _shrink)
    else:
        warehouse.alone(actor, lambda connection: _rewrite(connection, payloads))


@contextmanager
def unreferenced(connection: Connection) -> Iterator[None]:
    """Let SQLite delete rows without looking for what refers to each: it was asked for all."""
    if connection.dialect.name != "sqlite":
        yield
        return
    raw = _raw(connection)
    raw.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        raw.execute("PRAGMA foreign_keys=ON")


def _shrink(connection: Connection) -> None:
    raw = _raw(connection)
    patience = raw.execute("PRAGMA busy_timeout").fetchone()[0]
    incremental = raw.execute("PRAGMA auto_vacuum").fetchone()[0]
    # Only a script is stepped to its end: `execute` would give back a single page.
    raw.executescript("PRAGMA incremental_vacuum" if incremental else "VACUUM")
    # While somebody reads an old state, the file stays so long; a later checkpoint cuts it.
    raw.execute("PRAGMA busy_timeout=0")
    raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    raw.execute(f"PRAGMA busy_timeout={patience}")


def _rewrite(connection: Connection, deleted: int) -> None:
    """Give back the payloads' space; what the dropped partitions took is free already."""
    free = connection.execution_options(isolation_level="AUTOCOMMIT")
    free.execute(text(f"VACUUM (ANALYZE) {PAYLOAD}"))
    query = text("SELECT reltuples FROM pg_class WHERE oid = to_regclass(:name)")
    left = free.execute(query, {"name": PAYLOAD}).scalar_one()
    # Only a rewrite makes the table shorter, and it costs what is left to copy.
    if deleted * _WORTH_A_COPY >= left:
        free.execute(text(f"VACUUM (FULL, ANALYZE) {PAYLOAD}"))


_WORTH_A_COPY = 4


def _raw(connection: Connection) -> sqlite3.Connection:
    raw = connection.connection.driver_connection
    if not isinstance(raw, sqlite3.Connection):
        message = "a SQLite warehouse is opened by Python's own sqlite3"
        raise TypeError(message)
    return raw

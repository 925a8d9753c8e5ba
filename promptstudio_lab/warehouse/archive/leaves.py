"""PostgreSQL's partitions of a month: held while they are compared, and dropped as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from promptstudio_lab.errors import Conflict
from promptstudio_lab.warehouse.archive.content import EXECUTIONS, PAYLOAD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from promptstudio_lab.warehouse.archive.month import Month

_PATIENCE = "30s"
_MAKING = 7_052_027


def lock(connection: Connection, month: Month) -> None:
    """Let nobody write to the month, or add a payload, until the transaction ends.

    Whoever added a payload holds its table until the rows that name it are committed.
    """
    if connection.dialect.name == "sqlite":
        return
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_PATIENCE}'")
    # Whoever writes to a past month makes sure of its partitions under the same lock.
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MAKING})")
    tables = [PAYLOAD, *_leaves(connection, month)]
    for table in tables:
        connection.exec_driver_sql(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")


def drop(connection: Connection, month: Month, archived: Mapping[str, int]) -> None:
    """Drop the month's partitions, children before parents; their space is free at once.

    Args:
        connection: within the transaction that has locked them.
        month: which.
        archived: how many rows of each table were archived, of all organisations.

    Raises:
        Conflict: if they hold rows that nobody has archived.
    """
    if connection.dialect.name == "sqlite":
        return
    for leaf in reversed(_leaves(connection, month)):
        parent = leaf.removesuffix(month.leaf)
        # Row security hides rows even from the owner; what goes must have been seen.
        connection.exec_driver_sql(f"ALTER TABLE {leaf} NO FORCE ROW LEVEL SECURITY")
        held = connection.exec_driver_sql(f"SELECT count(*) FROM {leaf}").scalar_one()
        if held != archived[parent]:
            message = (
                f"{leaf} holds {held} rows, and {archived[parent]} were archived; archive it again"
            )
            raise Conflict(message)
        connection.exec_driver_sql(f"ALTER TABLE {parent} DETACH PARTITION {leaf}")
        connection.exec_driver_sql(f"DROP TABLE {leaf}")


def _leaves(connection: Connection, month: Month) -> list[str]:
    names = [f"{table}{month.leaf}" for table in EXECUTIONS]
    there = text("SELECT to_regclass(:name)")
    return [name for name in names if connection.scalar(there, {"name": name}) is not None]

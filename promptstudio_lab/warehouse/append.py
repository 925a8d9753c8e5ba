"""Bulk writes by raw tuples: the recorder's hot path, never the ORM.

Every row carries its own id, so a group that is written again changes nothing.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from promptstudio_lab.errors import ValueRefused
from promptstudio_lab.ids import time_of
from promptstudio_lab.values import check_text
from promptstudio_lab.warehouse.entities import Entity
from promptstudio_lab.warehouse.entities.tenancy import Partitioned
from promptstudio_lab.warehouse.types import iso

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

Row = tuple[Any, ...]  # one value a column, of the column's own type

BY_MONTH = frozenset(
    str(mapper.local_table)
    for mapper in Entity.registry.mappers
    if issubclass(mapper.class_, Partitioned)
)
_MAKE = text("SELECT promptstudio_make_partitions(CAST(:month AS timestamptz))")


def insert_missing(
    connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Row]
) -> None:
    """Insert the rows that are not there yet.

    Args:
        connection: within a transaction.
        table: a table of the schema, never text from outside.
        columns: its columns, in the rows' order.
        rows: tuples; moments are aware datetimes.
    """
    dialect = connection.dialect.name
    ready = [_bound(row, dialect) for row in rows]
    if ready:
        if dialect == "postgresql" and table in BY_MONTH:
            _make_room(connection, [row[columns.index("id")] for row in ready])
        connection.exec_driver_sql(_insert(table, tuple(columns), dialect), ready)


def execute(connection: Connection, sql: str, rows: Iterable[Row]) -> int:
    """Run one statement with `?` placeholders for each row and return how many rows it changed."""
    dialect = connection.dialect.name
    ready = [_bound(row, dialect) for row in rows]
    if not ready:
        return 0
    marked = sql if dialect == "sqlite" else sql.replace("?", "%s")
    return connection.exec_driver_sql(marked, ready).rowcount


def _make_room(connection: Connection, ids: Sequence[str]) -> None:
    """Make the partitions of months that were not foreseen: what is imported, or comes late."""
    first, last = connection.get_execution_options().get("months", ("", ""))
    unforeseen = {time_of(key).strftime("%Y-%m-01") for key in ids if not first <= key < last}
    for month in sorted(unforeseen):
        connection.execute(_MAKE, {"month": f"{month}T00:00:00+00:00"})


@lru_cache
def _insert(table: str, columns: tuple[str, ...], dialect: str) -> str:
    mark = "?" if dialect == "sqlite" else "%s"
    marks = ", ".join([mark] * len(columns))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks}) ON CONFLICT DO NOTHING"  # noqa: S608 — names of our own schema


def _bound(row: Row, dialect: str) -> Row:
    for value in row:
        kind = type(value)
        if kind is str:
            check_text(value)
        elif kind is datetime and value.tzinfo is None:
            message = f"{value.isoformat()} has no time zone; give an aware datetime"
            raise ValueRefused(message)
    if dialect != "sqlite":
        return row
    return tuple(iso(value) if type(value) is datetime else value for value in row)

"""Bulk writes by raw tuples: the recorder's hot path, never the ORM.

Every row carries its own id, so a group that is written again changes nothing.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from promptstudio_lab.errors import ValueRefused
from promptstudio_lab.values import check_text
from promptstudio_lab.warehouse.types import iso

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

Row = tuple[Any, ...]  # one value a column, of the column's own type


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
        connection.exec_driver_sql(_insert(table, tuple(columns), dialect), ready)


def execute(connection: Connection, sql: str, rows: Iterable[Row]) -> int:
    """Run one statement with `?` placeholders for each row and return how many rows it changed."""
    dialect = connection.dialect.name
    ready = [_bound(row, dialect) for row in rows]
    if not ready:
        return 0
    marked = sql if dialect == "sqlite" else sql.replace("?", "%s")
    return connection.exec_driver_sql(marked, ready).rowcount


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

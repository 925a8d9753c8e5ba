"""Bulk writes by raw tuples: the recorder's hot path, never the ORM.

Every row carries its own id, so a group that is written again changes nothing.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import text
from sqlalchemy.exc import StatementError

from promptstudio_lab.errors import ValueRefused
from promptstudio_lab.ids import time_of
from promptstudio_lab.values import check_text
from promptstudio_lab.warehouse.entities import Entity
from promptstudio_lab.warehouse.entities.tenancy import Partitioned
from promptstudio_lab.warehouse.types import CanonicalJson, Guid, PlainText, UTCDateTime, iso, now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy import Connection

Row = tuple[Any, ...]  # one value a column, of the column's own type
Values = tuple[Any, ...]  # those of one column

BY_MONTH = frozenset(
    str(mapper.local_table)
    for mapper in Entity.registry.mappers
    if issubclass(mapper.class_, Partitioned)
)
_MAKE = text("SELECT promptstudio_make_partitions(CAST(:month AS timestamptz))")
# From here on PostgreSQL takes a group faster by COPY, in spite of its second step.
_MANY = 100


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
    dialect, names = connection.dialect.name, tuple(columns)
    by_column = list(zip(*rows, strict=True))
    if not by_column:
        return
    if dialect == "postgresql" and table in BY_MONTH:
        _make_room(connection, by_column[names.index("id")])
    for index, convert in _converters(table, names, dialect):
        by_column[index] = convert(by_column[index])
    ready = list(zip(*by_column, strict=True))
    if dialect == "postgresql" and len(ready) >= _MANY:
        _copy(connection, table, names, ready)
    else:
        connection.exec_driver_sql(_insert(table, names, dialect), ready)


def execute(connection: Connection, sql: str, rows: Iterable[Row]) -> int:
    """Run one statement with `?` placeholders for each row and return how many rows it changed."""
    dialect = connection.dialect.name
    ready = [_bound(row, dialect) for row in rows]
    if not ready:
        return 0
    marked = sql if dialect == "sqlite" else sql.replace("?", "%s")
    return connection.exec_driver_sql(marked, ready).rowcount


def _make_room(connection: Connection, ids: Sequence[str]) -> None:
    """Make the partitions of months that were not foreseen: what is imported, or comes late.

    A month that is past may have been archived since this process looked ahead.
    """
    foreseen, last = connection.get_execution_options().get("months", ("", ""))
    first = max(foreseen, _lowest_of(now()))
    if first <= min(ids) and max(ids) < last:
        return
    unforeseen = {time_of(key).strftime("%Y-%m-01") for key in ids if not first <= key < last}
    for month in sorted(unforeseen):
        connection.execute(_MAKE, {"month": f"{month}T00:00:00+00:00"})


def _lowest_of(moment: datetime) -> str:
    """Return what no id of the moment's month, or of a later one, comes before."""
    month = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    digits = f"{int(month.timestamp() * 1000):012x}"
    return f"{digits[:8]}-{digits[8:]}"


@lru_cache
def _insert(table: str, columns: tuple[str, ...], dialect: str) -> str:
    mark = "?" if dialect == "sqlite" else "%s"
    marks = ", ".join([mark] * len(columns))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks}) ON CONFLICT DO NOTHING"


def _copy(connection: Connection, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Send rows as a stream into a table of this connection, and insert them from there.

    COPY itself knows no conflicts, and is refused where row security holds.
    """
    import psycopg

    names = ", ".join(columns)
    connection.exec_driver_sql(
        f"CREATE TEMPORARY TABLE IF NOT EXISTS new_{table} ON COMMIT DELETE ROWS "
        f"AS SELECT * FROM {table} WITH NO DATA"
    )
    # What an earlier group of this transaction left.
    connection.exec_driver_sql(f"DELETE FROM new_{table}")
    raw: Any = connection.connection.driver_connection  # psycopg is imported only here
    statement = f"COPY new_{table} ({names}) FROM STDIN"
    try:
        with raw.cursor() as cursor, cursor.copy(statement) as stream:
            for row in rows:
                stream.write_row(row)
    except psycopg.Error as error:
        told = str(error)
        raise StatementError(told, statement, None, error, hide_parameters=True) from error
    connection.exec_driver_sql(
        f"INSERT INTO {table} ({names}) SELECT {names} FROM new_{table} ON CONFLICT DO NOTHING"
    )


@lru_cache
def _converters(
    table: str, columns: tuple[str, ...], dialect: str
) -> tuple[tuple[int, Callable[[Values], Values]], ...]:
    """Return what is done with each column that needs anything, decided once for all groups."""
    known = Entity.metadata.tables[table].columns
    found: list[tuple[int, Callable[[Values], Values]]] = []
    for index, name in enumerate(columns):
        if isinstance(known[name].type, UTCDateTime):
            found.append((index, _moments if dialect == "sqlite" else _aware))
        elif isinstance(known[name].type, (Guid, PlainText, CanonicalJson)):
            found.append((index, _texts))
    return tuple(found)


def _texts(values: Values) -> Values:
    whole = "".join(value for value in values if value is not None)
    if not whole.isascii() or "\0" in whole:
        for value in values:
            if value is not None:
                check_text(value)
    return values


def _aware(values: Values) -> Values:
    for value in values:
        if value is not None and value.tzinfo is None:
            message = f"{value.isoformat()} has no time zone; give an aware datetime"
            raise ValueRefused(message)
    return values


def _moments(values: Values) -> Values:
    _aware(values)
    # A run's rows share moments.
    known = {value: iso(value) for value in set(values) if value is not None}
    return tuple(map(known.get, values))


def _bound(row: Row, dialect: str) -> Row:
    for value in row:
        kind = type(value)
        if kind is str:
            check_text(value)
        elif kind is datetime:
            _aware((value,))
    if dialect != "sqlite":
        return row
    return tuple(iso(value) if type(value) is datetime else value for value in row)

"""Other people's databases: read by the names that the user's own settings give them.

One SELECT at a time, its values bound, in a transaction that cannot write.
"""

from __future__ import annotations

import math
import re
import time
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from datetime import time as clock
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import URL, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from promptstudio_lab import settings
from promptstudio_lab.errors import NodeFailed, SettingsError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from sqlite3 import Connection as SqliteConnection

    from sqlalchemy import Connection, TextClause
    from sqlalchemy.pool import ConnectionPoolEntry

    from promptstudio_lab.values import Json

PATIENCE_S = 60.0
_STEPS = 10_000  # of SQLite, between two looks at the clock
_LONGEST = 300
_READS = re.compile(
    r"(?:\s|--[^\n]*\n|/\*.*?\*/)*+(?:select|with|values)\b", re.IGNORECASE | re.DOTALL
)


def query(
    connection_name: str,
    sql: str,
    parameters: Mapping[str, Json],
    most: int,
    patience_s: float = PATIENCE_S,
) -> list[Json]:
    """Return the first rows of a SELECT, as objects; it blocks, so call it in a thread.

    Args:
        connection_name: a name of `connections` in the user's own settings.
        sql: one SELECT; values stand as `:name` and are bound.
        parameters: the values.
        most: how many rows are read; there may be more.
        patience_s: when the statement is ended.

    Returns:
        Rows by column. Dates and times are ISO text, exact decimals numbers.

    Raises:
        NodeFailed: if there is no such connection, it cannot be reached, the statement would
            write, fails or takes too long, or a column has no JSON form.
        SettingsError: if `connections` is no table of addresses.
    """
    _check(sql)
    url = _url(connection_name)
    failure = ""
    rows: list[Json] = []
    try:
        with _reading(url, patience_s) as connection:
            statement = text(sql)
            values = _values(statement, parameters)
            # By a cursor of the server's: rows that nobody reads are not sent.
            with connection.execute(
                statement, values, execution_options={"stream_results": True}
            ) as found:
                names = list(found.keys())
                rows = [_row(names, row) for row in found.fetchmany(most)]
    except SQLAlchemyError as error:
        failure = f"{connection_name}: {_reason(error, url)}"
    # Raised where no error of the driver is being handled: it may know the address.
    if failure:
        raise NodeFailed(failure)
    return rows


def _check(sql: str) -> None:
    if not _READS.match(sql):
        message = "the statement is no SELECT, and a flow only reads"
        raise NodeFailed(message)
    if ";" in sql.rstrip().removesuffix(";"):
        message = "there is a ';' in the statement: write one statement, and texts as :parameters"
        raise NodeFailed(message)


def _values(statement: TextClause, parameters: Mapping[str, Json]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for name in statement.compile().params:
        if name not in parameters:
            message = f"the parameter :{name} has no value.{did_you_mean(name, parameters)}"
            raise NodeFailed(message)
        found[name] = parameters[name]
    return found


def _url(name: str) -> URL:
    listed = settings.personal("connections") or {}
    if not isinstance(listed, dict):
        message = '`connections` in your settings.toml is no table, as shop = "sqlite:///shop.db"'
        raise SettingsError(message)
    if name not in listed:
        message = (
            f"you have no connection {name!r}; name it under [connections] in "
            f"{settings.configuration_directory()}/settings.toml.{did_you_mean(name, listed)}"
        )
        raise NodeFailed(message)
    try:
        url = make_url(str(listed[name]))
    except ArgumentError:
        url = None
    if url is None or url.get_backend_name() not in {"sqlite", "postgresql"}:
        message = f"the connection {name!r} is no address of SQLite or PostgreSQL"
        raise SettingsError(message)
    return url


@contextmanager
def _reading(url: URL, patience_s: float) -> Iterator[Connection]:
    made = _sqlite(url, patience_s) if url.get_backend_name() == "sqlite" else _postgresql(url)
    try:
        with made.connect() as connection, connection.begin() as transaction:
            if made.dialect.name == "postgresql":
                connection.exec_driver_sql("SET TRANSACTION READ ONLY")
                milliseconds = max(1, math.ceil(patience_s * 1e3))
                connection.exec_driver_sql(f"SET LOCAL statement_timeout = {milliseconds:d}")
            yield connection
            transaction.rollback()
    finally:
        made.dispose()


def _sqlite(url: URL, patience_s: float) -> Engine:
    if not url.database or not Path(url.database).is_file():
        message = "the connection's file is not there"
        raise NodeFailed(message)
    # Opened by an address that cannot write, and so never made by mistake.
    at = Path(url.database).resolve().as_uri()
    address = URL.create("sqlite", database=at, query={"mode": "ro", "uri": "true"})
    made = create_engine(address, poolclass=NullPool, hide_parameters=True)

    def prepared(connection: SqliteConnection, _: ConnectionPoolEntry) -> None:
        deadline = time.monotonic() + patience_s
        connection.execute("PRAGMA query_only = ON")
        connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)

    event.listen(made, "connect", prepared)
    return made


def _postgresql(url: URL) -> Engine:
    try:
        return create_engine(
            url.set(drivername="postgresql+psycopg"),
            poolclass=NullPool,
            hide_parameters=True,
            connect_args={
                "connect_timeout": 10,
                "options": "-c default_transaction_read_only=on",
            },
        )
    except ModuleNotFoundError:
        message = "PostgreSQL needs its driver: pip install 'promptstudio-lab[postgres]'"
        raise NodeFailed(message) from None


def _reason(error: SQLAlchemyError, url: URL) -> str:
    told = getattr(error, "orig", None) or error
    line = next(iter(str(told).strip().splitlines()), type(error).__name__)[:_LONGEST]
    return line.replace(url.password, "[password]") if isinstance(url.password, str) else line


def _row(names: list[str], row: object) -> dict[str, Json]:
    return {name: _plain(name, value) for name, value in zip(names, row, strict=True)}  # type: ignore[call-overload]  # a row is a tuple


def _plain(name: str, value: object) -> Json:
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (float, Decimal)):
        return _number(value)
    if isinstance(value, dict):
        return {str(key): _plain(name, item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(name, item) for item in value]
    if isinstance(value, (datetime, date, clock)):
        return value.isoformat()
    if not isinstance(value, (UUID, timedelta)):
        kind = type(value).__name__
        message = f"the column {name!r} is {kind} and has no JSON form; cast it to text"
        raise NodeFailed(message)
    return str(value)


def _number(value: float | Decimal) -> float | None:
    if not math.isfinite(value):
        return None
    whole = isinstance(value, Decimal) and value == int(value)
    return int(value) if whole else float(value)

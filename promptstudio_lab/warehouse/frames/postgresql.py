"""Reads of PostgreSQL: small ones by psycopg, big ones by the Arrow driver."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from promptstudio_lab.errors import WarehouseError, WarehouseUnavailable
from promptstudio_lab.ids import is_id
from promptstudio_lab.warehouse.frames.arrow import turn_of
from promptstudio_lab.warehouse.frames.cursor import (
    BIG,
    READS,
    begun,
    first_word,
    frame_of,
    plain,
    positional,
    refuse_twins,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import polars as pl
    from sqlalchemy.orm import Session

    from promptstudio_lab.warehouse.frames.period import Wanted

_FOR_READING = (
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",
    "SELECT set_config('promptstudio.organization_id', '{}', true)",
)


def read_table(session: Session, wanted: Wanted) -> list[pl.DataFrame]:
    """Return the wanted rows of a table, in a frame of its schema."""
    conditions = wanted.conditions()
    where = " AND ".join(f"{column} {sign} %s" for column, sign, _ in conditions)
    sql = f"SELECT {', '.join(wanted.columns)} FROM {wanted.table} WHERE {where}"
    if wanted.limit is not None:
        sql += f" LIMIT {wanted.limit:d}"
    found = _by_arrow(session, _literal(session, sql, [value for *_, value in conditions]))
    if found is None:
        message = f"a column of {wanted.table} has a type that is not the product's"
        raise WarehouseError(message)
    return [found]


def read_query(session: Session, sql: str, bound: Mapping[str, object]) -> pl.DataFrame:
    """Return the answer to a free query."""
    if first_word(sql) in READS and _rows_planned(session, sql, bound) >= BIG:
        pattern, _ = positional(session, sql, bound)
        frame = _by_arrow(session, _literal(session, pattern, bound))
        if frame is not None:
            return frame.with_columns(_untyped(frame))
    result = begun(session, sql, bound)
    return frame_of(list(result.keys()), plain(result))


def _rows_planned(session: Session, sql: str, bound: Mapping[str, object]) -> int:
    """Return how many rows the server expects; 0 for what it cannot plan."""
    try:
        plan = session.execute(text(f"EXPLAIN (FORMAT JSON) {sql}"), bound).scalar_one()
    except DBAPIError:
        # Running it tells the reason without the word that was put before it.
        session.rollback()
        return 0
    return int(json.loads(plan)[0]["Plan"]["Plan Rows"])


def _untyped(frame: pl.DataFrame) -> list[pl.Expr]:
    """Return columns without a value as a cursor knows them: without a type."""
    import polars as pl

    empty = [name for name in frame.columns if frame[name].null_count() == frame.height]
    return [pl.lit(None, pl.Null).alias(name) for name in empty]


def _literal(session: Session, sql: str, values: Sequence[object] | Mapping[str, object]) -> str:
    """Return a statement with its values written into it by the driver."""
    import psycopg

    raw: Any = (
        session.connection().connection.driver_connection
    )  # a DB-API connection has no common type
    return psycopg.ClientCursor(raw).mogrify(sql, values)


def _by_arrow(session: Session, sql: str) -> pl.DataFrame | None:
    """Return a statement's rows, or None if a column has a type that only psycopg knows.

    Raises:
        WarehouseError: if the server refuses, or two columns have one name.
    """
    import polars as pl

    with _transaction(session) as rows, rows(sql) as batches:
        names = batches.schema.names
        refuse_twins(names)
        turns = [turn_of(field.type) for field in batches.schema]
        if None in turns:
            return None
        columns = batches.read_all().columns
    turned = [turn(column) for turn, column in zip(turns, columns, strict=True) if turn is not None]
    return pl.DataFrame(dict(zip(names, turned, strict=True)))


_Rows = Callable[[str], AbstractContextManager[Any]]  # of a pyarrow reader, which has no types


@contextmanager
def _transaction(session: Session) -> Iterator[_Rows]:
    """Give what runs statements in a transaction that reads, for the actor's organisation."""
    try:
        import adbc_driver_manager as adbc
        import adbc_driver_postgresql as driver
    except ModuleNotFoundError:
        message = "big reads need the Arrow driver: pip install 'promptstudio-lab[postgres]'"
        raise WarehouseUnavailable(message) from None

    organization_id = session.info["actor"].organization_id
    path = driver._driver_path()  # noqa: SLF001 — the package offers nothing else without its DB-API
    try:
        with (
            adbc.AdbcDatabase(driver=path, uri=_address(session)) as database,
            adbc.AdbcConnection(database) as connection,
        ):
            connection.set_autocommit(False)
            rows = partial(_batches, connection)
            for statement in _FOR_READING:
                known = organization_id if is_id(organization_id) else ""
                with rows(statement.format(known)) as done:
                    done.read_all()
            yield rows
    except (adbc.Error, OSError) as error:
        message = f"{session.get_bind().engine.url}: {_said(error)}"
        raise WarehouseError(message) from error


@contextmanager
def _batches(connection: Any, sql: str) -> Iterator[Any]:  # the driver's handles have no types
    import adbc_driver_manager as adbc
    import pyarrow as pa

    with adbc.AdbcStatement(connection) as statement:
        statement.set_sql_query(f"{sql}\n")  # or a remark at its end would swallow what follows
        stream, _ = statement.execute_query()
        with pa.RecordBatchReader.from_stream(stream) as batches:
            yield batches


def _address(session: Session) -> str:
    """Return where the session is connected to, in the words of PostgreSQL's own library."""
    from psycopg.conninfo import make_conninfo

    bind = session.get_bind()
    _, found = bind.dialect.create_connect_args(bind.engine.url)
    found.pop("context", None)  # psycopg's own
    return make_conninfo(**{**found, "options": "-c timezone=UTC"})


def _said(error: Exception) -> str:
    """Return the server's own words, without the statement that was made of the query."""
    words = str(error).partition("ERROR:")[2].strip()
    return words.partition("\n")[0] or str(error)

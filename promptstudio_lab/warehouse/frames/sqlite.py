"""Reads of a SQLite file: small ones by Python's own driver, big ones by the reader processes."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import text

from promptstudio_lab.warehouse.frames.cursor import (
    BIG,
    READS,
    begun,
    first_word,
    frame_of,
    positional,
)
from promptstudio_lab.warehouse.frames.dtypes import kinds_of, schema_of
from promptstudio_lab.warehouse.frames.pool import Odd, Part, readers
from promptstudio_lab.warehouse.types import iso

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl
    from sqlalchemy.orm import Session

    from promptstudio_lab.warehouse.append import Row
    from promptstudio_lab.warehouse.frames.cursor import Answer
    from promptstudio_lab.warehouse.frames.period import Wanted

# From here on two processes are worth their talk.
_HUGE = 50_000
# A row that tells the driver the columns' types: it would guess from the first rows, and NULLs.
_SAMPLES = {"text": "''", "moment": "''", "whole": "0", "number": "0.0", "flag": "0"}
_TIME_FORMAT = "%Y-%m-%dT%H:%M:%S%.f%z"

_Condition = tuple[str, str, object]  # column, sign, bound value


def read_table(session: Session, wanted: Wanted) -> list[pl.DataFrame]:
    """Return the wanted rows of a table, in one or two frames of its schema."""
    conditions = [_bound(condition) for condition in wanted.conditions()]
    first, last = _extent(session, wanted, conditions)
    rows = last - first + 1 if wanted.limit is None else min(wanted.limit, last - first + 1)
    if rows < BIG:
        return [_by_cursor(session, wanted, conditions)]
    if rows < _HUGE or wanted.limit is not None:
        parts = [_part(wanted, conditions)]
    else:
        split = _middle(session, wanted, (first + last) // 2)
        parts = [_part(wanted, [*conditions, (split[0], sign, split[1])]) for sign in ("<", ">=")]
    return [_frame(table) for table in readers.read(_path(session), parts)]


def _bound(condition: _Condition) -> _Condition:
    column, sign, value = condition
    return column, sign, iso(value) if isinstance(value, datetime) else value


def _path(session: Session) -> Path:
    return Path(session.execute(text("PRAGMA database_list")).one()[2])


def _extent(session: Session, wanted: Wanted, conditions: Sequence[_Condition]) -> tuple[int, int]:
    """Return the row numbers about which the wanted rows begin and end: a guess of how many."""
    order = "rowid" if wanted.whole else "id"
    where, bound = _where([one for one in conditions if one[0] == "id"])
    ends = [
        f"(SELECT rowid FROM {wanted.table}{where} ORDER BY {order} {way} LIMIT 1)"
        for way in ("ASC", "DESC")
    ]
    ask = f"SELECT {', '.join(ends)}"
    first, last = session.connection().exec_driver_sql(ask, tuple(bound * 2)).one()
    return (0, -1) if first is None else (min(first, last), max(first, last))


def _middle(session: Session, wanted: Wanted, row: int) -> tuple[str, object]:
    """Return where to halve: by id if ids are bounded, else by row number."""
    if wanted.whole:
        return "rowid", row
    ask = f"SELECT id FROM {wanted.table} WHERE rowid >= ? ORDER BY rowid LIMIT 1"
    return "id", session.connection().exec_driver_sql(ask, (row,)).scalar_one()


def _by_cursor(session: Session, wanted: Wanted, conditions: Sequence[_Condition]) -> pl.DataFrame:
    import polars as pl

    sql, bound = _select(wanted, conditions)
    rows = session.connection().exec_driver_sql(sql, tuple(bound)).all()
    kinds, schema = kinds_of(wanted.table), schema_of(wanted.table)
    moments = [name for name in wanted.columns if kinds[name] == "moment"]
    raw: dict[str, Any] = {  # polars' own union of types
        name: pl.String if name in moments else pl.Int64 if kinds[name] == "flag" else schema[name]
        for name in wanted.columns
    }
    frame = pl.DataFrame([tuple(row) for row in rows], schema=raw, orient="row")
    return frame.with_columns(
        pl.col(moments).str.to_datetime(_TIME_FORMAT, time_unit="us", time_zone="UTC")
    ).cast({name: schema[name] for name in wanted.columns})


def _part(wanted: Wanted, conditions: Sequence[_Condition]) -> Part:
    kinds = tuple(kinds_of(wanted.table)[name] for name in wanted.columns)
    samples = ", ".join(
        f"{_SAMPLES[kind]} AS {name}" for kind, name in zip(kinds, wanted.columns, strict=True)
    )
    # Where everything is read, an index is a detour.
    rows, bound = _select(wanted, conditions, " NOT INDEXED" if wanted.whole else "")
    return Part(f"SELECT {samples} UNION ALL SELECT * FROM ({rows})", tuple(bound), kinds)


def _select(
    wanted: Wanted, conditions: Sequence[_Condition], how: str = ""
) -> tuple[str, list[object]]:
    where, bound = _where(conditions)
    sql = f"SELECT {', '.join(wanted.columns)} FROM {wanted.table}{how}{where}"
    return (sql, bound) if wanted.limit is None else (f"{sql} LIMIT ?", [*bound, wanted.limit])


def _where(conditions: Sequence[_Condition]) -> tuple[str, list[object]]:
    held = " AND ".join(f"{column} {sign} ?" for column, sign, _ in conditions)
    return f" WHERE {held}" if held else "", [value for *_, value in conditions]


def read_query(session: Session, sql: str, bound: Mapping[str, object]) -> pl.DataFrame:
    """Return the answer to a free query."""
    started = time.perf_counter()
    result = begun(session, sql, bound)
    names = list(result.keys())
    rows, more = _head(result, time.perf_counter() - started)
    if more and first_word(sql) in READS:
        statement, values = positional(session, sql, bound)
        kinds = [_only(column) for column in zip(*rows, strict=True)]
        if all(kinds) and all(isinstance(v, str | int | float | None) for v in values):
            try:
                return _by_readers(session, names, kinds, _checked(statement, kinds), values)
            except Odd:
                pass
    return frame_of(names, [*rows, *map(tuple, result)])


def _head(result: Answer, first_s: float) -> tuple[list[Row], bool]:
    """Return the first rows, and whether there are more that are better read anew.

    A query that took long to its first row would take as long again, so it is given that time.
    """
    started, rows = time.perf_counter(), []
    while True:
        found = [tuple(row) for row in result.fetchmany(BIG)]
        rows += found
        if len(found) < BIG:
            return rows, False
        if time.perf_counter() - started >= first_s:
            return rows, True


def _only(values: Sequence[object]) -> str | None:
    """Return what a column holds: `null` if nothing yet, None if values of several types."""
    found = {type(value) for value in values} - {type(None)}
    if found == {int, float}:
        return "float"
    if len(found) > 1:
        return None
    return found.pop().__name__ if found else "null"


_EXPECTED = {"str": "'text', 'null'", "null": "'text', 'null'", "bytes": "'blob', 'null'"}


def _checked(statement: str, kinds: Sequence[str | None]) -> str:
    """Return the query with a column more: 1 where a value is not of its column's type.

    The driver itself turns numbers among words into words, and in its own way.
    """
    columns = [f"c{at}" for at in range(len(kinds))]
    odd = [
        f"typeof({column}) NOT IN ({_EXPECTED[kind]})"
        for column, kind in zip(columns, kinds, strict=True)
        if kind in _EXPECTED
    ]
    listed = ", ".join(columns)
    return (
        f"WITH promptstudio_query({listed}) AS (\n{statement}\n) "
        f"SELECT {listed}, {' OR '.join(odd) or '0'} FROM promptstudio_query"
    )


def _by_readers(
    session: Session,
    names: Sequence[str],
    kinds: Sequence[str | None],
    statement: str,
    values: Sequence[object],
) -> pl.DataFrame:
    import polars as pl

    ready = tuple(int(value) if isinstance(value, bool) else value for value in values)
    (table,) = readers.read(_path(session), [Part(statement, ready)])
    frame = _frame(table.rename_columns(names))
    for name, kind in zip(names, kinds, strict=True):
        if kind in {"int", "float"} and not frame[name].dtype.is_numeric():
            raise Odd
        if kind == "null" and frame[name].null_count() == frame.height:
            frame = frame.with_columns(pl.lit(None, pl.Null).alias(name))
    return frame


def _frame(table: Any) -> pl.DataFrame:  # pyarrow ships no types
    import polars as pl

    return cast("pl.DataFrame", pl.from_arrow(table, rechunk=False))

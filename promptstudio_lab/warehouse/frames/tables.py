"""Named frames: an organisation's runs as lazy frames whose schema is known without reading."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptstudio_lab.errors import WarehouseError, did_you_mean
from promptstudio_lab.warehouse.archive.scan import cold_rows
from promptstudio_lab.warehouse.frames import postgresql, sqlite
from promptstudio_lab.warehouse.frames.dtypes import schema_of
from promptstudio_lab.warehouse.frames.period import Wanted, When, moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import polars as pl

    from promptstudio_lab.identity import Actor
    from promptstudio_lab.warehouse.connect import Warehouse


def scan(
    warehouse: Warehouse,
    actor: Actor,
    table: str,
    *,
    since: When | None = None,
    until: When | None = None,
    columns: Sequence[str] | None = None,
) -> pl.LazyFrame:
    """Return the rows of a table of runs; nothing is read before they are collected.

    Args:
        warehouse: where to read.
        actor: who reads; only rows of the actor's organisation are found.
        table: `flow_execution` or another table of runs.
        since: the first moment of `created_at`; by default from the beginning.
        until: the moment after the last; by default without end.
        columns: which columns; by default all, and only those that the query needs are read.

    Raises:
        WarehouseError: if the table has no such column.
        ValueRefused: if a moment is none, or has no time zone.
    """
    import polars as pl
    from polars.io.plugins import register_io_source

    first, end = moment(since), moment(until)
    schema = schema_of(table)
    chosen = _known(table, schema, columns)

    def source(
        needed: list[str] | None, predicate: pl.Expr | None, rows: int | None, _: int | None
    ) -> Iterator[pl.DataFrame]:
        names = tuple(chosen if needed is None else needed) or chosen[:1]
        wanted = Wanted(table, names, actor.organization_id, first, end, rows)
        for frame in _read(warehouse, actor, wanted):
            yield frame if predicate is None else frame.filter(predicate)

    hot = register_io_source(
        source, schema={name: schema[name] for name in chosen}, is_pure=True, explain_name=table
    )
    archived = cold_rows(warehouse, actor, table, first, end)
    return hot if archived is None else pl.concat([archived.select(chosen), hot])


def _known(
    table: str, schema: dict[str, pl.DataType], columns: Sequence[str] | None
) -> tuple[str, ...]:
    if isinstance(columns, str):
        columns = [columns]
    chosen = tuple(dict.fromkeys(schema if columns is None else columns))
    for name in chosen:
        if name not in schema:
            message = f"{table} has no column {name!r}.{did_you_mean(name, schema)}"
            raise WarehouseError(message)
    if not chosen:
        message = f"a frame needs a column; {table} has {', '.join(schema)}"
        raise WarehouseError(message)
    return chosen


def _read(warehouse: Warehouse, actor: Actor, wanted: Wanted) -> list[pl.DataFrame]:
    read = sqlite.read_table if warehouse.dialect == "sqlite" else postgresql.read_table
    with warehouse.reading(actor) as session:
        return read(session, wanted)

"""What a table's rows are, told alike by both engines and by Parquet: columns, values, digest.

A row's canonical form is its columns in order, but for the organisation's: text, whole numbers,
floats and None; times as ISO text, flags as 0 and 1. The digest is the SHA-256 of the rows' JSON,
sorted by id.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import BigInteger, Boolean

from promptstudio_lab.warehouse.append import BY_MONTH
from promptstudio_lab.warehouse.entities import Entity
from promptstudio_lab.warehouse.types import (
    CanonicalJson,
    FiniteNumber,
    Guid,
    PlainText,
    UTCDateTime,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import polars as pl
    import pyarrow as pa
    from sqlalchemy import Connection

    from promptstudio_lab.warehouse.append import Row

Kind = Literal["text", "time", "count", "number", "flag"]

PAYLOAD = "payload"
# Parents before children.
EXECUTIONS = tuple(table.name for table in Entity.metadata.sorted_tables if table.name in BY_MONTH)
TABLES = (PAYLOAD, *EXECUTIONS)
_COSTS = {"flow_execution": "total_cost", "node_execution": "cost", "prompt_execution": "cost"}
_PARSED = "%Y-%m-%dT%H:%M:%S%.f%:z"
_ISO = "%Y-%m-%dT%H:%M:%S%.6f+00:00"
# On PostgreSQL the canonical form of each type; SQLite stores it as it is.
_POSTGRESQL = {
    Guid: "CAST({} AS text)",
    CanonicalJson: "CAST({} AS text)",
    Boolean: "CAST({} AS integer)",
    UTCDateTime: """to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')""",
}
AT_ONCE = 2_000
_OWNER = "organization_id"


_KINDS: dict[type, Kind] = {
    Guid: "text",
    PlainText: "text",
    CanonicalJson: "text",
    UTCDateTime: "time",
    FiniteNumber: "number",
    Boolean: "flag",
    BigInteger: "count",
}


@dataclass(frozen=True, slots=True)
class Content:
    """What some rows hold, to be compared before anything is let go.

    Attributes:
        rows: how many.
        digest: SHA-256 of their canonical form.
        cost: the sum of their costs in nano-dollars, or None where none is known.
    """

    rows: int
    digest: str
    cost: int | None


class Tally:
    """Counts rows in canonical form, sorted by id, as they pass.

    Args:
        table: whose rows.
        columns: their columns.
    """

    def __init__(self, table: str, columns: Sequence[str]) -> None:
        """Begin with no rows."""
        cost = _COSTS.get(table)
        self._cost = list(columns).index(cost) if cost else None
        self._hash, self._rows = hashlib.sha256(), 0
        self._total: int | None = None

    def add(self, rows: Sequence[Row]) -> None:
        """Count some more rows."""
        if not rows:
            return
        # Without its brackets the text does not depend on where one batch ends.
        text = json.dumps(rows, separators=(",", ":"))[1:-1]
        self._hash.update(f",{text}".encode("ascii"))
        self._rows += len(rows)
        if self._cost is not None:
            known = [row[self._cost] for row in rows if row[self._cost] is not None]
            self._total = (self._total or 0) + sum(known) if known else self._total

    def content(self) -> Content:
        """Return what has passed."""
        return Content(self._rows, self._hash.hexdigest(), self._total)


def columns_of(table: str) -> dict[str, Kind]:
    """Return the kind of each column that is written, in the table's order."""
    columns = Entity.metadata.tables[table].columns
    return {column.name: _KINDS[type(column.type)] for column in columns if column.name != _OWNER}


def cost_column(table: str) -> str | None:
    """Return the column that says what a row cost, if its table has one."""
    return _COSTS.get(table)


def canonical_columns(table: str, dialect: str) -> str:
    """Return the select list that gives a table's rows in canonical form."""
    columns = Entity.metadata.tables[table].columns
    return ", ".join(
        name
        if dialect == "sqlite"
        else _POSTGRESQL.get(type(columns[name].type), "{}").format(name)
        for name in columns_of(table)
    )


def batches(connection: Connection, sql: str, bound: Sequence[object]) -> Iterator[list[Row]]:
    """Give the rows of a query, some at a time, however many there are.

    Args:
        connection: within a transaction.
        sql: one SELECT with `?` for each bound value.
        bound: the values.
    """
    marked = sql if connection.dialect.name == "sqlite" else sql.replace("?", "%s")
    found = connection.exec_driver_sql(
        marked, tuple(bound), execution_options={"stream_results": True}
    )
    for part in found.partitions(AT_ONCE):
        yield [tuple(row) for row in part]


def canonical(frame: pl.DataFrame, kinds: Mapping[str, Kind]) -> list[Row]:
    """Return a frame's rows in canonical form."""
    import polars as pl

    ready = frame.select(
        pl.col(name).dt.to_string(_ISO)
        if kind == "time"
        else pl.col(name).cast(pl.Int64)
        if kind == "flag"
        else pl.col(name)
        for name, kind in kinds.items()
    )
    return ready.rows()


def typed(rows: Sequence[Row], kinds: Mapping[str, Kind]) -> pl.DataFrame:
    """Return rows in canonical form as a frame of the columns' own types."""
    import polars as pl

    wire = {"text": pl.String, "time": pl.String, "number": pl.Float64}
    columns = zip(*rows, strict=True)
    frame = pl.DataFrame(
        [
            pl.Series(name, values, dtype=wire.get(kind, pl.Int64), strict=True)
            for (name, kind), values in zip(kinds.items(), columns, strict=True)
        ]
    )
    times = [name for name, kind in kinds.items() if kind == "time"]
    flags = [name for name, kind in kinds.items() if kind == "flag"]
    return frame.with_columns(
        pl.col(times).str.to_datetime(_PARSED, time_unit="us", time_zone="UTC"),
        pl.col(flags).cast(pl.Boolean),
    )


def frame_types(table: str) -> dict[str, pl.DataType]:
    """Return the frame's type of each column that is written."""
    import polars as pl

    kinds: dict[Kind, Any] = {  # a type or an instance of one, as polars has it
        "text": pl.String(),
        "time": pl.Datetime("us", "UTC"),
        "count": pl.Int64(),
        "number": pl.Float64(),
        "flag": pl.Boolean(),
    }
    return {name: kinds[kind] for name, kind in columns_of(table).items()}


def file_types(table: str) -> pa.Schema:
    """Return the Parquet schema of a table."""
    import pyarrow as pa

    kinds = {
        "text": pa.string(),
        "time": pa.timestamp("us", tz="UTC"),
        "count": pa.int64(),
        "number": pa.float64(),
        "flag": pa.bool_(),
    }
    return pa.schema([(name, kinds[kind]) for name, kind in columns_of(table).items()])


def tallied(found: Iterable[list[Row]], table: str) -> Content:
    """Return what the rows of a query hold."""
    tally = Tally(table, list(columns_of(table)))
    for rows in found:
        tally.add(rows)
    return tally.content()

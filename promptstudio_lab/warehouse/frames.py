"""SQL in, polars out: every read that a person analyses."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from promptstudio_lab.errors import WarehouseError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from promptstudio_lab.identity import Actor
    from promptstudio_lab.warehouse.connect import Warehouse

_FLAGS = ("success", "simulated", "cache_hit", "used", "is_control")


def query(
    warehouse: Warehouse,
    actor: Actor,
    sql: str,
    parameters: Mapping[str, Any] | None = None,  # a bound value is of its column's type
) -> pl.DataFrame:
    """Return the rows of a SELECT as a polars frame.

    Args:
        warehouse: where to read.
        actor: who reads; `:organization_id` is bound to the actor's.
        sql: one SELECT with `:name` parameters.
        parameters: their values.

    Returns:
        Columns that end in `_at` are UTC times, flags are booleans, keys are text.
    """
    import polars as pl
    from sqlalchemy import CursorResult, text

    bound = {"organization_id": actor.organization_id, **(parameters or {})}
    with warehouse.reading(actor) as session:
        result = session.execute(text(sql), bound)
        if not isinstance(result, CursorResult) or not result.returns_rows:
            message = "this statement returns no rows; a query begins with SELECT"
            raise WarehouseError(message)
        names = list(result.keys())
        rows = [[_plain(value) for value in row] for row in result]
    frame = pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None)
    return frame.with_columns(*_times(frame), *_flags(frame))


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        # PostgreSQL sums and averages whole numbers exactly; SQLite gives plain numbers.
        return int(value) if value.as_tuple().exponent == 0 else float(value)
    return str(value) if isinstance(value, UUID) else value


def _times(frame: pl.DataFrame) -> list[pl.Expr]:
    import polars as pl

    return [
        pl.col(name).str.to_datetime(time_zone="UTC")
        if frame.schema[name] == pl.String
        else pl.col(name).cast(pl.Datetime("us", "UTC"))
        for name in frame.columns
        if name.endswith("_at")
    ]


def _flags(frame: pl.DataFrame) -> list[pl.Expr]:
    import polars as pl

    return [pl.col(name).cast(pl.Boolean) for name in frame.columns if name in _FLAGS]

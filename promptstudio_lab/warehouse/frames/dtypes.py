"""Which polars type a column has: of a table by its definition, of any query by its name."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Boolean, Double, Integer

from promptstudio_lab.errors import WarehouseError
from promptstudio_lab.warehouse.entities import Entity
from promptstudio_lab.warehouse.types import UTCDateTime

if TYPE_CHECKING:
    import polars as pl
    from sqlalchemy.types import TypeEngine

Kind = Literal["text", "whole", "number", "flag", "moment"]

# What an analyst's view computes; every other flag is a column of a table.
_COMPUTED_FLAGS = ("used",)


@cache
def kinds_of(table: str) -> dict[str, Kind]:
    """Return what each column of a table holds.

    >>> kinds_of("node_execution")["cost"], kinds_of("node_execution")["created_at"]
    ('whole', 'moment')
    """
    return {column.name: _kind(column.type) for column in Entity.metadata.tables[table].columns}


def schema_of(table: str) -> dict[str, pl.DataType]:
    """Return the polars types of a table's columns: the same on both engines.

    >>> schema_of("node_execution")["created_at"]
    Datetime(time_unit='us', time_zone='UTC')
    """
    import polars as pl

    types: dict[Kind, pl.DataType] = {
        "text": pl.String(),
        "whole": pl.Int64(),
        "number": pl.Float64(),
        "flag": pl.Boolean(),
        "moment": pl.Datetime("us", "UTC"),
    }
    return {name: types[kind] for name, kind in kinds_of(table).items()}


def _kind(type_: TypeEngine[Any]) -> Kind:  # of whatever its values are
    if isinstance(type_, UTCDateTime):
        return "moment"
    # What our own types are made of; keys, words and documents are text.
    plain = getattr(type_, "impl_instance", type_)
    if isinstance(plain, Boolean):
        return "flag"
    if isinstance(plain, Integer):
        return "whole"
    return "number" if isinstance(plain, Double) else "text"


@cache
def _flag_names() -> frozenset[str]:
    stored = (
        name
        for table in Entity.metadata.tables
        for name, kind in kinds_of(table).items()
        if kind == "flag"
    )
    return frozenset({*stored, *_COMPUTED_FLAGS})


def named(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the answer to a free query with the types that its columns' names promise.

    Raises:
        WarehouseError: if a column that ends in `_at` holds text that is no time.
    """
    import polars as pl

    try:
        return frame.with_columns(*(_promised(frame[name]) for name in frame.columns))
    except pl.exceptions.PolarsError as error:
        message = f"a column that ends in _at holds times, and flags are 0 or 1: {error}"
        raise WarehouseError(message) from None


def _promised(column: pl.Series) -> pl.Series:
    import polars as pl

    if column.name.endswith("_at"):
        if column.dtype == pl.String:
            return column.str.to_datetime(time_unit="us", time_zone="UTC")
        return column.cast(pl.Datetime("us", "UTC"))
    if column.name in _flag_names():
        return column.cast(pl.Boolean)
    if column.dtype == pl.Null and (column.name == "id" or column.name.endswith("_id")):
        return column.cast(pl.String)
    return column

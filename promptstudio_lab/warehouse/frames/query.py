"""A free query: whatever an analyst asks in SQL, as a polars frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from promptstudio_lab.errors import WarehouseError
from promptstudio_lab.warehouse.frames import cursor, postgresql, sqlite
from promptstudio_lab.warehouse.frames.dtypes import named

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from promptstudio_lab.identity import Actor
    from promptstudio_lab.warehouse.connect import Warehouse

OWN = "organization_id"  # the parameter that every query may use without giving it
_ONLY_READS = ("readonly database", "read-only transaction")


def query(
    warehouse: Warehouse,
    actor: Actor,
    sql: str,
    parameters: Mapping[str, Any] | None = None,  # a bound value is of its column's type
) -> pl.DataFrame:
    """Return the rows of a SELECT as a polars frame.

    Some thousand rows come by the driver's cursor, more by Arrow: the frame is the same.

    Args:
        warehouse: where to read.
        actor: who reads; `:organization_id` is bound to the actor's.
        sql: one SELECT with `:name` parameters.
        parameters: their values.

    Returns:
        Columns that end in `_at` are UTC times, flags are booleans, keys are text, money is
        nano-dollars in Int64.

    Raises:
        WarehouseError: if the statement is none, several, or would write.
    """
    own = {OWN: actor.organization_id, **(parameters or {})}
    bound = cursor.ready(own, warehouse.dialect)
    read = sqlite.read_query if warehouse.dialect == "sqlite" else postgresql.read_query
    asked = cursor.one_query(sql)
    try:
        with warehouse.reading(actor) as session:
            return named(read(session, asked, bound))
    except WarehouseError as error:
        if any(words in str(error) for words in _ONLY_READS):
            message = "a query only reads, and this one would write; nothing was changed"
            raise WarehouseError(message) from error
        raise


def parameters_of(sql: str) -> list[str]:
    """Return the names of a query's `:name` parameters, in their order.

    >>> parameters_of("SELECT * FROM v_trace WHERE model = :model AND note <> ':x'")
    ['model']
    """
    return cursor.marks(sql)

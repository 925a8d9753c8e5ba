"""Months that have left the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    import polars as pl

    from promptstudio_lab.identity import Actor
    from promptstudio_lab.warehouse.connect import Warehouse


def cold(
    warehouse: Warehouse,  # noqa: ARG001 — every month is still in the database
    actor: Actor,  # noqa: ARG001 — as above
    table: str,  # noqa: ARG001 — as above
    since: datetime | None,  # noqa: ARG001 — as above
    until: datetime | None,  # noqa: ARG001 — as above
) -> pl.LazyFrame | None:
    """Return the archived rows of a table, or None if none of that time are archived.

    Args:
        warehouse: whose archive.
        actor: whose organisation's rows.
        table: `node_execution` or another table of runs.
        since: the first moment, or None for the beginning.
        until: the moment after the last, or None for no end.

    Returns:
        Rows of no particular order with the columns and types of `dtypes.schema_of(table)`.
    """
    return None

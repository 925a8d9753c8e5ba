"""Cold rows as a lazy frame: nothing is read before it is collected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptstudio_lab.errors import WarehouseError
from promptstudio_lab.warehouse.archive import manifest
from promptstudio_lab.warehouse.archive.content import frame_types
from promptstudio_lab.warehouse.archive.month import Month
from promptstudio_lab.warehouse.entities import Entity

if TYPE_CHECKING:
    from datetime import datetime

    import polars as pl

    from promptstudio_lab.identity import Actor
    from promptstudio_lab.warehouse.connect import Warehouse


def cold_rows(
    warehouse: Warehouse,
    actor: Actor,
    table: str,
    since: datetime | None = None,
    until: datetime | None = None,
) -> pl.LazyFrame | None:
    """Return a table's archived rows of the actor's organisation, or None if there are none.

    Columns, their order and their types are those of the table in the database.

    Args:
        warehouse: whose manifest says what is cold.
        actor: who reads.
        table: a table whose months can be archived, or `payload`.
        since: the first moment of `created_at`, aware.
        until: the first moment after the last.

    Raises:
        WarehouseError: if a file is gone.
    """
    import polars as pl

    with warehouse.reading(actor) as session:
        home = manifest.home_of(session.connection())
        entries = manifest.live(session, table)
        # A payload is older than the month it is archived with, if it was used again.
        meant = [
            entry
            for entry in entries
            if table == "payload" or Month.of(entry.month).meets(since, until)
        ]
        paths = [manifest.file_of(entry, home) for entry in meant]
    if not paths:
        return None
    for path in paths:
        if not path.exists():
            message = f"{path} is gone; it holds archived rows of {table}. Put it back to read them"
            raise WarehouseError(message)
    hive = {"organization_id": pl.String(), "month": pl.String()}
    frame = pl.scan_parquet(
        paths,
        glob=False,
        schema=frame_types(table),
        hive_partitioning=True,
        hive_schema=hive,
        missing_columns="insert",
        extra_columns="ignore",
    )
    if since is not None:
        frame = frame.filter(pl.col("created_at") >= since)
    if until is not None:
        frame = frame.filter(pl.col("created_at") < until)
    return frame.select(column.name for column in Entity.metadata.tables[table].columns)

"""What is cold: the entries of the manifest, and where their files lie."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import select, text

from promptstudio_lab.errors import WarehouseUnavailable
from promptstudio_lab.settings import cold_folder
from promptstudio_lab.warehouse.archive.content import PAYLOAD
from promptstudio_lab.warehouse.entities import ColdPartition

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

COLUMNS = (
    "id",
    "organization_id",
    "table_name",
    "month",
    "location",
    "row_count",
    "byte_count",
    "total_cost",
    "digest",
    "experiment_ids",
    "created_at",
    "created_by",
)
_ROOT = "cold"


def live(
    session: Session, table: str | None = None, month: str | None = None
) -> list[ColdPartition]:
    """Return what is cold in the session's organisation, the oldest first.

    Args:
        session: a reading session or a unit of work.
        table: of one table only.
        month: of one month only.
    """
    query = select(ColdPartition).where(
        ColdPartition.organization_id == session.info["actor"].organization_id,
        ColdPartition.restored_at.is_(None),
    )
    if table is not None:
        query = query.where(ColdPartition.table_name == table)
    if month is not None:
        query = query.where(ColdPartition.month == month)
    return list(session.scalars(query.order_by(ColdPartition.month, ColdPartition.id)))


def archived_months(session: Session, experiment_id: str) -> list[str]:
    """Return the months in which runs of an experiment are cold."""
    entries = live(session, "flow_execution")
    return sorted({each.month for each in entries if experiment_id in (each.experiment_ids or ())})


def month_of_payload(session: Session, payload_id: str) -> str | None:
    """Return the month with which a payload was archived, or None if it was not."""
    entries = live(session, PAYLOAD)
    if not entries:
        return None
    import polars as pl

    home = home_of(session.connection())
    for entry in entries:
        path = file_of(entry, home)
        if path.exists():
            found = pl.scan_parquet(path, hive_partitioning=False)
            if found.filter(pl.col("id") == payload_id).select("id").collect().height:
                return entry.month
    return None


def home_of(connection: Connection) -> Path | None:
    """Return the folder that the manifest's relative locations start from, if there is one.

    It is the folder of the SQLite file, or what `PROMPTSTUDIO_COLD` names.
    """
    if connection.dialect.name != "sqlite":
        return cold_folder()
    places = {row.name: row.file for row in connection.execute(text("PRAGMA database_list"))}
    return Path(places["main"]).parent


def root(home: Path | None, folder: Path | str | None) -> Path:
    """Return the folder into which months are written.

    Args:
        home: what `home_of` gave.
        folder: where to write instead.

    Raises:
        WarehouseUnavailable: if there is neither.
    """
    if folder is not None:
        return Path(folder).expanduser().resolve() / _ROOT
    if home is None:
        message = (
            "a shared warehouse has no folder of its own for cold months: give folder=…, or set "
            "PROMPTSTUDIO_COLD to one that everybody reads"
        )
        raise WarehouseUnavailable(message)
    return home / _ROOT


def location(path: Path, home: Path | None) -> str:
    """Return a file's place as the manifest keeps it: a warehouse may move with its folder."""
    if home is not None and path.is_relative_to(home):
        return path.relative_to(home).as_posix()
    return path.as_posix()


def file_of(entry: ColdPartition, home: Path | None) -> Path:
    """Return where an entry's file lies.

    Raises:
        WarehouseUnavailable: if its place is relative to a folder that this process does not know.
    """
    path = Path(entry.location)
    if path.is_absolute():
        return path
    if home is None:
        message = (
            f"{entry.table_name} of {entry.month} is archived in {entry.location}; set "
            "PROMPTSTUDIO_COLD to the folder that this begins from"
        )
        raise WarehouseUnavailable(message)
    return home / path

"""A cold month comes back: every row as it was, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from promptstudio_lab.errors import Conflict, NotFound, WarehouseError
from promptstudio_lab.shown import named_html
from promptstudio_lab.warehouse.append import execute, insert_missing
from promptstudio_lab.warehouse.archive import manifest
from promptstudio_lab.warehouse.archive.content import TABLES
from promptstudio_lab.warehouse.archive.files import discard, read, read_back
from promptstudio_lab.warehouse.archive.month import Month
from promptstudio_lab.warehouse.types import now

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sqlalchemy import Connection

    from promptstudio_lab.identity import Actor
    from promptstudio_lab.warehouse.append import Row
    from promptstudio_lab.warehouse.archive.content import Kind
    from promptstudio_lab.warehouse.connect import Warehouse

# Done again by the same call it still counts; by another one it does not.
_MARK = (
    "UPDATE cold_partition SET restored_at = ? "
    "WHERE id = ? AND (restored_at IS NULL OR restored_at = ?)"
)
_CONVERTED = ("time", "flag")


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back into the database.

    Attributes:
        month: as 2026-03.
        rows: how many, of all tables.
    """

    month: str
    rows: int

    _repr_html_ = named_html


@dataclass(frozen=True, slots=True)
class _Entry:
    id: str
    table: str
    path: Path


def restore_month(warehouse: Warehouse, actor: Actor, month: str) -> Restored:
    """Put an archived month of the actor's organisation back into the database.

    The files are compared with the manifest first, and are gone afterwards: an erasure must not
    miss a second copy.

    Raises:
        NotFound: if nothing of that month is archived.
        WarehouseError: if a file is gone, or is no longer what was written.
        Conflict: if somebody else is faster.
    """
    when = Month.of(month)
    with warehouse.reading(actor) as session:
        home = manifest.home_of(session.connection())
        found = manifest.live(session, month=str(when))
        entries = [_Entry(each.id, each.table_name, manifest.file_of(each, home)) for each in found]
        rows = sum(each.row_count for each in found)
        for entry, kept in zip(entries, found, strict=True):
            _check(entry, kept.digest, kept.row_count)
    if not entries:
        message = f"nothing of {when} is archived; lab.months() shows what is"
        raise NotFound(message)
    entries.sort(key=lambda entry: (TABLES.index(entry.table), entry.id))

    moment = now()

    def back(connection: Connection) -> None:
        if execute(connection, _MARK, [(moment, e.id, moment) for e in entries]) < len(entries):
            message = f"somebody else has just restored {when}"
            raise Conflict(message)
        for entry in entries:
            _insert(connection, entry, actor.organization_id)

    warehouse.append(actor, back)
    for entry in entries:
        discard([entry.path], entry.path.parents[3])
    return Restored(str(when), rows)


def _check(entry: _Entry, digest: str, rows: int) -> None:
    content = read_back(entry.path, entry.table)
    if (content.digest, content.rows) != (digest, rows):
        message = (
            f"{entry.path} is not what was archived: it holds {content.rows} rows where the "
            f"manifest has {rows}, or other values. Nothing was restored."
        )
        raise WarehouseError(message)


def _insert(connection: Connection, entry: _Entry, organization_id: str) -> None:
    kinds, batches = read(entry.path, entry.table)
    columns = (*kinds, "organization_id")
    for batch in batches:
        ready = [(*row, organization_id) for row in _native(batch, kinds)]
        insert_missing(connection, entry.table, columns, ready)


def _native(rows: list[Row], kinds: Mapping[str, Kind]) -> list[Row]:
    """Return rows in canonical form as they are written: times aware, flags as flags."""
    values = list(zip(*rows, strict=True))
    for index, kind in enumerate(kinds.values()):
        if kind in _CONVERTED:
            turn = datetime.fromisoformat if kind == "time" else bool
            values[index] = tuple(None if v is None else turn(v) for v in values[index])
    return list(zip(*values, strict=True))

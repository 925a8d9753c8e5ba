"""A month leaves the database: written, read back, compared, and only then deleted."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from promptstudio_lab.errors import AccessDenied, Conflict, OperationRefused
from promptstudio_lab.ids import new_id
from promptstudio_lab.shown import named_html
from promptstudio_lab.values import dumps
from promptstudio_lab.warehouse.access import require
from promptstudio_lab.warehouse.append import insert_missing
from promptstudio_lab.warehouse.archive import manifest
from promptstudio_lab.warehouse.archive.content import EXECUTIONS, PAYLOAD, TABLES, tallied
from promptstudio_lab.warehouse.archive.files import Cold, discard, folder_of, keep
from promptstudio_lab.warehouse.archive.leaves import drop, lock
from promptstudio_lab.warehouse.archive.month import Month
from promptstudio_lab.warehouse.archive.rows import (
    Scope,
    any_of,
    check_finished,
    delete,
    experiments,
    forget_folds,
    rows_of,
)
from promptstudio_lab.warehouse.archive.space import give_back, unreferenced
from promptstudio_lab.warehouse.engines.locks import FairLock
from promptstudio_lab.warehouse.organizations import organizations
from promptstudio_lab.warehouse.types import now

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from promptstudio_lab.identity import Actor
    from promptstudio_lab.warehouse.append import Row
    from promptstudio_lab.warehouse.connect import Warehouse


@dataclass(frozen=True, slots=True)
class Archived:
    """What left the database.

    Attributes:
        month: as 2026-03.
        rows: how many, of all tables.
        byte_count: what the files take.
        cost: what the month's runs had cost, in nano-dollars, or None where no price is known.
        paths: the files.
    """

    month: str
    rows: int
    byte_count: int
    cost: int | None
    paths: tuple[Path, ...]

    _repr_html_ = named_html


@dataclass(frozen=True, slots=True)
class _Share:
    """One organisation's part of a month: its files by table."""

    scope: Scope
    files: dict[str, Cold]
    entries: tuple[Row, ...]


def archive(
    warehouse: Warehouse, actor: Actor, month: str, folder: Path | str | None = None
) -> Archived:
    """Move a past month's runs into Parquet files; reading them needs no other call than before.

    On SQLite that is the actor's organisation; on PostgreSQL, where a month is dropped as a whole,
    its owner archives it for all organisations. Nothing is deleted before the files are read back
    and found equal, and the deletion and the manifest are one transaction.

    Args:
        warehouse: an open one.
        actor: who archives.
        month: a whole month that is past, as 2026-03. If rows came late, archive it again.
        folder: where `cold/` is made; beside the SQLite file or in `PROMPTSTUDIO_COLD` by default.

    Raises:
        OperationRefused: for a month that is not over.
        AccessDenied: on PostgreSQL, for anybody but the owner.
        Conflict: if its runs are not over, or if it changes meanwhile.
    """
    require(actor, "write")
    when = Month.of(month)
    if when.until > now():
        message = f"{when} is not over; whole months that are past can be archived"
        raise OperationRefused(message)
    actors = _concerned(warehouse, actor)
    with warehouse.reading(actor) as session:
        home = manifest.home_of(session.connection())
    root = manifest.root(home, folder)
    root.mkdir(parents=True, exist_ok=True)
    with FairLock(root / ".lock").held():
        found = [_share(warehouse, each, when, root, home) for each in actors]
        shares = [share for share in found if share.files]
        paths = [cold.path for share in shares for cold in share.files.values()]
        if shares:
            with _kept_on_conflict(paths, root):
                warehouse.alone(actor, lambda connection: _move(warehouse, connection, shares))
            give_back(warehouse, actor, _rows(shares, PAYLOAD))
    return _told(when, [cold for share in shares for cold in share.files.values()])


def _told(month: Month, colds: list[Cold]) -> Archived:
    costs = [cold.content.cost for cold in colds if cold.table == "flow_execution"]
    known = [cost for cost in costs if cost is not None]
    return Archived(
        str(month),
        sum(cold.content.rows for cold in colds),
        sum(cold.byte_count for cold in colds),
        sum(known) if known else None,
        tuple(cold.path for cold in colds),
    )


def _concerned(warehouse: Warehouse, actor: Actor) -> list[Actor]:
    if warehouse.dialect == "sqlite":
        return [actor]
    if not warehouse.owned:
        message = (
            f"a month is archived for all organisations at once, and {warehouse.login} does not "
            f"own {warehouse.url}; its owner runs: promptstudio archive"
        )
        raise AccessDenied(message)
    return [replace(actor, organization_id=key) for key in organizations(warehouse).values()]


def _share(
    warehouse: Warehouse, actor: Actor, month: Month, root: Path, home: Path | None
) -> _Share:
    scope = Scope(actor.organization_id, month)
    files: dict[str, Cold] = {}
    with warehouse.reading(actor) as session:
        connection = session.connection()
        if not any_of(connection, scope):
            return _Share(scope, {}, ())
        check_finished(connection, scope)
        entries = manifest.live(session, month=str(month))
        taken = {manifest.file_of(entry, home) for entry in entries}
        named = experiments(connection, scope)
        for table in TABLES:
            folder = folder_of(root, table, scope.organization_id, month)
            cold = keep(folder, table, rows_of(connection, table, scope), taken)
            if cold is not None:
                files[table] = cold
    rows = tuple(_entry(scope, cold, actor, named, home) for cold in files.values())
    return _Share(scope, files, rows)


def _entry(
    scope: Scope, cold: Cold, actor: Actor, experiment_ids: list[str], home: Path | None
) -> Row:
    named = dumps(experiment_ids) if cold.table == "flow_execution" else None
    return (
        new_id(), scope.organization_id, cold.table, str(scope.month),
        manifest.location(cold.path, home), cold.content.rows, cold.byte_count,
        cold.content.cost, cold.content.digest, named, now(), actor.id,
    )  # fmt: skip


@contextmanager
def _kept_on_conflict(paths: list[Path], root: Path) -> Iterator[None]:
    try:
        yield
    except Conflict:
        # Raised by the comparison, so certainly nothing was deleted.
        discard(paths, root)
        raise


def _move(warehouse: Warehouse, connection: Connection, shares: list[_Share]) -> None:
    month = shares[0].scope.month
    with unreferenced(connection), connection.begin():
        if _done(warehouse, connection, shares):
            return
        lock(connection, month)
        for share in shares:
            warehouse.bind(connection, share.scope.organization_id)
            _compare(connection, share)
        for share in shares:
            warehouse.bind(connection, share.scope.organization_id)
            _delete(connection, share)
            forget_folds(connection, share.scope)
            insert_missing(connection, "cold_partition", manifest.COLUMNS, share.entries)
        drop(connection, month, {table: _rows(shares, table) for table in TABLES})


def _done(warehouse: Warehouse, connection: Connection, shares: list[_Share]) -> bool:
    """Tell whether an earlier try of this very move was committed after all."""
    share = shares[0]
    warehouse.bind(connection, share.scope.organization_id)
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    query = f"SELECT 1 FROM cold_partition WHERE id = {mark}"
    return connection.exec_driver_sql(query, (share.entries[0][0],)).first() is not None


def _rows(shares: list[_Share], table: str) -> int:
    return sum(share.files[table].content.rows for share in shares if table in share.files)


def _compare(connection: Connection, share: _Share) -> None:
    check_finished(connection, share.scope)
    nothing = tallied((), TABLES[0])
    for table in TABLES:
        found = tallied(rows_of(connection, table, share.scope), table)
        cold = share.files.get(table)
        if found != (cold.content if cold else nothing):
            message = (
                f"{table} changed while {share.scope.month} was archived, so nothing was deleted; "
                "archive it again"
            )
            raise Conflict(message)


def _delete(connection: Connection, share: _Share) -> None:
    # Payloads first: the executions say which.
    for table in (PAYLOAD, *reversed(EXECUTIONS)):
        if table == PAYLOAD or connection.dialect.name == "sqlite":
            delete(connection, table, share.scope)

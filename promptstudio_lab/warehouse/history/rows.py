"""Doing changes to rows and saying how each is taken back, with as few statements as it takes."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm.util import identity_key

from promptstudio_lab.warehouse.history.patches import ENTITIES, TABLES, Change
from promptstudio_lab.warehouse.types import UTCDateTime, iso, now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import BindParameter, ColumnElement, Connection, Insert, Select, Update
    from sqlalchemy.orm import Session

    from promptstudio_lab.identity import Actor
    from promptstudio_lab.values import Json

Row: TypeAlias = dict[str, Any]  # one value a column, of the column's own type
Write: TypeAlias = "tuple[Insert | Update, Row]"

_LIVE = {"insert", "restore"}
_OPPOSITE = {"insert": "delete", "restore": "delete", "delete": "restore", "update": "update"}


def carry_out(
    session: Session, operations: Sequence[Sequence[Change]]
) -> list[list[Change] | None]:
    """Do operations in order, all changes of each or none of them.

    Returns:
        For each operation the inverses of its changes, the last change's first; None if a row that
        should change is gone, or one that should come is there.
    """
    actor: Actor = session.info["actor"]
    changes = [change for operation in operations for change in operation]
    rows = _read(session.connection(), actor, changes)
    inverses: list[list[Change] | None] = []
    writes: list[Write] = []
    for operation in operations:
        if not all(_possible(rows.get((each.table, each.id)), each) for each in operation):
            inverses.append(None)
            continue
        steps = [_step(rows, change, actor) for change in operation]
        inverses.append([inverse for inverse, _ in reversed(steps)])
        writes += [write for _, write in steps]
    _do(session.connection(), writes)
    _forget(session, changes)
    return inverses


def _do(connection: Connection, writes: Sequence[Write]) -> None:
    for _, same in groupby(writes, key=lambda write: id(write[0])):
        group = list(same)
        values = [each for _, each in group]
        connection.execute(group[0][0], values if len(values) > 1 else values[0])


def _read(
    connection: Connection, actor: Actor, changes: Sequence[Change]
) -> dict[tuple[str, str], Row]:
    found: dict[tuple[str, str], Row] = {}
    for table in {change.table for change in changes}:
        mine = [change for change in changes if change.table == table]
        columns = tuple(sorted({name for change in mine for name in change.fields}))
        ids = sorted({change.id for change in mine})
        several = len(ids) > 1
        asked = {"organization": actor.organization_id, "ids": ids if several else ids[0]}
        query = _select(table, columns, several=several)
        for row in connection.execute(query, asked).mappings():
            found[table, row["id"]] = dict(row)
    return found


@lru_cache(maxsize=512)
def _select(
    table: str, columns: tuple[str, ...], *, several: bool
) -> Select[Any]:  # columns of any type
    rows = TABLES[table]
    ids: BindParameter[str] = bindparam("ids", expanding=several)
    wanted = [rows.c[name] for name in ("id", "deleted_at", *columns)]
    return select(*wanted).where(
        rows.c.organization_id == bindparam("organization"),
        rows.c.id.in_(ids) if several else rows.c.id == ids,
    )


def _possible(row: Row | None, change: Change) -> bool:
    if change.action in _LIVE:
        return row is None or row["deleted_at"] is not None
    return row is not None and row["deleted_at"] is None


def _step(rows: dict[tuple[str, str], Row], change: Change, actor: Actor) -> tuple[Change, Write]:
    """Return the inverse of one change, and the statement that does it."""
    moment, table = now(), TABLES[change.table]
    fields = {name: _typed(table.c[name], value) for name, value in change.fields.items()}
    row = rows.get((change.table, change.id))
    if row is None:
        rows[change.table, change.id] = {**fields, "deleted_at": None}
        owner = {"id": change.id, "organization_id": actor.organization_id}
        made = {**fields, **owner, "created_at": moment, "created_by": actor.id}
        return Change(change.table, change.id, "delete"), (_insert(change.table, tuple(made)), made)
    old = {name: _plain(row.get(name)) for name in fields}
    deleted = moment if change.action == "delete" else None
    mark = {"deleted_at": deleted, "deleted_by": actor.id if deleted else None}
    row |= {**fields, "deleted_at": deleted}
    values = {**fields, **({} if change.action == "update" else mark)}
    write = _update(change.table, tuple(values))
    stamp = {"the_id": change.id, "organization": actor.organization_id}
    stamped = {**values, "updated_at": moment, "updated_by": actor.id, **stamp}
    opposite = _OPPOSITE[change.action]
    return Change(change.table, change.id, opposite, old), (write, stamped)  # type: ignore[arg-type]  # the words of an action


@lru_cache(maxsize=512)
def _insert(table: str, columns: tuple[str, ...]) -> Insert:
    return insert(TABLES[table]).values({name: bindparam(name) for name in columns})


@lru_cache(maxsize=512)
def _update(table: str, columns: tuple[str, ...]) -> Update:
    rows = TABLES[table]
    values: dict[str, ColumnElement[Any]] = {  # columns of any type
        name: bindparam(name) for name in (*columns, "updated_at", "updated_by")
    }
    return (
        update(rows)
        .where(
            rows.c.organization_id == bindparam("organization"),
            rows.c.id == bindparam("the_id"),
        )
        .values({**values, "row_version": rows.c.row_version + 1})
    )


def _typed(column: ColumnElement[Any], value: Json) -> Any:  # of the column's type
    if isinstance(column.type, UTCDateTime) and isinstance(value, str):
        return datetime.fromisoformat(value)
    return value


def _plain(value: Any) -> Json:  # a column's value of any type
    return iso(value) if isinstance(value, datetime) else value


def _forget(session: Session, changes: Sequence[Change]) -> None:
    """Let what the session has read of these rows be read anew."""
    for change in changes:
        held = session.identity_map.get(identity_key(ENTITIES[change.table], change.id))
        if held is not None:
            session.expire(held)

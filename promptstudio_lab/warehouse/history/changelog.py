"""The change log: every edit of a row is an operation with its patch and its inverse.

One mechanism for audit, undo, versions and collaboration. An operation is written in the same
transaction as the rows that it changes, gapless within its stream, and once however often it is
sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from sqlalchemy import select, update

from promptstudio_lab.errors import NotFound
from promptstudio_lab.ids import new_id
from promptstudio_lab.values import Json, content_hash
from promptstudio_lab.warehouse import payloads
from promptstudio_lab.warehouse.entities import (
    ChangeLog,
    Entity,
    PromptFlow,
    PromptLab,
)
from promptstudio_lab.warehouse.entities.tenancy import AuditableEntity
from promptstudio_lab.warehouse.types import now

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session

    from promptstudio_lab.identity import Actor

Action = Literal["insert", "update", "delete", "restore"]
AnyRow: TypeAlias = Any  # a row of any table: their columns differ

_TABLES: dict[str, type[AnyRow]] = {
    str(mapper.local_table): mapper.class_
    for mapper in Entity.registry.mappers
    if issubclass(mapper.class_, AuditableEntity)
}
_ROOTS: dict[str, type[PromptFlow | PromptLab]] = {"flow": PromptFlow, "lab": PromptLab}

# What people write may have to be erased, so a patch holds only where it lies.
_FREE_TEXT = frozenset({"name", "description", "config", "policy", "patch", "plan", "source"})
_REFERENCE = "$payload"


@dataclass(frozen=True, slots=True)
class Stream:
    """A sequence of operations: of one flow, or of a lab's libraries and templates."""

    type: Literal["flow", "lab"]
    id: str


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one row.

    Attributes:
        table: a table of people's things.
        id: the row.
        action: `insert` and `restore` make it live, `delete` hides it, `update` sets fields.
        fields: the new values by column.
    """

    table: str
    id: str
    action: Action
    fields: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that somebody did.

    Attributes:
        type: what it is called, such as `move`.
        changes: the rows that it changes.
        op_id: made by whoever acts, so that sending it twice does it once.
        base_seq: the sequence that the actor had seen; None for the newest.
        batch_id: what makes several operations one step of undo.
        client_id: the view that sent it.
        undo_of_seq: the operation that it takes back.
    """

    type: str
    changes: tuple[Change, ...]
    op_id: str = field(default_factory=new_id)
    base_seq: int | None = None
    batch_id: str | None = None
    client_id: str | None = None
    undo_of_seq: int | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the log says of an operation.

    Attributes:
        seq: its number in the stream.
        op_id: its id.
        type: what it is called.
        status: `applied`, or `superseded` when its rows are gone: kept, not done.
        conflicts: fields that somebody else had changed since `base_seq`.
        touched: (table, row id) of every row in it.
        actor_id: who did it.
        client_id: the view that sent it.
        again: whether it had been recorded before.
    """

    seq: int
    op_id: str
    type: str
    status: str
    conflicts: tuple[dict[str, Json], ...]
    touched: tuple[tuple[str, str], ...]
    actor_id: str
    client_id: str | None
    again: bool = False


def record(session: Session, stream: Stream, operation: Operation) -> Recorded:
    """Do an operation and write it down; a second call with the same id only reports.

    Raises:
        NotFound: if the stream does not exist.
        ValueRefused: if a value has no exact JSON form.
    """
    lock(session, stream)
    before = recorded(session, operation.op_id)
    if before is not None:
        return before
    seq = _next(session, stream)
    conflicts = _conflicts(session, stream, operation, seq)
    rows = _rows(session, operation.changes)
    live = all(_is_live(rows.get(change.id), change) for change in operation.changes)
    inverse: list[Json] = []
    if live:
        for change in operation.changes:
            inverse.insert(0, _apply(session, rows, change))
        session.flush()
    return _recorded(_write(session, stream, operation, seq, inverse, conflicts, live=live))


def lock(session: Session, stream: Stream) -> None:
    """Wait until nobody else writes to the stream; what is read from here on stays as it is.

    Raises:
        NotFound: if the stream does not exist.
    """
    root = _ROOTS[stream.type]
    query = select(root.id).where(root.id == stream.id).with_for_update()
    if session.scalars(query).one_or_none() is None:
        message = f"there is no {stream.type} {stream.id}"
        raise NotFound(message)


def recorded(session: Session, op_id: str) -> Recorded | None:
    """Return what the log says of an operation, or None if it has not seen it."""
    row = session.scalars(select(ChangeLog).where(ChangeLog.op_id == op_id)).first()
    return None if row is None else _recorded(row, again=True)


def since(session: Session, stream: Stream, seq: int, most: int = 1000) -> list[Recorded]:
    """Return the operations after `seq`, oldest first."""
    found = session.scalars(
        select(ChangeLog)
        .where(ChangeLog.stream_id == stream.id, ChangeLog.seq > seq)
        .order_by(ChangeLog.seq)
        .limit(most)
    )
    return [_recorded(row) for row in found]


def _next(session: Session, stream: Stream) -> int:
    root = _ROOTS[stream.type]
    return session.scalars(
        update(root)
        .where(root.id == stream.id)
        .values(head_seq=root.head_seq + 1)
        .returning(root.head_seq)
        .execution_options(synchronize_session=False)
    ).one()


def _conflicts(
    session: Session, stream: Stream, operation: Operation, seq: int
) -> list[dict[str, Json]]:
    if operation.base_seq is None or operation.base_seq >= seq - 1:
        return []
    mine = {(change.id, name) for change in operation.changes for name in change.fields}
    found: list[dict[str, Json]] = []
    for row in session.scalars(
        select(ChangeLog)
        .where(ChangeLog.stream_id == stream.id, ChangeLog.seq > operation.base_seq)
        .order_by(ChangeLog.seq)
    ):
        if operation.client_id is not None and row.client_id == operation.client_id:
            continue
        theirs = {(entry["id"], name) for entry in row.patch for name in entry["fields"]}
        found += [
            {"seq": row.seq, "id": key, "field": name, "by": row.actor_id}
            for key, name in sorted(mine & theirs)
        ]
    return found


def _rows(session: Session, changes: Sequence[Change]) -> dict[str, AnyRow]:
    found: dict[str, AnyRow] = {}
    for table in {change.table for change in changes}:
        ids = [change.id for change in changes if change.table == table]
        entity = _TABLES[table]
        rows = session.scalars(
            select(entity)
            .where(entity.id.in_(ids))
            .execution_options(deleted_too=True, populate_existing=True)
        )
        found.update((row.id, row) for row in rows)
    return found


def _is_live(row: AnyRow, change: Change) -> bool:
    if change.action in ("insert", "restore"):
        return row is None or row.deleted_at is not None
    return row is not None and row.deleted_at is None


def _apply(session: Session, rows: dict[str, AnyRow], change: Change) -> Json:
    """Do one change and return its inverse as the log keeps it."""
    actor: Actor = session.info["actor"]
    row = rows.get(change.id)
    if row is None:
        row = _TABLES[change.table](id=change.id, **change.fields)
        session.add(row)
        rows[change.id] = row
        return _entry(Change(change.table, change.id, "delete"))
    old = {name: getattr(row, name) for name in change.fields}
    for name, value in change.fields.items():
        setattr(row, name, value)
    if change.action in ("insert", "restore"):
        row.deleted_at = row.deleted_by = None
        return _entry(Change(change.table, change.id, "delete"))
    if change.action == "delete":
        row.deleted_at, row.deleted_by = now(), actor.id
        return _entry(Change(change.table, change.id, "restore"))
    return _entry(Change(change.table, change.id, "update", old))


def _entry(change: Change) -> dict[str, Json]:
    return {
        "table": change.table,
        "id": change.id,
        "action": change.action,
        "fields": dict(change.fields),
    }


def _write(  # noqa: PLR0913 — the parts of one log row
    session: Session,
    stream: Stream,
    operation: Operation,
    seq: int,
    inverse: list[Json],
    conflicts: list[dict[str, Json]],
    *,
    live: bool,
) -> ChangeLog:
    actor: Actor = session.info["actor"]
    patch = _without_text(session, [_entry(change) for change in operation.changes])
    inverse = _without_text(session, inverse)
    previous = session.scalars(
        select(ChangeLog.hash).where(ChangeLog.stream_id == stream.id, ChangeLog.seq == seq - 1)
    ).one_or_none()
    row = ChangeLog(
        id=new_id(),
        stream_type=stream.type,
        stream_id=stream.id,
        seq=seq,
        op_id=operation.op_id,
        op_type=operation.type,
        base_seq=seq - 1 if operation.base_seq is None else operation.base_seq,
        patch=patch,
        inverse=inverse,
        status="applied" if live else "superseded",
        conflicts=conflicts or None,
        undo_of_seq=operation.undo_of_seq,
        batch_id=operation.batch_id,
        actor_id=actor.id,
        actor_kind=actor.kind,
        client_id=operation.client_id,
        hash=content_hash([previous, stream.id, seq, operation.op_id, actor.id, patch, inverse]),
    )
    session.add(row)
    session.flush()
    return row


def _without_text(session: Session, entries: list[Json]) -> list[Json]:
    """Return the entries with free text kept as payloads."""
    texts = [
        entry["fields"][name]
        for entry in entries
        for name in sorted(entry["fields"])
        if name in _FREE_TEXT
    ]
    ids = iter(payloads.put(session, texts) if texts else [])
    return [
        {
            **entry,
            "fields": {
                name: {_REFERENCE: next(ids)} if name in _FREE_TEXT else value
                for name, value in sorted(entry["fields"].items())
            },
        }
        for entry in entries
    ]


def changes_of(session: Session, entries: list[Json]) -> list[Change]:
    """Return the changes of a patch or an inverse as the log keeps it.

    Raises:
        NotFound: if a text in it was erased.
    """
    wanted = [
        value[_REFERENCE]
        for entry in entries
        for name, value in entry["fields"].items()
        if name in _FREE_TEXT
    ]
    found = payloads.get_many(session, wanted)
    if len(found) < len(set(wanted)):
        message = "what this operation changed was erased, so it cannot be undone"
        raise NotFound(message)
    return [
        Change(
            entry["table"],
            entry["id"],
            entry["action"],
            {
                name: found[value[_REFERENCE]] if name in _FREE_TEXT else value
                for name, value in entry["fields"].items()
            },
        )
        for entry in entries
    ]


def _recorded(row: ChangeLog, *, again: bool = False) -> Recorded:
    return Recorded(
        seq=row.seq,
        op_id=row.op_id,
        type=row.op_type,
        status=row.status,
        conflicts=tuple(row.conflicts or ()),
        touched=tuple((entry["table"], entry["id"]) for entry in row.patch),
        actor_id=row.actor_id,
        client_id=row.client_id,
        again=again,
    )

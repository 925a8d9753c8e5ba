"""The change log: every edit of a row is an operation with its patch and its inverse.

One mechanism for audit, undo, versions and collaboration. An operation is written in the same
transaction as the rows that it changes, gapless within its stream, and once however often it is
sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from sqlalchemy import and_, bindparam, func, insert, or_, select, update

from promptstudio_lab.errors import NotFound
from promptstudio_lab.ids import new_id
from promptstudio_lab.shown import named_html
from promptstudio_lab.warehouse import payloads
from promptstudio_lab.warehouse.entities import Entity
from promptstudio_lab.warehouse.history.chain import chained
from promptstudio_lab.warehouse.history.patches import (
    Action,
    Change,
    changes_of,
    entry,
    without_text,
)
from promptstudio_lab.warehouse.history.rows import carry_out
from promptstudio_lab.warehouse.types import iso, now

__all__ = [
    "Action",
    "Change",
    "Operation",
    "Recorded",
    "Stream",
    "changes_of",
    "channel",
    "lock",
    "record",
    "record_all",
    "recorded",
    "since",
]

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import BindParameter, ColumnElement, Select, Table
    from sqlalchemy.orm import Session

    from promptstudio_lab.identity import Actor
    from promptstudio_lab.values import Json

StreamType = Literal["flow", "lab"]
Logged: TypeAlias = Any  # a row of the log: SQLAlchemy types none of its columns here

LOG = Entity.metadata.tables["change_log"]
ROOTS: dict[StreamType, Table] = {
    "flow": Entity.metadata.tables["prompt_flow"],
    "lab": Entity.metadata.tables["prompt_lab"],
}


@dataclass(frozen=True, slots=True)
class Stream:
    """A sequence of operations: of one flow, or of a lab's libraries and templates."""

    type: StreamType
    id: str

    _repr_html_ = named_html


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that somebody did.

    Attributes:
        type: what it is called, such as `move`.
        changes: the rows that it changes.
        op_id: made by whoever acts, so that sending it twice does it once.
        base_seq: the sequence that the actor had seen; None for the newest.
        batch_id: what makes several operations of one transaction one step of undo.
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

    _repr_html_ = named_html


def record(session: Session, stream: Stream, operation: Operation) -> Recorded:
    """Do an operation and write it down; a second call with the same id only reports.

    Raises:
        NotFound: if the stream does not exist.
        ValueRefused: if a value has no exact JSON form.
    """
    return record_all(session, stream, [operation])[0]


def record_all(session: Session, stream: Stream, operations: Sequence[Operation]) -> list[Recorded]:
    """Do several operations in order; it takes hardly more statements than one of them does.

    Raises:
        NotFound: if the stream does not exist.
        ValueRefused: if a value has no exact JSON form.
    """
    if not operations:
        return []
    session.flush()
    head = _advance(session, stream, len(operations)) - len(operations)
    missed = _missed(session, stream, operations, head)
    known = {row.op_id for row in missed} & {each.op_id for each in operations}
    fresh = [each for each in operations if each.op_id not in known]
    if known:
        _advance(session, stream, len(fresh) - len(operations))
    rows = _rows(session, stream, fresh, head)
    last = (row.hash for row in missed if (row.stream_id, row.seq) == (stream.id, head))
    previous = next(last, None)
    for row, operation in zip(rows, fresh, strict=True):
        row["conflicts"] = _conflicts(operation, missed, head) or None
        previous = chained(previous, {**row, "created_at": iso(row["created_at"])})
        row["hash"] = previous
    _write(session, rows)
    done = {row["op_id"]: _recorded(SimpleNamespace(**row)) for row in rows}
    return [done.get(each.op_id) or _known(session, each.op_id) for each in operations]


def lock(session: Session, stream: Stream) -> None:
    """Wait until nobody else writes to the stream; what is read from here on stays as it is.

    Raises:
        NotFound: if the stream does not exist.
    """
    actor: Actor = session.info["actor"]
    asked = {"organization": actor.organization_id, "stream": stream.id}
    if session.connection().execute(_LOCK[stream.type], asked).one_or_none() is None:
        raise _missing(stream)


def recorded(session: Session, op_id: str) -> Recorded | None:
    """Return what the log says of an operation, or None if it has not seen it."""
    actor: Actor = session.info["actor"]
    asked = {"organization": actor.organization_id, "op_id": op_id}
    row = session.connection().execute(_BY_ID, asked).one_or_none()
    return None if row is None else _recorded(row, again=True)


def since(session: Session, stream: Stream, seq: int, most: int = 1000) -> list[Recorded]:
    """Return the operations after `seq`, oldest first."""
    actor: Actor = session.info["actor"]
    asked = {"organization": actor.organization_id, "stream": stream.id, "seq": seq, "most": most}
    return [_recorded(row) for row in session.connection().execute(_SINCE, asked)]


def channel(session: Session) -> str:
    """Return where PostgreSQL tells of the organisation's operations; nobody else can guess it."""
    return f"promptstudio_{payloads.address(session).of('change log').replace('-', '')}"


_BY_ID = select(LOG).where(
    LOG.c.organization_id == bindparam("organization"), LOG.c.op_id == bindparam("op_id")
)
_SINCE = (
    select(LOG)
    .where(
        LOG.c.organization_id == bindparam("organization"),
        LOG.c.stream_id == bindparam("stream"),
        LOG.c.seq > bindparam("seq"),
    )
    .order_by(LOG.c.seq)
    .limit(bindparam("most"))
)
_INSERT = insert(LOG)
_INSERT_AND_TELL = insert(LOG).returning(
    func.pg_notify(bindparam("channel"), bindparam("told"))  # it goes out with the commit
)


def _is_root(root: Table) -> ColumnElement[bool]:
    return and_(
        root.c.organization_id == bindparam("organization"),
        root.c.id == bindparam("stream"),
        root.c.deleted_at.is_(None),
    )


_LOCK = {
    type_: select(root.c.id).where(_is_root(root)).with_for_update()
    for type_, root in ROOTS.items()
}
_ADVANCE = {
    type_: update(root)
    .where(_is_root(root))
    .values(head_seq=root.c.head_seq + bindparam("by"))
    .returning(root.c.head_seq)
    for type_, root in ROOTS.items()
}


def _missing(stream: Stream) -> NotFound:
    return NotFound(f"there is no {stream.type} {stream.id}")


def _advance(session: Session, stream: Stream, by: int) -> int:
    """Count, and hold the stream until the transaction ends: one statement does both."""
    actor: Actor = session.info["actor"]
    asked = {"organization": actor.organization_id, "stream": stream.id, "by": by}
    seq = session.connection().execute(_ADVANCE[stream.type], asked).scalar_one_or_none()
    if seq is None:
        raise _missing(stream)
    return int(seq)


def _sent(*columns: str, several: bool) -> Select[Any]:  # columns of several types
    """Return the query for operations that were sent before, and for what their actor missed."""
    missed = and_(LOG.c.stream_id == bindparam("stream"), LOG.c.seq >= bindparam("seq"))
    ids: BindParameter[str] = bindparam("op_id", expanding=several)
    return (
        select(*(LOG.c[name] for name in columns))
        .where(
            LOG.c.organization_id == bindparam("organization"),
            or_(LOG.c.op_id.in_(ids) if several else LOG.c.op_id == ids, missed),
        )
        .order_by(LOG.c.seq)
    )


_NEEDED = ("op_id", "stream_id", "seq", "hash")
_SENT = {
    (stale, several): _sent(
        *_NEEDED, *(("client_id", "actor_id", "patch") if stale else ()), several=several
    )
    for stale in (False, True)
    for several in (False, True)
}


def _missed(
    session: Session, stream: Stream, operations: Sequence[Operation], head: int
) -> Sequence[Logged]:
    """Return those that the log has already, the last one in it, and those that were not seen."""
    actor: Actor = session.info["actor"]
    base = min(head if each.base_seq is None else each.base_seq for each in operations)
    ids = [each.op_id for each in operations]
    asked = {
        "organization": actor.organization_id,
        "stream": stream.id,
        "op_id": ids if len(ids) > 1 else ids[0],
        "seq": min(base + 1, head),
    }
    query = _SENT[base < head, len(ids) > 1]
    return session.connection().execute(query, asked).all()


def _known(session: Session, op_id: str) -> Recorded:
    found = recorded(session, op_id)
    if found is None:
        message = f"there is no operation {op_id}"
        raise NotFound(message)
    return found


def _conflicts(operation: Operation, missed: Sequence[Logged], head: int) -> list[dict[str, Json]]:
    base = head if operation.base_seq is None else operation.base_seq
    mine = {(change.id, name) for change in operation.changes for name in change.fields}
    found: list[dict[str, Json]] = []
    for row in missed if base < head else ():
        own = operation.client_id is not None and row.client_id == operation.client_id
        if own or row.seq <= base:
            continue
        theirs = {(each["id"], name) for each in row.patch for name in each["fields"]}
        found += [
            {"seq": row.seq, "id": key, "field": name, "by": row.actor_id}
            for key, name in sorted(mine & theirs)
        ]
    return found


def _rows(
    session: Session, stream: Stream, operations: Sequence[Operation], head: int
) -> list[dict[str, Any]]:  # one value a column
    """Do the operations; return the log's row of each, but for its conflicts and its hash."""
    actor: Actor = session.info["actor"]
    inverses = carry_out(session, [each.changes for each in operations])
    kept = without_text(
        session,
        *([entry(change) for change in each.changes] for each in operations),
        *([entry(change) for change in inverse or ()] for inverse in inverses),
    )
    moment = now()
    return [
        {
            "id": new_id(),
            "organization_id": actor.organization_id,
            "stream_type": stream.type,
            "stream_id": stream.id,
            "seq": seq,
            "op_id": operation.op_id,
            "op_type": operation.type,
            "base_seq": seq - 1 if operation.base_seq is None else operation.base_seq,
            "patch": kept[seq - head - 1],
            "inverse": kept[seq - head - 1 + len(operations)],
            "status": "superseded" if inverses[seq - head - 1] is None else "applied",
            "undo_of_seq": operation.undo_of_seq,
            "batch_id": operation.batch_id,
            "actor_id": actor.id,
            "actor_kind": actor.kind,
            "client_id": operation.client_id,
            "created_at": moment,
            "created_by": actor.id,
        }
        for seq, operation in enumerate(operations, start=head + 1)
    ]


def _write(session: Session, rows: list[dict[str, Any]]) -> None:  # one value a column
    connection = session.connection()
    tells = connection.dialect.name == "postgresql"
    quiet, last = (rows[:-1], rows[-1:]) if tells else (rows, [])
    if quiet:
        connection.execute(_INSERT, quiet)
    for row in last:
        told = {"channel": channel(session), "told": row["stream_id"]}
        connection.execute(_INSERT_AND_TELL, {**row, **told})


def _recorded(row: Logged, *, again: bool = False) -> Recorded:
    return Recorded(
        seq=row.seq,
        op_id=row.op_id,
        type=row.op_type,
        status=row.status,
        conflicts=tuple(row.conflicts or ()),
        touched=tuple((each["table"], each["id"]) for each in row.patch),
        actor_id=row.actor_id,
        client_id=row.client_id,
        again=again,
    )

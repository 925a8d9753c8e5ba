"""Rows as they stood: the inverses of what came later, applied in memory."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar, cast

from sqlalchemy import bindparam, select

from promptstudio_lab.errors import NotFound
from promptstudio_lab.warehouse import payloads
from promptstudio_lab.warehouse.history.changelog import LOG, ROOTS
from promptstudio_lab.warehouse.history.patches import TABLES, reference

if TYPE_CHECKING:
    from collections import OrderedDict
    from collections.abc import Callable, Collection, Iterable

    from sqlalchemy import Select
    from sqlalchemy.orm import Session

    from promptstudio_lab.identity import Actor
    from promptstudio_lab.values import Json

Row: TypeAlias = dict[str, Any]  # one value a column, of the column's own type
Rows: TypeAlias = dict[str, dict[str, Row]]
Touched: TypeAlias = dict[str, set[str]]  # ids by table

T = TypeVar("T")
ERASED = "$erased"
_LIVE = "deleted_at"
_GONE = "later"
_AT_ONCE = 500


class _Lies(NamedTuple):
    """Where a text lies that stood in a row."""

    payload_id: str


def rows_at(session: Session, flow_id: str, seq: int, tables: Iterable[str]) -> Rows:
    """Return the live rows of a flow after operation `seq`, by table and id; nothing is written.

    A value whose text was erased is `{"$erased": <the payload's id>}`.

    Args:
        session: sees one state from beginning to end.
        flow_id: the flow.
        seq: 0 for before the first operation.
        tables: tables whose rows have a `flow_id`.

    Raises:
        NotFound: if the flow has no such operation.
    """
    head = _head(session, flow_id)
    if not 0 <= seq <= head:
        message = f"the flow has operations 1 to {head} (0 is before the first), not {seq}"
        raise NotFound(message)
    rows = rows_ever(session, flow_id, tables)
    asked = {"organization": _organization(session), "stream": flow_id, "after": seq}
    for inverse in session.connection().execute(_AFTER, asked).scalars():
        for each in inverse:
            _take_back(rows, each)
    live = {
        table: {key: row for key, row in found.items() if row[_LIVE] is None}
        for table, found in rows.items()
    }
    _fill(session, live)
    return live


def rows_ever(session: Session, flow_id: str, tables: Iterable[str]) -> Rows:
    """Return every row that a flow ever had, as it is now, by table and id."""
    return {table: _rows(session, table, flow_id) for table in tables}


def rows_now(
    session: Session,
    flow_id: str,
    table: str,
    columns: tuple[str, ...],
    ids: Collection[str] | None = None,
) -> list[Any]:  # rows with those columns, of any type
    """Return some columns of a flow's live rows in the order of their ids, or of some of them."""
    session.flush()
    asked = {"organization": _organization(session), "flow": flow_id}
    if ids is None:
        return list(session.connection().execute(_live_of_flow(table, columns), asked).all())
    if not ids:
        return []
    some = {**asked, "ids": sorted(ids)}
    return list(session.connection().execute(_live_of_ids(table, columns), some).all())


def remembered(
    session: Session,
    flow_id: str,
    seq: int,
    read: Callable[[], T],
    follow: Callable[[T, Touched], T],
) -> T:
    """Return what a flow is at its newest sequence, which is read once and then kept.

    What was committed at a sequence never changes, so what came after an earlier one is read of
    the rows that it touched alone. A unit of work only looks here: it may be rolled back, and its
    sequence given to another.

    Args:
        session: that has read the sequence.
        flow_id: the flow.
        seq: its newest sequence.
        read: reads it in that session.
        follow: brings what it was earlier up to date.
    """
    known: OrderedDict[tuple[str, int], Any] = session.info["known"]  # T, under each flow
    found = known.get((flow_id, seq))
    if found is None:
        earlier = max((at for key, at in tuple(known) if key == flow_id and at < seq), default=0)
        before: Any = known.get((flow_id, earlier))  # a T of the same flow
        touched = None if before is None else _touched(session, flow_id, earlier)
        found = read() if touched is None else follow(before, touched)
        if session.info.get("read_only"):
            known[flow_id, seq] = found
            while len(known) > _MOST_KNOWN:
                known.popitem(last=False)
    return cast("T", found)


_MOST_KNOWN = 64
_MOST_FOLLOWED = 32
"""Operations that are followed one by one; beyond them the whole flow is as quickly read."""


def _touched(session: Session, flow_id: str, after: int) -> Touched | None:
    """Return the rows that the operations after one touched, or None if there were many."""
    asked = {"organization": _organization(session), "stream": flow_id, "after": after}
    patches = session.connection().execute(_SINCE, asked).scalars().all()
    if len(patches) > _MOST_FOLLOWED:
        return None
    found: Touched = {}
    for each in (change for patch in patches for change in patch):
        found.setdefault(each["table"], set()).add(each["id"])
    return found


_LATER = (
    LOG.c.organization_id == bindparam("organization"),
    LOG.c.stream_id == bindparam("stream"),
    LOG.c.seq > bindparam("after"),
)
_SINCE = select(LOG.c.patch).where(*_LATER).limit(_MOST_FOLLOWED + 1)
_AFTER = (
    select(LOG.c.inverse)
    .where(*_LATER, LOG.c.status == "applied")
    .order_by(LOG.c.seq.desc())
    .execution_options(yield_per=_AT_ONCE)
)


def _organization(session: Session) -> str:
    actor: Actor = session.info["actor"]
    return actor.organization_id


def _head(session: Session, flow_id: str) -> int:
    root = ROOTS["flow"]
    query = select(root.c.head_seq).where(
        root.c.organization_id == _organization(session),
        root.c.id == flow_id,
        root.c.deleted_at.is_(None),
    )
    head = session.connection().execute(query).scalar_one_or_none()
    if head is None:
        message = f"there is no flow {flow_id}"
        raise NotFound(message)
    return int(head)


def _rows(session: Session, name: str, flow_id: str) -> dict[str, Row]:
    asked = {"organization": _organization(session), "flow": flow_id}
    query = _of_flow(name, tuple(TABLES[name].columns.keys()))
    found = session.connection().execute(query, asked).mappings()
    return {row["id"]: dict(row) for row in found}


@cache
def _of_flow(table: str, columns: tuple[str, ...]) -> Select[Any]:  # columns of any type
    rows = TABLES[table]
    of_flow = (
        rows.c.organization_id == bindparam("organization"),
        rows.c.flow_id == bindparam("flow"),
    )
    return select(*(rows.c[name] for name in columns)).where(*of_flow).order_by(rows.c.id)


@cache
def _live_of_flow(table: str, columns: tuple[str, ...]) -> Select[Any]:  # columns of any type
    return _of_flow(table, columns).where(TABLES[table].c[_LIVE].is_(None))


@cache
def _live_of_ids(table: str, columns: tuple[str, ...]) -> Select[Any]:  # columns of any type
    some = TABLES[table].c.id.in_(bindparam("ids", expanding=True))
    return _live_of_flow(table, columns).where(some)


def _take_back(rows: Rows, each: Json) -> None:
    row = rows.get(each["table"], {}).get(each["id"])
    if row is None:
        return
    for name, value in each["fields"].items():
        key = reference(value)
        row[name] = value if key is None else _Lies(key)
    if each["action"] != "update":
        row[_LIVE] = None if each["action"] == "restore" else _GONE


def _fill(session: Session, rows: Rows) -> None:
    """Put the texts in whose place only references stand."""
    places = [
        (row, name, value)
        for found in rows.values()
        for row in found.values()
        for name, value in row.items()
        if isinstance(value, _Lies)
    ]
    texts = payloads.get_many(session, {where.payload_id for _, _, where in places})
    for row, name, where in places:
        row[name] = texts.get(where.payload_id, {ERASED: where.payload_id})

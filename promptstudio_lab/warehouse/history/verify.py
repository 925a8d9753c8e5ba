"""Is the log whole: every stream gapless, chained, and counted right by its head?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import Text, select, type_coerce

from promptstudio_lab.errors import ValueRefused
from promptstudio_lab.shown import named_html
from promptstudio_lab.values import Json, loads
from promptstudio_lab.warehouse.history.chain import HASHED, chained
from promptstudio_lab.warehouse.history.changelog import LOG, ROOTS, Stream
from promptstudio_lab.warehouse.types import iso

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy.orm import Session
    from sqlalchemy.types import TypeEngine

    from promptstudio_lab.identity import Actor
    from promptstudio_lab.warehouse.history.changelog import StreamType

Stored: TypeAlias = Any  # a row as it lies in the table, by column, of several types

_DOCUMENTS = ("patch", "inverse", "conflicts")
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Broken:
    """The first operation of a stream that is not what was written.

    Attributes:
        stream: the flow or the lab.
        seq: the operation's number.
        op_id: its id; None if it is missing.
        why: what is wrong, in words.
    """

    stream: Stream
    seq: int
    op_id: str | None
    why: str

    _repr_html_ = named_html

    def __str__(self) -> str:
        """Say where and why."""
        return f"{self.stream.type} {self.stream.id}, operation {self.seq}: {self.why}"


@dataclass(frozen=True, slots=True, repr=False)
class Verified:
    """What a look through the log has found.

    A chain shows what was changed inside it. Who could write the tables freely could also write a
    whole stream anew; a copy of its newest hash, kept elsewhere, shows that too.

    Attributes:
        streams: how many were looked through.
        operations: how many they hold.
        broken: the first broken operation of each broken stream.
    """

    streams: int
    operations: int
    broken: tuple[Broken, ...]

    _repr_html_ = named_html

    def __repr__(self) -> str:
        """Say it in words."""
        return str(self)

    @property
    def ok(self) -> bool:
        """Return whether nothing is broken."""
        return not self.broken

    def __str__(self) -> str:
        """Say it in one line, or in one a broken stream."""
        looked = f"{self.operations:,} operations in {self.streams:,} streams"
        if self.ok:
            return f"{looked}: whole"
        return "\n".join([f"{looked}: {len(self.broken)} broken", *map(str, self.broken)])


def verify(session: Session, stream: Stream | None = None) -> Verified:
    """Look through the log of the session's organisation, or through one stream.

    Args:
        session: reads or writes; nothing is written.
        stream: only this one; None for all.
    """
    heads = _heads(session, stream)
    operations, streams = 0, 0
    broken: list[Broken] = []
    for key, rows in groupby(_rows(session, stream), key=lambda row: str(row["stream_id"])):
        root, head = heads.pop(key, (None, 0))
        look = _Look(key, root, head)
        look.through(rows)
        operations, streams = operations + look.count, streams + 1
        broken += look.broken
    # What counts operations and has none left.
    lost = [(key, root) for key, (root, head) in sorted(heads.items()) if head]
    broken += [Broken(Stream(root, key), 1, None, "it is missing") for key, root in lost]
    return Verified(streams + len(lost), operations, tuple(broken))


class _Look:
    """A look through one stream, which stops judging at the first broken operation."""

    def __init__(self, key: str, root: StreamType | None, head: int) -> None:
        self._key, self._root, self._head = key, root, head
        self.count = 0
        self.broken: list[Broken] = []
        self._previous: str | None = None

    def through(self, rows: Iterable[Stored]) -> None:
        for row in rows:
            if self._root is None and not self.count:
                self._say(row["seq"], row, f"there is no {row['stream_type']} that it belongs to")
            if not self.broken:
                self._judge(row)
            self.count += 1
        if self.broken:
            return
        if self.count < self._head:
            self._say(self.count + 1, None, f"it is missing; the head counts {self._head}")
        elif self.count > self._head:
            self._say(self._head + 1, None, f"it lies beyond the head, which counts {self._head}")

    def _judge(self, row: Stored) -> None:
        if row["seq"] != self.count + 1:
            self._say(self.count + 1, None, f"it is missing; the next one is {row['seq']}")
            return
        try:
            expected = chained(self._previous, _plain(row))
        except (ValueRefused, ValueError) as error:
            self._say(row["seq"], row, f"it cannot be read: {error}")
            return
        if row["hash"] != expected:
            self._say(row["seq"], row, "it is not what was written")
        self._previous = row["hash"]

    def _say(self, seq: int, row: Stored | None, why: str) -> None:
        stream = Stream(self._root or "flow", self._key)
        self.broken.append(Broken(stream, seq, str(row["op_id"]) if row else None, why))


def _heads(session: Session, stream: Stream | None) -> dict[str, tuple[StreamType, int]]:
    """Return the type and the head of every stream, deleted ones too."""
    actor: Actor = session.info["actor"]
    found: dict[str, tuple[StreamType, int]] = {}
    for type_, root in ROOTS.items():
        query = select(root.c.id, root.c.head_seq).where(
            root.c.organization_id == actor.organization_id
        )
        if stream is not None:
            query = query.where(root.c.id == stream.id)
        found |= {row.id: (type_, row.head_seq) for row in session.connection().execute(query)}
    return found


def _rows(session: Session, stream: Stream | None) -> Iterator[Stored]:
    actor: Actor = session.info["actor"]
    # Documents as text: one that cannot be parsed must not end the look.
    columns = [
        type_coerce(LOG.c[name], Text).label(name) if name in _DOCUMENTS else LOG.c[name]
        for name in (*HASHED, "hash")
        if name != "created_at"
    ]
    query = select(*columns, type_coerce(LOG.c.created_at, _moment(session)).label("created_at"))
    query = query.where(LOG.c.organization_id == actor.organization_id)
    if stream is not None:
        query = query.where(LOG.c.stream_id == stream.id)
    query = query.order_by(LOG.c.stream_id, LOG.c.seq).execution_options(yield_per=_AT_ONCE)
    yield from session.connection().execute(query).mappings()


def _moment(session: Session) -> TypeEngine[Any]:  # a moment, or the text that stands for one
    dialect = session.connection().dialect.name
    return Text() if dialect == "sqlite" else LOG.c.created_at.type


def _plain(row: Stored) -> dict[str, Json]:
    documents = {name: row[name] and loads(row[name]) for name in _DOCUMENTS}
    moment = row["created_at"]
    return {
        **row,
        **documents,
        "created_at": iso(moment) if isinstance(moment, datetime) else moment,
    }

"""What can be taken back: people's steps in a stream, and what others have done since.

A step is one operation, or one batch. Steps nest like brackets: between a step and the undo that
takes it back lies nothing of the same actor that still stands. So a search goes from the newest
operation backwards and leaps over what is taken back, however long the log is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from sqlalchemy import Text, and_, bindparam, select, type_coerce

from promptstudio_lab.values import loads
from promptstudio_lab.warehouse.history.changelog import LOG, Logged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

    from promptstudio_lab.identity import Actor
    from promptstudio_lab.values import Json
    from promptstudio_lab.warehouse.history.changelog import Stream

UNDO = "undo "
# What a run writes into its flow's log by itself. No person did it, so no undo takes it back.
KEEPING = frozenset({"create template", "rename template", "save version"})
# How a fork or a copy began. Without it an empty flow would be left that still calls itself one.
BIRTHS = frozenset({"fork", "copy"})

Step: TypeAlias = list[Logged]  # the operations of one step, the newest first

_PAGE = 64
_FURTHER = 500  # how much further back to look for who else has worked than is asked for
_LAST = 2**63 - 1


def is_undo(row: Logged) -> bool:
    """Tell an undo from a redo, which takes back as well, and from what is new."""
    return row.undo_of_seq is not None and bool(row.op_type.startswith(UNDO))


def earliest(step: Step) -> int:
    """Return the earliest operation that a step takes back."""
    return int(min(row.undo_of_seq for row in step))


class Steps:
    """One actor's steps, the newest first.

    Args:
        session: in a unit of work that holds the stream.
        stream: of a flow or a lab.
        actor_id: whose.
    """

    def __init__(self, session: Session, stream: Stream, actor_id: str) -> None:
        """Begin at the end of the log; nothing is read yet."""
        self._session, self._stream, self._actor_id = session, stream, actor_id
        self._below, self._most = _LAST, 1
        self._page: list[Logged] = []

    def __iter__(self) -> Iterator[Step]:
        """Give the steps until there are no more."""
        while step := self._next():
            yield step

    def leap(self, seq: int) -> None:
        """Go on below a sequence."""
        self._page = [row for row in self._page if row.seq < seq]
        self._below = min(self._below, seq)

    def _next(self) -> Step:
        step: Step = []
        while row := self._peek():
            if step and (row.batch_id is None or row.batch_id != step[0].batch_id):
                break
            step.append(self._page.pop(0))
        return step

    def _peek(self) -> Logged | None:
        if not self._page:
            self._read()
        return self._page[0] if self._page else None

    def _read(self) -> None:
        if self._most == 0:
            return
        actor: Actor = self._session.info["actor"]
        asked = {
            "organization": actor.organization_id,
            "stream": self._stream.id,
            "actor": self._actor_id,
            "below": self._below,
            "most": self._most,
        }
        query = _STEPS[self._stream.type]
        self._page = list(self._session.connection().execute(query, asked).all())
        self._below = self._page[-1].seq if self._page else self._below
        # Mostly the first operation is an undo, which leads far back, or all that is wanted.
        self._most = 0 if len(self._page) < self._most else _PAGE


class Others:
    """What others have done in a stream and not taken back, read as far back as is asked for.

    Args:
        session: in a unit of work that holds the stream.
        stream: of a flow or a lab.
        actor_id: whose steps it may stand in the way of.
    """

    def __init__(self, session: Session, stream: Stream, actor_id: str) -> None:
        """Begin at the end of the log; nothing is read yet."""
        self._session, self._stream, self._actor_id = session, stream, actor_id
        self._known = _LAST
        self._coming: dict[str, Iterator[Logged]] = {}
        self._next: dict[str, Logged | None] = {}
        self._standing: list[Logged] = []

    def in_the_way(self, step: Step) -> str:
        """Return whose change since a step would be overwritten without it, and which; or ""."""
        self._look_back(step[-1].seq)
        for row in step:
            for mine in loads(row.inverse):
                for other in self._standing:
                    # Only what names the row is worth reading.
                    if other.seq > row.seq and mine["id"] in other.patch:
                        what = _shared(mine, loads(other.patch))
                        if what:
                            return (
                                f"{other.actor_id} has changed the same thing since ({what}, "
                                f"operation {other.seq}); undoing operation {row.seq} would "
                                "overwrite it"
                            )
        return ""

    def _look_back(self, above: int) -> None:
        for actor_id in self._actors(above):
            self._coming[actor_id] = self._of(actor_id)
            self._next[actor_id] = next(self._coming[actor_id], None)
        for actor_id, coming in self._coming.items():
            while (row := self._next[actor_id]) is not None and row.seq > above:
                self._standing.append(row)
                self._next[actor_id] = next(coming, None)

    def _actors(self, above: int) -> list[str]:
        """Return who else has worked between here and where nobody has looked yet."""
        if above >= self._known:
            return []
        actor: Actor = self._session.info["actor"]
        asked = {
            "organization": actor.organization_id,
            "stream": self._stream.id,
            "above": above - _FURTHER,
            "below": self._known,
        }
        self._known = above - _FURTHER
        found = self._session.connection().execute(_ACTORS, asked).scalars().all()
        return [each for each in found if each != self._actor_id and each not in self._coming]

    def _of(self, actor_id: str) -> Iterator[Logged]:
        steps = Steps(self._session, self._stream, actor_id)
        for step in steps:
            if step[0].undo_of_seq is None:
                yield from step
            else:
                # An operation and its undo come to nothing; so do an undo and its redo. Neither
                # could have been done over what somebody else had changed meanwhile.
                steps.leap(earliest(step))


def _shared(mine: Json, patch: Json) -> str:
    """Return what a change and a patch both change of one row, in words."""
    for theirs in patch:
        if theirs["id"] == mine["id"]:
            fields = sorted(set(mine["fields"]) & set(theirs["fields"]))
            # What comes or goes does so with all its fields.
            if fields or (mine["action"], theirs["action"]) != ("update", "update"):
                return ", ".join(fields) or str(theirs["action"])
    return ""


_APPLIED = and_(
    LOG.c.organization_id == bindparam("organization"),
    LOG.c.stream_id == bindparam("stream"),
    LOG.c.status == "applied",
)
_ANY = (
    select(
        *(LOG.c[name] for name in ("seq", "op_type", "undo_of_seq", "batch_id", "actor_id")),
        # As text: of the many that are looked at few are read.
        *(type_coerce(LOG.c[name], Text).label(name) for name in ("patch", "inverse")),
    )
    .where(_APPLIED, LOG.c.actor_id == bindparam("actor"), LOG.c.seq < bindparam("below"))
    .order_by(LOG.c.seq.desc())
    .limit(bindparam("most"))
)
_STEPS = {"lab": _ANY, "flow": _ANY.where(LOG.c.op_type.not_in(KEEPING | BIRTHS))}
_ACTORS = (
    select(LOG.c.actor_id)
    .where(_APPLIED, LOG.c.seq > bindparam("above"), LOG.c.seq <= bindparam("below"))
    .distinct()
    .order_by(LOG.c.actor_id)
)

"""Undo and redo: the inverse of an operation is appended, history is never cut."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from sqlalchemy.exc import IntegrityError

from promptstudio_lab.errors import Conflict
from promptstudio_lab.ids import new_id
from promptstudio_lab.values import loads
from promptstudio_lab.warehouse.history.changelog import (
    Logged,
    Operation,
    Recorded,
    Stream,
    changes_of,
    lock,
    record_all,
)
from promptstudio_lab.warehouse.history.leaning import refuse_orphans
from promptstudio_lab.warehouse.history.steps import (
    UNDO,
    Others,
    Step,
    Steps,
    earliest,
    is_undo,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy.orm import Session

    from promptstudio_lab.identity import Actor


def undo(
    session: Session, stream: Stream, client_id: str | None = None, *, steps: int = 1
) -> list[Recorded]:
    """Take back the actor's last step, whole or not at all, and return the operations that do so.

    Args:
        session: a unit of work.
        stream: of a flow or a lab.
        client_id: the view that asks.
        steps: how many steps at most; the first in whose way somebody stands ends it.

    Raises:
        Conflict: if somebody else has changed the same things as the last step since, or they are
            gone; it says who, which operation and what.
    """
    lock(session, stream)
    return _step_back(session, stream, islice(_done(session, stream), steps), client_id)


def redo(session: Session, stream: Stream, client_id: str | None = None) -> list[Recorded]:
    """Do again what the actor's last undo took back.

    Raises:
        Conflict: as `undo` does.
    """
    lock(session, stream)
    return _step_back(session, stream, islice(_undone(session, stream), 1), client_id)


def _done(session: Session, stream: Stream) -> Iterator[Step]:
    """Give the actor's steps that stand, the newest first."""
    steps = Steps(session, stream, _own(session).id)
    for step in steps:
        if is_undo(step[0]):
            steps.leap(earliest(step))
        else:
            yield step


def _undone(session: Session, stream: Stream) -> Iterator[Step]:
    """Give the actor's undos that stand, the newest first, unless something new was done since."""
    steps = Steps(session, stream, _own(session).id)
    for step in steps:
        if is_undo(step[0]):
            yield step
        elif step[0].undo_of_seq is None:
            return
        steps.leap(earliest(step))


def _own(session: Session) -> Actor:
    actor: Actor = session.info["actor"]
    return actor


def _step_back(
    session: Session, stream: Stream, steps: Iterable[Step], client_id: str | None
) -> list[Recorded]:
    others = Others(session, stream, _own(session).id)
    wanted: list[tuple[Logged, str | None]] = []
    for step in steps:
        refusal = others.in_the_way(step)
        if refusal and not wanted:
            raise Conflict(refusal)
        if refusal:
            break
        batch_id = new_id() if len(step) > 1 else None
        wanted += [(row, batch_id) for row in step]
    done = _taken_back(session, stream, _opposites(session, wanted, client_id))
    if stream.type == "lab":
        refuse_orphans(session, {key for each in done for key in each.touched})
    return done


def _opposites(
    session: Session, wanted: list[tuple[Logged, str | None]], client_id: str | None
) -> list[Operation]:
    """Return the operations that take back these, whose texts are read all at once."""
    inverses = [loads(row.inverse) for row, _ in wanted]
    changes = iter(changes_of(session, [each for inverse in inverses for each in inverse]))
    return [
        Operation(
            type=_opposite(row.op_type),
            changes=tuple(islice(changes, len(inverse))),
            batch_id=batch_id,
            client_id=client_id,
            undo_of_seq=row.seq,
        )
        for (row, batch_id), inverse in zip(wanted, inverses, strict=True)
    ]


def _opposite(op_type: str) -> str:
    undone = op_type.removeprefix(UNDO)
    return undone if undone != op_type else f"{UNDO}{op_type}"


def _taken_back(session: Session, stream: Stream, operations: list[Operation]) -> list[Recorded]:
    try:
        done = record_all(session, stream, operations)
    except IntegrityError as error:
        reason = " ".join(str(error.orig).split())
        message = f"{_refused(operations)}: something else has its name or place ({reason})"
        raise Conflict(message) from error
    gone = [each for each, now in zip(operations, done, strict=True) if now.status != "applied"]
    if gone:
        message = f"{_refused(gone)}: what it changed has gone, or come back, in another way since"
        raise Conflict(message)
    return done


def _refused(operations: list[Operation]) -> str:
    return f"operation {operations[0].undo_of_seq} cannot be taken back now"

"""Undo and redo: the inverse of an operation is appended, history is never cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from promptstudio_lab.errors import Conflict
from promptstudio_lab.ids import new_id
from promptstudio_lab.warehouse.entities import ChangeLog
from promptstudio_lab.warehouse.history.changelog import (
    Operation,
    Recorded,
    Stream,
    changes_of,
    record,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.orm import Session

    from promptstudio_lab.identity import Actor


def undo(session: Session, stream: Stream, client_id: str | None = None) -> list[Recorded]:
    """Take back the actor's last step and return the operations that do so.

    Raises:
        Conflict: if somebody else has changed the same fields since; it names who and what.
    """
    return _step_back(session, stream, _steps(session, stream)[0], client_id)


def redo(session: Session, stream: Stream, client_id: str | None = None) -> list[Recorded]:
    """Do again what the actor's last undo took back."""
    return _step_back(session, stream, _steps(session, stream)[1], client_id)


def _steps(session: Session, stream: Stream) -> tuple[list[ChangeLog], list[ChangeLog]]:
    """Return the actor's last step that can be undone, and the last undo that can be redone."""
    actor: Actor = session.info["actor"]
    undoable: list[list[ChangeLog]] = []
    redoable: list[list[ChangeLog]] = []
    for step in _grouped(
        session.scalars(
            select(ChangeLog)
            .where(
                ChangeLog.stream_id == stream.id,
                ChangeLog.actor_id == actor.id,
                ChangeLog.status == "applied",
            )
            .order_by(ChangeLog.seq)
        )
    ):
        seqs = {row.undo_of_seq for row in step}
        if seqs == {None}:
            undoable.append(step)
            redoable.clear()
        elif undoable and seqs == {row.seq for row in undoable[-1]}:
            undoable.pop()
            redoable.append(step)
        elif redoable and seqs == {row.seq for row in redoable[-1]}:
            redoable.pop()
            undoable.append(step)
    return (undoable or [[]])[-1], (redoable or [[]])[-1]


def _grouped(rows: Iterable[ChangeLog]) -> list[list[ChangeLog]]:
    steps: list[list[ChangeLog]] = []
    for row in rows:
        if steps and row.batch_id is not None and steps[-1][-1].batch_id == row.batch_id:
            steps[-1].append(row)
        else:
            steps.append([row])
    return steps


def _step_back(
    session: Session, stream: Stream, step: list[ChangeLog], client_id: str | None
) -> list[Recorded]:
    for row in step:
        _refuse_overwriting(session, row)
    batch_id = new_id() if len(step) > 1 else None
    return [
        record(
            session,
            stream,
            Operation(
                type=_opposite(row.op_type),
                changes=tuple(changes_of(session, row.inverse)),
                batch_id=batch_id,
                client_id=client_id,
                undo_of_seq=row.seq,
            ),
        )
        for row in reversed(step)
    ]


def _opposite(op_type: str) -> str:
    undone = op_type.removeprefix("undo ")
    return undone if undone != op_type else f"undo {op_type}"


def _refuse_overwriting(session: Session, row: ChangeLog) -> None:
    mine = {entry["id"]: set(entry["fields"]) for entry in row.inverse}
    later = session.scalars(
        select(ChangeLog)
        .where(
            ChangeLog.stream_id == row.stream_id,
            ChangeLog.seq > row.seq,
            ChangeLog.actor_id != row.actor_id,
            ChangeLog.status == "applied",
        )
        .order_by(ChangeLog.seq.desc())
    )
    for other in later:
        for entry in other.patch:
            if entry["id"] not in mine:
                continue
            shared = mine[entry["id"]] & set(entry["fields"])
            # An inverse without fields takes the whole row away, or brings it back.
            if shared or not mine[entry["id"]] or entry["action"] != "update":
                what = ", ".join(sorted(shared)) or entry["action"]
                message = (
                    f"{other.actor_id} has changed the same thing since ({what}, operation "
                    f"{other.seq}); undoing operation {row.seq} would overwrite it"
                )
                raise Conflict(message)

"""Undo and redo in a lab's own log, without leaving a thing nowhere or a reference dangling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from promptstudio_lab.errors import Conflict
from promptstudio_lab.warehouse.access import require_on
from promptstudio_lab.warehouse.entities import PromptFlow, PromptTemplate
from promptstudio_lab.warehouse.entities.sharing import LibraryPermission
from promptstudio_lab.warehouse.history.changelog import Stream, lock
from promptstudio_lab.warehouse.history.patches import ENTITIES
from promptstudio_lab.warehouse.places.references import rewrite, uses
from promptstudio_lab.warehouse.places.things import AROUND, Shelves

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from promptstudio_lab.warehouse.history.changelog import Recorded


def take_back(
    session: Session, lab_id: str, step: Callable[[Session, Stream], list[Recorded]]
) -> list[Recorded]:
    """Undo or redo the actor's last step in a lab; references to templates follow their paths.

    Args:
        session: a unit of work.
        lab_id: the lab.
        step: `warehouse.history.undo.undo` or `redo`.

    Raises:
        Conflict: if a name is taken by now, or somebody's later change stands in the way.
        AccessDenied: if the actor may no longer do that.
    """
    stream = Stream("lab", lab_id)
    lock(session, stream)
    before = _templates(session, Shelves(session, lab_id))
    try:
        done = step(session, stream)
    except IntegrityError as error:
        message = "that cannot be taken back now: a name in it is taken by something else"
        raise Conflict(message) from error
    if any(each.status != "applied" for each in done):
        message = "that cannot be taken back now: something in it is gone, or back already"
        raise Conflict(message)
    session.expire_all()
    for each in done:
        _require(session, each)
    shelves = Shelves(session, lab_id)
    if (lost := _stray(session, shelves)) is not None:
        message = f"that cannot be taken back now: {lost!r} would lie nowhere"
        raise Conflict(message)
    after = _templates(session, shelves)
    moved = {path: after[key] for key, path in before.items() if after.get(key, path) != path}
    rewrite(session, uses(session, shelves, moved), moved)
    return done


def _require(session: Session, done: Recorded) -> None:
    for table, key in done.touched:
        entity = ENTITIES[table]
        if table in AROUND:
            require_on(session, "edit", table, key)
        elif issubclass(entity, LibraryPermission):
            row = session.scalars(
                select(entity)
                .where(entity.id == key)
                .execution_options(deleted_too=True, populate_existing=True)
            ).one()
            require_on(session, "manage", table.removesuffix("_permission"), row.library_id)


def _stray(session: Session, shelves: Shelves) -> str | None:
    """Return the name of something that lies in nothing, or in itself."""
    for row, shelf in shelves.all.items():
        seen = {row}
        parent = shelf.parent_id if shelf.live else None
        while parent is not None:
            above = shelves.all[row[0], parent]
            if not above.live or (row[0], parent) in seen:
                return shelf.name
            seen.add((row[0], parent))
            parent = above.parent_id
    dead = {key for (_, key), shelf in shelves.all.items() if not shelf.live}
    for entity, column in (
        (PromptFlow, PromptFlow.workflow_library_id),
        (PromptTemplate, PromptTemplate.prompt_library_id),
    ):
        for name, library in session.execute(select(entity.name, column)):
            if library in dead:
                return str(name)
    return None


def _templates(session: Session, shelves: Shelves) -> dict[str, str]:
    """Return the paths of a lab's templates by their ids."""
    query = select(PromptTemplate.id, PromptTemplate.prompt_library_id, PromptTemplate.name)
    rows = session.execute(query.where(PromptTemplate.prompt_library_id.is_not(None)))
    return {
        row.id: f"{shelves.path(('prompt_library', str(row.prompt_library_id)))}/{row.name}"
        for row in rows
        if ("prompt_library", str(row.prompt_library_id)) in shelves.all
    }

"""Putting things away and getting them back: nothing is ever lost, a name is only set free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from promptstudio_lab.errors import NotFound, OperationRefused, did_you_mean
from promptstudio_lab.warehouse.access import require_at
from promptstudio_lab.warehouse.entities import ChangeLog, PromptFlow, PromptTemplate
from promptstudio_lab.warehouse.history.changelog import Change, Operation, Stream, lock, record
from promptstudio_lab.warehouse.places.references import refuse_used, uses
from promptstudio_lab.warehouse.places.things import (
    AROUND,
    LIBRARIES,
    Shelves,
    Thing,
    contents,
    refuse_taken,
    require_all,
)
from promptstudio_lab.warehouse.places.verbs import moved_templates

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from promptstudio_lab.warehouse.places.things import Kind, Row

ARCHIVE = "archive"
_KINDS: dict[str, Kind] = {
    **dict.fromkeys(LIBRARIES, "library"),
    "prompt_flow": "flow",
    "prompt_template": "template",
}


@dataclass(frozen=True, slots=True)
class Archived:
    """Something that was put away.

    Attributes:
        kind: `library`, `flow` or `template`.
        path: where it was.
        rows: what it is itself; a library's contents are not among them.
        inside: everything that went with it, itself too.
        archived_at: when.
        archived_by: by whom.
    """

    kind: Kind
    path: str
    rows: tuple[Row, ...]
    inside: tuple[Row, ...]
    archived_at: datetime
    archived_by: str


def archive(session: Session, thing: Thing, *, anyway: bool = False) -> None:
    """Put a thing away with everything in it, in one operation.

    Args:
        session: a unit of work.
        thing: what.
        anyway: whether to do it though flows that stay use its templates.

    Raises:
        OperationRefused: naming such flows.
    """
    require_all(session, "edit", thing)
    shelves = Shelves(session, thing.lab_id)
    rows = list(thing.rows)
    if thing.kind == "library":
        rows = shelves.below(thing.rows)
        rows += [(table, row.id) for table, row in contents(session, rows)]
    if not anyway:
        found = uses(session, shelves, moved_templates(session, shelves, thing, thing.path))
        staying = [use for use in found if ("prompt_flow", use.flow_id) not in rows]
        way_out = "point them elsewhere first, or anyway=True archives it all the same"
        refuse_used(staying, repr(thing.path), way_out)
    changes = tuple(Change(table, key, "delete") for table, key in rows)
    record(session, Stream("lab", thing.lab_id), Operation(ARCHIVE, changes))


def archived(session: Session, lab_id: str) -> list[Archived]:
    """Return what is archived, the newest first; what lies in it is not named on its own."""
    log = session.execute(
        select(ChangeLog.patch, ChangeLog.created_at, ChangeLog.actor_id)
        .where(
            ChangeLog.stream_id == lab_id,
            ChangeLog.op_type == ARCHIVE,
            ChangeLog.status == "applied",
        )
        .order_by(ChangeLog.seq.desc())
    ).all()
    shelves = Shelves(session, lab_id)
    entries = _gone(session)
    found: list[Archived] = []
    seen: set[Row] = set()
    for patch, moment, actor_id in log:
        inside = [(each["table"], each["id"]) for each in patch]
        fresh = tuple(row for row in inside if row not in seen and _away(row, shelves, entries))
        seen.update(inside)
        roots = tuple(row for row in fresh if _around(row, shelves, entries) not in inside)
        if roots:
            path = _path(roots[0], shelves, entries)
            kind = _KINDS[roots[0][0]]
            found.append(Archived(kind, path, roots, fresh, moment, actor_id))
    return found


def restore(session: Session, lab_id: str, wanted: str, kind: str | None = None) -> Archived:
    """Bring back what was archived, to where it was, and return what that was.

    Args:
        session: a unit of work.
        lab_id: the lab.
        wanted: its path or its id.
        kind: `library`, `flow` or `template`, where things of several kinds had the path.

    Raises:
        NotFound: if nothing of that path or id is archived.
        OperationRefused: if its name is taken by now, or its library is archived too.
    """
    lock(session, Stream("lab", lab_id))
    away = archived(session, lab_id)
    thing = _chosen(away, wanted, kind)
    shelves = Shelves(session, lab_id)
    around = thing.path.rpartition("/")[0]
    require_at(session, "edit", lab_id, (around or thing.path).split("/"))
    refuse_taken(session, shelves, thing.kind, thing.path)
    made, homes = _homes(shelves, thing, around, _gone(session))
    back = [Change(table, key, "restore", homes.get(key, {})) for table, key in thing.inside]
    operation = Operation(f"restore {thing.kind}", (*made, *back))
    record(session, Stream("lab", lab_id), operation)
    return thing


def _homes(
    shelves: Shelves, thing: Archived, around: str, entries: dict[Row, tuple[str, str]]
) -> tuple[list[Change], dict[str, dict[str, str | None]]]:
    """Return what must be made, and where what comes back shall lie if its library is gone."""
    made: list[Change] = []
    homes: dict[str, dict[str, str | None]] = {}
    for row in thing.rows:
        parent = _around(row, shelves, entries)
        if parent is None or shelves.all[parent].live:
            continue
        if not shelves.at(around):
            message = f"{thing.path!r} was in {around!r}, which is archived too; restore that first"
            raise OperationRefused(message)
        column, library = AROUND[row[0]]
        home, changes = shelves.room(library, around)
        made += changes
        homes[row[1]] = {column: home}
    return made, homes


def _chosen(away: Sequence[Archived], wanted: str, kind: str | None) -> Archived:
    found = [
        each
        for each in away
        if kind in {None, each.kind}
        and (each.path == wanted or wanted in {key for _, key in each.rows})
    ]
    if not found:
        hint = did_you_mean(wanted, {each.path for each in away})
        message = f"no {kind or 'thing'} {wanted!r} is archived here.{hint}"
        raise NotFound(message)
    if len(kinds := sorted({each.kind for each in found})) > 1:
        message = f"a {' and a '.join(kinds)} {wanted!r} are archived; say kind={kinds[0]!r}"
        raise OperationRefused(message)
    return found[0]


def _gone(session: Session) -> dict[Row, tuple[str, str]]:
    """Return (library, name) of the archived flows and templates."""
    found: dict[Row, tuple[str, str]] = {}
    for table, entity in (("prompt_flow", PromptFlow), ("prompt_template", PromptTemplate)):
        around = getattr(entity, AROUND[table][0])
        query = select(entity.id, around, entity.name).where(
            entity.deleted_at.is_not(None), around.is_not(None)
        )
        for row in session.execute(query.execution_options(deleted_too=True)):
            found[table, row[0]] = (row[1], row[2])
    return found


def _away(row: Row, shelves: Shelves, entries: dict[Row, tuple[str, str]]) -> bool:
    shelf = shelves.all.get(row)
    return row in entries or (shelf is not None and not shelf.live)


def _around(row: Row, shelves: Shelves, entries: dict[Row, tuple[str, str]]) -> Row | None:
    parent = entries[row][0] if row in entries else shelves.all[row].parent_id
    return None if parent is None else (AROUND[row[0]][1], parent)


def _path(row: Row, shelves: Shelves, entries: dict[Row, tuple[str, str]]) -> str:
    if row not in entries:
        return shelves.path(row)
    library, name = entries[row]
    return f"{shelves.path((AROUND[row[0]][1], library))}/{name}"

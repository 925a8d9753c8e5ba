"""What one does with a library, a flow or a template: each is one operation in the lab's log."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from promptstudio_lab.errors import NotFound, OperationRefused, did_you_mean
from promptstudio_lab.ids import new_id
from promptstudio_lab.settings import CLASSES
from promptstudio_lab.warehouse.access import require_at
from promptstudio_lab.warehouse.entities import Pin, PromptTemplate, Tag
from promptstudio_lab.warehouse.history.changelog import Change, Operation, Stream, lock, record
from promptstudio_lab.warehouse.places.order import run
from promptstudio_lab.warehouse.places.references import (
    refuse_used,
    rewrite,
    split_reference,
    uses,
)
from promptstudio_lab.warehouse.places.things import (
    AROUND,
    LIBRARIES,
    TABLES,
    Shelves,
    Thing,
    clean_path,
    contents,
    refuse_taken,
    require_all,
)
from promptstudio_lab.warehouse.rows import find

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.orm import Session

    from promptstudio_lab.identity import Actor
    from promptstudio_lab.values import Json
    from promptstudio_lab.warehouse.places.things import Kind

_COLOR = re.compile(r"#[0-9a-fA-F]{6}|[a-z]+")
_ICON = 40


def create(session: Session, lab_id: str, path: str) -> None:
    """Make a library, for flows and for templates, with whatever is missing around it."""
    lock(session, Stream("lab", lab_id))
    require_at(session, "edit", lab_id, path.split("/"))
    shelves = Shelves(session, lab_id)
    made = [change for table in LIBRARIES for change in shelves.room(table, path)[1]]
    _record(session, lab_id, "create library", made)


def rename(session: Session, thing: Thing, name: str, *, again: bool = False) -> str:
    """Give a thing another name and return its path.

    Args:
        session: a unit of work.
        thing: what.
        name: its new name, without a `/`.
        again: whether flows that refer to its templates are rewritten; else they stand in the way.

    Raises:
        OperationRefused: if the name is taken, or flows refer to the old one.
    """
    if "/" in name:
        message = f"{name!r} is a path; rename gives a name, and move another library"
        raise OperationRefused(message)
    path = f"{thing.around}/{name}" if thing.around else name
    return _put(session, thing, clean_path(path), "rename", again=again)


def move(session: Session, thing: Thing, library: str, *, again: bool = False) -> str:
    """Put a thing into another library, made if need be, and return its path.

    Args:
        session: a unit of work.
        thing: what.
        library: the path of the library; nothing makes a library an outermost one.
        again: whether flows that refer to its templates are rewritten; else they stand in the way.

    Raises:
        OperationRefused: if it would lie in itself, its name is taken there, or flows refer to it.
    """
    if not library and thing.kind != "library":
        message = f"a {thing.kind} lies in a library; name one"
        raise OperationRefused(message)
    path = f"{clean_path(library)}/{thing.name}" if library else thing.name
    return _put(session, thing, path, "move", again=again)


def _put(session: Session, thing: Thing, path: str, verb: str, *, again: bool) -> str:
    """Rename or move: either is another path."""
    if path == thing.path:
        return path
    refuse_inside(thing, path)
    _refuse_reference(thing.kind, path)
    require_all(session, "edit", thing)
    around, _, name = path.rpartition("/")
    if verb == "move" and around:
        require_at(session, "edit", thing.lab_id, around.split("/"))
    shelves = Shelves(session, thing.lab_id)
    refuse_taken(session, shelves, thing.kind, path)
    moved = moved_templates(session, shelves, thing, path)
    found = uses(session, shelves, moved)
    if not again:
        refuse_used(found, repr(thing.path), "rewrite=True lets them follow")
    changes: list[Change] = []
    for table, key in thing.rows:
        column, library = AROUND[table]
        parent, made = shelves.room(library, around)
        fields = {"name": name} if verb == "rename" else {column: parent, "order_key": ""}
        changes += [*made, Change(table, key, "update", fields)]
    _record(session, thing.lab_id, f"{verb} {thing.kind}", changes)
    rewrite(session, found, moved)
    return path


def refuse_inside(thing: Thing, path: str) -> None:
    """Refuse to put a library into itself.

    Raises:
        OperationRefused: saying so.
    """
    if thing.kind == "library" and path.startswith(f"{thing.path}/"):
        message = f"{thing.path!r} cannot lie inside itself, as {path!r} would"
        raise OperationRefused(message)


def _refuse_reference(kind: Kind, path: str) -> None:
    if kind != "library" and split_reference(path)[1] is not None:
        message = f"{path!r} reads as a version or a label; a {kind} is called without an '@'"
        raise OperationRefused(message)


def moved_templates(session: Session, shelves: Shelves, thing: Thing, path: str) -> dict[str, str]:
    """Return the new paths of templates by their old ones, if a thing gets another path."""
    if thing.kind == "template":
        return {thing.path: path}
    if thing.kind == "flow":
        return {}
    inside = shelves.below(row for row in thing.rows if row[0] == "prompt_library")
    old = [
        f"{shelves.path(('prompt_library', str(row.prompt_library_id)))}/{row.name}"
        for _, row in contents(session, inside)
        if isinstance(row, PromptTemplate)
    ]
    return {each: f"{path}{each.removeprefix(thing.path)}" for each in old}


def describe(session: Session, thing: Thing, /, **fields: Json) -> None:
    """Set what people see of a thing: its description, category, color or icon.

    Raises:
        OperationRefused: if a color or an icon is none.
    """
    color, icon = fields.get("color"), fields.get("icon")
    if color is not None and not _COLOR.fullmatch(color):
        message = f"{color!r} is no color; write '#1e88e5', or a name such as 'teal'"
        raise OperationRefused(message)
    if icon is not None and not (0 < len(icon) <= _ICON and icon.isprintable()):
        message = f"{icon!r} is no icon; write its name, or one sign, in at most {_ICON} letters"
        raise OperationRefused(message)
    require_all(session, "edit", thing)
    changes = [Change(table, key, "update", fields) for table, key in thing.rows]
    _record(session, thing.lab_id, f"describe {thing.kind}", changes)


def classify(session: Session, thing: Thing, level: str) -> None:
    """Say how closely a thing is kept: who may decide on access decides on this.

    Raises:
        OperationRefused: if there is no such class.
    """
    if level not in CLASSES:
        hint = did_you_mean(level, CLASSES)
        message = f"{level!r} is no class of data.{hint} There are {', '.join(CLASSES)}."
        raise OperationRefused(message)
    require_all(session, "manage", thing)
    fields: dict[str, Json] = {"data_classification": level}
    changes = [Change(table, key, "update", fields) for table, key in thing.rows]
    _record(session, thing.lab_id, f"classify {thing.kind}", changes)


def tag(session: Session, thing: Thing, names: Iterable[str]) -> None:
    """Put tags on a thing; those that it has stay."""
    require_all(session, "edit", thing)
    wanted = dict.fromkeys(" ".join(name.split()) for name in names)
    if "" in wanted:
        message = "a tag is a word, or several"
        raise OperationRefused(message)
    changes = [
        Change("tag", new_id(), "insert", {f"{table}_id": key, "name": name})
        for table, key in thing.rows
        for name in _without(wanted, {row.name for row in _attached(session, Tag, table, key)})
    ]
    _record(session, thing.lab_id, f"tag {thing.kind}", changes)


def untag(session: Session, thing: Thing, names: Iterable[str]) -> None:
    """Take tags off a thing.

    Raises:
        NotFound: if it has not all of them.
    """
    require_all(session, "edit", thing)
    wanted = {" ".join(name.split()) for name in names}
    rows = [row for table, key in thing.rows for row in _attached(session, Tag, table, key)]
    if missing := sorted(wanted - {row.name for row in rows}):
        hint = did_you_mean(missing[0], {row.name for row in rows})
        message = f"{thing.path!r} has no tag {missing[0]!r}.{hint}"
        raise NotFound(message)
    changes = [Change("tag", row.id, "delete") for row in rows if row.name in wanted]
    _record(session, thing.lab_id, f"untag {thing.kind}", changes)


def pin(session: Session, thing: Thing, *, everybody: bool = False) -> None:
    """Keep a thing on top, for the actor or for everybody who opens its library."""
    require_all(session, "edit" if everybody else "view", thing)
    whose = _whose(session, everybody=everybody)
    changes = [
        Change("pin", new_id(), "insert", {f"{table}_id": key, "pinned_for": whose})
        for table, key in thing.rows
        if not _attached(session, Pin, table, key, pinned_for=whose)
    ]
    _record(session, thing.lab_id, f"pin {thing.kind}", changes)


def unpin(session: Session, thing: Thing, *, everybody: bool = False) -> None:
    """Let a thing go back to its place in the order."""
    require_all(session, "edit" if everybody else "view", thing)
    whose = _whose(session, everybody=everybody)
    changes = [
        Change("pin", row.id, "delete")
        for table, key in thing.rows
        for row in _attached(session, Pin, table, key, pinned_for=whose)
    ]
    _record(session, thing.lab_id, f"unpin {thing.kind}", changes)


def arrange(
    session: Session, thing: Thing, *, before: str | None = None, after: str | None = None
) -> None:
    """Put a thing next to another of its kind in the same library.

    Args:
        session: a unit of work.
        thing: what.
        before: the name or path of the one that it shall precede.
        after: or of the one that it shall follow.

    Raises:
        OperationRefused: if not exactly one of them is given, or it is the thing itself.
        NotFound: if there is no such neighbour.
    """
    near = before if before is not None else after
    if near is None or (before is not None and after is not None):
        message = "say what it shall stand before, or what it shall stand after"
        raise OperationRefused(message)
    require_all(session, "edit", thing)
    siblings = _siblings(session, thing)
    names = [name for name, _, _ in siblings]
    near = near.removeprefix(f"{thing.around}/") if thing.around else near
    if near not in names:
        hint = did_you_mean(near, names)
        message = f"there is no {thing.kind} {near!r} beside {thing.path!r}.{hint}"
        raise NotFound(message)
    at = names.index(near) + (before is None)
    low = siblings[at - 1][1] if at else ""
    # Those that have no key of their own yet get one, if they follow.
    stop = at
    while stop < len(siblings) and siblings[stop][1] <= low:
        stop += 1
    high = siblings[stop][1] if stop < len(siblings) else None
    rows = [thing.rows, *(rows for _, _, rows in siblings[at:stop])]
    keys = run(low or None, high, len(rows))
    changes = [
        Change(table, row, "update", {"order_key": key})
        for each, key in zip(rows, keys, strict=True)
        for table, row in each
    ]
    _record(session, thing.lab_id, f"order {thing.kind}", changes)


def _siblings(session: Session, thing: Thing) -> list[tuple[str, str, tuple[tuple[str, str], ...]]]:
    """Return (name, order key, rows) of what lies beside a thing, as it is ordered now."""
    shelves = Shelves(session, thing.lab_id)
    found: dict[str, tuple[str, tuple[tuple[str, str], ...]]] = {}
    if thing.kind == "library":
        for shelf in shelves.inside(thing.around):
            key, rows = found.get(shelf.name, ("", ()))
            found[shelf.name] = (key or shelf.order_key, (*rows, (shelf.table, shelf.id)))
    else:
        (table,) = TABLES[thing.kind]
        for other, row in contents(session, shelves.at(thing.around)):
            if other == table:
                found[row.name] = (row.order_key, ((table, row.id),))
    found.pop(thing.name, None)
    ordered = [(name, key, rows) for name, (key, rows) in found.items()]
    return sorted(ordered, key=lambda each: (each[1], each[0].casefold()))


def _attached(
    session: Session, entity: type[Any], table: str, key: str, **more: str
) -> list[Any]:  # rows of either table
    return find(session, entity, **{f"{table}_id": key}, **more)


def _whose(session: Session, *, everybody: bool) -> str:
    actor: Actor = session.info["actor"]
    return "" if everybody else actor.id


def _without(wanted: Iterable[str], has: set[str]) -> list[str]:
    return [name for name in wanted if name not in has]


def _record(session: Session, lab_id: str, type_: str, changes: Sequence[Change]) -> None:
    if changes:
        record(session, Stream("lab", lab_id), Operation(type_, tuple(changes)))

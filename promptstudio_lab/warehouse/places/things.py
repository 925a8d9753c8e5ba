"""What a path means: a library of both kinds at once, a flow, or a template."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from sqlalchemy import select

from promptstudio_lab.errors import NotFound, OperationRefused, did_you_mean
from promptstudio_lab.ids import new_id
from promptstudio_lab.warehouse.access import require_on
from promptstudio_lab.warehouse.entities import (
    PromptFlow,
    PromptLibrary,
    PromptTemplate,
    WorkflowLibrary,
)
from promptstudio_lab.warehouse.history.changelog import Change, Stream, lock
from promptstudio_lab.warehouse.rows import find, first

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.orm import Session

    from promptstudio_lab.warehouse.access import Permission

Kind = Literal["library", "flow", "template"]
# A table and the id of a row in it.
Row: TypeAlias = tuple[str, str]

LIBRARIES: dict[str, type[PromptLibrary | WorkflowLibrary]] = {
    "workflow_library": WorkflowLibrary,
    "prompt_library": PromptLibrary,
}
# Where a row lies: the column, and the kind of library that it names.
AROUND = {
    "workflow_library": ("parent_id", "workflow_library"),
    "prompt_library": ("parent_id", "prompt_library"),
    "prompt_flow": ("workflow_library_id", "workflow_library"),
    "prompt_template": ("prompt_library_id", "prompt_library"),
}
TABLES: dict[Kind, tuple[str, ...]] = {
    "library": tuple(LIBRARIES),
    "flow": ("prompt_flow",),
    "template": ("prompt_template",),
}


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that has a place.

    Attributes:
        kind: `library`, `flow` or `template`.
        lab_id: the lab that it lies in.
        path: where it is, its own name last.
        rows: what it is in the warehouse: a library may be one row for flows and one for templates.
    """

    kind: Kind
    lab_id: str
    path: str
    rows: tuple[Row, ...]

    @property
    def name(self) -> str:
        """Return what it is called."""
        return self.path.rpartition("/")[2]

    @property
    def around(self) -> str:
        """Return the path of the library that it lies in; nothing for an outermost library."""
        return self.path.rpartition("/")[0]


class Shelf(NamedTuple):
    """A library of one kind, archived ones too."""

    table: str
    id: str
    parent_id: str | None
    name: str
    order_key: str
    live: bool


class Shelves:
    """All libraries of a lab, both kinds side by side."""

    def __init__(self, session: Session, lab_id: str) -> None:
        """Read them: two narrow queries."""
        self.lab_id = lab_id
        self.all: dict[Row, Shelf] = {}
        self._inside: dict[tuple[str, str | None], list[Shelf]] = {}
        for table, kind in LIBRARIES.items():
            query = select(
                kind.id, kind.parent_id, kind.name, kind.order_key, kind.deleted_at.is_(None)
            ).where(kind.prompt_lab_id == lab_id)
            for row in session.execute(query.execution_options(deleted_too=True)):
                shelf = Shelf(table, row[0], row[1], row[2], row[3], bool(row[4]))
                self.all[table, shelf.id] = shelf
                if shelf.live:
                    self._inside.setdefault((table, shelf.parent_id), []).append(shelf)

    def path(self, row: Row) -> str:
        """Return the path of a library."""
        parts: list[str] = []
        at: str | None = row[1]
        while at is not None:
            shelf = self.all[row[0], at]
            parts.insert(0, shelf.name)
            at = shelf.parent_id
        return "/".join(parts)

    def at(self, path: str) -> tuple[Row, ...]:
        """Return the live libraries under a path, at most one of each kind."""
        found: dict[str, str | None] = dict.fromkeys(LIBRARIES)
        for name in path.split("/"):
            found = {
                shelf.table: shelf.id
                for parent in found.items()
                for shelf in self._inside.get(parent, ())
                if shelf.name == name
            }
        return tuple((table, str(found[table])) for table in LIBRARIES if table in found)

    def inside(self, path: str) -> list[Shelf]:
        """Return the live libraries that lie directly in a path; nothing means outermost."""
        parents = dict(self.at(path)) if path else dict.fromkeys(LIBRARIES)
        return [shelf for parent in parents.items() for shelf in self._inside.get(parent, ())]

    def below(self, rows: Iterable[Row]) -> list[Row]:
        """Return some libraries and the live ones inside them, outer ones first."""
        found = list(rows)
        for row in found:  # it grows while it is walked through
            found += [(shelf.table, shelf.id) for shelf in self._inside.get(row, ())]
        return found

    def paths(self) -> list[str]:
        """Return every live path."""
        return sorted({self.path(row) for row, shelf in self.all.items() if shelf.live})

    def room(self, table: str, path: str) -> tuple[str | None, tuple[Change, ...]]:
        """Return the library of one kind at a path, and the changes that make what is missing."""
        parent: str | None = None
        made: list[Change] = []
        parts = path.split("/") if path else []
        for depth in range(1, len(parts) + 1):
            known = dict(self.at("/".join(parts[:depth]))).get(table)
            if known is None:
                known = new_id()
                fields = {
                    "prompt_lab_id": self.lab_id,
                    "parent_id": parent,
                    "name": parts[depth - 1],
                }
                made.append(Change(table, known, "insert", fields))
            parent = known
        return parent, tuple(made)


def locate(session: Session, lab_id: str, kind: Kind, key: str) -> Thing:
    """Return a live thing: a library by its path, a flow or a template by its id.

    Raises:
        NotFound: if there is none; the message says what to do.
    """
    shelves = Shelves(session, lab_id)
    if kind == "library":
        rows = shelves.at(key)
        if not rows:
            hint = did_you_mean(key, shelves.paths())
            message = f"there is no library {key!r}; lab.library({key!r}).create() makes it.{hint}"
            raise NotFound(message)
        return Thing(kind, lab_id, key, rows)
    (table,) = TABLES[kind]
    entity: type[PromptFlow | PromptTemplate] = PromptFlow if kind == "flow" else PromptTemplate
    row = first(session, entity, id=key)
    around = getattr(row, AROUND[table][0], None)
    if row is None or around is None:
        message = f"there is no {kind} {key}; it may have been archived: lab.archived() lists that"
        raise NotFound(message)
    path = f"{shelves.path((AROUND[table][1], around))}/{row.name}"
    return Thing(kind, lab_id, path, ((table, key),))


def take(session: Session, lab_id: str, kind: Kind, key: str) -> Thing:
    """Return a live thing that nobody else can change until the unit of work ends.

    Raises:
        NotFound: if there is none.
    """
    lock(session, Stream("lab", lab_id))
    return locate(session, lab_id, kind, key)


def require_all(session: Session, right: Permission, thing: Thing) -> None:
    """Let the actor do something to a thing.

    Raises:
        AccessDenied: if the actor may not.
    """
    # Both kinds of one library have the same permissions: the check looks at both.
    require_on(session, right, *thing.rows[0])


def contents(
    session: Session, rows: Iterable[Row]
) -> list[tuple[str, PromptFlow | PromptTemplate]]:
    """Return (table, row) of every live flow and template that lies in some libraries."""
    by_kind: dict[str, list[str]] = {}
    for table, key in rows:
        by_kind.setdefault(table, []).append(key)
    flows = find(session, PromptFlow, workflow_library_id=by_kind.get("workflow_library", []))
    templates = find(session, PromptTemplate, prompt_library_id=by_kind.get("prompt_library", []))
    return [
        *(("prompt_flow", flow) for flow in flows),
        *(("prompt_template", template) for template in templates),
    ]


def clean_path(path: str) -> str:
    """Return a path with its parts trimmed.

    Raises:
        OperationRefused: if a part is empty.

    >>> clean_path(" support / answers ")
    'support/answers'
    """
    parts = [part.strip() for part in path.split("/")]
    if not all(parts):
        message = f"{path!r} is not a path such as 'support/answers'"
        raise OperationRefused(message)
    return "/".join(parts)


def refuse_taken(session: Session, shelves: Shelves, kind: Kind, path: str) -> None:
    """Refuse a path where there is something of that kind already.

    Raises:
        OperationRefused: naming it.
    """
    if occupied(session, shelves, kind, path):
        message = f"there is a {kind} {path!r} already; choose another name, or move that one"
        raise OperationRefused(message)


def occupied(session: Session, shelves: Shelves, kind: Kind, path: str) -> bool:
    """Tell whether there is something of a kind under a path."""
    if kind == "library":
        return bool(shelves.at(path))
    around, _, name = path.rpartition("/")
    (table,) = TABLES[kind]
    column, library = AROUND[table]
    key = dict(shelves.at(around)).get(library)
    entity: type[PromptFlow | PromptTemplate] = PromptFlow if kind == "flow" else PromptTemplate
    return key is not None and first(session, entity, **{column: key, "name": name}) is not None

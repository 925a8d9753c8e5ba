"""What an organisation keeps, by name and place: one read, and no document is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import func, select

from promptstudio_lab.errors import NotFound
from promptstudio_lab.ids import is_id
from promptstudio_lab.warehouse.entities import (
    FlowNode,
    Pin,
    PromptFlow,
    PromptLab,
    PromptLibrary,
    PromptTemplate,
    Tag,
    WorkflowLibrary,
)
from promptstudio_lab.warehouse.libraries import path_of
from promptstudio_lab.warehouse.rows import count_by, first

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

    from promptstudio_lab.identity import Actor
    from promptstudio_lab.warehouse.entities.tenancy import Shown

L = TypeVar("L", PromptLibrary, WorkflowLibrary)


@dataclass(frozen=True, slots=True)
class Look:
    """How a thing looks among others.

    Attributes:
        color: its color, or None.
        icon: its icon, or None.
        order_key: its place among its siblings.
        tags: its tags, sorted.
        pinned: whether it is kept on top for whoever looks.
    """

    color: str | None
    icon: str | None
    order_key: str
    tags: tuple[str, ...]
    pinned: bool


@dataclass(frozen=True, slots=True)
class Shelf:
    """A library of either kind.

    Attributes:
        id: the library.
        lab_id: the lab that it belongs to.
        parent_id: the library around it, or None.
        name: what it is called.
        look: how it looks among others.
    """

    id: str
    lab_id: str
    parent_id: str | None
    name: str
    look: Look


@dataclass(frozen=True, slots=True)
class Entry:
    """A flow or a template in a library.

    Attributes:
        id: the flow or the template.
        library_id: where it lies.
        name: what it is called.
        version: its newest version, 0 before the first.
        look: how it looks among others.
        nodes: how many nodes a flow has; 0 for a template.
    """

    id: str
    library_id: str
    name: str
    version: int
    look: Look
    nodes: int = 0


@dataclass(frozen=True, slots=True)
class Contents:
    """Everything that has a place: labs as (id, name), their libraries, and what those hold."""

    labs: tuple[tuple[str, str], ...]
    flow_libraries: tuple[Shelf, ...]
    template_libraries: tuple[Shelf, ...]
    flows: tuple[Entry, ...]
    templates: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a thing lies: its lab, and its path there."""

    lab_id: str
    path: str


def contents(session: Session) -> Contents:
    """Return everything that the actor's organisation keeps under a name."""
    labs = session.execute(select(PromptLab.id, PromptLab.name).order_by(PromptLab.name))
    nodes = count_by(session, FlowNode, "flow_id")
    looks = _Looks(session)
    flows = session.execute(
        select(
            PromptFlow.id,
            PromptFlow.workflow_library_id,
            PromptFlow.name,
            PromptFlow.current_version,
            *_shown(PromptFlow),
        )
    )
    templates = session.execute(
        select(
            PromptTemplate.id,
            PromptTemplate.prompt_library_id,
            PromptTemplate.name,
            PromptTemplate.current_version,
            *_shown(PromptTemplate),
        ).where(PromptTemplate.prompt_library_id.is_not(None))
    )
    return Contents(
        labs=tuple((row.id, row.name) for row in labs),
        flow_libraries=_shelves(session, WorkflowLibrary, looks),
        template_libraries=_shelves(session, PromptLibrary, looks),
        flows=tuple(
            Entry(
                row.id,
                row.workflow_library_id,
                row.name,
                row.current_version,
                looks.of(row),
                nodes.get(row.id, 0),
            )
            for row in flows
        ),
        templates=tuple(
            Entry(row.id, str(row.prompt_library_id), row.name, row.current_version, looks.of(row))
            for row in templates
        ),
    )


def place_of_flow(session: Session, flow_id: str) -> Placed:
    """Return where a flow lies.

    Raises:
        NotFound: if there is no such flow in the actor's organisation.
    """
    flow = first(session, PromptFlow, id=flow_id) if is_id(flow_id) else None
    if flow is None:
        message = f"there is no flow {flow_id}"
        raise NotFound(message)
    return _placed(session, WorkflowLibrary, flow.workflow_library_id, flow.name)


def place_of_template(session: Session, template_id: str) -> Placed:
    """Return where a library's template lies.

    Raises:
        NotFound: if there is no such template in a library of the actor's organisation.
    """
    template = first(session, PromptTemplate, id=template_id) if is_id(template_id) else None
    if template is None or template.prompt_library_id is None:
        message = f"there is no template {template_id}"
        raise NotFound(message)
    return _placed(session, PromptLibrary, template.prompt_library_id, template.name)


def _placed(session: Session, kind: type[L], library_id: str, name: str) -> Placed:
    library = first(session, kind, id=library_id)
    if library is None:
        message = f"the library of {name!r} is gone"
        raise NotFound(message)
    return Placed(library.prompt_lab_id, f"{path_of(session, kind, library_id)}/{name}")


class _Looks:
    """How things look: their tags and pins are read once for all of them."""

    def __init__(self, session: Session) -> None:
        actor: Actor = session.info["actor"]
        self._tags: dict[str, set[str]] = {}
        for target, name in session.execute(select(_target(Tag), Tag.name)):
            self._tags.setdefault(target, set()).add(name)
        mine = select(_target(Pin)).where(Pin.pinned_for.in_(["", actor.id]))
        self._pinned = set(session.scalars(mine))

    def of(self, row: Any) -> Look:  # a row of any kind of thing
        tags = tuple(sorted(self._tags.get(row.id, ())))
        return Look(row.color, row.icon, row.order_key, tags, row.id in self._pinned)


def _target(entity: type[Tag | Pin]) -> ColumnElement[str]:
    return func.coalesce(*(getattr(entity, f"{name}_id") for name in entity.TARGETS))


def _shown(entity: type[Shown]) -> tuple[Any, ...]:  # columns of several types
    return entity.color, entity.icon, entity.order_key


def _shelves(session: Session, kind: type[L], looks: _Looks) -> tuple[Shelf, ...]:
    rows = session.execute(
        select(kind.id, kind.prompt_lab_id, kind.parent_id, kind.name, *_shown(kind))
    )
    return tuple(
        Shelf(row.id, row.prompt_lab_id, row.parent_id, row.name, looks.of(row)) for row in rows
    )

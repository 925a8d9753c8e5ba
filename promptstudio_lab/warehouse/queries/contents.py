"""What an organisation keeps, by name and place: one read, and no document is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import select

from promptstudio_lab.errors import NotFound
from promptstudio_lab.ids import is_id
from promptstudio_lab.warehouse.entities import (
    FlowNode,
    PromptFlow,
    PromptLab,
    PromptLibrary,
    PromptTemplate,
    WorkflowLibrary,
)
from promptstudio_lab.warehouse.libraries import path_of
from promptstudio_lab.warehouse.rows import count_by, first

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

L = TypeVar("L", PromptLibrary, WorkflowLibrary)


@dataclass(frozen=True, slots=True)
class Shelf:
    """A library of either kind.

    Attributes:
        id: the library.
        lab_id: the lab that it belongs to.
        parent_id: the library around it, or None.
        name: what it is called.
    """

    id: str
    lab_id: str
    parent_id: str | None
    name: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A flow or a template in a library.

    Attributes:
        id: the flow or the template.
        library_id: where it lies.
        name: what it is called.
        version: its newest version, 0 before the first.
        nodes: how many nodes a flow has; 0 for a template.
    """

    id: str
    library_id: str
    name: str
    version: int
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
    flows = session.execute(
        select(
            PromptFlow.id,
            PromptFlow.workflow_library_id,
            PromptFlow.name,
            PromptFlow.current_version,
        )
    )
    templates = session.execute(
        select(
            PromptTemplate.id,
            PromptTemplate.prompt_library_id,
            PromptTemplate.name,
            PromptTemplate.current_version,
        ).where(PromptTemplate.prompt_library_id.is_not(None))
    )
    return Contents(
        labs=tuple((row.id, row.name) for row in labs),
        flow_libraries=_shelves(session, WorkflowLibrary),
        template_libraries=_shelves(session, PromptLibrary),
        flows=tuple(Entry(*row, nodes.get(row.id, 0)) for row in flows),
        templates=tuple(
            Entry(row.id, str(row.prompt_library_id), row.name, row.current_version)
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


def _shelves(session: Session, kind: type[L]) -> tuple[Shelf, ...]:
    rows = session.execute(
        select(kind.id, kind.prompt_lab_id, kind.parent_id, kind.name).order_by(
            kind.order_key, kind.name
        )
    )
    return tuple(Shelf(*row) for row in rows)

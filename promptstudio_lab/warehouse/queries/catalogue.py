"""Everything of a lab that can be found: a few narrow reads, and never a payload."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from promptstudio_lab.identity import Actor


class Item(NamedTuple):
    """A row of a library, a flow or a template: as the database gives it."""

    id: str
    around: str | None
    name: str
    description: str | None
    category: str | None
    order_key: str
    updated_at: Any  # text on SQLite, a moment on PostgreSQL
    version: int
    content: str | None


class Use(NamedTuple):
    """What a node of a flow uses.

    Attributes:
        flow_id: the flow.
        kind: the node's kind.
        model: the model that it names, or None.
        reference: the template that it names, or None.
    """

    flow_id: str
    kind: str
    model: str | None
    reference: str | None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """A lab's things by table, and what is attached to them by id.

    Attributes:
        stamp: what changes whenever any of this does.
        items: by table.
        tags: by the thing's id.
        pinned: the ids of what is pinned for whoever looks.
    """

    stamp: tuple[int, ...]
    items: dict[str, list[Item]]
    tags: dict[str, list[str]]
    pinned: frozenset[str]


def catalogue(session: Session, lab_id: str, *, texts: bool) -> Catalogue:
    """Return everything that the lab's libraries hold.

    Args:
        session: of the actor.
        lab_id: the lab.
        texts: whether templates come with their current text.
    """
    moment = stamp(session, lab_id)
    items = {table: _items(session, query, lab_id) for table, query in _ITEMS.items()}
    wanted = _TEXTS if texts else _TEMPLATES
    items["prompt_template"] = _items(session, wanted, lab_id)
    tags: dict[str, list[str]] = {}
    for target, name in _rows(session, _TAGS, lab_id):
        tags.setdefault(target, []).append(name)
    pinned = frozenset(row[0] for row in _rows(session, _PINS, lab_id))
    return Catalogue(moment, items, tags, pinned)


def stamp(session: Session, lab_id: str) -> tuple[int, ...]:
    """Return what changes whenever something of a lab changes: its sequences and row versions."""
    (row,) = _rows(session, _STAMP, lab_id)
    return tuple(int(number or 0) for number in row)


def uses(session: Session, lab_id: str) -> list[Use]:
    """Return what the nodes of the lab's flows use."""
    dialect = session.connection().dialect.name
    return [Use._make(row) for row in _rows(session, _USES[dialect], lab_id)]


def versions(session: Session, lab_id: str) -> dict[tuple[str, str], int]:
    """Return the versions that labels name, by template and label."""
    return {(row[0], row[1]): row[2] for row in _rows(session, _LABELS, lab_id)}


def _items(session: Session, query: str, lab_id: str) -> list[Item]:
    return [Item._make(row) for row in _rows(session, query, lab_id)]


def _rows(session: Session, query: str, lab_id: str) -> Sequence[Any]:  # rows of several shapes
    actor: Actor = session.info["actor"]
    asked = {"organization": actor.organization_id, "lab": lab_id, "me": actor.id}
    named = {name: value for name, value in asked.items() if f":{name}" in query}
    return session.connection().execute(text(query), named).all()


_SHOWN = (
    "CAST(t.id AS TEXT), CAST(t.{around} AS TEXT), t.name, t.description, t.category, "
    "t.order_key, COALESCE(t.updated_at, t.created_at)"
)
_LIVE = "t.organization_id = :organization AND t.deleted_at IS NULL"
_IN_LAB = (
    "JOIN {library} AS l ON l.id = t.{library}_id AND l.organization_id = :organization "
    "AND l.prompt_lab_id = :lab"
)


def _of_libraries(table: str) -> str:
    shown = _SHOWN.format(around="parent_id")
    return f"SELECT {shown}, 0, NULL FROM {table} AS t WHERE {_LIVE} AND t.prompt_lab_id = :lab"


def _of_contents(table: str, library: str, content: str = "NULL", more: str = "") -> str:
    shown = _SHOWN.format(around=f"{library}_id")
    return (
        f"SELECT {shown}, t.current_version, {content} FROM {table} AS t "
        f"{_IN_LAB.format(library=library)} {more} WHERE {_LIVE}"
    )


# Sequences and versions only ever grow, so equal sums mean that nothing has changed.
_STAMP = """
SELECT (SELECT head_seq FROM prompt_lab WHERE organization_id = :organization AND id = :lab),
    f.flows, f.operations, f.versions, t.templates, t.versions
FROM (
    SELECT count(*) AS flows, sum(head_seq) AS operations, sum(current_version) AS versions
    FROM prompt_flow WHERE organization_id = :organization
) AS f CROSS JOIN (
    SELECT count(*) AS templates, sum(row_version) AS versions
    FROM prompt_template WHERE organization_id = :organization
) AS t"""
_ITEMS = {
    "workflow_library": _of_libraries("workflow_library"),
    "prompt_library": _of_libraries("prompt_library"),
    "prompt_flow": _of_contents("prompt_flow", "workflow_library"),
}
_TEMPLATES = _of_contents("prompt_template", "prompt_library")
_TEXTS = _of_contents(
    "prompt_template",
    "prompt_library",
    "v.content",
    "LEFT JOIN prompt_template_version AS v ON v.organization_id = :organization "
    "AND v.prompt_template_id = t.id AND v.version = t.current_version",
)
_TARGET = (
    "CAST(COALESCE(t.prompt_library_id, t.workflow_library_id, t.prompt_template_id, "
    "t.prompt_flow_id) AS TEXT)"
)
# Labs of one organisation share these two tables, which are small; ids tell whose they are.
_TAGS = f"SELECT {_TARGET}, t.name FROM tag AS t WHERE {_LIVE}"
_PINS = f"SELECT {_TARGET} FROM pin AS t WHERE {_LIVE} AND t.pinned_for IN ('', :me)"
_LABELLED = "CAST(t.prompt_template_id AS TEXT), t.name, t.version"
_LABELS = f"SELECT {_LABELLED} FROM template_label AS t WHERE {_LIVE}"


def _of_nodes(model: str, reference: str) -> str:
    return (
        f"SELECT CAST(t.flow_id AS TEXT), t.kind, {model}, {reference} FROM flow_node AS t "
        "JOIN prompt_flow AS f ON f.id = t.flow_id AND f.organization_id = :organization "
        "JOIN workflow_library AS l ON l.id = f.workflow_library_id "
        "AND l.organization_id = :organization AND l.prompt_lab_id = :lab "
        f"WHERE {_LIVE} AND f.deleted_at IS NULL"
    )


_USES = {
    "sqlite": _of_nodes(
        "json_extract(t.config, '$.model')", "json_extract(t.config, '$.prompt.ref')"
    ),
    "postgresql": _of_nodes("t.config->>'model'", "t.config->'prompt'->>'ref'"),
}

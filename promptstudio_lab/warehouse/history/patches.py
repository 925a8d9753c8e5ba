"""A patch as the log keeps it: changes of rows, with what people wrote kept as payloads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from promptstudio_lab.errors import NotFound
from promptstudio_lab.warehouse import payloads
from promptstudio_lab.warehouse.entities import Entity
from promptstudio_lab.warehouse.entities.tenancy import AuditableEntity
from promptstudio_lab.warehouse.types import CanonicalJson

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Table
    from sqlalchemy.orm import Session

    from promptstudio_lab.values import Json

Action = Literal["insert", "update", "delete", "restore"]

# People's things by table: what a change may touch.
ENTITIES: dict[str, type[AuditableEntity]] = {
    str(mapper.local_table): mapper.class_
    for mapper in Entity.registry.mappers
    if issubclass(mapper.class_, AuditableEntity)
}
TABLES: dict[str, Table] = {name: Entity.metadata.tables[name] for name in ENTITIES}

# What people write may have to be erased, so a patch holds only where it lies.
_WRITTEN = frozenset({"name", "description", "label", "category", "principal", "pinned_for"})
FREE_TEXT: dict[str, frozenset[str]] = {
    name: frozenset(
        column.name
        for column in table.columns
        if isinstance(column.type, CanonicalJson) or column.name in _WRITTEN
    )
    for name, table in TABLES.items()
}
_REFERENCE = "$payload"


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one row.

    Attributes:
        table: a table of people's things.
        id: the row.
        action: `insert` and `restore` make it live, `delete` hides it, `update` sets fields.
        fields: the new values by column; moments as ISO text.
    """

    table: str
    id: str
    action: Action
    fields: Mapping[str, Json] = field(default_factory=dict)


def entry(change: Change) -> dict[str, Json]:
    """Return a change as JSON, its text still in it."""
    return {
        "table": change.table,
        "id": change.id,
        "action": change.action,
        "fields": dict(change.fields),
    }


def without_text(session: Session, *patches: list[Json]) -> list[list[Json]]:
    """Return the patches with what people wrote kept as payloads, all of them at once."""
    texts = [
        each["fields"][name]
        for patch in patches
        for each in patch
        for name in sorted(each["fields"])
        if name in FREE_TEXT[each["table"]]
    ]
    ids = iter(payloads.put(session, texts) if texts else [])
    return [[_kept(each, ids) for each in patch] for patch in patches]


def _kept(each: Json, ids: Iterator[str]) -> dict[str, Json]:
    texts = FREE_TEXT[each["table"]]
    fields = {
        name: {_REFERENCE: next(ids)} if name in texts else value
        for name, value in sorted(each["fields"].items())
    }
    return {**each, "fields": fields}


def reference(value: Json) -> str | None:
    """Return the payload that a value in the log stands for, or None for a plain value."""
    # Documents never stand in the log themselves, so nothing else in it is a mapping.
    return value[_REFERENCE] if isinstance(value, dict) else None


def changes_of(session: Session, entries: list[Json]) -> list[Change]:
    """Return the changes of a patch or an inverse as the log keeps it.

    Raises:
        NotFound: if a text in it was erased.
    """
    values = [value for each in entries for value in each["fields"].values()]
    wanted = {key for value in values if (key := reference(value)) is not None}
    found = payloads.get_many(session, wanted) if wanted else {}
    if len(found) < len(wanted):
        message = "what this operation changed was erased, so it cannot be undone"
        raise NotFound(message)
    return [
        Change(
            each["table"],
            each["id"],
            each["action"],
            {
                name: value if (key := reference(value)) is None else found[key]
                for name, value in each["fields"].items()
            },
        )
        for each in entries
    ]

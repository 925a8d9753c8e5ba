"""Giving and taking permissions on a library; `access` is what asks for them."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from promptstudio_lab.errors import OperationRefused, did_you_mean
from promptstudio_lab.ids import new_id
from promptstudio_lab.warehouse.access import BY_ROLE, FORBIDDEN, STRENGTH
from promptstudio_lab.warehouse.access.nearest import decisive
from promptstudio_lab.warehouse.entities import (
    PromptLibraryPermission,
    WorkflowLibraryPermission,
)
from promptstudio_lab.warehouse.history.changelog import Change, Operation, Stream, record
from promptstudio_lab.warehouse.places.things import Thing, require_all
from promptstudio_lab.warehouse.rows import find, first
from promptstudio_lab.warehouse.types import iso

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy.orm import Session

    from promptstudio_lab.warehouse.access.nearest import Decisive

_ENTITIES: dict[str, type[PromptLibraryPermission | WorkflowLibraryPermission]] = {
    "workflow_library": WorkflowLibraryPermission,
    "prompt_library": PromptLibraryPermission,
}


def permit(
    session: Session,
    thing: Thing,
    who: tuple[str, str],
    permission: str,
    expires_at: datetime | None = None,
) -> None:
    """Give somebody, or everybody of a role, a permission; one that was given before is replaced.

    Args:
        session: a unit of work.
        thing: a library.
        who: `user` and a login, or `role` and a role.
        permission: `view`, `run`, `edit` or `manage`: each includes those before it.
        expires_at: when it ends; never by default.

    Raises:
        OperationRefused: if there is no such permission or role.
    """
    if permission not in STRENGTH:
        hint = did_you_mean(permission, STRENGTH)
        message = f"there is no permission {permission!r}.{hint}"
        raise OperationRefused(message)
    if expires_at is not None and expires_at.tzinfo is None:
        message = f"{expires_at.isoformat()} has no time zone; give an aware datetime"
        raise OperationRefused(message)
    moment = None if expires_at is None else iso(expires_at.astimezone(UTC))
    _set(session, thing, who, {"permission": permission, "expires_at": moment}, "permit")


def forbid(session: Session, thing: Thing, who: tuple[str, str]) -> None:
    """Let somebody, or everybody of a role, do nothing in a library, whatever else is permitted."""
    fields = {"permission": STRENGTH[0], "expires_at": iso(FORBIDDEN)}
    _set(session, thing, who, fields, "forbid")


def inherit(session: Session, thing: Thing) -> None:
    """Take all permissions off a library: what holds around it holds in it."""
    require_all(session, "manage", thing)
    changes = [
        Change(f"{table}_permission", row.id, "delete")
        for table, key in thing.rows
        for row in find(session, _ENTITIES[table], library_id=key)
    ]
    if changes:
        _record(session, thing, "inherit permissions", changes)


def permissions(session: Session, thing: Thing) -> Decisive:
    """Return what decides in a library: its own permissions, or the nearest library's."""
    return decisive(session, *thing.rows[0])


def _set(
    session: Session,
    thing: Thing,
    who: tuple[str, str],
    fields: Mapping[str, str | None],
    verb: str,
) -> None:
    kind, name = who
    if kind == "role" and name not in BY_ROLE:
        message = f"there is no role {name!r}.{did_you_mean(name, BY_ROLE)}"
        raise OperationRefused(message)
    if not name.strip():
        message = f"say whom to {verb}: a login, or role="
        raise OperationRefused(message)
    require_all(session, "manage", thing)
    changes = []
    for table, key in thing.rows:
        entity, permission = _ENTITIES[table], f"{table}_permission"
        row = first(session, entity, library_id=key, principal_kind=kind, principal=name)
        if row is not None:
            changes.append(Change(permission, row.id, "update", fields))
            continue
        made = {"library_id": key, "principal_kind": kind, "principal": name, **fields}
        changes.append(Change(permission, new_id(), "insert", made))
    _record(session, thing, verb, changes)


def _record(session: Session, thing: Thing, verb: str, changes: list[Change]) -> None:
    record(session, Stream("lab", thing.lab_id), Operation(verb, tuple(changes)))

"""The one place that decides what an actor may do: by role, and in a library by its permissions.

Without a permission on a library or one around it everybody works there by role. With some, the
nearest library that has any decides; an admin always may. Permissions guard what is changed and
what is run; whoever belongs to the organisation can read.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from promptstudio_lab.errors import AccessDenied
from promptstudio_lab.warehouse.access.nearest import best, decisive, decisive_at
from promptstudio_lab.warehouse.types import now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from promptstudio_lab.identity import Actor
    from promptstudio_lab.warehouse.access.nearest import Decisive

Right = Literal["read", "write"]
Permission = Literal["view", "run", "edit", "manage"]

STRENGTH: tuple[Permission, ...] = ("view", "run", "edit", "manage")
BY_ROLE: dict[str, Permission] = {"viewer": "view", "analyst": "edit", "admin": "manage"}
# The schema knows no denial: a permission that ended before any began forbids.
FORBIDDEN = datetime(1970, 1, 1, tzinfo=UTC)


def require(actor: Actor, right: Right) -> None:
    """Let the actor pass, or say why not.

    Raises:
        AccessDenied: if the actor is bound to no organisation, or may only look.
    """
    if not actor.organization_id:
        message = f"{actor.name} belongs to no organisation and may not {right}"
        raise AccessDenied(message)
    if right == "write" and actor.role == "viewer":
        message = f"{actor.name} is a viewer here, and viewers change nothing"
        raise AccessDenied(message)


def require_on(session: Session, right: Permission, table: str, row_id: str) -> None:
    """Let the session's actor do something to a library, a flow or a template, or say why not.

    Args:
        session: of the actor.
        right: what is about to be done.
        table: `workflow_library`, `prompt_library`, `prompt_flow` or `prompt_template`.
        row_id: the row.

    Raises:
        AccessDenied: naming the library that decides.
    """
    actor: Actor = session.info["actor"]
    if actor.role != "admin":
        _decide(actor, right, decisive(session, table, row_id))


def require_at(session: Session, right: Permission, lab_id: str, parts: Sequence[str]) -> None:
    """Let the session's actor do something at a path, whether there is a library or not.

    Raises:
        AccessDenied: naming the library that decides.
    """
    actor: Actor = session.info["actor"]
    if actor.role != "admin":
        found = decisive_at(session, lab_id, parts) if parts else None
        _decide(actor, right, found)


def _decide(actor: Actor, right: Permission, found: Decisive | None) -> None:
    allowed = _allowed(actor, found)
    if allowed is not None and STRENGTH.index(right) <= STRENGTH.index(allowed):
        return
    where = f"in {found.path!r}" if found and found.path else "here"
    has = f"may only {allowed}" if allowed else "may do nothing"
    message = (
        f"{actor.name} ({actor.role}) {has} {where}, and this needs the permission to {right}; "
        f"an admin or whoever may manage it can give that"
    )
    raise AccessDenied(message)


def _allowed(actor: Actor, found: Decisive | None) -> Permission | None:
    if found is None or not found.given:
        return BY_ROLE[actor.role]
    mine = {("user", actor.id), ("role", actor.role)}
    given = [each for each in found.given if (each.principal_kind, each.principal) in mine]
    if any(each.expires_at == FORBIDDEN for each in given):
        return None
    # What has ended gives nothing, but the library stays closed to whom it was closed.
    lasting = [each for each in given if each.expires_at is None or each.expires_at > now()]
    return best(lasting, STRENGTH)  # type: ignore[return-value]  # the words of the column's check

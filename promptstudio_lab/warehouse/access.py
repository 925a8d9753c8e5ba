"""The one place that decides what an actor may do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from promptstudio_lab.errors import AccessDenied

if TYPE_CHECKING:
    from promptstudio_lab.identity import Actor

Right = Literal["read", "write"]


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

"""Libraries of both kinds: found or made by their path within a lab."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import select

from promptstudio_lab.errors import NotFound, OperationRefused
from promptstudio_lab.ids import new_id
from promptstudio_lab.warehouse.access import require_at
from promptstudio_lab.warehouse.entities import PromptLibrary, WorkflowLibrary
from promptstudio_lab.warehouse.history.changelog import Change, Operation, Stream, record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

L = TypeVar("L", PromptLibrary, WorkflowLibrary)

DRAFTS = "Drafts"


def split(path: str) -> tuple[tuple[str, ...], str]:
    """Return the libraries and the name that a path such as `support/answers/triage` means.

    Raises:
        OperationRefused: if a part of the path is empty.

    >>> split("support/triage"), split("triage")
    ((('support',), 'triage'), (('Drafts',), 'triage'))
    """
    parts = [part.strip() for part in path.split("/")]
    if not all(parts):
        message = f"{path!r} is not a path such as 'support/triage'"
        raise OperationRefused(message)
    return tuple(parts[:-1]) or (DRAFTS,), parts[-1]


def find_library(session: Session, kind: type[L], lab_id: str, parts: Sequence[str]) -> L | None:
    """Return the library at a path, or None."""
    found: L | None = None
    for part in parts:
        parent = found.id if found else None
        found = session.scalars(
            select(kind).where(
                kind.prompt_lab_id == lab_id,
                kind.parent_id.is_(None) if parent is None else kind.parent_id == parent,
                kind.name == part,
            )
        ).first()
        if found is None:
            return None
    return found


def find_or_make(session: Session, kind: type[L], lab_id: str, parts: Sequence[str]) -> L:
    """Return the library at a path, making what is missing, for something that is put into it.

    Raises:
        AccessDenied: if the actor may not edit there.
    """
    require_at(session, "edit", lab_id, parts)
    for depth in range(1, len(parts) + 1):
        if find_library(session, kind, lab_id, parts[:depth]) is None:
            parent = find_library(session, kind, lab_id, parts[: depth - 1])
            fields = {
                "prompt_lab_id": lab_id,
                "parent_id": parent.id if parent else None,
                "name": parts[depth - 1],
            }
            change = Change(kind.__tablename__, new_id(), "insert", fields)
            record(session, Stream("lab", lab_id), Operation("create library", (change,)))
    found = find_library(session, kind, lab_id, parts)
    if found is None:
        message = f"there is no library {'/'.join(parts)!r}"
        raise NotFound(message)
    return found


def path_of(session: Session, kind: type[L], library_id: str | None) -> str:
    """Return the path of a library, its outermost first."""
    parts: list[str] = []
    while library_id is not None:
        row = session.get_one(kind, library_id)
        parts.insert(0, row.name)
        library_id = row.parent_id
    return "/".join(parts)

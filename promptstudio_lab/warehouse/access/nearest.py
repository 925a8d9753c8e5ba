"""What a place's permissions say, from the place itself up to its outermost library: one query.

A library of flows and a library of templates under one path are one place, so the permissions of
both count there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import TextClause
    from sqlalchemy.orm import Session

    from promptstudio_lab.identity import Actor


@dataclass(frozen=True, slots=True)
class Given:
    """One permission.

    Attributes:
        principal_kind: `user` or `role`.
        principal: who, or which role.
        permission: `view`, `run`, `edit` or `manage`.
        expires_at: when it ends, or None.
    """

    principal_kind: str
    principal: str
    permission: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Decisive:
    """The nearest library that has permissions.

    Attributes:
        path: the library; for a place without permissions, the place's own.
        given: its permissions; none if no library around has any.
    """

    path: str
    given: tuple[Given, ...]


def decisive(session: Session, table: str, row_id: str) -> Decisive:
    """Return what decides about a library, a flow or a template."""
    return _read(session, _of_row(table), {"id": row_id})


def decisive_at(session: Session, lab_id: str, parts: Sequence[str]) -> Decisive:
    """Return what decides about a path, whether there is a library already or not."""
    named = {f"name_{number}": name for number, name in enumerate(parts)}
    return _read(session, _of_path(len(parts)), {"lab": lab_id, **named})


_ABOVE = """
WITH RECURSIVE above(depth, name, lab_id, parent_id) AS (
    SELECT 0, name, prompt_lab_id, parent_id FROM {own}
    WHERE organization_id = :organization AND id = {seed}
    UNION ALL
    SELECT above.depth + 1, l.name, l.prompt_lab_id, l.parent_id
    FROM above JOIN {own} AS l ON l.id = above.parent_id WHERE l.organization_id = :organization
),
step(depth, name, lab_id, outermost) AS (
    SELECT depth, name, lab_id, CASE WHEN parent_id IS NULL THEN 1 ELSE 0 END FROM above
)"""
_DOWN = """
{alias}(depth, id) AS (
    SELECT step.depth, l.id FROM step JOIN {table} AS l ON l.name = step.name
    WHERE step.outermost = 1 AND l.parent_id IS NULL AND l.prompt_lab_id = step.lab_id
        AND l.organization_id = :organization AND l.deleted_at IS NULL
    UNION ALL
    SELECT step.depth, l.id FROM {alias}
    JOIN step ON step.depth = {alias}.depth - 1
    JOIN {table} AS l ON l.parent_id = {alias}.id AND l.name = step.name
    WHERE l.organization_id = :organization AND l.deleted_at IS NULL
)"""
_GIVEN = """
    SELECT {alias}.depth, p.principal_kind, p.principal, p.permission, p.expires_at
    FROM {alias} JOIN {table}_permission AS p ON p.library_id = {alias}.id
    WHERE p.organization_id = :organization AND p.deleted_at IS NULL"""
_WHOLE = """
SELECT step.depth, step.name, g.principal_kind, g.principal, g.permission, g.expires_at
FROM step LEFT JOIN given AS g ON g.depth = step.depth ORDER BY step.depth"""
_TWINS = {"of_flows": "workflow_library", "of_templates": "prompt_library"}
_PARENT = "(SELECT {column} FROM {table} WHERE organization_id = :organization AND id = :id)"
_SEEDS = {
    "workflow_library": ("workflow_library", ":id"),
    "prompt_library": ("prompt_library", ":id"),
    "prompt_flow": (
        "workflow_library",
        _PARENT.format(column="workflow_library_id", table="prompt_flow"),
    ),
    "prompt_template": (
        "prompt_library",
        _PARENT.format(column="prompt_library_id", table="prompt_template"),
    ),
}


@lru_cache
def _of_row(table: str) -> TextClause:
    own, seed = _SEEDS[table]
    return _with(_ABOVE.format(own=own, seed=seed))


@lru_cache
def _of_path(length: int) -> TextClause:
    steps = ", ".join(
        f"({length - 1 - number}, CAST(:name_{number} AS TEXT), {_LAB}, {int(number == 0)})"
        for number in range(length)
    )
    return _with(f"WITH RECURSIVE step(depth, name, lab_id, outermost) AS (VALUES {steps})")


_LAB = "(SELECT id FROM prompt_lab WHERE organization_id = :organization AND id = :lab)"


def _with(steps: str) -> TextClause:
    downs = (_DOWN.format(alias=alias, table=table) for alias, table in _TWINS.items())
    given = " UNION ALL ".join(
        _GIVEN.format(alias=alias, table=table) for alias, table in _TWINS.items()
    )
    head = "given(depth, principal_kind, principal, permission, expires_at)"
    return text(f"{steps}, {', '.join(downs)}, {head} AS ({given}) {_WHOLE}")


def _read(session: Session, query: TextClause, asked: dict[str, Any]) -> Decisive:  # bound values
    actor: Actor = session.info["actor"]
    bound = {"organization": actor.organization_id, **asked}
    rows = session.connection().execute(query, bound).all()
    names = {row.depth: row.name for row in rows}
    nearest = min((row.depth for row in rows if row.permission is not None), default=None)
    if nearest is None:
        return Decisive(_path(names, 0), ())
    found = {
        Given(row.principal_kind, row.principal, row.permission, _moment(row.expires_at))
        for row in rows
        if row.depth == nearest and row.permission is not None
    }
    ordered = sorted(found, key=lambda each: (each.principal_kind, each.principal))
    return Decisive(_path(names, nearest), tuple(ordered))


def _path(names: dict[int, str], nearest: int) -> str:
    return "/".join(names[depth] for depth in sorted(names, reverse=True) if depth >= nearest)


def _moment(value: datetime | str | None) -> datetime | None:
    if value is None:
        return None
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.astimezone(UTC)


def best(given: Iterable[Given], order: Sequence[str]) -> str | None:
    """Return the strongest of some permissions, or None if there is none."""
    return max((each.permission for each in given), key=order.index, default=None)

"""Finding rows by their columns, so that the floors above say what they want and not how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import func, select

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from promptstudio_lab.warehouse.entities import Entity

E = TypeVar("E", bound="Entity")


def find(
    session: Session,
    entity: type[E],
    *,
    order: Sequence[str] = ("id",),
    **where: Any,  # values of the columns' types
) -> list[E]:
    """Return the live rows whose columns have the given values.

    Args:
        session: of the actor, who sees the rows of one organisation only.
        entity: the table.
        order: columns to sort by; a leading `-` sorts downwards.
        where: values by column; None means no value, a list any of its members.
    """
    query = select(entity)
    for name, value in where.items():
        column = getattr(entity, name)
        if value is None:
            query = query.where(column.is_(None))
        elif isinstance(value, (list, tuple, set, frozenset)):
            query = query.where(column.in_(value))
        else:
            query = query.where(column == value)
    for name in order:
        column = getattr(entity, name.removeprefix("-"))
        query = query.order_by(column.desc() if name.startswith("-") else column)
    return list(session.scalars(query))


def first(
    session: Session,
    entity: type[E],
    *,
    order: Sequence[str] = ("id",),
    **where: Any,  # values of the columns' types
) -> E | None:
    """Return the first of the rows that `find` returns, or None."""
    return next(iter(find(session, entity, order=order, **where)), None)


def count_by(session: Session, entity: type[Entity], column: str) -> dict[str, int]:
    """Return how many live rows there are for each value of a column."""
    grouped = getattr(entity, column)
    rows = session.execute(select(grouped, func.count()).select_from(entity).group_by(grouped))
    return {str(key): int(count) for key, count in rows}

"""Runs whose process is gone, found by their lease."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import or_, select, text, update

from promptstudio_lab.warehouse.entities import FlowExecution
from promptstudio_lab.warehouse.types import now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

# Written out, and not bound: only so does the index of what is running answer.
_RUNNING = text("flow_execution.status = 'running'")


def lease_owners(session: Session) -> list[str]:
    """Return who holds the leases of the runs that are not over."""
    query = select(FlowExecution.lease_owner).where(_RUNNING).distinct()
    return [owner for owner in session.scalars(query) if owner]


def interrupt(session: Session, dead: Sequence[str]) -> int:
    """Mark the runs whose lease is over or whose owner is dead, and return how many there were.

    The lease epoch is raised, so a process that was only slow cannot finish the run any more.
    """
    moment = now()
    marked = session.scalars(
        update(FlowExecution)
        .where(
            _RUNNING,
            or_(FlowExecution.lease_until < moment, FlowExecution.lease_owner.in_(dead)),
        )
        .values(
            status="interrupted",
            completed_at=moment,
            error_code="interrupted",
            lease_epoch=FlowExecution.lease_epoch + 1,
        )
        .returning(FlowExecution.id)
        .execution_options(synchronize_session=False)
    )
    return len(marked.all())

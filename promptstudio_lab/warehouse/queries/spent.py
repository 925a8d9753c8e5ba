"""What a flow's runs have cost lately."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from promptstudio_lab.warehouse.entities import FlowExecution

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

_LATEST = 1_000


def spent(session: Session, flow_id: str) -> list[int]:
    """Return the cost of each of a flow's latest finished runs with a known price, newest first."""
    query = (
        select(FlowExecution.total_cost)
        .where(
            FlowExecution.flow_id == flow_id,
            FlowExecution.status.in_(("succeeded", "failed", "partial")),
            FlowExecution.total_cost.is_not(None),
        )
        .order_by(FlowExecution.id.desc())
        .limit(_LATEST)
    )
    return [int(cost) for cost in session.scalars(query) if cost is not None]

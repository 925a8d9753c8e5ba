"""One run with its nodes and calls, as people look at it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from promptstudio_lab.errors import NotFound
from promptstudio_lab.ids import is_id
from promptstudio_lab.money import to_usd
from promptstudio_lab.warehouse import payloads
from promptstudio_lab.warehouse.entities import (
    FlowExecution,
    FlowVariant,
    NodeAttempt,
    NodeExecution,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

    from promptstudio_lab.values import Json


def run_seen(session: Session, run_id: str) -> dict[str, Json]:
    """Return a run, its nodes in the order of their ending, and the nodes that are under way.

    Raises:
        NotFound: if there is no such run.
    """
    run = session.get(FlowExecution, run_id) if is_id(run_id) else None
    if run is None:
        message = f"there is no run {run_id!r}"
        raise NotFound(message)
    nodes = session.scalars(
        select(NodeExecution)
        .where(NodeExecution.flow_execution_id == run_id)
        .order_by(NodeExecution.completed_at, NodeExecution.id)
    ).all()
    rows: list[FlowExecution | NodeExecution] = [run, *nodes]
    keys = [key for row in rows for key in _payload_keys(row) if key]
    bodies = payloads.get_many(session, keys)
    variant = session.get(FlowVariant, run.variant_id) if run.variant_id else None
    return {
        "run": run.id,
        "flow": run.flow_id,
        "version": run.flow_version,
        "variant": variant.name if variant else None,
        "status": run.status,
        "started_at": run.started_at.isoformat(),
        "latency_ms": run.execution_time_ms,
        "cost_usd": _usd(run.total_cost),
        "input_tokens": run.total_input_tokens,
        "output_tokens": run.total_output_tokens,
        "simulated": run.simulated,
        **_bodies(run, bodies),
        "nodes": [_node(node, bodies) for node in nodes],
        "under_way": _under_way(session, run_id),
    }


def _node(node: NodeExecution, bodies: Mapping[str, Json]) -> dict[str, Json]:
    return {
        "id": node.id,
        "node": node.node_id,
        "name": node.node_key,
        "path": node.path,
        "status": node.status,
        "called": node.prompt_execution_id is not None,
        "cache_hit": node.cache_hit,
        "latency_ms": node.execution_time_ms,
        "cost_usd": _usd(node.cost),
        "input_tokens": node.input_tokens,
        "output_tokens": node.output_tokens,
        **_bodies(node, bodies),
    }


def _under_way(session: Session, run_id: str) -> list[dict[str, Json]]:
    query = select(NodeAttempt).where(
        NodeAttempt.flow_execution_id == run_id, NodeAttempt.status.in_(("started", "waiting"))
    )
    return [
        {"node": attempt.node_id, "path": attempt.path, "status": attempt.status}
        for attempt in session.scalars(query)
    ]


def _payload_keys(row: FlowExecution | NodeExecution) -> tuple[str | None, ...]:
    return row.input_payload_id, row.output_payload_id, row.error_payload_id


def _bodies(row: FlowExecution | NodeExecution, bodies: Mapping[str, Json]) -> dict[str, Json]:
    found = (bodies.get(key or "") for key in _payload_keys(row))
    return dict(zip(("inputs", "outputs", "error"), found, strict=True))


def _usd(nano: int | None) -> float | None:
    return None if nano is None else to_usd(nano)

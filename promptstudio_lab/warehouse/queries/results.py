"""Results of experiments and batches, one row an item and variant, as runs recorded them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select, text

from promptstudio_lab.values import Json, loads
from promptstudio_lab.warehouse.entities import FlowExecution, NodeExecution, Payload

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

_SELECT = """
SELECT
    fe.unit_key AS item, coalesce(v.name, 'control') AS variant, fe.status, fe.quality AS score,
    fe.total_input_tokens AS input_tokens, fe.total_output_tokens AS output_tokens,
    CAST(fe.total_cost AS DOUBLE PRECISION) / 1e9 AS cost_usd,
    fe.execution_time_ms AS latency_ms, problem.body AS error, fe.simulated,
    fe.id AS flow_execution_id, answer.body AS outputs
FROM flow_execution AS fe
LEFT JOIN flow_variant AS v ON v.id = fe.variant_id
LEFT JOIN payload AS answer ON answer.id = fe.output_payload_id
LEFT JOIN payload AS problem ON problem.id = fe.error_payload_id
WHERE fe.status IN ('succeeded', 'failed', 'partial')
    AND (fe.error_code IS NULL OR fe.error_code <> 'missing_key')
"""
_AT_ONCE = 1_000
_ORDER = " ORDER BY fe.unit_key, v.is_control DESC, v.id"


def experiment_results(session: Session, experiment_id: str) -> list[dict[str, Json]]:
    """Return each finished run: item, variant, status, outputs by name, score, cost and error."""
    query = f"{_SELECT} AND fe.experiment_id = :experiment_id AND v.id IS NOT NULL {_ORDER}"
    rows = session.execute(text(query), {"experiment_id": experiment_id}).mappings()
    return [_row(dict(row)) for row in rows]


def batch_results(session: Session, batch_id: str) -> Iterator[dict[str, Json]]:
    """Give each finished run of a batch, as `experiment_results` does."""
    query = text(f"{_SELECT} AND fe.batch_id = :batch_id {_ORDER}")
    query = query.execution_options(yield_per=_AT_ONCE)
    for row in session.execute(query, {"batch_id": batch_id}).mappings():
        yield _row(dict(row))


def batch_runs(session: Session, batch_id: str) -> Iterator[tuple[str, str, str]]:
    """Give the item's key, the status and the id of each run of a batch."""
    query = select(FlowExecution.unit_key, FlowExecution.status, FlowExecution.id)
    query = query.where(*_of_items(batch_id)).execution_options(yield_per=_AT_ONCE)
    for key, status, run_id in session.execute(query):
        yield str(key), status, run_id


def first_run(session: Session, batch_id: str) -> str | None:
    """Return the id of the first run of a batch, or None if none has begun."""
    query = select(FlowExecution.id).where(*_of_items(batch_id)).order_by(FlowExecution.id)
    return session.scalars(query.limit(1)).first()


def _of_items(batch_id: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return FlowExecution.batch_id == batch_id, FlowExecution.unit_key.is_not(None)


def statuses(session: Session, run_ids: Sequence[str]) -> dict[str, str]:
    """Return how runs stand, by id; one that has not begun is left out."""
    query = select(FlowExecution.id, FlowExecution.status).where(FlowExecution.id.in_(run_ids))
    return {row.id: row.status for row in session.execute(query)}


def batch_outputs(
    session: Session, batch_id: str, node_ids: Sequence[str]
) -> list[dict[str, dict[str, Json]]]:
    """Return what some nodes of each run of a batch gave: by node id, one mapping a run."""
    query = (
        select(FlowExecution.id, NodeExecution.node_id, Payload.body)
        .join(NodeExecution, NodeExecution.flow_execution_id == FlowExecution.id)
        .join(Payload, Payload.id == NodeExecution.output_payload_id)
        .where(
            FlowExecution.batch_id == batch_id,
            FlowExecution.unit_key.is_not(None),
            NodeExecution.node_id.in_(node_ids),
            NodeExecution.path == "",
            NodeExecution.status == "succeeded",
        )
        .order_by(FlowExecution.id)
    )
    found: dict[str, dict[str, dict[str, Json]]] = {}
    for run, node, body in session.execute(query):
        found.setdefault(run, {})[node] = loads(body)
    return list(found.values())


def _row(found: dict[str, Any]) -> dict[str, Json]:  # a row's columns have their own types
    outputs, problem = found.pop("outputs"), found.pop("error")
    return {
        **found,
        "simulated": bool(found["simulated"]),
        "flow_execution_id": str(found["flow_execution_id"]),
        "error": loads(problem)["message"] if problem else None,
        "outputs": loads(outputs) if outputs else {},
    }

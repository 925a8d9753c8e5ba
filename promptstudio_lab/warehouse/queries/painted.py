"""Runs as a canvas paints them: every node of one run, or what nodes are like over many runs."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, func, select, update

from promptstudio_lab.errors import Conflict, NotFound
from promptstudio_lab.ids import is_id
from promptstudio_lab.money import to_usd
from promptstudio_lab.values import dumps
from promptstudio_lab.warehouse import payloads
from promptstudio_lab.warehouse.entities import (
    Experiment,
    FlowExecution,
    FlowVariant,
    NodeAttempt,
    NodeExecution,
    PromptExecution,
)
from promptstudio_lab.warehouse.types import now

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from promptstudio_lab.values import Json

_MOST_RUNS = 50
_HEAT_RUNS = 200
# What a card shows of a value; the whole of it is asked for.
_SHOWN = 200
_MS = timedelta(milliseconds=1)
_GOING_ON = ("running", "waiting")


def runs_of(session: Session, flow_id: str, most: int = _MOST_RUNS) -> list[dict[str, Json]]:
    """Return the newest runs of a flow, with the variant that each ran, newest first."""
    query = (
        select(FlowExecution, FlowVariant.name, Experiment.name)
        .outerjoin(FlowVariant, FlowVariant.id == FlowExecution.variant_id)
        .outerjoin(Experiment, Experiment.id == FlowExecution.experiment_id)
        .where(FlowExecution.flow_id == flow_id)
        .order_by(FlowExecution.id.desc())
        .limit(most)
    )
    return [
        {**_run(row), "variant": variant, "experiment": experiment}
        for row, variant, experiment in session.execute(query)
    ]


def _run(row: FlowExecution) -> dict[str, Json]:
    return {
        "run": row.id,
        "flow": row.flow_id,
        "version": row.flow_version,
        "status": row.status,
        "trigger": row.trigger,
        "by": row.requested_by,
        "started_at": row.started_at.isoformat(),
        "latency_ms": row.execution_time_ms,
        "cost_usd": _usd(row.total_cost),
        "input_tokens": row.total_input_tokens,
        "output_tokens": row.total_output_tokens,
        "simulated": row.simulated,
    }


def painted(session: Session, run_id: str) -> dict[str, Json]:
    """Return a run with one entry a node: of one in a body, what its executions come to.

    Raises:
        NotFound: if there is no such run.
    """
    run = _found(session, run_id)
    nodes = session.scalars(
        select(NodeExecution)
        .where(NodeExecution.flow_execution_id == run_id)
        .order_by(NodeExecution.completed_at, NodeExecution.id)
    ).all()
    by_node: dict[str, list[NodeExecution]] = {}
    for node in nodes:
        by_node.setdefault(node.node_id, []).append(node)
    last = [rows[-1] for rows in by_node.values()]
    wanted = [key for row in last for key in (row.output_payload_id, row.error_payload_id) if key]
    failed = [row.error_payload_id for row in nodes if row.error_payload_id]
    bodies = payloads.get_many(session, [*wanted, *failed, *filter(None, [run.error_payload_id])])
    under_way = session.execute(
        select(NodeAttempt.node_id, NodeAttempt.status).where(
            NodeAttempt.flow_execution_id == run_id,
            NodeAttempt.status.in_(("started", "waiting")),
        )
    )
    return {
        **_run(run),
        "error": _short(bodies.get(run.error_payload_id or "")),
        "nodes": {
            key: {**_when(run, rows), **_node(rows, bodies)} for key, rows in by_node.items()
        },
        "under_way": {
            key: "running" if status == "started" else "waiting" for key, status in under_way
        },
    }


def _when(run: FlowExecution, rows: list[NodeExecution]) -> dict[str, Json]:
    """Return from when to when a node was at work, in milliseconds since the run began."""
    began = min(row.started_at for row in rows) - run.started_at
    ended = max(row.completed_at for row in rows) - run.started_at
    return {"began_ms": began / _MS, "ended_ms": ended / _MS}


def _node(rows: list[NodeExecution], bodies: dict[str, Json]) -> dict[str, Json]:
    wrong = [row for row in rows if row.status == "failed"]
    errors = (bodies.get(row.error_payload_id or "") for row in wrong)
    costs, simply = [row.cost for row in rows], rows[-1]
    return {
        "status": _status(rows),
        "times": len(rows),
        "failed": len(wrong),
        "cached": all(row.cache_hit for row in rows),
        "latency_ms": sum(row.execution_time_ms for row in rows),
        "cost_usd": None if None in costs else to_usd(sum(filter(None, costs))),
        "input_tokens": sum(row.input_tokens or 0 for row in rows),
        "output_tokens": sum(row.output_tokens or 0 for row in rows),
        "error": _short(next(errors, None)),
        "output": _short(bodies.get(simply.output_payload_id or "")),
    }


def _status(rows: list[NodeExecution]) -> str:
    found = {row.status for row in rows}
    return next(
        (name for name in ("failed", "cancelled", "succeeded") if name in found), rows[-1].status
    )


def _short(value: Json) -> str | None:
    """Return the beginning of a value as text; of a single output, of that.

    A yes or no keeps its name: of a switch it is the branch that opened.
    """
    if value is None:
        return None
    if isinstance(value, dict) and "message" in value and "node" in value:
        value = value["message"]
    if isinstance(value, dict) and len(value) == 1:
        (only,) = value.values()
        value = value if isinstance(only, bool) else only
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_plain(part)}" for name, part in value.items())[:_SHOWN]
    return _plain(value)[:_SHOWN]


def _plain(value: Json) -> str:
    return value if isinstance(value, str) else dumps(value)


def node_seen(session: Session, run_id: str, node_id: str, nth: int = 0) -> dict[str, Json]:
    """Return one execution of a node in a run, with all that it took, gave and asked.

    Args:
        session: within a transaction.
        run_id: the run.
        node_id: the node.
        nth: which of its executions, where a body ran several times.

    Raises:
        NotFound: if it did not run there.
    """
    rows = session.scalars(
        select(NodeExecution)
        .where(NodeExecution.flow_execution_id == run_id, NodeExecution.node_id == node_id)
        .order_by(NodeExecution.path, NodeExecution.completed_at, NodeExecution.id)
    ).all()
    if not 0 <= nth < len(rows):
        message = "the node has not run there"
        raise NotFound(message)
    row = rows[nth]
    calls = session.scalars(
        select(PromptExecution)
        .where(PromptExecution.node_execution_id == row.id)
        .order_by(PromptExecution.call_index)
    ).all()
    keys = [row.input_payload_id, row.output_payload_id, row.error_payload_id]
    keys += [key for call in calls for key in (call.request_payload_id, call.response_payload_id)]
    bodies = payloads.get_many(session, [key for key in keys if key])
    return {
        "times": len(rows),
        "path": row.path,
        "status": row.status,
        "cached": row.cache_hit,
        "latency_ms": row.execution_time_ms,
        "cost_usd": _usd(row.cost),
        "saved_usd": _usd(row.saved_cost),
        "inputs": bodies.get(row.input_payload_id or ""),
        "outputs": bodies.get(row.output_payload_id or ""),
        "error": bodies.get(row.error_payload_id or ""),
        "calls": [_call(call, bodies) for call in calls],
    }


def _call(row: PromptExecution, bodies: dict[str, Json]) -> dict[str, Json]:
    return {
        "model": f"{row.provider}:{row.model}",
        "status": row.status,
        "latency_ms": row.latency_ms,
        "cost_usd": _usd(row.cost),
        "input_tokens": row.input_tokens,
        "output_tokens": row.output_tokens,
        "template_version": row.template_version,
        "request": bodies.get(row.request_payload_id or ""),
        "response": bodies.get(row.response_payload_id or ""),
    }


def heat(session: Session, flow_id: str, variant: str | None = None) -> dict[str, Json]:
    """Return what each node is like over the flow's newest runs, or those of a variant.

    Returns:
        How many `runs` were looked at, and by node id the mean of its cost and latency a time it
        ran, how often it ran, and the share of these that failed.
    """
    recent = (
        select(FlowExecution.id)
        .where(FlowExecution.flow_id == flow_id)
        .order_by(FlowExecution.id.desc())
        .limit(_HEAT_RUNS)
    )
    if variant is not None:
        recent = recent.where(FlowExecution.variant_id == variant)
    chosen = recent.subquery()
    ran = NodeExecution.status.in_(("succeeded", "failed"))
    query: Any = (  # an aggregate has no type of its own here
        select(
            NodeExecution.node_id,
            func.count(),
            func.avg(NodeExecution.cost),
            func.avg(NodeExecution.execution_time_ms),
            func.avg(case((NodeExecution.status == "failed", 1.0), else_=0.0)),
        )
        .join(chosen, chosen.c.id == NodeExecution.flow_execution_id)
        .where(ran)
        .group_by(NodeExecution.node_id)
    )
    nodes = {
        key: {
            "times": int(times),
            "cost_usd": None if cost is None else float(cost) / 1e9,
            "latency_ms": float(latency),
            "errors": float(share),
        }
        for key, times, cost, latency, share in session.execute(query)
    }
    return {"runs": session.scalar(select(func.count()).select_from(chosen)), "nodes": nodes}


def variants_of(session: Session, flow_id: str) -> list[dict[str, Json]]:
    """Return the variants of a flow's experiments, the newest experiment first."""
    query = (
        select(FlowVariant.id, FlowVariant.name, Experiment.name)
        .join(Experiment, Experiment.id == FlowVariant.experiment_id)
        .where(FlowVariant.flow_id == flow_id)
        .order_by(Experiment.id.desc(), FlowVariant.id)
    )
    return [
        {"id": key, "name": name, "experiment": experiment}
        for key, name, experiment in session.execute(query)
    ]


def stop(session: Session, run_id: str) -> None:
    """End a run that is queued or goes on; whoever has it in hand loses it, and sees that.

    What it has spent until now is added up; a call in flight makes the sum unknown.

    Raises:
        NotFound: if there is no such run.
        Conflict: if it is over already.
    """
    run = _found(session, run_id)
    if run.status not in _GOING_ON:
        message = f"the run is over: {run.status}"
        raise Conflict(message)
    in_flight = session.scalar(
        select(func.count()).where(
            NodeAttempt.flow_execution_id == run_id, NodeAttempt.status == "started"
        )
    )
    costs = session.scalars(
        select(PromptExecution.cost).where(PromptExecution.flow_execution_id == run_id)
    ).all()
    session.execute(
        update(FlowExecution)
        .where(FlowExecution.id == run_id, FlowExecution.status.in_(_GOING_ON))
        .values(
            status="cancelled",
            completed_at=now(),
            lease_epoch=FlowExecution.lease_epoch + 1,
            lease_owner=None,
            lease_until=None,
            error_code="stopped",
            total_cost=None if in_flight or None in costs else sum(filter(None, costs)),
        )
        .execution_options(synchronize_session=False)
    )


def stopped(session: Session, run_ids: list[str]) -> list[str]:
    """Return those of some runs that somebody has ended from elsewhere."""
    query = select(FlowExecution.id).where(
        FlowExecution.id.in_(run_ids), FlowExecution.error_code == "stopped"
    )
    return list(session.scalars(query)) if run_ids else []


def _found(session: Session, run_id: str) -> FlowExecution:
    run = session.get(FlowExecution, run_id) if is_id(run_id) else None
    if run is None:
        message = f"there is no run {run_id!r}"
        raise NotFound(message)
    return run


def _usd(nano: int | None) -> float | None:
    return None if nano is None else to_usd(nano)

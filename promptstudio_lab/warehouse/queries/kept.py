"""What a run has behind it: the nodes that are over, the questions that are open, what it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select, update

from promptstudio_lab.errors import Conflict, NotFound
from promptstudio_lab.ids import is_id
from promptstudio_lab.warehouse import payloads
from promptstudio_lab.warehouse.entities import (
    FlowExecution,
    FlowVariant,
    NodeAttempt,
    NodeExecution,
    PromptExecution,
    PromptFlow,
)
from promptstudio_lab.warehouse.queries.experiments.units import Ended, unfold
from promptstudio_lab.warehouse.types import now

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from sqlalchemy.orm import Session

    from promptstudio_lab.identity import Actor
    from promptstudio_lab.values import Json

OPEN = ("interrupted", "waiting", "failed", "cancelled", "partial")


@dataclass(frozen=True, slots=True)
class NodeGiven:
    """A node that is over.

    Attributes:
        id: its execution.
        node_id: the node.
        path: where in the flow's bodies it ran.
        status: how it ended.
        outputs: what it gave.
        cost: nano-dollars, or None when that is not known.
        input_tokens: what its calls read.
        output_tokens: what its calls wrote.
        called: whether it reached a model.
        repeated: whether it only gave what another execution had given.
        simulated: whether a stand-in answered for it; told of what `cached` finds.
    """

    id: str
    node_id: str
    path: str
    status: str
    outputs: dict[str, Json] | None
    cost: int | None
    input_tokens: int | None
    output_tokens: int | None
    called: bool
    repeated: bool = False
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class RunGiven:
    """A run as it is recorded.

    Attributes:
        id: the run.
        flow_id: the flow.
        status: how it stands.
        epoch: how often it has begun.
        variant: the name of its variant.
        unit_key: what experiments pair by.
        item_id: the row of the dataset.
        values: the item.
        outputs: what it answered.
        plan: what it runs, as a document.
        nodes: what is over, oldest first; a node that ran twice stands twice.
        answers: what people answered, by node id and path.
        simulated: whether a stand-in answered any call.
        unknown: the nodes of which nobody knows whether they reached outside: a process died.
    """

    id: str
    flow_id: str
    status: str
    epoch: int
    variant: str | None
    unit_key: str | None
    item_id: str | None
    values: dict[str, Json]
    outputs: dict[str, Json]
    plan: Json
    nodes: tuple[NodeGiven, ...]
    answers: dict[tuple[str, str], Json]
    simulated: bool
    unknown: frozenset[str]


def ready(session: Session) -> list[str]:
    """Return the runs that wait for nobody but a worker, oldest first."""
    asked = select(NodeAttempt.id).where(
        NodeAttempt.flow_execution_id == FlowExecution.id, NodeAttempt.status == "waiting"
    )
    query = (
        select(FlowExecution.id)
        .where(FlowExecution.status == "waiting", ~asked.exists())
        .order_by(FlowExecution.id)
    )
    return list(session.scalars(query))


def is_run(session: Session, run_id: str) -> bool:
    """Tell whether a run has begun."""
    return session.get(FlowExecution, run_id) is not None


def run_given(session: Session, run_id: str) -> RunGiven:
    """Return a run with everything that is needed to go on with it.

    Raises:
        NotFound: if there is no such run, or it was recorded before runs kept what they ran.
    """
    row = session.get(FlowExecution, run_id) if is_id(run_id) else None
    if row is None:
        message = f"there is no run {run_id!r}"
        raise NotFound(message)
    if row.plan_payload_id is None:
        message = f"run {run_id} does not say what it ran: it is older than that record"
        raise NotFound(message)
    variant = session.get(FlowVariant, row.variant_id) if row.variant_id else None
    return RunGiven(
        id=row.id,
        flow_id=row.flow_id,
        status=row.status,
        epoch=row.lease_epoch,
        variant=variant.name if variant else None,
        unit_key=row.unit_key,
        item_id=row.dataset_item_id,
        values=payloads.get(session, row.input_payload_id) if row.input_payload_id else {},
        outputs=payloads.get(session, row.output_payload_id) if row.output_payload_id else {},
        plan=payloads.get(session, row.plan_payload_id),
        nodes=tuple(_nodes(session, run_id)),
        answers=_answers(session, run_id),
        simulated=row.simulated or _simulated(session, run_id),
        unknown=_unknown(session, run_id),
    )


def _nodes(session: Session, run_id: str) -> list[NodeGiven]:
    query = select(NodeExecution).where(NodeExecution.flow_execution_id == run_id)
    rows = session.scalars(query.order_by(NodeExecution.completed_at, NodeExecution.id)).all()
    bodies = payloads.get_many(session, [r.output_payload_id for r in rows if r.output_payload_id])
    return [
        NodeGiven(
            row.original_node_execution_id or row.id,
            row.node_id,
            row.path,
            row.status,
            bodies.get(row.output_payload_id or ""),
            row.cost,
            row.input_tokens,
            row.output_tokens,
            row.prompt_execution_id is not None,
            row.cache_hit,
        )
        for row in rows
    ]


def _answers(session: Session, run_id: str) -> dict[tuple[str, str], Json]:
    query = select(NodeAttempt).where(
        NodeAttempt.flow_execution_id == run_id, NodeAttempt.answer_payload_id.is_not(None)
    )
    return {
        (row.node_id, row.path or ""): payloads.get(session, str(row.answer_payload_id))
        for row in session.scalars(query)
    }


def _simulated(session: Session, run_id: str) -> bool:
    query = select(func.count()).where(
        PromptExecution.flow_execution_id == run_id, PromptExecution.simulated
    )
    return bool(session.scalar(query))


def _unknown(session: Session, run_id: str) -> frozenset[str]:
    query = select(NodeAttempt.node_id).where(
        NodeAttempt.flow_execution_id == run_id, NodeAttempt.status.in_(("started", "unknown"))
    )
    return frozenset(session.scalars(query))


def claim(
    session: Session,
    run_id: str,
    owner: str,
    until: datetime,
    standing: tuple[str, ...] = OPEN,
) -> RunGiven:
    """Take a run that stands still, and return it as nobody else can change it; one taker wins.

    Whoever had it may still be writing, so nothing is read before the run is locked and the calls
    without an end are given up: what is written of them later no longer counts.

    Args:
        session: within a transaction.
        run_id: the run.
        owner: who takes it.
        until: how long they have it, if they do not renew that.
        standing: in which states it may be taken.

    Raises:
        NotFound: if there is no such run, or it was recorded before runs kept what they ran.
        Conflict: if it goes on already, or is over.
    """
    found = (
        select(FlowExecution.status, FlowExecution.experiment_id)
        .where(FlowExecution.id == run_id)
        .with_for_update(key_share=True)
    )
    row = session.execute(found).one_or_none() if is_id(run_id) else None
    if row is not None and row.status not in standing:
        message = f"run {run_id} is {row.status}: somebody goes on with it, or it is over"
        raise Conflict(message)
    if row is not None and row.experiment_id is not None:
        unfold(session.connection(), [Ended(run_id, row.experiment_id)])
    session.execute(
        update(FlowExecution)
        .where(FlowExecution.id == run_id)
        .values(
            status="running",
            lease_owner=owner,
            lease_until=until,
            lease_epoch=FlowExecution.lease_epoch + 1,
            completed_at=None,
            error_code=None,
            error_payload_id=None,
        )
        .execution_options(synchronize_session=False)
    )
    # Whether a call of a process that died was made, nobody knows: it may have cost something.
    session.execute(
        update(NodeAttempt)
        .where(NodeAttempt.flow_execution_id == run_id, NodeAttempt.status == "started")
        .values(status="unknown", completed_at=now())
        .execution_options(synchronize_session=False)
    )
    return run_given(session, run_id)


def release(session: Session, taken: Mapping[str, int]) -> None:
    """Give back runs that were claimed and never went on.

    Args:
        session: within a transaction.
        taken: their epochs, as `claim` returned them; whoever has taken one since keeps it.
    """
    for run_id, epoch in taken.items():
        session.execute(
            update(FlowExecution)
            .where(
                FlowExecution.id == run_id,
                FlowExecution.lease_epoch == epoch,
                FlowExecution.status == "running",
            )
            .values(status="interrupted", completed_at=now(), error_code="interrupted")
            .execution_options(synchronize_session=False)
        )


def cached(session: Session, key: str) -> NodeGiven | None:
    """Return the newest node that did the same to the same, or None."""
    row = session.scalars(
        select(NodeExecution)
        .where(NodeExecution.cache_key == key, NodeExecution.status == "succeeded")
        .order_by(NodeExecution.id.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    outputs = payloads.get_many(session, filter(None, [row.output_payload_id]))
    first = row.original_node_execution_id
    really = session.get(NodeExecution, first) if first else None
    return NodeGiven(
        row.original_node_execution_id or row.id,
        row.node_id,
        row.path,
        row.status,
        outputs.get(row.output_payload_id or ""),
        row.saved_cost if row.cache_hit else row.cost,
        row.input_tokens,
        row.output_tokens,
        row.prompt_execution_id is not None,
        row.cache_hit,
        _simulated(session, (really or row).flow_execution_id),
    )


def answer(session: Session, question_id: str, value: Json, check: Callable[[Json], None]) -> str:
    """Write down what a person answered and return the run that waited for it.

    Args:
        session: within a transaction.
        question_id: the question.
        value: the answer.
        check: gets the question, and raises if the answer is none to it.

    Raises:
        NotFound: if there is no such question.
        Conflict: if it is answered already.
    """
    actor: Actor = session.info["actor"]
    row = session.get(NodeAttempt, question_id) if is_id(question_id) else None
    if row is None or row.question_payload_id is None:
        message = f"there is no question {question_id!r}; lab.questions() lists the open ones"
        raise NotFound(message)
    check(payloads.get(session, row.question_payload_id))
    (key,) = payloads.put(session, [value])
    written = session.execute(
        update(NodeAttempt)
        .where(NodeAttempt.id == question_id, NodeAttempt.status == "waiting")
        .values(status="succeeded", completed_at=now(), answer_payload_id=key, answered_by=actor.id)
        .execution_options(synchronize_session=False)
    )
    if written.rowcount != 1:  # type: ignore[attr-defined]  # an UPDATE has a row count
        message = f"question {question_id} was answered by {row.answered_by} already"
        raise Conflict(message)
    return row.flow_execution_id


def questions(session: Session) -> list[dict[str, Json]]:
    """Return the questions that nobody has answered, oldest first."""
    query = (
        select(NodeAttempt, PromptFlow.name)
        .join(FlowExecution, FlowExecution.id == NodeAttempt.flow_execution_id)
        .join(PromptFlow, PromptFlow.id == FlowExecution.flow_id)
        .where(NodeAttempt.status == "waiting")
        .order_by(NodeAttempt.id)
    )
    rows = session.execute(query).all()
    asked = payloads.get_many(session, [str(row.question_payload_id) for row, _ in rows])
    return [
        {
            "question_id": row.id,
            "flow": flow,
            "node": row.node_key,
            "path": row.path,
            "asked_at": row.started_at,
            "flow_execution_id": row.flow_execution_id,
            **_shown(asked.get(str(row.question_payload_id), {})),
        }
        for row, flow in rows
    ]


def _shown(question: Json) -> dict[str, Json]:
    return {name: question.get(name) for name in ("prompt", "value", "schema")}

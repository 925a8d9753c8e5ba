"""Records as rows: what the recorder writes, table by table."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache, singledispatch
from typing import TYPE_CHECKING, Any

from promptstudio_lab.engine.records import (
    AttemptStarted,
    CallEnded,
    NodeEnded,
    RunEnded,
    RunStarted,
)
from promptstudio_lab.engine.replay.pinned import pinned
from promptstudio_lab.ids import derived_id, time_of
from promptstudio_lab.values import Json, dumps
from promptstudio_lab.warehouse import payloads

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from promptstudio_lab.engine.plan import Plan
    from promptstudio_lab.warehouse.append import Row
    from promptstudio_lab.warehouse.payloads import PayloadAddress

_UNKNOWN_YET = False

# Parents before those that refer to them.
COLUMNS: dict[str, tuple[str, ...]] = {
    "payload": payloads.COLUMNS,
    "flow_execution": (
        "id", "organization_id", "flow_id", "flow_version", "change_seq", "variant_id",
        "experiment_id", "dataset_item_id", "batch_id", "unit_key", "requested_by", "executed_by",
        "trigger", "origin", "status", "started_at", "simulated", "input_payload_id",
        "lease_owner", "lease_until", "lease_epoch", "plan_payload_id", "created_at", "created_by",
    ),
    "node_attempt": (
        "id", "organization_id", "flow_execution_id", "node_execution_id", "node_id", "attempt",
        "status", "started_at", "lease_epoch", "node_key", "path", "question_payload_id",
        "created_at", "created_by",
    ),
    "node_execution": (
        "id", "organization_id", "flow_execution_id", "flow_id", "flow_version", "node_id",
        "node_key", "path", "status", "started_at", "completed_at", "execution_time_ms", "cost",
        "input_tokens", "output_tokens", "cache_hit", "attempt_count", "prompt_template_id",
        "template_version", "prompt_execution_id", "input_payload_id", "output_payload_id",
        "error_code", "error_payload_id", "cache_key", "saved_cost", "original_node_execution_id",
        "created_at", "created_by",
    ),
    "prompt_execution": (
        "id", "organization_id", "flow_execution_id", "node_execution_id", "call_index",
        "prompt_template_id", "template_version", "provider", "model", "status", "finish_reason",
        "error_code", "input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens", "cost",
        "price_source", "latency_ms", "first_token_ms", "request_payload_id",
        "response_payload_id", "provider_request_id", "simulated", "created_at", "created_by",
    ),
    "execution_metric": (
        "id", "organization_id", "flow_execution_id", "node_execution_id", "metric_name",
        "metric_value", "metric_unit", "metric_timestamp", "dimensions", "created_at",
        "created_by",
    ),
    "experiment_exposure": (
        "id", "organization_id", "experiment_id", "variant_id", "unit_key", "exposed_at",
        "created_at", "created_by",
    ),
}  # fmt: skip

UPDATES = {
    "attempt": "UPDATE node_attempt SET status = ?, completed_at = ?, error_code = ? "
    "WHERE id = ? AND status = 'started'",
    # A run is finished once, by whoever still holds its lease.
    "run": "UPDATE flow_execution SET status = ?, completed_at = ?, execution_time_ms = ?, "
    "total_cost = ?, total_input_tokens = ?, total_output_tokens = ?, success = ?, quality = ?, "
    "simulated = ?, output_payload_id = ?, error_code = ?, error_payload_id = ? "
    "WHERE id = ? AND status = 'running' AND lease_owner = ? AND lease_epoch = ?",
    "lease": "UPDATE flow_execution SET lease_until = ? "
    "WHERE status = 'running' AND lease_owner = ?",
}


@dataclass(slots=True)
class Rows:
    """Rows to insert by table, and updates to run after them."""

    inserts: dict[str, list[Row]] = field(default_factory=dict)
    updates: dict[str, list[Row]] = field(default_factory=dict)

    def add(self, table: str, *values: Any) -> None:  # one value a column
        """Add one row, its values in the order of `COLUMNS`."""
        self.inserts.setdefault(table, []).append(values)

    def in_order(self) -> Iterator[tuple[str, tuple[Sequence[str], list[Row]]]]:
        """Give the tables that have rows, parents first."""
        for table, columns in COLUMNS.items():
            if table in self.inserts:
                yield table, (columns, self.inserts[table])

    @classmethod
    def joined(cls, parts: list[Rows]) -> Rows:
        """Return the rows of several records as one group."""
        whole = cls()
        for part in parts:
            for table, rows in part.inserts.items():
                whole.inserts.setdefault(table, []).extend(rows)
            for name, rows in part.updates.items():
                whole.updates.setdefault(name, []).extend(rows)
        if "payload" in whole.inserts:
            # What one node gives the next one takes: each value is written once a group.
            whole.inserts["payload"] = list(
                {row[0]: row for row in whole.inserts["payload"]}.values()
            )
        return whole


@singledispatch
def rows_of(
    record: object, address: PayloadAddress, owner: str = "", until: datetime | None = None
) -> Rows:
    """Return the rows that a record means.

    Args:
        record: what the engine told.
        address: computes where payloads lie.
        owner: who holds the run's lease.
        until: when the lease ends.
    """
    raise TypeError(type(record).__name__)


@rows_of.register(RunStarted)
def _started(
    run: RunStarted, address: PayloadAddress, owner: str = "", until: datetime | None = None
) -> Rows:
    rows, plan, item = Rows(), run.plan, run.input
    rows.add(
        "flow_execution",
        item.run_id, plan.organization_id, plan.flow_id, plan.flow_version, plan.change_seq,
        run.variant.variant_id, plan.experiment_id, item.item_id, plan.batch_id, item.unit_key,
        plan.requested_by, plan.executed_by, plan.trigger, plan.origin,
        "running" if owner else "waiting", run.started_at,
        _UNKNOWN_YET, _payload(rows, run, address, dict(item.values)),
        owner or None, until, run.input.past.epoch, _plan_payload(rows, run, address),
        _made_at(run), plan.executed_by,
    )  # fmt: skip
    if plan.experiment_id and run.variant.variant_id and item.unit_key is not None:
        rows.add(
            "experiment_exposure",
            derived_id(item.run_id, "exposure"), plan.organization_id, plan.experiment_id,
            run.variant.variant_id, item.unit_key, run.started_at, _made_at(run),
            plan.executed_by,
        )  # fmt: skip
    return rows


@rows_of.register(AttemptStarted)
def _attempt(
    attempt: AttemptStarted,
    address: PayloadAddress,
    owner: str = "",
    until: datetime | None = None,
) -> Rows:
    rows, plan = Rows(), attempt.run.plan
    rows.add(
        "node_attempt",
        attempt_id(attempt), plan.organization_id, attempt.run.input.run_id,
        attempt.node_execution_id, attempt.step.node_id, attempt.attempt, "started",
        attempt.started_at, attempt.run.input.past.epoch, attempt.step.name, attempt.path, None,
        _made_at(attempt.run), plan.executed_by,
    )  # fmt: skip
    return rows


@rows_of.register(NodeEnded)
def _node(
    node: NodeEnded,
    address: PayloadAddress,
    owner: str = "",
    until: datetime | None = None,
) -> Rows:
    rows, run, step = Rows(), node.run, node.step
    if node.question is not None:
        # What holds the node that asks only waits with it.
        if not step.body:
            _question(rows, node, address)
        return rows
    used = next((call for call in reversed(node.calls) if call.failure is None), None)
    prompt = step.prompt
    rows.add(
        "node_execution",
        node.node_execution_id, run.plan.organization_id, run.input.run_id,
        step.flow.flow_id if step.flow else run.plan.flow_id,
        step.flow.version if step.flow else run.plan.flow_version,
        step.node_id, step.key, node.path, node.status, node.started_at,
        node.completed_at, node.execution_time_ms, node.cost, node.input_tokens,
        node.output_tokens, node.original is not None, max(1, len(node.calls)),
        prompt.template_id if prompt else None, prompt.version if prompt else None,
        used.prompt_execution_id if used else None,
        _payload(rows, run, address, node.inputs), _payload(rows, run, address, node.outputs),
        node.error_code, _payload(rows, run, address, node.error), node.cache_key,
        node.original.cost if node.original else None,
        node.original.node_execution_id if node.original else None,
        _made_at(run), run.plan.executed_by,
    )  # fmt: skip
    for metric in node.metrics:
        rows.add(
            "execution_metric",
            derived_id(node.node_execution_id, "metric", metric.name, dumps(metric.dimensions)),
            run.plan.organization_id, run.input.run_id, node.node_execution_id, metric.name,
            metric.value, metric.unit, node.completed_at,
            dumps(dict(metric.dimensions)) if metric.dimensions else None,
            _made_at(run), run.plan.executed_by,
        )  # fmt: skip
    if node.announced is not None:
        # What was cut off may have been done.
        status = "unknown" if node.status == "cancelled" else node.status
        _attempt_over(rows, node.announced, status, node.completed_at, node.error_code)
    for index, call in enumerate(node.calls):
        _call(rows, call, index, address)
    return rows


def _question(rows: Rows, node: NodeEnded, address: PayloadAddress) -> None:
    """A node that waits is an attempt with a question; its execution is written when it is over."""
    run, step = node.run, node.step
    rows.add(
        "node_attempt",
        # However often the run goes on without an answer, it is one question.
        derived_id(run.input.run_id, "question", step.node_id, node.path), run.plan.organization_id,
        run.input.run_id, node.node_execution_id, step.node_id, 1, "waiting", node.started_at,
        run.input.past.epoch, step.name, node.path, _payload(rows, run, address, node.question),
        _made_at(run), run.plan.executed_by,
    )  # fmt: skip


def _call(rows: Rows, call: CallEnded, index: int, address: PayloadAddress) -> None:
    run, reply = call.attempt.run, call.reply
    status = "failed" if call.failure else "succeeded"
    code = call.failure.code if call.failure else None
    response = {"text": reply.text} if reply else str(call.failure)
    usage = reply.usage if reply else None
    request = {
        "messages": [[message.role, message.content] for message in call.request.messages],
        "returns": call.request.returns,
        "temperature": call.request.temperature,
        "max_tokens": call.request.max_tokens,
        "seed": call.request.seed,
    }
    rows.add(
        "prompt_execution",
        call.prompt_execution_id, run.plan.organization_id, run.input.run_id,
        call.attempt.node_execution_id, index, call.prompt.template_id, call.prompt.version,
        call.provider, call.model, status, reply.finish_reason if reply else None, code,
        usage.input_tokens if usage else None, usage.cached_tokens if usage else None,
        usage.output_tokens if usage else None, usage.reasoning_tokens if usage else None,
        call.cost, call.price_source, call.latency_ms, reply.first_token_ms if reply else None,
        _payload(rows, run, address, request),
        _payload(rows, run, address, response),
        reply.request_id if reply else None, reply.simulated if reply else False,
        _made_at(run), run.plan.executed_by,
    )  # fmt: skip
    _attempt_over(rows, call.attempt, status, call.completed_at, code)


def _attempt_over(
    rows: Rows, attempt: AttemptStarted, status: str, at: datetime, code: str | None
) -> None:
    rows.updates.setdefault("attempt", []).append((status, at, code, attempt_id(attempt)))


@rows_of.register(RunEnded)
def _ended(
    ended: RunEnded,
    address: PayloadAddress,
    owner: str = "",
    until: datetime | None = None,
) -> Rows:
    rows, run = Rows(), ended.run
    value = ended.score.value if ended.score else None
    error = {"node": ended.failed_node, "message": ended.error} if ended.error else None
    rows.updates["run"] = [
        (
            ended.status, None if ended.status == "waiting" else ended.completed_at,
            ended.execution_time_ms, ended.cost,
            ended.input_tokens, ended.output_tokens, succeeded(ended), value, ended.simulated,
            _payload(rows, run, address, dict(ended.outputs)), ended.error_code,
            _payload(rows, run, address, error), run.input.run_id, owner, run.input.past.epoch,
        )
    ]  # fmt: skip
    return rows


_GOOD = 0.5


def succeeded(ended: RunEnded) -> bool | None:
    """Return whether a run did its job: by its score, else by having ended well.

    A run that failed did not succeed; a run without a judgement is missing data.
    """
    if ended.status in {"cancelled", "waiting"}:
        return None
    if ended.status == "failed":
        return False
    if ended.score is None:
        return ended.status == "succeeded"
    return None if ended.score.value is None else ended.score.value >= _GOOD


def attempt_id(attempt: AttemptStarted) -> str:
    """Return the key of an attempt's row."""
    return derived_id(attempt.node_execution_id, "attempt", attempt.attempt)


@lru_cache(1)
def _moment(run_id: str) -> datetime:
    return time_of(run_id)


def _made_at(run: RunStarted) -> datetime:
    # Ids of a run's rows carry its time, and months are told apart by it: both must agree.
    return _moment(run.input.run_id)


def _payload(rows: Rows, run: RunStarted, address: PayloadAddress, value: Json) -> str | None:
    if value is None:
        return None
    text = dumps(value)
    return _keep(rows, run, address.of(text), text)


def _plan_payload(rows: Rows, run: RunStarted, address: PayloadAddress) -> str:
    return _keep(rows, run, *_plan_text(run.plan, address))


@lru_cache(maxsize=16)
def _plan_text(plan: Plan, address: PayloadAddress) -> tuple[str, str]:
    text = dumps(pinned(plan))
    return address.of(text), text


def _keep(rows: Rows, run: RunStarted, key: str, text: str) -> str:
    plan = run.plan
    rows.add(
        "payload",
        key, plan.organization_id, text, len(text), None, run.started_at, plan.executed_by,
    )  # fmt: skip
    return key

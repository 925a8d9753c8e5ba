"""Records as rows: what the recorder writes, table by table."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from promptstudio_lab.engine.records import AttemptStarted, NodeEnded, RunStarted
from promptstudio_lab.engine.replay.pinned import pinned
from promptstudio_lab.ids import derived_id
from promptstudio_lab.values import Json, dumps
from promptstudio_lab.warehouse import payloads
from promptstudio_lab.warehouse.queries.experiments.exposures import Exposed
from promptstudio_lab.warehouse.queries.experiments.units import Ending

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from promptstudio_lab.engine.plan import Plan
    from promptstudio_lab.engine.records import CallEnded, Record, RunEnded
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
        "propensity", "created_at", "created_by",
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


class Rows:
    """Rows to insert by table, and updates to run after them.

    Args:
        address: computes where payloads lie.
        owner: who holds the runs' leases; nobody holds runs that are only queued.
        until: when the leases of runs that begin end.

    Attributes:
        exposed: units that were assigned to what they meet.
        endings: runs of experiments that the updates finish.
    """

    def __init__(
        self,
        address: PayloadAddress,
        owner: str | None = None,
        until: datetime | None = None,
    ) -> None:
        """Begin with none."""
        self._address, self._owner, self._until = address, owner, until
        self._texts: dict[str, str] = {}
        self.inserts: dict[str, list[Row]] = {}
        self.updates: dict[str, list[Row]] = {}
        self.exposed: list[Exposed] = []
        self.endings: list[Ending] = []

    def add(self, record: Record) -> None:
        """Add the rows that a record means."""
        if isinstance(record, NodeEnded):
            self._node(record)
        elif isinstance(record, AttemptStarted):
            self._attempt(record)
        elif isinstance(record, RunStarted):
            self._started(record)
        else:
            self._ended(record)

    def in_order(self) -> Iterator[tuple[str, tuple[Sequence[str], list[Row]]]]:
        """Give the tables that have rows, parents first."""
        for table, columns in COLUMNS.items():
            if table in self.inserts:
                yield table, (columns, self.inserts[table])

    def extend_leases(self, until: datetime) -> None:
        """Keep what this owner runs from being taken for interrupted."""
        self.updates["lease"] = [(until, self._owner)]

    def _insert(self, table: str, *values: Any) -> None:  # one value a column
        self.inserts.setdefault(table, []).append(values)

    def _update(self, name: str, *values: Any) -> None:  # one value a placeholder
        self.updates.setdefault(name, []).append(values)

    def _payload(self, run: RunStarted, value: Json) -> str | None:
        return None if value is None else self._kept(run, dumps(value))

    def _kept(self, run: RunStarted, text: str) -> str:
        # What one node gives the next one takes: each value is written once a group.
        key = self._texts.get(text)
        if key is None:
            key = self._texts[text] = self._address.of(text)
            plan = run.plan
            self._insert(
                "payload",
                key, plan.organization_id, text, len(text), None, run.started_at, plan.executed_by,
            )  # fmt: skip
        return key

    def _started(self, run: RunStarted) -> None:
        plan, item = run.plan, run.input
        self._insert(
            "flow_execution",
            item.run_id, plan.organization_id, plan.flow_id, plan.flow_version, plan.change_seq,
            run.variant.variant_id, plan.experiment_id, item.item_id, plan.batch_id, item.unit_key,
            plan.requested_by, plan.executed_by, plan.trigger, plan.origin,
            "running" if self._owner else "waiting", run.started_at, _UNKNOWN_YET,
            self._payload(run, item.values), self._owner, self._until, item.past.epoch,
            self._kept(run, _plan_text(plan)), run.made_at, plan.executed_by,
        )  # fmt: skip
        if plan.experiment_id and run.variant.variant_id and item.unit_key is not None:
            self._insert(
                "experiment_exposure",
                derived_id(item.run_id, "exposure"), plan.organization_id, plan.experiment_id,
                run.variant.variant_id, item.unit_key, run.started_at, item.propensity,
                run.made_at, plan.executed_by,
            )  # fmt: skip
            if item.propensity is not None:
                self.exposed.append(
                    Exposed(plan.organization_id, plan.experiment_id, item.unit_key)
                )

    def _attempt(self, attempt: AttemptStarted) -> None:
        plan = attempt.run.plan
        self._insert(
            "node_attempt",
            attempt_id(attempt), plan.organization_id, attempt.run.input.run_id,
            attempt.node_execution_id, attempt.step.node_id, attempt.attempt, "started",
            attempt.started_at, attempt.run.input.past.epoch, attempt.step.name, attempt.path, None,
            attempt.run.made_at, plan.executed_by,
        )  # fmt: skip

    def _node(self, node: NodeEnded) -> None:
        run, step = node.run, node.step
        if node.question is not None:
            # What holds the node that asks only waits with it.
            if not step.body:
                self._question(node)
            return
        used = next((call for call in reversed(node.calls) if call.failure is None), None)
        prompt = step.prompt
        self._insert(
            "node_execution",
            node.node_execution_id, run.plan.organization_id, run.input.run_id,
            step.flow.flow_id if step.flow else run.plan.flow_id,
            step.flow.version if step.flow else run.plan.flow_version,
            step.node_id, step.key, node.path, node.status, node.started_at,
            node.completed_at, node.execution_time_ms, node.cost, node.input_tokens,
            node.output_tokens, node.original is not None, max(1, len(node.calls)),
            prompt.template_id if prompt else None, prompt.version if prompt else None,
            used.prompt_execution_id if used else None,
            self._payload(run, node.inputs), self._payload(run, node.outputs),
            node.error_code, self._payload(run, node.error), node.cache_key,
            node.original.cost if node.original else None,
            node.original.node_execution_id if node.original else None,
            run.made_at, run.plan.executed_by,
        )  # fmt: skip
        for metric in node.metrics:
            self._insert(
                "execution_metric",
                derived_id(node.node_execution_id, "metric", metric.name, dumps(metric.dimensions)),
                run.plan.organization_id, run.input.run_id, node.node_execution_id, metric.name,
                metric.value, metric.unit, node.completed_at,
                dumps(dict(metric.dimensions)) if metric.dimensions else None,
                run.made_at, run.plan.executed_by,
            )  # fmt: skip
        if node.announced is not None:
            # What was cut off may have been done.
            status = "unknown" if node.status == "cancelled" else node.status
            self._attempt_over(node.announced, status, node.completed_at, node.error_code)
        for index, call in enumerate(node.calls):
            self._call(call, index)

    def _question(self, node: NodeEnded) -> None:
        """A node that waits is an attempt with a question, and an execution once it is over."""
        run, step = node.run, node.step
        self._insert(
            "node_attempt",
            # However often the run goes on without an answer, it is one question.
            derived_id(run.input.run_id, "question", step.node_id, node.path),
            run.plan.organization_id, run.input.run_id, node.node_execution_id, step.node_id,
            1, "waiting", node.started_at, run.input.past.epoch, step.name, node.path,
            self._payload(run, node.question),
            run.made_at, run.plan.executed_by,
        )  # fmt: skip

    def _call(self, call: CallEnded, index: int) -> None:
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
        self._insert(
            "prompt_execution",
            call.prompt_execution_id, run.plan.organization_id, run.input.run_id,
            call.attempt.node_execution_id, index, call.prompt.template_id, call.prompt.version,
            call.provider, call.model, status, reply.finish_reason if reply else None, code,
            usage.input_tokens if usage else None, usage.cached_tokens if usage else None,
            usage.output_tokens if usage else None, usage.reasoning_tokens if usage else None,
            call.cost, call.price_source, call.latency_ms, reply.first_token_ms if reply else None,
            self._payload(run, request),
            self._payload(run, response),
            reply.request_id if reply else None, reply.simulated if reply else False,
            run.made_at, run.plan.executed_by,
        )  # fmt: skip
        self._attempt_over(call.attempt, status, call.completed_at, code)

    def _attempt_over(
        self, attempt: AttemptStarted, status: str, at: datetime, code: str | None
    ) -> None:
        self._update("attempt", status, at, code, attempt_id(attempt))

    def _ended(self, ended: RunEnded) -> None:
        run = ended.run
        value = ended.score.value if ended.score else None
        error = {"node": ended.failed_node, "message": ended.error} if ended.error else None
        if run.plan.experiment_id:
            self.endings.append(Ending(run.input.run_id, self._owner, run.input.past.epoch))
        self._update(
            "run",
            ended.status, None if ended.status == "waiting" else ended.completed_at,
            ended.execution_time_ms, ended.cost, ended.input_tokens, ended.output_tokens,
            succeeded(ended), value, ended.simulated, self._payload(run, ended.outputs),
            ended.error_code, self._payload(run, error), run.input.run_id, self._owner,
            run.input.past.epoch,
        )  # fmt: skip


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


@lru_cache(maxsize=16)
def _plan_text(plan: Plan) -> str:
    return dumps(pinned(plan))

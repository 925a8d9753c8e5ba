"""What ran: flows, nodes, attempts, provider calls and further measurements.

Totals are sums over the leaves: one `prompt_execution` a provider call, and nothing else costs.
"""

from __future__ import annotations

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from promptstudio_lab.warehouse.entities.tenancy import (
    Entity,
    Partitioned,
    TableParts,
    at_least_zero,
    one_of,
    refers,
)
from promptstudio_lab.warehouse.types import (
    Count,
    Document,
    Flag,
    Key,
    Moment,
    Number,
    OptionalCount,
    OptionalFlag,
    OptionalKey,
    OptionalMoment,
    OptionalNumber,
    OptionalWords,
    Words,
)

FLOW_STATUSES = (
    "running",
    "succeeded",
    "failed",
    "cancelled",
    "interrupted",
    "partial",
    "waiting",
)
NODE_STATUSES = ("succeeded", "failed", "skipped", "cancelled")
ATTEMPT_STATUSES = ("started", "succeeded", "failed", "unknown", "waiting")


class FlowExecution(Partitioned, Entity):
    """One run of a flow on one item: who asked, who executed, from where, and the core measures.

    It is inserted as `running` and finished once, by compare-and-set on its lease epoch. While a
    person is asked, and until a worker takes what was queued, it is `waiting`. `plan_payload_id`
    is what it runs, pinned: one payload for all runs of the same plan.
    """

    __tablename__ = "flow_execution"

    flow_id: Mapped[Key]
    flow_version: Mapped[Count]
    change_seq: Mapped[Count]
    variant_id: Mapped[OptionalKey]
    experiment_id: Mapped[OptionalKey]
    dataset_item_id: Mapped[OptionalKey]
    batch_id: Mapped[OptionalKey]
    unit_key: Mapped[OptionalWords]
    requested_by: Mapped[Words]
    executed_by: Mapped[Words]
    trigger: Mapped[Words]
    origin: Mapped[OptionalWords]
    status: Mapped[Words]
    started_at: Mapped[Moment]
    completed_at: Mapped[OptionalMoment]
    execution_time_ms: Mapped[OptionalNumber]
    total_cost: Mapped[OptionalCount]
    total_input_tokens: Mapped[OptionalCount]
    total_output_tokens: Mapped[OptionalCount]
    success: Mapped[OptionalFlag]
    quality: Mapped[OptionalNumber]
    simulated: Mapped[Flag] = mapped_column(default=False, server_default="0")
    input_payload_id: Mapped[OptionalKey]
    output_payload_id: Mapped[OptionalKey]
    error_code: Mapped[OptionalWords]
    error_payload_id: Mapped[OptionalKey]
    lease_owner: Mapped[OptionalWords]
    lease_until: Mapped[OptionalMoment]
    lease_epoch: Mapped[Count] = mapped_column(default=1, server_default="1")
    plan_payload_id: Mapped[OptionalKey]

    @classmethod
    def parts(cls) -> TableParts:
        """Answer "how do this flow's runs stand" and "what did this month cost" by index."""
        return (
            refers("prompt_flow", "flow_id"),
            refers("flow_variant", "variant_id"),
            refers("experiment", "experiment_id"),
            refers("dataset_item", "dataset_item_id"),
            one_of("status", *FLOW_STATUSES),
            one_of("trigger", "cell", "tab", "schedule", "cli", "assistant"),
            Index("ix_flow_execution_flow_id_status", "flow_id", "status"),
            Index("ix_flow_execution_created_at_cost", "created_at", "total_cost"),
            Index("ix_flow_execution_experiment_id", "experiment_id", "variant_id"),
            Index("ix_flow_execution_batch_id", "batch_id"),
            # Few at any time, however many there were.
            Index(
                "ix_flow_execution_running",
                *("organization_id", "lease_until"),
                sqlite_where=text("status = 'running'"),
                postgresql_where=text("status = 'running'"),
            ),
        )


class NodeExecution(Partitioned, Entity):
    """One node of one run, finished. The template version is the one that really ran.

    `prompt_execution_id` names the call whose answer was used. The calls refer to this row, so it
    does not refer back: a month could not be let go while each holds the other. A cache hit costs
    nothing, and says what it saved and which execution really ran.
    """

    __tablename__ = "node_execution"

    flow_execution_id: Mapped[Key]
    flow_id: Mapped[Key]
    flow_version: Mapped[Count]
    node_id: Mapped[Key]
    node_key: Mapped[Words]
    path: Mapped[Words]
    status: Mapped[Words]
    started_at: Mapped[Moment]
    completed_at: Mapped[Moment]
    execution_time_ms: Mapped[Number]
    cost: Mapped[OptionalCount]
    input_tokens: Mapped[OptionalCount]
    output_tokens: Mapped[OptionalCount]
    cache_hit: Mapped[Flag] = mapped_column(default=False, server_default="0")
    attempt_count: Mapped[Count]
    prompt_template_id: Mapped[OptionalKey]
    template_version: Mapped[OptionalCount]
    prompt_execution_id: Mapped[OptionalKey]
    input_payload_id: Mapped[OptionalKey]
    output_payload_id: Mapped[OptionalKey]
    error_code: Mapped[OptionalWords]
    error_payload_id: Mapped[OptionalKey]
    cache_key: Mapped[OptionalWords]
    saved_cost: Mapped[OptionalCount]
    original_node_execution_id: Mapped[OptionalKey]

    @classmethod
    def parts(cls) -> TableParts:
        """Serve the chain in both directions."""
        return (
            refers("flow_execution", "flow_execution_id"),
            refers("flow_node", "node_id"),
            refers("prompt_template", "prompt_template_id"),
            one_of("status", *NODE_STATUSES),
            Index(
                "ix_node_execution_template_id_version", "prompt_template_id", "template_version"
            ),
            Index("ix_node_execution_node_id_performance", "node_id", "execution_time_ms", "cost"),
            Index("ix_node_execution_flow_execution_id", "flow_execution_id"),
            Index("ix_node_execution_created_at", "created_at", postgresql_using="brin"),
            Index(
                "ix_node_execution_cache_key",
                "cache_key",
                sqlite_where=text("cache_key IS NOT NULL"),
                postgresql_where=text("cache_key IS NOT NULL"),
            ),
        )


class NodeAttempt(Partitioned, Entity):
    """A try of a node with side effects, committed before the call that it announces.

    A try whose process died is of `unknown` outcome. A node that asks a person is `waiting`, with
    its question, until the answer is there.
    """

    __tablename__ = "node_attempt"
    referred = False

    flow_execution_id: Mapped[Key]
    node_execution_id: Mapped[Key]
    node_id: Mapped[Key]
    attempt: Mapped[Count]
    status: Mapped[Words]
    started_at: Mapped[Moment]
    completed_at: Mapped[OptionalMoment]
    error_code: Mapped[OptionalWords]
    lease_epoch: Mapped[Count]
    node_key: Mapped[OptionalWords]
    path: Mapped[OptionalWords]
    question_payload_id: Mapped[OptionalKey]
    answer_payload_id: Mapped[OptionalKey]
    answered_by: Mapped[OptionalWords]

    @classmethod
    def parts(cls) -> TableParts:
        """The node's own row comes later, so it is named without a reference."""
        return (
            refers("flow_execution", "flow_execution_id"),
            one_of("status", *ATTEMPT_STATUSES),
            # Their ids are derived from these two, so they are unique without a second key.
            Index("ix_node_attempt_node_execution_id", "node_execution_id", "attempt"),
            Index("ix_node_attempt_flow_execution_id", "flow_execution_id"),
        )


class PromptExecution(Partitioned, Entity):
    """One provider call, with its tokens in disjoint buckets. NULL cost: no price is known.

    A node may make several: retries, turns, panel members. A cache hit names the original at
    cost 0.
    """

    __tablename__ = "prompt_execution"
    referred = False

    flow_execution_id: Mapped[Key]
    node_execution_id: Mapped[Key]
    call_index: Mapped[Count]
    prompt_template_id: Mapped[Key]
    template_version: Mapped[Count]
    provider: Mapped[Words]
    model: Mapped[Words]
    status: Mapped[Words]
    finish_reason: Mapped[OptionalWords]
    error_code: Mapped[OptionalWords]
    input_tokens: Mapped[OptionalCount]
    cached_tokens: Mapped[OptionalCount]
    output_tokens: Mapped[OptionalCount]
    reasoning_tokens: Mapped[OptionalCount]
    cost: Mapped[OptionalCount]
    price_source: Mapped[OptionalWords]
    latency_ms: Mapped[OptionalNumber]
    first_token_ms: Mapped[OptionalNumber]
    request_payload_id: Mapped[OptionalKey]
    response_payload_id: Mapped[OptionalKey]
    provider_request_id: Mapped[OptionalWords]
    original_prompt_execution_id: Mapped[OptionalKey]
    simulated: Mapped[Flag] = mapped_column(default=False, server_default="0")

    @classmethod
    def parts(cls) -> TableParts:
        """Number the calls of a node."""
        return (
            refers("flow_execution", "flow_execution_id"),
            refers("node_execution", "node_execution_id"),
            refers("prompt_template", "prompt_template_id"),
            one_of("status", "succeeded", "failed"),
            at_least_zero("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens"),
            # Their ids are derived from these two, so they are unique without a second key.
            Index("ix_prompt_execution_node_execution_id", "node_execution_id", "call_index"),
            Index(
                "ix_prompt_execution_template_id_version", "prompt_template_id", "template_version"
            ),
        )


class ExecutionMetric(Partitioned, Entity):
    """A further measurement of a run or of one of its nodes."""

    __tablename__ = "execution_metric"
    referred = False

    flow_execution_id: Mapped[Key]
    node_execution_id: Mapped[OptionalKey]
    metric_name: Mapped[Words]
    metric_value: Mapped[Number]
    metric_unit: Mapped[OptionalWords]
    metric_timestamp: Mapped[Moment]
    dimensions: Mapped[Document | None]

    @classmethod
    def parts(cls) -> TableParts:
        """Find a metric's history by name and time."""
        return (
            refers("flow_execution", "flow_execution_id"),
            Index("ix_execution_metric_name_timestamp", "metric_name", "metric_timestamp"),
            Index("ix_execution_metric_flow_execution_id", "flow_execution_id"),
        )

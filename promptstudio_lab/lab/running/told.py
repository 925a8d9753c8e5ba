"""What is told of a run, whether it has just ended here or was recorded by anybody long ago."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from promptstudio_lab.engine.replay.interrupted import mark_interrupted
from promptstudio_lab.money import usd
from promptstudio_lab.warehouse.access import require_on
from promptstudio_lab.warehouse.queries.seen import run_seen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptstudio_lab.engine.records import NodeEnded, RunEnded
    from promptstudio_lab.lab.facts import Environment
    from promptstudio_lab.values import Json


class NodeTold(NamedTuple):
    """A node of a run.

    Attributes:
        node: its name in its body.
        called: whether it reached a model.
        cost: nano-dollars, or None when a price is unknown.
    """

    node: str
    status: str
    latency_ms: float
    called: bool
    input_tokens: int | None
    output_tokens: int | None
    cost: int | None


class RunTold(NamedTuple):
    """A run.

    Attributes:
        variant: which variant of an experiment it was, or None where it was part of none.
        cost: nano-dollars, or None when a price is unknown or the run is not over.
        latency_ms: how long it took, or None while it is not over.
        failed_node: the node that ended it.
    """

    id: str
    variant: str | None
    status: str
    cost: int | None
    latency_ms: float | None
    input_tokens: int | None
    output_tokens: int | None
    simulated: bool
    outputs: Mapping[str, Json]
    error: str | None
    failed_node: str | None
    nodes: tuple[NodeTold, ...]


def ended_here(ended: RunEnded) -> RunTold:
    """Return what the engine has just told."""
    variant = ended.run.variant
    return RunTold(
        id=ended.run.input.run_id,
        variant=variant.name if variant.variant_id is not None else None,
        status=ended.status,
        cost=ended.cost,
        latency_ms=ended.execution_time_ms,
        input_tokens=ended.input_tokens,
        output_tokens=ended.output_tokens,
        simulated=ended.simulated,
        outputs=ended.outputs,
        error=ended.error,
        failed_node=ended.failed_node,
        nodes=tuple(map(_node, ended.nodes)),
    )


def _node(node: NodeEnded) -> NodeTold:
    return NodeTold(
        node.step.key,
        node.status,
        node.execution_time_ms,
        bool(node.calls),
        node.input_tokens,
        node.output_tokens,
        node.cost,
    )


def recorded(environment: Environment, run_id: str) -> RunTold:
    """Return a run as it is recorded; nothing of it runs.

    Raises:
        NotFound: if there is no such run, or it is another organisation's.
    """
    mark_interrupted(environment.warehouse, environment.actor)
    with environment.warehouse.reading(environment.actor) as session:
        run = run_seen(session, run_id)
        require_on(session, "view", "prompt_flow", str(run["flow"]))
    failure = run["error"] or {}
    return RunTold(
        id=run_id,
        variant=run["variant"],
        status=run["status"],
        cost=_nano(run["cost_usd"]),
        latency_ms=run["latency_ms"],
        input_tokens=run["input_tokens"],
        output_tokens=run["output_tokens"],
        simulated=run["simulated"],
        outputs=run["outputs"] or {},
        error=failure.get("message"),
        failed_node=failure.get("node"),
        nodes=tuple(map(_recorded_node, run["nodes"])),
    )


def _recorded_node(node: Mapping[str, Json]) -> NodeTold:
    return NodeTold(
        node["name"],
        node["status"],
        node["latency_ms"],
        node["called"],
        node["input_tokens"],
        node["output_tokens"],
        _nano(node["cost_usd"]),
    )


def _nano(cost: float | None) -> int | None:
    return None if cost is None else usd(cost)

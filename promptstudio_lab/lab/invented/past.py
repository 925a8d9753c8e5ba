"""Runs of the past, written as the engine would have written them; no model is asked.

They look like real ones, so write them into a warehouse of their own, such as `memory`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from promptstudio_lab.engine.plan import CONTROL
from promptstudio_lab.engine.recorder import write
from promptstudio_lab.engine.records import (
    AttemptStarted,
    CallEnded,
    NodeEnded,
    RunEnded,
    RunInput,
    RunStarted,
)
from promptstudio_lab.engine.replay.past import Kept
from promptstudio_lab.engine.rows import Rows
from promptstudio_lab.errors import ProviderUnavailable
from promptstudio_lab.ids import derived_id, lowest_id, new_id
from promptstudio_lab.lab.running.execution import prepare
from promptstudio_lab.providers.chat import ChatRequest, Message, Reply, Usage
from promptstudio_lab.scorers import Score
from promptstudio_lab.warehouse import payloads

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from promptstudio_lab.engine.plan import Plan, Step
    from promptstudio_lab.lab.facts import Environment
    from promptstudio_lab.lab.flows import Flow

_OWNER = "invented"
_GROUP = 500  # runs a commit
_REQUEST = (Message("user", "invented"),)


@dataclass(frozen=True, slots=True)
class PastCall:
    """What a model's node did.

    Attributes:
        latency_ms: how long the call took.
        cost: nano-dollars; None where no price is known.
        input_tokens: what it read.
        output_tokens: what it wrote.
        model: `provider:model` that answered.
        failed: whether the call failed, and the node with it.
        simulated: whether a stand-in answered.
        original: the node execution whose answer was taken from the cache; then no call was made.
    """

    latency_ms: float
    cost: int | None
    input_tokens: int = 0
    output_tokens: int = 0
    model: str = "openai:gpt-5-mini"
    failed: bool = False
    simulated: bool = False
    original: str | None = None


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run.

    Attributes:
        at: when it began.
        user: who asked for it.
        calls: what the model's nodes did, by name; the other nodes take no time.
        score: its quality, if it was judged.
        waits_ms: what nodes without a call took, by name.
    """

    at: datetime
    user: str
    calls: Mapping[str, PastCall]
    score: float | None = None
    waits_ms: Mapping[str, float] = field(default_factory=dict)


def write_past(flow: Flow, runs: Iterable[PastRun]) -> list[str]:
    """Write runs of a flow as it stands, and return their ids.

    A node begins when the last of those that it takes from has ended.

    Args:
        flow: a flow without bodies; its templates' versions are those of its nodes.
        runs: the runs, in any order.

    >>> from datetime import UTC, datetime
    >>> from promptstudio_lab.lab import connect
    >>> lab = connect("memory")
    >>> flow = lab.flow("desk/greet")
    >>> said = flow.llm("say", prompt="Greet {{ name }}", name=flow.input("name"))
    >>> _ = flow.output(greeting=said.text)
    >>> run = PastRun(datetime(2026, 1, 5, tzinfo=UTC), "ada", {"say": PastCall(900.0, 2_000_000)})
    >>> _ = write_past(flow, [run])
    >>> lab.analytics.cost("user").sentence
    '$0.00200 was spent on 1 call, with a known price.'
    """
    environment = flow._environment  # noqa: SLF001 — of the lab's own object
    plan = prepare(environment, flow.head().id, {CONTROL: None})
    people: dict[str, Plan] = {}
    ids, waiting = [], []
    for run in runs:
        asked = people.setdefault(run.user, replace(plan, requested_by=run.user))
        waiting.append(_Told(asked, run))
        ids.append(waiting[-1].run_id)
        if len(waiting) == _GROUP:
            _keep(environment, waiting)
            waiting = []
    _keep(environment, waiting)
    return ids


def _keep(environment: Environment, runs: list[_Told]) -> None:
    with environment.warehouse.reading(environment.actor) as session:
        address = payloads.address(session)
    rows = Rows(address, _OWNER, None)
    for run in runs:
        run.add_to(rows)
    environment.warehouse.append(environment.actor, lambda connection: write(connection, rows))


class _Told:
    """A run as the records that the engine would have told."""

    def __init__(self, plan: Plan, run: PastRun) -> None:
        self._plan, self._run = plan, run
        self.run_id = derived_id(lowest_id(run.at), new_id())
        item = RunInput(self.run_id, CONTROL, {})
        self._started = RunStarted(plan, plan.variants[CONTROL], item, run.at)
        self._ends: dict[str, datetime] = {}

    def add_to(self, rows: Rows) -> None:
        nodes = tuple(map(self._node, self._plan.variants[CONTROL].steps))
        rows.add(self._started)
        for node in nodes:
            rows.add(node)
        rows.add(self._ended(nodes))

    def _node(self, step: Step) -> NodeEnded:
        begun = max((self._ends[one.source] for one in step.bindings), default=self._run.at)
        did = self._run.calls.get(step.name)
        took = did.latency_ms if did else self._run.waits_ms.get(step.name, 0.0)
        ended = self._ends[step.node_id] = begun + timedelta(milliseconds=took)
        key = derived_id(self.run_id, step.node_id, "")
        attempt = AttemptStarted(self._started, step, "", key, 1, begun)
        calls = (_call(attempt, did, ended),) if did and did.original is None else ()
        failed = bool(did and did.failed)
        return NodeEnded(
            run=self._started,
            step=step,
            path="",
            node_execution_id=key,
            status="failed" if failed else "succeeded",
            started_at=begun,
            completed_at=ended,
            execution_time_ms=took,
            inputs=None,
            outputs=None,
            error_code="unavailable" if failed else None,
            error=None,
            calls=calls,
            cost=did.cost if did and calls else 0,
            input_tokens=did.input_tokens if did and calls else 0,
            output_tokens=did.output_tokens if did and calls else 0,
            original=_original(did) if did and did.original else None,
        )

    def _ended(self, nodes: tuple[NodeEnded, ...]) -> RunEnded:
        over = max(self._ends.values())
        costs = [node.cost for node in nodes]
        known = [cost for cost in costs if cost is not None]
        failed = any(node.status == "failed" for node in nodes)
        score = self._run.score
        return RunEnded(
            run=self._started,
            status="failed" if failed else "succeeded",
            completed_at=over,
            execution_time_ms=(over - self._run.at) / timedelta(milliseconds=1),
            outputs={},
            score=None if score is None else Score(score, "", ""),
            cost=sum(known) if len(known) == len(costs) else None,
            input_tokens=sum(node.input_tokens or 0 for node in nodes),
            output_tokens=sum(node.output_tokens or 0 for node in nodes),
            simulated=any(did.simulated for did in self._run.calls.values()),
            error_code="unavailable" if failed else None,
            error=None,
            failed_node=None,
            nodes=nodes,
        )


def _call(attempt: AttemptStarted, did: PastCall, ended: datetime) -> CallEnded:
    provider, _, model = did.model.partition(":")
    usage = Usage(did.input_tokens, 0, did.output_tokens, 0)
    reply = Reply("invented", "stop", usage, model, simulated=did.simulated)
    if attempt.step.prompt is None:
        message = f"the node {attempt.step.name!r} asks no model, so it made no call"
        raise ValueError(message)
    return CallEnded(
        attempt=attempt,
        completed_at=ended,
        prompt_execution_id=derived_id(attempt.node_execution_id, "call", 0),
        prompt=attempt.step.prompt,
        provider=provider,
        model=model,
        request=_request(model),
        reply=reply,
        failure=ProviderUnavailable("the server failed") if did.failed else None,
        latency_ms=did.latency_ms,
        cost=did.cost,
        price_source=None if did.cost is None else "invented",
    )


@lru_cache
def _request(model: str) -> ChatRequest:
    return ChatRequest(model, _REQUEST)


def _original(did: PastCall) -> Kept:
    return Kept(
        str(did.original),
        "succeeded",
        None,
        did.cost,
        did.input_tokens,
        did.output_tokens,
        simulated=did.simulated,
    )

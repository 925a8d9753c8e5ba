"""Running one item: a node starts as soon as what it waits for is there."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from functools import lru_cache, partial
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from promptstudio_lab.engine.attempt import NodeCut, caught, run_node
from promptstudio_lab.engine.live import Live
from promptstudio_lab.engine.loop import BrokenOff
from promptstudio_lab.engine.records import (
    NodeEnded,
    RunEnded,
    RunInput,
    RunStarted,
    Sink,
    Status,
)
from promptstudio_lab.errors import BudgetExceeded, NodeFailed
from promptstudio_lab.nodes import Waiting, kinds
from promptstudio_lab.scorers import Score
from promptstudio_lab.values import dumps, total
from promptstudio_lab.warehouse.types import now

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from promptstudio_lab.engine.budget import Budget
    from promptstudio_lab.engine.cache import Cache
    from promptstudio_lab.engine.plan import Binding, Plan, Step
    from promptstudio_lab.values import Json

_SHOWN = 60  # characters of a value in a message
ABSENT = object()  # no value at all, which is not the same as null


async def run_item(
    plan: Plan,
    item: RunInput,
    sink: Sink,
    budget: Budget,
    on_text: Callable[[str, str], None] | None = None,
    *,
    cache: Cache | None = None,
) -> RunEnded:
    """Run one item through one variant and return how it ended; it never raises for a node.

    Args:
        plan: the compiled flow.
        item: the item and its variant.
        sink: whoever listens; it has heard everything when this returns.
        budget: what may be spent.
        on_text: gets (node name, text) as models answer.
        cache: finds what other runs have paid for.
    """
    started = perf_counter()
    run = RunStarted(plan, plan.variants[item.variant], item, now())
    live = Live(run, sink, budget, on_text, cache)
    if item.past.epoch == 1:
        await sink.run_started(run)
    scope = _Scope(live, run.variant.steps, item.values, "")
    try:
        await scope.finish()
        ended = await _ended(scope, started)
    except (asyncio.CancelledError, BrokenOff):
        await sink.run_ended(await _ended(scope, started, cancelled=True))
        raise
    await sink.run_ended(ended)
    return ended


class _Part(NamedTuple):
    """What is known of a step before any run of it.

    Attributes:
        sources: how many nodes it waits for.
        feeds: the ids of those that wait for it.
        left: whether it runs once over a whole batch, and not here.
        waits: whether somebody else's answer may take its time.
        collecting: its inputs that take several values.
    """

    step: Step
    sources: int
    feeds: tuple[str, ...]
    left: bool
    waits: bool
    collecting: frozenset[str]


@lru_cache(maxsize=512)
def _parts(steps: tuple[Step, ...]) -> dict[str, _Part]:
    """Return the steps of a flow or of a body by id, sources first."""
    sources = {
        step.node_id: {binding.source for binding in (*step.bindings, *step.when)} for step in steps
    }
    return {
        step.node_id: _Part(
            step=step,
            sources=len(sources[step.node_id]),
            feeds=tuple(key for key, needed in sources.items() if step.node_id in needed),
            left=kinds[step.kind].once_a_batch and not step.policy.get("once"),
            waits=_waits(step),
            collecting=frozenset(binding.port for binding in step.bindings if binding.many),
        )
        for step in steps
    }


@dataclass
class _Scope:
    """The nodes of the flow itself, or of a body, while they run once."""

    live: Live
    steps: tuple[Step, ...]
    values: Mapping[str, Json]
    path: str
    outputs: dict[str, Mapping[str, Json]] = field(default_factory=dict)
    answers: dict[str, Json] = field(default_factory=dict)
    failed: NodeEnded | None = None
    question: Mapping[str, Json] | None = None
    tasks: set[asyncio.Task[NodeEnded]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.parts = _parts(self.steps)
        self.waiting = {key: part.sources for key, part in self.parts.items()}
        self.ready = deque(part for part in self.parts.values() if not part.sources)

    async def finish(self) -> None:
        """Run until nothing is left, or a node failed."""
        try:
            while (self.ready or self.tasks) and self.failed is None:
                await self._go_on()
        except NodeCut as cut:
            self.live.ended.append(cut.node)
            raise
        finally:
            await self._end_the_rest()

    async def _end_the_rest(self) -> None:
        for task in self.tasks:
            task.cancel()
        for task in self.tasks:
            try:
                self.live.ended.append(await task)
            except NodeCut as cut:
                self.live.ended.append(cut.node)
            except (asyncio.CancelledError, BrokenOff):
                # It had not begun; or what broke it off is being told already.
                continue

    async def _go_on(self) -> None:
        while self.ready:
            part = self.ready.popleft()
            if part.left:
                continue
            step, inputs = part.step, self._gathered(part)
            alone = not self.ready and not self.tasks
            work = run_node(self.live, step, inputs, self.path, partial(self._body, step))
            # A node that waits for nobody else's answer needs no task of its own.
            if inputs is None or alone or not part.waits:
                self._done(await work)
                if self.failed is not None:
                    return
            else:
                self.tasks.add(asyncio.create_task(work))
        if self.tasks:
            done, self.tasks = await asyncio.wait(self.tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                self._done(task.result())

    def _done(self, node: NodeEnded) -> None:
        self.live.ended.append(node)
        if node.status == "waiting":
            # Whatever needs the answer stands still; the rest goes on.
            self.question = node.question
            return
        if node.status == "failed" and node.step.policy.get("on_error", "fail") == "fail":
            self.failed = node
        if node.step.kind == "output":
            self.answers.update(node.outputs or {})
        self.outputs[node.step.node_id] = node.outputs or {}
        for key in self.parts[node.step.node_id].feeds:
            self.waiting[key] -= 1
            if not self.waiting[key]:
                self.ready.append(self.parts[key])

    def _gathered(self, part: _Part) -> dict[str, Json] | NodeFailed | None:
        """Return a node's inputs, None when it must be skipped, or why it cannot have them.

        A closed branch or a required input without a value skips the node; an input that collects
        several takes the live ones; an output gives the fields that there are.
        """
        step, outputs = part.step, self.outputs
        if step.kind == "input":
            value = self.values.get(step.key)
            return {"value": step.config.get("default") if value is None else value}
        if step.when and all(follow(binding, outputs) is ABSENT for binding in step.when):
            return None
        found: dict[str, Json] = {port: [] for port in part.collecting}
        for binding in step.bindings:
            value = follow(binding, outputs)
            if value is ABSENT:
                if binding.path and (reason := self._nowhere(binding)):
                    return NodeFailed(reason)
                if not binding.many and step.kind != "output":
                    return None
            elif binding.many:
                found[binding.port].append(value)
            else:
                found[binding.port] = value
        empty = any(not found[port] for port in part.collecting)
        return None if empty or (step.bindings and not found) else found

    def _nowhere(self, binding: Binding) -> str | None:
        """Return why a place can never be there: it would lie inside a text or a number."""
        value = self.outputs.get(binding.source, {}).get(binding.output)
        for part in binding.path:
            if value is not None and not isinstance(value, (dict, list)):
                source = f"{self.parts[binding.source].step.key}.{binding.output}"
                place = ".".join(binding.path)
                return (
                    f"{binding.port!r} takes {source}.{place}, and there is no {part!r} "
                    f"in {dumps(value)[:_SHOWN]}"
                )
            value = value.get(part) if isinstance(value, dict) else None
        return None

    async def _body(self, step: Step, values: Mapping[str, Json], place: str) -> Mapping[str, Json]:
        path = f"{self.path}/{step.key}{place}".removeprefix("/")
        inside = _Scope(self.live, step.body, values, path)
        await inside.finish()
        if inside.failed is not None:
            # A failure deeper down has named its node already.
            reason = str(inside.failed.error)
            own = f"{inside.failed.step.key}: {reason}"
            message = reason if inside.failed.step.body else own
            # What the budget forbade can be done later: it is no failure of an item.
            forbidden = inside.failed.error_code == "budget_exceeded"
            raise BudgetExceeded(message) if forbidden else NodeFailed(message)
        if inside.question is not None:
            raise Waiting(inside.question)
        return inside.answers


def _waits(step: Step) -> bool:
    return (
        kinds[step.kind].side_effects != "none" or bool(step.body) or bool(step.policy.get("cache"))
    )


def follow(binding: Binding, outputs: Mapping[str, Mapping[str, Json]]) -> Json:
    """Return the value that a binding names among nodes' outputs by id, or ABSENT."""
    value = outputs.get(binding.source, {}).get(binding.output, ABSENT)
    for part in binding.path:
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return ABSENT
    return value


def _status(scope: _Scope) -> Status:
    if scope.failed is not None:
        # A call that the budget forbade says nothing about the flow: it can be made later.
        return "cancelled" if scope.failed.error_code == "budget_exceeded" else "failed"
    if scope.question is not None:
        return "waiting"
    return "succeeded" if scope.answers else "partial"


async def _ended(scope: _Scope, started: float, *, cancelled: bool = False) -> RunEnded:
    status: Status = "cancelled" if cancelled else _status(scope)
    answers = scope.answers if status != "failed" and not scope.failed else {}
    nodes, failed, past = scope.live.ended, scope.failed, scope.live.past
    return RunEnded(
        run=scope.live.run,
        status=status,
        completed_at=now(),
        execution_time_ms=(perf_counter() - started) * 1e3,
        outputs=answers,
        score=await _score(scope.live.run, status, answers),
        cost=total([past.cost, *(node.cost for node in nodes)]),
        input_tokens=total([past.input_tokens, *(node.input_tokens for node in nodes)]),
        output_tokens=total([past.output_tokens, *(node.output_tokens for node in nodes)]),
        simulated=past.simulated or any(node.simulated for node in nodes),
        error_code=failed.error_code if failed else None,
        error=failed.error if failed else None,
        failed_node=failed.step.name if failed else None,
        nodes=tuple(nodes),
    )


async def _score(run: RunStarted, status: Status, answers: Mapping[str, Json]) -> Score | None:
    scorer = run.plan.scorer
    if scorer is None or status in {"cancelled", "waiting"}:
        return None

    async def work() -> Json:
        return scorer.score(answers, run.input.values)

    found = await caught(work())
    if found.error is not None:
        # A judgement that failed is missing data; it is no zero.
        return Score(None, "missing", f"the scorer failed: {found.error}")
    judged: Score = found.value
    return judged

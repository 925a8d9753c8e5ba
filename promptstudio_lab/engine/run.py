"""Running one item: a node starts as soon as what it waits for is there."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING

from promptstudio_lab.engine.attempt import NodeCut, caught, run_node
from promptstudio_lab.engine.records import (
    NodeEnded,
    RunEnded,
    RunInput,
    RunStarted,
    Sink,
    Status,
)
from promptstudio_lab.nodes import kinds
from promptstudio_lab.scorers import Score
from promptstudio_lab.values import total
from promptstudio_lab.warehouse.types import now

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from promptstudio_lab.engine.budget import Budget
    from promptstudio_lab.engine.plan import Binding, Plan, Step
    from promptstudio_lab.values import Json

_ABSENT = object()


async def run_item(
    plan: Plan,
    item: RunInput,
    sink: Sink,
    budget: Budget,
    on_text: Callable[[str, str], None] | None = None,
) -> RunEnded:
    """Run one item through one variant and return how it ended; it never raises for a node.

    Args:
        plan: the compiled flow.
        item: the item and its variant.
        sink: whoever listens; it has heard everything when this returns.
        budget: what may be spent.
        on_text: gets (node key, text) as models answer.
    """
    started = perf_counter()
    run = RunStarted(plan, plan.variants[item.variant], item, now())
    await sink.run_started(run)
    state = _State(run, sink, budget, on_text)
    try:
        await state.finish()
    except asyncio.CancelledError:
        await sink.run_ended(await _ended(state, started, cancelled=True))
        raise
    ended = await _ended(state, started)
    await sink.run_ended(ended)
    return ended


@dataclass
class _State:
    run: RunStarted
    sink: Sink
    budget: Budget
    on_text: Callable[[str, str], None] | None
    outputs: dict[str, Mapping[str, Json]] = field(default_factory=dict)
    ended: list[NodeEnded] = field(default_factory=list)
    failed: NodeEnded | None = None
    waiting: dict[str, int] = field(default_factory=dict)
    feeds: dict[str, list[Step]] = field(default_factory=dict)
    ready: deque[Step] = field(default_factory=deque)
    tasks: set[asyncio.Task[NodeEnded]] = field(default_factory=set)

    def __post_init__(self) -> None:
        for step in self.run.variant.steps:
            sources = {binding.source for binding in (*step.bindings, *step.when)}
            self.waiting[step.node_id] = len(sources)
            for source in sources:
                self.feeds.setdefault(source, []).append(step)
            if not sources:
                self.ready.append(step)

    async def finish(self) -> None:
        """Run until nothing is left, or a node failed."""
        try:
            while (self.ready or self.tasks) and self.failed is None:
                await self._go_on()
        except NodeCut as cut:
            self.ended.append(cut.node)
            raise
        finally:
            await self._end_the_rest()

    async def _end_the_rest(self) -> None:
        for task in self.tasks:
            task.cancel()
        for task in self.tasks:
            try:
                self.ended.append(await task)
            except NodeCut as cut:
                self.ended.append(cut.node)
            except asyncio.CancelledError:
                # It had not begun.
                continue

    async def _go_on(self) -> None:
        while self.ready:
            step = self.ready.popleft()
            inputs = gather(step, self.outputs, self.run.input.values)
            alone = not self.ready and not self.tasks
            # A node that waits for nobody else's answer needs no task of its own.
            if inputs is None or alone or kinds[step.kind].side_effects == "none":
                self._done(
                    await run_node(self.run, step, inputs, self.sink, self.budget, self.on_text)
                )
                if self.failed is not None:
                    return
            else:
                work = run_node(self.run, step, inputs, self.sink, self.budget, self.on_text)
                self.tasks.add(asyncio.create_task(work))
        if self.tasks:
            done, self.tasks = await asyncio.wait(self.tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                self._done(task.result())

    def _done(self, node: NodeEnded) -> None:
        self.ended.append(node)
        if node.status == "failed" and node.step.policy.get("on_error", "fail") == "fail":
            self.failed = node
        self.outputs[node.step.node_id] = node.outputs or {}
        for step in self.feeds.get(node.step.node_id, ()):
            self.waiting[step.node_id] -= 1
            if not self.waiting[step.node_id]:
                self.ready.append(step)


def gather(
    step: Step, outputs: Mapping[str, Mapping[str, Json]], item: Mapping[str, Json]
) -> dict[str, Json] | None:
    """Return a node's inputs, or None when it must be skipped.

    A closed branch or a required input without a value skips the node; an input that collects
    several takes the live ones; an output gives the fields that there are.
    """
    if step.kind == "input":
        value = item.get(step.key, step.config.get("default", _ABSENT))
        return {"value": None if value is _ABSENT else value}
    if step.when and all(_follow(binding, outputs) is _ABSENT for binding in step.when):
        return None
    found: dict[str, Json] = {}
    for binding in step.bindings:
        value = _follow(binding, outputs)
        if binding.many:
            found.setdefault(binding.port, [])
            if value is not _ABSENT:
                found[binding.port].append(value)
        elif value is not _ABSENT:
            found[binding.port] = value
        elif step.kind != "output":
            return None
    empty = [port for port, values in found.items() if values == [] and _collects(step, port)]
    return None if empty or (step.bindings and not found) else found


def _collects(step: Step, port: str) -> bool:
    return any(binding.many for binding in step.bindings if binding.port == port)


def _follow(binding: Binding, outputs: Mapping[str, Mapping[str, Json]]) -> Json:
    value = outputs.get(binding.source, {}).get(binding.output, _ABSENT)
    for part in binding.path:
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return _ABSENT
    return value


async def _ended(state: _State, started: float, *, cancelled: bool = False) -> RunEnded:
    answers: dict[str, Json] = {}
    for node in state.ended:
        if node.step.kind == "output":
            answers.update(node.outputs or {})
    status: Status = "succeeded" if answers else "partial"
    if cancelled:
        status = "cancelled"
    elif state.failed is not None:
        # A call that the budget forbade says nothing about the flow: it can be made later.
        status = "cancelled" if state.failed.error_code == "budget_exceeded" else "failed"
        answers = {}
    calls = [call for node in state.ended for call in node.calls]
    return RunEnded(
        run=state.run,
        status=status,
        completed_at=now(),
        execution_time_ms=(perf_counter() - started) * 1e3,
        outputs=answers,
        score=await _score(state, status, answers),
        cost=total([node.cost for node in state.ended]),
        input_tokens=total([node.input_tokens for node in state.ended]),
        output_tokens=total([node.output_tokens for node in state.ended]),
        simulated=any(call.reply.simulated for call in calls if call.reply),
        error_code=state.failed.error_code if state.failed else None,
        error=state.failed.error if state.failed else None,
        failed_node=state.failed.step.key if state.failed else None,
        nodes=tuple(state.ended),
    )


async def _score(state: _State, status: Status, answers: Mapping[str, Json]) -> Score | None:
    scorer = state.run.plan.scorer
    if scorer is None or status == "cancelled":
        return None

    async def work() -> Json:
        return scorer.score(answers, state.run.input.values)

    found = await caught(work)
    if found.error is not None:
        # A judgement that failed is missing data; it is no zero.
        return Score(None, "missing", f"the scorer failed: {found.error}")
    judged: Score = found.value
    return judged

"""What tests of the engine stand on: a scripted provider, plans without a warehouse, a listener."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from promptstudio_lab.engine.batch import Progress, execute_batch
from promptstudio_lab.engine.budget import Budget
from promptstudio_lab.engine.plan import CONTROL, Plan, Prompt, Variant, compile_steps
from promptstudio_lab.engine.records import (
    AttemptStarted,
    CallEnded,
    NodeEnded,
    Nowhere,
    RunEnded,
    RunInput,
    RunStarted,
)
from promptstudio_lab.engine.run import run_item
from promptstudio_lab.flows.facts import Facts
from promptstudio_lab.flows.graph import from_document
from promptstudio_lab.ids import new_id
from promptstudio_lab.providers import providers
from promptstudio_lab.providers.chat import ChatRequest, Reply, Usage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from promptstudio_lab.engine.records import Sink
    from promptstudio_lab.flows.language.builder import Builder
    from promptstudio_lab.values import Json

MODEL = "scripted:one"
USAGE = Usage(10, 0, 5, 0)


def reply(text: str = "yes", usage: Usage | None = USAGE, **more: Any) -> Reply:  # a reply's own
    """Return a whole answer."""
    return Reply(text, "stop", usage, more.pop("model", "small"), **more)


Turn = Reply | Exception


@dataclass
class Scripted:
    """A provider that does what the test has written down; after that it answers `yes`.

    Attributes:
        script: what happens call by call, across all callers.
        behave: does it instead, when given.
        requests: what was asked.
        flying: how many calls are under way.
        most: how many ever were.
    """

    script: deque[Turn] = field(default_factory=deque)
    behave: Callable[[ChatRequest], Awaitable[Reply]] | None = None
    requests: list[ChatRequest] = field(default_factory=list)
    flying: int = 0
    most: int = 0
    simulated: bool = False

    async def complete(
        self, request: ChatRequest, on_text: Callable[[str], None] | None = None
    ) -> Reply:
        """Do what comes next."""
        self.requests.append(request)
        self.flying += 1
        self.most = max(self.most, self.flying)
        try:
            turn = await self._turn(request)
            if isinstance(turn, Exception):
                raise turn
            if on_text is not None:
                on_text(turn.text)
            return turn
        finally:
            self.flying -= 1

    async def _turn(self, request: ChatRequest) -> Turn:
        if self.behave is not None:
            return await self.behave(request)
        await asyncio.sleep(0)
        return self.script.popleft() if self.script else reply()


@dataclass
class Heard(Nowhere):
    """A sink that keeps everything, in order."""

    all: list[object] = field(default_factory=list)

    async def run_started(self, run: RunStarted) -> None:
        """Keep it."""
        self.all.append(run)

    async def attempt_started(self, attempt: AttemptStarted) -> None:
        """Keep it."""
        self.all.append(attempt)

    async def call_ended(self, call: CallEnded) -> None:
        """Keep it."""
        self.all.append(call)

    async def node_ended(self, node: NodeEnded) -> None:
        """Keep it."""
        self.all.append(node)

    async def run_ended(self, run: RunEnded) -> None:
        """Keep it."""
        self.all.append(run)

    def of(self, kind: type[Any]) -> list[Any]:  # records of that kind
        """Return what was heard of one kind."""
        return [record for record in self.all if type(record) is kind]


def plan_of(
    builder: Builder, variants: Iterable[str] = (CONTROL,), **more: Any
) -> Plan:  # a plan's own fields
    """Return the plan of a flow that no warehouse knows."""
    graph = from_document(builder.document())
    facts = Facts(providers=frozenset(providers), default_model=MODEL)
    prompts = {
        node.id: Prompt(facts.text(node.config["prompt"]) or "")
        for node in graph.nodes
        if "prompt" in node.config
    }
    steps = compile_steps(graph, facts, prompts)
    usual: dict[str, Any] = {  # a plan's own fields
        "organization_id": new_id(),
        "flow_id": new_id(),
        "flow_version": 1,
        "change_seq": 1,
        "requested_by": "ada",
        "executed_by": "ada",
        "trigger": "cell",
        "origin": None,
        "variants": {name: Variant(name, steps) for name in variants},
        "default_model": MODEL,
    }
    return Plan(**{**usual, **more})


def item(values: Json = None, variant: str = CONTROL) -> RunInput:
    """Return one item."""
    return RunInput(new_id(), variant, values or {})


async def one(
    plan: Plan,
    values: Json = None,
    sink: Sink | None = None,
    budget: Budget | None = None,
    **more: Any,
) -> RunEnded:  # whatever `run_item` takes
    """Run one item, and never hang."""
    async with asyncio.timeout(20):
        return await run_item(plan, item(values), sink or Nowhere(), budget or Budget(), **more)


def run(
    plan: Plan,
    values: Json = None,
    sink: Sink | None = None,
    budget: Budget | None = None,
    **more: Any,
) -> RunEnded:  # whatever `run_item` takes
    """Run one item to its end."""
    ended: list[RunEnded] = []

    async def work() -> None:
        ended.append(await one(plan, values, sink, budget, **more))

    # asyncio.run() shows what it returns to itself, and a record of a long flow is long.
    asyncio.run(work())
    return ended[0]


async def many(
    plan: Plan, count: int, sink: Sink | None = None, budget: Budget | None = None, **more: Any
) -> list[RunEnded]:  # whatever `execute_batch` takes
    """Run items side by side, and never hang."""
    ended: list[RunEnded] = []
    inputs = more.pop("inputs", [item({"x": str(n)}) for n in range(count)])
    async with asyncio.timeout(30):
        await execute_batch(
            plan,
            inputs,
            sink or Nowhere(),
            budget=budget or Budget(),
            progress=more.pop("progress", Progress(count)),
            on_ended=ended.append,
            **more,
        )
    return ended


def statuses(ended: RunEnded) -> dict[str, str]:
    """Return how each node ended."""
    return {node.step.key: node.status for node in ended.nodes}

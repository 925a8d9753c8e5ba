"""Running a node on its own: a context that answers what it is told to, and keeps what it hears."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from promptstudio_lab.nodes import Waiting, kinds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from promptstudio_lab.values import Json


@dataclass
class Answers:
    """Stands for everything that a node may reach.

    Attributes:
        prompt: the text of its template.
        says: what a model says.
        inside: what the body does with its values.
        computed: what code returns.
        fetched: what a host answers.
        rows: what a database has.
        person: what a person answered; nobody has yet where it is None.
    """

    prompt: str = ""
    says: str = "yes"
    inside: Callable[[Mapping[str, Json]], Json] = dict
    computed: Json = None
    fetched: Json = None
    rows: list[Json] = field(default_factory=lambda: [{"n": 1}])
    person: Json = "yes"
    asked: list[dict[str, Any]] = field(default_factory=list)  # keywords of their own types
    bodies: list[tuple[str, Json]] = field(default_factory=list)
    reached: list[tuple[object, ...]] = field(default_factory=list)
    metrics: list[tuple[str, float, Json]] = field(default_factory=list)
    running: int = 0
    most_running: int = 0

    async def ask(
        self,
        messages: list[tuple[str, str]],
        *,
        models: Sequence[str],
        returns: Mapping[str, Json] | None,
        options: Mapping[str, Json],
    ) -> str:
        """Answer."""
        self.asked.append(
            {"messages": messages, "models": list(models), "returns": returns, "options": options}
        )
        self.reached.append(("ask",))
        return self.says

    async def body(self, values: Mapping[str, Json], place: str) -> Mapping[str, Json]:
        """Run what stands for the body; it may be something to wait for."""
        self.bodies.append((place, dict(values)))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await asyncio.sleep(0)
            found = self.inside(values)
            outputs: Mapping[str, Json] = await found if asyncio.iscoroutine(found) else found
            return outputs
        finally:
            self.running -= 1

    async def compute(
        self, source: str, inputs: Mapping[str, Json], timeout_s: float
    ) -> Mapping[str, Json]:
        """Return what was computed, or the inputs."""
        self.reached.append(("compute", source, dict(inputs), timeout_s))
        return dict(inputs) if self.computed is None else self.computed

    async def fetch(self, request: Mapping[str, Json], timeout_s: float) -> Mapping[str, Json]:
        """Return what was fetched."""
        self.reached.append(("fetch", dict(request), timeout_s))
        return self.fetched or {"status": 200, "headers": {}, "text": "{}"}

    async def query(
        self, connection: str, sql: str, parameters: Mapping[str, Json], most: int
    ) -> list[Json]:
        """Return as many rows as may be."""
        self.reached.append(("query", connection, sql, dict(parameters), most))
        return self.rows[:most]

    def answer(self, question: Mapping[str, Json]) -> Json:
        """Return what the person said."""
        if self.person is None:
            raise Waiting(question)
        return self.person

    def metric(
        self,
        name: str,
        value: float,
        unit: str | None = None,
        **dimensions: Json,
    ) -> None:
        """Keep it."""
        self.metrics.append((name, value, dimensions))


def run(kind: str, config: Json, inputs: Json, context: Answers | None = None) -> Json:
    """Run a node of a kind once."""
    return asyncio.run(kinds[kind].run(config, inputs, context or Answers()))

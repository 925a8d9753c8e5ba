"""A node kind as a third party writes one: it does what its config says."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from promptstudio_lab.nodes.kind import Context, Kind, Known
from promptstudio_lab.nodes.ports import Port, Ports

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptstudio_lab.values import Json


class Clock:
    """Counts time in ticks: it goes on only when everybody waits."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.now = 0
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    async def wait(self, ticks: int) -> None:
        """Wait some ticks."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((self.now + ticks, done))
        await done

    async def run(self, work: asyncio.Task[object]) -> None:
        """Go on, tick by tick, until some work is done."""
        while not work.done():
            for _ in range(50):
                await asyncio.sleep(0)
            if self._waiting and not work.done():
                self.now = min(at for at, _ in self._waiting)
                due = [done for at, done in self._waiting if at == self.now]
                self._waiting = [pair for pair in self._waiting if pair[0] > self.now]
                for done in due:
                    if not done.done():
                        done.set_result(None)


CLOCK = Clock()


class Probe(Kind):
    """Waits, fails or gives what it is told."""

    name = "probe"
    title = "Probe"
    summary = "Does what its config says."
    category = "Logic"
    icon = "probe"
    side_effects = "idempotent"
    schema: ClassVar[Mapping[str, Json]] = {
        "type": "object",
        "properties": {
            name: {"title": name} for name in ("gives", "raises", "ticks", "sleeps", "inputs")
        },
        "additionalProperties": False,
    }

    def ports(self, config: Mapping[str, Json], known: Known) -> Ports:
        """Return the inputs that the config names, and one output."""
        names = config.get("inputs") or ["a"]
        return Ports(tuple(Port(n, many=True, required=False) for n in names), (Port("value"),))

    async def run(
        self,
        config: Mapping[str, Json],
        inputs: Mapping[str, Json],
        context: Context,
    ) -> dict[str, Json]:
        """Do it."""
        if config.get("ticks"):
            await CLOCK.wait(config["ticks"])
        if config.get("sleeps"):
            await asyncio.sleep(config["sleeps"])
        if config.get("raises"):
            raise ODD[config["raises"]]
        gives = config.get("gives", "done")
        return {"value": float("nan") if gives == "nan" else gives}


ODD: dict[str, BaseException] = {
    "value": ValueError("no good"),
    "key": KeyError("lost"),
    "recursion": RecursionError("deep"),
    "surrogate": ValueError("half \ud800"),
    "nul": ValueError("zero \0 byte"),
}

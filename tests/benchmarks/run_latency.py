"""Recorded runs with real waiting in them, beside the ideal: a fan-out, and a batch at once."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import promptstudio_lab as ps
from promptstudio_lab.engine.batch import Progress, execute_batch
from promptstudio_lab.engine.budget import Budget
from promptstudio_lab.engine.plan import CONTROL
from promptstudio_lab.ids import new_id
from promptstudio_lab.lab.running import execution
from promptstudio_lab.providers import providers
from promptstudio_lab.providers.chat import ChatRequest, Reply, Usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from promptstudio_lab.lab import Flow, Lab

ROUNDS = 3
GOAL = 1.03
BRANCHES, BRANCH_S = 20, 0.05
ITEMS, ITEM_S, AT_ONCE = 1_000, 0.1, 100


@providers.register("sleeping")
class Sleeping:
    """Answers after as many milliseconds as the model's name says."""

    simulated = False

    async def complete(
        self,
        request: ChatRequest,
        on_text: Callable[[str], None] | None = None,
    ) -> Reply:
        """Sleep, and answer."""
        await asyncio.sleep(int(request.model) / 1e3)
        return Reply("yes", "stop", Usage(5, 0, 1, 0), request.model)


def main() -> None:
    """Print each ratio to the ideal."""
    with tempfile.TemporaryDirectory() as folder:
        lab = ps.connect(str(Path(folder) / "warehouse.db"))
        wide, single = fan_out(lab), alone(lab)
        # The first run of each saves versions and opens connections.
        wide.run(x="warm"), single.run(x="warm")
        alone_s = [took(lab, wide, 1, 1, "commit") for _ in range(ROUNDS)]
        report("fan-out of 20 x 50 ms", alone_s, BRANCH_S)
        ideal = ITEMS / AT_ONCE * ITEM_S
        batches = [took(lab, single, ITEMS, AT_ONCE, "queued") for _ in range(ROUNDS)]
        report("batch of 1,000 x 100 ms at 100", batches, ideal)


def report(name: str, seconds: list[float], ideal: float) -> None:
    """Print one ratio beside its goal."""
    ratio = median(seconds) / ideal
    print(f"{name}, recorded: {ratio:.3f} x the ideal {ideal:g} s (goal {GOAL})")


def fan_out(lab: Lab) -> Flow:
    """Return a flow whose nodes all wait at the same time."""
    flow = lab.flow("bench/wide")
    x = flow.input("x")
    name = f"sleeping:{BRANCH_S * 1e3:.0f}"
    asked = [flow.llm(f"n{n}", prompt="{{ x }}", x=x, model=name) for n in range(BRANCHES)]
    flow.output(**{f"a{n}": handle.text for n, handle in enumerate(asked)})
    return flow


def alone(lab: Lab) -> Flow:
    """Return a flow of one call."""
    flow = lab.flow("bench/one")
    name = f"sleeping:{ITEM_S * 1e3:.0f}"
    flow.output(a=flow.llm("n", prompt="{{ x }}", x=flow.input("x"), model=name).text)
    return flow


def took(lab: Lab, flow: Flow, count: int, at_once: int, ack: str) -> float:
    """Return the seconds from the first item until all is committed, as `run` and `batch` do it."""
    plan = execution.prepare(lab.environment, flow.head().id, {CONTROL: None})
    items = [(None, str(n), {"x": str(n)}) for n in range(count)]
    inputs = list(execution.batch_inputs(new_id(), items, [CONTROL]))
    sink = lab.environment.recorder(ack)

    async def work() -> float:
        begun = time.perf_counter()
        await execute_batch(
            plan,
            inputs,
            sink,
            budget=Budget(),
            progress=Progress(count),
            on_ended=lambda _: None,
            concurrency=at_once,
        )
        return begun

    begun = asyncio.run(work())
    sink.close()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()

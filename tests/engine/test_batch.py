from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

import pytest

from promptstudio_lab.engine.batch import Progress
from promptstudio_lab.engine.records import RunEnded
from promptstudio_lab.errors import RunError, WarehouseError
from promptstudio_lab.flows.language.builder import Builder
from tests.engine.parts import Heard, Scripted, item, many, plan_of, reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from promptstudio_lab.engine.plan import Plan
    from promptstudio_lab.engine.records import NodeEnded, RunInput
    from promptstudio_lab.providers.chat import ChatRequest, Reply


def asking() -> Plan:
    f = Builder()
    x = f.input("x", "text")
    f.output(answer=f.llm("ask", prompt="{{ x }}", x=x))
    return plan_of(f)


async def _short(request: ChatRequest) -> Reply:
    await asyncio.sleep(0.002)
    return reply(request.messages[-1].content)


@pytest.mark.parametrize("concurrency", [1, 3, 16])
def test_never_more_at_once_than_asked_for(scripted: Scripted, concurrency: int) -> None:
    scripted.behave = _short
    ended = asyncio.run(many(asking(), 40, concurrency=concurrency))
    assert sorted(int(run.outputs["answer"]) for run in ended) == list(range(40))
    assert scripted.most == concurrency


def test_items_are_taken_only_as_they_are_needed(scripted: Scripted) -> None:
    scripted.behave = _short
    taken: list[int] = []

    def inputs() -> Iterator[RunInput]:
        for number in range(30):
            taken.append(number)
            assert number < len(scripted.requests) + 4
            yield item({"x": str(number)})

    asyncio.run(many(asking(), 30, inputs=inputs(), concurrency=4))
    assert len(taken) == 30


@pytest.mark.parametrize("concurrency", [0, -1, 10_001])
def test_a_concurrency_that_means_nothing(concurrency: int) -> None:
    with pytest.raises(RunError, match="between 1 and 10,000"):
        asyncio.run(many(asking_nobody(), 1, concurrency=concurrency))


def asking_nobody() -> Plan:
    f = Builder()
    f.output(answer=f.input("x", "any"))
    return plan_of(f)


def test_progress_is_kept(scripted: Scripted) -> None:
    scripted.script.extend([ValueError("bad"), reply()])
    progress = Progress(4)
    asyncio.run(many(asking(), 4, progress=progress, concurrency=1))
    assert (progress.done, progress.failed) == (4, 1)
    assert progress.unpriced == 3, "the scripted model has no price"
    assert progress.cost == 0


def test_a_batch_can_be_stopped_after_what_is_in_flight(scripted: Scripted) -> None:
    progress = Progress(50)

    async def behave(request: ChatRequest) -> Reply:
        progress.stop = len(scripted.requests) >= 10
        return await _short(request)

    scripted.behave = behave
    ended = asyncio.run(many(asking(), 50, progress=progress, concurrency=5))
    assert 10 <= len(ended) <= 15
    assert progress.done == len(ended)
    assert {run.status for run in ended} == {"succeeded"}


def test_one_failing_item_does_not_stop_the_others(scripted: Scripted) -> None:
    scripted.script.extend([reply(), ValueError("bad"), reply()])
    ended = asyncio.run(many(asking(), 5, concurrency=1))
    assert [run.status for run in ended].count("failed") == 1
    assert len(ended) == 5


class Deaf(Heard):
    """A sink that breaks on the third node."""

    async def node_ended(self, node: NodeEnded) -> None:
        """Break, in the end."""
        await super().node_ended(node)
        if len(self.all) > 12:
            message = "the disk is full"
            raise WarehouseError(message)


def test_a_sink_that_breaks_ends_the_batch_with_its_error(scripted: Scripted) -> None:
    scripted.behave = _short
    with pytest.raises(WarehouseError, match="disk is full"):
        asyncio.run(many(asking(), 50, Deaf(), concurrency=5))
    assert scripted.flying == 0


def test_cancelling_a_batch_cancels_its_calls_and_tells_each_run(scripted: Scripted) -> None:
    async def behave(_: ChatRequest) -> Reply:
        await asyncio.sleep(30)
        return reply()

    scripted.behave = behave
    heard = Heard()

    async def work() -> None:
        task = asyncio.create_task(many(asking(), 20, heard, concurrency=5))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(work())
    assert scripted.flying == 0
    assert [run.status for run in heard.of(RunEnded)] == ["cancelled"] * 5


def test_no_items_are_no_work() -> None:
    assert asyncio.run(many(asking_nobody(), 0)) == []


def test_values_need_an_exact_form_only_where_they_are_kept() -> None:
    inputs = [item({"x": 1.0}), item({"x": math.nan}), item({"x": 2.0})]
    ended = asyncio.run(many(asking_nobody(), 3, inputs=inputs, concurrency=1))
    assert [run.status for run in ended] == ["succeeded", "failed", "succeeded"]

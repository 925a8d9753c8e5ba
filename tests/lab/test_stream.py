from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from promptstudio_lab.errors import FlowError, FlowInvalid, RunError
from tests.engine import conftest as engine
from tests.engine.graphs import ask, each_asks, flow_of, gives, node
from tests.engine.parts import reply

if TYPE_CHECKING:
    from promptstudio_lab.lab import Lab
    from promptstudio_lab.providers.chat import ChatRequest, Reply
    from tests.engine.parts import Scripted

scripted = engine.scripted


def test_pieces_come_one_by_one_and_make_the_answer(lab: Lab) -> None:
    flow = flow_of(lab, "a/each", each_asks(model="simulated:small"))
    heard = [(said, time.monotonic()) for said in flow.stream(xs=["a", "b"])]
    assert {said.node for said, _ in heard} == {"each/say"}
    assert len(heard) > 2, "an answer comes in pieces"
    stream = flow.stream(xs=["only"])
    text = "".join(said.text for said in stream)
    assert stream.run.outputs["ys"] == [{"text": text}] or text in str(stream.run.outputs)
    assert lab.runs()["status"].to_list() == ["succeeded", "succeeded"]
    assert stream.run.id in lab.runs()["flow_execution_id"].to_list()


def test_a_notebook_may_await_the_pieces(lab: Lab) -> None:
    x = node("input", {"type": "text"})
    said = ask(x="x.value", model="simulated:small")
    flow = flow_of(lab, "a/one", {"x": x, "say": said, "out": gives(y="say.text")})

    async def work() -> tuple[str, int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.005)

        beside = asyncio.create_task(tick())
        stream = flow.stream(x="a")
        pieces = [said.text async for said in stream]
        beside.cancel()
        assert stream.run.outputs == {"y": "".join(pieces)}
        return "".join(pieces), ticks

    text, ticks = asyncio.run(work())
    assert text
    assert ticks > 1, "the notebook's own loop goes on"


def test_leaving_early_breaks_the_call_off(lab: Lab, scripted: Scripted) -> None:
    x = node("input", {"type": "text"})
    parts = {
        "x": x,
        "first": ask(x="x.value", model="scripted:small"),
        "second": ask("Then {{ x }}", x="first.text", model="scripted:small"),
        "out": gives(y="second.text"),
    }
    flow = flow_of(lab, "a/left", parts)
    flow.save()

    async def hangs_at_the_second(request: ChatRequest) -> Reply:
        if "Then" in str(request.messages[-1].content):
            await asyncio.sleep(60)
            raise AssertionError
        return reply("one")

    scripted.behave = hangs_at_the_second
    stream = flow.stream(x="a")
    for said in stream:
        assert said.node == "first"
        break
    begun = time.monotonic()
    with pytest.raises(RunError, match="left before its end"):
        _ = stream.run
    assert time.monotonic() - begun < 10
    assert scripted.flying == 0, "nothing is in flight any more"
    assert lab.runs()["status"].to_list() == ["cancelled"]


def test_what_cannot_run_says_so_where_one_listens(lab: Lab) -> None:
    flow = flow_of(lab, "a/bad", {"say": ask("Say {{ x }}", model="simulated:small")})
    with pytest.raises(FlowInvalid):
        list(flow.stream())
    with pytest.raises(FlowError, match="no input"):
        flow.stream(y=1)
    assert lab.runs().is_empty()

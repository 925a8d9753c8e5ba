from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

import promptstudio_lab as ps
from promptstudio_lab.engine import cache as module
from promptstudio_lab.engine.cache import Cache, cache_key
from promptstudio_lab.engine.replay.past import Kept
from promptstudio_lab.errors import BadReply, FlowInvalid
from promptstudio_lab.nodes import kinds
from tests.engine.graphs import ask, each_asks, flow_of, gives, mapped, node, planned
from tests.engine.parts import Scripted, item, many, reply, run

if TYPE_CHECKING:
    from promptstudio_lab.engine.plan import Plan, Step
    from promptstudio_lab.lab import Lab
    from promptstudio_lab.providers.chat import ChatRequest, Reply
    from promptstudio_lab.values import Json
    from tests.engine.graphs import Nodes

pytestmark = pytest.mark.usefixtures("scripted", "priced")

CACHED = {"cache": True}
MODEL = "scripted:small"


def asking(text: str = "Say {{ x }}", policy: Json = None, model: str = MODEL) -> Nodes:
    return {
        "x": node("input", {"type": "text"}),
        "say": ask(text, CACHED | (policy or {}), x="x.value", model=model),
        "out": gives(y="say.text"),
    }


def nothing(_: str) -> Kept | None:
    return None


def step(plan: Plan, name: str = "say") -> Step:
    return next(found for found in plan.variants["control"].steps if found.key == name)


def rows(lab: Lab) -> list[tuple[Json, ...]]:
    found = lab.sql(
        "SELECT cache_hit, cost, saved_cost, original_node_execution_id AS original, id "
        "FROM node_execution WHERE node_key = 'say' ORDER BY id"
    )
    return found.rows()


def test_a_second_run_takes_what_the_first_has_paid_for(lab: Lab, scripted: Scripted) -> None:
    flow = flow_of(lab, "a/cached", asking())
    first, second = flow.run(x="a"), flow.run(x="a")
    assert len(scripted.requests) == 1
    assert first.outputs == second.outputs
    assert first.cost_nano_usd
    assert second.cost_nano_usd == 0
    paid, taken = rows(lab)
    assert paid[:4] == (False, first.cost_nano_usd, None, None)
    assert taken[:4] == (True, 0, first.cost_nano_usd, paid[4])
    third = flow.run(x="a")
    assert third.cost_nano_usd == 0
    assert rows(lab)[2][2:4] == (first.cost_nano_usd, paid[4]), "the one that really ran is named"
    assert len(lab.sql("SELECT id FROM prompt_execution")) == 1


def test_variants_share_what_is_equal_in_them(lab: Lab, scripted: Scripted) -> None:
    nodes = asking()
    nodes["then"] = node("prompt", {"prompt": {"text": "{{ y }}."}}, y="say.text")
    nodes["out"] = gives(label="then.text")
    flow = flow_of(lab, "a/variants", nodes)
    experiment = lab.experiment(
        "shared",
        flow=flow,
        variants={"control": None, "treatment": flow.vary("then.prompt", {"text": "{{ y }}!"})},
        data=[{"id": f"i{n}", "x": f"x{n}", "label": "yes."} for n in range(4)],
        scorer=ps.exact("label"),
    )
    assert experiment.run().height == 8
    assert len(scripted.requests) == 4


def test_what_is_under_way_is_not_asked_twice(lab: Lab, scripted: Scripted) -> None:
    async def behave(_: ChatRequest) -> Reply:
        await asyncio.sleep(0.05)
        return reply()

    scripted.behave = behave
    flow = flow_of(lab, "a/flight", asking())
    found = flow.batch([{"id": f"i{n}", "x": f"x{n % 2}"} for n in range(12)])
    assert set(found["status"]) == {"succeeded"}
    assert len(scripted.requests) == 2
    saved = [row[2] for row in rows(lab) if row[0]]
    assert len(saved) == 10
    assert None not in saved


def test_when_the_first_fails_the_next_one_tries(scripted: Scripted) -> None:
    scripted.script.append(BadReply("nonsense", code="schema"))

    async def work() -> list[str]:
        inputs = [item({"x": "same"}) for _ in range(3)]
        ended = await many(planned(asking()), 3, inputs=inputs, cache=Cache(nothing))
        return sorted(one.status for one in ended)

    assert asyncio.run(work()) == ["failed", "succeeded", "succeeded"]
    assert len(scripted.requests) == 2, "one failed, one was good for both"


def test_a_failure_is_never_remembered(lab: Lab, scripted: Scripted) -> None:
    scripted.script.extend([BadReply("nonsense", code="schema"), reply("good")])
    flow = flow_of(lab, "a/failed", asking())
    assert flow.run(x="a").status == "failed"
    assert flow.run(x="a").outputs == {"y": "good"}
    assert [row[0] for row in rows(lab)] == [False, False]


def test_a_map_that_left_an_item_out_is_tried_again(lab: Lab, scripted: Scripted) -> None:
    scripted.script.extend([BadReply("nonsense", code="schema"), reply("b"), reply("a")])
    flow = flow_of(
        lab, "a/left", each_asks({"on_item_error": "null", "concurrency": 1}, CACHED, MODEL)
    )
    assert flow.run(xs=[1, 2]).outputs == {"ys": [None, "b"]}
    assert flow.run(xs=[1, 2]).outputs == {"ys": ["a", "yes"]}
    assert flow.run(xs=[1, 2]).outputs == {"ys": ["a", "yes"]}
    assert len(scripted.requests) == 4, "what came out whole is kept"


def test_without_asking_for_it_nothing_is_remembered(lab: Lab, scripted: Scripted) -> None:
    nodes = asking()
    nodes["say"]["policy"] = {}
    flow = flow_of(lab, "a/plain", nodes)
    flow.run(x="a")
    flow.run(x="a")
    assert len(scripted.requests) == 2


def test_what_differs_has_another_key() -> None:
    plain = planned(asking())
    inputs = {"x": "a"}
    keys = [
        cache_key(plain, step(plain), inputs),
        cache_key(plain, step(plain), {"x": "b"}),
        *(
            cache_key(other, step(other), inputs)
            for other in (
                planned(asking("Tell {{ x }}")),
                planned(asking(model="scripted:large")),
                planned(asking(), default_model="scripted:large"),
            )
        ),
    ]
    assert None not in keys
    assert len(set(keys)) == len(keys)
    again = planned(asking())
    assert cache_key(again, step(again), inputs) == keys[0], "the same in another plan"


def test_a_body_is_part_of_the_key() -> None:
    def key(inner: Nodes, config: Json = None) -> str | None:
        plan = planned(mapped(inner, config, CACHED))
        return cache_key(plan, step(plan, "each"), {"items": [1]})

    say, other = ask(x="item.value"), ask("Tell {{ x }}", x="item.value")
    keys = [
        key({"say": say, "out": gives(y="say.text")}),
        key({"say": other, "out": gives(y="say.text")}),
        key({"say": say, "out": gives(y="item.value")}),
        key({"say": say, "out": gives(z="say.text")}),
        key({"say": say, "out": gives(y="say.text")}, {"on_item_error": "skip"}),
    ]
    assert None not in keys
    assert len(set(keys)) == len(keys)


def test_what_changes_the_world_is_never_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned(mapped({"say": ask(x="item.value"), "out": gives(y="say.text")}, None, CACHED))
    each = step(plan, "each")
    assert cache_key(plan, each, {"items": []}) is not None
    monkeypatch.setattr(type(kinds["llm"]), "side_effects", "unsafe")
    assert cache_key(plan, each, {"items": []}) is None, "however deep it lies"
    alone = next(inner for inner in each.body if inner.key == "say")
    asks = replace(alone, policy=CACHED)
    assert cache_key(plan, asks, {"x": "a"}) is None
    with pytest.raises(FlowInvalid, match="F303"):
        planned(asking())


def test_a_cached_map_repeats_without_a_call(lab: Lab, scripted: Scripted) -> None:
    flow = flow_of(lab, "a/map", each_asks(None, CACHED, MODEL))
    first = flow.run(xs=["a", "b"])
    taken = flow.run(xs=["a", "b"])
    assert (len(scripted.requests), taken.cost_nano_usd) == (2, 0)
    repeated = taken.replay()
    assert (repeated.status, repeated.outputs) == ("succeeded", first.outputs)
    assert len(scripted.requests) == 2


def test_what_a_stand_in_answered_stays_marked(lab: Lab) -> None:
    flow = flow_of(lab, "a/simulated", asking(model="simulated:small"))
    assert flow.run(x="a").simulated
    taken = flow.run(x="a")
    assert taken.cost_nano_usd == 0
    assert taken.simulated
    assert taken.replay().simulated
    assert taken.rerun("out").simulated
    assert lab.runs()["simulated"].all()


def test_a_run_without_a_warehouse_remembers_nothing(scripted: Scripted) -> None:
    plan = planned(asking())
    run(plan, {"x": "a"})
    run(plan, {"x": "a"})
    assert len(scripted.requests) == 2


def test_what_is_remembered_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REMEMBERED", 5)
    looked: list[str] = []

    def find(key: str) -> None:
        looked.append(key)

    async def work() -> None:
        cache = Cache(find)
        for number in range(20):
            assert await cache.claim(f"k{number}") is None
            cache.settle(f"k{number}", Kept(f"id{number}", "succeeded", {}))
            assert len(cache._under_way) <= 5
        assert (await cache.claim("k19")) == Kept("id19", "succeeded", {})
        assert len(looked) == 20, "what is remembered is not looked up"
        assert await cache.claim("k0") is None
        assert looked[-1] == "k0"

    asyncio.run(work())


def test_one_who_waits_is_told_when_the_first_is_cancelled() -> None:
    asked, go = threading.Event(), threading.Event()

    def find(_: str) -> None:
        asked.set()
        go.wait(5)

    async def work() -> None:
        cache = Cache(find)
        first = asyncio.create_task(cache.claim("k"))
        await asyncio.to_thread(asked.wait, 5)
        second = asyncio.create_task(cache.claim("k"))
        await asyncio.sleep(0)
        first.cancel()
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert await asyncio.wait_for(second, 5) is None
        cache.settle("k", None)
        assert cache._under_way == {}

    asyncio.run(work())

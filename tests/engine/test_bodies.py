from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptstudio_lab.engine.budget import Budget
from promptstudio_lab.engine.records import AttemptStarted, CallEnded, NodeEnded, RunEnded
from promptstudio_lab.errors import BadReply
from tests.engine.graphs import ask, each_asks, flow_of, gives, mapped, node, planned
from tests.engine.parts import Heard, Scripted, one, reply, run

if TYPE_CHECKING:
    from promptstudio_lab.lab import Lab
    from promptstudio_lab.providers.chat import ChatRequest, Reply
    from promptstudio_lab.values import Json
    from tests.engine.graphs import Nodes

pytestmark = pytest.mark.usefixtures("scripted", "priced")


def said(request: ChatRequest) -> str:
    return request.messages[-1].content.removeprefix("Say ")


def echoes(scripted: Scripted, *, slow: bool = False) -> None:
    async def behave(request: ChatRequest) -> Reply:
        # The first items take longest, so that the order of ending is not that of the list.
        await asyncio.sleep((9 - int(said(request))) / 500 if slow else 0)
        return reply(f"<{said(request)}>")

    scripted.behave = behave


def fails_on(scripted: Scripted, word: str) -> None:
    async def behave(request: ChatRequest) -> Reply:
        await asyncio.sleep(0)
        if said(request) == word:
            message = "nothing fits"
            raise BadReply(message, code="schema")
        return reply(said(request))

    scripted.behave = behave


def paths(ended: RunEnded, key: str) -> list[str]:
    return sorted(found.path for found in ended.nodes if found.step.key == key)


def test_a_map_keeps_the_order_of_its_items_whoever_is_first(scripted: Scripted) -> None:
    echoes(scripted, slow=True)
    ended = run(planned(each_asks({"concurrency": 3})), {"xs": list(range(9))})
    assert ended.outputs == {"ys": [f"<{n}>" for n in range(9)]}
    assert scripted.most == 3
    assert paths(ended, "say") == [f"each[{n}]" for n in range(9)]


def nested() -> Nodes:
    return {
        "rows": node("input", {"type": "list"}),
        "outer": node("map", {}, items="rows.value"),
        "outer/item": node("input", {"type": "list"}),
        "outer/inner": node("map", {}, items="item.value"),
        "outer/inner/item": node("input", {"type": "any"}),
        "outer/inner/say": ask(x="item.value"),
        "outer/inner/out": gives(y="say.text"),
        "outer/out": gives(ys="inner.items"),
        "out": gives(answer="outer.items"),
    }


def test_a_nested_map_names_every_place(scripted: Scripted) -> None:
    echoes(scripted)
    ended = run(planned(nested()), {"rows": [[1, 2], [], [3]]})
    assert ended.outputs == {"answer": [["<1>", "<2>"], [], ["<3>"]]}
    assert paths(ended, "say") == [
        "outer[0]/inner[0]",
        "outer[0]/inner[1]",
        "outer[2]/inner[0]",
    ]
    keys = [found.node_execution_id for found in ended.nodes]
    assert len(set(keys)) == len(keys), "each execution has a key of its own"


def test_a_loop_carries_its_state_and_counts(scripted: Scripted) -> None:
    async def behave(request: ChatRequest) -> Reply:
        await asyncio.sleep(0)
        return reply(f"{said(request)}!")

    scripted.behave = behave
    nodes = {
        "x": node("input", {"type": "text"}),
        "again": node("loop", {"max_iterations": 5, "until": "x == 'a!!!'"}, x="x.value"),
        "again/x": node("input", {"type": "text"}),
        "again/say": ask(x="x.value"),
        "again/out": gives(x="say.text"),
        "out": gives(answer="again.x", times="again.iterations"),
    }
    ended = run(planned(nodes), {"x": "a"})
    assert ended.outputs == {"answer": "a!!!", "times": 3}
    assert [said(request) for request in scripted.requests] == ["a", "a!", "a!!"]
    assert paths(ended, "say") == ["again[0]", "again[1]", "again[2]"]


def test_a_failure_names_the_node_inside(scripted: Scripted) -> None:
    fails_on(scripted, "b")
    heard = Heard()
    ended = run(planned(nested()), {"rows": [["a"], ["b"]]}, heard)
    assert (ended.status, ended.failed_node) == ("failed", "outer")
    assert ended.error == "say: nothing fits", "the node is named once, however deep it lies"
    assert dict(ended.outputs) == {}
    told = {found.node_execution_id for found in heard.of(NodeEnded)}
    assert told == {found.node_execution_id for found in ended.nodes}


@pytest.mark.parametrize(("on_error", "answers"), [("skip", ["a"]), ("null", ["a", None])])
def test_an_item_that_fails_is_left_out_and_still_paid_for(
    scripted: Scripted, on_error: str, answers: Json
) -> None:
    async def behave(request: ChatRequest) -> Reply:
        await asyncio.sleep(0)
        if said(request) == "b":
            message = "cut off"
            raise BadReply(message, code="truncated", reply=reply("b"))
        return reply(said(request))

    scripted.behave = behave
    ended = run(planned(each_asks({"on_item_error": on_error})), {"xs": ["a", "b"]})
    assert (ended.status, ended.outputs) == ("succeeded", {"ys": answers})
    calls = [call for found in ended.nodes for call in found.calls]
    assert ended.cost == sum(call.cost or 0 for call in calls) > 0
    assert {call.cost for call in calls} == {ended.cost // 2}, "the failed one cost as much"


def test_a_closed_branch_inside_a_body_is_skipped_for_its_own_item(scripted: Scripted) -> None:
    echoes(scripted)
    inner = {
        "which": node("switch", {"cases": ["hot"]}, value="item.value"),
        "warm": ask("Say {{ x }}", x="item.value", when="which.hot"),
        "out": gives(y="warm.text"),
    }
    ended = run(planned(mapped(inner)), {"xs": ["hot", "cold"]})
    warm = {found.path: found.status for found in ended.nodes if found.step.key == "warm"}
    assert warm == {"each[0]": "succeeded", "each[1]": "skipped"}
    assert ended.outputs == {"ys": ["<hot>", None]}
    assert len(scripted.requests) == 1


def test_what_waits_for_a_skipped_map_is_skipped_and_its_body_never_begins() -> None:
    nodes = {
        "x": node("input", {"type": "text"}),
        "xs": node("input", {"type": "list"}),
        "which": node("switch", {"cases": ["go"]}, value="x.value"),
        "each": node("map", {}, items="xs.value", when="which.go"),
        "each/item": node("input", {"type": "any"}),
        "each/out": gives(y="item.value"),
        "out": gives(ys="each.items", x="x.value"),
    }
    ended = run(planned(nodes), {"x": "stay", "xs": [1]})
    status = {found.step.name: found.status for found in ended.nodes}
    assert status["each"] == "skipped"
    assert not any(name.startswith("each/") for name in status)
    assert ended.outputs == {"x": "stay"}


def test_a_budget_that_ends_inside_a_body_is_no_failure_of_the_flow(scripted: Scripted) -> None:
    echoes(scripted)
    inner = {"say": ask(x="item.value", model="scripted:small"), "out": gives(y="say.text")}
    plan = planned(mapped(inner, {"on_item_error": "skip"}))
    ended = run(plan, {"xs": [1, 2]}, budget=Budget(1))
    assert (ended.status, ended.error_code) == ("cancelled", "budget_exceeded")
    assert scripted.requests == []


def test_a_cancelled_body_tells_everything_and_leaves_nothing_behind(scripted: Scripted) -> None:
    begun = asyncio.Event()

    async def behave(_: ChatRequest) -> Reply:
        if scripted.flying == 3:
            begun.set()
        await asyncio.sleep(60)
        raise AssertionError

    scripted.behave = behave
    heard = Heard()

    async def work() -> set[asyncio.Task[Any]]:  # of any result
        values = {"rows": [[1, 2], [3]]}
        task = asyncio.create_task(one(planned(nested()), values, heard))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(work()) == set()
    attempts, calls = heard.of(AttemptStarted), heard.of(CallEnded)
    assert len(attempts) == len(calls) == 3
    assert {call.failure.code for call in calls} == {"cancelled"}
    (ended,) = heard.of(RunEnded)
    assert ended.status == "cancelled"
    cut = sorted(f"{n.path}/{n.step.key}" for n in ended.nodes if n.status == "cancelled")
    assert cut == [
        "/outer",
        "outer[0]/inner",
        "outer[0]/inner[0]/say",
        "outer[0]/inner[1]/say",
        "outer[1]/inner",
        "outer[1]/inner[0]/say",
    ]
    told = sorted(found.node_execution_id for found in heard.of(NodeEnded))
    assert told == sorted(found.node_execution_id for found in ended.nodes)
    assert heard.all[-1] is ended


def test_a_subflow_is_recorded_as_the_flow_that_it_is(memory: Lab) -> None:
    inner = {
        "x": node("input", {"type": "text"}),
        "say": ask(x="x.value", model="simulated:small"),
        "out": gives(y="say.text"),
    }
    called = flow_of(memory, "lib/inner", inner)
    version = called.save()
    nodes = {
        "x": node("input", {"type": "text"}),
        "first": node("subflow", {"flow": f"lib/inner@{version}"}, x="x.value"),
        "second": node("subflow", {"flow": f"lib/inner@{version}"}, x="first.y"),
        "out": gives(y="second.y"),
    }
    outer = flow_of(memory, "lib/outer", nodes)
    found = outer.run(x="a")
    assert found.status == "succeeded"
    rows = memory.sql("SELECT flow_id, flow_version, path, node_key, cost FROM node_execution")
    inside = rows.filter(rows["path"] != "")
    assert set(inside["path"]) == {"first", "second"}
    assert set(inside["flow_id"]) == {called.id}
    assert set(inside["flow_version"]) == {version}
    assert set(rows.filter(rows["path"] == "")["flow_id"]) == {outer.id}
    assert rows["cost"].sum() == found.cost_nano_usd
    assert inside["cost"].sum() == found.cost_nano_usd != 0


shapes = st.recursive(
    st.just("ask"),
    lambda inner: st.tuples(st.sampled_from(["map", "loop"]), st.lists(inner, min_size=1)),
    max_leaves=4,
)


def built(nodes: Nodes, above: str, shape: Json, length: int) -> int:
    """Add the nodes of a body and return how many calls it will make."""
    nodes[f"{above}xs"] = node("input", {"type": "list"})
    answers, calls = {}, 0
    for number, part in enumerate(shape):
        key = f"{above}n{number}"
        if part == "ask":
            nodes[key] = ask(x="xs.value")
            answers[f"a{number}"], calls = f"n{number}.text", calls + 1
        else:
            kind, inner = part
            config = {"max_iterations": 2} if kind == "loop" else {}
            fed = {"xs": "xs.value", **({"items": "xs.value"} if kind == "map" else {})}
            nodes[key] = node(kind, config, **fed)
            times = 2 if kind == "loop" else length
            calls += times * built(nodes, f"{key}/", inner, length)
            answers[f"a{number}"] = f"n{number}.{'iterations' if kind == 'loop' else 'items'}"
    nodes[f"{above}out"] = gives(**answers)
    return calls


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(shapes, min_size=1, max_size=3), st.integers(0, 3))
def test_the_total_is_the_sum_of_the_leaves(shape: Json, length: int) -> None:
    nodes: Nodes = {}
    expected = built(nodes, "", shape, length)
    heard = Heard()
    ended = run(planned(nodes), {"xs": list(range(length))}, heard)
    calls = heard.of(CallEnded)
    assert (ended.status, len(calls)) == ("succeeded", expected)
    assert ended.cost == sum(call.cost for call in calls)
    assert ended.cost == sum(found.cost or 0 for found in ended.nodes)
    assert ended.input_tokens == 10 * expected

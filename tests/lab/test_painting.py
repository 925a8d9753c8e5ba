"""What a canvas asks about the runs of a flow, and runs up to a node, on both engines."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

import promptstudio_lab as ps
from promptstudio_lab.errors import Conflict, FlowError, NotFound
from promptstudio_lab.ids import new_id
from promptstudio_lab.lab.asking import ask as asked
from promptstudio_lab.lab.running.seen import stop_run
from promptstudio_lab.lab.running.worker import Worker
from tests.engine import conftest as engine
from tests.engine.graphs import ask, each_asks, flow_of, gives, node
from tests.engine.parts import reply
from tests.lab.parts import LABELS, classifying, until

if TYPE_CHECKING:
    from promptstudio_lab.lab import Lab
    from promptstudio_lab.lab.flows import Flow
    from promptstudio_lab.providers.chat import ChatRequest, Reply
    from tests.engine.parts import Scripted

scripted, priced = engine.scripted, engine.priced
pytestmark = pytest.mark.usefixtures("priced")


def question(flow: Flow, about: str, **more: Any) -> Any:  # whatever is asked about
    return asked(flow, flow.environment, {"about": about, **more})


def two_steps(lab: Lab, path: str = "a/two") -> Flow:
    nodes = {
        "x": node("input", {"type": "text"}),
        "z": node("input", {"type": "text"}),
        "first": ask("Say {{ x }}", x="x.value", model="scripted:small"),
        "second": ask("And {{ x }}", x="first.text", model="scripted:small"),
        "out": gives(y="second.text", z="z.value"),
    }
    return flow_of(lab, path, nodes)


def test_a_run_up_to_a_node_makes_no_call_behind_it(room: Lab, scripted: Scripted) -> None:
    flow = two_steps(room)
    run = flow.run_to("first", x="tea")
    assert (run.status, len(scripted.requests)) == ("partial", 1)
    by_key = {one.key: one.id for one in flow.graph_now.nodes}
    found = question(flow, "run", run=run.id)
    assert set(found["nodes"]) == {by_key["x"], by_key["first"]}
    assert found["nodes"][by_key["first"]]["output"] == "yes"
    with pytest.raises(FlowError, match=r"'frist'.*'first'"):
        flow.run_to("frist", x="tea")
    with pytest.raises(FlowError, match="'x' gets no value"):
        flow.run_to("first")


def test_a_switch_says_which_branch_opened(room: Lab) -> None:
    flow = room.flow("a/switch")
    kind = flow.input("kind", "text")
    with flow.switch(kind, "route") as route:
        up = route.case("loud").transform("up", do="upper", value=kind)
    flow.output(said=up)
    run = flow.run(kind="loud")
    found = question(flow, "run", run=run.id)["nodes"]
    assert found[flow.graph_now.by_key["route"].id]["output"] == "loud: true"
    assert found[flow.graph_now.by_key["up"].id]["output"] == "LOUD"


def test_what_is_not_finished_behind_a_node_does_not_stop_a_run_up_to_it(
    lab: Lab, scripted: Scripted
) -> None:
    flow = lab.flow("a/half")
    flow.llm("first", prompt="Say {{ x }}", x=flow.input("x", "text"), model="scripted:small")
    flow.llm("second", prompt="And {{ nobody }}", model="scripted:small")
    assert flow.run_to("first", x="tea").status == "partial"
    assert len(scripted.requests) == 1


def test_a_run_is_painted_with_its_failures_and_what_was_edited_since(
    room: Lab, scripted: Scripted
) -> None:
    scripted.script.extend([reply("one"), ValueError("<b>broken</b>")])
    flow = two_steps(room)
    run = flow.run(x="tea", z="u")
    assert run.status == "failed"
    by_key = {one.key: one.id for one in flow.graph_now.nodes}
    found = question(flow, "run", run=run.id)
    nodes = found["nodes"]
    assert nodes[by_key["first"]]["status"] == "succeeded"
    assert nodes[by_key["first"]]["cost_usd"] > 0
    assert nodes[by_key["second"]]["status"] == "failed"
    assert "<b>broken</b>" in nodes[by_key["second"]]["error"]
    assert found["stale"] == []
    config = dict(flow.graph_now.by_id[by_key["first"]].config)
    edit = {"type": "configure", "node": by_key["first"], "config": {**config, "seed": 3}}
    flow.apply({**edit, "op_id": new_id()})
    assert question(flow, "run", run=run.id)["stale"] == [by_key["first"]]
    (listed,) = question(flow, "runs")
    assert (listed["run"], listed["status"], listed["variant"]) == (run.id, "failed", None)


def test_the_whole_of_a_value_is_there_for_every_time_a_node_ran(room: Lab) -> None:
    flow = flow_of(room, "a/each", each_asks(model="simulated:small"))
    run = flow.run(xs=["a", "b", "c"])
    each, say = (
        next(one.id for one in flow.graph_now.nodes if one.key == key) for key in ("each", "say")
    )
    nodes = question(flow, "run", run=run.id)["nodes"]
    painted = nodes[say]
    assert 0 <= nodes[each]["began_ms"] <= painted["began_ms"] < painted["ended_ms"]
    assert painted["ended_ms"] <= nodes[each]["ended_ms"] <= run.latency_ms
    assert (painted["times"], painted["failed"], painted["status"]) == (3, 0, "succeeded")
    second = question(flow, "values", run=run.id, node=say, nth=1)
    assert second["path"].endswith("[1]")
    assert "b" in second["inputs"].values()
    (call,) = second["calls"]
    assert call["response"]["text"] == second["outputs"]["text"]
    assert call["request"]["messages"]
    with pytest.raises(NotFound):
        question(flow, "values", run=run.id, node=say, nth=3)
    other = two_steps(room)
    with pytest.raises(NotFound, match="another flow"):
        question(other, "run", run=run.id)


def test_heat_is_the_mean_over_runs_and_tells_variants_apart(room: Lab) -> None:
    flow = classifying(room, "Label it: {{ ticket }}")
    flow.run(ticket="billing")
    labelled = [
        {"id": "1", "ticket": "a bill", "label": "billing"},
        {"id": "2", "ticket": "x", "label": "tech"},
    ]
    longer = flow.vary("classify.prompt", f"Label it as one of {LABELS}, please: {{{{ ticket }}}}")
    experiment = room.experiment(
        "two",
        flow=flow,
        variants={"control": None, "longer": longer},
        data=labelled,
        scorer=ps.exact("label"),
    )
    experiment.run()
    sides = {one["name"]: one["id"] for one in question(flow, "variants")}
    assert set(sides) == {"control", "longer"}
    classify = next(one.id for one in flow.graph_now.nodes if one.key == "classify")
    every = question(flow, "heat")
    assert every["runs"] == 5
    assert every["nodes"][classify]["times"] == 5
    one, other = (question(flow, "heat", variant=sides[name]) for name in ("control", "longer"))
    assert (one["runs"], other["runs"]) == (2, 2)
    assert other["nodes"][classify]["cost_usd"] > one["nodes"][classify]["cost_usd"]
    assert one["nodes"][classify]["errors"] == 0


def test_a_queued_run_that_was_stopped_is_nobodys_work(room: Lab, scripted: Scripted) -> None:
    flow = two_steps(room)
    run = flow.queue(x="tea", z="u")
    stop_run(room.environment, run)
    worker = Worker(room.environment, lambda _: None)
    assert worker.look() == 0
    worker.close()
    assert scripted.requests == []
    found = question(flow, "run", run=run)
    assert (found["status"], found["cost_usd"]) == ("cancelled", 0)
    with pytest.raises(Conflict, match="cancelled"):
        stop_run(room.environment, run)


def test_a_run_in_a_workers_hand_is_broken_off(room: Lab, scripted: Scripted) -> None:
    begun: list[ChatRequest] = []

    async def slow(request: ChatRequest) -> Reply:
        begun.append(request)
        await asyncio.sleep(60)
        return reply()

    scripted.behave = slow
    flow = two_steps(room)
    run = flow.queue(x="tea", z="u")
    worker = Worker(room.environment, lambda _: None)
    worker.look()
    until(lambda: bool(begun))
    stop_run(room.environment, run)
    until(lambda: worker.look() == 0)
    worker.close()
    found = question(flow, "run", run=run)
    assert (found["status"], found["cost_usd"]) == ("cancelled", None)
    assert len(begun) == 1

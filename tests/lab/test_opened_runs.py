"""A run opened by its id shows what it showed where it ran, and can do the same."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from promptstudio_lab.errors import NodeFailed, NotFound
from promptstudio_lab.lab.running.worker import Worker
from tests.engine import conftest as engine
from tests.engine.graphs import ask, each_asks, flow_of, gives, node
from tests.engine.parts import MODEL, reply
from tests.lab.parts import as_somebody, change_runs, until
from tests.lab.test_going_on import asking, bad, failing

if TYPE_CHECKING:
    from promptstudio_lab.lab import Lab
    from promptstudio_lab.providers.chat import ChatRequest, Reply
    from tests.engine.parts import Scripted

scripted, priced = engine.scripted, engine.priced
pytestmark = pytest.mark.usefixtures("scripted", "priced")


def test_it_says_what_the_run_said_where_it_ran(lab: Lab, scripted: Scripted) -> None:
    parts = each_asks(model=MODEL) | {
        "x": node("input", {"type": "text"}),
        "first": ask(x="x.value", model=MODEL),
        "out": gives(y="first.text", ys="each.items"),
    }
    scripted.script.extend([reply("one"), reply("two"), reply("three")])
    ran = flow_of(lab, "a/each", parts).run(x="a", xs=["b", "c"])
    found = as_somebody(lab, "bo").run(ran.id)
    assert ran.status == found.status == "succeeded"
    assert found.outputs == ran.outputs
    assert found.cost_nano_usd == ran.cost_nano_usd != 0
    assert (found.input_tokens, found.output_tokens) == (ran.input_tokens, ran.output_tokens)
    assert (found.simulated, found.variant) == (ran.simulated, None)
    assert repr(found) == repr(ran)
    assert sorted(found._repr_html_().split("<tr>")) == sorted(ran._repr_html_().split("<tr>"))


def test_a_failed_one_names_the_node_and_goes_on(lab: Lab, scripted: Scripted) -> None:
    scripted.script.extend([reply("a draft"), bad()])
    ran = flow_of(lab, "a/breaks", failing()).run(x="a")
    found = lab.run(ran.id)
    assert repr(found) == repr(ran)
    with pytest.raises(NodeFailed, match="last: no"):
        _ = found.outputs
    scripted.script.append(reply("well"))
    assert found.resume().outputs == {"y": "well"}
    assert lab.run(ran.id).outputs == {"y": "well"}


def test_one_under_way_says_how_it_stands(lab: Lab, scripted: Scripted) -> None:
    flow_of(lab, "a/asks", asking()).run(x="a")
    waiting = lab.run(lab.questions()["flow_execution_id"].item())
    assert (waiting.status, waiting.outputs) == ("waiting", {})
    assert "waiting" in repr(waiting)

    async def slow(_: ChatRequest) -> Reply:
        await asyncio.sleep(0.3)
        return reply()

    scripted.behave = slow
    queued = flow_of(lab, "a/slow", failing()).queue(x="a")
    assert lab.run(queued).latency_ms is None
    worker = Worker(lab.environment, lambda _: None)
    worker.look()
    until(lambda: lab.run(queued).status == "running")
    assert "running" in lab.run(queued)._repr_html_()
    worker.close()
    assert lab.run(queued).status == "succeeded"


def test_what_was_learnt_later_is_kept_with_it(lab: Lab, scripted: Scripted) -> None:
    scripted.script.append(reply("a draft"))
    ran = flow_of(lab, "a/later", failing()).run(x="a")
    for _ in range(2):
        lab.run(ran.id).metric("refund", 12.5, unit="usd", key="r-1")
    kept = lab.sql("SELECT metric_name, metric_value, flow_execution_id FROM execution_metric")
    assert kept.rows() == [("refund", 12.5, ran.id)]


def test_a_run_that_is_not_there_is_said_to_be_missing(lab: Lab) -> None:
    for wrong in ("", "nobody", lab.actor.id):
        with pytest.raises(NotFound, match="there is no run"):
            lab.run(wrong)


def test_a_run_whose_price_is_unknown_stays_unknown(lab: Lab, scripted: Scripted) -> None:
    scripted.script.append(reply("a draft"))
    ran = flow_of(lab, "a/unknown", failing()).run(x="a")
    change_runs(lab, total_cost=None)
    assert lab.run(ran.id).cost_nano_usd is None
    assert "unknown" in repr(lab.run(ran.id))

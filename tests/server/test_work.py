"""What is asked for without a kernel: a worker runs it, and the server never does."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.graphs import ask, flow_of, gives, node

if TYPE_CHECKING:
    from promptstudio_lab.lab import Lab
    from promptstudio_lab.lab.flows import Flow
    from tests.server.visiting import Server


def asking(lab: Lab, path: str) -> Flow:
    """Return a flow that asks a model, and then a person."""
    parts = {
        "x": node("input", {"type": "text"}),
        "say": ask(x="x.value", model="simulated:small"),
        "rate": node(
            "human",
            {"question": "How good is it?", "schema": {"type": "integer"}},
            value="say.text",
        ),
        "out": gives(stars="rate.answer", said="say.text"),
    }
    return flow_of(lab, path, parts)


def settled(server: Server, run: str, *statuses: str) -> Any:  # a route's own JSON
    """Wait until a run stands as it should, and return it."""
    late = time.monotonic() + 60
    while time.monotonic() < late:
        found = server.get(f"runs/{run}").json
        if found["status"] in statuses and (found["status"] != "waiting" or found["under_way"]):
            return found
        time.sleep(0.1)
    pytest.fail(f"the run is {found['status']}")


def test_what_a_model_says_is_told_with_the_run(server: Server, lab: Lab) -> None:
    flow = asking(lab, "work/said")
    flow.save()
    other = asking(lab, "work/other")
    run = server.post(f"flows/{flow.id}/runs", {"inputs": {"x": "tea"}}).json["run"]
    found = settled(server, run, "waiting")
    whole = next(one["outputs"]["text"] for one in found["nodes"] if one["name"] == "say")
    question = {"client_id": "c", "do": "ask", "about": "run", "run": run}
    told = server.post(f"flows/{flow.id}/messages", question).json
    assert told["data"]["texts"] == {"say": whole[-400:]}
    refused = server.post(f"flows/{other.id}/messages", question).json
    assert (refused["ok"], "data" in refused) == (False, False)


def test_a_run_of_a_tab_is_queued_and_a_worker_runs_it(server: Server, lab: Lab) -> None:
    flow = asking(lab, "work/rate")
    flow.save()
    run = server.post(f"flows/{flow.id}/runs", {"inputs": {"x": "tea"}}).json["run"]
    found = settled(server, run, "waiting")
    by_id = {box.id: box.key for box in flow.graph_now.nodes}
    assert {by_id[one["node"]]: one["status"] for one in found["nodes"]} == {
        "x": "succeeded",
        "say": "succeeded",
    }
    said = next(one for one in found["nodes"] if by_id[one["node"]] == "say")
    assert said["inputs"] == {"x": "tea"}
    assert said["cost_usd"] > 0
    assert [by_id[one["node"]] for one in found["under_way"]] == ["rate"]

    (question,) = [
        one for one in server.get("questions").json["questions"] if one["flow_execution_id"] == run
    ]
    assert (question["node"], question["prompt"]) == ("rate", "How good is it?")
    assert question["value"] == said["outputs"]["text"]
    place = f"questions/{question['question_id']}"
    refused = server.post(place, {"value": "five"})
    assert refused.status == 400
    assert "integer" in refused.json["message"]
    assert server.post(place, {"value": 5}).json == {"run": run}
    done = settled(server, run, "succeeded")
    assert done["outputs"] == {"stars": 5, "said": question["value"]}
    assert server.post(place, {"value": 4}).status == 409
    assert run not in [
        one["flow_execution_id"] for one in server.get("questions").json["questions"]
    ]
    row = lab.sql("SELECT trigger, requested_by FROM flow_execution WHERE id = :run", run=run)
    assert row.rows() == [("tab", lab.actor.id)]


def test_what_cannot_run_is_told_at_once(server: Server, lab: Lab) -> None:
    flow = asking(lab, "work/told")
    flow.save()
    missing = server.post(f"flows/{flow.id}/runs", {"inputs": {}})
    assert missing.status == 400
    assert "'x' gets no value" in missing.json["message"]
    assert server.post(f"flows/{flow.id}/runs", {"inputs": []}).status == 400
    assert server.get("runs/nobody").status == 404
    assert server.post("questions/nobody", {"value": 1}).status == 404


def test_a_run_up_to_a_node_and_one_that_is_stopped(server: Server, lab: Lab) -> None:
    flow = asking(lab, "work/part")
    flow.save()
    place, by_key = f"flows/{flow.id}/runs", flow.graph_now.by_key
    wanted = {"inputs": {"x": "tea"}, "until": by_key["say"].id}
    part = settled(server, server.post(place, wanted).json["run"], "partial")
    assert {one["node"] for one in part["nodes"]} == {by_key["x"].id, by_key["say"].id}
    assert server.post(place, {"inputs": {"x": "tea"}, "until": "gone"}).status == 400
    run = server.post(place, {"inputs": {"x": "tea"}}).json["run"]
    settled(server, run, "waiting")
    assert server.post(f"runs/{run}/stop", {}).json == {"run": run}
    assert server.get(f"runs/{run}").json["status"] == "cancelled"
    assert server.post(f"runs/{run}/stop", {}).status == 409
    assert server.post("runs/nobody/stop", {}).status == 404

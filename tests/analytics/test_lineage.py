"""From anywhere in the chain to both of its ends, and only what hangs together."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from promptstudio_lab.analytics.faces.layers import Box, Layers
from promptstudio_lab.analytics.lineage import KINDS
from promptstudio_lab.errors import FlowError, NotFound, PromptStudioError
from promptstudio_lab.lab.invented.past import PastCall, PastRun, write_past

if TYPE_CHECKING:
    from promptstudio_lab.lab import Lab

HOSTILE = '<img src=x onerror="alert(1)">'


def test_a_template_leads_to_its_cost(told: Lab) -> None:
    found = told.lineage("desk/answer@2")
    assert set(found.frame["flow"]) == {"triage", "alone"}
    whole = told.analytics.cost(["version"]).frame.filter(template="answer", template_version=2)
    assert found.frame["cost_usd"].sum() == pytest.approx(whole["cost_usd"].item())
    assert found.frame["calls"].sum() == whole["calls"].item() == found.calls.height
    assert [box.kind for box in found.layers.boxes if box.id in found.layers.chosen] == [KINDS[0]]
    assert told.sql(found.sql).height == found.calls.height


def test_a_call_leads_back_to_its_template(told: Lab) -> None:
    some = told.lineage("desk/answer@1").calls.row(3, named=True)
    for key in ("prompt_execution_id", "node_execution_id"):
        found = told.lineage(some[key])
        assert found.calls["prompt_execution_id"].to_list() == [some["prompt_execution_id"]]
        assert found.edges.row(0)[1] == "answer@1"
        assert found.edges["target_kind"].to_list() == list(KINDS[1:])
    run = told.lineage(some["flow_execution_id"])
    assert run.calls.height == 2
    assert {box.kind for box in run.layers.boxes if box.id in run.layers.chosen} == {"execution"}


def test_a_flow_and_a_template_are_the_same_chain_from_two_ends(told: Lab) -> None:
    triage = told.flow("desk/triage")
    by_flow = told.lineage(triage).calls.filter(node="answer")
    by_template = told.lineage("desk/answer@2").calls.filter(flow="triage")
    assert by_flow.equals(by_template)
    assert told.lineage(told.template("desk/answer@2")).frame.height == 2
    assert told.lineage(str(triage.head().id)).calls.height == told.lineage(triage).calls.height


def test_a_time_has_its_own_chains(told: Lab) -> None:
    week = told.lineage("desk/answer", since="2026-06-01", until="2026-06-08")
    assert 0 < week.calls.height < told.lineage("desk/answer").calls.height
    # The use is known, though nothing ran at that time.
    later = told.lineage("desk/answer@2", since="2027-01-01")
    assert later.frame["calls"].to_list() == [0, 0]
    assert later.sentence.endswith("in 2 flows, not one call yet.")
    assert set(later.edges["target_kind"]) == {"usage"}


def test_what_is_not_there(told: Lab, room: Lab) -> None:
    with pytest.raises(NotFound):
        told.lineage("desk/nothing")
    with pytest.raises(NotFound):
        told.lineage("desk/answer@9")
    call = told.lineage("desk/answer@1").calls["prompt_execution_id"][0]
    assert room.lineage(call).calls.height == 0, "an organisation sees its own"
    assert room.lineage(call).sentence.startswith("Nothing hangs together with")
    assert room.lineage(call)._repr_html_().count("<svg") == 0
    with pytest.raises(PromptStudioError, match="nothing to draw"):
        room.lineage(call).plot()


def test_a_click_chooses_and_the_choice_is_a_frame(told: Lab) -> None:
    found = told.lineage("desk/answer@2")
    graph = found.graph()
    nodes = graph.widget.graph.nodes
    labels = {node.data["kind"].partition("\n")[0]: node.data["id"] for node in nodes}
    alone = labels["alone v1"]

    def click(node_id: object) -> None:
        event = {"event": "click", "widget": "node", "data": {"data": {"id": node_id}}}
        graph.widget._handle_custom_msg(event, [])

    click(alone)
    assert graph.selected.equals(found.calls.filter(flow="alone"))
    click(labels["answer@2"])
    assert graph.selected.height == found.calls.height
    for node_id in (alone, labels["answer@2"], "99", "x", None):
        click(node_id)
    assert graph.selected.height == 0
    assert "alone v1" in graph._repr_mimebundle_()["image/svg+xml"]
    with pytest.raises(FlowError, match="nothing to edit"):
        graph.edit()


def test_a_lineage_is_coloured_by_what_its_calls_took(told: Lab) -> None:
    found = told.lineage("desk/answer@2")
    graph = found.graph(by="cost")
    graph.select("answer@2")
    (box,) = (box for box in graph._shown.boxes if box.label == "answer@2")
    assert box.figures.times == graph.selected.height == found.calls.height
    assert box.figures.cost_usd == pytest.approx(found.calls["cost_usd"].sum())
    assert graph.legend[-1][1].startswith("≤ $")


def test_names_are_only_ever_text(room: Lab) -> None:
    flow = room.flow(f"desk/{HOSTILE}")
    flow.output(y=flow.llm("say", prompt="Say {{ x }}", x=flow.input("x")).text)
    write_past(flow, [PastRun(datetime(2026, 1, 1, tzinfo=UTC), "ada", {"say": PastCall(1, 1)})])
    found = room.lineage(flow)
    assert found.calls.height == 1
    assert "<img" not in found._repr_html_() + found.layers.svg
    widget = found.graph().widget
    assert widget.tooltip_source == ""
    names = {"id", "kind", "status", "cost", "latency", "errors"}
    assert {frozenset(node.data) for node in widget.graph.nodes} == {frozenset(names)}


def test_boxes_of_a_column_do_not_overlap() -> None:
    boxes = tuple(Box(str(n), "b" if n else "a", str(n)) for n in range(4))
    layers = Layers(("a", "b"), boxes, (("0", "1"), ("0", "3")))
    places = layers.places
    assert len(set(places.values())) == 4
    assert places["0"][1] == places["2"][1], "one stands in the middle of three"
    assert layers.svg.count("<path") == 2
    assert Layers(("a",), (), ()).svg == ""

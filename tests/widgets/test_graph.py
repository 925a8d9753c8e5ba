from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import promptstudio_lab as ps
from promptstudio_lab.errors import FlowError

if TYPE_CHECKING:
    from promptstudio_lab.lab import Experiment, Flow, Lab
    from promptstudio_lab.widgets.graphs.view import GraphView

HOSTILE = '<img src=x onerror="alert(1)">'


@pytest.fixture
def flow(memory: Lab) -> Flow:
    flow = memory.flow("support/triage")
    ticket = flow.input("ticket", "text")
    kind = flow.llm("classify", prompt=f"{HOSTILE} {{{{ ticket }}}}", ticket=ticket)
    with flow.switch(kind) as s:
        s.case("billing").llm("billing", prompt="{{ ticket }}", ticket=ticket)
        s.default.prompt("other", prompt="{{ ticket }}", ticket=ticket)
    flow.output(answer=s.merge())
    return flow


def with_a_body(lab: Lab) -> Flow:
    flow = lab.flow("support/each")
    rows = flow.input("rows", "list")
    with flow.map("each", items=rows) as each:
        said = each.llm("say", prompt="Say {{ row }}", row=each.item)
        each.output(said=said)
    flow.output(said=each.items)
    return flow


def compared(lab: Lab) -> Experiment:
    flow = lab.flow("greet")
    hello = flow.llm("hello", prompt="Hello {{ name }}", name=flow.input("name"))
    flow.output(said=hello)
    variants = {"formal": None, "warm": flow.vary("hello.prompt", "Hi {{ name }}")}
    data = [{"id": "1", "name": "Ada"}, {"id": "2", "name": "Bob"}]
    made: Experiment = lab.experiment(
        "e", flow=flow, variants=variants, data=data, scorer=ps.exact("said", "name")
    )
    return made


def numbers(shown: GraphView) -> dict[str, str]:
    """Return what a browser knows each box by, by its name."""
    found = {}
    for node in shown.widget.graph.nodes:
        found[node.data[shown.by].partition("\n")[0]] = node.data["id"]
    return found


def click(shown: GraphView, name: object) -> None:
    event = {"data": {"id": numbers(shown).get(str(name), name)}}
    content = {"event": "click", "widget": "node", "data": event}
    shown.widget._handle_custom_msg(content, [])


def fills(shown: GraphView) -> dict[str, str]:
    """Return the colour of each box, as the browser is told."""
    found: dict[str, str] = {}
    for rule in shown.widget.get_style():
        for selector in rule["selector"].split(", "):
            if "background-color" in rule["style"] and selector.startswith("#"):
                found[selector[1:]] = rule["style"]["background-color"]
    return {name: found[number] for name, number in numbers(shown).items()}


def ask(shown: GraphView, do: str, value: object = None) -> None:
    shown._bar._handle_custom_msg({"do": do, "value": value}, [])


def test_only_what_is_named_reaches_the_browser(flow: Flow) -> None:
    shown = flow.graph()
    assert shown.widget.tooltip_source == ""
    names = {"id", "kind", "status", "cost", "latency", "errors"}
    assert {frozenset(node.data) for node in shown.widget.graph.nodes} == {frozenset(names)}
    ids = {node.id for node in flow.graph_now.nodes}
    assert not ids & {node.data["id"] for node in shown.widget.graph.nodes}


def test_the_boxes_stand_as_the_flow_has_them(flow: Flow) -> None:
    shown = flow.graph()
    drawn = {node.data["id"]: node.position for node in shown.widget.graph.nodes}
    by_key = flow.graph_now.by_key
    one, other = (drawn[numbers(shown)[key]] for key in ("ticket", "classify"))
    assert one["x"] < other["x"]
    far = by_key["classify"].x - by_key["ticket"].x
    assert (other["x"] - one["x"]) / far == pytest.approx(134 / 208)


def test_a_branch_carries_its_name(flow: Flow) -> None:
    edges = flow.graph().widget.graph.edges
    branches = [edge.data["label"] for edge in edges if "branch" in edge.classes]
    assert branches == ["billing", "default"]


def test_clicking_selects_and_unselects(flow: Flow) -> None:
    shown = flow.graph()
    for key in ("classify", "ticket", "classify"):
        click(shown, key)
    assert shown.selected["node"].to_list() == ["ticket"]
    chosen = shown.widget.get_style()[-1]
    assert chosen["selector"] == f"#{numbers(shown)['ticket']}"
    assert chosen["style"]["border-width"] == 4
    assert shown._bar.state["chosen"] == [numbers(shown)["ticket"]]


@pytest.mark.parametrize("event", [{"data": {"id": "gone"}}, {"data": {"id": 3}}, {"data": 1}, {}])
def test_a_click_on_what_is_gone_selects_nothing(flow: Flow, event: dict[str, Any]) -> None:
    shown = flow.graph()
    content = {"event": "click", "widget": "node", "data": event}
    shown.widget._handle_custom_msg(content, [])
    assert shown.selected.height == 0
    assert shown.selected.columns[:3] == ["node", "kind", "headline"]


def test_a_flow_is_coloured_by_its_newest_runs(flow: Flow) -> None:
    before = flow.graph(by="cost")
    assert set(before.legend) == {("#FFFFFF", "has not run")} | {before.legend[0]}
    flow.run(ticket="My card was charged twice")
    shown = flow.graph(by="cost").select("classify", "ticket")
    asked, free = shown.selected.iter_rows(named=True)
    assert (asked["times"], asked["status"], asked["errors"]) == (1, "succeeded", 0)
    assert asked["cost_usd"] > 0
    assert free["cost_usd"] == 0
    assert fills(shown)["classify"] != fills(shown)["ticket"]
    assert len(shown.legend) == 6
    shown.by = "status"
    assert "succeeded" in {text for _, text in shown.legend}
    assert shown._bar.state["by"] == "status"
    assert shown._bar.state["simulated"] is True


def test_the_bar_colours_chooses_clears_and_follows_the_theme(flow: Flow) -> None:
    shown = flow.graph()
    ask(shown, "colour", "errors")
    assert shown.by == "errors"
    light = fills(shown)
    ask(shown, "paper", value=True)
    assert fills(shown) != light
    ask(shown, "choose", numbers(shown)["classify"])
    assert shown.selected["node"].to_list() == ["classify"]
    ask(shown, "clear")
    assert shown.selected.height == 0
    for wrong in (("colour", "taste"), ("colour", None), ("choose", ["n0"]), ("burn", 1)):
        ask(shown, *wrong)
    shown._bar._handle_custom_msg("no request", [])
    assert shown.by == "errors"


def test_what_is_no_way_to_colour_is_told(flow: Flow) -> None:
    with pytest.raises(FlowError, match="did you mean 'cost'"):
        flow.graph(by="costs")
    shown = flow.graph()
    with pytest.raises(FlowError, match="cannot be coloured by 'changes'"):
        shown.by = "changes"
    with pytest.raises(FlowError, match="did you mean 'classify'"):
        shown.select("clasify")


def test_a_run_shows_every_execution_of_a_node(memory: Lab) -> None:
    run = with_a_body(memory).run(rows=["a", "b", "c"])
    shown = run.graph()
    assert shown.by == "status"
    shown.select("each/say")
    found = shown.selected
    assert found["path"].to_list() == ["each[0]", "each[1]", "each[2]"]
    assert found["status"].unique().to_list() == ["succeeded"]
    assert found["inputs"].to_list() == ['{"row":"a"}', '{"row":"b"}', '{"row":"c"}']
    ids = set(memory.sql("SELECT node_execution_id FROM v_node_execution").to_series())
    assert set(found["node_execution_id"]) <= ids
    parents = {node.data["id"]: node.data.get("parent") for node in shown.widget.graph.nodes}
    assert parents[numbers(shown)["each/say"]] == numbers(shown)["each"]
    inside = shown.select("each").inside()
    assert set(numbers(inside)) == {"each", "each/item", "each/say", "each/output"}


def test_a_failed_node_is_seen_and_told(memory: Lab) -> None:
    flow = memory.flow("bad")
    flow.output(y=flow.llm("half", prompt="{{ x }}", x=flow.input("x"), model="simulated:huge"))
    run = flow.run(x="1")
    shown = run.graph().select("half")
    assert shown.selected["status"].to_list() == ["failed"]
    assert "huge" in shown.selected["error"].item()
    words = {text: fill for fill, text in shown.legend}
    assert fills(shown)["half"] == words["failed"]
    shown.by = "errors"
    said = {node.data["id"]: node.data["errors"] for node in shown.widget.graph.nodes}
    assert said[numbers(shown)["half"]] == "half\n100 % failed"


def test_what_a_subflow_did_belongs_to_its_node(memory: Lab) -> None:
    inner = memory.flow("in/ner")
    inner.output(said=inner.llm("say", prompt="Say {{ x }}", x=inner.input("x")))
    inner.save()
    outer = memory.flow("out/er")
    outer.output(y=outer.subflow("call", flow="in/ner@1", x=outer.input("x")))
    shown = outer.run(x="a").graph(by="cost").select("call")
    assert shown.selected["path"].to_list().count("call") >= 2
    assert shown.selected["cost_usd"].sum() > 0


def test_a_drafts_run_has_no_graph(memory: Lab) -> None:
    draft = memory.draft()
    draft.output(y=draft.input("x"))
    assert draft.graph().selected.height == 0
    run = draft.run(x="1")
    with pytest.raises(FlowError, match="kept nowhere"):
        run.graph()


def test_an_experiment_shows_what_its_variants_change(memory: Lab) -> None:
    experiment = compared(memory)
    shown = experiment.graph().select("hello")
    assert shown.selected["changed"].to_list() == [False, True]
    assert shown.selected["times"].to_list() == [0, 0]
    words = {text: fill for fill, text in shown.legend}
    assert fills(shown)["hello"] == words["changed"]
    assert fills(shown)["name"] == words["the same"]
    experiment.run()
    after = experiment.graph(by="cost").select("hello")
    assert after.selected["times"].to_list() == [2, 2]
    assert after.selected["variant"].to_list() == ["formal", "warm"]
    assert all(cost > 0 for cost in after.selected["cost_usd"])


def test_an_online_experiment_that_is_found_again(memory: Lab) -> None:
    flow = compared(memory).flow
    variants = {"formal": None, "warm": flow.vary("hello.prompt", "Hi {{ name }}")}
    memory.experiment("o", flow=flow, variants=variants, unit="user").start()
    found = memory.experiment("o", flow=flow)
    shown = found.graph().select("hello")
    assert shown.selected["changed"].to_list() == [False, True]


def test_the_editor_is_one_call_away(flow: Flow) -> None:
    assert flow.graph().edit().flow is flow
    run = flow.run(ticket="x")
    assert run.graph().edit().flow.id == flow.id


def test_the_picture_shows_names_literally(flow: Flow) -> None:
    data = flow.graph()._repr_mimebundle_()
    assert "<img" not in data["image/svg+xml"]
    assert data["text/html"].count("<img") == 1
    assert data["text/plain"] == repr(flow.graph())
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"]

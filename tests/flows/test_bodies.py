"""Nodes in the bodies of other nodes: edited, compared, drawn, kept and carried from a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from promptstudio_lab.errors import Conflict, FlowError, OperationRefused
from promptstudio_lab.flows.diff import diff
from promptstudio_lab.flows.draw import svg
from promptstudio_lab.flows.gestures.changes import applied
from promptstudio_lab.flows.graph import Edge, Graph, from_document
from promptstudio_lab.flows.language.builder import Builder
from promptstudio_lab.flows.layout import absolute, places, size
from promptstudio_lab.flows.operations import changes, flaw
from promptstudio_lab.flows.variants import Patch, patched, vary
from promptstudio_lab.ids import new_id
from tests.flows.parts import FACTS, bodies_graph, nested_graph

if TYPE_CHECKING:
    from promptstudio_lab.lab import Lab
    from promptstudio_lab.lab.flows import Flow
    from promptstudio_lab.values import Json

FLOW = new_id()


def do(graph: Graph, **operation: Json) -> Graph:
    return applied(graph, changes(graph, FLOW, operation, FACTS))


def at(graph: Graph, name: str) -> str:
    return graph.by_key[name].id


def keys(graph: Graph) -> set[str]:
    return set(graph.by_key)


def test_a_node_is_added_to_a_body_under_a_name_free_in_it() -> None:
    graph = bodies_graph()
    each = at(graph, "each")
    more = do(graph, type="add", node=new_id(), kind="llm", key="tickets", parent=each)
    assert "each/tickets" in keys(more), "another body's names do not count"
    free = do(graph, type="add", node=new_id(), kind="switch", parent=each)
    assert "each/switch_2" in keys(free)
    with pytest.raises(OperationRefused, match="exists already"):
        do(graph, type="add", node=new_id(), kind="llm", key="LABEL", parent=each)
    with pytest.raises(OperationRefused, match="llm has no body"):
        do(graph, type="add", node=new_id(), kind="llm", parent=at(graph, "each/label"))
    with pytest.raises(OperationRefused, match="removed"):
        do(graph, type="add", node=new_id(), kind="llm", parent=new_id())


def test_nodes_lie_in_one_another_only_so_deep() -> None:
    graph, parent = Graph(), None
    for _ in range(15):
        node = new_id()
        graph, parent = do(graph, type="add", node=node, kind="map", parent=parent), node
    with pytest.raises(OperationRefused, match="15 deep"):
        do(graph, type="add", node=new_id(), kind="map", parent=parent)


def test_an_edge_stays_inside_its_body() -> None:
    graph = bodies_graph()
    ends = {"source": at(graph, "tone"), "source_port": "value"}
    target = {"target": at(graph, "each/label"), "target_port": "ticket"}
    with pytest.raises(OperationRefused, match=r"'tone' and 'each/label' lie in two"):
        do(graph, type="connect", edge=new_id(), **ends, **target)


def test_a_container_goes_with_its_body_and_its_edges() -> None:
    graph = do(bodies_graph(), type="remove", nodes=[at(bodies_graph(), "each")])
    assert keys(graph) == {"tickets", "tone", "check", "output"}
    assert {edge.target_port for edge in graph.edges} == {"text", "verdict"}
    assert flaw(graph) is None


def test_edges_of_openings_that_a_body_no_longer_has_go() -> None:
    graph = bodies_graph()
    each = graph.by_key["each"]
    without = do(graph, type="remove", nodes=[at(graph, "each/tone")])
    assert {edge.target_port for edge in without.into(each.id)} == {"items"}
    refine = graph.by_key["each/refine"]
    inner = at(graph, "each/refine/output")
    other = do(graph, type="configure", node=inner, config={"fields": ["other"]})
    assert [edge.source_port for edge in other.out_of(refine.id)] == []


def test_what_feeds_a_bodys_input_follows_its_new_name() -> None:
    graph = bodies_graph()
    renamed = do(graph, type="rename", node=at(graph, "each/tone"), key="mood")
    assert {edge.target_port for edge in renamed.into(at(graph, "each"))} == {"items", "mood"}
    assert "each/mood" in keys(renamed)


def test_rows_that_no_edit_could_have_made_are_told() -> None:
    graph = bodies_graph()
    open_body = Graph(tuple(n for n in graph.nodes if n.key != "each"), graph.edges)
    assert "lie in a node that is gone" in str(flaw(open_body))
    edge = Edge(new_id(), at(graph, "tone"), "value", at(graph, "each/label"), "ticket")
    assert "leave its body" in str(flaw(Graph(graph.nodes, (*graph.edges, edge))))
    assert flaw(graph) is None


def test_a_diff_names_nodes_in_full_and_counts_a_body() -> None:
    graph = bodies_graph()
    gone = do(graph, type="remove", nodes=[at(graph, "each/refine")])
    words = str(diff(graph, gone)).splitlines()
    assert words[0] == "- each/refine (loop, 3 inside)"
    assert "- each/refine/draft (input)" in words
    assert "- each/item.value → each/refine.draft" in words
    moved = do(graph, type="rename", node=at(graph, "each"), key="every")
    assert str(diff(graph, moved)) == "~ each is called every"
    assert "every/label" in keys(moved)


def test_a_variant_reaches_into_a_body() -> None:
    graph = bodies_graph()
    patch = vary("each/label.prompt", "Sort: {{ ticket }}") & Patch({"each/label.seed": 1})
    assert patched(graph, patch).by_key["each/label"].config["seed"] == 1
    assert patch.document()[0]["path"] == "/nodes/each~1label/config/prompt"


@pytest.mark.parametrize("graph_of", [bodies_graph, nested_graph])
def test_a_body_lies_inside_its_container_clear_of_the_others(graph_of: Any) -> None:  # either flow
    made = graph_of()
    graph = made.moved(places(made))
    flat = absolute(graph)
    for node in graph.nodes:
        here, box = flat.by_id[node.id], size(graph, node)
        if node.parent:
            above, frame = flat.by_id[node.parent], size(graph, graph.by_id[node.parent])
            assert above.x < here.x < here.x + box.width < above.x + frame.width
            assert above.y < here.y < here.y + box.height < above.y + frame.height
        for other in graph.inside(node.parent):
            if other.id != node.id:
                there, its = flat.by_id[other.id], size(graph, other)
                apart = here.x + box.width <= there.x or there.x + its.width <= here.x
                assert apart or here.y + box.height <= there.y or there.y + its.height <= here.y
    drawn = svg(graph)
    assert drawn.count('class="frame"') == sum(bool(graph.inside(n.id)) for n in graph.nodes)


def test_what_lies_in_two_bodies_is_said_when_it_is_built() -> None:
    f = Builder()
    outside = f.input("tone")
    with f.map("each", items=f.input("rows", "list")) as each:
        with pytest.raises(FlowError, match="give it to the body by a keyword"):
            each.prompt("say", prompt="{{ tone }}", tone=outside)
        inner = each.prompt("tell", prompt="{{ row }}", row=each.item)
        each.output(told=inner)
    with pytest.raises(FlowError, match="give it out by an output"):
        f.output(answer=inner)
    with pytest.raises(FlowError, match="has no 'tones'"):
        f.loop("again", max_iterations=1, tone=outside)["tones"]
    f.output(answer=each.items)
    assert set(f.document()["nodes"]) == {
        "tone", "rows", "each", "each/item", "each/tell", "each/output", "output",
        "again", "again/tone",
    }  # fmt: skip


def cell(lab: Lab, *, short: bool = False, body: bool = True) -> Flow:
    f = lab.flow("cell")
    rows = f.input("rows", "list")
    last = rows
    if body:
        with f.map("each", items=rows) as each:
            text = "Say {{ row }}" if short else "Please say {{ row }}"
            each.output(told=each.prompt("say", prompt=text, row=each.item))
        last = each.items
    f.note("Rows are short.")
    f.output(told=last)
    return f


def test_a_cell_with_a_body_is_carried_over_and_touches_only_what_changed(lab: Lab) -> None:
    first = cell(lab).head()
    wanted = {"rows", "each", "each/item", "each/say", "each/output", "note", "output"}
    assert set(first.graph.by_key) == wanted
    assert cell(lab).head().seq == first.seq
    say = first.graph.by_key["each/say"]
    second = cell(lab, short=True).head()
    assert second.graph.by_key["each/say"].id == say.id
    assert second.seq == first.seq + 1
    lab.flow("cell").apply({"type": "rename", "node": first.graph.by_key["each"].id, "key": "all"})
    third = cell(lab).head()
    assert third.graph.by_key["all/say"].config["prompt"]["text"] == "Please say {{ row }}"
    assert set(cell(lab, body=False).head().graph.by_key) == {"rows", "note", "output"}
    again = cell(lab).head()
    assert set(again.graph.by_key) == wanted
    assert again.graph.hash == first.graph.hash


def test_a_body_that_was_removed_by_hand_stays_away(lab: Lab) -> None:
    head = cell(lab).head()
    lab.flow("cell").apply({"type": "remove", "nodes": [head.graph.by_key["each"].id]})
    assert set(cell(lab, short=True).head().graph.by_key) == {"rows", "note", "output"}


def test_versions_with_bodies_come_back(lab: Lab) -> None:
    flow = cell(lab)
    flow.save()
    graph = flow.head().graph
    flow.apply({"type": "remove", "nodes": [graph.by_key["each"].id]})
    assert "- each (map, 3 inside)" in str(flow.diff(1))
    flow.restore_version(1)
    assert flow.head().graph.hash == graph.hash
    assert from_document(flow.head().graph.document()).hash == graph.hash


def test_a_container_that_others_filled_is_not_undone_over_their_heads(lab: Lab) -> None:
    flow = lab.flow("shared")
    each = new_id()
    flow.apply({"type": "add", "node": each, "kind": "map", "key": "each"})
    other = lab.flow("shared")
    inner = {"type": "add", "node": new_id(), "kind": "note", "parent": each}
    other.apply(inner, "another view")
    graph = flow.head().graph
    assert flaw(Graph(tuple(n for n in graph.nodes if n.id != each))) is not None
    try:
        flow.undo()
    except Conflict:
        assert set(flow.head().graph.by_key) == {"each", "each/note"}
    assert flaw(flow.head().graph) is None

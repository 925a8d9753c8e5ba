"""A cell run again, after the canvas or the cell has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from promptstudio_lab.errors import FlowError
from promptstudio_lab.ids import new_id
from promptstudio_lab.warehouse.history.changelog import Stream, since

if TYPE_CHECKING:
    from promptstudio_lab.flows.graph import Graph, Node
    from promptstudio_lab.lab import Lab
    from promptstudio_lab.lab.flows import Flow


def cell(lab: Lab, text: str = "Hi {{ a }}", *, second: bool = True, extra: bool = False) -> Flow:
    """Run the cell: an input, one prompt or two, an output."""
    f = lab.flow("cell")
    a = f.input("a", "text")
    p = f.prompt("p", prompt=text, a=a)
    last = f.prompt("q", prompt="So {{ p }}", p=p) if second else p
    if extra:
        f.input("extra", "int")
    f.output(answer=last)
    return f


def ops(flow: Flow) -> list[str]:
    """Return what was done to the flow, operation by operation."""
    with flow.reading() as session:
        return [row.type for row in since(session, Stream("flow", str(flow.id)), 0)]


def node(flow: Flow, key: str) -> Node:
    return flow.head().graph.by_key[key]


def shown(graph: Graph) -> dict[str, Any]:  # a document's nodes
    return dict(graph.semantics["nodes"])


def test_an_unchanged_cell_writes_nothing(lab: Lab) -> None:
    first = cell(lab).head()
    before = ops(cell(lab))
    assert before == ["add"] * 4 + ["connect"] * 3 + ["move"]
    again = cell(lab).head()
    assert (again.seq, again.graph.hash) == (first.seq, first.graph.hash)
    assert ops(lab.flow("cell")) == before
    with lab.flow("cell").reading() as session:
        batches = {row.op_id for row in since(session, Stream("flow", first.id), 0)}
    assert len(batches) == len(before)


def test_a_cell_is_one_step_of_undo(lab: Lab) -> None:
    flow = cell(lab)
    flow.head()
    same = lab.flow("cell")
    same.undo()
    assert same.head().graph.nodes == ()
    same.redo()
    assert set(same.head().graph.by_key) == {"a", "p", "q", "output"}


def test_a_changed_cell_touches_only_what_changed(lab: Lab) -> None:
    flow = cell(lab)
    before = flow.head()
    changed = cell(lab, "Hello {{ a }}").head()
    assert ops(flow)[len(ops(flow)) - (changed.seq - before.seq) :] == ["configure"]
    assert changed.graph.by_key["p"].config == {"prompt": {"text": "Hello {{ a }}"}}
    same = [key for key in before.graph.by_key if key != "p"]
    assert all(changed.graph.by_key[key] == before.graph.by_key[key] for key in same)
    assert changed.graph.by_key["p"].id == before.graph.by_key["p"].id


def test_a_node_that_left_the_cell_goes_with_its_edges(memory: Lab) -> None:
    before = cell(memory).head()
    after = cell(memory, second=False).head()
    assert set(after.graph.by_key) == {"a", "p", "output"}
    assert shown(after.graph)["output"]["in"] == {"answer": ["p.text"]}
    assert after.graph.by_key["p"].id == before.graph.by_key["p"].id
    back = cell(memory).head()
    assert shown(back.graph) == shown(before.graph), "and comes back when the cell has it again"
    assert back.graph.by_key["q"].id != before.graph.by_key["q"].id


def test_a_node_that_the_cell_gained_is_placed_clear_of_the_others(memory: Lab) -> None:
    flow = cell(memory)
    flow.apply({"type": "move", "nodes": {node(flow, "a").id: {"x": 700, "y": 700}}})
    graph = cell(memory, extra=True).head().graph
    assert (graph.by_key["a"].x, graph.by_key["a"].y) == (700, 700)
    places = [(n.x, n.y) for n in graph.nodes]
    assert len(set(places)) == len(places)


def test_what_was_moved_by_mouse_stays(lab: Lab) -> None:
    flow = cell(lab)
    flow.apply({"type": "move", "nodes": {node(flow, "p").id: {"x": 9, "y": 8}}})
    after = cell(lab, "Hello {{ a }}").head().graph.by_key["p"]
    assert (after.x, after.y) == (9, 8)


def test_what_was_renamed_by_mouse_is_still_the_cells_node(lab: Lab) -> None:
    flow = cell(lab)
    renamed = node(flow, "p").id
    flow.apply({"type": "rename", "node": renamed, "key": "greet"})
    seq = cell(lab).head().seq
    after = cell(lab, "Hello {{ a }}").head()
    assert after.seq == seq + 1
    assert after.graph.by_key["greet"].id == renamed
    assert after.graph.by_key["greet"].config == {"prompt": {"text": "Hello {{ a }}"}}
    assert "p" not in after.graph.by_key
    gone = cell(lab, "Hello {{ a }}", second=False).head().graph
    assert shown(gone)["output"]["in"] == {"answer": ["greet.text"]}


def test_what_was_configured_by_mouse_stays_until_the_cell_changes_it(lab: Lab) -> None:
    flow = cell(lab)
    mine = {"prompt": {"text": "Mine {{ a }}"}}
    flow.apply({"type": "configure", "node": node(flow, "p").id, "config": mine})
    assert node(cell(lab, extra=True), "p").config == mine
    changed = cell(lab, "Cell {{ a }}", extra=True)
    assert node(changed, "p").config == {"prompt": {"text": "Cell {{ a }}"}}


def test_what_was_removed_by_mouse_does_not_come_back_by_itself(lab: Lab) -> None:
    flow = cell(lab)
    flow.apply({"type": "remove", "nodes": [node(flow, "q").id]})
    graph = cell(lab, extra=True).head().graph
    assert set(graph.by_key) == {"a", "p", "output", "extra"}
    assert graph.into(graph.by_key["output"].id) == []


def test_an_edge_removed_by_mouse_does_not_come_back_by_itself(lab: Lab) -> None:
    flow = cell(lab)
    graph = flow.head().graph
    edge = graph.into(graph.by_key["q"].id)[0]
    flow.apply({"type": "remove", "edges": [edge.id]})
    after = cell(lab, "Hello {{ a }}", extra=True).head().graph
    assert after.into(after.by_key["q"].id) == []


def test_a_removed_node_that_the_cell_changes_comes_back_with_its_edges(lab: Lab) -> None:
    flow = cell(lab)
    flow.apply({"type": "remove", "nodes": [node(flow, "p").id]})
    after = cell(lab, "Hello {{ a }}").head().graph
    assert after.by_key["p"].config == {"prompt": {"text": "Hello {{ a }}"}}
    assert shown(after)["p"]["in"] == {"a": ["a.value"]}
    assert shown(after)["q"]["in"] == {"p": ["p.text"]}


def test_what_was_added_by_mouse_stays(lab: Lab) -> None:
    flow = cell(lab)
    key, edge = new_id(), new_id()
    flow.apply({"type": "add", "node": key, "kind": "transform", "key": "by_hand"})
    flow.apply(
        {"type": "connect", "edge": edge, "source": node(flow, "q").id, "source_port": "text",
         "target": key, "target_port": "value"}
    )  # fmt: skip
    after = cell(lab, "Hello {{ a }}", extra=True).head().graph
    assert after.by_key["by_hand"].id == key
    assert edge in {e.id for e in after.edges}


def test_a_node_of_another_kind_under_the_same_name_is_another_node(memory: Lab) -> None:
    def build(kind: str) -> Flow:
        f = memory.flow("kinds")
        a = f.input("a")
        if kind == "transform":
            t = f.transform("t", do="upper", value=a)
        else:
            t = f.prompt("t", prompt="{{ a }}", a=a)
        f.output(answer=t)
        return f

    before = build("transform").head().graph.by_key["t"]
    after = build("prompt").head().graph
    assert after.by_key["t"].kind == "prompt"
    assert after.by_key["t"].id != before.id
    assert build("prompt").check() == ()
    assert shown(after)["output"]["in"] == {"answer": ["t.text"]}


def test_a_new_node_does_not_take_over_one_that_was_renamed_to_its_name(memory: Lab) -> None:
    def build(*, more: bool) -> Flow:
        f = memory.flow("taken")
        a = f.input("a", "text")
        fields = {"x": a}
        if more:
            fields["y"] = f.input("b", "int")
        f.output(**fields)
        return f

    flow = build(more=False)
    flow.apply({"type": "rename", "node": node(flow, "a").id, "key": "b"})
    try:
        graph = build(more=True).head().graph
    except FlowError as error:
        assert "exists already" in str(error)  # noqa: PT017 — a refusal is as good as two nodes
        return
    assert sum(n.kind == "input" for n in graph.nodes) == 2


def test_the_order_of_what_a_merge_joins_is_the_cells(memory: Lab) -> None:
    def build(order: str) -> Flow:
        f = memory.flow("order")
        handles = {key: f.input(key, "text") for key in "ab"}
        joined = f.merge("m", strategy="list", **{"in": [handles[key] for key in order]})
        f.output(answer=joined)
        return f

    assert build("ab").run(a="1", b="2").outputs == {"answer": ["1", "2"]}
    assert build("ba").run(a="1", b="2").outputs == {"answer": ["2", "1"]}


@pytest.mark.parametrize("code", ["F204", "F201"])
def test_a_mistake_in_a_cell_is_a_problem_that_check_lists(memory: Lab, code: str) -> None:
    def build(f: Flow) -> Flow:
        a = f.input("a", "text")
        kind = f.llm("k", prompt="{{ a }}", a=a, returns={"label": ["x"]})
        wrong = kind.lable if code == "F204" else f.transform("t", value=a, when=kind.label)
        f.output(answer=wrong)
        return f

    wanted = {problem.code for problem in build(memory.draft()).check()}
    assert code in wanted
    assert {problem.code for problem in build(memory.flow("wrong")).check()} == wanted


def test_a_flow_without_a_cell_is_only_read(memory: Lab) -> None:
    cell(memory).head()
    seq = memory.flow("cell").head().seq
    assert memory.flow("cell").run(a="x").outputs == {"answer": "So Hi x"}
    with memory.flow("cell").reading() as session:
        kinds = [
            row.type for row in since(session, Stream("flow", str(memory.flow("cell").id)), seq)
        ]
    # Running an unchanged flow edits nothing.
    assert set(kinds) == {"create template", "save version"}

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from promptstudio_lab.errors import OperationRefused, PromptStudioError
from promptstudio_lab.flows.gestures.changes import applied
from promptstudio_lab.flows.operations import changes
from promptstudio_lab.ids import new_id
from promptstudio_lab.lab.editing import Editing
from promptstudio_lab.nodes import kinds
from tests.flows.parts import FACTS, answer, graph_of, prompt, triage_graph
from tests.lab.parts import as_somebody

if TYPE_CHECKING:
    from promptstudio_lab.flows.facts import Facts
    from promptstudio_lab.flows.graph import Graph
    from promptstudio_lab.lab import Lab
    from promptstudio_lab.values import Json

FLOW = new_id()
SHAPE = {"type": "object", "properties": {"label": {"type": "string"}}}
GRAPH = graph_of(
    {
        "ask": {"kind": "input", "config": {"type": "text"}},
        "n": {"kind": "int_input", "config": {}},
        "first": prompt("{{ x }}", x="ask.value"),
        "second": prompt("{{ x }} {{ y }}", x="first.text"),
        "third": {"kind": "switch", "config": {"cases": ["a"]}},
        "shaped": {"kind": "llm", "config": {"prompt": {"text": "Hi"}, "returns": SHAPE}},
        "join": {"kind": "merge"},
        "out": answer("second.text"),
    }
)
ID = {node.key: node.id for node in GRAPH.nodes}
EDGE = next(edge for edge in GRAPH.edges if edge.target == ID["second"])


def do(operation: Json, graph: Graph = GRAPH, facts: Facts = FACTS) -> Graph:
    return applied(graph, changes(graph, FLOW, operation, facts))


def link(source: str, target: str, **more: str) -> dict[str, Any]:  # an operation's JSON
    return {
        "type": "connect",
        "edge": new_id(),
        "source": ID.get(source, source),
        "source_port": "text",
        "target": ID.get(target, target),
        "target_port": "y",
        **more,
    }


def add(**more: Json) -> dict[str, Any]:  # an operation's JSON
    return {"type": "add", "node": new_id(), "kind": "llm", **more}


def test_add_takes_a_free_name_and_a_starting_config() -> None:
    for name in kinds:
        one = do(add(kind=name))
        (node,) = [node for node in one.nodes if node.id not in GRAPH.by_id]
        assert node.kind == name
        assert node.key == name
        assert node.version == kinds[name].version
        two = do(add(kind=name), one)
        assert f"{name}_2" in two.by_key
    placed = do(add(key="here", x=3, y=-4.06, config={"prompt": {"text": "Hi"}}, policy={"a": 1}))
    node = placed.by_key["here"]
    assert (node.x, node.y) == (3.0, -4.1)
    assert node.config == {"prompt": {"text": "Hi"}}
    assert node.policy == {"a": 1}
    assert do(add(key="bare", config={})).by_key["bare"].config == {}


def test_move_configure_rename_remove_connect() -> None:
    moved = do({"type": "move", "nodes": {ID["ask"]: {"x": 5, "y": 6}, ID["n"]: {"x": 7, "y": 8}}})
    assert (moved.by_key["ask"].x, moved.by_key["n"].y) == (5.0, 8.0)
    set_policy = do({"type": "configure", "node": ID["first"], "policy": {"on_error": "skip"}})
    assert set_policy.by_key["first"].policy == {"on_error": "skip"}
    assert set_policy.edges == GRAPH.edges
    renamed = do({"type": "rename", "node": ID["first"], "key": "FIRST"})
    assert renamed.by_key["FIRST"].id == ID["first"]
    assert renamed.edges == GRAPH.edges, "a rename keeps the edges"
    linked = do(link("first", "second"))
    assert len(linked.edges) == len(GRAPH.edges) + 1
    assert len(do({"type": "remove", "edges": [EDGE.id]}).edges) == len(GRAPH.edges) - 1


def test_remove_takes_the_edges_of_a_node_along() -> None:
    left = do({"type": "remove", "nodes": [ID["first"], ID["out"]]})
    assert set(left.by_key) == set(GRAPH.by_key) - {"first", "out"}
    assert left.edges == ()


def test_configure_takes_the_edges_of_lost_openings_along() -> None:
    config = {"prompt": {"text": "{{ z }}"}}
    left = do({"type": "configure", "node": ID["second"], "config": config})
    assert left.by_key["second"].config == config
    assert [edge.target for edge in left.edges] == [ID["first"], ID["out"]]
    kept = {"prompt": {"text": "Other {{ x }}"}}
    assert do({"type": "configure", "node": ID["second"], "config": kept}).edges == GRAPH.edges
    gone = {"prompt": {"ref": "support/gone@1"}}
    assert do({"type": "configure", "node": ID["second"], "config": gone}).edges == GRAPH.edges, (
        "openings that cannot be known are not lost"
    )


def test_a_merge_and_a_branch_take_several_edges() -> None:
    one = do(link("first", "join", target_port="in"))
    two = do(link("second", "join", target_port="in"), one)
    assert len(two.into(ID["join"])) == 2
    waits = do(link("third", "first", source_port="a", target_port="when"))
    again = do(link("third", "first", source_port="default", target_port="when"), waits)
    assert len(again.into(ID["first"])) == 3


REFUSED: list[tuple[str, Json, str]] = [
    ("no type", {}, "no operation None"),
    ("no such type", {"type": "mvoe"}, "did you mean 'move'"),
    ("no such kind", add(kind="llmm"), "did you mean 'llm'"),
    ("no id", add(node="7"), "not an id"),
    ("an id of ours to be", add(node=None), "not an id"),
    ("a taken name", add(key="ask"), "exists already"),
    ("a taken name but for case", add(key="ASK"), "exists already"),
    ("no name", add(key="a b"), "not a name"),
    ("a name that is no text", add(key=["a"]), "not a name"),
    ("a config that is a list", add(config=[1]), "config is not an object"),
    ("a policy that is a text", add(policy="x"), "policy is not an object"),
    ("a place that is no number", add(x="left"), "not a place"),
    ("a place that is a truth", add(x=True), "not a place"),
    ("nowhere", add(x=float("nan")), "not a place"),
    ("too far", add(y=1e7), "not a place"),
    ("move nothing", {"type": "move"}, "nodes is not an object"),
    ("move nobody", {"type": "move", "nodes": {new_id(): {"x": 1, "y": 1}}}, "no node"),
    ("move halfway", {"type": "move", "nodes": {ID["ask"]: {"x": 1}}}, "not a place"),
    ("configure nobody", {"type": "configure", "node": new_id(), "config": {}}, "no node"),
    ("configure nothing", {"type": "configure", "node": ID["ask"]}, "needs a config"),
    ("configure by list", {"type": "configure", "node": ID["ask"], "config": [1]}, "object"),
    ("rename nobody", {"type": "rename", "node": None, "key": "x"}, "no node"),
    ("rename to a taken name", {"type": "rename", "node": ID["ask"], "key": "Out"}, "exists"),
    ("rename to nothing", {"type": "rename", "node": ID["ask"]}, "not a name"),
    ("remove nothing", {"type": "remove"}, "names no node"),
    ("remove nobody", {"type": "remove", "nodes": [new_id()]}, "no node"),
    ("remove no edge", {"type": "remove", "edges": [new_id()]}, "no edge"),
    ("connect from nobody", link("nobody", "second"), "no node"),
    ("connect to nobody", link("first", "nobody"), "no node"),
    ("connect without an id", {**link("first", "second"), "edge": "x"}, "not an id"),
    ("feed itself", link("second", "second"), "feed itself"),
    ("no such output", link("first", "second", source_port="txt"), "did you mean 'text'"),
    ("no such input", link("first", "second", target_port="z"), "no input 'z'"),
    ("twice", link("first", "second", target_port="x"), "already"),
    ("fed already", link("ask", "second", source_port="value", target_port="x"), "fed already"),
    ("another type", link("third", "second", source_port="a"), "branch"),
    ("a value as a branch", link("first", "third", target_port="when"), "branch"),
    ("nothing there", link("shaped", "second", source_port="json", source_path="x"), "nothing at"),
    ("a cycle", link("second", "ask", target_port="when"), "branch"),
]


@pytest.mark.parametrize(
    ("operation", "said"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_what_would_break_the_flow_is_refused_with_the_reason(operation: Json, said: str) -> None:
    with pytest.raises(OperationRefused, match=said):
        changes(GRAPH, FLOW, operation, FACTS)


def test_a_cycle_is_refused_with_its_nodes() -> None:
    graph = graph_of(
        {
            "a": prompt("{{ y }}"),
            "b": prompt("{{ x }}", x="a.text"),
            "c": prompt("{{ x }}", x="b.text"),
        }
    )
    ids = {node.key: node.id for node in graph.nodes}
    back = link(ids["c"], ids["a"])
    with pytest.raises(OperationRefused, match=r"cycle: .*→"):
        changes(graph, FLOW, back, FACTS)


MALFORMED: list[Json] = [
    "add",
    None,
    [],
    {"type": []},
    {"type": "move", "nodes": {ID["ask"]: None}},
    {"type": "remove", "nodes": 5},
    {"type": "remove", "edges": [{}]},
    {"type": "configure", "node": ID["third"], "config": {"cases": 5}},
    {"type": "configure", "node": ID["third"], "config": {"cases": [[]]}},
    {"type": "configure", "node": ID["out"], "config": {"fields": 5}},
    {"type": "configure", "node": ID["first"], "config": {"prompt": "Hi"}},
    {"type": "configure", "node": ID["first"], "config": {"prompt": {"ref": None}}},
]


@pytest.mark.parametrize("operation", MALFORMED, ids=str)
def test_an_operation_of_another_shape_is_refused_too(operation: Json) -> None:
    try:
        changes(GRAPH, FLOW, operation, FACTS)
    except PromptStudioError as error:
        assert str(error)  # noqa: PT017 — doing nothing is fine as well


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("switch", {"cases": 5}),
        ("output", {"fields": 5}),
        ("llm", {"prompt": "Hi"}),
        ("llm", {"prompt": {"text": "a\0b"}}),
        ("prompt", {"prompt": {"text": 5}}),
        ("llm", {"prompt": {"text": "Hi"}, "returns": {"type": "object", "properties": 5}}),
    ],
    ids=str,
)
def test_whatever_a_view_has_added_the_flow_can_still_be_opened(
    memory: Lab, kind: str, config: Json
) -> None:
    flow = memory.flow("opened")
    view = Editing(flow, "view")
    operation = {"type": "add", "node": new_id(), "kind": kind, "key": "n", "config": config}
    answered = view.answer({"do": "edit", "operation": operation})
    if answered["ok"]:
        assert view.answer({"do": "view"})["ok"]
        assert flow.check()
        assert flow._repr_svg_()


def test_who_else_edits_is_told_and_ones_own_code_is_nobody_else(memory: Lab) -> None:
    mine, theirs = memory.flow("shared"), as_somebody(memory, "ben").flow("shared")
    view, seq = Editing(mine, "my-view"), mine.head().seq
    mine.apply({"type": "add", "node": new_id(), "kind": "note", "key": "own"})
    assert view.changes(seq)["by"] == []
    mine.apply({"type": "add", "node": new_id(), "kind": "note", "key": "tab"}, "other-view")
    theirs.apply({"type": "add", "node": new_id(), "kind": "note", "key": "code"})
    told = [(one["client"], one["name"]) for one in view.changes(seq)["by"]]
    assert told == [("other-view", memory.actor.id), ("", "ben")]


@pytest.mark.parametrize(
    "message",
    [
        None,
        {},
        {"do": "dance"},
        {"do": "edit"},
        {"do": "edit", "operation": "add"},
        {"do": "edit", "operation": {"type": "add", "config": "x"}},
        {"do": "changes", "since": "yesterday"},
        {"do": "edit", "operation": {"type": "move", "nodes": {}, "op_id": "x"}},
    ],
    ids=str,
)
def test_a_view_that_asks_for_nonsense_gets_an_answer(memory: Lab, message: Json) -> None:
    answered = Editing(memory.flow("asked"), "view").answer(message)
    assert answered["ok"] is False
    assert answered["message"]


def test_the_pure_and_the_kept_flow_are_the_same(lab: Lab) -> None:
    flow = lab.flow("same")
    graph = flow.head().graph
    node, other = new_id(), new_id()
    operations: list[Json] = [
        {"type": "add", "node": node, "kind": "input", "key": "a", "x": 1, "y": 2},
        {"type": "add", "node": other, "kind": "llm", "key": "b",
         "config": {"prompt": {"text": "{{ x }}"}}},
        {"type": "connect", "edge": new_id(), "source": node, "source_port": "value",
         "target": other, "target_port": "x"},
        {"type": "rename", "node": node, "key": "c"},
        {"type": "configure", "node": other, "policy": {"timeout_s": 5}},
    ]  # fmt: skip
    for operation in operations:
        graph = do(operation, graph)
        flow.apply(operation)
        kept = flow.head().graph
        assert kept.by_id == graph.by_id
        assert {edge.id: edge for edge in kept.edges} == {edge.id: edge for edge in graph.edges}
    assert flow.head().seq == len(operations)


def test_an_operation_sent_twice_is_done_once(lab: Lab) -> None:
    flow = lab.flow("twice")
    operation = {"type": "add", "node": new_id(), "kind": "llm", "op_id": new_id()}
    first, again = flow.apply(operation), flow.apply(operation)
    assert not first.again
    assert again.again
    assert again.seq == first.seq
    assert len(flow.head().graph.nodes) == 1


def test_an_edit_knows_what_others_changed_since(lab: Lab) -> None:
    flow = lab.flow("conflict")
    node = new_id()
    seen = flow.apply({"type": "add", "node": node, "kind": "llm"}).seq
    place = {"type": "move", "base_seq": seen}
    flow.apply({**place, "nodes": {node: {"x": 1, "y": 1}}}, "one")
    mine = flow.apply({**place, "nodes": {node: {"x": 2, "y": 2}}}, "two")
    assert {conflict["field"] for conflict in mine.conflicts} == {"position_x", "position_y"}
    assert flow.head().graph.by_id[node].x == 2.0


def test_the_triage_flow_is_drawn_by_operations_alone(memory: Lab) -> None:
    wanted = triage_graph()
    memory.template("support/classify", "One {{ ticket }}")
    memory.template("support/classify", "Two {{ ticket }}")
    memory.template("support/classify", "Label: {{ ticket }}")
    flow = memory.flow("by mouse")
    for node in wanted.nodes:
        fields = {"node": node.id, "kind": node.kind, "key": node.key, "config": dict(node.config)}
        flow.apply({"type": "add", **fields})
    for edge in wanted.edges:
        source = {"source": edge.source, "source_port": edge.source_port}
        target = {"target": edge.target, "target_port": edge.target_port}
        path = {"source_path": edge.source_path}
        flow.apply({"type": "connect", "edge": edge.id, **source, **path, **target})
    assert flow.check() == ()
    assert set(flow.head().graph.semantics["nodes"]) == set(wanted.by_key)
    assert flow.run(ticket="The invoice").status == "succeeded"

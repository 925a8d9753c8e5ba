from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import promptstudio_lab as ps
from promptstudio_lab.errors import OperationRefused
from promptstudio_lab.ids import new_id

if TYPE_CHECKING:
    from promptstudio_lab.lab import Flow


@pytest.fixture
def flow() -> Flow:
    flow = ps.connect("memory").flow("support/triage")
    tickets = flow.input("tickets", "list")
    tone = flow.input("tone", "text")
    answer = flow.llm("answer", prompt="{{ ticket }} {{ tone }}", ticket=tickets, tone=tone)
    flow.output(answers=answer)
    flow.head()
    return flow


def edges(flow: Flow) -> set[str]:
    graph = flow.graph_now
    return {
        f"{graph.name(graph.by_id[edge.source])}.{edge.source_port}"
        f" → {graph.name(graph.by_id[edge.target])}.{edge.target_port}"
        for edge in graph.edges
    }


def id_of(flow: Flow, name: str) -> str:
    return flow.graph_now.by_key[name].id


BEFORE = {
    "tickets.value → answer.ticket",
    "tone.value → answer.tone",
    "answer.text → output.answers",
}


def test_a_batch_is_one_operation_and_one_step_of_undo(flow: Flow) -> None:
    one, other, edge = new_id(), new_id(), new_id()
    parts = [
        {"type": "add", "node": one, "kind": "input", "key": "a", "x": 0, "y": 0},
        {"type": "add", "node": other, "kind": "transform", "key": "b", "x": 0, "y": 0},
        {"type": "move", "nodes": {other: {"x": 320, "y": 16}}},
        {
            "type": "connect",
            "edge": edge,
            "source": one,
            "source_port": "value",
            "target": other,
            "target_port": "value",
        },
    ]
    before = flow.head().seq
    done = flow.apply({"type": "batch", "name": "paste", "operations": parts})
    assert (done.seq, done.type) == (before + 1, "paste")
    assert flow.graph_now.by_id[other].x == 320
    assert "a.value → b.value" in edges(flow)
    flow.undo()
    assert edges(flow) == BEFORE
    assert "a" not in flow.graph_now.by_key
    flow.redo()
    assert "a.value → b.value" in edges(flow)


def test_a_batch_with_one_wrong_part_does_nothing(flow: Flow) -> None:
    parts = [
        {"type": "remove", "nodes": [id_of(flow, "tone")]},
        {"type": "rename", "node": id_of(flow, "answer"), "key": "no name"},
    ]
    with pytest.raises(OperationRefused, match="not a name"):
        flow.apply({"type": "batch", "name": "fix", "operations": parts})
    assert edges(flow) == BEFORE


@pytest.mark.parametrize(
    ("batch", "reason"),
    [
        ({"name": "undo paste", "operations": [{"type": "remove"}]}, "a batch is called"),
        ({"name": "paste", "operations": []}, "1 to 5,000"),
        ({"name": "paste", "operations": 7}, "1 to 5,000"),
        ({"name": "paste", "operations": ["x"]}, "there is no operation 'x'"),
        ({"name": "paste", "operations": [{"type": "batch"}]}, "no other batch"),
    ],
)
def test_what_is_no_batch_is_refused(flow: Flow, batch: dict[str, object], reason: str) -> None:
    with pytest.raises(OperationRefused, match=reason):
        flow.apply({"type": "batch", **batch})


def test_nodes_grouped_into_a_map_are_still_fed(flow: Flow) -> None:
    each = new_id()
    flow.apply(
        {
            "type": "group",
            "node": each,
            "kind": "map",
            "key": "each",
            "nodes": [id_of(flow, "answer")],
        }
    )
    assert edges(flow) == {
        "tickets.value → each.items",
        "tone.value → each.tone",
        "each/item.value → each/answer.ticket",
        "each/tone.value → each/answer.tone",
        "each/answer.text → each/output.text",
        "each.items → output.answers",
    }
    assert [str(problem) for problem in flow.check()] == []
    flow.undo()
    assert edges(flow) == BEFORE


def test_a_group_that_is_dissolved_is_what_it_was(flow: Flow) -> None:
    each = new_id()
    group = {"type": "group", "node": each, "kind": "map", "nodes": [id_of(flow, "answer")]}
    flow.apply(group)
    flow.apply({"type": "ungroup", "node": each})
    assert edges(flow) == BEFORE
    assert set(flow.graph_now.by_key) == {"tickets", "tone", "answer", "output"}


def test_a_whole_flow_that_was_grouped_keeps_its_inputs_and_outputs(flow: Flow) -> None:
    node = new_id()
    ids = [each.id for each in flow.graph_now.nodes]
    flow.apply({"type": "group", "node": node, "kind": "loop", "nodes": ids})
    flow.apply({"type": "ungroup", "node": node})
    assert edges(flow) == BEFORE


def test_a_loop_takes_and_gives_by_the_names_of_its_body(flow: Flow) -> None:
    flow.apply(
        {
            "type": "group",
            "node": new_id(),
            "kind": "loop",
            "key": "again",
            "nodes": [id_of(flow, "answer")],
        }
    )
    assert "again.text → output.answers" in edges(flow)
    assert "tickets.value → again.ticket" in edges(flow)


def test_only_nodes_of_one_body_are_grouped(flow: Flow) -> None:
    group = {"type": "group", "node": new_id(), "kind": "map", "nodes": [id_of(flow, "answer")]}
    flow.apply(group)
    mixed = [id_of(flow, "tone"), id_of(flow, "map/answer")]
    with pytest.raises(OperationRefused, match="of one body"):
        flow.apply({"type": "group", "node": new_id(), "kind": "map", "nodes": mixed})


def test_a_node_is_put_on_an_edge(flow: Flow) -> None:
    on = next(e.id for e in flow.graph_now.edges if e.target_port == "tone")
    node = new_id()
    flow.apply({"type": "insert", "on": on, "node": node, "kind": "transform", "x": 5, "y": 6})
    assert edges(flow) == (BEFORE - {"tone.value → answer.tone"}) | {
        "tone.value → transform.value",
        "transform.value → answer.tone",
    }


def test_a_node_that_fits_no_edge_is_not_put_on_one(flow: Flow) -> None:
    on = flow.graph_now.edges[0].id
    with pytest.raises(OperationRefused, match="nothing of a new note takes"):
        flow.apply({"type": "insert", "on": on, "node": new_id(), "kind": "note", "x": 5, "y": 6})
    assert edges(flow) == BEFORE


def test_a_node_comes_connected_to_the_port_that_was_drawn_from(flow: Flow) -> None:
    tone = {"node": id_of(flow, "tone"), "port": "value"}
    flow.apply({"type": "extend", "from": tone, "node": new_id(), "kind": "judge", "x": 0, "y": 0})
    assert any(edge.startswith("tone.value → judge.") for edge in edges(flow))
    answers = {"node": id_of(flow, "output"), "port": "answers"}
    with pytest.raises(OperationRefused):
        flow.apply({"type": "extend", "to": {**answers, "port": "gone"}, "node": new_id()})


@pytest.mark.parametrize("kind", ["llm", "sql", "switch"])
def test_a_node_that_comes_to_a_branch_waits_for_it(flow: Flow, kind: str) -> None:
    switch = new_id()
    flow.apply({"type": "add", "node": switch, "kind": "switch", "key": "sort", "x": 0, "y": 0})
    before = flow.head().seq
    start = {"node": switch, "port": "default"}
    flow.apply(
        {"type": "extend", "from": start, "node": new_id(), "kind": kind, "key": "next"}
        | {"x": 300, "y": 0}
    )
    assert edges(flow) == BEFORE | {"sort.default → next.when"}
    assert flow.head().seq == before + 1
    flow.undo()
    assert edges(flow) == BEFORE


def test_a_node_moved_into_a_body_loses_the_edges_that_would_leave_it(flow: Flow) -> None:
    each = new_id()
    flow.apply({"type": "add", "node": each, "kind": "map", "key": "each", "x": 0, "y": 400})
    place = {"x": 16, "y": 44, "parent": each}
    flow.apply({"type": "move", "nodes": {id_of(flow, "answer"): place}})
    assert flow.graph_now.by_key["each/answer"].parent == each
    assert edges(flow) == set()
    flow.undo()
    assert edges(flow) == BEFORE
    with pytest.raises(OperationRefused, match="cannot lie in itself"):
        flow.apply({"type": "move", "nodes": {each: {"x": 0, "y": 0, "parent": each}}})


def test_single_settings_leave_the_others_alone(flow: Flow) -> None:
    node = id_of(flow, "answer")
    flow.apply({"type": "configure", "node": node, "settings": {"temperature": 0.5, "seed": 1}})
    flow.apply({"type": "configure", "node": node, "without": ["seed"], "rules": {"cache": True}})
    found = flow.graph_now.by_id[node]
    assert found.config["temperature"] == 0.5
    assert "seed" not in found.config
    assert found.policy == {"cache": True}
    with pytest.raises(OperationRefused, match="does not fit"):
        flow.apply({"type": "configure", "node": node, "settings": {"temperature": "hot"}})


def test_tidying_is_one_step_and_high_cards_keep_their_distance(flow: Flow) -> None:
    ids = [node.id for node in flow.graph_now.nodes]
    flow.apply({"type": "move", "nodes": {each: {"x": 0, "y": 0} for each in ids}})
    before = flow.head().seq
    flow.apply({"type": "tidy", "heights": dict.fromkeys(ids, 300)})
    by_key = flow.graph_now.by_key
    assert flow.head().seq == before + 1
    assert by_key["tickets"].x < by_key["answer"].x < by_key["output"].x
    assert abs(by_key["tickets"].y - by_key["tone"].y) >= 300
    flow.undo()
    assert flow.graph_now.by_key["answer"].x == 0

"""A flow's past can be seen at any operation, compared, and brought back by one operation."""

from __future__ import annotations

from random import Random
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete

from promptstudio_lab.errors import Conflict, FlowError, NotFound, OperationRefused
from promptstudio_lab.flows.facts import Facts
from promptstudio_lab.flows.graph import Graph
from promptstudio_lab.ids import new_id
from promptstudio_lab.nodes import kinds, mismatch
from promptstudio_lab.warehouse.entities import ChangeLog, Payload
from promptstudio_lab.warehouse.history.verify import verify
from promptstudio_lab.warehouse.rows import find
from tests.flows.test_undo import CONFIGS, added, linked, replayed, state
from tests.lab.parts import as_somebody

if TYPE_CHECKING:
    from promptstudio_lab.lab import Flow, Lab
    from promptstudio_lab.values import Json


def some_edit(random: Random, graph: Graph) -> Json:
    """Return some edit of a flow; it may be refused."""
    nodes, edges = sorted(graph.by_id), sorted(edge.id for edge in graph.edges)
    kind, config = random.choice(CONFIGS)
    node = random.choice(nodes) if nodes else new_id()
    place = {"x": random.randrange(900), "y": random.randrange(900)}
    return random.choice(
        [
            {"type": "add", "node": new_id(), "kind": kind, "config": config, **place},
            {"type": "move", "nodes": {node: place}},
            {"type": "configure", "node": node, "config": same_kind(random, graph, node)},
            {"type": "configure", "node": node, "policy": {"timeout_s": random.randrange(1, 9)}},
            {"type": "rename", "node": node, "key": f"n{random.randrange(99)}"},
            {"type": "remove", "nodes": [node]},
            {"type": "remove", "edges": [random.choice(edges)] if edges else []},
            *[some_wire(random, graph)] * 4,
        ]
    )


def same_kind(random: Random, graph: Graph, node: str) -> Json:
    kind = graph.by_id[node].kind if node in graph.by_id else ""
    return random.choice([config for other, config in CONFIGS if other == kind] or [{}])


def some_wire(random: Random, graph: Graph) -> Json:
    """Return an edge between two that fit, if there are any."""
    shapes = [(n.id, kinds[n.kind].ports(n.config, Facts())) for n in graph.nodes]
    fitting = [
        {"source": one, "source_port": given.name, "target": other, "target_port": taken.name}
        for one, gives in shapes
        for other, takes in shapes
        for given in gives.outputs
        for taken in takes.inputs
        if one != other and mismatch(given.type, taken.type) is None
    ]
    return {"type": "connect", "edge": new_id(), **(random.choice(fitting) if fitting else {})}


def session_of_two(lab: Lab, seed: int, turns: int) -> tuple[Flow, dict[int, Graph]]:
    """Let two people edit, undo and redo; return the flow and how it stood after each operation."""
    random = Random(seed)
    flows = [as_somebody(lab, name).flow(f"past/{seed}") for name in ("ada", "ben")]
    seen = {0: Graph()}
    for turn in range(turns):
        flow, graph = random.choice(flows), flows[0].head().graph
        try:
            if turn % 17 == 9:
                flow.save()
            elif turn % 23 == 20 and flow.head().version:
                flow.restore_version(random.randint(1, flow.head().version))
            elif random.random() < 0.3:
                random.choice([flow.undo, flow.undo, flow.redo])()
            else:
                flow.apply(some_edit(random, graph))
        except (OperationRefused, Conflict):
            pass
        head = flow.head()
        seen[head.seq] = head.graph
    return flows[0], seen


def test_every_moment_can_be_seen_again(lab: Lab) -> None:
    flow, seen = session_of_two(lab, 7041, 170)
    assert len(seen) > 60
    assert max(len(graph.edges) for graph in seen.values()) > 2
    for seq, graph in seen.items():
        view = flow.at(seq)
        assert (view.seq, view.path, view.erased) == (seq, flow.path, ())
        assert state(view.graph) == state(graph), seq
        assert view.graph.hash == graph.hash
    head = flow.head()
    assert state(replayed(flow, head.seq)) == state(head.graph)
    # Followed operation by operation, it is what somebody reads who opens it now.
    lab.warehouse._known.clear()
    assert flow.head() == head
    with flow.reading() as session:
        assert verify(session).ok
        done = {row.op_type for row in find(session, ChangeLog, stream_id=flow.id)}
    assert {"restore version", "connect", "remove"} <= done
    assert any(name.startswith("undo ") for name in done)


def test_looking_back_writes_nothing_and_knows_its_bounds(memory: Lab) -> None:
    flow = memory.flow("f")
    added(flow, "input", "a")
    for seq in (-1, 2):
        with pytest.raises(NotFound, match=rf"operations 1 to 1 .* not {seq}"):
            flow.at(seq)
    assert flow.at(0).graph == Graph()
    assert flow.head().seq == 1
    with pytest.raises(FlowError, match="a draft"):
        memory.draft().at(0)


def test_a_node_that_went_and_came_back_otherwise_is_seen_as_it_was(memory: Lab) -> None:
    flow = memory.flow("f")
    node = added(flow, "input", "a", type="text")
    flow.apply({"type": "remove", "nodes": [node]})
    again = {"kind": "input", "key": "b", "config": {"type": "int"}}
    flow.apply({"type": "add", "node": node, **again})
    keys = [[n.key for n in flow.at(seq).graph.nodes] for seq in range(4)]
    assert keys == [[], ["a"], [], ["b"]]
    assert flow.at(1).graph.nodes[0].config == {"type": "text"}


def test_what_was_erased_is_shown_as_erased(lab: Lab) -> None:
    flow = lab.flow("f")
    node = added(flow, "prompt", "say", prompt={"text": "personal"})
    other = added(flow, "input", "a")
    flow.apply({"type": "configure", "node": node, "config": {"prompt": {"text": "clean"}}})
    lab.warehouse.transact(lab.actor, lambda session: session.execute(delete(Payload)))
    assert flow.at(3).erased == (), "what stands today is no payload"
    view = flow.at(2)
    assert view.erased == ("say",)
    assert list(view.graph.by_id[node].config) == ["$erased"]
    assert view.graph.by_id[other].config == {"type": "text"}
    (changed,) = flow.diff(view).nodes_changed
    assert {field.pointer for field in changed.fields} == {"/config/$erased", "/config/prompt"}
    with pytest.raises(FlowError, match="say was erased"):
        flow.restore_version(view)
    with pytest.raises(NotFound, match="erased"):
        flow.undo()


def test_a_config_that_looks_like_a_reference_is_none(memory: Lab) -> None:
    flow = memory.flow("f")
    node = added(flow, "input", "a")
    config = {"type": "json", "default": {"$payload": "x"}, "$payload": new_id()}
    flow.apply({"type": "configure", "node": node, "config": config})
    flow.apply({"type": "move", "nodes": {node: {"x": 1, "y": 1}}})
    assert flow.at(2).graph.by_id[node].config == config
    flow.undo()
    flow.undo()
    assert flow.head().graph.by_id[node].config == {"type": "text"}
    flow.redo()
    assert flow.head().graph.by_id[node].config == config


def test_versions_the_head_and_the_past_are_compared(lab: Lab) -> None:
    flow = lab.flow("f")
    node = added(flow, "input", "a")
    assert flow.save() == 1
    flow.apply({"type": "rename", "node": node, "key": "b"})
    assert flow.save() == 2
    flow.apply({"type": "move", "nodes": {node: {"x": 9, "y": 9}}})
    assert str(flow.diff(1, 2)) == "~ a is called b"
    assert str(flow.diff(2, 1)) == "~ b is called a"
    assert str(flow.diff(2)) == "moved: b"
    assert str(flow.diff(flow.at(0), "head")) == "+ b (input)"
    assert str(flow.diff(1, flow.head())) == "~ a is called b\nmoved: b"
    with pytest.raises(NotFound, match="versions 1 to 2, not 3"):
        flow.diff(3)
    with pytest.raises(NotFound, match="no label 'tail'"):
        flow.diff("tail")
    for wrong in (True, None):
        with pytest.raises(FlowError, match="is no version's number"):
            flow.diff(wrong)  # type: ignore[arg-type]  # what somebody may type


def test_a_version_is_restored_by_one_operation_that_can_be_undone(lab: Lab) -> None:
    flow, other = lab.flow("f"), as_somebody(lab, "ben").flow("f")
    ask = added(flow, "input", "ask")
    say = added(flow, "llm", "say", prompt={"text": "{{ x }} {{ y }}"})
    edge = linked(flow, ask, say, "x")
    kept = added(flow, "input", "kept")
    flow.save()
    saved = flow.head()
    flow.apply({"type": "remove", "nodes": [ask]})
    flow.apply({"type": "rename", "node": say, "key": "talk"})
    flow.apply({"type": "configure", "node": say, "config": {"prompt": {"text": "{{ y }}"}}})
    more = added(other, "input", "more")
    linked(other, more, say, "y")
    before = flow.head()
    found = flow.restore_version(1)
    assert [node.key for node in found.nodes_added] == ["ask"]
    assert [node.key for node in found.nodes_removed] == ["more"]
    after = flow.head()
    assert (after.seq, state(after.graph)) == (before.seq + 1, state(saved.graph))
    assert edge in {each.id for each in after.graph.edges}
    with flow.reading() as session:
        (row,) = find(session, ChangeLog, stream_id=flow.id, seq=after.seq)
    assert row.op_type == "restore version"
    assert kept not in {each["id"] for each in row.patch}, "only what differs"
    assert flow.diff(1).same
    flow.undo()
    assert state(flow.head().graph) == state(before.graph)
    flow.redo()
    assert state(flow.head().graph) == state(saved.graph)
    assert flow.save() == 1
    seq = flow.head().seq
    assert str(flow.restore_version(1)) == "no difference"
    assert flow.head().seq == seq, "nothing differs, nothing is written"


def test_the_order_of_a_list_is_restored(lab: Lab) -> None:
    flow = lab.flow("f")
    one, other = added(flow, "input", "one"), added(flow, "input", "other")
    merge = added(flow, "merge", "all", strategy="list")
    first = linked(flow, one, merge, "in")
    linked(flow, other, merge, "in")
    flow.save()
    flow.apply({"type": "remove", "edges": [first]})
    linked(flow, one, merge, "in")
    assert flow.save() == 2
    assert [each.target for each in flow.diff(1, 2).reordered] == ["all"]
    for version in (1, 2, 1):
        flow.restore_version(version)
        assert flow.diff(version).same
    assert [flow.head().graph.by_id[e.source].key for e in flow.head().graph.into(merge)] == [
        "one",
        "other",
    ]


def test_a_moment_is_restored_too_and_no_other_flows(memory: Lab) -> None:
    flow = memory.flow("f")
    node = added(flow, "input", "a")
    flow.apply({"type": "remove", "nodes": [node]})
    flow.restore_version(flow.at(1))
    assert list(flow.head().graph.by_id) == [node]
    with pytest.raises(FlowError, match="another flow's"):
        memory.flow("g").restore_version(flow.at(1))
    with pytest.raises(NotFound, match="no saved version, not 1"):
        flow.restore_version(1)


def test_a_cell_that_has_not_changed_leaves_what_was_restored(memory: Lab) -> None:
    def cell() -> Flow:
        flow = memory.flow("f")
        flow.output(answer=flow.input("x", "any"))
        return flow

    cell().save()
    moved = cell().head().graph.nodes[0].id
    cell().apply({"type": "rename", "node": moved, "key": "y"})
    cell().restore_version(1)
    seq = cell().head().seq
    assert cell().diff(1).same
    assert cell().head().seq == seq


def test_a_flow_is_followed(lab: Lab) -> None:
    flow = lab.flow("f")
    seq = flow.head().seq
    assert flow.follow(seq, timeout_s=0.0) == []
    somebody = Thread(target=lambda: added(as_somebody(lab, "ben").flow("f"), "input", "a"))
    somebody.start()
    (done,) = flow.follow(seq)
    somebody.join()
    assert (done.actor_id, done.type, done.seq) == ("ben", "add", seq + 1)
    with pytest.raises(FlowError, match="a draft"):
        lab.draft().follow(0)

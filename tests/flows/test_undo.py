"""Random edits in a warehouse: undoing them all leaves nothing, replaying them everything."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from promptstudio_lab.errors import Conflict, OperationRefused
from promptstudio_lab.flows.facts import Facts
from promptstudio_lab.flows.gestures.changes import applied
from promptstudio_lab.flows.graph import Graph
from promptstudio_lab.flows.validate import find_cycle, validate
from promptstudio_lab.ids import new_id
from promptstudio_lab.nodes import Port, kinds, mismatch
from promptstudio_lab.warehouse.entities import ChangeLog
from promptstudio_lab.warehouse.history.changelog import Stream, changes_of, since
from promptstudio_lab.warehouse.rows import find
from tests.lab.parts import as_somebody

if TYPE_CHECKING:
    from promptstudio_lab.lab import Flow, Lab
    from promptstudio_lab.values import Json

PICK = st.integers(0, 50)
CONFIGS: list[tuple[str, Json]] = [
    ("input", {"type": "text"}),
    ("prompt", {"prompt": {"text": "{{ a }} {{ b }}"}}),
    ("prompt", {"prompt": {"text": "{{ b }} {{ c }}"}}),
    ("switch", {"cases": ["x"]}),
    ("switch", {"cases": ["y", "z"]}),
    ("merge", {"strategy": "list"}),
    ("output", {"fields": ["a", "b"]}),
    ("output", {"fields": ["b"]}),
]
PORTS = ("value", "text", "x", "y", "default")
TAKERS = ("a", "b", "c", "in", "value", "when")


def state(graph: Graph) -> tuple[Any, Any]:  # nodes and edges by id
    return graph.by_id, {edge.id: edge for edge in graph.edges}


def replayed(flow: Flow, seq: int) -> Graph:
    """Return the flow as its log alone tells it."""
    graph = Graph()
    with flow.reading() as session:
        for row in find(session, ChangeLog, order=("seq",), stream_id=flow.id):
            if row.seq <= seq and row.status == "applied":
                graph = _applied(graph, changes_of(session, row.patch))
    return graph


def _applied(graph: Graph, done: list[Any]) -> Graph:  # changes, or restores that name no fields
    for change in done:
        if change.action == "restore":
            graph = _restored(graph, change.id)
        else:
            _GONE.update(graph.by_id)
            _GONE.update({edge.id: edge for edge in graph.edges})
            graph = applied(graph, (change,))
    return graph


_GONE: dict[str, Any] = {}  # nodes and edges as they were before they went


def _restored(graph: Graph, key: str) -> Graph:
    thing = _GONE[key]
    if hasattr(thing, "key"):
        return Graph((*graph.nodes, thing), graph.edges)
    return Graph(graph.nodes, (*graph.edges, thing))


class Edits(RuleBasedStateMachine):
    """Random edits of one flow."""

    lab: ClassVar[Lab]

    def __init__(self) -> None:
        """Begin with an empty flow."""
        super().__init__()
        self.flow = self.lab.flow(f"undo/{new_id()}")
        self.graph = Graph()
        self.before: list[Graph] = []
        self.after: list[Graph] = []

    def look(self) -> Graph:
        """Read the flow as it stands."""
        self.graph = self.flow.head().graph
        return self.graph

    def do(self, operation: Json) -> None:
        """Try an operation."""
        graph = self.graph
        try:
            self.flow.apply(operation)
        except OperationRefused:
            assert state(self.look()) == state(graph), "a refusal changes nothing"
            return
        self.look()
        self.before.append(graph)
        self.after.clear()

    def node(self, pick: int) -> str:
        """Return some node."""
        nodes = sorted(self.graph.by_id)
        return nodes[pick % len(nodes)] if nodes else new_id()

    @initialize(whats=st.lists(st.sampled_from(CONFIGS), min_size=3, max_size=5))
    def begin(self, whats: list[tuple[str, Json]]) -> None:
        """Begin with some nodes, for an empty flow refuses nearly everything."""
        for what in whats:
            self.add(what, None)

    @rule(what=st.sampled_from(CONFIGS), key=st.sampled_from([None, "a", "A", "b", "c c"]))
    def add(self, what: tuple[str, Json], key: str | None) -> None:
        """Add a node."""
        kind, config = what
        self.do({"type": "add", "node": new_id(), "kind": kind, "key": key, "config": config})

    @rule(pick=PICK, x=st.sampled_from([1.25, -300.0, 2e6]), y=st.integers(-9, 9))
    def move(self, pick: int, x: float, y: int) -> None:
        """Move one."""
        self.do({"type": "move", "nodes": {self.node(pick): {"x": x, "y": y}}})

    @rule(pick=PICK, which=PICK)
    def configure(self, pick: int, which: int) -> None:
        """Configure one."""
        node = self.graph.by_id.get(self.node(pick))
        configs = [config for kind, config in CONFIGS if node and kind == node.kind]
        fields = {"config": configs[which % len(configs)]} if configs else {}
        if which % 3 == 0:
            fields["policy"] = {"timeout_s": which + 1}
        self.do({"type": "configure", "node": self.node(pick), **fields})

    @rule(pick=PICK, key=st.sampled_from(["a", "B", "named", "1"]))
    def rename(self, pick: int, key: str) -> None:
        """Rename one."""
        self.do({"type": "rename", "node": self.node(pick), "key": key})

    @rule(pick=st.integers(0, 500))
    def connect_again(self, pick: int) -> None:
        """Connect two that fit: most steps, for most of the rules are about edges."""
        self.connect_what_fits(pick)

    @rule(one=PICK, other=PICK, port=st.sampled_from(PORTS), into=st.sampled_from(TAKERS))
    def connect(self, one: int, other: int, port: str, into: str) -> None:
        """Connect two."""
        self.do(
            {
                "type": "connect",
                "edge": new_id(),
                "source": self.node(one),
                "source_port": port,
                "target": self.node(other),
                "target_port": into,
            }
        )

    @rule(pick=st.integers(0, 500))
    def connect_what_fits(self, pick: int) -> None:
        """Connect two that fit, if there are any."""
        shapes = [(n, kinds[n.kind].ports(n.config, Facts())) for n in self.graph.nodes]
        fitting = [
            (one.id, given.name, other.id, taken.name)
            for one, gives in shapes
            for other, takes in shapes
            for given in gives.outputs
            for taken in (*takes.inputs, Port("when", "branch"))
            if one != other and mismatch(given.type, taken.type) is None
        ]
        if fitting:
            source, port, target, into = fitting[pick % len(fitting)]
            operation = {"source": source, "source_port": port, "target": target}
            self.do({"type": "connect", "edge": new_id(), **operation, "target_port": into})

    @rule(picks=st.lists(PICK, max_size=2), edge=st.none() | PICK)
    def remove(self, picks: list[int], edge: int | None) -> None:
        """Remove some."""
        edges = sorted(edge.id for edge in self.graph.edges)
        chosen = [edges[edge % len(edges)]] if edges and edge is not None else []
        nodes = list({self.node(pick) for pick in picks})
        self.do({"type": "remove", "nodes": nodes, "edges": chosen})

    @rule()
    def undo(self) -> None:
        """Take the last step back."""
        graph = self.graph
        done = self.flow.undo()
        assert bool(done) == bool(self.before)
        if self.before:
            assert state(self.look()) == state(self.before.pop())
            self.after.append(graph)

    @rule()
    def redo(self) -> None:
        """Do it again."""
        graph = self.graph
        done = self.flow.redo()
        assert bool(done) == bool(self.after)
        if self.after:
            assert state(self.look()) == state(self.after.pop())
            self.before.append(graph)

    @invariant()
    def the_flow_is_whole(self) -> None:
        """Check the rules of every flow."""
        graph = self.graph
        assert {end for edge in graph.edges for end in (edge.source, edge.target)} <= set(
            graph.by_id
        )
        assert len({node.key.casefold() for node in graph.nodes}) == len(graph.nodes)
        assert find_cycle(graph) == []
        broken = {"F101", "F103", "F201", "F207"}
        assert not broken & {problem.code for problem in validate(graph, Facts())}

    def teardown(self) -> None:
        """Replay everything, then undo everything."""
        head = self.flow.head()
        assert state(replayed(self.flow, head.seq)) == state(head.graph)
        with self.flow.reading() as session:
            logged = since(session, Stream("flow", str(self.flow.id)), 0)
        assert [row.seq for row in logged] == list(range(1, head.seq + 1)), "no gap"
        while self.before:
            self.undo()
        assert self.look() == Graph()
        assert self.flow.undo() == []


def test_undoing_everything_leaves_nothing_and_replaying_everything(lab: Lab) -> None:
    few = settings(
        max_examples=9 if lab.warehouse.dialect == "sqlite" else 4,
        stateful_step_count=40,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(type("EditsHere", (Edits,), {"lab": lab}), settings=few)


@pytest.fixture
def two(lab: Lab) -> tuple[Flow, Flow]:
    """Give the same flow to two people."""
    return as_somebody(lab, "ada").flow("shared"), as_somebody(lab, "ben").flow("shared")


def added(flow: Flow, kind: str, key: str, **config: Json) -> str:
    node = new_id()
    flow.apply({"type": "add", "node": node, "kind": kind, "key": key, "config": config or None})
    return node


def linked(flow: Flow, source: str, target: str, port: str = "text") -> str:
    edge = new_id()
    flow.apply(
        {"type": "connect", "edge": edge, "source": source, "source_port": "value",
         "target": target, "target_port": port}
    )  # fmt: skip
    return edge


def test_undo_takes_back_only_ones_own_steps(two: tuple[Flow, Flow]) -> None:
    ada, ben = two
    mine, theirs = added(ada, "input", "mine"), added(ben, "input", "theirs")
    ada.undo()
    assert set(ben.head().graph.by_id) == {theirs}
    assert ada.undo() == []
    ada.redo()
    assert set(ben.head().graph.by_id) == {mine, theirs}


def test_undo_does_not_overwrite_what_somebody_did_since(two: tuple[Flow, Flow]) -> None:
    ada, ben = two
    node = added(ada, "input", "mine")
    ada.apply({"type": "move", "nodes": {node: {"x": 1, "y": 1}}})
    ben.apply({"type": "move", "nodes": {node: {"x": 2, "y": 2}}})
    with pytest.raises(Conflict, match="ben"):
        ada.undo()
    assert ada.head().graph.by_id[node].x == 2.0


def whole(flow: Flow) -> None:
    """Check that the flow can be looked at and that no rule is broken."""
    graph = flow.head().graph
    ends = {end for edge in graph.edges for end in (edge.source, edge.target)}
    assert ends <= set(graph.by_id), "an edge hangs in the air"
    assert len(graph.by_key) == len(graph.nodes), "two nodes have one name"
    assert find_cycle(graph) == []
    flow.check()
    assert flow._repr_svg_()


def test_undoing_a_node_that_somebody_connected_leaves_no_loose_edge(
    two: tuple[Flow, Flow],
) -> None:
    ada, ben = two
    source = added(ada, "input", "mine")
    target = added(ben, "llm", "theirs")
    linked(ben, source, target)
    with suppress(Conflict):
        ada.undo()
    whole(ben)


def test_undoing_the_taker_of_an_edge_leaves_no_loose_edge(two: tuple[Flow, Flow]) -> None:
    ada, ben = two
    target = added(ada, "llm", "mine")
    linked(ben, added(ben, "input", "theirs"), target)
    with suppress(Conflict):
        ada.undo()
    whole(ben)


def test_undoing_the_removal_of_an_edge_needs_both_its_ends(two: tuple[Flow, Flow]) -> None:
    ada, ben = two
    source, target = added(ada, "input", "a"), added(ada, "llm", "b")
    edge = linked(ada, source, target)
    ada.apply({"type": "remove", "edges": [edge]})
    ben.apply({"type": "remove", "nodes": [target]})
    with suppress(Conflict):
        ada.undo()
    whole(ben)


def test_undoing_a_rename_does_not_make_a_second_node_of_that_name(two: tuple[Flow, Flow]) -> None:
    ada, ben = two
    node = added(ada, "input", "first")
    ada.apply({"type": "rename", "node": node, "key": "second"})
    added(ben, "input", "first")
    with suppress(Conflict):
        ada.undo()
    whole(ben)


def test_undoing_the_removal_of_an_edge_does_not_close_a_cycle(two: tuple[Flow, Flow]) -> None:
    ada, ben = two
    one, other = added(ada, "transform", "one"), added(ada, "transform", "other")
    edge = linked(ada, one, other, "value")
    ada.apply({"type": "remove", "edges": [edge]})
    linked(ben, other, one, "value")
    with suppress(Conflict):
        ada.undo()
    whole(ben)

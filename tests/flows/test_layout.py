from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from promptstudio_lab.flows.graph import Edge, Graph, Node
from promptstudio_lab.flows.layout import COLUMN, HEIGHT, WIDTH, depths, places
from promptstudio_lab.ids import new_id
from tests.flows.parts import triage_graph, wide_and_long

if TYPE_CHECKING:
    from collections.abc import Iterable


QUIETLY = settings(deadline=None, derandomize=True, max_examples=100, database=None)


def overlapping(spots: Iterable[tuple[float, float]]) -> list[tuple[object, object]]:
    """Return the pairs of boxes that lie on one another."""
    found = list(spots)
    return [
        (one, other)
        for n, one in enumerate(found)
        for other in found[:n]
        if abs(one[0] - other[0]) < WIDTH and abs(one[1] - other[1]) < HEIGHT
    ]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    nodes = tuple(Node(new_id(), f"n{n}", "prompt") for n in range(draw(st.integers(1, 12))))
    ends = st.sampled_from(nodes)
    pairs = draw(st.lists(st.tuples(ends, ends), max_size=20))
    edges = tuple(Edge(new_id(), a.id, "text", b.id, "x") for a, b in pairs)
    return Graph(nodes, edges)


@QUIETLY
@given(graphs())
def test_no_box_lies_on_another(graph: Graph) -> None:
    found = places(graph)
    assert set(found) == set(graph.by_id)
    assert overlapping(found.values()) == []


def test_a_flow_reads_from_left_to_right() -> None:
    graph = triage_graph()
    found = places(graph)
    assert all(found[edge.source][0] < found[edge.target][0] for edge in graph.edges)
    chain = wide_and_long(30)
    assert sorted(depths(chain).values()) == list(range(30))
    assert {x % COLUMN for x, _ in places(chain).values()} == {32.0}


def test_a_cycle_is_laid_out_too() -> None:
    nodes = tuple(Node(new_id(), key, "prompt") for key in "abc")
    ring = tuple(
        Edge(new_id(), one.id, "text", other.id, "x")
        for one, other in zip(nodes, (*nodes[1:], nodes[0]), strict=True)
    )
    found = places(Graph(nodes, ring))
    assert len(found) == 3
    assert overlapping(found.values()) == []


def test_laying_out_is_repeatable() -> None:
    assert places(triage_graph()) == places(triage_graph())
    assert places(Graph()) == {}


def test_only_the_wanted_are_placed_and_the_others_avoided() -> None:
    graph = triage_graph()
    placed = graph.moved(places(graph))
    new = Node(new_id(), "new", "input")
    more = Graph((*placed.nodes, new), placed.edges)
    found = places(more, {new.id})
    assert set(found) == {new.id}
    assert overlapping([*((n.x, n.y) for n in placed.nodes), found[new.id]]) == []


def test_a_taken_place_is_avoided() -> None:
    first, new = Node(new_id(), "first", "input"), Node(new_id(), "new", "input")
    spot = places(Graph((new,)))[new.id]
    standing = Graph((first, new)).moved({first.id: spot})
    assert overlapping([spot, places(standing, {new.id})[new.id]]) == []


@QUIETLY
@given(st.floats(-200, 200), st.floats(-59, 59))
def test_a_box_that_was_dragged_a_little_is_avoided_too(dx: float, dy: float) -> None:
    first, new = Node(new_id(), "first", "input"), Node(new_id(), "new", "input")
    x, y = places(Graph((new,)))[new.id]
    dragged = Graph((first, new), ()).moved({first.id: (x + dx, y + dy)})
    spot = places(dragged, {new.id})[new.id]
    here = dragged.by_key["first"]
    assert overlapping([(here.x, here.y), spot]) == []

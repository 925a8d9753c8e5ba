"""What differs between two flows is told whole, by identity, and in words that cannot act."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptstudio_lab.flows.diff import Binding, Diff, NodeNamed, NodeRenamed, diff
from promptstudio_lab.flows.graph import Edge, Graph, Node
from tests.flows.parts import triage_graph

if TYPE_CHECKING:
    from promptstudio_lab.flows.diff import FieldChanged

ASK = Node("1", "ask", "input", {"type": "text"})
SAY = Node("2", "say", "prompt", {"prompt": {"text": "Hi {{ x }}"}, "tags": [1, 2]})
WIRE = Edge("e", "1", "value", "2", "x")
FLOW = Graph((ASK, SAY), (WIRE,))


def fields(one: Graph, other: Graph) -> list[FieldChanged]:
    (changed,) = diff(one, other).nodes_changed
    return list(changed.fields)


def test_a_flow_does_not_differ_from_itself() -> None:
    found = diff(triage_graph(), triage_graph())
    assert (found, found.same, str(found)) == (Diff(), True, "no difference")


def test_nodes_and_edges_come_and_go() -> None:
    found = diff(Graph((ASK,)), FLOW)
    assert found.nodes_added == (NodeNamed("2", "say", "prompt"),)
    assert found.edges_added == (Binding("ask", "value", "", "say", "x"),)
    assert str(found) == "+ say (prompt)\n+ ask.value → say.x"
    back = diff(FLOW, Graph((ASK,)))
    assert (back.nodes_removed, back.edges_removed) == (found.nodes_added, found.edges_added)
    assert str(back) == "- say (prompt)\n- ask.value → say.x"


def test_a_renamed_node_stays_itself() -> None:
    found = diff(FLOW, Graph((replace(ASK, key="question"), SAY), (WIRE,)))
    assert found == Diff(nodes_renamed=(NodeRenamed("1", "ask", "question"),))
    assert str(found) == "~ ask is called question"


@pytest.mark.parametrize(
    ("node", "pointer", "change", "old", "new"),
    [
        (
            replace(SAY, config={**SAY.config, "prompt": {"text": "Ho"}}),
            "/config/prompt/text",
            "changed",
            "Hi {{ x }}",
            "Ho",
        ),
        (
            replace(SAY, config={**SAY.config, "tags": [2]}),
            "/config/tags",
            "changed",
            [1, 2],
            [2],
        ),
        (
            replace(SAY, config={**SAY.config, "a/b~": None}),
            "/config/a~1b~0",
            "added",
            None,
            None,
        ),
        (
            replace(SAY, config={"prompt": SAY.config["prompt"]}),
            "/config/tags",
            "removed",
            [1, 2],
            None,
        ),
        (replace(SAY, policy={"retry": 3}), "/policy/retry", "added", None, 3),
        (replace(SAY, kind="llm"), "/kind", "changed", "prompt", "llm"),
        (replace(SAY, version=2), "/v", "changed", 1, 2),
    ],
)
def test_a_changed_setting_is_pointed_at(
    node: Node, pointer: str, change: str, old: object, new: object
) -> None:
    (found,) = fields(FLOW, Graph((ASK, node), (WIRE,)))
    assert (found.pointer, found.change, found.old, found.new) == (pointer, change, old, new)


def test_equal_in_python_is_not_equal_in_a_document() -> None:
    flows = [Graph((replace(ASK, config={"n": value}),)) for value in (1, True, 1.0)]
    for one in flows:
        for other in flows:
            assert diff(one, other).same == (one.hash == other.hash) == (one is other)


def test_moves_are_told_apart() -> None:
    found = diff(FLOW, FLOW.moved({"1": (5.0, 6.0)}))
    assert found.same
    (moved,) = found.moved
    assert (moved.key, moved.old, moved.new) == ("ask", (0.0, 0.0), (5.0, 6.0))
    assert str(found) == "moved: ask"


def test_the_order_at_an_opening_counts() -> None:
    other = Node("3", "other", "input")
    edges = (WIRE, replace(WIRE, id="f", source="3"))
    one = Graph((ASK, SAY, other), edges)
    turned = Graph((ASK, SAY, other), edges[::-1])
    assert one.hash != turned.hash
    (found,) = diff(one, turned).reordered
    assert [edge.source for edge in found.order] == ["other", "ask"]
    assert str(diff(one, turned)) == "~ say.x takes other, ask"
    assert diff(Graph((ASK, SAY), (WIRE,)), one).reordered == ()


def test_an_edge_is_what_it_binds_and_not_its_id() -> None:
    assert diff(FLOW, Graph((ASK, SAY), (replace(WIRE, id="another"),))) == Diff()


def test_an_edge_of_a_node_that_is_gone_is_still_told() -> None:
    found = diff(Graph((SAY,)), Graph((SAY,), (WIRE,)))
    assert found.edges_added == (Binding("1", "value", "", "say", "x"),)


def test_long_texts_are_shown_from_where_they_part() -> None:
    long = "word " * 100
    flows = [
        Graph((replace(SAY, config={"prompt": {"text": f"{long}{end} {long}"}}),))
        for end in ("HERE", "THERE")
    ]
    line = str(diff(*flows))
    assert "HERE" in line
    assert "THERE" in line
    assert len(line) < 200
    (field,) = fields(*flows)
    assert field.new == f"{long}THERE {long}", "the data is whole"


def test_what_people_write_cannot_act_where_it_is_shown() -> None:
    hostile = "<img src=x onerror=alert(1)>\u202e\nx"
    changed = replace(SAY, config={"prompt": {"text": hostile}, hostile: 1})
    found = diff(FLOW, Graph((replace(ASK, key="<b>"), changed), (WIRE,)))
    html = found._repr_html_()
    assert "<img" not in html
    assert "called <b>" not in html
    assert "called &lt;b&gt;" in html
    assert "&lt;img" in html
    assert "\u202e" not in html + str(found)
    assert "\\u202e" in str(found)
    assert (
        len(str(found).splitlines())
        == html.count("psl-card-even") - html.count(".psl-card-even")
        == 4
    )


def test_a_diff_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        diff(FLOW, FLOW).moved = ()  # type: ignore[misc]  # that is the point


NODES = st.builds(
    Node,
    st.sampled_from("123"),
    st.just("key"),
    st.sampled_from(["input", "prompt"]),
    st.dictionaries(st.sampled_from("ab"), st.sampled_from([1, 1.0, True, None, "x", {"c": [1]}])),
    st.dictionaries(st.sampled_from("ab"), st.sampled_from([1, {"d": 2}])),
)


@st.composite
def graphs(draw: Any) -> Graph:  # hypothesis's own
    nodes = {node.id: node for node in draw(st.lists(NODES))}
    named = [
        replace(node, key=f"{draw(st.sampled_from('xy'))}{node.id}") for node in nodes.values()
    ]
    pairs = [(one.id, other.id) for one in named for other in named if one.id != other.id]
    chosen = draw(st.permutations(pairs))[: draw(st.integers(0, 4))] if pairs else []
    edges = [Edge(str(n), one, "out", other, "in") for n, (one, other) in enumerate(chosen)]
    return Graph(tuple(named), tuple(edges))


@settings(deadline=None)
@given(graphs(), graphs())
def test_a_diff_is_empty_exactly_when_both_do_the_same(one: Graph, other: Graph) -> None:
    found = diff(one, other)
    assert found.same == (one.hash == other.hash and one.by_id.keys() == other.by_id.keys())
    assert found.same == (str(found) == "no difference")
    back = diff(other, one)
    assert set(back.nodes_removed) == set(found.nodes_added)
    assert set(back.edges_added) == set(found.edges_removed)
    assert len(back.nodes_changed) == len(found.nodes_changed)

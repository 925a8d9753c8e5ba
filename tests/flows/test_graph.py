from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptstudio_lab.errors import FlowError
from promptstudio_lab.flows.graph import FORMAT, Edge, Graph, Node, from_document, parse_binding
from promptstudio_lab.ids import is_id, new_id
from promptstudio_lab.values import dumps, loads
from tests.flows.parts import answer, graph_of, prompt, triage_graph

if TYPE_CHECKING:
    from promptstudio_lab.values import Json

QUIETLY = settings(deadline=None, derandomize=True, max_examples=60, database=None)
KEYS = st.from_regex(r"\A[A-Za-z_][A-Za-z0-9_-]{0,12}\Z")
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    LEAVES.filter(lambda v: v not in (float("inf"), float("-inf"))).filter(
        lambda v: not isinstance(v, str) or v.isascii()
    ),
    lambda inside: (
        st.lists(inside, max_size=3) | st.dictionaries(st.sampled_from("abc"), inside, max_size=3)
    ),
    max_leaves=6,
)
CONFIGS = st.dictionaries(st.sampled_from(["prompt", "model", "fields"]), VALUES, max_size=3)
PLACES = st.floats(-1e5, 1e5)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    keys = draw(st.lists(KEYS, unique=True, min_size=1, max_size=6))
    nodes = tuple(
        Node(
            id=new_id(),
            key=key,
            kind=draw(st.sampled_from(["input", "llm", "output", "stranger"])),
            config=draw(CONFIGS),
            policy=draw(st.just({}) | CONFIGS),
            version=draw(st.integers(1, 9)),
            x=draw(PLACES),
            y=draw(PLACES),
        )
        for key in keys
    )
    which = st.sampled_from(nodes)
    edges = [
        Edge(
            new_id(),
            draw(which).id,
            draw(st.sampled_from(["value", "json"])),
            draw(which).id,
            draw(st.sampled_from(["value", "in"])),
            draw(st.sampled_from(["", "label", "items.0.name"])),
        )
        for _ in range(draw(st.integers(0, 6)))
    ]
    return Graph(nodes, tuple(edges))


def bindings(graph: Graph) -> list[Any]:  # tuples of texts
    return sorted(edge.binding for edge in graph.edges)


@QUIETLY
@given(graphs())
def test_a_document_holds_the_whole_flow(graph: Graph) -> None:
    again = from_document(loads(dumps(graph.document())))
    assert again.by_key == graph.by_key
    assert bindings(again) == bindings(graph)
    assert again.hash == graph.hash
    assert again.document() == graph.document()


@QUIETLY
@given(graphs(), st.randoms(use_true_random=False))
def test_the_order_of_nodes_and_keys_is_no_part_of_the_hash(
    graph: Graph, chance: Any
) -> None:  # hypothesis's own random
    nodes = list(graph.nodes)
    chance.shuffle(nodes)
    turned = [replace(n, config=dict(reversed(list(n.config.items())))) for n in nodes]
    assert Graph(tuple(turned), graph.edges).hash == graph.hash


@QUIETLY
@given(graphs())
def test_layout_and_identities_are_no_part_of_the_hash(graph: Graph) -> None:
    moved = graph.moved({node.id: (1.0, 2.0) for node in graph.nodes})
    assert moved.hash == graph.hash
    assert {(node.x, node.y) for node in moved.nodes} == {(1.0, 2.0)}
    fresh = from_document({k: v for k, v in graph.document().items() if k not in {"ids", "layout"}})
    assert fresh.hash == graph.hash
    assert all(is_id(node.id) for node in fresh.nodes)
    assert len(fresh.by_id) == len(graph.nodes)


CHANGES: list[Json] = [
    {"kind": "transform"},
    {"config": {"prompt": {"text": "Other {{ x }}"}}},
    {"policy": {"on_error": "skip"}},
    {"v": 2},
    {"in": {"x": ["ask.value.part"]}},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_whatever_changes_what_a_flow_does_changes_its_hash(change: Json) -> None:
    nodes = {"ask": {"kind": "input"}, "p": prompt("Hi {{ x }}", x="ask.value")}
    before = graph_of(nodes).hash
    assert graph_of({**nodes, "p": {**nodes["p"], **change}}).hash != before
    renamed = {"ask": nodes["ask"], "q": nodes["p"]}
    assert graph_of(renamed).hash != before


def test_the_order_of_edges_into_one_opening_is_part_of_the_hash() -> None:
    def merged(first: str, second: str) -> str:
        joined = {"kind": "merge", "in": {"in": [f"{first}.value", f"{second}.value"]}}
        return graph_of({"a": {"kind": "input"}, "b": {"kind": "input"}, "m": joined}).hash

    assert merged("a", "b") != merged("b", "a"), "a merge takes the first"


def test_the_document_holds_no_code_and_no_surprise() -> None:
    document = triage_graph().document()
    assert list(document) == ["format", "nodes", "ids", "layout"]
    assert document["format"] == FORMAT
    for entry in document["nodes"].values():
        assert set(entry) <= {"kind", "v", "config", "policy", "in"}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "object"),
        ("flow", "object"),
        (None, "object"),
        ({}, "/format"),
        ({"format": "promptstudio.flow/2"}, "promptstudio.flow/2"),
        ({"nodes": None}, "/nodes"),
        ({"nodes": []}, "/nodes"),
        ({"nodes": {"a": 5}}, "/nodes/a"),
        ({"nodes": {"a": {}}}, "/nodes/a has no kind"),
        ({"nodes": {"a": {"kind": 5}}}, "/nodes/a has no kind"),
        ({"nodes": {"a b": {"kind": "input"}}}, "a b"),
        ({"nodes": {"": {"kind": "input"}}}, "id"),
        ({"nodes": {"a" * 65: {"kind": "input"}}}, "aaa"),
        ({"nodes": {"a": {"kind": "input", "config": []}}}, "/nodes/a/config"),
        ({"nodes": {"a": {"kind": "input", "policy": 1}}}, "/nodes/a/policy"),
        ({"nodes": {"a": {"kind": "output", "in": ["x"]}}}, "/nodes/a/in"),
        ({"nodes": {"a": {"kind": "output", "in": {"x": ["nowhere"]}}}}, "binding"),
        ({"nodes": {"a": {"kind": "output", "in": {"x": [None]}}}}, "binding"),
        ({"nodes": {"a": {"kind": "input"}}, "ids": []}, "/ids"),
    ],
)
def test_what_is_no_flow_is_refused_by_its_place(document: Json, said: str) -> None:
    if isinstance(document, dict) and document and "format" not in document:
        document = {"format": FORMAT, **document}
    with pytest.raises(FlowError, match=said):
        from_document(document)


@pytest.mark.parametrize(
    "part",
    [
        {"layout": {"a": 5}},
        {"layout": {"a": {"x": "left"}}},
        {"ids": {"a": 5}},
        {"ids": {"a": "same", "b": "same"}},
        {"nodes": {"a": {"kind": "input", "v": "one"}, "b": {"kind": "input"}}},
    ],
    ids=["place", "coordinate", "identity", "one identity twice", "version"],
)
def test_a_broken_part_beside_the_nodes_is_refused_too(part: Json) -> None:
    document = {"format": FORMAT, "nodes": {"a": {"kind": "input"}, "b": {"kind": "input"}}, **part}
    with pytest.raises(FlowError):
        from_document(document)


def test_bindings_are_read_as_they_are_written() -> None:
    assert parse_binding("a.json") == ("a", "json", "")
    assert parse_binding("a.json.items.0.b") == ("a", "json", "items.0.b")
    with pytest.raises(FlowError, match="binding"):
        parse_binding("a")


def test_edges_are_found_from_both_ends() -> None:
    graph = triage_graph()
    ticket = graph.by_key["ticket"].id
    assert len(graph.out_of(ticket)) == 3
    assert [graph.by_id[e.source].key for e in graph.into(graph.by_key["classify"].id)] == [
        "ticket"
    ]
    assert graph.into(ticket) == []
    assert graph.out_of("nobody") == []


def test_an_edge_alone_may_be_written_without_a_list() -> None:
    single = {**answer("ask.value"), "in": {"answer": "ask.value"}}
    assert (
        graph_of({"ask": {"kind": "input"}, "out": single}).hash
        == graph_of({"ask": {"kind": "input"}, "out": answer("ask.value")}).hash
    )

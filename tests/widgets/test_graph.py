from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import promptstudio_lab as ps

if TYPE_CHECKING:
    from promptstudio_lab.lab import Flow

HOSTILE = '<img src=x onerror="alert(1)">'


@pytest.fixture
def flow() -> Flow:
    flow = ps.connect("memory").flow("support/triage")
    ticket = flow.input("ticket", "text")
    kind = flow.llm("classify", prompt=f"{HOSTILE} {{{{ ticket }}}}", ticket=ticket)
    with flow.switch(kind) as s:
        s.case("billing").llm("billing", prompt="{{ ticket }}", ticket=ticket)
    return flow


def test_only_what_is_named_reaches_the_browser(flow: Flow) -> None:
    drawn = flow.graph().widget
    assert drawn.tooltip_source == ""
    assert {frozenset(node.data) for node in drawn.graph.nodes} == {
        frozenset({"id", "label", "kind", "category"})
    }
    assert HOSTILE not in str([node.data for node in drawn.graph.nodes])


def test_the_places_are_the_flows_own(flow: Flow) -> None:
    places = {node.key: (node.x, node.y) for node in flow.graph_now.nodes}
    drawn = {
        node.data["label"]: (node.position["x"], node.position["y"])
        for node in flow.graph().widget.graph.nodes
    }
    assert drawn == places


def test_a_branch_carries_its_name(flow: Flow) -> None:
    labels = [edge.data["label"] for edge in flow.graph().widget.graph.edges]
    assert labels.count("billing") == 1


def test_clicking_selects_and_unselects(flow: Flow) -> None:
    shown = flow.graph()
    by_key = flow.graph_now.by_key
    for key in ("classify", "ticket", "classify"):
        shown._click({"data": {"id": by_key[key].id}})
    assert shown.selected["key"].to_list() == ["ticket"]
    assert [node.classes for node in shown.widget.graph.nodes].count("chosen") == 1


def test_a_click_on_what_is_gone_selects_nothing(flow: Flow) -> None:
    shown = flow.graph()
    shown._click({"data": {"id": "gone"}})
    shown._click({})
    assert shown.selected.height == 0


def test_the_picture_shows_names_literally(flow: Flow) -> None:
    data = flow.graph()._repr_mimebundle_()
    assert "<img" not in data["image/svg+xml"]
    assert data["text/plain"] == repr(flow.graph())

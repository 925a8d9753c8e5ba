from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

import promptstudio_lab as ps
from promptstudio_lab.ids import new_id
from promptstudio_lab.widgets import canvas

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from promptstudio_lab.lab import Flow

Open: TypeAlias = "Callable[[Flow], Browser]"

HOSTILE = '<img src=x onerror="alert(1)">'
SOON_S = 5.0


class Browser:
    """What a browser sends to a widget and hears from it, without a browser."""

    def __init__(self, flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
        """Open an editor of the flow."""
        self.editor = flow.edit()
        self.heard: list[dict[str, Any]] = []  # JSON
        monkeypatch.setattr(self.editor, "send", self.heard.append)

    def ask(self, content: object) -> dict[str, Any]:  # JSON
        """Return what the widget answers to a custom message."""
        self.editor._handle_custom_msg(content, [])
        return next(message for message in reversed(self.heard) if "push" not in message)

    def pushed(self) -> list[int]:
        """Return the sequences that the widget said the flow has reached."""
        return [message["push"]["seq"] for message in self.heard if "push" in message]


@pytest.fixture
def flow() -> Flow:
    flow = ps.connect("memory").flow("support/triage")
    ticket = flow.input("ticket", "text")
    flow.input("rows", "table")
    flow.llm("classify", prompt="Label: {{ ticket }}", ticket=ticket)
    return flow


@pytest.fixture
def open_editor(monkeypatch: pytest.MonkeyPatch) -> Open:
    return lambda flow: Browser(flow, monkeypatch)


def edit(**operation: object) -> dict[str, object]:
    return {"id": "1", "do": "edit", "operation": {"op_id": new_id(), **operation}}


def test_a_view_is_answered_with_the_id_of_the_question(flow: Flow, open_editor: Open) -> None:
    answer = open_editor(flow).ask({"id": "q", "do": "view"})
    assert answer["id"] == "q"
    assert [node["key"] for node in answer["view"]["nodes"]] == ["ticket", "rows", "classify"]


def test_an_edit_is_kept_and_undone(flow: Flow, open_editor: Open) -> None:
    browser = open_editor(flow)
    node_id = new_id()
    answer = browser.ask(edit(type="add", node=node_id, kind="merge", key="join", x=16, y=32))
    assert answer["ok"]
    assert flow.graph_now.by_key["join"].id == node_id
    assert browser.ask({"id": "2", "do": "undo"})["change"]["gone_nodes"] == [node_id]
    assert "join" not in flow.graph_now.by_key


@pytest.mark.parametrize(
    ("key", "port", "type_", "some"),
    [
        ("classify", "text", "text", {"llm", "switch", "output"}),
        ("rows", "value", "table", {"map", "merge"}),
        ("sort", "default", "branch", {"llm", "sql", "loop", "output"}),
    ],
)
def test_what_is_offered_behind_an_output_can_be_put_there(
    flow: Flow, open_editor: Open, key: str, port: str, type_: str, some: set[str]
) -> None:
    flow.switch(flow.input("tone"), "sort").case("a").llm("warm", prompt="Say hello.")
    browser = open_editor(flow)
    view = browser.ask({"id": "q", "do": "view"})["view"]
    fits = view["types"][type_]
    offered = {k["name"] for k in view["kinds"] if any(fits[t] is None for t in k["takes"])}
    assert some <= offered
    assert not offered & {"input", "note"}
    start = {"node": flow.graph_now.by_key[key].id, "port": port}
    place = {"x": 0, "y": 0}
    for kind in offered:
        put = edit(type="extend", **{"from": start}, node=new_id(), kind=kind, key=kind, **place)
        assert browser.ask(put)["ok"], kind
        assert browser.ask({"id": "2", "do": "undo"})["ok"]


def test_a_refusal_is_an_answer_with_its_reason(flow: Flow, open_editor: Open) -> None:
    browser = open_editor(flow)
    by_key = flow.graph_now.by_key
    before = len(flow.graph_now.edges)
    answer = browser.ask(
        edit(
            type="connect",
            edge=new_id(),
            source=by_key["rows"].id,
            source_port="value",
            target=by_key["classify"].id,
            target_port="when",
        )
    )
    assert (answer["ok"], answer["code"]) == (False, "OperationRefused")
    assert "a table does not fit branch" in answer["message"]
    assert len(flow.graph_now.edges) == before


@pytest.mark.parametrize(
    "content",
    [None, [], "view", {}, {"id": "1"}, {"id": "1", "do": "changes", "since": "soon"}, {"do": 7}],
)
def test_a_malformed_message_does_not_cost_the_next(
    flow: Flow, open_editor: Open, content: object
) -> None:
    browser = open_editor(flow)
    assert browser.ask(content)["ok"] is False
    assert browser.ask({"id": "2", "do": "view"})["ok"] is True


def test_every_editor_of_the_flow_is_told_and_no_other(flow: Flow, open_editor: Open) -> None:
    other_flow = ps.connect("memory").flow("support/triage")
    first, second, other = map(open_editor, (flow, flow, other_flow))
    seq = first.ask(edit(type="rename", node=flow.graph_now.nodes[0].id, key="letter"))["change"][
        "seq"
    ]
    assert second.pushed() == [seq]
    assert other.pushed() == []
    change = second.ask({"id": "3", "do": "changes", "since": seq - 1})["change"]
    assert [node["key"] for node in change["nodes"]] == ["letter"]


def test_an_edit_made_in_python_reaches_an_open_editor(flow: Flow, open_editor: Open) -> None:
    browser = open_editor(flow)
    browser.ask({"id": "1", "do": "view"})
    flow.apply({"type": "remove", "nodes": [flow.graph_now.by_key["rows"].id]})
    end = time.monotonic() + SOON_S
    while not browser.pushed() and time.monotonic() < end:
        time.sleep(0.05)
    assert browser.pushed() == [flow.head().seq]


def test_the_picture_shows_names_literally(open_editor: Open) -> None:
    flow = ps.connect("memory").flow("support/triage")
    flow.llm("classify", prompt=HOSTILE)
    data, _ = open_editor(flow).editor._repr_mimebundle_()
    assert "<img" not in data["image/svg+xml"]
    assert "&lt;img" in data["image/svg+xml"]
    assert data["text/plain"] == "<FlowEditor of 'support/triage': 1 nodes, 0 edges>"


def test_the_bundle_is_sent_where_it_is_not_served(
    flow: Flow, open_editor: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = tmp_path / "widget.js"
    built.write_text("export default {}", encoding="utf-8")
    monkeypatch.setattr(canvas, "BUNDLE", built)
    answer = open_editor(flow).ask({"id": "b", "do": "bundle"})
    assert answer == {"id": "b", "ok": True, "bundle": "export default {}"}


def test_a_missing_bundle_says_how_to_build_it(
    flow: Flow, open_editor: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(canvas, "BUNDLE", tmp_path / "none.js")
    answer = open_editor(flow).ask({"id": "b", "do": "bundle"})
    assert not answer["ok"]
    assert "npm run build" in answer["message"]


def test_a_version_is_labelled_from_the_canvas(flow: Flow, open_editor: Open) -> None:
    browser = open_editor(flow)
    first = browser.ask({"id": "1", "do": "save"})["data"]
    named = {"do": "label", "name": "production", "version": first}
    assert browser.ask({"id": "2", **named})["data"] == {"production": first}
    (version,) = browser.ask({"id": "3", "do": "ask", "about": "versions"})["data"]
    assert version["labels"] == ["production"]
    assert not browser.ask({"id": "4", **named, "version": 9})["ok"]
    assert not browser.ask({"id": "5", **named, "version": "x"})["ok"]
    assert flow.labels() == {"production": first}

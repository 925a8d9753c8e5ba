"""The main job in a real JupyterLab: the quickstart, the canvas in a cell, the sidebar, the tab."""

from __future__ import annotations

from typing import TYPE_CHECKING

import promptstudio_lab as ps

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from tests.browser.room import Room

BUILD = """
import promptstudio_lab as ps
lab = ps.connect()
flow = lab.flow("support/triage")
ticket = flow.input("ticket", "text")
kind = flow.llm("classify", prompt="Label this: {{ text }}", returns={"label": ["billing", "tech"]})
flow.output(label=kind.label)
flow.edit()
"""
LOOK = """
head = flow.head()
named = {node.id: node.key for node in head.graph.nodes}
for edge in head.graph.edges:
    print(f"{named[edge.source]}.{edge.source_port} to {named[edge.target]}.{edge.target_port}")
print([str(problem) for problem in flow.check()])
"""


def node(room: Room, key: str) -> Locator:
    return room.page.locator(".react-flow__node").filter(
        has=room.page.locator(".psl-key", has_text=key)
    )


def port(room: Room, key: str, name: str, side: str) -> Locator:
    return node(room, key).locator(f'.react-flow__handle.{side}[data-handleid="{name}"]')


def test_the_quickstart_runs_and_states_its_decision(room: Room) -> None:
    room.open("00_quickstart.ipynb")
    room.run_all()
    decision = room.page.get_by_text("definitions ships:").first
    decision.wait_for()
    decision.scroll_into_view_if_needed()
    room.picture("quickstart")
    lab = ps.connect(str(room.warehouse))
    runs = lab.runs(1000)
    assert runs["experiment"].drop_nulls().len() == 480
    assert runs["origin"].str.ends_with("00_quickstart.ipynb").all()


def test_an_edge_drawn_by_mouse_is_seen_by_the_next_cell(room: Room) -> None:
    room.notebook("draw.ipynb", BUILD, LOOK, "1 + 1")
    room.open("draw.ipynb")
    room.run_cell(0)
    room.drawn()
    before = room.cells()
    room.drag(port(room, "ticket", "value", "source"), port(room, "classify", "text", "target"))
    room.page.locator(".react-flow__edge").nth(1).wait_for()
    room.saved(ps.connect(str(room.warehouse)).flow("support/triage"))
    room.picture("canvas-in-a-cell")
    room.run_cell(1)
    seen = room.output(1)
    seen.get_by_text("ticket.value to classify.text").wait_for()
    assert "[]" in seen.inner_text()
    assert room.cells() == before


def test_a_wrong_type_is_refused_with_the_reason(room: Room) -> None:
    room.notebook("refuse.ipynb", BUILD, LOOK)
    room.open("refuse.ipynb")
    room.run_cell(0)
    room.drawn()
    room.page.locator(".react-flow__edge").first.wait_for(state="attached")
    edges = room.page.locator(".react-flow__edge").count()
    node(room, "classify").hover()
    room.drag(port(room, "ticket", "value", "source"), port(room, "classify", "when", "target"))
    room.page.get_by_text("a text does not fit branch").first.wait_for()
    assert room.page.locator(".react-flow__edge").count() == edges


def test_nothing_typed_on_the_canvas_reaches_the_notebook(room: Room) -> None:
    room.notebook("keys.ipynb", BUILD, LOOK, "1 + 1")
    room.open("keys.ipynb")
    room.run_cell(0)
    room.drawn()
    before = room.cells()
    for key in ("a", "b", "x", "z", "m", "y", "d", "d", "ArrowDown", "Escape", "Shift+Enter"):
        node(room, "classify").click(position={"x": 60, "y": 12})
        room.focused_within(".psl-cell")
        room.page.keyboard.press(key)
    # The notebook does hear a key that is meant for it, and has heard none before.
    room.page.locator(".jp-Notebook .jp-Cell").nth(2).locator(".jp-InputPrompt").click()
    room.page.keyboard.press("b")
    room.until(lambda: room.cells() == [*before, "code:"], "one cell more, and nothing else")
    assert node(room, "classify").count() == 1


def test_delete_and_undo_on_the_canvas_are_the_change_logs(room: Room) -> None:
    room.notebook("undo.ipynb", BUILD, LOOK)
    room.open("undo.ipynb")
    room.run_cell(0)
    room.drawn()
    node(room, "classify").click(position={"x": 60, "y": 12})
    room.focused_within(".psl-cell")
    room.page.keyboard.press("Delete")
    node(room, "classify").wait_for(state="detached")
    flow = ps.connect(str(room.warehouse)).flow("support/triage")
    room.kept(flow, lambda: "classify" not in flow.head().graph.by_key, "it is gone")
    room.page.keyboard.press("Control+z")
    room.kept(flow, lambda: "classify" in flow.head().graph.by_key, "it is back")
    node(room, "classify").wait_for()
    assert len(flow.head().graph.edges) == 1


def test_the_sidebar_opens_a_flow_in_a_tab_with_the_same_canvas(room: Room) -> None:
    lab = ps.connect(str(room.warehouse))
    flow = lab.flow("support/triage")
    ticket = flow.input("ticket", "text")
    kind = flow.llm(
        "classify",
        prompt="Label this: {{ ticket }}",
        ticket=ticket,
        returns={"label": ["billing", "tech"]},
    )
    flow.output(label=kind.label)
    flow.head()
    lab.template("support/greeting", "Hello {{ name }}")
    room.open()
    room.page.locator('[data-id="promptstudio-browser"]').first.click()
    leaf = room.page.get_by_role("treeitem").filter(has_text="triage").last
    leaf.wait_for()
    room.picture("sidebar")
    leaf.dblclick()
    room.drawn()
    room.picture("editor-tab")
    at = lab.flow("support/triage").head().graph.by_key["classify"].x
    x, y = room.middle(node(room, "classify").locator(".psl-head"))
    room.page.mouse.move(x, y)
    room.page.mouse.down()
    room.page.mouse.move(x, y + 60, steps=8)
    room.page.mouse.move(x + 64, y + 140, steps=8)
    room.page.mouse.up()
    room.kept(flow, lambda: flow.head().graph.by_key["classify"].x > at, "it lies elsewhere")
    newest = lab.sql("SELECT op_type, actor_id FROM change_log ORDER BY created_at DESC LIMIT 1")
    assert newest.rows() == [("move", lab.actor.id)]


MAP = """
import promptstudio_lab as ps
lab = ps.connect()
flow = lab.flow("support/many")
tickets = flow.input("tickets", "list")
with flow.map("each", items=tickets) as each:
    label = each.llm("classify", prompt="Label this: {{ ticket }}", ticket=each.item)
    each.output(label=label.text)
flow.output(labels=each.items)
flow.edit()
"""


def test_the_body_of_a_map_lies_inside_its_frame(room: Room) -> None:
    room.notebook("map.ipynb", MAP)
    room.open("map.ipynb")
    room.run_all()
    room.drawn()
    room.picture("map")
    frame = room.page.locator(".react-flow__node.psl-frame").bounding_box()
    assert frame is not None
    for key in ("item", "classify"):
        box = node(room, key).last.bounding_box()
        assert box is not None
        assert box["x"] >= frame["x"]
        assert box["x"] + box["width"] <= frame["x"] + frame["width"]
        assert box["y"] + box["height"] <= frame["y"] + frame["height"]

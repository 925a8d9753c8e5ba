"""What hands do on the canvas beyond drawing an edge: searching, copying, inserting, tidying."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import promptstudio_lab as ps

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from promptstudio_lab.lab import Flow
    from tests.browser.room import Room


def node(room: Room, key: str) -> Locator:
    return room.page.locator(".react-flow__node").filter(
        has=room.page.locator(f'.psl-key:text-is("{key}")')
    )


@pytest.fixture
def flow(room: Room) -> Flow:
    """Return a flow with a map in it, open in a tab."""
    flow = ps.connect(str(room.warehouse)).flow("support/triage")
    ticket = flow.input("ticket", "text")
    kind = flow.llm("classify", prompt="Label this: {{ ticket }}", ticket=ticket)
    tickets = flow.input("tickets", "list")
    with flow.map("each", items=tickets) as each:
        label = each.llm("inner", prompt="Label this: {{ item }}", item=each.item)
        each.output(label=label.text)
    flow.output(label=kind.text)
    flow.head()
    room.open()
    room.page.locator('[data-id="promptstudio-browser"]').first.click()
    room.page.get_by_role("treeitem").filter(has_text="triage").last.dblclick()
    node(room, "classify").wait_for()
    room.page.wait_for_timeout(600)
    return flow


def saved(room: Room) -> None:
    room.page.get_by_text("all changes saved").wait_for()
    room.page.wait_for_timeout(500)


def focus(room: Room, key: str) -> None:
    node(room, key).first.focus()


def test_a_slash_adds_a_node_where_the_pointer_is(room: Room, flow: Flow) -> None:
    frame = room.page.locator(".react-flow__node.psl-frame").bounding_box()
    assert frame is not None
    focus(room, "classify")
    room.page.mouse.move(640, 640)
    room.page.keyboard.press("/")
    room.page.get_by_role("dialog", name="Add a node").wait_for()
    for width in (1280, 1920):
        room.page.set_viewport_size({"width": width, "height": 800})
        room.page.screenshot(path=room.results / f"finder-{width}.png")
    room.page.keyboard.type("guard")
    room.page.keyboard.press("Enter")
    node(room, "guard").wait_for()
    saved(room)
    assert flow.head().graph.by_key["guard"].kind == "guard"
    assert room.page.locator(".psl-inspector").count() == 1
    room.page.set_viewport_size({"width": 1280, "height": 800})
    room.picture("inspector-tab")


def test_a_kind_dropped_on_a_frame_or_an_edge_goes_into_it(room: Room, flow: Flow) -> None:
    page = room.page
    frame = page.locator(".react-flow__node.psl-frame")
    box = frame.bounding_box()
    assert box is not None
    transform = page.get_by_role("button", name="Add Transform")
    transform.drag_to(frame, target_position={"x": box["width"] / 2, "y": box["height"] - 6})
    saved(room)
    graph = flow.head().graph
    inside = [one for one in graph.nodes if one.kind == "transform"]
    assert [one.parent for one in inside] == [graph.by_key["each"].id]
    page.keyboard.press("Control+z")
    saved(room)
    (edge,) = graph.into(graph.by_key["classify"].id)
    path = page.locator(f'.react-flow__edge[data-id="{edge.id}"] .react-flow__edge-path')
    middle = path.evaluate(
        "path => { const at = path.getPointAtLength(path.getTotalLength() / 2)"
        ".matrixTransform(path.getScreenCTM()); return [at.x, at.y]; }"
    )
    board = page.locator(".psl-board").bounding_box()
    assert board is not None
    transform.drag_to(
        page.locator(".psl-board"),
        target_position={"x": middle[0] - board["x"], "y": middle[1] - board["y"]},
    )
    saved(room)
    graph = flow.head().graph
    (into,) = graph.into(graph.by_key["classify"].id)
    new = graph.by_id[into.source]
    assert new.kind == "transform"
    assert [graph.by_id[one.source].key for one in graph.into(new.id)] == ["ticket"]


def test_copied_nodes_are_pasted_as_text_and_undone_at_once(room: Room, flow: Flow) -> None:
    before = flow.head().graph
    focus(room, "classify")
    room.page.keyboard.press("Control+a")
    room.page.locator(".psl-chosen").wait_for()
    room.picture("several-selected")
    focus(room, "classify")
    room.page.keyboard.press("Control+c")
    room.page.keyboard.press("Control+v")
    node(room, "classify_2").wait_for()
    saved(room)
    graph = flow.head().graph
    assert len(graph.nodes) == 2 * len(before.nodes)
    assert len(graph.edges) == 2 * len(before.edges)
    room.page.keyboard.press("Control+z")
    node(room, "classify_2").wait_for(state="detached")
    saved(room)
    assert flow.head().graph.hash == before.hash


def test_tidying_finding_and_the_keys(room: Room, flow: Flow) -> None:
    graph = flow.head().graph
    flow.apply({"type": "move", "nodes": {n.id: {"x": 0, "y": 0} for n in graph.inside(None)}})
    room.page.wait_for_timeout(1500)
    focus(room, "classify")
    room.page.keyboard.press("t")
    saved(room)
    assert len({(one.x, one.y) for one in flow.head().graph.inside(None)}) > 3
    room.page.keyboard.press("f")
    room.page.wait_for_timeout(400)
    room.picture("tidied")
    room.page.keyboard.press("Control+f")
    room.page.keyboard.type("inn")
    room.page.keyboard.press("Enter")
    room.page.get_by_label("Settings of inner").wait_for()
    room.page.keyboard.press("Escape")
    room.page.keyboard.press("?")
    room.page.get_by_role("dialog", name="Keys").wait_for()
    room.picture("keys")
    room.page.keyboard.press("Escape")
    room.page.get_by_role("dialog", name="Keys").wait_for(state="detached")
    for _ in range(5):
        room.page.keyboard.press("-")
        room.page.wait_for_timeout(150)
    room.page.wait_for_timeout(300)
    room.picture("from-afar")

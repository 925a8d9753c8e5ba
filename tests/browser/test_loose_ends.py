"""The “+” behind an output that feeds nothing: what is picked there comes connected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import promptstudio_lab as ps
from tests.browser.room import THEMES, WISH
from tests.browser.test_canvas import card, edges, keys, node
from tests.browser.test_keyboard import tab_to

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from promptstudio_lab.lab import Flow
    from tests.browser.room import Room

BEFORE = {"ticket → classify.ticket", "ticket → sort.value"}


@pytest.fixture
def flow(room: Room) -> Flow:
    flow = ps.connect(str(room.warehouse)).flow("support/triage")
    ticket = flow.input("ticket", "text")
    flow.llm("classify", prompt="Label this: {{ ticket }}", ticket=ticket)
    with flow.switch(ticket, "sort") as opens:
        opens.case("billing").llm("pay", prompt="Answer.")
    flow.head()
    return flow


def plus(room: Room, key: str, port: str) -> Locator:
    found = node(room, key).locator(f'button[aria-label="Add a node after {key}.{port}"]')
    found.wait_for(state="attached")
    return found


def away(room: Room) -> None:
    room.page.mouse.move(640, 5)
    room.still()


def covered(room: Room) -> list[str]:
    """Return which cards lie over each other, by their names."""
    found: list[str] = room.page.evaluate(
        "() => { const boxes = [...document.querySelectorAll('.react-flow__node')].map(one =>"
        " [one.getAttribute('aria-label'), one.getBoundingClientRect()]);"
        " return boxes.flatMap(([name, a], at) => boxes.slice(at + 1).flatMap(([other, b]) =>"
        " a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom"
        " ? [`${name} and ${other}`] : [])); }"
    )
    return found


def test_what_is_picked_behind_a_loose_output_comes_connected_in_one_step(
    room: Room, flow: Flow
) -> None:
    before = edges(flow)
    room.show(flow)
    away(room)
    behind = plus(room, "classify", "text")
    assert not behind.is_visible(), "nobody is at the card"
    assert node(room, "ticket").locator(".psl-stub").count() == 0, "it feeds something"
    node(room, "classify").hover()
    behind.wait_for()
    assert not plus(room, "pay", "text").is_visible()
    for theme in THEMES:
        room.theme(theme)
        node(room, "classify").hover()
        room.page.screenshot(path=room.results / f"loose-end-hovered-{theme}.png")
    seq = flow.head().seq
    behind.click()
    room.focused(WISH)
    room.picture("loose-end-picked")
    for asked in ("Input", "Note"):
        assert room.page.get_by_role("option", name=asked).count() == 0, "it could take nothing"
    room.wish("output")
    room.kept(flow, lambda: "classify → output.answer" in edges(flow), "connected")
    assert flow.head().seq == seq + 1
    by_key = flow.head().graph.by_key
    assert by_key["output"].x > by_key["classify"].x + 220
    assert covered(room) == []
    assert node(room, "classify").locator(".psl-stub").count() == 0
    room.page.keyboard.press("Control+z")
    room.kept(flow, lambda: edges(flow) == before, "taken back in one step")
    assert "output" not in keys(flow)


@pytest.mark.parametrize("grip", ["port", "plus"])
def test_a_line_is_drawn_from_the_port_and_from_what_stands_behind_it(
    room: Room, flow: Flow, grip: str
) -> None:
    room.show(flow)
    node(room, "classify").hover()
    behind = plus(room, "classify", "text")
    behind.wait_for()
    port = node(room, "classify").get_by_label("output text, text")
    x, y = room.middle(port if grip == "port" else behind)
    room.page.mouse.move(x + 4, y)
    room.page.mouse.down()
    room.page.mouse.move(x + 60, y + 4, steps=4)
    room.page.locator(".psl-drawn").wait_for()
    assert not behind.is_visible(), "it gives way to the line"
    room.page.mouse.move(x + 120, y + 4, steps=4)
    room.page.mouse.up()
    room.wish("transform")
    room.kept(flow, lambda: "classify → transform.value" in edges(flow), "dropped on the canvas")


def test_a_hand_that_shakes_while_it_clicks_is_offered_a_node_all_the_same(
    room: Room, flow: Flow
) -> None:
    room.show(flow)
    node(room, "classify").hover()
    behind = plus(room, "classify", "text")
    behind.wait_for()
    x, y = room.middle(behind)
    room.page.mouse.move(x, y)
    room.page.mouse.down()
    room.page.mouse.move(x + 3, y + 2, steps=2)
    room.page.mouse.up()
    room.wish("transform")
    room.kept(flow, lambda: "classify → transform.value" in edges(flow), "it follows")


def test_the_edges_of_what_is_selected_stand_out(room: Room, flow: Flow) -> None:
    room.show(flow)
    lit = room.page.locator(".react-flow__edge.psl-lit")
    assert lit.count() == 0
    node(room, "classify").locator(".psl-head").click()
    lit.first.wait_for()
    away(room)
    room.picture("edges-of-what-is-selected")
    assert lit.count() == 1
    node(room, "ticket").locator(".psl-head").click()
    room.until(lambda: lit.count() == 2, "both that it feeds")


def test_whoever_has_no_mouse_adds_behind_an_output_too(room: Room, flow: Flow) -> None:
    room.show(flow)
    away(room)
    press = room.page.keyboard.press
    tab_to(room, card("sort"))
    press("Tab")
    room.focused('[aria-label="Add a node after sort.default"]')
    room.picture("loose-end-focused")
    assert room.faults() == []
    press("Enter")
    room.wish("llm")
    room.kept(flow, lambda: "sort → llm.when" in edges(flow), "the branch opens it")
    assert covered(room) == []
    press("Control+z")
    room.kept(flow, lambda: "llm" not in keys(flow), "taken back")


def test_a_frame_is_followed_although_an_edge_of_its_own_runs_by(room: Room) -> None:
    flow = ps.connect(str(room.warehouse)).flow("support/each")
    with flow.map("each", items=flow.input("rows", "list")) as each:
        each.output(same=each.item)
    flow.output(all=each.items)
    flow.head()
    room.show(flow)
    away(room)
    node(room, "each").locator(".psl-head").hover()
    room.still()
    room.page.screenshot(path=room.results / "loose-end-of-a-frame.png")
    plus(room, "each", "errors").click()
    room.wish("merge", title="Add a node after each")
    room.kept(flow, lambda: "each → merge.in" in edges(flow), "what failed goes on by itself")
    by_key = flow.head().graph.by_key
    assert by_key["merge"].x > by_key["each/output"].x + by_key["each"].x + 220
    assert not [names for names in covered(room) if "merge" in names]


def test_from_afar_and_among_several_it_is_not_seen(room: Room, flow: Flow) -> None:
    room.show(flow)
    away(room)
    behind = plus(room, "classify", "text")
    node(room, "classify").locator(".psl-head").click()
    away(room)
    behind.wait_for()
    room.page.keyboard.press("Escape")
    room.focused(".psl-desk")
    behind.wait_for(state="hidden")
    room.page.keyboard.press("Control+a")
    room.page.get_by_role("toolbar", name="Selected nodes").wait_for()
    assert not behind.is_visible()
    room.page.keyboard.press("Escape")
    while room.page.locator(".psl-far").count() == 0:
        room.page.keyboard.press("-")
        room.still()
    node(room, "classify").hover()
    assert not behind.is_visible()

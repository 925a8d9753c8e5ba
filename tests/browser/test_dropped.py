"""Every k-th message between a canvas and Python is lost: nothing that looked saved is."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest

import promptstudio_lab as ps
from tests.browser.line import Line
from tests.browser.test_canvas import node

if TYPE_CHECKING:
    from playwright.sync_api import Route, WebSocketRoute

    from promptstudio_lab.lab import Flow, Lab
    from tests.browser.room import Room

CELL = """
import promptstudio_lab as ps
f = ps.connect().flow("support/triage")
f.edit()
"""
GRID = 16
OURS = re.compile(r"/promptstudio/flows/[^/]+(/messages|/changes)?(\?.*)?$")


class Losses:
    """Loses every k-th message of each way, the first of them too; none while k is 0."""

    def __init__(self) -> None:
        """Lose nothing yet."""
        self.k = self.lost = 0
        self.counts: Counter[str] = Counter()

    def every(self, k: int) -> None:
        """Lose every k-th from now on."""
        self.k = k
        self.counts.clear()

    def next(self, way: str) -> bool:
        """Tell whether this message is lost."""
        lost = bool(self.k) and self.counts[way] % self.k == 0
        self.counts[way] += 1
        self.lost += lost
        return lost


@pytest.fixture
def lab(room: Room) -> Lab:
    return ps.connect(str(room.warehouse))


@pytest.fixture
def flow(lab: Lab) -> Flow:
    flow = lab.flow("support/triage")
    ticket = flow.input("ticket", "text")
    flow.output(label=flow.llm("classify", prompt="Label this: {{ ticket }}", ticket=ticket))
    flow.head()
    return flow


def test_in_a_tab(room: Room, flow: Flow) -> None:
    losses = Losses()

    def pass_or_lose(route: Route) -> None:
        if not losses.next("asked"):
            route.continue_()
        elif losses.lost % 2:
            route.abort()
        else:
            # It arrives and is done; only the answer is lost.
            route.fetch()
            route.abort()

    room.show(flow)
    room.page.route(OURS, pass_or_lose)
    edit_while_losing(room, flow, losses, moves=4)
    assert banners(room) == 0, "what is lost now and then takes nobody's hands off"


def test_a_tab_says_nothing_of_one_lost_question(room: Room, flow: Flow) -> None:
    room.show(flow)
    watch_banners(room)
    asked: list[str] = []

    def lose_one(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) == 1:
            route.abort()
        else:
            route.continue_()

    room.page.route(OURS, lose_one)
    room.until(lambda: len(asked) >= 4, "it goes on asking")
    assert "/changes" in asked[0]
    assert banners(room) == 0
    flow.apply(rename(flow, "classify", "sort"), client_id="another")
    node(room, "sort").wait_for()
    assert banners(room) == 0


def test_what_is_typed_while_the_server_is_silent_is_there_when_it_is_back(
    room: Room, flow: Flow
) -> None:
    line = Line(room, OURS)
    room.show(flow)
    watch_banners(room)
    page = room.page
    node(room, "classify").locator(".psl-head").click()
    system, seed = (page.get_by_label(name).first for name in ("System", "Seed"))
    system.fill("cut off as it was sent")
    line.hold()
    system.blur()
    seed.fill("4")
    # Only now does it hear that nobody is there; from then on nothing can be written.
    line.cut()
    page.locator(".psl-banner").wait_for()
    # It is on its way to nobody, so it stays what it is: a draft.
    assert (system.input_value(), seed.input_value()) == ("cut off as it was sent", "4")
    page.keyboard.type("5")
    seed.blur()
    page.get_by_text("Edits that wait until then: 2").wait_for()
    room.picture("silent-server")
    node(room, "ticket").locator(".psl-head").click()
    assert "system" not in flow.head().graph.by_key["classify"].config
    line.mend()
    page.locator(".psl-banner").wait_for(state="detached")
    room.saved(flow)
    config = flow.head().graph.by_key["classify"].config
    assert (config.get("system"), config.get("seed")) == ("cut off as it was sent", 4)


def test_another_person_does_not_take_away_what_somebody_is_just_writing(
    room: Room, flow: Flow
) -> None:
    room.show(flow)
    node(room, "classify").locator(".psl-head").click()
    system = room.page.get_by_label("System").first
    system.fill("mine")
    key = flow.head().graph.by_key["classify"].id
    theirs = {"type": "configure", "node": key, "settings": {"system": "theirs"}}
    flow.apply(theirs, client_id="another")
    room.page.get_by_text("Somebody has changed it meanwhile to: theirs").wait_for()
    assert system.input_value() == "mine"
    system.press("Control+Enter")
    room.until(
        lambda: flow.head().graph.by_key["classify"].config["system"] == "mine", "mine, knowingly"
    )


def test_in_a_cell(room: Room, flow: Flow) -> None:
    losses = Losses()

    def wire(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        socket.on_message(lambda said: None if lost(said, "asked") else server.send(said))
        server.on_message(lambda said: None if lost(said, "told") else socket.send(said))

    def lost(message: str | bytes, way: str) -> bool:
        raw = message if isinstance(message, bytes) else message.encode()
        return b"comm_msg" in raw and b'"custom"' in raw and losses.next(way)

    room.page.route_web_socket(re.compile(r"/api/kernels/.*/channels"), wire)
    room.notebook("lost.ipynb", CELL, "1 + 1")
    room.open("lost.ipynb")
    room.run_cell(0)
    room.drawn()
    edit_while_losing(room, flow, losses, moves=4)


def edit_while_losing(room: Room, flow: Flow, losses: Losses, moves: int) -> None:
    """Let both sides edit while messages are lost, and compare what they have afterwards."""
    page = room.page
    watch_banners(room)
    ticket, name = flow.head().graph.by_key["ticket"].id, "classify"
    start = stands(flow, ticket)
    node(room, "ticket").locator(".psl-head").click()
    page.keyboard.press("Escape")
    for k in (2, 3, 5):
        before = losses.lost
        losses.every(k)
        node(room, "ticket").focus()
        for _ in range(moves):
            page.keyboard.press("ArrowDown")
        ask = flow.head().graph.by_key[name].id
        name = f"classify_{k}"
        flow.apply({"type": "rename", "node": ask, "key": name}, client_id="another")
        node(room, name).wait_for()
        room.saved(flow)
        assert losses.lost > before, f"k = {k}"
        room.until(lambda: shown(room, ticket) == stands(flow, ticket), f"both agree, k = {k}")
    losses.every(0)
    room.saved(flow)
    assert shown(room, ticket) == stands(flow, ticket)
    # Each of them counts, and what was sent again counts once.
    assert stands(flow, ticket) == (start[0], start[1] + 3 * moves * GRID)


def rename(flow: Flow, key: str, to: str) -> dict[str, str]:
    return {"type": "rename", "node": flow.head().graph.by_key[key].id, "key": to}


def watch_banners(room: Room) -> None:
    """Count from now on how often the canvas says that it takes nothing."""
    room.page.evaluate(
        "() => { window.pslBanners = 0; new MutationObserver(() => {"
        " window.pslBanners += document.querySelector('.psl-banner') ? 1 : 0; })"
        ".observe(document.querySelector('.psl'), {subtree: true, childList: true}); }"
    )


def banners(room: Room) -> int:
    return int(room.page.evaluate("window.pslBanners"))


def shown(room: Room, key: str) -> tuple[float, float]:
    style = room.page.locator(f'.react-flow__node[data-id="{key}"]').get_attribute("style") or ""
    found = re.search(r"translate\(([-\d.]+)px, ([-\d.]+)px\)", style)
    return (float(found[1]), float(found[2])) if found else (0.0, 0.0)


def stands(flow: Flow, key: str) -> tuple[float, float]:
    found = flow.head().graph.by_id[key]
    return (found.x, found.y)

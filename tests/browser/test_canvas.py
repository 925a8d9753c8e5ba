"""What one can do on the canvas, with hands and without a mouse, in a tab and in a cell."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

import promptstudio_lab as ps
from promptstudio_lab.ids import new_id
from tests.server.visiting import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator, Position

    from promptstudio_lab.lab import Flow, Lab
    from tests.browser.room import Room

HOSTILE = '<img src=x onerror="alert(1)">{{ no }}\u202e'
SOON_S = 5.0
AXE = ROOT / "extension" / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture
def lab(room: Room) -> Lab:
    lab = ps.connect(str(room.warehouse))
    lab.template("support/classify", "Label this: {{ ticket }}")
    lab.template("support/classify", "Which label fits?\n\nTicket: {{ ticket }}")
    lab.dataset("tickets", [{"ticket": HOSTILE}, {"ticket": "My card was charged twice"}])
    return lab


@pytest.fixture
def flow(lab: Lab) -> Flow:
    flow = lab.flow("support/triage")
    ticket = flow.input("ticket", "text")
    label = flow.llm("classify", prompt="support/classify@2", ticket=ticket)
    flow.output(label=label)
    flow.head()
    return flow


def opened(room: Room, flow: Flow) -> None:
    """Open a flow in a tab, alone in the window."""
    room.open()
    room.command("promptstudio:open-flow", id=flow.id, path=flow.path, beside="")
    room.page.wait_for_selector(".psl-desk")
    room.page.evaluate("window.jupyterapp.shell.collapseLeft()")
    room.page.locator(".psl-desk").focus()
    room.page.wait_for_timeout(600)
    room.page.keyboard.press("f")
    room.page.wait_for_timeout(400)


def node(room: Room, key: str) -> Locator:
    name = room.page.locator(".psl-key").get_by_text(key, exact=True)
    return room.page.locator(".react-flow__node").filter(has=name)


def edges(flow: Flow) -> set[str]:
    graph = flow.head().graph
    return {
        f"{graph.name(graph.by_id[e.source])} → {graph.name(graph.by_id[e.target])}.{e.target_port}"
        for e in graph.edges
    }


def until(true: Callable[[], object], what: str) -> None:
    end = time.monotonic() + SOON_S
    while time.monotonic() < end:
        if true():
            return
        time.sleep(0.05)
    pytest.fail(f"not within {SOON_S} s: {what}")


def keys(flow: Flow) -> set[str]:
    return set(flow.head().graph.by_key)


def test_everything_can_be_done_without_a_mouse(room: Room, flow: Flow) -> None:
    opened(room, flow)
    press = room.page.keyboard.press
    press("/")
    room.page.keyboard.type("transf")
    room.picture("search-at-the-pointer")
    press("Enter")
    until(lambda: "transform" in keys(flow), "a node added by its name")
    room.page.wait_for_timeout(300)
    press("c")
    room.page.keyboard.type("ticket")
    press("Enter")
    until(lambda: "ticket → transform.value" in edges(flow), "connected by keys")
    x = flow.head().graph.by_key["transform"].x
    press("ArrowRight")
    press("Shift+ArrowRight")
    until(lambda: flow.head().graph.by_key["transform"].x == x + 96, "moved by keys")
    press("Control+d")
    until(lambda: "transform_2" in keys(flow), "duplicated")
    press("Delete")
    until(lambda: "transform_2" not in keys(flow), "removed")
    press("Control+z")
    until(lambda: "transform_2" in keys(flow), "back again")


def test_what_is_far_away_is_found_and_grouped_without_a_mouse(room: Room, flow: Flow) -> None:
    opened(room, flow)
    press = room.page.keyboard.press
    press("Control+f")
    room.page.keyboard.type("classify")
    room.picture("find-a-node")
    press("Enter")
    room.page.locator('aside[aria-label="Settings of classify"]').wait_for()
    press("Escape")
    press("?")
    room.page.get_by_role("dialog", name="Keys").wait_for()
    room.picture("keys")
    press("Escape")
    press("Control+a")
    room.page.get_by_role("toolbar", name="Selected nodes").wait_for()
    room.picture("selection")
    press("Control+g")
    room.page.keyboard.type("loop")
    press("Enter")
    until(lambda: "loop" in keys(flow), "grouped by keys")
    room.page.wait_for_timeout(300)
    press("Control+Shift+G")
    until(lambda: "loop" not in keys(flow), "taken out again")
    press("t")
    until(lambda: tidy(flow), "tidied")


def tidy(flow: Flow) -> bool:
    by_key = flow.head().graph.by_key
    return bool(by_key["ticket"].x < by_key["classify"].x < by_key["output"].x)


def test_a_node_is_put_on_an_edge_and_an_edge_is_hung_elsewhere(room: Room, flow: Flow) -> None:
    flow.apply({"type": "add", "node": new_id(), "kind": "input", "key": "note", "x": 32, "y": 320})
    opened(room, flow)
    edge = room.page.locator(".react-flow__edge").first.locator(".react-flow__edge-interaction")
    box = edge.bounding_box()
    assert box is not None
    room.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    room.page.get_by_role("button", name="Put a node on this edge").click()
    room.page.keyboard.type("guard")
    room.page.keyboard.press("Enter")
    until(lambda: any(edge.startswith("guard →") for edge in edges(flow)), "a guard on the edge")
    assert "ticket → classify.ticket" not in edges(flow)
    room.page.keyboard.press("Escape")
    room.page.keyboard.press("t")
    room.page.wait_for_timeout(800)
    room.page.keyboard.press("f")
    room.page.wait_for_timeout(400)
    room.picture("on-an-edge")


def test_nodes_go_into_a_frame_and_a_palette_drag_lands_where_it_is_dropped(
    room: Room, lab: Lab
) -> None:
    flow = lab.flow("support/many")
    flow.apply({"type": "add", "node": new_id(), "kind": "map", "key": "each", "x": 0, "y": 0})
    flow.apply({"type": "add", "node": new_id(), "kind": "llm", "key": "ask", "x": 400, "y": 0})
    opened(room, flow)
    frame = room.page.locator(".psl-frame")
    room.drag(node(room, "ask").locator(".psl-head"), frame.locator(".psl-body-empty"))
    until(lambda: "each/ask" in keys(flow), "dragged into the frame")
    room.page.wait_for_timeout(400)
    room.picture("frame")
    item = room.page.get_by_role("button", name="Add Transform")
    box = frame.bounding_box()
    assert box is not None
    item.drag_to(
        room.page.locator(".psl-board"),
        target_position=spot(room, box["x"] + 40, box["y"] + box["height"] - 12),
    )
    until(lambda: "each/transform" in keys(flow), "dropped into the frame")
    node(room, "each").get_by_role("button", name="Fold each").click()
    room.page.wait_for_timeout(300)
    assert node(room, "ask").count() == 0
    room.picture("folded")


def spot(room: Room, x: float, y: float) -> Position:
    board = room.page.locator(".psl-board").bounding_box()
    assert board is not None
    return {"x": x - board["x"], "y": y - board["y"]}


def test_problems_lead_to_their_node_and_are_mended_by_a_click(room: Room, flow: Flow) -> None:
    flow.apply(
        {"type": "add", "node": new_id(), "kind": "transform", "key": "lost", "x": 300, "y": 300}
    )
    opened(room, flow)
    room.page.keyboard.press("p")
    listed = room.page.get_by_role("list", name="Problems")
    listed.wait_for()
    room.picture("problems")
    listed.get_by_role("button", name="lost").first.click()
    room.page.locator('aside[aria-label="Settings of lost"]').wait_for()
    room.page.keyboard.press("p")
    room.page.get_by_role("button", name="Remove", exact=True).last.click()
    until(lambda: "lost" not in keys(flow), "mended by a click")


def test_the_inspector_shows_prices_versions_and_the_prompt_on_a_row(
    room: Room, flow: Flow
) -> None:
    room.page.set_viewport_size({"width": 1920, "height": 1080})
    opened(room, flow)
    node(room, "classify").locator(".psl-head").click()
    room.page.get_by_role("radio", name="simulated:large").click()
    until(
        lambda: flow.head().graph.by_key["classify"].config.get("model") == "simulated:large",
        "a model chosen by its price",
    )
    room.page.get_by_label("Compare with").select_option("1")
    room.page.get_by_text("- Label this: {{ ticket }}").wait_for()
    room.page.get_by_text("Preview on a row").click()
    rendered = room.page.locator(".psl-rendered")
    rendered.get_by_text("<img src=x").wait_for()
    assert HOSTILE in rendered.inner_text()
    assert rendered.locator("img").count() == 0
    room.page.get_by_text("When it runs").click()
    room.page.get_by_label("Retries").fill("2")
    room.page.get_by_label("Retries").press("Enter")
    until(
        lambda: flow.head().graph.by_key["classify"].policy == {"retry": {"max": 2}},
        "a rule set in the inspector",
    )
    room.picture("inspector-wide")
    room.page.get_by_label("Version", exact=True).select_option("1")
    until(
        lambda: (
            flow.head().graph.by_key["classify"].config["prompt"] == {"ref": "support/classify@1"}
        ),
        "another version of the template",
    )


def test_versions_are_compared_on_the_canvas_and_brought_back(room: Room, flow: Flow) -> None:
    flow.save()
    flow.apply({"type": "add", "node": new_id(), "kind": "note", "key": "why", "x": 32, "y": 300})
    changed = flow.head().graph.by_key["classify"].id
    flow.apply({"type": "configure", "node": changed, "settings": {"temperature": 0.5}})
    opened(room, flow)
    room.page.get_by_role("button", name="v1").first.click()
    room.page.locator(".psl-version-row").first.click()
    room.page.locator(".psl-card.psl-changed").wait_for()
    room.page.get_by_text("~ classify/config/temperature: added 0.5").wait_for()
    room.picture("versions")
    room.page.get_by_role("button", name="Make it the flow again").click()
    until(lambda: "why" not in keys(flow), "the version is the flow again")
    assert "temperature" not in flow.head().graph.by_key["classify"].config


def test_two_people_see_each_other_within_a_second_and_both_values(room: Room, flow: Flow) -> None:
    opened(room, flow)
    other = ps.connect(str(room.warehouse)).flow("support/triage")
    ask = flow.head().graph.by_key["classify"].id
    started = time.monotonic()
    other.apply({"type": "rename", "node": ask, "key": "sorted"}, client_id="another-view")
    node(room, "sorted").wait_for()
    assert time.monotonic() - started < 2.0
    room.page.locator(".psl-person").wait_for()
    node(room, "sorted").locator(".psl-head").click()
    field = room.page.get_by_label("Temperature")
    field.fill("0.2")
    # The other is faster, while this canvas has not heard of it.
    other.apply(
        {"type": "configure", "node": ask, "settings": {"temperature": 0.9, "seed": 7}},
        client_id="another-view",
    )
    field.press("Enter")
    room.page.get_by_text("theirs was: 0.9").wait_for()
    room.picture("conflict")
    config = flow.head().graph.by_id[ask].config
    assert (config["temperature"], config["seed"]) == (0.2, 7)
    room.page.get_by_role("button", name="Seen").click()


CELL = """
import promptstudio_lab as ps
f = ps.connect().flow("support/triage")
f.edit()
"""


@pytest.mark.usefixtures("flow")
def test_nodes_are_copied_between_notebooks_and_no_cell_hears_of_it(room: Room) -> None:
    room.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    target = ps.connect(str(room.warehouse)).flow("support/other")
    target.head()
    room.notebook("one.ipynb", CELL, "1 + 1")
    room.notebook("two.ipynb", CELL.replace("triage", "other"), "2 + 2")
    room.open("one.ipynb")
    room.run_cell(0)
    node(room, "classify").wait_for(timeout=60_000)
    room.page.wait_for_timeout(500)
    node(room, "classify").locator(".psl-head").click()
    room.page.keyboard.press("Control+a")
    room.page.keyboard.press("Control+c")
    room.page.wait_for_timeout(200)
    before = room.cells()
    room.open("two.ipynb")
    room.run_cell(0)
    room.page.locator(".psl-invitation").wait_for(timeout=60_000)
    room.picture("empty-cell")
    room.page.locator(".psl-board").click(position={"x": 300, "y": 40})
    room.page.keyboard.press("Control+v")
    until(lambda: "ticket → classify.ticket" in edges(target), "pasted with its edges")
    assert len(room.cells()) == len(before) == 2


@pytest.mark.usefixtures("flow")
def test_the_cell_takes_the_flow_as_it_is_drawn(room: Room) -> None:
    room.notebook("cell.ipynb", CELL, "1 + 1")
    room.open("cell.ipynb")
    room.run_cell(0)
    node(room, "classify").wait_for(timeout=60_000)
    room.page.get_by_role("button", name="The flow as code").click()
    room.page.get_by_text('f.llm("classify"').wait_for()
    room.picture("as-code")
    room.page.get_by_role("button", name="Update this cell").click()
    room.page.get_by_text("The cell has the flow").wait_for()
    cell = room.cells()[0]
    assert 'f.llm("classify"' in cell
    assert cell.endswith("f.edit()")


def test_a_dead_kernel_leaves_nothing_that_looks_saved(room: Room, flow: Flow) -> None:
    room.notebook("dead.ipynb", CELL, "1 + 1")
    room.open("dead.ipynb")
    room.run_cell(0)
    node(room, "classify").wait_for(timeout=60_000)
    seq = flow.head().seq
    room.page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()"
        ".then(() => true)"
    )
    room.page.get_by_text("The kernel is gone.").first.wait_for()
    node(room, "classify").locator(".psl-head").click()
    room.page.keyboard.press("Delete")
    room.page.keyboard.press("Control+d")
    room.page.wait_for_timeout(500)
    room.picture("dead-kernel")
    assert node(room, "classify").count() == 1
    assert room.page.get_by_text("all changes saved").count() == 0
    assert flow.head().seq == seq


@pytest.mark.parametrize("kind", ["lots", "hostile"])
def test_nothing_serious_is_found_by_axe_and_hostile_words_are_words(
    room: Room, lab: Lab, kind: str
) -> None:
    flow = lab.flow(f"support/{kind}")
    ask = new_id()
    flow.apply({"type": "add", "node": ask, "kind": "llm", "key": "ask", "x": 0, "y": 0})
    flow.apply({"type": "add", "node": new_id(), "kind": "note", "key": "n", "x": 300, "y": 0})
    flow.apply({"type": "add", "node": new_id(), "kind": "map", "key": "each", "x": 0, "y": 260})
    words = HOSTILE if kind == "hostile" else "Say hello to {{ name }}."
    note = flow.head().graph.by_key["n"].id
    flow.apply({"type": "configure", "node": note, "settings": {"text": words}})
    flow.apply({"type": "configure", "node": ask, "settings": {"system": words}})
    opened(room, flow)
    assert words[:20] in node_text(room)
    node(room, "ask").locator(".psl-head").click()
    room.page.wait_for_timeout(500)
    room.picture(f"axe-{kind}")
    assert room.page.locator(".psl img").count() == 0
    room.page.add_script_tag(path=str(AXE))
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        room.command("apputils:change-theme", theme=theme)
        room.page.wait_for_timeout(600)
        found = room.page.evaluate(
            "() => axe.run('.psl', {resultTypes: ['violations']}).then(all => all.violations"
            ".filter(one => ['serious', 'critical'].includes(one.impact))"
            ".map(one => one.id + ': ' + one.nodes.map(n => n.target.join(' ')).slice(0, 4)))"
        )
        assert found == [], theme


def node_text(room: Room) -> str:
    return room.page.locator(".psl-note").first.inner_text()

"""What one can do on the canvas, with hands and without a mouse, in a tab and in a cell."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

import promptstudio_lab as ps
from promptstudio_lab.ids import new_id
from tests.browser.line import Line
from tests.browser.room import WISH

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Position

    from promptstudio_lab.lab import Flow, Lab
    from tests.browser.room import Room

HOSTILE = '<img src=x onerror="alert(1)">{{ no }}\u202e'


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


def node(room: Room, key: str) -> Locator:
    name = room.page.locator(".psl-key").get_by_text(key, exact=True)
    return room.page.locator(".react-flow__node").filter(has=name)


def card(key: str) -> str:
    return f'.react-flow__node[aria-label="node {key}"]'


def edges(flow: Flow) -> set[str]:
    graph = flow.head().graph
    return {
        f"{graph.name(graph.by_id[e.source])} → {graph.name(graph.by_id[e.target])}.{e.target_port}"
        for e in graph.edges
    }


def keys(flow: Flow) -> set[str]:
    return set(flow.head().graph.by_key)


def test_everything_can_be_done_without_a_mouse(room: Room, flow: Flow) -> None:
    room.show(flow)
    press = room.page.keyboard.press
    press("/")
    room.focused(WISH)
    room.page.keyboard.type("transf")
    room.picture("search-at-the-pointer")
    press("Enter")
    room.kept(flow, lambda: "transform" in keys(flow), "a node added by its name")
    room.pick("c", "ticket")
    room.kept(flow, lambda: "ticket → transform.value" in edges(flow), "connected by keys")
    x = flow.head().graph.by_key["transform"].x
    press("ArrowRight")
    press("Shift+ArrowRight")
    room.until(lambda: flow.head().graph.by_key["transform"].x == x + 96, "moved by keys")
    press("Control+d")
    room.until(lambda: "transform_2" in keys(flow), "duplicated")
    press("Delete")
    room.until(lambda: "transform_2" not in keys(flow), "removed")
    press("Control+z")
    room.until(lambda: "transform_2" in keys(flow), "back again")


def test_what_is_far_away_is_found_and_grouped_without_a_mouse(room: Room, flow: Flow) -> None:
    room.show(flow)
    press = room.page.keyboard.press
    press("Control+f")
    room.focused(WISH)
    room.page.keyboard.type("classify")
    room.picture("find-a-node")
    press("Enter")
    room.page.locator('aside[aria-label="Settings of classify"]').wait_for()
    press("Escape")
    room.focused(".psl-desk")
    press("?")
    room.page.get_by_role("dialog", name="Keys").wait_for()
    room.picture("keys")
    press("Escape")
    room.focused(".psl-desk")
    press("Control+a")
    room.page.get_by_role("toolbar", name="Selected nodes").wait_for()
    room.picture("selection")
    room.pick("Control+g", "loop")
    room.until(lambda: "loop" in keys(flow), "grouped by keys")
    room.page.locator(f"{card('loop')}.selected").wait_for()
    press("Control+Shift+G")
    room.until(lambda: "loop" not in keys(flow), "taken out again")
    press("t")
    room.until(lambda: tidy(flow), "tidied")


def tidy(flow: Flow) -> bool:
    by_key = flow.head().graph.by_key
    return bool(by_key["ticket"].x < by_key["classify"].x < by_key["output"].x)


@pytest.mark.parametrize("starter", ["Ask a model", "Sort, then answer", "Do it for each"])
def test_an_empty_canvas_offers_whole_flows_to_begin_with(
    room: Room, lab: Lab, starter: str
) -> None:
    flow = lab.flow("support/new")
    flow.head()
    room.show(flow)
    if starter == "Ask a model":
        room.picture("empty-tab")
        assert room.faults() == []
    room.page.get_by_role("button", name=starter).click()
    room.until(lambda: "output" in keys(flow) or "all" in keys(flow), "the flow is drawn")
    assert list(flow.check()) == []
    room.page.locator(".psl-desk").focus()
    room.page.keyboard.press("Control+z")
    room.page.locator(".psl-invitation").wait_for()


# In the page: how far an edge runs across the cards of other nodes than its own, in points.
ACROSS = """edge => {
  const path = edge.querySelector('.react-flow__edge-path');
  const box = node => node.getBoundingClientRect();
  const cards = [...document.querySelectorAll('.react-flow__node')].map(box);
  const toScreen = path.getScreenCTM();
  const inside = [...Array(200).keys()].map(step => {
    const at = path.getPointAtLength(path.getTotalLength() * (step + 0.5) / 200);
    const { x, y } = at.matrixTransform(toScreen);
    return cards.filter(card => x > card.left + 6 && x < card.right - 6
      && y > card.top && y < card.bottom).length;
  });
  return inside.reduce((sum, each) => sum + each, 0);
}"""


def test_an_edge_goes_around_what_lies_between_its_ends(room: Room, lab: Lab) -> None:
    flow = lab.flow("support/around")
    ticket = flow.input("ticket", "text")
    kind = flow.llm("classify", prompt="Sort {{ ticket }}", ticket=ticket, returns={"label": ["a"]})
    with flow.switch(kind.label) as opens:
        opens.case("a").llm("one", prompt="Answer {{ ticket }}", ticket=ticket)
        opens.default.llm("two", prompt="Mend {{ ticket }}", ticket=ticket)
    flow.output(answer=opens.merge())
    flow.head()
    room.show(flow)
    found = room.page.locator(".react-flow__edge")
    found.nth(8).wait_for(state="attached")
    assert found.count() == 9
    assert [found.nth(each).evaluate(ACROSS) for each in range(9)] == [0] * 9
    # The branch comes in beside the name of what it opens, where geometry.ts foresees it.
    apart = node(room, "one").evaluate(
        "card => { const [box, port] = [card, card.querySelector('.psl-when')]"
        ".map(each => each.getBoundingClientRect()); const zoom = box.width / card.offsetWidth;"
        " return [(port.left + port.right) / 2 - box.left, (port.top + port.bottom) / 2 - box.top]"
        ".map(each => Math.round(each / zoom * 2) / 2); }"
    )
    assert apart == [0.5, 22]
    room.picture("around")


def test_a_node_is_put_on_an_edge_and_an_edge_is_hung_elsewhere(room: Room, flow: Flow) -> None:
    flow.apply({"type": "add", "node": new_id(), "kind": "input", "key": "note", "x": 32, "y": 320})
    room.show(flow)
    edge = room.page.locator(".react-flow__edge").first.locator(".react-flow__edge-interaction")
    put = room.page.get_by_role("button", name="Put a node on this edge")
    room.page.mouse.move(*room.middle(edge))
    put.wait_for()
    room.page.mouse.move(640, 5)
    put.wait_for(state="detached")
    room.page.mouse.move(*room.middle(edge))
    put.click()
    room.wish("guard")
    room.kept(
        flow,
        lambda: any(edge.startswith("guard →") for edge in edges(flow)),
        "a guard on the edge",
    )
    assert "ticket → classify.ticket" not in edges(flow)
    room.page.keyboard.press("Escape")
    seq = flow.head().seq
    room.page.keyboard.press("t")
    room.kept(flow, lambda: flow.head().seq > seq, "tidied")
    room.fit()
    room.picture("on-an-edge")


def test_nodes_go_into_a_frame_and_a_palette_drag_lands_where_it_is_dropped(
    room: Room, lab: Lab
) -> None:
    flow = lab.flow("support/many")
    flow.apply({"type": "add", "node": new_id(), "kind": "map", "key": "each", "x": 0, "y": 0})
    flow.apply({"type": "add", "node": new_id(), "kind": "llm", "key": "ask", "x": 400, "y": 0})
    room.show(flow)
    frame = room.page.locator(".psl-frame")
    room.drag(node(room, "ask").locator(".psl-head"), frame.locator(".psl-body-empty"))
    room.kept(flow, lambda: "each/ask" in keys(flow), "dragged into the frame")
    room.still()
    room.picture("frame")
    item = room.page.get_by_role("button", name="Add Transform")
    box = frame.bounding_box()
    assert box is not None
    item.drag_to(
        room.page.locator(".psl-board"),
        target_position=spot(room, box["x"] + 40, box["y"] + box["height"] - 12),
    )
    room.until(lambda: "each/transform" in keys(flow), "dropped into the frame")
    node(room, "each").get_by_role("button", name="Fold each").click()
    node(room, "ask").wait_for(state="detached")
    room.picture("folded")


def spot(room: Room, x: float, y: float) -> Position:
    board = room.page.locator(".psl-board").bounding_box()
    assert board is not None
    return {"x": x - board["x"], "y": y - board["y"]}


def test_problems_lead_to_their_node_and_are_mended_by_a_click(room: Room, flow: Flow) -> None:
    flow.apply(
        {"type": "add", "node": new_id(), "kind": "transform", "key": "lost", "x": 300, "y": 300}
    )
    room.show(flow)
    room.page.keyboard.press("p")
    listed = room.page.get_by_role("list", name="Problems")
    listed.wait_for()
    room.picture("problems")
    listed.get_by_role("button", name="lost").first.click()
    room.page.locator('aside[aria-label="Settings of lost"]').wait_for()
    room.focused(".psl-desk")
    room.page.keyboard.press("p")
    listed.get_by_role("button", name="Remove", exact=True).last.click()
    room.until(lambda: "lost" not in keys(flow), "mended by a click")


def test_the_inspector_shows_prices_versions_and_the_prompt_on_a_row(
    room: Room, flow: Flow
) -> None:
    room.page.set_viewport_size({"width": 1920, "height": 1080})
    room.show(flow)
    node(room, "classify").locator(".psl-head").click()
    room.page.get_by_role("radio", name="simulated:large").click()
    room.until(
        lambda: flow.head().graph.by_key["classify"].config.get("model") == "simulated:large",
        "a model chosen by its price",
    )
    room.page.get_by_label("Compare with").select_option("1")
    room.page.get_by_text("- Label this: {{ ticket }}").wait_for()
    room.page.get_by_text("Preview on a row").click()
    rendered = room.page.locator(".psl-rendered")
    rendered.get_by_text(HOSTILE.replace("\u202e", "U+202E")).wait_for()
    assert rendered.locator("img").count() == 0
    room.page.get_by_text("When it runs").click()
    room.page.get_by_label("Retries").fill("2")
    room.page.get_by_label("Retries").press("Enter")
    room.until(
        lambda: flow.head().graph.by_key["classify"].policy == {"retry": {"max": 2}},
        "a rule set in the inspector",
    )
    room.picture("inspector-wide")
    room.page.get_by_label("Version", exact=True).select_option("1")
    room.until(
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
    room.show(flow)
    room.page.get_by_role("button", name="v1").first.click()
    room.page.locator(".psl-version-row").first.click()
    room.page.locator(".psl-card.psl-changed").wait_for()
    room.page.get_by_text("~ classify/config/temperature: added 0.5").wait_for()
    room.picture("versions")
    room.page.get_by_role("button", name="Make it the flow again").click()
    room.until(lambda: "why" not in keys(flow), "the version is the flow again")
    assert "temperature" not in flow.head().graph.by_key["classify"].config


def test_two_people_see_each_other_within_a_second_and_both_values(room: Room, flow: Flow) -> None:
    line = Line(room)
    room.show(flow)
    assert 0.5 < asked_after(room) < 1.5
    other = ps.connect(str(room.warehouse)).flow("support/triage")
    ask = flow.head().graph.by_key["classify"].id
    other.apply({"type": "rename", "node": ask, "key": "sorted"}, client_id="another-view")
    node(room, "sorted").wait_for()
    room.page.locator(".psl-person").wait_for()
    node(room, "sorted").locator(".psl-head").click()
    field = room.page.get_by_label("Temperature")
    field.fill("0.2")
    with line.held():
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


def asked_after(room: Room) -> float:
    """Return how soon after an answer a canvas asks again what others did, at best, in seconds."""
    spans: list[tuple[float, float]] = []

    def four() -> bool:
        spans[:] = room.page.evaluate(
            "() => performance.getEntriesByType('resource')"
            ".filter(one => one.name.includes('/changes'))"
            ".map(one => [one.startTime, one.responseEnd])"
        )
        return len(spans) >= 4

    room.page.evaluate("performance.clearResourceTimings()")  # it keeps no more than 250
    room.until(four, "the canvas asks again and again")
    return min(after[0] - before[1] for before, after in pairwise(spans)) / 1000


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
    room.drawn()
    node(room, "classify").locator(".psl-head").click()
    room.page.keyboard.press("Control+a")
    room.page.get_by_role("toolbar", name="Selected nodes").wait_for()
    room.page.keyboard.press("Control+c")
    copied = "() => navigator.clipboard.readText().then(text => text.includes('classify'))"
    room.page.wait_for_function(copied)
    before = room.cells()
    room.open("two.ipynb")
    room.run_cell(0)
    room.page.locator(".psl-invitation").wait_for()
    room.picture("empty-cell")
    room.page.locator(".psl-board").click(position={"x": 300, "y": 40})
    room.focused(".psl-desk")
    room.page.keyboard.press("Control+v")
    room.until(lambda: "ticket → classify.ticket" in edges(target), "pasted with its edges")
    assert len(room.cells()) == len(before) == 2


@pytest.mark.usefixtures("flow")
def test_the_cell_takes_the_flow_as_it_is_drawn(room: Room) -> None:
    room.notebook("cell.ipynb", CELL, "1 + 1")
    room.open("cell.ipynb")
    room.run_cell(0)
    node(room, "classify").wait_for()
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
    node(room, "classify").wait_for()
    seq = flow.head().seq
    room.page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()"
        ".then(() => true)"
    )
    room.page.get_by_text("The kernel is gone.").first.wait_for()
    node(room, "classify").locator(".psl-head").click()
    room.page.keyboard.press("Delete")
    room.page.keyboard.press("Control+d")
    # The list of keys still answers to its own, so those before it have been heard.
    room.page.keyboard.press("?")
    room.page.get_by_role("dialog", name="Keys").wait_for()
    room.page.keyboard.press("Escape")
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
    room.show(flow)
    written = room.page.locator(".psl-note").first
    written.get_by_text(words.replace("\u202e", "U+202E")).wait_for()
    node(room, "ask").locator(".psl-head").click()
    room.page.locator('aside[aria-label="Settings of ask"]').wait_for()
    room.picture(f"axe-{kind}")
    assert room.page.locator(".psl img").count() == 0
    assert room.faults() == []


def test_the_right_button_says_what_can_be_done_with_a_node(room: Room, flow: Flow) -> None:
    room.show(flow)
    page = room.page
    node(room, "classify").click(button="right")
    menu = page.get_by_role("dialog", name="What to do with classify")
    menu.wait_for()
    assert page.locator(".lm-Menu").count() == 0, "JupyterLab's own menu stays away"
    room.picture("node-menu")
    menu.get_by_role("option", name="Connect").click()
    page.get_by_role("dialog", name="Connect classify").wait_for()
    page.keyboard.press("Escape")
    node(room, "classify").click(button="right")
    room.focused(WISH)
    page.keyboard.type("dup")
    page.keyboard.press("Enter")
    room.kept(flow, lambda: "classify_2" in keys(flow), "it is there twice")
    node(room, "classify_2").click(button="right")
    room.focused(WISH)
    page.keyboard.type("run")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Run to classify_2").wait_for()

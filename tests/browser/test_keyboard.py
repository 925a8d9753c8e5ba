"""The whole canvas without a mouse, and every panel of it as axe would have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import promptstudio_lab as ps
from promptstudio_lab.ids import new_id
from tests.browser.line import MESSAGES, Line
from tests.browser.room import WISH
from tests.browser.test_canvas import card, edges, keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptstudio_lab.lab import Flow
    from promptstudio_lab.values import Json
    from tests.browser.room import Room


@pytest.fixture
def flow(room: Room) -> Flow:
    lab = ps.connect(str(room.warehouse))
    flow = lab.flow("support/triage")
    ticket, other = flow.input("ticket", "text"), flow.input("other", "text")
    flow.output(label=flow.llm("classify", prompt="Label {{ t }}", t=ticket), other=other)
    flow.save()
    return flow


def go(room: Room, key: str) -> None:
    """Go to a node by its name, and stand on it."""
    room.page.locator(".psl-desk").focus()
    room.pick("Control+f", key)
    room.page.locator(f'aside[aria-label="Settings of {key}"]').wait_for()
    room.page.locator(".psl-desk").focus()


def tab_to(room: Room, css: str, key: str = "Tab") -> None:
    """Go somewhere as one does without a mouse: by Tab, however often that takes."""
    passed: list[str] = []
    for _ in range(80):
        if room.page.evaluate("css => document.activeElement?.matches(css) ?? false", css):
            return
        room.page.keyboard.press(key)
        passed.append(
            room.page.evaluate(
                "() => { const on = document.activeElement; return on?.getAttribute('aria-label')"
                " || on?.title || on?.className || on?.tagName; }"
            )
        )
    pytest.fail(f"Tab never comes to {css}; it came to {passed}")


def settings_of(flow: Flow, key: str) -> Mapping[str, Json]:
    """Return a node's settings; none while it is not there."""
    found = flow.head().graph.by_key.get(key)
    return found.config if found else {}


@pytest.fixture
def no_mouse(room: Room, flow: Flow) -> Room:
    """Return the flow in a tab, opened by a command, with hands on the keys only."""
    room.open()
    room.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    room.command("promptstudio:open-flow", id=flow.id, path=flow.path, beside="")
    room.drawn()
    for gesture in ("click", "fill", "focus"):
        assert not hasattr(room.page.keyboard, gesture)
    return room


def test_whoever_has_no_mouse_adds_writes_connects_and_takes_back(
    no_mouse: Room, flow: Flow
) -> None:
    room, press, typed = no_mouse, no_mouse.page.keyboard.press, no_mouse.page.keyboard.type
    room.focused(".psl-desk")
    tab_to(room, '[aria-label^="Add Note"]')
    press("Enter")
    room.focused(".psl-desk")
    room.kept(flow, lambda: "note" in keys(flow), "a note from the palette")
    press("Enter")
    room.focused(".psl-inspector textarea")
    typed("Why is this here?")
    press("Control+Enter")
    room.kept(
        flow,
        lambda: settings_of(flow, "note").get("text") == "Why is this here?",
        "the note's text",
    )
    press("Escape")
    room.focused(".psl-desk")
    room.pick("/", "transform")
    room.kept(flow, lambda: "transform" in keys(flow), "a node from the search")
    assert keys(flow) == {"ticket", "other", "classify", "output", "note", "transform"}
    tab_to(room, card("ticket"))
    room.pick("c", "transform.value")
    room.until(lambda: "ticket → transform.value" in edges(flow), "connected")
    room.focused(".psl-desk")


def test_what_is_pressed_at_once_is_meant_for_the_new_node(no_mouse: Room, flow: Flow) -> None:
    """Nobody waits for Python before the next key; here it takes its time to answer."""
    room, press, typed = no_mouse, no_mouse.page.keyboard.press, no_mouse.page.keyboard.type
    line = Line(room, MESSAGES)
    tab_to(room, card("ticket"))
    press("Space")
    room.page.locator(f"{card('ticket')}.selected").wait_for()
    tab_to(room, '[aria-label^="Add Note"]')
    line.hold()
    press("Enter")
    room.focused(".psl-desk")
    press("ArrowDown")
    press("Enter")
    typed("why")
    line.waits()
    line.mend()
    press("Control+Enter")
    room.kept(flow, lambda: settings_of(flow, "note").get("text") == "why", "the note's text")
    # And whoever has gone elsewhere meanwhile is not fetched back.
    room.focused(".psl-inspector textarea")
    assert room.page.locator(f"{card('ticket')}.selected").count() == 0


def test_every_step_of_an_arrow_counts_while_those_before_are_answered(
    no_mouse: Room, flow: Flow
) -> None:
    room = no_mouse
    start = flow.head().graph.by_key["ticket"].y
    tab_to(room, card("ticket"))
    room.page.keyboard.press("ArrowDown")
    room.page.keyboard.down("ArrowDown")
    room.kept(
        flow, lambda: flow.head().graph.by_key["ticket"].y == start + 16, "the first step is kept"
    )
    room.page.keyboard.up("ArrowDown")
    room.kept(
        flow, lambda: flow.head().graph.by_key["ticket"].y == start + 32, "and the second one"
    )
    # Whoever takes the keys elsewhere before letting go has moved it all the same.
    room.page.keyboard.down("ArrowDown")
    room.page.evaluate("document.activeElement.blur()")
    room.page.keyboard.up("ArrowDown")
    room.kept(flow, lambda: flow.head().graph.by_key["ticket"].y == start + 48, "and the third one")


def test_whoever_has_no_mouse_hangs_edges_elsewhere_and_fills_them(
    no_mouse: Room, flow: Flow
) -> None:
    room, press = no_mouse, no_mouse.page.keyboard.press
    room.pick("/", "transform")
    room.page.locator('aside[aria-label="Settings of transform"]').wait_for()
    room.pick("c", "ticket.value → value")
    room.kept(flow, lambda: "ticket → transform.value" in edges(flow), "connected")
    tab_to(room, card("transform"))
    room.pick("w", "elsewhere: other.value → transform.value")
    room.kept(flow, lambda: "other → transform.value" in edges(flow), "hung elsewhere")
    assert "ticket → transform.value" not in edges(flow)
    press("Control+z")
    room.kept(flow, lambda: "ticket → transform.value" in edges(flow), "taken back")
    press("Control+Shift+Z")
    room.kept(flow, lambda: "other → transform.value" in edges(flow), "and done again")
    tab_to(room, card("transform"))
    room.pick("w", "put a node on other.value")
    room.wish("guard", "Put on this edge")
    room.kept(flow, lambda: "guard → transform.value" in edges(flow), "a guard on the edge")
    tab_to(room, card("transform"))
    x = flow.head().graph.by_key["transform"].x
    press("ArrowRight")
    room.kept(
        flow, lambda: flow.head().graph.by_key["transform"].x == x + 16, "moved, not the guard"
    )
    tab_to(room, card("guard"))
    press("Delete")
    room.until(lambda: "guard" not in keys(flow), "removed, and not what was moved before")
    assert "transform" in keys(flow)
    room.focused(".psl-desk")


def test_whoever_has_no_mouse_selects_arranges_groups_and_copies(
    no_mouse: Room, flow: Flow
) -> None:
    room, press = no_mouse, no_mouse.page.keyboard.press
    tools = room.page.get_by_role("toolbar", name="Selected nodes")
    tab_to(room, card("ticket"))
    press("Space")
    tab_to(room, card("other"))
    press("Space")
    tools.get_by_text("2 selected").wait_for()
    tab_to(room, '[aria-label^="Align left"]')
    press("Enter")
    room.kept(
        flow,
        lambda: len({flow.head().graph.by_key[k].x for k in ("ticket", "other")}) == 1,
        "aligned",
    )
    press("Escape")
    room.focused(".psl-desk")
    tab_to(room, card("classify"))
    press("Space")
    press("Control+c")
    press("Control+v")
    room.kept(flow, lambda: len(keys(flow)) == 5, "pasted")
    press("Control+z")
    room.kept(flow, lambda: len(keys(flow)) == 4, "taken back")
    room.pick("Control+f", "classify")
    room.page.locator('aside[aria-label="Settings of classify"]').wait_for()
    room.focused(".psl-desk")
    room.pick("Control+g", "loop")
    room.kept(flow, lambda: "loop/classify" in keys(flow), "grouped")
    tab_to(room, card("loop"))
    press("e")
    room.page.locator(card("classify")).wait_for(state="detached")
    press("e")
    room.page.locator(card("classify")).wait_for()
    press("Control+Shift+G")
    room.until(lambda: "classify" in keys(flow), "taken out of it")


def test_whoever_has_no_mouse_sets_what_a_node_does(no_mouse: Room, flow: Flow) -> None:
    room, press, typed = no_mouse, no_mouse.page.keyboard.press, no_mouse.page.keyboard.type
    tab_to(room, card("classify"))
    press("Enter")
    room.focused(".psl-inspector input")
    tab_to(room, 'aside textarea[aria-label="Prompt"]')
    press("End")
    typed(" please")
    press("Control+Enter")
    room.until(
        lambda: (
            flow.head().graph.by_key["classify"].config["prompt"]
            == {"text": "Label {{ t }} please"}
        ),
        "the prompt is another",
    )
    tab_to(room, '[aria-label^="Add Input"]', "Shift+Tab")
    press("Control+s")
    room.focused('.psl [aria-label^="Add Input"]')


def test_tab_goes_into_a_cell_s_canvas_and_out_again(room: Room, flow: Flow) -> None:
    room.notebook("tab.ipynb", CELL, "1 + 1")
    room.open("tab.ipynb")
    room.run_cell(0)
    room.drawn()
    tab_to(room, card("classify"))
    room.page.keyboard.press("x")
    room.page.keyboard.press("Enter")
    room.focused(".psl-inspector input")
    room.page.keyboard.press("Escape")
    room.focused(".psl-desk")
    within = "document.activeElement?.closest('.psl-cell') instanceof Element"
    for _ in range(60):
        room.page.keyboard.press("Tab")
        if not room.page.evaluate(within):
            break
    assert not room.page.evaluate(within), "nobody is caught in a canvas"
    assert len(room.cells()) == 2
    assert "classify" in keys(flow)


CELL = """
import promptstudio_lab as ps
f = ps.connect().flow("support/triage")
f.edit()
"""


def test_edges_are_drawn_hung_elsewhere_cut_and_filled_by_keys(room: Room, flow: Flow) -> None:
    room.show(flow)
    room.pick("/", "note")
    room.kept(flow, lambda: "note" in keys(flow), "a note")
    room.page.keyboard.press("Enter")
    room.focused(".psl-inspector textarea")
    room.page.keyboard.type("why")
    go(room, "other")
    room.kept(flow, lambda: settings_of(flow, "note").get("text") == "why", "the note's text")
    room.page.keyboard.press("c")
    room.page.get_by_text("Nothing fits it.").wait_for()  # what could take it is fed already
    go(room, "classify")
    room.page.keyboard.press("w")
    room.focused(WISH)
    room.picture("edges-by-keys")
    assert room.faults() == []
    room.focused(WISH)
    room.page.keyboard.press("Escape")
    room.focused(".psl-desk")
    room.pick("w", "elsewhere: other.value → classify.t")
    room.kept(flow, lambda: "other → classify.t" in edges(flow), "hung elsewhere")
    assert "ticket → classify.t" not in edges(flow)
    room.pick("w", "put a node on other.value")
    room.wish("guard", "Put on this edge")
    room.kept(
        flow,
        lambda: any(edge.startswith("guard →") for edge in edges(flow)),
        "a guard on the edge",
    )
    assert "other → classify.t" not in edges(flow)
    go(room, "classify")
    room.pick("w", "remove classify.text")
    room.kept(
        flow, lambda: not any(e.startswith("classify →") for e in edges(flow)), "the edge is cut"
    )
    room.pick("c", "text → output.label")
    room.until(lambda: "classify → output.label" in edges(flow), "and drawn again")


def test_nodes_are_chosen_copied_aligned_grouped_and_folded_by_keys(room: Room, flow: Flow) -> None:
    room.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    room.show(flow)
    press = room.page.keyboard.press
    press("Control+a")
    tools = room.page.get_by_role("toolbar", name="Selected nodes")
    tools.get_by_role("button", name="Align left").press("Enter")
    room.kept(flow, lambda: len({node.x for node in flow.head().graph.nodes}) == 1, "aligned")
    room.page.locator(".psl-desk").focus()
    press("t")
    room.kept(flow, lambda: len({node.x for node in flow.head().graph.nodes}) > 1, "tidied")
    press("Escape")
    room.focused(".psl-desk")
    for key in ("ticket", "other"):
        room.page.locator(card(key)).focus()
        press("Space")
    tools.get_by_text("2 selected").wait_for()
    press("Control+c")
    press("Control+v")
    room.until(lambda: len(keys(flow)) == 6, "copied and pasted")
    press("Control+d")
    room.until(lambda: len(keys(flow)) == 8, "duplicated")
    press("Delete")
    room.kept(flow, lambda: len(keys(flow)) == 6, "removed")
    go(room, "classify")
    room.pick("Control+g", "loop")
    room.kept(flow, lambda: "loop/classify" in keys(flow), "grouped")
    room.page.locator(f"{card('loop')}.selected").wait_for()
    room.page.locator(".psl-desk").focus()
    press("e")
    room.page.locator(".psl-frame").wait_for(state="detached")
    press("e")
    room.page.locator(".psl-frame").wait_for()
    press("Control+Shift+G")
    room.until(lambda: "classify" in keys(flow), "taken out again")


def shown(room: Room, flow: Flow, face: str) -> None:
    """Open a flow in a tab or in a cell."""
    if face == "tab":
        room.show(flow)
    else:
        room.notebook("axe.ipynb", CELL, "1 + 1")
        room.open("axe.ipynb")
        room.page.evaluate("window.jupyterapp.shell.collapseLeft()")
        room.run_cell(0)
        room.drawn()


@pytest.mark.parametrize("face", ["tab", "cell"])
def test_no_panel_has_a_serious_violation(room: Room, flow: Flow, face: str) -> None:
    unused: dict[str, Json] = {"type": "add", "node": new_id(), "kind": "input", "key": "unused"}
    flow.apply({**unused, "x": 0, "y": 400})
    shown(room, flow, face)
    page = room.page
    found: dict[str, list[str]] = {}
    for name, key in (("add", "/"), ("find", "Control+f"), ("keys", "?"), ("problems", "p")):
        page.locator(".psl-desk").focus()
        page.keyboard.press(key)
        panel = page.locator(".psl-popover" if name == "problems" else '[role="dialog"]')
        panel.wait_for()
        found[name] = room.faults()
        assert panel.is_visible(), "what axe has looked at"
        page.keyboard.press("Escape")
        panel.wait_for(state="detached")
        room.focused(".psl-desk")
    page.get_by_role("button", name="The flow as code").press("Enter")
    page.locator(".psl-source").wait_for()
    found["code"] = room.faults()
    page.keyboard.press("Escape")
    page.locator(".psl-version").press("Enter")
    page.locator(".psl-version-row").first.press("Enter")
    page.get_by_label("Label", exact=True).wait_for()
    page.get_by_role("button", name="Fork v", exact=False).press("Enter")
    page.get_by_label("Path of the fork").wait_for()
    found["versions"] = room.faults()
    assert {name: faults for name, faults in found.items() if faults} == {}


@pytest.mark.parametrize("face", ["tab", "cell"])
def test_no_panel_of_a_run_has_a_serious_violation(room: Room, flow: Flow, face: str) -> None:
    shown(room, flow, face)
    page = room.page
    found: dict[str, list[str]] = {}
    page.locator(".psl-desk").focus()
    page.keyboard.press("r")
    page.get_by_role("complementary", name="Run").wait_for()
    page.get_by_label("ticket", exact=True).fill("a bill")
    page.get_by_label("other", exact=True).fill("a bill")
    page.get_by_label("other", exact=True).press("Control+Enter")
    page.locator(".psl-summary.psl-is-succeeded").wait_for()
    page.locator(".psl-past-run").first.wait_for()
    found["run"] = room.faults()
    page.get_by_role("button", name="Time", exact=True).press("Enter")
    page.locator(".psl-legend").wait_for()
    found["heat"] = room.faults()
    page.locator(".psl-past-run").first.press("Enter")
    page.locator(".psl-summary.psl-is-succeeded").wait_for()
    go(room, "classify")
    page.locator(".psl-values").wait_for()
    page.locator(".psl-call summary").first.press("Enter")
    page.locator(".psl-call[open]").first.wait_for()
    found["values"] = room.faults()
    assert {name: faults for name, faults in found.items() if faults} == {}


def test_no_way_back_of_a_fork_has_a_serious_violation(room: Room, flow: Flow) -> None:
    fork = flow.fork("support/mine")
    for one, text in ((fork, "mine"), (flow, "theirs")):
        settings: dict[str, Json] = {"system": text}
        one.apply({"type": "configure", "node": ask_of(one), "settings": settings})
        one.apply({"type": "rename", "node": one.head().graph.by_key["other"].id, "key": text})
    settings = {"seed": 3}
    fork.apply({"type": "configure", "node": ask_of(fork), "settings": settings})
    room.show(fork)
    page = room.page
    page.locator(".psl-origin").press("Enter")
    page.get_by_role("button", name="Merge back").press("Enter")
    hunks = page.locator(".psl-hunks")
    hunks.locator(".psl-clash").first.wait_for()
    hunks.get_by_text("Changed there meanwhile").press("Enter")
    found = room.faults()
    hunks.get_by_role("button", name="Merge 1 change").press("Enter")
    hunks.locator(".psl-told").wait_for()
    assert found + room.faults() == []


def ask_of(flow: Flow) -> str:
    return flow.head().graph.by_key["classify"].id


def test_no_graph_has_a_serious_violation(room: Room, flow: Flow) -> None:
    cells = ("f.graph(by='cost')", "f.run(ticket='x', other='y').graph()", "lab.lineage(f).graph()")
    made = f"import promptstudio_lab as ps\nlab = ps.connect()\nf = lab.flow({flow.path!r})"
    room.notebook("axe.ipynb", made, *cells, "print('all', 'over')")
    room.open("axe.ipynb")
    room.run_all()
    room.output(4).get_by_text("all over").wait_for()
    found: list[str] = []
    for cell in (1, 2, 3):
        room.page.locator(".jp-Notebook .jp-Cell").nth(cell).scroll_into_view_if_needed()
        drawn = room.output(cell).locator(".psl-graph")
        drawn.locator("canvas").first.wait_for()
        drawn.get_by_label("Choose a box by its name").select_option(index=1)
        drawn.get_by_text("1 chosen").wait_for()
        drawn.evaluate("element => element.setAttribute('data-axe', 'here')")
        found += room.faults('[data-axe="here"]')
        drawn.evaluate("element => element.removeAttribute('data-axe')")
    assert found == []

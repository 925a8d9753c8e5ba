"""What people and models write is text in every view of the canvas, in a tab and in a cell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import promptstudio_lab as ps
from promptstudio_lab.ids import new_id
from tests.browser.line import Line
from tests.browser.room import WISH
from tests.lab.parts import as_somebody

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator, Request

    from promptstudio_lab.lab import Flow, Lab
    from promptstudio_lab.values import Json
    from tests.browser.room import Room

GOLDEN = Path(__file__).parents[1] / "flows" / "golden" / "bad_inputs.json"
AREAS = {"widget", "flow", "template", "api"}
MARKUP = '<img src=x onerror="window.__pwned=1">'
HIDDEN = "\u202e"
ONLOAD = "<svg onload=alert(1)>"
CASE = f"{ONLOAD}v1.2{HIDDEN}"
PATH = f"{MARKUP}/{MARKUP}{HIDDEN}"
# No data may become one of these, nor a handler, a command or an address.
MADE = """() => [...document.querySelectorAll('.psl *')].filter(one =>
  /^(img|script|iframe|object|embed|link|meta|video|audio|base)$/i.test(one.tagName) ||
  one.getAttributeNames().some(name => /^on/i.test(name) || /^data-commandlinker/.test(name)) ||
  (one.tagName === 'A' && !/reactflow\\.dev/.test(one.href)))
  .map(one => one.outerHTML.slice(0, 120))"""


def leaves(value: Json) -> Iterator[str]:
    """Give every text in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from leaves(inner)


def hostile() -> list[str]:
    """Return the strings of the known bad inputs that could be mistaken for more than text."""
    cases = json.loads(GOLDEN.read_text(encoding="utf-8"))
    found = {text for case in cases if case["area"] in AREAS for text in leaves(case["input"])}
    odd = [text for text in sorted(found) if not text.replace("_", "").isalnum()]
    # A lone surrogate is refused wherever it comes in.
    return [text for text in odd if "\ud800" not in text and len(text) > 3]


WORDS = hostile()
ALL = "\n".join(WORDS)


def spelled(text: str) -> str:
    """Return text as a view spells it: what cannot be seen by its number."""
    return "".join(
        letter if letter.isprintable() or letter == "\n" else f"U+{ord(letter):04X}"
        for letter in text
    )


class Guard:
    """Watches that nothing that was written is ever done."""

    def __init__(self, room: Room) -> None:
        """Watch a room from now on."""
        self.room = room
        self.line = Line(room)
        self.asked: list[str] = []
        self.dialogs: list[str] = []
        self.room.page.on("request", self._request)
        self.room.page.on("dialog", lambda dialog: self.dialogs.append(dialog.message))

    def _request(self, request: Request) -> None:
        own = (f"http://127.0.0.1:{self.room.server.port}/", "ws://127.0.0.1", "data:", "blob:")
        if not request.url.startswith(own) or request.url.endswith("/x"):
            self.asked.append(request.url)

    def shows(self, view: Locator, *texts: str) -> None:
        """Check that a view shows texts to the letter, and that they have done nothing."""
        view.first.wait_for()
        lines = [line for text in texts for line in spelled(text).splitlines()]

        def missing() -> list[str]:
            seen = view.first.inner_text()
            return [line for line in lines if line not in seen]

        # What a view asks Python for comes a moment after the view.
        self.room.until(lambda: not missing(), f"the view shows all of {lines}")
        self.harmless()

    def harmless(self) -> None:
        """Check that no script ran, nothing was asked for, and no element is of data."""
        page = self.room.page
        assert page.evaluate("window.__pwned") is None
        assert page.evaluate(MADE) == []
        assert (self.asked, self.dialogs) == ([], [])


@pytest.fixture
def lab(room: Room) -> Lab:
    lab = ps.connect(str(room.warehouse))
    lab.template("support/asks", f"Say {{{{ t }}}} {MARKUP} {HIDDEN}", note=MARKUP)
    lab.dataset(MARKUP, [{"t": ALL}])
    return lab


@pytest.fixture
def flow(lab: Lab) -> Flow:
    """Return a flow in which everything that can be is one of the strings."""
    flow = lab.flow(PATH)
    ticket = flow.input("t", "text")
    ask = flow.llm("ask", prompt=f"Answer {MARKUP} {HIDDEN} {{{{ t }}}}", t=ticket)
    asks = flow.llm("asks", prompt="support/asks@1", t=ticket, system=ALL)
    with flow.switch(ask) as case:
        case.case(CASE).llm("one", prompt="Say {{ t }}", t=ticket)
    flow.output(said=asks, given=ticket)
    flow.head()
    for key, x in (("n", 900), ("wide", 900)):
        node = new_id()
        place = {"x": x, "y": 420 if key == "n" else -420}
        flow.apply({"type": "add", "node": node, "kind": "note", "key": key, **place})
        flow.apply({"type": "configure", "node": node, "settings": {"text": ALL}})
    flow.save()
    return flow


CELL = f"""
import promptstudio_lab as ps
f = ps.connect().flow({PATH!r})
f.edit()
"""


@pytest.fixture(params=["tab", "cell"])
def face(request: pytest.FixtureRequest) -> str:
    """Return where a canvas is opened."""
    return str(request.param)


@pytest.fixture
def guard(face: str, room: Room, flow: Flow) -> Guard:
    """Return the canvas of the flow, open and watched."""
    return watched_canvas(face, room, flow)


def watched_canvas(face: str, room: Room, flow: Flow) -> Guard:
    """Open a flow's canvas in a tab or a cell, and watch it."""
    watched = Guard(room)
    if face == "tab":
        room.show(flow)
    else:
        room.notebook("hostile.ipynb", CELL.replace(repr(PATH), repr(flow.path)), "1 + 1")
        room.open("hostile.ipynb")
        room.page.evaluate("window.jupyterapp.shell.collapseLeft()")
        room.run_cell(0)
        room.fit()
    return watched


def inspect(room: Room, key: str) -> Locator:
    """Go to a node by its name and return its settings."""
    room.page.locator(".psl-desk").focus()
    room.pick("Control+f", key)
    settings = room.page.locator(f'aside[aria-label="Settings of {key}"]')
    settings.wait_for()
    return settings


def test_what_stands_on_the_canvas_and_beside_it_is_text(room: Room, guard: Guard) -> None:
    page = room.page
    assert len(WORDS) >= 18
    guard.shows(page.locator(".psl-path"), PATH)
    guard.shows(page.locator(".psl-note"), ALL)
    page.locator(".psl-desk").focus()
    page.keyboard.press("1")
    guard.shows(page.locator(".psl-card").filter(has_text="Answer"), f"Answer {MARKUP[:8]}")
    guard.shows(page.locator(".psl-card").filter(has_text="switch"), CASE)
    page.keyboard.press("/")
    room.focused(WISH)
    page.keyboard.type(MARKUP)
    guard.shows(page.locator(".psl-picker"), "Nothing is called that.")
    page.keyboard.press("Escape")
    settings = inspect(room, "asks")
    guard.shows(settings, MARKUP, HIDDEN)
    assert settings.get_by_label("System", exact=False).first.input_value() == ALL
    page.get_by_text("Preview on a row").click()
    guard.shows(page.locator(".psl-rendered"), ALL)
    page.locator(".psl-desk").focus()
    page.keyboard.press("p")
    guard.shows(page.get_by_role("list", name="Problems"), "nothing uses")
    room.picture("hostile-problems")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="The flow as code").click()
    # Code spells what cannot be seen in its own way.
    guard.shows(page.locator(".psl-source"), ONLOAD, MARKUP, r"\u202e")
    assert HIDDEN not in page.locator(".psl-source").inner_text()


def test_versions_people_and_conflicts_are_text(
    room: Room, lab: Lab, flow: Flow, guard: Guard
) -> None:
    page = room.page
    ask = flow.head().graph.by_key["ask"].id
    other = as_somebody(lab, MARKUP).flow(PATH)
    settings = inspect(room, "ask")
    typed = settings.get_by_label("System", exact=False).first
    typed.fill(f"mine {MARKUP} {HIDDEN}")
    more: dict[str, Any] = {"system": f"theirs {MARKUP} {HIDDEN}"}
    with guard.line.held():
        other.apply({"type": "configure", "node": ask, "settings": more}, client_id="another")
        typed.blur()
    banner = page.locator(".psl-conflict")
    guard.shows(banner, f"{MARKUP} changed system", f"mine {MARKUP}", f"theirs {MARKUP}")
    assert HIDDEN not in banner.inner_text()
    room.picture("hostile-conflict")
    page.get_by_role("button", name="Seen").click()
    guard.shows(page.locator(".psl-people"), "<I")
    assert MARKUP in (page.locator(".psl-person").first.get_attribute("aria-label") or "")
    other.save()
    page.locator(".psl-version").click()
    panel = page.get_by_role("complementary", name="Versions")
    guard.shows(panel.locator(".psl-version-row").filter(has_text="<img"), MARKUP)
    panel.locator(".psl-version-row").last.click()
    guard.shows(panel.locator(".psl-differences"), "system", "<img src=x")
    fork = other.fork(f"{PATH}2")
    fork.apply({"type": "configure", "node": fork.head().graph.by_key["ask"].id, "settings": more})
    page.get_by_role("button", name="Fork v", exact=False).click()
    page.get_by_label("Path of the fork").fill(f"{PATH}3")
    page.get_by_label("Path of the fork").press("Enter")
    if page.locator(".psl-cell").count():
        guard.shows(panel.locator(".psl-made"), f"{PATH}3", f'lab.flow("{PATH[:9]}')
    else:
        guard.shows(page.locator(".psl-path:visible").first, f"{PATH}3")
        name = page.locator(".lm-TabBar-tab.lm-mod-current .lm-TabBar-tabLabel")
        assert spelled(PATH).rpartition("/")[2] in "".join(name.all_inner_texts())
        assert HIDDEN not in "".join(name.all_inner_texts())
    guard.harmless()
    room.picture("hostile-versions")


def test_what_a_run_took_and_gave_is_text(room: Room, guard: Guard) -> None:
    page = room.page
    page.locator(".psl-desk").focus()
    page.keyboard.press("r")
    panel = page.get_by_role("complementary", name="Run")
    panel.wait_for()
    guard.harmless()
    page.get_by_label("t", exact=True).fill(ALL)
    page.get_by_label("t", exact=True).press("Control+Enter")
    page.locator(".psl-summary").first.wait_for()
    page.locator(".psl-card.psl-is-succeeded").nth(2).wait_for()
    guard.harmless()
    inspect(room, "t")
    values = page.locator(".psl-values")
    guard.shows(values, ALL)
    room.picture("hostile-values")
    guard.shows(page.locator(".psl-outcome-text"), WORDS[0][:8])


def test_a_fork_and_its_way_back_are_text(room: Room, lab: Lab, flow: Flow, face: str) -> None:
    page, base = room.page, flow.head().graph.by_key
    lab.flow(PATH)
    fork = flow.fork(f"{PATH}2")

    def sets(one: Flow, key: str, **settings: Json) -> None:
        node = one.head().graph.by_key[key].id
        one.apply({"type": "configure", "node": node, "settings": dict(settings)})

    assert base["asks"].config["system"] == ALL
    sets(fork, "asks", system=f"mine {MARKUP} {HIDDEN}")
    sets(flow, "asks", system=f"theirs {MARKUP} {HIDDEN}")
    sets(fork, "ask", system=f"only mine {MARKUP} {HIDDEN}")
    sets(flow, "ask", prompt={"text": f"only theirs {MARKUP} {HIDDEN} {{{{ t }}}}"})
    guard = watched_canvas(face, room, fork)
    guard.shows(page.locator(".psl-origin"), PATH)
    page.locator(".psl-origin").click()
    guard.shows(page.locator(".psl-came"), PATH)
    page.get_by_role("button", name="Merge back").click()
    hunks = page.locator(".psl-hunks")
    mine, theirs = f"mine {MARKUP}", f"theirs {MARKUP}"
    guard.shows(hunks, f"only {mine}", WORDS[0])
    clash = hunks.locator(".psl-clash")
    guard.shows(clash, f"{mine} {HIDDEN}", f"{theirs} {HIDDEN}", ALL)
    hunks.get_by_text("Changed there meanwhile").click()
    guard.shows(hunks.locator("details"), "only theirs", "<img src=x")
    assert HIDDEN not in hunks.inner_text()
    room.picture(f"hostile-merge-{face}")
    hunks.get_by_role("button", name="Merge 1 change").click()
    guard.shows(hunks.locator(".psl-told"), PATH)


def test_problems_and_past_runs_are_text(room: Room, lab: Lab, flow: Flow, guard: Guard) -> None:
    page = room.page
    change = flow.vary("ask.system", f"{MARKUP} {HIDDEN}")
    names = {f"{MARKUP}{HIDDEN}": change, CASE: None}
    data: list[Json] = [{"t": "a", "said": "b"}]
    experiment = lab.experiment(
        f"{MARKUP}{HIDDEN}", flow=flow, scorer=ps.exact("said"), data=data, variants=names
    )
    experiment.run()
    page.locator(".psl-desk").focus()
    page.keyboard.press("r")
    guard.shows(page.locator(".psl-past"), f"{MARKUP}{HIDDEN} · {CASE}")
    sides = page.get_by_label("Variant A").locator("option")
    side = spelled(f"{MARKUP}{HIDDEN} · {CASE}")
    room.until(lambda: side in sides.all_inner_texts(), "its variants can be chosen")
    page.locator(".psl-past-run").first.click()
    page.locator(".psl-summary").first.wait_for()
    room.picture("hostile-runs")
    guard.harmless()
    page.locator(".psl-desk").focus()
    page.keyboard.press("Escape")
    lost: dict[str, Json] = {"type": "add", "node": new_id(), "kind": "llm", "key": "lost"}
    prompt = {"ref": f"nowhere/{MARKUP}{HIDDEN}"}
    flow.apply({**lost, "config": {"prompt": prompt}, "x": 0, "y": 900}, client_id="another")
    page.locator(".psl-key").get_by_text("lost", exact=True).wait_for()
    page.keyboard.press("p")
    # The message spells what cannot be seen in its own way.
    guard.shows(page.get_by_role("list", name="Problems"), f"nowhere/{MARKUP}\\u202e")
    settings = inspect(room, "switch")
    guard.shows(settings.locator(".psl-word"), CASE)
    settings = inspect(room, "one")
    guard.shows(settings.locator(".psl-feed").filter(has_text="switch"), CASE)
    settings = inspect(room, "asks")
    notes = settings.get_by_label("Version", exact=True).locator("option")
    notes.nth(1).wait_for(state="attached")
    assert f"v1: {MARKUP}" in notes.all_inner_texts()


GRAPHS = (
    "f.graph()",
    "lab.lineage(f).graph()",
    "lab.lineage('support/asks').graph()",
    "f.run(t='x').graph()",
    "e.graph()",
)


def test_graphs_are_text(room: Room, flow: Flow) -> None:
    guard = Guard(room)
    made = f"""
import promptstudio_lab as ps
lab = ps.connect()
f = lab.flow({flow.path!r})
e = lab.experiment({MARKUP + HIDDEN!r}, flow=f, scorer=ps.exact("said"),
    data=[{{"t": "a", "said": "b"}}], variants={{ {CASE!r}: None,
    {MARKUP!r}: f.vary("ask.system", "x") }})
e.run()
"""
    room.notebook("graphs.ipynb", made, *GRAPHS, "print('all', 'over')")
    room.open("graphs.ipynb")
    room.run_all()
    room.output(len(GRAPHS) + 1).get_by_text("all over").wait_for()
    named = False
    for cell in range(1, len(GRAPHS) + 1):
        room.page.locator(".jp-Notebook .jp-Cell").nth(cell).scroll_into_view_if_needed()
        drawn = room.output(cell).locator(".psl-graph")
        drawn.locator("canvas").first.wait_for()
        boxes = drawn.get_by_label("Choose a box by its name").locator("option")
        boxes.nth(1).wait_for(state="attached")
        names = boxes.all_inner_texts()
        assert HIDDEN not in "".join(names)
        named = named or any(MARKUP in name for name in names)
        # Cytoscape draws on a canvas, and keeps what it draws: that is text as well.
        labels = drawn.evaluate(
            "element => [...element.querySelectorAll('*')].map(e => e._cyreg?.cy)"
            ".find(Boolean).nodes().map(node => node.style('label'))"
        )
        assert labels
        assert HIDDEN not in "".join(labels)
        assert room.page.evaluate(MADE.replace(".psl *", ".psl-graph *")) == []
        still = (
            room.output(cell)
            .locator(".psl-until-live svg *")
            .evaluate_all("all => all.map(one => one.tagName)")
        )
        assert {*still} <= {"style", "g", "title", "rect", "text", "tspan", "path"}
        guard.harmless()
    assert named, "some box is called by what somebody wrote"
    drawn = room.output(2).locator(".psl-graph")
    drawn.evaluate("element => element.scrollIntoView({block: 'center'})")
    room.picture("hostile-graphs")

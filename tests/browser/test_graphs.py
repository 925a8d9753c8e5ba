"""Graphs in a cell: a click reaches Python, colours follow, and both themes can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from tests.browser.room import Room

SET_UP = """
import promptstudio_lab as ps
lab = ps.connect()
f = lab.flow("support/triage")
ticket = f.input("ticket", "text")
kind = f.llm("classify", prompt="Label: {{ ticket }}", ticket=ticket,
             returns={"label": ["billing", "tech"]})
with f.switch(kind.label, "route") as s:
    s.case("billing").llm("billing", prompt="Answer: {{ ticket }}", ticket=ticket)
    s.default.llm("tech", prompt="Fix: {{ ticket }}", ticket=ticket)
f.output(answer=s.merge())
runs = [f.run(ticket=text) for text in ("My card was charged twice", "It does not start")]
"""
# Where Cytoscape has drawn a node, as the page counts: its canvases tell nobody else.
PLACE = """([element, label]) => {
  const cy = [...element.querySelectorAll('*'), element].map(e => e._cyreg?.cy).find(Boolean);
  const node = cy.nodes().filter(n => n.style('label').startsWith(label + '\\n'));
  const {x, y} = node.renderedPosition(), box = cy.container().getBoundingClientRect();
  return [box.left + x, box.top + y];
}"""


def graph(room: Room, cell: int) -> Locator:
    drawn = room.output(cell).locator(".psl-graph")

    # What is far below has no size until it comes into view, and what grows above moves it away.
    def seen() -> bool:
        room.page.locator(".jp-Notebook .jp-Cell").nth(cell).scroll_into_view_if_needed()
        return drawn.locator("canvas").first.is_visible()

    room.until(seen, f"the graph of cell {cell}")
    drawn.scroll_into_view_if_needed()
    return drawn


def click(room: Room, drawn: Locator, label: str) -> None:
    """Click a node as a hand does, once the page has come to rest."""
    room.page.mouse.click(*room.settled(PLACE, [drawn.element_handle(), label]))


def chosen(drawn: Locator, count: int) -> None:
    drawn.get_by_text(f"{count} chosen").wait_for()


def test_a_click_reaches_python(room: Room) -> None:
    ask = 'print(shown.selected["node"].to_list(), shown.by, shown.selected["times"].sum())'
    room.notebook("a.ipynb", SET_UP, "shown = f.graph()\nshown", ask, 'shown.by = "latency"')
    room.open("a.ipynb")
    room.run_all()
    drawn = graph(room, 1)
    click(room, drawn, "classify")
    chosen(drawn, 1)
    click(room, drawn, "tech")
    chosen(drawn, 2)
    drawn.get_by_label("Colour by").select_option("cost")
    drawn.get_by_text("≤ $").first.wait_for()
    room.picture("graph-flow-cost")
    room.run_cell(2)
    room.output(2).get_by_text("['classify', 'tech'] cost 3").wait_for()
    room.run_cell(3)
    drawn.get_by_text(" ms").first.wait_for()
    drawn.get_by_role("button", name="Clear").click()
    chosen(drawn, 0)
    room.picture("graph-flow-latency")


OTHERS = """
from IPython.display import display
run = f.run(ticket="My card was charged twice")
e = lab.experiment("wording", flow=f, scorer=ps.exact("answer"),
                   data=[{"ticket": "a", "answer": "b"}],
                   variants={"as it is": None, "short": f.vary("tech.prompt", "{{ ticket }}?")})
e.run()
many = lab.flow("many/steps")
last = many.input("x", "text")
for n in range(220):
    last = many.prompt(f"step_{n}", prompt="{{ x }}", x=last)
many.output(x=last)
"""


def test_runs_lineages_experiments_and_crowds_are_chosen_in_the_same_way(room: Room) -> None:
    shown = ("run.graph()", "lab.lineage(run).graph(by='cost')", "e.graph()", "many.graph()")
    cells = [f"g{n} = {made}\ng{n}" for n, made in enumerate(shown)]
    ask = "print([g.selected.height for g in (g0, g1, g2, g3)], g2.selected['variant'].to_list())"
    room.notebook("a.ipynb", SET_UP, OTHERS, *cells, ask)
    room.open("a.ipynb")
    room.run_all()
    room.output(6).get_by_text("[0, 0, 0, 0] []").wait_for()
    for number, name in enumerate(("classify", "classify", "tech", None)):
        drawn = graph(room, number + 2)
        if name is None:
            drawn.get_by_label("Choose a box by its name").select_option(index=2)
        else:
            click(room, drawn, name)
        chosen(drawn, 1)
        drawn.evaluate("element => element.scrollIntoView({block: 'center'})")
        room.picture(f"graph-{('run', 'lineage', 'experiment', 'crowd')[number]}")
    room.run_cell(6)
    told = room.output(6).get_by_text("['as it is', 'short']")
    told.wait_for()
    counts = told.inner_text().partition("]")[0].strip("[").split(", ")
    assert counts[0] == "1"
    assert int(counts[1]) >= 1
    assert counts[2] == "2"
    assert int(counts[3]) > 1


def test_the_wheel_scrolls_the_notebook_until_one_has_pressed(room: Room) -> None:
    room.notebook("a.ipynb", SET_UP, "f.graph()", *(["# more"] * 30))
    room.open("a.ipynb")
    room.run_cell(0)
    room.run_cell(1)
    drawn = graph(room, 1)
    zoom = """element => [...element.querySelectorAll('*')].map(e => e._cyreg?.cy)
      .find(Boolean).zoom()"""
    before = room.settled(zoom, drawn.element_handle())
    room.still(".psl-graph .custom-widget")
    box = drawn.locator(".custom-widget").bounding_box()
    assert box is not None
    middle = box["x"] + 20, box["y"] + box["height"] - 20
    room.page.mouse.move(*middle)
    room.page.mouse.wheel(0, 40)
    top = "element => element.querySelector('.custom-widget').getBoundingClientRect().y"
    room.until(lambda: drawn.evaluate(top) < box["y"], "the notebook has scrolled")
    y = room.settled(top, drawn.element_handle())
    assert drawn.evaluate(zoom) == before
    room.page.mouse.click(middle[0], y + box["height"] - 20)
    room.page.mouse.wheel(0, 40)
    room.until(lambda: drawn.evaluate(zoom) != before, "the graph is larger or smaller")

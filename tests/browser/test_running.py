"""A flow is run where it is drawn: in a cell by its kernel, in a tab by a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import promptstudio_lab as ps
from tests.browser.test_canvas import HOSTILE, node

if TYPE_CHECKING:
    from promptstudio_lab.lab import Flow, Lab
    from tests.browser.room import Room


@pytest.fixture
def lab(room: Room) -> Lab:
    lab = ps.connect(str(room.warehouse))
    lab.dataset("tickets", [{"ticket": HOSTILE, "tickets": ["a bill", HOSTILE]}])
    return lab


@pytest.fixture
def flow(lab: Lab) -> Flow:
    """Return a flow with a model, a map and a branch that nobody takes."""
    flow = lab.flow("support/triage")
    ticket, tickets = flow.input("ticket", "text"), flow.input("tickets", "list")
    kind = flow.llm(
        "classify", prompt="Label this: {{ t }}", t=ticket, returns={"label": ["billing", "tech"]}
    )
    with flow.map("each", items=tickets) as each:
        said = each.llm("say", prompt="Say {{ t }} kindly.", t=each.item)
        each.output(said=said.text)
    flow.output(label=kind.label, each=each.items, ticket=ticket)
    flow.head()
    return flow


def fill(room: Room) -> None:
    room.page.get_by_label("Fill in from a dataset").select_option("tickets")
    room.page.wait_for_function(
        "() => [...document.querySelectorAll('.psl-run textarea')].every(one => one.value)"
    )


def test_a_worker_runs_what_a_tab_asks_for_and_it_is_painted(room: Room, flow: Flow) -> None:
    room.show(flow)
    page = room.page
    page.keyboard.press("r")
    page.get_by_role("complementary", name="Run").wait_for()
    room.picture("run-empty")
    page.get_by_role("button", name="Run", exact=True).last.click()
    page.get_by_text("This is no JSON.").or_(page.get_by_text("gets no value")).first.wait_for()
    fill(room)
    page.get_by_label("ticket", exact=True).press("Control+Enter")
    page.locator(".psl-summary.psl-is-succeeded").wait_for()
    answers_at_once(room)
    page.keyboard.press("Escape")
    room.fit()
    page.locator(".psl-card.psl-is-succeeded").nth(4).wait_for()
    node(room, "say").get_by_text("\u00d7 2").wait_for()
    page.keyboard.press("r")
    page.get_by_role("complementary", name="Run").wait_for()
    room.picture("run-painted")
    for width in (1280, 1920):
        page.set_viewport_size({"width": width, "height": 800})
        room.still(".psl-stage, .react-flow__node")
        page.screenshot(path=room.results / f"run-{width}.png")
    node(room, "say").click()
    page.get_by_role("region", name="In this run").or_(page.locator(".psl-values")).first.wait_for()
    page.get_by_label("Which time it ran").fill("2")
    page.locator(".psl-values").get_by_text('<img src=x onerror="alert(1)">').first.wait_for()
    page.locator(".psl-call summary").first.click()
    room.picture("run-values")
    assert page.evaluate("document.querySelectorAll('.psl img').length") == 0
    # What is edited afterwards is marked.
    config = dict(flow.head().graph.by_key["classify"].config)
    flow.apply(
        {
            "type": "configure",
            "node": flow.head().graph.by_key["classify"].id,
            "config": {**config, "seed": 1},
        }
    )
    room.saved(flow)
    page.keyboard.press("Escape")
    page.locator(".psl-desk").focus()
    page.keyboard.press("r")
    page.locator(".psl-past-run").first.click()
    page.locator(".psl-past-run").first.click()
    page.locator(".psl-stale").wait_for()


def answers_at_once(room: Room) -> None:
    """See what the flow answered, which version that was, and what went over its edges."""
    answered = room.page.locator(".psl-summary .psl-shown")
    answered.get_by_text('<img src=x onerror="alert(1)">').first.wait_for()
    answered.nth(2).wait_for()
    assert answered.count() == 3
    room.page.locator(".psl-version").get_by_text("v1").wait_for()
    wires, taken = (room.page.locator(css) for css in (".psl-wire", ".psl-wire.psl-taken"))
    room.until(lambda: taken.count() == wires.count() > 4, "every edge has been gone over")


# In the page: the nodes that cannot be seen whole.
OUTSIDE = """() => {
  const stage = document.querySelector('.psl-stage').getBoundingClientRect();
  return [...document.querySelectorAll('.react-flow__node')].filter(node => {
    const { left, right, top, bottom } = node.getBoundingClientRect();
    return left < stage.left || right > stage.right || top < stage.top || bottom > stage.bottom;
  }).map(node => node.textContent);
}"""


def test_a_failure_leads_to_its_node_and_is_seen_from_any_distance(room: Room, lab: Lab) -> None:
    flow = lab.flow("support/failing")
    ticket = flow.input("ticket", "text")
    first = flow.llm("first", prompt="Sort {{ ticket }}", ticket=ticket)
    second = flow.transform("second", do="parse_json", value=first)
    flow.output(said=second)
    flow.head()
    room.show(flow)
    page = room.page
    page.keyboard.press("r")
    page.get_by_role("complementary", name="Run").wait_for()
    assert room.settled(OUTSIDE, None) == []
    page.get_by_label("ticket", exact=True).fill("a bill")
    page.get_by_label("ticket", exact=True).press("Control+Enter")
    page.locator(".psl-summary.psl-is-failed").wait_for()
    idle = page.locator(".psl-wire.psl-idle")
    room.until(lambda: idle.count() == 1, "the edge that nothing went over")
    steps = page.locator(".psl-step-name")
    assert steps.all_inner_texts() == ["ticket", "first", "second"]
    page.locator(".psl-desk").focus()
    away(room, 55)
    room.until(lambda: page.locator(".psl-outcome-line > .psl-icon").count() == 3, "a sign on each")
    room.picture("failed-far")
    away(room, 30)
    room.until(lambda: page.locator(".psl-speck > .psl-icon").count() == 4, "a sign on each block")
    room.picture("failed-very-far")
    page.get_by_role("button", name="second", exact=True).click()
    page.locator('aside[aria-label="Settings of second"]').wait_for()


def away(room: Room, percent: int) -> None:
    """Go away from the flow until it is no larger than this."""
    for _ in range(12):
        if int(room.page.locator(".psl-zoomed").inner_text().split()[0]) <= percent:
            break
        room.page.get_by_role("button", name="Zoom out").click()
        room.still(".psl-zoomed, .react-flow__node")
    room.page.locator(".psl-desk").focus()


def test_up_to_a_node_with_heat_and_two_variants_side_by_side(room: Room, lab: Lab) -> None:
    flow = lab.flow("support/sides")
    ticket = flow.input("ticket", "text")
    kind = flow.llm(
        "classify", prompt="Label this: {{ t }}", t=ticket, returns={"label": ["billing", "tech"]}
    )
    flow.output(label=kind.label)
    longer = flow.vary("classify.prompt", "Which of all labels fits this text best?\n\n{{ t }}")
    lab.experiment(
        "shorter",
        flow=flow,
        variants={"short": None, "longer": longer},
        data=[{"id": str(n), "ticket": f"bill {n}", "label": "billing"} for n in range(5)],
        scorer=ps.exact("label"),
    ).run()
    room.show(flow)
    page = room.page
    node(room, "classify").click()
    page.keyboard.press("r")
    page.get_by_label("ticket", exact=True).fill("My card was charged twice")
    page.get_by_role("button", name="Run to classify").click()
    page.locator(".psl-summary.psl-is-partial").wait_for()
    skipped = page.locator(".psl-card.psl-is-skipped")
    room.until(lambda: skipped.count() == 1, "what lies behind it is skipped")
    room.picture("run-to-a-node")
    page.get_by_role("button", name="Cost", exact=True).click()
    page.locator(".psl-legend").get_by_text("over 11 runs").wait_for()
    room.picture("heat")
    page.get_by_label("Variant A").select_option(label="shorter · short")
    page.get_by_label("Variant B").select_option(label="shorter · longer")
    page.locator(".psl-more").first.wait_for()
    room.picture("two-variants")


def test_a_cell_streams_into_its_nodes_and_stops(room: Room, lab: Lab) -> None:
    # Slow enough to be seen: a stand-in of the kernel's own, an answer word by word.
    slow = (
        "import asyncio\nfrom promptstudio_lab.providers import providers\n"
        "from promptstudio_lab.providers.chat import Reply, Usage\n"
        "class Slow:\n    simulated = True\n"
        "    async def complete(self, request, on_text=None):\n"
        "        for word in range(200):\n"
        "            await asyncio.sleep(0.05)\n"
        "            on_text and on_text(f'word{word} ')\n"
        "        return Reply('done', 'stop', Usage(1, 0, 1, 0), 'm', simulated=True)\n"
        "    async def aclose(self): pass\n"
        "providers.register('slow')(Slow)\n"
    )
    build = (
        "import promptstudio_lab as ps\nf = ps.connect().flow('support/slow')\n"
        "a = f.llm('talk', prompt='Say {{ t }}', t=f.input('t', 'text'), model='slow:m')\n"
        "f.output(said=a)\nf.edit()"
    )
    room.notebook("slow.ipynb", slow, build)
    room.open("slow.ipynb")
    room.run_all()
    page = room.page
    room.drawn()
    room.command("application:toggle-left-area")
    before = room.cells()
    page.locator(".psl-run-button").click()
    page.get_by_label("t", exact=True).fill("xdd")
    page.get_by_label("t", exact=True).press("Control+Enter")
    page.locator(".psl-is-running .psl-outcome-text").get_by_text("word").wait_for()
    room.picture("streaming")
    page.get_by_role("button", name="Stop").click()
    page.locator(".psl-summary.psl-is-cancelled").wait_for()
    assert room.cells() == before
    room.until(
        lambda: "cancelled" in lab.sql("SELECT status FROM flow_execution")["status"].to_list(),
        "the run is kept as stopped",
    )

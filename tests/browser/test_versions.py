"""Versions of a flow in the canvas: their names, what differs, forks and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import promptstudio_lab as ps
from promptstudio_lab.ids import new_id

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from promptstudio_lab.lab import Flow, Lab
    from tests.browser.room import Room


@pytest.fixture
def lab(room: Room) -> Lab:
    return ps.connect(str(room.warehouse))


@pytest.fixture
def flow(lab: Lab) -> Flow:
    """Return a flow with two versions, the first of which is in production."""
    flow = lab.flow("support/triage")
    ticket = flow.input("ticket", "text")
    label = flow.llm("classify", prompt="Label this: {{ ticket }}", ticket=ticket)
    flow.output(label=label)
    flow.label("production")
    ask = flow.head().graph.by_key["classify"].id
    flow.apply({"type": "configure", "node": ask, "settings": {"temperature": 0.5}})
    flow.save()
    return flow


def versions(room: Room) -> Locator:
    """Open the panel of versions and return it."""
    room.page.locator(".psl-version").click()
    panel = room.page.get_by_role("complementary", name="Versions")
    panel.wait_for()
    return panel


def test_production_is_moved_in_one_step_and_back(room: Room, lab: Lab, flow: Flow) -> None:
    room.show(flow)
    panel = versions(room)
    rows = panel.locator(".psl-version-row")
    rows.filter(has_text="v1").get_by_text("production").wait_for()
    rows.filter(has_text="v2").click()
    room.picture("labels")
    panel.get_by_role("button", name="Move from v1").click()
    panel.get_by_role("status").get_by_text("production went from v1 to v2 at once.").wait_for()
    rows.filter(has_text="v2").get_by_text("production").wait_for()
    rows.filter(has_text="v1").get_by_text("production").wait_for(state="detached")
    assert flow.labels() == {"production": 2}
    assert lab.flow("support/triage@production").head().version == 2
    told = "SELECT op_type, actor_id FROM change_log WHERE op_type = 'label flow'"
    assert lab.sql(told).rows() == [("label flow", lab.actor.id)] * 2
    room.picture("labels-moved")
    assert room.faults() == []

    panel.get_by_role("button", name="Undo").click()
    rows.filter(has_text="v1").get_by_text("production").wait_for()
    assert flow.labels() == {"production": 1}

    # A notebook moves it too: whoever looks at the panel sees it by itself.
    flow.label("production", version=2)
    rows.filter(has_text="v2").get_by_text("production").wait_for()
    lab.undo()
    rows.filter(has_text="v1").get_by_text("production").wait_for()

    panel.get_by_label("Label", exact=True).fill("two words")
    panel.get_by_label("Label", exact=True).press("Enter")
    room.page.get_by_text("'two words' is no label").wait_for()
    panel.get_by_label("Label", exact=True).fill("candidate")
    panel.get_by_label("Label", exact=True).press("Enter")
    room.until(lambda: flow.labels() == {"candidate": 2, "production": 1}, "a second name")
    room.picture("labels-two")
    panel.get_by_role("button", name="Take the label candidate off v2").click()
    room.until(lambda: flow.labels() == {"production": 1}, "taken off again")


def test_a_fork_is_made_and_its_changes_go_back_one_by_one(
    room: Room, lab: Lab, flow: Flow
) -> None:
    room.show(flow)
    panel = versions(room)
    panel.locator(".psl-version-row").filter(has_text="v2").click()
    panel.get_by_role("button", name="Fork v2").press("Enter")
    panel.get_by_label("Path of the fork").fill("support/mine")
    room.picture("forking")
    panel.get_by_label("Path of the fork").press("Enter")
    tab = room.page.locator(".psl-desk:visible")
    tab.get_by_role("button", name="forked from support/triage v2").wait_for()
    fork = lab.flow("support/mine")
    assert str(fork.origin) == "support/triage@2"
    both_go_on(flow, fork)
    tab.get_by_role("button", name="forked from support/triage v2").click()
    panel = tab.get_by_role("complementary", name="Versions")
    panel.get_by_role("button", name="Merge back").click()
    choose_and_merge(room, panel, flow)
    panel.get_by_role("button", name="Open it").click()
    room.page.locator(".psl-desk:visible .psl-path").get_by_text("triage").wait_for()
    room.saved(flow)
    tab.focus()
    room.page.keyboard.press("Control+z")
    room.until(
        lambda: flow.head().graph.by_key["classify"].config["temperature"] == 0.2,
        "the merge is undone as one step",
    )


def both_go_on(flow: Flow, fork: Flow) -> None:
    """Let the fork change something, its origin something, and both the same."""
    for one, settings in ((fork, {"temperature": 0.7, "seed": 7}), (flow, {"temperature": 0.2})):
        ask = one.head().graph.by_key["classify"].id
        one.apply({"type": "configure", "node": ask, "settings": settings})
    fork.apply({"type": "add", "node": new_id(), "kind": "note", "key": "why", "x": 320, "y": 320})
    out = flow.head().graph.by_key["output"].id
    flow.apply({"type": "rename", "node": out, "key": "said"})


def choose_and_merge(room: Room, panel: Locator, flow: Flow) -> None:
    """Leave the note, take yours where both changed the same, and merge: one operation."""
    changes = panel.get_by_role("list", name="Changes to merge").locator(".psl-hunk")
    changes.filter(has_text="classify/config/seed: added 7").wait_for()
    changes.filter(has_text="+ why (note)").wait_for()
    clash = changes.filter(has_text="0.2 → 0.7")
    clash.get_by_text("Changed there as well. Theirs stays.").wait_for()
    assert clash.locator("dd").all_inner_texts() == ["0.5", "0.7", "0.2"]
    assert clash.get_by_role("checkbox").is_checked() is False
    panel.get_by_text("Changed there meanwhile").click()
    panel.get_by_text("~ output is called said").wait_for()
    room.picture("merge")
    assert room.faults() == []
    changes.filter(has_text="+ why").get_by_role("checkbox").press("Space")
    clash.get_by_role("checkbox").press("Space")
    clash.get_by_text("Yours will replace theirs.").wait_for()
    seq = flow.head().seq
    panel.get_by_role("button", name="Merge 2 changes").press("Enter")
    panel.get_by_role("status").get_by_text("2 changes are in support/triage now").wait_for()
    changes.filter(has_text="seed").wait_for(state="detached")
    assert changes.count() == 1
    room.picture("merged")
    now = flow.head()
    assert now.seq == seq + 1
    config = now.graph.by_key["classify"].config
    assert (config["temperature"], config["seed"]) == (0.7, 7)
    assert "why" not in now.graph.by_key


CELL = """
import promptstudio_lab as ps
f = ps.connect().flow("support/triage")
f.edit()
"""


def test_a_fork_made_in_a_cell_says_how_to_open_it(room: Room, lab: Lab, flow: Flow) -> None:
    flow.head()
    room.notebook("fork.ipynb", CELL, "1 + 1")
    room.open("fork.ipynb")
    room.run_cell(0)
    room.page.locator(".psl-version").wait_for()
    before = room.cells()
    panel = versions(room)
    panel.locator(".psl-version-row").filter(has_text="v1").click()
    panel.get_by_role("button", name="Fork v1").click()
    panel.get_by_label("Path of the fork").fill("support/mine")
    panel.get_by_label("Path of the fork").press("Enter")
    panel.get_by_text('lab.flow("support/mine").edit()').wait_for()
    room.picture("forked-in-a-cell")
    assert str(lab.flow("support/mine").origin) == "support/triage@1"
    assert room.cells() == before

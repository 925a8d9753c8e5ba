"""A run that waits for a person is answered in JupyterLab's sidebar, and a worker goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import promptstudio_lab as ps
from tests.engine.graphs import flow_of, gives, node

if TYPE_CHECKING:
    from promptstudio_lab.lab import Lab
    from tests.browser.room import Room

EVIL = "<img src=x onerror=alert(1)> \u202e done"


def waiting(lab: Lab, name: str, question: str, schema: dict[str, object], value: str) -> str:
    """Begin a run that asks somebody, and return it."""
    parts = {
        "x": node("input", {"type": "text"}),
        "rate": node("human", {"question": question, "schema": schema}, value="x.value"),
        "out": gives(answer="rate.answer"),
    }
    return str(flow_of(lab, f"support/{name}", parts).run(x=value).id)


def ended(room: Room, lab: Lab, run: str) -> object:
    """Wait until a run has ended, and return its outputs."""

    def status() -> object:
        return lab.runs().filter(flow_execution_id=run)["status"].item()

    room.until(lambda: status() == "succeeded", "a worker goes on with the run to its end")
    return lab.sql(
        "SELECT p.body AS body FROM flow_execution AS r "
        "JOIN payload AS p ON p.id = r.output_payload_id WHERE r.id = :run",
        run=run,
    )["body"].item()


def test_questions_are_answered_where_they_stand(room: Room) -> None:
    lab = ps.connect(str(room.warehouse))
    refund = "Dear Ms Ada, we return the $40 of your last invoice within five days. " * 3
    send = waiting(lab, "send", "May this answer be sent?", {"type": "boolean"}, refund)
    rate = waiting(lab, "rate", "How good is it, 1 to 5?", {"type": "integer"}, EVIL)
    room.open()
    page = room.page
    page.evaluate("window.jupyterapp.shell.activateById('promptstudio-browser')")
    panel = page.locator(".pslb-questions")
    panel.get_by_text("May this answer be sent?").wait_for()
    panel.get_by_text("onerror=alert(1)").first.wait_for()
    panel.get_by_text("U+202E").first.wait_for()
    assert panel.locator(".pslb-question").count() == 2
    assert panel.locator("img").count() == 0
    room.picture("questions")

    number = panel.locator(".pslb-question", has_text="How good is it")
    number.get_by_role("textbox").fill("five")
    number.get_by_role("button", name="Answer").click()
    number.get_by_role("alert").get_by_text("Write a number.").wait_for()
    number.get_by_role("textbox").fill("4.5")
    number.get_by_role("button", name="Answer").click()
    number.get_by_role("alert").get_by_text("integer").wait_for()
    room.picture("questions-refused")
    number.get_by_role("textbox").fill("4")
    number.get_by_role("textbox").press("Enter")
    number.wait_for(state="detached")
    assert ended(room, lab, rate) == '{"answer":4}'

    yes = panel.locator(".pslb-question", has_text="May this answer be sent?")
    yes.get_by_role("button", name="Yes").press("Enter")
    panel.wait_for(state="detached")
    assert ended(room, lab, send) == '{"answer":true}'

    waiting(lab, "again", "Once more?", {"enum": ["now", "later"]}, "tea")
    page.get_by_role("button", name="later").wait_for()

"""Running a flow from its canvas in a cell."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

import promptstudio_lab as ps
from tests.widgets.test_edit import Browser

if TYPE_CHECKING:
    from collections.abc import Callable

    from promptstudio_lab.lab import Flow


@pytest.fixture
def flow() -> Flow:
    flow = ps.connect("memory").flow("support/triage")
    ticket = flow.input("ticket", "text")
    kind = flow.llm("classify", prompt="Label: {{ ticket }}", ticket=ticket)
    flow.output(label=kind)
    return flow


def pushes(browser: Browser, name: str) -> list[Any]:  # JSON
    return [m["push"][name] for m in browser.heard if name in m.get("push", {})]


def until(done: Callable[[], object]) -> None:
    late = time.monotonic() + 60
    while not done():
        assert time.monotonic() < late
        time.sleep(0.02)


def test_a_run_tells_what_the_model_says_and_is_painted(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = Browser(flow, monkeypatch)
    run = browser.ask({"id": "1", "do": "run", "inputs": {"ticket": "a bill"}})["data"]["run"]
    until(lambda: pushes(browser, "ended"))
    assert pushes(browser, "ended") == [run]
    said = "".join(one["texts"].get("classify", "") for one in pushes(browser, "said"))
    asked = {"id": "2", "do": "ask", "about": "run", "run": run}
    painted = browser.ask(asked)["data"]
    classify = flow.graph_now.by_key["classify"].id
    assert painted["status"] == "succeeded"
    assert painted["nodes"][classify]["output"] == said[:200]
    (listed,) = browser.ask({"id": "3", "do": "ask", "about": "runs"})["data"]
    assert listed["run"] == run


def test_a_run_up_to_a_node_and_one_that_cannot_begin(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = Browser(flow, monkeypatch)
    until_classify = flow.graph_now.by_key["classify"].id
    asked = {"id": "1", "do": "run", "inputs": {"ticket": "a"}, "until": until_classify}
    run = browser.ask(asked)["data"]["run"]
    until(lambda: pushes(browser, "ended"))
    painted = browser.ask({"id": "2", "do": "ask", "about": "run", "run": run})["data"]
    assert painted["status"] == "partial"
    assert flow.graph_now.by_key["output"].id not in painted["nodes"]
    refused = browser.ask({"id": "3", "do": "run", "inputs": {}})
    assert not refused["ok"]
    assert "'ticket' gets no value" in refused["message"]
    gone = browser.ask({"id": "4", "do": "stop", "run": run})
    assert "over" in gone["message"]

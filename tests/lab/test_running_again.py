from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from promptstudio_lab.errors import Conflict, FlowError, NotFound
from promptstudio_lab.nodes import kinds
from tests.engine import conftest as engine
from tests.engine.graphs import flow_of, gives, node
from tests.engine.parts import Scripted, reply
from tests.lab.parts import change_runs
from tests.lab.test_going_on import failing, paid

if TYPE_CHECKING:
    from promptstudio_lab.lab import Lab
    from promptstudio_lab.providers.chat import ChatRequest, Reply
    from promptstudio_lab.values import Json

scripted, priced = engine.scripted, engine.priced
pytestmark = pytest.mark.usefixtures("scripted", "priced")


def test_a_node_and_what_follows_run_again_the_rest_is_taken_over(
    lab: Lab, scripted: Scripted
) -> None:
    scripted.script.extend([reply("draft"), reply("one"), reply("two")])
    first = flow_of(lab, "a/again", failing()).run(x="a")
    again = first.rerun("last")
    assert (first.outputs, again.outputs) == ({"y": "one"}, {"y": "two"})
    assert again.id != first.id
    assert len(scripted.requests) == 3
    rows = lab.sql(
        "SELECT node_key, cache_hit, saved_cost FROM node_execution "
        "WHERE flow_execution_id = :run ORDER BY node_key",
        run=again.id,
    )
    assert [row[:2] for row in rows.rows()] == [
        ("draft", True),
        ("last", False),
        ("out", False),
        ("x", True),
    ]
    assert rows["saved_cost"][0] > 0
    ran, called = paid(lab)
    assert ran == called
    with pytest.raises(FlowError, match="did you mean 'last'"):
        first.rerun("lasst")


def test_a_replay_makes_no_call_and_notices_what_differs(
    lab: Lab, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = failing()
    nodes["loud"] = node("transform", {"do": "upper"}, value="last.text")
    nodes["out"] = gives(y="loud.value")
    first = flow_of(lab, "a/replay", nodes).run(x="a")

    async def behave(_: ChatRequest) -> Reply:
        message = "nobody may call"
        raise AssertionError(message)

    scripted.behave = behave
    same = first.replay()
    assert (same.status, same.outputs, same.cost_nano_usd) == ("succeeded", {"y": "YES"}, 0)
    assert len(scripted.requests) == 2

    async def other(*_: object) -> dict[str, Json]:
        return {"value": "something else"}

    monkeypatch.setattr(kinds["transform"], "run", other)
    with pytest.raises(Conflict, match="a node kind has changed since"):
        first.replay()


def test_a_run_that_does_not_say_what_it_ran_is_told_so(memory: Lab) -> None:
    first = flow_of(memory, "a/old", failing()).run(x="a")
    change_runs(memory, plan_payload_id=None, status="interrupted")
    for asked in (first.resume, first.replay, lambda: first.rerun("last")):
        with pytest.raises(NotFound, match="does not say what it ran"):
            asked()
    with pytest.raises(NotFound, match="there is no run"):
        memory.resume("nonsense")
    draft = memory.draft()
    draft._nodes = {"x": node("input", {"type": "text"}), "out": gives(y="x.value")}
    with pytest.raises(FlowError, match="kept nowhere"):
        draft.run(x="a").resume()

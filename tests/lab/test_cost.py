"""`lab.analytics.cost` over runs that really happened, on both engines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from promptstudio_lab.warehouse import append
from promptstudio_lab.warehouse.archive import export
from tests.engine import conftest as engine
from tests.engine.graphs import ask, flow_of, gives, node
from tests.engine.parts import Scripted, reply
from tests.lab.parts import as_somebody, classifying

if TYPE_CHECKING:
    from pathlib import Path

    from promptstudio_lab.lab import Lab

scripted, priced = engine.scripted, engine.priced
pytestmark = pytest.mark.usefixtures("priced")


def asks(lab: Lab, path: str, model: str, *tickets: str) -> list[int | None]:
    """Run a flow with a cache on each text; return what each run cost."""
    nodes = {
        "x": node("input", {"type": "text"}),
        "say": ask("Say {{ x }}", {"cache": True}, x="x.value", model=model),
        "out": gives(y="say.text"),
    }
    flow = flow_of(lab, path, nodes)
    return [flow.run(x=ticket).cost_nano_usd for ticket in tickets]


def lived(lab: Lab, scripted: Scripted) -> tuple[int, int | None]:
    """Let two people pay for calls, take one from the cache, meet one without a price, simulate."""
    paid = asks(lab, "a/one", "scripted:small", "p", "q", "p")
    assert paid[2] == 0
    scripted.script.append(reply(model="large"))
    paid += asks(as_somebody(lab, "bo"), "b/one", "scripted:large", "r")
    scripted.script.append(reply(usage=None))
    assert asks(lab, "a/one", "scripted:small", "s") == [None]
    classifying(lab, "Label it: {{ ticket }}").run(ticket="billing")
    return sum(each or 0 for each in paid), paid[0]


def test_money_is_told_by_everything(room: Lab, scripted: Scripted) -> None:
    total, first = lived(room, scripted)
    for by in ("template", "version", "flow", "node", "model", "provider", "user", "day"):
        cost = room.analytics.cost(by)
        counted = cost.frame.select(
            "calls", "priced_calls", "simulated_calls", "cache_hits", "priced_cache_hits"
        ).sum()
        assert counted.rows() == [(4, 3, 1, 1, 1)], by
        assert cost.total == total, by
        assert cost.saved == first, by
        assert cost.simulated_total > 0, by
    assert room.analytics.cost("day").frame["day"].to_list() == [datetime.now(UTC).date()]


def test_flows_of_one_name_are_not_one_flow(room: Lab, scripted: Scripted) -> None:
    lived(room, scripted)
    cost = room.analytics.cost(["flow", "user"])
    rows = cost.frame.select("flow", "user", "calls", "coverage", "cache_hits").rows()
    me = room.actor.id
    assert sorted(rows, key=str) == sorted(
        [
            ("a/one", me, 3, 2 / 3, 1),
            ("b/one", "bo", 1, 1.0, 0),
            ("classify", me, 0, None, 0),
        ],
        key=str,
    )
    models = room.analytics.cost("model").frame
    assert models.filter(model="large")["calls"].to_list() == [1]
    assert models.filter(model="small", provider="scripted")["cache_hits"].to_list() == [1]


def test_a_time_has_its_own_cost(room: Lab, scripted: Scripted) -> None:
    lived(room, scripted)
    now = datetime.now(UTC)
    assert room.analytics.cost(since=now + timedelta(days=1)).sentence == "No real call was made."
    assert room.analytics.cost(until=now + timedelta(days=1)).frame["calls"].sum() == 4


def test_archived_months_are_counted(
    lab: Lab, scripted: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lived(lab, scripted)
    before = lab.analytics.cost(["version", "node", "user"])
    monkeypatch.setenv("PROMPTSTUDIO_COLD", str(tmp_path))
    for module in (export, append):
        monkeypatch.setattr(module, "now", lambda: datetime.now(UTC) + timedelta(days=32))
    lab.archive(f"{datetime.now(UTC):%Y-%m}")
    assert lab.sql("SELECT id FROM prompt_execution").height == 0
    after = lab.analytics.cost(["version", "node", "user"])
    assert after.total == before.total
    assert after.frame.equals(before.frame)

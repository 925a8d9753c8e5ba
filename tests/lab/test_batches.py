from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from promptstudio_lab.engine import loop, recorder
from promptstudio_lab.errors import FlowError, WarehouseError
from promptstudio_lab.lab.running import execution, results
from promptstudio_lab.lab.running.results import batch_row
from tests.engine import conftest as engine
from tests.engine.graphs import ask, flow_of, gives, node
from tests.engine.parts import Scripted, reply
from tests.lab.parts import expire, opened
from tests.lab.test_going_on import ROOT, bad

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from promptstudio_lab.engine.rows import Rows
    from promptstudio_lab.lab import Lab
    from promptstudio_lab.lab.flows import Flow
    from promptstudio_lab.providers.chat import ChatRequest, Reply

scripted, priced = engine.scripted, engine.priced
ITEMS = [{"id": f"i{n}", "x": f"x{n}"} for n in range(40)]


def asking(lab: Lab, model: str = "scripted:small") -> Flow:
    nodes = {
        "x": node("input", {"type": "text"}),
        "say": ask(x="x.value", model=model),
        "out": gives(y="say.text"),
    }
    return flow_of(lab, "a/batch", nodes)


def asked(scripted: Scripted) -> list[str]:
    return [request.messages[-1].content.removeprefix("Say ") for request in scripted.requests]


def begun(lab: Lab) -> dict[str, int]:
    """Return how many runs there are by status."""
    return dict(lab.runs(1000)["status"].value_counts().iter_rows())


def hangs_after(scripted: Scripted, count: int) -> None:
    """Answer some calls, and never the others."""

    async def behave(_: ChatRequest) -> Reply:
        if len(scripted.requests) >= count:
            await asyncio.sleep(30)
        return reply()

    scripted.behave = behave


def interrupted(work: Coroutine[Any, Any, None]) -> None:  # as the loop's own
    """Run work for a second and stop it, as Ctrl-C does."""
    future = asyncio.run_coroutine_threadsafe(work, loop._running())
    with contextlib.suppress(TimeoutError):
        future.result(1.0)
    future.cancel()
    time.sleep(0.3)
    raise KeyboardInterrupt


def stopped(*_: object, **__: object) -> None:
    """Be stopped at once."""
    raise KeyboardInterrupt


@pytest.mark.usefixtures("priced")
def test_a_batch_that_was_stopped_runs_only_what_is_missing(
    lab: Lab, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs_after(scripted, 15)
    flow = asking(lab)
    with monkeypatch.context() as patch:
        patch.setattr(loop, "run", interrupted)
        part = flow.batch(ITEMS, name="nightly", concurrency=4)
    assert 11 <= part.filter(status="succeeded").height <= 14
    assert set(begun(lab)) == {"succeeded", "cancelled"}
    over = set(part.filter(status="succeeded")["item"])
    with monkeypatch.context() as patch:
        # It is stopped again, before what was taken up has begun.
        patch.setattr(execution, "execute_each", stopped)
        with pytest.raises(KeyboardInterrupt):
            flow.batch(ITEMS, name="nightly")
    assert "running" not in begun(lab)
    scripted.requests.clear()
    scripted.behave = None
    whole = flow.batch(ITEMS, name="nightly", concurrency=4)
    assert whole["item"].to_list() == [item["id"] for item in ITEMS]
    assert whole["status"].to_list() == ["succeeded"] * len(ITEMS)
    assert not {f"i{said[1:]}" for said in asked(scripted)} & over
    assert len(asked(scripted)) == len(set(asked(scripted)))
    assert begun(lab) == {"succeeded": len(ITEMS)}, "an item that went on is one run"
    scripted.requests.clear()
    again = flow.batch(ITEMS, name="nightly")
    assert scripted.requests == []
    assert again.select("item", "y", "cost_usd").equals(whole.select("item", "y", "cost_usd"))
    assert flow.batch(ITEMS[:2], name="another").height == 2
    assert len(scripted.requests) == 2, "another name is another batch"


KILLED = """
import sys, time
import promptstudio_lab as ps
from promptstudio_lab.providers import provider_of
from tests.lab.test_batches import ITEMS, asking

lab = ps.connect(sys.argv[1])
provider = provider_of("simulated")
complete, asked = provider.complete, []

async def counted(request, on_text=None):
    asked.append(request)
    if len(asked) == 25:
        print("in the middle", flush=True)
        time.sleep(60)
    return await complete(request, on_text)

object.__setattr__(provider, "complete", counted)
asking(lab, "simulated:small").batch(ITEMS, name="nightly", concurrency=4)
"""


def test_a_batch_whose_process_was_killed_returns_every_row(warehouse_url: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, warehouse_url],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "in the middle\n"
        process.send_signal(signal.SIGKILL)
    with opened(warehouse_url) as lab:
        before = begun(lab)
        assert before["interrupted"]
        kept = lab.sql("SELECT id FROM node_execution")["id"].to_list()
        whole = asking(lab, "simulated:small").batch(ITEMS, name="nightly")
        assert whole["item"].to_list() == [item["id"] for item in ITEMS]
        assert set(whole["status"]) == {"succeeded"}
        assert begun(lab) == {"succeeded": len(ITEMS)}
        after = lab.sql("SELECT id, node_id, flow_execution_id AS run FROM node_execution")
        assert set(kept) <= set(after["id"])
        assert after.height == 3 * len(ITEMS)
        costs = lab.sql(
            "SELECT r.total_cost AS total, (SELECT sum(cost) FROM prompt_execution AS p "
            "WHERE p.flow_execution_id = r.id) AS calls, (SELECT count(*) FROM node_attempt AS a "
            "WHERE a.flow_execution_id = r.id AND a.status = 'unknown') AS unknown "
            "FROM flow_execution AS r"
        )
        known = costs.filter(unknown=0)
        assert known["total"].to_list() == known["calls"].to_list()
        lost = costs.filter(pl.col("unknown") > 0)
        assert lost.height > 0
        assert lost["total"].is_null().all(), "an unknown cost is no zero"


def test_aggregates_are_worked_out_once_over_all_rows(lab: Lab) -> None:
    figures = [
        {"name": "mean", "of": "mean", "port": "value"},
        {"name": "most", "of": "max", "port": "value"},
    ]
    nodes = {
        "x": node("input", {"type": "int"}),
        "double": node("transform", {"do": "expression", "expression": "x * 2"}, x="x.value"),
        "sum": node("aggregate", {"metrics": figures}, value="double.value"),
        "out": gives(y="double.value"),
    }
    flow = flow_of(lab, "a/sum", nodes)
    rows = flow.batch([{"id": f"i{n}", "x": n} for n in range(10)], name="ten")
    assert rows["y"].to_list() == [2 * n for n in range(10)]
    assert flow.aggregates == {"sum": {"mean": 9.0, "most": 18.0, "n": 10}}
    kept = lab.sql("SELECT metric_name, metric_value FROM execution_metric ORDER BY metric_name")
    assert kept.rows() == [("mean", 9.0), ("most", 18.0)]
    flow.batch([{"id": f"i{n}", "x": n} for n in range(10)], name="ten")
    assert flow.aggregates["sum"]["n"] == 10
    again = lab.sql("SELECT count(*) AS n FROM execution_metric")
    assert again["n"].item() == 2, "the same rows are summed up once"


def test_aggregates_that_were_cut_short_are_gone_on_with(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = [{"name": "mean", "of": "mean", "port": "value"}]
    nodes = {
        "x": node("input", {"type": "int"}),
        "sum": node("aggregate", {"metrics": figures}, value="x.value"),
        "out": gives(y="x.value"),
    }
    flow = flow_of(lab, "a/cut", nodes)
    items = [{"id": f"i{n}", "x": n} for n in range(5)]
    write = recorder.write

    def dies(connection: object, rows: Rows) -> None:
        if any("sum" in row for row in rows.inserts.get("node_execution", [])):
            message = "gone"
            raise WarehouseError(message)
        write(connection, rows)

    with monkeypatch.context() as patch:
        patch.setattr(recorder, "write", dies)
        patch.setattr(recorder, "_GROUP", 1)
        with pytest.raises(WarehouseError):
            flow.batch(items, name="five")
    expire(lab)
    flow.batch(items, name="five")
    assert flow.aggregates == {"sum": {"mean": 2.0, "n": 5}}
    assert begun(lab) == {"succeeded": 5, "partial": 1}
    runs = lab.sql("SELECT count(*) AS n FROM node_execution WHERE node_key = 'sum'")
    assert runs["n"].item() == 1


def test_what_somebody_else_goes_on_with_is_left_to_them(
    lab: Lab, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs_after(scripted, 15)
    flow = asking(lab)
    with monkeypatch.context() as patch:
        patch.setattr(loop, "run", interrupted)
        flow.batch(ITEMS, name="nightly", concurrency=4)
    scripted.behave = None
    cut = lab.runs(100).filter(status="cancelled")["flow_execution_id"].to_list()
    assert cut
    both = [asking(lab), asking(lab)]
    scripted.requests.clear()
    with ThreadPoolExecutor(2) as pool:
        rows = list(pool.map(lambda one: one.batch(ITEMS, name="nightly", concurrency=4), both))
    assert begun(lab) == {"succeeded": len(ITEMS)}
    assert {item for part in rows for item in part["item"]} == {item["id"] for item in ITEMS}
    once = lab.sql("SELECT max(lease_epoch) AS epoch FROM flow_execution")["epoch"].item()
    assert once == 2, "whoever came second took none of them"
    assert set(cut) <= set(lab.runs(100)["flow_execution_id"])


def test_the_expected_cost_holds_the_true_one(memory: Lab) -> None:
    flow = asking(memory, "simulated:small")
    words = ["one", "two words", "three words here", "and now four words"]
    early = flow.cost(ITEMS)
    assert early.expected_nano_usd is None
    assert "too few" in early.basis
    flow.batch([{"x": words[n % 4]} for n in range(24)])
    data = [{"x": words[(n * 3) % 4]} for n in range(60)]
    told = flow.cost(data)
    true = round(sum(flow.batch(data)["cost_usd"]) * 1e9)
    assert told.items == 60
    assert told.low_nano_usd is not None
    assert told.high_nano_usd is not None
    assert told.low_nano_usd <= true <= told.high_nano_usd
    assert true <= told.worst_nano_usd
    assert told.high_nano_usd < 2 * true, "an interval that says something"


def test_memory_stays_flat_over_many_rows(memory: Lab) -> None:
    flow = flow_of(
        memory, "a/flat", {"x": node("input", {"type": "int"}), "out": gives(y="x.value")}
    )
    plan = execution.prepare(memory.environment, flow.head().id, {"control": None})

    def grown(count: int, remember: Any) -> float:  # what `execute` takes
        inputs = [execution.plain_input({"x": n}) for n in range(count)]
        tracemalloc.start()
        try:
            kept = execution.execute(memory.environment, plan, inputs, remember, keep=False)
            assert len(kept) == count
            return tracemalloc.get_traced_memory()[0] / count
        finally:
            tracemalloc.stop()

    grown(100, batch_row)
    whole = grown(500, lambda run: run)
    assert grown(4_000, batch_row) < whole / 2, "a row, and not its run with all its nodes"
    peak = grown(20_000, lambda run: run.status)
    assert peak < whole / 5
    assert peak < 400, "bytes a row: its place in a dictionary, and its status"


@pytest.mark.usefixtures("priced")
def test_rows_that_were_folded_are_the_same_rows(
    memory: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = {"x": node("input", {"type": "json"}), "out": gives(y="x.value")}
    flow = flow_of(memory, "a/fold", nodes)
    items = [{"id": f"i{n}", "x": n} for n in range(7)]
    items += [{"id": "text", "x": "seven"}, {"id": "none", "x": None}, {"id": "half", "x": 0.5}]
    whole = flow.batch(items)
    monkeypatch.setattr(results, "_FOLD", 3)
    folded = flow.batch(items)
    assert folded["item"].to_list() == [item["id"] for item in items]
    assert folded.columns == whole.columns
    assert folded["y"].to_list()[:8] == ["0", "1", "2", "3", "4", "5", "6", "seven"]
    numbers = flow.batch(items[:7])
    assert numbers["y"].to_list() == list(range(7))
    assert numbers.schema["y"] == pl.Int64


def test_a_notebook_may_await_what_it_runs(memory: Lab, scripted: Scripted) -> None:
    flow = asking(memory)

    async def work() -> tuple[str, int, int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.001)

        beside = asyncio.create_task(tick())
        found = await flow.arun(x="a")
        rows = await flow.abatch(ITEMS, name="awaited")
        beside.cancel()
        return found.status, rows.height, ticks

    status, height, ticks = asyncio.run(work())
    assert (status, height) == ("succeeded", len(ITEMS))
    assert ticks > 5, "the notebook's own loop went on"
    assert len(scripted.requests) == 1 + len(ITEMS)


@pytest.mark.usefixtures("priced")
def test_a_template_is_tried_alone(lab: Lab, scripted: Scripted) -> None:
    lab.template("lib/say", "Tell {{ x }}")
    template = lab.template("lib/say", "Say {{ x }}")
    found = template.run(model="scripted:small", x="a")
    assert (found.status, asked(scripted)) == ("succeeded", ["a"])
    rows = template.batch(ITEMS[:3], model="scripted:small", name="three")
    assert rows["text"].to_list() == ["yes"] * 3
    template.batch(ITEMS[:3], model="scripted:small", name="three")
    assert len(scripted.requests) == 4
    assert lab.trace("lib/say@2")["calls"].sum() == 4
    with pytest.raises(FlowError, match="'x' gets no value"):
        template.run(model="scripted:small")
    with pytest.raises(FlowError, match=r"no input 'xx'.*did you mean 'x'"):
        template.run(model="scripted:small", xx="a")
    with pytest.raises(FlowError, match=r"row 1: .*'x' gets no value. Given are id, z"):
        template.batch([{"id": "1", "z": "a"}], model="scripted:small")


@pytest.mark.usefixtures("priced")
def test_a_budget_that_was_too_small_can_be_raised(lab: Lab, scripted: Scripted) -> None:
    flow = asking(lab)
    cost = flow.run(x="a").cost_nano_usd or 0
    first = flow.batch(ITEMS, name="dear", concurrency=1, budget=cost * 400)
    done = first.filter(status="succeeded").height
    scripted.requests.clear()
    whole = flow.batch(ITEMS, name="dear")
    assert set(whole["status"]) == {"succeeded"}
    assert len(scripted.requests) == len(ITEMS) - done


@pytest.mark.usefixtures("priced")
def test_a_row_that_failed_is_over_and_says_why(lab: Lab, scripted: Scripted) -> None:
    scripted.script.append(bad())
    flow = asking(lab)
    flow.batch(ITEMS[:3], name="bad", concurrency=1)
    again = flow.batch(ITEMS[:3], name="bad", concurrency=1)
    assert sorted(again["status"]) == ["failed", "succeeded", "succeeded"]
    assert again.filter(status="failed")["error"].to_list() == ["no"]
    assert len(scripted.requests) == 3

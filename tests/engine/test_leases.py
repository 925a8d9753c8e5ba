"""Who holds a run, for how long, and what an interrupt must not lose."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event

from promptstudio_lab.engine import recorder as recorder_module
from promptstudio_lab.engine.plan import CONTROL
from promptstudio_lab.engine.records import RunStarted
from promptstudio_lab.errors import WarehouseError
from promptstudio_lab.lab.running import execution
from promptstudio_lab.warehouse.entities import FlowExecution
from promptstudio_lab.warehouse.queries.interrupted import interrupt, lease_owners
from promptstudio_lab.warehouse.types import now
from tests.engine.graphs import flow_of, gives, node
from tests.engine.parts import MODEL
from tests.engine.probe import Probe
from tests.lab.parts import classifying, expire

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from promptstudio_lab.engine.plan import Plan
    from promptstudio_lab.engine.recorder import Recorder
    from promptstudio_lab.engine.rows import Rows
    from promptstudio_lab.lab import Lab
    from promptstudio_lab.nodes import Context
    from promptstudio_lab.values import Json

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.usefixtures("scripted")


def begun(recorder: Recorder, plan: Plan) -> str:
    """Begin a run that stays under way."""
    item = execution.plain_input({"ticket": "a"})
    run = RunStarted(plan, plan.variants[CONTROL], item, now())
    asyncio.run(recorder.run_started(run))
    return item.run_id


def alive(lab: Lab, run: str) -> bool:
    """Tell whether a lease is renewed within a second."""
    expire(lab)
    late = time.monotonic() + 1.0
    while time.monotonic() < late:
        with lab.warehouse.reading(lab.actor) as session:
            row = session.get(FlowExecution, run)
            if row and row.lease_until and row.lease_until > now():
                return True
        time.sleep(0.05)
    return False


def written(lab: Lab, run: str) -> None:
    """Wait until a run is on record."""
    while lab.sql("SELECT 1 AS n FROM flow_execution WHERE id = :run", run=run).is_empty():
        time.sleep(0.01)


def test_a_recorder_renews_its_own_runs_and_no_others(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = classifying(lab, "Label {{ ticket }}", model=MODEL)
    plan = execution.prepare(lab.environment, str(flow.head().id), {CONTROL: None})
    monkeypatch.setattr(recorder_module, "_HEARTBEAT_S", 0.1)
    first, second = lab.environment.recorder("commit"), lab.environment.recorder("commit")
    run, other = begun(first, plan), begun(second, plan)
    written(lab, run)
    written(lab, other)
    assert alive(lab, run)
    assert alive(lab, other)

    write, failed = recorder_module.write, first.owner

    def fails(connection: object, rows: Rows) -> None:
        if any(failed in row for row in rows.inserts.get("flow_execution", [])):
            message = "the disk is gone"
            raise WarehouseError(message)
        write(connection, rows)

    monkeypatch.setattr(recorder_module, "write", fails)
    begun(first, plan)
    with suppress(WarehouseError):
        first.close()
    assert alive(lab, other)
    assert not alive(lab, run), "nobody finishes it, so nobody may hold it"
    second.close()


INTERRUPTED = """
import asyncio, sys, threading, time
import promptstudio_lab as ps
from promptstudio_lab.engine import recorder as module
from promptstudio_lab.engine.plan import CONTROL
from promptstudio_lab.engine.records import RunStarted
from promptstudio_lab.lab.running import execution
from promptstudio_lab.warehouse.entities import FlowExecution
from promptstudio_lab.warehouse.types import now

lab = ps.connect(sys.argv[1])
flow = lab.flow("echo")
flow.output(answer=flow.input("x", "text"))
plan = execution.prepare(lab.environment, flow.head().id, {CONTROL: None})
recorder = lab.environment.recorder("queued")
write = module.write

def slow(connection, rows):
    time.sleep(0.5)
    write(connection, rows)

module.write = slow
for n in range(3):
    item = execution.plain_input({"x": str(n)})
    asyncio.run(recorder.run_started(RunStarted(plan, plan.variants[CONTROL], item, now())))
join = recorder._thread.join

def stopped(*_):
    recorder._thread.join = join
    raise KeyboardInterrupt

recorder._thread.join = stopped
try:
    recorder.close()
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_an_interrupt_while_the_last_rows_are_written_loses_none(
    lab: Lab, warehouse_url: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, warehouse_url],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "interrupted\n"
    assert lab.sql("SELECT count(*) AS n FROM flow_execution")["n"].item() == 3


@pytest.mark.usefixtures("kind")
def test_what_reaches_outside_is_on_record_before_it_does(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = flow_of(lab, "a/outside", {"go": node("probe"), "out": gives(y="go.value")})
    run, seen = Probe.run, []

    async def looks(self: Probe, config: Json, inputs: Json, context: Context) -> dict[str, Json]:
        seen.append(attempts(lab))
        return await run(self, config, inputs, context)

    monkeypatch.setattr(Probe, "run", looks)
    assert flow.run().status == "succeeded"
    assert (seen, attempts(lab)) == ([["started"]], ["succeeded"])

    write = recorder_module.write

    def dies(connection: object, rows: Rows) -> None:
        if any("go" in row for row in rows.inserts.get("node_execution", [])):
            message = "gone"
            raise WarehouseError(message)
        write(connection, rows)

    with monkeypatch.context() as patch:
        patch.setattr(recorder_module, "write", dies)
        patch.setattr(recorder_module, "_GROUP", 1)
        with pytest.raises(WarehouseError):
            flow.run()
    expire(lab)
    cut = lab.runs().filter(status="interrupted")["flow_execution_id"].item()
    done = lab.resume(cut)
    assert done.status == "succeeded"
    assert done.cost_nano_usd == 0, "it may have been done twice, and costs nothing"
    assert attempts(lab) == ["succeeded", "succeeded", "unknown"]


def attempts(lab: Lab) -> list[str]:
    """Return how the attempts stand."""
    return sorted(lab.sql("SELECT status FROM node_attempt")["status"])


def test_what_is_running_is_found_by_its_index(lab: Lab) -> None:
    """However many runs there were, looking for those that were cut short reads the open ones."""
    flow = classifying(lab, "Label {{ ticket }}")
    flow.batch([{"ticket": f"t{n}"} for n in range(300)])
    asked: list[tuple[str, Any]] = []

    def note(_: object, __: object, statement: str, bound: Any, *___: object) -> None:
        if "lease" in statement:
            asked.append((statement, bound))

    with lab.warehouse.reading(lab.actor) as session:
        event.listen(session.get_bind().engine, "before_cursor_execute", note)
        lease_owners(session)
        event.remove(session.get_bind().engine, "before_cursor_execute", note)

    def interrupted(session: Session) -> list[str]:
        engine = session.get_bind().engine
        event.listen(engine, "before_cursor_execute", note)
        interrupt(session, ["somebody"])
        event.remove(engine, "before_cursor_execute", note)
        return [plan(session, *each) for each in asked]

    plans = lab.warehouse.transact(lab.actor, interrupted)
    assert len(plans) == 2
    # A month's own part of the index is named after its columns.
    for found in plans:
        assert "ix_flow_execution_running" in found or "_lease_until_idx" in found
        assert "Seq Scan" not in found


def plan(session: Session, statement: str, bound: Any) -> str:  # as the driver takes it
    """Return how the engine would answer, if it could not simply read everything."""
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        rows = connection.exec_driver_sql(f"EXPLAIN {statement}", bound)
    else:
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", bound)
    return "\n".join(str(row[-1]) for row in rows)

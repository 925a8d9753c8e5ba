"""What the recorder commits together, and what goes before what."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from promptstudio_lab.engine import recorder as recorder_module
from promptstudio_lab.engine.recorder import write
from promptstudio_lab.engine.records import AttemptStarted, RunStarted
from promptstudio_lab.ids import new_id
from promptstudio_lab.warehouse.types import now
from tests.engine.parts import Scripted, item, one, reply
from tests.engine.test_recorder import ANSWER, planned

if TYPE_CHECKING:
    from promptstudio_lab.engine.plan import Plan
    from promptstudio_lab.engine.rows import Rows
    from promptstudio_lab.lab import Lab

pytestmark = pytest.mark.usefixtures("scripted")


@dataclass
class Disk:
    """Writes when it is let to, and remembers which runs began in which commit."""

    groups: list[list[str]] = field(default_factory=list)
    busy: threading.Event = field(default_factory=threading.Event)
    free: threading.Event = field(default_factory=threading.Event)

    def write(self, connection: Any, rows: Rows) -> None:  # a connection, as `write` takes it
        """Write a group."""
        self.busy.set()
        assert self.free.wait(20)
        self.groups.append([str(row[0]) for row in rows.inserts.get("flow_execution", [])])
        write(connection, rows)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    found = Disk()
    monkeypatch.setattr(recorder_module, "write", found.write)
    return found


def begun(plan: Plan) -> RunStarted:
    return RunStarted(plan, plan.variants["control"], item({"ticket": "x"}), now())


def calls(run: RunStarted) -> AttemptStarted:
    return AttemptStarted(run, run.variant.steps[1], "", new_id(), 1, now())


async def crowd(lab: Lab, disk: Disk, count: int) -> tuple[list[str], str]:
    """Let one run wait for its call among others that wait for nothing, while the disk is busy."""
    plan, recorder = planned(lab, scorer=False), lab.environment.recorder("commit")
    first, waits = begun(plan), begun(plan)
    others = [begun(plan) for _ in range(count)]
    await recorder.run_started(first)
    await asyncio.to_thread(disk.busy.wait, 20)
    for run in (*others[:-1], waits):
        await recorder.run_started(run)
    told = asyncio.create_task(recorder.attempt_started(calls(waits)))
    await asyncio.sleep(0)
    await recorder.run_started(others[-1])
    disk.free.set()
    async with asyncio.timeout(20):
        await told
    await asyncio.to_thread(recorder.close)
    return [run.input.run_id for run in (first, *others)], waits.input.run_id


def test_a_run_that_waits_goes_first_with_all_that_it_told(memory: Lab, disk: Disk) -> None:
    (first, *others), waits = asyncio.run(crowd(memory, disk, 4))
    assert disk.groups == [[first], [waits], others]
    attempts = memory.sql("SELECT flow_execution_id FROM node_attempt")
    assert attempts["flow_execution_id"].to_list() == [waits]


def test_a_crowd_that_waits_for_nothing_is_not_passed_by_for_ever(
    memory: Lab, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "_LATER", 3)
    (first, *others), waits = asyncio.run(crowd(memory, disk, 4))
    assert disk.groups == [[first], [*others[:-1], waits, others[-1]]]


def test_what_cost_nothing_goes_with_what_comes_next(
    memory: Lab, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "_LINGER_S", 20.0)
    disk.free.set()
    plan, recorder = planned(memory, scorer=False), memory.environment.recorder("queued")
    runs = [begun(plan) for _ in range(3)]

    async def work() -> None:
        for run in runs:
            await recorder.run_started(run)
            await asyncio.sleep(0.03)

    asyncio.run(work())
    recorder.close()
    assert disk.groups == [[run.input.run_id for run in runs]]


def test_a_whole_group_that_is_there_already_does_not_linger(
    memory: Lab, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "_GROUP", 2)
    monkeypatch.setattr(recorder_module, "_LINGER_S", 0.0)
    plan, recorder = planned(memory, scorer=False), memory.environment.recorder("queued")
    first, *others = [begun(plan) for _ in range(4)]

    async def work() -> None:
        await recorder.run_started(first)
        await asyncio.to_thread(disk.busy.wait, 20)
        monkeypatch.setattr(recorder_module, "_LINGER_S", 60.0)
        for run in others:
            await recorder.run_started(run)
        disk.free.set()

    asyncio.run(work())
    late = time.monotonic() + 30
    while len(disk.groups) < 2:
        assert time.monotonic() < late, "what fills a group waits for nothing"
        time.sleep(0.02)
    recorder.close()
    groups = [[run.input.run_id for run in some] for some in ([first], others[:2], others[2:])]
    assert disk.groups == groups


def test_nobody_who_waits_and_nothing_paid_for_lingers(
    memory: Lab, disk: Disk, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "_LINGER_S", 60.0)
    disk.free.set()
    scripted.script.append(reply(ANSWER))
    recorder = memory.environment.recorder("queued")
    late = time.monotonic() + 30
    # Its attempt must be on disk before its call: with the lingering it would take a minute.
    asyncio.run(one(planned(memory, scorer=False), {"ticket": "x"}, recorder))
    while memory.sql("SELECT id FROM prompt_execution").is_empty():
        assert time.monotonic() < late, "a call that is paid for waits for nothing"
        time.sleep(0.02)
    recorder.close()

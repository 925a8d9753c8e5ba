"""Processes that end in every way there is, and what their rows say afterwards."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import promptstudio_lab as ps
from tests.lab.parts import opened

if TYPE_CHECKING:
    from promptstudio_lab.lab import Experiment, Lab

ROOT = Path(__file__).parents[2]
ITEMS = 120

STORY = """
import asyncio, sys
import promptstudio_lab as ps
from promptstudio_lab.engine.recorder import Recorder
from tests.engine.test_crash import experiment

lab = ps.connect(sys.argv[1])
ended, seen = Recorder.run_ended, []

async def run_ended(self, run):
    seen.append(run)
    # The first one's attempt is on record by now. It never ends: whenever the kill comes, before
    # the next begin or late, it comes in the middle.
    if len(seen) == 1:
        await asyncio.sleep(600)
    await ended(self, run)
    # Only what is committed by now has been promised to anybody.
    sys.stdout.write(run.run.input.run_id + "\\n")
    sys.stdout.flush()

Recorder.run_ended = run_ended
made = Recorder.__init__
Recorder.__init__ = lambda self, *parts: made(self, *parts[:3], "commit")
experiment(lab).run(concurrency=20)
"""


def experiment(lab: Lab) -> Experiment:
    """Return the experiment that is cut short."""
    flow = lab.flow("crash/flow")
    x = flow.input("ticket", "text")
    kind = flow.llm("classify", prompt="{{ ticket }}", ticket=x, returns={"label": ["a", "b"]})
    flow.output(label=kind.label)
    data = [{"id": f"i{n}", "ticket": f"ticket {n}", "label": "a"} for n in range(ITEMS)]
    return lab.experiment(
        "cut short",
        flow=flow,
        variants={"control": None, "treatment": flow.vary("classify.seed", 1)},
        data=data,
        scorer=ps.exact("label"),
    )


def started(program: str, url: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, url],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_in_mid_batch_nothing_acknowledged_is_lost(warehouse_url: str, seed: int) -> None:
    chance = random.Random(seed)
    acknowledged: list[str] = []
    with started(STORY, warehouse_url) as process:
        assert process.stdout is not None
        acknowledged += [process.stdout.readline().strip() for _ in range(chance.randint(5, 60))]
        time.sleep(chance.random() / 50)
        process.send_signal(signal.SIGKILL)
        acknowledged += [line.strip() for line in process.stdout if line.endswith("\n")]
        error = process.stderr.read() if process.stderr else ""
    assert all(acknowledged), error
    if warehouse_url.startswith("sqlite"):
        path = warehouse_url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path)) as other:
            assert other.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert other.execute("PRAGMA foreign_key_check").fetchall() == []
    with opened(warehouse_url) as lab:
        found = lab.runs(10_000)
        status = dict(found.select("flow_execution_id", "status").iter_rows())
        assert {status.get(key) for key in acknowledged} == {"succeeded"}, "an acknowledged run"
        assert "running" not in status.values()
        cut = {key for key, value in status.items() if value == "interrupted"}
        finished = {key for key, value in status.items() if value == "succeeded"}
        assert cut, "the kill came in the middle"
        whole = experiment(lab).run()
        assert whole.height == 2 * ITEMS
        assert whole.select("item", "variant").is_unique().all()
        after = dict(lab.runs(10_000).select("flow_execution_id", "status").iter_rows())
        assert finished <= {key for key, value in after.items() if value == "succeeded"}
        assert len(after) == 2 * ITEMS + len(cut), "what had finished did not run again"
        assert {after[key] for key in cut} == {"interrupted"}
        assert lab.sql("SELECT status FROM experiment")["status"].to_list() == ["completed"]
        leaves = lab.sql(
            "SELECT count(*) AS n FROM prompt_execution AS p "
            "JOIN flow_execution AS e ON e.id = p.flow_execution_id WHERE e.status = 'succeeded'"
        )
        assert leaves["n"].item() == 2 * ITEMS


EXIT = """
import sys
import asyncio
import promptstudio_lab as ps
from promptstudio_lab.engine.batch import Progress, execute_batch
from promptstudio_lab.engine.budget import Budget
from promptstudio_lab.lab.running import execution

lab = ps.connect(sys.argv[1])
flow = lab.flow("left")
flow.output(answer=flow.input("x", "text"))
plan = execution.prepare(lab.environment, flow.head().id, {"control": None})
inputs = [execution.plain_input({"x": str(n)}) for n in range(300)]
recorder = lab.environment.recorder("queued")
asyncio.run(execute_batch(plan, inputs, recorder, budget=Budget(), progress=Progress(300),
                          on_ended=lambda run: None))
MIDDLE
"""


@pytest.mark.parametrize("ending", ["", "raise RuntimeError('by accident')"])
def test_a_process_that_ends_without_closing_has_written_the_rest(
    warehouse_url: str, ending: str
) -> None:
    with started(EXIT.replace("MIDDLE", ending), warehouse_url) as process:
        _, error = process.communicate(timeout=240)
    assert process.returncode == int(bool(ending)), error
    assert "promptstudio" not in error.replace("promptstudio_lab", "")
    with opened(warehouse_url) as lab:
        assert lab.runs(1_000)["status"].to_list() == ["succeeded"] * 300
        assert lab.sql("SELECT count(*) AS n FROM node_execution")["n"].item() == 600


FORK = """
import os, sys, warnings
warnings.simplefilter("ignore")
import promptstudio_lab as ps

lab = ps.connect(sys.argv[1])
flow = lab.flow("forked")
flow.output(answer=flow.prompt("hello", prompt="Hello {{ x }}", x=flow.input("x", "text")))
assert flow.run(x="parent").status == "succeeded"
child = os.fork()
if child == 0:
    code = 1
    try:
        code = 0 if flow.run(x="child").outputs == {"answer": "Hello child"} else 2
    finally:
        os._exit(code)
assert flow.run(x="beside").status == "succeeded"
assert os.waitpid(child, 0)[1] == 0
assert flow.run(x="after").status == "succeeded"
owners = lab.sql("SELECT lease_owner FROM flow_execution")["lease_owner"]
print(sorted(lab.runs()["status"]), len({owner.split(":")[1] for owner in owners}))
"""


def test_a_fork_records_for_itself(warehouse_url: str) -> None:
    with started(FORK, warehouse_url) as process:
        try:
            out, error = process.communicate(timeout=240)
        except subprocess.TimeoutExpired:
            process.kill()
            pytest.fail("the fork hangs")
    assert process.returncode == 0, error
    assert out.strip() == "['succeeded', 'succeeded', 'succeeded', 'succeeded'] 2"


STOPPED = """
import os, signal, sys, time
import promptstudio_lab as ps
from promptstudio_lab.lab.running import execution

lab = ps.connect(sys.argv[1])
flow = lab.flow("stopped")
x = flow.input("x", "text")
flow.output(answer=flow.llm("ask", prompt="{{ x }}", x=x, model="simulated:large"))
plan = execution.prepare(lab.environment, flow.head().id, {"control": None})
inputs = [execution.plain_input({"x": str(n)}) for n in range(400)]

def stop(*_):
    raise KeyboardInterrupt

signal.signal(signal.SIGALRM, stop)
seen = []

def kept(run):
    seen.append(run)
    if len(seen) == 60:
        os.kill(os.getpid(), signal.SIGALRM)
    return run

# Without a title there is no bar, whose own ending would give the rest time by chance.
ended = execution.execute(lab.environment, plan, inputs, kept, concurrency=50)
again = flow.batch([{"x": "1"}])
time.sleep(0.3)
print(len(ended), sorted(set(lab.runs(1_000)["status"])), again["status"].to_list())
"""


def test_an_interrupt_keeps_what_is_finished_and_leaves_nothing_running(warehouse_url: str) -> None:
    with started(STOPPED, warehouse_url) as process:
        out, error = process.communicate(timeout=240)
    assert process.returncode == 0, error
    height, found = out.split(" ", 1)
    assert 0 < int(height) < 400
    assert found.strip() == "['cancelled', 'succeeded'] ['succeeded']"

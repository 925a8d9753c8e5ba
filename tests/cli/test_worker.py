from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from promptstudio_lab.errors import FlowError, FlowInvalid, WarehouseError
from promptstudio_lab.lab.running import worker as worker_module
from promptstudio_lab.lab.running.worker import Worker
from tests.cli.test_verbs import PROGRAM, ROOT
from tests.engine.graphs import ask, flow_of, gives, node
from tests.lab.parts import opened

if TYPE_CHECKING:
    from promptstudio_lab.lab import Lab
    from promptstudio_lab.lab.flows import Flow


def asking(lab: Lab, path: str = "a/ask") -> Flow:
    x = node("input", {"type": "text"})
    said = ask(x="x.value", model="simulated:small")
    return flow_of(lab, path, {"x": x, "say": said, "out": gives(y="say.text")})


def started(url: str, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "worker", "--warehouse", url, *more],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_workers_share_what_was_queued_and_run_each_once(warehouse_url: str) -> None:
    with opened(warehouse_url) as lab:
        flow = asking(lab)
        queued = [flow.queue(x=str(n)) for n in range(30)]
        assert set(lab.runs()["status"]) == {"waiting"}
        assert lab.sql("SELECT count(*) AS n FROM node_execution")["n"].item() == 0
    workers = [started(warehouse_url, "--idle", "1") for _ in range(2)]
    said = [worker.communicate(timeout=90)[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0]
    assert all("works on" in text for text in said)
    with opened(warehouse_url) as lab:
        runs = lab.sql("SELECT id, status, lease_epoch FROM flow_execution ORDER BY id")
        assert runs.rows() == [(run, "succeeded", 1) for run in sorted(queued)]
        calls = lab.sql("SELECT count(*) AS n FROM prompt_execution")["n"].item()
        assert calls == len(queued)
        assert flow.batch([{"x": "beside"}], name="beside").height == 1
    told = "".join(said)
    assert all(f"{run} succeeded" in told for run in queued)


def test_a_worker_ends_with_the_process_that_started_it(warehouse_url: str) -> None:
    start = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', {PROGRAM!r}, 'worker', '--child', "
        f"'--warehouse', {warehouse_url!r}], stdout=subprocess.PIPE, text=True)\n"
        "print(child.stdout.readline(), child.pid, flush=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", start],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    child = int(done.stdout.split()[-1])
    late = time.monotonic() + 60
    while time.monotonic() < late:
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("it works on for nobody")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (WarehouseError("the disk is gone"), "the disk is gone"),
        (ZeroDivisionError("by zero"), "ZeroDivisionError('by zero')"),
    ],
)
def test_what_cannot_go_on_is_said_once_and_left_there(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    run = asking(lab).queue(x="a")

    def fails(*_: object, **__: object) -> None:
        raise error

    said: list[str] = []
    worker = Worker(lab.environment, said.append)
    with monkeypatch.context() as patch:
        patch.setattr(worker_module, "go_on", fails)
        while worker.look():
            time.sleep(0.01)
        worker.look()
    worker.close()
    assert said == [f"{run} cannot go on: {reason}"]
    assert lab.runs()["status"].to_list() == ["waiting"]
    again = Worker(lab.environment, said.append)
    while again.look():
        time.sleep(0.01)
    again.close()
    assert lab.runs()["status"].to_list() == ["succeeded"]


def test_only_what_can_run_is_queued(lab: Lab) -> None:
    with pytest.raises(FlowError, match="'x' gets no value"):
        asking(lab).queue()
    with pytest.raises(FlowInvalid):
        flow_of(lab, "a/bad", {"say": ask("Say {{ x }}", model="simulated:small")}).queue()
    with pytest.raises(FlowError, match="draft"):
        lab.draft().queue()
    assert lab.runs().is_empty()

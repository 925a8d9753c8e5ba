from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import promptstudio_lab as ps
from promptstudio_lab import settings
from promptstudio_lab.engine.reach import approval
from promptstudio_lab.engine.reach.code import compute
from promptstudio_lab.errors import NodeFailed, NotFound, SettingsError
from promptstudio_lab.flows.facts import code_hash

if TYPE_CHECKING:
    from promptstudio_lab.values import Json


@pytest.fixture(autouse=True)
def own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    at = tmp_path / "configuration"
    monkeypatch.setattr(settings, "configuration_directory", lambda: at)
    return at


def ran(source: str, inputs: Json = None, timeout_s: float = 20) -> Json:
    approval.approve(source)
    return asyncio.run(compute(source, inputs or {}, timeout_s))


def test_code_is_a_function_run_or_the_body_of_one() -> None:
    assert ran("def run(a, b):\n    return {'sum': a + b}", {"a": 1, "b": 2}) == {"sum": 3}
    assert ran("import math\nreturn {'n': math.isqrt(n), 'ü': 'ß'}", {"n": 17}) == {
        "n": 4,
        "ü": "ß",
    }
    assert ran("print('x' * 10**6)\nreturn {}") == {}, "what it prints is no answer"


def test_nothing_runs_before_it_is_approved(tmp_path: Path) -> None:
    made = tmp_path / "made"
    source = f"open({str(made)!r}, 'w').close()\nreturn {{}}"
    shown = code_hash(source)[:12]
    with pytest.raises(NodeFailed, match=f'ps.approve_code\\("{shown}"\\)'):
        asyncio.run(compute(source, {}, 10))
    assert not made.exists()
    assert ps.approve_code(shown) == shown, "as the message says"
    asyncio.run(compute(source, {}, 10))
    assert made.exists()


def test_any_edit_needs_an_approval_of_its_own() -> None:
    approval.approve("return {}")
    assert approval.approved("return {}")
    assert not approval.approved("return {} ")


def test_digits_of_code_that_nobody_saw_approve_nothing() -> None:
    with pytest.raises(NotFound, match="run the flow first"):
        approval.approve_refused("0" * 12)


def test_two_sources_that_begin_alike_are_not_approved_by_their_digits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(approval, "code_hash", lambda source: "a" * 12 + source)
    assert not approval.approved("one")
    assert not approval.approved("two")
    with pytest.raises(NotFound):
        approval.approve_refused("a" * 12)


def test_an_approval_is_sealed_by_a_key_that_only_the_user_reads(own_directory: Path) -> None:
    approval.approve("return {}")
    key = own_directory / "approval.key"
    assert key.stat().st_mode & 0o777 == 0o600
    kept = (own_directory / "approved_code").read_text()
    assert code_hash("return {}") not in kept
    key.unlink()
    assert not approval.approved("return {}"), "under another key it is worth nothing"
    key.chmod(0o644)
    with pytest.raises(SettingsError, match="chmod 600"):
        approval.approved("return {}")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("x = 1\nraise ValueError('no luck')", "line 2: ValueError: no luck"),
        ("def run():\n\n    return {'x': 1 / 0}", "line 3: ZeroDivisionError"),
        ("import json\njson.loads('{')", "line 2: JSONDecodeError"),
        ("x = (\n", "line 1: SyntaxError"),
        ("return {'x': float('nan')}", "ValueError"),
        ("return {'x': object()}", "TypeError"),
        ("return 5", "returned int; return a dict"),
        ("return {1: 2}", "return a dict"),
        ("import sys\nsys.exit(3)", "code 3"),
        ("import os\nos._exit(0)", "code 0"),
        ("import os\nos.abort()", "SIGABRT"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
        ("return {'x': len(bytearray(3 << 30))}", "MemoryError"),
        ("x = 'a' * (20 << 20)\nreturn {'x': x}", "more than"),
        ("f = open('big', 'wb')\nf.write(b'x' * (100 << 20))", "OSError"),
        ("fs = [open('/dev/null') for _ in range(100)]", "Too many open files"),
        ("def f(): f()\nf()", "RecursionError"),
        ("x = []\nx.append(x)\nreturn {'x': x}", "ValueError"),
    ],
)
def test_a_fault_stays_in_the_child_and_is_told(source: str, said: str) -> None:
    with pytest.raises(NodeFailed, match="^(?s:.*)" + said.replace("(", r"\(")):
        ran(source)


@pytest.mark.parametrize(
    "start",
    [
        "import os\nwhile True: os.fork()",
        "import subprocess\nsubprocess.Popen(['sleep', '60'])",
        "import os\nos.system('sleep 60')",
        "import os\nos.posix_spawn('/bin/sleep', ['sleep', '60'], {})",
        "import os\nos.execv('/bin/sleep', ['sleep', '60'])",
        "import multiprocessing as m\nm.get_context('spawn').Process(target=print).start()",
        "import multiprocessing as m\nm.get_context('fork').Process(target=print).start()",
    ],
)
def test_code_starts_no_processes(start: str) -> None:
    with pytest.raises(NodeFailed, match="starts no processes"):
        ran(start)


@pytest.mark.parametrize(
    "source",
    [
        "while True: pass",
        "import time\ntime.sleep(60)",
        "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: pass",
        "import threading as t\nt.Thread(target=t.Event().wait).start()\nt.Event().wait()",
    ],
)
def test_code_that_never_ends_is_ended(source: str) -> None:
    begun = time.perf_counter()
    with pytest.raises(NodeFailed, match="longer than"):
        ran(source, timeout_s=0.5)
    assert time.perf_counter() - begun < 5


def test_a_thread_that_is_left_over_holds_nothing_up() -> None:
    source = (
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()\n"
        "return {'n': 1}"
    )
    begun = time.perf_counter()
    assert ran(source) == {"n": 1}
    assert time.perf_counter() - begun < 10


def test_the_child_knows_no_key_and_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-1234567890")
    monkeypatch.setenv("PYTHONPATH", "somewhere")
    found = ran("import os, sys\nreturn {'e': dict(os.environ), 'c': os.listdir(), 'p': sys.path}")
    assert "canary" not in str(found)
    assert found["c"] == []
    assert not [at for at in found["p"] if "somewhere" in at]


def test_the_loop_turns_while_code_runs() -> None:
    source = "import time\ntime.sleep(0.3)\nreturn {}"
    approval.approve(source)

    async def both() -> int:
        turns = 0
        work = asyncio.create_task(compute(source, {}, 20))
        while not work.done():
            await asyncio.sleep(0.01)
            turns += 1
        await work
        return turns

    assert asyncio.run(both()) > 10


def test_code_that_is_cancelled_is_ended() -> None:
    source = "import os, time\nopen(name, 'w').write(str(os.getpid()))\ntime.sleep(60)"
    approval.approve(source)
    name = Path(settings.configuration_directory()) / "pid"

    async def cancelled() -> None:
        work = asyncio.create_task(compute(source, {"name": str(name)}, 60))
        while not (name.exists() and name.read_text()):  # noqa: ASYNC110 — a file has no event
            await asyncio.sleep(0.02)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work

    asyncio.run(cancelled())
    with pytest.raises(ProcessLookupError):
        os.kill(int(name.read_text()), 0)


def test_input_that_is_large_arrives() -> None:
    assert ran("return {'n': len(x)}", {"x": "a" * (4 << 20)}) == {"n": 4 << 20}

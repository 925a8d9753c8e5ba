from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from promptstudio_lab.engine.recorder import Recorder
from promptstudio_lab.errors import BadReply, Conflict, NotFound, ValueRefused
from promptstudio_lab.lab.running.recorded import answered
from promptstudio_lab.lab.running.worker import Worker
from promptstudio_lab.money import NANO_PER_USD
from promptstudio_lab.warehouse.queries import kept
from tests.engine import conftest as engine
from tests.engine.graphs import ask, flow_of, gives, mapped, node
from tests.engine.parts import Scripted, reply
from tests.lab.parts import expire, opened, until

if TYPE_CHECKING:
    from promptstudio_lab.engine.records import RunEnded
    from promptstudio_lab.engine.rows import Rows
    from promptstudio_lab.lab import Lab
    from promptstudio_lab.lab.facts import Environment
    from promptstudio_lab.providers.chat import ChatRequest, Reply
    from promptstudio_lab.values import Json
    from promptstudio_lab.warehouse.connect import Session
    from tests.engine.graphs import Nodes

scripted, priced = engine.scripted, engine.priced
pytestmark = pytest.mark.usefixtures("scripted", "priced")

ROOT = Path(__file__).parents[2]
MODEL = "scripted:small"
FORM = {"type": "integer", "minimum": 1}


def asking() -> Nodes:
    return {
        "x": node("input", {"type": "text"}),
        "draft": ask(x="x.value", model=MODEL),
        "rate": node("human", {"question": "How good?", "schema": FORM}, value="draft.text"),
        "last": ask("Use {{ n }} {{ x }}", n="rate.answer", x="draft.text", model=MODEL),
        "out": gives(y="last.text", n="rate.answer"),
    }


def failing() -> Nodes:
    nodes = asking()
    nodes["last"]["in"]["n"] = nodes["rate"]["in"]["value"]
    nodes["out"] = gives(y="last.text")
    del nodes["rate"]
    return nodes


def bad() -> BadReply:
    """Return an answer that is paid for and of no use."""
    return BadReply("no", code="schema", reply=reply("no"))


def statuses(lab: Lab) -> list[str]:
    return sorted(lab.runs()["status"])


def paid(lab: Lab) -> tuple[int, int]:
    """Return the sum over the runs and the sum over the calls."""
    runs = lab.sql("SELECT coalesce(sum(total_cost), 0) AS n FROM flow_execution")
    calls = lab.sql("SELECT coalesce(sum(cost), 0) AS n FROM prompt_execution")
    return int(runs["n"].item()), int(calls["n"].item())


def calls(lab: Lab) -> int:
    return len(lab.sql("SELECT id FROM prompt_execution"))


def test_a_run_waits_for_an_answer_and_goes_on_with_it(lab: Lab, scripted: Scripted) -> None:
    scripted.script.extend([reply("a draft"), reply("the end")])
    waiting = flow_of(lab, "a/asks", asking()).run(x="a")
    assert (waiting.status, len(scripted.requests)) == ("waiting", 1)
    (question,) = lab.questions().rows(named=True)
    assert (question["node"], question["prompt"]) == ("rate", "How good?")
    assert question["flow_execution_id"] == waiting.id
    done = lab.answer(question["question_id"], 4)
    assert (done.id, done.status) == (waiting.id, "succeeded")
    assert done.outputs == {"y": "the end", "n": 4}
    assert len(scripted.requests) == 2, "the draft was not asked for again"
    assert scripted.requests[1].messages[-1].content == "Use 4 a draft"
    assert lab.questions().is_empty()
    ran, called = paid(lab)
    assert ran == called == done.cost_nano_usd != 0
    assert lab.sql("SELECT node_key FROM node_execution").is_unique().all()


def test_the_second_who_answers_is_told_who_was_first(lab: Lab) -> None:
    flow_of(lab, "a/asks", asking()).run(x="a")
    key = lab.questions()["question_id"].item()
    lab.answer(key, 4)
    with pytest.raises(Conflict, match=f"answered by {lab.actor.id} already"):
        lab.answer(key, 5)
    with pytest.raises(NotFound, match="there is no question"):
        lab.answer(lab.runs()["flow_execution_id"].item(), 5)
    assert lab.sql("SELECT status FROM flow_execution")["status"].to_list() == ["succeeded"]


def test_where_a_worker_is_faster_its_end_is_waited_for(
    lab: Lab, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow(_: ChatRequest) -> Reply:
        await asyncio.sleep(0.3)
        return reply("the end")

    scripted.script.append(reply("a draft"))
    flow_of(lab, "a/asks", asking()).run(x="a")
    scripted.behave = slow
    worker = Worker(lab.environment, lambda _: None)

    def and_a_worker_looks(environment: Environment, key: str, value: Json) -> str:
        run = answered(environment, key, value)
        worker.look()
        until(lambda: lab.run(run).status != "waiting")
        return run

    monkeypatch.setattr("promptstudio_lab.lab.running.opened.answered", and_a_worker_looks)
    done = lab.answer(lab.questions()["question_id"].item(), 4)
    worker.close()
    assert (done.status, done.outputs) == ("succeeded", {"y": "the end", "n": 4})
    assert len(scripted.requests) == 2


@pytest.mark.parametrize("wrong", [0, "four", None, [4]])
def test_an_answer_of_a_wrong_form_is_refused_and_the_question_stays(
    memory: Lab, wrong: Json
) -> None:
    flow_of(memory, "a/asks", asking()).run(x="a")
    key = memory.questions()["question_id"].item()
    with pytest.raises(ValueRefused, match="does not fit the form"):
        memory.answer(key, wrong)
    assert memory.questions()["question_id"].to_list() == [key]
    assert statuses(memory) == ["waiting"]
    assert memory.answer(key, 2).status == "succeeded"


def test_going_on_without_an_answer_asks_the_same_question_once(lab: Lab) -> None:
    waiting = flow_of(lab, "a/asks", asking()).run(x="a")
    key = lab.questions()["question_id"].item()
    assert waiting.resume().status == "waiting"
    assert lab.resume(waiting.id).status == "waiting"
    assert lab.questions()["question_id"].to_list() == [key]
    assert lab.answer(key, 1).status == "succeeded"
    assert lab.questions().is_empty()


def test_items_of_a_map_are_answered_one_by_one(lab: Lab, scripted: Scripted) -> None:
    inner = {
        "say": ask(x="item.value", model=MODEL),
        "rate": node("human", {"schema": FORM}, value="say.text"),
        "out": gives(n="rate.answer"),
    }
    waiting = flow_of(lab, "a/map", mapped(inner)).run(xs=["a", "b", "c"])
    assert waiting.status == "waiting"
    places = lab.questions()
    assert sorted(places["path"]) == ["each[0]", "each[1]", "each[2]"]
    assert len(scripted.requests) == 3, "nobody who is asked holds the other items up"
    keys = dict(places.select("path", "question_id").iter_rows())
    assert lab.answer(keys["each[2]"], 30).status == "waiting"
    assert sorted(lab.questions()["path"]) == ["each[0]", "each[1]"]
    assert lab.answer(keys["each[0]"], 10).status == "waiting"
    done = lab.answer(keys["each[1]"], 20)
    assert (done.status, done.outputs) == ("succeeded", {"ys": [10, 20, 30]})
    assert len(scripted.requests) == 3
    rows = lab.sql("SELECT path, node_key FROM node_execution")
    assert rows.is_unique().all()
    ran, called = paid(lab)
    assert ran == called != 0


KILLED = """
import os, sys, time
import promptstudio_lab as ps
from tests.engine.graphs import flow_of
from tests.lab import test_going_on as story
from promptstudio_lab.providers import provider_of

lab = ps.connect(sys.argv[1])
provider = provider_of("simulated")
complete, asked = provider.complete, []

async def once(request, on_text=None):
    asked.append(request)
    if len(asked) == 2:
        print("in flight", flush=True)
        time.sleep(60)
    return await complete(request, on_text)

object.__setattr__(provider, "complete", once)
flow_of(lab, "a/killed", story.chain()).run(x="a")
"""


def chain() -> Nodes:
    nodes: Nodes = {"x": node("input", {"type": "text"})}
    before = "x.value"
    for key in ("one", "two", "three"):
        nodes[key] = ask(x=before, model="simulated:small")
        before = f"{key}.text"
    nodes["out"] = gives(y=before)
    return nodes


def test_a_killed_process_is_gone_on_with_and_nothing_committed_runs_again(
    warehouse_url: str,
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, warehouse_url],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "in flight\n"
        process.send_signal(signal.SIGKILL)
    with opened(warehouse_url) as lab:
        assert statuses(lab) == ["interrupted"]
        key = lab.runs()["flow_execution_id"].item()
        before = lab.sql("SELECT id FROM node_execution")["id"].to_list()
        done = lab.resume(key)
        assert done.status == "succeeded"
        rows = lab.sql("SELECT id, node_key FROM node_execution")
        assert sorted(rows["node_key"]) == ["one", "out", "three", "two", "x"]
        assert set(before) <= set(rows["id"]), "what was committed stands"
        calls = lab.sql(
            "SELECT n.node_key, count(*) AS n FROM prompt_execution AS p "
            "JOIN node_execution AS n ON n.id = p.node_execution_id GROUP BY 1 ORDER BY 1"
        )
        assert calls.rows() == [("one", 1), ("three", 1), ("two", 1)]
        attempts = lab.sql("SELECT node_key, status FROM node_attempt ORDER BY node_key, status")
        assert attempts.rows() == [
            ("one", "succeeded"),
            ("three", "succeeded"),
            ("two", "succeeded"),
            ("two", "unknown"),
        ]
        assert paid(lab)[1] > 0
        assert done.cost_nano_usd is None, "nobody knows what the call of the dead process cost"
        assert lab.runs()["cost_usd"].to_list() == [None]
        with pytest.raises(Conflict, match="succeeded"):
            lab.resume(key)


def test_a_process_that_was_only_slow_cannot_finish_any_more(
    lab: Lab, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted.script.extend([reply("slow"), bad(), reply("quick")])
    ended, late = Recorder.run_ended, threading.Event()
    taken: list[str] = []

    def take(run_id: str) -> None:
        until(lambda: calls(lab) == 2)
        expire(lab)
        taken.append(lab.resume(run_id).status)

    async def run_ended(self: Recorder, run: RunEnded) -> None:
        if not late.is_set():
            late.set()
            # Here it stands still; meanwhile its lease ends, and somebody goes on with the run.
            await asyncio.to_thread(take, run.run.input.run_id)
        await ended(self, run)

    monkeypatch.setattr(Recorder, "run_ended", run_ended)
    zombie = flow_of(lab, "a/slow", failing()).run(x="a")
    assert (zombie.status, taken) == ("failed", ["succeeded"])
    rows = lab.sql("SELECT status, error_code, lease_epoch FROM flow_execution").rows()
    assert rows == [("succeeded", None, 3)], "what came late is not written"
    ran, called = paid(lab)
    assert ran == called != 0


def test_a_call_that_is_written_while_its_run_is_taken_is_counted_or_said_to_be_unknown(
    lab: Lab, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted.script.extend([reply("slow"), bad(), reply("quick")])
    ended, keep, read = Recorder.run_ended, Recorder._keep, kept._nodes
    taken, looked = threading.Event(), count()
    found: list[str] = []

    def keep_late(self: Recorder, rows: Rows) -> None:
        if len(scripted.requests) == 2 and "prompt_execution" in rows.inserts:
            assert taken.wait(30)
        keep(self, rows)

    def read_slowly(session: Session, run_id: str) -> list[kept.NodeGiven]:
        nodes = read(session, run_id)
        if next(looked) == 1:
            # The run is being taken: what else is written of it now, its taker has not read.
            taken.set()
            with suppress(AssertionError):
                until(lambda: calls(lab) == 2, for_s=1)
        return nodes

    async def run_ended(self: Recorder, run: RunEnded) -> None:
        if not found:
            found.append("begun")
            expire(lab)
            again = await asyncio.to_thread(lab.resume, run.run.input.run_id)
            found.append(again.status)
        await ended(self, run)

    monkeypatch.setattr(Recorder, "_keep", keep_late)
    monkeypatch.setattr(Recorder, "run_ended", run_ended)
    monkeypatch.setattr(kept, "_nodes", read_slowly)
    flow_of(lab, "a/slow", failing()).run(x="a")
    until(lambda: calls(lab) == 3)
    assert found == ["begun", "succeeded"]
    (cost,) = lab.runs()["cost_usd"]
    assert cost in {None, paid(lab)[1] / NANO_PER_USD}


def test_of_two_who_go_on_one_wins(lab: Lab, scripted: Scripted) -> None:
    scripted.script.extend([reply(), bad()])
    broken = flow_of(lab, "a/two", failing()).run(x="a")
    assert broken.status == "failed"

    async def behave(_: ChatRequest) -> Reply:
        await asyncio.sleep(0.3)
        return reply("late")

    scripted.behave = behave
    found: list[str] = []

    def go_on() -> None:
        try:
            found.append(lab.resume(broken.id).status)
        except Conflict as refusal:
            found.append("refused" if "goes on with it" in str(refusal) else str(refusal))

    both = [threading.Thread(target=go_on) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert sorted(found) == ["refused", "succeeded"]
    assert len(scripted.requests) == 3

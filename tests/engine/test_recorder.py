"""What the engine told, as rows."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
from contextlib import closing, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from sqlalchemy import make_url

from promptstudio_lab.engine import recorder as recorder_module
from promptstudio_lab.engine.recorder import Recorder, write
from promptstudio_lab.engine.records import CallEnded, RunEnded, RunStarted
from promptstudio_lab.engine.rows import Rows, succeeded
from promptstudio_lab.errors import ProviderUnavailable, RateLimited, WarehouseError
from promptstudio_lab.ids import is_id, time_of
from promptstudio_lab.lab.running import execution
from promptstudio_lab.providers.chat import Usage
from promptstudio_lab.scorers import Score
from promptstudio_lab.scorers.exact import Exact
from promptstudio_lab.values import loads
from promptstudio_lab.warehouse import payloads
from tests.engine.parts import MODEL, Heard, Scripted, item, many, one, reply
from tests.lab.parts import LABELS, classifying

if TYPE_CHECKING:
    from promptstudio_lab.engine.plan import Plan
    from promptstudio_lab.engine.records import Record, Sink
    from promptstudio_lab.lab import Lab
    from promptstudio_lab.providers.chat import ChatRequest, Reply
    from promptstudio_lab.values import Json
    from promptstudio_lab.warehouse.connect import Warehouse
    from promptstudio_lab.warehouse.payloads import PayloadAddress

USAGE = Usage(100, 20, 7, 3)
ANSWER = '{"label": "billing"}'


def planned(lab: Lab, scorer: bool = True) -> Plan:  # noqa: FBT002 — one switch
    flow = classifying(lab, "Label {{ ticket }}", model=MODEL)
    return execution.prepare(
        lab.environment, str(flow.head().id), {"control": None}, Exact("label") if scorer else None
    )


def rows(
    lab: Lab, table: str, order: str = "id"
) -> list[dict[str, Any]]:  # columns of their own types
    return lab.sql(f"SELECT * FROM {table} ORDER BY {order}").to_dicts()


def address_of(lab: Lab) -> PayloadAddress:
    with lab.warehouse.reading(lab.actor) as session:
        return payloads.address(session)


def payload(lab: Lab, key: str | None) -> Json:
    if key is None:
        return None
    return loads(lab.sql("SELECT body FROM payload WHERE id = :key", key=key)["body"].item())


def record(lab: Lab, plan: Plan, values: Json) -> RunEnded:
    recorder = lab.environment.recorder("commit")
    ended: list[RunEnded] = []

    async def work() -> None:
        ended.append(await one(plan, values, recorder))

    asyncio.run(work())
    recorder.close()
    return ended[0]


def test_every_field_of_a_run_and_its_nodes_is_what_the_engine_told(
    lab: Lab, scripted: Scripted
) -> None:
    late = RateLimited("slow down", retry_after_s=0)
    scripted.script.extend(
        [late, reply(ANSWER, USAGE, request_id="r-1", latency_ms=12.5, first_token_ms=3.0)]
    )
    plan = planned(lab)
    ended = record(lab, plan, {"ticket": "Invoice", "label": "billing"})
    (run,) = rows(lab, "flow_execution")
    head = lab.flow("support/classify").head()
    assert run["id"] == ended.run.input.run_id
    assert run["requested_by"] == run["executed_by"] == run["created_by"] == lab.actor.id
    assert (run["trigger"], run["origin"]) == ("cell", None)
    (version,) = rows(lab, "prompt_flow_version")
    assert (run["flow_id"], run["flow_version"]) == (head.id, version["version"])
    assert run["change_seq"] == version["at_seq"]
    assert run["status"] == "succeeded"
    assert bool(run["success"]) is True
    assert run["quality"] == 1.0
    assert run["total_cost"] is None, "the scripted model has no price"
    assert (run["total_input_tokens"], run["total_output_tokens"]) == (120, 10)
    assert run["execution_time_ms"] == pytest.approx(ended.execution_time_ms)
    assert run["completed_at"] >= run["started_at"]
    assert payload(lab, run["input_payload_id"]) == {"ticket": "Invoice", "label": "billing"}
    assert payload(lab, run["output_payload_id"]) == {"label": "billing"}

    nodes = {node["node_key"]: node for node in rows(lab, "node_execution")}
    assert set(nodes) == {"ticket", "classify", "output"}
    for told in ended.nodes:
        node = nodes[told.step.key]
        assert (node["id"], node["node_id"]) == (told.node_execution_id, told.step.node_id)
        assert node["status"] == told.status
        assert node["execution_time_ms"] == pytest.approx(told.execution_time_ms)
        assert payload(lab, node["input_payload_id"]) == told.inputs
        assert payload(lab, node["output_payload_id"]) == told.outputs
        assert node["flow_version"] == 1
    for row in (run, *nodes.values()):
        assert is_id(row["id"])
        assert time_of(row["id"]) == time_of(run["id"]), "one run, one partition"
        assert row["organization_id"] == lab.actor.organization_id


def test_every_field_of_a_call_is_what_the_engine_told(lab: Lab, scripted: Scripted) -> None:
    late = RateLimited("slow down", retry_after_s=0)
    scripted.script.extend(
        [late, reply(ANSWER, USAGE, request_id="r-1", latency_ms=12.5, first_token_ms=3.0)]
    )
    plan = planned(lab)
    ended = record(lab, plan, {"ticket": "Invoice", "label": "billing"})
    (run,) = rows(lab, "flow_execution")
    nodes = {node["node_key"]: node for node in rows(lab, "node_execution")}
    classify = nodes["classify"]
    assert classify["attempt_count"] == 2
    template = plan.variants["control"].steps[1].prompt
    assert template is not None
    assert template.template_id is not None
    calls = rows(lab, "prompt_execution", "call_index")
    assert [call["status"] for call in calls] == ["failed", "succeeded"]
    for call, told_call in zip(calls, ended.nodes[1].calls, strict=True):
        assert call["id"] == told_call.prompt_execution_id
        assert call["node_execution_id"] == classify["id"]
        assert call["flow_execution_id"] == run["id"]
        assert (call["prompt_template_id"], call["template_version"]) == (template.template_id, 1)
        assert call["provider"] == "scripted"
        assert payload(lab, call["request_payload_id"])["messages"] == [["user", "Label Invoice"]]
    good = calls[1]
    assert good["id"] == classify["prompt_execution_id"]
    assert (good["input_tokens"], good["cached_tokens"]) == (100, 20)
    assert (good["output_tokens"], good["reasoning_tokens"]) == (7, 3)
    assert (good["latency_ms"], good["first_token_ms"]) == (12.5, 3.0)
    assert (good["provider_request_id"], good["finish_reason"]) == ("r-1", "stop")
    assert payload(lab, good["response_payload_id"]) == {"text": ANSWER}
    assert calls[0]["error_code"] == "rate_limited"
    attempts = rows(lab, "node_attempt", "attempt")
    assert [(a["attempt"], a["status"]) for a in attempts] == [(1, "failed"), (2, "succeeded")]
    assert {a["node_execution_id"] for a in attempts} == {classify["id"]}
    for row in (*calls, *attempts):
        assert is_id(row["id"])
        assert time_of(row["id"]) == time_of(run["id"]), "one run, one partition"
        assert row["organization_id"] == lab.actor.organization_id


def test_no_node_with_a_prompt_ran_without_a_template_version(lab: Lab, scripted: Scripted) -> None:
    scripted.script.extend([reply(ANSWER), ValueError("a bug"), reply("no json")])
    plan = planned(lab)
    for _ in range(3):
        record(lab, plan, {"ticket": "x"})
    found = [n for n in rows(lab, "node_execution") if n["node_key"] == "classify"]
    assert len(found) == 3
    assert all(n["prompt_template_id"] and n["template_version"] == 1 for n in found)
    assert {n["status"] for n in found} == {"succeeded", "failed"}
    assert all(call["prompt_template_id"] for call in rows(lab, "prompt_execution"))


def test_an_attempt_is_committed_before_its_call(
    lab: Lab, scripted: Scripted, warehouse_url: str
) -> None:
    seen: list[tuple[Any, ...]] = []

    async def behave(_: ChatRequest) -> Reply:
        seen.extend(_from_elsewhere(warehouse_url))
        if len(seen) == 1:
            message = "gone"
            raise ProviderUnavailable(message)
        return reply(ANSWER)

    scripted.behave = behave
    record(lab, planned(lab), {"ticket": "x"})
    assert [tuple(row) for row in seen] == [
        (1, "started", "running"),
        (1, "started", "running"),
        (2, "started", "running"),
    ]


def _from_elsewhere(url: str) -> list[tuple[Any, ...]]:  # columns of their own types
    query = (
        "SELECT a.attempt, a.status, e.status FROM node_attempt AS a "
        "JOIN flow_execution AS e ON e.id = a.flow_execution_id ORDER BY a.attempt"
    )
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(str(address.database))) as other:
            return other.execute(query).fetchall()
    plain = address.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain) as connection:
        return connection.execute(query).fetchall()


def test_totals_are_sums_over_the_leaves(lab: Lab) -> None:
    flow = classifying(lab, "Label {{ ticket }}")
    flow.batch([{"ticket": f"ticket {n}"} for n in range(12)])
    sums = lab.sql(
        "SELECT e.total_cost, e.total_input_tokens AS i, e.total_output_tokens AS o, "
        "SUM(p.cost) AS cost, SUM(p.input_tokens + p.cached_tokens) AS read_tokens, "
        "SUM(p.output_tokens + p.reasoning_tokens) AS written_tokens "
        "FROM flow_execution AS e JOIN prompt_execution AS p ON p.flow_execution_id = e.id "
        "GROUP BY e.id, e.total_cost, e.total_input_tokens, e.total_output_tokens"
    )
    assert sums.height == 12
    for total, leaf in (("total_cost", "cost"), ("i", "read_tokens"), ("o", "written_tokens")):
        assert [int(v) for v in sums[total]] == [int(v) for v in sums[leaf]]
    assert min(sums["total_cost"]) > 0


def test_an_unknown_price_is_null_all_the_way_up(lab: Lab, scripted: Scripted) -> None:
    scripted.script.append(reply(ANSWER))
    record(lab, planned(lab), {"ticket": "x"})
    assert rows(lab, "prompt_execution")[0]["cost"] is None
    costs = {node["node_key"]: node["cost"] for node in rows(lab, "node_execution")}
    assert costs == {"ticket": 0, "classify": None, "output": 0}
    assert rows(lab, "flow_execution")[0]["total_cost"] is None
    assert lab.runs()["cost_usd"].to_list() == [None]


def test_a_group_written_twice_is_there_once(lab: Lab, scripted: Scripted) -> None:
    scripted.script.append(reply(ANSWER))
    plan, address = planned(lab), address_of(lab)
    heard = Heard()
    asyncio.run(_quietly(plan, heard))
    records: list[Any] = [r for r in heard.all if type(r) is not CallEnded]  # of every kind
    for _ in range(2):
        for told in records:
            group = Rows(address, "me:1", None)
            group.add(told)
            lab.warehouse.append(lab.actor, partial(write, rows=group))
    counts = {
        table: lab.sql(f"SELECT count(*) AS n FROM {table}")["n"].item()
        for table in ("flow_execution", "node_execution", "node_attempt", "prompt_execution")
    }
    assert counts == {
        "flow_execution": 1, "node_execution": 3, "node_attempt": 1, "prompt_execution": 1,
    }  # fmt: skip
    assert rows(lab, "flow_execution")[0]["status"] == "succeeded"


async def _quietly(plan: Plan, sink: Sink) -> None:
    await one(plan, {"ticket": "x"}, sink)


def test_a_run_is_finished_once_and_only_by_its_owner(lab: Lab, scripted: Scripted) -> None:
    scripted.script.append(reply(ANSWER))
    plan, address = planned(lab), address_of(lab)
    heard = Heard()
    asyncio.run(_quietly(plan, heard))

    def put(told: Record, owner: str) -> None:
        group = Rows(address, owner, None)
        group.add(told)
        lab.warehouse.append(lab.actor, lambda connection: write(connection, group))

    put(heard.of(RunStarted)[0], "me:1")
    put(heard.of(RunEnded)[0], "thief:2")
    assert rows(lab, "flow_execution")[0]["status"] == "running"
    put(heard.of(RunEnded)[0], "me:1")
    assert rows(lab, "flow_execution")[0]["status"] == "succeeded"


class Full:
    """A warehouse whose disk is full."""

    def __init__(self, warehouse: Warehouse, after: int) -> None:
        """Have room for a few groups."""
        self._warehouse, self._left = warehouse, after

    def append(self, actor: Any, work: Any) -> None:  # as the warehouse's own
        """Write a group, if there is room."""
        self._left -= 1
        if self._left < 0:
            message = "database or disk is full"
            raise WarehouseError(message)
        self._warehouse.append(actor, work)


@pytest.mark.parametrize("ack", ["commit", "queued"])
def test_what_cannot_be_recorded_is_said_and_no_further_call_is_made(
    memory: Lab, scripted: Scripted, ack: str
) -> None:
    plan = planned(memory)
    address = address_of(memory)
    recorder = Recorder(Full(memory.warehouse, 3), memory.actor, address, ack)  # type: ignore[arg-type]  # stands for one
    inputs = [item({"ticket": str(n)}) for n in range(30)]
    with pytest.raises(WarehouseError, match="disk is full"):
        asyncio.run(many(plan, 30, recorder, inputs=inputs, concurrency=1))
    assert len(scripted.requests) < 5
    with pytest.raises(WarehouseError, match="disk is full"):
        recorder.close()


def test_the_engine_waits_for_the_disk_and_not_the_other_way_round(
    memory: Lab, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    class Watched(queue.SimpleQueue[Any]):  # of entries
        def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:  # noqa: FBT002 — as the queue's own
            super().put(item, block, timeout)
            if item is not recorder_module._STOP:
                sizes.append(self.qsize())

    monkeypatch.setattr(recorder_module, "_QUEUE", 4)
    monkeypatch.setattr(queue, "SimpleQueue", Watched)
    plan = planned(memory, scorer=False)
    recorder = memory.environment.recorder("queued")
    inputs = [item({"ticket": str(n)}) for n in range(60)]
    scripted.script.extend([reply(ANSWER)] * 60)
    asyncio.run(many(plan, 60, recorder, inputs=inputs, concurrency=30))
    recorder.close()
    assert max(sizes) <= 4
    assert (
        memory.sql("SELECT count(*) AS n FROM flow_execution WHERE status = 'succeeded'")[
            "n"
        ].item()
        == 60
    )


def test_close_writes_the_rest_and_may_be_called_twice(lab: Lab, scripted: Scripted) -> None:
    plan = planned(lab, scorer=False)
    scripted.script.extend([reply(ANSWER)] * 40)
    recorder = lab.environment.recorder("queued")
    inputs = [item({"ticket": str(n)}) for n in range(40)]
    asyncio.run(many(plan, 40, recorder, inputs=inputs, concurrency=40))
    recorder.close()
    recorder.close()
    assert lab.sql("SELECT count(*) AS n FROM node_execution")["n"].item() == 120
    assert set(lab.runs()["status"]) == {"succeeded"}
    with pytest.raises(queue.Empty):
        recorder._queue.get_nowait()


@pytest.mark.parametrize(
    "usage",
    [Usage(2**70, 0, 1, 0), Usage(-5, 0, 1, 0)],
    ids=["more tokens than fit", "less than none"],
)
def test_a_reply_with_impossible_numbers_neither_hangs_nor_stops_the_others(
    memory: Lab, scripted: Scripted, usage: Usage, recwarn: pytest.WarningsRecorder
) -> None:
    scripted.script.extend([reply(ANSWER), reply(ANSWER, usage), *[reply(ANSWER)] * 3])
    plan = planned(memory, scorer=False)
    recorder = memory.environment.recorder("commit")
    inputs = [item({"ticket": str(n)}) for n in range(5)]

    async def work() -> None:
        with suppress(WarehouseError):
            async with asyncio.timeout(5):
                await many(plan, 5, recorder, inputs=inputs, concurrency=1)

    asyncio.run(work())
    with suppress(WarehouseError):
        recorder.close()
    assert recwarn.list == []
    statuses = memory.runs()["status"].to_list()
    assert statuses.count("succeeded") >= 4
    assert "running" not in statuses


@pytest.mark.usefixtures("kind")
@pytest.mark.parametrize("raises", ["nul", "surrogate"])
def test_an_error_that_no_engine_can_keep_is_kept_readable(lab: Lab, raises: str) -> None:
    flow = lab.flow("odd")
    flow.output(answer=flow.probe("bad", raises=raises))
    run = flow.run()
    assert run.status == "failed"
    assert lab.runs()["status"].to_list() == ["failed"]


def test_a_reply_that_no_engine_can_keep_fails_its_own_run_only(
    lab: Lab, scripted: Scripted
) -> None:
    scripted.script.extend([reply("half \ud800"), reply("zero \0"), reply("whole")])
    flow = lab.flow("odd")
    x = flow.input("x")
    flow.output(answer=flow.llm("ask", model=MODEL, prompt="{{ x }}", x=x))
    frame = flow.batch([{"x": "1"}, {"x": "2"}, {"x": "3"}], concurrency=1)
    assert frame["status"].to_list()[-1] == "succeeded"
    assert frame.height == 3
    assert lab.sql("SELECT count(*) AS n FROM prompt_execution")["n"].item() == 3


@pytest.mark.parametrize(
    ("status", "value", "expected"),
    [
        ("succeeded", None, None),
        ("succeeded", 0.4, False),
        ("succeeded", 0.5, True),
        ("failed", 1.0, False),
        ("cancelled", 1.0, None),
        ("partial", 0.9, True),
    ],
)
def test_success_is_by_score_and_missing_is_no_failure(
    memory: Lab, scripted: Scripted, status: Any, value: float | None, *, expected: bool | None
) -> None:
    scripted.script.append(reply(ANSWER))
    ended = record(memory, planned(memory), {"ticket": "x", "label": LABELS[0]})
    changed = ended._replace(status=status, score=Score(value, "pass", ""))
    assert succeeded(changed) is expected
    assert succeeded(ended._replace(score=None)) is True

"""One node's way to a model: attempts, waits, deadlines and money."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import pytest

from promptstudio_lab.engine import limits, retry
from promptstudio_lab.engine.budget import Budget
from promptstudio_lab.engine.limits import Limiter
from promptstudio_lab.engine.records import AttemptStarted, CallEnded, NodeEnded, RunEnded
from promptstudio_lab.errors import (
    BadReply,
    BudgetExceeded,
    MissingKey,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
)
from promptstudio_lab.flows.language.builder import Builder
from promptstudio_lab.providers.chat import Reply, Usage
from tests.engine.parts import Heard, Scripted, many, one, plan_of, reply, run

if TYPE_CHECKING:
    from promptstudio_lab.engine.plan import Plan
    from promptstudio_lab.providers.chat import ChatRequest
    from promptstudio_lab.values import Json

HALF = ProviderUnavailable("gone", reply=reply("half"))
NO_KEY = MissingKey("no key")
COST = 10 * 150 + 5 * 600  # ten tokens in, five out, at the simulated small model's price


def asking(**settings: Json) -> Plan:
    f = Builder()
    f.input("x", "text", default="")
    f.output(answer=f.llm("ask", prompt="Hi", model="scripted:small", max_tokens=10, **settings))
    return plan_of(f)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let time pass at once, and give how long each wait would have been."""
    slept: list[float] = []
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        if seconds:
            slept.append(seconds)
        await real(0)

    monkeypatch.setattr("promptstudio_lab.engine.call.asyncio.sleep", sleep)
    clock = Limiter(clock=lambda: sum(slept))
    monkeypatch.setitem(limits._limiters, "scripted", clock)
    return slept


@pytest.mark.usefixtures("priced")
def test_each_attempt_is_announced_ended_and_counted(
    scripted: Scripted, waits: list[float]
) -> None:
    half = reply("half")
    scripted.script.extend(
        [ProviderUnavailable("gone", reply=half), RateLimited("slow", retry_after_s=7), reply("ok")]
    )
    heard = Heard()
    ended = run(asking(), sink=heard)
    assert ended.outputs == {"answer": "ok"}
    assert [a.attempt for a in heard.of(AttemptStarted)] == [1, 2, 3]
    calls = heard.of(CallEnded)
    assert [type(call.failure) for call in calls] == [ProviderUnavailable, RateLimited, type(None)]
    assert [call.cost for call in calls] == [COST, 0, COST]
    assert len({call.prompt_execution_id for call in calls}) == 3
    assert ended.cost == 2 * COST, "a half answer was paid for"
    (node,) = [node for node in ended.nodes if node.calls]
    assert node.calls == tuple(calls)
    assert (node.input_tokens, node.output_tokens) == (20, 10)
    assert len(waits) == 2
    assert 7 <= waits[1] < 9
    kinds = [type(record) for record in heard.all if type(record) in (AttemptStarted, CallEnded)]
    assert kinds == [AttemptStarted, CallEnded] * 3, "announced before, ended after"


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize(
    ("failure", "calls"),
    [
        (ProviderUnavailable("gone"), 4),
        (RateLimited("slow"), 4),
        (RateLimited("slow", retry_after_s=3600), 1),
        (MissingKey("no key"), 1),
        (BadReply("no", code="refusal"), 1),
        (ValueError("a bug"), 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_only_what_may_pass_is_tried_again(
    scripted: Scripted, failure: Exception, calls: int
) -> None:
    scripted.script.extend([failure] * 9)
    ended = run(asking())
    assert ended.status == "failed"
    assert len(scripted.requests) == calls
    assert str(failure) in str(ended.error)
    assert ended.error_code == getattr(failure, "code", "error")


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize(("most", "calls"), [(1, 1), (2, 2), (6, 6), (0, 1)])
def test_the_policy_says_how_often(scripted: Scripted, most: int, calls: int) -> None:
    scripted.script.extend([ProviderUnavailable("gone")] * 9)
    run(asking(retry={"max": most}))
    assert len(scripted.requests) == calls


def test_waits_double_and_never_pass_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "random", lambda: 0.0)
    gone = ProviderUnavailable("gone")
    assert [retry.wait_s(gone, n) for n in (1, 2, 3, 4)] == [0.5, 1.0, 2.0, 4.0]
    assert retry.wait_s(gone, 50) == 60.0
    assert retry.wait_s(RateLimited("slow", retry_after_s=60), 1) == 60.0
    assert retry.wait_s(RateLimited("slow", retry_after_s=0), 1) == 0.0
    assert retry.wait_s(RateLimited("slow", retry_after_s=61), 1) is None
    assert retry.wait_s(MissingKey("no"), 1) is None


def test_waits_are_spread_so_that_not_all_return_at_once() -> None:
    gone = ProviderUnavailable("gone")
    waits = {retry.wait_s(gone, 3) for _ in range(50)}
    assert len(waits) > 40
    assert all(wait is not None and 2 <= wait < 2.5 for wait in waits)


async def _never(_: ChatRequest) -> Reply:
    await asyncio.sleep(30)
    return reply()


def test_a_call_has_a_deadline(scripted: Scripted) -> None:
    scripted.behave = _never
    heard = Heard()
    ended = run(asking(timeout_s=0.02, retry={"max": 2}), sink=heard)
    assert ended.error_code == "timeout"
    assert "0.02 s" in str(ended.error)
    assert len(heard.of(CallEnded)) == 2
    assert scripted.flying == 0, "the call was cancelled"
    assert scripted.requests[0].timeout_s == 0.02


def test_a_call_without_an_answer_has_an_unknown_cost(scripted: Scripted) -> None:
    scripted.behave = _never
    heard = Heard()
    ended = run(asking(timeout_s=0.02, retry={"max": 1}), sink=heard)
    assert [call.cost for call in heard.of(CallEnded)] == [None], "it may have been charged"
    assert ended.cost is None


def test_an_unknown_price_is_unknown_and_no_zero(scripted: Scripted) -> None:
    ended = run(asking())
    assert ended.cost is None
    assert ended.input_tokens == 10
    scripted.script.append(reply(usage=None))
    silent = run(asking())
    assert (silent.cost, silent.input_tokens, silent.output_tokens) == (None, None, None)


@pytest.mark.usefixtures("priced")
def test_a_budget_stops_before_the_call_that_could_break_it(scripted: Scripted) -> None:
    worst = 1 * 150 + 10 * 600
    budget = Budget(worst - 1)
    heard = Heard()
    ended = run(asking(), sink=heard, budget=budget)
    assert ended.error_code == "budget_exceeded"
    assert scripted.requests == []
    assert heard.of(AttemptStarted) == []
    assert (budget.spent, budget._reserved) == (0, 0)
    assert run(asking(), budget=Budget(worst)).status == "succeeded"


@pytest.mark.usefixtures("priced")
def test_a_budget_holds_with_fifty_in_flight(scripted: Scripted) -> None:
    budget = Budget(20 * COST)
    spent: list[int] = []

    async def behave(_: ChatRequest) -> Reply:
        await asyncio.sleep(random.random() / 500)
        spent.append(budget.spent + budget._reserved)
        return reply()

    scripted.behave = behave
    ended = asyncio.run(many(asking(), 200, budget=budget, concurrency=50))
    assert len(ended) == 200
    assert max(spent) <= 20 * COST
    assert budget.spent <= 20 * COST
    assert budget.spent == COST * len(scripted.requests)
    assert budget._reserved == 0
    assert 10 < len(scripted.requests) <= 20


@pytest.mark.usefixtures("priced")
def test_a_cancelled_call_counts_in_full(scripted: Scripted) -> None:
    scripted.behave = _never
    budget = Budget()

    async def work() -> None:
        task = asyncio.create_task(one(asking(), budget=budget))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(work())
    assert budget.spent == 1 * 150 + 10 * 600
    assert budget._reserved == 0
    assert scripted.flying == 0


def test_a_cancelled_call_is_a_row_of_unknown_cost(scripted: Scripted) -> None:
    scripted.behave = _never
    heard = Heard()

    async def work() -> None:
        task = asyncio.create_task(one(asking(), sink=heard))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(work())
    assert len(heard.of(AttemptStarted)) == 1
    (ended,) = heard.of(RunEnded)
    assert ended.cost is None, "a call was made, and nobody knows what it cost"


@pytest.mark.usefixtures("priced")
def test_what_a_cancelled_node_has_paid_is_part_of_the_total(scripted: Scripted) -> None:
    first = asyncio.Event()

    async def behave(request: ChatRequest) -> Reply:
        if request.messages[-1].content == "slow":
            first.set()
            raise HALF
        await first.wait()
        await asyncio.sleep(0.02)
        raise NO_KEY

    scripted.behave = behave
    f = Builder()
    slow = f.llm("slow", prompt="slow", model="scripted:small")
    bad = f.llm("bad", prompt="bad", model="scripted:small")
    f.output(slow=slow, bad=bad)
    heard = Heard()
    ended = run(plan_of(f), sink=heard)
    leaves = sum(call.cost for call in heard.of(CallEnded))
    assert leaves == COST
    assert {node.step.key: node.cost for node in heard.of(NodeEnded)}["slow"] == COST
    assert ended.cost == leaves


def test_a_budget_is_settled_by_what_was_paid() -> None:
    budget = Budget(100)
    budget.reserve(60)
    budget.reserve(40)
    with pytest.raises(BudgetExceeded, match="reserved"):
        budget.reserve(1)
    budget.settle(60, 10)
    budget.settle(40, None)
    assert budget.spent == 50
    budget.reserve(50)
    with pytest.raises(BudgetExceeded):
        budget.reserve(1)
    free = Budget()
    free.reserve(10**18)


def test_the_request_is_what_the_node_says(scripted: Scripted) -> None:
    f = Builder()
    x = f.input("x", "text")
    shape: dict[str, Any] = {"type": "object", "properties": {"n": {"type": "integer"}}}
    scripted.script.append(reply('{"n": 1}'))
    asked = f.llm("ask", prompt="A {{ x }}", x=x, system="S", returns=shape, seed=3, timeout_s=9)
    f.output(n=asked.n)
    assert run(plan_of(f), {"x": "b"}).outputs == {"n": 1}
    (request,) = scripted.requests
    assert request.model == "one", "the default model, without its provider"
    assert [(m.role, m.content) for m in request.messages] == [("system", "S"), ("user", "A b")]
    assert (request.seed, request.timeout_s, request.returns) == (3, 9.0, shape)
    assert (request.temperature, request.max_tokens) == (None, None)


def test_an_answer_of_another_shape_keeps_its_cost(scripted: Scripted) -> None:
    scripted.script.append(reply("no json", usage=Usage(4, 0, 4, 0)))
    f = Builder()
    f.output(answer=f.llm("ask", prompt="Hi", returns={"label": ["a"]}).label)
    ended = run(plan_of(f))
    assert ended.error_code == "schema"
    assert ended.input_tokens == 4


def test_timeouts_are_transient() -> None:
    assert retry.wait_s(ProviderTimeout("late"), 1) is not None

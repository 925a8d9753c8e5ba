from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from promptstudio_lab.engine import limits
from promptstudio_lab.engine.limits import Limiter, Rate, limit, limiter
from promptstudio_lab.errors import RateLimited, SettingsError
from promptstudio_lab.providers.chat import ChatRequest, Message
from promptstudio_lab.providers.prices import most_tokens
from tests.engine.graphs import ask, gives, node, planned
from tests.engine.parts import Scripted, many, reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from promptstudio_lab.engine.plan import Plan
    from promptstudio_lab.values import Json


class Time:
    """Seconds that pass only while everybody sleeps."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.now = 0.0
        self._due: list[tuple[float, asyncio.Future[None]]] = []

    def __call__(self) -> float:
        """Tell the time."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Let some time pass."""
        if seconds <= 0:
            await _REAL_SLEEP(0)
            return
        done = asyncio.get_running_loop().create_future()
        self._due.append((self.now + seconds, done))
        await done

    async def until(self, work: Awaitable[Any]) -> Any:  # whatever the work returns
        """Go on, from one waking to the next, until some work is done."""
        task = asyncio.ensure_future(work)
        while not task.done():
            for _ in range(60):
                await _REAL_SLEEP(0)
            if self._due and not task.done():
                self.now = min(at for at, _ in self._due)
                woken = [done for at, done in self._due if at <= self.now]
                self._due = [pair for pair in self._due if pair[0] > self.now]
                for done in woken:
                    if not done.done():
                        done.set_result(None)
        return task.result()


_REAL_SLEEP = asyncio.sleep


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    """Replace the clock and the sleeping of limits and retries."""
    found = Time()
    monkeypatch.setattr(asyncio, "sleep", found.sleep)
    monkeypatch.setattr(limits, "_limiters", {})
    return found


def when_let_through(time: Time, found: Limiter, tokens: list[int]) -> list[float]:
    async def one(amount: int) -> float:
        await found.wait(amount)
        return time.now

    async def all_of() -> list[float]:
        return await asyncio.gather(*map(one, tokens))

    return asyncio.run(time.until(all_of()))


def test_no_limit_never_waits(time: Time) -> None:
    assert when_let_through(time, Limiter(clock=time), [10**6] * 100) == [0.0] * 100


def test_requests_are_spread_in_the_order_of_asking(time: Time) -> None:
    found = when_let_through(time, Limiter(60, clock=time), [1] * 10)
    assert found == [0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]


def test_no_minute_holds_more_than_it_may(time: Time) -> None:
    found = when_let_through(time, Limiter(120, clock=time), [1] * 500)
    busiest = max(sum(at <= other < at + 60 for other in found) for at in found)
    assert 120 <= busiest <= 120 + 2 + 1, "a minute's number, and what a second allows at once"
    assert found == sorted(found)


def test_tokens_are_counted_and_the_tighter_limit_holds(time: Time) -> None:
    found = when_let_through(time, Limiter(6000, 600, clock=time), [100] * 4)
    assert found == [0.0, 9.0, 19.0, 29.0]
    loose = when_let_through(Time(), Limiter(60, 10**9, clock=Time()), [1])
    assert loose == [0.0]


def test_an_idle_provider_saves_nothing_up() -> None:
    rate = Rate(60)
    assert [rate.wait_s(1, at=1000.0) for _ in range(4)] == [0.0, 0.0, 1.0, 2.0]


def test_a_pause_holds_everybody_those_who_wait_already_too(time: Time) -> None:
    found = Limiter(60, clock=time)

    async def pause() -> None:
        await asyncio.sleep(0.5)
        found.pause(30.0)
        found.pause(1.0)

    async def one() -> float:
        await found.wait(1)
        return time.now

    async def all_of() -> list[float]:
        early = [asyncio.create_task(one()) for _ in range(4)]
        await pause()
        return await asyncio.gather(*early, one())

    assert asyncio.run(time.until(all_of())) == [0.0, 0.0, 30.5, 30.5, 30.5]


@pytest.mark.parametrize("wrong", [0, -1, float("nan"), float("inf"), "fast", [1], True])
def test_a_limit_that_is_no_positive_number_is_refused(wrong: Json) -> None:
    with pytest.raises(SettingsError, match="must be a positive number a minute"):
        Limiter(wrong)
    with pytest.raises(SettingsError, match="must be a positive number a minute"):
        limit("refused", tokens_per_minute=wrong)


@pytest.mark.parametrize("wrong", [5, "fast", ["requests_per_minute"], {"requests_per_second": 1}])
def test_settings_that_mean_nothing_are_named(monkeypatch: pytest.MonkeyPatch, wrong: Json) -> None:
    monkeypatch.setattr(limits, "_limiters", {})
    monkeypatch.setattr(limits, "personal", lambda _: {"scripted": wrong})
    with pytest.raises(SettingsError, match=r"`limits.scripted` in settings.toml takes"):
        limiter("scripted")


def test_settings_are_read_once_a_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def personal(name: str) -> Json:
        read.append(name)
        return {"scripted": {"requests_per_minute": 60}}

    monkeypatch.setattr(limits, "_limiters", {})
    monkeypatch.setattr(limits, "personal", personal)
    assert limiter("scripted") is limiter("scripted")
    assert read == ["limits"]
    assert limiter("other") is not limiter("scripted")


def asking() -> Plan:
    nodes = {
        "x": node("input", {"type": "text"}),
        "say": ask(x="x.value", policy={"retry": {"max": 2}}),
        "out": gives(y="say.text"),
    }
    return planned(nodes)


def ran(time: Time, count: int) -> list[str]:
    async def work() -> list[str]:
        return [ended.status for ended in await many(asking(), count, concurrency=count)]

    return asyncio.run(time.until(work()))


@pytest.mark.usefixtures("priced")
def test_one_that_is_told_to_wait_makes_all_wait(
    scripted: Scripted, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits._limiters["scripted"] = Limiter(60, clock=time)
    monkeypatch.setattr("promptstudio_lab.engine.retry._jitter", lambda: 1.0)
    asked: list[float] = []

    async def behave(_: ChatRequest) -> object:
        asked.append(time.now)
        if len(asked) == 1:
            message = "slow down"
            raise RateLimited(message, retry_after_s=20.0)
        return reply()

    scripted.behave = behave  # type: ignore[assignment]  # it returns replies
    assert ran(time, 5) == ["succeeded"] * 5
    assert len(asked) == 6
    late = [at for at in asked if at >= 20.0]
    assert len(late) >= 4, "only what went out together with the first came before"
    assert [at for at in asked if 1.0 <= at < 20.0] == []


@pytest.mark.usefixtures("priced")
def test_a_pause_longer_than_anybody_waits_stops_nobody_in_silence(
    scripted: Scripted, time: Time
) -> None:
    limits._limiters["scripted"] = Limiter(clock=time)
    scripted.script.append(RateLimited("come back tomorrow", retry_after_s=86_400.0))
    assert sorted(ran(time, 3)) == ["failed", "succeeded", "succeeded"]
    assert time.now < 120, "nobody slept for a day"
    assert sorted(ran(time, 1)) == ["succeeded"]
    assert time.now < 120


@pytest.mark.usefixtures("priced")
def test_a_call_takes_the_tokens_of_its_prompt_and_of_its_longest_answer(
    scripted: Scripted, time: Time
) -> None:
    taken: list[int] = []

    class Noting(Limiter):
        async def wait(self, tokens: int) -> None:
            taken.append(tokens)
            await super().wait(tokens)

    limits._limiters["scripted"] = Noting(clock=time)
    assert ran(time, 1) == ["succeeded"]
    assert taken == [most_tokens(scripted.requests[0])]
    short, long = (ChatRequest("m", (Message("user", "x"),), max_tokens=n) for n in (10, 1000))
    assert most_tokens(long) - most_tokens(short) == 990


def test_limits_of_the_module_are_replaced_and_lifted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_limiters", {})
    limit("scripted", requests_per_minute=1)
    slow = limiter("scripted")
    limit("scripted")
    lifted: Callable[[int], Awaitable[None]] = limiter("scripted").wait
    assert limiter("scripted") is not slow
    asyncio.run(asyncio.wait_for(lifted(10**9), 1))

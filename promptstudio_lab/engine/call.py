"""One node's way to a model: budget, attempt row, call, price, retry; each try a costed record."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, TypeAlias

from promptstudio_lab.engine import retry
from promptstudio_lab.engine.limits import limiter
from promptstudio_lab.engine.records import AttemptStarted, CallEnded, Measured, measured
from promptstudio_lab.errors import BadReply, ProviderError, ProviderTimeout, RateLimited
from promptstudio_lab.ids import derived_id
from promptstudio_lab.nodes import Waiting
from promptstudio_lab.providers import provider_of
from promptstudio_lab.providers.chat import ChatRequest, Message, Reply
from promptstudio_lab.providers.prices import most_tokens, price, worst_case
from promptstudio_lab.values import without_surrogates
from promptstudio_lab.warehouse.types import now

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from promptstudio_lab.engine.live import Live
    from promptstudio_lab.engine.plan import Prompt, Step
    from promptstudio_lab.values import Json

_TIMEOUT_S = 120.0
_MOST_TOKENS = 2**53


# Runs the nodes inside a node once: values by input, and which time it is.
Body: TypeAlias = "Callable[[Mapping[str, Json], str], Awaitable[Mapping[str, Json]]]"


class NodeContext:
    """What one running node may reach.

    Args:
        live: the run it belongs to.
        step: the node.
        path: where in the flow's bodies it runs.
        body: runs the nodes inside it once.
    """

    def __init__(self, live: Live, step: Step, path: str, body: Body) -> None:
        """Begin with no calls made."""
        self.live, self.step, self.path, self._body = live, step, path, body
        self.node_execution_id = live.key(step, path)
        self.calls: list[CallEnded] = []
        self.metrics: list[Measured] = []
        self.announced: AttemptStarted | None = None
        self._attempts = 0

    @property
    def prompt(self) -> str:
        """Return the text of the node's template version."""
        return self._prompt.text

    @property
    def _prompt(self) -> Prompt:
        if self.step.prompt is None:
            message = f"{self.step.key} has no prompt"
            raise ProviderError(message)
        return self.step.prompt

    async def ask(
        self,
        messages: list[tuple[str, str]],
        *,
        models: Sequence[str],
        returns: Mapping[str, Json] | None,
        options: Mapping[str, Json],
    ) -> str:
        """Return a model's whole answer, trying again, and then the next model, where that helps.

        Raises:
            ProviderError: what the last model ended in.
            BudgetExceeded: if the call could break the budget.
        """
        for model in models[:-1]:
            try:
                return await self._ask(model, messages, returns, options)
            except ProviderError:
                # Its calls are on record with what they cost; the next model is asked.
                continue
        return await self._ask(models[-1] if models else "", messages, returns, options)

    async def _ask(
        self,
        model: str,
        messages: list[tuple[str, str]],
        returns: Mapping[str, Json] | None,
        options: Mapping[str, Json],
    ) -> str:
        name = model or self.live.run.plan.default_model
        provider, _, bare = name.partition(":")
        request = ChatRequest(
            model=bare,
            messages=tuple(Message(role, content) for role, content in messages),
            returns=returns,
            timeout_s=float(self.step.policy.get("timeout_s") or _TIMEOUT_S),
            **options,
        )
        most = retry.attempts(self.step.policy)
        for attempt in range(1, most + 1):
            try:
                return (await self._try(provider, request, self._next_attempt())).text
            except ProviderError as error:
                wait = retry.wait_s(error, attempt)
                if isinstance(error, RateLimited) and wait is not None:
                    # Others need not find out for themselves; for longer, nobody waits.
                    limiter(provider).pause(error.retry_after_s or 0.0)
                if wait is None or attempt == most:
                    raise
                await asyncio.sleep(wait)
        raise AssertionError

    async def body(self, values: Mapping[str, Json], place: str) -> Mapping[str, Json]:
        """Run the nodes inside this node once and return their outputs by field."""
        return await self._body(values, place)

    async def announce(self) -> None:
        """Tell that the node is about to reach outside; it may once this returns."""
        self.announced = self._begun(self._next_attempt())
        await self.live.sink.attempt_started(self.announced)

    def _begun(self, attempt: int) -> AttemptStarted:
        run, step, key = self.live.run, self.step, self.node_execution_id
        return AttemptStarted(run, step, self.path, key, attempt, now())

    async def compute(
        self, source: str, inputs: Mapping[str, Json], timeout_s: float
    ) -> Mapping[str, Json]:
        """Run approved Python code in a child process and return what it returned."""
        # Few flows reach outside, and what they need for it is slow to load.
        from promptstudio_lab.engine.reach.code import compute

        return await compute(source, inputs, timeout_s)

    async def fetch(self, request: Mapping[str, Json], timeout_s: float) -> Mapping[str, Json]:
        """Make one HTTP request to a host that the user allows."""
        from promptstudio_lab.engine.reach.http import fetch

        return await fetch(request, timeout_s)

    async def query(
        self, connection: str, sql: str, parameters: Mapping[str, Json], most: int
    ) -> list[Json]:
        """Return the rows of a SELECT on one of the user's own named connections."""
        from promptstudio_lab.warehouse.outside import query

        return await asyncio.to_thread(query, connection, sql, parameters, most)

    def answer(self, question: Mapping[str, Json]) -> Json:
        """Return what a person answered.

        Raises:
            Waiting: if nobody has answered yet.
        """
        place = (self.step.node_id, self.path)
        if place not in self.live.past.answers:
            raise Waiting(question)
        return self.live.past.answers[place]

    def metric(self, name: str, value: float, unit: str | None = None, **dimensions: Json) -> None:
        """Keep a measurement of this node.

        Raises:
            ValueRefused: for a value that is no finite number.
        """
        self.metrics.append(measured(name, value, unit, dimensions))

    def _hear(self) -> Callable[[str], None] | None:
        hear = self.live.on_text
        return partial(hear, self.step.name) if hear else None

    def _next_attempt(self) -> int:
        self._attempts += 1
        return self._attempts

    async def _try(self, provider: str, request: ChatRequest, attempt: int) -> Reply:
        await limiter(provider).wait(most_tokens(request))
        reserved = worst_case(provider, request)
        self.live.budget.reserve(reserved)
        cost: int | None = 0
        begun = self._begun(attempt)
        try:
            await self.live.sink.attempt_started(begun)
            # From here on the call may have been made, so until its end it counts in full.
            cost = None
            call = await self._call(begun, provider, request)
            cost = call.cost
        finally:
            self.live.budget.settle(reserved, cost)
        if call.failure is not None:
            raise call.failure
        if call.reply is None:
            raise AssertionError
        return call.reply

    async def _call(self, begun: AttemptStarted, provider: str, request: ChatRequest) -> CallEnded:
        started = perf_counter()
        try:
            reply = await self._send(provider, request)
        except asyncio.CancelledError:
            cut = BadReply("cancelled while it was in flight", code="cancelled")
            await self._note(begun, provider, request, started, cut)
            raise
        except ProviderError as error:
            return await self._note(begun, provider, request, started, error)
        return await self._note(begun, provider, request, started, reply)

    async def _note(
        self,
        begun: AttemptStarted,
        provider: str,
        request: ChatRequest,
        started: float,
        outcome: Reply | ProviderError,
    ) -> CallEnded:
        reply, failure = _sound(outcome)
        cost, source = _cost(provider, reply, failure, begun)
        call = CallEnded(
            attempt=begun,
            completed_at=now(),
            prompt_execution_id=derived_id(self.node_execution_id, "call", len(self.calls)),
            prompt=self._prompt,
            provider=provider,
            model=reply.model if reply else request.model,
            request=request,
            reply=reply,
            failure=failure,
            latency_ms=reply.latency_ms if reply else (perf_counter() - started) * 1e3,
            cost=cost,
            price_source=source,
        )
        self.calls.append(call)
        await self.live.sink.call_ended(call)
        return call

    async def _send(self, provider: str, request: ChatRequest) -> Reply:
        try:
            async with asyncio.timeout(request.timeout_s):
                return await provider_of(provider).complete(request, self._hear())
        except TimeoutError:
            message = f"{provider}:{request.model} did not answer within {request.timeout_s:g} s"
            raise ProviderTimeout(message) from None


def _sound(outcome: Reply | ProviderError) -> tuple[Reply | None, ProviderError | None]:
    """Return the reply and the failure in a form that every engine can keep."""
    if isinstance(outcome, ProviderError):
        reply = outcome.reply if isinstance(outcome.reply, Reply) else None
        failure: ProviderError | None = outcome
    else:
        reply, failure = outcome, None
    if reply is None:
        return None, failure
    usage = reply.usage
    counts = usage and (
        *(usage.input_tokens, usage.cached_tokens),
        *(usage.output_tokens, usage.reasoning_tokens),
    )
    if counts and not all(map(_is_count, counts)):
        said = ", ".join(map(str, counts))
        failure = failure or BadReply(
            f"the provider counts impossible tokens: {said}", code="malformed"
        )
        reply = replace(reply, usage=None)
    text = without_surrogates(reply.text)
    return (reply if text == reply.text else replace(reply, text=text)), failure


def _is_count(count: int | None) -> bool:
    return count is None or 0 <= count <= _MOST_TOKENS


def _cost(
    provider: str, reply: Reply | None, failure: ProviderError | None, begun: AttemptStarted
) -> tuple[int | None, str | None]:
    if reply is not None:
        return price(provider, reply, begun.started_at)
    # Without a reply the provider may have charged all the same: unknown is not zero.
    return (0 if failure is not None and failure.free else None), None

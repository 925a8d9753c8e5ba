"""One node's way to a model: budget, attempt row, call, price, retry; each try a costed record."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import TYPE_CHECKING

from promptstudio_lab.engine import retry
from promptstudio_lab.engine.records import AttemptStarted, CallEnded, RunStarted, Sink
from promptstudio_lab.errors import ProviderError, ProviderTimeout
from promptstudio_lab.ids import derived_id
from promptstudio_lab.providers import provider_of
from promptstudio_lab.providers.chat import ChatRequest, Message, Reply
from promptstudio_lab.providers.prices import price, worst_case
from promptstudio_lab.warehouse.types import now

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from promptstudio_lab.engine.budget import Budget
    from promptstudio_lab.engine.plan import Prompt, Step
    from promptstudio_lab.values import Json

_TIMEOUT_S = 120.0


class NodeContext:
    """What one running node may reach.

    Args:
        run: the run it belongs to.
        step: the node.
        node_execution_id: the key of its row.
        sink: whoever listens.
        budget: what may still be spent.
        on_text: gets each piece of streamed text.
    """

    def __init__(  # noqa: PLR0913 — everything that a node may reach, and nothing else
        self,
        run: RunStarted,
        step: Step,
        node_execution_id: str,
        sink: Sink,
        budget: Budget,
        on_text: Callable[[str], None] | None = None,
    ) -> None:
        """Begin with no calls made."""
        self._run, self._step, self._id = run, step, node_execution_id
        self._sink, self._budget, self._on_text = sink, budget, on_text
        self.calls: list[CallEnded] = []

    @property
    def prompt(self) -> str:
        """Return the text of the node's template version."""
        return self._prompt.text

    @property
    def _prompt(self) -> Prompt:
        if self._step.prompt is None:
            message = f"{self._step.key} has no prompt"
            raise ProviderError(message)
        return self._step.prompt

    async def ask(
        self,
        messages: list[tuple[str, str]],
        *,
        model: str,
        returns: Mapping[str, Json] | None,
        options: Mapping[str, Json],
    ) -> str:
        """Return a model's whole answer, trying again where that helps.

        Raises:
            ProviderError: what the last try ended in.
            BudgetExceeded: if the call could break the budget.
        """
        name = model or self._run.plan.default_model
        provider, _, bare = name.partition(":")
        request = ChatRequest(
            model=bare,
            messages=tuple(Message(role, content) for role, content in messages),
            returns=returns,
            timeout_s=float(self._step.policy.get("timeout_s") or _TIMEOUT_S),
            **options,
        )
        most = retry.attempts(self._step.policy)
        for attempt in range(1, most + 1):
            try:
                return (await self._try(provider, request, attempt)).text
            except ProviderError as error:
                wait = retry.wait_s(error, attempt)
                if wait is None or attempt == most:
                    raise
                await asyncio.sleep(wait)
        raise AssertionError

    async def _try(self, provider: str, request: ChatRequest, attempt: int) -> Reply:
        reserved = worst_case(provider, request)
        self._budget.reserve(reserved)
        cost: int | None = None
        begun = AttemptStarted(self._run, self._step, self._id, attempt, now())
        paid = False
        try:
            await self._sink.attempt_started(begun)
            paid = True
            started = perf_counter()
            try:
                reply = await self._send(provider, request)
            except ProviderError as error:
                cost = await self._failed(begun, provider, request, error, _ms(started))
                raise
            cost, source = price(provider, reply, begun.started_at)
            await self._ended(begun, provider, request, reply, reply.latency_ms, cost, source)
            return reply
        finally:
            self._budget.settle(reserved, cost if paid else 0)

    async def _send(self, provider: str, request: ChatRequest) -> Reply:
        try:
            async with asyncio.timeout(request.timeout_s):
                return await provider_of(provider).complete(request, self._on_text)
        except TimeoutError:
            message = f"{provider}:{request.model} did not answer within {request.timeout_s:g} s"
            raise ProviderTimeout(message) from None

    async def _failed(  # noqa: PLR0913 — the parts of one record
        self,
        begun: AttemptStarted,
        provider: str,
        request: ChatRequest,
        error: ProviderError,
        latency_ms: float,
    ) -> int | None:
        reply = error.reply if isinstance(error.reply, Reply) else None
        cost, source = price(provider, reply, begun.started_at) if reply else (0, None)
        await self._ended(
            begun, provider, request, reply, latency_ms, cost, source, (error.code, str(error))
        )
        return cost

    async def _ended(  # noqa: PLR0913 — the parts of one record
        self,
        begun: AttemptStarted,
        provider: str,
        request: ChatRequest,
        reply: Reply | None,
        latency_ms: float,
        cost: int | None,
        source: str | None,
        error: tuple[str | None, str | None] = (None, None),
    ) -> None:
        call = CallEnded(
            attempt=begun,
            completed_at=now(),
            prompt_execution_id=derived_id(self._id, "call", len(self.calls)),
            prompt=self._prompt,
            provider=provider,
            model=reply.model if reply else request.model,
            request=request,
            reply=reply,
            error_code=error[0],
            error=error[1],
            latency_ms=latency_ms,
            cost=cost,
            price_source=source,
        )
        self.calls.append(call)
        await self._sink.call_ended(call)


def _ms(started: float) -> float:
    return (perf_counter() - started) * 1e3

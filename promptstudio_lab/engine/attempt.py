"""Running one node, whatever happens inside it: the engine's one place that catches everything."""

from __future__ import annotations

import asyncio
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from promptstudio_lab.engine.call import NodeContext
from promptstudio_lab.engine.records import NodeEnded, RunStarted, Sink, Status
from promptstudio_lab.errors import PromptStudioError, ProviderError
from promptstudio_lab.ids import derived_id
from promptstudio_lab.nodes import kinds
from promptstudio_lab.values import dumps, total, without_surrogates
from promptstudio_lab.warehouse.types import now

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime

    from promptstudio_lab.engine.budget import Budget
    from promptstudio_lab.engine.plan import Step
    from promptstudio_lab.values import Json


async def run_node(
    run: RunStarted,
    step: Step,
    inputs: Mapping[str, Json] | None,
    sink: Sink,
    budget: Budget,
    on_text: Callable[[str, str], None] | None = None,
) -> NodeEnded:
    """Run one node and tell the sink how it ended.

    Args:
        run: the run it belongs to.
        step: the node.
        inputs: its values, or None to skip it.
        sink: whoever listens.
        budget: what may be spent.
        on_text: gets (node key, text) as a model answers.

    Returns:
        How it ended; a failure is a record and not an exception.
    """
    begun = _Begun(now(), perf_counter())
    key = derived_id(run.input.run_id, step.node_id, "")
    hear = partial(on_text, step.key) if on_text else None
    context = NodeContext(run, step, key, sink, budget, hear)
    try:
        outcome = await _outcome(step, inputs, context)
    except asyncio.CancelledError:
        cut = _ended(context, begun, inputs, _Outcome("cancelled"))
        await sink.node_ended(cut)
        raise NodeCut(cut) from None
    ended = _ended(context, begun, inputs, outcome)
    await sink.node_ended(ended)
    return ended


class _Begun(NamedTuple):
    at: datetime
    clock: float


class _Outcome(NamedTuple):
    status: Status
    outputs: Mapping[str, Json] | None = None
    error_code: str | None = None
    error: str | None = None


class NodeCut(asyncio.CancelledError):
    """A node was cancelled; `node` is its record, which is part of the run like any other."""

    def __init__(self, node: NodeEnded) -> None:
        """Keep the record."""
        super().__init__()
        self.node = node


class Caught(NamedTuple):
    """What came of somebody else's code: a value, or an error as a code and words."""

    value: Json = None
    error_code: str | None = None
    error: str | None = None


async def caught(work: Callable[[], Awaitable[Json]]) -> Caught:
    """Run a node or a scorer, which may be anybody's code; whatever it raises is a record."""
    try:
        return Caught(await work())
    except PromptStudioError as failure:
        return Caught(None, _code(failure), without_surrogates(str(failure)))
    except Exception as failure:  # noqa: BLE001 — it may be anybody's code; the record keeps it
        text = f"{type(failure).__name__}: {failure}"
        return Caught(None, "error", without_surrogates(text))


async def _outcome(step: Step, inputs: Mapping[str, Json] | None, context: NodeContext) -> _Outcome:
    if inputs is None:
        return _Outcome("skipped")

    async def work() -> Json:
        outputs = await kinds[step.kind].run(step.config, inputs, context)
        # A value that has no exact form fails the node here, where it was made.
        dumps(outputs)
        return outputs

    found = await caught(work)
    if found.error is not None:
        return _Outcome("failed", None, found.error_code, found.error)
    return _Outcome("succeeded", found.value)


def _code(failure: PromptStudioError) -> str:
    if isinstance(failure, ProviderError):
        return failure.code
    name = type(failure).__name__
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)[1:]


def _ended(
    context: NodeContext, begun: _Begun, inputs: Mapping[str, Json] | None, outcome: _Outcome
) -> NodeEnded:
    usages = [call.reply.usage for call in context.calls if call.reply]
    return NodeEnded(
        run=context.run,
        step=context.step,
        node_execution_id=context.node_execution_id,
        status=outcome.status,
        started_at=begun.at,
        completed_at=now(),
        execution_time_ms=(perf_counter() - begun.clock) * 1e3,
        inputs=inputs,
        outputs=outcome.outputs,
        error_code=outcome.error_code,
        error=outcome.error,
        calls=tuple(context.calls),
        cost=total(call.cost for call in context.calls),
        input_tokens=total(usage.read_tokens if usage else None for usage in usages),
        output_tokens=total(usage.written_tokens if usage else None for usage in usages),
    )

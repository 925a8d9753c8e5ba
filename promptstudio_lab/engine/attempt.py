"""Running one node, whatever happens inside it: the engine's one place that catches everything."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from promptstudio_lab.engine.cache import cache_key
from promptstudio_lab.engine.call import NodeContext
from promptstudio_lab.engine.loop import BrokenOff
from promptstudio_lab.engine.records import NodeEnded, Status
from promptstudio_lab.engine.replay.past import Kept
from promptstudio_lab.errors import NodeFailed, PromptStudioError, ProviderError
from promptstudio_lab.nodes import Waiting, kinds
from promptstudio_lab.values import dumps, total, without_surrogates
from promptstudio_lab.warehouse.types import now

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping
    from datetime import datetime

    from promptstudio_lab.engine.call import Body
    from promptstudio_lab.engine.live import Live
    from promptstudio_lab.engine.plan import Step
    from promptstudio_lab.nodes import Kind
    from promptstudio_lab.values import Json


async def run_node(
    live: Live,
    step: Step,
    inputs: Mapping[str, Json] | NodeFailed | None,
    path: str,
    body: Body,
) -> NodeEnded:
    """Run one node and tell the sink how it ended.

    Args:
        live: the run it belongs to.
        step: the node.
        inputs: its values, None to skip it, or why it cannot have them.
        path: where in the flow's bodies it runs.
        body: runs the nodes inside it once.

    Returns:
        How it ended; a failure is a record and not an exception.
    """
    begun = _Begun(now(), perf_counter())
    context = NodeContext(live, step, path, body)
    if isinstance(inputs, NodeFailed):
        refused = Outcome("failed", None, _code(inputs), str(inputs))
        ended = _ended(context, begun, None, refused)
        await live.sink.node_ended(ended)
        return ended
    known = live.past.kept.get((step.node_id, path))
    if known is not None:
        return await _repeated(context, begun, inputs, known)
    key = cache_key(live.run.plan, step, inputs) if live.cache and inputs is not None else None
    if live.cache is None or key is None:
        return await _told(context, begun, inputs, None)
    found = await live.cache.claim(key)
    if found is not None:
        return await _repeated(context, begun, inputs, found, key)
    told: NodeEnded | None = None
    try:
        told = await _told(context, begun, inputs, key)
    finally:
        live.cache.settle(key, _to_repeat(context, told))
    return told


def _to_repeat(context: NodeContext, ended: NodeEnded | None) -> Kept | None:
    if ended is None or ended.cache_key is None:
        return None
    return Kept(
        ended.node_execution_id,
        ended.status,
        ended.outputs,
        ended.cost,
        ended.input_tokens,
        ended.output_tokens,
        simulated=any(node.simulated for node in (ended, *_inside(context))),
    )


def _inside(context: NodeContext) -> list[NodeEnded]:
    """Return what has ended inside a node, however deep."""
    if not context.step.body:
        return []
    own = f"{context.path}/{context.step.key}".removeprefix("/")
    below = f"{own}[", f"{own}/"
    return [n for n in context.live.ended if n.path == own or n.path.startswith(below)]


async def _told(
    context: NodeContext, begun: _Begun, inputs: Mapping[str, Json] | None, key: str | None
) -> NodeEnded:
    try:
        outcome = await _outcome(context.step, inputs, context)
    except (asyncio.CancelledError, BrokenOff) as stop:
        cut = _ended(context, begun, inputs, Outcome("cancelled"))
        await context.live.sink.node_ended(cut)
        if isinstance(stop, BrokenOff):
            context.live.ended.append(cut)
            raise
        raise NodeCut(cut) from None
    ended = _ended(context, begun, inputs, outcome)
    # What is missing because something inside failed may be there the next time.
    if key and ended.status == "succeeded" and not _any_failed(_inside(context)):
        ended = ended._replace(cache_key=key)
    await context.live.sink.node_ended(ended)
    return ended


def _any_failed(nodes: list[NodeEnded]) -> bool:
    return any(node.status == "failed" for node in nodes)


async def _repeated(
    context: NodeContext,
    begun: _Begun,
    inputs: Mapping[str, Json] | None,
    known: Kept,
    key: str | None = None,
) -> NodeEnded:
    """Give again what a node gave; a row of this run stands already, another run's is named."""
    outcome = Outcome("skipped" if known.status == "skipped" else "succeeded", known.outputs)
    ended = _ended(context, begun, inputs, outcome)._replace(original=known, cache_key=key)
    if known.here:
        return ended._replace(node_execution_id=known.node_execution_id)
    await context.live.sink.node_ended(ended)
    return ended


class _Begun(NamedTuple):
    at: datetime
    clock: float


class Outcome(NamedTuple):
    """What came of somebody else's code: a value, or an error as a code and words."""

    status: Status
    value: Json = None
    error_code: str | None = None
    error: str | None = None
    question: Mapping[str, Json] | None = None


class NodeCut(asyncio.CancelledError):
    """A node was cancelled; `node` is its record, which is part of the run like any other."""

    def __init__(self, node: NodeEnded) -> None:
        """Keep the record."""
        super().__init__()
        self.node = node


async def caught(work: Awaitable[Json]) -> Outcome:
    """Run a node or a scorer, which may be anybody's code; whatever it raises is a record.

    Raises:
        BrokenOff: with whatever means to end more than this, such as `KeyboardInterrupt`.
    """
    try:
        return Outcome("succeeded", await work)
    except Waiting as waiting:
        return Outcome("waiting", question=waiting.question)
    except PromptStudioError as failure:
        return Outcome("failed", None, _code(failure), without_surrogates(str(failure)))
    except (asyncio.CancelledError, BrokenOff):
        raise
    except BaseException as failure:
        if not isinstance(failure, Exception):
            raise BrokenOff(failure) from failure
        # It may be anybody's code; the record keeps what it raised.
        text = f"{type(failure).__name__}: {failure}"
        return Outcome("failed", None, "error", without_surrogates(text))


async def _outcome(step: Step, inputs: Mapping[str, Json] | None, context: NodeContext) -> Outcome:
    if inputs is None:
        return Outcome("skipped")
    kind = kinds[step.kind]
    if context.live.past.closed and kind.side_effects != "none":
        message = "this run never reached the node, so there is nothing to repeat"
        return Outcome("failed", None, "not_recorded", message)
    return await caught(_outputs(kind, step, inputs, context))


async def _outputs(
    kind: Kind, step: Step, inputs: Mapping[str, Json], context: NodeContext
) -> Json:
    # A provider call is announced each time; whatever else reaches outside, here.
    if step.prompt is None and kind.side_effects != "none":
        await context.announce()
    outputs = await kind.run(step.config, inputs, context)
    # A value that has no exact form fails the node here, where it was made.
    dumps(outputs)
    return outputs


def _code(failure: PromptStudioError) -> str:
    if isinstance(failure, ProviderError):
        return failure.code
    name = type(failure).__name__
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)[1:]


def _ended(
    context: NodeContext, begun: _Begun, inputs: Mapping[str, Json] | None, outcome: Outcome
) -> NodeEnded:
    calls = tuple(context.calls)
    usages = [call.reply.usage for call in calls if call.reply]
    return NodeEnded(
        run=context.live.run,
        step=context.step,
        path=context.path,
        node_execution_id=context.node_execution_id,
        status=outcome.status,
        started_at=begun.at,
        completed_at=now(),
        execution_time_ms=(perf_counter() - begun.clock) * 1e3,
        inputs=inputs,
        outputs=outcome.value,
        error_code=outcome.error_code,
        error=outcome.error,
        calls=calls,
        cost=total([call.cost for call in calls]),
        input_tokens=total([usage.read_tokens if usage else None for usage in usages]),
        output_tokens=total([usage.written_tokens if usage else None for usage in usages]),
        question=outcome.question,
        metrics=tuple(context.metrics),
        announced=context.announced,
    )

"""Running one node, whatever happens inside it: the engine's one place that catches everything."""

from __future__ import annotations

import asyncio
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

from promptstudio_lab.engine.call import NodeContext
from promptstudio_lab.engine.records import NodeEnded, RunStarted, Sink, Status
from promptstudio_lab.errors import PromptStudioError, ProviderError
from promptstudio_lab.ids import derived_id
from promptstudio_lab.nodes import kinds
from promptstudio_lab.values import dumps, total
from promptstudio_lab.warehouse.types import now

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from promptstudio_lab.engine.budget import Budget
    from promptstudio_lab.engine.plan import Step
    from promptstudio_lab.values import Json


async def run_node(  # noqa: PLR0913 — what a node needs to run
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
    started_at, started = now(), perf_counter()
    key = derived_id(run.input.run_id, step.node_id, "")
    hear = partial(on_text, step.key) if on_text else None
    context = NodeContext(run, step, key, sink, budget, hear)
    outputs: dict[str, Json] | None = None
    error: tuple[str | None, str | None] = (None, None)
    status: Status = "skipped"
    try:
        if inputs is not None:
            outputs = await kinds[step.kind].run(step.config, inputs, context)
            # A value that has no exact form fails the node here, where it was made.
            dumps(outputs)
            status = "succeeded"
    except asyncio.CancelledError:
        ended = _ended(context, run, step, key, "cancelled", started_at, started, inputs, None)
        await sink.node_ended(ended)
        raise
    except PromptStudioError as failure:
        status, error = "failed", (_code(failure), str(failure))
    except Exception as failure:  # noqa: BLE001 — a node may be anybody's code; the record keeps it
        status, error = "failed", ("error", f"{type(failure).__name__}: {failure}")
    if status == "failed":
        outputs = None
    ended = _ended(
        context, run, step, key, status, started_at, started, inputs, outputs, error
    )
    await sink.node_ended(ended)
    return ended


def _code(failure: PromptStudioError) -> str:
    if isinstance(failure, ProviderError):
        return failure.code
    words = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in type(failure).__name__)
    return words.lstrip("_")


def _ended(  # noqa: PLR0913 — the parts of one record
    context: NodeContext,
    run: RunStarted,
    step: Step,
    key: str,
    status: Status,
    started_at: datetime,
    started: float,
    inputs: Mapping[str, Json] | None,
    outputs: Mapping[str, Json] | None,
    error: tuple[str | None, str | None] = (None, None),
) -> NodeEnded:
    usages = [call.reply.usage for call in context.calls if call.reply]
    return NodeEnded(
        run=run,
        step=step,
        node_execution_id=key,
        status=status,
        started_at=started_at,
        completed_at=now(),
        execution_time_ms=(perf_counter() - started) * 1e3,
        inputs=inputs,
        outputs=outputs,
        error_code=error[0],
        error=error[1],
        calls=tuple(context.calls),
        cost=total([call.cost for call in context.calls]),
        input_tokens=total([usage and usage.read_tokens for usage in usages]),
        output_tokens=total([usage and usage.written_tokens for usage in usages]),
    )


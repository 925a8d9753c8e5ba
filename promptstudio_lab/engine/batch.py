"""Running many items: the only thing that runs anywhere, in a cell, a worker or a cluster."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from promptstudio_lab.engine.run import run_item
from promptstudio_lab.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from promptstudio_lab.engine.budget import Budget
    from promptstudio_lab.engine.cache import Cache
    from promptstudio_lab.engine.plan import Plan
    from promptstudio_lab.engine.records import RunEnded, RunInput, Sink

TakeUp: TypeAlias = "Callable[[RunInput], Awaitable[RunInput | None]]"
CONCURRENCY = 50
_MOST = 10_000


@dataclass
class Progress:
    """How far a batch is.

    Attributes:
        total: items in all.
        done: items that have ended, well or not.
        failed: those that ended badly.
        cost: nano-dollars spent on those with a known price.
        unpriced: items whose cost is not known.
        stop: set it to end the batch after the items in flight.
        cancel: ends it at once, from any thread; calls in flight are broken off.
    """

    total: int
    done: int = 0
    failed: int = 0
    cost: int = 0
    unpriced: int = 0
    stop: bool = field(default=False)
    cancel: Callable[[], object] = field(default=lambda: None)

    def count(self, ended: RunEnded) -> None:
        """Take one more item into account."""
        self.done += 1
        self.failed += ended.status == "failed"
        self.cost += ended.cost or 0
        self.unpriced += ended.cost is None


async def execute_batch(  # noqa: PLR0913 — what a batch needs, wherever it runs
    plan: Plan,
    inputs: Iterable[RunInput],
    sink: Sink,
    *,
    budget: Budget,
    progress: Progress,
    on_ended: Callable[[RunEnded], object],
    concurrency: int = CONCURRENCY,
    cache: Cache | None = None,
    on_text: Callable[[str, str], None] | None = None,
    take_up: TakeUp | None = None,
) -> None:
    """Run items side by side, each through its variant.

    Args:
        plan: the compiled flow.
        inputs: the items; only as many as run at once are taken at a time.
        sink: whoever listens.
        budget: what may be spent in all.
        progress: kept up to date; setting its `stop` ends the batch early.
        on_ended: gets each item as it ends, in the order of ending.
        concurrency: how many items run at once.
        cache: finds what other runs have paid for.
        on_text: gets (node name, text) as models answer.
        take_up: gets each item just before it runs, and returns it with what it has behind it, or
            None to leave it to somebody else.

    Raises:
        RunError: if the concurrency is not between 1 and 10,000.
    """
    if not 1 <= concurrency <= _MOST:
        message = f"concurrency is {concurrency}; it must be between 1 and {_MOST:,}"
        raise RunError(message)
    waiting = iter(inputs)

    async def work() -> None:
        for given in _until_stopped(waiting, progress):
            item = await take_up(given) if take_up else given
            if item is None:
                progress.total -= 1
                continue
            ended = await run_item(plan, item, sink, budget, on_text, cache=cache)
            progress.count(ended)
            on_ended(ended)

    whole = asyncio.current_task()
    if whole is not None:
        progress.cancel = partial(asyncio.get_running_loop().call_soon_threadsafe, whole.cancel)
    workers = [asyncio.create_task(work()) for _ in range(min(concurrency, progress.total) or 1)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


def _until_stopped(items: Iterator[RunInput], progress: Progress) -> Iterator[RunInput]:
    while not progress.stop:
        item = next(items, None)
        if item is None:
            return
        yield item

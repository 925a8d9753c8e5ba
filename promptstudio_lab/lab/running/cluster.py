"""A batch on a cluster: shares of its items, each a task that commits before it returns.

A task that runs again, because its worker died, finds the rows of its first time: the keys of runs
derive from the batch. What was over stays, and what was cut short is gone on with.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from promptstudio_lab.engine.batch import Progress
from promptstudio_lab.engine.executors.dask import completed
from promptstudio_lab.engine.replay.interrupted import mark_interrupted
from promptstudio_lab.errors import Conflict
from promptstudio_lab.lab.facts import Environment
from promptstudio_lab.lab.running import execution
from promptstudio_lab.lab.running.recorded import taken
from promptstudio_lab.warehouse.connect import Warehouse
from promptstudio_lab.warehouse.queries.results import statuses

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from promptstudio_lab.engine.plan import Plan
    from promptstudio_lab.engine.records import RunInput
    from promptstudio_lab.identity import Actor

ITEMS_A_TASK = 100
_LOOK_EVERY_S = 0.5
_OVER = frozenset({"succeeded", "failed", "partial", "waiting", "running"})


@dataclass(frozen=True, slots=True)
class Share:
    """The items that one task runs.

    Attributes:
        url: the warehouse, as the worker reaches it.
        actor: who runs them.
        lab_id: the lab.
        default_model: the model of nodes that name none.
        plan: the compiled flow.
        inputs: the items.
        budget: nano-dollars that the task may spend.
        concurrency: how many items run at once.
    """

    url: str
    actor: Actor
    lab_id: str
    default_model: str
    plan: Plan
    inputs: tuple[RunInput, ...]
    budget: int | None
    concurrency: int


class Counts(NamedTuple):
    """What a task did."""

    done: int
    failed: int
    cost: int
    unpriced: int


def spread(  # noqa: PLR0913 — what a batch needs, and where it runs
    environment: Environment,
    client: Any,  # a `distributed.Client`, which has no types
    plan: Plan,
    inputs: Iterator[RunInput],
    *,
    progress: Progress,
    budget: int | None,
    concurrency: int,
    title: str,
) -> None:
    """Run items on a cluster; all that ran is committed when this returns."""
    url = environment.warehouse.url
    tasks = -(-progress.total // ITEMS_A_TASK)
    share = partial(Share, url, environment.actor, environment.lab_id, environment.default_model)
    # Tasks do not know of each other: together they stay below the budget if each does.
    each = None if budget is None else budget // max(1, tasks)
    shares = []
    while part := tuple(islice(inputs, ITEMS_A_TASK)):
        shares.append(share(plan, part, each, concurrency))
    with execution.Watch(progress, title):
        for counts in completed(client, run_share, shares):
            progress.done += counts.done
            progress.failed += counts.failed
            progress.cost += counts.cost
            progress.unpriced += counts.unpriced


def run_share(share: Share) -> Counts:
    """Run a task's items, wherever this is, and return what was done."""
    warehouse = _opened(share.url)
    environment = Environment(warehouse, share.actor, share.lab_id, share.default_model)
    progress = Progress(len(share.inputs))
    before = _statuses(warehouse, share)
    _run(environment, share, before, _OVER, progress)
    # What a worker had in hand that died is free once its lease is over.
    while "running" in (before := _statuses(warehouse, share)).values():
        time.sleep(_LOOK_EVERY_S)
    _run(environment, share, before, frozenset({*_OVER, "cancelled"}), progress)
    return Counts(progress.done, progress.failed, progress.cost, progress.unpriced)


def _run(
    environment: Environment,
    share: Share,
    before: Mapping[str, str],
    over: frozenset[str],
    progress: Progress,
) -> None:
    async def take_up(item: RunInput, owner: str) -> RunInput | None:
        try:
            begun = item.run_id in before
            return await taken(environment, item.run_id, owner) if begun else item
        except Conflict:
            # Somebody else goes on with it.
            return None

    inputs = [item for item in share.inputs if before.get(item.run_id, "new") not in over]
    if not inputs:
        return
    execution.execute(
        environment,
        share.plan,
        inputs,
        lambda _: None,
        budget=share.budget,
        concurrency=share.concurrency,
        progress=progress,
        take_up=take_up,
    )


def _statuses(warehouse: Warehouse, share: Share) -> dict[str, str]:
    mark_interrupted(warehouse, share.actor)
    with warehouse.reading(share.actor) as session:
        return statuses(session, [item.run_id for item in share.inputs])


@lru_cache(maxsize=2)
def _opened(url: str) -> Warehouse:
    """Return this worker's own connections, which its tasks share."""
    return Warehouse(url)

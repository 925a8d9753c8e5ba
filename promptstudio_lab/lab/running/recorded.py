"""A run in the warehouse: go on with it, run it again from a node, repeat it, measure it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from promptstudio_lab.engine.batch import Progress
from promptstudio_lab.engine.plan import CONTROL
from promptstudio_lab.engine.recorder import LEASE, write
from promptstudio_lab.engine.records import RunInput, RunStarted
from promptstudio_lab.engine.replay.interrupted import mark_interrupted
from promptstudio_lab.engine.replay.past import QUEUED, Past
from promptstudio_lab.engine.replay.pinned import unpinned
from promptstudio_lab.engine.rows import Rows
from promptstudio_lab.errors import Conflict, FlowError, ValueRefused, did_you_mean
from promptstudio_lab.ids import derived_id, new_id, time_of
from promptstudio_lab.lab.running import execution
from promptstudio_lab.nodes import kinds
from promptstudio_lab.nodes.shapes import checker, misfits
from promptstudio_lab.values import dumps, total
from promptstudio_lab.warehouse import payloads
from promptstudio_lab.warehouse.access import require_on
from promptstudio_lab.warehouse.append import insert_missing
from promptstudio_lab.warehouse.queries.kept import OPEN, answer, claim, release, run_given
from promptstudio_lab.warehouse.types import now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from promptstudio_lab.engine.plan import Plan, Step
    from promptstudio_lab.engine.records import Measured, RunEnded
    from promptstudio_lab.lab.facts import Environment
    from promptstudio_lab.values import Json
    from promptstudio_lab.warehouse.connect import Session
    from promptstudio_lab.warehouse.queries.kept import NodeGiven, RunGiven

METRIC = (
    "id", "organization_id", "flow_execution_id", "node_execution_id", "metric_name",
    "metric_value", "metric_unit", "metric_timestamp", "dimensions", "created_at", "created_by",
)  # fmt: skip


def go_on(
    environment: Environment,
    run_id: str,
    budget: int | None = None,
    *,
    standing: tuple[str, ...] = OPEN,
    progress: Progress | None = None,
    on_text: Callable[[str, str], None] | None = None,
) -> RunEnded:
    """Go on with a run that stands still: what is over is kept, the rest runs.

    Args:
        environment: the lab.
        run_id: the run.
        budget: nano-dollars that may be spent.
        standing: in which states it may be taken.
        progress: kept up to date, and the way to end it.
        on_text: gets (node name, text) as models answer.

    Raises:
        NotFound: if there is no such run.
        Conflict: if it goes on already, has succeeded, or was ended before it began.
    """
    mark_interrupted(environment.warehouse, environment.actor)
    given = _given(environment, run_id)
    ended = execution.execute(
        environment,
        _plan(environment, given),
        [_item(given)],
        lambda run: run,
        ack="commit",
        budget=budget,
        progress=progress or Progress(1),
        on_text=on_text,
        take_up=lambda item, owner: taken(environment, item.run_id, owner, standing),
    )
    if not ended:
        message = f"run {run_id} was stopped"
        raise Conflict(message)
    return ended[0]


def enqueue(environment: Environment, plan: Plan, values: Mapping[str, Json]) -> str:
    """Write a run down for a worker to take, and return its id; nothing runs here."""
    item = replace(execution.plain_input(values), past=QUEUED)
    run = RunStarted(plan, plan.variants[item.variant], item, now())
    with environment.warehouse.reading(environment.actor) as session:
        rows = Rows(payloads.address(session))
    rows.add(run)
    environment.warehouse.append(environment.actor, lambda connection: write(connection, rows))
    return item.run_id


async def taken(
    environment: Environment, run_id: str, owner: str, standing: tuple[str, ...] = OPEN
) -> RunInput:
    """Take a run that stands still and return it with what it has behind it.

    Raises:
        Conflict: if it goes on already, or is over.
    """
    work = asyncio.to_thread(_claimed, environment, run_id, owner, standing)
    claiming = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(claiming)
    except asyncio.CancelledError:
        # Whoever stops it now stops it before it has begun.
        with suppress(Conflict):
            item = await claiming
            epochs = {run_id: item.past.epoch}
            environment.warehouse.transact(environment.actor, lambda s: release(s, epochs))
        raise


def _claimed(
    environment: Environment, run_id: str, owner: str, standing: tuple[str, ...]
) -> RunInput:
    def work(session: Session) -> RunInput:
        given = claim(session, run_id, owner, now() + LEASE, standing)
        require_on(session, "run", "prompt_flow", given.flow_id)
        return replace(_item(given), past=_past(environment, given))

    return environment.warehouse.transact(environment.actor, work)


def _past(environment: Environment, given: RunGiven) -> Past:
    done = [node for node in given.nodes if node.status in {"succeeded", "skipped"}]
    # A call whose process died may have been made; nobody knows what it cost.
    unknown: list[int | None] = [None] if _may_have_cost(environment, given) else []
    return Past(
        epoch=given.epoch,
        kept={_place(node): execution.kept(node, here=True) for node in done},
        answers=given.answers,
        cost=total([*(node.cost for node in given.nodes), *unknown]),
        input_tokens=total([*(node.input_tokens for node in given.nodes), *unknown]),
        output_tokens=total([*(node.output_tokens for node in given.nodes), *unknown]),
        simulated=given.simulated,
    )


def _may_have_cost(environment: Environment, given: RunGiven) -> bool:
    if not given.unknown:
        return False
    steps = _plan(environment, given).variants[given.variant or CONTROL].steps
    return any(step.prompt and step.node_id in given.unknown for step in _outside(steps))


def run_again(
    environment: Environment, run_id: str, node: str, budget: int | None = None
) -> RunEnded:
    """Run a node and all that follows from it again; what comes before is taken over, at no cost.

    Args:
        environment: the lab.
        run_id: the earlier run.
        node: the node's name in the flow.
        budget: nano-dollars that may be spent.

    Raises:
        FlowError: if the flow has no such node.
    """
    given = _given(environment, run_id)
    plan = _plan(environment, given)
    steps = plan.variants[given.variant or CONTROL].steps
    names = {step.name: step for step in steps}
    if node not in names:
        message = f"the flow has no node {node!r} to begin at.{did_you_mean(node, names)}"
        raise FlowError(message)
    anew = downstream(steps, {names[node].node_id})
    kept = {
        _place(one): execution.kept(one)
        for one in given.nodes
        if one.status in {"succeeded", "skipped"} and not one.path and one.node_id not in anew
    }
    item = replace(_item(given), run_id=new_id(), past=Past(kept=kept, simulated=given.simulated))
    return _run(environment, plan, item, budget)


def repeat(environment: Environment, run_id: str) -> RunEnded:
    """Repeat a run exactly, without one call: what reached outside gives what it gave then.

    Everything else is computed anew from it, so the answers can be held against the recorded ones.

    Raises:
        Conflict: if what comes out differs from what was recorded.
    """
    given = _given(environment, run_id)
    plan = _plan(environment, given)
    outside = {step.node_id for step in _outside(plan.variants[given.variant or CONTROL].steps)}
    kept = {
        _place(node): execution.kept(node)
        for node in given.nodes
        if node.status in {"succeeded", "skipped"} and (node.node_id in outside or node.repeated)
    }
    past = Past(kept=kept, answers=given.answers, simulated=given.simulated, closed=True)
    ended = _run(environment, plan, replace(_item(given), run_id=new_id(), past=past), 0)
    if ended.status == given.status == "succeeded" and dict(ended.outputs) != given.outputs:
        message = (
            f"run {run_id} answered {dumps(given.outputs)} and repeats as "
            f"{dumps(dict(ended.outputs))}: a node kind has changed since"
        )
        raise Conflict(message)
    return ended


def measure(
    environment: Environment, run_id: str, found: Measured, at: datetime | None, key: str | None
) -> None:
    """Keep a measurement of a run; with the same key, or the same name and dimensions, once.

    Raises:
        NotFound: if there is no such run.
    """
    actor = environment.actor

    def work(session: Session) -> None:
        given = run_given(session, run_id)
        require_on(session, "run", "prompt_flow", given.flow_id)
        told_apart = [key] if key else [found.name, dumps(dict(found.dimensions))]
        row = (
            derived_id(run_id, "metric", *told_apart),
            actor.organization_id, run_id, None, found.name, found.value, found.unit, at or now(),
            dumps(dict(found.dimensions)) if found.dimensions else None, time_of(run_id), actor.id,
        )  # fmt: skip
        insert_missing(session.connection(), "execution_metric", METRIC, [row])

    environment.warehouse.transact(actor, work)


def answered(environment: Environment, question_id: str, value: Json) -> str:
    """Write down an answer and return the run that may go on.

    Raises:
        ValueRefused: if it does not fit the question's form; nothing is written.
    """
    dumps(value)

    def check(question: Json) -> None:
        for place, reason in misfits(checker(question["schema"]), value):
            message = f"the answer does not fit the form at {place or '/'}: {reason}"
            raise ValueRefused(message)

    return environment.warehouse.transact(
        environment.actor, lambda session: answer(session, question_id, value, check)
    )


def _given(environment: Environment, run_id: str) -> RunGiven:
    with environment.warehouse.reading(environment.actor) as session:
        given = run_given(session, run_id)
        require_on(session, "run", "prompt_flow", given.flow_id)
        return given


def _plan(environment: Environment, given: RunGiven) -> Plan:
    actor = environment.actor.id
    return unpinned(
        given.plan,
        asked=actor,
        runs=actor,
        trigger=environment.trigger,
        origin=environment.origin,
    )


def _item(given: RunGiven) -> RunInput:
    return RunInput(given.id, given.variant or CONTROL, given.values, given.unit_key, given.item_id)


def _run(environment: Environment, plan: Plan, item: RunInput, budget: int | None) -> RunEnded:
    # Looking at one run again is no part of an experiment or a batch.
    variants = {name: replace(variant, variant_id=None) for name, variant in plan.variants.items()}
    plan = replace(plan, experiment_id=None, batch_id=None, variants=variants)
    item = replace(item, unit_key=None)
    (ended,) = execution.execute(
        environment, plan, [item], lambda run: run, ack="commit", budget=budget
    )
    return ended


def _place(node: NodeGiven) -> tuple[str, str]:
    return node.node_id, node.path


def downstream(steps: Iterable[Step], first: set[str]) -> set[str]:
    """Return nodes and everything that they feed, directly or not, by id."""
    every, found, grown = list(steps), set(first), True
    while grown:
        fed = {
            step.node_id
            for step in every
            if any(binding.source in found for binding in (*step.bindings, *step.when))
        }
        grown = not fed <= found
        found |= fed
    return found


def _outside(steps: Iterable[Step]) -> list[Step]:
    """Return the nodes that reach outside, however deep they lie."""
    return [
        inner
        for step in steps
        for inner in (step, *_outside(step.body))
        if kinds[inner.kind].side_effects != "none"
    ]

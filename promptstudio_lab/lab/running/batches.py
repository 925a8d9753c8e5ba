"""A batch: a flow over many rows, and what runs once over all of them at the end."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from promptstudio_lab.engine.plan import CONTROL, Variant
from promptstudio_lab.engine.records import RunInput
from promptstudio_lab.engine.replay.interrupted import mark_interrupted
from promptstudio_lab.engine.replay.past import Kept, Past
from promptstudio_lab.engine.run import ABSENT, follow
from promptstudio_lab.errors import Conflict, FlowError
from promptstudio_lab.ids import derived_id, hashed_id, new_id
from promptstudio_lab.lab.running import execution
from promptstudio_lab.lab.running.recorded import downstream, taken
from promptstudio_lab.lab.running.results import Rows, batch_row
from promptstudio_lab.nodes import kinds
from promptstudio_lab.values import content_hash
from promptstudio_lab.warehouse.queries.kept import is_run, run_given
from promptstudio_lab.warehouse.queries.results import batch_outputs, batch_results, batch_runs

if TYPE_CHECKING:
    import polars as pl

    from promptstudio_lab.engine.plan import Plan, Step
    from promptstudio_lab.lab.datasets import Dataset
    from promptstudio_lab.lab.facts import Environment
    from promptstudio_lab.values import Json
    from promptstudio_lab.warehouse.queries.kept import RunGiven

_OVER = frozenset({"succeeded", "failed", "partial", "running"})


class Batch:
    """One batch of a flow.

    Args:
        environment: the lab.
        plan: the compiled flow.
        dataset: the rows.
        name: by which it can be gone on with; None for a batch that is run once.
    """

    def __init__(
        self, environment: Environment, plan: Plan, dataset: Dataset, name: str | None
    ) -> None:
        """Bind the parts.

        Raises:
            FlowError: for a named batch of a draft, which is kept nowhere.
        """
        self._environment, self._dataset = environment, dataset
        self._keep = plan.flow_version > 0
        if name is not None and not self._keep:
            message = "a draft is kept nowhere, so its batch cannot be resumed; use lab.flow(name)"
            raise FlowError(message)
        self._named = name is not None
        self._id = _id_of(plan.flow_id, name) if name is not None else new_id()
        self._plan = replace(plan, batch_id=self._id)
        self.aggregates: dict[str, dict[str, Json]] = {}

    def run(
        self,
        *,
        budget: int | None,
        concurrency: int,
        title: str,
        on: Any = None,  # a Dask client, which has no types
    ) -> pl.DataFrame:
        """Run what is not over yet, here or on a cluster, and return one row for each item."""
        before = self._before() if self._named else {}
        # The first runs of a batch tell its time, and later ones have the same keys.
        parent = min((key for _, key in before.values()), default=new_id())
        every = execution.batch_inputs(parent, self._dataset.items, [CONTROL])
        inputs = [item for item in every if self._open(item, before)]
        rows = Rows()
        if on is not None:
            self._spread(on, inputs, budget=budget, concurrency=concurrency, title=title)
        else:
            execution.execute(
                self._environment,
                self._plan,
                inputs,
                lambda run: rows.add(batch_row(run)),
                budget=budget,
                concurrency=concurrency,
                title=title,
                keep=self._keep,
                take_up=partial(self._take_up, before),
            )
        runs = [*(key for _, key in before.values()), *(item.run_id for item in inputs)]
        # The same rows are summed up under the same key.
        self.aggregates = self._aggregated(min(runs, default=parent), budget)
        if before or on is not None:
            self._results(rows)
        return rows.frame([str(item.unit_key) for item in every])

    def _spread(
        self, client: Any, inputs: list[RunInput], **how: Any
    ) -> None:  # as `spread` takes them
        if not self._keep:
            message = "a draft is kept nowhere, so no cluster can run it; use lab.flow(name)"
            raise FlowError(message)
        # Few batches leave this process.
        from promptstudio_lab.lab.running.cluster import spread

        spread(self._environment, client, self._plan, inputs, **how)

    def _before(self) -> dict[str, tuple[str, str]]:
        """Return the status and the run of each item that has begun, by its key."""
        mark_interrupted(self._environment.warehouse, self._environment.actor)
        with self._environment.warehouse.reading(self._environment.actor) as session:
            return batch_runs(session, self._id)

    def _open(self, item: RunInput, before: dict[str, tuple[str, str]]) -> bool:
        status, _ = before.get(str(item.unit_key), ("new", ""))
        return status not in _OVER

    async def _take_up(
        self, before: dict[str, tuple[str, str]], item: RunInput, owner: str
    ) -> RunInput | None:
        _, key = before.get(str(item.unit_key), ("", ""))
        return await self._taken(key, owner) if key else item

    async def _taken(self, run_id: str, owner: str) -> RunInput | None:
        try:
            return await taken(self._environment, run_id, owner)
        except Conflict:
            # Somebody else goes on with it.
            return None

    def _aggregated(self, parent: str, budget: int | None) -> dict[str, dict[str, Json]]:
        """Run what runs once over all items, and whatever only that feeds, as one more run."""
        steps = self._plan.variants[CONTROL].steps
        once = [step for step in steps if kinds[step.kind].once_a_batch]
        if not once or not self._keep:
            return {}
        sources = {binding.source for step in once for binding in step.bindings}
        with self._environment.warehouse.reading(self._environment.actor) as session:
            given = batch_outputs(session, self._id, sorted(sources))
        whole = _once(steps, once, given)
        plan = replace(self._plan, variants={CONTROL: Variant(CONTROL, whole.steps)}, scorer=None)
        item = RunInput(derived_id(parent, "aggregate", len(given)), CONTROL, {}, past=whole.past)
        names = {step.node_id: step.name for step in once}
        found = self._found(item.run_id)
        if found is not None and found.status == "succeeded":
            return {names[n.node_id]: n.outputs or {} for n in found.nodes if n.node_id in names}

        async def take_up(item: RunInput, owner: str) -> RunInput | None:
            again = await self._taken(item.run_id, owner) if found else item
            kept = {**item.past.kept, **again.past.kept} if again else {}
            return replace(again, past=replace(again.past, kept=kept)) if again else None

        done = execution.execute(
            self._environment, plan, [item], lambda run: run.nodes, budget=budget, take_up=take_up
        )
        ended = [node for nodes in done for node in nodes if node.step.node_id in names]
        return {node.step.name: dict(node.outputs or {}) for node in ended}

    def _found(self, run_id: str) -> RunGiven | None:
        with self._environment.warehouse.reading(self._environment.actor) as session:
            return run_given(session, run_id) if is_run(session, run_id) else None

    def _results(self, rows: Rows) -> None:
        with self._environment.warehouse.reading(self._environment.actor) as session:
            for row in batch_results(session, self._id):
                rows.add(row)


def _id_of(flow_id: str, name: str) -> str:
    return hashed_id(bytes.fromhex(content_hash([flow_id, "batch", name])))


class _Once(NamedTuple):
    steps: tuple[Step, ...]
    past: Past


def _once(
    steps: tuple[Step, ...], once: list[Step], given: list[dict[str, dict[str, Json]]]
) -> _Once:
    """Return the steps that run once, fed by lists of what each item's nodes gave."""
    lists: dict[str, dict[str, Json]] = {}
    fed = []
    for step in once:
        bindings = []
        for binding in step.bindings:
            name = ".".join((binding.output, *binding.path))
            values = [follow(binding, outputs) for outputs in given]
            here = [value for value in values if value is not ABSENT]
            lists.setdefault(binding.source, {})[name] = here
            bindings.append(replace(binding, output=name, path=(), many=False))
        fed.append(replace(step, bindings=tuple(bindings), policy={**step.policy, "once": True}))
    sources = [
        replace(step, bindings=(), when=(), body=(), prompt=None)
        for step in steps
        if step.node_id in lists
    ]
    after = downstream(steps, {step.node_id for step in once})
    rest = [step for step in steps if step.node_id in after and step not in once]
    past = Past(kept={
        (key, ""): Kept("", "succeeded", outputs, here=True) for key, outputs in lists.items()
    })  # fmt: skip
    return _Once((*sources, *fed, *rest), past)

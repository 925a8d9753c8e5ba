"""A batch: a flow over many rows, and what runs once over all of them at the end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from promptstudio_lab.datasets.items import text_columns
from promptstudio_lab.engine.batch import Progress
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
from promptstudio_lab.warehouse.queries.results import (
    batch_outputs,
    batch_results,
    batch_runs,
    first_run,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from promptstudio_lab.engine.plan import Plan, Step
    from promptstudio_lab.lab.datasets import Dataset
    from promptstudio_lab.lab.facts import Environment
    from promptstudio_lab.values import Json
    from promptstudio_lab.warehouse.queries.kept import RunGiven

_OVER = ["succeeded", "failed", "partial", "running"]


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
        self._begun: set[str] = set()
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
        parent, before = self._before() if self._named else (None, None)
        # The first runs of a batch tell its time, and later ones have the same keys.
        inputs = self._inputs(parent or new_id(), before)
        over = 0 if before is None else int(before["over"].sum())
        progress = Progress(len(self._dataset) - over)
        rows = Rows()
        how: dict[str, Any] = {
            "budget": budget,
            "concurrency": concurrency,
            "title": title,
        }  # as both take it
        if on is not None:
            self._spread(on, inputs, progress=progress, **how)
        else:
            execution.execute_each(
                self._environment,
                self._plan,
                inputs,
                lambda run: rows.add(batch_row(run)),
                progress=progress,
                keep=self._keep,
                take_up=self._take_up,
                **how,
            )
        self.aggregates = self._aggregated(budget)
        if before is not None or on is not None:
            self._results(rows)
        return rows.frame(self._dataset.items.keys)

    def _spread(
        self, client: Any, inputs: Iterator[RunInput], **how: Any
    ) -> None:  # as `spread` takes them
        if not self._keep:
            message = "a draft is kept nowhere, so no cluster can run it; use lab.flow(name)"
            raise FlowError(message)
        # Few batches leave this process.
        from promptstudio_lab.lab.running.cluster import spread

        spread(self._environment, client, self._plan, inputs, **how)

    def _before(self) -> tuple[str | None, pl.DataFrame | None]:
        """Return the first run, and for each item whether it is over, and where it goes on."""
        import polars as pl

        mark_interrupted(self._environment.warehouse, self._environment.actor)
        with self._environment.warehouse.reading(self._environment.actor) as session:
            first = first_run(session, self._id)
            if first is None:
                return None, None
            columns = text_columns(batch_runs(session, self._id), 3)
        begun = pl.DataFrame(dict(zip(("item", "status", "run"), columns, strict=True)))
        over = pl.col("status").is_in(_OVER).fill_null(value=False)
        found = pl.DataFrame({"item": self._dataset.items.keys}).join(
            begun.unique("item"), on="item", how="left", maintain_order="left"
        )
        return first, found.select(over.alias("over"), pl.when(~over).then("run").alias("run"))

    def _inputs(self, parent: str, before: pl.DataFrame | None) -> Iterator[RunInput]:
        if before is None:
            yield from execution.batch_inputs(parent, self._dataset.items, [CONTROL])
            return
        for item, over, run in zip(self._dataset.items, before["over"], before["run"], strict=True):
            if not over:
                (new,) = execution.batch_inputs(parent, [item], [CONTROL])
                if run is not None:
                    self._begun.add(run)
                yield new if run is None else replace(new, run_id=run)

    async def _take_up(self, item: RunInput, owner: str) -> RunInput | None:
        if item.run_id not in self._begun:
            return item
        self._begun.discard(item.run_id)
        return await self._taken(item.run_id, owner)

    async def _taken(self, run_id: str, owner: str) -> RunInput | None:
        try:
            return await taken(self._environment, run_id, owner)
        except Conflict:
            # Somebody else goes on with it.
            return None

    def _aggregated(self, budget: int | None) -> dict[str, dict[str, Json]]:
        """Run what runs once over all items, and whatever only that feeds, as one more run."""
        steps = self._plan.variants[CONTROL].steps
        once = [step for step in steps if kinds[step.kind].once_a_batch]
        if not once or not self._keep:
            return {}
        sources = {binding.source for step in once for binding in step.bindings}
        with self._environment.warehouse.reading(self._environment.actor) as session:
            given = batch_outputs(session, self._id, sorted(sources))
            first = first_run(session, self._id)
        whole = _once(steps, once, given)
        plan = replace(self._plan, variants={CONTROL: Variant(CONTROL, whole.steps)}, scorer=None)
        # The same rows are summed up under the same key.
        key = derived_id(first or new_id(), "aggregate", len(given))
        item = RunInput(key, CONTROL, {}, past=whole.past)
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

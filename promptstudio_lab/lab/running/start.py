"""Running a flow from a notebook: once, as a stream, over many rows; and what it would cost."""

from __future__ import annotations

import asyncio
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any

from promptstudio_lab.engine.batch import CONCURRENCY, Progress
from promptstudio_lab.engine.plan import CONTROL
from promptstudio_lab.errors import DatasetError, FlowError, ValueRefused, did_you_mean
from promptstudio_lab.experiments.wording import ITEMS
from promptstudio_lab.lab.datasets import Dataset
from promptstudio_lab.lab.running import execution
from promptstudio_lab.lab.running.batches import Batch
from promptstudio_lab.lab.running.costs import Estimate, estimate
from promptstudio_lab.lab.running.given import check_given, check_scorer
from promptstudio_lab.lab.running.recorded import enqueue
from promptstudio_lab.lab.running.results import Run
from promptstudio_lab.lab.running.stream import RunStream
from promptstudio_lab.lab.running.told import ended_here
from promptstudio_lab.settings import CLASSES
from promptstudio_lab.values import dumps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import polars as pl

    from promptstudio_lab.engine.plan import Plan
    from promptstudio_lab.engine.records import RunInput
    from promptstudio_lab.flows.facts import Facts
    from promptstudio_lab.flows.graph import Graph
    from promptstudio_lab.flows.store import FlowHead, FlowVersion
    from promptstudio_lab.flows.variants import Patch
    from promptstudio_lab.lab.facts import Environment
    from promptstudio_lab.scorers import Scorer
    from promptstudio_lab.values import Json


class Startable:
    """What a flow does when it runs.

    Attributes:
        id: the flow, or None for a draft.
        path: what it is called.
        aggregates: what the last batch worked out over all its rows, by node.
        graph_now: the flow as it stands.
    """

    id: str | None
    path: str
    aggregates: dict[str, dict[str, Json]]
    _environment: Environment
    _saved: FlowVersion | None = None

    if TYPE_CHECKING:

        @property
        def graph_now(self) -> Graph:
            """Return the flow as it stands."""

        def facts(self, graph: Graph) -> Facts:
            """Return what the flow may refer to."""

        def head(self) -> FlowHead:
            """Carry over what a cell built and return the flow as it stands."""

        def _built_graph(self) -> Graph: ...

    def run(self, /, **inputs: Json) -> Run:
        """Run the flow once and return the result, which is committed by then.

        Args:
            inputs: values by the names of the flow's inputs.

        Raises:
            FlowInvalid: with every problem, if the flow cannot run.
        """
        _check_inputs(self.graph_now, inputs)
        (run,) = self._once(self._plan(), execution.plain_input(inputs), title=self.path)
        return run

    def run_to(self, node: str, /, **inputs: Json) -> Run:
        """Run the flow up to a node, and nothing that does not lead there.

        What comes after may be unfinished. The run is `partial`: the flow has not answered.

        Args:
            node: the node's name, as `classify`; one of a body runs with what it lies in.
            inputs: values by the names of the flow's inputs; those that lead there are needed.

        Raises:
            FlowError: if there is no such node.
            FlowInvalid: with every problem, if this part of the flow cannot run.

        >>> import promptstudio_lab as ps
        >>> f = ps.connect("memory").flow("ask")
        >>> answer = f.llm("ask", prompt="Say {{ word }}.", word=f.input("word"))
        >>> f.run_to("ask", word="hello").status
        'partial'
        """
        found = self.graph_now.by_key.get(node)
        if found is None:
            message = f"the flow has no node {node!r}.{did_you_mean(node, self.graph_now.by_key)}"
            raise FlowError(message)
        return self.begin(inputs, found.id).run

    def stream(self, /, **inputs: Json) -> RunStream:
        """Run the flow once and give what its models say while they say it.

        `for node, text in f.stream(ticket="…"): print(text, end="")`, and `async for` as well;
        afterwards `.run` is what `run` returns. Leaving the loop early cancels the run.

        Args:
            inputs: values by the names of the flow's inputs.

        Raises:
            FlowInvalid: with every problem, if the flow cannot run.
        """
        return self.begin(inputs)

    def begin(self, inputs: Mapping[str, Json], until: str | None = None) -> RunStream:
        """Begin a run and return it while it goes on.

        Args:
            inputs: values by the names of the flow's inputs.
            until: the id of the node to run up to; None for the whole flow.

        Raises:
            FlowInvalid: with every problem, if what is to run cannot.
        """
        self._check_until(inputs, until)
        plan, item, progress = self._plan(until=until), execution.plain_input(inputs), Progress(1)

        def work(hear: Callable[[str, str], None]) -> Run:
            runs = self._once(plan, item, on_text=hear, progress=progress)
            if not runs:
                raise CancelledError
            return runs[0]

        return RunStream(work, progress, item.run_id)

    def queue(self, /, **inputs: Json) -> str:
        """Write a run down for a `promptstudio worker` to take, and return the run's id.

        Args:
            inputs: values by the names of the flow's inputs.

        Raises:
            FlowInvalid: with every problem, if the flow cannot run.
            FlowError: for a draft, which is kept nowhere.
        """
        return self.enqueue(inputs)

    def enqueue(self, inputs: Mapping[str, Json], until: str | None = None) -> str:
        """Write a run down as `queue` does, up to the node of an id if one is given."""
        self._check_until(inputs, until)
        self.head()
        return enqueue(self._environment, self._plan(until=until), inputs)

    def _check_until(self, inputs: Mapping[str, Json], until: str | None) -> None:
        graph = self.graph_now
        if until is None:
            _check_inputs(graph, inputs)
        elif until not in graph.by_id:
            message = "the node to run up to is gone"
            raise FlowError(message)
        else:
            _check_inputs(graph.upstream(until), inputs, extra=True)

    def _once(self, plan: Plan, item: RunInput, **more: Any) -> list[Run]:  # as `execute` takes it
        environment = self._environment if self.id else None
        return execution.execute(
            self._environment,
            plan,
            [item],
            lambda ended: Run(ended_here(ended), environment),
            ack="commit",
            keep=bool(self.id),
            **more,
        )

    async def arun(self, **inputs: Json) -> Run:
        """Do what `run` does while the notebook's own loop goes on."""
        return await asyncio.to_thread(self.run, **inputs)

    def batch(
        self,
        data: Any,  # a Dataset, or a frame of either library
        *,
        scorer: Scorer | None = None,
        budget: int | None = None,
        concurrency: int = CONCURRENCY,
        name: str | None = None,
        on: Any = None,  # a Dask client, which has no types
    ) -> pl.DataFrame:
        """Run the flow on every row and return one row each.

        A batch with a name goes on where it stopped when it is run again: what is over is kept.

        Args:
            data: a dataset, a polars or pandas frame, or a list of mappings.
            scorer: judges each run.
            budget: what may be spent at most, as `ps.usd(2)`.
            concurrency: how many rows run at once.
            name: tells the batch from others of this flow, so that it can be resumed.
            on: a `distributed.Client`, to run on its workers, 100 rows a task. Each reaches the
                warehouse by itself, and `budget` is shared by the tasks in equal parts.
        """
        dataset = data if isinstance(data, Dataset) else Dataset.of(self._environment, data)
        self.check_rows(dataset, scorer)
        work = Batch(self._environment, self._plan(scorer, dataset), dataset, name)
        title = f"{self.path} · {ITEMS.counted(len(dataset))}"
        rows = work.run(budget=budget, concurrency=concurrency, title=title, on=on)
        self.aggregates = work.aggregates
        return rows

    async def abatch(self, data: Any, **settings: Any) -> pl.DataFrame:  # as `batch` takes them
        """Do what `batch` does while the notebook's own loop goes on."""
        return await asyncio.to_thread(self.batch, data, **settings)

    def cost(self, data: Any) -> Estimate:  # a Dataset, or a frame of either library
        """Return what running the flow on every row is expected to cost, before any call.

        From what the flow's earlier runs cost, where there are some; at most the price of the
        longest prompts and answers. Nothing is run.

        Args:
            data: a dataset, a polars or pandas frame, or a list of mappings.
        """
        dataset = data if isinstance(data, Dataset) else Dataset.of(self._environment, data)
        self.check_rows(dataset)
        return estimate(self._environment, self.id, self._plan(), dataset)

    def check_rows(self, dataset: Dataset, scorer: Scorer | None = None) -> None:
        """Refuse, before any run, rows that no run could take or no scorer could judge.

        Raises:
            FlowError: naming the first row and what it lacks, or what the scorer looks for.
            DatasetError: naming the first row and the value that cannot be kept.
        """
        graph, fields = self.graph_now, set[str]()
        for number, item in enumerate(dataset.items, start=1):
            fields.update(item.values)
            try:
                _check_inputs(graph, item.values, extra=True)
                dumps(item.values)
            except FlowError as error:
                message = f"row {number}: {error}"
                raise FlowError(message) from None
            except ValueRefused as error:
                message = f"row {number}: {error}"
                raise DatasetError(message) from None

        if scorer is not None:
            check_scorer(scorer, graph, self.facts(graph), fields)

    def _plan(
        self,
        scorer: Scorer | None = None,
        data: Dataset | None = None,
        until: str | None = None,
    ) -> Plan:
        if self.id is None:
            graph = self._built_graph()
            part = graph.upstream(until) if until else graph
            whole = until is None
            return execution.prepare_draft(self._environment, part, scorer, answers=whole)
        kept_as = data.classification if data else CLASSES[0]
        variants: dict[str, Patch | None] = {CONTROL: None}
        flow_id = self.head().id
        return execution.prepare(
            self._environment, flow_id, variants, scorer, kept_as, saved=self._saved, until=until
        )


def _check_inputs(graph: Graph, given: Mapping[str, Json], *, extra: bool = False) -> None:
    wanted = {node.key: node.config for node in graph.inside(None) if node.kind == "input"}
    check_given(wanted, given, extra=extra)

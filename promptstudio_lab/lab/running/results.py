"""Results in a notebook: one run, and many as a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from promptstudio_lab.engine.records import measured
from promptstudio_lab.errors import FlowError, NodeFailed
from promptstudio_lab.lab.faces import face
from promptstudio_lab.lab.running.recorded import go_on, measure, repeat, run_again
from promptstudio_lab.lab.running.told import ended_here
from promptstudio_lab.money import format_usd, to_usd
from promptstudio_lab.shown import card, facts, failure, printable, table
from promptstudio_lab.values import Json, dumps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import polars as pl

    from promptstudio_lab.engine.records import RunEnded
    from promptstudio_lab.lab.facts import Environment
    from promptstudio_lab.lab.running.told import NodeTold, RunTold

_HEADS = ("node", "status", "ms", "tokens", "cost")
_FOLD = 4_096
_FIRST = frozenset({"item", "variant", "status"})
_OWN_COLUMNS = _FIRST | {
    *("score", "input_tokens", "output_tokens", "cost_usd"),
    *("latency_ms", "error", "simulated", "flow_execution_id"),
}


class Run:
    """One run: as it ended here, or as it is recorded.

    Attributes:
        id: its flow execution.
        variant: which variant of an experiment it was, or None where it was part of none.
        status: `succeeded`, `failed`, `partial`, `cancelled` or `waiting`; of one that
            `lab.run(id)` opened also `running` or `interrupted`.
        cost_nano_usd: what it cost, or None when a price is unknown.
        latency_ms: how long it took, or None while it is not over.
        input_tokens: what its calls read, or None when one of them did not say.
        output_tokens: what they wrote, likewise.
        simulated: whether a stand-in answered, and not a language model.
    """

    def __init__(self, told: RunTold, environment: Environment | None = None) -> None:
        """Wrap what is told of a run; without an environment it is kept nowhere."""
        self._told, self._environment = told, environment
        self.id, self.variant, self.status = told.id, told.variant, told.status
        self.cost_nano_usd, self.latency_ms = told.cost, told.latency_ms
        self.input_tokens, self.output_tokens = told.input_tokens, told.output_tokens
        self.simulated, self.error = told.simulated, told.error

    @property
    def outputs(self) -> dict[str, Json]:
        """Return the flow's answers by name.

        Raises:
            NodeFailed: if the run failed; the message names the node and the reason.
        """
        if self._told.failed_node is not None:
            message = f"{self._told.failed_node}: {self.error}"
            raise NodeFailed(message)
        return dict(self._told.outputs)

    @property
    def nodes(self) -> pl.DataFrame:
        """Return the nodes that ran, one execution a row; `graph()` has what each took and gave.

        >>> import promptstudio_lab as ps
        >>> f = ps.connect("memory").flow("echo")
        >>> _ = f.output(answer=f.input("question"))
        >>> f.run(question="Hi").nodes.select("node", "status").rows()
        [('question', 'succeeded'), ('output', 'succeeded')]
        """
        import polars as pl

        schema: dict[str, Any] = {  # polars' own union of types
            "node": pl.String,
            "status": pl.String,
            "latency_ms": pl.Float64,
            "input_tokens": pl.Int64,
            "output_tokens": pl.Int64,
            "cost_usd": pl.Float64,
        }
        rows = [
            (
                *(node.node, node.status, node.latency_ms),
                *(node.input_tokens, node.output_tokens),
                None if node.cost is None else to_usd(node.cost),
            )
            for node in self._told.nodes
        ]
        return pl.DataFrame(rows, schema=schema, orient="row")

    def resume(self, budget: int | None = None) -> Run:
        """Go on with a run that waits, failed or was cut short; what is over is kept.

        Args:
            budget: what may be spent at most, as `ps.usd(1)`.

        Raises:
            Conflict: if it goes on already, or has succeeded.
        """
        environment = self.environment
        return Run(ended_here(go_on(environment, self.id, budget)), environment)

    def rerun(self, node: str, budget: int | None = None) -> Run:
        """Run a node and all that follows from it again; what comes before costs nothing.

        Args:
            node: the node's name.
            budget: what may be spent at most.
        """
        environment = self.environment
        return Run(ended_here(run_again(environment, self.id, node, budget)), environment)

    def replay(self) -> Run:
        """Repeat the run without one call; an answer that differs is an error.

        Raises:
            Conflict: if what comes out differs from what was recorded.
        """
        environment = self.environment
        return Run(ended_here(repeat(environment, self.id)), environment)

    def metric(
        self,
        name: str,
        value: float,
        *,
        unit: str | None = None,
        at: datetime | None = None,
        key: str | None = None,
        **dimensions: Json,
    ) -> None:
        """Keep a measurement of this run, now or much later; the same one is kept once.

        Args:
            name: what is measured.
            value: a finite number.
            unit: such as `ms` or `usd`.
            at: when it was true, an aware datetime; by default now.
            key: tells two measurements apart; by default the name and the dimensions do.
            dimensions: what to group by.
        """
        found = measured(name, value, unit, dimensions)
        measure(self.environment, self.id, found, at, key)

    def graph(self, by: str | None = None) -> Any:  # the graph widget
        """Show the run as a graph: click nodes, and `.selected` is a frame of their executions.

        Args:
            by: what colours the nodes, at first their `status`: or their `cost`, `latency`,
                `errors` or `kind`. The graph's `.by` can be set later.

        Raises:
            FlowError: for a draft's run, which is kept nowhere, or any other way to colour it.

        >>> import promptstudio_lab as ps
        >>> f = ps.connect("memory").flow("echo")
        >>> _ = f.output(answer=f.input("question"))
        >>> shown = f.run(question="Hi").graph()
        >>> shown.select("output").selected["outputs"].to_list()
        ['{"answer":"Hi"}']
        """
        return face("graph")(self, by)

    @property
    def environment(self) -> Environment:
        """Return what the run lies in: the lab's room.

        Raises:
            FlowError: for a draft's run, which is kept nowhere.
        """
        if self._environment is None:
            message = "a draft's run is kept nowhere; use lab.flow(name)"
            raise FlowError(message)
        return self._environment

    def __repr__(self) -> str:
        """Say how it ended, what it cost, and what it answered."""
        tag = " [simulated]" if self.simulated else ""
        what = f"{self._told.failed_node}: {self.error}" if self.error else dumps(self.outputs)
        return f"<Run {self.status}{tag} {self._measures(' ')} {printable(what)}>"

    def _measures(self, between: str) -> str:
        if self.latency_ms is None:
            return self.id
        return f"{self.latency_ms:,.0f} ms{between}{format_usd(self.cost_nano_usd)}"

    def _repr_html_(self) -> str:
        title = f"{self.status} · {self._measures(' · ')}"
        answers = {name: readable(value) for name, value in self._told.outputs.items()}
        nodes = table(_HEADS, map(_node_row, self._told.nodes), frozenset(_HEADS[2:]))
        tag = "simulated" if self.simulated else ""
        return card(title, failure(self.error), facts(answers), nodes, tag=tag)


def batch_row(run: RunEnded) -> dict[str, Json]:
    """Return one run as a row: the item's key, variant, outputs, score, tokens, cost and error."""
    return {
        "item": run.run.input.unit_key,
        "variant": run.run.variant.name,
        "status": run.status,
        "outputs": dict(run.outputs),
        "score": run.score.value if run.score else None,
        "input_tokens": run.input_tokens,
        "output_tokens": run.output_tokens,
        "cost_usd": None if run.cost is None else to_usd(run.cost),
        "latency_ms": run.execution_time_ms,
        "error": run.error,
        "simulated": run.simulated,
        "flow_execution_id": run.run.input.run_id,
    }


def results_frame(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:  # columns of their own types
    """Return runs as a frame, each output a column of its own."""
    import polars as pl

    names = sorted({name for row in rows for name in row["outputs"]})
    columns: dict[str, pl.Series] = {
        name: pl.Series(name, [row[name] for row in rows], dtype=kind, strict=False)
        for name, kind in (("item", pl.String), ("variant", pl.String), ("status", pl.String))
    }
    for name in names:
        # A flow may call its answers anything; the run's own columns keep their names.
        free = f"output_{name}" if name in _OWN_COLUMNS else name
        columns[free] = pl.Series(
            free, [_cell(row["outputs"].get(name)) for row in rows], strict=False
        )
    rest = {
        "score": pl.Float64,
        "input_tokens": pl.Int64,
        "output_tokens": pl.Int64,
        "cost_usd": pl.Float64,
        "latency_ms": pl.Float64,
        "error": pl.String,
        "simulated": pl.Boolean,
        "flow_execution_id": pl.String,
    }
    for name, kind in rest.items():
        columns[name] = pl.Series(name, [row[name] for row in rows], dtype=kind, strict=False)
    return pl.DataFrame(list(columns.values()))


class Rows:
    """Rows of a batch, folded into frames as they come: few of them are ever objects.

    >>> rows = Rows()
    >>> rows.frame([]).height
    0
    """

    def __init__(self) -> None:
        """Begin empty."""
        self._rows: list[dict[str, Json]] = []
        self._frames: list[pl.DataFrame] = []

    def add(self, row: dict[str, Json]) -> None:
        """Take one more row, as `batch_row` gives it."""
        self._rows.append(row)
        if len(self._rows) >= _FOLD:
            self._fold()

    def frame(self, order: Sequence[str] | pl.Series) -> pl.DataFrame:
        """Return the rows of these items, in this order; of two rows of an item, the first.

        What was taken in is let go meanwhile, a column at a time.
        """
        import polars as pl

        self._fold()
        frames, self._frames = self._frames, []
        whole = pl.concat(frames, how="diagonal_relaxed")
        del frames
        at = _places(whole["item"], pl.Series("item", order, pl.String))
        last = [name for name in whole.columns if name in _OWN_COLUMNS - _FIRST]
        names = [*(name for name in whole.columns if name not in last), *last]
        return pl.DataFrame([whole.drop_in_place(name).gather(at) for name in names])

    def _fold(self) -> None:
        self._frames.append(results_frame(self._rows))
        self._rows = []


def _places(items: pl.Series, order: pl.Series) -> pl.Series:
    """Return where the first row of each item of an order stands; those without one are left out.

    >>> import polars as pl
    >>> _places(pl.Series(["b", "c", "a"]), pl.Series(["a", "b", "c"])).to_list()
    [2, 0, 1]
    >>> _places(pl.Series(["b", "b", "a"]), pl.Series(["a", "b", "c"])).to_list()
    [2, 0]
    """
    import polars as pl

    # Two sortings need a fifth of a join's memory, where each item has its one row.
    mine, wanted = items.arg_sort(), order.arg_sort()
    if items.len() == order.len() and items.gather(mine).equals(order.gather(wanted)):
        return mine.gather(wanted.arg_sort())
    first = pl.DataFrame({"item": items}).with_row_index("at").unique("item", keep="first")
    ordered = pl.DataFrame({"item": order})
    return ordered.join(first, on="item", how="inner", maintain_order="left")["at"]


def _cell(value: Json) -> Json:
    return dumps(value) if isinstance(value, (dict, list)) else value


def readable(value: Json) -> str:
    """Return a value as text: what is text already as it is, all else as JSON."""
    return value if isinstance(value, str) else dumps(value)


def _node_row(node: NodeTold) -> tuple[str, ...]:
    tokens = "" if not node.called else f"{node.input_tokens or '?'} → {node.output_tokens or '?'}"
    cost = format_usd(node.cost) if node.called else ""
    return node.node, node.status, f"{node.latency_ms:,.0f}", tokens, cost

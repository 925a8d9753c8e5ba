"""Results in a notebook: one run, and many as a frame."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from promptstudio_lab.engine.records import measured
from promptstudio_lab.errors import FlowError, NodeFailed
from promptstudio_lab.lab.running.recorded import go_on, measure, repeat, run_again
from promptstudio_lab.money import format_usd, to_usd
from promptstudio_lab.values import Json, dumps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import polars as pl

    from promptstudio_lab.engine.records import NodeEnded, RunEnded
    from promptstudio_lab.lab.facts import Environment

_SHOWN = 2_000
_FOLD = 4_096
_FIRST = frozenset({"item", "variant", "status"})
_OWN_COLUMNS = _FIRST | {
    *("score", "input_tokens", "output_tokens", "cost_usd"),
    *("latency_ms", "error", "simulated", "flow_execution_id"),
}


class Run:
    """One finished run.

    Attributes:
        id: its flow execution.
        variant: which variant of an experiment it was, or None where it was part of none.
        status: `succeeded`, `failed`, `partial` or `cancelled`.
        cost_nano_usd: what it cost, or None when a price is unknown.
        latency_ms: how long it took.
        simulated: whether a stand-in answered, and not a language model.
    """

    def __init__(self, ended: RunEnded, environment: Environment | None = None) -> None:
        """Wrap a record; without an environment the run is kept nowhere."""
        self._ended, self._environment = ended, environment
        self.id = ended.run.input.run_id
        variant = ended.run.variant
        self.variant = variant.name if variant.variant_id is not None else None
        self.status = ended.status
        self.cost_nano_usd = ended.cost
        self.latency_ms = ended.execution_time_ms
        self.simulated = ended.simulated
        self.error = ended.error

    @property
    def outputs(self) -> dict[str, Json]:
        """Return the flow's answers by name.

        Raises:
            NodeFailed: if the run failed; the message names the node and the reason.
        """
        if self._ended.failed_node is not None:
            message = f"{self._ended.failed_node}: {self._ended.error}"
            raise NodeFailed(message)
        return dict(self._ended.outputs)

    def resume(self, budget: int | None = None) -> Run:
        """Go on with a run that waits, failed or was cut short; what is over is kept.

        Args:
            budget: what may be spent at most, as `ps.usd(1)`.

        Raises:
            Conflict: if it goes on already, or has succeeded.
        """
        environment = self._kept()
        return Run(go_on(environment, self.id, budget), environment)

    def rerun(self, node: str, budget: int | None = None) -> Run:
        """Run a node and all that follows from it again; what comes before costs nothing.

        Args:
            node: the node's name.
            budget: what may be spent at most.
        """
        environment = self._kept()
        return Run(run_again(environment, self.id, node, budget), environment)

    def replay(self) -> Run:
        """Repeat the run without one call; an answer that differs is an error.

        Raises:
            Conflict: if what comes out differs from what was recorded.
        """
        environment = self._kept()
        return Run(repeat(environment, self.id), environment)

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
        measure(self._kept(), self.id, found, at, key)

    def _kept(self) -> Environment:
        if self._environment is None:
            message = "a draft's run is kept nowhere; use lab.flow(name)"
            raise FlowError(message)
        return self._environment

    def __repr__(self) -> str:
        """Say how it ended, what it cost, and what it answered."""
        tag = " [simulated]" if self.simulated else ""
        what = f"{self._ended.failed_node}: {self.error}" if self.error else dumps(self.outputs)
        how = f"{self.status}{tag} {self.latency_ms:.0f} ms {format_usd(self.cost_nano_usd)}"
        return f"<Run {how} {printable(what)}>"

    def _repr_html_(self) -> str:
        rows = "".join(map(_node_row, self._ended.nodes))
        tag = '<span class="psl-run-tag">simulated</span>' if self.simulated else ""
        answers = self._ended.outputs
        shown = "".join(
            f"<dt>{escape(name)}</dt><dd>{escape(_readable(value))}</dd>"
            for name, value in answers.items()
        )
        failure = f'<p class="psl-run-bad">{escape(str(self.error))}</p>' if self.error else ""
        return (
            f'<div class="{_CLASSES}"><style>{_STYLE}</style><p><b>{escape(self.status)}</b> · '
            f"{self.latency_ms:.0f} ms · {format_usd(self.cost_nano_usd)} {tag}</p>{failure}"
            f"<dl>{shown}</dl><table><thead><tr><th>node</th><th>status</th><th>ms</th>"
            f"<th>tokens</th><th>cost</th></tr></thead><tbody>{rows}</tbody></table></div>"
        )


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

    def frame(self, order: Sequence[str]) -> pl.DataFrame:
        """Return the rows of these items, in this order; of two rows of an item, the first."""
        import polars as pl

        self._fold()
        whole = pl.concat(self._frames, how="diagonal_relaxed")
        last = [name for name in whole.columns if name in _OWN_COLUMNS - _FIRST]
        whole = whole.select(pl.exclude(last), *last).unique("item", keep="first")
        wanted = pl.DataFrame({"item": order}, schema={"item": pl.String})
        return wanted.join(whole, on="item", how="inner", maintain_order="left")

    def _fold(self) -> None:
        self._frames.append(results_frame(self._rows))
        self._rows = []


def _cell(value: Json) -> Json:
    return dumps(value) if isinstance(value, (dict, list)) else value


def _readable(value: Json) -> str:
    text = value if isinstance(value, str) else dumps(value)
    text = printable(text)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text):,} characters)"


def printable(text: str) -> str:
    """Show control and direction characters, so that text is only ever text."""
    return "".join(
        letter if letter.isprintable() or letter == "\n" else f"\\u{ord(letter):04x}"
        for letter in text
    )


def _node_row(node: NodeEnded) -> str:
    tokens = "" if not node.calls else f"{node.input_tokens or '?'} → {node.output_tokens or '?'}"
    cost = format_usd(node.cost) if node.calls else ""
    cells = [node.step.key, node.status, f"{node.execution_time_ms:.0f}", tokens, cost]
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"


# Prices between dollar signs are not formulas, whatever JupyterLab's typesetter thinks.
_CLASSES = "psl-run tex2jax_ignore mathjax_ignore"
_STYLE = """
.psl-run{font-size:13px;color:var(--jp-ui-font-color1,#212121)}
.psl-run dl{margin:8px 0;display:grid;grid-template-columns:max-content 1fr;gap:4px 16px}
.psl-run dt{color:var(--jp-ui-font-color2,#616161)}
.psl-run dd{margin:0;white-space:pre-wrap;font-family:var(--jp-code-font-family,monospace)}
.psl-run table{font-size:11px;font-variant-numeric:tabular-nums;border-collapse:collapse}
.psl-run th,.psl-run td{padding:2px 16px 2px 0;text-align:left;border:0}
.psl-run th:nth-child(n+3),.psl-run td:nth-child(n+3){text-align:right}
.psl-run .psl-run-tag{border:1px dashed currentColor;border-radius:8px;padding:0 8px;font-size:11px}
.psl-run .psl-run-bad{color:var(--jp-error-color1,#c62828);white-space:pre-wrap}
"""

"""Which nodes runs wait for: the share of each in the critical path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from promptstudio_lab.analytics.faces.answer import Answer, counted
from promptstudio_lab.analytics.faces.drawing import Drawing, Mark
from promptstudio_lab.analytics.paths import Span, critical_path
from promptstudio_lab.errors import NotFound
from promptstudio_lab.experiments.wording import amount, visible
from promptstudio_lab.flows.graph import from_document
from promptstudio_lab.stats.series.sketch import Sketch
from promptstudio_lab.values import loads

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptstudio_lab.analytics.source import Source

_SPAN = (
    "flow_execution_id", "root_flow_id", "root_flow_version", "node_id", "node", "path",
    "node_started_at", "node_completed_at", "cache_hit", "run_status", "flow_id",
)  # fmt: skip
_OVER = ("succeeded", "failed", "partial")
_FRAME: dict[str, Any] = {  # polars' own union of types
    "flow": pl.String, "node": pl.String, "share": pl.Float64, "critical_ms": pl.Float64,
    "on_path": pl.Float64, "runs": pl.Int64, "p50_ms": pl.Float64, "p95_ms": pl.Float64,
    "p99_ms": pl.Float64, "flow_id": pl.String, "node_id": pl.String,
}  # fmt: skip
_Feeds = dict[tuple[str, int], dict[str, frozenset[str]]]


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Bottlenecks(Answer):
    """Which nodes runs wait for.

    Attributes:
        frame: one row a flow and node: `share` of the critical paths' time, `critical_ms` (the mean
            a run, over all runs), `on_path` (in which share of the runs it was waited for at all),
            and quantiles of the node's own time, each within 1 %.
    """


def bottlenecks(source: Source, flow: str | None, most: int) -> Bottlenecks:
    """Return which nodes runs wait for.

    Raises:
        NotFound: if there is no flow of that name.
    """
    names = source.names("flow_id")
    facts = source.facts().filter(pl.col("first") & pl.col("run_status").is_in(_OVER))
    if flow is not None:
        ids = names.filter(flow=flow.rpartition("/")[2])["flow_id"]
        if ids.is_empty():
            message = f"there is no flow {flow!r}"
            raise NotFound(message)
        facts = facts.filter(pl.col("root_flow_id").is_in(ids.implode()))
    rows = facts.select(_SPAN).collect()
    runs = rows["flow_execution_id"].unique().sort(descending=True)
    looked = rows.filter(pl.col("flow_execution_id").is_in(runs.head(most).implode()))
    frame = _told(source, looked, _waits(looked, _feeds(source, looked))).select(list(_FRAME))
    return Bottlenecks(
        frame=frame,
        sentence=_sentence(frame),
        sql=_sql(source),
        reason=(
            f"critical paths of {counted(min(len(runs), most), 'run')}"
            f"{f', the newest of {len(runs):,}' if len(runs) > most else ''}, along the edges of"
            " the version that ran; inside a map, along its items"
        ),
        drawing=_drawing(frame),
    )


def _feeds(source: Source, rows: pl.DataFrame) -> _Feeds:
    """Return by flow version which node takes from which."""
    wanted = set(rows.select("root_flow_id", "root_flow_version").unique().rows())
    wanted |= {(flow, None) for flow in rows["flow_id"].unique()}
    found = source.ask(
        "SELECT flow_id, version, document FROM prompt_flow_version "
        "WHERE organization_id = :organization_id"
    )
    feeds: _Feeds = {}
    for flow, version, document in found.rows():
        if (flow, version) in wanted or (flow, None) in wanted:
            graph = from_document(loads(document))
            feeds[flow, version] = {
                node.id: frozenset(edge.source for edge in graph.into(node.id))
                for node in graph.nodes
            }
    return feeds


def _waits(rows: pl.DataFrame, feeds: _Feeds) -> dict[tuple[str, str], list[float]]:
    """Return by root flow and node the critical milliseconds of each run in which it had some."""
    # A flow within another one: its nodes are the same ones in all its versions.
    inner: dict[str, dict[str, frozenset[str]]] = {}
    for (flow, _), each in feeds.items():
        inner.setdefault(flow, {}).update(each)
    waited: dict[tuple[str, str], list[float]] = {}
    by_run = rows.group_by("flow_execution_id", "root_flow_id", "root_flow_version")
    for (_, root, version), run in by_run:
        others = [inner.get(flow, {}) for flow in run["flow_id"].unique() if flow != root]
        known = dict(feeds.get((str(root), int(str(version))), {}))
        for each in others:
            known.update(each)
        mine: dict[str, float] = {}
        spans = [Span(*row) for row in run.select(_SPAN[3:8]).iter_rows()]
        for span, ms in critical_path(spans, known):
            mine[span.node_id] = mine.get(span.node_id, 0.0) + ms
        for node, ms in mine.items():
            waited.setdefault((str(root), node), []).append(ms)
    return waited


def _told(
    source: Source, rows: pl.DataFrame, waited: Mapping[tuple[str, str], list[float]]
) -> pl.DataFrame:
    counts = dict(rows.group_by("root_flow_id").agg(pl.col("flow_execution_id").n_unique()).rows())
    totals: dict[str, float] = {}
    for (flow, _), each in waited.items():
        totals[flow] = totals.get(flow, 0.0) + sum(each)
    took = rows.filter(~pl.col("cache_hit")).with_columns(
        ms=(pl.col("node_completed_at") - pl.col("node_started_at")).dt.total_microseconds() / 1e3
    )
    sketches = {
        (flow, node): Sketch.of(part["ms"].to_numpy())
        for (flow, node), part in took.group_by("root_flow_id", "node_id")
    }
    made = []
    for (flow, node), each in waited.items():
        sketch = sketches.get((flow, node), Sketch())
        quantiles = {f"p{p}_ms": sketch.quantile(p / 100) for p in (50, 95, 99)}
        made.append({
            "flow_id": flow, "node_id": node, "runs": counts[flow],
            "share": sum(each) / totals[flow] if totals[flow] else 0.0,
            "critical_ms": sum(each) / counts[flow],
            "on_path": sum(ms > 0 for ms in each) / counts[flow], **quantiles,
        })  # fmt: skip
    missing = {name: kind for name, kind in _FRAME.items() if name not in ("flow", "node")}
    return (
        pl.DataFrame(made, schema=missing)
        .join(source.names("flow_id"), on="flow_id", how="left")
        .join(source.names("node_id"), on="node_id", how="left")
        .sort(["flow", "flow_id", "share", "node"], descending=[False, False, True, False])
    )


def _sentence(frame: pl.DataFrame) -> str:
    if frame.is_empty():
        return "No run is over."
    row = frame.sort("critical_ms", descending=True, maintain_order=True).row(0, named=True)
    return (
        f"Runs of {visible(row['flow'])} wait for {visible(row['node'])}:"
        f" {amount(row['share'], 'share')} of their critical path,"
        f" {amount(row['critical_ms'], 'ms')} a run."
    )


def _drawing(frame: pl.DataFrame) -> Drawing:
    flows = frame["flow_id"].n_unique()
    rows = frame.filter(pl.col("share") > 0).sort("critical_ms", descending=True)
    marks = [
        Mark(
            f"{row['flow']} \u00b7 {row['node']}" if flows > 1 else row["node"], row["critical_ms"]
        )
        for row in rows.iter_rows(named=True)
    ]
    return Drawing("bars", "milliseconds of the critical path, a run", "ms", tuple(marks))


def _sql(source: Source) -> str:
    ids = ("node_execution_id", "flow_execution_id")
    return (
        "SELECT flow_execution_id, flow_id, flow_version, node_key, path, started_at,"
        " execution_time_ms\n"
        f"FROM v_node_execution\nWHERE {source.held(*ids)}\nORDER BY flow_execution_id, started_at"
    )

"""A run as a graph: how each node of the flow that ran came out, and every execution of it."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from promptstudio_lab.flows import history, store
from promptstudio_lab.lab.flows import Flow
from promptstudio_lab.lab.running.results import readable
from promptstudio_lab.warehouse.queries.seen import run_seen
from promptstudio_lab.widgets.graphs.flow import UNREACHED, arrows_of, boxes_of
from promptstudio_lab.widgets.graphs.scene import Figures, Scene

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from promptstudio_lab.flows.graph import Graph
    from promptstudio_lab.lab.running.results import Run

_TURN = re.compile(r"\[\d+\]")
_RAN = ("succeeded", "failed")
_STANDS = {"started": "running", "waiting": "waiting"}


def scene_of(run: Run) -> Scene:
    """Return the picture of a run on the version of the flow that ran.

    Args:
        run: the run.

    Raises:
        FlowError: for a draft's run, which is kept nowhere.
    """
    environment = run.environment
    with environment.warehouse.reading(environment.actor) as session:
        seen: Any = run_seen(session, run.id)  # JSON, as a tab gets it
        flow_id = str(seen["flow"])
        graph = history.version(session, flow_id, int(seen["version"])).graph
        path = store.head(session, flow_id).path
    executions = _by_node(graph, seen["nodes"])
    under_way = {each["node"]: _STANDS[each["status"]] for each in seen["under_way"]}
    boxes = tuple(
        replace(
            box,
            figures=_figures(executions.get(box.id, [])),
            words={"status": _status(executions.get(box.id, []), under_way.get(box.id))},
        )
        for box in boxes_of(graph)
    )
    return Scene(
        f"a run of {path!r}",
        boxes,
        arrows_of(graph),
        ("status", "cost", "latency", "errors", "kind"),
        partial(_rows, graph, executions),
        lambda: Flow(environment, flow_id, path).edit(),
        note=f"version {seen['version']}",
        simulated=bool(seen["simulated"]),
    )


def _by_node(
    graph: Graph, nodes: Sequence[dict[str, Any]]
) -> dict[str, list[dict[str, Any]]]:  # JSON, as above
    """Return the executions by the node that shows them: a subflow shows those inside it."""
    found: dict[str, list[dict[str, Any]]] = {}  # the same
    for node in nodes:
        here: str | None = node["node"]
        if here not in graph.by_id:
            here = _above(graph, node["path"])
        if here is not None:
            found.setdefault(here, []).append(node)
    return found


def _above(graph: Graph, path: str) -> str | None:
    name = _TURN.sub("", path)
    while name and name not in graph.by_key:
        name = name.rpartition("/")[0]
    return graph.by_key[name].id if name else None


def _turn(execution: Mapping[str, Any]) -> list[tuple[int, str]]:  # JSON
    """Return what sorts the ninth turn of a body before its tenth."""
    parts = re.split(r"(\d+)", execution["path"])
    return [(int(part), "") if part.isdecimal() else (0, part) for part in parts]


def _figures(executions: Sequence[Mapping[str, Any]]) -> Figures:  # JSON
    ran = [each for each in executions if each["status"] in _RAN]
    if not ran:
        return Figures()
    costs = [each["cost_usd"] for each in ran]
    return Figures(
        len(ran),
        None if None in costs else sum(costs),
        sum(each["latency_ms"] for each in ran),
        sum(each["status"] == "failed" for each in ran) / len(ran),
    )


def _status(executions: Sequence[Mapping[str, Any]], now: str | None) -> str:  # JSON
    found = {each["status"] for each in executions}
    if now is not None:
        return now
    if executions and all(each["cache_hit"] for each in executions):
        return "cached"
    order = ("failed", "cancelled", "succeeded", "skipped")
    return next((status for status in order if status in found), UNREACHED)


def _rows(
    graph: Graph,
    executions: Mapping[str, Sequence[Mapping[str, Any]]],  # JSON
    ids: Sequence[str],
) -> pl.DataFrame:
    import polars as pl

    text, number = pl.String, pl.Float64
    schema: dict[str, Any] = {  # polars' own union of types
        **dict.fromkeys(("node", "kind", "path", "status"), text),
        "cached": pl.Boolean,
        **dict.fromkeys(("latency_ms", "cost_usd"), number),
        **dict.fromkeys(("input_tokens", "output_tokens"), pl.Int64),
        **dict.fromkeys(("inputs", "outputs", "error", "node_execution_id"), text),
    }
    rows = [
        (
            graph.name(graph.by_id[node_id]),
            graph.by_id[node_id].kind,
            *(each[name] for name in ("path", "status", "cache_hit", "latency_ms", "cost_usd")),
            each["input_tokens"],
            each["output_tokens"],
            *(
                None if each[name] is None else readable(each[name])
                for name in ("inputs", "outputs", "error")
            ),
            each["id"],
        )
        for node_id in ids
        for each in sorted(executions.get(node_id, []), key=_turn)
    ]
    return pl.DataFrame(rows, schema=schema, orient="row")

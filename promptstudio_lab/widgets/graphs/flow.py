"""A flow as a graph: what its nodes are, and what they were like over its newest runs."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from promptstudio_lab.flows import layout
from promptstudio_lab.flows.draw import headline
from promptstudio_lab.flows.layout import absolute, depths, is_frame, size
from promptstudio_lab.nodes import kinds
from promptstudio_lab.nodes.ports import WHEN
from promptstudio_lab.values import dumps
from promptstudio_lab.warehouse.queries.painted import heat, painted, runs_of
from promptstudio_lab.widgets.graphs.scene import WIDTH, Arrow, Box, Figures, Scene

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from promptstudio_lab.flows.graph import Graph, Node
    from promptstudio_lab.lab.flows import Flow

UNREACHED = "not reached"
# Boxes are smaller than the canvas has them, and stand as much closer: more of a flow fits in.
_CLOSER = WIDTH / layout.WIDTH


def scene_of(flow: Flow) -> Scene:
    """Return the picture of a flow as it stands.

    Args:
        flow: the flow.
    """
    graph = flow.graph_now
    figures, statuses, runs, simulated = _history(flow)
    boxes = tuple(
        replace(
            box,
            figures=figures.get(box.id, Figures()),
            words={"status": statuses.get(box.id, UNREACHED)},
        )
        for box in boxes_of(graph)
    )
    return Scene(
        f"flow {flow.path!r}",
        boxes,
        arrows_of(graph),
        ("kind", "status", "cost", "latency", "errors"),
        partial(_rows, graph, figures, statuses),
        flow.edit,
        note=f"means of the newest {runs:,} run{'s' if runs > 1 else ''}" if runs else "",
        simulated=simulated,
    )


def boxes_of(graph: Graph) -> tuple[Box, ...]:
    """Return the boxes of a flow where it has its nodes: what lies in a body after the body."""
    standing, far = absolute(graph).by_id, depths(graph)
    by_nesting = sorted(graph.nodes, key=lambda node: graph.name(node).count("/"))
    return tuple(_box(graph, node, standing[node.id], far[node.id]) for node in by_nesting)


def _box(graph: Graph, node: Node, there: Node, depth: int) -> Box:
    kind, drawn = kinds.get(node.kind), size(graph, node)
    title = kind.title if kind else node.kind
    line = headline(node)
    return Box(
        node.id,
        graph.name(node),
        title,
        line if line == title else f"{title} · {line}",
        kind.category if kind else "",
        (there.x + drawn.width / 2) * _CLOSER,
        (there.y + (30 if is_frame(graph, node) else drawn.height / 2)) * _CLOSER,
        depth,
        node.parent if node.parent in graph.by_id else None,
    )


def arrows_of(graph: Graph) -> tuple[Arrow, ...]:
    """Return the arrows of a flow: one for all that leads from one node to another."""
    found: dict[tuple[str, str], Arrow] = {}
    for edge in graph.edges:
        ends = edge.source, edge.target
        if set(ends) <= graph.by_id.keys():
            branch = edge.target_port == WHEN
            label = edge.source_port if branch else ""
            if ends in found:
                before = found[ends]
                label = ", ".join(dict.fromkeys(filter(None, (before.label, label))))
                branch = branch and before.branch
            found[ends] = Arrow(*ends, label, branch)
    return tuple(found.values())


def _history(flow: Flow) -> tuple[dict[str, Figures], dict[str, str], int, bool]:
    """Return each node's means, how it ended in the newest run, and over how many runs."""
    if flow.id is None:
        return {}, {}, 0, False
    with flow.reading() as session:
        hot = heat(session, flow.id)
        newest = runs_of(session, flow.id)
        last = painted(session, str(newest[0]["run"])) if newest else {}
    nodes: Any = hot["nodes"]  # JSON, as the canvas gets it
    seen: Any = last.get("nodes", {})  # the same
    return (
        {key: figures_of(node) for key, node in nodes.items()},
        {key: "cached" if node["cached"] else node["status"] for key, node in seen.items()},
        int(str(hot["runs"])),
        bool(newest) and all(run["simulated"] for run in newest),
    )


def figures_of(hot: Mapping[str, Any]) -> Figures:  # JSON
    """Return what the warehouse tells of a node over many runs."""
    return Figures(hot["times"], hot["cost_usd"], hot["latency_ms"], hot["errors"])


def _rows(
    graph: Graph, figures: Mapping[str, Figures], statuses: Mapping[str, str], ids: Sequence[str]
) -> pl.DataFrame:
    import polars as pl

    schema: dict[str, Any] = {  # polars' own union of types
        **dict.fromkeys(("node", "kind", "headline", "status"), pl.String),
        "times": pl.Int64,
        **dict.fromkeys(("cost_usd", "latency_ms", "errors"), pl.Float64),
        "config": pl.String,
    }
    rows = [
        (
            graph.name(node),
            node.kind,
            headline(node),
            statuses.get(node.id, UNREACHED),
            *figures.get(node.id, Figures()),
            dumps(node.config),
        )
        for node in (graph.by_id[node_id] for node_id in ids)
    ]
    return pl.DataFrame(rows, schema=schema, orient="row")

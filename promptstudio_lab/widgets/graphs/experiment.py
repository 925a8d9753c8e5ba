"""An experiment as a graph: the nodes that variants change, and what each made of them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from promptstudio_lab.warehouse.queries.painted import heat
from promptstudio_lab.widgets.graphs.flow import arrows_of, boxes_of, figures_of
from promptstudio_lab.widgets.graphs.scene import Figures, Scene

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from promptstudio_lab.flows.graph import Graph
    from promptstudio_lab.lab.experimenting.looking import Looking

_SAME = "the same"


def scene_of(experiment: Looking) -> Scene:
    """Return the picture of an experiment's flow as it stands.

    Args:
        experiment: the experiment, begun or not.
    """
    flow = experiment.flow
    graph, begun = flow.graph_now, experiment.begun
    changed = {name: _changed(patch) for name, patch in experiment.patches.items()}
    with flow.reading() as session:
        hot: dict[str, dict[str, Figures]] = {
            name: _of_variant(heat(session, str(flow.id), row)) for name, row in begun.items()
        }
    boxes = tuple(
        replace(
            box,
            figures=_over(hot, box.id),
            words={"changes": "changed" if _by(changed, box.label) else _SAME},
        )
        for box in boxes_of(graph)
    )
    return Scene(
        f"experiment {experiment.name!r}",
        boxes,
        arrows_of(graph),
        ("changes", "cost", "latency", "errors", "kind"),
        partial(_rows, graph, changed, hot),
        flow.edit,
        note="means over all variants" if any(hot.values()) else "nothing has run yet",
    )


def _changed(patch: Sequence[Any]) -> set[str]:  # JSON Patch
    """Return the names of the nodes that a patch changes."""
    pointers = [str(step["path"]) for step in patch]
    return {pointer.split("/")[2].replace("~1", "/").replace("~0", "~") for pointer in pointers}


def _by(changed: Mapping[str, set[str]], node: str) -> list[str]:
    return [variant for variant, nodes in changed.items() if node in nodes]


def _of_variant(hot: Mapping[str, Any]) -> dict[str, Figures]:  # JSON, as the canvas gets it
    return {node: figures_of(found) for node, found in hot["nodes"].items()}


def _over(hot: Mapping[str, Mapping[str, Figures]], node: str) -> Figures:
    """Return a node's means over all variants, each as often as it ran."""
    ran = [found[node] for found in hot.values() if node in found]
    times = sum(part.times for part in ran)
    if not times:
        return Figures()
    costs = [part.cost_usd for part in ran]
    return Figures(
        times,
        None if None in costs else sum((part.cost_usd or 0.0) * part.times for part in ran) / times,
        sum((part.latency_ms or 0.0) * part.times for part in ran) / times,
        sum((part.errors or 0.0) * part.times for part in ran) / times,
    )


def _rows(
    graph: Graph,
    changed: Mapping[str, set[str]],
    hot: Mapping[str, Mapping[str, Figures]],
    ids: Sequence[str],
) -> pl.DataFrame:
    import polars as pl

    schema: dict[str, Any] = {  # polars' own union of types
        **dict.fromkeys(("node", "kind", "variant"), pl.String),
        "changed": pl.Boolean,
        "times": pl.Int64,
        **dict.fromkeys(("cost_usd", "latency_ms", "errors"), pl.Float64),
    }
    rows = [
        (
            graph.name(graph.by_id[node_id]),
            graph.by_id[node_id].kind,
            variant,
            graph.name(graph.by_id[node_id]) in nodes,
            *hot.get(variant, {}).get(node_id, Figures()),
        )
        for node_id in ids
        for variant, nodes in changed.items()
    ]
    return pl.DataFrame(rows, schema=schema, orient="row")

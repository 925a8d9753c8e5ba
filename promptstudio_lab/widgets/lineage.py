"""What came of what, as a graph in which a click chooses and the choice is a frame of calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptstudio_lab.analytics.faces.layers import HEIGHT, WIDTH
from promptstudio_lab.lab.faces import faces
from promptstudio_lab.widgets.graphs.scene import Arrow, Box, Figures, Scene
from promptstudio_lab.widgets.graphs.view import GraphView

if TYPE_CHECKING:
    import polars as pl

    from promptstudio_lab.analytics.lineage import Lineage

# The chain is longer than there are hues: what was written, what ran, what it cost.
_HUES = {
    **dict.fromkeys(("template version", "usage"), "Models"),
    **dict.fromkeys(("flow version", "node"), "Data"),
    **dict.fromkeys(("execution", "call"), "Logic"),
    "cost": "Outside",
}


@faces.register("lineage")
def lineage(found: Lineage, by: str | None = None) -> GraphView:
    """Return a lineage as a graph to look at and to select in.

    Args:
        found: the lineage.
        by: what it is coloured by.
    """
    layers = found.layers
    places, columns = layers.places, list(layers.columns)
    boxes = tuple(
        Box(
            box.id,
            box.label,
            box.kind,
            box.kind,
            _HUES[box.kind],
            places[box.id][0] + WIDTH / 2,
            places[box.id][1] + HEIGHT / 2,
            columns.index(box.kind),
            figures=_figures(found.under([box.id])),
            words={"status": "asked about" if box.id in layers.chosen else "hangs together"},
        )
        for box in layers.boxes
    )
    scene = Scene(
        "what came of what",
        boxes,
        tuple(Arrow(one, other) for one, other in layers.arrows),
        ("kind", "status", "cost", "latency", "errors"),
        found.under,
        size=(WIDTH, HEIGHT),
        note="of known price only" if found.calls["cost_usd"].has_nulls() else "",
        simulated=found.simulated,
    )
    return GraphView(scene, by)


def _figures(calls: pl.DataFrame) -> Figures:
    if not calls.height:
        return Figures()
    known, latencies = calls["cost_usd"].drop_nulls().to_list(), calls["latency_ms"].to_list()
    return Figures(
        calls.height,
        sum(known) if known else None,
        sum(filter(None, latencies)),
        sum(status != "succeeded" for status in calls["status"]) / calls.height,
    )

"""What came of what, as a graph in which a click chooses and the choice is a frame of calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from promptstudio_lab.analytics.faces.layers import HEIGHT, WIDTH
from promptstudio_lab.lab.faces import faces
from promptstudio_lab.widgets.graph import CHOSEN, STYLE

if TYPE_CHECKING:
    import polars as pl

    from promptstudio_lab.analytics.lineage import Lineage
    from promptstudio_lab.values import Json

_HEIGHT = "360px"
_ASKED = "asked"
_STYLE: list[dict[str, Json]] = [
    *STYLE,
    {"selector": "node", "style": {"width": WIDTH, "height": HEIGHT, "font-size": 11}},
    {"selector": f"node.{_ASKED}", "style": {"border-width": 3}},
    {"selector": f"node.{CHOSEN}", "style": {"border-width": 4, "background-opacity": 0.3}},
]


class LineageGraph:
    """A lineage as a picture in which boxes can be chosen by clicking them.

    Args:
        lineage: what is drawn.
    """

    def __init__(self, lineage: Lineage) -> None:
        """Draw the boxes where its own picture has them."""
        # Loading it takes longer than most faces need to appear.
        import ipycytoscape

        self._lineage = lineage
        self._chosen: list[str] = []
        # Clicking shows the field of this name as HTML, so it must name none.
        self.widget = ipycytoscape.CytoscapeWidget(
            tooltip_source="", layout={"height": _HEIGHT, "width": "100%"}
        )
        self.widget.add_class("psl-graph")
        self.widget.set_layout(name="preset", fit=True, padding=24)
        self.widget.set_style(_STYLE)
        self.widget.graph.add_graph_from_json(self._elements(), directed=True)
        self.widget.on("node", "click", self._click)

    def _elements(self) -> dict[str, Json]:
        layers = self._lineage.layers
        places = layers.places
        # What is drawn is known by its number: ids of rows stay here.
        self._ids = [box.id for box in layers.boxes]
        numbers = {box_id: str(number) for number, box_id in enumerate(self._ids)}
        nodes: list[Json] = [
            {
                "data": {"id": numbers[box.id], "label": box.label, "kind": box.kind},
                "classes": _ASKED if box.id in layers.chosen else "",
                "position": {"x": places[box.id][0], "y": places[box.id][1]},
            }
            for box in layers.boxes
        ]
        edges: list[Json] = [
            {
                "data": {
                    "id": f"e{at}",
                    "source": numbers[one],
                    "target": numbers[other],
                    "label": "",
                }
            }
            for at, (one, other) in enumerate(layers.arrows)
        ]
        return {"nodes": nodes, "edges": edges}

    @property
    def selected(self) -> pl.DataFrame:
        """Return the calls that hang together with the chosen boxes, one a row."""
        return self._lineage.under(self._chosen)

    def __repr__(self) -> str:
        """Count its boxes."""
        layers = self._lineage.layers
        return f"<LineageGraph: {len(layers.boxes)} boxes, {len(layers.arrows)} arrows>"

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:  # as IPython has it
        """Add a picture, which is what a reader without a kernel sees."""
        shown = self.widget._repr_mimebundle_(**options)
        return {**shown, "text/plain": repr(self), "image/svg+xml": self._lineage.layers.svg}

    def _click(self, clicked: dict[str, Any]) -> None:  # Cytoscape's own JSON
        number = str(clicked.get("data", {}).get("id"))
        if not number.isdecimal() or int(number) >= len(self._ids):
            return
        box = self._ids[int(number)]
        if box in self._chosen:
            self._chosen.remove(box)
        else:
            self._chosen.append(box)
        asked = self._lineage.layers.chosen
        for node in self.widget.graph.nodes:
            mine = self._ids[int(node.data["id"])]
            node.classes = CHOSEN if mine in self._chosen else _ASKED if mine in asked else ""


@faces.register("lineage")
def lineage(found: Lineage) -> LineageGraph:
    """Return a lineage as a graph to look at and to select in."""
    return LineageGraph(found)

"""A flow at a glance: a graph to look at and to select in, never to edit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from promptstudio_lab.flows.draw import ACCENTS, headline
from promptstudio_lab.lab.faces import faces
from promptstudio_lab.nodes import kinds
from promptstudio_lab.nodes.ports import WHEN
from promptstudio_lab.values import dumps

if TYPE_CHECKING:
    import polars as pl

    from promptstudio_lab.flows.graph import Edge, Node
    from promptstudio_lab.lab.flows import Flow
    from promptstudio_lab.values import Json

_HEIGHT = "320px"
CHOSEN = "chosen"
_OTHER = "#7A7A7A"
_GREY = "#888888"  # legible on light and on dark: a canvas cannot read the theme

STYLE: list[dict[str, Json]] = [
    {
        "selector": "node",
        "style": {
            "label": "data(label)",
            "shape": "round-rectangle",
            "width": 150,
            "height": 40,
            "font-size": 13,
            "color": _GREY,
            "text-valign": "center",
            "text-max-width": 138,
            "text-wrap": "ellipsis",
            "background-color": _OTHER,
            "background-opacity": 0.12,
            "border-width": 1.5,
            "border-color": _OTHER,
        },
    },
    *(
        {
            "selector": f'node[category = "{category}"]',
            "style": {"background-color": accent, "border-color": accent},
        }
        for category, accent in ACCENTS.items()
    ),
    {"selector": f"node.{CHOSEN}", "style": {"border-width": 4, "background-opacity": 0.3}},
    {
        "selector": "edge",
        "style": {
            "width": 1.5,
            "line-color": _GREY,
            "curve-style": "bezier",
            "target-arrow-shape": "triangle",
            "target-arrow-color": _GREY,
            "label": "data(label)",
            "font-size": 11,
            "color": _GREY,
            "text-rotation": "autorotate",
            "text-margin-y": -8,
        },
    },
    {"selector": "edge.branch", "style": {"line-style": "dashed"}},
]


class FlowGraph:
    """A flow as a picture in which nodes can be chosen by clicking them.

    Args:
        flow: the flow, as it is now.
    """

    def __init__(self, flow: Flow) -> None:
        """Draw the flow."""
        # Loading it takes longer than most faces need to appear.
        import ipycytoscape

        self._flow = flow
        graph = flow.graph_now
        self._chosen: list[str] = []
        # Clicking shows the field of this name as HTML, so it must name none.
        self.widget = ipycytoscape.CytoscapeWidget(
            tooltip_source="", layout={"height": _HEIGHT, "width": "100%"}
        )
        self.widget.add_class("psl-graph")
        self.widget.set_layout(name="preset", fit=True, padding=24)
        self.widget.set_style(STYLE)
        self.widget.graph.add_graph_from_json(
            {"nodes": list(map(_box, graph.nodes)), "edges": list(map(_line, graph.edges))},
            directed=True,
        )
        # It never listens to what is asked for after it is shown.
        self.widget.on("node", "click", self._click)

    @property
    def selected(self) -> pl.DataFrame:
        """Return the chosen nodes, one a row, in the order in which they were chosen.

        >>> import promptstudio_lab as ps
        >>> f = ps.connect("memory").flow("greet")
        >>> _ = f.input("name")
        >>> f.graph().selected.columns
        ['key', 'kind', 'headline', 'config']
        """
        import polars as pl

        by_id = self._flow.graph_now.by_id
        chosen = [by_id[node_id] for node_id in self._chosen if node_id in by_id]
        rows = {
            "key": [node.key for node in chosen],
            "kind": [node.kind for node in chosen],
            "headline": [headline(node) for node in chosen],
            "config": [dumps(node.config) for node in chosen],
        }
        return pl.DataFrame(rows, schema=dict.fromkeys(rows, pl.String))

    def __repr__(self) -> str:
        """Name the flow and count its nodes."""
        return repr(self._flow).replace("<Flow", "<FlowGraph of")

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:  # as IPython has it
        """Add a picture, which is what a reader without a kernel sees."""
        shown = self.widget._repr_mimebundle_(**options)
        picture = self._flow._repr_svg_()
        return {**shown, "text/plain": repr(self), "image/svg+xml": picture}

    def _click(self, clicked: dict[str, Any]) -> None:  # Cytoscape's own JSON
        node_id = clicked.get("data", {}).get("id")
        if node_id in self._chosen:
            self._chosen.remove(node_id)
        elif node_id in self._flow.graph_now.by_id:
            self._chosen.append(node_id)
        for node in self.widget.graph.nodes:
            node.classes = CHOSEN if node.data["id"] in self._chosen else ""


@faces.register("graph")
def graph(flow: Flow) -> FlowGraph:
    """Return a flow as a graph to look at and to select in."""
    return FlowGraph(flow)


def _box(node: Node) -> dict[str, Json]:
    kind = kinds.get(node.kind)
    data = {
        "id": node.id,
        "label": node.key,
        "kind": node.kind,
        "category": kind.category if kind else "",
    }
    return {"data": data, "position": {"x": node.x, "y": node.y}}


def _line(edge: Edge) -> dict[str, Json]:
    branch = edge.target_port == WHEN
    label = edge.source_port if branch else ""
    data = {"id": edge.id, "source": edge.source, "target": edge.target, "label": label}
    return {"data": data, "classes": "branch" if branch else ""}

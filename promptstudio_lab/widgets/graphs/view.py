"""The graph in a cell: pan and zoom, choose by clicking, and read the choice in the next cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from promptstudio_lab.errors import FlowError, did_you_mean
from promptstudio_lab.flows.draw import page
from promptstudio_lab.shown import printable
from promptstudio_lab.widgets import twofold
from promptstudio_lab.widgets.graphs import still
from promptstudio_lab.widgets.graphs.grouping import small
from promptstudio_lab.widgets.graphs.paint import TITLES, coloured, says
from promptstudio_lab.widgets.graphs.style import rules

if TYPE_CHECKING:
    import polars as pl

    from promptstudio_lab.values import Json
    from promptstudio_lab.widgets.graphs.scene import Arrow, Box, Scene

_LONGEST = 19
_LEAST_PX, _MOST_PX, _AROUND_PX = 200, 480, 48


class GraphView:
    """A picture in which boxes can be chosen by clicking them.

    Args:
        scene: what is shown; a large one is grouped.
        by: what the boxes are coloured by; the scene's first way by default.

    Attributes:
        widget: the drawing itself, an `ipycytoscape.CytoscapeWidget`.
        grouped: whether boxes stand for several things each.
    """

    def __init__(self, scene: Scene, by: str | None = None) -> None:
        """Draw the scene.

        Raises:
            FlowError: if it cannot be coloured like that.
        """
        # Loading them takes longer than most faces need to appear.
        import ipycytoscape
        import ipywidgets

        from promptstudio_lab.widgets.graphs.bar import GraphBar

        self._scene, self._shown = scene, small(scene)
        self.grouped = self._shown is not scene
        # What is drawn is known to the browser by its number: ids stay here.
        self._numbers = {box.id: f"n{at}" for at, box in enumerate(self._shown.boxes)}
        self._boxes = dict(zip(self._numbers.values(), self._shown.boxes, strict=True))
        self._chosen: list[str] = []
        self._by = self._mode(by or scene.modes[0])
        self._dark = False
        # Clicking shows the field of this name as HTML, so it must name none.
        self.widget = ipycytoscape.CytoscapeWidget(
            tooltip_source="",
            auto_ungrabify=True,
            min_zoom=0.05,
            max_zoom=1.5,
            layout={"height": f"{self._height()}px", "width": "100%"},
        )
        self.widget.set_layout(name="preset", fit=True, padding=24)
        self._restyle()
        nodes, edges = map(self._node, self._shown.boxes), map(_edge, *self._ends())
        self.widget.graph.add_graph_from_json(
            {"nodes": list(nodes), "edges": list(edges)}, directed=True
        )
        # It never listens to what is asked for after it is shown.
        self.widget.on("node", "click", self._click)
        self._bar = GraphBar(self.hear)
        self._whole = ipywidgets.VBox([self._bar, self.widget])
        self._whole.add_class("psl-graph")
        self._tell()

    @property
    def by(self) -> str:
        """What the boxes are coloured by; set it, and the graph follows.

        >>> import promptstudio_lab as ps
        >>> f = ps.connect("memory").flow("greet")
        >>> _ = f.input("name")
        >>> shown = f.graph(by="cost")
        >>> shown.by = "latency"
        >>> shown.by, shown.modes
        ('latency', ('kind', 'status', 'cost', 'latency', 'errors'))
        """
        return self._by

    @by.setter
    def by(self, by: str) -> None:
        self._by = self._mode(by)
        self._show()

    @property
    def modes(self) -> tuple[str, ...]:
        """Return what the boxes can be coloured by."""
        return self._scene.modes

    @property
    def legend(self) -> list[tuple[str, str]]:
        """Return what the colours mean: each with its words."""
        _, legend = coloured(self._shown.boxes, self._by, dark=self._dark)
        return [(meaning.fill, meaning.text) for meaning in legend]

    @property
    def selected(self) -> pl.DataFrame:
        """Return the rows of what is chosen, in the order in which it was chosen.

        >>> import promptstudio_lab as ps
        >>> f = ps.connect("memory").flow("greet")
        >>> _ = f.input("name")
        >>> f.graph().select("name").selected["kind"].to_list()
        ['input']
        """
        return self._scene.rows(self._meant())

    def select(self, *names: str) -> GraphView:
        """Choose boxes by their names, as a click does, and no others.

        Raises:
            FlowError: if there is no box of that name.
        """
        labels = [box.label for box in self._shown.boxes]
        for name in names:
            if name not in labels:
                message = f"the graph shows no {name!r}.{did_you_mean(name, labels)}"
                raise FlowError(message)
        self._chosen = [
            number for name in names for number, box in self._boxes.items() if box.label == name
        ]
        self._show()
        return self

    def inside(self) -> GraphView:
        """Return the graph of what is chosen alone: what a group stands for, or lies in a body.

        Raises:
            FlowError: if nothing is chosen.
        """
        chosen = set(self._meant())
        if not chosen:
            message = "nothing is chosen: click a box, or name it to .select(…)"
            raise FlowError(message)
        for box in self._scene.boxes:
            if box.parent in chosen:
                chosen.add(box.id)
        return GraphView(self._scene.only(chosen), self._by)

    def edit(self) -> Any:  # whichever editor it is
        """Return the editor of what is shown.

        Raises:
            FlowError: if it is nothing that can be edited.
        """
        if self._scene.edit is None:
            message = f"{self._scene.title} shows what has been; there is nothing to edit in it"
            raise FlowError(message)
        return self._scene.edit()

    def __repr__(self) -> str:
        """Say what it shows."""
        shown = self._shown
        parts = [f"{len(shown.boxes)} boxes", f"{len(shown.arrows)} arrows", f"by {self._by}"]
        if self.grouped:
            parts.insert(0, f"grouped from {len(self._scene.boxes):,}:")
        return f"<GraphView of {printable(self._scene.title)}: {', '.join(parts)}>"

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:  # as IPython has it
        """Add a picture, which is what a reader without a kernel sees."""
        shown = self._whole._repr_mimebundle_(**options)
        picture = still.svg(self._shown, self._by)
        return {
            **shown,
            "text/plain": repr(self),
            "image/svg+xml": picture,
            "text/html": page(picture, self._scene.title),
        }

    def _ipython_display_(self) -> None:
        twofold.show(
            {**self._whole._repr_mimebundle_(), "text/plain": repr(self)},
            still.svg(self._shown, self._by),
            self._scene.title,
        )

    def hear(self, asked: object) -> None:
        """Do what the bar above the drawing asks for; whatever else comes is no request.

        Args:
            asked: what the browser sent.
        """
        if not isinstance(asked, dict):
            return
        do, value = asked.get("do"), asked.get("value")
        if do == "colour" and value in self.modes:
            self.by = str(value)
        elif do == "paper":
            self._dark = value is True
            self._show()
        elif do == "choose":
            self._click({"data": {"id": value}})
        elif do == "clear":
            self.select()
        elif do == "fit":
            self.widget.relayout()

    def _mode(self, by: str) -> str:
        if by not in self._scene.modes:
            message = (
                f"{self._scene.title} cannot be coloured by {by!r}, but by "
                f"{', '.join(self._scene.modes)}.{did_you_mean(by, self._scene.modes)}"
            )
            raise FlowError(message)
        return by

    def _meant(self) -> list[str]:
        return [meant for number in self._chosen for meant in self._boxes[number].meant]

    def _click(self, clicked: dict[str, Any]) -> None:  # Cytoscape's own JSON
        data = clicked.get("data")
        number = data.get("id") if isinstance(data, dict) else None
        if not isinstance(number, str) or number not in self._boxes:
            return
        if number in self._chosen:
            self._chosen.remove(number)
        else:
            self._chosen.append(number)
        self._show()

    def _show(self) -> None:
        self._restyle()
        self._tell()

    def _restyle(self) -> None:
        # One message, however many boxes there are.
        self.widget.set_style(
            rules(self._shown, self._by, self._numbers, self._chosen, dark=self._dark)
        )

    def _tell(self) -> None:
        _, legend = coloured(self._shown.boxes, self._by, dark=self._dark)
        self._bar.tell(
            by=self._by,
            modes=[[mode, TITLES[mode]] for mode in self.modes],
            legend=[list(meaning) for meaning in legend],
            boxes=[[number, printable(box.label)] for number, box in self._boxes.items()],
            chosen=list(self._chosen),
            note=self._note(),
            simulated=self._scene.simulated,
        )

    def _note(self) -> str:
        whole = len(self._scene.boxes)
        grouped = f"{whole:,} in {len(self._shown.boxes):,} boxes" if self.grouped else ""
        return " · ".join(filter(None, (grouped, self._scene.note)))

    def _height(self) -> float:
        if not self._shown.boxes:
            return _LEAST_PX
        rows = [box.y for box in self._shown.boxes]
        tall = max(rows) - min(rows) + self._shown.size[1] + _AROUND_PX
        return min(_MOST_PX, max(_LEAST_PX, tall))

    def _node(self, box: Box) -> dict[str, Json]:
        data: dict[str, Json] = {"id": self._numbers[box.id], "kind": printable(box.kind)}
        for mode in self.modes:
            data[mode] = f"{_line(box.label)}\n{_line(says(box, mode))}"
        if box.parent is not None:
            data["parent"] = self._numbers[box.parent]
        return {"data": data, "position": {"x": box.x, "y": box.y}}

    def _ends(self) -> tuple[list[Arrow], list[tuple[str, str, str]]]:
        arrows = list(self._shown.arrows)
        ends = [
            (f"e{at}", self._numbers[arrow.source], self._numbers[arrow.target])
            for at, arrow in enumerate(arrows)
        ]
        return arrows, ends


def _edge(arrow: Arrow, ends: tuple[str, str, str]) -> dict[str, Json]:
    data: dict[str, Json] = {
        **dict(zip(("id", "source", "target"), ends, strict=True)),
        "label": _line(arrow.label),
    }
    return {"data": data, "classes": "branch" if arrow.branch else ""}


def _line(text: str) -> str:
    line = " ".join(printable(text).split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"

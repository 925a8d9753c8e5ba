"""A graph of a flow, of a run or of an experiment: to look at and to select in, never to edit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptstudio_lab.lab.faces import faces
from promptstudio_lab.lab.flows import Flow
from promptstudio_lab.lab.running.results import Run
from promptstudio_lab.widgets.graphs import experiment, flow, run
from promptstudio_lab.widgets.graphs.view import GraphView

if TYPE_CHECKING:
    from promptstudio_lab.lab.experimenting.looking import Looking


@faces.register("graph")
def graph(thing: Flow | Run | Looking, by: str | None = None) -> GraphView:
    """Return a graph to look at and to select in.

    Args:
        thing: what is drawn.
        by: what it is coloured by.

    Raises:
        FlowError: if it cannot be coloured like that, or is a draft's run.

    >>> import promptstudio_lab as ps
    >>> f = ps.connect("memory").flow("greet")
    >>> _ = f.input("name")
    >>> f.graph(by="cost")
    <GraphView of flow 'greet': 1 boxes, 0 arrows, by cost>
    """
    if isinstance(thing, Flow):
        return GraphView(flow.scene_of(thing), by)
    if isinstance(thing, Run):
        return GraphView(run.scene_of(thing), by)
    return GraphView(experiment.scene_of(thing), by)

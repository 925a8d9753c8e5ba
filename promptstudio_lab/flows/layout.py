"""Where boxes go when nobody has placed them: columns by depth, rows in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from promptstudio_lab.flows.graph import Graph

COLUMN = 288.0
ROW = 144.0
WIDTH, HEIGHT = 208, 60
_MARGIN = 32.0


def depths(graph: Graph) -> dict[str, int]:
    """Return each node's distance from the start, by id; a node in a cycle counts as far as seen.

    >>> from promptstudio_lab.flows.graph import Graph
    >>> depths(Graph())
    {}
    """
    found = dict.fromkeys(graph.by_id, 0)
    waiting = {
        node_id: sum(edge.source in found for edge in graph.into(node_id)) for node_id in found
    }
    ready = [node.id for node in graph.nodes if not waiting[node.id]]
    while ready:
        here = ready.pop(0)
        for edge in graph.out_of(here):
            if edge.target not in found:
                continue
            found[edge.target] = max(found[edge.target], found[here] + 1)
            waiting[edge.target] -= 1
            if not waiting[edge.target]:
                ready.append(edge.target)
    return found


def places(graph: Graph, only: Collection[str] | None = None) -> dict[str, tuple[float, float]]:
    """Return a place for each node by id, or for those in `only`, clear of the others.

    Args:
        graph: the flow.
        only: ids of the nodes to place; the others keep their places and are avoided.
    """
    wanted = graph.by_id if only is None else only
    standing = [(node.x, node.y) for node in graph.nodes if node.id not in wanted]
    columns: dict[int, list[str]] = {}
    for node_id, depth in depths(graph).items():
        if node_id in wanted:
            columns.setdefault(depth, []).append(node_id)
    tallest = max(map(len, columns.values()), default=0)
    found: dict[str, tuple[float, float]] = {}
    for depth, column in columns.items():
        x = _MARGIN + depth * COLUMN
        y = _MARGIN + (tallest - len(column)) * ROW / 2
        for node_id in column:
            while any(abs(x - left) < WIDTH and abs(y - top) < HEIGHT for left, top in standing):
                y += ROW
            found[node_id] = (x, y)
            y += ROW
    return found

"""Where boxes go when nobody has placed them: columns by depth, rows in order, bodies inside."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from promptstudio_lab.flows.graph import Graph
from promptstudio_lab.nodes import kinds

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from promptstudio_lab.flows.graph import Node

COLUMN = 288.0
ROW = 208.0  # room for what a card shows of a run, and for a frame's name
WIDTH, HEIGHT = 208, 60
HEADER = 44.0  # of a container's frame, above its body
PADDING = 16.0  # of a container's frame, around its body
_MARGIN = 32.0


class Size(NamedTuple):
    """How large a box is, in pixels."""

    width: float
    height: float


def is_frame(graph: Graph, node: Node) -> bool:
    """Tell whether a node is drawn as a frame: it has a body, or could have one."""
    kind = kinds.get(node.kind)
    return bool(graph.inside(node.id)) or bool(kind and kind.container)


def size(graph: Graph, node: Node, heights: Mapping[str, float] | None = None) -> Size:
    """Return how large a node is drawn: a frame is as large as its body needs.

    Args:
        graph: the flow.
        node: one of its nodes.
        heights: how high boxes are, by id, where they are drawn higher than usual.

    >>> from promptstudio_lab.flows.graph import Graph, Node
    >>> each, item = Node("1", "each", "map"), Node("2", "item", "input", x=16, y=44, parent="1")
    >>> size(Graph((each, item)), item), size(Graph((each, item)), each)
    (Size(width=208, height=60), Size(width=240.0, height=120.0))
    """
    if not is_frame(graph, node):
        return Size(WIDTH, max(HEIGHT, (heights or {}).get(node.id, 0)))
    right, bottom = PADDING + WIDTH, HEADER + HEIGHT / 2
    for inner in graph.inside(node.id):
        width, height = size(graph, inner, heights)
        right, bottom = max(right, inner.x + width), max(bottom, inner.y + height)
    return Size(right + PADDING, bottom + PADDING)


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


def places(
    graph: Graph,
    only: Collection[str] | None = None,
    heights: Mapping[str, float] | None = None,
) -> dict[str, tuple[float, float]]:
    """Return a place for each node by id, or for those in `only`, clear of the others.

    The place of a node of a body counts from its container's corner.

    Args:
        graph: the flow.
        only: ids of the nodes to place; the others keep their places and are avoided.
        heights: how high boxes are, by id, where they are drawn higher than usual.
    """
    wanted = set(graph.by_id if only is None else only)
    found: dict[str, tuple[float, float]] = {}
    levels = dict.fromkeys(node.parent for node in graph.nodes)
    # Bodies first: a frame's size is known once its body has its places.
    for level in sorted(levels, key=lambda level: -_depth(graph, level)):
        placed = graph.moved(found)
        found |= _level(placed, level, wanted, heights)
    return found


def _depth(graph: Graph, level: str | None) -> int:
    return graph.name(graph.by_id[level]).count("/") + 1 if level in graph.by_id else 0


class _Box(NamedTuple):
    x: float
    y: float
    width: float
    height: float

    def meets(self, other: _Box) -> bool:
        across = self.x < other.x + other.width and other.x < self.x + self.width
        return across and self.y < other.y + other.height and other.y < self.y + self.height


def _level(
    graph: Graph,
    level: str | None,
    wanted: Collection[str],
    heights: Mapping[str, float] | None = None,
) -> dict[str, tuple[float, float]]:
    here = graph.inside(level)
    sizes = {node.id: size(graph, node, heights) for node in here}
    standing = [_Box(node.x, node.y, *sizes[node.id]) for node in here if node.id not in wanted]
    columns: dict[int, list[str]] = {}
    ids = set(sizes)
    edges = tuple(edge for edge in graph.edges if edge.target in ids)
    for node_id, depth in depths(Graph(here, edges)).items():
        if node_id in wanted:
            columns.setdefault(depth, []).append(node_id)
    left, top = (_MARGIN, _MARGIN) if level is None else (PADDING, HEADER)
    tallest = max((_tall(column, sizes) for column in columns.values()), default=0.0)
    found: dict[str, tuple[float, float]] = {}
    x = left
    for depth in range(max(columns, default=-1) + 1):
        column = columns.get(depth, [])
        y = top + (tallest - _tall(column, sizes)) / 2
        for node_id in column:
            box = _Box(x, y, *sizes[node_id])
            while any(box.meets(other) for other in standing):
                box = box._replace(y=box.y + ROW)
            found[node_id] = (x, box.y)
            y = box.y + _row(sizes[node_id])
        x += max([COLUMN, *(sizes[n].width + COLUMN - WIDTH for n in column)])
    return found


def _row(box: Size) -> float:
    return max(ROW, box.height + ROW - HEIGHT)


def _tall(column: list[str], sizes: dict[str, Size]) -> float:
    return sum(_row(sizes[node_id]) for node_id in column)


def absolute(graph: Graph) -> Graph:
    """Return the flow with every node's place counted from the flow's own corner.

    >>> from promptstudio_lab.flows.graph import Graph, Node
    >>> flow = Graph(
    ...     (Node("1", "each", "map", x=100), Node("2", "item", "input", x=16, parent="1"))
    ... )
    >>> [node.x for node in absolute(flow).nodes]
    [100.0, 116.0]
    """
    return Graph(tuple(_standing(graph, node) for node in graph.nodes), graph.edges)


def _standing(graph: Graph, node: Node) -> Node:
    x, y, seen = float(node.x), float(node.y), {node.id}
    above = graph.by_id.get(node.parent or "")
    while above is not None and above.id not in seen:
        seen.add(above.id)
        x, y = x + above.x, y + above.y
        above = graph.by_id.get(above.parent or "")
    return replace(node, x=x, y=y)

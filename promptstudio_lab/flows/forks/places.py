"""A flow as places with values, so that two people's changes can be told apart place by place."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from promptstudio_lab.flows.graph import Edge, Graph, Node
from promptstudio_lab.ids import new_id
from promptstudio_lab.values import dumps

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from promptstudio_lab.values import Json


class Place(NamedTuple):
    """One thing about one node that somebody can change.

    Attributes:
        what: `kind`, `at` (where a new one stands), `name` (with what it lies in), a setting of
            `config` or `policy`, or `in`: what feeds one of its inputs.
        node: the node's id.
        detail: which setting or input.
    """

    what: Literal["kind", "at", "name", "config", "policy", "in"]
    node: str
    detail: str = ""


# Values by place; what is not there has no place.
Values: TypeAlias = "dict[Place, Json]"


def values_of(graph: Graph) -> Values:
    """Return a flow by places; where nodes stand on the canvas is nobody's change.

    >>> values_of(Graph((Node("1", "ask", "input", {"type": "text"}),)))[
    ...     Place("config", "1", "type")
    ... ]
    'text'
    """
    found: Values = {}
    for node in graph.nodes:
        found[Place("kind", node.id)] = [node.kind, node.version]
        found[Place("name", node.id)] = [node.key, node.parent]
        # A setting that is null is as good as none.
        found |= {
            Place("config", node.id, name): value
            for name, value in node.config.items()
            if value is not None
        }
        found |= {
            Place("policy", node.id, name): value
            for name, value in node.policy.items()
            if value is not None
        }
    for edge in graph.edges:
        feeding = found.setdefault(Place("in", edge.target, edge.target_port), [])
        feeding.append([edge.source, edge.source_port, edge.source_path])
    return found


def same(one: Values, other: Values, place: Place) -> bool:
    """Tell whether two flows agree about a place; 1 and 1.0 are not the same."""
    if place not in one or place not in other:
        return (place in one) == (place in other)
    return dumps(one[place]) == dumps(other[place])


_ORDER = ("kind", "at", "name", "config", "policy", "in")


def places_of(values: Iterable[Place]) -> dict[str, list[Place]]:
    """Return the places by node: that it is there first, what feeds it last."""
    found: dict[str, list[Place]] = {}
    for place in values:
        found.setdefault(place.node, []).append(place)
    for places in found.values():
        places.sort(key=lambda place: (_ORDER.index(place.what), place.detail))
    return found


def put(graph: Graph, changed: Mapping[Place, Json | None]) -> Graph:
    """Return the flow with other values at some places.

    What hangs in the air afterwards is left out: edges of nodes that are gone, bodies of containers
    that are. A node that comes under a name that is taken gets a free one.

    Args:
        graph: the flow.
        changed: the new values; None takes away, and at `kind` the whole node.
    """
    nodes = {node.id: node for node in graph.nodes}
    feeding = {place: value for place, value in values_of(graph).items() if place.what == "in"}
    for place, value in changed.items():
        if place.what == "in":
            feeding[place] = value or []
        elif place.what == "kind" and value is None:
            nodes.pop(place.node, None)
        elif place.what == "kind" and value is not None and place.node not in nodes:
            nodes[place.node] = Node(place.node, "", value[0], version=value[1])
        elif place.node in nodes:
            nodes[place.node] = _with(nodes[place.node], place, value)
    nodes = _named(_held(nodes), set(graph.by_id))
    return Graph(tuple(nodes.values()), tuple(_edges(graph, nodes, feeding)))


def _with(node: Node, place: Place, value: Json) -> Node:
    if place.what == "kind":
        return replace(node, kind=value[0], version=value[1])
    if place.what == "at":
        return replace(node, x=value[0], y=value[1])
    if place.what == "name":
        return replace(node, key=value[0], parent=value[1])
    settings = dict(node.config if place.what == "config" else node.policy)
    settings.pop(place.detail, None)
    if value is not None:
        settings[place.detail] = value
    if place.what == "config":
        return replace(node, config=settings)
    return replace(node, policy=settings)


def _held(nodes: dict[str, Node]) -> dict[str, Node]:
    """Leave out what lies in a node that is gone, at any depth."""
    while True:
        kept = {key: n for key, n in nodes.items() if n.parent is None or n.parent in nodes}
        if len(kept) == len(nodes):
            return kept
        nodes = kept


def _named(nodes: dict[str, Node], standing: set[str]) -> dict[str, Node]:
    """Give what has come under a name that is taken a free one."""
    taken = {(n.parent, n.key.casefold()) for key, n in nodes.items() if key in standing}
    for key, node in nodes.items():
        if key in standing:
            continue
        name, count = node.key, 2
        while (node.parent, name.casefold()) in taken:
            name, count = f"{node.key}_{count}", count + 1
        taken.add((node.parent, name.casefold()))
        nodes[key] = replace(node, key=name)
    return nodes


def _edges(graph: Graph, nodes: Mapping[str, Node], feeding: Values) -> Iterable[Edge]:
    known = {edge.binding: edge.id for edge in graph.edges}
    for place, sources in feeding.items():
        for source, port, path in sources:
            if place.node in nodes and source in nodes:
                binding = (source, port, path, place.node, place.detail)
                key = known.get(binding) or new_id()
                yield Edge(key, source, port, place.node, place.detail, path)

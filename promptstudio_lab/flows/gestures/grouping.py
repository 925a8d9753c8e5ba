"""Nodes put into a container, and taken out of it again: the edits that keep what feeds what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptstudio_lab.errors import OperationRefused
from promptstudio_lab.flows.layout import HEADER, PADDING
from promptstudio_lab.flows.shape import ports_of
from promptstudio_lab.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptstudio_lab.flows.facts import Facts
    from promptstudio_lab.flows.graph import Edge, Graph, Node
    from promptstudio_lab.values import Json

_COLUMN = 288.0
_ROW = 112.0
_LISTS = ("list", "table")


def grouping(
    graph: Graph, operation: Mapping[str, Json], nodes: list[Node], facts: Facts
) -> list[dict[str, Json]]:
    """Return the edits that put nodes into a new container.

    What came from outside comes in by an input of the body, what was used outside goes out by its
    output; a map takes the first list that comes in as its items.

    Args:
        graph: the flow.
        operation: `node` (a new id) and `kind` of the container; `key` if it is to have one.
        nodes: what is put into it, all of one body.
        facts: what the flow may refer to.

    Raises:
        OperationRefused: if the nodes lie in different bodies, or there are none.
    """
    parents = {node.parent for node in nodes}
    if len(parents) != 1:
        message = "only nodes of one body can be grouped" if nodes else "group names no node"
        raise OperationRefused(message)
    return _Group(graph, operation, nodes, facts).edits()


class _Group:
    def __init__(
        self, graph: Graph, operation: Mapping[str, Json], nodes: list[Node], facts: Facts
    ) -> None:
        self._graph, self._nodes, self._facts = graph, nodes, facts
        self._ids = {node.id for node in nodes}
        self._id, self._kind = str(operation.get("node")), str(operation.get("kind"))
        self._key = operation.get("key")
        self._names = {node.key.casefold() for node in nodes}
        self._left = min(node.x for node in nodes)
        self._top = min(node.y for node in nodes)

    def edits(self) -> list[dict[str, Json]]:
        coming = self._crossing("target")
        going = self._crossing("source")
        shift = _COLUMN if coming or self._kind == "map" else 0.0
        return [
            self._container(),
            {
                "type": "move",
                "nodes": {
                    node.id: {
                        "x": node.x - self._left + PADDING + shift,
                        "y": node.y - self._top + HEADER,
                        "parent": self._id,
                    }
                    for node in self._nodes
                },
            },
            *self._entrances(coming),
            *(self._exits(going, shift) if going else ()),
        ]

    def _crossing(self, inner: str) -> dict[tuple[str, str, str], list[Edge]]:
        found: dict[tuple[str, str, str], list[Edge]] = {}
        for edge in self._graph.edges:
            ends = {"source": edge.source in self._ids, "target": edge.target in self._ids}
            if ends[inner] and not all(ends.values()) and edge.target_port != "when":
                found.setdefault((edge.source, edge.source_port, edge.source_path), []).append(edge)
        return found

    def _container(self) -> dict[str, Json]:
        return {
            "type": "add",
            "node": self._id,
            "kind": self._kind,
            "key": self._key,
            "x": self._left - PADDING,
            "y": self._top - HEADER,
            "parent": self._nodes[0].parent,
        }

    def _free(self, wanted: str) -> str:
        name, number = wanted, 1
        while name.casefold() in self._names:
            number += 1
            name = f"{wanted}_{number}"
        self._names.add(name.casefold())
        return name

    def _entrances(
        self, coming: Mapping[tuple[str, str, str], list[Edge]]
    ) -> list[dict[str, Json]]:
        found: list[dict[str, Json]] = []
        items = next((key for key in coming if self._type(*key[:2]) in _LISTS), None)
        is_map = self._kind == "map"
        for row, (key, edges) in enumerate(coming.items()):
            given = self._type(*key[:2])
            is_items = is_map and key == items
            name = self._free("item" if is_items else edges[0].target_port)
            entrance = new_id()
            found.append(
                {
                    "type": "add",
                    "node": entrance,
                    "kind": "input",
                    "key": name,
                    "config": {"type": "any" if is_items else _plain(given)},
                    "x": PADDING,
                    "y": HEADER + _ROW * row,
                    "parent": self._id,
                }
            )
            found += [_connect((entrance, "value", ""), e.target, e.target_port) for e in edges]
            found.append(_connect(key, self._id, "items" if is_items else name))
        return found

    def _exits(
        self, going: Mapping[tuple[str, str, str], list[Edge]], shift: float
    ) -> list[dict[str, Json]]:
        fields: dict[tuple[str, str, str], str] = {}
        taken: set[str] = set()
        for source, port, path in going:
            wanted = path.rpartition(".")[2] or port
            key = self._graph.by_id[source].key
            name = wanted if wanted not in taken else f"{key}_{wanted}"
            taken.add(name)
            fields[source, port, path] = name
        out = new_id()
        right = max(node.x for node in self._nodes) - self._left
        found: list[dict[str, Json]] = [
            {
                "type": "add",
                "node": out,
                "kind": "output",
                "key": self._free("output"),
                "config": {"fields": list(fields.values())},
                "x": PADDING + shift + right + _COLUMN,
                "y": HEADER,
                "parent": self._id,
            }
        ]
        for given, edges in going.items():
            found.append(_connect(given, out, fields[given]))
            port = "items" if self._kind == "map" else fields[given]
            found += [_connect((self._id, port, ""), e.target, e.target_port) for e in edges]
        return found

    def _type(self, node_id: str, port: str) -> str:
        ports = ports_of(self._graph, self._graph.by_id[node_id], self._facts)
        found = ports.output(port) if ports else None
        return found.type if found else "any"


def _plain(given: str) -> str:
    """Return the type of an input that takes what has another type's name."""
    known = ("text", "json", "int", "float", "bool", "list", "table", "any")
    return given if given in known else "list" if given.startswith("list") else "any"


def _connect(source: tuple[str, str, str], target: str, port: str) -> dict[str, Json]:
    return {
        "type": "connect",
        "edge": new_id(),
        "source": source[0],
        "source_port": source[1],
        "source_path": source[2],
        "target": target,
        "target_port": port,
    }


def ungrouping(graph: Graph, container: Node) -> list[dict[str, Json]]:
    """Return the edits that take a body out of its container, which goes.

    Its inputs and outputs go as well: what they passed on is fed directly.

    Args:
        graph: the flow.
        container: the node whose body is taken out.
    """
    body = graph.inside(container.id)
    outer = {edge.target_port: edge for edge in graph.into(container.id)}
    ends = {node.id: node for node in body if _passes(graph, container, node, outer)}
    kept = [node for node in body if node.id not in ends]
    found: list[dict[str, Json]] = []
    joined: list[dict[str, Json]] = []
    for node in body:
        name = _opening(container, node)
        if node.kind == "input" and name in outer:
            feed = outer[name]
            source = (feed.source, feed.source_port, feed.source_path)
            joined += [
                _connect(source, edge.target, edge.target_port)
                for edge in graph.out_of(node.id)
                if edge.target not in ends
            ]
    for edge in graph.out_of(container.id):
        for node in body:
            joined += [
                _connect((inner.source, inner.source_port, inner.source_path), *_to(edge))
                for inner in (graph.into(node.id) if node.kind == "output" else ())
                if inner.source not in ends
                and (container.kind == "map" or inner.target_port == edge.source_port)
            ][:1]
    if kept:
        places = {
            node.id: {
                "x": node.x + container.x,
                "y": node.y + container.y,
                "parent": container.parent,
            }
            for node in kept
        }
        found.append({"type": "move", "nodes": places})
    found.append({"type": "remove", "nodes": [container.id], "edges": []})
    return [*found, *joined]


def _opening(container: Node, node: Node) -> str:
    """Return by which opening of its container an input of the body is fed."""
    return "items" if container.kind == "map" and node.key == "item" else node.key


def _passes(graph: Graph, container: Node, node: Node, outer: Mapping[str, Edge]) -> bool:
    """Tell whether a node only passes on what comes in or goes out; what does not, stays."""
    if node.kind == "input":
        return _opening(container, node) in outer
    return node.kind == "output" and bool(graph.out_of(container.id))


def _to(edge: Edge) -> tuple[str, str]:
    return edge.target, edge.target_port

"""A new node that is connected as it comes: on an edge, or at the end of one that is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from promptstudio_lab.errors import OperationRefused
from promptstudio_lab.flows.graph import Edge
from promptstudio_lab.flows.shape import ports_of
from promptstudio_lab.flows.validate import refuse_edge
from promptstudio_lab.ids import new_id
from promptstudio_lab.nodes.ports import WHEN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from promptstudio_lab.flows.facts import Facts
    from promptstudio_lab.flows.graph import Graph, Node
    from promptstudio_lab.values import Json

    # Returns the flow with a node added.
    Put: TypeAlias = Callable[[Graph, Mapping[str, Json], Facts], Graph]


def inserting(
    graph: Graph, operation: Mapping[str, Json], facts: Facts, put: Put
) -> list[dict[str, Json]]:
    """Return the edits that put a new node on an edge.

    Args:
        graph: the flow.
        operation: as `add`, and `on`: the edge.
        facts: what the flow may refer to.
        put: returns the flow with the node that an `add` adds.

    Raises:
        OperationRefused: if there is no such edge, or nothing of the node fits it.
    """
    on = next((edge for edge in graph.edges if edge.id == operation.get("on")), None)
    if on is None:
        message = f"there is no edge {operation.get('on')!r} in this flow"
        raise OperationRefused(message)
    add = _adding({**operation, "parent": graph.by_id[on.source].parent})
    joint = _Joint(graph, add, facts, put)
    return [
        {"type": "remove", "nodes": [], "edges": [on.id]},
        add,
        joint.fed_by(graph.by_id[on.source], on.source_port, on.source_path),
        joint.feeding(graph.by_id[on.target], on.target_port),
    ]


def extending(
    graph: Graph, operation: Mapping[str, Json], facts: Facts, put: Put
) -> list[dict[str, Json]]:
    """Return the edits that add a node and connect it with a port that stands.

    Args:
        graph: the flow.
        operation: as `add`, and `from` or `to`: {`node`, `port`}.
        facts: what the flow may refer to.
        put: returns the flow with the node that an `add` adds.

    Raises:
        OperationRefused: if there is no such node, or nothing of the new one fits it.
    """
    gives = isinstance(operation.get("from"), dict)
    found = operation["from"] if gives else operation.get("to")
    end = found if isinstance(found, dict) else {}
    standing = graph.by_id.get(str(end.get("node")))
    if standing is None:
        message = "extend needs a node and a port that it begins or ends at"
        raise OperationRefused(message)
    add = _adding({**operation, "parent": standing.parent})
    joint = _Joint(graph, add, facts, put)
    port = str(end.get("port"))
    return [add, joint.fed_by(standing, port) if gives else joint.feeding(standing, port)]


def _adding(operation: Mapping[str, Json]) -> dict[str, Json]:
    names = ("node", "kind", "key", "config", "policy", "x", "y", "parent")
    return {"type": "add", **{name: operation.get(name) for name in names if name in operation}}


class _Joint:
    """Connects a node that comes with those that stand, by its first port that fits."""

    def __init__(self, graph: Graph, add: Mapping[str, Json], facts: Facts, put: Put) -> None:
        self._graph, self._facts = graph, facts
        after = put(graph, add, facts)
        self._fresh = after.by_id[str(add["node"])]
        self._ports = ports_of(after, self._fresh, facts)

    def fed_by(self, node: Node, port: str, path: str = "") -> dict[str, Json]:
        inputs = [each.name for each in self._ports.inputs] if self._ports else []
        standing = ports_of(self._graph, node, self._facts)
        given = standing.output(port) if standing else None
        if given and given.type == "branch":
            inputs = [WHEN]  # every node has it, so no kind lists it
        edges = [Edge(new_id(), node.id, port, self._fresh.id, each, path) for each in inputs]
        return self._first(edges, node, f"takes what {node.key}.{port} gives")

    def feeding(self, node: Node, port: str) -> dict[str, Json]:
        outputs = self._ports.outputs if self._ports else ()
        edges = [Edge(new_id(), self._fresh.id, each.name, node.id, port) for each in outputs]
        return self._first(edges, node, f"gives what {node.key}.{port} takes")

    def _first(self, edges: list[Edge], node: Node, lacking: str) -> dict[str, Json]:
        shapes = {
            node.id: ports_of(self._graph, node, self._facts),
            self._fresh.id: self._ports,
        }
        for edge in edges:
            ends = shapes[edge.source], shapes[edge.target]
            if refuse_edge(*ends, edge, node.key, node.key) is None:
                return {
                    "type": "connect",
                    "edge": edge.id,
                    "source": edge.source,
                    "source_port": edge.source_port,
                    "source_path": edge.source_path,
                    "target": edge.target,
                    "target_port": edge.target_port,
                }
        message = f"nothing of a new {self._fresh.kind} {lacking}"
        raise OperationRefused(message)

"""The openings of a flow's nodes: they depend on its config, its body and what it refers to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from promptstudio_lab.errors import PromptStudioError
from promptstudio_lab.nodes import Port, Ports, Signature, kinds
from promptstudio_lab.nodes.ports import type_at

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from promptstudio_lab.flows.facts import Facts
    from promptstudio_lab.flows.graph import Edge, Graph, Node
    from promptstudio_lab.values import Json


def ports_of(graph: Graph, node: Node, facts: Facts) -> Ports | None:
    """Return a node's openings, or None where its kind is not installed."""
    kind = kinds.get(node.kind)
    return kind.ports(node.config, Surroundings(facts, graph, node)) if kind else None


def migrated(graph: Graph) -> Graph:
    """Return a flow with every config brought to the version of its kind that is installed.

    A kind brings an older config up to date by a method `migrate(config, version)`. What it cannot
    bring up to date stays as it is, and validation tells.

    >>> from promptstudio_lab.flows.graph import Graph
    >>> migrated(Graph()) == Graph()
    True
    """
    nodes = tuple(_migrated(node) for node in graph.nodes)
    return graph if nodes == graph.nodes else replace(graph, nodes=nodes)


def _migrated(node: Node) -> Node:
    kind = kinds.get(node.kind)
    migrate: Callable[[dict[str, Json], int], dict[str, Json]] | None
    migrate = getattr(kind, "migrate", None)
    if kind is None or migrate is None or node.version >= kind.version:
        return node
    try:
        config = migrate(dict(node.config), node.version)
    except (PromptStudioError, LookupError, TypeError, ValueError, AttributeError):
        return node
    return replace(node, config=config, version=kind.version)


def signature(graph: Graph, facts: Facts, parent: str | None = None) -> Signature:
    """Return what a flow, or the body of one of its nodes, takes and gives.

    Args:
        graph: the flow.
        facts: what it refers to.
        parent: the node whose body is meant; None for the flow itself.
    """
    inputs, outputs = [], []
    for node in graph.inside(parent):
        ports = ports_of(graph, node, facts)
        if node.kind == "input" and ports and ports.outputs:
            given = ports.outputs[0]
            inputs.append(Port(node.key, given.type, required="default" not in node.config))
        elif node.kind == "output" and ports:
            fed = {edge.target_port: edge for edge in graph.into(node.id)}
            outputs += [_field(graph, port, fed.get(port.name), facts) for port in ports.inputs]
    return Signature(tuple(inputs), tuple(outputs))


def _field(graph: Graph, port: Port, edge: Edge | None, facts: Facts) -> Port:
    """Return an answer's port: its type is that of whatever feeds it, where that can be known."""
    source = graph.by_id.get(edge.source) if edge else None
    if edge is None or source is None:
        return Port(port.name)
    ports = ports_of(graph, source, facts)
    given = ports.output(edge.source_port) if ports else None
    return Port(port.name, (type_at(given, edge.source_path) if given else None) or "any")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a kind may know when it tells the ports of a node.

    Attributes:
        facts: what the flow refers to.
        graph: the flow that the node is in.
        node: the node.
    """

    facts: Facts
    graph: Graph
    node: Node

    @property
    def body(self) -> Signature:
        """Return what the nodes inside the node take and give."""
        return signature(self.graph, self.facts, self.node.id)

    def variables(self, prompt: Mapping[str, Json]) -> tuple[str, ...] | None:
        """Return a prompt's variables, or None when its text cannot be known."""
        return self.facts.variables(prompt)

    def flow(self, reference: str) -> Signature | None:
        """Return what another flow takes and gives, or None when it is not known."""
        return self.facts.flow(reference)

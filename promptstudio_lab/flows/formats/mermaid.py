"""A flow as a Mermaid chart, which Markdown cells and pages draw."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptstudio_lab.flows.graph import NOTE
from promptstudio_lab.flows.layout import is_frame
from promptstudio_lab.nodes.ports import WHEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from promptstudio_lab.flows.graph import Edge, Graph, Node

_SHAPES = {"input": ("([", "])"), "output": ("([", "])"), "switch": ("{", "}")}
# Mermaid reads these as its own, so they are written as its entities.
_ENTITIES = {'"': "#quot;", "<": "#lt;", ">": "#gt;", "#": "#35;", "`": "#96;", "&": "#amp;"}


def to_mermaid(graph: Graph) -> str:
    """Return a flow as Mermaid; a body is a subgraph.

    >>> from promptstudio_lab.flows.graph import Edge, Graph, Node
    >>> ask, out = Node("1", "ask", "input"), Node("2", "out", "output")
    >>> print(to_mermaid(Graph((ask, out), (Edge("3", "1", "value", "2", "answer"),))))
    flowchart LR
      n0(["ask<br/>input"])
      n1(["out<br/>output"])
      n0 -->|"value"| n1
    """
    names = {node.id: f"n{number}" for number, node in enumerate(graph.nodes)}
    edges = (_edge(edge, names) for edge in graph.edges if {edge.source, edge.target} <= {*names})
    return "\n".join(["flowchart LR", *_body(graph, None, names, "  "), *edges])


def _body(graph: Graph, parent: str | None, names: dict[str, str], space: str) -> Iterator[str]:
    for node in graph.inside(parent):
        label = f"{_literal(node.key)}<br/>{_literal(node.kind)}"
        if node.kind == NOTE:
            label = _literal(str(node.config.get("text", "")))
        if is_frame(graph, node):
            yield f'{space}subgraph {names[node.id]}["{label}"]'
            yield from _body(graph, node.id, names, f"{space}  ")
            yield f"{space}end"
        else:
            yield space + _node(node, names[node.id], label)


def _node(node: Node, name: str, label: str) -> str:
    start, end = _SHAPES.get(node.kind, ("[", "]"))
    return f'{name}{start}"{label}"{end}'


def _edge(edge: Edge, names: dict[str, str]) -> str:
    path = f".{edge.source_path}" if edge.source_path else ""
    arrow = "-.->" if edge.target_port == WHEN else "-->"
    label = _literal(f"{edge.source_port}{path}")
    return f'  {names[edge.source]} {arrow}|"{label}"| {names[edge.target]}'


def _literal(text: str) -> str:
    shown = "".join(_ENTITIES.get(letter, letter) for letter in text)
    return " ".join("".join(c if c.isprintable() else " " for c in shown).split())

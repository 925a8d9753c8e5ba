"""Flows broken on purpose: how many of the breaks does validation see?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from promptstudio_lab.flows.graph import Edge, Graph, Node
from promptstudio_lab.flows.validate import validate
from tests.flows.parts import FACTS, triage_graph, wide_and_long

if TYPE_CHECKING:
    from collections.abc import Iterator

Mutant = tuple[str, Graph]


def deleted_bindings(graph: Graph) -> Iterator[Mutant]:
    for edge in graph.edges:
        # A branch that is not waited for is another flow, and no broken one.
        if edge.target_port not in {"when", "in"}:
            left = tuple(other for other in graph.edges if other is not edge)
            yield f"delete {edge.binding}", Graph(graph.nodes, left)


def retargeted(graph: Graph) -> Iterator[Mutant]:
    for edge in graph.edges:
        for port in ("nowhere", f"{edge.target_port}x"):
            yield "retarget", _with_edge(graph, edge, replace(edge, target_port=port))
        yield "resource", _with_edge(graph, edge, replace(edge, source_port="nowhere"))
        yield "lost", _with_edge(graph, edge, replace(edge, source="nobody"))


def retyped(graph: Graph) -> Iterator[Mutant]:
    switch = next(node for node in graph.nodes if node.kind == "switch")
    for edge in graph.edges:
        if edge.target_port not in {"when", "in"} and edge.target != switch.id:
            other = replace(edge, source=switch.id, source_port="default", source_path="")
            yield f"retype {edge.binding}", _with_edge(graph, edge, other)


def renamed_variables(graph: Graph) -> Iterator[Mutant]:
    for node in graph.nodes:
        prompt = node.config.get("prompt")
        if isinstance(prompt, dict) and "{{ " in str(prompt.get("text")):
            text = str(prompt["text"]).replace("{{ ", "{{ other_")
            yield f"rename in {node.key}", _with_config(graph, node, {"prompt": {"text": text}})


def renamed_outputs(graph: Graph) -> Iterator[Mutant]:
    for node in graph.nodes:
        if node.kind == "output":
            yield "rename output", _with_config(graph, node, {"fields": ["other"]})
        if node.kind == "switch":
            yield "rename case", _with_config(graph, node, {"cases": ["other"]})
        if "returns" in node.config:
            shape = {"type": "object", "properties": {"other": {"type": "string"}}}
            yield "rename field", _with_config(graph, node, {"returns": shape})


def cycles(graph: Graph) -> Iterator[Mutant]:
    below = {node.id: _reached(graph, node.id) for node in graph.nodes}
    for edge in graph.edges:
        for end in below[edge.target] & {other.source for other in graph.edges}:
            yield "cycle", _with_edge(graph, edge, replace(edge, source=end))


def removed_nodes(graph: Graph) -> Iterator[Mutant]:
    for node in graph.nodes:
        if graph.out_of(node.id):
            left = tuple(other for other in graph.nodes if other is not node)
            edges = tuple(edge for edge in graph.edges if edge.target != node.id)
            yield f"remove {node.key}", Graph(left, edges)


def doubled(graph: Graph) -> Iterator[Mutant]:
    for edge in graph.edges:
        if edge.target_port not in {"when", "in"}:
            twin = replace(edge, id=f"{edge.id}-twin", source_path="")
            yield "double", Graph(graph.nodes, (*graph.edges, twin))


WAYS = (
    deleted_bindings,
    retargeted,
    retyped,
    renamed_variables,
    renamed_outputs,
    cycles,
    removed_nodes,
    doubled,
)


def _with_edge(graph: Graph, old: Edge, new: Edge) -> Graph:
    return Graph(graph.nodes, tuple(new if edge is old else edge for edge in graph.edges))


def _with_config(graph: Graph, node: Node, config: dict[str, object]) -> Graph:
    changed = replace(node, config={**node.config, **config})
    return Graph(tuple(changed if n is node else n for n in graph.nodes), graph.edges)


def _reached(graph: Graph, start: str) -> set[str]:
    seen, waiting = {start}, [start]
    while waiting:
        for edge in graph.out_of(waiting.pop()):
            if edge.target not in seen:
                seen.add(edge.target)
                waiting.append(edge.target)
    return seen


def test_every_broken_flow_is_caught() -> None:
    made, missed = 0, []
    for graph in (triage_graph(), wide_and_long(12)):
        assert validate(graph, FACTS) == (), "the flow that is broken was whole"
        for way in WAYS:
            if way is retyped and not any(node.kind == "switch" for node in graph.nodes):
                continue
            for name, mutant in way(graph):
                made += 1
                problems = validate(mutant, FACTS)
                if not any(problem.severity == "error" for problem in problems):
                    missed.append(name)
    assert made > 100
    assert missed == [], f"{made - len(missed)} of {made} caught"

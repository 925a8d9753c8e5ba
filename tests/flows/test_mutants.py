"""Flows broken on purpose: how many of the breaks does validation see, and where?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from promptstudio_lab.flows.graph import Edge, Graph, Node
from promptstudio_lab.flows.validate import errors, validate
from tests.flows.parts import FACTS, bodies_graph, nested_graph, triage_graph, wide_and_long

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# What was broken, the broken flow, and the nodes of which one must be named.
Mutant = tuple[str, Graph, set[str]]
OPTIONAL = {"when", "in"}


def deleted_bindings(graph: Graph) -> Iterator[Mutant]:
    for edge in graph.edges:
        # A branch that is not waited for is another flow, and no broken one.
        if edge.target_port not in OPTIONAL:
            left = tuple(other for other in graph.edges if other is not edge)
            yield f"delete {edge.binding}", Graph(graph.nodes, left), _names(graph, edge.target)


def retargeted(graph: Graph) -> Iterator[Mutant]:
    for edge in graph.edges:
        here = _names(graph, edge.target)
        for port in ("nowhere", f"{edge.target_port}x"):
            yield "retarget", _with_edge(graph, edge, replace(edge, target_port=port)), here
        yield "resource", _with_edge(graph, edge, replace(edge, source_port="nowhere")), here
        yield "lost", _with_edge(graph, edge, replace(edge, source="nobody")), here


def crossing(graph: Graph) -> Iterator[Mutant]:
    """Let an edge begin in another body."""
    for edge in graph.edges:
        level = graph.by_id[edge.target].parent
        for other in graph.nodes:
            if other.parent != level and other.kind == "llm":
                crossed = replace(edge, source=other.id, source_port="text", source_path="")
                yield "cross", _with_edge(graph, edge, crossed), _names(graph, edge.target)


def retyped(graph: Graph) -> Iterator[Mutant]:
    for switch in graph.nodes:
        for edge in graph.edges if switch.kind == "switch" else ():
            same_body = graph.by_id[edge.target].parent == switch.parent
            if same_body and edge.target_port not in OPTIONAL and edge.target != switch.id:
                other = replace(edge, source=switch.id, source_port="default", source_path="")
                names = _names(graph, edge.target)
                yield f"retype {edge.binding}", _with_edge(graph, edge, other), names


def renamed_variables(graph: Graph) -> Iterator[Mutant]:
    for node in graph.nodes:
        prompt = node.config.get("prompt")
        if isinstance(prompt, dict) and "{{ " in str(prompt.get("text")):
            text = str(prompt["text"]).replace("{{ ", "{{ other_")
            changed = _with_config(graph, node, {"prompt": {"text": text}})
            yield f"rename in {node.key}", changed, {graph.name(node)}


def renamed_outputs(graph: Graph) -> Iterator[Mutant]:
    for node in graph.nodes:
        below = {graph.name(graph.by_id[edge.target]) for edge in graph.out_of(node.id)}
        if node.kind == "output":
            yield (
                "rename output",
                _with_config(graph, node, {"fields": ["oth"]}),
                {graph.name(node)},
            )
        if node.kind == "switch":
            yield "rename case", _with_config(graph, node, {"cases": ["other"]}), below
        if "returns" in node.config:
            shape = {"type": "object", "properties": {"other": {"type": "string"}}}
            yield "rename field", _with_config(graph, node, {"returns": shape}), below


def misspelt(graph: Graph) -> Iterator[Mutant]:
    for node in graph.nodes:
        here = {graph.name(node)}
        yield "unknown setting", _with_config(graph, node, {"no_such_setting": 1}), here
        yield "unknown kind", _with_node(graph, node, replace(node, kind="nokind")), here
        yield "unknown policy", _with_node(graph, node, replace(node, policy={"rety": 1})), here
        if node.kind == "llm":
            yield "unknown model", _with_config(graph, node, {"model": "nobody:x"}), here
            lost = {"prompt": {"ref": "support/gone@1"}}
            yield "lost template", _with_config(graph, node, lost), here
        if node.kind == "loop":
            yield "endless", _with_node(graph, node, replace(node, config={})), here
        if node.kind == "input":
            wrong = {"type": "int", "default": "five"}
            yield "default", _with_config(graph, node, wrong), here


def cycles(graph: Graph) -> Iterator[Mutant]:
    below = {node.id: _reached(graph, node.id) for node in graph.nodes}
    for edge in graph.edges:
        for end in below[edge.target] & {other.source for other in graph.edges}:
            ring = {graph.name(graph.by_id[one]) for one in below[edge.target] if end in below[one]}
            yield "cycle", _with_edge(graph, edge, replace(edge, source=end)), ring


def removed_nodes(graph: Graph) -> Iterator[Mutant]:
    for node in graph.nodes:
        if graph.out_of(node.id):
            gone = {node.id, *(inner.id for inner in graph.within(node.id))}
            left = tuple(other for other in graph.nodes if other.id not in gone)
            edges = tuple(edge for edge in graph.edges if edge.target not in gone)
            below = {graph.name(graph.by_id[edge.target]) for edge in graph.out_of(node.id)}
            yield f"remove {node.key}", Graph(left, edges), below


def emptied(graph: Graph) -> Iterator[Mutant]:
    for node in graph.nodes:
        inside = {inner.id for inner in graph.within(node.id)}
        if inside:
            left = tuple(other for other in graph.nodes if other.id not in inside)
            edges = tuple(edge for edge in graph.edges if not inside & {edge.source, edge.target})
            yield f"empty {node.key}", Graph(left, edges), {graph.name(node)}
            orphans = tuple(other for other in graph.nodes if other is not node)
            names = {graph.by_id[one].key for one in inside}
            yield f"open {node.key}", Graph(orphans, graph.edges), names


def doubled(graph: Graph) -> Iterator[Mutant]:
    for edge in graph.edges:
        if edge.target_port not in OPTIONAL:
            twin = replace(edge, id=f"{edge.id}-twin", source_path="")
            yield "double", Graph(graph.nodes, (*graph.edges, twin)), _names(graph, edge.target)
    for node in graph.nodes:
        namesake = replace(node, id=f"{node.id}-twin", key=node.key.upper())
        names = {graph.name(node), graph.name(namesake)}
        yield "namesake", Graph((*graph.nodes, namesake), graph.edges), names


WAYS: tuple[Callable[[Graph], Iterator[Mutant]], ...] = (
    deleted_bindings,
    retargeted,
    crossing,
    retyped,
    renamed_variables,
    renamed_outputs,
    misspelt,
    cycles,
    removed_nodes,
    emptied,
    doubled,
)


def _names(graph: Graph, node_id: str) -> set[str]:
    return {graph.name(graph.by_id[node_id])}


def _with_edge(graph: Graph, old: Edge, new: Edge) -> Graph:
    return Graph(graph.nodes, tuple(new if edge is old else edge for edge in graph.edges))


def _with_node(graph: Graph, old: Node, new: Node) -> Graph:
    return Graph(tuple(new if node is old else node for node in graph.nodes), graph.edges)


def _with_config(graph: Graph, node: Node, config: Mapping[str, object]) -> Graph:
    return _with_node(graph, node, replace(node, config={**node.config, **config}))


def _reached(graph: Graph, start: str) -> set[str]:
    seen, waiting = {start}, [start]
    while waiting:
        for edge in graph.out_of(waiting.pop()):
            if edge.target not in seen:
                seen.add(edge.target)
                waiting.append(edge.target)
    return seen


def test_every_broken_flow_is_caught_at_the_right_node() -> None:
    made, missed = 0, []
    for graph in (triage_graph(), wide_and_long(12), bodies_graph(), nested_graph()):
        assert errors(validate(graph, FACTS)) == (), "the flow that is broken was whole"
        for way in WAYS:
            for name, mutant, wanted in way(graph):
                made += 1
                found = {problem.node for problem in errors(validate(mutant, FACTS))}
                if not found & wanted:
                    missed.append((name, sorted(wanted), sorted(map(str, found))))
    assert made >= 500
    assert len(missed) <= made * 0.05, f"{made - len(missed)} of {made} caught: {missed}"
    assert missed == [], f"{made - len(missed)} of {made} caught"

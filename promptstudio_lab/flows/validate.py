"""Validation: every problem of a flow in one pass; nothing is imported, connected to or run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from promptstudio_lab.errors import TemplateSyntaxError, ValueRefused, did_you_mean
from promptstudio_lab.flows.shape import Surroundings
from promptstudio_lab.nodes import Kind, Port, Ports, kinds, mismatch
from promptstudio_lab.nodes.kind import POLICY_SCHEMA
from promptstudio_lab.nodes.ports import type_at
from promptstudio_lab.nodes.shapes import checker, misfits
from promptstudio_lab.rendering import parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jsonschema_rs import Draft202012Validator

    from promptstudio_lab.flows.facts import Facts
    from promptstudio_lab.flows.graph import Edge, Graph, Node
    from promptstudio_lab.values import Json


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, or worth a look.

    Attributes:
        code: stable, such as `F203`.
        severity: `error` stops a run, `warning` does not.
        node: the key of the node, or None for the flow itself.
        pointer: the JSON pointer into the document.
        message: what is wrong and what would be right.
        fix: what a click may do about it, as data, or None.
    """

    code: str
    severity: Literal["error", "warning"]
    node: str | None
    pointer: str
    message: str
    fix: dict[str, Json] | None = None

    def __str__(self) -> str:
        """Return the problem as one line."""
        where = f" {self.node}:" if self.node else ""
        return f"{self.code} {self.severity}{where} {self.message}"


def validate(graph: Graph, facts: Facts) -> tuple[Problem, ...]:
    """Return every problem of a flow.

    Args:
        graph: the flow.
        facts: what there is to refer to: templates, providers.

    Returns:
        Problems in the order of the nodes, the flow's own last.
    """
    found: list[Problem] = []
    shapes: dict[str, Ports] = {}
    for node in graph.nodes:
        found += _policy(node)
        kind = kinds.get(node.kind)
        if kind is None:
            found.append(_unknown_kind(node))
            continue
        config_problems = list(_config(node, kind))
        found += config_problems
        if not any(problem.severity == "error" for problem in config_problems):
            found += _prompt(node, facts)
            found += _model(node, facts)
            found += _returns(node)
            shapes[node.id] = kind.ports(node.config, Surroundings(facts, graph, node))
    for node in graph.nodes:
        found += _inputs(graph, node, shapes)
    found += _whole(graph)
    return tuple(found)


def errors(problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
    """Return the problems that stop a run."""
    return tuple(problem for problem in problems if problem.severity == "error")


def _problem(
    code: str, node: Node | None, pointer: str, message: str, fix: dict[str, Json] | None = None
) -> Problem:
    path = f"/nodes/{node.key}{pointer}" if node else pointer
    return Problem(code, "error", node.key if node else None, path, message, fix)


def _unknown_kind(node: Node) -> Problem:
    hint = did_you_mean(node.kind, kinds)
    return _problem("F101", node, "/kind", f"there is no node kind {node.kind!r}.{hint}")


@lru_cache
def _config_checker(kind: Kind) -> Draft202012Validator:
    return checker(kind.schema)


@lru_cache
def _policy_checker() -> Draft202012Validator:
    return checker(POLICY_SCHEMA)


def _policy(node: Node) -> Iterator[Problem]:
    for name in node.policy:
        if name not in POLICY_SCHEMA["properties"]:
            hint = did_you_mean(name, POLICY_SCHEMA["properties"])
            message = f"a policy has no {name!r}.{hint}"
            yield _problem("F301", node, f"/policy/{name}", message)
    for place, reason in misfits(_policy_checker(), dict(node.policy)):
        yield _problem("F301", node, f"/policy{place}", reason)


def _returns(node: Node) -> Iterator[Problem]:
    shape = node.config.get("returns")
    if not isinstance(shape, dict):
        return
    try:
        checker(shape)
    except ValueRefused as error:
        yield _problem("F110", node, "/config/returns", str(error))


def _config(node: Node, kind: Kind) -> Iterator[Problem]:
    if node.version > kind.version:
        message = f"{node.kind} version {node.version} is newer than this installation knows"
        yield _problem("F101", node, "/v", message)
    for name in node.config:
        if name not in kind.schema["properties"]:
            hint = did_you_mean(name, kind.schema["properties"])
            message = f"{node.kind} has no setting {name!r}.{hint}"
            fix = {"do": "remove_setting", "node": node.id, "setting": name}
            yield _problem("F110", node, f"/config/{name}", message, fix)
    for place, reason in misfits(_config_checker(kind), dict(node.config)):
        yield _problem("F110", node, f"/config{place}", reason)


def _prompt(node: Node, facts: Facts) -> Iterator[Problem]:
    prompt = node.config.get("prompt")
    if not isinstance(prompt, dict):
        return
    text = facts.text(prompt)
    if text is None:
        message = f"there is no template {prompt['ref']!r}.{did_you_mean(str(prompt['ref']), [])}"
        yield _problem("F403", node, "/config/prompt/ref", message)
        return
    try:
        parse(text)
    except (TemplateSyntaxError, ValueRefused) as error:
        yield _problem("F203", node, "/config/prompt", str(error))
    if not text.strip():
        yield _problem("F203", node, "/config/prompt", "the prompt is empty")


def _model(node: Node, facts: Facts) -> Iterator[Problem]:
    if "model" not in kinds[node.kind].schema["properties"]:
        return
    model = str(node.config.get("model") or facts.default_model)
    provider, _, name = model.partition(":")
    if not name or provider not in facts.providers:
        hint = did_you_mean(provider, facts.providers)
        message = f"{model!r} names no installed provider; write provider:model.{hint}"
        yield _problem("F401", node, "/config/model", message)


def _inputs(graph: Graph, node: Node, shapes: dict[str, Ports]) -> Iterator[Problem]:
    ports = shapes.get(node.id)
    edges = graph.into(node.id)
    bound = {edge.target_port for edge in edges}
    for edge in edges:
        yield from _binding(graph, edge, node, shapes)
    for name in sorted(bound):
        port = ports.input(name) if ports else None
        count = sum(edge.target_port == name for edge in edges)
        if port and not port.many and count > 1:
            message = f"input {name!r} takes one edge and has {count}; join them with a merge node"
            yield _problem("F205", node, f"/in/{name}", message)
    for port in ports.inputs if ports else ():
        if port.required and port.name not in bound:
            yield _problem("F202", node, f"/in/{port.name}", f"input {port.name!r} gets no value")


def _binding(graph: Graph, edge: Edge, node: Node, shapes: dict[str, Ports]) -> Iterator[Problem]:
    pointer = f"/in/{edge.target_port}"
    source = graph.by_id.get(edge.source)
    fix: dict[str, Json] = {"do": "disconnect", "edge": edge.id}
    if source is None:
        yield _problem("F103", node, pointer, "the edge comes from a node that is gone", fix)
        return
    refusal = refuse_edge(shapes.get(source.id), shapes.get(node.id), edge, source.key, node.key)
    if refusal:
        yield _problem(refusal[0], node, pointer, refusal[1], fix)


def refuse_edge(
    source: Ports | None, target: Ports | None, edge: Edge, source_key: str, target_key: str
) -> tuple[str, str] | None:
    """Return the code and the reason why an edge cannot be, or None if it can.

    Args:
        source: the ports of the node that gives, or None when they cannot be known.
        target: the ports of the node that takes, or None when they cannot be known.
        edge: the edge.
        source_key: how the giving node is called.
        target_key: how the taking node is called.
    """
    given = source.output(edge.source_port) if source else None
    taken = target.input(edge.target_port) if target else None
    if source and not given:
        hint = did_you_mean(edge.source_port, [port.name for port in source.outputs])
        return "F103", f"{source_key!r} has no output {edge.source_port!r}.{hint}"
    if target and not taken:
        hint = did_you_mean(edge.target_port, [port.name for port in target.inputs])
        return "F103", f"{target_key!r} has no input {edge.target_port!r}.{hint}"
    if not given or not taken:
        return None
    return _refuse_types(given, taken, edge, source_key)


def _refuse_types(given: Port, taken: Port, edge: Edge, source_key: str) -> tuple[str, str] | None:
    found = type_at(given, edge.source_path)
    if found is None:
        properties = (given.schema or {}).get("properties", {})
        hint = did_you_mean(edge.source_path, properties)
        return "F204", f"{source_key}.{given.name} has nothing at {edge.source_path!r}.{hint}"
    reason = mismatch(found, taken.type)
    return ("F201", reason) if reason else None


def _lost(graph: Graph) -> Iterator[Problem]:
    for edge in graph.edges:
        if edge.target not in graph.by_id:
            source = graph.by_id.get(edge.source)
            pointer = "" if source else "/nodes"
            fix: dict[str, Json] = {"do": "disconnect", "edge": edge.id}
            yield _problem("F103", source, pointer, "an edge goes to a node that is gone", fix)


def _whole(graph: Graph) -> Iterator[Problem]:
    yield from _lost(graph)
    if not graph.nodes:
        yield _problem("F106", None, "/nodes", "the flow has no nodes")
        return
    cycle = find_cycle(graph)
    if cycle:
        yield _problem("F104", graph.by_key[cycle[0]], "", f"a cycle: {' → '.join(cycle)}")
    if not any(node.kind == "output" for node in graph.nodes):
        yield _problem("F106", None, "/nodes", "the flow has no output: add an output node")
    for node in graph.nodes:
        if node.kind != "output" and not graph.out_of(node.id):
            message = "nothing uses what this node gives"
            yield Problem("F105", "warning", node.key, f"/nodes/{node.key}", message)


def find_cycle(graph: Graph) -> list[str]:
    """Return the keys along one cycle, its first node again at the end; empty if there is none."""
    waiting = {
        node_id: sum(edge.source in graph.by_id for edge in graph.into(node_id))
        for node_id in graph.by_id
    }
    ready = [node_id for node_id, count in waiting.items() if not count]
    while ready:
        for edge in graph.out_of(ready.pop()):
            if edge.target not in waiting:
                continue
            waiting[edge.target] -= 1
            if not waiting[edge.target]:
                ready.append(edge.target)
    # A dict keeps the order of the nodes, so a cycle is told in the same words every time.
    stuck = dict.fromkeys(node_id for node_id, count in waiting.items() if count > 0)
    # A stuck node may only hang below the cycle; whoever feeds it leads back into it.
    trail: list[str] = []
    here = next(iter(stuck), None)
    while here is not None and here not in trail:
        trail.append(here)
        here = next((edge.source for edge in graph.into(here) if edge.source in stuck), None)
    if here is None:
        return []
    ring = [*trail[trail.index(here) :], here]
    return [graph.by_id[node_id].key for node_id in reversed(ring)]

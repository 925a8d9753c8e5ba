"""Rules about bindings: whether their ends exist, and whether what is given fits what is taken."""

from __future__ import annotations

from collections import Counter
from difflib import get_close_matches
from typing import TYPE_CHECKING

from promptstudio_lab.errors import did_you_mean
from promptstudio_lab.nodes import kinds, mismatch
from promptstudio_lab.nodes.ports import type_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from promptstudio_lab.flows.graph import Edge, Node
    from promptstudio_lab.flows.validation.problem import Problem, Subject
    from promptstudio_lab.nodes import Port, Ports
    from promptstudio_lab.values import Json


def inputs(subject: Subject, node: Node) -> Iterator[Problem]:
    """Return what is wrong with what feeds a node: F103, F201, F202, F204, F206 and F207."""
    ports = subject.shapes.get(node.id)
    edges = subject.graph.into(node.id)
    counts = Counter(edge.target_port for edge in edges)
    for edge in edges:
        yield from _binding(subject, edge, node)
    for name in sorted(counts):
        port = ports.input(name) if ports else None
        if port and not port.many and counts[name] > 1:
            message = (
                f"input {name!r} takes one edge and has {counts[name]}; join them with a merge node"
            )
            yield subject.problem("F207", node, f"/in/{name}", message)
    for port in ports.inputs if ports else ():
        if port.required and port.name not in counts:
            message = f"input {port.name!r} gets no value"
            fix = _offer(subject, node, port)
            yield subject.problem("F202", node, f"/in/{port.name}", message, fix)


def _offer(subject: Subject, node: Node, port: Port) -> dict[str, Json] | None:
    """Return the edge from the input that is called like an opening, where there is one."""
    for other in subject.inside(node.parent):
        if other.kind == "input" and other.key == port.name:
            return {
                "do": "connect",
                "source": other.id,
                "source_port": "value",
                "target": node.id,
                "target_port": port.name,
            }
    return None


def _binding(subject: Subject, edge: Edge, node: Node) -> Iterator[Problem]:
    pointer = f"/in/{edge.target_port}"
    source = subject.graph.by_id.get(edge.source)
    fix: dict[str, Json] = {"do": "disconnect", "edge": edge.id}
    if source is None:
        message = f"the edge comes from {edge.source!r}, a node that is gone"
        yield subject.problem("F103", node, pointer, message, fix)
        return
    if source.parent != node.parent:
        message = f"an edge stays inside its body, and {subject.names[source.id]!r} lies elsewhere"
        yield subject.problem("F103", node, pointer, message, fix)
        return
    shapes = subject.shapes.get(source.id), subject.shapes.get(node.id)
    refusal = refuse_edge(*shapes, edge, source.key, node.key)
    if refusal:
        code, reason = refusal
        yield subject.problem(code, node, pointer, reason, _mend(*shapes, edge) or fix)
    elif _once(source) and not _once(node):
        message = f"{source.key!r} runs once a batch, so no single item can read it"
        yield subject.problem("F206", node, pointer, message, fix)


def _once(node: Node) -> bool:
    kind = kinds.get(node.kind)
    return bool(kind and kind.once_a_batch)


def _mend(source: Ports | None, target: Ports | None, edge: Edge) -> dict[str, Json] | None:
    """Return the one end of an edge that was probably meant, where a name is nearly right."""
    given = source.output(edge.source_port) if source else None
    if source and not given:
        name = _nearest(edge.source_port, (port.name for port in source.outputs))
        return {"do": "redirect", "edge": edge.id, "source_port": name} if name else None
    if target and not target.input(edge.target_port):
        name = _nearest(edge.target_port, (port.name for port in target.inputs))
        return {"do": "redirect", "edge": edge.id, "target_port": name} if name else None
    schema = given.schema if given else None
    properties = schema.get("properties") if isinstance(schema, dict) else None
    name = _nearest(edge.source_path, properties if isinstance(properties, dict) else ())
    return {"do": "redirect", "edge": edge.id, "source_path": name} if name else None


def _nearest(name: str, names: Iterable[str]) -> str | None:
    return next(iter(get_close_matches(name, list(names), n=1)), None) if name else None


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
    if source and not given and not source.open:
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

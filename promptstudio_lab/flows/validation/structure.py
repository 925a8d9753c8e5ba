"""Rules about the whole flow and each body: names, cycles, ends that hang, what nobody uses."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from promptstudio_lab.errors import did_you_mean
from promptstudio_lab.flows.graph import DEEPEST, NOTE, Graph
from promptstudio_lab.flows.validation.problem import warnings
from promptstudio_lab.nodes import kinds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from promptstudio_lab.flows.graph import Node
    from promptstudio_lab.flows.validation.problem import Problem, Subject
    from promptstudio_lab.values import Json


def unknown_kind(subject: Subject, node: Node) -> Problem:
    """F101: a kind that is not installed; the node stays as it is."""
    hint = did_you_mean(node.kind, kinds)
    return subject.problem("F101", node, "/kind", f"there is no node kind {node.kind!r}.{hint}")


def whole(subject: Subject) -> Iterator[Problem]:
    """Return what is wrong with the flow and its bodies as wholes."""
    yield from _lost(subject)
    if not subject.inside(None):
        yield subject.problem("F106", None, "/nodes", "the flow has no nodes")
        return
    for container in subject.bodies():
        yield from _body(subject, container)
    for node in subject.graph.nodes:
        yield from _unused(subject, node)


def _lost(subject: Subject) -> Iterator[Problem]:
    """F103: what hangs in the air."""
    graph = subject.graph
    for node in graph.nodes:
        above = graph.by_id.get(node.parent or "")
        if node.parent is not None and above is None:
            yield subject.problem("F103", node, "", "it lies in a node that is gone")
        elif above is not None and above.kind in kinds and not kinds[above.kind].container:
            message = f"it lies in {above.key!r}, and {above.kind} has no body"
            yield subject.problem("F103", node, "", message)
        elif graph.name(node).count("/") >= DEEPEST - 1:
            yield subject.problem("F103", node, "", "it lies in itself, or too deep in others")
    for edge in graph.edges:
        if edge.target not in graph.by_id:
            source = graph.by_id.get(edge.source)
            pointer = "" if source else "/nodes"
            fix: dict[str, Json] = {"do": "disconnect", "edge": edge.id}
            message = "an edge goes to a node that is gone"
            yield subject.problem("F103", source, pointer, message, fix)


def _body(subject: Subject, container: Node | None) -> Iterator[Problem]:
    parent = container.id if container else None
    inside = subject.inside(parent)
    yield from _twice(subject, inside)
    ids = {node.id for node in inside}
    edges = tuple(e for e in subject.graph.edges if e.source in ids and e.target in ids)
    ring = find_cycle(Graph(tuple(inside), edges))
    if ring:
        first = next(node for node in inside if node.key == ring[0])
        yield subject.problem("F104", first, "", f"a cycle: {' → '.join(ring)}")
    if not any(node.kind == "output" for node in inside):
        where = f"the body of {container.key!r}" if container else "the flow"
        fix: dict[str, Json] = {"do": "add", "kind": "output", "parent": parent}
        message = f"{where} has no output: add an output node"
        yield subject.problem("F106", container, "" if container else "/nodes", message, fix)


def _twice(subject: Subject, inside: list[Node]) -> Iterator[Problem]:
    """F102: two names that only differ in case are one name to a reader."""
    first: dict[str, str] = {}
    for node in inside:
        folded = node.key.casefold()
        if folded not in first:
            first[folded] = node.key
            continue
        taken = {other.key.casefold() for other in inside}
        number = next(n for n in count(2) if f"{folded}_{n}" not in taken)
        fix: dict[str, Json] = {"do": "rename", "node": node.id, "key": f"{node.key}_{number}"}
        message = f"a node called {first[folded]!r} exists already: names are unique in a body"
        yield subject.problem("F102", node, "", message, fix)


def _unused(subject: Subject, node: Node) -> Iterator[Problem]:
    """F105: what nobody uses, unless it is there for what it does."""
    if node.kind in ("output", NOTE) or subject.graph.out_of(node.id):
        return
    if any(_acts(other) for other in (node, *subject.graph.within(node.id))):
        return
    fix: dict[str, Json] = {"do": "remove", "node": node.id}
    yield from warnings(
        [subject.problem("F105", node, "", "nothing uses what this node gives", fix)]
    )


def _acts(node: Node) -> bool:
    kind = kinds.get(node.kind)
    return bool(kind and (kind.side_effects == "unsafe" or kind.once_a_batch))


def find_cycle(graph: Graph) -> list[str]:
    """Return the names along one cycle, its first node again at the end; empty if there is none.

    >>> find_cycle(Graph())
    []
    """
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
    trail: dict[str, None] = {}
    here = next(iter(stuck), None)
    while here is not None and here not in trail:
        trail[here] = None
        here = next((edge.source for edge in graph.into(here) if edge.source in stuck), None)
    if here is None:
        return []
    ring = [*list(trail)[list(trail).index(here) :], here]
    return [graph.name(graph.by_id[node_id]) for node_id in reversed(ring)]

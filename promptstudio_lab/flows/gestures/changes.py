"""Changes of rows as values: what several come to, and the flow after them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from promptstudio_lab.flows.graph import Edge, Graph, Node
from promptstudio_lab.warehouse.history.changelog import Change

if TYPE_CHECKING:
    from collections.abc import Iterable


def squashed(changes: Iterable[Change]) -> list[Change]:
    """Return the same changes with one of each row, which is what it comes to.

    What comes and goes within them leaves nothing behind.

    >>> squashed(
    ...     [
    ...         Change("flow_node", "1", "insert", {"x": 0}),
    ...         Change("flow_node", "1", "update", {"x": 16}),
    ...         Change("flow_edge", "2", "insert", {}),
    ...         Change("flow_edge", "2", "delete"),
    ...     ]
    ... )
    [Change(table='flow_node', id='1', action='insert', fields={'x': 16})]
    """
    found: dict[str, Change] = {}
    for change in changes:
        before = found.get(change.id)
        after = change if before is None else _both(before, change)
        if after is None:
            del found[change.id]
        else:
            found[change.id] = after
    return sorted(found.values(), key=_turn)


def _turn(change: Change) -> int:
    """Tell when a change may be made: no edge without its ends, no body without its container."""
    if change.table == "flow_edge":
        return 0 if change.action == "delete" else 4
    return {"insert": 1, "delete": 3}.get(change.action, 2)


def _both(before: Change, after: Change) -> Change | None:
    if after.action == "delete":
        return None if before.action == "insert" else after
    fields = {**before.fields, **after.fields}
    return Change(before.table, before.id, before.action, fields)


def applied(graph: Graph, done: tuple[Change, ...]) -> Graph:
    """Return the flow after some changes, without a database."""
    nodes, edges = dict(graph.by_id), {edge.id: edge for edge in graph.edges}
    for change in done:
        if change.table == "flow_node":
            _apply_node(nodes, change)
        elif change.action == "delete":
            edges.pop(change.id, None)
        else:
            edges[change.id] = Edge(
                id=change.id,
                source=change.fields["source_node_id"],
                source_port=change.fields["source_port"],
                source_path=change.fields["source_path"],
                target=change.fields["target_node_id"],
                target_port=change.fields["target_port"],
            )
    return Graph(tuple(nodes.values()), tuple(edges.values()))


_FIELDS = {
    "node_key": "key",
    "kind": "kind",
    "kind_version": "version",
    "config": "config",
    "policy": "policy",
    "position_x": "x",
    "position_y": "y",
    "parent_node_id": "parent",
}


def _apply_node(nodes: dict[str, Node], change: Change) -> None:
    if change.action == "delete":
        nodes.pop(change.id, None)
        return
    fields = {_FIELDS[name]: value for name, value in change.fields.items() if name in _FIELDS}
    if change.id in nodes:
        nodes[change.id] = replace(nodes[change.id], **fields)
    else:
        nodes[change.id] = Node(id=change.id, **fields)

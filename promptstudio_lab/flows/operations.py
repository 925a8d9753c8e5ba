"""The edits that any face may ask for, checked here and turned into changes of rows.

A canvas, a cell and the assistant send the same small operations:

| operation | fields |
|---|---|
| `add` | `node` (a new id), `kind`, `key`, `config`, `policy`, `x`, `y`, `parent` (or null) |
| `move` | `nodes`: {id: {"x", "y"}} |
| `configure` | `node`, `config`, `policy` |
| `rename` | `node`, `key` |
| `remove` | `nodes`, `edges`: ids; a node goes with its body |
| `connect` | `edge` (a new id), `source`, `source_port`, `source_path`, `target`, `target_port` |
| `several` | `operations`: edits of the kinds above, done one after the other or not at all |

A node of a body stands at `x`, `y` from its container's corner. A node whose openings change loses
the edges of those that are gone, and so does the node in whose body the change was made.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from promptstudio_lab.errors import OperationRefused, ValueRefused, did_you_mean
from promptstudio_lab.flows.graph import DEEPEST, KEY, Edge, Graph, Node
from promptstudio_lab.flows.shape import ports_of
from promptstudio_lab.flows.validate import find_cycle, refuse_edge
from promptstudio_lab.ids import is_id, new_id
from promptstudio_lab.nodes import kinds
from promptstudio_lab.values import check_text
from promptstudio_lab.warehouse.history.changelog import Change

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from promptstudio_lab.flows.facts import Facts
    from promptstudio_lab.nodes import Port, Ports
    from promptstudio_lab.values import Json

_FAR = 1e6
_LONGEST = 160
# The words of JSON Schema that a value of another shape offends.
_OF_SHAPE = ("type", "oneOf")
# What validation says of an edge whose ends exist and do not fit.
_OF_TYPES = ("F201", "F204")
SEVERAL = "several"
MOST_PARTS = 5000


def changes(
    graph: Graph,
    flow_id: str,
    operation: Mapping[str, Json],
    facts: Facts,
    *,
    strict: bool = True,
) -> tuple[Change, ...]:
    """Return the row changes that an operation means.

    Args:
        graph: the flow as it stands.
        flow_id: the flow.
        operation: `type` and the fields of the table above.
        facts: what the flow may refer to.
        strict: whether to refuse what validation would list as a problem as well: a cell may
            build such mistakes, a canvas may not draw them.

    Raises:
        OperationRefused: with the reason, when the operation would break the flow.
    """
    check_shape(operation)
    if operation["type"] == SEVERAL:
        return _several(graph, flow_id, operation, facts, strict=strict)
    if strict:
        _refuse_config(graph, operation)
    if operation["type"] == "connect":
        return tuple(_connect(graph, flow_id, operation, facts, strict=strict))
    return tuple(_OPERATIONS[operation["type"]](graph, flow_id, operation, facts))


def check_shape(operation: Json) -> None:
    """Refuse what is no operation at all, whatever the flow.

    Args:
        operation: what a face sent.

    Raises:
        OperationRefused: naming the field.
    """
    found = operation.get("type") if isinstance(operation, dict) else operation
    if (
        not isinstance(operation, dict)
        or not isinstance(found, str)
        or found not in {*_OPERATIONS, SEVERAL}
    ):
        message = f"there is no operation {found!r}.{did_you_mean(str(found), _OPERATIONS)}"
        raise OperationRefused(message)
    for name in ("config", "policy"):
        if operation.get(name) is not None:
            _check_texts(_object(operation[name], name), name)
    _check_texts(operation.get("source_path"), "source_path")
    for part in parts_of(operation):
        check_shape(part)
        if part["type"] == SEVERAL:
            message = f"an edit within {SEVERAL!r} is a plain one"
            raise OperationRefused(message)


def parts_of(operation: Mapping[str, Json]) -> list[Mapping[str, Json]]:
    """Return the edits that an operation is made of; none for a plain one.

    Raises:
        OperationRefused: when several are none, or too many.

    >>> parts_of({"type": "several", "operations": [{"type": "undo"}]})
    [{'type': 'undo'}]
    """
    if operation.get("type") != SEVERAL:
        return []
    found = operation.get("operations")
    if not isinstance(found, list) or not 0 < len(found) <= MOST_PARTS:
        message = f"operations is not a list of 1 to {MOST_PARTS} edits"
        raise OperationRefused(message)
    return found


def _check_texts(value: Json, place: str) -> None:
    if isinstance(value, str):
        try:
            check_text(value, place)
        except ValueRefused as error:
            raise OperationRefused(str(error)) from None
    elif isinstance(value, dict):
        for name, part in value.items():
            _check_texts(str(name), place)
            _check_texts(part, f"{place}.{name}")
    elif isinstance(value, (list, tuple)):
        for part in value:
            _check_texts(part, place)


def _refuse_config(graph: Graph, operation: Mapping[str, Json]) -> None:
    """Refuse values of another shape; a setting that is only missing or unknown can be mended."""
    kind, config = operation.get("kind"), operation.get("config")
    if operation["type"] == "configure":
        kind = _node(graph, operation.get("node")).kind
    if config is None or not isinstance(kind, str) or kind not in kinds:
        return
    # A compiled library that only edits with a config need.
    from jsonschema_rs import Draft202012Validator

    for error in Draft202012Validator(dict(kinds[kind].schema)).iter_errors(dict(config)):
        if error.schema_path[-1] in _OF_SHAPE:
            place = ".".join(map(str, ["config", *error.instance_path]))
            message = f"{place} does not fit: {error.message[:_LONGEST]}"
            raise OperationRefused(message)


def _add(graph: Graph, flow_id: str, operation: Mapping[str, Json], facts: Facts) -> list[Change]:
    node_id = _new_id(operation, "node")
    kind = str(operation.get("kind"))
    if kind not in kinds:
        message = f"there is no node kind {kind!r}.{did_you_mean(kind, kinds)}"
        raise OperationRefused(message)
    parent = _container(graph, operation.get("parent"))
    key = operation.get("key") or _free_key(graph, kind, parent)
    _check_key(graph, key, parent)
    config = operation.get("config")
    fields = {
        "flow_id": flow_id,
        "parent_node_id": parent,
        "node_key": key,
        "kind": kind,
        "kind_version": kinds[kind].version,
        "config": _starting_config(kind) if config is None else _object(config, "config"),
        "policy": _object(operation.get("policy") or {}, "policy"),
        "position_x": _place(operation.get("x", 0)),
        "position_y": _place(operation.get("y", 0)),
    }
    return [Change("flow_node", node_id, "insert", fields)]


def _container(graph: Graph, parent: object) -> str | None:
    if parent is None:
        return None
    node = _node(graph, parent)
    if node.kind not in kinds or not kinds[node.kind].container:
        message = f"nothing can be put into {graph.name(node)!r}: {node.kind} has no body"
        raise OperationRefused(message)
    if graph.name(node).count("/") + 2 >= DEEPEST:
        message = f"nodes lie in one another at most {DEEPEST - 1} deep"
        raise OperationRefused(message)
    return node.id


def _move(graph: Graph, flow_id: str, operation: Mapping[str, Json], facts: Facts) -> list[Change]:
    places = {
        node_id: _object(place, f"the place of {node_id}")
        for node_id, place in _object(operation.get("nodes"), "nodes").items()
    }
    return [
        Change(
            "flow_node",
            _node(graph, node_id).id,
            "update",
            {"position_x": _place(place.get("x")), "position_y": _place(place.get("y"))},
        )
        for node_id, place in places.items()
    ]


def _configure(
    graph: Graph, flow_id: str, operation: Mapping[str, Json], facts: Facts
) -> list[Change]:
    node = _node(graph, operation.get("node"))
    fields: dict[str, Json] = {}
    for name in ("config", "policy"):
        if operation.get(name) is not None:
            fields[name] = _object(operation[name], name)
    if not fields:
        message = "configure needs a config or a policy"
        raise OperationRefused(message)
    if "config" in fields and hasattr(kinds.get(node.kind), "migrate"):
        # What was shown had been brought up to date; so is what is kept.
        fields["kind_version"] = kinds[node.kind].version
    found = [Change("flow_node", node.id, "update", fields)]
    if "config" in fields and node.kind in kinds:
        after = ports_of(graph, replace(node, config=fields["config"]), facts)
        found += _dropped_edges(graph, node, after) if after else []
    return [*found, *_of_container(graph, [node], found, facts)]


def _dropped_edges(graph: Graph, node: Node, after: Ports) -> list[Change]:
    """Edges to openings that the new config no longer has go with it, and come back by undo."""
    gone = [edge for edge in graph.into(node.id) if after.input(edge.target_port) is None]
    gone += [edge for edge in graph.out_of(node.id) if after.output(edge.source_port) is None]
    return [Change("flow_edge", edge.id, "delete") for edge in gone]


def _of_container(
    graph: Graph, touched: Iterable[Node], done: list[Change], facts: Facts
) -> list[Change]:
    """Return what a change in a body does to the edges of the node that it is the body of."""
    after, found = applied(graph, tuple(done)), []
    for parent in dict.fromkeys(node.parent for node in touched):
        node = after.by_id.get(parent or "")
        was, now = (ports_of(g, node, facts) if node else None for g in (graph, after))
        if node and was and now:
            gone = [e for e in after.into(node.id) if _lost(was.input, now.input, e.target_port)]
            gone += [
                e for e in after.out_of(node.id) if _lost(was.output, now.output, e.source_port)
            ]
            found += [Change("flow_edge", edge.id, "delete") for edge in gone]
    return found


def _lost(was: Callable[[str], Port | None], now: Callable[[str], Port | None], name: str) -> bool:
    """Tell whether an opening is gone."""
    return was(name) is not None and now(name) is None


def _rename(
    graph: Graph, flow_id: str, operation: Mapping[str, Json], facts: Facts
) -> list[Change]:
    node = _node(graph, operation.get("node"))
    key = operation.get("key")
    _check_key(graph, key, node.parent, node)
    done = [Change("flow_node", node.id, "update", {"node_key": key})]
    gone = _of_container(graph, [node], done, facts)
    return [*done, *gone, *_followed(applied(graph, tuple(done)), node, flow_id, facts)]


def _followed(after: Graph, before: Node, flow_id: str, facts: Facts) -> list[Change]:
    """Return the edges into a body's input under its new name: what fed it still does."""
    parent, key = after.by_id.get(before.parent or ""), after.by_id[before.id].key
    ports = ports_of(after, parent, facts) if parent and before.kind == "input" else None
    if parent is None or ports is None or before.key == key or ports.input(key) is None:
        return []
    edges = [edge for edge in after.into(parent.id) if edge.target_port == before.key]
    return [_inserted(flow_id, replace(edge, id=new_id(), target_port=key)) for edge in edges]


def _inserted(flow_id: str, edge: Edge) -> Change:
    fields = {
        "flow_id": flow_id,
        "source_node_id": edge.source,
        "source_port": edge.source_port,
        "source_path": edge.source_path,
        "target_node_id": edge.target,
        "target_port": edge.target_port,
    }
    return Change("flow_edge", edge.id, "insert", fields)


def _remove(
    graph: Graph, flow_id: str, operation: Mapping[str, Json], facts: Facts
) -> list[Change]:
    named = [_node(graph, node_id) for node_id in _list(operation.get("nodes"), "nodes")]
    nodes = {one.id for node in named for one in (node, *graph.within(node.id))}
    edges = set(_list(operation.get("edges"), "edges"))
    known = {edge.id for edge in graph.edges}
    if missing := sorted(map(str, edges - known)):
        message = f"there is no edge {missing[0]} in this flow"
        raise OperationRefused(message)
    edges |= {edge.id for edge in graph.edges if edge.source in nodes or edge.target in nodes}
    if not nodes and not edges:
        message = "remove names no node and no edge"
        raise OperationRefused(message)
    done = [
        *(Change("flow_edge", edge_id, "delete") for edge_id in sorted(edges)),
        *(Change("flow_node", node_id, "delete") for node_id in sorted(nodes)),
    ]
    return [*done, *_of_container(graph, named, done, facts)]


def _connect(
    graph: Graph,
    flow_id: str,
    operation: Mapping[str, Json],
    facts: Facts,
    *,
    strict: bool = True,
) -> list[Change]:
    edge = Edge(
        id=_new_id(operation, "edge"),
        source=_node(graph, operation.get("source")).id,
        source_port=str(operation.get("source_port")),
        source_path=str(operation.get("source_path") or ""),
        target=_node(graph, operation.get("target")).id,
        target_port=str(operation.get("target_port")),
    )
    _refuse(graph, edge, facts, strict=strict)
    return [_inserted(flow_id, edge)]


def _refuse(graph: Graph, edge: Edge, facts: Facts, *, strict: bool) -> None:
    source, target = graph.by_id[edge.source], graph.by_id[edge.target]
    if edge.source == edge.target:
        message = f"{source.key!r} cannot feed itself"
        raise OperationRefused(message)
    if source.parent != target.parent:
        names = f"{graph.name(source)!r} and {graph.name(target)!r}"
        message = f"an edge stays inside its body, and {names} lie in two"
        raise OperationRefused(message)
    if any(edge.binding == other.binding for other in graph.edges):
        message = f"{source.key!r} feeds {target.key}.{edge.target_port} already"
        raise OperationRefused(message)
    shapes = [ports_of(graph, node, facts) for node in (source, target)]
    refusal = refuse_edge(shapes[0], shapes[1], edge, source.key, target.key)
    if refusal and (strict or refusal[0] not in _OF_TYPES):
        raise OperationRefused(refusal[1])
    port = shapes[1].input(edge.target_port) if shapes[1] else None
    taken = any(other.target_port == edge.target_port for other in graph.into(target.id))
    if strict and port and not port.many and taken:
        message = f"{target.key}.{edge.target_port} is fed already; remove that edge, or merge"
        raise OperationRefused(message)
    cycle = find_cycle(Graph(graph.nodes, (*graph.edges, edge)))
    if cycle:
        message = f"that would make a cycle: {' → '.join(cycle)}"
        raise OperationRefused(message)


def _several(
    graph: Graph,
    flow_id: str,
    operation: Mapping[str, Json],
    facts: Facts,
    *,
    strict: bool = True,
) -> tuple[Change, ...]:
    """Do edits one after the other, as one step of undo."""
    rows: dict[tuple[str, str], Change] = {}
    now = graph
    for part in parts_of(operation):
        done = changes(now, flow_id, part, facts, strict=strict)
        now = applied(now, done)
        for change in done:
            place = (change.table, change.id)
            merged = _folded(rows.pop(place, None), change)
            if merged is not None:
                rows[place] = merged
    return tuple(sorted(rows.values(), key=_turn))


def _turn(change: Change) -> int:
    """Return when a change is made: an edge goes before its nodes do, and comes after them."""
    is_edge = change.table == "flow_edge"
    return int(not is_edge) if change.action == "delete" else 2 + int(is_edge)


def _folded(before: Change | None, change: Change) -> Change | None:
    """Return one change of a row for two; None when the row came and went."""
    if before is None:
        return change
    if change.action == "delete":
        return None if before.action == "insert" else change
    return replace(before, fields={**before.fields, **change.fields})


_OPERATIONS: dict[str, Callable[[Graph, str, Mapping[str, Json], Facts], list[Change]]] = {
    "add": _add,
    "move": _move,
    "configure": _configure,
    "rename": _rename,
    "remove": _remove,
    "connect": _connect,
}


def flaw(graph: Graph) -> str | None:
    """Return why these rows are no flow that any edit could have made, or None if they are one."""
    names = Counter((node.parent, node.key.casefold()) for node in graph.nodes)
    if len(names) < len(graph.nodes):
        return f"two nodes would be called {names.most_common(1)[0][0][1]!r}"
    for node in graph.nodes:
        if node.parent is not None and node.parent not in graph.by_id:
            return f"{node.key!r} would lie in a node that is gone"
    for edge in graph.edges:
        ends = [graph.by_id[end] for end in (edge.source, edge.target) if end in graph.by_id]
        if len(ends) < 2:  # noqa: PLR2004 — an edge has two ends
            known = ends[0].key if ends else ""
            return f"an edge of {known!r} would hang in the air"
        if ends[0].parent != ends[1].parent:
            return f"an edge of {graph.name(ends[0])!r} would leave its body"
    cycle = find_cycle(graph)
    return f"there would be a cycle: {' → '.join(cycle)}" if cycle else None


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


def _node(graph: Graph, node_id: object) -> Node:
    found = graph.by_id.get(node_id) if isinstance(node_id, str) else None
    if found is None:
        message = f"there is no node {node_id!r} in this flow; it may have been removed"
        raise OperationRefused(message)
    return found


def _new_id(operation: Mapping[str, Json], name: str) -> str:
    found = operation.get(name)
    if not is_id(found):
        message = f"{name} is {found!r}, which is not an id"
        raise OperationRefused(message)
    return str(found)


def _check_key(graph: Graph, key: object, parent: str | None, node: Node | None = None) -> None:
    if not isinstance(key, str) or not KEY.fullmatch(key):
        message = f"{key!r} is not a name; use letters, digits and underscores"
        raise OperationRefused(message)
    others = [other for other in graph.inside(parent) if node is None or other.id != node.id]
    taken = {other.key.casefold() for other in others}
    if key.casefold() in taken:
        message = f"a node called {key!r} exists already: names are unique in a flow"
        raise OperationRefused(message)


def _free_key(graph: Graph, kind: str, parent: str | None) -> str:
    taken = {node.key.casefold() for node in graph.inside(parent)}
    number = 1
    while (key := kind if number == 1 else f"{kind}_{number}").casefold() in taken:
        number += 1
    return key


def _starting_config(kind: str) -> dict[str, Json]:
    properties = kinds[kind].schema["properties"]
    found = {name: part["default"] for name, part in properties.items() if "default" in part}
    if "prompt" in properties:
        found["prompt"] = {"text": "{{ text }}"}
    return found


def _object(value: object, name: str) -> dict[str, Json]:
    if not isinstance(value, dict):
        message = f"{name} is not an object"
        raise OperationRefused(message)
    return value


def _list(value: object, name: str) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, (list, tuple)) or not all(isinstance(part, str) for part in value):
        message = f"{name} is not a list of ids"
        raise OperationRefused(message)
    return list(value)


def _place(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < _FAR:
        message = f"{value!r} is not a place on the canvas"
        raise OperationRefused(message)
    return round(float(value), 1)

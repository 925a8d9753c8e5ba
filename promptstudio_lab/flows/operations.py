"""The edits that any face may ask for, checked here and turned into changes of rows.

A canvas, a cell and the assistant send the same small operations:

| operation | fields |
|---|---|
| `add` | `node` (a new id), `kind`, `key`, `config`, `policy`, `x`, `y`, `parent` (or null) |
| `move` | `nodes`: {id: {"x", "y"}}; with a `parent` (or null) it goes into that body |
| `configure` | `node`, `config`, `policy`; or single `settings` and `rules`: {name: value}, and \
the names of those that go: `without`, `without_rules` |
| `rename` | `node`, `key` |
| `remove` | `nodes`, `edges`: ids; a node goes with its body |
| `connect` | `edge` (a new id), `source`, `source_port`, `source_path`, `target`, `target_port` |
| `insert` | as `add`, and `on`: the edge that the new node then stands on |
| `extend` | as `add`, and `from` or `to`: {`node`, `port`} that it is connected with |
| `group` | `nodes`, and `node` (a new id) and `kind` of the container that they go into |
| `ungroup` | `node`: the container that goes, while its body stays |
| `tidy` | `nodes`: the ids to place, or null for all; `heights`: {id: pixels} as they are drawn |
| `batch` | `name`: one of `GESTURES`; `operations`: of those above, as one step of undo |

A node of a body stands at `x`, `y` from its container's corner. A node whose openings change loses
the edges of those that are gone, and so does the node in whose body the change was made.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from promptstudio_lab.errors import OperationRefused, ValueRefused, did_you_mean
from promptstudio_lab.flows.gestures.changes import applied, squashed
from promptstudio_lab.flows.gestures.grouping import grouping, ungrouping
from promptstudio_lab.flows.gestures.joining import extending, inserting
from promptstudio_lab.flows.graph import DEEPEST, KEY, Edge, Graph, Node
from promptstudio_lab.flows.layout import places
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

GESTURES = ("paste", "duplicate", "reconnect", "arrange", "fix", "draw")
"""What a batch may be called in the log."""

_FAR = 1e6
_MOST_PARTS = 5_000
_LONGEST = 160
# The words of JSON Schema that a value of another shape offends.
_OF_SHAPE = ("type", "oneOf")
# What validation says of an edge whose ends exist and do not fit.
_OF_TYPES = ("F201", "F204")


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
    if operation["type"] in _GESTURES:
        parts, tolerant = _GESTURES[operation["type"]](graph, operation, facts)
        return _folded(graph, flow_id, parts, facts, strict=strict and not tolerant)
    if strict:
        _refuse_config(graph, operation)
    if operation["type"] == "connect":
        return tuple(_connect(graph, flow_id, operation, facts, strict=strict))
    return tuple(_OPERATIONS[operation["type"]](graph, flow_id, operation, facts))


def named(operation: Mapping[str, Json]) -> str:
    """Return what the log calls an operation."""
    return str(operation["name"] if operation["type"] == "batch" else operation["type"])


def configs_in(operation: Mapping[str, Json]) -> list[Mapping[str, Json]]:
    """Return every config, or part of one, that an operation would write."""
    parts = operation.get("operations") if operation.get("type") == "batch" else None
    inner = [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    return [
        found
        for each in (operation, *inner)
        for found in (each.get("config"), each.get("settings"))
        if isinstance(found, dict)
    ]


def _folded(
    graph: Graph, flow_id: str, parts: list[dict[str, Json]], facts: Facts, *, strict: bool
) -> tuple[Change, ...]:
    """Do edits one after the other, and return what all of them come to."""
    done: list[Change] = []
    for part in parts:
        found = changes(graph, flow_id, part, facts, strict=strict)
        done += found
        graph = applied(graph, found)
    return tuple(squashed(done))


def check_shape(operation: Json) -> None:
    """Refuse what is no operation at all, whatever the flow.

    Args:
        operation: what a face sent.

    Raises:
        OperationRefused: naming the field.
    """
    found = operation.get("type") if isinstance(operation, dict) else operation
    known = (*_OPERATIONS, *_GESTURES)
    if not isinstance(operation, dict) or not isinstance(found, str) or found not in known:
        message = f"there is no operation {found!r}.{did_you_mean(str(found), known)}"
        raise OperationRefused(message)
    for name in ("config", "policy", "settings", "rules"):
        if operation.get(name) is not None:
            _check_texts(_object(operation[name], name), name)
    _check_texts(operation.get("source_path"), "source_path")


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
        node = _node(graph, operation.get("node"))
        kind, config = node.kind, _configured(node, operation).get("config")
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
    key = operation.get("key") or _free_key(graph.inside(parent), kind)
    _check_key(graph, key, parent)
    config = operation.get("config")
    fields = {
        "flow_id": flow_id,
        "parent_node_id": parent,
        "node_key": key,
        "kind": kind,
        "kind_version": kinds[kind].version,
        "config": starting_config(kind) if config is None else _object(config, "config"),
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
    wanted = {
        node_id: _object(place, f"the place of {node_id}")
        for node_id, place in _object(operation.get("nodes"), "nodes").items()
    }
    done: list[Change] = []
    moved: list[Node] = []
    for node_id, place in wanted.items():
        node = _node(graph, node_id)
        fields: dict[str, Json] = {
            "position_x": _place(place.get("x")),
            "position_y": _place(place.get("y")),
        }
        if "parent" in place and place["parent"] != node.parent:
            parent = _other_body(graph, node, place["parent"])
            fields["parent_node_id"] = parent
            rest = [other for other in graph.inside(parent) if other.id not in wanted]
            fields["node_key"] = _free_key(rest, node.key)
            moved.append(node)
        done.append(Change("flow_node", node.id, "update", fields))
    if not moved:
        return done
    after = applied(graph, tuple(done))
    # An edge stays inside its body; what would leave it goes, and comes back by undo.
    gone = [
        Change("flow_edge", edge.id, "delete")
        for edge in graph.edges
        if after.by_id[edge.source].parent != after.by_id[edge.target].parent
    ]
    done = [*done, *gone]
    bodies = [*moved, *(after.by_id[node.id] for node in moved)]
    lost = _of_container(graph, bodies, done, facts)
    known = {change.id for change in done}
    return [*done, *(change for change in lost if change.id not in known)]


def _other_body(graph: Graph, node: Node, parent: Json) -> str | None:
    found = _container(graph, parent)
    if found == node.id or found in {inner.id for inner in graph.within(node.id)}:
        message = f"{node.key!r} cannot lie in itself"
        raise OperationRefused(message)
    return found


def _configure(
    graph: Graph, flow_id: str, operation: Mapping[str, Json], facts: Facts
) -> list[Change]:
    node = _node(graph, operation.get("node"))
    fields = _configured(node, operation)
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


def _configured(node: Node, operation: Mapping[str, Json]) -> dict[str, Json]:
    """Return the node's config and policy as they will be, each where it is touched at all.

    Single settings are put into what stands now: two people who change two of them lose neither.
    """
    fields: dict[str, Json] = {}
    for name, some, without in (
        ("config", "settings", "without"),
        ("policy", "rules", "without_rules"),
    ):
        if operation.get(name) is not None:
            fields[name] = _object(operation[name], name)
        given = _object(operation.get(some) or {}, some)
        gone = _list(operation.get(without), without)
        if given or gone:
            standing = fields.get(name, node.config if name == "config" else node.policy)
            left = {key: value for key, value in standing.items() if key not in gone}
            fields[name] = {**left, **given}
    return fields


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


_OPERATIONS: dict[str, Callable[[Graph, str, Mapping[str, Json], Facts], list[Change]]] = {
    "add": _add,
    "move": _move,
    "configure": _configure,
    "rename": _rename,
    "remove": _remove,
    "connect": _connect,
}


_Parts: TypeAlias = "tuple[list[dict[str, Json]], bool]"


def _inserted_on(graph: Graph, operation: Mapping[str, Json], facts: Facts) -> _Parts:
    return inserting(graph, operation, facts, _with_added), False


def _extended(graph: Graph, operation: Mapping[str, Json], facts: Facts) -> _Parts:
    return extending(graph, operation, facts, _with_added), False


def _with_added(graph: Graph, add: Mapping[str, Json], facts: Facts) -> Graph:
    return applied(graph, tuple(_add(graph, "", add, facts)))


def _grouped(graph: Graph, operation: Mapping[str, Json], facts: Facts) -> _Parts:
    wanted = [_node(graph, node_id) for node_id in _list(operation.get("nodes"), "nodes")]
    ids = {node.id for node in wanted}
    inner = {each.id for node in wanted for each in graph.within(node.id)}
    nodes = [node for node in wanted if node.id in ids - inner]
    return grouping(graph, operation, nodes, facts), True


def _ungrouped(graph: Graph, operation: Mapping[str, Json], facts: Facts) -> _Parts:
    return ungrouping(graph, _node(graph, operation.get("node"))), True


def _tidied(graph: Graph, operation: Mapping[str, Json], facts: Facts) -> _Parts:
    only = operation.get("nodes")
    ids = None if only is None else [_node(graph, each).id for each in _list(only, "nodes")]
    heights = _object(operation.get("heights") or {}, "heights")
    known = {key: _place(value) for key, value in heights.items() if key in graph.by_id}
    found = places(graph, ids, known)
    moved = {
        key: {"x": x, "y": y}
        for key, (x, y) in found.items()
        if (graph.by_id[key].x, graph.by_id[key].y) != (x, y)
    }
    return [{"type": "move", "nodes": moved}], False


def _together(graph: Graph, operation: Mapping[str, Json], facts: Facts) -> _Parts:
    parts = operation.get("operations")
    if operation.get("name") not in GESTURES:
        message = f"a batch is called {', '.join(GESTURES)}, not {operation.get('name')!r}"
        raise OperationRefused(message)
    if not isinstance(parts, list) or not 0 < len(parts) <= _MOST_PARTS:
        message = f"a batch holds 1 to {_MOST_PARTS:,} operations"
        raise OperationRefused(message)
    for part in parts:
        check_shape(part)
        if part["type"] == "batch":
            message = "a batch holds no other batch"
            raise OperationRefused(message)
    return parts, False


# What one gesture means: its edits, and whether mistakes in them become problems of the flow.
_GESTURES: dict[str, Callable[[Graph, Mapping[str, Json], Facts], _Parts]] = {
    "insert": _inserted_on,
    "extend": _extended,
    "group": _grouped,
    "ungroup": _ungrouped,
    "tidy": _tidied,
    "batch": _together,
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


def _free_key(others: Iterable[Node], wanted: str) -> str:
    taken = {node.key.casefold() for node in others}
    number = 1
    while (key := wanted if number == 1 else f"{wanted}_{number}").casefold() in taken:
        number += 1
    return key


def starting_config(kind: str) -> dict[str, Json]:
    """Return the config that a node has when it is added without one.

    Args:
        kind: an installed kind.

    >>> starting_config("output")
    {'fields': ['answer']}
    """
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

"""A flow as a value: nodes, the bindings between them, and the canonical document."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from promptstudio_lab.errors import FlowError, ValueRefused
from promptstudio_lab.ids import derived_id
from promptstudio_lab.shown import MOST, card, more, named_html, table
from promptstudio_lab.values import Json, check_text, content_hash, dumps, loads

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = "promptstudio.flow/1"
NOTE = "note"  # the kind of what is written beside a flow and does nothing in it
DEEPEST = 16  # no node has that many above it: a name of so many parts lies in itself
KEY = re.compile(r"[A-Za-z_][\w-]{0,63}")

# Nodes of a document without identities get theirs from their keys.
_NOWHERE = "00000000-0000-7000-8000-000000000000"


@dataclass(frozen=True, slots=True)
class Node:
    """One box.

    Attributes:
        id: its identity; a rename keeps it.
        key: its name in code, unique in its body.
        kind: what it is.
        config: what its kind needs to know.
        policy: how it is run: `when`, retry, timeout and so on.
        version: of its kind's config.
        x: its place, in pixels, from the corner of what it lies in: a body moves as one.
        y: its place downwards, in the same way.
        parent: the id of the `map` or `loop` whose body it belongs to, or None.
    """

    id: str
    key: str
    kind: str
    config: Mapping[str, Json] = field(default_factory=dict)
    policy: Mapping[str, Json] = field(default_factory=dict)
    version: int = 1
    x: float = 0.0
    y: float = 0.0
    parent: str | None = None

    _repr_html_ = named_html


@dataclass(frozen=True, slots=True)
class Edge:
    """One binding: what an input of `target` gets from an output of `source`.

    Attributes:
        id: its identity.
        source: the id of the node that gives.
        source_port: which of its outputs.
        target: the id of the node that takes.
        target_port: which of its inputs.
        source_path: where inside the output, as `label` or `items.0`; empty for all of it.
    """

    id: str
    source: str
    source_port: str
    target: str
    target_port: str
    source_path: str = ""

    _repr_html_ = named_html

    @property
    def binding(self) -> tuple[str, str, str, str, str]:
        """Return what makes two edges the same."""
        return (self.source, self.source_port, self.source_path, self.target, self.target_port)


@dataclass(frozen=True)
class Graph:
    """A whole flow, never changed in place."""

    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()

    def __repr__(self) -> str:
        """Count its parts."""
        return f"<Graph: {len(self.nodes)} nodes, {len(self.edges)} edges>"

    def _repr_html_(self) -> str:
        rows = [(self.name(node), node.kind, str(len(self.into(node.id)))) for node in self.nodes]
        shown = table(("node", "kind", "bindings"), rows[:MOST], frozenset({"bindings"}))
        return card(f"{len(self.nodes):,} nodes, {len(self.edges):,} edges", shown, more(len(rows)))

    @cached_property
    def by_id(self) -> dict[str, Node]:
        """Return the nodes by identity."""
        return {node.id: node for node in self.nodes}

    @cached_property
    def by_key(self) -> dict[str, Node]:
        """Return the nodes by name; a node of a body is `container/node`."""
        return {self.name(node): node for node in self.nodes}

    def name(self, node: Node) -> str:
        """Return a node's name in the whole flow: its key behind those of what it lies in.

        >>> flow = Graph((Node("1", "each", "map"), Node("2", "item", "input", parent="1")))
        >>> [flow.name(node) for node in flow.nodes]
        ['each', 'each/item']
        """
        parts, above = [node.key], node.parent
        # Rows may say anything: a body that lies in itself has a name all the same.
        while above in self.by_id and len(parts) < DEEPEST:
            parts.append(self.by_id[above].key)
            above = self.by_id[above].parent
        return "/".join(reversed(parts))

    def inside(self, parent: str | None) -> tuple[Node, ...]:
        """Return the nodes of a body, or those of the flow itself for None."""
        return self._inside.get(parent, ())

    @cached_property
    def _inside(self) -> dict[str | None, tuple[Node, ...]]:
        found: dict[str | None, list[Node]] = {}
        for node in self.nodes:
            found.setdefault(node.parent, []).append(node)
        return {parent: tuple(nodes) for parent, nodes in found.items()}

    def within(self, node_id: str) -> tuple[Node, ...]:
        """Return all that lies in a node, at any depth, what lies outermost first."""
        found: dict[str, Node] = {}
        waiting = [node_id]
        while waiting:
            for node in self.inside(waiting.pop(0)):
                if node.id not in found and node.id != node_id:
                    found[node.id] = node
                    waiting.append(node.id)
        return tuple(found.values())

    def into(self, node_id: str) -> list[Edge]:
        """Return the edges that end in a node."""
        return self._into.get(node_id, [])

    def out_of(self, node_id: str) -> list[Edge]:
        """Return the edges that begin at a node."""
        return self._out_of.get(node_id, [])

    def upstream(self, node_id: str) -> Graph:
        """Return what runs before a node and the node itself, with all bodies.

        A node of a body runs with the whole node that it lies in.

        >>> flow = Graph(
        ...     (Node("1", "a", "input"), Node("2", "b", "transform"), Node("3", "c", "transform")),
        ...     (Edge("4", "1", "value", "2", "value"), Edge("5", "2", "value", "3", "value")),
        ... )
        >>> [node.key for node in flow.upstream("2").nodes]
        ['a', 'b']
        """
        while self.by_id[node_id].parent in self.by_id:
            node_id = str(self.by_id[node_id].parent)
        found, waiting = {node_id}, [node_id]
        while waiting:
            for edge in self.into(waiting.pop()):
                if edge.source in self.by_id and edge.source not in found:
                    found.add(edge.source)
                    waiting.append(edge.source)
        found |= {inner.id for outer in tuple(found) for inner in self.within(outer)}
        nodes = tuple(node for node in self.nodes if node.id in found)
        edges = tuple(e for e in self.edges if e.source in found and e.target in found)
        return Graph(nodes, edges)

    @cached_property
    def _into(self) -> dict[str, list[Edge]]:
        found: dict[str, list[Edge]] = {}
        for edge in self.edges:
            found.setdefault(edge.target, []).append(edge)
        return found

    @cached_property
    def _out_of(self) -> dict[str, list[Edge]]:
        found: dict[str, list[Edge]] = {}
        for edge in self.edges:
            found.setdefault(edge.source, []).append(edge)
        return found

    @cached_property
    def semantics(self) -> dict[str, Json]:
        """Return the hashed part of the document: what the flow does, not how it looks."""
        return {
            "format": FORMAT,
            "nodes": {
                self.name(node): {
                    "kind": node.kind,
                    "v": node.version,
                    "config": dict(node.config),
                    **({"policy": dict(node.policy)} if node.policy else {}),
                    "in": self._bindings(node),
                }
                for node in self.nodes
                if node.kind != NOTE
            },
        }

    def document(self) -> dict[str, Json]:
        """Return the canonical document: the semantics, then identities and layout."""
        named = {self.name(node): node for node in self.nodes}
        notes = {name: dict(node.config) for name, node in named.items() if node.kind == NOTE}
        return {
            **self.semantics,
            **({"notes": notes} if notes else {}),
            "ids": {name: node.id for name, node in named.items()},
            "layout": {name: {"x": node.x, "y": node.y} for name, node in named.items()},
        }

    @cached_property
    def hash(self) -> str:
        """Return the content hash: equal for flows that do the same."""
        return content_hash(self.semantics)

    def _bindings(self, node: Node) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for edge in self.into(node.id):
            # A node that is gone has no name left: its identity still tells the flows apart.
            source = self.by_id[edge.source].key if edge.source in self.by_id else edge.source
            text = binding_of(source, edge.source_port, edge.source_path)
            found.setdefault(edge.target_port, []).append(text)
        return found

    def moved(self, places: Mapping[str, tuple[float, float]]) -> Graph:
        """Return the flow with nodes at other places, given by id."""
        nodes = tuple(
            replace(node, x=places[node.id][0], y=places[node.id][1]) if node.id in places else node
            for node in self.nodes
        )
        return Graph(nodes, self.edges)


def from_document(document: Json) -> Graph:
    """Return the flow of a document; nothing in it is looked up, connected to or run.

    Raises:
        FlowError: naming the place that is not a flow's.

    >>> flow = from_document({"format": FORMAT, "nodes": {"q": {"kind": "input"}}})
    >>> from_document(flow.document()) == flow
    True
    """
    if not isinstance(document, dict):
        message = f"a flow is a JSON object, not {type(document).__name__}"
        raise FlowError(message)
    if document.get("format") != FORMAT:
        message = f"/format is {document.get('format')!r}; this version reads {FORMAT!r}"
        raise FlowError(message)
    notes = _object(document, "notes", "")
    entries = {
        **_object(document, "nodes", ""),
        **{key: {"kind": NOTE, "config": config} for key, config in notes.items()},
    }
    ids, layout = _object(document, "ids", ""), _object(document, "layout", "")
    by_name = {name: _node(name, entry, ids, layout) for name, entry in entries.items()}
    _check_identities(by_name)
    edges = tuple(
        _edge(by_name, name, port, text, order)
        for name, entry in entries.items()
        for port, texts in _object(entry, "in", f"/nodes/{name}").items()
        for order, text in enumerate(texts if isinstance(texts, list) else [texts])
    )
    return Graph(tuple(by_name.values()), edges)


def pointer_to(name: str, rest: str = "") -> str:
    """Return the JSON pointer of a node in a document.

    >>> pointer_to("each/label", "/config/prompt")
    '/nodes/each~1label/config/prompt'
    """
    return f"/nodes/{name.replace('/', '~1')}{rest}"


def binding_of(key: str, port: str, path: str = "") -> str:
    """Return how a document names what a node gives; a port whose name has a dot is quoted.

    >>> binding_of("classify", "json", "label"), binding_of("route", "v1.2")
    ('classify.json.label', 'route."v1.2"')
    """
    name = dumps(port) if "." in port or port.startswith('"') else port
    return f"{key}.{name}.{path}" if path else f"{key}.{name}"


_QUOTED = re.compile(r'("(?:[^"\\]|\\.)*")(?:\.(.*))?', re.DOTALL)


def parse_binding(text: str) -> tuple[str, str, str]:
    """Return the node key, output port and path that a binding names.

    >>> parse_binding("classify.json.label"), parse_binding('route."v1.2"')
    (('classify', 'json', 'label'), ('route', 'v1.2', ''))
    """
    key, dot, rest = str(text).partition(".")
    if not dot:
        message = f"{text!r} is not a binding such as 'classify.json.label'"
        raise FlowError(message)
    quoted = _QUOTED.fullmatch(rest)
    if quoted:
        with suppress(ValueRefused):
            return key, str(loads(quoted[1])), quoted[2] or ""
    port, _, path = rest.partition(".")
    return key, port, path


def _object(parent: Mapping[str, Json], name: str, pointer: str) -> dict[str, Json]:
    value = parent.get(name, {})
    if not isinstance(value, dict):
        message = f"{pointer}/{name} is not an object"
        raise FlowError(message)
    return value


def _check_identities(by_name: Mapping[str, Node]) -> None:
    first: dict[str, str] = {}
    for name, node in by_name.items():
        if node.id in first:
            message = f"/ids/{name} is {node.id!r}, which is {first[node.id]!r} already"
            raise FlowError(message)
        first[node.id] = name
    for name in by_name:
        above = name.rpartition("/")[0]
        if above and above not in by_name:
            message = f"/nodes/{name} lies in {above!r}, which is no node"
            raise FlowError(message)


def _identity(ids: Mapping[str, Json], key: str) -> str:
    value = ids.get(key) or derived_id(_NOWHERE, key)
    if not isinstance(value, str):
        message = f"/ids/{key} is {value!r}, which is not text"
        raise FlowError(message)
    return value


def _version(entry: Mapping[str, Json], key: str) -> int:
    value = entry.get("v", 1)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        message = f"/nodes/{key}/v is {value!r}, which is not a whole number from 1"
        raise FlowError(message)
    return value


def _coordinate(place: Mapping[str, Json], name: str, key: str) -> float:
    value = place.get(name, 0)
    try:
        number = math.nan if isinstance(value, (bool, str)) else float(value)
    except (TypeError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        message = f"/layout/{key}/{name} is not a number of pixels"
        raise FlowError(message)
    return number


def _node(name: str, entry: Json, ids: Mapping[str, Json], layout: Mapping[str, Json]) -> Node:
    above, _, key = name.rpartition("/")
    if not all(KEY.fullmatch(part) for part in name.split("/")):
        message = f"/nodes: the id {name!r} is not a name such as 'classify'"
        raise FlowError(message)
    if not isinstance(entry, dict) or not isinstance(entry.get("kind"), str):
        message = f"/nodes/{name} has no kind"
        raise FlowError(message)
    place = _object(layout, name, "/layout")
    return Node(
        id=_identity(ids, name),
        key=key,
        kind=entry["kind"],
        config=_object(entry, "config", f"/nodes/{name}"),
        policy=_object(entry, "policy", f"/nodes/{name}"),
        version=_version(entry, name),
        x=_coordinate(place, "x", name),
        y=_coordinate(place, "y", name),
        parent=_identity(ids, above) if above else None,
    )


def _edge(by_name: Mapping[str, Node], name: str, port: str, text: str, order: int) -> Edge:
    node, (source, source_port, path) = by_name[name], parse_binding(text)
    try:
        check_text(f"{port}{path}{source_port}", f"/nodes/{name}/in: a binding")
    except ValueRefused as error:
        raise FlowError(str(error)) from None
    # An edge stays inside its body, so a binding names its source as the body does.
    above = name.rpartition("/")[0]
    giver = by_name.get(f"{above}/{source}" if above else source)
    return Edge(
        id=derived_id(node.id, port, text, order),
        # A binding to nothing stays what it is, so that validation can tell it.
        source=giver.id if giver else source,
        source_port=source_port,
        source_path=path,
        target=node.id,
        target_port=port,
    )

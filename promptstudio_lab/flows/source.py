"""A cell run again: what it changed since last time, as operations on the flow as it stands.

The cell's last document is remembered with the identities that its names stood for, so a node
that was renamed on the canvas is still the cell's node.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from promptstudio_lab.errors import FlowError
from promptstudio_lab.flows.gestures.changes import applied
from promptstudio_lab.flows.graph import NOTE, Edge, Graph, from_document, parse_binding
from promptstudio_lab.flows.layout import places
from promptstudio_lab.flows.operations import changes
from promptstudio_lab.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from promptstudio_lab.flows.facts import Facts
    from promptstudio_lab.flows.graph import Node
    from promptstudio_lab.values import Json
    from promptstudio_lab.warehouse.history.changelog import Change

# The ends of an edge, as `Edge.binding` gives them.
Binding = tuple[str, str, str, str, str]


class Carried(NamedTuple):
    """What a cell's new document means for the flow.

    Attributes:
        steps: (type, changes) of each operation, in the order in which they must be done.
        source: the document to remember, with the identities of its nodes.
    """

    steps: list[tuple[str, tuple[Change, ...]]]
    source: dict[str, Json]


def carry(
    head: Graph, flow_id: str, last: dict[str, Json] | None, built: dict[str, Json], facts: Facts
) -> Carried:
    """Return the operations that carry a cell's change over to the head.

    Only what differs between the cell's last document and this one is touched, so edits made on
    the canvas stay: a node or edge that was removed there does not come back by itself.

    Args:
        head: the flow as it stands.
        flow_id: the flow.
        last: the document that the cell built last time, as it was remembered.
        built: the document that it built now.
        facts: what the flow may refer to.
    """
    _refuse_hanging(from_document(built))
    return _Carrier(head, flow_id, last or {"nodes": {}}, facts).carry(built)


def _refuse_hanging(graph: Graph) -> None:
    for edge in graph.edges:
        if edge.source not in graph.by_id:
            name = graph.name(graph.by_id[edge.target])
            message = f"{name}.{edge.target_port} is fed by {edge.source!r}, which is no node"
            raise FlowError(message)


def same(built: dict[str, Json], last: dict[str, Json] | None) -> bool:
    """Tell whether a cell built the same as last time."""
    if last is None or built.get("notes", {}) != last.get("notes", {}):
        return False
    return from_document(built).hash == from_document(last).hash


class _Carrier:
    def __init__(self, head: Graph, flow_id: str, last: dict[str, Json], facts: Facts) -> None:
        self._graph, self._flow_id, self._facts = head, flow_id, facts
        self._old: dict[str, Json] = _entries(last)
        known: dict[str, str] = last.get("ids", {})
        # A node of the cell's stays itself, whatever a canvas calls it now.
        self._names = {node_id: name for name, node_id in known.items()}
        others = {self._name(n): n.id for n in head.nodes if n.id not in self._names}
        self._ids = {**others, **known}
        self._again: set[Binding] = set()
        self._fresh: set[str] = set()
        self._steps: list[tuple[str, tuple[Change, ...]]] = []

    def carry(self, built: dict[str, Json]) -> Carried:
        new: dict[str, Json] = _entries(built)
        self._remove([key for key in self._old if key not in new])
        for key, entry in new.items():
            self._bring(key, entry)
        self._unbind(new)
        self._bind(new)
        self._place()
        ids = {key: self._ids[key] for key in new if key in self._ids}
        return Carried(self._steps, {**built, "ids": ids})

    def _name(self, node: Node) -> str:
        """Return how the cell would call a node: by the cell's names for what it lies in."""
        above = self._graph.by_id.get(node.parent or "")
        if node.id in self._names or above is None:
            return self._names.get(node.id, node.key)
        return f"{self._name(above)}/{node.key}"

    def _standing(self, key: str) -> bool:
        return self._ids.get(key) in self._graph.by_id

    def _remove(self, keys: list[str]) -> None:
        gone = [self._ids[key] for key in keys if self._standing(key)]
        if gone:
            self._do({"type": "remove", "nodes": gone})

    def _bring(self, key: str, entry: Json) -> None:
        """Add a node that is new in the cell, or bring one that stands up to date."""
        old = self._old.get(key, {})
        if self._standing(key) and self._graph.by_id[self._ids[key]].kind != entry["kind"]:
            self._remove([key])
        if not self._standing(key):
            above = key.rpartition("/")[0]
            # What was removed by hand stays away, and so does what lay in it.
            wanted = _nature(old) != _nature(entry) or above in self._fresh
            if wanted and (not above or self._standing(above)):
                self._add(key, entry)
            return
        node = self._graph.by_id[self._ids[key]]
        for name in ("config", "policy"):
            wanted = entry.get(name, {})
            if wanted != old.get(name, {}) and wanted != getattr(node, name):
                self._do({"type": "configure", "node": node.id, name: wanted})

    def _add(self, key: str, entry: Json) -> None:
        self._ids[key] = new_id()
        self._fresh.add(key)
        fields = {name: entry.get(name) for name in ("kind", "config", "policy")}
        above, _, own = key.rpartition("/")
        place = {"key": own, "parent": self._ids[above] if above else None}
        self._do({"type": "add", "node": self._ids[key], **place, **fields})

    def _unbind(self, new: dict[str, Json]) -> None:
        wanted = [binding for key in new for binding in self._bindings(new, key)]
        before = [binding for key in self._old for binding in self._bindings(self._old, key)]
        old, standing = _by_opening(before), _by_opening(e.binding for e in self._graph.edges)
        for opening, bindings in _by_opening(wanted).items():
            self._again |= _out_of_order(bindings, old.get(opening, []), standing.get(opening, []))
        dropped = {*before} - {*wanted} | self._again
        edges = [edge.id for edge in self._graph.edges if edge.binding in dropped]
        if edges:
            self._do({"type": "remove", "edges": edges})

    def _bind(self, new: dict[str, Json]) -> None:
        before = {binding for key in self._old for binding in self._bindings(self._old, key)}
        fresh = {self._ids[key] for key in self._fresh}
        for key in new:
            for binding in self._bindings(new, key):
                edge = Edge(new_id(), *binding[:2], binding[3], binding[4], binding[2])
                ends = {edge.source, edge.target}
                removed_by_hand = (
                    binding in before and binding not in self._again and not ends & fresh
                )
                stands = any(other.binding == binding for other in self._graph.edges)
                if stands or removed_by_hand or not ends <= set(self._graph.by_id):
                    continue
                self._do({"type": "connect", "edge": edge.id, **_fields(edge)})

    def _bindings(self, nodes: dict[str, Json], key: str) -> list[Binding]:
        found, above = [], key.rpartition("/")[0]
        for port, texts in nodes[key].get("in", {}).items():
            for text in texts:
                own, source_port, path = parse_binding(text)
                source = f"{above}/{own}" if above else own
                ends = self._ids.get(source, source), self._ids.get(key, key)
                found.append((ends[0], source_port, path, ends[1], port))
        return found

    def _place(self) -> None:
        ids = {self._ids[key] for key in self._fresh}
        if ids:
            found = places(self._graph, ids)
            moved = {node_id: {"x": x, "y": y} for node_id, (x, y) in found.items()}
            self._do({"type": "move", "nodes": moved})

    def _do(self, operation: dict[str, Json]) -> None:
        # Mistakes are carried over too: validation lists them all.
        done = changes(self._graph, self._flow_id, operation, self._facts, strict=False)
        self._graph = applied(self._graph, done)
        self._steps.append((str(operation["type"]), done))


def _entries(document: dict[str, Json]) -> dict[str, Json]:
    """Return a document's nodes by whole name, notes too, what holds others before it."""
    notes = {name: {"kind": NOTE, "config": config} for name, config in _notes(document).items()}
    entries = {**document["nodes"], **notes}
    return dict(sorted(entries.items(), key=lambda entry: entry[0].count("/")))


def _notes(document: dict[str, Json]) -> dict[str, Json]:
    notes: dict[str, Json] = document.get("notes", {})
    return notes


def _by_opening(bindings: Iterable[Binding]) -> dict[tuple[str, ...], list[Binding]]:
    found: dict[tuple[str, ...], list[Binding]] = {}
    for binding in bindings:
        found.setdefault(binding[3:], []).append(binding)
    return found


def _out_of_order(
    wanted: list[Binding], before: list[Binding], standing: list[Binding]
) -> set[Binding]:
    """Return what must be bound again, since an opening takes its edges in their order."""
    if wanted == before:
        return set()
    staying = [binding for binding in standing if binding in wanted]
    coming = [binding for binding in wanted if binding not in {*staying, *before}]
    in_order = [binding for binding in wanted if binding in {*staying, *coming}]
    return set() if [*staying, *coming] == in_order else {*staying}


def _nature(entry: Json) -> Json:
    return [entry.get("kind"), entry.get("config", {}), entry.get("policy", {})]


def _fields(edge: Edge) -> dict[str, str]:
    return {
        "source": edge.source,
        "source_port": edge.source_port,
        "source_path": edge.source_path,
        "target": edge.target,
        "target_port": edge.target_port,
    }

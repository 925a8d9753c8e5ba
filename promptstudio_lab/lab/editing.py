"""A flow as a canvas sees it: one whole view, then only what changed.

The notebook cell and the JupyterLab tab speak to this and to nothing else, so both send the same
small operations to the same change log. Python owns the graph, its types and its undo.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from promptstudio_lab.errors import PromptStudioError
from promptstudio_lab.flows.draw import ACCENTS, headline
from promptstudio_lab.flows.facts import Facts
from promptstudio_lab.flows.graph import Graph, Node
from promptstudio_lab.flows.operations import check_shape, starting_config
from promptstudio_lab.flows.shape import ports_of
from promptstudio_lab.flows.validate import validate
from promptstudio_lab.flows.validation.fixes import operations_of
from promptstudio_lab.lab.asking import ask
from promptstudio_lab.nodes import Ports, kinds, mismatch
from promptstudio_lab.nodes.ports import TYPES, WHEN
from promptstudio_lab.warehouse.entities import ChangeLog
from promptstudio_lab.warehouse.history.changelog import Recorded, Stream, changes_of, since
from promptstudio_lab.warehouse.rows import first

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from promptstudio_lab.flows.graph import Edge
    from promptstudio_lab.flows.store import FlowHead
    from promptstudio_lab.flows.validate import Problem
    from promptstudio_lab.lab.flows import Flow
    from promptstudio_lab.values import Json
    from promptstudio_lab.warehouse.connect import Session

# Where a node stands is nobody's work.
_MEANT = ("config", "policy", "node_key")
_LISTS = tuple(f"list[{name}]" for name in ("text", "json", "int", "float", "bool"))
# Both engines count in 64 bits.
_LAST_SEQUENCE = 2**63 - 1


class Editing:
    """One flow being edited by one view.

    Args:
        flow: the flow.
        client_id: the view, so that others' operations can be told from its own.
    """

    def __init__(self, flow: Flow, client_id: str) -> None:
        """Bind a flow to a view."""
        self._flow, self._client_id = flow, client_id

    def view(self) -> dict[str, Json]:
        """Return everything that a canvas needs to draw the flow and to offer edits."""
        head = self._flow.head()
        facts = self._flow.facts(head.graph)
        return {
            "warehouse": self._flow.warehouse_id,
            "flow": {"id": head.id, "path": head.path, "version": head.version},
            "me": self._flow.environment.actor.name,
            "seq": head.seq,
            "kinds": kind_views(),
            "types": type_matrix(),
            "nodes": [_node(head.graph, node, facts) for node in head.graph.nodes],
            "edges": [_edge(edge) for edge in head.graph.edges],
            "problems": _problems(head.graph, facts),
        }

    def answer(self, message: Json) -> dict[str, Json]:
        """Do what a view asks and return the outcome; a refusal is an answer, not an exception.

        Args:
            message: `do` is `view`, `edit` (with an `operation`), `undo`, `redo`, `changes`
                (with `since`, a sequence), `ask` (`about` something, see `lab.asking`), `save`,
                or `restore` (a `version`).
        """
        do = message.get("do") if isinstance(message, dict) else None
        try:
            if do == "view":
                return {"ok": True, "view": self.view()}
            if do == "changes":
                return {"ok": True, "change": self.changes(_sequence(message.get("since", 0)))}
            if do == "ask":
                return {"ok": True, "data": ask(self._flow, self._flow.environment, message)}
            if do == "save":
                return {"ok": True, "data": self._flow.save()}
            done = self._do(str(do), message)
        except PromptStudioError as error:
            return {"ok": False, "code": type(error).__name__, "message": str(error)}
        return {"ok": True, "change": self._change(done)}

    def changes(self, seq: int) -> dict[str, Json]:
        """Return what happened to the flow after a sequence, whoever did it."""
        with self._flow.reading() as session:
            done = since(session, Stream("flow", self._flow.head().id), seq)
        return self._change(done)

    def _do(self, do: str, message: Mapping[str, Any]) -> Sequence[Recorded]:  # a view's own JSON
        if do == "edit":
            operation = message.get("operation")
            check_shape(operation)
            return [self._flow.apply(operation or {}, self._client_id)]
        if do == "restore":
            return self._restored(message.get("version"))
        if do == "undo":
            return self._flow.undo(self._client_id)
        if do == "redo":
            return self._flow.redo(self._client_id)
        error = f"a view can view, edit, undo, redo, save, restore, ask and see changes, not {do!r}"
        raise PromptStudioError(error)

    def _restored(self, version: Json) -> Sequence[Recorded]:
        if isinstance(version, bool) or not isinstance(version, int):
            message = f"{version!r} is no version's number"
            raise PromptStudioError(message)
        before = self._flow.head().seq
        self._flow.restore_version(version)
        with self._flow.reading() as session:
            return since(session, Stream("flow", self._flow.head().id), before)

    def _conflicts(self, done: Sequence[Recorded]) -> list[Json]:
        """Return what was overwritten, with the other's value: nobody loses work unseen."""
        found = [
            (row, conflict)
            for row in done
            if row.client_id == self._client_id
            for conflict in row.conflicts
            if conflict["field"] in _MEANT
        ]
        if not found:
            return []
        with self._flow.reading() as session:
            return [
                told
                for row, conflict in found
                if (told := _told(session, self._flow.head().id, row, conflict)) is not None
            ]

    def _change(self, done: Sequence[Recorded]) -> dict[str, Json]:
        head = self._flow.head()
        facts = self._flow.facts(head.graph)
        nodes = {key for row in done for table, key in row.touched if table == "flow_node"}
        edges = {key for row in done for table, key in row.touched if table == "flow_edge"}
        return {
            "seq": head.seq,
            "nodes": _views(head, nodes, facts),
            "edges": [_edge(edge) for edge in head.graph.edges if edge.id in edges],
            "gone_nodes": sorted(nodes - set(head.graph.by_id)),
            "gone_edges": sorted(edges - {edge.id for edge in head.graph.edges}),
            "problems": _problems(head.graph, facts),
            "conflicts": self._conflicts(done),
            "by": _others(done, self._client_id),
            "superseded": [row.op_id for row in done if row.status == "superseded"],
        }


def _others(done: Sequence[Recorded], client_id: str) -> list[Json]:
    """Return who else did what: the newest of each view, with the nodes that it touched."""
    found: dict[str, Json] = {}
    for row in done:
        if row.client_id != client_id or not client_id:
            found[row.client_id or row.actor_id] = {
                "client": row.client_id or "",
                "name": row.actor_id,
                "type": row.type,
                "nodes": [key for table, key in row.touched if table == "flow_node"],
            }
    return list(found.values())


def _told(session: Session, flow_id: str, mine: Recorded, conflict: Mapping[str, Json]) -> Json:
    """Return a conflict with both values, or None where both can stand."""
    was, now = (
        _touched(session, flow_id, int(seq), conflict) for seq in (conflict["seq"], mine.seq)
    )
    both = [name for name in now if name in was and was[name] != now[name]]
    if not both:
        return None
    return {
        "id": conflict["id"],
        "field": conflict["field"],
        "by": conflict["by"],
        "names": [name for name in both if name],
        "theirs": was[both[0]],
        "mine": now[both[0]],
    }


def _touched(
    session: Session, flow_id: str, seq: int, conflict: Mapping[str, Json]
) -> dict[str, Json]:
    """Return what an operation wrote into a field: of a config only the settings that it changed.

    A field that is no object is under the empty name.
    """
    row = first(session, ChangeLog, stream_id=flow_id, seq=seq)
    if row is None:
        return {}
    after, before = (
        next((c.fields.get(conflict["field"]) for c in side if c.id == conflict["id"]), None)
        for side in (changes_of(session, row.patch), changes_of(session, row.inverse))
    )
    if not isinstance(after, dict) or not isinstance(before, dict):
        return {"": after}
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return {name: after.get(name) for name in names}


def _sequence(value: Json) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LAST_SEQUENCE:
        message = f"since is {value!r}, which is no sequence"
        raise PromptStudioError(message)
    return value


def kind_views() -> list[Json]:
    """Return every installed node kind as a palette and an inspector need it."""
    return [
        {
            "name": name,
            "version": kind.version,
            "title": kind.title,
            "summary": kind.summary,
            "category": kind.category,
            "icon": kind.icon,
            "accent": ACCENTS.get(kind.category, ""),
            "container": kind.container,
            "schema": dict(kind.schema),
            **_usual(name),
        }
        for name, kind in kinds.items()
    ]


def _usual(name: str) -> dict[str, Json]:
    """Return the types that a fresh node of a kind takes and gives: what it can be drawn to."""
    fresh = Node("", name, name, starting_config(name))
    ports = ports_of(Graph((fresh,)), fresh, Facts()) or Ports(open=True)
    return {
        "takes": [port.type for port in ports.inputs],
        "gives": [port.type for port in ports.outputs],
    }


def type_matrix() -> dict[str, dict[str, str | None]]:
    """Return why each type does not fit each other, or None where it does."""
    names = (*TYPES, *_LISTS)
    return {source: {target: mismatch(source, target) for target in names} for source in names}


def _views(head: FlowHead, wanted: Collection[str], facts: Facts) -> list[Json]:
    return [_node(head.graph, node, facts) for node in head.graph.nodes if node.id in wanted]


def _node(graph: Graph, node: Node, facts: Facts) -> dict[str, Json]:
    ports = ports_of(graph, node, facts) or Ports(open=True)
    prompt = node.config.get("prompt")
    return {
        "id": node.id,
        "key": node.key,
        "kind": node.kind,
        "parent": node.parent,
        "config": dict(node.config),
        "policy": dict(node.policy),
        "x": node.x,
        "y": node.y,
        "headline": headline(node),
        "prompt": facts.text(prompt) if isinstance(prompt, dict) else None,
        "inputs": [
            *(
                {"name": port.name, "type": port.type, "required": port.required, "many": port.many}
                for port in ports.inputs
            ),
            {"name": WHEN, "type": "branch", "required": False, "many": True},
        ],
        "outputs": [{"name": port.name, "type": port.type} for port in ports.outputs],
        "open": ports.open,
    }


def _edge(edge: Edge) -> dict[str, Json]:
    return {
        "id": edge.id,
        "source": edge.source,
        "source_port": edge.source_port,
        "source_path": edge.source_path,
        "target": edge.target,
        "target_port": edge.target_port,
    }


def _problems(graph: Graph, facts: Facts) -> list[Json]:
    return [
        {
            "code": problem.code,
            "severity": problem.severity,
            "node": graph.by_key[problem.node].id if problem.node in graph.by_key else None,
            "key": problem.node,
            "pointer": problem.pointer,
            "message": problem.message,
            "mend": _mended(problem.fix, graph) if problem.fix else [],
        }
        for problem in _checked(graph, facts)
    ]


# Flows that were validated lately: most edits only move something, and a view asks after each.
_checked_lately: deque[tuple[Graph, Facts, tuple[Problem, ...]]] = deque(maxlen=16)


def _checked(graph: Graph, facts: Facts) -> tuple[Problem, ...]:
    """Return the problems of a flow; where a node stands makes none and mends none."""
    for before, known, problems in reversed(tuple(_checked_lately)):
        if _does_the_same(before, graph) and known == facts:
            return problems
    problems = validate(graph, facts)
    _checked_lately.append((graph, facts, problems))
    return problems


def _does_the_same(before: Graph, graph: Graph) -> bool:
    return (
        len(before.nodes) == len(graph.nodes)
        and before.edges == graph.edges
        and all(
            replace(one, x=other.x, y=other.y) == other
            for one, other in zip(before.nodes, graph.nodes, strict=True)
        )
    )


def _mended(fix: dict[str, Json], graph: Graph) -> list[Json]:
    """Return the edits of a fix; the view makes the ids of what they add, as for its own edits."""
    made = {"add": "node", "connect": "edge"}
    edits = operations_of(fix, graph)
    return [{**edit, made[edit["type"]]: ""} if edit["type"] in made else edit for edit in edits]

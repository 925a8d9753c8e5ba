"""A flow as a canvas sees it: one whole view, then only what changed.

The notebook cell and the JupyterLab tab speak to this and to nothing else, so both send the same
small operations to the same change log. Python owns the graph, its types and its undo.
"""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import fields
from operator import attrgetter, eq
from typing import TYPE_CHECKING, Any, NamedTuple

from promptstudio_lab.errors import PromptStudioError
from promptstudio_lab.flows.draw import ACCENTS, headline
from promptstudio_lab.flows.facts import Facts
from promptstudio_lab.flows.graph import NOTE, Graph, Node
from promptstudio_lab.flows.operations import check_shape, starting_config
from promptstudio_lab.flows.shape import ports_of
from promptstudio_lab.flows.validate import validate
from promptstudio_lab.flows.validation.fixes import operations_of
from promptstudio_lab.lab.asking import ask
from promptstudio_lab.lab.forks import origin_view
from promptstudio_lab.nodes import Ports, kinds, mismatch
from promptstudio_lab.nodes.ports import TYPES, WHEN
from promptstudio_lab.values import check_text, dumps
from promptstudio_lab.warehouse.entities import ChangeLog
from promptstudio_lab.warehouse.history.changelog import Recorded, Stream, changes_of, since
from promptstudio_lab.warehouse.rows import first

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from promptstudio_lab.flows.graph import Edge
    from promptstudio_lab.flows.store import FlowHead
    from promptstudio_lab.flows.validate import Problem
    from promptstudio_lab.lab.flows import Flow
    from promptstudio_lab.values import Json
    from promptstudio_lab.warehouse.connect import Session

# Where a node stands is nobody's work.
_MEANT = ("config", "policy", "node_key")
_LISTS = tuple(f"list[{name}]" for name in ("text", "json", "int", "float", "bool"))
# Kinds that no branch opens: what each run is given is there before, and words do nothing.
_NEVER_WAITING = ("input", NOTE)
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
        head, facts = self._flow.standing()
        return {
            "warehouse": self._flow.warehouse_id,
            "flow": {
                "id": head.id,
                "path": head.path,
                "version": head.version,
                "origin": origin_view(self._flow.origin),
            },
            "me": self._flow.environment.actor.name,
            "seq": head.seq,
            "kinds": kind_views(),
            "types": type_matrix(),
            "nodes": [_node(head.graph, node, facts) for node in head.graph.nodes],
            "edges": [_edge(edge) for edge in head.graph.edges],
            **_problems(head.graph, facts)._asdict(),
        }

    def answer(self, message: Json) -> dict[str, Json]:
        """Do what a view asks and return the outcome; a refusal is an answer, not an exception.

        Args:
            message: `do` is `view`, `edit` (with an `operation`), `undo`, `redo`, `changes`
                (with `since`, a sequence), `ask` (`about` something, see `lab.asking`), `save`,
                `restore` (a `version`), `label` (a `version` by a `name`; null takes it away),
                `fork` (a `version` to a `path`) or `merge` (`hunks` of a fork into its origin).
                With the `problems_tag` that the view has, the same problems are not told again.
        """
        do = message.get("do") if isinstance(message, dict) else None
        tag = message.get("problems_tag") if isinstance(message, dict) else None
        told: dict[str | None, Callable[[], Json]] = {
            "ask": lambda: ask(self._flow, self._flow.environment, message),
            "save": self._flow.save,
            "label": lambda: self._label(message),
            "fork": lambda: self._fork(message),
            "merge": lambda: self._merge(message),
        }
        try:
            if do == "view":
                return {"ok": True, "view": self.view()}
            if do == "changes":
                return {"ok": True, "change": self.changes(_sequence(message.get("since", 0)), tag)}
            if isinstance(do, str) and do in told:
                return {"ok": True, "data": told[do]()}
            done = self._do(str(do), message)
        except PromptStudioError as error:
            return {"ok": False, "code": type(error).__name__, "message": str(error)}
        return {"ok": True, "change": self._change(done, tag)}

    def changes(self, seq: int, problems_tag: Json = None) -> dict[str, Json]:
        """Return what happened to the flow after a sequence, whoever did it.

        Args:
            seq: the sequence.
            problems_tag: names the problems that the view has; if they are still the flow's,
                `problems` is null.
        """
        stream = Stream("flow", self._flow.settled())
        with self._flow.reading() as session:
            done = since(session, stream, seq)
        return self._change(done, problems_tag)

    def _do(self, do: str, message: Mapping[str, Any]) -> Sequence[Recorded]:  # a view's own JSON
        if do == "edit":
            operation = message.get("operation")
            check_shape(operation)
            return [self._flow.apply(operation or {}, self._client_id)]
        if do == "restore":
            return self._restored(message.get("version"))
        if do in {"undo", "redo"}:
            step = self._flow.undo if do == "undo" else self._flow.redo
            done = step(self._client_id)
            if not done:
                error = f"there is nothing of yours to {do}"
                raise PromptStudioError(error)
            return done
        error = (
            "a view can view, edit, undo, redo, save, restore, label, fork, merge, ask and see "
            f"changes, not {do!r}"
        )
        raise PromptStudioError(error)

    def _label(self, message: Mapping[str, Json]) -> Json:
        name, version = message.get("name"), message.get("version")
        known = version is None or (isinstance(version, int) and not isinstance(version, bool))
        if not isinstance(name, str) or not known:
            error = "a label is a name for the number of a version"
            raise PromptStudioError(error)
        if version is None:
            self._flow.unlabel(name)
        else:
            self._flow.label(name, version)
        return dict(self._flow.labels())

    def _fork(self, message: Mapping[str, Json]) -> Json:
        path, version = message.get("path"), message.get("version")
        if not isinstance(path, str) or isinstance(version, bool) or not isinstance(version, int):
            error = "a fork is a path for the number of a version"
            raise PromptStudioError(error)
        fork = self._flow.fork(check_text(path, "path"), version)
        return {"id": fork.id, "path": fork.path}

    def _merge(self, message: Mapping[str, Json]) -> Json:
        hunks = message.get("hunks")
        if not isinstance(hunks, list) or not all(isinstance(one, str) for one in hunks):
            error = "hunks are the ids of changes, as `ask` about `merge` gives them"
            raise PromptStudioError(error)
        if not hunks:
            error = "none of the changes was chosen"
            raise PromptStudioError(error)
        merge = self._flow.merge_back()
        return {"seq": merge.apply(*hunks, client_id=self._client_id).seq}

    def _restored(self, version: Json) -> Sequence[Recorded]:
        if isinstance(version, bool) or not isinstance(version, int):
            message = f"{version!r} is no version's number"
            raise PromptStudioError(message)
        before = self._flow.head()
        self._flow.restore_version(version)
        with self._flow.reading() as session:
            return since(session, Stream("flow", before.id), before.seq)

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
                if (told := _told(session, self._flow.settled(), row, conflict)) is not None
            ]

    def _change(self, done: Sequence[Recorded], known_tag: Json) -> dict[str, Json]:
        head, facts = self._flow.standing()
        found = _problems(head.graph, facts)
        nodes = {key for row in done for table, key in row.touched if table == "flow_node"}
        edges = {key for row in done for table, key in row.touched if table == "flow_edge"}
        return {
            "seq": head.seq,
            "nodes": _views(head, nodes, facts),
            "edges": [_edge(edge) for edge in head.graph.edges if edge.id in edges],
            "gone_nodes": sorted(nodes - set(head.graph.by_id)),
            "gone_edges": sorted(edges - {edge.id for edge in head.graph.edges}),
            "problems": None if found.problems_tag == known_tag else found.problems,
            "problems_tag": found.problems_tag,
            "conflicts": self._conflicts(done),
            "by": _others(done, self._client_id, self._flow.environment.actor.id),
            "superseded": [row.op_id for row in done if row.status == "superseded"],
        }


def _others(done: Sequence[Recorded], client_id: str, actor_id: str) -> list[Json]:
    """Return who else did what: the newest of each view, with the nodes that it touched.

    What somebody does in code, in their own kernel, is not somebody else's.
    """
    found: dict[str, Json] = {}
    for row in done:
        is_own = row.client_id == client_id if row.client_id else row.actor_id == actor_id
        if not is_own:
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
    waits = [] if name in _NEVER_WAITING else ["branch"]
    return {
        "takes": [*(port.type for port in ports.inputs), *waits],
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


class _Problems(NamedTuple):
    """A flow's problems as a view has them, and what tells them from others."""

    problems: list[Json]
    problems_tag: str


# Flows that were validated lately: most edits only move something, and a view asks after each.
_checked_lately: deque[tuple[Graph, Facts, _Problems]] = deque(maxlen=16)


def _problems(graph: Graph, facts: Facts) -> _Problems:
    """Return the problems of a flow; where a node stands makes none and mends none."""
    for before, known, found in reversed(tuple(_checked_lately)):
        if _does_the_same(before, graph) and known == facts:
            return found
    problems = [_problem(graph, problem) for problem in validate(graph, facts)]
    tag = hashlib.blake2b(dumps(problems).encode(), digest_size=8).hexdigest()
    found = _Problems(problems, tag)
    _checked_lately.append((graph, facts, found))
    return found


def _problem(graph: Graph, problem: Problem) -> Json:
    return {
        "code": problem.code,
        "severity": problem.severity,
        "node": graph.by_key[problem.node].id if problem.node in graph.by_key else None,
        "key": problem.node,
        "pointer": problem.pointer,
        "message": problem.message,
        "mend": _mended(problem.fix, graph) if problem.fix else [],
    }


_DOES = attrgetter(*(one.name for one in fields(Node) if one.name not in {"x", "y"}))


def _does_the_same(before: Graph, graph: Graph) -> bool:
    return (
        len(before.nodes) == len(graph.nodes)
        and before.edges == graph.edges
        and all(map(eq, map(_DOES, before.nodes), map(_DOES, graph.nodes)))
    )


def _mended(fix: dict[str, Json], graph: Graph) -> list[Json]:
    """Return the edits of a fix; the view makes the ids of what they add, as for its own edits."""
    made = {"add": "node", "connect": "edge"}
    edits = operations_of(fix, graph)
    return [{**edit, made[edit["type"]]: ""} if edit["type"] in made else edit for edit in edits]

"""A flow forked from a version of another, and its changes taken back into that one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from promptstudio_lab.errors import NotFound, OperationRefused
from promptstudio_lab.flows.diff import diff
from promptstudio_lab.flows.forks.hunks import Hunk, closed, hunks, together
from promptstudio_lab.flows.forks.places import Place, put, values_of
from promptstudio_lab.flows.graph import Graph
from promptstudio_lab.flows.history import differences, version
from promptstudio_lab.flows.operations import flaw
from promptstudio_lab.flows.store import find_flow, head, inserts, save_version
from promptstudio_lab.ids import derived_id, new_id
from promptstudio_lab.shown import named_html
from promptstudio_lab.warehouse.access import require_on
from promptstudio_lab.warehouse.entities import ChangeLog, FlowFork, PromptFlow, WorkflowLibrary
from promptstudio_lab.warehouse.history.changelog import Change, Operation, Stream, lock, record
from promptstudio_lab.warehouse.history.rewind import ERASED, rows_at
from promptstudio_lab.warehouse.libraries import find_or_make, split
from promptstudio_lab.warehouse.places.references import split_reference
from promptstudio_lab.warehouse.rows import find, first

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from promptstudio_lab.flows.diff import Diff
    from promptstudio_lab.values import Json
    from promptstudio_lab.warehouse.connect import Session
    from promptstudio_lab.warehouse.history.changelog import Recorded


# What people write is no place for a second copy.
_WRITTEN = ("config", "policy")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a fork came from.

    Attributes:
        flow_id: the flow.
        path: `library/name`, as it is called today; None if it has been archived.
        version: the version that the fork began as.
    """

    flow_id: str
    path: str | None
    version: int

    _repr_html_ = named_html

    def __str__(self) -> str:
        """Name it as a reference: `support/triage@3`."""
        return f"{self.path or 'an archived flow'}@{self.version}"


@dataclass(frozen=True, slots=True)
class Apart:
    """A fork and its origin, and what lies between them.

    Attributes:
        origin: where the changes would go.
        hunks: what the fork changed and the origin has not, one change each.
        theirs: what changed in the origin meanwhile.
    """

    origin: Origin
    hunks: tuple[Hunk, ...]
    theirs: Diff

    _repr_html_ = named_html


def fork(
    session: Session, lab_id: str, flow_id: str, path: str, wanted: int | str | None = None
) -> str:
    """Make a flow that begins as a version of another and remembers it; return its id.

    Args:
        session: a unit of work.
        lab_id: the lab in which the fork will lie.
        flow_id: the flow.
        path: `library/name` of the fork.
        wanted: the version's number or label; by default the flow is saved as it stands.

    Raises:
        OperationRefused: if there is a flow at the path, or it is none that one could have.
        NotFound: if there is no such flow or version.
    """
    require_on(session, "view", "prompt_flow", flow_id)
    if split_reference(path)[1] is not None or find_flow(session, lab_id, path):
        message = f"a fork needs a path of its own, and {path!r} is a version or another flow"
        raise OperationRefused(message)
    found = version(session, flow_id, wanted) if wanted else save_version(session, flow_id)
    parts, name = split(path)
    library = find_or_make(session, WorkflowLibrary, lab_id, parts)
    key = new_id()
    was = first(session, PromptFlow, id=flow_id)
    kept = was.data_classification if was else None
    made = {"workflow_library_id": library.id, "name": name, "data_classification": kept}
    origin = {"flow_id": key, "origin_flow_id": flow_id, "origin_version": found.version}
    changes = (
        Change("prompt_flow", key, "insert", made),
        Change("flow_fork", new_id(), "insert", origin),
    )
    record(session, Stream("lab", lab_id), Operation("fork flow", changes))
    graph = _renamed(found.graph, {node.id: derived_id(key, node.id) for node in found.graph.nodes})
    if graph.nodes:
        operation = Operation("fork", inserts(key, graph))
        record(session, Stream("flow", key), operation)
    return key


def origin(session: Session, flow_id: str) -> Origin | None:
    """Return where a flow was forked from, or None if it is no fork."""
    row = first(session, FlowFork, flow_id=flow_id)
    if row is None:
        return None
    known = first(session, PromptFlow, id=row.origin_flow_id)
    path = head(session, row.origin_flow_id).path if known else None
    return Origin(row.origin_flow_id, path, row.origin_version)


def apart(session: Session, flow_id: str) -> Apart:
    """Return what a fork could give back to its origin.

    Raises:
        NotFound: if the flow is no fork, or its origin is archived.
    """
    return _Sides(session, flow_id).apart()


def merge(
    session: Session, flow_id: str, wanted: Iterable[str], client_id: str | None = None
) -> Recorded:
    """Take changes of a fork into its origin, as one operation there; `undo` takes it back.

    Args:
        session: a unit of work.
        flow_id: the fork.
        wanted: the ids of hunks; what they need comes with them.
        client_id: the view that asks.

    Raises:
        Conflict: if one of them is not what it was when it was listed.
        OperationRefused: if they would break the origin, or there are none.
        NotFound: if the flow is no fork, or its origin is archived.
    """
    target = _origin_of(session, flow_id).flow_id
    require_on(session, "edit", "prompt_flow", target)
    stream = Stream("flow", target)
    lock(session, stream)
    sides = _Sides(session, flow_id)
    chosen = closed(sides.apart().hunks, wanted)
    changed = together(chosen)
    wished = put(sides.theirs, changed)
    wrong = flaw(wished) if chosen else "none of its changes was chosen"
    if wrong:
        message = f"that cannot be merged into {sides.origin.path!r}: {wrong}"
        raise OperationRefused(message)
    changes = differences(session, target, sides.theirs, wished)
    done = record(session, stream, Operation("merge", changes, client_id=client_id))
    sides.remember(done.seq, changed)
    return done


def _origin_of(session: Session, flow_id: str) -> Origin:
    found = origin(session, flow_id)
    if found is None or found.path is None:
        why = "it is no fork" if found is None else "the flow that it was forked from is archived"
        message = f"there is nothing to merge this flow into: {why}"
        raise NotFound(message)
    return found


class _Sides:
    """A fork, its origin, and what both began with, all with the origin's identities."""

    def __init__(self, session: Session, flow_id: str) -> None:
        self._session, self._flow_id = session, flow_id
        self.origin = _origin_of(session, flow_id)
        target = self.origin.flow_id
        self.theirs = head(session, target).graph
        began = version(session, target, self.origin.version).graph
        self.shared = self._merged_into(began)
        known = {**began.by_id, **self.shared.by_id, **self.theirs.by_id}
        back = {derived_id(flow_id, key): key for key in known}
        forked = head(session, flow_id).graph
        ids = {node.id: back.get(node.id) or derived_id(target, node.id) for node in forked.nodes}
        self.mine = _renamed(forked, ids)

    def apart(self) -> Apart:
        found = hunks(values_of(self.shared), self.mine, self.theirs)
        return Apart(self.origin, found, diff(self.shared, self.theirs))

    def remember(self, seq: int, changed: Mapping[Place, Json | None]) -> None:
        """Count what was merged as common from here on, for as long as that operation stands.

        What people wrote stays in the log alone, where an erasure finds it.
        """
        row = self._row()
        merges = (row.merged or {}).get("merges", [])
        places = [
            [*place] if place.what in _WRITTEN else [*place, value]
            for place, value in changed.items()
        ]
        row.merged = {"merges": [*merges, {"seq": seq, "changed": places}]}
        self._session.flush()

    def _merged_into(self, began: Graph) -> Graph:
        """Return what both have in common: what they began with and the merges that stand."""
        common: dict[Place, Json | None] = {}
        for merge in (self._row().merged or {}).get("merges", []):
            if self._stands(merge["seq"]):
                common |= self._values(merge)
        return put(began, common)

    def _values(self, merge: Mapping[str, Json]) -> dict[Place, Json | None]:
        """Return what a merge brought; what was erased since is no longer known to be common."""
        rows = rows_at(self._session, self.origin.flow_id, merge["seq"], ("flow_node",))
        nodes = rows["flow_node"]
        found: dict[Place, Json | None] = {}
        for what, node, detail, *value in merge["changed"]:
            if value:
                found[Place(what, node, detail)] = value[0]
            elif node in nodes and ERASED not in nodes[node][what]:
                found[Place(what, node, detail)] = nodes[node][what].get(detail)
        return found

    def _stands(self, seq: int) -> bool:
        target = self.origin.flow_id
        undone = find(self._session, ChangeLog, stream_id=target, undo_of_seq=seq)
        return not any(self._stands(row.seq) for row in undone)

    def _row(self) -> FlowFork:
        row = first(self._session, FlowFork, flow_id=self._flow_id)
        if row is None:
            message = f"the flow {self._flow_id} is no fork"
            raise NotFound(message)
        return row


def _renamed(graph: Graph, ids: dict[str, str]) -> Graph:
    """Return the same flow under other identities; its edges get fresh ones."""
    nodes = tuple(
        replace(node, id=ids[node.id], parent=ids[node.parent] if node.parent else None)
        for node in graph.nodes
    )
    edges = tuple(
        replace(edge, id=new_id(), source=ids[edge.source], target=ids[edge.target])
        for edge in graph.edges
        if edge.source in ids
    )
    return Graph(nodes, edges)

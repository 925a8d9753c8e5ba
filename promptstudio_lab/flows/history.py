"""A flow's past: as it stood after any operation, what differs, and a way back to a version.

A text that was erased cannot come back: where a node's config or policy lay in it, the flow as it
stood shows `{"$erased": <the payload's id>}`, and `FlowView.erased` names the node.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, TypeAlias

from promptstudio_lab.errors import FlowError, NotFound
from promptstudio_lab.flows.diff import Diff, diff
from promptstudio_lab.flows.graph import Graph
from promptstudio_lab.flows.store import FlowHead, FlowVersion, edge_of, head, node_of
from promptstudio_lab.ids import new_id
from promptstudio_lab.shown import named_html
from promptstudio_lab.values import dumps
from promptstudio_lab.warehouse.entities import PromptFlowVersion
from promptstudio_lab.warehouse.history.changelog import Change, Operation, Stream, lock, record
from promptstudio_lab.warehouse.history.rewind import ERASED, Row, rows_at, rows_ever
from promptstudio_lab.warehouse.places.labels import labelled
from promptstudio_lab.warehouse.rows import first

if TYPE_CHECKING:
    from promptstudio_lab.flows.graph import Edge, Node
    from promptstudio_lab.values import Json
    from promptstudio_lab.warehouse.connect import Session

_TABLES = ("flow_node", "flow_edge")


@dataclass(frozen=True, slots=True)
class FlowView:
    """A flow as it stood after one operation.

    Attributes:
        id: the flow.
        path: `library/name`, as it is called today.
        seq: the operation; 0 for before the first.
        graph: its nodes and edges then.
        erased: the whole names of nodes of which something was erased since.
    """

    id: str
    path: str
    seq: int
    graph: Graph
    erased: tuple[str, ...]

    _repr_html_ = named_html


# What can be compared: a version's number or label, `head`, or a flow as it stood.
Side: TypeAlias = int | str | FlowView | FlowHead


def at(session: Session, flow_id: str, seq: int) -> FlowView:
    """Return a flow as it stood after an operation; nothing is written.

    Raises:
        NotFound: if there is no such flow or operation.
    """
    path = head(session, flow_id).path
    rows = rows_at(session, flow_id, seq, _TABLES)
    graph = Graph(
        tuple(node_of(SimpleNamespace(**row)) for row in rows["flow_node"].values()),
        tuple(edge_of(SimpleNamespace(**row)) for row in rows["flow_edge"].values()),
    )
    erased = tuple(graph.name(n) for n in graph.nodes if ERASED in n.config or ERASED in n.policy)
    return FlowView(flow_id, path, seq, graph, erased)


def version(session: Session, flow_id: str, wanted: int | str) -> FlowVersion:
    """Return a saved version, by its number or by a label.

    Raises:
        NotFound: if there is none of that number or label.
    """
    if isinstance(wanted, str):
        path = head(session, flow_id).path
        number = labelled(session, "flow", flow_id, path, wanted)
    else:
        number = wanted
    row = first(session, PromptFlowVersion, flow_id=flow_id, version=number)
    if row is None:
        highest = head(session, flow_id).version
        known = f"versions 1 to {highest}" if highest else "no saved version"
        message = f"the flow has {known}, not {number}"
        raise NotFound(message)
    return FlowVersion(row.version, row.at_seq, row.content_hash, row.document)


def compare(session: Session, flow_id: str, before: Side, after: Side) -> Diff:
    """Return what differs between two versions of a flow, its head, or the flow as it stood.

    Raises:
        NotFound: if there is no such version.
    """
    return diff(_graph(session, flow_id, before), _graph(session, flow_id, after))


def _graph(session: Session, flow_id: str, side: object) -> Graph:
    if isinstance(side, (FlowView, FlowHead)):
        return side.graph
    if side == "head":
        return head(session, flow_id).graph
    if isinstance(side, (int, str)) and not isinstance(side, bool):
        return version(session, flow_id, side).graph
    message = f"{side!r} is no version's number or label, no 'head', and no flow as `at` gives it"
    raise FlowError(message)


def restore(session: Session, flow_id: str, wanted: int | str | FlowView) -> Diff:
    """Make a version the new head by one operation, and return what that changed.

    Only rows that differ are touched; a head that is the version already is left alone.

    Raises:
        NotFound: if there is no such version.
        FlowError: if a part of what is wanted was erased.
    """
    stream = Stream("flow", flow_id)
    lock(session, stream)
    if isinstance(wanted, FlowView) and (wanted.erased or wanted.id != flow_id):
        lost = f"{', '.join(wanted.erased)} was erased" if wanted.erased else "it is another flow's"
        message = f"the flow cannot be brought back to operation {wanted.seq}: {lost}"
        raise FlowError(message)
    graph, standing = _graph(session, flow_id, wanted), head(session, flow_id).graph
    changes = differences(session, flow_id, standing, graph)
    if changes:
        record(session, stream, Operation("restore version", changes))
    return diff(standing, graph)


def differences(
    session: Session, flow_id: str, standing: Graph, wanted: Graph
) -> tuple[Change, ...]:
    """Return the changes of rows that make a flow another one; only what differs is touched.

    Args:
        session: a unit of work that holds the flow's stream.
        flow_id: the flow.
        standing: the flow as it stands.
        wanted: what it shall be.
    """
    rows = rows_ever(session, flow_id, _TABLES)
    going, coming = _edge_changes(standing, wanted, rows["flow_edge"], flow_id)
    return (*going, *_node_changes(standing, wanted, rows["flow_node"], flow_id), *coming)


def _node_changes(
    standing: Graph, wanted: Graph, rows: dict[str, Row], flow_id: str
) -> list[Change]:
    found = [
        Change("flow_node", node.id, "delete")
        for node in standing.nodes
        if node.id not in wanted.by_id
    ]
    # What a node lies in is there before it.
    for node in sorted(wanted.nodes, key=lambda node: wanted.name(node).count("/")):
        fields = _node_fields(node)
        row = rows.get(node.id)
        if row is None:
            found.append(Change("flow_node", node.id, "insert", {"flow_id": flow_id, **fields}))
            continue
        other = {name: value for name, value in fields.items() if dumps(row[name]) != dumps(value)}
        if row["deleted_at"] is not None:
            found.append(Change("flow_node", node.id, "restore", other))
        elif other:
            found.append(Change("flow_node", node.id, "update", other))
    return found


def _node_fields(node: Node) -> dict[str, Json]:
    return {
        "node_key": node.key,
        "kind": node.kind,
        "kind_version": node.version,
        "config": dict(node.config),
        "policy": dict(node.policy),
        "position_x": node.x,
        "position_y": node.y,
        "parent_node_id": node.parent,
    }


def _edge_changes(
    standing: Graph, wanted: Graph, rows: dict[str, Row], flow_id: str
) -> tuple[list[Change], list[Change]]:
    """Return which edges go and which come; those that stay or rest in the table keep their ids."""
    going: list[Change] = []
    coming: list[Change] = []
    live = {edge.id: edge for edge in standing.edges}
    known = {edge_of(SimpleNamespace(**row)).binding: key for key, row in rows.items()}
    known |= {edge.binding: edge.id for edge in standing.edges}
    before, after = _openings(standing), _openings(wanted)
    for opening in sorted({*before, *after}):
        needed = after.get(opening, [])
        ids = [known.get(edge.binding) or new_id() for edge in needed]
        if ids != sorted(ids):
            # An opening takes its edges in the order of their ids.
            ids = [new_id() for _ in needed]
        going += [
            Change("flow_edge", edge.id, "delete")
            for edge in before.get(opening, [])
            if edge.id not in ids
        ]
        coming += [
            _coming(key, edge, rows, flow_id)
            for key, edge in zip(ids, needed, strict=True)
            if key not in live
        ]
    return going, coming


def _openings(graph: Graph) -> dict[tuple[str, str], list[Edge]]:
    found: dict[tuple[str, str], list[Edge]] = {}
    for edge in graph.edges:
        found.setdefault((edge.target, edge.target_port), []).append(edge)
    return found


def _coming(key: str, edge: Edge, rows: dict[str, Row], flow_id: str) -> Change:
    if key in rows:
        return Change("flow_edge", key, "restore")
    fields = {
        "flow_id": flow_id,
        "source_node_id": edge.source,
        "source_port": edge.source_port,
        "source_path": edge.source_path,
        "target_node_id": edge.target,
        "target_port": edge.target_port,
    }
    return Change("flow_edge", key, "insert", fields)

"""Flows in the warehouse: the rows that are the head, edits through the change log, versions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeAlias

from promptstudio_lab.errors import Conflict, NotFound, OperationRefused
from promptstudio_lab.flows.graph import Edge, Graph, Node, from_document
from promptstudio_lab.flows.operations import changes, flaw, named
from promptstudio_lab.flows.shape import migrated
from promptstudio_lab.flows.source import carry, same
from promptstudio_lab.ids import is_id, new_id
from promptstudio_lab.settings import CLASSES
from promptstudio_lab.shown import named_html
from promptstudio_lab.warehouse.access import require_on
from promptstudio_lab.warehouse.entities import (
    FlowNode,
    PromptFlow,
    PromptFlowVersion,
    WorkflowLibrary,
    WorkflowTemplateUsage,
)
from promptstudio_lab.warehouse.history.changelog import (
    Change,
    Operation,
    Recorded,
    Stream,
    lock,
    record,
    record_all,
    recorded,
)
from promptstudio_lab.warehouse.history.rewind import remembered, rows_now
from promptstudio_lab.warehouse.libraries import find_library, find_or_make, path_of, split
from promptstudio_lab.warehouse.places.labels import labels
from promptstudio_lab.warehouse.places.references import split_reference
from promptstudio_lab.warehouse.rows import count_by, find, first
from promptstudio_lab.warehouse.types import now

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from promptstudio_lab.flows.facts import Facts
    from promptstudio_lab.values import Json
    from promptstudio_lab.warehouse.connect import Session
    from promptstudio_lab.warehouse.history.rewind import Touched


_Values: TypeAlias = Any  # a row of a table, as the database or the log gives it


@dataclass(frozen=True, slots=True)
class FlowHead:
    """A flow as it stands.

    Attributes:
        id: the flow.
        path: `library/name`.
        seq: the newest operation in it.
        version: the newest saved version, 0 before the first.
        graph: its nodes and edges.
        source: the document that a cell built last, as it was remembered.
    """

    id: str
    path: str
    seq: int
    version: int
    graph: Graph
    source: dict[str, Json] | None

    _repr_html_ = named_html


@dataclass(frozen=True, slots=True)
class FlowVersion:
    """A saved version: the document as it was at one sequence."""

    version: int
    at_seq: int
    content_hash: str
    document: dict[str, Json]

    _repr_html_ = named_html

    @property
    def graph(self) -> Graph:
        """Return the version as a graph."""
        return migrated(from_document(self.document))


def get_or_create(session: Session, lab_id: str, path: str) -> str:
    """Return the id of the flow at a path, making it if it is not there."""
    known = find_flow(session, lab_id, path)
    if known is not None:
        return known
    if split_reference(path)[1] is not None:
        message = f"{path!r} ends in a version or a label; a flow is made under its name alone"
        raise OperationRefused(message)
    parts, name = split(path)
    library = find_or_make(session, WorkflowLibrary, lab_id, parts)
    key = new_id()
    change = Change("prompt_flow", key, "insert", {"workflow_library_id": library.id, "name": name})
    record(session, Stream("lab", lab_id), Operation("create flow", (change,)))
    return key


def classification(session: Session, flow_id: str) -> str:
    """Return how closely a flow's data is kept."""
    row = session.get(PromptFlow, flow_id)
    return row.data_classification if row else CLASSES[0]


def find_flow(session: Session, lab_id: str, path: str) -> str | None:
    """Return the id of the flow at a path, or None if there is none."""
    parts, name = split(path)
    library = find_library(session, WorkflowLibrary, lab_id, parts)
    row = first(session, PromptFlow, workflow_library_id=library.id, name=name) if library else None
    return row.id if row else None


def version_named(session: Session, lab_id: str, reference: str) -> tuple[str, FlowVersion] | None:
    """Return the flow and the saved version that a reference names, or None if there is none.

    Args:
        session: a unit of work.
        lab_id: the lab.
        reference: `library/name@3` or `library/name@production`; without either the newest.
    """
    path, at = split_reference(reference)
    flow_id = find_flow(session, lab_id, path)
    if flow_id is None:
        return None
    named = {}
    if at is not None:
        named["version"] = int(at) if at.isdecimal() else labels(session, "flow", flow_id).get(at)
        if named["version"] is None:
            return None
    row = first(session, PromptFlowVersion, order=("-version",), flow_id=flow_id, **named)
    if row is None:
        return None
    return flow_id, FlowVersion(row.version, row.at_seq, row.content_hash, row.document)


def take_in(session: Session, flow_id: str, graph: Graph) -> None:
    """Make an imported graph the content of a flow that is empty, as one operation.

    Every node and edge gets an identity of its own, so the same file may come in twice.

    Raises:
        OperationRefused: if the flow holds something, or the graph is none that could be kept.
    """
    require_on(session, "edit", "prompt_flow", flow_id)
    stream = Stream("flow", flow_id)
    lock(session, stream)
    wrong = "it is not empty" if head(session, flow_id).graph.nodes else flaw(graph)
    if wrong:
        message = f"nothing can be imported into this flow: {wrong}"
        raise OperationRefused(message)
    record(session, stream, Operation("import flow", inserts(flow_id, renewed(graph))))


def inserts(flow_id: str, graph: Graph) -> tuple[Change, ...]:
    """Return the changes that make a graph the content of an empty flow, under its identities."""
    depth = {node.id: graph.name(node).count("/") for node in graph.nodes}
    nodes = sorted(graph.nodes, key=lambda node: depth[node.id])
    return (
        *(Change("flow_node", node.id, "insert", _node_row(flow_id, node)) for node in nodes),
        *(Change("flow_edge", edge.id, "insert", _edge_row(flow_id, edge)) for edge in graph.edges),
    )


def renewed(graph: Graph) -> Graph:
    """Return the same flow under new identities."""
    ids = {node.id: new_id() for node in graph.nodes}
    nodes = tuple(
        replace(node, id=ids[node.id], parent=ids[node.parent] if node.parent else None)
        for node in graph.nodes
    )
    edges = tuple(
        replace(edge, id=new_id(), source=ids[edge.source], target=ids[edge.target])
        for edge in graph.edges
    )
    return Graph(nodes, edges)


def _node_row(flow_id: str, node: Node) -> dict[str, Json]:
    return {
        "flow_id": flow_id,
        "parent_node_id": node.parent,
        "node_key": node.key,
        "kind": node.kind,
        "kind_version": node.version,
        "config": dict(node.config),
        "policy": dict(node.policy),
        "position_x": node.x,
        "position_y": node.y,
    }


def _edge_row(flow_id: str, edge: Edge) -> dict[str, Json]:
    return {
        "flow_id": flow_id,
        "source_node_id": edge.source,
        "source_port": edge.source_port,
        "source_path": edge.source_path,
        "target_node_id": edge.target,
        "target_port": edge.target_port,
    }


def head(session: Session, flow_id: str) -> FlowHead:
    """Return a flow as it stands.

    Raises:
        NotFound: if there is no such flow in the actor's organisation.
    """
    row = _row(session, flow_id)
    library = path_of(session, WorkflowLibrary, row.workflow_library_id)
    return FlowHead(
        id=row.id,
        path=f"{library}/{row.name}",
        seq=row.head_seq,
        version=row.current_version,
        graph=_graph(session, flow_id, row.head_seq),
        source=row.source,
    )


def _graph(session: Session, flow_id: str, seq: int) -> Graph:
    def rows(some: Touched | None = None) -> Graph:
        of_nodes, of_edges = (
            None if some is None else some.get(table, ()) for table in ("flow_node", "flow_edge")
        )
        nodes = rows_now(session, flow_id, "flow_node", _OF_NODES, of_nodes)
        edges = rows_now(session, flow_id, "flow_edge", _OF_EDGES, of_edges)
        return migrated(Graph(tuple(map(node_of, nodes)), tuple(map(edge_of, edges))))

    def follow(before: Graph, touched: Touched) -> Graph:
        fresh = rows(touched)
        nodes = [node for node in before.nodes if node.id not in touched.get("flow_node", ())]
        edges = [edge for edge in before.edges if edge.id not in touched.get("flow_edge", ())]
        return Graph(
            tuple(sorted([*nodes, *fresh.nodes], key=_by_id)),
            tuple(sorted([*edges, *fresh.edges], key=_by_id)),
        )

    return remembered(session, flow_id, seq, rows, follow)


_by_id = attrgetter("id")


_OF_NODES = (
    "id",
    "node_key",
    "kind",
    "kind_version",
    "config",
    "policy",
    "position_x",
    "position_y",
    "parent_node_id",
)
_OF_EDGES = (
    "id",
    "source_node_id",
    "source_port",
    "source_path",
    "target_node_id",
    "target_port",
)


def edit(
    session: Session,
    flow_id: str,
    operation: Mapping[str, Json],
    facts_of: Callable[[Graph], Facts],
    client_id: str | None = None,
) -> Recorded:
    """Do one edit and write it down.

    Args:
        session: a unit of work.
        flow_id: the flow.
        operation: as `flows.operations` describes it, with `op_id` and `base_seq`.
        facts_of: returns what the flow, as it stands, may refer to.
        client_id: the view that sent it.

    Raises:
        OperationRefused: with the reason, when the edit would break the flow.
    """
    op_id = operation.get("op_id") or new_id()
    base_seq = operation.get("base_seq")
    if not is_id(op_id) or not (base_seq is None or isinstance(base_seq, int)):
        message = f"op_id {op_id!r} or base_seq {base_seq!r} is not what it should be"
        raise OperationRefused(message)
    require_on(session, "edit", "prompt_flow", flow_id)
    stream = Stream("flow", flow_id)
    lock(session, stream)
    repeated = recorded(session, op_id)
    if repeated is not None:
        return repeated
    graph = head(session, flow_id).graph
    done = changes(graph, flow_id, operation, facts_of(graph))
    return record(
        session,
        stream,
        Operation(named(operation), done, op_id, base_seq, client_id=client_id),
    )


def take_back(
    session: Session, flow_id: str, step: Callable[..., list[Recorded]], client_id: str | None
) -> list[Recorded]:
    """Undo or redo the actor's last step on a flow, unless that would break it.

    Args:
        session: a unit of work.
        flow_id: the flow.
        step: `warehouse.history.undo.undo` or `redo`.
        client_id: the view that asks.

    Raises:
        Conflict: if somebody's later change stands in the way; it says which.
    """
    require_on(session, "edit", "prompt_flow", flow_id)
    done = step(session, Stream("flow", flow_id), client_id)
    found = flaw(head(session, flow_id).graph)
    if found:
        message = f"that cannot be taken back now: {found}"
        raise Conflict(message)
    return done


def bring_in(session: Session, flow_id: str, built: dict[str, Json], facts: Facts) -> FlowHead:
    """Carry what a cell built over to the flow, as one step of undo; nothing if it is unchanged."""
    lock(session, Stream("flow", flow_id))
    before = head(session, flow_id)
    if same(built, before.source):
        return before
    require_on(session, "edit", "prompt_flow", flow_id)
    carried = carry(before.graph, flow_id, before.source, built, facts)
    batch_id = new_id()
    operations = [Operation(kind, done, batch_id=batch_id) for kind, done in carried.steps]
    record_all(session, Stream("flow", flow_id), operations)
    row = _row(session, flow_id)
    row.source = carried.source
    session.flush()
    return head(session, flow_id)


def save_version(session: Session, flow_id: str) -> FlowVersion:
    """Return the version of the flow as it stands; the same content makes no new one."""
    lock(session, Stream("flow", flow_id))
    now_head = head(session, flow_id)
    known = first(session, PromptFlowVersion, order=("-version",), flow_id=flow_id)
    if known is not None and known.content_hash == now_head.graph.hash:
        return FlowVersion(known.version, known.at_seq, known.content_hash, known.document)
    row = PromptFlowVersion(
        id=new_id(),
        flow_id=flow_id,
        version=(known.version if known else 0) + 1,
        at_seq=now_head.seq,
        document=now_head.graph.document(),
        content_hash=now_head.graph.hash,
    )
    session.add(row)
    _row(session, flow_id).current_version = row.version
    session.flush()
    return FlowVersion(row.version, row.at_seq, row.content_hash, row.document)


def saved(session: Session, flow_id: str) -> list[PromptFlowVersion]:
    """Return the saved versions of a flow, newest first."""
    return find(session, PromptFlowVersion, order=("-version",), flow_id=flow_id)


def use_template(
    session: Session, flow_id: str, node_id: str, template_id: str, version: int
) -> None:
    """Write down that a node uses a template version, once."""
    usage = first(
        session,
        WorkflowTemplateUsage,
        node_id=node_id,
        prompt_template_id=template_id,
        template_version=version,
    )
    if usage is None:
        session.add(
            WorkflowTemplateUsage(
                id=new_id(),
                flow_id=flow_id,
                node_id=node_id,
                prompt_template_id=template_id,
                template_version=version,
                first_used_at=now(),
            )
        )
        session.flush()


def listed(session: Session, lab_id: str) -> list[tuple[str, PromptFlow, int]]:
    """Return (path, flow, number of nodes) of every flow in the lab, by path."""
    counts = count_by(session, FlowNode, "flow_id")
    libraries = find(session, WorkflowLibrary, prompt_lab_id=lab_id)
    paths = {library.id: path_of(session, WorkflowLibrary, library.id) for library in libraries}
    rows = find(session, PromptFlow, workflow_library_id=list(paths))
    found = [(f"{paths[row.workflow_library_id]}/{row.name}", row) for row in rows]
    return [(path, row, counts.get(row.id, 0)) for path, row in sorted(found, key=lambda p: p[0])]


def _row(session: Session, flow_id: str) -> PromptFlow:
    # The log counts operations behind the session's back.
    row = session.get(PromptFlow, flow_id, populate_existing=True)
    if row is None:
        message = f"there is no flow {flow_id}"
        raise NotFound(message)
    return row


def node_of(row: _Values) -> Node:
    """Return the node that a row is."""
    return Node(
        id=row.id,
        key=row.node_key,
        kind=row.kind,
        config=row.config,
        policy=row.policy,
        version=row.kind_version,
        x=row.position_x,
        y=row.position_y,
        parent=row.parent_node_id,
    )


def edge_of(row: _Values) -> Edge:
    """Return the edge that a row is."""
    return Edge(
        id=row.id,
        source=row.source_node_id,
        source_port=row.source_port,
        target=row.target_node_id,
        target_port=row.target_port,
        source_path=row.source_path,
    )

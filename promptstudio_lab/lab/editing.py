"""A flow as a canvas sees it: one whole view, then only what changed.

The notebook cell and the JupyterLab tab speak to this and to nothing else, so both send the same
small operations to the same change log. Python owns the graph, its types and its undo.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from promptstudio_lab.errors import PromptStudioError
from promptstudio_lab.flows.draw import ACCENTS, headline
from promptstudio_lab.flows.layout import Size, places, size
from promptstudio_lab.flows.operations import SEVERAL, applied, changes, check_shape
from promptstudio_lab.flows.shape import ports_of
from promptstudio_lab.flows.validate import validate
from promptstudio_lab.flows.validation.fixes import operations_of
from promptstudio_lab.ids import new_id
from promptstudio_lab.nodes import Ports, kinds, mismatch
from promptstudio_lab.nodes.ports import TYPES, WHEN
from promptstudio_lab.warehouse.history.changelog import Recorded, Stream, since

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from promptstudio_lab.flows.facts import Facts
    from promptstudio_lab.flows.graph import Edge, Graph, Node
    from promptstudio_lab.flows.store import FlowHead
    from promptstudio_lab.lab.flows import Flow
    from promptstudio_lab.values import Json

_LISTS = tuple(f"list[{name}]" for name in ("text", "json", "int", "float", "bool"))
_ASKED = ("view", "edit", "undo", "redo", "changes", "mend", "tidy", "insert")
_CARD_WIDTH, _CARD_HEIGHT, _CARD_ROW = 220, 73, 20
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
                (with `since`, a sequence), `mend` (with the `fix` of a problem), `tidy` or
                `insert` (with an `edge` and the fields of `add`).
        """
        do = message.get("do") if isinstance(message, dict) else None
        try:
            if do == "view":
                return {"ok": True, "view": self.view()}
            if do == "changes":
                return {"ok": True, "change": self.changes(_sequence(message.get("since", 0)))}
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
        if do == "undo":
            return self._flow.undo(self._client_id)
        if do == "redo":
            return self._flow.redo(self._client_id)
        if do == "mend":
            return self._several(_mending(message.get("fix"), self._flow.head().graph))
        if do == "tidy":
            return self._several([self._tidied()])
        if do == "insert":
            return self._several(self._insertion(message))
        error = f"a view can ask for {', '.join(_ASKED)}; not for {do!r}"
        raise PromptStudioError(error)

    def _several(self, operations: list[dict[str, Json]]) -> Sequence[Recorded]:
        whole = {"type": SEVERAL, "operations": operations}
        return [self._flow.apply(operations[0] if len(operations) == 1 else whole, self._client_id)]

    def _tidied(self) -> dict[str, Json]:
        """Return the one edit that puts every node where the layout has it."""
        graph = self._flow.head().graph
        facts = self._flow.facts(graph)
        cards = {node.id: _card(ports_of(graph, node, facts)) for node in graph.nodes}
        found = places(graph, cards=cards)
        return {"type": "move", "nodes": {key: {"x": x, "y": y} for key, (x, y) in found.items()}}

    def _insertion(self, message: Mapping[str, Any]) -> list[dict[str, Json]]:  # a view's own JSON
        """Return the edits that put a new node on an edge."""
        graph = self._flow.head().graph
        edge = next((one for one in graph.edges if one.id == message.get("edge")), None)
        if edge is None:
            gone = "the edge is gone"
            raise PromptStudioError(gone)
        wanted = {name: message.get(name) for name in ("node", "kind", "key", "x", "y")}
        add = {"type": "add", **wanted, "parent": graph.by_id[edge.source].parent}
        facts = self._flow.facts(graph)
        after = applied(graph, changes(graph, str(self._flow.id), add, facts))
        taken, given = _through(after, edge, str(wanted["node"]), facts)
        ends = {"type": "connect", "source_path": ""}
        into = {"source": edge.source, "source_port": edge.source_port, "target": wanted["node"]}
        out = {"source": wanted["node"], "target": edge.target, "target_port": edge.target_port}
        path = {"source_path": edge.source_path}
        return [
            add,
            {"type": "remove", "edges": [edge.id]},
            {**ends, "edge": new_id(), **into, "target_port": taken, **path},
            {**ends, "edge": new_id(), **out, "source_port": given},
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
            "conflicts": [conflict for row in done for conflict in row.conflicts],
            "superseded": [row.op_id for row in done if row.status == "superseded"],
        }


def _card(ports: Ports | None) -> Size:
    """Return how large the canvas draws a node; `extension/src/flow/geometry.ts` says the same."""
    rows = max(len(ports.inputs), len(ports.outputs)) if ports else 0
    return Size(_CARD_WIDTH, _CARD_HEIGHT + _CARD_ROW * rows)


def _through(graph: Graph, edge: Edge, node_id: str, facts: Facts) -> tuple[str, str]:
    """Return the input and the output of a new node that can stand in the place of an edge."""
    shapes = {key: ports_of(graph, graph.by_id[key], facts) for key in (edge.source, edge.target)}
    before, after = shapes[edge.source], shapes[edge.target]
    coming = before.output(edge.source_port) if before else None
    wanted = after.input(edge.target_port) if after else None
    node = graph.by_id[node_id]
    own = ports_of(graph, node, facts) or Ports()
    comes = "any" if coming is None or edge.source_path else coming.type
    goes = wanted.type if wanted else "any"
    taken = [port.name for port in own.inputs if mismatch(comes, port.type) is None]
    given = [port.name for port in own.outputs if mismatch(port.type, goes) is None]
    if not taken or not given:
        message = f"a {node.kind} does not fit between {comes} and {goes}"
        raise PromptStudioError(message)
    return taken[0], given[0]


def _mending(fix: Json, graph: Graph) -> list[dict[str, Json]]:
    try:
        found = operations_of(fix, graph) if isinstance(fix, dict) and "do" in fix else []
    except KeyError:
        found = []
    if not found:
        message = "there is nothing that a click could do about this; it may be mended already"
        raise PromptStudioError(message)
    return found


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
        }
        for name, kind in kinds.items()
    ]


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
        **size(graph, node)._asdict(),
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
            "fix": problem.fix,
        }
        for problem in validate(graph, facts)
    ]

"""Copies of libraries, flows and templates: new identities, the same contents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from promptstudio_lab.errors import OperationRefused
from promptstudio_lab.ids import new_id
from promptstudio_lab.warehouse.access import require_at
from promptstudio_lab.warehouse.entities import (
    FlowEdge,
    FlowNode,
    PromptFlow,
    PromptTemplate,
    PromptTemplateVersion,
    Tag,
)
from promptstudio_lab.warehouse.history.changelog import Change, Operation, Stream, record
from promptstudio_lab.warehouse.places.things import (
    AROUND,
    LIBRARIES,
    TABLES,
    Shelves,
    Thing,
    clean_path,
    contents,
    refuse_taken,
    require_all,
)
from promptstudio_lab.warehouse.places.verbs import refuse_inside
from promptstudio_lab.warehouse.rows import find

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from promptstudio_lab.values import Json

_SHOWN = ("name", "description", "color", "icon", "category", "order_key")
_NODE = (
    *("node_key", "kind", "kind_version", "config", "policy", "position_x", "position_y"),
    *("width", "height", "color", "icon", "label", "style"),
)
_EDGE = ("source_port", "source_path", "target_port", "label", "color", "style", "order_key")


def copy(session: Session, thing: Thing, path: str, *, versions: str = "current") -> str:
    """Copy a thing with everything in it and return the copy's path.

    Copied flows refer to the templates that the originals refer to. Tags are copied; pins, labels
    and permissions belong to the original.

    Args:
        session: a unit of work.
        thing: what.
        path: where the copy shall be, its own name last.
        versions: `current`, or `all` of a template's versions.

    Raises:
        OperationRefused: if there is something already, or a library would lie in itself.
    """
    if versions not in {"current", "all"}:
        message = f"versions is 'current' or 'all', not {versions!r}"
        raise OperationRefused(message)
    path = clean_path(path)
    around, _, name = path.rpartition("/")
    if not around and thing.kind != "library":
        message = f"{path!r} names no library; a {thing.kind} is copied to 'library/name'"
        raise OperationRefused(message)
    refuse_inside(thing, path)
    require_all(session, "view", thing)
    require_at(session, "edit", thing.lab_id, (around or name).split("/"))
    shelves = Shelves(session, thing.lab_id)
    refuse_taken(session, shelves, thing.kind, path)
    _Copier(session, thing, versions).copy(shelves, around, name)
    return path


class _Copier:
    """Copies one thing: its rows in one operation of the lab, nodes in one of each new flow."""

    def __init__(self, session: Session, thing: Thing, versions: str) -> None:
        self._session, self._thing, self._versions = session, thing, versions
        self._changes: list[Change] = []
        self._new: dict[str, str] = {}
        self._flows: list[PromptFlow] = []
        self._templates: list[PromptTemplate] = []

    def copy(self, shelves: Shelves, around: str, name: str) -> None:
        rooms = {}
        for table, _ in self._thing.rows:
            library = AROUND[table][1]
            rooms[library], made = shelves.room(library, around)
            self._changes += made
        if self._thing.kind == "library":
            self._libraries(shelves, rooms, name)
        else:
            self._alone(rooms, name)
        operation = Operation(f"copy {self._thing.kind}", tuple(self._changes))
        record(self._session, Stream("lab", self._thing.lab_id), operation)
        for flow in self._flows:
            self._graph(flow.id)
        for template in self._templates:
            self._texts(template)
        self._session.flush()

    def _libraries(self, shelves: Shelves, rooms: dict[str, str | None], name: str) -> None:
        inside = shelves.below(self._thing.rows)
        for table, key in inside:
            (library,) = find(self._session, LIBRARIES[table], id=key)
            outermost = (table, key) in self._thing.rows
            parent = rooms[table] if outermost else self._new[str(library.parent_id)]
            more = {"prompt_lab_id": library.prompt_lab_id, "parent_id": parent}
            self._add(table, library, **(more | ({"name": name} if outermost else {})))
        for table, row in contents(self._session, inside):
            column = AROUND[table][0]
            self._entry(table, row, **{column: self._new[getattr(row, column)]})

    def _alone(self, rooms: dict[str, str | None], name: str) -> None:
        ((table, key),) = self._thing.rows
        entity: type[PromptFlow | PromptTemplate] = (
            PromptFlow if table in TABLES["flow"] else PromptTemplate
        )
        (row,) = find(self._session, entity, id=key)
        column, library = AROUND[table]
        self._entry(table, row, **{column: rooms[library], "name": name})

    def _entry(self, table: str, row: PromptFlow | PromptTemplate, **fields: Json) -> None:
        if isinstance(row, PromptFlow):
            self._flows.append(row)
            fields["source"] = self._source(row)
        else:
            self._templates.append(row)
            current = row.current_version if self._versions == "all" else 1
            fields |= {"flow_id": None, "current_version": current}
        self._add(table, row, **fields)

    def _add(self, table: str, row: Any, **fields: Json) -> None:  # a row of any of the tables
        key = self._new[row.id] = new_id()
        shown = {name: getattr(row, name) for name in _SHOWN}
        self._changes.append(Change(table, key, "insert", {**shown, **fields}))
        for tag in find(self._session, Tag, **{f"{table}_id": row.id}):
            tagged = {f"{table}_id": key, "name": tag.name}
            self._changes.append(Change("tag", new_id(), "insert", tagged))

    def _source(self, flow: PromptFlow) -> Json:
        """Return what a cell built last, so that the same cell over the copy changes nothing."""
        self._new |= {node.id: new_id() for node in find(self._session, FlowNode, flow_id=flow.id)}
        if flow.source is None:
            return None
        ids = flow.source.get("ids", {})
        return {**flow.source, "ids": {k: self._new[v] for k, v in ids.items() if v in self._new}}

    def _graph(self, flow_id: str) -> None:
        """Copy nodes and edges: the first operation of the new flow."""
        copied = self._new[flow_id]
        nodes = find(self._session, FlowNode, flow_id=flow_id)
        edges = find(self._session, FlowEdge, flow_id=flow_id)
        changes = [
            Change("flow_node", self._new[node.id], "insert", self._node(node, copied))
            for node in sorted(nodes, key=lambda node: node.parent_node_id is not None)
        ]
        for edge in edges:
            ends = {
                "flow_id": copied,
                "source_node_id": self._new[edge.source_node_id],
                "target_node_id": self._new[edge.target_node_id],
            }
            fields = {name: getattr(edge, name) for name in _EDGE}
            changes.append(Change("flow_edge", new_id(), "insert", {**fields, **ends}))
        if changes:
            record(self._session, Stream("flow", copied), Operation("copy", tuple(changes)))

    def _node(self, node: FlowNode, flow_id: str) -> dict[str, Json]:
        parent = self._new[node.parent_node_id] if node.parent_node_id else None
        fields = {name: getattr(node, name) for name in _NODE}
        return {**fields, "flow_id": flow_id, "parent_node_id": parent}

    def _texts(self, template: PromptTemplate) -> None:
        """Copy the texts: facts, which never change and so are in no operation."""
        everything = self._versions == "all"
        where = {} if everything else {"version": template.current_version}
        for row in find(
            self._session,
            PromptTemplateVersion,
            order=("version",),
            prompt_template_id=template.id,
            **where,
        ):
            self._session.add(
                PromptTemplateVersion(
                    id=new_id(),
                    prompt_template_id=self._new[template.id],
                    version=row.version if everything else 1,
                    content=row.content,
                    variables=row.variables,
                    content_hash=row.content_hash,
                    change_note=row.change_note,
                )
            )

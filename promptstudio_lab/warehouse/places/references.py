"""Which flows refer to templates by their paths, and how they follow when a template moves."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Text, cast, select

from promptstudio_lab.errors import OperationRefused
from promptstudio_lab.warehouse.access import require_on
from promptstudio_lab.warehouse.entities import FlowNode, PromptFlow, WorkflowLibrary
from promptstudio_lab.warehouse.history.changelog import Change, Operation, Stream, lock, record
from promptstudio_lab.warehouse.rows import find

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from sqlalchemy.orm import Session

    from promptstudio_lab.values import Json
    from promptstudio_lab.warehouse.places.things import Shelves

_AT = re.compile(r"(?P<path>.+)@(?P<at>\d+|[A-Za-z][A-Za-z0-9_-]*)")
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Use:
    """A node that refers to a template.

    Attributes:
        flow_id: its flow.
        flow: the flow's path.
        node_key: what the node is called.
        template: the template's path.
    """

    flow_id: str
    flow: str
    node_key: str
    template: str


def split_reference(reference: str) -> tuple[str, str | None]:
    """Return a reference's path, and what it says behind the `@`: a version or a label.

    >>> split_reference("a/b@3"), split_reference("a/b@production"), split_reference("a/b")
    (('a/b', '3'), ('a/b', 'production'), ('a/b', None))
    """
    found = _AT.fullmatch(reference)
    return (found["path"], found["at"]) if found else (reference, None)


def uses(session: Session, shelves: Shelves, templates: Collection[str]) -> list[Use]:
    """Return the nodes of the lab's live flows that refer to some templates, in any version."""
    if not templates:
        return []
    query = (
        select(FlowNode, PromptFlow)
        .join(PromptFlow, PromptFlow.id == FlowNode.flow_id)
        .join(WorkflowLibrary, WorkflowLibrary.id == PromptFlow.workflow_library_id)
        .where(
            WorkflowLibrary.prompt_lab_id == shelves.lab_id,
            cast(FlowNode.config, Text).like('%"ref"%'),
        )
        .order_by(PromptFlow.id, FlowNode.node_key)
    )
    found = []
    for node, flow in session.execute(query):
        reference = _reference(node.config)
        path = split_reference(reference)[0] if reference is not None else None
        if path in templates:
            library = shelves.path(("workflow_library", flow.workflow_library_id))
            found.append(Use(flow.id, f"{library}/{flow.name}", node.node_key, str(path)))
    return found


def refuse_used(found: Iterable[Use], what: str, way_out: str) -> None:
    """Refuse what would leave flows with references to nothing.

    Raises:
        OperationRefused: naming the flows, and the way out.
    """
    places = sorted({f"{use.flow} ({use.node_key})" for use in found})
    if places:
        more = f" and {len(places) - _NAMED} more" if len(places) > _NAMED else ""
        message = f"{what} is used by {', '.join(places[:_NAMED])}{more}; {way_out}"
        raise OperationRefused(message)


def rewrite(session: Session, found: Iterable[Use], moved: Mapping[str, str]) -> None:
    """Let nodes refer to templates by their new paths: one operation in each flow's stream.

    Args:
        session: a unit of work.
        found: the nodes that refer to the old paths.
        moved: new paths by old ones.

    Raises:
        AccessDenied: if the actor may not edit one of the flows.
    """
    for flow_id in sorted({use.flow_id for use in found}):
        require_on(session, "edit", "prompt_flow", flow_id)
        stream = Stream("flow", flow_id)
        lock(session, stream)
        session.expire_all()
        changes = [
            Change("flow_node", node.id, "update", {"config": config})
            for node in find(session, FlowNode, flow_id=flow_id)
            if (config := _rewritten(node.config, moved)) is not None
        ]
        record(session, stream, Operation("configure", tuple(changes)))


def _reference(config: Json) -> str | None:
    prompt = config.get("prompt")
    reference = prompt.get("ref") if isinstance(prompt, dict) else None
    return reference if isinstance(reference, str) else None


def _rewritten(config: Json, moved: Mapping[str, str]) -> Json:
    reference = _reference(config)
    path, at = split_reference(reference) if reference is not None else ("", None)
    if path not in moved:
        return None
    new = moved[path] if at is None else f"{moved[path]}@{at}"
    return {**config, "prompt": {**config["prompt"], "ref": new}}

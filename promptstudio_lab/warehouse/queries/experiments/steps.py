"""What the nodes of runs gave, in the order in which they ended: by address, not by content."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import select

from promptstudio_lab.warehouse.entities import NodeExecution

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.orm import Session

_AT_ONCE = 500


class Given(NamedTuple):
    """What a node gave.

    Attributes:
        place: the node's whole name, with where in a body it ran.
        node: the node's whole name.
        status: how it ended.
        payload_id: where its outputs lie; equal outputs lie at the same place.
    """

    place: str
    node: str
    status: str
    payload_id: str | None


def given_by_nodes(session: Session, run_ids: Collection[str]) -> dict[str, list[Given]]:
    """Return what each node of runs gave, by run, those that began first before the others."""
    wanted, found = sorted(run_ids), dict[str, list[Given]]()
    for start in range(0, len(wanted), _AT_ONCE):
        query = (
            select(NodeExecution)
            .where(NodeExecution.flow_execution_id.in_(wanted[start : start + _AT_ONCE]))
            .order_by(NodeExecution.started_at, NodeExecution.completed_at, NodeExecution.id)
        )
        for row in session.scalars(query):
            place = f"{row.node_key} {row.path}".strip()
            given = Given(place, row.node_key, row.status, row.output_payload_id)
            found.setdefault(row.flow_execution_id, []).append(given)
    return found

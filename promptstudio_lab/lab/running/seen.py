"""Runs and questions as a tab shows them: plain JSON, and nothing that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptstudio_lab.engine.replay.interrupted import mark_interrupted
from promptstudio_lab.warehouse.access import require_on
from promptstudio_lab.warehouse.queries.kept import questions
from promptstudio_lab.warehouse.queries.seen import run_seen

if TYPE_CHECKING:
    from promptstudio_lab.lab import Lab
    from promptstudio_lab.values import Json


def open_questions(lab: Lab) -> dict[str, Json]:
    """Return what people are asked by runs that wait for them, oldest first.

    >>> import promptstudio_lab as ps
    >>> open_questions(ps.connect("memory"))
    {'questions': []}
    """
    with lab.warehouse.reading(lab.actor) as session:
        found = questions(session)
    return {"questions": [{**row, "asked_at": row["asked_at"].isoformat()} for row in found]}


def run_by_id(lab: Lab, run_id: str) -> dict[str, Json]:
    """Return how a run stands, node by node, with what each took and gave.

    Raises:
        NotFound: if there is no such run, or it is another organisation's.
    """
    mark_interrupted(lab.warehouse, lab.actor)
    with lab.warehouse.reading(lab.actor) as session:
        found = run_seen(session, run_id)
        require_on(session, "view", "prompt_flow", str(found["flow"]))
        return found

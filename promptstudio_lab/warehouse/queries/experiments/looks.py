"""Looks at experiments: which states of the data somebody has seen, and what was found in each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from promptstudio_lab.warehouse.append import insert_missing
from promptstudio_lab.warehouse.entities import ExperimentAnalysis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session


def look_at(session: Session, experiment_id: str, state: str) -> int:
    """Return which look at an experiment this state of its data is, from 1."""
    looks = select(func.max(ExperimentAnalysis.look)).where(
        ExperimentAnalysis.experiment_id == experiment_id
    )
    before = session.scalar(looks.where(ExperimentAnalysis.state == state))
    return before or (session.scalar(looks) or 0) + 1


def looks_taken(
    session: Session, experiment_id: str, variant_id: str
) -> list[tuple[str, float, Any]]:  # the last is one of a decision's words
    """Return state, information and decision of a treatment's planned looks, in their order."""
    found = (
        select(
            ExperimentAnalysis.state,
            func.min(ExperimentAnalysis.information),
            func.max(ExperimentAnalysis.decision),
        )
        .where(
            ExperimentAnalysis.experiment_id == experiment_id,
            ExperimentAnalysis.variant_id == variant_id,
            ExperimentAnalysis.information.is_not(None),
        )
        .group_by(ExperimentAnalysis.state)
        .order_by(func.min(ExperimentAnalysis.look))
    )
    return [(state, share or 0.0, said) for state, share, said in session.execute(found)]


def keep(
    session: Session,
    columns: Sequence[str],
    rows: Sequence[tuple[Any, ...]],  # one value a column, of the column's own type
) -> None:
    """Keep what a look found; what is there already stays."""
    insert_missing(session.connection(), ExperimentAnalysis.__tablename__, columns, rows)

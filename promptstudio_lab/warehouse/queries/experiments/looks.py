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


def keep(
    session: Session,
    columns: Sequence[str],
    rows: Sequence[tuple[Any, ...]],  # one value a column, of the column's own type
) -> None:
    """Keep what a look found; what is there already stays."""
    insert_missing(session.connection(), ExperimentAnalysis.__tablename__, columns, rows)

"""Looks at experiments: which states of the data somebody has seen, and what was found in each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, text

from promptstudio_lab.values import content_hash
from promptstudio_lab.warehouse.append import insert_missing
from promptstudio_lab.warehouse.entities import ExperimentAnalysis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

# Whole numbers only: sums of others may come in any order, and differ in their last digit.
_STATE = text(
    "SELECT variant_id, sum(runs), sum(success_runs), sum(success), sum(cost_runs), sum(cost), "
    "sum(input_tokens), sum(output_tokens), sum(quality_runs) FROM experiment_unit "
    "WHERE organization_id = :organization_id AND experiment_id = :experiment_id "
    "GROUP BY variant_id ORDER BY variant_id"
)


def state_of(session: Session, experiment_id: str) -> str:
    """Return a word for what an experiment's data are now: other runs give another word."""
    bound = {
        "organization_id": session.info["actor"].organization_id,
        "experiment_id": experiment_id,
    }
    rows = session.execute(_STATE, bound)
    return content_hash([[str(row[0]), *map(int, row[1:])] for row in rows])


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

"""Experiments in the warehouse: the plan frozen and hashed, its variants, and who has run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from promptstudio_lab.errors import AnalysisError, Conflict
from promptstudio_lab.ids import new_id
from promptstudio_lab.values import Json, content_hash
from promptstudio_lab.warehouse import payloads
from promptstudio_lab.warehouse.entities import Experiment, FlowExecution, FlowVariant
from promptstudio_lab.warehouse.rows import find, first
from promptstudio_lab.warehouse.types import now

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from promptstudio_lab.warehouse.connect import Session

_FINISHED = ("succeeded", "failed", "partial")


@dataclass(frozen=True, slots=True)
class Started:
    """An experiment that has begun.

    Attributes:
        id: its row.
        flow_id: the flow that its variants change.
        name: what it is called.
        variants: the row of each variant, by name; the first is the control.
        plan: what was frozen.
        plan_hash: its hash.
        status: `running`, `completed` or `cancelled`.
        coverage: the share of units that take part.
        started_at: when it began.
        started_by: who began it.
        pinned: what it runs, as a document, where it goes on whatever becomes of the flow.
    """

    id: str
    flow_id: str
    name: str
    variants: dict[str, str]
    plan: dict[str, Json]
    plan_hash: str
    status: str
    coverage: float
    started_at: datetime | None
    started_by: str
    pinned: Json = None


def start(  # noqa: PLR0913 — what is frozen, and what its rows say besides
    session: Session,
    flow_id: str,
    name: str,
    plan: dict[str, Json],
    patches: Mapping[str, Json],
    dataset_id: str | None = None,
    *,
    weights: Mapping[str, float] | None = None,
    coverage: float = 1.0,
    later: Collection[str] = (),
) -> Started:
    """Begin an experiment, or find the one of that name with the very same plan.

    Args:
        session: a unit of work.
        flow_id: the flow.
        name: unique among the flow's experiments.
        plan: everything that must not change once it runs.
        patches: each variant's patch over the flow; the first is the control.
        dataset_id: the dataset, when it is kept.
        weights: each variant's promised share; equal ones by default.
        coverage: the share of units that take part.
        later: what may have moved on since it began, because what began goes on as it was.

    Raises:
        Conflict: if an experiment of that name has another plan.
    """
    row = first(session, Experiment, flow_id=flow_id, name=name)
    if row is None:
        row = _begin(session, flow_id, name, plan, dataset_id)
        row.coverage = coverage
        for index, (variant, patch) in enumerate(patches.items()):
            added = _add_variant(session, row, plan, variant, patch, is_control=index == 0)
            added.traffic_weight = weights[variant] if weights else 1.0
        session.flush()
        return _started(session, row)
    parts = {*plan, *row.plan}.difference(later)
    if changed := sorted(part for part in parts if plan.get(part) != row.plan.get(part)):
        message = (
            f"the experiment {name!r} has begun with another plan: {', '.join(changed)} changed. "
            "A plan is frozen once it runs; give this one a new name."
        )
        raise Conflict(message)
    return _started(session, row)


def pin(session: Session, found: Started, document: Json) -> Started:
    """Keep what an experiment runs, once: it goes on with that whatever becomes of the flow."""
    if found.pinned is not None:
        return found
    row = first(session, Experiment, id=found.id)
    if row is None:
        message = f"the experiment {found.name!r} is gone"
        raise AnalysisError(message)
    (row.plan_payload_id,) = payloads.put(session, [document])
    return replace(found, pinned=document)


def cover(session: Session, experiment_id: str, coverage: float) -> None:
    """Let a larger share of the units take part.

    Raises:
        AnalysisError: for less than now: units that take part would be put out.
    """
    row = first(session, Experiment, id=experiment_id)
    if row is None or not row.coverage <= coverage <= 1:
        now_is = "nothing" if row is None else f"{row.coverage:g}"
        message = f"coverage is {now_is} and can only be raised, to at most 1, not to {coverage:g}"
        raise AnalysisError(message)
    row.coverage = coverage


def standing(session: Session, experiment_id: str) -> tuple[str, float]:
    """Return an experiment's status and coverage as they are now."""
    row = first(session, Experiment, id=experiment_id)
    return ("cancelled", 0.0) if row is None else (row.status, row.coverage)


def started(session: Session, flow_id: str, name: str) -> Started | None:
    """Return the experiment of that name if it has begun."""
    row = first(session, Experiment, flow_id=flow_id, name=name)
    return None if row is None else _started(session, row)


def all_started(session: Session, flow_ids: Collection[str]) -> list[Started]:
    """Return every experiment of some flows that has begun, the newest first."""
    rows = find(session, Experiment, order=("-started_at", "-id"), flow_id=list(flow_ids))
    return [_started(session, row) for row in rows]


def finished_units(session: Session, experiment_id: str) -> dict[tuple[str, str], int]:
    """Return how often each (variant id, unit) has run, as a negative number once it is finished.

    What is finished need not run again; what was cut short runs again under a new key.
    """
    found: dict[tuple[str, str], int] = {}
    for run in find(session, FlowExecution, experiment_id=experiment_id):
        place = (str(run.variant_id), str(run.unit_key))
        # Without a key nothing was asked, so nothing was found out.
        if (run.status in _FINISHED and run.error_code != "missing_key") or found.get(place, 0) < 0:
            found[place] = -1
        else:
            found[place] = found.get(place, 0) + 1
    return found


def complete(session: Session, experiment_id: str) -> None:
    """Mark an experiment as completed: every unit has met every variant."""
    row = first(session, Experiment, id=experiment_id)
    if row is not None and row.status == "running":
        row.status, row.ended_at = "completed", now()


def _begin(
    session: Session,
    flow_id: str,
    name: str,
    plan: dict[str, Json],
    dataset_id: str | None,
) -> Experiment:
    row = Experiment(
        id=new_id(),
        flow_id=flow_id,
        dataset_id=dataset_id,
        name=name,
        plan=plan,
        plan_hash=content_hash(plan),
        status="running",
        started_at=now(),
    )
    session.add(row)
    session.flush()
    return row


def _add_variant(
    session: Session,
    experiment: Experiment,
    plan: Mapping[str, Any],  # the plan's own JSON
    name: str,
    patch: Json,
    *,
    is_control: bool,
) -> FlowVariant:
    row = FlowVariant(
        id=new_id(),
        flow_id=experiment.flow_id,
        experiment_id=experiment.id,
        name=name,
        flow_version=plan["flow_version"],
        is_control=is_control,
        patch=patch,
    )
    session.add(row)
    return row


def _started(session: Session, row: Experiment) -> Started:
    variants = find(session, FlowVariant, order=("-is_control", "id"), experiment_id=row.id)
    pinned = row.plan_payload_id
    return Started(
        id=row.id,
        flow_id=row.flow_id,
        name=row.name,
        variants={variant.name: variant.id for variant in variants},
        plan=row.plan,
        plan_hash=row.plan_hash,
        status=row.status,
        coverage=row.coverage,
        started_at=row.started_at,
        started_by=row.created_by,
        pinned=payloads.get(session, pinned) if pinned else None,
    )

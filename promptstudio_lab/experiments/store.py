"""Experiments in the warehouse: the plan frozen and hashed, its variants, and who has run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promptstudio_lab.errors import Conflict
from promptstudio_lab.ids import new_id
from promptstudio_lab.values import Json, content_hash
from promptstudio_lab.warehouse.entities import Experiment, FlowExecution, FlowVariant
from promptstudio_lab.warehouse.rows import find, first
from promptstudio_lab.warehouse.types import now

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptstudio_lab.warehouse.connect import Session

_FINISHED = ("succeeded", "failed", "partial")


@dataclass(frozen=True, slots=True)
class Started:
    """An experiment that has begun.

    Attributes:
        id: its row.
        name: what it is called.
        variants: the row of each variant, by name; the first is the control.
        plan: what was frozen.
    """

    id: str
    name: str
    variants: dict[str, str]
    plan: dict[str, Json]


def start(
    session: Session,
    flow_id: str,
    name: str,
    plan: dict[str, Json],
    patches: Mapping[str, Json],
    dataset_id: str | None,
) -> Started:
    """Begin an experiment, or find the one of that name with the very same plan.

    Args:
        session: a unit of work.
        flow_id: the flow.
        name: unique among the flow's experiments.
        plan: everything that must not change once it runs.
        patches: each variant's patch over the flow; the first is the control.
        dataset_id: the dataset, when it is kept.

    Raises:
        Conflict: if an experiment of that name has another plan.
    """
    digest = content_hash(plan)
    row = first(session, Experiment, flow_id=flow_id, name=name)
    if row is None:
        row = _begin(session, flow_id, name, plan, digest, dataset_id)
        for index, (variant, patch) in enumerate(patches.items()):
            _add_variant(session, row, plan, variant, patch, is_control=index == 0)
        session.flush()
    elif row.plan_hash != digest:
        changed = sorted(key for key in {*plan, *row.plan} if plan.get(key) != row.plan.get(key))
        message = (
            f"the experiment {name!r} has begun with another plan: {', '.join(changed)} changed. "
            "A plan is frozen once it runs; give this one a new name."
        )
        raise Conflict(message)
    return _started(session, row)


def started(session: Session, flow_id: str, name: str) -> Started | None:
    """Return the experiment of that name if it has begun."""
    row = first(session, Experiment, flow_id=flow_id, name=name)
    return None if row is None else _started(session, row)


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
    digest: str,
    dataset_id: str | None,
) -> Experiment:
    row = Experiment(
        id=new_id(),
        flow_id=flow_id,
        dataset_id=dataset_id,
        name=name,
        plan=plan,
        plan_hash=digest,
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
) -> None:
    session.add(
        FlowVariant(
            id=new_id(),
            flow_id=experiment.flow_id,
            experiment_id=experiment.id,
            name=name,
            flow_version=plan["flow_version"],
            is_control=is_control,
            patch=patch,
        )
    )


def _started(session: Session, row: Experiment) -> Started:
    variants = find(session, FlowVariant, order=("-is_control", "id"), experiment_id=row.id)
    return Started(row.id, row.name, {variant.name: variant.id for variant in variants}, row.plan)

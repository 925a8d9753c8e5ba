"""Who met which variant first, and who met a second one all the same."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import func, select

from promptstudio_lab.warehouse.append import execute
from promptstudio_lab.warehouse.entities import ExperimentExposure

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

# Both exposures are marked: neither tells what the unit would have done without the other.
_MARK = (
    "UPDATE experiment_exposure SET multi = (1 = 1) "
    "WHERE organization_id = ? AND experiment_id = ? AND unit_key = ? AND EXISTS ("
    "SELECT 1 FROM experiment_exposure AS other "
    "WHERE other.organization_id = experiment_exposure.organization_id "
    "AND other.experiment_id = experiment_exposure.experiment_id "
    "AND other.unit_key = experiment_exposure.unit_key "
    "AND other.variant_id <> experiment_exposure.variant_id)"
)
_AT_ONCE = 500
_TURN = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"


class Exposed(NamedTuple):
    """A unit that meets a variant it was assigned to.

    Attributes:
        organization_id: whose experiment it is.
        experiment_id: the experiment.
        unit_key: the unit.
    """

    organization_id: str
    experiment_id: str
    unit_key: str


class Met(NamedTuple):
    """The variant that a unit met first, and how probable it was then."""

    variant_id: str
    propensity: float | None


class Came(NamedTuple):
    """How many units met an experiment, and how many of them in a day; None before there is one."""

    units: int
    per_day: float | None


def came(session: Session, experiment_id: str) -> Came:
    """Return the traffic of an experiment so far."""
    query = select(
        func.count(func.distinct(ExperimentExposure.unit_key)),
        func.min(ExperimentExposure.exposed_at),
        func.max(ExperimentExposure.exposed_at),
    ).where(ExperimentExposure.experiment_id == experiment_id)
    units, first, last = session.execute(query).one()
    if not units:
        return Came(0, None)
    # Less than a day tells nothing about its other hours.
    return Came(units, units / max((last - first) / timedelta(days=1), 1.0))


def first_met(session: Session, experiment_id: str, unit_keys: Collection[str]) -> dict[str, Met]:
    """Return what units met first in an experiment; who has met nothing yet is left out."""
    wanted, found = sorted(unit_keys), dict[str, Met]()
    columns = ExperimentExposure.unit_key, ExperimentExposure.variant_id
    for start in range(0, len(wanted), _AT_ONCE):
        query = (
            select(*columns, ExperimentExposure.propensity)
            .where(
                ExperimentExposure.organization_id == session.info["actor"].organization_id,
                ExperimentExposure.experiment_id == experiment_id,
                ExperimentExposure.unit_key.in_(wanted[start : start + _AT_ONCE]),
            )
            .order_by(ExperimentExposure.exposed_at, ExperimentExposure.id)
        )
        for unit, variant, propensity in session.execute(query):
            found.setdefault(unit, Met(variant, propensity))
    return found


def take_turns(connection: Connection, exposed: Sequence[Exposed]) -> None:
    """Let nobody else expose the same units until this transaction ends, or marks would be missed.

    On SQLite one transaction writes at a time anyway.
    """
    if connection.dialect.name == "postgresql":
        for unit in sorted({"/".join(one[1:]) for one in exposed}):
            connection.exec_driver_sql(_TURN, (unit,))


def mark_multi(connection: Connection, exposed: Sequence[Exposed]) -> None:
    """Mark the exposures of units that have met a second variant."""
    execute(connection, _MARK, sorted(set(exposed)))

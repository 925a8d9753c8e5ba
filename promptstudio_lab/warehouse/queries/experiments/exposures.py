"""Who met which variant first, and who met a second one all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import text

from promptstudio_lab.warehouse.append import execute

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

_FIRST = text(
    "SELECT variant_id, propensity FROM experiment_exposure "
    "WHERE organization_id = :organization_id AND experiment_id = :experiment_id "
    "AND unit_key = :unit_key ORDER BY exposed_at, id LIMIT 1"
)
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


def first_met(session: Session, experiment_id: str, unit_key: str) -> Met | None:
    """Return what a unit met first in an experiment, or None if it has met nothing yet."""
    bound = {
        "organization_id": session.info["actor"].organization_id,
        "experiment_id": experiment_id,
        "unit_key": unit_key,
    }
    row = session.execute(_FIRST, bound).one_or_none()
    return None if row is None else Met(str(row[0]), row[1])


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

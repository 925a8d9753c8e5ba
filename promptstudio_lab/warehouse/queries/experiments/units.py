"""The roll-up of an experiment's runs by unit, kept current by whoever finishes a run.

A run is added in the transaction that finishes it, and only if that transaction really does:
whoever holds its lease no longer finds it running the second time. So a group of writes may be
repeated, and a crash in between leaves both out.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from promptstudio_lab.values import dumps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

FINISHED = (
    "status IN ('succeeded', 'failed', 'partial') "
    "AND (error_code IS NULL OR error_code <> 'missing_key')"
)
"""What counts: a run that ended by itself, and not for want of a key."""

_OURS = "experiment_id IS NOT NULL AND variant_id IS NOT NULL AND unit_key IS NOT NULL"
_KEY = "organization_id, experiment_id, variant_id, unit_key"
_WHOLE = "CASE WHEN {} THEN 1 ELSE 0 END"
# Each measure with the count of the runs that have it: its column there, and in a run.
_MEASURES = {
    ("success_runs", "success"): ("success", _WHOLE.format("success")),
    ("cost_runs", "cost"): ("total_cost", "total_cost"),
    ("latency_runs", "latency_ms"): ("execution_time_ms", "execution_time_ms"),
    ("quality_runs", "quality"): ("quality", "quality"),
    ("input_runs", "input_tokens"): ("total_input_tokens", "total_input_tokens"),
    ("output_runs", "output_tokens"): ("total_output_tokens", "total_output_tokens"),
}


class Ending(NamedTuple):
    """A run of an experiment that is about to be finished.

    Attributes:
        run_id: the run.
        owner: who finishes it.
        epoch: under which lease.
    """

    run_id: str
    owner: str | None
    epoch: int


def still_open(connection: Connection, endings: Sequence[Ending]) -> list[str]:
    """Return the runs that this transaction will really finish; ask before it does."""
    if not endings:
        return []
    sql = (
        "SELECT id, lease_owner, lease_epoch FROM flow_execution "  # noqa: S608 — names of our own schema
        f"WHERE status = 'running' AND {_these(connection)}"
    )
    wanted = set(endings)
    bound = _bound(connection, [ending.run_id for ending in endings])
    rows = connection.exec_driver_sql(sql, bound)
    return [str(key) for key, owner, epoch in rows if Ending(str(key), owner, epoch) in wanted]


def fold(connection: Connection, run_ids: Sequence[str]) -> None:
    """Add finished runs to their units; what is no finished run of an experiment adds nothing."""
    if run_ids:
        sql = _statement(connection.dialect.name, _these(connection))
        connection.exec_driver_sql(sql, _bound(connection, run_ids))


def unfold(connection: Connection, run_ids: Sequence[str]) -> None:
    """Take runs off their units again, before they go on."""
    if run_ids:
        sql = _statement(connection.dialect.name, _these(connection), "-")
        connection.exec_driver_sql(sql, _bound(connection, run_ids))


@lru_cache
def _statement(dialect: str, chosen: str, sign: str = "") -> str:
    sums = {"runs": "count(*)", "simulated_runs": f"sum({_WHOLE.format('simulated')})"}
    for (count, name), (column, value) in _MEASURES.items():
        sums[count] = f"count({column})"
        sums[name] = f"coalesce(sum({value}), 0)"
    first = "min(id)" if dialect == "sqlite" else "CAST(min(CAST(id AS text)) AS uuid)"
    values = ", ".join(f"{sign}{value}" for value in sums.values())
    added = ", ".join(f"{name} = experiment_unit.{name} + excluded.{name}" for name in sums)
    # In one order, so that two who add to the same units never wait for each other.
    return (
        f"INSERT INTO experiment_unit (id, {_KEY}, {', '.join(sums)}, created_at, created_by) "  # noqa: S608 — as above
        f"SELECT {first}, {_KEY}, {values}, min(created_at), min(created_by) "
        f"FROM flow_execution WHERE {chosen} AND {FINISHED} AND {_OURS} GROUP BY {_KEY} "
        f"ORDER BY variant_id, unit_key ON CONFLICT ({_KEY}) DO UPDATE SET {added}"
    )


def _these(connection: Connection) -> str:
    if connection.dialect.name == "sqlite":
        return "id IN (SELECT value FROM json_each(?))"
    return "id = ANY(CAST(%s AS uuid[]))"


def _bound(connection: Connection, run_ids: Sequence[str]) -> tuple[object]:
    if connection.dialect.name == "sqlite":
        return (dumps(list(run_ids)),)
    return (list(run_ids),)

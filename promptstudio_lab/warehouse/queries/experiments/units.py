"""The roll-up of an experiment's runs by unit, kept current by whoever finishes a run.

A run is added in the transaction that finishes it, and only if that transaction really does:
whoever holds its lease no longer finds it running the second time. So a group of writes may be
repeated, and a crash in between leaves both out.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from promptstudio_lab.ids import new_id
from promptstudio_lab.warehouse.types import iso, now

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

FINISHED = (
    "status IN ('succeeded', 'failed', 'partial') "
    "AND (error_code IS NULL OR error_code <> 'missing_key')"
)
"""What counts: a run that ended by itself, and not for want of a key."""

_OURS = "experiment_id IS NOT NULL AND variant_id IS NOT NULL AND unit_key IS NOT NULL"
_KEY = "organization_id, experiment_id, variant_id, unit_key"
# Each measure with the count of the runs that have it, by its column in a run.
_MEASURES = {
    "success": ("success_runs", "success"),
    "total_cost": ("cost_runs", "cost"),
    "execution_time_ms": ("latency_runs", "latency_ms"),
    "quality": ("quality_runs", "quality"),
    "total_input_tokens": ("input_runs", "input_tokens"),
    "total_output_tokens": ("output_runs", "output_tokens"),
}
_THESE = {
    "sqlite": "id IN (SELECT value FROM json_each(?))",
    "postgresql": "id = ANY(CAST(%s AS uuid[]))",
}
# On SQLite whoever writes is alone.
_LOCKED = {"sqlite": "", "postgresql": " ORDER BY id FOR NO KEY UPDATE"}
# What a state does not show yet has that state's mark or a later one: on SQLite, which one process
# writes at a time, an experiment's folds are counted; on PostgreSQL a mark is the transaction.
_COUNTED = "(SELECT coalesce(max(mark), 0) + 1 FROM experiment_fold WHERE experiment_id = {})"
_OWN_MARK = {
    "sqlite": _COUNTED.format("run.experiment_id"),
    "postgresql": "CAST(CAST(pg_current_xact_id() AS text) AS bigint)",
}
MARK = {
    "sqlite": _COUNTED.format(":experiment_id"),
    "postgresql": "CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint)",
}
"""The mark from which on an experiment's units may change."""

_SUMS = ("runs", "simulated_runs", *chain.from_iterable(_MEASURES.values()))


class Ended(NamedTuple):
    """A run that is added to its unit, or taken off it.

    Attributes:
        run_id: the run.
        experiment_id: whose unit that is.
    """

    run_id: str
    experiment_id: str


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


def still_open(connection: Connection, endings: Sequence[Ending]) -> list[Ended]:
    """Lock and return the runs that this transaction will really finish; ask before it does."""
    if not endings:
        return []
    sql = (
        "SELECT id, lease_owner, lease_epoch, experiment_id FROM flow_execution "
        "WHERE status = 'running' AND experiment_id IS NOT NULL "
        f"AND {_THESE[connection.dialect.name]}{_LOCKED[connection.dialect.name]}"
    )
    wanted = set(endings)
    bound = _bound(connection, [ending.run_id for ending in endings])
    return [
        Ended(str(key), str(experiment))
        for key, owner, epoch, experiment in connection.exec_driver_sql(sql, bound)
        if Ending(str(key), owner, epoch) in wanted
    ]


def fold(connection: Connection, runs: Iterable[Ended]) -> None:
    """Add finished runs to their units; what is no finished run of an experiment adds nothing."""
    _fold(connection, runs, "")


def unfold(connection: Connection, runs: Iterable[Ended]) -> None:
    """Take runs off their units again, before they go on."""
    _fold(connection, runs, "-")


def _fold(connection: Connection, runs: Iterable[Ended], sign: str) -> None:
    together: dict[str, list[str]] = {}
    for run in dict.fromkeys(runs):
        together.setdefault(run.experiment_id, []).append(run.run_id)
    # In one order, so that two who add to the same units never wait for each other.
    for _, run_ids in sorted(together.items()):
        bound = _bound(connection, run_ids)
        connection.exec_driver_sql(_statement(connection.dialect.name, sign), bound)
        kept = (new_id(), len(run_ids), _listed(run_ids), iso(now()), run_ids[0])
        connection.exec_driver_sql(_kept(connection.dialect.name), kept)


@lru_cache
def _kept(dialect: str) -> str:
    given = "?" if dialect == "sqlite" else "%s"
    return (
        "INSERT INTO experiment_fold "
        "(id, organization_id, experiment_id, mark, runs, run_ids, created_at, created_by) "
        f"SELECT {given}, organization_id, experiment_id, {_OWN_MARK[dialect]}, {given}, {given}, "
        f"{given}, created_by FROM flow_execution AS run WHERE id = {given}"
    )


@lru_cache
def _statement(dialect: str, sign: str) -> str:
    runs = _grouped(sign) if dialect == "postgresql" else _one_by_one(sign)
    added = ", ".join(f"{name} = experiment_unit.{name} + excluded.{name}" for name in _SUMS)
    columns = f"id, {_KEY}, {', '.join(_SUMS)}, created_at, created_by"
    return (
        f"INSERT INTO experiment_unit ({columns}) {runs} ON CONFLICT ({_KEY}) DO UPDATE SET {added}"
    )


def _one_by_one(sign: str) -> str:
    # A unit may be met twice here, so runs are not sorted into groups: that would cost most.
    values = [f"{sign}1", f"{sign}simulated"]
    for column in _MEASURES:
        values += [f"{sign}({column} IS NOT NULL)", f"{sign}coalesce({column}, 0)"]
    return (
        f"SELECT run.id, {_KEY}, {', '.join(values)}, created_at, created_by "
        "FROM json_each(?) AS given CROSS JOIN flow_execution AS run ON run.id = given.value "
        f"WHERE {FINISHED} AND {_OURS}"
    )


def _grouped(sign: str) -> str:
    values = ["count(*)", "sum(CASE WHEN simulated THEN 1 ELSE 0 END)"]
    for column in _MEASURES:
        number = "CAST(success AS int)" if column == "success" else column
        values += [f"count({column})", f"coalesce(sum({number}), 0)"]
    signed = ", ".join(f"{sign}{value}" for value in values)
    # In one order, as whole experiments are.
    return (
        f"SELECT CAST(min(CAST(id AS text)) AS uuid), {_KEY}, {signed}, "
        f"min(created_at), min(created_by) FROM flow_execution WHERE {_THESE['postgresql']} "
        f"AND {FINISHED} AND {_OURS} GROUP BY {_KEY} ORDER BY variant_id, unit_key"
    )


def _bound(connection: Connection, run_ids: Sequence[str]) -> tuple[object]:
    return (_listed(run_ids),) if connection.dialect.name == "sqlite" else ([*run_ids],)


def _listed(run_ids: Sequence[str]) -> str:
    # Ids need no escapes, and the codec looks at each letter: a tenth of all that folding costs.
    return '["' + '","'.join(run_ids) + '"]'

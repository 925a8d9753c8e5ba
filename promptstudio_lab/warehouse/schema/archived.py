"""What was archived before there were sums by unit, added up when the schema gets there.

Revision 0003 added up the runs that were in the database then, and no month that was in files.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import text

from promptstudio_lab.errors import WarehouseUpgraded
from promptstudio_lab.settings import cold_folder
from promptstudio_lab.warehouse.types import iso

if TYPE_CHECKING:
    import polars as pl
    from sqlalchemy import Connection

_KEY = ("organization_id", "experiment_id", "variant_id", "unit_key")
_MEASURES = {
    "success": ("success_runs", "success"),
    "total_cost": ("cost_runs", "cost"),
    "execution_time_ms": ("latency_runs", "latency_ms"),
    "quality": ("quality_runs", "quality"),
    "total_input_tokens": ("input_runs", "input_tokens"),
    "total_output_tokens": ("output_runs", "output_tokens"),
}
_ENDED = ("succeeded", "failed", "partial")
_COLD = (
    "SELECT organization_id, month, location, experiment_ids, restored_at FROM cold_partition "
    "WHERE table_name = 'flow_execution'"
)

_DELETE = "DELETE FROM experiment_unit WHERE experiment_id = :experiment_id"


class _File(NamedTuple):
    organization_id: str
    month: str
    path: Path
    experiments: frozenset[str]
    restored: bool


def add_up(connection: Connection) -> None:
    """Make the sums of every experiment anew of which a month lies in files, or once did.

    So it does not matter which of its months were added up before. An experiment of which a file
    is not there keeps the sums that it has, and a warning says so.
    """
    every = _files(connection)
    files = [file for file in every if not file.restored]
    lost = [file for file in files if file.experiments and not file.path.exists()]
    for file in lost:
        message = (
            f"{file.path} is not there, so the sums of the {len(file.experiments)} experiments "
            f"that ran in {file.month} stay as they were before the upgrade"
        )
        warnings.warn(message, WarehouseUpgraded, stacklevel=2)
    whole = {key for file in every for key in file.experiments}
    whole -= {key for file in lost for key in file.experiments}
    for key in sorted(whole):
        own = [file for file in files if key in file.experiments]
        rows = [row for file in own for row in _sums(file, key)]
        if connection.dialect.name == "sqlite":
            rows = [{**row, "created_at": iso(row["created_at"])} for row in rows]
        bound = {"experiment_id": key}
        connection.execute(text(_DELETE), bound)
        connection.execute(text(_hot(connection.dialect.name)), bound)
        if rows:
            connection.execute(text(_added()), rows)


def _files(connection: Connection) -> list[_File]:
    if connection.dialect.name == "sqlite":
        places = {row.name: row.file for row in connection.execute(text("PRAGMA database_list"))}
        home: Path | None = Path(places["main"]).parent
    else:
        home = cold_folder()
    found = []
    for own, month, location, named, restored in connection.execute(text(_COLD)):
        keys = json.loads(named) if isinstance(named, str) else named
        path = Path(location) if home is None else home / location
        found.append(_File(str(own), month, path, frozenset(keys or ()), restored is not None))
    return found


def _sums(file: _File, experiment_id: str) -> list[dict[str, Any]]:  # one row's values by column
    """Return the sums of an experiment's units in a file."""
    import polars as pl

    runs = pl.scan_parquet(file.path, hive_partitioning=False).filter(
        pl.col("experiment_id") == experiment_id,
        pl.col("status").is_in(_ENDED),
        pl.col("error_code").is_null() | (pl.col("error_code") != "missing_key"),
        pl.col("variant_id").is_not_null() & pl.col("unit_key").is_not_null(),
    )
    found = runs.group_by("variant_id", "unit_key").agg(_aggregates()).collect()
    whole = {"organization_id": file.organization_id, "experiment_id": experiment_id}
    return [{**whole, **row} for row in found.iter_rows(named=True)]


def _aggregates() -> list[pl.Expr]:
    import polars as pl

    sums = [
        pl.col("id").min(),
        pl.len().cast(pl.Int64).alias("runs"),
        pl.col("simulated").cast(pl.Int64).sum().alias("simulated_runs"),
        pl.col("created_at").min(),
        pl.col("created_by").min(),
    ]
    for column, (count, total) in _MEASURES.items():
        whole = pl.Float64 if column in {"execution_time_ms", "quality"} else pl.Int64
        sums.append(pl.col(column).count().cast(pl.Int64).alias(count))
        sums.append(pl.col(column).cast(whole).sum().alias(total))
    return sums


def _hot(dialect: str) -> str:
    first = "min(id)" if dialect == "sqlite" else "CAST(min(CAST(id AS text)) AS uuid)"
    cells = []
    for column in _MEASURES:
        number = "CASE WHEN success THEN 1 ELSE 0 END" if column == "success" else column
        cells.append(f"count({column}), coalesce(sum({number}), 0)")
    keys = ", ".join(_KEY)
    ended = ", ".join(f"'{status}'" for status in _ENDED)
    return (
        f"INSERT INTO experiment_unit ({_columns()}) SELECT {first}, {keys}, count(*), "
        f"sum(CASE WHEN simulated THEN 1 ELSE 0 END), {', '.join(cells)}, min(created_at), "
        f"min(created_by) FROM flow_execution WHERE status IN ({ended}) "
        "AND (error_code IS NULL OR error_code <> 'missing_key') AND variant_id IS NOT NULL "
        f"AND unit_key IS NOT NULL AND experiment_id = :experiment_id GROUP BY {keys}"
    )


def _names() -> list[str]:
    return ["runs", "simulated_runs", *(name for pair in _MEASURES.values() for name in pair)]


def _columns() -> str:
    return ", ".join(("id", *_KEY, *_names(), "created_at", "created_by"))


def _added() -> str:
    marks = ", ".join(f":{name}" for name in _columns().split(", "))
    sums = ", ".join(f"{name} = experiment_unit.{name} + excluded.{name}" for name in _names())
    return (
        f"INSERT INTO experiment_unit ({_columns()}) VALUES ({marks}) "
        f"ON CONFLICT ({', '.join(_KEY)}) DO UPDATE SET {sums}"
    )

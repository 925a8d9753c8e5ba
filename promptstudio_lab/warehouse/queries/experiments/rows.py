"""The finished runs of an experiment, one row each in the order in which they ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from promptstudio_lab.warehouse.queries.experiments.units import FINISHED
from promptstudio_lab.warehouse.queries.experiments.written import written

if TYPE_CHECKING:
    import polars as pl
    from sqlalchemy.orm import Session

_CELLS = {
    "unit": "unit_key",
    "variant_id": "variant_id",
    "success": "CASE WHEN success IS NULL THEN NULL WHEN success THEN 1.0 ELSE 0.0 END",
    "cost_usd": "CAST(total_cost AS DOUBLE PRECISION) / 1e9",
    "latency_ms": "CAST(execution_time_ms AS DOUBLE PRECISION)",
    "quality": "CAST(quality AS DOUBLE PRECISION)",
    "input_tokens": "CAST(total_input_tokens AS DOUBLE PRECISION)",
    "output_tokens": "CAST(total_output_tokens AS DOUBLE PRECISION)",
    "simulated": "CASE WHEN simulated THEN 1 ELSE 0 END",
}
_SQL = (
    f"SELECT {', '.join(f'{cell} AS {name}' for name, cell in _CELLS.items())} "
    "FROM flow_execution WHERE experiment_id = :experiment_id AND variant_id IS NOT NULL "
    f"AND unit_key IS NOT NULL AND {FINISHED} ORDER BY completed_at, id"
)


def run_rows(session: Session, experiment_id: str) -> tuple[pl.DataFrame, str]:
    """Return the runs as a frame, and the query that found them."""
    import polars as pl

    words = {"unit", "variant_id"}
    schema = {name: pl.String if name in words else pl.Float64 for name in _CELLS}
    rows = [
        (*map(str, row[:2]), *row[2:])
        for row in session.execute(text(_SQL), {"experiment_id": experiment_id})
    ]
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return frame, written(_SQL, {"experiment_id": experiment_id})

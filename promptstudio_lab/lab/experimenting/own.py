"""Somebody's own rows: what `batch` and `results` gave is read as the warehouse has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

GOOD = 0.5
"""The least score of a success."""


def success() -> pl.Expr:
    """Return whether a run of `results` did its job: by its score, or by having ended well."""
    import polars as pl

    judged = pl.when(pl.col("score").is_not_null()).then(pl.col("score") >= GOOD)
    return judged.otherwise(pl.col("status") == "succeeded")


def measured(data: Any) -> Any:  # as `ps.analyze` takes it, and gives it back
    """Return rows with `success` and `quality`, where they are results that lack them."""
    import polars as pl

    frame = data
    if hasattr(data, "iloc") and not hasattr(data, "map_partitions"):
        frame = pl.from_pandas(data)
    if not isinstance(frame, pl.DataFrame) or not {"score", "status"} <= set(frame.columns):
        return data
    made = {"success": success(), "quality": pl.col("score")}
    return frame.with_columns(**{k: v for k, v in made.items() if k not in frame.columns})


def taking_part(data: Any, unit: str) -> Any:  # as `measured` gives it back
    """Return the rows of units that take part: `batch` names none for the others."""
    import polars as pl

    if not isinstance(data, (pl.DataFrame, pl.LazyFrame)):
        return data
    return data.filter(pl.col(unit).is_not_null())

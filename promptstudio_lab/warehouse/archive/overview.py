"""Which months are in the database and which are cold, how large, and what they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from promptstudio_lab.money import to_usd
from promptstudio_lab.warehouse.archive import manifest
from promptstudio_lab.warehouse.archive.content import EXECUTIONS, cost_column

if TYPE_CHECKING:
    import polars as pl
    from sqlalchemy.orm import Session

    from promptstudio_lab.identity import Actor
    from promptstudio_lab.warehouse.connect import Warehouse


def months(warehouse: Warehouse, actor: Actor) -> pl.DataFrame:
    """Return one row a month and table of the actor's organisation.

    Returns:
        month, table, `rows`, `where` (`hot` or `cold`), `bytes` of the cold files, and `cost_usd`
        where rows cost something.
    """
    import polars as pl

    with warehouse.reading(actor) as session:
        found = [*_hot(session), *_cold(session)]
    types = {
        "month": pl.String,
        "table": pl.String,
        "rows": pl.Int64,
        "where": pl.String,
        "bytes": pl.Int64,
        "cost_usd": pl.Float64,
    }
    return pl.DataFrame(found, schema=types, orient="row").sort("month", "table", "where")


def _hot(session: Session) -> list[tuple[object, ...]]:
    own = {"organization_id": session.info["actor"].organization_id}
    name = session.connection().dialect.name
    month = "substr(created_at, 1, 7)" if name == "sqlite" else "to_char(created_at, 'YYYY-MM')"
    rows: list[tuple[object, ...]] = []
    for table in EXECUTIONS:
        cost = cost_column(table) or "NULL"
        query = (
            f"SELECT {month}, count(*), sum(CAST({cost} AS bigint)) FROM {table} "
            "WHERE organization_id = :organization_id GROUP BY 1"
        )
        for at, count, total in session.execute(text(query), own):
            rows.append((at, table, count, "hot", None, _usd(total)))
    return rows


def _cold(session: Session) -> list[tuple[object, ...]]:
    return [
        (
            each.month,
            each.table_name,
            each.row_count,
            "cold",
            each.byte_count,
            _usd(each.total_cost),
        )
        for each in manifest.live(session)
    ]


def _usd(cost: object) -> float | None:
    return None if cost is None else to_usd(int(str(cost)))

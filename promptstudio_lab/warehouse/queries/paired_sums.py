"""Sufficient sums of an experiment, paired by unit: the database adds, nobody pulls rows."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Row
    from sqlalchemy.orm import Session

# What a run contributes to each column of a report.
_COLUMNS = {
    "success": "avg(CASE WHEN success IS NULL THEN NULL WHEN success THEN 1.0 ELSE 0.0 END)",
    "cost_usd": "avg(CAST(total_cost AS DOUBLE PRECISION)) / 1e9",
    "latency_ms": "avg(execution_time_ms)",
    "quality": "avg(quality)",
    "input_tokens": "avg(CAST(total_input_tokens AS DOUBLE PRECISION))",
    "output_tokens": "avg(CAST(total_output_tokens AS DOUBLE PRECISION))",
}
# What counts: a run that ended by itself, and not for want of a key.
FINISHED = (
    "status IN ('succeeded', 'failed', 'partial') "
    "AND (error_code IS NULL OR error_code <> 'missing_key')"
)


@dataclass(frozen=True, slots=True)
class PairedSums:
    """Sums over the units that both variants ran on.

    Attributes:
        n: how many units.
        columns: `control.success`, …, `treatment.success`, ….
        shift: what was subtracted from each column.
        totals: the sums of the shifted columns.
        products: the sums of products of each two shifted columns.
        runs: finished runs of (control, treatment).
        units: units of (control, treatment).
        unpaired: keys of units that one variant lacks, or that lack a value.
        simulated: whether a stand-in answered any run.
        sql: the query, for whoever wants to look.
    """

    n: int
    columns: tuple[str, ...]
    shift: tuple[float, ...]
    totals: tuple[float, ...]
    products: tuple[tuple[float, ...], ...]
    runs: tuple[int, int]
    units: tuple[int, int]
    unpaired: tuple[str, ...]
    simulated: bool
    sql: str


def known_columns(session: Session, experiment_id: str, wanted: Sequence[str]) -> list[str]:
    """Return those of the wanted columns that have a value in at least one finished run.

    A column can be wholly unknown: the cost of a model without a price.
    """
    counts = ", ".join(f"count({_raw(name)}) AS {name}" for name in wanted if name in _COLUMNS)
    query = (
        f"SELECT {counts} FROM flow_execution "  # noqa: S608 — names of our own table above
        f"WHERE experiment_id = :experiment_id AND {FINISHED}"
    )
    row = session.execute(text(query), {"experiment_id": experiment_id}).one()
    return [name for name, count in row._mapping.items() if count]  # noqa: SLF001 — SQLAlchemy's public name


def paired_sums(
    session: Session, experiment_id: str, control_id: str, treatment_id: str, columns: Sequence[str]
) -> PairedSums:
    """Return the sums of two variants over the units that both ran on.

    Args:
        session: a reading session.
        experiment_id: the experiment.
        control_id: the control's variant.
        treatment_id: the treatment's variant.
        columns: names of what to add up.
    """
    bound = {
        "experiment_id": experiment_id,
        "control_id": control_id,
        "treatment_id": treatment_id,
    }
    pairs = _pairs(columns)
    names = [f"{arm}.{column}" for arm in ("control", "treatment") for column in columns]
    cells = [f"{arm}_{column}" for arm in ("control", "treatment") for column in columns]
    means = ", ".join(f"avg({cell})" for cell in cells)
    centre = session.execute(text(f"{pairs} SELECT {means} FROM pair"), bound).one()  # noqa: S608 — as above
    shift = tuple(float(value or 0.0) for value in centre)
    query = f"{pairs} SELECT count(*), {_sums(cells)} FROM pair"  # noqa: S608 — as above
    shifts = {f"shift_{index}": value for index, value in enumerate(shift)}
    row = session.execute(text(query), {**bound, **shifts}).one()
    counts = _counts(session, bound)
    return PairedSums(
        n=int(row[0]),
        columns=tuple(names),
        shift=shift,
        totals=tuple(float(value or 0.0) for value in row[1 : len(cells) + 1]),
        products=_square(row[len(cells) + 1 :], len(cells)),
        runs=counts[0],
        units=counts[1],
        unpaired=_unpaired(session, bound, columns),
        simulated=counts[2],
        sql=query,
    )


def _raw(column: str) -> str:
    names = {
        "cost_usd": "total_cost",
        "latency_ms": "execution_time_ms",
        "input_tokens": "total_input_tokens",
        "output_tokens": "total_output_tokens",
    }
    return names.get(column, column)


def _units(columns: Sequence[str]) -> str:
    values = ", ".join(f"{_COLUMNS[name]} AS {name}" for name in columns)
    return (
        f"WITH unit AS (SELECT unit_key, variant_id, {values} FROM flow_execution "  # noqa: S608 — as above
        f"WHERE experiment_id = :experiment_id AND {FINISHED} "
        "GROUP BY unit_key, variant_id)"
    )


def _pairs(columns: Sequence[str]) -> str:
    chosen = ", ".join(
        f"{short}.{name} AS {arm}_{name}"
        for arm, short in (("control", "c"), ("treatment", "t"))
        for name in columns
    )
    whole = " AND ".join(f"c.{name} IS NOT NULL AND t.{name} IS NOT NULL" for name in columns)
    return (
        f"{_units(columns)}, pair AS (SELECT {chosen} FROM unit AS c "  # noqa: S608 — as above
        "JOIN unit AS t ON t.unit_key = c.unit_key AND t.variant_id = :treatment_id "
        f"WHERE c.variant_id = :control_id AND {whole})"
    )


def _sums(cells: Sequence[str]) -> str:
    shifted = [f"({cell} - :shift_{index})" for index, cell in enumerate(cells)]
    products = [f"sum({a} * {b})" for a, b in combinations_with_replacement(shifted, 2)]
    return ", ".join([*(f"sum({cell})" for cell in shifted), *products])


def _square(values: Sequence[Any], width: int) -> tuple[tuple[float, ...], ...]:  # a slice of a row
    found = [[0.0] * width for _ in range(width)]
    places = combinations_with_replacement(range(width), 2)
    for (i, j), value in zip(places, values, strict=True):
        found[i][j] = found[j][i] = float(value or 0.0)
    return tuple(map(tuple, found))


def _counts(
    session: Session, bound: dict[str, str]
) -> tuple[tuple[int, int], tuple[int, int], bool]:
    query = (
        "SELECT variant_id, count(*), count(DISTINCT unit_key), "  # noqa: S608 — as above
        "max(CASE WHEN simulated THEN 1 ELSE 0 END) FROM flow_execution "
        f"WHERE experiment_id = :experiment_id AND {FINISHED} GROUP BY variant_id"
    )
    rows = {str(row[0]): row for row in session.execute(text(query), bound)}
    arms = [rows.get(bound["control_id"]), rows.get(bound["treatment_id"])]
    return (
        (_at(arms[0], 1), _at(arms[1], 1)),
        (_at(arms[0], 2), _at(arms[1], 2)),
        any(_at(arm, 3) for arm in arms),
    )


def _at(row: Row[Any] | None, index: int) -> int:  # a row of counts
    return int(row[index]) if row is not None else 0


def _unpaired(session: Session, bound: dict[str, str], columns: Sequence[str]) -> tuple[str, ...]:
    whole = " AND ".join(f"{name} IS NOT NULL" for name in columns)
    query = (
        f"{_units(columns)} SELECT unit_key FROM unit "  # noqa: S608 — as above
        "WHERE variant_id IN (:control_id, :treatment_id) GROUP BY unit_key "
        f"HAVING sum(CASE WHEN {whole} THEN 1 ELSE 0 END) < 2 ORDER BY unit_key"
    )
    return tuple(session.scalars(text(query), bound))

"""Sufficient sums of an experiment, from its units' roll-up: the database adds, nobody pulls rows.

Each unit counts once, with its mean over its runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from promptstudio_lab.values import content_hash
from promptstudio_lab.warehouse.queries.experiments.held import (
    PARTS,
    Table,
    added,
    alone,
    counted,
    paired,
    units_of,
    valued,
)
from promptstudio_lab.warehouse.queries.experiments.written import written

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy.orm import Session

# Sums of others may come in any order, and then differ in their last digit.
_WHOLE = [5 + 2 * at for at, name in enumerate(PARTS) if name not in {"latency_ms", "quality"}]
# What a unit contributes: its mean.
_VALUES = {
    name: f"CAST({total} AS DOUBLE PRECISION) / nullif({count}, 0) / {scale:g}"
    for name, (count, total, scale) in PARTS.items()
}
_MINE = "organization_id = :organization_id AND experiment_id = :experiment_id AND runs > 0"
# Who met two variants tells nothing about either.
_ONE_VARIANT = (
    "unit_key NOT IN (SELECT unit_key FROM experiment_exposure "
    "WHERE experiment_id = :experiment_id AND multi)"
)
_WEIGHT = "weight"


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is of one variant.

    Attributes:
        runs: finished runs.
        units: units that have any.
        simulated: whether a stand-in answered any run.
        whole: the sums that are whole numbers: they say which state of the data this is.
        known: how many runs have a value, by column.
        means: the mean over those runs, or None where there is none: near the units' mean.
    """

    runs: int
    units: int
    simulated: bool
    whole: tuple[int, ...]
    known: dict[str, int]
    means: dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Added:
    """Sums over units.

    Attributes:
        n: how many units.
        columns: names, such as `control.success`.
        shift: what was subtracted from each column.
        totals: the sums of the shifted columns.
        products: the sums of products of each two shifted columns.
        sql: the query, for whoever wants to run it again.
    """

    n: int
    columns: tuple[str, ...]
    shift: tuple[float, ...]
    totals: tuple[float, ...]
    products: tuple[tuple[float, ...], ...]
    sql: str


def value_of(column: str) -> str:
    """Return what a unit contributes to a column, as SQL over `experiment_unit`: its mean."""
    return _VALUES[column]


def seen(
    session: Session, experiment_id: str, columns: Sequence[str], *, apart: bool = False
) -> dict[str, Seen]:
    """Return what there is of each variant that has a finished run, by its id.

    Args:
        session: a reading session.
        experiment_id: the experiment.
        columns: what is wanted; a column that units do not have is left out.
        apart: whether each unit belongs to one variant; then who met two is left out.
    """
    found = {}
    for row in _counts(session, experiment_id, apart=apart):
        cells_of = dict(zip(PARTS, zip(row[4::2], row[5::2], strict=True), strict=True))
        found[str(row[0])] = Seen(
            runs=int(row[1]),
            units=int(row[2]),
            simulated=bool(row[3]),
            whole=tuple(map(int, (row[1], *row[4::2], *(row[at] for at in _WHOLE)))),
            known={name: int(cells_of[name][0]) for name in columns if name in PARTS},
            means={
                name: float(total) / int(count) / PARTS[name][2] if count else None
                for name, (count, total) in cells_of.items()
            },
        )
    return found


def _counts(
    session: Session, experiment_id: str, *, apart: bool
) -> Iterable[Sequence[Any]]:  # rows of keys and numbers
    """Return of each variant its id, how many runs and units, and the sums of all its columns."""
    units = units_of(session, experiment_id)
    names = [name for part in PARTS.values() for name in part[:2]]
    if units is not None:
        import polars as pl

        kept = counted(units, _multi(session, experiment_id) if apart else ())
        sums = [pl.col("runs").sum(), pl.len(), pl.col("simulated_runs", *names).sum()]
        return kept.group_by("variant_id").agg(sums).sort("variant_id").rows()
    # Plain columns: over many units each expression would cost as much as all of these.
    cells = "".join(f", sum({name})" for name in names)
    query = (
        "SELECT variant_id, sum(runs), count(*), sum(simulated_runs)"
        f"{cells} FROM experiment_unit WHERE {_MINE}{_only(apart)} GROUP BY variant_id"
    )
    return session.execute(text(query), _bound(session, experiment_id)).all()


def state_of(found: Mapping[str, Seen]) -> str:
    """Return a word for what the data of an experiment are: other runs give another word."""
    return content_hash([[key, *found[key].whole] for key in sorted(found)])


def multi_units(session: Session, experiment_id: str) -> int:
    """Return how many units met more than one variant of an experiment."""
    return len(_multi(session, experiment_id))


def _multi(session: Session, experiment_id: str) -> list[str]:
    query = (
        "SELECT DISTINCT unit_key FROM experiment_exposure "
        "WHERE experiment_id = :experiment_id AND multi"
    )
    return list(session.scalars(text(query), _bound(session, experiment_id)))


def paired_sums(
    session: Session,
    experiment_id: str,
    arms: Mapping[str, str],
    columns: Sequence[str],
    shift: Mapping[str, float],
) -> Added:
    """Return the sums of two variants over the units that both ran on.

    Args:
        session: a reading session.
        experiment_id: the experiment.
        arms: the id of the control and of the treatment, by name, in this order.
        columns: names of what to add up.
        shift: a number near each column's mean.
    """
    names = [f"{arm}.{column}" for arm in arms for column in columns]
    cells = [f"{short}_{column}" for short in "ct" for column in columns]
    query = f"{_pairs(columns)} SELECT count(*), {_sums(cells)} FROM pair"
    both = [*columns, *columns]
    units = units_of(session, experiment_id)
    if units is not None:
        moved = [shift[column] for column in both]
        sums = added(paired(valued(units, columns), *arms.values()), cells, moved)
        bound = {**_moving(session, experiment_id, moved), **_two(arms)}
        return _held(sums, names, moved, written(query, bound))
    return _added(
        session, query, experiment_id, names=names, columns=both, shift=shift, more=_two(arms)
    )[""]


def level_sums(
    session: Session,
    experiment_id: str,
    levels: Mapping[str, Sequence[str]],
    columns: Sequence[str],
    shift: Mapping[str, float],
) -> Added:
    """Return the sums of two groups of variants over the units that all of them ran on.

    Args:
        session: a reading session.
        experiment_id: the experiment.
        levels: the ids of the variants of the control's level and of another, by name, in this
            order; each unit counts with its mean over the variants of a level.
        columns: names of what to add up.
        shift: a number near each column's mean.
    """
    names = [f"{level}.{column}" for level in levels for column in columns]
    cells = [f"{short}_{column}" for short in "ct" for column in columns]
    bound = {
        f"{short}_{at}": key
        for short, ids in zip("ct", levels.values(), strict=True)
        for at, key in enumerate(ids)
    }
    marks = {
        short: ", ".join(f":{name}" for name in bound if name.startswith(f"{short}_"))
        for short in "ct"
    }
    whole = " AND ".join(f"{name} IS NOT NULL" for name in columns)
    means = ", ".join(
        f"avg(CASE WHEN variant_id IN ({marks[short]}) THEN {column} END) AS {short}_{column}"
        for short in "ct"
        for column in columns
    )
    query = (
        f"{_units(columns)}, pair AS (SELECT unit_key, {means} FROM unit "
        f"WHERE variant_id IN ({marks['c']}, {marks['t']}) AND {whole} GROUP BY unit_key "
        f"HAVING count(*) = {len(bound)}) SELECT count(*), {_sums(cells)} FROM pair"
    )
    both = [*columns, *columns]
    return _added(
        session, query, experiment_id, names=names, columns=both, shift=shift, more=bound
    )[""]


def unpaired(
    session: Session, experiment_id: str, arms: Mapping[str, str], columns: Sequence[str]
) -> tuple[str, ...]:
    """Return the keys of units that one of two variants lacks, or that lack a value."""
    units = units_of(session, experiment_id)
    if units is not None:
        return tuple(alone(valued(units, columns), *arms.values()))
    whole = " AND ".join(f"{name} IS NOT NULL" for name in columns)
    query = (
        f"{_units(columns)} SELECT unit_key FROM unit "
        "WHERE variant_id IN (:control_id, :treatment_id) GROUP BY unit_key "
        f"HAVING sum(CASE WHEN {whole} THEN 1 ELSE 0 END) < 2 ORDER BY unit_key"
    )
    return tuple(session.scalars(text(query), {**_bound(session, experiment_id), **_two(arms)}))


def arm_sums(
    session: Session,
    experiment_id: str,
    columns: Sequence[str],
    shift: Mapping[str, float],
    *,
    weighted: bool = False,
) -> dict[str, Added]:
    """Return the sums of each variant over its own units, by the variant's id.

    Args:
        session: a reading session.
        experiment_id: the experiment.
        columns: names of what to add up.
        shift: a number near each column's mean.
        weighted: whether each value is multiplied by 1 / propensity, which becomes a column of its
            own: then sums by sums of weights are inverse-propensity estimates (Hajek 1971).
    """
    whole = " AND ".join(f"{name} IS NOT NULL" for name in columns)
    unit = _units(columns, apart=True)
    cells = list(columns)
    if weighted:
        unit += (
            ", drawn AS (SELECT unit.*, 1 / x.propensity AS weight FROM unit "
            "JOIN experiment_exposure AS x ON x.organization_id = :organization_id "
            "AND x.experiment_id = :experiment_id AND x.unit_key = unit.unit_key "
            "AND x.variant_id = unit.variant_id)"
        )
        cells = [*(f"{name} * weight" for name in columns), _WEIGHT]
        shift = {**dict.fromkeys(columns, 0.0), _WEIGHT: 0.0}
    query = (
        f"{unit} SELECT variant_id, count(*), {_sums(cells)} "
        f"FROM {'drawn' if weighted else 'unit'} WHERE {whole} GROUP BY variant_id"
    )
    names = [*columns, _WEIGHT] if weighted else list(columns)
    units = None if weighted else units_of(session, experiment_id)
    if units is not None:
        moved = [shift[column] for column in columns]
        table = valued(units, columns, but=_multi(session, experiment_id))
        again = written(query, _moving(session, experiment_id, moved))
        return {
            str(key): _held(added(arm, columns, moved), names, moved, again)
            for (key,), arm in table.drop_nulls().partition_by("variant_id", as_dict=True).items()
        }
    return _added(session, query, experiment_id, names=names, columns=names, shift=shift)


def _added(  # noqa: PLR0913 — one query and everything that goes into it
    session: Session,
    query: str,
    experiment_id: str,
    *,
    names: Sequence[str],
    columns: Sequence[str],
    shift: Mapping[str, float],
    more: Mapping[str, str] | None = None,
) -> dict[str, Added]:
    moved = tuple(shift[column] for column in columns)
    width, found = len(names), {}
    bound = {**_moving(session, experiment_id, moved), **(more or {})}
    again = written(query, bound)
    for row in session.execute(text(query), bound):
        key, values = ("", row) if more else (str(row[0]), row[1:])
        found[key] = Added(
            n=int(values[0]),
            columns=tuple(names),
            shift=moved,
            totals=tuple(float(value or 0.0) for value in values[1 : width + 1]),
            products=_square(values[width + 1 :], width),
            sql=again,
        )
    return found


def _held(sums: Table, names: Sequence[str], shift: Sequence[float], query: str) -> Added:
    return Added(sums.n, tuple(names), tuple(shift), sums.totals, sums.products, query)


def _bound(session: Session, experiment_id: str) -> dict[str, object]:
    return {
        "organization_id": session.info["actor"].organization_id,
        "experiment_id": experiment_id,
    }


def _moving(session: Session, experiment_id: str, moved: Sequence[float]) -> dict[str, object]:
    shifts = {f"shift_{index}": value for index, value in enumerate(moved)}
    return {**_bound(session, experiment_id), **shifts}


def _two(arms: Mapping[str, str]) -> dict[str, str]:
    return dict(zip(("control_id", "treatment_id"), arms.values(), strict=True))


def _only(apart: bool) -> str:  # noqa: FBT001 — a private question
    return f" AND {_ONE_VARIANT}" if apart else ""


def _units(columns: Sequence[str], *, apart: bool = False) -> str:
    values = ", ".join(f"{_VALUES[name]} AS {name}" for name in columns)
    # Worked out once a unit, and not once a product.
    return (
        f"WITH unit AS MATERIALIZED (SELECT unit_key, variant_id, {values} FROM experiment_unit "
        f"WHERE {_MINE}{_only(apart)})"
    )


def _pairs(columns: Sequence[str]) -> str:
    sides = {
        short: ", ".join(f"{_VALUES[name]} AS {short}_{name}" for name in columns) for short in "ct"
    }
    found = {
        short: f"(SELECT unit_key, {sides[short]} FROM experiment_unit WHERE {_MINE} "
        f"AND variant_id = :{arm}_id)"
        for short, arm in (("c", "control"), ("t", "treatment"))
    }
    cells = [f"{short}_{name}" for short in "ct" for name in columns]
    whole = " AND ".join(f"{cell} IS NOT NULL" for cell in cells)
    # By the index that keeps a unit and its variant apart from all others.
    return (
        f"WITH pair AS MATERIALIZED (SELECT {', '.join(cells)} FROM {found['c']} AS c "
        f"JOIN {found['t']} AS t ON t.unit_key = c.unit_key WHERE {whole})"
    )


def _sums(cells: Sequence[str]) -> str:
    shifted = [f"({cell} - :shift_{index})" for index, cell in enumerate(cells)]
    # Each with a name of its own, or nobody could run the query again.
    products = [
        f"sum({shifted[i]} * {shifted[j]}) AS product_{i}_{j}"
        for i, j in combinations_with_replacement(range(len(cells)), 2)
    ]
    return ", ".join([*(f"sum({cell}) AS sum_{at}" for at, cell in enumerate(shifted)), *products])


def _square(values: Sequence[Any], width: int) -> tuple[tuple[float, ...], ...]:  # a slice of a row
    found = [[0.0] * width for _ in range(width)]
    places = combinations_with_replacement(range(width), 2)
    for (i, j), value in zip(places, values, strict=True):
        found[i][j] = found[j][i] = float(value or 0.0)
    return tuple(map(tuple, found))

"""An experiment's units, held by this process: a report reads only those that changed since.

SQLite adds up a hundred thousand units in a third of a second, and finds those that changed in a
tenth of that. The log of folds tells which runs were added, and so which units changed; what is
held is never anything but what committed rows say.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import text

from promptstudio_lab.warehouse.frames import postgresql, sqlite
from promptstudio_lab.warehouse.queries.experiments.units import MARK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl
    from sqlalchemy import Engine
    from sqlalchemy.orm import Session

MOST = 1_000_000
"""So many units of an experiment are held: some 200 MB; more are added up by the database."""

PARTS = {
    "success": ("success_runs", "success", 1.0),
    "cost_usd": ("cost_runs", "cost", 1e9),
    "latency_ms": ("latency_runs", "latency_ms", 1.0),
    "quality": ("quality_runs", "quality", 1.0),
    "input_tokens": ("input_runs", "input_tokens", 1.0),
    "output_tokens": ("output_runs", "output_tokens", 1.0),
}
"""Each column of a report: how many runs of a unit have it, their sum, and what divides that."""

_EXPERIMENTS = 4
_NUMBERS = ("latency_ms", "quality")
_WHOLE = ("runs", "simulated_runs", *(name for part in PARTS.values() for name in part[:2]))
_KEY = ("variant_id", "unit_key")
_COLUMNS = ", ".join(f"unit.{name}" for name in (*_KEY, *_WHOLE))
_OWN = "organization_id = :organization_id AND experiment_id = :experiment_id"
_UNITS = f"FROM experiment_unit AS unit WHERE {_OWN}"
_NEW = f"{_OWN} AND mark >= :since"
_RUNS = {
    "sqlite": "json_each(fold.run_ids) AS item CROSS JOIN flow_execution AS run "
    "ON run.id = item.value",
    "postgresql": "json_array_elements_text(fold.run_ids) AS item JOIN flow_execution AS run "
    "ON run.id = CAST(item AS uuid)",
}
# Each is looked up by index: PostgreSQL would rather read all units than two in a hundred.
_UNIT = {
    "sqlite": "CROSS JOIN experiment_unit AS unit ON {same}",
    "postgresql": "CROSS JOIN LATERAL (SELECT * FROM experiment_unit AS unit "
    "WHERE {same} LIMIT 1) AS unit",
}
_SAME = " AND ".join((_OWN, *(f"unit.{name} = changed.{name}" for name in _KEY)))


class Table(NamedTuple):
    """Sums over the rows of a table.

    Attributes:
        n: how many rows.
        totals: the sums of the shifted columns.
        products: the sums of products of each two shifted columns.
    """

    n: int
    totals: tuple[float, ...]
    products: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class _Held:
    """Units, and what may have changed since: what was folded from `mark` on.

    All may have if another month is cold: the log of folds begins anew then.
    """

    mark: int
    cold: int
    units: pl.DataFrame


_shelves: WeakKeyDictionary[Engine, OrderedDict[tuple[str, str], _Held]] = WeakKeyDictionary()
_turn = Lock()


def units_of(session: Session, experiment_id: str) -> pl.DataFrame | None:
    """Return one row a unit and variant as they are now; None if the database had better add up.

    Args:
        session: a reading session: what another may yet take back is not held.
        experiment_id: the experiment.
    """
    if not session.info.get("read_only"):
        return None
    found: dict[str, pl.DataFrame | None] = session.info.setdefault("held", {})
    if experiment_id not in found:
        found[experiment_id] = _present(session, experiment_id)
    return found[experiment_id]


def _present(session: Session, experiment_id: str) -> pl.DataFrame | None:
    organization_id = session.info["actor"].organization_id
    own = {"organization_id": organization_id, "experiment_id": experiment_id}
    place, shelf = (organization_id, experiment_id), _shelf(session)
    before = shelf.get(place)
    dialect = session.connection().dialect.name
    since = {**own, "since": before.mark if before else 0}
    mark, cold, new = session.execute(text(_state(dialect)), since).one()
    # Reading all units takes less than looking up many runs.
    if before is None or before.cold != cold or new > before.units.height:
        if session.execute(text(f"SELECT count(*) {_UNITS}"), own).scalar_one() > MOST:
            return None
        units = _read(session, f"SELECT {_COLUMNS} {_UNITS}", own)
    elif new:
        units = _merged(before.units, _read(session, _changed(dialect), since))
    else:
        units = before.units
    with _turn:
        shelf[place] = _Held(mark, cold, units)
        shelf.move_to_end(place)
        while len(shelf) > _EXPERIMENTS:
            shelf.popitem(last=False)
    return units


def _state(dialect: str) -> str:
    return (
        f"SELECT {MARK[dialect]}, (SELECT count(*) FROM cold_partition), "
        f"(SELECT CAST(coalesce(sum(runs), 0) AS bigint) FROM experiment_fold WHERE {_NEW})"
    )


def _changed(dialect: str) -> str:
    runs = (
        "SELECT DISTINCT run.variant_id, run.unit_key "
        f"FROM (SELECT run_ids FROM experiment_fold WHERE {_NEW}) AS fold "
        f"CROSS JOIN {_RUNS[dialect]}"
    )
    unit = _UNIT[dialect].format(same=_SAME)
    return f"SELECT {_COLUMNS} FROM ({runs}) AS changed {unit}"


def _shelf(session: Session) -> OrderedDict[tuple[str, str], _Held]:
    with _turn:
        return _shelves.setdefault(session.get_bind().engine, OrderedDict())


def _read(session: Session, sql: str, bound: Mapping[str, object]) -> pl.DataFrame:
    import polars as pl

    engine = sqlite if session.connection().dialect.name == "sqlite" else postgresql
    types: Any = {  # polars' own union of types
        **dict.fromkeys(_KEY, pl.String),
        **dict.fromkeys(_WHOLE, pl.Int64),
        **dict.fromkeys(_NUMBERS, pl.Float64),
    }
    found: pl.DataFrame = engine.read_query(session, sql, bound)
    return found.cast(types)


def _merged(units: pl.DataFrame, changed: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    if not changed.height:
        return units
    return pl.concat([units.join(changed, on=_KEY, how="anti"), changed])


def valued(units: pl.DataFrame, columns: Sequence[str], *, but: Sequence[str] = ()) -> pl.DataFrame:
    """Return what each unit contributes: its variant, its key, and its mean of each column.

    Args:
        units: as they are held.
        columns: the columns of a report.
        but: the keys of units that are left out.
    """
    import polars as pl

    means = [
        pl.when(pl.col(count) > 0).then(pl.col(total) / pl.col(count) / scale).alias(name)
        for name, (count, total, scale) in PARTS.items()
        if name in columns
    ]
    return counted(units, but).select(*_KEY, *means)


def counted(units: pl.DataFrame, but: Sequence[str] = ()) -> pl.DataFrame:
    """Return the units that have a run, but for those of some keys."""
    import polars as pl

    kept = units.filter(pl.col("runs") > 0)
    return kept.filter(~pl.col("unit_key").is_in(list(but))) if but else kept


def added(table: pl.DataFrame, columns: Sequence[str], shift: Sequence[float]) -> Table:
    """Return the sums over the rows that have a value in each column."""
    import numpy as np

    values = table.select(columns).drop_nulls().to_numpy()
    moved = values.reshape(len(values), len(columns)) - np.asarray(shift)
    products = tuple(map(tuple, (moved.T @ moved).tolist()))
    return Table(len(moved), tuple(moved.sum(axis=0).tolist()), products)


def paired(table: pl.DataFrame, control: str, treatment: str) -> pl.DataFrame:
    """Return one row a unit that both variants have all values of: `c_…` and `t_…`."""
    sides = [
        table.filter(variant_id=variant).drop_nulls().drop("variant_id").rename(
            {name: f"{short}_{name}" for name in table.columns if name not in _KEY}
        )
        for short, variant in (("c", control), ("t", treatment))
    ]  # fmt: skip
    return sides[0].join(sides[1], on="unit_key", how="inner")


def alone(table: pl.DataFrame, control: str, treatment: str) -> list[str]:
    """Return the keys, in order, of units that one of two variants has no values of."""
    import polars as pl

    either = table.filter(pl.col("variant_id").is_in([control, treatment]))["unit_key"].unique()
    both = paired(table, control, treatment)["unit_key"]
    return either.filter(~either.is_in(both.implode())).sort().to_list()

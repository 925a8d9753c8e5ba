"""The sums of the units that came first and of those that came later: whether an effect lasts.

Units are halved where the middle one met its variant; only the columns of one question are added
up.
"""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from promptstudio_lab.warehouse.queries.experiments.sums import Added, value_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session

_MET = (
    "SELECT unit_key, variant_id, exposed_at FROM experiment_exposure "
    "WHERE organization_id = :organization_id AND experiment_id = :experiment_id "
    "AND variant_id IN (:control_id, :treatment_id)"
)
_UNITS = (
    "experiment_unit AS u JOIN met ON met.unit_key = u.unit_key AND met.variant_id = u.variant_id "
    "WHERE u.organization_id = :organization_id AND u.experiment_id = :experiment_id AND u.runs > 0"
)


def halves(
    session: Session,
    experiment_id: str,
    arms: Mapping[str, str],
    columns: Sequence[str],
    shift: Mapping[str, float],
    *,
    apart: bool,
) -> list[dict[str, Added]]:
    """Return the sums of two variants over the units that came first, then over the others.

    Args:
        session: a reading session.
        experiment_id: the experiment.
        arms: the id of the control and of the treatment, by name, in this order.
        columns: names of what to add up.
        shift: a number near each column's mean.
        apart: whether each unit belongs to one variant.

    Returns:
        Of each half the sums by the variant's name; where units met both, under "" with columns
        named `<variant>.<column>`.
    """
    ids = list(arms.values())
    bound: dict[str, Any] = {  # keys, a moment, and numbers
        "organization_id": session.info["actor"].organization_id,
        "experiment_id": experiment_id,
        **dict(zip(("control_id", "treatment_id"), ids, strict=True)),
    }
    met = f"{_MET} AND NOT multi" if apart else _MET
    units = session.execute(text(f"SELECT count(*) FROM ({met}) AS met"), bound).scalar_one()
    bound["half"] = int(units) // 2
    middle = f"SELECT exposed_at FROM ({met}) AS met ORDER BY exposed_at LIMIT 1 OFFSET :half"
    bound["middle"] = session.execute(text(middle), bound).scalar_one_or_none()
    names = list(columns) if apart else [f"{arm}.{column}" for arm in arms for column in columns]
    moved = tuple(shift[name.rpartition(".")[2]] for name in names)
    bound |= {f"shift_{at}": value for at, value in enumerate(moved)}
    query = f"WITH met AS ({met}){_apart(columns) if apart else _paired(columns)}"
    found: list[dict[str, Added]] = [{}, {}]
    by_id = {key: name for name, key in arms.items()}
    for later, variant, n, *sums in session.execute(text(query), bound):
        key = by_id[str(variant)] if apart else ""
        found[bool(later)][key] = _added(int(n), names, moved, sums, query)
    return found


def _apart(columns: Sequence[str]) -> str:
    cells = ", ".join(f"{value_of(name)} AS x{at}" for at, name in enumerate(columns))
    return (
        f", unit AS (SELECT u.variant_id, exposed_at >= :middle AS later, {cells} FROM {_UNITS}) "
        f"SELECT later, variant_id, count(*), {_sums(len(columns))} FROM unit "
        f"WHERE {_whole(len(columns))} GROUP BY later, variant_id"
    )


def _paired(columns: Sequence[str]) -> str:
    sides = []
    for first, arm in ((0, "control"), (len(columns), "treatment")):
        cells = ", ".join(f"{value_of(name)} AS x{first + at}" for at, name in enumerate(columns))
        sides.append(
            f"(SELECT u.unit_key, exposed_at, {cells} FROM {_UNITS} AND u.variant_id = :{arm}_id)"
        )
    width = 2 * len(columns)
    return (
        f", pair AS (SELECT c.exposed_at >= :middle AS later, {_cells(width)} "
        f"FROM {sides[0]} AS c JOIN {sides[1]} AS t ON t.unit_key = c.unit_key) "
        f"SELECT later, NULL, count(*), {_sums(width)} FROM pair WHERE {_whole(width)} "
        "GROUP BY later"
    )


def _cells(width: int) -> str:
    return ", ".join(f"x{at}" for at in range(width))


def _whole(width: int) -> str:
    return " AND ".join(f"x{at} IS NOT NULL" for at in range(width))


def _sums(width: int) -> str:
    moved = [f"(x{at} - :shift_{at})" for at in range(width)]
    products = [f"sum({a} * {b})" for a, b in combinations_with_replacement(moved, 2)]
    return ", ".join([*(f"sum({one})" for one in moved), *products])


def _added(
    n: int,
    names: Sequence[str],
    shift: tuple[float, ...],
    sums: Sequence[Any],  # numbers of the engine's own type
    query: str,
) -> Added:
    width = len(names)
    square = [[0.0] * width for _ in names]
    places = combinations_with_replacement(range(width), 2)
    for (i, j), value in zip(places, sums[width:], strict=True):
        square[i][j] = square[j][i] = float(value)
    return Added(
        n=n,
        columns=tuple(names),
        shift=shift,
        totals=tuple(map(float, sums[:width])),
        products=tuple(map(tuple, square)),
        sql=query,
    )

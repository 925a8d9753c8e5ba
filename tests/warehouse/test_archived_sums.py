"""Months that were archived before there were sums by unit are in them after the upgrade."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from promptstudio_lab.errors import WarehouseUpgraded
from promptstudio_lab.warehouse.queries.experiments.units import Ended, fold
from promptstudio_lab.warehouse.schema.archived import add_up

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tests.warehouse.months import Filled

FROM_RUNS = (
    "SELECT count(*), count(success), sum(CASE WHEN success THEN 1 ELSE 0 END), "
    "sum(total_cost), sum(execution_time_ms), count(quality) FROM flow_execution "
    "WHERE experiment_id = :key"
)
KEPT = (
    "SELECT sum(runs), sum(success_runs), sum(success), sum(cost), sum(latency_ms), "
    "sum(quality_runs) FROM experiment_unit WHERE experiment_id = :key"
)


def asked(filled: Filled, query: str) -> list[float]:
    with filled.place.warehouse.reading(filled.place.actor) as session:
        row = session.execute(text(query), {"key": filled.things.experiment}).one()
    return [float(value or 0) for value in row]


def again(filled: Filled) -> None:
    """Do what the upgrade does."""

    def work(connection: Connection) -> None:
        add_up(connection)

    filled.place.write(work)


def emptied(connection: Connection) -> None:
    """Forget all sums."""
    connection.execute(text("DELETE FROM experiment_unit"))


def test_what_was_archived_is_added_up(filled: Filled) -> None:
    expected = asked(filled, FROM_RUNS)
    assert asked(filled, KEPT) == [0.0] * len(expected)
    filled.archive()
    for _ in range(2):
        again(filled)
        assert asked(filled, KEPT) == pytest.approx(expected, rel=1e-9)
    assert expected[0] == 5
    # What came back was not added up by that.
    filled.restore()
    filled.place.write(emptied)
    again(filled)
    assert asked(filled, KEPT) == pytest.approx(expected, rel=1e-9)


def test_the_log_of_folds_names_no_run_that_is_archived(filled: Filled) -> None:
    def folded(connection: Connection) -> None:
        query = text("SELECT id, experiment_id FROM flow_execution")
        fold(connection, [Ended(str(run), str(key)) for run, key in connection.execute(query)])

    filled.place.write(folded)
    logged = "SELECT coalesce(sum(runs), 0) FROM experiment_fold WHERE experiment_id = :key"
    assert asked(filled, logged) > [0.0]
    filled.archive()
    assert asked(filled, logged) == [0.0]
    filled.restore()


def test_sums_stay_where_a_file_is_gone(filled: Filled) -> None:
    filled.archive()
    again(filled)
    before = asked(filled, KEPT)
    for path in filled.files():
        if "flow_execution" in str(path):
            path.rename(path.with_suffix(".away"))
    with pytest.warns(WarehouseUpgraded, match="stay as they were"):
        again(filled)
    assert asked(filled, KEPT) == before

"""What an analyst reads has the same columns and types, whichever engine keeps it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl
import pytest

from promptstudio_lab.errors import PromptStudioError
from promptstudio_lab.ids import new_id, time_of
from promptstudio_lab.warehouse.append import insert_missing
from promptstudio_lab.warehouse.entities import FlowNode, PromptLab
from promptstudio_lab.warehouse.frames.query import query
from promptstudio_lab.warehouse.rows import count_by, find, first
from tests.warehouse.parts import Place, make_flow, make_node

if TYPE_CHECKING:
    from promptstudio_lab.warehouse.append import Row

COLUMNS = (
    "id", "organization_id", "flow_id", "flow_version", "change_seq", "unit_key", "requested_by",
    "executed_by", "trigger", "status", "started_at", "completed_at", "execution_time_ms",
    "total_cost", "success", "simulated", "lease_epoch", "created_at", "created_by",
)  # fmt: skip
MOMENT = datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
BIG = 2**53 + 1
TIME = pl.Datetime("us", "UTC")


@pytest.fixture
def runs(place: Place) -> Place:
    """Give a place with two runs: one succeeded, one still going."""
    flow, own = make_flow(place), place.actor.organization_id

    def run(unit: str, *, done: bool) -> Row:
        end = (MOMENT, 12.5, BIG, True) if done else (None, None, None, None)
        status = "succeeded" if done else "running"
        key = new_id()
        head = (key, own, flow, 1, 1, unit, "a", "a", "cell", status, MOMENT)
        return (*head, *end, False, 1, time_of(key), "a")

    rows = [run("one", done=True), run("two", done=False)]
    place.write(lambda c: insert_missing(c, "flow_execution", COLUMNS, rows))
    return place


def ask(place: Place, sql: str, **parameters: object) -> pl.DataFrame:
    return query(place.warehouse, place.actor, sql, parameters)


OWN = "FROM flow_execution WHERE organization_id = :organization_id"


def test_columns_have_their_types(runs: Place) -> None:
    names = (
        "id, unit_key, started_at, completed_at, execution_time_ms, total_cost, success, simulated"
    )
    frame = ask(runs, f"SELECT {names} {OWN} ORDER BY unit_key")
    assert frame.schema == {
        "id": pl.String,
        "unit_key": pl.String,
        "started_at": TIME,
        "completed_at": TIME,
        "execution_time_ms": pl.Float64,
        "total_cost": pl.Int64,
        "success": pl.Boolean,
        "simulated": pl.Boolean,
    }
    assert frame.drop("id").rows() == [
        ("one", MOMENT, MOMENT, 12.5, BIG, True, False),
        ("two", MOMENT, None, None, None, None, False),
    ]
    assert all(len(key) == 36 for key in frame["id"])


def test_sums_have_the_same_types_on_both_engines(runs: Place) -> None:
    sums = "count(*) AS n, sum(total_cost) AS nano, avg(execution_time_ms) AS ms"
    frame = ask(runs, f"SELECT {sums}, avg(flow_version) AS v, max(started_at) AS last_at {OWN}")
    assert frame.rows() == [(2, BIG, 12.5, 1.0, MOMENT)]
    assert frame.dtypes == [pl.Int64, pl.Int64, pl.Float64, pl.Float64, TIME]


def test_views_speak_dollars(runs: Place) -> None:
    sql = "SELECT flow, unit_key, cost_usd, success, started_at FROM v_flow_execution"
    frame = ask(runs, f"{sql} WHERE organization_id = :organization_id ORDER BY unit_key")
    assert frame.dtypes == [pl.String, pl.String, pl.Float64, pl.Boolean, TIME]
    assert frame["cost_usd"].to_list() == [BIG / 1e9, None]


def test_documents_are_text(place: Place) -> None:
    make_node(place, make_flow(place), config={"b": 1, "a": [1.0, "\0"]})
    frame = ask(place, "SELECT config FROM flow_node WHERE organization_id = :organization_id")
    assert frame.to_dicts() == [{"config": '{"a":[1.0,"\\u0000"],"b":1}'}]


def test_no_rows_still_have_columns(place: Place) -> None:
    frame = ask(place, f"SELECT id, started_at, success {OWN}")
    assert frame.height == 0
    assert frame.columns == ["id", "started_at", "success"]
    assert frame.dtypes[1:] == [TIME, pl.Boolean]


def test_parameters_are_bound(runs: Place) -> None:
    frame = ask(runs, f"SELECT unit_key {OWN} AND unit_key = :unit", unit="one' OR '1'='1")
    assert frame.height == 0
    frame = ask(runs, f"SELECT unit_key {OWN} AND unit_key LIKE 't%' AND :unit = 'one'", unit="one")
    assert frame["unit_key"].to_list() == ["two"]


def test_organisation_is_the_readers(runs: Place) -> None:
    assert ask(runs, f"SELECT count(*) AS n {OWN}")["n"].to_list() == [2]
    assert ask(runs.elsewhere(), f"SELECT count(*) AS n {OWN}")["n"].to_list() == [0]


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE flow_execution SET unit_key = 'x'",
        "DELETE FROM flow_execution RETURNING id",
        "SELECT 1; UPDATE flow_execution SET unit_key = 'x'; COMMIT; SELECT 2",
    ],
    ids=["update", "returning", "several"],
)
def test_statement_that_writes_is_refused(runs: Place, sql: str) -> None:
    with pytest.raises(PromptStudioError):
        ask(runs, sql)
    assert ask(runs, f"SELECT unit_key {OWN} ORDER BY 1")["unit_key"].to_list() == ["one", "two"]


@pytest.mark.parametrize("sql", ["SELEC 1", "SELECT nothing FROM nowhere", "SELECT :missing"])
def test_wrong_statement_is_an_error_of_ours(place: Place, sql: str) -> None:
    with pytest.raises(PromptStudioError):
        ask(place, sql)


def test_rows_are_found_by_their_columns(place: Place) -> None:
    flow, other = make_flow(place), make_flow(place, "other")
    keys = [make_node(place, flow, node_key="b", position_x=1.0)]
    make_node(place, flow, node_key="a", position_x=2.0)
    make_node(place, other, node_key="c", position_x=2.0)

    def names(**where: object) -> list[str]:
        rows = place.see(lambda session: find(session, FlowNode, order=("node_key",), **where))
        return [row.node_key for row in rows]

    assert names() == ["a", "b", "c"]
    assert names(flow_id=flow) == ["a", "b"]
    assert names(flow_id=flow, position_x=2.0) == ["a"]
    assert names(node_key=["a", "c", "z"]) == ["a", "c"]
    assert names(id={keys[0]}) == ["b"]
    assert names(node_key=[]) == []
    assert names(parent_node_id=None) == ["a", "b", "c"]
    assert names(deleted_by="nobody") == []


def test_rows_come_in_the_order_asked_for(place: Place) -> None:
    flow = make_flow(place)
    for key, x in (("a", 1.0), ("b", 2.0), ("c", 2.0)):
        make_node(place, flow, node_key=key, position_x=x)
    order = ("-position_x", "node_key")
    rows = place.see(lambda session: find(session, FlowNode, order=order))
    assert [row.node_key for row in rows] == ["b", "c", "a"]
    top = place.see(lambda session: first(session, FlowNode, order=("-node_key",)))
    assert top.node_key == "c"
    assert place.see(lambda session: first(session, FlowNode, node_key="z")) is None


def test_rows_are_counted_by_a_column(place: Place) -> None:
    flow, other = make_flow(place), make_flow(place, "other")
    for at in (flow, flow, other):
        make_node(place, at)
    assert place.see(lambda s: count_by(s, FlowNode, "flow_id")) == {flow: 2, other: 1}
    assert place.see(lambda s: count_by(s, PromptLab, "name")) == {"default": 1}

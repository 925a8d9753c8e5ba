"""What an analyst reads has the same columns and types, whichever engine keeps it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from promptstudio_lab.errors import PromptStudioError, WarehouseError
from promptstudio_lab.ids import new_id, time_of
from promptstudio_lab.warehouse.append import insert_missing
from promptstudio_lab.warehouse.entities import FlowNode, PromptLab
from promptstudio_lab.warehouse.frames import postgresql, sqlite
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


def noted(where: list[Any], what: Any) -> Any:  # whatever it is
    """Remember something, and give it back."""
    where.append(what)
    return what


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


ODD = {
    "null first": "SELECT NULL AS a, 1 AS n UNION ALL SELECT 'x', 2 UNION ALL SELECT NULL, 3",
    "whole": f"SELECT {2**63 - 1} AS big, -7 AS small UNION ALL SELECT {BIG}, NULL",
    "fractions": "SELECT 1.5 AS a, 0.1 AS b UNION ALL SELECT 2.5, 1e300",
    "words": "SELECT 'é ☃ 𝄞' AS word, '' AS \"a b\" UNION ALL SELECT '''', 'x'",
    "no value": "SELECT NULL AS a, NULL AS some_id, NULL AS made_at, 1 AS n",
    "times": "SELECT started_at, completed_at, success, id FROM flow_execution "
    "WHERE organization_id = :organization_id ORDER BY unit_key DESC",
    "sums": f"SELECT sum(total_cost) AS nano, avg(flow_version) AS v, count(*) AS n {OWN}",
    "nested": f"WITH mine AS (SELECT * {OWN}) SELECT count(*) AS n FROM mine; -- :no, not ;",
    "views": "SELECT * FROM v_flow_execution WHERE organization_id = :organization_id "
    "ORDER BY unit_key",
    "parameter": "SELECT CAST(:text AS TEXT) AS a, :n + 1 AS n, ':n' || :text AS again",
    "key": "SELECT id FROM flow_execution WHERE organization_id = :organization_id "
    "AND started_at >= :moment ORDER BY id",
}
BOUND = {"text": "it's %s", "n": 1, "moment": MOMENT}


@pytest.mark.parametrize("name", ODD)
def test_small_and_big_answers_are_the_same(
    runs: Place, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    small = ask(runs, ODD[name], **BOUND)
    calls = by_arrow(monkeypatch)
    big = ask(runs, ODD[name], **BOUND)
    assert calls
    assert_frame_equal(small, big)


def by_arrow(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Read even one row by Arrow; return what will list the reads."""
    calls: list[object] = []
    for engine, read in ((sqlite, "_by_readers"), (postgresql, "_by_arrow")):
        keep = getattr(engine, read)
        monkeypatch.setattr(engine, "BIG", 1)
        monkeypatch.setattr(engine, read, lambda *given, keep=keep: keep(*noted(calls, given)))
    # As if every first row had come at once.
    monkeypatch.setattr(sqlite, "time", FrozenClock)
    return calls


class FrozenClock:
    """A clock by which nothing takes time."""

    @staticmethod
    def perf_counter() -> float:
        """Return the moment that it always is."""
        return 0.0


@pytest.mark.parametrize(
    "rows",
    [
        "(1, 'x'), (2, 1.5)",
        "('x', 1), (2.5, NULL)",
        "(x'00', NULL), ('x', 2)",
        "(NULL, 1), ('x', NULL), (3, 2.5)",
    ],
)
def test_columns_of_several_types_are_the_same_too(
    sqlite_place: Place, monkeypatch: pytest.MonkeyPatch, rows: str
) -> None:
    sql = f"WITH given(a, b) AS (VALUES {rows}) SELECT * FROM given"
    small = ask(sqlite_place, sql)
    by_arrow(monkeypatch)
    assert_frame_equal(small, ask(sqlite_place, sql))


def test_columns_without_a_type_are_told(place: Place) -> None:
    big = "9" * 40
    assert ask(place, f"SELECT {big} AS n").dtypes == [pl.Float64]
    if place.warehouse.dialect == "sqlite":
        with pytest.raises(WarehouseError, match="CAST them"):
            ask(place, "SELECT 1 AS a UNION ALL SELECT x'00'")


def test_types_that_only_the_server_has(
    postgresql_place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql = (
        "SELECT 1::smallint AS i, 0.1::real AS r, 12345678901234567890::numeric AS exact, "
        "gen_random_uuid() IS NULL AS no, 'x'::varchar(3) AS word, '{}'::json AS doc, "
        "date '2026-01-02' AS day, timestamp '2026-01-02 03:04' AS local, "
        "'\\x00ff'::bytea AS raw, 'NaN'::numeric AS odd, 1.50::numeric AS fraction"
    )
    small = ask(postgresql_place, sql)
    calls = by_arrow(monkeypatch)
    assert_frame_equal(small, ask(postgresql_place, sql))
    assert len(calls) == 1
    rare = "SELECT interval '1 day' AS rest, ARRAY[1, 2] AS list"
    assert ask(postgresql_place, rare).dtypes == [pl.Duration("us"), pl.List(pl.Int64)]


def test_many_rows_come_whole_and_in_order(
    own_place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "BIG", 50)
    sql = (
        "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 70000) "
        "SELECT n, CASE WHEN n = 2 THEN 'late' END AS word FROM n ORDER BY n DESC"
    )
    frame = ask(own_place, sql)
    assert frame["n"].to_list() == list(range(70_000, 0, -1))
    assert frame["word"].drop_nulls().to_list() == ["late"]


def test_two_columns_of_one_name_are_refused_by_name(
    runs: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql = f"SELECT id, unit_key AS id {OWN}"
    for _ in range(2):
        with pytest.raises(WarehouseError, match="more than one column named 'id'"):
            ask(runs, sql)
        by_arrow(monkeypatch)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("UPDATE prompt_lab SET name = 'x'", "begins with UPDATE"),
        ("  -- harmless\n/* (really) */ DROP TABLE prompt_lab", "begins with DROP"),
        ("WITH x AS (SELECT 1) DELETE FROM prompt_lab RETURNING id", "nothing was changed"),
        ("SELECT 1; SELECT ';'", "more than one statement"),
        ("", "is empty"),
    ],
)
def test_refusals_are_in_plain_words(place: Place, sql: str, said: str) -> None:
    with pytest.raises(WarehouseError, match=said):
        ask(place, sql)


def test_a_query_that_is_dear_is_not_run_twice(
    sqlite_place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[object] = []
    monkeypatch.setattr(sqlite, "BIG", 1)
    monkeypatch.setattr(sqlite, "_by_readers", lambda *given: calls.append(given))
    sql = (
        "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 300000) "
        "SELECT * FROM (SELECT max(n) AS n FROM n UNION ALL SELECT 2 UNION ALL SELECT 3)"
    )
    assert ask(sqlite_place, sql).height == 3
    assert not calls


def test_errors_of_a_big_read_are_ours(
    sqlite_place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = by_arrow(monkeypatch)
    sql = (
        "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 100) "
        "SELECT n, abs(CASE WHEN n = 90 THEN -9223372036854775807 - 1 ELSE n END) AS b FROM n"
    )
    with pytest.raises(WarehouseError, match="integer overflow"):
        ask(sqlite_place, sql)
    assert len(calls) == 1


def test_errors_of_a_server_are_its_own_words(
    postgresql_place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = by_arrow(monkeypatch)
    with pytest.raises(WarehouseError, match="division by zero") as caught:
        ask(postgresql_place, "SELECT 1 / (n - 50) AS n FROM generate_series(1, 100) AS n")
    assert "COPY" not in str(caught.value)
    assert len(calls) == 1


def test_text_that_is_no_time_is_told(place: Place) -> None:
    with pytest.raises(WarehouseError, match="ends in _at"):
        ask(place, "SELECT 'soon' AS due_at")


def test_parameters_keep_their_types(place: Place) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    with pytest.raises(PromptStudioError, match="no time zone"):
        ask(place, "SELECT :moment AS a", moment=moment.replace(tzinfo=None))
    sql = "SELECT name FROM prompt_lab WHERE created_at > :moment AND id <> :key AND 1 = :one"
    sql += " AND organization_id = :organization_id"
    frame = ask(place, sql, moment=moment, key=UUID(new_id()), one=np.int64(1))
    assert frame["name"].to_list() == ["default"]


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

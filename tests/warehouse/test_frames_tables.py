"""Named frames: what ran, lazily, with the same types on both engines."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import polars as pl
import pytest
from sqlalchemy import text

from promptstudio_lab.errors import ValueRefused, WarehouseError
from promptstudio_lab.ids import derived_id, lowest_id, new_id, time_of
from promptstudio_lab.lab.frames import Frames
from promptstudio_lab.warehouse.append import insert_missing
from promptstudio_lab.warehouse.connect import Warehouse
from promptstudio_lab.warehouse.entities import Entity
from promptstudio_lab.warehouse.frames import postgresql, sqlite, tables
from promptstudio_lab.warehouse.frames.dtypes import schema_of
from promptstudio_lab.warehouse.frames.tables import scan
from tests.warehouse.parts import Place, make_flow, make_node, settled
from tests.warehouse.runs import NODE_COLUMNS, RUN_COLUMNS, key_at, node_rows, run_row

if TYPE_CHECKING:
    from sqlalchemy import Connection

NODES = 120
TABLES = ("flow_execution", "node_execution", "prompt_execution", "execution_metric")
TIME = pl.Datetime("us", "UTC")


class Ran(NamedTuple):
    """A run with its nodes."""

    place: Place
    flow_id: str
    node_id: str
    run_id: str

    @property
    def frames(self) -> Frames:
        """Return what its actor reads."""
        return Frames(self.place.warehouse, self.place.actor)


def ran(place: Place, nodes: int = NODES) -> Ran:
    """Make a run with some nodes."""
    flow, run, own = make_flow(place), new_id(), place.actor.organization_id
    node = make_node(place, flow)
    rows = node_rows(own, flow, run, node, nodes)

    def write(connection: Connection) -> None:
        insert_missing(connection, "flow_execution", RUN_COLUMNS, [run_row(own, flow, run)])
        insert_missing(connection, "node_execution", NODE_COLUMNS, rows)

    place.write(write)
    return Ran(place, flow, node, run)


@pytest.fixture
def run(place: Place) -> Ran:
    """Give a run of some nodes in the shared warehouse."""
    return ran(place)


@pytest.fixture(params=["cursor", "reader", "two readers"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Go each way that SQLite has; PostgreSQL has one."""
    monkeypatch.setattr(sqlite, "BIG", 1_000 if request.param == "cursor" else 10)
    monkeypatch.setattr(sqlite, "_HUGE", 50 if request.param == "two readers" else 1_000)
    return str(request.param)


@pytest.mark.parametrize("table", TABLES)
def test_schema_is_known_without_reading(place: Place, table: str) -> None:
    lazy = scan(place.warehouse, place.actor, table)
    assert lazy.collect_schema() == schema_of(table)
    assert lazy.collect().schema == schema_of(table)
    assert list(schema_of(table)) == [column.name for column in Entity.metadata.tables[table].c]


@pytest.mark.usefixtures("way")
def test_rows_are_those_that_were_written(run: Ran) -> None:
    frame = run.frames.node_executions().collect().sort("id")
    own = run.place.actor.organization_id
    wrote = node_rows(own, run.flow_id, run.run_id, run.node_id, NODES)
    expected = pl.DataFrame(wrote, schema=list(NODE_COLUMNS), orient="row").sort("id")
    assert frame.schema == schema_of("node_execution")
    assert frame.select(NODE_COLUMNS).rows() == expected.rows()
    assert frame["prompt_template_id"].null_count() == NODES
    assert frame["error_code"].to_list().count("timeout") == 2


@pytest.mark.usefixtures("way")
def test_only_what_is_needed_is_read(run: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    for engine in (sqlite, postgresql):
        read = engine.read_table
        monkeypatch.setattr(
            engine, "read_table", lambda s, w, read=read: read(s, (asked.append(w), w)[1])
        )
    lazy = run.frames.node_executions()
    assert lazy.select("cost", "id").collect().columns == ["cost", "id"]
    assert lazy.select(pl.len()).collect().item() == NODES
    assert lazy.head(7).collect().height == 7
    failed = lazy.filter(pl.col("status") == "failed").select("error_code").collect()
    assert failed.to_dict(as_series=False) == {"error_code": ["timeout"] * 2}
    assert lazy.head(60).filter(pl.col("cost") >= 0).collect().height == 60
    sums = lazy.group_by("status").agg(pl.col("cost").sum()).collect()
    assert sum(sums["cost"]) == sum(n * 75 for n in range(NODES))
    assert {len(wanted.columns) for wanted in asked} == {1, 2, len(schema_of("node_execution"))}
    assert {wanted.limit for wanted in asked} == {None, 7, 60}
    assert lazy.select("cost", "id").collect(engine="streaming").height == NODES


@pytest.mark.usefixtures("way")
def test_time_is_half_open(run: Ran) -> None:
    times = run.frames.node_executions(columns=["created_at"]).collect()["created_at"].sort()
    low, high = times[10], times[-10]
    for since, until in (
        (low, high),
        (low.isoformat(), high.isoformat()),
        (low.astimezone(tz=None), high),
        (low - timedelta(microseconds=1), high - timedelta(microseconds=1)),
        (None, high),
        (low, None),
        (high, low),
    ):
        found = run.frames.node_executions(since, until).collect()["created_at"].sort()
        first = datetime.min.replace(tzinfo=UTC) if since is None else moment_of(since)
        end = datetime.max.replace(tzinfo=UTC) if until is None else moment_of(until)
        assert found.to_list() == [at for at in times if first <= at < end]


def moment_of(when: datetime | str) -> datetime:
    return datetime.fromisoformat(when) if isinstance(when, str) else when


def test_days_begin_at_midnight_utc(run: Ran) -> None:
    day = time_of(run.run_id).date()
    runs = run.frames.flow_executions
    assert runs(since=day).collect().height == 1
    assert runs(since=day.isoformat(), until=day + timedelta(days=1)).collect().height == 1
    assert runs(until=day).collect().height == 0
    assert runs(since=date(2020, 1, 1), until=date(2020, 2, 1)).collect().height == 0


@pytest.mark.parametrize("when", ["yesterday", "2026-03-01T09:30", datetime(2026, 3, 1)])  # noqa: DTZ001 — it is refused
def test_times_without_a_zone_are_refused(place: Place, when: str | datetime) -> None:
    with pytest.raises(ValueRefused, match=r"no time"):
        scan(place.warehouse, place.actor, "flow_execution", since=when)


def test_unknown_columns_are_told_at_once(place: Place) -> None:
    frames = Frames(place.warehouse, place.actor)
    with pytest.raises(WarehouseError, match=r"no column 'costs'.* did you mean 'cost'"):
        frames.node_executions(columns=["id", "costs"])
    with pytest.raises(WarehouseError, match="a frame needs a column"):
        frames.node_executions(columns=[])
    assert frames.prompt_executions(columns="cost").collect_schema().names() == ["cost"]


@pytest.mark.usefixtures("way")
def test_only_the_actors_organisation_is_read(run: Ran) -> None:
    other = ran(run.place.elsewhere())
    for one in (run, other):
        own = one.frames.node_executions().collect()["organization_id"].unique().to_list()
        assert own == [one.place.actor.organization_id]
    assert run.place.elsewhere().warehouse is run.place.warehouse
    nobody = Frames(run.place.warehouse, run.place.elsewhere().actor)
    assert nobody.node_executions().collect().schema == schema_of("node_execution")
    assert nobody.node_executions().collect().height == 0


def test_documents_and_numbers_of_metrics(run: Ran) -> None:
    key, own = derived_id(run.run_id, "m"), run.place.actor.organization_id
    at = time_of(key)
    columns = (
        "id", "organization_id", "flow_execution_id", "metric_name", "metric_value",
        "metric_timestamp", "dimensions", "created_at", "created_by",
    )  # fmt: skip
    row = (key, own, run.run_id, "faithfulness", 0.1, at, '{"a":1}', at, "a")
    run.place.write(lambda c: insert_missing(c, "execution_metric", columns, [row]))
    frame = run.frames.execution_metrics().collect()
    assert frame.schema == schema_of("execution_metric")
    assert frame.select(columns).row(0) == row


def test_archived_months_come_with_the_others(run: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    old = datetime(2026, 1, 5, tzinfo=UTC)
    archived = pl.DataFrame(
        {"id": [key_at(old, 1)], "created_at": [old], "cost": [7]},
        schema={name: schema_of("node_execution")[name] for name in ("id", "created_at", "cost")},
    )

    def found(*question: object) -> pl.LazyFrame:
        asked.append(question)
        missing = [
            pl.lit(None, dtype).alias(name)
            for name, dtype in schema_of("node_execution").items()
            if name not in archived.columns
        ]
        return archived.lazy().with_columns(missing)

    monkeypatch.setattr(tables, "cold_rows", found)
    frame = run.frames.node_executions("2026-01-01").collect()
    assert frame.height == NODES + 1
    assert frame.schema == schema_of("node_execution")
    place = run.place
    since = datetime(2026, 1, 1, tzinfo=UTC)
    assert asked == [(place.warehouse, place.actor, "node_execution", since, None)]
    few = run.frames.node_executions(columns=["cost", "id"]).filter(pl.col("cost") == 7)
    assert few.collect().rows()[-1] == (7, key_at(old, 1))


def test_frames_become_pandas(run: Ran) -> None:
    frame = run.frames.node_executions(columns=["id", "created_at", "cost"]).collect().to_pandas()
    assert frame.shape == (NODES, 3)
    assert str(frame["created_at"].dtype) == "datetime64[us, UTC]"


def test_partitions_of_other_months_are_left_alone(postgresql_place: Place) -> None:
    one = ran(postgresql_place, 3)
    month = time_of(one.run_id).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    sql = (
        "EXPLAIN SELECT id FROM node_execution WHERE id >= :low AND id < :high "
        "AND created_at >= :since AND created_at < :until"
    )
    later = (month + timedelta(days=32)).replace(day=1)
    bound = {"low": lowest_id(month), "high": lowest_id(later), "since": month, "until": later}
    plan = "\n".join(one.place.see(lambda session: session.scalars(text(sql), bound).all()))
    assert f"node_execution_p{month:%Y%m%d}" in plan
    assert f"node_execution_p{later:%Y%m%d}" not in plan
    assert one.frames.node_executions(month, later).collect().height == 3


def test_a_memory_warehouse_has_frames_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BIG", 10)
    with closing(Warehouse("memory")) as warehouse:
        assert ran(settled(warehouse)).frames.node_executions().collect().height == NODES

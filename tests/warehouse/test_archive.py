"""A month leaves the database, comes back, and is read as if it had never left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from sqlalchemy import text

from promptstudio_lab.errors import (
    AccessDenied,
    Conflict,
    NotFound,
    OperationRefused,
    ValueRefused,
    WarehouseError,
    WarehouseUnavailable,
)
from promptstudio_lab.ids import derived_id, new_id
from promptstudio_lab.warehouse import payloads
from promptstudio_lab.warehouse.append import insert_missing
from promptstudio_lab.warehouse.archive import archive, cold_rows, months, restore_month
from promptstudio_lab.warehouse.archive.content import EXECUTIONS, TABLES
from promptstudio_lab.warehouse.archive.manifest import archived_months, live
from promptstudio_lab.warehouse.connect import Warehouse
from promptstudio_lab.warehouse.entities import Entity
from tests.warehouse.months import APRIL, MARCH, Things, dump, files, made, put, run
from tests.warehouse.parts import Place, opened

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder that cold months go to, on both engines."""
    monkeypatch.setenv("PROMPTSTUDIO_COLD", str(tmp_path))
    return tmp_path


@pytest.fixture
def filled(own_place: Place, folder: Path) -> tuple[Place, Things]:
    """Give runs of March, at its very edges, and of April."""
    assert folder.exists()
    things = made(own_place)
    for moment in (
        datetime(2026, 3, 1, tzinfo=UTC),
        MARCH,
        APRIL - timedelta(milliseconds=1),
        APRIL,
        APRIL + timedelta(days=3),
    ):
        run(own_place, things, moment)
    return own_place, things


def hot_frame(place: Place, table: str) -> pl.DataFrame:
    """Return a table's rows as the database has them, with the frames' types."""
    columns = Entity.metadata.tables[table].columns
    own = place.actor.organization_id
    with place.warehouse.reading(place.actor) as session:
        query = text(f"SELECT * FROM {table} WHERE organization_id = :own")  # noqa: S608 — names of our own schema
        rows = session.execute(query, {"own": own}).mappings().all()
        entity = next(m.class_ for m in Entity.registry.mappers if str(m.local_table) == table)
        found = session.query(entity).filter_by(organization_id=own).all()
        assert len(found) == len(rows)
        plain: list[dict[str, Any]] = [
            {column.name: getattr(row, column.name) for column in columns} for row in found
        ]
    frame = cold_types(table)
    return pl.DataFrame(
        [{**row, **_documents(row)} for row in plain], schema=frame, orient="row"
    ).sort("id")


def _documents(row: dict[str, Any]) -> dict[str, Any]:
    from promptstudio_lab.values import dumps

    return {name: dumps(value) for name, value in row.items() if isinstance(value, dict)}


def cold_types(table: str) -> dict[str, Any]:
    """Return what a frame of the table must look like."""
    kinds: dict[str, Any] = {
        "Guid": pl.String,
        "PlainText": pl.String,
        "CanonicalJson": pl.String,
        "UTCDateTime": pl.Datetime("us", "UTC"),
        "BigInteger": pl.Int64,
        "FiniteNumber": pl.Float64,
        "Boolean": pl.Boolean,
    }
    columns = Entity.metadata.tables[table].columns
    return {column.name: kinds[type(column.type).__name__] for column in columns}


def collected(place: Place, table: str, **span: datetime) -> pl.DataFrame:
    found = cold_rows(place.warehouse, place.actor, table, **span)
    assert found is not None
    return found.collect().sort("id")


def test_hot_and_cold_are_what_was_hot_before(filled: tuple[Place, Things]) -> None:
    place, _ = filled
    before = {table: hot_frame(place, table) for table in TABLES}
    done = archive(place.warehouse, place.actor, "2026-03")
    assert done.rows == 3 * (len(EXECUTIONS) + 3)
    costs = before["flow_execution"].filter(pl.col("created_at") < APRIL)["total_cost"]
    assert done.cost == costs.sum()
    for table in TABLES:
        cold, hot = collected(place, table), hot_frame(place, table)
        assert cold.height == (9 if table == "payload" else 3)
        assert dict(cold.schema) == cold_types(table)
        assert pl.concat([cold, hot]).sort("id").equals(before[table]), table


def test_month_comes_back_byte_for_byte(filled: tuple[Place, Things], folder: Path) -> None:
    place, _ = filled
    before = dump(place)
    archive(place.warehouse, place.actor, "2026-03")
    left = dump(place)
    assert [len(left[table]) for table in EXECUTIONS] == [2] * len(EXECUTIONS)
    back = restore_month(place.warehouse, place.actor, "2026-03")
    assert back.rows == 3 * (len(EXECUTIONS) + 3)
    assert dump(place) == before
    assert cold_rows(place.warehouse, place.actor, "node_execution") is None
    # An erasure must not miss a copy.
    assert files(folder) == []
    with pytest.raises(NotFound, match="nothing of 2026-03 is archived"):
        restore_month(place.warehouse, place.actor, "2026-03")
    archive(place.warehouse, place.actor, "2026-03")
    assert dump(place) == left


def test_files_lie_where_tools_expect_them(filled: tuple[Place, Things], folder: Path) -> None:
    place, _ = filled
    done = archive(place.warehouse, place.actor, "2026-03")
    own = f"organization_id={place.actor.organization_id}"
    expected = [folder / "cold" / t / own / "month=2026-03" / "part-0.parquet" for t in TABLES]
    assert sorted(done.paths) == sorted(expected) == files(folder)
    assert list(folder.rglob("*.tmp")) == []
    assert done.byte_count == sum(path.stat().st_size for path in expected)
    found = pl.read_parquet(folder / "cold" / "node_execution", hive_partitioning=True)
    assert found["month"].unique().to_list() == ["2026-03"]


def test_rows_that_come_late_are_a_second_part(filled: tuple[Place, Things], folder: Path) -> None:
    place, things = filled
    archive(place.warehouse, place.actor, "2026-03")
    late = run(place, things, MARCH + timedelta(hours=1))
    before = dump(place)
    assert late in str(before["flow_execution"])
    archive(place.warehouse, place.actor, "2026-03")
    assert {path.name for path in files(folder)} == {"part-0.parquet", "part-1.parquet"}
    assert collected(place, "flow_execution").height == 4
    assert archive(place.warehouse, place.actor, "2026-03").rows == 0
    restore_month(place.warehouse, place.actor, "2026-03")
    after = dump(place)
    assert len(after["flow_execution"]) == len(before["flow_execution"]) + 3


def test_span_decides_which_months_are_opened(filled: tuple[Place, Things], folder: Path) -> None:
    place, _ = filled
    for month in ("2026-03", "2026-04"):
        archive(place.warehouse, place.actor, month)
    # What is not meant is not opened: it may even be gone.
    for path in files(folder):
        if "month=2026-04" in str(path):
            path.unlink()
    assert collected(place, "node_execution", until=APRIL).height == 3
    assert collected(place, "node_execution", since=MARCH, until=APRIL).height == 2
    assert collected(place, "node_execution", until=MARCH).height == 1
    assert (
        cold_rows(place.warehouse, place.actor, "node_execution", until=MARCH.replace(month=1))
        is None
    )
    with pytest.raises(WarehouseError, match=r"part-0\.parquet is gone"):
        cold_rows(place.warehouse, place.actor, "node_execution", since=APRIL)


def test_nothing_is_read_before_it_is_collected(filled: tuple[Place, Things], folder: Path) -> None:
    place, _ = filled
    archive(place.warehouse, place.actor, "2026-03")
    found = cold_rows(place.warehouse, place.actor, "node_execution")
    assert found is not None
    for path in files(folder):
        path.unlink()
    with pytest.raises(OSError, match="No such file"):
        found.collect()


def test_other_organisations_are_never_scanned(filled: tuple[Place, Things], folder: Path) -> None:
    place, things = filled
    other = place.elsewhere()
    theirs = made(other)
    run(other, theirs, MARCH)
    archive(place.warehouse, place.actor, "2026-03")
    if place.warehouse.dialect == "sqlite":
        assert cold_rows(other.warehouse, other.actor, "flow_execution") is None
        archive(other.warehouse, other.actor, "2026-03")
    for path in files(folder):
        if other.actor.organization_id in str(path):
            path.write_bytes(b"broken")
    mine = collected(place, "flow_execution")
    assert mine["organization_id"].unique().to_list() == [place.actor.organization_id]
    assert mine["flow_id"].unique().to_list() == [things.flow]
    with pytest.raises(WarehouseError, match="cannot read"):
        restore_month(other.warehouse, other.actor, "2026-03")
    restore_month(place.warehouse, place.actor, "2026-03")


def test_file_that_was_changed_is_not_restored(filled: tuple[Place, Things], folder: Path) -> None:
    place, _ = filled
    archive(place.warehouse, place.actor, "2026-03")
    left = dump(place)
    (path,) = [path for path in files(folder) if "/node_execution/" in str(path)]
    pl.read_parquet(path, hive_partitioning=False).with_columns(
        cost=pl.col("cost") + 1
    ).write_parquet(path)
    with pytest.raises(WarehouseError, match="is not what was archived"):
        restore_month(place.warehouse, place.actor, "2026-03")
    assert dump(place) == left


@pytest.mark.parametrize(
    ("month", "error", "told"),
    [
        ("2026-13", ValueRefused, "is no month"),
        ("March", ValueRefused, "is no month"),
        ("9999-01", OperationRefused, "is not over"),
    ],
)
def test_only_whole_months_that_are_past(
    own_place: Place, month: str, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        archive(own_place.warehouse, own_place.actor, month, "nowhere")


def test_present_month_stays(own_place: Place, tmp_path: Path) -> None:
    present = f"{datetime.now(UTC):%Y-%m}"
    with pytest.raises(OperationRefused, match=f"{present} is not over"):
        archive(own_place.warehouse, own_place.actor, present, tmp_path)


def test_month_with_a_run_that_goes_on_stays(filled: tuple[Place, Things], folder: Path) -> None:
    place, things = filled
    run(place, things, MARCH, status="running")
    before = dump(place)
    with pytest.raises(Conflict, match=r"1 runs of 2026-03 are still running"):
        archive(place.warehouse, place.actor, "2026-03")
    assert dump(place) == before
    assert files(folder) == []


def test_month_that_another_month_refers_to_stays(
    filled: tuple[Place, Things], folder: Path
) -> None:
    place, _ = filled
    parent = place.see(
        lambda s: str(
            s.execute(
                text("SELECT id FROM flow_execution WHERE created_at < :april ORDER BY id LIMIT 1"),
                {"april": APRIL if place.warehouse.dialect == "postgresql" else "2026-04"},
            ).scalar_one()
        )
    )
    row = {
        "id": derived_id(_april_id(), "metric"),
        "organization_id": place.actor.organization_id,
        "flow_execution_id": parent,
        "metric_name": "late",
        "metric_value": 1.0,
        "metric_timestamp": APRIL,
        "created_at": APRIL,
        "created_by": "test",
    }
    place.write(lambda c: insert_missing(c, "execution_metric", list(row), [tuple(row.values())]))
    with pytest.raises(Conflict, match="1 rows of execution_metric from other months refer"):
        archive(place.warehouse, place.actor, "2026-03")
    assert files(folder) == []


def _april_id() -> str:
    from tests.warehouse.months import id_at

    return id_at(APRIL)


def test_texts_that_others_need_stay(filled: tuple[Place, Things]) -> None:
    place, things = filled
    shared, item, logged, alone = put(place, "shared", "item", "logged", "alone")
    run(
        place,
        things,
        MARCH,
        input_payload_id=shared,
        output_payload_id=item,
        error_payload_id=logged,
    )
    run(place, things, MARCH, input_payload_id=alone)
    run(place, things, APRIL, input_payload_id=shared)
    _use_in_dataset(place, item)
    _use_in_log(place, logged)
    archive(place.warehouse, place.actor, "2026-03")
    there = place.see(lambda s: payloads.get_many(s, [shared, item, logged, alone]))
    assert sorted(there.values()) == ["item", "logged", "shared"]
    with pytest.raises(NotFound, match=r"is archived in 2026-03; restore it: lab\.restore_month"):
        place.see(lambda s: payloads.get(s, alone))
    with pytest.raises(NotFound, match="may have been erased"):
        place.see(lambda s: payloads.get(s, new_id()))
    restore_month(place.warehouse, place.actor, "2026-03")
    assert place.see(lambda s: payloads.get(s, alone)) == "alone"


def _use_in_dataset(place: Place, payload_id: str) -> None:
    from promptstudio_lab.warehouse.entities import Dataset, DatasetItem

    key = new_id()

    def work(session: Any) -> None:
        session.add(Dataset(id=key, prompt_lab_id=place.lab_id, name="d"))
        session.flush()
        session.add(
            DatasetItem(
                id=new_id(), dataset_id=key, item_key="1", position=0,
                content_payload_id=payload_id, added_in_version=1,
            )
        )  # fmt: skip

    place.do(work)


def _use_in_log(place: Place, payload_id: str) -> None:
    # A node whose configuration is that very text: the log keeps it under the same address.
    from tests.warehouse.parts import log, make_flow, make_node, set_fields

    flow = make_flow(place, "other")
    node = make_node(place, flow)
    log(place, flow, set_fields(node, description="logged"))
    patches = place.see(lambda s: s.execute(text("SELECT patch FROM change_log")).scalars().all())
    assert payload_id in str(patches)


def test_experiments_of_cold_runs_are_known(filled: tuple[Place, Things]) -> None:
    place, things = filled
    assert place.see(lambda s: archived_months(s, things.experiment)) == []
    archive(place.warehouse, place.actor, "2026-03")
    assert place.see(lambda s: archived_months(s, things.experiment)) == ["2026-03"]
    assert place.see(lambda s: archived_months(s, new_id())) == []
    restore_month(place.warehouse, place.actor, "2026-03")
    assert place.see(lambda s: archived_months(s, things.experiment)) == []


def test_months_are_listed_hot_and_cold(filled: tuple[Place, Things]) -> None:
    place, _ = filled
    before = months(place.warehouse, place.actor)
    archive(place.warehouse, place.actor, "2026-03")
    after = months(place.warehouse, place.actor)
    assert after.filter(where="cold")["month"].unique().to_list() == ["2026-03"]
    assert after.filter(where="hot")["month"].unique().to_list() == ["2026-04"]
    key = ["month", "table", "rows", "cost_usd"]
    executions = after.filter(pl.col("table") != "payload")
    assert executions.select(key).equals(before.select(key))
    assert (after.filter(where="cold")["bytes"] > 0).all()


def test_shared_warehouse_needs_a_folder(postgresql_place: Place, tmp_path: Path) -> None:
    place = postgresql_place
    things = made(place)
    run(place, things, MARCH)
    with pytest.raises(WarehouseUnavailable, match="give folder=…, or set PROMPTSTUDIO_COLD"):
        archive(place.warehouse, place.actor, "2026-03")
    archive(place.warehouse, place.actor, "2026-03", tmp_path)
    assert collected(place, "flow_execution").height == 1


def test_configured_folder_may_move(
    postgresql_place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = postgresql_place
    run(place, made(place), MARCH)
    (tmp_path / "one").mkdir()
    monkeypatch.setenv("PROMPTSTUDIO_COLD", str(tmp_path / "one"))
    archive(place.warehouse, place.actor, "2026-03")
    (tmp_path / "one").rename(tmp_path / "two")
    monkeypatch.setenv("PROMPTSTUDIO_COLD", str(tmp_path / "two"))
    assert collected(place, "flow_execution").height == 1
    monkeypatch.delenv("PROMPTSTUDIO_COLD")
    with pytest.raises(WarehouseUnavailable, match="set PROMPTSTUDIO_COLD to the folder"):
        cold_rows(place.warehouse, place.actor, "flow_execution")


def test_sqlite_file_moves_with_its_months(sqlite_url: str, tmp_path: Path) -> None:
    with opened(sqlite_url) as place:
        run(place, made(place), MARCH)
        archive(place.warehouse, place.actor, "2026-03")
    (tmp_path / "moved").mkdir()
    for each in list(tmp_path.iterdir()):
        if each.name != "moved":
            each.rename(tmp_path / "moved" / each.name)
    with opened(f"sqlite:///{tmp_path / 'moved' / 'warehouse.db'}") as place:
        assert collected(place, "flow_execution").height == 1


def test_copy_of_a_warehouse_does_not_overwrite_the_others_months(
    sqlite_url: str, tmp_path: Path
) -> None:
    with opened(sqlite_url) as place:
        things = made(place)
        run(place, things, MARCH)
        with place.warehouse.engine.connect() as connection:
            connection.exec_driver_sql("VACUUM INTO ?", (str(tmp_path / "copy.db"),))
        archive(place.warehouse, place.actor, "2026-03")
        before = collected(place, "flow_execution")
        with opened(f"sqlite:///{tmp_path / 'copy.db'}") as copy:
            run(copy, things, MARCH)
            archive(copy.warehouse, copy.actor, "2026-03")
            assert collected(copy, "flow_execution").height == 2
        assert collected(place, "flow_execution").equals(before)


def test_manifest_says_what_the_files_hold(filled: tuple[Place, Things]) -> None:
    place, _ = filled
    archive(place.warehouse, place.actor, "2026-03")
    entries = place.see(lambda s: [(e.table_name, e.row_count, e.total_cost) for e in live(s)])
    costs = {table: cost for table, _, cost in entries}
    assert {table for table, _, _ in entries} == set(TABLES)
    assert costs["flow_execution"] == costs["node_execution"] == costs["prompt_execution"]
    assert costs["payload"] is None


def test_viewers_archive_nothing(own_place: Place, tmp_path: Path) -> None:
    from dataclasses import replace

    viewer = replace(own_place.actor, role="viewer")
    with pytest.raises(AccessDenied, match="viewer"):
        archive(own_place.warehouse, viewer, "2026-03", tmp_path)
    assert isinstance(own_place.warehouse, Warehouse)

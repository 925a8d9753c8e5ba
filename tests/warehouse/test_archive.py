"""A month leaves the database, comes back, and is read as if it had never left."""

from __future__ import annotations

import sqlite3
from contextlib import closing
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
from promptstudio_lab.warehouse.archive import (
    archive,
    cold_rows,
    months,
    restore_month,
)
from promptstudio_lab.warehouse.archive.content import EXECUTIONS, TABLES
from promptstudio_lab.warehouse.archive.manifest import archived_months, live
from promptstudio_lab.warehouse.connect import Warehouse
from promptstudio_lab.warehouse.entities import Entity
from tests.warehouse.months import MARCH, Filled, files, id_at, made, put, run
from tests.warehouse.parts import (
    Place,
    file_of,
    log,
    make_flow,
    make_node,
    opened,
    set_fields,
)

if TYPE_CHECKING:
    from pathlib import Path


def hot_frame(place: Place, table: str) -> pl.DataFrame:
    """Return a table's rows as the database has them, with the frames' types."""
    columns = Entity.metadata.tables[table].columns
    own = place.actor.organization_id
    with place.warehouse.reading(place.actor) as session:
        query = text(f"SELECT * FROM {table} WHERE organization_id = :own")
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


def test_hot_and_cold_are_what_was_hot_before(filled: Filled) -> None:
    place = filled.place
    before = {table: hot_frame(place, table) for table in TABLES}
    done = filled.archive()
    assert done.rows == 3 * (len(EXECUTIONS) + 3)
    costs = before["flow_execution"].filter(pl.col("created_at") < filled.april)["total_cost"]
    assert done.cost == costs.sum()
    for table in TABLES:
        cold, hot = filled.cold(table), hot_frame(place, table)
        assert cold.height == (9 if table == "payload" else 3)
        assert dict(cold.schema) == cold_types(table)
        assert pl.concat([cold, hot]).sort("id").equals(before[table]), table


def test_month_comes_back_byte_for_byte(filled: Filled) -> None:
    place = filled.place
    before = filled.dump()
    filled.archive()
    left = filled.dump()
    assert [len(left[table]) for table in EXECUTIONS] == [2] * len(EXECUTIONS)
    back = filled.restore()
    assert back.rows == 3 * (len(EXECUTIONS) + 3)
    assert filled.dump() == before
    assert cold_rows(place.warehouse, place.actor, "node_execution") is None
    # An erasure must not miss a copy.
    assert filled.files() == []
    with pytest.raises(NotFound, match=f"nothing of {filled.month} is archived"):
        filled.restore()
    filled.archive()
    assert filled.dump() == left


def test_files_lie_where_tools_expect_them(filled: Filled) -> None:
    place = filled.place
    done = filled.archive()
    own = f"organization_id={place.actor.organization_id}"
    expected = [
        filled.folder / "cold" / t / own / f"month={filled.month}" / "part-0.parquet"
        for t in TABLES
    ]
    assert sorted(done.paths) == sorted(expected) == filled.files()
    assert list(filled.folder.rglob("*.tmp")) == []
    assert done.byte_count == sum(path.stat().st_size for path in expected)
    found = pl.read_parquet(filled.folder / "cold" / "node_execution", hive_partitioning=True)
    found = found.filter(pl.col("organization_id") == place.actor.organization_id)
    assert found["month"].unique().to_list() == [filled.month]


def test_rows_that_come_late_are_a_second_part(filled: Filled) -> None:
    filled.archive()
    late = filled.run(filled.march + timedelta(hours=1))
    before = filled.dump()
    assert late in str(before["flow_execution"])
    filled.archive()
    assert {path.name for path in filled.files()} == {"part-0.parquet", "part-1.parquet"}
    assert filled.cold("flow_execution").height == 4
    assert filled.archive().rows == 0
    filled.restore()
    after = filled.dump()
    assert len(after["flow_execution"]) == len(before["flow_execution"]) + 3


def test_span_decides_which_months_are_opened(filled: Filled) -> None:
    place = filled.place
    for month in (filled.month, f"{filled.april:%Y-%m}"):
        filled.archive(month)
    # What is not meant is not opened: it may even be gone.
    for path in filled.files():
        if "-04" in path.parent.name and "month" in str(path):
            path.unlink()
    assert filled.cold("node_execution", until=filled.april).height == 3
    assert filled.cold("node_execution", since=filled.march, until=filled.april).height == 2
    assert filled.cold("node_execution", until=filled.march).height == 1
    assert (
        cold_rows(
            place.warehouse, place.actor, "node_execution", until=filled.march.replace(month=1)
        )
        is None
    )
    with pytest.raises(WarehouseError, match=r"part-0\.parquet is gone"):
        cold_rows(place.warehouse, place.actor, "node_execution", since=filled.april)


def test_nothing_is_read_before_it_is_collected(filled: Filled) -> None:
    place = filled.place
    filled.archive()
    found = cold_rows(place.warehouse, place.actor, "node_execution")
    assert found is not None
    for path in filled.files():
        path.unlink()
    with pytest.raises(OSError, match="No such file"):
        found.collect()


def test_other_organisations_are_never_scanned(filled: Filled) -> None:
    place, things = filled.place, filled.things
    other = place.elsewhere()
    theirs = made(other)
    run(other, theirs, filled.march)
    filled.archive()
    if place.warehouse.dialect == "sqlite":
        assert cold_rows(other.warehouse, other.actor, "flow_execution") is None
        archive(other.warehouse, other.actor, filled.month)
    for path in files(filled.folder):
        if other.actor.organization_id in str(path):
            path.write_bytes(b"broken")
    mine = filled.cold("flow_execution")
    assert mine["organization_id"].unique().to_list() == [place.actor.organization_id]
    assert mine["flow_id"].unique().to_list() == [things.flow]
    with pytest.raises(WarehouseError, match="cannot read"):
        restore_month(other.warehouse, other.actor, filled.month)
    filled.restore()


def test_file_that_was_changed_is_not_restored(filled: Filled) -> None:
    filled.archive()
    left = filled.dump()
    (path,) = [path for path in filled.files() if "/node_execution/" in str(path)]
    pl.read_parquet(path, hive_partitioning=False).with_columns(
        cost=pl.col("cost") + 1
    ).write_parquet(path)
    with pytest.raises(WarehouseError, match="is not what was archived"):
        filled.restore()
    assert filled.dump() == left


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


def test_month_with_a_run_that_goes_on_stays(filled: Filled) -> None:
    filled.run(filled.march, status="running")
    before = filled.dump()
    with pytest.raises(Conflict, match=f"1 runs of {filled.month} are still running"):
        filled.archive()
    assert filled.dump() == before
    assert filled.files() == []


def test_month_that_another_month_refers_to_stays(filled: Filled) -> None:
    place = filled.place
    parent = filled.run(filled.march)
    row = {
        "id": derived_id(id_at(filled.april), "metric"),
        "organization_id": place.actor.organization_id,
        "flow_execution_id": parent,
        "metric_name": "late",
        "metric_value": 1.0,
        "metric_timestamp": filled.april,
        "created_at": filled.april,
        "created_by": "test",
    }
    place.write(lambda c: insert_missing(c, "execution_metric", list(row), [tuple(row.values())]))
    with pytest.raises(Conflict, match="1 rows of execution_metric from other months refer"):
        filled.archive()
    assert filled.files() == []


def test_texts_that_others_need_stay(filled: Filled) -> None:
    place, things = filled.place, filled.things
    shared, item, logged, alone = put(place, "shared", "item", "logged", "alone")
    run(
        place,
        things,
        filled.march,
        input_payload_id=shared,
        output_payload_id=item,
        error_payload_id=logged,
    )
    filled.run(filled.march, input_payload_id=alone)
    filled.run(filled.april, input_payload_id=shared)
    _use_in_dataset(place, item)
    _use_in_log(place, logged)
    filled.archive()
    there = place.see(lambda s: payloads.get_many(s, [shared, item, logged, alone]))
    assert sorted(there.values()) == ["item", "logged", "shared"]
    with pytest.raises(
        NotFound, match=f"is archived in {filled.month}; restore it: lab.restore_month"
    ):
        place.see(lambda s: payloads.get(s, alone))
    with pytest.raises(NotFound, match="may have been erased"):
        place.see(lambda s: payloads.get(s, new_id()))
    filled.restore()
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
    flow = make_flow(place, "other")
    node = make_node(place, flow)
    log(place, flow, set_fields(node, label="logged"))
    patches = place.see(lambda s: s.execute(text("SELECT patch FROM change_log")).scalars().all())
    assert payload_id in str(patches)


def test_experiments_of_cold_runs_are_known(filled: Filled) -> None:
    place, things = filled.place, filled.things
    assert place.see(lambda s: archived_months(s, things.experiment)) == []
    filled.archive()
    assert place.see(lambda s: archived_months(s, things.experiment)) == [filled.month]
    assert place.see(lambda s: archived_months(s, new_id())) == []
    filled.restore()
    assert place.see(lambda s: archived_months(s, things.experiment)) == []


def test_months_are_listed_hot_and_cold(filled: Filled) -> None:
    place = filled.place
    before = months(place.warehouse, place.actor)
    filled.archive()
    after = months(place.warehouse, place.actor)
    assert after.filter(where="cold")["month"].unique().to_list() == [filled.month]
    assert after.filter(where="hot")["month"].unique().to_list() == [f"{filled.april:%Y-%m}"]
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
        with (
            closing(sqlite3.connect(file_of(sqlite_url))) as here,
            closing(sqlite3.connect(tmp_path / "copy.db")) as there,
        ):
            here.backup(there)
        archive(place.warehouse, place.actor, "2026-03")
        before = collected(place, "flow_execution")
        with opened(f"sqlite:///{tmp_path / 'copy.db'}") as copy:
            run(copy, things, MARCH)
            archive(copy.warehouse, copy.actor, "2026-03")
            assert collected(copy, "flow_execution").height == 2
        assert collected(place, "flow_execution").equals(before)


def test_manifest_says_what_the_files_hold(filled: Filled) -> None:
    place = filled.place
    filled.archive()
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

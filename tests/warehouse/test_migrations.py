"""A warehouse of any earlier schema opens with everything that was in it, or stays as it was."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import NullPool, create_engine, inspect, text

import promptstudio_lab as ps
from promptstudio_lab.errors import (
    SchemaMismatch,
    WarehouseError,
    WarehouseUnavailable,
    WarehouseUpgraded,
)
from promptstudio_lab.ids import new_id, time_of
from promptstudio_lab.warehouse.connect import Warehouse
from promptstudio_lab.warehouse.entities import PromptFlow, PromptLab
from promptstudio_lab.warehouse.history.verify import verify
from promptstudio_lab.warehouse.rows import find
from promptstudio_lab.warehouse.schema import backup, files, migrate, security
from promptstudio_lab.warehouse.schema.files import folder, statements
from tests.servers import fresh_database
from tests.warehouse.parts import Place, file_of, finish, start

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

DATA = Path(__file__).parent / "data"
BY_MONTH = ("flow_execution", "node_execution", "node_attempt", "prompt_execution")
CRASHED = 41


@pytest.fixture
def bare(warehouse_url: str) -> Iterator[Engine]:
    """Give a plain engine on the warehouse."""
    engine = create_engine(warehouse_url, poolclass=NullPool)
    yield engine
    engine.dispose()


@pytest.fixture
def older(warehouse_url: str, bare: Engine) -> str:
    """Return the address of a warehouse that the first schema made and people worked in."""
    with bare.begin() as connection:
        fill(connection)
    return warehouse_url


def fill(connection: Connection) -> None:
    """Make the first schema with the rows of `data/schema_0001.json`."""
    dialect = connection.dialect.name
    for statement in statements(folder("sql/migrations") / dialect / "0001_first_slice.sql"):
        connection.exec_driver_sql(statement)
    connection.exec_driver_sql("CREATE VIEW v_trace AS SELECT id FROM prompt_execution")
    connection.exec_driver_sql(
        f"CREATE TABLE {migrate.VERSION_TABLE} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"
    )
    connection.exec_driver_sql(f"INSERT INTO {migrate.VERSION_TABLE} VALUES ('0001')")
    for table, rows in kept().items():
        flags = flags_of(connection, table)
        for row in rows:
            values = {**row, **{name: bool(row[name]) for name in flags if row[name] is not None}}
            names, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
            connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({marks})"), values)


def kept() -> dict[str, list[dict[str, Any]]]:  # rows of all tables
    found: dict[str, list[dict[str, Any]]] = json.loads((DATA / "schema_0001.json").read_text())
    return found


def flags_of(connection: Connection, table: str) -> set[str]:
    if connection.dialect.name == "sqlite":
        return set()
    columns = inspect(connection).get_columns(table)
    return {column["name"] for column in columns if str(column["type"]) == "BOOLEAN"}


def upgraded(url: str) -> Warehouse:
    """Open an older warehouse in the way of its engine."""
    if url.startswith("postgresql"):
        return Warehouse(url, upgrade=True)
    with pytest.warns(WarehouseUpgraded, match="upgraded from schema 0001 to 0010"):
        return Warehouse(url)


def test_every_row_of_the_first_schema_is_there_afterwards(older: str, bare: Engine) -> None:
    upgraded(older).close()
    with bare.connect() as connection:
        for table, rows in kept().items():
            found = connection.execute(text(f"SELECT * FROM {table}")).mappings().all()
            by_id = {str(row["id"]): row for row in found}
            assert sorted(by_id) == sorted(row["id"] for row in rows), table
            for row in rows:
                new = by_id[row["id"]]
                # What is counted from runs now is no column any more.
                for name in set(row) - {"created_at", "sort_order", "hash", "exposure_count"}:
                    if name.endswith(("_at", "_until")):
                        assert moment(new[name]) == moment(row[name])
                    else:
                        assert plain(new[name]) == plain(row[name]), (table, name)


def test_what_ran_before_is_added_up_by_unit(older: str, bare: Engine) -> None:
    upgraded(older).close()
    counted = (
        "SELECT count(*), count(DISTINCT unit_key), sum(total_cost) FROM flow_execution "
        "WHERE experiment_id IS NOT NULL AND status IN ('succeeded', 'failed', 'partial')"
    )
    kept = "SELECT sum(runs), count(DISTINCT unit_key), sum(cost) FROM experiment_unit"
    with bare.connect() as connection:
        found, expected = (connection.execute(text(query)).one() for query in (kept, counted))
    assert tuple(map(int, found)) == tuple(map(int, expected))
    assert found[0] > 0


def moment(value: Any) -> Any:  # a text or a time
    return value.isoformat()[:26] if isinstance(value, datetime) else value and value[:26]


def plain(value: object) -> object:
    if isinstance(value, (dict, list)):
        return json.dumps(value, sort_keys=True, separators=(",", ":"))
    return value if value is None or isinstance(value, (int, float, str)) else str(value)


def test_executions_carry_the_moment_of_their_id(older: str, bare: Engine) -> None:
    upgraded(older).close()
    with bare.connect() as connection:
        for table in BY_MONTH:
            for key, created in connection.execute(text(f"SELECT id, created_at FROM {table}")):
                assert moment(created) == moment(time_of(str(key))), table


def test_an_upgraded_warehouse_goes_on(older: str) -> None:
    upgraded(older).close()
    lab = ps.connect(older, user="ada")
    try:
        flow = lab.flow("support/triage")
        assert len(flow.graph_now.nodes) == len(flow.graph_now.edges) + 1
        assert lab.runs().height == 13
        assert lab.trace("support/classify")["calls"].sum() == 12
        assert flow.run(ticket="I was charged twice").outputs["label"]
        assert lab.runs().height == 14
    finally:
        lab.warehouse.close()


def test_the_log_of_an_upgraded_warehouse_verifies(older: str) -> None:
    upgraded(older).close()
    lab = ps.connect(older, user="ada")
    try:
        with lab.warehouse.reading(lab.actor) as session:
            found = verify(session)
        assert found.ok
        assert found.operations == len(kept()["change_log"])
    finally:
        lab.warehouse.close()


def shape(engine: Engine) -> list[tuple[object, ...]]:
    """Return the columns, rules and indexes of every table, whatever the order of columns."""
    found = inspect(engine)
    return [
        (
            table,
            sorted(
                (column["name"], str(column["type"]), column["nullable"], str(column["default"]))
                for column in found.get_columns(table)
            ),
            *(
                sorted(str(each["name"]) + str(each.get("column_names")) for each in kind(table))
                for kind in (
                    found.get_foreign_keys,
                    found.get_unique_constraints,
                    found.get_check_constraints,
                    found.get_indexes,
                )
            ),
        )
        for table in sorted(found.get_table_names())
    ]


def test_the_upgraded_schema_is_the_fresh_one(older: str, bare: Engine, empty_url: str) -> None:
    upgraded(older).close()
    Warehouse(empty_url).close()
    fresh = create_engine(empty_url, poolclass=NullPool)
    assert shape(bare) == shape(fresh)


@pytest.fixture
def empty_url(
    warehouse_engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[str]:
    """Give the address of a second warehouse, which is empty."""
    if warehouse_engine == "sqlite":
        yield f"sqlite:///{tmp_path / 'fresh.db'}"
        return
    with fresh_database(request.getfixturevalue("postgresql_server")) as url:
        yield url.render_as_string(hide_password=False)


def test_a_server_is_upgraded_only_when_it_is_asked_for(older: str, bare: Engine) -> None:
    if bare.dialect.name == "sqlite":
        upgraded(older).close()
        return
    with pytest.raises(SchemaMismatch, match=r"has schema 0001.*promptstudio upgrade postgresql"):
        Warehouse(older)
    assert version(bare) == "0001"


def version(engine: Engine) -> str:
    with engine.connect() as connection:
        return str(connection.execute(text(f"SELECT * FROM {migrate.VERSION_TABLE}")).scalar_one())


def test_the_file_is_kept_as_it_was_before_the_upgrade(sqlite_url: str) -> None:
    engine = create_engine(sqlite_url, poolclass=NullPool)
    with engine.begin() as connection:
        fill(connection)
    upgraded(sqlite_url).close()
    path = file_of(sqlite_url)
    (copy,) = path.parent.glob(f"{path.name}.before-0010-*")
    assert version(create_engine(f"sqlite:///{copy}", poolclass=NullPool)) == "0001"
    with closing(sqlite3.connect(copy)) as before:
        assert before.execute("SELECT count(*) FROM node_execution").fetchone() == (39,)


def test_what_cannot_be_backed_up_is_not_upgraded(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = create_engine(sqlite_url, poolclass=NullPool)
    with engine.begin() as connection:
        fill(connection)
    full = sqlite3.OperationalError("database or disk is full")

    def fails(*_: object) -> None:
        raise full

    monkeypatch.setattr(backup, "closing", fails)
    with pytest.raises(WarehouseError, match=r"cannot back up .* so it stays as it is: .* full"):
        Warehouse(sqlite_url)
    assert version(engine) == "0001"


def stop_after(count: int) -> Any:  # stands for files.statements
    found = files.statements

    def some(file: Path) -> Iterator[str]:
        done = found(file)
        yield from done if "0002" not in file.name else done[:count]
        if "0002" in file.name:
            os._exit(CRASHED)

    return some


def die_in_upgrade(url: str, count: int) -> None:
    files.statements = stop_after(count)
    Warehouse(url, upgrade=True)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9, 1.0])
def test_a_crash_in_the_upgrade_leaves_the_old_warehouse(
    older: str, bare: Engine, share: float
) -> None:
    file = folder("sql/migrations") / bare.dialect.name / "0002_shared_warehouse.sql"
    point = int(share * len(statements(file)))
    assert finish([start(die_in_upgrade, older, point)]) == [CRASHED]
    assert version(bare) == "0001"
    with bare.connect() as connection:
        for table, rows in kept().items():
            found = connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
            assert found == len(rows), table
    upgraded(older).close()
    assert version(bare) == "0010"


def test_what_a_fork_remembers_of_its_merges_loses_its_texts(
    warehouse_url: str, bare: Engine
) -> None:
    lab = ps.connect(warehouse_url)
    flow = lab.flow("support/triage")
    flow.input("ticket", "text")
    flow.fork("support/mine")
    flow.fork("support/untouched")
    lab.warehouse.close()
    places = [["config", "n", "system", "Ada"], ["policy", "n", "cache", None]]
    others = [["kind", "n", "", ["llm", 1]], ["in", "n", "t", None], ["kind", "gone", "", None]]
    merges = [{"seq": 3, "changed": [*places, *others]}, {"seq": 9, "changed": []}]
    with bare.begin() as connection:
        one = connection.execute(text("SELECT id FROM flow_fork")).scalars().first()
        connection.execute(
            text("UPDATE flow_fork SET merged = :merged WHERE id = :one"),
            {"merged": json.dumps({"merges": merges}), "one": one},
        )
        file = folder("sql/migrations") / bare.dialect.name / "0008_merged_places.sql"
        if bare.dialect.name == "postgresql":
            security.release(connection)
        for statement in statements(file):
            connection.exec_driver_sql(statement)
        found = connection.execute(text("SELECT id, merged FROM flow_fork")).all()
    after = {row.id: row.merged for row in found}
    (kept,) = (json.loads(each) if isinstance(each, str) else each for each in [after.pop(one)])
    short = [["config", "n", "system"], ["policy", "n", "cache"]]
    assert kept == {"merges": [{"seq": 3, "changed": [*short, *others]}, {"seq": 9, "changed": []}]}
    assert list(after.values()) == [None]


def from_the_future(engine: Engine, readable_from: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {migrate.VERSION_TABLE} SET version_num = '9999'"))
        connection.execute(text(f"UPDATE warehouse_info SET readable_from = '{readable_from}'"))
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA user_version=9999")


def test_a_newer_schema_that_can_be_read_is_opened_for_reading(
    warehouse_url: str, bare: Engine
) -> None:
    lab = ps.connect(warehouse_url)
    lab.flow("support/triage")
    lab.warehouse.close()
    from_the_future(bare, "0010")
    with closing(Warehouse(warehouse_url)) as warehouse:
        assert "schema 9999, which is newer than this version's 0010" in str(warehouse.read_only)
        with warehouse.reading(lab.actor) as session:
            assert [row.name for row in find(session, PromptFlow)] == ["triage"]
        with pytest.raises(WarehouseUnavailable, match=r"open for reading only: .* newer"):
            warehouse.transact(lab.actor, lambda session: session.flush())
        with pytest.raises(WarehouseUnavailable, match="open for reading only"):
            warehouse.append(lab.actor, print)


def test_a_kernel_stops_writing_when_the_schema_moves_under_it(
    own_place: Place, bare: Engine
) -> None:
    from_the_future(bare, "0010")
    with pytest.raises(SchemaMismatch, match="has moved since this process opened it with 0010"):
        own_place.do(lambda session: session.add(PromptLab(id=new_id(), name="late")))
    with pytest.raises(SchemaMismatch, match="restart the kernel"):
        own_place.write(print)
    with bare.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM prompt_lab")).scalar_one() == 1

"""The migrated database is the entities, on both engines, and opening it never spoils anything."""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import NullPool, create_engine, inspect, text

from promptstudio_lab.errors import SchemaMismatch
from promptstudio_lab.warehouse.connect import Warehouse
from promptstudio_lab.warehouse.entities import Entity
from promptstudio_lab.warehouse.queries.views import views
from promptstudio_lab.warehouse.schema import migrate
from promptstudio_lab.warehouse.schema.ddl import schema_sql
from promptstudio_lab.warehouse.schema.files import folder, statements
from tests.warehouse.parts import file_of, finish, processes, start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.synchronize import Barrier
    from pathlib import Path

    from sqlalchemy import Connection, Engine, Inspector

NOBODYS = {"organization", "warehouse_info", migrate.VERSION_TABLE}
NAMED = {
    "ix_flow_execution_flow_id_status": ["flow_id", "status"],
    "ix_flow_execution_created_at_cost": ["created_at", "total_cost"],
    "ix_node_execution_template_id_version": ["prompt_template_id", "template_version"],
    "ix_node_execution_node_id_performance": ["node_id", "execution_time_ms", "cost"],
    "ix_execution_metric_name_timestamp": ["metric_name", "metric_timestamp"],
}
VIEWS = {view.name for view in views()}
INDEXED = ("flow_execution", "node_execution", "execution_metric")
CRASHED = 41


def is_month(*names: object) -> bool:
    """Tell whether one of the names is of a partition of one month, or of something in it."""
    return any(re.search(r"_p\d{8}", str(name)) for name in names)


def refers_to(difference: Any) -> object:  # one of Alembic's tuples, or a list of them
    key = difference[1] if difference[0] == "remove_fk" else None
    return key and [element.target_fullname for element in key.elements]


@pytest.fixture
def bare(warehouse_url: str) -> Iterator[Engine]:
    """Give a plain engine on the empty warehouse."""
    engine = create_engine(warehouse_url, poolclass=NullPool)
    yield engine
    engine.dispose()


def open_once(url: str) -> str:
    with closing(Warehouse(url)) as warehouse:
        return warehouse.id


def everything(engine: Engine) -> list[tuple[object, ...]]:
    """Return the definition of every table, view and index, and the rows that say the version."""
    with engine.connect() as connection:
        version = connection.execute(text(f"SELECT * FROM {migrate.VERSION_TABLE}")).all()
        info = connection.execute(text("SELECT * FROM warehouse_info")).all()
        return [*definitions(connection, "public"), *map(tuple, [*version, *info])]


def definitions(connection: Connection, schema: str) -> list[tuple[object, ...]]:
    if connection.dialect.name == "sqlite":
        query = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
        # A table that was rebuilt carries its name in quotes.
        return [
            tuple(cell.replace('"', "") if cell else cell for cell in row)
            for row in connection.execute(text(query))
        ]
    query = """
        SELECT 'column' AS what, table_name, column_name,
            concat_ws(' ', data_type, is_nullable, column_default) AS how
        FROM information_schema.columns WHERE table_schema = :schema
        UNION ALL SELECT 'constraint', conrelid::regclass::text, conname,
            pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = :schema ::regnamespace
        UNION ALL SELECT 'index', tablename, indexname, indexdef
        FROM pg_indexes WHERE schemaname = :schema
        ORDER BY 1, 2, 3, 4
    """
    rows = connection.execute(text(query), {"schema": schema})
    return [tuple(str(part).replace(f"{schema}.", "") for part in row) for row in rows]


def tenant_tables(inspector: Inspector) -> list[str]:
    return sorted(set(inspector.get_table_names()) - NOBODYS)


def test_migrated_database_is_the_entities(warehouse_url: str, bare: Engine) -> None:
    open_once(warehouse_url)
    with bare.connect() as connection:
        # Defaults are compared as text, two tests below: Alembic mistakes SQLite's empty one.
        options = {
            "version_table": migrate.VERSION_TABLE,
            "compare_type": True,
            "include_name": lambda name, _, parents: (
                not is_month(parents.get("table_name") or name)
            ),
        }
        context = MigrationContext.configure(connection, opts=options)
        found = compare_metadata(context, Entity.metadata)
    # PostgreSQL repeats a reference to a partitioned table for each of its months.
    assert [difference for difference in found if not is_month(refers_to(difference))] == []


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_committed_schema_is_the_entities(dialect: str) -> None:
    committed = folder("sql/schema") / f"{dialect}.sql"
    assert committed.read_text(encoding="utf-8") == schema_sql(dialect)


def test_migrations_make_the_committed_schema(warehouse_url: str, bare: Engine) -> None:
    open_once(warehouse_url)
    committed = statements(folder("sql/schema") / f"{bare.dialect.name}.sql")
    other = create_engine("sqlite://") if bare.dialect.name == "sqlite" else bare
    with other.begin() as connection:
        if bare.dialect.name == "postgresql":
            connection.execute(text("CREATE SCHEMA plain"))
            connection.execute(text("SET LOCAL search_path = plain"))
        for statement in committed:
            connection.exec_driver_sql(statement)
        expected = definitions(connection, "plain")
    with bare.connect() as connection:
        found = definitions(connection, "public")
    other.dispose()
    extra = {*VIEWS, migrate.VERSION_TABLE, f"{migrate.VERSION_TABLE}_pkc"}
    assert [row for row in found if not extra & {*row} and not is_month(*row)] == expected
    assert len(expected) > 20


def test_every_row_belongs_to_an_organisation(warehouse_url: str, bare: Engine) -> None:
    open_once(warehouse_url)
    inspector = inspect(bare)
    tables = tenant_tables(inspector)
    assert "flow_execution" in tables
    for table in tables:
        (column,) = (c for c in inspector.get_columns(table) if c["name"] == "organization_id")
        assert not column["nullable"], table


def test_keys_and_references_begin_with_the_organisation(warehouse_url: str, bare: Engine) -> None:
    open_once(warehouse_url)
    inspector = inspect(bare)
    seen = 0
    for table in tenant_tables(inspector):
        lists: list[list[Any]] = [  # column names; an expression has none
            *(key["column_names"] for key in inspector.get_unique_constraints(table)),
            *(key["column_names"] for key in inspector.get_indexes(table) if key["unique"]),
            *(key["constrained_columns"] for key in inspector.get_foreign_keys(table)),
        ]
        assert all(columns[0] == "organization_id" for columns in lists), table
        for key in inspector.get_foreign_keys(table):
            own = key["referred_columns"][0] == "organization_id"
            assert own or key["referred_table"] == "organization", (table, key)
        seen += len(lists)
    assert seen > 80


def test_named_indexes_exist(warehouse_url: str, bare: Engine) -> None:
    open_once(warehouse_url)
    found = {
        index["name"]: index["column_names"]
        for table in INDEXED
        for index in inspect(bare).get_indexes(table)
    }
    assert found.items() >= NAMED.items()


def test_sqlite_tables_are_strict(sqlite_url: str) -> None:
    open_once(sqlite_url)
    with closing(sqlite3.connect(file_of(sqlite_url))) as connection:
        rows = connection.execute("PRAGMA table_list").fetchall()
    loose = {name for _, name, kind, _, _, strict in rows if kind == "table" and not strict}
    assert loose <= {"sqlite_schema", "sqlite_temp_schema", migrate.VERSION_TABLE}


def test_views_answer(warehouse_url: str, bare: Engine) -> None:
    open_once(warehouse_url)
    assert set(inspect(bare).get_view_names()) == VIEWS
    with bare.connect() as connection:
        for view in sorted(VIEWS):
            assert connection.execute(text(f"SELECT * FROM {view}")).all() == []


def test_views_ask_for_the_readers_own_rights(postgresql_url: str) -> None:
    open_once(postgresql_url)
    with create_engine(postgresql_url, poolclass=NullPool).connect() as connection:
        query = (
            "SELECT relname, reloptions FROM pg_class WHERE relkind = 'v' AND relname LIKE 'v\\_%'"
        )
        found = {row.relname: row.reloptions for row in connection.execute(text(query))}
    assert found == {view: ["security_invoker=true"] for view in VIEWS}


def test_opening_twice_changes_nothing(warehouse_url: str, bare: Engine) -> None:
    first = open_once(warehouse_url)
    before = everything(bare)
    assert open_once(warehouse_url) == first
    assert everything(bare) == before


def test_two_warehouses_are_not_the_same(tmp_path: Path) -> None:
    ids = {open_once(f"sqlite:///{tmp_path / name}") for name in ("a.db", "b.db")}
    assert len(ids) == 2


def open_together(url: str, gate: Barrier) -> None:
    gate.wait()
    Warehouse(url).close()


def test_processes_may_open_an_empty_warehouse_at_once(warehouse_url: str, bare: Engine) -> None:
    gate = processes.Barrier(3)
    running = [start(open_together, warehouse_url, gate) for _ in range(3)]
    assert finish(running) == [0, 0, 0]
    with bare.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM warehouse_info")).scalar() == 1


def test_newer_schema_is_refused_and_left_alone(warehouse_url: str, bare: Engine) -> None:
    open_once(warehouse_url)
    with bare.begin() as connection:
        connection.execute(text(f"UPDATE {migrate.VERSION_TABLE} SET version_num = '9999'"))
        connection.execute(text("UPDATE warehouse_info SET readable_from = '9000'"))
    before = everything(bare)
    with pytest.raises(SchemaMismatch, match=r"schema 9999.*pip install --upgrade"):
        Warehouse(warehouse_url)
    assert everything(bare) == before


def die_in_migration(url: str) -> None:
    done = statements(folder("sql/migrations") / "sqlite" / "0001_first_slice.sql")

    def half(file: Path) -> Iterator[str]:
        found = statements(file)
        yield from found[: len(done) // 2]
        os._exit(CRASHED)

    # Alembic loads the revision afresh, and takes the name from there.
    from promptstudio_lab.warehouse.schema import files

    files.statements = half  # type: ignore[assignment]  # a fault
    Warehouse(url)


def test_crash_in_the_migration_leaves_nothing(warehouse_url: str, bare: Engine) -> None:
    assert finish([start(die_in_migration, warehouse_url)]) == [CRASHED]
    assert inspect(bare).get_table_names() == []
    open_once(warehouse_url)
    assert set(inspect(bare).get_view_names()) == VIEWS


def test_views_of_others_are_left_alone(warehouse_url: str, bare: Engine) -> None:
    with bare.begin() as connection:
        connection.execute(text("CREATE VIEW v_sales AS SELECT 1 AS one"))
    open_once(warehouse_url)
    assert "v_sales" in inspect(bare).get_view_names()

"""Bringing a database to the schema of this version: created when empty, upgraded when older.

Each revision's SQL lies in `sql/migrations`, one file a dialect, and is never edited once merged.
Views, functions and row security are derived, so they are made anew whenever the schema moves.

A SQLite file is backed up and upgraded when it is opened. A PostgreSQL server is others' too, so
there an upgrade is asked for: `promptstudio upgrade`. A newer schema is opened for reading if it
says that this version reads it right.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlalchemy.exc import ProgrammingError

from promptstudio_lab.errors import AccessDenied, SchemaMismatch, WarehouseError, WarehouseUpgraded
from promptstudio_lab.ids import new_id
from promptstudio_lab.warehouse.engines.sqlite import SqliteFile
from promptstudio_lab.warehouse.schema import security
from promptstudio_lab.warehouse.schema.backup import back_up
from promptstudio_lab.warehouse.schema.files import folder, statements

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

    from alembic.runtime.migration import MigrationContext
    from sqlalchemy import Connection

    from promptstudio_lab.warehouse.engines.postgresql import PostgresDatabase

VERSION_TABLE = "promptstudio_alembic_version"
_ADVISORY_LOCK = 7_052_026
_NO_PRIVILEGE = "42501"
_MONTHS_AHEAD = 3


@dataclass(frozen=True, slots=True)
class Opened:
    """What opening a warehouse found.

    Attributes:
        id: the warehouse's identity.
        revision: its schema.
        read_only: why nothing may be written, or None.
    """

    id: str
    revision: str
    read_only: str | None = None


def migrate(database: SqliteFile | PostgresDatabase, *, upgrade: bool = False) -> Opened:
    """Make the schema current where that is this process's to do, in one transaction.

    Args:
        database: the engine.
        upgrade: whether to upgrade a PostgreSQL warehouse.

    Raises:
        AccessDenied: if this login of PostgreSQL works in no organisation.
        SchemaMismatch: if a newer version of the product made the warehouse, or an older one made
            it on a server and `upgrade` is not asked for.
    """
    try:
        with database.engine.connect() as connection:
            found = _read(connection)
    except ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) != _NO_PRIVILEGE:
            raise
        message = (
            f"{database.login} works in no organisation of this warehouse. Its owner lets it in: "
            f"promptstudio analyst add {database.login}"
        )
        raise AccessDenied(message) from None
    script = _script()
    newest = str(script.get_current_head())
    if found is not None and found[0] != newest:
        known = {revision.revision for revision in script.walk_revisions()}
        if found[0] not in known:
            return _from_the_future(found, newest)
        if database.name == "postgresql" and not upgrade:
            message = (
                f"the warehouse has schema {found[0]}, and this version works with {newest}. Its "
                "owner upgrades it, after a backup: promptstudio upgrade postgresql://…"
            )
            raise SchemaMismatch(message)
    if found is None or found[0] != newest:
        _move(database, script, newest)
        with database.engine.connect() as connection:
            found = _read(connection)
    if found is None:
        message = "the schema was made, and is gone again"
        raise WarehouseError(message)
    if not isinstance(database, SqliteFile):
        _look_ahead(database)
    return Opened(found[1], newest)


def head() -> str:
    """Return the revision of this version's schema."""
    return str(_script().get_current_head())


def _from_the_future(found: tuple[str, str, str | None], newest: str) -> Opened:
    version, key, readable_from = found
    told = f"the warehouse has schema {version}, which is newer than this version's {newest}"
    if readable_from is None or readable_from > newest:
        message = f"{told}. Upgrade: pip install --upgrade promptstudio-lab"
        raise SchemaMismatch(message)
    return Opened(key, version, f"{told}; to write, pip install --upgrade promptstudio-lab")


def _read(connection: Connection) -> tuple[str, str, str | None] | None:
    """Return (revision, warehouse id, oldest revision that reads it), or None when empty."""
    found = inspect(connection)
    if not found.has_table("warehouse_info"):
        return None
    columns = {column["name"] for column in found.get_columns("warehouse_info")}
    since = "readable_from" if "readable_from" in columns else "NULL"
    row = connection.execute(
        text(f"SELECT version_num, id, {since} FROM {VERSION_TABLE}, warehouse_info")
    ).one_or_none()
    return (str(row[0]), str(row[1]), row[2]) if row else None


def _move(database: SqliteFile | PostgresDatabase, script: ScriptDirectory, newest: str) -> None:
    saved: Path | None = None
    older: str | None = None
    with database.writing() as connection, _unreferenced(connection):
        if isinstance(database, SqliteFile):
            # Nobody else writes now; whoever waited finds the work done.
            raw = _raw(connection)
            older = _revision_of(raw)
            if older == newest:
                return
            saved = back_up(raw, database.path, newest) if older else None
        with _alone(connection):
            here = _read(connection)
            if here is None or here[0] != newest:
                _upgrade(connection, script, newest)
    if saved is not None:
        message = (
            f"{saved.name.partition('.before')[0]} was upgraded from schema {older} to {newest}; "
            f"as it was before, the warehouse is kept in {saved}"
        )
        warnings.warn(message, WarehouseUpgraded, stacklevel=4)


def _raw(connection: Connection) -> sqlite3.Connection:
    raw: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]  # of the one driver for SQLite
    return raw


def _revision_of(raw: sqlite3.Connection) -> str | None:
    there = raw.execute("SELECT count(*) FROM sqlite_master WHERE name = ?", (VERSION_TABLE,))
    if not there.fetchone()[0]:
        return None
    row = raw.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone()
    return str(row[0]) if row else None


@contextmanager
def _unreferenced(connection: Connection) -> Iterator[None]:
    """Let SQLite rebuild tables that others refer to: it can alter a table by no other way."""
    if connection.dialect.name != "sqlite":
        yield
        return
    raw = _raw(connection)
    raw.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        raw.execute("PRAGMA foreign_keys=ON")


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    with connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
        yield


def _script() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(folder("revisions")))
    config.set_main_option("path_separator", "os")
    return ScriptDirectory.from_config(config)


def _upgrade(connection: Connection, script: ScriptDirectory, newest: str) -> None:
    config = Config()

    def steps(revision: tuple[str, ...], context: MigrationContext) -> list[object]:  # noqa: ARG001 — Alembic's signature
        return list(script._upgrade_revs("head", revision))  # type: ignore[arg-type]  # noqa: SLF001 — Alembic types and names this for itself; its own env.py calls it so

    _drop_views(connection)
    security.make_functions(connection)
    if connection.dialect.name == "postgresql":
        security.release(connection)
    with EnvironmentContext(config, script, fn=steps, destination_rev="head") as environment:
        environment.configure(
            connection=connection, version_table=VERSION_TABLE, transactional_ddl=False
        )
        environment.run_migrations()
    _make_views(connection)
    if connection.dialect.name == "postgresql":
        security.secure(connection)
    else:
        _check_references(connection)
        # One number in the file's first page tells every transaction whether the schema moved.
        connection.exec_driver_sql(f"PRAGMA user_version={int(newest)}")
    connection.execute(
        text(
            "INSERT INTO warehouse_info (id, single) VALUES (:id, 1) "
            "ON CONFLICT (single) DO NOTHING"
        ),
        {"id": new_id()},
    )


def _check_references(connection: Connection) -> None:
    lost = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if lost is not None:
        message = f"the upgrade would leave {lost[0]} with a row that refers to nothing; not done"
        raise WarehouseError(message)


def _look_ahead(database: PostgresDatabase) -> None:
    """Make the partitions of the next months, if this login may."""
    with database.engine.connect() as connection, _alone(connection):
        if connection.scalar(text(_MAY_MAKE)):
            connection.execute(text(_MAKE), {"ahead": _MONTHS_AHEAD})
            foreseen = connection.execute(text(_FORESEEN), {"after": _MONTHS_AHEAD + 1}).one()
            database.engine.update_execution_options(months=tuple(map(str, foreseen)))


_MAY_MAKE = "SELECT has_function_privilege('promptstudio_make_partitions(timestamptz)', 'EXECUTE')"
_MAKE = """
SELECT sum(promptstudio_make_partitions(date_trunc('month', now(), 'UTC') + n * interval '1 month'))
FROM generate_series(0, :ahead) AS n
"""
_FORESEEN = """
SELECT promptstudio_lowest_id(date_trunc('month', now(), 'UTC')),
    promptstudio_lowest_id(date_trunc('month', now(), 'UTC') + :after * interval '1 month')
"""


def _drop_views(connection: Connection) -> None:
    # Other people's views stay; ours go in the reverse order of their making.
    for name in reversed([name for name, _ in _views()]):
        connection.execute(text(f"DROP VIEW IF EXISTS {name}"))


def _views() -> list[tuple[str, str]]:
    """Return (name, query) of each view; a file's number says where it stands in the order."""
    files = sorted(folder("sql/views").glob("*.sql"))
    return [(file.stem.split("_", 1)[1], statements(file)[0]) for file in files]


def _make_views(connection: Connection) -> None:
    guard = "WITH (security_invoker=true) " if connection.dialect.name == "postgresql" else ""
    for name, query in _views():
        connection.exec_driver_sql(f"CREATE VIEW {name} {guard}AS {query}")

"""Bringing a database to the schema of this version: created when empty, upgraded when older.

Each revision's SQL lies in `sql/migrations`, one file a dialect, and is never edited once merged.
Views are derived, so they are made anew from `sql/views` whenever the schema moves.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from promptstudio_lab.errors import SchemaMismatch
from promptstudio_lab.ids import new_id
from promptstudio_lab.warehouse.schema.files import folder, statements

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alembic.runtime.migration import MigrationContext
    from sqlalchemy import Connection

    from promptstudio_lab.warehouse.engines.postgresql import PostgresDatabase
    from promptstudio_lab.warehouse.engines.sqlite import SqliteFile

VERSION_TABLE = "promptstudio_alembic_version"
_ADVISORY_LOCK = 7_052_026


def migrate(database: SqliteFile | PostgresDatabase) -> str:
    """Make the schema current, in one transaction, and return the warehouse's id.

    Raises:
        SchemaMismatch: if a newer version of the product made the warehouse.
    """
    found = _read(database)
    script = _script()
    if found and found[0] == script.get_current_head():
        return found[1]
    with database.writing() as connection, _alone(connection):
        _upgrade(connection, script)
        return str(connection.execute(text("SELECT id FROM warehouse_info")).scalar_one())


def head() -> str:
    """Return the revision of this version's schema."""
    return str(_script().get_current_head())


def _read(database: SqliteFile | PostgresDatabase) -> tuple[str, str] | None:
    with database.engine.connect() as connection:
        if not inspect(connection).has_table("warehouse_info"):
            return None
        row = connection.execute(
            text(f"SELECT version_num, id FROM {VERSION_TABLE}, warehouse_info")  # noqa: S608 — a constant
        ).one_or_none()
    return (str(row[0]), str(row[1])) if row else None


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


def _upgrade(connection: Connection, script: ScriptDirectory) -> None:
    known = {revision.revision for revision in script.walk_revisions()}
    config = Config()

    def steps(revision: tuple[str, ...], context: MigrationContext) -> list[object]:  # noqa: ARG001 — Alembic's signature
        unknown = [number for number in revision if number not in known]
        if unknown:
            message = (
                f"the warehouse has schema {unknown[0]}, which this version does not know. "
                "Upgrade: pip install --upgrade promptstudio-lab"
            )
            raise SchemaMismatch(message)
        return list(script._upgrade_revs("head", revision))  # type: ignore[arg-type]  # noqa: SLF001 — Alembic types and names this for itself; its own env.py calls it so

    with EnvironmentContext(config, script, fn=steps, destination_rev="head") as environment:
        environment.configure(
            connection=connection, version_table=VERSION_TABLE, transactional_ddl=False
        )
        _drop_views(connection)
        environment.run_migrations()
        _make_views(connection)
    connection.execute(
        text(
            "INSERT INTO warehouse_info (id, single) VALUES (:id, 1) "
            "ON CONFLICT (single) DO NOTHING"
        ),
        {"id": new_id()},
    )


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

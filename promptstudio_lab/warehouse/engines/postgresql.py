"""How PostgreSQL is opened: UTC, and commits that survive a crash."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError

from promptstudio_lab.errors import WarehouseUnavailable
from promptstudio_lab.ids import is_id
from promptstudio_lab.warehouse.engines import moved

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import URL, Connection

_LOWEST = (15, 0)
# Until the transaction ends: a connection that goes back to its pool is nobody's again.
# Whoever owns the tables, or may do anything; an empty database is its maker's.
_WHO = text(
    "SELECT session_user::text, NOT EXISTS (SELECT FROM pg_class WHERE "
    "oid = to_regclass('organization') AND pg_get_userbyid(relowner) <> session_user) "
    "OR (SELECT rolsuper FROM pg_roles WHERE rolname = session_user)"
)
_BIND = text(
    "SELECT set_config('promptstudio.organization_id', :organization_id, true), "
    "(SELECT version_num FROM promptstudio_alembic_version) AS revision"
)


class PostgresDatabase:
    """One PostgreSQL database as a warehouse.

    Args:
        url: a `postgresql://` URL.

    Raises:
        WarehouseUnavailable: if the driver is missing, nothing answers, or the server is too old.
    """

    name = "postgresql"

    def __init__(self, url: URL) -> None:
        """Connect once, so that a wrong address is told at once."""
        self.login, self.owned = "", False
        self.revision: str | None = None
        self._shown = url.render_as_string(hide_password=True)
        try:
            self.engine: Engine = create_engine(
                url.set(drivername="postgresql+psycopg"),
                hide_parameters=True,
                pool_pre_ping=True,
                connect_args={"options": "-c timezone=UTC"},
            )
        except ModuleNotFoundError:
            message = "PostgreSQL needs its driver: pip install 'promptstudio-lab[postgres]'"
            raise WarehouseUnavailable(message) from None
        event.listen(self.engine, "connect", _json_as_text)
        self.readers = self.engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        try:
            with self.engine.connect() as connection:
                version = connection.dialect.server_version_info or (0,)
                self.login, self.owned = connection.execute(_WHO).one()
        except OperationalError as error:
            message = (
                f"cannot reach {url.render_as_string(hide_password=True)}: {_one_line(error.orig)}"
            )
            raise WarehouseUnavailable(message) from None
        if version < _LOWEST:
            found = ".".join(map(str, version))
            message = f"PostgreSQL {found} is too old: 15 is the first that can guard its views"
            raise WarehouseUnavailable(message)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection for one unit of work."""
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees one state and cannot write."""
        with self.readers.connect() as connection:
            yield connection

    def bind(self, connection: Connection, organization_id: str) -> None:
        """Say for which organisation the present transaction acts; row security reads it.

        Raises:
            SchemaMismatch: if another process has moved the schema since this one opened it.
        """
        known = organization_id if is_id(organization_id) else ""
        found = connection.execute(_BIND, {"organization_id": known}).one()
        if self.revision is not None and found.revision != self.revision:
            raise moved(self._shown, self.revision)

    def reopen(self) -> None:
        """Do nothing: no other program can replace a server's log."""

    def close(self) -> None:
        """Let every connection go."""
        self.engine.dispose()


def _one_line(error: object) -> str:
    return " ".join(str(error).split())


def _json_as_text(raw: Any, _: object) -> None:  # a psycopg connection, imported only here
    from psycopg.types.string import TextLoader

    raw.adapters.register_loader("json", TextLoader)
